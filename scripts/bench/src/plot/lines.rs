//! Lines over an axis, each with marks of its own form.

use svg::node::element::{Group, Polyline};

use super::axis::{Scale, decades, steps};
use super::pen::{GRID, mark, stroke};
use super::{Anchor, Area, GREY, Ink, Text, px, shown, tick};

const HEIGHT: f64 = 230.0;
const HEAD: f64 = 40.0;
const FOOT: f64 = 38.0;

pub struct Axis {
    pub label: &'static str,
    pub is_log: bool,
}

pub struct Series {
    pub name: String,
    pub ink: Ink,
    pub points: Vec<(f64, f64)>,
}

pub struct Lines {
    pub heading: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
}

impl Lines {
    pub fn height(&self) -> f64 {
        HEAD + HEIGHT + FOOT
    }

    pub fn margin(&self) -> f64 {
        46.0
    }

    /// Over the x axis, only where something was measured: between two readings nobody has looked.
    fn places(&self) -> Vec<f64> {
        let mut all: Vec<f64> = self.series.iter().flat_map(|series| &series.points).map(|point| point.0).collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        all
    }

    fn levels(&self) -> Vec<f64> {
        let all = || self.series.iter().flat_map(|series| &series.points).map(|point| point.1);
        let most = all().fold(0.0, f64::max);
        let least = all().filter(|value| *value > 0.0).fold(f64::MAX, f64::min);
        if self.y.is_log && least < f64::MAX { decades(least, most) } else { steps(most, 4.0) }
    }

    pub fn draw(&self, area: Area) -> Group {
        let (places, levels) = (self.places(), self.levels());
        let ends = |of: &[f64]| (of.first().copied().unwrap_or(0.0), of.last().copied().unwrap_or(1.0));
        let (left, right) = (area.x + area.margin, area.x + area.width - 12.0);
        let (top, bottom) = (area.y + HEAD, area.y + HEAD + HEIGHT);
        let (low, high) = ends(&places);
        let x = Scale { low, high, is_log: self.x.is_log, from: left + 14.0, to: right - 14.0 };
        let (low, high) = ends(&levels);
        let y = Scale { low, high, is_log: self.y.is_log, from: bottom, to: top };
        let mut group = Group::new()
            .add(Text::new(area.x, area.y + 12.0, &self.heading).size(13.0).bold().draw())
            .add(Text::new(area.x, area.y + 29.0, self.y.label).size(11.0).colour(GREY).draw());
        for level in &levels {
            let (at, label) = (y.at(*level), tick(*level));
            let label = Text::new(left - 7.0, at + 4.0, &label).size(11.0).colour(GREY).anchor(Anchor::End);
            group = group.add(stroke((left, at), (right, at), GRID, None)).add(label.draw());
        }
        for place in &places {
            let (at, label) = (x.at(*place), tick(*place));
            let label = Text::new(at, bottom + 16.0, &label).size(11.0).colour(GREY).anchor(Anchor::Middle);
            group = group.add(stroke((at, bottom), (at, bottom + 4.0), GREY, None)).add(label.draw());
        }
        let label = Text::new(f64::midpoint(left, right), bottom + 33.0, self.x.label).size(11.0).colour(GREY);
        group = group.add(label.anchor(Anchor::Middle).draw());
        self.series.iter().fold(group, |group, series| group.add(one(series, &x, &y)))
    }

    pub fn words(&self) -> String {
        let point = |(x, y): &(f64, f64)| format!("{} at {}", shown(*y), tick(*x));
        let series = self.series.iter().map(|series| {
            let points: Vec<String> = series.points.iter().map(point).collect();
            format!("{} {}", series.name, points.join(", "))
        });
        let series: Vec<String> = series.collect();
        format!("{}, {} over {}: {}.", self.heading, self.y.label, self.x.label, series.join("; "))
    }
}

fn one(series: &Series, x: &Scale, y: &Scale) -> Group {
    let points: Vec<(f64, f64)> = series.points.iter().map(|point| (x.at(point.0), y.at(point.1))).collect();
    let path: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", px(*x), px(*y))).collect();
    let line = Polyline::new()
        .set("points", path.join(" "))
        .set("fill", "none")
        .set("stroke", series.ink.colour)
        .set("stroke-width", 2)
        .set("stroke-linejoin", "round");
    points.into_iter().fold(Group::new().add(line), |group, (x, y)| group.add(mark(x, y, series.ink)))
}
