//! `/rest/v1`: PostgREST with the caller's own role, the headers of its protocol, and nothing else.

use uuid::Uuid;
use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::Env;

use super::keys::{self, Credential, Header, Hint, Sent};
use super::relay::{self, Onward};
use super::said::{Said, said};
use super::{Back, climbs};
use crate::contract::{Contract, Limit, Spec};
use crate::edge::config::{self, Config};
use crate::edge::js::{self, Head};
use crate::edge::limits::Gate;
use crate::edge::{cors, pause, tokens};
use crate::error::{
    Answer, ApiError, METHOD_NOT_ALLOWED, NOT_CONFIGURED, NOT_FOUND, Problem, UNAUTHENTICATED, UNAVAILABLE,
};
use crate::json::quoted;
use crate::limits::Who;

/// What goes along. Profiles stay behind (one schema is exposed), and so does whatever a client could use to speak for
/// somebody else: `sb-*`, `x-forwarded-*`, `x-relay-error`.
const CARRIED: &str =
    "accept\0content-type\0range\0range-unit\0if-none-match\0x-client-info\0x-retry-count\0traceparent";
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"];
const TIMEOUT_MS: u32 = 10_000;

/// Reads are anybody's calls; a command may move money, by whatever road it comes.
static READS: Spec = Contract::post("rest").limit(Limit::Default).spec;
static COMMANDS: Spec = Contract::post("rest").limit(Limit::Payment).spec;

/// Passes `/rest/v1<rest>` on.
pub async fn rest(req: &Request, env: &Env, rest: &str) -> Response {
    let config = config::of(env);
    let asked = js::asked(req);
    let mut back = Back::to(&config, &asked);
    if asked.method == "OPTIONS" {
        return cors::preflight(&config, req, &back.request_id);
    }
    let command = asked.method == "POST" && rest.starts_with("/rpc/");
    let gate = Gate::of(env, if command { &COMMANDS } else { &READS });
    let answer = passed(req, &config, &asked, &gate, &back.request_id, rest).await;
    let mut told = Head::new(0);
    gate.leave(&mut told);
    told.joined().clone_into(&mut back.limits);
    match answer {
        Ok((response, text)) => relay::back(&back, &response, text.as_deref(), cors::PRIVATE),
        Err(error) => {
            if let ApiError::Internal(cause) = &error {
                let (cause, id) = (quoted(cause), quoted(&back.request_id));
                worker::console_error!("{{\"cause\":{cause},\"function\":\"rest\",\"request_id\":{id}}}");
            }
            back.refusal(&error)
        }
    }
}

/// An answer, and what takes the place of its body.
type Passed = (Response, Option<String>);

async fn passed(
    req: &Request,
    config: &Config,
    asked: &js::Asked,
    gate: &Gate,
    request_id: &str,
    rest: &str,
) -> Answer<Passed> {
    if !METHODS.contains(&asked.method.as_str()) {
        return Err(METHOD_NOT_ALLOWED.into());
    }
    if climbs(rest) {
        return Err(NOT_FOUND.into());
    }
    let sent = req.headers();
    let apikey = js::header(&sent, "apikey");
    let who = Sent {
        apikey: apikey.as_deref(),
        authorization: asked.authorization.as_deref(),
        user_agent: asked.user_agent.as_deref(),
    };
    let caller = caller(config, who).await?;
    let address = asked.address.as_deref().unwrap_or_default();
    gate.enter(&Who { user: caller.user, internal: caller.internal, address }, "").await?;

    let (prefer, bearer) = (js::header(&sent, "prefer").map(|prefer| preferred(&prefer)), caller.bearer());
    let mut ours = vec![("x-request-id", request_id)];
    ours.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    ours.extend(prefer.as_deref().filter(|prefer| !prefer.is_empty()).map(|prefer| ("prefer", prefer)));
    let reads = matches!(asked.method.as_str(), "GET" | "HEAD");
    let body = if reads { JsValue::NULL } else { req.body().map_or(JsValue::NULL, Into::into) };
    let url = format!("{}{rest}", config.postgrest_url);
    let onward = Onward { url, kept: CARRIED.to_owned(), ours, body, timeout_ms: TIMEOUT_MS };
    exchange(req, &onward, &asked.method, reads).await
}

