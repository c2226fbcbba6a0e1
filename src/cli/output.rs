//! Everything that is printed: answers on standard output, problems on standard error.

use std::io::Write;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::args::{Color, Format};
use super::report::Report;
use crate::domain::Problem;
use crate::domain::text::reorders;
use crate::render::diff::Entry;
use crate::yaml;

const BOLD: Style = Style::new().bold();
const HIGH: Style = AnsiColor::Red.on_default().bold();
const MEDIUM: Style = AnsiColor::Yellow.on_default();
const LOW: Style = AnsiColor::Green.on_default();

/// Prints in the form that was asked for.
pub(super) struct Printer {
    format: Format,
    report: Option<Report>,
}

impl Printer {
    pub(super) fn new(format: Format, color: Color) -> Self {
        let choice = match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
        Self { format, report: None }
    }

    /// The same, which writes a report too.
    pub(super) fn reporting(self, report: Option<Report>) -> Self {
        Self { report, ..self }
    }

    /// The report for the pipeline, if one is wanted.
    pub(super) fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Prints `value` as data, or calls `text` for people.
    pub(super) fn answer(&self, value: &impl Serialize, text: impl FnOnce(&mut Page)) {
        match self.format {
            Format::Text => {
                let mut page = Page(String::new());
                text(&mut page);
                self.raw(&page.0);
            }
            Format::Json => {
                let json = serde_json::to_string_pretty(value).unwrap_or_default();
                self.raw(&format!("{json}\n"));
            }
            Format::Yaml => {
                let value = serde_json::to_value(value).unwrap_or_default();
                self.raw(&yaml::write(&value).unwrap_or_default());
            }
        }
    }

    /// Whether answers are for people.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.format, Format::Text)
    }

    /// Prints text as it is. A reader that has gone away is not an error: `wooo render | head` is usual.
    pub(super) fn raw(&self, text: &str) {
        let mut out = anstream::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Prints data to the byte: nothing in it is taken for colour.
    pub(super) fn data(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Prints problems: as annotated source for people, as data otherwise.
    pub(super) fn problems(&self, problems: &[Problem]) {
        if let Some(report) = &self.report {
            report.problems(problems);
        }
        let mut err = anstream::stderr().lock();
        let text = match self.format {
            Format::Text => problems.iter().map(annotated).collect::<Vec<_>>().join("\n"),
            Format::Json | Format::Yaml => {
                format!(
                    "{}\n",
                    serde_json::to_string_pretty(&serde_json::json!({ "problems": problems })).unwrap_or_default()
                )
            }
        };
        let _ = err.write_all(text.as_bytes());
    }
}

/// `1 app`, `2 apps`.
pub(super) fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A page of text for people.
pub(super) struct Page(String);

impl Page {
    /// One line.
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.verbatim(&harmless(text.as_ref()));
    }

    /// Text that programs read, exactly as it is.
    pub(super) fn verbatim(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// One line that stands out.
    pub(super) fn heading(&mut self, text: impl AsRef<str>) {
        self.verbatim(&format!("{BOLD}{}{BOLD:#}", harmless(text.as_ref())));
    }

    /// Differences with their risk.
    pub(super) fn entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.entry(&entry.risk.to_string(), &entry.to_string());
        }
    }

    /// One difference with the word of its risk.
    pub(super) fn entry(&mut self, risk: &str, text: &str) {
        let style = match risk {
            "high" => HIGH,
            "medium" => MEDIUM,
            _ => LOW,
        };
        self.verbatim(&format!("  {style}{:<6}{style:#} {}", harmless(risk), harmless(text)));
    }

    /// One check with the word of its verdict: `ok`, `warn` or `fail`.
    pub(super) fn check(&mut self, verdict: &str, text: &str) {
        let style = match verdict {
            "fail" => HIGH,
            "warn" => MEDIUM,
            _ => LOW,
        };
        self.verbatim(&format!("{style}{verdict:<4}{style:#}  {}", harmless(text)));
    }

    /// Columns, as wide as their widest cell.
    pub(super) fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([header.get(column).map_or(0, |cell| cell.len())]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let aligned = |cells: &mut dyn Iterator<Item = &str>| {
            let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            padded.join("  ").trim_end().to_owned()
        };
        self.heading(aligned(&mut header.iter().copied()));
        for row in rows {
            self.line(aligned(&mut row.iter().map(String::as_str)));
        }
    }
}

/// `text` without what would steer a terminal or turn the order of its words around: such characters are shown as their
/// code points.
fn harmless(text: &str) -> String {
    let steers = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || reorders(c);
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A problem as source with an arrow, in the manner of rustc.
fn annotated(problem: &Problem) -> String {
    let detail = harmless(&problem.detail);
    let title = Level::ERROR.primary_title(detail.as_str()).id(problem.code);
    let hints: Vec<String> = problem.hints.iter().map(|hint| harmless(hint)).collect();
    let hints = hints.iter().map(|hint| Level::HELP.message(hint.as_str()));
    let group = match &problem.location {
        Some(location) => {
            let span = byte_span(&location.excerpt, location.column - 1, location.length);
            let snippet = Snippet::source(location.excerpt.as_str())
                .line_start(location.line)
                .path(location.file.as_str())
                .annotation(AnnotationKind::Primary.span(span));
            title.element(snippet).elements(hints)
        }
        None => title.elements(hints),
    };
    format!("{}\n", Renderer::styled().render(&[group]))
}

/// Characters to bytes.
fn byte_span(text: &str, start: usize, length: usize) -> std::ops::Range<usize> {
    let offset = |count: usize| text.char_indices().nth(count).map_or(text.len(), |(at, _)| at);
    offset(start)..offset(start + length)
}
