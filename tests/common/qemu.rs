//! A TAP as QEMU holds one: with a virtio-net header before every frame, which is the guest's word, unchecked.

#![allow(dead_code, reason = "every test crate uses some of it")]

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use vswitchd::port::sys;
use vswitchd::wire::vnet::VNET_LEN;

/// What a guest with virtio's offloads lets its host leave undone.
pub(crate) const ALL_OFFLOADS: libc::c_uint = libc::TUN_F_CSUM
    | libc::TUN_F_TSO4
    | libc::TUN_F_TSO6
    | libc::TUN_F_TSO_ECN
    | libc::TUN_F_USO4
    | libc::TUN_F_USO6;
/// What one without lets it.
pub(crate) const NO_OFFLOAD: libc::c_uint = 0;

/// Makes the interface in the calling thread's namespace; it is gone with the descriptor, which does not block.
pub(crate) fn tap(interface: &str, offloads: libc::c_uint) -> OwnedFd {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = rustix::fs::open("/dev/net/tun", flags, Mode::empty()).expect("there are TAPs here");
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    sys::tun_attach(fd.as_fd(), interface, flags).expect("a free name");
    sys::tun_set_header_len(fd.as_fd(), VNET_LEN).expect("what virtio has");
    sys::tun_set_offload(fd.as_fd(), offloads).expect("Linux 6.2 has all of them");
    fd
}

/// A virtio-net header as a guest may write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) flags: u8,
    pub(crate) kind: u8,
    pub(crate) hdr_len: u16,
    pub(crate) gso_size: u16,
    pub(crate) csum_start: u16,
    pub(crate) csum_offset: u16,
}

impl Header {
    pub(crate) const NEEDS_CSUM: u8 = 1;
    pub(crate) const TCP_V4: u8 = 1;
    /// Datagrams to be cut into fragments, which nobody does any more.
    pub(crate) const UFO: u8 = 3;
    pub(crate) const TCP_V6: u8 = 4;
    pub(crate) const UDP: u8 = 5;
    pub(crate) const ECN: u8 = 0x80;

    pub(crate) fn to_bytes(self) -> [u8; VNET_LEN] {
        let mut bytes = [self.flags, self.kind, 0, 0, 0, 0, 0, 0, 0, 0];
        let shorts = [self.hdr_len, self.gso_size, self.csum_start, self.csum_offset];
        for (place, short) in bytes[2..].chunks_mut(2).zip(shorts) {
            place.copy_from_slice(&short.to_ne_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; VNET_LEN]) -> Self {
        let short = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        Self {
            flags: bytes[0],
            kind: bytes[1],
            hdr_len: short(2),
            gso_size: short(4),
            csum_start: short(6),
            csum_offset: short(8),
        }
    }

    /// The same of a frame that has grown by so many bytes before everything the header speaks of.
    pub(crate) fn moved(self, by: i16) -> Self {
        let needs_csum = self.flags & Self::NEEDS_CSUM != 0;
        let csum_start = if needs_csum { self.csum_start.wrapping_add_signed(by) } else { self.csum_start };
        let hdr_len = if self.hdr_len == 0 { 0 } else { self.hdr_len.wrapping_add_signed(by) };
        Self { csum_start, hdr_len, ..self }
    }
}
