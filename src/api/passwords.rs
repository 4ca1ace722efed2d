//! Passwords: argon2id, on the blocking pool, few at a time.

pub mod breached;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderValue};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::{Code, Faults, Problem};
use breached::BreachedList;

/// Each check takes 19 MiB and some 25 ms of a core: no more than this many at a time.
const AT_A_TIME: usize = 2;

/// Nobody waits longer for a turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Argon2 hashes at most this; longer "passwords" only cost time.
const LONGEST: usize = 256;

/// Hashes and checks passwords.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// Checked when there is no such user, so that the answer takes as long.
    nobody: Arc<str>,
    breached: Option<BreachedList>,
}

/// The hash of a password in PHC form, at once: for program starts and tests.
pub fn hash(password: &str) -> String {
    // It fails only for parameters or lengths that are out of bounds, and these are not. A hash
    // that cannot be read fits no password.
    Argon2::default()
        .hash_password(password.as_bytes())
        .map_or_else(|_error| String::new(), |hash| hash.to_string())
}

impl Passwords {
    /// Refuses new passwords of the list, where there is one.
    pub fn new(breached: Option<BreachedList>) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            nobody: hash("nobody").into(),
            breached,
        }
    }

    /// Notes what is wrong with a new password of a person.
    pub async fn check(
        &self,
        faults: &mut Faults,
        pointer: &str,
        password: &str,
    ) -> Result<(), Problem> {
        check(faults, pointer, password);
        let (Some(list), None) = (self.breached.clone(), fault(password)) else {
            return Ok(());
        };
        let sought = password.to_owned();
        let found = actix_web::web::block(move || list.holds(&sought))
            .await
            .map_err(|_error| Problem::from(Code::Internal))?;
        match found {
            Ok(found) => {
                let detail = "this password was found in a breach: choose another one";
                faults.check(!found, pointer, "breached", detail);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the list of breached passwords cannot be read");
                Err(Code::Unavailable.into())
            }
        }
    }

    /// Every turn at once, so that nobody else has one.
    #[cfg(test)]
    pub async fn all_turns(&self) -> SemaphorePermit<'_> {
        self.turns.acquire_many(2).await.unwrap()
    }

    /// The hash of a password in PHC form.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        let _turn = self.turn().await?;
        actix_web::web::block(move || hash(&password))
            .await
            .map_err(|_error| Code::Internal.into())
    }

    /// Whether the password fits the hash. `None`: there is no hash to fit.
    pub async fn fits(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        if password.len() > LONGEST {
            return Ok(false);
        }
        let _turn = self.turn().await?;
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        let fits = actix_web::web::block(move || {
            let Ok(hash) = PasswordHash::new(&hash) else {
                return false;
            };
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        })
        .await
        .map_err(|_error| Problem::from(Code::Internal))?;
        Ok(fits && known)
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, Problem> {
        match tokio::time::timeout(PATIENCE, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(Problem::from(Code::Unavailable)
                .header(header::RETRY_AFTER, HeaderValue::from_static("5"))),
        }
    }
}

/// What is wrong with a new password.
pub fn fault(password: &str) -> Option<String> {
    let length = password.chars().count();
    let wrong = length < 10 || password.len() > LONGEST;
    wrong.then(|| format!("write 10 to {LONGEST} characters"))
}

/// Notes what is wrong with a new password.
pub fn check(faults: &mut Faults, pointer: &str, password: &str) {
    if let Some(detail) = fault(password) {
        faults.add(pointer, "bad_length", detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::new(None);
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        for (password, hash, fits) in [
            ("correct horse", Some(hash.clone()), true),
            ("Correct horse", Some(hash.clone()), false),
            ("nobody", None, false),
            ("", Some(String::new()), false),
            (&"x".repeat(1000)[..], Some(hash), false),
        ] {
            let told = passwords.fits(password.to_owned(), hash).await.unwrap();
            assert_eq!(told, fits, "{password}");
        }
    }
}
