//! The rails of the provider's published lists. Guinea can be paid from, and not paid to.

use serde_json::{Value, json};

use crate::api::{Reply, ok};
use crate::money;

pub struct Method {
    pub code: &'static str,
    pub name: &'static str,
    pub currency: &'static str,
    countries: &'static [&'static str],
    /// Whether payouts can use it too.
    pays_out: bool,
}

const fn both(
    code: &'static str,
    name: &'static str,
    currency: &'static str,
    countries: &'static [&'static str],
) -> Method {
    Method { code, name, currency, countries, pays_out: true }
}

const fn pays_in(
    code: &'static str,
    name: &'static str,
    currency: &'static str,
    countries: &'static [&'static str],
) -> Method {
    Method { code, name, currency, countries, pays_out: false }
}

const PAYMENTS: &[Method] = &[
    both("airtel_cd", "Airtel Congo", "CDF", &["CD"]),
    both("airtel_mw", "Airtel Money Malawi", "MWK", &["MW"]),
    pays_in("airtel_ne", "Airtel Niger", "XOF", &["NE"]),
    both("airtel_ng", "Airtel Money Nigeria", "NGN", &["NG"]),
    both("airtel_rw", "Airtel Rwanda", "RWF", &["RW"]),
    both("airtel_tz", "Airtel Tanzania", "TZS", &["TZ"]),
    both("airtel_ug", "Airtel Uganda", "UGX", &["UG"]),
    both("airtel_zm", "Airtel Zambia", "ZMW", &["ZM"]),
    pays_in("bank_transfer_ng", "Bank Transfer NG", "NGN", &["NG"]),
    pays_in("card_ghs", "Credit Card GHS", "GHS", &["GH"]),
    pays_in("card_kes", "Card Kenya", "KES", &["KE"]),
    pays_in("card_ngn", "Credit Card NGN", "NGN", &["NG"]),
    pays_in("card_tzs", "Card Tanzania", "TZS", &["TZ"]),
    pays_in("card_ugx", "Card Uganda", "UGX", &["UG"]),
    pays_in("card_usd", "Credit Card USD", "USD", &["World"]),
    pays_in("card_xaf", "Credit Card XAF", "XAF", &["CM", "CF", "CG", "GA", "GQ", "TD"]),
    pays_in("card_xof", "Credit Card XOF", "XOF", &["CI", "BF", "TG", "BJ", "ML"]),
    pays_in("card_zar", "Credit Card ZAR", "ZAR", &["ZA"]),
    pays_in("crypto_eur", "Crypto EUR", "EUR", &["BE", "DE", "ES", "FR", "IT", "LU", "NL", "PT"]),
    both("e_money_sn", "E-Money Senegal", "XOF", &["SN"]),
    both("eu_mobile_cm", "EU Mobile Money Cameroon", "XAF", &["CM"]),
    both("freemoney_sn", "Free Money Senegal", "XOF", &["SN"]),
    both("halopesa_tz", "Halopesa", "TZS", &["TZ"]),
    pays_in("moneroo_payment_demo", "Test Payment Method", "USD", &["US"]),
    pays_in("moov_bf", "Moov Burkina Faso", "XOF", &["BF"]),
    both("moov_bj", "Moov Money Benin", "XOF", &["BJ"]),
    both("moov_ci", "Moov Money CI", "XOF", &["CI"]),
    pays_in("moov_ml", "Moov Money Mali", "XOF", &["ML"]),
    both("moov_tg", "Moov Money Togo", "XOF", &["TG"]),
    both("mpesa_ke", "M-Pesa Kenya", "KES", &["KE"]),
    both("mpesa_tz", "Vodacom Tanzania", "TZS", &["TZ"]),
    both("mtn_bj", "MTN MoMo Benin", "XOF", &["BJ"]),
    both("mtn_ci", "MTN MoMo CI", "XOF", &["CI"]),
    both("mtn_cm", "MTN MoMo Cameroon", "XAF", &["CM"]),
    both("mtn_gh", "MTN MoMo Ghana", "GHS", &["GH"]),
    pays_in("mtn_gn", "MTN MoMo Guinea", "GNF", &["GN"]),
    both("mtn_ng", "MTN Nigeria", "NGN", &["NG"]),
    both("mtn_rw", "MTN MoMo Rwanda", "RWF", &["RW"]),
    both("mtn_ug", "MTN MoMo Uganda", "UGX", &["UG"]),
    both("mtn_zm", "MTN MoMo Zambia", "ZMW", &["ZM"]),
    pays_in("orange_bf", "Orange Burkina Faso", "XOF", &["BF"]),
    both("orange_cd", "Orange Congo", "CDF", &["CD"]),
    both("orange_ci", "Orange Money CI", "XOF", &["CI"]),
    both("orange_cm", "Orange Money Cameroon", "XAF", &["CM"]),
    pays_in("orange_gn", "Orange Money Guinea", "GNF", &["GN"]),
    both("orange_ml", "Orange Money Mali", "XOF", &["ML"]),
    both("orange_sn", "Orange Money Senegal", "XOF", &["SN"]),
    both("tigo_gh", "Airtel/Tigo Ghana", "GHS", &["GH"]),
    both("tigo_tz", "Tigo Tanzania", "TZS", &["TZ"]),
    both("tnm_mw", "TNM Mpamba Malawi", "MWK", &["MW"]),
    both("togocel", "Togocel Money", "XOF", &["TG"]),
    both("vodacom_cd", "Vodacom Congo", "CDF", &["CD"]),
    both("vodafone_gh", "Vodafone Ghana", "GHS", &["GH"]),
    both("wave_ci", "Wave CI", "XOF", &["CI"]),
    both("wave_sn", "Wave Senegal", "XOF", &["SN"]),
    both("zamtel_zm", "Zamtel Kwacha", "ZMW", &["ZM"]),
];

