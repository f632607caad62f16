//! What a function may weigh, by what it does.

use std::collections::BTreeMap;

use xtask::house::{self, Binding, Function};

use super::verdict::{Bound, Line, Unit};
use crate::report::figures::{Figure, Figures};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Plain,
    Rpc,
    More,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Plain, Self::Rpc, Self::More];

    /// In kilobytes of 1,000 bytes.
    pub fn limit(self) -> f64 {
        match self {
            Self::Plain => 60.0,
            Self::Rpc => 90.0,
            Self::More => 180.0,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain functions",
            Self::Rpc => "functions that ask RPCs and nothing else",
            Self::More => "functions that do more: providers, identity, postgrest",
        }
    }

    /// By what it is bound to: who may reach nobody but Postgres does an RPC.
    fn of(function: &Function) -> Self {
        let is_rpc =
            |binding: &Binding| matches!(binding, Binding::Db | Binding::Service | Binding::Internal | Binding::Token);
        match function.bindings.as_slice() {
            _ if function.is_gateway() => Self::Plain,
            [] => Self::Plain,
            bindings if bindings.iter().all(is_rpc) => Self::Rpc,
            _ => Self::More,
        }
    }
}

/// Of the functions that there are.
pub fn kinds() -> BTreeMap<String, Kind> {
    let functions = house::functions().unwrap_or_default();
    functions.into_iter().map(|function| (function.name.clone(), Kind::of(&function))).collect()
}

pub fn kilobytes(row: &Figure) -> Option<f64> {
    row.number("gzip_bytes").map(|bytes| bytes / 1e3)
}

/// The heaviest of each kind.
pub fn lines(figures: &Figures) -> Vec<Line> {
    let kinds = kinds();
    let line = |kind: Kind| {
        let own = figures.of("size").filter(|row| kinds.get(row.case()) == Some(&kind));
        let heaviest =
            own.filter_map(|row| Some((kilobytes(row)?, row))).max_by(|one, other| one.0.total_cmp(&other.0));
        let name = heaviest.map_or(String::new(), |(_, row)| format!("; the heaviest is `{}`", row.case()));
        let what = format!("WebAssembly, gzip, of {}{name}", kind.name());
        Line::new(&what, Bound::AtMost(kind.limit()), Unit::Kilobytes, heaviest.map(|(size, row)| (size, vec![row])))
    };
    Kind::ALL.map(line).into()
}
