//! The API reference that the gateway serves under `/docs`: our page, Swagger UI from npm, and docs/openapi.json, in one folder.

use std::fs;

use anyhow::{Context, Result};

use crate::house::{self, Function};

/// From `swagger-ui-dist`, pinned in package.json.
const FROM_NPM: [&str; 3] = ["favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css"];
const OURS: [&str; 2] = ["index.html", "initializer.js"];

/// Leaves `functions/gateway/build/docs/` as it is served; what is there already stays untouched.
pub fn build(gateway: &Function) -> Result<()> {
    let folder = gateway.build_dir().join("docs");
    fs::create_dir_all(&folder)?;
    let npm = house::root().join("node_modules/swagger-ui-dist");
    let parts = FROM_NPM.map(|name| (npm.join(name), name)).into_iter();
    let parts = parts.chain(OURS.map(|name| (gateway.dir.join("docs").join(name), name)));
    for (source, name) in parts.chain([(house::root().join("docs/openapi.json"), "openapi.json")]) {
        let fresh = fs::read(&source).with_context(|| format!("{} is missing", house::shown(&source)))?;
        let target = folder.join(name);
        if fs::read(&target).ok().as_deref() != Some(&fresh) {
            fs::write(&target, fresh).with_context(|| format!("cannot write {}", house::shown(&target)))?;
        }
    }
    Ok(())
}
