//! Our reader beside serde_json's: what one takes the other takes, as the same value, and what is refused is refused at the same
//! place in the same words.

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::prelude::*;
use proptest::sample::select;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::json::{self, Object, Tree};
use crate::money::{Amount, Currency};
use crate::text;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Car,
    Moto,
    Held(u8),
    Pair(u8, String),
    Named { a: u8 },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "t", rename_all = "camelCase")]
enum Tagged {
    Car { a: u8 },
    Moto,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(u16),
    Text(String),
    Many(Vec<Either>),
    Object { a: i32 },
}

#[derive(Debug, PartialEq, Deserialize)]
struct Newtype(Option<String>);

#[derive(Debug, PartialEq, Deserialize)]
struct Stop {
    a: f64,
    #[serde(default)]
    b: u8,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Whole {
    a: Option<Amount>,
    b: Option<Currency>,
    c: Option<Uuid>,
    d: Option<(u8, String)>,
    e: Option<Vec<Stop>>,
    f: Option<BTreeMap<String, i64>>,
    g: Option<Kind>,
    h: Option<Tagged>,
    i: Option<Either>,
    j: Option<Newtype>,
    k: Option<Map<String, Value>>,
    l: Option<bool>,
    m: Option<()>,
    n: Option<char>,
    #[serde(alias = "ö")]
    o: Option<f32>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// As bodies were read before there was a reader of ours.
fn reference<T: DeserializeOwned>(text: &str) -> Result<T, (Option<String>, String)> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = Some(error.path().to_string()).filter(|path| path != ".");
        (path, fault(&error.into_inner().to_string()))
    });
    read.and_then(|read| reader.end().map(|()| read).map_err(|error| (None, fault(&error.to_string()))))
}

fn fault(said: &str) -> String {
    let said = text::rsplit_once(said, " at line ").map_or(said, |(said, _)| said);
    if ["invalid type", "invalid value", "unknown variant"].iter().any(|start| said.starts_with(start)) {
        let wanted = text::rsplit_once(said, "expected ").map(|(_, wanted)| format!("must be {wanted}"));
        return wanted.unwrap_or_else(|| "has the wrong type".to_owned());
    }
    said.to_owned()
}

#[track_caller]
fn agree<T: DeserializeOwned + PartialEq + Debug>(text: &str) {
    let (ours, theirs) = (json::read::<T>(text), reference::<T>(text));
    let is_json = serde_json::from_str::<Value>(text).is_ok();
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{text}"),
        (Err(ours), Err((path, said))) if is_json => {
            assert_eq!((ours.path(), ours.text()), (path.as_deref(), said.as_str()), "{text}");
        }
        (Err(_), Err(_)) => {}
        (ours, theirs) => panic!("{text}\nours: {ours:?}\ntheirs: {theirs:?}"),
    }
}

/// Ours of any shape beside serde_json's.
fn agree_on_tree(text: &str) {
    let (tree, value) = (json::read::<Tree>(text), json::read::<Value>(text));
    assert_eq!(tree.map(|tree| tree.0), value, "{text}");
    let (object, map) = (json::read::<Option<Object>>(text), json::read::<Option<Map<String, Value>>>(text));
    assert_eq!(object.map(|object| object.map(|object| object.0)), map, "{text}");
}

/// Another crate of the workspace may have serde_json read floats to the last bit, which by itself it does not, and ours does not.
/// Then a text with a number that is another one to the last bit, or no `f32`, says nothing.
fn is_read_otherwise(text: &str) -> bool {
    let to_the_last_bit = serde_json::from_str::<f64>("1e-23").is_ok_and(|read| read.to_bits() == 1e-23_f64.to_bits());
    let differs = |number: &str| {
        let (ours, exact) = (json::read::<f64>(number).ok(), number.parse::<f64>().ok());
        ours.is_some_and(|ours| Some(ours) != exact || (ours as f32).is_infinite())
    };
    let mut numbers = text.split(|char: char| !matches!(char, '0'..='9' | '.' | 'e' | 'E' | '+' | '-'));
    to_the_last_bit && numbers.any(differs)
}

