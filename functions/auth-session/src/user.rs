//! `/user` and `/logout`: who is signed in, as whom, and until when.

use serde_json::{Value, json};
use shared::edge::{Answer, ApiError, Refusal, Reply, Verified};

use crate::gotrue::{NO_PHONE, invalid, nothing};
use crate::links;
use crate::said::Object;
use crate::visit::Visit;
use crate::{email, password};

const SAME_PASSWORD: Refusal =
    Refusal::new(422, "SAME_PASSWORD", "New password should be different from the old password.");
const NOT_YOURS: Refusal = Refusal::new(403, "NOT_ADMIN", "Updating app_metadata requires admin privileges");
const NOBODY: Refusal = Refusal::new(403, "USER_NOT_FOUND", "User from sub claim in JWT does not exist");

pub async fn read(visit: &Visit) -> Answer<Reply> {
    Reply::json(200, &present(visit, &visit.caller().await?).await?)
}

/// The signed-in person, as long as his session lasts.
async fn present(visit: &Visit, who: &Verified) -> Answer<Object> {
    let ask = json!({ "user_id": who.user, "session_id": who.session });
    Ok(visit.service("identity_user", ask).await.map_err(nobody)?.user)
}

/// The token was ours, so the person is not mistyped: he is gone.
fn nobody(error: ApiError) -> ApiError {
    if error.problem().code == "USER_NOT_FOUND" { NOBODY.into() } else { error }
}

pub async fn update(visit: &Visit) -> Answer<Reply> {
    let who = visit.caller().await?;
    let ask = visit.ask()?;
    if ask.phone.get().is_some() {
        return Err(NO_PHONE.into());
    }
    if ask.app_metadata.is_some() {
        return Err(NOT_YOURS.into());
    }
    let address = ask.email.get().map(|address| email::required(Some(address))).transpose()?;
    let challenge = links::challenge(&ask)?;
    let hash = match ask.password.get() {
        Some(password) => Some(changed(visit, &who, password).await?),
        None => None,
    };
    let (mut at_once, mut link) = (false, None);
    if let Some(address) = &address {
        // Whoever has an account shows that a new address is his; somebody anonymous only signs up late.
        let user = present(visit, &who).await?;
        at_once = visit.settings().autoconfirm && user.get("is_anonymous") == Some(&Value::Bool(true));
        if !at_once {
            visit.count(address).await?;
            link = Some(links::mailed(visit, "email_change", challenge)?);
        }
    }
    let update = json!({
        "user_id": who.user, "session_id": who.session, "data": ask.data, "email": address, "password_hash": hash,
        "autoconfirm": at_once, "confirmation_hash": link.as_ref().map(|link| &link.hash),
        "confirmation_link": link.as_ref().map(|link| &link.url),
    });
    Reply::json(200, &visit.service("identity_update_user", update).await.map_err(nobody)?.user)
}

/// The hash of another password than the present one.
async fn changed(visit: &Visit, who: &Verified, password: &str) -> Answer<String> {
    visit.count(&who.user.to_string()).await?;
    let hash = password::chosen(&*visit.crypto, password)?;
    let stored = visit.service("identity_password", json!({ "user_id": who.user })).await?;
    if stored.password_hash.is_some() && password::matches(password, stored.password_hash.as_deref()) {
        return Err(SAME_PASSWORD.into());
    }
    Ok(hash)
}

pub async fn log_out(visit: &Visit) -> Answer<Reply> {
    let who = visit.caller().await?;
    let scope = visit.query("scope").unwrap_or("global");
    if !["global", "local", "others"].contains(&scope) {
        return Err(invalid("Unsupported logout scope"));
    }
    let ask = json!({ "user_id": who.user, "session_id": who.session, "scope": scope });
    visit.service("identity_sign_out", ask).await?;
    nothing()
}
