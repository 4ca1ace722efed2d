//! The description of the API: OpenAPI 3.1, made of the types that the handlers use.

use actix_web::HttpResponse;
use actix_web::http::Method;
use strowger_domain::account::Scope;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
use utoipa::openapi::{OpenApi as Document, RefOr, Required};
use utoipa::{Modify, OpenApi};

use super::error::{Code, ProblemBody};
use super::router::Access;
use super::{
    accounts, api_keys, audio, audit, audit_log, branding, call_plans, calls, deliveries,
    event_stream, events, instances, invitations, lifecycle, mail, mail_templates, mfa,
    number_lists, number_plans, numbers, password_resets, plan_checks, profile, recordings, routes,
    scheduled_calls, services, sessions, sign_in_rules, signing_keys, system, trunks, usage,
    user_sessions, users, webhooks,
};
use crate::events::catalogue::CATALOGUE;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Strowger",
        description = "The API of the Strowger telephony platform. The portal uses nothing else.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        contact()
    ),
    paths(
        sessions::token, sessions::refresh, sessions::logout, sessions::me,
        signing_keys::published, signing_keys::rotate,
        profile::change_password, mfa::read, mfa::enrol, mfa::confirm, mfa::renew_codes,
        mfa::remove, mfa::reset, sign_in_rules::read, sign_in_rules::put, document,
        accounts::list, accounts::read, accounts::change, accounts::children,
        accounts::create_child,
        user_sessions::own, user_sessions::revoke_own, user_sessions::revoke_others,
        user_sessions::list, user_sessions::revoke,
        lifecycle::move_to, lifecycle::close, lifecycle::export, lifecycle::erase,
        usage::read,
        branding::of_host, branding::logo_of_host, branding::read, branding::put,
        branding::logo, branding::put_logo, branding::remove_logo,
        users::list, users::create, users::read, users::change, users::remove,
        api_keys::list, api_keys::create, api_keys::read, api_keys::revoke,
        audit_log::list, audit_log::export,
        invitations::list, invitations::create, invitations::read, invitations::remove,
        invitations::accept, password_resets::ask, password_resets::confirm,
        mail::read_settings, mail::put_settings, mail::remove_settings, mail::list,
        mail_templates::list, mail_templates::read, mail_templates::put, mail_templates::remove,
        mail_templates::preview, mail_templates::test,
        numbers::list, numbers::create, numbers::read, numbers::change, numbers::remove,
        number_lists::allocate, number_lists::import, number_lists::export,
        number_plans::assignments, number_plans::switches, number_plans::order,
        number_plans::take_back,
        call_plans::list, call_plans::create, call_plans::read, call_plans::change,
        call_plans::remove,
        call_plans::draft, call_plans::save_draft, call_plans::publish, call_plans::versions,
        call_plans::version,
        plan_checks::validate, plan_checks::simulate, plan_checks::validate_draft,
        plan_checks::simulate_draft,
        audio::list, audio::upload, audio::read, audio::remove, audio::download,
        trunks::list, trunks::create, trunks::read, trunks::change, trunks::remove,
        routes::list, routes::create, routes::read, routes::remove,
        scheduled_calls::list, scheduled_calls::create, scheduled_calls::read,
        scheduled_calls::cancel,
        calls::list, calls::read, calls::act, calls::events, calls::records, calls::record,
        recordings::list, recordings::read, recordings::remove, recordings::audio,
        services::list, services::read, services::put, services::remove,
        instances::start, instances::list, instances::read,
        events::stream_events, events::event_types,
        webhooks::list, webhooks::create, webhooks::enable, webhooks::read, webhooks::change,
        webhooks::remove, webhooks::rotate_secret, webhooks::test, webhooks::replay,
        deliveries::list, deliveries::read, deliveries::replay,
        system::health, system::ready, system::metrics,
    ),
    components(schemas(event_stream::Notice, ProblemBody)),
    modifiers(&Common)
)]
struct Description;

