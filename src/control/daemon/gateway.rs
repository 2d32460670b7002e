//! What routers are asked: who is there, where packets go, which flows there are.
//!
//! A router's tables can be large, and the engine has better things to do than to read them out. So what the plan knows is
//! taken from the plan, what is left is asked for router by router, and tables that guests fill or the user makes long in
//! pieces; no piece holds the engine up for more than a fraction of a millisecond.

use super::{Instance, views};
use crate::control::plan::Router;
use crate::control::sessions::{SessionPlace, SessionQuery};
use crate::control::view::{ConntrackView, GatewayView, NeighbourView, PublishView, RouteView, RuleView};
use crate::engine::Stopped;
use crate::frame::NodeId;
use crate::router::nat::sessions::Count;
use crate::router::policy::RuleId;

/// How many places of a table the engine looks at in one go.
const PLACES_MAX: usize = 2048;
/// How often it is asked to for one answer.
const PIECES_MAX: usize = 128;

impl Instance {
    /// `show routers`.
    pub(super) fn routers(&self) -> Result<Vec<GatewayView>, Stopped> {
        let each = self.each_router(|router, id| {
            let seen = self.at(&router.name, move |switch| views::Gateway::take(switch, id))?;
            Ok(vec![views::gateway(router, &seen, &self.registry)])
        })?;
        Ok(each.concat())
    }

    /// `show routes`.
    pub(super) fn routes(&self) -> Result<Vec<RouteView>, Stopped> {
        let each = self.each_router(|router, id| {
            let routes = self.at(&router.name, move |switch| views::list_routes(switch, id))?;
            Ok(views::routes(&router.name, &routes, &self.registry))
        })?;
        Ok(each.concat())
    }

    /// `show neighbors`.
    pub(super) fn neighbours(&self) -> Result<Vec<NeighbourView>, Stopped> {
        let each = self.each_router(|router, id| {
            let neighbours = self.at(&router.name, move |switch| views::list_neighbours(switch, id))?;
            Ok(views::neighbours(&router.name, &neighbours, &self.registry))
        })?;
        Ok(each.concat())
    }

    /// `show publish`.
    pub(super) fn publishes(&self) -> Result<Vec<PublishView>, Stopped> {
        let each = self.each_router(|router, id| {
            let numbers = (0..router.policy.publishes.len()).map(|index| index as u16);
            let rules = numbers.flat_map(|index| [RuleId::Dnat(index), RuleId::Published(index)]).collect();
            let counts = self.counts(router, id, rules)?;
            Ok(views::publishes(router, &counts))
        })?;
        Ok(each.concat())
    }

    /// `show rules`.
    pub(super) fn rules(&self) -> Result<Vec<RuleView>, Stopped> {
        let each = self.each_router(|router, id| {
            let lists = views::list_rules(router, &self.registry);
            let rules: Vec<_> = views::counting(&lists).collect();
            let counts = self.counts(router, id, rules.clone())?;
            Ok(views::rules(router, &lists, &rules.into_iter().zip(counts).collect(), &self.registry))
        })?;
        Ok(each.concat())
    }

    /// `show conntrack`.
    pub(super) fn sessions(&self, query: &SessionQuery) -> Result<ConntrackView, Stopped> {
        let routers = self.known_routers();
        let count =
            |router: &Router, id| self.at(&router.name, move |switch| views::count_sessions(switch, id));
        let mut view = ConntrackView::default();
        for (router, id) in &routers {
            view.total += count(router, *id)?;
        }
        let (filter, page) = (query.filter(), query.page());
        let (mut at, mut place) = match &query.from {
            // a router that has gone since has no sessions left
            Some(from) => {
                let at = routers.iter().position(|(router, _)| router.name == from.router);
                (at.unwrap_or(routers.len()), from.place)
            }
            None => (0, 0),
        };
        for _ in 0..PIECES_MAX {
            let Some((router, id)) = routers.get(at) else { break };
            let (id, room) = (*id, page - view.sessions.len());
            if room == 0 {
                break;
            }
            let piece = views::Piece::new(place..place.saturating_add(PLACES_MAX), room, filter);
            let piece = self.at(&router.name, move |switch| piece.take(switch, id))?;
            let tag = (routers.len() > 1).then_some(router.name.as_str());
            view.sessions.extend(views::sessions(&router.name, tag, &piece, &self.registry));
            (at, place) = match piece.next() {
                Some(next) => (at, next),
                None => (at + 1, 0),
            };
        }
        view.next = routers.get(at).map(|(router, _)| SessionPlace { router: router.name.clone(), place });
        Ok(view)
    }

    /// How often these rules were used.
    fn counts(&self, router: &Router, id: NodeId, rules: Vec<RuleId>) -> Result<Vec<Count>, Stopped> {
        let mut counts = Vec::with_capacity(rules.len());
        for piece in rules.chunks(PLACES_MAX) {
            let piece = piece.to_vec();
            counts.extend(self.at(&router.name, move |switch| views::count_rules(switch, id, &piece))?);
        }
        Ok(counts)
    }

    /// Asks for each router in turn.
    fn each_router<T>(
        &self,
        view: impl FnMut(&Router, NodeId) -> Result<T, Stopped>,
    ) -> Result<Vec<T>, Stopped> {
        let mut view = view;
        self.known_routers().into_iter().map(|(router, id)| view(router, id)).collect()
    }

    fn known_routers(&self) -> Vec<(&Router, NodeId)> {
        let routers = self.plan.routers.iter();
        routers.filter_map(|router| Some((router, self.registry.node(&router.name)?))).collect()
    }
}
