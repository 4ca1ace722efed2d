//! What is in the database before the platform starts: a tree of accounts, a user of each, numbers
//! with plans, a trunk to the test's phone, tones in the pool.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use serde_json::Value;
use strowger::app;
use strowger::config::Config;
use strowger::sound::library::SoundLibrary;
use strowger::sound::media_files::MediaFiles;
use strowger::store::audio::Audio;
use strowger::store::call_plans::{NewCallPlan, Publication};
use strowger::store::numbers::{Number, NumberStatus};
use strowger::store::trunks::{Route, Trunk, TrunkTransport};
use strowger::store::users::NewUser;
use strowger::store::{AccountScope, Store};
use strowger_domain::account::{
    Account, AccountKind, AccountStatus, Contact, Limits, Permissions, Role,
};
use strowger_domain::e164::E164;
use strowger_domain::ids::{AccountId, NumberId, PlanId, RouteId, TrunkId, UserId};
use strowger_media::tone::{Generator, Tone};
use strowger_media::wav;
use uuid::Uuid;

use super::plans::audio_id;

/// The customer's first number.
pub(crate) const CUSTOMER_NUMBER: &str = "+441632960001";
/// The customer's second number.
pub(crate) const SECOND_NUMBER: &str = "+441632960002";
/// The password of every user.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// The tones in the pool, a second of each.
pub(crate) const TONES: [u16; 4] = [500, 700, 1100, 1700];

/// An account of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Carrier,
    Reseller,
    Customer,
    Sub,
    /// A customer of another reseller.
    Stranger,
}

/// The tree.
pub(crate) const TREE: [(Owner, Option<Owner>, AccountKind); 5] = [
    (Owner::Carrier, None, AccountKind::Carrier),
    (Owner::Reseller, Some(Owner::Carrier), AccountKind::Reseller),
    (
        Owner::Customer,
        Some(Owner::Reseller),
        AccountKind::Customer,
    ),
    (Owner::Sub, Some(Owner::Customer), AccountKind::Customer),
    (Owner::Stranger, Some(Owner::Carrier), AccountKind::Customer),
];

/// A number to be.
#[derive(Clone, Debug)]
pub(crate) struct Hosted {
    pub(crate) number: String,
    pub(crate) owner: Owner,
    pub(crate) status: NumberStatus,
    pub(crate) plan: Option<Value>,
}

/// What shall be there.
#[derive(Clone, Debug)]
pub(crate) struct Seed {
    pub(crate) permissions: BTreeMap<Owner, Permissions>,
    pub(crate) limits: BTreeMap<Owner, Limits>,
    pub(crate) disabled: Vec<Owner>,
    pub(crate) numbers: Vec<Hosted>,
    /// The carrier's trunk, for all numbers.
    pub(crate) trunk: Option<Trunk>,
}

/// What is there.
#[derive(Clone, Debug)]
pub(crate) struct Seeded {
    pub(crate) accounts: BTreeMap<Owner, AccountId>,
    pub(crate) numbers: BTreeMap<String, NumberId>,
    pub(crate) plans: BTreeMap<String, PlanId>,
}

/// The address with which the user of an account signs in.
pub(crate) fn email(owner: Owner) -> String {
    format!("{owner:?}@example.test").to_lowercase()
}

/// A trunk to a peer on this machine.
pub(crate) fn trunk_to(host: &str, transport: TrunkTransport) -> Trunk {
    Trunk {
        id: TrunkId::from_uuid(Uuid::now_v7()),
        account: AccountId::from_uuid(Uuid::nil()),
        name: "carrier".into(),
        host: host.into(),
        transport,
        username: None,
        password: None,
        allowed_sources: vec!["127.0.0.1".into()],
        codecs: Vec::new(),
        authenticate_inbound: false,
        created_at: Utc::now(),
    }
}

