//! Trunks and routes. Which route a call takes is the business of `strowger_domain::route`.

use super::scope::{AccountScope, Within};
use super::text::{document, json, name, named};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use std::fmt;
use strowger_domain::ids::{AccountId, RouteId, TrunkId};
use strowger_domain::route::{self, RoutingTable};
use strowger_entity::{routes, trunks};
use utoipa::ToSchema;

const TABLE: &str = "trunks";

/// What carries a trunk's SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrunkTransport {
    /// RFC 3261 over UDP.
    Udp,
    /// RFC 3261 over TCP.
    Tcp,
}

/// A carrier or PBX.
#[derive(Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Its name.
    pub id: TrunkId,
    /// Who owns it.
    pub account: AccountId,
    /// What people call it.
    pub name: String,
    /// `host` or `host:port`.
    pub host: String,
    /// What carries its SIP.
    pub transport: TrunkTransport,
    /// Our name in its digest challenges.
    pub username: Option<String>,
    /// Our password there; digest needs it as it is.
    pub password: Option<String>,
    /// Its inbound calls must answer a digest challenge with the username and password.
    pub authenticate_inbound: bool,
    /// Networks (CIDR) whose requests are taken as this trunk's.
    pub allowed_sources: Vec<String>,
    /// Codecs in order of preference (`PCMA`).
    pub codecs: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl fmt::Debug for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trunk")
            .field("id", &self.id)
            .field("account", &self.account)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// What shall be changed; `None` stays as it is.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TrunkChange {
    /// What people call it.
    pub name: Option<String>,
    /// `host` or `host:port`.
    pub host: Option<String>,
    /// What carries its SIP.
    pub transport: Option<TrunkTransport>,
    /// Our name there; `Some(None)`: none any more.
    pub username: Option<Option<String>>,
    /// Our password there; `Some(None)`: none any more.
    pub password: Option<Option<String>>,
    /// Whether its inbound calls must answer a digest challenge.
    pub authenticate_inbound: Option<bool>,
    /// Networks whose requests are taken as this trunk's.
    pub allowed_sources: Option<Vec<String>>,
    /// Codecs in order of preference.
    pub codecs: Option<Vec<String>>,
}

/// Which trunk takes the numbers of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its name.
    pub id: RouteId,
    /// Who owns it; its descendants use it too.
    pub account: AccountId,
    /// The beginning of E.164 numbers (`+44`); `+` alone: all of them.
    pub prefix: String,
    /// Where they go.
    pub trunk: TrunkId,
    /// Among equal prefixes the lowest is tried first.
    pub priority: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

fn trunk_row(model: trunks::Model) -> Result<Trunk, StoreError> {
    Ok(Trunk {
        id: TrunkId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        name: model.name,
        host: model.host,
        transport: named(TABLE, &model.transport)?,
        username: model.username,
        password: model.password,
        authenticate_inbound: model.authenticate_inbound,
        allowed_sources: document(TABLE, model.allowed_sources)?,
        codecs: document(TABLE, model.codecs)?,
        created_at: model.created_at,
    })
}

fn route_row(model: routes::Model) -> Route {
    Route {
        id: RouteId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        prefix: model.prefix,
        trunk: TrunkId::from_uuid(model.trunk_id),
        priority: model.priority,
        created_at: model.created_at,
    }
}

impl Store {
    /// Makes a trunk of an account in scope.
    pub async fn create_trunk(
        &self,
        scope: &AccountScope,
        trunk: Trunk,
    ) -> Result<Trunk, StoreError> {
        self.path_text(scope, trunk.account).await?;
        let model = trunks::Model {
            id: trunk.id.uuid(),
            account_id: trunk.account.uuid(),
            name: trunk.name,
            host: trunk.host,
            transport: name(&trunk.transport),
            username: trunk.username,
            password: trunk.password,
            authenticate_inbound: trunk.authenticate_inbound,
            allowed_sources: json(&trunk.allowed_sources),
            codecs: json(&trunk.codecs),
            created_at: utc(trunk.created_at),
            updated_at: utc(trunk.created_at),
        };
        trunks::Entity::insert(model.clone().into_active_model())
            .exec_without_returning(&self.db)
            .await?;
        trunk_row(model)
    }

