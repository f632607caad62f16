//! What a function promises: its name, who may call it, how often, how much it reads, and every way it says no.

use std::marker::PhantomData;

use uuid::Uuid;

use crate::cx::Seen;
use crate::error::{Problem, Refusal};

/// Who may call. The variants are the authentication modes of contracts/README, section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// A valid access token; roles are read in the same database call as the work.
    User,
    /// Nobody in particular.
    Public,
    /// A provider: the handler checks the signature over the raw bytes, with the adapter's own scheme.
    Webhook,
    /// The platform's schedule, or the internal key.
    Cron,
}

/// The rate class; what each means is a table, [`crate::limits::rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Whoever has no token; counted beside the class of the endpoint, never chosen by one.
    Anonymous,
    /// Whoever has the internal key; likewise.
    Server,
    /// One address, where the credential stands in the request and is counted for itself; likewise.
    Ceiling,
    None,
}

/// A signed-in caller. `id` is the token's `sub`; the token itself goes to Postgres, where row-level security reads it.
#[derive(Clone, Debug)]
pub struct User {
    pub id: Uuid,
    pub(crate) token: std::rc::Rc<str>,
}

#[cfg(any(test, feature = "testing"))]
impl User {
    #[must_use]
    pub fn for_tests(id: Uuid) -> Self {
        Self { id, token: id.to_string().into() }
    }
}

/// Whoever calls a public function.
#[derive(Clone, Debug, Default)]
pub struct Anyone {
    /// Sent the internal key; only where the contract says [`Contract::knows_staff`].
    pub internal: bool,
    /// Sent a valid access token; likewise. An invalid one is nobody's, and refused nowhere.
    pub user: Option<User>,
}

/// A payment provider, not authenticated until its signature is checked.
#[derive(Clone, Copy, Debug)]
pub struct Provider;

/// The schedule, or an operator with the internal key.
#[derive(Clone, Copy, Debug)]
pub struct Clock;

/// The part of a contract that the pipeline reads.
#[derive(Debug)]
pub struct Spec {
    pub name: &'static str,
    pub get_too: bool,
    pub put_too: bool,
    pub knows_staff: bool,
    pub auth: Auth,
    pub limit: Limit,
    /// Bytes.
    pub max_body: u32,
    /// Speaks another protocol than ours: any method, any content type, and the handler reads the body itself.
    pub open: bool,
    /// How a refusal is written down; ours, unless another protocol is spoken.
    pub tells: fn(&Problem, &Seen, &str) -> String,
    pub refusals: &'static [Refusal],
    pub rpc_codes: &'static [&'static str],
}

fn ours(no: &Problem, _: &Seen, request_id: &str) -> String {
    no.body(request_id)
}

/// A contract for callers of kind `W`: the handler's `Cx<W>` must agree, or the function does not compile.
#[derive(Debug)]
pub struct Contract<W> {
    pub spec: Spec,
    who: PhantomData<W>,
}

impl Contract<Anyone> {
    /// A function called with POST, by anyone, in the default rate class, with at most 256 KiB.
    #[must_use]
    pub const fn post(name: &'static str) -> Self {
        let spec = Spec {
            name,
            get_too: false,
            put_too: false,
            knows_staff: false,
            auth: Auth::Public,
            limit: Limit::Default,
            max_body: 256 * 1024,
            open: false,
            tells: ours,
            refusals: &[],
            rpc_codes: &[],
        };
        Self { spec, who: PhantomData }
    }

    #[must_use]
    pub const fn user(self) -> Contract<User> {
        self.called_by(Auth::User)
    }

    #[must_use]
    pub const fn webhook(self) -> Contract<Provider> {
        let mut contract = self.called_by(Auth::Webhook);
        contract.spec.max_body = 64 * 1024;
        contract.spec.limit = Limit::Webhook;
        contract
    }

    #[must_use]
    pub const fn cron(self) -> Contract<Clock> {
        let mut contract = self.called_by(Auth::Cron);
        contract.spec.limit = Limit::None;
        contract
    }

    /// Anyone may call, and operators see more: the internal key and a user's token are read when they are sent.
    #[must_use]
    pub const fn knows_staff(mut self) -> Self {
        self.spec.knows_staff = true;
        self
    }

    /// Speaks another protocol: the handler sees the request as it arrived, and `tells` writes its refusals.
    #[must_use]
    pub const fn open(mut self, tells: fn(&Problem, &Seen, &str) -> String) -> Self {
        self.spec.open = true;
        self.spec.tells = tells;
        self
    }

    const fn called_by<W>(self, auth: Auth) -> Contract<W> {
        Contract { spec: Spec { auth, ..self.spec }, who: PhantomData }
    }
}

impl<W> Contract<W> {
    /// GET is answered too, with the query's fields as the body.
    #[must_use]
    pub const fn or_get(mut self) -> Self {
        self.spec.get_too = true;
        self
    }

    /// PUT is answered as POST is.
    #[must_use]
    pub const fn or_put(mut self) -> Self {
        self.spec.put_too = true;
        self
    }

    #[must_use]
    pub const fn limit(mut self, limit: Limit) -> Self {
        self.spec.limit = limit;
        self
    }

    /// What this function itself refuses, in Rust.
    #[must_use]
    pub const fn refuses(mut self, refusals: &'static [Refusal]) -> Self {
        self.spec.refusals = refusals;
        self
    }

    /// What its SQL may refuse, beside [`crate::error::COMMON_RPC_CODES`]. Any other code is ours: a 500.
    #[must_use]
    pub const fn rpc_refuses(mut self, codes: &'static [&'static str]) -> Self {
        self.spec.rpc_codes = codes;
        self
    }
}
