//! What operators see: one log line per request without anybody's data in it, traces, metrics, health.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::call::{Call, Reply};
use crate::world::World;

crate::tests![
    n80_every_request_leaves_one_line_and_nobodys_data_is_in_it,
    n83_a_trace_is_continued_and_the_request_id_is_in_the_ledger,
    n81_metrics_count_every_answer_by_its_code,
    n81_metrics_are_refused_without_the_internal_key,
    n82_the_alarms_of_money_are_exported_and_at_rest,
    n26_operators_see_each_dependency,
    n26_what_health_found_out_is_kept_for_a_while,
];

const METRICS: &str = "/functions/v1/health/metrics";
const ALERTS: &str = include_str!("../../docs/alerts.yml");

/// Requests with ids of their own, so that their lines can be told from those of every other test.
struct Noted {
    world: &'static World,
    ids: Vec<String>,
}

impl Noted {
    fn of(world: &'static World) -> Self {
        Self { world, ids: Vec::new() }
    }

    /// A request whose line will be looked for.
    fn post(&mut self, path: &str) -> Call {
        let id = xtask::keys::random_uuid().to_string();
        self.ids.push(id.clone());
        self.world.request(Method::POST, path).header("x-request-id", id)
    }

    /// The lines of these requests, once they are all written: every line that the functions have written
    /// (wrangler's own tell the settings of development), and each of ours by its id.
    async fn lines(&self) -> (String, BTreeMap<String, Vec<String>>) {
        let dir = self.world.stack.lock().await.as_ref().expect("running").data_dir().join("logs/functions.log");
        let written = async || {
            let text = String::from_utf8_lossy(&std::fs::read(&dir).expect("a log")).into_owned();
            let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
            // Wrangler writes the worker's name before it.
            let ours: Vec<_> = text.lines().filter_map(|line| Some(&line[line.find("{\"time\":")?..])).collect();
            for line in &ours {
                if let Some(id) = self.ids.iter().find(|id| line.contains(&format!("\"request_id\":\"{id}\""))) {
                    found.entry(id.clone()).or_default().push(line.trim_end().to_owned());
                }
            }
            (found.len() == self.ids.len()).then(|| (ours.join("\n"), found))
        };
        self.world.eventually("each request has its line", written).await
    }
}

/// The fields of the only line of a request.
fn only(lines: &[String]) -> Value {
    assert_eq!(lines.len(), 1, "one line per request: {lines:?}");
    serde_json::from_str(&lines[0]).unwrap_or_else(|error| panic!("{error}: {}", lines[0]))
}

