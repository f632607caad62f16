//! How often one caller may call (non-functional.md, N30 to N42), on a stack that is as strict as production: a bare workerd,
//! where an object counts every class. Its windows slide, so no test can fall on the turn of a minute. The classes whose
//! functions come later are proved in shared/src/limits; here are those that somebody can call.

mod down;
mod held;

use serde_json::json;

use down::a_limiter_that_is_down_stops_money_and_webhooks_and_nothing_else;
use held::at_the_same_time;

use crate::call::{Call, Reply};
use crate::people::Person;
use crate::world::{World, bare_world, limited_world};

crate::tests![
    n30_a_stranger_has_sixty_calls_a_minute_and_a_hundred_in_a_quarter_of_an_hour,
    n30_a_forwarded_address_is_no_other_stranger,
    n30_five_calls_of_one_address_at_the_same_time,
    n31_a_person_has_a_hundred_calls_a_minute_at_all_functions_together,
    n31_ten_calls_of_one_person_at_the_same_time,
    n32_a_backend_has_a_thousand_calls_a_minute,
    n33_three_logins_at_once_and_then_one_every_twelve_seconds,
    n34_a_person_pays_twenty_times_a_minute_whoever_the_body_names,
    n34_the_platform_s_binding_counts_the_same,
    n34_a_command_at_the_rest_gateway_counts_as_a_payment,
    n35_each_provider_has_a_thousand_notifications_a_minute,
    n41_a_driver_s_heart_beats_thirty_times_a_minute,
    a_limiter_that_is_down_stops_money_and_webhooks_and_nothing_else,
    the_objects_that_count_are_called_by_nobody,
];

/// An address that no other test has.
fn address() -> String {
    let [a, b, c, ..] = *xtask::keys::random_uuid().as_bytes();
    format!("10.{a}.{b}.{c}")
}

fn stranger(w: &'static World, address: &str) -> Call {
    w.function("health").header("cf-connecting-ip", address).json(&json!({}))
}

async fn quote(person: &Person) -> Reply {
    person.call("taxi-quote-fare", json!({ "distanceKm": 3.2, "durationMin": 12, "lat": 9.5, "lng": -13.7 })).await
}

async fn preview(person: &Person) -> Reply {
    person.call("wallet-operations", json!({ "operation": "preview", "amount": 1_000, "currency": "GNF" })).await
}

/// How many of `most` calls, one after the other, were let in before the first refusal; and that refusal.
async fn until_refused(most: usize, mut call: impl AsyncFnMut() -> Reply) -> (usize, Reply) {
    for let_in in 0..=most {
        let reply = call().await;
        if reply.status == 429 {
            return (let_in, reply);
        }
        assert!(reply.status < 500, "{reply}");
    }
    panic!("more than {most} calls were let in");
}

/// The seconds of a refusal: in the header, in the details, and in what is left of the policy.
fn told_to_wait(reply: &Reply, policy: &str) -> u64 {
    let details = &reply.refused(429, "RATE_LIMITED")["details"];
    let seconds = details["retry_after"].as_u64().expect("seconds");
    assert_eq!(reply.header("retry-after"), Some(seconds.to_string().as_str()));
    let left = reply.header("ratelimit").unwrap_or_default();
    assert!(left.contains(&format!("\"{policy}\";r=0;t={seconds}")), "{left}");
    assert!(reply.header("ratelimit-policy").unwrap_or_default().contains(&format!("\"{policy}\";q=")), "{reply}");
    seconds
}

async fn n30_a_stranger_has_sixty_calls_a_minute_and_a_hundred_in_a_quarter_of_an_hour(_: &'static World) {
    let w = limited_world().await;
    let home = address();
    let call = async || stranger(w, &home).send().await;
    let first = call().await;
    first.ok(200);
    assert_eq!(first.header("ratelimit-policy"), Some("\"anonymous\";q=60;w=60, \"anonymous-900\";q=100;w=900"));
    assert_eq!(first.header("ratelimit"), Some("\"anonymous\";r=59;t=60"));
    let (let_in, refusal) = until_refused(60, call).await;
    assert_eq!(let_in, 59);
    let seconds = told_to_wait(&refusal, "anonymous");
    assert!((1..=60).contains(&seconds), "{seconds}");
    stranger(w, &address()).send().await.ok(200);
    // Who waits as long as he was told comes in; and the long window is full before the next short one.
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    call().await.ok(200);
    let (mut let_in, mut refusal) = until_refused(60, call).await;
    while told_to_wait(&refusal, if let_in == 39 { "anonymous-900" } else { "anonymous" }) <= 60 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let (more, next) = until_refused(60, call).await;
        (let_in, refusal) = (let_in + more, next);
    }
    assert_eq!(let_in, 39, "sixty, one, and these");
}

