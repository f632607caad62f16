//! Where a rail works: the books under their lock, and what is to be done when the lock is free.

use crate::rails::{Answer, Ask, Rail, RailPayment, Refund, units};
use crate::records::Status;
use crate::state::Books;
use crate::tamper::Tamper;

pub struct Desk<'a> {
    pub rail: &'static dyn Rail,
    pub books: &'a mut Books,
    /// How the faults change what is stored and told.
    pub tamper: &'a Tamper,
    /// Our own address with the rail's prefix: `http://sandbox/stripe`.
    pub base: String,
    pub errands: Vec<Errand>,
}

/// Afterwards.
#[derive(Clone, Debug)]
pub enum Errand {
    /// Announce this refund of this payment.
    Refunded(String, Refund),
    /// The payer's phone ends in 00: it approves by itself in a moment.
    Approve(String),
}

pub type Act = fn(&Ask<'_>, &mut Desk<'_>) -> Result<Answer, Answer>;

/// How a provider treats idempotency keys.
pub struct Once {
    pub header: &'static str,
    /// The header of an answer that was given before.
    pub mark: &'static str,
    /// What the key of another call is answered.
    pub other: fn() -> Answer,
}

impl Desk<'_> {
    /// A payment of this rail, by the provider's id or the merchant's reference.
    pub fn find(&mut self, name: &str) -> Option<&mut RailPayment> {
        self.books.rail_payment(Some(self.rail.name()), name)
    }

    /// Puts a new payment in the books, with what the faults make of its amount and currency.
    pub fn open(&mut self, mut payment: RailPayment) -> RailPayment {
        let asked = self.tamper.told(payment.amount, |amount| super::decimal(amount, payment.decimals));
        payment.amount = units(&asked, payment.decimals).unwrap_or(payment.amount);
        payment.currency = self.tamper.currency(&payment.currency).to_owned();
        let by_itself = payment.phone.as_deref().is_some_and(|phone| phone.ends_with("00"));
        if by_itself && self.books.settings.auto_approve {
            self.errands.push(Errand::Approve(payment.id.clone()));
        }
        self.books.add_rail_payment(payment)
    }

    /// The same idempotency key with the same call gets the first answer again, with another call it is refused. What
    /// was refused is not kept.
    pub fn once(&mut self, ask: &Ask<'_>, once: &Once, act: Act) -> Result<Answer, Answer> {
        let Some(key) = ask.header(once.header) else { return act(ask, self) };
        let key = (self.rail.name(), key.to_owned());
        // The call as it is compared.
        let asked = [ask.segments.join("/").as_bytes(), b"?", ask.raw].concat();
        match self.books.replays.get(&key) {
            Some((before, _)) if *before != asked => return Err((once.other)()),
            Some((_, first)) => {
                let mut again = first.clone();
                again.headers.push((once.mark, "true".into()));
                return Ok(again);
            }
            None => {}
        }
        let answer = act(ask, self)?;
        self.books.replays.insert(key, (asked, answer.clone()));
        Ok(answer)
    }

    pub fn checkout_url(&self, id: &str) -> String {
        format!("{}/checkout/{id}", self.base)
    }

    /// A new session's token, good until `DELETE sessions`.
    pub fn log_in(&mut self) -> String {
        let token = format!("{}_{}{}", self.rail.name(), crate::state::fresh_id(), crate::state::fresh_id());
        self.books.sessions.insert(token.clone(), self.rail.name());
        token
    }

    /// Gives back so much of a payment, by the API. None: more than there is, or nothing that could go back.
    pub fn refund(&mut self, payment_id: &str, mut refund: Refund) -> Option<Refund> {
        let slow = self.books.settings.slow_refunds;
        let payment = self.find(payment_id)?;
        let rest = payment.amount - payment.refunding();
        if payment.status != Status::Success || refund.amount < 1 || refund.amount > rest {
            return None;
        }
        refund.status = if slow { Status::Pending } else { Status::Success };
        payment.refunds.push(refund.clone());
        let id = payment.id.clone();
        self.errands.push(Errand::Refunded(id, refund.clone()));
        Some(refund)
    }
}
