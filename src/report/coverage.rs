//! The decision for every column, in as few bytes as can be: a thousand tables of twenty columns are twenty thousand rows.

use super::RunReport;
use super::html::Html;
use crate::outcome::{ColumnView, DecisionView, TableView, units};
use std::collections::BTreeMap;

pub(super) fn section(report: &RunReport<'_>) -> Option<Html> {
    let coverage = &report.coverage;
    if coverage.tables.is_empty() {
        return None;
    }
    let mut html = Html::default();
    html.tag("<p>Every column was decided before a row was read. Those kept without a reason are the ones to look at first.</p>\n");
    split(&mut html, report);
    html.tag("<form class=filter id=filter hidden role=search aria-label=\"Filter columns\"><label>Find <input name=find type=search autocomplete=off spellcheck=false placeholder=\"table, column, type, mask …\"></label><label>Decision <select name=kind><option value=\"\">all</option><option value=m>masked</option><option value=z>emptied (NULL or constant)</option><option value=r>kept with a reason</option><option value=k>kept without a reason</option></select></label><output aria-live=polite></output></form>\n");
    html.tag("<div class=wide role=region aria-label=\"Columns and their decisions\" tabindex=0><table class=cover id=columns>\n<colgroup><col class=c1><col class=c2><col class=c3><col></colgroup>\n<thead><tr><th scope=col>Column<th scope=col>Type<th scope=col>Becomes<th scope=col>Why, and how</thead>\n");
    for table in coverage.tables {
        rows(&mut html, table);
    }
    html.tag("</table></div>\n");
    if !coverage.skipped.is_empty() {
        html.tag("<h3>Not copied</h3>\n<ul class=plain>\n");
        for skipped in coverage.skipped {
            html.tag("<li>").text(&skipped.table).tag(": ").text(&skipped.reason).tag("</li>\n");
        }
        html.tag("</ul>\n");
    }
    Some(html)
}

/// How the columns divide, as a bar and in words.
fn split(html: &mut Html, report: &RunReport<'_>) {
    let columns = || report.coverage.tables.iter().flat_map(|table| &table.columns);
    let count = |class: &str| columns().filter(|column| class_of(column) == class).count() as u64;
    let parts = [
        ("s1", "masked", count("m")),
        ("s2", "emptied", count("z")),
        ("s3", "kept with a reason", count("r")),
        ("s4", "kept without a reason", count("k")),
    ];
    let all = parts.iter().map(|(_, _, count)| count).sum::<u64>().max(1) as f64;
    html.tag("<div class=split><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=none aria-hidden=true>");
    let mut x = 0.0;
    for (class, _, count) in parts {
        let width = count as f64 / all * 1000.0;
        html.tag("<rect class=").tag(class).tag(" height=10 x=").number(x).tag(" width=").number(width).tag(" />");
        x += width;
    }
    html.tag("</svg></div>\n<ul class=key>\n");
    for (class, name, count) in parts {
        html.tag("<li><svg viewBox=\"0 0 10 10\" aria-hidden=true><rect width=10 height=10 rx=2 class=")
            .tag(class)
            .tag(" /></svg>");
        html.text(&units::count(count)).tag(" ").tag(name).tag("</li>\n");
    }
    html.tag("</ul>\n");
}

/// The class of a row, which the filter reads: masked, emptied, kept with a reason, kept without one.
fn class_of(column: &ColumnView) -> &'static str {
    match (column.decision, &column.reason) {
        (DecisionView::Mask, _) => "m",
        (DecisionView::Null | DecisionView::Const, _) => "z",
        (DecisionView::Keep, Some(_)) => "r",
        (DecisionView::Keep, None) => "k",
    }
}

fn rows(html: &mut Html, table: &TableView) {
    // The rule that decided most of the columns stands beside the table; their rows tell its line, the others all of it.
    let mut rules: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for column in &table.columns {
        let (file, _, rule) = parts(&column.because);
        *rules.entry((file, rule)).or_default() += 1;
    }
    let usual = rules.into_iter().max_by_key(|(_, count)| *count).map_or(("", ""), |(rule, _)| rule);
    html.tag("<tbody><tr class=t><th colspan=4 scope=rowgroup>").text(&table.name).tag("<small>");
    let rows = match table.selection.as_str() {
        "none" => "structure only".to_owned(),
        "all" => format!("about {} rows", units::estimate(table.rows)),
        some => format!("rows {some}"),
    };
    html.text(&rows);
    for part in [usual.0, usual.1].into_iter().filter(|part| !part.is_empty()) {
        html.tag(if part == usual.0 { " · " } else { " " }).text(part);
    }
    html.tag("</small>\n");
    for column in &table.columns {
        // A `th` without scope heads its row where no `td` is in its column.
        html.tag("<tr><th>").text(&column.name).tag("<td>").text(&short(&column.type_name));
        match class_of(column) {
            // The class that the filter takes for none.
            "k" => html.tag("<td>"),
            class => html.tag("<td class=").tag(class).tag(">"),
        };
        match column.decision {
            DecisionView::Mask => html.text(column.kind.as_deref().unwrap_or("masked")),
            DecisionView::Null => html.tag("NULL"),
            DecisionView::Const => html.tag("constant"),
            DecisionView::Keep => html.tag("kept"),
        };
        let why = why(column, usual);
        if why.is_empty() {
            html.tag("<td>");
        } else {
            html.tag("<td>").text(&why);
        }
        html.tag("\n");
    }
}

/// Splits `restage.toml:21:1 [tables."public.plain"]` into file, line and rule; other words are all rule.
fn parts(because: &str) -> (&str, &str, &str) {
    let split = || {
        let (place, rule) = because.split_once(' ')?;
        let mut back = place.rsplitn(3, ':');
        let (column, line, file) = (back.next()?, back.next()?, back.next()?);
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (number(column) && number(line)).then_some((file, line, rule))
    };
    split().unwrap_or(("", "", because))
}

fn why(column: &ColumnView, usual: (&str, &str)) -> String {
    let mut parts = Vec::new();
    parts.extend(column.subject.as_ref().map(|subject| format!("by {subject}")));
    parts.extend(column.label.as_ref().map(|label| format!("domain {label}")));
    if let Some(when) = &column.when {
        let other = match column.otherwise {
            Some(DecisionView::Keep) => "kept",
            _ => "NULL",
        };
        parts.push(format!("where {when}, else {other}"));
    }
    parts.extend(column.reason.clone());
    match self::parts(&column.because) {
        (file, line, rule) if (file, rule) == usual => {
            parts.extend((!line.is_empty()).then(|| format!("line {line}")));
        }
        _ => parts.push(column.because.clone()),
    }
    parts.join("; ")
}

/// The name of a type as people write it: the long ones of the standard are half of a row.
fn short(name: &str) -> String {
    let name = name.replace("character varying", "varchar").replace("timestamp without time zone", "timestamp");
    name.replace("timestamp with time zone", "timestamptz").replace("time without time zone", "time")
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn places_are_told_from_rules() {
        let because = "policy/a.toml:21:1 [tables.\"public.plain\"]";
        assert_eq!(parts(because), ("policy/a.toml", "21", "[tables.\"public.plain\"]"));
        assert_eq!(parts("foreign key orders_customer_fkey"), ("", "", "foreign key orders_customer_fkey"));
    }
}
