//! How far staging hides people, and how far it is still like its source: tables of shares, and both sides drawn together.

use super::RunReport;
use super::html::Html;
use crate::outcome::{ColumnFidelity, FidelityView, PrivacyView, units};

/// Columns that are drawn: those that differ most.
const PLOTS_MAX: usize = 24;
/// Lines of a table; the JSON has all.
const LINES_MAX: usize = 100;

pub(super) fn privacy(report: &RunReport<'_>) -> Option<Html> {
    let privacy = report.outcome.privacy.as_ref()?;
    let mut html = Html::default();
    html.tag("<p class=hint>Among how many rows everybody is hidden: rows that agree in all columns by which somebody could be looked up are one class.</p>\n");
    anonymity(&mut html, privacy);
    candidates(&mut html, privacy);
    Some(html)
}

fn anonymity(html: &mut Html, privacy: &PrivacyView) {
    if privacy.anonymity.is_empty() {
        return;
    }
    html.tag("<div class=wide role=region aria-label=\"Declared sets\" tabindex=0><table>\n<caption>Sets the configuration declares</caption>\n<thead><tr><th scope=col>Result<th scope=col>Columns<th scope=col class=n>Rows<th scope=col class=n>Classes<th scope=col class=n>Smallest<th scope=col class=n>Alone<th scope=col class=n>Below k</thead>\n<tbody>\n");
    for set in privacy.anonymity.iter().take(LINES_MAX) {
        html.tag(if set.ok { "<tr><td class=\"ok good\">✓ holds" } else { "<tr><td class=\"ok bad\">✗ fails" });
        html.tag("<th scope=row>").text(&set.table).tag(": ").text(&set.columns.join(", "));
        let told = format!("{} of k = {}", units::count(set.rows_under_k), set.k);
        for figure in [
            units::count(set.rows),
            units::count(set.classes),
            units::count(set.smallest),
            units::count(set.unique_rows),
            told,
        ] {
            html.tag("<td class=n>").text(&figure);
        }
        html.tag("\n");
    }
    html.tag("</tbody></table></div>\n");
}

fn candidates(html: &mut Html, privacy: &PrivacyView) {
    if privacy.candidates.is_empty() {
        return;
    }
    html.tag("<div class=wide role=region aria-label=\"Sets that were found\" tabindex=0><table class=bars>\n<caption>Sets nobody declared, riskiest first</caption>\n<thead><tr><th scope=col>Columns<th scope=col>Share of rows that are alone<th scope=col class=n>Alone<th scope=col class=n>Rows<th scope=col class=n>Smallest</thead>\n<tbody>\n");
    for set in privacy.candidates.iter().take(LINES_MAX) {
        let columns = if set.kept { "all that are kept".to_owned() } else { set.columns.join(", ") };
        html.tag("<tr><th scope=row>").text(&set.table).tag(": ").text(&columns);
        html.tag("<td class=b><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=none aria-hidden=true><rect class=track width=1000 height=10 /><rect class=f height=10 width=");
        html.number(set.unique_share.clamp(0.0, 1.0) * 1000.0)
            .tag(" /></svg><td class=n>")
            .text(&share(set.unique_share));
        let rows = if set.sampled { format!("{} sampled", units::count(set.rows)) } else { units::count(set.rows) };
        html.tag("<td class=n>").text(&rows).tag("<td class=n>").text(&units::count(set.smallest)).tag("\n");
    }
    html.tag("</tbody></table></div>\n");
    if privacy.candidates_left_out > 0 {
        html.tag("<p class=hint>")
            .text(&units::count(privacy.candidates_left_out))
            .tag(" more sets were not looked at.</p>\n");
    }
}

pub(super) fn fidelity(report: &RunReport<'_>) -> Option<Html> {
    let fidelity = report.outcome.fidelity.as_ref()?;
    let mut html = Html::default();
    html.tag("<p>")
        .text(&units::plural(fidelity.kept, "column"))
        .tag(" pass as they are. How the masked ones compare:</p>\n");
    columns(&mut html, fidelity);
    plots(&mut html, fidelity);
    pairs(&mut html, fidelity);
    queries(&mut html, fidelity);
    Some(html)
}

/// The largest of the distances of a column; all of them lie between 0 and 1 but the index of stability.
fn distance(column: &ColumnFidelity) -> f64 {
    let all = [column.ks, column.patterns, column.lengths, column.frequencies];
    all.into_iter().flatten().fold(0.0, f64::max)
}

fn worst_first(fidelity: &FidelityView) -> Vec<&ColumnFidelity> {
    let mut columns: Vec<&ColumnFidelity> = fidelity.columns.iter().collect();
    columns.sort_by(|one, other| distance(other).total_cmp(&distance(one)));
    columns
}

fn columns(html: &mut Html, fidelity: &FidelityView) {
    if fidelity.columns.is_empty() {
        return;
    }
    html.tag("<div class=wide role=region aria-label=\"Masked columns, source and staging\" tabindex=0><table>\n<caption>Source → staging; those that differ most first</caption>\n<thead><tr><th scope=col>Column<th scope=col>Mask<th scope=col class=n>NULL<th scope=col class=n>Different values<th scope=col class=n>Distance<th scope=col class=n>PSI</thead>\n<tbody>\n");
    for column in worst_first(fidelity).into_iter().take(LINES_MAX) {
        let (source, staging) = (&column.source, &column.staging);
        html.tag("<tr><th scope=row>").text(&column.table).tag(".").text(&column.column).tag("<td>").text(&column.kind);
        let pair = |one: String, other: String| if one == other { one } else { format!("{one} → {other}") };
        let psi = column.psi.map_or_else(|| "–".to_owned(), |psi| format!("{psi:.2}"));
        let cells = [
            pair(share(source.null_fraction), share(staging.null_fraction)),
            pair(units::estimate(source.distinct as u64), units::estimate(staging.distinct as u64)),
            format!("{:.2}", distance(column)),
            psi,
        ];
        for cell in cells {
            html.tag("<td class=n>").text(&cell);
        }
        html.tag("\n");
    }
    html.tag("</tbody></table></div>\n");
}

