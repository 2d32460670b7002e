//! Which of many ranges of ports a port is in.
//!
//! Ranges lie in one ordered map, by where they are published and then by their first port, so that a look-up is one
//! search however many there are, and a range of all ports costs no more than one port. No two of them overlap: where ranges
//! do, the earlier keeps its ports, and the later gets what is left, as the first of several rules counts.

use std::collections::BTreeMap;

use crate::router::nat::tuple::Address;

/// Where ports are published: their family and protocol, and the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) ipv6: bool,
    /// IANA's number.
    pub(super) protocol: u8,
    /// `None` for every address there is.
    pub(super) address: Option<Address>,
}

/// A map from ports to the numbers of publishes.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    /// By the first port: the last one, and whose they are.
    map: BTreeMap<(Place, u16), (u16, u16)>,
}

impl Ranges {
    /// Gives those ports to `owner`, as far as they are nobody's.
    pub(super) fn add(&mut self, place: Place, (first, last): (u16, u16), owner: u16) {
        let mut next = u32::from(first);
        while next <= u32::from(last) {
            let port = next as u16;
            let end = match self.segment(place, port) {
                Some((end, _)) => end,
                None => {
                    let taken = self.map.range((place, port)..=(place, last)).next();
                    // behind a port that is not taken, so it cannot be port 0
                    let end = taken.map_or(last, |((_, start), _)| start - 1);
                    self.map.insert((place, port), (end, owner));
                    end
                }
            };
            next = u32::from(end) + 1;
        }
    }

    /// Whose a port is.
    pub(super) fn find(&self, place: Place, port: u16) -> Option<u16> {
        self.segment(place, port).map(|(_, owner)| owner)
    }

    fn segment(&self, place: Place, port: u16) -> Option<(u16, u16)> {
        let (_, (last, owner)) = self.map.range((place, 0)..=(place, port)).next_back()?;
        (port <= *last).then_some((*last, *owner))
    }
}

#[cfg(test)]
impl Ranges {
    /// How many ranges there are.
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }
}
