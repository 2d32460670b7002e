//! A chart of the systems beside the bare relay, for the README: bars of the medians, whiskers from quartile to
//! quartile.
//!
//! It is written by hand, as text. Its colours follow the reader's, light or dark, by a style sheet inside.

use std::fmt::Write;

use super::statistics::Samples;
use super::{Operand, Report};
use crate::figures::{Figure, Round, Subject};
use crate::systems::System;

/// What is shown: a title, which figures, and which end is the better one.
const PANELS: [(&str, &[Figure], &str); 4] = [
    ("TCP, one stream", &[Figure::Tcp, Figure::TcpIn], "longer is better"),
    ("TCP, four streams", &[Figure::Tcp4, Figure::Tcp4In], "longer is better"),
    ("Round trip", &[Figure::Rtt], "shorter is better"),
    ("CPU per 64-byte frame", &[Figure::CpuFlood], "shorter is better"),
];

/// In pixels: where the bars begin, how long the longest may be, and how high lines are.
const LEFT: f64 = 190.0;
const LENGTH: f64 = 430.0;
const WIDTH: f64 = 720.0;
const LINE: f64 = 20.0;
const BAR: f64 = 12.0;
const HEADING: f64 = 40.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.note{fill:#57606a}\
.bar{fill:#afb8c1}.ours{fill:#0969da}.one{stroke:#57606a;stroke-dasharray:3 3}\
.whisker{stroke:#24292f;stroke-width:1.5;fill:none}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#8d96a0}.bar{fill:#545d68}.ours{fill:#4493f8}\
.one{stroke:#8d96a0}.whisker{stroke:#e6edf3}}";

impl Report<'_> {
    /// An SVG image.
    pub(crate) fn chart(&self) -> String {
        let mut body = String::new();
        let mut y = 0.0;
        for (title, figures, note) in PANELS {
            y = self.panel(&mut body, y, title, figures, note);
        }
        text(&mut body, 8.0, y + 24.0, "note", &self.legend());
        let height = y + 36.0;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" role=\"img\">\n<title>Systems beside the bare relay</title>\n\
             <style>{STYLE}</style>\n{body}</svg>\n"
        )
    }

    fn legend(&self) -> String {
        format!(
            "Times as much as a bare relay in the same round; medians and quartiles of {} rounds, interleaved.",
            self.rounds.len()
        )
    }

    /// One panel from `y` down; returns where it ends.
    fn panel(&self, body: &mut String, y: f64, title: &str, figures: &'static [Figure], note: &str) -> f64 {
        let bars: Vec<(System, Samples)> = System::ALL
            .into_iter()
            .filter(|system| system.without_crowd().is_none())
            .filter_map(|system| Some((system, self.beside_the_relay(system, figures)?)))
            .collect();
        let longest = bars.iter().map(|(_, ratios)| ratios.quartiles()[1]).fold(1.0, f64::max);
        let place = |ratio: f64| LEFT + ratio / longest * LENGTH;

        text(body, 8.0, y + 26.0, "title", title);
        text(body, LEFT, y + 26.0, "note", note);
        let (top, bottom) = (y + HEADING, y + HEADING + LINE * bars.len() as f64);
        for (index, (system, ratios)) in bars.iter().enumerate() {
            let middle = top + LINE * (index as f64 + 0.5);
            let class = if system.is_ours() { "bar ours" } else { "bar" };
            text(body, 16.0, middle + 4.0, "name", system.name());
            let (start, length) = (middle - BAR / 2.0, place(ratios.median()) - LEFT);
            line(
                body,
                format_args!(
                    "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{start:.1}\" width=\"{length:.1}\" height=\"{BAR}\"/>"
                ),
            );
            let [low, high] = ratios.quartiles().map(place);
            line(
                body,
                format_args!(
                    "<path class=\"whisker\" d=\"M{low:.1} {middle:.1}H{high:.1}M{low:.1} {0:.1}v6M{high:.1} {0:.1}v6\"/>",
                    middle - 3.0
                ),
            );
            text(body, high + 8.0, middle + 4.0, "value", &format!("{:.2}", ratios.median()));
        }
        let one = place(1.0);
        line(body, format_args!("<path class=\"one\" d=\"M{one:.1} {top:.1}V{bottom:.1}\"/>"));
        bottom
    }

    fn beside_the_relay(&self, system: System, figures: &'static [Figure]) -> Option<Samples> {
        let [ours, relay] =
            [system, System::Relay].map(|system| Operand { subject: Subject::System(system), figures });
        let ratio = |round: &Round| Some(ours.value(round)? / relay.value(round)?);
        Samples::new(self.rounds.iter().filter_map(ratio))
    }
}

fn text(body: &mut String, x: f64, y: f64, class: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    line(body, format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{content}</text>"));
}

fn line(body: &mut String, line: std::fmt::Arguments<'_>) {
    // a string takes whatever is written to it
    let _ = writeln!(body, "{line}");
}
