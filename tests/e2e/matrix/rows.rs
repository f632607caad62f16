//! One row of somebody's in every view, and who sees it.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Rows, VIEWS};
use crate::people::Scene;
use crate::world::World;

/// A rider and a driver who have left a row in every view of one's own.
async fn seeded(w: &'static World) -> Scene {
    let scene = w.scene().await;
    let route = json!({ "pickup": crate::people::point(scene.at), "dropoff": crate::people::point(crate::people::away(scene.at)) });
    scene.rider.call("taxi-quote-fare", route).await.ok(200);
    scene.rider.deposit(50_000).await;
    w.withdrawn(&scene.rider, 10_000, "GNF", "224620000001").await;
    let sql = "insert into payments.paid_entitlements (user_id, plan_code, status, expires_at)
        select $1, p.code, 'active', now() + interval '30 days' from payments.paid_plans p where not p.once_per_test order by p.code limit 1";
    assert_eq!(w.exec(sql, &[&scene.rider.id]).await, 1, "there is a plan to have bought");
    let ride = scene.accepted().await;
    scene.driver.online(scene.at).await; // On a ride, a heartbeat is a point of its track.
    scene.driven(&ride, "completed").await;
    scene.pay(&ride, "cash").await.ok(200);
    let confirm = json!({ "rideId": ride, "paymentMethod": "cash", "confirm": true });
    scene.driver.call("taxi-payment", confirm).await.ok(200);
    let refused = "insert into taxi.declines (ride_id, driver_id) select id, $2 from taxi.trips where id::text = $1";
    assert_eq!(w.exec(refused, &[&ride, &scene.driver.row]).await, 1);
    scene
}

async fn shown(w: &World, view: &str, token: &str) -> Vec<Value> {
    let reply = w.rest(Method::GET, view, token).send().await;
    reply.ok(200).as_array().expect("rows are a list").clone()
}

pub async fn anothers_rows_are_invisible_in_every_view(w: &'static World) {
    let scene = seeded(w).await;
    let (stranger, admin) = (w.rich(1_000, "GNF").await, w.admin().await);
    let ids = [scene.rider.id, scene.driver.id, scene.driver.row].map(|id| id.to_string());
    for (view, rows, _) in VIEWS {
        let mut theirs = shown(w, view, &scene.rider.token).await;
        theirs.extend(shown(w, view, &scene.driver.token).await);
        match rows {
            Rows::Own => assert!(!theirs.is_empty(), "{view} shows nobody anything: the seed has no row for it"),
            Rows::Staff => {
                assert_eq!(theirs, [] as [Value; 0], "{view} shows staff's rows to people");
                continue;
            }
            Rows::Shared => {
                assert_eq!(shown(w, view, &stranger.token).await.len() * 2, theirs.len(), "{view} is the same for all");
                continue;
            }
        }
        // An admin is a person like any other here: what staff may see has views of its own.
        for somebody in [&stranger, &admin] {
            for path in [view.to_owned(), format!("{view}?select=*&limit=1000")] {
                let seen = shown(w, &path, &somebody.token).await;
                let taken: Vec<_> = seen.iter().filter(|row| theirs.contains(row)).collect();
                assert!(taken.is_empty(), "{view} shows another's rows: {taken:?}");
                let text = json!(seen).to_string();
                assert!(ids.iter().all(|id| !text.contains(id)), "{view} names another: {text}");
            }
        }
    }
    // What was decided about somebody is staff's to read, and the decision that made her staff is there.
    let path = format!("audit_logs?action=eq.role.added&target_id=eq.{}", admin.id);
    let told = shown(w, &path, &admin.token).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["old"], &told[0]["new"]["role"]), (&json!({}), &json!("admin")));
    let newest: Vec<_> = shown(w, "audit_logs?limit=50", &admin.token).await;
    let times: Vec<_> = newest.iter().map(|line| line["created_at"].as_str().expect("a time").to_owned()).collect();
    assert!(times.is_sorted_by(|later, earlier| later >= earlier), "not newest first: {times:?}");
}

pub async fn nothing_but_a_read_mark_is_written_and_only_on_ones_own(w: &'static World) {
    let scene = w.scene().await;
    scene.accepted().await;
    let (stranger, admin) = (w.person().await, w.admin().await);
    let mine = shown(w, "taxi_notifications?select=id&limit=1", &scene.rider.token).await;
    let id = mine[0]["id"].as_str().expect("a rider is told that her ride was accepted").to_owned();
    let row =
        async || -> Value { w.one("select to_jsonb(n) from taxi.notifications n where id::text = $1", &[&id]).await };
    let before = row().await;
    let change = async |token: &str, change: Value| {
        w.rest(Method::PATCH, &format!("taxi_notifications?id=eq.{id}"), token).json(&change).send().await
    };
    for somebody in [&stranger, &admin, &scene.rival.person] {
        let reply = change(&somebody.token, json!({ "read": true })).await;
        assert!(matches!(reply.status, 200 | 204 | 401 | 403 | 404), "{reply}");
        assert!(!reply.text.contains(&id), "{reply}");
    }
    let columns = ["id", "ride_id", "user_id", "driver_id", "type", "payload", "expires_at", "closed_at", "created_at"];
    for column in columns {
        let mut ask = json!({ "read": true });
        ask[column] = before[column].clone();
        let reply = change(&scene.rider.token, ask).await;
        assert!(matches!(reply.status, 401 | 403), "{column}: {reply}");
    }
    assert_eq!(row().await, before, "somebody wrote what is not his");
    let reply = change(&scene.rider.token, json!({ "read": true })).await;
    assert!(matches!(reply.status, 200 | 204), "{reply}");
    assert_eq!(row().await["read"], true);
}
