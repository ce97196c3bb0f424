//! The lines to paste for undecided columns.
//!
//! A proposal never gives a reason to keep data: only a person knows one. What is proposed is a mask for what the name
//! says, NULL where nothing is known, and `keep` for nothing but surrogate keys.

use super::Policy;
use super::bound::{self, Bound};
use super::checks;
use super::graph::{Graph, Node};
use super::stand_in;
use super::whose::{self, Compared, Whose};
use super::written::header;
use crate::catalog::ConstraintKind;
use crate::config::{Action, literal};
use crate::detect::{self, Affix, Facts, Finding};
use crate::error::Report;
use crate::mask::kind::{Injective, Takes};
use crate::mask::{self, Shape};

/// The one reason that is known without a person: a surrogate key is made up already.
const KEEP_KEY: &str = "{ keep = \"technical key, names nobody outside\" }";

/// … or the schema lists every value it may have.
const KEEP_CHOICE: &str = "{ keep = \"one of the words that the schema lists\" }";
/// … or there is nothing in it that a constant could replace: a switch in a unique index.
const KEEP_SWITCH: &str = "{ keep = \"yes or no, names nobody\" }";
/// … or it is what an application calls its settings.
pub(super) const KEEP_SETTING: &str = "{ keep = \"names of settings, beside their values\" }";
/// No mask can stand there: only a person can say whether the column may be kept.
pub(super) const ASK: &str = "{ keep = \"…\" }";
/// Begins the reason of a column of which nothing but a sample was seen, and that of a column of a catalog of things.
const UNSEEN: &str = "no sign of a person in its name or in ";
const THING: &str = "it tells of a thing: ";

/// Keeps a column in whose sampled values nobody was found.
pub(super) fn keep_unseen(of_thing: bool, values: u64) -> String {
    format!("{{ keep = \"{}{UNSEEN}{values} sampled values\" }}", if of_thing { THING } else { "" })
}

/// Whether a reason to keep a column was written by restage: nobody looked at the column then, so what it says holds for
/// the values of that day. Numbers may differ; what somebody put into words of their own is theirs.
pub fn is_own_reason(reason: &str) -> bool {
    let reason = reason.trim();
    let keys = [KEEP_KEY, KEEP_CHOICE, KEEP_SWITCH, KEEP_SETTING];
    let unseen = || {
        let rest = reason.strip_prefix(THING).unwrap_or(reason).strip_prefix(UNSEEN)?;
        rest.strip_suffix(" sampled values").filter(|count| count.bytes().all(|byte| byte.is_ascii_digit()))
    };
    keys.iter().any(|line| line.split('"').nth(1) == Some(reason)) || unseen().is_some()
}

/// Reports the undecided columns of a table, with lines that can be pasted together.
pub(super) fn undecided(graph: &Graph<'_>, policy: &Policy<'_>, nodes: &[Node]) -> Report {
    let group = graph.nodes[nodes[0]].group;
    let table = &graph.groups[group].root;
    let full_name = table.full_name();
    let line = |node: &Node| {
        let (name, toml) = (column_key(&graph.nodes[*node].column.name), proposal(graph, *node));
        match toml == ASK {
            // No decision yet: pasted as it is, it asks again.
            true => format!("# {name} = {toml}     # your reason: no mask fits, because {}", unmaskable(graph, *node)),
            // An application finds no setting by another name.
            false if toml == "\"pattern\"" && is_setting(graph, *node, false) => {
                format!("{name} = {toml}     # or {{ keep = \"…\" }}, if these are names of settings")
            }
            false => format!("{name} = {toml}"),
        }
    };
    let lines = nodes.iter().map(line).collect::<Vec<_>>().join("\n");
    let hint = match header(policy.rules, &full_name) {
        (header, Some(at)) => format!("Add under {header} ({at}):\n{lines}"),
        (header, None) => format!("Add\n{header}\n{lines}"),
    };
    let name = |node: &Node| graph.nodes[*node].column.name.as_str();
    let message = match nodes {
        [one] => format!("column \"{full_name}.{}\" has no masking decision", name(one)),
        several => format!("{} columns of \"{full_name}\" have no masking decision", several.len()),
    };
    let mut details = Vec::new();
    let referencing: usize = nodes.iter().map(|node| referencing(graph, *node)).sum();
    if referencing > 0 {
        let it = if nodes.len() == 1 { "it follow its decision" } else { "them follow their decisions" };
        details.push(format!("{referencing} column(s) that reference {it}."));
    }
    if policy.undecided == crate::config::Undecided::Null {
        details.push("NOT NULL columns cannot be decided by `undecided = \"null\"`.".to_owned());
    }
    if !table.inherits.is_empty() {
        details.push("The table inherits from another one; each table decides its own columns, but those of a masked key follow it.".to_owned());
    }
    if !nodes.iter().all(|node| proposal(graph, *node).starts_with(KEEP_KEY)) {
        details.push("What says nothing about a person is kept by `{ keep = \"…\" }`, with your reason.".to_owned());
    }
    let report = Report::new("plan::undecided-column", message).hint(hint);
    if details.is_empty() { report } else { report.detail(details.join(" ")) }
}

