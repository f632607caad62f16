//! Whom `/rest/v1` takes a caller for, as SQL sees him, and who is refused (supabase.md, section 7: lines 3 and 6).

use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use xtask::keys::{self, Alg, TokenOptions};

use crate::call::{Call, Reply};
use crate::conformance::on_both;
use crate::world::{World, keyless_world};

const CHROME: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";

pub fn tests() -> Vec<Trial> {
    let mut trials = vec![
        told("c03_every_credential_is_the_role_it_should_be", |w| Box::pin(every_credential(w))),
        told("c03_a_secret_key_never_works_in_a_browser", |w| Box::pin(no_secret_in_a_browser(w))),
        told("c03_a_backend_that_speaks_for_a_user_is_that_user", |w| Box::pin(backend_for_a_user(w))),
    ];
    trials.extend(on_both("conformance_rest", "c06_a_token_that_does_not_hold_is_refused_at_both_doors", |w| {
        at_both_doors(w)
    }));
    trials.extend(on_both("conformance_rest", "c06_a_key_that_is_not_ours_is_refused_by_its_header", |w| {
        by_its_header(w)
    }));
    trials
}

type Local = std::pin::Pin<Box<dyn Future<Output = ()>>>;

fn told(name: &str, test: fn(&'static World) -> Local) -> Trial {
    Trial::test(format!("conformance_rest::{name}"), move || {
        crate::RUNTIME.block_on(async { test(telling_world().await).await });
        Ok(())
    })
}

/// A world in which SQL says whom it sees. Not the shared one: there every function of `api` is one that we ship.
pub async fn telling_world() -> &'static World {
    static TOLD: OnceCell<()> = OnceCell::const_new();
    let world = keyless_world().await;
    TOLD.get_or_init(|| async {
        let sql = "create function api.conformance_role() returns jsonb language sql stable set search_path = '' as $$
                select jsonb_build_object('role', current_setting('role', true),
                    'sub', nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub') $$;
            revoke execute on function api.conformance_role() from public;
            grant execute on function api.conformance_role() to anon, authenticated, service_role;
            notify pgrst, 'reload schema'";
        world.connect().await.expect("Postgres answers").batch_execute(sql).await.expect("the function is made");
        let known = async || (role(world, |call| call).await.status == 200).then_some(());
        world.eventually("PostgREST knows the function", known).await;
    })
    .await;
    world
}

async fn role(w: &World, credentials: impl FnOnce(Call) -> Call) -> Reply {
    credentials(w.request(Method::GET, "/rest/v1/rpc/conformance_role")).send().await
}

async fn every_credential(w: &'static World) {
    let fatou = w.person().await;
    let es256 = keys::user_token(&fatou.id, &TokenOptions { alg: Alg::Es256, ..TokenOptions::default() });
    let (anon, service) = (w.vars["ANON_KEY"].as_str(), w.vars["SERVICE_ROLE_KEY"].as_str());
    let (publishable, secret, user) = (keys::PUBLISHABLE_KEY, keys::SECRET_KEY, fatou.token.as_str());
    let mine = json!(fatou.id);
    for (apikey, bearer, expected, sub) in [
        (None, None, "anon", &Value::Null),
        (Some(publishable), None, "anon", &Value::Null),
        (Some(publishable), Some(publishable), "anon", &Value::Null),
        (Some(publishable), Some(user), "authenticated", &mine),
        (Some(anon), Some(anon), "anon", &Value::Null),
        (Some(anon), None, "anon", &Value::Null),
        (Some(anon), Some(user), "authenticated", &mine),
        (Some(anon), Some(es256.as_str()), "authenticated", &mine),
        (None, Some(user), "authenticated", &mine),
        (Some(secret), None, "service_role", &Value::Null),
        (Some(secret), Some(secret), "service_role", &Value::Null),
        (Some(service), Some(service), "service_role", &Value::Null),
        (Some(service), None, "service_role", &Value::Null),
    ] {
        let reply = role(w, |call| with(call, apikey, bearer)).await;
        let said = reply.ok(200);
        assert_eq!((&said["role"], &said["sub"]), (&json!(expected), sub), "{apikey:?} {bearer:?}: {reply}");
    }
}

fn with(call: Call, apikey: Option<&str>, bearer: Option<&str>) -> Call {
    let call = apikey.into_iter().fold(call, |call, key| call.header("apikey", key));
    bearer.into_iter().fold(call, |call, token| call.bearer(token))
}

async fn no_secret_in_a_browser(w: &'static World) {
    let browser = |key: &'static str| move |call: Call| call.header("apikey", key).header("user-agent", CHROME);
    let reply = role(w, browser(keys::SECRET_KEY)).await;
    let hint = reply.refused(401, "UNAUTHENTICATED")["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("apikey") && hint.contains("browser"), "{reply}");
    assert!(!reply.text.contains(keys::SECRET_KEY), "{reply}");
    assert_eq!(role(w, browser(keys::PUBLISHABLE_KEY)).await.ok(200)["role"], "anon");
}

async fn backend_for_a_user(w: &'static World) {
    let fatou = w.person().await;
    let reply = role(w, |call| with(call, Some(keys::SECRET_KEY), Some(&fatou.token))).await;
    assert_eq!((&reply.ok(200)["role"], &reply.body["sub"]), (&json!("authenticated"), &json!(fatou.id)), "{reply}");
}

/// Each bad token at a function and at `/rest/v1`: neither door makes its bearer somebody less.
async fn at_both_doors(w: &'static World) {
    let fatou = w.rich(1_000, "GNF").await;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let claims = |claims: Value| keys::user_token(&fatou.id, &TokenOptions { claims, ..TokenOptions::default() });
    let mut bad = vec![
        ("expired", claims(json!({ "exp": now - 60 }))),
        ("without an end", claims(json!({ "exp": null }))),
        ("not yet", claims(json!({ "nbf": now + 120 }))),
        ("another audience", claims(json!({ "aud": "somebody" }))),
        ("another issuer", claims(json!({ "iss": "https://evil.test/auth/v1" }))),
        ("no UUID", claims(json!({ "sub": "1" }))),
        ("another role", claims(json!({ "role": "postgres" }))),
        ("no role", claims(json!({ "role": null }))),
        ("a changed signature", changed(&fatou.token)),
    ];
    let es256 = keys::user_token(&fatou.id, &TokenOptions { alg: Alg::Es256, ..TokenOptions::default() });
    let (body, good) = (part(&es256, 1), part(&fatou.token, 1));
    for (what, header) in [
        ("no algorithm", json!({ "alg": "none", "typ": "JWT" })),
        ("a key that nobody published", json!({ "alg": "ES256", "kid": "no-such-key" })),
        ("another algorithm for a published key", json!({ "alg": "HS256", "kid": "cauris-dev-es256" })),
    ] {
        use base64::Engine as _;
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header.to_string());
        bad.push((what, format!("{header}.{good}.")));
        bad.push((what, format!("{header}.{body}.{}", part(&es256, 2))));
    }
    for (what, token) in bad {
        let function = w.function("taxi-quote-fare").bearer(&token).json(&json!({})).send().await;
        assert!(function.is_refusal(401, "UNAUTHENTICATED"), "{what}: {function}");
        let rest = w.rest(Method::GET, "wallets?select=balance", &token).send().await;
        let hint = rest.refused(401, "UNAUTHENTICATED")["hint"].as_str().unwrap_or_default().to_owned();
        assert!(hint.contains("Authorization"), "{what}: the hint names no header: {rest}");
    }
    for header in
        [format!("bearer {}", fatou.token), format!("BEARER {}", fatou.token), format!("Bearer {} ", fatou.token)]
    {
        let rest =
            w.request(Method::GET, "/rest/v1/wallets?select=balance").header("authorization", &header).send().await;
        assert_eq!(*rest.ok(200), json!([{ "balance": 1_000 }]), "{header}");
    }
    let twice = w.request(Method::GET, "/rest/v1/wallets").bearer(&fatou.token).bearer(&fatou.token).send().await;
    twice.refused(401, "UNAUTHENTICATED");
}

/// Another first letter of the signature; of the last one, some bits mean nothing, and sometimes it is that letter already.
fn changed(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let other = if signature.starts_with('A') { "B" } else { "A" };
    format!("{signed}.{other}{}", &signature[1..])
}

fn part(token: &str, index: usize) -> String {
    token.split('.').nth(index).expect("three parts").to_owned()
}

async fn by_its_header(w: &'static World) {
    let fatou = w.person().await;
    let user = fatou.token.as_str();
    let known = Some(keys::PUBLISHABLE_KEY);
    for (apikey, bearer, header) in [
        (Some("sb_publishable_unknown"), None, "apikey"),
        (Some("sb_secret_unknown"), Some(user), "apikey"),
        (Some("no-key-at-all"), None, "apikey"),
        (known, Some("sb_publishable_unknown"), "Authorization"),
        (known, Some(keys::SECRET_KEY), "Authorization"),
        (None, known, "Authorization"),
        (known, Some("no.token.either"), "Authorization"),
    ] {
        let reply = with(w.request(Method::GET, "/rest/v1/wallets"), apikey, bearer).send().await;
        let hint = reply.refused(401, "UNAUTHENTICATED")["hint"].as_str().unwrap_or_default();
        assert!(hint.contains(header), "{apikey:?} {bearer:?}: {reply}");
        for value in [apikey, bearer].into_iter().flatten() {
            assert!(!reply.text.contains(value), "the answer repeats a credential: {reply}");
        }
    }
    let odd = w.request(Method::GET, "/rest/v1/wallets").header("authorization", "Basic YTpi").send().await;
    odd.refused(401, "UNAUTHENTICATED");
}
