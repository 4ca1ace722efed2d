//! Instances: the runs of an outbound service.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::cause::Cause;
use strowger_domain::destination::Destination;
use strowger_domain::directory::NumberStatus;
use strowger_domain::e164::E164;
use strowger_domain::ids::{AccountId, CallId, InstanceId, ServiceId};
use utoipa::ToSchema;

use super::auth::Tenant;
use super::error::{Code, Faults, Problem};
use super::input::{Json, Query, segment};
use super::page::{ListQuery, Listed};
use super::services::service;
use super::starter::Starter;
use super::{Api, page};
use crate::accounts::messages::{StartRefused, StartService};
use crate::store::StoreError;
use crate::store::services::{Instance, InstanceState};

/// One run of a service.
#[derive(Serialize, ToSchema)]
#[schema(as = Instance)]
pub struct InstanceView {
    /// Its identifier.
    pub id: InstanceId,
    /// Who owns it.
    pub account: AccountId,
    /// The service.
    pub service: ServiceId,
    /// Whom it calls.
    pub to: String,
    /// The presented number.
    pub from: String,
    /// The application's own string, as it was given at the start.
    pub token: String,
    /// Given to the application.
    pub outbound_parameters: String,
    /// How far it is.
    pub state: InstanceState,
    /// Its call.
    pub call: Option<CallId>,
    /// Why its call ended.
    pub cause: Option<Cause>,
    /// The SIP status that it ended with.
    pub sip_status: Option<u16>,
    /// What was wrong with the application.
    pub failure: Option<String>,
    /// When it was started.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    #[serde(with = "strowger_domain::timestamp")]
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<Instance> for InstanceView {
    fn from(instance: Instance) -> Self {
        Self {
            id: instance.id,
            account: instance.account,
            service: instance.service,
            to: instance.called,
            from: instance.calling,
            token: instance.token,
            outbound_parameters: instance.outbound_parameters,
            state: instance.state,
            call: instance.call,
            cause: instance.cause,
            sip_status: instance.sip_status,
            failure: instance.failure,
            created_at: instance.created_at,
            updated_at: instance.updated_at,
            ended_at: instance.ended_at,
        }
    }
}

/// A wish to start a service.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartInput {
    /// Whom to call: a number, or a SIP URI where the account may.
    #[schema(example = "+447700900123")]
    pub to: String,
    /// The presented number; needed when `to` is a number.
    #[schema(example = "+441632960001")]
    pub from: Option<String>,
    /// The application's own string, given back in every request.
    pub token: Option<String>,
    /// Given to the application.
    pub outbound_parameters: Option<String>,
}

/// What was started.
#[derive(Serialize, ToSchema)]
pub struct Started {
    /// The instance.
    pub instance: InstanceId,
}

/// Starts a service: with a token, or by HTTP basic authentication with the service's name and
/// password.
#[utoipa::path(post, path = "/v1/accounts/{account}/services/outbound/{service}/start",
    tag = "services", request_body = StartInput,
    responses((status = 202, body = Started), (status = 422, body = super::error::ProblemBody)))]
pub async fn start(
    starter: Starter,
    api: web::Data<Api>,
    Json(input): Json<StartInput>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    if !starter.is_active {
        faults.add("", "account_disabled", "the account is disabled");
    }
    if !starter.permissions.outbound_services {
        let detail = "the account has no permission for outbound services";
        faults.add("", "permission_denied", detail);
    }
    let to = Destination::read(&input.to, api.settings.country);
    let to = faults.take("/to", "invalid_destination", to);
    if let Some(to) = &to {
        let _may = faults.take(
            "/to",
            "destination_not_permitted",
            to.check(&starter.permissions),
        );
    }
    let from = if let Some(from) = &input.from {
        presented(&mut faults, &api, &starter, from).await?
    } else {
        let is_sip = matches!(to, Some(Destination::Sip(_)) | None);
        faults.check(
            is_sip,
            "/from",
            "missing",
            "name the number that is presented",
        );
        None
    };
    faults.text("/token", input.token.as_deref().unwrap_or(""), 0, 4096);
    let parameters = input.outbound_parameters.as_deref().unwrap_or("");
    faults.text("/outbound_parameters", parameters, 0, 4096);
    faults.finish()?;
    let wish = StartService {
        account: starter.service.account,
        service: starter.service.id,
        to: to.ok_or(Code::Internal)?.to_string(),
        from: from.map(|from| from.to_string()),
        token: input.token,
        outbound_parameters: input.outbound_parameters,
    };
    match api.platform.start_service(wish).await? {
        Ok(instance) => Ok(HttpResponse::build(StatusCode::ACCEPTED).json(Started { instance })),
        Err(refused) => {
            let code = match refused {
                StartRefused::NoService => Code::NotFound,
                StartRefused::NoChannel => Code::NoChannel,
                StartRefused::Draining => Code::Unavailable,
            };
            let problem = Problem::from(code).detail(refused.to_string());
            Err(problem.header(header::RETRY_AFTER, HeaderValue::from_static("2")))
        }
    }
}

/// Lists the instances of a service, the latest first.
#[utoipa::path(get, path = "/v1/accounts/{account}/services/outbound/{service}/instances",
    tag = "services", params(ListQuery), responses((status = 200, body = Listed<InstanceView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let service = service(&request, &tenant, &api).await?;
    let instances = api
        .store
        .instances(&tenant.scope, service.id, query.paging()?)
        .await?;
    Ok(page::answer(&request, instances, InstanceView::from))
}

/// Reads an instance.
#[utoipa::path(get,
    path = "/v1/accounts/{account}/services/outbound/{service}/instances/{instance}",
    tag = "services", responses((status = 200, body = InstanceView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let service = service(&request, &tenant, &api).await?;
    let instance = api
        .store
        .instance(&tenant.scope, segment(&request, "instance")?)
        .await?;
    if instance.service != service.id {
        return Err(Code::NotFound.into());
    }
    Ok(HttpResponse::Ok().json(InstanceView::from(instance)))
}

/// The number that may be presented: hosted and active here, or one that custom CLI permits.
async fn presented(
    faults: &mut Faults,
    api: &Api,
    starter: &Starter,
    text: &str,
) -> Result<Option<E164>, Problem> {
    let read = E164::read(text, api.settings.country);
    let Some(number) = faults.take("/from", "invalid_number", read) else {
        return Ok(None);
    };
    match api.store.number_by_e164(&starter.scope, &number).await {
        Ok(hosted) if hosted.status == NumberStatus::Active => return Ok(Some(number)),
        Ok(_) | Err(StoreError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    if !starter.permissions.custom_cli {
        let detail = "it is not an active number of the account or of an account below it";
        faults.add("/from", "unknown_number", detail);
    } else if !number.class().is_presentable() {
        let detail = "only 01, 02, 03, 080 and mobile numbers may be presented";
        faults.add("/from", "presentation_not_allowed", detail);
    }
    Ok(Some(number))
}
