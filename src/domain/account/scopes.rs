//! Scopes: what a caller may do with which resource. Every route of the API needs one, roles and
//! API keys are sets of them, and what no scope permits is refused.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{ArrayBuilder, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

macro_rules! scopes {
    ($($variant:ident | $name:literal | $text:literal)*) => {
        /// One permission, written `resource:read` or `resource:write`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope { $(#[doc = $text] $variant),* }

        impl Scope {
            /// Every scope there is. At most 64: [`Scopes`] keeps a bit for each.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What it permits.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

// A macro, so that a scope, its name and its text are one row and cannot drift apart.
scopes! {
    AccountsRead        | "accounts:read"         | "See the account and those below it."
    AccountsWrite       | "accounts:write"        | "Create and change accounts, with their permissions and limits."
    ExportWrite         | "export:write"          | "Export all that the account and those below it hold."
    UsersRead           | "users:read"            | "See users."
    UsersWrite          | "users:write"           | "Create and change users, and end their sessions."
    ApiKeysRead         | "api_keys:read"         | "See API keys, but not their secrets."
    ApiKeysWrite        | "api_keys:write"        | "Make and revoke API keys."
    AuditLogRead        | "audit_log:read"        | "Read who changed what."
    NumbersRead         | "numbers:read"          | "See service numbers."
    NumbersWrite        | "numbers:write"         | "Change service numbers and what they lead to."
    PoolWrite           | "pool:write"            | "Give numbers to accounts and take them back."
    CallPlansRead       | "call_plans:read"       | "Read call plans, check and simulate them."
    CallPlansWrite      | "call_plans:write"      | "Change and publish call plans."
    AudioRead           | "audio:read"            | "Hear uploaded audio."
    AudioWrite          | "audio:write"           | "Upload and remove audio."
    ScheduledCallsRead  | "scheduled_calls:read"  | "See scheduled calls."
    ScheduledCallsWrite | "scheduled_calls:write" | "Create and cancel scheduled calls."
    ServicesRead        | "services:read"         | "See services and their instances."
    ServicesWrite       | "services:write"        | "Put and remove services."
    InstancesWrite      | "instances:write"       | "Start outbound services."
    CallsRead           | "calls:read"            | "See live calls and records."
    CallsWrite          | "calls:write"           | "Act on live calls."
    RecordingsRead      | "recordings:read"       | "Hear recordings."
    RecordingsWrite     | "recordings:write"      | "Remove recordings."
    TrunksRead          | "trunks:read"           | "See trunks."
    TrunksWrite         | "trunks:write"          | "Change trunks."
    RoutesRead          | "routes:read"           | "See routes."
    RoutesWrite         | "routes:write"          | "Change routes."
    MailRead            | "mail:read"             | "See mail settings, templates and what was sent."
    MailWrite           | "mail:write"            | "Change mail settings and templates, and send test mails."
    EventsRead          | "events:read"           | "Follow events."
    WebhooksRead        | "webhooks:read"         | "See webhooks and their deliveries."
    WebhooksWrite       | "webhooks:write"        | "Change webhooks, test and replay them."
    SystemWrite         | "system:write"          | "Operate the platform; only the root account's callers have it."
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such scope")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let mut all = Self::ALL.iter().copied();
        all.find(|scope| scope.name() == text).ok_or(UnknownScope)
    }
}

impl PartialSchema for Scope {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|scope| scope.name());
        let all = Self::ALL.iter();
        let texts: Vec<_> = all
            .map(|scope| format!("- `{scope}`: {}", scope.text()))
            .collect();
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(names))
            .description(Some(texts.join("\n")))
            .into()
    }
}

impl ToSchema for Scope {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Scope")
    }
}

/// A set of scopes.
///
/// It is read from a list of names, of which those that are no scopes (any more) permit nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u64);

impl Scopes {
    /// Nothing is permitted.
    pub const NONE: Self = Self(0);

    /// These scopes.
    pub const fn of(scopes: &[Scope]) -> Self {
        let mut bits = 0;
        let mut rest = scopes;
        while let [first, others @ ..] = rest {
            bits |= bit(*first);
            rest = others;
        }
        Self(bits)
    }

    /// Every scope there is.
    pub const fn all() -> Self {
        Self::of(Scope::ALL)
    }

    /// Whether it holds this one.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }

    /// Whether it holds none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What both hold.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What this or the other holds.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What this holds and the other does not.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Each of them, in the order of the catalogue.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        let all = Scope::ALL.iter().copied();
        all.filter(move |scope| self.has(*scope))
    }

    /// The names that are scopes.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let scopes = names.into_iter().filter_map(|name| name.parse().ok());
        scopes.collect()
    }
}

const fn bit(scope: Scope) -> u64 {
    1 << scope as u64
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | bit(scope)))
    }
}

/// Separated by spaces, as RFC 6749 §3.3 writes them.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Scope::name))
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Ok(Self::named(names.iter().map(String::as_str)))
    }
}

impl PartialSchema for Scopes {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new()
            .items(Ref::from_schema_name("Scope"))
            .into()
    }
}

impl ToSchema for Scopes {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Scopes")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        let name = <Scope as ToSchema>::name().into_owned();
        schemas.push((name, Scope::schema()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_has_a_name_of_its_own_and_a_bit() {
        assert!(Scope::ALL.len() <= 64);
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(*scope));
            let (_, verb) = scope.name().split_once(':').unwrap();
            assert!(["read", "write"].contains(&verb), "{scope}");
        }
        assert_eq!(Scopes::all().iter().count(), Scope::ALL.len());
    }

    #[test]
    fn a_set_is_written_and_read_again_and_unknown_names_permit_nothing() {
        let set = Scopes::of(&[Scope::CallsWrite, Scope::NumbersRead]);
        assert_eq!(set.to_string(), "numbers:read calls:write");
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(json, r#"["numbers:read","calls:write"]"#);
        assert_eq!(serde_json::from_str::<Scopes>(&json).unwrap(), set);
        assert_eq!(Scopes::named(["calls:write", "numbers:read", "root"]), set);
        assert_eq!(Scopes::named(["read", ""]), Scopes::NONE);
    }

    #[test]
    fn sets_meet_and_join() {
        let reads = Scopes::of(&[Scope::CallsRead, Scope::NumbersRead]);
        let calls = Scopes::of(&[Scope::CallsRead, Scope::CallsWrite]);
        assert_eq!(reads.intersection(calls), Scopes::of(&[Scope::CallsRead]));
        assert_eq!(reads.union(calls).iter().count(), 3);
        assert_eq!(calls.difference(reads), Scopes::of(&[Scope::CallsWrite]));
    }
}
