//! The types a value of the file can have, and what is said when it has another.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use super::diagnostic::Diagnostics;
use super::raw::{self, Table};
use super::tables::RawLab;

/// A type that values can have.
pub(super) trait Value: Sized {
    /// The value, or a report why it is none.
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self>;
}

/// One string, or a list of them.
#[derive(Clone, Debug, Default)]
pub(super) struct OneOrMore(pub(super) Vec<Spanned<String>>);

/// A list of strings.
#[derive(Clone, Debug, Default)]
pub(super) struct List(pub(super) Vec<Spanned<String>>);

/// A number that may have a fraction; finite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds(pub(super) f64);

/// All tables of one header.
#[derive(Clone, Debug)]
pub(super) struct Rows<T>(pub(super) Vec<T>);

/// A table as the value of a key: `key = { … }`.
#[derive(Clone, Debug)]
pub(super) struct Inline<T>(pub(super) T);

/// A value of one of two types.
#[derive(Clone, Debug)]
pub(super) enum Either<A, B> {
    /// The first.
    One(A),
    /// The second.
    Other(B),
}

/// A port or a range of them, or a list of such.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers(pub(super) Vec<Item>);

/// A number or a range.
pub(super) type Item = Spanned<Either<i64, String>>;

/// A VLAN or a range of them, or a list of such.
#[derive(Clone, Debug, Default)]
pub(super) struct Vids(pub(super) Vec<Item>);

impl Value for String {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        match value {
            DeValue::String(text) => Some(text.clone().into_owned()),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
                wrong(value, span, key, "a string", found).help("put it in double quotes");
                None
            }
            _ => {
                wrong(value, span, key, "a string", found);
                None
            }
        }
    }
}

impl Value for bool {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        match value {
            DeValue::Boolean(value) => return Some(*value),
            DeValue::String(text) if matches!(&**text, "true" | "false") => {
                wrong(value, span, key, "true or false", found)
                    .help(format!("without quotes: {key} = {text}"));
            }
            DeValue::String(text) if matches!(&**text, "on" | "off" | "yes" | "no") => {
                let meant = matches!(&**text, "on" | "yes");
                wrong(value, span, key, "true or false", found).help(format!("write {key} = {meant}"));
            }
            _ => {
                wrong(value, span, key, "true or false", found);
            }
        }
        None
    }
}

impl Value for i64 {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        match value {
            DeValue::Integer(number) => integer(number, span, key, found),
            DeValue::String(text) if text.parse::<Self>().is_ok() => {
                wrong(value, span, key, "a whole number", found)
                    .help(format!("without quotes: {key} = {text}"));
                None
            }
            _ => {
                wrong(value, span, key, "a whole number", found);
                None
            }
        }
    }
}

impl Value for Seconds {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        let number = match value {
            DeValue::Integer(number) => return integer(number, span, key, found).map(|n| Self(n as f64)),
            DeValue::Float(number) => number.as_str().parse::<f64>().ok().filter(|n| n.is_finite()),
            _ => None,
        };
        if number.is_none() {
            wrong(value, span, key, "a number of seconds", found).help(format!("such as {key} = 300"));
        }
        number.map(Self)
    }
}

impl Value for OneOrMore {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        match value {
            DeValue::String(text) => Some(Self(vec![Spanned::new(span, text.clone().into_owned())])),
            DeValue::Array(_) => strings(value, key, found).map(Self),
            _ => {
                wrong(value, span, key, "a string or a list of strings", found);
                None
            }
        }
    }
}

impl Value for List {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        match value {
            DeValue::Array(_) => strings(value, key, found).map(Self),
            DeValue::String(text) => {
                let words: Vec<_> = text.split_whitespace().map(|word| format!("{word:?}")).collect();
                wrong(value, span, key, "a list of strings", found)
                    .help(format!("{key} = [{}]", words.join(", ")));
                None
            }
            _ => {
                wrong(value, span, key, "a list of strings", found);
                None
            }
        }
    }
}

impl Value for RawLab {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        match value {
            DeValue::Table(table) => Some(raw::read(table, span, found)),
            DeValue::Array(array) if array.iter().all(|row| row.get_ref().is_table()) => {
                found
                    .error(span, "single brackets", format!("there is one [{key}] in a file"))
                    .help(format!("write [{key}]"));
                None
            }
            _ => {
                wrong(value, span, key, "a table", found).help(format!("write [{key}] on a line of its own"));
                None
            }
        }
    }
}

