//! Everything that a driver may ask of its call.

use super::{LegNumber, PlayNumber, RecordingNumber};
use crate::cause::Cause;
use crate::ids::AudioId;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// One request of a driver to its call.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Answer the A-party if it is not answered yet. Anything that the A-party must hear follows it.
    Answer,
    /// Play sounds to a leg; replaces what it hears now. Ends with `Event::Played` once, unless
    /// `repeat` is set (then it goes on until replaced, stopped, bridged or joined).
    Play {
        /// The leg that hears it.
        leg: LegNumber,
        /// The driver's name for this play.
        play: PlayNumber,
        /// What is heard, in order.
        sounds: Vec<Sound>,
        /// Start again at the end.
        repeat: bool,
    },
    /// Stop what the leg hears. The stopped play gives no `Played`.
    StopPlay {
        /// The leg.
        leg: LegNumber,
    },
    /// Dial a new leg. Ends in `Answered`, or in `DialFailed` (also when its ring time is over).
    Dial(Box<Dial>),
    /// Clear one leg other than A, ringing or answered. A ringing leg gives `DialFailed`, an
    /// answered one `HungUp`.
    HangUp {
        /// The leg.
        leg: LegNumber,
        /// The cause told to it.
        cause: Cause,
    },
    /// Let two answered legs hear each other. Stops what they were played.
    Bridge {
        /// One.
        a: LegNumber,
        /// The other.
        b: LegNumber,
    },
    /// Undo a bridge; both legs hear silence.
    Unbridge {
        /// Either of the two.
        leg: LegNumber,
    },
    /// Start a recording. Ends with `Event::Recorded` once.
    StartRecording(Recording),
    /// Stop a recording.
    StopRecording {
        /// Which.
        recording: RecordingNumber,
    },
    /// Put a leg into a conference room of the account. Answered by `ConferenceJoined` or
    /// `ConferenceRefused`.
    JoinConference(ConferenceEntry),
    /// Take a leg out of its conference.
    LeaveConference {
        /// The leg.
        leg: LegNumber,
    },
    /// Put the A-party into a queue of the account. Answered by `Queued` or `QueueRefused`, then
    /// `QueuePosition`s and `QueueOffered`s.
    JoinQueue(QueueEntry),
    /// Tell the queue how an offer ended: connected, or why not (it offers the next destination).
    AnswerOffer {
        /// `None`: connected.
        refused: Option<Cause>,
    },
    /// Leave the queue, waiting or connected.
    LeaveQueue,
    /// The plan reached a node, or the application an action: a fact for the timeline and events.
    Step {
        /// Node id or action index.
        node: String,
        /// Its type (`play_audio`, `get_number`).
        kind: String,
        /// The branch by which the previous one was left; empty at first.
        branch: String,
    },
    /// A value that the driver wants on record (captured digits that persist).
    Annotate {
        /// Name.
        name: String,
        /// Value.
        value: String,
    },
    /// End the call: clear every leg. The last effect of a driver. An A-party that was not answered
    /// is refused with the cause's SIP status.
    End {
        /// The cause on record and told to the A-party.
        cause: Cause,
    },
}

/// What can be played.
#[derive(Clone, Debug, PartialEq)]
pub enum Sound {
    /// An audio file of the account's pool.
    Audio(AudioId),
    /// A file of the account's media store or of this call's own recordings, by its name.
    File(String),
    /// Audio fetched from a web server by the guarded client.
    Url(String),
    /// Speech made from text; `voice` empty: the default voice.
    Text {
        /// What is said.
        text: String,
        /// Voice selector.
        voice: String,
    },
    /// Telephone keys, sent as RFC 4733 events: `0-9 A-D * #`.
    Digits(String),
    /// A call-progress or information tone.
    Tone(Tone),
    /// Nothing, for a time.
    Silence(Duration),
    /// Music on hold.
    Music,
}

/// Tones by ITU-T E.180 (UK), and our own signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// 400+450 Hz, 0.4 on 0.2 off 0.4 on 2.0 off; endless.
    Ringing,
    /// 400 Hz 0.375 on 0.375 off; endless.
    Busy,
    /// 400 Hz 0.4 on 0.35 off 0.225 on 0.525 off; endless.
    Congestion,
    /// 400 Hz continuous; endless.
    NumberUnobtainable,
    /// 1,400 Hz for 0.5 s: a recording starts.
    Beep,
    /// Two rising notes: somebody joined a conference.
    Joined,
    /// Two falling notes: somebody left it.
    Left,
}

/// A leg to dial.
#[derive(Clone, Debug, PartialEq)]
pub struct Dial {
    /// The driver's name for the new leg.
    pub leg: LegNumber,
    /// E.164 with `+`, or a `sip:` URI where the account may use one.
    pub destination: String,
    /// How long it may ring.
    pub ring: Duration,
    /// The number presented to the dialled party (From); `None`: the call's own rule.
    pub presentation: Option<String>,
    /// Let the A-party hear the far end's early media in place of our ringing tone.
    pub early_media: bool,
}

/// A recording to make. Its files are WAV, 8 kHz.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The driver's name for it.
    pub recording: RecordingNumber,
    /// The leg that is heard.
    pub a: LegNumber,
    /// A second one.
    pub b: Option<LegNumber>,
    /// How the two are kept, where there are two.
    pub parties: Parties,
    /// Ends by itself after this time.
    pub max_duration: Option<Duration>,
    /// Ends by itself after this much silence.
    pub max_silence: Option<Duration>,
    /// Kept as a recording of the call (`true`) or only as a file for the driver (`false`).
    pub keep: bool,
}

/// How two legs are kept in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Parties {
    /// Both in one channel.
    Mixed,
    /// In a channel each: `a` left and `b` right.
    Channels,
    /// In a file each.
    Files,
}

/// What becomes of the time in which a recording is paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// It is silent in the recording, whose time goes on with the call's.
    #[default]
    Silent,
    /// It is not in the recording, which goes on where it was paused.
    LeftOut,
}

/// A leg's wish to enter a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceEntry {
    /// The leg.
    pub leg: LegNumber,
    /// Room name, unique in the account.
    pub room: String,
    /// Most members, this one included (2 to 1,000).
    pub max_members: u16,
    /// Tones for the others when it joins and leaves.
    pub tones: bool,
    /// It may speak.
    pub talker: bool,
}

/// The A-party's wish to wait in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Queue name, unique in the account.
    pub queue: String,
    /// Destinations rung in turn (1 to 10).
    pub destinations: Vec<String>,
    /// Most callers connected at a time.
    pub max_connected: u16,
    /// Most callers waiting.
    pub max_waiting: u16,
}
