//! The portal's files, carried inside the program.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::RustEmbed;

use super::error::{Code, Problem};

#[derive(RustEmbed)]
#[folder = "web/dist/"]
struct Files;

const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; \
                      connect-src 'self'; object-src 'none'; base-uri 'self'; \
                      form-action 'self'; frame-ancestors 'none'";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <title>Strowger</title><h1>Strowger runs</h1>\
    <p>The API answers under <a href=\"/v1/openapi.json\">/v1</a>. The portal was not built into \
    this program, because Node.js was not there. To have it: install Node.js 20.19 or later with \
    npm, then <code>touch web/index.html</code> and build again.</p></html>";

/// Answers every path that is no API path: a file, or the page that finds its way by itself.
pub async fn file(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = request.path();
    if ["/v1", "/system"].iter().any(|api| {
        path.strip_prefix(api)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }) {
        return Err(Code::NotFound.into());
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let allow = HeaderValue::from_static("GET, HEAD");
        return Err(Problem::from(Code::MethodNotAllowed).header(header::ALLOW, allow));
    }
    let wanted = path.trim_start_matches('/');
    let has_extension = wanted
        .rsplit('/')
        .next()
        .is_some_and(|name| name.contains('.'));
    let (name, file) = match Files::get(wanted) {
        Some(file) if !wanted.is_empty() => (wanted, file),
        _ if has_extension => return Err(Code::NotFound.into()),
        _ => match Files::get("index.html") {
            Some(page) => ("index.html", page),
            None => return Ok(not_built()),
        },
    };
    let tag = URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash());
    let tag = format!("\"{tag}\"");
    // Vite puts the hash of a file's content into the names under assets/.
    let caching = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((header::CACHE_CONTROL, caching))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::ETAG, tag.clone()));
    let known = request
        .headers()
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        return Ok(answer
            .status(actix_web::http::StatusCode::NOT_MODIFIED)
            .finish());
    }
    let kind = file.metadata.mimetype();
    let kind = if kind.starts_with("text/") && !kind.contains("charset") {
        format!("{kind}; charset=utf-8")
    } else {
        kind.to_owned()
    };
    Ok(answer.content_type(kind).body(file.data.into_owned()))
}

fn not_built() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'"))
        .content_type("text/html; charset=utf-8")
        .body(NOT_BUILT)
}
