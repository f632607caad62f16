//! The cases: what is sent, and what must come back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use uuid::Uuid;
use xtask::keys;

use super::generate::Step;
use super::texts::{DEPOSIT, DEPOSIT_FEE};
use super::world::World;
use super::{Case, Turn, gateway};
use crate::stats::percentile;
use gateway::{Caller, Gateway};

/// Drivers who want one ride.
pub const CONTENDERS: usize = 8;
/// A turn is cut short when calls are so slow that it takes longer, but not below so many.
const LONGEST: Duration = Duration::from_secs(8);
const FEWEST: usize = 20;
/// Who are drawn from all of a step.
const PEOPLE: i64 = 3_000;
/// A transfer's, in GNF: the least that one may be.
const AMOUNT: i64 = 100;
/// Where one driver in twenty is.
const TOWN: (f64, f64) = (9.55, -13.65);

/// A driver, and where he was last.
struct Driver {
    user: Uuid,
    at: (f64, f64),
}

/// Who takes part, drawn by lot from all that there are.
pub struct Cast {
    people: Vec<Uuid>,
    pub merchant: Uuid,
    drivers: Vec<Driver>,
    open_payments: VecDeque<String>,
    /// In the middle of where the drivers are, and as far from it as a ride may begin.
    spread: f64,
    /// Of this run's keys, and the next number.
    run: Uuid,
    turn: usize,
}

impl Cast {
    pub async fn draw(world: &World, step: Step) -> Result<Self> {
        let (db, users) = (&world.db, i64::try_from(step.to)?);
        // Who neither drives nor is on a ride.
        let sql = "select md5('scale user ' || n)::uuid from (
            select distinct floor(random() * $1::bigint)::bigint as n from generate_series(1, $2::bigint * 2)) s
            where n % 10 not in (0, 5, 9) order by random() limit $2";
        let people = db.query(sql, &[&users, &PEOPLE]).await?.iter().map(|row| row.get(0)).collect();
        let merchant =
            db.query_one("select md5('scale user ' || $1::bigint)::uuid", &[&i64::try_from(step.merchant())?]).await?;
        let sql =
            "select d.user_id, p.lat, p.lng from taxi.drivers d join taxi.driver_positions p on p.driver_id = d.id
            order by random() limit $1";
        let drivers = db.query(sql, &[&(PEOPLE * 2)]).await?;
        let drivers = drivers.iter().map(|row| Driver { user: row.get(0), at: (row.get(1), row.get(2)) }).collect();
        let open = "select provider_payment_id from payments.payments where status = 'pending' order by random()";
        let open_payments = db.query(open, &[]).await?.iter().map(|row| row.get(0)).collect();
        let spread = "select (max(lat) - min(lat)) / 4 from taxi.driver_positions where lat between 7 and 13
            and not (lat between 9.4 and 9.7 and lng < -13)";
        let spread = db.query_one(spread, &[]).await?.get(0);
        Ok(Self {
            people,
            merchant: merchant.get(0),
            drivers,
            open_payments,
            spread,
            run: keys::random_uuid(),
            turn: 0,
        })
    }

    fn person(&self, after: usize) -> Uuid {
        self.people[(self.turn + after) % self.people.len()]
    }

    /// Somewhere among the drivers, by the run's number; far from the edge of where they are.
    fn pickup(&self, case: Case) -> (f64, f64) {
        if case == Case::NearestTown {
            return TOWN;
        }
        let share = |step: f64| {
            (f64::from(u32::try_from(self.turn % 1_000_000).unwrap_or_default()) * step).fract() * 2.0 - 1.0
        };
        (9.935 + self.spread * share(0.618_034), -11.38 + self.spread * share(0.754_878))
    }
}

/// One session, and as many for those who contend.
pub struct Load {
    gateway: Gateway,
    contenders: Vec<Gateway>,
}

impl Load {
    pub async fn open(login: &str) -> Result<Self> {
        let mut contenders = Vec::with_capacity(CONTENDERS);
        for _ in 0..CONTENDERS {
            contenders.push(Gateway::open(login).await?);
        }
        Ok(Self { gateway: Gateway::open(login).await?, contenders })
    }

