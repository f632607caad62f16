//! The demo story: sign up, top up by mobile money, ride, pay, check the books. Everything a person or a phone would
//! do goes through HTTP, and every figure is compared with what it must be.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::postgres;
use crate::stack::Stack;

mod back;
mod people;

use people::{Person, Wire, amount, integer, money};

const TOP_UP: i64 = 100_000;
const CURRENCY: &str = "GNF";

/// What the provider sends back, we wait for; never longer than this.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tells it, step by step; an error is the first figure that is not what it must be. Returns the customer's token, for
/// whoever wants to go on from there.
pub async fn tell(stack: &Stack) -> Result<String> {
    let db = postgres::connect(&stack.db_url).await?;
    let mut story = Story { stack, wire: Wire::new(&stack.api_url)?, db, step: 0 };
    println!("\nThe demo story, through {}\n", stack.api_url);
    let cast = story.sign_up().await?;
    story.top_up(&cast.customer).await?;
    let ride = story.request(&cast).await?;
    let driver = story.accept(&cast, &ride).await?;
    story.drive(driver, &ride).await?;
    story.pay(&cast.customer, driver, &ride).await?;
    let admin = Person::sign_up(stack, "Hadja", "Sylla").await?;
    admin.become_admin(&story.db).await?;
    story.refund(&cast, &admin, ride.price).await?;
    story.pay_out(driver, &admin, ride.driver_share).await?;
    story.go_home(&cast).await?;
    story.check_books().await?;
    Ok(cast.customer.token)
}

struct Story<'a> {
    stack: &'a Stack,
    wire: Wire,
    db: Client,
    step: u32,
}

struct Cast {
    customer: Person,
    drivers: [Person; 2],
}

struct Ride {
    id: String,
    price: i64,
    driver_share: i64,
    platform_fee: i64,
}

