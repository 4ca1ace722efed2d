//! By which server an account's mail is sent, and what became of each mail.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::ids::{AccountId, MailId};
use strowger_domain::mail::{Kind, is_address};
use utoipa::ToSchema;

use super::auth::{self, Tenant};
use super::error::{Code, Faults, Problem};
use super::input::{Json, Query};
use super::page::{ListQuery, Listed};
use super::{Api, now, page};
use crate::events::http_client::HttpError;
use crate::mail::outbox::PostError;
use crate::store::mail::{Mail, MailSettings, Security, Status};

/// By which server mail is sent. The password is never told.
#[derive(Serialize, ToSchema)]
#[schema(as = MailSettings)]
pub struct MailSettingsView {
    /// Whose settings they are: the account's own, or those of the nearest account above.
    pub account: AccountId,
    /// Whether they come from above. Then only the address that mails are from is told.
    pub inherited: bool,
    /// The server's name.
    #[schema(example = "smtp.example.com")]
    pub host: Option<String>,
    /// Its port.
    #[schema(example = 587)]
    pub port: Option<u16>,
    /// How the connection is protected.
    pub security: Option<Security>,
    /// Our name there.
    pub username: Option<String>,
    /// Whether a password is set.
    pub has_password: bool,
    /// Whom mails are from.
    #[schema(example = "service@example.com")]
    pub from_address: String,
    /// That one's name.
    pub from_name: Option<String>,
}

impl MailSettingsView {
    fn of(settings: MailSettings, account: AccountId) -> Self {
        let inherited = settings.account != account;
        let own = |text: Option<String>| text.filter(|_| !inherited);
        Self {
            account: settings.account,
            inherited,
            host: own(Some(settings.host)),
            port: (!inherited).then_some(settings.port),
            security: (!inherited).then_some(settings.security),
            username: own(settings.username),
            has_password: !inherited && settings.password.is_some(),
            from_address: settings.from_address,
            from_name: settings.from_name,
        }
    }
}

/// By which server mail shall be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailSettingsInput {
    /// The server's name or public address.
    #[schema(example = "smtp.example.com")]
    pub host: String,
    /// Its port.
    #[schema(example = 587)]
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Our name there; absent: we do not sign in.
    pub username: Option<String>,
    /// Our password there; never told again. Absent: it stays, as long as host, port, security and
    /// username do.
    pub password: Option<String>,
    /// Whom mails are from.
    #[schema(example = "service@example.com")]
    pub from_address: String,
    /// That one's name.
    pub from_name: Option<String>,
}

/// A mail on its way, or what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Mail)]
pub struct MailView {
    /// Its identifier.
    pub id: MailId,
    /// Whose it is.
    pub account: AccountId,
    /// Of which kind.
    pub kind: Kind,
    /// To whom.
    pub recipient: String,
    /// Its subject.
    pub subject: String,
    /// What became of it.
    pub status: Status,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When it was queued.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
    /// When it is tried next.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub due_at: Option<DateTime<Utc>>,
    /// When the server took it.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub sent_at: Option<DateTime<Utc>>,
}

impl From<Mail> for MailView {
    fn from(mail: Mail) -> Self {
        Self {
            id: mail.id,
            account: mail.account,
            kind: mail.kind,
            recipient: mail.recipient,
            subject: mail.content.subject,
            status: mail.status,
            attempts: mail.attempts,
            error: mail.error,
            created_at: mail.created_at,
            due_at: mail.due_at,
            sent_at: mail.sent_at,
        }
    }
}

impl From<PostError> for Problem {
    fn from(error: PostError) -> Self {
        match error {
            PostError::Store(error) => error.into(),
            PostError::NoServer => Code::NoMailServer.into(),
            PostError::Full => Self::from(Code::Unavailable).detail(error.to_string()),
        }
    }
}

/// Reads by which server an account's mail is sent.
#[utoipa::path(get, path = "/v1/accounts/{account}/mail_settings", tag = "mail",
    responses((status = 200, body = MailSettingsView)))]
pub async fn read_settings(tenant: Tenant, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let settings = settings(&tenant, &api).await?.ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok().json(MailSettingsView::of(settings, tenant.id())))
}

/// Sets by which server an account's mail is sent, and that of the accounts below it which have no
/// settings of their own.
#[utoipa::path(put, path = "/v1/accounts/{account}/mail_settings", tag = "mail",
    request_body = MailSettingsInput, responses((status = 200, body = MailSettingsView),
    (status = 201, body = MailSettingsView)))]
pub async fn put_settings(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<MailSettingsInput>,
) -> Result<HttpResponse, Problem> {
    let id = tenant.id();
    let old = settings(&tenant, &api).await?;
    let old = old.filter(|settings| settings.account == id);
    let mut faults = Faults::default();
    faults.text("/host", &input.host, 1, 253);
    faults.range("/port", u32::from(input.port), (1, 65535));
    let host = input.host.trim().to_lowercase();
    let fault = match api.http.check(&format!("http://{host}/")) {
        Ok(url) if url.host_str() == Some(&host) && url.path() == "/" => None,
        Err(HttpError::Refused(_)) => {
            Some(("not_reachable", "this address is not reached by rule"))
        }
        Ok(_) | Err(_) => Some(("not_host", "write the name of a host")),
    };
    if let Some((code, detail)) = fault {
        faults.add("/host", code, detail);
    }
    let here = is_address(&input.from_address);
    faults.check(
        here,
        "/from_address",
        "not_email",
        "write an e-mail address",
    );
    for (pointer, text) in [
        ("/from_name", &input.from_name),
        ("/username", &input.username),
        ("/password", &input.password),
    ] {
        if let Some(text) = text {
            faults.text(pointer, text, 1, 200);
        }
    }
    // A password that was meant for one server is not told to another.
    let same = old.as_ref().filter(|old| {
        old.host == host
            && old.port == input.port
            && old.security == input.security
            && old.username == input.username
    });
    let password = input.password.or_else(|| same?.password.clone());
    let both = input.username.is_some() == password.is_some();
    faults.check(
        both,
        "/password",
        "missing",
        "write username and password, or neither",
    );
    faults.finish()?;
    let settings = MailSettings {
        account: id,
        host,
        port: input.port,
        security: input.security,
        username: input.username,
        password,
        from_address: input.from_address,
        from_name: input.from_name.map(|name| name.trim().to_owned()),
    };
    api.store
        .put_mail_settings(&tenant.scope, settings.clone(), now())
        .await?;
    let status = match old {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    Ok(HttpResponse::build(status).json(MailSettingsView::of(settings, id)))
}

/// Takes an account's own settings away: those of the account above hold.
#[utoipa::path(delete, path = "/v1/accounts/{account}/mail_settings", tag = "mail",
    responses((status = 204)))]
pub async fn remove_settings(tenant: Tenant, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    api.store
        .delete_mail_settings(&tenant.scope, tenant.id())
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lists mails, the latest first.
#[utoipa::path(get, path = "/v1/accounts/{account}/mails", tag = "mail", params(ListQuery),
    responses((status = 200, body = Listed<MailView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let (within, paging) = (query.within(tenant.id()), query.paging()?);
    let mails = api.store.mails(&tenant.scope, within, paging).await?;
    Ok(page::answer(&request, mails, MailView::from))
}

async fn settings(tenant: &Tenant, api: &Api) -> Result<Option<MailSettings>, Problem> {
    let (inherited, path) = (auth::inherited(), tenant.path());
    Ok(api.store.mail_settings(&inherited, &path).await?)
}
