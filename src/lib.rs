//! Strowger.

pub mod accounts;
pub mod api;
pub mod app;
pub mod calls;
pub mod commands;
pub mod conferences;
pub mod config;
pub mod demo;
pub mod events;
pub mod net;
pub mod numbers;
pub mod phone;
pub mod queues;
pub mod scheduler;
pub mod services;
pub mod sound;
pub mod store;
pub mod supervise;
pub mod telemetry;
