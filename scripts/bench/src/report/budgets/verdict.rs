//! One budget: kept, or missed by how much.

use crate::report::figures::{Figure, Figures};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    AtMost(f64),
    Below(f64),
    AtLeast(f64),
}

impl Bound {
    fn limit(self) -> f64 {
        let (Self::AtMost(limit) | Self::Below(limit) | Self::AtLeast(limit)) = self;
        limit
    }

    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::Below(limit) => value < limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Times,
    Micros,
    Millis,
    Kilobytes,
    Seconds,
}

impl Unit {
    fn shown(self, value: f64) -> String {
        match self {
            Self::Times => format!("{value:.2} ×"),
            Self::Micros => format!("{value:.0} µs"),
            Self::Millis => format!("{value:.2} ms"),
            Self::Kilobytes => format!("{value:.1} KB"),
            Self::Seconds => format!("{} s", format!("{value:.1}").trim_end_matches(".0")),
        }
    }
}

/// A line of the table; what it was measured from is copied out of the rows.
pub struct Line {
    pub what: String,
    bound: Bound,
    unit: Unit,
    value: Option<f64>,
    rows: Vec<Figure>,
}

impl Line {
    pub fn new(what: &str, bound: Bound, unit: Unit, measured: Option<(f64, Vec<&Figure>)>) -> Self {
        let (value, rows) = measured.map_or((None, Vec::new()), |(value, rows)| (Some(value), rows));
        Self { what: what.to_owned(), bound, unit, value, rows: rows.into_iter().cloned().collect() }
    }

    pub fn budget(&self) -> String {
        let limit = self.unit.shown(self.bound.limit());
        match self.bound {
            Bound::AtMost(_) => format!("≤ {limit}"),
            Bound::Below(_) => format!("< {limit}"),
            Bound::AtLeast(_) => format!("≥ {limit}"),
        }
    }

    pub fn measured(&self) -> String {
        self.value.map_or_else(|| "–".to_owned(), |value| self.unit.shown(value))
    }

    /// None where nothing was measured.
    pub fn is_kept(&self) -> Option<bool> {
        self.value.map(|value| self.bound.holds(value))
    }

    /// A ratio of two runs is none of one: what a machine's mood did to each is in it.
    pub fn verdict(&self, figures: &Figures) -> String {
        let Some(value) = self.value else { return "not measured".to_owned() };
        let limit = self.bound.limit();
        let verdict = if self.bound.holds(value) {
            "kept".to_owned()
        } else {
            let percent = (value / limit - 1.0).abs() * 100.0;
            match percent {
                few if few < 0.05 => "**missed, by less than 0.1 %**".to_owned(),
                few if few < 10.0 => format!("**missed by {few:.1} %**"),
                percent => format!("**missed by {percent:.0} %**"),
            }
        };
        let runs = figures.sources(&self.rows).len();
        if runs > 1 { format!("{verdict}, but across {runs} runs") } else { verdict }
    }

    pub fn rows(&self) -> impl Iterator<Item = Figure> {
        self.rows.clone().into_iter()
    }
}
