//! How each step is done and undone.
//!
//! Doing is strict: what exists already and is not ours is an error, never adopted. Undoing is lenient: what is not
//! there needs no undoing, and what does not carry our tag is left alone, for a name alone proves nothing. So the same
//! undo serves a running lab, an attempt that failed half-way, and what a killed instance left.
//!
//! Nothing is ever untagged where a kill could leave it behind: a TAP dies with its descriptor until it is tagged, and
//! a cable is laid and tagged inside the node's namespace, which is ours as a whole, before its far end is moved out.

use std::collections::HashMap;
use std::io;
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::journal::Journal;
use super::netlink::{self, LinkChange, Netlink};
use super::step::{Location, Step};
use super::{LabError, netns};
use crate::control::plan::Netns;
use crate::frame::PortId;
use crate::port::{Port, PortKind};
use crate::wire::mac::Mac;

/// Frames that may wait in a TAP until the engine reads them, most of them large; what the kernel gives an Ethernet
/// device, twice what it gives a TAP.
const TX_QUEUE_LENGTH: u32 = 1000;
/// The same without offloads, where none is large. The largest window that a connection has by default (6 MiB,
/// `tcp_rmem`) is 4345 segments, and a TAP tells its sender nothing until it is full (V29). With room for 1000 one stream
/// lost some hundreds of them in its first seconds, with room for 5000 four streams did (CUBIC); with 10,000 none did.
const TX_QUEUE_LENGTH_PLAIN: u32 = 10_000;

/// The name of a cable's far end while it is still in the node.
const FAR_END: &str = "vswitchd-cable";

/// Does and undoes steps. Keeps one netlink socket for each namespace it has been asked about.
#[derive(Debug)]
pub(super) struct Runner {
    tag: String,
    spaces: Spaces,
}

/// Conversations with namespaces.
pub(super) type Spaces = HashMap<Netns, Space>;

/// A conversation with a namespace, which is kept alive by it.
#[derive(Debug)]
pub(super) struct Space {
    netns: OwnedFd,
    netlink: Netlink,
}

impl Runner {
    pub(super) fn new(tag: String) -> Self {
        Self { tag, spaces: HashMap::new() }
    }

    /// Does a step. An [`Step::OpenPort`] gives the port.
    pub(super) fn perform(
        &mut self,
        step: &Step,
        journal: &mut Journal,
        ids: &dyn Fn(&str) -> PortId,
    ) -> Result<Option<(String, Port)>, LabError> {
        match step {
            Step::MakeNamespace { node, .. } => self.make_namespace(node, step, journal)?,
            Step::OpenPort { on, port, kind, queues } => {
                journal.doing(step)?;
                return self.open_port(on, port, *kind, *queues, ids(port)).map(|p| Some((port.clone(), p)));
            }
            Step::MakeCable { on, peer } => {
                self.must_be_free(&Netns::Own, peer)?;
                journal.doing(step)?;
                let done = self.make_cable(on, peer);
                done.map_err(|e| LabError::io(format!("lay the cable from {on} to `{peer}`"), e))?;
            }
            Step::AddAddress { on, address } => {
                let index = self.index(on)?;
                journal.doing(step)?;
                let done = self.at(&on.netns)?.netlink.add_address(index, *address);
                done.map_err(|e| LabError::io(format!("give {on} the address {address}"), e))?;
            }
            Step::AddRoute { on, gateway } => {
                let index = self.index(on)?;
                journal.doing(step)?;
                let done = self.at(&on.netns)?.netlink.add_default_route(index, *gateway);
                done.map_err(|e| LabError::io(format!("make {gateway} the default gateway on {on}"), e))?;
            }
            Step::Configure { on, mac, mtu } => {
                journal.doing(step)?;
                self.configure(on, *mac, *mtu)?;
            }
            Step::Enslave { on, bridge } => {
                journal.doing(step)?;
                let controller =
                    self.index(&Location { netns: on.netns.clone(), interface: bridge.clone() })?;
                let change = LinkChange { controller: Some(controller), ..LinkChange::default() };
                self.change(on, &change, &format!("put {on} into the bridge `{bridge}`"))?;
            }
            Step::MakeBridge { on } => {
                journal.doing(step)?;
                let tag = self.tag.clone();
                let made = self.at(&on.netns)?.netlink.add_bridge(&on.interface);
                made.map_err(|e| LabError::io(format!("make the bridge {on}"), e))?;
                let change = LinkChange { alias: Some(&tag), ..LinkChange::default() };
                self.change(on, &change, &format!("tag the bridge {on}"))?;
            }
        }
        Ok(None)
    }

