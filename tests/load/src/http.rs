//! As much of HTTP/1.1 as our own API needs: one connection, one request at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that is made again when it was closed.
pub(crate) struct Http {
    address: SocketAddr,
    open: Option<BufReader<TcpStream>>,
}

/// What is sent.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a [u8],
}

impl Http {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            open: None,
        }
    }

    /// Sends a request; status and body of the answer.
    pub(crate) fn send(&mut self, request: &Request<'_>) -> anyhow::Result<(u16, String)> {
        let is_old = self.open.is_some();
        let first = self.exchange(request);
        if first.is_ok() {
            return first;
        }
        self.open = None;
        // The server may have closed an idle connection; a new one that fails tells the truth.
        if is_old {
            self.exchange(request)
        } else {
            first
        }
    }

    fn exchange(&mut self, request: &Request<'_>) -> anyhow::Result<(u16, String)> {
        let mut stream = if let Some(stream) = self.open.take() {
            stream
        } else {
            let stream = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_nodelay(true)?;
            BufReader::new(stream)
        };
        let Request { method, path, .. } = request;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(token) = request.token {
            head.push_str("Authorization: Bearer ");
            head.push_str(token);
            head.push_str("\r\n");
        }
        if !request.body.is_empty() {
            head.push_str("Content-Type: ");
            head.push_str(request.content_type);
            head.push_str("\r\n");
        }
        let mut bytes = head.into_bytes();
        write!(bytes, "Content-Length: {}\r\n\r\n", request.body.len())?;
        bytes.extend_from_slice(request.body);
        stream.get_mut().write_all(&bytes)?;
        let answer = read_answer(&mut stream)?;
        self.open = Some(stream);
        Ok(answer)
    }
}

fn read_answer(stream: &mut BufReader<TcpStream>) -> anyhow::Result<(u16, String)> {
    let line = read_line(stream)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("`{line}` is no status line"))?;
    let (mut length, mut chunked) = (0, false);
    loop {
        let line = read_line(stream)?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().context("Content-Length")?;
        }
        chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let line = read_line(stream)?;
            let length = usize::from_str_radix(line.trim(), 16).context("a chunk's length")?;
            let start = body.len();
            body.resize(start + length, 0);
            stream.read_exact(&mut body[start..])?;
            read_line(stream)?;
            if length == 0 {
                break;
            }
        }
    } else {
        body.resize(length, 0);
        stream.read_exact(&mut body)?;
    }
    Ok((
        status,
        String::from_utf8(body).context("the answer is no text")?,
    ))
}

fn read_line(stream: &mut BufReader<TcpStream>) -> anyhow::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        bail!("the server closed the connection");
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
