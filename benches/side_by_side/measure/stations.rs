//! Stations: many of them behind machine B, which a switch is to learn, and visits to them by machine A.
//!
//! They exist only as addresses in frames that a raw socket sends. Whether a switch knows one can be seen from outside: a
//! frame for it that comes from its own side ends in the switch, and is flooded to the other side if it is not known.

use std::io;
use std::os::fd::IntoRawFd;
use std::time::Duration;

use super::processes::received_frames;
use super::{Way, inside};

/// Stations that look the same to every switch.
#[derive(Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) count: u32,
    /// The VLAN whose tag B's frames carry.
    pub(crate) vlan: Option<u16>,
}

/// For experiments (IEEE 802).
const PROTOCOL: u16 = 0x88b5;

/// Frames that are sent before the switch gets time to look at them: no queue is as short.
const BURST: u32 = 64;

impl Crowd {
    /// A frame of 64 bytes with its check sequence.
    fn frame(&self, dst: [u8; 6], src: [u8; 6], tagged: bool) -> Vec<u8> {
        let tag = self.vlan.filter(|_| tagged).map(|vid| [[0x81, 0], vid.to_be_bytes()].concat());
        [&dst[..], &src, &tag.unwrap_or_default(), &PROTOCOL.to_be_bytes(), &[0; 46]].concat()
    }
}

/// The address of the station of that number.
fn mac(n: u32) -> [u8; 6] {
    let [a, b, c, d] = n.to_be_bytes();
    [0x02, 0x5a, a, b, c, d]
}

/// Who visits, and whom nobody knows.
const VISITOR: [u8; 6] = [0x02, 0x5b, 0, 0, 0, 1];
const NOBODY: [u8; 6] = [0x02, 0x5b, 0, 0, 0, 2];

/// Lets every station behind the server's machine say something.
pub(crate) fn teach(way: &Way, crowd: &Crowd) -> io::Result<()> {
    inside(&way.server, || all(crowd, |station| crowd.frame(NOBODY, station, true)))
}

/// How many of the stations the switch knows: those that a frame from their own side reaches without coming out on the
/// other.
pub(crate) fn learned(way: &Way, crowd: &Crowd) -> io::Result<u32> {
    let before = inside(&way.client, received_frames)?;
    inside(&way.server, || all(crowd, |station| crowd.frame(station, mac(0), true)))?;
    let flooded = inside(&way.client, received_frames)? - before;
    Ok(crowd.count.saturating_sub(flooded as u32))
}

/// Sends a frame for each station, in bursts that any queue can take.
fn all(crowd: &Crowd, frame: impl Fn([u8; 6]) -> Vec<u8>) -> io::Result<()> {
    let socket = raw_socket()?;
    for n in 0..crowd.count {
        socket.send(&frame(mac(n)))?;
        if n % BURST == BURST - 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    std::thread::sleep(Duration::from_millis(50));
    Ok(())
}

/// Sends to one station after the other, in an order without a pattern.
pub(super) struct Visitor {
    socket: socket2::Socket,
    frame: Vec<u8>,
    count: u32,
    random: u32,
}

impl Visitor {
    /// In the calling thread's namespace.
    pub(super) fn new(crowd: &Crowd) -> io::Result<Self> {
        let frame = crowd.frame(mac(0), VISITOR, false);
        Ok(Self { socket: raw_socket()?, frame, count: crowd.count, random: 1 })
    }

    pub(super) fn send(&mut self) {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.frame[..6].copy_from_slice(&mac((self.random >> 8) % self.count));
        // a full queue is what this is about
        let _ = self.socket.send(&self.frame);
    }
}

/// A raw socket bound to `eth0` of the calling thread's namespace.
fn raw_socket() -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::PACKET, socket2::Type::RAW, None)?;
    let eth0 = pnet_datalink::interfaces().into_iter().find(|interface| interface.name == "eth0");
    let eth0 = eth0.ok_or_else(|| io::Error::other("no eth0 in the namespace"))?;
    let bound = socket.try_clone()?;
    let config = pnet_datalink::Config {
        // it is bound by its number, and closed with the channel
        socket_fd: Some(socket.into_raw_fd()),
        promiscuous: false,
        // of one protocol, or it would be shown a copy of all that it sends
        channel_type: pnet_datalink::ChannelType::Layer3(PROTOCOL),
        ..pnet_datalink::Config::default()
    };
    pnet_datalink::channel(&eth0, config)?;
    Ok(bound)
}
