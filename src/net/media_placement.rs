//! Where a leg's media is handled: which thread, and by a shared port or one of its own.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use strowger_domain::ids::AccountId;

/// Legs on one shared port, before another is opened: with 50 packets per second each, the receive
/// buffer that Linux gives by default lasts as long as a beat.
const LEGS_PER_PORT: usize = 256;

/// Names a shared port. Names are never used again; a younger port's is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SharedPort(pub(super) u64);

/// Which thread serves which account, and who shares which port.
///
/// All legs of an account are on one thread, so that bridges, rooms and recordings never cross
/// threads. The thread is chosen when an account without legs opens one: that with the fewest legs.
/// On a shared port no two legs have the same peer: its source tells whose a packet is.
#[derive(Debug)]
pub(super) struct Placement {
    homes: HashMap<AccountId, Home>,
    threads: Vec<Thread>,
    next: u64,
}

#[derive(Debug)]
struct Home {
    thread: usize,
    legs: usize,
}

#[derive(Debug, Default)]
struct Thread {
    legs: usize,
    shared: Vec<Shared>,
    /// The shared port that was taken last: the next leg takes another, so that a late packet of
    /// an ended call seldom meets the next call of the same peer.
    turn: usize,
}

#[derive(Debug)]
struct Shared {
    port: SharedPort,
    address: SocketAddr,
    peers: HashSet<SocketAddr>,
}

/// A place on a shared port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shareable {
    /// Taken there.
    On(SharedPort, SocketAddr),
    /// All shared ports are full, or there is none yet: one more may be opened.
    More,
    /// Another leg has the same peer on each of them.
    Nowhere,
}

impl Placement {
    pub(super) fn new(threads: usize) -> Self {
        Self {
            homes: HashMap::new(),
            threads: (0..threads.max(1)).map(|_| Thread::default()).collect(),
            next: 0,
        }
    }

    /// A leg of the account is opened: answers its thread.
    pub(super) fn enter(&mut self, account: AccountId) -> usize {
        let threads = &self.threads;
        let home = self.homes.entry(account).or_insert_with(|| Home {
            thread: (0..threads.len())
                .min_by_key(|at| threads.get(*at).map_or(0, |thread| thread.legs))
                .unwrap_or(0),
            legs: 0,
        });
        home.legs += 1;
        if let Some(thread) = self.threads.get_mut(home.thread) {
            thread.legs += 1;
        }
        home.thread
    }

    /// A leg of the account is closed.
    pub(super) fn leave(&mut self, account: AccountId) {
        let Some(home) = self.homes.get_mut(&account) else {
            return;
        };
        home.legs -= 1;
        if let Some(thread) = self.threads.get_mut(home.thread) {
            thread.legs -= 1;
        }
        if home.legs == 0 {
            self.homes.remove(&account);
        }
    }

    /// A place for a leg with this peer on a shared port of its thread.
    pub(super) fn share(&mut self, thread: usize, peer: SocketAddr) -> Shareable {
        let Some(thread) = self.threads.get_mut(thread) else {
            return Shareable::Nowhere;
        };
        let ports = thread.shared.len();
        let mut full = ports == 0;
        for step in 1..=ports {
            let at = (thread.turn + step) % ports;
            let Some(shared) = thread.shared.get_mut(at) else {
                continue;
            };
            if shared.peers.len() >= LEGS_PER_PORT {
                full = true;
            } else if shared.peers.insert(peer) {
                thread.turn = at;
                return Shareable::On(shared.port, shared.address);
            }
        }
        if full {
            Shareable::More
        } else {
            Shareable::Nowhere
        }
    }

    /// A shared port was opened, for a leg with this peer.
    pub(super) fn opened(
        &mut self,
        thread: usize,
        address: SocketAddr,
        peer: SocketAddr,
    ) -> SharedPort {
        self.next += 1;
        let port = SharedPort(self.next);
        if let Some(thread) = self.threads.get_mut(thread) {
            thread.turn = thread.shared.len();
            thread.shared.push(Shared {
                port,
                address,
                peers: HashSet::from([peer]),
            });
        }
        port
    }

