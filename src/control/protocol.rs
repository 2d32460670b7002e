//! What the command line and a running switch say to each other: a public interface.
//!
//! The socket is `/run/vswitchd/LAB.sock` (see [`super::place`]), a stream socket of mode 0600 that only its owner and
//! root may talk to. The client writes one JSON object per line and gets one JSON object per line back, in the same
//! order; a line is at most [`LINE_MAX`] bytes long. An answer has either `ok` or `error`, and with `error` perhaps a
//! `hint`:
//!
//! ```text
//! > {"op":"hello"}
//! < {"ok":{"hello":{"version":"0.1.0","lab":"docker","pid":4711,"protocol":1}}}
//! > {"op":"show","what":"drops"}
//! < {"ok":{"show":{"drops":[{"port":"vm1","direction":"in","reason":"isolated","count":3,"explanation":"…"}]}}}
//! > {"op":"show","what":"conntrack","sessions":{"proto":"tcp","src":"172.17.0.2","limit":1}}
//! < {"ok":{"show":{"conntrack":{"sessions":[{"router":"gw",…}],"total":812,"next":{"router":"gw","place":17}}}}}
//! > {"op":"explain","port":"vm1","frame":"ffffffffffff0242ac1100020806…"}
//! < {"ok":{"explain":[{"text":"arrives on docker0 through vm1","line":12}]}}
//! > {"op":"node","name":"boxA"}
//! < {"ok":{"node":{"name":"boxA","netns":"/run/netns/boxA","pid":4711}}}
//! > {"op":"edit","edit":{"vlan_add":{"port":"vm1","vlan":10,"pvid":true,"untagged":true}}}
//! < {"ok":{"lines":["port vm1 changed"]}}
//! > {"op":"edit","edit":{"port_set":{"name":"vm1","set":[["isolated","on"],["cost","100"]]}}}
//! < {"ok":{"lines":["port vm1 changed"]}}
//! > {"op":"reload"}
//! < {"ok":{"lines":["port vm3 added"]}}
//! > {"op":"stop"}
//! < {"ok":"done"}
//! > {"op":"capture","name":"docker0","snaplen":96}
//! < {"ok":"stream"}                 and from here on the connection is a pcapng file
//! > {"op":"monitor","what":["fdb","stp"]}
//! < {"ok":"stream"}                 and from here on each line is an event
//! > gibberish
//! < {"error":"not a request: expected value at line 1 column 1","hint":"…"}
//! ```
//!
//! A client must not fail on keys that it does not know: new ones may come. A request with a key that the switch does
//! not know is refused, because ignoring what was asked for is worse. Field names of `show` are those of
//! [`super::view`], of sessions that are asked for those of [`super::sessions`], of edits those of [`super::edit`], of
//! events those of [`super::event`].

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::edit::Edit;
use super::event::Topic;
pub use super::hex::{Hex, HexError};
use super::sessions::SessionQuery;
use super::view::View;

/// The version of these rules; it changes when an old client could misunderstand.
pub const PROTOCOL: u32 = 1;
/// The longest request, in bytes, with its newline. Room for a frame of 32 KiB in hexadecimal.
pub const LINE_MAX: usize = 64 * 1024;
/// With more unread answers than this, in bytes, a client may not ask for more: it is cut off.
pub const UNREAD_MAX: usize = 1024 * 1024;
/// How many bytes of each frame a capture keeps, unless the request says otherwise: all.
pub const SNAPLEN_MAX: u32 = 262_144;
/// What `capture` takes besides the names of ports and networks: the frames that ended with a reason.
pub const CAPTURE_DROPS: &str = "drops";

/// What a client can ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// Turns the connection into a pcapng file of what passes; answered with [`Body::Stream`].
    Capture {
        /// A port, a network, or [`CAPTURE_DROPS`].
        name: String,
        /// Bytes kept of each frame, at least 1.
        #[serde(default = "snaplen_max")]
        snaplen: u32,
    },
    /// Changes what runs, but not the file; answered with [`Body::Lines`], what was done.
    Edit {
        /// What to change.
        edit: Edit,
    },
    /// What would happen to this frame now; answered with [`Body::Explain`].
    Explain {
        /// The port it would come in on.
        port: String,
        /// The frame, from its destination address on.
        frame: Hex,
    },
    /// Who is there; answered with [`Body::Hello`].
    Hello,
    /// Turns the connection into events, one per line; answered with [`Body::Stream`].
    Monitor {
        /// What is watched; nothing is everything.
        #[serde(default)]
        what: Vec<Topic>,
    },
    /// Where a node is; answered with [`Body::Node`].
    Node {
        /// Its name in the file.
        name: String,
    },
    /// Applies the changed file; answered with [`Body::Lines`], what was done.
    Reload,
    /// What there is; answered with [`Body::Show`].
    Show {
        /// Of what.
        what: What,
        /// Which sessions; only of [`What::Conntrack`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sessions: Option<SessionQuery>,
    },
    /// Takes the lab down, as SIGTERM; answered with [`Body::Done`].
    Stop,
}

