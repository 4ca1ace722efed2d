//! Digest authentication both ways: RFC 7616, with SHA-256 in SIP by RFC 8760.
//!
//! URIs are hashed as they stand in the header, never re-printed; nonce counts are hexadecimal.
//! `auth` is the only quality of protection; without one (RFC 2069) a nonce is good for one request.

mod nonce;
mod secret;

use std::fmt;

use thiserror::Error;

use crate::grammar::{breaks_line, is_token, quote, split, trim, unquote};

pub use nonce::Nonces;
pub use secret::{Algorithm, Ha1};

/// Why a challenge or credentials are of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DigestError {
    /// The scheme is another one than Digest; RFC 3261 §22: treat it as if it were not there.
    #[error("authentication scheme is not Digest")]
    Scheme,
    /// A parameter that must be there is not, or can't be read.
    #[error("digest parameters are unreadable")]
    Malformed,
    /// Neither MD5 nor SHA-256.
    #[error("digest algorithm is not known")]
    Algorithm,
    /// A quality of protection is demanded, and `auth` is not among those.
    #[error("quality of protection is not known")]
    Qop,
    /// A text of ours that would break its line.
    #[error("text would break the header line")]
    LineBreak,
    /// The response is not what the secret gives.
    #[error("response is wrong")]
    Wrong,
    /// The nonce is too old, not ours, or its count was used before: challenge again with `stale`.
    #[error("nonce is stale")]
    Stale,
}

/// What WWW-Authenticate and Proxy-Authenticate hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The protection domain.
    pub realm: String,
    /// The nonce.
    pub nonce: String,
    /// To be given back as it is.
    pub opaque: Option<String>,
    /// The algorithm; MD5 when the challenge names none.
    pub algorithm: Algorithm,
    /// Whether `qop=auth` is offered. Without it the digest is that of RFC 2069.
    pub qop_auth: bool,
    /// The credentials were right, only the nonce was old.
    pub stale: bool,
}

impl Challenge {
    /// Reads one header value.
    ///
    /// # Errors
    /// When it is no challenge that we can answer.
    pub fn parse(value: &str) -> Result<Self, DigestError> {
        let params = Params::parse(value)?;
        let algorithm = params.algorithm()?;
        let qop_auth = match params.get("qop") {
            None => false,
            Some(qop)
                if qop
                    .split(',')
                    .any(|one| trim(one).eq_ignore_ascii_case("auth")) =>
            {
                true
            }
            Some(_) => return Err(DigestError::Qop),
        };
        Ok(Self {
            realm: params.need("realm")?,
            nonce: params.need("nonce")?,
            opaque: params.get("opaque").map(ToOwned::to_owned),
            algorithm,
            qop_auth,
            stale: params
                .get("stale")
                .is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// The challenge to answer out of several: the first that we can, as RFC 8760 §2.3 has the
    /// server put its favourite first.
    ///
    /// # Errors
    /// Why the last of them can't be answered.
    pub fn choose<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<Self, DigestError> {
        let mut refusal = DigestError::Scheme;
        for value in values {
            match Self::parse(value) {
                Ok(challenge) => return Ok(challenge),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Answers it.
    ///
    /// `uri` is the Request-URI as it stands in the request; `count` is 1 for the first request
    /// with this nonce, and `cnonce` a random token of ours.
    ///
    /// # Errors
    /// When user name or `cnonce` can't be sent.
    pub fn answer(
        &self,
        login: Login<'_>,
        request: Signed<'_>,
        count: Count<'_>,
    ) -> Result<Credentials, DigestError> {
        if breaks_line(login.username) || breaks_line(request.uri) || !is_token(count.cnonce) {
            return Err(DigestError::LineBreak);
        }
        let ha1 = Ha1::new(self.algorithm, login.username, &self.realm, login.password);
        let mut credentials = Credentials {
            username: login.username.to_owned(),
            realm: self.realm.clone(),
            nonce: self.nonce.clone(),
            uri: request.uri.to_owned(),
            response: String::new(),
            algorithm: self.algorithm,
            opaque: self.opaque.clone(),
            qop: self.qop_auth.then(|| Qop {
                cnonce: count.cnonce.to_owned(),
                count: count.number,
                count_text: format!("{:08x}", count.number),
            }),
        };
        credentials.response = credentials.expected_response(&ha1, request.method);
        Ok(credentials)
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Digest realm={}, nonce={}",
            quote(&self.realm),
            quote(&self.nonce)
        )?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", quote(opaque))?;
        }
        write!(f, ", algorithm={}", self.algorithm.name())?;
        if self.qop_auth {
            f.write_str(", qop=\"auth\"")?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        Ok(())
    }
}

/// Who answers a challenge.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// The user's name in the realm.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
}

/// The request that credentials are for.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The method.
    pub method: &'a str,
    /// The Request-URI as it stands in the request.
    pub uri: &'a str,
}

/// Which use of a nonce this is.
#[derive(Debug, Clone, Copy)]
pub struct Count<'a> {
    /// 1 for the first.
    pub number: u32,
    /// A random token of the client.
    pub cnonce: &'a str,
}

/// The part of credentials that `qop=auth` adds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Qop {
    cnonce: String,
    count: u32,
    /// As it came: it is hashed as it came.
    count_text: String,
}

/// What Authorization and Proxy-Authorization hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    realm: String,
    nonce: String,
    uri: String,
    response: String,
    algorithm: Algorithm,
    opaque: Option<String>,
    qop: Option<Qop>,
}