/// Asks, and asks a read once more when the reason passes: a migration was just applied, or two transactions met.
async fn exchange(req: &Request, onward: &Onward<'_>, method: &str, reads: bool) -> Answer<Passed> {
    let mut again = reads;
    loop {
        let response = relay::send(req, onward).await.ok_or_else(|| ApiError::from(UNAVAILABLE))?;
        let status = response.status();
        if status < 400 || method == "HEAD" {
            return Ok((response, None));
        }
        let body = js::read(&response).await.unwrap_or_default();
        match said(status, &body) {
            Said::Again(_) if again => {
                again = false;
                pause(1).await;
            }
            Said::Pass | Said::Again(None) => return Ok((response, Some(body))),
            Said::Instead(body) => return Ok((response, Some(body))),
            Said::Again(Some(error)) | Said::Refused(error) => return Err(error),
        }
    }
}

/// Who the caller is to PostgREST.
struct Caller<'a> {
    user: Option<Uuid>,
    /// One of our own backends: counted as such, and only when its key was checked here.
    internal: bool,
    token: Option<&'a str>,
}

impl<'a> Caller<'a> {
    fn stranger(token: Option<&'a str>) -> Self {
        Self { user: None, internal: false, token }
    }

    fn backend(token: &'a str) -> Self {
        Self { user: None, internal: true, token: Some(token) }
    }

    fn bearer(&self) -> Option<String> {
        self.token.map(|token| ["Bearer ", token].concat())
    }
}

async fn caller<'a>(config: &'a Config, sent: Sent<'a>) -> Answer<Caller<'a>> {
    let (publishable, secret) = (&config.publishable_keys, &config.identity.secret_keys);
    match keys::credential(sent, publishable, secret).map_err(unauthenticated)? {
        Credential::Nobody => Ok(Caller::stranger(None)),
        Credential::Anon => Ok(Caller::stranger(Some(config.anon_key.as_str()).filter(|key| !key.is_empty()))),
        Credential::Service if config.service_key.is_empty() => Err(NOT_CONFIGURED.into()),
        Credential::Service => Ok(Caller::backend(config.service_key.expose())),
        Credential::Legacy(token) if config.service_key.equals(token) => Ok(Caller::backend(token)),
        Credential::Legacy(token) => Ok(Caller::stranger(Some(token))),
        Credential::User(token, header) => match tokens::verify(token, config, js::now_ms()).await {
            Ok(verified) => Ok(Caller { user: Some(verified.user), internal: false, token: Some(token) }),
            Err(_) if header == Header::ApiKey => Err(unauthenticated(keys::BAD_API_TOKEN)),
            Err(_) => Err(unauthenticated(keys::BAD_USER_TOKEN)),
        },
    }
}

fn unauthenticated(hint: Hint) -> ApiError {
    let mut no = Problem::from(UNAUTHENTICATED);
    no.hint = Some(hint.to_owned());
    ApiError::Refused(Box::new(no))
}

/// A client may not ask for its own transaction to be rolled back, or for another time zone's arithmetic.
fn preferred(prefer: &str) -> String {
    let kept = prefer.split(',').map(str::trim).filter(|wish| {
        let wish = wish.to_ascii_lowercase();
        let name = wish.split('=').next().unwrap_or_default().trim_end();
        !matches!(name, "tx" | "timezone")
    });
    kept.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c08_wishes_that_would_undo_or_move_a_transaction_stay_behind() {
        for (sent, kept) in [
            ("return=representation", "return=representation"),
            ("tx=rollback", ""),
            ("count=exact, TX=rollback,missing=default", "count=exact, missing=default"),
            ("tx = rollback", ""),
            ("timezone=Africa/Conakry, handling=strict", "handling=strict"),
            ("txt=1", "txt=1"),
        ] {
            assert_eq!(preferred(sent), kept, "{sent}");
        }
    }
}
