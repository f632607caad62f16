//! Who may do what, asked of the gateway: every relation and function in the catalogue, by six callers, with every verb.
//!
//! What is granted on purpose stands in `VIEWS`, in `tests/sql/lib/declared.psql` and in the lists of `faults_money.rs`;
//! whatever is not there is refused. A new table or function is asked for from the day it exists.

mod rows;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::call::Reply;
use crate::faults_money::{COMMANDS, SERVICE, words};
use crate::world::World;
use rows::{anothers_rows_are_invisible_in_every_view, nothing_but_a_read_mark_is_written_and_only_on_ones_own};

crate::tests![
    every_grant_on_a_view_is_written_down,
    a_view_answers_those_it_was_granted_to_and_nobody_else,
    a_table_behind_the_views_has_no_name_that_reaches_it,
    a_function_answers_those_it_was_granted_to_and_nobody_else,
    a_stranger_may_call_what_is_declared_and_gets_an_answer,
    anothers_rows_are_invisible_in_every_view,
    nothing_but_a_read_mark_is_written_and_only_on_ones_own,
];

/// Whose rows a view shows. All of them are for signed-in people alone.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rows {
    /// The caller's own.
    Own,
    /// Everybody's, for staff; nobody's, for others.
    Staff,
    /// The same for all: prices, and what may be paid in.
    Shared,
}

/// Every view, why it is there, and whose rows it shows.
const VIEWS: [(&str, Rows, &str); 22] = [
    ("admin_dead_letters", Rows::Staff, "callbacks that were given up, for somebody to look at"),
    ("admin_payouts", Rows::Staff, "payouts that wait for a person"),
    ("admin_reconciliation", Rows::Staff, "where our books and a provider's differ"),
    ("admin_suspense", Rows::Staff, "money that was put aside until it is clear whose it is"),
    ("audit_logs", Rows::Staff, "who decided what, with before and after"),
    ("declined_drivers", Rows::Own, "a driver's app shows no ride again that he refused"),
    ("moneroo_payments", Rows::Own, "what became of a payment"),
    ("paid_entitlements", Rows::Own, "what was bought"),
    ("payouts", Rows::Own, "what became of a withdrawal"),
    ("profiles", Rows::Own, "one's name as it was given"),
    ("provider_currencies", Rows::Shared, "what can be paid with what"),
    ("taxi_driver_dues", Rows::Own, "what a driver owes for cash rides"),
    ("taxi_drivers", Rows::Own, "whether one is online"),
    ("taxi_notifications", Rows::Own, "what the app shows, and marks as read"),
    ("taxi_pricing_config", Rows::Shared, "the tariff, for an estimate on the phone"),
    ("taxi_quotes", Rows::Own, "a price that still holds"),
    ("taxi_ride_tracking", Rows::Own, "where the car is, for the two of the ride"),
    ("taxi_transactions", Rows::Own, "what was paid for a ride, for the two of the ride"),
    ("taxi_trips", Rows::Own, "a ride, for the two of it"),
    ("wallet_history", Rows::Own, "the lines of one's own wallet"),
    ("wallet_logs", Rows::Own, "what one asked the wallet to do"),
    ("wallets", Rows::Own, "one's balance"),
];
/// The columns that a client writes: `role verb view.column`. Everything else is written by a function.
const WRITTEN: &str = "authenticated UPDATE taxi_notifications.read";

/// The role that Postgres sees for each caller; `nobody` sends no token, the others the key or token of that name.
const CALLERS: [(&str, &str); 6] = [
    ("nobody", "anon"),
    ("anon", "anon"),
    ("user", "authenticated"),
    ("other", "authenticated"),
    ("admin", "authenticated"),
    ("service", "service_role"),
];
const VERBS: [Method; 4] = [Method::GET, Method::POST, Method::PATCH, Method::DELETE];
/// So many questions at once: the matrix is thousands of them, and other tests want an answer too.
const AT_ONCE: usize = 8;

struct Ask {
    caller: &'static str,
    role: &'static str,
    verb: Method,
    path: String,
    profile: Option<String>,
    body: Option<Value>,
}

impl Ask {
    fn of((caller, role): (&'static str, &'static str), verb: Method, path: impl Into<String>) -> Ask {
        Ask { caller, role, verb, path: path.into(), profile: None, body: None }
    }

    /// The name that was asked for: an answer may repeat it.
    fn name(&self) -> &str {
        let end = self.path.find('?').unwrap_or(self.path.len());
        &self.path[..end]
    }
}

