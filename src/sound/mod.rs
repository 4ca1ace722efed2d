//! From what a driver asks to be heard to samples that a leg can play.

pub mod library;
pub mod media_files;
pub mod speech;
pub mod storage;
