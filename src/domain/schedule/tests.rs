use super::*;
use crate::account::{AccountPath, Permissions};
use crate::directory::NumberStatus;
use crate::e164::{Country, DestinationClass, E164, NumberClass};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap()
}

fn number(text: &str) -> E164 {
    E164::parse(text).unwrap()
}

fn id(n: u128) -> ScheduledCallId {
    ScheduledCallId::from_uuid(Uuid::from_u128(n))
}

fn account(n: u128) -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(n))
}

/// What [`Setting`] borrows.
struct World {
    permissions: Permissions,
    hosted: BTreeMap<E164, Hosted>,
    classes: BTreeSet<NumberClass>,
    is_active: bool,
    full: Option<AccountId>,
}

const READY: Hosted = Hosted {
    status: NumberStatus::Active,
    plan: PlanReadiness::Ready,
};

impl World {
    fn new() -> Self {
        let permissions = Permissions {
            scheduled_calls: true,
            destination_classes: DestinationClass::ORDINARY.into(),
            ..Permissions::default()
        };
        Self {
            permissions,
            hosted: [(number("+441632960001"), READY)].into(),
            classes: NumberClass::SCHEDULABLE.into(),
            is_active: true,
            full: None,
        }
    }

    fn setting(&self) -> Setting<'_> {
        Setting {
            is_active: self.is_active,
            permissions: &self.permissions,
            hosted: &self.hosted,
            classes: &self.classes,
            country: Country::GB,
            full: self.full,
        }
    }

    fn check(&self, request: Request) -> Result<Booking, Vec<(String, &'static str)>> {
        check(request, &self.setting(), at(0)).map_err(|faults| {
            faults
                .into_iter()
                .map(|fault| (fault.pointer, fault.code))
                .collect()
        })
    }

    fn against(&self, request: Request) -> Vec<(String, &'static str)> {
        self.check(request).err().unwrap_or_default()
    }
}

fn request() -> Request {
    Request {
        service_number: "01632 960001".into(),
        first_party: "07700 900123".into(),
        ..Request::default()
    }
}

fn reason(pointer: &str, code: &'static str) -> (String, &'static str) {
    (pointer.to_owned(), code)
}

#[test]
fn a_good_request_is_taken_with_its_defaults() {
    let booking = World::new().check(request()).unwrap();
    assert_eq!(booking.service_number.as_str(), "+441632960001");
    assert_eq!(booking.first_party.to_string(), "+447700900123");
    assert_eq!((booking.not_before, booking.ring_duration_s), (at(0), 60));
    assert_eq!(booking.presented(), &booking.service_number);
}

#[test]
fn every_reason_is_told_at_once() {
    let mut world = World::new();
    world.is_active = false;
    world.permissions = Permissions::default();
    world.full = Some(account(1));
    let hosted = Hosted {
        status: NumberStatus::Parked,
        plan: PlanReadiness::Invalid,
    };
    world.hosted = [(number("+448449990001"), hosted)].into();
    let faults = world.against(Request {
        service_number: "0844 999 0001".into(),
        first_party: "sip:a@example.com".into(),
        presentation_number: Some("07000 000001".into()),
        not_before: Some(at(100)),
        expires_at: Some(at(50)),
        ring_duration_s: Some(61),
        variables: [(String::new(), "x".repeat(5000))].into(),
        reference: Some("r".repeat(256)),
    });
    assert_eq!(
        faults,
        [
            reason("", "account_disabled"),
            reason("", "permission_denied"),
            reason("", "too_many_queued"),
            reason("/service_number", "number_class_not_allowed"),
            reason("/service_number", "number_not_active"),
            reason("/service_number", "call_plan_invalid"),
            reason("/first_party", "sip_not_permitted"),
            reason("/presentation_number", "unknown_number"),
            reason("/ring_duration_s", "out_of_range"),
            reason("/expires_at", "before_not_before"),
            reason("/variables/", "invalid_name"),
            reason("/variables/", "too_long"),
            reason("/reference", "too_long"),
        ]
    );
}

