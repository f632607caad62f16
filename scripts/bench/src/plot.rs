//! Charts as SVG: panels of bars or of lines on one sheet. The same numbers give the same bytes.
//!
//! The crate `svg` writes and escapes. Where things stand is ours: the charting crates that need no fonts have no bars in
//! groups with a budget, and none gives a chart the title and description that a reader needs who does not see it.

use svg::Document;
use svg::node::element::{Description, Group, Rectangle, Title};

mod axis;
mod bars;
mod lines;
mod pen;

pub use bars::{Bar, Bars};
pub use lines::{Axis, Lines, Series};
pub use pen::{Ink, LIMIT, Shape};

use pen::{Anchor, GREY, INK, Text, mark, px, width_of};

const WIDTH: f64 = 880.0;
const EDGE: f64 = 24.0;
const GAP: f64 = 28.0;

/// A drawing with its name in words and the commands that measured it.
pub struct Sheet {
    /// The file's, without its ending.
    pub name: &'static str,
    pub title: String,
    /// What to read in it: a sentence below the title.
    pub about: String,
    pub legend: Vec<(String, Ink)>,
    pub columns: usize,
    pub panels: Vec<Panel>,
    pub sources: Vec<String>,
}

pub enum Panel {
    Bars(Bars),
    Lines(Lines),
}

/// Where a panel is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    x: f64,
    y: f64,
    width: f64,
    /// What the panels of a sheet leave free for labels on the left, so that their axes begin in one place.
    margin: f64,
}

impl Panel {
    fn height(&self) -> f64 {
        match self {
            Self::Bars(bars) => bars.height(),
            Self::Lines(lines) => lines.height(),
        }
    }

    fn margin(&self) -> f64 {
        match self {
            Self::Bars(bars) => bars.margin(),
            Self::Lines(lines) => lines.margin(),
        }
    }

    fn draw(&self, area: Area) -> Group {
        match self {
            Self::Bars(bars) => bars.draw(area),
            Self::Lines(lines) => lines.draw(area),
        }
    }

    /// The figures, for who cannot see them.
    fn words(&self) -> String {
        match self {
            Self::Bars(bars) => bars.words(),
            Self::Lines(lines) => lines.words(),
        }
    }
}

impl Sheet {
    pub fn file(&self) -> String {
        format!("{}.svg", self.name)
    }

    pub fn svg(&self) -> String {
        let mut content = Group::new();
        let mut y = EDGE + 16.0;
        content = content.add(Text::new(EDGE, y, &self.title).size(18.0).bold().draw());
        for line in wrapped(&self.about, 12.0) {
            y += 18.0;
            content = content.add(Text::new(EDGE, y, &line).colour(GREY).draw());
        }
        y += 14.0;
        let (legend, height) = self.legend(y);
        let (panels, height) = self.panels(y + height);
        content = content.add(legend).add(panels);
        y = height;
        let sources = self.sources.iter().map(|source| format!("Measured by {}", source.replace('`', "")));
        for line in sources.flat_map(|source| wrapped(&source, 11.0)) {
            content = content.add(Text::new(EDGE, y, &line).size(11.0).colour(GREY).draw());
            y += 15.0;
        }
        let height = y + EDGE - 12.0;
        // A page may be light or dark: the sheet brings its own paper.
        let paper =
            Rectangle::new().set("width", px(WIDTH)).set("height", px(height)).set("rx", 8).set("fill", "#ffffff");
        let document = Document::new()
            .set("viewBox", format!("0 0 {} {}", px(WIDTH), px(height)))
            .set("width", px(WIDTH))
            .set("height", px(height))
            .set("role", "img")
            .set("aria-labelledby", "title desc")
            .set("font-family", "ui-sans-serif, system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif")
            .set("fill", INK)
            .add(Title::new(self.title.as_str()).set("id", "title"))
            .add(Description::new().set("id", "desc").add(svg::node::Text::new(self.words())))
            .add(paper)
            .add(content);
        format!("{document}\n")
    }

    fn words(&self) -> String {
        let panels: Vec<String> = self.panels.iter().map(Panel::words).collect();
        format!("{} {} Measured by {}.", self.about, panels.join(" "), self.sources.join("; ").replace('`', ""))
    }

    /// In as many lines as it needs; how high it is.
    fn legend(&self, top: f64) -> (Group, f64) {
        let mut group = Group::new();
        let (mut x, mut y) = (EDGE, top);
        for (name, ink) in &self.legend {
            let width = 20.0 + width_of(name, 12.0) + 18.0;
            if x + width > WIDTH - EDGE && x > EDGE {
                (x, y) = (EDGE, y + 20.0);
            }
            group = group.add(mark(x + 6.0, y + 6.0, *ink)).add(Text::new(x + 18.0, y + 10.0, name).draw());
            x += width;
        }
        (group, if self.legend.is_empty() { 0.0 } else { y - top + 26.0 })
    }

    /// Row by row; where they end.
    fn panels(&self, top: f64) -> (Group, f64) {
        let mut group = Group::new();
        let margin = self.panels.iter().map(Panel::margin).fold(0.0, f64::max);
        let mut y = top;
        for row in self.panels.chunks(self.columns.max(1)) {
            let mut x = EDGE;
            let columns = f64::from(u32::try_from(self.columns.max(1)).unwrap_or(1));
            let width = (WIDTH - 2.0 * EDGE - GAP * (columns - 1.0)) / columns;
            for panel in row {
                group = group.add(panel.draw(Area { x, y, width, margin }));
                x += width + GAP;
            }
            y += row.iter().map(Panel::height).fold(0.0, f64::max) + 18.0;
        }
        (group, y + 6.0)
    }
}

/// Into lines that fit on a sheet; a word that alone is longer stays whole.
fn wrapped(text: &str, size: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width_of(&format!("{line} {word}"), size) <= WIDTH - 2.0 * EDGE => {
                *line += &format!(" {word}")
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// As short as it can be without hiding a difference that matters.
fn shown(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{} M", trimmed(value / 1e6)),
        size if size >= 1e4 => format!("{} k", trimmed(value / 1e3)),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// For an axis, whose steps are round.
fn tick(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{} M", trimmed(value / 1e6)),
        size if size >= 1e4 => format!("{} k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