impl Seed {
    /// Writes it.
    pub(crate) async fn plant(&self, config: &Config) -> Seeded {
        let store = app::open_store(config).await.unwrap();
        let scope = AccountScope::platform();
        let mut seeded = Seeded {
            accounts: BTreeMap::new(),
            numbers: BTreeMap::new(),
            plans: BTreeMap::new(),
        };
        let files = MediaFiles::new(&config.data);
        let password_hash = strowger::api::passwords::hash(PASSWORD);
        for (owner, parent, kind) in TREE {
            let id = AccountId::from_uuid(Uuid::now_v7());
            let disabled = self.disabled.contains(&owner);
            let account = Account {
                id,
                parent: parent.map(|parent| seeded.accounts[&parent]),
                kind,
                name: format!("{owner:?}"),
                reference: None,
                contact: Contact::default(),
                status: if disabled {
                    AccountStatus::Disabled
                } else {
                    AccountStatus::Active
                },
                time_zone: chrono_tz::Europe::London,
                permissions: self
                    .permissions
                    .get(&owner)
                    .cloned()
                    .unwrap_or(Permissions::all()),
                limits: self.limits.get(&owner).copied().unwrap_or_default(),
                created_at: Utc::now(),
            };
            store.create_account(&scope, account).await.unwrap();
            seeded.accounts.insert(owner, id);
            let user = NewUser {
                id: UserId::from_uuid(Uuid::now_v7()),
                account: id,
                email: email(owner),
                name: format!("{owner:?}"),
                role: Role::Administrator,
                password_hash: password_hash.clone(),
                created_at: Utc::now(),
            };
            store.create_user(&scope, user).await.unwrap();
        }
        self.plant_audio(&store, &files, seeded.accounts[&Owner::Customer])
            .await;
        for hosted in &self.numbers {
            plant_number(&store, hosted, &mut seeded).await;
        }
        if let Some(trunk) = &self.trunk {
            let account = seeded.accounts[&Owner::Carrier];
            let trunk = Trunk {
                account,
                ..trunk.clone()
            };
            let id = trunk.id;
            store.create_trunk(&scope, trunk).await.unwrap();
            let route = Route {
                id: RouteId::from_uuid(Uuid::now_v7()),
                account,
                prefix: "+".into(),
                trunk: id,
                priority: 1,
                created_at: Utc::now(),
            };
            store.create_route(&scope, route).await.unwrap();
        }
        store.close().await.unwrap();
        seeded
    }

    async fn plant_audio(&self, store: &Store, files: &MediaFiles, account: AccountId) {
        for hertz in TONES {
            let samples: Vec<i16> = Generator::new(Tone::Steady { hertz }).take(8000).collect();
            let bytes = wav::write(&samples);
            let id = audio_id(hertz);
            let file = SoundLibrary::audio_name(id);
            let path = files.path(account, &file).unwrap();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
            let audio = Audio {
                id,
                account,
                name: format!("{hertz} Hz"),
                file,
                duration: Duration::from_secs(1),
                size_bytes: bytes.len() as u64,
                created_at: Utc::now(),
            };
            store
                .create_audio(&AccountScope::platform(), audio)
                .await
                .unwrap();
        }
    }
}

async fn plant_number(store: &Store, hosted: &Hosted, seeded: &mut Seeded) {
    let scope = AccountScope::platform();
    let account = seeded.accounts[&hosted.owner];
    let mut call_plan = None;
    if let Some(plan) = &hosted.plan {
        let id = PlanId::from_uuid(Uuid::now_v7());
        let new = NewCallPlan {
            id,
            account,
            name: format!("Plan of {}", hosted.number),
            draft: plan.clone(),
            created_at: Utc::now(),
        };
        let made = store.create_call_plan(&scope, new).await.unwrap();
        let publication = Publication {
            plan: id,
            etag: made.draft_etag,
            note: String::new(),
            by: None,
            now: Utc::now(),
        };
        store.publish_call_plan(&scope, publication).await.unwrap();
        call_plan = Some(id);
        seeded.plans.insert(hosted.number.clone(), id);
    }
    let number = E164::parse(&hosted.number).unwrap();
    let id = NumberId::from_uuid(Uuid::now_v7());
    let number = Number {
        id,
        account,
        class: number.class(),
        number,
        status: hosted.status,
        description: String::new(),
        call_plan,
        created_at: Utc::now(),
    };
    store.create_number(&scope, number).await.unwrap();
    seeded.numbers.insert(hosted.number.clone(), id);
}
