//! What no plan can know without the values: whether masks that fold spellings meet in a unique key, and whether a value
//! could leave the encoding of its database. The plan writes the questions; a refresh asks them before its snapshot.

use super::anchor::quote;
use super::domain::{Choice, Domains, Mask};
use super::graph::{Graph, Node};
use super::sql::is_cased;
use crate::catalog::UniqueIndex;
use crate::config::{Place, Rows};
use crate::mask::{self, MaskSpec, Shape};
use serde_json::Value;
use std::collections::BTreeSet;

/// A question about values, for the source's server to answer with a number.
#[derive(Debug, Clone)]
pub struct ValueProbe {
    /// `schema.table.column`.
    pub column: String,
    pub kind: String,
    /// Tells whether there is anything to count: stops at the first row that could matter.
    pub any_sql: String,
    /// Counts the values that do not fit; 0 is good.
    pub count_sql: String,
    pub fault: ValueFault,
    pub place: Option<Place>,
}

/// What is wrong with the values that are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueFault {
    /// Their masks are equal to those of other values of this unique index.
    Collide {
        index: String,
        /// The kind can be told to keep case apart.
        can_unfold: bool,
    },
    /// Their masks may have letters that the encoding of the database has not.
    LeaveEncoding {
        encoding: String,
        /// The kind can be told what becomes of values it cannot read.
        reads_a_format: bool,
    },
    /// The row's country has a locale whose names or addresses the encoding cannot write.
    Locale { locale: &'static str, encoding: String },
}

/// Encodings that have all letters of a class that `pattern` draws from, or none, but for these: a mask of what they can
/// write can be written too, if none of these is in it. SQL_ASCII takes any byte.
const CLOSED: &[(&str, &str)] = &[
    ("UTF8", ""),
    ("SQL_ASCII", ""),
    ("LATIN1", ""),
    ("ISO_8859_5", ""),
    ("ISO_8859_6", ""),
    ("ISO_8859_7", "\u{37a}"),
    ("ISO_8859_8", ""),
    ("WIN866", "ЁЄЇЎёєїў"),
    ("WIN874", ""),
    ("WIN1251", "µҐґ"),
    ("WIN1253", "µƒ"),
    ("WIN1255", "ƒˆ"),
    ("KOI8R", "²Ёё"),
    ("KOI8U", "²ЁЄІЇҐёєіїґ"),
];

/// The letters of an encoding whose patterns it may be unable to write; none where these are any beyond ASCII.
pub fn letters_at_risk(encoding: &str) -> Option<&'static str> {
    CLOSED.iter().find(|(known, _)| *known == encoding).map(|(_, letters)| *letters)
}

/// Whether patterns of text in this encoding can always be written in it.
fn holds_patterns(encoding: &str) -> bool {
    letters_at_risk(encoding) == Some("")
}

/// White space that masks trim, as far as SQL can say it cheaply.
const BLANKS: &str = r" \t\n\r\f\x0b";
/// What `email` reads as an address, for the ASCII part of the world.
const ADDRESS: &str = r#"'^[^][[:space:]@<>(),;:\\"]+@[^[:space:]@.]+(\.[^[:space:]@.]+)*\.?$'"#;

/// Collects the questions of a plan.
pub(super) fn collect(
    graph: &Graph<'_>,
    rows: &[Rows],
    domains: &Domains,
    warnings: &mut Vec<String>,
) -> Vec<ValueProbe> {
    let mut probes = Vec::new();
    for (group, rows) in rows.iter().enumerate().filter(|(_, rows)| **rows != Rows::None) {
        collisions(graph, group, rows, domains, &mut probes);
    }
    let encoding = &graph.catalog.server.encoding;
    if !encoding.is_empty() && !holds_patterns(encoding) {
        let before = probes.len();
        for node in 0..graph.nodes.len() {
            probes.extend(leaves_encoding(graph, node, &rows[graph.nodes[node].group], domains));
        }
        let columns: Vec<String> = probes[before..].iter().map(|probe| format!("\"{}\"", probe.column)).collect();
        if !columns.is_empty() {
            warnings.push(format!(
                "the source has encoding {encoding}, which masks of {} could leave: a refresh first looks for {} there",
                columns.join(", "),
                letters_at_risk(encoding)
                    .map_or("letters beyond ASCII".to_owned(), |letters| format!("any of {letters}"))
            ));
        }
    }
    probes
}

