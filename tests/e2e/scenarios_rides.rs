//! The scenarios of money.md, section 6, about what is sold and driven: O1 to O3, D1 to D8. What is ordered here is a ride.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::concurrency::{counted, tally};
use crate::people::{away, point};
use crate::sandbox::payment_id;
use crate::world::World;

crate::tests![
    o1_two_tabs_and_two_intents_pay_one_ride_and_one_surplus,
    o2_of_twenty_paid_checkouts_of_one_ride_one_pays_it,
    o3_the_servers_price_wins,
    d1_of_sixty_four_drivers_one_gets_the_ride,
    d2_one_driver_gets_one_of_eight_rides,
    d3_an_offer_that_is_over_by_the_servers_clock_is_over,
    d4_only_drivers_who_can_come_may_accept,
    d5_a_ride_completed_twice_at_once_is_shared_out_once,
    d6_no_step_is_skipped_repeated_backwards_or_taken_by_another,
    d7_a_wallet_drained_mid_ride_leaves_what_was_prepaid_and_a_debt,
    d8_a_cash_ride_is_a_due_and_at_the_limit_no_ride_is_offered,
];

const INIT: &str = "moneroo-initialize-payment";

async fn ride_row(w: &World, ride: &str) -> Value {
    w.one("select to_jsonb(t) from taxi.trips t where id::text = $1", &[&ride]).await
}

async fn o1_two_tabs_and_two_intents_pay_one_ride_and_one_surplus(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let price = scene.price(&ride).await;
    let mut tabs = Vec::new();
    for provider in ["moneroo", "stripe"] {
        let ask = json!({ "purpose": "ride", "purpose_id": ride, "provider": provider });
        tabs.push(scene.rider.call(INIT, ask).await.ok(201).clone());
    }
    tokio::join!(w.pays(&tabs[0]), w.pays(&tabs[1]));
    let mut ends = Vec::new();
    for tab in &tabs {
        ends.push(w.becomes(payment_id(tab), "success").await["settlement"].as_str().expect("a settlement").to_owned());
    }
    ends.sort();
    assert_eq!(ends, ["settled", "surplus"]);
    assert_eq!((scene.rider.gnf().await, scene.driver.gnf().await), (500_000 + price, 0), "the second is the payer's");
    let mine = json!({ "ride_payment/provider_clearing": -price, "ride_payment/ride_clearing": price });
    assert_eq!(w.booked("ride", &ride).await, mine);
    scene.driven(&ride, "completed").await;
    assert_eq!(json!(scene.driver.gnf().await), ride_row(w, &ride).await["driver_share"], "shared out once");
}

/// There is no stock yet. What twenty can want and one can have is the paying of a ride.
async fn o2_of_twenty_paid_checkouts_of_one_ride_one_pays_it(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let price = scene.price(&ride).await;
    let mut checkouts = Vec::new();
    for _ in 0..20 {
        let asked = scene.rider.call(INIT, json!({ "purpose": "ride", "purpose_id": ride })).await.ok(201).clone();
        // Half an hour later it is not returned again, but another one is made, and this one stays payable.
        let sql =
            "update payments.payments set created_at = now() - interval '31 minutes' where provider_payment_id = $1";
        w.exec(sql, &[&payment_id(&asked)]).await;
        checkouts.push(asked);
    }
    join_all(checkouts.iter().map(|asked| w.pays(asked))).await;
    let mut settled = 0;
    for asked in &checkouts {
        let row = w.becomes(payment_id(asked), "success").await;
        assert!(row["settlement"] == "settled" || row["settlement"] == "surplus", "{row}");
        settled += usize::from(row["settlement"] == "settled");
    }
    assert_eq!((settled, scene.rider.gnf().await), (1, 500_000 + 19 * price), "one has it, nineteen are given back");
    assert_eq!((scene.rider.moves().await, ride_row(w, &ride).await["payment_status"].clone()), (20, json!("paid")));
    let again = json!({ "purpose": "ride", "purpose_id": ride });
    scene.rider.call(INIT, again).await.refused(409, "ALREADY_PAID");
}

