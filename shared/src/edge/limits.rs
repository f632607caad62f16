//! How often one caller may call, counted with what is bound: the platform's binding for minutes, an object for the rest, and
//! this isolate for how many of a person's calls are going on. Nothing bound: nothing is counted.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Object, Promise};
use wasm_bindgen::prelude::wasm_bindgen;
use worker::Env;

use super::few::Few;
use super::js::{self, Head};
use super::task::{Wait, settled};
use crate::contract::{Limit, Spec};
use crate::db::Local;
use crate::error::Answer;
use crate::limits::{self, Down, Leases, Left, Limits, Rules, Verdict, Who};

/// An object answers in a few milliseconds, or is down.
const OBJECT_MS: u32 = 1_000;
/// Callers whose calls an isolate keeps apart before it looks for those who have left.
const CALLERS: usize = 1_000;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    fn minute(wait: u32, limiter: &Object, key: &str);
}

#[wasm_bindgen(module = "/src/edge/limits.js")]
extern "C" {
    fn enter(objects: &Object, name: &str, path: &str, timeout_ms: u32) -> Promise;
    fn leave(objects: &Object, name: &str, path: &str);
}

/// The platform's binding for the class of this worker's one endpoint, and its bindings for the classes that may be counted
/// beside it; see `scripts/src/wrangler.rs`.
const OWN: &str = "RATE_LIMIT";
const BESIDE: [(Limit, &str); 4] = [
    (Limit::Server, "RATE_LIMIT_SERVER"),
    (Limit::Ceiling, "RATE_LIMIT_CEILING"),
    (Limit::Default, "RATE_LIMIT_DEFAULT"),
    (Limit::Payment, "RATE_LIMIT_PAYMENT"),
];

struct Bindings {
    own: Option<Object>,
    beside: Vec<(Limit, Object)>,
    objects: Option<Object>,
}

