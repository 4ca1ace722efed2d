//! Routes, one line each, and who may call them: registers them with actix-web and remembers them
//! for the published description.

use std::rc::Rc;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{FromRequest, Handler, Responder, Route, web};
use strowger_domain::account::Scope;

use super::audit::{self, Reader};
use super::auth;
use super::error::{Code, Problem};

/// Who may call a route. There is none without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever is signed in: it is about themselves.
    SignedIn,
    /// Who has this scope.
    Scope(Scope),
    /// Who has this scope, and programs that know the service's own password.
    ServiceOr(Scope),
}

impl From<Scope> for Access {
    fn from(scope: Scope) -> Self {
        Self::Scope(scope)
    }
}

/// A route as it is declared.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}

/// Collects the resources of the API.
#[derive(Default)]
pub struct Router {
    resources: Vec<At>,
}

/// One path with its methods.
pub struct At {
    path: &'static str,
    routes: Vec<(Method, Access, Route)>,
    read: Option<Reader>,
}

impl Router {
    /// Begins a path. The first path that fits a request takes it.
    pub fn at(&mut self, path: &'static str) -> &mut At {
        self.resources.push(At {
            path,
            routes: Vec::new(),
            read: None,
        });
        let last = self.resources.len() - 1;
        &mut self.resources[last]
    }

    /// Every route.
    pub fn routes(&self) -> Vec<Declared> {
        let declared = |at: &At, (method, access, _): &(Method, Access, Route)| Declared {
            method: method.clone(),
            path: at.path,
            access: *access,
        };
        let all = self.resources.iter();
        all.flat_map(|at| at.routes.iter().map(|route| declared(at, route)))
            .collect()
    }

    /// Hands the resources to actix-web.
    pub fn register(self, config: &mut web::ServiceConfig) {
        for At { path, routes, read } in self.resources {
            let names: Vec<_> = routes.iter().map(|(method, ..)| method.as_str()).collect();
            let allow = HeaderValue::from_str(&names.join(", "))
                .unwrap_or_else(|_error| HeaderValue::from_static("GET"));
            let resource = web::resource(path).default_service(web::to(move || {
                let allow = allow.clone();
                async move {
                    let problem = Problem::from(Code::MethodNotAllowed);
                    Err::<&'static str, _>(problem.header(header::ALLOW, allow))
                }
            }));
            let doors: Vec<_> = routes
                .iter()
                .map(|(m, access, _)| (m.clone(), *access))
                .collect();
            let doors = Rc::new(doors);
            let all = routes.into_iter().map(|(.., route)| route);
            let resource = all.fold(resource, actix_web::Resource::route);
            let resource = resource.wrap(from_fn(
                move |request: ServiceRequest, next: Next<BoxBody>| {
                    audit::note(path, read.clone(), request, next)
                },
            ));
            // Who asks is known before anything is read of what they send.
            config.service(resource.wrap(from_fn(
                move |request: ServiceRequest, next: Next<BoxBody>| {
                    auth::admit(access_to(&doors, request.method()), request, next)
                },
            )));
        }
    }
}

/// Who may call a path with this method. That there is no such method is told to those who may call
/// the path with another.
fn access_to(doors: &[(Method, Access)], method: &Method) -> Access {
    let door = doors.iter().find(|(one, _)| one == method);
    let all_public = doors.iter().all(|(_, access)| *access == Access::Public);
    match door {
        Some((_, access)) => *access,
        None if all_public => Access::Public,
        None => Access::SignedIn,
    }
}

impl At {
    /// `GET`.
    pub fn get<F, Args>(&mut self, access: impl Into<Access>, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.read = Some(audit::reader(handler.clone()));
        self.on(Method::GET, access.into(), handler)
    }

    /// `POST`.
    pub fn post<F, Args>(&mut self, access: impl Into<Access>, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::POST, access.into(), handler)
    }

    /// `PUT`.
    pub fn put<F, Args>(&mut self, access: impl Into<Access>, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PUT, access.into(), handler)
    }

    /// `PATCH`.
    pub fn patch<F, Args>(&mut self, access: impl Into<Access>, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PATCH, access.into(), handler)
    }

    /// `DELETE`.
    pub fn delete<F, Args>(&mut self, access: impl Into<Access>, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::DELETE, access.into(), handler)
    }

    fn on<F, Args>(&mut self, method: Method, access: Access, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.routes
            .push((method.clone(), access, web::method(method).to(handler)));
        self
    }
}
