//! Many numbers at once: given to another account of the tree, imported and exported as CSV
//! (RFC 4180).

use std::collections::BTreeSet;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use strowger_domain::e164::E164;
use strowger_domain::fault::Fault;
use strowger_domain::ids::{AccountId, NumberId};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Tenant;
use super::error::{Code, Faults, Problem};
use super::input::{Body, Query};
use super::numbers::{NumberInput, NumberQuery, NumberView, acquire, carry_out, find, views};
use super::page::Listed;
use crate::store::numbers::{Number, NumberAct};
use crate::store::{Page, Paging, StoreError};

/// Numbers to be given to another account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllocationInput {
    /// The numbers, 1 to 500: E.164, or as they are dialled in the platform's country.
    #[schema(example = json!(["+441632960001"]))]
    pub numbers: Vec<String>,
    /// Who gets them: the account of the path, which takes them back, or one below it.
    pub account: AccountId,
    /// Whether numbers are given away on which a call plan is active.
    #[serde(default)]
    pub even_in_use: bool,
}

/// Most numbers of one allocation.
const MOST_ALLOCATED: usize = 500;

/// Gives numbers of the account's tree to an account of it, down or up, all or none. They come
/// without plans, PIN and description.
#[utoipa::path(post, path = "/v1/accounts/{account}/numbers/allocations", tag = "numbers",
    request_body = AllocationInput, responses((status = 200, body = Listed<NumberView>)))]
pub async fn allocate(
    tenant: Tenant,
    api: web::Data<Api>,
    Body(input, mut faults): Body<AllocationInput>,
) -> Result<HttpResponse, Problem> {
    let fits = (1..=MOST_ALLOCATED).contains(&input.numbers.len());
    faults.check(fits, "/numbers", "bad_length", "name 1 to 500 numbers");
    match api.store.account_path(&tenant.scope, input.account).await {
        Ok(_) => {}
        Err(StoreError::NotFound) => {
            faults.add("/account", "not_found", "there is no such account below");
        }
        Err(error) => return Err(error.into()),
    }
    let mut ids: Vec<NumberId> = Vec::new();
    for (at, text) in input.numbers.iter().take(MOST_ALLOCATED).enumerate() {
        let place = format!("/numbers/{at}");
        let read = E164::read(text, api.settings.country);
        let Some(number) = faults.take(&place, "not_e164", read) else {
            continue;
        };
        match find(&api, &tenant, &number).await? {
            Some(held) if is_within(&api, &tenant, &held).await? => {
                let free = input.even_in_use || held.call_plan.is_none();
                faults.check(free, &place, "in_use", "a call plan is active on it");
                ids.push(held.id);
            }
            Some(_) | None => {
                faults.add(&place, "not_found", "the account's tree has no such number");
            }
        }
    }
    faults.finish()?;
    let give = |id: &NumberId| NumberAct::Allocate(*id, input.account);
    carry_out(&api, &tenant, ids.iter().map(give).collect()).await?;
    let mut numbers = Vec::with_capacity(ids.len());
    for id in ids {
        numbers.push(api.store.number(&tenant.scope, id).await?);
    }
    Ok(HttpResponse::Ok().json(Listed {
        items: views(&api, &tenant, numbers).await?,
        next_cursor: None,
    }))
}

async fn is_within(api: &Api, tenant: &Tenant, number: &Number) -> Result<bool, Problem> {
    match api.store.number(&tenant.scope, number.id).await {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// How a list is imported.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Whether a fault in one line keeps all lines out (true when absent).
    pub all_or_nothing: Option<bool>,
    /// Whether the list is only checked.
    pub dry_run: Option<bool>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineOutcome {
    /// The account got the number.
    Added,
    /// The account had it; it is as the line says now.
    Changed,
    /// The line has faults.
    Refused,
    /// The line is well, and nothing was done.
    Unchanged,
}

/// A line of an imported list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedLine {
    /// Its place in the list, where the header is line 1.
    pub line: u64,
    /// The number as it was written.
    pub number: String,
    /// What became of it.
    pub outcome: LineOutcome,
    /// What is wrong with it; a pointer names the column.
    pub errors: Vec<Fault>,
}

/// The report of an import.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportReport {
    /// Lines whose number the account got.
    pub added: u64,
    /// Lines whose number was changed.
    pub changed: u64,
    /// Lines with faults.
    pub refused: u64,
    /// Every line.
    pub lines: Vec<ImportedLine>,
}

