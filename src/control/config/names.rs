//! What may be a name: the kernel's rules for interfaces (`dev_valid_name`), and ours for what becomes a file name
//! or is typed on a command line.

use toml::Spanned;

use super::scope::Scope;

/// The longest interface name, in bytes (IFNAMSIZ without its NUL).
pub(super) const INTERFACE_MAX: usize = 15;
/// The longest other name, in bytes: it becomes part of paths that must fit a socket address.
const NAME_MAX: usize = 63;

/// Reports whatever forbids `text` to be the name of an interface.
pub(super) fn check_interface(scope: &mut Scope, text: &Spanned<String>, what: &str) -> bool {
    let name = text.get_ref();
    if name.len() > INTERFACE_MAX {
        let len = name.len();
        scope
            .error(text.span(), format!("{len} bytes"), format!("{what} {name:?} is too long"))
            .help(format!("the kernel allows {INTERFACE_MAX} bytes in the name of an interface"));
        return false;
    }
    if matches!(name.as_str(), "lo" | "all" | "default") {
        scope
            .error(text.span(), "taken", format!("{what} {name:?} would clash with the kernel's own"))
            .help("choose another name");
        return false;
    }
    check_characters(scope, text, what)
}

/// Reports whatever forbids `text` to be a name of a lab, network, port or node.
pub(super) fn check_name(scope: &mut Scope, text: &Spanned<String>, what: &str) -> bool {
    let name = text.get_ref();
    if name.len() > NAME_MAX {
        let len = name.len();
        scope
            .error(text.span(), format!("{len} bytes"), format!("{what} of {len} bytes is too long"))
            .help(format!("at most {NAME_MAX} bytes"));
        return false;
    }
    check_characters(scope, text, what)
}

/// A name made of a file's stem: what is not allowed becomes a dash.
pub(super) fn from_stem(stem: &str) -> String {
    let mut name: String = stem
        .chars()
        .map(|c| if fault_of(c).is_some() || !c.is_ascii() { '-' } else { c })
        .take(NAME_MAX)
        .collect();
    if matches!(name.as_str(), "" | "." | "..") {
        "lab".clone_into(&mut name);
    }
    name
}

fn check_characters(scope: &mut Scope, text: &Spanned<String>, what: &str) -> bool {
    let name = text.get_ref();
    let problem = match name.as_str() {
        "" => "is empty".to_owned(),
        "." | ".." => "means a directory".to_owned(),
        _ => match name.chars().find_map(fault_of) {
            Some(fault) => format!("contains {fault}"),
            None => return true,
        },
    };
    scope
        .error(text.span(), "not allowed", format!("{what} {name:?} {problem}"))
        .help("use letters, digits, `-`, `_` and `.`");
    false
}

/// Why a character may not be in a name: the kernel's reasons, and `%`, which it replaces by a number.
fn fault_of(c: char) -> Option<&'static str> {
    match c {
        '/' => Some("a slash"),
        ':' => Some("a colon"),
        '%' => Some("a percent sign"),
        // the kernel's isspace() is Latin-1's: NBSP included
        c if c.is_whitespace() => Some("white space"),
        c if c.is_control() => Some("a control character"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Diagnostics;
    use super::*;

    #[test]
    fn names_of_interfaces() {
        let table = [
            ("eth0", true, "ordinary"),
            ("fifteen-bytes-x", true, "15 bytes"),
            ("sixteen-bytes-xy", false, "16 bytes"),
            ("überüberü", true, "the kernel counts bytes, and takes any above 127: 12 here"),
            ("", false, "empty"),
            (".", false, "a directory"),
            ("..", false, "a directory"),
            (".a", true, "only exactly . and .. are refused"),
            ("a/b", false, "a path"),
            ("a:b", false, "an alias"),
            ("a b", false, "white space"),
            ("a\u{a0}b", false, "isspace() of Latin-1"),
            ("tap%d", false, "the kernel would make tap0 of it"),
            ("lo", false, "exists in every namespace"),
        ];
        for (name, valid, why) in table {
            let mut scope = Scope::new("", Diagnostics::default());
            let text = Spanned::new(0..0, name.to_owned());
            assert_eq!(check_interface(&mut scope, &text, "the name"), valid, "{name:?}: {why}");
            assert_eq!(scope.found.has_errors(), !valid, "{name:?}");
        }
    }

    #[test]
    fn stems() {
        assert_eq!(from_stem("my lab"), "my-lab");
        assert_eq!(from_stem(".."), "lab");
        assert_eq!(from_stem(&"x".repeat(100)).len(), NAME_MAX);
    }
}
