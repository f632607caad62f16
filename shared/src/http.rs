//! The port to providers: a request as data, an answer as data, and the two ways of not getting one.

use crate::db::Local;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<String>,
    /// Milliseconds; a provider call has 8 s in total (N07).
    pub timeout_ms: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    pub status: u16,
    pub body: String,
}

/// No answer. After `TimedOut` the provider may have acted all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Unreachable,
    TimedOut,
    /// There was no session to send it with: the provider never saw it.
    NotSent,
    /// The breaker of this provider is open: nobody was asked.
    Broken,
}

pub trait Http {
    fn send(&self, request: Outgoing) -> Local<'_, Result<Incoming, Lost>>;
}
