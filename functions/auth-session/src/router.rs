//! From the path to the noun that answers it.

use shared::edge::{Answer, Reply};

use crate::gotrue::{self, NO_SUCH_PATH};
use crate::visit::Visit;
use crate::{admin, admin_keys, area, recovery, sign_up, token, user, well_known};

pub async fn handle(visit: Visit) -> Answer<Reply> {
    if !gotrue::speaks(&visit.seen) {
        return area::handle(&visit).await;
    }
    match answer(&visit).await {
        Ok(reply) => Ok(reply),
        Err(error) => gotrue::refusal(&visit.seen, error),
    }
}

async fn answer(visit: &Visit) -> Answer<Reply> {
    let path = visit.seen.path.strip_prefix("/auth/v1").unwrap_or_default();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match (visit.seen.method.as_str(), segments.as_slice()) {
        ("POST", ["signup"]) => sign_up::handle(visit).await,
        ("POST", ["token"]) => token::handle(visit).await,
        ("GET", ["user"]) => user::read(visit).await,
        ("PUT", ["user"]) => user::update(visit).await,
        ("POST", ["logout"]) => user::log_out(visit).await,
        ("POST", ["recover"]) => recovery::recover(visit).await,
        ("POST", ["otp" | "magiclink"]) => recovery::otp(visit).await,
        ("POST", ["resend"]) => recovery::resend(visit).await,
        ("GET", ["verify"]) => recovery::follow(visit).await,
        ("POST", ["verify"]) => recovery::verify(visit).await,
        ("GET", ["settings"]) => well_known::settings(visit),
        ("GET", ["health"]) => well_known::health(),
        ("GET", [".well-known", "jwks.json"]) => well_known::jwks(visit).await,
        ("GET", [".well-known", "openid-configuration"]) => well_known::openid(visit),
        (_, ["admin", "keys"]) => admin_keys::handle(visit).await,
        (_, ["admin", rest @ ..]) => admin::handle(visit, rest).await,
        (_, segments) => {
            let first = segments.first().copied().unwrap_or_default();
            Err(gotrue::absent(visit, first).unwrap_or_else(|| NO_SUCH_PATH.into()))
        }
    }
}
