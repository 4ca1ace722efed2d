//! The audit log of an account and its descendants: who changed what.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strowger_domain::ids::{AccountId, AuditEntryId};
use utoipa::{IntoParams, ToSchema};

use super::auth::Tenant;
use super::error::Problem;
use super::input::Query;
use super::page::Listed;
use super::{Api, page};
use crate::store::audit_log::{AuditEntry, AuditFilter};
use crate::store::page::MAX_LIMIT;
use crate::store::{AccountScope, Paging, Store, StoreError, Within};

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditEntryView {
    /// Its identifier.
    pub id: AuditEntryId,
    /// When it was done.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
    /// In which account it was done.
    pub account: AccountId,
    /// The identifier of the user, API key or service that did it; `command_line`: the operator.
    #[schema(example = "usr_01890a5d96a274d9a5b2c3d4e5f60718")]
    pub actor: String,
    /// How the actor was called then.
    #[schema(example = "alice@example.com")]
    pub actor_name: String,
    /// The actor's own account. When it is another than `account`, the actor acted for that.
    pub actor_account: Option<AccountId>,
    /// The address that the request came from.
    #[schema(example = "192.0.2.1")]
    pub source: Option<String>,
    /// The program that sent it.
    pub user_agent: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// What was done.
    #[schema(example = "users.change")]
    pub operation: String,
    /// The identifier of what it was done to.
    pub resource: Option<String>,
    /// What differs, as it was; null: it was not there. A secret is told as `changed`.
    pub before: Option<Value>,
    /// What differs, as it is; null: it is no more.
    pub after: Option<Value>,
}

impl From<AuditEntry> for AuditEntryView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            created_at: entry.created_at,
            account: entry.account,
            actor: entry.actor,
            actor_name: entry.actor_name,
            actor_account: entry.actor_account,
            source: entry.source,
            user_agent: entry.user_agent,
            request_id: entry.request_id,
            operation: entry.operation,
            resource: entry.resource,
            before: entry.before,
            after: entry.after,
        }
    }
}

/// Which entries.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Most items of the page (1 to 500; 50 when absent).
    pub limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Whether what was done in the account's descendants is listed too; absent: yes.
    pub descendants: Option<bool>,
    /// By this actor.
    pub actor: Option<String>,
    /// This operation (`users.change`), or all of one noun (`users`).
    pub operation: Option<String>,
    /// Done to this.
    pub resource: Option<String>,
    /// At this time or later.
    #[serde(rename = "created_at[gte]")]
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    #[serde(rename = "created_at[lt]")]
    pub before: Option<DateTime<Utc>>,
}

/// How the entries are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// A table for spreadsheets.
    #[default]
    Csv,
    /// A JSON object a line.
    Ndjson,
}

/// Which entries, and how they are written.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct AuditExportQuery {
    /// `csv` when absent.
    #[param(inline)]
    pub format: Option<ExportFormat>,
    /// Whether what was done in the account's descendants is listed too; absent: yes.
    pub descendants: Option<bool>,
    /// By this actor.
    pub actor: Option<String>,
    /// This operation (`users.change`), or all of one noun (`users`).
    pub operation: Option<String>,
    /// Done to this.
    pub resource: Option<String>,
    /// At this time or later.
    #[serde(rename = "created_at[gte]")]
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    #[serde(rename = "created_at[lt]")]
    pub before: Option<DateTime<Utc>>,
}

/// Lists what was done, the latest first. Entries are kept for 12 months.
#[utoipa::path(get, path = "/v1/accounts/{account}/audit_log", tag = "audit_log",
    params(AuditQuery), responses((status = 200, body = Listed<AuditEntryView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<AuditQuery>,
) -> Result<HttpResponse, Problem> {
    let within = page::within(Some(query.descendants != Some(false)), tenant.id());
    let paging = page::paging(query.limit, query.cursor.as_deref())?;
    let filter = AuditFilter {
        actor: query.actor,
        operation: query.operation,
        resource: query.resource,
        from: query.from,
        before: query.before,
    };
    let entries = api
        .store
        .audit_log(&tenant.scope, within, &filter, paging)
        .await?;
    Ok(page::answer(&request, entries, AuditEntryView::from))
}

/// Exports what was done, the latest first, to its end.
#[utoipa::path(get, path = "/v1/accounts/{account}/audit_log/export", tag = "audit_log",
    params(AuditExportQuery), responses((status = 200, content(
        (String = "text/csv"), (String = "application/x-ndjson")))))]