/// What can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Flows that routers follow, as /proc/net/nf_conntrack
    Conntrack,
    /// Why frames ended, per port and reason
    Drops,
    /// Who is behind which port, as `bridge fdb show`
    Fdb,
    /// Who wants which multicast, as `bridge mdb show`
    Mdb,
    /// Whom routers know at which hardware address, as `ip neigh`
    #[value(aliases = ["neigh", "neighbours"])]
    Neighbors,
    /// Networks with their ports, as `brctl show`
    Networks,
    /// The lab's machines, and whether their command runs
    Nodes,
    /// Ports with their counters, as `ip -s link`
    Ports,
    /// Published ports and where they lead, as `docker ps` has them
    Publish,
    /// Routers with their interfaces, and who fills their tables
    Routers,
    /// Where routers send packets, as `ip route`
    Routes,
    /// What gateways let pass and translate, as `iptables -S`
    Rules,
    /// The books of the whole switch
    Stats,
    /// Spanning trees, as `brctl showstp`
    Stp,
    /// Which port is in which VLANs, as `bridge vlan show`
    Vlan,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conntrack => "conntrack",
            Self::Drops => "drops",
            Self::Fdb => "fdb",
            Self::Mdb => "mdb",
            Self::Neighbors => "neighbors",
            Self::Networks => "networks",
            Self::Nodes => "nodes",
            Self::Ports => "ports",
            Self::Publish => "publish",
            Self::Routers => "routers",
            Self::Routes => "routes",
            Self::Rules => "rules",
            Self::Stats => "stats",
            Self::Stp => "stp",
            Self::Vlan => "vlan",
        })
    }
}

/// What the switch answers. One of the two keys is there, never both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Response {
    /// It could not be done.
    Error(Refusal),
    /// It was done.
    Ok {
        /// What was asked for.
        ok: Body,
    },
}

impl Response {
    /// An answer that says why not.
    pub fn error(message: impl Into<String>) -> Self {
        Self::Error(Refusal { error: message.into(), hint: None })
    }

    /// The same, with what to do about it.
    pub fn error_with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Error(Refusal { error: message.into(), hint: Some(hint.into()) })
    }

    /// An answer with what was asked for.
    pub fn ok(body: Body) -> Self {
        Self::Ok { ok: body }
    }
}

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    /// One sentence: what is wrong, with the value.
    pub error: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        Self::Error(refusal)
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// It was done, and there is nothing to say.
    Done,
    /// The steps of a frame's walk.
    Explain(Vec<ExplainStep>),
    /// Who is there.
    Hello(Hello),
    /// Text for people.
    Lines(Vec<String>),
    /// Where a node is.
    Node(NodePlace),
    /// What there is.
    Show(View),
    /// What follows this line is no answer but what was asked for: a capture, or events.
    Stream,
}

/// A step of a frame's walk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainStep {
    /// What happened.
    pub text: String,
    /// The line of the file that decided it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// Who is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the program.
    pub version: String,
    /// The lab's name.
    pub lab: String,
    /// The process.
    pub pid: u32,
    /// [`PROTOCOL`].
    pub protocol: u32,
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePlace {
    /// Its name.
    pub name: String,
    /// Its network namespace, as vswitchd sees it.
    pub netns: PathBuf,
    /// vswitchd itself: without root, its namespaces have to be entered first.
    pub pid: u32,
}

fn snaplen_max() -> u32 {
    SNAPLEN_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_read_as_documented() {
        let vm1 = || String::from("vm1");
        let port_80 = SessionQuery { port: Some(80), ..SessionQuery::default() };
        let table: &[(&str, Option<Request>, &str)] = &[
            (r#"{"op":"hello"}"#, Some(Request::Hello), "no arguments"),
            (
                r#"{"op":"show","what":"fdb"}"#,
                Some(Request::Show { what: What::Fdb, sessions: None }),
                "an argument",
            ),
            (
                r#"{"op":"show","what":"conntrack","sessions":{"port":80}}"#,
                Some(Request::Show { what: What::Conntrack, sessions: Some(port_80) }),
                "some of them",
            ),
            (r#"{"op":"show","what":"conntrack","sessions":{"colour":1}}"#, None, "of no session"),
            (
                r#"{"op":"capture","name":"vm1"}"#,
                Some(Request::Capture { name: vm1(), snaplen: SNAPLEN_MAX }),
                "without a snaplen everything is kept",
            ),
            (
                r#"{"frame":"00:FF aB","port":"vm1","op":"explain"}"#,
                Some(Request::Explain { port: vm1(), frame: Hex(vec![0, 0xff, 0xab]) }),
                "keys in any order, hex as people paste it",
            ),
            (r#"{"op":"explain","port":"vm1","frame":"0"}"#, None, "half a byte"),
            (r#"{"op":"node","name":"a","color":1}"#, None, "a key we do not know may have been important"),
            (r#"{"op":"dance"}"#, None, "no such operation"),
            (r#"{"op":"show","what":"weather"}"#, None, "nothing to show"),
            (r#"["op"]"#, None, "not an object"),
            ("", None, "nothing"),
        ];
        for (text, expected, why) in table {
            assert_eq!(serde_json::from_str::<Request>(text).ok(), *expected, "{why}: {text}");
        }
    }

    #[test]
    fn answers_survive_the_wire_and_read_as_documented() {
        let node = NodePlace { name: "boxA".into(), netns: "/run/netns/boxA".into(), pid: 1 };
        let step = ExplainStep { text: "dropped".into(), line: None };
        let table = [
            (Response::ok(Body::Done), r#"{"ok":"done"}"#),
            (Response::ok(Body::Stream), r#"{"ok":"stream"}"#),
            (Response::error("no"), r#"{"error":"no"}"#),
            (Response::error_with_hint("no", "yes"), r#"{"error":"no","hint":"yes"}"#),
            (Response::ok(Body::Explain(vec![step])), r#"{"ok":{"explain":[{"text":"dropped"}]}}"#),
            (Response::ok(Body::Show(View::Ports(Vec::new()))), r#"{"ok":{"show":{"ports":[]}}}"#),
            (
                Response::ok(Body::Node(node)),
                r#"{"ok":{"node":{"name":"boxA","netns":"/run/netns/boxA","pid":1}}}"#,
            ),
        ];
        for (response, text) in table {
            assert_eq!(serde_json::to_string(&response).expect("plain data"), text);
            assert_eq!(serde_json::from_str::<Response>(text).expect(text), response);
        }
    }
}
