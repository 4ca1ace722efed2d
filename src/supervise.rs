//! Supervision: a parent learns of a child's end also when it panicked, and re-creates it.
//!
//! actix restarts nothing after a panic: the actor's fields are dropped and that is all. So each
//! child holds an [`Obituary`] whose `Drop` tells the parent, and the parent holds [`Children`],
//! which know how to make a child again and how often that may happen.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message, Recipient, System};
use tokio::time::Instant;

/// A parent gives up when more children than this had to be re-created within [`RESTART_WINDOW`].
pub const MAX_RESTARTS: usize = 5;
/// See [`MAX_RESTARTS`].
pub const RESTART_WINDOW: Duration = Duration::from_mins(1);

/// Children that live, of all parents in this process.
static LIVING: AtomicUsize = AtomicUsize::new(0);

/// How many children live, of all parents in this process.
pub fn living() -> usize {
    LIVING.load(Ordering::Relaxed)
}

/// A panic, for tests of supervision.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct ProvokePanic;

/// A child has ended.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct Down<K: Send + 'static> {
    /// Which child.
    pub key: K,
    /// Which of its lives.
    pub life: u64,
    /// It ended because it was done; `false`: it panicked or was killed.
    pub finished: bool,
}

/// A child has nothing left to do. Its parent forgets it, unless something is on its way to it.
#[derive(Message, Debug, Clone, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct Idle<K: Send + 'static> {
    key: K,
    life: u64,
    heard: u64,
}

/// Held by a child; tells the parent when it is dropped.
#[derive(Debug)]
pub struct Obituary<K: Clone + Send + 'static> {
    parent: Recipient<Down<K>>,
    key: K,
    life: u64,
    finished: bool,
}

impl<K: Clone + Send + 'static> Obituary<K> {
    /// An obituary for a child that has one life only.
    pub fn once(parent: Recipient<Down<K>>, key: K) -> Self {
        Self::new(parent, key, 0)
    }

    fn new(parent: Recipient<Down<K>>, key: K, life: u64) -> Self {
        LIVING.fetch_add(1, Ordering::Relaxed);
        Self {
            parent,
            key,
            life,
            finished: false,
        }
    }

    /// That the child has nothing left to do, after it has heard so much by [`Children::tell`].
    pub fn idle(&self, heard: u64) -> Idle<K> {
        Idle {
            key: self.key.clone(),
            life: self.life,
            heard,
        }
    }

    /// The child is done: its end is no failure.
    pub fn finish(&mut self) {
        self.finished = true;
    }
}

impl<K: Clone + Send + 'static> Drop for Obituary<K> {
    fn drop(&mut self) {
        LIVING.fetch_sub(1, Ordering::Relaxed);
        self.parent.do_send(Down {
            key: self.key.clone(),
            life: self.life,
            finished: self.finished,
        });
    }
}

type Factory<K, A> = Box<dyn FnMut(&K, Obituary<K>) -> Addr<A>>;

struct Child<A: Actor> {
    life: u64,
    address: Addr<A>,
    told: u64,
}

/// The children of a parent: permanent ones, re-created from a factory when they fail.
pub struct Children<K: Clone + Eq + Hash + Send + 'static, A: Actor> {
    parent: Recipient<Down<K>>,
    factory: Factory<K, A>,
    living: HashMap<K, Child<A>>,
    lives: u64,
    restarts: VecDeque<Instant>,
}

/// What became of a child that went down.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was done, or it had been replaced already.
    Gone,
    /// It failed and lives again.
    Restarted,
    /// Too many failed in a short time: the parent must fail too.
    TooMany,
}

impl<K: Clone + Eq + Hash + Send + 'static, A: Actor> Children<K, A> {
    /// No children yet; `factory` makes one, which must keep the obituary it is given.
    pub fn new(
        parent: Recipient<Down<K>>,
        factory: impl FnMut(&K, Obituary<K>) -> Addr<A> + 'static,
    ) -> Self {
        Self {
            parent,
            factory: Box::new(factory),
            living: HashMap::new(),
            lives: 0,
            restarts: VecDeque::new(),
        }
    }

    /// The child of that key; made when it is not there.
    pub fn get_or_start(&mut self, key: &K) -> Addr<A> {
        if let Some(child) = self.living.get(key) {
            return child.address.clone();
        }
        self.start(key)
    }

    /// The child of that key, if it lives.
    pub fn get(&self, key: &K) -> Option<&Addr<A>> {
        self.living.get(key).map(|child| &child.address)
    }

    /// All living children.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Addr<A>)> {
        self.living.iter().map(|(key, child)| (key, &child.address))
    }

    /// Sends to the child of that key, which is made when it is not there, and counts it.
    pub fn tell<M>(&mut self, key: &K, message: M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.get_or_start(key).do_send(message);
        if let Some(child) = self.living.get_mut(key) {
            child.told += 1;
        }
    }

    /// Forgets a child that is idle, and has heard all that it was told: with its last address gone
    /// it ends.
    pub fn forget(&mut self, idle: &Idle<K>) {
        let child = self.living.get(&idle.key);
        if child.is_some_and(|child| (child.life, child.told) == (idle.life, idle.heard)) {
            self.living.remove(&idle.key);
        }
    }

    /// Forgets a child for good: with its last address gone it ends.
    pub fn dismiss(&mut self, key: &K) {
        self.living.remove(key);
    }

    /// A child went down: re-creates it unless it was done.
    pub fn bury(&mut self, down: &Down<K>) -> Fate {
        match self.living.get(&down.key) {
            Some(child) if child.life == down.life => {}
            _ => return Fate::Gone,
        }
        self.living.remove(&down.key);
        if down.finished {
            return Fate::Gone;
        }
        let now = Instant::now();
        while self
            .restarts
            .front()
            .is_some_and(|at| now - *at > RESTART_WINDOW)
        {
            self.restarts.pop_front();
        }
        if self.restarts.len() >= MAX_RESTARTS {
            return Fate::TooMany;
        }
        self.restarts.push_back(now);
        self.start(&down.key);
        Fate::Restarted
    }

    fn start(&mut self, key: &K) -> Addr<A> {
        self.lives += 1;
        let obituary = Obituary::new(self.parent.clone(), key.clone(), self.lives);
        let address = (self.factory)(key, obituary);
        let child = Child {
            life: self.lives,
            address: address.clone(),
            told: 0,
        };
        self.living.insert(key.clone(), child);
        address
    }
}

