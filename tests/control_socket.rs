//! Whatever a client does to the control socket, others are served and the thread behind it goes on.

mod dummy;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use dummy::Dummy;
use vswitchd::control::client::{Choice, Client, ClientError};
use vswitchd::control::protocol::{Body, LINE_MAX, Request, Response, UNREAD_MAX};
use vswitchd::control::server::{Answer, CLIENTS_MAX, Server};

const HELLO: &str = "{\"op\":\"hello\"}\n";
const DONE: &str = "{\"ok\":\"done\"}\n";

/// `node` answers with as many bytes as its name says, `capture` with a stream, all others with done.
fn answer(request: Request) -> Answer {
    match request {
        Request::Capture { name, .. } => Answer::Stream(Box::new(move |mut stream| {
            // the client may have gone, which is its right
            let _ = stream.write_all(name.as_bytes());
        })),
        Request::Node { name } => {
            let length = name.parse().expect("the tests ask for a number");
            Answer::Reply(Response::ok(Body::Lines(vec!["x".repeat(length)])))
        }
        _ => Answer::Reply(Response::ok(Body::Done)),
    }
}

fn connect(path: &Path) -> BufReader<UnixStream> {
    BufReader::new(UnixStream::connect(path).expect("the server listens"))
}

fn read_line(client: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).expect("an answer in UTF-8");
    line
}

/// What the server says to these bytes, after which the connection must still work.
fn said_to(client: &mut BufReader<UnixStream>, bytes: &[u8]) -> String {
    client.get_mut().write_all(bytes).expect("the server reads");
    let said = read_line(client);
    client.get_mut().write_all(HELLO.as_bytes()).expect("the server reads");
    assert_eq!(read_line(client), DONE, "after {:?}", String::from_utf8_lossy(bytes));
    said
}

#[test]
fn garbage_gets_an_error_and_the_connection_lives_on() {
    let server = Dummy::start("lab", answer);
    let mut client = connect(server.path());
    let deep = format!("{}\n", "[".repeat(60_000));
    let table: [(&[u8], &str); 8] = [
        (b"hello\n", "text"),
        (b"\n", "an empty line"),
        (b"{}\n", "an object without op"),
        (b"{\"op\":\"show\"}\n", "a request that misses something"),
        (b"{\"op\":\"hello\"\n", "half an object on a whole line"),
        (b"\x00\xff\xfe\x80\n", "binary"),
        (b"\"\xc3\x28\"\n", "not UTF-8"),
        (deep.as_bytes(), "nesting to exhaust a parser's stack"),
    ];
    for (bytes, why) in table {
        let said = said_to(&mut client, bytes);
        assert!(said.starts_with("{\"error\":\"not a request: "), "{why}: {said}");
    }
}

#[test]
fn a_request_may_come_in_pieces_and_several_at_once() {
    let server = Dummy::start("lab", answer);
    let mut client = connect(server.path());
    for byte in HELLO.bytes() {
        client.get_mut().write_all(&[byte]).expect("the server reads");
    }
    assert_eq!(read_line(&mut client), DONE);
    // more than one turn's worth
    client.get_mut().write_all(HELLO.repeat(500).as_bytes()).expect("the server reads");
    (0..500).for_each(|_| assert_eq!(read_line(&mut client), DONE));
    // without a newline, as `printf | nc -N` would
    client.get_mut().write_all(HELLO.trim_end().as_bytes()).expect("the server reads");
    client.get_mut().shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(read_line(&mut client), DONE);
    assert_eq!(read_line(&mut client), "", "and the server hangs up");
}

#[test]
fn the_longest_line_is_read_and_a_longer_one_ends_the_connection() {
    let server = Dummy::start("lab", answer);
    let mut client = connect(server.path());
    let blanks = " ".repeat(LINE_MAX - HELLO.len());
    client.get_mut().write_all(format!("{blanks}{HELLO}").as_bytes()).expect("the server reads");
    assert_eq!(read_line(&mut client), DONE);

    for end in ["", "\n"] {
        let mut client = connect(server.path());
        // the server hangs up before it has read all of it
        let _ = client.get_mut().write_all(format!("{}{end}", "x".repeat(LINE_MAX + 1)).as_bytes());
        assert!(read_line(&mut client).contains("longer than 65536 bytes"));
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest);
        assert!(rest.is_empty(), "nothing after the error");
    }
    let mut endless = connect(server.path());
    let chunk = vec![b'x'; 1 << 16];
    let refused = (0..1000).any(|_| endless.get_mut().write_all(&chunk).is_err());
    assert!(refused, "an endless line is not read to its end");
}

#[test]
fn as_many_clients_as_there_is_room_for() {
    let server = Dummy::start("lab", answer);
    let mut clients: Vec<_> = (0..CLIENTS_MAX).map(|_| connect(server.path())).collect();
    for client in &mut clients {
        client.get_mut().write_all(HELLO.as_bytes()).expect("the server reads");
        assert_eq!(read_line(client), DONE);
    }
    let mut late = connect(server.path());
    assert!(read_line(&mut late).contains("too many clients"));
    assert_eq!(read_line(&mut late), "", "and the connection is closed");

    let mut leaving = clients.pop().expect("there are many");
    leaving.get_mut().shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(read_line(&mut leaving), "", "the server has let it go");
    let mut next = connect(server.path());
    next.get_mut().write_all(HELLO.as_bytes()).expect("the server reads");
    assert_eq!(read_line(&mut next), DONE, "there is room again");
}

