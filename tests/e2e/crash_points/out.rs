//! A payout or a refund is on its way, and the process dies: when it is asked for, when it is claimed, when the
//! provider has it, when its answer is being stored. A payout that may have been sent is never sent again.

use serde_json::Value;

use super::outgoing::Out;
use crate::world::World;

super::points![
    payout_it_is_asked_for_and_not_committed,
    payout_it_is_asked_for_and_the_client_is_not_answered,
    payout_it_is_claimed_and_not_sent,
    payout_it_is_sent_and_the_answer_is_lost,
    payout_it_is_accepted_and_that_is_not_committed,
    payout_its_acceptance_is_committed_and_nobody_is_told,
    refund_it_is_asked_for_and_not_committed,
    refund_it_is_asked_for_and_the_admin_is_not_answered,
    refund_it_is_claimed_and_not_sent,
    refund_it_is_sent_and_the_answer_is_lost,
    refund_it_is_accepted_and_that_is_not_committed,
    refund_its_acceptance_is_committed_and_nobody_is_told,
];

async fn payout_it_is_asked_for_and_not_committed(w: &'static World) {
    asked_for_and_not_committed(Out::to_a_phone(w).await).await;
}

async fn payout_it_is_asked_for_and_the_client_is_not_answered(w: &'static World) {
    asked_for_and_not_answered(Out::to_a_phone(w).await).await;
}

async fn payout_it_is_claimed_and_not_sent(w: &'static World) {
    claimed_and_not_sent(Out::to_a_phone(w).await).await;
}

async fn payout_it_is_sent_and_the_answer_is_lost(w: &'static World) {
    sent_and_the_answer_is_lost(Out::to_a_phone(w).await).await;
}

async fn payout_it_is_accepted_and_that_is_not_committed(w: &'static World) {
    accepted_and_not_committed(Out::to_a_phone(w).await).await;
}

async fn payout_its_acceptance_is_committed_and_nobody_is_told(w: &'static World) {
    accepted_and_nobody_is_told(Out::to_a_phone(w).await).await;
}

async fn refund_it_is_asked_for_and_not_committed(w: &'static World) {
    asked_for_and_not_committed(Out::to_the_card(w).await).await;
}

async fn refund_it_is_asked_for_and_the_admin_is_not_answered(w: &'static World) {
    asked_for_and_not_answered(Out::to_the_card(w).await).await;
}

async fn refund_it_is_claimed_and_not_sent(w: &'static World) {
    claimed_and_not_sent(Out::to_the_card(w).await).await;
}

async fn refund_it_is_sent_and_the_answer_is_lost(w: &'static World) {
    sent_and_the_answer_is_lost(Out::to_the_card(w).await).await;
}

async fn refund_it_is_accepted_and_that_is_not_committed(w: &'static World) {
    accepted_and_not_committed(Out::to_the_card(w).await).await;
}

async fn refund_its_acceptance_is_committed_and_nobody_is_told(w: &'static World) {
    accepted_and_nobody_is_told(Out::to_the_card(w).await).await;
}

/// The same key asks again and the clock sends it: one payout, which arrives.
async fn arrives_by_the_same_key(out: &Out) {
    let first = out.asks().send().await;
    let again = out.asks().send().await;
    assert_eq!(
        (first.ok(out.accepted()), again.header("idempotent-replayed")),
        (again.ok(out.accepted()), Some("true"))
    );
    assert_eq!((out.times_sent().await, out.person.balance("XOF").await), (0, out.away));
    out.w.tick("payout-process").await.ok(200);
    out.stands("processing", true).await;
    out.ends("succeed").await;
    out.has_arrived_once().await;
}

async fn asked_for_and_not_committed(out: Out) {
    let moves = out.person.moves().await;
    out.dies_when_asked_for().await.rolls_back().await;
    assert_eq!(
        (out.rows().await.len(), out.person.balance("XOF").await, out.person.moves().await),
        (0, out.at_home, moves)
    );
    assert_eq!(out.refunded().await, 0);
    out.w.revived().await;
    arrives_by_the_same_key(&out).await;
}

async fn asked_for_and_not_answered(out: Out) {
    out.dies_when_asked_for().await.commits().await;
    out.stands("pending", false).await;
    out.w.revived().await;
    let moves = out.person.moves().await;
    assert_eq!(out.asks().send().await.header("idempotent-replayed"), Some("true"), "the first request has its answer");
    assert_eq!(out.person.moves().await, moves);
    arrives_by_the_same_key(&out).await;
}

async fn claimed_and_not_sent(out: Out) {
    out.asks().send().await.ok(out.accepted());
    out.dies_in_silence("before").await;
    assert_eq!(out.there().await, Vec::<Value>::new());
    out.stands("processing", false).await;
    out.w.revived().await;
    // From here it looks as if it had been sent: it is not sent again, and not given up by the clock either.
    out.is_due().await;
    out.stands("processing", false).await;
    out.admin_says("failed").await.refused(409, "INVALID_STATE");
    out.is_given_up().await;
    out.is_due().await;
    out.stands("unknown", false).await;
    assert_eq!((out.times_sent().await, out.there().await.len()), (1, 0));
    let row = out.row().await;
    out.w.settles_payout(&out.person, row["id"].as_str().expect("an id"), "failed").await.refused(403, "FORBIDDEN");
    out.admin_says("failed").await.ok(200);
    out.is_home_once().await;
    assert_eq!(out.there().await.len(), 0);
}

async fn sent_and_the_answer_is_lost(out: Out) {
    out.asks().send().await.ok(out.accepted());
    out.dies_in_silence("after").await;
    assert_eq!(out.there().await.len(), 1);
    out.stands("processing", false).await;
    out.w.started().await;
    out.is_given_up().await;
    assert_eq!((out.times_sent().await, out.there().await.len()), (1, 1));
    // What was announced meanwhile, and how it ended: found by the tag that it was sent with.
    out.hears_what_it_missed().await;
    out.ends("succeed").await;
    out.has_arrived_once().await;
}

async fn accepted_and_not_committed(out: Out) {
    out.asks().send().await.ok(out.accepted());
    out.dies_when_accepted("hold").await.rolls_back().await;
    assert_eq!(out.there().await.len(), 1);
    out.stands("processing", false).await;
    out.hears_what_it_missed().await;
    out.ends("fail").await;
    out.is_home_once().await;
    assert_eq!(out.there().await.len(), 1);
}

async fn accepted_and_nobody_is_told(out: Out) {
    out.asks().send().await.ok(out.accepted());
    out.dies_when_accepted("drop").await.commits().await;
    out.stands("processing", true).await;
    // Its end is announced while nobody listens, and never again: the clock asks.
    out.ends("succeed").await;
    out.stands("processing", true).await;
    out.w.revived().await;
    out.is_due().await;
    out.has_arrived_once().await;
}
