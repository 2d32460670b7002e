//! From the plan that is to the plan that shall be.
//!
//! First the ports that go are closed, then the lab is changed (it may fail, and then undoes what it did), then what wires
//! of either plan join is brought together on one engine, then the fabrics are changed (they cannot fail for a plan that
//! passed), then what has come apart is spread over the engines again, then new nodes start. If the lab refuses, the old plan is put to
//! work again, so that a reload that fails costs at most the flows of the ports it wanted to change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{DaemonError, Instance, load};
use crate::control::diff::{describe, diff, machines};
use crate::control::event::Happening;
use crate::control::plan::Plan;
use crate::control::registry::{Registry, RegistryError};
use crate::engine::{Stopped, Switch};
use crate::fabric::{Change, ChangeError};
use crate::frame::PortId;
use crate::lab::{LabError, Opened};
use crate::port::Port;

/// Why a plan could not be put to work.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The poll did not take the port's descriptor.
    #[error("port {0}: {1}")]
    Attach(String, std::io::Error),
    /// A change that a sound plan cannot lead to.
    #[error("the fabric refused {0:?}: {1}")]
    Fabric(Box<Change>, ChangeError),
    /// Namespaces, interfaces or processes.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// There are more ports or networks than there is room for.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The engine has ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What became of the interfaces of the ports of a plan, by the names of the ports.
pub(super) struct Interfaces {
    opened: Vec<String>,
    /// Some of them may have been opened again.
    closed: Vec<String>,
}

impl Instance {
    /// Reads the file again and applies what changed; says what it did.
    ///
    /// # Errors
    /// [`DaemonError`]; the old plan is then at work.
    pub(super) fn reload(&mut self) -> Result<Vec<String>, DaemonError> {
        // an interface that has just been deleted has to be made anew
        self.engine_events();
        let mut plan = load(&self.file)?.plan;
        // the socket, the journal and the lock bear the name: it cannot change under a running lab
        plan.name.clone_from(&self.plan.name);
        // so has what is to be in a namespace that somebody made anew
        self.lab.look_again()?;
        let mut done = describe(&diff(&self.plan, &plan));
        done.extend(machines(&self.plan, &plan));
        let Interfaces { opened, closed } = self.apply(plan)?;
        let is_told = |name: &str| done.iter().any(|line| line.starts_with(&format!("port {name} ")));
        let again = opened.iter().filter(|name| !is_told(name));
        let mut ports: Vec<String> = again.map(|name| format!("port {name} opened again")).collect();
        let gone = closed.iter().filter(|name| !opened.contains(name) && !is_told(name));
        ports.extend(gone.map(|name| format!("port {name} closed until its interface is there")));
        done.extend(ports);
        done.extend(self.restore_states());
        if done.is_empty() {
            done.push("nothing changed".to_owned());
        }
        self.tell(false, Happening::Lab { text: format!("reloaded: {}", done.join(", ")) });
        Ok(done)
    }

    /// Puts a plan to work.
    ///
    /// # Errors
    /// [`ApplyError`]; the old plan is then at work.
    pub(super) fn apply(&mut self, plan: Plan) -> Result<Interfaces, ApplyError> {
        let mut registry = self.registry.clone();
        let differences = diff(&self.plan, &plan);
        let changes = registry.translate(&differences)?;
        let room = self.room(&plan);
        let together = self.placement.gather(&self.plan, &plan, room);
        let engines = differences.iter().map(|change| together.engine(change.device(&self.plan, &plan)));
        let changes = engines.zip(changes).collect();
        self.close_ports(&plan)?;
        // the engine gives a port the id of its place, so the one it is opened with does not matter yet
        let done = self.lab.apply(&plan, &|name| registry.port(name).unwrap_or(PortId(0)));
        let Opened { ports: mut opened, closed } = match done {
            Ok(done) => done,
            Err(error) => {
                self.restore();
                return Err(error.into());
            }
        };
        let names = opened.iter().map(|(name, _)| name.clone()).collect();
        let closed = closed.into_iter().filter(|name| plan.leg(name).is_some()).collect();
        self.monitors.rename(&registry);
        self.settle_in(together)?;
        opened.extend(self.unplug(&plan, &registry)?);
        self.change_fabric(changes, opened, &plan, &registry)?;
        self.registry = registry;
        let old = std::mem::replace(&mut self.plan, plan);
        self.settle_in(self.placement.spread(&old, &self.plan, room))?;
        self.staff(&self.plan.clone());
        self.tell_changes(&old);
        let cancelled = Arc::clone(&self.cancelled);
        self.lab.start(&self.plan, &|| cancelled.load(Ordering::Relaxed), &mut self.log)?;
        Ok(Interfaces { opened: names, closed })
    }

