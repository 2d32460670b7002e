//! The control thread: everything vswitchd does besides moving frames.
//!
//! It owns the plan, the lab (namespaces, interfaces, processes), the engines' handles and the control socket, and waits
//! in one poll for whoever wants something: a signal, a client, a node's program, the engine. Starting, reloading and
//! stopping are one operation, `Instance::apply`: go from the plan that is to the plan that shall be.
//!
//! It may block (a `setup` command takes what it takes, unless a signal says stop); the engine does not notice.

mod answer;
mod apply;
mod capture;
mod cores;
mod gateway;
mod live;
mod monitor;
mod views;

use std::collections::BTreeSet;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token, Waker};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use crate::control::check::{Inventory, conflicts};
use crate::control::config::{self, Diagnostic, Diagnostics};
use crate::control::event::Happening;
use crate::control::place;
use crate::control::placement::Placement;
use crate::control::plan::Plan;
use crate::control::protocol::What;
use crate::control::registry::Registry;
use crate::control::server::Server;
use crate::control::view::View;
use crate::engine::{Engines, Event, Stopped};
use crate::frame::NodeId;
use crate::lab::{Lab, LabError};
use crate::router::policy::log::Record;
use monitor::Monitors;

pub use apply::ApplyError;

const ENGINE: Token = Token(0);
const SIGNALS: Token = Token(1);
const LAB: Token = Token(2);
/// The first of the server's tokens.
const SERVER: Token = Token(1 << 8);

/// Where messages for the user go: what the nodes print, what happens to ports.
pub type Log = Box<dyn FnMut(&str)>;

/// How to start.
pub struct Options {
    /// The lab's file, to be read again by a reload.
    pub file: PathBuf,
    /// Its text, to be quoted.
    pub text: String,
    /// The control socket; by default named after the lab, in the runtime directory.
    pub control: Option<PathBuf>,
    /// Gets a line at a time.
    pub log: Log,
}

/// A file, read and understood.
#[derive(Debug)]
pub struct Loaded {
    /// The text it was read from.
    pub text: String,
    /// What it means.
    pub plan: Plan,
    /// What its author should know.
    pub warnings: Vec<Diagnostic>,
}

/// Why a lab could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The plan could not be put to work.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is wrong; print them with the text.
    #[error("the file has errors")]
    Invalid {
        /// The text, to be quoted.
        text: String,
        /// All of them.
        diagnostics: Diagnostics,
    },
    /// What the operating system says.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Namespaces, interfaces or processes.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The engine has ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Reads a lab's file.
///
/// # Errors
/// [`DaemonError::File`] or [`DaemonError::Invalid`].
pub fn load(path: &Path) -> Result<Loaded, DaemonError> {
    let text =
        fs::read_to_string(path).map_err(|error| DaemonError::File { path: path.to_owned(), error })?;
    let stem = path.file_stem().map_or("lab".into(), |stem| stem.to_string_lossy());
    match config::parse(&text, &stem) {
        Ok((plan, warnings)) => Ok(Loaded { text, plan, warnings }),
        Err(diagnostics) => Err(DaemonError::Invalid { text, diagnostics }),
    }
}

/// A running lab and the poll that keeps it going. Dropping it takes everything down.
pub struct Daemon {
    instance: Instance,
    server: Server,
    signals: Signals,
    poll: Poll,
}

/// The lab itself: what requests are about.
struct Instance {
    file: PathBuf,
    plan: Plan,
    registry: Registry,
    // before the lab: the ports close before what they are plugged into goes
    engines: Engines,
    /// Which of them everything lives on.
    placement: Placement,
    lab: Lab,
    /// Set by the first signal that wants an end, even while the poll is not looked at.
    cancelled: Arc<AtomicBool>,
    log: Log,
    /// Who is told what happens.
    monitors: Monitors,
    /// The ports that a user has set down.
    down: BTreeSet<String>,
    stopping: bool,
}

