//! What can go wrong with a query.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

/// Why a query gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It does not exist, or lies outside of the caller's scope: nobody can tell which.
    #[error("not found")]
    NotFound,
    /// Something else has this unique name, number or address already.
    #[error("taken already")]
    Taken,
    /// It refers to something that does not exist, or something still refers to it.
    #[error("refers to what does not exist, or is still referred to")]
    Referred,
    /// It is no longer in the state that the change was meant for.
    #[error("changed by somebody else")]
    Stale,
    /// A refresh token that is unknown, expired or revoked.
    #[error("refresh token is not valid")]
    TokenInvalid,
    /// A refresh token came a second time: its whole family is revoked now.
    #[error("refresh token was used before, its family is revoked")]
    TokenReused,
    /// A text that the database cannot keep: PostgreSQL takes no U+0000.
    #[error("a text holds a character that can't be kept")]
    Unkeepable,
    /// A row holds a value that its type cannot.
    #[error("a row of {table} cannot be read")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The database refused, or is away.
    #[error("database failed")]
    Database(#[source] DbErr),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::Taken,
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Self::Referred,
            Some(_) | None => match error {
                DbErr::RecordNotFound(_) | DbErr::RecordNotUpdated => Self::NotFound,
                other if code_of(&other).as_deref() == Some("22021") => Self::Unkeepable,
                other => Self::Database(other),
            },
        }
    }
}

impl StoreError {
    /// Whether the same query may succeed later: the database is away, busy, full or starting.
    pub fn is_passing(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
            DbErr::Exec(RuntimeErr::SqlxError(e)) | DbErr::Query(RuntimeErr::SqlxError(e)) => {
                match e.as_ref() {
                    sqlx::Error::Database(e) => !is_fault_of_the_data(e.code().as_deref()),
                    sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::Protocol(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed => true,
                    _ => false,
                }
            }
            _ => false,
        }
    }
}

/// The database's own code of an error.
fn code_of(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) =
        error
    else {
        return None;
    };
    Some(error.as_database_error()?.code()?.into_owned())
}

/// PostgreSQL: classes 22 (data exception) and 23 (integrity). SQLite: the low byte of the extended
/// code is 18 (too big), 19 (constraint), 20 (mismatch) or 25 (bind range).
fn is_fault_of_the_data(code: Option<&str>) -> bool {
    let Some(code) = code else { return false };
    if code.len() == 5 {
        return code.starts_with("22") || code.starts_with("23");
    }
    code.parse::<u32>()
        .is_ok_and(|extended| matches!(extended & 0xff, 18 | 19 | 20 | 25))
}