    /// The lab did not take the new plan, and some ports are closed already: puts the old plan to work again. What
    /// cannot be restored is said.
    fn restore(&mut self) {
        let registry = self.registry.clone();
        let plan = self.plan.clone();
        let restored = match self.lab.apply(&plan, &|name| registry.port(name).unwrap_or(PortId(0))) {
            Ok(opened) => self.change_fabric(Vec::new(), opened.ports, &plan, &registry),
            Err(error) => Err(error.into()),
        };
        let cancelled = Arc::clone(&self.cancelled);
        let restored = restored.and_then(|()| {
            Ok(self.lab.start(&plan, &|| cancelled.load(Ordering::Relaxed), &mut self.log)?)
        });
        if let Err(error) = restored {
            (self.log)(&format!("the old plan could not be restored: {error}"));
        }
    }

    /// Closes the ports whose interface goes or changes, so that it can go.
    fn close_ports(&mut self, plan: &Plan) -> Result<(), Stopped> {
        for name in self.lab.closing(plan) {
            if let Some(id) = self.registry.port(&name) {
                let engine = self.engine_of(&name);
                self.engines.with(engine, move |switch| {
                    // as if it were unplugged: who is behind it when it comes again is somebody else
                    switch.fabric.forget_guests(id, switch.now);
                    let _ = switch.fabric.apply(Change::SetPortUp(id, false), switch.now);
                })?;
                // dropped here, on the control thread: closing a TAP waits for the kernel
                let _closed: Option<Port> = self.engines.detach(engine, id)?;
            }
        }
        Ok(())
    }

    /// Open ports that stay open and get another place nevertheless, because they change networks: out of the old one.
    fn unplug(&self, plan: &Plan, registry: &Registry) -> Result<Vec<(String, Port)>, Stopped> {
        let mut unplugged = Vec::new();
        for port in &plan.ports {
            let Some(old) = self.plan.ports.iter().find(|old| old.name == port.name) else { continue };
            let place =
                |registry: &Registry, network| (registry.port(&port.name), self.placement.engine(network));
            let (from, to) = (place(&self.registry, &old.network), place(registry, &port.network));
            if let (Some(id), engine) = from
                && from != to
            {
                // one that has just been opened, or whose interface is gone, is not there
                let open = self.engines.detach(engine, id)?;
                unplugged.extend(open.map(|open| (port.name.clone(), open)));
            }
        }
        Ok(unplugged)
    }

    /// Makes the changes, each on its engine, and then puts the ports into their places.
    fn change_fabric(
        &mut self,
        changes: Vec<(usize, Change)>,
        ports: Vec<(String, Port)>,
        plan: &Plan,
        registry: &Registry,
    ) -> Result<(), ApplyError> {
        let mut work: BTreeMap<usize, Vec<Change>> = BTreeMap::new();
        for (engine, change) in changes {
            work.entry(engine).or_default().push(change);
        }
        for (engine, changes) in work {
            self.engines.with(engine, |switch| perform(switch, changes))??;
        }
        self.staff(plan);
        for (name, port) in ports {
            let engine = plan.leg(&name).map_or(0, |leg| self.placement.engine(leg.network));
            let id = port_id(registry, &name);
            // a port that was gone and is back; new ones are up already
            self.engines.with(engine, move |switch| {
                let _ = switch.fabric.apply(Change::SetPortUp(id, true), switch.now);
            })?;
            self.engines.attach(engine, id, port).map_err(|error| ApplyError::Attach(name, error))?;
        }
        Ok(())
    }
}

/// What one engine has to do for a new plan.
fn perform(switch: &mut Switch, changes: Vec<Change>) -> Result<(), ApplyError> {
    for change in changes {
        if let Err(error) = switch.fabric.apply(change.clone(), switch.now) {
            return Err(ApplyError::Fabric(Box::new(change), error));
        }
    }
    Ok(())
}

/// The lab opens only ports of the plan that the registry has just been given.
fn port_id(registry: &Registry, name: &str) -> PortId {
    registry.port(name).expect("every port of the plan is in the registry")
}
