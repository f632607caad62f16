//! `POST /signup`: with an address and a password, or with nothing at all as somebody anonymous.

use serde_json::json;
use shared::edge::{Answer, Reply};

use crate::gotrue::{NO_PHONE, invalid};
use crate::jwt::{self, Entered};
use crate::links::{self, Challenge};
use crate::said::{Object, Told};
use crate::visit::Visit;
use crate::{email, password};

/// What became of it.
pub enum Signed {
    In(Entered),
    /// A mail was sent, or would have been: who has an account already is not told.
    Mailed {
        user: Object,
        exists: bool,
    },
}

pub async fn handle(visit: &Visit) -> Answer<Reply> {
    let ask = visit.ask()?;
    match (ask.email.get(), ask.password.get()) {
        _ if ask.phone.get().is_some() => Err(NO_PHONE.into()),
        (None, None) => anonymous(visit, ask.data.as_ref()).await?.reply(),
        (None, Some(_)) => Err(invalid("To signup, please provide your email")),
        (Some(_), None) => Err(invalid("Signup requires a valid password")),
        (Some(address), Some(password)) => {
            let (address, challenge) = (email::required(Some(address))?, links::challenge(&ask)?);
            match sign_up(visit, &address, password, ask.data.as_ref(), challenge).await? {
                Signed::In(entered) => entered.reply(),
                Signed::Mailed { user, .. } => Reply::json(200, &user),
            }
        }
    }
}

pub async fn sign_up(
    visit: &Visit,
    address: &str,
    password: &str,
    data: Option<&Object>,
    challenge: Option<Challenge>,
) -> Answer<Signed> {
    visit.count(address).await?;
    let hash = password::chosen(&*visit.crypto, password)?;
    if !visit.settings().autoconfirm {
        return by_mail(visit, address, &hash, data, challenge).await;
    }
    let (ring, refresh) = (jwt::ready(visit).await?, visit.refresh()?);
    let ask = json!({
        "email": address, "password_hash": hash, "data": data, "autoconfirm": true, "refresh_hash": refresh.hash,
        "user_agent": visit.seen.user_agent, "ip": visit.seen.address,
    });
    let opened = visit.service("identity_sign_up", ask).await?;
    Ok(Signed::In(jwt::enter(visit, &ring, opened, refresh).await?))
}

/// Somebody who has to show first that the address is his.
pub async fn by_mail(
    visit: &Visit,
    address: &str,
    hash: &str,
    data: Option<&Object>,
    challenge: Option<Challenge>,
) -> Answer<Signed> {
    let link = links::mailed(visit, "signup", challenge)?;
    let ask = json!({
        "email": address, "password_hash": hash, "data": data, "autoconfirm": false, "confirmation_hash": link.hash,
        "confirmation_link": link.url,
    });
    let Told { user, exists, .. } = visit.service("identity_sign_up", ask).await?;
    Ok(Signed::Mailed { user, exists })
}

async fn anonymous(visit: &Visit, data: Option<&Object>) -> Answer<Entered> {
    visit.count("anonymous").await?;
    let (ring, refresh) = (jwt::ready(visit).await?, visit.refresh()?);
    let ask = json!({
        "anonymous": true, "autoconfirm": true, "data": data, "refresh_hash": refresh.hash,
        "user_agent": visit.seen.user_agent, "ip": visit.seen.address,
    });
    let opened = visit.service("identity_sign_up", ask).await?;
    jwt::enter(visit, &ring, opened, refresh).await
}