    /// So many calls one after the other, and what they cost. What is done only to make the next call possible is not counted.
    pub async fn turn(&mut self, case: Case, count: usize, world: &mut World, cast: &mut Cast) -> Result<Turn> {
        let (mut took, mut cpu, begun) = (Vec::with_capacity(count), Duration::ZERO, Instant::now());
        let wants_more = |done: usize| done < FEWEST || (done < count && begun.elapsed() < LONGEST);
        if !case.is_ride() {
            let before = world.cpu()?;
            while wants_more(took.len()) {
                cast.turn += 1;
                took.push(self.once(case, world, cast).await.with_context(|| case.name())?);
            }
            cpu = world.cpu()?.saturating_sub(before);
        }
        while case.is_ride() && wants_more(took.len()) {
            cast.turn += 1;
            world.keep_moving().await?;
            let ridden = self.ride(case, world, cast).await.with_context(|| case.name())?;
            took.extend(ridden.0);
            cpu += ridden.1;
        }
        Ok(turn(took, cpu))
    }

    async fn once(&mut self, case: Case, world: &mut World, cast: &mut Cast) -> Result<Duration> {
        match case {
            Case::Transfer => {
                let ask = json!({ "operation": "transfer", "amount": AMOUNT, "currency": "GNF", "recipient_id": cast.person(1),
                    "idempotency_key": format!("{}-{}", cast.run, cast.turn) });
                let took = self.succeed(Caller::User(cast.person(0)), "wallet_operations", &ask).await?.1;
                world.answered(1, 0);
                Ok(took)
            }
            Case::History | Case::HistoryOfMany => {
                let is_merchant = case == Case::HistoryOfMany;
                let (lines, took) =
                    self.gateway.history(if is_merchant { cast.merchant } else { cast.person(0) }).await?;
                let expected = if is_merchant { 20..=20 } else { 5..=20 };
                ensure!(expected.contains(&lines.len()), "a page of {} lines", lines.len());
                ensure!(
                    lines.is_sorted_by_key(|line| std::cmp::Reverse(line["created_at"].to_string())),
                    "not newest first"
                );
                Ok(took)
            }
            Case::StatementOfMany => {
                let (body, took) =
                    self.succeed(Caller::User(cast.merchant), "wallet_statement", &json!({ "limit": 20 })).await?;
                ensure!(
                    body["lines"].as_array().is_some_and(|lines| lines.len() == 20),
                    "a page that is not full: {body}"
                );
                Ok(took)
            }
            Case::Webhook => {
                let took = self.webhook(cast).await?;
                world.answered(0, 1);
                Ok(took)
            }
            Case::Heartbeat => self.heartbeat(cast).await,
            Case::Search => {
                let (lat, lng) = cast.pickup(case);
                let ask = json!({ "distanceKm": 3, "durationMin": 8, "lat": lat, "lng": lng });
                Ok(self.succeed(Caller::User(cast.person(0)), "taxi_quote_fare", &ask).await?.1)
            }
            Case::Nearest | Case::NearestTown | Case::Accept => bail!("a ride is more than one call"),
        }
    }

    /// What moneroo-webhook asks: store the event; then, with the provider's answer, settle.
    async fn webhook(&mut self, cast: &mut Cast) -> Result<Duration> {
        let id = cast.open_payments.pop_front().context("no payment is open any more")?;
        let event = json!({ "provider": "moneroo", "dedupe_key": format!("{id}:payment.success"), "event": "payment.success",
            "subject": "payment", "provider_payment_id": id, "proof": null, "headers": { "content-type": "application/json" },
            "body": json!({ "event": "payment.success", "data": { "id": id, "status": "success" } }).to_string(), "known_event": true });
        let (stored, first) = self.succeed(Caller::Service, "payment_event", &event).await?;
        ensure!(stored["duplicate"] == false && stored["reference"].is_object(), "the event is not new: {stored}");
        let answer = json!({ "provider": "moneroo", "provider_payment_id": id, "status": "success", "amount": DEPOSIT + DEPOSIT_FEE,
            "currency": "GNF", "environment": "live", "expected_environment": "live", "refunded": null, "dispute": null,
            "as_of": stored["reference"]["as_of"], "intent": null });
        let (settled, second) = self.succeed(Caller::Service, "payment_settle", &answer).await?;
        ensure!(settled["outcome"] == "settled", "not settled: {settled}");
        Ok(first + second)
    }

    async fn heartbeat(&mut self, cast: &mut Cast) -> Result<Duration> {
        let number = cast.turn % cast.drivers.len();
        let step = if cast.turn.is_multiple_of(2) { 0.0001 } else { -0.0001 };
        let driver = &mut cast.drivers[number];
        driver.at = (driver.at.0 + step, driver.at.1 + step);
        let ask = json!({ "is_online": true, "lat": driver.at.0, "lng": driver.at.1, "heading": 90, "speed": 30 });
        Ok(self.gateway.call(Caller::User(driver.user), "taxi_driver_heartbeat", &ask).await?.success()?.1)
    }

