//! What a capture shows of what passes the gateway: frames as they come in and as they leave, not as they lie in memory.

use std::process::Stdio;

use crate::real_common::{self, File, alone, ping};
use crate::{address, far, lab};

/// Enough for a few pings and whatever else machines say.
const FRAMES: &str = "12";

/// The answers used to be shown as the gateway had translated them, so that a capture of the LAN seemed to be full of
/// guests' addresses.
#[test]
fn a_capture_of_the_lan_shows_no_guests() {
    alone("captures::a_capture_of_the_lan_shows_no_guests", || {
        let file = File::new("captures", &lab());
        let running = file.start();
        let (guest, router) = ([172, 17, 0, 2], [192, 168, 178, 27]);
        for (network, sees, sees_not) in [("lan", router, guest), ("docker0", guest, router)] {
            let mut capture = real_common::command(&["capture", network, "--count", FRAMES]);
            let mut capture = capture.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("built");
            while capture.try_wait().expect("our child").is_none() {
                let outcome = ping("tap", &address(&far("tap"), false).to_string());
                assert!(outcome.ok, "{outcome:?}");
            }
            let shown = capture.wait_with_output().expect("our child").stdout;
            let has = |ip: [u8; 4]| shown.windows(4).any(|bytes| bytes == ip);
            assert!(has(sees), "{network}: {} bytes without {sees:?}", shown.len());
            assert!(!has(sees_not), "{network}: {sees_not:?} is shown");
        }
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}
