//! The workers of a subject that runs in a bare workerd: those that some rooms need, and the doors that they open.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use xtask::house::{self, Auth, Function, Limit};
use xtask::wrangler;

use super::{Bench, HELLO, TRANSFER, door, fixture, free_port};
use crate::case::{Door, Name, Room};
use crate::workerd::{Quota, Worker};

/// More than the load ever sends. Configuration: the limiter is asked for every call and counts it.
pub const RAISED: Quota = Quota { calls: 1_000_000, seconds: 60 };
/// The second call of a caller is one too many.
pub const ONE: Quota = Quota { calls: 1, seconds: 60 };

/// Who is in the process.
#[derive(Default)]
pub struct Cast {
    pub workers: Vec<Worker>,
    pub doors: BTreeMap<Room, Door>,
}

impl Cast {
    fn add(&mut self, worker: Worker, entry: Option<(Room, Door)>) {
        let port = entry.as_ref().map(|(_, door)| door.addr.port());
        self.workers.push(Worker { port, ..worker });
        self.doors.extend(entry);
    }
}

/// What our function is given, as `cargo xtask deploy` gives it.
struct Ours<'a> {
    functions: &'a [Function],
    quota: Quota,
    /// Without it the objects' worker, which is another worker in production too, is not in the process.
    objects: bool,
}

impl Bench<'_> {
    /// None when the subject needs no workerd.
    pub async fn cast(&self, name: Name, rooms: &[Room]) -> Result<Option<Cast>> {
        Ok(Some(match name {
            Name::Cauris => self.ours(rooms, RAISED, true)?,
            Name::Proxy => self.proxy(rooms).await?,
            Name::Js => self.js(rooms).await?,
            Name::Hono => self.hono(rooms).await?,
            Name::Deno | Name::Bun | Name::Direct => return Ok(None),
        }))
    }

    pub fn ours(&self, rooms: &[Room], quota: Quota, objects: bool) -> Result<Cast> {
        let functions = house::functions()?;
        let named = |name: &str| {
            functions.iter().find(|function| function.name == name).with_context(|| format!("there is no {name}"))
        };
        let ours = Ours { functions: &functions, quota, objects };
        let mut cast = Cast::default();
        if rooms.iter().any(|room| [Room::Hello, Room::Hop].contains(room)) {
            cast.add(self.function(&hello(), &ours), entry(rooms, Room::Hello, HELLO)?);
        }
        if let Some(entry) = entry(rooms, Room::Hop, HELLO)? {
            let mut gateway = self.function(named("gateway")?, &ours);
            gateway.services.push((wrangler::binding_of("hello"), "hello".into()));
            cast.add(gateway, Some(entry));
        }
        if let Some(entry) = entry(rooms, Room::Transfer, TRANSFER)? {
            cast.add(self.function(named("wallet-operations")?, &ours), Some(entry));
        }
        if objects {
            cast.add(self.function(named("counters")?, &ours), None);
        }
        Ok(cast)
    }

    /// One of ours, with every variable, secret, limit and object that it has in production.
    fn function(&self, function: &Function, ours: &Ours<'_>) -> Worker {
        let names =
            [wrangler::vars(function), wrangler::secrets(function), wrangler::optional_secrets(function)].concat();
        let objects = wrangler::objects(function, ours.functions, true, false).into_iter().filter(|_| ours.objects);
        let limits = function.rate_limits().into_iter().map(|(binding, _)| (binding.to_owned(), ours.quota));
        Worker {
            wasm: Some(function.build_dir().join("index_bg.wasm")),
            texts: self.texts(&names),
            limits: limits.collect(),
            objects: objects
                .map(|(binding, class, holder)| (binding.into(), class.into(), holder.name.clone()))
                .collect(),
            held: function.durable.clone(),
            ..worker(&function.name, &function.build_dir().join("index.js"))
        }
    }

    async fn proxy(&self, rooms: &[Room]) -> Result<Cast> {
        let mut cast = Cast::default();
        if let Some((room, door)) = entry(rooms, Room::Transfer, TRANSFER)? {
            let texts = self.texts(&["POSTGREST_URL"]);
            let proxy = Worker { texts, ..worker("proxy", &self.bundle("proxy.js").await?) };
            cast.add(proxy, Some((room, Door { has_contract: false, ..door })));
        }
        Ok(cast)
    }

    async fn js(&self, rooms: &[Room]) -> Result<Cast> {
        let mut cast = Cast::default();
        if rooms.iter().any(|room| [Room::Hello, Room::Hop].contains(room)) {
            cast.add(worker("hello", &self.bundle("hello.js").await?), entry(rooms, Room::Hello, HELLO)?);
        }
        if let Some(entry) = entry(rooms, Room::Hop, HELLO)? {
            let services = vec![(wrangler::binding_of("hello"), "hello".into())];
            cast.add(Worker { services, ..worker("router", &self.bundle("router.js").await?) }, Some(entry));
        }
        if let Some(entry) = entry(rooms, Room::Transfer, TRANSFER)? {
            let texts = self.settings();
            cast.add(Worker { texts, ..worker("transfer", &self.bundle("transfer.js").await?) }, Some(entry));
        }
        Ok(cast)
    }

    /// One app for both rooms, as it is written.
    async fn hono(&self, rooms: &[Room]) -> Result<Cast> {
        let mut cast = Cast::default();
        let asked = [(Room::Hello, HELLO), (Room::Transfer, TRANSFER)].map(|(room, path)| entry(rooms, room, path));
        let entries: Vec<_> = asked.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        if let Some((_, Door { addr, .. })) = entries.first().cloned() {
            let app = Worker { texts: self.settings(), ..worker("hono", &self.bundle("hono.ts").await?) };
            cast.workers.push(Worker { port: Some(addr.port()), ..app });
            cast.doors = entries.into_iter().map(|(room, door)| (room, Door { addr, ..door })).collect();
        }
        Ok(cast)
    }
}

