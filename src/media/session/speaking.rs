//! What a leg sends to its peer: relayed packets as they come, all else on the beat.

use super::{Connection, Event, Leg, Passing, Path};
use crate::dtmf;
use crate::player::Played;
use crate::rtp::Packet;
use crate::{FRAME, Frame, Narrow, Rate, SILENCE};
use std::time::Instant;

/// Beats without a relayed packet until we fill in silence ourselves: 200 ms, more than any jitter
/// that a call survives.
const RELAY_PATIENCE: u32 = 10;

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
        if !passing.telephone_event {
            if self.path != Path::Relayed || passing.codec != connection.codec {
                return None;
            }
            self.relay_idle = 0;
            return self
                .outgoing
                .relay(packet, connection.payload_type, false, out);
        }
        let Some(payload_type) = connection.telephone_event else {
            self.sound_key(packet);
            return None;
        };
        match self.path {
            Path::Relayed => {
                self.relay_idle = 0;
                self.outgoing.relay(packet, payload_type, true, out)
            }
            Path::Transcoded => {
                self.event_idle = 0;
                self.outgoing.relay_event(packet, payload_type, out)
            }
            Path::Alone | Path::Mixed => None,
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
    pub fn tick(&mut self, now: Instant, say: Option<&Frame>, out: &mut [u8]) -> Option<usize> {
        let connection = self.connection?;
        self.watch(connection, now);
        self.outgoing.beat();
        self.relay_idle = self.relay_idle.saturating_add(1);
        self.event_idle = self.event_idle.saturating_add(1);
        let mut frame = SILENCE;
        let said = self.next_said(say, &mut frame);
        if !connection.direction.sends() || self.latch.remote().is_none() {
            self.outgoing.pause();
            return None;
        }
        match said {
            Said::Nothing => None,
            Said::Sound => self.send_sound(&connection, &frame, out),
            Said::Key(step) => {
                let Some(payload_type) = connection.telephone_event else {
                    step.sound(&mut frame);
                    return self.send_sound(&connection, &frame, out);
                };
                match step.payload() {
                    Some(payload) => {
                        let first = step.is_first();
                        self.outgoing
                            .event(payload_type, first, payload.bytes(), out)
                    }
                    None => self.send_sound(&connection, &frame, out),
                }
            }
        }
    }

    /// What this beat is for: keys before a play, a play before a bridge or room.
    fn next_said(&mut self, say: Option<&Frame>, frame: &mut Narrow) -> Said {
        if let Some(step) = self.keys.beat() {
            return Said::Key(step);
        }
        if let Some((play, player)) = &mut self.player {
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
            let waits = self.relay_idle < RELAY_PATIENCE;
            return if waits { Said::Nothing } else { Said::Sound };
        }
        if let Some(say) = say
            && let Frame::Narrow(said) = self.converter.take(say, Rate::Narrow)
        {
            *frame = said;
        }
        Said::Sound
    }

    fn send_sound(&mut self, agreed: &Connection, frame: &Narrow, out: &mut [u8]) -> Option<usize> {
        let mut payload = [0; FRAME];
        agreed.codec.encode(frame, &mut payload);
        self.outgoing.sound(agreed.payload_type, &payload, out)
    }
}

/// What a beat is for.
enum Said {
    /// The bridged leg's packets speak.
    Nothing,
    /// The frame.
    Sound,
    /// A step of a key.
    Key(dtmf::Step),
}