async fn tokens(w: &'static World) -> BTreeMap<&'static str, String> {
    let (user, other, admin) = (w.person().await, w.person().await, w.admin().await);
    let (anon, service) = (w.vars["ANON_KEY"].clone(), w.vars["SERVICE_ROLE_KEY"].clone());
    [("anon", anon), ("user", user.token), ("other", other.token), ("admin", admin.token), ("service", service)].into()
}

async fn answered(w: &World, tokens: &BTreeMap<&'static str, String>, ask: &Ask) -> Reply {
    let mut call = w.request(ask.verb.clone(), &format!("/rest/v1/{}", ask.path));
    if let Some(token) = tokens.get(ask.caller) {
        call = call.header("apikey", token).bearer(token);
    }
    if let Some(profile) = &ask.profile {
        call = call.header("accept-profile", profile).header("content-profile", profile);
    }
    if let Some(body) = &ask.body {
        call = call.json(body);
    }
    call.send().await
}

/// Asks everything, and gives each answer to `judge`, which names what is wrong with it.
async fn judged(w: &'static World, asks: Vec<Ask>, judge: impl Fn(&Ask, &Reply) -> Option<String>) {
    assert!(!asks.is_empty(), "nothing to ask");
    let tokens = tokens(w).await;
    let mut answers = stream::iter(asks)
        .map(|ask| async {
            let reply = answered(w, &tokens, &ask).await;
            (ask, reply)
        })
        .buffer_unordered(AT_ONCE);
    let mut wrong = BTreeSet::new();
    while let Some((ask, reply)) = answers.next().await {
        let leaked = if reply.status < 400 { None } else { leak(&ask, &reply) };
        for fault in judge(&ask, &reply).into_iter().chain(leaked) {
            wrong.insert(format!("{} as {} ({:?}): {fault}: {reply}", ask.verb, ask.caller, ask.profile));
        }
    }
    let shown: Vec<_> = wrong.iter().take(20).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), shown.join("\n"));
}

/// 401 and 403 say no; 404 and 405 say that there is nothing to ask for.
fn not_refused(reply: &Reply) -> Option<String> {
    (!matches!(reply.status, 401 | 403 | 404 | 405)).then(|| "is no refusal".to_owned())
}

/// A refusal names what was asked for, a view of `api`, and nothing that lies behind it.
fn leak(ask: &Ask, reply: &Reply) -> Option<String> {
    let told = reply.text.replace(ask.name(), "");
    let behind = ["auth.", "core.", "identity.", "ledger.", "ops.", "payments.", "people.", "taxi.", "PL/pgSQL"];
    behind.iter().find(|word| told.contains(**word)).map(|word| format!("tells about {word}"))
}

async fn every_grant_on_a_view_is_written_down(w: &'static World) {
    let outside = "(g.grantee = 0 or g.grantee::regrole::text in ('anon', 'authenticated', 'service_role'))";
    let role = "case g.grantee when 0 then 'everybody' else g.grantee::regrole::text end";
    let of_tables = format!(
        "select {role} || ' ' || g.privilege_type || ' ' || c.relname
           from pg_class c cross join aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g
          where c.relnamespace = 'api'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') and {outside}"
    );
    let found: BTreeSet<String> = w.all(&of_tables, &[]).await.into_iter().collect();
    let listed = VIEWS.iter().map(|(name, ..)| format!("authenticated SELECT {name}")).collect();
    assert_eq!(found, listed, "a new grant is a decision: write it into VIEWS, with whose rows it shows");
    let of_columns = format!(
        "select {role} || ' ' || g.privilege_type || ' ' || c.relname || '.' || a.attname
           from pg_attribute a join pg_class c on c.oid = a.attrelid cross join aclexplode(a.attacl) g
          where c.relnamespace = 'api'::regnamespace and not a.attisdropped and {outside} order by 1"
    );
    assert_eq!(w.all::<String>(&of_columns, &[]).await, [WRITTEN]);
}

async fn a_view_answers_those_it_was_granted_to_and_nobody_else(w: &'static World) {
    let sql = "select c.relname || ' ' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum = 1
        where c.relnamespace = 'api'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1";
    let mut asks = Vec::new();
    for line in w.all::<String>(sql, &[]).await {
        let (name, column) = line.split_once(' ').expect("a name and its first column");
        asks.extend(every_way(name, column, None));
    }
    judged(w, asks, |ask, reply| match (&ask.verb, ask.role) {
        (&Method::GET, "authenticated") => (reply.status != 200).then(|| "is granted".to_owned()),
        _ => not_refused(reply),
    })
    .await;
}

/// Each verb by each caller, on every row that there is.
fn every_way(name: &str, column: &str, profile: Option<&str>) -> Vec<Ask> {
    let mut asks = Vec::new();
    for caller in CALLERS {
        for verb in VERBS {
            let (path, body) = match verb {
                Method::POST => (name.to_owned(), Some(json!({ column: null }))),
                Method::PATCH => (format!("{name}?{column}=not.is.null"), Some(json!({ column: null }))),
                Method::DELETE => (format!("{name}?{column}=not.is.null"), None),
                _ => (format!("{name}?limit=5"), None),
            };
            asks.push(Ask { profile: profile.map(str::to_owned), body, ..Ask::of(caller, verb, path) });
        }
    }
    asks
}

