//! Where the kernel and ours part over groups.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use vswitchd::bridge::Group;

use super::HOST;
use super::mdb::{Groups, Wish};
use super::rig::Output;

/// What both know of groups, but for what has passed of the kernel's time and not of ours.
pub(super) fn compare(at: usize, kernel: Groups, ours: Groups, passed: Duration) -> Result<(), String> {
    // the kernel counts in hundredths
    let passed = passed + Duration::from_millis(50);
    let same = kernel.0.len() == ours.0.len() && kernel.0.iter().zip(&ours.0).all(|(a, b)| a.is(b, passed));
    if same && (kernel.1.is_none() || kernel.1 == ours.1) {
        return Ok(());
    }
    let mut text = format!("  after action {at}:\n");
    for (who, (wishes, routers)) in [("kernel  ", kernel), ("vswitchd", ours)] {
        writeln!(text, "  {who}: routers {routers:?}").expect("a string takes everything");
        for wish in wishes {
            writeln!(text, "    {wish:?}").expect("a string takes everything");
        }
    }
    Err(text)
}

/// Whether the bridge itself asks everybody, which it does when it pleases.
pub(super) fn is_general_query(bytes: &[u8]) -> bool {
    bytes.get(6..12) == Some(&HOST.0)
        && match bytes.get(12..14) {
            Some([0x08, 0x00]) => bytes.get(38) == Some(&0x11) && bytes.get(42..46) == Some(&[0; 4]),
            Some([0x86, 0xdd]) => bytes.get(62) == Some(&130) && bytes.get(70..86) == Some(&[0; 16]),
            _ => false,
        }
}

/// Whether it may be a message about groups, which has to be told but once.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    match payload(bytes) {
        [0x08, 0x00, packet @ ..] if packet.get(9) == Some(&2) => {
            matches!(packet.get(20), Some(0x11 | 0x12 | 0x16 | 0x17 | 0x22 | 0x30))
        }
        [0x86, 0xdd, packet @ ..] if packet.get(6) == Some(&0) => {
            matches!(packet.get(48), Some(130 | 131 | 132 | 143 | 151))
        }
        _ => false,
    }
}

/// Adds what the kernel did not deliver, though by its own list of members it should have.
///
/// It keeps an entry for each source beside the one for all, and each must name every port that wants all. Where one
/// joins by an old report, or no longer minds a source that others do, it forgets to. Ours has one entry.
pub(super) fn add_what_is_owed(kernel: &mut Vec<Output>, ours: &[Output], bytes: &[u8], members: Vec<Wish>) {
    let Some((source, group)) = addresses(payload(bytes)) else { return };
    let wants = |wish: &Wish| {
        let blocked = wish.sources.iter().any(|(one, left)| *one == source && left.is_none());
        wish.group == Group::Ip(group) && wish.exclude != Some(false) && !blocked
    };
    for output in ours.iter().filter(|(port, _)| members.iter().any(|wish| wish.port == *port && wants(wish)))
    {
        if !kernel.contains(output) && members.iter().any(|wish| !wish.sources.is_empty()) {
            kernel.push(output.clone());
        }
    }
    kernel.sort();
}

/// Takes away the kernel's questions about groups that nobody is in, for it forgets a group at the next tick only; and
/// about sources, which come later but for one that was asked for and is wanted again: that one it asks for once more,
/// saying that nobody need answer, and for all others at once.
pub(super) fn forget_idle_questions(kernel: &mut Vec<Output>, members: &[Wish]) {
    kernel.retain(|(_, bytes)| {
        let asked = match bytes.get(12..14) {
            _ if bytes.get(6..12) != Some(&HOST.0) => None,
            Some([0x08, 0x00]) if bytes.get(48..50).is_some_and(|sources| sources != [0, 0]) => return false,
            Some([0x08, 0x00]) if bytes.get(38) == Some(&0x11) => bytes.get(42..46),
            _ => None,
        };
        let group =
            asked.and_then(|group| <[u8; 4]>::try_from(group).ok()).map(|group| Group::Ip(group.into()));
        group.is_none_or(|group| members.iter().any(|wish| wish.group == group))
    });
}

/// Who sends a packet of IP to whom.
fn addresses(rest: &[u8]) -> Option<(IpAddr, IpAddr)> {
    match rest {
        [0x08, 0x00, packet @ ..] => {
            let at = |at| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
            Some((at(12)?.into(), at(16)?.into()))
        }
        [0x86, 0xdd, packet @ ..] => {
            let at = |at| Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?));
            Some((at(8)?.into(), at(24)?.into()))
        }
        _ => None,
    }
}

/// The EtherType behind all tags, and what follows.
fn payload(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let [0x81, 0, _, _, tail @ ..] | [0x88, 0xa8, _, _, tail @ ..] = rest {
        rest = tail;
    }
    rest
}
