//! Call plans: one draft, and published versions that never change.
//!
//! Plans are kept as their JSON documents: what they mean is the business of
//! `strowger_domain::call_plan`.

use super::scope::{AccountScope, Within};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::Value;
use strowger_domain::ids::{AccountId, PlanId, UserId};
use strowger_entity::{call_plan_versions, call_plans};

use call_plans::{ActiveModel, Column, Entity, Model};

/// A call plan and its draft.
#[derive(Clone, Debug, PartialEq)]
pub struct CallPlan {
    /// Its name.
    pub id: PlanId,
    /// Who owns it.
    pub account: AccountId,
    /// What people call it.
    pub name: String,
    /// The document that is being worked on.
    pub draft: Value,
    /// Changes whenever the draft does.
    pub draft_etag: String,
    /// The version that calls use; `None`: never published.
    pub published_version: Option<u32>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A call plan to be made, with its first draft.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCallPlan {
    /// Its name.
    pub id: PlanId,
    /// Who owns it.
    pub account: AccountId,
    /// What people call it.
    pub name: String,
    /// The first draft.
    pub draft: Value,
    /// Now.
    pub created_at: DateTime<Utc>,
}

/// A published version.
#[derive(Clone, Debug, PartialEq)]
pub struct CallPlanVersion {
    /// The plan.
    pub plan_id: PlanId,
    /// Counts from 1.
    pub version: u32,
    /// The document.
    pub plan: Value,
    /// What the publisher said about it.
    pub note: String,
    /// Who published it.
    pub published_by: Option<UserId>,
    /// When.
    pub published_at: DateTime<Utc>,
}

/// The publication of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The plan.
    pub plan: PlanId,
    /// Publish only this state of the draft, the one that was validated; else [`StoreError::Stale`].
    pub etag: String,
    /// What the publisher says about it.
    pub note: String,
    /// Who publishes.
    pub by: Option<UserId>,
    /// Now.
    pub now: DateTime<Utc>,
}

fn etag(revision: i64) -> String {
    format!("d{revision}")
}

fn revision(etag: &str) -> Result<i64, StoreError> {
    etag.strip_prefix('d')
        .and_then(|digits| digits.parse().ok())
        .ok_or(StoreError::Stale)
}

fn row(model: Model) -> CallPlan {
    CallPlan {
        id: PlanId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        name: model.name,
        draft: model.draft,
        draft_etag: etag(model.draft_revision),
        published_version: model.published_version.map(i32::unsigned_abs),
        created_at: model.created_at,
        updated_at: model.updated_at,
    }
}

fn version_row(model: call_plan_versions::Model) -> CallPlanVersion {
    CallPlanVersion {
        plan_id: PlanId::from_uuid(model.plan_id),
        version: model.version.unsigned_abs(),
        plan: model.plan,
        note: model.note,
        published_by: model.published_by.map(UserId::from_uuid),
        published_at: model.published_at,
    }
}

impl Store {
    /// Makes a call plan of an account in scope.
    pub async fn create_call_plan(
        &self,
        scope: &AccountScope,
        plan: NewCallPlan,
    ) -> Result<CallPlan, StoreError> {
        self.path_text(scope, plan.account).await?;
        let id = plan.id;
        Entity::insert(ActiveModel {
            id: Set(id.uuid()),
            account_id: Set(plan.account.uuid()),
            name: Set(plan.name),
            draft: Set(plan.draft),
            draft_revision: Set(1),
            published_version: Set(None),
            created_at: Set(utc(plan.created_at)),
            updated_at: Set(utc(plan.created_at)),
        })
        .exec_without_returning(&self.db)
        .await?;
        self.call_plan(scope, id).await
    }

    /// One call plan with its draft.
    pub async fn call_plan(
        &self,
        scope: &AccountScope,
        id: PlanId,
    ) -> Result<CallPlan, StoreError> {
        Entity::find_by_id(id.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .map(row)
            .ok_or(StoreError::NotFound)
    }

    /// Call plans, newest first.
    pub async fn call_plans(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<CallPlan>, StoreError> {
        let select = Entity::find().filter(self.within(scope, within, Column::AccountId).await?);
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
                Ok((cursor, row(model)))
            },
        )
        .await
    }

    /// Gives a call plan another name.
    pub async fn rename_call_plan(
        &self,
        scope: &AccountScope,
        id: PlanId,
        name: String,
        now: DateTime<Utc>,
    ) -> Result<CallPlan, StoreError> {
        Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .col_expr(Column::Name, Expr::value(name))
            .col_expr(Column::UpdatedAt, Expr::value(utc(now)))
            .exec(&self.db)
            .await?;
        self.call_plan(scope, id).await
    }

