use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const SECRET: &[u8] = b"super-secret-jwt-token-with-at-least-32-characters-long";
const ALICE: &str = "8a8ef5f4-6a5d-4a1b-9d1f-000000000001";

fn issuer() -> Issuer {
    let jwk = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","alg":"ES256","x":"x","y":"y"},{"kty":"oct","kid":"s","k":"k"}]}"#;
    Issuer {
        hs256: Secret::new(String::from_utf8(SECRET.to_vec()).unwrap()),
        public: Issuer::public_keys(jwk),
        issuer: "me".into(),
        audience: "authenticated".into(),
    }
}

fn claims() -> Value {
    json!({ "sub": ALICE, "role": "authenticated", "aud": "authenticated", "iss": "me", "exp": NOW + 60, "iat": NOW - 60 })
}

fn signed(header: &Value, claims: &Value) -> String {
    signed_text(&header.to_string(), &claims.to_string())
}

fn signed_text(header: &str, claims: &str) -> String {
    use hmac::{Hmac, Mac};
    let data = format!("{}.{}", base64(header.as_bytes()), base64(claims.as_bytes()));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(data.as_bytes());
    format!("{data}.{}", base64(&mac.finalize().into_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(ALPHABET[(word >> (18 - 6 * place)) as usize & 63] as char);
        }
    }
    text
}

fn verdict(header: &Value, claims: &Value) -> Result<Verified, Why> {
    match check(&signed(header, claims), &issuer(), &[], NOW)? {
        Check::Done(verified) => Ok(verified),
        Check::Public { .. } => panic!("an HS256 token was sent to WebCrypto"),
    }
}

#[test]
fn a_good_token_names_its_user() {
    let verified = verdict(&json!({ "alg": "HS256", "typ": "JWT" }), &claims()).unwrap();
    assert_eq!(verified, Verified { user: ALICE.parse().unwrap(), session: None, expires_s: NOW + 60 });
}

#[test]
fn each_claim_that_is_off_is_refused_for_its_own_reason() {
    for (claim, value, why) in [
        ("exp", json!(NOW - 31), Why::Expired),
        ("exp", Value::Null, Why::Expired),
        ("nbf", json!(NOW + 31), Why::NotYet),
        ("iat", json!(NOW + 3600), Why::NotYet),
        ("iss", json!("you"), Why::Issuer),
        ("iss", Value::Null, Why::Issuer),
        ("aud", json!("anon"), Why::Audience),
        ("aud", json!(["a", "b"]), Why::Audience),
        ("aud", Value::Null, Why::Audience),
        ("role", json!("service_role"), Why::Role),
        ("role", json!("anon"), Why::Role),
        ("role", Value::Null, Why::Role),
        ("sub", json!("alice"), Why::Subject),
        ("sub", Value::Null, Why::Subject),
        ("sub", json!(ALICE.replace('-', "")), Why::Subject),
    ] {
        let mut claims = claims();
        match (&value, claims.as_object_mut()) {
            (Value::Null, Some(fields)) => drop(fields.remove(claim)),
            _ => claims[claim] = value.clone(),
        }
        assert_eq!(verdict(&json!({ "alg": "HS256" }), &claims), Err(why), "{claim} = {value}");
    }
}

#[test]
fn the_skew_is_thirty_seconds_on_both_sides() {
    for (claim, value, holds) in
        [("exp", NOW - 29, true), ("exp", NOW - 30, false), ("nbf", NOW + 30, true), ("nbf", NOW + 31, false)]
    {
        let mut claims = claims();
        claims[claim] = json!(value);
        assert_eq!(verdict(&json!({ "alg": "HS256" }), &claims).is_ok(), holds, "{claim} {value}");
    }
}

#[test]
fn the_token_never_chooses_the_algorithm() {
    assert_eq!(verdict(&json!({ "alg": "none" }), &claims()), Err(Why::UnknownKey));
    assert_eq!(verdict(&json!({ "alg": "HS512" }), &claims()), Err(Why::UnknownKey));
    // The public key's id with a symmetric signature: the classic confusion.
    assert_eq!(verdict(&json!({ "alg": "HS256", "kid": "k1" }), &claims()), Err(Why::Algorithm));
    assert_eq!(verdict(&json!({ "alg": "ES256", "kid": "other" }), &claims()), Err(Why::UnknownKey));
    let es256 = signed(&json!({ "alg": "ES256", "kid": "k1" }), &claims());
    assert!(matches!(check(&es256, &issuer(), &[], NOW), Ok(Check::Public { .. })));
}

