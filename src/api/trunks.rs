//! Trunks to carriers and PBXs.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::ids::{AccountId, TrunkId};
use strowger_domain::route::Network;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Tenant;
use super::error::{Faults, Problem};
use super::input::{Json, Query, present, segment};
use super::page::{ListQuery, Listed};
use super::{Api, now, page};
use crate::accounts::messages::Changed;
use crate::store::StoreError;
use crate::store::trunks::{Trunk, TrunkChange, TrunkTransport};

const CODECS: [&str; 4] = ["PCMA", "PCMU", "G722", "opus"];

/// Offered when none is named: every carrier knows them.
const USUAL: [&str; 2] = ["PCMA", "PCMU"];

/// A carrier or PBX that takes and gives calls.
#[derive(Serialize, ToSchema)]
#[schema(as = Trunk)]
pub struct TrunkView {
    /// Its identifier.
    pub id: TrunkId,
    /// Who owns it.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// Host name or address, with a port where it is not 5060.
    #[schema(example = "sip.example.com:5060")]
    pub host: String,
    /// How requests are sent.
    pub transport: TrunkTransport,
    /// For digest authentication.
    pub username: Option<String>,
    /// Its inbound calls must answer a digest challenge with username and password.
    pub authenticate_inbound: bool,
    /// Networks whose calls come from this trunk.
    #[schema(example = json!(["192.0.2.0/24"]))]
    pub allowed_sources: Vec<String>,
    /// Offered codecs, the best first.
    pub codecs: Vec<String>,
    /// When it was created.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
}

impl From<Trunk> for TrunkView {
    fn from(trunk: Trunk) -> Self {
        Self {
            id: trunk.id,
            account: trunk.account,
            name: trunk.name,
            host: trunk.host,
            transport: trunk.transport,
            username: trunk.username,
            authenticate_inbound: trunk.authenticate_inbound,
            allowed_sources: trunk.allowed_sources,
            codecs: trunk.codecs,
            created_at: trunk.created_at,
        }
    }
}

/// A trunk to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrunkInput {
    /// Its name.
    pub name: String,
    /// Host name or address, with a port where it is not 5060.
    pub host: String,
    /// How requests are sent; absent: UDP.
    pub transport: Option<TrunkTransport>,
    /// For digest authentication.
    pub username: Option<String>,
    /// For digest authentication; never told again.
    pub password: Option<String>,
    /// Its inbound calls must answer a digest challenge with username and password.
    #[serde(default)]
    pub authenticate_inbound: bool,
    /// Networks whose calls come from this trunk.
    #[serde(default)]
    pub allowed_sources: Vec<String>,
    /// Offered codecs (`PCMA`, `PCMU`, `G722`, `opus`), the best first; absent: `PCMA`, `PCMU`.
    pub codecs: Option<Vec<String>>,
}

/// What shall be changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrunkPatch {
    /// Its name.
    pub name: Option<String>,
    /// Host name or address, with a port where it is not 5060.
    pub host: Option<String>,
    /// How requests are sent.
    pub transport: Option<TrunkTransport>,
    /// For digest authentication; null: none.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub username: Option<Option<String>>,
    /// For digest authentication; null: none.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub password: Option<Option<String>>,
    /// Whether its inbound calls must answer a digest challenge.
    pub authenticate_inbound: Option<bool>,
    /// Networks whose calls come from this trunk.
    pub allowed_sources: Option<Vec<String>>,
    /// Offered codecs, the best first.
    pub codecs: Option<Vec<String>>,
}

/// Lists the trunks of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/trunks", tag = "trunks", params(ListQuery),
    responses((status = 200, body = Listed<TrunkView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let within = query.within(tenant.id());
    let trunks = api
        .store
        .trunks(&tenant.scope, within, query.paging()?)
        .await?;
    Ok(page::answer(&request, trunks, TrunkView::from))
}

/// Creates a trunk.
#[utoipa::path(post, path = "/v1/accounts/{account}/trunks", tag = "trunks",
    request_body = TrunkInput, responses((status = 201, body = TrunkView)))]
pub async fn create(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<TrunkInput>,
) -> Result<HttpResponse, Problem> {
    let codecs = input
        .codecs
        .unwrap_or_else(|| USUAL.map(ToOwned::to_owned).to_vec());
    let mut faults = Faults::default();
    check_name(&mut faults, &input.name);
    check_host(&mut faults, &input.host);
    check_sources(&mut faults, &input.allowed_sources);
    check_codecs(&mut faults, &codecs);
    check_credential(&mut faults, "/username", input.username.as_deref());
    check_credential(&mut faults, "/password", input.password.as_deref());
    if input.authenticate_inbound && (input.username.is_none() || input.password.is_none()) {
        let detail = "inbound calls can't be authenticated without a username and a password";
        faults.add("/authenticate_inbound", "needs_credentials", detail);
    }
    faults.finish()?;
    let trunk = Trunk {
        id: TrunkId::from_uuid(Uuid::now_v7()),
        account: tenant.id(),
        name: input.name,
        host: input.host,
        transport: input.transport.unwrap_or(TrunkTransport::Udp),
        username: input.username,
        password: input.password,
        authenticate_inbound: input.authenticate_inbound,
        allowed_sources: input.allowed_sources,
        codecs,
        created_at: now(),
    };
    let trunk = api.store.create_trunk(&tenant.scope, trunk).await?;
    api.platform.directory_changed(Changed::Routes).await;
    Ok(HttpResponse::Created().json(TrunkView::from(trunk)))
}

