//! Calls that are going on: their bodies have not come yet.

use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::call::Reply;
use crate::world::World;

/// A call that was let in and is not answered: its body has not come yet.
struct Held(TcpStream);

impl Held {
    async fn begin(w: &World, function: &str, header: &str) -> Held {
        let host: SocketAddr = w.api.trim_start_matches("http://").parse().expect("an address");
        let mut socket = TcpStream::connect(host).await.expect("the stack listens");
        let head = format!(
            "POST /functions/v1/{function} HTTP/1.1\r\nhost: {host}\r\n{header}\r\ncontent-type: application/json\r\n\
             content-length: 2\r\nconnection: close\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.expect("sent");
        Held(socket)
    }

    /// The status line of its answer.
    async fn end(mut self) -> String {
        self.0.write_all(b"{}").await.expect("sent");
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).await.expect("an answer");
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    }
}

/// Of `most` calls that are going on, one more is too many; when they have ended, it is not.
pub async fn at_the_same_time(w: &'static World, most: usize, held: (&str, &str), call: impl AsyncFn() -> Reply) {
    let mut inside = Vec::new();
    for _ in 0..most {
        inside.push(Held::begin(w, held.0, held.1).await);
    }
    let full = async || {
        let reply = call().await;
        if reply.status != 429 {
            // It may have taken the place of one that came a moment later.
            inside.push(Held::begin(w, held.0, held.1).await);
            return None;
        }
        Some(reply)
    };
    let refusal = w.eventually("as many are inside as may be", full).await;
    assert_eq!(refusal.refused(429, "RATE_LIMITED")["details"], json!({ "retry_after": 1 }));
    let answers: Vec<_> = futures_util::future::join_all(inside.into_iter().map(Held::end)).await;
    let let_in = answers.iter().filter(|answer| !answer.contains(" 429 ")).count();
    assert_eq!(let_in, most, "{answers:?}");
    w.eventually("there is room again", async || (call().await.status != 429).then_some(())).await;
}
