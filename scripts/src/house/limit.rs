//! How often a function may be called, as its manifest says it, and what it is bound to for that.

use serde::Deserialize;

use super::{Auth, Binding, Function};

/// How often one caller may call it; the figures are in the root `wrangler.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    Default,
    Payment,
    Webhook,
    Hook,
    Auth,
    Upload,
    Search,
    Events,
    Scan,
    Leaderboard,
    Play,
    Heartbeat,
    Licence,
    Download,
    Advice,
    Cron,
    None,
}

impl Limit {
    /// The name of its `[[ratelimits]]` entry. A cron has the platform as its only caller, so it has none; nor has a class
    /// with bursts or longer windows, which an object counts.
    pub fn class(self) -> Option<&'static str> {
        match self {
            Limit::Default => Some("default"),
            Limit::Payment => Some("payment"),
            Limit::Webhook => Some("webhook"),
            Limit::Hook => Some("hook"),
            Limit::Search => Some("search"),
            Limit::Scan => Some("scan"),
            Limit::Heartbeat => Some("heartbeat"),
            Limit::Licence => Some("licence"),
            Limit::Download => Some("download"),
            Limit::Advice => Some("advice"),
            Limit::Auth | Limit::Upload | Limit::Events | Limit::Leaderboard | Limit::Play => None,
            Limit::Cron | Limit::None => None,
        }
    }

    /// The platform's binding counts minutes alone.
    pub fn needs_object(self) -> bool {
        matches!(self, Limit::Auth | Limit::Upload | Limit::Events | Limit::Leaderboard | Limit::Play)
    }

    /// Its credential stands in the request and is counted for itself; an address then has a ceiling of its own.
    fn counts_credential(self) -> bool {
        matches!(self, Limit::Hook | Limit::Leaderboard | Limit::Play | Limit::Licence | Limit::Download)
    }
}

impl Function {
    /// The platform's rate limits that it is bound to: a binding's name, and the class's entry in `[[ratelimits]]`. The names
    /// are those of `shared::edge::limits`.
    pub fn rate_limits(&self) -> Vec<(&'static str, &'static str)> {
        if self.is_durable() {
            return Vec::new();
        }
        if self.is_gateway() {
            // It counts for PostgREST, which is behind no function: reads, commands, and our own backends.
            return vec![
                ("RATE_LIMIT_DEFAULT", "default"),
                ("RATE_LIMIT_PAYMENT", "payment"),
                ("RATE_LIMIT_SERVER", "server"),
            ];
        }
        let own = self.limit.class().map(|class| ("RATE_LIMIT", class));
        let server = self.has(Binding::Internal).then_some(("RATE_LIMIT_SERVER", "server"));
        let ceiling = self.limit.counts_credential().then_some(("RATE_LIMIT_CEILING", "ceiling"));
        own.into_iter().chain(server).chain(ceiling).collect()
    }

    /// Something about its callers only an object can count: strangers, who have two windows, or its own class.
    pub fn needs_limiter(&self) -> bool {
        !self.is_durable() && (self.auth == Auth::Public || self.limit.needs_object())
    }
}
