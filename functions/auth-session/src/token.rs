//! `POST /token?grant_type=`: a password, a refresh token, or the code of a mailed link, for a session.

use serde_json::json;
use shared::edge::{Answer, ApiError, Refusal, Reply};
use shared::secret::digest;

use crate::gotrue::{INVALID_LOGIN, NO_PHONE, invalid};
use crate::jwt::{self, Entered};
use crate::links::{self, NO_FLOW};
use crate::said::{Ask, Told};
use crate::visit::Visit;
use crate::{email, password};

pub async fn handle(visit: &Visit) -> Answer<Reply> {
    let ask = visit.ask()?;
    match visit.query("grant_type").unwrap_or_default() {
        "password" => {
            if ask.phone.get().is_some() {
                return Err(NO_PHONE.into());
            }
            let address = ask.email.get().ok_or_else(|| invalid("missing email or phone"))?;
            let password = ask.password.get().unwrap_or_default();
            sign_in(visit, address, password).await?.reply_after(password)
        }
        "refresh_token" => {
            let token = ask.refresh_token.get().ok_or_else(|| invalid("refresh_token required"))?;
            renew(visit, token).await?.reply()
        }
        "pkce" => exchange(visit, &ask).await?.reply(),
        "id_token" => Err(Refusal::new(422, "PROVIDER_DISABLED", "Provider is not enabled").into()),
        "web3" => Err(Refusal::new(422, "WEB3_PROVIDER_DISABLED", "Web3 provider is disabled").into()),
        _ => Err(invalid("unsupported_grant_type")),
    }
}

/// The same answer after the same work, whether nobody has this address or the password is another.
pub async fn sign_in(visit: &Visit, given: &str, password: &str) -> Answer<Entered> {
    let address = email::normal(given);
    visit.count(address.as_deref().unwrap_or(given)).await?;
    let ring = jwt::ready(visit).await?;
    let stored = match &address {
        Some(address) => visit.service("identity_password", json!({ "email": address })).await?,
        None => Told::default(),
    };
    if !password::matches(password, stored.password_hash.as_deref()) || stored.user_id.is_none() {
        visit.service("identity_failed_login", json!({ "user_id": stored.user_id })).await?;
        return Err(INVALID_LOGIN.into());
    }
    let refresh = visit.refresh()?;
    let ask = json!({
        "user_id": stored.user_id, "password_hash": stored.password_hash, "refresh_hash": refresh.hash,
        "user_agent": visit.seen.user_agent, "ip": visit.seen.address,
    });
    let opened = visit.service("identity_open_session", ask).await?;
    jwt::enter(visit, &ring, opened, refresh).await
}

/// A refresh token works once; what a second use means, Postgres decides.
pub async fn renew(visit: &Visit, token: &str) -> Answer<Entered> {
    visit.count(token).await?;
    let ring = jwt::ready(visit).await?;
    let refresh = visit.refresh()?;
    let ask = json!({
        "refresh_hash": digest(token.as_bytes()), "token": imported(token), "new_hash": refresh.hash,
        "user_agent": visit.seen.user_agent, "ip": visit.seen.address,
    });
    let opened = visit.service("identity_refresh", ask).await?;
    jwt::enter(visit, &ring, opened, refresh).await
}

/// A token of Supabase's, which stores it as it is: looked up so once. Ours have 43 characters, theirs 12 or 22.
pub fn imported(token: &str) -> Option<&str> {
    (token.len() < 43 && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))).then_some(token)
}

async fn exchange(visit: &Visit, ask: &Ask) -> Answer<Entered> {
    let (Some(code), Some(verifier)) = (ask.auth_code.get(), ask.code_verifier.get()) else {
        return Err(invalid("invalid request: both auth code and code verifier should be non-empty"));
    };
    visit.count(code).await?;
    let hash = links::exchanged(visit, code, verifier)?;
    let ring = jwt::ready(visit).await?;
    let refresh = visit.refresh()?;
    let ask = json!({
        "refresh_hash": hash, "new_hash": refresh.hash, "user_agent": visit.seen.user_agent, "ip": visit.seen.address,
    });
    // The session waits since the link was followed; a code that comes a second time ends it, as a refresh token does.
    let opened = visit.service("identity_refresh", ask).await.map_err(unknown_code)?;
    jwt::enter(visit, &ring, opened, refresh).await
}

fn unknown_code(error: ApiError) -> ApiError {
    let gone = ["REFRESH_TOKEN_NOT_FOUND", "REFRESH_TOKEN_ALREADY_USED", "SESSION_NOT_FOUND"];
    if gone.contains(&error.problem().code.as_str()) { NO_FLOW.into() } else { error }
}