impl Daemon {
    /// Brings the lab up: when this returns, frames flow and every node's `command` has been started.
    ///
    /// # Errors
    /// See [`DaemonError`]; nothing is left behind.
    pub fn start(plan: Plan, mut options: Options) -> Result<Self, DaemonError> {
        let poll = Poll::new()?;
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        poll.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), ENGINE)?);
        let cancelled = interrupts()?;
        let mut lab = Lab::new(&plan.name, &place::runtime_dir())?;
        // what a dead instance left is gone now: what is still in the way is somebody else's
        let conflicts: Diagnostics = conflicts(&plan, &options.text, &Inventory::read(&plan.name)).into();
        if conflicts.has_errors() {
            return Err(DaemonError::Invalid { text: options.text, diagnostics: conflicts });
        }
        if !conflicts.is_empty() {
            let rendered = conflicts.render(&options.file.display().to_string(), &options.text, false);
            rendered.lines().for_each(&mut options.log);
        }
        lab.register(poll.registry(), LAB)?;
        let socket = options.control.unwrap_or_else(|| place::socket_path(&plan.name));
        let mut server = Server::bind(&socket)?;
        server.register(poll.registry(), SERVER)?;
        let engines = Engines::start(random_key(), move || {
            // a waker that cannot wake means that the poll is gone, and with it whoever would listen
            let _ = waker.wake();
        })?;
        let mut instance = Instance {
            file: options.file,
            plan: Plan::empty(&plan.name),
            registry: Registry::default(),
            engines,
            placement: Placement::default(),
            lab,
            cancelled,
            log: options.log,
            monitors: Monitors::default(),
            down: BTreeSet::new(),
            stopping: false,
        };
        instance.apply(plan)?;
        Ok(Self { instance, server, signals, poll })
    }

    /// The plan that is at work.
    pub fn plan(&self) -> &Plan {
        &self.instance.plan
    }

    /// The control socket.
    pub fn socket(&self) -> &Path {
        self.server.path()
    }

    /// What `show` would answer.
    ///
    /// # Errors
    /// [`Stopped`] if the engine has ended.
    pub fn view(&self, what: What) -> Result<View, Stopped> {
        self.instance.view(what)
    }

    /// Runs until a signal or a client says stop.
    ///
    /// # Errors
    /// When the poll fails.
    pub fn run(&mut self) -> io::Result<()> {
        while !self.instance.stopping {
            self.turn(None)?;
        }
        Ok(())
    }

    /// Whether a signal or a client has said stop.
    pub fn is_stopping(&self) -> bool {
        self.instance.stopping
    }

    /// Deals with what has happened, or with the first thing that happens within `timeout`.
    ///
    /// # Errors
    /// When the poll fails.
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        match self.poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        let Self { instance, server, signals, .. } = self;
        for event in &events {
            match event.token() {
                ENGINE => instance.engine_events(),
                SIGNALS => signals.pending().for_each(|signal| instance.signal(signal)),
                token if server.owns(token) => server.ready(token, &mut |request| instance.answer(request)),
                _ => instance.lab.ready(&mut instance.log).map_err(io::Error::other)?,
            }
        }
        Ok(())
    }

    /// Takes everything down: the ports, the programs, the interfaces, the namespaces, the socket.
    ///
    /// # Errors
    /// What could not be undone; the next start, or `clean`, tries again.
    pub fn stop(self) -> Result<(), LabError> {
        let Self { instance: Instance { engines, lab, mut log, .. }, server, .. } = self;
        drop(engines);
        let result = lab.down(&mut log);
        drop(server);
        result
    }
}

impl Instance {
    fn signal(&mut self, signal: i32) {
        if signal != SIGHUP {
            self.stopping = true;
            return;
        }
        match self.reload() {
            Ok(done) => done.iter().for_each(|line| (self.log)(line)),
            Err(error) => (self.log)(&format!("reload failed, nothing changed: {error}")),
        }
    }

    /// A rule wants a line about a packet: it goes where the lab's own lines go, and to whoever watches.
    fn logged(&mut self, router: NodeId, record: &Record) {
        let Some(plan) = self.registry.node_name(router).and_then(|name| self.plan.router(name)) else {
            return;
        };
        let name = |leg| self.registry.interface_name(&plan.name, leg).unwrap_or("?");
        let text = record.line(name(record.from), name(record.to)).to_string();
        (self.log)(&format!("{}: {text}", plan.name));
        let router = plan.name.clone();
        self.tell(false, Happening::Log { router, text, suppressed: record.suppressed });
    }

    fn engine_events(&mut self) {
        let events: Vec<Event> = self.engines.events().collect();
        for event in events {
            let (id, error) = match event {
                Event::Logged(router, record) => {
                    self.logged(router, &record);
                    continue;
                }
                Event::PortGone(id, error) => (id, error),
            };
            let name = self.registry.port_name(id).unwrap_or("?").to_owned();
            self.tell(false, Happening::Lab { text: format!("port {name} gone: {error}") });
            (self.log)(&format!("port {name}: closed, because its interface is gone ({error})"));
            // a reload may have opened it again before this was heard, with an interface that must stay
            if !self.engines.bury(self.engine_of(&name), id).unwrap_or(false) {
                continue;
            }
            if let Err(error) = self.lab.lost(&name) {
                (self.log)(&format!("port {name}: a reload cannot bring it back: {error}"));
            }
        }
    }
}

/// True from the first SIGINT or SIGTERM on: to end what blocks.
fn interrupts() -> io::Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    Ok(interrupted)
}

/// A key for hash tables that no guest can guess.
fn random_key() -> [u64; 2] {
    let random = RandomState::new();
    [random.hash_one(0), random.hash_one(1)]
}