    /// A leg of a shared port is to have another peer; answers whether it may have that one there.
    pub(super) fn exchange(
        &mut self,
        thread: usize,
        port: SharedPort,
        from: SocketAddr,
        to: SocketAddr,
    ) -> bool {
        let shared = self.threads.get_mut(thread).and_then(|thread| {
            let mut ports = thread.shared.iter_mut();
            ports.find(|shared| shared.port == port)
        });
        shared.is_some_and(|shared| shared.peers.insert(to) && shared.peers.remove(&from))
    }

    /// A leg left its place on a shared port; answers whether it was the last there, and the port
    /// is closed.
    pub(super) fn vacate(&mut self, thread: usize, port: SharedPort, peer: SocketAddr) -> bool {
        let Some(thread) = self.threads.get_mut(thread) else {
            return false;
        };
        let Some(at) = thread.shared.iter().position(|shared| shared.port == port) else {
            return false;
        };
        let empty = thread.shared.get_mut(at).is_some_and(|shared| {
            shared.peers.remove(&peer);
            shared.peers.is_empty()
        });
        if empty {
            thread.shared.remove(at);
        }
        empty
    }

    /// A thread lost all that it had: its shared ports are forgotten. Answers the youngest port
    /// there is; what is still on its way to the thread may name it or older ones.
    pub(super) fn lost(&mut self, thread: usize) -> SharedPort {
        if let Some(thread) = self.threads.get_mut(thread) {
            thread.shared.clear();
        }
        SharedPort(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u128) -> AccountId {
        AccountId::from_uuid(uuid::Uuid::from_u128(number))
    }

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([203, 0, 113, 5], port))
    }

    fn ours(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn an_account_stays_on_its_thread_while_it_has_legs() {
        let mut placement = Placement::new(2);
        let (a, b) = (account(1), account(2));
        assert_eq!([1, 1, 1].map(|id| placement.enter(account(id))), [0; 3]);
        assert_eq!([b, b, a, b].map(|id| placement.enter(id)), [1, 1, 0, 1]);
        for _ in 0..4 {
            placement.leave(a);
        }
        assert_eq!([3, 4, 5].map(|id| placement.enter(account(id))), [0; 3]);
        placement.leave(b);
        assert_eq!(
            placement.enter(a),
            1,
            "it had no legs left, and may go elsewhere"
        );
    }

    #[test]
    fn equal_peers_never_share_a_port() {
        let mut placement = Placement::new(1);
        assert_eq!(placement.share(0, peer(1)), Shareable::More);
        let first = placement.opened(0, ours(1), peer(1));
        assert_eq!(placement.share(0, peer(1)), Shareable::Nowhere);
        assert_eq!(placement.share(0, peer(2)), Shareable::On(first, ours(1)));
        assert!(!placement.exchange(0, first, peer(1), peer(2)));
        assert!(placement.exchange(0, first, peer(1), peer(3)));
        assert_eq!(placement.share(0, peer(1)), Shareable::On(first, ours(1)));
    }

    #[test]
    fn a_full_port_asks_for_one_more_and_an_empty_one_is_closed() {
        let mut placement = Placement::new(1);
        let first = placement.opened(0, ours(1), peer(1));
        for port in 2..=256 {
            assert_eq!(
                placement.share(0, peer(port)),
                Shareable::On(first, ours(1))
            );
        }
        assert_eq!(placement.share(0, peer(300)), Shareable::More);
        let second = placement.opened(0, ours(2), peer(300));
        assert_eq!(
            placement.share(0, peer(301)),
            Shareable::On(second, ours(2))
        );
        assert!(!placement.vacate(0, second, peer(301)));
        assert!(placement.vacate(0, second, peer(300)));
        assert!(!placement.vacate(0, second, peer(300)), "it is gone");
        assert_eq!(placement.share(0, peer(300)), Shareable::More);
        assert_eq!(placement.lost(0), second);
        assert_eq!(placement.share(0, peer(1)), Shareable::More);
    }
}