async fn o3_the_servers_price_wins(w: &'static World) {
    let scene = w.scene().await;
    scene.driver.online(scene.at).await;
    let ask = json!({ "pickup": point(scene.at), "dropoff": point(away(scene.at)), "estimatedPrice": 1, "price_total": 1,
                      "amount": 1, "surge_pct": 1, "distanceKm": 0.001, "driver_share": 0 });
    let reply = scene.rider.call("taxi-request-ride", ask).await;
    let (price, ride) =
        (reply.ok(201)["fare"]["total"].clone(), reply.body["rideId"].as_str().expect("an id").to_owned());
    assert!(price.as_i64() >= Some(7_000), "{reply}");
    scene.driver.accept(&ride).await.ok(200);
    let tampered =
        json!({ "purpose": "ride", "purpose_id": ride, "amount": 1, "price": 1, "metadata": { "amount": "1" } });
    let refusal = scene.rider.call(INIT, tampered).await;
    assert_eq!(refusal.refused(409, "AMOUNT_MISMATCH")["details"]["expected"], price);
    let plan =
        json!({ "plan_id": "premium_report", "test_id": xtask::keys::random_uuid(), "amount": 1, "currency": "XAF" });
    scene.rider.call("create-payment", plan).await.refused(409, "AMOUNT_MISMATCH");
    assert!(w.payments_of(&scene.rider).await.is_empty(), "the provider was asked for another price");
    let quiet = json!({ "purpose": "ride", "purpose_id": ride, "price": 1, "amount_due": 1, "total": 1, "fee": -1 });
    assert_eq!(scene.rider.call(INIT, quiet).await.ok(201)["total"], price);
    assert_eq!(w.payments_of(&scene.rider).await[0]["amount"], price);
    let paid = json!({ "rideId": ride, "paymentMethod": "wallet", "amount": 1, "price": 1, "driverShare": 9_000 });
    assert_eq!(scene.rider.call("taxi-payment", paid).await.ok(200)["transaction"]["amount"], price);
    assert_eq!(json!(500_000 - scene.rider.gnf().await), price);
}

async fn d1_of_sixty_four_drivers_one_gets_the_ride(w: &'static World) {
    let scene = w.scene().await;
    let fleet = crate::faults_races::drivers(w, 64, scene.at).await;
    let ride = scene.requested().await;
    let seen = tally(fleet.iter().map(|driver| driver.accept(&ride))).await;
    assert_eq!(seen, counted(&[("200", 1), ("ALREADY_ASSIGNED", 63)]));
    let sql = "select count(*) from taxi.drivers where id = any ($1) and status = 'on_trip'";
    let ids: Vec<uuid::Uuid> = fleet.iter().map(|driver| driver.row).collect();
    assert_eq!((w.one::<i64>(sql, &[&ids]).await, scene.driver.status().await), (1, "available".into()));
}

async fn d2_one_driver_gets_one_of_eight_rides(w: &'static World) {
    let scene = w.scene().await;
    let ask = json!({ "pickup": point(scene.at), "dropoff": point(away(scene.at)) });
    let mut rides = Vec::new();
    for _ in 0..8 {
        let reply = w.rich(100_000, "GNF").await.call("taxi-request-ride", ask.clone()).await;
        rides.push(reply.ok(201)["rideId"].as_str().expect("an id").to_owned());
    }
    scene.driver.online(scene.at).await;
    let seen = tally(rides.iter().map(|ride| scene.driver.accept(ride))).await;
    assert_eq!(seen, counted(&[("200", 1), ("DRIVER_NOT_AVAILABLE", 7)]));
    let sql = "select array_agg(status order by status) from taxi.trips where id::text = any ($1)";
    let states: Vec<String> = w.one(sql, &[&rides]).await;
    assert_eq!(states, [vec!["accepted"], vec!["requested"; 7]].concat(), "the others wait for somebody else");
}

/// An offer lasts as long as its ride is open; its end is the tick's, a quote's is on its row.
async fn d3_an_offer_that_is_over_by_the_servers_clock_is_over(w: &'static World) {
    let scene = w.scene().await;
    let points = json!({ "pickup": point(scene.at), "dropoff": point(away(scene.at)) });
    let quote = scene.rider.call("taxi-quote-fare", points.clone()).await.ok(200)["quote_id"].clone();
    let over = "update taxi.quotes set expires_at = clock_timestamp() - interval '1 millisecond' where id::text = $1";
    w.exec(over, &[&quote.as_str().expect("an id")]).await;
    let mut late = points;
    (late["quoteId"], late["now"]) = (quote, json!("2020-01-01T00:00:00Z"));
    let clock =
        w.function("taxi-request-ride").bearer(&scene.rider.token).header("date", "Wed, 01 Jan 2020 00:00:00 GMT");
    clock.json(&late).send().await.refused(409, "QUOTE_EXPIRED");
    let ride = scene.requested().await;
    let age = "update taxi.trips set requested_at = now() - interval '15 minutes' where id::text = $1";
    w.exec(age, &[&ride]).await;
    // Before the clock's tick and after it.
    scene.driver.accept(&ride).await.refused(409, "ALREADY_ASSIGNED");
    w.tick("taxi-dispatch-tick").await.ok(200);
    for hour in ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
        let ask = json!({ "rideId": ride, "acceptedAt": hour, "timestamp": hour });
        let call = w.function("taxi-accept-ride").bearer(&scene.driver.token).header("date", hour);
        call.json(&ask).send().await.refused(409, "ALREADY_ASSIGNED");
    }
    let row = ride_row(w, &ride).await;
    assert_eq!(
        (&row["status"], &row["driver_id"], &row["accepted_at"]),
        (&json!("cancelled"), &Value::Null, &Value::Null)
    );
    assert_eq!((scene.driver.status().await, scene.rider.gnf().await), ("available".into(), 500_000));
}

