//! `show conntrack`: the lines of /proc/net/nf_conntrack.
//!
//! The switch answers with a page at a time. Text is printed page by page, so that a million sessions need no memory here either;
//! how many there were is said beside it, on standard error, as conntrack(8) does.

use std::process::ExitCode;

use crate::cli::args::{SessionArgs, ShowArgs};
use crate::cli::output;
use crate::control::client::{Client, ClientError};
use crate::control::sessions::{PAGE_MAX, SessionQuery};
use crate::control::view::ConntrackView;

/// How many are shown unless it is said.
const LIMIT: usize = 1000;

pub(super) fn run(args: &ShowArgs, mut client: Client) -> anyhow::Result<ExitCode> {
    let mut all = ConntrackView::default();
    let mut shown = 0;
    pages(&args.sessions, &mut client, |mut page| {
        shown += page.sessions.len();
        (all.total, all.next) = (page.total, page.next.take());
        match args.json {
            true => all.sessions.append(&mut page.sessions),
            false => output::print(&render(&page))?,
        }
        Ok(())
    })?;
    match args.json {
        true => output::print_json(&all)?,
        false => eprintln!("{}", summary(shown, &all)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks for page after page until there are enough, or no more.
fn pages(
    args: &SessionArgs,
    client: &mut Client,
    mut show: impl FnMut(ConntrackView) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let mut left = match args.limit.unwrap_or(LIMIT) {
        0 => usize::MAX,
        limit => limit,
    };
    let mut query = SessionQuery {
        src: args.src,
        dst: args.dst,
        proto: args.proto,
        port: args.port,
        ..Default::default()
    };
    loop {
        query.limit = Some(left.min(PAGE_MAX));
        let page = client.sessions(query.clone())?;
        if page.next.is_some() && page.next == query.from {
            let what = "the switch makes no progress in the table of sessions".to_owned();
            return Err(ClientError::Broken { path: client.path().to_owned(), what }.into());
        }
        left = left.saturating_sub(page.sessions.len());
        query.from = page.next.clone();
        show(page)?;
        if left == 0 || query.from.is_none() {
            return Ok(());
        }
    }
}

pub(super) fn render(page: &ConntrackView) -> String {
    page.sessions.iter().map(|session| session.text.clone() + "\n").collect()
}

/// How many there were, and what to do if there are more.
fn summary(shown: usize, all: &ConntrackView) -> String {
    let more = if all.next.is_some() { "; --limit shows more" } else { "" };
    format!("{shown} of {} sessions have been shown{more}", all.total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::sessions::SessionPlace;

    #[test]
    fn the_summary_says_whether_there_are_more() {
        let mut all = ConntrackView { total: 812, ..ConntrackView::default() };
        assert_eq!(summary(3, &all), "3 of 812 sessions have been shown");
        all.next = Some(SessionPlace::default());
        assert_eq!(summary(3, &all), "3 of 812 sessions have been shown; --limit shows more");
    }
}
