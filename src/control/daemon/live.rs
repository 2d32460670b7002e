//! Edits: the plan that runs is changed, and the difference put to work, in the same way as by a reload.
//!
//! An edit is a pure function from plan to plan; each kind has a file of its own. So whatever an edit can do a file
//! could have said, what it does not concern is not touched, and the next reload, which compares with the file, takes
//! it back. What is in no plan (learned stations, whether a port is up) is changed in the fabric directly.

mod fdb;
mod leg;
mod mdb;
mod port;
#[cfg(test)]
mod tests;
mod vlan;

use std::collections::BTreeSet;

use super::answer::unknown;
use super::{ApplyError, Instance};
use crate::control::diff::{describe, diff};
use crate::control::edit::{Edit, Vid};
use crate::control::plan::{Line, Plan};
use crate::control::protocol::{Body, Refusal, Response};
use crate::control::setting::Setting;
use crate::engine::Stopped;
use crate::fabric::{Change, ChangeError, Station};
use crate::frame::{NodeId, Plug};
use crate::wire::mac::Mac;

/// What an edit makes stands on no line of the file.
const NO_LINE: Line = Line(0);

/// What there is to say about an edit, or why it cannot be.
type Edited = Result<Vec<String>, Refusal>;

impl Instance {
    /// Does what the edit says; all of it or nothing.
    pub(super) fn edit(&mut self, edit: &Edit) -> Response {
        let edited = match edit {
            Edit::FdbAdd { mac, port, vlan, sticky } => {
                fdb::add(&self.plan, *mac, port, *vlan, *sticky).and_then(|plan| self.settle(plan))
            }
            Edit::FdbDel { mac, port, vlan } => self.fdb_del(*mac, port.as_deref(), *vlan),
            Edit::FdbFlush { name, vlan } => self.fdb_flush(name.as_deref(), *vlan),
            Edit::MdbAdd(member) => mdb::add(&self.plan, member).and_then(|plan| self.settle(plan)),
            Edit::MdbDel(member) => mdb::del(&self.plan, member).and_then(|plan| self.settle(plan)),
            Edit::PortSet { name, set } => self.port_set(name, set),
            Edit::VlanAdd { port, vlan, vlan_end, pvid, untagged } => {
                let place = vlan::Place { pvid: *pvid, untagged: *untagged };
                vlan::add(&self.plan, port, *vlan, *vlan_end, place).and_then(|plan| self.settle(plan))
            }
            Edit::VlanDel { port, vlan, vlan_end } => {
                vlan::del(&self.plan, port, *vlan, *vlan_end).and_then(|plan| self.settle(plan))
            }
        };
        match edited {
            Ok(lines) if lines.is_empty() => Response::ok(Body::Lines(vec!["nothing changed".into()])),
            Ok(lines) => Response::ok(Body::Lines(lines)),
            Err(refusal) => refusal.into(),
        }
    }

    /// Puts the edited plan to work. If the fabric refuses a part of it, the parts before are taken back.
    fn settle(&mut self, plan: Plan) -> Edited {
        let changes = diff(&self.plan, &plan);
        let lines = describe(&changes);
        let back = diff(&plan, &self.plan);
        match self.apply(plan) {
            Ok(_) => Ok(lines),
            Err(error) => {
                if let (ApplyError::Fabric(..), Ok(changes)) =
                    (&error, self.registry.clone().translate(&back))
                {
                    for (change, about) in changes.into_iter().zip(&back) {
                        // those that were not made cannot be taken back, and say so
                        let _ = self.at(about.device(&self.plan, &self.plan), move |switch| {
                            switch.fabric.apply(change, switch.now)
                        });
                    }
                }
                Err(refused(&error))
            }
        }
    }

    fn fdb_del(&mut self, mac: Mac, port: Option<&str>, vlan: Option<Vid>) -> Edited {
        if let Some(port) = port {
            leg::find(&self.plan, port)?;
        }
        let (plan, removed) = fdb::del(&self.plan, mac, port, vlan);
        if removed {
            return self.settle(plan);
        }
        let on = port.and_then(|port| self.registry.plug(port));
        let forgotten = self.each_network(|node, name| {
            let name = name.to_owned();
            move |switch| forget(switch, node, &name, mac, on, vlan)
        });
        let forgotten = forgotten.map_err(ended)?.concat();
        if forgotten.is_empty() {
            let place = port.map_or(String::new(), |port| format!(" behind {port}"));
            let vlan = vlan.map_or(String::new(), |vlan| format!(" in VLAN {vlan}"));
            return Err(Refusal {
                error: format!("there is no entry of {mac}{place}{vlan} that can be removed"),
                hint: Some("`vswitchd show fdb` lists them; permanent ones belong to the host".into()),
            });
        }
        Ok(forgotten)
    }

