//! The API tried as its clients do: over HTTP, with a database of its own.

mod accounts;
mod api_keys;
mod audio;
mod audit;
mod call_plans;
mod documents;
mod harness;
mod identities;
mod invitations;
mod lifecycle;
mod mail;
mod mail_server;
mod mfa;
mod numbers;
mod scheduled_calls;
mod services;
mod sessions;
mod stream;
mod tenancy;
mod webhooks;