fn mask_of(domains: &Domains, node: Node) -> Option<(&Mask, Option<&Place>)> {
    let resolved = domains.resolved[node].as_ref()?;
    match &resolved.choice {
        Choice::Mask(mask) => Some((mask, resolved.place.as_ref())),
        _ => None,
    }
}

/// The spelling under which a text value is masked, in SQL.
struct Folded {
    spelling: String,
    /// A cheaper test that every value whose spelling changes passes: patterns cost ten times as much as the rest.
    suspect: Option<String>,
}

/// None if the kind tells all spellings apart.
fn folded(mask: &Mask, text: &str) -> Option<Folded> {
    let trimmed = format!("pg_catalog.btrim({text}, E'{BLANKS}')");
    // What a kind that folds case cannot read is folded too.
    let fold = mask.kind.folds && mask.params.get("fold").and_then(Value::as_bool) != Some(false);
    // Case of ASCII only: a locale may fold more than masks do, and refuse what would work.
    let plain = if fold { format!("pg_catalog.lower({trimmed} COLLATE \"C\")") } else { trimmed };
    let differs = format!("{plain} COLLATE \"C\" <> {text} COLLATE \"C\"");
    let lower = format!("pg_catalog.lower({text} COLLATE \"C\")");
    let other = if fold { lower.as_str() } else { text };
    let when = |pattern: &str, folded: &str, suspect: String| Folded {
        spelling: format!("CASE WHEN {plain} ~ {pattern} THEN {folded} ELSE {other} END"),
        suspect: Some(suspect),
    };
    Some(match mask.kind.name {
        // Kinds that fold case and nothing else: what is around a value stands where it stood.
        "mac" | "uuid" | "fr.nir" | "fi.hetu" | "cn.ric" => {
            Folded { suspect: Some(format!("{lower} COLLATE \"C\" <> {text} COLLATE \"C\"")), spelling: lower }
        }
        "email" => {
            let suspect = format!("({differs} OR pg_catalog.right({text}, 1) = '.')");
            when(ADDRESS, &format!("pg_catalog.rtrim({plain}, '.')"), suspect)
        }
        "ip" => when("'^[0-9a-f:.]+(/[0-9]+)?$'", &plain, differs),
        "username" => Folded { spelling: plain, suspect: None },
        // It folds runs of blanks inside too.
        "company" => {
            Folded { spelling: format!("pg_catalog.regexp_replace({plain}, E'[{BLANKS}]+', ' ', 'g')"), suspect: None }
        }
        _ => return None,
    })
}

/// Whether a mask makes one of several spellings of a value, and `fold = false` would keep some of them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Merges {
    /// Case variants, unless told otherwise.
    Unless,
    /// Always: the value is read, and its spelling is not kept.
    Always,
}

/// How a mask merges spellings; none if it tells all apart.
pub fn merges(spec: &MaskSpec) -> Option<Merges> {
    let kind = mask::kind(&spec.kind)?;
    let can_unfold = kind.params.iter().any(|param| param.name == "fold");
    match spec.params.get("fold").and_then(Value::as_bool) {
        // Numbers with letters that are read in either case.
        _ if matches!(kind.name, "fr.nir" | "fi.hetu" | "cn.ric") => Some(Merges::Always),
        _ if !kind.folds => None,
        Some(false) => Some(Merges::Always),
        _ if can_unfold => Some(Merges::Unless),
        _ => Some(Merges::Always),
    }
}

