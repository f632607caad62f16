//! What anybody may read about this service.

use serde_json::json;
use shared::edge::{Answer, Reply};

use crate::keys;
use crate::said::Object;
use crate::visit::Visit;

/// Those that GoTrue lists; none of them is offered.
const PROVIDERS: [&str; 26] = [
    "apple",
    "azure",
    "bitbucket",
    "discord",
    "facebook",
    "figma",
    "fly",
    "github",
    "gitlab",
    "google",
    "kakao",
    "keycloak",
    "linkedin",
    "linkedin_oidc",
    "notion",
    "slack",
    "slack_oidc",
    "snapchat",
    "spotify",
    "twitch",
    "twitter",
    "workos",
    "x",
    "zoom",
    "web3",
    "phone",
];

/// A key set changes when an operator says so; ten minutes is what verifiers expect (contracts/non-functional.md, N70).
pub async fn jwks(visit: &Visit) -> Answer<Reply> {
    let mut all = keys::all(visit).await?;
    if !all.iter().any(|key| key.status == "current") && !visit.settings().keys_secret.is_empty() {
        all.push(keys::add(visit, "current").await?);
    }
    let mut reply = Reply::json(200, &keys::published(&all))?;
    reply.headers.push(("cache-control", "public, max-age=600".to_owned()));
    Ok(reply)
}

pub fn openid(visit: &Visit) -> Answer<Reply> {
    let issuer = &visit.settings().issuer;
    Reply::json(
        200,
        &json!({
            "issuer": issuer, "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
            "token_endpoint": format!("{issuer}/token"), "userinfo_endpoint": format!("{issuer}/user"),
            "grant_types_supported": ["password", "refresh_token", "pkce"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"], "code_challenge_methods_supported": ["S256", "plain"],
        }),
    )
}

pub fn settings(visit: &Visit) -> Answer<Reply> {
    let mut external = Object::new();
    for (names, offered) in [(PROVIDERS.as_slice(), false), (&["anonymous_users", "email"], true)] {
        for name in names {
            external.insert((*name).to_owned(), offered.into());
        }
    }
    Reply::json(
        200,
        &json!({
            "external": external, "disable_signup": false, "mailer_autoconfirm": visit.settings().autoconfirm,
            "phone_autoconfirm": false, "sms_provider": "", "saml_enabled": false, "passkeys_enabled": false,
        }),
    )
}

pub fn health() -> Answer<Reply> {
    Reply::json(
        200,
        &json!({
            "name": "auth-session", "version": env!("CARGO_PKG_VERSION"),
            "description": "the identity service of Cauris, in the protocol of GoTrue",
        }),
    )
}
