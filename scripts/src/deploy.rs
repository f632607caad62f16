//! `cargo xtask deploy`: checks what would break in production, then wrangler for each function, gateway last.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::build::{self, Profile};
use crate::house::{self, Binding, Function};
use crate::migrate;
use crate::process::{Launch, output};
use crate::tools::{self, Tools};
use crate::wrangler::{self, environment::Environment, environment::Environments};

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
    is_closed(args.env.as_deref(), environment)?;

    let functions = house::select(&args.names)?;
    let tools = tools::ensure().await?;
    if !args.dry_run {
        migrations_are_applied().await?;
        secrets_are_set(&functions, &tools, args.env.as_deref(), environment).await?;
    }
    build::build(&args.names, Profile::Release).await?;

    // The gateway is bound to the others, and these to the objects of a few: Cloudflare refuses a binding to a worker that
    // does not exist yet.
    let (gateway, functions): (Vec<_>, Vec<_>) = functions.into_iter().partition(Function::is_gateway);
    let (holders, functions): (Vec<_>, Vec<_>) = functions.into_iter().partition(Function::is_durable);
    let mut uploads = Vec::new();
    for group in [holders, functions, gateway] {
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

/// What helps on a developer's machine and opens production to everybody. Where real money moves is production, whatever
/// it is called.
fn is_closed(label: Option<&str>, environment: &Environment) -> Result<()> {
    let is = |name: &str, value: &str| environment.vars.get(name).is_some_and(|set| set.trim() == value);
    if label.is_some() && !is("PAYMENT_ENVIRONMENT", "live") {
        return Ok(());
    }
    let place = label.unwrap_or("production");
    for (name, open, instead) in [
        ("ALLOWED_ORIGINS", "*", "list the origins of your frontends"),
        ("RETURN_ORIGINS", "*", "list the origins that a checkout or a mailed link may lead back to"),
        ("AUTH_AUTOCONFIRM", "on", "an address has to be confirmed by its owner; set \"off\""),
    ] {
        ensure!(!is(name, open), "{place}: {name} = \"{open}\" in wrangler.toml: {instead}");
    }
    Ok(())
}

/// A function that answers 500 for want of a key is worse than one that is not deployed.
async fn secrets_are_set(
    functions: &[Function],
    tools: &Tools,
    env: Option<&str>,
    environment: &Environment,
) -> Result<()> {
    let (mut missing, mut without_moneroo) = (Vec::new(), Vec::new());
    for function in functions {
        if wrangler::secrets(function).is_empty() {
            continue;
        }
        let said = output(wrangler(tools, "secret list", function, env).args(["--format", "json"])).await;
        let known = match said {
            Ok(said) => secret_names(&said)?,
            // A worker that was never deployed has no secrets; they may be put before its first deployment.
            Err(error) if error.to_string().contains("10007") => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot list the secrets of {}", function.name)),
        };
        let absent = absent(function, environment, &known);
        missing.extend(absent.names.iter().map(|name| format!("{name} of {}", function.name)));
        without_moneroo.extend(absent.moneroo.then(|| function.name.clone()));
    }
    if !without_moneroo.is_empty() {
        println!("warning: without {}: Moneroo's payments answer 503", wrangler::MONEROO_SECRETS.join(" and "));
        println!("  in {}", without_moneroo.join(", "));
    }
    if !missing.is_empty() {
        let env = env.map(|env| format!(" --env {env}")).unwrap_or_default();
        let how = format!("wrangler secret put NAME -c functions/FUNCTION/wrangler.toml{env}");
        bail!("missing secrets: {}; set each with `{how}`", missing.join(", "));
    }
    Ok(())
}

/// What a function lacks.
struct Absent {
    names: Vec<&'static str>,
    /// Not configured at all, which is allowed; one half of it is not.
    moneroo: bool,
}

fn absent(function: &Function, environment: &Environment, known: &[String]) -> Absent {
    let lacks = |name: &&str| !known.iter().any(|other| other == name);
    let mut names: Vec<_> = wrangler::required(function, environment).into_iter().filter(lacks).collect();
    let used = function.has(Binding::Moneroo);
    let half: Vec<_> = wrangler::MONEROO_SECRETS.into_iter().filter(|name| used && lacks(name)).collect();
    let moneroo = half.len() == wrangler::MONEROO_SECRETS.len();
    if !moneroo {
        names.extend(half);
    }
    Absent { names, moneroo }
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

    /// The root file with one line changed.
    fn environments(name: &str, value: &str) -> Environments {
        let text = std::fs::read_to_string(house::root().join("wrangler.toml")).unwrap();
        let start = format!("{name} = ");
        let lines = text
            .lines()
            .map(|line| if line.starts_with(&start) { format!("{start}'{value}'") } else { line.to_owned() });
        Environments::parse(&lines.collect::<Vec<_>>().join("\n")).unwrap()
    }

    #[test]
    fn n76_production_lists_who_may_call_it_and_confirms_addresses() {
        let untouched = environments("NOTHING", "");
        is_closed(None, &untouched.production).unwrap();
        for (name, value) in [("ALLOWED_ORIGINS", "*"), ("RETURN_ORIGINS", "*"), ("AUTH_AUTOCONFIRM", "on")] {
            let open = environments(name, value);
            let error = is_closed(None, &open.production).unwrap_err().to_string();
            assert!(error.contains("production") && error.contains(name) && !error.contains('\n'), "{error}");
            is_closed(Some("staging"), &open.named["staging"]).unwrap();
        }
        let mut live = environments("ALLOWED_ORIGINS", "*").production;
        live.vars.insert("PAYMENT_ENVIRONMENT".into(), "live".into());
        is_closed(Some("africa"), &live).expect_err("real money under another name");
    }

    #[test]
    fn n76_a_shared_key_is_demanded_only_where_no_keys_are_published() {
        let functions = house::functions().unwrap();
        let wallet = functions.iter().find(|function| function.name == "wallet-operations").unwrap();
        for (name, value, demanded) in [
            ("JWT_JWKS_URL", "", true),
            ("JWT_JWKS", "[]", true),
            ("JWT_JWKS_URL", "https://rest.example.com/rpc/jwks", false),
            ("JWT_JWKS", r#"{"keys":[{"kty":"EC"}]}"#, false),
        ] {
            let absent = absent(wallet, &environments(name, value).production, &[]);
            assert_eq!(absent.names.contains(&"JWT_SECRET"), demanded, "{name} = {value}");
        }
    }

    #[test]
    fn n76_moneroo_is_configured_whole_or_not_at_all() {
        let functions = house::functions().unwrap();
        let payer = functions.iter().find(|function| function.name == "moneroo-initialize-payment").unwrap();
        let environment = environments("NOTHING", "").production;
        let lacking = |known: &[&str]| {
            let known: Vec<_> = known.iter().map(ToString::to_string).collect();
            let Absent { names, moneroo } = absent(payer, &environment, &known);
            (names.into_iter().filter(|name| name.starts_with("MONEROO")).collect::<Vec<_>>(), moneroo)
        };
        assert_eq!(lacking(&[]), (vec![], true));
        assert_eq!(lacking(&["MONEROO_SECRET_KEY"]), (vec!["MONEROO_WEBHOOK_SECRET"], false));
        assert_eq!(lacking(&["MONEROO_SECRET_KEY", "MONEROO_WEBHOOK_SECRET"]), (vec![], false));
    }

    #[test]
    fn secrets_are_known_by_name() {
        let said = "a warning\n[{\"name\":\"JWT_SECRET\",\"type\":\"secret_text\"}]\n";
        assert_eq!(secret_names(said).unwrap(), ["JWT_SECRET"]);
        assert_eq!(secret_names("[]").unwrap(), Vec::<String>::new());
    }
}
