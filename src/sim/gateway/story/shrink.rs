//! Taking away from a story what does not matter.

use super::{Act, Say, Spoil, Story, place};

/// How many times a story is tried at most.
const TRIES: usize = 4000;

impl Story {
    /// A shorter and plainer story that `fails` as well.
    #[must_use]
    pub fn shrink(mut self, mut fails: impl FnMut(&Self) -> bool) -> Self {
        let mut tries = 0;
        let mut fails = |story: &Self| {
            tries += 1;
            tries < TRIES && fails(story)
        };
        loop {
            let before = self.clone();
            let mut piece = self.acts.len().div_ceil(2);
            while piece > 0 {
                let mut at = 0;
                while at < self.acts.len() {
                    let mut shorter = self.clone();
                    shorter.acts.drain(at..(at + piece).min(self.acts.len()));
                    if fails(&shorter) { self = shorter } else { at += piece }
                }
                piece /= 2;
            }
            for plain in PLAINER {
                let mut plainer = self.clone();
                plain(&mut plainer);
                if plainer != self && fails(&plainer) {
                    self = plainer;
                }
            }
            for list in LISTS {
                let mut at = 0;
                while at < list(&mut self.clone(), None) {
                    let mut shorter = self.clone();
                    list(&mut shorter, Some(at));
                    if fails(&shorter) { self = shorter } else { at += 1 }
                }
            }
            for at in 0..self.acts.len() {
                for plain in PLAINER_ACTS {
                    let mut plainer = self.clone();
                    plain(&mut plainer.acts[at]);
                    if plainer != self && fails(&plainer) {
                        self = plainer;
                    }
                }
            }
            if self == before {
                return self;
            }
        }
    }
}

/// Settings back to what is usual.
const PLAINER: [fn(&mut Story); 8] = [
    |s| s.setting.legs[0] = place::leg(0),
    |s| s.setting.legs[1] = place::leg(1),
    |s| s.setting.legs[2] = place::leg(2),
    |s| s.setting.sessions_max = 1000,
    |s| s.setting.loose = true,
    |s| s.setting.liberal = false,
    |s| s.setting.config.ports = None,
    |s| s.setting.config.invalid = Default::default(),
];

/// Lists whose parts may matter or not: takes one out, and says how long it was.
const LISTS: [fn(&mut Story, Option<usize>) -> usize; 2] = [
    |s, at| {
        let len = s.setting.config.publishes.len();
        at.map(|at| s.setting.config.publishes.remove(at));
        len
    },
    |s, at| {
        let len = s.setting.config.rules.len();
        at.map(|at| s.setting.config.rules.remove(at));
        len
    },
];

/// Ways to make what is said plainer.
const PLAINER_ACTS: [fn(&mut Act); 8] = [
    |act| on_spoil(act, |spoil| *spoil = Spoil::default()),
    |act| on_spoil(act, |spoil| spoil.ttl = 64),
    |act| on_spoil(act, |spoil| spoil.pieces = None),
    |act| on_spoil(act, |spoil| spoil.from = None),
    |act| on_spoil(act, |spoil| (spoil.byte, spoil.sum) = (None, false)),
    |act| {
        if let Act::Say(_, _, Say::Tcp(segment), _) = act {
            segment.options.clear();
        }
    },
    |act| {
        if let Act::Say(_, _, Say::Data(len), _) = act {
            *len = 0;
        }
    },
    |act| {
        if let Act::Wait(_, swept) = act {
            *swept = true;
        }
    },
];

fn on_spoil(act: &mut Act, plain: impl Fn(&mut Spoil)) {
    if let Act::Say(_, _, _, spoil) = act {
        plain(spoil);
    }
}
