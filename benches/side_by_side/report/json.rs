//! Everything that the report knows, for other programs.

use serde_json::{Map, Value, json};

use super::requirements::{Judgement, REQUIREMENTS};
use super::statistics::Samples;
use super::{COMPARED, Report};
use crate::figures::{Figure, Subject};
use crate::systems::System;

impl Report<'_> {
    /// An object with the figures of each subject in each round, the ratios, and the requirements.
    pub(crate) fn json(&self) -> String {
        let figures: Map<String, Value> =
            self.subjects.iter().map(|subject| (subject.name().to_owned(), self.figures(*subject))).collect();
        let of_relay = self
            .subjects
            .iter()
            .filter(|subject| **subject != Subject::System(System::Relay))
            .map(|subject| (*subject, Subject::System(System::Relay)));
        let others = COMPARED
            .iter()
            .flat_map(|(_, columns)| *columns)
            .map(|(_, of, to)| (Subject::System(*of), Subject::System(*to)));
        let ratios: Vec<Value> =
            of_relay.chain(others).flat_map(|(of, to)| self.all_ratios(of, to)).collect();
        let requirements: Vec<Value> =
            REQUIREMENTS.iter().map(|requirement| judgement(&requirement.judge(self.rounds))).collect();
        let whole = json!({
            "rounds": self.rounds.len(),
            "optimised": !cfg!(debug_assertions),
            "figures": figures,
            "ratios": ratios,
            "requirements": requirements,
        });
        format!("{whole:#}\n")
    }

    /// By name, a number for each round.
    fn figures(&self, subject: Subject) -> Value {
        let each = |figure: Figure| {
            let values: Vec<_> = self.rounds.iter().map(|round| round.get(subject, figure)).collect();
            values.iter().any(Option::is_some).then(|| (figure.name().to_owned(), json!(values)))
        };
        Value::Object(Figure::ALL.into_iter().filter_map(each).collect())
    }

    fn all_ratios(&self, of: Subject, to: Subject) -> Vec<Value> {
        let each = |figure: Figure| {
            let mut value = samples(&self.ratios(of, to, figure)?);
            value["of"] = of.name().into();
            value["to"] = to.name().into();
            value["figure"] = figure.name().into();
            Some(value)
        };
        Figure::ALL.into_iter().filter_map(each).collect()
    }
}

fn judgement(judgement: &Judgement<'_>) -> Value {
    let mut value = judgement.samples.as_ref().map_or(json!({}), samples);
    value["requirement"] = judgement.name().into();
    value["ours"] = judgement.ours.into();
    value["theirs"] = judgement.theirs.into();
    value["limit"] = judgement.limit().into();
    value["verdict"] = judgement.verdict.name().into();
    value
}

fn samples(samples: &Samples) -> Value {
    json!({
        "median": samples.median(),
        "quartiles": samples.quartiles(),
        "interval": samples.interval(),
        "sorted": samples.values(),
    })
}
