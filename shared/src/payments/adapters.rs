//! Which provider is which adapter, once for each of the things that a flow may want of one.

use super::{
    Checkout, Gateway, Listener, PaysOut, Settings, airtel_money, cinetpay, flutterwave, flutterwave_v4, moneroo,
    mtn_momo, orange_money, paydunya, paystack, stripe, wave,
};

/// Every provider, in the order of the documentation.
pub const PROVIDERS: [&str; 11] = [
    "moneroo",
    "stripe",
    "paystack",
    "flutterwave",
    "flutterwave_v4",
    "cinetpay",
    "wave",
    "orange_money",
    "mtn_momo",
    "airtel_money",
    "paydunya",
];

/// The adapter of `$provider` with the keys of `$settings`, as what is asked for.
macro_rules! adapter {
    ($settings:ident, $provider:ident) => {{
        if $settings.tag_key.is_empty() {
            return None;
        }
        Some(match $provider {
            "moneroo" => Box::new(moneroo::Moneroo::configured($settings)?),
            "stripe" => Box::new(stripe::Stripe::configured($settings)?),
            "paystack" => Box::new(paystack::Paystack::configured($settings)?),
            "flutterwave" => Box::new(flutterwave::Flutterwave::configured($settings)?),
            "flutterwave_v4" => Box::new(flutterwave_v4::FlutterwaveV4::configured($settings)?),
            "cinetpay" => Box::new(cinetpay::Cinetpay::configured($settings)?),
            "wave" => Box::new(wave::Wave::configured($settings)?),
            "orange_money" => Box::new(orange_money::OrangeMoney::configured($settings)?),
            "mtn_momo" => Box::new(mtn_momo::MtnMomo::configured($settings)?),
            "airtel_money" => Box::new(airtel_money::AirtelMoney::configured($settings)?),
            "paydunya" => Box::new(paydunya::Paydunya::configured($settings)?),
            _ => return None,
        })
    }};
}

/// Which adapters a flow may meet. A function that has to do with few providers names those, and links no other.
pub type Lookup = for<'a> fn(&'a Settings, &str) -> Option<Box<dyn Gateway + 'a>>;

/// The adapter of a provider; `None` for an unknown name and without its keys: the caller answers 503, there is no
/// simulation.
#[must_use]
pub fn gateway<'a>(settings: &'a Settings, provider: &str) -> Option<Box<dyn Gateway + 'a>> {
    adapter!(settings, provider)
}

/// The same, to start a payment.
#[must_use]
pub fn checkout_at<'a>(settings: &'a Settings, provider: &str) -> Option<Box<dyn Checkout + 'a>> {
    adapter!(settings, provider)
}

/// The same, to hear what it says unasked.
#[must_use]
pub fn listener<'a>(settings: &'a Settings, provider: &str) -> Option<Box<dyn Listener + 'a>> {
    adapter!(settings, provider)
}

/// The same, to send money out; `None`, too, where it has no way out.
#[must_use]
pub fn payout_at<'a>(settings: &'a Settings, provider: &str) -> Option<Box<dyn PaysOut + 'a>> {
    if settings.tag_key.is_empty() {
        return None;
    }
    Some(match provider {
        "moneroo" => Box::new(moneroo::Moneroo::configured(settings)?),
        "stripe" => Box::new(stripe::Stripe::configured(settings)?),
        _ => return None,
    })
}

/// The providers whose keys are here.
#[must_use]
pub fn configured(settings: &Settings) -> Vec<&'static str> {
    PROVIDERS.into_iter().filter(|name| gateway(settings, name).is_some()).collect()
}