    /// Takes a step back, as far as there is something of ours to take back.
    pub(super) fn undo(&mut self, step: &Step) -> Result<(), LabError> {
        let doing = || format!("take back {step}");
        match step {
            Step::Configure { .. } => Ok(()),
            Step::MakeNamespace { node, .. } => {
                self.spaces.remove(&Netns::Node(node.clone()));
                netns::withdraw(node, &self.tag).map(drop).map_err(|e| LabError::io(doing(), e))
            }
            Step::MakeCable { on, peer } => {
                // either end takes the other along; after a kill it may be anywhere on its way
                self.delete(&Netns::Own, peer)?;
                self.delete(&on.netns, &on.interface)
            }
            Step::MakeBridge { on } => self.delete(&on.netns, &on.interface),
            Step::OpenPort { kind: PortKind::Raw, .. } => Ok(()),
            Step::OpenPort { on, .. } => self.delete(&on.netns, &on.interface),
            Step::AddAddress { on, address } => self
                .with_link(on, |netlink, index| netlink.delete_address(index, *address))
                .map_err(|e| LabError::io(doing(), e)),
            Step::AddRoute { on, gateway } => self
                .with_link(on, |netlink, index| netlink.delete_default_route(index, *gateway))
                .map_err(|e| LabError::io(doing(), e)),
            Step::Enslave { on, .. } => {
                let change = LinkChange { controller: Some(0), ..LinkChange::default() };
                self.with_link(on, |netlink, index| netlink.change_link(index, &change))
                    .map_err(|e| LabError::io(doing(), e))
            }
        }
    }

    /// The number of a namespace.
    pub(super) fn inode(&mut self, netns: &Netns) -> Result<u64, LabError> {
        let inode = netns::inode(&self.at(netns)?.netns);
        inode.map_err(|e| LabError::io(format!("look at {}", path(netns).display()), e))
    }

    /// Whether there is an interface of that name, whoever made it. One that cannot be looked for is not there.
    pub(super) fn is_there(&mut self, on: &Location) -> bool {
        self.space(&on.netns).is_ok_and(|space| space.has(&on.interface))
    }

    /// Opens the files of others' namespaces again: those that name another namespace by now, and the conversations with
    /// these. A file that is gone, or names no namespace, is none of them. What nobody has a use for is let go.
    pub(super) fn look_again(&mut self, in_use: impl Fn(&Netns) -> bool) -> Result<Spaces, LabError> {
        let is_theirs = |netns: &Netns| matches!(netns, Netns::Named(_) | Netns::Path(_));
        self.spaces.retain(|netns, _| !is_theirs(netns) || in_use(netns));
        let mut others = Spaces::new();
        for (netns, space) in self.spaces.iter().filter(|(netns, _)| is_theirs(netns)) {
            let Ok(file) = netns::open(&path(netns)) else { continue };
            let failed = |e| LabError::io(format!("enter {}", path(netns).display()), e);
            if netns::is_namespace(&file) && !netns::is_same(&file, &space.netns).map_err(failed)? {
                others.insert(netns.clone(), Space::open(file).map_err(failed)?);
            }
        }
        Ok(others)
    }

