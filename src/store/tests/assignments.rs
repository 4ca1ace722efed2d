use super::{act, with_accounts};
use crate::store::assignments::{Kind, PlanSwitch};
use crate::store::call_plans::NewCallPlan;
use crate::store::numbers::{NumberAct, NumberChange, NumberFilter, NumberStatus};
use crate::store::{AccountScope, Paging, StoreError, Within};
use chrono::TimeDelta;
use strowger_domain::ids::{PlanId, SwitchId};
use uuid::Uuid;

#[tokio::test]
async fn a_number_is_given_bare_and_each_account_sees_its_own_part_of_the_history() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let everywhere = &AccountScope::platform();
        let change = NumberChange {
            pin_hash: Some(Some("hash".to_owned())),
            status: Some(NumberStatus::Parked),
            ..NumberChange::default()
        };
        store
            .update_number(everywhere, made.number, change, act(sample.now))
            .await
            .unwrap();
        let give = vec![NumberAct::Allocate(made.number, sample.stranger)];
        let later = act(sample.now + TimeDelta::seconds(1));
        let below = &store.scope_of(sample.reseller).await.unwrap();
        let refused = store.act_on_numbers(below, give.clone(), later).await;
        assert!(matches!(refused, Err(StoreError::NotFound)), "{refused:?}");
        store.act_on_numbers(everywhere, give, later).await.unwrap();
        let number = store.number(everywhere, made.number).await.unwrap();
        assert_eq!(
            (
                number.account,
                number.call_plan,
                number.status,
                &*number.description
            ),
            (sample.stranger, None, NumberStatus::Active, "")
        );
        let belongings = store
            .belongings_of(everywhere, &[made.number])
            .await
            .unwrap();
        assert_eq!(
            belongings[&made.number],
            crate::store::assignments::Belongings::default()
        );
        let kinds = async |account| {
            let scope = store.scope_of(account).await.unwrap();
            let page = store.assignments(&scope, made.number, Paging::default());
            page.await
                .unwrap()
                .items
                .iter()
                .map(|line| line.kind)
                .collect::<Vec<_>>()
        };
        assert_eq!(kinds(sample.stranger).await, [Kind::Allocated]);
        assert_eq!(
            kinds(sample.customer).await,
            [Kind::Withdrawn, Kind::PlanAssigned, Kind::Created]
        );
        let remove = vec![NumberAct::Remove(made.number)];
        store
            .act_on_numbers(everywhere, remove, later)
            .await
            .unwrap();
        let gone = store.number(everywhere, made.number).await;
        assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
        assert_eq!(
            kinds(sample.stranger).await,
            [Kind::Removed, Kind::Allocated]
        );
    })
    .await;
}

#[tokio::test]
async fn changes_that_belong_together_are_made_together_or_not_at_all() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let everywhere = &AccountScope::platform();
        let twice = store.number(everywhere, made.number).await.unwrap();
        let acts = vec![
            NumberAct::Allocate(made.number, sample.stranger),
            NumberAct::Create(twice),
        ];
        let refused = store
            .act_on_numbers(everywhere, acts, act(sample.now))
            .await;
        assert!(matches!(refused, Err(StoreError::Taken)), "{refused:?}");
        let number = store.number(everywhere, made.number).await.unwrap();
        assert_eq!(number.account, sample.customer);
    })
    .await;
}

#[tokio::test]
async fn several_plans_are_assigned_and_one_runs() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let second = NewCallPlan {
            id: PlanId::from_uuid(Uuid::now_v7()),
            account: sample.customer,
            name: "Second".to_owned(),
            draft: serde_json::json!({}),
            created_at: sample.now,
        };
        let scope = &store.scope_of(sample.customer).await.unwrap();
        let other = store.create_call_plan(scope, second).await.unwrap().id;
        let change = async |change| {
            let changed = store.update_number(scope, made.number, change, act(sample.now));
            let active = changed.await.unwrap().call_plan;
            let mut all = store.belongings_of(scope, &[made.number]).await.unwrap();
            let mut plans = all.remove(&made.number).unwrap().call_plans;
            plans.sort();
            (active, plans)
        };
        let both = NumberChange {
            call_plans: Some(vec![made.plan, other]),
            ..NumberChange::default()
        };
        assert_eq!(
            change(both).await,
            (Some(made.plan), vec![made.plan, other])
        );
        let second = NumberChange {
            call_plan: Some(Some(other)),
            ..NumberChange::default()
        };
        assert_eq!(change(second).await.0, Some(other));
        let first_only = NumberChange {
            call_plans: Some(vec![made.plan]),
            ..NumberChange::default()
        };
        assert_eq!(change(first_only).await, (None, vec![made.plan]));
    })
    .await;
}

