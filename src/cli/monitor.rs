//! `vswitchd monitor`: what happens, as `bridge monitor` tells it, until Ctrl-C.

use std::io::{self, BufRead, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;

use super::args::MonitorArgs;
use super::show::{fdb, mdb, vlan};
use super::stream::stop_at_signal;
use crate::control::client::{Choice, Client};
use crate::control::event::{EventView, Happening};
use crate::control::protocol::Request;

pub(super) fn run(args: &MonitorArgs, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let stream = Client::connect(choice)?.stream(&Request::Monitor { what: args.what.clone() })?;
    stop_at_signal(stream.get_ref().try_clone()?)?;
    copy(stream, BufWriter::new(io::stdout().lock()), args)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints events as they come, until the stream ends or as many as were asked for have passed.
fn copy(
    mut from: io::BufReader<impl io::Read>,
    mut to: impl Write,
    args: &MonitorArgs,
) -> anyhow::Result<()> {
    let (mut told, mut line) = (0, String::new());
    while args.count.is_none_or(|count| told < count) {
        if from.buffer().is_empty() {
            to.flush()?;
        }
        line.clear();
        match from.read_line(&mut line) {
            // a line without an end broke off
            Ok(_) if !line.ends_with('\n') => break,
            Ok(_) => {}
            // a connection that is reset has ended: the lab was stopped
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => return Err(error).context("the stream broke off"),
        }
        told += 1;
        if args.json {
            to.write_all(line.as_bytes())?;
        } else if let Ok(event) = serde_json::from_str(&line) {
            // what a newer switch tells and we do not know is passed over
            to.write_all(render(&event, args.what.len() != 1, args.timestamp).as_bytes())?;
        }
    }
    to.flush()?;
    Ok(())
}

/// The event as a line, with its topic and the time if wanted.
fn render(event: &EventView, label: bool, timestamp: bool) -> String {
    let mut line = String::new();
    if timestamp {
        line.push_str(&format!("[{}] ", date(event.time)));
    }
    line.push_str(event.happened.topic().filter(|_| label).map_or("", |topic| topic.label()));
    if event.deleted {
        line.push_str("Deleted ");
    }
    line.push_str(&match &event.happened {
        Happening::Fdb(station) => fdb::line(station),
        Happening::Guard { ifname, master, text } => format!("{ifname} master {master} {text}"),
        Happening::Lab { text } => text.clone(),
        Happening::Log { router, text, suppressed: 0 } => format!("{router}: {text}"),
        Happening::Log { router, text, suppressed } => {
            format!("{router}: {text} ({suppressed} before it were not logged)")
        }
        Happening::Link { ifname, master, state, flags } => {
            let state = if state.is_empty() { String::new() } else { format!(" state {state}") };
            let flags: String = flags.iter().map(|flag| format!(" {flag}")).collect();
            format!("{ifname} master {master}{state}{flags}")
        }
        Happening::Mdb(group) => mdb::line(group),
        Happening::Missing { count } => format!("({count} events are missing here)"),
        Happening::Stp { ifname, text } => format!("{ifname} {text}"),
        Happening::Vlan { ifname, entry } => format!("{ifname} vlan {}", vlan::entry(entry)),
    });
    line.push('\n');
    line
}

/// A time in UTC as `2023-11-14T22:13:20.250000`. The days are counted from a first of March, so that the leap day is
/// a year's last.
fn date(time: f64) -> String {
    let micros = (time * 1e6).round() as u64;
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // from 0000-03-01 to 1970-01-01 there are 719468 days, in 400 years 146097
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = 400 * era + year + next;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::event::Topic;
    use crate::control::view::{GroupView, StationView, VlanEntryView};
    use crate::wire::mac::Mac;

    fn station() -> StationView {
        StationView {
            mac: Mac([2, 0, 0, 0, 0, 1]),
            ifname: "vm1".into(),
            flags: Vec::new(),
            master: "lan".into(),
            vlan: Some(10),
            state: String::new(),
            updated: None,
        }
    }

    #[test]
    fn lines_are_those_of_bridge_monitor() {
        let group = GroupView {
            dev: "lan".into(),
            port: "vm1".into(),
            grp: "239.1.1.1".into(),
            state: "temp".into(),
            ..GroupView::default()
        };
        let (vm1, lan) = (|| String::from("vm1"), || String::from("lan"));
        let entry = VlanEntryView { vlan: 10, flags: vec!["PVID".into()] };
        let link = |state: &str, flags: &[&str]| Happening::Link {
            ifname: vm1(),
            master: lan(),
            state: state.into(),
            flags: flags.iter().map(ToString::to_string).collect(),
        };
        let table = [
            (false, Happening::Fdb(station()), "[FDB]02:00:00:00:00:01 dev vm1 vlan 10 master lan\n"),
            (true, Happening::Fdb(station()), "[FDB]Deleted 02:00:00:00:00:01 dev vm1 vlan 10 master lan\n"),
            (false, link("blocking", &[]), "[LINK]vm1 master lan state blocking\n"),
            (false, link("", &["isolated on"]), "[LINK]vm1 master lan isolated on\n"),
            (true, Happening::Mdb(group), "[MDB]Deleted dev lan port vm1 grp 239.1.1.1 temp\n"),
            (false, Happening::Vlan { ifname: vm1(), entry }, "[VLAN]vm1 vlan 10 PVID\n"),
            (false, Happening::Stp { ifname: lan(), text: "root x".into() }, "[STP]lan root x\n"),
            (false, Happening::Missing { count: 3 }, "(3 events are missing here)\n"),
            (false, Happening::Lab { text: "reloaded".into() }, "[LAB]reloaded\n"),
        ];
        for (deleted, happened, expected) in table {
            assert_eq!(render(&EventView { time: 0.0, deleted, happened }, true, false), expected);
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let table = [
            (0.0, "1970-01-01T00:00:00.000000", "the first"),
            (1_700_000_000.25, "2023-11-14T22:13:20.250000", "a known one"),
            (951_782_400.0, "2000-02-29T00:00:00.000000", "a leap day of a leap century"),
            (1_709_251_199.999_999, "2024-02-29T23:59:59.999999", "the end of a leap day"),
            (1_735_689_599.0, "2024-12-31T23:59:59.000000", "the end of a leap year"),
            (4_107_542_400.0, "2100-03-01T00:00:00.000000", "a century without a leap day"),
        ];
        for (time, expected, why) in table {
            assert_eq!(date(time), expected, "{why}");
        }
    }

    #[test]
    fn events_pass_line_by_line() {
        let lines = "{\"time\":1.0,\"event\":\"lab\",\"text\":\"a\"}\n{\"time\":1.0,\"event\":\"newer\"}\n\
                     {\"time\":2.0,\"event\":\"lab\",\"text\":\"b\"}\n{\"time\":3.0,\"ev";
        let copied = |what: &[Topic], json, count| {
            let args = MonitorArgs { what: what.to_vec(), json, timestamp: false, count };
            let mut out = Vec::new();
            copy(io::BufReader::with_capacity(7, lines.as_bytes()), &mut out, &args).expect("a Vec takes it");
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(copied(&[], false, None), "[LAB]a\n[LAB]b\n", "what we do not know is passed over");
        assert_eq!(copied(&[Topic::Lab], false, None), "a\nb\n", "one topic needs no label");
        assert_eq!(
            copied(&[], true, Some(1)),
            lines[..=lines.find('\n').expect("lines")],
            "--count, unchanged"
        );
    }
}
