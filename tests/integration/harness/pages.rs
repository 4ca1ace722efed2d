//! A customer's web server: it answers pages as a test says, and keeps what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::facts::eventually;

/// What a page answers.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl From<Value> for Reply {
    fn from(body: Value) -> Self {
        Self {
            status: 200,
            body: body.to_string().into_bytes(),
        }
    }
}

impl Reply {
    /// An answer of this status.
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            body: Vec::new(),
        }
    }
}

type Asked = Arc<Mutex<Vec<(String, Value)>>>;
type Pages = Arc<dyn Fn(&str, &Value) -> Reply + Send + Sync>;

/// The server.
pub(crate) struct PageServer {
    pub(crate) address: SocketAddr,
    asked: Asked,
    task: JoinHandle<()>,
}

impl PageServer {
    /// Starts it; `pages` gets the path and the `instance_info`.
    pub(crate) async fn start(
        pages: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Asked::default();
        let (pages, seen): (Pages, _) = (Arc::new(pages), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&pages), Arc::clone(&seen)));
            }
        });
        Self {
            address,
            asked,
            task,
        }
    }

    /// The URL of a page.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it was asked so far: path and `instance_info`, in order.
    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }

    /// The paths that it was asked for, in order.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.asked().into_iter().map(|(path, _)| path).collect()
    }

    /// Waits until a page is asked for; answers its `instance_info`.
    pub(crate) async fn is_asked(&self, path: &str) -> Value {
        eventually(
            &format!("the page {path} is asked for; {:?}", self.paths()),
            || async {
                let asked = self.asked().into_iter().rev();
                asked
                    .into_iter()
                    .find(|(asked, _)| asked == path)
                    .map(|(_, info)| info)
            },
        )
        .await
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, pages: Pages, asked: Asked) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        stream
            .read_line(&mut line)
            .await
            .ok()
            .filter(|length| *length > 0)?;
        let target = line.split(' ').nth(1)?.to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).await.ok()?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let url = url::Url::parse(&format!("http://pages{target}")).ok()?;
        let query = url.query_pairs().find(|(name, _)| name == "instance_info");
        let info = match query {
            Some((_, info)) => serde_json::from_str(&info),
            None => serde_json::from_slice(&body),
        };
        let info = info.unwrap_or(Value::Null);
        let reply = pages(url.path(), &info);
        asked.lock().unwrap().push((url.path().to_owned(), info));
        let head = format!(
            "HTTP/1.1 {} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            reply.status,
            reply.body.len()
        );
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(&reply.body).await.ok()?;
        stream.flush().await.ok()?;
    }
}
