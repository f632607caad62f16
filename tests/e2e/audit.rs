//! `cargo xtask audit` on a live database: what it prints, and what it finds after somebody has edited a row past every
//! trigger and every grant, as only a superuser can.

use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;
use xtask::audit::{self, Report};

use crate::world::World;

crate::tests![
    an_audit_of_good_books_names_its_figures_and_finds_nothing,
    an_audit_finds_the_row_that_a_superuser_edited,
    an_audit_finds_a_history_that_was_rewritten_whole_by_a_head_noted_elsewhere,
];

/// A ledger with two people and a few transfers, all of them moved into a day that is over, and sealed.
async fn yesterday(w: &'static World) -> (String, Client, String) {
    let (url, client) = w.own_database().await;
    let mut people = Vec::new();
    for n in 0..2 {
        let id = xtask::keys::random_uuid();
        let sql = "insert into auth.users (id, email) values ($1, $2)";
        client.execute(sql, &[&id, &format!("audited{n}@people.test")]).await.expect("a person");
        people.push(id);
    }
    let fund = "select ledger.post('adjustment', 'GNF', array[
            row(ledger.platform_account('provider_clearing', 'GNF'), -10000)::ledger.leg,
            row(ledger.wallet_for($1, 'GNF'), 10000)::ledger.leg], 'test_funds', gen_random_uuid()::text, 10000)";
    client.query_one(fund, &[&people[0]]).await.expect("funds");
    let pass = "select ledger.post('transfer', 'GNF', array[row(ledger.wallet_for($1, 'GNF'), -500)::ledger.leg,
            row(ledger.wallet_for($2, 'GNF'), 500)::ledger.leg], null, null, 500)";
    for _ in 0..3 {
        client.query_one(pass, &[&people[0], &people[1]]).await.expect("a transfer");
    }
    past_every_trigger(&client, "update ledger.transactions set created_at = created_at - interval '1 day'").await;
    past_every_trigger(&client, "update ledger.entries set created_at = created_at - interval '1 day'").await;
    // The grace of ten minutes would let a test that runs after midnight wait.
    client.execute("update core.settings set value = 0 where key = 'seal_grace_s'", &[]).await.expect("a setting");
    let sealed: Value = client.query_one("select api.ledger_seal('{}')", &[]).await.expect("sealed").get(0);
    assert!(sealed["sealed"].as_i64().is_some_and(|days| days >= 1), "{sealed}");
    let head = sealed["head"].as_str().expect("a head").to_owned();
    (url, client, head)
}

async fn past_every_trigger(client: &Client, sql: &str) {
    let all = format!("begin; set local session_replication_role = replica; {sql}; commit");
    client.batch_execute(&all).await.expect("a superuser may");
}

async fn audited(url: &str, head: Option<&str>) -> (Value, Report) {
    let figures = audit::ask(url, head).await.expect("the database answers");
    let report = serde_json::from_value(figures.clone()).expect("a report");
    (figures, report)
}

async fn an_audit_of_good_books_names_its_figures_and_finds_nothing(w: &'static World) {
    let (url, _client, head) = yesterday(w).await;
    let (_, report) = audited(&url, Some(&head)).await;
    assert_eq!(report.verdict(), None);
    assert!(report.text().contains(&head), "{}", report.text());
}

async fn an_audit_finds_the_row_that_a_superuser_edited(w: &'static World) {
    let (url, client, _) = yesterday(w).await;
    let victim: Uuid = client
        .query_one("select id from ledger.transactions where type = 'transfer' order by created_at limit 1", &[])
        .await
        .expect("a transfer")
        .get(0);
    // Both legs and both balances, so that every sum is still right: only the chain can tell.
    let edit = format!(
        "update ledger.entries set amount = amount * 2 where transaction_id = '{victim}';
         update ledger.wallets w set balance = (select sum(e.amount) from ledger.entries e where e.account_id = w.id)"
    );
    past_every_trigger(&client, &edit).await;
    let books: Value = client.query_one("select ledger.check_books()", &[]).await.expect("books").get(0);
    assert_eq!(books["ok"], json!(true), "the sums alone do not see it");
    let (figures, report) = audited(&url, None).await;
    let sentence = report.verdict().unwrap_or_else(|| panic!("not found: {figures}"));
    assert!(sentence.contains(&victim.to_string()), "{sentence}");
}

async fn an_audit_finds_a_history_that_was_rewritten_whole_by_a_head_noted_elsewhere(w: &'static World) {
    let (url, client, head) = yesterday(w).await;
    let rewrite = "update ledger.transactions set description = 'never happened';
        delete from ledger.seals; delete from ledger.sealed_transactions";
    past_every_trigger(&client, rewrite).await;
    client.query_one("select api.ledger_seal('{}')", &[]).await.expect("sealed again");
    assert_eq!(audited(&url, None).await.1.verdict(), None, "the chain alone fits the new history");
    let sentence = audited(&url, Some(&head)).await.1.verdict();
    assert!(sentence.is_some_and(|sentence| sentence.contains("head")), "the head that was noted is gone");
}
