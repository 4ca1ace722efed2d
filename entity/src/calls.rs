//! A call; without `ended_at` it is live, or was cut.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "calls")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub account_id: Uuid,
    pub origin: String,
    pub service_number: Option<String>,
    pub calling: Option<String>,
    pub withheld_calling: Option<String>,
    pub called: String,
    pub state: String,
    pub started_at: ChronoDateTimeUtc,
    pub answered_at: Option<ChronoDateTimeUtc>,
    pub ended_at: Option<ChronoDateTimeUtc>,
    pub cause: Option<String>,
    pub sip_status: Option<i32>,
    pub outcome: Option<String>,
    pub duration_ms: i64,
    pub scheduled_call_id: Option<Uuid>,
    pub instance_id: Option<Uuid>,
    pub expected_count: i32,
    pub steps: Json,
    pub annotations: Json,
}

/// No relation is needed: queries join by scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