async fn n30_a_forwarded_address_is_no_other_stranger(_: &'static World) {
    let w = limited_world().await;
    let (home, mut n) = (address(), 0);
    let (let_in, _) = until_refused(60, async || {
        n += 1;
        let call = stranger(w, &home).header("x-forwarded-for", format!("10.0.0.{n}"));
        let call = call.header("x-real-ip", format!("10.0.1.{n}")).header("true-client-ip", format!("10.0.2.{n}"));
        call.header("forwarded", format!("for=10.0.3.{n}")).send().await
    })
    .await;
    assert_eq!(let_in, 60);
}

async fn n30_five_calls_of_one_address_at_the_same_time(_: &'static World) {
    let w = limited_world().await;
    let home = address();
    let header = format!("cf-connecting-ip: {home}");
    at_the_same_time(w, 5, ("health", &header), async || stranger(w, &home).send().await).await;
}

async fn n31_ten_calls_of_one_person_at_the_same_time(_: &'static World) {
    let w = limited_world().await;
    let person = w.person().await;
    let header = format!("authorization: Bearer {}", person.token);
    // Each function counts for itself how many are inside; so another one still answers.
    at_the_same_time(w, 10, ("taxi-quote-fare", &header), async || quote(&person).await).await;
}

async fn n31_a_person_has_a_hundred_calls_a_minute_at_all_functions_together(_: &'static World) {
    let w = limited_world().await;
    let (person, other) = (w.person().await, w.person().await);
    for _ in 0..60 {
        quote(&person).await.ok(200);
    }
    let ask = || json!({ "currency": "XOF", "country": "SN" });
    let (let_in, refusal) = until_refused(100, async || person.call("moneroo-get-payment-methods", ask()).await).await;
    assert_eq!(let_in, 40, "two functions of one class have one counter");
    told_to_wait(&refusal, "default");
    assert_eq!(quote(&person).await.status, 429);
    quote(&other).await.ok(200);
    preview(&person).await.ok(200);
}

/// Calls in crowds, each answered with `status`, until one is refused: after a thousand, or a few more where that took so
/// long that the first were forgotten.
async fn a_thousand_and(status: u16, call: impl AsyncFn() -> Reply) -> Reply {
    let mut let_in = 0;
    while let_in < 3_000 {
        let replies: Vec<_> = (0..20).map(|_| call()).collect();
        for reply in futures_util::future::join_all(replies).await {
            if reply.status == 429 {
                assert!(let_in >= 1_000, "refused after {let_in}");
                return reply;
            }
            assert_eq!(reply.status, status, "{reply}");
            let_in += 1;
        }
    }
    panic!("{let_in} calls were let in");
}

async fn n32_a_backend_has_a_thousand_calls_a_minute(_: &'static World) {
    let w = limited_world().await;
    // Refused by the handler, and so quickly; the door has counted it before.
    let call = async || {
        let call = w.function("fraud-detection").header("x-internal-api-key", &w.vars["INTERNAL_API_KEY"]);
        call.json(&json!({})).send().await
    };
    let refusal = a_thousand_and(400, call).await;
    told_to_wait(&refusal, "server");
}

async fn n33_three_logins_at_once_and_then_one_every_twelve_seconds(_: &'static World) {
    let w = limited_world().await;
    let (home, email) = (address(), format!("{}@people.test", xtask::keys::random_uuid().simple()));
    let login = async |address: &str, email: &str| {
        let call = w.request(reqwest::Method::POST, "/auth/v1/token?grant_type=password");
        let call = call.header("apikey", &w.vars["ANON_KEY"]).header("cf-connecting-ip", address);
        call.json(&json!({ "email": email, "password": "not the password" })).send().await
    };
    for _ in 0..3 {
        let reply = login(&home, &email).await;
        assert!((400..500).contains(&reply.status) && reply.status != 429, "{reply}");
    }
    let refusal = login(&home, &email).await;
    assert_eq!(refusal.status, 429, "{refusal}");
    let seconds: u64 = refusal.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
    assert!((1..=12).contains(&seconds), "{seconds}");
    // Written otherwise it is the same person; another one, or the same one elsewhere, is not.
    assert_eq!(login(&home, &email.to_uppercase()).await.status, 429);
    assert_ne!(login(&home, &format!("x{email}")).await.status, 429);
    assert_ne!(login(&address(), &email).await.status, 429);
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    assert_ne!(login(&home, &email).await.status, 429, "the bucket gave one back");
    assert_eq!(login(&home, &email).await.status, 429, "and no more than one");
}

