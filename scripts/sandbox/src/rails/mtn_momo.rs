//! MTN MoMo, collections: a login, a request to the payer's phone under an id that the caller chooses, and a callback
//! that is signed by nobody, names only the caller's `externalId` and comes once. Source: momodeveloper.mtn.com.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::keys::{MTN_API_KEY, MTN_API_USER, MTN_SUBSCRIPTION_KEY};
use super::seal::same_id;
use super::{Answer, Ask, Desk, Letter, News, Rail, RailPayment, Route, units};
use crate::faults::On;
use crate::records::Status;
use crate::state::Books;
use crate::tamper::Tamper;

pub struct MtnMomo;

/// Each environment is one country and takes its currency only; the sandbox takes euros.
const ENVIRONMENTS: [(&str, &str, u8); 12] = [
    ("sandbox", "EUR", 2),
    ("mtnbenin", "XOF", 0),
    ("mtncameroon", "XAF", 0),
    ("mtncongo", "XAF", 0),
    ("mtnghana", "GHS", 2),
    ("mtnguineaconakry", "GNF", 0),
    ("mtnivorycoast", "XOF", 0),
    ("mtnliberia", "LRD", 2),
    ("mtnrwanda", "RWF", 0),
    ("mtnsouthafrica", "ZAR", 2),
    ("mtnuganda", "UGX", 0),
    ("mtnzambia", "ZMW", 2),
];

fn no(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, json!({ "code": code, "message": message }))
}

/// The gateway in front speaks otherwise than the service behind it.
fn at_the_gate(message: &str) -> Answer {
    Answer::json(401, json!({ "statusCode": 401, "message": message }))
}

/// The service says nothing about what is wrong with a body.
fn bad() -> Answer {
    Answer::empty(400)
}

/// Version 4, in lower or upper case.
fn is_uuid4(text: &str) -> bool {
    let shape = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        14 => byte == b'4',
        19 => b"89abAB".contains(&byte),
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(shape)
}

fn create(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let id = ask.header("x-reference-id").filter(|id| is_uuid4(id)).ok_or_else(bad)?;
    let target = ask.header("x-target-environment").unwrap_or_default();
    let Some((_, currency, decimals)) = ENVIRONMENTS.into_iter().find(|(name, ..)| *name == target) else {
        return Err(no(500, "NOT_ALLOWED_TARGET_ENVIRONMENT", "Access to target environment is forbidden."));
    };
    let text = |path: &str| ask.value(path).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or_else(bad);
    let (sent, asked, external) = (text("amount")?, text("currency")?, text("externalId")?);
    let (kind, phone) = (text("payer.partyIdType")?, text("payer.partyId")?);
    let amount = units(&json!(sent), decimals).filter(|amount| *amount > 0).ok_or_else(bad)?;
    let dialled = (8..=15).contains(&phone.len()) && phone.bytes().all(|byte| byte.is_ascii_digit());
    if kind != "MSISDN" || !dialled {
        return Err(bad());
    }
    let callback = ask.header("x-callback-url");
    if callback.is_some_and(|url| reqwest::Url::parse(url).is_err()) {
        return Err(no(400, "INVALID_CALLBACK_URL_HOST", "Callback url is not valid."));
    }
    if asked != currency {
        return Err(no(500, "INVALID_CURRENCY", "Currency not supported."));
    }
    if desk.books.rails.contains_key(&(desk.rail.name(), id.to_owned())) {
        return Err(no(409, "RESOURCE_ALREADY_EXIST", "Duplicated reference id. Creation of resource failed."));
    }
    let mut payment = RailPayment {
        reference: external.to_owned(),
        status: Status::Pending,
        amount,
        decimals,
        currency: currency.to_owned(),
        description: ask.owned("payerMessage"),
        phone: Some(phone.to_owned()),
        callback_url: callback.map(str::to_owned),
        ..RailPayment::fresh(desk.rail.name(), id)
    };
    payment.metadata.insert("payeeNote".into(), json!(ask.owned("payeeNote")));
    desk.open(payment);
    Ok(Answer::empty(202))
}

/// As the status query and the callback tell it.
fn result(payment: &RailPayment, tamper: &Tamper) -> Value {
    let (status, reason) = match payment.status {
        Status::Initiated | Status::Pending => ("PENDING", None),
        Status::Success => ("SUCCESSFUL", None),
        Status::Failed => ("FAILED", Some(("NOT_ENOUGH_FUNDS", "The payer does not have enough funds."))),
        Status::Cancelled => ("FAILED", Some(("APPROVAL_REJECTED", "The payer rejected the request."))),
        Status::Expired => ("FAILED", Some(("EXPIRED", "The request was not answered in time."))),
    };
    let mut told = json!({
        "externalId": payment.reference,
        "amount": payment.told_text(tamper),
        "currency": tamper.currency(&payment.currency),
        "payer": { "partyIdType": "MSISDN", "partyId": payment.phone },
        "payerMessage": payment.description,
        "payeeNote": payment.metadata.get("payeeNote"),
        "status": status,
    });
    if payment.status == Status::Success {
        let digits = u32::from_str_radix(&same_id("", &payment.id)[..7], 16).unwrap_or_default();
        told["financialTransactionId"] = json!(digits.to_string());
    }
    if let Some((code, message)) = reason {
        told["reason"] = json!({ "code": code, "message": message });
    }
    payment.overrule(told)
}

