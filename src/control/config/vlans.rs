//! VLANs: of a network, and of each leg. In full, `vlan = { pvid, untagged, tagged }` is what `bridge vlan add` would be
//! told; `access`, and `trunk` with `native`, are short for the two that are usual.

use std::ops::Range;

use toml::Spanned;

use super::scope::Scope;
use super::tables::{RawNetwork, RawVlan, RawVlans};
use super::value::{Either, Inline, Vids};
use crate::bridge::{VlanConfig, VlanProtocol};
use crate::control::plan::{Network, default_vlans};
use crate::fabric::VlanEntry;

/// The lowest and the highest VLAN there is (B56).
const VIDS: std::ops::RangeInclusive<i64> = 1..=4094;
const VID_HINT: &str = "a VLAN is a number from 1 to 4094 (IEEE 802.1Q)";

/// VLAN filtering of a network.
pub(super) fn bridge(scope: &mut Scope, raw: &RawNetwork) -> VlanConfig {
    let default = VlanConfig::default();
    let words = [("802.1Q", VlanProtocol::Dot1q), ("802.1ad", VlanProtocol::Dot1ad)];
    let protocol = raw.vlan_protocol.given().and_then(|text| scope.word(text, "vlan_protocol", &words));
    let hint = "the VLAN of every port that says nothing else; 0 for none";
    let default_pvid =
        scope.whole(&raw.vlan_default_pvid, "vlan_default_pvid", 0..=4094, default.default_pvid, hint);
    let filtering = raw.vlan_filtering.value().copied().unwrap_or(default.filtering);
    for (key, span) in
        [("vlan_protocol", raw.vlan_protocol.span()), ("vlan_default_pvid", raw.vlan_default_pvid.span())]
    {
        if let (Some(span), false) = (span, filtering) {
            ignored(scope, span, key);
        }
    }
    VlanConfig { filtering, protocol: protocol.unwrap_or(default.protocol), default_pvid }
}

/// The VLANs of a leg; the network's default unless it says something.
pub(super) fn leg(scope: &mut Scope, raw: &RawVlans, network: Option<&Network>) -> Vec<VlanEntry> {
    let given = raw.given();
    let Some((key, span)) = given.first().cloned() else {
        return default_vlans(network.map_or(1, |network| network.bridge.vlan.default_pvid));
    };
    if network.is_some_and(|network| !network.bridge.vlan.filtering) {
        for (key, span) in &given {
            ignored(scope, span.clone(), key);
        }
    }
    let vlans = match (raw.vlan.given(), raw.access.given(), &raw.trunk.given(), raw.native.given()) {
        (Some(vlan), None, None, None) => {
            let Inline(vlan) = vlan.get_ref();
            full(scope, vlan)
        }
        (None, Some(access), None, None) => {
            let mut list = VlanList::default();
            list.add_one(scope, access, "access", true, true);
            list
        }
        (None, None, Some(trunk), native) => {
            let mut list = VlanList::default();
            if let Some(native) = native {
                list.add_one(scope, native, "native", true, true);
            }
            list.add(scope, trunk.get_ref(), "trunk", false);
            list
        }
        (None, None, None, Some(native)) => {
            scope
                .error(native.span(), "of which trunk?", "`native` is the untagged VLAN of a `trunk`")
                .help(format!("for a port in one VLAN, write access = {}", native.get_ref()));
            return Vec::new();
        }
        _ => {
            let (other, second) = given.get(1).cloned().unwrap_or((key, span.clone()));
            scope
                .error(second, "and this", format!("a port cannot have both `{key}` and `{other}`"))
                .also(span, "this")
                .help("`access` is an untagged VLAN, `trunk` are tagged ones with an untagged `native`, `vlan` says it all");
            return Vec::new();
        }
    };
    warn_of_none(scope, &vlans, key, span);
    vlans.entries
}

/// The VLANs of the bridge itself, which are those that the host hears (B60).
pub(super) fn host(scope: &mut Scope, raw: &RawNetwork, vlan: VlanConfig) -> Vec<VlanEntry> {
    let Some(given) = raw.host_vlan.given() else { return default_vlans(vlan.default_pvid) };
    if raw.host.value().is_none_or(|list| list.0.is_empty()) {
        scope
            .error(given.span(), "whose?", "`host_vlan` on a network that the host is not on")
            .help("give the network a `host` address, or remove it");
    }
    if !vlan.filtering {
        ignored(scope, given.span(), "host_vlan");
    }
    let Inline(raw) = given.get_ref();
    let vlans = full(scope, raw);
    warn_of_none(scope, &vlans, "host_vlan", given.span());
    vlans.entries
}

/// The VLAN of an `[[fdb]]` or `[[mdb]]` entry, as far as it is one, and the leg is in it.
pub(super) fn of_entry(
    scope: &mut Scope,
    text: &Spanned<i64>,
    (leg, vlans): (&str, &[VlanEntry]),
    filtering: bool,
) -> Option<u16> {
    let vid = vid(scope, *text.get_ref(), &text.span(), "vlan")?;
    if !vlans.iter().any(|entry| entry.vid == vid) {
        let has = super::address::list(vlans.iter().map(|entry| entry.vid).take(10));
        let help = if has.is_empty() { "it is in none".to_owned() } else { format!("it is in {has}") };
        scope.error(text.span(), "not its VLAN", format!("{leg:?} is not in VLAN {vid}")).help(help);
        return None;
    }
    if !filtering {
        ignored(scope, text.span(), "vlan");
    }
    Some(vid)
}

