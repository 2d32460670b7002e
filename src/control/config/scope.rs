//! What all sections need while the file is given its meaning: the diagnostics so far, line numbers, and what is
//! taken already.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::raw::Field;
use super::suggest;
use super::value::Seconds;
use crate::control::plan::Line;
use crate::wire::mac::Mac;

/// Common ground of the sections.
#[derive(Debug)]
pub(super) struct Scope {
    line_starts: Vec<usize>,
    /// What is wrong so far.
    pub(super) found: Diagnostics,
    /// Network names, where they were given.
    pub(super) networks: Seen<String>,
    /// Node names.
    pub(super) nodes: Seen<String>,
    /// Names of ports, and of ends of links and of wires to routers.
    pub(super) ports: Seen<String>,
    /// Router names.
    pub(super) routers: Seen<String>,
    /// Interfaces that will exist, by namespace and name.
    pub(super) interfaces: Seen<(String, String)>,
    /// Cables' ends outside nodes, by name.
    pub(super) peers: Seen<String>,
    /// The kernel bridges of nodes, and what they join.
    pub(super) bridges: Vec<(Wire, Members)>,
    /// Addresses given to interfaces.
    pub(super) addresses: Vec<Claim<IpNet>>,
    /// Those of them that are the host's.
    pub(super) hosts: Vec<Claim<IpNet>>,
    /// The gateways that interfaces use.
    pub(super) gateways: Vec<Claim<IpAddr>>,
    /// Hardware addresses written in the file.
    pub(super) macs: Vec<Claim<Mac>>,
    /// Backup ports, to be looked for when all legs are known.
    pub(super) backups: Vec<BackupClaim>,
}

/// A leg names another as its backup.
#[derive(Clone, Debug)]
pub(super) struct BackupClaim {
    /// Which leg.
    pub(super) leg: String,
    /// The network that both are to be on.
    pub(super) network: String,
    /// What is written.
    pub(super) text: Spanned<String>,
}

/// What is joined by a kernel bridge, and where that is written.
pub(super) type Members = Vec<(Wire, Range<usize>)>;

/// Something that must be unique among the machines that hear each other.
#[derive(Clone, Debug)]
pub(super) struct Claim<T> {
    /// What.
    pub(super) value: T,
    /// Whose: the network, or the cable's other end.
    pub(super) on: Wire,
    /// Where it is written.
    pub(super) span: Range<usize>,
}

/// What an interface is plugged into.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wire {
    /// The kernel bridge of a node: node and bridge.
    Bridge(String, String),
    /// A cable, by the name of the end that is not in a node.
    Cable(String),
    /// A network.
    Network(String),
    /// A network that does not exist, which was reported.
    Nowhere,
}

