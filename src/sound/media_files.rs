//! The media store: each account's audio and recordings, as files below the data folder.

use std::path::{Path, PathBuf};

use strowger_domain::ids::AccountId;

/// Why a name names no file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a media file name: letters, digits and . _ / @ - without .. or // (at most 200)"
)]
pub struct BadName(pub String);

/// Where the files are.
#[derive(Clone, Debug)]
pub struct MediaFiles {
    root: PathBuf,
}

impl MediaFiles {
    /// The store below a data folder.
    pub fn new(data: &Path) -> Self {
        Self {
            root: data.join("media"),
        }
    }

    /// The path of an account's file. No name leads out of the account's folder.
    pub fn path(&self, account: AccountId, name: &str) -> Result<PathBuf, BadName> {
        let name = name.trim_start_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || "._/@-".contains(c);
        let parts_fine = name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.'));
        if name.is_empty() || name.len() > 200 || !name.chars().all(plain) || !parts_fine {
            return Err(BadName(name.to_owned()));
        }
        Ok(self.root.join(account.to_string()).join(name))
    }

    /// Removes every file of an account.
    pub async fn erase(&self, account: AccountId) -> std::io::Result<()> {
        match tokio::fs::remove_dir_all(self.root.join(account.to_string())).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn no_name_leads_out_of_the_accounts_folder() {
        let files = MediaFiles::new(Path::new("/data"));
        let account = AccountId::from_uuid(Uuid::nil());
        let path = files
            .path(account, "/recordings/2026/a-1.wav")
            .expect("fine");
        assert!(path.ends_with("recordings/2026/a-1.wav"));
        assert!(path.starts_with(format!("/data/media/{account}")));
        for bad in [
            "",
            "/",
            "../x",
            "a/../../x",
            "a//b",
            "a/./b",
            ".hidden",
            "a\0b",
            "a b",
            "ä",
        ] {
            assert!(files.path(account, bad).is_err(), "{bad}");
        }
        assert!(files.path(account, &"a".repeat(201)).is_err());
    }
}
