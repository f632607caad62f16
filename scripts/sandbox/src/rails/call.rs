//! The way in for a rail's API calls: the same order of things as `api`, in the rail's own words.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::desk::{Desk, Errand};
use super::{Answer, Ask, Rail, Route, moves, rail};
use crate::api;
use crate::faults::Moment;
use crate::state::Sandbox;
use crate::tamper::Tamper;

pub async fn call(
    State(sandbox): State<Arc<Sandbox>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let name = uri.path().split('/').nth(1).unwrap_or_default();
    let Some(rail) = rail(name) else { return Answer::empty(404).into_response() };
    let ask = Ask::read(&method, &uri, &headers, &body);
    let Some(route) = rail.route(&ask) else { return rail.refusal(404, "Not Found").into_response() };
    let whom = Whom::of(&sandbox, rail, &route, &ask);
    let seq = sandbox.books().log_request(rail.name(), route.on.name(), whom.id.clone(), whom.email.clone());
    if let Err(answer) = admit(&sandbox, rail, &route, &ask) {
        sandbox.books().log_answer(seq, answer.status);
        return answer.into_response();
    }
    let faults = sandbox.books().faults.take(&whom.moment(rail, &route));
    if let Some((status, message)) = api::before(&sandbox, &faults).await {
        sandbox.books().log_answer(seq, status);
        return rail.refusal(status, message).into_response();
    }
    let truth = perform(&sandbox, rail, &route, &ask, &Tamper::by(&faults));
    let answer = api::late_error(&faults).map_or(truth, |status| rail.refusal(status, "Server Error"));
    sandbox.books().log_answer(seq, answer.status);
    let garbage = api::stall(&sandbox, &faults).await;
    garbage.unwrap_or_else(|| answer.into_response())
}

/// Whose payment it is about, by all the names that a fault may aim at.
struct Whom {
    id: Option<String>,
    reference: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

impl Whom {
    fn of(sandbox: &Sandbox, rail: &dyn Rail, route: &Route, ask: &Ask<'_>) -> Self {
        let mut books = sandbox.books();
        let subject = route.subject.as_deref();
        match subject.and_then(|subject| books.rail_payment(Some(rail.name()), subject)) {
            Some(payment) => Self {
                id: Some(payment.id.clone()),
                reference: Some(payment.reference.clone()),
                email: payment.email.clone(),
                phone: payment.phone.clone(),
            },
            None => Self { id: route.subject.clone(), reference: None, email: ask.email(), phone: ask.phone() },
        }
    }

    fn moment(&self, rail: &dyn Rail, route: &Route) -> Moment<'_> {
        Moment {
            provider: rail.name(),
            on: route.on,
            id: self.id.as_deref(),
            reference: self.reference.as_deref(),
            email: self.email.as_deref(),
            phone: self.phone.as_deref(),
            event: None,
        }
    }
}

fn admit(sandbox: &Sandbox, rail: &dyn Rail, route: &Route, ask: &Ask<'_>) -> Result<(), Answer> {
    let mut books = sandbox.books();
    rail.admit(route, ask, &books)?;
    let per_minute = books.settings.rails_requests_per_minute;
    if books.limits.admit(rail.name(), per_minute, Instant::now()) {
        return Ok(());
    }
    Err(rail.refusal(429, "Too Many Requests"))
}

fn perform(sandbox: &Arc<Sandbox>, rail: &'static dyn Rail, route: &Route, ask: &Ask<'_>, tamper: &Tamper) -> Answer {
    let base = format!("{}/{}", sandbox.public_url, rail.name());
    let (answer, errands) = {
        let mut books = sandbox.books();
        let mut desk = Desk { rail, books: &mut books, tamper, base, errands: Vec::new() };
        let answer = rail.perform(route, ask, &mut desk).unwrap_or_else(|refusal| refusal);
        (answer, desk.errands)
    };
    for errand in errands {
        match errand {
            Errand::Refunded(id, refund) => {
                moves::announce(sandbox, rail, &id, moves::About::Made(refund.clone()));
                moves::announce(sandbox, rail, &id, moves::About::Refund(refund));
            }
            Errand::Approve(id) => moves::approve_soon(sandbox, rail, id),
        }
    }
    answer
}
