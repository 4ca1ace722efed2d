//! How many files the process may have open, and for what: sockets are files too, and whoever took
//! the last one would stop all others.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Left for the database, recordings, audio, and whatever else is opened for a moment.
const RESERVE: usize = 100;
/// Where the system does not say.
const UNKNOWN: usize = 1024;

/// How many there may be: the most that the system allows, asked for at the first call.
pub fn limit() -> usize {
    static LIMIT: OnceLock<usize> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
            return UNKNOWN;
        };
        let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
        let limit = if raised.is_ok() { hard } else { soft };
        usize::try_from(limit).unwrap_or(usize::MAX)
    })
}

/// How many of them SIP connections may have; HTTP connections as many.
pub fn connections() -> usize {
    limit() / 4
}

/// How many port pairs the others are enough for.
pub fn port_pairs() -> usize {
    (limit() - 2 * connections()).saturating_sub(RESERVE) / 2
}
