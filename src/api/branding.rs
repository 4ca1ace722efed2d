//! How the portal looks for the users of an account, and under which host it is opened.

use std::io::Cursor;

use actix_web::http::header::{self, ContentEncoding};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use imagesize::{ImageSize, ImageType};
use serde::{Deserialize, Serialize};
use strowger_domain::account::branding::host_name;
use strowger_domain::account::{AccountKind, Branding};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Tenant, branded_host};
use super::error::{Code, Faults, Problem};
use super::files::{self, Picture};
use super::input::{Json, Query};
use super::{Api, now};
use crate::store::branding::Branded;

/// The widest and the highest logo, in pixels.
const LARGEST_LOGO: (usize, usize) = (180, 80);

/// The branding of an account.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountBranding)]
pub struct BrandingView {
    /// The host under which its portal is opened.
    pub host: Option<String>,
    /// How it looks.
    #[serde(flatten)]
    pub look: Branding,
    /// Whether it has a logo.
    pub has_logo: bool,
}

/// The branding that an account shall have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BrandingInput {
    /// The host under which its portal is opened: nobody else has it, and no customer has one.
    #[schema(example = "portal.example.com")]
    #[serde(default)]
    pub host: Option<String>,
    /// How it looks.
    #[serde(default)]
    pub look: Branding,
}

/// What the sign-in page of a host shows.
#[derive(Serialize, ToSchema)]
pub struct HostBranding {
    /// How it looks.
    #[serde(flatten)]
    pub look: Branding,
    /// Where its logo is read; null: it has none.
    #[schema(example = "/v1/branding/logo?host=portal.example.com")]
    pub logo: Option<String>,
}

/// A host.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HostQuery {
    /// The host under which the portal is opened, without port.
    #[param(example = "portal.example.com")]
    pub host: String,
}

impl From<Branded> for BrandingView {
    fn from(branded: Branded) -> Self {
        Self {
            host: branded.host,
            look: branded.look,
            has_logo: branded.logo.is_some(),
        }
    }
}

/// Tells how the portal looks under a host; one that nobody has looks as the platform does.
#[utoipa::path(get, path = "/v1/branding", tag = "branding", security(()), params(HostQuery),
    responses((status = 200, body = HostBranding)))]
pub async fn of_host(
    api: web::Data<Api>,
    Query(query): Query<HostQuery>,
) -> Result<HttpResponse, Problem> {
    let branded = branded_host(&api, &query.host).await?;
    let logo = branded.as_ref().and_then(|branded| {
        let (host, _) = (branded.host.as_ref()?, branded.logo.as_ref()?);
        Some(format!("/v1/branding/logo?host={host}"))
    });
    let look = branded.map(|branded| branded.look).unwrap_or_default();
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=60"))
        .json(HostBranding { look, logo }))
}

/// Reads the logo of a host.
#[utoipa::path(get, path = "/v1/branding/logo", tag = "branding", security(()), params(HostQuery),
    responses((status = 200, content_type = "image/png", body = Vec<u8>)))]
pub async fn logo_of_host(
    api: web::Data<Api>,
    Query(query): Query<HostQuery>,
) -> Result<HttpResponse, Problem> {
    let branded = branded_host(&api, &query.host).await?;
    let branded = branded.ok_or(Code::NotFound)?;
    picture(&api, &branded, "public, max-age=60").await
}

/// Reads the branding of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/branding", tag = "branding",
    responses((status = 200, body = BrandingView)))]
pub async fn read(tenant: Tenant, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let branded = api.store.branding(&tenant.scope, tenant.id()).await?;
    Ok(HttpResponse::Ok().json(BrandingView::from(branded)))
}

/// Puts the branding of an account. Its logo stays.
#[utoipa::path(put, path = "/v1/accounts/{account}/branding", tag = "branding",
    request_body = BrandingInput, responses((status = 200, body = BrandingView)))]
pub async fn put(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<BrandingInput>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    let host = input.host.as_deref().map(host_name);
    faults.check(
        host != Some(None),
        "/host",
        "not_host",
        "write a host name such as portal.example.com",
    );
    let is_customer = tenant.standing.account.kind == AccountKind::Customer;
    faults.check(
        !(is_customer && host.is_some()),
        "/host",
        "not_for_customers",
        "customers open the portal of the account above them",
    );
    let own = url::Url::parse(&api.settings.portal_url);
    let own = own.as_ref().ok().and_then(url::Url::host_str);
    let is_taken = |host: &str| own.is_some_and(|own| overlaps(host, own));
    faults.check(
        !host.clone().flatten().is_some_and(|host| is_taken(&host)),
        "/host",
        "taken",
        "this name is the platform's own",
    );
    faults.extend("/look", input.look.faults());
    faults.finish()?;
    let before = api.store.branding(&tenant.scope, tenant.id()).await?;
    let branded = Branded {
        host: host.flatten(),
        look: input.look,
        ..before
    };
    let put = api
        .store
        .put_branding(&tenant.scope, branded, now())
        .await?;
    Ok(HttpResponse::Ok().json(BrandingView::from(put)))
}

