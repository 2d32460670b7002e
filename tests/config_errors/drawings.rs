//! A few whole drawings: what a user sees.

use vswitchd::control::config;

#[test]
fn a_drawing_shows_the_place_the_text_and_the_way_out() {
    let text = "[[network]]\nname = \"lan\"\nmut = 1500\n";
    let drawn = config::parse(text, "lab").expect_err("a misspelt key").render("lab.toml", text, false);
    let expected = "\
error: [[network]] has no key `mut`
 --> lab.toml:3:1
  |
3 | mut = 1500
  | ^^^ unknown key
  |
  = help: did you mean `mtu`?
";
    assert_eq!(drawn, expected);
}

#[test]
fn a_drawing_of_a_collision_shows_both_places() {
    let text = "\
[[network]]
name = \"a\"
host = \"10.0.0.1/16\"

[[network]]
name = \"b\"
host = \"10.0.7.1/24\"
";
    let drawn = config::parse(text, "lab").expect_err("an overlap").render("lab.toml", text, false);
    let expected = "\
error: the host cannot tell 10.0.7.0/24 from 10.0.0.0/16
 --> lab.toml:7:8
  |
3 | host = \"10.0.0.1/16\"
  |        ------------- with this
...
7 | host = \"10.0.7.1/24\"
  |        ^^^^^^^^^^^^^ overlaps
  |
  = help: give each network with `host` a range of its own
";
    assert_eq!(drawn, expected);
}

#[test]
fn a_drawing_of_a_publish_shows_what_it_does_not_fit() {
    let text = "\
[[network]]
name = \"docker0\"
[[network]]
name = \"lan\"
[[router]]
name = \"gw\"
[[router.interface]]
network = \"docker0\"
address = \"172.17.0.1/16\"
role = \"inside\"
[[router.interface]]
network = \"lan\"
address = \"192.168.178.27/24\"
[[router.publish]]
listen = \"192.168.178.28:80\"
to = \"192.168.178.5:80\"
[[router.publish]]
listen = \"8000-8010\"
to = \"172.17.0.2\"
[[router.publish]]
listen = \"192.168.178.27:8005\"
to = \"172.17.0.2:80\"
";
    let drawn = config::parse(text, "lab").expect_err("three faults").render("lab.toml", text, false);
    let expected = "\
error: 192.168.178.28 is not an address of the router
  --> lab.toml:15:10
   |
13 | address = \"192.168.178.27/24\"
   |           ------------------- there it is 192.168.178.27
14 | [[router.publish]]
15 | listen = \"192.168.178.28:80\"
   |          ^^^^^^^^^^^^^^^^^^^ not the router's
   |
   = help: its addresses are 172.17.0.1, 192.168.178.27; without an address, a port is published at all of them

error: 192.168.178.5 is in no inside network of the router
  --> lab.toml:16:6
   |
13 | address = \"192.168.178.27/24\"
   |           ------------------- its network is not inside
...
16 | to = \"192.168.178.5:80\"
   |      ^^^^^^^^^^^^^^^^^^ not inside
   |
   = help: write role = \"inside\" in its [[router.interface]]

error: 192.168.178.27:8005 (tcp) is published already
  --> lab.toml:21:10
   |
18 | listen = \"8000-8010\"
   |          ----------- first used here
...
21 | listen = \"192.168.178.27:8005\"
   |          ^^^^^^^^^^^^^^^^^^^^^ used again here
   |
   = help: without an address, or at a loopback address, a port is published at all of the router's
";
    assert_eq!(drawn, expected);
}

