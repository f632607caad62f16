//! The root `wrangler.toml`: hosts, variables and limits of each environment, in wrangler's own words.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::house;

/// Every variable that some function may read. A name that nobody reads is a mistake, and said so.
const KNOWN: [&str; 19] = [
    "ALLOWED_ORIGINS",
    "ANON_KEY",
    "AUTH_AUTOCONFIRM",
    "BREAKER_FAILURES",
    "JWT_AUDIENCE",
    "JWT_ISSUER",
    "JWT_JWKS",
    "JWT_JWKS_MAX_AGE_S",
    "JWT_JWKS_URL",
    "LOG",
    "MONEROO_URL",
    "PAYMENT_CALLBACK_URL",
    "PAYMENT_ENVIRONMENT",
    "PAYMENT_RETURN_URL",
    "POSTGREST_URL",
    "PUBLISHABLE_KEYS",
    "RETURN_ORIGINS",
    "SITE_URL",
    "SUPABASE_URL",
];

#[derive(Debug)]
pub struct Environments {
    pub compatibility_date: String,
    pub limits: toml::Value,
    pub observability: toml::Value,
    pub production: Environment,
    pub named: BTreeMap<String, Environment>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    routes: Vec<Route>,
    pub vars: BTreeMap<String, String>,
    pub ratelimits: Vec<RateLimit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    pattern: String,
    zone_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    pub name: String,
    pub namespace_id: String,
    pub simple: Simple,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simple {
    pub limit: u32,
    pub period: u32,
}

impl Environment {
    /// The host that the gateway takes whole.
    pub fn host(&self) -> &str {
        self.routes.first().map(|route| route.pattern.trim_end_matches("/*")).unwrap_or_default()
    }

    pub fn zone(&self) -> &str {
        self.routes.first().map(|route| route.zone_name.as_str()).unwrap_or_default()
    }

    /// Still the text that came with the repository.
    pub fn is_placeholder(&self) -> bool {
        self.zone().ends_with("example.com")
    }

    fn check(&self, label: &str) -> Result<()> {
        let one = self.routes.len() == 1 && self.routes[0].pattern.ends_with("/*");
        ensure!(one, "{label}: routes is one pattern, HOST/*, the gateway's; the others follow from it");
        for name in self.vars.keys() {
            let known = KNOWN.iter().chain(&super::RAIL_VARS).any(|known| known == name);
            ensure!(known, "{label}: no function reads {name}");
        }
        for limit in &self.ratelimits {
            ensure!(
                [10, 60].contains(&limit.simple.period),
                "{label}: the period of {} is 10 or 60 seconds",
                limit.name
            );
        }
        Ok(())
    }
}

impl Environments {
    pub fn read() -> Result<Self> {
        let file = house::root().join("wrangler.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).context("wrangler.toml is wrong")
    }

    pub fn parse(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            compatibility_date: String,
            limits: toml::Value,
            observability: toml::Value,
            routes: Vec<Route>,
            vars: BTreeMap<String, String>,
            ratelimits: Vec<RateLimit>,
            #[serde(default)]
            env: BTreeMap<String, Environment>,
        }
        let file: File = toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", error.to_string().trim()))?;
        let File { compatibility_date, limits, observability, routes, vars, ratelimits, env: named } = file;
        let production = Environment { routes, vars, ratelimits };
        production.check("production")?;
        let mut spaces = BTreeMap::new();
        for (label, environment) in
            named.iter().map(|(label, named)| (label.as_str(), named)).chain([("", &production)])
        {
            ensure!(label.is_empty() || house::is_name(label), "{label:?} cannot end a worker's name");
            environment.check(label)?;
            for limit in &environment.ratelimits {
                let other = spaces.insert(&limit.namespace_id, (label, &limit.name));
                ensure!(
                    other.is_none(),
                    "namespace {} is used twice: its callers would share a counter",
                    limit.namespace_id
                );
            }
        }
        Ok(Environments { compatibility_date, limits, observability, production, named })
    }

    /// `None` is production.
    pub fn get(&self, label: Option<&str>) -> Result<&Environment> {
        let Some(label) = label else { return Ok(&self.production) };
        let known: Vec<_> = self.named.keys().map(String::as_str).collect();
        self.named
            .get(label)
            .with_context(|| format!("no environment {label}; wrangler.toml has: {}", known.join(", ")))
    }
}
