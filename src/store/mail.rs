//! Mail: by which server an account sends, what it says, and the queue of what is on its way.
//!
//! Settings and templates are inherited: those of the nearest account on the path hold.

use super::scope::{AccountScope, Within};
use super::text::{name, named, unsigned};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use strowger_domain::ids::{AccountId, MailId};
use strowger_domain::mail::{Kind, Rendered, Template};
use strowger_entity::{mail_settings, mail_templates, mails};
use utoipa::ToSchema;
use uuid::Uuid;

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailSecurity)]
pub enum Security {
    /// TLS from the beginning (RFC 8314; usually port 465).
    Tls,
    /// TLS after `STARTTLS`, without which nothing is sent (RFC 3207; usually port 587).
    Starttls,
    /// None.
    None,
}

/// By which server an account's mail is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// Whose settings they are.
    pub account: AccountId,
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Our name there.
    pub username: Option<String>,
    /// Our password there.
    pub password: Option<String>,
    /// Whom mails are from.
    pub from_address: String,
    /// That one's name.
    pub from_name: Option<String>,
}

impl std::fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "MailSettings({}, {}:{})",
            self.account, self.host, self.port
        )
    }
}

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailStatus)]
pub enum Status {
    /// It will be tried.
    Queued,
    /// The server took it.
    Sent,
    /// It is given up.
    Failed,
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its name.
    pub id: MailId,
    /// Whose it is.
    pub account: AccountId,
    /// Of which kind.
    pub kind: Kind,
    /// To whom.
    pub recipient: String,
    /// What it says. Forgotten once it is sent or given up: a link in it is a secret.
    pub content: Rendered,
    /// What became of it.
    pub status: Status,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// When it is tried next.
    pub due_at: Option<DateTime<Utc>>,
    /// When the server took it.
    pub sent_at: Option<DateTime<Utc>>,
}

/// A mail to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMail {
    /// Its name.
    pub id: MailId,
    /// Whose it is.
    pub account: AccountId,
    /// Of which kind.
    pub kind: Kind,
    /// To whom.
    pub recipient: String,
    /// What it says.
    pub content: Rendered,
    /// Now.
    pub created_at: DateTime<Utc>,
}

/// How an attempt to send ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The server took it.
    Sent,
    /// It did not; tried again then.
    Again(DateTime<Utc>, String),
    /// It never will.
    Failed(String),
}

/// Mails of one account that may be on their way at a time.
pub const MOST_QUEUED: u64 = 1000;

fn settings(model: mail_settings::Model) -> Result<MailSettings, StoreError> {
    Ok(MailSettings {
        account: AccountId::from_uuid(model.account_id),
        host: model.host,
        port: unsigned(model.port),
        security: named("mail_settings", &model.security)?,
        username: model.username,
        password: model.password,
        from_address: model.from_address,
        from_name: model.from_name,
    })
}

fn mail(model: mails::Model) -> Result<Mail, StoreError> {
    Ok(Mail {
        id: MailId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        kind: named("mails", &model.kind)?,
        recipient: model.recipient,
        content: Rendered {
            subject: model.subject,
            text: model.text,
            html: model.html,
        },
        status: named("mails", &model.status)?,
        attempts: unsigned(model.attempts),
        error: model.error,
        created_at: model.created_at,
        due_at: model.due_at,
        sent_at: model.sent_at,
    })
}

impl Store {
    /// The settings that hold for an account: its own, or those of the nearest account above.
    /// `path` are the accounts from the root to it.
    pub async fn mail_settings(
        &self,
        scope: &AccountScope,
        path: &[AccountId],
    ) -> Result<Option<MailSettings>, StoreError> {
        let found = mail_settings::Entity::find()
            .filter(mail_settings::Column::AccountId.is_in(path.iter().map(|id| id.uuid())))
            .filter(scope.sees(mail_settings::Column::AccountId))
            .all(&self.db)
            .await?;
        nearest(path, found, |model| model.account_id)
            .map(settings)
            .transpose()
    }