    /// From now on the names mean these namespaces; gives those that they meant.
    pub(super) fn exchange(&mut self, spaces: Spaces) -> Spaces {
        let exchange = |(netns, space): (Netns, Space)| {
            let before = self.spaces.insert(netns.clone(), space)?;
            Some((netns, before))
        };
        spaces.into_iter().filter_map(exchange).collect()
    }

    fn make_namespace(&mut self, node: &str, step: &Step, journal: &mut Journal) -> Result<(), LabError> {
        let failed = |e| LabError::io(format!("make the network namespace of the node `{node}`"), e);
        let path = netns::path(node);
        if path.symlink_metadata().is_ok() {
            return Err(LabError::NamespaceExists { path });
        }
        let fd = netns::make(&self.tag).map_err(failed)?;
        journal.doing(step)?;
        journal.namespace(node, netns::inode(&fd).map_err(failed)?)?;
        netns::publish(node, fd.as_fd()).map_err(failed)?;
        let space = Space::open(fd).map_err(failed)?;
        self.spaces.insert(Netns::Node(node.to_owned()), space);
        Ok(())
    }

    fn open_port(
        &mut self,
        on: &Location,
        name: &str,
        kind: PortKind,
        queues: NonZero<usize>,
        id: PortId,
    ) -> Result<Port, LabError> {
        let ours = kind != PortKind::Raw;
        if ours {
            self.must_be_free(&on.netns, &on.interface)?;
        }
        let tag = self.tag.clone();
        let space = self.at(&on.netns)?;
        let netns = (on.netns != Netns::Own).then_some(space.netns.as_fd());
        let port = Port::open(id, kind, &on.interface, queues, netns)
            .map_err(|source| LabError::Port { port: name.to_owned(), source })?;
        if ours {
            let length = if kind == PortKind::PlainTap { TX_QUEUE_LENGTH_PLAIN } else { TX_QUEUE_LENGTH };
            let change = LinkChange { alias: Some(&tag), txqueuelen: Some(length), ..LinkChange::default() };
            self.change(on, &change, &format!("tag {on}"))?;
            let skip = || netns::skip_duplicate_detection(&on.interface);
            match &on.netns {
                Netns::Node(_) => {} // its namespace was born that way
                Netns::Own => skip(),
                Netns::Named(_) | Netns::Path(_) => {
                    netns::within(self.at(&on.netns)?.netns.as_fd(), skip)
                        .map_err(|e| LabError::io(format!("enter the namespace of {on}"), e))?;
                }
            }
        }
        Ok(port)
    }

    fn make_cable(&mut self, on: &Location, peer: &str) -> Result<(), netlink::Error> {
        let tag = self.tag.clone();
        let own = self.space(&Netns::Own)?.netns.try_clone()?;
        let node = &mut self.space(&on.netns)?.netlink;
        node.add_veth([&on.interface, FAR_END])?;
        let tagged = LinkChange { alias: Some(&tag), ..LinkChange::default() };
        let near = node.index(&on.interface)?;
        node.change_link(near, &tagged)?;
        let far = node.index(FAR_END)?;
        node.change_link(far, &tagged)?;
        let moved = LinkChange { netns: Some(own.as_fd()), name: Some(peer), ..LinkChange::default() };
        node.change_link(far, &moved)?;
        // it is a wire's end, not an interface of this machine
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{peer}/disable_ipv6"), "1");
        let own = &mut self.space(&Netns::Own)?.netlink;
        let far = own.index(peer)?;
        own.change_link(far, &LinkChange { up: true, ..LinkChange::default() })
    }

    fn configure(&mut self, on: &Location, mac: Option<Mac>, mtu: Option<u32>) -> Result<(), LabError> {
        let change = LinkChange { mac, mtu, up: true, ..LinkChange::default() };
        let wish = match (mac, mtu) {
            (Some(mac), Some(mtu)) => format!("bring up {on} with the address {mac} and MTU {mtu}"),
            _ => format!("bring up {on}"),
        };
        self.change(on, &change, &wish)
    }

