//! The audit log: who changed what, where, and when.

use super::scope::{AccountScope, Within};
use super::text::document;
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::Value;
use strowger_domain::ids::{AccountId, AuditEntryId};
use strowger_entity::audit_log::{Column, Entity, Model};
use uuid::Uuid;

/// An entry.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Its name.
    pub id: AuditEntryId,
    /// In which account.
    pub account: AccountId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// The identifier of the user, key or service that did it; `command_line` is the operator's.
    pub actor: String,
    /// How the actor was called then.
    pub actor_name: String,
    /// The actor's own account; another than `account`: it acted for that.
    pub actor_account: Option<AccountId>,
    /// The address that the request came from.
    pub source: Option<String>,
    /// The program that sent it.
    pub user_agent: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// What was done, such as `users.change`.
    pub operation: String,
    /// The identifier of what it was done to.
    pub resource: Option<String>,
    /// What differs, as it was.
    pub before: Option<Value>,
    /// What differs, as it is.
    pub after: Option<Value>,
}

/// Which entries a list is about; `None`: any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By whom.
    pub actor: Option<String>,
    /// This operation, or all of this noun (`users`).
    pub operation: Option<String>,
    /// Done to this.
    pub resource: Option<String>,
    /// At this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub before: Option<DateTime<Utc>>,
}

impl AuditFilter {
    fn condition(&self) -> Condition {
        let operation = self.operation.as_deref().map(|operation| {
            Condition::any()
                .add(Column::Operation.eq(operation))
                .add(Column::Operation.starts_with(format!("{operation}.")))
        });
        Condition::all()
            .add_option(self.actor.as_deref().map(|actor| Column::Actor.eq(actor)))
            .add_option(operation)
            .add_option(self.resource.as_deref().map(|one| Column::Resource.eq(one)))
            .add_option(self.from.map(|time| Column::CreatedAt.gte(utc(time))))
            .add_option(self.before.map(|time| Column::CreatedAt.lt(utc(time))))
    }
}

fn row(model: Model) -> Result<AuditEntry, StoreError> {
    let read = |text: Option<String>| {
        text.map(|text| {
            let source = |source| StoreError::Unreadable {
                table: "audit_log",
                source,
            };
            serde_json::from_str(&text)
                .map_err(source)
                .and_then(|value: Value| document("audit_log", value))
        })
        .transpose()
    };
    Ok(AuditEntry {
        id: AuditEntryId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        created_at: model.created_at,
        actor: model.actor,
        actor_name: model.actor_name,
        actor_account: model.actor_account_id.map(AccountId::from_uuid),
        source: model.source,
        user_agent: model.user_agent,
        request_id: model.request_id,
        operation: model.operation,
        resource: model.resource,
        before: read(model.before)?,
        after: read(model.after)?,
    })
}

impl Store {
    /// Notes what was done. The account is not looked for: it may be gone by that very change.
    pub async fn note_change(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let model = Model {
            id: entry.id.uuid(),
            account_id: entry.account.uuid(),
            created_at: utc(entry.created_at),
            actor: entry.actor,
            actor_name: entry.actor_name,
            actor_account_id: entry.actor_account.map(AccountId::uuid),
            source: entry.source,
            user_agent: entry.user_agent,
            request_id: entry.request_id,
            operation: entry.operation,
            resource: entry.resource,
            before: entry.before.map(|value| value.to_string()),
            after: entry.after.map(|value| value.to_string()),
        };
        Entity::insert(model.into_active_model())
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Entries, newest first.
    pub async fn audit_log(
        &self,
        scope: &AccountScope,
        within: Within,
        filter: &AuditFilter,
        paging: Paging,
    ) -> Result<Page<AuditEntry>, StoreError> {
        let select = Entity::find()
            .filter(self.within(scope, within, Column::AccountId).await?)
            .filter(filter.condition());
        page::read(
            &self.db,
            select,
            (Column::CreatedAt, Column::Id),
            paging,
            |model| {
                let cursor = Cursor {
                    at: model.created_at,
                    id: model.id,
                };
                Ok((cursor, row(model)?))
            },
        )
        .await
    }

    /// Forgets the oldest entries from before a time, so many at most; answers how many they were.
    pub async fn forget_audit_log(
        &self,
        scope: &AccountScope,
        before: DateTime<Utc>,
        most: u64,
    ) -> Result<u64, StoreError> {
        let old: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(scope.sees(Column::AccountId))
            .filter(Column::CreatedAt.lt(utc(before)))
            .order_by_asc(Column::CreatedAt)
            .limit(most)
            .into_tuple()
            .all(&self.db)
            .await?;
        let gone = Entity::delete_many()
            .filter(Column::Id.is_in(old))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected)
    }
}
