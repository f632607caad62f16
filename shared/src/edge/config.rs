//! Settings, read once per isolate into one struct. The only reader of the environment.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;

use super::js;
use crate::auth::Issuer;
use crate::identity::IdentitySettings;
use crate::jwks::FRESH_MS;
use crate::payments::{RAILS, Settings, moneroo};
use crate::resilience::Rule;
use crate::secret::Secret;

#[derive(Debug)]
pub struct Config {
    pub postgrest_url: String,
    pub anon_key: String,
    pub service_key: Secret,
    pub issuer: Issuer,
    /// Where the public keys of tokens are published; empty: the inline ones are all there are.
    pub jwks_url: String,
    /// How long they are believed; ten minutes, or less.
    pub jwks_max_age_ms: u64,
    /// A Supabase project that serves what we do not; empty: there is none.
    pub supabase_url: String,
    /// Opaque keys of frontends: `sb_publishable_...`.
    pub publishable_keys: Vec<Secret>,
    pub allowed_origins: Vec<String>,
    pub log: bool,
    /// When a provider that fails is left alone (N60).
    pub breaker: Rule,
    pub settings: Rc<Settings>,
    pub identity: Rc<IdentitySettings>,
}

thread_local! {
    static CONFIG: RefCell<Option<Rc<Config>>> = const { RefCell::new(None) };
}

pub fn of(env: &JsValue) -> Rc<Config> {
    if let Some(config) = CONFIG.with_borrow(Clone::clone) {
        return config;
    }
    let config = Rc::new(read(env));
    CONFIG.set(Some(Rc::clone(&config)));
    config
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn read(env: &JsValue) -> Config {
    let text = |name| js::text(env, name).trim().to_owned();
    let secret = |name| Secret::new(text(name));
    let secrets = |name| list(&text(name)).into_iter().map(Secret::new).collect::<Vec<_>>();
    let audience = Some(text("JWT_AUDIENCE")).filter(|a| !a.is_empty()).unwrap_or_else(|| "authenticated".to_owned());
    Config {
        postgrest_url: text("POSTGREST_URL"),
        anon_key: text("ANON_KEY"),
        service_key: secret("SERVICE_ROLE_KEY"),
        issuer: Issuer {
            hs256: secret("JWT_SECRET"),
            public: Issuer::public_keys(&text("JWT_JWKS")),
            issuer: text("JWT_ISSUER"),
            audience: audience.clone(),
        },
        jwks_url: text("JWT_JWKS_URL"),
        jwks_max_age_ms: text("JWT_JWKS_MAX_AGE_S").parse().map_or(FRESH_MS, |s: u64| s.saturating_mul(1000)),
        supabase_url: text("SUPABASE_URL").trim_end_matches('/').to_owned(),
        publishable_keys: secrets("PUBLISHABLE_KEYS"),
        identity: Rc::new(IdentitySettings {
            keys_secret: secret("AUTH_KEYS_SECRET"),
            issuer: text("JWT_ISSUER"),
            audience,
            site_url: text("SITE_URL"),
            redirect_origins: list(&text("RETURN_ORIGINS")),
            autoconfirm: text("AUTH_AUTOCONFIRM") == "on",
            secret_keys: secrets("SECRET_KEYS"),
            service_key: secret("SERVICE_ROLE_KEY"),
        }),
        allowed_origins: list(&text("ALLOWED_ORIGINS")),
        log: text("LOG") != "off",
        breaker: Rule { failures: text("BREAKER_FAILURES").parse().unwrap_or(5), open_ms: 60_000 },
        settings: Rc::new(Settings {
            moneroo_url: text("MONEROO_URL"),
            moneroo_secret_key: secret("MONEROO_SECRET_KEY"),
            moneroo_webhook_secrets: moneroo::secrets(&text("MONEROO_WEBHOOK_SECRET")),
            rails: RAILS.iter().map(|name| (*name, secret(name))).collect(),
            tag_key: secret("PAYMENT_TAG_KEY"),
            environment: Some(text("PAYMENT_ENVIRONMENT"))
                .filter(|e| e == "sandbox")
                .unwrap_or_else(|| "live".to_owned()),
            return_url: text("PAYMENT_RETURN_URL"),
            return_origins: list(&text("RETURN_ORIGINS")),
            callback_url: text("PAYMENT_CALLBACK_URL"),
            internal_keys: vec![secret("INTERNAL_API_KEY"), secret("INTERNAL_API_KEY_PREVIOUS")],
        }),
    }
}

/// The configuration of this isolate, once a request has read it.
#[cfg(target_arch = "wasm32")]
pub fn current() -> Option<Rc<Config>> {
    CONFIG.with_borrow(Clone::clone)
}
