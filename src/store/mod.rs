//! Everything that is kept: one file per noun, and the only place that builds SQL.
//!
//! Every query takes an [`AccountScope`]; what lies outside of it is not found. Times and
//! identifiers come from the caller: the store has no clock of its own. Times are kept to the
//! microsecond, which is what both databases can hold.

pub mod accounts;
pub mod api_keys;
pub mod assignments;
pub mod audio;
pub mod audit_log;
pub mod branding;
pub mod call_plans;
pub mod calls;
pub mod deliveries;
pub mod error;
pub mod events;
pub mod holdings;
pub mod idempotency;
pub mod identities;
pub mod invitations;
pub mod mail;
pub mod numbers;
pub mod page;
pub mod recordings;
pub mod scheduled_calls;
pub mod scope;
pub mod second_factors;
pub mod services;
pub mod sessions;
pub mod signing_keys;
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;
mod text;
mod tree;
pub mod trunks;
pub mod users;
pub mod webhooks;
pub mod writer;

pub use error::StoreError;
use identities::Identities;
pub use page::{Cursor, Page, Paging};
pub use scope::{AccountScope, Within};
pub use writer::Writer;

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use std::sync::Arc;
use std::time::Duration;
use strowger_migration::Migrator;

/// The database. Cheap to clone: clones share the connections.
#[derive(Clone, Debug)]
pub struct Store {
    db: DatabaseConnection,
    identities: Arc<Identities>,
}

impl Store {
    /// Connects to `sqlite:///path?mode=rwc` or `postgres://user@host/database`; runs no migration.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let mut options = ConnectOptions::new(url);
        // Values may be secrets: no statement goes to the log or into a span.
        options
            .sqlx_logging(false)
            .record_stmt_in_spans(false)
            .connect_timeout(Duration::from_secs(10))
            .acquire_timeout(Duration::from_secs(4))
            .min_connections(1)
            .max_connections(16);
        if url.starts_with("sqlite:") {
            options.max_connections(8).map_sqlx_sqlite_opts(|sqlite| {
                sqlite
                    .busy_timeout(Duration::from_secs(10))
                    .foreign_keys(true)
                    .pragma("journal_mode", "WAL")
                    .pragma("synchronous", "NORMAL")
            });
        }
        Ok(Self {
            db: Database::connect(options).await?,
            identities: Arc::default(),
        })
    }

    /// Runs the migrations that this database has not seen yet: all of them, or none.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        Migrator::up(&transaction, None).await?;
        Ok(transaction.commit().await?)
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.db.ping().await?)
    }

    /// Closes every connection. Clones of this store fail from now on.
    pub async fn close(&self) -> Result<(), StoreError> {
        Ok(self.db.close_by_ref().await?)
    }

    /// Begins a transaction that will write; rolled back when dropped without a commit.
    ///
    /// On SQLite it takes the write lock at once: one that reads first and writes later fails with
    /// "database is locked" whatever the busy timeout is.
    async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: self.is_sqlite().then_some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.db.begin_with_options(options).await?)
    }

    fn is_sqlite(&self) -> bool {
        self.db.get_database_backend() == DbBackend::Sqlite
    }
}

/// The time as both databases keep it.
fn utc(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}
