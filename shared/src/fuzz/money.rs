//! Money: read exactly or not at all. No amount is ever a little off.

use serde_json::value::RawValue;

use super::choice;
use super::decimals::{exactly, worth};
use super::signatures::settings;
use crate::http::Incoming;
use crate::money::{Amount, Currency};
use crate::payments::{Reference, decimal, gateway};

/// The largest integer that JavaScript holds exactly: what an amount of ours may be.
const MOST: i64 = (1 << 53) - 1;

/// Each provider's word that a payment succeeded, with a hole for the amount.
const ANSWERS: [(&str, &str); 11] = [
    ("moneroo", r#"{"data":{"status":"success","amount":#,"currency":"GNF"}}"#),
    ("stripe", r#"{"id":"p-1","status":"succeeded","amount":#,"amount_received":#,"currency":"gnf","livemode":false}"#),
    (
        "paystack",
        r#"{"status":true,"data":{"status":"success","reference":"p-1","amount":#,"currency":"GNF","domain":"test"}}"#,
    ),
    (
        "flutterwave",
        r#"{"status":"success","data":{"id":1,"tx_ref":"p-1","status":"successful","amount":#,"currency":"GNF"}}"#,
    ),
    (
        "flutterwave_v4",
        r#"{"status":"success","data":{"id":"p-1","reference":"p-1","status":"succeeded","amount":#,"currency":"GNF"}}"#,
    ),
    ("cinetpay", r#"{"code":"00","data":{"status":"ACCEPTED","amount":#,"currency":"GNF"}}"#),
    ("wave", r#"{"id":"p-1","amount":#,"currency":"GNF","payment_status":"succeeded","client_reference":"p-1"}"#),
    ("orange_money", r#"{"status":"SUCCESS","amount":#,"currency":"OUV"}"#),
    ("mtn_momo", r#"{"status":"SUCCESSFUL","externalId":"p-1","amount":#,"currency":"EUR"}"#),
    ("airtel_money", r#"{"data":{"transaction":{"id":"p-1","status":"TS","amount":#}}}"#),
    (
        "paydunya",
        r#"{"response_code":"00","status":"completed","invoice":{"token":"p-1","total_amount":#,"currency":"GNF"}}"#,
    ),
];

/// `d` and a digit: a decimal of that exponent; `w` and a digit: an integer, to be written as one; `a`: an amount in a
/// request; `c`: a currency; anything else: the amount in each provider's answer.
pub fn money(data: &[u8]) {
    let Some((kind, rest)) = choice(data) else { return };
    match kind {
        'd' | 'w' => {
            let Some((exponent, text)) = choice(rest) else { return };
            let exponent = u8::try_from(exponent).unwrap_or_default().wrapping_sub(b'0');
            if kind == 'd' { decimals(text, exponent) } else { written(text, exponent) }
        }
        'a' => amount(rest),
        'c' => currency(rest),
        _ => answered(data),
    }
}

fn decimals(bytes: &[u8], exponent: u8) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert_eq!(decimal::parse(text, exponent), exactly(text, exponent), "{text:?} of {exponent}");
    if let Ok(raw) = serde_json::from_str::<&RawValue>(text) {
        let inner = serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
        assert_eq!(decimal::read(raw, exponent), exactly(&inner, exponent), "{text:?} of {exponent}");
    }
}

fn written(bytes: &[u8], exponent: u8) {
    let Some(amount) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<i64>().ok()) else { return };
    // More digits than any currency has would make a text longer than is ever read.
    let exponent = exponent % 20;
    let text = decimal::write(amount, exponent);
    let expected = (amount > 0).then_some(amount);
    assert_eq!(decimal::parse(&text, exponent), expected, "{amount} of {exponent} is written {text}");
    let number = decimal::number(amount, exponent);
    assert!(number.get() != "null" && serde_json::from_str::<f64>(number.get()).is_ok(), "{number}");
    assert_eq!(decimal::read(&number, exponent), expected, "{amount} of {exponent} is the number {number}");
}

fn amount(bytes: &[u8]) {
    let read = serde_json::from_slice::<Amount>(bytes).ok().map(Amount::get);
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim_matches([' ', '\t', '\n', '\r']);
    let plain = !text.starts_with('0') && text.chars().all(|c| c.is_ascii_digit());
    let expected = text.parse::<i64>().ok().filter(|units| plain && (1..=MOST).contains(units));
    assert_eq!(read, expected, "{text:?}");
    if let Some(units) = read {
        let amount = Amount::try_from(units).ok();
        assert_eq!(amount.and_then(|amount| serde_json::to_string(&amount).ok()).as_deref(), Some(text), "{text:?}");
    }
}

fn currency(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let letters: Vec<char> = text.chars().collect();
    let good = letters.len() == 3 && letters.iter().all(char::is_ascii_uppercase);
    assert_eq!(Currency::try_from(text.to_owned()).is_ok(), good, "{text:?}");
}

/// Whatever stands where the amount should, what is made of it is what it is worth.
fn answered(bytes: &[u8]) {
    let Ok(raw) = serde_json::from_slice::<&RawValue>(bytes) else { return };
    let text = serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
    let number = serde_json::from_str::<f64>(&text).is_ok();
    let settings = settings();
    for (provider, template) in ANSWERS {
        let Some(gateway) = gateway(&settings, provider) else { continue };
        let payment = Reference { currency: "GNF".into(), ..Reference::orphan(provider, "p-1") };
        let answer = Incoming { status: 200, body: template.replace('#', raw.get()) };
        let read = gateway.truth(&payment, &answer).and_then(|truth| truth.amount);
        // Text that a decimal reads may have more zeros than a JSON number.
        let expected = exactly(&text, 0).or_else(|| worth(&text).filter(|_| number));
        assert!(read.is_none() || read == expected, "{provider} makes {read:?} of {raw}, which is {expected:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_with_an_amount_is_read() {
        let settings = settings();
        for (provider, template) in ANSWERS {
            let gateway = gateway(&settings, provider).unwrap();
            let payment = Reference { currency: "GNF".into(), ..Reference::orphan(provider, "p-1") };
            let amount = if matches!(provider, "wave" | "mtn_momo") { "\"1500\"" } else { "1500" };
            let answer = Incoming { status: 200, body: template.replace('#', amount) };
            let truth = gateway.truth(&payment, &answer).unwrap_or_else(|| panic!("{provider} reads no {answer:?}"));
            assert_eq!(truth.amount, Some(1500), "{provider}");
        }
    }
}
