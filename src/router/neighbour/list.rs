//! Neighbours as they are listed: in the shape of `ip neighbour`.

use std::fmt;
use std::net::IpAddr;

use super::State;
use crate::frame::LegIndex;
use crate::wire::mac::Mac;

/// A neighbour, as `show neighbors` lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The leg it is behind.
    pub leg: LegIndex,
    /// Its address.
    pub address: IpAddr,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// How sure that is.
    pub state: State,
}

impl Neighbour {
    /// The line that `ip neighbour` has for it, if the leg is called that.
    pub fn line<'a>(&'a self, device: &'a str) -> impl fmt::Display + 'a {
        Line { neighbour: self, device }
    }
}

struct Line<'a> {
    neighbour: &'a Neighbour,
    device: &'a str,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Neighbour { address, mac, state, .. } = self.neighbour;
        write!(f, "{address} dev {}", self.device)?;
        if let Some(mac) = mac {
            write!(f, " lladdr {mac}")?;
        }
        write!(f, " {}", state.name())
    }
}
