//! The lab around the switch: namespaces, interfaces, cables and the programs that run in nodes.
//!
//! What a plan needs of the system is a list of steps ([`step`], pure data). A running [`Lab`] has done a list of
//! them; putting a plan to work means doing what leads from the one list to the other ([`difference`]), and nothing
//! else, so that a reload touches only what changed. Each step can be taken back. Each is written to a journal before
//! it is done, so that whatever happens to this process, the next one can clean up (`reconcile`).
//!
//! The rule that makes this safe: **only what carries our tag is ever removed.** A namespace's tag is the alias of its
//! loopback interface, an interface's its own alias, both `vswitchd:LAB`. Something that exists already under a name
//! we need is an error at the start.
//!
//! Everything is done by system calls and rtnetlink ([`netlink`]); no other program is run but those of the file.

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
pub mod runtime;
pub mod sandbox;
pub mod step;

pub use crew::{Log, Pumped};
pub use error::{LabError, ending};
pub use process::{LAB_VARIABLE, NODE_VARIABLE};
pub use reconcile::{Leftover, clean};

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::crew::Crew;
use self::difference::{Difference, difference, essential};
use self::journal::{Journal, Lock};
use self::runner::Runner;
use self::step::{Step, steps};
use crate::control::plan::{Netns, Node, Plan};
use crate::control::view::NodeView;
use crate::frame::PortId;
use crate::port::Port;

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
    /// No longer there; to be dropped before those in `ports` are put in, which may have the same names.
    pub closed: Vec<String>,
}

/// A plan that could not be put to work. What was there before is there again, as far as that was possible.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub error: LabError,
    /// The ports that had to be closed, and those of them that could be opened again.
    pub left: Opened,
}

/// A lab, from its lock to its last program.
#[derive(Debug)]
pub struct Lab {
    name: String,
    binary: PathBuf,
    runtime: PathBuf,
    /// `None` once the lab is down.
    journal: Option<Journal>,
    runner: Runner,
    crew: Crew,
    /// What stands, each step after those it needs.
    done: Vec<Step>,
    /// The numbers of the nodes' namespaces.
    namespaces: HashMap<String, u64>,
    /// Nodes whose setup has not run yet.
    fresh: HashSet<String>,
    /// For [`Lab::nodes`].
    nodes: Vec<(Node, Vec<String>)>,
}

impl Lab {
    /// Takes the lab's name, and removes what an instance that was killed has left of it. `binary` is the vswitchd
    /// program, `/proc/self/exe` but in tests; `runtime` see [`runtime::directory`].
    pub fn new(name: &str, runtime: &Path, binary: &Path) -> Result<Self, LabError> {
        let lock = Lock::take(runtime, name)?;
        reconcile::reconcile(runtime, name)?;
        let journal = Journal::start(runtime, name, lock)?;
        Ok(Self {
            name: name.to_owned(),
            binary: binary.to_owned(),
            runtime: runtime.to_owned(),
            journal: Some(journal),
            runner: Runner::new(tag(name)),
            crew: Crew::new().map_err(|e| LabError::io("watch programs", e))?,
            done: Vec::new(),
            namespaces: HashMap::new(),
            fresh: HashSet::new(),
            nodes: Vec::new(),
        })
    }

    /// Where the lab's control socket belongs.
    pub fn socket(&self) -> PathBuf {
        runtime::socket(&self.runtime, &self.name)
    }

    /// The ports that [`Lab::apply`] would close or replace: to be dropped before, since an interface can be open only
    /// once.
    pub fn closing(&self, plan: &Plan) -> Vec<String> {
        port_names(&difference(&self.done, &steps(plan)).undo)
    }

