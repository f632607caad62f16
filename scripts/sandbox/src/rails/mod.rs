//! The other providers: each speaks its own protocol under its own prefix (`/stripe/v1/payment_intents`), and all share
//! the books, the faults, the logs, the webhook sender and the page with the buttons.
//!
//! A rail says which call it was (`route`), whose (`admit`), what it answers (`perform`) and what it notifies
//! (`letter`). It never waits and never sends: `perform` works under the lock of the books, and what it leaves on the
//! desk is done when the lock is free. In reading order: `payment`, `ask`, `desk`, `call`, `moves`, `page`, `control`.

mod airtel_money;
mod ask;
mod call;
mod cinetpay;
pub mod control;
mod desk;
mod flutterwave;
mod flutterwave_v4;
mod form;
mod keys;
mod moves;
mod mtn_momo;
mod orange_money;
pub mod page;
mod paydunya;
mod payment;
mod paystack;
pub mod seal;
mod stripe;
mod wave;

use axum::Router;
use axum::routing::{any, get, post};

pub use ask::{Answer, Ask};
pub use desk::{Desk, Once};
pub use keys::dev_vars;
pub use payment::{Dispute, DisputeState, RailPayment, Refund, decimal, text_of, units};
pub use seal::Scheme;

use std::sync::Arc;

use crate::faults::{Forgery, On};
use crate::state::{Books, Sandbox};
use crate::tamper::Tamper;

/// Every rail, in the order of the documentation.
pub static RAILS: &[&dyn Rail] = &[
    &stripe::Stripe,
    &paystack::Paystack,
    &flutterwave::Flutterwave,
    &flutterwave_v4::FlutterwaveV4,
    &cinetpay::Cinetpay,
    &wave::Wave,
    &orange_money::OrangeMoney,
    &mtn_momo::MtnMomo,
    &airtel_money::AirtelMoney,
    &paydunya::Paydunya,
];

/// Which call it is. The subject is what it is about, the provider's id or the merchant's reference: for the log and
/// for the faults that aim at one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub on: On,
    pub subject: Option<String>,
}

impl Route {
    pub fn new(on: On, subject: Option<&str>) -> Option<Self> {
        Some(Self { on, subject: subject.map(str::to_owned) })
    }
}

/// What a webhook is about.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// The payment's status.
    Moved,
    /// A refund was made: its own event, where the provider has one beside the charge's.
    Made(&'a Refund),
    Refunded(&'a Refund),
    Disputed(&'a Dispute),
}

/// A webhook's event, and its body as the provider writes it.
#[derive(Clone, Debug)]
pub struct Letter {
    pub event: String,
    pub body: Vec<u8>,
}

/// One provider's protocol.
pub trait Rail: Sync {
    /// The prefix of its paths, and its name in the control calls.
    fn name(&self) -> &'static str;

    /// `None` is a path or method that the provider does not have.
    fn route(&self, ask: &Ask<'_>) -> Option<Route>;

    /// Refuses the call without the right key, in the provider's words.
    fn admit(&self, route: &Route, ask: &Ask<'_>, books: &Books) -> Result<(), Answer>;

    fn perform(&self, route: &Route, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer>;

    /// `None` where the provider sends nothing. The same news is the same letter, so that a redelivered one carries the
    /// same event id. Amounts and the currency are told through the tamper.
    fn letter(&self, payment: &RailPayment, news: News<'_>, tamper: &Tamper) -> Option<Letter>;

    /// The letter with a proof in it that is wrong, where the proof is in the body. Where there is neither a signature
    /// nor this, the `t` of the callback's address is forged.
    fn forged(&self, _letter: &Letter, _forgery: Forgery) -> Option<Letter> {
        None
    }

    /// The provider's error in its own shape; the faults use it too.
    fn refusal(&self, status: u16, message: &str) -> Answer {
        Answer::json(status, serde_json::json!({ "message": message }))
    }

    /// An id as the provider gives them.
    fn fresh_id(&self) -> String {
        crate::state::fresh_id()
    }

    /// How it signs its webhooks; `None` where it does not.
    fn scheme(&self) -> Option<Scheme> {
        None
    }

    /// What signs its webhooks.
    fn secret(&self) -> &'static str {
        ""
    }

    fn content_type(&self) -> &'static str {
        "application/json"
    }

    /// The method of its webhooks.
    fn puts(&self) -> bool {
        false
    }

    /// Whether a webhook that was not delivered is sent again.
    fn retries(&self) -> bool {
        true
    }

    /// Where the payer goes afterwards, with what the provider adds.
    fn back(&self, payment: &RailPayment) -> Option<String> {
        payment.back(&[])
    }
}

pub fn rail(name: &str) -> Option<&'static dyn Rail> {
    RAILS.iter().copied().find(|rail| rail.name() == name)
}

/// For providers that number their transactions.
pub fn numeric_id() -> String {
    rand::random_range(1_000_000_000_u64..9_000_000_000).to_string()
}

pub fn routes(router: Router<Arc<Sandbox>>) -> Router<Arc<Sandbox>> {
    let router = router.route("/stripe/card", get(stripe::card));
    RAILS.iter().map(|rail| rail.name()).fold(router, |router, name| {
        router
            .route(&format!("/{name}/checkout/{{id}}"), get(page::page))
            .route(&format!("/{name}/checkout/{{id}}/{{button}}"), post(page::press))
            .route(&format!("/{name}/{{*rest}}"), any(call::call))
    })
}