/// Whoever is near enough may accept, offered or not; who may not is told 409 by name, and no driver 403.
async fn d4_only_drivers_who_can_come_may_accept(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.requested().await;
    let rival = &scene.rival;
    rival.accept(&ride).await.refused(409, "DRIVER_NOT_AVAILABLE");
    rival.online((scene.at.0 + 0.15, scene.at.1)).await;
    rival.accept(&ride).await.refused(409, "DRIVER_TOO_FAR");
    for (spoil, repair) in [
        ("status = 'suspended'", "status = 'available'"),
        ("kyc_verified = false", "kyc_verified = true"),
        ("can_work = false", "can_work = true"),
    ] {
        w.exec(&format!("update taxi.drivers set {spoil} where id = $1"), &[&scene.driver.row]).await;
        scene.driver.accept(&ride).await.refused(409, "DRIVER_NOT_AVAILABLE");
        w.exec(&format!("update taxi.drivers set {repair} where id = $1"), &[&scene.driver.row]).await;
    }
    let silent = "update taxi.driver_positions set seen_at = now() - interval '121 seconds' where driver_id = $1";
    w.exec(silent, &[&scene.driver.row]).await;
    scene.driver.accept(&ride).await.refused(409, "DRIVER_NOT_AVAILABLE");
    scene.rider.call("taxi-accept-ride", json!({ "rideId": ride })).await.refused(403, "FORBIDDEN");
    let unknown = xtask::keys::random_uuid().to_string();
    scene.driver.online(scene.at).await;
    scene.driver.accept(&unknown).await.refused(404, "NOT_FOUND");
    assert_eq!(ride_row(w, &ride).await["status"], "requested");
    scene.driver.accept(&ride).await.ok(200);
}

async fn d5_a_ride_completed_twice_at_once_is_shared_out_once(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    scene.pay(&ride, "wallet").await.ok(200);
    let starts = tally((0..8).map(|_| scene.driver.step(&ride, "picked_up"))).await;
    scene.driver.step(&ride, "in_progress").await.ok(200);
    let ends = tally((0..8).map(|_| scene.driver.step(&ride, "completed"))).await;
    assert_eq!((starts, ends), (counted(&[("200", 8)]), counted(&[("200", 8)])), "each hears of the one step");
    let row = ride_row(w, &ride).await;
    let (price, share, fee) = (scene.price(&ride).await, &row["driver_share"], &row["platform_fee"]);
    let booked = json!({ "ride_payment/user_wallet": -price, "ride_payment/ride_clearing": price,
                         "ride_distribution/ride_clearing": -price, "ride_distribution/user_wallet": share,
                         "ride_distribution/platform_fees": fee });
    assert_eq!(w.booked("ride", &ride).await, booked, "one fare, one split");
    assert_eq!((scene.rider.gnf().await, scene.rider.moves().await), (500_000 - price, 2));
    assert_eq!((json!(scene.driver.gnf().await), scene.driver.moves().await), (share.clone(), 1));
}