/// One key column of a unique index, as SQL.
struct KeyPart {
    raw: String,
    folded: Option<Folded>,
}

fn collisions(graph: &Graph<'_>, group: usize, rows: &Rows, domains: &Domains, probes: &mut Vec<ValueProbe>) {
    let root = graph.groups[group].root;
    let mut seen: BTreeSet<Vec<Node>> = BTreeSet::new();
    // The root's own indexes first: those of its partitions repeat them.
    let (own, parts): (Vec<&UniqueIndex>, Vec<&UniqueIndex>) =
        graph.groups[group].uniques.iter().partition(|index| index.table == root.oid);
    for index in own.into_iter().chain(parts) {
        let Some((nodes, keys)) = key_parts(graph, domains, index) else { continue };
        let Some(column) = nodes.iter().zip(&keys).find(|(_, key)| key.folded.is_some()).map(|(node, _)| *node) else {
            continue;
        };
        let Some((mask, place)) = mask_of(domains, column) else { continue };
        let Some(table) = graph.table(index.table) else { continue };
        if index.table == root.oid && !seen.insert(nodes.clone()) || index.table != root.oid && seen.contains(&nodes) {
            continue;
        }
        let only =
            if graph.groups[group].partitioned.iter().any(|known| known.oid == table.oid) { "" } else { "ONLY " };
        let from = format!("{only}{}.{} AS t", quote(&table.schema), quote(&table.name));
        let Some(condition) = condition(rows, index) else { continue };
        let (any_sql, count_sql) = collision_sql(&from, &condition, &keys);
        probes.push(ValueProbe {
            column: graph.name(column),
            kind: mask.kind.full_name(),
            any_sql,
            count_sql,
            fault: ValueFault::Collide {
                index: index.name.clone(),
                can_unfold: mask.kind.params.iter().any(|param| param.name == "fold"),
            },
            place: place.cloned(),
        });
    }
}

/// Which rows the index and the copy hold; none if nobody can say, because of a limit.
fn condition(rows: &Rows, index: &UniqueIndex) -> Option<String> {
    let mut conditions: Vec<String> = index.predicate.iter().map(|text| format!("({text})")).collect();
    match rows {
        Rows::Where { limit: Some(_), .. } => return None,
        Rows::Where { condition, .. } => conditions.extend(condition.iter().map(|text| format!("({text}\n)"))),
        Rows::All | Rows::None => {}
    }
    Some(conditions.iter().map(|text| format!(" AND {text}")).collect())
}

/// The key columns of an index; none if one is an expression other than `lower(column)` or `upper(column)`.
fn key_parts(graph: &Graph<'_>, domains: &Domains, index: &UniqueIndex) -> Option<(Vec<Node>, Vec<KeyPart>)> {
    let mut expressions = index.expressions.iter();
    let (mut nodes, mut parts) = (Vec::new(), Vec::new());
    for &attnum in &index.columns {
        let node = if attnum == 0 {
            let expression = expressions.next()?;
            let used = index.expression_columns.iter().filter_map(|attnum| graph.node_at(index.table, *attnum));
            used.into_iter().find(|node| is_cased(expression, &graph.nodes[*node].column.name))?
        } else {
            graph.node_at(index.table, attnum)?
        };
        let column = &graph.nodes[node];
        let name = format!("t.{}", quote(&column.column.name));
        let text = matches!(column.shape, Some(Shape::Text { .. }));
        let raw = if text { format!("{name}::pg_catalog.text") } else { name };
        // Two spellings that differ in case are one key already where the column or the index ignores case.
        let mask = mask_of(domains, node).filter(|_| text && !column.folding);
        nodes.push(node);
        parts.push(KeyPart { folded: mask.and_then(|(mask, _)| folded(mask, &raw)), raw });
    }
    Some((nodes, parts))
}

