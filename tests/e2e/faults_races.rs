//! Known faults, section B of contracts/faults.md: races and state machines. One test per fault, named after it.
//!
//! Numbers, clocks and notices (F62, F66, F69, F71, F74): faults_clocks.rs.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::people::{Driver, away, point};
use crate::world::World;

crate::tests![
    f50_of_sixty_four_drivers_one_wins_a_ride,
    f51_a_driver_wins_one_of_two_rides,
    f52_no_lock_outlives_an_accept,
    f53_concurrent_refusals_are_all_kept,
    f54_a_ride_is_paid_once_under_any_keys,
    f55_a_stranger_pays_and_confirms_nothing,
    f56_the_whole_price_is_debited_and_the_share_goes_to_the_drivers_user,
    f57_a_payment_that_fails_half_way_is_no_payment,
    f58_states_and_prices_are_nobodys_to_write,
    f59_price_and_shares_are_frozen_by_the_server,
    f60_a_ride_without_a_driver_ends,
    f79_an_idempotency_key_lives_and_dies_with_its_effect,
    f80_the_same_key_with_another_body_is_refused,
    f81_a_key_of_one_person_says_nothing_to_another,
];

pub async fn drivers(w: &'static World, count: usize, at: (f64, f64)) -> Vec<Driver> {
    join_all((0..count).map(|_| w.driver_at(at))).await
}

async fn f50_of_sixty_four_drivers_one_wins_a_ride(w: &'static World) {
    let scene = w.scene().await;
    let fleet = drivers(w, 64, scene.at).await;
    let ask = json!({ "pickup": point(scene.at), "dropoff": point(away(scene.at)) });
    let ride = scene.rider.call("taxi-request-ride", ask).await.ok(201)["rideId"].as_str().expect("an id").to_owned();
    let replies = join_all(fleet.iter().map(|driver| driver.accept(&ride))).await;
    let winners: Vec<usize> = (0..64).filter(|n| replies[*n].status == 200).collect();
    let losers = replies.iter().filter(|reply| reply.is_refusal(409, "ALREADY_ASSIGNED")).count();
    assert_eq!((winners.len(), losers), (1, 63), "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
    let winner = &fleet[winners[0]];
    let assigned: uuid::Uuid = w.one("select driver_id from taxi.trips where id::text = $1", &[&ride]).await;
    assert_eq!(assigned, winner.row);
    let ids: Vec<uuid::Uuid> = fleet.iter().map(|driver| driver.row).collect();
    let on_trip: i64 =
        w.one("select count(*) from taxi.drivers where id = any ($1) and status = 'on_trip'", &[&ids]).await;
    let sql = "select count(*) from taxi.audit_logs where ride_id::text = $1 and to_status = 'accepted'";
    assert_eq!((on_trip, w.one::<i64>(sql, &[&ride]).await), (1, 1), "one driver on trip, one audit line");
    let again = winner.accept(&ride).await;
    assert_eq!(again.ok(200), &replies[winners[0]].body, "the winner's retry gets the same answer");
}

async fn f51_a_driver_wins_one_of_two_rides(w: &'static World) {
    for _ in 0..4 {
        let (one, two) = (w.scene().await, w.scene().await);
        let driver = w.driver_at(one.at).await;
        let ask = json!({ "pickup": point(one.at), "dropoff": point(away(one.at)) });
        let mut rides = Vec::new();
        for rider in [&one.rider, &two.rider] {
            let reply = rider.call("taxi-request-ride", ask.clone()).await;
            rides.push(reply.ok(201)["rideId"].as_str().expect("an id").to_owned());
        }
        let (first, second) = tokio::join!(driver.accept(&rides[0]), driver.accept(&rides[1]));
        let lost = [&first, &second].iter().filter(|reply| reply.is_refusal(409, "DRIVER_NOT_AVAILABLE")).count();
        assert_eq!((first.status.min(second.status), lost), (200, 1), "{first} and {second}");
        let held: i64 = w.one("select count(*) from taxi.trips where driver_id = $1", &[&driver.row]).await;
        let waiting: i64 = w
            .one("select count(*) from taxi.trips where id::text = any ($1) and status = 'requested'", &[&rides])
            .await;
        assert_eq!((held, waiting), (1, 1), "the other ride still waits for somebody");
    }
}

async fn f52_no_lock_outlives_an_accept(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.requested().await;
    scene.rival.accept(&ride).await.refused(409, "DRIVER_NOT_AVAILABLE");
    let started = std::time::Instant::now();
    scene.driver.accept(&ride).await.ok(200);
    assert!(started.elapsed().as_secs() < 10, "a loser's lock was waited for: {:?}", started.elapsed());
    let sql = "select count(*) from (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('api', 'core', 'people', 'ledger', 'payments', 'taxi')
        group by n.nspname, p.proname having count(*) > 1) overloads";
    assert_eq!(w.one::<i64>(sql, &[]).await, 0, "one function per name: an overload makes a call ambiguous");
}

