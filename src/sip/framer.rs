//! Cuts a stream into messages (RFC 3261 §18.3, RFC 5626 §3.5.1).

use bytes::{Buf, Bytes, BytesMut};

use crate::head::{self, Head, MAX_BODY, MAX_HEAD};

/// One piece of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one message, for [`read`](crate::reader::read).
    Message(Bytes),
    /// The far end asks whether we live: answer `\r\n` (RFC 5626 §4.4.1).
    Ping,
    /// Where this message ends can't be known, so nothing behind it can be read. It can be handed
    /// to [`read`](crate::reader::read) to refuse it; then the connection is to be closed.
    Last(Bytes),
}

/// Collects what a connection receives, and cuts messages from it.
///
/// Holds less than one message of the largest size beside what was pushed last, when frames are
/// taken out after each push.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// How much of the buffer was searched for the end of a head.
    searched: usize,
    /// Length of the whole message once its head has been seen.
    expected: Option<usize>,
    broken: bool,
}

impl Framer {
    /// A framer at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what was received. After a [`Frame::Last`] it is thrown away.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.broken {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// How many bytes wait for the rest of their message.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// The next whole piece, if it is there.
    pub fn next_frame(&mut self) -> Option<Frame> {
        if self.broken {
            return None;
        }
        let length = if let Some(length) = self.expected {
            length
        } else {
            if let Some(ping) = self.skip_line_ends() {
                return Some(ping);
            }
            let Some(end) = head::end_of_head(&self.buffer, self.searched) else {
                // The last two bytes may be the start of the empty line.
                self.searched = self.buffer.len().saturating_sub(2);
                return (self.buffer.len() > MAX_HEAD).then(|| self.last(self.buffer.len()));
            };
            match length_of_message(self.buffer.get(..end).unwrap_or_default()) {
                Some(length) => length,
                None => return Some(self.last(end)),
            }
        };
        if self.buffer.len() < length {
            self.expected = Some(length);
            return None;
        }
        self.expected = None;
        self.searched = 0;
        Some(Frame::Message(self.buffer.split_to(length).freeze()))
    }

    /// Takes line ends from before a message; two of them are a ping.
    fn skip_line_ends(&mut self) -> Option<Frame> {
        loop {
            if self.buffer.starts_with(b"\r\n\r\n") {
                self.buffer.advance(4);
                self.searched = 0;
                return Some(Frame::Ping);
            }
            let rest = match &*self.buffer {
                // Whether this is a ping or a stray line end, the next bytes tell.
                b"\r" | b"\r\n" | b"\r\n\r" => return None,
                [b'\r', b'\n', ..] => 2,
                [b'\n', ..] => 1,
                _ => return None,
            };
            self.buffer.advance(rest);
            self.searched = 0;
        }
    }

    fn last(&mut self, length: usize) -> Frame {
        self.broken = true;
        let last = self.buffer.split_to(length).freeze();
        self.buffer = BytesMut::new();
        Frame::Last(last)
    }
}

/// Length of head and body together. `None`: not knowable, or more than the limits allow.
///
/// RFC 3261 §18.3 wants a Content-Length in every message on a stream; one without is taken to have
/// no body, which is all that a sender without Content-Length can mean.
fn length_of_message(head: &[u8]) -> Option<usize> {
    if head.len() > MAX_HEAD {
        return None;
    }
    let (scanned, _) = Head::scan(&Bytes::copy_from_slice(head));
    let body = scanned.content_length().ok()?.unwrap_or(0);
    (body <= MAX_BODY)
        .then(|| head.len().checked_add(body))
        .flatten()
}

#[cfg(test)]
mod tests;
