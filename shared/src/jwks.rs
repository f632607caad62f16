//! The issuer's published keys: when they are fetched, how long they are believed, and what happens while nobody answers.
//!
//! Times are contracts/non-functional.md, N70: a key that was revoked is believed for ten minutes at most, unless the
//! issuer is down; then the keys we know go on for a day, because a silent issuer must not log everybody out.

use crate::auth::PublicKey;

/// Milliseconds that keys are believed without asking again.
pub const FRESH_MS: u64 = 600_000;
/// After an attempt, successful or not, the next one waits this long: a stranger's key ids must not become a flood.
pub const COOLDOWN_MS: u64 = 30_000;
/// How long keys are believed while the issuer does not answer.
pub const STALE_MS: u64 = 86_400_000;
/// Who asks and has heard nothing for this long has gone away.
pub const PATIENCE_MS: u64 = 3_000;
/// A set longer than this is none, in bytes.
pub const MAX_BYTES: usize = 65_536;

/// The keys that one isolate knows.
#[derive(Debug, Default)]
pub struct Published {
    keys: Vec<PublicKey>,
    fetched_ms: Option<u64>,
    tried_ms: Option<u64>,
    /// Somebody is asking since then.
    asking_ms: Option<u64>,
}

impl Published {
    /// The keys to believe at `now_ms`.
    #[must_use]
    pub fn keys(&self, now_ms: u64) -> &[PublicKey] {
        let known = self.fetched_ms.is_some_and(|at| now_ms.saturating_sub(at) < STALE_MS);
        if known { &self.keys } else { &[] }
    }

    /// Whether to ask the issuer before a token of this key id is judged. `max_age_ms` is at most [`FRESH_MS`].
    #[must_use]
    pub fn is_due(&self, kid: Option<&str>, max_age_ms: u64, now_ms: u64) -> bool {
        let since = |at: Option<u64>| at.map_or(u64::MAX, |at| now_ms.saturating_sub(at));
        let knows = kid.is_none_or(|kid| self.keys.iter().any(|key| key.kid == kid));
        let max_age_ms = max_age_ms.min(FRESH_MS);
        let wanted = since(self.fetched_ms) >= max_age_ms || !knows;
        wanted && since(self.tried_ms) >= COOLDOWN_MS.min(max_age_ms)
    }

    /// Somebody asks now; who comes meanwhile goes on with what is known, or waits for the answer.
    pub fn asked(&mut self, now_ms: u64) {
        self.tried_ms = Some(now_ms);
        self.asking_ms = Some(now_ms);
    }

    /// Whether the answer that is on its way may bring a key that is not known: worth waiting for, not worth asking twice.
    #[must_use]
    pub fn awaits(&self, kid: &str, now_ms: u64) -> bool {
        let asking = self.asking_ms.is_some_and(|since| now_ms.saturating_sub(since) < PATIENCE_MS);
        asking && !self.keys.iter().any(|key| key.kid == kid)
    }

    /// The issuer's answer; `None` when there was none, or none that is a key set. True: a key that was known is gone, so
    /// whatever was verified with it must be forgotten.
    pub fn answered(&mut self, keys: Option<Vec<PublicKey>>, now_ms: u64) -> bool {
        self.asking_ms = None;
        let Some(keys) = keys else { return false };
        let revoked = self.keys.iter().any(|old| !keys.contains(old));
        self.keys = keys;
        self.fetched_ms = Some(now_ms);
        revoked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn key(kid: &str) -> PublicKey {
        PublicKey { kid: kid.into(), alg: "ES256".into(), jwk: kid.into() }
    }

    fn known() -> Published {
        let mut published = Published::default();
        published.asked(MINUTE);
        assert!(!published.answered(Some(vec![key("a"), key("b")]), MINUTE), "nothing was known, so nothing is gone");
        published
    }

    #[test]
    fn n70_keys_are_asked_for_again_after_ten_minutes() {
        let published = known();
        assert!(Published::default().is_due(Some("a"), FRESH_MS, 0), "nothing is known yet");
        assert!(!published.is_due(Some("a"), FRESH_MS, 10 * MINUTE));
        assert!(published.is_due(Some("a"), FRESH_MS, 11 * MINUTE));
        assert!(published.is_due(Some("a"), u64::MAX, 11 * MINUTE), "nobody may configure more");
    }

    #[test]
    fn an_unknown_key_is_asked_for_once_in_half_a_minute() {
        let mut published = known();
        assert!(!published.is_due(Some("c"), FRESH_MS, MINUTE + 29_999));
        assert!(published.is_due(Some("c"), FRESH_MS, MINUTE + 30_000));
        published.asked(MINUTE + 30_000);
        assert!(!published.is_due(Some("c"), FRESH_MS, MINUTE + 31_000), "who comes meanwhile does not ask too");
    }

    #[test]
    fn who_comes_while_somebody_asks_waits_for_an_unknown_key_and_for_no_known_one() {
        let mut published = Published::default();
        assert!(!published.awaits("a", 0), "nobody asks");
        published.asked(0);
        assert!(!published.is_due(Some("a"), FRESH_MS, 10), "one asks");
        assert!(published.awaits("a", 10));
        assert!(!published.awaits("a", PATIENCE_MS), "who asked went away");
        published.answered(Some(vec![key("a")]), 50);
        assert!(!published.awaits("a", 60) && !published.awaits("b", 60));
        published.asked(40_000);
        assert!(!published.awaits("a", 40_001) && published.awaits("b", 40_001));
    }

    #[test]
    fn an_issuer_that_is_down_leaves_the_known_keys_for_a_day() {
        let mut published = known();
        published.asked(20 * MINUTE);
        assert!(!published.answered(None, 20 * MINUTE));
        assert_eq!(published.keys(24 * 60 * MINUTE).len(), 2);
        assert!(published.keys(24 * 60 * MINUTE + MINUTE).is_empty());
        assert!(!published.is_due(Some("a"), FRESH_MS, 20 * MINUTE + 29_000), "it is not asked by every request");
    }

    #[test]
    fn a_key_that_is_gone_or_changed_makes_its_tokens_forgotten() {
        let mut published = known();
        assert!(!published.answered(Some(vec![key("a"), key("b"), key("c")]), 2 * MINUTE), "a standby key arrived");
        assert!(published.answered(Some(vec![key("b"), key("c")]), 3 * MINUTE), "a was revoked");
        let swapped = PublicKey { jwk: "other".into(), ..key("b") };
        assert!(published.answered(Some(vec![swapped, key("c")]), 4 * MINUTE), "b is another key now");
        assert!(published.answered(Some(Vec::new()), 5 * MINUTE) && published.keys(5 * MINUTE).is_empty());
    }
}
