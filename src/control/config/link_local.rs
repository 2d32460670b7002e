//! Frames to 01-80-C2-00-00-0X, which a bridge keeps to itself unless told otherwise (B34 to B37).

use toml::Spanned;

use super::address;
use super::raw::Field;
use super::scope::Scope;
use super::suggest;
use super::value::OneOrMore;
use crate::bridge::StpMode;
use crate::wire::mac::Mac;

/// The protocols that have one of the sixteen addresses, by its last digit (IEEE 802.1Q table 8-1; MEF 16 for E-LMI).
const PROTOCOLS: [(&str, u8); 7] = [
    ("bpdu", 0x0),
    ("pause", 0x1),
    ("lacp", 0x2),
    ("802.1x", 0x3),
    ("elmi", 0x7),
    ("provider-bpdu", 0x8),
    ("lldp", 0xe),
];

/// The bits of a `group_fwd_mask`, or none if any of `forbidden` is among them (B37).
pub(super) fn group_fwd_mask(scope: &mut Scope, field: &Field<i64>, forbidden: u16) -> u16 {
    let hint = "bit n forwards frames to 01-80-C2-00-00-0n";
    let mask: u16 = scope.whole(field, "group_fwd_mask", 0..=0xffff, 0, hint);
    let Some(written) = field.given() else { return mask };
    if mask & forbidden == 0 {
        return mask;
    }
    let bits = address::list((0..16).filter(|bit| mask & forbidden & 1 << bit != 0));
    let allowed = !forbidden;
    scope.error(written.span(), "not allowed", format!("`group_fwd_mask` may not have bit {bits}")).help(
        format!(
            "pause frames, STP and the like must not be forwarded (IEEE 802.1D); allowed are the bits of \
             {allowed:#06x}; for a wire that lets them pass, there is `l2_control`"
        ),
    );
    0
}

/// What `l2_control` lets pass: bit n is 01-80-C2-00-00-0n.
pub(super) fn transparent_mask(scope: &mut Scope, field: &Field<OneOrMore>, stp: StpMode) -> u16 {
    let Some(list) = field.given() else { return 0 };
    let mut mask = 0;
    for text in &list.get_ref().0 {
        let bits = bits_of(scope, text);
        if bits & 1 != 0 && stp != StpMode::Off {
            scope
                .error(text.span(), "needed here", "BPDUs cannot pass a network that has a spanning tree")
                .help("remove `stp`, or list what is to pass without \"bpdu\"");
        }
        mask |= bits;
    }
    mask
}

fn bits_of(scope: &mut Scope, text: &Spanned<String>) -> u16 {
    let given = text.get_ref();
    match given.as_str() {
        "802.1d" => return 0,
        "transparent" => return u16::MAX,
        _ => {}
    }
    let protocol = PROTOCOLS.iter().find(|(name, _)| name == given).map(|(_, digit)| *digit);
    if let Some(digit) = protocol.or_else(|| given.parse::<Mac>().ok()?.link_local()) {
        return 1 << digit;
    }
    let words: Vec<_> =
        ["802.1d", "transparent"].into_iter().chain(PROTOCOLS.iter().map(|(name, _)| *name)).collect();
    scope.error(text.span(), "unknown", format!("`l2_control` cannot be {given:?}")).help(suggest::hint(
        given,
        "an address like \"01:80:c2:00:00:0e\", or some of",
        &words,
    ));
    0
}