    fn change(&mut self, on: &Location, change: &LinkChange<'_>, doing: &str) -> Result<(), LabError> {
        let index = self.index(on)?;
        let done = self.at(&on.netns)?.netlink.change_link(index, change);
        done.map_err(|e| LabError::io(doing.to_owned(), e))
    }

    fn index(&mut self, on: &Location) -> Result<u32, LabError> {
        let found = self.at(&on.netns)?.netlink.index(&on.interface);
        found.map_err(|e| LabError::io(format!("find {on}"), e))
    }

    fn must_be_free(&mut self, netns: &Netns, interface: &str) -> Result<(), LabError> {
        let on = Location { netns: netns.clone(), interface: interface.to_owned() };
        let found = self.at(netns)?.netlink.link(interface);
        match found.map_err(|e| LabError::io(format!("look for {on}"), e))? {
            Some(_) => Err(LabError::InterfaceExists { on }),
            None => Ok(()),
        }
    }

    /// Deletes an interface if it is there and carries our tag.
    fn delete(&mut self, netns: &Netns, interface: &str) -> Result<(), LabError> {
        let on = Location { netns: netns.clone(), interface: interface.to_owned() };
        let tag = self.tag.clone();
        let done = self.with_link(&on, |netlink, index| {
            let ours = netlink.link(&on.interface)?.is_some_and(|l| l.alias.as_deref() == Some(&tag));
            if ours { netlink.delete_link(index) } else { Ok(()) }
        });
        done.map_err(|e| LabError::io(format!("delete {on}"), e))
    }

    /// Does something to an interface; that it, or its whole namespace, is gone or not ours is no error.
    fn with_link(
        &mut self,
        on: &Location,
        work: impl FnOnce(&mut Netlink, u32) -> Result<(), netlink::Error>,
    ) -> Result<(), netlink::Error> {
        let space = match self.space(&on.netns) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let Some(link) = space.netlink.link(&on.interface)? else { return Ok(()) };
        match work(&mut space.netlink, link.index) {
            Err(e) if e.is_missing() => Ok(()),
            other => other,
        }
    }

    fn at(&mut self, netns: &Netns) -> Result<&mut Space, LabError> {
        self.space(netns).map_err(|e| LabError::io(format!("enter {}", path(netns).display()), e))
    }

    /// The conversation with a namespace. A node's that is not ours counts as not found.
    fn space(&mut self, netns: &Netns) -> io::Result<&mut Space> {
        if !self.spaces.contains_key(netns) {
            let fd = netns::open(&path(netns))?;
            if !netns::is_namespace(&fd) {
                return Err(io::Error::new(io::ErrorKind::NotFound, "it is not a network namespace"));
            }
            if matches!(netns, Netns::Node(_)) && !netns::is_tagged(fd.as_fd(), &self.tag)? {
                return Err(io::Error::new(io::ErrorKind::NotFound, "it is not one of this lab"));
            }
            self.spaces.insert(netns.clone(), Space::open(fd)?);
        }
        Ok(self.spaces.get_mut(netns).expect("inserted above if it was not there"))
    }
}

impl Space {
    fn open(netns: OwnedFd) -> io::Result<Self> {
        let netlink = netns::within(netns.as_fd(), Netlink::open)??;
        Ok(Self { netns, netlink })
    }

    /// Whether there is an interface of that name; one that cannot be looked for is not there.
    pub(super) fn has(&mut self, interface: &str) -> bool {
        matches!(self.netlink.link(interface), Ok(Some(_)))
    }
}

/// The file of a namespace.
pub(super) fn path(netns: &Netns) -> PathBuf {
    match netns {
        Netns::Own => Path::new("/proc/thread-self/ns/net").to_owned(),
        Netns::Named(name) | Netns::Node(name) => netns::path(name),
        Netns::Path(path) => path.clone(),
    }
}
