//! Namespaces of others that were made anew under the name they had.
//!
//! A port in somebody else's namespace is opened where its file leads at that moment. When a container is started again, or
//! `ip netns` deletes a name and adds it again, the file leads elsewhere, and nobody tells: the old namespace even lives
//! on, since an open port keeps it. So whoever reloads says [`Lab::look_again`], and the next [`Lab::apply`] moves: what
//! was done in the old namespace is taken back there, and done again in the new one. Nothing is looked for unasked.
//!
//! A name that leads nowhere moves nothing: what stands on it stays, and is in nobody's way.

use std::collections::HashSet;

use super::difference::difference;
use super::runner::Spaces;
use super::step::{Location, Step};
use super::{Lab, LabError};
use crate::port::PortKind;

impl Lab {
    /// Compares the namespaces of others that ports are in with what their files name now, for the next [`Lab::apply`].
    ///
    /// # Errors
    /// If there is another one that cannot be entered.
    pub fn look_again(&mut self) -> Result<(), LabError> {
        let done = &self.done;
        self.anew = self
            .runner
            .look_again(|netns| done.iter().any(|step| step.on().is_some_and(|on| on.netns == *netns)))?;
        Ok(())
    }

    /// Whether it was done in a namespace that its name no longer means.
    pub(super) fn is_elsewhere(&self, step: &Step) -> bool {
        step.on().is_some_and(|on| self.anew.contains_key(&on.netns))
    }

    /// Takes back what was done in namespaces that were made anew; from then on their names mean the new ones. A raw port
    /// whose interface is not there yet is closed and stands, as if it had been deleted. Gives the old namespaces.
    pub(super) fn move_out(&mut self) -> Result<Spaces, LabError> {
        let elsewhere: Vec<Step> = self.done.iter().filter(|step| self.is_elsewhere(step)).cloned().collect();
        let mut anew = std::mem::take(&mut self.anew);
        let mut absent: HashSet<&Location> = HashSet::new();
        for step in &elsewhere {
            if let Step::OpenPort { on, kind: PortKind::Raw, .. } = step
                && anew.get_mut(&on.netns).is_some_and(|space| !space.has(&on.interface))
            {
                absent.insert(on);
                self.closed.insert(step.clone());
            }
        }
        let goes = |step: &Step| elsewhere.contains(step) && !step.on().is_some_and(|on| absent.contains(on));
        let rest: Vec<Step> = self.done.iter().filter(|step| !goes(step)).cloned().collect();
        self.take_back(&difference(&self.done, &rest).undo)?;
        Ok(self.runner.exchange(anew))
    }
}
