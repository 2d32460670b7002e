//! `vswitchd fdb`: where stations are, said by the user.

use std::process::ExitCode;

use super::args::FdbCommand;
use super::edit;
use super::words::Grammar;
use crate::control::client::Choice;
use crate::control::edit::Edit;

/// `bridge fdb` wants to be told that the entry is the bridge's (`master`) and static; here it always is.
const ENTRY: Grammar = Grammar {
    keys: &[("dev", "PORT"), ("vlan", "VID"), ("vid", "VID")],
    flags: &["sticky", "static", "master"],
    places: &["PORT"],
};
const FLUSH: Grammar = Grammar {
    keys: &[("dev", "NAME"), ("brport", "PORT"), ("vlan", "VID"), ("vid", "VID")],
    flags: &[],
    places: &["NAME"],
};

pub(super) fn run(command: &FdbCommand, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let name = match command {
        FdbCommand::Add { .. } => "add",
        FdbCommand::Del { .. } => "del",
        FdbCommand::Flush { .. } => "flush",
    };
    edit::run(["fdb", name], read(command), choice)
}

fn read(command: &FdbCommand) -> Result<Edit, String> {
    match command {
        FdbCommand::Add { mac, words, vlan, sticky } => {
            if words.iter().any(|word| matches!(word.as_str(), "permanent" | "local")) {
                return Err("permanent entries are the host's own; an entry of yours is static".into());
            }
            let meaning = ENTRY.read(words)?;
            Ok(Edit::FdbAdd {
                mac: *mac,
                port: meaning.need("PORT")?.to_owned(),
                vlan: edit::vlan(vlan.as_deref(), meaning.get("VID"))?,
                sticky: *sticky || meaning.has("sticky"),
            })
        }
        FdbCommand::Del { mac, words, vlan } => {
            let meaning = ENTRY.read(words)?;
            Ok(Edit::FdbDel {
                mac: *mac,
                port: meaning.get("PORT").map(str::to_owned),
                vlan: edit::vlan(vlan.as_deref(), meaning.get("VID"))?,
            })
        }
        FdbCommand::Flush { words, vlan } => {
            let meaning = FLUSH.read(words)?;
            // `dev BRIDGE brport PORT`: the port says which bridge
            let name = meaning.get("PORT").or(meaning.get("NAME"));
            let vlan = edit::vlan(vlan.as_deref(), meaning.get("VID"))?;
            Ok(Edit::FdbFlush { name: name.map(str::to_owned), vlan })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::edit::Vid;
    use crate::wire::mac::Mac;

    #[test]
    fn entries_are_read_as_bridge_reads_them() {
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let ten = Vid::try_from(10).ok();
        let add = |text: &str, option: Option<&str>| {
            let vlan = option.map(str::to_owned);
            read(&FdbCommand::Add { mac, words: edit::words(text), vlan, sticky: false })
        };
        let entry = |vlan, sticky| Ok(Edit::FdbAdd { mac, port: "vm1".into(), vlan, sticky });
        let table = [
            ("vm1", None, entry(None, false), "short"),
            ("dev vm1 master static vlan 10", None, entry(ten, false), "as bridge(8) has it"),
            ("vm1 sticky", Some("10"), entry(ten, true), "an option and a word"),
            ("vm1 vlan 10", Some("10"), Err("the VLAN is `10` or `10`, not both".into()), "twice"),
            ("vm1 vlan 4095", None, Err("VLAN 4095 is not within 1 to 4094".into()), "B56"),
            ("vlan 10", None, Err("PORT is missing".into()), "where?"),
            (
                "vm1 permanent",
                None,
                Err("permanent entries are the host's own; an entry of yours is static".into()),
                "B10",
            ),
        ];
        for (text, option, expected, why) in table {
            assert_eq!(add(text, option), expected, "{why}: {text}");
        }
        let del = read(&FdbCommand::Del { mac, words: Vec::new(), vlan: Some("10".into()) });
        assert_eq!(del, Ok(Edit::FdbDel { mac, port: None, vlan: ten }));
        let flush = |text: &str| read(&FdbCommand::Flush { words: edit::words(text), vlan: None });
        assert_eq!(flush(""), Ok(Edit::FdbFlush { name: None, vlan: None }));
        let one = Ok(Edit::FdbFlush { name: Some("vm1".into()), vlan: ten });
        assert_eq!(flush("dev lan brport vm1 vlan 10"), one, "the port says which bridge");
    }
}
