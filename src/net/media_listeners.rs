//! Who hears a conversation without being a party of it: supervisors, and applications.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use strowger_media::{Narrow, SILENCE, mixer};
use tokio::sync::mpsc;

use super::media_engine::{AudioFrame, MediaLegId, Voice};

/// Where a listener hears, and speaks from.
pub(super) enum Source {
    /// A leg.
    Leg(MediaLegId),
    /// A program.
    Stream {
        /// What is heard.
        heard: mpsc::Sender<AudioFrame>,
        /// What it says.
        said: mpsc::Receiver<Narrow>,
        /// Frames that it did not take.
        lost: Arc<AtomicU64>,
    },
}

/// One who listens to a leg, and to the one that this is bridged with.
pub(super) struct Listener {
    pub(super) id: u64,
    pub(super) to: MediaLegId,
    pub(super) voice: Voice,
    pub(super) source: Source,
    /// Beats until now.
    pub(super) number: u64,
}

impl Listener {
    /// The leg that it listens to, and the one that it is.
    pub(super) fn legs(&self) -> [Option<MediaLegId>; 2] {
        let source = match self.source {
            Source::Leg(leg) => Some(leg),
            Source::Stream { .. } => None,
        };
        [Some(self.to), source]
    }

    /// Whether it has to do with a leg.
    pub(super) fn concerns(&self, leg: MediaLegId) -> bool {
        self.legs().contains(&Some(leg))
    }
}

/// All listeners of a thread.
#[derive(Default)]
pub(super) struct Listeners {
    active: Vec<Listener>,
    /// What is added to what legs hear in this beat.
    added: Vec<(MediaLegId, Narrow)>,
}

impl Listeners {
    /// Lets one listen.
    pub(super) fn start(&mut self, listener: Listener) {
        self.active.push(listener);
    }

    /// Takes one out.
    pub(super) fn take(&mut self, which: impl Fn(&Listener) -> bool) -> Option<Listener> {
        let at = self.active.iter().position(which)?;
        Some(self.active.swap_remove(at))
    }

    /// Somebody listens to the leg, or is it: its sound is needed.
    pub(super) fn need(&self, leg: MediaLegId) -> bool {
        self.active.iter().any(|listener| listener.concerns(leg))
    }

    /// Somebody may speak to the leg or the one that it is bridged with.
    pub(super) fn speak_to(&self, leg: MediaLegId) -> bool {
        let speaks = |listener: &Listener| listener.to == leg && listener.voice != Voice::Nobody;
        self.active.iter().any(speaks)
    }

