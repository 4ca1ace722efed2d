//! What a user shows besides the password: a secret shared with an authenticator app, and recovery
//! codes of which each opens the door once. And what accounts ask of their users.

use super::identities::Subject;
use super::{AccountScope, Store, StoreError, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel};
use sea_orm::{PaginatorTrait, QueryFilter};
use std::fmt;
use strowger_domain::account::SignInRules;
use strowger_domain::ids::{AccountId, UserId};
use strowger_entity::{recovery_codes, second_factors, sign_in_rules};

/// A second factor.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// The shared secret in base 32.
    pub secret: String,
    /// The period of the last password that was taken (RFC 6238 §4.2).
    pub last_step: Option<u64>,
    /// Since when it is asked for; `None`: the user has not shown yet that the app has it.
    pub confirmed_at: Option<DateTime<Utc>>,
}

impl fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecondFactor")
            .field("confirmed_at", &self.confirmed_at)
            .finish_non_exhaustive()
    }
}

/// These are about a user that the caller has found in its scope, or that signs in.
impl Store {
    /// The second factor of a user, confirmed or not.
    pub async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>, StoreError> {
        let model = second_factors::Entity::find_by_id(user.uuid())
            .one(&self.db)
            .await?;
        Ok(model.map(|model| SecondFactor {
            secret: model.secret,
            last_step: model.last_step.and_then(|step| step.try_into().ok()),
            confirmed_at: model.confirmed_at,
        }))
    }

    /// Keeps a secret that is still to be confirmed, in place of another such.
    /// [`StoreError::Taken`] when the user has a confirmed one.
    pub async fn begin_second_factor(
        &self,
        user: UserId,
        secret: String,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let _changing = self.identities.changing(Subject::User(user));
        let transaction = self.begin().await?;
        second_factors::Entity::delete_many()
            .filter(second_factors::Column::UserId.eq(user.uuid()))
            .filter(second_factors::Column::ConfirmedAt.is_null())
            .exec(&transaction)
            .await?;
        let model = second_factors::Model {
            user_id: user.uuid(),
            secret,
            last_step: None,
            created_at: utc(now),
            confirmed_at: None,
        };
        second_factors::Entity::insert(model.into_active_model())
            .exec_without_returning(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Confirms a secret by the period of a password that the user read off, with the hashes of
    /// new recovery codes. [`StoreError::Stale`] when there is none to confirm.
    pub async fn confirm_second_factor(
        &self,
        user: UserId,
        step: u64,
        codes: Vec<String>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let _changing = self.identities.changing(Subject::User(user));
        let transaction = self.begin().await?;
        let confirmed = second_factors::Entity::update_many()
            .filter(second_factors::Column::UserId.eq(user.uuid()))
            .filter(second_factors::Column::ConfirmedAt.is_null())
            .col_expr(second_factors::Column::ConfirmedAt, Expr::value(utc(now)))
            .col_expr(second_factors::Column::LastStep, Expr::value(signed(step)))
            .exec(&transaction)
            .await?;
        if confirmed.rows_affected == 0 {
            return Err(StoreError::Stale);
        }
        keep_codes(&transaction, user, codes).await?;
        Ok(transaction.commit().await?)
    }

    /// Notes the period of a password that is taken; false: it, or a later one, was taken before.
    pub async fn accept_step(&self, user: UserId, step: u64) -> Result<bool, StoreError> {
        let later = Condition::any()
            .add(second_factors::Column::LastStep.is_null())
            .add(second_factors::Column::LastStep.lt(signed(step)));
        let noted = second_factors::Entity::update_many()
            .filter(second_factors::Column::UserId.eq(user.uuid()))
            .filter(later)
            .col_expr(second_factors::Column::LastStep, Expr::value(signed(step)))
            .exec(&self.db)
            .await?;
        Ok(noted.rows_affected == 1)
    }

    /// Uses up a recovery code; false: there is none of this hash, or it was used before.
    pub async fn use_recovery_code(
        &self,
        user: UserId,
        hash: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let noted = recovery_codes::Entity::update_many()
            .filter(recovery_codes::Column::CodeHash.eq(hash))
            .filter(recovery_codes::Column::UserId.eq(user.uuid()))
            .filter(recovery_codes::Column::UsedAt.is_null())
            .col_expr(recovery_codes::Column::UsedAt, Expr::value(utc(now)))
            .exec(&self.db)
            .await?;
        Ok(noted.rows_affected == 1)
    }

    /// Puts new recovery codes in the place of those that there were.
    pub async fn replace_recovery_codes(
        &self,
        user: UserId,
        codes: Vec<String>,
    ) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        keep_codes(&transaction, user, codes).await?;
        Ok(transaction.commit().await?)
    }

    /// How many recovery codes were not used yet.
    pub async fn recovery_codes_left(&self, user: UserId) -> Result<u64, StoreError> {
        let left = recovery_codes::Entity::find()
            .filter(recovery_codes::Column::UserId.eq(user.uuid()))
            .filter(recovery_codes::Column::UsedAt.is_null());
        Ok(left.count(&self.db).await?)
    }

    /// Forgets the second factor of a user with its recovery codes.
    pub async fn remove_second_factor(&self, user: UserId) -> Result<(), StoreError> {
        let _changing = self.identities.changing(Subject::User(user));
        let transaction = self.begin().await?;
        keep_codes(&transaction, user, Vec::new()).await?;
        second_factors::Entity::delete_by_id(user.uuid())
            .exec(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// What an account in scope asks of its users.
    pub async fn sign_in_rules(
        &self,
        scope: &AccountScope,
        account: AccountId,
    ) -> Result<SignInRules, StoreError> {
        let model = sign_in_rules::Entity::find_by_id(account.uuid())
            .filter(scope.sees(sign_in_rules::Column::AccountId))
            .one(&self.db)
            .await?;
        Ok(
            model.map_or_else(SignInRules::default, |model| SignInRules {
                mfa_required: model.mfa_required,
                password_days: model.password_days.and_then(|days| days.try_into().ok()),
            }),
        )
    }

    /// Changes what an account in scope asks of its users.
    pub async fn put_sign_in_rules(
        &self,
        scope: &AccountScope,
        account: AccountId,
        rules: SignInRules,
    ) -> Result<(), StoreError> {
        let _changing = self.identities.changing(Subject::Account(account));
        self.path_text(scope, account).await?;
        let model = sign_in_rules::Model {
            account_id: account.uuid(),
            mfa_required: rules.mfa_required,
            password_days: rules.password_days.map(i32::from),
        };
        let changed = [
            sign_in_rules::Column::MfaRequired,
            sign_in_rules::Column::PasswordDays,
        ];
        let again = OnConflict::column(sign_in_rules::Column::AccountId)
            .update_columns(changed)
            .to_owned();
        sign_in_rules::Entity::insert(model.into_active_model())
            .on_conflict(again)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }
}

async fn keep_codes(
    db: &impl ConnectionTrait,
    user: UserId,
    codes: Vec<String>,
) -> Result<(), StoreError> {
    recovery_codes::Entity::delete_many()
        .filter(recovery_codes::Column::UserId.eq(user.uuid()))
        .exec(db)
        .await?;
    for code_hash in codes {
        let model = recovery_codes::Model {
            code_hash,
            user_id: user.uuid(),
            used_at: None,
        };
        recovery_codes::Entity::insert(model.into_active_model())
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}

fn signed(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}
