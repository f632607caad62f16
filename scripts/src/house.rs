//! The list of functions: read from each `functions/<name>/Cargo.toml`, never written down a second time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

mod limit;

pub use limit::Limit;

/// Who may call a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    User,
    Public,
    Webhook,
    Cron,
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
    Identity, // Our own identity service: makes tokens.
    Proxy,    // Passes on what a Supabase project serves, and exchanges opaque keys.
    Token,    // The keys of access tokens; a function for users has them anyway.
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
    /// The classes of objects that it is there for; such a worker is bound to others and called by nobody.
    pub durable: Vec<String>,
}

impl Function {
    pub fn is_gateway(&self) -> bool {
        self.name == "gateway"
    }

    /// Holds objects for the others: no route, no name at the gateway.
    pub fn is_durable(&self) -> bool {
        !self.durable.is_empty()
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
        #[serde(default)]
        durable: Vec<String>,
    }

    let Manifest { package, lib } =
        toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", error.to_string().trim()))?;
    let Declared { auth, limit, mut bindings, aliases, crons, durable } = package.metadata.function;
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
    ensure!(durable.is_empty() || aliases.is_empty(), "who holds objects is called by nobody: no aliases");
    let crate_types = lib.crate_type;
    Ok(Function { name: package.name, dir, auth, limit, bindings, aliases, crons, crate_types, durable })
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
mod tests;
