//! Accounts, one actor type for every level of the tree, and what may be asked of them.

pub mod messages;
