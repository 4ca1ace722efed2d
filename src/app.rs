//! Builds the house: store, net, accounts, API, scheduler; and takes it down in reverse.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use anyhow::{Context as _, bail};
use strowger_domain::call::Origin;
use strowger_domain::cdr::{Opening, Timeline};
use strowger_domain::ids::{AccountId, CallId, EventId};
use strowger_domain::schedule::ScheduledCall;
use strowger_sip::overload::Patience;
use tokio::sync::{Notify, oneshot, watch};

use crate::accounts::account::Nursery;
use crate::accounts::messages::Platform;
use crate::accounts::platform::{Drain, Means};
use crate::accounts::root::{Begin, Root, StopCalls, WaitForCalls};
use crate::api;
use crate::api::passwords::breached::BreachedList;
use crate::calls::threads::CallThreads;
use crate::calls::ticket::Channels;
use crate::calls::tools::{Known, Tools};
use crate::config::Config;
use crate::events::http_client::{HttpClient, Policy};
use crate::events::webhooks::Webhooks;
use crate::mail::{Outbox, Postbox};
use crate::net::media_engine::MediaHandle;
use crate::net::rtp_socket::Ports;
use crate::net::sip_endpoint::{SetDraining, SipHandle};
use crate::net::sip_keeper::{self, SipKeeper};
use crate::net::sip_socket::SipSockets;
use crate::net::{clock, files, http_socket};
use crate::scheduler::keeper::SchedulerKeeper;
use crate::scheduler::{retention, switches};
use crate::services::messages::Instances;
use crate::sound::library::SoundLibrary;
use crate::sound::media_files::MediaFiles;
use crate::sound::speech::Speech;
use crate::sound::storage::Storage;
use crate::store::writer::WriterSettings;
use crate::store::{AccountScope, Store, StoreError, Writer};
use crate::supervise;
use crate::telemetry;

/// How long a drain waits for the final pages of applications. The HTTP client's own limit is less.
const LAST_PAGES: Duration = Duration::from_secs(15);

/// The running platform.
pub struct App {
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where SIP is served.
    pub sip: SocketAddr,
    /// The database.
    pub store: Store,
    /// Records and events on their way to it.
    pub writer: Writer,
    /// The root of all actors.
    pub root: Addr<Root>,
    /// The scheduler.
    pub scheduler: Addr<SchedulerKeeper>,
    /// Signalling, for tests that look into it.
    pub signalling: SipHandle,
    /// Media, for tests that look into it.
    pub media: MediaHandle,
    keeper: Addr<SipKeeper>,
    instances: Instances,
    server: api::ServerHandle,
    switching: tokio::task::JoinHandle<()>,
    drain: Duration,
    arbiters: Vec<Arbiter>,
    // The data folder belongs to this process until it ends.
    _lock: File,
}

impl App {
    /// Starts everything. Must run inside an actix system.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let lock = lock(&config.data)?;
        let (wanted, enough) = (config.rtp.clone().count() / 2, files::port_pairs());
        if enough < wanted {
            let limit = files::limit();
            tracing::warn!(
                limit,
                wanted,
                enough,
                "too few open files for all RTP ports"
            );
        }
        let metrics = telemetry::start_metrics();
        let store = open_store(config).await?;
        let records = Arbiter::new();
        let (writer, writing) = Writer::new(store.clone(), WriterSettings::default());
        let vital = supervise::Vital("the writer of call records");
        records.spawn(async move {
            let _vital = vital;
            writing.await;
        });
        recover(&store, &writer).await?;

        let classes = config.scheduled_classes.clone();
        let policy = policy(config);
        let http = HttpClient::new(policy).context("the HTTP client")?;
        let deliveries = Arbiter::new();
        let (webhooks, delivering) = Webhooks::new(store.clone(), writer.clone(), http.clone());
        let vital = supervise::Vital("the dispatcher of webhooks");
        deliveries.spawn(async move {
            let _vital = vital;
            delivering.await;
        });
        let files = MediaFiles::new(&config.data);
        let storage = Storage::new(store.stored_bytes(&AccountScope::platform()).await?);
        let speech = Speech::new(config.data.join("speech"));
        let sounds = SoundLibrary::new(files.clone(), speech, http.clone());

        let rtp = Ports::new(config.sip.ip(), &config.rtp);
        let media = MediaHandle::start(rtp, config.media_threads).context("the media engine")?;

        let mut arbiters: Vec<Arbiter> = (0..=call_threads()).map(|_| Arbiter::new()).collect();
        let mut threads: Vec<ArbiterHandle> = arbiters.iter().map(Arbiter::handle).collect();
        let sip_thread = threads.pop().context("a thread for SIP")?;
        if threads.is_empty() {
            threads.push(sip_thread.clone());
        }
        arbiters.extend([records, deliveries]);
        let sockets = on(&sip_thread, SipSockets::bind(config.sip))
            .await?
            .with_context(|| format!("SIP can't be served on {}", config.sip))?;
        let sip_address = sockets.local;

