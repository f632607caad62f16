//! Money on its way back: a card payment that is refunded, a driver who is paid out.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::people::{Person, integer, money};
use super::{CURRENCY, Cast, PATIENCE, Story, TOP_UP};
use crate::keys;

const BY_CARD: i64 = 50_000;
const WITHDRAWN: i64 = 5_000;

impl Story<'_> {
    /// A top-up by card, refunded to the card by an admin: the wallet is debited first, the provider sends the rest.
    pub(super) async fn refund(&mut self, cast: &Cast, admin: &Person, price: i64) -> Result<()> {
        let customer = &cast.customer;
        let ask = json!({ "purpose": "wallet_deposit", "amount": BY_CARD, "currency": CURRENCY, "provider": "stripe" });
        let payment = self.wire.call(customer, "moneroo-initialize-payment", &ask, 201).await?;
        let total = integer(&payment, "total")?;
        ensure!(payment["client_secret"].is_string(), "a card payment has no client_secret: {payment}");
        let page = payment["checkout_url"].as_str().context("the card payment has no page")?;
        self.wire.press_pay(page, total).await?;
        self.until_balance(customer, TOP_UP - price + BY_CARD, "the card payment").await?;
        self.say(format_args!("Aminata pays {} by card into her wallet, on the card page.", money(total, CURRENCY)));
        self.balance(customer, TOP_UP - price + BY_CARD).await?;

        let ask = json!({ "payment_id": payment["payment_id"], "reason": "paid by mistake", "destination": "original",
                          "idempotency_key": keys::random_uuid() });
        let refund = self.wire.call(admin, "payment-refund", &ask, 201).await?;
        ensure!(integer(&refund["refund"], "amount")? == total, "the whole payment was to be refunded: {refund}");
        let again = self.wire.call(admin, "payment-refund", &ask, 201).await?;
        ensure!(
            again["refund"]["id"] == refund["refund"]["id"],
            "the same refund, sent again, is another one: {again}"
        );
        self.wire.tick("payout-process").await?;
        self.until_status(customer, "moneroo_payments", "refunded").await?;
        self.say(format_args!(
            "An admin refunds it: {} go back to the card, once, and the provider confirms.",
            money(total, CURRENCY)
        ));
        self.balance(customer, TOP_UP - price).await
    }

    /// No provider pays out in Guinea today, so the payout waits for an admin, who sends it and gives the reference.
    pub(super) async fn pay_out(&mut self, driver: &Person, admin: &Person, share: i64) -> Result<()> {
        let ask = json!({ "operation": "withdraw", "amount": WITHDRAWN, "currency": CURRENCY, "method": "orange_money",
                          "phone": "224620000001", "idempotency_key": keys::random_uuid() });
        let asked = self.wire.call(driver, "wallet-operations", &ask, 202).await?;
        let fee = integer(&asked, "fee")?;
        self.say(format_args!(
            "{} withdraws {} to Orange Money; the fee is {}.",
            driver.name,
            money(WITHDRAWN, CURRENCY),
            money(fee, CURRENCY)
        ));
        self.balance(driver, share - WITHDRAWN - fee).await?;
        self.wire.tick("payout-process").await?;
        let payout = self.until_status(driver, "payouts", "manual").await?;
        let ask = json!({ "action": "settle_payout", "payout_id": payout["id"], "result": "completed",
                          "provider_reference": "OM-2026-000001", "reason": "sent by hand" });
        self.wire.call(admin, "wallet-admin", &ask, 200).await?;
        self.until_status(driver, "payouts", "completed").await?;
        self.say("No provider pays out in Guinea yet: an admin sends it by hand and books it with its reference.");
        self.balance(driver, share - WITHDRAWN - fee).await
    }

    pub(super) async fn until_balance(&self, who: &Person, expected: i64, what: &str) -> Result<()> {
        let begun = Instant::now();
        while self.wire.balance(who, CURRENCY).await? != expected {
            ensure!(begun.elapsed() < PATIENCE, "{what} did not reach the wallet in {PATIENCE:?}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// The caller's newest row of a view, once it says so.
    async fn until_status(&self, who: &Person, view: &str, status: &str) -> Result<Value> {
        let begun = Instant::now();
        loop {
            let row = self.wire.newest(who, view).await?;
            if row["status"] == status {
                return Ok(row);
            }
            ensure!(begun.elapsed() < PATIENCE, "{view} should say {status}, not {row}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}
