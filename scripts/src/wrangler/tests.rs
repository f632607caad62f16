use super::*;
use crate::house::{Auth, Limit};

const ROOT: &str = r#"
compatibility_date = "2026-04-01"
limits = { cpu_ms = 1000 }
observability = { enabled = true }
routes = [{ pattern = "api.example.com/*", zone_name = "example.com" }]
[vars]
ALLOWED_ORIGINS = "*"
ANON_KEY = "anon"
JWT_AUDIENCE = "authenticated"
JWT_ISSUER = "https://auth.example.com"
JWT_JWKS = '{"keys":[]}'
JWT_JWKS_MAX_AGE_S = "600"
JWT_JWKS_URL = ""
LOG = "on"
POSTGREST_URL = "https://rest.example.com"
[[ratelimits]]
name = "payment"
namespace_id = "1002"
simple = { limit = 20, period = 60 }
[[ratelimits]]
name = "default"
namespace_id = "1001"
simple = { limit = 100, period = 60 }
[[ratelimits]]
name = "server"
namespace_id = "1006"
simple = { limit = 1000, period = 60 }
[env.staging]
routes = [{ pattern = "staging.example.com/*", zone_name = "example.com" }]
[env.staging.vars]
ALLOWED_ORIGINS = "*"
ANON_KEY = "anon"
JWT_AUDIENCE = "authenticated"
JWT_ISSUER = "https://auth.example.com"
JWT_JWKS = '{"keys":[]}'
JWT_JWKS_MAX_AGE_S = "600"
JWT_JWKS_URL = ""
LOG = "off"
POSTGREST_URL = "https://rest.staging.example.com"
[[env.staging.ratelimits]]
name = "payment"
namespace_id = "2002"
simple = { limit = 20, period = 60 }
[[env.staging.ratelimits]]
name = "default"
namespace_id = "2001"
simple = { limit = 100, period = 60 }
[[env.staging.ratelimits]]
name = "server"
namespace_id = "2006"
simple = { limit = 1000, period = 60 }
"#;

fn function(name: &str, auth: Auth, limit: Limit, bindings: &[Binding]) -> Function {
    Function {
        name: name.into(),
        dir: PathBuf::from("functions").join(name),
        auth,
        limit,
        bindings: bindings.to_vec(),
        aliases: Vec::new(),
        crons: Vec::new(),
        crate_types: vec!["cdylib".into()],
        durable: vec![],
    }
}

fn wallet() -> Function {
    let wallet = function("wallet-operations", Auth::User, Limit::Payment, &[Binding::Db]);
    Function { aliases: vec!["wallet-transfer".into()], ..wallet }
}