fn entry(rooms: &[Room], room: Room, path: &str) -> Result<Option<(Room, Door)>> {
    if rooms.contains(&room) { Ok(Some((room, door(free_port()?, path)))) } else { Ok(None) }
}

fn worker(name: &str, script: &Path) -> Worker {
    Worker { name: name.into(), script: script.into(), ..Worker::default() }
}

/// The fixture, as a function of the house: it is none only so that nobody deploys it.
fn hello() -> Function {
    Function {
        name: "hello".into(),
        dir: fixture(),
        auth: Auth::Public,
        limit: Limit::None,
        bindings: vec![],
        aliases: vec![],
        crons: vec![],
        crate_types: vec!["cdylib".into()],
        durable: vec![],
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use xtask::keys;

    use super::*;

    fn cast(rooms: &[Room], objects: bool) -> Cast {
        let tools = xtask::tools::Tools {
            node: "node".into(),
            wrangler_js: "cli.js".into(),
            workerd: "workerd".into(),
            worker_build: "worker-build".into(),
            wasm_bindgen: "wasm-bindgen".into(),
            esbuild: "esbuild".into(),
            wasm_opt: "wasm-opt".into(),
            rest: "postrust".into(),
            bin: "bin".into(),
        };
        let mut vars = keys::worker_vars();
        vars.insert("JWT_JWKS_URL".into(), "http://127.0.0.1:1/rpc/jwks".into());
        let bench = Bench { dir: Path::new("nowhere"), tools: &tools, vars: &vars };
        bench.ours(rooms, RAISED, objects).expect("a cast")
    }

    fn find<'a>(cast: &'a Cast, name: &str) -> &'a Worker {
        cast.workers.iter().find(|worker| worker.name == name).expect("it takes part")
    }

    #[test]
    fn our_functions_have_the_limits_the_objects_and_the_keys_that_production_has() {
        let cast = cast(&Room::ALL, true);
        let transfer = find(&cast, "wallet-operations");
        let limits: Vec<&str> = transfer.limits.iter().map(|(binding, _)| binding.as_str()).collect();
        assert_eq!(limits, ["RATE_LIMIT"]);
        assert!(transfer.objects.iter().any(|(binding, ..)| binding == "METER"), "{:?}", transfer.objects);
        assert!(["JWT_SECRET", "JWT_JWKS", "JWT_JWKS_URL"].iter().all(|name| transfer.texts.contains_key(*name)));
        assert!(find(&cast, "hello").objects.iter().any(|(binding, ..)| binding == "LIMITS"), "a stranger is counted");
        assert!(find(&cast, "gateway").limits.iter().any(|(binding, _)| binding == "RATE_LIMIT_PAYMENT"));
        assert_eq!(find(&cast, "counters").held, ["Limiter", "Meter"]);
        assert!(cast.doors.keys().eq(&Room::ALL), "each room has a door");
    }

    #[test]
    fn a_room_brings_only_the_workers_that_it_needs() {
        for (room, expected) in [
            (Room::Hello, &["hello"][..]),
            (Room::Hop, &["hello", "gateway"]),
            (Room::Transfer, &["wallet-operations"]),
        ] {
            let cast = cast(&[room], false);
            assert!(cast.workers.iter().map(|worker| worker.name.as_str()).eq(expected.iter().copied()), "{room:?}");
            let open: Vec<SocketAddr> = cast.doors.values().map(|door| door.addr).collect();
            assert_eq!(open.len(), 1, "{room:?}");
            assert_eq!(cast.workers.last().and_then(|worker| worker.port), Some(open[0].port()), "{room:?}");
        }
    }
}