/// What holds for every operation, and need not be said with each.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let token = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let service = Http::builder().scheme(HttpAuthScheme::Basic).build();
        components.add_security_scheme("service", SecurityScheme::Http(service));
        let events: Vec<String> = CATALOGUE
            .iter()
            .map(|one| format!("- `{}`: {}", one.name, one.text))
            .collect();
        let codes: Vec<String> = Code::ALL
            .iter()
            .map(|code| format!("- `{}` ({}): {}", code.name(), code.status(), code.text()))
            .collect();
        let (events, codes) = (events.join("\n"), codes.join("\n"));
        let intro = document.info.description.take().unwrap_or_default();
        document.info.description = Some(format!(
            "{intro}\n\n## Problems\n{codes}\n\n## Events\n{events}"
        ));
        for route in routes().routes() {
            let item = document.paths.paths.get_mut(route.path);
            if let Some(operation) = item.and_then(|item| operation(item, &route.method)) {
                operation.security = Some(security(route.access));
            }
        }
        for (path, item) in &mut document.paths.paths {
            let names: Vec<String> = segments(path).map(ToOwned::to_owned).collect();
            for (method, operation) in operations(item) {
                if let Some(noted) = audit::operation(&method, path) {
                    let extensions = operation.extensions.get_or_insert_default();
                    extensions.insert("x-audit".to_owned(), noted.into());
                }
                let name = operation.operation_id.take();
                operation.operation_id = name.map(|name| operation_id(path, &name));
                for name in &names {
                    describe_segment(operation, name);
                }
                let problem = ResponseBuilder::new()
                    .description("A problem (RFC 9457)")
                    .content(
                        "application/problem+json",
                        ContentBuilder::new()
                            .schema(Some(Ref::from_schema_name("Problem")))
                            .build(),
                    )
                    .build();
                let all = &mut operation.responses.responses;
                all.retain(|status, _| !status.starts_with(['4', '5']) || status == "503");
                all.insert("default".to_owned(), RefOr::T(problem));
            }
        }
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// A name that no other operation has: what is generated from the description is called by it.
fn operation_id(path: &str, name: &str) -> String {
    let literal = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != "v1" && !part.starts_with('{'));
    literal.chain([name]).collect::<Vec<_>>().join("_")
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::PATCH, &mut item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn operation<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    let operation = match *method {
        Method::GET => &mut item.get,
        Method::PUT => &mut item.put,
        Method::POST => &mut item.post,
        Method::DELETE => &mut item.delete,
        Method::PATCH => &mut item.patch,
        _ => return None,
    };
    operation.as_mut()
}

/// What a caller must show: OpenAPI 3.1 lets a requirement name the scopes of any kind of token.
fn security(access: Access) -> Vec<SecurityRequirement> {
    let token = |scopes: &[Scope]| {
        SecurityRequirement::new("token", scopes.iter().map(|scope| scope.name()))
    };
    match access {
        Access::Public => vec![SecurityRequirement::default()],
        Access::SignedIn => vec![token(&[])],
        Access::Scope(scope) => vec![token(&[scope])],
        Access::ServiceOr(scope) => {
            let service = SecurityRequirement::new("service", Vec::<String>::new());
            vec![token(&[scope]), service]
        }
    }
}

fn describe_segment(operation: &mut Operation, name: &str) {
    let known = operation.parameters.get_or_insert_default();
    if known
        .iter()
        .any(|one| matches!(one, RefOr::T(one) if one.name == name))
    {
        return;
    }
    let text = match name {
        "account" => "An account's id; `me` is the token's own account, or that below it which the header `Strowger-Account` names".to_owned(),
        "service" => "The service's name".to_owned(),
        "mail_kind" => "The kind of mail, such as `invitation`".to_owned(),
        "version" => "Counts from 1".to_owned(),
        other => format!("The id of the {}", other.replace('_', " ")),
    };
    let kind = if name == "version" {
        Type::Integer
    } else {
        Type::String
    };
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(text))
        .schema(Some(ObjectBuilder::new().schema_type(kind)))
        .build();
    known.insert(0, RefOr::T(parameter));
}

/// The description.
pub fn description() -> Document {
    Description::openapi()
}

/// Describes the API (OpenAPI 3.1).
#[utoipa::path(get, path = "/v1/openapi.json", tag = "system",
    responses((status = 200, body = serde_json::Value)))]
pub async fn document() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("cache-control", "no-cache"))
        .json(description())
}
