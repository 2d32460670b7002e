//! The control socket's server: part of somebody else's poll loop.
//!
//! The owner of the loop calls [`Server::bind`], [`Server::register`] with a range of tokens, and [`Server::ready`]
//! for every event on one of them; requests come out through the handler it passes, answers go back in. Nothing here
//! blocks, and nothing a client does costs anybody else more than a turn: requests and unread answers are bounded,
//! so is the number of clients, and garbage is answered with an error.
//!
//! Only the user of this process and root may talk to it. The socket is born with mode 0600 (on Linux a socket's mode
//! can be set before it is bound), and the peer's credentials are checked as well, for file systems that know no
//! modes. A capture would block the loop, so [`Answer::Stream`] gives that connection to a thread of its own.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::fs::{FlockOperation, Mode, OFlags};

use super::connection::{Connection, Fate, Streamer};
use super::place;
use super::protocol::{Request, Response};
use crate::port::sys;

/// How many clients can be connected at a time; streams do not count.
pub const CLIENTS_MAX: usize = 64;
/// How many tokens the server needs, from the one given to [`Server::register`] on.
pub const TOKENS: usize = CLIENTS_MAX + 1;

/// What the handler makes of a request.
pub enum Answer {
    /// A line.
    Reply(Response),
    /// The client is told that a stream follows, and the connection, blocking, goes to this function on a new thread.
    Stream(Box<dyn FnOnce(UnixStream) + Send>),
}

/// The listening socket and its clients. Dropping it removes the socket.
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of our socket, so that we never remove another's.
    identity: (u64, u64),
    clients: Vec<Option<Connection>>,
    /// Where events come from, and the first of our tokens; none before [`Server::register`].
    registered: Option<(Registry, usize)>,
}

impl Server {
    /// Listens on `path`, making its directory if necessary. A socket that nobody answers on is replaced.
    ///
    /// # Errors
    /// `AddrInUse` when somebody answers there, or the path is something else than a socket; `InvalidInput` when it is
    /// too long for one (107 bytes); else what the system says. Each says which path.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let named = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("cannot make the control socket {}: {error}", path.display()),
            )
        };
        Self::bind_unnamed(path).map_err(named)
    }

    fn bind_unnamed(path: &Path) -> io::Result<Self> {
        let dir = match path.parent() {
            Some(dir) if dir != Path::new("") => dir,
            _ => Path::new("."),
        };
        place::prepare(dir)?;
        let _lock = lock(dir)?;
        remove_stale(path)?;
        let listener = listen(path)?;
        let found = fs::symlink_metadata(path)?;
        let clients = std::iter::repeat_with(|| None).take(CLIENTS_MAX).collect();
        let identity = (found.dev(), found.ino());
        Ok(Self { listener, path: path.to_owned(), identity, clients, registered: None })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has `registry` report events with the [`TOKENS`] tokens from `first` on. Once.
    pub fn register(&mut self, registry: &Registry, first: Token) -> io::Result<()> {
        registry.register(&mut SourceFd(&self.listener.as_raw_fd()), first, Interest::READABLE)?;
        self.registered = Some((registry.try_clone()?, first.0));
        Ok(())
    }

    /// Whether an event with this token is for [`Server::ready`].
    pub fn owns(&self, token: Token) -> bool {
        self.registered.as_ref().is_some_and(|(_, first)| (*first..*first + TOKENS).contains(&token.0))
    }

    /// Deals with an event on one of our tokens: new clients, requests, room for answers.
    ///
    /// Call it once per event; what a busy client has left to do is reported again.
    pub fn ready(&mut self, token: Token, handler: &mut dyn FnMut(Request) -> Answer) {
        let Some((registry, first)) = &self.registered else { return };
        match token.0.checked_sub(*first) {
            Some(0) => accept(&self.listener, registry, *first, &mut self.clients),
            Some(index) if index < TOKENS => {
                let slot = &mut self.clients[index - 1];
                let Some(mut client) = slot.take() else { return };
                match client.serve(handler) {
                    Fate::Again => *slot = again(registry, token, client),
                    Fate::Close => {}
                    Fate::Keep => *slot = Some(client),
                    Fate::Stream(streamer) => {
                        let _ = registry.deregister(&mut SourceFd(&client.stream().as_raw_fd()));
                        stream(client, streamer);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ours = |found: &fs::Metadata| (found.dev(), found.ino()) == self.identity;
        if fs::symlink_metadata(&self.path).is_ok_and(|found| ours(&found)) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = self.clients.iter().flatten().count();
        f.debug_struct("Server").field("path", &self.path).field("clients", &clients).finish_non_exhaustive()
    }
}

/// Keeps two instances that start at the same moment from removing each other's sockets. Only in the directory that is
/// ours alone: elsewhere a stranger could hold the lock.
fn lock(dir: &Path) -> io::Result<Option<OwnedFd>> {
    if dir != place::runtime_dir() {
        return Ok(None);
    }
    let fd = rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::flock(&fd, FlockOperation::LockExclusive)?;
    Ok(Some(fd))
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, "an instance is already running there")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            use std::os::unix::fs::FileTypeExt;
            if fs::symlink_metadata(path)?.file_type().is_socket() {
                fs::remove_file(path)
            } else {
                Err(io::Error::new(ErrorKind::AddrInUse, "there is a file of that name"))
            }
        }
        Err(error) => Err(error),
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    socket.listen(128)?;
    socket.set_nonblocking(true)?;
    Ok(OwnedFd::from(socket).into())
}

fn accept(listener: &UnixListener, registry: &Registry, first: usize, clients: &mut [Option<Connection>]) {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {
                continue;
            }
            // Nobody is waiting, or there are no descriptors left: the next client's arrival wakes us again.
            Err(_) => return,
        };
        if stream.set_nonblocking(true).is_err() {
            continue;
        }
        if !may_talk(&stream) {
            refuse(&stream, "only the user who started vswitchd, or root, may use this socket");
            continue;
        }
        let Some(index) = clients.iter().position(Option::is_none) else {
            refuse(&stream, "too many clients: 64 are connected already");
            continue;
        };
        let both = Interest::READABLE | Interest::WRITABLE;
        let token = Token(first + 1 + index);
        if registry.register(&mut SourceFd(&stream.as_raw_fd()), token, both).is_ok() {
            clients[index] = Some(Connection::new(stream));
        }
    }
}

fn may_talk(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    sys::peer_uid(stream.as_fd()).is_ok_and(|uid| uid == own || uid == 0)
}

/// Says why and hangs up. A new connection has room for a line; if not, the client sees it closed.
fn refuse(mut stream: &UnixStream, why: &str) {
    let mut line = serde_json::to_vec(&Response::error(why)).expect("a text can be written as JSON");
    line.push(b'\n');
    let _ = stream.write(&line);
}

/// Has the poll report the client again: an edge is reported once, a new registration always.
fn again(registry: &Registry, token: Token, client: Connection) -> Option<Connection> {
    let both = Interest::READABLE | Interest::WRITABLE;
    let told = registry.reregister(&mut SourceFd(&client.stream().as_raw_fd()), token, both);
    told.is_ok().then_some(client)
}

fn stream(client: Connection, streamer: Streamer) {
    // Without a thread there is nobody to tell but the client, who sees the connection closed.
    let _ = std::thread::Builder::new().name("capture".into()).spawn(move || {
        let Ok((mut stream, before)) = client.into_stream() else { return };
        if stream.write_all(&before).is_ok() {
            streamer(stream);
        }
    });
}
