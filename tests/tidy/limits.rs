//! Rate limits stand in three places: as data in shared, in the manifests, and in wrangler's own words. They are the same.

use shared::limits::{CLASSES, rules};
use xtask::house::{self, Limit};
use xtask::wrangler::environment::{Environment, Environments};

use crate::tree::{files, none, shipped};

#[test]
fn n31_to_n42_the_platform_counts_with_the_numbers_of_the_classes() {
    let Environments { production, named, .. } = Environments::read().expect("wrangler.toml is right");
    let mut offenders = Vec::new();
    for (label, Environment { ratelimits, .. }) in
        named.iter().map(|(label, named)| (label.as_str(), named)).chain([("production", &production)])
    {
        for class in CLASSES.into_iter().map(rules) {
            let bound = ratelimits.iter().find(|limit| limit.name == class.name);
            let bound = bound.map(|limit| (limit.simple.limit, limit.simple.period));
            let window = class.windows.first().map(|window| (window.calls, window.seconds));
            if bound != window.filter(|_| !class.needs_object()) {
                offenders.push(format!("{label}: {}: wrangler.toml says {bound:?}, the class {window:?}", class.name));
            }
        }
        let unknown = ratelimits.iter().filter(|limit| shared::limits::class(&limit.name).is_none());
        offenders.extend(unknown.map(|limit| format!("{label}: {}: no such class", limit.name)));
    }
    none(&offenders, "shared/src/limits/classes.rs decides; a class that needs an object has no entry");
}

#[test]
fn a_manifest_knows_the_classes_of_shared() {
    // The three that no endpoint chooses.
    let chosen =
        CLASSES.into_iter().map(rules).filter(|class| !["anonymous", "server", "ceiling"].contains(&class.name));
    let mut offenders = Vec::new();
    for class in chosen {
        match toml::Value::from(class.name).try_into::<Limit>() {
            Ok(limit) => {
                let same = limit.needs_object() == class.needs_object()
                    && limit.class() == (!class.needs_object()).then_some(class.name);
                offenders.extend((!same).then(|| format!("{}: another way of counting", class.name)));
            }
            Err(_) => offenders.push(format!("{}: no manifest may say it", class.name)),
        }
    }
    none(&offenders, "Limit in scripts/src/house.rs follows shared/src/limits/classes.rs");
}

#[test]
fn a_manifest_and_its_contract_name_the_same_class() {
    let sources = files("functions", &[".rs"]);
    let mut offenders = Vec::new();
    for function in house::functions().expect("manifests") {
        if function.is_gateway() || function.is_durable() {
            continue;
        }
        let folder = format!("functions/{}/", function.name);
        let code: String = sources
            .iter()
            .filter(|file| file.path.starts_with(&folder))
            .flat_map(|file| shipped(&file.text))
            .map(|(_, line)| line)
            .collect();
        let named = code.split(".limit(Limit::").skip(1).filter_map(|rest| rest.split_once(')'));
        // A class with a comma is one that the handler counts besides.
        let named = named.map(|(name, _)| name.to_lowercase()).find(|name| !name.contains(','));
        let promised = named.unwrap_or_else(|| {
            let kinds = [(".webhook()", "webhook"), (".cron()", "none")];
            kinds.into_iter().find(|(kind, _)| code.contains(kind)).map_or("default", |(_, class)| class).to_owned()
        });
        let said = format!("{:?}", function.limit).to_lowercase().replace("cron", "none");
        if said != promised {
            offenders.push(format!("{folder}: the manifest says {said}, the contract {promised}"));
        }
    }
    none(
        &offenders,
        "The door counts by the contract and is bound by the manifest: limit = the class of .limit(Limit::…)",
    );
}
