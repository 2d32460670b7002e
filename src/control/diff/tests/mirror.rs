//! What the fabric would have after a list of changes, as maps: refuses what it refuses, and does by itself what it
//! does by itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::bridge::{LegConfig, MulticastLegConfig, Role, RouterMode, StpMode};
use crate::control::plan::{Plan, RouterInterface, Settings};
use crate::control::registry::Registry;
use crate::fabric::Change;
use crate::frame::{LegIndex, LinkId, NodeId, Plug};
use crate::router;
use crate::router::interface::Interface;
use crate::router::policy::config::Config;

/// A leg as the fabric has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MirrorLeg {
    node: NodeId,
    /// Without the backup, which is a name there.
    settings: Settings,
    backup: Option<Plug>,
}

/// A router as the fabric has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct MirrorRouter {
    settings: router::Settings,
    places: BTreeMap<LegIndex, (LinkId, Interface)>,
    /// As texts, with the leg they leave through.
    routes: BTreeSet<(String, LegIndex)>,
    policy: Config,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mirror {
    /// Default PVID and whether there is a spanning tree.
    bridges: BTreeMap<NodeId, (u16, bool)>,
    routers: BTreeMap<NodeId, MirrorRouter>,
    /// Of bridges.
    legs: BTreeMap<Plug, MirrorLeg>,
    /// As texts: their types have no order.
    stations: BTreeSet<String>,
    groups: BTreeSet<String>,
}

impl Mirror {
    /// What a plan should lead to.
    pub(super) fn of(plan: &Plan, registry: &Registry) -> Self {
        let mut mirror = Self::default();
        for network in &plan.networks {
            let node = registry.node(&network.name).expect("in the plan");
            let has_tree = network.bridge.stp.mode != StpMode::Off;
            mirror.bridges.insert(node, (network.bridge.vlan.default_pvid, has_tree));
        }
        let plug = |name: &str| registry.plug(name).expect("in the plan");
        for leg in plan.legs() {
            let node = registry.node(leg.network).expect("in the plan");
            let backup = leg.settings.backup.as_deref().map(plug);
            let settings = Settings { backup: None, ..leg.settings.clone() };
            mirror.legs.insert(plug(leg.name), MirrorLeg { node, settings, backup });
        }
        for router in &plan.routers {
            let leg = |name: &str| registry.router_leg(&router.name, name).expect("in the plan");
            let place = |place: &RouterInterface| {
                let Plug::Link(link, 0) = plug(&place.name) else { panic!("the router's end") };
                assert_eq!(plug(&place.end.name), Plug::Link(link, 1), "the bridge's end");
                (leg(&place.name), (link, place.interface.clone()))
            };
            let places = router.interfaces.iter().map(place);
            let routes = router.routes.iter().map(|r| (format!("{} {:?}", r.to, r.via), leg(&r.interface)));
            let router_mirror = MirrorRouter {
                settings: router.settings,
                places: places.collect(),
                routes: routes.collect(),
                policy: router.policy.config(leg),
            };
            mirror.routers.insert(registry.node(&router.name).expect("in the plan"), router_mirror);
        }
        for s in &plan.fdb {
            let node = registry.node(&s.network).expect("in the plan");
            mirror.stations.insert(format!("{node:?} {} {:?} {:?}", s.mac, s.vlan, plug(&s.at)));
        }
        for g in &plan.groups {
            let node = registry.node(&g.network).expect("in the plan");
            mirror.groups.insert(format!("{node:?} {:?} {} {}", plug(&g.at), g.vlan, g.group));
        }
        mirror
    }