/// Held by what the process cannot live without: a panic that drops it ends the process with 70.
pub struct Vital(pub &'static str);

impl Drop for Vital {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(what = self.0, "failed: the process ends");
            if let Some(system) = System::try_current() {
                system.stop_with_code(70);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix::Context;

    struct Young(#[expect(dead_code, reason = "its drop is what counts")] Obituary<u8>);
    impl Actor for Young {
        type Context = Context<Self>;
    }
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Panic;
    impl Handler<Panic> for Young {
        type Result = ();
        fn handle(&mut self, _: Panic, _: &mut Context<Self>) {
            panic!("provoked");
        }
    }
    #[derive(Message)]
    #[rtype(result = "u8")]
    struct Ask;
    impl Handler<Ask> for Young {
        type Result = u8;
        fn handle(&mut self, _: Ask, _: &mut Context<Self>) -> u8 {
            7
        }
    }

    struct Parent {
        children: Option<Children<u8, Young>>,
        fates: tokio::sync::mpsc::UnboundedSender<Fate>,
    }
    impl Actor for Parent {
        type Context = Context<Self>;
        fn started(&mut self, ctx: &mut Self::Context) {
            let recipient = actix::AsyncContext::address(ctx).recipient();
            self.children = Some(Children::new(recipient, |_, obituary| {
                Young(obituary).start()
            }));
        }
    }
    #[derive(Message)]
    #[rtype(result = "Addr<Young>")]
    struct Get(u8);
    impl Handler<Get> for Parent {
        type Result = actix::MessageResult<Get>;
        fn handle(&mut self, Get(key): Get, _: &mut Context<Self>) -> Self::Result {
            actix::MessageResult(self.children.as_mut().expect("started").get_or_start(&key))
        }
    }
    impl Handler<Down<u8>> for Parent {
        type Result = ();
        fn handle(&mut self, down: Down<u8>, _: &mut Context<Self>) {
            let fate = self.children.as_mut().expect("started").bury(&down);
            self.fates.send(fate).expect("test listens");
        }
    }

    #[actix::test]
    async fn a_child_that_panics_lives_again_and_its_sibling_never_notices() {
        let (fates, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let parent = Parent {
            children: None,
            fates,
        }
        .start();
        let sibling = parent.send(Get(1)).await.expect("parent lives");
        let child = parent.send(Get(2)).await.expect("parent lives");
        child.do_send(Panic);
        assert_eq!(seen.recv().await, Some(Fate::Restarted));
        let again = parent.send(Get(2)).await.expect("parent lives");
        assert_eq!(again.send(Ask).await.expect("lives again"), 7);
        assert_eq!(sibling.send(Ask).await.expect("never noticed"), 7);
    }

    #[actix::test]
    async fn a_parent_gives_up_after_too_many_failures() {
        let (fates, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let parent = Parent {
            children: None,
            fates,
        }
        .start();
        for round in 0..=MAX_RESTARTS {
            let child = parent.send(Get(1)).await.expect("parent lives");
            child.do_send(Panic);
            let expected = if round < MAX_RESTARTS {
                Fate::Restarted
            } else {
                Fate::TooMany
            };
            assert_eq!(seen.recv().await, Some(expected));
        }
    }

    #[derive(Message)]
    #[rtype(result = "bool")]
    struct Forget {
        child: u8,
        life: u64,
        heard: u64,
    }
    impl Handler<Forget> for Parent {
        type Result = bool;
        fn handle(&mut self, forget: Forget, _: &mut Context<Self>) -> bool {
            let children = self.children.as_mut().expect("started");
            let Forget { child, life, heard } = forget;
            let key = child;
            children.forget(&Idle { key, life, heard });
            children.get(&child).is_none()
        }
    }
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Tell(u8);
    impl Handler<Tell> for Parent {
        type Result = ();
        fn handle(&mut self, Tell(key): Tell, _: &mut Context<Self>) {
            self.children.as_mut().expect("started").tell(&key, Ask);
        }
    }

    #[actix::test]
    async fn an_idle_child_is_forgotten_and_ends_unless_something_is_on_its_way_to_it() {
        let (fates, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let parent = Parent {
            children: None,
            fates,
        }
        .start();
        let forgets = async |life, heard| {
            let child = 1;
            let forget = Forget { child, life, heard };
            parent.send(forget).await.expect("parent lives")
        };
        parent.do_send(Tell(1));
        parent.do_send(Tell(1));
        assert!(!forgets(1, 1).await, "one more is on its way");
        assert!(!forgets(0, 2).await, "that was an earlier life");
        assert!(forgets(1, 2).await);
        assert_eq!(seen.recv().await, Some(Fate::Gone));
        parent.do_send(Tell(1));
        assert!(!forgets(1, 2).await, "it lives again");
    }
}
