//! `vswitchd capture`: a pcapng stream from the switch to a file or a pipe, block by block.
//!
//! Blocks are handed on whole and as soon as they come, so a live reader sees them at once and a file is valid whenever
//! the capture ends: by `--count`, by Ctrl-C, or because the lab went down.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use super::args::CaptureArgs;
use super::stream::stop_at_signal;
use super::{Failure, output};
use crate::control::client::{Choice, Client};
use crate::control::pcapng::ENHANCED_PACKET;
use crate::control::protocol::{CAPTURE_DROPS, Request, What};
use crate::control::view::View;

/// No block of ours is longer: a frame and a comment, each of 64 KiB.
const BLOCK_MAX: usize = 1024 * 1024;

pub(super) fn run(args: &CaptureArgs, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let Some(name) = &args.name else { return list(args.json, choice) };
    let file = args.write.as_deref().filter(|path| *path != Path::new("-"));
    if file.is_none() && io::stdout().is_terminal() {
        let hint = format!(
            "`vswitchd capture {name} | wireshark -k -i -`, `… | tcpdump -n -r -`, or write a file with -w"
        );
        return Err(Failure::cannot("a capture is not for terminals", hint).into());
    }
    let request = Request::Capture { name: name.clone(), snaplen: args.snaplen };
    let stream = Client::connect(choice)?.stream(&request)?;
    stop_at_signal(stream.get_ref().try_clone()?)?;
    let Some(path) = file else {
        copy(stream, BufWriter::new(io::stdout().lock()), args.count, |_| {})?;
        return Ok(ExitCode::SUCCESS);
    };
    let out = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let live = io::stderr().is_terminal();
    let frames = copy(stream, BufWriter::new(out), args.count, |frames| {
        if live {
            eprint!("\r{frames} frames");
        }
    })?;
    eprintln!("{}{frames} frames in {}", if live { "\r" } else { "" }, path.display());
    Ok(ExitCode::SUCCESS)
}

/// Copies blocks until the stream ends or `count` frames have passed, and says how many did. `progress` is told
/// whenever all that has come is written.
fn copy<R: Read>(
    mut from: BufReader<R>,
    mut to: impl Write,
    count: Option<u64>,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<u64> {
    let (mut frames, mut block) = (0, Vec::new());
    while count.is_none_or(|count| frames < count) {
        if from.buffer().is_empty() {
            to.flush().context("cannot write the capture")?;
            progress(frames);
        }
        let Some(kind) = next_block(&mut from, &mut block).context("the capture broke off")? else { break };
        to.write_all(&block).context("cannot write the capture")?;
        frames += u64::from(kind == ENHANCED_PACKET);
    }
    to.flush().context("cannot write the capture")?;
    Ok(frames)
}

/// Reads the next whole block and says of what type it is; none at the end, even if that is within a block.
fn next_block(from: &mut impl BufRead, block: &mut Vec<u8>) -> io::Result<Option<u32>> {
    let word = |bytes: &[u8]| u32::from_ne_bytes(bytes.try_into().expect("slices of four bytes"));
    block.resize(8, 0);
    if !read_whole(from, block)? {
        return Ok(None);
    }
    let (kind, length) = (word(&block[..4]), word(&block[4..]) as usize);
    if length % 4 != 0 || !(12..=BLOCK_MAX).contains(&length) {
        let message = format!("a block of {length} bytes is none of vswitchd's");
        return Err(io::Error::new(ErrorKind::InvalidData, message));
    }
    block.resize(length, 0);
    Ok(read_whole(from, &mut block[8..])?.then_some(kind))
}

/// Whether the buffer could be filled. A connection that is reset has ended: the lab was stopped.
fn read_whole(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Something that can be captured.
#[derive(Debug, Serialize)]
struct Target {
    name: String,
    kind: &'static str,
}

fn list(json: bool, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let mut client = Client::connect(choice)?;
    let mut targets = Vec::new();
    if let View::Networks(networks) = client.show(What::Networks)? {
        targets.extend(networks.into_iter().map(|network| Target { name: network.name, kind: "network" }));
    }
    if let View::Ports(ports) = client.show(What::Ports)? {
        // the host's port has the name of its network, and that name means the network
        let ports = ports.into_iter().filter(|port| port.name != port.network);
        targets.extend(ports.map(|port| Target { name: port.name, kind: "port" }));
    }
    targets.push(Target { name: CAPTURE_DROPS.into(), kind: "drops" });
    if json {
        output::print_json(&targets)?;
    } else {
        let line = |target: &Target| format!("{:<8} {}\n", target.kind, target.name);
        output::print(&targets.iter().map(line).collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::pcapng::{Interface, Packet, Writer};

    fn capture(frames: u8) -> Vec<u8> {
        let interface = Interface { name: "vm1".into(), snaplen: 96 };
        let mut writer = Writer::new(Vec::new(), &[interface]).expect("a Vec takes everything");
        for data in (0..frames).map(|byte| [byte; 20]) {
            let packet = Packet {
                interface: 0,
                time_ns: 0,
                original_len: 20,
                data: &data,
                outbound: false,
                comment: None,
            };
            writer.write(&packet).expect("a Vec takes everything");
        }
        writer.into_inner()
    }

    fn copied(bytes: &[u8], count: Option<u64>) -> (Option<u64>, Vec<u8>) {
        let mut out = Vec::new();
        let frames = copy(BufReader::with_capacity(16, bytes), &mut out, count, |_| {});
        (frames.ok(), out)
    }

    #[test]
    fn a_capture_passes_in_whole_blocks() {
        let (two, five) = (capture(2), capture(5));
        assert_eq!(copied(&five, None), (Some(5), five.clone()), "unchanged");
        assert_eq!(copied(&five, Some(2)), (Some(2), two.clone()), "--count");
        let cut = &five[..two.len() + 9];
        assert_eq!(copied(cut, None), (Some(2), two), "what broke off within a block is left out");
        assert_eq!(copied(&[0xff; 32], None).0, None, "a length that is none");
    }
}