/// By its own name, by its schema's, and with the headers that choose a schema: only `api` is there to be chosen from.
async fn a_table_behind_the_views_has_no_name_that_reaches_it(w: &'static World) {
    let sql = "select n.nspname || ' ' || c.relname || ' ' || a.attname || ' ' || c.relispartition
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attnum = (select min(x.attnum) from pg_attribute x
            where x.attrelid = c.oid and x.attnum > 0 and not x.attisdropped)
        where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'public', 'api')
        order by 1";
    let shown = VIEWS.map(|(name, ..)| name);
    let mut asks = Vec::new();
    let mut schemas = BTreeSet::new();
    for line in w.all::<String>(sql, &[]).await {
        let [schema, name, column, part] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        schemas.insert(schema.to_owned());
        // Where a view has the same name, it is the view that answers, and the test above that judges it.
        if !shown.contains(&name) {
            // Of two hundred parts of tables, what one is asked is asked of the whole: here it is only read.
            let reads_only = |ask: &Ask| part == "false" || ask.verb == Method::GET;
            asks.extend(every_way(name, column, Some(schema)).into_iter().filter(reads_only));
        }
        if part == "true" {
            continue;
        }
        asks.extend(CALLERS.map(|caller| Ask::of(caller, Method::GET, format!("{schema}.{name}"))));
    }
    for schema in ["auth", "core", "identity", "ledger", "payments", "people", "taxi"] {
        assert!(schemas.contains(schema), "{schema} was not asked for: {schemas:?}");
    }
    judged(w, asks, |_, reply| (reply.status != 404).then(|| "is reached".to_owned())).await;
    // And the header changes nothing for those that are shown.
    let fatou = w.rich(1_000, "GNF").await;
    let plain = w.rest(Method::GET, "wallets", &fatou.token).send().await;
    let chosen = w.rest(Method::GET, "wallets", &fatou.token).header("accept-profile", "ledger").send().await;
    assert_eq!(chosen.ok(200), plain.ok(200));
}

/// The names without which a stranger's call is refused: `api.` and arguments left out.
pub fn declared() -> BTreeSet<&'static str> {
    let lines = include_str!("../sql/lib/declared.psql").lines();
    lines.filter_map(|line| line.trim().strip_prefix("('api.")?.split('(').next()).collect()
}

async fn a_function_answers_those_it_was_granted_to_and_nobody_else(w: &'static World) {
    let sql =
        "select p.proname || ' ' || p.pronargs from pg_proc p where p.pronamespace = 'api'::regnamespace order by 1";
    let granted = |role: &str| -> BTreeSet<&str> {
        let own = match role {
            "authenticated" => words(COMMANDS),
            "service_role" => words(SERVICE),
            _ => Vec::new(),
        };
        declared().into_iter().chain(own).collect()
    };
    let mut asks = Vec::new();
    for line in w.all::<String>(sql, &[]).await {
        let (name, arguments) = line.split_once(' ').expect("a name and a number");
        // As it wants to be called: a call that fits no function would be refused for the wrong reason.
        let (query, body) = if arguments == "0" { ("", json!({})) } else { ("?ask={}", json!({ "ask": {} })) };
        for caller in CALLERS.into_iter().filter(|(_, role)| !granted(role).contains(name)) {
            asks.push(Ask { body: Some(body.clone()), ..Ask::of(caller, Method::POST, format!("rpc/{name}")) });
            asks.push(Ask::of(caller, Method::GET, format!("rpc/{name}{query}")));
        }
    }
    judged(w, asks, |ask, reply| match ask.verb {
        // Here 404 would mean that we asked for it wrongly.
        Method::POST => (!matches!(reply.status, 401 | 403)).then(|| "is no refusal".to_owned()),
        _ => not_refused(reply),
    })
    .await;
}

async fn a_stranger_may_call_what_is_declared_and_gets_an_answer(w: &'static World) {
    let sql = "select p.proname::text from pg_proc p where p.pronamespace = 'api'::regnamespace
        and has_function_privilege('anon', p.oid, 'execute') order by 1";
    let open: BTreeSet<String> = w.all(sql, &[]).await.into_iter().collect();
    assert_eq!(open.iter().map(String::as_str).collect::<BTreeSet<_>>(), declared());
    let nobody = BTreeMap::new();
    for name in declared() {
        let reply = answered(w, &nobody, &Ask::of(CALLERS[0], Method::GET, format!("rpc/{name}"))).await;
        assert_eq!(reply.status, 200, "{reply}");
    }
}
