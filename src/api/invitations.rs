//! Invitations: somebody becomes a user by a link that is sent by mail and good once.

use std::collections::BTreeMap;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::account::Role;
use strowger_domain::ids::{AccountId, InvitationId, UserId};
use strowger_domain::mail::{Kind, is_address};
use utoipa::ToSchema;
use uuid::Uuid;

use super::audit::Actor;
use super::auth::{self, Tenant};
use super::error::{Code, Faults, Problem};
use super::input::{Json, Query, segment};
use super::page::{ListQuery, Listed};
use super::users::{self, UserView};
use super::{Api, now, page, tokens};
use crate::mail::outbox::Addressed;
use crate::store::invitations::Invitation;
use crate::store::users::NewUser;

/// How long an invitation is good.
const GOOD: Duration = Duration::days(7);

/// What became of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationStatus {
    /// It can be accepted.
    Open,
    /// It became a user.
    Accepted,
    /// Its time is over.
    Expired,
}

/// An invitation to become a user. Its token is only in the mail.
#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
pub struct InvitationView {
    /// Its identifier.
    pub id: InvitationId,
    /// The account of the user to be.
    pub account: AccountId,
    /// Where it was sent.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// What the user will be allowed to do.
    pub role: Role,
    /// What became of it.
    pub status: InvitationStatus,
    /// When it was sent.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
    /// Until when it is good.
    #[serde(with = "strowger_domain::timestamp")]
    pub expires_at: DateTime<Utc>,
}

impl From<Invitation> for InvitationView {
    fn from(invitation: Invitation) -> Self {
        Self {
            id: invitation.id,
            account: invitation.account,
            email: invitation.email,
            name: invitation.name,
            role: invitation.role,
            status: if invitation.accepted_at.is_some() {
                InvitationStatus::Accepted
            } else if invitation.expires_at <= now() {
                InvitationStatus::Expired
            } else {
                InvitationStatus::Open
            },
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
        }
    }
}

/// Who shall be invited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationInput {
    /// Where the invitation is sent, and what the user signs in with.
    #[schema(example = "alice@example.com")]
    pub email: String,
    /// The person's name.
    pub name: String,
    /// What the user will be allowed to do: nothing that the inviter may not.
    pub role: Role,
}

/// An invitation that is accepted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationAcceptance {
    /// The token of the link.
    pub token: String,
    /// The password of the user: at least 10 characters.
    pub password: String,
}

/// Lists invitations.
#[utoipa::path(get, path = "/v1/accounts/{account}/invitations", tag = "users", params(ListQuery),
    responses((status = 200, body = Listed<InvitationView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let (within, paging) = (query.within(tenant.id()), query.paging()?);
    let found = api.store.invitations(&tenant.scope, within, paging).await?;
    Ok(page::answer(&request, found, InvitationView::from))
}

/// Invites somebody by mail to become a user.
#[utoipa::path(post, path = "/v1/accounts/{account}/invitations", tag = "users",
    request_body = InvitationInput, responses((status = 201, body = InvitationView)))]
pub async fn create(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<InvitationInput>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    let email = input.email.trim().to_owned();
    faults.check(
        is_address(&email),
        "/email",
        "not_email",
        "write an e-mail address",
    );
    faults.text("/name", &input.name, 1, 100);
    users::may_give(&mut faults, &tenant, input.role);
    faults.finish()?;
    if auth::user_by_email(&api, &email).await?.is_some() {
        return Err(Code::Taken.into());
    }
    let (token, time) = (tokens::new_secret(), now());
    let invitation = Invitation {
        id: InvitationId::from_uuid(Uuid::now_v7()),
        account: tenant.id(),
        email: email.clone(),
        name: input.name.trim().to_owned(),
        role: input.role,
        created_at: time,
        expires_at: time + GOOD,
        accepted_at: None,
    };
    let hash = tokens::secret_hash(&token);
    let invitation = api
        .store
        .create_invitation(&tenant.scope, invitation, hash)
        .await?;
    let (inherited, path) = (auth::inherited(), tenant.path());
    let to = Addressed {
        path: &path,
        kind: Kind::Invitation,
        recipient: email,
    };
    let inviter = match tenant.caller.user() {
        Some(user) => user.name.clone(),
        None => tenant.caller.standing.account.name.clone(),
    };
    let values = BTreeMap::from([
        ("account".to_owned(), tenant.standing.account.name.clone()),
        ("name".to_owned(), invitation.name.clone()),
        ("inviter".to_owned(), inviter),
        ("link".to_owned(), api.link("invitation", &token)),
        ("days".to_owned(), GOOD.num_days().to_string()),
    ]);
    if let Err(error) = api.postbox.post(&inherited, to, &values).await {
        // Nobody has its token: it is of no use.
        api.store
            .delete_invitation(&tenant.scope, invitation.id)
            .await?;
        return Err(error.into());
    }
    Ok(HttpResponse::Created().json(InvitationView::from(invitation)))
}

/// Reads an invitation.
#[utoipa::path(get, path = "/v1/accounts/{account}/invitations/{invitation}", tag = "users",
    responses((status = 200, body = InvitationView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let id = segment(&request, "invitation")?;
    let invitation = api.store.invitation(&tenant.scope, id).await?;
    Ok(HttpResponse::Ok().json(InvitationView::from(invitation)))
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/v1/accounts/{account}/invitations/{invitation}", tag = "users",
    responses((status = 204)))]
pub async fn remove(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let id = segment(&request, "invitation")?;
    match api.store.delete_invitation(&tenant.scope, id).await {
        Ok(()) | Err(crate::store::StoreError::NotFound) => Ok(HttpResponse::NoContent().finish()),
        Err(error) => Err(error.into()),
    }
}

/// Accepts an invitation: makes the user, who can sign in from now on.
#[utoipa::path(post, path = "/v1/auth/invitation", tag = "auth",
    request_body = InvitationAcceptance, responses((status = 201, body = UserView)))]
pub async fn accept(
    request: HttpRequest,
    api: web::Data<Api>,
    Json(input): Json<InvitationAcceptance>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    api.passwords
        .check(&mut faults, "/password", &input.password)
        .await?;
    faults.finish()?;
    let hash = tokens::secret_hash(&input.token);
    let found = api.store.invitation_of_token(&hash, now()).await;
    let invitation = found.map_err(super::password_resets::link_invalid)?;
    if !auth::standing(&api, invitation.account).await?.is_active {
        return Err(Code::AccountDisabled.into());
    }
    let user = NewUser {
        id: UserId::from_uuid(Uuid::now_v7()),
        account: invitation.account,
        email: invitation.email,
        name: invitation.name,
        role: invitation.role,
        password_hash: api.passwords.hash(input.password).await?,
        created_at: now(),
    };
    let user = api
        .store
        .accept_invitation(invitation.id, user)
        .await
        .map_err(super::password_resets::link_invalid)?;
    request.extensions_mut().insert(Actor::user(&user));
    Ok(HttpResponse::Created().json(UserView::from(user)))
}
