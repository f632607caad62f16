//! Subject `rows`: what one transfer leaves, in one statement that asks nothing, with values that its client worked out before.

use anyhow::Result;
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row, Statement, Transaction};
use uuid::Uuid;
use xtask::keys;

use super::AMOUNT;
use super::books::Books;

/// As `ledger.post` reads what was spent today and this month.
const PURSES: &str = "select w.id, w.user_id, w.balance, w.sent_count, w.sent_total,
    case when w.spent_on >= d.today then w.spent_today else 0 end,
    case when w.spent_on >= date_trunc('month', d.today)::date then w.spent_month else 0 end
    from ledger.wallets w, (select (now() at time zone 'UTC')::date as today) d where w.currency = 'GNF' order by w.user_id";

/// A wallet as a client knows it without asking: where nothing is contended, nobody else pays into it or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Purse {
    wallet: Uuid,
    owner: Uuid,
    balance: i64,
    sent_count: i64,
    sent_total: i64,
    spent_today: i64,
    spent_month: i64,
}

#[derive(Clone, Debug)]
pub struct Known {
    fee: i64,
    fees: Uuid,
    /// By number, as the accounts.
    purses: Vec<Purse>,
}

impl Known {
    pub async fn read(books: &Books) -> Result<Self> {
        let sql = "select ledger.transfer_fee(t, t.currency, $1::bigint) from ledger.terms t where t.currency = 'GNF'";
        let fee = books.db.query_one(sql, &[&AMOUNT]).await?.get(0);
        let rows = books.db.query(PURSES, &[]).await?;
        let purse = |row: &Row| Purse {
            wallet: row.get(0),
            owner: row.get(1),
            balance: row.get(2),
            sent_count: row.get(3),
            sent_total: row.get(4),
            spent_today: row.get(5),
            spent_month: row.get(6),
        };
        Ok(Self { fee, fees: books.fees, purses: rows.iter().map(purse).collect() })
    }

    /// Both as they are afterwards.
    fn pay(&mut self, payer: usize, payee: usize) -> (Purse, Purse) {
        let from = &mut self.purses[payer];
        from.balance -= AMOUNT + self.fee;
        from.sent_count += 1;
        for sum in [&mut from.sent_total, &mut from.spent_today, &mut from.spent_month] {
            *sum += AMOUNT;
        }
        self.purses[payee].balance += AMOUNT;
        (self.purses[payer], self.purses[payee])
    }

