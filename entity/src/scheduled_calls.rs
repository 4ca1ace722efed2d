//! A call that the platform is to start at its time.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "scheduled_calls")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub account_id: Uuid,
    pub service_number: String,
    pub first_party: String,
    pub presentation_number: Option<String>,
    pub not_before: ChronoDateTimeUtc,
    pub expires_at: Option<ChronoDateTimeUtc>,
    pub ring_duration_s: i32,
    pub variables: Json,
    pub reference: Option<String>,
    pub state: String,
    pub cause: Option<String>,
    pub failure: Option<String>,
    pub sip_status: Option<i32>,
    pub call_id: Option<Uuid>,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
    pub answered_at: Option<ChronoDateTimeUtc>,
    pub ended_at: Option<ChronoDateTimeUtc>,
}

/// No relation is needed: queries join by scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
