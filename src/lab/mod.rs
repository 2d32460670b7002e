//! The lab around the switch: namespaces, interfaces, cables and the programs that run in nodes.
//!
//! What a plan needs of the system is a list of steps ([`step`], pure data). A running [`Lab`] has done a list of
//! them; putting a plan to work means doing what leads from the one list to the other ([`difference()`]), and nothing
//! else, so that a reload touches only what changed. Each step can be taken back. Each is written to a journal before
//! it is done, so that whatever happens to this process, the next one can clean up (`reconcile`).
//!
//! The rule that makes this safe: **only what carries our tag is ever removed.** A namespace's tag is the alias of its
//! loopback interface, an interface's its own alias, both `vswitchd:LAB`. Something that exists already under a name
//! we need is an error at the start.
//!
//! Everything is done by system calls and rtnetlink ([`netlink`]); no other program is run but those of the file.

mod anew;
mod crew;
pub mod difference;
mod error;
pub mod exec;
pub mod init;
mod journal;
pub mod netlink;
pub mod netns;
pub mod probe;
mod process;
mod reconcile;
mod runner;
pub mod sandbox;
pub mod step;

pub use crew::Log;
pub use error::{LabError, ending};
pub use process::{LAB_VARIABLE, NODE_VARIABLE};
pub use reconcile::{Leftover, clean};

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use self::crew::Crew;
use self::difference::{Difference, difference, essential};
use self::journal::{Journal, Lock};
use self::runner::{Runner, Spaces};
use self::step::{Step, steps};
use crate::control::place;
use crate::control::plan::{Netns, Node, Plan};
use crate::control::view::NodeView;
use crate::frame::PortId;
use crate::port::{Port, PortKind};

/// How long programs get to end after SIGTERM before they are killed.
const GRACE: Duration = Duration::from_secs(2);

/// How we know our own: the alias of what the lab makes.
pub fn tag(lab: &str) -> String {
    format!("vswitchd:{lab}")
}

/// What became of the ports.
#[derive(Debug, Default)]
pub struct Opened {
    /// Opened, by their names in the plan.
    pub ports: Vec<(String, Port)>,
    /// No longer there: what [`Lab::closing`] said. Those in `ports` may have the same names.
    pub closed: Vec<String>,
}

/// A lab, from its lock to its last program.
#[derive(Debug)]
pub struct Lab {
    name: String,
    binary: PathBuf,
    /// `None` once the lab is down.
    journal: Option<Journal>,
    runner: Runner,
    crew: Crew,
    /// What stands, each step after those it needs.
    done: Vec<Step>,
    /// Raw ports that have been closed because somebody deleted their interface: they stand until it is there again.
    closed: HashSet<Step>,
    /// Namespaces of others that are no longer those that ports were opened in, and those that they are now.
    anew: Spaces,
    /// The numbers of the nodes' namespaces.
    namespaces: HashMap<String, u64>,
    /// Nodes whose setup has not run yet.
    fresh: HashSet<String>,
    /// For [`Lab::nodes`].
    nodes: Vec<(Node, Vec<String>)>,
    /// What programs wrote while they were being ended, to be logged at the next occasion.
    last_words: Vec<String>,
    /// Something could not be undone: the journal has to stay.
    stuck: bool,
    /// Where to say that there is more to read.
    poll: Option<(Registry, Token)>,
}

impl Lab {
    /// Takes the lab's name, and removes what an instance that was killed has left of it. `runtime` is
    /// [`place::runtime_dir`].
    pub fn new(name: &str, runtime: &Path) -> Result<Self, LabError> {
        Self::with_binary(name, runtime, Path::new("/proc/self/exe"))
    }