/// The columns, of which only the number must be there.
const COLUMNS: [&str; 4] = ["number", "status", "description", "call_plan"];
/// Most lines of one import.
const MOST_LINES: usize = 5_000;

/// Gives an account the numbers of a list, and changes those that it has. The first line names the
/// columns: `number`, and as wanted `status`, `description`, `call_plan`.
#[utoipa::path(post, path = "/v1/accounts/{account}/numbers/import", tag = "numbers",
    params(ImportQuery), request_body(content = String, content_type = "text/csv",
        example = "number,status,description\n+441632960001,active,Sales\n"),
    responses((status = 200, body = ImportReport)))]
pub async fn import(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ImportQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    if !kind.to_ascii_lowercase().starts_with("text/csv") {
        return Err(Problem::from(Code::UnsupportedMedia).detail("Send text/csv."));
    }
    let text = super::input::body(payload.into_inner(), super::input::MAX_JSON).await?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut report = ImportReport {
        added: 0,
        changed: 0,
        refused: 0,
        lines: Vec::new(),
    };
    let (mut wanted, mut seen) = (Vec::new(), BTreeSet::new());
    for Row { line, input } in rows(text)? {
        let mut faults = Faults::default();
        let number = match &input {
            Ok(input) => input.number.clone(),
            Err(_) => String::new(),
        };
        let acquired = match input {
            Ok(input) => acquire(&api, &tenant, input, &mut faults).await?,
            Err(fault) => {
                faults.extend("", vec![fault]);
                None
            }
        };
        let is_first =
            acquired.is_none() || seen.insert(E164::read(&number, api.settings.country).ok());
        if !is_first {
            faults.add("/number", "repeated", "an earlier line has this number");
        }
        let errors = faults.into_list();
        let outcome = match acquired.filter(|_| errors.is_empty()) {
            None => LineOutcome::Refused,
            Some(acquired) => {
                wanted.push((report.lines.len(), acquired));
                LineOutcome::Unchanged
            }
        };
        report.refused += u64::from(outcome == LineOutcome::Refused);
        report.lines.push(ImportedLine {
            line,
            number,
            outcome,
            errors,
        });
    }
    let held_back = query.all_or_nothing.unwrap_or(true) && report.refused > 0;
    if !held_back && query.dry_run != Some(true) {
        let acts = wanted
            .iter()
            .flat_map(|(_, acquired)| acquired.acts.clone());
        carry_out(&api, &tenant, acts.collect()).await?;
        for (at, acquired) in wanted {
            let (count, outcome) = if acquired.is_own {
                (&mut report.changed, LineOutcome::Changed)
            } else {
                (&mut report.added, LineOutcome::Added)
            };
            *count += 1;
            if let Some(line) = report.lines.get_mut(at) {
                line.outcome = outcome;
            }
        }
    }
    Ok(HttpResponse::Ok().json(report))
}

/// A line of the list as it was read.
struct Row {
    line: u64,
    input: Result<NumberInput, Fault>,
}

fn rows(text: &[u8]) -> Result<Vec<Row>, Problem> {
    let malformed =
        |error: csv::Error| Problem::from(Code::MalformedBody).detail(error.to_string());
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text);
    let header = reader.headers().map_err(malformed)?.clone();
    let mut faults = Faults::default();
    for (at, column) in header.iter().enumerate() {
        let place = format!("/{column}");
        let known = COLUMNS.contains(&column);
        let detail = "the columns are number, status, description and call_plan";
        faults.check(known, &place, "unknown_field", detail);
        let again = header.iter().take(at).any(|other| other == column);
        faults.check(!again, &place, "repeated", "the column is there twice");
    }
    let has_numbers = header.iter().any(|column| column == "number");
    faults.check(has_numbers, "/number", "missing", "the column is missing");
    faults.finish()?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(malformed)?;
        if rows.len() == MOST_LINES {
            let detail = format!("A list may have {MOST_LINES} lines.");
            return Err(Problem::from(Code::TooLarge).detail(detail));
        }
        let cell = |name: &str| {
            let at = header.iter().position(|column| column == name)?;
            record.get(at).map(plain).filter(|text| !text.is_empty())
        };
        rows.push(Row {
            line: rows.len() as u64 + 2,
            input: read_row(cell),
        });
    }
    Ok(rows)
}

