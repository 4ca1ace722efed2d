//! What a leg sends to its peer: relayed packets as they come, all else on the beat.

use super::{Connection, Content, Event, Leg, Passing, Path, Say};
use crate::codec::comfort_noise;
use crate::codec::{Encoder, MAX_PAYLOAD, SharedSound};
use crate::dtmf;
use crate::player::Played;
use crate::rtp::Packet;
use crate::{Frame, SILENCE};
use std::time::Instant;

/// Beats without a relayed packet until we fill in silence ourselves: 200 ms, more than any jitter
/// that a call survives.
const RELAY_PATIENCE: u32 = 10;

/// The same after the bridged leg said that it is silent: 5 s, so that NATs stay open.
const REST_PATIENCE: u32 = 250;

/// Beats after a passed telephone-event in which no sound is sent beside it: 100 ms, twice the
/// longest usual interval of its packets.
const EVENT_PATIENCE: u32 = 5;

impl Leg {
    /// Makes the bridged leg's packet one of this leg's own stream: SSRC, sequence, timestamp and
    /// payload type are rewritten. Answers the length in `out` to be sent to
    /// [`remote`](Self::remote); `None` when this peer may not hear it now (on hold, a play or digit
    /// goes on) or it is not fit for it (another codec; a digit for a peer without telephone-event
    /// is sent as a tone pair on the beat).
    pub fn relay(&mut self, passing: &Passing<'_>, _now: Instant, out: &mut [u8]) -> Option<usize> {
        let connection = self.connection.filter(|agreed| agreed.direction.sends())?;
        self.latch.remote()?;
        if self.player.is_some() || !self.keys.is_idle() {
            return None;
        }
        let packet = &passing.packet;
        let relayed = self.path == Path::Relayed && passing.codec == connection.codec;
        match passing.content {
            Content::Sound => {
                if !relayed {
                    return None;
                }
                self.relay_idle = 0;
                self.rest = None;
                let ticks = passing.codec.ticks(packet.payload);
                self.outgoing
                    .relay(packet, connection.payload_type, ticks, out)
            }
            Content::ComfortNoise => {
                if !relayed {
                    return None;
                }
                self.relay_idle = 0;
                let rest = self.rest.get_or_insert_default();
                if connection.comfort_noise {
                    return self
                        .outgoing
                        .relay(packet, comfort_noise::PAYLOAD_TYPE, 0, out);
                }
                rest.take(packet.payload, false);
                None
            }
            Content::TelephoneEvent { clock_rate } => {
                let Some(agreed) = connection.telephone_event else {
                    self.sound_key(packet);
                    return None;
                };
                let payload = dtmf::EventPayload::read(packet.payload)?;
                let payload = payload.at_clock(clock_rate, agreed.clock_rate).bytes();
                let packet = &Packet {
                    header: packet.header,
                    payload: &payload,
                };
                match self.path {
                    Path::Relayed => {
                        self.relay_idle = 0;
                        self.outgoing.relay(packet, agreed.payload_type, 0, out)
                    }
                    Path::Transcoded => {
                        self.event_idle = 0;
                        self.outgoing.relay_event(packet, agreed.payload_type, out)
                    }
                    Path::Alone | Path::Mixed | Path::Listening => None,
                }
            }
        }
    }

    /// Lets a peer without telephone-event hear the bridged leg's key.
    fn sound_key(&mut self, packet: &Packet<'_>) {
        if self.outgoing.is_known_event(packet.header.timestamp) {
            return;
        }
        self.outgoing.know_event(&packet.header);
        let key = dtmf::EventPayload::read(packet.payload)
            .and_then(|payload| dtmf::key_of(payload.event));
        if let Some(key) = key {
            self.keys.push(key.encode_utf8(&mut [0; 4]));
        }
    }

