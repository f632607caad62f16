//! Bars that lie, one below the other, each with its name before it and its value behind it.

use svg::node::element::Group;

use super::axis::{Scale, steps};
use super::pen::{GRID, LIMIT, block, stroke};
use super::{Anchor, Area, GREY, Ink, Text, shown, tick, width_of};

const BAR: f64 = 22.0;
const HEAD: f64 = 26.0;
const FOOT: f64 = 22.0;
/// For a value behind the longest bar.
const BEHIND: f64 = 64.0;

pub struct Bars {
    pub heading: String,
    pub unit: &'static str,
    pub bars: Vec<Bar>,
    /// Budgets of all bars: a name and a value.
    pub limits: Vec<(String, f64)>,
}

pub struct Bar {
    pub label: String,
    /// From left to right, on top of each other.
    pub parts: Vec<(f64, Ink)>,
    /// Its own budget.
    pub limit: Option<f64>,
}

impl Bar {
    fn total(&self) -> f64 {
        self.parts.iter().map(|(value, _)| value).sum()
    }
}

impl Bars {
    fn limits_height(&self) -> f64 {
        15.0 * f64::from(u32::try_from(self.limits.len()).unwrap_or_default())
    }

    fn bars_height(&self) -> f64 {
        BAR * f64::from(u32::try_from(self.bars.len()).unwrap_or_default())
    }

    pub fn height(&self) -> f64 {
        HEAD + self.limits_height() + self.bars_height() + FOOT
    }

    pub fn margin(&self) -> f64 {
        self.bars.iter().map(|bar| width_of(&bar.label, 12.0)).fold(0.0, f64::max) + 10.0
    }

    pub fn draw(&self, area: Area) -> Group {
        let (left, right) = (area.x + area.margin, area.x + area.width - BEHIND);
        let limits = self.limits.iter().map(|(_, value)| *value);
        let most = self.bars.iter().map(|bar| bar.total().max(bar.limit.unwrap_or_default())).chain(limits);
        let most = most.fold(0.0, f64::max);
        let ticks = steps(most, (right - left) / 90.0);
        let high = ticks.last().copied().unwrap_or(1.0);
        let x = Scale { low: 0.0, high, is_log: false, from: left, to: right };
        let top = area.y + HEAD + self.limits_height();
        let bottom = top + self.bars_height();
        let heading = format!("{}, {}", self.heading, self.unit);
        let mut group = Group::new().add(Text::new(area.x, area.y + 12.0, &heading).size(13.0).bold().draw());
        for value in ticks {
            let (at, label) = (x.at(value), tick(value));
            group = group.add(stroke((at, top), (at, bottom), GRID, None));
            let label = Text::new(at, bottom + 15.0, &label).size(11.0).colour(GREY).anchor(Anchor::Middle);
            group = group.add(label.draw());
        }
        let rows = || (0_u32..).map(|place| top + BAR * f64::from(place)).zip(&self.bars);
        group = rows().fold(group, |group, (y, bar)| group.add(stripe(bar, &x, y, area)));
        for (place, (name, value)) in (0_u32..).zip(&self.limits) {
            let (at, y) = (x.at(*value), top - self.limits_height() + 15.0 * f64::from(place));
            let room = area.x + area.width - at - 6.0;
            let (from, anchor) =
                if width_of(name, 11.0) <= room { (at + 6.0, Anchor::Start) } else { (at - 6.0, Anchor::End) };
            group = group.add(stroke((at, y + 1.0), (at, bottom), LIMIT, Some("5 3")));
            group = group.add(Text::new(from, y + 9.0, name).size(11.0).colour(LIMIT).anchor(anchor).draw());
        }
        // Last: what crosses a value would strike it through.
        rows().fold(group, |group, (y, bar)| group.add(value(bar, &x, y)))
    }

    pub fn words(&self) -> String {
        let bars: Vec<String> = self.bars.iter().map(|bar| format!("{} {}", bar.label, shown(bar.total()))).collect();
        let limits: Vec<String> =
            self.limits.iter().map(|(name, value)| format!("{name}: {}", shown(*value))).collect();
        let limits = if limits.is_empty() { String::new() } else { format!("; budget {}", limits.join(", ")) };
        format!("{}, in {}: {}{limits}.", self.heading, self.unit, bars.join(", "))
    }
}

fn stripe(bar: &Bar, x: &Scale, y: f64, area: Area) -> Group {
    let label = Text::new(area.x + area.margin - 8.0, y + BAR / 2.0 + 4.0, &bar.label).anchor(Anchor::End);
    let mut group = Group::new().add(label.draw());
    let mut sum = 0.0;
    for (value, ink) in &bar.parts {
        let from = x.at(sum);
        sum += value;
        group = group.add(block(from, y + 3.0, x.at(sum) - from, BAR - 6.0, ink.colour));
    }
    group
}

/// Behind the bar, or behind its budget where that is close.
fn value(bar: &Bar, x: &Scale, y: f64) -> Group {
    let text = shown(bar.total());
    let width = width_of(&text, 12.0);
    let mut end = x.at(bar.total());
    let mut group = Group::new();
    if let Some(limit) = bar.limit.map(|limit| x.at(limit)) {
        group = group.add(block(limit - 1.2, y + 1.0, 2.4, BAR - 2.0, LIMIT));
        if limit > end - 4.0 && limit < end + width + 10.0 {
            end = limit;
        }
    }
    let paper = block(end + 4.0, y + 4.0, width + 2.0, BAR - 8.0, "#ffffff");
    group.add(paper).add(Text::new(end + 6.0, y + BAR / 2.0 + 4.0, &text).draw())
}
