//! Who is where: two networks of guests, and the world.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitchd::wire::mac::Mac;

/// A wire that the gateway has a leg on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wire {
    /// 10.1.0.0/24 and fd00:1::/64: guests.
    One,
    /// 10.2.0.0/24 and fd00:2::/64: other guests. Its MTU is 1400.
    Two,
    /// 192.0.2.0/24 and 2001:db8:9::/64: the world.
    Out,
}

impl Wire {
    pub(crate) const ALL: [Self; 3] = [Self::One, Self::Two, Self::Out];

    /// The interface's name in the kernel.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::One => "br1",
            Self::Two => "br2",
            Self::Out => "out",
        }
    }

    /// The gateway's hardware address there.
    pub(crate) const fn mac(self) -> Mac {
        Mac([2, 0, 0, 0, 0xff, self as u8 + 1])
    }

    /// Who the gateway is there.
    pub(crate) const fn gateway(self) -> Who {
        match self {
            Self::One => Who::G1,
            Self::Two => Who::G2,
            Self::Out => Who::Ext,
        }
    }

    pub(crate) const fn mtu(self) -> u16 {
        match self {
            Self::One | Self::Out => 1500,
            Self::Two => 1400,
        }
    }

    pub(crate) const fn prefix(self, v6: bool) -> &'static str {
        match (self, v6) {
            (Self::One, false) => "10.1.0.0/24",
            (Self::Two, false) => "10.2.0.0/24",
            (Self::Out, false) => "192.0.2.0/24",
            (Self::One, true) => "fd00:1::/64",
            (Self::Two, true) => "fd00:2::/64",
            (Self::Out, true) => "2001:db8:9::/64",
        }
    }
}

/// Somebody with an address of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// A guest on the first network.
    A,
    /// Another one there.
    B,
    /// A guest on the second network.
    D,
    /// The gateway, to the world.
    Ext,
    /// The gateway on the first network.
    G1,
    /// And on the second.
    G2,
    /// The next router out there.
    R,
    /// Somebody in the world.
    X,
    /// Somebody else there.
    Y,
    /// Somebody far away, behind R.
    Z,
}

impl Who {
    pub(crate) const ALL: [Self; 10] =
        [Self::A, Self::B, Self::D, Self::Ext, Self::G1, Self::G2, Self::R, Self::X, Self::Y, Self::Z];
    /// Those that are not the gateway.
    pub(crate) const HOSTS: [Self; 7] = [Self::A, Self::B, Self::D, Self::R, Self::X, Self::Y, Self::Z];
    pub(crate) const GUESTS: [Self; 3] = [Self::A, Self::B, Self::D];

    pub(crate) const fn v4(self) -> Ipv4Addr {
        let [a, b, c, d] = match self {
            Self::A => [10, 1, 0, 10],
            Self::B => [10, 1, 0, 11],
            Self::D => [10, 2, 0, 10],
            Self::Ext => [192, 0, 2, 1],
            Self::G1 => [10, 1, 0, 1],
            Self::G2 => [10, 2, 0, 1],
            Self::R => [192, 0, 2, 254],
            Self::X => [192, 0, 2, 10],
            Self::Y => [192, 0, 2, 11],
            Self::Z => [198, 51, 100, 7],
        };
        Ipv4Addr::new(a, b, c, d)
    }

    pub(crate) const fn v6(self) -> Ipv6Addr {
        match self {
            Self::A => Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 0x10),
            Self::B => Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 0x11),
            Self::D => Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, 0x10),
            Self::Ext => Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 1),
            Self::G1 => Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 1),
            Self::G2 => Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, 1),
            Self::R => Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 0xfe),
            Self::X => Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 0x10),
            Self::Y => Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 0x11),
            Self::Z => Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 7),
        }
    }

    pub(crate) const fn address(self, v6: bool) -> IpAddr {
        if v6 { IpAddr::V6(self.v6()) } else { IpAddr::V4(self.v4()) }
    }

    pub(crate) const fn wire(self) -> Wire {
        match self {
            Self::A | Self::B | Self::G1 => Wire::One,
            Self::D | Self::G2 => Wire::Two,
            Self::Ext | Self::R | Self::X | Self::Y | Self::Z => Wire::Out,
        }
    }

    pub(crate) const fn is_gateway(self) -> bool {
        matches!(self, Self::Ext | Self::G1 | Self::G2)
    }

    /// The hardware address that frames of theirs have on their wire.
    pub(crate) const fn mac(self) -> Mac {
        match self {
            Self::Ext | Self::G1 | Self::G2 => self.wire().mac(),
            Self::Z => Self::R.mac(),
            _ => Mac([2, 0, 0, 0, 0, self as u8 + 0x10]),
        }
    }

    pub(crate) fn of(address: IpAddr) -> Option<Self> {
        Self::ALL.into_iter().find(|who| who.address(address.is_ipv6()) == address)
    }
}

/// An address, by name if it has one.
pub(crate) struct Named(pub(crate) IpAddr);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Who::of(self.0) {
            Some(who) => write!(f, "{who:?}"),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A published port: protocol, first and last port, whose, and which its first leads to.
pub(crate) type Published = (u8, (u16, u16), Who, u16);

/// What is published, of either family.
pub(crate) const PUBLISHED: [Published; 6] = [
    (6, (8080, 8080), Who::B, 80),
    (17, (5353, 5353), Who::B, 53),
    (6, (8081, 8081), Who::D, 80),
    (17, (5354, 5354), Who::D, 53),
    (6, (9000, 9003), Who::B, 7000),
    (6, (443, 443), Who::A, 443),
];
