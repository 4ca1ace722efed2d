//! What is stored of accounts, numbers and plans, read whole and swapped whole.

use std::collections::HashMap;
use std::sync::Arc;

use strowger_domain::account::AccountTree;
use strowger_domain::call_plan::{Context, Plan, is_runnable, validate};
use strowger_domain::directory::{ActivePlan, Directory, Entry, Row};
use strowger_domain::e164::Country;
use strowger_domain::ids::PlanId;
use strowger_domain::route::RoutingTable;
use strowger_domain::schedule::{Hosted, PlanReadiness};

use crate::store::{AccountScope, Store, StoreError};

/// A published plan, ready to run.
#[derive(Clone, Debug)]
pub struct LoadedPlan {
    /// The document.
    pub plan: Arc<Plan>,
    /// Whether a scheduled call may run it.
    pub readiness: PlanReadiness,
}

/// One consistent view of what is stored.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Accounts.
    pub tree: AccountTree,
    /// Service numbers.
    pub directory: Arc<Directory>,
    /// Published plans that numbers use, by plan and version.
    pub plans: HashMap<(PlanId, u32), LoadedPlan>,
    /// Trunks and routes.
    pub routes: Arc<RoutingTable>,
}

impl Snapshot {
    /// Reads everything. Versions never change, so plans of `before` are kept as they are.
    pub async fn load(
        store: &Store,
        country: &'static Country,
        before: &Self,
    ) -> Result<Self, StoreError> {
        let scope = AccountScope::platform();
        let (tree, problems) = AccountTree::build(store.all_accounts(&scope).await?);
        for problem in problems {
            tracing::error!(%problem, "account tree");
        }
        let rows = store.directory_rows(&scope).await?;
        let rows = rows.into_iter().map(|row| Row {
            id: row.number.id,
            number: row.number.number,
            account: row.number.account,
            status: row.number.status,
            plan: row.plan.map(|(plan, version)| ActivePlan { plan, version }),
        });
        let (directory, problems) = Directory::build(rows, &tree, country);
        for problem in problems {
            tracing::error!(%problem, "directory");
        }
        let mut plans = HashMap::new();
        for entry in directory.iter() {
            let Some(active) = entry.plan else { continue };
            let key = (active.plan, active.version);
            if plans.contains_key(&key) {
                continue;
            }
            if let Some(loaded) = before.plans.get(&key) {
                plans.insert(key, loaded.clone());
                continue;
            }
            let version = store
                .call_plan_version(&scope, active.plan, active.version)
                .await?;
            match serde_json::from_value::<Plan>(version.plan) {
                Ok(plan) => {
                    plans.insert(key, loaded(plan));
                }
                Err(error) => {
                    tracing::error!(plan = %active.plan, %error, "a stored plan can't be read");
                }
            }
        }
        let routes = Arc::new(store.routing_table(&scope).await?);
        Ok(Self {
            tree,
            directory: Arc::new(directory),
            plans,
            routes,
        })
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
