//! The engine as a whole, behind a gate with one address that masquerades what is inside, and publishes ports.

mod errors;
mod packets;
mod ports;
mod properties;
mod recipes;
mod states;
mod table;

use std::net::IpAddr;

use packets::{flow, sound};

use super::*;

/// The address of the gate, and its IPv6 one.
const EXT: &str = "192.0.2.1";
const EXT6: &str = "2001:db8::1";

struct Gate {
    nat: Nat,
    now: Time,
    /// What the source of flows from inside becomes.
    masquerade: Option<Range>,
    /// Which strangers are let in to ports that guests have opened.
    filtering: Filtering,
    /// What flows to that port of the gate become.
    published: Vec<(u16, Range)>,
}

fn gate() -> Gate {
    gate_of(1000)
}

fn gate_of(max: usize) -> Gate {
    Gate {
        nat: Nat::new(Settings::default(), max, [1, 2]),
        now: Time::from_secs(100),
        masquerade: Some(Range::address(address(EXT))),
        filtering: Filtering::default(),
        published: vec![],
    }
}

impl Gate {
    fn judge(&self, bytes: &[u8]) -> Judgement {
        self.nat.judge(&Packet::parse(bytes).expect("a packet"), false, self.now)
    }

    /// Asks the rules, as a router would.
    fn bind(&self, judgement: &mut Judgement) {
        let tuple = *judgement.tuple().expect("a tuple");
        let outside = if tuple.ipv6 { address(EXT6) } else { address(EXT) };
        let rule = |(port, range): &(u16, Range)| {
            (tuple.destination == outside.into() && tuple.destination_port == *port).then_some(*range)
        };
        let opened = self.nat.behind(judgement, self.filtering, self.now);
        let published = self.published.iter().find_map(rule).or(opened);
        self.nat.bind_destination(judgement, published.as_ref(), self.now);
        let masquerade = match self.masquerade {
            Some(_) if tuple.ipv6 => Some(Range::address(outside)),
            range => range,
        };
        let range = masquerade.filter(|_| is_inside(tuple.source.ip(tuple.ipv6)));
        self.nat.bind_source(judgement, range.as_ref(), range.map(|_| 7), self.now);
    }

    /// A packet passes: what it was, and what left.
    fn pass(&mut self, bytes: &[u8]) -> (State, Result<Vec<u8>, Refusal>) {
        let mut judgement = self.judge(bytes);
        if judgement.tuple().is_some() {
            self.bind(&mut judgement);
        }
        let confirmed = self.nat.confirm(&mut judgement, self.now);
        self.nat.commit(&judgement, 3, self.now);
        let mut out = bytes.to_vec();
        assert!(rewrite::apply(&mut out, &judgement.translation, false));
        if !matches!(judgement.state, State::Invalid(_)) {
            assert!(sound(&out), "every checksum is right: {}", flow(&out));
        }
        (judgement.state, confirmed.map(|()| out))
    }

    /// The same, in words.
    fn flow(&mut self, bytes: &[u8]) -> String {
        match self.pass(bytes) {
            (State::Invalid(invalid), _) => format!("{invalid:?}"),
            (_, Ok(out)) => flow(&out),
            (_, Err(refusal)) => format!("{refusal:?}"),
        }
    }

    fn state(&mut self, bytes: &[u8]) -> State {
        self.pass(bytes).0
    }

    fn wait(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    /// How long the only session lives, in seconds, and whether it is assured.
    fn life(&self) -> Option<(u64, bool)> {
        let (_, session) = self.nat.sessions().iter(self.now).next()?;
        Some(((session.expires - self.now).as_secs(), session.assured))
    }

    fn count(&self) -> usize {
        self.nat.sessions().iter(self.now).count()
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[0] == 10,
        IpAddr::V6(address) => address.octets()[0] == 0xfd,
    }
}
