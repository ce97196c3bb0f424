//! `report.html`: one page that needs nothing else, on a phone, on paper and in the dark. Verdict first, then what is true
//! now, then the evidence.
//!
//! Everything is there without the script, which only adds the filter. The page forbids itself every request, and every
//! script and style but its own two, by their hashes.

use super::html::Html;
use super::{RunReport, Verdict, coverage, figures, plots, timeline};
use crate::outcome::{Gate, units};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ring::digest;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A part of the page: the anchor, the heading, the content; no content, no part.
type Part = (&'static str, &'static str, Option<Html>);

/// Renders the page. Size: about 70 bytes a column of the policy, and 60 kB.
pub(super) fn page(report: &RunReport<'_>) -> String {
    let parts: Vec<Part> = vec![
        ("problems", problems_title(report), problems(report)),
        ("live", "What is live", Some(live(report))),
        ("gates", "Gates", gates(report)),
        ("warnings", "Warnings", warnings(report)),
        ("coverage", "What became of each column", coverage::section(report)),
        ("privacy", "How well people are hidden", plots::privacy(report)),
        ("fidelity", "How like production it is", plots::fidelity(report)),
        ("time", "Where the time went", timeline::section(report)),
        ("rows", "Rows and bytes", figures::tables(report)),
        ("drift", "Since the last run", figures::drift(report)),
        ("run", "Who ran what", Some(figures::run(report))),
        ("back", "How to go back", Some(back(report))),
    ];
    let mut html = Html::default();
    head(&mut html, report);
    html.tag("<body>\n<a class=skip href=#main>Skip to the report</a>\n<header>\n");
    banner(&mut html, report, &parts);
    html.tag("</header>\n<main id=main tabindex=-1>\n");
    for (anchor, title, content) in parts {
        let Some(content) = content else { continue };
        html.tag("<section id=").tag(anchor).tag(" aria-labelledby=").tag(anchor).tag("-title>\n<h2 id=");
        html.tag(anchor).tag("-title>").tag(title).tag("</h2>\n").add(content).tag("</section>\n");
    }
    html.tag("</main>\n<footer><p>Written by restage ").text(&report.by.tool_version);
    html.tag(". Names, counts and times only: no value of production or staging stands on this page. The same facts for programs are in <code>report.json</code> beside it.</p></footer>\n");
    html.tag("<script>").tag(SCRIPT).tag("</script>\n</body>\n</html>\n");
    html.finish()
}

fn head(html: &mut Html, report: &RunReport<'_>) {
    html.tag("<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n");
    html.tag("<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src 'sha256-");
    html.text(&BASE64_STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes())));
    html.tag("'; script-src 'sha256-");
    html.text(&BASE64_STANDARD.encode(digest::digest(&digest::SHA256, SCRIPT.as_bytes()))).tag("'\">\n");
    html.tag("<meta name=viewport content=\"width=device-width,initial-scale=1\">\n<meta name=color-scheme content=\"light dark\">\n");
    html.tag("<meta name=referrer content=no-referrer>\n<meta name=robots content=noindex>\n<link rel=icon href=\"data:,\">\n<title>");
    html.text(report.verdict.title()).tag(": ").text(&report.outcome.target).tag(" · restage</title>\n<style>");
    html.tag(STYLE).tag("</style>\n</head>\n");
}