    pub(super) fn apply(&mut self, change: &Change) -> Result<(), &'static str> {
        let fresh = |is_new: bool| if is_new { Ok(()) } else { Err("exists") };
        let known = |is_known: bool| if is_known { Ok(()) } else { Err("unknown") };
        match *change {
            Change::AddBridge(node, config) => {
                let bridge = (config.vlan.default_pvid, config.stp.mode != StpMode::Off);
                fresh(!self.routers.contains_key(&node))?;
                fresh(self.bridges.insert(node, bridge).is_none())
            }
            Change::AddGroup(g) => {
                known(self.legs.get(&g.at).is_some_and(|leg| leg.node == g.bridge))?;
                fresh(self.groups.insert(format!("{:?} {:?} {} {}", g.bridge, g.at, g.vlan, g.group)))
            }
            Change::AddInterface(id, at, bridge, ref interface) => {
                fresh(!self.legs.contains_key(&Plug::Link(id, 0)))?;
                self.add_leg(Plug::Link(id, 1), bridge, bare_leg(interface))?;
                let router = self.routers.get_mut(&at.node).ok_or("unknown")?;
                fresh(router.places.insert(at.leg, (id, (**interface).clone())).is_none())
            }
            Change::AddLink(id, nodes, configs) => {
                for end in 0..2 {
                    let plug = Plug::Link(id, end);
                    self.add_leg(plug, nodes[usize::from(end)], configs[usize::from(end)])?;
                }
                self.check_loops()
            }
            Change::AddPermit(plug, permit) => {
                let permits = &mut self.leg(plug)?.settings.permits;
                fresh(!permits.contains(&permit))?;
                permits.push(permit);
                permits.sort_unstable();
                Ok(())
            }
            Change::AddPort(port, node, config) => self.add_leg(Plug::Port(port), node, config),
            Change::AddRoute(node, to, via, leg) => {
                let router = self.routers.get_mut(&node).ok_or("unknown")?;
                let leg = leg.ok_or("through which interface?")?;
                let (_, interface) = router.places.get(&leg).ok_or("unknown")?;
                known(via.is_none_or(|via| interface.on_link(via)))?;
                let text = format!("{to} {via:?}");
                fresh(router.routes.iter().all(|(other, _)| *other != text))?;
                fresh(router.routes.insert((text, leg)))
            }
            Change::AddRouter(node, settings) => {
                fresh(!self.bridges.contains_key(&node))?;
                let router = MirrorRouter { settings, ..MirrorRouter::default() };
                fresh(self.routers.insert(node, router).is_none())
            }
            Change::AddStation(s) => {
                known(self.legs.get(&s.at).is_some_and(|leg| leg.node == s.bridge))?;
                fresh(self.stations.insert(format!("{:?} {} {:?} {:?}", s.bridge, s.mac, s.vlan, s.at)))
            }
            Change::AddVlan(plug, entry) => {
                let settings = &mut self.leg(plug)?.settings;
                fresh(settings.vlan(entry.vid) != Some(entry))?;
                settings.add_vlan(entry);
                Ok(())
            }
            Change::ConfigureBridge(node, config) => {
                let new = (config.vlan.default_pvid, config.stp.mode != StpMode::Off);
                let (old, _) = self.bridges.insert(node, new).ok_or("unknown")?;
                for leg in self.legs.values_mut().filter(|leg| leg.node == node) {
                    leg.settings.follow_default(old, config.vlan.default_pvid);
                }
                self.check_loops()
            }
            Change::ConfigureInterface(id, ref interface) => {
                let mut places = self.routers.values_mut().flat_map(|router| router.places.values_mut());
                let (_, place) = places.find(|(link, _)| *link == id).ok_or("unknown")?;
                place.clone_from(interface);
                self.leg(Plug::Link(id, 1))?.settings.leg = bare_leg(interface);
                Ok(())
            }
            Change::ConfigureLeg(plug, config) => {
                self.leg(plug)?.settings.leg = config;
                Ok(())
            }
            Change::ConfigureRouter(node, settings) => {
                let router = self.routers.get_mut(&node).ok_or("unknown")?;
                fresh(router.settings != settings)?;
                router.settings = settings;
                Ok(())
            }
            Change::RemoveBridge(node) => {
                known(self.legs.values().all(|leg| leg.node != node))?;
                known(self.bridges.remove(&node).is_some())
            }
            Change::RemoveGroup(g) => {
                known(self.groups.remove(&format!("{:?} {:?} {} {}", g.bridge, g.at, g.vlan, g.group)))
            }
            Change::RemoveLink(id) => {
                match self.legs.contains_key(&Plug::Link(id, 0)) {
                    true => self.remove_leg(Plug::Link(id, 0))?,
                    false => self.remove_place(id)?,
                }
                self.remove_leg(Plug::Link(id, 1))
            }
            Change::RemovePermit(plug, permit) => {
                let permits = &mut self.leg(plug)?.settings.permits;
                known(permits.contains(&permit))?;
                permits.retain(|other| *other != permit);
                Ok(())
            }
            Change::RemoveRoute(node, to, via) => {
                let router = self.routers.get_mut(&node).ok_or("unknown")?;
                let before = router.routes.len();
                router.routes.retain(|(text, _)| *text != format!("{to} {via:?}"));
                known(router.routes.len() < before)
            }
            Change::RemoveRouter(node) => {
                let router = self.routers.remove(&node).ok_or("unknown")?;
                known(router.places.is_empty())
            }
            Change::RemovePort(port) => self.remove_leg(Plug::Port(port)),
            Change::RemoveStation(s) => {
                known(self.stations.remove(&format!("{:?} {} {:?} {:?}", s.bridge, s.mac, s.vlan, s.at)))
            }
            Change::RemoveVlan(plug, vid) => known(self.leg(plug)?.settings.remove_vlan(vid)),
            Change::SetBackup(plug, backup) => {
                known(backup.is_none_or(|backup| self.legs.contains_key(&backup)))?;
                let leg = self.leg(plug)?;
                fresh(leg.backup != backup)?;
                leg.backup = backup;
                Ok(())
            }
            Change::SetPolicy(node, ref policy) => {
                let router = self.routers.get_mut(&node).ok_or("unknown")?;
                let named = policy.rules.iter().flat_map(|rule| [rule.from, rule.to]).flatten();
                for leg in named {
                    known(router.places.contains_key(&leg))?;
                }
                router.policy = (**policy).clone();
                Ok(())
            }
            Change::Flush(..) | Change::SetLinkUp(..) | Change::SetPortUp(..) => {
                Err("no difference of plans")
            }
        }
    }

    fn leg(&mut self, plug: Plug) -> Result<&mut MirrorLeg, &'static str> {
        self.legs.get_mut(&plug).ok_or("unknown")
    }

    fn add_leg(&mut self, plug: Plug, node: NodeId, config: LegConfig) -> Result<(), &'static str> {
        let (pvid, _) = *self.bridges.get(&node).ok_or("unknown")?;
        let leg = MirrorLeg { node, settings: Settings::new(config, pvid), backup: None };
        if self.legs.insert(plug, leg).is_none() { Ok(()) } else { Err("exists") }
    }

    fn remove_leg(&mut self, plug: Plug) -> Result<(), &'static str> {
        self.legs.remove(&plug).ok_or("unknown")?;
        // with the leg goes what names it as its backup; only a leg that goes as well still does
        for other in self.legs.values_mut().filter(|other| other.backup == Some(plug)) {
            other.backup = None;
        }
        let is_named = |text: &String| text.contains(&format!("{plug:?}"));
        let is_named = self.stations.iter().chain(&self.groups).any(is_named);
        if is_named { Err("still named by something") } else { Ok(()) }
    }

    fn remove_place(&mut self, id: LinkId) -> Result<(), &'static str> {
        for router in self.routers.values_mut() {
            let Some((&leg, _)) = router.places.iter().find(|(_, (link, _))| *link == id) else { continue };
            router.places.remove(&leg);
            let is_used = router.routes.iter().any(|(_, through)| *through == leg);
            return if is_used { Err("still used by a route") } else { Ok(()) };
        }
        Err("unknown")
    }

    /// Two links between the same two bridges are a loop, which only trees on both open.
    fn check_loops(&self) -> Result<(), &'static str> {
        let mut pairs = BTreeSet::new();
        for (plug, leg) in &self.legs {
            // wires to routers have a leg at their other end only
            let Plug::Link(id, 0) = *plug else { continue };
            let other = self.legs[&Plug::Link(id, 1)].node;
            let pair = (leg.node.min(other), leg.node.max(other));
            let has_trees = self.bridges[&pair.0].1 && self.bridges[&pair.1].1;
            if !pairs.insert(pair) && !has_trees {
                return Err("a loop");
            }
        }
        Ok(())
    }
}

/// What the fabric makes of the bridge's end of a wire to a router.
fn bare_leg(interface: &Interface) -> LegConfig {
    LegConfig {
        role: Role::Host,
        mac: Some(interface.mac),
        mtu: interface.mtu.into(),
        multicast: MulticastLegConfig { router: RouterMode::Always, ..MulticastLegConfig::default() },
        ..LegConfig::default()
    }
}