async fn n80_every_request_leaves_one_line_and_nobodys_data_is_in_it(w: &'static World) {
    let (fatou, binta) = (w.rich(200_000, "GNF").await, w.person().await);
    let digits = fatou.id.as_u128() % 1_000_000;
    let (phone, password) = (format!("224628{digits:06}"), format!("Pass-{}", fatou.id.simple()));
    let mut noted = Noted::of(w);
    let wallet = "/functions/v1/wallet-operations";
    let pay =
        json!({ "operation": "transfer", "amount": 10_000, "recipient_id": binta.id, "description": fatou.email });
    noted.post(wallet).bearer(&fatou.token).json(&pay).send().await.ok(200);
    let out =
        json!({ "operation": "withdraw", "amount": 50_000, "method": "orange_money", "phone": format!("+{phone}") });
    noted.post(wallet).bearer(&fatou.token).json(&out).send().await.ok(202);
    let top_up = json!({ "purpose": "wallet_deposit", "amount": 2_000, "provider": "mtn_momo", "phone": phone });
    let asked = noted.post("/functions/v1/moneroo-initialize-payment").bearer(&fatou.token).json(&top_up).send().await;
    asked.ok(201);
    // Refused ones leave a line, too; so do those that never reach a handler.
    let too_much = json!({ "operation": "withdraw", "amount": 40_000_000, "method": "orange_money", "phone": phone });
    assert!(noted.post(wallet).bearer(&fatou.token).json(&too_much).send().await.status >= 400);
    let forged = format!("{}x", fatou.token);
    noted.post(wallet).bearer(&forged).json(&pay).send().await.refused(401, "UNAUTHENTICATED");
    noted
        .post(wallet)
        .bearer(&fatou.token)
        .raw(format!("{{\"phone\":\"{phone}\""))
        .send()
        .await
        .refused(400, "BAD_JSON");
    let mail = fatou.email.replace('@', "%40");
    let loud = noted.post(&format!("{wallet}/{phone}/{mail}?email={mail}&phone={phone}")).bearer(&fatou.token);
    let agent = format!("Shop/1.0 ({}; {phone}) {}", fatou.email, "x".repeat(200));
    loud.header("user-agent", &agent).header("x-forwarded-for", "203.0.113.77").json(&pay).send().await;
    // Signing up and in: the same people, through the identity service.
    let person = json!({ "email": format!("new.{}", fatou.email), "password": password });
    let key = &w.vars["ANON_KEY"];
    let up = noted.post("/auth/v1/signup").header("apikey", key).json(&person).send().await;
    let session = noted.post("/auth/v1/token?grant_type=password").header("apikey", key).json(&person).send().await;
    let session = if session.status == 200 { session } else { up };
    let (access, refresh) = (session.ok(200)["access_token"].clone(), session.body["refresh_token"].clone());
    let (access, refresh) = (access.as_str().expect("a token"), refresh.as_str().expect("a token"));

    let (all, lines) = noted.lines().await;
    for (what, secret) in [
        ("an access token", fatou.token.as_str()),
        ("a token of ours", access),
        ("a refresh token", refresh),
        ("a password", &password),
        ("the service key", &w.vars["SERVICE_ROLE_KEY"]),
        ("the internal key", &w.vars["INTERNAL_API_KEY"]),
    ] {
        assert!(!all.contains(secret), "{what} is in the log");
    }
    for told in lines.values() {
        let line = only(told);
        for personal in
            [phone.as_str(), "@people.test", "%40people.test", "127.0.0.1", "203.0.113.77", "Fatou", "Camara"]
        {
            assert!(!told[0].contains(personal), "{personal} is in {}", told[0]);
        }
        for field in
            ["time", "level", "trace_id", "span_id", "function", "alias", "method", "path", "status", "outcome", "ms"]
        {
            assert!(line.get(field).is_some_and(|value| !value.is_null()), "no {field} in {line}");
        }
        for field in ["db_calls", "db_ms", "out_calls", "out_ms"] {
            assert!(line[field].is_u64(), "no {field} in {line}");
        }
        assert!(line["user_agent"].as_str().is_none_or(|agent| agent.chars().count() <= 120), "{line}");
    }
    let first = only(&lines[&noted.ids[0]]);
    assert_eq!(
        (&first["function"], &first["status"], &first["db_calls"]),
        (&json!("wallet-operations"), &json!(200), &json!(1))
    );
    let (second, forged) = (only(&lines[&noted.ids[1]]), only(&lines[&noted.ids[4]]));
    assert!(first["user"].is_string() && first["user"] == second["user"], "the same user has the same hash: {second}");
    assert_eq!(
        (&forged["code"], forged.get("user"), &forged["db_calls"]),
        (&json!("UNAUTHENTICATED"), None, &json!(0))
    );
    let paid = only(&lines[&noted.ids[2]]);
    assert!(paid["out_calls"].as_u64() >= Some(1), "the provider's time is in it: {paid}");
}

async fn n83_a_trace_is_continued_and_the_request_id_is_in_the_ledger(w: &'static World) {
    let (fatou, binta) = (w.rich(50_000, "GNF").await, w.person().await);
    let mut noted = Noted::of(w);
    let pay = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": binta.id });
    let call = noted.post("/functions/v1/wallet-operations").bearer(&fatou.token);
    let trace = fatou.id.simple().to_string();
    call.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01")).json(&pay).send().await.ok(200);
    let (_, lines) = noted.lines().await;
    let line = only(&lines[&noted.ids[0]]);
    assert_eq!((&line["trace_id"], &line["parent_id"]), (&json!(trace), &json!("00f067aa0ba902b7")));
    assert_ne!(line["span_id"], "00f067aa0ba902b7", "a span of our own");
    let sql = "select count(*) from ledger.transactions where request_id = $1";
    assert_eq!(w.one::<i64>(sql, &[&noted.ids[0]]).await, 1);
}

/// Every sample by its whole name; the text is checked on the way.
async fn metrics(w: &'static World) -> BTreeMap<String, f64> {
    let reply = w.request(Method::GET, METRICS).header("x-internal-api-key", &w.vars["INTERNAL_API_KEY"]).send().await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("text/plain; version=0.0.4; charset=utf-8")),
        "{reply}"
    );
    let mut found = BTreeMap::new();
    let mut family = "";
    for line in reply.text.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            family = head.split(' ').next().expect("a name");
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').expect("a sample");
            assert!(name.starts_with(family), "{name} stands below {family}");
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            assert!(found.insert(name.to_owned(), value).is_none(), "twice: {line}");
        }
    }
    found
}

