//! What this function decides: what is asked of Postgres, what is answered, and in whose words. That the flows hold together
//! is proved end to end.

mod admin;
mod area;
mod by_mail;
mod sessions;
mod users;

use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use shared::auth::Verified;
use shared::crypto::{Crypto, sha256};
use shared::db::Body;
use shared::edge::{Anyone, Cx, Seen};
use shared::identity::IdentitySettings;
use shared::secret::Secret;
use shared::testing::crypto::FakeCrypto;
use shared::testing::{ALICE, FakeDb, FakeLimits, anyone, block_on, limited};

use crate::visit::{Believed, Visit};
use crate::{keys, router, wire};

const JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"X","y":"Y","d":"D"}"#;
const SESSION: &str = "5e551000-0000-4000-8000-000000000001";
const PASSWORD: &str = "motdepasse1";

/// One request, as it is put together by a test.
struct Sent {
    db: Rc<FakeDb>,
    limits: Rc<FakeLimits>,
    settings: IdentitySettings,
    seen: Seen,
    suffix: Option<String>,
    body: Value,
}

/// What came back.
#[derive(Debug)]
struct Got {
    status: u16,
    headers: Vec<(&'static str, String)>,
    text: String,
    body: Value,
}

fn settings() -> IdentitySettings {
    IdentitySettings {
        keys_secret: Secret::new("keys-secret".into()),
        issuer: "https://api.cauris.test/auth/v1".into(),
        audience: "authenticated".into(),
        site_url: "https://app.cauris.test".into(),
        redirect_origins: vec!["https://shop.cauris.test".into()],
        autoconfirm: true,
        secret_keys: vec![Secret::new("sb_secret_one".into()), Secret::new("sb_secret_two".into())],
        service_key: Secret::new("header.service.signature".into()),
    }
}

/// `POST /auth/v1/otp?x=1`, from a client of today.
fn to(method: &str, path: &str, db: &Rc<FakeDb>) -> Sent {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let seen = Seen {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        api_version: Some("2024-01-01".into()),
        user_agent: Some("app/1".into()),
        address: "192.0.2.1".into(),
        ..Seen::default()
    };
    Sent { db: Rc::clone(db), limits: FakeLimits::open(), settings: settings(), seen, suffix: None, body: json!({}) }
}

fn post(path: &str, db: &Rc<FakeDb>, body: Value) -> Sent {
    Sent { body, ..to("POST", path, db) }
}

impl Sent {
    fn bearer(mut self, token: &str) -> Self {
        self.seen.authorization = Some(format!("Bearer {token}"));
        self
    }

    fn by_mail(mut self) -> Self {
        self.settings.autoconfirm = false;
        self
    }

    fn got(self) -> Got {
        let Sent { db, limits, settings, seen, suffix, body } = self;
        let mut cx: Cx<Anyone> = limited(anyone(Anyone::default(), &db, &Rc::default()), &limits);
        let world = Rc::get_mut(&mut cx.world).expect("nobody else has it yet");
        (world.identity, world.suffix) = (Rc::new(settings), suffix);
        world.rpc_codes = wire::CONTRACT.spec.rpc_codes;
        let seen = Rc::new(seen);
        let visit =
            Visit::new(cx, Rc::clone(&seen), body.to_string().into_bytes(), FakeCrypto::new(), Rc::new(believed));
        match block_on(router::handle(visit)) {
            Ok(reply) => {
                let Body::Text(text) = reply.body else { panic!("text is what we write") };
                let body = serde_json::from_str(&text).unwrap_or_default();
                Got { status: reply.status, headers: reply.headers, text, body }
            }
            Err(error) => {
                let problem = error.problem();
                let text = crate::gotrue::tells(&problem, &seen, "r-1");
                let body = serde_json::from_str(&text).expect("JSON");
                Got { status: problem.status, headers: Vec::new(), text, body }
            }
        }
    }
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("x-sb-error-code"), Some(code));
    }
}

fn believed(token: String) -> Believed {
    let session = SESSION.parse().ok();
    let verified = Verified { user: ALICE, session, expires_s: i64::MAX };
    Box::pin(async move { (token == "alice").then_some(verified) })
}

/// The keys as Postgres has them: one, which signs.
fn a_key() -> (u16, Value) {
    keys::forget();
    let sealed = block_on(FakeCrypto::new().seal(&sha256(b"keys-secret"), "k1", JWK.as_bytes())).expect("a seal");
    let key = json!({
        "kid": "k1", "status": "current", "public_jwk": { "kty": "EC", "crv": "P-256", "x": "X", "y": "Y", "kid": "k1" },
        "private_key": STANDARD.encode(sealed), "created_at": "2026-11-21T10:00:00Z",
    });
    (200, json!({ "keys": [key] }))
}

fn user() -> Value {
    json!({
        "id": ALICE, "aud": "authenticated", "role": "authenticated", "email": "alice@cauris.test", "phone": "",
        "app_metadata": { "provider": "email" }, "user_metadata": { "display_name": "Alice" }, "identities": [],
        "created_at": "2026-11-21T10:00:00Z", "updated_at": "2026-11-21T10:00:00Z", "is_anonymous": false,
    })
}

fn opened() -> (u16, Value) {
    let amr = json!([{ "method": "password", "timestamp": 1_800_000_000 }]);
    (200, json!({ "user": user(), "session": { "id": SESSION, "aal": "aal1", "amr": amr }, "exists": false }))
}

fn no(status: u16, code: &str) -> (u16, Value) {
    (status, json!({ "code": code, "message": "no", "details": null, "hint": null }))
}

/// Which functions Postgres was asked for.
fn asked(db: &FakeDb) -> Vec<String> {
    db.asked.borrow().iter().map(|(function, _)| function.clone()).collect()
}

fn part(token: &str, n: usize) -> Value {
    let text = token.split('.').nth(n).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("JSON")
}
