//! What was written: each table of the file as a struct of optional values, every value with its byte range.
//!
//! serde's derived structs would stop at the first fault of a table. The macro below makes the same structs from
//! the same field lists, but reads key by key from toml's tree with spans, so that all wrong types and all
//! unknown keys of a file are reported in one go. Nothing here knows what a value means; types are checked, ranges
//! and references are not, and nothing is required.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostics;
use super::suggest;
use super::value::Value;

/// A table of the file.
pub(super) trait Table: Sized {
    /// How the file writes it.
    const HEADER: &'static str;

    /// The keys it has.
    fn keys() -> Vec<&'static str>;

    /// Takes the values of its keys out of `fields`.
    fn take(fields: &mut Fields<'_, '_>) -> Self;
}

/// Reads a table and reports whatever is in it but is not a key of it.
pub(super) fn read<T: Table>(table: &DeTable<'_>, span: Range<usize>, found: &mut Diagnostics) -> T {
    let result = T::take(&mut Fields { table, span, found });
    let keys = T::keys();
    let header = T::HEADER;
    for key in table.keys() {
        let name: &str = key.get_ref();
        if !keys.contains(&name) {
            found
                .error(key.span(), "unknown key", format!("{header} has no key `{name}`"))
                .help(suggest::hint(name, "its keys are", &keys));
        }
    }
    result
}

/// A table while it is read.
pub(super) struct Fields<'a, 't> {
    table: &'a DeTable<'t>,
    /// The header, or the whole of an inline table.
    pub(super) span: Range<usize>,
    found: &'a mut Diagnostics,
}

impl Fields<'_, '_> {
    /// The value of a key; a wrong type is reported.
    pub(super) fn value<T: Value>(&mut self, key: &'static str) -> Field<T> {
        let Some(value) = self.table.get(key) else { return Field::Absent };
        let value: &Spanned<DeValue<'_>> = value;
        match T::read(value.get_ref(), value.span(), key, self.found) {
            Some(read) => Field::Given(Spanned::new(value.span(), read)),
            None => Field::Wrong,
        }
    }
}

/// The value of a key.
#[derive(Clone, Debug)]
pub(super) enum Field<T> {
    /// The key is not there.
    Absent,
    /// It is there and of the right type.
    Given(Spanned<T>),
    /// It is there, and what is wrong with it was reported.
    Wrong,
}

impl<T> Field<T> {
    pub(super) fn given(&self) -> Option<&Spanned<T>> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }

    /// The value, without its place.
    pub(super) fn value(&self) -> Option<&T> {
        self.given().map(Spanned::get_ref)
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub(super) fn is_wrong(&self) -> bool {
        matches!(self, Self::Wrong)
    }

    /// Where the value is.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        self.given().map(Spanned::span)
    }

    /// This, or `base` where it is absent.
    pub(super) fn or(&self, base: &Self) -> Self
    where
        T: Clone,
    {
        if self.is_absent() { base.clone() } else { self.clone() }
    }
}

macro_rules! tables {
    ($(
        $(#[$doc:meta])*
        $name:ident = $header:literal {
            $($field:ident: $type:ty,)*
            $(.. $group:ident: $group_type:ty,)?
        }
    )*) => {$(
        #[allow(dead_code, reason = "not every table is asked")]
        impl $name {
            /// The keys that are there, with their values' places; without those of the group.
            pub(super) fn given(&self) -> Vec<(&'static str, Range<usize>)> {
                [$((stringify!($field), self.$field.span())),*]
                    .into_iter()
                    .filter_map(|(key, span)| Some((key, span?)))
                    .collect()
            }

            /// This, with `base` for all that is absent.
            pub(super) fn over(&self, base: &Self) -> Self {
                Self {
                    span: self.span.clone(),
                    $($field: self.$field.or(&base.$field),)*
                    $($group: self.$group.over(&base.$group),)?
                }
            }
        }

        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(super) struct $name {
            /// The header, or the whole of an inline table.
            #[allow(dead_code, reason = "every table has it; the file and [lab] are never pointed at")]
            pub(super) span: Range<usize>,
            $(pub(super) $field: Field<$type>,)*
            $(pub(super) $group: $group_type,)?
        }

        impl Table for $name {
            const HEADER: &'static str = $header;

            fn keys() -> Vec<&'static str> {
                #[allow(unused_mut, reason = "only tables with a group add to it")]
                let mut keys = vec![$(stringify!($field)),*];
                $(keys.extend(<$group_type>::keys());)?
                keys
            }

            fn take(fields: &mut Fields<'_, '_>) -> Self {
                Self {
                    span: fields.span.clone(),
                    $($field: fields.value(stringify!($field)),)*
                    $($group: <$group_type>::take(fields),)?
                }
            }
        }
    )*};
}

pub(super) use tables;
