//! Sample rows: a small tree of accounts and one of everything that an account can have.

use crate::store::api_keys::ApiKey;
use crate::store::audio::Audio;
use crate::store::call_plans::{NewCallPlan, Publication};
use crate::store::numbers::{Number, NumberStatus};
use crate::store::services::{Instance, InstanceState, OutboundService};
use crate::store::trunks::{Route, Trunk, TrunkTransport};
use crate::store::users::NewUser;
use crate::store::{AccountScope, Store, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use strowger_domain::account::{
    Account, AccountKind, AccountStatus, Contact, Limits, Permissions, Role as UserRole, Scope,
    Scopes,
};
use strowger_domain::call::{LegNumber, Origin};
use strowger_domain::cdr::{CallRecord, Fact, LegOpening, Opening, Role, Timeline};
use strowger_domain::destination::Destination;
use strowger_domain::e164::E164;
use strowger_domain::ids::{
    AccountId, ApiKeyId, AudioId, CallId, InstanceId, LegId, NumberId, PlanId, RouteId,
    ScheduledCallId, ServiceId, TrunkId, UserId,
};
use strowger_domain::schedule::{Booking, ScheduledCall};
use uuid::Uuid;

/// A carrier with two resellers, and a customer below each; everything belongs to customers.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The store that holds it.
    pub store: Store,
    /// The root.
    pub carrier: AccountId,
    /// The first reseller.
    pub reseller: AccountId,
    /// Its customer.
    pub customer: AccountId,
    /// The second reseller.
    pub rival: AccountId,
    /// Its customer.
    pub stranger: AccountId,
    /// When it was all made.
    pub now: DateTime<Utc>,
}

/// What [`Sample::belongings`] made.
#[derive(Clone, Copy, Debug)]
pub struct Belongings {
    /// A user.
    pub user: UserId,
    /// An API key.
    pub api_key: ApiKeyId,
    /// A published call plan.
    pub plan: PlanId,
    /// A number that uses it.
    pub number: NumberId,
    /// An audio file.
    pub audio: AudioId,
    /// A trunk.
    pub trunk: TrunkId,
    /// A route to it.
    pub route: RouteId,
    /// An outbound service.
    pub service: ServiceId,
    /// An instance of it.
    pub instance: InstanceId,
    /// A scheduled call that is due.
    pub scheduled_call: ScheduledCallId,
}

impl Sample {
    /// Fills an empty database with the accounts.
    pub async fn new(store: Store) -> Result<Self, StoreError> {
        let id = || AccountId::from_uuid(Uuid::now_v7());
        let sample = Self {
            store,
            carrier: id(),
            reseller: id(),
            customer: id(),
            rival: id(),
            stranger: id(),
            now: DateTime::from_timestamp_millis(1_790_000_000_123).unwrap_or_default(),
        };
        let platform = AccountScope::platform();
        for (id, parent, kind) in [
            (sample.carrier, None, AccountKind::Carrier),
            (sample.reseller, Some(sample.carrier), AccountKind::Reseller),
            (sample.rival, Some(sample.carrier), AccountKind::Reseller),
            (
                sample.customer,
                Some(sample.reseller),
                AccountKind::Customer,
            ),
            (sample.stranger, Some(sample.rival), AccountKind::Customer),
        ] {
            let account = sample.account(id, parent, kind);
            sample.store.create_account(&platform, account).await?;
        }
        Ok(sample)
    }

    /// An account that could be made.
    pub fn account(&self, id: AccountId, parent: Option<AccountId>, kind: AccountKind) -> Account {
        Account {
            id,
            parent,
            kind,
            name: format!("{kind:?}"),
            reference: Some("A-1".to_owned()),
            contact: Contact::default(),
            status: AccountStatus::Active,
            time_zone: chrono_tz::Europe::London,
            permissions: Permissions::all(),
            limits: Limits::default(),
            created_at: self.now,
        }
    }

    /// A scheduled call of this account that is due now, from the number of this place.
    pub fn scheduled_call(&self, account: AccountId, place: u8) -> ScheduledCall {
        let booking = Booking {
            service_number: drama_number(place),
            first_party: Destination::Number(drama_number(99)),
            presentation_number: Some(drama_number(place)),
            not_before: self.now,
            expires_at: Some(self.now + TimeDelta::hours(1)),
            ring_duration_s: 30,
            variables: BTreeMap::from([("name".to_owned(), "Ada".to_owned())]),
            reference: Some("R-1".to_owned()),
        };
        let id = ScheduledCallId::from_uuid(Uuid::now_v7());
        ScheduledCall::new(id, account, booking, self.now)
    }

