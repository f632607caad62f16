use std::future::ready;
use std::net::Ipv6Addr;

use proptest::prelude::*;

use serde_json::json;

use super::*;
use crate::contract::{Anyone, Contract};
use crate::testing::{ALICE, FakeDb, FakeLimits, anyone, block_on, limited};

const PUBLIC: Contract<Anyone> = Contract::post("public");

fn who(user: Option<Uuid>, internal: bool) -> Who<'static> {
    Who { user, internal, address: "192.0.2.7" }
}

fn stranger(contract: &Contract<Anyone>) -> Vec<(Limit, String)> {
    counted(&contract.spec, &who(None, false), "").into_iter().flatten().collect()
}

fn one(class: Limit, key: &str) -> Counted {
    [Some((class, key.to_owned())), None]
}

#[test]
fn the_table_is_the_contract() {
    // Class, calls and seconds of each window, burst, inside: non-functional.md, section 3.
    type Row = (Limit, &'static [(u32, u32)], Option<u32>, Option<u32>);
    let table: [Row; 18] = [
        (Limit::Anonymous, &[(60, 60), (100, 900)], None, Some(5)), // N30
        (Limit::Default, &[(100, 60)], None, Some(10)),             // N31
        (Limit::Server, &[(1_000, 60)], None, Some(50)),            // N32
        (Limit::Auth, &[(5, 60), (10, 900)], Some(3), None),        // N33
        (Limit::Payment, &[(20, 60)], None, None),                  // N34
        (Limit::Webhook, &[(1_000, 60)], None, None),               // N35
        (Limit::Hook, &[(60, 60)], None, None),                     // N35
        (Limit::Upload, &[(10, 60), (20, 3_600)], None, None),      // N36
        (Limit::Search, &[(50, 60)], None, None),                   // N37
        (Limit::Events, &[(100, 60)], Some(20), None),              // N38
        (Limit::Scan, &[(30, 60)], None, None),                     // N39
        (Limit::Leaderboard, &[(30, 60)], Some(10), None),          // N40
        (Limit::Play, &[(5, 60)], Some(2), None),                   // N40
        (Limit::Heartbeat, &[(30, 60)], None, None),                // N41
        (Limit::Licence, &[(20, 60)], None, None),                  // N42
        (Limit::Download, &[(30, 60)], None, None),                 // N42
        (Limit::Ceiling, &[(600, 60)], None, None),                 // the decision below the table
        (Limit::Advice, &[(10, 60)], None, None),                   // wallet.md
    ];
    for (class, windows, burst, inside) in table {
        let Rules { windows: ours, burst: our_burst, inside: our_inside, .. } = rules(class);
        let ours: Vec<_> = ours.iter().map(|window| (window.calls, window.seconds)).collect();
        assert_eq!((ours.as_slice(), *our_burst, *our_inside), (windows, burst, inside), "{class:?}");
    }
}

#[test]
fn each_class_says_its_own_name_and_its_own_numbers() {
    for limit in CLASSES {
        let rules = rules(limit);
        assert_eq!(class(rules.name), Some(limit));
        let said = rules.windows.iter().enumerate().map(|(at, Window { calls, seconds })| {
            let name = if at == 0 { rules.name.to_owned() } else { format!("{}-{seconds}", rules.name) };
            assert_eq!(rules.policy_name(at), format!("\"{name}\""));
            format!("\"{name}\";q={calls};w={seconds}")
        });
        assert_eq!(said.collect::<Vec<_>>().join(", "), rules.policy);
    }
    assert_eq!(class("none"), None);
}

#[test]
fn a_bucket_is_full_again_within_its_class_s_memory() {
    for limit in CLASSES {
        let Some((room_ms, _)) = rules(limit).bucket() else { continue };
        assert!(room_ms <= rules(limit).longest_ms(), "{limit:?} is forgotten before its burst is back");
    }
}

#[test]
fn the_platform_counts_minutes_and_an_object_the_rest() {
    let objects: Vec<_> = CLASSES.into_iter().filter(|class| rules(*class).needs_object()).collect();
    let expected = [Limit::Anonymous, Limit::Auth, Limit::Upload, Limit::Events, Limit::Leaderboard, Limit::Play];
    assert_eq!(objects, expected);
}

#[test]
fn without_a_limiter_money_auth_and_webhooks_refuse_and_the_rest_passes() {
    let vital = [Limit::Auth, Limit::Payment, Limit::Webhook, Limit::Hook];
    for class in CLASSES {
        let answer = block_on(admit(Limit::None, class, ready(Err(Down))));
        if vital.contains(&class) {
            let no = answer.unwrap_err().problem();
            assert_eq!((no.status, no.code.as_str()), (503, "DEPENDENCY_UNAVAILABLE"), "{class:?}");
        } else {
            assert_eq!(answer, Ok(None), "{class:?}");
        }
        // A stranger or a backend at the endpoint of such a class is refused as well: it is the endpoint that matters.
        let beside = block_on(admit(class, Limit::Anonymous, ready(Err(Down))));
        assert_eq!(beside.is_err(), vital.contains(&class), "{class:?}");
    }
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let out = Verdict::Out { wait_s: 42, window: 0 };
    let no = block_on(admit(Limit::Payment, Limit::Payment, ready(Ok(out)))).unwrap_err().problem();
    assert_eq!((no.status, no.code.as_str(), no.retry_after), (429, "RATE_LIMITED", Some(42)));
    assert_eq!(no.details.read(), json!({ "retry_after": 42 }));
}

#[test]
fn n31_n34_a_person_is_counted_in_the_class_of_the_endpoint_instead_of_his_own() {
    let alice = ALICE.to_string();
    let user = who(Some(ALICE), false);
    assert_eq!(counted(&PUBLIC.user().spec, &user, ""), one(Limit::Default, &alice));
    for class in [Limit::Payment, Limit::Heartbeat, Limit::Upload, Limit::Search, Limit::Events, Limit::Scan] {
        assert_eq!(counted(&PUBLIC.user().limit(class).spec, &user, ""), one(class, &alice));
    }
}

#[test]
fn n30_a_stranger_is_his_address_and_at_a_special_endpoint_twice() {
    assert_eq!(stranger(&PUBLIC), [(Limit::Anonymous, "192.0.2.7".to_owned())]);
    let both = [(Limit::Anonymous, "192.0.2.7".to_owned()), (Limit::Payment, "192.0.2.7".to_owned())];
    assert_eq!(stranger(&PUBLIC.limit(Limit::Payment)), both);
    // The e-mail is counted by the handler.
    assert_eq!(stranger(&PUBLIC.limit(Limit::Auth)), [(Limit::Anonymous, "192.0.2.7".to_owned())]);
    assert!(stranger(&PUBLIC.limit(Limit::None)).is_empty());
}

#[test]
fn n40_n42_a_wedding_hall_is_one_address() {
    for class in [Limit::Play, Limit::Leaderboard, Limit::Licence, Limit::Download, Limit::Hook] {
        assert_eq!(stranger(&PUBLIC.limit(class)), [(Limit::Ceiling, "192.0.2.7".to_owned())], "{class:?}");
    }
}

#[test]
fn n32_whoever_has_the_internal_key_is_a_backend_wherever_he_calls() {
    let backend = who(None, true);
    for contract in [PUBLIC.spec, PUBLIC.cron().spec, PUBLIC.limit(Limit::Payment).spec] {
        assert_eq!(counted(&contract, &backend, ""), one(Limit::Server, "internal"), "{}", contract.name);
    }
}

#[test]
fn n35_a_webhook_is_its_provider_s_and_no_address_s() {
    assert_eq!(counted(&PUBLIC.webhook().spec, &who(None, false), "stripe"), one(Limit::Webhook, "stripe"));
    let known = ["moneroo", "paydunya", "stripe"];
    for (named, invoked_as, expected) in [
        (None, "moneroo-webhook", "moneroo"),
        (Some("stripe"), "payment-webhook", "stripe"),
        (None, "escrow-stripe-webhook", "stripe"),
        (Some("evil-1"), "payment-webhook", "unknown"),
        (Some("evil-2"), "payment-webhook", "unknown"),
        (Some("evil"), "paydunya-webhook", "paydunya"),
        (None, "payment-webhook", "unknown"),
    ] {
        assert_eq!(provider(named, invoked_as, &known), expected, "{named:?} {invoked_as}");
    }
}

#[test]
fn an_address_is_a_subscriber_s() {
    for (address, expected) in [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::99", "2001:db8:1:2::"),
        ("2001:db8:1:3::99", "2001:db8:1:3::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", "unknown"),
        ("192.0.2.7, 10.0.0.1", "unknown"),
        ("x".repeat(10_000).as_str(), "unknown"),
    ] {
        assert_eq!(network(address), expected, "{address}");
    }
}

#[test]
fn n33_a_login_is_counted_for_an_address_and_an_e_mail_together() {
    let limits = FakeLimits::open();
    let cx = limited(anyone(Anyone::default(), &FakeDb::unreachable(), &std::rc::Rc::default()), &limits);
    for (address, email) in [
        ("192.0.2.7", "awa@example.test"),
        ("192.0.2.7", " Awa@Example.Test "),
        ("192.0.2.8", "awa@example.test"),
        ("192.0.2.7", "binta@example.test"),
    ] {
        block_on(cx.limit(Limit::Auth, address, email)).unwrap();
    }
    let asked = limits.asked.borrow();
    let keys: Vec<_> = asked.iter().map(|(_, key)| key).collect();
    assert_eq!(keys[0], keys[1], "the same person, however it is written");
    assert!(keys[0] != keys[2] && keys[0] != keys[3] && keys[2] != keys[3]);
    assert!(asked.iter().all(|(class, key)| *class == Limit::Auth && !key.contains("awa")), "{asked:?}");
}

#[test]
fn n42_a_code_is_counted_wherever_it_is_used() {
    let limits = FakeLimits::open();
    let cx = limited(anyone(Anyone::default(), &FakeDb::unreachable(), &std::rc::Rc::default()), &limits);
    block_on(cx.limit(Limit::Licence, "192.0.2.7", "CODE-1")).unwrap();
    block_on(cx.limit(Limit::Licence, "198.51.100.1", "CODE-1")).unwrap();
    let asked = limits.asked.borrow();
    assert_eq!(asked[0], asked[1]);
}

#[test]
fn a_handler_s_limit_refuses_as_the_door_does() {
    let cx = |limits| limited(anyone(Anyone::default(), &FakeDb::unreachable(), &std::rc::Rc::default()), limits);
    let full = FakeLimits::refuses(Limit::Auth);
    let no = block_on(cx(&full).limit(Limit::Auth, "", "x")).unwrap_err().problem();
    assert_eq!((no.status, no.retry_after), (429, Some(7)));
    let down = FakeLimits::down();
    assert_eq!(block_on(cx(&down).limit(Limit::Auth, "", "x")).unwrap_err().problem().status, 503);
    assert_eq!(block_on(cx(&down).limit(Limit::Play, "", "x")), Ok(()));
}

#[test]
fn a_verdict_survives_its_way_from_the_object() {
    let left = Some(Left { window: 1, calls: 0, reset_s: 12 });
    for verdict in [
        Verdict::In { lease: None, left },
        Verdict::In { lease: Some(7), left },
        Verdict::In { lease: None, left: None },
        Verdict::Out { wait_s: 60, window: 1 },
    ] {
        assert_eq!(Verdict::parse(&verdict.to_text()), Some(verdict));
    }
    for words in ["", "in", "in 1 2", "out", "out x 1", "yes 1 2 3 4", "in -1 0 0 1"] {
        assert_eq!(Verdict::parse(words), None, "{words}");
    }
}

proptest! {
    #[test]
    fn an_address_is_written_as_the_standard_library_writes_it(front: [bool; 4], groups: [u16; 8], four: [u8; 4]) {
        let mut groups = groups;
        for (group, kept) in groups.iter_mut().zip(front) {
            *group = if kept { *group } else { 0 };
        }
        let six = Ipv6Addr::from(groups);
        let [a, b, c, d, ..] = groups;
        if six.to_ipv4_mapped().is_none() {
            prop_assert_eq!(network(&six.to_string()), Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string());
        }
        let four = Ipv4Addr::from(four);
        prop_assert_eq!(network(&four.to_string()), four.to_string());
        prop_assert_eq!(network(&four.to_ipv6_mapped().to_string()), four.to_string());
    }
}
