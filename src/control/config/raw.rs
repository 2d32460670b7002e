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
pub(super) use super::value::Rows;
use super::value::{Either, Inline, List, OneOrMore, Seconds, Value, Vids};

/// A table of the file.
pub(super) trait Table: Sized {
    /// How the file writes it.
    const HEADER: &'static str;
    /// Keys that the file format has but this version does not.
    const LATER: &'static [&'static str];

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
        if T::LATER.contains(&name) {
            found
                .error(
                    key.span(),
                    "a later version will know it",
                    format!("`{name}` in {header} is not supported by this version"),
                )
                .help("remove it");
        } else if !keys.contains(&name) {
            found
                .error(key.span(), "unknown key", format!("{header} has no key `{name}`"))
                .help(suggest::hint(name, "its keys are", &keys));
        }
    }
    result
}

impl RawLeg {
    /// What an end of a link has: its own settings, and those of the link for the rest. VLANs are taken from one of
    /// the two, never mixed.
    pub(super) fn over(&self, base: &Self) -> Self {
        let vlans = if self.vlans.given().is_empty() { &base.vlans } else { &self.vlans };
        Self {
            span: self.span.clone(),
            learning: self.learning.or(&base.learning),
            flood: self.flood.or(&base.flood),
            mcast_flood: self.mcast_flood.or(&base.mcast_flood),
            bcast_flood: self.bcast_flood.or(&base.bcast_flood),
            hairpin: self.hairpin.or(&base.hairpin),
            isolated: self.isolated.or(&base.isolated),
            locked: self.locked.or(&base.locked),
            mab: self.mab.or(&base.mab),
            neigh_suppress: self.neigh_suppress.or(&base.neigh_suppress),
            proxy_arp: self.proxy_arp.or(&base.proxy_arp),
            group_fwd_mask: self.group_fwd_mask.or(&base.group_fwd_mask),
            backup_port: self.backup_port.or(&base.backup_port),
            promiscuous: self.promiscuous.or(&base.promiscuous),
            mac_limit: self.mac_limit.or(&base.mac_limit),
            source_guard: self.source_guard.or(&base.source_guard),
            storm_limit: self.storm_limit.or(&base.storm_limit),
            cost: self.cost.or(&base.cost),
            priority: self.priority.or(&base.priority),
            bpdu_guard: self.bpdu_guard.or(&base.bpdu_guard),
            root_block: self.root_block.or(&base.root_block),
            edge: self.edge.or(&base.edge),
            mcast_router: self.mcast_router.or(&base.mcast_router),
            fastleave: self.fastleave.or(&base.fastleave),
            mcast_to_unicast: self.mcast_to_unicast.or(&base.mcast_to_unicast),
            mcast_max_groups: self.mcast_max_groups.or(&base.mcast_max_groups),
            vlans: vlans.clone(),
        }
    }
}

/// A table while it is read.
pub(super) struct Fields<'a, 't> {
    table: &'a DeTable<'t>,
    span: Range<usize>,
    found: &'a mut Diagnostics,
}