impl Story<'_> {
    fn say(&mut self, sentence: impl std::fmt::Display) {
        self.step += 1;
        println!("{:>3}. {sentence}", self.step);
    }

    async fn sign_up(&mut self) -> Result<Cast> {
        let customer = Person::sign_up(self.stack, "Aminata", "Diallo").await?;
        let drivers = [
            Person::sign_up(self.stack, "Mamadou", "Barry").await?,
            Person::sign_up(self.stack, "Ibrahima", "Camara").await?,
        ];
        for driver in &drivers {
            driver.become_driver(&self.db).await?;
        }
        self.say("Aminata signs up with supabase-js, signs out and in again; so do Mamadou and Ibrahima, whose papers are checked: they may drive.");
        Ok(Cast { customer, drivers })
    }

    async fn top_up(&mut self, customer: &Person) -> Result<()> {
        let ask = json!({ "operation": "deposit", "amount": TOP_UP, "currency": CURRENCY, "method": "orange_money" });
        let deposit = self.wire.call(customer, "wallet-operations", &ask, 202).await?;
        let (fee, total) = (integer(&deposit, "fee")?, integer(&deposit, "total")?);
        ensure!(total == TOP_UP + fee, "the checkout asks for {total}, which is not {TOP_UP} and the fee of {fee}");
        ensure!(integer(&deposit, "new_balance")? == 0, "a deposit that nobody has paid moved the balance: {deposit}");
        let checkout = deposit["checkout_url"].as_str().context("the deposit has no checkout_url")?.to_owned();
        self.say(format_args!(
            "Aminata asks for {} in her wallet; with the fee of {} she is to pay {}.",
            money(TOP_UP, CURRENCY),
            money(fee, CURRENCY),
            money(total, CURRENCY)
        ));
        self.wire.press_pay(&checkout, total).await?;
        let begun = Instant::now();
        self.until_balance(customer, TOP_UP, "the deposit").await?;
        self.say(format_args!(
            "She presses Pay on the provider's page; its signed webhook credits her after {:.1} s.",
            begun.elapsed().as_secs_f32()
        ));
        self.balance(customer, TOP_UP).await
    }

    async fn request(&mut self, cast: &Cast) -> Result<Ride> {
        for (driver, lat) in cast.drivers.iter().zip([9.5101, 9.5110]) {
            let here = json!({ "is_online": true, "lat": lat, "lng": -13.7130, "heading": 90, "speed": 0 });
            self.wire.call(driver, "taxi-driver-heartbeat", &here, 200).await?;
        }
        self.say("Mamadou and Ibrahima go online near the market.");
        let pickup = json!({ "lat": 9.5092, "lng": -13.7122, "address": "Marché Niger, Conakry" });
        let dropoff = json!({ "lat": 9.5480, "lng": -13.6780, "address": "Madina, Conakry" });
        let quote = json!({ "pickup": pickup, "dropoff": dropoff, "vehicleType": "moto" });
        let quote = self.wire.call(&cast.customer, "taxi-quote-fare", &quote, 200).await?;
        let (price, driver_share) = (integer(&quote, "total")?, integer(&quote, "driver_share")?);
        let platform_fee = integer(&quote, "platform_fee")?;
        ensure!(driver_share + platform_fee == price, "{driver_share} and {platform_fee} are not the price of {price}");
        self.say(format_args!(
            "Aminata asks what a ride to Madina costs: {}, of which the driver gets {}.",
            money(price, CURRENCY),
            money(driver_share, CURRENCY)
        ));
        let ask = json!({ "pickup": pickup, "dropoff": dropoff, "vehicleType": "moto", "quoteId": quote["quote_id"] });
        let asked = self.wire.call(&cast.customer, "taxi-request-ride", &ask, 201).await?;
        let id = asked["rideId"].as_str().context("the ride has no id")?.to_owned();
        let (frozen, notified) = (integer(&asked["fare"], "total")?, integer(&asked, "notifiedDrivers")?);
        ensure!(frozen == price, "the quote was {price}, the ride costs {frozen}");
        ensure!(notified >= 2, "{notified} drivers were told of the ride; two are next to it");
        self.say(format_args!("She requests it at that price; {notified} drivers are told."));
        Ok(Ride { id, price, driver_share, platform_fee })
    }

    /// Both at the same moment: the database lets one win.
    async fn accept<'c>(&mut self, cast: &'c Cast, ride: &Ride) -> Result<&'c Person> {
        let ask = json!({ "rideId": ride.id });
        let [one, two] = &cast.drivers;
        let (first, second) = tokio::try_join!(
            self.wire.send(one, "taxi-accept-ride", &ask),
            self.wire.send(two, "taxi-accept-ride", &ask)
        )?;
        let (winner, loser, refusal) = match (first.0, second.0) {
            (200, 409) => (one, two, second.1),
            (409, 200) => (two, one, first.1),
            _ => bail!("two drivers accepted at once; expected a 200 and a 409, got {first:?} and {second:?}"),
        };
        ensure!(refusal["code"] == "ALREADY_ASSIGNED", "the other driver was refused for another reason: {refusal}");
        self.say(format_args!(
            "Both accept in the same instant: {} gets the ride (200), {} is told it is gone (409).",
            winner.name, loser.name
        ));
        Ok(winner)
    }

    async fn drive(&mut self, driver: &Person, ride: &Ride) -> Result<()> {
        for status in ["arriving", "picked_up", "in_progress", "completed"] {
            let ask = json!({ "rideId": ride.id, "status": status });
            let answer = self.wire.call(driver, "taxi-update-ride-status", &ask, 200).await?;
            ensure!(answer["ride"]["status"] == status, "the ride should be {status}: {answer}");
        }
        self.say(format_args!("{} arrives, picks her up, drives and completes the ride.", driver.name));
        Ok(())
    }

    async fn pay(&mut self, customer: &Person, driver: &Person, ride: &Ride) -> Result<()> {
        let ask = json!({ "rideId": ride.id, "paymentMethod": "wallet", "idempotencyKey": ride.id });
        let paid = self.wire.call(customer, "taxi-payment", &ask, 200).await?;
        let transaction = &paid["transaction"];
        ensure!(integer(transaction, "amount")? == ride.price, "another amount than the price was paid: {paid}");
        ensure!(transaction["status"] == "completed", "the payment is not completed: {paid}");
        self.say(format_args!(
            "Aminata pays {} from her wallet: {} for {}, {} for the platform.",
            money(ride.price, CURRENCY),
            money(ride.driver_share, CURRENCY),
            driver.name,
            money(ride.platform_fee, CURRENCY)
        ));
        self.balance(customer, TOP_UP - ride.price).await?;
        self.balance(driver, ride.driver_share).await?;
        // Sent twice, as a phone on a bad line does.
        let again = self.wire.call(customer, "taxi-payment", &ask, 200).await?;
        ensure!(
            again["transaction"]["id"] == transaction["id"],
            "the same payment, sent again, is another one: {again}"
        );
        self.say("Her phone sends the payment a second time: the same answer, and nothing moves.");
        self.balance(customer, TOP_UP - ride.price).await
    }

    /// Nobody in this story should be offered rides of the next.
    async fn go_home(&mut self, cast: &Cast) -> Result<()> {
        for driver in &cast.drivers {
            let here = json!({ "is_online": false, "lat": 9.5101, "lng": -13.7130 });
            self.wire.call(driver, "taxi-driver-heartbeat", &here, 200).await?;
        }
        Ok(())
    }

    /// The whole ledger, not only what happened here.
    async fn check_books(&mut self) -> Result<()> {
        let row = self.db.query_one("select ledger.check_books()", &[]).await;
        let books: Value = row.map_err(|error| anyhow::anyhow!("{}", postgres::causes(&error)))?.get(0);
        self.say("The ledger checks itself.");
        let currencies = books["currencies"].as_array().cloned().unwrap_or_default();
        for sum in &currencies {
            let (currency, sum) = (sum["currency"].as_str().unwrap_or("?"), integer(sum, "sum")?);
            println!("       all entries in {currency} add up to {sum}");
        }
        let broken = integer(&books, "broken_balances")?;
        println!("       balances that differ from their entries: {broken}");
        ensure!(books["ok"] == true && broken == 0, "the books do not balance: {books}");
        ensure!(
            currencies.iter().any(|sum| sum["currency"] == CURRENCY),
            "the ledger has no entry in {CURRENCY}: {books}"
        );
        println!("\nEvery step held.");
        Ok(())
    }

    async fn balance(&self, person: &Person, expected: i64) -> Result<()> {
        let balance = self.wire.balance(person, CURRENCY).await?;
        println!("       {:<12} {:>16}", person.name, money(balance, CURRENCY));
        ensure!(balance == expected, "{} should have {}, not {}", person.name, amount(expected), amount(balance));
        Ok(())
    }
}

impl Wire {
    /// What a customer does in the browser: opens the page, reads the amount, presses Pay.
    async fn press_pay(&self, checkout: &str, total: i64) -> Result<()> {
        let page = self.text(Method::GET, checkout).await?;
        let shown = format!("data-amount=\"{total}\"");
        ensure!(page.contains(&shown), "the checkout page does not ask for {total}: {page}");
        let action = people::form_action(&page, "pay").context("the checkout page has no form to pay with")?;
        let target = reqwest::Url::parse(checkout)?.join(&action)?;
        let after = self.text(Method::POST, target.as_str()).await?;
        ensure!(after.contains("data-status=\"success\""), "Pay was pressed, and the page says: {after}");
        Ok(())
    }
}
