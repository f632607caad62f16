//! `cargo xtask gen`: writes each `functions/<name>/wrangler.toml` from its manifest and the environments of the root; then
//! docs/openapi.json and clients/ts, from the types of the functions.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::house::{self, Binding, Function};
use crate::openapi;

mod bindings;
pub mod environment;

pub use bindings::{binding_of, objects, services};
use environment::{Environment, Environments};

#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when a file is stale
    #[arg(long)]
    check: bool,
}

pub async fn run(args: Args) -> Result<()> {
    let stale = stale()?;
    if args.check {
        let names: Vec<_> = stale.iter().map(|(file, _)| house::shown(file)).collect();
        ensure!(names.is_empty(), "stale: {}; run `cargo xtask gen`", names.join(", "));
        return openapi::generate(true).await;
    }
    for (file, fresh) in &stale {
        fs::write(file, fresh).with_context(|| format!("cannot write {}", file.display()))?;
        println!("wrote {}", house::shown(file));
    }
    if stale.is_empty() {
        println!("every wrangler.toml is fresh");
    }
    openapi::generate(false).await
}

/// The files that differ from what they should be, each with the text that it should have.
pub fn stale() -> Result<Vec<(PathBuf, String)>> {
    let functions = house::functions()?;
    let environments = Environments::read()?;
    let mut stale = Vec::new();
    for function in &functions {
        let fresh = render(function, &functions, &environments)?;
        let file = function.wrangler_file();
        if fs::read_to_string(&file).ok().as_deref() != Some(&fresh) {
            stale.push((file, fresh));
        }
    }
    Ok(stale)
}

