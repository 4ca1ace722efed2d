//! **Conference**: puts the caller into a room, where all who are in it hear each other.
//!
//! A room is known by its name in the account, so that several plans lead into the same one. The
//! caller is answered first. With `tones` the others hear when somebody joins or leaves. Branches,
//! both optional: `full` when the room has `max_callers` already, `continue` when the room has
//! ended or the caller was taken out of it; without them the call ends.

use super::{Branch, Next, NodeType, State};
use crate::call::{ConferenceEntry, Effect, Event, LegNumber, Tone};
use crate::call_plan::interpreter::DefaultEnd;
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::setting::Setting;
use crate::call_plan::validate::Checker;
use crate::cause::Cause;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

const MAX_CALLERS: RangeInclusive<u32> = 2..=1_000;

/// The properties of Conference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conference {
    /// The room's name; 1 to 100 characters.
    pub room: Setting<String>,
    /// The most callers in it; 2 to 1,000.
    pub max_callers: Setting<u32>,
    /// Tones when somebody joins or leaves.
    pub tones: bool,
}

impl Default for Conference {
    fn default() -> Self {
        Self {
            room: Setting::default(),
            max_callers: 50.into(),
            tones: true,
        }
    }
}

impl NodeType for Conference {
    fn branches(&self) -> Vec<Branch> {
        vec![Branch::optional("full"), Branch::optional("continue")]
    }

    fn is_telephony(&self) -> bool {
        true
    }

    fn check(&self, checker: &mut Checker<'_>) {
        let permitted = checker.permissions().conferencing;
        checker.permission(permitted, "", "conferences");
        checker.name("room", &self.room);
        checker.number("max_callers", &self.max_callers, MAX_CALLERS);
    }

    fn enter(&self, _here: &Node, run: &mut Run) -> Next {
        let Some(room) = run.parsed(&self.room, super::delivery::name) else {
            return Next::End(Cause::TemporaryFailure);
        };
        let most = run.number(&self.max_callers, MAX_CALLERS, 50);
        run.answer();
        run.push(Effect::JoinConference(ConferenceEntry {
            leg: LegNumber::A,
            room,
            max_members: u16::try_from(most).unwrap_or(u16::MAX),
            tones: self.tones,
            talker: true,
        }));
        Next::Wait(State::Conferring)
    }

    fn on_event(&self, _here: &Node, state: State, event: &Event, _run: &mut Run) -> Next {
        match event {
            Event::ConferenceRefused { leg: LegNumber::A } => Next::leave("full"),
            Event::ConferenceLeft { leg: LegNumber::A } => Next::leave("continue"),
            _ => Next::Wait(state),
        }
    }

    fn default_end(&self, branch: &str, _run: &Run) -> DefaultEnd {
        if branch == "full" {
            (Cause::UserBusy, Some(Tone::Busy))
        } else {
            (Cause::NormalClearing, None)
        }
    }
}
