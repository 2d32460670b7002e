//! Which tables the file has, with which keys of which types.

use std::ops::Range;

use super::raw::{Field, Fields, Table, tables};
use super::value::{Either, Inline, List, Numbers, OneOrMore, Rows, Seconds, Vids};

tables! {
    /// The file.
    RawFile = "the file" {
        lab: RawLab,
        network: Rows<RawNetwork>,
        link: Rows<RawLink>,
        port: Rows<RawPort>,
        fdb: Rows<RawFdb>,
        mdb: Rows<RawMdb>,
        node: Rows<RawNode>,
        router: Rows<RawRouter>,
        expect: Rows<RawExpect>,
    }

    /// `[lab]`
    RawLab = "[lab]" {
        name: String,
        threads: i64,
    }

    /// `[[network]]`
    RawNetwork = "[[network]]" {
        name: String,
        host: OneOrMore,
        host_vlan: Inline<RawVlan>,
        mac: String,
        mtu: i64,
        ageing: Seconds,
        fdb_max: i64,
        group_fwd_mask: i64,
        no_linklocal_learn: bool,
        l2_control: OneOrMore,
        icc: bool,
        flap: Inline<RawFlap>,
        vlan_filtering: bool,
        vlan_protocol: String,
        vlan_default_pvid: i64,
        stp: Either<bool, String>,
        priority: i64,
        hello_time: Seconds,
        max_age: Seconds,
        forward_delay: Seconds,
        multicast_snooping: bool,
        multicast: Inline<RawMulticast>,
    }

    /// What a loop looks like.
    RawFlap = "`flap`" {
        moves: i64,
        window: Seconds,
        quarantine: Seconds,
    }

    /// Multicast snooping, without the `mcast_` of ip-link(8).
    RawMulticast = "`multicast`" {
        querier: bool,
        igmp_version: i64,
        mld_version: i64,
        hash_max: i64,
        last_member_count: i64,
        startup_query_count: i64,
        last_member_interval: Seconds,
        membership_interval: Seconds,
        querier_interval: Seconds,
        query_interval: Seconds,
        query_response_interval: Seconds,
        startup_query_interval: Seconds,
        router: Either<i64, String>,
        query_address: String,
        flood_solicited_node: bool,
    }

    /// `[[link]]`
    RawLink = "[[link]]" {
        networks: List,
        end: Rows<RawEnd>,
        ..leg: RawLeg,
    }

    /// `[[link.end]]`
    RawEnd = "[[link.end]]" {
        network: String,
        ..leg: RawLeg,
    }

    /// `[[port]]`
    RawPort = "[[port]]" {
        name: String,
        interface: String,
        netns: String,
        ..settings: RawSettings,
    }

    /// `[[node.interface]]`
    RawInterface = "[[node.interface]]" {
        name: String,
        peer: String,
        ..settings: RawSettings,
    }

    /// What `[[port]]` and `[[node.interface]]` have in common.
    RawSettings = "a port" {
        network: String,
        kind: String,
        address: OneOrMore,
        mac: String,
        mtu: i64,
        gateway: OneOrMore,
        offload: bool,
        queues: i64,
        ..leg: RawLeg,
    }

    /// What every leg of a bridge has: ports and ends of links.
    RawLeg = "a port" {
        learning: bool,
        flood: bool,
        mcast_flood: bool,
        bcast_flood: bool,
        hairpin: bool,
        isolated: bool,
        locked: bool,
        mab: bool,
        neigh_suppress: bool,
        proxy_arp: bool,
        group_fwd_mask: i64,
        backup_port: String,
        promiscuous: String,
        mac_limit: i64,
        source_guard: Inline<RawSourceGuard>,
        storm_limit: Inline<RawStormLimit>,
        cost: i64,
        priority: i64,
        bpdu_guard: bool,
        root_block: bool,
        edge: Either<bool, String>,
        point_to_point: bool,
        mcast_router: Either<i64, String>,
        fastleave: bool,
        mcast_to_unicast: bool,
        mcast_max_groups: i64,
        ..vlans: RawVlans,
    }

    /// The VLANs of a leg, in full or in short.
    RawVlans = "a port" {
        vlan: Inline<RawVlan>,
        access: i64,
        trunk: Vids,
        native: i64,
    }

    /// The VLANs of a leg, in full.
    RawVlan = "`vlan`" {
        pvid: i64,
        untagged: Vids,
        tagged: Vids,
    }

    /// Who may send.
    RawSourceGuard = "`source_guard`" {
        mac: OneOrMore,
        ip: OneOrMore,
    }

    /// Frames per second, a large one counted as those that it will be cut into.
    RawStormLimit = "`storm_limit`" {
        broadcast: i64,
        multicast: i64,
        unknown_unicast: i64,
    }

    /// `[[fdb]]`
    RawFdb = "[[fdb]]" {
        network: String,
        mac: String,
        port: String,
        vlan: i64,
        sticky: bool,
    }

    /// `[[mdb]]`
    RawMdb = "[[mdb]]" {
        network: String,
        group: String,
        port: String,
        vlan: i64,
    }

    /// `[[node]]`
    RawNode = "[[node]]" {
        name: String,
        setup: OneOrMore,
        command: List,
        interface: Rows<RawInterface>,
        bridge: Rows<RawBridge>,
    }

    /// `[[node.bridge]]`
    RawBridge = "[[node.bridge]]" {
        name: String,
        interfaces: OneOrMore,
        address: OneOrMore,
    }

    /// `[[expect]]`
    RawExpect = "[[expect]]" {
        from: String,
        to: String,
        kind: String,
        port: String,
        at: String,
        join: bool,
        sees: String,
        keeps_port: bool,
        result: String,
        timeout: Seconds,
    }

    /// `[[router]]`
    RawRouter = "[[router]]" {
        name: String,
        interface: Rows<RawRouterInterface>,
        route: Rows<RawRoute>,
        publish: Rows<RawPublish>,
        rule: Rows<RawRule>,
        conntrack: Inline<RawConntrack>,
        nat: Inline<RawNat>,
    }

    /// `[[router.interface]]`
    RawRouterInterface = "[[router.interface]]" {
        network: String,
        address: OneOrMore,
        role: String,
        mac: String,
        mtu: i64,
        internal: bool,
        icc: bool,
        masquerade: bool,
        snat: String,
        rp_filter: String,
        clamp_mss: bool,
        tcp_reset: bool,
        redirects: bool,
        ..vlans: RawVlans,
    }

    /// `[[router.route]]`
    RawRoute = "[[router.route]]" {
        to: String,
        via: String,
        network: String,
    }

    /// `[[router.publish]]`
    RawPublish = "[[router.publish]]" {
        listen: Either<i64, String>,
        protocol: OneOrMore,
        to: String,
        allow_from: OneOrMore,
    }

    /// `[[router.rule]]`
    RawRule = "[[router.rule]]" {
        from: String,
        to: String,
        source: OneOrMore,
        destination: OneOrMore,
        protocol: OneOrMore,
        port: Numbers,
        source_port: Numbers,
        state: OneOrMore,
        action: String,
        prefix: String,
        limit: i64,
        with: String,
    }

    /// How flows are followed.
    RawConntrack = "[router.conntrack]" {
        max: i64,
        timeouts: Inline<RawTimeouts>,
        invalid: String,
        loose: bool,
        liberal: bool,
        checksum: bool,
    }

    /// How long flows may be silent, without the `nf_conntrack_` and `_timeout` of the kernel's names.
    RawTimeouts = "`timeouts`" {
        generic: Seconds,
        gre: Seconds,
        gre_stream: Seconds,
        icmp: Seconds,
        sctp: Seconds,
        sctp_stream: Seconds,
        tcp_close: Seconds,
        tcp_close_wait: Seconds,
        tcp_established: Seconds,
        tcp_fin_wait: Seconds,
        tcp_last_ack: Seconds,
        tcp_max_retrans: Seconds,
        tcp_syn_recv: Seconds,
        tcp_syn_sent: Seconds,
        tcp_syn_sent2: Seconds,
        tcp_time_wait: Seconds,
        tcp_unacknowledged: Seconds,
        udp: Seconds,
        udp_stream: Seconds,
    }

    /// How addresses and ports are translated.
    RawNat = "[router.nat]" {
        behaviour: String,
        ports: String,
        random: bool,
    }
}