/// Why no mask fits a column.
fn unmaskable(graph: &Graph<'_>, node: Node) -> &'static str {
    let joined = is_key(graph, node) || is_unique(graph, node);
    let bound = bound::of(graph, node, joined);
    let text = matches!(graph.nodes[node].shape, Some(Shape::Text { .. }));
    match bound.stuck {
        Some(why) => why,
        None if text && bound.formed => "a check asks for a form",
        None if text => "masks that keep it unique and fold case are too long for it",
        None if joined => "masks of its type do not keep it unique",
        None if stand_in::is_compared(graph, node) => "a check compares it with other columns",
        None => "its type and its checks take no constant that restage knows",
    }
}

/// How many columns reference this one.
pub(super) fn referencing(graph: &Graph<'_>, node: Node) -> usize {
    let edges = graph.edges_to[graph.nodes[node].group].iter();
    edges.flat_map(|edge| &graph.edges[*edge].pairs).filter(|(_, to)| *to == node).count()
}

/// What the name, table and type of a column suggest, best first.
pub(super) fn findings(graph: &Graph<'_>, node: Node) -> Vec<Finding> {
    let column = &graph.nodes[node];
    detect::by_name(&Facts {
        table: &graph.groups[column.group].root.name,
        column: &column.column.name,
        takes: column.shape.as_ref().map_or(Takes::Opaque, Takes::from),
        domain: type_name(graph, node),
        affix: affix(graph, column.group),
    })
}

/// What nearly all columns of a table are called by.
pub(super) fn affix<'k>(graph: &'k Graph<'_>, group: usize) -> Option<&'k Affix> {
    let table = &graph.groups[group];
    table.affix.get_or_init(|| Affix::of(table.root.columns.iter().map(|column| column.name.as_str()))).as_ref()
}

/// The name of the column's domain or composite type: these are called after what they hold, those of the server are not.
pub(super) fn type_name<'a>(graph: &Graph<'a>, node: Node) -> Option<&'a str> {
    let known = graph.type_of(graph.nodes[node].column.type_oid)?;
    matches!(known.kind, 'd' | 'c').then_some(known.name.as_str())
}

/// Whether a proposal is to keep what is no person's by the schema alone.
pub(super) fn keeps_key(toml: &str) -> bool {
    [KEEP_KEY, KEEP_CHOICE, KEEP_SWITCH].contains(&toml)
}

/// A decision in TOML, by the column's name, type and place in keys.
pub(super) fn proposal(graph: &Graph<'_>, node: Node) -> String {
    suited(graph, node, &findings(graph, node), Compared::Not)
}