impl<T: Table> Value for Inline<T> {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        if let DeValue::Table(table) = value {
            return Some(Self(raw::read(table, span, found)));
        }
        let fields: Vec<_> = T::keys().iter().map(|field| format!("{field} = …")).collect();
        wrong(value, span, key, "a table", found)
            .help(format!("write some of {key} = {{ {} }}", fields.join(", ")));
        None
    }
}

impl Value for Either<bool, String> {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        match value {
            DeValue::Boolean(value) => Some(Self::One(*value)),
            DeValue::String(text) => Some(Self::Other(text.clone().into_owned())),
            _ => {
                wrong(value, span, key, "true, false or a word", found);
                None
            }
        }
    }
}

impl Value for Either<i64, String> {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        match value {
            DeValue::Integer(number) => integer(number, span, key, found).map(Self::One),
            DeValue::String(text) => Some(Self::Other(text.clone().into_owned())),
            _ => {
                wrong(value, span, key, "a whole number or a word", found);
                None
            }
        }
    }
}

impl Value for Numbers {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        items(value, span, key, ("a port, a range of them, or a list", "[80, \"8000-8010\"]"), found)
            .map(Self)
    }
}

impl Value for Vids {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        items(value, span, key, ("a VLAN, a range of them, or a list", "[20, \"30-40\"]"), found).map(Self)
    }
}

impl<T: Table> Value for Rows<T> {
    fn read(value: &DeValue<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<Self> {
        let header = T::HEADER;
        let mut one = |value: &DeValue<'_>, span: Range<usize>| match value {
            DeValue::Table(table) => Some(raw::read(table, span, found)),
            _ => {
                wrong(value, span, key, "a table", found)
                    .help(format!("write {header} on a line of its own"));
                None
            }
        };
        match value {
            DeValue::Array(rows) => {
                Some(Self(rows.iter().filter_map(|row| one(row.get_ref(), row.span())).collect()))
            }
            DeValue::Table(_) => {
                let row = one(value, span.clone())?;
                found
                    .error(span, "double brackets", format!("there may be several {header}, so it is a list"))
                    .help(format!("write {header}"));
                Some(Self(vec![row]))
            }
            _ => one(value, span).map(|row| Self(vec![row])),
        }
    }
}

/// A whole number, in any of TOML's notations.
fn integer(number: &DeInteger<'_>, span: Range<usize>, key: &str, found: &mut Diagnostics) -> Option<i64> {
    let value = i64::from_str_radix(number.as_str(), number.radix()).ok();
    if value.is_none() {
        found.error(span, "too large", format!("`{key}` cannot be {number}"));
    }
    value
}

/// One number or range, or a list of them.
fn items(
    value: &DeValue<'_>,
    span: Range<usize>,
    key: &str,
    (expected, example): (&str, &str),
    found: &mut Diagnostics,
) -> Option<Vec<Item>> {
    let mut one = |value: &DeValue<'_>, span: Range<usize>| match value {
        DeValue::Integer(_) | DeValue::String(_) => {
            let read = Either::read(value, span.clone(), key, found)?;
            Some(Spanned::new(span, read))
        }
        _ => {
            wrong(value, span, key, expected, found).help(format!("such as {key} = {example}"));
            None
        }
    };
    let DeValue::Array(list) = value else { return one(value, span).map(|item| vec![item]) };
    let read: Vec<_> = list.iter().filter_map(|item| one(item.get_ref(), item.span())).collect();
    (read.len() == list.len()).then_some(read)
}

/// The strings of a list; `None` if any element is something else, each of which is reported.
fn strings(value: &DeValue<'_>, key: &str, found: &mut Diagnostics) -> Option<Vec<Spanned<String>>> {
    let list = value.as_array()?;
    let read: Vec<_> = list
        .iter()
        .filter_map(|item| {
            let text = String::read(item.get_ref(), item.span(), key, found)?;
            Some(Spanned::new(item.span(), text))
        })
        .collect();
    (read.len() == list.len()).then_some(read)
}

fn wrong<'a>(
    value: &DeValue<'_>,
    span: Range<usize>,
    key: &str,
    expected: &str,
    found: &'a mut Diagnostics,
) -> &'a mut super::Diagnostic {
    let given = match value {
        DeValue::Array(_) => "a list",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Integer(_) => "a number",
        DeValue::String(_) => "a string",
        DeValue::Table(_) => "a table",
    };
    found.error(span, format!("expected {expected}"), format!("`{key}` must be {expected}, not {given}"))
}
