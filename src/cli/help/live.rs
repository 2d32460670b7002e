//! Help for the commands that change a running lab.

pub(in crate::cli) const FDB: &str = "\
Examples:
  vswitchd fdb add 02:42:ac:11:00:02 vm1          a static entry
  vswitchd fdb del 02:42:ac:11:00:02              forget a station
  vswitchd fdb flush docker0                      forget all that was learned
  vswitchd show fdb                               see the entries

What is set here is gone after `vswitchd reload`, which goes back to the file.";

pub(in crate::cli) const FDB_ADD_USAGE: &str = "vswitchd fdb add MAC [dev] PORT [vlan VID] [sticky]";
pub(in crate::cli) const FDB_ADD: &str = "\
Examples:
  vswitchd fdb add 02:42:ac:11:00:02 vm1
  vswitchd fdb add 02:42:ac:11:00:02 vm1 vlan 10 sticky
  vswitchd fdb add 02:42:ac:11:00:02 dev vm1 master static vlan 10

A static entry does not age. It moves when the station is seen elsewhere, unless
it is sticky. Without a VLAN it holds in every VLAN of the port. An end of a link
is named NETWORK/OTHER.";

pub(in crate::cli) const FDB_DEL_USAGE: &str = "vswitchd fdb del MAC [[dev] PORT] [vlan VID]";
pub(in crate::cli) const FDB_DEL: &str = "\
Examples:
  vswitchd fdb del 02:42:ac:11:00:02
  vswitchd fdb del 02:42:ac:11:00:02 vm1 vlan 10";

pub(in crate::cli) const FDB_FLUSH_USAGE: &str = "vswitchd fdb flush [NETWORK|PORT] [vlan VID]";
pub(in crate::cli) const FDB_FLUSH: &str = "\
Examples:
  vswitchd fdb flush                  on all networks
  vswitchd fdb flush docker0          on one
  vswitchd fdb flush vm1 vlan 10      of one port, in one VLAN

Static entries and the host's own stay.";

pub(in crate::cli) const VLAN: &str = "\
Examples:
  vswitchd vlan add vm1 10 pvid untagged          an access port of VLAN 10
  vswitchd vlan add trunk 10-20                   tagged, several at once
  vswitchd vlan del vm1 1                         out of the default VLAN
  vswitchd show vlan                              see who is where

What is set here is gone after `vswitchd reload`, which goes back to the file.";

pub(in crate::cli) const VLAN_ADD_USAGE: &str =
    "vswitchd vlan add [dev] PORT [vid] VID[-VID] [pvid] [untagged]";
pub(in crate::cli) const VLAN_ADD: &str = "\
Examples:
  vswitchd vlan add vm1 10 pvid untagged
  vswitchd vlan add trunk 10-20
  vswitchd vlan add vid 10 dev vm1 pvid untagged

  pvid       frames that come in without a tag are in this VLAN; a port has one
             such VLAN at most, the last one wins
  untagged   frames of this VLAN leave without a tag

A port that is in the VLAN already is in it as this command says afterwards.";

pub(in crate::cli) const VLAN_DEL_USAGE: &str = "vswitchd vlan del [dev] PORT [vid] VID[-VID]";
pub(in crate::cli) const VLAN_DEL: &str = "\
Examples:
  vswitchd vlan del vm1 10
  vswitchd vlan del vid 10-20 dev trunk";

pub(in crate::cli) const MDB: &str = "\
Examples:
  vswitchd mdb add vm1 239.1.1.1                  vm1 gets this group for good
  vswitchd mdb del vm1 239.1.1.1                  no longer
  vswitchd show mdb                               who is in which group

What is set here is gone after `vswitchd reload`, which goes back to the file.";

pub(in crate::cli) const MDB_ADD_USAGE: &str = "vswitchd mdb add [port] PORT [grp] GROUP [vid VID]";
pub(in crate::cli) const MDB_ADD: &str = "\
Examples:
  vswitchd mdb add vm1 239.1.1.1
  vswitchd mdb add vm1 ff05::1:3 vid 10
  vswitchd mdb add dev lan port vm1 grp 239.1.1.1 permanent vid 10

The network must have `multicast_snooping = true`. Without a VLAN the port is in
the group in every VLAN it is in.";

pub(in crate::cli) const MDB_DEL_USAGE: &str = "vswitchd mdb del [port] PORT [grp] GROUP [vid VID]";
pub(in crate::cli) const MDB_DEL: &str = "\
Examples:
  vswitchd mdb del vm1 239.1.1.1
  vswitchd mdb del dev lan port vm1 grp 239.1.1.1 vid 10

Memberships that machines have reported end by themselves.";

pub(in crate::cli) const PORT: &str = "\
Examples:
  vswitchd port set vm1 isolated on               one flag
  vswitchd port set vm1 cost 100 priority 16      several
  vswitchd show ports                             the flags that are not as usual

What is set here is gone after `vswitchd reload`, which goes back to the file.";

pub(in crate::cli) const PORT_SET_USAGE: &str = "vswitchd port set [dev] PORT FLAG VALUE [FLAG VALUE]...";
pub(in crate::cli) const PORT_SET: &str = "\
Examples:
  vswitchd port set vm1 isolated on
  vswitchd port set vm1 locked on learning off
  vswitchd port set lan/dmz cost 100
  vswitchd port set vm1 state down

Flags, as in bridge(8):
  learning, flood, mcast_flood, bcast_flood, hairpin, isolated, locked, mab,
  neigh_suppress, proxy_arp, bpdu_guard, root_block, fastleave,
  mcast_to_unicast                    on or off
  mcast_router                        0 to 3, or never, learn, always, temp
  mcast_max_groups                    a number; 0 is no limit
  backup_port                         a port of the same network, or none
  group_fwd_mask                      0 to 0xffff, without bit 1
  cost                                1 to 65535; with rstp to 200000000
  priority                            0 to 63
Flags that bridge(8) has not:
  edge                                on, off or auto
  mac_limit                           a number; 0 is no limit
  promiscuous                         allow, deny or monitor
  state                               up or down

All of them are set, or none.";

pub(in crate::cli) const MONITOR: &str = "\
Examples:
  vswitchd monitor                    everything, until Ctrl-C
  vswitchd monitor fdb                stations that come, move and go
  vswitchd monitor stp link -t        with the time
  vswitchd monitor --json | jq -c 'select(.event == \"fdb\") | .mac'

Lines are as those of `bridge monitor`. A reader that is too slow loses events
and is told how many.";
