//! Letters and marks.

use svg::node::element::{Circle, Element, Polygon, Rectangle, Text as Letters};

pub const INK: &str = "#1f2937";
pub const GREY: &str = "#6b7280";
pub const GRID: &str = "#e5e7eb";
pub const LIMIT: &str = "#b91c1c";

/// How something is drawn: told apart by its form as well as by its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink {
    pub colour: &'static str,
    pub shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Block,
    Circle,
    Square,
    Diamond,
    Triangle,
    Wedge,
    /// A stroke upright, for a limit.
    Bar,
}

/// To a tenth: less is not seen, and more would differ between machines.
pub fn px(value: f64) -> f64 {
    let value = (value * 10.0).round() / 10.0;
    // Without the sign that a zero may have.
    if value == 0.0 { 0.0 } else { value }
}

/// How wide a text is in most fonts, rather too wide: there is no font here to ask.
pub fn width_of(text: &str, size: f64) -> f64 {
    let em = |letter: char| match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.32,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '/' | '-' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.95,
        letter if letter.is_ascii_uppercase() => 0.74,
        _ => 0.62,
    };
    text.chars().map(em).sum::<f64>() * size
}

#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

pub struct Text<'a> {
    x: f64,
    y: f64,
    text: &'a str,
    size: f64,
    colour: &'static str,
    anchor: Anchor,
    is_bold: bool,
}

impl<'a> Text<'a> {
    pub fn new(x: f64, y: f64, text: &'a str) -> Self {
        Self { x, y, text, size: 12.0, colour: INK, anchor: Anchor::Start, is_bold: false }
    }

    pub fn size(self, size: f64) -> Self {
        Self { size, ..self }
    }

    pub fn colour(self, colour: &'static str) -> Self {
        Self { colour, ..self }
    }

    pub fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub fn bold(self) -> Self {
        Self { is_bold: true, ..self }
    }

    pub fn draw(self) -> Element {
        let anchor = match self.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let letters = Letters::new(self.text)
            .set("x", px(self.x))
            .set("y", px(self.y))
            .set("font-size", self.size)
            .set("fill", self.colour)
            .set("text-anchor", anchor);
        if self.is_bold { letters.set("font-weight", 600) } else { letters }.into()
    }
}

/// A straight stroke; `dash` as SVG has it.
pub fn stroke(from: (f64, f64), to: (f64, f64), colour: &str, dash: Option<&str>) -> Element {
    let line = svg::node::element::Line::new()
        .set("x1", px(from.0))
        .set("y1", px(from.1))
        .set("x2", px(to.0))
        .set("y2", px(to.1))
        .set("stroke", colour)
        .set("stroke-width", 1.2);
    if let Some(dash) = dash { line.set("stroke-dasharray", dash) } else { line }.into()
}

pub fn block(x: f64, y: f64, width: f64, height: f64, colour: &str) -> Element {
    Rectangle::new()
        .set("x", px(x))
        .set("y", px(y))
        .set("width", px(width.max(0.0)))
        .set("height", px(height))
        .set("fill", colour)
        .into()
}

/// The mark of an ink, its middle at a point.
pub fn mark(x: f64, y: f64, ink: Ink) -> Element {
    let corners = |points: &[(f64, f64)]| {
        let points: Vec<String> = points.iter().map(|(dx, dy)| format!("{},{}", px(x + dx), px(y + dy))).collect();
        Polygon::new().set("points", points.join(" ")).set("fill", ink.colour).into()
    };
    match ink.shape {
        Shape::Block => block(x - 6.0, y - 6.0, 12.0, 12.0, ink.colour),
        Shape::Square => block(x - 3.8, y - 3.8, 7.6, 7.6, ink.colour),
        Shape::Bar => block(x - 1.2, y - 7.0, 2.4, 14.0, ink.colour),
        Shape::Circle => Circle::new().set("cx", px(x)).set("cy", px(y)).set("r", 4.2).set("fill", ink.colour).into(),
        Shape::Diamond => corners(&[(0.0, -5.6), (5.6, 0.0), (0.0, 5.6), (-5.6, 0.0)]),
        Shape::Triangle => corners(&[(0.0, -5.2), (5.2, 4.4), (-5.2, 4.4)]),
        Shape::Wedge => corners(&[(0.0, 5.2), (5.2, -4.4), (-5.2, -4.4)]),
    }
}
