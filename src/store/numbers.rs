//! Service numbers.

use super::assignments::{self, Act};
use super::scope::{AccountScope, Within};
use super::text::{name, named};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait,
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
    /// The plans assigned to it, which must be in scope.
    pub call_plans: Option<Vec<PlanId>>,
    /// The one of them that its calls run, assigned by this when it was not; `Some(None)`: none any
    /// more.
    pub call_plan: Option<Option<PlanId>>,
    /// The hash of its PIN; `Some(None)`: it has none any more.
    pub pin_hash: Option<Option<String>>,
}

/// Which numbers a list has: those that fit all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberFilter {
    /// Part of the number, digits only.
    pub number: Option<String>,
    /// Part of the description, in any case.
    pub description: Option<String>,
    /// Whether it takes calls.
    pub status: Option<NumberStatus>,
    /// What kind of number it is.
    pub class: Option<NumberClass>,
    /// The plan that its calls run; `Some(None)`: none.
    pub call_plan: Option<Option<PlanId>>,
}

impl NumberFilter {
    fn condition(&self) -> Condition {
        let contains = |text: &str| {
            let mut pattern = String::from("%");
            for c in text.to_lowercase().chars() {
                if matches!(c, '%' | '_' | '\\') {
                    pattern.push('\\');
                }
                pattern.push(c);
            }
            pattern.push('%');
            LikeExpr::new(pattern).escape('\\')
        };
        let number = self.number.as_deref();
        let number = number.map(|part| Expr::col(Column::Number).like(contains(part)));
        let description = self.description.as_deref().map(|part| {
            Expr::expr(Func::lower(Expr::col(Column::Description))).like(contains(part))
        });
        let call_plan = self.call_plan.map(|plan| match plan {
            Some(plan) => Column::PlanId.eq(plan.uuid()),
            None => Column::PlanId.is_null(),
        });
        Condition::all()
            .add_option(number)
            .add_option(description)
            .add_option(self.status.map(|status| Column::Status.eq(name(&status))))
            .add_option(self.class.map(|class| Column::Class.eq(name(&class))))
            .add_option(call_plan)
    }
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

/// One of the changes that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberAct {
    /// Makes a number. [`StoreError::Taken`] when anybody on the platform has it.
    Create(Number),
    /// Gives a number to another account. It comes without plans, PIN and description, and active
    /// unless it is suspended.
    Allocate(NumberId, AccountId),
    /// Changes a number.
    Change(NumberId, NumberChange),
    /// Takes a number off the platform. Its history stays.
    Remove(NumberId),
}

impl NumberAct {
    /// The number that it is about.
    pub fn number(&self) -> NumberId {
        match self {
            Self::Create(number) => number.id,
            Self::Allocate(id, _) | Self::Change(id, _) | Self::Remove(id) => *id,
        }
    }
}

/// The number as it is now, in a transaction that will write it.
pub(super) async fn locked(
    transaction: &DatabaseTransaction,
    scope: &AccountScope,
    id: NumberId,
) -> Result<Number, StoreError> {
    let select = Entity::find_by_id(id.uuid()).filter(scope.sees(Column::AccountId));
    let select = select.lock_exclusive();
    row(select.one(transaction).await?.ok_or(StoreError::NotFound)?)
}

async fn create(
    transaction: &DatabaseTransaction,
    number: Number,
    act: Act,
) -> Result<(), StoreError> {
    let model = Model {
        id: number.id.uuid(),
        account_id: number.account.uuid(),
        number: name(&number.number),
        class: name(&number.class),
        status: name(&number.status),
        description: number.description.clone(),
        plan_id: number.call_plan.map(PlanId::uuid),
        created_at: utc(number.created_at),
        updated_at: utc(number.created_at),
        pin_hash: None,
    };
    Entity::insert(model.into_active_model())
        .exec_without_returning(transaction)
        .await?;
    let kind = assignments::Kind::Created;
    assignments::note(transaction, &number, kind, number.call_plan, act).await?;
    match number.call_plan {
        Some(plan) => assignments::assign(transaction, &number, plan, act).await,
        None => Ok(()),
    }
}

