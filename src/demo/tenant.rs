//! The demonstration tenant: made where it is missing, found where it is there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rand::seq::IndexedRandom;
use strowger_domain::account::{
    Account, AccountKind, AccountStatus, Contact, Limits, Permissions, Role,
};
use strowger_domain::e164::E164;
use strowger_domain::ids::{AccountId, AudioId, NumberId, PlanId, RouteId, TrunkId, UserId};
use strowger_media::wav;
use uuid::Uuid;

use super::Visitor;
use super::plan::{ANNOUNCEMENTS, Announcement, document};
use crate::api::passwords;
use crate::net::clock;
use crate::sound::library::SoundLibrary;
use crate::sound::media_files::MediaFiles;
use crate::store::audio::Audio;
use crate::store::call_plans::{NewCallPlan, Publication};
use crate::store::numbers::{Number, NumberStatus};
use crate::store::page::MAX_LIMIT;
use crate::store::trunks::{Route, Trunk, TrunkChange, TrunkTransport};
use crate::store::users::{NewUser, UserChange};
use crate::store::{AccountScope, Paging, Store, StoreError, Within};

/// The numbers of Ofcom that are for drama and nobody else.
pub(super) const NUMBERS: [&str; 4] = [
    "+441632960001",
    "+442079460001",
    "+443069990001",
    "+448081570001",
];
/// One that is parked.
pub(super) const PARKED: &str = "+441632960002";

/// The accounts from the top downwards, and who signs in for them.
const TREE: [(AccountKind, &str, &str); 4] = [
    (
        AccountKind::Carrier,
        "Demonstration Carrier",
        "carrier@example.com",
    ),
    (
        AccountKind::Reseller,
        "Example Reseller",
        "reseller@example.com",
    ),
    (
        AccountKind::Customer,
        "Example Customer",
        "customer@example.com",
    ),
    (
        AccountKind::Customer,
        "Example Branch Office",
        "branch@example.com",
    ),
];

/// Far more than a demonstration needs, and enough to try the machine with.
const LIMITS: Limits = Limits {
    calls: Some(2_000),
    calls_per_second: Some(500),
    scheduled_in_progress: Some(1_000),
    scheduled_queued: Some(50_000),
    call_duration_s: None,
    agents: None,
    storage_bytes: None,
    requests_per_minute: None,
};

const PLAN_NAME: &str = "Welcome menu";
const TRUNK_NAME: &str = "Built-in test phone";

/// The tenant.
pub(super) struct Tenant {
    /// Who may sign in, from the top downwards.
    pub(super) visitors: Vec<Visitor>,
}

/// Makes what is missing; tells the trunk where the test phone is now. `known`: the users of the
/// last start, whose passwords stay.
pub(super) async fn ensure(
    store: &Store,
    files: &MediaFiles,
    known: &[Visitor],
    phone: SocketAddr,
) -> anyhow::Result<Tenant> {
    let builder = Builder {
        store,
        files,
        scope: AccountScope::platform(),
    };
    let accounts = builder.accounts().await?;
    let mut visitors = Vec::new();
    for (account, (_, _, email)) in accounts.iter().zip(TREE) {
        visitors.push(builder.user(account, email, known).await?);
    }
    let (Some(root), Some(owner)) = (accounts.first(), accounts.last()) else {
        bail!("there are no accounts");
    };
    builder.trunk(root.id, phone).await.context("the trunk")?;
    let plan = builder.plan(owner.id).await.context("the call plan")?;
    for number in NUMBERS {
        builder
            .number(owner.id, number, NumberStatus::Active, plan)
            .await?;
    }
    builder
        .number(owner.id, PARKED, NumberStatus::Parked, plan)
        .await?;
    Ok(Tenant { visitors })
}

const ALL: Paging = Paging {
    limit: MAX_LIMIT,
    after: None,
};

struct Builder<'a> {
    store: &'a Store,
    files: &'a MediaFiles,
    scope: AccountScope,
}

