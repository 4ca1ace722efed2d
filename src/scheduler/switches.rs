//! Numbers whose plan is switched at a set time.
//!
//! What is to come is in the store: a switch whose time passed while nobody ran is carried out at
//! the start.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::Notify;

use crate::accounts::messages::{Changed, DirectoryChanged};
use crate::net::clock;
use crate::store::{AccountScope, Store, StoreError};

/// The longest sleep: the wall clock may be set meanwhile.
const LONGEST: Duration = Duration::from_secs(30);
/// The pause after a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// Carries switches out as they become due, for ever. `ordered`: told when one was ordered.
pub async fn run(store: Store, ordered: Arc<Notify>, changed: Recipient<DirectoryChanged>) {
    loop {
        let wait = match carry_out_due(&store, &changed).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!(%error, "plans can't be switched");
                PAUSE
            }
        };
        // Whoever orders one while nobody waits leaves a permit: nothing is missed.
        let _ = tokio::time::timeout(wait, ordered.notified()).await;
    }
}

/// Carries out what is due; answers how long to wait for the next.
async fn carry_out_due(
    store: &Store,
    changed: &Recipient<DirectoryChanged>,
) -> Result<Duration, StoreError> {
    let scope = AccountScope::platform();
    while let Some(next) = store.next_switch(&scope).await? {
        let now = clock::now().utc;
        if let Ok(wait) = (next.at - now).to_std()
            && !wait.is_zero()
        {
            return Ok(wait.min(LONGEST));
        }
        match store.carry_out_switch(&scope, &next, now).await {
            Ok(true) => {
                let what = DirectoryChanged(Changed::Number(next.number));
                if changed.send(what).await.is_err() {
                    tracing::warn!(number = %next.number, "calls may not follow a switch yet");
                }
            }
            Ok(false) => {
                tracing::warn!(switch = %next.id, number = %next.number, "a switch came to nothing");
            }
            // It went with its number a moment ago.
            Err(StoreError::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Paging;
    use crate::store::assignments::{Kind, PlanSwitch};
    use crate::store::testing::{Sample, TestDatabase};
    use chrono::TimeDelta;
    use strowger_domain::ids::{NumberId, SwitchId};
    use tokio::sync::mpsc;

    struct Follower(mpsc::UnboundedSender<NumberId>);

    impl Actor for Follower {
        type Context = Context<Self>;
    }

    impl Handler<DirectoryChanged> for Follower {
        type Result = ();

        fn handle(&mut self, DirectoryChanged(what): DirectoryChanged, _: &mut Self::Context) {
            if let Changed::Number(number) = what {
                self.0.send(number).unwrap();
            }
        }
    }

    #[actix::test]
    async fn what_was_missed_is_carried_out_at_the_start_and_the_rest_in_its_time() {
        let database = TestDatabase::sqlite();
        let store = database.store().await.unwrap();
        let sample = Sample::new(store.clone()).await.unwrap();
        let scope = AccountScope::platform();
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let order = |call_plan, at| PlanSwitch {
            id: SwitchId::from_uuid(uuid::Uuid::now_v7()),
            account: sample.customer,
            number: made.number,
            call_plan,
            at,
            by: None,
            created_at: at,
        };
        let now = clock::now().utc;
        let missed = order(None, now - TimeDelta::hours(3));
        store.create_switch(&scope, missed).await.unwrap();
        let (told, mut hears) = mpsc::unbounded_channel();
        let follower = Follower(told).start().recipient();
        let ordered = Arc::new(Notify::new());
        actix::spawn(run(store.clone(), Arc::clone(&ordered), follower));
        assert_eq!(hears.recv().await, Some(made.number));
        let number = store.number(&scope, made.number).await.unwrap();
        assert_eq!(number.call_plan, None);
        let soon = order(Some(made.plan), now);
        store.create_switch(&scope, soon).await.unwrap();
        let late = order(None, now + TimeDelta::days(1));
        store.create_switch(&scope, late.clone()).await.unwrap();
        ordered.notify_one();
        assert_eq!(hears.recv().await, Some(made.number));
        let number = store.number(&scope, made.number).await.unwrap();
        assert_eq!(number.call_plan, Some(made.plan));
        let left = store.switches(&scope, made.number).await.unwrap();
        assert_eq!(
            left.iter().map(|left| left.id).collect::<Vec<_>>(),
            [late.id]
        );
        let history = store.assignments(&scope, made.number, Paging::default());
        let kinds: Vec<_> = history
            .await
            .unwrap()
            .items
            .iter()
            .map(|line| line.kind)
            .collect();
        assert_eq!(kinds[..2], [Kind::PlanActivated, Kind::PlanActivated]);
    }
}
