//! What the Rust of the edge may say.

use crate::tree::{Text, files, is_test_file, none, shipped};

/// What an entry needs of the platform; everything else of it is behind `shared::edge`.
const ENTRY: [&str; 12] = [
    "Context",
    "Env",
    "Error",
    "HttpRequest",
    "HttpResponse",
    "Request",
    "Response",
    "Result",
    "ScheduleContext",
    "ScheduledEvent",
    "event",
    "self",
];

/// The Rust that runs in a Worker.
fn edge_code() -> Vec<Text> {
    let mut all = files("functions", &[".rs"]);
    all.extend(files("shared/src", &[".rs"]));
    all.retain(|file| !is_test_file(&file.path));
    all
}

/// The shipped lines of `file` that hold one of `words`, as `path:line: word`.
fn hits(file: &Text, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in shipped(&file.text) {
        let code = line.split(" //").next().unwrap_or_default();
        found.extend(
            words.iter().filter(|word| code.contains(**word)).map(|word| format!("{}:{number}: {word}", file.path)),
        );
    }
    found
}

#[test]
fn nothing_at_the_edge_panics() {
    // A panic resets the instance: every other request of it is lost too. Constants may: they fail the build.
    let banned =
        [".unwrap()", ".expect(", "panic!(", "unreachable!(", "unimplemented!(", ".unwrap_err()", ".expect_err("];
    let offenders: Vec<_> = edge_code().iter().flat_map(|file| hits(file, &banned)).collect();
    none(&offenders, "Return a Refusal or an internal error instead; a broken promise of ours is a 500, not a reset");
}

#[test]
fn nothing_at_the_edge_asks_the_clock_of_std() {
    let banned = ["SystemTime", "std::time::Instant", "Instant::now", "thread::sleep"];
    let offenders: Vec<_> = edge_code().iter().flat_map(|file| hits(file, &banned)).collect();
    none(&offenders, "It panics on wasm32: take the time from the context");
}

#[test]
fn the_platform_stops_at_shared_edge() {
    let banned = ["worker::", "web_sys", "js_sys", "wasm_bindgen", "worker_sys"];
    let mut offenders = Vec::new();
    for file in edge_code() {
        let in_edge = file.path.starts_with("shared/src/edge/") || file.path == "shared/src/edge.rs";
        // The gateway hands requests on as they are; the counters are objects of the platform, and nothing else.
        let platform = ["functions/gateway/", "functions/counters/"].iter().any(|folder| file.path.starts_with(folder));
        if in_edge || platform {
            continue;
        }
        for hit in hits(&file, &banned) {
            let entry = file.path.starts_with("functions/") && imports_an_entry(&file, &hit);
            if !entry {
                offenders.push(hit);
            }
        }
    }
    none(&offenders, "Only shared::edge knows the platform; a function imports the names of its entry and no more");
}

/// `use worker::{Context, Env, …};` with nothing but the names of an entry.
fn imports_an_entry(file: &Text, hit: &str) -> bool {
    let number = hit.split(':').nth(1).and_then(|number| number.parse::<usize>().ok()).unwrap_or(1);
    let line = file.text.lines().nth(number - 1).unwrap_or_default().trim();
    let Some(names) = line.strip_prefix("use worker::").and_then(|rest| rest.strip_suffix(';')) else { return false };
    names.trim_matches(['{', '}']).split(',').map(str::trim).all(|name| ENTRY.contains(&name))
}

#[test]
fn the_nouns_of_shared_know_no_edge() {
    let nouns = files("shared/src", &[".rs"]).into_iter();
    let nouns = nouns.filter(|file| !file.path.starts_with("shared/src/edge") && !is_test_file(&file.path));
    let offenders: Vec<_> = nouns.flat_map(|file| hits(&file, &["crate::edge", "super::edge"])).collect();
    none(&offenders, "Imports point one way: edge knows the nouns");
}

#[test]
fn the_edge_knows_no_function() {
    let names: Vec<_> =
        xtask::house::functions().expect("manifests").into_iter().map(|function| function.name).collect();
    let words: Vec<_> = names.iter().filter(|name| name.contains('-')).map(|name| format!("\"{name}\"")).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let edge = files("shared/src/edge", &[".rs"]).into_iter().filter(|file| !is_test_file(&file.path));
    let offenders: Vec<_> = edge.flat_map(|file| hits(&file, &words)).collect();
    none(&offenders, "shared::edge serves every function alike: what one needs goes into its contract");
}
