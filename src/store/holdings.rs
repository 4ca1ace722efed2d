//! What an account holds, table by table: for its export and for its erasure.
//!
//! A test compares the list with the tables of the database, so that no table is forgotten.

use super::identities::Subject;
use super::scope::{AccountScope, below, path_range};
use super::{Store, StoreError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sea_orm::sea_query::{Expr, ExprTrait, Value, sea_value_to_json_value};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IdenStatic, Iterable, ModelTrait,
    PrimaryKeyToColumn, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use serde_json::Map;
use std::collections::BTreeSet;
use strowger_domain::cdr::WithheldNumber;
use strowger_domain::ids::AccountId;
use strowger_entity as entity;
use strowger_entity::accounts;

/// One row, as it is exported.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Its table.
    pub table: &'static str,
    /// Its columns, without secrets; identifiers without their prefix.
    pub row: Map<String, serde_json::Value>,
}

/// Where an export goes on.
#[derive(Clone, Debug, Default)]
pub struct Place {
    table: usize,
    after: Option<Vec<Value>>,
}

/// Rows that are read at a time.
const AT_A_TIME: u64 = 200;

/// A table, and which of its rows belong to the accounts below a path.
trait Holding: EntityTrait {
    fn of(path: &str) -> Condition;
}

// A macro, so that a table is one row here, and is exported and erased by it.
macro_rules! holdings {
    ($($table:ident: $column:ident $(of $parent:ident)?;)*) => {
        /// The tables in the order in which they are erased: none before those that refer to it.
        pub const TABLES: &[&str] = &[$(stringify!($table)),*];

        $(impl Holding for entity::$table::Entity {
            fn of(path: &str) -> Condition {
                let column = entity::$table::Column::$column;
                holdings!(@of column, path $(, $parent)?)
            }
        })*

        async fn erase(db: &impl ConnectionTrait, path: &str) -> Result<(), StoreError> {
            $(entity::$table::Entity::delete_many()
                .filter(entity::$table::Entity::of(path))
                .exec(db)
                .await?;)*
            Ok(())
        }

        async fn read(
            db: &impl ConnectionTrait,
            table: &'static str,
            path: &str,
            after: Option<Vec<Value>>,
        ) -> Result<(Vec<Held>, Option<Vec<Value>>), StoreError> {
            $(if table == stringify!($table) {
                return rows::<entity::$table::Entity>(db, table, path, after).await;
            })*
            Ok((Vec::new(), None))
        }
    };
    (@of $column:ident, $path:ident) => {
        Condition::all().add(below($column, $path))
    };
    (@of $column:ident, $path:ident, $parent:ident) => {
        Condition::all().add($column.in_subquery(
            entity::$parent::Entity::find()
                .select_only()
                .column(entity::$parent::Column::Id)
                .filter(entity::$parent::Entity::of($path))
                .into_query(),
        ))
    };
}

holdings! {
    webhook_deliveries: WebhookId of webhooks;
    webhooks: AccountId;
    audit_log: AccountId;
    mails: AccountId;
    mail_templates: AccountId;
    mail_settings: AccountId;
    invitations: AccountId;
    password_resets: UserId of users;
    api_keys: AccountId;
    idempotency_keys: AccountId;
    refresh_tokens: SessionId of sessions;
    sessions: UserId of users;
    recovery_codes: UserId of users;
    second_factors: UserId of users;
    sign_in_rules: AccountId;
    users: AccountId;
    recordings: AccountId;
    call_legs: CallId of calls;
    calls: AccountId;
    events: AccountId;
    scheduled_calls: AccountId;
    instances: AccountId;
    services: AccountId;
    audio: AccountId;
    brandings: AccountId;
    plan_switches: AccountId;
    number_plans: NumberId of numbers;
    number_assignments: AccountId;
    numbers: AccountId;
    call_plan_versions: PlanId of call_plans;
    call_plans: AccountId;
    routes: AccountId;
    trunks: AccountId;
    accounts: Id;
}

