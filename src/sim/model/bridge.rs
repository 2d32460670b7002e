//! One bridge: what it lets in, what it remembers, and where it sends.

use std::collections::BTreeSet;

use super::frame::Packet;
use crate::bridge::{
    BridgeConfig, LegConfig, Promiscuous, Role, StationKind, VlanConfig, VlanEntry, VlanProtocol,
};
use crate::frame::{NodeId, Plug};
use crate::time::Time;
use crate::verdict::Reason;
use crate::wire::mac::Mac;

#[derive(Clone, Debug)]
pub(super) struct Bridge {
    pub(super) id: NodeId,
    pub(super) config: BridgeConfig,
    pub(super) legs: Vec<Leg>,
    pub(super) stations: Vec<Entry>,
}

#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) behind: Plug,
    pub(super) config: LegConfig,
    pub(super) up: bool,
    pub(super) vlans: Vec<VlanEntry>,
    pub(super) backup: Option<Plug>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) vid: u16,
    pub(super) mac: Mac,
    pub(super) behind: Plug,
    pub(super) kind: StationKind,
    pub(super) seen: Time,
}

/// What one bridge says.
#[derive(Default)]
pub(super) struct Answer {
    /// The legs it leaves through, and what it is then.
    pub(super) copies: Vec<(Plug, Packet)>,
    /// The legs that watch.
    pub(super) watchers: Vec<Plug>,
    pub(super) flood: bool,
    pub(super) reasons: BTreeSet<Reason>,
}

impl Answer {
    fn drop(reason: Reason) -> Self {
        Self { reasons: [reason].into(), ..Self::default() }
    }
}

impl Entry {
    pub(super) fn ages(&self) -> bool {
        matches!(self.kind, StationKind::Learned | StationKind::Locked)
    }
}

