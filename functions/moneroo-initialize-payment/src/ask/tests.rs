use super::*;
use serde_json::json;

fn order(invoked_as: &str, body: Value) -> Order {
    match read(invoked_as, body).unwrap() {
        Wish::Pay(ask) => ask.order(None).unwrap(),
        Wish::Look(id) => panic!("looked at {id}"),
    }
}

#[test]
fn legacy_bodies_name_their_purpose_in_the_metadata() {
    let deposit = order("moneroo-initialize-payment", json!({ "amount": 5, "metadata": { "wallet_recharge": true } }));
    assert_eq!(deposit.purpose, Some(Purpose::WalletDeposit));
    let id = "8a8ef5f4-6a5d-4a1b-9d1f-000000000001";
    let bought = order("moneroo-initialize-payment", json!({ "metadata": { "order_id": id } }));
    assert_eq!((bought.purpose, bought.purpose_id.as_deref()), (Some(Purpose::Order), Some(id)));
    assert_eq!(order("create-payment", json!({ "plan_id": "premium_report" })).purpose, Some(Purpose::PlanPurchase));
}

#[test]
fn the_envelope_reads_a_payment_by_either_of_its_names() {
    for action in ["get_payment", "verify_payment"] {
        let wish = read("moneroo", json!({ "action": action, "data": { "payment_id": "py_1" } })).unwrap();
        assert!(matches!(wish, Wish::Look(id) if id == "py_1"));
        assert_eq!(read("moneroo", json!({ "action": action, "data": {} })).unwrap_err().problem().status, 400);
    }
}

#[test]
fn the_envelope_creates_and_never_refunds_or_cancels() {
    let body = json!({ "action": "create_payment", "data": { "amount": 5, "purpose": "wallet_deposit", "customer_name": "Aïcha Bah Diallo", "customer_email": "a@b.c" } });
    let customer = order("moneroo", body).customer;
    assert_eq!((customer.first_name.as_deref(), customer.last_name.as_deref()), (Some("Aïcha Bah"), Some("Diallo")));
    for action in ["refund_payment", "cancel_payment"] {
        assert_eq!(read("moneroo", json!({ "action": action, "data": {} })).unwrap_err().problem().status, 403);
    }
}

#[test]
fn a_legacy_name_of_a_provider_switches_an_open_payment() {
    let id = "8a8ef5f4-6a5d-4a1b-9d1f-000000000001";
    let body = json!({ "phone": "+224620000001", "amount": 500, "currency": "GNF", "reference": id });
    let switched = order("mtn-momo", body);
    assert_eq!((switched.provider.as_str(), switched.transaction_id.as_deref()), ("mtn_momo", Some(id)));
    assert_eq!((switched.phone.as_deref(), switched.amount), (Some("224620000001"), Some(500)));
    assert_eq!(order("card-payment", json!({ "transaction_id": id })).provider, "stripe");
    for (name, body, field) in [
        ("mtn-momo", json!({ "phone": "224620000001" }), "transaction_id"),
        ("airtel-money", json!({ "reference": id, "phone": "12" }), "phone"),
        ("card-payment", json!({ "transaction_id": "1" }), "transaction_id"),
    ] {
        let no = read(name, body.clone()).unwrap_err().problem();
        assert_eq!(no.details.read()[0]["field"], field, "{name} {body}");
    }
}

#[test]
fn card_data_is_refused_wherever_it_hides() {
    for body in [
        json!({ "card": { "number": "4111" } }),
        json!({ "customer": { "cvc": "1" } }),
        json!({ "metadata": { "card_number": "4111" } }),
    ] {
        assert_eq!(read("card-payment", body).unwrap_err().problem().code, "CARD_DATA_REFUSED");
    }
}