/// A decision in TOML that hides what a column holds, where there is one that its type, keys and checks let stand.
pub(super) fn hiding(graph: &Graph<'_>, node: Node) -> Option<String> {
    let proposal = proposal(graph, node);
    if proposal != ASK && !keeps_key(&proposal) {
        return Some(proposal);
    }
    let joined = is_key(graph, node) || is_unique(graph, node);
    let stand_in = stand_in::of(graph, node);
    let shape = graph.nodes[node].shape.as_ref();
    match (shape, stand_in.constant) {
        _ if stand_in.null && (!joined || null_stands_in_keys(graph, node)) => Some("\"null\"".to_owned()),
        (Some(Shape::Int2 | Shape::Int4 | Shape::Int8), _) if joined => Some("\"int\"".to_owned()),
        (Some(Shape::Uuid), _) => Some("\"uuid\"".to_owned()),
        (_, Some(text)) if !joined => Some(format!("{{ mask = \"const\", value = {} }}", stand_in::toml(shape, &text))),
        _ => None,
    }
}

/// A decision in TOML for a column that seems to hold this.
///
/// The first mask that suits a finding and fits the column wins; without one the column is personal all the same, and its
/// values go.
pub(super) fn suited(graph: &Graph<'_>, node: Node, findings: &[Finding], compared: Compared<'_>) -> String {
    let column = &graph.nodes[node];
    let mut personal = false;
    let (key, unique) = (is_key(graph, node), is_unique(graph, node));
    let bound = bound::of(graph, node, key || unique);
    let line = |shape| Line { graph, node, shape, unique: key || unique, bound, compared };
    let mut narrow = false;
    for finding in findings.iter().filter(|finding| finding.found()) {
        personal = true;
        for proposal in finding.proposals() {
            let fits = |shape| line(shape).of(&proposal.kind, &proposal.params);
            if let Some(line) = column.shape.as_ref().and_then(fits) {
                return line;
            }
            narrow |= matches!(column.shape, Some(Shape::Text { chars_max: Some(_), .. }));
        }
    }
    let counts = || matches!(column.shape, None | Some(Shape::Int2 | Shape::Int4 | Shape::Int8 | Shape::Uuid));
    if key && !personal && counts() {
        return KEEP_KEY.to_owned();
    }
    if !personal && !key && is_choice(graph, node) {
        return KEEP_CHOICE.to_owned();
    }
    let joined = key || unique;
    let stand_in = stand_in::of(graph, node);
    let null = || "\"null\"".to_owned();
    if bound.stuck.is_some() {
        return if bound.null_stands && stand_in.null { null() } else { ASK.to_owned() };
    }
    // Too narrow for what suits: a pattern has the length of the value, and joins.
    if stand_in.null && !joined && !narrow {
        return null();
    }
    let otherwise = || match &stand_in.constant {
        _ if stand_in.null && (!joined || null_stands_in_keys(graph, node)) => null(),
        Some(text) if !joined => {
            format!("{{ mask = \"const\", value = {} }}", stand_in::toml(column.shape.as_ref(), text))
        }
        _ => ASK.to_owned(),
    };
    let line_of = |word: &str| column.shape.as_ref().and_then(|shape| line(shape).of(word, ""));
    // A mask of days and times may leave what a check of the column allows.
    let limited = !checks::conditions(graph, node).1.is_empty();
    let of = |word: &str| line_of(word).unwrap_or_else(otherwise);
    match &column.shape {
        Some(Shape::Bool) if joined => KEEP_SWITCH.to_owned(),
        // Where a pattern cannot stand nobody but a person can say.
        Some(Shape::Text { .. }) if bound.formed => otherwise(),
        Some(Shape::Text { .. }) if bound.folding => line_of("username").unwrap_or_else(|| ASK.to_owned()),
        Some(Shape::Text { .. }) => "\"pattern\"".to_owned(),
        Some(Shape::Uuid) => "\"uuid\"".to_owned(),
        Some(Shape::Inet | Shape::Cidr) => "\"ip\"".to_owned(),
        Some(Shape::Mac | Shape::Mac8) => "\"mac\"".to_owned(),
        // Cut to the same hour, two times do not stand in the order that a check may ask for.
        Some(Shape::Time | Shape::TimeTz) if !limited && !stand_in::is_compared(graph, node) => of("time.trunc"),
        Some(Shape::Int2 | Shape::Int4 | Shape::Int8) if joined => "\"int\"".to_owned(),
        Some(Shape::Date | Shape::Timestamp) if joined => of("date.within_year"),
        Some(Shape::Enum(_)) if joined => of("enum.perm"),
        Some(Shape::Date | Shape::Timestamp) if !limited => of("date.shift"),
        Some(Shape::Xml) if !joined => "{ mask = \"xml\", rest = \"pattern\" }".to_owned(),
        _ => otherwise(),
    }
}