/// Rows that are spelled otherwise than they are masked are few; only those can meet another row, so only they are
/// grouped and looked for, and most tables are read once without sorting.
fn collision_sql(from: &str, condition: &str, keys: &[KeyPart]) -> (String, String) {
    let changed: Vec<String> = keys
        .iter()
        .filter_map(|key| Some((key.folded.as_ref()?, &key.raw)))
        .map(|(Folded { spelling, suspect }, raw)| {
            let suspect: String = suspect.iter().map(|suspect| format!("{suspect} AND ")).collect();
            format!("({suspect}({spelling}) COLLATE \"C\" <> {raw} COLLATE \"C\")")
        })
        .collect();
    let present: String = keys.iter().map(|key| format!(" AND {} IS NOT NULL", key.raw)).collect();
    let changed = changed.join(" OR ");
    let any = format!("SELECT EXISTS (SELECT FROM {from} WHERE ({changed}){present}{condition})");
    let list = |of: fn(&KeyPart) -> &String| {
        let fields = keys.iter().enumerate().map(|(number, key)| format!("{} AS k{number}", of(key)));
        fields.collect::<Vec<_>>().join(", ")
    };
    let masked = list(|key| key.folded.as_ref().map_or(&key.raw, |folded| &folded.spelling));
    let raw = list(|key| &key.raw);
    let names: Vec<String> = (0..keys.len()).map(|number| format!("k{number}")).collect();
    let names = names.join(", ");
    let count = format!(
        "SELECT (coalesce(sum(g.n), 0) + count(u.one) - count(*))::pg_catalog.int8 FROM \
         (SELECT {names}, count(*) AS n FROM (SELECT {masked} FROM {from} WHERE ({changed}){present}{condition}) AS c \
         GROUP BY {names}) AS g LEFT JOIN (SELECT {raw}, 1 AS one FROM {from} WHERE true{present}{condition}) AS u \
         USING ({names})"
    );
    (any, count)
}

/// The question whether a masked column holds letters that could become letters of another encoding.
fn leaves_encoding(graph: &Graph<'_>, node: Node, rows: &Rows, domains: &Domains) -> Option<ValueProbe> {
    let column = &graph.nodes[node];
    let (mask, place) = mask_of(domains, node).filter(|_| matches!(column.shape, Some(Shape::Text { .. })))?;
    let reads_a_format = mask.kind.params.iter().any(|param| param.name == "on_invalid");
    let settled = matches!(mask.params.get("on_invalid").and_then(Value::as_str), Some("null" | "fail"));
    if *rows == Rows::None || settled || !(reads_a_format || mask.kind.name == "pattern") {
        return None;
    }
    let table = graph.groups[column.group].root;
    let only = if graph.groups[column.group].partitioned.is_empty() { "ONLY " } else { "" };
    let text = format!("t.{}::pg_catalog.text", quote(&column.column.name));
    let mut condition = match letters_at_risk(&graph.catalog.server.encoding) {
        Some(letters) => format!("{text} ~ '[{letters}]'"),
        None => format!("{text} ~ '[^\\x01-\\x7f]'"),
    };
    if mask.kind.name == "email" {
        // An address becomes ASCII whatever it was.
        condition.push_str(&format!(" AND pg_catalog.btrim({text}, E'{BLANKS}') !~ {ADDRESS}"));
    }
    if let Rows::Where { condition: Some(own), .. } = rows {
        condition.push_str(&format!(" AND ({own}\n)"));
    }
    let from = format!("{only}{}.{} AS t WHERE {condition}", quote(&table.schema), quote(&table.name));
    Some(ValueProbe {
        column: graph.name(node),
        kind: mask.kind.full_name(),
        any_sql: format!("SELECT EXISTS (SELECT FROM {from})"),
        count_sql: format!("SELECT count(*) FROM {from}"),
        fault: ValueFault::LeaveEncoding { encoding: graph.catalog.server.encoding.clone(), reads_a_format },
        place: place.cloned(),
    })
}
