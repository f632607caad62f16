//! The pipeline, compiled once per function and generic over nothing: from the raw request to an admitted caller, and from
//! an answer to the raw response.

use std::rc::Rc;

use web_sys::{Request, Response};
use worker::{Context, Env};

use super::config::{self, Config};
use super::limits::Gate;
use super::overload::InFlight;
use super::surroundings::{Address, world};
use super::{cors, js, log, metrics, overload, query, task, tokens};
use crate::auth;
use crate::contract::{Auth, Spec, User};
use crate::cx::{Reply, Seen, World};
use crate::db::Body;
use crate::error::{
    Answer, ApiError, BAD_JSON, BAD_KEY, METHOD_NOT_ALLOWED, OVERLOADED, PAYLOAD_TOO_LARGE, UNAUTHENTICATED,
    UNSUPPORTED_MEDIA_TYPE,
};
use crate::limits::{self, Who};
use crate::payments::PROVIDERS;
use crate::text;
use crate::trace::Trace;

/// What runs after the answer has as long as the platform keeps us awake, less a margin.
const AFTERWARDS_MS: u64 = 25_000;

/// Before: nothing about the caller is known.
pub struct Door<'a> {
    req: Request,
    asked: js::Asked,
    env: &'a Env,
    spec: &'static Spec,
    config: Rc<Config>,
    verify: Option<tokens::Verify>,
}

/// After: who asks, with what, and what is needed to answer.
pub struct Entered {
    pub spec: &'static Spec,
    pub user: Option<User>,
    /// The internal key was sent, and is good.
    pub internal: bool,
    pub body: Vec<u8>,
    pub world: Rc<World>,
    pub seen: Rc<Seen>,
    gate: Rc<Gate>,
    /// Nothing: this isolate is full.
    inside: Option<InFlight>,
    origin: Option<String>,
    log: bool,
}

impl<'a> Door<'a> {
    pub fn new(req: Request, env: &'a Env, spec: &'static Spec, verify: Option<tokens::Verify>) -> Self {
        let config = config::of(env);
        Self { asked: js::asked(&req), req, env, spec, config, verify }
    }

    /// # Errors
    /// The response to send at once: a preflight's, or a refusal.
    pub async fn enter(mut self) -> Result<Entered, Response> {
        let request_id = self.asked.request_id.clone().filter(|id| is_uuid(id)).unwrap_or_else(js::request_id);
        if self.asked.method == "OPTIONS" {
            return Err(cors::preflight(&self.config, &self.req, &request_id));
        }
        let address = self.address();
        let origin = cors::origin(&self.config, self.asked.origin.as_deref());
        let seen = Rc::new(self.seen());
        let key = self.asked.idempotency_key.as_deref().map(|key| key.trim_matches('"').to_owned());
        let trace = Trace::of(self.asked.traceparent.as_deref(), &request_id);
        let gate = Gate::of(self.env, self.spec);
        let limits = Rc::<Gate>::clone(&gate);
        let world = world(&self.config, self.spec, limits, request_id, address, key, trace);
        let inside = overload::begin(world.now_ms, world.budget.deadline_ms());
        let mut entered = Entered {
            spec: self.spec,
            user: None,
            internal: false,
            body: Vec::new(),
            world,
            seen,
            gate,
            inside,
            origin,
            log: self.config.log,
        };
        match self.admit(&mut entered).await {
            Ok(()) => Ok(entered),
            Err(error) => Err(entered.close(Err(error))),
        }
    }

    async fn admit(&self, entered: &mut Entered) -> Answer<()> {
        if entered.inside.is_none() {
            return Err(OVERLOADED.into());
        }
        if self.spec.open {
            entered.internal = self.has_internal_key();
            self.within_limits(entered).await?;
            entered.body =
                if matches!(entered.seen.method.as_str(), "GET" | "HEAD") { Vec::new() } else { self.body().await? };
            return Ok(());
        }
        let method = entered.seen.method.as_str();
        let get = method == "GET" && self.spec.get_too;
        let put = method == "PUT" && self.spec.put_too;
        if method != "POST" && !get && !put {
            return Err(METHOD_NOT_ALLOWED.into());
        }
        (entered.user, entered.internal) = self.caller(entered.world.now_ms).await?;
        self.within_limits(entered).await?;
        entered.body = if get { query::body_of(&entered.seen.query) } else { self.body().await? };
        Ok(())
    }