/// Whether NULL may stand in the keys that a column is part of: no reference points to it, and no index calls NULLs equal or
/// has a condition or an expression for them.
fn null_stands_in_keys(graph: &Graph<'_>, node: Node) -> bool {
    let group = graph.nodes[node].group;
    let mut uniques = graph.groups[group].uniques.iter().filter(|index| in_index(graph, index, node));
    referencing(graph, node) == 0
        && uniques.all(|index| {
            let mut used = index.expression_columns.iter().filter_map(|attnum| graph.node_at(index.table, *attnum));
            !index.primary && index.nulls_distinct && used.all(|column| column != node)
        })
}

/// The line for a kind, if it fits the column.
pub(super) fn written(
    graph: &Graph<'_>,
    node: Node,
    word: &str,
    params: &str,
    compared: Compared<'_>,
) -> Option<String> {
    let unique = is_key(graph, node) || is_unique(graph, node);
    let column = &graph.nodes[node];
    Line { graph, node, shape: column.shape.as_ref()?, unique, bound: bound::of(graph, node, unique), compared }
        .of(word, params)
}

/// What a decision is written for.
struct Line<'l, 'g> {
    graph: &'l Graph<'g>,
    node: Node,
    shape: &'l Shape,
    /// A key or part of a unique index: masks have to keep it so.
    unique: bool,
    bound: Bound,
    compared: Compared<'l>,
}

impl Line<'_, '_> {
    /// The decision for a kind, if it takes the column, keeps it unique where that matters, and finds a subject.
    fn of(&self, word: &str, params: &str) -> Option<String> {
        let (graph, node) = (self.graph, self.node);
        let whose = whose::column(graph, node, word, self.compared);
        let other = whose == Whose::Other;
        let (word, params) = match word {
            // The mask of the row's person would give both the same name.
            "name.first" if other => ("name.value", "part = \"first\""),
            "name.last" if other => ("name.value", "part = \"last\""),
            "name.full" if other => ("name.value", ""),
            "address" if other => return None,
            "geo.grid" | "geo.laplace" if !matches!(self.shape, Shape::Point) => {
                (word, axis(&graph.nodes[node].column.name)?)
            }
            _ => (word, params),
        };
        let kind = mask::kind(word).filter(|kind| kind.takes(self.shape))?;
        let folds = kind.folds && kind.lowercase;
        if self.bound.stuck.is_some() || self.bound.folding && !folds {
            return None;
        }
        // A pattern, which is what other values become, tells case apart, and the reference does not.
        let reads_a_format = kind.params.iter().any(|param| param.name == "on_invalid");
        let fails = self.bound.folding_all && reads_a_format && params.is_empty();
        let params = if fails { "on_invalid = \"fail\"" } else { params };
        let written: mask::Params = written_params(params)?;
        if too_wide(kind, &written, self.shape) {
            return None;
        }
        let promise = kind.promise(&written);
        if self.unique && (promise.injective == Injective::No || promise.needs_subject) {
            return None;
        }
        let mut fields = vec![format!("mask = \"{word}\"")];
        fields.extend((!params.is_empty()).then(|| params.to_owned()));
        let subject = match whose {
            Whose::Person(way) if kind.needs_subject || word == "text.spans" => Some(way),
            _ if kind.needs_subject => Some(whose::row(graph, graph.nodes[node].group, node)?),
            _ => None,
        };
        fields.extend(subject.map(|subject| format!("subject = \"{}\"", escape(&subject))));
        Some(if fields.len() == 1 { format!("\"{word}\"") } else { format!("{{ {} }}", fields.join(", ")) })
    }
}

