//! The list of supabase.md, section 7, without a client in between: what any HTTP client meets at the door. Each test runs
//! twice (line 12): under `wrangler dev` and on a bare workerd. There is no native gateway to try it on: the gateway is a
//! Worker, whoever hosts it. The published clients try the same list in tests/clients/conformance.test.mjs.

use libtest_mimic::Trial;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::call::{Call, Reply};
use crate::world::{World, keyless_world};

/// The trials of one test: on both runtimes, each followed by the check of the books.
pub fn on_both<F>(module: &str, name: &str, test: fn(&'static World) -> F) -> [Trial; 2]
where
    F: Future<Output = ()> + 'static,
{
    let bare = Trial::test(format!("{module}::c12_{}_on_bare_workerd", &name[1..]), move || {
        crate::RUNTIME.block_on(async {
            let world = keyless_world().await;
            test(world).await;
            world.check_books().await;
        });
        Ok(())
    });
    [crate::trial(module, name, test), bare]
}

macro_rules! both {
    ($($name:ident),+ $(,)?) => {
        pub fn tests() -> Vec<libtest_mimic::Trial> {
            let module = module_path!().rsplit("::").next().unwrap_or_default();
            let pairs = [$($crate::conformance::on_both(module, stringify!($name), |world| $name(world))),+];
            pairs.into_iter().flatten().collect()
        }
    };
}

both![
    c01_a_preflight_allows_all_six_methods_and_any_header,
    c02_every_status_can_be_read_by_a_page_of_another_origin,
    c04_json_is_json_under_any_of_its_names,
    c04_what_is_no_json_of_ours_is_refused_and_nothing_falls_over,
    c11_a_region_is_accepted_and_ignored,
    c11_paths_that_climb_lead_nowhere,
    c11_a_query_of_eight_kilobytes_is_no_trouble,
];

async fn c01_a_preflight_allows_all_six_methods_and_any_header(w: &'static World) {
    let headers = "authorization,apikey,content-type,x-client-info,x-header-of-tomorrow";
    let paths =
        ["/functions/v1/wallet-operations", "/functions/v1/no-such-thing", "/rest/v1/wallets", "/storage/v1/bucket"];
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let call = w.request(Method::OPTIONS, path).header("access-control-request-method", method);
            let reply = call.header("access-control-request-headers", headers).send().await;
            assert_eq!(reply.status, 204, "{reply}");
            assert!(reply.header("access-control-allow-origin").is_some(), "{reply}");
            assert_eq!(reply.header("access-control-allow-headers"), Some(headers), "{reply}");
            let methods = reply.header("access-control-allow-methods").unwrap_or_default();
            assert!(methods.split(", ").any(|one| one == method), "{method} is not among {methods}");
            let age: u32 = reply.header("access-control-max-age").and_then(|age| age.parse().ok()).unwrap_or(0);
            let vary = reply.header("vary").unwrap_or_default().to_lowercase();
            assert!(age >= 7_200 && vary.contains("access-control-request-headers"), "{age} {vary}: {reply}");
        }
    }
}

#[track_caller]
fn readable(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{reply}");
    assert!(reply.header("access-control-allow-origin").is_some(), "no CORS: {reply}");
    let exposed = reply.header("access-control-expose-headers").unwrap_or_default();
    for name in ["x-request-id", "retry-after", "x-relay-error", "sb-error-code", "content-range", "server-timing"] {
        assert!(exposed.split(", ").any(|one| one == name), "{name} is not exposed: {exposed}: {reply}");
    }
    assert!(reply.header("content-type").is_some_and(|media| media.starts_with("application/json")), "{reply}");
    assert!(reply.body.is_object() || reply.body.is_array(), "no JSON: {reply}");
    assert!(status < 400 || reply.code() != "", "a refusal without a code: {reply}");
}

/// 429 is `limits`' to show, 500 to 504 `conformance_passing`'s, whose upstream fails on demand.
async fn c02_every_status_can_be_read_by_a_page_of_another_origin(w: &'static World) {
    let (fatou, binta) = (w.rich(10_000, "GNF").await, w.person().await);
    let transfer = |amount: i64| json!({ "operation": "transfer", "amount": amount, "recipient_id": binta.id });
    let keyed = async |amount: i64| {
        let call = w.function("wallet-operations").bearer(&fatou.token).header("idempotency-key", "conformance-02");
        call.json(&transfer(amount)).send().await
    };
    readable(&w.request(Method::GET, "/functions/v1/health").send().await, 200);
    readable(&fatou.call("wallet-operations", json!({ "operation": 7 })).await, 400);
    readable(&w.function("wallet-operations").json(&json!({})).send().await, 401);
    readable(&fatou.call("wallet-admin", json!({ "action": "stats" })).await, 403);
    readable(&fatou.call("no-such-thing", json!({})).await, 404);
    readable(&w.request(Method::DELETE, "/functions/v1/wallet-operations").send().await, 405);
    readable(&fatou.call("wallet-operations", transfer(999_999)).await, 409);
    let large = format!("{{\"pad\":\"{}\"}}", "x".repeat(1024 * 1024));
    readable(&w.function("wallet-operations").bearer(&fatou.token).raw(large).send().await, 413);
    let xml = w.function("wallet-operations").bearer(&fatou.token).header("content-type", "application/xml");
    readable(&Call(xml.0.body("<a/>")).send().await, 415);
    readable(&keyed(1_000).await, 200);
    readable(&keyed(2_000).await, 422);
    readable(&w.request(Method::GET, "/storage/v1/bucket").send().await, 501);
    readable(&w.request(Method::POST, "/rest/v1/rpc/no_such_function").json(&json!({})).send().await, 404);
}