/// Reads a trunk.
#[utoipa::path(get, path = "/v1/accounts/{account}/trunks/{trunk}", tag = "trunks",
    responses((status = 200, body = TrunkView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let trunk = api
        .store
        .trunk(&tenant.scope, segment(&request, "trunk")?)
        .await?;
    Ok(HttpResponse::Ok().json(TrunkView::from(trunk)))
}

/// Changes a trunk.
#[utoipa::path(patch, path = "/v1/accounts/{account}/trunks/{trunk}", tag = "trunks",
    request_body = TrunkPatch, responses((status = 200, body = TrunkView)))]
pub async fn change(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(patch): Json<TrunkPatch>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    if let Some(name) = &patch.name {
        check_name(&mut faults, name);
    }
    if let Some(host) = &patch.host {
        check_host(&mut faults, host);
    }
    check_sources(
        &mut faults,
        patch.allowed_sources.as_deref().unwrap_or_default(),
    );
    if let Some(codecs) = &patch.codecs {
        check_codecs(&mut faults, codecs);
    }
    check_credential(
        &mut faults,
        "/username",
        patch.username.as_ref().and_then(Option::as_deref),
    );
    check_credential(
        &mut faults,
        "/password",
        patch.password.as_ref().and_then(Option::as_deref),
    );
    faults.finish()?;
    let change = TrunkChange {
        name: patch.name,
        host: patch.host,
        transport: patch.transport,
        username: patch.username,
        password: patch.password,
        authenticate_inbound: patch.authenticate_inbound,
        allowed_sources: patch.allowed_sources,
        codecs: patch.codecs,
    };
    let id = segment(&request, "trunk")?;
    let trunk = api
        .store
        .update_trunk(&tenant.scope, id, change, now())
        .await?;
    api.platform.directory_changed(Changed::Routes).await;
    Ok(HttpResponse::Ok().json(TrunkView::from(trunk)))
}

/// Removes a trunk that no route leads to.
#[utoipa::path(delete, path = "/v1/accounts/{account}/trunks/{trunk}", tag = "trunks",
    responses((status = 204)))]
pub async fn remove(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let gone = api
        .store
        .delete_trunk(&tenant.scope, segment(&request, "trunk")?)
        .await;
    removed(&api, gone).await
}

/// What is gone already is removed as well.
pub(super) async fn removed(
    api: &Api,
    gone: Result<(), StoreError>,
) -> Result<HttpResponse, Problem> {
    match gone {
        Ok(()) | Err(StoreError::NotFound) => {
            api.platform.directory_changed(Changed::Routes).await;
            Ok(HttpResponse::NoContent().finish())
        }
        Err(error) => Err(error.into()),
    }
}

fn check_name(faults: &mut Faults, name: &str) {
    faults.text("/name", name, 1, 100);
}

fn check_host(faults: &mut Faults, host: &str) {
    let well = url::Url::parse(&format!("http://{host}")).is_ok_and(|url| {
        url.host().is_some()
            && url.path() == "/"
            && url.username().is_empty()
            && !host.contains(['/', '?', '#', '@'])
    });
    let plain = host.len() <= 255 && host.bytes().all(|b| b.is_ascii_graphic());
    faults.check(
        well && plain,
        "/host",
        "not_host",
        "write host or host:port",
    );
}

fn check_sources(faults: &mut Faults, sources: &[String]) {
    for (index, source) in sources.iter().enumerate() {
        let pointer = format!("/allowed_sources/{index}");
        let _network = faults.take(&pointer, "not_network", source.parse::<Network>());
    }
}

fn check_codecs(faults: &mut Faults, codecs: &[String]) {
    faults.check(
        !codecs.is_empty(),
        "/codecs",
        "missing",
        "name at least one codec",
    );
    for (index, codec) in codecs.iter().enumerate() {
        let known = CODECS.contains(&codec.as_str());
        faults.check(
            known,
            &format!("/codecs/{index}"),
            "unknown_value",
            "PCMA, PCMU, G722 or opus",
        );
    }
}

fn check_credential(faults: &mut Faults, pointer: &str, text: Option<&str>) {
    if let Some(text) = text {
        faults.text(pointer, text, 1, 128);
    }
}
