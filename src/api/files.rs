//! Audio going in and out: uploads as a body or a form, downloads whole or in part.

use std::future::Future;
use std::io::SeekFrom;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use actix_web::body::SizedStream;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentEncoding, HeaderValue};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::stream;
use strowger_domain::ids::AccountId;
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncSeekExt, Take};

use super::Api;
use super::error::{Code, Problem};
use super::input::body;

/// The largest audio file, in bytes.
const MAX_AUDIO: usize = 10 * 1024 * 1024;

/// A form's part headers and boundaries come on top.
const MAX_FORM: usize = MAX_AUDIO + 16 * 1024;

/// What is read of a file at a time.
const CHUNK: usize = 64 * 1024;

/// An uploaded file.
#[derive(Debug)]
pub struct Upload {
    /// The file name of a form.
    pub name: Option<String>,
    /// Its content.
    pub bytes: Bytes,
}

impl FromRequest for Upload {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
            .to_owned();
        let payload = payload.take();
        Box::pin(async move {
            let media = kind
                .split(';')
                .next()
                .unwrap_or("")
                .trim()
                .to_ascii_lowercase();
            match media.as_str() {
                "audio/wav"
                | "audio/x-wav"
                | "audio/wave"
                | "audio/vnd.wave"
                | "application/octet-stream" => Ok(Self {
                    name: None,
                    bytes: body(payload, MAX_AUDIO).await?,
                }),
                "multipart/form-data" => {
                    let boundary = boundary(&kind).ok_or_else(|| malformed("no boundary"))?;
                    let upload = part(&body(payload, MAX_FORM).await?, &boundary)?;
                    if upload.bytes.len() > MAX_AUDIO {
                        return Err(Code::TooLarge.into());
                    }
                    Ok(upload)
                }
                _ => Err(Problem::from(Code::UnsupportedMedia)
                    .detail("Send audio/wav, or multipart/form-data with one file.")),
            }
        })
    }
}

/// The largest picture, in bytes.
const MAX_PICTURE: usize = 2 * 1024 * 1024;

/// An uploaded picture; what it is, its bytes tell.
#[derive(Debug)]
pub struct Picture(pub Bytes);

impl FromRequest for Picture {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or("");
        let is_picture = kind.starts_with("image/") || kind == "application/octet-stream";
        let payload = payload.take();
        Box::pin(async move {
            if !is_picture {
                let detail = "Send image/png, image/jpeg or image/gif.";
                return Err(Problem::from(Code::UnsupportedMedia).detail(detail));
            }
            body(payload, MAX_PICTURE).await.map(Self)
        })
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::from(Code::MalformedBody).detail(format!("multipart/form-data: {detail}"))
}

/// The boundary of a form. RFC 2046 §5.1.1: at most 70 characters.
fn boundary(kind: &str) -> Option<String> {
    let parameters = kind.split(';').skip(1);
    let value = parameters
        .filter_map(|one| one.trim().split_once('='))
        .find_map(|(name, value)| {
            name.trim()
                .eq_ignore_ascii_case("boundary")
                .then(|| value.trim().trim_matches('"'))
        })?;
    (!value.is_empty() && value.len() <= 70).then(|| value.to_owned())
}

/// The first part of a form that has a file name; else the first one.
fn part(form: &Bytes, boundary: &str) -> Result<Upload, Problem> {
    let mut first: Option<Upload> = None;
    let delimiter = format!("--{boundary}");
    let mut rest = skip_past(form, delimiter.as_bytes()).ok_or_else(|| malformed("no part"))?;
    let delimiter = format!("\r\n--{boundary}");
    loop {
        if rest.starts_with(b"--") {
            return first.ok_or_else(|| malformed("no file"));
        }
        let end = find(&rest, delimiter.as_bytes()).ok_or_else(|| malformed("it is cut off"))?;
        let part = rest.slice(..end);
        rest = rest.slice(end + delimiter.len()..);
        let Some(head) = find(&part, b"\r\n\r\n") else {
            return Err(malformed("no part header"));
        };
        let name = file_name(&part[..head]);
        let is_file = name.is_some();
        let upload = Upload {
            name,
            bytes: part.slice(head + 4..),
        };
        if is_file {
            return Ok(upload);
        }
        first.get_or_insert(upload);
    }
}

