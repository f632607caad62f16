//! What happens to a rail's payment besides its merchant's calls: the payer pays, somebody refunds in the dashboard, a
//! cardholder objects. Each is announced by the rail's own webhook.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::seal::{Seal, forge_url};
use super::{Dispute, DisputeState, Letter, News, Rail, RailPayment, Refund, rail};
use crate::faults::{Fault, Kind, Moment, On};
use crate::message::Message;
use crate::payments::Moved;
use crate::records::{Hand, Status};
use crate::state::{Sandbox, fresh_id};
use crate::tamper::Tamper;
use crate::webhooks;

/// How long a phone that approves by itself takes.
const APPROVED_AFTER_MS: u64 = 100;

/// What there is to announce.
#[derive(Clone, Debug)]
pub enum About {
    Status,
    Made(Refund),
    Refund(Refund),
    Dispute(Dispute),
}

impl About {
    fn news(&self) -> News<'_> {
        match self {
            Self::Status => News::Moved,
            Self::Made(refund) => News::Made(refund),
            Self::Refund(refund) => News::Refunded(refund),
            Self::Dispute(dispute) => News::Disputed(dispute),
        }
    }
}

pub fn advance(sandbox: &Arc<Sandbox>, found: &RailPayment, to: Status, hand: Hand, quiet: bool) -> Moved {
    let Some(rail) = rail(found.rail) else { return Moved::Unknown };
    {
        let mut books = sandbox.books();
        let Some(payment) = books.rail_payment(Some(found.rail), &found.id) else { return Moved::Unknown };
        if !payment.status.may_become(to, hand) {
            return Moved::Refused(payment.status);
        }
        payment.status = to;
        payment.attempts += u32::from(matches!(to, Status::Success | Status::Failed));
    }
    if quiet || to == Status::Pending {
        return Moved::Done(Vec::new());
    }
    Moved::Done(announce(sandbox, rail, &found.id, About::Status))
}

pub fn approve_soon(sandbox: &Arc<Sandbox>, rail: &'static dyn Rail, id: String) {
    let background = Arc::clone(sandbox);
    // Counted like a webhook on its way: who waits for the sandbox to be idle waits for this one, too.
    sandbox.outgoing(1);
    sandbox.spawn(async move {
        background.pause(APPROVED_AFTER_MS).await;
        let found = background.books().rail_payment(Some(rail.name()), &id).map(|payment| payment.clone());
        if let Some(payment) = found {
            advance(&background, &payment, Status::Success, Hand::Customer, false);
        }
        background.outgoing(-1);
    });
}

/// A refund in the provider's dashboard. None: more than there is left, or not paid.
pub fn refund(sandbox: &Arc<Sandbox>, found: &RailPayment, amount: Option<i64>) -> Option<Vec<JoinHandle<()>>> {
    let refund = {
        let mut books = sandbox.books();
        let payment = books.rail_payment(Some(found.rail), &found.id)?;
        let rest = payment.amount - payment.refunding();
        let amount = amount.unwrap_or(rest);
        if payment.status != Status::Success || !(1..=rest).contains(&amount) {
            return None;
        }
        let refund = Refund::fresh(format!("re_{}", fresh_id()), amount);
        payment.refunds.push(refund.clone());
        refund
    };
    let rail = rail(found.rail)?;
    let mut sent = announce(sandbox, rail, &found.id, About::Made(refund.clone()));
    sent.extend(announce(sandbox, rail, &found.id, About::Refund(refund)));
    Some(sent)
}

/// A refund that was slow, or that the bank sent back.
pub fn refund_ends(sandbox: &Arc<Sandbox>, id: &str, to: Status) -> Option<(RailPayment, Vec<JoinHandle<()>>)> {
    let (payment, refund) = {
        let mut books = sandbox.books();
        let holds = |payment: &&mut RailPayment| payment.refunds.iter().any(|refund| refund.id == id);
        let payment = books.rails.values_mut().find(holds)?;
        let refund = payment.refunds.iter_mut().find(|refund| refund.id == id)?;
        (refund.status, refund.ended_later) = (to, true);
        let refund = refund.clone();
        (payment.clone(), refund)
    };
    let sent = announce(sandbox, rail(payment.rail)?, &payment.id, About::Refund(refund));
    Some((payment, sent))
}

