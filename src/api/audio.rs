//! The audio files of an account's pool.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::ids::{AccountId, AudioId};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::Tenant;
use super::error::{Code, Faults, Problem};
use super::files::{self, Upload};
use super::input::{Query, segment};
use super::page::{ListQuery, Listed};
use super::usage::storage_left;
use super::{Api, now, page};
use crate::store::StoreError;
use crate::store::audio::Audio;

/// An audio file.
#[derive(Serialize, ToSchema)]
#[schema(as = Audio)]
pub struct AudioView {
    /// Its identifier; call plans name it by this.
    pub id: AudioId,
    /// Who owns it.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// Its length in milliseconds.
    pub duration_ms: u64,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was uploaded.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
}

impl From<Audio> for AudioView {
    fn from(audio: Audio) -> Self {
        Self {
            id: audio.id,
            account: audio.account,
            name: audio.name,
            duration_ms: u64::try_from(audio.duration.as_millis()).unwrap_or(u64::MAX),
            size_bytes: audio.size_bytes,
            created_at: audio.created_at,
        }
    }
}

/// How the uploaded file is called.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UploadQuery {
    /// Its name; absent: the file name of the form, or `audio.wav`.
    pub name: Option<String>,
}

/// Lists the audio files of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/audio", tag = "audio", params(ListQuery),
    responses((status = 200, body = Listed<AudioView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let within = query.within(tenant.id());
    let files = api
        .store
        .audio_files(&tenant.scope, within, query.paging()?)
        .await?;
    Ok(page::answer(&request, files, AudioView::from))
}

/// Uploads a WAV file of at most 10 MB, as the body (`audio/wav`) or as a form's one file.
#[utoipa::path(post, path = "/v1/accounts/{account}/audio", tag = "audio", params(UploadQuery),
    request_body(content_type = "audio/wav", content = Vec<u8>),
    responses((status = 201, body = AudioView), (status = 422, body = super::error::ProblemBody)))]
pub async fn upload(
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<UploadQuery>,
    Upload { name, bytes }: Upload,
) -> Result<HttpResponse, Problem> {
    let name = query
        .name
        .or(name)
        .unwrap_or_else(|| "audio.wav".to_owned());
    let size_bytes = bytes.len() as u64;
    let (bytes, read) = web::block(move || {
        let read = strowger_media::wav::read(&bytes);
        (bytes, read)
    })
    .await
    .map_err(|_error| Problem::from(Code::Internal))?;
    let mut faults = Faults::default();
    faults.text("?name", &name, 1, 100);
    let samples = faults.take("", "not_wav", read);
    faults.finish()?;
    let room = storage_left(&api, &tenant.standing).await?;
    if room.is_some_and(|room| room < size_bytes) {
        let detail = "The account's storage is full: remove recordings or audio files first.";
        return Err(Problem::from(Code::LimitReached).detail(detail));
    }
    let samples = samples.map_or(0, |samples| samples.len() as u64);
    let id = AudioId::from_uuid(Uuid::now_v7());
    let audio = Audio {
        id,
        account: tenant.id(),
        name,
        file: format!("audio/{id}.wav"),
        // The reader gives 8,000 samples for each second, whatever the file had.
        duration: std::time::Duration::from_millis(samples / 8),
        size_bytes,
        created_at: now(),
    };
    let path = files::path(&api, audio.account, &audio.file)?;
    files::write(&path, &bytes).await?;
    let audio = match api.store.create_audio(&tenant.scope, audio).await {
        Ok(audio) => audio,
        Err(error) => {
            files::remove(&path).await;
            return Err(error.into());
        }
    };
    api.storage.add(audio.account, audio.size_bytes);
    Ok(HttpResponse::Created().json(AudioView::from(audio)))
}

/// Reads what is known of an audio file.
#[utoipa::path(get, path = "/v1/accounts/{account}/audio/{audio}", tag = "audio",
    responses((status = 200, body = AudioView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let audio = api
        .store
        .audio(&tenant.scope, segment(&request, "audio")?)
        .await?;
    Ok(HttpResponse::Ok().json(AudioView::from(audio)))
}

/// Downloads an audio file.
#[utoipa::path(get, path = "/v1/accounts/{account}/audio/{audio}/content", tag = "audio",
    responses((status = 200, content_type = "audio/wav", body = Vec<u8>),
        (status = 206, content_type = "audio/wav", body = Vec<u8>)))]
pub async fn download(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let audio = api
        .store
        .audio(&tenant.scope, segment(&request, "audio")?)
        .await?;
    let path = files::path(&api, audio.account, &audio.file)?;
    let range = request.headers().get(header::RANGE);
    files::answer(&path, range, &format!("{}.wav", audio.id)).await
}

/// Removes an audio file. Call plans that name it skip it from now on.
#[utoipa::path(delete, path = "/v1/accounts/{account}/audio/{audio}", tag = "audio",
    responses((status = 204)))]
pub async fn remove(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    match api
        .store
        .delete_audio(&tenant.scope, segment(&request, "audio")?)
        .await
    {
        Ok(audio) => {
            api.storage.remove(audio.account, audio.size_bytes);
            files::remove(&files::path(&api, audio.account, &audio.file)?).await;
        }
        Err(StoreError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(HttpResponse::NoContent().finish())
}
