//! A control socket with made-up answers behind it, on a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

use mio::{Events, Poll, Token, Waker};
use vswitchd::control::protocol::Request;
use vswitchd::control::server::{Answer, Server};

/// Runs until it is dropped; then the socket and its directory are gone.
pub(crate) struct Dummy {
    dir: PathBuf,
    path: PathBuf,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Dummy {
    /// A server at `…/NAME.sock` that answers with `handler`.
    pub(crate) fn start(name: &str, mut handler: impl FnMut(Request) -> Answer + Send + 'static) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("vswitchd-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(unique);
        let path = dir.join(format!("{name}.sock"));
        let mut poll = Poll::new().expect("a poll");
        let mut server = Server::bind(&path).expect("a directory of our own");
        server.register(poll.registry(), Token(100)).expect("a fresh poll");
        let waker = Waker::new(poll.registry(), Token(0)).expect("a fresh poll");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut events = Events::with_capacity(8);
            while !stopped.load(Ordering::Acquire) {
                match poll.poll(&mut events, None) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    result => result.expect("a poll"),
                }
                // `ready` has nothing to do for a token that is not the server's
                events.iter().for_each(|event| server.ready(event.token(), &mut handler));
            }
        });
        Self { dir, path, stop, waker, thread: Some(thread) }
    }

    /// The socket.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Dummy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake().expect("the poll is still there");
        let ended = self.thread.take().expect("taken only here").join();
        let removed = std::fs::remove_dir(&self.dir);
        if !std::thread::panicking() {
            ended.expect("the server must survive whatever the test did");
            removed.expect("the server leaves nothing in its directory");
        }
    }
}
