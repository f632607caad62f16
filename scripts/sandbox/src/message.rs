//! What a webhook is before it is sent: an event, its body as the provider writes it, and the signature over it.

use serde::Serialize;
use serde_json::Value;

use crate::faults::{Fault, Forgery, Kind};
use crate::rails::Rail;
use crate::rails::seal::{Scheme, Seal, hex_sha256};
use crate::records::{Customer, Payment, Payout};
use crate::tamper::Tamper;

/// Lower-case hex of HMAC-SHA256 over the raw body.
pub fn sign(secret: &str, body: &[u8]) -> String {
    hex_sha256(secret, body)
}

pub const MONEROO: Scheme =
    Scheme { header: crate::webhooks::SIGNATURE_HEADER, sign: |secret, body, _at| sign(secret, body) };

/// What is to be said: built while the books are locked, sent when they are not.
#[derive(Clone, Debug)]
pub struct Notice {
    pub event: String,
    pub id: String,
    pub status: String,
    amount: i64,
    currency: String,
    pub customer: Customer,
}

#[derive(Serialize)]
struct Body<'a> {
    event: &'a str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: &'a str,
    amount: Value,
    currency: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<Payer<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payer<'a> {
    id: &'a str,
    email: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    phone: Option<&'a str>,
}

/// One webhook, ready to go.
#[derive(Clone, Debug)]
pub struct Message {
    pub provider: &'static str,
    pub event: String,
    pub id: Option<String>,
    pub body: Vec<u8>,
    pub content_type: &'static str,
    /// PUT instead of POST.
    pub puts: bool,
    /// How it is signed, afresh at every attempt; None where the provider signs nothing.
    pub seal: Option<Seal>,
    /// A header that a test ordered as it is, or ordered to be missing.
    pub signature: Option<Option<String>>,
    /// Where to; the configured URL when None.
    pub url: Option<String>,
    pub retries: bool,
    pub copies: u32,
    pub delay_ms: u64,
}

impl Notice {
    pub fn payment(payment: &Payment) -> Self {
        Self {
            event: format!("payment.{}", payment.status.name()),
            id: payment.id.clone(),
            status: payment.status.name().into(),
            amount: payment.amount,
            currency: payment.currency.clone(),
            customer: payment.customer.clone(),
        }
    }

    pub fn payout(payout: &Payout) -> Self {
        Self {
            event: format!("payout.{}", payout.status.name()),
            id: payout.id.clone(),
            status: payout.status.name().into(),
            amount: payout.amount,
            currency: payout.currency.clone(),
            customer: payout.customer.clone(),
        }
    }

    fn body(&self, tamper: &Tamper) -> Vec<u8> {
        let payer = Payer {
            id: &self.customer.id,
            email: &self.customer.email,
            first_name: &self.customer.first_name,
            last_name: &self.customer.last_name,
            phone: self.customer.phone.as_deref(),
        };
        let customer = (!self.customer.email.is_empty()).then_some(payer);
        let (amount, currency) = (tamper.amount(self.amount), tamper.currency(&self.currency));
        let data = Data { id: &self.id, amount, currency, status: &self.status, customer };
        let text = serde_json::to_string(&Body { event: &self.event, data }).unwrap_or_default();
        as_php_writes_it(&text).into_bytes()
    }

    /// Signed as it should be, faults or not.
    pub fn message(&self, secret: &str) -> Message {
        self.faulty_message(secret, &[])
    }

    pub fn faulty_message(&self, secret: &str, faults: &[Fault]) -> Message {
        let forged = faults.iter().find(|fault| fault.fault == Kind::BadSignature);
        let sum = |kind: Kind| faults.iter().filter(move |fault| fault.fault == kind);
        Message {
            event: self.event.clone(),
            id: Some(self.id.clone()),
            body: self.body(&Tamper::by(faults)),
            copies: sum(Kind::Duplicate).map(|fault| fault.copies).sum::<u32>().max(1),
            delay_ms: sum(Kind::Delay).map(|fault| fault.ms).sum(),
            ..Message::moneroo(secret, forged.map(|fault| fault.forgery))
        }
    }
}

