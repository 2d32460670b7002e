//! Stories as their readers see them.

use std::fmt;

use super::{Action, Story};
use crate::bridge::{BridgeConfig, LegConfig};
use crate::fabric::Change;

/// As a reader wants it: what was set up, and what happened then.
impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "story of seed {}:", self.seed)?;
        self.setup.iter().try_for_each(|change| writeln!(f, "  set up  {}", Plain(change)))?;
        self.actions.iter().enumerate().try_for_each(|(at, action)| writeln!(f, "  {at:5}  {action}"))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(change) => write!(f, "{}", Plain(change)),
            Self::Frame(port, bytes) => {
                write!(f, "frame into port {}, {} bytes: ", port.0, bytes.len())?;
                bytes.iter().take(96).try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Wait(duration) => write!(f, "wait {duration:?}"),
        }
    }
}

/// A change with only those settings that are not the default.
struct Plain<'a>(&'a Change);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            Change::AddPort(..) | Change::ConfigureLeg(..) => {
                without(&format!("{:?}", self.0), &format!("{:?}", LegConfig::default()))
            }
            Change::AddBridge(..) | Change::ConfigureBridge(..) => {
                without(&format!("{:?}", self.0), &format!("{:?}", BridgeConfig::default()))
            }
            other => format!("{other:?}"),
        };
        f.write_str(&text)
    }
}

/// The text without those `name: value` that stand in the default as well.
fn without(text: &str, default: &str) -> String {
    let fields = |text: &str| -> Vec<String> {
        let inside =
            text.split_once("{ ").and_then(|(_, rest)| rest.rsplit_once(" }")).map(|(inside, _)| inside);
        inside.unwrap_or_default().split(", ").map(str::to_owned).collect()
    };
    let default = fields(default);
    let kept: Vec<_> = fields(text).into_iter().filter(|field| !default.contains(field)).collect();
    let head = text.split_once(" {").map_or(text, |(head, _)| head);
    format!("{head} {{ {} }})", kept.join(", "))
}
