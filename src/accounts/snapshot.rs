//! What is stored of accounts, numbers and plans: read whole at the start, then in parts as they
//! change, and swapped whole.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use strowger_domain::account::AccountTree;
use strowger_domain::call_plan::{Context, Plan, is_runnable, validate};
use strowger_domain::directory::{ActivePlan, Directory, Entry, Row};
use strowger_domain::e164::Country;
use strowger_domain::ids::{AccountId, PlanId};
use strowger_domain::route::RoutingTable;
use strowger_domain::schedule::{Hosted, PlanReadiness};

use super::messages::Changed;
use crate::store::numbers::DirectoryRow;
use crate::store::{AccountScope, Store, StoreError};

/// A published plan, ready to run.
#[derive(Clone, Debug)]
pub struct LoadedPlan {
    /// The document.
    pub plan: Arc<Plan>,
    /// Whether a scheduled call may run it.
    pub readiness: PlanReadiness,
}

/// One consistent view of what is stored. A copy shares what has not changed.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Accounts.
    pub tree: Arc<AccountTree>,
    /// Service numbers.
    pub directory: Arc<Directory>,
    /// Published plans that numbers use, by plan and version.
    pub plans: Arc<HashMap<(PlanId, u32), LoadedPlan>>,
    /// Trunks and routes.
    pub routes: Arc<RoutingTable>,
}

impl Snapshot {
    /// Reads everything.
    pub async fn load(store: &Store, country: &'static Country) -> Result<Self, StoreError> {
        let scope = AccountScope::platform();
        let (tree, problems) = AccountTree::build(store.all_accounts(&scope).await?);
        for problem in problems {
            tracing::error!(%problem, "account tree");
        }
        let rows = store.directory_rows(&scope).await?.into_iter().map(row);
        let (directory, problems) = Directory::build(rows, &tree, country);
        for problem in problems {
            tracing::error!(%problem, "directory");
        }
        let mut snapshot = Self {
            tree: Arc::new(tree),
            directory: Arc::new(directory),
            plans: Arc::default(),
            routes: Arc::new(store.routing_table(&scope).await?),
        };
        let active: Vec<_> = snapshot.directory.iter().filter_map(|n| n.plan).collect();
        snapshot.load_plans(store, active).await?;
        Ok(snapshot)
    }

    /// Reads what has changed, and nothing else; answers the accounts among it.
    pub async fn refresh(
        &mut self,
        store: &Store,
        changes: &[Changed],
    ) -> Result<Vec<AccountId>, StoreError> {
        let scope = AccountScope::platform();
        let (mut accounts, mut numbers, mut plans) = (Vec::new(), Vec::new(), Vec::new());
        let mut routes = false;
        for change in changes {
            match change {
                Changed::Account(id) => accounts.push(*id),
                Changed::Number(id) => numbers.push(*id),
                Changed::CallPlan(id) => plans.push(*id),
                Changed::Routes => routes = true,
                // Then, or thereupon, everything is read instead.
                Changed::Tree | Changed::Erased(_) => {}
            }
        }
        for id in &accounts {
            let account = store.account(&scope, *id).await?;
            if let Err(problem) = Arc::make_mut(&mut self.tree).put(account) {
                tracing::error!(%problem, "account tree");
            }
        }
        if !numbers.is_empty() || !plans.is_empty() {
            let rows = store.changed_directory_rows(&scope, &numbers, &plans);
            let rows: Vec<_> = rows.await?.into_iter().map(row).collect();
            let active: Vec<_> = rows.iter().filter_map(|row| row.plan).collect();
            let used: HashSet<_> = active.iter().map(|a| (a.plan, a.version)).collect();
            self.load_plans(store, active).await?;
            let there: HashSet<_> = rows.iter().map(|row| row.id).collect();
            let gone = numbers.into_iter().filter(|id| !there.contains(id));
            let directory = Arc::make_mut(&mut self.directory);
            directory.remove(&gone.collect());
            for row in rows {
                if let Err(problem) = directory.put(row, &self.tree) {
                    tracing::error!(%problem, "directory");
                }
            }
            // Every number of these plans runs the version that is published now.
            if !plans.is_empty() {
                let known = Arc::make_mut(&mut self.plans);
                known.retain(|key, _| !plans.contains(&key.0) || used.contains(key));
            }
        }
        if routes {
            self.routes = Arc::new(store.routing_table(&scope).await?);
        }
        Ok(accounts)
    }

    /// Reads these plans, unless they are there: a published version never changes.
    async fn load_plans(
        &mut self,
        store: &Store,
        active: Vec<ActivePlan>,
    ) -> Result<(), StoreError> {
        for ActivePlan { plan: id, version } in active {
            if self.plans.contains_key(&(id, version)) {
                continue;
            }
            let scope = AccountScope::platform();
            let stored = store.call_plan_version(&scope, id, version).await?;
            match serde_json::from_value::<Plan>(stored.plan) {
                Ok(plan) => {
                    Arc::make_mut(&mut self.plans).insert((id, version), loaded(plan));
                }
                Err(error) => tracing::error!(plan = %id, %error, "a stored plan can't be read"),
            }
        }
        Ok(())
    }

    /// The active plan of a number.
    pub fn plan_of(&self, entry: &Entry) -> Option<(ActivePlan, &LoadedPlan)> {
        let active = entry.plan?;
        Some((active, self.plans.get(&(active.plan, active.version))?))
    }

    /// What a scheduled call has to know of a number.
    pub fn hosted(&self, entry: &Entry) -> Hosted {
        let plan = match (entry.plan, self.plan_of(entry)) {
            (None, _) => PlanReadiness::None,
            (Some(_), None) => PlanReadiness::Invalid,
            (Some(_), Some((_, loaded))) => loaded.readiness,
        };
        Hosted {
            status: entry.status,
            plan,
        }
    }
}

fn row(row: DirectoryRow) -> Row {
    Row {
        id: row.number.id,
        number: row.number.number,
        account: row.number.account,
        status: row.number.status,
        plan: row.plan.map(|(plan, version)| ActivePlan { plan, version }),
    }
}

fn loaded(plan: Plan) -> LoadedPlan {
    // What the account may use is checked when it is used; here only the document counts.
    let readiness = if !is_runnable(&validate(&plan, &Context::permissive())) {
        PlanReadiness::Invalid
    } else if plan.has_scheduled_branch() {
        PlanReadiness::Ready
    } else {
        PlanReadiness::NoScheduledBranch
    };
    LoadedPlan {
        plan: Arc::new(plan),
        readiness,
    }
}