#[test]
fn what_is_missing_or_unreadable_is_told() {
    let empty: Request = serde_json::from_str("{}").unwrap();
    assert_eq!(
        World::new().against(empty),
        [
            reason("/service_number", "required"),
            reason("/first_party", "required")
        ]
    );
    let odd = Request {
        service_number: "abc".into(),
        first_party: "+999".into(),
        presentation_number: Some("x".into()),
        expires_at: Some(at(0)),
        ring_duration_s: Some(0),
        ..Request::default()
    };
    assert_eq!(
        World::new().against(odd),
        [
            reason("/service_number", "invalid_number"),
            reason("/first_party", "invalid_destination"),
            reason("/presentation_number", "invalid_number"),
            reason("/ring_duration_s", "out_of_range"),
            reason("/expires_at", "in_the_past"),
        ]
    );
    assert!(serde_json::from_str::<Request>(r#"{"colour":"red"}"#).is_err());
}

#[test]
fn the_plan_must_be_able_to_take_it() {
    for (plan, code) in [
        (PlanReadiness::None, "no_call_plan"),
        (PlanReadiness::Invalid, "call_plan_invalid"),
        (
            PlanReadiness::NoScheduledBranch,
            "scheduled_branch_not_connected",
        ),
    ] {
        let mut world = World::new();
        let hosted = Hosted {
            status: NumberStatus::Active,
            plan,
        };
        world.hosted.insert(number("+441632960001"), hosted);
        assert_eq!(world.against(request()), [reason("/service_number", code)]);
    }
}

#[test]
fn a_strangers_number_is_as_unknown_as_none() {
    let mut world = World::new();
    world.hosted.clear();
    assert_eq!(
        world.against(request()),
        [reason("/service_number", "unknown_number")]
    );
}

#[test]
fn other_classes_of_service_numbers_are_a_matter_of_configuration() {
    let mut world = World::new();
    world.hosted.insert(number("+448449990001"), READY);
    let wanted = Request {
        service_number: "+448449990001".into(),
        ..request()
    };
    assert_eq!(
        world.against(wanted.clone()),
        [reason("/service_number", "number_class_not_allowed")]
    );
    world.classes.insert(NumberClass::UkSpecial);
    assert_eq!(world.against(wanted), []);
}

#[test]
fn a_presentation_number_is_hosted_or_custom() {
    let mut world = World::new();
    world.hosted.insert(number("+442079460001"), READY);
    let presenting = |text: &str| Request {
        presentation_number: Some(text.into()),
        ..request()
    };
    let pointer = "/presentation_number";
    assert_eq!(world.against(presenting("+442079460001")), []);
    assert_eq!(
        world.against(presenting("+442079460002")),
        [reason(pointer, "unknown_number")]
    );
    world.permissions.custom_cli = true;
    for text in [
        "+442079460002",
        "+443069990002",
        "+448081570002",
        "+447700900002",
    ] {
        assert_eq!(world.against(presenting(text)), [], "{text}");
    }
    for text in [
        "+447000000001",
        "+448449990001",
        "+449098790001",
        "+33123456789",
    ] {
        let refused = [reason(pointer, "presentation_not_allowed")];
        assert_eq!(world.against(presenting(text)), refused, "{text}");
    }
}

#[test]
fn the_first_partys_class_must_be_permitted() {
    let mut world = World::new();
    let calling = |text: &str| Request {
        first_party: text.into(),
        ..request()
    };
    let refused = [reason("/first_party", "destination_not_permitted")];
    assert_eq!(world.against(calling("+449098790001")), refused);
    assert_eq!(world.against(calling("+18765550123")), refused);
    world.permissions.sip_destinations = true;
    assert_eq!(world.against(calling("sip:phone@127.0.0.1:5070")), []);
}

#[test]
fn the_rules_are_checked_again_when_it_is_due() {
    let mut world = World::new();
    let wanted = Request {
        not_before: Some(at(10)),
        expires_at: Some(at(20)),
        ..request()
    };
    let booking = world.check(wanted).unwrap();
    let codes = |world: &World, now| -> Vec<_> {
        booking
            .recheck(&world.setting(), now)
            .into_iter()
            .map(|fault| fault.code)
            .collect()
    };
    assert_eq!(codes(&world, at(10)), [""; 0]);
    assert_eq!(codes(&world, at(9)), ["too_early"]);
    assert_eq!(codes(&world, at(20)), ["in_the_past"]);
    world.permissions.scheduled_calls = false;
    assert_eq!(codes(&world, at(10)), ["permission_denied"]);
    let faults = booking.recheck(&world.setting(), at(10));
    assert_eq!(Booking::refusal(&faults), Cause::CallRejected);
    world.permissions.scheduled_calls = true;
    world.hosted.clear();
    let faults = booking.recheck(&world.setting(), at(10));
    assert_eq!(Booking::refusal(&faults), Cause::NoRouteToDestination);
}

#[test]
fn numbers_to_look_up_are_named_before_the_check() {
    let wanted = Request {
        presentation_number: Some("x".into()),
        ..request()
    };
    assert_eq!(wanted.numbers(Country::GB), [number("+441632960001")]);
}

fn call() -> ScheduledCall {
    let booking = World::new().check(request()).unwrap();
    ScheduledCall::new(id(1), account(1), booking, at(0))
}

#[test]
fn a_call_goes_from_queued_to_completed() {
    let mut scheduled = call();
    let facts = [
        (
            Fact::Claimed {
                call: CallId::from_uuid(Uuid::from_u128(7)),
            },
            State::Dialling,
        ),
        (Fact::Rang, State::Ringing),
        (Fact::Answered, State::InProgress),
        (
            Fact::Ended {
                cause: Cause::NormalClearing,
                sip_status: None,
            },
            State::Completed,
        ),
    ];
    for (second, (fact, state)) in (1..).zip(facts) {
        scheduled.apply(fact, at(second)).unwrap();
        assert_eq!((scheduled.state, scheduled.updated_at), (state, at(second)));
    }
    assert_eq!(
        (scheduled.answered_at, scheduled.ended_at),
        (Some(at(3)), Some(at(4)))
    );
    assert!(scheduled.call.is_some());
    let json = serde_json::to_value(&scheduled).unwrap();
    assert_eq!(json["service_number"], "+441632960001");
    assert_eq!(
        (json["state"].as_str(), json["q850"].is_null()),
        (Some("completed"), true)
    );
    assert_eq!(
        serde_json::from_value::<ScheduledCall>(json).unwrap(),
        scheduled
    );
}

#[test]
fn a_claimed_call_that_is_cut_fails_with_cause_41() {
    let claimed = Fact::Claimed {
        call: CallId::from_uuid(Uuid::from_u128(7)),
    };
    for facts in [
        vec![claimed.clone()],
        vec![claimed.clone(), Fact::Rang],
        vec![claimed, Fact::Rang, Fact::Answered],
    ] {
        let mut scheduled = call();
        for fact in facts {
            scheduled.apply(fact, at(1)).unwrap();
        }
        scheduled.apply(Fact::Cut, at(2)).unwrap();
        assert_eq!(scheduled.state, State::Failed);
        assert_eq!(scheduled.cause.map(Cause::q850), Some(41));
    }
}

#[test]
fn only_a_queued_call_is_cancelled_expired_or_claimed() {
    let facts = [
        Fact::Claimed {
            call: CallId::from_uuid(Uuid::from_u128(7)),
        },
        Fact::Cancelled,
        Fact::Expired,
        Fact::Refused {
            cause: Cause::CallRejected,
            why: "not permitted".into(),
        },
    ];
    for state in State::ALL {
        for fact in &facts {
            assert_eq!(
                state.after(fact).is_some(),
                state == State::Queued,
                "{state:?} {fact:?}"
            );
        }
        assert!(!state.is_final() || state.after(&Fact::Cut).is_none());
        assert_eq!(
            serde_json::to_string(&state).unwrap(),
            format!("\"{}\"", state.name())
        );
    }
    let mut refused = call();
    refused.apply(facts[3].clone(), at(1)).unwrap();
    assert_eq!(refused.failure.as_deref(), Some("not permitted"));
    let mut scheduled = call();
    scheduled.apply(Fact::Cancelled, at(1)).unwrap();
    assert_eq!(
        scheduled.apply(Fact::Rang, at(2)),
        Err(Illegal {
            state: State::Cancelled
        })
    );
}

fn job(n: u128, path: &AccountPath, from: i64, to: Option<i64>) -> Job {
    Job {
        id: id(n),
        path: path.clone(),
        not_before: at(from),
        expires_at: to.map(at),
    }
}

fn handle(agenda: &mut Agenda, input: Input, now: i64) -> Vec<Effect> {
    agenda.handle(input, at(now));
    std::iter::from_fn(|| agenda.next_effect()).collect()
}

#[test]
fn due_calls_start_and_late_ones_expire() {
    let path = AccountPath::root(account(1));
    let mut agenda = Agenda::default();
    assert_eq!(
        handle(&mut agenda, Input::Add(job(1, &path, 0, None)), 5),
        [Effect::Start(id(1))]
    );
    assert_eq!(
        handle(&mut agenda, Input::Add(job(2, &path, 10, Some(20))), 5),
        []
    );
    assert_eq!(agenda.deadline(), Some(at(10)));
    assert_eq!(handle(&mut agenda, Input::Tick, 9), []);
    assert_eq!(
        handle(&mut agenda, Input::Tick, 20),
        [Effect::Expire(id(2))]
    );
    assert_eq!(
        (
            agenda.queued(),
            agenda.in_progress(account(1)),
            agenda.deadline()
        ),
        (0, 1, None)
    );
}

#[test]
fn the_cap_of_one_account_does_not_hold_up_another() {
    let root = AccountPath::root(account(1));
    let (left, right) = (root.child(account(2)), root.child(account(3)));
    let mut agenda = Agenda::default();
    handle(
        &mut agenda,
        Input::Cap {
            account: account(1),
            most: Some(2),
        },
        0,
    );
    handle(
        &mut agenda,
        Input::Cap {
            account: account(2),
            most: Some(1),
        },
        0,
    );
    let add = |agenda: &mut Agenda, n, path| handle(agenda, Input::Add(job(n, path, 0, None)), 0);
    assert_eq!(add(&mut agenda, 1, &left), [Effect::Start(id(1))]);
    assert_eq!(add(&mut agenda, 2, &left), []);
    assert_eq!(add(&mut agenda, 3, &right), [Effect::Start(id(3))]);
    assert_eq!(add(&mut agenda, 4, &right), [], "the root is full");
    assert_eq!(
        handle(&mut agenda, Input::Over(id(3)), 1),
        [Effect::Start(id(4))]
    );
    assert_eq!(
        handle(&mut agenda, Input::Dropped(id(1)), 1),
        [Effect::Start(id(2))]
    );
}

#[test]
fn a_call_that_goes_on_after_a_restart_takes_its_place_under_the_cap() {
    let root = AccountPath::root(account(1));
    let caps = [(account(1), 1)];
    let queued = [(job(2, &root, 0, None), State::Queued)];
    let (mut agenda, _) = Agenda::restore(queued, caps, at(0));
    let going = job(1, &root, 0, None);
    agenda.handle(Input::GoesOn(going), at(0));
    assert_eq!(agenda.next_effect(), None);
    assert_eq!(agenda.in_progress(account(1)), 1);
    assert_eq!(
        handle(&mut agenda, Input::Over(id(1)), 1),
        [Effect::Start(id(2))]
    );
}

#[test]
fn a_deferred_call_waits_and_a_cancelled_one_is_gone() {
    let path = AccountPath::root(account(1));
    let mut agenda = Agenda::default();
    handle(&mut agenda, Input::Add(job(1, &path, 0, Some(100))), 0);
    assert_eq!(
        handle(
            &mut agenda,
            Input::Deferred {
                id: id(1),
                until: at(3)
            },
            1
        ),
        []
    );
    assert_eq!(agenda.deadline(), Some(at(3)));
    assert_eq!(handle(&mut agenda, Input::Tick, 3), [Effect::Start(id(1))]);
    handle(
        &mut agenda,
        Input::Deferred {
            id: id(1),
            until: at(5),
        },
        4,
    );
    assert_eq!(handle(&mut agenda, Input::Remove(id(1)), 4), []);
    assert_eq!((agenda.deadline(), agenda.queued()), (None, 0));
    assert_eq!(handle(&mut agenda, Input::Tick, 200), []);
}

#[test]
fn calls_without_a_channel_wait_until_one_is_free_and_no_other_account_waits_for_it() {
    let root = AccountPath::root(account(1));
    let (left, right) = (root.child(account(2)), root.child(account(3)));
    let mut agenda = Agenda::default();
    for n in 1..=4 {
        handle(&mut agenda, Input::Add(job(n, &left, 0, None)), 0);
    }
    let no_channel = |n, until| Input::NoChannel {
        id: id(n),
        account: account(2),
        until: at(until),
    };
    for n in [3, 1, 2, 4] {
        assert_eq!(handle(&mut agenda, no_channel(n, 9), 1), []);
    }
    let other = Input::Add(job(7, &right, 0, None));
    assert_eq!(handle(&mut agenda, other, 1), [Effect::Start(id(7))]);
    assert_eq!((agenda.deadline(), agenda.queued()), (Some(at(9)), 4));
    // One more than there are channels is tried, so that the next channel is heard of.
    let freed = |channels| Input::Freed {
        account: account(2),
        channels,
    };
    let started = handle(&mut agenda, freed(1), 2);
    assert_eq!(started, [1, 2].map(|n| Effect::Start(id(n))));
    assert_eq!(handle(&mut agenda, Input::Claimed(id(1)), 2), []);
    assert_eq!(handle(&mut agenda, no_channel(2, 9), 2), []);
    let started = handle(&mut agenda, freed(5), 3);
    assert_eq!(started, [2, 3, 4].map(|n| Effect::Start(id(n))));
    // Without news the account is tried again.
    assert_eq!(handle(&mut agenda, no_channel(4, 5), 3), []);
    assert_eq!(handle(&mut agenda, Input::Tick, 5), [Effect::Start(id(4))]);
    assert_eq!(agenda.deadline(), None);
}

#[test]
fn a_channel_that_is_freed_before_the_refusal_is_told_is_used() {
    let path = AccountPath::root(account(1));
    let mut agenda = Agenda::default();
    for n in [1, 2] {
        handle(&mut agenda, Input::Add(job(n, &path, 0, None)), 0);
    }
    let freed = Input::Freed {
        account: account(1),
        channels: 1,
    };
    assert_eq!(handle(&mut agenda, freed.clone(), 1), []);
    let no_channel = |n, until| Input::NoChannel {
        id: id(n),
        account: account(1),
        until: at(until),
    };
    let started = handle(&mut agenda, no_channel(1, 9), 1);
    assert_eq!(started, [Effect::Start(id(1))]);
    assert_eq!(handle(&mut agenda, no_channel(2, 9), 1), []);
    assert_eq!(handle(&mut agenda, Input::Claimed(id(1)), 1), []);
    // What is freed while nothing is being started concerns nobody.
    handle(&mut agenda, Input::Over(id(1)), 9);
    handle(&mut agenda, Input::Claimed(id(2)), 9);
    handle(&mut agenda, freed, 10);
    handle(&mut agenda, Input::Add(job(3, &path, 0, None)), 10);
    assert_eq!(handle(&mut agenda, no_channel(3, 20), 10), []);
}

#[test]
fn many_calls_that_are_due_at_once_are_started_as_fast_as_they_are_claimed() {
    let path = AccountPath::root(account(1));
    let mut agenda = Agenda::default();
    for n in 1..=450 {
        handle(&mut agenda, Input::Add(job(n, &path, 10, None)), 0);
    }
    let mut started = handle(&mut agenda, Input::Tick, 10);
    assert_eq!(started.len(), 200);
    let mut all = Vec::new();
    while !started.is_empty() {
        let mut next = Vec::new();
        for effect in started {
            let Effect::Start(id) = effect else {
                panic!("{effect:?}");
            };
            all.push(id);
            next.extend(handle(&mut agenda, Input::Claimed(id), 10));
        }
        started = next;
    }
    assert_eq!(all, (1..=450).map(id).collect::<Vec<_>>());
}

#[derive(Clone, Debug)]
enum Move {
    Create {
        account: usize,
        from: i64,
        window: Option<i64>,
    },
    Cancel(usize),
    /// Carries out what the agenda asked for. The process may die: `Some(false)` before the claim is
    /// written, `Some(true)` after it and before it dials.
    Work {
        crash: Option<bool>,
    },
    Finish(usize),
    Pass(i64),
    Crash,
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0usize..3, -5i64..30, prop::option::of(1i64..30))
            .prop_map(|(account, from, window)| Move::Create { account, from, window }),
        1 => (0usize..40).prop_map(Move::Cancel),
        6 => prop::option::weighted(0.15, any::<bool>()).prop_map(|crash| Move::Work { crash }),
        2 => (0usize..40).prop_map(Move::Finish),
        3 => (0i64..15).prop_map(Move::Pass),
        1 => Just(Move::Crash),
    ]
}

