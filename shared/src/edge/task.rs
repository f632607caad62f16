//! How one request waits. A future of wasm-bindgen's costs a promise, two closures and a turn of the microtask queue for each
//! step; here all steps of all requests come back through one function, under a number, and go on at once.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};

use super::few::Few;
use super::js;
use crate::db::Local;

/// Nobody waits longer for an answer, unless he said so. The platform cancels a request whose client hangs up and tells nobody:
/// what has not ended by then never will.
const LONGEST_MS: u64 = 150_000;
/// So many at once are worth a look, and how often.
const MANY: usize = 64;
const LOOK_EVERY_MS: u64 = 1_000;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    fn connect(back: &JsValue);
    fn promised(task: u32) -> JsValue;
    fn answered(task: u32, answer: &JsValue);
    fn settle(wait: u32, promise: &JsValue);
    fn soon(task: u32);
    fn forgotten(task: u32);
}

thread_local! {
    static IDS: Cell<u32> = const { Cell::new(0) };
    static WAITS: RefCell<Few<u32, Stage>> = const { RefCell::new(Few::new()) };
    static TASKS: RefCell<Few<u32, Task>> = const { RefCell::new(Few::new()) };
    /// Whoever is woken now may go on at once: nothing of his is on the stack.
    static AT_ONCE: Cell<bool> = const { Cell::new(false) };
    /// What is being worked on now takes as long as it takes.
    static PATIENT: Cell<bool> = const { Cell::new(false) };
    static LOOKED_MS: Cell<u64> = const { Cell::new(0) };
}

/// A request that is being worked on, or what is left to do after its answer.
struct Task {
    work: Local<'static, JsValue>,
    waker: Waker,
    /// Unix milliseconds.
    until_ms: u64,
}

enum Stage {
    Begun,
    Awaited(Waker),
    Settled(u32, JsValue),
}

/// The number of what wakes.
struct Number(u32);

impl Wake for Number {
    fn wake(self: Arc<Self>) {
        // A timer of the `worker` crate wakes first and is due afterwards, so for strangers there is a microtask between.
        if AT_ONCE.take() { go_on(self.0) } else { soon(self.0) }
    }
}

/// Begins a request. A response, where nothing had to be waited for; else the promise of one.
pub fn run(work: Local<'static, JsValue>) -> JsValue {
    connected();
    let id = number();
    let waker = Waker::from(Arc::new(Number(id)));
    let mut task = Task { work, waker, until_ms: 0 };
    match task.step() {
        Poll::Ready(answer) => answer,
        Poll::Pending => {
            let now_ms = js::now_ms();
            task.until_ms = task.until_ms.max(now_ms.saturating_add(LONGEST_MS));
            forget_the_cancelled(now_ms);
            TASKS.with_borrow_mut(|tasks| tasks.add(id, task));
            promised(id)
        }
    }
}

/// For an upload or a socket: this request may take any time.
pub fn takes_long() {
    PATIENT.set(true);
}

/// Their memory, and what else they hold, is given back.
fn forget_the_cancelled(now_ms: u64) {
    if TASKS.with_borrow(Few::len) < MANY || now_ms.saturating_sub(LOOKED_MS.get()) < LOOK_EVERY_MS {
        return;
    }
    LOOKED_MS.set(now_ms);
    // Dropped outside of the borrow: what a request leaves behind may touch the others.
    for (id, task) in TASKS.with_borrow_mut(|tasks| overdue(tasks, now_ms)) {
        drop(task);
        forgotten(id);
    }
}

fn overdue(tasks: &mut Few<u32, Task>, now_ms: u64) -> Vec<(u32, Task)> {
    let ids: Vec<u32> = tasks.iter().filter(|(_, task)| task.until_ms <= now_ms).map(|(id, _)| *id).collect();
    ids.into_iter().filter_map(|id| Some((id, tasks.remove(&id)?))).collect()
}

/// Begins after what runs now, and keeps the platform awake until it has ended.
pub fn after(ctx: &worker::Context, work: Local<'static, ()>) {
    connected();
    let id = number();
    let work = Box::pin(async move {
        work.await;
        JsValue::UNDEFINED
    });
    let until_ms = js::now_ms().saturating_add(LONGEST_MS);
    TASKS.with_borrow_mut(|tasks| tasks.add(id, Task { work, waker: Waker::from(Arc::new(Number(id))), until_ms }));
    soon(id);
    let _ = ctx.as_ref().wait_until(promised(id).unchecked_ref());
}

impl Task {
    fn step(&mut self) -> Poll<JsValue> {
        let poll = self.work.as_mut().poll(&mut Context::from_waker(&self.waker));
        if PATIENT.take() {
            self.until_ms = u64::MAX;
        }
        poll
    }
}

