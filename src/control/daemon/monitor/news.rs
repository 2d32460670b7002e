//! What happens inside the devices, in the names of the plan.
//!
//! The thread that writes to a client names what the engine tells by ids. So the names are shared with it: those of
//! the plan that is, and, for what has just gone, those of the one before. An id that passed to a newcomer by the
//! same reload names the newcomer.

use crate::bridge::{Event, Joining, Sighting};
use crate::control::daemon::views::{state_name, station};
use crate::control::event::{Happening, Topic};
use crate::control::registry::Registry;
use crate::control::view::GroupView;
use crate::fabric::News;
use crate::frame::{NodeId, Plug};

/// What the engine tells about; without any of these it need not be asked.
pub(super) const TOPICS: [Topic; 5] = [Topic::Fdb, Topic::Guard, Topic::Link, Topic::Mdb, Topic::Stp];
/// The name of what has none any more.
const NAMELESS: &str = "?";

/// Names of ids.
#[derive(Debug, Default)]
pub(super) struct Known {
    now: Registry,
    before: Registry,
}

impl Known {
    /// The names of another plan; those so far still serve for what is gone.
    pub(super) fn renew(&mut self, registry: &Registry) {
        self.before = std::mem::replace(&mut self.now, registry.clone());
    }

    fn node(&self, node: NodeId) -> &str {
        self.now.node_name(node).or_else(|| self.before.node_name(node)).unwrap_or(NAMELESS)
    }

    fn plug(&self, plug: Option<Plug>) -> &str {
        let named = |plug| self.now.plug_name(plug).or_else(|| self.before.plug_name(plug));
        plug.and_then(named).unwrap_or(NAMELESS)
    }

    /// The news in words, and whether what it is about is no more.
    pub(super) fn tell(&self, news: &News) -> (bool, Happening) {
        let (at, master) = (self.plug(news.at), self.node(news.node));
        let fdb = |s: Sighting, at: &str| Happening::Fdb(station(s.mac, s.vid, s.kind, at, master));
        let guard =
            |text: String| Happening::Guard { ifname: at.to_owned(), master: master.to_owned(), text };
        let stp = |text: String| Happening::Stp { ifname: master.to_owned(), text };
        match news.event {
            Event::BpduGuard(_) => (false, guard("disabled: a BPDU came in (bpdu_guard)".into())),
            Event::Forgotten(sighting) => (true, fdb(sighting, at)),
            Event::Joined(joining) => (false, Happening::Mdb(membership(&joining, at, master))),
            Event::Learned(sighting) => (false, fdb(sighting, at)),
            Event::Left(joining) => (true, Happening::Mdb(membership(&joining, at, master))),
            Event::Moved(sighting, _) => (false, fdb(sighting, self.plug(news.to))),
            Event::NewRoot(root) => (false, stp(format!("root {root}"))),
            Event::Quarantined(Sighting { mac, .. }) => {
                (false, guard(format!("quarantined: {mac} moves to and fro")))
            }
            Event::Released(_) => (true, guard("quarantine is over".into())),
            Event::Router(_, found) => {
                let text = if found { "a multicast router is here" } else { "no multicast router any more" };
                (!found, guard(text.into()))
            }
            Event::SnoopingOff => {
                (false, stp("snooping switched itself off: too many groups (hash_max)".into()))
            }
            Event::State(_, state) => {
                let (ifname, master) = (at.to_owned(), master.to_owned());
                (
                    false,
                    Happening::Link { ifname, master, state: state_name(state).into(), flags: Vec::new() },
                )
            }
            Event::TopologyChange => (false, stp("topology change".into())),
        }
    }
}

fn membership(joining: &Joining, port: &str, dev: &str) -> GroupView {
    let Joining { vid, group, source, permanent, .. } = joining;
    GroupView {
        dev: dev.to_owned(),
        port: port.to_owned(),
        grp: group.to_string(),
        src: source.map(|source| source.to_string()),
        state: if *permanent { "permanent" } else { "temp" }.into(),
        vid: (*vid != 0).then_some(*vid),
        ..GroupView::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::{PortState, StationKind};
    use crate::control::event::EventView;
    use crate::frame::{LegIndex, PortId};
    use crate::wire::mac::Mac;

    fn told(known: &Known, event: Event) -> String {
        let (at, to) = (Some(Plug::Port(PortId(0))), Some(Plug::Port(PortId(1))));
        let (deleted, happened) = known.tell(&News { node: NodeId(0), event, at, to });
        serde_json::to_string(&EventView { time: 1.5, deleted, happened }).expect("plain data")
    }

    #[test]
    fn news_is_told_in_the_names_of_the_plan() {
        let registry = Registry::of_network("lan");
        let mut known = Known::default();
        known.renew(&registry);
        let leg = LegIndex(0);
        let sighting = Sighting { mac: Mac([2, 0, 0, 0, 0, 1]), vid: 10, leg, kind: StationKind::Learned };
        let table = [
            (
                Event::Learned(sighting),
                r#"{"time":1.5,"event":"fdb","mac":"02:00:00:00:00:01","ifname":"?","flags":[],"master":"lan","vlan":10,"state":""}"#,
            ),
            (
                Event::State(leg, PortState::Blocking),
                r#"{"time":1.5,"event":"link","ifname":"?","master":"lan","state":"blocking"}"#,
            ),
            (Event::TopologyChange, r#"{"time":1.5,"event":"stp","ifname":"lan","text":"topology change"}"#),
            (
                Event::Quarantined(sighting),
                r#"{"time":1.5,"event":"guard","ifname":"?","master":"lan","text":"quarantined: 02:00:00:00:00:01 moves to and fro"}"#,
            ),
        ];
        for (event, expected) in table {
            assert_eq!(told(&known, event), expected);
            let topic = known.tell(&News { node: NodeId(0), event, at: None, to: None }).1.topic();
            assert!(topic.is_some_and(|topic| TOPICS.contains(&topic)), "{topic:?} is asked for");
        }
        assert!(told(&known, Event::Forgotten(sighting)).contains(r#""deleted":true"#));
        known.renew(&Registry::default());
        assert!(told(&known, Event::TopologyChange).contains(r#""ifname":"lan""#), "what has just gone");
        known.renew(&Registry::default());
        assert!(told(&known, Event::TopologyChange).contains(r#""ifname":"?""#), "but not for ever");
    }
}