        // The platform decides about each call between its INVITE and its actor: on the thread of SIP
        // that wakes nobody.
        let root = Root::start_in_arbiter(&sip_thread, |_| Root::default());
        let advertised = SocketAddr::new(config.advertise, sip_address.port());
        let sip_config = strowger_sip::config::Config {
            udp_address: Some(advertised),
            tcp_address: Some(advertised),
            capacity: usize::try_from(config.capacity)
                .unwrap_or(usize::MAX)
                .saturating_mul(2),
            timers: strowger_sip::config::Timers::of_round_trip(config.sip_t1),
            patience: config
                .shed_after
                .map_or(Patience::ENDLESS, Patience::from_age),
            ..strowger_sip::config::Config::default()
        };
        let (keeper, signalling) =
            SipKeeper::start(sip_config, sockets, root.clone().recipient(), sip_thread);

        let instances = Instances::default();
        let (publish, known) = watch::channel(Known::default());
        let tools = Arc::new(Tools {
            sip: signalling.clone(),
            media: media.clone(),
            sounds,
            files: files.clone(),
            storage: storage.clone(),
            writer: writer.clone(),
            known,
            conferences: root.clone().recipient(),
            queues: root.clone().recipient(),
            started: root.clone().recipient(),
            gone: root.clone().recipient(),
            globals: root.clone().recipient(),
            lost_media: config.lost_media,
            advertise: config.advertise,
            codecs: config.codecs.as_slice().into(),
            country: config.country,
        });
        let nursery = Nursery {
            threads: CallThreads::new(threads),
            media: media.clone(),
        };
        let means = Means {
            tools,
            store: store.clone(),
            channels: Channels::default(),
            known: Arc::new(publish),
            read: Arc::new(watch::channel(None).0),
            start: root.clone().recipient(),
            run: root.clone().recipient(),
            classes: Arc::new(classes.clone()),
            capacity: config.capacity,
            max_call: config.max_call,
            http: http.clone(),
            instances: instances.clone(),
        };
        let means = Box::new(means);
        root.send(Begin { means, nursery })
            .await
            .context("the platform")?;

        let scheduler = SchedulerKeeper::start_scheduler(store.clone(), writer.clone(), &root);
        actix::spawn(retention::keep(store.clone()));
        let switch_ordered = Arc::new(Notify::new());
        let switching = switches::run(
            store.clone(),
            Arc::clone(&switch_ordered),
            root.clone().recipient(),
        );
        let switching = actix::spawn(switching);
        let listener = http_socket::bind(config.http)
            .with_context(|| format!("HTTP can't be served on {}", config.http))?;
        let http_address = listener.local_addr()?;
        let postbox = Postbox::new(store.clone());
        let outbox = Outbox::new(&postbox, http.clone(), AccountScope::platform());
        actix::spawn(outbox.run());
        let breached = config.breached_passwords.clone();
        let breached = breached.map(|path| {
            let named = path.display().to_string();
            BreachedList::open(path).with_context(|| format!("breached_passwords: {named}"))
        });
        let parts = api::Parts {
            settings: api::Settings {
                country: config.country,
                scheduled_classes: classes,
                portal_url: config.portal_url.clone(),
                breached_passwords: breached.transpose()?,
                ..api::Settings::default()
            },
            store: store.clone(),
            writer: writer.clone(),
            platform: platform(&root, &scheduler, switch_ordered),
            http,
            webhooks,
            postbox,
            media: files,
            storage,
            metrics,
        };
        let api = api::Api::new(parts).await.context("the API")?;
        let server = api::serve(api, listener, files::connections())?;
        let handle = server.handle();
        actix::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the HTTP server ended");
            }
        });
        tracing::info!(http = %http_address, sip = %sip_address, "strowger is ready");
        Ok(Self {
            http: http_address,
            sip: sip_address,
            store,
            writer,
            root,
            scheduler,
            signalling,
            media,
            keeper,
            instances,
            server: handle,
            switching,
            drain: config.drain,
            arbiters,
            _lock: lock,
        })
    }

    /// Takes no new calls, lets those that run end, at most for the drain time, writes what is
    /// left, and stops.
    pub async fn stop(self) {
        tracing::info!("draining: no new calls");
        self.keeper.do_send(SetDraining(true));
        self.scheduler.do_send(Drain);
        self.root.do_send(Drain);
        if !self.wait_for_calls(self.drain).await {
            tracing::warn!("calls are still running after the drain time: they are ended");
            self.root
                .do_send(StopCalls(strowger_domain::cause::Cause::NetworkOutOfOrder));
            self.wait_for_calls(Duration::from_secs(5)).await;
        }
        // Their calls are over: what remains is to ask for the final page.
        if tokio::time::timeout(LAST_PAGES, self.instances.none_runs())
            .await
            .is_err()
        {
            tracing::warn!("applications were not told in time that their calls are over");
        }
        self.switching.abort();
        self.server.stop(true).await;
        if tokio::time::timeout(Duration::from_secs(10), self.writer.flush())
            .await
            .is_err()
        {
            tracing::error!("records could not be written in time");
        }
        self.root.do_send(crate::accounts::platform::Finish);
        self.keeper.do_send(sip_keeper::Finish);
        self.media.stop();
        for arbiter in self.arbiters {
            arbiter.stop();
        }
        if let Err(error) = self.store.close().await {
            tracing::debug!(%error, "the database was not closed");
        }
        tracing::info!("stopped");
    }

    async fn wait_for_calls(&self, longest: Duration) -> bool {
        let (sender, receiver) = oneshot::channel();
        self.root.do_send(WaitForCalls(sender));
        tokio::time::timeout(longest, receiver).await.is_ok()
    }
}

