//! Writes captures in the pcapng format (draft-ietf-opsawg-pcapng), as Wireshark and tcpdump read it.
//!
//! One section, one interface description per port, and one enhanced packet block per frame with its time in
//! nanoseconds, its length on the wire, its direction as the switch sees it, and perhaps a comment: why it was
//! dropped. Every block is written with one call, so a reader never sees half of one unless the disk is full.

use std::io::{self, Write};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
/// The type of the blocks that hold frames; what a reader that counts them looks for.
pub const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const LINKTYPE_ETHERNET: u16 = 1;

const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;

const FLAG_INBOUND: u32 = 1;
const FLAG_OUTBOUND: u32 = 2;

/// Where frames are seen: a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// The most bytes kept of a frame; the writer trusts that [`Packet::data`] is no longer.
    pub snaplen: u32,
}

/// A frame that was seen.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Where, as an index into the interfaces.
    pub interface: u32,
    /// When, in nanoseconds since 1970.
    pub time_ns: u64,
    /// How long it was, in bytes; at least as long as `data`.
    pub original_len: u32,
    /// What was kept of it.
    pub data: &'a [u8],
    /// Whether it left the switch there, rather than came in.
    pub outbound: bool,
    /// A remark for the reader.
    pub comment: Option<&'a str>,
}

/// A pcapng file in the making.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    block: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a file with what is known about the interfaces. `out` should be buffered where frames are many.
    pub fn new(out: W, interfaces: &[Interface]) -> io::Result<Self> {
        let mut writer = Self { out, block: Vec::new() };
        writer.write_block(SECTION_HEADER, |block| {
            put_u32(block, BYTE_ORDER_MAGIC);
            put_u16(block, 1);
            put_u16(block, 0);
            put_u64(block, u64::MAX);
            put_option(block, SHB_USERAPPL, concat!("vswitchd ", env!("CARGO_PKG_VERSION")).as_bytes());
            put_option(block, 0, &[]);
        })?;
        for interface in interfaces {
            writer.write_block(INTERFACE_DESCRIPTION, |block| {
                put_u16(block, LINKTYPE_ETHERNET);
                put_u16(block, 0);
                put_u32(block, interface.snaplen);
                put_option(block, IF_NAME, interface.name.as_bytes());
                put_option(block, IF_TSRESOL, &[9]);
                put_option(block, 0, &[]);
            })?;
        }
        Ok(writer)
    }

    /// Adds a frame.
    pub fn write(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        self.write_block(ENHANCED_PACKET, |block| {
            put_u32(block, packet.interface);
            put_u32(block, (packet.time_ns >> 32) as u32);
            put_u32(block, packet.time_ns as u32);
            put_u32(block, packet.data.len() as u32);
            put_u32(block, packet.original_len);
            put_padded(block, packet.data);
            let flags = if packet.outbound { FLAG_OUTBOUND } else { FLAG_INBOUND };
            put_option(block, EPB_FLAGS, &flags.to_ne_bytes());
            if let Some(comment) = packet.comment {
                put_option(block, OPT_COMMENT, comment.as_bytes());
            }
            put_option(block, 0, &[]);
        })
    }

    /// Hands on what a buffered `out` holds.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The output, with everything written to it.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn write_block(&mut self, kind: u32, body: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.block.clear();
        put_u32(&mut self.block, kind);
        put_u32(&mut self.block, 0);
        body(&mut self.block);
        let length = (self.block.len() + 4) as u32;
        self.block[4..8].copy_from_slice(&length.to_ne_bytes());
        put_u32(&mut self.block, length);
        self.out.write_all(&self.block)
    }
}

// Numbers are in the byte order of this machine, which the magic number tells the reader.

fn put_u16(block: &mut Vec<u8>, value: u16) {
    block.extend_from_slice(&value.to_ne_bytes());
}

fn put_u32(block: &mut Vec<u8>, value: u32) {
    block.extend_from_slice(&value.to_ne_bytes());
}

fn put_u64(block: &mut Vec<u8>, value: u64) {
    block.extend_from_slice(&value.to_ne_bytes());
}

