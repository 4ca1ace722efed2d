//! The history of the database, one step a file.
//!
//! A step that has been released is frozen: a change of the schema is a new step. Each step runs on
//! SQLite and on PostgreSQL, upwards and downwards.

mod m20260101_000001_create_accounts;
mod m20260101_000002_create_users;
mod m20260101_000003_create_sessions;
mod m20260101_000004_create_call_plans;
mod m20260101_000005_create_numbers;
mod m20260101_000006_create_trunks;
mod m20260101_000007_create_audio;
mod m20260101_000008_create_services;
mod m20260101_000009_create_scheduled_calls;
mod m20260101_000010_create_calls;
mod m20260101_000011_create_recordings;
mod m20260101_000012_create_events;
mod m20260101_000013_create_signing_keys;
mod m20260101_000014_create_idempotency_keys;
mod m20260101_000015_bundle_events;
mod m20260101_000016_create_api_keys;
mod m20260101_000017_add_session_sources;
mod m20260101_000018_create_second_factors;
mod m20260101_000020_add_withheld_calling;
mod m20260101_000021_add_contact;
mod m20260101_000022_create_brandings;
mod m20260101_000024_create_number_assignments;
mod m20260101_000027_create_webhooks;
mod m20260101_000028_create_webhook_deliveries;
mod m20260101_000030_create_audit_log;
mod m20260101_000031_create_mail;
mod m20260101_000032_create_invitations;

use sea_orm_migration::prelude::*;

/// Runs the steps that a database has not seen yet.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20260101_000001_create_accounts::Migration),
            Box::new(m20260101_000002_create_users::Migration),
            Box::new(m20260101_000003_create_sessions::Migration),
            Box::new(m20260101_000004_create_call_plans::Migration),
            Box::new(m20260101_000005_create_numbers::Migration),
            Box::new(m20260101_000006_create_trunks::Migration),
            Box::new(m20260101_000007_create_audio::Migration),
            Box::new(m20260101_000008_create_services::Migration),
            Box::new(m20260101_000009_create_scheduled_calls::Migration),
            Box::new(m20260101_000010_create_calls::Migration),
            Box::new(m20260101_000011_create_recordings::Migration),
            Box::new(m20260101_000012_create_events::Migration),
            Box::new(m20260101_000013_create_signing_keys::Migration),
            Box::new(m20260101_000014_create_idempotency_keys::Migration),
            Box::new(m20260101_000015_bundle_events::Migration),
            Box::new(m20260101_000016_create_api_keys::Migration),
            Box::new(m20260101_000017_add_session_sources::Migration),
            Box::new(m20260101_000018_create_second_factors::Migration),
            Box::new(m20260101_000020_add_withheld_calling::Migration),
            Box::new(m20260101_000021_add_contact::Migration),
            Box::new(m20260101_000022_create_brandings::Migration),
            Box::new(m20260101_000024_create_number_assignments::Migration),
            Box::new(m20260101_000027_create_webhooks::Migration),
            Box::new(m20260101_000028_create_webhook_deliveries::Migration),
            Box::new(m20260101_000030_create_audit_log::Migration),
            Box::new(m20260101_000031_create_mail::Migration),
            Box::new(m20260101_000032_create_invitations::Migration),
        ]
    }
}
