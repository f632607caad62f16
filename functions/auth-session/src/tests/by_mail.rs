//! Links: what is mailed, where they lead, what they give, and who may exchange a code.

use shared::crypto::base64url;
use shared::payments::form;
use shared::secret::digest;

use super::*;

const VERIFIER: &str = "a-verifier-of-43-characters-or-more-0123456789";

fn signing_up() -> Value {
    json!({ "email": "new@cauris.test", "password": PASSWORD, "data": { "name": "N" } })
}

fn mailed() -> (u16, Value) {
    (200, json!({ "user": user(), "session": null, "exists": false }))
}

fn with_challenge(mut body: Value, method: &str) -> Value {
    let challenge = if method == "plain" { VERIFIER.to_owned() } else { base64url(&sha256(VERIFIER.as_bytes())) };
    body["code_challenge"] = challenge.into();
    body["code_challenge_method"] = method.into();
    body
}

/// The fields of a URL's query.
fn fields(url: &str) -> Vec<(String, String)> {
    let query = url.split_once('?').expect("a query").1.split('#').next().unwrap_or_default();
    form::decode(query.as_bytes()).expect("a form")
}

fn field(url: &str, name: &str) -> String {
    form::only(&fields(url), name).unwrap_or_else(|| panic!("{url} has no {name}")).to_owned()
}

#[test]
fn a_sign_up_that_has_to_be_confirmed_mails_a_link_and_opens_nothing() {
    let db = FakeDb::answers(&[mailed()]);
    let got =
        post("/auth/v1/signup?redirect_to=https%3A%2F%2Fshop.cauris.test%2Fin", &db, signing_up()).by_mail().got();
    assert_eq!((got.status, &got.body), (200, &user()));
    let ask = db.ask(0);
    assert_eq!(
        (&ask["autoconfirm"], &ask["refresh_hash"], &ask["data"]),
        (&json!(false), &Value::Null, &json!({ "name": "N" }))
    );
    let link = ask["confirmation_link"].as_str().unwrap();
    assert!(link.starts_with("https://api.cauris.test/auth/v1/verify?token="), "{link}");
    assert_eq!(
        (field(link, "type").as_str(), field(link, "redirect_to").as_str()),
        ("signup", "https://shop.cauris.test/in")
    );
    assert_eq!(ask["confirmation_hash"], json!(digest(field(link, "token").as_bytes())));
}

#[test]
fn a_sign_up_that_needs_no_mail_is_a_session() {
    let db = FakeDb::answers(&[a_key(), opened()]);
    let got = post("/auth/v1/signup", &db, signing_up()).got();
    assert_eq!((got.status, &got.body["token_type"]), (200, &json!("bearer")));
    assert_eq!((&db.ask(1)["autoconfirm"], &db.ask(1)["confirmation_link"]), (&json!(true), &Value::Null));
    let taken = FakeDb::answers(&[a_key(), no(422, "USER_EXISTS")]);
    post("/auth/v1/signup", &taken, signing_up()).got().refused(422, "user_already_exists");
}

#[test]
fn without_an_address_and_a_password_somebody_is_anonymous() {
    let db = FakeDb::answers(&[a_key(), opened()]);
    let got = post("/auth/v1/signup", &db, json!({ "data": {}, "email": "", "phone": "" })).got();
    assert_eq!((got.status, &db.ask(1)["anonymous"]), (200, &json!(true)));
    for (body, status, code) in [
        (json!({ "email": "a@b.test" }), 400, "validation_failed"),
        (json!({ "password": PASSWORD }), 400, "validation_failed"),
        (json!({ "email": "a", "password": PASSWORD }), 400, "validation_failed"),
        (json!({ "phone": "+224620000000", "password": PASSWORD }), 422, "phone_provider_disabled"),
        (json!([]), 400, "validation_failed"),
    ] {
        post("/auth/v1/signup", &FakeDb::unreachable(), body).got().refused(status, code);
    }
}

#[test]
fn a_weak_password_is_refused_with_its_reasons() {
    let got =
        post("/auth/v1/signup", &FakeDb::unreachable(), json!({ "email": "a@b.test", "password": "1234567" })).got();
    got.refused(422, "weak_password");
    assert_eq!(got.body["weak_password"], json!({ "reasons": ["length", "characters"] }));
}

