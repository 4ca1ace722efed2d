//! Outbound services: one actor for each run of a customer's web application.

pub mod instance;
pub mod messages;
mod pages;
