//! The published clients, unmodified: each node test of tests/clients is a test here, and a real browser pays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::OnceCell;
use xtask::house;

use crate::conformance_rest::telling_world;
use crate::people::{away, point};
use crate::sandbox::payment_id;
use crate::world::{World, main_world};

/// The suites of supabase.md, section 7, begin so.
const CONFORMANCE: &str = "conformance";

/// How many tests of one file may need a rider, two drivers and a place.
const SCENES: usize = 40;

/// Every `tests/clients/<suite>.test.mjs`: a new function's tests are found by their file.
fn suites() -> Vec<&'static str> {
    let folder = house::root().join("tests/clients");
    let names = std::fs::read_dir(folder).expect("tests/clients").flatten().map(|entry| entry.file_name());
    let mut suites: Vec<&'static str> =
        names.filter_map(|name| Some(&*name.to_str()?.strip_suffix(".test.mjs")?.to_owned().leak())).collect();
    suites.sort_unstable();
    suites
}

/// What the tests of one file said: ran once, asked by each of its trials.
type Results = OnceCell<Result<BTreeMap<String, Outcome>, String>>;

struct Outcome {
    passed: bool,
    said: String,
}

pub fn tests() -> Vec<Trial> {
    let mut trials = Vec::new();
    for suite in suites() {
        let names = names(suite);
        // What is said of the wire must not depend on who serves it. Only there SQL says which role it sees (line 3).
        let bare = if suite.starts_with(CONFORMANCE) { names.clone() } else { Vec::new() };
        let main = names.into_iter().filter(|name| !name.starts_with("c03_"));
        trials.extend(trials_of(suite, suite.to_owned(), Stage::Main, main));
        trials.extend(trials_of(suite, format!("{suite}_on_bare_workerd"), Stage::Bare, bare.into_iter()));
    }
    trials.push(Trial::test("clients::a_browser_pays_on_the_checkout_page", || {
        crate::RUNTIME.block_on(async {
            let world = main_world().await;
            a_browser_pays_on_the_checkout_page(world).await;
            world.check_books().await;
        });
        Ok(())
    }));
    trials
}

/// Where a suite plays.
#[derive(Clone, Copy)]
enum Stage {
    Main,
    Bare,
}

fn trials_of(
    suite: &'static str,
    shown: String,
    stage: Stage,
    names: impl Iterator<Item = String>,
) -> impl Iterator<Item = Trial> {
    let results: &'static Results = Box::leak(Box::default());
    names.map(move |name| {
        let trial = format!("clients::{shown}::{name}");
        Trial::test(trial, move || crate::RUNTIME.block_on(result_of(suite, stage, results, &name)))
    })
}

fn file(suite: &str) -> PathBuf {
    house::root().join(format!("tests/clients/{suite}.test.mjs"))
}

/// The node of package.json, or the system's when nothing is installed yet.
pub fn node() -> PathBuf {
    let pinned = house::root().join("node_modules/.bin/node");
    if pinned.exists() { pinned } else { "node".into() }
}

/// The names of a file's tests; the file tells them without running. When it cannot, one trial says why.
fn names(suite: &str) -> Vec<String> {
    let listed = std::process::Command::new(node()).arg(file(suite)).env("CAURIS_LIST", "1").output();
    match listed {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
        }
        _ => vec!["can_be_listed".into()],
    }
}

async fn result_of(suite: &'static str, stage: Stage, results: &Results, name: &str) -> Result<(), Failed> {
    let world = match stage {
        Stage::Main => main_world().await,
        Stage::Bare => telling_world().await,
    };
    let all = results.get_or_init(|| run(world, stage, suite)).await.as_ref().map_err(Failed::from)?;
    world.check_books().await;
    match all.get(name) {
        Some(outcome) if outcome.passed => Ok(()),
        Some(outcome) => Err(outcome.said.clone().into()),
        None => Err(format!("node said nothing about it; it knows {:?}", all.keys().collect::<Vec<_>>()).into()),
    }
}

/// Everybody a suite needs. People are made in SQL, so they are made here.
async fn cast(world: &'static World, stage: Stage) -> Value {
    let mut scenes = Vec::new();
    for _ in 0..SCENES {
        let scene = world.scene().await;
        scenes.push(json!({
            "rider": { "id": scene.rider.id },
            "driver": { "id": scene.driver.id, "driverId": scene.driver.row },
            "rival": { "id": scene.rival.id, "driverId": scene.rival.row },
            "pickup": point(scene.at),
            "dropoff": point(away(scene.at)),
        }));
    }
    let passers = [world.person().await.id, world.person().await.id];
    json!({
        "url": world.api, "anonKey": world.vars["ANON_KEY"], "jwtSecret": world.vars["JWT_SECRET"],
        "issuer": world.vars["JWT_ISSUER"], "internalKey": world.vars["INTERNAL_API_KEY"],
        "webhookSecret": world.vars["MONEROO_WEBHOOK_SECRET"], "sandboxUrl": world.sandbox,
        "stripeSecret": world.vars["STRIPE_WEBHOOK_SECRET"], "admin": { "id": world.admin().await.id },
        "serviceKey": world.vars["SERVICE_ROLE_KEY"], "publishableKey": world.vars["PUBLISHABLE_KEYS"],
        "mailUrl": world.stack.lock().await.as_ref().map(|stack| stack.mail_url.clone()),
        "secretKey": world.vars["SECRET_KEYS"], "tellsRoles": matches!(stage, Stage::Bare),
        "passers": passers.map(|id| json!({ "id": id })), "scenes": scenes,
    })
}

async fn run(world: &'static World, stage: Stage, suite: &'static str) -> Result<BTreeMap<String, Outcome>, String> {
    let mut command = Command::new(node());
    command.arg("--test-reporter=tap").arg(file(suite)).env("CAURIS_STACK", cast(world, stage).await.to_string());
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.map_err(|error| format!("{} does not start: {error}", node().display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let results = read_tap(&said);
    if results.is_empty() {
        return Err(format!("no results: {said}{}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(results)
}

/// The results at the top level; what is indented below a result belongs to it.
fn read_tap(text: &str) -> BTreeMap<String, Outcome> {
    let mut results = BTreeMap::new();
    let mut last: Option<String> = None;
    for line in text.lines() {
        let (passed, rest) = match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => {
                if let Some(outcome) =
                    last.as_ref().and_then(|name| results.get_mut(name)).filter(|_| line.starts_with(' '))
                {
                    let outcome: &mut Outcome = outcome;
                    outcome.said.push_str(line);
                    outcome.said.push('\n');
                }
                continue;
            }
        };
        let name = rest.split_once(" - ").map_or(rest, |(_, name)| name);
        let name = name.replace("\\#", "#");
        last = Some(name.clone());
        results.insert(name, Outcome { passed, said: String::new() });
    }
    results
}

async fn a_browser_pays_on_the_checkout_page(world: &'static World) {
    let chromium = crate::browser::chromium().unwrap_or_else(|missing| panic!("{missing}"));
    let fatou = world.person().await;
    let asked = fatou.deposit(100_000).await;
    let script: &Path = &house::root().join("tests/clients/checkout.browser.mjs");
    let mut command = Command::new(node());
    command.arg(script).env("CHROMIUM", chromium).env("CHECKOUT_URL", asked["checkout_url"].as_str().expect("a URL"));
    let output =
        command.env("TOTAL", "100500").stdin(Stdio::null()).kill_on_drop(true).output().await.expect("node starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    let row = world.becomes(payment_id(&asked), "success").await;
    assert_eq!((&row["settlement"], fatou.gnf().await), (&json!("settled"), 100_000));
}