impl Credentials {
    /// Reads one header value.
    ///
    /// # Errors
    /// When these are no digest credentials, or none that we can check.
    pub fn parse(value: &str) -> Result<Self, DigestError> {
        let params = Params::parse(value)?;
        let algorithm = params.algorithm()?;
        let qop = match params.get("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let count_text = params.need("nc")?;
                // RFC 7616 §3.4: 8LHEX.
                let is_count =
                    count_text.len() == 8 && count_text.bytes().all(|b| b.is_ascii_hexdigit());
                let count = u32::from_str_radix(&count_text, 16)
                    .ok()
                    .filter(|_| is_count);
                Some(Qop {
                    cnonce: params.need("cnonce")?,
                    count: count.ok_or(DigestError::Malformed)?,
                    count_text,
                })
            }
            Some(_) => return Err(DigestError::Qop),
        };
        Ok(Self {
            username: params.need("username")?,
            realm: params.need("realm")?,
            nonce: params.need("nonce")?,
            uri: params.need("uri")?,
            response: params.need("response")?,
            algorithm,
            opaque: params.get("opaque").map(ToOwned::to_owned),
            qop,
        })
    }

    /// The user's name.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The protection domain.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The nonce.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The URI that was hashed, as it came.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The algorithm that a stored secret must be for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Which use of the nonce it is; none without `qop`.
    pub fn count(&self) -> Option<u32> {
        self.qop.as_ref().map(|qop| qop.count)
    }

    /// Checks the response alone; whether the nonce is good, [`Nonces::check`] says.
    ///
    /// # Errors
    /// [`DigestError::Algorithm`] when the secret is for another one, [`DigestError::Wrong`] when
    /// the response is not what it gives.
    pub fn verify(&self, ha1: &Ha1, method: &str) -> Result<(), DigestError> {
        if ha1.algorithm() != self.algorithm {
            return Err(DigestError::Algorithm);
        }
        let expected = self.expected_response(ha1, method);
        let given = self.response.to_ascii_lowercase();
        if is_same(expected.as_bytes(), given.as_bytes()) {
            Ok(())
        } else {
            Err(DigestError::Wrong)
        }
    }

    /// RFC 7616 §3.4.1, and without `qop` RFC 2069 §2.1.2.
    fn expected_response(&self, ha1: &Ha1, method: &str) -> String {
        let ha2 = self.algorithm.hash(&[method, &self.uri]);
        match &self.qop {
            Some(qop) => self.algorithm.hash(&[
                ha1.as_hex(),
                &self.nonce,
                &qop.count_text,
                &qop.cnonce,
                "auth",
                &ha2,
            ]),
            None => self.algorithm.hash(&[ha1.as_hex(), &self.nonce, &ha2]),
        }
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\", algorithm={}",
            quote(&self.username),
            quote(&self.realm),
            quote(&self.nonce),
            quote(&self.uri),
            self.response,
            self.algorithm.name()
        )?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", quote(opaque))?;
        }
        if let Some(qop) = &self.qop {
            write!(
                f,
                ", qop=auth, nc={}, cnonce=\"{}\"",
                qop.count_text, qop.cnonce
            )?;
        }
        Ok(())
    }
}

/// `Digest name=value, …`
struct Params(Vec<(String, String)>);

impl Params {
    fn parse(value: &str) -> Result<Self, DigestError> {
        let (scheme, rest) = trim(value)
            .split_once([' ', '\t'])
            .ok_or(DigestError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Err(DigestError::Scheme);
        }
        let mut params: Vec<(String, String)> = Vec::new();
        for part in split(rest, b',').ok_or(DigestError::Malformed)? {
            if trim(part).is_empty() {
                continue;
            }
            let (name, value) = part.split_once('=').ok_or(DigestError::Malformed)?;
            let (name, value) = (trim(name).to_ascii_lowercase(), trim(value));
            let value = if value.starts_with('"') {
                unquote(value).ok_or(DigestError::Malformed)?
            } else {
                value.to_owned()
            };
            // RFC 7616 §3.4: a parameter must not stand there twice.
            if !is_token(&name) || params.iter().any(|(known, _)| *known == name) {
                return Err(DigestError::Malformed);
            }
            params.push((name, value));
        }
        Ok(Self(params))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    fn need(&self, name: &str) -> Result<String, DigestError> {
        self.get(name)
            .map(ToOwned::to_owned)
            .ok_or(DigestError::Malformed)
    }

    fn algorithm(&self) -> Result<Algorithm, DigestError> {
        match self.get("algorithm") {
            None => Ok(Algorithm::Md5),
            Some(name) => Algorithm::from_name(name).ok_or(DigestError::Algorithm),
        }
    }
}

/// Compares in a time that does not tell where the first difference is.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests;