    /// One trunk.
    pub async fn trunk(&self, scope: &AccountScope, id: TrunkId) -> Result<Trunk, StoreError> {
        trunks::Entity::find_by_id(id.uuid())
            .filter(scope.sees(trunks::Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
            .and_then(trunk_row)
    }

    /// Trunks, newest first.
    pub async fn trunks(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<Trunk>, StoreError> {
        use trunks::Column;
        let within = self.within(scope, within, Column::AccountId).await?;
        let select = trunks::Entity::find().filter(within);
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
                Ok((cursor, trunk_row(model)?))
            },
        )
        .await
    }

    /// Changes a trunk.
    pub async fn update_trunk(
        &self,
        scope: &AccountScope,
        id: TrunkId,
        change: TrunkChange,
        now: DateTime<Utc>,
    ) -> Result<Trunk, StoreError> {
        use trunks::Column;
        let mut update = trunks::Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .col_expr(Column::UpdatedAt, Expr::value(utc(now)));
        if let Some(name) = change.name {
            update = update.col_expr(Column::Name, Expr::value(name));
        }
        if let Some(host) = change.host {
            update = update.col_expr(Column::Host, Expr::value(host));
        }
        if let Some(transport) = change.transport {
            update = update.col_expr(Column::Transport, Expr::value(name(&transport)));
        }
        if let Some(username) = change.username {
            update = update.col_expr(Column::Username, Expr::value(username));
        }
        if let Some(password) = change.password {
            update = update.col_expr(Column::Password, Expr::value(password));
        }
        if let Some(authenticate) = change.authenticate_inbound {
            update = update.col_expr(Column::AuthenticateInbound, Expr::value(authenticate));
        }
        if let Some(sources) = change.allowed_sources {
            update = update.col_expr(Column::AllowedSources, Expr::value(json(&sources)));
        }
        if let Some(codecs) = change.codecs {
            update = update.col_expr(Column::Codecs, Expr::value(json(&codecs)));
        }
        update.exec(&self.db).await?;
        self.trunk(scope, id).await
    }

    /// Removes a trunk. [`StoreError::Referred`] while a route leads to it.
    pub async fn delete_trunk(&self, scope: &AccountScope, id: TrunkId) -> Result<(), StoreError> {
        let gone = trunks::Entity::delete_many()
            .filter(trunks::Column::Id.eq(id.uuid()))
            .filter(scope.sees(trunks::Column::AccountId))
            .exec(&self.db)
            .await?;
        found(gone.rows_affected)
    }

    /// Makes a route of an account in scope, to a trunk in scope.
    pub async fn create_route(
        &self,
        scope: &AccountScope,
        route: Route,
    ) -> Result<Route, StoreError> {
        self.path_text(scope, route.account).await?;
        self.trunk(scope, route.trunk).await?;
        let model = routes::Model {
            id: route.id.uuid(),
            account_id: route.account.uuid(),
            prefix: route.prefix,
            trunk_id: route.trunk.uuid(),
            priority: route.priority,
            created_at: utc(route.created_at),
            updated_at: utc(route.created_at),
        };
        routes::Entity::insert(model.clone().into_active_model())
            .exec_without_returning(&self.db)
            .await?;
        Ok(route_row(model))
    }

    /// One route.
    pub async fn route(&self, scope: &AccountScope, id: RouteId) -> Result<Route, StoreError> {
        routes::Entity::find_by_id(id.uuid())
            .filter(scope.sees(routes::Column::AccountId))
            .one(&self.db)
            .await?
            .map(route_row)
            .ok_or(StoreError::NotFound)
    }

    /// Routes, newest first.
    pub async fn routes(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<Route>, StoreError> {
        use routes::Column;
        let within = self.within(scope, within, Column::AccountId).await?;
        let select = routes::Entity::find().filter(within);
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
                Ok((cursor, route_row(model)))
            },
        )
        .await
    }

