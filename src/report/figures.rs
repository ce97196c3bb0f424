//! Rows and bytes of tables, what changed since the last run, and who ran what.

use super::drift::{Size, Totals};
use super::html::Html;
use super::page::facts;
use super::{Drift, RunReport};
use crate::outcome::{TableLoaded, units};

/// Tables shown at once; the others open on demand.
const TABLES_MAX: usize = 25;
/// Changes of one kind that are listed; the JSON has all.
const CHANGES_MAX: usize = 100;

pub(super) fn tables(report: &RunReport<'_>) -> Option<Html> {
    let mut list: Vec<&TableLoaded> = report.outcome.tables.iter().collect();
    if list.is_empty() {
        return None;
    }
    list.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.name.cmp(&other.name)));
    let most = list.first().map_or(1, |table| table.bytes).max(1);
    let mut html = Html::default();
    let (first, rest) = list.split_at(list.len().min(TABLES_MAX));
    table(&mut html, first, most);
    if !rest.is_empty() {
        html.tag("<details><summary>").text(&units::count(rest.len() as u64)).tag(" smaller tables</summary>\n");
        table(&mut html, rest, most);
        html.tag("</details>\n");
    }
    Some(html)
}

fn table(html: &mut Html, list: &[&TableLoaded], most: u64) {
    html.tag("<div class=wide role=region aria-label=\"Rows and bytes\" tabindex=0><table class=bars>\n<thead><tr><th scope=col>Table<th scope=col>Share<th scope=col class=n>Rows<th scope=col class=n>Bytes<th scope=col class=n>Time</thead>\n<tbody>\n");
    for table in list {
        html.tag("<tr><th scope=row>").text(&table.name).tag("<td class=b>");
        html.tag(
            "<svg viewBox=\"0 0 1000 10\" preserveAspectRatio=none aria-hidden=true><rect class=f height=10 width=",
        );
        html.number((table.bytes as f64 / most as f64 * 1000.0).max(2.0)).tag(" /></svg><td class=n>");
        html.text(&units::count(table.rows)).tag("<td class=n>").text(&units::bytes(table.bytes));
        html.tag("<td class=n>").text(&units::duration(table.ms)).tag("\n");
    }
    html.tag("</tbody></table></div>\n");
}

pub(super) fn drift(report: &RunReport<'_>) -> Option<Html> {
    if report.drift.is_none() && report.lock_changes.is_empty() {
        return None;
    }
    let mut html = Html::default();
    if let Some(drift) = &report.drift {
        html.tag("<p>Compared with run ").text(&drift.run);
        if let Some(time) = &drift.snapshot_time {
            html.tag(", as of ").text(time);
        }
        html.tag(".</p>\n");
        totals(&mut html, drift);
        if drift.other_key {
            html.tag("<p class=\"note warn\">Another key masked that run: no pseudonym is what it was.</p>\n");
        }
        table_changes(&mut html, drift);
        column_changes(&mut html, drift);
    }
    if !report.lock_changes.is_empty() {
        html.tag("<h3>Since the lock was written</h3>\n<ul class=plain>\n");
        for change in report.lock_changes.iter().take(CHANGES_MAX) {
            html.tag("<li>").text(&change.line()).tag("</li>\n");
        }
        html.tag("</ul>\n");
        more(&mut html, report.lock_changes.len());
    }
    Some(html)
}