/// Parameters as a proposal writes them.
fn written_params(text: &str) -> Option<mask::Params> {
    let document: toml::Table = format!("p = {{ {text} }}").parse().ok()?;
    match serde_json::to_value(document.get("p")?).ok()? {
        serde_json::Value::Object(params) => Some(params),
        _ => None,
    }
}

/// Whether a text column cannot hold the masks of a kind, in its shortest form.
fn too_wide(kind: &mask::Kind, params: &mask::Params, shape: &Shape) -> bool {
    let Shape::Text { chars_max: Some(most), .. } = shape else { return false };
    let least = (kind.least)(params);
    !least.is_empty() && least.iter().all(|least| least > most)
}

/// Which coordinate a column of numbers holds, as a parameter.
fn axis(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let latitude = any(&["lat", "breit", "breedte", "szerokosc", "lttd", "ido"]);
    let longitude = any(&["lon", "lng", "laeng", "läng", "lengte", "dlugosc", "keido"]);
    match (latitude, longitude) {
        (_, true) if !name.contains("lat") => Some("axis = \"longitude\""),
        (true, _) => Some("axis = \"latitude\""),
        _ => None,
    }
}

/// Whether a decision can stand for a column: its type, its keys, and the subject it names.
pub(super) fn fits(graph: &Graph<'_>, node: Node, action: &Action) -> bool {
    let column = &graph.nodes[node];
    let joined = is_key(graph, node) || is_unique(graph, node);
    let null = || !joined && !column.not_null;
    let rule = match action {
        Action::Keep { .. } => return true,
        Action::Null => return null(),
        Action::Mask(rule) => rule,
    };
    let Some(shape) = &column.shape else { return rule.kind == "null" && null() };
    match rule.kind.as_str() {
        "null" => null(),
        "const" => !joined && rule.params.get("value").is_some_and(|value| holds(shape, value)),
        word => {
            let Some(kind) = mask::kind(word).filter(|kind| kind.takes(shape)) else { return false };
            let promise = kind.promise(&rule.params);
            let distinct = promise.injective != Injective::No && !promise.needs_subject;
            let known = |name: &String| {
                graph.nodes_of(column.group).any(|other| other != node && graph.nodes[other].column.name == *name)
            };
            (distinct || !joined)
                && rule.subject.as_ref().is_none_or(known)
                && (rule.subject.is_some() || !kind.needs_subject)
        }
    }
}

/// Whether a type can hold a constant.
fn holds(shape: &Shape, value: &serde_json::Value) -> bool {
    match (shape, value) {
        (Shape::Text { chars_max, .. }, serde_json::Value::String(text)) => {
            chars_max.is_none_or(|most| text.chars().count() <= most as usize)
        }
        (Shape::Json | Shape::Jsonb, serde_json::Value::String(text)) => {
            serde_json::from_str::<serde_json::Value>(text).is_ok()
        }
        (Shape::Bool, serde_json::Value::Bool(_)) => true,
        (Shape::Int2 | Shape::Int4 | Shape::Int8 | Shape::Numeric { .. }, serde_json::Value::Number(_)) => true,
        _ => false,
    }
}

/// Whether a column names settings, as far as the schema tells: its values differ, and another value stands beside each.
/// `differ`: those that were seen do.
pub(super) fn is_setting(graph: &Graph<'_>, node: Node, differ: bool) -> bool {
    /// What such columns are called, alone or as the last word.
    const NAMES: &[&str] =
        &["key", "k", "name", "setting", "option", "param", "parameter", "property", "variable", "var"];
    const VALUES: &[&str] = &["value", "v", "val"];
    let group = graph.nodes[node].group;
    let last = |node: Node| detect::name_words(&graph.nodes[node].column.name).pop().unwrap_or_default();
    let holds = |node: Node| matches!(graph.nodes[node].shape, Some(Shape::Text { .. } | Shape::Json | Shape::Jsonb));
    let value = |other: Node| other != node && VALUES.contains(&last(other).as_str()) && holds(other);
    NAMES.contains(&last(node).as_str())
        && (differ || is_unique(graph, node))
        && !detect::of_persons(&graph.groups[group].root.name)
        && graph.nodes_of(group).any(value)
}