#[tokio::test]
async fn a_switch_is_carried_out_once_and_not_for_another_owner() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &store.scope_of(sample.customer).await.unwrap();
        let switch = PlanSwitch {
            id: SwitchId::from_uuid(Uuid::now_v7()),
            account: sample.customer,
            number: made.number,
            call_plan: None,
            at: sample.now,
            by: Some(made.user),
            created_at: sample.now,
        };
        store.create_switch(scope, switch.clone()).await.unwrap();
        assert_eq!(
            store.next_switch(scope).await.unwrap(),
            Some(switch.clone())
        );
        assert!(
            store
                .carry_out_switch(scope, &switch, sample.now)
                .await
                .unwrap()
        );
        assert!(
            !store
                .carry_out_switch(scope, &switch, sample.now)
                .await
                .unwrap()
        );
        let number = store.number(scope, made.number).await.unwrap();
        assert_eq!(number.call_plan, None);
        let back = PlanSwitch {
            call_plan: Some(made.plan),
            ..switch
        };
        store.create_switch(scope, back.clone()).await.unwrap();
        let everywhere = &AccountScope::platform();
        let give = vec![NumberAct::Allocate(made.number, sample.stranger)];
        store
            .act_on_numbers(everywhere, give, act(sample.now))
            .await
            .unwrap();
        assert!(
            !store
                .carry_out_switch(everywhere, &back, sample.now)
                .await
                .unwrap()
        );
        let stranger = &store.scope_of(sample.stranger).await.unwrap();
        let foreign = store.create_switch(stranger, back).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)), "{foreign:?}");
    })
    .await;
}

#[tokio::test]
async fn numbers_are_found_by_what_is_known_of_them() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &store.scope_of(sample.customer).await.unwrap();
        let change = NumberChange {
            description: Some("Sales 100%_\\ Nord".to_owned()),
            ..NumberChange::default()
        };
        let changed = store.update_number(scope, made.number, change, act(sample.now));
        let number = changed.await.unwrap();
        let found = async |filter: NumberFilter| {
            let within = Within::Tree(sample.customer);
            let page = store.numbers(scope, within, &filter, Paging::default());
            page.await.unwrap().items.len()
        };
        let filter = NumberFilter::default;
        let digits = number.number.digits().get(3..8).map(ToOwned::to_owned);
        assert_eq!(
            found(NumberFilter {
                number: digits,
                ..filter()
            })
            .await,
            1
        );
        for (text, count) in [
            ("sales", 1),
            ("100%_\\", 1),
            ("nord", 1),
            ("%", 1),
            ("1%0", 0),
            ("_x", 0),
        ] {
            let description = Some(text.to_owned());
            assert_eq!(
                found(NumberFilter {
                    description,
                    ..filter()
                })
                .await,
                count,
                "{text}"
            );
        }
        assert_eq!(
            found(NumberFilter {
                call_plan: Some(Some(made.plan)),
                ..filter()
            })
            .await,
            1
        );
        assert_eq!(
            found(NumberFilter {
                call_plan: Some(None),
                ..filter()
            })
            .await,
            0
        );
        assert_eq!(
            found(NumberFilter {
                status: Some(NumberStatus::Active),
                class: Some(number.number.class()),
                ..filter()
            })
            .await,
            1
        );
        assert_eq!(
            found(NumberFilter {
                status: Some(NumberStatus::Parked),
                ..filter()
            })
            .await,
            0
        );
    })
    .await;
}