    /// Lets all hear a beat, and takes what they say in it.
    pub(super) fn hear<'a>(
        &mut self,
        heard: impl Fn(MediaLegId) -> Option<&'a Narrow>,
        peer: impl Fn(MediaLegId) -> Option<MediaLegId>,
    ) {
        self.added.clear();
        for listener in &mut self.active {
            let other = peer(listener.to);
            let mut said = None;
            let both = mixer::sum(
                heard(listener.to).unwrap_or(&SILENCE),
                other.and_then(&heard).unwrap_or(&SILENCE),
            );
            match &mut listener.source {
                Source::Leg(leg) => {
                    self.added.push((*leg, both));
                    said = heard(*leg).copied();
                }
                Source::Stream {
                    heard,
                    said: speech,
                    lost,
                } => {
                    let frame = AudioFrame {
                        number: listener.number,
                        samples: both,
                    };
                    if heard.try_send(frame).is_err() {
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                    said = speech.try_recv().ok().or(said);
                }
            }
            listener.number += 1;
            let Some(said) = said else { continue };
            let audience = match listener.voice {
                Voice::Nobody => [None, None],
                Voice::Leg => [Some(listener.to), None],
                Voice::Both => [Some(listener.to), other],
            };
            let told = audience.into_iter().flatten();
            self.added.extend(told.map(|leg| (leg, said)));
        }
    }

    /// Adds what a leg is told in this beat to what it hears; `None`: nothing.
    pub(super) fn add(&self, leg: MediaLegId, hears: &Narrow) -> Option<Narrow> {
        let told = self.added.iter().filter(|(to, _)| *to == leg);
        told.fold(None, |sum, (_, said)| {
            Some(mixer::sum(&sum.unwrap_or(*hears), said))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use actix::prelude::*;
    use strowger_domain::ids::AccountId;
    use strowger_media::codec::Codec;
    use strowger_media::codec::opus::Wishes;
    use strowger_media::goertzel::hears;
    use strowger_media::player::Sound;
    use strowger_media::session::{Command, Connection};
    use strowger_media::tone::{Generator, Tone};
    use strowger_media::{Direction, FRAME};

    use super::*;
    use crate::net::media_engine::{AudioStream, MediaFact, MediaHandle, MediaLeg};
    use crate::net::rtp_socket::Ports;

    /// Owns legs, and wants to know nothing of them.
    struct Owner;

    impl Actor for Owner {
        type Context = Context<Self>;
    }

    impl Handler<MediaFact> for Owner {
        type Result = ();

        fn handle(&mut self, _: MediaFact, _: &mut Self::Context) {}
    }

    /// A leg of ours and the phone at its other end, which says a tone.
    struct Party {
        leg: MediaLeg,
        _phone: MediaLeg,
        /// What the phone hears.
        ear: AudioStream,
    }

    const TONES: [u16; 3] = [700, 1300, 1900];

    fn party(media: &MediaHandle, owner: &Addr<Owner>, hertz: u16, codec: Codec) -> Party {
        let account = AccountId::from_uuid(uuid::Uuid::nil());
        let open = || {
            let opened = media.open(account, None, owner.clone().recipient());
            opened.expect("a port")
        };
        let (leg, phone) = (open(), open());
        for (one, other) in [(&leg, &phone), (&phone, &leg)] {
            one.command(Command::Connect(Connection {
                remote: Some(other.address),
                remote_rtcp: None,
                codec,
                payload_type: codec.payload_type(),
                telephone_event: None,
                comfort_noise: false,
                opus: Wishes::default(),
                direction: Direction::SendReceive,
            }));
        }
        phone.command(Command::Play {
            play: 1,
            sounds: vec![Sound::Tone(Tone::Steady { hertz })],
            repeat: true,
        });
        let ear = phone.stream(Voice::Nobody, 500);
        Party {
            leg,
            _phone: phone,
            ear,
        }
    }

    /// Waits until a party hears these of the tones and no other.
    async fn hears_only(stream: &mut AudioStream, tones: &[u16]) {
        let mut last = Vec::new();
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(30), stream.heard.recv()).await;
            let frame = frame.expect("it goes on").expect("it goes on");
            last.extend(frame.samples);
            if last.len() < 10 * FRAME {
                continue;
            }
            if TONES
                .iter()
                .all(|tone| hears(&last, *tone) == tones.contains(tone))
            {
                return;
            }
            last.drain(..FRAME);
        }
    }

    fn engine(first: u16) -> MediaHandle {
        let ports = Ports::new(Ipv4Addr::LOCALHOST.into(), &(first..=first + 199));
        MediaHandle::start(ports, 2).expect("threads")
    }

    #[actix::test]
    async fn a_supervisor_hears_both_and_is_heard_by_whom_it_speaks_to() {
        let media = engine(19_000);
        let owner = Owner.start();
        let [mut a, mut b] =
            [0, 1].map(|party_of| party(&media, &owner, TONES[party_of], Codec::Pcma));
        let mut supervisor = party(&media, &owner, TONES[2], Codec::G722);
        a.leg.bridge(&b.leg);
        for (voice, at_a, at_b) in [
            (Voice::Nobody, &TONES[1..2], &TONES[..1]),
            (Voice::Leg, &TONES[1..2], &[TONES[0], TONES[2]]),
            (Voice::Both, &TONES[1..], &[TONES[0], TONES[2]]),
        ] {
            let listening = supervisor.leg.listen_to(b.leg.id(), voice);
            hears_only(&mut supervisor.ear, &TONES[..2]).await;
            hears_only(&mut a.ear, at_a).await;
            hears_only(&mut b.ear, at_b).await;
            drop(listening);
            hears_only(&mut supervisor.ear, &[]).await;
            hears_only(&mut a.ear, &TONES[1..2]).await;
            hears_only(&mut b.ear, &TONES[..1]).await;
        }
        // It follows the leg into another conversation.
        let _listening = supervisor.leg.listen_to(b.leg.id(), Voice::Leg);
        a.leg.unbridge();
        hears_only(&mut supervisor.ear, &TONES[1..2]).await;
        hears_only(&mut b.ear, &TONES[2..]).await;
        media.stop();
    }

    #[actix::test]
    async fn a_program_hears_a_call_and_speaks_to_a_leg() {
        let media = engine(19_200);
        let owner = Owner.start();
        let [mut a, mut b] =
            [0, 1].map(|party_of| party(&media, &owner, TONES[party_of], Codec::Pcma));
        let mut program = a.leg.stream(Voice::Leg, 50);
        hears_only(&mut program, &TONES[..1]).await;
        a.leg.bridge(&b.leg);
        hears_only(&mut program, &TONES[..2]).await;
        let said = program.said.clone();
        let speaks = actix::spawn(async move {
            let mut voice = Generator::new(Tone::Steady { hertz: TONES[2] });
            loop {
                let frame = std::array::from_fn(|_| voice.next().unwrap_or_default());
                if said.send(frame).await.is_err() {
                    return;
                }
            }
        });
        hears_only(&mut a.ear, &TONES[1..]).await;
        hears_only(&mut b.ear, &TONES[..1]).await;
        drop(program);
        hears_only(&mut a.ear, &TONES[1..2]).await;
        speaks.await.expect("it has ended");
        media.stop();
    }

    #[actix::test]
    async fn frames_that_a_program_does_not_take_are_counted_and_delay_nobody() {
        let media = engine(19_400);
        let owner = Owner.start();
        let [mut a, b] = [0, 1].map(|party_of| party(&media, &owner, TONES[party_of], Codec::Pcma));
        let mut program = a.leg.stream(Voice::Nobody, 5);
        a.leg.bridge(&b.leg);
        let mut frames = 0;
        while frames < 25 {
            hears_only(&mut a.ear, &TONES[1..2]).await;
            frames += 1;
        }
        assert!(program.lost() >= 10, "{} are lost", program.lost());
        let mut numbers = Vec::new();
        while let Ok(frame) = program.heard.try_recv() {
            numbers.push(frame.number);
        }
        assert_eq!(numbers[..5], [0, 1, 2, 3, 4]);
        media.stop();
    }
}
