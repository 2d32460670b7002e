//! Words as iproute2 reads them: `dev vm1 vlan 10 sticky`.
//!
//! A word is a key that the next word is the value of, a flag that stands alone, or, if it is neither, a value whose
//! place says what it is. A key's value is taken as it is, so that `dev` may name a port called `vlan`.

/// What words may mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grammar {
    /// Keys, each with the name under which its value is found.
    pub(super) keys: &'static [(&'static str, &'static str)],
    /// Words that stand alone.
    pub(super) flags: &'static [&'static str],
    /// What a word is that is neither, in order.
    pub(super) places: &'static [&'static str],
}

/// What they meant.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Meaning {
    values: Vec<(&'static str, String)>,
    flags: Vec<&'static str>,
}

impl Grammar {
    /// Reads the words.
    ///
    /// # Errors
    /// A sentence about the first word that cannot be.
    pub(super) fn read(self, words: &[String]) -> Result<Meaning, String> {
        let mut meaning = Meaning::default();
        let mut bare = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if let Some((_, name)) = self.keys.iter().find(|(key, _)| key == word) {
                let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
                meaning.set(name, value)?;
            } else if let Some(flag) = self.flags.iter().find(|flag| *flag == word) {
                meaning.flags.push(flag);
            } else {
                bare.push(word);
            }
        }
        // those that were named need no place
        let named = |name: &str| meaning.values.iter().any(|(known, _)| *known == name);
        let mut free = self.places.iter().filter(|name| !named(name)).collect::<Vec<_>>().into_iter();
        for word in bare {
            let name = free.next().ok_or_else(|| format!("do not know what `{word}` is"))?;
            meaning.set(name, word)?;
        }
        Ok(meaning)
    }
}

impl Meaning {
    /// A value that may be there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// A value that must be there.
    pub(super) fn need(&self, name: &str) -> Result<&str, String> {
        self.get(name).ok_or_else(|| format!("{name} is missing"))
    }

    /// Whether the flag was there.
    pub(super) fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    fn set(&mut self, name: &'static str, value: &str) -> Result<(), String> {
        if let Some(first) = self.get(name) {
            return Err(format!("{name} is `{first}` already, and cannot be `{value}` too"));
        }
        self.values.push((name, value.to_owned()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAMMAR: Grammar = Grammar {
        keys: &[("dev", "PORT"), ("vid", "VID"), ("vlan", "VID")],
        flags: &["pvid"],
        places: &["PORT", "VID"],
    };

    #[test]
    fn words_mean_what_they_do_to_iproute2() {
        let read = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            let meaning = GRAMMAR.read(&words)?;
            let (port, vid) = (meaning.need("PORT")?, meaning.get("VID").unwrap_or("-"));
            Ok(format!("{port} {vid}{}", if meaning.has("pvid") { " pvid" } else { "" }))
        };
        let table = [
            ("vm1 10", Ok("vm1 10"), "by their places"),
            ("vid 10 dev vm1 pvid", Ok("vm1 10 pvid"), "by their names, in any order"),
            ("dev vm1 10", Ok("vm1 10"), "the place of what was named is taken"),
            ("pvid vm1", Ok("vm1 - pvid"), "a flag has no place"),
            ("dev vlan vid 10", Ok("vlan 10"), "a port may have the name of a key"),
            ("vm1 10 20", Err("do not know what `20` is"), "one too many"),
            ("dev vm1 dev vm2", Err("PORT is `vm1` already, and cannot be `vm2` too"), "twice"),
            ("vid 10 vlan 20 vm1", Err("VID is `10` already, and cannot be `20` too"), "by two names"),
            ("dev", Err("`dev` needs a value"), "half"),
            ("vid 10", Err("PORT is missing"), "not enough"),
        ];
        for (text, expected, why) in table {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(read(text), expected, "{why}: {text}");
        }
    }
}