impl Bridge {
    pub(super) fn leg(&self, behind: Plug) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.behind == behind)
    }

    pub(super) fn find(&self, vid: u16, mac: Mac) -> Option<&Entry> {
        self.stations.iter().find(|entry| (entry.vid, entry.mac) == (vid, mac))
    }

    /// What becomes of a frame that comes in there.
    pub(super) fn forward(&mut self, from: Plug, packet: &Packet, now: Time) -> Answer {
        let ingress = self.leg(from).expect("a walk follows wires").clone();
        let mut answer = self.judge(&ingress, packet, now);
        let watches = |leg: &&Leg| {
            let gets_it = answer.copies.iter().any(|(to, _)| *to == leg.behind);
            ingress.up && leg.up && leg.behind != from && !gets_it
        };
        let monitors = self.legs.iter().filter(|leg| leg.config.promiscuous == Promiscuous::Monitor);
        answer.watchers = monitors.filter(watches).map(|leg| leg.behind).collect();
        answer
    }

    fn judge(&mut self, ingress: &Leg, packet: &Packet, now: Time) -> Answer {
        let (src, dst) = (packet.src(), packet.dst());
        if !ingress.up {
            return Answer::drop(Reason::IngressDown);
        }
        let host = ingress.config.role == Role::Host;
        let vid = self.classify(ingress, packet);
        // B41: br_dev_xmit asks nothing of the host's frames but their VLAN
        if host {
            return vid.map_or_else(Answer::drop, |vid| self.deliver(ingress, vid, packet));
        }
        if !src.is_station() {
            return Answer::drop(Reason::SourceInvalid);
        }
        if let Some(n) = dst.link_local()
            && !self.passes(ingress, n)
        {
            // B22, B35
            if n != 1
                && !self.config.no_linklocal_learn
                && let Ok(vid) = vid
                && self.has_room_for(ingress, vid, src)
            {
                self.learn(ingress, vid, src, now);
            }
            return Answer::drop(Reason::LinkLocal);
        }
        let vid = match vid {
            Ok(vid) => vid,
            Err(reason) => return Answer::drop(reason),
        };
        if ingress.config.locked && !self.unlock(ingress, vid, src, now) {
            return Answer::drop(Reason::Locked);
        }
        if !self.has_room_for(ingress, vid, src) {
            return Answer::drop(Reason::MacLimit);
        }
        self.learn(ingress, vid, src, now);
        self.deliver(ingress, vid, packet)
    }

    /// Whether 01-80-C2-00-00-0n is a group like any other: B34, B35, B37, B39, and what the wire is transparent to.
    fn passes(&self, ingress: &Leg, n: u8) -> bool {
        let bit = |mask: u16| mask >> n & 1 == 1;
        let provider = VlanConfig { filtering: true, protocol: VlanProtocol::Dot1ad, ..self.config.vlan };
        let customers = self.config.vlan == provider && [0x0, 0xb, 0xc, 0xd, 0xf].contains(&n);
        let asked = bit(self.config.group_fwd_mask) || bit(ingress.config.group_fwd_mask);
        n == 0 || bit(self.config.transparent_mask) || (n != 1 && (asked || customers))
    }

    /// Whether a locked leg lets the source in; with MAB it takes note of those that it does not (B21).
    fn unlock(&mut self, ingress: &Leg, vid: u16, src: Mac, now: Time) -> bool {
        let from = ingress.behind;
        let notes = ingress.config.mab && !self.config.ageing.is_zero();
        let room = self.learned() < self.config.fdb_max as usize && self.has_room_for(ingress, vid, src);
        let found = self.stations.iter_mut().find(|entry| (entry.vid, entry.mac) == (vid, src));
        match found {
            Some(Entry { behind, kind, .. }) if *behind != from || *kind == StationKind::Local => false,
            Some(entry) if entry.kind == StationKind::Locked => {
                if notes {
                    entry.seen = now;
                }
                false
            }
            Some(_) => true,
            None => {
                if notes && room {
                    let kind = StationKind::Locked;
                    self.stations.push(Entry { vid, mac: src, behind: from, kind, seen: now });
                }
                false
            }
        }
    }

    fn learned(&self) -> usize {
        self.stations.iter().filter(|entry| entry.ages()).count()
    }

    /// Whether the leg's own limit leaves room for that source: those that are here, or will not be learned, need none.
    fn has_room_for(&self, ingress: &Leg, vid: u16, src: Mac) -> bool {
        let here = self.stations.iter().filter(|entry| entry.ages() && entry.behind == ingress.behind);
        let limit = ingress.config.mac_limit as usize;
        let another = match self.find(vid, src) {
            Some(Entry { kind: StationKind::Local | StationKind::Sticky, .. }) => false,
            Some(entry) => entry.behind != ingress.behind,
            None => self.learned() < self.config.fdb_max as usize,
        };
        limit == 0 || !another || here.count() < limit
    }

    fn learn(&mut self, ingress: &Leg, vid: u16, mac: Mac, now: Time) {
        // B14: an ageing time of zero remembers nobody, and moves nobody
        if self.config.ageing.is_zero() || !ingress.config.learning {
            return;
        }
        let full = self.learned() >= self.config.fdb_max as usize;
        let behind = ingress.behind;
        match self.stations.iter_mut().find(|entry| (entry.vid, entry.mac) == (vid, mac)) {
            Some(entry) => match entry.kind {
                StationKind::Local => {}
                StationKind::Sticky => entry.seen = now,
                StationKind::Learned | StationKind::Locked | StationKind::Static => {
                    // B21: released by being seen elsewhere
                    if entry.behind != behind && entry.kind == StationKind::Locked {
                        entry.kind = StationKind::Learned;
                    }
                    (entry.behind, entry.seen) = (behind, now);
                }
            },
            None if full => {}
            None => self.stations.push(Entry { vid, mac, behind, kind: StationKind::Learned, seen: now }),
        }
    }

    fn deliver(&self, ingress: &Leg, vid: u16, packet: &Packet) -> Answer {
        let dst = packet.dst();
        let mut answer = Answer::default();
        if !dst.is_group()
            && let Some(entry) = self.find(vid, dst)
        {
            let mut egress = self.leg(entry.behind).expect("an entry goes with its leg");
            // B30
            if let Some(backup) = egress.backup.filter(|_| !egress.up && entry.kind != StationKind::Local) {
                egress = self.leg(backup).expect("a backup that goes is one no longer");
            }
            self.copy(ingress, egress, vid, packet, &mut answer);
            return answer;
        }
        answer.flood = true;
        for egress in &self.legs {
            self.copy(ingress, egress, vid, packet, &mut answer);
        }
        // whether a dead or a silent port counts as one at all is a matter of words
        if answer.copies.is_empty() {
            answer.reasons.insert(Reason::NoPort);
        }
        answer
    }

    /// One copy out of one leg, or why not.
    fn copy(&self, ingress: &Leg, egress: &Leg, vid: u16, packet: &Packet, answer: &mut Answer) {
        let reasons = self.forbidden(ingress, egress, vid, packet, answer.flood);
        if !reasons.is_empty() {
            // where it came from was never meant, unless it is a hairpin
            if !answer.flood || !reasons.contains(&Reason::SamePort) {
                answer.reasons.extend(reasons);
            }
            return;
        }
        match self.egress(egress, vid, packet.clone()) {
            Ok(packet) => answer.copies.push((egress.behind, packet)),
            Err(reason) => {
                answer.reasons.insert(reason);
            }
        }
    }

    /// All the reasons why the packet, which came from `ingress`, may not leave through `egress`.
    fn forbidden(
        &self,
        ingress: &Leg,
        egress: &Leg,
        vid: u16,
        packet: &Packet,
        flood: bool,
    ) -> BTreeSet<Reason> {
        let (from, to, dst) = (&ingress.config, &egress.config, packet.dst());
        let from_host = from.role == Role::Host;
        let to_host = to.role == Role::Host;
        let back = ingress.behind == egress.behind;
        let mut reasons = BTreeSet::new();
        let mut forbid = |when: bool, reason| {
            if when {
                reasons.insert(reason);
            }
        };
        forbid(back && (from_host || !to.hairpin), Reason::SamePort);
        forbid(!egress.up, Reason::EgressDown);
        // B55, B59, B60
        forbid(self.config.vlan.filtering && egress.vlan(vid).is_none(), Reason::VlanEgress);
        forbid(from.isolated && to.isolated && !from_host && !to_host, Reason::Isolated);
        forbid(!self.config.icc && packet.is_conversation() && !from_host && !to_host, Reason::Icc);
        let too_long = self.limited_len(packet) > to.mtu.saturating_add(4) as usize;
        forbid(too_long && !to_host, Reason::MtuExceeded);
        if flood && !dst.is_group() {
            // B23: the host is not asked for unknown stations
            forbid(to_host || !to.flood, Reason::UnicastFloodOff);
        } else if flood && !to_host && !from_host {
            // B26: not for the host's frames
            forbid(dst.is_broadcast() && !to.bcast_flood, Reason::BroadcastFloodOff);
            forbid(!dst.is_broadcast() && !to.mcast_flood, Reason::MulticastFloodOff);
        }
        let foreign = !dst.is_group() && to.mac != Some(dst);
        forbid(to.promiscuous == Promiscuous::Deny && foreign && !to_host, Reason::Promiscuous);
        reasons
    }
}