fn full(scope: &mut Scope, raw: &RawVlan) -> VlanList {
    let is_partial = raw.untagged.is_wrong() || raw.tagged.is_wrong() || raw.pvid.is_wrong();
    let mut list = VlanList { is_partial, ..VlanList::default() };
    if let Some(untagged) = raw.untagged.value() {
        list.add(scope, untagged, "untagged", true);
    }
    if let Some(tagged) = raw.tagged.value() {
        list.add(scope, tagged, "tagged", false);
    }
    if let Some(pvid) = raw.pvid.given() {
        list.set_pvid(scope, pvid);
    }
    list
}

/// VLANs while they are collected.
#[derive(Debug, Default)]
struct VlanList {
    /// By their ids.
    entries: Vec<VlanEntry>,
    /// Where each came from: the key and the place.
    from: Vec<(&'static str, Range<usize>)>,
    /// Something was left out because it was wrong.
    is_partial: bool,
}

impl VlanList {
    fn add(&mut self, scope: &mut Scope, vids: &Vids, key: &'static str, untagged: bool) {
        for item in &vids.0 {
            match range(scope, item, key) {
                Some((first, last)) => self.add_range(scope, (first, last), &item.span(), key, untagged),
                None => self.is_partial = true,
            }
        }
    }

    fn add_one(
        &mut self,
        scope: &mut Scope,
        value: &Spanned<i64>,
        key: &'static str,
        pvid: bool,
        untagged: bool,
    ) {
        match vid(scope, *value.get_ref(), &value.span(), key) {
            Some(vid) => self.insert(VlanEntry { vid, pvid, untagged }, (key, value.span())),
            None => self.is_partial = true,
        }
    }

    /// Up to the first that is there already, so that many overlapping ranges are not much work.
    fn add_range(
        &mut self,
        scope: &mut Scope,
        (first, last): (u16, u16),
        span: &Range<usize>,
        key: &'static str,
        untagged: bool,
    ) {
        for vid in first..=last {
            let Err(_) = self.entries.binary_search_by_key(&vid, |entry| entry.vid) else {
                self.clash(scope, vid, span, key);
                return;
            };
            self.insert(VlanEntry { vid, pvid: false, untagged }, (key, span.clone()));
        }
    }

    fn clash(&mut self, scope: &mut Scope, vid: u16, span: &Range<usize>, key: &'static str) {
        self.is_partial = true;
        let Ok(at) = self.entries.binary_search_by_key(&vid, |entry| entry.vid) else { return };
        let (other, first) = self.from[at].clone();
        if other == key {
            scope.repeated(span.clone(), first, format!("VLAN {vid} is given twice in `{key}`"));
        } else {
            scope
                .repeated(
                    span.clone(),
                    first,
                    format!("VLAN {vid} cannot be both in `{other}` and in `{key}`"),
                )
                .help("frames of a VLAN leave a port either with their tag or without; remove one of them");
        }
    }

    fn insert(&mut self, entry: VlanEntry, from: (&'static str, Range<usize>)) {
        if let Err(at) = self.entries.binary_search_by_key(&entry.vid, |other| other.vid) {
            self.entries.insert(at, entry);
            self.from.insert(at, from);
        }
    }

    /// A PVID that is in no list leaves with its tag, as with `bridge vlan add vid N pvid`.
    fn set_pvid(&mut self, scope: &mut Scope, value: &Spanned<i64>) {
        let Some(vid) = vid(scope, *value.get_ref(), &value.span(), "pvid") else {
            self.is_partial = true;
            return;
        };
        match self.entries.binary_search_by_key(&vid, |entry| entry.vid) {
            Ok(at) => self.entries[at].pvid = true,
            Err(_) => self.insert(VlanEntry { vid, pvid: true, untagged: false }, ("pvid", value.span())),
        }
    }
}

fn vid(scope: &mut Scope, value: i64, span: &Range<usize>, key: &str) -> Option<u16> {
    let vid = VIDS.contains(&value).then(|| u16::try_from(value).ok()).flatten();
    if vid.is_none() {
        scope
            .error(span.clone(), "no VLAN", format!("`{key}` cannot be {value}"))
            .help(format!("{VID_HINT}; 0 and 4095 are reserved"));
    }
    vid
}

/// The first and the last of an item of a list: a number, or two with a dash between.
fn range(scope: &mut Scope, item: &Spanned<Either<i64, String>>, key: &str) -> Option<(u16, u16)> {
    let span = item.span();
    let text = match item.get_ref() {
        Either::One(number) => return vid(scope, *number, &span, key).map(|vid| (vid, vid)),
        Either::Other(text) => text,
    };
    let number = |text: &str| text.trim().parse::<i64>().ok();
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first), number(last)),
        None => (number(text), number(text)),
    };
    let (Some(first), Some(last)) = (first, last) else {
        scope
            .error(span, "no VLAN", format!("`{key}` cannot be {text:?}"))
            .help(format!("{VID_HINT}, a range is two of them: \"30-40\""));
        return None;
    };
    if first > last {
        scope
            .error(span, "the wrong way round", format!("the range {text:?} ends before it begins"))
            .help(format!("write \"{last}-{first}\""));
        return None;
    }
    let first = vid(scope, first, &span, key)?;
    Some((first, vid(scope, last, &span, key)?))
}

fn warn_of_none(scope: &mut Scope, list: &VlanList, key: &str, span: Range<usize>) {
    if list.entries.is_empty() && !list.is_partial {
        scope
            .warn(span, "none", format!("`{key}` leaves it in no VLAN: every frame will be dropped"))
            .help("name a VLAN, or remove it for the network's default");
    }
}

fn ignored(scope: &mut Scope, span: Range<usize>, key: &str) {
    scope
        .warn(span, "ignored", format!("`{key}` has no effect on a network that does not filter VLANs"))
        .help("write vlan_filtering = true in the [[network]]");
}
