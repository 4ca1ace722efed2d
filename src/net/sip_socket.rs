//! SIP sockets: one UDP socket, one TCP listener on the same port, and the connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use strowger_sip::flow::Flow;
use strowger_sip::reader::{Frame, Framer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Messages that may wait for a slow connection before it is given up.
const OUTGOING: usize = 256;
/// A connection that is silent for this long may be closed, when no call lives by it; phones keep
/// theirs alive more often (RFC 5626 §4.4.1: at most 120 s).
const IDLE: Duration = Duration::from_mins(5);
/// A message must be whole so long after its first byte: whoever sends one byte a minute holds a
/// connection no longer than that.
const MESSAGE: Duration = Duration::from_secs(30);
/// How long a connection whose stream is broken waits for the refusal to be sent.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A peer that takes nothing for this long is given up.
const WRITE: Duration = Duration::from_secs(10);
/// A silent peer is probed after this time: one that is gone without a word takes its calls with it.
const PROBE: Duration = Duration::from_mins(1);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// The listening sockets; they outlive an endpoint that fails.
#[derive(Debug, Clone)]
pub struct SipSockets {
    /// Datagrams, both ways.
    pub udp: Arc<UdpSocket>,
    /// Connections that come in.
    pub tcp: Arc<TcpListener>,
    /// Where both listen.
    pub local: SocketAddr,
}

impl SipSockets {
    /// Binds UDP and TCP to the same port; port 0 takes one that is free for both.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..16 {
            let udp = bind_udp(address)?;
            let local = udp.local_addr()?;
            match TcpListener::bind(local).await {
                Ok(tcp) => {
                    return Ok(Self {
                        udp: Arc::new(udp),
                        tcp: Arc::new(tcp),
                        local,
                    });
                }
                Err(error) if address.port() == 0 => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

/// The address of ours from which datagrams go to a peer. Nothing is sent.
pub fn address_towards(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}

fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    use nix::sys::socket::{setsockopt, sockopt};
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    // Bursts of calls arrive faster than one thread reads; the default of about 200 KiB is a few
    // hundred messages.
    socket.set_recv_buffer_size(4 << 20)?;
    // How long a datagram waited is the first thing that overload shows in.
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// What a connection tells.
#[derive(Debug)]
pub enum FromConnection {
    /// One whole message.
    Message(Flow, Bytes),
    /// Nothing has come for a long time.
    Idle(Flow),
    /// It is gone.
    Closed(Flow),
}

/// The sending side of a connection; dropping it closes the connection.
#[derive(Debug)]
pub struct Connection(mpsc::Sender<Bytes>);

impl Connection {
    /// Queues a message; `false` when the peer is too slow or gone.
    pub fn send(&self, bytes: Bytes) -> bool {
        self.0.try_send(bytes).is_ok()
    }

    /// Serves a connection that came in.
    pub fn accepted(
        stream: TcpStream,
        flow: Flow,
        tell: impl AsyncFn(FromConnection) + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(OUTGOING);
        actix::spawn(async move {
            serve(stream, flow, receiver, PATIENCE, &tell).await;
            tell(FromConnection::Closed(flow)).await;
        });
        Self(sender)
    }

    /// Makes a connection; what is sent meanwhile waits for it.
    pub fn open(flow: Flow, tell: impl AsyncFn(FromConnection) + 'static) -> Self {
        let (sender, receiver) = mpsc::channel(OUTGOING);
        actix::spawn(async move {
            match tokio::time::timeout(CONNECT, TcpStream::connect(flow.remote)).await {
                Ok(Ok(stream)) => serve(stream, flow, receiver, PATIENCE, &tell).await,
                Ok(Err(error)) => tracing::info!(remote = %flow.remote, %error, "no connection"),
                Err(_) => tracing::info!(remote = %flow.remote, "no connection in time"),
            }
            tell(FromConnection::Closed(flow)).await;
        });
        Self(sender)
    }
}

/// How long a connection may be silent, and in the middle of a message.
#[derive(Clone, Copy)]
struct Patience {
    idle: Duration,
    message: Duration,
}

const PATIENCE: Patience = Patience {
    idle: IDLE,
    message: MESSAGE,
};

async fn serve(
    stream: TcpStream,
    flow: Flow,
    mut outgoing: mpsc::Receiver<Bytes>,
    patience: Patience,
    tell: &impl AsyncFn(FromConnection),
) {
    let probes = socket2::TcpKeepalive::new().with_time(PROBE);
    if let Err(error) = stream
        .set_nodelay(true)
        .and_then(|()| socket2::SockRef::from(&stream).set_tcp_keepalive(&probes))
    {
        tracing::debug!(%error, "a connection can't be tuned");
    }
    let (mut reader, mut writer) = stream.into_split();
    let mut framer = Framer::new();
    let mut buffer = BytesMut::with_capacity(8 * 1024);
    // Nothing behind a broken message can be read: its refusal is sent, then the connection ends.
    let mut last_words = false;
    // When the first byte of a message came that is not whole yet.
    let mut begun: Option<Instant> = None;
    loop {
        let until = begun.map_or_else(
            || Instant::now() + patience.idle,
            |begun| begun + patience.message,
        );
        tokio::select! {
            () = tokio::time::sleep(LAST_WORDS), if last_words => return,
            message = outgoing.recv() => match message {
                None => return,
                Some(bytes) => {
                    match tokio::time::timeout(WRITE, writer.write_all(&bytes)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => {
                            tracing::debug!(remote = %flow.remote, %error, "connection lost");
                            return;
                        }
                        Err(_elapsed) => {
                            tracing::info!(remote = %flow.remote, "a peer takes nothing more");
                            return;
                        }
                    }
                    if last_words {
                        return;
                    }
                }
            },
            read = tokio::time::timeout_at(until, reader.read_buf(&mut buffer)), if !last_words => match read {
                Err(_elapsed) if begun.is_some() => {
                    tracing::info!(remote = %flow.remote, "a message was not whole in time");
                    return;
                }
                Err(_elapsed) => tell(FromConnection::Idle(flow)).await,
                Ok(Ok(0)) => return,
                Ok(Err(error)) => {
                    tracing::debug!(remote = %flow.remote, %error, "connection lost");
                    return;
                }
                Ok(Ok(_)) => {
                    framer.push(&buffer);
                    buffer.clear();
                    while let Some(frame) = framer.next_frame() {
                        begun = None;
                        match frame {
                            // One message of a connection waits at a time: a peer is not read faster
                            // than it is served.
                            Frame::Message(bytes) => {
                                tell(FromConnection::Message(flow, bytes)).await;
                            }
                            // RFC 5626 §4.4.1: a double CRLF is a ping, a single one its answer.
                            Frame::Ping => {
                                let pong = writer.write_all(b"\r\n");
                                if !matches!(tokio::time::timeout(WRITE, pong).await, Ok(Ok(()))) {
                                    return;
                                }
                            }
                            Frame::Last(bytes) => {
                                tell(FromConnection::Message(flow, bytes)).await;
                                last_words = true;
                            }
                        }
                    }
                    begun = (framer.pending() > 0).then(|| begun.unwrap_or_else(Instant::now));
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_sip::flow::Transport;

    #[actix::test]
    async fn a_silent_connection_is_told_as_idle_and_stays_until_it_is_dropped() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let local = listener.local_addr().expect("bound");
        let mut peer = TcpStream::connect(local).await.expect("connected");
        let (stream, remote) = listener.accept().await.expect("accepted");
        let flow = Flow {
            transport: Transport::Tcp,
            local,
            remote,
        };
        let (told, mut news) = mpsc::unbounded_channel();
        let (connection, receiver) = mpsc::channel(OUTGOING);
        let served = actix::spawn(async move {
            let tell = async |news| told.send(news).expect("the test listens");
            let idle = Duration::from_millis(1);
            serve(stream, flow, receiver, Patience { idle, ..PATIENCE }, &tell).await;
        });
        for _ in 0..2 {
            let idle = news.recv().await.expect("told");
            assert!(matches!(idle, FromConnection::Idle(_)), "{idle:?}");
        }
        let bytes = Bytes::from_static(b"hello");
        connection.send(bytes).await.expect("it is served");
        let mut heard = [0; 5];
        peer.read_exact(&mut heard).await.expect("it stands");
        assert_eq!(&heard, b"hello");
        drop(connection);
        served.await.expect("it ends");
    }

    #[actix::test]
    async fn a_message_that_is_not_whole_in_time_ends_its_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let local = listener.local_addr().expect("bound");
        let mut peer = TcpStream::connect(local).await.expect("connected");
        let (stream, remote) = listener.accept().await.expect("accepted");
        let flow = Flow {
            transport: Transport::Tcp,
            local,
            remote,
        };
        let (_connection, receiver) = mpsc::channel(OUTGOING);
        let patience = Patience {
            idle: IDLE,
            message: Duration::from_millis(50),
        };
        let served = actix::spawn(async move {
            serve(stream, flow, receiver, patience, &async |_| {}).await;
        });
        // However often another byte comes.
        while !served.is_finished() {
            let _ = peer.write_all(b"x").await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
