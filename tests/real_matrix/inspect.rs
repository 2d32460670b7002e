//! A receiver that believes nothing: it sums every packet itself.
//!
//! A frame that a port wrote is either finished, and then all its checksums are right, or its header says what is left to
//! do, and then it says it of the right place, the field holds the sum of the pseudo-header (V9), and the machine has
//! asked for it. Written without the product's parsers.

use crate::qemu::Header;
use crate::relay::Message;

/// What may come to a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Nothing may be left to do: the machine has no offloads.
    pub(crate) finished: bool,
    /// All frames have a tag of this VLAN; without, none has a tag.
    pub(crate) vid: Option<u16>,
}

/// What came.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) frames: u64,
    /// Packets with a checksum that was looked at, by IP protocol: TCP, UDP, ICMP of both families.
    pub(crate) tcp: u64,
    pub(crate) udp: u64,
    pub(crate) icmp: u64,
    /// Frames with something left to do.
    pub(crate) unfinished: u64,
    /// Frames that the machine's kernel did not take.
    pub(crate) refused: u64,
    /// What was wrong, the first few times.
    pub(crate) faults: Vec<String>,
}

impl Seen {
    pub(crate) fn look(&mut self, message: &Message, rules: &Rules) {
        self.frames += 1;
        let unfinished = message.header.flags & Header::NEEDS_CSUM != 0 || message.header.kind != 0;
        self.unfinished += u64::from(unfinished);
        let fault = match (message.vid(), rules.vid) {
            (found, expected) if found != expected => {
                // other machines' broadcasts are of no VLAN of this one, and never come here
                Err(format!("a tag of {found:?} where {expected:?} was due"))
            }
            _ if rules.finished && unfinished => Err("something is left to do".to_owned()),
            _ if rules.finished && message.frame.len() > 1518 => Err("too long".to_owned()),
            _ => self.check(message),
        };
        if let Err(fault) = fault
            && self.faults.len() < 5
        {
            let head = &message.frame[..message.frame.len().min(80)];
            self.faults.push(format!(
                "{fault}: {:?}, {} bytes: {head:02x?}",
                message.header,
                message.frame.len()
            ));
        }
    }

    fn check(&mut self, Message { header, frame }: &Message) -> Result<(), String> {
        let mut network = 14;
        while matches!(short(frame, network - 2), 0x8100 | 0x88a8) {
            network += 4;
        }
        let packet = &frame[network..];
        let (transport, end, protocol, addresses) = match short(frame, network - 2) {
            0x0800 => {
                let transport = usize::from(packet[0] & 15) * 4;
                if sum(0, &packet[..transport]) != 0xffff {
                    return Err("the checksum of the IPv4 header".to_owned());
                }
                let is_fragment = short(packet, 6) & 0x3fff != 0;
                if is_fragment {
                    return Ok(());
                }
                (transport, usize::from(short(packet, 2)), packet[9], &packet[12..20])
            }
            // packets with extension headers are fragments, or of MLD: not summed here
            0x86dd if [6, 17, 58].contains(&packet[6]) => {
                (40, 40 + usize::from(short(packet, 4)), packet[6], &packet[8..40])
            }
            _ => return Ok(()),
        };
        let segment = packet.get(transport..end).ok_or("longer than its frame")?;
        let offset = match protocol {
            6 => 16,
            17 => 6,
            1 | 58 => 2,
            _ => return Ok(()),
        };
        *match protocol {
            6 => &mut self.tcp,
            17 => &mut self.udp,
            _ => &mut self.icmp,
        } += 1;
        let pseudo = match protocol {
            1 => 0,
            _ => sum(sum(u32::from(protocol), &(segment.len() as u32).to_be_bytes()).into(), addresses),
        };
        let field = short(segment, offset);
        if header.flags & Header::NEEDS_CSUM == 0 {
            let whole = sum(u32::from(pseudo), segment);
            let absent = protocol == 17 && field == 0;
            return if whole == 0xffff && !absent { Ok(()) } else { Err("the checksum".to_owned()) };
        }
        let place = (usize::from(header.csum_start), usize::from(header.csum_offset));
        if place != (network + transport, offset) {
            return Err(format!("the place of the checksum, which is {} and {offset}", network + transport));
        }
        if field % 0xffff != pseudo % 0xffff {
            return Err(format!("the sum of the pseudo-header, which is {pseudo:04x}"));
        }
        let is_large = header.kind != 0;
        let kind = match (protocol, addresses.len()) {
            (6, 8) => Header::TCP_V4,
            (6, _) => Header::TCP_V6,
            _ => Header::UDP,
        };
        if is_large && (header.kind & !Header::ECN != kind || header.gso_size == 0) {
            return Err("how it is to be cut".to_owned());
        }
        Ok(())
    }
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// The plain sum of 16-bit words, folded (RFC 1071).
fn sum(first: u32, bytes: &[u8]) -> u16 {
    let mut total = u64::from(first);
    for pair in bytes.chunks(2) {
        total += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
    }
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

#[test]
fn whoever_sums_finds_what_is_wrong() {
    let udp = |checksum: u16| {
        let mut frame = [&[2; 12][..], &[8, 0, 0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0]].concat();
        frame.extend([10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2, 0, 10]);
        frame.extend(checksum.to_be_bytes());
        frame.extend([7, 7]);
        let header = !sum(0, &frame[14..34]);
        frame[24..26].copy_from_slice(&header.to_be_bytes());
        frame
    };
    let pseudo = sum(17 + 10, &[10, 0, 0, 1, 10, 0, 0, 2]);
    let whole = !sum(u32::from(pseudo), &[0, 1, 0, 2, 0, 10, 0, 0, 7, 7]);
    let partial = Header { flags: 1, csum_start: 34, csum_offset: 6, ..Header::default() };
    let (any, finished) = (Rules { finished: false, vid: None }, Rules { finished: true, vid: None });
    let table: &[(Vec<u8>, Header, Rules, bool, &str)] = &[
        (udp(whole), Header::default(), finished, true, "finished"),
        (udp(whole ^ 1), Header::default(), finished, false, "a wrong checksum"),
        (udp(0), Header::default(), finished, false, "none"),
        (udp(pseudo), partial, any, true, "left to do"),
        (udp(pseudo), partial, finished, false, "left to somebody who cannot"),
        (udp(pseudo), Header::default(), any, false, "left to nobody"),
        (udp(pseudo ^ 1), partial, any, false, "a wrong sum of the pseudo-header"),
        (udp(pseudo), Header { csum_start: 38, ..partial }, any, false, "in another place"),
        (udp(pseudo), Header { kind: 1, gso_size: 1, ..partial }, any, false, "cut as TCP"),
        (udp(whole), Header::default(), Rules { vid: Some(5), ..any }, false, "without its tag"),
    ];
    for (frame, header, rules, sound, why) in table {
        let mut seen = Seen::default();
        seen.look(&Message { header: *header, frame: frame.clone() }, rules);
        assert_eq!(seen.faults.is_empty(), *sound, "{why}: {:?}", seen.faults);
    }
}