fn plots(html: &mut Html, fidelity: &FidelityView) {
    let drawn: Vec<_> =
        worst_first(fidelity).into_iter().filter_map(|column| Some((column, series(column)?))).collect();
    if drawn.is_empty() {
        return;
    }
    html.tag("<h3>Shapes</h3>\n<ul class=key><li><svg viewBox=\"0 0 10 10\" aria-hidden=true><rect width=10 height=10 rx=2 class=f2 /></svg>source</li><li><svg viewBox=\"0 0 10 10\" aria-hidden=true><rect width=10 height=10 rx=2 class=f3 /></svg>staging</li></ul>\n<div class=plots>\n");
    for (column, (what, source, staging)) in drawn.into_iter().take(PLOTS_MAX) {
        plot(html, column, what, source, staging);
    }
    html.tag("</div>\n");
}

/// What is drawn of a column: the words for it, and both sides.
fn series(column: &ColumnFidelity) -> Option<(&'static str, &[f64], &[f64])> {
    let (source, staging) = (&column.source, &column.staging);
    let all = [
        ("distribution", &source.histogram, &staging.histogram),
        ("lengths", &source.lengths, &staging.lengths),
        ("most frequent values", &source.top, &staging.top),
    ];
    let found = all.into_iter().find(|(_, source, staging)| !source.is_empty() || !staging.is_empty());
    found.map(|(what, source, staging)| (what, source.as_slice(), staging.as_slice()))
}

fn plot(html: &mut Html, column: &ColumnFidelity, what: &'static str, source: &[f64], staging: &[f64]) {
    let bins = source.len().max(staging.len()).max(1);
    let highest = source.iter().chain(staging).copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    html.tag("<figure><figcaption>")
        .text(&column.table)
        .tag(".")
        .text(&column.column)
        .tag("<br><span class=hint>")
        .tag(what)
        .tag("</span></figcaption>\n");
    html.tag("<svg viewBox=\"0 0 320 100\" preserveAspectRatio=none role=img aria-label=\"")
        .tag(what)
        .tag(" of ")
        .text(&column.column);
    html.tag(", source and staging; they differ by ").text(&format!("{:.2}", distance(column))).tag("\">");
    let step = 320.0 / bins as f64;
    for (class, side, shift) in [("f2", source, 0.08), ("f3", staging, 0.5)] {
        for (bin, value) in side.iter().enumerate().filter(|(_, value)| **value > 0.0) {
            let height = (value / highest * 98.0).max(1.0);
            html.tag("<rect class=")
                .tag(class)
                .tag(" x=")
                .number((bin as f64 + shift) * step)
                .tag(" y=")
                .number(100.0 - height);
            html.tag(" width=").number(step * 0.42).tag(" height=").number(height).tag(" />");
        }
    }
    html.tag("</svg></figure>\n");
}

/// Correlations and references.
fn pairs(html: &mut Html, fidelity: &FidelityView) {
    if !fidelity.correlations.is_empty() {
        html.tag("<h3>Correlations</h3>\n<table>\n<thead><tr><th scope=col>Columns<th scope=col class=n>Source<th scope=col class=n>Staging</thead>\n<tbody>\n");
        for pair in fidelity.correlations.iter().take(LINES_MAX) {
            html.tag("<tr><th scope=row>").text(&pair.table).tag(": ").text(&pair.columns.join(", "));
            html.tag("<td class=n>")
                .text(&format!("{:.2}", pair.source))
                .tag("<td class=n>")
                .text(&format!("{:.2}", pair.staging))
                .tag("\n");
        }
        html.tag("</tbody></table>\n");
    }
    if !fidelity.references.is_empty() {
        html.tag("<h3>Rows that refer to one row</h3>\n<div class=wide role=region aria-label=\"References\" tabindex=0><table>\n<thead><tr><th scope=col>Reference<th scope=col class=n>Source<th scope=col class=n>Staging</thead>\n<tbody>\n");
        for reference in fidelity.references.iter().take(LINES_MAX) {
            html.tag("<tr><th scope=row>").text(&reference.reference);
            html.tag("<td class=n>").text(&format!("{:.2}", reference.source_fan_out));
            html.tag("<td class=n>").text(&format!("{:.2}", reference.staging_fan_out)).tag("\n");
        }
        html.tag("</tbody></table></div>\n");
    }
}

/// What the planner expects of the user's queries.
fn queries(html: &mut Html, fidelity: &FidelityView) {
    if fidelity.queries.is_empty() {
        return;
    }
    html.tag("<h3>What the planner expects</h3>\n<div class=wide role=region aria-label=\"Planner estimates\" tabindex=0><table>\n<thead><tr><th scope=col>Query<th scope=col class=n>Source, rows<th scope=col class=n>Staging, rows<th scope=col class=n>Source, cost<th scope=col class=n>Staging, cost<th scope=col>Plan</thead>\n<tbody>\n");
    for query in fidelity.queries.iter().take(LINES_MAX) {
        html.tag("<tr><th scope=row>").text(&query.name);
        for number in [query.source.rows, query.staging.rows, query.source.cost, query.staging.cost] {
            html.tag("<td class=n>").text(&format!("{number:.0}"));
        }
        html.tag("<td>").text(if query.same_plan { "the same" } else { "another" }).tag("\n");
    }
    html.tag("</tbody></table></div>\n");
}

fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
