//! A bundle of events that were written together: those of one call, or those of one account that
//! belong to no call. `position` counts in the order of writing.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub position: i64,
    pub id: Uuid,
    pub account_id: Uuid,
    pub call_id: Option<Uuid>,
    pub last_time: ChronoDateTimeUtc,
    #[sea_orm(column_type = "Text")]
    pub facts: String,
}

/// No relation is needed: queries join by scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
