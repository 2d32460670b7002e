//! What is wrong with a file, where, and how to put it right.
//!
//! A [`Diagnostic`] knows byte ranges of the text, not the text itself; [`Diagnostics::render`] is given the text
//! and draws it in the manner of rustc. The first label is the place of the fault, the others are what it
//! collides with.

use std::collections::HashSet;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

/// Whether the file can be used all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but hardly means what it says.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a clause that names the value.
    pub message: String,
    /// Byte ranges of the text, each with a remark; the first is where the fault is.
    pub labels: Vec<(Range<usize>, String)>,
    /// How to put it right.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A fault at `span`.
    pub fn new(
        severity: Severity,
        span: Range<usize>,
        label: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity, message: message.into(), labels: vec![(span, label.into())], help: None }
    }

    /// Points at something else that is involved.
    pub fn also(&mut self, span: Range<usize>, label: impl Into<String>) -> &mut Self {
        self.labels.push((span, label.into()));
        self
    }

    /// Says how to put it right.
    pub fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help = Some(text.into());
        self
    }

    /// Where the fault begins, as a byte offset.
    pub fn start(&self) -> usize {
        self.labels.first().map_or(0, |(span, _)| span.start)
    }

    fn group<'a>(&'a self, file: &'a str, text: &'a str) -> Group<'a> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut snippet = Snippet::source(text).path(file);
        for (index, (span, label)) in self.labels.iter().enumerate() {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            snippet = snippet.annotation(kind.span(visible(span, text)).label(label.as_str()));
        }
        let group = level.primary_title(self.message.as_str()).element(snippet);
        match &self.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }
}

/// All that is wrong with a file, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one; the caller may add labels and help to what is returned.
    pub fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        self.0.push(diagnostic);
        self.0.last_mut().expect("it was pushed just now")
    }

    /// Adds an error.
    pub fn error(
        &mut self,
        span: Range<usize>,
        label: impl Into<String>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Diagnostic::new(Severity::Error, span, label, message))
    }

    /// Adds a warning.
    pub fn warn(
        &mut self,
        span: Range<usize>,
        label: impl Into<String>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Diagnostic::new(Severity::Warning, span, label, message))
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// The same in the order of the text, each thing once.
    pub(super) fn sorted(mut self) -> Self {
        self.0.sort_by_key(|diagnostic| (diagnostic.start(), diagnostic.severity));
        // what stands in a [[link]] is read once for either end
        let mut seen = HashSet::new();
        self.0.retain(|diagnostic| seen.insert((diagnostic.start(), diagnostic.message.clone())));
        self
    }

    /// Keeps only those for which `keep` holds.
    pub(super) fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        self.0.retain(keep);
    }

    /// As rustc would print it: `file` and `text` are what the diagnostics are about. Ends with a newline unless
    /// there is nothing to say.
    pub fn render(&self, file: &str, text: &str, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut out = String::new();
        for diagnostic in &self.0 {
            out.push_str(&renderer.render(&[diagnostic.group(file, text)]));
            out.push_str("\n\n");
        }
        out.truncate(out.trim_end_matches('\n').len() + usize::from(!out.is_empty()));
        out
    }

    /// For programs: a list of `{severity, message, help, file, line, column, labels: [{line, column, start, end,
    /// text}]}`. Lines and columns count from 1, columns in characters, `start` and `end` in bytes.
    pub fn to_json(&self, file: &str, text: &str) -> Value {
        let one = |diagnostic: &Diagnostic| {
            let (line, column) = position(text, diagnostic.start());
            let labels: Vec<_> = diagnostic
                .labels
                .iter()
                .map(|(span, label)| {
                    let (line, column) = position(text, span.start);
                    json!({"line": line, "column": column, "start": span.start, "end": span.end, "text": label})
                })
                .collect();
            json!({
                "severity": match diagnostic.severity { Severity::Error => "error", Severity::Warning => "warning" },
                "message": diagnostic.message,
                "help": diagnostic.help,
                "file": file,
                "line": line,
                "column": column,
                "labels": labels,
            })
        };
        Value::Array(self.0.iter().map(one).collect())
    }
}

impl From<Vec<Diagnostic>> for Diagnostics {
    fn from(list: Vec<Diagnostic>) -> Self {
        Self(list)
    }
}

impl From<Diagnostics> for Vec<Diagnostic> {
    fn from(diagnostics: Diagnostics) -> Self {
        diagnostics.0
    }
}

/// The line and the column, both counted from 1, of a byte offset; an offset beyond the text is its end.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let offset = (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// A range that can be drawn: inside the text, on character boundaries, on one line.
fn visible(span: &Range<usize>, text: &str) -> Range<usize> {
    let boundary =
        |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let start = boundary(span.start);
    let end = boundary(span.end).max(start);
    let end = text[start..end].find(['\n', '\r']).map_or(end, |newline| start + newline);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions() {
        let text = "a = 1\nü = 2\n";
        let table = [
            (0, (1, 1), "the beginning"),
            (5, (1, 6), "a newline belongs to its line"),
            (6, (2, 1), "the next line"),
            (7, (2, 1), "inside a character: its beginning"),
            (8, (2, 2), "columns count characters"),
            (99, (3, 1), "beyond the end: the end"),
        ];
        for (offset, expected, why) in table {
            assert_eq!(position(text, offset), expected, "{why}");
        }
    }

    #[test]
    fn drawing_never_panics() {
        let text = "ü = \"ß\"\r\n\n";
        for start in 0..text.len() + 2 {
            for end in 0..text.len() + 3 {
                let mut all = Diagnostics::default();
                all.error(start..end, "here", "a fault").also(end..start, "and here").help("help");
                assert!(all.render("f", text, true).contains("a fault"));
                assert!(all.to_json("f", text).is_array());
            }
        }
        assert_eq!(Diagnostics::default().render("f", text, false), "");
    }
}