    /// Makes the system what the plan says, and opens the ports under the ids that `ids` knows for their names.
    /// When it returns, every interface is up and has carrier. If a step fails, those before it are undone, and those
    /// undone for them are done again.
    pub fn apply(
        &mut self,
        plan: &Plan,
        ids: &dyn Fn(&str) -> PortId,
        log: Log<'_>,
    ) -> Result<Opened, Box<Failure>> {
        let old = self.done.clone();
        let new = steps(plan);
        let Difference { undo, redo } = difference(&old, &new);
        let mut opened = Opened { closed: port_names(&undo), ports: Vec::new() };
        let result = self.take_back(&undo, log).and_then(|()| self.perform(&redo, ids, &mut opened.ports));
        let Err(error) = result else {
            self.done = new;
            self.nodes = plan.nodes.iter().map(|node| (node.clone(), interfaces(plan, node))).collect();
            return Ok(opened);
        };
        // back: from wherever this has got to the list we came from
        opened.ports.clear();
        let Difference { undo, redo } = difference(&self.done, &old);
        if self.take_back(&undo, log).is_ok() && self.perform(&redo, ids, &mut opened.ports).is_ok() {
            self.done = old;
        }
        Err(Box::new(Failure { error, left: opened }))
    }

    /// Runs the setup of the nodes that are new, and starts the commands that are not running or have changed. The
    /// calling thread must live as long as the lab: the programs die with it. Stops with an error as soon as `cancel`
    /// becomes readable.
    pub fn start(
        &mut self,
        plan: &Plan,
        cancel: Option<BorrowedFd<'_>>,
        log: Log<'_>,
    ) -> Result<(), LabError> {
        for node in &plan.nodes {
            if self.fresh.contains(&node.name) {
                for command in &node.setup {
                    self.run_setup(&node.name, command, cancel, log)?;
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
        self.end_processes(&HashSet::from([node]), log);
    }

    /// Passes on what the nodes' programs have written, and says which have ended. Never blocks. To be called once
    /// after [`Lab::start`] and then whenever the descriptor that [`Lab::as_fd`] lends is readable.
    pub fn pump(&mut self, log: Log<'_>) -> Result<Pumped, LabError> {
        self.crew.pump(log).map_err(|e| LabError::io("listen to the nodes' programs", e))
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
        self.dismantle(log)
    }

    fn dismantle(&mut self, log: Log<'_>) -> Result<(), LabError> {
        if self.journal.is_none() {
            return Ok(());
        }
        let undo: Vec<Step> = self.done.iter().rev().cloned().collect();
        let result = self.take_back(&undo, log);
        if let (Ok(()), Some(journal)) = (&result, self.journal.take()) {
            journal.finish().map_err(|e| LabError::io("remove the journal", e))?;
        }
        result
    }

    /// Undoes steps, in this order. Goes on after a failure, and reports the first.
    fn take_back(&mut self, undo: &[Step], log: Log<'_>) -> Result<(), LabError> {
        let nodes = undo.iter().filter_map(|step| match step {
            Step::MakeNamespace { node, .. } => Some(node.as_str()),
            _ => None,
        });
        self.end_processes(&nodes.collect(), log);
        let mut result = Ok(());
        for step in essential(undo) {
            result = result.and(self.runner.undo(step));
        }
        if result.is_ok() {
            let gone: HashSet<&Step> = undo.iter().collect();
            self.done.retain(|step| !gone.contains(step));
            for step in undo {
                if let Some(journal) = &mut self.journal {
                    journal.undone(step)?;
                }
            }
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
        cancel: Option<BorrowedFd<'_>>,
        log: Log<'_>,
    ) -> Result<(), LabError> {
        let failed = |e| LabError::io(format!("run the setup of `{node}`"), e);
        let argv = ["/bin/sh", "-c", command].map(str::to_owned);
        let id = self.crew.spawn(&self.binary, &self.name, node, &argv, false).map_err(failed)?;
        match self.crew.wait(id, cancel, log).map_err(failed)? {
            None => Err(LabError::Interrupted { node: node.to_owned() }),
            Some(status) if status.success() => Ok(()),
            Some(status) => {
                Err(LabError::Setup { node: node.to_owned(), command: command.to_owned(), status })
            }
        }
    }

    fn end_processes(&mut self, nodes: &HashSet<&str>, log: Log<'_>) {
        let namespaces = nodes.iter().filter_map(|n| self.namespaces.get(*n)).copied().collect();
        process::end(&self.name, &tag(&self.name), &namespaces, GRACE);
        for node in nodes {
            self.crew.forget(node, log);
        }
    }
}

impl AsFd for Lab {
    /// Readable when there is something to [`Lab::pump`].
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.crew.as_fd()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // who wants to know calls `down`
        let _ = self.dismantle(&mut |_, _| ());
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
