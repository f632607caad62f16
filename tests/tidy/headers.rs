//! Headers that only a platform may say.

use crate::tree::{files, is_test_file, none, shipped};

/// Words that a client may write into a header of any request. The gateway hands a request to a function as it came, because
/// taking headers out would cost every call a copy; so no function may listen to them.
const SAID_BY_PLATFORMS: [&str; 7] = [
    "\"sb-",
    "\"x-forwarded-",
    "\"forwarded\"",
    "\"x-real-ip\"",
    "\"x-invoked-as\"",
    "\"x-relay-error\"",
    "\"true-client-ip\"",
];

#[test]
fn c08_no_function_listens_to_a_header_that_only_a_platform_may_say() {
    let mut edge = files("functions", &[".rs"]);
    edge.extend(files("shared/src", &[".rs", ".js"]));
    // What the gateway takes out, or sets itself, on the way to an upstream.
    let gateways = |path: &str| path.starts_with("shared/src/edge/forward") || path == "shared/src/edge/cors.rs";
    let mut offenders = Vec::new();
    for file in edge.iter().filter(|file| !is_test_file(&file.path) && !gateways(&file.path)) {
        for (number, line) in shipped(&file.text) {
            let line = line.replace('\'', "\"").to_lowercase();
            // An answer may carry one: `head.set("x-relay-error", …)`.
            let sets = line.contains(".set(");
            let heard = SAID_BY_PLATFORMS.iter().filter(|word| !sets && line.contains(**word));
            offenders.extend(heard.map(|word| format!("{}:{number}: {word}", file.path)));
        }
    }
    none(&offenders, "Any client can write it: take the address from `seen.address`, the name from the path");
}
