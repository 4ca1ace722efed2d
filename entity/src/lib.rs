//! The tables of the database, one file each.
//!
//! Enums are kept as their `snake_case` names, identifiers as bare UUIDs, times in UTC. What they
//! mean stands in `strowger-domain`; only `store/` names this crate.

pub mod accounts;
pub mod api_keys;
pub mod audio;
pub mod audit_log;
pub mod brandings;
pub mod call_legs;
pub mod call_plan_versions;
pub mod call_plans;
pub mod calls;
pub mod events;
pub mod idempotency_keys;
pub mod instances;
pub mod invitations;
pub mod mail_settings;
pub mod mail_templates;
pub mod mails;
pub mod number_assignments;
pub mod number_plans;
pub mod numbers;
pub mod password_resets;
pub mod plan_switches;
pub mod recordings;
pub mod recovery_codes;
pub mod refresh_tokens;
pub mod routes;
pub mod scheduled_calls;
pub mod second_factors;
pub mod services;
pub mod sessions;
pub mod sign_in_rules;
pub mod signing_keys;
pub mod trunks;
pub mod users;
pub mod webhook_deliveries;
pub mod webhooks;