impl Rail for MtnMomo {
    fn name(&self) -> &'static str {
        "mtn_momo"
    }

    fn route(&self, ask: &Ask<'_>) -> Option<Route> {
        match ask.segments.as_slice() {
            ["collection", "token"] if ask.posts() => Route::new(On::Login, None),
            ["collection", "v1_0", "requesttopay"] if ask.posts() => {
                Route::new(On::Initialize, ask.header("x-reference-id"))
            }
            ["collection", "v1_0", "requesttopay", id] if ask.gets() => Route::new(On::Verify, Some(id)),
            _ => None,
        }
    }

    fn admit(&self, route: &Route, ask: &Ask<'_>, books: &Books) -> Result<(), Answer> {
        match ask.header("ocp-apim-subscription-key") {
            Some(MTN_SUBSCRIPTION_KEY) => {}
            Some(_) => return Err(at_the_gate("Access denied due to invalid subscription key.")),
            None => return Err(at_the_gate("Access denied due to missing subscription key.")),
        }
        if route.on == On::Login {
            let basic = format!("Basic {}", STANDARD.encode(format!("{MTN_API_USER}:{MTN_API_KEY}")));
            let known = ask.header("authorization") == Some(basic.as_str());
            return if known { Ok(()) } else { Err(Answer::json(401, json!({ "error": "login_failed" }))) };
        }
        if ask.bearer().is_some_and(|token| books.sessions.get(token) == Some(&self.name())) {
            return Ok(());
        }
        Err(Answer::empty(401))
    }

    fn perform(&self, route: &Route, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
        match route.on {
            On::Login => {
                let token = desk.log_in();
                Ok(Answer::json(
                    200,
                    json!({ "access_token": token, "token_type": "access_token", "expires_in": 3600 }),
                ))
            }
            On::Initialize => create(ask, desk),
            _ => {
                let (tamper, id) = (desk.tamper, route.subject.as_deref().unwrap_or_default());
                let target = ask.header("x-target-environment").unwrap_or_default();
                if !ENVIRONMENTS.iter().any(|(name, ..)| *name == target) {
                    return Err(no(
                        500,
                        "NOT_ALLOWED_TARGET_ENVIRONMENT",
                        "Access to target environment is forbidden.",
                    ));
                }
                let payment = desk.find(id).filter(|payment| payment.id == id);
                let unknown = || no(404, "RESOURCE_NOT_FOUND", "Requested resource was not found.");
                Ok(Answer::json(200, result(payment.ok_or_else(unknown)?, tamper)))
            }
        }
    }

    fn letter(&self, payment: &RailPayment, news: News<'_>, tamper: &Tamper) -> Option<Letter> {
        // Without an address of its own a request is not announced.
        let (News::Moved, Some(_)) = (news, &payment.callback_url) else { return None };
        let body = result(payment, tamper).to_string().into_bytes();
        Some(Letter { event: format!("payment.{}", payment.status.name()), body })
    }

    fn refusal(&self, status: u16, message: &str) -> Answer {
        let code = match status {
            404 => "RESOURCE_NOT_FOUND",
            409 => "RESOURCE_ALREADY_EXIST",
            429 => "TOO_MANY_REQUESTS",
            503 => "SERVICE_UNAVAILABLE",
            _ => "INTERNAL_PROCESSING_ERROR",
        };
        no(status, code, message)
    }

    /// As the documentation says; with the setting `posts_only`, as some have seen it.
    fn puts(&self) -> bool {
        true
    }

    fn retries(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_uuid_of_version_four() {
        for (text, good) in [
            ("5f1c1e3a-0d6b-4d0e-9f53-0c0c0c0c0c01", true),
            ("5F1C1E3A-0D6B-4D0E-9F53-0C0C0C0C0C01", true),
            ("5f1c1e3a-0d6b-1d0e-9f53-0c0c0c0c0c01", false),
            ("5f1c1e3a-0d6b-4d0e-7f53-0c0c0c0c0c01", false),
            ("5f1c1e3a0d6b4d0e9f530c0c0c0c0c01", false),
            ("", false),
        ] {
            assert_eq!(is_uuid4(text), good, "{text}");
        }
    }
}
