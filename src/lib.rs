//! vswitchd: a virtual network lab in one process. This is the first page of its manual.
//!
//! # Bird's-eye view
//!
//! A frame walks from device to device along wires. Devices are bridges; wires are links between bridges, and ports,
//! where the graph meets the outside. Isolation is not a rule but the absence of a wire. The lab's file *is* the graph.
//!
//! ```text
//!  file ── control::config ──► Plan ──┬── lab: namespaces, interfaces, programs ──► open ports
//!                                     │                                                │
//!                                     └── control::diff ──► fabric::Change             │
//!                                                                │                     │
//!            engine, a thread each:   port ──► fabric ──► port ◄─┴─────────────────────┘
//! ```
//!
//! The core ([`time`], [`wire`], [`table`], [`frame`], [`verdict`], [`trace`], [`bridge`], [`router`], [`fabric`]) is sans-IO: frames
//! and the time go in, deliveries come out. The edge ([`port`]) turns descriptors into frames and back. Only the
//! [`engine`] knows both. [`control`] reads the file and answers questions, [`lab`] makes the machines, [`cli`] talks to
//! the user, [`sim`] is a world for tests.
//!
//! # Glossary
//!
//! | word | meaning |
//! |---|---|
//! | *network* | an Ethernet segment of the file; one learning bridge |
//! | *node* | in the file, a machine of the lab; in [`fabric`], a device of the graph |
//! | *port* | an interface that frames enter and leave through ([`port::Port`], [`frame::PortId`]) |
//! | *leg* | where a wire is plugged into a device ([`frame::Leg`]) |
//! | *link* | a wire between two networks |
//! | *cable* | a veth pair from a machine into vswitchd's own namespace |
//! | *island* | networks and routers that wires join ([`control::plan::Island`]); each lives on one engine |
//! | *station* | whoever owns a MAC address; the FDB says behind which leg |
//! | *verdict* | what a device says to a frame; a drop has a [`verdict::Reason`] |
//! | *plan* | what a file means ([`control::plan`]) |
//! | *step* | something done to the system for a plan, with its undo (`lab::step`) |
//!
//! # Invariants
//!
//! - Every received frame ends in exactly one column of the books ([`fabric::Books`]).
//! - After a flood nobody edits the frame; only the edge completes and cuts, and leaves it as it was.
//! - Nothing a guest sends makes anything grow without bound, panic, or wait.
//! - Expiry is exact at lookup; sweeping only gives memory back.
//! - Explaining a frame runs the code that forwards it.
//! - What is made can be undone, after a crash too, and nothing else is ever removed.
//!
//! ARCHITECTURE.md has the code map and the reasons.

pub mod bridge;
pub mod cli;
pub mod control;
pub mod engine;
pub mod fabric;
pub mod frame;
pub mod lab;
pub mod port;
pub mod router;
pub mod sim;
pub mod table;
pub mod time;
pub mod trace;
pub mod verdict;
pub mod wire;
