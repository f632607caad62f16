//! What comes by mail: recovery, sign-in links, new addresses, codes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::sign_in::*;

crate::tests![
    a_forgotten_password_is_replaced_by_a_mailed_link,
    nobody_learns_by_mail_who_has_an_account,
    a_sign_in_link_makes_the_account_it_is_for,
    a_new_address_counts_once_its_owner_says_so,
    a_code_is_exchanged_by_the_client_that_asked,
];

/// Follows a mailed link as a browser does, up to the page it leads to.
async fn follow(w: &World, link: &str) -> String {
    let (_, path) = link.split_once("/auth/v1/").expect("a link of ours");
    let browser = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let reply = Call::new(&browser.expect("a client"), Method::GET, format!("{}/auth/v1/{path}", w.api)).send().await;
    assert_eq!((reply.status, reply.header("cache-control")), (303, Some("private, no-store")), "{reply}");
    reply.header("location").expect("where to").to_owned()
}

/// A field of what a page was called with, behind `mark`.
#[track_caller]
fn field(url: &str, mark: char, name: &str) -> String {
    let fields =
        url.split_once(mark).unwrap_or_else(|| panic!("{url} has no {mark}")).1.split('#').next().unwrap_or_default();
    let found = fields.split('&').filter_map(|pair| pair.split_once('=')).find(|(own, _)| *own == name);
    found.unwrap_or_else(|| panic!("{url} has no {name}")).1.to_owned()
}

async fn a_forgotten_password_is_replaced_by_a_mailed_link(w: &'static World) {
    let awa = Account::new(w).await;
    let page = "http://127.0.0.1:3000/reset";
    let path = format!("recover?redirect_to={}", page.replace(':', "%3A").replace('/', "%2F"));
    assert_eq!(*post(w, &path, json!({ "email": awa.email })).await.ok(200), json!({}));
    let link = mailed(w, &awa.email).await;
    let led = follow(w, &link).await;
    assert!(led.starts_with(&format!("{page}#")), "{led}");
    assert_eq!(field(&led, '#', "type"), "recovery");
    let access = field(&led, '#', "access_token");
    assert_eq!(claims(&access)["amr"][0]["method"], "otp");
    refused(&update(w, &access, json!({ "password": PASSWORD })).await, 422, "same_password");
    update(w, &access, json!({ "password": "motdepasse2" })).await.ok(200);
    // Whoever knew the old one is out; the session that set the new one stays.
    refused(&whoami(w, &awa.access).await, 403, "session_not_found");
    refused(&login(w, &awa.email, PASSWORD).await, 400, "invalid_credentials");
    whoami(w, &access).await.ok(200);
    Account::of(&login(w, &awa.email, "motdepasse2").await);
    let again = follow(w, &link).await;
    assert_eq!(
        (field(&again, '#', "error").as_str(), field(&again, '#', "error_code").as_str()),
        ("access_denied", "otp_expired")
    );
}

async fn nobody_learns_by_mail_who_has_an_account(w: &'static World) {
    let (awa, stranger) = (Account::new(w).await, address());
    for path in ["recover", "recover", "otp", "resend"] {
        let ask = |email: &str| json!({ "email": email, "create_user": false, "type": "signup" });
        let (known, unknown) = (post(w, path, ask(&awa.email)).await, post(w, path, ask(&stranger)).await);
        assert_eq!((known.status, &known.text), (200, &unknown.text), "{path}");
    }
    // And nobody's mailbox is filled: one mail a minute.
    assert_eq!((mails(w, &awa.email).await, mails(w, &stranger).await), (1, 0));
}

async fn a_sign_in_link_makes_the_account_it_is_for(w: &'static World) {
    let email = address();
    assert_eq!(*post(w, "otp", json!({ "email": email, "data": { "first_name": "Awa" } })).await.ok(200), json!({}));
    let link = mailed(w, &email).await;
    let token = field(&link, '?', "token");
    let body = json!({ "type": "email", "token_hash": token });
    let awa = Account::of(&post(w, "verify", body.clone()).await);
    assert_eq!(awa.email, email);
    refused(&post(w, "verify", body).await, 403, "otp_expired");
    refused(&login(w, &email, "").await, 400, "invalid_credentials");
    // The second time there is an account, and the link is another.
    later(w, awa.id).await;
    post(w, "otp", json!({ "email": email })).await.ok(200);
    let other = field(&mailed(w, &email).await, '?', "token");
    assert_ne!(other, token);
    let stolen = json!({ "type": "email", "token": other, "email": address() });
    refused(&post(w, "verify", stolen).await, 403, "otp_expired");
    let body = json!({ "type": "email", "token": other, "email": email });
    assert_eq!(Account::of(&post(w, "verify", body).await).id, awa.id);
}

async fn a_new_address_counts_once_its_owner_says_so(w: &'static World) {
    let (awa, email) = (Account::new(w).await, address());
    let asked = update(w, &awa.access, json!({ "email": email })).await;
    assert_eq!((&asked.ok(200)["email"], &asked.body["new_email"]), (&json!(awa.email), &json!(email)));
    refused(&login(w, &email, PASSWORD).await, 400, "invalid_credentials");
    let led = follow(w, &mailed(w, &email).await).await;
    assert_eq!(field(&led, '#', "type"), "email_change");
    Account::of(&login(w, &email, PASSWORD).await);
    refused(&login(w, &awa.email, PASSWORD).await, 400, "invalid_credentials");
    let other = Account::new(w).await;
    refused(&update(w, &other.access, json!({ "email": email })).await, 422, "email_exists");
}

async fn a_code_is_exchanged_by_the_client_that_asked(w: &'static World) {
    let awa = Account::new(w).await;
    let verifier = "a-verifier-that-only-the-first-client-has-0123456789";
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    let ask = json!({ "email": awa.email, "code_challenge": challenge, "code_challenge_method": "s256" });
    post(w, "recover", ask).await.ok(200);
    let led = follow(w, &mailed(w, &awa.email).await).await;
    assert!(!led.contains("access_token"), "{led}");
    let code = field(&led, '?', "code");
    let exchange =
        async |verifier: &str| grant(w, "pkce", json!({ "auth_code": code, "code_verifier": verifier })).await;
    refused(&exchange("another").await, 400, "bad_code_verifier");
    refused(&renew(w, &code).await, 400, "refresh_token_not_found");
    let entered = Account::of(&exchange(verifier).await);
    assert_eq!(entered.id, awa.id);
    whoami(w, &entered.access).await.ok(200);
    // Used again later, the code ends the session that it opened.
    let sql =
        "update auth.refresh_tokens set updated_at = updated_at - interval '1 minute' where user_id = $1 and revoked";
    w.exec(sql, &[&awa.id.to_string()]).await;
    refused(&exchange(verifier).await, 404, "flow_state_not_found");
    refused(&whoami(w, &entered.access).await, 403, "session_not_found");
}
