//! A closed loop over HTTP/1.1 with keep-alive: each lane has one connection and one request under way.
//! Anything but a 2xx ends the run: a figure for refusals would be a figure for nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What a lane sends next. Lanes number from zero, turns count up for the whole life of the feed.
pub trait Feed: Send + Sync {
    fn next(&self, lane: usize) -> Result<Request<Full<Bytes>>>;
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// One keep-alive connection.
pub struct Lane(SendRequest<Full<Bytes>>);

impl Lane {
    pub async fn open(addr: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(addr).await.with_context(|| format!("nobody listens on {addr}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Reply> {
        self.0.ready().await.context("the connection was closed")?;
        let (head, body) = self.0.send_request(request).await?.into_parts();
        Ok(Reply { status: head.status, headers: head.headers, body: body.collect().await?.to_bytes() })
    }
}

/// What one round saw; latencies are sorted.
pub struct Round {
    pub elapsed: Duration,
    pub latencies: Vec<Duration>,
}

impl Round {
    pub fn done(&self) -> usize {
        self.latencies.len()
    }
}

/// Connections opened before the clock starts.
pub struct Lanes(Vec<Lane>);

impl Lanes {
    pub async fn open(addr: SocketAddr, count: usize) -> Result<Self> {
        let mut lanes = Vec::with_capacity(count);
        for _ in 0..count {
            lanes.push(Lane::open(addr).await?);
        }
        Ok(Self(lanes))
    }

    /// Fires for `span`, then waits for what is under way, so that every request counted is complete.
    pub async fn fire(self, feed: &Arc<dyn Feed>, span: Duration) -> Result<Round> {
        let start = Instant::now();
        let running: Vec<_> = (self.0.into_iter().enumerate())
            .map(|(number, lane)| tokio::spawn(drive(lane, number, Arc::clone(feed), start + span)))
            .collect();
        let mut latencies = Vec::new();
        for lane in running {
            latencies.extend(lane.await??);
        }
        let elapsed = start.elapsed();
        ensure!(!latencies.is_empty(), "not one request was answered in {} s", span.as_secs());
        latencies.sort_unstable();
        Ok(Round { elapsed, latencies })
    }
}

async fn drive(mut lane: Lane, number: usize, feed: Arc<dyn Feed>, end: Instant) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while Instant::now() < end {
        let request = feed.next(number)?;
        let sent = Instant::now();
        let reply = lane.send(request).await?;
        latencies.push(sent.elapsed());
        if !reply.status.is_success() {
            return Err(anyhow!("answered {}: {}", reply.status, String::from_utf8_lossy(&reply.body)));
        }
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    struct Empty;

    impl Feed for Empty {
        fn next(&self, _lane: usize) -> Result<Request<Full<Bytes>>> {
            Ok(Request::post("/").header("host", "localhost").body(Full::default())?)
        }
    }

    /// Answers every request on every connection with the same bytes.
    async fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                        if stream.write_all(answer).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        addr
    }

    async fn fire(answer: &'static [u8]) -> Result<Round> {
        let lanes = Lanes::open(server(answer).await, 2).await?;
        lanes.fire(&(Arc::new(Empty) as Arc<dyn Feed>), Duration::from_millis(50)).await
    }

    #[tokio::test]
    async fn every_answer_is_timed_and_the_times_are_sorted() {
        let round = fire(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("all succeed");
        assert!(round.done() > 2 && round.elapsed >= Duration::from_millis(50), "{} answers", round.done());
        assert!(round.latencies.is_sorted());
    }

    #[tokio::test]
    async fn one_refusal_fails_the_round_and_is_quoted() {
        let error =
            fire(b"HTTP/1.1 409 Conflict\r\ncontent-length: 4\r\n\r\nnope").await.err().expect("it was refused");
        assert!(error.to_string().contains("409") && error.to_string().contains("nope"), "{error}");
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        drop(listener);
        let error = Lane::open(addr).await.err().expect("refused");
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
    }
}