async fn f53_concurrent_refusals_are_all_kept(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.requested().await;
    let fleet = drivers(w, 12, scene.at).await;
    let refuse = json!({ "rideId": ride });
    for reply in join_all(fleet.iter().map(|driver| driver.call("taxi-refuse-ride", refuse.clone()))).await {
        reply.ok(200);
    }
    let kept: i64 = w.one("select count(*) from taxi.declines where ride_id::text = $1", &[&ride]).await;
    assert_eq!(kept, 12);
    let for_another = json!({ "rideId": ride, "driverId": scene.driver.row });
    fleet[0].call("taxi-refuse-ride", for_another).await.refused(403, "IDENTITY_MISMATCH");
    scene.rider.call("taxi-refuse-ride", refuse.clone()).await.refused(403, "FORBIDDEN");
    scene.driver.accept(&ride).await.ok(200);
    fleet[1].call("taxi-refuse-ride", refuse).await.refused(409, "RIDE_NOT_OPEN");
    let kept: i64 = w.one("select count(*) from taxi.declines where ride_id::text = $1", &[&ride]).await;
    assert_eq!(kept, 12);
}

async fn f54_a_ride_is_paid_once_under_any_keys(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.completed().await;
    let price = scene.price(&ride).await;
    let pay = async |ride: &str, method: &str, key: &str| {
        let ask = json!({ "rideId": ride, "paymentMethod": method, "idempotencyKey": key });
        scene.rider.call("taxi-payment", ask).await
    };
    let first = pay(&ride, "wallet", "key-number-one").await;
    let second = pay(&ride, "wallet", "key-number-two").await;
    assert_eq!(first.ok(200)["transaction"]["id"], second.ok(200)["transaction"]["id"]);
    assert_eq!(scene.rider.gnf().await, 500_000 - price);
    let next = scene.completed().await;
    pay(&next, "wallet", "key-number-one").await.refused(422, "IDEMPOTENCY_MISMATCH");
    pay(&next, "cash", "key-number-one").await.refused(422, "IDEMPOTENCY_MISMATCH");
    let paid: i64 = w.one("select count(*) from taxi.transactions where ride_id::text = $1", &[&next]).await;
    assert_eq!((paid, scene.rider.gnf().await), (0, 500_000 - price), "the key of one ride pays no other");
}

async fn f55_a_stranger_pays_and_confirms_nothing(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.completed().await;
    scene.rival.fund(500_000, "GNF").await;
    let ask = |confirm: bool| json!({ "rideId": ride, "paymentMethod": if confirm { "cash" } else { "wallet" }, "confirm": confirm });
    scene.rival.call("taxi-payment", ask(false)).await.refused(404, "NOT_FOUND");
    scene.pay(&ride, "cash").await.ok(200);
    scene.rival.call("taxi-payment", ask(true)).await.refused(404, "NOT_FOUND");
    scene.rider.call("taxi-payment", ask(true)).await.refused(403, "FORBIDDEN");
    let paid: String = w.one("select payment_status from taxi.trips where id::text = $1", &[&ride]).await;
    assert_eq!((paid.as_str(), scene.rival.gnf().await, scene.rider.gnf().await), ("pending", 500_000, 500_000));
    scene.driver.call("taxi-payment", ask(true)).await.ok(200);
}