pub fn dispute(
    sandbox: &Arc<Sandbox>,
    found: &RailPayment,
    state: DisputeState,
    amount: Option<i64>,
) -> Option<Vec<JoinHandle<()>>> {
    let dispute = {
        let mut books = sandbox.books();
        let payment = books.rail_payment(Some(found.rail), &found.id)?;
        let before = payment.dispute.take();
        let id = before.as_ref().map_or_else(|| format!("dp_{}", fresh_id()), |dispute| dispute.id.clone());
        let amount = amount.or(before.map(|dispute| dispute.amount)).unwrap_or(payment.amount);
        payment.dispute.insert(Dispute { id, state, amount }).clone()
    };
    Some(announce(sandbox, rail(found.rail)?, &found.id, About::Dispute(dispute)))
}

/// Sends the rail's webhook, or does to it what the faults want; what it returns ends with the first attempts.
pub fn announce(sandbox: &Arc<Sandbox>, rail: &'static dyn Rail, id: &str, about: About) -> Vec<JoinHandle<()>> {
    let (message, faults) = {
        let mut books = sandbox.books();
        let Some(payment) = books.rail_payment(Some(rail.name()), id).map(|payment| payment.clone()) else {
            return Vec::new();
        };
        // Once to learn the event, which the faults may aim at.
        let Some(plain) = rail.letter(&payment, about.news(), &Tamper::default()) else { return Vec::new() };
        let moment = Moment {
            provider: rail.name(),
            on: On::Webhook,
            id: Some(&payment.id),
            reference: Some(&payment.reference),
            email: payment.email.as_deref(),
            phone: payment.phone.as_deref(),
            event: Some(&plain.event),
        };
        let faults = books.faults.take(&moment);
        let letter = rail.letter(&payment, about.news(), &Tamper::by(&faults)).unwrap_or(plain);
        (message(rail, &payment, letter, &faults), faults)
    };
    webhooks::dispatch(sandbox, message, &faults)
}

/// The webhook of the present status, or of another one: a webhook that lies.
pub fn again(payment: &RailPayment, status: Option<Status>) -> Option<Message> {
    let rail = rail(payment.rail)?;
    let told = RailPayment { status: status.unwrap_or(payment.status), ..payment.clone() };
    let letter = rail.letter(&told, News::Moved, &Tamper::default())?;
    Some(message(rail, &told, letter, &[]))
}

fn message(rail: &'static dyn Rail, payment: &RailPayment, letter: Letter, faults: &[Fault]) -> Message {
    let forgery = faults.iter().find(|fault| fault.fault == Kind::BadSignature).map(|fault| fault.forgery);
    let seal = rail.scheme().map(|scheme| Seal { scheme, secret: rail.secret().to_owned(), forgery });
    let forged = forgery.and_then(|forgery| rail.forged(&letter, forgery));
    let url = match (&payment.callback_url, forgery) {
        (Some(url), Some(forgery)) if seal.is_none() && forged.is_none() => Some(forge_url(url, forgery)),
        (url, _) => url.clone(),
    };
    let letter = forged.unwrap_or(letter);
    let sum = |kind: Kind| faults.iter().filter(move |fault| fault.fault == kind);
    Message {
        event: letter.event,
        id: Some(payment.id.clone()),
        body: letter.body,
        seal,
        url,
        copies: sum(Kind::Duplicate).map(|fault| fault.copies).sum::<u32>().max(1),
        delay_ms: sum(Kind::Delay).map(|fault| fault.ms).sum(),
        ..Message::of(rail)
    }
}
