//! What passes through the gateway, in both directions, judged by what an upstream got and a client read
//! (supabase.md, section 7: lines 1, 2, 8 to 11).

use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use crate::call::Reply;
use crate::conformance_upstream::{Lone, ORIGIN, lone, mark};

macro_rules! alone {
    ($($name:ident),+ $(,)?) => {
        pub fn tests() -> Vec<Trial> {
            vec![$(Trial::test(concat!("conformance_passing::", stringify!($name)), || {
                crate::RUNTIME.block_on(async { $name(lone().await).await });
                Ok(())
            })),+]
        }
    };
}

alone![
    n76_an_origin_that_is_not_listed_may_read_nothing,
    n76_every_answer_carries_the_security_headers,
    c08_what_only_a_platform_may_say_reaches_no_upstream,
    c08_a_function_hands_no_header_of_its_caller_to_the_database,
    c09_a_refusal_of_sql_keeps_its_status_and_its_headers,
    c09_a_duplicate_is_a_conflict_and_a_timeout_is_a_504,
    c09_a_read_is_asked_once_more_after_a_migration_and_a_command_is_not,
    c09_an_error_page_becomes_json,
    c10_a_redirect_and_its_cookies_come_back_untouched,
    c10_refusals_keep_their_shape_and_their_version,
    c10_the_client_address_is_the_platforms,
    c10_a_sign_in_has_a_megabyte,
    storage_gets_both_keys_and_its_uploads_are_resumable,
    storage_streams_what_is_larger_than_any_buffer,
    realtime_is_a_socket_from_end_to_end,
    c11_paths_and_queries_arrive_as_they_were_sent,
];

const PUBLISHABLE: &str = xtask::keys::PUBLISHABLE_KEY;

async fn get(l: &Lone, path: &str) -> Reply {
    l.request(Method::GET, path).send().await
}

async fn n76_an_origin_that_is_not_listed_may_read_nothing(l: &'static Lone) {
    for path in ["/rest/v1/things", "/auth/v1/settings", "/storage/v1/bucket", "/functions/v1/nothing", "/nowhere"] {
        let stranger = Reply::to(l.http.get(format!("{}{path}", l.api)).header("origin", "https://evil.test")).await;
        assert_eq!(stranger.header("access-control-allow-origin"), None, "{stranger}");
        assert!(stranger.header("vary").is_some_and(|vary| vary.to_lowercase().contains("origin")), "{stranger}");
        let listed = get(l, path).await;
        assert_eq!(listed.header("access-control-allow-origin"), Some(ORIGIN), "{listed}");
        assert_eq!(listed.header("access-control-allow-credentials"), None, "{listed}");
    }
}

async fn n76_every_answer_carries_the_security_headers(l: &'static Lone) {
    for path in
        ["/rest/v1/things", "/rest/v1/say/403/42501", "/auth/v1/settings", "/auth/v1/authorize", "/functions/v1/no"]
    {
        let reply = get(l, path).await;
        for (name, value) in [
            ("strict-transport-security", "max-age=63072000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path}: {name}: {reply}");
        }
    }
    // A frontend's page shows a file in an <img>, which asks without CORS.
    let file = get(l, "/storage/v1/object/public/a.png").await;
    assert_eq!(file.header("cross-origin-resource-policy"), Some("cross-origin"), "{file}");
    assert_eq!((file.header("content-type"), file.header("cache-control")), (Some("image/png"), Some("max-age=3600")));
}

