//! Sends by the clock. A request waits for no other: when every connection is busy a new one is opened. Its latency counts from
//! the moment it was meant to be sent, so that a pause of whoever answers is seen by all who would have come in it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::runtime::Handle;

use crate::contract;
use crate::load::{Feed, Lane};
use crate::stats::percentile;

/// Lanes that have wallets of their own; of more at once two may meet at one row, as strangers do.
pub const LANES: usize = 50;
/// Open before the first arrival.
const READY: usize = 16;
/// Between setting up and the first arrival.
const LEAD: Duration = Duration::from_millis(20);

/// What one turn saw; latencies are sorted.
pub struct Shots {
    pub latencies: Vec<Duration>,
    /// How late 99 of 100 were sent at most: the load's own share of their latency.
    pub late: Duration,
    /// Connections that it took.
    pub lanes: usize,
}

/// Connections that nobody uses at the moment.
struct Pool {
    addr: SocketAddr,
    idle: Mutex<Vec<(usize, Lane)>>,
    opened: Mutex<usize>,
}

impl Pool {
    async fn open(addr: SocketAddr) -> Result<Self> {
        let mut idle = Vec::new();
        // The first is on top, so that few are used where few are enough.
        for number in (0..READY).rev() {
            idle.push((number, Lane::open(addr).await?));
        }
        Ok(Self { addr, idle: Mutex::new(idle), opened: Mutex::new(READY) })
    }

    async fn take(&self) -> Result<(usize, Lane)> {
        let idle = self.idle.lock().expect("nobody panics with it").pop();
        if let Some(lane) = idle {
            return Ok(lane);
        }
        let number = {
            let mut opened = self.opened.lock().expect("nobody panics with it");
            *opened += 1;
            *opened - 1
        };
        Ok((number, Lane::open(self.addr).await?))
    }

    fn give(&self, lane: (usize, Lane)) {
        self.idle.lock().expect("nobody panics with it").push(lane);
    }
}

pub async fn fire(addr: SocketAddr, feed: &Arc<dyn Feed>, times: Vec<Duration>) -> Result<Shots> {
    ensure!(!times.is_empty(), "nobody arrives: the rate is too low for the time");
    let pool = Arc::new(Pool::open(addr).await?);
    let runtime = Handle::current();
    // On a thread of its own: a timer of the runtime looks at its clock once in a millisecond.
    let clock = {
        let (pool, feed) = (Arc::clone(&pool), Arc::clone(feed));
        tokio::task::spawn_blocking(move || {
            let start = Instant::now() + LEAD;
            let send = |at: Duration| {
                let due = start + at;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                runtime.spawn(one(Arc::clone(&pool), Arc::clone(&feed), due))
            };
            times.into_iter().map(send).collect::<Vec<_>>()
        })
    };
    let (mut latencies, mut late) = (Vec::new(), Vec::new());
    for shot in clock.await? {
        let (latency, behind) = shot.await??;
        latencies.push(latency);
        late.push(behind);
    }
    latencies.sort_unstable();
    late.sort_unstable();
    let lanes = *pool.opened.lock().expect("nobody panics with it");
    Ok(Shots { latencies, late: percentile(&late, 99), lanes })
}

/// Latency from when it was due, and how late it was sent.
async fn one(pool: Arc<Pool>, feed: Arc<dyn Feed>, due: Instant) -> Result<(Duration, Duration)> {
    let (number, mut lane) = pool.take().await?;
    let request = feed.next(number % LANES)?;
    let late = due.elapsed();
    let reply = lane.send(request).await.context("a connection broke")?;
    let latency = due.elapsed();
    contract::answered(&reply)?;
    pool.give((number, lane));
    Ok((latency, late))
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::Request;
    use hyper::body::Bytes;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    struct Empty;

    impl Feed for Empty {
        fn next(&self, lane: usize) -> Result<Request<Full<Bytes>>> {
            assert!(lane < LANES, "there is no wallet for lane {lane}");
            Ok(Request::post("/").header("host", "localhost").body(Full::default())?)
        }
    }

    /// Answers one request at a time, whoever asks, and pauses before the first.
    async fn server(pause: Duration, answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let turn = Arc::new(tokio::sync::Mutex::new(pause));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let turn = Arc::clone(&turn);
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                        let mut pause = turn.lock().await;
                        tokio::time::sleep(std::mem::take(&mut *pause)).await;
                        if stream.write_all(answer).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        addr
    }

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    async fn shots(pause_ms: u64, answer: &'static [u8], count: u64) -> Result<Shots> {
        let addr = server(Duration::from_millis(pause_ms), answer).await;
        let times = (0..count).map(|n| Duration::from_millis(n * 10)).collect();
        fire(addr, &(Arc::new(Empty) as Arc<dyn Feed>), times).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn everybody_who_comes_in_a_pause_is_seen_to_wait_for_its_end() {
        let shots = shots(400, OK, 30).await.expect("all succeed");
        assert_eq!(shots.latencies.len(), 30);
        // Meant for 0, 10, … 290 ms, and all answered from 400 ms on: a closed loop would have seen one slow answer.
        assert!(shots.latencies[0] >= Duration::from_millis(105), "{:?}", shots.latencies);
        let median = percentile(&shots.latencies, 50);
        assert!(median >= Duration::from_millis(250), "{median:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_busy_connection_delays_nobody() {
        let shots = shots(400, OK, 30).await.expect("all succeed");
        assert!(shots.lanes > READY, "{} lanes, sent {:?} late", shots.lanes, shots.late);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_refusal_fails_the_turn() {
        let error = shots(0, b"HTTP/1.1 429 Too Many\r\ncontent-length: 2\r\n\r\nno", 2).await.err().expect("refused");
        assert!(error.to_string().contains("429"), "{error}");
    }

    #[tokio::test]
    async fn no_arrival_at_all_is_a_mistake() {
        assert!(shots(0, OK, 0).await.is_err());
    }
}
