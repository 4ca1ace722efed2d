//! Which way audio may flow on a leg, seen from us.

/// The direction of a media stream, from our side.
///
/// *Source*: RFC 4566 §6, RFC 3264 §5.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// `sendrecv`
    #[default]
    SendReceive,
    /// `sendonly`: we send, the peer only listens.
    SendOnly,
    /// `recvonly`: the peer sends, we only listen (we are on hold).
    ReceiveOnly,
    /// `inactive`
    Inactive,
}

impl Direction {
    /// We may send.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendReceive | Self::SendOnly)
    }

    /// We may receive.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendReceive | Self::ReceiveOnly)
    }

    /// The direction that sends and receives as told.
    pub const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendReceive,
            (true, false) => Self::SendOnly,
            (false, true) => Self::ReceiveOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// The same stream as the other side sees it.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// The attribute name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendReceive => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::ReceiveOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reversing_swaps_who_sends() {
        assert_eq!(Direction::SendOnly.reversed(), Direction::ReceiveOnly);
        assert_eq!(Direction::ReceiveOnly.reversed(), Direction::SendOnly);
        assert_eq!(Direction::SendReceive.reversed(), Direction::SendReceive);
        assert_eq!(Direction::Inactive.reversed(), Direction::Inactive);
    }
}
