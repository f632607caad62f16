//! Who is counted, and how often he may come: keys that no stranger can shape, and windows that hold whatever the pace.

use std::net::IpAddr;

use super::{choice, line};
use crate::cache::Key;
use crate::limits::{LEASE_MS, Rules, Tally, Verdict, network, provider, rules};
use crate::payments::PROVIDERS;

/// `a` two addresses, one a line; `p` the name of a webhook's provider, and the name it was called under; `v` the words of
/// a counting object; `k` two requests to be cached, one a line, each with parameters `name=value&…`; `t` a letter for the
/// class and then a byte for each call: how long after the last one it comes.
pub fn limits(data: &[u8]) {
    let Some((kind, rest)) = choice(data) else { return };
    let (first, second) = line(rest);
    let texts = std::str::from_utf8(first).ok().zip(std::str::from_utf8(second).ok());
    match (kind, texts) {
        ('a', Some((one, other))) => addresses(one, other),
        ('p', Some((named, invoked_as))) => providers(named, invoked_as),
        ('v', Some((words, _))) => verdicts(words),
        ('k', Some((one, other))) => cache_keys(one, other),
        ('t', _) => paces(rest),
        _ => {}
    }
}

/// Two addresses are counted as one exactly when they are one subscriber's.
fn addresses(one: &str, other: &str) {
    let keys = [network(one), network(other)];
    assert_eq!(keys[0] == keys[1], subscriber(one) == subscriber(other), "{one:?} and {other:?} are {keys:?}");
    for key in keys {
        assert_eq!(network(&key), key, "a key is its own key");
        assert!(key.len() <= 39 && key.bytes().all(|b| b.is_ascii_hexdigit() || b".:unkow".contains(&b)), "{key:?}");
    }
}

/// The 32 bits of an old address, the first 64 of a new one; nothing of what is none.
fn subscriber(address: &str) -> Option<(bool, u64)> {
    match address.trim().parse::<IpAddr>().ok()? {
        IpAddr::V4(four) => Some((false, u64::from(four.to_bits()))),
        IpAddr::V6(six) => match six.to_bits() {
            bits if bits >> 32 == 0xffff => Some((false, u64::try_from(bits & 0xffff_ffff).ok()?)),
            bits => Some((true, u64::try_from(bits >> 64).ok()?)),
        },
    }
}

fn providers(named: &str, invoked_as: &str) {
    let key = provider(Some(named), invoked_as, &PROVIDERS);
    assert!(key == "unknown" || PROVIDERS.contains(&key), "a stranger made a counter of his own: {key:?}");
    assert!(!PROVIDERS.contains(&named) || key == named, "{named:?} is counted as {key:?}");
}

fn verdicts(words: &str) {
    if let Some(verdict) = Verdict::parse(words) {
        assert_eq!(Verdict::parse(&verdict.to_text()), Some(verdict), "{words:?}");
    }
}

/// No two requests share an answer, whatever their parameters are made of.
fn cache_keys(one: &str, other: &str) {
    let parameters = |text: &str| -> Vec<(String, String)> {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    // Values are strangers' bytes; names are ours, and plain.
    let plain = |list: &[(String, String)]| list.iter().all(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase()));
    let (one, other) = (parameters(one), parameters(other));
    if plain(&one) && plain(&other) {
        let key = |list: &[(String, String)]| {
            list.iter().fold(Key::public("events", 1), |key, (name, value)| key.with(name, value)).text().to_owned()
        };
        assert_eq!(key(&one) == key(&other), one == other, "{one:?} and {other:?}");
    }
}

fn paces(data: &[u8]) {
    let Some((letter, calls)) = choice(data) else { return };
    let at = usize::from(u8::try_from(letter).unwrap_or_default()) % crate::limits::CLASSES.len();
    let Some(class) = crate::limits::CLASSES.get(at) else { return };
    let mut pace = Pace {
        rules: rules(*class),
        tally: Tally::default(),
        now_ms: 1_800_000_000_000,
        log: Vec::new(),
        held: Vec::new(),
    };
    for step in calls.iter().take(400) {
        pace.step(*step);
    }
}

/// A caller, and everything that was let in.
struct Pace {
    rules: &'static Rules,
    tally: Tally,
    now_ms: u64,
    log: Vec<u64>,
    held: Vec<(u32, u64)>,
}

impl Pace {
    /// 255 ends the oldest call that is under way; anything else is a call, up to eleven minutes after the last.
    fn step(&mut self, step: u8) {
        if step == u8::MAX {
            if !self.held.is_empty() {
                self.tally.leave(self.held.remove(0).0);
            }
            return;
        }
        self.now_ms += u64::from(step) * u64::from(step) * 10;
        let now_ms = self.now_ms;
        self.held.retain(|(_, until)| *until > now_ms);
        match self.tally.enter(self.rules, now_ms) {
            Verdict::In { lease, .. } => self.was_let_in(lease),
            Verdict::Out { wait_s, .. } => self.may_come_after(wait_s),
        }
    }

    fn was_let_in(&mut self, lease: Option<u32>) {
        self.log.push(self.now_ms);
        for window in self.rules.windows {
            let inside = self.log.iter().filter(|call| **call + window.ms() > self.now_ms).count();
            assert!(inside <= window.calls as usize, "{inside} calls in {} s of {}", window.seconds, self.rules.name);
        }
        self.held.extend(lease.map(|lease| (lease, self.now_ms + LEASE_MS)));
        let most = self.rules.inside.map_or(0, |most| most as usize);
        assert!(self.held.len() <= most, "{} at once of {}", self.held.len(), self.rules.name);
    }

    /// Whoever waits as he was told comes in, unless his own calls are still under way.
    fn may_come_after(&self, wait_s: u32) {
        let full = self.rules.inside.is_some_and(|most| self.held.len() >= most as usize);
        let longest_s = self.rules.longest_ms() / 1000 + 1;
        assert!((1..=longest_s).contains(&u64::from(wait_s)), "wait {wait_s} s for {}", self.rules.name);
        let later = self.tally.clone().enter(self.rules, self.now_ms + u64::from(wait_s) * 1000);
        assert!(full || later.is_in(), "{} was told to wait {wait_s} s, and in vain: {later:?}", self.rules.name);
    }
}
