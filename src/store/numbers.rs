//! Service numbers.

use super::scope::{AccountScope, Within};
use super::text::{name, named};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};
use std::collections::BTreeMap;
pub use strowger_domain::directory::NumberStatus;
use strowger_domain::e164::{E164, NumberClass};
use strowger_domain::ids::{AccountId, NumberId, PlanId};
use strowger_entity::call_plans;
use strowger_entity::numbers::{Column, Entity, Model};

const TABLE: &str = "numbers";

/// A service number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// Its name.
    pub id: NumberId,
    /// Who owns it.
    pub account: AccountId,
    /// The number.
    pub number: E164,
    /// What kind of number it is.
    pub class: NumberClass,
    /// Whether it takes and makes calls.
    pub status: NumberStatus,
    /// What people say about it.
    pub description: String,
    /// The plan that its calls run.
    pub call_plan: Option<PlanId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What shall be changed; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberChange {
    /// Whether it takes and makes calls.
    pub status: Option<NumberStatus>,
    /// What people say about it.
    pub description: Option<String>,
    /// The plan that its calls run, which must be in scope; `Some(None)`: none any more.
    pub call_plan: Option<Option<PlanId>>,
    /// Its new owner, which must be in scope.
    pub account: Option<AccountId>,
}

/// What the actors know about a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryRow {
    /// The number.
    pub number: Number,
    /// The published version of its plan; `None`: it has no plan, or one never published.
    pub plan: Option<(PlanId, u32)>,
}

fn row(model: Model) -> Result<Number, StoreError> {
    Ok(Number {
        id: NumberId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        number: named(TABLE, &model.number)?,
        class: named(TABLE, &model.class)?,
        status: named(TABLE, &model.status)?,
        description: model.description,
        call_plan: model.plan_id.map(PlanId::from_uuid),
        created_at: model.created_at,
    })
}

impl Store {
    /// Makes a number of an account in scope, with a plan in scope. [`StoreError::Taken`] when
    /// anybody on the platform has it.
    pub async fn create_number(
        &self,
        scope: &AccountScope,
        number: Number,
    ) -> Result<Number, StoreError> {
        self.path_text(scope, number.account).await?;
        if let Some(plan) = number.call_plan {
            self.call_plan(scope, plan).await?;
        }
        let model = Model {
            id: number.id.uuid(),
            account_id: number.account.uuid(),
            number: name(&number.number),
            class: name(&number.class),
            status: name(&number.status),
            description: number.description,
            plan_id: number.call_plan.map(PlanId::uuid),
            created_at: utc(number.created_at),
            updated_at: utc(number.created_at),
        };
        Entity::insert(model.clone().into_active_model())
            .exec_without_returning(&self.db)
            .await?;
        row(model)
    }

    /// One number.
    pub async fn number(&self, scope: &AccountScope, id: NumberId) -> Result<Number, StoreError> {
        Entity::find_by_id(id.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
            .and_then(row)
    }

    /// The number of these digits.
    pub async fn number_by_e164(
        &self,
        scope: &AccountScope,
        number: &E164,
    ) -> Result<Number, StoreError> {
        Entity::find()
            .filter(Column::Number.eq(number.as_str()))
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
            .and_then(row)
    }

    /// Numbers, newest first.
    pub async fn numbers(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<Number>, StoreError> {
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
                Ok((cursor, row(model)?))
            },
        )
        .await
    }

    /// Changes a number.
    pub async fn update_number(
        &self,
        scope: &AccountScope,
        id: NumberId,
        change: NumberChange,
        now: DateTime<Utc>,
    ) -> Result<Number, StoreError> {
        let mut update = Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .col_expr(Column::UpdatedAt, Expr::value(utc(now)));
        if let Some(status) = change.status {
            update = update.col_expr(Column::Status, Expr::value(name(&status)));
        }
        if let Some(description) = change.description {
            update = update.col_expr(Column::Description, Expr::value(description));
        }
        if let Some(plan) = change.call_plan {
            if let Some(plan) = plan {
                self.call_plan(scope, plan).await?;
            }
            update = update.col_expr(Column::PlanId, Expr::value(plan.map(PlanId::uuid)));
        }
        if let Some(account) = change.account {
            self.path_text(scope, account).await?;
            update = update.col_expr(Column::AccountId, Expr::value(account.uuid()));
        }
        let changed = update.exec(&self.db).await?.rows_affected;
        if changed == 0 {
            return Err(StoreError::NotFound);
        }
        self.number(scope, id).await
    }

    /// Every number in scope with the published version of its plan: for the actors' directory.
    pub async fn directory_rows(
        &self,
        scope: &AccountScope,
    ) -> Result<Vec<DirectoryRow>, StoreError> {
        self.rows_of_directory(scope, Condition::all(), Condition::all())
            .await
    }

    /// The same of these numbers, and of those that run these plans.
    pub async fn changed_directory_rows(
        &self,
        scope: &AccountScope,
        numbers: &[NumberId],
        plans: &[PlanId],
    ) -> Result<Vec<DirectoryRow>, StoreError> {
        let which = Condition::any()
            .add(Column::Id.is_in(numbers.iter().map(|id| id.uuid())))
            .add(Column::PlanId.is_in(plans.iter().map(|id| id.uuid())));
        let select = Entity::find().select_only().column(Column::PlanId);
        let used = select.filter(which.clone()).into_query();
        let used = Condition::all().add(call_plans::Column::Id.in_subquery(used));
        self.rows_of_directory(scope, which, used).await
    }

    async fn rows_of_directory(
        &self,
        scope: &AccountScope,
        which: Condition,
        of_plans: Condition,
    ) -> Result<Vec<DirectoryRow>, StoreError> {
        let published = call_plans::Entity::find()
            .select_only()
            .column(call_plans::Column::Id)
            .column(call_plans::Column::PublishedVersion)
            .filter(call_plans::Column::PublishedVersion.is_not_null())
            .filter(of_plans)
            .into_tuple::<(uuid::Uuid, i32)>()
            .all(&self.db)
            .await?
            .into_iter()
            .collect::<BTreeMap<_, _>>();
        let models = Entity::find()
            .filter(which)
            .filter(scope.sees(Column::AccountId))
            .order_by_asc(Column::Number)
            .all(&self.db)
            .await?;
        let rows = models.into_iter().map(|model| {
            let plan = model.plan_id.and_then(|plan| {
                let version = published.get(&plan)?.unsigned_abs();
                Some((PlanId::from_uuid(plan), version))
            });
            Ok(DirectoryRow {
                number: row(model)?,
                plan,
            })
        });
        rows.collect()
    }
}