fn file_name(head: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    let line = head.lines().find(|line| {
        line.get(..20)
            .is_some_and(|name| name.eq_ignore_ascii_case("content-disposition:"))
    })?;
    let (_, value) = line.split_once("filename=\"")?;
    let (name, _) = value.split_once('"')?;
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    (!name.is_empty()).then(|| name.to_owned())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn skip_past(bytes: &Bytes, wanted: &[u8]) -> Option<Bytes> {
    find(bytes, wanted).map(|at| bytes.slice(at + wanted.len()..))
}

/// Where an account's media file is. The names are the platform's own.
pub fn path(api: &Api, account: AccountId, name: &str) -> Result<PathBuf, Problem> {
    api.media.path(account, name).map_err(|error| {
        tracing::error!(%error, "a media file has a name that leads out of its folder");
        Code::NotFound.into()
    })
}

/// Writes a new file.
pub async fn write(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let folder = path.parent().unwrap_or(path);
    let written = async {
        fs::create_dir_all(folder).await?;
        fs::write(path, bytes).await
    };
    written.await.map_err(|error: std::io::Error| {
        tracing::error!(%error, path = %path.display(), "an audio file cannot be written");
        Code::Unavailable.into()
    })
}

/// Removes a file that nothing names any more.
pub async fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path).await {
        tracing::warn!(%error, path = %path.display(), "an audio file cannot be removed");
    }
}

/// Answers a WAV file, or the range of it that is asked for (RFC 9110 §14).
pub async fn answer(
    path: &Path,
    range: Option<&HeaderValue>,
    name: &str,
) -> Result<HttpResponse, Problem> {
    let gone = |error: std::io::Error| {
        tracing::error!(%error, path = %path.display(), "an audio file cannot be read");
        Problem::from(Code::NotFound).detail("The file is not there.")
    };
    let mut file = File::open(path).await.map_err(gone)?;
    let size = file.metadata().await.map_err(gone)?.len();
    let mut answer = HttpResponse::Ok();
    let part = match range
        .and_then(|value| value.to_str().ok())
        .and_then(|text| ask(text, size))
    {
        None => 0..size,
        Some(part) if !part.is_empty() => {
            let told = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
            answer
                .status(StatusCode::PARTIAL_CONTENT)
                .insert_header((header::CONTENT_RANGE, told));
            part
        }
        Some(_outside) => {
            let told = HeaderValue::from_str(&format!("bytes */{size}"));
            let told = told.unwrap_or_else(|_error| HeaderValue::from_static("bytes */0"));
            return Err(
                Problem::from(Code::RangeNotSatisfiable).header(header::CONTENT_RANGE, told)
            );
        }
    };
    file.seek(SeekFrom::Start(part.start)).await.map_err(gone)?;
    let length = part.end - part.start;
    answer
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        // Ranges are of the file's own bytes.
        .insert_header(ContentEncoding::Identity)
        .insert_header((header::CACHE_CONTROL, "private, max-age=3600"))
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("inline; filename=\"{name}\""),
        ))
        .content_type("audio/wav");
    Ok(answer.body(SizedStream::new(
        length,
        Box::pin(chunks(file.take(length))),
    )))
}

/// The range that is asked for; `None`: not one that we answer in parts. One that lies outside of
/// the file is empty.
fn ask(text: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first.trim(), last.trim()) {
        ("", last) => size.saturating_sub(last.parse().ok()?)..size,
        (first, "") => first.parse().ok()?..size,
        (first, last) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if last < first {
                return None;
            }
            first..last.saturating_add(1).min(size)
        }
    };
    Some(range)
}

fn chunks(file: Take<File>) -> impl stream::Stream<Item = Result<Bytes, std::io::Error>> {
    stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK];
        let length = file.read(&mut chunk).await?;
        chunk.truncate(length);
        Ok((length > 0).then(|| (Bytes::from(chunk), file)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_the_rfc_says() {
        for (text, wanted) in [
            ("bytes=0-9", Some(0..10)),
            ("bytes=90-", Some(90..100)),
            ("bytes=-10", Some(90..100)),
            ("bytes=-1000", Some(0..100)),
            ("bytes=50-1000", Some(50..100)),
            ("bytes=100-", Some(100..100)),
            ("bytes=9-5", None),
            ("bytes=0-1,4-5", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(ask(text, 100), wanted, "{text}");
        }
    }

    #[test]
    fn the_file_of_a_form_is_found_between_other_fields() {
        let form = "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nhello\r\n--b\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"C:\\a\\tone.wav\"\r\n\
            Content-Type: audio/wav\r\n\r\nRIFF\r\n--x\r\n--b--\r\n";
        let upload = part(&Bytes::from_static(form.as_bytes()), "b").unwrap();
        assert_eq!(upload.name.as_deref(), Some("tone.wav"));
        assert_eq!(&upload.bytes[..], b"RIFF\r\n--x");
    }

    #[test]
    fn a_form_that_is_cut_off_is_refused() {
        for form in ["", "--b", "--b\r\nA: b\r\n\r\nxx", "--b--", "--b\r\n--b--"] {
            assert!(
                part(&Bytes::from_static(form.as_bytes()), "b").is_err(),
                "{form}"
            );
        }
    }
}
