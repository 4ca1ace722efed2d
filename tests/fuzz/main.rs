//! Everything that a stranger may send is read here under mutation, for a bounded time: whatever
//! comes, reading ends without a panic, and what is made of it fits.
//!
//! Each target has its seeds below `corpus/` (and takes what other tests keep). A run first reads
//! every seed as it is, then mutants. Without `STROWGER_FUZZ_SECONDS` it makes some thousands of
//! mutants, always the same; with it, it goes on for that long. `STROWGER_FUZZ_SEED` (1) gives other
//! ones. An input that fails is made smaller and kept in the target's folder as `crash-…`: every
//! later run reads it first, so it stays as the test of its fault.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod fuzzer;
mod media;
mod mutant;
mod plan;
mod sdp;
mod settings;
mod sip;
mod sip_endpoint;
