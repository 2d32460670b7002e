//! The groups of the kernel's bridge: what `bridge mdb` shows and sets, which the netlink crate does not know.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable,
};
use vswitchd::bridge::Group;
use vswitchd::frame::PortId;
use vswitchd::wire::mac::Mac;

use super::rig::Rig;

const RTM_NEWMDB: u16 = 84;
const RTM_DELMDB: u16 = 85;
const RTM_GETMDB: u16 = 86;
const AF_BRIDGE: u8 = 7;
/// Of MDBA_MDB, MDBA_MDB_ENTRY and MDBA_MDB_ENTRY_INFO, which lie in one another, and of MDBA_SET_ENTRY.
const ENTRIES: u16 = 1;
const ROUTERS: u16 = 2;
/// `struct br_mdb_entry`.
const ENTRY_LEN: usize = 28;
const PERMANENT: u8 = 1;
/// Attributes behind an entry.
const TIMER: u16 = 1;
const SOURCES: u16 = 2;
const MODE: u16 = 3;
const SOURCE: u16 = 4;

/// That a port is a member of a group.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wish {
    pub(crate) group: Group,
    /// Port 0 is the host.
    pub(crate) port: PortId,
    pub(crate) permanent: bool,
    /// Wants everything but the blocked sources; unknown where sources are not minded.
    pub(crate) exclude: Option<bool>,
    /// How long the wish for everything lasts.
    pub(crate) expires: Option<Duration>,
    /// The sources it speaks of, and how long they are wanted; none is blocked.
    pub(crate) sources: Vec<(IpAddr, Option<Duration>)>,
}

impl Wish {
    /// Whether it is the same, some of whose time may have passed.
    pub(crate) fn is(&self, other: &Self, passed: Duration) -> bool {
        let timer = |a: Option<Duration>, b: Option<Duration>| match (a, b) {
            (Some(a), Some(b)) => a.abs_diff(b) <= passed,
            (a, b) => a == b,
        };
        let source = |((a, left), (b, right)): (&(IpAddr, _), &(IpAddr, _))| a == b && timer(*left, *right);
        (self.group, self.port, self.permanent) == (other.group, other.port, other.permanent)
            && (self.exclude.is_none() || other.exclude.is_none() || self.exclude == other.exclude)
            && timer(self.expires, other.expires)
            && self.sources.len() == other.sources.len()
            && self.sources.iter().zip(&other.sources).all(source)
    }
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.exclude {
            None => "",
            Some(true) => " exclude",
            Some(false) => " include",
        };
        let permanent = if self.permanent { " permanent" } else { "" };
        write!(f, "{} at {}{permanent} {:?}{mode} {:?}", self.group, self.port.0, self.expires, self.sources)
    }
}

/// What a bridge knows of groups: its members, and the ports with routers behind them.
pub(crate) type Groups = (Vec<Wish>, Option<Vec<PortId>>);

impl Rig {
    /// The members and the routers.
    pub(crate) fn groups(&mut self) -> io::Result<Groups> {
        let request = Raw { kind: RTM_GETMDB, bytes: vec![AF_BRIDGE, 0, 0, 0, 0, 0, 0, 0] };
        let (mut wishes, mut routers) = (Vec::new(), Vec::new());
        for answer in self.netlink.ask(request, NLM_F_DUMP)? {
            for (kind, list) in attributes(answer.bytes.get(8..).unwrap_or_default()) {
                for (_, entry) in attributes(list) {
                    match kind {
                        ENTRIES => wishes.extend(attributes(entry).filter_map(|(_, info)| self.wish(info))),
                        // one that is down is told of if it was made one since
                        ROUTERS => routers.extend(self.port(word(entry)).filter(|port| self.is_up(*port))),
                        _ => {}
                    }
                }
            }
        }
        wishes.sort();
        // a list that is told in two pieces tells the host's wish in both
        wishes.dedup_by(|a, b| a.port.0 == 0 && (a.group, a.port) == (b.group, b.port));
        routers.sort();
        Ok((wishes, Some(routers).filter(|_| self.tells_routers)))
    }

