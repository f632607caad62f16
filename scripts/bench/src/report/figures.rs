//! The rows of one run or of several, as they are read back: keys in the order in which they were written.
//!
//! A file is one array of flat objects. A row of suite `machine` says of all that follow, until the next one, where and by
//! which command they were measured; so files of several runs are combined without mixing them up.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::machine::Machine;
use crate::rows::Row;

/// The suite of the row that is a run's head.
const HEAD: &str = "machine";

/// Where, when and by which command rows were measured; empty where a file does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    pub machine: String,
    pub date: String,
    pub command: String,
}

impl Run {
    pub fn now(machine: &Machine, args: impl Iterator<Item = String>) -> Self {
        let date = OffsetDateTime::now_utc().date().to_string();
        Self { machine: machine.describe(), date, command: command(args) }
    }

    fn head(&self) -> Value {
        json!({"suite": HEAD, "machine": self.machine, "date": self.date, "command": self.command})
    }

    /// The command and the day, for below a table or a plot.
    pub fn source(&self) -> String {
        match (self.command.as_str(), self.date.as_str()) {
            ("", _) => "a run that did not note its command".to_owned(),
            (command, "") => format!("`{command}`"),
            (command, date) => format!("`{command}`, {date}"),
        }
    }
}

/// What was measured and how often is the run's; where its figures were written to is not, and names somebody's folders.
fn command(mut args: impl Iterator<Item = String>) -> String {
    let mut words = vec!["cargo xtask bench".to_owned()];
    while let Some(arg) = args.next() {
        match arg.split_once('=').map_or(arg.as_str(), |(name, _)| name) {
            "--report" => {}
            "--json" | "--markdown" | "--from" if arg.contains('=') => {}
            "--json" | "--markdown" | "--from" => _ = args.next(),
            _ => words.push(arg),
        }
    }
    words.join(" ")
}

/// One row, whatever its suite.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    keys: Vec<(String, Value)>,
    /// Its place in `Figures::runs`.
    pub run: usize,
}

impl Figure {
    fn get(&self, key: &str) -> Option<&Value> {
        self.keys.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Empty where the row has none.
    pub fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn number(&self, key: &str) -> Option<f64> {
        self.get(key).and_then(Value::as_f64)
    }

    pub fn is(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or_default()
    }

    pub fn suite(&self) -> &str {
        self.text("suite")
    }

    pub fn case(&self) -> &str {
        self.text("case")
    }

    pub fn subject(&self) -> &str {
        self.text("subject")
    }

    /// What a later measurement of replaces this one.
    fn name(&self) -> [&str; 3] {
        [self.suite(), self.case(), self.subject()]
    }

    fn line(&self) -> String {
        let keys: Vec<String> = self.keys.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
        format!("{{{}}}", keys.join(","))
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Figure;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row: one flat object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Figure, A::Error> {
                let mut keys = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    keys.push(entry);
                }
                Ok(Figure { keys, run: 0 })
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    pub runs: Vec<Run>,
    pub rows: Vec<Figure>,
}

impl Figures {
    pub fn measured(run: Run, rows: &[Row]) -> Result<Self> {
        Ok(Self { runs: vec![run], rows: serde_json::from_str(&serde_json::to_string(rows)?)? })
    }

    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("{} holds no rows of `bench --json`", file.display()))
    }

    pub fn parse(text: &str) -> Result<Self> {
        let mut figures = Self::default();
        for mut row in serde_json::from_str::<Vec<Figure>>(text)? {
            if row.suite() == HEAD {
                let part = |key| row.text(key).to_owned();
                figures.runs.push(Run { machine: part("machine"), date: part("date"), command: part("command") });
                continue;
            }
            if figures.runs.is_empty() {
                figures.runs.push(Run::default());
            }
            row.run = figures.runs.len() - 1;
            figures.rows.push(row);
        }
        Ok(figures)
    }

    /// Both; of what both have measured, the later.
    pub fn and(mut self, later: Self) -> Self {
        self.rows.retain(|row| !later.rows.iter().any(|newer| newer.name() == row.name()));
        let before = self.runs.len();
        self.runs.extend(later.runs);
        self.rows.extend(later.rows.into_iter().map(|row| Figure { run: row.run + before, ..row }));
        self.without_idle_runs()
    }

    /// Without runs of which nothing is left; of two that are called the same, one.
    fn without_idle_runs(self) -> Self {
        let mut kept = Self::default();
        for (number, run) in self.runs.into_iter().enumerate() {
            let own: Vec<&Figure> = self.rows.iter().filter(|row| row.run == number).collect();
            if own.is_empty() {
                continue;
            }
            let at = kept.runs.iter().position(|other| *other == run).unwrap_or(kept.runs.len());
            if at == kept.runs.len() {
                kept.runs.push(run);
            }
            kept.rows.extend(own.into_iter().map(|row| Figure { run: at, ..row.clone() }));
        }
        kept.rows.sort_by_key(|row| row.run);
        kept
    }

    pub fn write(&self, file: &Path) -> Result<()> {
        fs::write(file, self.json()).with_context(|| format!("cannot write {}", file.display()))
    }

    pub fn json(&self) -> String {
        let mut lines = Vec::new();
        for (number, run) in self.runs.iter().enumerate() {
            let keys = ["suite", "machine", "date", "command"];
            let head = run.head();
            let keys = keys.map(|key| (key.to_owned(), head[key].clone())).into();
            lines.push(Figure { keys, run: number }.line());
            lines.extend(self.rows.iter().filter(|row| row.run == number).map(Figure::line));
        }
        format!("[\n  {}\n]\n", lines.join(",\n  "))
    }

    pub fn of<'a>(&'a self, suite: &'a str) -> impl Iterator<Item = &'a Figure> + Clone {
        self.rows.iter().filter(move |row| row.suite() == suite)
    }

    pub fn find(&self, suite: &str, case: &str, subject: &str) -> Option<&Figure> {
        self.rows.iter().find(|row| row.name() == [suite, case, subject])
    }

    /// By whom `rows` were measured, each run once.
    pub fn sources<'a>(&self, rows: impl IntoIterator<Item = &'a Figure>) -> Vec<String> {
        let mut runs: Vec<usize> = rows.into_iter().map(|row| row.run).collect();
        runs.sort_unstable();
        runs.dedup();
        runs.into_iter().map(|run| self.runs[run].source()).collect()
    }
}

/// Each once, in the order of their first.
pub fn distinct<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

#[cfg(test)]
mod tests;
