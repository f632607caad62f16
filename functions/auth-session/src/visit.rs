//! One request: what it says, who sends it, and the ports that answering it needs.

use std::rc::Rc;

use serde_json::Value;
use shared::crypto::{Crypto, base64url};
use shared::db::Local;
use shared::edge::{Answer, Anyone, Cx, Limit, Seen, Verified, bearer};
use shared::identity::IdentitySettings;
use shared::payments::form;
use shared::secret::digest;

use crate::gotrue::{BAD_JWT, NO_AUTHORIZATION, NOT_ADMIN};
use crate::said::{Ask, Told};

/// The caller whom a token names, once it has been checked.
pub type Believed = Local<'static, Option<Verified>>;
pub type Believe = Rc<dyn Fn(String) -> Believed>;

pub struct Visit {
    pub cx: Cx<Anyone>,
    pub seen: Rc<Seen>,
    pub body: Vec<u8>,
    pub crypto: Rc<dyn Crypto>,
    believe: Believe,
    query: Vec<(String, String)>,
}

/// What opens a session: the token for the client, and the hash that Postgres keeps.
pub struct Refresh {
    pub token: String,
    pub hash: String,
}

impl Visit {
    pub fn new(cx: Cx<Anyone>, seen: Rc<Seen>, body: Vec<u8>, crypto: Rc<dyn Crypto>, believe: Believe) -> Self {
        let query = form::decode(seen.query.as_bytes()).unwrap_or_default();
        Self { cx, seen, body, crypto, believe, query }
    }

    pub fn settings(&self) -> &IdentitySettings {
        &self.cx.world.identity
    }

    pub fn now_s(&self) -> u64 {
        self.cx.world.now_ms / 1000
    }

    /// A field of the query; an empty one, and one that comes twice, is none.
    pub fn query(&self, name: &str) -> Option<&str> {
        form::only(&self.query, name).filter(|value| !value.is_empty())
    }

    pub fn ask(&self) -> Answer<Ask> {
        shared::json::parse(&self.body)
    }

    /// Asks Postgres in the platform's own name. Boxed: compiled once, and not into each caller.
    pub fn service<'a>(&'a self, function: &'static str, ask: Value) -> Local<'a, Answer<Told>> {
        Box::pin(async move { self.cx.service(function, &ask).await })
    }

    /// Counts one attempt at `credential` from this address (N33), before anything is computed for it.
    pub async fn count(&self, credential: &str) -> Answer<()> {
        self.cx.limit(Limit::Auth, &self.seen.address, credential).await
    }

    /// 32 random bytes as text: 43 characters.
    pub fn random_text(&self) -> Answer<String> {
        let mut bytes = [0u8; 32];
        self.crypto.random(&mut bytes)?;
        Ok(base64url(&bytes))
    }

    pub fn refresh(&self) -> Answer<Refresh> {
        let token = self.random_text()?;
        let hash = digest(token.as_bytes());
        Ok(Refresh { token, hash })
    }

    /// Who is signed in, by his own token. Whether his session still lasts, Postgres says.
    pub async fn caller(&self) -> Answer<Verified> {
        let token = bearer(self.seen.authorization.as_deref()).map_err(|_| NO_AUTHORIZATION)?;
        (self.believe)(token.to_owned()).await.ok_or(BAD_JWT.into())
    }

    /// The platform itself: a secret key, the legacy service key, or the internal key. Browsers never are.
    pub fn is_service(&self) -> Answer<()> {
        let settings = self.settings();
        let token = bearer_text(self.seen.authorization.as_deref());
        // Whoever shows a token is who it says, whatever key his client was made with.
        let Some(given) = token.or(self.seen.apikey.as_deref()) else {
            return if self.cx.caller.internal { Ok(()) } else { Err(NO_AUTHORIZATION.into()) };
        };
        // Every key is compared, so the time does not tell which one was nearly right.
        let secret = settings.secret_keys.iter().fold(false, |good, key| key.equals(given) | good);
        let legacy = settings.service_key.equals(given);
        let browser = self.seen.user_agent.as_deref().is_some_and(|agent| agent.starts_with("Mozilla/"));
        if self.cx.caller.internal || legacy || (secret && !browser) { Ok(()) } else { Err(NOT_ADMIN.into()) }
    }
}

/// An opaque key is no token, so its characters are others'.
fn bearer_text(header: Option<&str>) -> Option<&str> {
    let (scheme, text) = header?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !text.is_empty()).then_some(text)
}
