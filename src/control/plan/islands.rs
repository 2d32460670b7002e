//! Islands: networks and routers that wires join, directly or by way of others.
//!
//! Between two islands no frame can ever pass inside the switch. A machine that stands on both (a node with two interfaces,
//! the host, a cable outside) joins them outside, where frames leave the switch and enter it again; that does not count.

use std::collections::BTreeMap;

use super::Plan;

/// What wires join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Island {
    /// The names of its networks and routers, in the order of the plan: networks first.
    pub devices: Vec<String>,
    /// How many ports are plugged into its networks.
    pub ports: usize,
}

impl Plan {
    /// The islands, in the order of their first devices.
    pub fn islands(&self) -> Vec<Island> {
        islands(&[self])
    }

    /// Networks and routers, in the order of the file.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        let networks = self.networks.iter().map(|network| network.name.as_str());
        networks.chain(self.routers.iter().map(|router| router.name.as_str()))
    }

    /// Which two devices each wire joins.
    fn wires(&self) -> impl Iterator<Item = [&str; 2]> {
        let links = self.links.iter().map(|link| link.networks.each_ref().map(String::as_str));
        let places = self.routers.iter().flat_map(|router| {
            router.interfaces.iter().map(|place| [router.name.as_str(), place.network.as_str()])
        });
        links.chain(places)
    }
}

/// The islands that the wires of all these plans make together. Ports are those of the last one.
pub fn islands(plans: &[&Plan]) -> Vec<Island> {
    let mut groups = Groups::default();
    plans.iter().flat_map(|plan| plan.devices()).for_each(|device| groups.add(device));
    plans.iter().flat_map(|plan| plan.wires()).for_each(|ends| groups.join(ends));
    let mut islands: Vec<Island> = Vec::new();
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    for (number, device) in groups.names.iter().enumerate() {
        let place = *places.entry(groups.root(number)).or_insert_with(|| {
            islands.push(Island { devices: Vec::new(), ports: 0 });
            islands.len() - 1
        });
        islands[place].devices.push((*device).to_owned());
    }
    for port in plans.last().iter().flat_map(|plan| &plan.ports) {
        let number = groups.numbers.get(port.network.as_str());
        if let Some(place) = number.and_then(|number| places.get(&groups.root(*number))) {
            islands[*place].ports += 1;
        }
    }
    islands
}

/// Disjoint sets of names.
#[derive(Default)]
struct Groups<'a> {
    names: Vec<&'a str>,
    numbers: BTreeMap<&'a str, usize>,
    /// A member of the same set with a lower number; itself for the lowest.
    lower: Vec<usize>,
}

impl<'a> Groups<'a> {
    fn add(&mut self, name: &'a str) {
        let number = self.names.len();
        if *self.numbers.entry(name).or_insert(number) == number {
            self.names.push(name);
            self.lower.push(number);
        }
    }

    /// The wires of a sound plan join devices that it has.
    fn join(&mut self, names: [&str; 2]) {
        let [Some(a), Some(b)] = names.map(|name| self.numbers.get(name).copied()) else { return };
        let (a, b) = (self.root(a), self.root(b));
        self.lower[a.max(b)] = a.min(b);
    }

    fn root(&self, mut number: usize) -> usize {
        while self.lower[number] != number {
            number = self.lower[number];
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::config::parse;

    /// A lab of networks a to f, each with a port, and whatever else is written.
    fn plan(more: &str) -> Plan {
        let mut text = String::new();
        for name in ["a", "b", "c", "d", "e", "f"] {
            text += &format!("[[network]]\nname = \"{name}\"\n");
            text += &format!("[[port]]\nname = \"p{name}\"\nkind = \"tap\"\nnetwork = \"{name}\"\n");
        }
        parse(&(text + more), "lab").unwrap_or_else(|found| panic!("{found:?}")).0
    }

    fn drawn(islands: &[Island]) -> String {
        let draw = |island: &Island| format!("{}:{}", island.devices.concat(), island.ports);
        islands.iter().map(draw).collect::<Vec<_>>().join(" ")
    }

    fn link(a: &str, b: &str) -> String {
        format!("[[link]]\nnetworks = [\"{a}\", \"{b}\"]\n")
    }

    fn router(name: &str, networks: &[&str]) -> String {
        let place = |(at, network): (usize, &&str)| {
            format!("[[router.interface]]\nnetwork = \"{network}\"\naddress = \"10.{at}.0.1/24\"\n")
        };
        let places: String = networks.iter().enumerate().map(place).collect();
        format!("[[router]]\nname = \"{name}\"\n{places}")
    }

    #[test]
    fn wires_join_and_nothing_else() {
        let node = "[[node]]\nname = \"n\"\n[[node.interface]]\nname = \"eth0\"\nnetwork = \"a\"\n\
                    [[node.interface]]\nname = \"eth1\"\nnetwork = \"b\"\n";
        let table: [(String, &str, &str); 6] = [
            (String::new(), "a:1 b:1 c:1 d:1 e:1 f:1", "no wire"),
            (link("a", "b"), "ab:2 c:1 d:1 e:1 f:1", "a link"),
            (link("f", "c") + &link("a", "f"), "acf:3 b:1 d:1 e:1", "whichever end is named first"),
            (router("r", &["b", "d"]), "a:1 bdr:2 c:1 e:1 f:1", "a router, which is a device of its own"),
            (
                router("r", &["a", "b"]) + &router("s", &["b", "c"]) + &link("d", "e"),
                "abcrs:3 de:2 f:1",
                "a chain of all kinds",
            ),
            (node.to_owned(), "a:2 b:2 c:1 d:1 e:1 f:1", "a machine on two networks joins them outside"),
        ];
        for (more, expected, why) in table {
            assert_eq!(drawn(&plan(&more).islands()), expected, "{why}");
        }
    }

    #[test]
    fn the_wires_of_two_plans_count_together() {
        let (old, new) = (plan(&link("a", "b")), plan(&(link("b", "c") + &router("r", &["e"]))));
        assert_eq!(drawn(&islands(&[&old, &new])), "abc:3 d:1 er:1 f:1");
        assert_eq!(
            drawn(&islands(&[&new, &Plan::empty("lab")])),
            "a:0 bc:0 d:0 er:0 f:0",
            "the last one's ports"
        );
        assert_eq!(islands(&[]), []);
    }
}
