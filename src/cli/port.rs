//! `vswitchd port set`: the flags of a port, said by the user.

use std::process::ExitCode;

use super::args::PortCommand;
use super::edit;
use crate::control::client::Choice;
use crate::control::edit::Edit;
use crate::control::setting::Setting;

pub(super) fn run(command: &PortCommand, choice: Choice<'_>) -> anyhow::Result<ExitCode> {
    let PortCommand::Set { words } = command;
    edit::run(["port", "set"], read(words), choice)
}

/// `bridge link set` has `dev` before the port.
fn read(words: &[String]) -> Result<Edit, String> {
    let words = match words {
        [dev, rest @ ..] if dev == "dev" && rest.len() % 2 == 1 => rest,
        words => words,
    };
    let [name, pairs @ ..] = words else { return Err("PORT is missing".into()) };
    if pairs.is_empty() {
        return Err("a FLAG and its VALUE are missing".into());
    }
    let set = pairs.chunks(2).map(|pair| match pair {
        [flag, value] => Setting::parse(flag, value).map_err(|error| error.to_string()),
        // a flag that there is not is the worse mistake
        [flag, ..] => match Setting::parse(flag, "") {
            Err(error @ crate::control::setting::SettingError::Flag(_)) => Err(error.to_string()),
            _ => Err(format!("`{flag}` needs a value")),
        },
        [] => Err("a FLAG and its VALUE are missing".into()),
    });
    Ok(Edit::PortSet { name: name.clone(), set: set.collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_bridge_reads_them() {
        let read = |text: &str| match read(&edit::words(text))? {
            Edit::PortSet { name, set } => {
                Ok(std::iter::once(name).chain(set.iter().map(ToString::to_string)).collect::<Vec<_>>())
            }
            other => Err(format!("{other:?}")),
        };
        let table: [(&str, Result<&[&str], &str>, &str); 8] = [
            ("vm1 isolated on", Ok(&["vm1", "isolated on"]), "one flag"),
            ("dev vm1 isolated on", Ok(&["vm1", "isolated on"]), "as bridge(8) has it"),
            ("dev cost 5", Ok(&["dev", "cost 5"]), "a port may be called that"),
            ("vm1 cost 5 guard on", Ok(&["vm1", "cost 5", "bpdu_guard on"]), "several"),
            ("vm1", Err("a FLAG and its VALUE are missing"), "what?"),
            ("vm1 cost", Err("`cost` needs a value"), "half"),
            ("vm1 cost 0", Err("`cost` cannot be `0`: it is a number from 1 to 200000000"), "the range"),
            ("", Err("PORT is missing"), "nothing"),
        ];
        for (text, expected, why) in table {
            let expected = expected
                .map(|words| words.iter().map(ToString::to_string).collect::<Vec<_>>())
                .map_err(str::to_owned);
            assert_eq!(read(text), expected, "{why}: {text}");
        }
        assert!(read("vm1 colour").is_err_and(|error| error.contains("there are: learning, flood")));
    }
}
