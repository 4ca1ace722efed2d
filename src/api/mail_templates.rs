//! What mails of each kind say.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use strowger_domain::ids::{AccountId, MailId};
use strowger_domain::mail::{Kind, Rendered, Template, example, is_address};
use utoipa::ToSchema;

use super::auth::{self, Tenant};
use super::error::{Faults, Problem};
use super::input::{Json, OptionalJson, segment};
use super::page::Listed;
use super::{Api, now};
use crate::mail::outbox::Addressed;

/// What mails of a kind say.
#[derive(Serialize, ToSchema)]
#[schema(as = MailTemplateOfKind)]
pub struct TemplateView {
    /// The kind of mail.
    pub kind: Kind,
    /// Whose template it is; null: the product's own.
    pub account: Option<AccountId>,
    /// Whether it comes from above.
    pub inherited: bool,
    /// The subject, one line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML document; null: plain text only.
    pub html: Option<String>,
    /// What may stand in it as `{{variable}}`.
    pub variables: Vec<String>,
}

impl TemplateView {
    fn of(kind: Kind, found: (Option<AccountId>, Template), account: AccountId) -> Self {
        let (owner, template) = found;
        let names = kind.variables().iter();
        Self {
            kind,
            account: owner,
            inherited: owner != Some(account),
            subject: template.subject,
            text: template.text,
            html: template.html,
            variables: names.map(|(name, _)| (*name).to_owned()).collect(),
        }
    }
}

/// What shall be tried.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TemplatePreview {
    /// A template that is not kept yet; absent: the one that holds.
    pub template: Option<Template>,
}

/// Where a template shall be tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateTest {
    /// Who gets the mail.
    #[schema(example = "alice@example.com")]
    pub to: String,
}

/// A mail that was put into the queue.
#[derive(Serialize, ToSchema)]
pub struct QueuedMail {
    /// Its identifier.
    pub id: MailId,
}

/// Lists what mails of each kind say.
#[utoipa::path(get, path = "/v1/accounts/{account}/mail_templates", tag = "mail",
    responses((status = 200, body = Listed<TemplateView>)))]
pub async fn list(tenant: Tenant, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let mut items = Vec::new();
    for kind in Kind::ALL {
        let found = template(&tenant, &api, kind).await?;
        items.push(TemplateView::of(kind, found, tenant.id()));
    }
    Ok(HttpResponse::Ok().json(Listed {
        items,
        next_cursor: None,
    }))
}

/// Reads what mails of a kind say.
#[utoipa::path(get, path = "/v1/accounts/{account}/mail_templates/{mail_kind}", tag = "mail",
    responses((status = 200, body = TemplateView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let kind = segment(&request, "mail_kind")?;
    let found = template(&tenant, &api, kind).await?;
    Ok(HttpResponse::Ok().json(TemplateView::of(kind, found, tenant.id())))
}

/// Sets what mails of a kind say, here and in the accounts below that say nothing else.
#[utoipa::path(put, path = "/v1/accounts/{account}/mail_templates/{mail_kind}", tag = "mail",
    request_body = Template, responses((status = 200, body = TemplateView)))]
pub async fn put(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(template): Json<Template>,
) -> Result<HttpResponse, Problem> {
    let kind: Kind = segment(&request, "mail_kind")?;
    let mut faults = Faults::default();
    faults.extend("", template.faults(kind));
    faults.finish()?;
    let id = tenant.id();
    api.store
        .put_mail_template(&tenant.scope, (id, kind), template.clone(), now())
        .await?;
    Ok(HttpResponse::Ok().json(TemplateView::of(kind, (Some(id), template), id)))
}

/// Takes an account's own template away: that of the account above holds.
#[utoipa::path(delete, path = "/v1/accounts/{account}/mail_templates/{mail_kind}", tag = "mail",
    responses((status = 204)))]
pub async fn remove(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let kind = segment(&request, "mail_kind")?;
    api.store
        .delete_mail_template(&tenant.scope, (tenant.id(), kind))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Shows a mail of a kind with example values.
#[utoipa::path(post, path = "/v1/accounts/{account}/mail_templates/{mail_kind}/preview",
    tag = "mail", request_body = TemplatePreview, responses((status = 200, body = Rendered)))]
pub async fn preview(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    OptionalJson(wish): OptionalJson<TemplatePreview>,
) -> Result<HttpResponse, Problem> {
    let kind: Kind = segment(&request, "mail_kind")?;
    let template = match wish.template {
        Some(draft) => {
            let mut faults = Faults::default();
            faults.extend("/template", draft.faults(kind));
            faults.finish()?;
            draft
        }
        None => template(&tenant, &api, kind).await?.1,
    };
    Ok(HttpResponse::Ok().json(template.render(&example(kind))))
}

/// Sends a mail of a kind with example values.
#[utoipa::path(post, path = "/v1/accounts/{account}/mail_templates/{mail_kind}/test",
    tag = "mail", request_body = TemplateTest, responses((status = 202, body = QueuedMail)))]
pub async fn test(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(wish): Json<TemplateTest>,
) -> Result<HttpResponse, Problem> {
    let kind = segment(&request, "mail_kind")?;
    let mut faults = Faults::default();
    faults.check(
        is_address(&wish.to),
        "/to",
        "not_email",
        "write an e-mail address",
    );
    faults.finish()?;
    let (inherited, path) = (auth::inherited(), tenant.path());
    let to = Addressed {
        path: &path,
        kind,
        recipient: wish.to,
    };
    let id = api.postbox.post(&inherited, to, &example(kind)).await?;
    Ok(HttpResponse::Accepted().json(QueuedMail { id }))
}

async fn template(
    tenant: &Tenant,
    api: &Api,
    kind: Kind,
) -> Result<(Option<AccountId>, Template), Problem> {
    let (inherited, path) = (auth::inherited(), tenant.path());
    Ok(api.postbox.template(&inherited, &path, kind).await?)
}
