//! Ports of transport protocols, as the tables of a router have them: a number, or a range of them.

use std::ops::Range;

use crate::control::config::scope::Scope;
use crate::control::config::value::{Either, Numbers};

const HINT: &str = "a port is a number from 1 to 65535, a range is two of them: \"8000-8010\"";

/// The first and the last of each item of a list.
pub(super) fn list(scope: &mut Scope, numbers: &Numbers, key: &str) -> Vec<(u16, u16)> {
    let mut ranges = Vec::new();
    for item in &numbers.0 {
        let range = match item.get_ref() {
            Either::One(number) => one(scope, *number, &item.span(), key).map(|port| (port, port)),
            Either::Other(text) => range(scope, text, &item.span(), key),
        };
        ranges.extend(range);
    }
    ranges
}

/// A port.
pub(super) fn one(scope: &mut Scope, number: i64, span: &Range<usize>, key: &str) -> Option<u16> {
    let port = u16::try_from(number).ok().filter(|port| *port != 0);
    if port.is_none() {
        scope.error(span.clone(), "no port", format!("`{key}` cannot have port {number}")).help(HINT);
    }
    port
}

/// The first and the last: of a number, or of two with a dash between.
pub(super) fn range(scope: &mut Scope, text: &str, span: &Range<usize>, key: &str) -> Option<(u16, u16)> {
    let number = |text: &str| text.trim().parse::<i64>().ok();
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first), number(last)),
        None => (number(text), number(text)),
    };
    let (Some(first), Some(last)) = (first, last) else {
        scope.error(span.clone(), "no port", format!("`{key}` cannot have port {text:?}")).help(HINT);
        return None;
    };
    let first = one(scope, first, span, key)?;
    let last = one(scope, last, span, key)?;
    if first > last {
        scope
            .error(span.clone(), "the wrong way round", format!("the range {text:?} ends before it begins"))
            .help(format!("write \"{last}-{first}\""));
        return None;
    }
    Some((first, last))
}
