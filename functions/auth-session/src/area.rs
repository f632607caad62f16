//! `POST /functions/v1/auth-tokens`: register, log in, refresh, log out, in the shapes of AREA.

use serde_json::{Value, json};
use shared::edge::{Answer, ApiError, Reply};
use shared::error::METHOD_NOT_ALLOWED;
use shared::json;
use shared::secret::digest;
use uuid::Uuid;

use crate::jwt::Entered;
use crate::said::Object;
use crate::sign_up::{self, Signed};
use crate::visit::Visit;
use crate::wire::{
    ACCOUNT_DISABLED, Action, Ask, EMAIL_EXISTS, INVALID_CREDENTIALS, INVALID_TOKEN, Person, Renewed, SignedIn,
    SignedOut, UNCONFIRMED,
};
use crate::{email, password, token};

pub async fn handle(visit: &Visit) -> Answer<Reply> {
    if visit.seen.method != "POST" {
        return Err(METHOD_NOT_ALLOWED.into());
    }
    let ask: Ask = shared::json::parse(&visit.body)?;
    match chosen(visit, &ask)? {
        Action::Register => register(visit, &ask).await,
        Action::Login => {
            let fields = [("email", &ask.email), ("password", &ask.password)];
            let [address, password] = required(fields)?;
            let entered = token::sign_in(visit, address, password).await.map_err(ours)?;
            Reply::json(200, &SignedIn::from(&entered)?)
        }
        Action::Refresh => {
            let [token] = required([("refresh_token", &ask.refresh_token)])?;
            let Entered { access_token, refresh_token, .. } = token::renew(visit, token).await.map_err(ours)?;
            Reply::json(200, &Renewed { access_token, refresh_token })
        }
        Action::Logout => log_out(visit, &ask).await,
    }
}

/// By the URL or the body; both, and different, is nothing.
fn chosen(visit: &Visit, ask: &Ask) -> Answer<Action> {
    let unknown = || ApiError::invalid("action", "must be register, login, refresh or logout");
    let named = match visit.cx.world.suffix.as_deref() {
        None => None,
        Some(suffix) => Some(json::read(&json::quoted(suffix)).map_err(|_| unknown())?),
    };
    match (named, ask.action) {
        (Some(named), Some(action)) if named != action => Err(ApiError::invalid("action", "differs from the URL")),
        (named, action) => named.or(action).ok_or_else(unknown),
    }
}

/// The values of fields that an action cannot do without; every one that is missing is named.
fn required<'a, const N: usize>(fields: [(&str, &'a Option<String>); N]) -> Answer<[&'a str; N]> {
    let missing = fields.iter().filter(|(_, value)| value.as_deref().is_none_or(str::is_empty));
    faulty(missing.map(|(field, _)| (*field, "is required")).collect())?;
    Ok(fields.map(|(_, value)| value.as_deref().unwrap_or_default()))
}

fn faulty(faults: Vec<(&str, &str)>) -> Answer<()> {
    if faults.is_empty() {
        return Ok(());
    }
    let said: Vec<Value> =
        faults.iter().map(|(field, message)| json!({ "field": field, "message": message })).collect();
    Err(shared::error::Refusal::new(400, "VALIDATION_ERROR", "the request is not valid").with(Value::Array(said)))
}

async fn register(visit: &Visit, ask: &Ask) -> Answer<Reply> {
    let [given, password] = required([("email", &ask.email), ("password", &ask.password)])?;
    let name = ask.display_name.as_deref().map(str::trim);
    let mut faults = Vec::new();
    let address = email::normal(given);
    if address.is_none() {
        faults.push(("email", "must be an e-mail address"));
    }
    if !password::weaknesses(password).is_empty() || password.len() > 72 || password.contains('\0') {
        faults.push(("password", "must have 8 to 72 characters, a letter and a digit"));
    }
    if name.is_some_and(|name| !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control)) {
        faults.push(("display_name", "must have 1 to 100 characters"));
    }
    faulty(faults)?;
    let mut data = Object::new();
    if let Some(name) = name {
        data.insert("display_name".to_owned(), name.into());
    }
    let signed = sign_up::sign_up(visit, &address.unwrap_or_default(), password, Some(&data), None).await;
    match signed.map_err(ours)? {
        Signed::In(entered) => Reply::json(201, &SignedIn::from(&entered)?),
        Signed::Mailed { exists: true, .. } => Err(EMAIL_EXISTS.into()),
        Signed::Mailed { user, .. } => {
            Reply::json(201, &SignedIn { user: person(&user)?, access_token: None, refresh_token: None })
        }
    }
}

async fn log_out(visit: &Visit, ask: &Ask) -> Answer<Reply> {
    let [token] = required([("refresh_token", &ask.refresh_token)])?;
    let hash = digest(token.as_bytes());
    let ask = json!({ "refresh_hash": hash, "token": token::imported(token), "scope": "local" });
    visit.service("identity_sign_out", ask).await?;
    Reply::json(200, &SignedOut::default())
}

/// The codes of this contract, which are fewer.
fn ours(error: ApiError) -> ApiError {
    match error.problem().code.as_str() {
        "INVALID_CREDENTIALS" => INVALID_CREDENTIALS.into(),
        "REFRESH_TOKEN_NOT_FOUND" | "REFRESH_TOKEN_ALREADY_USED" | "SESSION_NOT_FOUND" => INVALID_TOKEN.into(),
        "USER_BANNED" => ACCOUNT_DISABLED.into(),
        "EMAIL_NOT_CONFIRMED" => UNCONFIRMED.into(),
        "USER_EXISTS" | "EMAIL_EXISTS" => EMAIL_EXISTS.into(),
        _ => error,
    }
}

fn person(user: &Object) -> Answer<Person> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let id = user.get("id").and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
    Ok(Person {
        id: id.ok_or_else(|| ApiError::internal("a user without an id"))?,
        email: text(user.get("email")).unwrap_or_default(),
        display_name: text(user.get("user_metadata").and_then(|data| data.get("display_name"))),
    })
}

impl SignedIn {
    fn from(entered: &Entered) -> Answer<Self> {
        let tokens = (Some(entered.access_token.clone()), Some(entered.refresh_token.clone()));
        Ok(Self { user: person(&entered.user)?, access_token: tokens.0, refresh_token: tokens.1 })
    }
}