#[test]
fn a_mail_is_asked_for_with_one_answer_whoever_has_an_account() {
    let said = |answers: &[(u16, Value)], path: &str, body: &Value| {
        let got = post(path, &FakeDb::answers(answers), body.clone()).got();
        (got.status, got.text)
    };
    let body = json!({ "email": "a@b.test" });
    let nothing = (200, "{}".to_owned());
    for answer in [(200, json!({})), no(429, "OVER_EMAIL_SEND_RATE_LIMIT")] {
        assert_eq!(said(&[answer], "/auth/v1/recover", &body), nothing);
    }
    let known = |confirmed: bool| (200, json!({ "user_id": null, "password_hash": null, "confirmed": confirmed }));
    for answers in [
        [known(true), (200, json!({}))],
        [known(false), mailed()],
        [known(false), no(429, "OVER_EMAIL_SEND_RATE_LIMIT")],
    ] {
        assert_eq!(said(&answers, "/auth/v1/otp", &body), nothing);
    }
    let existing = json!({ "email": "a@b.test", "create_user": false });
    assert_eq!(said(&[(200, json!({}))], "/auth/v1/otp", &existing), nothing);
    let again = json!({ "email": "a@b.test", "type": "signup" });
    assert_eq!(said(&[(200, json!({}))], "/auth/v1/resend", &again), nothing);
}

#[test]
fn a_link_to_a_stranger_leads_home() {
    for (asked, led) in [
        ("https%3A%2F%2Fevil.test%2F", "https://app.cauris.test"),
        ("", "https://app.cauris.test"),
        ("https%3A%2F%2Fapp.cauris.test%2Freset", "https://app.cauris.test/reset"),
    ] {
        let db = FakeDb::answers(&[(200, json!({}))]);
        post(&format!("/auth/v1/recover?redirect_to={asked}"), &db, json!({ "email": "a@b.test" })).got();
        assert_eq!(field(db.ask(0)["link"].as_str().unwrap(), "redirect_to"), led);
        // And once more where it is followed: the link could have been changed on the way.
        let followed = FakeDb::answers(&[a_key(), opened()]);
        let got = to("GET", &format!("/auth/v1/verify?token=T&type=recovery&redirect_to={asked}"), &followed).got();
        assert!(got.header("location").unwrap().starts_with(&format!("{led}#access_token=")), "{got:?}");
    }
}

#[test]
fn a_followed_link_hands_the_session_over_in_the_fragment() {
    let db = FakeDb::answers(&[a_key(), opened()]);
    let got = to("GET", "/auth/v1/verify?token=T&type=recovery", &db).got();
    let location = got.header("location").unwrap();
    let (page, fragment) = location.split_once('#').unwrap();
    assert_eq!((got.status, got.text.as_str(), page), (303, "", "https://app.cauris.test"));
    assert_eq!(got.header("referrer-policy"), Some("no-referrer"));
    let given = form::decode(fragment.as_bytes()).unwrap();
    let names: Vec<_> = given.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["access_token", "expires_at", "expires_in", "refresh_token", "token_type", "type"]);
    assert_eq!((&db.ask(1)["token_hash"], &db.ask(1)["type"]), (&json!(digest(b"T")), &json!("recovery")));
    assert_eq!(db.ask(1)["refresh_hash"], json!(digest(form::only(&given, "refresh_token").unwrap().as_bytes())));
}

#[test]
fn a_dead_link_leads_to_the_page_with_a_reason() {
    let db = FakeDb::answers(&[a_key(), no(403, "OTP_EXPIRED")]);
    let got = to("GET", "/auth/v1/verify?token=T&type=signup", &db).got();
    let reason = "error=access_denied&error_code=otp_expired&error_description=Email+link+is+invalid+or+has+expired";
    assert_eq!((got.status, got.header("location")), (303, Some(format!("https://app.cauris.test#{reason}").as_str())));
    let down = FakeDb::answers(&[a_key(), (503, json!({ "code": "PGRST001", "message": "gone" }))]);
    assert_eq!(to("GET", "/auth/v1/verify?token=T&type=signup", &down).got().status, 503);
    to("GET", "/auth/v1/verify?type=signup", &FakeDb::unreachable()).got().refused(400, "validation_failed");
}

