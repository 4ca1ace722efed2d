//! Routes, one line each: registers them with actix-web and remembers them, so that a test can
//! compare them with the published description.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, Responder, Route, web};

use super::error::{Code, Problem};
use super::{auth, starter};

/// Collects the resources of the API.
#[derive(Default)]
pub struct Router {
    resources: Vec<At>,
}

/// One path with its methods.
pub struct At {
    path: &'static str,
    routes: Vec<(Method, Route)>,
}

impl Router {
    /// Begins a path. The first path that fits a request takes it.
    pub fn at(&mut self, path: &'static str) -> &mut At {
        self.resources.push(At {
            path,
            routes: Vec::new(),
        });
        let last = self.resources.len() - 1;
        &mut self.resources[last]
    }

    /// Method and path of every route.
    #[cfg(test)]
    pub fn routes(&self) -> Vec<(Method, &'static str)> {
        let all = self.resources.iter();
        all.flat_map(|at| {
            at.routes
                .iter()
                .map(|(method, _)| (method.clone(), at.path))
        })
        .collect()
    }

    /// Hands the resources to actix-web.
    pub fn register(self, config: &mut web::ServiceConfig) {
        for At { path, routes } in self.resources {
            let names: Vec<_> = routes.iter().map(|(method, _)| method.as_str()).collect();
            let allow = HeaderValue::from_str(&names.join(", "))
                .unwrap_or_else(|_error| HeaderValue::from_static("GET"));
            let resource = web::resource(path).default_service(web::to(move || {
                let allow = allow.clone();
                async move {
                    let problem = Problem::from(Code::MethodNotAllowed);
                    Err::<&'static str, _>(problem.header(header::ALLOW, allow))
                }
            }));
            let all = routes.into_iter().map(|(_, route)| route);
            let resource = all.fold(resource, actix_web::Resource::route);
            // Who asks is known before anything is read of what they send.
            if path.ends_with("/start") {
                config.service(resource.wrap(from_fn(starter::admit_starter)));
            } else if path.contains("{account}") {
                config.service(resource.wrap(from_fn(auth::admit_tenant)));
            } else {
                config.service(resource);
            }
        }
    }
}

impl At {
    /// `GET`.
    pub fn get<F, Args>(&mut self, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::GET, handler)
    }

    /// `POST`.
    pub fn post<F, Args>(&mut self, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::POST, handler)
    }

    /// `PUT`.
    pub fn put<F, Args>(&mut self, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PUT, handler)
    }

    /// `PATCH`.
    pub fn patch<F, Args>(&mut self, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PATCH, handler)
    }

    /// `DELETE`.
    pub fn delete<F, Args>(&mut self, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::DELETE, handler)
    }

    fn on<F, Args>(&mut self, method: Method, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.routes
            .push((method.clone(), web::method(method).to(handler)));
        self
    }
}
