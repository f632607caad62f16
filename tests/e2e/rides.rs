//! A ride from its quote to its end: prices, offers, states, and who may take which step.

use serde_json::json;

use crate::people::{away, point};
use crate::world::World;

crate::tests![
    a_quote_and_its_ride_cost_the_same_and_add_up,
    a_quote_is_for_its_user_its_route_and_five_minutes,
    offers_go_to_drivers_who_can_take_the_ride,
    an_accepted_ride_has_one_driver_on_trip_and_closed_offers,
    a_refusal_widens_the_search_once_per_driver,
    every_step_has_its_time_and_the_driver_is_free_afterwards,
    a_cancelled_ride_frees_its_driver_and_stays_cancelled,
    the_tick_expires_what_nobody_wants_and_leaves_the_rest,
    a_position_that_no_vehicle_reaches_is_stored_and_not_matched,
    a_ride_is_tracked_every_ten_seconds,
];

async fn quote(w: &'static World, token: &str, at: (f64, f64)) -> serde_json::Value {
    let ask = json!({ "pickup": point(at), "dropoff": point(away(at)) });
    w.call("taxi-quote-fare", token, ask).await.ok(200).clone()
}

async fn a_quote_and_its_ride_cost_the_same_and_add_up(w: &'static World) {
    let scene = w.scene().await;
    let quote = quote(w, &scene.rider.token, scene.at).await;
    assert_eq!(quote["surge_multiplier"].as_f64(), Some(1.5), "no driver is near: {quote}");
    let money = |name: &str| quote[name].as_i64().unwrap_or_else(|| panic!("{name} of {quote}"));
    assert_eq!(money("driver_share") + money("platform_fee"), money("total"));
    scene.driver.online(scene.at).await;
    let ask = json!({ "pickup": point(scene.at), "dropoff": point(away(scene.at)), "quoteId": quote["quote_id"] });
    let reply = scene.rider.call("taxi-request-ride", ask).await;
    assert_eq!(reply.ok(201)["fare"]["total"], quote["total"], "the promised price, though a driver has come since");
    let ride = reply.body["rideId"].as_str().expect("an id");
    assert_eq!(scene.price(ride).await, money("total"));
}

async fn a_quote_is_for_its_user_its_route_and_five_minutes(w: &'static World) {
    let scene = w.scene().await;
    let mine = quote(w, &scene.rider.token, scene.at).await;
    let id = mine["quote_id"].as_str().expect("an id");
    let ask =
        |id: &str, at: (f64, f64)| json!({ "pickup": point(at), "dropoff": point(away(scene.at)), "quoteId": id });
    let elsewhere = (scene.at.0 + 0.002, scene.at.1);
    scene.rider.call("taxi-request-ride", ask(id, elsewhere)).await.refused(409, "QUOTE_EXPIRED");
    scene.rival.call("taxi-request-ride", ask(id, scene.at)).await.refused(409, "QUOTE_EXPIRED");
    scene.rider.call("taxi-request-ride", ask("not-an-id", scene.at)).await.refused(400, "VALIDATION_ERROR");
    w.exec("update taxi.quotes set expires_at = now() - interval '1 second' where id::text = $1", &[&id]).await;
    scene.rider.call("taxi-request-ride", ask(id, scene.at)).await.refused(409, "QUOTE_EXPIRED");
    let rides: i64 = w.one("select count(*) from taxi.trips where customer_id = $1", &[&scene.rider.id]).await;
    assert_eq!(rides, 0);
}