impl Fields<'_, '_> {
    /// The value of a key; a wrong type is reported.
    fn value<T: Value>(&mut self, key: &'static str) -> Field<T> {
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
        $name:ident = $header:literal, later $later:tt {
            $($field:ident: $type:ty,)*
            $(.. $group:ident: $group_type:ty,)?
        }
    )*) => {$(
        #[allow(dead_code, reason = "not every table is asked for what is given")]
        impl $name {
            /// The keys that are there, with their values' places; without those of the group.
            pub(super) fn given(&self) -> Vec<(&'static str, Range<usize>)> {
                [$((stringify!($field), self.$field.span())),*]
                    .into_iter()
                    .filter_map(|(key, span)| Some((key, span?)))
                    .collect()
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
            const LATER: &'static [&'static str] = &$later;

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

tables! {
    /// The file.
    RawFile = "the file", later ["router"] {
        lab: RawLab,
        network: Rows<RawNetwork>,
        link: Rows<RawLink>,
        port: Rows<RawPort>,
        fdb: Rows<RawFdb>,
        mdb: Rows<RawMdb>,
        node: Rows<RawNode>,
        expect: Rows<RawExpect>,
    }

    /// `[lab]`
    RawLab = "[lab]", later [] {
        name: String,
    }

    /// `[[network]]`
    RawNetwork = "[[network]]", later [] {
        name: String,
        host: OneOrMore,
        host_vlan: Inline<RawVlan>,
        mac: String,
        mtu: i64,
        ageing: Seconds,
        fdb_max: i64,
        group_fwd_mask: i64,
        no_linklocal_learn: bool,
        l2_control: OneOrMore,
        icc: bool,
        flap: Inline<RawFlap>,
        vlan_filtering: bool,
        vlan_protocol: String,
        vlan_default_pvid: i64,
        stp: Either<bool, String>,
        priority: i64,
        hello_time: Seconds,
        max_age: Seconds,
        forward_delay: Seconds,
        multicast_snooping: bool,
        multicast: Inline<RawMulticast>,
    }

    /// What a loop looks like.
    RawFlap = "`flap`", later [] {
        moves: i64,
        window: Seconds,
        quarantine: Seconds,
    }

    /// Multicast snooping, without the `mcast_` of ip-link(8).
    RawMulticast = "`multicast`", later [] {
        querier: bool,
        igmp_version: i64,
        mld_version: i64,
        hash_max: i64,
        last_member_count: i64,
        startup_query_count: i64,
        last_member_interval: Seconds,
        membership_interval: Seconds,
        querier_interval: Seconds,
        query_interval: Seconds,
        query_response_interval: Seconds,
        startup_query_interval: Seconds,
        router: Either<i64, String>,
        query_address: String,
        flood_solicited_node: bool,
    }

    /// `[[link]]`
    RawLink = "[[link]]", later [] {
        networks: List,
        end: Rows<RawEnd>,
        ..leg: RawLeg,
    }

    /// `[[link.end]]`
    RawEnd = "[[link.end]]", later [] {
        network: String,
        ..leg: RawLeg,
    }

    /// `[[port]]`
    RawPort = "[[port]]", later [] {
        name: String,
        interface: String,
        netns: String,
        ..settings: RawSettings,
    }

    /// `[[node.interface]]`
    RawInterface = "[[node.interface]]", later [] {
        name: String,
        peer: String,
        ..settings: RawSettings,
    }

    /// What `[[port]]` and `[[node.interface]]` have in common.
    RawSettings = "a port", later [] {
        network: String,
        kind: String,
        address: OneOrMore,
        mac: String,
        mtu: i64,
        gateway: OneOrMore,
        offload: bool,
        ..leg: RawLeg,
    }

    /// What every leg of a bridge has: ports and ends of links.
    RawLeg = "a port", later [] {
        learning: bool,
        flood: bool,
        mcast_flood: bool,
        bcast_flood: bool,
        hairpin: bool,
        isolated: bool,
        locked: bool,
        mab: bool,
        neigh_suppress: bool,
        proxy_arp: bool,
        group_fwd_mask: i64,
        backup_port: String,
        promiscuous: String,
        mac_limit: i64,
        source_guard: Inline<RawSourceGuard>,
        storm_limit: Inline<RawStormLimit>,
        cost: i64,
        priority: i64,
        bpdu_guard: bool,
        root_block: bool,
        edge: Either<bool, String>,
        mcast_router: Either<i64, String>,
        fastleave: bool,
        mcast_to_unicast: bool,
        mcast_max_groups: i64,
        ..vlans: RawVlans,
    }

    /// The VLANs of a leg, in full or in short.
    RawVlans = "a port", later [] {
        vlan: Inline<RawVlan>,
        access: i64,
        trunk: Vids,
        native: i64,
    }

    /// The VLANs of a leg, in full.
    RawVlan = "`vlan`", later [] {
        pvid: i64,
        untagged: Vids,
        tagged: Vids,
    }

    /// Who may send.
    RawSourceGuard = "`source_guard`", later [] {
        mac: OneOrMore,
        ip: OneOrMore,
    }

    /// Frames per second.
    RawStormLimit = "`storm_limit`", later [] {
        broadcast: i64,
        multicast: i64,
        unknown_unicast: i64,
    }

    /// `[[fdb]]`
    RawFdb = "[[fdb]]", later [] {
        network: String,
        mac: String,
        port: String,
        vlan: i64,
        sticky: bool,
    }

    /// `[[mdb]]`
    RawMdb = "[[mdb]]", later [] {
        network: String,
        group: String,
        port: String,
        vlan: i64,
    }

    /// `[[node]]`
    RawNode = "[[node]]", later [] {
        name: String,
        setup: OneOrMore,
        command: List,
        interface: Rows<RawInterface>,
        bridge: Rows<RawBridge>,
    }

    /// `[[node.bridge]]`
    RawBridge = "[[node.bridge]]", later [] {
        name: String,
        interfaces: OneOrMore,
        address: OneOrMore,
    }

    /// `[[expect]]`
    RawExpect = "[[expect]]", later [] {
        from: String,
        to: String,
        kind: String,
        port: String,
        result: String,
        timeout: Seconds,
    }
}