/// Connects to the database and brings it up to date.
pub async fn open_store(config: &Config) -> anyhow::Result<Store> {
    data_folder(&config.data)?;
    let store = Store::connect(&config.database)
        .await
        .context("the database can't be reached")?;
    store
        .migrate()
        .await
        .context("the database can't be brought up to date")?;
    Ok(store)
}

/// Closes what the end of the last process cut: one record for each call, no call dialled twice.
async fn recover(store: &Store, writer: &Writer) -> anyhow::Result<()> {
    let (scope, now) = (AccountScope::platform(), clock::now().utc);
    let scheduled = store.close_interrupted(&scope, now).await?;
    let calls = store
        .close_cut(&scope, now, || EventId::from_uuid(uuid::Uuid::now_v7()))
        .await?;
    let instances = store.close_cut_instances(&scope, now).await?;
    for cut in &scheduled {
        // Cut between its claim and the first writing of its call: it was perhaps dialled.
        let Some(call) = cut.call else { continue };
        if let Err(StoreError::NotFound) = store.call(&scope, call).await {
            let owner = store
                .number_by_e164(&scope, &cut.booking.service_number)
                .await;
            let account = owner.map_or(cut.account, |number| number.account);
            let record = Timeline::new(opening(cut, call, account), cut.updated_at);
            crate::calls::write_cut(writer, record.snapshot().clone(), 1);
        }
    }
    writer.flush().await;
    if !(scheduled.is_empty() && calls.is_empty() && instances.is_empty()) {
        let (scheduled, calls) = (scheduled.len(), calls.len());
        tracing::warn!(
            scheduled,
            calls,
            "calls were cut by the end of the last process"
        );
    }
    Ok(())
}

fn opening(cut: &ScheduledCall, call: CallId, account: AccountId) -> Opening {
    Opening {
        call,
        account,
        origin: Origin::Scheduled,
        service_number: Some(cut.booking.service_number.to_string()),
        calling: Some(cut.booking.presented().to_string()),
        withheld_calling: None,
        called: cut.booking.first_party.to_string(),
        scheduled_call: Some(cut.id),
        instance: None,
    }
}

fn platform(
    root: &Addr<Root>,
    scheduler: &Addr<SchedulerKeeper>,
    switch_ordered: Arc<Notify>,
) -> Platform {
    Platform {
        live_calls: root.clone().recipient(),
        find_call: root.clone().recipient(),
        hang_up: root.clone().recipient(),
        count_calls: root.clone().recipient(),
        pause_recordings: root.clone().recipient(),
        start_service: root.clone().recipient(),
        directory_changed: root.clone().recipient(),
        wake_scheduler: scheduler.clone().recipient(),
        observe: root.clone().recipient(),
        switch_ordered,
    }
}

/// Does something on a thread and waits for it. A socket that is opened there wakes that thread alone.
async fn on<T: Send + 'static>(
    thread: &ArbiterHandle,
    what: impl Future<Output = T> + Send + 'static,
) -> anyhow::Result<T> {
    let (done, wait) = oneshot::channel();
    thread.spawn(async move {
        // Whoever waits may have given up.
        let _ = done.send(what.await);
    });
    wait.await.context("a thread has ended")
}

/// Threads for calls beside that of signalling, which on a machine of one or two cores is that of
/// calls too: to pass each fact of a call from one thread to another costs more than the fact.
fn call_threads() -> usize {
    std::thread::available_parallelism().map_or(0, |cores| cores.get().saturating_sub(2))
}

/// Where pages, webhooks and remote audio may be fetched from.
fn policy(config: &Config) -> Policy {
    let mut policy = Policy::default();
    if config.allow_private_fetch {
        let everything = ["0.0.0.0/0", "::/0"];
        policy.allowed = everything
            .iter()
            .filter_map(|network| network.parse().ok())
            .collect();
    }
    policy
}

/// Takes the data folder for this process.
pub(crate) fn lock(data: &Path) -> anyhow::Result<File> {
    data_folder(data)?;
    let path = data.join("lock");
    let file = File::create(&path).with_context(|| format!("{}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_taken) => bail!(
            "another strowger runs on the data folder {}",
            data.display()
        ),
    }
}

/// The data folder; made for its owner only, since keys and recordings lie in it.
fn data_folder(data: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut folder = std::fs::DirBuilder::new();
    folder
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("the data folder {}", data.display()))
}