fn agree_on_all(text: &str) {
    if is_read_otherwise(text) {
        return;
    }
    agree::<Whole>(text);
    agree::<Value>(text);
    agree_on_tree(text);
    agree::<Kind>(text);
    agree::<Tagged>(text);
    agree::<Either>(text);
    agree::<Vec<Stop>>(text);
    agree::<Option<i64>>(text);
    agree::<f64>(text);
    agree::<String>(text);
    let raw = |text| serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get);
    assert_eq!(json::read::<&RawValue>(text).ok().map(RawValue::get), raw(text), "{text}");
    assert_eq!(json::read::<Box<RawValue>>(text).ok().as_deref().map(RawValue::get), raw(text), "{text}");
    assert_eq!(json::read::<serde::de::IgnoredAny>(text).is_ok(), raw(text).is_some(), "{text}");
}

#[test]
fn numbers_are_what_they_were_to_the_last_bit() {
    let digits = ["0", "1", "9", "00", "255", "256", "12.50", "-13.700000000000001", "9.509999999999999787"];
    let long = ["18446744073709551615", "18446744073709551616", "18446744073709551616.04", "9007199254740993"];
    let more =
        ["9223372036854775807", "9223372036854775808", "9223372036854775809", "0.1", "1.", ".1", "0.00", "1e", "1e+"];
    let exponents =
        ["", "e0", "E2", "e-2", "e22", "e+23", "e-23", "e290", "e308", "e309", "e-310", "e-330", "e99999999999"];
    for (digits, exponent) in [&digits[..], &long, &more].concat().iter().flat_map(|d| exponents.map(|e| (d, e))) {
        for sign in ["", "-", "+"] {
            let number = format!("{sign}{digits}{exponent}");
            if let (Ok(ours), Ok(exact)) = (json::read::<f64>(&number), number.parse::<f64>()) {
                assert!((ours - exact).abs() <= exact.abs() * f64::EPSILON || !exact.is_normal(), "{number}: {ours:e}");
            }
            agree_on_all(&number);
            agree_on_all(&format!("[{sign}{digits}{exponent}]"));
        }
    }
}

/// Texts between tildes.
const TEXTS: &str = r#"
nul ~ null ~ nulll ~ true ~ tru ~ false ~ True ~ NaN ~ " ~ "\" ~ "\x" ~ "\u12" ~ "\u00e9" ~ "\ud83d" ~
"\ud83d\ude00" ~ "\ud83dx" ~ "\ud83d\u0041" ~ "\ude00" ~ "\uD83D\uDE00x" ~ "é\n\/\b\f\r\t\\" ~ [ ~ [] ~ [,] ~
[1,] ~ [1 2] ~ [1]] ~ { ~ {} ~ {,} ~ {"a"} ~ {"a":} ~ {"a":1,} ~ {"a":1 "b":2} ~ {a:1} ~ {"a":1}} ~ {} {} ~ // ~
'a' ~ {"":1} ~ {"\u0061":5} ~ {"a":5,"\u0061":6} ~ {"o":1,"ö":2} ~ {"zz":"\ud83d"} ~ {"zz":{"\ud83d":1}} ~
{"\ud83d":1} ~ {"car":null} ~ {"car":1} ~ {"car":null,"moto":null} ~ {"held":5} ~ {"held":null} ~
{"pair":[1,"a"]} ~ {"pair":[1]} ~ {"pair":[1,"a",2]} ~ {"named":{"a":1}} ~ {"named":[1]} ~ {"named":{}} ~ "held" ~
"pair" ~ "named" ~ "boat" ~ {"boat":1} ~ 5 ~ {"t":"car","a":300} ~ {"a":1,"t":"car"} ~ ["car",1] ~ {"t":1} ~
{"h":{"t":"boat"}} ~ {"g":5} ~ {"g":{}} ~ {"g":"boat"} ~ {"g":{"boat":1}} ~ {"g":{"held":"x"}} ~ {"d":[1]} ~
{"d":[1,"a",2]} ~ {"d":[300,"a"]} ~ {"e":[{"a":1},{"a":"x"}]} ~ {"e":[[1,2]]} ~ {"e":[[1,2,3]]} ~ {"e":[{}]} ~
{"e":[{"a":1,"a":2}]} ~ {"f":{"x":1.0}} ~ {"f":{"x":-0}} ~ {"j":5} ~ {"n":"ab"} ~ {"m":0} ~ {"c":"x"} ~ {"c":5} ~
{"b":"gnf"} ~ {"a":0} ~ {"a":1.5} ~ {"a":"1"} ~ {"a":[]} ~ {"a":{}} ~ {"o":1e39}
"#;

