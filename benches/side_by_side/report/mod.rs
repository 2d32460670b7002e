//! What the rounds say: medians, and ratios between two subjects of the same round.

mod chart;
mod json;
mod requirements;
mod statistics;

use crate::figures::{Figure, Round, Subject};
use crate::systems::System;
use requirements::REQUIREMENTS;
use statistics::Samples;

/// Systems that are compared with each other: what the table is called, and its columns.
type Table = (&'static str, &'static [(&'static str, System, System)]);

/// What a gateway costs beside one network, how far we are from the kernel, what a second thread gains, and what a crowd costs.
const COMPARED: [Table; 3] = [
    (
        "Through a gateway and not, beside Linux and not",
        &[
            ("vswitchd, gateway/network", System::VswitchdGateway, System::Vswitchd),
            ("Linux, gateway/network", System::LinuxGateway, System::LinuxBridge),
            ("network, vswitchd/Linux", System::Vswitchd, System::LinuxBridge),
            ("gateway, vswitchd/Linux", System::VswitchdGateway, System::LinuxGateway),
        ],
    ),
    (
        "With two queues to a port, and two threads",
        &[
            ("two queues/one", System::VswitchdQueues, System::Vswitchd),
            ("two queues/relay", System::VswitchdQueues, System::Relay),
        ],
    ),
    (
        "With 64k stations and with 10",
        &[
            ("vswitchd", System::VswitchdCrowded, System::Vswitchd),
            ("Open vSwitch", System::OpenVswitchCrowded, System::OpenVswitch),
            ("VDE", System::VdeCrowded, System::Vde),
        ],
    ),
];

/// A subject's figure, or the sum of several.
#[derive(Clone, Copy, Debug)]
struct Operand {
    subject: Subject,
    figures: &'static [Figure],
}

impl Operand {
    const fn of(system: System, figures: &'static [Figure]) -> Self {
        Self { subject: Subject::System(system), figures }
    }

    const fn of_core(figures: &'static [Figure]) -> Self {
        Self { subject: Subject::Core, figures }
    }

    /// In that round, if all of them were measured.
    fn value(&self, round: &Round) -> Option<f64> {
        self.figures.iter().map(|figure| round.get(self.subject, *figure)).sum()
    }
}

/// All rounds, to be looked at.
pub(crate) struct Report<'a> {
    rounds: &'a [Round],
    subjects: Vec<Subject>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(rounds: &'a [Round]) -> Self {
        let systems = System::ALL.into_iter().map(Subject::System);
        let all = systems.chain([Subject::Core, Subject::Lab, Subject::Script]);
        let has_figures = |subject: &Subject| {
            let measured = |round: &Round| Figure::ALL.iter().any(|f| round.get(*subject, *f).is_some());
            rounds.iter().any(measured)
        };
        Self { rounds, subjects: all.filter(has_figures).collect() }
    }

    /// Everything, for people.
    pub(crate) fn print(&self) {
        println!(
            "medians of {} rounds; in brackets the ratio to the bare relay of the same round and its quartiles",
            self.rounds.len()
        );
        if cfg!(debug_assertions) {
            println!("(this build is not optimised: the figures mean nothing)");
        }
        Figure::ALL.into_iter().for_each(|figure| self.print_figure(figure));
        COMPARED.iter().for_each(|table| self.print_compared(table));
        self.print_requirements();
    }

    fn print_figure(&self, figure: Figure) {
        let mut is_first = true;
        for subject in &self.subjects {
            let Some(samples) = self.samples(*subject, figure) else { continue };
            if std::mem::take(&mut is_first) {
                println!("\n{}", figure.name());
            }
            let to_relay = self.ratios(*subject, Subject::System(System::Relay), figure);
            let ratio = to_relay.map(|ratios| format!("   {}", spread(&ratios))).unwrap_or_default();
            println!("  {:<26} {:>10}{ratio}", subject.name(), short(samples.median()));
        }
    }

    fn print_compared(&self, (title, columns): &Table) {
        let there = |system: &System| self.subjects.contains(&Subject::System(*system));
        let compared: Vec<_> = columns.iter().filter(|(_, of, to)| there(of) && there(to)).collect();
        if compared.is_empty() {
            return;
        }
        println!("\n{title}: ratios of the same round and their quartiles");
        let names = compared.iter().map(|(name, ..)| format!(" {name:>26}")).collect::<String>();
        println!("  {:<22}{names}", "");
        for figure in Figure::ALL {
            let cells: Vec<_> = compared
                .iter()
                .map(|(_, of, to)| self.ratios(Subject::System(*of), Subject::System(*to), figure))
                .collect();
            if cells.iter().all(Option::is_none) {
                continue;
            }
            let line = cells.iter().fold(format!("  {:<22}", figure.name()), |line, ratios| {
                line + &format!(" {:>26}", ratios.as_ref().map(spread).unwrap_or_default())
            });
            println!("{}", line.trim_end());
        }
    }

    fn print_requirements(&self) {
        println!(
            "\nWhat DESIGN section 6 asks for: medians of both, and of what the rounds say of them, with its quartiles\n\
             and the interval that holds its true median with 95 %"
        );
        println!(
            "  {:<44} {:>9} {:>9} {:>9}  {:<15} {:<19} {:>8}  verdict",
            "requirement", "ours", "theirs", "", "quartiles", "95 %", "limit"
        );
        for requirement in REQUIREMENTS {
            println!("  {}", requirement.judge(self.rounds));
        }
    }

    fn samples(&self, subject: Subject, figure: Figure) -> Option<Samples> {
        Samples::new(self.rounds.iter().filter_map(|round| round.get(subject, figure)))
    }

    /// Of every round that has both figures.
    fn ratios(&self, of: Subject, to: Subject, figure: Figure) -> Option<Samples> {
        if !figure.has_ratio() {
            return None;
        }
        let ratio = |round: &Round| Some(round.get(of, figure)? / round.get(to, figure)?);
        Samples::new(self.rounds.iter().filter_map(ratio))
    }
}

/// The median and between which quartiles it lies.
fn spread(ratios: &Samples) -> String {
    let [low, high] = ratios.quartiles();
    format!("{:>6.2} ×  ({low:.2}–{high:.2})", ratios.median())
}

/// Three digits that matter, or all before the point.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        v if v < 0.1 => format!("{value:.4}"),
        v if v < 10.0 => format!("{value:.2}"),
        v if v < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
