//! Notes every change in the audit log, before it is answered.
//!
//! No handler takes part, so that none can forget it: this layer stands around every route that may
//! change something. What was before is what the `GET` of the same path says; what is after is what
//! the handler answers, or the same `GET` again.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, Handler, HttpMessage, HttpRequest, HttpResponse, Responder};
use serde_json::Value;
use strowger_domain::audit;
use strowger_domain::ids::{AccountId, AuditEntryId, SessionId};
use uuid::Uuid;

use super::auth::{self, Principal, Tenant};
use super::error::{Code, Problem};
use super::frame::RequestId;
use super::{Api, now};
use crate::store::audit_log::AuditEntry;
use crate::store::users::User;

/// Paths that change nothing although they are posted to, by their end; and those whose handlers
/// note by themselves what is worth it.
const NOT_NOTED: &[&str] = &[
    "/validate",
    "/simulate",
    "/preview",
    "/auth/token",
    "/auth/refresh",
    "/auth/logout",
];

/// The longest name of a program that is kept, in bytes.
const MAX_USER_AGENT: usize = 200;

/// Who acts: kept with the request as soon as it is known.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The identifier of the user, key or service.
    pub id: String,
    /// How people call it.
    pub name: String,
    /// Its own account.
    pub account: AccountId,
}

/// The JSON body that was sent, without its secrets; kept with the request by who reads it.
#[derive(Clone, Debug)]
pub struct Sent(pub Value);

/// Answers what a `GET` of the request's path says, if that is JSON.
pub type Reader = Rc<dyn Fn(HttpRequest) -> Pin<Box<dyn Future<Output = Option<Value>>>>>;

/// The reader of a handler of `GET`.
pub fn reader<F, Args>(handler: F) -> Reader
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Rc::new(move |request| {
        let handler = handler.clone();
        Box::pin(async move {
            let args = Args::from_request(&request, &mut Payload::None)
                .await
                .ok()?;
            let answer = handler.call(args).await.respond_to(&request);
            if !answer.status().is_success() {
                return None;
            }
            let body = answer.map_into_boxed_body().into_body();
            serde_json::from_slice(&body.try_into_bytes().ok()?).ok()
        })
    })
}

/// What is done by a request of this method and path (`users.change`); `None`: nothing that would
/// be noted.
pub fn operation(method: &Method, path: &str) -> Option<String> {
    let verb = match *method {
        Method::POST => "create",
        Method::DELETE if !path.ends_with('}') => "clear",
        Method::PUT => "put",
        Method::PATCH => "change",
        Method::DELETE => "delete",
        _ => return None,
    };
    if NOT_NOTED.iter().any(|end| path.ends_with(end)) {
        return None;
    }
    let path = path.trim_start_matches("/v1");
    let path = path
        .strip_prefix("/accounts/{account}/")
        .unwrap_or(path)
        .trim_start_matches('/');
    let (mut nouns, mut below) = (Vec::new(), false);
    for part in path.split('/') {
        if part.starts_with('{') {
            below = true;
        } else {
            nouns.push(part);
        }
    }
    // A command is named by its own word: `call_plans.publish`, `auth.password`.
    let ends_in_word = !path.ends_with('}');
    let is_command =
        *method == Method::POST && ends_in_word && (below || nouns.first() == Some(&"auth"));
    if !is_command {
        nouns.push(verb);
    }
    Some(nouns.join("."))
}

/// The layer around the routes of one path. What changes something is carried out whole, from the
/// first query to the audit log and to whoever acts by it: also when its sender hangs up.
pub async fn note<B: MessageBody + 'static>(
    path: &'static str,
    read: Option<Reader>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method().is_safe() {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let whole = actix_web::rt::spawn(carry_out(path, read, request, next));
    whole.await.unwrap_or_else(|error| {
        tracing::error!(%error, path, "a request was not carried out");
        Err(Problem::from(Code::Internal).into())
    })
}