#[test]
fn an_app_may_take_the_token_out_of_the_link() {
    for (body, token, address) in [
        (json!({ "type": "email", "token_hash": "T" }), "T", Value::Null),
        (json!({ "type": "signup", "token": "T", "email": "A@b.test" }), "T", json!("a@b.test")),
    ] {
        let db = FakeDb::answers(&[a_key(), opened()]);
        assert_eq!(post("/auth/v1/verify", &db, body).got().status, 200);
        assert_eq!((&db.ask(1)["token_hash"], &db.ask(1)["email"]), (&json!(digest(token.as_bytes())), &address));
    }
    for body in [
        json!({ "token_hash": "T" }),
        json!({ "type": "email" }),
        json!({ "type": "email", "token": "T" }),
        json!({ "type": "email", "token": "T", "token_hash": "T", "email": "a@b.test" }),
    ] {
        post("/auth/v1/verify", &FakeDb::unreachable(), body).got().refused(400, "validation_failed");
    }
}

/// Signs up with PKCE and follows the link: what is left in the URL of the app, and the hash that the session waits under.
fn code(method: &str) -> (String, String) {
    let db = FakeDb::answers(&[mailed()]);
    post("/auth/v1/signup", &db, with_challenge(signing_up(), method)).by_mail().got();
    let token = field(db.ask(0)["confirmation_link"].as_str().unwrap(), "token");
    assert!(token.starts_with("pkce_"), "{token}");
    let db = FakeDb::answers(&[opened()]);
    let got = to("GET", &format!("/auth/v1/verify?token={token}&type=signup"), &db).got();
    let location = got.header("location").unwrap().to_owned();
    assert!(!location.contains("access_token"), "{location}");
    assert_eq!(db.ask(0)["token_hash"], json!(digest(token.as_bytes())));
    (field(&location, "code"), db.ask(0)["refresh_hash"].as_str().unwrap().to_owned())
}

#[test]
fn a_code_is_exchanged_by_whoever_has_the_verifier() {
    for method in ["s256", "plain"] {
        let (code, hash) = code(method);
        let db = FakeDb::answers(&[a_key(), opened()]);
        let ask = json!({ "auth_code": code, "code_verifier": VERIFIER });
        assert_eq!(post("/auth/v1/token?grant_type=pkce", &db, ask).got().status, 200);
        assert_eq!(db.ask(1)["refresh_hash"], json!(hash), "{method}");
    }
}

#[test]
fn a_code_without_its_verifier_is_worth_nothing() {
    let (code, hash) = code("s256");
    let grant = |db: &Rc<FakeDb>, code: &str, verifier: &str| {
        post("/auth/v1/token?grant_type=pkce", db, json!({ "auth_code": code, "code_verifier": verifier })).got()
    };
    let none = FakeDb::unreachable();
    grant(&none, &code, "another-verifier").refused(400, "bad_code_verifier");
    grant(&none, "short", VERIFIER).refused(404, "flow_state_not_found");
    let old = code.replace("1800000000", "1799999699");
    grant(&none, &old, VERIFIER).refused(422, "flow_state_expired");
    // With a younger time or another challenge it is another code, which nobody waits for.
    let gone = FakeDb::answers(&[a_key(), no(400, "REFRESH_TOKEN_NOT_FOUND")]);
    grant(&gone, &code.replace("1800000000", "1800000001"), VERIFIER).refused(404, "flow_state_not_found");
    assert_ne!(gone.ask(1)["refresh_hash"], json!(hash));
    // Nor is it a refresh token, or anything that hashes like one.
    assert_ne!(digest(code.as_bytes()), hash);
}

#[test]
fn a_challenge_comes_with_its_method_and_has_the_right_form() {
    let long = "x".repeat(129);
    for (challenge, method) in [
        (Some(VERIFIER), None),
        (None, Some("s256")),
        (Some("short"), Some("plain")),
        (Some(VERIFIER), Some("S512")),
        (Some(VERIFIER), Some("s256")),
        (Some(long.as_str()), Some("plain")),
    ] {
        let body = json!({ "email": "a@b.test", "code_challenge": challenge, "code_challenge_method": method });
        post("/auth/v1/recover", &FakeDb::unreachable(), body).got().refused(400, "validation_failed");
    }
}
