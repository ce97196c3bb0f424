//! Where the time went: phases one after the other, tables, indexes and keys as they overlapped.

use super::RunReport;
use super::html::Html;
use crate::outcome::{Labor, Span, units};
use std::collections::BTreeMap;

/// Lanes of a group; what took longest is shown, and the rest is summed up.
const LANES_MAX: usize = 25;

/// Everything that was done under one name.
struct Lane<'a> {
    name: &'a str,
    spans: Vec<&'a Span>,
    busy_ms: u64,
}

pub(super) fn section(report: &RunReport<'_>) -> Option<Html> {
    if report.timeline.is_empty() {
        return None;
    }
    let end = report.timeline.iter().map(|span| span.to_ms).max().unwrap_or(0);
    let end = end.max(report.outcome.totals.ms).max(1);
    let mut html = Html::default();
    html.tag("<p class=hint>From left to right, the whole run: ").text(&units::duration(end));
    html.tag(". What stands below each other happened at the same time.</p>\n");
    html.tag("<div class=wide role=region aria-label=Timeline tabindex=0><table class=bars>\n<thead><tr><th scope=col>What<th scope=col>When<th scope=col class=n>Began at<th scope=col class=n>Took</thead>\n");
    let groups = [
        (Labor::Phase, "Phases", "f3"),
        (Labor::Load, "Tables, longest first", "f"),
        (Labor::Build, "Indexes, keys and constraints, longest first", "f"),
        (Labor::Analyze, "Statistics, longest first", "f"),
    ];
    for (labor, title, class) in groups {
        let mut lanes = lanes(report.timeline, labor);
        if lanes.is_empty() {
            continue;
        }
        html.tag("<tbody><tr class=g><th colspan=4 scope=rowgroup>").tag(title).tag("\n");
        let most = if labor == Labor::Phase {
            usize::MAX
        } else {
            lanes.sort_by(|one, other| other.busy_ms.cmp(&one.busy_ms).then(one.name.cmp(other.name)));
            LANES_MAX
        };
        for lane in lanes.iter().take(most) {
            draw(&mut html, lane, end, class);
        }
        let rest = lanes.iter().skip(most);
        let (count, busy) = rest.fold((0_u64, 0), |(count, busy), lane| (count + 1, busy + lane.busy_ms));
        if count > 0 {
            html.tag("<tr><th scope=row colspan=3>and ").text(&units::count(count)).tag(" more, together<td class=n>");
            html.text(&units::duration(busy)).tag("\n");
        }
        html.tag("</tbody>\n");
    }
    html.tag("</table></div>\n");
    Some(html)
}

/// By name, in the order in which they began.
fn lanes(spans: &[Span], labor: Labor) -> Vec<Lane<'_>> {
    let mut lanes: Vec<Lane<'_>> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for span in spans.iter().filter(|span| span.labor == labor) {
        let place = *places.entry(&span.name).or_insert_with(|| {
            lanes.push(Lane { name: &span.name, spans: Vec::new(), busy_ms: 0 });
            lanes.len() - 1
        });
        lanes[place].busy_ms += span.to_ms - span.from_ms;
        lanes[place].spans.push(span);
    }
    lanes.sort_by_key(|lane| lane.spans.iter().map(|span| span.from_ms).min());
    lanes
}

fn draw(html: &mut Html, lane: &Lane<'_>, end: u64, class: &'static str) {
    html.tag("<tr><th scope=row>").text(lane.name);
    html.tag("<td class=b><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=none aria-hidden=true><rect class=track width=1000 height=10 />");
    let scale = 1000.0 / end as f64;
    for span in &lane.spans {
        // What was short is still seen.
        let width = ((span.to_ms - span.from_ms) as f64 * scale).max(3.0);
        let x = (span.from_ms as f64 * scale).min(1000.0 - width);
        html.tag("<rect class=").tag(class).tag(" height=10 x=").number(x).tag(" width=").number(width).tag(" />");
    }
    let from = lane.spans.iter().map(|span| span.from_ms).min().unwrap_or(0);
    html.tag("</svg><td class=n>").text(&units::duration(from)).tag("<td class=n>");
    html.text(&units::duration(lane.busy_ms)).tag("\n");
}
