//! The ARP cache, or its IPv6 counterpart: is the right hardware address in it?

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::attempt::Deadline;
use super::ping::Echo;
use super::{conversation, open};
use crate::control::plan::{Netns, Plan};
use crate::lab::netlink::Netlink;
use crate::wire::mac::Mac;

/// How long one question may take to be answered.
const PATIENCE: Duration = Duration::from_millis(200);

/// Sends something to `to`, and looks whether its hardware address is known now, and is that of the owner's interface.
/// Where the owner is not of this lab, any will do.
pub(super) fn probe(at: &OwnedFd, plan: &Plan, to: IpAddr, timeout: Duration) -> Result<String, String> {
    let owner = plan.owner(to).map(|netns| hardware_address(&netns, to)).transpose()?;
    let expected = owner.or_else(|| plan.router_place(to).map(|place| place.interface.mac));
    let mut netlink = conversation(at)?;
    let mut echo = Echo::open(at, to).map_err(|e| format!("cannot open a raw socket: {e}"))?;
    let deadline = Deadline::after(timeout);
    deadline.retry(|| {
        // whether it is answered does not matter, and a refusal will show in the table
        let _ = echo.ask(deadline.left(PATIENCE));
        judge(&mut netlink, to, expected)
    })
}

fn judge(netlink: &mut Netlink, to: IpAddr, expected: Option<Mac>) -> Result<String, String> {
    let neighbours = netlink.neighbours().map_err(|e| e.to_string())?;
    let found = neighbours.iter().find_map(|n| n.mac.filter(|_| n.address == to));
    match (found, expected) {
        (None, _) => Err(format!("{to} is not in the table")),
        (Some(mac), Some(right)) if mac != right => Err(format!("it has {mac}, but {to} is at {right}")),
        (Some(mac), _) => Ok(mac.to_string()),
    }
}

/// The hardware address of the interface that has an address.
fn hardware_address(netns: &Netns, address: IpAddr) -> Result<Mac, String> {
    let mut netlink = conversation(&open(netns)?)?;
    let addresses = netlink.addresses().map_err(|e| e.to_string())?;
    let index = addresses.iter().find(|a| a.net.addr() == address).map(|a| a.index);
    let links = netlink.links().map_err(|e| e.to_string())?;
    let link = links.iter().find(|l| Some(l.index) == index);
    link.and_then(|l| l.mac).ok_or_else(|| format!("its owner does not have {address} any more"))
}
