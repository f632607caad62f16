//! A database that stops speaking: before it has said anything, or in the middle of a word (non-functional.md, N64).

use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::json;

use crate::call::{Call, Reply};
use crate::conformance_upstream::{Lone, lone};

pub fn tests() -> Vec<Trial> {
    let test = |name: &str, run: fn()| {
        Trial::test(format!("silence::{name}"), move || {
            run();
            Ok(())
        })
    };
    vec![
        test("n64_a_database_that_says_nothing_is_given_up", || {
            crate::RUNTIME.block_on(async { is_given_up(lone().await, "say nothing").await });
        }),
        test("n64_a_refusal_that_stops_halfway_is_given_up", || {
            crate::RUNTIME.block_on(async { is_given_up(lone().await, "refuse by half").await });
        }),
        test("n64_an_answer_that_stops_halfway_keeps_nobody_else_waiting", || {
            crate::RUNTIME.block_on(async { keeps_nobody_else_waiting(lone().await).await });
        }),
    ]
}

fn transfer(l: &Lone, description: &str) -> Call {
    let token = xtask::keys::user_token(&xtask::keys::random_uuid(), &xtask::keys::TokenOptions::default());
    let ask = json!({ "operation": "transfer", "amount": 100, "recipient_id": "USR0001", "description": description });
    l.request(Method::POST, "/functions/v1/wallet-operations").bearer(&token).json(&ask)
}

/// Nobody knows what has become of it, which is what a 504 says.
fn is_unknown(reply: &Reply) {
    reply.refused(504, "DEPENDENCY_UNAVAILABLE");
}

async fn is_given_up(l: &'static Lone, how: &str) {
    is_unknown(&transfer(l, how).send().await);
}

/// Its text is passed on as it comes, and ends when the client has had enough.
async fn keeps_nobody_else_waiting(l: &'static Lone) {
    let begun = futures_util::future::join_all((0..20).map(|_| transfer(l, "answer by half").0.send())).await;
    for response in &begun {
        assert_eq!(response.as_ref().expect("a head").status(), 200);
    }
    // This database answers a plain transfer with a time-out of its own.
    is_unknown(&transfer(l, "plain").send().await);
    drop(begun);
    is_unknown(&transfer(l, "plain").send().await);
}
