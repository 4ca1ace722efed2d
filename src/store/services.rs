//! Outbound services, a customer's web applications that drive calls, and their instances.

use super::scope::{AccountScope, Within};
use super::text::{maybe_named, name, named, unsigned};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strowger_domain::cause::Cause;
use strowger_domain::ids::{AccountId, CallId, InstanceId, ServiceId};
use strowger_entity::{instances, services};
use utoipa::ToSchema;

const TABLE: &str = "instances";

/// An outbound service.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboundService {
    /// Its identifier; that of the first row stays when the service is put again.
    pub id: ServiceId,
    /// Who owns it.
    pub account: AccountId,
    /// Its name, unique in the account.
    pub name: String,
    /// The argon2id hash of the service password, in PHC form.
    pub password_hash: String,
    /// The addresses of its pages, as the API takes them.
    pub rest: Value,
    /// Given to the application with each instance.
    pub application_parameters: String,
    /// Channels beyond those of the account.
    pub extra_channels: u32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// How far an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Its call is being dialled.
    Starting,
    /// Its call was answered, and its pages drive it.
    Running,
    /// It is over; its final page was asked for.
    Ended,
}

/// One run of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub id: InstanceId,
    /// Who owns it.
    pub account: AccountId,
    /// The service.
    pub service: ServiceId,
    /// Whom it calls.
    pub called: String,
    /// The presented number.
    pub calling: String,
    /// Given back to the application in every request.
    pub token: String,
    /// Given to the application.
    pub outbound_parameters: String,
    /// How far it is.
    pub state: InstanceState,
    /// Its call.
    pub call: Option<CallId>,
    /// Why its call ended.
    pub cause: Option<Cause>,
    /// The SIP status that it ended with, where one came.
    pub sip_status: Option<u16>,
    /// What was wrong with the application.
    pub failure: Option<String>,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A step of an instance's life; `None` stays as it is. An ended instance changes no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceUpdate {
    /// How far it is now.
    pub state: Option<InstanceState>,
    /// Its call.
    pub call: Option<CallId>,
    /// Why its call ended.
    pub cause: Option<Cause>,
    /// The SIP status that it ended with.
    pub sip_status: Option<u16>,
    /// What was wrong with the application.
    pub failure: Option<String>,
}

fn service_row(model: services::Model) -> OutboundService {
    OutboundService {
        id: ServiceId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        name: model.name,
        password_hash: model.password_hash,
        rest: model.rest,
        application_parameters: model.application_parameters,
        extra_channels: unsigned(model.extra_channels),
        created_at: model.created_at,
        updated_at: model.updated_at,
    }
}

fn instance_row(model: instances::Model) -> Result<Instance, StoreError> {
    Ok(Instance {
        id: InstanceId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        service: ServiceId::from_uuid(model.service_id),
        called: model.called,
        calling: model.calling,
        token: model.token,
        outbound_parameters: model.outbound_parameters,
        state: named(TABLE, &model.state)?,
        call: model.call_id.map(CallId::from_uuid),
        cause: maybe_named(TABLE, model.cause.as_deref())?,
        sip_status: model.sip_status.map(unsigned),
        failure: model.failure,
        created_at: model.created_at,
        updated_at: model.updated_at,
        ended_at: model.ended_at,
    })
}

fn instance_model(instance: &Instance) -> instances::Model {
    instances::Model {
        id: instance.id.uuid(),
        account_id: instance.account.uuid(),
        service_id: instance.service.uuid(),
        called: instance.called.clone(),
        calling: instance.calling.clone(),
        token: instance.token.clone(),
        outbound_parameters: instance.outbound_parameters.clone(),
        state: name(&instance.state),
        call_id: instance.call.map(CallId::uuid),
        cause: instance.cause.as_ref().map(name),
        sip_status: instance.sip_status.map(i32::from),
        failure: instance.failure.clone(),
        created_at: utc(instance.created_at),
        updated_at: utc(instance.updated_at),
        ended_at: instance.ended_at.map(utc),
    }
}

impl Store {
    /// Makes the service of this name, or replaces what it was. Answers the service as it is now
    /// and whether it is new.
    pub async fn put_outbound_service(
        &self,
        scope: &AccountScope,
        service: OutboundService,
    ) -> Result<(OutboundService, bool), StoreError> {
        self.path_text(scope, service.account).await?;
        let (account, name, id) = (service.account, service.name.clone(), service.id);
        let model = services::Model {
            id: service.id.uuid(),
            account_id: service.account.uuid(),
            name: service.name,
            password_hash: service.password_hash,
            rest: service.rest,
            application_parameters: service.application_parameters,
            extra_channels: i32::try_from(service.extra_channels).unwrap_or(i32::MAX),
            created_at: utc(service.created_at),
            updated_at: utc(service.updated_at),
        };
        services::Entity::insert(model.into_active_model())
            .on_conflict(
                OnConflict::columns([services::Column::AccountId, services::Column::Name])
                    .update_columns([
                        services::Column::PasswordHash,
                        services::Column::Rest,
                        services::Column::ApplicationParameters,
                        services::Column::ExtraChannels,
                        services::Column::UpdatedAt,
                    ])
                    .to_owned(),
            )
            .exec_without_returning(&self.db)
            .await?;
        let service = self.outbound_service(scope, account, &name).await?;
        let is_new = service.id == id;
        Ok((service, is_new))
    }

    /// The service of this name.
    pub async fn outbound_service(
        &self,
        scope: &AccountScope,
        account: AccountId,
        name: &str,
    ) -> Result<OutboundService, StoreError> {
        services::Entity::find()
            .filter(services::Column::AccountId.eq(account.uuid()))
            .filter(services::Column::Name.eq(name))
            .filter(scope.sees(services::Column::AccountId))
            .one(&self.db)
            .await?
            .map(service_row)
            .ok_or(StoreError::NotFound)
    }

