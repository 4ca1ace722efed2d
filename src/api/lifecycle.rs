//! An account moves, is closed, exported and erased.

use std::time::Duration;

use actix_web::http::header::ContentEncoding;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use strowger_domain::account::{AccountKind, MAX_DEPTH};
use strowger_domain::cause::Cause;
use strowger_domain::cdr::CallRecord;
use strowger_domain::ids::AccountId;
use utoipa::ToSchema;

use super::accounts::AccountView;
use super::auth::{Tenant, standing};
use super::error::{Code, Faults, Problem};
use super::input::Json;
use super::{Api, now};
use crate::accounts::messages::{Changed, WakeScheduler};
use crate::events::log;
use crate::store::holdings::{Held, Place};
use crate::store::{AccountScope, Store, StoreError};

/// What is on its way to the database is there within a tenth of a second, unless it is away.
const WRITTEN: Duration = Duration::from_secs(10);

/// Where an account shall stand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveInput {
    /// Its new parent.
    pub parent: AccountId,
}

/// Puts an account, with all below it, below another parent. Every grant that the new parent cannot
/// give is named, and nothing is changed then.
#[utoipa::path(post, path = "/v1/accounts/{account}/move", tag = "accounts",
    request_body = MoveInput, responses((status = 200, body = AccountView),
        (status = 422, body = super::error::ProblemBody)))]
pub async fn move_to(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<MoveInput>,
) -> Result<HttpResponse, Problem> {
    from_above(&tenant)?;
    let (account, scope) = (&tenant.standing.account, &tenant.caller.scope);
    let missing = |error| match error {
        StoreError::NotFound => Problem::fault("/parent", "not_found", "there is no such account"),
        other => Problem::from(other),
    };
    let above = api.store.account_path(scope, input.parent).await;
    let above = above.map_err(missing)?;
    let parent = standing(&api, input.parent).await?;
    let mut faults = Faults::default();
    let inside = above.is_within(account.id);
    faults.check(
        !inside,
        "/parent",
        "below_itself",
        "it would stand below itself",
    );
    faults.check(
        inside || !parent.is_closed(),
        "/parent",
        "account_closed",
        "this account is closed",
    );
    if !parent
        .account
        .kind
        .may_create(account.kind, &parent.permissions)
    {
        let detail = "an account of this kind may not stand below that one";
        faults.add("/parent", "not_permitted", detail);
    }
    let levels = api.store.levels(scope, account.id).await?;
    let fits = above.depth() + levels <= MAX_DEPTH;
    faults.check(
        fits,
        "/parent",
        "too_deep",
        "the tree may not grow deeper there",
    );
    let exceeding = account.permissions.exceeding(&parent.permissions);
    faults.extend("/permissions", exceeding);
    faults.finish()?;
    let moved = api
        .store
        .move_account(scope, account.id, input.parent, now())
        .await?;
    api.platform.directory_changed(Changed::Tree).await;
    Ok(HttpResponse::Ok().json(AccountView::from(moved)))
}

/// Closes an account and all below it for good: its calls end, nobody signs in, what waits is
/// cancelled, and its numbers go back to the pool of the provider above it. From then on it can only
/// be exported and erased.
#[utoipa::path(post, path = "/v1/accounts/{account}/close", tag = "accounts",
    responses((status = 200, body = AccountView)))]
pub async fn close(tenant: Tenant, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    from_above(&tenant)?;
    let pool = tenant.standing.above.iter().rev().find(|account| {
        matches!(
            account.kind,
            AccountKind::Carrier | AccountKind::ServiceProvider
        )
    });
    let pool = pool.ok_or(Code::Internal)?.id;
    // The pool may lie above the caller's own part of the tree.
    let closed = api
        .store
        .close_account(&tenant.scope, tenant.id(), pool, now())
        .await?;
    api.platform.directory_changed(Changed::Tree).await;
    loop {
        let cancelled = api.store.cancel_queued(&tenant.scope, now()).await?;
        for call in &cancelled {
            log::tell_scheduled(&api.writer, call);
            api.platform
                .wake_scheduler(WakeScheduler::Cancelled(call.id));
        }
        if cancelled.is_empty() {
            break;
        }
    }
    for call in live_calls(&api, &tenant).await? {
        let cause = Cause::NormalUnspecified;
        api.platform.hang_up(call.account, call.id, cause).await?;
    }
    Ok(HttpResponse::Ok().json(AccountView::from(closed)))
}

