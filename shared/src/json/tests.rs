use super::*;
use crate::money::Amount;
use proptest::prelude::*;

mod oracle;

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Ask {
    amount: Option<Amount>,
}

fn refusal(body: &[u8]) -> crate::error::Problem {
    parse::<Ask>(body).unwrap_err().problem()
}

#[test]
fn an_empty_body_is_an_empty_object_and_unknown_fields_are_ignored() {
    for body in [&b""[..], b" \n", b"{}", br#"{"admin":true}"#] {
        assert_eq!(parse::<Ask>(body), Ok(Ask { amount: None }));
    }
}

#[test]
fn what_is_not_one_json_value_is_bad_json() {
    let deep = [vec![b'['; 33], vec![b']'; 33]].concat();
    for body in [&b"{"[..], b"{} {}", b"{\"a\":1,\"a\":2}", b"\xff", b"{'a':1}", b"NaN", b"{\"a\":1e999}", &deep] {
        assert_eq!(refusal(body).code, "BAD_JSON", "{}", String::from_utf8_lossy(body));
    }
    assert!(check(&[vec![b'['; 32], vec![b']'; 32]].concat()).is_ok());
}

#[test]
fn a_name_of_serdes_own_hides_no_second_document() {
    let hidden = br#"{"metadata":{"$serde_json::private::RawValue":"{\"a\":1,\"a\":2}"}}"#;
    let read = serde_json::from_slice::<serde_json::Value>(hidden).unwrap();
    assert_eq!(read["metadata"]["a"], 2, "serde_json would read it");
    assert_eq!(refusal(hidden).code, "BAD_JSON");
}

#[test]
fn a_body_is_an_object_and_not_a_list_that_would_fit() {
    for body in [&b"[]"[..], b"[5]", b"5", b"null", b"\"text\""] {
        assert_eq!(refusal(body).code, "VALIDATION_ERROR", "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn a_wrong_field_is_named_and_its_value_is_not_repeated() {
    let no = refusal(br#"{"amount":"secret"}"#);
    assert_eq!((no.code.as_str(), &no.details.read()[0]["field"]), ("VALIDATION_ERROR", &"amount".into()));
    assert!(!no.details.read().to_string().contains("secret"), "{:?}", no.details);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_never_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse::<Ask>(&body);
    }
}