async fn f56_the_whole_price_is_debited_and_the_share_goes_to_the_drivers_user(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.completed().await;
    let paid = scene.pay(&ride, "wallet").await;
    let transaction = &paid.ok(200)["transaction"];
    let part = |name: &str| transaction[name].as_i64().unwrap_or_else(|| panic!("{name} in {paid}"));
    assert_eq!(part("driver_share") + part("platform_fee"), part("amount"));
    assert_eq!(scene.rider.gnf().await, 500_000 - part("amount"), "not only the share");
    assert_eq!(scene.driver.gnf().await, part("driver_share"));
    let lost: i64 = w.one("select count(*) from ledger.wallets where user_id = $1", &[&scene.driver.row]).await;
    assert_eq!(lost, 0, "the row of a driver is no user");
}

async fn f57_a_payment_that_fails_half_way_is_no_payment(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.completed().await;
    let driver = scene.driver.wallet("GNF").await;
    for (table, condition) in [
        ("taxi.transactions", format!("new.ride_id = '{ride}'")),
        ("taxi.trips", format!("new.id = '{ride}' and new.payment_status = 'paid'")),
        ("taxi.notifications", format!("new.ride_id = '{ride}' and new.type = 'payment_received'")),
        ("ledger.entries", format!("new.account_id = '{driver}'")),
    ] {
        let reply = w.sabotaged(table, &condition, async || scene.pay(&ride, "wallet").await).await;
        reply.refused(500, "INTERNAL");
        assert_eq!((scene.rider.gnf().await, scene.driver.gnf().await), (500_000, 0), "{table}");
    }
    let paid = scene.pay(&ride, "wallet").await;
    assert_eq!((paid.ok(200).get("duplicate"), scene.rider.gnf().await), (None, 500_000 - scene.price(&ride).await));
}

async fn f58_states_and_prices_are_nobodys_to_write(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let before: Value = w.one("select to_jsonb(t) from taxi.trips t where id::text = $1", &[&ride]).await;
    for who in [&scene.rider, &scene.driver.person] {
        for change in [json!({ "status": "completed" }), json!({ "price_total": 1 }), json!({ "driver_share": 9_000 })]
        {
            let call = w.rest(reqwest::Method::PATCH, &format!("taxi_trips?id=eq.{ride}"), &who.token);
            let reply = call.json(&change).send().await;
            assert!((400..500).contains(&reply.status), "{change}: {reply}");
        }
    }
    let ask = json!({ "rideId": ride, "status": "picked_up", "price_total": 1, "driver_id": scene.rival.row, "driver_share": 0 });
    scene.driver.call("taxi-update-ride-status", ask).await.ok(200);
    let after: Value = w.one("select to_jsonb(t) from taxi.trips t where id::text = $1", &[&ride]).await;
    for column in ["price_total", "driver_share", "platform_fee", "driver_id", "customer_id", "currency"] {
        assert_eq!(after[column], before[column], "{column}");
    }
    let client = w.connect().await.expect("Postgres answers");
    for change in ["status = 'requested'", "status = 'completed'", "price_total = price_total + 1"] {
        let sql = format!("update taxi.trips set {change} where id = '{ride}'");
        assert!(client.batch_execute(&sql).await.is_err(), "the owner of the table may {change}");
    }
}

async fn f59_price_and_shares_are_frozen_by_the_server(w: &'static World) {
    let scene = w.scene().await;
    scene.driver.online(scene.at).await;
    let ask = json!({ "pickup": point(scene.at), "dropoff": point(away(scene.at)), "estimatedPrice": 1, "price_total": 1,
                      "distanceKm": 0.001, "durationMin": 0, "driver_share": 1, "surge_pct": 1, "currency": "XOF" });
    let reply = scene.rider.call("taxi-request-ride", ask).await;
    let ride = reply.ok(201)["rideId"].as_str().expect("an id").to_owned();
    let sql = "select jsonb_build_array(price_total, driver_share, platform_fee, currency) from taxi.trips where id::text = $1";
    let frozen: Value = w.one(sql, &[&ride]).await;
    let fare = &reply.body["fare"];
    assert_eq!(frozen, json!([fare["total"], fare["driver_share"], fare["platform_fee"], "GNF"]));
    assert!(frozen[0].as_i64() >= Some(7_000), "{frozen}");
    scene.driver.accept(&ride).await.ok(200);
    scene.driven(&ride, "completed").await;
    assert_eq!(w.one::<Value>(sql, &[&ride]).await, frozen);
}