    fn fdb_flush(&mut self, name: Option<&str>, vlan: Option<Vid>) -> Edited {
        let plan = &self.plan;
        let (network, plug) = match name {
            None => (None, None),
            // the host's port has the name of its network, and that name means the network
            Some(name) if plan.network(name).is_some() => (Some(name.to_owned()), None),
            Some(name) => match leg::find(plan, name) {
                Ok(leg) => (Some(leg.network.to_owned()), self.registry.plug(name)),
                Err(_) => {
                    let networks = plan.networks.iter().map(|n| n.name.as_str());
                    return Err(unknown(
                        "network or port",
                        name,
                        networks.chain(plan.legs().map(|leg| leg.name)),
                    ));
                }
            },
        };
        if let (Some(vlan), Some(network)) = (vlan, &network) {
            leg::filtering(plan, network, vlan)?;
        }
        let mut nodes = self.nodes();
        nodes.retain(|(_, name)| network.as_ref().is_none_or(|network| network == name));
        let flush = |(node, name): (NodeId, String)| {
            let forgotten = self.at(&name, move |switch| {
                let now = switch.now;
                let before = switch.fabric.stations(node, now).len();
                switch.fabric.apply(Change::Flush(node, plug, vlan.map(Vid::get)), now)?;
                Ok(before - switch.fabric.stations(node, now).len())
            });
            let refused = |error: ChangeError| Refusal { error: error.to_string(), hint: None };
            Ok(format!("{name}: {} forgotten", forgotten.map_err(ended)?.map_err(refused)?))
        };
        nodes.into_iter().map(flush).collect()
    }

    fn port_set(&mut self, name: &str, set: &[Setting]) -> Edited {
        let plan = port::set(&self.plan, name, set)?;
        let up = set.iter().rev().find_map(|setting| match setting {
            Setting::State(up) => Some(*up),
            _ => None,
        });
        let mut lines = self.settle(plan)?;
        if let (Some(up), Some(at)) = (up, self.registry.plug(name)) {
            self.set_state(name, at, up)?;
            lines.push(format!("port {name} {}", if up { "up" } else { "down" }));
        }
        Ok(lines)
    }

    /// Of a link, both ends: it is one cable.
    fn set_state(&mut self, name: &str, at: Plug, up: bool) -> Result<(), Refusal> {
        let gone = format!("the interface of port `{name}` is gone");
        let done = self.at_leg(name, move |switch| {
            if up && matches!(at, Plug::Port(id) if !switch.is_attached(id)) {
                return Err(Refusal { error: gone, hint: Some("`vswitchd reload` makes it anew".into()) });
            }
            let changed = switch.fabric.apply(state(at, up), switch.now);
            changed.map_err(|error| Refusal { error: error.to_string(), hint: None })
        });
        done.map_err(ended)??;
        let is_same = |other: &String| match (self.registry.plug(other), at) {
            (Some(Plug::Link(other, _)), Plug::Link(link, _)) => other == link,
            _ => other == name,
        };
        self.down.retain(|other| !is_same(other));
        if !up {
            self.down.insert(name.to_owned());
        }
        Ok(())
    }

    /// The ports and links that a user has set down are up again, as the file has them; says which.
    pub(super) fn restore_states(&mut self) -> Vec<String> {
        let down: BTreeSet<String> = std::mem::take(&mut self.down);
        let up = |name: &String| {
            let at = self.registry.plug(name)?;
            let restored = self.at_leg(name, move |switch| {
                let is_gone = matches!(at, Plug::Port(id) if !switch.is_attached(id));
                !is_gone && switch.fabric.apply(state(at, true), switch.now).is_ok()
            });
            // an engine that has ended is noticed elsewhere
            restored.unwrap_or_default().then(|| format!("port {name} up"))
        };
        down.iter().filter_map(up).collect()
    }

    /// The bridges and the names of their networks, in the order of the file.
    pub(super) fn nodes(&self) -> Vec<(NodeId, String)> {
        let networks = self.plan.networks.iter();
        networks.filter_map(|n| Some((self.registry.node(&n.name)?, n.name.clone()))).collect()
    }
}

/// What sets a port or a link up or down.
fn state(at: Plug, up: bool) -> Change {
    match at {
        Plug::Link(link, _) => Change::SetLinkUp(link, up),
        Plug::Port(port) => Change::SetPortUp(port, up),
    }
}

/// Removes what a bridge has learned of a station; says where it was.
fn forget(
    switch: &mut crate::engine::Switch,
    node: NodeId,
    name: &str,
    mac: Mac,
    on: Option<Plug>,
    vlan: Option<Vid>,
) -> Vec<String> {
    let now = switch.now;
    let mut forgotten = Vec::new();
    for (entry, at) in switch.fabric.stations(node, now) {
        let meant = entry.mac == mac
            && entry.kind.ages()
            && on.is_none_or(|on| at == on)
            && vlan.is_none_or(|vlan| entry.vid == vlan.get());
        if !meant {
            continue;
        }
        let only = (entry.vid != 0).then_some(entry.vid);
        let station = Station { bridge: node, mac, vlan: only, at, kind: entry.kind };
        if switch.fabric.apply(Change::RemoveStation(station), now).is_ok() {
            forgotten.push(format!("fdb {mac} on {name} forgotten"));
        }
    }
    forgotten
}

fn ended(stopped: Stopped) -> Refusal {
    Refusal { error: stopped.to_string(), hint: None }
}

fn refused(error: &ApplyError) -> Refusal {
    Refusal { error: error.to_string(), hint: Some("nothing has changed".into()) }
}