    /// A ride is asked for, perhaps taken by one of those who were told, and cancelled.
    async fn ride(&mut self, case: Case, world: &World, cast: &Cast) -> Result<(Vec<Duration>, Duration)> {
        let (customer, (lat, lng)) = (Caller::User(cast.person(0)), cast.pickup(case));
        let ask = json!({ "pickup": { "lat": lat, "lng": lng }, "dropoff": { "lat": lat + 0.02, "lng": lng + 0.02 },
            "vehicleType": "moto", "idempotency_key": format!("{}-{}", cast.run, cast.turn) });
        let before = world.cpu()?;
        let (ride, asked) = self.succeed(customer, "taxi_request_ride", &ask).await?;
        let mut cpu = world.cpu()?.saturating_sub(before);
        let mut took = vec![asked];
        let told = ride["notifiedDrivers"].as_u64().unwrap_or_default();
        ensure!(told > 0 || case == Case::Accept, "nobody is near {lat}, {lng}");
        if case == Case::Accept {
            let drivers = told_about(world, &ride["rideId"]).await?;
            (took, cpu) = (Vec::new(), Duration::ZERO);
            if drivers.len() >= 2 {
                let before = world.cpu()?;
                took = self.contend(&drivers, &ride["rideId"]).await?;
                cpu = world.cpu()?.saturating_sub(before);
            }
        }
        let cancel = json!({ "rideId": ride["rideId"], "status": "cancelled", "reason": "measured" });
        self.succeed(customer, "taxi_update_ride_status", &cancel).await?;
        Ok((took, cpu))
    }

    /// Everybody at once. One wins; to the others it is gone, or being decided.
    async fn contend(&mut self, drivers: &[Uuid], ride: &Value) -> Result<Vec<Duration>> {
        let ask = json!({ "rideId": ride });
        let mut calls = tokio::task::JoinSet::new();
        for (gateway, driver) in self.contenders.drain(..).zip(drivers.iter().cycle()).take(CONTENDERS) {
            let (mut gateway, ask, caller) = (gateway, ask.clone(), Caller::User(*driver));
            let takes_part = calls.len() < drivers.len();
            calls.spawn(async move {
                let answer = if takes_part { Some(gateway.call(caller, "taxi_accept_ride", &ask).await) } else { None };
                (gateway, answer)
            });
        }
        let (mut took, mut won) = (Vec::new(), 0);
        while let Some(done) = calls.join_next().await {
            let (gateway, answer) = done?;
            self.contenders.push(gateway);
            let Some(answer) = answer.transpose()? else { continue };
            match &answer.said {
                Ok(body) if body["success"] == true => won += 1,
                Err(code) if code == "ALREADY_ASSIGNED" || code == "LOCKED" => {}
                said => bail!("neither won nor lost: {said:?}"),
            }
            took.push(answer.took);
        }
        ensure!(won == 1, "{won} of {} drivers have the ride", drivers.len());
        Ok(took)
    }

    async fn succeed(&mut self, caller: Caller, rpc: &str, ask: &Value) -> Result<(Value, Duration)> {
        self.gateway.call(caller, rpc, ask).await?.success().with_context(|| rpc.to_owned())
    }
}

/// The nearest of those who got the offer.
async fn told_about(world: &World, ride: &Value) -> Result<Vec<Uuid>> {
    let ride: Uuid = ride.as_str().context("a ride has an id")?.parse()?;
    let sql = "select n.user_id from taxi.notifications n where n.ride_id = $1 and n.type = 'ride_offer' limit $2";
    let rows = world.db.query(sql, &[&ride, &i64::try_from(CONTENDERS)?]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[expect(clippy::cast_precision_loss, reason = "a turn has hundreds of calls, not 2^53")]
fn turn(mut took: Vec<Duration>, cpu: Duration) -> Turn {
    took.sort_unstable();
    Turn { p95_ms: percentile(&took, 95).as_secs_f64() * 1e3, pg_cpu_us: cpu.as_secs_f64() * 1e6 / took.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_its_95th_percentile_and_the_processor_time_of_one_call() {
        let took = (1..=100).rev().map(Duration::from_millis).collect();
        let Turn { p95_ms, pg_cpu_us } = turn(took, Duration::from_millis(50));
        assert!((p95_ms - 95.0).abs() < 1e-9 && (pg_cpu_us - 500.0).abs() < 1e-9);
    }
}
