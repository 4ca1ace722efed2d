//! One run of an outbound service.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "instances")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub account_id: Uuid,
    pub service_id: Uuid,
    pub called: String,
    pub calling: String,
    pub token: String,
    #[sea_orm(column_type = "Text")]
    pub outbound_parameters: String,
    pub state: String,
    pub call_id: Option<Uuid>,
    pub cause: Option<String>,
    pub sip_status: Option<i32>,
    #[sea_orm(column_type = "Text")]
    pub failure: Option<String>,
    pub created_at: ChronoDateTimeUtc,
    pub updated_at: ChronoDateTimeUtc,
    pub ended_at: Option<ChronoDateTimeUtc>,
}

/// No relation is needed: queries join by scope.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
