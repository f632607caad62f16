//! The REST gateway of the database: a real `postgrest` where there is one, else postrust, which takes its settings.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::keys;
use crate::process::{Child, DataDir, Launch, MARK};
use crate::tools::Tools;

pub const SCHEMA: &str = "api";
pub const LOGIN: &str = "authenticator";

/// Starts it and waits until it serves the schema.
///
/// `db_url` is that of the login role: it owns nothing and becomes whatever role a token names.
pub async fn start(tools: &Tools, dir: &DataDir, db_url: &str, port: u16) -> Result<Child> {
    let mut launch = Launch::new("rest", &tools.rest).dir(dir.path()).env(MARK, dir.mark());
    for (name, _) in std::env::vars_os() {
        // A developer's own PostgREST settings are for his own PostgREST.
        if name.to_string_lossy().to_uppercase().starts_with("PGRST_") {
            launch = launch.env_remove(name);
        }
    }
    let port_text = port.to_string();
    // The identity service's keys are in the database, so the gateway publishes them to itself.
    let jwks_url = format!("http://127.0.0.1:{port}/rpc/jwks");
    let settings = [
        ("PGRST_DB_URI", db_url),
        ("PGRST_DB_SCHEMAS", SCHEMA),
        ("PGRST_DB_ANON_ROLE", "anon"),
        ("PGRST_DB_POOL", "20"),
        ("PGRST_DB_CHANNEL_ENABLED", "true"),
        ("PGRST_JWT_SECRET", &keys::rest_jwks()),
        ("PGRST_SERVER_HOST", "127.0.0.1"),
        ("PGRST_SERVER_PORT", &port_text),
        // PostgREST's word is `warn`; both read it.
        ("PGRST_LOG_LEVEL", "warn"),
    ];
    for (name, value) in settings {
        launch = launch.env(name, value);
    }
    if !tools.rest_is_postgrest() {
        launch = launch.env("PGRST_COMPAT_MODE", "true"); // Serves at `/`, and reports errors as PostgREST does.
        // PostgREST reads keys from its configuration only: docs/auth.md says how they are rotated there.
        launch = launch.env("PGRST_JWT_JWKS_URL", &jwks_url).env("PGRST_JWT_JWKS_REFRESH", "5");
    }
    let mut child = launch.log(log(dir)).spawn()?;
    dir.note(&child)?;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
    let url = format!("http://127.0.0.1:{port}/");
    let ready = async || {
        // PostgREST answers 503 until it has read the schema.
        client.head(&url).send().await.is_ok_and(|answer| !answer.status().is_server_error())
    };
    child.until(Duration::from_secs(60), ready).await?;
    Ok(child)
}

fn log(dir: &DataDir) -> PathBuf {
    dir.path().join("logs/rest.log")
}
