//! The rows for people: on the terminal, and as the page docs/benchmarks.md with its plots.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

mod budgets;
pub mod figures;
mod plots;
pub mod tables;

use figures::Figures;
use tables::{Section, sections};

pub const PAGE: &str = "docs/benchmarks.md";

/// Beside the page: its plots, and the rows of which all of it is made.
const PLOTS: &str = "plots";
const ROWS_FILE: &str = "benchmarks.json";

pub fn terminal(figures: &Figures) -> String {
    let mut text = figures.runs.iter().fold(String::new(), |text, run| format!("{text}{}\n", run.machine));
    for Section { heading, table, .. } in sections(figures) {
        text += &format!("\n{heading}\n");
        let width = |column: usize| table.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..table[0].len()).map(width).collect();
        for line in &table {
            let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            text += &format!("  {}\n", cells.collect::<Vec<_>>().join("  "));
        }
    }
    text
}

/// The tables, each with the command that measured it.
fn markdown(figures: &Figures) -> String {
    let mut text = String::new();
    for run in figures.runs.iter().filter(|run| !run.machine.is_empty()) {
        text += &format!("{}: measured on {}.\n\n", run.source(), run.machine);
    }
    for Section { heading, table, sources } in sections(figures) {
        text += &format!("### {heading}\n\nBy {}.\n\n", sources.join("; "));
        for (number, line) in table.iter().enumerate() {
            text += &format!("| {} |\n", line.join(" | "));
            if number == 0 {
                text += &format!("| --- |{}\n", " ---: |".repeat(line.len() - 1));
            }
        }
        text += "\n";
    }
    format!("{}\n", text.trim_end())
}

/// Into the marked part of a page; a file without one, or none at all, becomes the figures alone.
pub fn tables_into(figures: &Figures, file: &Path) -> Result<()> {
    let page = fs::read_to_string(file).unwrap_or_default();
    let text = markdown(figures);
    let page = replaced(&page, "figures", &text).unwrap_or(text);
    fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))
}

/// What stands between `<!-- name -->` and `<!-- /name -->` is a run's; none where a page has no such part.
fn replaced(page: &str, name: &str, text: &str) -> Option<String> {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (head, rest) = page.split_once(&open)?;
    let (_, tail) = rest.split_once(&close)?;
    Some(format!("{head}{open}\n{text}{close}{tail}"))
}

/// A page and the plots that it shows, before anything is written.
struct Rendered {
    page: String,
    /// File names and contents.
    plots: Vec<(String, String)>,
}

fn render(figures: &Figures, page: &str) -> Result<Rendered> {
    let sheets = plots::sheets(figures);
    let mut shown = String::new();
    for sheet in &sheets {
        let file = format!("{PLOTS}/{}", sheet.file());
        shown += &format!("### {}\n\n{}\n\n![{}]({file})\n\n", sheet.title, sheet.about, sheet.title);
        shown += &format!("By {}.\n\n", sheet.sources.join("; "));
    }
    let mut page = page.to_owned();
    for (name, text) in [
        ("budgets", &budgets::markdown(figures)),
        ("plots", &shown.replace("\n\n\n", "\n\n")),
        ("figures", &markdown(figures)),
    ] {
        let text = format!("\n{}\n\n", text.trim_end());
        page = replaced(&page, name, &text).with_context(|| format!("the page has no part <!-- {name} -->"))?;
    }
    Ok(Rendered { page, plots: sheets.iter().map(|sheet| (sheet.file(), sheet.svg())).collect() })
}

/// The page, its plots, and the rows of which both are made: with these, what is measured next is combined.
pub fn publish(figures: &Figures, file: &Path) -> Result<()> {
    let page = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let rendered = render(figures, &page)?;
    let folder = file.parent().context("a page lies in a folder")?;
    let plots = folder.join(PLOTS);
    fs::create_dir_all(&plots).with_context(|| format!("cannot make {}", plots.display()))?;
    for stale in plots::NAMES.map(|name| plots.join(format!("{name}.svg"))).iter().filter(|plot| plot.is_file()) {
        fs::remove_file(stale)?;
    }
    for (name, svg) in &rendered.plots {
        fs::write(plots.join(name), svg).with_context(|| format!("cannot write {name}"))?;
    }
    figures.write(&folder.join(ROWS_FILE))?;
    fs::write(file, &rendered.page).with_context(|| format!("cannot write {}", file.display()))?;
    eprintln!("rendered {} with {} plots", file.display(), rendered.plots.len());
    Ok(())
}

#[cfg(test)]
mod tests;
