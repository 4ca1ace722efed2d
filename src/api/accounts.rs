//! The account tree.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strowger_domain::account::{
    Account, AccountKind, AccountStatus, Contact, Limits, MAX_DEPTH, Permissions,
};
use strowger_domain::ids::AccountId;
use strowger_domain::mail::is_address;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Caller, Tenant, standing};
use super::error::{Code, Faults, Problem};
use super::input::{Json, Query, merged, present};
use super::page::{ListQuery, Listed};
use super::{Api, now, page};
use crate::accounts::messages::Changed;
use crate::store::accounts::AccountChange;

/// An account.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountView {
    /// Its identifier.
    pub id: AccountId,
    /// The account above it; null: the root.
    pub parent: Option<AccountId>,
    /// Its level in the tree.
    pub kind: AccountKind,
    /// Its name.
    pub name: String,
    /// The parent's own name for it (an account number).
    pub reference: Option<String>,
    /// Whom the users of the accounts below it ask.
    pub contact: Contact,
    /// Whether it may be used.
    pub status: AccountStatus,
    /// IANA time zone of its calendars.
    #[schema(value_type = String, example = "Europe/London")]
    pub time_zone: Tz,
    /// What it was granted. What holds is limited by every account above it.
    pub permissions: Permissions,
    /// Its own limits. Those of all accounts above it hold too.
    pub limits: Limits,
    /// When it was created.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            parent: account.parent,
            kind: account.kind,
            name: account.name,
            reference: account.reference,
            contact: account.contact,
            status: account.status,
            time_zone: account.time_zone,
            permissions: account.permissions,
            limits: account.limits,
            created_at: account.created_at,
        }
    }
}

/// An account to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountInput {
    /// Its level in the tree, which its parent must be able to have below it.
    pub kind: AccountKind,
    /// Its name.
    pub name: String,
    /// The parent's own name for it.
    pub reference: Option<String>,
    /// Whom the users of the accounts below it ask.
    #[serde(default)]
    pub contact: Contact,
    /// IANA time zone; absent: the parent's.
    #[schema(value_type = Option<String>, example = "Europe/London")]
    pub time_zone: Option<Tz>,
    /// What it is granted; what is absent is not.
    #[serde(default)]
    pub permissions: Permissions,
    /// Its own limits; what is absent is not limited by itself.
    #[serde(default)]
    pub limits: Limits,
}

/// What shall be changed. Only accounts above it change an account's reference, status,
/// permissions and limits.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountPatch {
    /// Its name.
    pub name: Option<String>,
    /// The parent's own name for it; null removes it.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub reference: Option<Option<String>>,
    /// Whom the users of the accounts below it ask; merged into what it has.
    #[schema(value_type = Option<Contact>)]
    pub contact: Option<Value>,
    /// Whether it may be used.
    pub status: Option<AccountStatus>,
    /// IANA time zone.
    #[schema(value_type = Option<String>)]
    pub time_zone: Option<Tz>,
    /// What it is granted; merged into what it has.
    #[schema(value_type = Option<Permissions>)]
    pub permissions: Option<Value>,
    /// Its own limits; merged into what it has.
    #[schema(value_type = Option<Limits>)]
    pub limits: Option<Value>,
}

/// Lists the caller's account and all its descendants.
#[utoipa::path(get, path = "/v1/accounts", tag = "accounts", params(ListQuery),
    responses((status = 200, body = Listed<AccountView>)))]
pub async fn list(
    request: HttpRequest,
    caller: Caller,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let within = page::within(
        Some(query.descendants != Some(false)),
        caller.standing.account.id,
    );
    let accounts = api
        .store
        .accounts(&caller.scope, within, query.paging()?)
        .await?;
    Ok(page::answer(&request, accounts, AccountView::from))
}

/// Reads an account.
#[utoipa::path(get, path = "/v1/accounts/{account}", tag = "accounts",
    responses((status = 200, body = AccountView)))]
pub async fn read(tenant: Tenant) -> HttpResponse {
    HttpResponse::Ok().json(AccountView::from(tenant.standing.account.clone()))
}

/// Lists the direct children of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/children", tag = "accounts",
    params(ListQuery), responses((status = 200, body = Listed<AccountView>)))]
pub async fn children(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let children = api
        .store
        .children(&tenant.scope, tenant.id(), query.paging()?)
        .await?;
    Ok(page::answer(&request, children, AccountView::from))
}

/// Creates a child of an account.
#[utoipa::path(post, path = "/v1/accounts/{account}/children", tag = "accounts",
    request_body = AccountInput, responses((status = 201, body = AccountView)))]
