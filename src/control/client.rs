//! The command line's end of the control socket: finds the running instance and asks it.

use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::place;
use super::protocol::{Body, Hello, LINE_MAX, NodePlace, Refusal, Request, Response, What};
use super::sessions::SessionQuery;
use super::view::{ConntrackView, View};

/// Which instance is meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice<'a> {
    /// The lab of this name.
    pub lab: Option<&'a str>,
    /// The instance behind this socket.
    pub control: Option<&'a Path>,
}

/// A conversation with a running instance.
#[derive(Debug)]
pub struct Client {
    reader: BufReader<UnixStream>,
    path: PathBuf,
}

/// Why the conversation failed, in words for the user.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The instance went away, or what is there is no vswitchd.
    #[error("{}: {what}", path.display())]
    Broken {
        /// Its socket.
        path: PathBuf,
        /// What happened.
        what: String,
    },
    /// The socket cannot be opened.
    #[error("cannot connect to {}: {error}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Nothing runs that we could see.
    #[error("no lab is running{}", if *hidden { " that this user may see" } else { "" })]
    None {
        /// There is a directory of sockets that we may not look into.
        hidden: bool,
    },
    /// Nothing of that name runs.
    #[error("no lab named `{lab}` is running{}", Running(running))]
    NoneNamed {
        /// The name that was asked for.
        lab: String,
        /// The labs that do run.
        running: Vec<String>,
    },
    /// The instance said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// More than one runs.
    #[error("several labs are running: {}", labs.join(", "))]
    Several {
        /// Their names.
        labs: Vec<String>,
    },
    /// The socket is there, but nobody listens.
    #[error("nobody answers on {}: the instance was killed", path.display())]
    Stale {
        /// The socket.
        path: PathBuf,
    },
}

impl ClientError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Broken { .. } => None,
            Self::Connect { error, .. } if error.kind() == ErrorKind::PermissionDenied => {
                Some("the lab belongs to another user: try sudo".into())
            }
            Self::Connect { .. } => Some("the path is printed when the lab starts".into()),
            Self::None { hidden: true } => Some("one that root started needs sudo".into()),
            Self::None { .. } | Self::NoneNamed { .. } => Some("start one with `vswitchd -c FILE`".into()),
            Self::Refused(refusal) => refusal.hint.clone(),
            Self::Several { labs } => Some(format!("choose one, such as `--lab {}`", labs[0])),
            Self::Stale { .. } => Some("`vswitchd clean` removes what it left".into()),
        }
    }
}

impl Client {
    /// Connects to the chosen instance; without a choice, to the only one that runs.
    pub fn connect(choice: Choice<'_>) -> Result<Self, ClientError> {
        match (choice.control, choice.lab) {
            (Some(path), _) => open(path.to_owned()),
            (None, lab) => find(&place::runtime_dirs(), lab),
        }
    }

    /// The socket it is connected to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks, and waits for the answer.
    pub fn request(&mut self, request: &Request) -> Result<Body, ClientError> {
        let mut line = serde_json::to_vec(request).expect("a request is plain data");
        line.push(b'\n');
        if line.len() > LINE_MAX {
            let error = format!("the request is longer than {LINE_MAX} bytes");
            return Err(Refusal { error, hint: None }.into());
        }
        // Where the instance hung up it may have said why, so a failed write is no reason not to read.
        let written = self.reader.get_mut().write_all(&line);
        let mut answer = Vec::new();
        let read = self.reader.read_until(b'\n', &mut answer);
        if answer.is_empty() {
            let error = written.and(read.map(|_| ())).err();
            return Err(self.broken(error.map_or("the instance hung up".into(), |error| error.to_string())));
        }
        match serde_json::from_slice(&answer) {
            Ok(Response::Ok { ok }) => Ok(ok),
            Ok(Response::Error(refusal)) => Err(refusal.into()),
            Err(error) => Err(self.broken(format!("cannot understand the answer: {error}"))),
        }
    }

    /// Who is there.
    pub fn hello(&mut self) -> Result<Hello, ClientError> {
        match self.request(&Request::Hello)? {
            Body::Hello(hello) => Ok(hello),
            _ => Err(self.unexpected()),
        }
    }

    /// Where a node is.
    pub fn node(&mut self, name: &str) -> Result<NodePlace, ClientError> {
        match self.request(&Request::Node { name: name.into() })? {
            Body::Node(place) => Ok(place),
            _ => Err(self.unexpected()),
        }
    }

    /// What there is.
    pub fn show(&mut self, what: What) -> Result<View, ClientError> {
        match self.request(&Request::Show { what, sessions: None })? {
            Body::Show(view) => Ok(view),
            _ => Err(self.unexpected()),
        }
    }

    /// Some of the sessions.
    pub fn sessions(&mut self, query: SessionQuery) -> Result<ConntrackView, ClientError> {
        match self.request(&Request::Show { what: What::Conntrack, sessions: Some(query) })? {
            Body::Show(View::Conntrack(view)) => Ok(view),
            _ => Err(self.unexpected()),
        }
    }