#[test]
fn a_changed_byte_breaks_the_signature() {
    let token = signed(&json!({ "alg": "HS256" }), &claims());
    let forged = token.replacen("ey", "ez", 1);
    assert!(check(&forged, &issuer(), &[], NOW).is_err());
    let (body, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    assert_eq!(check(&format!("{body}.{other}{}", &signature[1..]), &issuer(), &[], NOW).unwrap_err(), Why::Signature);
}

#[test]
fn a_bearer_header_has_exactly_two_parts_of_ascii() {
    assert_eq!(bearer(Some("bearer a.b.c")), Ok("a.b.c"));
    for bad in ["a.b.c", "Bearer ", "Bearer a b", "Basic a", "Bearer é", "Bearer a.b.c ", "Bearer a,Bearer b"] {
        assert_eq!(bearer(Some(bad)), Err(Why::Malformed), "{bad}");
    }
    assert_eq!(bearer(None), Err(Why::Missing));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(token in "[A-Za-z0-9_.-]{0,300}") {
        let _ = check(&token, &issuer(), &[], NOW);
    }
}

/// A second reader, of another house: what it takes for a token of ours, signed and with claims of the right kinds.
fn is_read_by_jwt_compact(token: &str) -> bool {
    use jwt_compact::UntrustedToken;
    use jwt_compact::alg::{Hs256, Hs256Key};
    use jwt_compact::prelude::*;

    #[derive(Clone, serde::Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only whether it can be read is asked")]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    #[derive(Clone, serde::Deserialize)]
    #[expect(dead_code, reason = "only whether it can be read is asked")]
    struct Custom {
        sub: Option<String>,
        role: Option<String>,
        iss: Option<String>,
        aud: Option<Audience>,
        session_id: Option<String>,
    }
    UntrustedToken::new(token).is_ok_and(|untrusted| {
        untrusted.algorithm() == "HS256"
            && Hs256.validator::<Custom>(&Hs256Key::new(SECRET)).validate(&untrusted).is_ok()
    })
}

fn is_read_by_us(token: &str) -> bool {
    let unread = [Why::Malformed, Why::UnknownKey, Why::Algorithm, Why::Signature];
    check(token, &issuer(), &[], NOW).map_or_else(|why| !unread.contains(&why), |_| true)
}

#[test]
fn odd_spellings_are_read_as_another_reader_reads_them() {
    let good = claims().to_string();
    let headers = [
        r#"{"alg":"HS256"}"#,
        r#" { "alg" : "HS256" , "typ" : "JWT" , "x" : [ { "y" : null } ] } "#,
        r#"{"\u0061lg":"HS\u003256"}"#,
        r#"{"alg":"HS256","kid":null,"cty":"JSON"}"#,
        r#"{"alg":"HS256","cty":"CBOR"}"#,
        r#"{"alg":"HS256","cty":7}"#,
        r#"{"alg":"HS256","kid":7}"#,
        r#"{"alg":"HS256","kid":"a","kid":"b"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":null}"#,
        r#"["HS256"]"#,
        r#""HS256""#,
        "{}",
        "",
        r#"{"alg":"HS256"} x"#,
    ];
    let bodies = [
        r#"{"exp":1800000060.9,"aud":["authenticated"],"iss":"me","role":"authenticated","sub":null}"#,
        r#"{"exp":1.8e9,"nbf":-1,"iat":0}"#,
        r#"{"exp":null}"#,
        r#"{"exp":"1800000060"}"#,
        r#"{"exp":9000000000000}"#,
        r#"{"exp":1e300}"#,
        r#"{"exp":18446744073709551615}"#,
        r#"{"exp":1,"exp":1800000060}"#,
        r#"{"exp":1800000060,"sub":"a","sub":"b"}"#,
        r#"{"exp":1800000060,"aud":7}"#,
        r#"{"exp":1800000060,"aud":["a",7]}"#,
        r#"{"exp":1800000060,"aud":{"a":1}}"#,
        r#"{"exp":1800000060,"sub":{"id":"a"}}"#,
        r#"{"exp":1800000060,"role":["authenticated"]}"#,
        r#"{"exp":1800000060,"session_id":7}"#,
        r#"{"exp":[1800000060]}"#,
        "[1800000060]",
        "null",
        "",
        "{}",
    ];
    let texts = headers.map(|header| (header, good.as_str())).into_iter().chain(bodies.map(|body| (headers[0], body)));
    for (header, body) in texts {
        let token = signed_text(header, body);
        assert_eq!(is_read_by_us(&token), is_read_by_jwt_compact(&token), "{header} {body}");
    }
}

#[test]
fn what_two_readers_could_read_differently_is_refused_also_where_nobody_looks() {
    let deep = [r#"{"exp":1800000060,"x":"#, &"[".repeat(33), &"]".repeat(33), "}"].concat();
    for body in [
        r#"{"exp":1800000060,"x":1,"x":2}"#,
        r#"{"exp":1800000060,"x":{"y":1,"y":2}}"#,
        r#"{"exp":1800000060,"x":1e999}"#,
        &deep,
    ] {
        assert!(!is_read_by_us(&signed_text(r#"{"alg":"HS256"}"#, body)), "{body}");
    }
    assert!(!is_read_by_us(&signed_text(r#"{"alg":"HS256","x":1,"x":2}"#, &claims().to_string())));
}

#[test]
fn a_token_has_one_spelling() {
    let token = signed(&json!({ "alg": "HS256" }), &claims());
    let (body, signature) = token.rsplit_once('.').unwrap();
    let last = |c: char| format!("{body}.{}{c}", &signature[..signature.len() - 1]);
    // The last sign of 32 bytes carries four bits, and two that must be nothing.
    let same: Vec<char> =
        ('A'..='Z').chain('a'..='z').filter(|c| check(&last(*c), &issuer(), &[], NOW).is_ok()).collect();
    assert!(same.len() <= 1, "{same:?}");
    for odd in
        [format!("{token}="), format!("{token}A"), format!("{token}."), format!(".{token}"), token.replace('.', "")]
    {
        assert!(!is_read_by_us(&odd), "{odd}");
        assert!(!is_read_by_jwt_compact(&odd), "{odd}");
    }
}
