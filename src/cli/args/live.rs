//! The commands that change a running lab, and the one that watches it.
//!
//! What follows their first word is read as iproute2 would read it ([`crate::cli::words`]), because that is what their
//! users' fingers know; the usage line shows the short form.

use clap::{Args, Subcommand};

use crate::cli::help::live as help;
use crate::control::event::Topic;
use crate::wire::mac::Mac;

/// `fdb`
#[derive(Debug, Subcommand)]
pub enum FdbCommand {
    /// Say where a station is, as `bridge fdb add … static`
    #[command(override_usage = help::FDB_ADD_USAGE, after_help = help::FDB_ADD)]
    Add {
        /// The station
        mac: Mac,

        /// Behind which port
        #[arg(required = true, value_name = "PORT")]
        words: Vec<String>,

        /// Only in this VLAN
        #[arg(long, value_name = "VID")]
        vlan: Option<String>,

        /// It never moves
        #[arg(long)]
        sticky: bool,
    },

    /// Remove the entries of a station, static and learned ones
    #[command(override_usage = help::FDB_DEL_USAGE, after_help = help::FDB_DEL)]
    Del {
        /// The station
        mac: Mac,

        /// Only behind this port
        #[arg(value_name = "PORT")]
        words: Vec<String>,

        /// Only in this VLAN
        #[arg(long, value_name = "VID")]
        vlan: Option<String>,
    },

    /// Forget what was learned
    #[command(override_usage = help::FDB_FLUSH_USAGE, after_help = help::FDB_FLUSH)]
    Flush {
        /// Only on this network, or behind this port
        #[arg(value_name = "NAME")]
        words: Vec<String>,

        /// Only in this VLAN
        #[arg(long, value_name = "VID")]
        vlan: Option<String>,
    },
}

/// `vlan`
#[derive(Debug, Subcommand)]
pub enum VlanCommand {
    /// Put a port into VLANs, or change its place in them
    #[command(override_usage = help::VLAN_ADD_USAGE, after_help = help::VLAN_ADD)]
    Add {
        /// The port, the VLAN or a range, and what the port is to it
        #[arg(required = true, value_name = "WORDS")]
        words: Vec<String>,
    },

    /// Take a port out of VLANs
    #[command(override_usage = help::VLAN_DEL_USAGE, after_help = help::VLAN_DEL)]
    Del {
        /// The port and the VLAN or a range
        #[arg(required = true, value_name = "WORDS")]
        words: Vec<String>,
    },
}

/// `mdb`
#[derive(Debug, Subcommand)]
pub enum MdbCommand {
    /// Put a port into a multicast group for good
    #[command(override_usage = help::MDB_ADD_USAGE, after_help = help::MDB_ADD)]
    Add(MdbArgs),

    /// Take it out again
    #[command(override_usage = help::MDB_DEL_USAGE, after_help = help::MDB_DEL)]
    Del(MdbArgs),
}

/// `mdb add` and `mdb del`
#[derive(Args, Debug)]
pub struct MdbArgs {
    /// The port and the group
    #[arg(required = true, value_name = "WORDS")]
    pub words: Vec<String>,

    /// Only in this VLAN
    #[arg(long, value_name = "VID")]
    pub vlan: Option<String>,
}

/// `port`
#[derive(Debug, Subcommand)]
pub enum PortCommand {
    /// Change settings of a port, as `bridge link set`
    #[command(override_usage = help::PORT_SET_USAGE, after_help = help::PORT_SET)]
    Set {
        /// The port, then flags and values
        #[arg(required = true, value_name = "WORDS")]
        words: Vec<String>,
    },
}

/// `monitor`
#[derive(Args, Debug)]
pub struct MonitorArgs {
    /// What to watch; everything when absent
    pub what: Vec<Topic>,

    /// Print JSON, an object per line
    #[arg(long)]
    pub json: bool,

    /// Begin each line with the time, in UTC
    #[arg(short, long, conflicts_with = "json")]
    pub timestamp: bool,

    /// Stop after this many events
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}
