//! As much of the conntrack's netlink as it takes to forget flows.

use std::io;
use std::net::IpAddr;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use super::conntrack::{Flow, Ports};

/// `IPCTNL_MSG_CT_DELETE` of `NFNL_SUBSYS_CTNETLINK`.
const DELETE: u16 = 1 << 8 | 2;
const REQUEST_ACK: u16 = 1 | 4;
const NESTED: u16 = 0x8000;

/// Attributes of `linux/netfilter/nfnetlink_conntrack.h`.
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTO: u16 = 2;
const IP_V4: [u16; 2] = [1, 2];
const IP_V6: [u16; 2] = [3, 4];
const PROTO_NUMBER: u16 = 1;
const PROTO_PORTS: [u16; 2] = [2, 3];
/// Identifier, type, code.
const PROTO_ICMP: [u16; 3] = [4, 5, 6];
const PROTO_ICMPV6: [u16; 3] = [7, 8, 9];

/// Forgets the flows of this thread's namespace.
pub(crate) fn flush() -> io::Result<()> {
    ask(0, &[])
}

/// Forgets one.
pub(crate) fn delete(flow: &Flow) -> io::Result<()> {
    let tuple = &flow.original;
    let (family, names) = if tuple.source.is_ipv4() { (2, IP_V4) } else { (10, IP_V6) };
    let ip = [attribute(names[0], &octets(tuple.source)), attribute(names[1], &octets(tuple.destination))]
        .concat();
    let mut proto = attribute(PROTO_NUMBER, &[flow.protocol]);
    match tuple.ports {
        Ports::Icmp(kind, code, id) => {
            let names = if family == 2 { PROTO_ICMP } else { PROTO_ICMPV6 };
            proto.extend(attribute(names[0], &id.to_be_bytes()));
            proto.extend(attribute(names[1], &[kind]));
            proto.extend(attribute(names[2], &[code]));
        }
        Ports::None => {}
        Ports::Two(from, to) => {
            proto.extend(attribute(PROTO_PORTS[0], &from.to_be_bytes()));
            proto.extend(attribute(PROTO_PORTS[1], &to.to_be_bytes()));
        }
    }
    let both = [attribute(TUPLE_IP | NESTED, &ip), attribute(TUPLE_PROTO | NESTED, &proto)].concat();
    match ask(family, &attribute(TUPLE_ORIGINAL | NESTED, &both)) {
        // it has ended of itself
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = value.len() as u16 + 4;
    let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn ask(family: u8, attributes: &[u8]) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut message = Vec::new();
    message.extend((20 + attributes.len() as u32).to_ne_bytes());
    message.extend([DELETE.to_ne_bytes(), REQUEST_ACK.to_ne_bytes()].concat());
    message.extend([1u32.to_ne_bytes(), 0u32.to_ne_bytes()].concat());
    // the version, and no queue
    message.extend([family, 0, 0, 0]);
    message.extend(attributes);
    socket.send(&message, 0)?;
    let mut answer = Vec::with_capacity(4096);
    socket.recv(&mut answer, 0)?;
    // behind the header, the acknowledgement begins with zero, or an error below it
    let code =
        answer.get(16..20).and_then(|bytes| bytes.first_chunk()).map(|bytes| i32::from_ne_bytes(*bytes));
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::Error::other("no answer of netfilter")),
    }
}