async fn f60_a_ride_without_a_driver_ends(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.requested().await;
    let age = "update taxi.trips set requested_at = now() - make_interval(secs => $2) where id::text = $1";
    let status = "select status || ':' || coalesce(cancel_reason, '') from taxi.trips where id::text = $1";
    w.exec(age, &[&ride, &890.0]).await;
    w.tick("taxi-dispatch-tick").await.ok(200);
    assert_eq!(w.one::<String>(status, &[&ride]).await, "requested:");
    w.exec(age, &[&ride, &900.0]).await;
    w.tick("taxi-dispatch-tick").await.ok(200);
    assert_eq!(w.one::<String>(status, &[&ride]).await, "cancelled:no_driver");
    assert_eq!(scene.rider.gnf().await, 500_000);
    scene.driver.accept(&ride).await.refused(409, "ALREADY_ASSIGNED");
    scene.requested().await;
}

async fn f79_an_idempotency_key_lives_and_dies_with_its_effect(w: &'static World) {
    let (fatou, binta) = (w.rich(50_000, "GNF").await, w.person().await);
    let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": binta.id, "idempotency_key": "lives-and-dies" });
    let condition = format!("new.caller = '{}'", fatou.id);
    let send = async || fatou.call("wallet-operations", ask.clone()).await;
    w.sabotaged("core.idempotency_keys", &condition, send).await.refused(500, "INTERNAL");
    assert_eq!((fatou.gnf().await, binta.moves().await), (50_000, 0));
    send().await.ok(200);
    let wallet = binta.wallet("GNF").await;
    let other = json!({ "operation": "transfer", "amount": 2_000, "recipient_id": binta.id, "idempotency_key": "never-stored" });
    let condition = format!("new.account_id = '{wallet}'");
    let failed =
        w.sabotaged("ledger.entries", &condition, async || fatou.call("wallet-operations", other.clone()).await).await;
    failed.refused(500, "INTERNAL");
    let stored: i64 = w.one("select count(*) from core.idempotency_keys where caller = $1", &[&fatou.id]).await;
    assert_eq!((stored, binta.gnf().await), (1, 1_000), "a key without its effect");
}

async fn f80_the_same_key_with_another_body_is_refused(w: &'static World) {
    let (fatou, binta, awa) = (w.rich(50_000, "GNF").await, w.person().await, w.person().await);
    let ask =
        json!({ "operation": "transfer", "amount": 1_000, "recipient_id": binta.id, "idempotency_key": "one-request" });
    fatou.call("wallet-operations", ask.clone()).await.ok(200);
    for (field, value) in [
        ("amount", json!(1_001)),
        ("recipient_id", json!(awa.id)),
        ("currency", json!("XOF")),
        ("operation", json!("withdraw")),
        ("description", json!("another reason")),
    ] {
        let mut other = ask.clone();
        other[field] = value;
        if field == "operation" {
            (other["method"], other["phone"]) = (json!("orange_money"), json!("+224620000001"));
        }
        let reply = fatou.call("wallet-operations", other).await;
        assert!(reply.is_refusal(422, "IDEMPOTENCY_MISMATCH"), "{field}: {reply}");
    }
    assert_eq!((fatou.gnf().await, binta.gnf().await, awa.moves().await), (48_990, 1_000, 0));
}

async fn f81_a_key_of_one_person_says_nothing_to_another(w: &'static World) {
    let (fatou, binta, awa) = (w.rich(50_000, "GNF").await, w.rich(50_000, "GNF").await, w.person().await);
    let ask = json!({ "operation": "transfer", "amount": 1_000, "recipient_id": awa.id, "idempotency_key": "everybodys-key" });
    let mine = fatou.call("wallet-operations", ask.clone()).await;
    let hers = binta.call("wallet-operations", ask).await;
    assert_ne!(mine.ok(200)["transaction_id"], hers.ok(200)["transaction_id"]);
    assert_eq!(hers.header("idempotent-replayed"), None);
    assert_eq!((fatou.gnf().await, binta.gnf().await, awa.gnf().await), (48_990, 48_990, 2_000));
}
