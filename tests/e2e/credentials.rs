//! Keys of backends: two of them during a rotation, compared whole, and the only way to a clock from outside.

use serde_json::json;
use xtask::house::{self, Auth};
use xtask::keys;

use crate::world::{World, wary_world};

/// As in the settings of the wary world.
pub const PREVIOUS_KEY: &str = "cauris-dev-internal-key-0000";

crate::tests![a_clock_cannot_be_wound_from_outside, n71_two_internal_keys_hold_while_one_is_rotated];

async fn a_clock_cannot_be_wound_from_outside(w: &'static World) {
    let (person, admin) = (w.person().await, w.admin().await);
    let clocks = house::functions().expect("the functions").into_iter().filter(|function| function.auth == Auth::Cron);
    let mut tried = 0;
    for clock in clocks {
        for name in clock.names() {
            for token in [&person.token, &admin.token, &w.vars["ANON_KEY"], &w.vars["SERVICE_ROLE_KEY"]] {
                w.call(name, token, json!({})).await.refused(401, "UNAUTHENTICATED");
            }
            let ask = w.function(name).header("apikey", keys::SECRET_KEY).json(&json!({})).send().await;
            ask.refused(401, "UNAUTHENTICATED");
            tried += 1;
        }
    }
    assert!(tried >= 4, "there are only {tried} clocks");
}

async fn n71_two_internal_keys_hold_while_one_is_rotated(_: &'static World) {
    let w = wary_world().await;
    let with = async |key: &str| {
        w.function("taxi-dispatch-tick").header("x-internal-api-key", key).json(&json!({})).send().await
    };
    for key in [keys::INTERNAL_API_KEY, PREVIOUS_KEY] {
        with(key).await.ok(200);
    }
    let longer = format!("{PREVIOUS_KEY}x");
    for key in ["", "x", &PREVIOUS_KEY[1..], &longer, &PREVIOUS_KEY.to_uppercase()] {
        with(key).await.refused(401, "UNAUTHENTICATED");
    }
}