    /// Gives an account one of everything; `place` (below 100) tells its number from others.
    pub async fn belongings(
        &self,
        account: AccountId,
        place: u8,
    ) -> Result<Belongings, StoreError> {
        let scope = &AccountScope::platform();
        let now = self.now;
        let id = Uuid::now_v7;
        let made = Belongings {
            user: UserId::from_uuid(id()),
            api_key: ApiKeyId::from_uuid(id()),
            plan: PlanId::from_uuid(id()),
            number: NumberId::from_uuid(id()),
            audio: AudioId::from_uuid(id()),
            trunk: TrunkId::from_uuid(id()),
            route: RouteId::from_uuid(id()),
            service: ServiceId::from_uuid(id()),
            instance: InstanceId::from_uuid(id()),
            scheduled_call: ScheduledCallId::from_uuid(id()),
        };
        let user = NewUser {
            id: made.user,
            account,
            email: format!("Ada.{place}@Example.Test"),
            name: "Ada".to_owned(),
            role: UserRole::Standard,
            password_hash: "$argon2id$…".to_owned(),
            created_at: now,
        };
        self.store.create_user(scope, user).await?;
        let plan = NewCallPlan {
            id: made.plan,
            account,
            name: "Welcome".to_owned(),
            draft: json!({"nodes": {}}),
            created_at: now,
        };
        let plan = self.store.create_call_plan(scope, plan).await?;
        let publication = Publication {
            plan: plan.id,
            etag: plan.draft_etag,
            note: "first".to_owned(),
            by: Some(made.user),
            now,
        };
        self.store.publish_call_plan(scope, publication).await?;
        let number = drama_number(place);
        let number = Number {
            id: made.number,
            account,
            class: number.class(),
            number,
            status: NumberStatus::Active,
            description: "sales".to_owned(),
            call_plan: Some(made.plan),
            created_at: now,
        };
        self.store.create_number(scope, number).await?;
        let audio = Audio {
            id: made.audio,
            account,
            name: "greeting".to_owned(),
            file: format!("{place}.wav"),
            duration: Duration::from_millis(1500),
            size_bytes: 24_044,
            created_at: now,
        };
        self.store.create_audio(scope, audio).await?;
        let trunk = Trunk {
            id: made.trunk,
            account,
            name: "carrier".to_owned(),
            host: "192.0.2.1:5070".to_owned(),
            transport: TrunkTransport::Tcp,
            username: Some("us".to_owned()),
            password: Some("secret".to_owned()),
            authenticate_inbound: false,
            allowed_sources: vec!["192.0.2.0/24".to_owned()],
            codecs: vec!["PCMA".to_owned()],
            created_at: now,
        };
        self.store.create_trunk(scope, trunk).await?;
        let key = ApiKey {
            id: made.api_key,
            account,
            name: "import".to_owned(),
            hint: "abcd".to_owned(),
            scopes: Scopes::of(&[Scope::NumbersRead]),
            allowed_sources: vec![],
            created_by: Some(made.user),
            created_at: now,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            last_used_from: None,
        };
        let hash = format!("hash of {}", made.api_key);
        self.store.create_api_key(scope, key, hash).await?;
        let route = Route {
            id: made.route,
            account,
            prefix: "+44".to_owned(),
            trunk: made.trunk,
            priority: 1,
            created_at: now,
        };
        self.store.create_route(scope, route).await?;
        let service = OutboundService {
            id: made.service,
            account,
            name: "survey".to_owned(),
            password_hash: "$argon2id$…".to_owned(),
            rest: json!({"first_page": {"address": "https://example.test/", "method": "POST"}}),
            application_parameters: "a=1".to_owned(),
            extra_channels: 2,
            created_at: now,
            updated_at: now,
        };
        self.store.put_outbound_service(scope, service).await?;
        let instance = Instance {
            id: made.instance,
            account,
            service: made.service,
            called: "+447700900002".to_owned(),
            calling: "+441632960001".to_owned(),
            token: "t".to_owned(),
            outbound_parameters: String::new(),
            state: InstanceState::Starting,
            call: None,
            cause: None,
            sip_status: None,
            failure: None,
            created_at: now,
            updated_at: now,
            ended_at: None,
        };
        self.store.create_instance(scope, instance).await?;
        let mut call = self.scheduled_call(account, place);
        call.id = made.scheduled_call;
        self.store.create_scheduled_call(scope, call).await?;
        Ok(made)
    }
}

/// One of Ofcom's numbers for drama: 01632 960xxx.
///
/// # Panics
/// Never: each of them is a number.
fn drama_number(place: u8) -> E164 {
    match E164::parse(&format!("+4416329600{:02}", place % 100)) {
        Ok(number) => number,
        Err(error) => panic!("{error}"),
    }
}

/// The record of an inbound call that was answered and is still live, with its A-party's leg.
pub fn record(account: AccountId, at: DateTime<Utc>) -> CallRecord {
    let opening = Opening {
        call: CallId::from_uuid(Uuid::now_v7()),
        account,
        origin: Origin::Inbound,
        service_number: Some("+441632960001".to_owned()),
        calling: Some("+447700900001".to_owned()),
        withheld_calling: None,
        called: "+441632960001".to_owned(),
        scheduled_call: None,
        instance: None,
    };
    let leg = LegOpening {
        leg: LegNumber::A,
        id: LegId::from_uuid(Uuid::now_v7()),
        role: Role::A,
        address: Some("+447700900001".to_owned()),
        presentation: None,
    };
    let mut timeline = Timeline::new(opening, at);
    let step = Fact::Step {
        node: "n1".to_owned(),
        kind: "play_audio".to_owned(),
        branch: "continue".to_owned(),
    };
    for fact in [
        Fact::LegStarted(leg),
        Fact::LegAnswered(LegNumber::A),
        Fact::LegCodec(LegNumber::A, "PCMA".to_owned()),
        step,
    ] {
        timeline.note(fact, at);
    }
    timeline.snapshot().clone()
}
