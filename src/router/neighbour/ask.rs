//! The frames of ARP and neighbour discovery that a router sends.
//!
//! Nothing here allocates: every frame fits into [`Message`].

use std::net::IpAddr;

use super::hear::Says;
use crate::router::interface::Interface;
use crate::wire::arp::{self, Arp};
use crate::wire::ip::ETHER_TYPE_IPV6;
use crate::wire::mac::Mac;
use crate::wire::ndp;

/// Bytes of the longest of them.
const LEN_MAX: usize = 14 + ndp::ADVERTISEMENT_LEN;

/// A frame.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    bytes: [u8; LEN_MAX],
    len: usize,
}

impl Message {
    /// Asks who has `target`: everybody, or the one at `mac` whether it still has. `None` if the leg has no address to ask
    /// from.
    pub fn ask(own: &Interface, target: IpAddr, mac: Option<Mac>) -> Option<Self> {
        match (target, own.source_for(target)?) {
            (IpAddr::V4(target), IpAddr::V4(source)) => {
                let packet = Arp {
                    operation: arp::REQUEST,
                    sender_mac: own.mac,
                    sender_ip: source,
                    target_mac: Mac::ZERO,
                    target_ip: target,
                };
                let dst = mac.unwrap_or(Mac::BROADCAST);
                Some(Self::frame(dst, own.mac, arp::ETHER_TYPE, &packet.to_bytes()))
            }
            (IpAddr::V6(target), IpAddr::V6(source)) => {
                let packet = ndp::solicitation(target, source, own.mac, mac.map(|_| target));
                let dst = mac.unwrap_or(ndp::group_mac(ndp::solicited_node(target)));
                Some(Self::frame(dst, own.mac, ETHER_TYPE_IPV6, &packet))
            }
            _ => None,
        }
    }

    /// Answers.
    pub fn say(own: &Interface, says: Says) -> Self {
        match says {
            Says::Arp(reply) => Self::frame(reply.target_mac, own.mac, arp::ETHER_TYPE, &reply.to_bytes()),
            Says::Advertise { target, asker, mac } => {
                let packet = ndp::advertisement(target, own.mac, true, asker);
                Self::frame(mac, own.mac, ETHER_TYPE_IPV6, &packet)
            }
            Says::Announce { target } => {
                let packet = ndp::announcement(target, own.mac, true);
                Self::frame(ndp::group_mac(ndp::ALL_NODES), own.mac, ETHER_TYPE_IPV6, &packet)
            }
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn frame(dst: Mac, src: Mac, ether_type: u16, payload: &[u8]) -> Self {
        let mut bytes = [0; LEN_MAX];
        bytes[..6].copy_from_slice(&dst.0);
        bytes[6..12].copy_from_slice(&src.0);
        bytes[12..14].copy_from_slice(&ether_type.to_be_bytes());
        let len = (14 + payload.len()).min(LEN_MAX);
        bytes[14..len].copy_from_slice(&payload[..len - 14]);
        Self { bytes, len }
    }
}
