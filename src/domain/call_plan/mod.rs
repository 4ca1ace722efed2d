//! Call plans: the document that a customer draws, the rules that it must keep, and the machine
//! that runs it.
//!
//! A [`Plan`] is a graph of nodes. [`validate`](validate::validate) names every problem of it at
//! once. An [`Interpreter`] runs it for one call, in the vocabulary of [`crate::call`];
//! [`simulate`](simulate::simulate) runs the same interpreter on a script of events in virtual time.

pub mod interpreter;
pub mod nodes;
pub mod plan;
mod run;
pub mod setting;
pub mod simulate;
pub mod validate;
pub mod variables;

pub use interpreter::Interpreter;
pub use plan::{Node, Plan, Position, Scope, Variable};
pub use simulate::{Script, Transcript, simulate};
pub use validate::{Context, Problem, Severity, is_runnable, validate};
pub use variables::Globals;

#[cfg(test)]
mod tests;
