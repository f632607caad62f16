//! How often one caller may call (non-functional.md, section 3): the classes as data, who is counted, and what happens when
//! nobody can count. Pure: `edge::limits` counts with what the platform has, functions/counters where it has nothing.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};

use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use crate::contract::Limit;
use crate::contract::{Auth, Spec};
use crate::cx::Cx;
use crate::db::Local;
use crate::error::{Answer, ApiError, Details, Problem, RATE_LIMITED, UNAVAILABLE};
use crate::text;

mod classes;
mod tally;
mod verdict;

pub use classes::{CLASSES, Counts, Rules, Window, class, rules};
pub use tally::{LEASE_MS, Leases, Tally};
pub use verdict::{Left, Verdict};

/// The port of handlers: one call of one class, by a key that the pipeline cannot know.
pub trait Limits {
    /// # Errors
    /// 429 for one call too many; 503 when nobody can count and the class is one that then refuses.
    fn enter<'a>(&'a self, class: Limit, key: &'a str) -> Local<'a, Answer<()>>;
}

/// Nobody can count at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down;

/// Counts one call of `class`, made at an endpoint of class `endpoint`, and says what follows from it.
///
/// # Errors
/// 429 for one call too many. Without a limiter money, auth and webhooks refuse with 503, and the rest passes.
pub async fn admit(
    endpoint: Limit,
    class: Limit,
    count: impl Future<Output = Result<Verdict, Down>>,
) -> Answer<Option<Verdict>> {
    match count.await {
        Ok(Verdict::Out { wait_s, .. }) => {
            let mut no = Problem::from(RATE_LIMITED);
            no.retry_after = Some(wait_s);
            no.details = Details::of_json(format!(r#"{{"retry_after":{wait_s}}}"#));
            Err(ApiError::Refused(Box::new(no)))
        }
        Ok(verdict) => Ok(Some(verdict)),
        Err(Down) if rules(class).vital || rules(endpoint).vital => Err(UNAVAILABLE.into()),
        Err(Down) => Ok(None),
    }
}

/// Who is counted: the verified caller, never an id or an address that the caller wrote.
#[derive(Debug)]
pub struct Who<'a> {
    pub user: Option<Uuid>,
    /// Sent the internal key.
    pub internal: bool,
    /// Of whoever is connected to the platform.
    pub address: &'a str,
}

/// What is counted before the handler: one class, and for strangers at a special endpoint a second one.
pub type Counted = [Option<(Limit, String)>; 2];

/// The endpoint's class takes the place of the caller's own. A stranger is counted by his address besides; where his
/// credential stands in the request, the handler counts that, and his address has the ceiling alone. `provider` is whose
/// notification a webhook says it is.
#[must_use]
pub fn counted(spec: &Spec, who: &Who<'_>, provider: &str) -> Counted {
    let one = |class, key| [Some((class, key)), None];
    let stranger = || network(who.address);
    match (spec.auth, who.user, rules(spec.limit).counts) {
        _ if who.internal => one(Limit::Server, "internal".to_owned()),
        _ if spec.limit == Limit::None => [None, None],
        (Auth::Webhook, ..) => one(spec.limit, provider.to_owned()),
        (_, Some(user), _) => one(spec.limit, user.to_string()),
        (_, None, Counts::Credential) => one(Limit::Ceiling, stranger()),
        (_, None, Counts::AddressAndCredential) => one(Limit::Anonymous, stranger()),
        (_, None, _) if spec.limit == Limit::Default => one(Limit::Anonymous, stranger()),
        (_, None, _) => [Some((Limit::Anonymous, stranger())), Some((spec.limit, stranger()))],
    }
}

/// One subscriber's address. Of IPv6 the first half: whoever has one address of it has them all.
#[must_use]
pub fn network(address: &str) -> String {
    match address.trim().parse() {
        Ok(IpAddr::V6(six)) => match six.to_ipv4_mapped() {
            Some(four) => written(four),
            None => {
                let [a, b, c, d, ..] = six.segments();
                half([a, b, c, d])
            }
        },
        Ok(IpAddr::V4(four)) => written(four),
        // Bare workerd without a proxy in front names nobody: all are one.
        Err(_) => "unknown".to_owned(),
    }
}

/// As the standard library writes it, whose own writer also aligns, and weighs more than all that is counted here.
fn written(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets().map(u32::from);
    format!("{a}.{b}.{c}.{d}")
}

/// The IPv6 address that begins so and goes on with zeros, which are the longest run there can be: `2001:db8::`.
fn half(front: [u16; 4]) -> String {
    let last = front.iter().rposition(|group| *group != 0);
    let groups = front.iter().take(last.map_or(0, |last| last.saturating_add(1)));
    let groups: Vec<_> = groups.map(|group| format!("{group:x}")).collect();
    [groups.join(":").as_str(), "::"].concat()
}

/// Whose webhook this is: named in the query, or by the name it was called under. A name that is no provider's is nobody's,
/// so that a stranger cannot make counters without end.
#[must_use]
pub fn provider(named: Option<&str>, invoked_as: &str, known: &[&'static str]) -> &'static str {
    let named = named.and_then(|named| known.iter().find(|name| **name == named));
    named.or_else(|| known.iter().find(|name| text::contains(invoked_as, name))).copied().unwrap_or("unknown")
}

/// A key from what stands in a request: e-mails and codes go nowhere but into a hash.
fn key(class: Limit, address: &str, credential: &str) -> String {
    let mut hash = Sha256::new();
    if rules(class).counts == Counts::AddressAndCredential {
        hash.update(network(address));
        hash.update(b"\0");
    }
    hash.update(credential.trim().to_lowercase());
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl<W> Cx<W> {
    /// Counts one call against `class`, for a class whose key the pipeline cannot know because it stands in the body: the
    /// e-mail of a login, the code of an invitation, the id of a hook. `address` is `Seen::address`, as it is.
    ///
    /// # Errors
    /// 429 for one call too many; 503 when nobody can count and the class is one that then refuses.
    pub async fn limit(&self, class: Limit, address: &str, credential: &str) -> Answer<()> {
        self.world.limits.enter(class, &key(class, address, credential)).await
    }
}

#[cfg(test)]
mod tests;