/// Exports all that an account and those below it hold: one JSON object a line, the first of which
/// describes the rest. It has no secrets, and withheld numbers are masked; the sound of `audio` and
/// `recordings` is read by itself.
#[utoipa::path(get, path = "/v1/accounts/{account}/export", tag = "accounts",
    responses((status = 200, content_type = "application/x-ndjson", body = String)))]
pub async fn export(tenant: Tenant, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let head = json!({ "export": tenant.id(), "exported_at": now(), "format_version": 1 });
    let reader = Reader {
        store: api.store.clone(),
        scope: tenant.scope.clone(),
        account: tenant.id(),
        place: Some(Place::default()),
        head: Some(format!("{head}\n")),
    };
    let name = format!("attachment; filename=\"{}.ndjson\"", tenant.id());
    Ok(HttpResponse::Ok()
        .insert_header(ContentEncoding::Identity)
        .insert_header(("content-disposition", name))
        .content_type("application/x-ndjson")
        .streaming(stream::unfold(reader, |mut reader| async move {
            let bytes = reader.next().await?;
            Some((bytes, reader))
        })))
}

/// Erases a closed account, and all below it, with all that they hold. It cannot be undone.
#[utoipa::path(delete, path = "/v1/accounts/{account}", tag = "accounts",
    responses((status = 204), (status = 409, body = super::error::ProblemBody)))]
pub async fn erase(tenant: Tenant, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    from_above(&tenant)?;
    if !tenant.standing.is_closed() {
        return Err(Problem::from(Code::Conflict).detail("Close the account first."));
    }
    if !live_calls(&api, &tenant).await?.is_empty() {
        let detail = "Calls of the account still run: try again when they are over.";
        return Err(Problem::from(Code::Conflict).detail(detail));
    }
    // Their records would have no account any more.
    let written = tokio::time::timeout(WRITTEN, api.writer.flush()).await;
    written.map_err(|_elapsed| Problem::from(Code::Unavailable))?;
    let gone = api.store.erase_account(&tenant.scope, tenant.id()).await?;
    for account in gone {
        api.storage.forget(account);
        api.media.erase(account).await.map_err(|error| {
            tracing::error!(%error, account.id = %account, "an account's files can't be removed");
            Problem::from(Code::Internal).detail("Not all of its files could be removed.")
        })?;
        api.platform
            .directory_changed(Changed::Erased(account))
            .await;
    }
    api.platform.directory_changed(Changed::Tree).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Nobody moves, closes or erases the account on which they stand.
fn from_above(tenant: &Tenant) -> Result<(), Problem> {
    if tenant.id() == tenant.caller.standing.account.id {
        let detail = "This is done from above.";
        return Err(Problem::from(Code::Conflict).detail(detail));
    }
    Ok(())
}

async fn live_calls(api: &Api, tenant: &Tenant) -> Result<Vec<CallRecord>, Problem> {
    let mut calls = Vec::new();
    for account in api.store.subtree(&tenant.scope, tenant.id()).await? {
        calls.extend(api.platform.live_calls(account).await?);
    }
    Ok(calls)
}

/// An export on its way.
struct Reader {
    store: Store,
    scope: AccountScope,
    account: AccountId,
    place: Option<Place>,
    head: Option<String>,
}

impl Reader {
    /// The next lines; `None`: that was all.
    async fn next(&mut self) -> Option<Result<Bytes, Problem>> {
        if let Some(head) = self.head.take() {
            return Some(Ok(head.into()));
        }
        while let Some(place) = self.place.take() {
            let (rows, next) = match self.store.export(&self.scope, self.account, place).await {
                Ok(read) => read,
                // The reader sees that the export was cut.
                Err(error) => return Some(Err(error.into())),
            };
            self.place = next;
            if !rows.is_empty() {
                return Some(Ok(rows.iter().map(line).collect::<String>().into()));
            }
        }
        None
    }
}

fn line(held: &Held) -> String {
    let line = json!({ "table": held.table, "row": held.row });
    format!("{line}\n")
}
