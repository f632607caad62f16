//! The classes, N30 to N42. The minute windows stand a second time in the root `wrangler.toml`, where the platform reads
//! them; a test compares the two.

use crate::contract::Limit;

/// At most so many calls in any so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub calls: u32,
    pub seconds: u32,
}

impl Window {
    #[must_use]
    pub const fn ms(&self) -> u64 {
        self.seconds as u64 * 1000
    }
}

/// Whose calls are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// The signed-in caller; a stranger's address where strangers may call.
    User,
    Address,
    /// Both together: an e-mail is everybody's to guess, an address is many people's.
    AddressAndCredential,
    /// The code or token in the request, or the id of a hook.
    Credential,
    Provider,
    /// Whoever has the internal key: our own backends.
    Backend,
}

/// What one class means.
#[derive(Debug, PartialEq, Eq)]
pub struct Rules {
    pub name: &'static str,
    pub windows: &'static [Window],
    /// Calls at once before the pace of the first window holds.
    pub burst: Option<u32>,
    /// Calls at the same time.
    pub inside: Option<u32>,
    pub counts: Counts,
    /// Refuses while nobody can count; the others pass.
    pub vital: bool,
    /// The `RateLimit-Policy` field (draft-ietf-httpapi-ratelimit-headers-11); one name for each window.
    pub policy: &'static str,
}

impl Rules {
    const fn of(name: &'static str, counts: Counts, windows: &'static [Window], policy: &'static str) -> Self {
        Self { name, windows, burst: None, inside: None, counts, vital: false, policy }
    }

    const fn burst(self, calls: u32) -> Self {
        Self { burst: Some(calls), ..self }
    }

    const fn inside(self, calls: u32) -> Self {
        Self { inside: Some(calls), ..self }
    }

    const fn vital(self) -> Self {
        Self { vital: true, ..self }
    }

    /// The name of a window in `RateLimit`, as `policy` has it.
    #[must_use]
    pub fn policy_name(&self, window: usize) -> &'static str {
        let item = self.policy.split(',').nth(window).unwrap_or_default().trim_start();
        item.split_once(';').map_or("", |(name, _)| name)
    }

    /// After so long without a call everything is forgiven: a window lasts longer than its bucket takes to fill.
    #[must_use]
    pub fn longest_ms(&self) -> u64 {
        self.windows.iter().map(Window::ms).max().unwrap_or_default()
    }

    /// The bucket in time: how much of it is a whole burst, and how much one call.
    #[must_use]
    pub fn bucket(&self) -> Option<(u64, u64)> {
        let (burst, pace) = (u64::from(self.burst?), self.windows.first()?);
        let step_ms = pace.ms().div_ceil(u64::from(pace.calls.max(1)));
        Some((burst.saturating_mul(step_ms), step_ms))
    }

    /// How many are inside is known to each isolate for itself: a person's, and a backend's. It would cost a question to an
    /// object in each of their calls.
    #[must_use]
    pub fn inside_of_isolate(&self) -> Option<u32> {
        self.inside.filter(|_| matches!(self.counts, Counts::User | Counts::Backend))
    }

    /// The platform's binding counts minutes and nothing else; the rest is an object's.
    #[must_use]
    pub fn needs_object(&self) -> bool {
        let minutes = matches!(self.windows, [] | [Window { seconds: 60, .. }]);
        !minutes || self.burst.is_some() || (self.inside.is_some() && self.inside_of_isolate().is_none())
    }
}

macro_rules! minute {
    ($calls:literal) => {
        &[Window { calls: $calls, seconds: 60 }]
    };
}

