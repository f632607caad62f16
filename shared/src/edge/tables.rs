//! Lists, through the `postgrest` crate's builder. Only the functions that call this link it.

use crate::contract::User;
use crate::cx::Cx;
use crate::error::Answer;

/// The rows of an `api` view that the caller may see, as JSON: `columns` of `table` where `filter` equals a value.
///
/// # Errors
/// 503 when the gateway does not answer; ours when it refuses.
#[cfg(target_arch = "wasm32")]
pub async fn list(cx: &Cx<User>, table: &str, columns: &str, filter: (&str, &str)) -> Answer<String> {
    use super::config;
    use crate::error::{ApiError, UNAVAILABLE};

    let config = config::current().ok_or_else(|| ApiError::internal("a list is read inside a request"))?;
    // The token was verified before it came here: the crate panics on bytes that no header may hold.
    let rows = postgrest::Postgrest::new(config.postgrest_url.as_str())
        .from(table)
        .auth(&cx.caller.token)
        .select(columns)
        .eq(filter.0, filter.1)
        .execute()
        .await
        .map_err(|_| ApiError::from(UNAVAILABLE))?;
    let status = rows.status().as_u16();
    let text = rows.text().await.map_err(|_| ApiError::from(UNAVAILABLE))?;
    if status == 401 {
        // Expired within our clock's tolerance, and outside the gateway's.
        return Err(crate::error::UNAUTHENTICATED.into());
    }
    if status == 200 { Ok(text) } else { Err(ApiError::internal(format!("list of {table}: {status}"))) }
}

/// On the host there is no gateway to ask; tests of a list go through the stack.
///
/// # Errors
/// Always.
#[cfg(not(target_arch = "wasm32"))]
pub async fn list(_: &Cx<User>, _: &str, _: &str, _: (&str, &str)) -> Answer<String> {
    Err(crate::error::UNAVAILABLE.into())
}