/// What outlives a crash: the rows; and the outside world, which counts what it was dialled.
struct Model {
    rows: Vec<(Job, State)>,
    dialled: Vec<u32>,
    agenda: Agenda,
    asked: Vec<Effect>,
    now: i64,
}

const ENDED: Fact = Fact::Ended {
    cause: Cause::NoAnswer,
    sip_status: None,
};

const CAPS: [u32; 3] = [3, 2, 2];

fn caps() -> impl Iterator<Item = (AccountId, u32)> {
    (0..).map(account).zip(CAPS)
}

fn path(which: usize) -> AccountPath {
    let root = AccountPath::root(account(0));
    if which == 0 {
        root
    } else {
        root.child(account(which as u128))
    }
}

impl Model {
    fn tell(&mut self, input: Input) {
        let effects = handle(&mut self.agenda, input, self.now);
        self.asked.extend(effects);
    }

    fn restart(&mut self) {
        self.asked.clear();
        // No call outlives its process.
        let (agenda, cut) = Agenda::restore(self.rows.iter().cloned(), caps(), at(self.now));
        self.agenda = agenda;
        for row in &mut self.rows {
            if cut.contains(&row.0.id) {
                row.1 = row.1.after(&Fact::Cut).expect("only claimed calls are cut");
            }
        }
        self.tell(Input::Tick);
    }

