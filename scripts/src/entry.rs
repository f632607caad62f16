//! A bundle's own entry, in front of worker-build's; see `entry/entry.js`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::house;
use crate::process::{Launch, output};

/// Part of what names a bundle: one with another entry is not fresh.
pub const SOURCE: &str = include_str!("entry/entry.js");

/// Changes what worker-build has left in `place`. At no time is there no bundle.
pub async fn put(place: &Path, esbuild: &Path) -> Result<()> {
    let [entry, new, index] = ["entry.js", "index.new.js", "index.js"].map(|file| place.join(file));
    fs::write(&entry, SOURCE)?;
    let esbuild = Launch::new("esbuild", esbuild)
        .args(["entry.js", "--bundle", "--minify", "--format=esm", "--log-level=warning", "--outfile=index.new.js"])
        .args(["--external:./index_bg.wasm", "--external:cloudflare:*"])
        .dir(place);
    output(esbuild).await.with_context(|| format!("{} gets no entry", house::shown(place)))?;
    fs::rename(&new, &index)?;
    fs::remove_file(&entry)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As much of worker-build's bundle as the entry sees. It counts what is constructed.
    const INDEX: &str = r#"
        const state = globalThis.__worker_init_state = { criticalError: false, made: 0 };
        class Entrypoint {}
        Entrypoint.prototype.fetch = function (request) {
            if (request === 'die') throw new WebAssembly.RuntimeError('dead');
            return [request, this.env, this.ctx, state.made].join();
        };
        Entrypoint.prototype.scheduled = Entrypoint.prototype.fetch;
        Entrypoint.prototype.start = () => {};
        export class Meter {}
        export default new Proxy(Entrypoint, { construct(made, args) {
            if (args.join() !== 'ctx,env') throw new Error('constructed with ' + args);
            state.criticalError = false;
            state.made++;
            return Reflect.construct(made, args);
        } });
    "#;
    const ASKED: &str = r#"
        import entry, { Meter } from './index.js';
        const ask = (request) => { try { return entry.fetch(request, 'env', 'ctx'); } catch (error) { return error.message; } };
        console.error = () => {};
        console.log([typeof entry, Object.keys(entry), typeof Meter, ...['a', 'b', 'die', 'c', 'd'].map(ask)].join(' '));
    "#;

    #[tokio::test]
    async fn a_request_makes_no_object_and_the_one_after_a_death_makes_a_clean_instance() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("package.json"), r#"{"type":"module"}"#).unwrap();
        fs::write(dir.path().join("index.js"), INDEX).unwrap();
        fs::write(dir.path().join("asked.js"), ASKED).unwrap();
        let modules = house::root().join("node_modules");
        put(dir.path(), &modules.join("esbuild/bin/esbuild")).await.unwrap();
        let node = Launch::new("node", modules.join("node/bin/node")).arg("asked.js").dir(dir.path());
        let said = output(node).await.unwrap();
        assert_eq!(said.trim(), "object fetch,scheduled function a,env,ctx,0 b,env,ctx,0 dead c,env,ctx,1 d,env,ctx,1");
        assert!(!dir.path().join("entry.js").exists(), "what was needed to build is not shipped");
    }
}