/// The demo rail has a name of its own for payouts, and is paid by account number.
const PAYOUT_DEMO: Method = both("moneroo_payout_demo", "Test Payout Method", "USD", &["US"]);

pub fn for_payments() -> impl Iterator<Item = &'static Method> {
    PAYMENTS.iter()
}

pub fn for_payouts() -> impl Iterator<Item = &'static Method> {
    PAYMENTS.iter().filter(|method| method.pays_out).chain(std::iter::once(&PAYOUT_DEMO))
}

/// What a capture or a disbursement says about its rail.
pub fn brief(code: &str) -> Value {
    let name = for_payments().chain(for_payouts()).find(|method| method.code == code).map_or(code, |found| found.name);
    json!({ "id": format!("m_{code}"), "name": name, "short_code": code, "icon_url": icon(code) })
}

pub fn list(methods: impl Iterator<Item = &'static Method>) -> Reply {
    let items: Vec<Value> = methods
        .map(|method| {
            json!({
                "id": format!("m_{}", method.code),
                "name": method.name,
                "short_code": method.code,
                "is_enabled": true,
                "currency": money::describe(method.currency),
                "countries": method.countries,
                "icon_url": icon(method.code),
            })
        })
        .collect();
    ok(200, "Methods fetched successfully", Value::Array(items))
}

fn icon(code: &str) -> String {
    format!("https://assets.cdn.moneroo.io/icons/circle/{code}.svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guinea_can_be_paid_from_and_not_paid_to() {
        let payments: Vec<_> =
            for_payments().filter(|method| method.currency == "GNF").map(|method| method.code).collect();
        assert_eq!(payments, ["mtn_gn", "orange_gn"]);
        assert!(for_payouts().all(|method| !method.code.ends_with("_gn")));
    }

    #[test]
    fn every_rail_has_a_currency_we_know_and_a_name_of_its_own() {
        let mut codes: Vec<_> = for_payments().map(|method| method.code).collect();
        assert!(for_payments().chain(for_payouts()).all(|method| money::is_known(method.currency)));
        codes.dedup();
        assert_eq!(codes.len(), PAYMENTS.len());
        assert!(codes.is_sorted());
    }
}
