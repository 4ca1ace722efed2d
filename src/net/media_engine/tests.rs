use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::AtomicU16;

use actix::prelude::*;
use strowger_media::Direction;
use strowger_media::codec::Codec;
use strowger_media::codec::opus::Wishes;
use strowger_media::session::{Connection, TelephoneEvent};

use super::*;

/// Silence as A-law: what a peer hears to whom nothing is said.
const SILENT: u8 = 0xD5;

/// Each test has a range of its own.
fn engine(threads: usize) -> MediaHandle {
    static NEXT: AtomicU16 = AtomicU16::new(30_000);
    let first = NEXT.fetch_add(200, Ordering::Relaxed);
    let ports = Ports::new(Ipv4Addr::LOCALHOST.into(), &(first..=first + 199));
    MediaHandle::start(ports, threads).expect("starts")
}

fn account(number: u128) -> AccountId {
    AccountId::from_uuid(uuid::Uuid::from_u128(number))
}

/// Passes on what is told about legs.
struct Owner(mpsc::Sender<MediaFact>);

impl Actor for Owner {
    type Context = Context<Self>;
}

impl Handler<MediaFact> for Owner {
    type Result = ();

    fn handle(&mut self, fact: MediaFact, _: &mut Self::Context) {
        let _ = self.0.send(fact);
    }
}

fn owner() -> (Recipient<MediaFact>, mpsc::Receiver<MediaFact>) {
    let (facts, told) = mpsc::channel();
    (Owner(facts).start().recipient(), told)
}

/// A far end: it says its own octet all the time.
struct Peer {
    socket: UdpSocket,
    octet: u8,
    sequence: u16,
}

impl Peer {
    fn new(octet: u8) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
        let patience = Some(Duration::from_millis(20));
        socket.set_read_timeout(patience).expect("has a timeout");
        Self {
            socket,
            octet,
            sequence: 0,
        }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("is bound")
    }

    fn say(&mut self, to: &MediaLeg) {
        self.sequence += 1;
        let mut packet = [self.octet; 172];
        packet[..2].copy_from_slice(&[0x80, 8]);
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(self.sequence) * 160).to_be_bytes());
        self.socket.send_to(&packet, to.address).expect("is sent");
    }

    /// What it hears next, and from which port.
    fn hears(&self) -> Option<(u8, SocketAddr)> {
        let mut packet = [0; 1500];
        let (length, from) = self.socket.recv_from(&mut packet).ok()?;
        let payload = packet
            .get(12..length)
            .filter(|payload| !payload.is_empty())?;
        assert!(payload.iter().all(|octet| *octet == payload[0]), "whole");
        Some((payload[0], from))
    }
}

fn connection(peer: SocketAddr) -> Command {
    Command::Connect(Connection {
        remote: Some(peer),
        remote_rtcp: None,
        codec: Codec::Pcma,
        payload_type: 8,
        telephone_event: Some(TelephoneEvent {
            payload_type: 101,
            clock_rate: 8000,
        }),
        comfort_noise: false,
        opus: Wishes::default(),
        direction: Direction::SendReceive,
    })
}

/// A call: an answered leg whose peer was known, and an offered one, bridged.
struct Call {
    a: MediaLeg,
    b: MediaLeg,
    caller: Peer,
    office: Peer,
}

impl Call {
    fn new(media: &MediaHandle, account: AccountId, octet: u8, to: &Recipient<MediaFact>) -> Self {
        Self::of(media, account, [Peer::new(octet), Peer::new(octet + 1)], to)
    }

    fn of(
        media: &MediaHandle,
        account: AccountId,
        [caller, office]: [Peer; 2],
        to: &Recipient<MediaFact>,
    ) -> Self {
        let a = media.open(account, Some(caller.address()), to.clone());
        let (a, b) = (a.expect("opens"), media.open(account, None, to.clone()));
        let b = b.expect("opens");
        a.command(connection(caller.address()));
        b.command(connection(office.address()));
        a.bridge(&b);
        Self {
            a,
            b,
            caller,
            office,
        }
    }

    /// Both hear each other and nobody else, from the ports that they know.
    fn talks(&mut self) {
        self.talks_after(SILENT);
    }

    /// The same, when what was said before may still be on its way.
    fn talks_after(&mut self, before: u8) {
        for _ in 0..500 {
            self.caller.say(&self.a);
            self.office.say(&self.b);
            let heard = [&self.caller, &self.office].map(Peer::hears);
            if heard
                == [
                    Some((self.office.octet, self.a.address)),
                    Some((self.caller.octet, self.b.address)),
                ]
            {
                return;
            }
            for (heard, known) in heard.iter().flatten().zip([&self.office, &self.caller]) {
                assert!(
                    [SILENT, before, known.octet].contains(&heard.0),
                    "{heard:?}"
                );
            }
        }
        panic!("they never hear each other");
    }
}

/// All ports are back, at the latest when the thread has closed its legs.
fn all_is_back(media: &MediaHandle) {
    let start = std::time::Instant::now();
    while media.open_ports() > 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "ports are left");
        std::thread::yield_now();
    }
}

#[actix::test]
async fn many_legs_on_one_port_hear_their_own_peer_and_all_ports_come_back() {
    let (media, (to, _told)) = (engine(1), owner());
    let mut calls: Vec<_> = (0..40)
        .map(|number| Call::new(&media, account(1), number * 2, &to))
        .collect();
    let shared = calls[0].a.address;
    assert!(calls.iter().all(|call| call.a.address == shared));
    assert_eq!(media.open_ports(), 41);
    for call in &mut calls {
        call.talks();
    }
    // The others go on when one ends, and its place is taken again.
    drop(calls.remove(20));
    calls.push(Call::new(&media, account(1), 200, &to));
    for call in &mut calls {
        call.talks();
    }
    drop(calls);
    all_is_back(&media);
}

