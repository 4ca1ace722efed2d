//! What became of service numbers: whose they were, which plans they could run and which they ran;
//! and the switches to another plan that are still to come.

use super::numbers::{Number, NumberStatus, locked};
use super::scope::AccountScope;
use super::text::{name, named};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strowger_domain::ids::{AccountId, AssignmentId, NumberId, PlanId, SwitchId, UserId};
use strowger_entity::{call_plans, number_assignments, number_plans, numbers, plan_switches};
use utoipa::ToSchema;
use uuid::Uuid;

/// Who changes something, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// The user; `None`: the platform itself.
    pub by: Option<UserId>,
    /// Now.
    pub at: DateTime<Utc>,
}

/// What happened to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AssignmentKind)]
pub enum Kind {
    /// It came onto the platform.
    Created,
    /// The account got it.
    Allocated,
    /// The account lost it.
    Withdrawn,
    /// A plan was assigned.
    PlanAssigned,
    /// A plan is assigned no more.
    PlanUnassigned,
    /// Calls run this plan from now on, or none.
    PlanActivated,
    /// It was taken off the platform.
    Removed,
}

/// A line of a number's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Its name.
    pub id: AssignmentId,
    /// Whose the number was.
    pub account: AccountId,
    /// What happened.
    pub kind: Kind,
    /// The plan that it is about.
    pub call_plan: Option<PlanId>,
    /// Who did it.
    pub by: Option<UserId>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A switch to another plan that is still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanSwitch {
    /// Its name.
    pub id: SwitchId,
    /// Whose number.
    pub account: AccountId,
    /// Which number.
    pub number: NumberId,
    /// The plan that its calls run from then on; `None`: none.
    pub call_plan: Option<PlanId>,
    /// When.
    pub at: DateTime<Utc>,
    /// Who ordered it.
    pub by: Option<UserId>,
    /// When it was ordered.
    pub created_at: DateTime<Utc>,
}

/// What belongs to a number beside its row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belongings {
    /// The plans assigned to it, the first assigned first.
    pub call_plans: Vec<PlanId>,
    /// It has a PIN.
    pub has_pin: bool,
    /// When its plan is switched next.
    pub next_switch: Option<DateTime<Utc>>,
}

fn switch_row(model: &plan_switches::Model) -> PlanSwitch {
    PlanSwitch {
        id: SwitchId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        number: NumberId::from_uuid(model.number_id),
        call_plan: model.plan_id.map(PlanId::from_uuid),
        at: model.at,
        by: model.created_by.map(UserId::from_uuid),
        created_at: model.created_at,
    }
}

