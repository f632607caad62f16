//! How a ride is paid: collected into the clearing account, distributed once when the ride is both paid and over.

use serde_json::{Value, json};

use crate::people::Scene;
use crate::sandbox::payment_id;
use crate::world::World;

crate::tests![
    a_ride_paid_in_advance_is_distributed_when_it_is_completed,
    a_completed_ride_is_distributed_when_it_is_paid,
    a_repeat_returns_the_same_payment_and_another_method_is_too_late,
    a_ride_cancelled_before_pickup_is_refunded_whole,
    a_ride_cancelled_after_pickup_is_due_whole,
    cash_becomes_a_due_that_the_next_share_settles,
    cash_that_was_not_confirmed_gives_way_to_the_wallet,
    a_ride_paid_by_card_or_phone_is_paid_when_the_provider_says_so,
    an_admin_may_pay_and_a_driver_may_not,
    surge_and_shares_follow_the_table_of_the_contract,
];

/// What a ride's postings did, by kind of transaction and account.
async fn postings(w: &World, ride: &str) -> Value {
    let sql = "select coalesce(jsonb_object_agg(type || '/' || kind, total), '{}') from (
        select t.type, a.kind, sum(e.amount)::bigint as total from ledger.transactions t
        join ledger.entries e on e.transaction_id = t.id join ledger.accounts a on a.id = e.account_id
        where t.reference_type = 'ride' and t.reference_id = $1 group by 1, 2) lines";
    w.one(sql, &[&ride]).await
}

async fn shares(w: &World, ride: &str) -> (i64, i64, i64) {
    let sql = "select jsonb_build_array(price_total, driver_share, platform_fee) from taxi.trips where id::text = $1";
    let parts: Value = w.one(sql, &[&ride]).await;
    let part = |n: usize| parts[n].as_i64().expect("an integer");
    (part(0), part(1), part(2))
}

async fn cancel(scene: &Scene, ride: &str) {
    let ask = json!({ "rideId": ride, "status": "cancelled", "reason": "plans changed" });
    scene.rider.call("taxi-update-ride-status", ask).await.ok(200);
}

async fn a_ride_paid_in_advance_is_distributed_when_it_is_completed(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    let (price, share, fee) = shares(w, &ride).await;
    let paid = scene.pay(&ride, "wallet").await;
    assert_eq!(
        (&paid.ok(200)["transaction"]["amount"], &paid.body["payment"]["status"]),
        (&json!(price), &json!("completed"))
    );
    assert_eq!((scene.rider.gnf().await, scene.driver.gnf().await), (500_000 - price, 0));
    let collected = json!({ "ride_payment/user_wallet": -price, "ride_payment/ride_clearing": price });
    assert_eq!(postings(w, &ride).await, collected, "waiting in the clearing account, and without a transfer fee");
    scene.driven(&ride, "completed").await;
    assert_eq!(scene.driver.gnf().await, share);
    let lines = postings(w, &ride).await;
    assert_eq!(lines["ride_distribution/platform_fees"], fee);
    assert_eq!(lines["ride_distribution/ride_clearing"], -price);
}

async fn a_completed_ride_is_distributed_when_it_is_paid(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.completed().await;
    let (price, share, _) = shares(w, &ride).await;
    assert_eq!(postings(w, &ride).await, json!({}));
    scene.pay(&ride, "wallet").await.ok(200);
    assert_eq!((scene.rider.gnf().await, scene.driver.gnf().await), (500_000 - price, share));
}

async fn a_repeat_returns_the_same_payment_and_another_method_is_too_late(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.completed().await;
    let first = scene.pay(&ride, "wallet").await;
    let again = scene.pay(&ride, "wallet").await;
    assert_eq!(again.ok(200)["transaction"]["id"], first.ok(200)["transaction"]["id"]);
    assert_eq!((&again.body["duplicate"], first.body.get("duplicate")), (&json!(true), None));
    scene.pay(&ride, "cash").await.refused(409, "ALREADY_PAID");
    let (price, share, _) = shares(w, &ride).await;
    assert_eq!((scene.rider.gnf().await, scene.driver.gnf().await), (500_000 - price, share));
}

