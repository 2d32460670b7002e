//! VLANs: who is in which, and what that does to a tag.
//!
//! A frame that enters is put into one VLAN (`classify`): the one its tag names, or the leg's PVID if it has none (B52 to
//! B54). From there on the VLAN is not read off the frame but handed along as [`Inside`]. It decides which entries of
//! the FDB are looked at (B58), which legs the frame may leave through (B55, B59), and there whether it bears a tag
//! ([`exit`]). Tags of the protocol that the bridge does not filter by are payload to it (B57).
//!
//! Members are kept by VLAN, not by leg: a frame looks at one VLAN and many legs, and a flood then reads one set. The
//! table knows nothing of stations; that those of a leg are forgotten when it leaves (B61) is up to its owner.
//!
//! Without filtering (B50) nothing here is asked, but memberships are kept, as the kernel's are.

use super::{VlanConfig, VlanEntry};
use crate::frame::{Edit, Headers, LegIndex, Tag};
use crate::verdict::{LegSet, Reason};

/// The highest VLAN id that can be used; 0 and 4095 are reserved (B56).
pub(super) const VID_MAX: u16 = 4094;

/// The VLAN a frame is in while it is inside the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// The tag it has if it leaves with one.
    pub tag: Tag,
    /// What it came with.
    pub came: Came,
}

/// How a frame came into its VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Its outer tag named the VLAN.
    Tagged,
    /// It had no tag, or one that is payload.
    Untagged,
    /// Its outer tag had a priority but no VLAN (B53).
    WithPriority,
}

/// The memberships of a bridge's legs.
#[derive(Debug, Default)]
pub(super) struct VlanTable {
    /// By VLAN id; as long as the highest in use.
    members: Vec<Option<Box<Members>>>,
    /// By leg; zero is none.
    pvids: Vec<u16>,
}

/// Who is in a VLAN.
#[derive(Clone, Copy, Debug, Default)]
struct Members {
    all: LegSet,
    /// Those that frames leave through without a tag.
    untagged: LegSet,
}

impl VlanTable {
    /// The VLAN of a frame that enters at `leg`, or why it is turned away (B52).
    #[inline]
    pub(super) fn classify(
        &self,
        config: &VlanConfig,
        leg: LegIndex,
        tag: Option<Tag>,
    ) -> Result<Inside, Reason> {
        let tpid = config.protocol.tpid();
        let (tag, came) = match tag.filter(|tag| tag.tpid == tpid) {
            Some(tag) if tag.vid() != 0 => (tag, Came::Tagged),
            found => {
                let pvid = self.pvid(leg);
                if pvid == 0 {
                    return Err(Reason::VlanIngress);
                }
                match found {
                    Some(tag) => (tag.with_vid(pvid), Came::WithPriority),
                    None => (Tag { tpid, tci: pvid }, Came::Untagged),
                }
            }
        };
        if self.contains(tag.vid(), leg) { Ok(Inside { tag, came }) } else { Err(Reason::VlanIngress) }
    }

    /// Whether the leg is in the VLAN.
    #[inline]
    pub(super) fn contains(&self, vid: u16, leg: LegIndex) -> bool {
        self.members(vid).is_some_and(|members| members.all.contains(leg))
    }

    /// What a frame that is `inside` becomes when it leaves through `leg` (B55); it must be a member. `None` if its tags
    /// would be too many.
    pub(super) fn exit(&self, inside: &Inside, leg: LegIndex, edit: Edit) -> Option<Edit> {
        let untagged = self.members(inside.tag.vid()).is_some_and(|members| members.untagged.contains(leg));
        match (inside.came, untagged) {
            (Came::Tagged, false) | (Came::Untagged, true) => Some(edit),
            (Came::Tagged | Came::WithPriority, true) => Some(edit.pop()),
            (Came::Untagged, false) => edit.push(inside.tag),
            (Came::WithPriority, false) => edit.pop().push(inside.tag),
        }
    }

