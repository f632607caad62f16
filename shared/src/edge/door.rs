//! The pipeline, compiled once per function and generic over nothing: from the raw request to an admitted caller, and from
//! an answer to the raw response.

use std::rc::Rc;

use js_sys::{Object, Reflect};
use web_sys::{Request, Response};
use worker::{Context, Env};

use super::config::{self, Config};
use super::host::Network;
use super::postgrest::Gateway;
use super::{cors, js, log, tokens};
use crate::auth;
use crate::contract::{Auth, Limit, Spec, User};
use crate::cx::{Reply, World};
use crate::db::Body;
use crate::error::{
    Answer, ApiError, BAD_JSON, BAD_KEY, METHOD_NOT_ALLOWED, PAYLOAD_TOO_LARGE, RATE_LIMITED, UNAUTHENTICATED,
    UNAVAILABLE, UNSUPPORTED_MEDIA_TYPE,
};

/// Before: nothing about the caller is known.
pub struct Door<'a> {
    req: Request,
    asked: js::Asked,
    env: &'a Env,
    spec: &'static Spec,
    config: Rc<Config>,
}

/// The part of the URL that chooses: `wallet-transfer/preview`.
#[derive(Default)]
pub struct Address {
    pub invoked_as: String,
    pub suffix: Option<String>,
}

/// After: who asks, with what, and what is needed to answer.
pub struct Entered {
    pub spec: &'static Spec,
    pub user: Option<User>,
    /// The internal key was sent, and is good.
    pub internal: bool,
    pub body: Vec<u8>,
    pub world: Rc<World>,
    origin: Option<String>,
    log: bool,
}

impl<'a> Door<'a> {
    pub fn new(req: Request, env: &'a Env, spec: &'static Spec) -> Self {
        let config = config::of(env);
        Self { asked: js::asked(&req), req, env, spec, config }
    }

    /// # Errors
    /// The response to send at once: a preflight's, or a refusal.
    pub async fn enter(self) -> Result<Entered, Response> {
        let request_id = self.asked.request_id.clone().filter(|id| is_uuid(id)).unwrap_or_else(js::request_id);
        if self.asked.method == "OPTIONS" {
            return Err(cors::preflight(&self.config, &self.req, &request_id));
        }
        let (address, query) = self.address();
        let key = self.asked.idempotency_key.as_deref().map(|key| key.trim_matches('"').to_owned());
        let world = world(&self.config, self.spec, request_id, address, key);
        let mut entered = Entered {
            spec: self.spec,
            user: None,
            internal: false,
            body: Vec::new(),
            world,
            origin: cors::origin(&self.config, &self.req),
            log: self.config.log,
        };
        match self.admit(&query, &mut entered).await {
            Ok(()) => Ok(entered),
            Err(error) => Err(entered.close(Err(error))),
        }
    }

    async fn admit(&self, query: &str, entered: &mut Entered) -> Answer<()> {
        let get = self.is_get() && self.spec.get_too;
        let put = self.asked.method == "PUT" && self.spec.put_too;
        if self.asked.method != "POST" && !get && !put {
            return Err(METHOD_NOT_ALLOWED.into());
        }
        (entered.user, entered.internal) = self.caller(entered.world.now_ms).await?;
        // Our own backends share an address, and no limit.
        if !entered.internal {
            self.within_rate(entered.user.as_ref()).await?;
        }
        entered.body = if get { from_query(query) } else { self.body().await? };
        Ok(())
    }

    pub fn is_get(&self) -> bool {
        self.asked.method == "GET"
    }

    /// One field of the query, as it stands there: for names and tokens, which need no decoding.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.asked.url.split_once('?')?;
        let found = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
        found.map(|(_, value)| value.to_owned())
    }

    /// What stands after `/functions/v1/`, and the query.
    fn address(&self) -> (Address, String) {
        let (path, query) = self.asked.url.split_once('?').unwrap_or((&self.asked.url, ""));
        let mut segments = path.split_once("/functions/v1/").map_or("", |(_, rest)| rest).split('/');
        let invoked_as = segments.next().unwrap_or_default().to_owned();
        let suffix = segments.next().filter(|suffix| !suffix.is_empty()).map(str::to_owned);
        (Address { invoked_as, suffix }, query.to_owned())
    }

    async fn caller(&self, now_ms: u64) -> Answer<(Option<User>, bool)> {
        match self.spec.auth {
            Auth::Public if self.spec.knows_staff => Ok((self.user(now_ms).await.ok(), self.has_internal_key())),
            Auth::Public | Auth::Webhook => Ok((None, false)),
            Auth::Cron if self.has_internal_key() => Ok((None, true)),
            Auth::Cron => Err(BAD_KEY.into()),
            Auth::User => Ok((Some(self.user(now_ms).await?), false)),
        }
    }

    fn has_internal_key(&self) -> bool {
        let given = js::header(&self.req.headers(), "x-internal-api-key").unwrap_or_default();
        // Both keys are compared, so the time does not tell which one matched.
        self.config.settings.internal_keys.iter().fold(false, |good, key| key.equals(&given) | good)
    }

    async fn user(&self, now_ms: u64) -> Answer<User> {
        let token = auth::bearer(self.asked.authorization.as_deref()).map_err(|_| ApiError::from(UNAUTHENTICATED))?;
        let now_s = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
        let verified =
            tokens::verify(token, &self.config.issuer, now_s).await.map_err(|_| ApiError::from(UNAUTHENTICATED))?;
        Ok(User { id: verified.user, token: token.into() })
    }

    /// The platform's rate-limit binding of this function's class.
    async fn within_rate(&self, user: Option<&User>) -> Answer<()> {
        if self.spec.limit == Limit::None || !self.config.has_limiter {
            return Ok(());
        }
        let Some(limiter) = js::binding(self.env, "RATE_LIMIT") else { return Ok(()) };
        let key = match user {
            Some(user) => user.id.to_string(),
            None => js::header(&self.req.headers(), "cf-connecting-ip").unwrap_or_default(),
        };
        let argument = Object::new();
        let _ = Reflect::set(&argument, &"key".into(), &key.into());
        let verdict = js::call(&limiter, "limit", &argument).await.and_then(|v| Reflect::get(&v, &"success".into()));
        match verdict {
            Ok(success) if success.is_truthy() => Ok(()),
            Ok(_) => {
                let mut no = crate::error::Problem::from(RATE_LIMITED);
                no.retry_after = Some(60);
                no.details = serde_json::json!({ "retry_after": 60 });
                Err(ApiError::Refused(Box::new(no)))
            }
            // The limiter is down: money and webhooks refuse, the rest passes (non-functional.md, section 3).
            Err(_) if matches!(self.spec.limit, Limit::Payment | Limit::Webhook) => Err(UNAVAILABLE.into()),
            Err(_) => Ok(()),
        }
    }

    async fn body(&self) -> Answer<Vec<u8>> {
        // What a provider sends is its own affair, and read only after its proof.
        if let (Some(kind), false) = (&self.asked.content_type, self.spec.auth == Auth::Webhook) {
            let kind = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
            if !matches!(kind.as_str(), "application/json" | "text/plain" | "") && !kind.ends_with("+json") {
                return Err(UNSUPPORTED_MEDIA_TYPE.into());
            }
        }
        let declared = self.asked.content_length.as_deref().and_then(|length| length.parse().ok());
        match js::bytes(&self.req, declared, self.spec.max_body).await {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(PAYLOAD_TOO_LARGE.into()),
            Err(_) => Err(BAD_JSON.into()),
        }
    }
}

