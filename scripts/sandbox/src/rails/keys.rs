//! The keys of development, worth nothing: what the rails check and sign with, and what the functions are given.

use std::collections::BTreeMap;

pub const STRIPE_SECRET_KEY: &str = "sk_test_cauris";
pub const STRIPE_WEBHOOK_SECRET: &str = "whsec_stripe_cauris";
/// Paystack signs with it, too.
pub const PAYSTACK_SECRET_KEY: &str = "sk_test_paystack_cauris";
pub const FLUTTERWAVE_SECRET_KEY: &str = "FLWSECK_TEST-cauris";
pub const FLUTTERWAVE_WEBHOOK_SECRET: &str = "flw_hash_cauris";
pub const FLUTTERWAVE_V4_CLIENT_ID: &str = "cauris-v4-client";
pub const FLUTTERWAVE_V4_CLIENT_SECRET: &str = "cauris-v4-client-secret";
pub const FLUTTERWAVE_V4_WEBHOOK_SECRET: &str = "flw_v4_hash_cauris";
pub const CINETPAY_API_KEY: &str = "cinetpay-key-cauris";
pub const CINETPAY_SITE_ID: &str = "445566";
pub const CINETPAY_WEBHOOK_SECRET: &str = "cinetpay-secret-cauris";
pub const WAVE_SECRET_KEY: &str = "wave_test_cauris";
pub const WAVE_WEBHOOK_SECRET: &str = "wave_whsec_cauris";
pub const ORANGE_MERCHANT_KEY: &str = "orange-merchant-cauris";
/// `cauris:orange`.
pub const ORANGE_AUTHORIZATION: &str = "Basic Y2F1cmlzOm9yYW5nZQ==";
pub const ORANGE_COUNTRY: &str = "gn";
pub const MTN_SUBSCRIPTION_KEY: &str = "mtn-subscription-cauris";
pub const MTN_API_USER: &str = "5f1c1e3a-0d6b-4d0e-9f53-0c0c0c0c0c01";
pub const MTN_API_KEY: &str = "mtn-api-key-cauris";
/// Not `sandbox`, which takes nothing but euros.
pub const MTN_TARGET_ENVIRONMENT: &str = "mtnguineaconakry";
pub const AIRTEL_CLIENT_ID: &str = "airtel-client-cauris";
pub const AIRTEL_CLIENT_SECRET: &str = "airtel-secret-cauris";
pub const AIRTEL_COUNTRY: &str = "UG";
pub const PAYDUNYA_MASTER_KEY: &str = "paydunya-master-cauris";
pub const PAYDUNYA_PRIVATE_KEY: &str = "test_private_cauris";
pub const PAYDUNYA_TOKEN: &str = "paydunya-token-cauris";

/// Every variable with which the functions reach the rails of the sandbox at `base_url` (`Handle::url`).
pub fn dev_vars(base_url: &str) -> BTreeMap<String, String> {
    let base = base_url.trim_end_matches('/');
    let addresses = [
        ("STRIPE_URL", "stripe"),
        ("CARD_PAGE_URL", "stripe/card"),
        ("PAYSTACK_URL", "paystack"),
        ("FLUTTERWAVE_URL", "flutterwave"),
        ("FLUTTERWAVE_V4_URL", "flutterwave_v4"),
        ("FLUTTERWAVE_V4_LOGIN_URL", "flutterwave_v4"),
        ("CINETPAY_URL", "cinetpay"),
        ("WAVE_URL", "wave"),
        ("ORANGE_URL", "orange_money"),
        ("MTN_URL", "mtn_momo"),
        ("AIRTEL_URL", "airtel_money"),
        ("PAYDUNYA_URL", "paydunya"),
    ];
    let keys = [
        ("STRIPE_SECRET_KEY", STRIPE_SECRET_KEY),
        ("STRIPE_WEBHOOK_SECRET", STRIPE_WEBHOOK_SECRET),
        ("PAYSTACK_SECRET_KEY", PAYSTACK_SECRET_KEY),
        ("FLUTTERWAVE_SECRET_KEY", FLUTTERWAVE_SECRET_KEY),
        ("FLUTTERWAVE_WEBHOOK_SECRET", FLUTTERWAVE_WEBHOOK_SECRET),
        ("FLUTTERWAVE_V4_CLIENT_ID", FLUTTERWAVE_V4_CLIENT_ID),
        ("FLUTTERWAVE_V4_CLIENT_SECRET", FLUTTERWAVE_V4_CLIENT_SECRET),
        ("FLUTTERWAVE_V4_WEBHOOK_SECRET", FLUTTERWAVE_V4_WEBHOOK_SECRET),
        ("CINETPAY_API_KEY", CINETPAY_API_KEY),
        ("CINETPAY_SITE_ID", CINETPAY_SITE_ID),
        ("CINETPAY_WEBHOOK_SECRET", CINETPAY_WEBHOOK_SECRET),
        ("WAVE_SECRET_KEY", WAVE_SECRET_KEY),
        ("WAVE_WEBHOOK_SECRET", WAVE_WEBHOOK_SECRET),
        ("ORANGE_MERCHANT_KEY", ORANGE_MERCHANT_KEY),
        ("ORANGE_AUTHORIZATION", ORANGE_AUTHORIZATION),
        ("ORANGE_COUNTRY", ORANGE_COUNTRY),
        ("MTN_SUBSCRIPTION_KEY", MTN_SUBSCRIPTION_KEY),
        ("MTN_API_USER", MTN_API_USER),
        ("MTN_API_KEY", MTN_API_KEY),
        ("MTN_TARGET_ENVIRONMENT", MTN_TARGET_ENVIRONMENT),
        ("AIRTEL_CLIENT_ID", AIRTEL_CLIENT_ID),
        ("AIRTEL_CLIENT_SECRET", AIRTEL_CLIENT_SECRET),
        ("AIRTEL_COUNTRY", AIRTEL_COUNTRY),
        ("PAYDUNYA_MASTER_KEY", PAYDUNYA_MASTER_KEY),
        ("PAYDUNYA_PRIVATE_KEY", PAYDUNYA_PRIVATE_KEY),
        ("PAYDUNYA_TOKEN", PAYDUNYA_TOKEN),
    ];
    let addresses = addresses.into_iter().map(|(name, path)| (name.to_owned(), format!("{base}/{path}")));
    addresses.chain(keys.into_iter().map(|(name, key)| (name.to_owned(), key.to_owned()))).collect()
}
