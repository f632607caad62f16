//! What is measured, and who takes part.

use std::fmt;
use std::net::SocketAddr;

use clap::ValueEnum;
use xtask::keys::Alg;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Case {
    /// A public function that answers at once.
    Hello,
    /// The same behind a router, over a service binding.
    Hop,
    /// A transfer between two wallets: token, validation, PostgREST, Postgres.
    #[value(name = "wallet-transfer/hs256")]
    TransferHs256,
    #[value(name = "wallet-transfer/es256")]
    TransferEs256,
}

impl Case {
    pub const ALL: [Self; 4] = [Self::Hello, Self::Hop, Self::TransferHs256, Self::TransferEs256];

    pub fn room(self) -> Room {
        match self {
            Self::Hello => Room::Hello,
            Self::Hop => Room::Hop,
            Self::TransferHs256 | Self::TransferEs256 => Room::Transfer,
        }
    }

    /// How the callers' tokens are signed; none are sent to a public function.
    pub fn alg(self) -> Option<Alg> {
        match self {
            Self::Hello | Self::Hop => None,
            Self::TransferHs256 => Some(Alg::Hs256),
            Self::TransferEs256 => Some(Alg::Es256),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Name {
    /// Our functions.
    Cauris,
    /// `fetch(url, request)` in JavaScript and nothing else: the floor.
    Proxy,
    /// JavaScript by hand, with jose and fetch.
    Js,
    /// TypeScript with Hono, jose and postgrest-js.
    Hono,
    /// The same TypeScript under Deno.
    Deno,
    /// The same TypeScript under Bun.
    Bun,
    /// PostgREST itself, with no edge in front: what the edge is added to.
    Direct,
}

impl Name {
    pub const ALL: [Self; 7] = [Self::Cauris, Self::Proxy, Self::Js, Self::Hono, Self::Deno, Self::Bun, Self::Direct];
}

/// Both enums are called on the command line what they are called in the rows.
macro_rules! shown_as_value {
    ($($kind:ty),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
            }
        }
    )*};
}
shown_as_value!(Case, Name);

/// A kind of work; cases that differ in their tokens alone share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    Hello,
    Hop,
    Transfer,
}

impl Room {
    pub const ALL: [Self; 3] = [Self::Hello, Self::Hop, Self::Transfer];
}

/// Where a subject does that work.
#[derive(Clone, Debug)]
pub struct Door {
    pub addr: SocketAddr,
    pub path: String,
    /// False for the bare proxy, and for none at all: it takes what PostgREST takes and answers what PostgREST answers.
    pub has_contract: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_and_subjects_are_called_what_the_rows_call_them() {
        let cases = Case::ALL.map(|case| case.to_string());
        assert_eq!(cases, ["hello", "hop", "wallet-transfer/hs256", "wallet-transfer/es256"]);
        assert_eq!(Name::ALL.map(|name| name.to_string()), ["cauris", "proxy", "js", "hono", "deno", "bun", "direct"]);
    }
}