fn read_row<'a>(cell: impl Fn(&str) -> Option<&'a str>) -> Result<NumberInput, Fault> {
    let status = cell("status").map(|text| {
        let named = serde_json::from_value(text.into());
        let detail = "choose `active`, `parked` or `suspended`";
        named.map_err(|_error| Fault::new("/status", "unknown_value", detail))
    });
    let call_plan = cell("call_plan").map(|text| {
        let plan = text.parse();
        plan.map_err(|error: strowger_domain::ids::IdError| {
            Fault::new("/call_plan", "invalid_value", error.to_string())
        })
    });
    Ok(NumberInput {
        number: cell("number").unwrap_or("").to_owned(),
        description: cell("description").unwrap_or("").to_owned(),
        call_plan: call_plan.transpose()?,
        status: status.transpose()?,
    })
}

/// Exports the numbers that a search finds, as CSV that an import takes again. A cell that a
/// spreadsheet would take for a formula begins with an apostrophe.
#[utoipa::path(get, path = "/v1/accounts/{account}/numbers/export", tag = "numbers",
    params(NumberQuery), responses((status = 200, body = String, content_type = "text/csv")))]
pub async fn export(
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<NumberQuery>,
) -> Result<HttpResponse, Problem> {
    let (within, filter) = (query.within(tenant.id()), query.filter()?);
    let mut paging = Paging {
        limit: crate::store::page::MAX_LIMIT,
        after: None,
    };
    let mut text = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let failed = |_error: csv::Error| Problem::from(Code::Internal);
    text.write_record(COLUMNS).map_err(failed)?;
    loop {
        let found = api.store.numbers(&tenant.scope, within, &filter, paging);
        let Page { items, next } = found.await?;
        for number in items {
            let status = serde_json::to_value(number.status).unwrap_or_default();
            let cells = [
                defused(number.number.as_str()),
                defused(status.as_str().unwrap_or_default()),
                defused(&number.description),
                defused(
                    &number
                        .call_plan
                        .map_or_else(String::new, |id| id.to_string()),
                ),
            ];
            text.write_record(&cells).map_err(failed)?;
        }
        match next {
            None => break,
            after => paging.after = after,
        }
    }
    let text = text.into_inner().map_err(|_error| Code::Internal)?;
    let name = HeaderValue::from_static("attachment; filename=\"numbers.csv\"");
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_DISPOSITION, name))
        .content_type("text/csv; charset=utf-8")
        .body(text))
}

/// What a spreadsheet would take for a formula begins with one of these.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A cell that no spreadsheet takes for a formula.
fn defused(text: &str) -> String {
    if text.starts_with(FORMULA) || text.starts_with('\'') {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// A cell without what [`defused`] has put before it.
fn plain(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) || rest.starts_with('\'') => rest,
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_exported_cell_is_a_formula_and_each_is_read_back() {
        for text in [
            "=1+1", "+44", "-1", "@SUM(A1)", "\tx", "'=1", "'", "plain", "", "a=b",
        ] {
            let cell = defused(text);
            assert!(!cell.starts_with(FORMULA), "{cell}");
            assert_eq!(plain(&cell), text);
        }
    }

    #[test]
    fn a_list_without_its_columns_is_refused_at_once() {
        let problem = rows(b"no,status,status\n1,2,3\n").err().unwrap();
        let told: Vec<_> = problem
            .errors
            .iter()
            .map(|f| (&f.pointer[..], f.code))
            .collect();
        assert_eq!(
            told,
            [
                ("/no", "unknown_field"),
                ("/status", "repeated"),
                ("/number", "missing")
            ]
        );
    }
}
