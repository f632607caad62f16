//! The parts of a stack, each started with what it needs to know of the others.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::ports::Ports;
use super::{Options, Runtime};
use crate::functions::{self, Setup};
use crate::postgres::{self, Postgres};
use crate::process::{Child, DataDir};
use crate::tools::Tools;
use crate::{keys, migrate, rest};

pub async fn start_sandbox(ports: &Ports) -> Result<sandbox::Handle> {
    let config = sandbox::Config {
        secret_key: keys::MONEROO_SECRET_KEY.into(),
        webhook_secret: keys::MONEROO_WEBHOOK_SECRET.into(),
        webhook_url: Some(format!("http://127.0.0.1:{}/functions/v1/moneroo-webhook", ports.api)),
        rails_webhook_url: Some(format!("http://127.0.0.1:{}/functions/v1/payment-webhook", ports.api)),
        ..sandbox::Config::default()
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.sandbox));
    let sandbox = sandbox::serve(address, config).await;
    let sandbox = sandbox.with_context(|| format!("the sandbox cannot listen on {address}"))?;
    // Airtel signs nothing and calls one address, which carries the proof.
    let (api, token) = (ports.api, keys::portal_token("airtel_money"));
    let portal = format!("http://127.0.0.1:{api}/functions/v1/payment-webhook?provider=airtel_money&t={token}");
    sandbox.set_portal_url("airtel_money", portal);
    Ok(sandbox)
}

pub fn vars(options: &Options, ports: &Ports, sandbox_url: &str) -> BTreeMap<String, String> {
    let mut vars = keys::worker_vars();
    vars.insert("POSTGREST_URL".into(), format!("http://127.0.0.1:{}", ports.rest));
    vars.insert("JWT_JWKS_URL".into(), format!("http://127.0.0.1:{}/rpc/jwks", ports.rest));
    vars.insert("MONEROO_URL".into(), sandbox_url.into());
    vars.insert("PAYMENT_CALLBACK_URL".into(), format!("http://127.0.0.1:{}/functions/v1", ports.api));
    vars.extend(sandbox::rails::dev_vars(sandbox_url));
    vars.extend(options.extra_vars.clone());
    vars
}

pub async fn start_functions(setup: &Setup<'_>) -> Result<Option<Child>> {
    match setup.runtime {
        Runtime::None => Ok(None),
        Runtime::WranglerDev | Runtime::Workerd => functions::start(setup).await.map(Some),
    }
}

/// The database, its migrations, and the gateway that reads them.
pub async fn start_data(
    options: &Options,
    dir: &DataDir,
    tools: &Tools,
    ports: &Ports,
) -> Result<(Option<Postgres>, String, Child)> {
    let (postgres, db_url) = match &options.database_url {
        Some(url) => (None, url.clone()),
        None => {
            let postgres = Postgres::start(dir, ports.db, options.throwaway, options.quiet).await?;
            (Some(postgres), postgres::url(ports.db))
        }
    };
    let applied = migrate::apply(&db_url).await?;
    if !options.quiet && !applied.is_empty() {
        println!("  {} migrations applied", applied.len());
    }
    let login = login_url(&db_url, postgres.is_some()).await?;
    let rest = rest::start(tools, dir, &login, ports.rest).await?;
    Ok((postgres, db_url, rest))
}

/// The URL of the gateway's login role. In a database of ours it has the known password; in a developer's own it
/// keeps the one it has, if that is Supabase's.
async fn login_url(db_url: &str, ours: bool) -> Result<String> {
    let login = postgres::as_user(db_url, rest::LOGIN, postgres::PASSWORD)?;
    if !ours && postgres::connect(&login).await.is_ok() {
        return Ok(login);
    }
    let local = db_url.contains("@127.0.0.1") || db_url.contains("@localhost") || db_url.contains("@[::1]");
    ensure!(
        ours || local,
        "{} has no login {}/{}",
        postgres::without_password(db_url),
        rest::LOGIN,
        postgres::PASSWORD
    );
    let sql = format!("alter role {} login password '{}'", rest::LOGIN, postgres::PASSWORD);
    let client = postgres::connect(db_url).await?;
    client.batch_execute(&sql).await.map_err(|error| anyhow::anyhow!("{}", postgres::causes(&error)))?;
    Ok(login)
}

/// Whether it works from end to end. What health found out holds for five seconds, and it may have looked before the database
/// was there.
pub async fn check_health(api_url: &str) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let answer = client.get(format!("{}/functions/v1/health", api_url)).send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        if status.is_success() {
            break;
        }
        ensure!(Instant::now() < deadline, "the stack is not healthy: {status} {body}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Asked for its keys, the identity service makes the first one; so nobody's first token is ahead of its key.
    client.get(format!("{}/auth/v1/.well-known/jwks.json", api_url)).send().await?;
    Ok(())
}
