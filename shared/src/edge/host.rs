//! The way out to providers: within the request's time, past a breaker per host, and once more where that is harmless.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use web_sys::Headers;

use super::few::Few;
use super::js;
use crate::budget::Budget;
use crate::db::Local;
use crate::http::{Http, Incoming, Lost, Outgoing};
use crate::resilience::{Breaker, RETRIES, Rule};
use crate::text;

thread_local! {
    /// One for each host that the configuration names, so there are few.
    static BREAKERS: RefCell<Few<String, Breaker>> = const { RefCell::new(Few::new()) };
}

pub struct Network {
    pub budget: Rc<Budget>,
    pub rule: Rule,
    /// A clock that ticks once a minute is no load, and the one that notices that a provider is back.
    pub always_asks: bool,
    /// The caller's trace, where there is one.
    pub traceparent: Option<Rc<str>>,
}

impl Http for Network {
    fn send(&self, request: Outgoing) -> Local<'_, Result<Incoming, Lost>> {
        Box::pin(async move {
            let headers = js::headers();
            for (name, value) in &request.headers {
                drop(headers.set(name, value));
            }
            if let Some(trace) = &self.traceparent {
                drop(headers.set("traceparent", trace));
            }
            let body = request.body.as_deref().map(JsValue::from_str);
            let mut attempt = 0_u32;
            loop {
                let answer = self.once(&request, &headers, body.as_ref()).await;
                attempt = attempt.saturating_add(1);
                // A time-out has used up the time, and only a question may be asked twice (N61).
                let passes = match &answer {
                    Err(Lost::Unreachable) => true,
                    Ok(answer) => matches!(answer.status, 502..=504),
                    Err(_) => false,
                };
                if request.method != "GET" || !passes || attempt > RETRIES {
                    return answer;
                }
                super::pause(attempt).await;
            }
        })
    }
}

impl Network {
    async fn once(&self, request: &Outgoing, headers: &Headers, body: Option<&JsValue>) -> Result<Incoming, Lost> {
        let host = host_of(&request.url);
        let began_ms = js::now_ms();
        let admitted = BREAKERS.with_borrow_mut(|breakers| {
            breakers.with(host.to_owned(), |breaker| breaker.admits(self.rule, began_ms)) || self.always_asks
        });
        if !admitted {
            return Err(Lost::Broken);
        }
        let allowed_ms = self.budget.allows(began_ms, request.timeout_ms);
        if allowed_ms == 0 {
            return Err(Lost::NotSent);
        }
        let answer = exchange(request, headers, body, allowed_ms).await;
        let ended_ms = js::now_ms();
        let ill = answer.as_ref().map_or(true, |answer| answer.status >= 500);
        Budget::spend(&self.budget.outside, ended_ms.saturating_sub(began_ms), ill);
        BREAKERS.with_borrow_mut(|breakers| {
            breakers.with(
                host.to_owned(),
                |breaker| {
                    if ill { breaker.failed(self.rule, ended_ms) } else { breaker.succeeded() }
                },
            );
        });
        answer
    }
}

/// `https://api.provider.com` of a longer address.
fn host_of(url: &str) -> &str {
    let after = text::find(url, "://").map_or(0, |at| at.saturating_add(3));
    let end = url.get(after..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| after.saturating_add(at));
    url.get(..end).unwrap_or(url)
}

async fn exchange(
    request: &Outgoing,
    headers: &Headers,
    body: Option<&JsValue>,
    timeout_ms: u32,
) -> Result<Incoming, Lost> {
    let response = js::fetch(request.method, &request.url, headers, body, timeout_ms).await?;
    Ok(Incoming { status: response.status(), body: js::read(&response).await? })
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn a_breaker_belongs_to_a_host() {
        assert_eq!(host_of("https://api.moneroo.io/v1/payments?x=/"), "https://api.moneroo.io");
        assert_eq!(host_of("http://127.0.0.1:54329/stripe/v1"), "http://127.0.0.1:54329");
        assert_eq!((host_of("https://api.wave.com"), host_of("nonsense")), ("https://api.wave.com", "nonsense"));
    }
}
