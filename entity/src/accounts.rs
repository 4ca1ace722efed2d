//! An account of the tree; `path` holds the ids from the root down to this one, each 32 hexadecimal digits and `/`.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub parent_id: Option<Uuid>,
    pub path: String,
    pub kind: String,
    pub name: String,
    pub reference: Option<String>,
    pub contact: Option<Json>,
    pub status: String,
    pub time_zone: String,
    pub permissions: Json,
    pub limits: Json,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
}

/// No relation is needed: queries join by scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