    /// The leg's VLANs, in ascending order.
    pub(super) fn of(&self, leg: LegIndex) -> impl Iterator<Item = VlanEntry> + '_ {
        let pvid = self.pvid(leg);
        (0..).zip(&self.members).filter_map(move |(vid, members)| {
            let members = members.as_ref().filter(|members| members.all.contains(leg))?;
            Some(VlanEntry { vid, pvid: vid == pvid, untagged: members.untagged.contains(leg) })
        })
    }

    /// The leg's entry for that VLAN.
    pub(super) fn entry(&self, leg: LegIndex, vid: u16) -> Option<VlanEntry> {
        let members = self.members(vid).filter(|members| members.all.contains(leg))?;
        Some(VlanEntry { vid, pvid: self.pvid(leg) == vid, untagged: members.untagged.contains(leg) })
    }

    /// Puts the leg into the VLAN, or changes how it is in it. Another PVID takes the place of the one before (B54).
    pub(super) fn add(&mut self, leg: LegIndex, entry: VlanEntry) {
        let index = usize::from(entry.vid);
        if self.members.len() <= index {
            self.members.resize_with(index + 1, || None);
        }
        let members = self.members[index].get_or_insert_default();
        members.all.insert(leg);
        members.untagged.remove(leg);
        if entry.untagged {
            members.untagged.insert(leg);
        }
        if self.pvids.len() <= usize::from(leg.0) {
            self.pvids.resize(usize::from(leg.0) + 1, 0);
        }
        let pvid = &mut self.pvids[usize::from(leg.0)];
        match entry.pvid {
            true => *pvid = entry.vid,
            false if *pvid == entry.vid => *pvid = 0,
            false => {}
        }
    }

    /// Takes the leg out of the VLAN; says whether it was in it. Without its PVID it takes no frame without a tag (B54).
    pub(super) fn remove(&mut self, leg: LegIndex, vid: u16) -> bool {
        let Some(place) = self.members.get_mut(usize::from(vid)) else { return false };
        let Some(members) = place.as_mut().filter(|members| members.all.contains(leg)) else { return false };
        members.all.remove(leg);
        members.untagged.remove(leg);
        if members.all.is_empty() {
            *place = None;
        }
        if self.pvid(leg) == vid {
            self.pvids[usize::from(leg.0)] = 0;
        }
        true
    }

    #[inline]
    fn members(&self, vid: u16) -> Option<&Members> {
        self.members.get(usize::from(vid))?.as_deref()
    }

    #[inline]
    fn pvid(&self, leg: LegIndex) -> u16 {
        self.pvids.get(usize::from(leg.0)).copied().unwrap_or_default()
    }
}

