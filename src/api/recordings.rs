//! Recordings of calls.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use strowger_domain::ids::{AccountId, CallId, RecordingId};
use utoipa::ToSchema;

use super::auth::Tenant;
use super::error::Problem;
use super::input::{Query, segment};
use super::page::{ListQuery, Listed};
use super::{Api, files, page};
use crate::store::StoreError;
use crate::store::recordings::Recording;

/// A recording.
#[derive(Serialize, ToSchema)]
#[schema(as = Recording)]
pub struct RecordingView {
    /// Its identifier.
    pub id: RecordingId,
    /// Who owns it.
    pub account: AccountId,
    /// The recorded call.
    pub call: CallId,
    /// 1: all parties mixed; 2: the first party left, the other one right.
    pub channels: u8,
    /// Its length in milliseconds.
    pub duration_ms: u64,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was made.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
}

impl From<Recording> for RecordingView {
    fn from(recording: Recording) -> Self {
        Self {
            id: recording.id,
            account: recording.account,
            call: recording.call,
            channels: recording.channels,
            duration_ms: u64::try_from(recording.duration.as_millis()).unwrap_or(u64::MAX),
            size_bytes: recording.size_bytes,
            created_at: recording.created_at,
        }
    }
}

/// Lists the recordings of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/recordings", tag = "recordings",
    params(ListQuery), responses((status = 200, body = Listed<RecordingView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let within = query.within(tenant.id());
    let recordings = api
        .store
        .recordings(&tenant.scope, within, query.paging()?)
        .await?;
    Ok(page::answer(&request, recordings, RecordingView::from))
}

/// Reads what is known of a recording.
#[utoipa::path(get, path = "/v1/accounts/{account}/recordings/{recording}", tag = "recordings",
    responses((status = 200, body = RecordingView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let recording = api
        .store
        .recording(&tenant.scope, segment(&request, "recording")?)
        .await?;
    Ok(HttpResponse::Ok().json(RecordingView::from(recording)))
}

/// Downloads a recording, whole or in part.
#[utoipa::path(get, path = "/v1/accounts/{account}/recordings/{recording}/audio",
    tag = "recordings",
    responses((status = 200, content_type = "audio/wav", body = Vec<u8>),
        (status = 206, content_type = "audio/wav", body = Vec<u8>)))]
pub async fn audio(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let recording = api
        .store
        .recording(&tenant.scope, segment(&request, "recording")?)
        .await?;
    let path = files::path(&api, recording.account, &recording.file)?;
    let range = request.headers().get(header::RANGE);
    files::answer(&path, range, &format!("{}.wav", recording.id)).await
}

/// Removes a recording with its file.
#[utoipa::path(delete, path = "/v1/accounts/{account}/recordings/{recording}",
    tag = "recordings", responses((status = 204)))]
pub async fn remove(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    match api
        .store
        .delete_recording(&tenant.scope, segment(&request, "recording")?)
        .await
    {
        Ok(gone) => {
            api.storage.remove(gone.account, gone.size_bytes);
            files::remove(&files::path(&api, gone.account, &gone.file)?).await;
        }
        Err(StoreError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(HttpResponse::NoContent().finish())
}
