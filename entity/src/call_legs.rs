//! One party of a call.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "call_legs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub call_id: Uuid,
    pub number: i32,
    pub role: String,
    pub call_type: i32,
    pub direction: String,
    pub address: Option<String>,
    pub presentation: Option<String>,
    pub started_at: ChronoDateTimeUtc,
    pub ringing_at: Option<ChronoDateTimeUtc>,
    pub answered_at: Option<ChronoDateTimeUtc>,
    pub ended_at: Option<ChronoDateTimeUtc>,
    pub cause: Option<String>,
    pub sip_status: Option<i32>,
    pub codec: Option<String>,
    pub packets_sent: i64,
    pub packets_received: i64,
    pub quality: Option<Json>,
}

/// No relation is needed: queries join by scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
