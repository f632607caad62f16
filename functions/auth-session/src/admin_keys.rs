//! `/admin/keys`, ours alone: the keys that sign access tokens, and their rotation. First a standby, published and waited
//! for (twenty minutes, for verifiers remember), then its promotion; the old key verifies until it is revoked.

use serde_json::json;
use shared::edge::{Answer, Reply};

use crate::gotrue::{NO_SUCH_PATH, invalid};
use crate::keys;
use crate::said::Ask;
use crate::visit::Visit;

pub async fn handle(visit: &Visit) -> Answer<Reply> {
    visit.is_service()?;
    match visit.seen.method.as_str() {
        "GET" => {}
        "POST" => act(visit, &visit.ask()?).await?,
        _ => return Err(NO_SUCH_PATH.into()),
    }
    let keys = keys::all(visit).await?;
    let shown = keys.iter().map(|key| {
        json!({ "kid": key.kid, "status": key.status, "created_at": key.created_at, "public_jwk": key.public_jwk })
    });
    Reply::json(200, &json!({ "keys": shown.collect::<Vec<_>>() }))
}

async fn act(visit: &Visit, ask: &Ask) -> Answer<()> {
    match (ask.action.get(), ask.kid.get()) {
        (Some("add_standby"), _) => {
            keys::add(visit, "standby").await?;
        }
        (Some("rotate"), _) => {
            visit.service("signing_keys_rotate", json!({})).await?;
        }
        (Some("revoke"), Some(kid)) => {
            visit.service("signing_key_revoke", json!({ "kid": kid })).await?;
        }
        (Some("revoke"), None) => return Err(invalid("kid is required")),
        _ => return Err(invalid("action is add_standby, rotate or revoke")),
    }
    keys::forget();
    Ok(())
}
