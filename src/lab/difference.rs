//! What a reload has to do: the steps to take back and the steps to take, and not one more.
//!
//! A step that both lists have stays, unless something it stands on goes: then it goes first and comes again. So the
//! laws are (and the tests below check them on random lists):
//! - what is undone was done, what is done was not or is no longer;
//! - done − undone + redone is exactly the new list;
//! - nothing is undone while something that needs it stands, nothing is done before what it needs;
//! - from a list to itself there is nothing to do.

use std::collections::HashSet;

use super::step::Step;

/// What leads from one list of steps to another.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// To take back, in this order.
    pub undo: Vec<Step>,
    /// To take then, in this order.
    pub redo: Vec<Step>,
}

/// What leads from `old` to `new`. Both must list a step after those it needs.
pub fn difference(old: &[Step], new: &[Step]) -> Difference {
    let wanted: HashSet<&Step> = new.iter().collect();
    let mut gone: Vec<&Step> = Vec::new();
    for step in old {
        if !wanted.contains(step) || gone.iter().any(|g| step.needs(g)) {
            gone.push(step);
        }
    }
    let lost: HashSet<&Step> = gone.iter().copied().collect();
    let kept: HashSet<&Step> = old.iter().filter(|s| !lost.contains(s)).collect();
    Difference {
        undo: gone.into_iter().rev().cloned().collect(),
        redo: new.iter().filter(|s| !kept.contains(s)).cloned().collect(),
    }
}

/// Those of `undo` that really have to be taken back one by one: the others vanish together with what they stand on.
pub fn essential(undo: &[Step]) -> impl Iterator<Item = &Step> {
    // only what makes something can take something else along
    let makers: Vec<&Step> = undo
        .iter()
        .filter(|s| {
            matches!(
                s,
                Step::MakeBridge { .. }
                    | Step::MakeCable { .. }
                    | Step::MakeNamespace { .. }
                    | Step::OpenPort { .. }
            )
        })
        .collect();
    undo.iter().filter(move |step| !makers.iter().any(|maker| step.goes_with(maker)))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use ipnet::IpNet;
    use proptest::prelude::*;

    use std::num::NonZero;

    use super::*;
    use crate::control::plan::Netns;
    use crate::lab::step::Location;
    use crate::port::PortKind;

    proptest! {
        #[test]
        fn the_laws_hold(old in labs(), new in labs()) {
            let Difference { undo, redo } = difference(&old, &new);
            let mut standing = old.clone();
            for step in &undo {
                let at = standing.iter().position(|s| s == step);
                prop_assert!(at.is_some(), "undone but not standing: {step:?}");
                standing.remove(at.expect("just checked"));
                prop_assert!(!standing.iter().any(|s| s.needs(step)), "undone under another's feet: {step:?}");
            }
            for step in &redo {
                prop_assert!(!standing.contains(step), "done twice: {step:?}");
                let missing = new.iter().find(|n| step.needs(n) && !standing.contains(n));
                prop_assert!(missing.is_none(), "{step:?} before {missing:?}");
                standing.push(step.clone());
            }
            let (have, want): (HashSet<_>, HashSet<_>) = (standing.iter().collect(), new.iter().collect());
            prop_assert_eq!(have, want);
        }

        #[test]
        fn nothing_changes_nothing(lab in labs()) {
            prop_assert_eq!(difference(&lab, &lab), Difference::default());
        }

        #[test]
        fn what_is_left_out_goes_with_something(lab in labs()) {
            let undo: Vec<Step> = lab.into_iter().rev().collect();
            let kept: Vec<&Step> = essential(&undo).collect();
            for step in &undo {
                let covered = undo.iter().any(|other| step.goes_with(other));
                prop_assert_eq!(kept.contains(&step), !covered, "{:?}", step);
            }
        }
    }

    /// Lists in the order of `steps`, with parts left out and settings that vary.
    fn labs() -> impl Strategy<Value = Vec<Step>> {
        let node = (any::<bool>(), 0..2_u8, any::<bool>(), any::<bool>(), 0..3_u8);
        prop::collection::vec(node, 1..4).prop_map(|nodes| {
            let mut steps = Vec::new();
            let present = || nodes.iter().enumerate().filter(|(_, n)| n.0);
            for (i, (_, setup, ..)) in present() {
                let setup = (0..*setup).map(|n| format!("true {n}")).collect();
                steps.push(Step::MakeNamespace { node: format!("n{i}"), setup });
            }
            for (i, &(_, _, cable, tap, addresses)) in present() {
                let on =
                    |name: &str| Location { netns: Netns::Node(format!("n{i}")), interface: name.to_owned() };
                if cable {
                    let own = Location { netns: Netns::Own, interface: format!("lan{i}") };
                    steps.push(Step::MakeCable { on: on("eth1"), peer: own.interface.clone() });
                    let port = format!("raw{i}");
                    steps.push(Step::OpenPort {
                        on: own,
                        port,
                        kind: PortKind::Raw,
                        queues: NonZero::<usize>::MIN,
                    });
                }
                if tap {
                    let port = format!("n{i}:eth0");
                    steps.push(Step::OpenPort {
                        on: on("eth0"),
                        port,
                        kind: PortKind::Tap,
                        queues: NonZero::<usize>::MIN,
                    });
                    for n in 0..addresses {
                        let address = IpNet::new(IpAddr::from([10, 0, n, 1]), 24).expect("a prefix");
                        steps.push(Step::AddAddress { on: on("eth0"), address });
                    }
                    steps.push(Step::AddRoute { on: on("eth0"), gateway: IpAddr::from([10, 0, 0, 2]) });
                    steps.push(Step::MakeBridge { on: on("br0") });
                    steps.push(Step::Enslave { on: on("eth0"), bridge: "br0".to_owned() });
                }
            }
            steps
        })
    }
}