async fn a_ride_cancelled_before_pickup_is_refunded_whole(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    scene.pay(&ride, "wallet").await.ok(200);
    cancel(&scene, &ride).await;
    assert_eq!((scene.rider.gnf().await, scene.driver.gnf().await), (500_000, 0));
    let status: String = w.one("select payment_status from taxi.trips where id::text = $1", &[&ride]).await;
    assert_eq!(status, "refunded");
}

async fn a_ride_cancelled_after_pickup_is_due_whole(w: &'static World) {
    for paid_first in [true, false] {
        let scene = w.scene().await;
        let ride = scene.accepted().await;
        if paid_first {
            scene.pay(&ride, "wallet").await.ok(200);
        }
        scene.driven(&ride, "picked_up").await;
        cancel(&scene, &ride).await;
        if !paid_first {
            scene.pay(&ride, "wallet").await.ok(200);
        }
        let (price, share, _) = shares(w, &ride).await;
        let balances = (scene.rider.gnf().await, scene.driver.gnf().await);
        assert_eq!(balances, (500_000 - price, share), "paid first: {paid_first}");
    }
}

async fn cash_becomes_a_due_that_the_next_share_settles(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.completed().await;
    let (_, _, fee) = shares(w, &ride).await;
    assert_eq!(scene.pay(&ride, "cash").await.ok(200)["payment"]["status"], "pending");
    let confirm = json!({ "rideId": ride, "paymentMethod": "cash", "confirm": true });
    scene.rival.call("taxi-payment", confirm.clone()).await.refused(404, "NOT_FOUND");
    scene.rider.call("taxi-payment", confirm.clone()).await.refused(403, "FORBIDDEN");
    for _ in 0..2 {
        let reply = scene.driver.call("taxi-payment", confirm.clone()).await;
        assert_eq!(reply.ok(200)["transaction"]["status"], "completed");
    }
    let dues = "select coalesce(sum(amount - settled_amount), 0)::bigint from taxi.driver_dues where driver_id = $1";
    assert_eq!(w.one::<i64>(dues, &[&scene.driver.row]).await, fee);
    assert_eq!(postings(w, &ride).await, json!({}), "cash never touched the ledger");
    let next = scene.completed().await;
    scene.pay(&next, "wallet").await.ok(200);
    let (_, share, next_fee) = shares(w, &next).await;
    assert_eq!((scene.driver.gnf().await, w.one::<i64>(dues, &[&scene.driver.row]).await), (share - fee, 0));
    let lines = postings(w, &next).await;
    assert_eq!(lines["ride_distribution/platform_fees"], next_fee);
    assert_eq!(lines["dues_settlement/platform_fees"], fee);
}

async fn cash_that_was_not_confirmed_gives_way_to_the_wallet(w: &'static World) {
    let scene = w.scene().await;
    let ride = scene.accepted().await;
    scene.pay(&ride, "cash").await.ok(200);
    let confirm = json!({ "rideId": ride, "paymentMethod": "cash", "confirm": true });
    scene.driver.call("taxi-payment", confirm.clone()).await.refused(409, "RIDE_NOT_PAYABLE");
    scene.pay(&ride, "wallet").await.ok(200);
    scene.driven(&ride, "completed").await;
    scene.driver.call("taxi-payment", confirm).await.refused(409, "NOT_CASH");
    let (price, share, _) = shares(w, &ride).await;
    assert_eq!((scene.rider.gnf().await, scene.driver.gnf().await), (500_000 - price, share));
}

