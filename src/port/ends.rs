//! The descriptors of a port, and how they are dealt to threads.
//!
//! A port has one queue that frames are read from, or several. The kernel puts all frames of a flow into the same queue, so
//! queues may be read by different threads and each flow is still in order. Everybody may write: a write is one frame (or, at
//! a packet socket, frames in their order), whatever other threads do at the same time.
//!
//! [`Ends::deal`] gives each of some threads its share: the queues it is to read (perhaps none), and a way to write.
//! [`Ends::join`] is the inverse. Nothing here is shared between threads but the open descriptors themselves.

use std::sync::Arc;

use super::Received;

/// What one thread has of a port.
#[derive(Debug)]
pub(super) struct Ends<T> {
    /// In the order of their numbers.
    queues: Vec<Queue<T>>,
    /// The one to be read next.
    next: usize,
    writer: Arc<T>,
}

#[derive(Debug)]
struct Queue<T> {
    number: usize,
    reader: Arc<T>,
}

impl<T> Ends<T> {
    /// Of a port that reads from one descriptor, and writes to it.
    pub(super) fn one(descriptor: T) -> Self {
        let writer = Arc::new(descriptor);
        Self { queues: vec![Queue { number: 0, reader: Arc::clone(&writer) }], next: 0, writer }
    }

    /// Of a port that reads from some descriptors, and writes to another.
    pub(super) fn several(readers: Vec<T>, writer: T) -> Self {
        let queues = readers.into_iter().enumerate();
        let queues = queues.map(|(number, reader)| Queue { number, reader: Arc::new(reader) });
        Self { queues: queues.collect(), next: 0, writer: Arc::new(writer) }
    }

    /// The shares of `threads` threads (at least one). Queues go round, beginning with that thread, so that not every port's
    /// first queue is the same thread's.
    pub(super) fn deal(self, threads: usize, first: usize) -> Vec<Self> {
        let share = |_| Self { queues: Vec::new(), next: 0, writer: Arc::clone(&self.writer) };
        let mut shares: Vec<Self> = (0..threads.max(1)).map(share).collect();
        for queue in self.queues {
            let turn = (first + queue.number) % shares.len();
            shares[turn].queues.push(queue);
        }
        shares
    }

    /// Takes another thread's share of the same port as well.
    pub(super) fn join(&mut self, other: Self) {
        self.queues.extend(other.queues);
        self.queues.sort_by_key(|queue| queue.number);
        self.next = 0;
    }

    /// Calls `read` with the queues in turn, until one has more than that or all have nothing.
    #[inline]
    pub(super) fn read(&mut self, mut read: impl FnMut(&T) -> Received) -> Received {
        for _ in 0..self.queues.len() {
            if self.next >= self.queues.len() {
                self.next = 0;
            }
            let received = read(&self.queues[self.next].reader);
            self.next += 1;
            if !matches!(received, Received::Drained) {
                return received;
            }
        }
        Received::Drained
    }

    /// What is written to.
    #[inline]
    pub(super) fn writer(&self) -> &T {
        &self.writer
    }

    /// How many queues are read here.
    pub(super) fn queues(&self) -> usize {
        self.queues.len()
    }

    /// Whether the first queue of the port is read here.
    pub(super) fn has_first(&self) -> bool {
        self.queues.first().is_some_and(|queue| queue.number == 0)
    }

    /// What is read.
    pub(super) fn readers(&self) -> impl Iterator<Item = &T> {
        self.queues.iter().map(|queue| &*queue.reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Descriptors that are only numbers.
    fn ends(queues: i32) -> Ends<i32> {
        Ends::several((0..queues).collect(), 100)
    }

    #[test]
    fn queues_are_dealt_in_turn_and_come_back() {
        let table: &[(i32, usize, usize, &[&[i32]], &str)] = &[
            (1, 1, 0, &[&[0]], "the usual port"),
            (4, 1, 7, &[&[0, 1, 2, 3]], "one thread has to do"),
            (2, 2, 0, &[&[0], &[1]], "one each"),
            (2, 2, 3, &[&[1], &[0]], "the other way round"),
            (3, 2, 0, &[&[0, 2], &[1]], "more than threads"),
            (1, 3, 1, &[&[], &[0], &[]], "fewer: the others only write"),
        ];
        for (queues, threads, first, expected, why) in table {
            let mut shares = ends(*queues).deal(*threads, *first);
            let read: Vec<Vec<i32>> = shares.iter().map(|share| share.readers().copied().collect()).collect();
            assert_eq!(read, *expected, "{why}");
            assert!(shares.iter().all(|share| *share.writer() == 100), "{why}: everybody writes");
            assert_eq!(shares.iter().filter(|share| share.has_first()).count(), 1, "{why}");
            let mut whole = shares.pop().expect("there is one at least");
            shares.into_iter().for_each(|share| whole.join(share));
            let all: Vec<i32> = (0..*queues).collect();
            assert_eq!(whole.readers().copied().collect::<Vec<_>>(), all, "{why}: and back");
        }
    }

    #[test]
    fn a_busy_queue_does_not_starve_its_neighbour() {
        let mut ends = ends(3);
        let mut left = [5, 0, 2];
        let mut order = Vec::new();
        let mut read = |ends: &mut Ends<i32>| {
            ends.read(|queue| {
                let left = &mut left[*queue as usize];
                if *left == 0 {
                    return Received::Drained;
                }
                (*left, _) = (*left - 1, order.push(*queue));
                Received::More
            })
        };
        let more = std::iter::from_fn(|| matches!(read(&mut ends), Received::More).then_some(())).count();
        assert_eq!((more, order), (7, vec![0, 2, 0, 2, 0, 0, 0]), "in turn, until all are empty");
    }
}