#[test]
fn everything_is_reported_at_once() {
    let text = "\
[lab]
colour = \"red\"
[[network]]
name = \"lan\"
mtu = \"1500\"
stp = 1
bogus = 1
[[network]]
name = \"lan\"
[[port]]
name = \"vm1\"
network = \"lann\"
kind = \"tun\"
mac = \"01:00:5e:00:00:01\"
isolatd = true
[[expect]]
from = \"boxZ\"
kind = \"ping\"
to = \"10.0.0.300\"
result = \"maybe\"
";
    let drawn = config::parse(text, "lab").expect_err("many faults").render("many.toml", text, false);
    let expected = "\
error: [lab] has no key `colour`
 --> many.toml:2:1
  |
2 | colour = \"red\"
  | ^^^^^^ unknown key
  |
  = help: its keys are: `name`, `threads`

error: `mtu` must be a whole number, not a string
 --> many.toml:5:7
  |
5 | mtu = \"1500\"
  |       ^^^^^^ expected a whole number
  |
  = help: without quotes: mtu = 1500

error: `stp` must be true, false or a word, not a number
 --> many.toml:6:7
  |
6 | stp = 1
  |       ^ expected true, false or a word

error: [[network]] has no key `bogus`
 --> many.toml:7:1
  |
7 | bogus = 1
  | ^^^^^ unknown key
  |
  = help: its keys are: `name`, `host`, `host_vlan`, `mac`, `mtu`, `ageing`, `fdb_max`, `group_fwd_mask`, `no_linklocal_learn`, `l2_control`, `icc`, `flap`, `vlan_filtering`, `vlan_protocol`, `vlan_default_pvid`, `stp`, `priority`, `hello_time`, `max_age`, `forward_delay`, `multicast_snooping`, `multicast`

error: there are two networks named \"lan\"
 --> many.toml:9:8
  |
4 | name = \"lan\"
  |        ----- first used here
...
9 | name = \"lan\"
  |        ^^^^^ used again here

error: there is no network \"lann\"
  --> many.toml:12:11
   |
12 | network = \"lann\"
   |           ^^^^^^ not in this file
   |
   = help: did you mean `lan`?

error: `kind` cannot be \"tun\"
  --> many.toml:13:8
   |
13 | kind = \"tun\"
   |        ^^^^^ unknown
   |
   = help: it is one of: `raw`, `tap`

error: 01:00:5e:00:00:01 is a group address: many stations, not one
  --> many.toml:14:7
   |
14 | mac = \"01:00:5e:00:00:01\"
   |       ^^^^^^^^^^^^^^^^^^^ not a station's address
   |
   = help: write six pairs of hexadecimal digits whose first pair is even, like 02:42:ac:11:00:02

error: [[port]] has no key `isolatd`
  --> many.toml:15:1
   |
15 | isolatd = true
   | ^^^^^^^ unknown key
   |
   = help: did you mean `isolated`?

error: there is no node \"boxZ\"
  --> many.toml:17:8
   |
17 | from = \"boxZ\"
   |        ^^^^^^ not in this file
   |
   = help: each node of this file: `host`

error: \"10.0.0.300\" is not an IP address
  --> many.toml:19:6
   |
19 | to = \"10.0.0.300\"
   |      ^^^^^^^^^^^^ not an address
   |
   = help: such as \"192.168.50.5\"

error: `result` cannot be \"maybe\"
  --> many.toml:20:10
   |
20 | result = \"maybe\"
   |          ^^^^^^^ unknown
   |
   = help: it is one of: `ok`, `fail`
";
    assert_eq!(drawn, expected);
}

#[test]
fn json_says_the_same() {
    let text = "[[network]]\nname = \"lan\"\n[[network]]\nname = \"lan\"\n";
    let json = config::parse(text, "lab").expect_err("a name twice").to_json("lab.toml", text);
    assert_eq!(json[0]["severity"], "error");
    assert_eq!(json[0]["message"], "there are two networks named \"lan\"");
    assert_eq!(
        (&json[0]["file"], &json[0]["line"], &json[0]["column"]),
        (&"lab.toml".into(), &4.into(), &8.into())
    );
    assert_eq!(json[0]["labels"][1]["line"], 2, "where it was first used");
    assert_eq!(json[0]["labels"][1]["text"], "first used here");
}