/// The variables of a function: text that anybody may read.
pub fn vars(function: &Function) -> Vec<&'static str> {
    let mut names = vec!["ALLOWED_ORIGINS", "LOG"];
    if function.has(Binding::Token) {
        names.extend(["JWT_AUDIENCE", "JWT_ISSUER", "JWT_JWKS", "JWT_JWKS_MAX_AGE_S", "JWT_JWKS_URL"]);
    }
    if function.has(Binding::Db) || function.has(Binding::Service) {
        names.extend(["ANON_KEY", "POSTGREST_URL"]);
    }
    if function.has(Binding::Moneroo) {
        names.extend([
            "BREAKER_FAILURES",
            "MONEROO_URL",
            "PAYMENT_CALLBACK_URL",
            "PAYMENT_ENVIRONMENT",
            "PAYMENT_RETURN_URL",
            "RETURN_ORIGINS",
        ]);
    }
    if function.has(Binding::Rails) {
        names.extend(RAIL_VARS);
    }
    if function.has(Binding::Identity) {
        names.extend(["AUTH_AUTOCONFIRM", "JWT_AUDIENCE", "JWT_ISSUER", "RETURN_ORIGINS", "SITE_URL"]);
    }
    if function.has(Binding::Proxy) {
        names.extend(["PUBLISHABLE_KEYS", "SUPABASE_URL"]);
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The secrets a function cannot do without.
pub fn secrets(function: &Function) -> Vec<&'static str> {
    let mut names = Vec::new();
    if function.has(Binding::Token) {
        names.push("JWT_SECRET");
    }
    if function.has(Binding::Service) {
        names.push("SERVICE_ROLE_KEY");
    }
    if function.has(Binding::Moneroo) {
        names.extend(["MONEROO_SECRET_KEY", "MONEROO_WEBHOOK_SECRET", "PAYMENT_TAG_KEY"]);
    }
    if function.has(Binding::Internal) {
        names.push("INTERNAL_API_KEY");
    }
    if function.has(Binding::Identity) {
        names.extend(["AUTH_KEYS_SECRET", "SERVICE_ROLE_KEY"]);
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Moneroo's: all or none. Without them its payments are refused, and every other provider's go on.
pub const MONEROO_SECRETS: [&str; 2] = ["MONEROO_SECRET_KEY", "MONEROO_WEBHOOK_SECRET"];

/// Those of [`secrets`] that a deployment is refused without: not Moneroo's, and no shared key where tokens are signed with
/// published ones.
pub fn required(function: &Function, environment: &Environment) -> Vec<&'static str> {
    let var = |name: &str| environment.vars.get(name).map(|value| value.replace(' ', "")).unwrap_or_default();
    let published =
        !var("JWT_JWKS_URL").is_empty() || !matches!(var("JWT_JWKS").as_str(), "" | "[]" | r#"{"keys":[]}"#);
    let mut names = secrets(function);
    names.retain(|name| !(MONEROO_SECRETS.contains(name) || published && *name == "JWT_SECRET"));
    names
}

/// The secrets that may be missing: the old key during a rotation, the keys of a provider that is not used.
pub fn optional_secrets(function: &Function) -> Vec<&'static str> {
    let mut names = Vec::new();
    if function.has(Binding::Rails) {
        names.extend(RAIL_SECRETS);
    }
    if function.has(Binding::Internal) {
        names.push("INTERNAL_API_KEY_PREVIOUS");
    }
    if function.has(Binding::Identity) || function.has(Binding::Proxy) {
        names.push("SECRET_KEYS");
    }
    if function.has(Binding::Proxy) {
        names.push("SERVICE_ROLE_KEY"); // What an opaque secret key stands for at /rest/v1.
    }
    names
}

/// The API reference, as the build leaves it in the gateway's folder.
pub const DOCS: &str = "build/docs";

/// Where the providers are, and which of their countries is ours. Together with the secrets: shared::payments::RAILS.
pub const RAIL_VARS: [&str; 15] = [
    "AIRTEL_COUNTRY",
    "AIRTEL_URL",
    "CARD_PAGE_URL",
    "CINETPAY_URL",
    "FLUTTERWAVE_URL",
    "FLUTTERWAVE_V4_LOGIN_URL",
    "FLUTTERWAVE_V4_URL",
    "MTN_TARGET_ENVIRONMENT",
    "MTN_URL",
    "ORANGE_COUNTRY",
    "ORANGE_URL",
    "PAYDUNYA_URL",
    "PAYSTACK_URL",
    "STRIPE_URL",
    "WAVE_URL",
];

pub const RAIL_SECRETS: [&str; 23] = [
    "AIRTEL_CLIENT_ID",
    "AIRTEL_CLIENT_SECRET",
    "CINETPAY_API_KEY",
    "CINETPAY_SITE_ID",
    "CINETPAY_WEBHOOK_SECRET",
    "FLUTTERWAVE_SECRET_KEY",
    "FLUTTERWAVE_V4_CLIENT_ID",
    "FLUTTERWAVE_V4_CLIENT_SECRET",
    "FLUTTERWAVE_V4_WEBHOOK_SECRET",
    "FLUTTERWAVE_WEBHOOK_SECRET",
    "MTN_API_KEY",
    "MTN_API_USER",
    "MTN_SUBSCRIPTION_KEY",
    "ORANGE_AUTHORIZATION",
    "ORANGE_MERCHANT_KEY",
    "PAYDUNYA_MASTER_KEY",
    "PAYDUNYA_PRIVATE_KEY",
    "PAYDUNYA_TOKEN",
    "PAYSTACK_SECRET_KEY",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "WAVE_SECRET_KEY",
    "WAVE_WEBHOOK_SECRET",
];

/// One function's file. `functions` are all of them: the gateway's file lists the others.
pub fn render(function: &Function, functions: &[Function], environments: &Environments) -> Result<String> {
    let name = &function.name;
    let mut out = String::from(
        "# Written by `cargo xtask gen` from the Cargo.toml beside it and the wrangler.toml of the root: edit those.\n",
    );
    writeln!(out, "name = {}", quoted(name))?;
    writeln!(out, "main = \"build/index.js\"")?;
    writeln!(out, "compatibility_date = {}", quoted(&environments.compatibility_date))?;
    writeln!(out, "workers_dev = false")?;
    writeln!(out, "preview_urls = false")?;
    writeln!(out, "limits = {}", environments.limits)?;
    writeln!(out, "observability = {}", environments.observability)?;
    section(&mut out, None, function, functions, &environments.production)?;
    for (label, environment) in &environments.named {
        writeln!(out, "\n[env.{label}]")?;
        writeln!(out, "name = {}", quoted(&format!("{name}-{label}")))?;
        section(&mut out, Some(label), function, functions, environment)?;
    }
    Ok(out)
}

/// What wrangler does not inherit, and so must be said in each environment.
fn section(
    out: &mut String,
    label: Option<&str>,
    function: &Function,
    functions: &[Function],
    environment: &Environment,
) -> Result<()> {
    let prefix = label.map(|label| format!("env.{label}.")).unwrap_or_default();
    routes(out, function, environment)?;
    if label.is_none() && function.is_gateway() {
        // The API reference; every request meets the gateway first. An environment inherits it.
        writeln!(out, "\n[assets]\ndirectory = {}\nbinding = \"ASSETS\"", quoted(DOCS))?;
        writeln!(out, "run_worker_first = true\nhtml_handling = \"none\"")?;
    }
    writeln!(out, "\n[{prefix}vars]")?;
    for name in vars(function) {
        let Some(value) = environment.vars.get(name) else {
            bail!("wrangler.toml: [{prefix}vars] lacks {name}, which functions/{} needs", function.name);
        };
        writeln!(out, "{name} = {}", quoted(value))?;
    }
    let secrets = required(function, environment);
    if !secrets.is_empty() {
        let names: Vec<_> = secrets.iter().map(|name| quoted(name)).collect();
        writeln!(out, "\n[{prefix}secrets]\nrequired = [{}]", names.join(", "))?;
    }
    if !function.crons.is_empty() {
        let crons: Vec<_> = function.crons.iter().map(|cron| quoted(cron)).collect();
        writeln!(out, "\n[{prefix}triggers]\ncrons = [{}]", crons.join(", "))?;
    }
    for (binding, class) in function.rate_limits() {
        let Some(limit) = environment.ratelimits.iter().find(|limit| limit.name == class) else {
            bail!("wrangler.toml: [[{prefix}ratelimits]] lacks {class}, a limit of functions/{}", function.name);
        };
        writeln!(out, "\n[[{prefix}ratelimits]]\nname = {}", quoted(binding))?;
        writeln!(out, "namespace_id = {}", quoted(&limit.namespace_id))?;
        writeln!(out, "simple = {{ limit = {}, period = {} }}", limit.simple.limit, limit.simple.period)?;
    }
    for (binding, class, holder) in objects(function, functions, true, false) {
        let script = label.map_or(holder.name.clone(), |label| format!("{}-{label}", holder.name));
        writeln!(out, "\n[[{prefix}durable_objects.bindings]]\nname = {}", quoted(binding))?;
        writeln!(out, "class_name = {}\nscript_name = {}", quoted(class), quoted(&script))?;
    }
    if function.is_durable() {
        let classes: Vec<_> = function.durable.iter().map(|class| quoted(class)).collect();
        writeln!(out, "\n[[{prefix}migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [{}]", classes.join(", "))?;
    }
    if function.is_gateway() {
        for (binding, target) in services(functions) {
            let service = label.map_or(target.name.clone(), |label| format!("{}-{label}", target.name));
            writeln!(out, "\n[[{prefix}services]]\nbinding = {}\nservice = {}", quoted(&binding), quoted(&service))?;
        }
    }
    Ok(())
}

/// Two patterns for each name. A pattern is compared with the whole URL, so `foo` alone misses `foo?a=b`: such a call
/// reaches the function through the gateway's catch-all. `foo*` would take it, and every `foo-bar` too.
fn routes(out: &mut String, function: &Function, environment: &Environment) -> Result<()> {
    let host = environment.host();
    let patterns: Vec<_> = if function.is_durable() {
        return Ok(());
    } else if function.is_gateway() {
        vec![format!("{host}/*")]
    } else {
        let base = format!("{host}/functions/v1");
        function.names().flat_map(|name| [format!("{base}/{name}"), format!("{base}/{name}/*")]).collect()
    };
    writeln!(out, "routes = [")?;
    for pattern in patterns {
        writeln!(out, "  {{ pattern = {}, zone_name = {} }},", quoted(&pattern), quoted(environment.zone()))?;
    }
    writeln!(out, "]")?;
    Ok(())
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
