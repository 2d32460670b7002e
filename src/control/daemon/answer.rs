//! What clients ask, and what they are told.

use super::{DaemonError, Instance, views};
use crate::control::explain::{self, Walk};
use crate::control::protocol::{Body, Hello, NodePlace, PROTOCOL, Refusal, Request, Response, What};
use crate::control::server::Answer;
use crate::control::sessions::SessionQuery;
use crate::control::view::{MdbView, TreeView, View};
use crate::engine::Stopped;
use crate::frame::{FRAME_MAX, NodeId, PortId};

impl Instance {
    /// The answer to a request; what cannot be done is an answer too.
    pub(super) fn answer(&mut self, request: Request) -> Answer {
        let response = match request {
            Request::Capture { name, snaplen } => return self.capture(&name, snaplen),
            Request::Edit { edit } => self.edit(&edit),
            Request::Explain { port, frame } => self.explain(&port, frame.0),
            Request::Hello => Response::ok(Body::Hello(Hello {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                lab: self.plan.name.clone(),
                pid: std::process::id(),
                protocol: PROTOCOL,
            })),
            Request::Monitor { what } => return self.monitor(what),
            Request::Node { name } => self.node(&name),
            Request::Reload => match self.reload() {
                Ok(lines) => Response::ok(Body::Lines(lines)),
                Err(error) => Response::error_with_hint(self.reload_error(&error), reload_hint(&error)),
            },
            Request::Show { what, sessions } => self.show(what, sessions),
            Request::Stop => {
                self.stopping = true;
                Response::ok(Body::Done)
            }
        };
        Answer::Reply(response)
    }

    fn show(&self, what: What, sessions: Option<SessionQuery>) -> Response {
        let view = match (what, sessions) {
            (What::Conntrack, Some(query)) => self.sessions(&query).map(View::Conntrack),
            (what, None) => self.view(what),
            (what, Some(_)) => return Response::error(format!("{what} are no sessions to choose from")),
        };
        match view {
            Ok(view) => Response::ok(Body::Show(view)),
            Err(stopped) => Response::error(stopped.to_string()),
        }
    }

    /// What `show` answers with.
    pub(super) fn view(&self, what: What) -> Result<View, Stopped> {
        let (plan, registry) = (&self.plan, &self.registry);
        Ok(match what {
            What::Conntrack => View::Conntrack(self.sessions(&SessionQuery::default())?),
            What::Drops => View::Drops(views::drops(&self.snapshot(false)?, registry)),
            What::Fdb => View::Fdb(views::fdb(&self.snapshot(true)?, registry)),
            What::Mdb => View::Mdb(self.groups()?),
            What::Neighbors => View::Neighbors(self.neighbours()?),
            What::Networks => View::Networks(views::networks(&self.bridges()?, plan, registry)),
            What::Nodes => View::Nodes(self.lab.nodes()),
            What::Ports => View::Ports(views::ports(&self.snapshot(false)?, plan, registry, &self.down)),
            What::Publish => View::Publish(self.publishes()?),
            What::Routers => View::Routers(self.routers()?),
            What::Routes => View::Routes(self.routes()?),
            What::Rules => View::Rules(self.rules()?),
            What::Stats => View::Stats(views::stats(&self.snapshot(true)?, &plan.name, self.engine.uptime())),
            What::Stp => View::Stp(self.trees()?),
            What::Vlan => View::Vlan(views::vlan(plan)),
        })
    }

    fn snapshot(&self, stations: bool) -> Result<views::Snapshot, Stopped> {
        let plan = &self.plan;
        let ports: Vec<PortId> = plan.ports.iter().filter_map(|p| self.registry.port(&p.name)).collect();
        let bridges: Vec<NodeId> = plan.networks.iter().filter_map(|n| self.registry.node(&n.name)).collect();
        self.engine.with(move |switch| views::Snapshot::take(switch, &ports, &bridges, stations))
    }

    fn bridges(&self) -> Result<Vec<(NodeId, views::BridgeSnapshot)>, Stopped> {
        let take = |id| self.engine.with(move |switch| (id, views::BridgeSnapshot::take(switch, id)));
        self.nodes().into_iter().map(|(id, _)| take(id)).collect()
    }

    fn groups(&self) -> Result<MdbView, Stopped> {
        let bridges: Vec<NodeId> = self.nodes().into_iter().map(|(node, _)| node).collect();
        let groups = self.engine.with(move |switch| views::groups(switch, &bridges))?;
        Ok(views::mdb(&groups, &self.registry))
    }

    fn trees(&self) -> Result<Vec<TreeView>, Stopped> {
        let bridges: Vec<NodeId> = self.nodes().into_iter().map(|(node, _)| node).collect();
        let (trees, now) = self.engine.with(move |switch| (views::trees(switch, &bridges), switch.now))?;
        Ok(views::stp(&trees, now, &self.plan, &self.registry))
    }

    fn explain(&self, port: &str, frame: Vec<u8>) -> Response {
        let Some(id) = self.registry.port(port) else {
            return unknown("port", port, self.plan.ports.iter().map(|p| p.name.as_str())).into();
        };
        if frame.len() > FRAME_MAX {
            return Response::error(format!("a frame of {} bytes is longer than any", frame.len()));
        }
        match self.engine.with(move |switch| Walk::take(&switch.fabric, id, &frame, switch.now)) {
            Ok(walk) => Response::ok(Body::Explain(explain::render(&walk, &self.plan, &self.registry))),
            Err(stopped) => Response::error(stopped.to_string()),
        }
    }

    fn node(&self, name: &str) -> Response {
        match self.lab.nodes().into_iter().find(|node| node.name == name) {
            Some(node) => {
                let place = NodePlace { name: node.name, netns: node.netns.into(), pid: std::process::id() };
                Response::ok(Body::Node(place))
            }
            None => unknown("node", name, self.plan.nodes.iter().map(|node| node.name.as_str())).into(),
        }
    }

    /// A reload that fails because of the file is told with the file's lines.
    fn reload_error(&self, error: &DaemonError) -> String {
        match error {
            DaemonError::Invalid { text, diagnostics } => {
                diagnostics.render(&self.file.display().to_string(), text, false)
            }
            error => error.to_string(),
        }
    }
}

/// What is at work after a reload that failed.
fn reload_hint(error: &DaemonError) -> &'static str {
    match error {
        DaemonError::Apply(_) => "the old plan was put to work again; if that failed too, the log says so",
        _ => "nothing has changed",
    }
}

/// There is nothing of that name; lists what there is.
pub(super) fn unknown<'a>(kind: &str, name: &str, names: impl Iterator<Item = &'a str>) -> Refusal {
    let names: Vec<&str> = names.collect();
    let hint = if names.is_empty() {
        format!("the lab has no {kind}s")
    } else {
        format!("there are: {}", names.join(", "))
    };
    Refusal { error: format!("there is no {kind} named `{name}`"), hint: Some(hint) }
}