    /// `bridge mdb replace` or `del`, permanent; whether the kernel agreed.
    pub(super) fn set_group(&mut self, port: PortId, group: IpAddr, add: bool) -> bool {
        let mut entry = self.interface(port).to_ne_bytes().to_vec();
        entry.extend([PERMANENT, 0, 0, 0]);
        let (address, protocol) = match group {
            IpAddr::V4(group) => ([&group.octets()[..], &[0; 12]].concat(), 0x0800_u16),
            IpAddr::V6(group) => (group.octets().to_vec(), 0x86dd),
        };
        entry.extend(address);
        entry.extend(protocol.to_be_bytes());
        entry.extend([0, 0]);
        let mut bytes = vec![AF_BRIDGE, 0, 0, 0];
        bytes.extend(self.bridge.to_ne_bytes());
        bytes.extend((ENTRY_LEN as u16 + 4).to_ne_bytes());
        bytes.extend(ENTRIES.to_ne_bytes());
        bytes.extend(entry);
        let (kind, flags) = if add { (RTM_NEWMDB, NLM_F_CREATE | NLM_F_REPLACE) } else { (RTM_DELMDB, 0) };
        let mut ask = || self.netlink.ask(Raw { kind, bytes: bytes.clone() }, flags).is_ok();
        let agreed = ask();
        // the kernel takes away one reporter at a time
        while !add && agreed && ask() {}
        agreed
    }

    /// An entry; none if it is one of the kernel's for a source of a group, which follow from the group's.
    fn wish(&self, info: &[u8]) -> Option<Wish> {
        let (entry, rest) = info.split_at_checked(ENTRY_LEN)?;
        let group = match [entry[24], entry[25]] {
            [0x08, 0x00] => Group::Ip(Ipv4Addr::from(<[u8; 4]>::try_from(&entry[8..12]).ok()?).into()),
            [0x86, 0xdd] => Group::Ip(Ipv6Addr::from(<[u8; 16]>::try_from(&entry[8..24]).ok()?).into()),
            _ => Group::Mac(Mac(entry[8..14].try_into().ok()?)),
        };
        let mut wish = Wish {
            group,
            port: self.port(word(entry))?,
            permanent: entry[4] == PERMANENT,
            exclude: None,
            expires: None,
            sources: Vec::new(),
        };
        for (kind, value) in attributes(rest) {
            match kind {
                TIMER => wish.expires = time(value),
                MODE => wish.exclude = Some(value[0] == 0),
                SOURCE => return None,
                SOURCES => wish.sources = attributes(value).filter_map(|(_, one)| source(one)).collect(),
                _ => {}
            }
        }
        if wish.permanent {
            wish.expires = None; // the kernel sets the timer, but does nothing when it ends
        }
        wish.sources.sort();
        // the kernel keeps for ever who said that he wants nothing
        let nothing = wish.exclude == Some(false) && wish.sources.is_empty();
        Some(wish).filter(|wish| wish.permanent || !nothing)
    }
}

fn source(bytes: &[u8]) -> Option<(IpAddr, Option<Duration>)> {
    let (mut address, mut left) = (None, None);
    for (kind, value) in attributes(bytes) {
        match (kind, value.len()) {
            (1, 4) => address = <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
            (1, 16) => address = <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
            (2, 4) => left = time(value),
            _ => {}
        }
    }
    Some((address?, left))
}

/// A timer, in hundredths of a second; zero does not run.
fn time(value: &[u8]) -> Option<Duration> {
    Some(word(value)).filter(|left| *left > 0).map(|left| Duration::from_millis(u64::from(left) * 10))
}

/// The native number that the bytes begin with.
fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

/// The attributes one after the other, and what each is.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let [a, b, c, d, ..] = *rest else { return None };
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([c, d]) & 0x3fff, value))
    })
}

/// A message that is not looked into.
struct Raw {
    kind: u16,
    bytes: Vec<u8>,
}

impl NetlinkSerializable for Raw {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.bytes.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.bytes);
    }
}

impl NetlinkDeserializable for Raw {
    type Error = Infallible;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, Infallible> {
        Ok(Self { kind: header.message_type, bytes: payload.to_vec() })
    }
}
