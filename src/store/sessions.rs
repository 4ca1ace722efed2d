//! Sign-ins. A session is a family of refresh tokens: each is used once, for the next one. One
//! that comes a second time was stolen, or its successor was: the whole family is revoked.

use super::identities::{NOTED, Subject};
use super::{AccountScope, Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};
use std::net::IpAddr;
use strowger_domain::ids::{SessionId, UserId};
use strowger_entity::{refresh_tokens, sessions};

/// A session to be made, with its first refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Its name.
    pub id: SessionId,
    /// Who signed in.
    pub user: UserId,
    /// The hash of the first refresh token's secret.
    pub token_hash: String,
    /// Now.
    pub created_at: DateTime<Utc>,
    /// When the whole family ends, however often it is refreshed.
    pub expires_at: DateTime<Utc>,
    /// The address that the user signed in from.
    pub from: IpAddr,
    /// What the client calls itself.
    pub user_agent: Option<String>,
}

/// A living session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// Who signed in.
    pub user: UserId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// The address that the user signed in from.
    pub created_from: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The address from which it was last used.
    pub last_used_from: Option<String>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// One use of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The hash of the token that was presented.
    pub presented: String,
    /// The hash of its successor.
    pub next: String,
    /// Now.
    pub now: DateTime<Utc>,
    /// When the successor ends.
    pub next_expires_at: DateTime<Utc>,
}

impl Store {
    /// Makes a session with its first refresh token.
    pub async fn create_session(&self, session: NewSession) -> Result<Session, StoreError> {
        let transaction = self.begin().await?;
        let created_at = utc(session.created_at);
        let expires_at = utc(session.expires_at);
        let model = sessions::Model {
            id: session.id.uuid(),
            user_id: session.user.uuid(),
            created_at,
            expires_at,
            revoked_at: None,
            revoked_because: None,
            created_from: Some(session.from.to_string()),
            user_agent: session.user_agent,
            last_used_from: Some(session.from.to_string()),
            last_used_at: Some(created_at),
        };
        let made = row(&model);
        sessions::Entity::insert(model.into_active_model())
            .exec_without_returning(&transaction)
            .await?;
        let issue = Issue {
            hash: session.token_hash,
            session: session.id,
            issued_at: created_at,
            expires_at,
        };
        issue.insert(&transaction).await?;
        transaction.commit().await?;
        Ok(made)
    }

    /// Exchanges a refresh token for its successor, once.
    ///
    /// # Errors
    /// [`StoreError::TokenInvalid`] when it is unknown, expired or revoked, and
    /// [`StoreError::TokenReused`] when it was exchanged before; then its family is revoked.
    pub async fn rotate_session(&self, rotation: Rotation) -> Result<Session, StoreError> {
        let now = utc(rotation.now);
        let transaction = self.begin().await?;
        let token = refresh_tokens::Entity::find_by_id(rotation.presented.clone())
            .one(&transaction)
            .await?
            .ok_or(StoreError::TokenInvalid)?;
        let session = sessions::Entity::find_by_id(token.session_id)
            .one(&transaction)
            .await?
            .filter(|session| session.revoked_at.is_none() && session.expires_at > now)
            .ok_or(StoreError::TokenInvalid)?;
        // Two uses at the same time both read an unused token: the update decides which was first.
        let first = refresh_tokens::Entity::update_many()
            .filter(refresh_tokens::Column::TokenHash.eq(&rotation.presented))
            .filter(refresh_tokens::Column::UsedAt.is_null())
            .col_expr(refresh_tokens::Column::UsedAt, Expr::value(now))
            .exec(&transaction)
            .await?
            .rows_affected
            == 1;
        let id = SessionId::from_uuid(session.id);
        if !first {
            let _changing = self.identities.changing(Subject::Session(id));
            revoke(&transaction, id, "reuse", now).await?;
            transaction.commit().await?;
            return Err(StoreError::TokenReused);
        }
        if token.expires_at <= now {
            return Err(StoreError::TokenInvalid);
        }
        let issue = Issue {
            hash: rotation.next,
            session: id,
            issued_at: now,
            expires_at: utc(rotation.next_expires_at).min(session.expires_at),
        };
        issue.insert(&transaction).await?;
        transaction.commit().await?;
        Ok(row(&session))
    }

    /// Ends a session: none of its refresh tokens is good any more. Ending it twice is no fault.
    pub async fn revoke_session(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let _changing = self.identities.changing(Subject::Session(id));
        revoke(&self.db, id, "signed_out", utc(now)).await
    }

