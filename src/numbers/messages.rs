//! What a service number is asked.

use actix::Message;
use strowger_domain::ids::NumberId;

use crate::calls::start::Start;

/// Start a call on this number. The number, its plan and the limits were checked.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StartCall {
    /// On which number.
    pub number: NumberId,
    /// All that it begins with.
    pub start: Box<Start>,
}

impl StartCall {
    /// See [`Start::unless_lost`].
    #[must_use]
    pub fn unless_lost(self) -> Self {
        let Self { number, start } = self;
        let start = Box::new(start.unless_lost());
        Self { number, start }
    }
}