    /// Makes the connection a stream of what the request asks for: what has been read of it already, then the rest.
    pub fn stream(mut self, request: &Request) -> Result<BufReader<UnixStream>, ClientError> {
        match self.request(request)? {
            Body::Stream => Ok(self.reader),
            _ => Err(self.unexpected()),
        }
    }

    /// The answer was not what the question calls for.
    pub fn unexpected(&self) -> ClientError {
        self.broken("the answer is of another kind than the question; is it another version?".into())
    }

    fn broken(&self, what: String) -> ClientError {
        ClientError::Broken { path: self.path.clone(), what }
    }
}

fn open(path: PathBuf) -> Result<Client, ClientError> {
    match UnixStream::connect(&path) {
        Ok(stream) => Ok(Client { reader: BufReader::new(stream), path }),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Err(ClientError::Stale { path }),
        Err(error) => Err(ClientError::Connect { path, error }),
    }
}

/// Connects to the named lab, or to the only one, among the sockets in these directories.
fn find(dirs: &[PathBuf], lab: Option<&str>) -> Result<Client, ClientError> {
    let mut running = Vec::new();
    let mut failed = None;
    for path in dirs.iter().flat_map(|dir| sockets(dir)) {
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned) else { continue };
        match open(path) {
            Ok(client) => running.push((name, client)),
            Err(error) if lab.is_none_or(|lab| lab == name) => failed = Some(error),
            Err(_) => {}
        }
    }
    let labs = |running: &[(String, Client)]| running.iter().map(|(name, _)| name.clone()).collect();
    if let Some(lab) = lab {
        return match running.iter().position(|(name, _)| name == lab) {
            Some(index) => Ok(running.swap_remove(index).1),
            None => {
                Err(failed
                    .unwrap_or_else(|| ClientError::NoneNamed { lab: lab.into(), running: labs(&running) }))
            }
        };
    }
    if running.len() > 1 {
        return Err(ClientError::Several { labs: labs(&running) });
    }
    match running.pop() {
        Some((_, client)) => Ok(client),
        None => {
            let hidden = |dir: &PathBuf| {
                fs::read_dir(dir).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
            };
            Err(failed.unwrap_or(ClientError::None { hidden: dirs.iter().any(hidden) }))
        }
    }
}

/// The sockets in a directory that belongs to us or to root, by name.
fn sockets(dir: &Path) -> Vec<PathBuf> {
    let own = rustix::process::geteuid().as_raw();
    let trusted = |found: &fs::Metadata| found.is_dir() && (found.uid() == own || found.uid() == 0);
    if !fs::symlink_metadata(dir).is_ok_and(|found| trusted(&found)) {
        return Vec::new();
    }
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "sock")).collect();
    paths.sort();
    paths
}

/// `; running: a, b`, or nothing.
struct Running<'a>(&'a [String]);

impl fmt::Display for Running<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; running: {}", self.0.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A directory of sockets, removed in the end.
    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("vswitchd-client-{}-{name}", std::process::id()));
            fs::create_dir(&dir).expect("a name of our own");
            Self(dir)
        }

        fn listen(&self, lab: &str) -> UnixListener {
            UnixListener::bind(self.0.join(format!("{lab}.sock"))).expect("a name of our own")
        }

        fn find(&self, lab: Option<&str>) -> Result<String, String> {
            let found = find(std::slice::from_ref(&self.0), lab);
            let name = |client: Client| client.path().file_name().map(|name| name.display().to_string());
            found.map(|client| name(client).expect("a file")).map_err(|error| error.to_string())
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_right_instance_is_found_or_it_says_why_not() {
        let dir = Dir::new("find");
        assert_eq!(dir.find(None), Err("no lab is running".into()));
        drop(dir.listen("killed"));
        let stale = dir.find(None).expect_err("nobody listens");
        assert!(stale.contains("killed.sock: the instance was killed"), "{stale}");
        let _docker = dir.listen("docker");
        fs::write(dir.0.join("notes.txt"), "").expect("our own directory");
        assert_eq!(dir.find(None), Ok("docker.sock".into()), "the only one that answers");
        let _nat = dir.listen("nat");
        assert_eq!(dir.find(None), Err("several labs are running: docker, nat".into()));
        assert_eq!(dir.find(Some("nat")), Ok("nat.sock".into()));
        assert_eq!(dir.find(Some("web")), Err("no lab named `web` is running; running: docker, nat".into()));
        let stale = dir.find(Some("killed")).expect_err("nobody listens");
        assert!(stale.contains("nobody answers"), "{stale}");
    }

    #[test]
    fn errors_come_with_a_hint() {
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        let table = [
            (ClientError::None { hidden: false }, "vswitchd -c FILE"),
            (ClientError::None { hidden: true }, "sudo"),
            (ClientError::Connect { path: "/x".into(), error: denied }, "sudo"),
            (ClientError::Several { labs: vec!["a".into(), "b".into()] }, "--lab a"),
            (ClientError::Stale { path: "/x".into() }, "vswitchd clean"),
            (Refusal { error: "no".into(), hint: Some("see `show ports`".into()) }.into(), "show ports"),
        ];
        for (error, expected) in table {
            assert!(error.hint().is_some_and(|hint| hint.contains(expected)), "{error}");
        }
    }
}
