//! `/functions/v1/<name>` to that function's Worker, `/rest/v1` to PostgREST with the caller's own token. A look-up, not a
//! list: a name is tried as the binding `FN_<NAME>`, so a path can never name a secret. Legacy names are bindings too.
//! In production each function has its own route, so everything that protects it lives in `serve`, not here.

use shared::edge::{self, Request, Response, Upstream};
use shared::error::NOT_FOUND;
use worker::{Context, Env, Result, event};

#[event(start)]
fn start() {
    edge::start();
}

#[event(fetch)]
async fn fetch(req: Request, env: Env, _ctx: Context) -> Result<Response> {
    let url = req.url();
    let path = path_of(&url);
    if let Some(rest) = path.strip_prefix("/rest/v1").filter(|rest| rest.is_empty() || rest.starts_with(['/', '?'])) {
        return Ok(edge::pass_on(&req, &env, Upstream::Rest, rest).await);
    }
    let found = match binding_of(path) {
        Some(binding) => edge::forward(&req, &env, &binding).await,
        None => None,
    };
    Ok(found.unwrap_or_else(|| edge::refuse(&req, &env, &NOT_FOUND)))
}

/// From the first slash after the host on, query included.
fn path_of(url: &str) -> &str {
    url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or("/")
}

/// `/functions/v1/wallet-operations/sub?x=1` is `FN_WALLET_OPERATIONS`.
fn binding_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/functions/v1/")?;
    let name = rest.split(['/', '?']).next()?;
    let shaped = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    shaped.then(|| format!("FN_{}", name.to_ascii_uppercase().replace('-', "_")))
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
    fn the_path_starts_after_the_host() {
        assert_eq!(path_of("https://api.example.com/rest/v1/wallets?select=*"), "/rest/v1/wallets?select=*");
        assert_eq!(path_of("https://api.example.com"), "/");
    }
}