#[actix::test]
async fn a_stranger_is_heard_by_nobody() {
    let (media, (to, _told)) = (engine(1), owner());
    let mut calls = [10, 20].map(|octet| Call::new(&media, account(1), octet, &to));
    let mut stranger = Peer::new(99);
    for _ in 0..20 {
        stranger.say(&calls[0].a);
        stranger.say(&calls[1].b);
        calls.iter_mut().for_each(Call::talks);
    }
    assert_eq!(stranger.hears(), None);
}

#[actix::test]
async fn peers_with_one_address_have_ports_of_their_own() {
    let (media, (to, _told)) = (engine(1), owner());
    let first = Peer::new(10);
    let clone = |octet| Peer {
        socket: first.socket.try_clone().expect("is cloned"),
        octet,
        sequence: 0,
    };
    let one = Call::of(&media, account(1), [clone(12), Peer::new(13)], &to);
    let two = Call::of(&media, account(1), [clone(14), Peer::new(15)], &to);
    assert_ne!(one.a.address, two.a.address);
    for mut call in [one, two] {
        // Its peer is the other's too and hears both: what counts is who hears it.
        let heard = (0..500).find_map(|_| {
            call.caller.say(&call.a);
            call.office.hears().filter(|heard| heard.0 != SILENT)
        });
        assert_eq!(heard, Some((call.caller.octet, call.b.address)));
    }
}

#[actix::test]
async fn a_peer_that_may_be_behind_a_nat_has_a_port_of_its_own() {
    let (media, (to, _told)) = (engine(1), owner());
    let open = |peer: &str| {
        let peer = peer.parse().expect("is an address");
        media
            .open(account(1), Some(peer), to.clone())
            .expect("opens")
    };
    let shared = [open("127.0.0.1:4000"), open("127.0.0.1:4002")];
    assert_eq!(shared[0].address, shared[1].address);
    for hidden in [
        "192.168.1.5:4000",
        "10.0.0.1:4000",
        "0.0.0.0:4000",
        "127.0.0.1:0",
    ] {
        assert_ne!(open(hidden).address, shared[0].address, "{hidden}");
    }
}

#[actix::test]
async fn a_leg_follows_its_peer_to_another_address() {
    let (media, (to, _told)) = (engine(1), owner());
    let mut calls = [10, 20].map(|octet| Call::new(&media, account(1), octet, &to));
    calls.iter_mut().for_each(Call::talks);
    let [first, second] = &mut calls;

    // To a free address: the port stays, and the old address is a stranger's.
    let mut before = std::mem::replace(&mut first.caller, Peer::new(12));
    let address = first.caller.address();
    assert!(!first.a.expect(Some(address)).expect("has a place"));
    first.a.command(connection(address));
    first.talks_after(before.octet);
    assert_eq!(first.a.address, second.a.address);
    while before.hears().is_some() {}
    before.say(&first.a);
    first.talks();
    assert_eq!(before.hears(), None);

    // To the address of another leg there: it has to move.
    let taken = Peer {
        socket: second.caller.socket.try_clone().expect("is cloned"),
        octet: 14,
        sequence: 0,
    };
    assert!(first.a.expect(Some(taken.address())).expect("has a port"));
    assert_ne!(first.a.address, second.a.address);
    first.a.command(connection(taken.address()));
    first.caller = taken;
    let heard = (0..500).find_map(|_| {
        first.caller.say(&first.a);
        first.office.hears().filter(|heard| heard.0 == 14)
    });
    assert_eq!(heard, Some((14, first.b.address)));
    drop(calls);
    all_is_back(&media);
}

#[actix::test]
async fn a_panic_loses_the_legs_of_its_thread_only() {
    let media = engine(2);
    let (to_first, first_told) = owner();
    let (to_second, second_told) = owner();
    let mut first = Call::new(&media, account(1), 10, &to_first);
    let mut second = Call::new(&media, account(2), 20, &to_second);
    assert_ne!(first.a.thread, second.a.thread);
    first.talks();
    second.talks();

    first.a.tell(ToEngine::ProvokePanic);
    let mut lost = Vec::new();
    while lost.len() < 2 {
        tokio::task::yield_now().await;
        lost.extend(
            first_told
                .try_iter()
                .filter_map(|fact| matches!(fact.event, MediaEvent::Lost).then_some(fact.leg)),
        );
    }
    assert!(lost.contains(&first.a.id()) && lost.contains(&first.b.id()));
    second.talks();
    assert!(
        second_told
            .try_iter()
            .all(|fact| !matches!(fact.event, MediaEvent::Lost))
    );

    // The thread runs on, and takes new legs, on shared ports too.
    let mut again = Call::new(&media, account(1), 30, &to_first);
    again.talks();
    drop((first, second, again));
    all_is_back(&media);
}

#[actix::test]
async fn no_leg_is_opened_when_all_ports_are_taken() {
    let ports = Ports::new(Ipv4Addr::LOCALHOST.into(), &(29_101..=29_106));
    let (media, (to, _told)) = (MediaHandle::start(ports, 1).expect("starts"), owner());
    let peer = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
    let legs: Vec<_> = [None, peer(4000), peer(4002)]
        .map(|peer| media.open(account(1), peer, to.clone()).expect("opens"))
        .into();
    let refused = media.open(account(1), None, to.clone());
    assert!(matches!(refused, Err(PortError::Exhausted { .. })));
    media
        .open(account(1), peer(4004), to.clone())
        .expect("shares a port");
    drop(legs);
    all_is_back(&media);
    media.open(account(1), None, to).expect("opens again");
}
