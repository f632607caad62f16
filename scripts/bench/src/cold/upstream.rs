//! A stand-in for PostgREST that answers at once, whoever asks: a prepared receipt, and no published keys.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const RECEIPT: &str = r#"{"success":true,"new_balance":1000,"fee":1}"#;
const KEYS: &str = r#"{"keys":[]}"#;

/// Ends when it is dropped.
pub struct Upstream {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Upstream {
    pub async fn serve() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream));
            }
        });
        Ok(Self { addr, task })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn talk(stream: TcpStream) {
    // The process at the other end is killed in the middle of its connections.
    let _ = Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = if request.uri().path().ends_with("/jwks") { KEYS } else { RECEIPT };
    let _ = request.into_body().collect().await;
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Lane;

    #[tokio::test]
    async fn a_command_gets_a_receipt_and_a_question_for_keys_gets_none() {
        let upstream = Upstream::serve().await.expect("a port");
        let mut lane = Lane::open(upstream.addr).await.expect("it listens");
        for (path, expected) in [("/rpc/wallet_operations", RECEIPT), ("/rpc/jwks", KEYS)] {
            let request = Request::post(path).header("host", "localhost").body(Full::from("{}")).expect("a request");
            let reply = lane.send(request).await.expect("an answer");
            assert_eq!((reply.status.as_u16(), &*reply.body), (200, expected.as_bytes()), "{path}");
        }
    }
}
