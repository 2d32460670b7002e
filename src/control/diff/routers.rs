//! What differs between the routers of two plans, part by part: a changed rule does not disturb a route, nor a changed
//! address a session that has nothing to do with it.

use std::collections::BTreeSet;

use super::{Compared, PlanChange, compare, legs};
use crate::control::plan::{Line, Plan, Policy, Route, Router, RouterInterface};

/// The routers of two plans, compared.
pub(super) struct Routers {
    routers: Compared<Router>,
    places: Compared<(String, RouterInterface)>,
    routes: Compared<(String, Route)>,
}

impl Routers {
    pub(super) fn new(old: &Plan, new: &Plan) -> Self {
        let routers = compare(&old.routers, &new.routers, |router| router.name.clone(), |_, _| true);
        let places = compare(
            &places(old),
            &places(new),
            |(router, place)| (router.clone(), place.name.clone()),
            |(_, a), (_, b)| a.network == b.network,
        );
        let gone: BTreeSet<(&String, &String)> =
            places.gone.iter().map(|(router, place)| (router, &place.name)).collect();
        // an interface that is replaced takes the routes through it along
        let routes = compare(
            &routes(old),
            &routes(new),
            |(router, route)| (router.clone(), route.to),
            |(router, a), (_, b)| {
                (a.via, &a.interface) == (b.via, &b.interface) && !gone.contains(&(router, &a.interface))
            },
        );
        Self { routers, places, routes }
    }

    /// The legs of bridges that go.
    pub(super) fn gone(&self) -> impl Iterator<Item = String> {
        self.places.gone.iter().map(|(_, place)| place.end.name.clone())
    }

    /// What goes: routes, interfaces, routers.
    pub(super) fn removals(&self) -> Vec<PlanChange> {
        let routes = self.routes.gone.iter().rev().cloned();
        let places = self.places.gone.iter().rev().cloned();
        let routers = self.routers.gone.iter().rev().cloned();
        routes
            .map(|(router, route)| PlanChange::RemoveRoute(router, route))
            .chain(places.map(|(router, place)| PlanChange::RemoveInterface(router, place)))
            .chain(routers.map(PlanChange::RemoveRouter))
            .collect()
    }

    /// What only changes its settings.
    pub(super) fn settings(&self) -> Vec<PlanChange> {
        let routers = self.routers.both.iter().filter(|(a, b)| a.settings != b.settings);
        let mut changes: Vec<_> = routers.map(|(_, new)| PlanChange::ConfigureRouter(new.clone())).collect();
        for ((_, old), (router, new)) in &self.places.both {
            let is_other = old.interface != new.interface;
            if is_other {
                changes.push(PlanChange::ConfigureInterface(router.clone(), new.clone()));
            }
            // the fabric sets the leg up anew with the interface
            let had = if is_other { new.bare_leg() } else { old.end.settings.leg };
            if had != new.end.settings.leg {
                changes.push(PlanChange::ConfigureEnd(new.end.clone()));
            }
        }
        changes
    }

    /// The routers that come, without anything.
    pub(super) fn new_routers(&self) -> impl Iterator<Item = PlanChange> {
        self.routers.new.iter().cloned().map(PlanChange::AddRouter)
    }

    /// The interfaces that come, each with what differs from a new leg.
    pub(super) fn new_interfaces(&self, plan: &Plan) -> Vec<PlanChange> {
        let mut changes = Vec::new();
        for (router, place) in &self.places.new {
            changes.push(PlanChange::AddInterface(router.clone(), place.clone()));
            if place.bare_leg() != place.end.settings.leg {
                changes.push(PlanChange::ConfigureEnd(place.end.clone()));
            }
            changes.extend(legs::new_lists(&place.end.name, &place.network, &place.end.settings, plan));
        }
        changes
    }

    /// The routes that come, and the rules that are other than they were.
    pub(super) fn new_ways(&self, new: &Plan) -> Vec<PlanChange> {
        let routes = self.routes.new.iter().cloned();
        let mut changes: Vec<_> = routes.map(|(router, route)| PlanChange::AddRoute(router, route)).collect();
        let none = Policy::default();
        for router in &new.routers {
            let old = self.routers.both.iter().find(|(_, both)| both.name == router.name);
            let before = old.map_or(&none, |(old, _)| &old.policy);
            let is_same = without_lines(before) == without_lines(&router.policy);
            // an interface that is replaced may have another number
            let mut fresh = self.places.new.iter().filter(|(name, _)| *name == router.name);
            if !is_same || fresh.any(|(_, place)| router.policy.names(&place.name)) {
                changes.push(PlanChange::SetPolicy(router.clone()));
            }
        }
        changes
    }
}

fn places(plan: &Plan) -> Vec<(String, RouterInterface)> {
    let of = |router: &Router| {
        let name = router.name.clone();
        router.interfaces.clone().into_iter().map(move |place| (name.clone(), place))
    };
    plan.routers.iter().flat_map(of).collect()
}

fn routes(plan: &Plan) -> Vec<(String, Route)> {
    let of = |router: &Router| {
        let name = router.name.clone();
        router.routes.clone().into_iter().map(move |route| (name.clone(), route))
    };
    plan.routers.iter().flat_map(of).collect()
}

/// Rules that have only moved in the file are the same.
fn without_lines(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    policy.publishes.iter_mut().for_each(|publish| publish.line = Line::default());
    policy.rules.iter_mut().for_each(|rule| rule.line = Line::default());
    policy
}