/// Whether two host names are one, or one lies below the other.
fn overlaps(one: &str, other: &str) -> bool {
    let below = |name: &str, above: &str| {
        let rest = name.strip_suffix(above);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    below(one, other) || below(other, one)
}

/// Reads the logo of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/branding/logo", tag = "branding",
    responses((status = 200, content_type = "image/png", body = Vec<u8>)))]
pub async fn logo(tenant: Tenant, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let branded = api.store.branding(&tenant.scope, tenant.id()).await?;
    picture(&api, &branded, "no-store").await
}

/// Puts the logo of an account: a GIF, JPEG or PNG of at most 180 by 80 pixels and 2 MB.
#[utoipa::path(put, path = "/v1/accounts/{account}/branding/logo", tag = "branding",
    request_body(content_type = "image/png", content = Vec<u8>),
    responses((status = 200, body = BrandingView)))]
pub async fn put_logo(
    tenant: Tenant,
    api: web::Data<Api>,
    Picture(bytes): Picture,
) -> Result<HttpResponse, Problem> {
    let extension = check_logo(&bytes)?;
    let file = format!("branding/{}.{extension}", Uuid::now_v7().simple());
    files::write(&files::path(&api, tenant.id(), &file)?, &bytes).await?;
    replace_logo(&api, &tenant, Some(file)).await
}

/// Removes the logo of an account.
#[utoipa::path(delete, path = "/v1/accounts/{account}/branding/logo", tag = "branding",
    responses((status = 204)))]
pub async fn remove_logo(tenant: Tenant, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    replace_logo(&api, &tenant, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn replace_logo(
    api: &Api,
    tenant: &Tenant,
    logo: Option<String>,
) -> Result<HttpResponse, Problem> {
    let before = api.store.branding(&tenant.scope, tenant.id()).await?;
    let old = before.logo.clone();
    let branded = Branded { logo, ..before };
    let put = api
        .store
        .put_branding(&tenant.scope, branded, now())
        .await?;
    if let Some(old) = old {
        files::remove(&files::path(api, tenant.id(), &old)?).await;
    }
    Ok(HttpResponse::Ok().json(BrandingView::from(put)))
}

/// The file name extension of a logo, by what it holds and not by what it is called.
fn check_logo(bytes: &Bytes) -> Result<&'static str, Problem> {
    let wrong = || Problem::fault("", "not_picture", "send a GIF, JPEG or PNG picture");
    let extension = match imagesize::image_type(bytes) {
        Ok(ImageType::Gif) => "gif",
        Ok(ImageType::Jpeg) => "jpg",
        Ok(ImageType::Png) => "png",
        Ok(_) | Err(_) => return Err(wrong()),
    };
    let size = imagesize::reader_size(Cursor::new(bytes));
    let ImageSize { width, height } = size.map_err(|_unreadable| wrong())?;
    let (widest, highest) = LARGEST_LOGO;
    if width == 0 || height == 0 || width > widest || height > highest {
        let detail =
            format!("it has {width} by {height} pixels; {widest} by {highest} are allowed");
        return Err(Problem::fault("", "too_large", detail));
    }
    Ok(extension)
}

async fn picture(api: &Api, branded: &Branded, caching: &str) -> Result<HttpResponse, Problem> {
    let file = branded.logo.as_ref().ok_or(Code::NotFound)?;
    let path = files::path(api, branded.account, file)?;
    let bytes = tokio::fs::read(&path).await.map_err(|error| {
        tracing::error!(%error, path = %path.display(), "a logo can't be read");
        Problem::from(Code::NotFound)
    })?;
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gif") => "image/gif",
        Some("jpg") => "image/jpeg",
        _ => "image/png",
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, caching.to_owned()))
        .insert_header(ContentEncoding::Identity)
        .content_type(kind)
        .body(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_above_or_below_the_platforms_is_its_own() {
        let own = "portal.operator.example";
        for taken in [own, "operator.example", "login.portal.operator.example"] {
            assert!(overlaps(taken, own), "{taken}");
        }
        for free in [
            "notoperator.example",
            "shop.operator.example",
            "portal.other.example",
        ] {
            assert!(!overlaps(free, own), "{free}");
        }
    }
}