    /// As [`Lab::new`], for a process that is not vswitchd: `binary` is the program that knows `__init`.
    pub fn with_binary(name: &str, runtime: &Path, binary: &Path) -> Result<Self, LabError> {
        place::prepare(runtime).map_err(|e| LabError::io(format!("make {}", runtime.display()), e))?;
        let lock = Lock::take(runtime, name)?;
        reconcile::reconcile(runtime, name)?;
        let journal = Journal::start(runtime, name, lock)?;
        Ok(Self {
            name: name.to_owned(),
            binary: binary.to_owned(),
            journal: Some(journal),
            runner: Runner::new(tag(name)),
            crew: Crew::new().map_err(|e| LabError::io("watch programs", e))?,
            done: Vec::new(),
            closed: HashSet::new(),
            anew: Spaces::new(),
            namespaces: HashMap::new(),
            fresh: HashSet::new(),
            nodes: Vec::new(),
            last_words: Vec::new(),
            stuck: false,
            poll: None,
        })
    }

    /// Lets a poll wake up when the nodes' programs have something to say: then call [`Lab::ready`].
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let registry = registry.try_clone()?;
        registry.register(&mut SourceFd(&self.crew.as_fd().as_raw_fd()), token, Interest::READABLE)?;
        self.poll = Some((registry, token));
        Ok(())
    }

    /// The ports that [`Lab::apply`] will close, by name: those whose interface goes or has to be made anew, or is to be
    /// looked for elsewhere. Whoever has them drops them first.
    pub fn closing(&self, plan: &Plan) -> Vec<String> {
        let mut undo = difference(&self.done, &steps(plan)).undo;
        let more = self.done.iter().filter(|step| self.is_elsewhere(step) && !undo.contains(step));
        let more: Vec<Step> = more.cloned().collect();
        undo.extend(more);
        port_names(&undo)
    }

    /// Makes the system what the plan says, and opens the ports under the ids that `ids` knows for their names.
    /// When it returns, every interface is up and has carrier. If a step fails, those that this call has done are
    /// undone; those that it has undone, the old plan does again if it is applied again.
    pub fn apply(&mut self, plan: &Plan, ids: &dyn Fn(&str) -> PortId) -> Result<Opened, LabError> {
        let closed = self.closing(plan);
        let before = self.move_out()?;
        let ports = self.change(plan, ids);
        if ports.is_err() {
            // where the old plan was at work
            self.runner.exchange(before);
        }
        Ok(Opened { closed, ports: ports? })
    }

    fn change(&mut self, plan: &Plan, ids: &dyn Fn(&str) -> PortId) -> Result<Vec<(String, Port)>, LabError> {
        self.let_go_of_closed()?;
        let new = steps(plan);
        let Difference { undo, redo } = difference(&self.done, &new);
        self.take_back(&undo)?;
        let kept = self.done.len();
        let mut ports = Vec::new();
        if let Err(error) = self.perform(&redo, ids, &mut ports) {
            drop(ports);
            let undo: Vec<Step> = self.done[kept..].iter().rev().cloned().collect();
            // the first error is the one to tell; what could not be undone stays in the journal
            let _ = self.take_back(&undo);
            return Err(error);
        }
        self.done = new;
        self.nodes = plan.nodes.iter().map(|node| (node.clone(), interfaces(plan, node))).collect();
        Ok(ports)
    }

    /// Somebody else has deleted the interface of a port, and with it went its addresses and routes. A TAP is made anew
    /// by the next [`Lab::apply`]. A raw port's interface is not the lab's to make: it is opened again by the next
    /// [`Lab::apply`] that finds one of that name, and until then it is in nobody's way.
    pub fn lost(&mut self, port: &str) -> Result<(), LabError> {
        let is_it = |step: &&Step| matches!(step, Step::OpenPort { port: name, .. } if name == port);
        match self.done.iter().find(is_it).cloned() {
            Some(step @ Step::OpenPort { kind: PortKind::Raw, .. }) => {
                self.closed.insert(step);
                Ok(())
            }
            Some(step) => self.let_go(&step),
            None => Ok(()),
        }
    }

    /// Takes back what stood on interfaces that were deleted and are there again.
    fn let_go_of_closed(&mut self) -> Result<(), LabError> {
        for step in std::mem::take(&mut self.closed) {
            if !self.done.contains(&step) {
                continue;
            }
            if step.on().is_some_and(|on| self.runner.is_there(on)) {
                self.let_go(&step)?;
            } else {
                self.closed.insert(step);
            }
        }
        Ok(())
    }

    /// Takes back a step, and all that was done to the interface it is about.
    fn let_go(&mut self, step: &Step) -> Result<(), LabError> {
        let rest: Vec<Step> = self.done.iter().filter(|other| other.on() != step.on()).cloned().collect();
        self.take_back(&difference(&self.done, &rest).undo)
    }

    /// Runs the setup of the nodes that are new, one command after the other, and starts the commands that are not
    /// running or have changed. The calling thread must live as long as the lab: the programs die with it. Gives up
    /// with an error soon after `cancelled` has become true.
    pub fn start(&mut self, plan: &Plan, cancelled: &dyn Fn() -> bool, log: Log<'_>) -> Result<(), LabError> {
        self.last_words.drain(..).for_each(|line| log(&line));
        for node in &plan.nodes {
            if self.fresh.contains(&node.name) {
                for command in &node.setup {
                    self.run_setup(&node.name, command, cancelled, log)?;
                }
                self.fresh.remove(&node.name);
            }
        }
        for node in &plan.nodes {
            if self.crew.argv(&node.name).unwrap_or_default() == node.command {
                continue;
            }
            if self.crew.argv(&node.name).is_some() {
                self.stop_node(&node.name, log);
            }
            if !node.command.is_empty() {
                let started = self.crew.spawn(&self.binary, &self.name, &node.name, &node.command, true);
                started.map_err(|e| LabError::io(format!("start the command of `{}`", node.name), e))?;
            }
        }
        Ok(())
    }

    /// Ends every process in a node; the node itself stays.
    pub fn stop_node(&mut self, node: &str, log: Log<'_>) {
        self.end_processes(&HashSet::from([node]));
        self.last_words.drain(..).for_each(|line| log(&line));
    }

    /// Logs what the nodes' programs have written, and which of the commands have ended. Never blocks. To be called
    /// when the token given to [`Lab::register`] has an event.
    pub fn ready(&mut self, log: Log<'_>) -> Result<(), LabError> {
        let failed = |e| LabError::io("listen to the nodes' programs", e);
        let more = self.crew.pump(log).map_err(failed)?;
        if more && let Some((registry, token)) = &self.poll {
            // makes an event of what is there already
            let fd = self.crew.as_fd().as_raw_fd();
            registry.reregister(&mut SourceFd(&fd), *token, Interest::READABLE).map_err(failed)?;
        }
        Ok(())
    }

    /// The nodes, for `show nodes`.
    pub fn nodes(&self) -> Vec<NodeView> {
        let view = |(node, interfaces): &(Node, Vec<String>)| {
            let state = self.crew.state(&node.name);
            NodeView {
                name: node.name.clone(),
                netns: netns::path(&node.name).display().to_string(),
                interfaces: interfaces.clone(),
                pid: state.and_then(Result::ok).map(u32::cast_signed),
                state: match state {
                    None => "idle".to_owned(),
                    Some(Ok(_)) => "running".to_owned(),
                    Some(Err(status)) => ending(status),
                },
            }
        };
        self.nodes.iter().map(view).collect()
    }

    /// Ends the programs, undoes everything, and gives the name back. The ports should have been dropped before.
    /// Goes on after a failure, and reports the first; the journal then stays, for the next start to try again.
    pub fn down(mut self, log: Log<'_>) -> Result<(), LabError> {
        let result = self.dismantle();
        self.last_words.drain(..).for_each(|line| log(&line));
        result
    }

    fn dismantle(&mut self) -> Result<(), LabError> {
        let undo: Vec<Step> = self.done.iter().rev().cloned().collect();
        let result = self.take_back(&undo);
        match self.journal.take() {
            Some(journal) if !self.stuck => {
                result.and(journal.finish().map_err(|e| LabError::io("remove the journal", e)))
            }
            _ => result,
        }
    }

    /// Undoes steps, in this order. Goes on after a failure, and reports the first; the journal remembers it.
    fn take_back(&mut self, undo: &[Step]) -> Result<(), LabError> {
        let nodes = undo.iter().filter_map(|step| match step {
            Step::MakeNamespace { node, .. } => Some(node.as_str()),
            _ => None,
        });
        self.end_processes(&nodes.collect());
        let mut result = Ok(());
        for step in essential(undo) {
            result = result.and(self.runner.undo(step));
        }
        self.stuck |= result.is_err();
        let gone: HashSet<&Step> = undo.iter().collect();
        self.done.retain(|step| !gone.contains(step));
        if let (Ok(()), Some(journal)) = (&result, &mut self.journal) {
            undo.iter().try_for_each(|step| journal.undone(step))?;
        }
        result
    }

    fn perform(
        &mut self,
        redo: &[Step],
        ids: &dyn Fn(&str) -> PortId,
        ports: &mut Vec<(String, Port)>,
    ) -> Result<(), LabError> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        for step in redo {
            // a step that fails half-way has to be undone like one that succeeded
            let result = self.runner.perform(step, journal, ids);
            let refused =
                matches!(result, Err(LabError::NamespaceExists { .. } | LabError::InterfaceExists { .. }));
            if !refused {
                self.done.push(step.clone());
            }
            ports.extend(result?);
            if let Step::MakeNamespace { node, .. } = step {
                self.fresh.insert(node.clone());
                let inode = self.runner.inode(&Netns::Node(node.clone()))?;
                self.namespaces.insert(node.clone(), inode);
            }
        }
        Ok(())
    }

    fn run_setup(
        &mut self,
        node: &str,
        command: &str,
        cancelled: &dyn Fn() -> bool,
        log: Log<'_>,
    ) -> Result<(), LabError> {
        let failed = |e| LabError::io(format!("run the setup of `{node}`"), e);
        let argv = ["/bin/sh", "-c", command].map(str::to_owned);
        let id = self.crew.spawn(&self.binary, &self.name, node, &argv, false).map_err(failed)?;
        match self.crew.wait(id, cancelled, log).map_err(failed)? {
            None => Err(LabError::Interrupted { node: node.to_owned() }),
            Some(status) if status.success() => Ok(()),
            Some(status) => {
                Err(LabError::Setup { node: node.to_owned(), command: command.to_owned(), status })
            }
        }
    }

    fn end_processes(&mut self, nodes: &HashSet<&str>) {
        let namespaces = nodes.iter().filter_map(|n| self.namespaces.get(*n)).copied().collect();
        process::end(&self.name, &tag(&self.name), &namespaces, GRACE);
        for node in nodes {
            self.crew.forget(node, &mut |line| self.last_words.push(line.to_owned()));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.journal.is_some() {
            // who wants to know calls `down`
            let _ = self.dismantle();
        }
    }
}

fn port_names(steps: &[Step]) -> Vec<String> {
    let port = |step: &Step| match step {
        Step::OpenPort { port, .. } => Some(port.clone()),
        _ => None,
    };
    steps.iter().filter_map(port).collect()
}

/// A node's interfaces as `name address…`.
fn interfaces(plan: &Plan, node: &Node) -> Vec<String> {
    let here = Netns::Node(node.name.clone());
    let ports =
        plan.ports.iter().filter(|p| p.netns == here).map(|p| (&p.interface.name, &p.interface.address));
    let cables = node.cables.iter().map(|c| (&c.interface.name, &c.interface.address));
    let bridges = node.bridges.iter().map(|b| (&b.name, &b.address));
    ports
        .chain(cables)
        .chain(bridges)
        .map(|(name, addresses)| addresses.iter().fold(name.clone(), |line, a| format!("{line} {a}")))
        .collect()
}
