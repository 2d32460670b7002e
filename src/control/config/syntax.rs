//! Text to tree: TOML's syntax errors, all of them, in our words.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics, position};

const NOT_TOML: &str = "this is not TOML";

/// The tree, as far as it can be read; whether anything of it may be missing; and the errors.
pub(super) fn parse(text: &str) -> (Spanned<DeTable<'_>>, bool, Diagnostics) {
    let (tree, errors) = DeTable::parse_recoverable(text);
    let mut found = Diagnostics::default();
    let mut broken = false;
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        if error.message() == "duplicate key" {
            duplicate(text, &tree, span, &mut found);
            continue;
        }
        broken = true;
        let (label, help) = match unquoted_value(text, span.start) {
            Some((_, "")) => ("a value is missing".to_owned(), None),
            Some((key, value)) => (
                error.message().replace('\n', ", "),
                Some(format!("put text in double quotes: {key} = {value:?}")),
            ),
            None => (error.message().replace('\n', ", "), None),
        };
        found.error(span, label, NOT_TOML).help = help;
    }
    (tree, broken, found)
}

/// The key and the value of the line at `offset`, if it begins `key = value` and the value is neither quoted nor a
/// list or table.
fn unquoted_value(text: &str, offset: usize) -> Option<(&str, &str)> {
    let before = text.get(..offset)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let (key, value) = text[start..].lines().next()?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_inside = offset > start + key.len();
    (is_key && is_inside && !value.starts_with(['"', '\'', '[', '{'])).then_some((key, value))
}

/// Drops what was found on a line that is not TOML: it is an echo of that.
pub(super) fn without_echoes(mut found: Diagnostics, text: &str) -> Diagnostics {
    let line = |diagnostic: &Diagnostic| position(text, diagnostic.start()).0;
    let is_syntax = |diagnostic: &Diagnostic| diagnostic.message == NOT_TOML;
    let broken: Vec<_> = found.iter().filter(|d| is_syntax(d)).map(line).collect();
    found.retain(|diagnostic| is_syntax(diagnostic) || !broken.contains(&line(diagnostic)));
    found
}

/// The tree keeps the first of two equal keys: the last key of that name before the second.
fn duplicate(text: &str, tree: &Spanned<DeTable<'_>>, span: Range<usize>, found: &mut Diagnostics) {
    let key = text.get(span.clone()).unwrap_or_default();
    let mut first = None;
    visit_keys(tree.get_ref(), &mut |other| {
        if other.end <= span.start && text.get(other.clone()) == Some(key) {
            first =
                [first.take(), Some(other)].into_iter().flatten().max_by_key(|key: &Range<usize>| key.start);
        }
    });
    let diagnostic = found.error(span, "given again here", format!("`{key}` is given twice"));
    if let Some(first) = first {
        diagnostic.also(first, "first given here");
    }
    diagnostic.help("remove one of them");
}

fn visit_keys(table: &DeTable<'_>, visit: &mut impl FnMut(Range<usize>)) {
    for (key, value) in table {
        visit(key.span());
        visit_tables(value.get_ref(), visit);
    }
}

fn visit_tables(value: &DeValue<'_>, visit: &mut impl FnMut(Range<usize>)) {
    match value {
        DeValue::Array(items) => items.iter().for_each(|item| visit_tables(item.get_ref(), visit)),
        DeValue::Table(table) => visit_keys(table, visit),
        _ => {}
    }
}