async fn change(
    transaction: &DatabaseTransaction,
    scope: &AccountScope,
    id: NumberId,
    change: NumberChange,
    act: Act,
) -> Result<(), StoreError> {
    let number = locked(transaction, scope, id).await?;
    let mut update = Entity::update_many()
        .filter(Column::Id.eq(id.uuid()))
        .col_expr(Column::UpdatedAt, Expr::value(utc(act.at)));
    if let Some(status) = change.status {
        update = update.col_expr(Column::Status, Expr::value(name(&status)));
    }
    if let Some(description) = change.description {
        update = update.col_expr(Column::Description, Expr::value(description));
    }
    if let Some(pin_hash) = change.pin_hash {
        update = update.col_expr(Column::PinHash, Expr::value(pin_hash));
    }
    let mut active = change.call_plan.unwrap_or(number.call_plan);
    if let Some(plans) = &change.call_plans {
        assignments::replace(transaction, &number, plans, act).await?;
        active = active.filter(|plan| change.call_plan.is_some() || plans.contains(plan));
    }
    if let Some(plan) = active.filter(|_| change.call_plan.is_some()) {
        assignments::assign(transaction, &number, plan, act).await?;
    }
    if active != number.call_plan {
        update = update.col_expr(Column::PlanId, Expr::value(active.map(PlanId::uuid)));
        let kind = assignments::Kind::PlanActivated;
        assignments::note(transaction, &number, kind, active, act).await?;
    }
    update.exec(transaction).await?;
    Ok(())
}

impl Store {
    /// Makes a number of an account in scope, with a plan in scope. [`StoreError::Taken`] when
    /// anybody on the platform has it.
    pub async fn create_number(
        &self,
        scope: &AccountScope,
        number: Number,
    ) -> Result<Number, StoreError> {
        let act = Act {
            by: None,
            at: number.created_at,
        };
        let id = number.id;
        self.act_on_numbers(scope, vec![NumberAct::Create(number)], act)
            .await?;
        self.number(scope, id).await
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
        filter: &NumberFilter,
        paging: Paging,
    ) -> Result<Page<Number>, StoreError> {
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

    /// Changes a number.
    pub async fn update_number(
        &self,
        scope: &AccountScope,
        id: NumberId,
        change: NumberChange,
        act: Act,
    ) -> Result<Number, StoreError> {
        self.act_on_numbers(scope, vec![NumberAct::Change(id, change)], act)
            .await?;
        self.number(scope, id).await
    }

    /// Carries out all of these, in order, or none.
    pub async fn act_on_numbers(
        &self,
        scope: &AccountScope,
        acts: Vec<NumberAct>,
        act: Act,
    ) -> Result<(), StoreError> {
        // What must be in scope is looked for first: then the transaction only writes.
        for one in &acts {
            match one {
                NumberAct::Create(number) => {
                    self.path_text(scope, number.account).await?;
                    if let Some(plan) = number.call_plan {
                        self.call_plan(scope, plan).await?;
                    }
                }
                NumberAct::Allocate(_, to) => {
                    self.path_text(scope, *to).await?;
                }
                NumberAct::Change(_, change) => {
                    let active = change.call_plan.flatten();
                    for plan in change.call_plans.iter().flatten().chain(&active) {
                        self.call_plan(scope, *plan).await?;
                    }
                }
                NumberAct::Remove(_) => {}
            }
        }
        let transaction = self.begin().await?;
        for one in acts {
            match one {
                NumberAct::Create(number) => create(&transaction, number, act).await?,
                NumberAct::Allocate(id, to) => {
                    assignments::allocate(&transaction, scope, id, to, act).await?;
                }
                NumberAct::Change(id, wanted) => {
                    change(&transaction, scope, id, wanted, act).await?;
                }
                NumberAct::Remove(id) => {
                    let number = locked(&transaction, scope, id).await?;
                    let kind = assignments::Kind::Removed;
                    assignments::note(&transaction, &number, kind, number.call_plan, act).await?;
                    Entity::delete_by_id(id.uuid()).exec(&transaction).await?;
                }
            }
        }
        transaction.commit().await?;
        Ok(())
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