    async fn within_limits(&self, entered: &Entered) -> Answer<()> {
        let user = entered.user.as_ref().map(|user| user.id);
        let who = Who { user, internal: entered.internal, address: &entered.seen.address };
        let provider = match self.spec.auth {
            Auth::Webhook => limits::provider(self.query("provider").as_deref(), &entered.world.invoked_as, &PROVIDERS),
            Auth::User | Auth::Public | Auth::Cron => "",
        };
        entered.gate.enter(&who, provider).await
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

    /// What is logged and what handlers see, moved out of what was asked; the token only for who reads credentials himself.
    fn seen(&mut self) -> Seen {
        let open = self.spec.open;
        let (url, query) = self.asked.url.split_once('?').unwrap_or((&self.asked.url, ""));
        let path = text::split_once(url, "://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
        let only_open = |name| if open { js::header(&self.req.headers(), name) } else { None };
        Seen {
            path: path.unwrap_or("/").to_owned(),
            query: query.to_owned(),
            apikey: only_open("apikey"),
            api_version: only_open("x-supabase-api-version"),
            authorization: if open { self.asked.authorization.clone() } else { None },
            method: std::mem::take(&mut self.asked.method),
            origin: self.asked.origin.take(),
            user_agent: self.asked.user_agent.take(),
            address: self.asked.address.take().unwrap_or_default(),
        }
    }

    /// What stands after `/functions/v1/`.
    fn address(&self) -> Address {
        let path = self.asked.url.split_once('?').map_or(self.asked.url.as_str(), |(path, _)| path);
        let mut segments = text::split_once(path, "/functions/v1/").map_or("", |(_, rest)| rest).split('/');
        let invoked_as = segments.next().unwrap_or_default().to_owned();
        let suffix = segments.next().filter(|suffix| !suffix.is_empty()).map(str::to_owned);
        Address { invoked_as, suffix }
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
        let verify = self.verify.ok_or(UNAUTHENTICATED)?;
        let verified = verify(token, &self.config, now_ms).await.map_err(|_| ApiError::from(UNAUTHENTICATED))?;
        Ok(User { id: verified.user, token: token.into() })
    }

    async fn body(&self) -> Answer<Vec<u8>> {
        // What a provider sends is its own affair, and read only after its proof.
        if let (Some(kind), false) = (&self.asked.content_type, self.spec.open || self.spec.auth == Auth::Webhook) {
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
    pub fn leave(self, env: &Env, ctx: &Context, answer: Answer<Reply>) -> Response {
        let later = std::mem::take(&mut *self.world.later.borrow_mut());
        if !later.is_empty() {
            self.world.budget.extend_until(js::now_ms().saturating_add(AFTERWARDS_MS));
        }
        for work in later {
            let world = Rc::clone(&self.world);
            let work = async move {
                work.await;
                metrics::spend(&world);
            };
            task::after(ctx, Box::pin(work));
        }
        metrics::flushed(env, ctx, self.spec, self.close(answer))
    }

    fn close(&self, answer: Answer<Reply>) -> Response {
        let (status, error) = match &answer {
            Ok(reply) => (reply.status, None),
            Err(error) => (error.problem().status, Some(error)),
        };
        let mut head = cors::head(status, self.origin.as_deref(), &self.world.request_id);
        self.gate.leave(&mut head);
        let ended_ms = js::now_ms();
        metrics::note(&self.world, status, error, ended_ms);
        if self.log {
            let user = self.user.as_ref().map(|user| user.id);
            let seen = Some(&*self.seen);
            log::write(&log::Line { world: &self.world, spec: self.spec, seen, status, error, user, ended_ms });
        }
        match answer {
            Ok(reply) => {
                if reply.replayed {
                    head.set("idempotent-replayed", "true");
                }
                for (name, value) in &reply.headers {
                    head.set(name, value);
                }
                match reply.body {
                    Body::Text(text) if text.is_empty() => js::response(None, &head),
                    Body::Text(text) => js::response(Some(&text), &head),
                    Body::Unread(upstream) => match upstream.downcast::<Response>() {
                        Ok(upstream) => js::stream(&upstream, &head),
                        Err(_) => js::response(Some("{\"success\":true}"), &head),
                    },
                }
            }
            Err(error) => self.refusal(&error, head),
        }
    }

    #[inline(never)] // See `edge::apart`.
    fn refusal(&self, error: &ApiError, mut head: js::Head) -> Response {
        let problem = error.problem();
        if let Some(seconds) = problem.retry_after {
            head.set("retry-after", &seconds.to_string());
        }
        if problem.code == "DEPENDENCY_UNAVAILABLE" {
            // The platform failed, not the function: supabase-js makes it a FunctionsRelayError.
            head.set("x-relay-error", "true");
        }
        if problem.status == METHOD_NOT_ALLOWED.status {
            let allow = match (self.spec.get_too, self.spec.put_too) {
                (true, true) => "GET, POST, PUT, OPTIONS",
                (true, false) => "GET, POST, OPTIONS",
                (false, true) => "POST, PUT, OPTIONS",
                (false, false) => "POST, OPTIONS",
            };
            head.set("allow", allow);
        }
        js::response(Some(&(self.spec.tells)(&problem, &self.seen, &self.world.request_id)), &head)
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}