fn banner(html: &mut Html, report: &RunReport<'_>, parts: &[Part]) {
    html.tag("<p class=brand>restage report · <time>").text(report.started_at).tag("</time></p>\n");
    html.tag("<h1>").tag(icon(report.verdict)).text(report.verdict.title()).tag("</h1>\n<p class=lead>");
    html.text(&report.summary).tag("</p>\n");
    let (outcome, columns) = (report.outcome, &report.coverage.totals);
    let ok = outcome.gates.iter().filter(|gate| gate.ok).count();
    let gates =
        if outcome.gates.is_empty() { "none ran".to_owned() } else { format!("{ok} of {}", outcome.gates.len()) };
    let list = [
        ("tables loaded", units::count(outcome.totals.tables)),
        ("rows", units::count(outcome.totals.rows)),
        ("data", units::bytes(outcome.totals.bytes)),
        ("time", units::duration(outcome.totals.ms)),
        (
            "columns masked",
            format!("{} of {}", units::count(columns.masked + columns.nulled), units::count(columns.columns)),
        ),
        ("gates passed", gates),
    ];
    html.tag("<dl class=figures>\n");
    for (label, figure) in list {
        html.tag("<div><dt>").tag(label).tag("</dt><dd>").text(&figure).tag("</dd></div>\n");
    }
    html.tag("</dl>\n<nav aria-label=Sections><ul>\n");
    for (anchor, title, content) in parts {
        if content.is_some() {
            html.tag("<li><a href=#").tag(anchor).tag(">").tag(title).tag("</a></li>\n");
        }
    }
    html.tag("</ul></nav>\n");
}

/// A mark beside the word that says the same.
fn icon(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Published => {
            "<svg class=good viewBox=\"0 0 24 24\" aria-hidden=true><circle cx=12 cy=12 r=11 fill=currentColor /><path d=\"M6.5 12.5l3.7 3.7 7.3-8\" fill=none stroke=\"var(--card)\" stroke-width=2.4 stroke-linecap=round stroke-linejoin=round /></svg>"
        }
        Verdict::Kept | Verdict::DryRun => {
            "<svg class=good viewBox=\"0 0 24 24\" aria-hidden=true><circle cx=12 cy=12 r=10 fill=none stroke=currentColor stroke-width=2 /><path d=\"M7 12.4l3.4 3.4 6.6-7.2\" fill=none stroke=currentColor stroke-width=2.2 stroke-linecap=round stroke-linejoin=round /></svg>"
        }
        Verdict::PublishedWithProblems | Verdict::Interrupted => {
            "<svg class=warn viewBox=\"0 0 24 24\" aria-hidden=true><path d=\"M12 2.2L23 21.5H1z\" fill=currentColor stroke=currentColor stroke-linejoin=round /><path d=\"M12 9v6M12 18v.5\" stroke=\"var(--card)\" stroke-width=2.4 stroke-linecap=round /></svg>"
        }
        Verdict::NotPublished | Verdict::RolledBack | Verdict::Refused | Verdict::Failed => {
            "<svg class=bad viewBox=\"0 0 24 24\" aria-hidden=true><circle cx=12 cy=12 r=11 fill=currentColor /><path d=\"M8 8l8 8M16 8l-8 8\" stroke=\"var(--card)\" stroke-width=2.4 stroke-linecap=round /></svg>"
        }
    }
}

