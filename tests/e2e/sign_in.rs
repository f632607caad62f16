//! The function auth-session: GoTrue's protocol under /auth/v1, from the first sign-up to the last refresh.

pub use reqwest::Method;
pub use serde_json::{Value, json};
use tokio::sync::OnceCell;
pub use uuid::Uuid;
pub use xtask::keys;

pub use crate::call::{Call, Reply};
pub use crate::world::World;

pub const PASSWORD: &str = "motdepasse1";

/// Somebody with an account and a session.
pub struct Account {
    pub id: Uuid,
    pub email: String,
    pub access: String,
    pub refresh: String,
}

pub fn address() -> String {
    format!("{}@people.test", keys::random_uuid().simple())
}

/// A request as supabase-js sends it.
pub fn auth(w: &World, method: Method, path: &str) -> Call {
    w.request(method, &format!("/auth/v1/{path}"))
        .header("apikey", &w.vars["ANON_KEY"])
        .header("x-supabase-api-version", "2024-01-01")
}

pub async fn post(w: &World, path: &str, body: Value) -> Reply {
    auth(w, Method::POST, path).json(&body).send().await
}

pub async fn grant(w: &World, kind: &str, body: Value) -> Reply {
    post(w, &format!("token?grant_type={kind}"), body).await
}

pub async fn login(w: &World, email: &str, password: &str) -> Reply {
    grant(w, "password", json!({ "email": email, "password": password })).await
}

pub async fn renew(w: &World, refresh: &str) -> Reply {
    grant(w, "refresh_token", json!({ "refresh_token": refresh })).await
}

pub async fn whoami(w: &World, access: &str) -> Reply {
    auth(w, Method::GET, "user").bearer(access).send().await
}

pub async fn update(w: &World, access: &str, body: Value) -> Reply {
    auth(w, Method::PUT, "user").bearer(access).json(&body).send().await
}

pub fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_else(|| panic!("{field} is no text: {body}")).to_owned()
}

impl Account {
    /// Of an answer that opened a session.
    #[track_caller]
    pub fn of(reply: &Reply) -> Account {
        let body = reply.ok(200);
        Account {
            id: text(&body["user"], "id").parse().expect("a UUID"),
            email: text(&body["user"], "email"),
            access: text(body, "access_token"),
            refresh: text(body, "refresh_token"),
        }
    }

    pub async fn new(w: &World) -> Account {
        let body = json!({ "email": address(), "password": PASSWORD, "data": { "first_name": "Awa" } });
        Account::of(&post(w, "signup", body).await)
    }
}

/// A refusal in GoTrue's shape, readable from a browser.
#[track_caller]
pub fn refused(reply: &Reply, status: u16, code: &str) {
    assert!(reply.is_refusal(status, code), "expected {status} {code}: {reply}");
    assert!(reply.body["message"].is_string(), "{reply}");
    assert_eq!(reply.header("x-supabase-api-version"), Some("2024-01-01"), "{reply}");
    assert_eq!(reply.header("x-sb-error-code"), Some(code), "{reply}");
    assert!(reply.header("access-control-allow-origin").is_some(), "no browser can read this: {reply}");
    // Without the version a client does not look for the code where it is.
    let exposed = reply.header("access-control-expose-headers").unwrap_or_default();
    assert!(exposed.contains("x-supabase-api-version"), "{exposed}");
}

pub fn claims(access: &str) -> Value {
    part(access, 1)
}

pub fn part(token: &str, n: usize) -> Value {
    use base64::Engine as _;
    let text = token.split('.').nth(n).expect("three parts");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// What the tables show to the bearer of a token.
pub async fn rows(w: &World, access: &str) -> Reply {
    w.rest(Method::GET, "profiles?select=id", access).send().await
}

/// The first key of a stack is made by its first sign-in; whoever verifies learns of it within seconds.
pub async fn known(w: &'static World) {
    static KNOWN: OnceCell<()> = OnceCell::const_new();
    let wait = || async {
        let awa = Account::new(w).await;
        w.eventually("the gateway of the database knows the key", async || {
            (rows(w, &awa.access).await.status == 200).then_some(())
        })
        .await;
    };
    KNOWN.get_or_init(wait).await;
}

/// The newest mailed link to an address.
pub async fn mailed(w: &World, email: &str) -> String {
    let sql = "select payload ->> 'link' from core.outbox where channel = 'email' and payload ->> 'to' = $1
               order by created_at desc limit 1";
    w.one(sql, &[&email]).await
}

pub async fn mails(w: &World, email: &str) -> i64 {
    w.one("select count(*) from core.outbox where channel = 'email' and payload ->> 'to' = $1", &[&email]).await
}

/// As if the last mail, or the last use of a token, were a while ago.
pub async fn later(w: &World, id: Uuid) {
    let sql = "update auth.users set confirmation_sent_at = confirmation_sent_at - interval '2 minutes',
               recovery_sent_at = recovery_sent_at - interval '2 minutes',
               email_change_sent_at = email_change_sent_at - interval '2 minutes' where id = $1";
    w.exec(sql, &[&id]).await;
}
