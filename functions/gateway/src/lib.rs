//! One URL for the whole client: `/functions/v1/<name>` to that function's Worker, `/rest/v1` to PostgREST with the caller's
//! own role, `/auth/v1`, `/storage/v1` and `/realtime/v1` to a Supabase project where there is one, `/docs` to the reference.
//!
//! A look-up, not a list: a name is tried as the binding `FN_<NAME>`, so a path can never name a secret. Legacy names are
//! bindings too. In production each function has its own route, so everything that protects it lives in `serve`, not here.

use shared::edge::{self, Request, Response, Service};
use shared::error::{NOT_AVAILABLE, NOT_FOUND};
use shared::text;
use worker::{Context, Env, event};

/// Who signs people in where no Supabase project does.
const IDENTITY: &str = "FN_AUTH_SESSION";

#[event(start)]
fn start() {
    edge::start();
}

shared::fetch! {
    async fn fetch(req: Request, env: Env, _ctx: Context) -> Response {
        route(req, env).await
    }
}

async fn route(req: Request, env: Env) -> Response {
    let url = req.url();
    let path = path_of(&url);
    let found = match place_of(path) {
        Place::Function(binding) => edge::forward(&req, &env, &binding).await,
        Place::Rest(rest) => Some(edge::apart(edge::rest(&req, &env, rest)).await),
        Place::Docs(name) => Some(edge::apart(edge::docs(&req, &env, name)).await),
        Place::Root => Some(edge::docs_are_at(&req, &env, "/docs")),
        Place::Service(service) => Some(edge::apart(served(&req, &env, service, path)).await),
        Place::Nowhere => None,
    };
    found.unwrap_or_else(|| edge::refuse(&req, &env, &NOT_FOUND))
}

/// The project's, else our own, else a declared 501.
async fn served(req: &Request, env: &Env, service: Service, path: &str) -> Response {
    if let Some(response) = edge::project(req, env, service, path).await {
        return response;
    }
    let ours = if service == Service::Auth { edge::forward(req, env, IDENTITY).await } else { None };
    ours.unwrap_or_else(|| edge::refuse(req, env, &NOT_AVAILABLE))
}

/// Where a path leads.
#[derive(Debug, PartialEq)]
enum Place<'a> {
    Function(String),
    /// What follows `/rest/v1`.
    Rest(&'a str),
    Service(Service),
    /// A file of the reference.
    Docs(&'a str),
    Root,
    Nowhere,
}

fn place_of(path: &str) -> Place<'_> {
    if let Some(binding) = binding_of(path) {
        return Place::Function(binding);
    }
    let services =
        [("/auth/v1", Service::Auth), ("/storage/v1", Service::Storage), ("/realtime/v1", Service::Realtime)];
    if let Some((_, service)) = services.iter().find(|(prefix, _)| below(path, prefix).is_some()) {
        return Place::Service(*service);
    }
    if let Some(rest) = below(path, "/rest/v1") {
        return Place::Rest(rest);
    }
    let page = path.split('?').next().unwrap_or_default();
    match page.strip_prefix("/docs") {
        Some("" | "/") => Place::Docs("index.html"),
        Some(rest) => rest.strip_prefix('/').map_or(Place::Nowhere, Place::Docs),
        None if page == "/" => Place::Root,
        None => Place::Nowhere,
    }
}

/// What follows `prefix` in `path`, when it ends there or goes on below it.
fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// From the first slash after the host on, query included.
fn path_of(url: &str) -> &str {
    let (_, rest) = text::split_once(url, "://").unwrap_or_default();
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}

/// `/functions/v1/wallet-operations/sub?x=1` is `FN_WALLET_OPERATIONS`.
fn binding_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/functions/v1/")?;
    let name = rest.split(['/', '?']).next()?;
    let shaped = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let written = |byte: u8| if byte == b'-' { '_' } else { char::from(byte.to_ascii_uppercase()) };
    shaped.then(|| "FN_".chars().chain(name.bytes().map(written)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_one_binding_and_nothing_else_does() {
        for (path, binding) in [
            ("/functions/v1/taxi-accept-ride", Some("FN_TAXI_ACCEPT_RIDE")),
            ("/functions/v1/health?x=1", Some("FN_HEALTH")),
            ("/functions/v1/wallet-operations/sub", Some("FN_WALLET_OPERATIONS")),
            ("/functions/v1/", None),
            ("/functions/v1/JWT_SECRET", None),
            ("/functions/v1/a%2Fb", None),
            ("/functions/v1/é", None),
            ("/auth/v1/token", None),
            ("/", None),
        ] {
            assert_eq!(binding_of(path).as_deref(), binding, "{path}");
        }
    }

    #[test]
    fn each_service_of_the_client_has_its_place_and_its_neighbours_have_none() {
        for (path, place) in [
            ("/rest/v1/wallets?select=*", Place::Rest("/wallets?select=*")),
            ("/rest/v1", Place::Rest("")),
            ("/rest/v1?x", Place::Rest("?x")),
            ("/rest/v10/wallets", Place::Nowhere),
            ("/auth/v1/token?grant_type=password", Place::Service(Service::Auth)),
            ("/auth/v2/token", Place::Nowhere),
            ("/storage/v1/object/a", Place::Service(Service::Storage)),
            ("/realtime/v1/websocket?apikey=x", Place::Service(Service::Realtime)),
            ("/realtime/v1x", Place::Nowhere),
            ("/docs", Place::Docs("index.html")),
            ("/docs/", Place::Docs("index.html")),
            ("/docs?x=1", Place::Docs("index.html")),
            ("/docs/openapi.json?x", Place::Docs("openapi.json")),
            ("/docs/a/b.js", Place::Docs("a/b.js")),
            ("/docsx", Place::Nowhere),
            ("/", Place::Root),
            ("/?x=1", Place::Root),
            ("/functions/v1/", Place::Nowhere),
            ("//functions/v1/health", Place::Nowhere),
        ] {
            assert_eq!(place_of(path), place, "{path}");
        }
    }

    #[test]
    fn the_path_starts_after_the_host() {
        assert_eq!(path_of("https://api.example.com/rest/v1/wallets?select=*"), "/rest/v1/wallets?select=*");
        assert_eq!(path_of("https://api.example.com"), "/");
    }
}
