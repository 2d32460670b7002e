//! `[router.nat]`: how addresses and ports are translated. The kinds of NAT are those of RFC 3489, in the terms of
//! RFC 4787 a mapping and a filtering each.

use super::ports;
use crate::control::config::scope::Scope;
use crate::control::config::tables::RawNat;
use crate::control::config::value::Inline;
use crate::router::nat::ports::{Filtering, Mapping};

/// What is said of translation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Nat {
    /// How ports are chosen.
    pub(super) mapping: Mapping,
    /// Which strangers may answer.
    pub(super) filtering: Filtering,
    /// The ports that masqueraded flows get.
    pub(super) ports: Option<(u16, u16)>,
}

/// The table, or the defaults.
pub(super) fn resolve(scope: &mut Scope, raw: Option<&Inline<RawNat>>) -> Nat {
    let Some(Inline(raw)) = raw else { return Nat::default() };
    let words = [
        ("full-cone", (Mapping::EndpointIndependent, Filtering::None)),
        ("linux", (Mapping::Kernel, Filtering::AddressAndPort)),
        ("port-restricted", (Mapping::EndpointIndependent, Filtering::AddressAndPort)),
        ("restricted", (Mapping::EndpointIndependent, Filtering::Address)),
        ("symmetric", (Mapping::Symmetric, Filtering::AddressAndPort)),
    ];
    let behaviour = raw.behaviour.given().and_then(|text| scope.word(text, "behaviour", &words));
    let (mut mapping, filtering) = behaviour.unwrap_or_default();
    if let (Some(&random), Some(span)) = (raw.random.value(), raw.random.span()) {
        let contradicts = match mapping {
            Mapping::EndpointIndependent => random,
            Mapping::Kernel => false,
            Mapping::Symmetric => !random,
        };
        if let (true, Some(text)) = (contradicts, raw.behaviour.given()) {
            let what = if random { "keeps the port of a guest" } else { "gives every flow a random port" };
            scope
                .error(
                    span,
                    "contradicts it",
                    format!("`random = {random}`, but a {:?} NAT {what}", text.get_ref()),
                )
                .also(text.span(), "the behaviour")
                .help("remove one of them");
        } else if random {
            // as `--random-fully` (P7)
            mapping = Mapping::Symmetric;
        }
    }
    let ports = raw.ports.given().and_then(|text| ports::range(scope, text.get_ref(), &text.span(), "ports"));
    Nat { mapping, filtering, ports }
}
