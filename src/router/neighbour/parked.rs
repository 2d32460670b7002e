//! Packets that wait until their neighbour is known.
//!
//! A packet is copied as its sender sent it, with what is to be written into it once it may go on: if the neighbour
//! never answers, the error that its sender gets must quote what was sent (N9). Buffers are the router's own, of the size
//! of an Ethernet packet, made when first needed and lent again ever after: [`PARKED_MAX`] of them and no more. Per
//! neighbour [`PER_NEIGHBOUR_MAX`] may wait; one more pushes the oldest out, as in the kernel (`unres_qlen`), because
//! newer packets are of more use to whoever retransmits.

use crate::frame::LegIndex;
use crate::router::rewrite::Rewrite;

/// How many packets wait in one router: 384 KiB at most.
pub const PARKED_MAX: usize = 256;
/// How many wait for one neighbour: all fragments of the largest datagram.
pub const PER_NEIGHBOUR_MAX: usize = 48;
/// Bytes of the longest packet that can wait: what a frame that a device makes can carry.
pub const PACKET_MAX: usize = crate::frame::ORIGINATED_LEN_MAX - 14;

const NIL: u32 = u32::MAX;

/// A packet that waited.
#[derive(Debug, Default)]
pub struct Parked {
    /// As it was sent; its checksums are complete.
    pub packet: Vec<u8>,
    /// What is to be written into it.
    pub rewrite: Rewrite,
    /// Where it came in; `None` if the router made it.
    pub from: Option<LegIndex>,
    next: u32,
}

/// The packets that wait for one neighbour.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    first: u32,
    last: u32,
    /// How many they are.
    pub len: usize,
}

impl Queue {
    /// None.
    pub const EMPTY: Self = Self { first: NIL, last: NIL, len: 0 };
}

/// The room for them.
#[derive(Debug)]
pub struct Pool {
    slots: Vec<Parked>,
    free: u32,
    /// Packets that were pushed out by newer ones, or whose neighbour was forgotten.
    pub discarded: u64,
}

impl Default for Pool {
    fn default() -> Self {
        Self { slots: Vec::new(), free: NIL, discarded: 0 }
    }
}

impl Pool {
    /// Whether another packet would find room in that queue.
    pub fn has_room(&self, queue: &Queue) -> bool {
        self.free != NIL || self.slots.len() < PARKED_MAX || queue.len >= PER_NEIGHBOUR_MAX
    }

    /// Puts a packet at the end; says whether there was room.
    pub fn push(
        &mut self,
        queue: &mut Queue,
        packet: &[u8],
        rewrite: Rewrite,
        from: Option<LegIndex>,
    ) -> bool {
        if queue.len >= PER_NEIGHBOUR_MAX {
            self.discard_first(queue);
        }
        let slot = match self.free {
            NIL if self.slots.len() >= PARKED_MAX => return false,
            NIL => {
                self.slots.push(Parked::default());
                (self.slots.len() - 1) as u32
            }
            slot => {
                self.free = self.slots[slot as usize].next;
                slot
            }
        };
        let parked = &mut self.slots[slot as usize];
        parked.packet.clear();
        // at once what it will ever need
        parked.packet.reserve_exact(PACKET_MAX);
        parked.packet.extend_from_slice(&packet[..packet.len().min(PACKET_MAX)]);
        (parked.rewrite, parked.from, parked.next) = (rewrite, from, NIL);
        match queue.last {
            NIL => queue.first = slot,
            last => self.slots[last as usize].next = slot,
        }
        queue.last = slot;
        queue.len += 1;
        true
    }

    /// Takes the oldest one out; its buffer is to be [given back](Pool::give_back).
    pub fn pop(&mut self, queue: &mut Queue) -> Option<(u32, Parked)> {
        let slot = queue.first;
        let parked = std::mem::take(self.slots.get_mut(slot as usize)?);
        queue.first = parked.next;
        queue.len -= 1;
        if queue.first == NIL {
            *queue = Queue::EMPTY;
        }
        Some((slot, parked))
    }

    /// The buffer can be lent again.
    pub fn give_back(&mut self, slot: u32, parked: Parked) {
        self.slots[slot as usize] = Parked { next: self.free, ..parked };
        self.free = slot;
    }

    /// Throws all of them away.
    pub fn discard(&mut self, queue: &mut Queue) {
        while queue.len > 0 {
            self.discard_first(queue);
        }
    }

    fn discard_first(&mut self, queue: &mut Queue) {
        if let Some((slot, parked)) = self.pop(queue) {
            self.give_back(slot, parked);
            self.discarded += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_and_nothing_grows() {
        let (mut pool, mut queue) = (Pool::default(), Queue::EMPTY);
        for n in 0..100 {
            assert!(pool.push(&mut queue, &[n; 60], Rewrite::NONE, None));
        }
        assert_eq!((queue.len, pool.discarded), (PER_NEIGHBOUR_MAX, 52));
        let (slot, parked) = pool.pop(&mut queue).expect("it waits");
        assert_eq!(parked.packet, [52; 60], "first come, first served");
        pool.give_back(slot, parked);
        let mut others = [Queue::EMPTY; 10];
        let full =
            others.iter_mut().map(|q| (0..40).filter(|_| pool.push(q, &[1], Rewrite::NONE, None)).count());
        assert_eq!(full.sum::<usize>() + queue.len, PARKED_MAX);
        assert!(!pool.has_room(&others[9]), "none is left for those who have none yet");
        pool.discard(&mut queue);
        assert!(pool.has_room(&others[9]) && pool.slots.len() == PARKED_MAX);
    }
}