async fn carry_out<B: MessageBody + 'static>(
    path: &'static str,
    read: Option<Reader>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let method = request.method().clone();
    let Some(operation) = operation(&method, path) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    // What is created was not there, and a command has no state of its own.
    let read = read.filter(|_| method != Method::POST);
    let before = match &read {
        Some(read) => read(request.request().clone()).await,
        None => None,
    };
    let response = next.call(request).await?.map_into_boxed_body();
    if !response.status().is_success() {
        return Ok(response);
    }
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let (answer, body) = match body.try_into_bytes() {
        Ok(bytes) => {
            let answer = serde_json::from_slice::<Value>(&bytes).ok();
            (answer.filter(Value::is_object), BoxBody::new(bytes))
        }
        Err(body) => (None, body),
    };
    let sent = request
        .extensions()
        .get::<Sent>()
        .map(|sent| sent.0.clone());
    let after = match (&method, answer) {
        (&Method::DELETE, _) => None,
        (_, Some(answer)) => Some(answer),
        (&Method::POST, None) => sent.clone(),
        (_, None) => match &read {
            Some(read) => read(request.clone()).await,
            None => sent.clone(),
        },
    };
    let secrets = sent.as_ref().and_then(audit::only_secrets);
    let is_known = method == Method::DELETE && read.is_some();
    if let Some((before, after)) = told(is_known, before, after, secrets) {
        let resource = resource(&request, after.as_ref());
        let noted = Noted {
            operation,
            resource,
            before,
            after,
        };
        write(&request, &method, path, noted).await;
    }
    let response: HttpResponse = response.set_body(body);
    Ok(ServiceResponse::new(request, response))
}

struct Noted {
    operation: String,
    resource: Option<String>,
    before: Option<Value>,
    after: Option<Value>,
}

/// What the entry tells of before and after; `None`: there was no change. `is_known`: had there been
/// something, it would have been read.
fn told(
    is_known: bool,
    before: Option<Value>,
    after: Option<Value>,
    secrets: Option<Value>,
) -> Option<(Option<Value>, Option<Value>)> {
    let clean = |value: Value| audit::bounded(audit::without_secrets(value));
    match (before, after) {
        (Some(before), Some(after)) => {
            let (before, after) = match (audit::difference(&before, &after), secrets) {
                (None, None) => return None,
                (Some((before, after)), secrets) => (before, audit::with(after, secrets)),
                (None, Some(secrets)) => (Value::Null, secrets),
            };
            let before = Some(before).filter(|before| !before.is_null());
            Some((before.map(clean), Some(clean(after))))
        }
        // It was gone before: DELETE says so as often as it is asked.
        (None, None) if is_known => None,
        (before, after) => {
            let after = after.map(|after| audit::with(after, secrets));
            Some((before.map(clean), after.map(clean)))
        }
    }
}

/// What it was done to: the last thing that the path names, what was answered, or the account.
fn resource(request: &HttpRequest, after: Option<&Value>) -> Option<String> {
    let named = request.match_info().iter().last();
    let named = named.filter(|(name, _)| *name != "account");
    let made = || after?.get("id")?.as_str().map(ToOwned::to_owned);
    let account = || {
        let extensions = request.extensions();
        Some(extensions.get::<Tenant>()?.id().to_string())
    };
    named
        .map(|(_, id)| id.to_owned())
        .or_else(made)
        .or_else(account)
}

async fn write(request: &HttpRequest, method: &Method, path: &str, noted: Noted) {
    let Ok(api) = auth::api(request) else { return };
    let Some(actor) = request.extensions().get::<Actor>().cloned() else {
        tracing::error!(operation = noted.operation, "a change by nobody known");
        return;
    };
    let tenant = request.extensions().get::<Tenant>().map(|tenant| {
        // Where the account itself is gone, its parent tells of it.
        let gone = *method == Method::DELETE && path.ends_with("{account}");
        let account = &tenant.standing.account;
        account.parent.filter(|_| gone).unwrap_or(account.id)
    });
    let entry = AuditEntry {
        resource: noted.resource,
        before: noted.before,
        after: noted.after,
        ..entry(
            request,
            &actor,
            tenant.unwrap_or(actor.account),
            noted.operation,
        )
    };
    keep(&api, entry).await;
}

/// An entry of this request without a thing that it was done to.
pub fn entry(
    request: &HttpRequest,
    actor: &Actor,
    account: AccountId,
    operation: String,
) -> AuditEntry {
    let program = request.headers().get(header::USER_AGENT);
    let program = program.and_then(|value| value.to_str().ok());
    AuditEntry {
        id: AuditEntryId::from_uuid(Uuid::now_v7()),
        account,
        created_at: now(),
        actor: actor.id.clone(),
        actor_name: actor.name.clone(),
        actor_account: Some(actor.account),
        source: request.peer_addr().map(|address| address.ip().to_string()),
        // `to_str` lets visible ASCII through only.
        user_agent: program.map(|text| text.chars().take(MAX_USER_AGENT).collect()),
        request_id: request
            .extensions()
            .get::<RequestId>()
            .map(|id| id.0.clone()),
        operation,
        resource: None,
        before: None,
        after: None,
    }
}