/// Adds a line to the number's history.
pub(super) async fn note(
    transaction: &DatabaseTransaction,
    number: &Number,
    kind: Kind,
    plan: Option<PlanId>,
    act: Act,
) -> Result<(), StoreError> {
    let line = number_assignments::Model {
        id: Uuid::now_v7(),
        account_id: number.account.uuid(),
        number_id: number.id.uuid(),
        number: name(&number.number),
        kind: name(&kind),
        plan_id: plan.map(PlanId::uuid),
        created_by: act.by.map(UserId::uuid),
        created_at: utc(act.at),
    };
    number_assignments::Entity::insert(line.into_active_model())
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// Assigns a plan, unless it is assigned.
pub(super) async fn assign(
    transaction: &DatabaseTransaction,
    number: &Number,
    plan: PlanId,
    act: Act,
) -> Result<(), StoreError> {
    let row = number_plans::Model {
        number_id: number.id.uuid(),
        plan_id: plan.uuid(),
        created_at: utc(act.at),
    };
    let key = [number_plans::Column::NumberId, number_plans::Column::PlanId];
    let added = number_plans::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(transaction)
        .await?;
    if added > 0 {
        note(transaction, number, Kind::PlanAssigned, Some(plan), act).await?;
    }
    Ok(())
}

/// Assigns these plans and no others.
pub(super) async fn replace(
    transaction: &DatabaseTransaction,
    number: &Number,
    plans: &[PlanId],
    act: Act,
) -> Result<(), StoreError> {
    use number_plans::Column;
    let gone = number_plans::Entity::find()
        .filter(Column::NumberId.eq(number.id.uuid()))
        .filter(Column::PlanId.is_not_in(plans.iter().map(|plan| plan.uuid())))
        .all(transaction)
        .await?;
    for row in gone {
        let plan = PlanId::from_uuid(row.plan_id);
        note(transaction, number, Kind::PlanUnassigned, Some(plan), act).await?;
        number_plans::Entity::delete_by_id((row.number_id, row.plan_id))
            .exec(transaction)
            .await?;
    }
    for plan in plans {
        assign(transaction, number, *plan, act).await?;
    }
    Ok(())
}

/// Gives a number to another account, bare of what its last user made of it.
pub(super) async fn allocate(
    transaction: &DatabaseTransaction,
    scope: &AccountScope,
    id: NumberId,
    to: AccountId,
    act: Act,
) -> Result<(), StoreError> {
    let number = locked(transaction, scope, id).await?;
    if number.account == to {
        return Ok(());
    }
    note(transaction, &number, Kind::Withdrawn, number.call_plan, act).await?;
    number_plans::Entity::delete_many()
        .filter(number_plans::Column::NumberId.eq(id.uuid()))
        .exec(transaction)
        .await?;
    plan_switches::Entity::delete_many()
        .filter(plan_switches::Column::NumberId.eq(id.uuid()))
        .exec(transaction)
        .await?;
    let status = match number.status {
        NumberStatus::Active | NumberStatus::Parked => NumberStatus::Active,
        NumberStatus::Suspended => NumberStatus::Suspended,
    };
    let nothing = || Expr::value(Option::<String>::None);
    numbers::Entity::update_many()
        .filter(numbers::Column::Id.eq(id.uuid()))
        .col_expr(numbers::Column::AccountId, Expr::value(to.uuid()))
        .col_expr(numbers::Column::PlanId, Expr::value(Option::<Uuid>::None))
        .col_expr(numbers::Column::PinHash, nothing())
        .col_expr(numbers::Column::Description, Expr::value(""))
        .col_expr(numbers::Column::Status, Expr::value(name(&status)))
        .col_expr(numbers::Column::UpdatedAt, Expr::value(utc(act.at)))
        .exec(transaction)
        .await?;
    let number = Number {
        account: to,
        ..number
    };
    note(transaction, &number, Kind::Allocated, None, act).await
}

impl Store {
    /// What belongs to these numbers, as far as they are in scope.
    pub async fn belongings_of(
        &self,
        scope: &AccountScope,
        of: &[NumberId],
    ) -> Result<BTreeMap<NumberId, Belongings>, StoreError> {
        let ids = || of.iter().map(|id| id.uuid());
        let seen = numbers::Entity::find()
            .select_only()
            .column(numbers::Column::Id)
            .column(numbers::Column::PinHash)
            .filter(numbers::Column::Id.is_in(ids()))
            .filter(scope.sees(numbers::Column::AccountId))
            .into_tuple::<(Uuid, Option<String>)>()
            .all(&self.db)
            .await?;
        let mut all: BTreeMap<_, _> = seen
            .into_iter()
            .map(|(id, pin)| {
                let belongings = Belongings {
                    has_pin: pin.is_some(),
                    ..Belongings::default()
                };
                (NumberId::from_uuid(id), belongings)
            })
            .collect();
        let plans = number_plans::Entity::find()
            .filter(number_plans::Column::NumberId.is_in(ids()))
            .order_by_asc(number_plans::Column::CreatedAt)
            .order_by_asc(number_plans::Column::PlanId)
            .all(&self.db)
            .await?;
        for row in plans {
            if let Some(one) = all.get_mut(&NumberId::from_uuid(row.number_id)) {
                one.call_plans.push(PlanId::from_uuid(row.plan_id));
            }
        }
        let switches = plan_switches::Entity::find()
            .filter(plan_switches::Column::NumberId.is_in(ids()))
            .order_by_desc(plan_switches::Column::At)
            .all(&self.db)
            .await?;
        for row in switches {
            if let Some(one) = all.get_mut(&NumberId::from_uuid(row.number_id)) {
                one.next_switch = Some(row.at);
            }
        }
        Ok(all)
    }

    /// The hash of a number's PIN, to check one that a caller keyed.
    pub async fn pin_hash(
        &self,
        scope: &AccountScope,
        id: NumberId,
    ) -> Result<Option<String>, StoreError> {
        numbers::Entity::find_by_id(id.uuid())
            .select_only()
            .column(numbers::Column::PinHash)
            .filter(scope.sees(numbers::Column::AccountId))
            .into_tuple()
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
    }

    /// The history of a number, newest first: of the times in which it was an account's in scope.
    pub async fn assignments(
        &self,
        scope: &AccountScope,
        id: NumberId,
        paging: Paging,
    ) -> Result<Page<Assignment>, StoreError> {
        use number_assignments::{Column, Entity};
        let select = Entity::find()
            .filter(Column::NumberId.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId));
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
                let line = Assignment {
                    id: AssignmentId::from_uuid(model.id),
                    account: AccountId::from_uuid(model.account_id),
                    kind: named("number_assignments", &model.kind)?,
                    call_plan: model.plan_id.map(PlanId::from_uuid),
                    by: model.created_by.map(UserId::from_uuid),
                    at: model.created_at,
                };
                Ok((cursor, line))
            },
        )
        .await
    }

    /// Orders a switch of a number in scope to a plan in scope.
    pub async fn create_switch(
        &self,
        scope: &AccountScope,
        switch: PlanSwitch,
    ) -> Result<(), StoreError> {
        self.number(scope, switch.number).await?;
        if let Some(plan) = switch.call_plan {
            self.call_plan(scope, plan).await?;
        }
        let model = plan_switches::Model {
            id: switch.id.uuid(),
            account_id: switch.account.uuid(),
            number_id: switch.number.uuid(),
            plan_id: switch.call_plan.map(PlanId::uuid),
            at: utc(switch.at),
            created_by: switch.by.map(UserId::uuid),
            created_at: utc(switch.created_at),
        };
        plan_switches::Entity::insert(model.into_active_model())
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// The switches of a number that are still to come, the next first.
    pub async fn switches(
        &self,
        scope: &AccountScope,
        number: NumberId,
    ) -> Result<Vec<PlanSwitch>, StoreError> {
        use plan_switches::{Column, Entity};
        let rows = Entity::find()
            .filter(Column::NumberId.eq(number.uuid()))
            .filter(scope.sees(Column::AccountId))
            .order_by_asc(Column::At)
            .order_by_asc(Column::Id)
            .all(&self.db)
            .await?;
        Ok(rows.iter().map(switch_row).collect())
    }

    /// Takes a switch back.
    pub async fn delete_switch(
        &self,
        scope: &AccountScope,
        number: NumberId,
        id: SwitchId,
    ) -> Result<(), StoreError> {
        use plan_switches::{Column, Entity};
        let gone = Entity::delete_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::NumberId.eq(number.uuid()))
            .filter(scope.sees(Column::AccountId))
            .exec(&self.db)
            .await?;
        if gone.rows_affected == 0 {
            return Err(StoreError::NotFound);
        }
        Ok(())
    }

    /// The next switch of all that are to come.
    pub async fn next_switch(
        &self,
        scope: &AccountScope,
    ) -> Result<Option<PlanSwitch>, StoreError> {
        use plan_switches::{Column, Entity};
        let next = Entity::find()
            .filter(scope.sees(Column::AccountId))
            .order_by_asc(Column::At)
            .order_by_asc(Column::Id)
            .one(&self.db)
            .await?;
        Ok(next.as_ref().map(switch_row))
    }

    /// Carries a switch out; `false`: it was taken back, or its plan is not the account's or was
    /// never published, and nothing has changed.
    pub async fn carry_out_switch(
        &self,
        scope: &AccountScope,
        switch: &PlanSwitch,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let number = locked(&transaction, scope, switch.number).await?;
        let taken = plan_switches::Entity::delete_by_id(switch.id.uuid())
            .exec(&transaction)
            .await?
            .rows_affected;
        let runs = match switch.call_plan {
            None => true,
            Some(plan) => call_plans::Entity::find_by_id(plan.uuid())
                .filter(call_plans::Column::AccountId.eq(number.account.uuid()))
                .filter(call_plans::Column::PublishedVersion.is_not_null())
                .one(&transaction)
                .await?
                .is_some(),
        };
        let does = taken > 0 && runs && switch.account == number.account;
        if does && number.call_plan != switch.call_plan {
            let act = Act {
                by: switch.by,
                at: now,
            };
            if let Some(plan) = switch.call_plan {
                assign(&transaction, &number, plan, act).await?;
            }
            let (kind, plan) = (Kind::PlanActivated, switch.call_plan);
            note(&transaction, &number, kind, plan, act).await?;
            numbers::Entity::update_many()
                .filter(numbers::Column::Id.eq(number.id.uuid()))
                .col_expr(numbers::Column::PlanId, Expr::value(plan.map(PlanId::uuid)))
                .col_expr(numbers::Column::UpdatedAt, Expr::value(utc(now)))
                .exec(&transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(does)
    }
}