/// Whether a check lists every value that the column may have: no mask would pass it.
fn is_choice(graph: &Graph<'_>, node: Node) -> bool {
    let column = &graph.nodes[node];
    let mut checks = graph.groups[column.group].constraints.iter().filter(|known| known.kind == ConstraintKind::Check);
    checks.any(|check| {
        let alone = check.columns.len() == 1 && graph.node_at(check.table, check.columns[0]) == Some(node);
        let text = &check.definition;
        let lists = text.contains(" = ANY (ARRAY['") || text.contains(" = ANY ((ARRAY['");
        alone && check.enforced && lists && !text.contains(" OR ") && !text.contains("NOT ")
    })
}

/// Part of a primary key, of a foreign key, or referenced by one.
fn is_key(graph: &Graph<'_>, node: Node) -> bool {
    let group = graph.nodes[node].group;
    let references = || {
        let edges = graph.edges_from[group].iter().map(|edge| &graph.edges[*edge]);
        edges.filter(|edge| !edge.declared).flat_map(|edge| &edge.pairs).any(|(from, _)| *from == node)
    };
    graph.groups[group].uniques.iter().any(|index| index.primary && in_index(graph, index, node))
        || references()
        || referencing(graph, node) > 0
}

/// Part of a unique index, or of an exclusion constraint, which asks the same of its masks.
fn is_unique(graph: &Graph<'_>, node: Node) -> bool {
    graph.groups[graph.nodes[node].group].uniques.iter().any(|index| in_index(graph, index, node))
        || bound::is_apart(graph, node)
}

fn in_index(graph: &Graph<'_>, index: &crate::catalog::UniqueIndex, node: Node) -> bool {
    let listed = index.columns.iter().chain(&index.expression_columns).filter(|attnum| **attnum != 0);
    listed.filter_map(|attnum| graph.node_at(index.table, *attnum)).any(|column| column == node)
}

/// The name of a column as `columns` of a table takes it: a pattern that is about this one column, as TOML key.
pub fn column_key(name: &str) -> String {
    key(&literal(name))
}

/// A name as TOML key.
pub fn key(name: &str) -> String {
    let bare = |symbol: char| symbol.is_ascii_alphanumeric() || symbol == '_' || symbol == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { format!("\"{}\"", escape(name)) }
}

/// A text inside the quotes of a TOML string, on one line: names may hold line breaks, and TOML allows no control character.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for symbol in text.chars() {
        match symbol {
            '"' | '\\' => out.extend(['\\', symbol]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            symbol if symbol.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(symbol))),
            symbol => out.push(symbol),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text between the first quotes of a decision.
    fn reason(line: &str) -> String {
        line.split('"').nth(1).expect("a reason").to_owned()
    }

    #[test]
    fn what_restage_writes_as_a_reason_is_told_from_what_a_person_does() {
        let own = [KEEP_KEY, KEEP_CHOICE, KEEP_SWITCH, KEEP_SETTING].map(str::to_owned);
        for line in own.into_iter().chain([keep_unseen(false, 60), keep_unseen(true, 0)]) {
            assert!(is_own_reason(&reason(&line)), "{line}");
        }
        for theirs in [
            "why",
            "a technical key",
            "no sign of a person in its name or in 60 sampled values, and legal agreed",
            "no sign of a person in its name or in all sampled values",
            "it tells of a thing: ",
        ] {
            assert!(!is_own_reason(theirs), "{theirs}");
        }
    }
}
