//! Watching for private addresses where none may be seen.
//!
//! The kernel filters for us: a packet socket is shown nothing but packets from guests' addresses, so nothing is missed
//! however much goes by.

use std::io::Read;

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use crate::real_common::in_node;

/// `ETH_P_ALL`.
const EVERY_PROTOCOL: u16 = 3;

/// Somebody who looks at all that a node is sent or sends.
#[derive(Debug)]
pub(crate) struct Watch(Socket);

impl Watch {
    /// Looks at a node from now on.
    pub(crate) fn open(node: &str) -> Self {
        let socket = in_node(node, || {
            let protocol = Protocol::from(i32::from(EVERY_PROTOCOL.to_be()));
            let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol)).expect("root here");
            socket.attach_filter(&private_sources()).expect("a sound filter");
            socket
        });
        socket.set_nonblocking(true).expect("a socket");
        let mut watch = Self(socket);
        // what came before the filter was there says nothing
        while watch.seen().is_some() {}
        watch
    }

    /// The first packet from a guest's address that went by, if one did.
    pub(crate) fn seen(&mut self) -> Option<Vec<u8>> {
        let mut packet = [0; 128];
        let length = (&self.0).read(&mut packet).ok()?;
        Some(packet[..length].to_vec())
    }
}

/// Classic BPF from the IP header on: what is from 172.16.0.0/12 or fd00::/8 is kept, the rest is not.
fn private_sources() -> [SockFilter; 11] {
    // codes of linux/bpf_common.h
    const LOAD_BYTE: u16 = 0x30;
    const LOAD_WORD: u16 = 0x20;
    const AND: u16 = 0x54;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let op = SockFilter::new;
    [
        op(LOAD_BYTE, 0, 0, 0),
        op(AND, 0, 0, 0xf0),
        op(JUMP_EQUAL, 0, 3, 0x40),
        op(LOAD_WORD, 0, 0, 12),
        op(AND, 0, 0, 0xfff0_0000),
        op(JUMP_EQUAL, 3, 4, 0xac10_0000),
        op(JUMP_EQUAL, 0, 3, 0x60),
        op(LOAD_BYTE, 0, 0, 8),
        op(JUMP_EQUAL, 0, 1, 0xfd),
        op(RETURN, 0, 0, u32::MAX),
        op(RETURN, 0, 0, 0),
    ]
}