    /// Ends the session of a refresh token, whether it was used or not. One that is unknown ends
    /// nothing.
    pub async fn revoke_session_of_token(
        &self,
        token_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(UserId, SessionId)>, StoreError> {
        let token = refresh_tokens::Entity::find_by_id(token_hash.to_owned());
        let Some(token) = token.one(&self.db).await? else {
            return Ok(None);
        };
        let id = SessionId::from_uuid(token.session_id);
        let session = match self.session(id, now).await {
            Ok(session) => session,
            Err(StoreError::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        self.revoke_session(id, now).await?;
        Ok(Some((session.user, id)))
    }

    /// Ends one session of a user, where it has such a session.
    pub async fn revoke_session_of(
        &self,
        user: UserId,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        match self.session(id, now).await {
            Ok(session) if session.user == user => self.revoke_session(id, now).await,
            Ok(_) | Err(StoreError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The living sessions of a user in scope, newest first.
    pub async fn sessions_of(
        &self,
        scope: &AccountScope,
        user: UserId,
        now: DateTime<Utc>,
        paging: Paging,
    ) -> Result<Page<Session>, StoreError> {
        self.user(scope, user).await?;
        let select = sessions::Entity::find()
            .filter(sessions::Column::UserId.eq(user.uuid()))
            .filter(sessions::Column::RevokedAt.is_null())
            .filter(sessions::Column::ExpiresAt.gt(utc(now)));
        let order = (sessions::Column::CreatedAt, sessions::Column::Id);
        page::read(&self.db, select, order, paging, |model| {
            let cursor = Cursor {
                at: model.created_at,
                id: model.id,
            };
            Ok((cursor, row(&model)))
        })
        .await
    }

    /// Notes that a session was used, where that was not noted a moment ago.
    pub async fn note_session_use(
        &self,
        session: &Session,
        from: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if session.last_used_at.is_some_and(|last| now - last < NOTED) {
            return Ok(());
        }
        let _changing = self.identities.changing(Subject::Session(session.id));
        sessions::Entity::update_many()
            .filter(sessions::Column::Id.eq(session.id.uuid()))
            .col_expr(sessions::Column::LastUsedAt, Expr::value(utc(now)))
            .col_expr(
                sessions::Column::LastUsedFrom,
                Expr::value(from.to_string()),
            )
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Ends every session of a user but this one, as when its password changes or it is disabled.
    pub async fn revoke_sessions_of(
        &self,
        user: UserId,
        but: Option<SessionId>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let _changing = self.identities.changing(Subject::User(user));
        let others = but.map(|kept| sessions::Column::Id.ne(kept.uuid()));
        sessions::Entity::update_many()
            .filter(sessions::Column::UserId.eq(user.uuid()))
            .filter(Condition::all().add_option(others))
            .filter(sessions::Column::RevokedAt.is_null())
            .col_expr(sessions::Column::RevokedAt, Expr::value(utc(now)))
            .col_expr(
                sessions::Column::RevokedBecause,
                Expr::value("user_changed"),
            )
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// A session that is neither revoked nor over.
    pub async fn session(&self, id: SessionId, now: DateTime<Utc>) -> Result<Session, StoreError> {
        sessions::Entity::find_by_id(id.uuid())
            .filter(sessions::Column::RevokedAt.is_null())
            .filter(sessions::Column::ExpiresAt.gt(utc(now)))
            .one(&self.db)
            .await?
            .map(|session| row(&session))
            .ok_or(StoreError::NotFound)
    }

    /// Forgets sessions that ended before this time, with their tokens.
    pub async fn forget_sessions(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let gone = sessions::Entity::delete_many()
            .filter(sessions::Column::ExpiresAt.lt(utc(before)))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected)
    }
}

fn row(session: &sessions::Model) -> Session {
    Session {
        id: SessionId::from_uuid(session.id),
        user: UserId::from_uuid(session.user_id),
        created_at: session.created_at,
        expires_at: session.expires_at,
        created_from: session.created_from.clone(),
        user_agent: session.user_agent.clone(),
        last_used_from: session.last_used_from.clone(),
        last_used_at: session.last_used_at,
    }
}

struct Issue {
    hash: String,
    session: SessionId,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl Issue {
    async fn insert(self, db: &impl ConnectionTrait) -> Result<(), StoreError> {
        refresh_tokens::Entity::insert(refresh_tokens::ActiveModel {
            token_hash: Set(self.hash),
            session_id: Set(self.session.uuid()),
            issued_at: Set(self.issued_at),
            expires_at: Set(self.expires_at),
            used_at: Set(None),
        })
        .exec_without_returning(db)
        .await?;
        Ok(())
    }
}

async fn revoke(
    db: &impl ConnectionTrait,
    id: SessionId,
    because: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sessions::Entity::update_many()
        .filter(sessions::Column::Id.eq(id.uuid()))
        .filter(sessions::Column::RevokedAt.is_null())
        .col_expr(sessions::Column::RevokedAt, Expr::value(now))
        .col_expr(sessions::Column::RevokedBecause, Expr::value(because))
        .exec(db)
        .await?;
    Ok(())
}