async fn a_ride_paid_by_card_or_phone_is_paid_when_the_provider_says_so(w: &'static World) {
    for (method, provider) in [("card", "stripe"), ("orange_money", "orange_money"), ("mtn_money", "mtn_momo")] {
        let scene = w.scene().await;
        let ride = scene.completed().await;
        let (price, share, _) = shares(w, &ride).await;
        // Not ending in 00: such a phone says yes by itself.
        let phone = format!("2246{:07}1", scene.rider.id.as_u128() % 10_000_000);
        let ask = json!({ "rideId": ride, "paymentMethod": method, "phone": phone, "amount": 1 });
        let asked = scene.rider.call("taxi-payment", ask.clone()).await;
        let (transaction, payment) = (&asked.ok(200)["transaction"], &asked.body["payment"]);
        assert_eq!((&transaction["status"], &transaction["amount"]), (&json!("processing"), &json!(price)), "{method}");
        assert_eq!((&payment["status"], &payment["method"]), (&json!("processing"), &json!(method)));
        let row = w.row(payment_id(payment)).await;
        assert_eq!((&row["provider"], &row["amount_due"]), (&json!(provider), &json!(price)));
        let again = scene.rider.call("taxi-payment", ask).await;
        assert_eq!((&again.ok(200)["transaction"]["id"], &again.body["duplicate"]), (&transaction["id"], &json!(true)));
        assert_eq!(again.body["payment"]["payment_id"], payment["payment_id"], "{method}: asked once");
        scene.pay(&ride, "wallet").await.refused(409, "PAYMENT_IN_PROGRESS");
        assert_eq!(postings(w, &ride).await, json!({}), "{method}: nobody has paid yet");
        w.pays(payment).await;
        w.becomes(payment_id(payment), "success").await;
        assert_eq!((scene.rider.gnf().await, scene.driver.gnf().await), (500_000, share), "{method}");
        let sql = "select payment_method || ' ' || status from taxi.transactions where ride_id::text = $1";
        assert_eq!(w.all::<String>(sql, &[&ride]).await, [format!("{method} completed")]);
    }
}

async fn an_admin_may_pay_and_a_driver_may_not(w: &'static World) {
    let (scene, admin) = (w.scene().await, w.admin().await);
    let ride = scene.completed().await;
    let ask = json!({ "rideId": ride, "paymentMethod": "wallet" });
    scene.driver.call("taxi-payment", ask.clone()).await.refused(403, "FORBIDDEN");
    admin.call("taxi-payment", ask).await.ok(200);
    let (price, share, _) = shares(w, &ride).await;
    assert_eq!((scene.rider.gnf().await, scene.driver.gnf().await, admin.gnf().await), (500_000 - price, share, 0));
}

async fn surge_and_shares_follow_the_table_of_the_contract(w: &'static World) {
    let sql = "select jsonb_build_array(f.price_total, f.driver_share, f.platform_fee) from taxi.pricing_config c,
        taxi.fare_of(c, $1, $2, $3, false) f where c.vehicle_type = 'moto' and c.currency = 'GNF' and c.is_active";
    for (metres, seconds, surge, expected) in [
        (0_i64, 0_i64, 100, [7_000, 5_950, 1_050]),
        (3_200, 720, 100, [12_600, 10_710, 1_890]),
        (500, 180, 125, [8_750, 7_438, 1_312]),
        (1_234, 317, 175, [13_994, 11_895, 2_099]),
        (10_000, 1_500, 150, [41_250, 35_063, 6_187]),
        (12_345, 1_834, 200, [65_493, 55_669, 9_824]),
    ] {
        let parts: Value = w.one(sql, &[&metres, &seconds, &surge]).await;
        assert_eq!(parts, json!(expected), "{metres} m, {seconds} s, {surge} %");
    }
    for (demand, drivers, expected) in [
        (0_i64, 0_i64, 150),
        (5, 0, 150),
        (4, 5, 100),
        (5, 6, 125),
        (5, 5, 125),
        (6, 5, 150),
        (8, 5, 175),
        (10, 5, 175),
        (11, 5, 200),
    ] {
        let pct: i32 = w.one("select taxi.surge_pct($1, $2, 200)", &[&demand, &drivers]).await;
        assert_eq!(pct, expected, "{demand} rides, {drivers} drivers");
    }
}
