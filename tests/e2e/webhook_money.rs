//! What a callback's money does: less, more, another currency, somebody else's, or none at all.

use serde_json::{Value, json};

use crate::sandbox::payment_id;
use crate::world::World;

crate::tests![another_currency_fulfils_nothing, amounts_are_read_however_the_provider_writes_them,];

/// The legs of what was posted for a payment, the largest debit first.
pub async fn legs(w: &World, id: &str) -> Value {
    let sql = "select coalesce(jsonb_agg(jsonb_build_array(a.kind, e.amount, e.currency) order by e.amount), '[]')
        from ledger.transactions t join ledger.entries e on e.transaction_id = t.id
        join ledger.accounts a on a.id = e.account_id
        where t.reference_id = (select p.id::text from payments.payments p where p.provider_payment_id = $1)";
    w.one(sql, &[&id]).await
}

async fn another_currency_fulfils_nothing(w: &'static World) {
    let fatou = w.person().await;
    let asked = fatou.deposit(100_000).await;
    let id = payment_id(&asked);
    w.order(&format!("payments/{id}/answer"), json!({ "currency": { "code": "XOF" } })).await;
    w.pays(&asked).await;
    let row = w.becomes(id, "success").await;
    assert_ne!(row["settlement"], "settled");
    assert_eq!((fatou.gnf().await, fatou.balance("XOF").await), (0, 0));
    assert_eq!(legs(w, id).await, json!([["provider_clearing", -100_500, "XOF"], ["suspense", 100_500, "XOF"]]));
}

async fn amounts_are_read_however_the_provider_writes_them(w: &'static World) {
    for (amount, settled) in [(json!(100_500.0), true), (json!(100_500.5), false), (json!(null), false)] {
        let fatou = w.person().await;
        let asked = fatou.deposit(100_000).await;
        let id = payment_id(&asked);
        w.order(&format!("payments/{id}/answer"), json!({ "amount": amount, "currency": "GNF" })).await;
        w.pays(&asked).await;
        if settled {
            w.becomes(id, "success").await;
        } else {
            w.sweeps(id).await;
        }
        assert_eq!(fatou.gnf().await, if settled { 100_000 } else { 0 }, "{amount}");
    }
}