impl Builder<'_> {
    async fn accounts(&self) -> anyhow::Result<Vec<Account>> {
        let there = self.store.all_accounts(&self.scope).await?;
        let root = there.iter().find(|account| account.parent.is_none());
        if let Some(root) = root.filter(|root| root.name != TREE[0].1) {
            bail!(
                "the database belongs to `{}`: a demonstration needs a data folder of its own",
                root.name
            );
        }
        let mut accounts: Vec<Account> = Vec::new();
        for (kind, name, _) in TREE {
            let parent = accounts.last().map(|account| account.id);
            let found = there
                .iter()
                .find(|account| account.parent == parent && account.name == name);
            let account = match found {
                Some(account) => account.clone(),
                None => self.account(parent, kind, name).await?,
            };
            accounts.push(account);
        }
        Ok(accounts)
    }

    async fn account(
        &self,
        parent: Option<AccountId>,
        kind: AccountKind,
        name: &str,
    ) -> anyhow::Result<Account> {
        let account = Account {
            id: AccountId::from_uuid(Uuid::now_v7()),
            parent,
            kind,
            name: name.to_owned(),
            reference: None,
            contact: Contact::default(),
            status: AccountStatus::Active,
            time_zone: chrono_tz::Europe::London,
            permissions: Permissions::all(),
            limits: LIMITS,
            created_at: clock::now().utc,
        };
        self.store
            .create_account(&self.scope, account)
            .await
            .with_context(|| name.to_owned())
    }

    async fn user(
        &self,
        account: &Account,
        email: &str,
        known: &[Visitor],
    ) -> anyhow::Result<Visitor> {
        let known = known.iter().find(|user| user.email == email);
        let password = known.map_or_else(new_password, |user| user.password.clone());
        let now = clock::now().utc;
        match self.store.user_by_email(&self.scope, email).await {
            Ok(_) if known.is_some() => {}
            Ok(user) => {
                let password_hash = Some(passwords::hash(&password));
                let change = UserChange {
                    password_hash,
                    ..UserChange::default()
                };
                self.store
                    .update_user(&self.scope, user.id, change, now)
                    .await?;
            }
            Err(StoreError::NotFound) => {
                let user = NewUser {
                    id: UserId::from_uuid(Uuid::now_v7()),
                    account: account.id,
                    email: email.to_owned(),
                    name: format!("{} administrator", account.name),
                    role: Role::Administrator,
                    password_hash: passwords::hash(&password),
                    created_at: now,
                };
                self.store.create_user(&self.scope, user).await?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Visitor {
            account: account.id.to_string(),
            account_name: account.name.clone(),
            email: email.to_owned(),
            password,
        })
    }

    async fn trunk(&self, root: AccountId, phone: SocketAddr) -> anyhow::Result<()> {
        let within = Within::Account(root);
        let (host, now) = (phone.to_string(), clock::now().utc);
        let trunks = self.store.trunks(&self.scope, within, ALL).await?.items;
        let known = trunks.into_iter().find(|trunk| trunk.name == TRUNK_NAME);
        let trunk = if let Some(trunk) = known {
            let change = TrunkChange {
                host: Some(host),
                ..TrunkChange::default()
            };
            self.store
                .update_trunk(&self.scope, trunk.id, change, now)
                .await?
        } else {
            let trunk = Trunk {
                id: TrunkId::from_uuid(Uuid::now_v7()),
                account: root,
                name: TRUNK_NAME.to_owned(),
                host,
                transport: TrunkTransport::Udp,
                username: None,
                password: None,
                allowed_sources: vec!["127.0.0.0/8".to_owned(), "::1".to_owned()],
                codecs: Vec::new(),
                authenticate_inbound: false,
                created_at: now,
            };
            self.store.create_trunk(&self.scope, trunk).await?
        };
        let routes = self.store.routes(&self.scope, within, ALL).await?.items;
        if !routes.iter().any(|route| route.trunk == trunk.id) {
            let route = Route {
                id: RouteId::from_uuid(Uuid::now_v7()),
                account: root,
                prefix: "+".to_owned(),
                trunk: trunk.id,
                priority: 100,
                created_at: now,
            };
            self.store.create_route(&self.scope, route).await?;
        }
        Ok(())
    }

    async fn plan(&self, owner: AccountId) -> anyhow::Result<PlanId> {
        let audio = self.audio(owner).await?;
        let within = Within::Account(owner);
        let plans = self.store.call_plans(&self.scope, within, ALL).await?.items;
        let known = plans.into_iter().find(|plan| plan.name == PLAN_NAME);
        let plan = if let Some(plan) = known {
            plan
        } else {
            let plan = NewCallPlan {
                id: PlanId::from_uuid(Uuid::now_v7()),
                account: owner,
                name: PLAN_NAME.to_owned(),
                draft: document(&audio)?,
                created_at: clock::now().utc,
            };
            self.store.create_call_plan(&self.scope, plan).await?
        };
        if plan.published_version.is_none() {
            let publication = Publication {
                plan: plan.id,
                etag: plan.draft_etag,
                note: "As the demonstration begins".to_owned(),
                by: None,
                now: clock::now().utc,
            };
            self.store
                .publish_call_plan(&self.scope, publication)
                .await?;
        }
        Ok(plan.id)
    }

    /// The announcements in the account's pool, as the API's upload puts them there; by the text
    /// in whose place they are heard.
    async fn audio(&self, owner: AccountId) -> anyhow::Result<BTreeMap<&'static str, AudioId>> {
        let within = Within::Account(owner);
        let there = self
            .store
            .audio_files(&self.scope, within, ALL)
            .await?
            .items;
        let mut pool = BTreeMap::new();
        for announcement in ANNOUNCEMENTS {
            let known = there.iter().find(|audio| audio.name == announcement.name);
            let id = match known {
                Some(audio) => audio.id,
                None => self.upload(owner, &announcement).await?,
            };
            pool.insert(announcement.text, id);
        }
        Ok(pool)
    }

    async fn upload(
        &self,
        owner: AccountId,
        announcement: &Announcement,
    ) -> anyhow::Result<AudioId> {
        let id = AudioId::from_uuid(Uuid::now_v7());
        let file = SoundLibrary::audio_name(id);
        let samples = wav::read(announcement.wav).context(announcement.name)?;
        let path = self.files.path(owner, &file)?;
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let written = tokio::fs::write(&path, announcement.wav).await;
        written.with_context(|| path.display().to_string())?;
        let audio = Audio {
            id,
            account: owner,
            name: announcement.name.to_owned(),
            file,
            duration: Duration::from_millis(samples.len() as u64 / 8),
            size_bytes: announcement.wav.len() as u64,
            created_at: clock::now().utc,
        };
        self.store.create_audio(&self.scope, audio).await?;
        Ok(id)
    }

    async fn number(
        &self,
        owner: AccountId,
        number: &str,
        status: NumberStatus,
        plan: PlanId,
    ) -> anyhow::Result<()> {
        let number = E164::parse(number).with_context(|| number.to_owned())?;
        match self.store.number_by_e164(&self.scope, &number).await {
            Ok(_) => return Ok(()),
            Err(StoreError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        let row = Number {
            id: NumberId::from_uuid(Uuid::now_v7()),
            account: owner,
            class: number.class(),
            number,
            status,
            description: String::new(),
            call_plan: Some(plan),
            created_at: clock::now().utc,
        };
        self.store.create_number(&self.scope, row).await?;
        Ok(())
    }
}

/// 20 letters and digits that can't be mistaken for each other: more than 110 bits.
fn new_password() -> String {
    const SIGNS: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut rng = rand::rng();
    (0..20)
        .filter_map(|_| SIGNS.choose(&mut rng).map(|sign| char::from(*sign)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn passwords_are_long_and_never_the_same() {
        let password = new_password();
        assert_eq!(password.len(), 20);
        assert_ne!(password, new_password());
        assert_eq!(passwords::fault(&password), None);
    }
}