    fn row(&self, id: ScheduledCallId) -> usize {
        self.rows
            .iter()
            .position(|(job, _)| job.id == id)
            .expect("a known call")
    }

    fn work(&mut self, crash: Option<bool>) {
        if self.asked.is_empty() {
            return;
        }
        match self.asked.remove(0) {
            Effect::Start(id) => {
                if crash == Some(false) {
                    return self.restart();
                }
                let row = self.row(id);
                if self.rows[row].1 != State::Queued {
                    return self.tell(Input::Dropped(id));
                }
                let job = &self.rows[row].0;
                if job.expires_at.is_some_and(|end| end <= at(self.now)) {
                    self.rows[row].1 = State::Expired;
                    return self.tell(Input::Dropped(id));
                }
                self.rows[row].1 = State::Dialling;
                if crash == Some(true) {
                    return self.restart();
                }
                self.dialled[row] += 1;
            }
            Effect::Expire(id) => {
                let row = self.row(id);
                if crash.is_some() {
                    return self.restart();
                }
                if self.rows[row].1 == State::Queued {
                    self.rows[row].1 = State::Expired;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_call_is_dialled_twice_or_outside_its_window_through_any_crash(
        moves in prop::collection::vec(any_move(), 0..120),
    ) {
        let mut model = Model {
            rows: Vec::new(), dialled: Vec::new(), agenda: Agenda::default(), asked: Vec::new(), now: 0,
        };
        model.restart();
        for step in moves {
            let before = model.dialled.clone();
            match step {
                Move::Create { account, from, window } => {
                    let not_before = model.now + from;
                    let end = window.map(|window| not_before + window);
                    let job = job(u128::try_from(model.rows.len()).unwrap(), &path(account), not_before, end);
                    model.rows.push((job.clone(), State::Queued));
                    model.dialled.push(0);
                    model.tell(Input::Add(job));
                }
                Move::Cancel(n) => {
                    let next = model.rows.get(n).and_then(|(_, state)| state.after(&Fact::Cancelled));
                    if let (Some(row), Some(next)) = (model.rows.get_mut(n), next) {
                        row.1 = next;
                        let id = row.0.id;
                        model.tell(Input::Remove(id));
                    }
                }
                Move::Work { crash } => model.work(crash),
                Move::Finish(n) => {
                    let next = model.rows.get(n).and_then(|(_, state)| state.after(&ENDED));
                    if let (Some(row), Some(next)) = (model.rows.get_mut(n), next) {
                        row.1 = next;
                        let id = row.0.id;
                        model.tell(Input::Over(id));
                    }
                }
                Move::Pass(seconds) => {
                    model.now += seconds;
                    model.tell(Input::Tick);
                }
                Move::Crash => model.restart(),
            }
            for (row, (job, state)) in model.rows.iter().enumerate() {
                prop_assert!(model.dialled[row] <= 1, "dialled twice");
                if before.get(row).is_some_and(|count| *count < model.dialled[row]) {
                    prop_assert!(job.not_before <= at(model.now));
                    prop_assert!(job.expires_at.is_none_or(|end| at(model.now) < end));
                }
                prop_assert!(model.dialled[row] == 0 || *state != State::Queued);
            }
            for (n, most) in CAPS.iter().enumerate() {
                let live = model.rows.iter().filter(|(job, state)| {
                    state.is_in_progress() && job.path.is_within(account(n as u128))
                });
                prop_assert!(live.count() <= *most as usize, "the cap of account {}", n);
            }
        }
        // In the end, with time and without crashes, every call is settled.
        model.now += 100;
        model.tell(Input::Tick);
        for _ in 0..400 {
            model.work(None);
            for row in 0..model.rows.len() {
                if model.rows[row].1 == State::Dialling {
                    model.rows[row].1 = State::Failed;
                    let id = model.rows[row].0.id;
                    model.tell(Input::Over(id));
                }
            }
        }
        prop_assert!(model.rows.iter().all(|(_, state)| state.is_final()), "{:?}", model.rows);
        prop_assert_eq!((model.agenda.queued(), model.agenda.in_progress(account(0))), (0, 0));
    }
}

#[test]
fn times_in_a_row_keep_their_order() {
    let path = AccountPath::root(account(1));
    let mut agenda = Agenda::default();
    handle(
        &mut agenda,
        Input::Cap {
            account: account(1),
            most: Some(0),
        },
        0,
    );
    for n in [3, 1, 2] {
        handle(
            &mut agenda,
            Input::Add(job(n, &path, i64::try_from(n).unwrap(), None)),
            0,
        );
    }
    handle(&mut agenda, Input::Tick, 10);
    let lifted = handle(
        &mut agenda,
        Input::Cap {
            account: account(1),
            most: None,
        },
        10,
    );
    assert_eq!(lifted, [1, 2, 3].map(|n| Effect::Start(id(n))));
}
