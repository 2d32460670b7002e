//! What crossed the ports, in a file that Wireshark opens.
//!
//! pcapng with one interface per port and nanosecond times in the virtual clock; each packet says whether it went
//! into the switch or came out. A failed test leaves one behind.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::frame::PortId;
use crate::time::Time;

/// The most frames kept; the last ones matter when something fails.
const FRAMES_MAX: usize = 10_000;

/// Frames that crossed ports, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    frames: std::collections::VecDeque<Crossing>,
}

#[derive(Clone, Debug)]
struct Crossing {
    at: Time,
    port: PortId,
    into: bool,
    bytes: Vec<u8>,
}

impl Recording {
    /// Takes note of a frame; `into` the switch, or out of it.
    pub fn add(&mut self, at: Time, port: PortId, into: bool, bytes: &[u8]) {
        if self.frames.len() == FRAMES_MAX {
            self.frames.pop_front();
        }
        self.frames.push_back(Crossing { at, port, into, bytes: bytes.to_vec() });
    }

    /// Writes everything to a file.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, self.to_pcapng())
    }

    fn to_pcapng(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // byte order, version 1.0, section length unknown
        let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
        block(&mut out, 0x0a0d_0d0a, &section);
        let mut interfaces = BTreeMap::new();
        for Crossing { port, .. } in &self.frames {
            if interfaces.contains_key(port) {
                continue;
            }
            interfaces.insert(*port, interfaces.len() as u32);
            let mut body = vec![1, 0, 0, 0, 0, 0, 0, 0];
            option(&mut body, 2, format!("port{}", port.0).as_bytes());
            // times are in units of 10⁻⁹ s
            option(&mut body, 9, &[9]);
            option(&mut body, 0, &[]);
            block(&mut out, 1, &body);
        }
        for Crossing { at, port, into, bytes } in &self.frames {
            let nanos = at.as_nanos();
            let length = bytes.len() as u32;
            let words = [interfaces[port], (nanos >> 32) as u32, nanos as u32, length, length];
            let mut body: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            body.extend_from_slice(bytes);
            pad(&mut body);
            option(&mut body, 2, &if *into { 1_u32 } else { 2 }.to_le_bytes());
            option(&mut body, 0, &[]);
            block(&mut out, 6, &body);
        }
        out
    }
}

fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = (body.len() as u32 + 12).to_le_bytes();
    out.extend([&kind.to_le_bytes()[..], &length, body, &length].concat());
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    pad(body);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_fill_the_file() {
        let mut recording = Recording::default();
        recording.add(Time::from_secs(5), PortId(3), true, &[0xaa; 61]);
        recording.add(Time::from_secs(6), PortId(4), false, &[0xbb; 60]);
        let file = recording.to_pcapng();
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
        let (mut at, mut kinds) = (0, vec![]);
        while at < file.len() {
            let length = word(at + 4) as usize;
            assert!(length.is_multiple_of(4), "blocks are padded");
            assert_eq!(word(at + length - 4) as usize, length, "the length stands at both ends");
            kinds.push(word(at));
            at += length;
        }
        assert_eq!(kinds, [0x0a0d_0d0a, 1, 1, 6, 6], "section, two interfaces, two packets");
    }
}