/// One step of a request; nothing for one that has ended, or is on the stack.
fn go_on(id: u32) {
    let Some(mut task) = TASKS.with_borrow_mut(|tasks| tasks.remove(&id)) else { return };
    match task.step() {
        Poll::Ready(answer) => answered(id, &answer),
        Poll::Pending => TASKS.with_borrow_mut(|tasks| tasks.add(id, task)),
    }
}

/// Waits for one answer of JavaScript's: a number that says how it went, and a value. Zero is a failure.
pub struct Wait(u32);

impl Wait {
    pub fn begin() -> Self {
        // Not only requests wait: what is left for after the answer does, and the clock's ticks do.
        connected();
        let id = number();
        WAITS.with_borrow_mut(|waits| waits.add(id, Stage::Begun));
        Self(id)
    }

    /// To be handed to JavaScript, which brings it back.
    pub const fn id(&self) -> u32 {
        self.0
    }
}

impl Future for Wait {
    type Output = (u32, JsValue);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        WAITS.with_borrow_mut(|waits| match waits.remove(&self.0) {
            Some(Stage::Settled(outcome, value)) => Poll::Ready((outcome, value)),
            _ => {
                waits.add(self.0, Stage::Awaited(context.waker().clone()));
                Poll::Pending
            }
        })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        WAITS.with_borrow_mut(|waits| waits.remove(&self.0));
    }
}

/// What a promise is kept or refused with.
pub async fn settled(promise: &JsValue) -> Result<JsValue, JsValue> {
    let wait = Wait::begin();
    settle(wait.id(), promise);
    match wait.await {
        (0, error) => Err(error),
        (_, value) => Ok(value),
    }
}

/// What JavaScript calls: a wait is settled, or a task goes on.
fn back(id: u32, outcome: u32, value: JsValue) {
    let before = WAITS.with_borrow_mut(|waits| {
        waits.get_mut(&id).map(|stage| std::mem::replace(stage, Stage::Settled(outcome, value)))
    });
    match before {
        Some(Stage::Awaited(waker)) => {
            AT_ONCE.set(true);
            waker.wake();
            AT_ONCE.set(false);
        }
        Some(_) => {}
        None => go_on(id),
    }
}

fn number() -> u32 {
    IDS.set(IDS.get().wrapping_add(1));
    IDS.get()
}

/// Once for each instance: one that starts after a panic has its own way back.
fn connected() {
    thread_local! {
        static BACK: Closure<dyn Fn(u32, u32, JsValue)> = {
            let back = Closure::new(back);
            connect(back.as_ref());
            back
        };
    }
    BACK.with(|_| ());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn begun() -> Wait {
        let id = number();
        WAITS.with_borrow_mut(|waits| waits.add(id, Stage::Begun));
        Wait(id)
    }

    fn outcome(wait: &mut Wait, woken: &Arc<Woken>) -> Option<u32> {
        let waker = Waker::from(Arc::clone(woken));
        match Pin::new(wait).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready((outcome, _)) => Some(outcome),
            Poll::Pending => None,
        }
    }

    fn begun_task(until_ms: u64, patient: bool) -> Task {
        let waker = Waker::from(Arc::new(Woken::default()));
        let work = Box::pin(async move {
            if patient {
                takes_long();
            }
            std::future::pending().await
        });
        let mut task = Task { work, waker, until_ms };
        assert!(task.step().is_pending());
        task
    }

    #[test]
    fn a_request_that_was_cancelled_is_forgotten_in_time_and_an_upload_is_not() {
        let mut tasks = Few::new();
        for (id, task) in [(1, begun_task(20, false)), (2, begun_task(21, false)), (3, begun_task(0, true))] {
            tasks.add(id, task);
        }
        let gone: Vec<u32> = overdue(&mut tasks, 20).into_iter().map(|(id, _)| id).collect();
        assert_eq!(gone, [1]);
        assert!(tasks.remove(&2).is_some() && tasks.remove(&3).is_some() && tasks.len() == 0);
    }

    #[test]
    fn who_waits_is_woken_once_and_finds_his_own_answer() {
        let woken = Arc::new(Woken::default());
        let (mut first, mut second) = (begun(), begun());
        assert_eq!((outcome(&mut first, &woken), outcome(&mut second, &woken)), (None, None));
        back(second.id(), 7, JsValue::UNDEFINED);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert_eq!((outcome(&mut first, &woken), outcome(&mut second, &woken)), (None, Some(7)));
    }

    #[test]
    fn an_answer_that_comes_before_anybody_waits_is_kept_and_one_that_nobody_wants_is_not() {
        let woken = Arc::new(Woken::default());
        let (mut early, dropped) = (begun(), begun());
        back(early.id(), 2, JsValue::UNDEFINED);
        let id = dropped.id();
        drop(dropped);
        back(id, 2, JsValue::UNDEFINED);
        assert_eq!(outcome(&mut early, &woken), Some(2));
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        assert!(WAITS.with_borrow(|waits| waits.len() == 0) && !AT_ONCE.get());
    }
}
