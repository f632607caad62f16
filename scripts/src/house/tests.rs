use super::*;

const WALLET: &str = r#"
    [package]
    name = "wallet-operations"
    [lib]
    crate-type = ["cdylib"]
    [package.metadata.function]
    auth = "user"
    limit = "payment"
    bindings = ["moneroo", "db"]
    aliases = ["wallet-transfer"]
"#;

fn parsed(text: &str) -> Result<Function> {
    parse(Path::new("functions/wallet-operations/Cargo.toml"), text)
}

#[test]
fn a_manifest_says_who_may_call_how_often_and_what_is_reached() {
    let function = parsed(WALLET).unwrap();
    assert_eq!((function.auth, function.limit), (Auth::User, Limit::Payment));
    assert_eq!(function.bindings, [Binding::Db, Binding::Moneroo]);
    assert_eq!(function.names().collect::<Vec<_>>(), ["wallet-operations", "wallet-transfer"]);
    assert_eq!((function.crate_types, function.crons), (vec!["cdylib".to_string()], vec![]));
}

#[test]
fn what_the_house_does_not_know_is_refused_by_its_name() {
    for (from, to, expected) in [
        ("limit =", "limt =", "limt"),
        (r#"auth = "user""#, r#"auth = "admin""#, "admin"),
        (r#"["moneroo", "db"]"#, r#"["mysql"]"#, "mysql"),
        (r#"name = "wallet-operations""#, r#"name = "wallet""#, "one name, everywhere"),
        (r#"["wallet-transfer"]"#, r#"["Wallet"]"#, "no function name"),
        (r#"auth = "user""#, r#"auth = "cron""#, "belong together"),
    ] {
        let error = format!("{:#}", parsed(&WALLET.replace(from, to)).unwrap_err());
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn a_cron_function_always_knows_the_internal_key() {
    let text = WALLET.replace(r#"auth = "user""#, "auth = \"cron\"\ncrons = [\"* * * * *\"]");
    assert!(parsed(&text).unwrap().has(Binding::Internal));
}

#[test]
fn a_function_is_bound_to_the_limits_of_its_callers() {
    let with = |change: fn(&mut Function)| {
        let mut function = parsed(WALLET).unwrap();
        change(&mut function);
        (function.rate_limits().into_iter().map(|(name, _)| name).collect::<Vec<_>>(), function.needs_limiter())
    };
    assert_eq!(with(|_| ()), (vec!["RATE_LIMIT"], false));
    assert_eq!(with(|f| f.bindings.push(Binding::Internal)), (vec!["RATE_LIMIT", "RATE_LIMIT_SERVER"], false));
    assert_eq!(with(|f| f.auth = Auth::Public), (vec!["RATE_LIMIT"], true));
    assert_eq!(with(|f| f.limit = Limit::Upload), (vec![], true));
    assert_eq!(with(|f| f.limit = Limit::Play), (vec!["RATE_LIMIT_CEILING"], true));
    assert_eq!(with(|f| f.durable.push("Limiter".into())), (vec![], false));
}

#[test]
fn two_functions_cannot_answer_to_one_name() {
    let wallet = parsed(WALLET).unwrap();
    let twin = Function { name: "wallet-transfer".into(), aliases: vec![], ..wallet.clone() };
    assert!(no_name_twice(&[wallet.clone(), twin]).unwrap_err().to_string().contains("wallet-transfer"));
    no_name_twice(&[wallet]).unwrap();
}

#[test]
fn a_name_is_safe_in_a_url_and_in_a_binding() {
    for (name, expected) in [
        ("health", true),
        ("try-me", true),
        ("a1", true),
        ("", false),
        ("1a", false),
        ("a_b", false),
        ("a--b", false),
        ("a-", false),
    ] {
        assert_eq!(is_name(name), expected, "{name:?}");
    }
}

#[test]
fn the_root_holds_functions_and_migrations() {
    assert!(root().join("Cargo.toml").is_file(), "{}", root().display());
}
