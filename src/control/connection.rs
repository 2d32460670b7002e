//! One client of the control socket: lines in, lines out, nothing that waits.
//!
//! Requests are answered in order, as soon as their line is complete. What the client does not read waits in memory;
//! a client that asks for more while it has over [`UNREAD_MAX`] bytes of answers to read is cut off, so that the
//! memory of a client is bounded by that, plus one answer. An idle client has empty buffers.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use super::protocol::{Body, LINE_MAX, Request, Response, UNREAD_MAX};
use super::server::Answer;

/// Reads and requests of one client in one turn, so that no client has the thread for itself.
const TURN_MAX: usize = 64;
/// Buffers above this many bytes are given back when they are empty.
const KEEP_MAX: usize = 4096;

/// What a blocking thread does with a connection that has become a stream.
pub(super) type Streamer = Box<dyn FnOnce(UnixStream) + Send>;

/// What becomes of a connection after its turn.
pub(super) enum Fate {
    /// There is more to do: give it another turn.
    Again,
    /// It is over.
    Close,
    /// Wait for the poll.
    Keep,
    /// It goes to a thread of its own.
    Stream(Streamer),
}

pub(super) struct Connection {
    stream: UnixStream,
    incoming: Vec<u8>,
    /// Where the first line not yet answered starts in `incoming`.
    start: usize,
    outgoing: Vec<u8>,
    /// How much of `outgoing` the client's socket has taken.
    sent: usize,
    /// Nothing more is to be read: the client has finished, or is not to be listened to.
    ended: bool,
}

impl Connection {
    /// A client on a non-blocking stream.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, incoming: Vec::new(), start: 0, outgoing: Vec::new(), sent: 0, ended: false }
    }

    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Does what can be done now: writes, reads, answers.
    pub(super) fn serve(&mut self, handler: &mut dyn FnMut(Request) -> Answer) -> Fate {
        for _ in 0..TURN_MAX {
            if self.flush().is_err() {
                return Fate::Close;
            }
            if let Some(line) = self.next_line() {
                if self.outgoing.len() - self.sent > UNREAD_MAX {
                    return Fate::Close;
                }
                if let Some(streamer) = self.answer(&line, handler) {
                    return Fate::Stream(streamer);
                }
            } else if self.ended {
                // once more: looking for a line may have found one that is too long, and said so
                let over = self.flush().is_err() || self.outgoing.is_empty();
                return if over { Fate::Close } else { Fate::Keep };
            } else {
                match self.read() {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Fate::Keep,
                    Err(_) => return Fate::Close,
                }
            }
        }
        Fate::Again
    }

    /// The stream, in blocking mode, and what is still to be written to it before anything else.
    pub(super) fn into_stream(self) -> io::Result<(UnixStream, Vec<u8>)> {
        self.stream.set_nonblocking(false)?;
        Ok((self.stream, self.outgoing[self.sent..].to_vec()))
    }

    fn answer(&mut self, line: &[u8], handler: &mut dyn FnMut(Request) -> Answer) -> Option<Streamer> {
        let answer = match serde_json::from_slice(line) {
            Ok(request) => handler(request),
            Err(error) => Answer::Reply(Response::error_with_hint(
                format!("not a request: {error}"),
                r#"write one JSON object per line, such as {"op":"show","what":"ports"}"#,
            )),
        };
        match answer {
            Answer::Reply(response) => {
                self.reply(&response);
                None
            }
            Answer::Stream(streamer) => {
                self.reply(&Response::ok(Body::Stream));
                Some(streamer)
            }
        }
    }

    fn reply(&mut self, response: &Response) {
        let end = self.outgoing.len();
        if let Err(error) = serde_json::to_writer(&mut self.outgoing, response) {
            self.outgoing.truncate(end);
            let sorry = Response::error(format!("the answer cannot be written as JSON: {error}"));
            serde_json::to_writer(&mut self.outgoing, &sorry).expect("a text can be written as JSON");
        }
        self.outgoing.push(b'\n');
    }

    /// The next complete line without its end; at the end of the stream, what is left.
    fn next_line(&mut self) -> Option<Vec<u8>> {
        let rest = &self.incoming[self.start..];
        let end = rest.iter().position(|byte| *byte == b'\n');
        if end.unwrap_or(rest.len()) >= LINE_MAX {
            self.ended = true;
            self.start = self.incoming.len();
            self.reply(&Response::error(format!("a request is longer than {LINE_MAX} bytes")));
            return None;
        }
        let (line, next) = match end {
            Some(end) => (rest[..end].to_vec(), self.start + end + 1),
            None if self.ended && !rest.is_empty() => (rest.to_vec(), self.incoming.len()),
            None => return None,
        };
        self.start = next;
        Some(line)
    }

    fn read(&mut self) -> io::Result<()> {
        self.incoming.drain(..self.start);
        self.start = 0;
        if self.incoming.is_empty() {
            self.incoming.shrink_to(KEEP_MAX);
        }
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => self.ended = true,
            Ok(count) => self.incoming.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.outgoing.len() {
            match self.stream.write(&self.outgoing[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.outgoing.clear();
        self.outgoing.shrink_to(KEEP_MAX);
        self.sent = 0;
        Ok(())
    }
}