async fn d6_no_step_is_skipped_repeated_backwards_or_taken_by_another(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    scene.pay(&ride, "wallet").await.ok(200);
    for skipped in ["in_progress", "completed"] {
        let reply = scene.driver.step(&ride, skipped).await;
        assert_eq!(reply.refused(409, "INVALID_TRANSITION")["details"]["from"], "accepted");
    }
    let rider = json!({ "rideId": ride, "status": "picked_up" });
    scene.rider.call("taxi-update-ride-status", rider.clone()).await.refused(403, "FORBIDDEN");
    scene.rival.call("taxi-update-ride-status", rider).await.refused(404, "NOT_FOUND");
    scene.driver.step(&ride, "flying").await.refused(400, "VALIDATION_ERROR");
    scene.driven(&ride, "in_progress").await;
    let logged = "select count(*) from taxi.audit_logs where ride_id::text = $1";
    let before: i64 = w.one(logged, &[&ride]).await;
    scene.driver.step(&ride, "in_progress").await.ok(200);
    assert_eq!(w.one::<i64>(logged, &[&ride]).await, before, "the same step again changed something");
    for back in ["accepted", "arriving", "picked_up", "requested"] {
        scene.driver.step(&ride, back).await.refused(409, "INVALID_TRANSITION");
    }
    let cancel = json!({ "rideId": ride, "status": "cancelled", "reason": "too late" });
    scene.driver.call("taxi-update-ride-status", cancel.clone()).await.refused(403, "FORBIDDEN");
    assert_eq!((ride_row(w, &ride).await["status"].clone(), scene.driver.moves().await), (json!("in_progress"), 0));
    scene.driver.step(&ride, "completed").await.ok(200);
    let ended = (scene.rider.gnf().await, scene.driver.gnf().await);
    for who in [&scene.rider, &scene.driver.person] {
        who.call("taxi-update-ride-status", cancel.clone()).await.refused(409, "INVALID_TRANSITION");
    }
    assert_eq!(ride_row(w, &ride).await["status"], "completed");
    assert_eq!(
        (scene.rider.gnf().await, scene.driver.gnf().await),
        ended,
        "nothing is refunded for a ride that was driven"
    );
}

/// Nothing is held when a ride is accepted. What is prepaid is out of the wallet's reach; what is not stays due.
async fn d7_a_wallet_drained_mid_ride_leaves_what_was_prepaid_and_a_debt(w: &'static World) {
    let drain = "select ledger.post('adjustment', 'GNF', array[row($1::uuid, -$2::bigint)::ledger.leg,
        row(ledger.platform_account('suspense', 'GNF'), $2)::ledger.leg], 'test_funds', gen_random_uuid()::text, $2)";
    for prepaid in [true, false] {
        let scene = w.scene().await;
        let ride = scene.accepted().await;
        let (price, share) = (scene.price(&ride).await, ride_row(w, &ride).await["driver_share"].as_i64());
        if prepaid {
            scene.pay(&ride, "wallet").await.ok(200);
        }
        scene.driven(&ride, "in_progress").await;
        let (wallet, rest) = (scene.rider.wallet("GNF").await, if prepaid { 0 } else { price - 1 });
        let _: uuid::Uuid = w.one(drain, &[&wallet, &(scene.rider.gnf().await - rest)]).await;
        scene.driver.step(&ride, "completed").await.ok(200);
        if !prepaid {
            scene.pay(&ride, "wallet").await.refused(409, "INSUFFICIENT_FUNDS");
            assert_eq!((scene.rider.gnf().await, scene.driver.gnf().await), (price - 1, 0), "no part of it is taken");
            assert_eq!(w.booked("ride", &ride).await, json!({}));
            let owes = ride_row(w, &ride).await;
            assert_eq!((&owes["payment_status"], &owes["price_total"]), (&json!("pending"), &json!(price)));
            scene.rider.fund(1, "GNF").await;
            scene.pay(&ride, "wallet").await.ok(200);
        }
        assert_eq!((scene.rider.gnf().await, Some(scene.driver.gnf().await)), (0, share), "prepaid: {prepaid}");
    }
}

async fn d8_a_cash_ride_is_a_due_and_at_the_limit_no_ride_is_offered(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.completed().await;
    scene.pay(&ride, "cash").await.ok(200);
    scene.driver.call("taxi-payment", json!({ "rideId": ride, "confirm": true })).await.ok(200);
    let dues = "select sum(amount - settled_amount)::bigint from taxi.driver_dues where driver_id = $1";
    assert_eq!(json!(w.one::<i64>(dues, &[&scene.driver.row]).await), ride_row(w, &ride).await["platform_fee"]);
    assert_eq!((w.booked("ride", &ride).await, scene.driver.moves().await), (json!({}), 0), "no wallet below zero");
    let offered = async |owed: i64| {
        let sql = "update taxi.driver_dues set amount = $2 where driver_id = $1";
        w.exec(sql, &[&scene.driver.row, &owed]).await;
        scene.driver.online(scene.at).await;
        let ask = json!({ "pickup": point(scene.at), "dropoff": point(away(scene.at)) });
        let reply = scene.rider.call("taxi-request-ride", ask).await;
        let cancel =
            json!({ "rideId": reply.ok(201)["rideId"], "status": "cancelled", "reason": "asked for the offers" });
        scene.rider.call("taxi-update-ride-status", cancel).await.ok(200);
        reply.body["notifiedDrivers"].clone()
    };
    assert_eq!((offered(50_000).await, offered(50_001).await), (json!(1), json!(0)), "at the limit he still works");
}