fn rendered(function: &Function, functions: &[Function]) -> toml::Table {
    let text = render(function, functions, &Environments::parse(ROOT).unwrap()).unwrap();
    text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn a_file_names_the_worker_after_its_function_in_every_environment() {
    let file = rendered(&wallet(), &[]);
    assert_eq!(file["name"].as_str(), Some("wallet-operations"));
    assert_eq!(file["env"]["staging"]["name"].as_str(), Some("wallet-operations-staging"));
    assert_eq!(file["env"]["staging"]["vars"]["LOG"].as_str(), Some("off"));
    assert_eq!(file["env"]["staging"]["ratelimits"][0]["namespace_id"].as_str(), Some("2002"));
    assert_eq!(file["observability"]["enabled"].as_bool(), Some(true));
    assert_eq!(file["vars"]["JWT_JWKS"].as_str(), Some(r#"{"keys":[]}"#));
}

#[test]
fn a_secret_is_named_and_never_has_a_value() {
    let file = rendered(&wallet(), &[]);
    assert_eq!(file["secrets"]["required"], toml::Value::from(vec!["JWT_SECRET"]));
    assert_eq!(file["env"]["staging"]["secrets"]["required"], toml::Value::from(vec!["JWT_SECRET"]));
    assert!(!file["vars"].as_table().unwrap().contains_key("JWT_SECRET"));
}

#[test]
fn a_route_takes_a_function_and_what_is_below_it_but_no_neighbour() {
    let file = rendered(&wallet(), &[]);
    let routes = file["routes"].as_array().unwrap();
    let patterns: Vec<_> = routes.iter().filter_map(|route| route["pattern"].as_str()).collect();
    assert_eq!(
        patterns,
        [
            "api.example.com/functions/v1/wallet-operations",
            "api.example.com/functions/v1/wallet-operations/*",
            "api.example.com/functions/v1/wallet-transfer",
            "api.example.com/functions/v1/wallet-transfer/*",
        ]
    );
}

#[test]
fn the_gateway_is_bound_to_every_name_and_never_to_itself() {
    let gateway = function("gateway", Auth::Public, Limit::None, &[Binding::Db]);
    let file = rendered(&gateway, &[gateway.clone(), wallet()]);
    assert_eq!(file["routes"].as_array().unwrap()[0]["pattern"].as_str(), Some("api.example.com/*"));
    let bound = |services: &toml::Value| -> Vec<(String, String)> {
        let text = |entry: &toml::Value, key: &str| entry[key].as_str().unwrap().to_string();
        let services = services.as_array().unwrap();
        services.iter().map(|entry| (text(entry, "binding"), text(entry, "service"))).collect()
    };
    let pairs = |service: &str| {
        ["FN_WALLET_OPERATIONS", "FN_WALLET_TRANSFER"].map(|name| (name.to_string(), service.to_string())).to_vec()
    };
    assert_eq!(bound(&file["services"]), pairs("wallet-operations"));
    assert_eq!(bound(&file["env"]["staging"]["services"]), pairs("wallet-operations-staging"));
}

#[test]
fn objects_are_bound_to_whom_they_serve_and_held_by_a_worker_without_a_route() {
    let counters = function("counters", Auth::Public, Limit::None, &[]);
    let counters = Function { durable: vec!["Limiter".into(), "Meter".into()], ..counters };
    let public = function("health", Auth::Public, Limit::None, &[]);
    let all = [counters.clone(), wallet(), public.clone()];
    let bound = |file: &toml::Value| -> Vec<(String, String, String)> {
        let text = |entry: &toml::Value, key: &str| entry[key].as_str().unwrap().to_string();
        let bindings = file["durable_objects"]["bindings"].as_array().unwrap();
        bindings.iter().map(|one| (text(one, "name"), text(one, "class_name"), text(one, "script_name"))).collect()
    };
    let meter = |script: &str| ("METER".to_string(), "Meter".to_string(), script.to_string());
    let limits = |script: &str| ("LIMITS".to_string(), "Limiter".to_string(), script.to_string());
    let wallet = rendered(&wallet(), &all);
    assert_eq!(bound(&wallet.clone().into()), [meter("counters")], "minutes are the platform's to count");
    assert_eq!(bound(&wallet["env"]["staging"]), [meter("counters-staging")]);
    assert_eq!(bound(&rendered(&public, &all).into()), [limits("counters"), meter("counters")]);
    let file = rendered(&counters, &all);
    assert!(!file.contains_key("routes") && !file.contains_key("durable_objects"));
    let held = toml::Value::from(vec!["Limiter", "Meter"]);
    assert_eq!(file["migrations"][0]["new_sqlite_classes"], held);
    assert_eq!(file["env"]["staging"]["migrations"][0]["new_sqlite_classes"], held);
    let gateway = function("gateway", Auth::Public, Limit::None, &[]);
    assert!(services(&[counters, gateway]).is_empty(), "nobody calls them by name");
}

#[test]
fn each_binding_brings_its_variables_and_its_secrets() {
    let all = [Binding::Db, Binding::Service, Binding::Moneroo, Binding::Internal];
    let sweeper = function("sweeper", Auth::Cron, Limit::Cron, &all);
    assert_eq!(vars(&sweeper).len(), 10);
    assert_eq!(
        secrets(&sweeper),
        ["INTERNAL_API_KEY", "MONEROO_SECRET_KEY", "MONEROO_WEBHOOK_SECRET", "PAYMENT_TAG_KEY", "SERVICE_ROLE_KEY"]
    );
    assert_eq!(optional_secrets(&sweeper), ["INTERNAL_API_KEY_PREVIOUS"]);
    assert_eq!(vars(&function("health", Auth::Public, Limit::None, &[])), ["ALLOWED_ORIGINS", "LOG"]);
}

#[test]
fn what_the_environments_lack_is_said_with_the_function_that_needs_it() {
    let environments = Environments::parse(ROOT).unwrap();
    let payer = function("payer", Auth::Public, Limit::Payment, &[Binding::Moneroo]);
    let error = render(&payer, &[], &environments).unwrap_err().to_string();
    assert!(error.contains("BREAKER_FAILURES") && error.contains("functions/payer"), "{error}");
    let beating = function("beating", Auth::Public, Limit::Heartbeat, &[]);
    let error = render(&beating, &[], &environments).unwrap_err().to_string();
    assert!(error.contains("heartbeat") && error.contains("functions/beating"), "{error}");
}

#[test]
fn an_environment_with_a_slip_is_refused() {
    for (from, to, expected) in [
        ("LOG =", "LGO =", "LGO"),
        ("api.example.com/*", "api.example.com", "one pattern"),
        ("period = 60", "period = 30", "10 or 60"),
        ("\"2002\"", "\"1002\"", "used twice"),
        ("limits =", "limit =", "limit"),
    ] {
        let error = format!("{:#}", Environments::parse(&ROOT.replace(from, to)).unwrap_err());
        assert!(error.contains(expected), "{to}: {error}");
    }
}