pub async fn export(
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<AuditExportQuery>,
) -> Result<HttpResponse, Problem> {
    let format = query.format.unwrap_or_default();
    let (kind, name) = match format {
        ExportFormat::Csv => ("text/csv; charset=utf-8", "audit_log.csv"),
        ExportFormat::Ndjson => ("application/x-ndjson", "audit_log.ndjson"),
    };
    let export = Export {
        store: api.store.clone(),
        within: page::within(Some(query.descendants != Some(false)), tenant.id()),
        scope: tenant.scope,
        filter: AuditFilter {
            actor: query.actor,
            operation: query.operation,
            resource: query.resource,
            from: query.from,
            before: query.before,
        },
        format,
        next: Some(Paging {
            limit: MAX_LIMIT,
            after: None,
        }),
    };
    let pages = stream::try_unfold(export, |mut export| async move {
        Ok::<_, Problem>(export.page().await?.map(|page| (page, export)))
    });
    let disposition = format!("attachment; filename=\"{name}\"");
    Ok(HttpResponse::Ok()
        .content_type(kind)
        .insert_header((header::CONTENT_DISPOSITION, disposition))
        .streaming(pages))
}

struct Export {
    store: Store,
    scope: AccountScope,
    within: Within,
    filter: AuditFilter,
    format: ExportFormat,
    next: Option<Paging>,
}

impl Export {
    /// The next piece of the export.
    async fn page(&mut self) -> Result<Option<Bytes>, StoreError> {
        let Some(paging) = self.next.take() else {
            return Ok(None);
        };
        let page = self
            .store
            .audit_log(&self.scope, self.within, &self.filter, paging)
            .await?;
        self.next = page.next.map(|after| Paging {
            after: Some(after),
            ..paging
        });
        let views = page.items.into_iter().map(AuditEntryView::from);
        let mut text = Vec::new();
        match self.format {
            ExportFormat::Ndjson => {
                for view in views {
                    text.extend(serde_json::to_vec(&view).unwrap_or_default());
                    text.push(b'\n');
                }
            }
            ExportFormat::Csv => {
                let mut table = csv::Writer::from_writer(&mut text);
                // Writing to memory does not fail.
                if paging.after.is_none() {
                    let _ = table.write_record(COLUMNS);
                }
                for view in views {
                    let _ = table.write_record(cells(&view));
                }
                drop(table);
            }
        }
        // The first piece is never empty text for CSV: an export without entries has its heading.
        Ok(Some(Bytes::from(text)))
    }
}

const COLUMNS: [&str; 13] = [
    "created_at",
    "account",
    "actor",
    "actor_name",
    "actor_account",
    "source",
    "user_agent",
    "request_id",
    "operation",
    "resource",
    "before",
    "after",
    "id",
];

fn cells(entry: &AuditEntryView) -> [String; 13] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let json = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
    let account = entry.actor_account.map(|account| account.to_string());
    [
        strowger_domain::timestamp::text(&entry.created_at),
        entry.account.to_string(),
        entry.actor.clone(),
        entry.actor_name.clone(),
        account.unwrap_or_default(),
        text(&entry.source),
        text(&entry.user_agent),
        text(&entry.request_id),
        entry.operation.clone(),
        text(&entry.resource),
        json(&entry.before),
        json(&entry.after),
        entry.id.to_string(),
    ]
    .map(defused)
}

/// A cell that no spreadsheet takes for a formula (CWE-1236): an apostrophe before it makes it a
/// text.
fn defused(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return format!("'{cell}");
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, told) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-1", "'-1"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(defused(cell.to_owned()), told);
        }
    }
}