impl Message {
    /// An empty one of Moneroo's.
    pub fn moneroo(secret: &str, forgery: Option<Forgery>) -> Self {
        Self {
            provider: "moneroo",
            event: String::new(),
            id: None,
            body: Vec::new(),
            content_type: "application/json",
            puts: false,
            seal: Some(Seal { scheme: MONEROO, secret: secret.to_owned(), forgery }),
            signature: None,
            url: None,
            retries: true,
            copies: 1,
            delay_ms: 0,
        }
    }

    /// An empty one of this rail's.
    pub fn of(rail: &dyn Rail) -> Self {
        let sealed = |scheme| Seal { scheme, secret: rail.secret().to_owned(), forgery: None };
        Self {
            provider: rail.name(),
            content_type: rail.content_type(),
            puts: rail.puts(),
            seal: rail.scheme().map(sealed),
            retries: rail.retries(),
            ..Self::moneroo("", None)
        }
    }

    /// The header that signs it at this moment, in Unix seconds; none when there is nothing to say.
    pub fn signed(&self, at: i64) -> Option<(&'static str, String)> {
        let seal = self.seal.as_ref()?;
        let value = self.signature.clone().unwrap_or_else(|| seal.value(&self.body, at))?;
        Some((seal.scheme.header, value))
    }
}

/// The provider writes JSON as PHP does: `\/` and `\u00e9`. Receivers that sign a re-serialised body fail on it.
fn as_php_writes_it(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '/' => text.push_str("\\/"),
            ' '..='~' => text.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed from the documented formula with another implementation.
    const GOLDEN_BODY: &str =
        r#"{"event":"payment.success","data":{"id":"k4su1ii7abdz","amount":200,"currency":"XOF","status":"success"}}"#;
    const GOLDEN_SIGNATURE: &str = "1f597a78f1ceb418693700c9403ca10bf74ddee332b6e8a7019cb739caa10e33";

    fn notice() -> Notice {
        Notice {
            event: "payment.success".into(),
            id: "k4su1ii7abdz".into(),
            status: "success".into(),
            amount: 200,
            currency: "XOF".into(),
            customer: Customer::default(),
        }
    }

    #[test]
    fn a_body_and_its_signature_equal_the_golden_vector() {
        let message = notice().message("whsec_moneroo_test");
        assert_eq!(String::from_utf8_lossy(&message.body), GOLDEN_BODY);
        assert_eq!(message.signed(0), Some(("X-Moneroo-Signature", GOLDEN_SIGNATURE.to_owned())));
    }

    #[test]
    fn another_space_is_another_signature() {
        let spaced = GOLDEN_BODY.replace(',', ", ");
        assert!(sign("whsec_moneroo_test", spaced.as_bytes()).starts_with("8fb7ac61"));
    }

    #[test]
    fn bodies_are_escaped_as_php_does_and_mean_the_same() {
        let text = r#"{"a":"https://x/é🐚"}"#;
        let escaped = as_php_writes_it(text);
        assert_eq!(escaped, r#"{"a":"https:\/\/x\/\u00e9\ud83d\udc1a"}"#);
        let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        assert_eq!(read(&escaped), read(text));
    }

    #[test]
    fn no_forged_signature_is_the_true_one() {
        for forgery in [
            Forgery::Flipped,
            Forgery::Truncated,
            Forgery::Empty,
            Forgery::Missing,
            Forgery::Uppercase,
            Forgery::OtherSecret,
        ] {
            let mut message = notice().message("whsec_moneroo_test");
            message.seal = message.seal.map(|seal| Seal { forgery: Some(forgery), ..seal });
            assert_ne!(message.signed(0).map(|signed| signed.1).as_deref(), Some(GOLDEN_SIGNATURE), "{forgery:?}");
        }
    }
}
