//! How often one caller has called in one class. One object per class and caller; it asks no clock but the platform's.

use std::cell::RefCell;

use shared::edge::now_ms;
use shared::limits::{self, Tally};
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

const TALLY: &str = "tally";

#[durable_object(alarm)]
pub struct Limiter {
    state: State,
    tally: RefCell<Option<Tally>>,
}

impl DurableObject for Limiter {
    fn new(state: State, _env: Env) -> Self {
        Self { state, tally: RefCell::new(None) }
    }

    /// `/enter/CLASS` answers with a verdict; `/leave/CLASS/LEASE` gives a lease back.
    async fn fetch(&self, req: Request) -> Result<Response> {
        let path = req.path();
        let mut words = path.split('/').skip(1);
        let (verb, class, lease) = (words.next(), words.next().and_then(limits::class), words.next());
        match (verb, class, lease.and_then(|lease| lease.parse().ok())) {
            (Some("enter"), Some(class), None) => self.enter(class).await,
            (Some("leave"), Some(_), Some(lease)) => {
                if let Some(tally) = &mut *self.tally.borrow_mut() {
                    tally.leave(lease);
                }
                Response::ok("")
            }
            _ => Response::error("", 404),
        }
    }

    /// Forgets a caller who has not called for as long as it matters.
    async fn alarm(&self) -> Result<Response> {
        self.recall().await?;
        let rest_ms = self.tally.borrow().as_ref().map_or(0, |tally| tally.matters_for(now_ms()));
        if rest_ms > 0 {
            self.wake_after(rest_ms).await?;
        } else {
            self.tally.replace(None);
            self.state.storage().delete_all().await?;
        }
        Response::ok("")
    }
}

impl Limiter {
    async fn enter(&self, class: limits::Limit) -> Result<Response> {
        let began = self.recall().await?;
        let (verdict, kept) = {
            let mut tally = self.tally.borrow_mut();
            let tally = tally.get_or_insert_default();
            // Checked and counted in one step: nothing is awaited in between.
            let verdict = tally.enter(limits::rules(class), now_ms());
            (verdict, serde_json::to_string(tally)?)
        };
        if verdict.is_in() {
            // Written for every class: an object that nobody asks for ten seconds may be dropped from memory.
            self.state.storage().put(TALLY, kept).await?;
            if !began {
                self.wake_after(limits::rules(class).longest_ms()).await?;
            }
        }
        Response::ok(verdict.to_text())
    }

    /// What was written before this object was dropped from memory. True: there is something, and an alarm that ends it.
    async fn recall(&self) -> Result<bool> {
        if self.tally.borrow().is_some() {
            return Ok(true);
        }
        let kept: Option<String> = self.state.storage().get(TALLY).await?;
        let tally = kept.and_then(|text| shared::json::read(&text).ok());
        let found = tally.is_some();
        // The input gate let nobody in while storage was read.
        self.tally.replace(tally);
        Ok(found)
    }

    async fn wake_after(&self, ms: u64) -> Result<()> {
        // An offset, not a time.
        self.state.storage().set_alarm(i64::try_from(ms).unwrap_or(i64::MAX)).await
    }
}