async fn c08_what_only_a_platform_may_say_reaches_no_upstream(l: &'static Lone) {
    let said = [
        ("sb-api-key", "forged"),
        ("x-relay-error", "true"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-host", "evil.test"),
        ("x-real-ip", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("x-invoked-as", "another"),
        ("x-internal-api-key", "guess"),
        ("content-profile", "auth"),
        ("accept-profile", "auth"),
        ("prefer", "tx=rollback, return=representation"),
    ];
    for base in ["/rest/v1/things", "/auth/v1/user", "/storage/v1/bucket", "/realtime/v1/api/broadcast"] {
        for method in [Method::GET, Method::POST] {
            let mark = mark();
            let call = l.request(method.clone(), &format!("{base}?{mark}")).header("apikey", PUBLISHABLE);
            said.iter().fold(call, |call, (name, value)| call.header(name, value)).send().await;
            let heard = l.heard(&mark);
            assert_eq!(heard.len(), 1, "{method} {base}");
            let own = ["prefer", "content-profile", "accept-profile"];
            for (name, _) in said.iter().filter(|(name, _)| base.starts_with("/rest") || !own.contains(name)) {
                let arrived = heard[0].header(name);
                let harmless = *name == "prefer" && arrived == Some("return=representation");
                assert!(arrived.is_none() || harmless, "{method} {base}: {name}: {arrived:?}");
            }
            let profiles = base.starts_with("/rest") && heard[0].header("apikey").is_some();
            assert!(!profiles, "our own PostgREST has no use for an API key");
        }
    }
}

async fn c08_a_function_hands_no_header_of_its_caller_to_the_database(l: &'static Lone) {
    let token = xtask::keys::user_token(&xtask::keys::random_uuid(), &xtask::keys::TokenOptions::default());
    let id = xtask::keys::random_uuid().to_string();
    let call = l.request(Method::POST, "/functions/v1/taxi-driver-heartbeat").bearer(&token);
    let call = call.header("x-request-id", &id).header("sb-api-key", "x").header("prefer", "tx=rollback");
    let call = call.header("x-forwarded-for", "10.0.0.1").header("content-profile", "auth");
    call.json(&json!({ "lat": 9.5, "lng": -13.7, "isOnline": true, "online": true })).send().await;
    let heard = l.heard("/rest/rpc/taxi_driver_heartbeat");
    let asked = heard.iter().find(|heard| heard.header("x-request-id") == Some(&id)).expect("the database was asked");
    for name in ["sb-api-key", "prefer", "x-forwarded-for", "content-profile"] {
        assert_eq!(asked.header(name), None, "{name}");
    }
}

async fn c09_a_refusal_of_sql_keeps_its_status_and_its_headers(l: &'static Lone) {
    for (status, code) in [(418, "TEAPOT"), (409, "INSUFFICIENT_FUNDS"), (403, "42501"), (401, "42501"), (402, "PT402")]
    {
        let reply = l.request(Method::POST, &format!("/rest/v1/say/{status}/{code}")).json(&json!({})).send().await;
        assert_eq!((reply.status, reply.code()), (status, code), "{reply}");
        assert_eq!((reply.header("x-said-by-sql"), reply.header("retry-after")), (Some("yes"), Some("7")), "{reply}");
        assert_eq!(reply.header("access-control-allow-origin"), Some(ORIGIN), "{reply}");
    }
}

async fn c09_a_duplicate_is_a_conflict_and_a_timeout_is_a_504(l: &'static Lone) {
    let twice = l.request(Method::POST, "/rest/v1/say/409/23505").json(&json!({})).send().await;
    assert_eq!((twice.status, twice.code()), (409, "23505"), "{twice}");
    assert!(!twice.text.contains("a@b.c"), "somebody's value: {twice}");
    l.request(Method::POST, "/rest/v1/say/500/57014").send().await.refused(504, "DEPENDENCY_UNAVAILABLE");
    l.request(Method::POST, "/rest/v1/say/500/40001").send().await.refused(503, "DEPENDENCY_UNAVAILABLE");
    let ours = l.request(Method::POST, "/rest/v1/say/500/XX000").send().await;
    assert!(!ours.text.contains("said the upstream"), "{ours}");
    ours.refused(500, "INTERNAL");
    let token = xtask::keys::user_token(&xtask::keys::random_uuid(), &xtask::keys::TokenOptions::default());
    let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": xtask::keys::random_uuid() });
    let slow = l.request(Method::POST, "/functions/v1/wallet-operations").bearer(&token).json(&ask).send().await;
    slow.refused(504, "DEPENDENCY_UNAVAILABLE");
    // The platform failed and not the function: supabase-js makes it a FunctionsRelayError.
    assert_eq!(slow.header("x-relay-error"), Some("true"), "{slow}");
}

async fn c09_a_read_is_asked_once_more_after_a_migration_and_a_command_is_not(l: &'static Lone) {
    for (status, code) in [(404, "PGRST202"), (404, "PGRST205"), (503, "PGRST002"), (500, "40001")] {
        let path = |mark: &str| format!("/rest/v1/first/{status}/{code}/{mark}");
        let read = mark();
        assert_eq!(*get(l, &path(&read)).await.ok(200), json!([{ "n": 1 }]), "{code}");
        assert_eq!(l.heard(&read).len(), 2, "{code}");
        let command = mark();
        let reply = l.request(Method::POST, &path(&command)).json(&json!({})).send().await;
        assert!(reply.status >= 400, "{reply}");
        assert_eq!(l.heard(&command).len(), 1, "{code}: a command was sent twice");
    }
    let still = get(l, "/rest/v1/say/404/PGRST205").await;
    assert_eq!((still.status, still.code()), (404, "PGRST205"), "{still}");
}

async fn c09_an_error_page_becomes_json(l: &'static Lone) {
    for (status, told) in [(500, 502), (502, 502), (503, 503), (520, 502)] {
        for method in [Method::GET, Method::POST] {
            let reply = l.request(method, &format!("/rest/v1/page/{status}")).send().await;
            reply.refused(told, "DEPENDENCY_UNAVAILABLE");
        }
    }
    get(l, "/rest/v1/page/404").await.refused(404, "NOT_FOUND");
}

async fn c10_a_redirect_and_its_cookies_come_back_untouched(l: &'static Lone) {
    let reply = get(l, "/auth/v1/authorize?provider=google&redirect_to=https%3A%2F%2Fapp.test%2F%3Fa%3Db").await;
    assert_eq!((reply.status, reply.header("location")), (302, Some("https://accounts.example/o?x=1")), "{reply}");
    let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["sb-a=1; HttpOnly; Path=/", "sb-b=2; Path=/"]);
    let query = "?provider=google&redirect_to=https%3A%2F%2Fapp.test%2F%3Fa%3Db";
    assert_eq!(l.heard(query)[0].path, format!("/project/auth/v1/authorize{query}"));
}

async fn c10_refusals_keep_their_shape_and_their_version(l: &'static Lone) {
    let mark = mark();
    let ask = json!({ "email": "a@b.c", "password": "x", "gotrue_meta_security": {} });
    let call = l.request(Method::POST, &format!("/auth/v1/token?grant_type=password&{mark}"));
    let call = call.header("x-supabase-api-version", "2024-01-01").header("apikey", PUBLISHABLE);
    let reply = call.json(&ask).send().await;
    assert_eq!((reply.status, reply.code()), (400, "invalid_credentials"), "{reply}");
    assert_eq!(reply.header("x-supabase-api-version"), Some("2024-01-01"));
    let exposed = reply.header("access-control-expose-headers").unwrap_or_default();
    assert!(exposed.contains("x-supabase-api-version"), "auth-js cannot tell the shape: {exposed}");
    assert_eq!(reply.header("access-control-allow-origin"), Some(ORIGIN), "ours, not the project's");
    assert_eq!(reply.header("cache-control"), Some("private, no-store"), "a session was left for others to find");
    let heard = &l.heard(&mark)[0];
    assert_eq!(serde_json::from_slice::<Value>(&heard.body).expect("JSON"), ask);
    assert_eq!(
        (heard.header("apikey"), heard.header("x-supabase-api-version")),
        (Some(PUBLISHABLE), Some("2024-01-01"))
    );
    assert_eq!(heard.header("authorization"), None, "nobody was signed in");
    assert_eq!(l.request(Method::POST, "/auth/v1/logout?scope=local").send().await.status, 204);
}

async fn c10_the_client_address_is_the_platforms(l: &'static Lone) {
    let mark = mark();
    let call = l.request(Method::POST, &format!("/auth/v1/signup?{mark}")).header("x-forwarded-for", "10.0.0.1");
    call.header("cf-connecting-ip", "203.0.113.9").json(&json!({})).send().await;
    assert_eq!(l.heard(&mark)[0].header("x-forwarded-for"), Some("203.0.113.9"));
    // Whom the platform does not name is nobody: an address that the client wrote is not believed.
    let call = l.request(Method::POST, &format!("/auth/v1/otp?{mark}")).header("x-forwarded-for", "10.0.0.1");
    call.json(&json!({})).send().await;
    assert_eq!(l.heard(&mark)[1].header("x-forwarded-for"), None);
}

async fn c10_a_sign_in_has_a_megabyte(l: &'static Lone) {
    const MIB: usize = 1024 * 1024;
    let mark = mark();
    let send = async |bytes: usize| {
        l.request(Method::POST, &format!("/auth/v1/signup?{mark}")).raw(vec![b'x'; bytes]).send().await
    };
    send(MIB + 1).await.refused(413, "PAYLOAD_TOO_LARGE");
    assert!(l.heard(&mark).is_empty(), "it was passed on");
    send(MIB).await.ok(200);
    assert_eq!(l.heard(&mark)[0].body.len(), MIB);
}

async fn storage_gets_both_keys_and_its_uploads_are_resumable(l: &'static Lone) {
    let mark = mark();
    let path = format!("/storage/v1/upload/resumable?{mark}");
    let call = l.request(Method::POST, &path).header("apikey", PUBLISHABLE).bearer("eyJ.user.token");
    let call = call.header("tus-resumable", "1.0.0").header("upload-length", "5").header("x-upsert", "true");
    let reply = call.header("upload-metadata", "filename YQ==").send().await;
    assert_eq!((reply.status, reply.header("location")), (201, Some("/storage/v1/upload/resumable/abc")), "{reply}");
    let exposed = reply.header("access-control-expose-headers").unwrap_or_default();
    for name in ["location", "upload-offset", "tus-resumable"] {
        assert!(exposed.split(", ").any(|one| one == name), "a page cannot read {name}: {exposed}");
    }
    let heard = &l.heard(&mark)[0];
    for (name, value) in [
        ("apikey", PUBLISHABLE),
        ("authorization", "Bearer eyJ.user.token"),
        ("x-upsert", "true"),
        ("upload-length", "5"),
        ("upload-metadata", "filename YQ=="),
    ] {
        assert_eq!(heard.header(name), Some(value), "{name}");
    }
    let asked = l.request(Method::OPTIONS, "/storage/v1/upload/resumable").send().await;
    assert_eq!(asked.header("tus-version"), Some("1.0.0"), "what the server can do: {asked}");
    let preflight = l.request(Method::OPTIONS, "/storage/v1/upload/resumable");
    let preflight = preflight.header("access-control-request-method", "PATCH");
    let preflight = preflight.header("access-control-request-headers", "tus-resumable,upload-offset").send().await;
    assert_eq!(preflight.header("access-control-allow-headers"), Some("tus-resumable,upload-offset"), "{preflight}");
}

async fn storage_streams_what_is_larger_than_any_buffer(l: &'static Lone) {
    let bytes = 12 * 1024 * 1024;
    let call = l.request(Method::POST, "/storage/v1/object/big").header("content-type", "application/octet-stream");
    let reply = crate::call::Call(call.0.body(vec![7_u8; bytes])).send().await;
    assert_eq!(*reply.ok(200), json!({ "bytes": bytes, "length": bytes.to_string() }));
}

async fn realtime_is_a_socket_from_end_to_end(l: &'static Lone) {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;

    let mark = mark();
    let url = format!("{}/realtime/v1/websocket?apikey={PUBLISHABLE}&vsn=1.0.0&{mark}", l.api.replace("http", "ws"));
    let (mut socket, answer) = tokio_tungstenite::connect_async(url).await.expect("the socket opens");
    assert_eq!(answer.status(), 101);
    for text in ["{\"event\":\"phx_join\"}", "é", ""] {
        socket.send(Message::text(text)).await.expect("sent");
        let back = socket.next().await.expect("an echo").expect("a frame");
        assert_eq!(back, Message::text(text));
    }
    socket.send(Message::binary(vec![0, 255])).await.expect("sent");
    assert_eq!(socket.next().await.expect("an echo").expect("a frame"), Message::binary(vec![0, 255]));
    socket.close(None).await.expect("closed");
    assert!(l.heard(&mark)[0].path.starts_with("/project/realtime/v1/websocket?apikey=sb_publishable"));
}

async fn c11_paths_and_queries_arrive_as_they_were_sent(l: &'static Lone) {
    let mark = mark();
    let long = format!("/rest/v1/things?select=*&{mark}&id=in.({})", "1234567,".repeat(1_100));
    assert!(long.len() > 8 * 1024);
    get(l, &long).await.ok(200);
    assert_eq!(l.heard(&mark)[0].path, long.replace("/rest/v1", "/rest"));
    let name = format!("/storage/v1/object/bucket/a%2Fb%20c%C3%A9.txt?{mark}x");
    assert_eq!(get(l, &name).await.ok(200)["path"], format!("/project{name}"));
}
