//! Stories as their readers see them.

use std::fmt;

use super::place::{self, HOSTS};
use super::{Act, Say, Segment, Spoil, Story};

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "story of seed {}:", self.seed)?;
        for (at, leg) in self.setting.legs.iter().enumerate() {
            if *leg != place::leg(at as u16) {
                writeln!(f, "  leg {at}: {leg:?}")?;
            }
        }
        writeln!(f, "  {:?}", self.setting.config)?;
        writeln!(
            f,
            "  at most {} flows, loose {}, liberal {}",
            self.setting.sessions_max, self.setting.loose, self.setting.liberal
        )?;
        let told = |at: usize| self.acts.iter().any(|act| matches!(act, Act::Say(talk, ..) if *talk == at));
        for (at, talk) in self.talks.iter().enumerate().filter(|(at, _)| told(*at)) {
            writeln!(
                f,
                "  talk {at}: protocol {}, {} at {}, port {}, to {}, port {}; or {} begins",
                talk.protocol,
                HOSTS[talk.client].name,
                talk.from,
                talk.port,
                talk.to,
                talk.to_port,
                HOSTS[talk.server].name
            )?;
        }
        self.acts.iter().enumerate().try_for_each(|(at, act)| writeln!(f, "  {at:5}  {act}"))
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(config) => write!(f, "{config:?}"),
            Self::Leg(leg, interface) => write!(f, "leg {} is {interface:?}", leg.0),
            Self::Gone(port) => write!(f, "{} is gone", HOSTS[usize::from(port.0)].name),
            Self::Say(talk, reply, say, spoil) => {
                let who = if *reply { "server" } else { "client" };
                write!(f, "talk {talk}, {who}: {say}")?;
                if *spoil != Spoil::default() {
                    write!(f, " {spoil:?}")?;
                }
                Ok(())
            }
            Self::Wait(duration, true) => write!(f, "wait {duration:?}"),
            Self::Wait(duration, false) => write!(f, "sleep {duration:?}"),
        }
    }
}

impl fmt::Display for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(len) => write!(f, "{len} bytes"),
            Self::Error(kind, code, quote) => write!(f, "error {kind}/{code} quoting {quote} bytes"),
            Self::Tcp(Segment { flags, seq, ack, window, len, options }) => {
                for (bit, name) in ["F", "S", "R", "P", "A", "U"].into_iter().enumerate() {
                    if flags >> bit & 1 == 1 {
                        f.write_str(name)?;
                    }
                }
                write!(f, " seq {} ack {} win {window} len {len}", *seq as i32, *ack as i32)?;
                if options.is_empty() { Ok(()) } else { write!(f, " {options:?}") }
            }
        }
    }
}
