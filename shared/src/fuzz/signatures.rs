//! Notifications: believed only with a proof that a second reading finds, too; then one byte more and they are not. What is
//! read in them afterwards is short, plain, and the same every time.

use super::signed::{Proof, SECRET, TAG_KEY, proof, proven};
use super::{NOW_S, choice, line};
use crate::payments::{
    Hint, Listener, Notice, PROVIDERS, RAILS, Rails, SIGNATURE_HEADERS, Settings, Subject, form, listener, moneroo,
};
use crate::secret::Secret;

const PAYMENT: &str = "8a8ef5f4-6a5d-4a1b-9d1f-000000000002";

/// Every provider configured, all with the same secret; Orange and MTN in their sandboxes.
pub fn settings() -> Settings {
    let value = |name: &'static str| match name {
        "ORANGE_COUNTRY" => "dev",
        "MTN_TARGET_ENVIRONMENT" => "sandbox",
        "AIRTEL_COUNTRY" => "CD",
        name if name.ends_with("_URL") => "https://provider.test",
        _ => SECRET,
    };
    Settings {
        moneroo_url: "https://provider.test".into(),
        moneroo_secret_key: Secret::new(SECRET.into()),
        moneroo_webhook_secrets: moneroo::secrets(SECRET),
        rails: RAILS.iter().map(|name| (*name, Secret::new(value(name).into()))).collect(),
        tag_key: Secret::new(TAG_KEY.into()),
        environment: "sandbox".into(),
        callback_url: "https://api.test/functions/v1".into(),
        ..Settings::default()
    }
}

/// A letter for the provider, `a` for the first. A capital letter: the body alone, which gets a good proof. Else the first
/// line is the header, the second the token of the address, and the rest the body. `f` is also any form.
pub fn signatures(data: &[u8]) {
    let Some((kind, rest)) = choice(data) else { return };
    let at = usize::from(u8::try_from(kind.to_ascii_lowercase()).unwrap_or_default()) % 32;
    let settings = settings();
    let Some(provider) = at.checked_sub(1).and_then(|at| PROVIDERS.get(at)) else { return };
    let Some(gateway) = listener(&settings, provider) else { return };
    forms(rest);
    if kind.is_ascii_uppercase() {
        genuine(&*gateway, rest);
    } else {
        let (header, rest) = line(rest);
        let (token, body) = line(rest);
        stranger(&*gateway, &String::from_utf8_lossy(header), &String::from_utf8_lossy(token), body);
    }
}

fn notice(body: &[u8]) -> Notice {
    Notice { body: body.to_vec(), now_s: NOW_S, ..Notice::default() }
}

fn genuine(gateway: &dyn Listener, body: &[u8]) {
    let mut notice = notice(body);
    match proof(gateway.name(), body, PAYMENT) {
        Some(Proof::Header(name, value)) => notice.headers.push((name, value)),
        Some(Proof::Token(token)) => notice.token = Some(token),
        // Nothing that could be signed.
        None => return,
    }
    assert_eq!(gateway.authentic(&notice), Some(true), "{} and its own proof", gateway.name());
    read(gateway, &notice);
    if matches!(gateway.name(), "stripe" | "wave") {
        for late in [-301, 301] {
            let replayed = Notice { now_s: NOW_S + late, ..notice.clone() };
            assert_eq!(gateway.authentic(&replayed), Some(false), "{}: {late} s off", gateway.name());
        }
    }
    let unsigned = matches!(gateway.name(), "flutterwave" | "cinetpay") || notice.token.is_some();
    if !unsigned {
        notice.body.push(b' ');
        assert_eq!(gateway.authentic(&notice), Some(false), "{}: one byte more", gateway.name());
    }
    let bare = Settings { rails: Rails::default(), moneroo_webhook_secrets: Vec::new(), ..settings() };
    let unset = listener(&bare, gateway.name()).and_then(|gateway| gateway.authentic(&notice));
    assert_ne!(unset, Some(true), "{} without its secret", gateway.name());
}

fn stranger(gateway: &dyn Listener, header: &str, token: &str, body: &[u8]) {
    let mut notice = notice(body);
    notice.headers = SIGNATURE_HEADERS.iter().map(|name| (*name, header.to_owned())).collect();
    notice.token = Some(token.to_owned());
    let expected = proven(gateway.name(), &notice);
    let found = gateway.authentic(&notice);
    assert!(found.is_some(), "{} is configured", gateway.name());
    assert!(found != Some(true) || expected, "{} believes {header:?}, {token:?}", gateway.name());
    read(gateway, &notice);
}

fn read(gateway: &dyn Listener, notice: &Notice) {
    let Some(hint) = gateway.hint(notice) else { return };
    assert_eq!(gateway.hint(notice).as_ref(), Some(&hint), "the same news twice");
    let Hint { event, subject, payment_id, dedupe_key, known, proof } = &hint;
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    assert!((1..=60).contains(&event.len()) && event.bytes().all(|b| b.is_ascii_graphic()), "{event:?}");
    assert!((1..=100).contains(&payment_id.len()) && plain(payment_id), "{payment_id:?}");
    assert!(dedupe_key.len() <= 400 && dedupe_key.starts_with(event.as_str()), "{dedupe_key:?}");
    assert!(proof.as_ref().is_none_or(|proof| proof.len() <= 200), "{proof:?}");
    let named = *subject != Subject::Other || *known;
    assert!(named || payment_id.len() == 64 || gateway.name() == "wave" || gateway.name() == "moneroo", "{hint:?}");
}

/// What a form says is what it says again, written as we write it.
fn forms(bytes: &[u8]) {
    let Some(fields) = form::decode(bytes) else { return };
    let borrowed: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let written = form::encode(&borrowed);
    // A field without name and value is written as `=`, which is a field, too.
    assert_eq!(form::decode(written.as_bytes()).as_ref(), Some(&fields), "{written:?}");
    for (name, _) in &fields {
        let once = fields.iter().filter(|(own, _)| own == name).count() == 1;
        assert_eq!(form::only(&fields, name).is_some(), once, "{name:?}");
    }
    let words = form::words(&String::from_utf8_lossy(bytes), 60);
    assert!(words.chars().count() <= 60 && words.chars().all(|c| c.is_alphanumeric() || c == ' '), "{words:?}");
}
