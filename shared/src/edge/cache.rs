//! Where answers are kept: this isolate's memory, and behind it the platform's cache of the data centre, for what is public.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use wasm_bindgen::prelude::wasm_bindgen;

use super::js;
use crate::cache::{Class, Entry, Key, Store};
use crate::db::Local;

/// Entries in one isolate; a full memory is emptied.
const REMEMBERED: usize = 200;
/// A longer answer is made each time.
const MAX_BYTES: usize = 65_536;
/// Who claimed a refresh and never came back blocks it for this long.
const CLAIM_MS: u64 = 10_000;

thread_local! {
    static MEMORY: RefCell<HashMap<String, Entry>> = RefCell::new(HashMap::new());
    static CLAIMS: RefCell<HashMap<String, u64>> = RefCell::new(HashMap::new());
}

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    #[wasm_bindgen(js_name = kept)]
    async fn kept(key: &str) -> wasm_bindgen::JsValue;
    #[wasm_bindgen(js_name = keep)]
    async fn keep(key: &str, text: Option<&str>, seconds: u32);
}

/// The cache of this platform.
#[must_use]
pub fn cache() -> Rc<dyn Store> {
    Rc::new(Platform)
}

struct Platform;

impl Store for Platform {
    fn get<'a>(&'a self, key: &'a Key) -> Local<'a, Option<Entry>> {
        Box::pin(async move {
            if let Some(entry) = MEMORY.with_borrow(|memory| memory.get(key.text()).cloned()) {
                return Some(entry);
            }
            if !key.is_public {
                return None;
            }
            let entry = read(&kept(key.text()).await.as_string()?)?;
            remember(key, entry.clone());
            Some(entry)
        })
    }

    fn put<'a>(&'a self, key: &'a Key, entry: Entry, class: Class) -> Local<'a, ()> {
        Box::pin(async move {
            CLAIMS.with_borrow_mut(|claims| claims.remove(key.text()));
            if entry.value.len() > MAX_BYTES {
                return;
            }
            if key.is_public {
                let seconds = class.ttl_ms.saturating_add(class.stale_ms) / 1000;
                let text = format!("{}\n{}\n{}", entry.stored_ms, entry.cost_ms, entry.value);
                keep(key.text(), Some(&text), u32::try_from(seconds).unwrap_or(u32::MAX)).await;
            }
            remember(key, entry);
        })
    }

    fn forget<'a>(&'a self, key: &'a Key) -> Local<'a, ()> {
        Box::pin(async move {
            MEMORY.with_borrow_mut(|memory| memory.remove(key.text()));
            if key.is_public {
                keep(key.text(), None, 0).await;
            }
        })
    }

    fn claims(&self, key: &Key) -> bool {
        let now_ms = js::now_ms();
        CLAIMS.with_borrow_mut(|claims| {
            let free = claims.get(key.text()).is_none_or(|at| now_ms.saturating_sub(*at) > CLAIM_MS);
            if free {
                claims.insert(key.text().to_owned(), now_ms);
            }
            free
        })
    }

    fn now_ms(&self) -> u64 {
        js::now_ms()
    }

    fn random(&self) -> f64 {
        // (0, 1]: the logarithm of zero is no time at all.
        1.0 - js_sys::Math::random()
    }
}

fn remember(key: &Key, entry: Entry) {
    MEMORY.with_borrow_mut(|memory| {
        if memory.len() >= REMEMBERED {
            memory.clear();
        }
        memory.insert(key.text().to_owned(), entry);
    });
}

fn read(text: &str) -> Option<Entry> {
    let mut lines = text.splitn(3, '\n');
    let stored_ms = lines.next()?.parse().ok()?;
    let cost_ms = lines.next()?.parse().ok()?;
    Some(Entry { value: lines.next()?.to_owned(), stored_ms, cost_ms })
}