    /// The service of this identifier.
    pub async fn outbound_service_by_id(
        &self,
        scope: &AccountScope,
        id: ServiceId,
    ) -> Result<OutboundService, StoreError> {
        services::Entity::find_by_id(id.uuid())
            .filter(scope.sees(services::Column::AccountId))
            .one(&self.db)
            .await?
            .map(service_row)
            .ok_or(StoreError::NotFound)
    }

    /// Outbound services, newest first.
    pub async fn outbound_services(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<OutboundService>, StoreError> {
        use services::Column;
        let within = self.within(scope, within, Column::AccountId).await?;
        let select = services::Entity::find().filter(within);
        page::read(
            &self.db,
            select,
            (Column::CreatedAt, Column::Id),
            paging,
            |model| {
                let cursor = Cursor {
                    at: model.created_at,
                    id: model.id,
                };
                Ok((cursor, service_row(model)))
            },
        )
        .await
    }

    /// Removes a service with its instances. Their calls stay on record.
    pub async fn delete_outbound_service(
        &self,
        scope: &AccountScope,
        id: ServiceId,
    ) -> Result<(), StoreError> {
        let gone = services::Entity::delete_many()
            .filter(services::Column::Id.eq(id.uuid()))
            .filter(scope.sees(services::Column::AccountId))
            .exec(&self.db)
            .await?;
        if gone.rows_affected == 0 {
            return Err(StoreError::NotFound);
        }
        Ok(())
    }

    /// Makes an instance of a service in scope, before its call is dialled.
    pub async fn create_instance(
        &self,
        scope: &AccountScope,
        instance: Instance,
    ) -> Result<Instance, StoreError> {
        self.outbound_service_by_id(scope, instance.service).await?;
        let model = instance_model(&instance);
        instances::Entity::insert(model.clone().into_active_model())
            .exec_without_returning(&self.db)
            .await?;
        instance_row(model)
    }

    /// One instance.
    pub async fn instance(
        &self,
        scope: &AccountScope,
        id: InstanceId,
    ) -> Result<Instance, StoreError> {
        instances::Entity::find_by_id(id.uuid())
            .filter(scope.sees(instances::Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
            .and_then(instance_row)
    }

    /// The instances of a service, newest first.
    pub async fn instances(
        &self,
        scope: &AccountScope,
        service: ServiceId,
        paging: Paging,
    ) -> Result<Page<Instance>, StoreError> {
        use instances::Column;
        self.outbound_service_by_id(scope, service).await?;
        let select = instances::Entity::find().filter(Column::ServiceId.eq(service.uuid()));
        page::read(
            &self.db,
            select,
            (Column::CreatedAt, Column::Id),
            paging,
            |model| {
                let cursor = Cursor {
                    at: model.created_at,
                    id: model.id,
                };
                Ok((cursor, instance_row(model)?))
            },
        )
        .await
    }

    /// Notes how far an instance is. [`StoreError::Stale`] when it has ended already.
    pub async fn update_instance(
        &self,
        scope: &AccountScope,
        id: InstanceId,
        update: InstanceUpdate,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        use instances::Column;
        let now = utc(now);
        let mut query = instances::Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::EndedAt.is_null())
            .filter(scope.sees(Column::AccountId))
            .col_expr(Column::UpdatedAt, Expr::value(now));
        if let Some(state) = update.state {
            query = query.col_expr(Column::State, Expr::value(name(&state)));
            if state == InstanceState::Ended {
                query = query.col_expr(Column::EndedAt, Expr::value(now));
            }
        }
        if let Some(call) = update.call {
            query = query.col_expr(Column::CallId, Expr::value(call.uuid()));
        }
        if let Some(cause) = update.cause {
            query = query.col_expr(Column::Cause, Expr::value(name(&cause)));
        }
        if let Some(status) = update.sip_status {
            query = query.col_expr(Column::SipStatus, Expr::value(i32::from(status)));
        }
        if let Some(failure) = update.failure {
            query = query.col_expr(Column::Failure, Expr::value(failure));
        }
        if query.exec(&self.db).await?.rows_affected == 0 {
            return Err(StoreError::Stale);
        }
        Ok(())
    }

    /// At start: ends the instances that were cut, with cause 41, and answers them, so that their
    /// final pages can be asked for.
    pub async fn close_cut_instances(
        &self,
        scope: &AccountScope,
        now: DateTime<Utc>,
    ) -> Result<Vec<Instance>, StoreError> {
        use instances::Column;
        let now = utc(now);
        let transaction = self.begin().await?;
        let mut cut = instances::Entity::find()
            .filter(Column::EndedAt.is_null())
            .filter(scope.sees(Column::AccountId))
            .order_by_asc(Column::CreatedAt)
            .all(&transaction)
            .await?;
        instances::Entity::update_many()
            .filter(Column::EndedAt.is_null())
            .filter(scope.sees(Column::AccountId))
            .col_expr(Column::State, Expr::value(name(&InstanceState::Ended)))
            .col_expr(Column::Cause, Expr::value(name(&Cause::TemporaryFailure)))
            .col_expr(Column::EndedAt, Expr::value(now))
            .col_expr(Column::UpdatedAt, Expr::value(now))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        for instance in &mut cut {
            instance.state = name(&InstanceState::Ended);
            instance.cause = Some(name(&Cause::TemporaryFailure));
            instance.ended_at = Some(now);
            instance.updated_at = now;
        }
        cut.into_iter().map(instance_row).collect()
    }
}