async fn n34_a_person_pays_twenty_times_a_minute_whoever_the_body_names(_: &'static World) {
    let w = limited_world().await;
    let (payer, other) = (w.rich(50_000, "GNF").await, w.person().await);
    for n in 0..10 {
        let ask = json!({ "operation": "preview", "amount": 1_000 + n, "currency": "GNF" });
        payer.call("wallet-operations", ask).await.ok(200);
    }
    let mut n = 0;
    let (let_in, refusal) = until_refused(20, async || {
        n += 1;
        // Another name and another address in each: refused by the handler, and counted all the same.
        let call = w.function("moneroo-verify-payment").bearer(&payer.token).header("x-forwarded-for", address());
        call.json(&json!({ "paymentId": format!("none-{n}"), "user_id": other.id })).send().await
    })
    .await;
    assert_eq!(let_in, 10, "two functions of one class have one counter");
    told_to_wait(&refusal, "payment");
    quote(&payer).await.ok(200);
    preview(&other).await.ok(200);
}

/// Under `wrangler dev`, whose minutes are whole ones: of 41 calls one comes too many, even across the turn of one.
async fn n34_the_platform_s_binding_counts_the_same(_: &'static World) {
    let w = bare_world().await;
    let (payer, other) = (w.rich(50_000, "GNF").await, w.person().await);
    let first = preview(&payer).await;
    first.ok(200);
    assert_eq!(first.header("ratelimit-policy"), Some("\"payment\";q=20;w=60"));
    assert_eq!(first.header("ratelimit"), None, "a binding says yes or no");
    let (_, refusal) = until_refused(40, async || preview(&payer).await).await;
    assert_eq!(told_to_wait(&refusal, "payment"), 60);
    quote(&payer).await.ok(200);
    preview(&other).await.ok(200);
}

async fn n34_a_command_at_the_rest_gateway_counts_as_a_payment(_: &'static World) {
    let w = limited_world().await;
    let fatou = w.person().await;
    let command = async || {
        let ask = json!({ "ask": { "operation": "preview", "amount": 1_000, "currency": "GNF" } });
        w.rest(reqwest::Method::POST, "rpc/wallet_operations", &fatou.token).json(&ask).send().await
    };
    for _ in 0..5 {
        preview(&fatou).await.ok(200);
    }
    // By whichever door: the class and the person are the same.
    let (let_in, refusal) = until_refused(20, command).await;
    assert_eq!(let_in, 15);
    refusal.refused(429, "RATE_LIMITED");
    preview(&fatou).await.refused(429, "RATE_LIMITED");
    // A read is none.
    w.rest(reqwest::Method::GET, "wallets?select=balance", &fatou.token).send().await.ok(200);
}

async fn n35_each_provider_has_a_thousand_notifications_a_minute(_: &'static World) {
    let w = limited_world().await;
    let notify = async |provider: &str| {
        let path = format!("payment-webhook?provider={provider}");
        // From another address each time: a provider has many.
        w.function(&path).header("cf-connecting-ip", address()).json(&json!({})).send().await
    };
    let refusal = a_thousand_and(403, async || notify("stripe").await).await;
    told_to_wait(&refusal, "webhook");
    notify("paystack").await.refused(403, "INVALID_SIGNATURE");
    let legacy = w.function("escrow-stripe-webhook").json(&json!({})).send().await;
    assert_eq!(legacy.status, 429, "the same provider under its legacy name");
    w.function("moneroo-webhook").json(&json!({})).send().await.refused(403, "INVALID_SIGNATURE");
}

async fn n41_a_driver_s_heart_beats_thirty_times_a_minute(_: &'static World) {
    let w = limited_world().await;
    let driver = w.driver().await;
    let beat = async || driver.call("taxi-driver-heartbeat", json!({ "is_online": false })).await;
    let (let_in, refusal) = until_refused(30, beat).await;
    assert_eq!(let_in, 30);
    told_to_wait(&refusal, "heartbeat");
    quote(&driver).await.ok(200);
}

async fn the_objects_that_count_are_called_by_nobody(_: &'static World) {
    let w = limited_world().await;
    for name in ["counters", "counters/enter/payment", "limiter", "meter"] {
        w.function(name).json(&json!({})).send().await.refused(404, "NOT_FOUND");
    }
}