/// N30. Guests behind one network share it; see `CEILING`.
static ANONYMOUS: Rules = Rules::of(
    "anonymous",
    Counts::Address,
    &[Window { calls: 60, seconds: 60 }, Window { calls: 100, seconds: 900 }],
    "\"anonymous\";q=60;w=60, \"anonymous-900\";q=100;w=900",
)
.inside(5);
/// N31.
static DEFAULT: Rules = Rules::of("default", Counts::User, minute!(100), "\"default\";q=100;w=60").inside(10);
/// N32.
static SERVER: Rules = Rules::of("server", Counts::Backend, minute!(1_000), "\"server\";q=1000;w=60").inside(50);
/// N33.
static AUTH: Rules = Rules::of(
    "auth",
    Counts::AddressAndCredential,
    &[Window { calls: 5, seconds: 60 }, Window { calls: 10, seconds: 900 }],
    "\"auth\";q=5;w=60, \"auth-900\";q=10;w=900",
)
.burst(3)
.vital();
/// N34.
static PAYMENT: Rules = Rules::of("payment", Counts::User, minute!(20), "\"payment\";q=20;w=60").vital();
/// N35, of providers.
static WEBHOOK: Rules = Rules::of("webhook", Counts::Provider, minute!(1_000), "\"webhook\";q=1000;w=60").vital();
/// N35, of an automation's hook.
static HOOK: Rules = Rules::of("hook", Counts::Credential, minute!(60), "\"hook\";q=60;w=60").vital();
/// N36.
static UPLOAD: Rules = Rules::of(
    "upload",
    Counts::User,
    &[Window { calls: 10, seconds: 60 }, Window { calls: 20, seconds: 3_600 }],
    "\"upload\";q=10;w=60, \"upload-3600\";q=20;w=3600",
);
/// N37.
static SEARCH: Rules = Rules::of("search", Counts::User, minute!(50), "\"search\";q=50;w=60");
/// N38.
static EVENTS: Rules = Rules::of("events", Counts::User, minute!(100), "\"events\";q=100;w=60").burst(20);
/// N39.
static SCAN: Rules = Rules::of("scan", Counts::User, minute!(30), "\"scan\";q=30;w=60");
/// N40, looking.
static LEADERBOARD: Rules =
    Rules::of("leaderboard", Counts::Credential, minute!(30), "\"leaderboard\";q=30;w=60").burst(10);
/// N40, playing.
static PLAY: Rules = Rules::of("play", Counts::Credential, minute!(5), "\"play\";q=5;w=60").burst(2);
/// N41.
static HEARTBEAT: Rules = Rules::of("heartbeat", Counts::User, minute!(30), "\"heartbeat\";q=30;w=60");
/// N42, licences.
static LICENCE: Rules = Rules::of("licence", Counts::Credential, minute!(20), "\"licence\";q=20;w=60");
/// N42, downloads.
static DOWNLOAD: Rules = Rules::of("download", Counts::Credential, minute!(30), "\"download\";q=30;w=60");
/// The decision below the table: a wedding hall is one address.
static CEILING: Rules = Rules::of("ceiling", Counts::Address, minute!(600), "\"ceiling\";q=600;w=60");
/// wallet.md: a fraud score for a person is advice.
static ADVICE: Rules = Rules::of("advice", Counts::User, minute!(10), "\"advice\";q=10;w=60");
/// The platform's schedule, and the gateway, behind which each function counts for itself.
static NONE: Rules = Rules::of("none", Counts::User, &[], "");

/// Every class that counts something.
pub const CLASSES: [Limit; 18] = [
    Limit::Anonymous,
    Limit::Default,
    Limit::Server,
    Limit::Auth,
    Limit::Payment,
    Limit::Webhook,
    Limit::Hook,
    Limit::Upload,
    Limit::Search,
    Limit::Events,
    Limit::Scan,
    Limit::Leaderboard,
    Limit::Play,
    Limit::Heartbeat,
    Limit::Licence,
    Limit::Download,
    Limit::Ceiling,
    Limit::Advice,
];

#[must_use]
pub fn rules(class: Limit) -> &'static Rules {
    match class {
        Limit::Anonymous => &ANONYMOUS,
        Limit::Default => &DEFAULT,
        Limit::Server => &SERVER,
        Limit::Auth => &AUTH,
        Limit::Payment => &PAYMENT,
        Limit::Webhook => &WEBHOOK,
        Limit::Hook => &HOOK,
        Limit::Upload => &UPLOAD,
        Limit::Search => &SEARCH,
        Limit::Events => &EVENTS,
        Limit::Scan => &SCAN,
        Limit::Leaderboard => &LEADERBOARD,
        Limit::Play => &PLAY,
        Limit::Heartbeat => &HEARTBEAT,
        Limit::Licence => &LICENCE,
        Limit::Download => &DOWNLOAD,
        Limit::Ceiling => &CEILING,
        Limit::Advice => &ADVICE,
        Limit::None => &NONE,
    }
}

/// The class of that name.
#[must_use]
pub fn class(name: &str) -> Option<Limit> {
    CLASSES.into_iter().find(|class| rules(*class).name == name)
}