    /// What a transfer to somebody who was paid before leaves, table by table.
    pub fn sql(&self) -> String {
        let Self { fee, fees, .. } = self;
        format!(
            "with payer as (
                update ledger.wallets w set balance = $6::bigint, spent_on = (now() at time zone 'UTC')::date,
                    spent_today = $8::bigint, spent_month = $9::bigint, sent_count = $10::bigint, sent_total = $11::bigint
                 where w.id = $1
            ), payee as (
                update ledger.wallets w set balance = $7::bigint where w.id = $2
            ), booked as (
                insert into ledger.transactions (id, type, sender_wallet_id, receiver_wallet_id, sender_user_id,
                    receiver_user_id, amount, fee, currency, initiator_id, request_id, created_at, sent_count, sent_total)
                values ($5, 'transfer', $1, $2, $3, $4, {AMOUNT}, {fee}, 'GNF', $3, $12, now(), $10, $11)
            ), moved as (
                insert into ledger.entries (created_at, transaction_id, leg, account_id, user_id, currency, amount, balance_after)
                values (now(), $5, 1, $1, $3, 'GNF', -{AMOUNT} - {fee}, $6), (now(), $5, 2, $2, $4, 'GNF', {AMOUNT}, $7),
                    (now(), $5, 3, '{fees}', null, 'GNF', {fee}, null)
            ), scored as (
                insert into ledger.fraud_detection_logs (id, user_id, recipient_id, amount, score, level, flags, decision,
                    request_id)
                values ($5, $3, $2, {AMOUNT}, 0, 'low', '{{}}', 'allow', $12)
            ), logged as (
                insert into ledger.wallet_logs (id, actor_id, operation, currency, amount, outcome, request_id)
                values ($5, $3, 'transfer', 'GNF', {AMOUNT}, 'ok', $12)
            ), told as (
                insert into core.outbox (id, channel, payload, dedupe_key) values ($5, 'push', $13, $14)
            )
            insert into core.idempotency_keys (caller, function, key, fingerprint, status, body)
            values ($3, 'wallet-operations', $15, $16, 200, $17)"
        )
    }

    pub async fn write(
        &mut self,
        transaction: &Transaction<'_>,
        statement: &Statement,
        (payer, payee): (usize, usize),
        request: &str,
        key: &str,
    ) -> Result<u64, Error> {
        let (from, to) = self.pay(payer, payee);
        let id = keys::random_uuid();
        let push = json!({ "type": "transfer_received", "user_id": to.owner, "amount": AMOUNT, "currency": "GNF" });
        let body = self.answer(id, from.balance);
        let told = format!("transfer_received:{id}");
        // As long as a digest; nobody sends these asks again.
        let fingerprint = rand::random::<[u8; 32]>().to_vec();
        let values: [&(dyn ToSql + Sync); 17] = [
            &from.wallet,
            &to.wallet,
            &from.owner,
            &to.owner,
            &id,
            &from.balance,
            &to.balance,
            &from.spent_today,
            &from.spent_month,
            &from.sent_count,
            &from.sent_total,
            &request,
            &push,
            &told,
            &key,
            &fingerprint,
            &body,
        ];
        transaction.execute(statement, &values).await
    }

    /// As it is remembered for whoever asks again.
    fn answer(&self, id: Uuid, balance: i64) -> Value {
        let code: String = id.simple().to_string().to_uppercase().chars().take(12).collect();
        json!({ "success": true, "operation": "transfer", "new_balance": balance, "transaction_id": id,
            "transfer_code": format!("TRF-{code}"), "amount": AMOUNT, "fee": self.fee, "total": AMOUNT + self.fee,
            "currency": "GNF" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let purse = |number| Purse {
            wallet: Uuid::from_u128(number),
            owner: Uuid::from_u128(number + 100),
            balance: 1000,
            sent_count: 3,
            sent_total: 500,
            spent_today: 200,
            spent_month: 400,
        };
        Known { fee: 1, fees: Uuid::from_u128(99), purses: (0..3).map(purse).collect() }
    }

    #[test]
    fn a_payment_moves_what_is_known_as_the_ledger_moves_it() {
        let (before, mut after) = (known(), known());
        let (from, to) = after.pay(2, 0);
        let spent = (from.sent_count, from.sent_total, from.spent_today, from.spent_month);
        assert_eq!((from.balance, to.balance, spent), (899, 1100, (4, 600, 300, 500)));
        assert_eq!((from, to, before.purses[1]), (after.purses[2], after.purses[0], after.purses[1]));
        assert_eq!(Purse { balance: 1000, ..to }, before.purses[0]);
    }

    #[test]
    fn the_statement_is_one_and_asks_nothing() {
        let sql = known().sql();
        assert!(!sql.contains("select") && !sql.contains(';'), "{sql}");
        assert!(sql.contains("'00000000-0000-0000-0000-000000000063', null, 'GNF', 1, null)"), "{sql}");
        assert!((1..=17).all(|n| sql.contains(&format!("${n}"))) && !sql.contains("$18"), "{sql}");
    }

    #[test]
    fn what_is_remembered_is_what_a_transfer_answers() {
        let answer = known().answer(Uuid::from_u128(0x48f3_de99_5911_4d5d_8845_26a5_0c11_7a83), 899);
        let expected = json!({ "fee": 1, "total": 101, "amount": 100, "success": true, "currency": "GNF",
            "operation": "transfer", "new_balance": 899, "transfer_code": "TRF-48F3DE995911",
            "transaction_id": "48f3de99-5911-4d5d-8845-26a50c117a83" });
        assert_eq!(answer, expected);
    }
}