impl Scope {
    pub(super) fn new(text: &str, found: Diagnostics) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            line_starts,
            found,
            networks: Seen::default(),
            nodes: Seen::default(),
            ports: Seen::default(),
            routers: Seen::default(),
            interfaces: Seen::default(),
            peers: Seen::default(),
            bridges: Vec::new(),
            addresses: Vec::new(),
            hosts: Vec::new(),
            gateways: Vec::new(),
            macs: Vec::new(),
            backups: Vec::new(),
        }
    }

    /// The line that a range begins on.
    pub(super) fn line(&self, span: &Range<usize>) -> Line {
        let line = self.line_starts.partition_point(|start| *start <= span.start);
        Line(u32::try_from(line).unwrap_or(u32::MAX))
    }

    pub(super) fn error(
        &mut self,
        span: Range<usize>,
        label: impl Into<String>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.found.error(span, label, message)
    }

    pub(super) fn warn(
        &mut self,
        span: Range<usize>,
        label: impl Into<String>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.found.warn(span, label, message)
    }

    /// The value of a key that must be there; its absence is reported at `table`.
    pub(super) fn required<'a, T>(
        &mut self,
        field: &'a Field<T>,
        table: &Range<usize>,
        key: &str,
        hint: &str,
    ) -> Option<&'a Spanned<T>> {
        if field.is_absent() {
            self.error(table.clone(), format!("has no `{key}`"), format!("`{key}` is missing")).help(hint);
        }
        field.given()
    }

    /// A number within `range`, or `default`.
    pub(super) fn whole<T: TryFrom<i64>>(
        &mut self,
        field: &Field<i64>,
        key: &str,
        range: RangeInclusive<i64>,
        default: T,
        hint: &str,
    ) -> T {
        let Some(value) = field.given() else { return default };
        let fits = range.contains(value.get_ref()).then(|| T::try_from(*value.get_ref()).ok()).flatten();
        fits.unwrap_or_else(|| {
            let (low, high) = (range.start(), range.end());
            let number = value.get_ref();
            self.error(value.span(), "out of range", format!("`{key}` cannot be {number}"))
                .help(format!("{low} to {high}: {hint}"));
            default
        })
    }

    /// A span of time of `low` to `high` seconds, or `default`.
    pub(super) fn seconds(
        &mut self,
        field: &Field<Seconds>,
        key: &str,
        (low, high): (f64, f64),
        default: Duration,
    ) -> Duration {
        let Some(value) = field.given() else { return default };
        let Seconds(number) = *value.get_ref();
        if (low..=high).contains(&number) {
            // the limits are far within what a Duration holds
            return Duration::try_from_secs_f64(number).unwrap_or(default);
        }
        self.error(value.span(), "out of range", format!("`{key}` cannot be {number}"))
            .help(format!("{low} to {high} seconds"));
        default
    }

    /// One of the words that a key knows.
    pub(super) fn word<T: Copy>(
        &mut self,
        text: &Spanned<String>,
        key: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let given = text.get_ref();
        let known = words.iter().find(|(word, _)| word == given).map(|(_, value)| *value);
        if known.is_none() {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.error(text.span(), "unknown", format!("`{key}` cannot be {given:?}")).help(suggest::hint(
                given,
                "it is one of",
                &words,
            ));
        }
        known
    }

    /// Reports a reference to a `what` that is not among `existing`.
    pub(super) fn unknown(&mut self, text: &Spanned<String>, what: &str, existing: &[&str]) {
        let given = text.get_ref();
        let help = if existing.is_empty() {
            format!("this file has no {what}")
        } else {
            suggest::hint(given, &format!("each {what} of this file"), existing)
        };
        self.error(text.span(), "not in this file", format!("there is no {what} {given:?}")).help(help);
    }

    /// The network's name, if there is such a network.
    pub(super) fn network(&mut self, text: &Spanned<String>) -> Option<String> {
        if self.networks.has(text.get_ref()) {
            return Some(text.get_ref().clone());
        }
        let names: Vec<_> = self.networks.keys().cloned().collect();
        self.unknown(text, "network", &names.iter().map(String::as_str).collect::<Vec<_>>());
        None
    }

    /// Says that `span` repeats what `first` has.
    pub(super) fn repeated(
        &mut self,
        span: Range<usize>,
        first: Range<usize>,
        message: String,
    ) -> &mut Diagnostic {
        let diagnostic = self.found.error(span, "used again here", message);
        diagnostic.also(first, "first used here")
    }

    /// A hardware address that one station may own.
    pub(super) fn station(&mut self, text: &Spanned<String>) -> Option<Mac> {
        let problem = match text.get_ref().parse::<Mac>() {
            Ok(mac) if mac.is_station() => return Some(mac),
            Ok(mac) if mac.is_broadcast() => format!("{mac} is the broadcast address: all stations, not one"),
            Ok(Mac::ZERO) => "an address of zeros belongs to nobody".to_owned(),
            Ok(mac) => format!("{mac} is a group address: many stations, not one"),
            Err(_) => format!("{:?} is not a MAC address", text.get_ref()),
        };
        self.error(text.span(), "not a station's address", problem)
            .help("write six pairs of hexadecimal digits whose first pair is even, like 02:42:ac:11:00:02");
        None
    }

    /// An address without a prefix.
    pub(super) fn ip(&mut self, text: &Spanned<String>, example: &str) -> Option<IpAddr> {
        let parsed = text.get_ref().parse().ok();
        if parsed.is_none() {
            self.error(text.span(), "not an address", format!("{:?} is not an IP address", text.get_ref()))
                .help(format!("such as {example:?}"));
        }
        parsed
    }
}

/// What is taken, and where it was first used; in the order of the file.
#[derive(Debug)]
pub(super) struct Seen<K> {
    first: HashMap<K, Range<usize>>,
    order: Vec<K>,
}

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self { first: HashMap::new(), order: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash> Seen<K> {
    /// Takes it, or says who has it.
    pub(super) fn claim(&mut self, key: K, span: Range<usize>) -> Result<(), Range<usize>> {
        if let Some(first) = self.first.get(&key) {
            return Err(first.clone());
        }
        self.order.push(key.clone());
        self.first.insert(key, span);
        Ok(())
    }

    /// Where it was first used.
    pub(super) fn first(&self, key: &K) -> Option<Range<usize>> {
        self.first.get(key).cloned()
    }

    /// Whether it is taken.
    pub(super) fn has(&self, key: &K) -> bool {
        self.first.contains_key(key)
    }

    /// All of them, in the order of the file.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.order.iter()
    }
}
