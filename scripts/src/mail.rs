//! The mail of the local stack: what the outbox would send, on a page with links to click. Nothing leaves the machine.
//!
//! `/` for people, `/api/v1/messages` for tests (`?to=awa@example.com` for one address). Both read the database when they
//! are asked, so a mail is here as soon as the command that wrote it has committed, and a restarted database is no matter.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::postgres;

/// Where `supabase start` has its mail page too.
pub const PORT: u16 = 54324;

/// How many of the newest are shown.
const SHOWN: i64 = 200;

/// No script, no foreign asset, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = "
*{box-sizing:border-box}body{margin:0;background:#f4f1ea;color:#1d1b16;font:17px/1.5 system-ui,sans-serif}
main{max-width:44rem;margin:0 auto;padding:1.25rem}h1{font-size:1.15rem}ul{list-style:none;margin:0;padding:0}
li{background:#fff;border-radius:14px;padding:1rem;margin:.6rem 0;overflow-wrap:anywhere}
.note{color:#6b6558;font-size:.85rem}a{color:#0b6b3a}a:focus-visible{outline:3px solid #1b5fd9;outline-offset:2px}";

/// A running page. Dropping it stops it without waiting; `stop` waits.
pub struct Handle {
    pub addr: SocketAddr,
    /// Dropped, it closes the server.
    close: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Handle {
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops accepting, and returns when the port is free.
    pub async fn stop(self) {
        let Self { close, mut server, .. } = self;
        drop(close);
        // A browser that keeps its connection open must not keep us: after a moment the server is dropped.
        if tokio::time::timeout(Duration::from_secs(2), &mut server).await.is_err() {
            server.abort();
        }
    }
}

/// Binds `addr` (port 0 picks a free one) and serves on a task of the current runtime. The database is asked per request.
pub async fn serve(addr: SocketAddr, db_url: &str) -> Result<Handle> {
    let listener = TcpListener::bind(addr).await.with_context(|| format!("the mail page cannot listen on {addr}"))?;
    let addr = listener.local_addr()?;
    let (close, closed) = oneshot::channel::<()>();
    let server = axum::serve(listener, router(db_url)).with_graceful_shutdown(async {
        // Nothing is ever sent: what is awaited is the other end's drop.
        let _dropped = closed.await;
    });
    Ok(Handle { addr, close, server: tokio::spawn(async move { server.await }) })
}

fn router(db_url: &str) -> Router {
    let db_url: Arc<str> = db_url.into();
    Router::new().route("/", get(page)).route("/api/v1/messages", get(messages)).with_state(db_url)
}

#[derive(Debug, Serialize)]
struct Message {
    id: String,
    to: String,
    subject: String,
    link: Option<String>,
    created_at: String,
}

#[derive(Deserialize)]
struct Wanted {
    to: Option<String>,
}

/// The newest first. A mail whose link has been removed stays on the list.
async fn newest(db_url: &str, to: Option<&str>) -> Result<Vec<Message>> {
    let client = postgres::connect(db_url).await?;
    let sql = "select id::text, payload ->> 'to', payload ->> 'subject', payload ->> 'link', \
                      to_char(created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') \
                 from core.outbox \
                where channel = 'email' and ($1::text is null or lower(payload ->> 'to') = lower($1)) \
                order by created_at desc, id limit $2";
    let rows = client.query(sql, &[&to, &SHOWN]).await.map_err(|error| anyhow::anyhow!(postgres::causes(&error)))?;
    let text = |row: &tokio_postgres::Row, column| row.get::<_, Option<String>>(column).unwrap_or_default();
    let message = |row: &tokio_postgres::Row| Message {
        id: text(row, 0),
        to: text(row, 1),
        subject: text(row, 2),
        link: row.get(3),
        created_at: text(row, 4),
    };
    Ok(rows.iter().map(message).collect())
}

async fn messages(State(db_url): State<Arc<str>>, Query(wanted): Query<Wanted>) -> Response {
    match newest(&db_url, wanted.to.as_deref()).await {
        Ok(found) => ([(header::CACHE_CONTROL, "no-store")], Json(json!({ "messages": found }))).into_response(),
        Err(error) => {
            let body = json!({ "code": "DEPENDENCY_UNAVAILABLE", "message": format!("{error:#}") });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn page(State(db_url): State<Arc<str>>, Query(wanted): Query<Wanted>) -> Response {
    match newest(&db_url, wanted.to.as_deref()).await {
        Ok(found) => document(StatusCode::OK, &list(&found)),
        Err(error) => document(StatusCode::SERVICE_UNAVAILABLE, &format!("<p>{}</p>", escape(&format!("{error:#}")))),
    }
}

fn list(messages: &[Message]) -> String {
    if messages.is_empty() {
        return "<p>No mail yet.</p>".into();
    }
    format!("<ul>{}</ul>", messages.iter().map(item).collect::<String>())
}

fn item(message: &Message) -> String {
    let link = match message.link.as_deref() {
        Some(link) if link.starts_with("https://") || link.starts_with("http://") => {
            format!("<p><a rel=\"noreferrer\" href=\"{0}\">{0}</a></p>", escape(link))
        }
        // Shown, but a click must not run it.
        Some(link) => format!("<p>{}</p>", escape(link)),
        None => String::new(),
    };
    format!(
        "<li><strong>{}</strong> <span class=\"note\">to {} at {}</span>{link}</li>",
        escape(&message.subject),
        escape(&message.to),
        escape(&message.created_at)
    )
}

fn document(status: StatusCode, text: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Mail</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head>\
         <body><main><h1>Mail</h1><p class=\"note\">Nothing leaves this machine.</p>{text}</main></body></html>"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, Html(html)).into_response()
}

fn escape(text: &str) -> String {
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
    use std::net::Ipv4Addr;

    use super::*;

    fn message(subject: &str, link: Option<&str>) -> Message {
        let (id, to, created_at) = ("1".into(), "awa@example.com".into(), "2026-11-21T10:00:00.000000Z".into());
        Message { id, to, subject: subject.into(), link: link.map(Into::into), created_at }
    }

    #[test]
    fn a_link_can_be_clicked_and_what_is_no_page_cannot() {
        for (link, expected) in [
            (Some("https://x.test/?a=1&b=2"), "href=\"https://x.test/?a=1&amp;b=2\">https://x.test/?a=1&amp;b=2</a>"),
            (Some("http://127.0.0.1:3000"), "href=\"http://127.0.0.1:3000\">"),
            (Some("javascript:alert(1)"), "<p>javascript:alert(1)</p>"),
            (Some("https://x.test/\"onclick=\"y"), "href=\"https://x.test/&quot;onclick=&quot;y\">"),
            (None, "Z</span></li>"),
        ] {
            let item = item(&message("Hello", link));
            assert!(item.contains(expected), "{item}");
            assert_eq!(item.contains("href=\""), link.is_some_and(|link| link.starts_with("http")), "{item}");
        }
    }

    #[test]
    fn what_a_stranger_wrote_is_text() {
        let shown = list(&[message("<img src=x onerror='y'>", None)]);
        assert!(shown.contains("<strong>&lt;img src=x onerror=&#39;y&#39;&gt;</strong>"), "{shown}");
        assert_eq!(list(&[]), "<p>No mail yet.</p>");
    }

    #[tokio::test]
    async fn without_a_database_it_says_so_without_the_password_and_stops_when_told() {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mail = serve(free, "postgres://me:secret@127.0.0.1:1/x").await.expect("a free port");
        let url = mail.url();
        for path in ["/", "/api/v1/messages?to=awa@example.com"] {
            let reply = reqwest::get(format!("{url}{path}")).await.expect("an answer");
            assert_eq!(reply.status(), 503, "{path}");
            let text = reply.text().await.expect("a body");
            assert!(text.contains("no database at postgres://me@127.0.0.1:1/x") && !text.contains("secret"), "{text}");
        }
        mail.stop().await;
        assert!(reqwest::get(url).await.is_err(), "the port is still served");
    }
}
