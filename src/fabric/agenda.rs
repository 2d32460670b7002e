//! When each device has something to do, so that asking for all of them costs what has changed.
//!
//! The engine asks before each sleep; with hundreds of networks it would ask hundreds of devices that nobody has spoken to
//! since. So what each has said is kept, in a tree whose root is the earliest (a device is a leaf, and every other place is the
//! earlier of the two below it), and who has met a frame or a change since then is on a list. Only those are asked again.

use crate::frame::NodeId;
use crate::time::Time;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// The root is at 1, what is below place n is at 2n and 2n + 1, and the leaves are the second half.
    times: Vec<Time>,
    /// Whose time may be another.
    touched: Vec<NodeId>,
    /// By [`NodeId`]: who is on that list.
    listed: Vec<bool>,
    /// Nothing of all that is worth anything: the graph has changed.
    stale: bool,
}

impl Agenda {
    /// The device has met a frame, or was ticked.
    #[inline]
    pub(super) fn touch(&mut self, node: NodeId) {
        if let Some(listed) = self.listed.get_mut(usize::from(node.0))
            && !*listed
        {
            *listed = true;
            self.touched.push(node);
        }
    }

    /// Any device may have changed, come or gone.
    pub(super) fn touch_all(&mut self) {
        self.stale = true;
    }

    /// The earliest of all; of `nodes` devices, `when` says when each has something to do.
    pub(super) fn earliest(&mut self, nodes: usize, when: impl Fn(NodeId) -> Time) -> Time {
        if self.stale || self.listed.len() != nodes {
            self.rebuild(nodes, &when);
        }
        while let Some(node) = self.touched.pop() {
            self.listed[usize::from(node.0)] = false;
            self.set(node, when(node));
        }
        self.times.get(1).copied().unwrap_or(Time::NEVER)
    }

    fn set(&mut self, node: NodeId, time: Time) {
        let mut place = self.times.len() / 2 + usize::from(node.0);
        self.times[place] = time;
        while place > 1 {
            let earlier = self.times[place].min(self.times[place ^ 1]);
            place /= 2;
            if std::mem::replace(&mut self.times[place], earlier) == earlier {
                return;
            }
        }
    }

    #[cold]
    fn rebuild(&mut self, nodes: usize, when: impl Fn(NodeId) -> Time) {
        self.stale = false;
        self.touched.clear();
        self.touched.reserve(nodes);
        self.listed.clear();
        self.listed.resize(nodes, false);
        let leaves = nodes.next_power_of_two();
        self.times.clear();
        self.times.resize(2 * leaves, Time::NEVER);
        for (node, leaf) in (0..).map(NodeId).zip(&mut self.times[leaves..][..nodes]) {
            *leaf = when(node);
        }
        for place in (1..leaves).rev() {
            self.times[place] = self.times[2 * place].min(self.times[2 * place + 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against asking everybody.
        #[test]
        fn the_earliest_of_all(
            nodes in 0..20_usize,
            steps in proptest::collection::vec((any::<u16>(), 0..50_u64, any::<bool>()), 1..100),
        ) {
            let (mut agenda, mut times) = (Agenda::default(), vec![Time::NEVER; nodes]);
            for (node, time, asks) in steps {
                if nodes > 0 {
                    let node = usize::from(node) % nodes;
                    times[node] = if time == 0 { Time::NEVER } else { Time::from_secs(time) };
                    agenda.touch(NodeId(node as u16));
                }
                if asks {
                    let earliest = times.iter().copied().min().unwrap_or(Time::NEVER);
                    prop_assert_eq!(agenda.earliest(nodes, |node| times[usize::from(node.0)]), earliest);
                }
            }
        }
    }

    #[test]
    fn only_who_was_touched_is_asked() {
        let (mut agenda, asked) = (Agenda::default(), Cell::new(0));
        let when = |node: NodeId| {
            asked.set(asked.get() + 1);
            Time::from_secs(10 + u64::from(node.0))
        };
        assert_eq!((agenda.earliest(1000, when), asked.take()), (Time::from_secs(10), 1000), "all at first");
        assert_eq!(
            (agenda.earliest(1000, when), asked.take()),
            (Time::from_secs(10), 0),
            "nothing has changed"
        );
        [7, 9, 7].into_iter().for_each(|node| agenda.touch(NodeId(node)));
        assert_eq!((agenda.earliest(1000, when), asked.take()), (Time::from_secs(10), 2), "each once");
        agenda.touch_all();
        assert_eq!((agenda.earliest(1000, when), asked.take()), (Time::from_secs(10), 1000));
        assert_eq!(
            (agenda.earliest(2000, when), asked.take()),
            (Time::from_secs(10), 2000),
            "there are more now"
        );
    }
}
