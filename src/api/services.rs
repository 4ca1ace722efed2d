//! Outbound services: a customer's web application drives calls that the platform dials.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strowger_domain::ids::{AccountId, ServiceId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Tenant;
use super::error::{Code, Faults, Problem};
use super::input::{Json, Query};
use super::page::{ListQuery, Listed};
use super::{Api, now, page};
use crate::events::http_client::HttpError;
use crate::store::StoreError;
use crate::store::services::OutboundService;

/// How a page is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PageMethod {
    /// `instance_info` is the query argument of this name.
    Get,
    /// `instance_info` is the body.
    #[default]
    Post,
}

/// A page of the application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PageAddress {
    /// An absolute http or https address.
    #[schema(example = "https://app.example.com/first")]
    pub address: String,
    /// How it is asked for.
    #[serde(default)]
    pub method: PageMethod,
}

/// The pages of the application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rest {
    /// Asked for when the call is answered.
    pub first_page: PageAddress,
    /// Asked for once when the call is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_page: Option<PageAddress>,
    /// Asked for once when the application fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_page: Option<PageAddress>,
}

/// An outbound service. Its password is never told.
#[derive(Serialize, ToSchema)]
#[schema(as = OutboundService)]
pub struct ServiceView {
    /// Its identifier.
    pub id: ServiceId,
    /// Who owns it.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// The pages of the application.
    #[schema(value_type = Rest)]
    pub rest: Value,
    /// Given to the application with each instance.
    pub application_parameters: String,
    /// How many further calls an instance may make at a time.
    pub extra_channels: u32,
    /// When it was created.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(with = "strowger_domain::timestamp")]
    pub updated_at: DateTime<Utc>,
}

impl From<OutboundService> for ServiceView {
    fn from(service: OutboundService) -> Self {
        Self {
            id: service.id,
            account: service.account,
            name: service.name,
            rest: service.rest,
            application_parameters: service.application_parameters,
            extra_channels: service.extra_channels,
            created_at: service.created_at,
            updated_at: service.updated_at,
        }
    }
}

/// The whole configuration of a service.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceInput {
    /// With this, and the service's name as user, a program starts it; at least 10 characters.
    pub service_password: String,
    /// The pages of the application.
    pub rest: Rest,
    /// Given to the application with each instance.
    #[serde(default)]
    pub application_parameters: String,
    /// How many further calls an instance may make at a time (0 to 100).
    #[serde(default)]
    pub extra_channels: u32,
}

/// Lists the outbound services of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/services/outbound", tag = "services",
    params(ListQuery), responses((status = 200, body = Listed<ServiceView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let within = query.within(tenant.id());
    let services = api
        .store
        .outbound_services(&tenant.scope, within, query.paging()?)
        .await?;
    Ok(page::answer(&request, services, ServiceView::from))
}

/// Reads an outbound service.
#[utoipa::path(get, path = "/v1/accounts/{account}/services/outbound/{service}", tag = "services",
    responses((status = 200, body = ServiceView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let service = service(&request, &tenant, &api).await?;
    Ok(HttpResponse::Ok().json(ServiceView::from(service)))
}

/// Creates the service of this name, or replaces it.
#[utoipa::path(put, path = "/v1/accounts/{account}/services/outbound/{service}", tag = "services",
    request_body = ServiceInput,
    responses((status = 200, body = ServiceView), (status = 201, body = ServiceView)))]
pub async fn put(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<ServiceInput>,
) -> Result<HttpResponse, Problem> {
    let name = request.match_info().get("service").unwrap_or("").to_owned();
    let mut faults = Faults::default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let named = (1..=64).contains(&name.len()) && name.chars().all(plain);
    faults.check(
        named,
        "",
        "bad_name",
        "name it by 1 to 64 letters, digits, _, - and .",
    );
    super::passwords::check(&mut faults, "/service_password", &input.service_password);
    check_page(
        &mut faults,
        &api,
        "/rest/first_page",
        Some(&input.rest.first_page),
    );
    check_page(
        &mut faults,
        &api,
        "/rest/final_page",
        input.rest.final_page.as_ref(),
    );
    check_page(
        &mut faults,
        &api,
        "/rest/error_page",
        input.rest.error_page.as_ref(),
    );
    faults.text(
        "/application_parameters",
        &input.application_parameters,
        0,
        4096,
    );
    faults.range("/extra_channels", input.extra_channels, (0, 100));
    if !tenant.standing.permissions.outbound_services {
        let detail = "the account has no permission for outbound services";
        faults.add("", "permission_denied", detail);
    }
    faults.finish()?;
    let password_hash = api.passwords.hash(input.service_password).await?;
    let rest = serde_json::to_value(&input.rest).map_err(|_error| Problem::from(Code::Internal))?;
    let time = now();
    let service = OutboundService {
        id: ServiceId::from_uuid(Uuid::now_v7()),
        account: tenant.id(),
        name,
        password_hash,
        rest,
        application_parameters: input.application_parameters,
        extra_channels: input.extra_channels,
        created_at: time,
        updated_at: time,
    };
    let (service, is_new) = api
        .store
        .put_outbound_service(&tenant.scope, service)
        .await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(HttpResponse::build(status).json(ServiceView::from(service)))
}

/// Removes a service with the list of its instances. Their calls stay on record.
#[utoipa::path(delete, path = "/v1/accounts/{account}/services/outbound/{service}",
    tag = "services", responses((status = 204)))]
pub async fn remove(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let name = request.match_info().get("service").unwrap_or("");
    match api
        .store
        .outbound_service(&tenant.scope, tenant.id(), name)
        .await
    {
        Ok(service) => {
            api.store
                .delete_outbound_service(&tenant.scope, service.id)
                .await?;
        }
        Err(StoreError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(HttpResponse::NoContent().finish())
}

/// The service that the path names.
pub(super) async fn service(
    request: &HttpRequest,
    tenant: &Tenant,
    api: &Api,
) -> Result<OutboundService, Problem> {
    let name = request.match_info().get("service").unwrap_or("");
    Ok(api
        .store
        .outbound_service(&tenant.scope, tenant.id(), name)
        .await?)
}

fn check_page(faults: &mut Faults, api: &Api, pointer: &str, page: Option<&PageAddress>) {
    let Some(page) = page else { return };
    let pointer = format!("{pointer}/address");
    if page.address.len() > 2000 {
        faults.add(&pointer, "bad_length", "write at most 2000 characters");
    }
    match api.http.check(&page.address) {
        Ok(_url) => {}
        Err(error @ HttpError::Refused(_)) => {
            faults.add(&pointer, "not_reachable", error.to_string());
        }
        Err(error) => faults.add(&pointer, "not_url", error.to_string()),
    }
}
