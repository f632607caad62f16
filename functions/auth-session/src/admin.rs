//! `/admin/users`: accounts by the operator's hand, with a secret key. Each change is in the audit log.

use serde_json::json;
use shared::edge::{Answer, ApiError, Refusal, Reply};
use uuid::Uuid;

use crate::gotrue::{NO_SUCH_PATH, invalid};
use crate::visit::Visit;
use crate::{email, password};

pub async fn handle(visit: &Visit, rest: &[&str]) -> Answer<Reply> {
    visit.is_service()?;
    match (visit.seen.method.as_str(), rest) {
        ("GET", ["users"]) => list(visit).await,
        ("POST", ["users"]) => change(visit, "identity_admin_create", None).await,
        ("GET", ["users", id]) => {
            Reply::json(200, &visit.service("identity_admin_get", json!({ "user_id": named(id)? })).await?.user)
        }
        ("PUT", ["users", id]) => change(visit, "identity_admin_update", Some(named(id)?)).await,
        ("DELETE", ["users", id]) => delete(visit, named(id)?).await,
        ("GET", ["users", id, "factors"]) => named(id).and_then(|_| Reply::json(200, &json!([]))),
        (_, ["generate_link" | "sso" | "oauth" | "audit" | "custom-providers", ..]) => {
            Err(Refusal::new(422, "FEATURE_DISABLED", "This feature is not offered here").into())
        }
        _ => Err(NO_SUCH_PATH.into()),
    }
}

fn named(id: &str) -> Answer<Uuid> {
    let id = Uuid::try_parse(id).ok().filter(|_| id.len() == 36);
    id.ok_or_else(|| Refusal::new(404, "VALIDATION_FAILED", "user_id must be a UUID").into())
}

async fn change(visit: &Visit, function: &'static str, id: Option<Uuid>) -> Answer<Reply> {
    let ask = visit.ask()?;
    let address = ask.email.get().map(|address| email::required(Some(address))).transpose()?;
    let hash = match (ask.password.get(), ask.password_hash.get()) {
        (Some(_), Some(_)) => return Err(invalid("Only a password or a password hash should be provided")),
        (Some(password), None) => Some(password::chosen(&*visit.crypto, password)?),
        (None, hash) => hash.map(str::to_owned),
    };
    // What was not said is null, and changes nothing.
    let account = json!({
        "user_id": id, "id": ask.id.get(), "email": address, "phone": ask.phone.get(), "password_hash": hash,
        "email_confirm": ask.email_confirm, "phone_confirm": ask.phone_confirm, "user_metadata": ask.user_metadata,
        "app_metadata": ask.app_metadata, "role": ask.role.get(), "ban_duration": ask.ban_duration.get(),
    });
    Reply::json(200, &visit.service(function, account).await?.user)
}

async fn delete(visit: &Visit, id: Uuid) -> Answer<Reply> {
    let soft = visit.ask()?.should_soft_delete.unwrap_or(false);
    visit.service("identity_admin_delete", json!({ "user_id": id, "soft": soft })).await?;
    Reply::json(200, &json!({}))
}

async fn list(visit: &Visit) -> Answer<Reply> {
    let number = |name: &str, otherwise: u64| match visit.query(name) {
        None => Ok(otherwise),
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::from(Refusal::new(400, "VALIDATION_FAILED", "Bad Pagination Parameters"))),
    };
    let (page, per_page) = (number("page", 1)?, number("per_page", 50)?);
    let found = visit.service("identity_admin_list", json!({ "page": page, "per_page": per_page })).await?;
    let mut reply = Reply::json(200, &json!({ "users": found.users, "aud": visit.settings().audience }))?;
    let last = found.total.div_ceil(per_page.max(1)).max(1);
    let link = |to: u64, rel: &str| format!("</admin/users?page={to}&per_page={per_page}>; rel=\"{rel}\"");
    let next = (page < last).then(|| link(page.saturating_add(1), "next"));
    let links: Vec<_> = next.into_iter().chain([link(last, "last")]).collect();
    reply.headers.extend([("link", links.join(", ")), ("x-total-count", found.total.to_string())]);
    Ok(reply)
}
