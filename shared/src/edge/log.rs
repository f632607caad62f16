//! One JSON line per request (N80): no body, no token, no address, no name; a user is a hash.

use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::contract::Spec;
use crate::cx::World;
use crate::error::ApiError;

pub struct Line<'a> {
    pub world: &'a World,
    pub spec: &'a Spec,
    pub status: u16,
    pub error: Option<&'a ApiError>,
    pub user: Option<Uuid>,
    pub ended_ms: u64,
}

fn pseudonym(user: Uuid) -> String {
    Sha256::digest(user.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

pub fn write(line: &Line<'_>) {
    let problem = line.error.map(ApiError::problem);
    let cause = match line.error {
        Some(ApiError::Internal(cause)) => Some(cause.as_str()),
        _ => None,
    };
    let text = json!({
        "time": line.ended_ms, "request_id": line.world.request_id, "function": line.spec.name, "alias": line.world.invoked_as,
        "status": line.status, "code": problem.map(|p| p.code), "ms": line.ended_ms.saturating_sub(line.world.now_ms),
        "user": line.user.map(pseudonym), "cause": cause,
    })
    .to_string();
    if cause.is_some() { worker::console_error!("{text}") } else { worker::console_log!("{text}") }
}
