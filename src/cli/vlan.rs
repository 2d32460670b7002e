//! `vswitchd vlan`: which port is in which VLANs, said by the user.

use std::process::ExitCode;

use super::args::VlanCommand;
use super::edit;
use super::words::{Grammar, Meaning};
use crate::control::client::Choice;
use crate::control::edit::{Edit, VidError, VidRange};

const ADD: Grammar = Grammar { flags: &["pvid", "untagged", "master"], ..DEL };
const DEL: Grammar = Grammar {
    keys: &[("dev", "PORT"), ("vid", "VID"), ("vlan", "VID")],
    flags: &["master"],
    places: &["PORT", "VID"],
};

pub(super) fn run(command: &VlanCommand, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let name = match command {
        VlanCommand::Add { .. } => "add",
        VlanCommand::Del { .. } => "del",
    };
    edit::run(["vlan", name], read(command), choice)
}

fn read(command: &VlanCommand) -> Result<Edit, String> {
    match command {
        VlanCommand::Add { words } => {
            let meaning = ADD.read(words)?;
            let (port, VidRange { first, last }) = which(&meaning)?;
            let (pvid, untagged) = (meaning.has("pvid"), meaning.has("untagged"));
            Ok(Edit::VlanAdd { port, vlan: first, vlan_end: last, pvid, untagged })
        }
        VlanCommand::Del { words } => {
            let (port, VidRange { first, last }) = which(&DEL.read(words)?)?;
            Ok(Edit::VlanDel { port, vlan: first, vlan_end: last })
        }
    }
}

fn which(meaning: &Meaning) -> Result<(String, VidRange), String> {
    let range = meaning.need("VID")?.parse().map_err(|error: VidError| error.to_string())?;
    Ok((meaning.need("PORT")?.to_owned(), range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::edit::Vid;

    #[test]
    fn vlans_are_read_as_bridge_reads_them() {
        let vid = |number| Vid::try_from(number).expect("within the range");
        let add = |text: &str| read(&VlanCommand::Add { words: edit::words(text) });
        let place = |end: Option<u16>, pvid, untagged| {
            let vlan_end = end.map(vid);
            Ok(Edit::VlanAdd { port: "vm1".into(), vlan: vid(10), vlan_end, pvid, untagged })
        };
        let table = [
            ("vm1 10", place(None, false, false), "short"),
            ("vm1 10 pvid untagged", place(None, true, true), "an access port"),
            ("vid 10 dev vm1 pvid untagged", place(None, true, true), "as bridge(8) has it"),
            ("vm1 10-20 untagged", place(Some(20), false, true), "several"),
            ("vm1 20-10", Err("`20-10` ends before it begins".into()), "backwards"),
            ("vm1", Err("VID is missing".into()), "which?"),
            ("vm1 10 tagged", Err("do not know what `tagged` is".into()), "no such word"),
        ];
        for (text, expected, why) in table {
            assert_eq!(add(text), expected, "{why}: {text}");
        }
        let del = read(&VlanCommand::Del { words: edit::words("vid 10 dev vm1") });
        assert_eq!(del, Ok(Edit::VlanDel { port: "vm1".into(), vlan: vid(10), vlan_end: None }));
        assert!(read(&VlanCommand::Del { words: edit::words("vm1 10 pvid") }).is_err(), "only all of it");
    }
}
