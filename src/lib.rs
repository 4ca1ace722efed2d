//! Strowger.