    /// Sets an account's own settings.
    pub async fn put_mail_settings(
        &self,
        scope: &AccountScope,
        settings: MailSettings,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        use mail_settings::Column;
        self.path_text(scope, settings.account).await?;
        let model = mail_settings::Model {
            account_id: settings.account.uuid(),
            host: settings.host,
            port: settings.port.into(),
            security: name(&settings.security),
            username: settings.username,
            password: settings.password,
            from_address: settings.from_address,
            from_name: settings.from_name,
            updated_at: utc(now),
        };
        let columns = [
            Column::Host,
            Column::Port,
            Column::Security,
            Column::Username,
            Column::Password,
            Column::FromAddress,
            Column::FromName,
            Column::UpdatedAt,
        ];
        let replace = OnConflict::column(Column::AccountId)
            .update_columns(columns)
            .to_owned();
        mail_settings::Entity::insert(model.into_active_model())
            .on_conflict(replace)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Takes an account's own settings away: those above hold.
    pub async fn delete_mail_settings(
        &self,
        scope: &AccountScope,
        account: AccountId,
    ) -> Result<(), StoreError> {
        mail_settings::Entity::delete_many()
            .filter(mail_settings::Column::AccountId.eq(account.uuid()))
            .filter(scope.sees(mail_settings::Column::AccountId))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// The template that holds for an account, and whose it is; `None`: nobody on the path has one.
    pub async fn mail_template(
        &self,
        scope: &AccountScope,
        path: &[AccountId],
        kind: Kind,
    ) -> Result<Option<(AccountId, Template)>, StoreError> {
        let found = mail_templates::Entity::find()
            .filter(mail_templates::Column::AccountId.is_in(path.iter().map(|id| id.uuid())))
            .filter(mail_templates::Column::Kind.eq(name(&kind)))
            .filter(scope.sees(mail_templates::Column::AccountId))
            .all(&self.db)
            .await?;
        Ok(nearest(path, found, |model| model.account_id).map(|model| {
            let template = Template {
                subject: model.subject,
                text: model.text,
                html: model.html,
            };
            (AccountId::from_uuid(model.account_id), template)
        }))
    }

    /// Sets an account's own template of a kind.
    pub async fn put_mail_template(
        &self,
        scope: &AccountScope,
        (account, kind): (AccountId, Kind),
        template: Template,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        use mail_templates::Column;
        self.path_text(scope, account).await?;
        let model = mail_templates::Model {
            account_id: account.uuid(),
            kind: name(&kind),
            subject: template.subject,
            text: template.text,
            html: template.html,
            updated_at: utc(now),
        };
        let columns = [
            Column::Subject,
            Column::Text,
            Column::Html,
            Column::UpdatedAt,
        ];
        let replace = OnConflict::columns([Column::AccountId, Column::Kind])
            .update_columns(columns)
            .to_owned();
        mail_templates::Entity::insert(model.into_active_model())
            .on_conflict(replace)
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Takes an account's own template away.
    pub async fn delete_mail_template(
        &self,
        scope: &AccountScope,
        (account, kind): (AccountId, Kind),
    ) -> Result<(), StoreError> {
        mail_templates::Entity::delete_many()
            .filter(mail_templates::Column::AccountId.eq(account.uuid()))
            .filter(mail_templates::Column::Kind.eq(name(&kind)))
            .filter(scope.sees(mail_templates::Column::AccountId))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Puts a mail into the queue; `false`: the account has [`MOST_QUEUED`] in it already.
    pub async fn queue_mail(
        &self,
        scope: &AccountScope,
        mail: NewMail,
    ) -> Result<bool, StoreError> {
        self.path_text(scope, mail.account).await?;
        let queued = mails::Entity::find()
            .filter(mails::Column::AccountId.eq(mail.account.uuid()))
            .filter(mails::Column::DueAt.is_not_null())
            .count(&self.db)
            .await?;
        if queued >= MOST_QUEUED {
            return Ok(false);
        }
        let model = mails::Model {
            id: mail.id.uuid(),
            account_id: mail.account.uuid(),
            kind: name(&mail.kind),
            recipient: mail.recipient,
            subject: mail.content.subject,
            text: mail.content.text,
            html: mail.content.html,
            status: name(&Status::Queued),
            attempts: 0,
            error: None,
            created_at: utc(mail.created_at),
            due_at: Some(utc(mail.created_at)),
            sent_at: None,
        };
        mails::Entity::insert(model.into_active_model())
            .exec_without_returning(&self.db)
            .await?;
        Ok(true)
    }

    /// Mails, newest first.
    pub async fn mails(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<Mail>, StoreError> {
        let within = self.within(scope, within, mails::Column::AccountId).await?;
        let select = mails::Entity::find().filter(within);
        let by = (mails::Column::CreatedAt, mails::Column::Id);
        page::read(&self.db, select, by, paging, |model| {
            let cursor = Cursor {
                at: model.created_at,
                id: model.id,
            };
            Ok((cursor, mail(model)?))
        })
        .await
    }

    /// The mails that wait longest of those that are due, one of an account, so many at most.
    pub async fn due_mails(
        &self,
        scope: &AccountScope,
        now: DateTime<Utc>,
        most: usize,
        except: &HashSet<AccountId>,
    ) -> Result<Vec<Mail>, StoreError> {
        let is_due = mails::Column::DueAt.lte(utc(now));
        let accounts: Vec<Uuid> = mails::Entity::find()
            .select_only()
            .column(mails::Column::AccountId)
            .filter(is_due.clone())
            .filter(scope.sees(mails::Column::AccountId))
            .filter(mails::Column::AccountId.is_not_in(except.iter().map(|id| id.uuid())))
            .group_by(mails::Column::AccountId)
            .order_by_asc(mails::Column::DueAt.min())
            .limit(u64::try_from(most).unwrap_or(u64::MAX))
            .into_tuple()
            .all(&self.db)
            .await?;
        let mut due = Vec::with_capacity(accounts.len());
        for account in accounts {
            let first = mails::Entity::find()
                .filter(is_due.clone())
                .filter(mails::Column::AccountId.eq(account))
                .order_by_asc(mails::Column::DueAt)
                .one(&self.db)
                .await?;
            match first.map(mail).transpose() {
                Ok(first) => due.extend(first),
                // It holds up its own account only.
                Err(error) => tracing::error!(%error, "a mail can't be read"),
            }
        }
        Ok(due)
    }

    /// When the next mail is due after this time.
    pub async fn next_mail_due(
        &self,
        scope: &AccountScope,
        after: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let next = mails::Entity::find()
            .filter(mails::Column::DueAt.gt(utc(after)))
            .filter(scope.sees(mails::Column::AccountId))
            .order_by_asc(mails::Column::DueAt)
            .one(&self.db)
            .await?;
        Ok(next.and_then(|model| model.due_at))
    }

    /// Notes how an attempt ended. What a mail said is forgotten with its last one.
    pub async fn note_mail_attempt(
        &self,
        scope: &AccountScope,
        id: MailId,
        attempt: Attempt,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        use mails::Column;
        let (status, due, error) = match attempt {
            Attempt::Sent => (Status::Sent, None, None),
            Attempt::Again(at, why) => (Status::Queued, Some(utc(at)), Some(why)),
            Attempt::Failed(why) => (Status::Failed, None, Some(why)),
        };
        let mut update = mails::Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .col_expr(Column::Status, Expr::value(name(&status)))
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .col_expr(Column::Error, Expr::value(error))
            .col_expr(Column::DueAt, Expr::value(due));
        if due.is_none() {
            update = update
                .col_expr(Column::Text, Expr::value(""))
                .col_expr(Column::Html, Expr::value(None::<String>));
        }
        if status == Status::Sent {
            update = update.col_expr(Column::SentAt, Expr::value(Some(utc(now))));
        }
        update.exec(&self.db).await?;
        Ok(())
    }
}

/// The row of the last account of the path that has one.
fn nearest<M>(path: &[AccountId], mut found: Vec<M>, account: impl Fn(&M) -> Uuid) -> Option<M> {
    let place = |model: &M| path.iter().position(|id| id.uuid() == account(model));
    found.sort_by_key(|model| place(model));
    found.pop()
}