/// Whether a column holds what nobody is told: by its name, so that a new one is not forgotten.
fn is_secret(column: &str) -> bool {
    let secret = [
        "password", "hash", "token", "secret", "secrets", "pin", "totp",
    ];
    column.split('_').any(|word| secret.contains(&word))
}

/// What a mail says: there may be a link in it by which one signs in.
fn is_letter(table: &str, column: &str) -> bool {
    table == "mails" && ["subject", "text", "html"].contains(&column)
}

/// The rows after this place in the order of the primary key, and the place of the last one.
async fn rows<E: Holding>(
    db: &impl ConnectionTrait,
    table: &'static str,
    path: &str,
    after: Option<Vec<Value>>,
) -> Result<(Vec<Held>, Option<Vec<Value>>), StoreError> {
    let key: Vec<E::Column> = E::PrimaryKey::iter()
        .map(PrimaryKeyToColumn::into_column)
        .collect();
    let mut select = E::find().filter(E::of(path)).limit(AT_A_TIME);
    for column in &key {
        select = select.order_by_asc(*column);
    }
    if let Some(after) = after {
        let columns = key.iter().map(|column| Expr::col(*column));
        let values = after.into_iter().map(Expr::value);
        select = select.filter(Expr::tuple(columns).gt(Expr::tuple(values)));
    }
    let models = select.all(db).await?;
    let is_whole = models.len() as u64 == AT_A_TIME;
    let place = |model: &E::Model| key.iter().map(|column| model.get(*column)).collect();
    let last = models.last().filter(|_| is_whole).map(place);
    let held = models.iter().map(|model| Held {
        table,
        row: E::Column::iter()
            .filter(|column| !is_secret(column.as_str()) && !is_letter(table, column.as_str()))
            .map(|column| {
                (
                    column.as_str().to_owned(),
                    told(column.as_str(), model.get(column)),
                )
            })
            .collect(),
    });
    Ok((held.collect(), last))
}

fn told(column: &str, value: Value) -> serde_json::Value {
    match value {
        Value::Uuid(Some(id)) => id.simple().to_string().into(),
        Value::ChronoDateTimeUtc(Some(time)) => time
            .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
            .into(),
        Value::Bytes(Some(bytes)) => STANDARD.encode(bytes).into(),
        Value::String(Some(number)) if column == "withheld_calling" => {
            WithheldNumber::new(number).to_string().into()
        }
        Value::ChronoDateTimeUtc(None) => serde_json::Value::Null,
        other => sea_value_to_json_value(&other),
    }
}

impl Store {
    /// The next rows of all that an account and those below it hold, without secrets, and where to go
    /// on; `None`: that was all.
    pub async fn export(
        &self,
        scope: &AccountScope,
        account: AccountId,
        mut place: Place,
    ) -> Result<(Vec<Held>, Option<Place>), StoreError> {
        let path = self.path_text(scope, account).await?;
        let Some(table) = TABLES.iter().rev().nth(place.table) else {
            return Ok((Vec::new(), None));
        };
        let (held, last) = read(&self.db, table, &path, place.after.take()).await?;
        if last.is_none() {
            place.table += 1;
        }
        place.after = last;
        Ok((held, (place.table < TABLES.len()).then_some(place)))
    }

    /// Forgets an account and those below it with all that they hold, and answers which they were.
    /// [`StoreError::Referred`] while something of another account refers to something of theirs.
    pub async fn erase_account(
        &self,
        scope: &AccountScope,
        account: AccountId,
    ) -> Result<Vec<AccountId>, StoreError> {
        let path = self.path_text(scope, account).await?;
        let _changing = self.identities.changing(Subject::Tree);
        let transaction = self.begin().await?;
        let gone: Vec<uuid::Uuid> = accounts::Entity::find()
            .select_only()
            .column(accounts::Column::Id)
            .filter(path_range(&path))
            .into_tuple()
            .all(&transaction)
            .await?;
        erase(&transaction, &path).await?;
        transaction.commit().await?;
        Ok(gone.into_iter().map(AccountId::from_uuid).collect())
    }

    /// The tables that are no account's.
    pub fn own_tables() -> BTreeSet<&'static str> {
        ["signing_keys", "seaql_migrations"].into()
    }
}