    /// Forgets a call plan with all of its versions. [`StoreError::Referred`] while a number uses it.
    pub async fn delete_call_plan(
        &self,
        scope: &AccountScope,
        id: PlanId,
    ) -> Result<(), StoreError> {
        let gone = Entity::delete_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .exec(&self.db)
            .await?;
        if gone.rows_affected == 0 {
            return Err(StoreError::NotFound);
        }
        Ok(())
    }

    /// Replaces the draft if it is still the one of this `etag`; else [`StoreError::Stale`].
    pub async fn put_draft(
        &self,
        scope: &AccountScope,
        id: PlanId,
        if_match: &str,
        draft: Value,
        now: DateTime<Utc>,
    ) -> Result<CallPlan, StoreError> {
        let changed = Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .filter(Column::DraftRevision.eq(revision(if_match).unwrap_or(-1)))
            .col_expr(Column::Draft, Expr::value(draft))
            .col_expr(
                Column::DraftRevision,
                Expr::col(Column::DraftRevision).add(1),
            )
            .col_expr(Column::UpdatedAt, Expr::value(utc(now)))
            .exec(&self.db)
            .await?
            .rows_affected;
        let plan = self.call_plan(scope, id).await?;
        if changed == 0 {
            return Err(StoreError::Stale);
        }
        Ok(plan)
    }

    /// Makes the draft the next version, which calls use from now on.
    pub async fn publish_call_plan(
        &self,
        scope: &AccountScope,
        publication: Publication,
    ) -> Result<CallPlanVersion, StoreError> {
        let now = utc(publication.now);
        let transaction = self.begin().await?;
        let plan = Entity::find_by_id(publication.plan.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&transaction)
            .await?
            .ok_or(StoreError::NotFound)?;
        if plan.draft_revision != revision(&publication.etag)? {
            return Err(StoreError::Stale);
        }
        let version = plan.published_version.unwrap_or(0) + 1;
        // Two publishers at once read the same version: the later one finds it changed.
        let first = Entity::update_many()
            .filter(Column::Id.eq(plan.id))
            .filter(Column::DraftRevision.eq(plan.draft_revision))
            .filter(match plan.published_version {
                Some(current) => Column::PublishedVersion.eq(current),
                None => Column::PublishedVersion.is_null(),
            })
            .col_expr(Column::PublishedVersion, Expr::value(version))
            .col_expr(Column::UpdatedAt, Expr::value(now))
            .exec(&transaction)
            .await?
            .rows_affected
            == 1;
        if !first {
            return Err(StoreError::Stale);
        }
        let model = call_plan_versions::Model {
            plan_id: plan.id,
            version,
            plan: plan.draft,
            note: publication.note,
            published_by: publication.by.map(UserId::uuid),
            published_at: now,
        };
        call_plan_versions::Entity::insert(call_plan_versions::ActiveModel::from(model.clone()))
            .exec_without_returning(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(version_row(model))
    }

    /// The versions of a plan, newest first.
    pub async fn call_plan_versions(
        &self,
        scope: &AccountScope,
        id: PlanId,
    ) -> Result<Vec<CallPlanVersion>, StoreError> {
        self.call_plan(scope, id).await?;
        let versions = call_plan_versions::Entity::find()
            .filter(call_plan_versions::Column::PlanId.eq(id.uuid()))
            .order_by_desc(call_plan_versions::Column::Version)
            .all(&self.db)
            .await?;
        Ok(versions.into_iter().map(version_row).collect())
    }

    /// One version of a plan.
    pub async fn call_plan_version(
        &self,
        scope: &AccountScope,
        id: PlanId,
        version: u32,
    ) -> Result<CallPlanVersion, StoreError> {
        self.call_plan(scope, id).await?;
        let version = i32::try_from(version).unwrap_or(i32::MAX);
        call_plan_versions::Entity::find_by_id((id.uuid(), version))
            .one(&self.db)
            .await?
            .map(version_row)
            .ok_or(StoreError::NotFound)
    }

    /// The version that calls use; not found when the plan was never published.
    pub async fn published_call_plan(
        &self,
        scope: &AccountScope,
        id: PlanId,
    ) -> Result<CallPlanVersion, StoreError> {
        let plan = self.call_plan(scope, id).await?;
        let version = plan.published_version.ok_or(StoreError::NotFound)?;
        self.call_plan_version(scope, id, version).await
    }
}
