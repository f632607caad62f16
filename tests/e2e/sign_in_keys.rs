//! Signing keys: published, rotated, revoked. On a stack of its own, because a revoked key signs everybody out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};

use crate::sign_in::*;
use crate::world::keyless_world;

crate::tests![a_token_verifies_under_the_published_keys, keys_rotate_while_old_tokens_hold_until_they_are_revoked];

async fn published(w: &World) -> Reply {
    auth(w, Method::GET, ".well-known/jwks.json").send().await
}

async fn kids(w: &World) -> Vec<String> {
    let set = published(w).await;
    set.ok(200)["keys"].as_array().expect("keys").iter().map(|key| text(key, "kid")).collect()
}

async fn a_token_verifies_under_the_published_keys(w: &'static World) {
    let awa = Account::new(w).await;
    let header = part(&awa.access, 0);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("JWT")));
    let set = published(w).await;
    assert_eq!(set.header("cache-control"), Some("public, max-age=600"));
    let rest: Value =
        w.http.get(format!("{}/rpc/jwks", w.rest)).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(set.ok(200)["keys"].as_array().map(Vec::len), rest["keys"].as_array().map(Vec::len));
    assert!(!set.text.contains("\"d\"") && !set.text.contains("private"), "{set}");
    let keys = set.body["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).expect("the key that signed");
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(text(key, name)).expect("base64url");
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let (signed, signature) = awa.access.rsplit_once('.').expect("a signature");
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).expect("base64url")).expect("r and s");
    let key = VerifyingKey::from_sec1_bytes(&point).expect("a point");
    key.verify(signed.as_bytes(), &signature).expect("a good signature");
}

async fn act(w: &World, body: Value) -> Reply {
    let key = w.vars["SECRET_KEYS"].clone();
    auth(w, Method::POST, "admin/keys").header("authorization", format!("Bearer {key}")).json(&body).send().await
}

fn with(state: &Reply, status: &str) -> String {
    let keys = state.ok(200)["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["status"] == status).unwrap_or_else(|| panic!("no {status} key: {state}"));
    text(key, "kid")
}

/// Whether a function believes the token: it asks the issuer again within seconds, here.
async fn believed(w: &World, access: &str) -> bool {
    let quote = json!({ "distanceKm": 3.2, "durationMin": 12, "lat": 9.5, "lng": -13.7 });
    let reply = w.call("taxi-quote-fare", access, quote).await;
    assert!(reply.status == 200 || reply.is_refusal(401, "UNAUTHENTICATED"), "{reply}");
    reply.status == 200
}

async fn keys_rotate_while_old_tokens_hold_until_they_are_revoked(_: &'static World) {
    let w = keyless_world().await;
    let before = Account::new(w).await;
    let first = text(&part(&before.access, 0), "kid");
    refused(&act(w, json!({ "action": "rotate" })).await, 409, "key_missing");
    refused(&act(w, json!({ "action": "revoke", "kid": first })).await, 409, "key_missing");
    let standby = with(&act(w, json!({ "action": "add_standby" })).await, "standby");
    // A standby is published before it signs anything.
    assert_eq!(text(&part(&Account::new(w).await.access, 0), "kid"), first);
    assert!(kids(w).await.contains(&standby));
    let state = act(w, json!({ "action": "rotate" })).await;
    assert_eq!((with(&state, "current"), with(&state, "previous")), (standby.clone(), first.clone()));
    assert!(!state.text.contains("private"), "{state}");
    let after = Account::new(w).await;
    assert_eq!(text(&part(&after.access, 0), "kid"), standby);
    for access in [&before.access, &after.access] {
        w.eventually("both keys are believed", async || believed(w, access).await.then_some(())).await;
        w.eventually("both are by the database", async || (rows(w, access).await.status == 200).then_some(())).await;
        whoami(w, access).await.ok(200);
    }
    act(w, json!({ "action": "revoke", "kid": first })).await.ok(200);
    assert!(!kids(w).await.contains(&first));
    w.eventually("the revoked key is believed no more", async || (!believed(w, &before.access).await).then_some(()))
        .await;
    w.eventually("nor by the identity service", async || {
        whoami(w, &before.access).await.is_refusal(403, "bad_jwt").then_some(())
    })
    .await;
    // The session itself is as good as before: its next token is signed with the key of today.
    let renewed = Account::of(&renew(w, &before.refresh).await);
    assert_eq!(text(&part(&renewed.access, 0), "kid"), standby);
    whoami(w, &renewed.access).await.ok(200);
    assert!(believed(w, &after.access).await);
}
