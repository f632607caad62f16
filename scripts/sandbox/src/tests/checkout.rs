//! The page, as a browser without scripts sees it.

use super::*;

async fn page(world: &World, path: &str) -> (u16, String) {
    let response = world.http.get(format!("{}{path}", world.sandbox.url())).send().await.expect("an answer");
    assert!(response.headers().contains_key("content-security-policy"));
    (response.status().as_u16(), response.text().await.expect("HTML"))
}

/// Follows the redirect, as a browser does.
async fn press(world: &World, id: &str, button: &str) -> String {
    let url = format!("{}/checkout/{id}/{button}", world.sandbox.url());
    let response = world.http.post(url).form(&[("method", "mtn_gn")]).send().await.expect("an answer");
    assert_eq!(response.url().path(), format!("/checkout/{id}"));
    response.text().await.expect("HTML")
}

#[tokio::test]
async fn the_page_shows_the_bill_and_three_buttons() {
    let world = World::new().await;
    let id = world.payment().await;
    let (status, html) = page(&world, &format!("/checkout/{id}")).await;
    assert_eq!(status, 200);
    for part in [
        "Cauris",
        "Top up",
        "data-amount=\"50000\"",
        "50\u{a0}000\u{a0}GNF",
        "name=\"viewport\"",
        "Orange Money Guinea",
        "<button id=\"pay\"",
        "<button id=\"fail\"",
        "<button id=\"cancel\"",
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
    assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"), "{html}");
}

#[tokio::test]
async fn each_button_ends_the_payment_as_it_says_and_tells_it_once() {
    for (button, status, event) in [
        ("pay", "success", "payment.success"),
        ("fail", "failed", "payment.failed"),
        ("cancel", "cancelled", "payment.cancelled"),
    ] {
        let world = World::new().await;
        let id = world.payment().await;
        let html = press(&world, &id, button).await;
        assert!(html.contains("id=\"result\"") && html.contains(&format!("data-status=\"{status}\"")), "{html}");
        let link = format!("https://app.cauris.test/return?paymentId={id}&amp;paymentStatus={status}");
        assert!(html.contains("id=\"return\"") && html.contains(&link), "{html}");
        assert!(!html.contains("<button"), "{html}");
        for again in ["pay", "fail", "cancel"] {
            press(&world, &id, again).await;
        }
        assert_eq!(world.verify(&id).await["status"], status);
        assert_eq!(world.receiver.wait_for(1).await[0].event(), event);
    }
}

#[tokio::test]
async fn the_rail_that_was_chosen_is_the_one_that_was_used() {
    let world = World::new().await;
    let id = world.payment().await;
    press(&world, &id, "pay").await;
    assert_eq!(world.verify(&id).await["capture"]["method"]["short_code"], "mtn_gn");
}

#[tokio::test]
async fn text_from_the_merchant_stays_text() {
    let world = World::new().await;
    let mut body = ask();
    body["description"] = json!("<script>alert(1)</script>");
    body["return_url"] = json!("https://app.cauris.test/\"><script>");
    let (_, answer) = world.post("/v1/payments/initialize", &body).await;
    let id = answer["data"]["id"].as_str().expect("an id").to_owned();
    let html = page(&world, &format!("/checkout/{id}")).await.1 + &press(&world, &id, "pay").await;
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
}

#[tokio::test]
async fn an_unknown_payment_has_a_page_that_says_so_and_the_front_lists_the_known_ones() {
    let world = World::new().await;
    assert_eq!(page(&world, "/checkout/nobody").await.0, 404);
    assert!(page(&world, "/").await.1.contains("No payment yet"));
    let id = world.payment().await;
    assert!(page(&world, "/").await.1.contains(&format!("/checkout/{id}")));
}