impl Entered {
    /// Answers, and keeps the platform awake for what the handler left for later.
    pub fn leave(self, ctx: &Context, answer: Answer<Reply>) -> Response {
        for work in std::mem::take(&mut *self.world.later.borrow_mut()) {
            ctx.wait_until(work);
        }
        self.close(answer)
    }

    fn close(&self, answer: Answer<Reply>) -> Response {
        let (status, error) = match &answer {
            Ok(reply) => (reply.status, None),
            Err(error) => (error.problem().status, Some(error)),
        };
        let mut head = cors::head(status, self.origin.as_deref(), &self.world.request_id);
        if self.log {
            let user = self.user.as_ref().map(|user| user.id);
            let ended_ms = js::now_ms();
            log::write(&log::Line { world: &self.world, spec: self.spec, status, error, user, ended_ms });
        }
        match answer {
            Ok(reply) => {
                if reply.replayed {
                    head.set("idempotent-replayed", "true");
                }
                match reply.body {
                    Body::Text(text) => js::response(Some(&text), &head),
                    Body::Unread(upstream) => match upstream.downcast::<Response>() {
                        Ok(upstream) => js::stream(&upstream, &head),
                        Err(_) => js::response(Some("{\"success\":true}"), &head),
                    },
                }
            }
            Err(error) => {
                let problem = error.problem();
                if let Some(seconds) = problem.retry_after {
                    head.set("retry-after", &seconds.to_string());
                }
                if problem.code == "DEPENDENCY_UNAVAILABLE" {
                    // The platform failed, not the function: supabase-js makes it a FunctionsRelayError.
                    head.set("x-relay-error", "true");
                }
                if status == METHOD_NOT_ALLOWED.status {
                    let allow = match (self.spec.get_too, self.spec.put_too) {
                        (true, true) => "GET, POST, PUT, OPTIONS",
                        (true, false) => "GET, POST, OPTIONS",
                        (false, true) => "POST, PUT, OPTIONS",
                        (false, false) => "POST, OPTIONS",
                    };
                    head.set("allow", allow);
                }
                js::response(Some(&problem.body(&self.world.request_id)), &head)
            }
        }
    }
}

pub fn world(config: &Rc<Config>, spec: &Spec, request_id: String, address: Address, key: Option<String>) -> Rc<World> {
    Rc::new(World {
        request_id,
        invoked_as: address.invoked_as,
        suffix: address.suffix,
        key,
        now_ms: js::now_ms(),
        settings: Rc::clone(&config.settings),
        rpc_codes: spec.rpc_codes,
        db: Rc::new(Gateway { config: Rc::clone(config) }),
        http: Rc::new(Network),
        later: std::cell::RefCell::default(),
    })
}

pub fn world_of_schedule(env: &Env, spec: &Spec) -> Option<Rc<World>> {
    let config = config::of(env);
    (!config.postgrest_url.is_empty()).then(|| {
        world(&config, spec, js::request_id(), Address { invoked_as: "schedule".to_owned(), suffix: None }, None)
    })
}

pub fn note_schedule(world: &World, spec: &Spec, answer: &Answer<Reply>) {
    let error = answer.as_ref().err();
    let status = error.map_or(200, |error| error.problem().status);
    log::write(&log::Line { world, spec, status, error, user: None, ended_ms: js::now_ms() });
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// `a=1&b=x` as a JSON object of texts; percent-decoding is JavaScript's own.
fn from_query(query: &str) -> Vec<u8> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        js_sys::decode_uri_component(&spaced).map_or(spaced.clone(), String::from)
    };
    let fields = query.split('&').filter_map(|pair| pair.split_once('='));
    let object: serde_json::Map<String, serde_json::Value> =
        fields.map(|(k, v)| (decode(k), decode(v).into())).collect();
    serde_json::Value::Object(object).to_string().into_bytes()
}
