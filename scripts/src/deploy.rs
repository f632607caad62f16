//! `cargo xtask deploy`: checks what would break in production, then wrangler for each function, gateway last.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::build::{self, Profile};
use crate::house::{self, Function};
use crate::migrate;
use crate::process::{Launch, output};
use crate::tools::{self, Tools};
use crate::wrangler::{self, environment::Environments};

#[derive(clap::Args)]
pub struct Args {
    /// An environment of the root wrangler.toml; production when none is named
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Bundle and measure; needs no account and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// Functions to deploy; all of them when none is named
    names: Vec<String>,
}

/// What wrangler says it uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Upload {
    raw: String,
    gzip: String,
}

pub async fn run(args: Args) -> Result<()> {
    let environments = Environments::read()?;
    let environment = environments.get(args.env.as_deref())?;
    let stale: Vec<_> = wrangler::stale()?.iter().map(|(file, _)| house::shown(file)).collect();
    ensure!(stale.is_empty(), "stale: {}; run `cargo xtask gen`", stale.join(", "));
    ensure!(args.dry_run || !environment.is_placeholder(), "wrangler.toml still says example.com: write your hosts");

    let functions = house::select(&args.names)?;
    let tools = tools::ensure().await?;
    if !args.dry_run {
        migrations_are_applied().await?;
        secrets_are_set(&functions, &tools, args.env.as_deref()).await?;
    }
    build::build(&args.names, Profile::Release).await?;

    // The gateway is bound to the others, and Cloudflare refuses a binding to a worker that does not exist yet.
    let (gateway, functions): (Vec<_>, Vec<_>) = functions.into_iter().partition(Function::is_gateway);
    let mut uploads = Vec::new();
    for group in [functions, gateway] {
        uploads.extend(deploy_all(group, &tools, &args).await?);
    }
    let verb = if args.dry_run { "bundled" } else { "deployed" };
    println!("{:<32} {:>12} {:>12}", verb, "raw", "gzip");
    for (name, Upload { raw, gzip }) in &uploads {
        println!("{name:<32} {raw:>12} {gzip:>12}");
    }
    Ok(())
}

/// Three at a time, in the order of their names in the end.
async fn deploy_all(functions: Vec<Function>, tools: &Tools, args: &Args) -> Result<Vec<(String, Upload)>> {
    let places = Arc::new(Semaphore::new(3));
    let mut deployments = JoinSet::new();
    for function in functions {
        let (places, tools, env, dry_run) = (places.clone(), tools.clone(), args.env.clone(), args.dry_run);
        deployments.spawn(async move {
            let _place = places.acquire().await?;
            let upload = deploy(&function, &tools, env.as_deref(), dry_run).await?;
            anyhow::Ok((function.name, upload))
        });
    }
    let mut uploads = Vec::new();
    while let Some(deployment) = deployments.join_next().await {
        uploads.push(deployment??);
    }
    uploads.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(uploads)
}

async fn deploy(function: &Function, tools: &Tools, env: Option<&str>, dry_run: bool) -> Result<Upload> {
    let mut launch = wrangler(tools, "deploy", function, env);
    if dry_run {
        launch = launch.args(["--dry-run", "--outdir"]).arg(house::root().join("out").join(&function.name));
    }
    let said = output(launch).await.with_context(|| format!("functions/{} cannot be deployed", function.name))?;
    uploaded(&said).with_context(|| format!("wrangler named no size for functions/{}", function.name))
}

/// `wrangler COMMAND -c functions/NAME/wrangler.toml`; an empty environment is the top of the file.
fn wrangler(tools: &Tools, command: &str, function: &Function, env: Option<&str>) -> Launch {
    Launch::new(&format!("wrangler {command}"), &tools.node)
        .arg(&tools.wrangler_js)
        .args(command.split(' '))
        .arg("-c")
        .arg(function.wrangler_file())
        .arg(format!("--env={}", env.unwrap_or_default()))
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_HIDE_BANNER", "true")
        .dir(house::root())
}

/// `Total Upload: 237.43 KiB / gzip: 80.12 KiB`
fn uploaded(said: &str) -> Option<Upload> {
    let line = said.lines().find_map(|line| line.trim().strip_prefix("Total Upload: "))?;
    let (raw, gzip) = line.split_once(" / gzip: ")?;
    Some(Upload { raw: raw.trim().into(), gzip: gzip.trim().into() })
}

/// A function that answers 500 for want of a key is worse than one that is not deployed.
async fn secrets_are_set(functions: &[Function], tools: &Tools, env: Option<&str>) -> Result<()> {
    let mut missing = Vec::new();
    for function in functions {
        let needed = wrangler::secrets(function);
        if needed.is_empty() {
            continue;
        }
        let said = output(wrangler(tools, "secret list", function, env).args(["--format", "json"])).await;
        let known = match said {
            Ok(said) => secret_names(&said)?,
            // A worker that was never deployed has no secrets; they may be put before its first deployment.
            Err(error) if error.to_string().contains("10007") => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot list the secrets of {}", function.name)),
        };
        let absent = needed.iter().filter(|name| !known.iter().any(|other| other == *name));
        missing.extend(absent.map(|name| format!("{name} of {}", function.name)));
    }
    if !missing.is_empty() {
        let env = env.map(|env| format!(" --env {env}")).unwrap_or_default();
        let how = format!("wrangler secret put NAME -c functions/FUNCTION/wrangler.toml{env}");
        bail!("missing secrets: {}; set each with `{how}`", missing.join(", "));
    }
    Ok(())
}

/// `[{"name":"JWT_SECRET","type":"secret_text"}]`
fn secret_names(said: &str) -> Result<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Secret {
        name: String,
    }
    let list = said.find('[').map_or(said, |start| &said[start..]);
    let secrets: Vec<Secret> = serde_json::from_str(list.trim()).context("wrangler listed no secrets")?;
    Ok(secrets.into_iter().map(|secret| secret.name).collect())
}

/// Code that meets a database without its functions refuses every call.
async fn migrations_are_applied() -> Result<()> {
    let url = std::env::var("DATABASE_URL")
        .context("DATABASE_URL is not set: it is asked whether every migration is applied there")?;
    let pending = migrate::pending(&url).await?;
    ensure!(pending.is_empty(), "not applied yet: {}; run `cargo xtask migrate`", pending.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_what_wrangler_says_it_uploads() {
        let said = "Building…\nTotal Upload: 237.43 KiB / gzip: 80.12 KiB\n--dry-run: exiting now.\n";
        assert_eq!(uploaded(said), Some(Upload { raw: "237.43 KiB".into(), gzip: "80.12 KiB".into() }));
        assert_eq!(uploaded("nothing"), None);
    }

    #[test]
    fn secrets_are_known_by_name() {
        let said = "a warning\n[{\"name\":\"JWT_SECRET\",\"type\":\"secret_text\"}]\n";
        assert_eq!(secret_names(said).unwrap(), ["JWT_SECRET"]);
        assert_eq!(secret_names("[]").unwrap(), Vec::<String>::new());
    }
}
