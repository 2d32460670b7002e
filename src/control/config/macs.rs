//! Hardware addresses for what the file gives none: derived from names, so that they are the same in every run.

use std::collections::HashSet;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::scope::Scope;
use crate::bridge::Role;
use crate::control::plan::{Plan, Port};
use crate::port::PortKind;
use crate::wire::mac::Mac;

/// Gives every interface that we make an address, unique within the lab.
///
/// The host's interface on a network has the bridge's address, as the kernel's bridge device has (B42).
pub(super) fn assign(scope: &Scope, plan: &mut Plan) {
    let Plan { name: lab, networks, ports, nodes, routers, .. } = plan;
    let mut taken: HashSet<Mac> = scope.macs.iter().map(|claim| claim.value).collect();
    for network in networks {
        if network.bridge.address == Mac::ZERO {
            network.bridge.address = unused(lab, &network.name, &mut taken);
        }
        let is_host = |port: &&mut Port| port.network == network.name && port.settings.leg.role == Role::Host;
        for host in ports.iter_mut().filter(is_host) {
            host.interface.mac = Some(network.bridge.address);
        }
    }
    for port in ports.iter_mut().filter(|port| port.kind != PortKind::Raw) {
        let mac = port.interface.mac.unwrap_or_else(|| unused(lab, &port.name, &mut taken));
        port.interface.mac = Some(mac);
        port.settings.leg.mac = Some(mac);
    }
    for node in nodes {
        for cable in &mut node.cables {
            let name = format!("{}:{}", node.name, cable.interface.name);
            cable.interface.mac.get_or_insert_with(|| unused(lab, &name, &mut taken));
        }
    }
    for place in routers.iter_mut().flat_map(|router| &mut router.interfaces) {
        if place.interface.mac == Mac::ZERO {
            place.interface.mac = unused(lab, &place.name, &mut taken);
        }
        place.end.settings.leg = place.bare_leg();
    }
}

fn unused(lab: &str, name: &str, taken: &mut HashSet<Mac>) -> Mac {
    let mut attempt = 0;
    loop {
        let mac = derive(lab, name, attempt);
        if taken.insert(mac) {
            return mac;
        }
        attempt += 1;
    }
}

/// A locally administered address: 02, then five bytes of a hash.
fn derive(lab: &str, name: &str, attempt: u64) -> Mac {
    let mut hasher = SipHasher13::new_with_keys(0, attempt);
    hasher.write(lab.as_bytes());
    // neither name contains it, so that "a" + "bc" is not "ab" + "c"
    hasher.write_u8(b'/');
    hasher.write(name.as_bytes());
    let [_, _, _, a, b, c, d, e] = hasher.finish().to_be_bytes();
    Mac([2, a, b, c, d, e])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_stable_and_distinct() {
        let mac = derive("lab", "boxA:eth0", 0);
        assert_eq!(mac, derive("lab", "boxA:eth0", 0), "the same in every run");
        assert!(mac.is_station());
        assert_ne!(mac, derive("lab", "boxB:eth0", 0));
        assert_ne!(mac, derive("other", "boxA:eth0", 0), "two labs on one machine may be bridged together");
        let mut taken = HashSet::from([mac]);
        let second = unused("lab", "boxA:eth0", &mut taken);
        assert_ne!(second, mac, "taken by a `mac` in the file");
        assert!(second.is_station());
    }
}
