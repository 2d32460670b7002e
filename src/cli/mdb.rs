//! `vswitchd mdb`: who is in which multicast group, said by the user.

use std::process::ExitCode;

use super::args::{MdbArgs, MdbCommand};
use super::edit;
use super::words::Grammar;
use crate::control::client::Choice;
use crate::control::edit::{Edit, Member};

/// `bridge mdb` wants to be told which bridge, and that the entry stays; here both go without saying.
const MEMBER: Grammar = Grammar {
    keys: &[("dev", "NETWORK"), ("port", "PORT"), ("grp", "GROUP"), ("vid", "VID"), ("vlan", "VID")],
    flags: &["permanent"],
    places: &["PORT", "GROUP"],
};

pub(super) fn run(command: &MdbCommand, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    match command {
        MdbCommand::Add(args) => edit::run(["mdb", "add"], read(args).map(Edit::MdbAdd), choice),
        MdbCommand::Del(args) => edit::run(["mdb", "del"], read(args).map(Edit::MdbDel), choice),
    }
}

fn read(args: &MdbArgs) -> Result<Member, String> {
    let meaning = MEMBER.read(&args.words)?;
    let port = meaning.need("PORT")?.to_owned();
    let group = meaning.need("GROUP")?;
    Ok(Member {
        port,
        group: group
            .parse()
            .map_err(|_| format!("`{group}` is not an address, like 239.1.1.1 or ff05::1:3"))?,
        vlan: edit::vlan(args.vlan.as_deref(), meaning.get("VID"))?,
        network: meaning.get("NETWORK").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_as_bridge_reads_them() {
        let member = |text: &str| {
            let member = read(&MdbArgs { words: edit::words(text), vlan: None })?;
            Ok(serde_json::to_string(&member).expect("plain data"))
        };
        let table = [
            ("vm1 239.1.1.1", Ok(r#"{"port":"vm1","group":"239.1.1.1"}"#), "short"),
            ("vm1 ff05::1:3 vid 10", Ok(r#"{"port":"vm1","group":"ff05::1:3","vlan":10}"#), "in a VLAN"),
            (
                "dev lan port vm1 grp 239.1.1.1 permanent",
                Ok(r#"{"port":"vm1","group":"239.1.1.1","network":"lan"}"#),
                "as bridge(8) has it",
            ),
            ("vm1", Err("GROUP is missing"), "which?"),
            ("vm1 239.1.1", Err("`239.1.1` is not an address, like 239.1.1.1 or ff05::1:3"), "a slip"),
            ("vm1 239.1.1.1 temp", Err("do not know what `temp` is"), "only for good"),
        ];
        for (text, expected, why) in table {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(member(text), expected, "{why}: {text}");
        }
    }
}
