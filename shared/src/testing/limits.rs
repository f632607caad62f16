//! A limiter that lets everybody in, refuses one class, or is down.

use std::cell::RefCell;
use std::future::ready;
use std::rc::Rc;

use crate::cx::Cx;
use crate::db::Local;
use crate::error::Answer;
use crate::limits::{Down, Limit, Limits, Verdict, admit};

#[derive(Default)]
pub struct FakeLimits {
    full: Option<Limit>,
    down: bool,
    /// Each call that was counted: class and key.
    pub asked: RefCell<Vec<(Limit, String)>>,
}

impl FakeLimits {
    #[must_use]
    pub fn open() -> Rc<Self> {
        Rc::default()
    }

    /// Refuses every call of `class` with 429.
    #[must_use]
    pub fn refuses(class: Limit) -> Rc<Self> {
        Rc::new(Self { full: Some(class), ..Self::default() })
    }

    /// Cannot count.
    #[must_use]
    pub fn down() -> Rc<Self> {
        Rc::new(Self { down: true, ..Self::default() })
    }
}

impl Limits for FakeLimits {
    fn enter<'a>(&'a self, class: Limit, key: &'a str) -> Local<'a, Answer<()>> {
        self.asked.borrow_mut().push((class, key.to_owned()));
        let verdict = match (self.down, self.full == Some(class)) {
            (true, _) => Err(Down),
            (_, true) => Ok(Verdict::Out { wait_s: 7, window: 0 }),
            _ => Ok(Verdict::In { lease: None, left: None }),
        };
        Box::pin(async move { admit(Limit::None, class, ready(verdict)).await.map(drop) })
    }
}

/// The same request, counted by `limits`.
///
/// # Panics
/// When its world is already shared.
#[must_use]
pub fn limited<W>(cx: Cx<W>, limits: &Rc<FakeLimits>) -> Cx<W> {
    let Cx { caller, mut world } = cx;
    Rc::get_mut(&mut world).expect("nobody else has this world").limits = Rc::<FakeLimits>::clone(limits);
    Cx { caller, world }
}