fn problems_title(report: &RunReport<'_>) -> &'static str {
    match report.verdict {
        Verdict::Refused => "What has to change",
        _ => "What went wrong",
    }
}

fn problems(report: &RunReport<'_>) -> Option<Html> {
    let list = &report.outcome.problems;
    if list.is_empty() {
        return None;
    }
    let mut html = Html::default();
    for problem in list {
        html.tag("<article class=\"note bad\"><h3>")
            .text(&problem.message)
            .tag("</h3>\n<p class=code><code>")
            .text(problem.code)
            .tag("</code>");
        if let Some(place) = &problem.place {
            html.tag(" at <code>").text(place).tag("</code>");
        }
        html.tag("</p>\n");
        if let Some(detail) = &problem.detail {
            html.tag("<p>").text(detail).tag("</p>\n");
        }
        if let Some(hint) = &problem.hint {
            html.tag("<p class=hint>What to do:</p>\n<pre>").text(hint).tag("</pre>\n");
        }
        html.tag("</article>\n");
    }
    Some(html)
}

/// Rows of a description list; what is empty is left out.
pub(super) fn facts(html: &mut Html, list: &[(&'static str, String)]) {
    html.tag("<dl class=facts>\n");
    for (label, fact) in list.iter().filter(|(_, fact)| !fact.is_empty()) {
        html.tag("<dt>").tag(label).tag("</dt><dd>").text(fact).tag("</dd>\n");
    }
    html.tag("</dl>\n");
}

fn live(report: &RunReport<'_>) -> Html {
    let outcome = report.outcome;
    let mut html = Html::default();
    html.tag("<p>").text(&report.state).tag("</p>\n");
    let list = [
        ("Live database", outcome.published.as_ref().map(|_| outcome.target.clone()).unwrap_or_default()),
        ("Target", if outcome.published.is_none() { outcome.target.clone() } else { String::new() }),
        ("Release", outcome.release.clone()),
        ("Source", outcome.source.clone()),
        ("Snapshot", outcome.snapshot_time.clone().unwrap_or_default()),
        ("WAL position", outcome.snapshot_lsn.clone().unwrap_or_default()),
        ("Kept from before", outcome.previous.clone().unwrap_or_default()),
        ("Loaded aside", outcome.aside.clone().unwrap_or_default()),
        ("Rolled back, and kept", outcome.rolled_back.clone().unwrap_or_default()),
    ];
    facts(&mut html, &list);
    html
}

fn gates(report: &RunReport<'_>) -> Option<Html> {
    let list = &report.outcome.gates;
    if list.is_empty() {
        return None;
    }
    let mut html = Html::default();
    html.tag("<p class=hint>Checks of the loaded copy before anything that is live may change");
    if list.iter().any(Gate::is_of_live) {
        html.tag("; those after publishing were asked of what was live then");
    }
    html.tag(".</p>\n");
    html.tag("<div class=wide role=region aria-label=Gates tabindex=0><table class=gates>\n<thead><tr><th scope=col>Result<th scope=col>Gate<th scope=col>Evidence<th scope=col class=n>Time</thead>\n<tbody>\n");
    // What does not hold comes first.
    let (held, failed): (Vec<_>, Vec<_>) = list.iter().partition(|gate| gate.ok);
    for gate in failed.into_iter().chain(held) {
        html.tag(match (gate.ok, gate.fails()) {
            (true, _) => "<tr><td class=\"ok good\">✓ holds",
            (false, true) => "<tr><td class=\"ok bad\">✗ fails",
            (false, false) => "<tr><td class=\"ok warn\">! warns",
        });
        html.tag("<th scope=row>").text(&gate.name);
        if gate.is_of_live() {
            html.tag(" (after publishing)");
        }
        html.tag("<td>").text(&gate.evidence);
        html.tag("<td class=n>").text(&units::duration(gate.ms)).tag("\n");
    }
    html.tag("</tbody></table></div>\n");
    Some(html)
}

fn warnings(report: &RunReport<'_>) -> Option<Html> {
    let list = &report.outcome.warnings;
    if list.is_empty() {
        return None;
    }
    let mut html = Html::default();
    html.tag("<p class=hint>None of them stopped the run.</p>\n<ul class=plain>\n");
    for warning in list {
        html.tag("<li>").text(warning).tag("</li>\n");
    }
    html.tag("</ul>\n");
    Some(html)
}

fn back(report: &RunReport<'_>) -> Html {
    let mut html = Html::default();
    if report.outcome.rolled_back.is_some() {
        html.tag("<p>The release before serves again. The one that was refused is kept, closed for connections, until later releases take its place; it can be made live all the same.</p>\n<pre>restage rollback --to ");
        html.text(&report.outcome.release).tag("\nrestage releases     # what is kept, and what is live</pre>\n");
        return html;
    }
    match (&report.outcome.go_back, &report.outcome.published) {
        (Some(line), _) => {
            html.tag("<p>One transaction that exchanges the names of two databases; seconds. The release that is live now is kept, so that a rollback can be rolled back.</p>\n<pre>");
            html.text(line).tag("\nrestage releases     # what is kept, and what is live</pre>\n");
        }
        (None, Some(_)) => {
            html.tag("<p>No earlier release is kept, so there is none to go back to. How many are kept says <code>keep</code> under <code>[target]</code>.</p>\n<pre>restage releases     # what is kept, and what is live</pre>\n");
        }
        (None, None) => {
            html.tag("<p>Nothing that is live was changed, so there is nothing to go back from.</p>\n<pre>restage releases     # what is kept, and what is live</pre>\n");
        }
    }
    html
}
