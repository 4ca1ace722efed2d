//! RTP, codecs, sound and SDP without sockets.
