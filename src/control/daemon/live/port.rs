//! `port set`.

use super::leg;
use crate::bridge::{Promiscuous, StpMode};
use crate::control::plan::Plan;
use crate::control::protocol::Refusal;
use crate::control::setting::Setting;

/// The highest path cost of 802.1D-1998, which the kernel keeps to.
const COST_MAX: u32 = 65_535;

/// The plan with the settings. They are judged together, so their order does not matter.
pub(super) fn set(plan: &Plan, name: &str, set: &[Setting]) -> Result<Plan, Refusal> {
    let network = leg::find(plan, name)?.network;
    let mode = leg::network(plan, network)?.bridge.stp.mode;
    for setting in set {
        if let Setting::BackupPort(Some(backup)) = setting {
            let found = leg::find(plan, backup)?;
            if backup == name || found.network != network {
                return Err(Refusal {
                    error: format!("`{backup}` cannot stand in for `{name}`"),
                    hint: Some(format!("a backup is another port of `{network}`")),
                });
            }
        }
    }
    let mut edited = plan.clone();
    let Some(settings) = edited.settings_mut(name) else { return Ok(edited) };
    for setting in set {
        setting.apply(&mut settings.leg);
        if let Setting::BackupPort(backup) = setting {
            settings.backup.clone_from(backup);
        }
    }
    if settings.leg.stp.cost > COST_MAX && mode != StpMode::Rstp {
        return Err(Refusal {
            error: format!("a cost of {} is more than STP can tell others", settings.leg.stp.cost),
            hint: Some(format!("it is from 1 to {COST_MAX}, unless the network has `stp = \"rstp\"`")),
        });
    }
    if settings.leg.mab && !settings.leg.locked {
        return Err(Refusal {
            error: format!("`mab` notes whom a locked port turns away, and `{name}` is not locked"),
            hint: Some(format!("`vswitchd port set {name} locked on mab on`, or both off")),
        });
    }
    if settings.leg.promiscuous == Promiscuous::Deny && settings.leg.mac.is_none() {
        return Err(Refusal {
            error: format!("`{name}` is to receive for one address only, and that is not known"),
            hint: Some("give the port a `mac` in the file".into()),
        });
    }
    Ok(edited)
}
