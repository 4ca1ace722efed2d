use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers every connection with `answer` and keeps what was asked.
async fn server(answer: Vec<u8>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 4096];
            let length = stream.read(&mut buffer).await.unwrap_or(0);
            log.lock()
                .unwrap()
                .push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            let _closed = stream.write_all(&answer).await;
        }
    });
    (address, asked)
}

fn with_loopback() -> HttpClient {
    let allowed = vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
    HttpClient::new(Policy {
        allowed,
        ..Policy::default()
    })
    .unwrap()
}

fn answer(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

#[tokio::test]
async fn a_permitted_page_is_asked_and_read() {
    let (address, asked) = server(answer("hello")).await;
    let request = Request::post_json(format!("http://{address}/first?x=1"), r#"{"a":1}"#);
    let response = with_loopback().send(request).await.unwrap();
    assert_eq!((response.status, &response.body[..]), (200, &b"hello"[..]));
    assert_eq!(response.content_type.as_deref(), Some("text/plain"));
    let asked = asked.lock().unwrap().join("");
    assert!(asked.starts_with("POST /first?x=1 HTTP/1.1"), "{asked}");
    assert!(asked.contains("application/json"), "{asked}");
    assert!(asked.ends_with(r#"{"a":1}"#), "{asked}");
}

#[tokio::test]
async fn a_name_that_resolves_to_loopback_is_refused_unless_permitted() {
    let (address, asked) = server(answer("secret")).await;
    let url = format!("http://localhost:{}/", address.port());
    let strict = HttpClient::new(Policy::default()).unwrap();
    let refused = strict.send(Request::get(&url)).await;
    assert!(matches!(refused, Err(HttpError::Refused(_))), "{refused:?}");
    assert!(asked.lock().unwrap().is_empty());
    assert_eq!(
        with_loopback()
            .send(Request::get(&url))
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn addresses_written_as_numbers_are_checked_in_every_spelling() {
    let strict = HttpClient::new(Policy::default()).unwrap();
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1]/",
        "http://10.0.0.1:8080/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
    ] {
        let refused = strict.send(Request::get(url)).await;
        assert!(
            matches!(refused, Err(HttpError::Refused(_))),
            "{url}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn what_is_no_plain_web_address_is_refused() {
    for url in [
        "",
        "/page",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://u:p@example.com/",
    ] {
        let refused = with_loopback().send(Request::get(url)).await;
        assert!(
            matches!(refused, Err(HttpError::BadUrl)),
            "{url}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_answered_and_not_followed() {
    let (target, asked) = server(answer("never")).await;
    let redirect =
        format!("HTTP/1.1 302 Found\r\nlocation: http://{target}/\r\ncontent-length: 0\r\n\r\n");
    let (address, _) = server(redirect.into_bytes()).await;
    let response = with_loopback()
        .send(Request::get(format!("http://{address}/")))
        .await
        .unwrap();
    assert_eq!(response.status, 302);
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whether_announced_or_not() {
    let announced = answer(&"x".repeat(101));
    let unannounced = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}",
        "x".repeat(101)
    )
    .into_bytes();
    for bytes in [announced, unannounced] {
        let (address, _) = server(bytes).await;
        let request = Request {
            max_body: Some(100),
            ..Request::get(format!("http://{address}/"))
        };
        let refused = with_loopback().send(request).await;
        assert!(
            matches!(refused, Err(HttpError::TooLarge { limit: 100 })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_never_answers_meets_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let request = Request {
        timeout: Some(Duration::from_millis(20)),
        ..Request::get(format!("http://{address}/"))
    };
    let refused = with_loopback().send(request).await;
    assert!(matches!(refused, Err(HttpError::TimedOut)), "{refused:?}");
}

#[tokio::test]
async fn a_header_with_a_line_break_is_never_sent() {
    let (address, asked) = server(answer("")).await;
    let request = Request {
        headers: vec![("x-a".to_owned(), "1\r\nx-b: 2".to_owned())],
        ..Request::get(format!("http://{address}/"))
    };
    assert!(matches!(
        with_loopback().send(request).await,
        Err(HttpError::BadHeader)
    ));
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_went_wrong_is_explained_without_the_query() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/first?pin=4711", free.local_addr().unwrap());
    drop(free);
    let error = with_loopback().send(Request::get(url)).await.unwrap_err();
    assert!(matches!(error, HttpError::Failed(_)), "{error:?}");
    assert!(!error.explain().contains("4711"), "{}", error.explain());
}
