//! The page where the customer pays: plain HTML, no script, no foreign asset, readable on a small phone.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::money::readable;
use crate::payments::{self, Moved};
use crate::rails::page;
use crate::records::{Hand, Payment, Status};
use crate::state::Sandbox;

const STYLE: &str = "
*{box-sizing:border-box}body{margin:0;background:#f4f1ea;color:#1d1b16;font:17px/1.5 system-ui,sans-serif}
main{max-width:26rem;margin:0 auto;padding:1.25rem}section{background:#fff;border-radius:14px;padding:1.25rem}
h1{font-size:1.15rem;margin:0 0 .25rem}.amount{font-size:2.1rem;font-weight:700;margin:.5rem 0;overflow-wrap:anywhere}
p{margin:.5rem 0;overflow-wrap:anywhere}.note{color:#6b6558;font-size:.85rem}
select,button,.button{display:block;width:100%;min-height:48px;margin:.6rem 0;padding:.6rem 1rem;border-radius:10px;
font:inherit;text-align:center}select{border:1px solid #b9b2a3;background:#fff;text-align:left}
button,.button{border:0;cursor:pointer;font-weight:600;text-decoration:none}
#pay,#return{background:#0b6b3a;color:#fff}#fail{background:#8f1d1d;color:#fff}#cancel{background:#e6e0d2;color:#1d1b16}
button:focus-visible,a:focus-visible,select:focus-visible{outline:3px solid #1b5fd9;outline-offset:2px}
li{margin:.3rem 0}";

/// No script, no foreign asset, in nobody's frame; forms post back to us only.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub async fn page(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>) -> Response {
    let payment = sandbox.books().payment(&id).cloned();
    match payment {
        Some(payment) if payment.status.is_final() => document(StatusCode::OK, "Payment", &ended(&sandbox, &payment)),
        Some(payment) => document(StatusCode::OK, "Payment", &open(&sandbox, &payment)),
        None => unknown(),
    }
}

/// A button was pressed. Pressed twice, or after the end, it changes nothing: the page then shows what is.
pub async fn press(
    State(sandbox): State<Arc<Sandbox>>,
    Path((id, button)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let to = match button.as_str() {
        "pay" => Status::Success,
        "fail" => Status::Failed,
        "cancel" => Status::Cancelled,
        _ => return unknown(),
    };
    match payments::advance(&sandbox, &id, to, Hand::Customer, chosen_rail(&sandbox, &id, &body), false) {
        Moved::Unknown => unknown(),
        Moved::Done(_) | Moved::Refused(_) => Redirect::to(&format!("/checkout/{id}")).into_response(),
    }
}

/// The rail of the form, if it is one that the page offered.
fn chosen_rail(sandbox: &Sandbox, id: &str, body: &[u8]) -> Option<String> {
    let form = reqwest::Url::parse(&format!("http://form/?{}", std::str::from_utf8(body).ok()?)).ok()?;
    let chosen = form.query_pairs().find(|(name, _)| name == "method")?.1.into_owned();
    let rails = sandbox.books().payment(id)?.rails();
    rails.iter().any(|rail| rail.0 == chosen).then_some(chosen)
}

/// For developers: what there is to click.
pub async fn front(State(sandbox): State<Arc<Sandbox>>) -> Response {
    let books = sandbox.books();
    let mut rows: Vec<(u64, String)> = books.payments.values().map(|payment| (payment.seq, row(payment))).collect();
    rows.extend(books.rails.values().map(|payment| (payment.seq, page::row(payment))));
    drop(books);
    rows.sort_by_key(|(seq, _)| std::cmp::Reverse(*seq));
    let rows: String = rows.into_iter().take(50).map(|(_, row)| row).collect();
    let list = if rows.is_empty() { "<p>No payment yet.</p>".to_owned() } else { format!("<ul>{rows}</ul>") };
    let text = format!("<h1>Payment sandbox</h1><p class=\"note\">No real money. In memory only.</p>{list}");
    document(StatusCode::OK, "Payment sandbox", &text)
}

fn row(payment: &Payment) -> String {
    let (id, amount) = (escape(&payment.id), escape(&readable(payment.amount, &payment.currency)));
    format!("<li><a href=\"/checkout/{id}\">{id}</a> {amount}, {}</li>", payment.status.name())
}

fn open(sandbox: &Sandbox, payment: &Payment) -> String {
    let id = escape(&payment.id);
    let options: String = payment
        .rails()
        .iter()
        .map(|(code, name)| format!("<option value=\"{}\">{}</option>", escape(code), escape(name)))
        .collect();
    let rails = if options.is_empty() {
        String::new()
    } else {
        format!("<label for=\"method\">Pay with</label><select id=\"method\" name=\"method\">{options}</select>")
    };
    let address = format!("/checkout/{id}");
    format!(
        "{}{}{}{}<p class=\"note\">Sandbox: no real money moves.</p>",
        bill(sandbox, payment),
        button(&address, "pay", "Pay", &rails),
        button(&address, "fail", "Fail", ""),
        button(&address, "cancel", "Cancel", "")
    )
}

pub fn button(address: &str, name: &str, label: &str, inside: &str) -> String {
    format!(
        "<form method=\"post\" action=\"{}/{name}\">{inside}<button id=\"{name}\" type=\"submit\">{label}</button></form>",
        escape(address)
    )
}

fn ended(sandbox: &Sandbox, payment: &Payment) -> String {
    let sentence = match payment.status {
        Status::Success => "Payment successful",
        Status::Failed => "Payment failed",
        _ => "Payment cancelled",
    };
    // A link, not a redirect: in development nothing may be listening at the return address.
    let back = payment.return_link().map_or_else(String::new, |url| {
        let name = escape(&sandbox.merchant);
        format!("<a class=\"button\" id=\"return\" rel=\"noreferrer\" href=\"{}\">Back to {name}</a>", escape(&url))
    });
    let status = payment.status.name();
    format!("<h1 id=\"result\" data-status=\"{status}\">{sentence}</h1>{}{back}", bill(sandbox, payment))
}

fn bill(sandbox: &Sandbox, payment: &Payment) -> String {
    format!(
        "<p id=\"merchant\">{}</p><p class=\"amount\" id=\"amount\" data-amount=\"{}\" data-currency=\"{}\">{}</p>\
         <p id=\"description\">{}</p><p class=\"note\">{} {} · {}</p>",
        escape(&sandbox.merchant),
        payment.amount,
        escape(&payment.currency),
        escape(&readable(payment.amount, &payment.currency)),
        escape(&payment.description),
        escape(&payment.customer.first_name),
        escape(&payment.customer.last_name),
        escape(&payment.id)
    )
}

pub fn unknown() -> Response {
    document(StatusCode::NOT_FOUND, "Unknown payment", "<h1>This payment does not exist, or is too old.</h1>")
}

pub fn document(status: StatusCode, title: &str, text: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head>\
         <body><main><section>{text}</section></main></body></html>",
        escape(title)
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, Html(html)).into_response()
}

pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_become_markup() {
        assert_eq!(escape(r#"<b a="x">'&"#), "&lt;b a=&quot;x&quot;&gt;&#39;&amp;");
    }

    #[test]
    fn the_return_link_keeps_the_query_of_the_merchant() {
        let mut payment = Payment { id: "abc".into(), status: Status::Success, ..Payment::fresh() };
        for (return_url, expected) in [
            ("https://a.test/r", Some("https://a.test/r?paymentId=abc&paymentStatus=success")),
            ("https://a.test/r?x=1#top", Some("https://a.test/r?x=1&paymentId=abc&paymentStatus=success#top")),
            ("javascript:alert(1)", None),
            ("", None),
        ] {
            payment.return_url = return_url.into();
            assert_eq!(payment.return_link().as_deref(), expected);
        }
    }
}
