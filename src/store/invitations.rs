//! Invitations to become a user, and tokens to choose a new password: each is good once.

use super::identities::Subject;
use super::scope::{AccountScope, Within};
use super::text::{name, named};
use super::users::{self, NewUser, User};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use strowger_domain::account::Role;
use strowger_domain::ids::{AccountId, InvitationId, UserId};
use strowger_entity::{invitations, password_resets};

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its name.
    pub id: InvitationId,
    /// The account of the user to be.
    pub account: AccountId,
    /// Where it was sent.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// What the user will be allowed to do.
    pub role: Role,
    /// When it was sent.
    pub created_at: DateTime<Utc>,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
    /// When it became a user.
    pub accepted_at: Option<DateTime<Utc>>,
}

fn row(model: invitations::Model) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        id: InvitationId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        email: model.email,
        name: model.name,
        role: named("invitations", &model.role)?,
        created_at: model.created_at,
        expires_at: model.expires_at,
        accepted_at: model.accepted_at,
    })
}

impl Store {
    /// Keeps an invitation with the hash of its token.
    pub async fn create_invitation(
        &self,
        scope: &AccountScope,
        invitation: Invitation,
        token_hash: String,
    ) -> Result<Invitation, StoreError> {
        self.path_text(scope, invitation.account).await?;
        let model = invitations::Model {
            id: invitation.id.uuid(),
            account_id: invitation.account.uuid(),
            email: invitation.email,
            name: invitation.name,
            role: name(&invitation.role),
            token_hash,
            created_at: utc(invitation.created_at),
            expires_at: utc(invitation.expires_at),
            accepted_at: None,
        };
        invitations::Entity::insert(model.clone().into_active_model())
            .exec_without_returning(&self.db)
            .await?;
        row(model)
    }

    /// Invitations, newest first.
    pub async fn invitations(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<Invitation>, StoreError> {
        use invitations::Column;
        let within = self.within(scope, within, Column::AccountId).await?;
        let select = invitations::Entity::find().filter(within);
        page::read(
            &self.db,
            select,
            (Column::CreatedAt, Column::Id),
            paging,
            |model| {
                let cursor = Cursor {
                    at: model.created_at,
                    id: model.id,
                };
                Ok((cursor, row(model)?))
            },
        )
        .await
    }

    /// One invitation.
    pub async fn invitation(
        &self,
        scope: &AccountScope,
        id: InvitationId,
    ) -> Result<Invitation, StoreError> {
        invitations::Entity::find_by_id(id.uuid())
            .filter(scope.sees(invitations::Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
            .and_then(row)
    }

    /// Takes an invitation back.
    pub async fn delete_invitation(
        &self,
        scope: &AccountScope,
        id: InvitationId,
    ) -> Result<(), StoreError> {
        self.invitation(scope, id).await?;
        invitations::Entity::delete_many()
            .filter(invitations::Column::Id.eq(id.uuid()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// The invitation of a token that is good now: nobody is known yet.
    pub async fn invitation_of_token(
        &self,
        token_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Invitation, StoreError> {
        use invitations::Column;
        invitations::Entity::find()
            .filter(Column::TokenHash.eq(token_hash))
            .filter(Column::AcceptedAt.is_null())
            .filter(Column::ExpiresAt.gt(utc(now)))
            .one(&self.db)
            .await?
            .ok_or(StoreError::TokenInvalid)
            .and_then(row)
    }

    /// Makes a user of an invitation, which is good no more.
    pub async fn accept_invitation(
        &self,
        id: InvitationId,
        user: NewUser,
    ) -> Result<User, StoreError> {
        use invitations::Column;
        let time = utc(user.created_at);
        let transaction = self.begin().await?;
        let taken = invitations::Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::AcceptedAt.is_null())
            .filter(Column::ExpiresAt.gt(time))
            .col_expr(Column::AcceptedAt, Expr::value(Some(time)))
            .exec(&transaction)
            .await?;
        if taken.rows_affected != 1 {
            return Err(StoreError::TokenInvalid);
        }
        let made = user.id;
        users::insert(&transaction, user).await?;
        transaction.commit().await?;
        self.user(&AccountScope::platform(), made).await
    }

    /// Keeps the hash of a token by which a user may choose a new password; an earlier one is good
    /// no more.
    pub async fn put_password_reset(
        &self,
        user: UserId,
        token_hash: String,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        use password_resets::Column;
        let model = password_resets::Model {
            user_id: user.uuid(),
            token_hash,
            expires_at: utc(expires_at),
        };
        let replace = OnConflict::column(Column::UserId)
            .update_columns([Column::TokenHash, Column::ExpiresAt])
            .to_owned();
        password_resets::Entity::insert(model.into_active_model())
            .on_conflict(replace)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Whose token it is, if it is good now. It is good no more afterwards.
    pub async fn take_password_reset(
        &self,
        token_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<UserId, StoreError> {
        use password_resets::Column;
        let found = password_resets::Entity::find()
            .filter(Column::TokenHash.eq(token_hash))
            .filter(Column::ExpiresAt.gt(utc(now)))
            .one(&self.db)
            .await?
            .ok_or(StoreError::TokenInvalid)?;
        let user = UserId::from_uuid(found.user_id);
        let _changing = self.identities.changing(Subject::User(user));
        let gone = password_resets::Entity::delete_many()
            .filter(Column::TokenHash.eq(token_hash))
            .exec(&self.db)
            .await?;
        // Of two who come at once, one is too late.
        if gone.rows_affected != 1 {
            return Err(StoreError::TokenInvalid);
        }
        Ok(user)
    }
}
