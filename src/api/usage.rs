//! Limits: how much an account uses, and which account of its path to the root binds.

use std::time::Instant;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use strowger_domain::account::{Account, Limits};
use strowger_domain::ids::AccountId;
use utoipa::ToSchema;

use super::auth::{Standing, Tenant};
use super::error::Problem;
use super::{Api, limits};
use crate::accounts::messages::Counted;
use crate::store::scheduled_calls::Counts;
use crate::store::{AccountScope, Within};

/// The limits of an account.
#[derive(Serialize, ToSchema)]
pub struct LimitsView {
    /// One row for each limit.
    pub limits: Vec<LimitRow>,
}

/// How one limit stands.
#[derive(Serialize, ToSchema)]
pub struct LimitRow {
    /// Its name among the account's `limits`.
    #[schema(example = "calls")]
    pub limit: &'static str,
    /// The account's own; null: none.
    pub own: Option<u64>,
    /// What the account and those below it use now; null: it is not counted.
    pub used: Option<u64>,
    /// How much more they may use; null: nothing limits it, or it is not counted.
    pub free: Option<u64>,
    /// The account of the path whose limit binds; null: there is none, or it lies above your own.
    pub bound_by: Option<AccountId>,
    /// It is bound by an account above your own.
    pub bound_above: bool,
}

/// What an account and those below it use.
#[derive(Clone, Copy)]
struct Used {
    calls: Counted,
    scheduled: Counts,
    stored: u64,
}

type Own = fn(&Limits) -> Option<u64>;
type Counter = Option<fn(&Used) -> u64>;

/// Every limit: its name, its value, and how its use is counted.
const LIMITS: [(&str, Own, Counter); 8] = [
    (
        "calls",
        |l| l.calls.map(u64::from),
        Some(|u| u.calls.live.into()),
    ),
    (
        "calls_per_second",
        |l| l.calls_per_second.map(u64::from),
        Some(|u| u.calls.new.into()),
    ),
    (
        "scheduled_in_progress",
        |l| l.scheduled_in_progress.map(u64::from),
        Some(|u| u.scheduled.in_progress),
    ),
    (
        "scheduled_queued",
        |l| l.scheduled_queued.map(u64::from),
        Some(|u| u.scheduled.queued),
    ),
    ("storage_bytes", |l| l.storage_bytes, Some(|u| u.stored)),
    (
        "call_duration_s",
        |l| l.call_duration_s.map(u64::from),
        None,
    ),
    ("agents", |l| l.agents.map(u64::from), None),
    (
        "requests_per_minute",
        |l| l.requests_per_minute.map(u64::from),
        None,
    ),
];

/// Reads the limits of an account: its own, what is used, and which account of the path to the root
/// binds.
#[utoipa::path(get, path = "/v1/accounts/{account}/limits", tag = "accounts",
    responses((status = 200, body = LimitsView)))]
pub async fn read(tenant: Tenant, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let mut path = Vec::new();
    for account in path_of(&tenant.standing) {
        path.push((account, used(&api, account.id).await?));
    }
    let own = tenant.caller.standing.account.id;
    let visible = path.iter().position(|(account, _)| account.id == own);
    let row = |(limit, most, count): &(&'static str, Own, Counter)| {
        let binding = path
            .iter()
            .enumerate()
            .filter_map(|(place, (account, used))| {
                let most = most(&account.limits)?;
                let free = count.map_or(most, |count| most.saturating_sub(count(used)));
                Some((free, place))
            });
        let (account, used) = path.last().map(|(account, used)| (*account, *used)).unzip();
        let binding = binding.min();
        let sees = |place: &usize| visible.is_some_and(|visible| *place >= visible);
        let place = binding.map(|(_, place)| place);
        LimitRow {
            limit,
            own: account.and_then(|account: &Account| most(&account.limits)),
            used: count.and_then(|count| used.as_ref().map(count)),
            free: binding.map(|(free, _)| free).filter(|_| count.is_some()),
            bound_by: place
                .filter(sees)
                .and_then(|place| path.get(place))
                .map(|(account, _)| account.id),
            bound_above: place.is_some_and(|place| !sees(&place)),
        }
    };
    let limits = LIMITS.iter().map(row).collect();
    Ok(HttpResponse::Ok().json(LimitsView { limits }))
}

/// The accounts from the root to this one.
fn path_of(standing: &Standing) -> impl Iterator<Item = &Account> {
    standing.above.iter().chain([&standing.account])
}

async fn used(api: &Api, account: AccountId) -> Result<Used, Problem> {
    Ok(Used {
        calls: api.platform.count_calls(account).await?,
        scheduled: scheduled(api, account).await?,
        stored: stored(api, account).await?,
    })
}

/// The scheduled calls of an account and those below it, wherever it stands.
async fn scheduled(api: &Api, account: AccountId) -> Result<Counts, Problem> {
    let (everywhere, tree) = (AccountScope::platform(), Within::Tree(account));
    Ok(api.store.count_scheduled_calls(&everywhere, tree).await?)
}

/// What an account and those below it store, in bytes, wherever it stands.
async fn stored(api: &Api, account: AccountId) -> Result<u64, Problem> {
    let everywhere = AccountScope::platform();
    let accounts = api.store.subtree(&everywhere, account).await?;
    Ok(accounts.into_iter().map(|id| api.storage.of(id)).sum())
}

/// The account, of this one and all above it, that has as many queued scheduled calls as it may
/// have.
pub async fn full_queue(api: &Api, standing: &Standing) -> Result<Option<AccountId>, Problem> {
    for account in path_of(standing) {
        let Some(most) = account.limits.scheduled_queued else {
            continue;
        };
        if scheduled(api, account.id).await?.queued >= u64::from(most) {
            return Ok(Some(account.id));
        }
    }
    Ok(None)
}

/// Takes one request from what an account, and each above it, may ask for in a minute.
pub fn count_request(api: &Api, standing: &Standing) -> Result<(), Problem> {
    let time = Instant::now();
    for account in [&standing.account]
        .into_iter()
        .chain(standing.above.iter().rev())
    {
        if let Some(most) = account.limits.requests_per_minute {
            let taken = api.own_requests.take_of(account.id, most, time);
            taken.map_err(limits::wait)?;
        }
    }
    Ok(())
}

/// How many bytes more an account may store; `None`: nothing on its path limits it.
pub async fn storage_left(api: &Api, standing: &Standing) -> Result<Option<u64>, Problem> {
    let mut left: Option<u64> = None;
    for account in path_of(standing) {
        if let Some(most) = account.limits.storage_bytes {
            let room = most.saturating_sub(stored(api, account.id).await?);
            left = Some(left.map_or(room, |left| left.min(room)));
        }
    }
    Ok(left)
}