#[test]
fn a_reader_that_is_slow_waits_alone() {
    let server = Dummy::start("lab", answer);
    let long = 2 * UNREAD_MAX;
    let ask = format!("{{\"op\":\"node\",\"name\":\"{long}\"}}\n");
    let mut slow = connect(server.path());
    slow.get_mut().write_all(ask.as_bytes()).expect("the server reads");
    let mut other = connect(server.path());
    other.get_mut().write_all(HELLO.as_bytes()).expect("the server reads");
    assert_eq!(read_line(&mut other), DONE, "nobody waits for the slow one");
    assert!(read_line(&mut slow).len() > long, "who reads in the end gets all of it");

    slow.get_mut().write_all(ask.repeat(3).as_bytes()).expect("the server reads");
    // reading only now that the server has dealt with what came before this
    other.get_mut().write_all(HELLO.as_bytes()).expect("the server reads");
    assert_eq!(read_line(&mut other), DONE);
    let mut all = Vec::new();
    let _ = slow.read_to_end(&mut all);
    assert!(all.len() < long, "who asks for more with that much to read is cut off: {} bytes", all.len());
}

#[test]
fn a_stream_follows_its_announcement() {
    let server = Dummy::start("lab", answer);
    let client = Client::connect(Choice { lab: None, control: Some(server.path()) }).expect("it listens");
    let request = Request::Capture { name: "the stream".into(), snaplen: 64 };
    let mut all = String::new();
    client.stream(&request).expect("a stream").read_to_string(&mut all).expect("text");
    assert_eq!(all, "the stream");
}

#[test]
fn the_socket_is_for_its_owner() {
    let server = Dummy::start("lab", answer);
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(server.path()), 0o600);
    let dir = server.path().parent().expect("a directory");
    assert_eq!(mode(dir), 0o700);

    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become somebody else who tries to connect");
        return;
    }
    // as open as can be, so that only the credentials stand in the way
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
    };
    open(dir, 0o755);
    open(server.path(), 0o666);
    let script = format!(
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect({:?}); print(s.recv(999).decode())",
        server.path()
    );
    match Command::new("python3").arg("-c").arg(script).uid(65534).gid(65534).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("only the user who started vswitchd, or root"), "{said} {output:?}");
        }
        Err(error) => eprintln!("SKIPPED: python3, to be somebody else with, does not run: {error}"),
    }
}

#[test]
fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
    let server = Dummy::start("lab", answer);
    let dir = server.path().parent().expect("a directory");
    let inode = |path: &Path| std::fs::metadata(path).expect("it is there").ino();
    let before = inode(server.path());
    let error = Server::bind(server.path()).expect_err("somebody is there");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains("already running"), "{error}");
    assert_eq!(inode(server.path()), before);

    let dead = dir.join("dead.sock");
    drop(UnixListener::bind(&dead).expect("a new name"));
    let alive = Server::bind(&dead).expect("nobody answers there");
    assert!(UnixStream::connect(&dead).is_ok());
    std::fs::remove_file(&dead).expect("it is there");
    let successor = UnixListener::bind(&dead).expect("the name is free");
    drop(alive);
    assert!(dead.exists(), "the socket of a successor is not ours to remove");
    drop(successor);
    std::fs::remove_file(&dead).expect("it is there");

    let file = dir.join("notes.txt");
    std::fs::write(&file, "precious").expect("a new name");
    assert!(Server::bind(&file).is_err(), "a file is not a dead socket");
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "precious");
    std::fs::remove_file(&file).expect("it is there");

    let long = dir.join("x".repeat(120));
    assert!(Server::bind(&long).is_err(), "longer than a socket's name may be");
}

#[test]
fn a_client_understands_what_goes_wrong() {
    let server = Dummy::start("lab", answer);
    let choice = Choice { lab: None, control: Some(server.path()) };
    let mut client = Client::connect(choice).expect("it listens");
    assert!(matches!(client.hello(), Err(ClientError::Broken { .. })), "done is no hello");
    let long = Request::Node { name: "9".repeat(LINE_MAX) };
    assert!(matches!(client.request(&long), Err(ClientError::Refused(_))), "not even sent");
    assert!(matches!(client.request(&Request::Hello), Ok(Body::Done)), "and so nothing is broken");

    let dead = server.path().with_file_name("dead.sock");
    drop(UnixListener::bind(&dead).expect("a new name"));
    let stale = Client::connect(Choice { lab: None, control: Some(&dead) });
    assert!(matches!(stale, Err(ClientError::Stale { .. })));
    std::fs::remove_file(&dead).expect("it is there");
    assert!(matches!(
        Client::connect(Choice { lab: None, control: Some(&dead) }),
        Err(ClientError::Connect { .. })
    ));
}
