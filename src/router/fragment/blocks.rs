//! Room for the bytes of pieces: blocks of one size, in chains.
//!
//! A block is made when first needed and lent again ever after. How many may be in use is the business of whoever owns the
//! chains.

/// Bytes of a block.
pub(super) const BLOCK: usize = 2048;
/// No block: the end of a chain.
pub(super) const NIL: u32 = u32::MAX;

/// A block, as long as it is in a chain.
#[derive(Debug)]
pub(super) struct Block {
    /// The next one of its chain.
    pub(super) next: u32,
    /// Where its bytes belong.
    pub(super) offset: usize,
    len: usize,
    bytes: Box<[u8; BLOCK]>,
}

impl Block {
    /// The bytes in it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
    free: u32,
}

impl Default for Blocks {
    fn default() -> Self {
        Self { blocks: Vec::new(), free: NIL }
    }
}

impl Blocks {
    /// A block with these bytes, no more than [`BLOCK`], that `next` follows.
    pub(super) fn lend(&mut self, bytes: &[u8], offset: usize, next: u32) -> u32 {
        let at = match self.free {
            NIL => {
                self.blocks.push(Block { next: NIL, offset: 0, len: 0, bytes: Box::new([0; BLOCK]) });
                (self.blocks.len() - 1) as u32
            }
            at => {
                self.free = self.blocks[at as usize].next;
                at
            }
        };
        let block = &mut self.blocks[at as usize];
        (block.next, block.offset, block.len) = (next, offset, bytes.len());
        block.bytes[..bytes.len()].copy_from_slice(bytes);
        at
    }

    /// Takes a chain of blocks back.
    pub(super) fn take_back(&mut self, chain: u32) {
        let mut at = chain;
        while at != NIL {
            let next = std::mem::replace(&mut self.blocks[at as usize].next, self.free);
            self.free = at;
            at = next;
        }
    }

    /// What follows that block from now on.
    pub(super) fn follow(&mut self, block: u32, next: u32) {
        self.blocks[block as usize].next = next;
    }

    /// The blocks of a chain, each with its number.
    pub(super) fn chain(&self, first: u32) -> impl Iterator<Item = (u32, &Block)> {
        let block = |at: u32| Some((at, self.blocks.get(at as usize)?));
        std::iter::successors(block(first), move |(_, last)| block(last.next))
    }

    /// The block.
    pub(super) fn get(&self, at: u32) -> Option<&Block> {
        self.blocks.get(at as usize)
    }
}
