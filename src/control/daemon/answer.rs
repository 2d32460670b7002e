//! What clients ask, and what they are told.

use super::{DaemonError, Instance, views};
use crate::control::explain::{self, Walk};
use crate::control::protocol::{Body, Hello, NodePlace, PROTOCOL, Refusal, Request, Response, What};
use crate::control::server::Answer;
use crate::control::sessions::SessionQuery;
use crate::control::view::{MdbView, StatsView, TreeView, View};
use crate::engine::Stopped;
use crate::frame::{FRAME_MAX, NodeId};

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
            What::Stats => View::Stats(self.stats()?),
            What::Stp => View::Stp(self.trees()?),
            What::Vlan => View::Vlan(views::vlan(plan)),
        })
    }

    fn snapshot(&self, stations: bool) -> Result<views::Snapshot, Stopped> {
        let ports = self.plan.ports.iter();
        let ports =
            ports.filter_map(|p| Some((self.registry.port(&p.name)?, self.placement.engine(&p.network))));
        let bridges = self.nodes().into_iter().map(|(id, name)| (id, self.placement.engine(&name)));
        let (ports, bridges): (Vec<_>, Vec<_>) = (ports.collect(), bridges.collect());
        let mut seen = self.engines.each(|engine| {
            let (ports, bridges) = (on(&ports, engine), on(&bridges, engine));
            move |switch| views::Snapshot::take(switch, &ports, &bridges, stations)
        })?;
        for (engine, part) in seen.iter_mut().enumerate() {
            part.add(self.engines.tally_others(engine, &on(&ports, engine))?);
        }
        Ok(views::Snapshot::join(seen, &ports, &bridges))
    }

    fn stats(&self) -> Result<StatsView, Stopped> {
        let stats = views::stats(&self.snapshot(true)?, &self.plan, &self.placement);
        Ok(StatsView { uptime: self.engines.uptime().as_secs(), ..stats })
    }

    fn bridges(&self) -> Result<Vec<(NodeId, views::BridgeSnapshot)>, Stopped> {
        self.each_network(|id, _| move |switch| (id, views::BridgeSnapshot::take(switch, id)))
    }

    fn groups(&self) -> Result<MdbView, Stopped> {
        let groups = self.each_network(|id, _| move |switch| views::groups(switch, id))?;
        Ok(views::mdb(&groups, &self.registry))
    }

    fn trees(&self) -> Result<Vec<TreeView>, Stopped> {
        let trees: Vec<_> = self.each_network(|id, _| move |switch| views::tree(switch, id))?;
        Ok(views::stp(&trees.into_iter().flatten().collect::<Vec<_>>(), &self.plan, &self.registry))
    }

    fn explain(&self, port: &str, frame: Vec<u8>) -> Response {
        let Some(id) = self.registry.port(port) else {
            return unknown("port", port, self.plan.ports.iter().map(|p| p.name.as_str())).into();
        };
        if frame.len() > FRAME_MAX {
            return Response::error(format!("a frame of {} bytes is longer than any", frame.len()));
        }
        match self.at_leg(port, move |switch| Walk::take(&switch.fabric, id, &frame, switch.now)) {
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

/// Those that are on that engine.
fn on<T: Copy>(list: &[(T, usize)], engine: usize) -> Vec<T> {
    list.iter().filter(|(_, its)| *its == engine).map(|(id, _)| *id).collect()
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