thread_local! {
    static BINDINGS: RefCell<Option<Rc<Bindings>>> = const { RefCell::new(None) };
    static INSIDE: RefCell<Few<(&'static str, String), Leases>> = const { RefCell::new(Few::new()) };
}

impl Bindings {
    fn of(env: &Env) -> Rc<Self> {
        if let Some(bindings) = BINDINGS.with_borrow(Clone::clone) {
            return bindings;
        }
        let bound = |name| js::binding(env, name);
        let beside = BESIDE.into_iter().filter_map(|(class, name)| Some((class, bound(name)?))).collect();
        let bindings = Rc::new(Self { own: bound(OWN), beside, objects: bound("LIMITS") });
        BINDINGS.set(Some(Rc::clone(&bindings)));
        bindings
    }

    fn any(&self) -> bool {
        self.own.is_some() || self.objects.is_some() || !self.beside.is_empty()
    }

    /// The platform's binding, for a class that it can count.
    fn minutes_of(&self, class: Limit, spec: &Spec) -> Option<&Object> {
        if limits::rules(class).needs_object() {
            return None;
        }
        let own = self.own.as_ref().filter(|_| class == spec.limit);
        own.or_else(|| self.beside.iter().find(|(beside, _)| *beside == class).map(|(_, binding)| binding))
    }
}

/// The limits of one request: where it is counted, and what has to be given back when its answer leaves.
pub struct Gate {
    spec: &'static Spec,
    bindings: Rc<Bindings>,
    told: RefCell<Vec<(&'static Rules, Option<Left>)>>,
    inside: RefCell<Vec<Inside>>,
    leases: RefCell<Vec<Lease>>,
}

/// A call that this isolate is working on; dropped with its request, if nothing else ends it.
struct Inside {
    caller: (&'static str, String),
    lease: u32,
}

/// A call that an object knows to be going on.
struct Lease {
    object: String,
    path: String,
}

impl Gate {
    pub fn of(env: &Env, spec: &'static Spec) -> Rc<Self> {
        Rc::new(Self {
            spec,
            bindings: Bindings::of(env),
            told: RefCell::default(),
            inside: RefCell::default(),
            leases: RefCell::default(),
        })
    }

    /// # Errors
    /// 429 for one call too many; 503 when the limiter is down and the class is one that then refuses.
    pub async fn enter(&self, who: &Who<'_>, provider: &str) -> Answer<()> {
        if !self.bindings.any() {
            return Ok(());
        }
        for (class, key) in limits::counted(self.spec, who, provider).into_iter().flatten() {
            self.admit(class, &key).await?;
        }
        Ok(())
    }

    /// Says what is left, and gives back what was held.
    pub fn leave(&self, head: &mut Head) {
        self.give_back();
        let told = self.told.take();
        if told.is_empty() {
            return;
        }
        let policies: Vec<_> = told.iter().map(|(rules, _)| rules.policy).collect();
        head.set("ratelimit-policy", &policies.join(", "));
        let left = |(rules, left): &(&Rules, Option<Left>)| {
            let Left { window, calls, reset_s } = (*left)?;
            Some(format!("{};r={calls};t={reset_s}", rules.policy_name(window)))
        };
        let left: Vec<_> = told.iter().filter_map(left).collect();
        if !left.is_empty() {
            head.set("ratelimit", &left.join(", "));
        }
    }

    fn give_back(&self) {
        self.inside.take();
        for lease in self.leases.take() {
            if let Some(objects) = &self.bindings.objects {
                leave(objects, &lease.object, &lease.path);
            }
        }
    }

    async fn admit(&self, class: Limit, key: &str) -> Answer<()> {
        let rules = limits::rules(class);
        let answer = limits::admit(self.spec.limit, class, async {
            let verdict = self.count(class, key).await;
            let left = match verdict {
                Ok(Verdict::In { left, .. }) => left,
                Ok(Verdict::Out { wait_s, window }) => Some(Left { window, calls: 0, reset_s: wait_s }),
                Err(Down) => return Err(Down),
            };
            self.told.borrow_mut().push((rules, left));
            verdict
        });
        answer.await.map(drop)
    }

    async fn count(&self, class: Limit, key: &str) -> Result<Verdict, Down> {
        let rules = limits::rules(class);
        if let Some(most) = rules.inside_of_isolate() {
            match Inside::enter((rules.name, key.to_owned()), most) {
                Some(inside) => self.inside.borrow_mut().push(inside),
                None => return Ok(Verdict::Out { wait_s: 1, window: 0 }),
            }
        }
        if let Some(limiter) = self.bindings.minutes_of(class, self.spec) {
            let wait = Wait::begin();
            minute(wait.id(), limiter, key);
            return match wait.await.0 {
                2 => Ok(Verdict::In { lease: None, left: None }),
                3 => Ok(Verdict::Out { wait_s: 60, window: 0 }),
                _ => Err(Down),
            };
        }
        self.ask(rules, key).await
    }

    async fn ask(&self, rules: &Rules, key: &str) -> Result<Verdict, Down> {
        let objects = self.bindings.objects.as_ref().ok_or(Down)?;
        let object = [rules.name, "/", key].concat();
        let said = settled(&enter(objects, &object, &["/enter/", rules.name].concat(), OBJECT_MS)).await;
        let verdict = said.ok().and_then(|said| Verdict::parse(&said.as_string()?)).ok_or(Down)?;
        if let Verdict::In { lease: Some(lease), .. } = verdict {
            let path = format!("/leave/{}/{lease}", rules.name);
            self.leases.borrow_mut().push(Lease { object, path });
        }
        Ok(verdict)
    }
}

/// Of a request that was dropped, or of one that nobody answered through [`Gate::leave`].
impl Drop for Gate {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Limits for Gate {
    fn enter<'a>(&'a self, class: Limit, key: &'a str) -> Local<'a, Answer<()>> {
        Box::pin(async move { if self.bindings.any() { self.admit(class, key).await } else { Ok(()) } })
    }
}

impl Inside {
    fn enter(caller: (&'static str, String), most: u32) -> Option<Self> {
        let now_ms = js::now_ms();
        INSIDE.with_borrow_mut(|inside| {
            if inside.len() >= CALLERS {
                inside.retain(|leases| !leases.is_empty(now_ms));
            }
            let lease = inside.with(caller.clone(), |leases| leases.enter(most, now_ms))?;
            Some(Self { caller, lease })
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(|inside| {
            if let Some(leases) = inside.get_mut(&self.caller) {
                leases.leave(self.lease);
                if leases.is_empty(0) {
                    inside.remove(&self.caller);
                }
            }
        });
    }
}