/// Bytes that an MTU limits (B47): all behind the Ethernet header, without the tag that names the VLAN.
#[inline]
pub(super) fn payload_len(inside: Option<&Inside>, h: &Headers) -> usize {
    match inside {
        Some(Inside { came: Came::Untagged, .. }) => h.len - 14,
        _ => h.payload_len(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::VlanProtocol;
    use super::*;

    const LEG: LegIndex = LegIndex(3);
    const OTHER: LegIndex = LegIndex(70);

    fn entry(vid: u16, pvid: bool, untagged: bool) -> VlanEntry {
        VlanEntry { vid, pvid, untagged }
    }

    fn tag(tpid: u16, tci: u16) -> Option<Tag> {
        Some(Tag { tpid, tci })
    }

    /// [`LEG`] in 10 (its PVID, untagged) and 20 (tagged), [`OTHER`] in 20 (untagged, not its PVID).
    fn table() -> VlanTable {
        let mut table = VlanTable::default();
        table.add(LEG, entry(10, true, true));
        table.add(LEG, entry(20, false, false));
        table.add(OTHER, entry(20, false, true));
        table
    }

    #[test]
    fn a_frame_is_put_into_its_vlan() {
        use Came::*;
        let q = VlanConfig { filtering: true, ..VlanConfig::default() };
        let ad = VlanConfig { protocol: VlanProtocol::Dot1ad, ..q };
        let refused = Err(Reason::VlanIngress);
        let into = |tpid, tci, came| Ok(Inside { tag: Tag { tpid, tci }, came });
        let table: &[(VlanConfig, LegIndex, Option<Tag>, Result<Inside, Reason>, &str)] = &[
            (q, LEG, None, into(0x8100, 10, Untagged), "B52: no tag, the PVID"),
            (q, OTHER, None, refused, "B52: no tag and no PVID"),
            (q, LEG, tag(0x8100, 20), into(0x8100, 20, Tagged), "B52: a member"),
            (q, LEG, tag(0x8100, 0x7014), into(0x8100, 0x7014, Tagged), "the priority stays"),
            (q, LEG, tag(0x8100, 30), refused, "B52: not a member"),
            (q, LEG, tag(0x8100, 10), into(0x8100, 10, Tagged), "B54: the PVID's own tag is welcome"),
            (q, LEG, tag(0x8100, 0xe000), into(0x8100, 0xe00a, WithPriority), "B53: a priority, the PVID"),
            (q, OTHER, tag(0x8100, 0xe000), refused, "B53: a priority, but no PVID"),
            (q, LEG, tag(0x8100, 4095), refused, "B56: nobody can be a member"),
            (q, LEG, tag(0x88a8, 20), into(0x8100, 10, Untagged), "B57: another protocol's tag is payload"),
            (ad, LEG, tag(0x8100, 20), into(0x88a8, 10, Untagged), "B57: a C-tag on a provider bridge"),
            (ad, LEG, tag(0x88a8, 20), into(0x88a8, 20, Tagged), "802.1ad"),
        ];
        for (config, leg, tag, expected, why) in table {
            assert_eq!(self::table().classify(config, *leg, *tag), *expected, "{why}");
        }
    }

    #[test]
    fn a_frame_leaves_with_the_tag_its_leg_wants() {
        let table = table();
        let [old, new] = [0x0014, 0x2014].map(|tci| Tag { tpid: 0x8100, tci });
        let (pushed, popped) = (Edit::NONE.push(new).expect("room"), Edit::NONE.pop());
        let expected: &[(Came, Edit, Edit, &str)] = &[
            (Came::Tagged, Edit::NONE, popped, "B55: its tag stays, or is stripped"),
            (Came::Untagged, pushed, Edit::NONE, "B55: it gets one, or stays without"),
            (Came::WithPriority, popped.push(new).expect("room"), popped, "B53: the id is filled in"),
        ];
        for (came, tagged, untagged, why) in expected {
            let inside = Inside { tag: new, came: *came };
            assert_eq!(table.exit(&inside, LEG, Edit::NONE), Some(*tagged), "{why}");
            assert_eq!(table.exit(&inside, OTHER, Edit::NONE), Some(*untagged), "{why}");
        }
        let full = Edit::NONE.push(old).and_then(|edit| edit.push(old)).expect("room for two");
        assert_eq!(table.exit(&Inside { tag: new, came: Came::Untagged }, LEG, full), None, "a third tag");
    }

    #[test]
    fn memberships_are_what_was_asked_for() {
        let mut table = table();
        let of = |table: &VlanTable, leg| table.of(leg).collect::<Vec<_>>();
        assert_eq!(of(&table, LEG), [entry(10, true, true), entry(20, false, false)]);
        table.add(LEG, entry(20, true, false));
        assert_eq!(
            of(&table, LEG),
            [entry(10, false, true), entry(20, true, false)],
            "B54: one PVID, it moves"
        );
        table.add(LEG, entry(20, false, true));
        assert_eq!(
            of(&table, LEG),
            [entry(10, false, true), entry(20, false, true)],
            "B54: and it can be given up"
        );
        assert!(table.remove(LEG, 20) && !table.remove(LEG, 20) && !table.remove(LEG, 4094));
        assert_eq!(of(&table, OTHER), [entry(20, false, true)], "others stay");
        assert!(table.remove(OTHER, 20));
        assert!(table.members[20].is_none(), "an empty VLAN costs nothing");
    }
}
