//! An event on its way to a webhook, and how it went. `position` is that of the event's bundle.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_deliveries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub webhook_id: Uuid,
    pub event_id: Uuid,
    pub position: i64,
    pub event_type: String,
    pub account_id: Uuid,
    pub call_id: Option<Uuid>,
    pub state: String,
    pub attempts: i32,
    pub due_at: ChronoDateTimeUtc,
    pub expires_at: ChronoDateTimeUtc,
    pub attempted_at: Option<ChronoDateTimeUtc>,
    pub status: Option<i32>,
    pub latency_ms: Option<i32>,
    #[sea_orm(column_type = "Text", nullable)]
    pub failure: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub response: Option<String>,
    pub created_at: ChronoDateTimeUtc,
}

/// No relation is needed: queries join by scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
