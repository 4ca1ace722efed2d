//! A person or program that signs in; `email_key` is the address in lower case.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub account_id: Uuid,
    pub email: String,
    pub email_key: String,
    pub name: String,
    pub role: String,
    #[sea_orm(column_type = "Text")]
    pub password_hash: String,
    pub status: String,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
    pub signed_in_at: Option<ChronoDateTimeUtc>,
    pub password_changed_at: Option<ChronoDateTimeUtc>,
}

/// No relation is needed: queries join by scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