async fn quote(w: &'static World, call: impl FnOnce(Call) -> Call) -> Reply {
    let fatou = w.person().await;
    call(w.function("taxi-quote-fare").bearer(&fatou.token)).send().await
}

const ASK: &str = r#"{"distanceKm":3.2,"durationMin":12,"lat":9.5,"lng":-13.7}"#;

async fn c04_json_is_json_under_any_of_its_names(w: &'static World) {
    for kind in
        ["application/json", "application/json; charset=utf-8", "application/vnd.api+json", "text/plain;charset=UTF-8"]
    {
        let reply = quote(w, |call| Call(call.header("content-type", kind).0.body(ASK))).await;
        assert!(reply.ok(200)["total"].is_i64(), "{kind}: {reply}");
    }
    quote(w, |call| Call(call.0.body(ASK))).await.ok(200);
    quote(w, |call| call).await.refused(400, "VALIDATION_ERROR");
    let polluted = ASK.replacen('{', r#"{"__proto__":{"total":1,"isAdmin":true},"constructor":{"prototype":{}},"#, 1);
    let (clean, polluted) = (quote(w, |call| call.raw(ASK)).await, quote(w, |call| call.raw(polluted)).await);
    assert_eq!(polluted.ok(200)["total"], clean.ok(200)["total"], "a name from JavaScript's depths meant something");
}

async fn c04_what_is_no_json_of_ours_is_refused_and_nothing_falls_over(w: &'static World) {
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let large = format!("{{\"pad\":\"{}\"}}", "x".repeat(1024 * 1024 + 1 - 10));
    assert_eq!(large.len(), 1024 * 1024 + 1);
    quote(w, |call| call.raw(large)).await.refused(413, "PAYLOAD_TOO_LARGE");
    let bad: [&[u8]; 5] = [b"{\"a\":\"\xff\xfe\"}", b"{\"a\":1,\"a\":2}", deep.as_bytes(), b"not json", b"{\"a\":}"];
    for body in bad {
        quote(w, |call| call.raw(body.to_vec())).await.refused(400, "BAD_JSON");
        // The same, sent as text by a client that was given a string.
        quote(w, |call| Call(call.header("content-type", "text/plain").0.body(body.to_vec())))
            .await
            .refused(400, "BAD_JSON");
    }
    let (fatou, binta) = (w.rich(100_000, "GNF").await, w.person().await);
    for amount in ["9007199254740993", "1e3", "1000.0", "\"1000\"", "-1", "0", "99999999999999999999"] {
        let body = format!(r#"{{"operation":"transfer","amount":{amount},"recipient_id":"{}"}}"#, binta.id);
        let reply = w.function("wallet-operations").bearer(&fatou.token).raw(body).send().await;
        assert!(reply.status == 400, "{amount}: {reply}");
    }
    assert_eq!((fatou.gnf().await, binta.gnf().await), (100_000, 0));
}

async fn c11_a_region_is_accepted_and_ignored(w: &'static World) {
    let fatou = w.person().await;
    let path = "/functions/v1/taxi-quote-fare?forceFunctionRegion=eu-west-3";
    let call = w.request(Method::POST, path).bearer(&fatou.token).header("x-region", "eu-west-3");
    call.raw(ASK).send().await.ok(200);
}

/// One request exactly as it is written here: every client library tidies paths up before it sends them.
async fn as_written(w: &World, target: &str) -> (u16, Value) {
    let address = w.api.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("the gateway listens");
    let head = format!("GET {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.expect("read to the end");
    let said = String::from_utf8_lossy(&said);
    let status = said.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = said.find('{').zip(said.rfind('}')).map_or("", |(from, to)| &said[from..=to]);
    (status, serde_json::from_str(body).unwrap_or_default())
}

async fn c11_paths_that_climb_lead_nowhere(w: &'static World) {
    for target in [
        "/rest/v1/..%2f..%2fauth/v1/admin/users",
        "/rest/v1/%2e%2e/rpc/health",
        "/rest/v1/../../rpc/payment_settle",
        "/functions/v1/..%2fhealth",
        "/functions/v1/%2e%2e/rest/v1/users",
        "/functions/v1/a%2Fb",
        "//functions/v1/health",
        "/storage/v1/../auth/v1/admin/users",
        "/docs/../wrangler.toml",
        "/docs/%2e%2e/index.js",
    ] {
        let (status, body) = as_written(w, target).await;
        let refused = StatusCode::from_u16(status).is_ok_and(|status| status.is_client_error());
        assert!(refused || status == 501, "{target}: {status} {body}");
        assert!(body["code"].is_string(), "{target}: {status} {body}");
    }
    let (status, body) = as_written(w, "/functions/v1/health/sub/path?x=1").await;
    assert_eq!((status, &body["status"]), (200, &json!("ok")), "{body}");
}

async fn c11_a_query_of_eight_kilobytes_is_no_trouble(w: &'static World) {
    let query = "x".repeat(8 * 1024);
    w.request(Method::GET, &format!("/functions/v1/health?pad={query}")).send().await.ok(200);
    let fatou = w.rich(1_000, "GNF").await;
    let ids = format!("{},", fatou.id).repeat(220);
    let path = format!("wallets?select=balance&user_id=in.({}{})", ids, fatou.id);
    assert!(path.len() > 8 * 1024);
    assert_eq!(*w.rest(Method::GET, &path, &fatou.token).send().await.ok(200), json!([{ "balance": 1_000 }]));
}