#[test]
fn texts_words_and_ends_are_taken_or_refused_alike() {
    let blank = ["", " ", " null ", "\"\t\"", "\"\u{7f}\u{80}\"", "\u{feff}{}", "\u{c}{}", "\0"];
    for text in TEXTS.split('~').map(|text| text.trim_matches([' ', '\n'])).chain(blank) {
        agree_on_all(text);
    }
    for depth in [126, 127, 128, 129, 500] {
        agree_on_all(&["[".repeat(depth), "]".repeat(depth)].concat());
        agree_on_all(&["{\"zz\":".repeat(depth), "1".to_owned(), "}".repeat(depth)].concat());
        agree::<Stop>(&format!("{{\"a\":1,\"zz\":{}{}}}", "[".repeat(depth), "]".repeat(depth)));
    }
}

/// A part of a text: what has a meaning here, more often than chance would have it.
fn part() -> impl Strategy<Value = String> {
    let known = select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "null",
        "true",
        "false",
        "0",
        "1",
        "-",
        ".",
        "e",
        "25",
        "1.5",
        " ",
        "\n",
        "\\u00e9",
        "\\ud83d",
        "\"a\":",
        "\"b\":",
        "\"c\":",
        "\"d\":",
        "\"e\":",
        "\"f\":",
        "\"g\":",
        "\"h\":",
        "\"i\":",
        "\"t\":",
        "\"car\"",
        "\"held\"",
        "\"x\"",
        "\"GNF\"",
        "{\"a\":1}",
        "[1,\"a\"]",
        "\"00000000-0000-4000-8000-00000000000b\"",
        "é",
        "\u{1}",
    ]);
    prop_oneof![8 => known.prop_map(str::to_owned), 1 => ".".prop_map(|any| any)]
}

/// JSON with the names and the values that the types look for.
fn json() -> impl Strategy<Value = String> {
    let names = || {
        select(vec![
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "t", "zz", "car", "held",
            "pair", "named",
        ])
    };
    let leaf = select(vec![
        "null",
        "true",
        "1",
        "-1",
        "300",
        "1.5",
        "1e400",
        "5000000000",
        "\"a\"",
        "\"car\"",
        "\"moto\"",
        "\"GNF\"",
        "\"\\u0061\"",
        "\"\"",
        "{}",
        "[]",
        "\"00000000-0000-4000-8000-00000000000b\"",
        "\"x y\"",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 5, move |inner| {
        let fields = proptest::collection::vec((names(), inner.clone()), 0..5);
        let object = |fields: Vec<(&str, String)>| {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
            format!("{{{}}}", fields.join(","))
        };
        prop_oneof![3 => fields.prop_map(object), 1 => proptest::collection::vec(inner, 0..4).prop_map(|all| format!("[ {} ]", all.join(" ,")))]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_json_is_read_or_refused_as_serde_json_does(text in json()) {
        agree_on_all(&text);
    }

    #[test]
    fn any_text_is_read_or_refused_as_serde_json_does(parts in proptest::collection::vec(part(), 0..14)) {
        agree_on_all(&parts.concat());
    }
}
