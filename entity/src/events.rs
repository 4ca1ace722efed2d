//! One fact of the event catalogue; `position` counts in the order of writing.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub position: i64,
    pub id: Uuid,
    pub account_id: Uuid,
    pub kind: String,
    pub time: ChronoDateTimeUtc,
    pub call_id: Option<Uuid>,
    pub leg_id: Option<Uuid>,
    pub sequence: i64,
    pub data: Json,
}

/// No relation is needed: queries join by scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