/// Name, how it is written, before and now.
type Line = (&'static str, fn(u64) -> String, (u64, u64));

fn totals(html: &mut Html, drift: &Drift) {
    let line = |field: fn(&Totals) -> u64| (field(&drift.before), field(&drift.now));
    let lines: [Line; 4] = [
        ("Tables", units::count, line(|totals| totals.tables)),
        ("Rows", units::count, line(|totals| totals.rows)),
        ("Bytes", units::bytes, line(|totals| totals.bytes)),
        ("Time", units::duration, line(|totals| totals.ms)),
    ];
    html.tag("<table>\n<thead><tr><th scope=col>Of all<th scope=col class=n>Before<th scope=col class=n>Now<th scope=col class=n>Change</thead>\n<tbody>\n");
    for (name, show, (before, now)) in lines {
        html.tag("<tr><th scope=row>").text(name).tag("<td class=n>").text(&show(before)).tag("<td class=n>");
        html.text(&show(now)).tag("<td class=n>").text(&percent(before, now)).tag("\n");
    }
    html.tag("</tbody></table>\n");
}

/// `+12 %`, `−3 %`, `0 %`; a dash where there was nothing.
fn percent(before: u64, now: u64) -> String {
    if before == 0 {
        return if now == 0 { "0 %".to_owned() } else { "new".to_owned() };
    }
    let change = (now as f64 - before as f64) / before as f64 * 100.0;
    let digits = usize::from(change.abs() < 10.0 && change != 0.0);
    let sign = if change > 0.0 {
        "+"
    } else if change < 0.0 {
        "−"
    } else {
        ""
    };
    format!("{sign}{:.digits$} %", change.abs())
}

fn table_changes(html: &mut Html, drift: &Drift) {
    if drift.tables.is_empty() {
        return;
    }
    html.tag("<h3>Tables</h3>\n<div class=wide role=region aria-label=\"Tables that changed\" tabindex=0><table>\n<thead><tr><th scope=col>Table<th scope=col class=n>Rows before<th scope=col class=n>Rows now<th scope=col class=n>Change<th scope=col class=n>Bytes now</thead>\n<tbody>\n");
    let rows = |size: Option<Size>| size.map_or_else(|| "–".to_owned(), |size| units::count(size.rows));
    for change in drift.tables.iter().take(CHANGES_MAX) {
        let told = match (change.before, change.now) {
            (None, _) => "new".to_owned(),
            (_, None) => "gone".to_owned(),
            (Some(before), Some(now)) => percent(before.rows, now.rows),
        };
        html.tag("<tr><th scope=row>").text(&change.name).tag("<td class=n>").text(&rows(change.before));
        html.tag("<td class=n>").text(&rows(change.now)).tag("<td class=n>").text(&told).tag("<td class=n>");
        html.text(&change.now.map_or_else(|| "–".to_owned(), |size| units::bytes(size.bytes))).tag("\n");
    }
    html.tag("</tbody></table></div>\n");
    more(html, drift.tables.len());
}

fn column_changes(html: &mut Html, drift: &Drift) {
    if drift.columns.is_empty() {
        return;
    }
    html.tag("<h3>Columns that are decided otherwise</h3>\n<div class=wide role=region aria-label=\"Columns that changed\" tabindex=0><table>\n<thead><tr><th scope=col>Column<th scope=col>Before<th scope=col>Now</thead>\n<tbody>\n");
    for change in drift.columns.iter().take(CHANGES_MAX) {
        html.tag("<tr><th scope=row>")
            .text(&change.name)
            .tag("<td>")
            .text(change.before.as_deref().unwrap_or("not there"));
        html.tag("<td>").text(change.now.as_deref().unwrap_or("gone")).tag("\n");
    }
    html.tag("</tbody></table></div>\n");
    more(html, drift.columns.len());
}

fn more(html: &mut Html, all: usize) {
    if all > CHANGES_MAX {
        html.tag("<p class=hint>and ")
            .text(&units::count((all - CHANGES_MAX) as u64))
            .tag(" more in <code>report.json</code></p>\n");
    }
}

pub(super) fn run(report: &RunReport<'_>) -> Html {
    let (by, outcome) = (report.by, report.outcome);
    let policy = by.policy.as_ref().map(|policy| {
        let state = if policy.changed { ", with changes that are not committed" } else { "" };
        format!("{}{state}", policy.commit)
    });
    let previous = report.previous.map(|previous| match &previous.manifest {
        Some(hash) => format!("release {}, manifest {hash}", previous.release),
        None => format!("release {}", previous.release),
    });
    let previous = previous.unwrap_or_else(|| "no release of restage".to_owned());
    let list = [
        ("Run", outcome.run.clone()),
        ("Run by", format!("{} on {}", by.os_user, by.host)),
        ("Began", report.started_at.to_owned()),
        ("Configuration", format!("{}, hash {}", by.config_file, by.config_hash)),
        ("Policy in git", policy.unwrap_or_else(|| "not in a repository".to_owned())),
        (
            "Lock",
            by.lock_hash.clone().map_or_else(
                || "none: nothing tells what changed since a review".to_owned(),
                |hash| format!("hash {hash}"),
            ),
        ),
        ("Plan", report.plan_hash.map(|hash| format!("hash {hash}")).unwrap_or_default()),
        ("Follows", previous),
        ("Key", format!("id {}, realm {}", by.key_id, by.realm)),
        ("restage", format!("{}, masks version {}", by.tool_version, by.mask_version)),
    ];
    let mut html = Html::default();
    facts(&mut html, &list);
    html
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn changes_are_told_with_their_sign() {
        let cases = [(100, 112, "+12 %"), (1000, 997, "−0.3 %"), (5, 5, "0 %"), (0, 3, "new"), (0, 0, "0 %")];
        for (before, now, text) in cases {
            assert_eq!(percent(before, now), text);
        }
    }
}