fn put_padded(block: &mut Vec<u8>, bytes: &[u8]) {
    block.extend_from_slice(bytes);
    block.resize(block.len().next_multiple_of(4), 0);
}

/// An option; one longer than the format allows is cut off.
fn put_option(block: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    put_u16(block, code);
    put_u16(block, value.len() as u16);
    put_padded(block, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn u32_at(bytes: &[u8], at: usize) -> u32 {
        u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    }

    /// The blocks of a file as type and body, checked for what the format demands of every block.
    fn blocks(mut file: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let mut found = Vec::new();
        while !file.is_empty() {
            let length = u32_at(file, 4) as usize;
            assert_eq!(length % 4, 0, "blocks are padded to 32 bits");
            assert_eq!(u32_at(file, length - 4) as usize, length, "the length stands at both ends");
            found.push((u32_at(file, 0), file[8..length - 4].to_vec()));
            file = &file[length..];
        }
        found
    }

    fn options(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
        let mut found = Vec::new();
        loop {
            let code = u16::from_ne_bytes([bytes[0], bytes[1]]);
            let length = usize::from(u16::from_ne_bytes([bytes[2], bytes[3]]));
            if code == 0 {
                assert_eq!((length, bytes.len()), (0, 4), "the end of options is the end of the block");
                return found;
            }
            found.push((code, bytes[4..4 + length].to_vec()));
            bytes = &bytes[(4 + length).next_multiple_of(4)..];
        }
    }

    #[test]
    fn a_file_reads_back() {
        let interfaces = ["vm1", "boxA:eth0"].map(|name| Interface { name: name.into(), snaplen: 96 });
        let mut writer = Writer::new(Vec::new(), &interfaces).expect("a Vec takes everything");
        let time_ns = 1_700_000_000_123_456_789;
        let packet =
            Packet { interface: 1, time_ns, original_len: 60, data: &[7; 5], outbound: true, comment: None };
        writer.write(&packet).expect("a Vec takes everything");
        let dropped = Packet { outbound: false, comment: Some("isolated"), ..packet };
        writer.write(&dropped).expect("a Vec takes everything");

        let blocks = blocks(&writer.into_inner());
        let kinds: Vec<u32> = blocks.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [SECTION_HEADER, 1, 1, ENHANCED_PACKET, ENHANCED_PACKET]);
        assert_eq!(u32_at(&blocks[0].1, 0), BYTE_ORDER_MAGIC);
        let second = &blocks[2].1;
        assert_eq!((second[0], u32_at(second, 4)), (1, 96), "Ethernet, and the snaplen");
        assert_eq!(options(&second[8..]), [(IF_NAME, b"boxA:eth0".to_vec()), (IF_TSRESOL, vec![9])]);

        let (body, flags) = (&blocks[3].1, FLAG_OUTBOUND.to_ne_bytes().to_vec());
        let time = u64::from(u32_at(body, 4)) << 32 | u64::from(u32_at(body, 8));
        assert_eq!((u32_at(body, 0), time), (1, time_ns));
        assert_eq!((u32_at(body, 12), u32_at(body, 16)), (5, 60), "kept, and on the wire");
        assert_eq!(&body[20..28], &[7, 7, 7, 7, 7, 0, 0, 0], "padded");
        assert_eq!(options(&body[28..]), [(EPB_FLAGS, flags)]);
        let flags = FLAG_INBOUND.to_ne_bytes().to_vec();
        assert_eq!(options(&blocks[4].1[28..]), [(EPB_FLAGS, flags), (OPT_COMMENT, b"isolated".to_vec())]);
    }

    #[test]
    fn a_monstrous_comment_is_cut_off() {
        let mut writer = Writer::new(Vec::new(), &[]).expect("a Vec takes everything");
        let comment = "x".repeat(70_000);
        let packet = Packet {
            interface: 0,
            time_ns: 0,
            original_len: 0,
            data: &[],
            outbound: false,
            comment: Some(&comment),
        };
        writer.write(&packet).expect("a Vec takes everything");
        assert_eq!(blocks(&writer.into_inner()).len(), 2);
    }
}
