//! N79: whose code we ship and run. Advisories need a list from outside: `cargo deny check` and `npm audit` ask for it.

use std::process::Command;

use serde_json::Value;

use crate::tree::none;

/// What may be linked into an MIT OR Apache-2.0 product. `deny.toml` has the same list.
const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    // A list of certificates, for tools of the host; it asks something of its own files only.
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether one way through an SPDX expression is allowed whole.
fn is_allowed(expression: &str) -> bool {
    let parsed = spdx::Expression::parse_mode(expression, spdx::ParseMode::LAX);
    parsed.is_ok_and(|parsed| parsed.evaluate(|required| ALLOWED.contains(&required.to_string().as_str())))
}

#[test]
fn n79_every_dependency_has_a_licence_that_we_may_ship() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1"])
        .current_dir(xtask::house::root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 100, "only {} packages", packages.len());
    let refused = packages.iter().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or("none");
        (!is_allowed(licence)).then(|| format!("{} {}: {licence}", package["name"], package["version"]))
    });
    none(&refused.collect::<Vec<_>>(), "leave it out, or add its licence here and to deny.toml with a reason");
}

#[test]
fn n79_both_lock_files_are_there_and_deny_knows_the_same_licences() {
    let root = xtask::house::root();
    for file in ["Cargo.lock", "package-lock.json"] {
        assert!(root.join(file).is_file(), "{file} is not committed");
    }
    let deny: toml::Table = std::fs::read_to_string(root.join("deny.toml")).expect("deny.toml").parse().expect("TOML");
    let listed: Vec<_> =
        deny["licenses"]["allow"].as_array().expect("a list").iter().filter_map(|l| l.as_str()).collect();
    assert_eq!(listed, ALLOWED);
}

#[test]
fn an_expression_is_allowed_when_one_way_through_it_is() {
    for (expression, allowed) in [
        ("MIT OR Apache-2.0", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0-only OR MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR Apache-2.0) AND GPL-3.0-only", false),
        ("GPL-3.0-only", false),
        ("none", false),
    ] {
        assert_eq!(is_allowed(expression), allowed, "{expression}");
    }
}