async fn n81_metrics_count_every_answer_by_its_code(w: &'static World) {
    let function = r#"function="taxi-driver-heartbeat""#;
    let refused = format!(r#"cauris_requests_total{{{function},class="4xx",code="UNAUTHENTICATED"}}"#);
    let counted = |all: &BTreeMap<String, f64>, name: &str| all.get(name).copied().unwrap_or_default();
    let before = metrics(w).await;
    for _ in 0..3 {
        w.function("taxi-driver-heartbeat").json(&json!({})).send().await.refused(401, "UNAUTHENTICATED");
    }
    let brought = async || {
        let all = metrics(w).await;
        (counted(&all, &refused) >= counted(&before, &refused) + 3.0).then_some(all)
    };
    let all = w.eventually("the isolate brings its counters", brought).await;
    let everything = counted(&all, &format!("cauris_request_duration_ms_count{{{function}}}"));
    let buckets = format!("cauris_request_duration_ms_bucket{{{function},le=");
    let longest = counted(&all, &format!("{buckets}\"+Inf\"}}"));
    assert!(everything >= 3.0 && longest == everything, "{everything} answers, {longest} in the last bucket");
    let mut by_bound: Vec<(u64, f64)> = Vec::new();
    for (name, count) in all.iter().filter(|(name, _)| name.starts_with(&buckets)) {
        let bound = name[buckets.len()..].trim_matches(['"', '}']).parse().unwrap_or(u64::MAX);
        by_bound.push((bound, *count));
    }
    by_bound.sort_by_key(|(bound, _)| *bound);
    assert!(by_bound.is_sorted_by_key(|(_, count)| *count), "a longer bound holds no fewer: {by_bound:?}");
}

async fn n81_metrics_are_refused_without_the_internal_key(w: &'static World) {
    let admin = w.admin().await;
    let ask = |key: &str, token: &str| w.request(Method::GET, METRICS).header("x-internal-api-key", key).bearer(token);
    ask("", &admin.token).send().await.refused(401, "UNAUTHENTICATED");
    ask("wrong", &w.vars["SERVICE_ROLE_KEY"]).send().await.refused(401, "UNAUTHENTICATED");
    w.request(Method::GET, METRICS).send().await.refused(401, "UNAUTHENTICATED");
}

async fn n82_the_alarms_of_money_are_exported_and_at_rest(w: &'static World) {
    let fatou = w.rich(10_000, "GNF").await;
    assert_eq!(fatou.gnf().await, 10_000);
    let all = metrics(w).await;
    for (name, sum) in all.iter().filter(|(name, _)| name.starts_with("cauris_ledger_sum{")) {
        assert_eq!(*sum, 0.0, "{name}: money was made or lost");
    }
    assert!(all.contains_key(r#"cauris_ledger_sum{currency="GNF"}"#), "{all:?}");
    for name in ["cauris_database_up", "cauris_meter_up"] {
        assert_eq!(all[name], 1.0, "{name}");
    }
    assert!(all["cauris_database_connections"] >= 1.0 && all["cauris_partitions_ahead"] >= 2.0, "{all:?}");
    // What an alert asks for has a value, unless it is a counter of what has not happened.
    let words =
        ALERTS.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("cauris_"));
    for gauge in
        words.filter(|word| !word.ends_with("_total") && !word.ends_with("_bucket") && *word != "cauris_alerts_waiting")
    {
        assert!(all.keys().any(|name| name.split('{').next() == Some(gauge)), "{gauge} is not exported");
    }
}

async fn detailed(w: &'static World) -> Reply {
    let ask = w.request(Method::GET, "/functions/v1/health/detailed");
    ask.header("x-internal-api-key", &w.vars["INTERNAL_API_KEY"]).send().await
}

async fn n26_operators_see_each_dependency(w: &'static World) {
    let reply = detailed(w).await;
    let body = reply.ok(200);
    for name in ["database", "auth_keys", "limiter", "storage", "queue", "payment_provider", "mail"] {
        let state = &body["dependencies"][name];
        let word = state["status"].as_str().unwrap_or_default();
        assert!(["ok", "down", "not_configured"].contains(&word) && state["latency_ms"].is_u64(), "{name}: {reply}");
    }
    for (name, word) in [("database", "ok"), ("auth_keys", "ok"), ("queue", "ok"), ("storage", "not_configured")] {
        assert_eq!(body["dependencies"][name]["status"], word, "{name}: {reply}");
    }
    assert!(body["degraded"].is_boolean(), "{reply}");
    let stranger = w.request(Method::GET, "/functions/v1/health/detailed").send().await;
    assert_eq!(stranger.ok(200).get("dependencies"), None, "{stranger}");
}

async fn n26_what_health_found_out_is_kept_for_a_while(w: &'static World) {
    let twice = async || {
        let (one, two) = (detailed(w).await, detailed(w).await);
        // A second look would have another time in it.
        (one.ok(200)["timestamp"] == two.ok(200)["timestamp"]).then_some(())
    };
    w.eventually("two answers of one look", twice).await;
}