/// Writes an entry. What was done is done: that it can't be noted is the operator's concern.
pub async fn keep(api: &Api, entry: AuditEntry) {
    let operation = entry.operation.clone();
    if let Err(error) = api.store.note_change(entry).await {
        tracing::error!(%error, operation, "a change is missing in the audit log");
    }
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        match principal {
            Principal::User(known) => Self::user(&known.user),
            Principal::Key(key) => Self {
                id: key.id.to_string(),
                name: key.name.clone(),
                account: key.account,
            },
        }
    }
}

impl Actor {
    /// A user.
    pub fn user(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.email.clone(),
            account: user.account,
        }
    }
}

/// Notes that a user signed in.
pub async fn signed_in(request: &HttpRequest, api: &Api, user: &User, session: SessionId) {
    note_session(request, api, (user, session), "sign_in").await;
}

/// Notes that a user signed out.
pub async fn signed_out(request: &HttpRequest, api: &Api, user: &User, session: SessionId) {
    note_session(request, api, (user, session), "sign_out").await;
}

async fn note_session(
    request: &HttpRequest,
    api: &Api,
    (user, session): (&User, SessionId),
    operation: &str,
) {
    let (actor, operation) = (Actor::user(user), operation.to_owned());
    let entry = AuditEntry {
        resource: Some(session.to_string()),
        ..entry(request, &actor, user.account, operation)
    };
    keep(api, entry).await;
}

/// Notes that somebody tried to be a user. The answer does not wait for it: it would tell who is
/// known here.
pub fn sign_in_failed(request: &HttpRequest, api: &Api, user: &User) {
    let (actor, operation) = (Actor::user(user), "sign_in_failed".to_owned());
    let entry = entry(request, &actor, user.account, operation);
    let store = api.store.clone();
    actix_web::rt::spawn(async move {
        if let Err(error) = store.note_change(entry).await {
            tracing::error!(%error, "a failed sign-in is missing in the audit log");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_operation_is_named_by_its_nouns_and_a_verb_or_by_its_command() {
        for (method, path, name) in [
            (Method::POST, "/v1/accounts/{account}/users", "users.create"),
            (
                Method::PATCH,
                "/v1/accounts/{account}/users/{user}",
                "users.change",
            ),
            (Method::PATCH, "/v1/accounts/{account}", "accounts.change"),
            (
                Method::POST,
                "/v1/accounts/{account}/children",
                "children.create",
            ),
            (
                Method::POST,
                "/v1/accounts/{account}/call_plans/{plan}/publish",
                "call_plans.publish",
            ),
            (
                Method::PUT,
                "/v1/accounts/{account}/call_plans/{plan}/draft",
                "call_plans.draft.put",
            ),
            (
                Method::DELETE,
                "/v1/accounts/{account}/audio/{audio}",
                "audio.delete",
            ),
            (Method::POST, "/v1/auth/password", "auth.password"),
        ] {
            assert_eq!(operation(&method, path).as_deref(), Some(name), "{path}");
        }
        let nothing = "/v1/accounts/{account}/call_plans/validate";
        assert_eq!(operation(&Method::POST, nothing), None);
        assert_eq!(operation(&Method::GET, "/v1/me"), None);
    }

    #[test]
    fn what_did_not_change_is_not_told_and_a_secret_only_that_it_did() {
        let (same, secret) = (json!({"name": "x"}), Some(json!({"password": "changed"})));
        assert_eq!(
            told(false, Some(same.clone()), Some(same.clone()), None),
            None
        );
        assert_eq!(
            told(
                false,
                Some(same.clone()),
                Some(same.clone()),
                secret.clone()
            ),
            Some((None, Some(json!({"password": "changed"}))))
        );
        assert_eq!(told(true, None, None, None), None);
        let unseen = told(false, None, None, None);
        assert_eq!(
            unseen,
            Some((None, None)),
            "nobody can say that it was not there"
        );
        assert_eq!(
            told(true, Some(same.clone()), None, None),
            Some((Some(same.clone()), None))
        );
        assert_eq!(
            told(false, None, Some(json!({"id": "1", "secret": "s3"})), None),
            Some((None, Some(json!({"id": "1", "secret": "changed"}))))
        );
    }
}