pub async fn create_child(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<AccountInput>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    let parent = &tenant.standing.account;
    if !parent
        .kind
        .may_create(input.kind, &tenant.standing.permissions)
    {
        let kinds = parent.kind.may_have(&tenant.standing.permissions);
        let kinds = serde_json::to_string(&kinds).unwrap_or_default();
        let detail = format!("an account of this kind may have children of the kinds {kinds}");
        faults.add("/kind", "not_permitted", detail);
    }
    let depth = api
        .store
        .account_path(&tenant.scope, tenant.id())
        .await?
        .depth();
    faults.check(
        depth < MAX_DEPTH,
        "",
        "too_deep",
        "the tree may not grow deeper here",
    );
    faults.text("/name", &input.name, 1, 100);
    if let Some(reference) = &input.reference {
        faults.text("/reference", reference, 1, 100);
    }
    check_contact(&mut faults, &input.contact);
    faults.extend(
        "/permissions",
        input.permissions.exceeding(&tenant.standing.permissions),
    );
    let nothing = Permissions::default();
    faults.extend(
        "/permissions",
        input.permissions.faults(input.kind, &nothing),
    );
    check_withheld(&mut faults, &tenant, (&input.permissions, &nothing));
    faults.finish()?;
    let account = Account {
        id: AccountId::from_uuid(Uuid::now_v7()),
        parent: Some(parent.id),
        kind: input.kind,
        name: input.name.trim().to_owned(),
        reference: input.reference,
        contact: input.contact,
        status: AccountStatus::Active,
        time_zone: input.time_zone.unwrap_or(parent.time_zone),
        permissions: input.permissions,
        limits: input.limits,
        created_at: now(),
    };
    let account = api.store.create_account(&tenant.scope, account).await?;
    api.platform
        .directory_changed(Changed::Account(account.id))
        .await;
    Ok(HttpResponse::Created().json(AccountView::from(account)))
}

/// Changes an account.
#[utoipa::path(patch, path = "/v1/accounts/{account}", tag = "accounts",
    request_body = AccountPatch, responses((status = 200, body = AccountView)))]
pub async fn change(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(patch): Json<AccountPatch>,
) -> Result<HttpResponse, Problem> {
    let own = tenant.id() == tenant.caller.standing.account.id;
    let from_above = patch.reference.is_some()
        || patch.status.is_some()
        || patch.permissions.is_some()
        || patch.limits.is_some();
    if own && from_above {
        let detail = "Reference, status, permissions and limits are changed from above.";
        return Err(Problem::from(Code::Forbidden).detail(detail));
    }
    let mut faults = Faults::default();
    faults.check(
        patch.status != Some(AccountStatus::Closed),
        "/status",
        "not_permitted",
        "an account is closed by `close`",
    );
    if let Some(name) = &patch.name {
        faults.text("/name", name, 1, 100);
    }
    if let Some(Some(reference)) = &patch.reference {
        faults.text("/reference", reference, 1, 100);
    }
    let contact = match patch.contact {
        Some(patch) => merged(
            &mut faults,
            "/contact",
            &tenant.standing.account.contact,
            patch,
        ),
        None => None,
    };
    if let Some(contact) = &contact {
        check_contact(&mut faults, contact);
    }
    let permissions = match patch.permissions {
        Some(patch) => merged(
            &mut faults,
            "/permissions",
            &tenant.standing.account.permissions,
            patch,
        ),
        None => None,
    };
    let limits = match patch.limits {
        Some(patch) => merged(
            &mut faults,
            "/limits",
            &tenant.standing.account.limits,
            patch,
        ),
        None => None,
    };
    if let (Some(permissions), Some(parent)) = (&permissions, tenant.standing.account.parent) {
        let above = standing(&api, parent).await?;
        faults.extend("/permissions", permissions.exceeding(&above.permissions));
        let account = &tenant.standing.account;
        let before = &account.permissions;
        faults.extend("/permissions", permissions.faults(account.kind, before));
        check_withheld(&mut faults, &tenant, (permissions, before));
    }
    faults.finish()?;
    let change = AccountChange {
        name: patch.name.map(|name| name.trim().to_owned()),
        reference: patch.reference,
        contact,
        status: patch.status,
        time_zone: patch.time_zone,
        permissions,
        limits,
    };
    let account = api
        .store
        .update_account(&tenant.scope, tenant.id(), change, now())
        .await?;
    api.platform
        .directory_changed(Changed::Account(account.id))
        .await;
    Ok(HttpResponse::Ok().json(AccountView::from(account)))
}

/// Withheld numbers are shown to whom a service provider lets see them.
fn check_withheld(
    faults: &mut Faults,
    tenant: &Tenant,
    (wanted, before): (&Permissions, &Permissions),
) {
    let may_give = tenant.caller.standing.account.kind.may_give_withheld_cli();
    faults.check(
        !wanted.withheld_cli || before.withheld_cli || may_give,
        "/permissions/withheld_cli",
        "not_permitted",
        "only a service provider gives this",
    );
}

fn check_contact(faults: &mut Faults, contact: &Contact) {
    for (pointer, text) in [("/name", &contact.name), ("/phone", &contact.phone)] {
        if let Some(text) = text {
            faults.text(&format!("/contact{pointer}"), text, 1, 100);
        }
    }
    if let Some(email) = &contact.email {
        let well = is_address(email);
        faults.check(
            well,
            "/contact/email",
            "not_email",
            "write an e-mail address",
        );
    }
}
