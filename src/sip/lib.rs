//! RFC 3261 signalling without sockets.
