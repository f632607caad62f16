//! What `ledger.audit` answers, in lines and in sentences.

use std::fmt::Write as _;

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Report {
    ok: bool,
    at: String,
    books: Books,
    broken: Broken,
    accounts: Vec<Account>,
    clearing: Vec<Clearing>,
    chain: Chain,
    waiting: Waiting,
    noted: Option<Noted>,
}

#[derive(Deserialize)]
struct Books {
    currencies: Vec<Currency>,
    wallets: u64,
}

#[derive(Deserialize)]
struct Currency {
    currency: String,
    sum: i64,
    entries: u64,
}

#[derive(Deserialize)]
struct Broken {
    transactions: Vec<Unbalanced>,
    wallets: Vec<Wallet>,
}

#[derive(Deserialize)]
struct Unbalanced {
    id: String,
    day: String,
    currency: String,
    off: i64,
}

#[derive(Deserialize)]
struct Wallet {
    id: String,
    currency: String,
    balance: i64,
    lines: i64,
}

#[derive(Deserialize)]
struct Account {
    currency: String,
    kind: String,
    total: i64,
    lines: u64,
}

#[derive(Deserialize)]
struct Clearing {
    account: String,
    currency: String,
    total: i64,
    open: i64,
    count: u64,
}

#[derive(Deserialize)]
struct Chain {
    days: u64,
    transactions: u64,
    from: Option<String>,
    to: Option<String>,
    head: Option<String>,
    broken: Option<Break>,
}

#[derive(Deserialize)]
struct Break {
    day: String,
    seal: String,
    count: u64,
    changed: Vec<String>,
    missing: Vec<String>,
    added: Vec<String>,
}

#[derive(Deserialize)]
struct Noted {
    head: String,
    day: Option<String>,
}

#[derive(Deserialize)]
struct Waiting {
    unsealed_transactions: u64,
    blocked_wallets: u64,
    alerts: u64,
    reconciliation_differences: Option<u64>,
    dead_letters: Option<u64>,
}

impl Report {
    /// Everything that was looked at, with its figures; amounts in minor units.
    pub fn text(&self) -> String {
        let mut out = format!("at {}, amounts in minor units\n\nbooks\n", self.at);
        for Currency { currency, sum, entries } in &self.books.currencies {
            _ = writeln!(out, "  {currency}  {} lines, sum {}", grouped(*entries), signed(*sum));
        }
        _ = writeln!(out, "  {} wallets, {} of them wrong", grouped(self.books.wallets), self.broken.wallets.len());
        out += "\naccounts\n";
        for Account { currency, kind, total, lines } in &self.accounts {
            _ = writeln!(out, "  {currency}  {kind:<18}{:>24}  {} lines", signed(*total), grouped(*lines));
        }
        out += "\nclearing, and what is open\n";
        for Clearing { account, currency, total, open, count } in &self.clearing {
            let (total, open) = (signed(*total), signed(*open));
            _ = writeln!(out, "  {currency}  {account:<18}{total:>24}  {open} in {} open", grouped(*count));
        }
        out += "\nchain\n";
        match (&self.chain.from, &self.chain.to, &self.chain.head) {
            (Some(from), Some(to), Some(head)) => {
                let (days, transactions) = (grouped(self.chain.days), grouped(self.chain.transactions));
                _ = writeln!(out, "  {days} days hold, {from} to {to}, {transactions} transactions\n  head {head}");
            }
            _ => out += "  no day holds yet\n",
        }
        if let Some(Noted { day: Some(day), .. }) = &self.noted {
            _ = writeln!(out, "  the noted head is that of {day}");
        }
        out += "\nfor a person\n";
        out += &self.waiting.text();
        out += if self.ok { "\nall of it adds up\n" } else { "\nwrong\n" };
        for finding in self.findings() {
            _ = writeln!(out, "  {finding}");
        }
        out
    }

    /// None when everything adds up; else the first finding, and how many more there are.
    pub fn verdict(&self) -> Option<String> {
        let findings = self.findings();
        match (findings.first(), findings.len()) {
            (None, _) if self.ok => None,
            (None, _) => Some("the audit failed without saying why: look at --json".to_owned()),
            (Some(only), 1) => Some(only.clone()),
            (Some(first), more) => Some(format!("{first} ({} more above)", more - 1)),
        }
    }

    /// The gravest first: a rewritten past, then books that do not add up, then money that waits for nobody.
    fn findings(&self) -> Vec<String> {
        let mut found: Vec<String> = self.chain.broken.iter().map(Break::sentence).collect();
        if let Some(Noted { head, day: None }) = &self.noted {
            found.push(format!(
                "the noted head {head} is of no day: days were sealed anew, or removed, since it was noted"
            ));
        }
        found.extend(self.broken.transactions.iter().map(|Unbalanced { id, day, currency, off }| {
            format!("transaction {id} of {day} does not balance in {currency}: off by {}", signed(*off))
        }));
        for Currency { currency, sum, .. } in self.books.currencies.iter().filter(|currency| currency.sum != 0) {
            found.push(format!("all lines in {currency} together are {}, not 0", signed(*sum)));
        }
        found.extend(self.broken.wallets.iter().map(|Wallet { id, currency, balance, lines }| {
            format!("wallet {id} says {} {currency}, its lines say {}", signed(*balance), signed(*lines))
        }));
        for Clearing { account, currency, total, open, .. } in
            self.clearing.iter().filter(|line| line.total != line.open)
        {
            let (total, open) = (signed(*total), signed(*open));
            found.push(format!("{account} holds {total} {currency}, and {open} is open"));
        }
        found
    }
}

impl Break {
    fn sentence(&self) -> String {
        let groups = [("changed", &self.changed), ("removed", &self.missing), ("added", &self.added)];
        let mut parts: Vec<String> =
            groups.iter().filter(|(_, ids)| !ids.is_empty()).map(|(how, ids)| named(how, ids)).collect();
        let shown = self.changed.len() + self.missing.len() + self.added.len();
        if self.count > shown as u64 {
            parts.push(format!("{} in all", grouped(self.count)));
        }
        let seal = match self.seal.as_str() {
            "holds" => "its seal holds, so the books were altered".to_owned(),
            "altered" => "its leaves or its seal were altered".to_owned(),
            "missing" => "it has no seal".to_owned(),
            other => format!("its seal {other} from the day before"),
        };
        parts.push(seal);
        format!("the chain breaks on {}: {}", self.day, parts.join("; "))
    }
}

impl Waiting {
    fn text(&self) -> String {
        let counts = [
            ("transactions of days not sealed yet", Some(self.unsealed_transactions)),
            ("alerts not sent yet", Some(self.alerts)),
            ("blocked wallets", Some(self.blocked_wallets)),
            ("differences to a provider", self.reconciliation_differences),
            ("events put aside", self.dead_letters),
        ];
        let known = counts.iter().filter_map(|(what, count)| count.map(|count| (what, count)));
        known.fold(String::new(), |text, (what, count)| text + &format!("  {} {what}\n", grouped(count)))
    }
}

fn named(how: &str, ids: &[String]) -> String {
    match ids {
        [only] => format!("transaction {only} was {how} after the seal"),
        many => format!("transactions {} were {how} after the seal", many.join(", ")),
    }
}

fn signed(amount: i64) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(amount.unsigned_abs()))
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests;
