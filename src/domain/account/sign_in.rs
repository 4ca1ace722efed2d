//! What an account asks of its users when they sign in.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an account asks of its users when they sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRules {
    /// Every user needs an authenticator app.
    pub mfa_required: bool,
    /// After so many days (1 to 3650) a password must be changed; null: never.
    #[schema(minimum = 1, maximum = 3650, example = 90)]
    pub password_days: Option<u16>,
}

/// What a user must do before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// The password is too old: choose a new one.
    ChangePassword,
    /// The account requires an authenticator app: set one up.
    EnrolMfa,
}

impl SignInRules {
    /// What a user must do now, who chose the password then.
    pub fn duties(
        self,
        password_changed_at: DateTime<Utc>,
        has_second_factor: bool,
        now: DateTime<Utc>,
    ) -> Vec<Duty> {
        let mut duties = Vec::new();
        let lasts = self.password_days.map(|days| TimeDelta::days(days.into()));
        if lasts.is_some_and(|lasts| now - password_changed_at >= lasts) {
            duties.push(Duty::ChangePassword);
        }
        if self.mfa_required && !has_second_factor {
            duties.push(Duty::EnrolMfa);
        }
        duties
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_must_do_what_the_account_asks() {
        let chosen = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let later = |days| chosen + TimeDelta::days(days);
        let none = SignInRules::default();
        assert_eq!(none.duties(chosen, false, later(10_000)), []);
        let strict = SignInRules {
            mfa_required: true,
            password_days: Some(90),
        };
        assert_eq!(strict.duties(chosen, true, later(89)), []);
        assert_eq!(strict.duties(chosen, false, later(89)), [Duty::EnrolMfa]);
        assert_eq!(
            strict.duties(chosen, false, later(90)),
            [Duty::ChangePassword, Duty::EnrolMfa]
        );
    }
}
