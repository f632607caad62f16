//! The list of functions: read from each `functions/<name>/Cargo.toml`, never written down a second time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// Who may call a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    User,
    Public,
    Webhook,
    Cron,
}

/// How often one caller may call it; the figures are in the root `wrangler.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    Default,
    Payment,
    Webhook,
    Heartbeat,
    Advice,
    Cron,
    None,
}

impl Limit {
    /// The name of its `[[ratelimits]]` entry; a cron has the platform as its only caller, so it has none.
    pub fn class(self) -> Option<&'static str> {
        match self {
            Limit::Default => Some("default"),
            Limit::Payment => Some("payment"),
            Limit::Webhook => Some("webhook"),
            Limit::Heartbeat => Some("heartbeat"),
            Limit::Advice => Some("advice"),
            Limit::Cron | Limit::None => None,
        }
    }
}

/// What a function may reach: each a group of variables and secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Binding {
    Db,
    Service,
    Moneroo,
    Rails, // Every other payment provider; those without keys are refused.
    Internal,
    Token, // The keys of access tokens; a function for users has them anyway.
}

/// One folder of `functions/`.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    pub name: String,
    pub dir: PathBuf,
    pub auth: Auth,
    pub limit: Limit,
    pub bindings: Vec<Binding>,
    pub aliases: Vec<String>,
    pub crons: Vec<String>,
    pub crate_types: Vec<String>,
}

impl Function {
    pub fn artifact(&self) -> String {
        self.name.replace('-', "_")
    }

    pub fn is_gateway(&self) -> bool {
        self.name == "gateway"
    }

    /// The names under which it is called: its own, then the legacy ones.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    pub fn has(&self, binding: Binding) -> bool {
        self.bindings.contains(&binding) || (binding == Binding::Token && self.auth == Auth::User)
    }

    pub fn wrangler_file(&self) -> PathBuf {
        self.dir.join("wrangler.toml")
    }

    pub fn build_dir(&self) -> PathBuf {
        self.dir.join("build")
    }
}

/// The folder that holds the workspace. Cargo's variable of the running process wins over the one of the compilation: two
/// clones may share a target folder.
pub fn root() -> PathBuf {
    let started = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let is_root = |dir: &&Path| dir.join("functions").is_dir() && dir.join("migrations").is_dir();
    let found = |start: &Path| start.ancestors().find(is_root).map(Path::to_path_buf);
    started.as_deref().and_then(found).or_else(|| found(&built)).unwrap_or(built)
}

/// Every function, the gateway included, sorted by name.
pub fn functions() -> Result<Vec<Function>> {
    functions_in(&root().join("functions"))
}

/// The functions called `names`; all of them when there are none.
pub fn select(names: &[String]) -> Result<Vec<Function>> {
    let all = functions()?;
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|function| function.name == **name)) {
        match all.iter().find(|function| function.aliases.contains(unknown)) {
            Some(function) => bail!("{unknown} is another name of {}: use that one", function.name),
            None => bail!("there is no functions/{unknown}"),
        }
    }
    Ok(all.into_iter().filter(|function| names.is_empty() || names.contains(&function.name)).collect())
}

fn functions_in(folder: &Path) -> Result<Vec<Function>> {
    let mut functions = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let file = entry?.path().join("Cargo.toml");
        if file.is_file() {
            let text = fs::read_to_string(&file)?;
            functions.push(parse(&file, &text).with_context(|| format!("{} is wrong", shown(&file)))?);
        }
    }
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    no_name_twice(&functions)?;
    Ok(functions)
}

/// Parses one manifest. Unknown keys of our own table are errors: a misspelt limit must not be no limit.
fn parse(file: &Path, text: &str) -> Result<Function> {
    #[derive(Deserialize)]
    struct Manifest {
        package: Package,
        lib: Lib,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        function: Declared,
    }
    #[derive(Deserialize)]
    struct Lib {
        #[serde(rename = "crate-type")]
        crate_type: Vec<String>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Declared {
        auth: Auth,
        limit: Limit,
        #[serde(default)]
        bindings: Vec<Binding>,
        #[serde(default)]
        aliases: Vec<String>,
        #[serde(default)]
        crons: Vec<String>,
    }

    let Manifest { package, lib } =
        toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", error.to_string().trim()))?;
    let Declared { auth, limit, mut bindings, aliases, crons } = package.metadata.function;
    let dir = file.parent().context("a manifest has a folder")?.to_path_buf();
    let folder = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ensure!(
        package.name == folder,
        "the package is called {} and its folder {folder}: one name, everywhere",
        package.name
    );
    for name in aliases.iter().chain([&package.name]) {
        ensure!(is_name(name), "{name:?} is no function name: lower case letters, digits and single hyphens");
    }
    ensure!((auth == Auth::Cron) != crons.is_empty(), "auth = \"cron\" and a schedule in crons belong together");
    if auth == Auth::Cron && !bindings.contains(&Binding::Internal) {
        bindings.push(Binding::Internal); // Called over HTTP, a cron asks for the internal key.
    }
    bindings.sort();
    bindings.dedup();
    Ok(Function { name: package.name, dir, auth, limit, bindings, aliases, crons, crate_types: lib.crate_type })
}

fn no_name_twice(functions: &[Function]) -> Result<()> {
    let mut owners = BTreeMap::new();
    for function in functions {
        for name in function.names() {
            if let Some(other) = owners.insert(name, &function.name) {
                bail!("{name} names both functions/{other} and functions/{}", function.name);
            }
        }
    }
    Ok(())
}

/// Safe in a URL, a worker's name, a binding's name and a file's name.
pub fn is_name(name: &str) -> bool {
    name.len() <= 54
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// A path as people know it: from the root of the repository.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
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
}
