//! The physical limit of a relay: a process that sends each datagram to its partner and knows
//! nothing else. Two sockets for all, 64 datagrams in a system call. It answers at once, or rests
//! half a millisecond after each pass: then each pass has more to do, and a packet costs less.

use std::io::{BufRead as _, BufReader, IoSlice, IoSliceMut, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

use crate::machine::{Cores, Process, stay_on};
use crate::platform::end;
use crate::rtp::{BATCH, socket};

/// The relay as a process of its own, on the server's core.
pub(crate) struct Bare {
    child: Child,
    pub(crate) process: Process,
    /// Where callers send to, and where the called do.
    pub(crate) ports: [u16; 2],
}

impl Bare {
    /// Starts it between the legs that are heard at these ports.
    pub(crate) fn start(cores: Cores, ports: &[u16], rest: Duration) -> anyhow::Result<Self> {
        stay_on(cores.server)?;
        let child = Command::new(std::env::current_exe()?)
            .arg("bare-relay")
            .args(ports.iter().map(u16::to_string))
            .arg(rest.as_micros().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        stay_on(cores.driver)?;
        let mut child = child.context("the bare relay can't be started")?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let found: Vec<u16> = line.split_whitespace().flat_map(str::parse).collect();
        let [callers, called] = found[..] else {
            end(&mut child);
            bail!("the bare relay does not start");
        };
        let process = Process(child.id());
        Ok(Self {
            child,
            process,
            ports: [callers, called],
        })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Relays until it is killed. Who sends from one address of a pair is heard at the other: they
/// differ in the last bit.
pub(crate) fn relay(arguments: &[String]) -> anyhow::Result<()> {
    let numbers: Vec<u16> = arguments.iter().flat_map(|text| text.parse()).collect();
    let [callers, called, rest] = numbers[..] else {
        bail!("two ports are needed, and how many microseconds to rest");
    };
    let rest = Duration::from_micros(rest.into());
    // A sleep of the system's may be late by this much: by default 50 us.
    let _ = nix::sys::prctl::set_timerslack(1);
    let sockets = [socket(0)?, socket(0)?];
    let (a, b) = (
        sockets[0].local_addr()?.port(),
        sockets[1].local_addr()?.port(),
    );
    writeln!(std::io::stdout(), "{a} {b}")?;
    let mut headers = [(); 2].map(|()| MultiHeaders::preallocate(BATCH, None));
    loop {
        let mut ready = sockets
            .each_ref()
            .map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN));
        poll(&mut ready, PollTimeout::NONE)?;
        let [first, second] = ready.each_ref().map(|fd| fd.any().unwrap_or(false));
        if first {
            while pass_on(&sockets[0], &sockets[1], called, &mut headers)? == BATCH {}
        }
        if second {
            while pass_on(&sockets[1], &sockets[0], callers, &mut headers)? == BATCH {}
        }
        if !rest.is_zero() {
            std::thread::sleep(rest);
        }
    }
}

/// Passes on what one system call finds; answers how much that was.
fn pass_on(
    from: &UdpSocket,
    to: &UdpSocket,
    port: u16,
    [incoming, outgoing]: &mut [MultiHeaders<SockaddrIn>; 2],
) -> anyhow::Result<usize> {
    let mut buffers = [[0_u8; 256]; BATCH];
    let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers
        .iter_mut()
        .map(|buffer| [IoSliceMut::new(buffer)])
        .collect();
    let (descriptor, flags) = (from.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
    let came = match recvmmsg(descriptor, incoming, slices.iter_mut(), flags, None) {
        Ok(came) => came,
        Err(nix::Error::EAGAIN | nix::Error::EINTR) => return Ok(0),
        Err(error) => return Err(error).context("the bare relay can't receive"),
    };
    let came: Vec<(usize, Option<SockaddrIn>)> = came
        .map(|message| (message.bytes, message.address))
        .collect();
    let partners: Vec<Option<SockaddrIn>> = came
        .iter()
        .map(|(_, source)| {
            let ip = Ipv4Addr::from(u32::from((*source)?.ip()) ^ 1);
            Some(SocketAddrV4::new(ip, port).into())
        })
        .collect();
    let payloads: Vec<[IoSlice<'_>; 1]> = buffers
        .iter()
        .zip(&came)
        .map(|(buffer, (length, _))| [IoSlice::new(&buffer[..*length])])
        .collect();
    let flags = MsgFlags::empty();
    // What can't be sent is lost, as on the network.
    let _ = sendmmsg(to.as_raw_fd(), outgoing, &payloads, &partners, [], flags);
    Ok(came.len())
}