    /// Last round of the beat: writes what the peer hears now and answers its length in `out`, to
    /// be sent to [`remote`](Self::remote). `say` is the sound of the bridged leg or room, where
    /// there is one, at any rate. `None` when nothing is to be sent: not connected, on hold, or packets are
    /// being relayed. A peer to whom nothing is said hears silence all the time, so that NATs and
    /// timeouts on the way stay open.
    pub fn tick(&mut self, now: Instant, say: Option<Say<'_>>, out: &mut [u8]) -> Option<usize> {
        let connection = self.connection?;
        self.watch(connection, now);
        self.outgoing.beat();
        self.relay_idle = self.relay_idle.saturating_add(1);
        self.event_idle = self.event_idle.saturating_add(1);
        let mut frame = Frame::SILENCE;
        let said = self.next_said(say, &mut frame);
        if !connection.direction.sends() || self.latch.remote().is_none() {
            self.outgoing.pause();
            return None;
        }
        match said {
            Said::Nothing => None,
            Said::Sound => self.send_sound(&connection, &frame, out),
            Said::Shared(sound) => {
                let payload = sound.payload(connection.codec, connection.opus);
                self.outgoing.sound(connection.payload_type, payload, out)
            }
            Said::Key(step) => {
                let Some(agreed) = connection.telephone_event else {
                    let mut tones = SILENCE;
                    step.sound(&mut tones);
                    return self.send_sound(&connection, &tones.into(), out);
                };
                match step.payload(agreed.clock_rate) {
                    Some(payload) => {
                        let first = step.is_first();
                        self.outgoing
                            .event(agreed.payload_type, first, payload.bytes(), out)
                    }
                    None => self.send_sound(&connection, &frame, out),
                }
            }
        }
    }

    /// A beat that has nothing to do for this leg, in place of all its rounds; `false`: it has.
    /// While packets are passed on and nobody needs to hear them, the rounds are needed now and
    /// then only, for reports and to notice silence.
    pub fn pass_beat(&mut self) -> bool {
        let passes = self.path == Path::Relayed
            && self.relay_idle < RELAY_PATIENCE - 1
            && self.rest.is_none()
            && self.player.is_none()
            && self.keys.is_idle()
            && !self.is_decoded();
        if passes {
            self.outgoing.beat();
            self.relay_idle += 1;
            self.event_idle = self.event_idle.saturating_add(1);
        }
        passes
    }

    /// What this beat is for: keys before a play, a play before a bridge or room.
    fn next_said<'a>(&mut self, say: Option<Say<'a>>, frame: &mut Frame) -> Said<'a> {
        if let Some(step) = self.keys.beat() {
            return Said::Key(step);
        }
        if let Some((play, player)) = &mut self.player {
            if let Some(agreed) = self.connection {
                *frame = Frame::silent(agreed.codec.rate());
            }
            match player.take(frame) {
                Played::Sound => return Said::Sound,
                Played::Keys(keys) => {
                    self.keys.push(keys);
                    return self.keys.beat().map_or(Said::Sound, Said::Key);
                }
                Played::Ended => {
                    self.events.push_back(Event::Played { play: *play });
                    self.player = None;
                }
            }
        }
        if self.event_idle < EVENT_PATIENCE {
            return Said::Nothing;
        }
        if self.path == Path::Relayed {
            return self.next_relayed(frame);
        }
        match say {
            Some(Say::Shared(sound)) => return Said::Shared(sound),
            Some(Say::Sound(say)) => *frame = *say,
            None => {}
        }
        Said::Sound
    }

    /// What is said while no packet of the bridged leg comes: its comfort noise to a peer that takes
    /// none, and silence when it has been quiet for long.
    fn next_relayed<'a>(&mut self, frame: &mut Frame) -> Said<'a> {
        let takes_noise = self.connection.is_some_and(|agreed| agreed.comfort_noise);
        let patience = match &mut self.rest {
            Some(noise) if !takes_noise => {
                noise.fill(frame.samples_mut());
                return Said::Sound;
            }
            Some(_) => REST_PATIENCE,
            None => RELAY_PATIENCE,
        };
        if self.relay_idle < patience {
            Said::Nothing
        } else {
            Said::Sound
        }
    }

    fn send_sound(&mut self, agreed: &Connection, frame: &Frame, out: &mut [u8]) -> Option<usize> {
        let encoder = self
            .encoder
            .get_or_insert_with(|| Encoder::new(agreed.codec, agreed.opus));
        let mut payload = [0; MAX_PAYLOAD];
        let len = encoder.encode(frame, &mut payload);
        self.outgoing
            .sound(agreed.payload_type, &payload[..len], out)
    }
}

/// What a beat is for.
enum Said<'a> {
    /// The bridged leg's packets speak.
    Nothing,
    /// The frame.
    Sound,
    /// What many hear.
    Shared(&'a mut SharedSound),
    /// A step of a key.
    Key(dtmf::Step),
}
