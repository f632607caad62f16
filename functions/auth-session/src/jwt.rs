//! Access tokens: the claims of GoTrue (internal/tokens/service.go), signed with the current key.

use serde_json::{Value, json};
use shared::crypto::base64url;
use shared::edge::{Answer, ApiError, Reply};

use crate::keys::{self, Ring};
use crate::password;
use crate::said::{Object, Session, Told};
use crate::visit::{Refresh, Visit};

/// Seconds that a token is believed.
pub const LIFETIME_S: u64 = 3_600;
/// A longer `user_metadata` stays out of the token: it travels with every request, and fits no cookie. The user has it.
const ROOM: usize = 4_096;

/// What a client gets who came in.
pub struct Entered {
    pub access_token: String,
    pub refresh_token: String,
    pub expires_at: u64,
    pub user: Object,
}

/// Opens the signing key first: a session that Postgres has opened must not fail for want of a signature.
pub async fn ready(visit: &Visit) -> Answer<Ring> {
    keys::ring(visit).await
}

/// Signs the token of a session that Postgres has just opened.
pub async fn enter(visit: &Visit, ring: &Ring, opened: Told, refresh: Refresh) -> Answer<Entered> {
    let session = opened.session.ok_or_else(|| ApiError::internal("Postgres opened no session"))?;
    let expires_at = visit.now_s().saturating_add(LIFETIME_S);
    let claims = claims(visit, &opened.user, &session, expires_at);
    let header = json!({ "alg": "ES256", "kid": ring.kid, "typ": "JWT" });
    let part = |value: &Value| base64url(shared::json::text(value).as_bytes());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let signature = ring.signer.sign(signed.as_bytes()).await?;
    let access_token = format!("{signed}.{}", base64url(&signature));
    Ok(Entered { access_token, refresh_token: refresh.token, expires_at, user: opened.user })
}

fn claims(visit: &Visit, user: &Object, session: &Session, expires_at: u64) -> Value {
    let of = |name: &str| user.get(name).cloned().unwrap_or_default();
    let settings = visit.settings();
    let mut claims = json!({
        "iss": settings.issuer, "sub": of("id"), "aud": settings.audience, "exp": expires_at, "iat": visit.now_s(),
        "email": of("email"), "phone": of("phone"), "role": of("role"), "aal": session.aal, "amr": session.amr,
        "session_id": session.id, "is_anonymous": of("is_anonymous"), "app_metadata": of("app_metadata"),
    });
    let metadata = of("user_metadata");
    if let (Some(claims), true) = (claims.as_object_mut(), shared::json::text(&metadata).len() <= ROOM) {
        claims.insert("user_metadata".to_owned(), metadata);
    }
    claims
}

impl Entered {
    /// The session as supabase-js keeps it.
    pub fn body(&self) -> Value {
        json!({
            "access_token": self.access_token, "token_type": "bearer", "expires_in": LIFETIME_S,
            "expires_at": self.expires_at, "refresh_token": self.refresh_token, "user": self.user,
        })
    }

    pub fn reply(&self) -> Answer<Reply> {
        Reply::json(200, &self.body())
    }

    /// The same after a password: one that would be refused today is named, so that the app may ask for a better one.
    pub fn reply_after(&self, password: &str) -> Answer<Reply> {
        let reasons = password::weaknesses(password);
        let mut body = self.body();
        if let (Some(body), false) = (body.as_object_mut(), reasons.is_empty()) {
            let message = "Password should have 8 to 72 characters, a letter and a digit";
            body.insert("weak_password".to_owned(), json!({ "message": message, "reasons": reasons }));
        }
        Reply::json(200, &body)
    }
}