async fn offers_go_to_drivers_who_can_take_the_ride(w: &'static World) {
    let (scene, far) = (w.scene().await, w.driver().await);
    let near = [w.driver_at(scene.at).await, w.driver_at(scene.at).await];
    far.online((scene.at.0 + 0.09, scene.at.1)).await;
    let unfit = [w.driver_at(scene.at).await, w.driver_at(scene.at).await, w.driver_at(scene.at).await];
    w.exec("update taxi.drivers set kyc_verified = false where id = $1", &[&unfit[0].row]).await;
    w.exec("update taxi.drivers set status = 'suspended' where id = $1", &[&unfit[1].row]).await;
    let stale = "update taxi.driver_positions set seen_at = now() - interval '61 seconds' where driver_id = $1";
    w.exec(stale, &[&unfit[2].row]).await;
    let ask = json!({ "pickup": point(scene.at), "dropoff": point(away(scene.at)) });
    let reply = scene.rider.call("taxi-request-ride", ask).await;
    assert_eq!(reply.ok(201)["notifiedDrivers"], 2);
    let ride = reply.body["rideId"].as_str().expect("an id");
    let sql = "select driver_id from taxi.notifications where ride_id::text = $1 and type = 'ride_offer'";
    let mut told: Vec<uuid::Uuid> = w.all(sql, &[&ride]).await;
    let mut expected = near.map(|driver| driver.row).to_vec();
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

async fn an_accepted_ride_has_one_driver_on_trip_and_closed_offers(w: &'static World) {
    let scene = w.scene().await;
    scene.rival.online(scene.at).await;
    let ride = scene.requested().await;
    let won = scene.driver.accept(&ride).await;
    assert_eq!(won.ok(200)["ride"]["driver_id"], json!(scene.driver.row));
    scene.rival.accept(&ride).await.refused(409, "ALREADY_ASSIGNED");
    assert_eq!((scene.driver.status().await, scene.rival.status().await), ("on_trip".into(), "available".into()));
    let sql = "select count(*) from taxi.notifications where ride_id::text = $1 and type = 'ride_offer' and closed_at is null";
    assert_eq!(w.one::<i64>(sql, &[&ride]).await, 0, "an offer is still open");
}

async fn a_refusal_widens_the_search_once_per_driver(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.requested().await;
    scene.rival.online((scene.at.0 + 0.09, scene.at.1)).await;
    let refuse = json!({ "rideId": ride });
    for _ in 0..2 {
        assert_eq!(scene.driver.call("taxi-refuse-ride", refuse.clone()).await.ok(200)["driversDeclined"], 1);
    }
    let sql =
        "select count(*) from taxi.notifications where ride_id::text = $1 and driver_id = $2 and type = 'ride_offer'";
    assert_eq!(w.one::<i64>(sql, &[&ride, &scene.rival.row]).await, 1, "ten kilometres away, and told once");
    let sql = "select search_radius_m from taxi.trips where id::text = $1";
    assert_eq!(w.one::<i32>(sql, &[&ride]).await, 15_000);
    scene.driver.accept(&ride).await.refused(409, "DRIVER_DECLINED");
}

async fn every_step_has_its_time_and_the_driver_is_free_afterwards(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    for (status, time) in [
        ("arriving", "arriving_at"),
        ("picked_up", "started_at"),
        ("in_progress", "started_at"),
        ("completed", "completed_at"),
    ] {
        let reply = scene.driver.step(&ride, status).await;
        assert_eq!(reply.ok(200)["ride"]["status"], status);
        assert!(reply.body["ride"][time].is_string(), "{time} after {status}: {reply}");
    }
    assert_eq!(scene.driver.status().await, "available");
    let sql = "select array_agg(from_status || '>' || to_status order by created_at) from taxi.audit_logs
               where ride_id::text = $1 and from_status is not null and to_status <> 'accepted'";
    let steps: Vec<String> = w.one(sql, &[&ride]).await;
    let expected = ["accepted>arriving", "arriving>picked_up", "picked_up>in_progress", "in_progress>completed"];
    assert_eq!(steps, expected);
}

async fn a_cancelled_ride_frees_its_driver_and_stays_cancelled(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let cancel = json!({ "rideId": ride, "status": "cancelled", "reason": "found another way" });
    let reply = scene.rider.call("taxi-update-ride-status", cancel).await;
    assert_eq!(reply.ok(200)["ride"]["cancellation_fee"], 0, "nobody was picked up");
    assert_eq!(scene.driver.status().await, "available");
    for next in ["arriving", "picked_up", "completed"] {
        scene.driver.step(&ride, next).await.refused(409, "INVALID_TRANSITION");
    }
    scene.pay(&ride, "wallet").await.refused(409, "RIDE_NOT_PAYABLE");
    assert_eq!(scene.rider.gnf().await, 500_000);
}

async fn the_tick_expires_what_nobody_wants_and_leaves_the_rest(w: &'static World) {
    let (old, young, taken) = (w.scene().await, w.scene().await, w.scene().await);
    let rides = [old.requested().await, young.requested().await, taken.accepted().await];
    let age = "update taxi.trips set requested_at = now() - make_interval(secs => $2) where id::text = $1";
    w.exec(age, &[&rides[0], &901.0]).await;
    w.exec(age, &[&rides[1], &61.0]).await;
    w.exec(age, &[&rides[2], &5000.0]).await;
    w.exec("update taxi.trips set dispatched_at = requested_at where id::text = $1", &[&rides[1]]).await;
    let gone = "update taxi.driver_positions set seen_at = now() - interval '6 minutes' where driver_id = $1";
    w.exec(gone, &[&old.driver.row]).await;
    let tick = w.tick("taxi-dispatch-tick").await;
    for count in ["widened", "expired", "drivers_offline"] {
        assert!(tick.ok(200)[count].is_u64(), "{count}: {tick}");
    }
    let sql = "select status || ':' || coalesce(cancel_reason, '') from taxi.trips where id::text = $1";
    let mut seen = Vec::new();
    for ride in &rides {
        seen.push(w.one::<String>(sql, &[ride]).await);
    }
    assert_eq!(seen, ["cancelled:no_driver", "requested:", "accepted:"]);
    let radius: i32 = w.one("select search_radius_m from taxi.trips where id::text = $1", &[&rides[1]]).await;
    assert_eq!((radius, old.driver.status().await), (15_000, "offline".into()));
}

async fn a_position_that_no_vehicle_reaches_is_stored_and_not_matched(w: &'static World) {
    let scene = w.scene().await;
    let elsewhere = w.place();
    scene.driver.online(elsewhere).await;
    scene.driver.online(scene.at).await;
    let sql = "select usable from taxi.driver_positions where driver_id = $1 and abs(lat - $2) < 0.001";
    assert!(!w.one::<bool>(sql, &[&scene.driver.row, &scene.at.0]).await, "stored, and not believed");
    let ask = json!({ "pickup": point(scene.at), "dropoff": point(away(scene.at)) });
    assert_eq!(scene.rider.call("taxi-request-ride", ask).await.ok(201)["notifiedDrivers"], 0);
}

async fn a_ride_is_tracked_every_ten_seconds(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    for _ in 0..3 {
        scene.driver.online(scene.at).await;
    }
    let count: i64 = w.one("select count(*) from taxi.ride_tracking where ride_id::text = $1", &[&ride]).await;
    assert_eq!(count, 1, "three fixes within a second are one");
    assert_eq!(scene.driver.status().await, "on_trip", "a heartbeat decides nothing about the ride");
}
