//! How each provider proves its notifications, written down a second time: what a good proof is, and where it stands.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha512};

use super::NOW_S;
use crate::payments::{Notice, callback_token, form};
use crate::secret::Secret;

pub const SECRET: &str = "fuzz-secret";
pub const TAG_KEY: &str = "tag";

/// Where a proof stands.
pub enum Proof {
    Header(&'static str, String),
    Token(String),
}

/// The proof of a notice that is good now, for the payment `id` where the address carries it.
pub fn proof(provider: &str, body: &[u8], id: &str) -> Option<Proof> {
    let now = NOW_S.to_string();
    Some(match provider {
        "moneroo" => Proof::Header("x-moneroo-signature", sha256(body)),
        "stripe" => {
            let signature = sha256(&[now.as_bytes(), b".", body].concat());
            Proof::Header("stripe-signature", format!("t={now},v1={signature}"))
        }
        "paystack" => Proof::Header("x-paystack-signature", sha512(body)),
        "flutterwave" => Proof::Header("verif-hash", SECRET.to_owned()),
        "flutterwave_v4" => Proof::Header("flutterwave-signature", STANDARD.encode(mac(body))),
        "cinetpay" => Proof::Header("x-token", sha256(cinetpay(body)?.as_bytes())),
        "wave" => {
            let signature = sha256(&[now.as_bytes(), body].concat());
            Proof::Header("wave-signature", format!("t={now},v1={signature}"))
        }
        "orange_money" | "mtn_momo" | "airtel_money" | "paydunya" => {
            Proof::Token(callback_token(&Secret::new(TAG_KEY.into()), provider, id))
        }
        _ => return None,
    })
}

/// True for a notice that shows what only the provider, or the maker of an address of ours, can know.
pub fn proven(provider: &str, notice: &Notice) -> bool {
    let shown = |header: &str| notice.header(header).unwrap_or_default().to_owned();
    match provider {
        "moneroo" => shown("x-moneroo-signature").ends_with(&sha256(&notice.body)),
        "stripe" => stamped(&shown("stripe-signature"), b".", &notice.body),
        "paystack" => shown("x-paystack-signature") == sha512(&notice.body),
        "flutterwave" => shown("verif-hash") == SECRET,
        "flutterwave_v4" => shown("flutterwave-signature") == STANDARD.encode(mac(&notice.body)),
        "cinetpay" => cinetpay(&notice.body).is_some_and(|text| shown("x-token") == sha256(text.as_bytes())),
        "wave" => stamped(&shown("wave-signature"), b"", &notice.body),
        _ => ours(provider, notice.token.as_deref().unwrap_or_default()),
    }
}

/// One of the times in the header is near, and with it the body has one of the signatures.
fn stamped(header: &str, between: &[u8], body: &[u8]) -> bool {
    let times = header.split(',').filter_map(|field| field.trim().strip_prefix("t="));
    let near = times.filter(|time| time.parse::<i64>().is_ok_and(|time| time.abs_diff(NOW_S) <= 300));
    near.into_iter().any(|time| header.contains(&format!("v1={}", sha256(&[time.as_bytes(), between, body].concat()))))
}

/// An address that we made: with the whole MAC and the id in front, or, at Orange, with its start and the id in base 36.
fn ours(provider: &str, token: &str) -> bool {
    let made_for = |id: &str| callback_token(&Secret::new(TAG_KEY.into()), provider, id);
    let usual = token.split_once('.').is_some_and(|(id, _)| made_for(id) == token);
    let short = || {
        let (mac, order) = token.split_at_checked(16)?;
        let id = uuid::Uuid::from_u128(u128::from_str_radix(order, 36).ok()?).to_string();
        let whole = made_for(&id);
        whole.split_once('.').filter(|(_, whole)| whole.starts_with(mac) && !order.starts_with(['+', '0'])).map(|_| id)
    };
    usual || (provider == "orange_money" && short().is_some())
}

fn cinetpay(body: &[u8]) -> Option<String> {
    let fields = form::decode(body)?;
    let names = "cpm_site_id cpm_trans_id cpm_trans_date cpm_amount cpm_currency signature payment_method cel_phone_num \
        cpm_phone_prefixe cpm_language cpm_version cpm_payment_config cpm_page_action cpm_custom cpm_designation \
        cpm_error_message";
    let twice = |name: &str| fields.iter().filter(|(own, _)| own == name).count() > 1;
    let value = |name: &str| fields.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str());
    let names: Vec<&str> = names.split_whitespace().collect();
    (!names.iter().any(|name| twice(name))).then(|| names.into_iter().map(value).collect())
}

fn mac(message: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else { return Vec::new() };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn sha256(message: &[u8]) -> String {
    hex(&mac(message))
}

fn sha512(message: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(SECRET.as_bytes()) else { return String::new() };
    mac.update(message);
    hex(&mac.finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