    /// Removes a route.
    pub async fn delete_route(&self, scope: &AccountScope, id: RouteId) -> Result<(), StoreError> {
        let gone = routes::Entity::delete_many()
            .filter(routes::Column::Id.eq(id.uuid()))
            .filter(scope.sees(routes::Column::AccountId))
            .exec(&self.db)
            .await?;
        found(gone.rows_affected)
    }

    /// Every trunk and route in scope, for lookups. A network that cannot be read is
    /// left out, with a warning.
    pub async fn routing_table(&self, scope: &AccountScope) -> Result<RoutingTable, StoreError> {
        let trunks = trunks::Entity::find()
            .filter(scope.sees(trunks::Column::AccountId))
            .order_by_asc(trunks::Column::Id)
            .all(&self.db)
            .await?;
        let routes = routes::Entity::find()
            .filter(scope.sees(routes::Column::AccountId))
            .order_by_asc(routes::Column::Id)
            .all(&self.db)
            .await?;
        let trunks = trunks
            .into_iter()
            .map(|model| trunk_row(model).map(carrier))
            .collect::<Result<_, _>>()?;
        let routes = routes
            .into_iter()
            .map(|model| rule(route_row(model)))
            .collect();
        Ok(RoutingTable::new(trunks, routes))
    }
}

/// RFC 3261 §19.1.2: the port of a SIP URI that names none.
const SIP_PORT: u16 = 5060;

/// A trunk as the routing rules know it.
fn carrier(trunk: Trunk) -> route::Trunk {
    let (host, port) = host_and_port(&trunk.host);
    let allowed_sources = trunk
        .allowed_sources
        .iter()
        .filter_map(|text| match text.parse::<route::Network>() {
            Ok(network) => Some(network),
            Err(error) => {
                tracing::warn!(trunk.id = %trunk.id, %error, "a trunk's allowed source is left out");
                None
            }
        })
        .collect();
    route::Trunk {
        id: trunk.id,
        account: trunk.account,
        name: trunk.name,
        host,
        port,
        tcp: trunk.transport == TrunkTransport::Tcp,
        username: trunk.username,
        password: trunk.password,
        authenticate_inbound: trunk.authenticate_inbound,
        allowed_sources,
        codecs: trunk.codecs,
    }
}

/// Host without the brackets of an IPv6 address, and port.
fn host_and_port(text: &str) -> (String, u16) {
    let is_bare_ipv6 = text.matches(':').count() > 1 && !text.starts_with('[');
    let split = text.rsplit_once(':').filter(|_| !is_bare_ipv6);
    let (host, port) = match split.and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) => (host, port),
        None => (text, SIP_PORT),
    };
    (host.trim_matches(['[', ']']).to_owned(), port)
}

fn rule(route: Route) -> route::Route {
    route::Route {
        id: route.id,
        account: route.account,
        prefix: route.prefix,
        trunk: route.trunk,
        priority: route.priority,
    }
}

fn found(rows: u64) -> Result<(), StoreError> {
    if rows == 0 {
        return Err(StoreError::NotFound);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::host_and_port;

    #[test]
    fn a_trunks_host_may_be_a_name_or_an_address_with_or_without_port() {
        for (text, host, port) in [
            ("sip.example.com", "sip.example.com", 5060),
            ("sip.example.com:5080", "sip.example.com", 5080),
            ("192.0.2.1:5070", "192.0.2.1", 5070),
            ("2001:db8::1", "2001:db8::1", 5060),
            ("[2001:db8::1]", "2001:db8::1", 5060),
            ("[2001:db8::1]:5070", "2001:db8::1", 5070),
        ] {
            assert_eq!(host_and_port(text), (host.to_owned(), port), "{text}");
        }
    }
}
