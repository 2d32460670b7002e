//! A hash index over numbered nodes: which of them may have a given hash.
//!
//! Chains instead of open addressing, for three reasons: removing is exact and leaves no marks that would have to be
//! cleaned up at a bad moment; a node that has been found needs no second hash to be removed; and there are buckets,
//! near which to look for a victim when there is no room (L2). Hashes are kept with the nodes, so that walking a chain
//! touches nothing else, and growing asks for none.

/// No node.
const NIL: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    hash: u32,
    prev: u32,
    next: u32,
}

const UNUSED: Node = Node { hash: 0, prev: NIL, next: NIL };

/// The index. Whoever owns it numbers the nodes.
#[derive(Debug)]
pub(super) struct Index {
    heads: Vec<u32>,
    nodes: Vec<Node>,
    /// The first of the nodes that were retired, each of which names the next.
    retired: u32,
}

impl Default for Index {
    fn default() -> Self {
        Self { heads: Vec::new(), nodes: Vec::new(), retired: NIL }
    }
}

impl Index {
    /// Makes room for that many nodes. The only time that memory is taken.
    pub(super) fn grow(&mut self, nodes: usize) {
        if nodes <= self.nodes.len() {
            return;
        }
        let used: usize = self.heads.len();
        self.nodes.reserve_exact(nodes - self.nodes.len());
        self.nodes.resize(nodes, UNUSED);
        let buckets = nodes.next_power_of_two();
        if buckets <= used {
            return;
        }
        // pulls the chains apart in place: a bucket's nodes go to two, by one more bit of their hash
        self.heads.reserve_exact(buckets - used);
        self.heads.resize(buckets, NIL);
        for bucket in 0..used {
            let mut at = std::mem::replace(&mut self.heads[bucket], NIL);
            let mut last = at;
            while at != NIL {
                (last, at) = (at, self.nodes[at as usize].next);
            }
            // from the end, since each goes to the front
            let mut at = last;
            while at != NIL {
                let Node { hash, prev, .. } = self.nodes[at as usize];
                self.link(at, hash);
                at = prev;
            }
        }
    }

    /// How much memory it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.heads.capacity() * size_of::<u32>() + self.nodes.capacity() * size_of::<Node>()
    }

    /// Puts a node that is in no chain in front of others of its hash.
    pub(super) fn insert(&mut self, node: u32, hash: u64) {
        self.link(node, hash as u32);
    }

    /// Takes a node out.
    pub(super) fn remove(&mut self, node: u32) {
        let Node { hash, prev, next } = self.nodes[node as usize];
        match prev {
            NIL => {
                let bucket = self.bucket(hash);
                self.heads[bucket] = next;
            }
            _ => self.nodes[prev as usize].next = next,
        }
        if next != NIL {
            self.nodes[next as usize].prev = prev;
        }
    }

    /// Keeps a node that is in no chain until [`Index::revive`] asks for one: so that its owner needs no list of free places.
    pub(super) fn retire(&mut self, node: u32) {
        self.nodes[node as usize].next = std::mem::replace(&mut self.retired, node);
    }

    /// The node that was retired last.
    pub(super) fn revive(&mut self) -> Option<u32> {
        let node = Some(self.retired).filter(|node| *node != NIL)?;
        self.retired = self.nodes[node as usize].next;
        Some(node)
    }

    /// The latest node that may have each of these hashes, found all at once: the memory for one is fetched while others are
    /// looked for.
    pub(super) fn latest<const MAX: usize>(&self, hashes: &[u64; MAX]) -> [Option<u32>; MAX] {
        if self.heads.is_empty() {
            return [None; MAX];
        }
        let heads = hashes.map(|hash| self.heads[self.bucket(hash as u32)]);
        let mut latest = [None; MAX];
        for ((latest, head), hash) in latest.iter_mut().zip(heads).zip(hashes) {
            *latest = self.walk(head).find(|node| self.nodes[*node as usize].hash == *hash as u32);
        }
        latest
    }

    /// The nodes that may have that hash, the latest first.
    #[inline]
    pub(super) fn chain(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        let hash = hash as u32;
        let head = if self.heads.is_empty() { NIL } else { self.heads[self.bucket(hash)] };
        self.walk(head).filter(move |node| self.nodes[*node as usize].hash == hash)
    }

    /// The nodes in the `nth` bucket after the one of that hash.
    pub(super) fn near(&self, hash: u64, nth: usize) -> impl Iterator<Item = u32> + '_ {
        let head = match self.heads.len() {
            0 => NIL,
            buckets => self.heads[(self.bucket(hash as u32) + nth) % buckets],
        };
        self.walk(head)
    }

    fn walk(&self, head: u32) -> impl Iterator<Item = u32> + '_ {
        let known = |node: u32| Some(node).filter(|node| *node != NIL);
        std::iter::successors(known(head), move |node| known(self.nodes[*node as usize].next))
    }

    fn link(&mut self, node: u32, hash: u32) {
        let bucket = self.bucket(hash);
        let next = std::mem::replace(&mut self.heads[bucket], node);
        if next != NIL {
            self.nodes[next as usize].prev = node;
        }
        self.nodes[node as usize] = Node { hash, prev: NIL, next };
    }

    fn bucket(&self, hash: u32) -> usize {
        hash as usize & (self.heads.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn those_that_retired_last_are_revived_first() {
        let mut index = Index::default();
        index.grow(4);
        assert_eq!(index.revive(), None);
        for node in 0..3 {
            index.insert(node, 1);
            index.remove(node);
            index.retire(node);
        }
        index.grow(100);
        assert_eq!([(); 4].map(|()| index.revive()), [Some(2), Some(1), Some(0), None], "growing keeps them");
    }

    proptest! {
        /// Against the simplest thing that does the same: a list of pairs.
        #[test]
        fn chains_are_what_was_put_in(steps in proptest::collection::vec((any::<bool>(), 0..40_u32, 0..4_u64), 1..200)) {
            let (mut index, mut model) = (Index::default(), Vec::<(u32, u64)>::new());
            for (insert, node, hash) in steps {
                let hash = hash << 1;
                index.grow(node as usize + 1);
                match model.iter().position(|(known, _)| *known == node) {
                    Some(at) if !insert => {
                        model.remove(at);
                        index.remove(node);
                    }
                    None if insert => {
                        model.push((node, hash));
                        index.insert(node, hash);
                    }
                    _ => {}
                }
                for hash in 0..8 {
                    let mut expected: Vec<u32> =
                        model.iter().filter(|(_, known)| *known == hash).map(|(node, _)| *node).collect();
                    expected.reverse();
                    prop_assert_eq!(index.chain(hash).collect::<Vec<_>>(), expected, "the latest first");
                }
                let buckets = index.heads.len();
                prop_assert_eq!((0..buckets).flat_map(|nth| index.near(3, nth)).count(), model.len());
            }
        }
    }
}
