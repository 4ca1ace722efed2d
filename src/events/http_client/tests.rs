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
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://127.0.1/",
        "http://127.0.0.1./",
        "http://%31%32%37.0.0.1/",
        "http://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
        "http://[::]/",
        "http://[::7f00:1]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b:1::1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:7f00:1::]/",
        "http://[fc00::1]/",
        "http://[fd12:3456::1]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
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

/// A client whose names lead where a test says, the last answer again and again; and how often it
/// asked.
fn with_names(answers: &[&[&str]]) -> (HttpClient, Arc<Mutex<usize>>) {
    let parse = |address: &&str| SocketAddr::new(address.parse().unwrap(), 0);
    let answers: Vec<Vec<SocketAddr>> = answers
        .iter()
        .map(|answer| answer.iter().map(parse).collect())
        .collect();
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let lookup: Lookup = Arc::new(move |_name| {
        let mut asked = count.lock().unwrap();
        let answer = answers[(*asked).min(answers.len() - 1)].clone();
        *asked += 1;
        Box::pin(async move { Ok(answer) })
    });
    let policy = Policy {
        allowed: vec!["127.0.0.2/32".parse().unwrap()],
        ..Policy::default()
    };
    (HttpClient::with_lookup(policy, lookup).unwrap(), asked)
}

/// A server on an address that [`with_names`] may reach, and closes after each answer.
async fn permitted(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _asked = stream.read(&mut [0; 4096]).await;
            let _closed = stream.write_all(&answer).await;
        }
    });
    address
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_a_moment_later_gains_nothing() {
    let address = permitted(answer("hello")).await;
    let (client, asked) = with_names(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let url = format!("http://rebound.test:{}/", address.port());
    let first = client.send(Request::get(&url)).await.unwrap();
    assert_eq!(&first.body[..], b"hello");
    // What was checked is what was connected to: the name was asked for once.
    assert_eq!(*asked.lock().unwrap(), 1);
    let second = client.send(Request::get(&url)).await;
    assert!(matches!(second, Err(HttpError::Refused(_))), "{second:?}");
}

#[tokio::test]
async fn of_several_addresses_only_those_permitted_are_tried() {
    let address = permitted(answer("hello")).await;
    let url = format!("http://mixed.test:{}/", address.port());
    let (client, _) = with_names(&[&["127.0.0.1", "::1", "127.0.0.2"]]);
    assert_eq!(client.send(Request::get(&url)).await.unwrap().status, 200);
    for hidden in [
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:a00:1::1",
        "fd00::1",
        "fe80::1",
    ] {
        let (client, _) = with_names(&[&[hidden]]);
        let refused = client.send(Request::get(&url)).await;
        assert!(
            matches!(refused, Err(HttpError::Refused(_))),
            "{hidden}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn what_is_compressed_stays_as_small_as_it_came() {
    let bomb =
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00";
    let (address, asked) = server(bomb.to_vec()).await;
    let url = format!("http://{address}/");
    let response = with_loopback().send(Request::get(url)).await.unwrap();
    assert_eq!(&response.body[..], b"\x1f\x8b\x08\x00");
    let asked = asked.lock().unwrap().join("").to_ascii_lowercase();
    assert!(!asked.contains("accept-encoding"), "{asked}");
}

#[tokio::test]
async fn a_body_that_stops_meets_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _asked = stream.read(&mut [0; 4096]).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
        stream.write_all(head).await.unwrap();
        // Until the client goes.
        while stream.read(&mut [0; 4096]).await.unwrap_or(0) > 0 {}
    });
    let request = Request {
        timeout: Some(Duration::from_millis(100)),
        ..Request::get(format!("http://{address}/"))
    };
    let refused = with_loopback().send(request).await;
    assert!(matches!(refused, Err(HttpError::TimedOut)), "{refused:?}");
    server.await.unwrap();
}

#[tokio::test]
async fn of_a_large_body_the_beginning_can_be_had() {
    let (address, _) = server(answer(&"x".repeat(5000))).await;
    let request = Request {
        max_body: Some(1024),
        cuts_body: true,
        ..Request::get(format!("http://{address}/"))
    };
    let response = with_loopback().send(request).await.unwrap();
    assert_eq!((response.status, response.body.len()), (200, 1024));
}
