//! The list of passwords that were found in breaches, where the operator gives one.

use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader, Error, ErrorKind, Result, Seek, SeekFrom};
use std::path::PathBuf;

use sha1::{Digest, Sha1};

/// Hex digits of a SHA-1 hash.
const HASH: usize = 40;

/// The longest line: a hash, a colon and a count.
const LONGEST_LINE: u64 = 64;

/// A file of SHA-1 hashes in hexadecimal, one a line, in ascending order; what follows a hash
/// (`:count`) is not read. It is the form in which Have I Been Pwned gives its list, which is too
/// large for memory: it is searched where it lies.
#[derive(Clone, Debug)]
pub struct BreachedList {
    path: PathBuf,
}

impl BreachedList {
    /// A list, if the file can be read and begins like one.
    pub fn open(path: PathBuf) -> Result<Self> {
        let mut first = String::new();
        BufReader::new(File::open(&path)?).read_line(&mut first)?;
        hash_of(&first)?;
        Ok(Self { path })
    }

    /// Whether the list holds the password. It reads the file some thirty times.
    pub fn holds(&self, password: &str) -> Result<bool> {
        let sought = hash(password);
        let mut file = BufReader::with_capacity(256, File::open(&self.path)?);
        // The first line that begins at `low` or after it and before `high` is looked for.
        let (mut low, mut high) = (0, file.seek(SeekFrom::End(0))?);
        while low < high {
            let middle = low + (high - low) / 2;
            let (begin, line) = line_after(&mut file, middle)?;
            if line.trim().is_empty() || begin >= high {
                high = middle;
                continue;
            }
            match hash_of(&line)?.cmp(&sought) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => low = begin + line.len() as u64,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(false)
    }
}

/// The first line that begins at this place or after it, and where it begins.
fn line_after(file: &mut BufReader<File>, place: u64) -> Result<(u64, String)> {
    let mut begin = place;
    if let Some(before) = place.checked_sub(1) {
        file.seek(SeekFrom::Start(before))?;
        let mut rest = String::new();
        std::io::Read::take(&mut *file, LONGEST_LINE).read_line(&mut rest)?;
        begin = before + rest.len() as u64;
    } else {
        file.seek(SeekFrom::Start(0))?;
    }
    let mut line = String::new();
    std::io::Read::take(&mut *file, LONGEST_LINE).read_line(&mut line)?;
    Ok((begin, line))
}

/// The SHA-1 hash of a password in hexadecimal.
pub(in crate::api) fn hash(password: &str) -> String {
    let mut text = String::with_capacity(HASH);
    for byte in Sha1::digest(password.as_bytes()) {
        // A text takes everything.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

fn hash_of(line: &str) -> Result<String> {
    let hash = line.get(..HASH).map(str::to_ascii_uppercase);
    hash.filter(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .ok_or_else(|| Error::new(ErrorKind::InvalidData, "a line begins with no SHA-1 hash"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("breached.txt");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_password_of_the_list_is_found_wherever_it_stands() {
        let passwords: Vec<_> = (0..300).map(|number| format!("password{number}")).collect();
        for (end, last) in [
            ("\r\n", "\r\n"),
            ("\n", "\n"),
            (":7\n", ":7"),
            (":123456\n", ""),
        ] {
            for count in [1, 2, 3, 300] {
                let mut hashes: Vec<_> = passwords[..count].iter().map(|one| hash(one)).collect();
                hashes.sort();
                let (_folder, path) = list(&(hashes.join(end) + last));
                let list = BreachedList::open(path).unwrap();
                for password in &passwords[..count] {
                    assert!(list.holds(password).unwrap(), "{password} of {count}");
                }
                for other in 0..200 {
                    assert!(!list.holds(&format!("correct horse {other}")).unwrap());
                }
            }
        }
    }

    #[test]
    fn a_file_that_is_no_such_list_is_refused() {
        let (_folder, path) = list("password\nletmein\n");
        assert!(BreachedList::open(path).is_err());
        assert!(BreachedList::open(PathBuf::from("/nowhere")).is_err());
    }
}
