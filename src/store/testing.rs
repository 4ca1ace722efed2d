//! Databases for tests: a SQLite file, or a database of a PostgreSQL server that the test process
//! starts for itself. Not part of the product.

mod postgres;
mod sample;

pub use sample::{Belongings, Sample, record};

use super::{Store, StoreError};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A database of one test. It is gone when this is dropped, or at the end of the test process.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    folder: Option<PathBuf>,
}

impl TestDatabase {
    /// An empty SQLite database in a folder of its own.
    pub fn sqlite() -> Self {
        let folder = folder("sqlite");
        let url = format!("sqlite://{}?mode=rwc", folder.join("strowger.db").display());
        Self {
            url,
            folder: Some(folder),
        }
    }

    /// An empty PostgreSQL database; `None` when `STROWGER_SKIP_POSTGRES=1` says that it shall not
    /// be tried.
    ///
    /// # Panics
    /// When there is no PostgreSQL server program, or it does not start.
    pub async fn postgres() -> Option<Self> {
        if std::env::var("STROWGER_SKIP_POSTGRES").is_ok_and(|value| value == "1") {
            eprintln!("STROWGER_SKIP_POSTGRES=1: not tried on PostgreSQL");
            return None;
        }
        let url = match postgres::create_database(&unique()).await {
            Ok(url) => url,
            Err(problem) => panic!("{problem}"),
        };
        Some(Self { url, folder: None })
    }

    /// What [`Store::connect`] takes.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A store of this database, with all migrations.
    pub async fn store(&self) -> Result<Store, StoreError> {
        let store = Store::connect(&self.url).await?;
        store.migrate().await?;
        Ok(store)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // What cannot be removed stays in the system's temporary folder.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// A name that no other test of this machine has now.
fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("strowger_{}_{next}", std::process::id())
}

fn folder(what: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("{}_{what}", unique()));
    if let Err(error) = std::fs::create_dir_all(&folder) {
        panic!("cannot make the folder {}: {error}", folder.display());
    }
    folder
}
