//! By mail: `/recover`, `/otp`, `/resend` send a link, `/verify` is where it leads. Whether an address has an account,
//! none of them tells.

use serde_json::{Value, json};
use shared::edge::{Answer, ApiError, Refusal, Reply};
use shared::payments::form;
use shared::secret::digest;

use crate::gotrue::{NO_PHONE, No, invalid};
use crate::jwt::{self, Entered, LIFETIME_S};
use crate::links::{self, Challenge};
use crate::said::Ask;
use crate::sign_up;
use crate::visit::Visit;
use crate::{email, password, redirect};

/// The address that a mail goes to, counted; what makes it a client of PKCE.
async fn addressed(visit: &Visit) -> Answer<(Ask, String, Option<Challenge>)> {
    let ask = visit.ask()?;
    if ask.phone.get().is_some() {
        return Err(NO_PHONE.into());
    }
    let (address, challenge) = (email::required(ask.email.get())?, links::challenge(&ask)?);
    visit.count(&address).await?;
    Ok((ask, address, challenge))
}

pub async fn recover(visit: &Visit) -> Answer<Reply> {
    let (_, address, challenge) = addressed(visit).await?;
    mail(visit, "recovery", &address, challenge).await
}

pub async fn otp(visit: &Visit) -> Answer<Reply> {
    let (ask, address, challenge) = addressed(visit).await?;
    if ask.create_user == Some(false) {
        return mail(visit, "magiclink", &address, challenge).await;
    }
    let known = visit.service("identity_password", json!({ "email": address })).await?;
    if known.confirmed {
        return mail(visit, "magiclink", &address, challenge).await;
    }
    // Where somebody chose a password for an address that he has not shown to be his, it ends here: the owner must not
    // confirm a stranger's password with his first link.
    let hash = password::none(&*visit.crypto)?;
    untold(sign_up::by_mail(visit, &address, &hash, ask.data.as_ref(), challenge).await.map(drop))
}

pub async fn resend(visit: &Visit) -> Answer<Reply> {
    let (ask, address, challenge) = addressed(visit).await?;
    match ask.kind.get() {
        Some("signup") => mail(visit, "signup", &address, challenge).await,
        Some("email_change") => {
            Err(Refusal::new(422, "FEATURE_DISABLED", "Ask for the change of address again: PUT /user").into())
        }
        _ => Err(invalid("Missing one of these types: signup, email_change")),
    }
}

async fn mail(visit: &Visit, kind: &str, address: &str, challenge: Option<Challenge>) -> Answer<Reply> {
    let link = links::mailed(visit, kind, challenge)?;
    let ask = json!({ "email": address, "token_hash": link.hash, "link": link.url, "type": kind });
    untold(visit.service("identity_recover", ask).await.map(drop))
}

/// Only an address with an account can have had a mail a moment ago, so that is no other answer.
fn untold(sent: Answer<()>) -> Answer<Reply> {
    match sent {
        Err(error) if error.problem().code != "OVER_EMAIL_SEND_RATE_LIMIT" => Err(error),
        _ => Reply::json(200, &json!({})),
    }
}

/// `GET /verify`: somebody followed the link in a browser, and is sent on with a session, a code or a reason.
pub async fn follow(visit: &Visit) -> Answer<Reply> {
    let (Some(token), Some(kind)) = (visit.query("token"), visit.query("type")) else {
        return Err(invalid("Verify requires a token and a verification type"));
    };
    let page = redirect::target(visit);
    let challenge = links::challenge_of(token);
    let led = match &challenge {
        Some(challenge) => with_code(visit, kind, token, challenge, page).await,
        None => enter(visit, kind, token, None).await.map(|entered| with_session(&entered, kind, page)),
    };
    match led {
        Ok(url) => sent_to(url),
        Err(error) if error.problem().status < 500 => sent_to(with_reason(&error, challenge.is_some(), page)),
        Err(error) => Err(error),
    }
}

fn sent_to(url: String) -> Answer<Reply> {
    let mut reply = crate::gotrue::nothing()?;
    reply.status = 303;
    // The link stands in no other page's log.
    reply.headers.extend([("location", url), ("referrer-policy", "no-referrer".to_owned())]);
    Ok(reply)
}

fn with_session(entered: &Entered, kind: &str, page: &str) -> String {
    let (expires_at, expires_in) = (entered.expires_at.to_string(), LIFETIME_S.to_string());
    let fields = form::encode(&[
        ("access_token", &entered.access_token),
        ("expires_at", &expires_at),
        ("expires_in", &expires_in),
        ("refresh_token", &entered.refresh_token),
        ("token_type", "bearer"),
        ("type", kind),
    ]);
    redirect::with_fragment(page, &fields)
}

/// The address is confirmed now, whatever happens to the code.
async fn with_code(visit: &Visit, kind: &str, token: &str, challenge: &Challenge, page: &str) -> Answer<String> {
    visit.count(token).await?;
    let code = links::code(visit, challenge)?;
    visit.service("identity_verify", proof(visit, kind, token, None, &code.hash)).await?;
    Ok(redirect::with_query(page, &form::encode(&[("code", &code.code)])))
}

/// Where GoTrue puts it: in the fragment, and for clients of PKCE in the query too.
fn with_reason(error: &ApiError, pkce: bool, page: &str) -> String {
    let no = No::from(&error.problem());
    let fields =
        form::encode(&[("error", "access_denied"), ("error_code", &no.code), ("error_description", &no.message)]);
    let page = if pkce { redirect::with_query(page, &fields) } else { page.to_owned() };
    redirect::with_fragment(&page, &fields)
}

fn proof(visit: &Visit, kind: &str, token: &str, address: Option<&str>, refresh_hash: &str) -> Value {
    json!({
        "type": kind, "token_hash": digest(token.as_bytes()), "email": address, "refresh_hash": refresh_hash,
        "user_agent": visit.seen.user_agent, "ip": visit.seen.address,
    })
}

async fn enter(visit: &Visit, kind: &str, token: &str, address: Option<&str>) -> Answer<Entered> {
    visit.count(token).await?;
    let (ring, refresh) = (jwt::ready(visit).await?, visit.refresh()?);
    let opened = visit.service("identity_verify", proof(visit, kind, token, address, &refresh.hash)).await?;
    jwt::enter(visit, &ring, opened, refresh).await
}

/// `POST /verify`: an app took the token out of the link itself.
pub async fn verify(visit: &Visit) -> Answer<Reply> {
    let ask = visit.ask()?;
    let kind = ask.kind.get().ok_or_else(|| invalid("Verify requires a verification type"))?;
    if ask.phone.get().is_some() || ["sms", "phone_change"].contains(&kind) {
        return Err(NO_PHONE.into());
    }
    let (token, address) = match (ask.token.get(), ask.token_hash.get()) {
        (Some(token), None) => (token, Some(email::required(ask.email.get())?)),
        (None, Some(token)) => (token, None),
        _ => return Err(invalid("Verify requires either a token or a token hash")),
    };
    enter(visit, kind, token, address.as_deref()).await?.reply()
}
