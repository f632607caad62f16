//! What crosses the wire stands in one file of each function, and is described from there.

use xtask::house::{self, Function};

use crate::tree::{files, none, shipped};

/// What a `wire.rs` may build on: it is compiled a second time, on the host and far from its crate.
const PURE: [&str; 6] = ["schemars::", "serde::", "serde_json::", "shared::", "std::", "uuid::"];

/// Whoever the gateway can call: not itself, and not who only holds objects.
fn callable() -> Vec<Function> {
    let functions = house::functions().expect("every manifest of functions/ is right");
    let names: Vec<_> =
        xtask::wrangler::services(&functions).into_iter().map(|(_, function)| function.name.clone()).collect();
    functions.into_iter().filter(|function| names.contains(&function.name)).collect()
}

#[test]
fn every_function_that_can_be_called_has_a_wire() {
    let without = callable().into_iter().filter(|function| !function.dir.join("src/wire.rs").is_file());
    let offenders: Vec<_> = without.map(|function| format!("functions/{}/src/wire.rs", function.name)).collect();
    none(
        &offenders,
        "Its Ask, its receipts, its refusals, CONTRACT and WIRE: docs/openapi.json and clients/ts are made of them",
    );
}

#[test]
fn a_wire_is_pure() {
    let mut offenders = Vec::new();
    for file in files("functions", &["wire.rs"]) {
        for (number, line) in shipped(&file.text) {
            let import = line.trim().trim_start_matches("pub ").strip_prefix("use ");
            let impure = import.is_some_and(|import| !PURE.iter().any(|root| import.starts_with(root)));
            if impure || line.contains("shared::edge") || line.contains("crate::") || line.trim().starts_with("mod ") {
                offenders.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    none(
        &offenders,
        "Only serde, schemars, uuid and shared without its edge: scripts/openapi compiles the file once more",
    );
}

#[test]
fn a_contract_stands_beside_what_it_promises() {
    let mut offenders = Vec::new();
    for file in files("functions", &[".rs"]).into_iter().filter(|file| !file.path.ends_with("/wire.rs")) {
        let lines = shipped(&file.text).filter(|(_, line)| line.contains("Contract::post("));
        offenders.extend(lines.map(|(number, _)| format!("{}:{number}", file.path)));
    }
    none(&offenders, "A function's CONTRACT is in its wire.rs, where docs/openapi.json finds it");
}
