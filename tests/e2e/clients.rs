//! The published clients, unmodified: each node test of tests/clients is a test here, and a real browser pays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::OnceCell;
use xtask::house;

use crate::people::{away, point};
use crate::sandbox::payment_id;
use crate::world::{World, main_world};

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
        let results: &'static Results = Box::leak(Box::default());
        for name in names(suite) {
            let test = name.clone();
            let run = move || crate::RUNTIME.block_on(result_of(suite, results, &test));
            trials.push(Trial::test(format!("clients::{suite}::{name}"), run));
        }
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

fn file(suite: &str) -> PathBuf {
    house::root().join(format!("tests/clients/{suite}.test.mjs"))
}

/// The node of package.json, or the system's when nothing is installed yet.
fn node() -> PathBuf {
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

async fn result_of(suite: &'static str, results: &Results, name: &str) -> Result<(), Failed> {
    let world = main_world().await;
    let all = results.get_or_init(|| run(world, suite)).await.as_ref().map_err(Failed::from)?;
    world.check_books().await;
    match all.get(name) {
        Some(outcome) if outcome.passed => Ok(()),
        Some(outcome) => Err(outcome.said.clone().into()),
        None => Err(format!("node said nothing about it; it knows {:?}", all.keys().collect::<Vec<_>>()).into()),
    }
}

/// Everybody a suite needs. People are made in SQL, so they are made here.
async fn cast(world: &'static World) -> Value {
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
        "passers": passers.map(|id| json!({ "id": id })), "scenes": scenes,
    })
}

async fn run(world: &'static World, suite: &'static str) -> Result<BTreeMap<String, Outcome>, String> {
    let mut command = Command::new(node());
    command.arg("--test-reporter=tap").arg(file(suite)).env("CAURIS_STACK", cast(world).await.to_string());
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
