//! `show mdb`: the lines of `bridge -d mdb show`.

use crate::control::view::{GroupView, MdbView};

pub(super) fn render(view: &MdbView) -> String {
    let mut text: String = view.mdb.iter().map(|group| line(group) + "\n").collect();
    for (network, routers) in &view.router {
        let ports: Vec<&str> = routers.iter().map(|router| router.port.as_str()).collect();
        text.push_str(&format!("router ports on {network}: {}\n", ports.join(" ")));
    }
    text
}

/// `dev lan port vm1 grp 239.1.1.1 temp vid 10`
pub(in crate::cli) fn line(group: &GroupView) -> String {
    let GroupView { dev, port, grp, src, state, vid, .. } = group;
    let src = src.as_ref().map_or(String::new(), |src| format!(" src {src}"));
    let mode = group.filter_mode.as_ref().map_or(String::new(), |mode| format!(" filter_mode {mode}"));
    let sources: Vec<String> =
        group.source_list.iter().map(|s| format!("{}/{}", s.address, s.timer.trim())).collect();
    let sources =
        if sources.is_empty() { String::new() } else { format!(" source_list {}", sources.join(",")) };
    let vid = vid.map_or(String::new(), |vid| format!(" vid {vid}"));
    format!("dev {dev} port {port} grp {grp}{src} {state}{mode}{sources}{vid}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::control::view::{RouterView, SourceView};

    #[test]
    fn groups_and_routers_are_listed_as_bridge_lists_them() {
        let group = |port: &str, grp: &str| GroupView {
            dev: "lan".into(),
            port: port.into(),
            grp: grp.into(),
            state: "temp".into(),
            ..GroupView::default()
        };
        let router = |port: &str| RouterView { port: port.into(), kind: "temp".into(), timer: None };
        let view = MdbView {
            mdb: vec![
                GroupView { vid: Some(10), timer: Some(" 250.10".into()), ..group("vm1", "239.1.1.1") },
                GroupView { state: "permanent".into(), ..group("lan", "ff05::1:3") },
                GroupView {
                    filter_mode: Some("include".into()),
                    source_list: vec![SourceView { address: "10.0.0.1".into(), timer: "   9.50".into() }],
                    ..group("vm2", "232.1.1.1")
                },
            ],
            router: BTreeMap::from([("lan".into(), vec![router("vm1"), router("uplink")])]),
        };
        let expected = "\
dev lan port vm1 grp 239.1.1.1 temp vid 10
dev lan port lan grp ff05::1:3 permanent
dev lan port vm2 grp 232.1.1.1 temp filter_mode include source_list 10.0.0.1/9.50
router ports on lan: vm1 uplink
";
        assert_eq!(render(&view), expected);
        assert_eq!(
            serde_json::to_string(&view.mdb[0]).expect("plain data"),
            r#"{"dev":"lan","port":"vm1","grp":"239.1.1.1","state":"temp","vid":10,"timer":" 250.10"}"#
        );
        let json = serde_json::to_string(&view.router).expect("plain data");
        assert_eq!(json, r#"{"lan":[{"port":"vm1","type":"temp"},{"port":"uplink","type":"temp"}]}"#);
    }
}
