//! What can stand in for the values of a column: NULL, or a constant that its type and its checks take, where no mask suits;
//! and examples to try masks with.
//!
//! What the server said of the candidates ([`trials`]) decides. Where it was not asked, the first that the type takes is
//! proposed; of a type that nothing is known of, and for a check, none.

use super::checks::{self, Condition};
use super::graph::{Graph, Node};
use super::propose::escape;
use super::sql::{mentions, only_null_tests};
use super::{CheckProbe, ProbeValue};
use crate::catalog::{Catalog, Oid, StandIn};
use crate::mask::{self, Shape};

/// What to ask the server about a column: which of these values it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The table, or the root of its partitions.
    pub table: Oid,
    pub attnum: i16,
    /// SQL type to cast the values to: the column's, or the base type of its domain.
    pub type_name: String,
    pub conditions: Vec<Condition>,
    /// Values as text, best first; NULL is always asked about.
    pub candidates: Vec<String>,
}

/// Labels of an enum, and numbers or dates of a check, that are tried at most.
const TRIED_MAX: usize = 20;
/// A day and a time for columns that cannot be empty; what follows is for checks that ask for another.
const DAYS: [&str; 3] = ["2000-01-01", "2100-01-01", "1900-01-01"];
/// Texts of forms that masks keep: codes and names of a country, a short word, digits.
const WORDS: [&str; 6] = ["DE", "de", "DEU", "Germany", "x", "12345"];
/// For types of extensions and rare ones of the server, in the notations that these have.
const ANY: [&str; 12] =
    ["0", "", "{}", "empty", "0/0", "(0,0)", "(0,0),(0,0)", "((0,0),(0,0))", "<(0,0),0>", "{1,1,0}", "$", "POINT(0 0)"];

/// The columns of which only the server can say what may stand in for their values: those with a check of their own or in
/// their domain, and those of types that nothing is known of.
pub fn trials(catalog: &Catalog) -> Vec<Trial> {
    let graph = Graph::new(catalog, &[], &mut Vec::new());
    let asked = (0..graph.nodes.len()).filter(|node| !graph.nodes[*node].column.generated).filter_map(|node| {
        let column = &graph.nodes[node];
        let (type_name, conditions) = checks::conditions(&graph, node);
        if conditions.is_empty() && column.shape.as_ref().is_some_and(is_known) {
            return None;
        }
        let candidates = candidates(column.shape.as_ref(), &type_name, &conditions);
        let table = graph.groups[column.group].root.oid;
        Some(Trial { table, attnum: column.column.attnum, type_name, conditions, candidates })
    });
    asked.collect()
}

/// What may stand in for the values of a column, by its type, NOT NULL and checks; keys are not looked at.
///
/// Checks that compare it with other columns: one that only asks whether it is NULL is broken by NULL, and any other by a
/// constant. Comparisons let NULL pass, unless they have a form in which NULL counts as a value.
pub(super) fn of(graph: &Graph<'_>, node: Node) -> StandIn {
    let column = &graph.nodes[node];
    let root = graph.groups[column.group].root;
    let mut found = match graph.catalog.stand_ins.get(&(root.oid, column.column.attnum)) {
        Some(known) => known.clone(),
        None => {
            let (type_name, conditions) = checks::conditions(graph, node);
            let known = column.shape.as_ref().is_some_and(is_known) || named(&type_name).is_some();
            let mut candidates = candidates(column.shape.as_ref(), &type_name, &conditions).into_iter();
            // Nobody has said that the checks take it.
            let sure = known && conditions.is_empty();
            StandIn { null: true, constant: candidates.next().filter(|_| sure) }
        }
    };
    found.null &= !column.not_null;
    for check in checks::checks(graph, column.group).filter(|check| check.columns.len() > 1) {
        let Some(text) = &check.expression else { continue };
        if !mentions(text, &column.column.name) {
            continue;
        }
        found.null &= !counts_null(text);
        if !only_null_tests(text, &column.column.name) {
            found.constant = None;
        }
    }
    found
}

/// Whether a check compares the column with others.
pub(super) fn is_compared(graph: &Graph<'_>, node: Node) -> bool {
    let name = &graph.nodes[node].column.name;
    let mut several = checks::checks(graph, graph.nodes[node].group).filter(|check| check.columns.len() > 1);
    several.any(|check| check.expression.as_ref().is_some_and(|text| mentions(text, name)))
}

/// Whether a condition has a form that gives NULL an answer of its own. Without one it was true and becomes true or NULL when
/// a value becomes NULL, and a check takes both.
fn counts_null(sql: &str) -> bool {
    const FORMS: [&str; 9] =
        ["IS", "COALESCE", "CASE", "DISTINCT", "num_nulls", "num_nonnulls", "concat", "concat_ws", "NULLIF"];
    FORMS.iter().any(|form| mentions(sql, form))
}

/// A constant in TOML.
pub(super) fn toml(shape: Option<&Shape>, text: &str) -> String {
    let number = matches!(
        shape,
        Some(Shape::Int2 | Shape::Int4 | Shape::Int8 | Shape::Numeric { .. } | Shape::Float4 | Shape::Float8)
    );
    // A number of TOML has 64 bits.
    let bare = number && text.parse::<i64>().is_ok() || matches!(shape, Some(Shape::Bool));
    if bare { text.to_owned() } else { format!("\"{}\"", escape(text)) }
}

/// Whether the first candidate of a shape is a value of every type that has it.
fn is_known(shape: &Shape) -> bool {
    match shape {
        Shape::Opaque => false,
        Shape::Composite(attributes) => attributes.iter().all(|attribute| is_known(&attribute.shape)),
        Shape::Enum(labels) => !labels.is_empty(),
        _ => true,
    }
}

fn candidates(shape: Option<&Shape>, type_name: &str, conditions: &[Condition]) -> Vec<String> {
    let mut found = match shape {
        // Texts have masks that take every one of them.
        Some(Shape::Text { .. }) => Vec::new(),
        Some(shape) => of_shape(shape),
        None => named(type_name).into_iter().chain(ANY.map(str::to_owned)).collect(),
    };
    for condition in conditions {
        match shape {
            Some(Shape::Int2 | Shape::Int4 | Shape::Int8 | Shape::Numeric { .. } | Shape::Float4 | Shape::Float8) => {
                found.extend(numbers(&condition.expression));
            }
            Some(Shape::Date | Shape::Timestamp) => found.extend(days(&condition.expression)),
            _ => {}
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|text| seen.insert(text.clone()));
    found
}

/// Values to try the masks of a column with, as text; none of them is a source value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examples {
    /// The kind's own.
    pub own: Vec<String>,
    /// What the type and the condition suggest, for kinds whose own do not fit; some stand at the edge of the condition.
    pub others: Vec<String>,
    /// Masks have a form of their own: those of values that do not fit tell as much.
    pub formed: bool,
    /// The column holds texts.
    pub texts: bool,
}

/// What to mask in order to find out whether masks fulfill the condition of a probe.
pub fn examples(probe: &CheckProbe) -> Examples {
    let ProbeValue::Mask { spec, shape, .. } = &probe.value else { return Examples::default() };
    let Some(kind) = mask::kind(&spec.kind) else { return Examples::default() };
    let samples = || kind.samples.iter().map(|sample| (*sample).to_owned());
    let sql = &probe.expression;
    let mut leaves = Vec::new();
    match shape.leaf() {
        Shape::Int2 | Shape::Int4 | Shape::Int8 | Shape::Numeric { .. } | Shape::Float4 | Shape::Float8 => {
            let found = numbers(sql);
            leaves.extend(
                found.iter().filter_map(|text| text.parse().ok()).map(|n: i64| n.saturating_mul(2).to_string()),
            );
            leaves.extend(found);
        }
        Shape::Date | Shape::Timestamp => {
            let found = days(sql);
            leaves.extend(found.iter().flat_map(|day| years_around(day)));
            leaves.extend(found);
        }
        Shape::Text { .. } => {
            leaves.extend(samples().flat_map(|text| [text.to_uppercase(), text.to_lowercase()]));
            leaves.extend(WORDS.map(str::to_owned));
            leaves.extend(literals(sql));
        }
        _ => {}
    }
    let mut others = of_shape(shape);
    // An array without elements is its own mask, which tells nothing.
    others.retain(|text| !matches!(shape, Shape::Array(_)) || text != "{}");
    others.extend(leaves.iter().map(|leaf| wrapped(shape, leaf)));
    let mut seen = std::collections::BTreeSet::new();
    others.retain(|text| seen.insert(text.clone()));
    Examples {
        own: samples().map(|sample| wrapped(shape, &sample)).collect(),
        others,
        formed: !(kind.least)(&spec.params).is_empty(),
        texts: matches!(shape, Shape::Text { .. }),
    }
}

/// A value of the innermost type as one of the whole.
fn wrapped(shape: &Shape, leaf: &str) -> String {
    match shape {
        Shape::Array(inner) => format!("{{{}}}", quoted(&wrapped(inner, leaf))),
        Shape::Range(inner) => {
            let bound = quoted(&wrapped(inner, leaf));
            format!("[{bound},{bound}]")
        }
        Shape::Multirange(inner) => {
            let bound = quoted(&wrapped(inner, leaf));
            format!("{{[{bound},{bound}]}}")
        }
        _ => leaf.to_owned(),
    }
}

/// Ten years before and after a day: the day itself may be a limit, which a mask that moves values crosses.
fn years_around(day: &str) -> Vec<String> {
    let (year, rest) = day.split_at(4);
    let year: i32 = year.parse().unwrap_or(2000);
    [year + 10, year - 10].map(|year| format!("{year:04}{rest}")).to_vec()
}

/// The texts that a condition lists. None of one with a pattern, which is no value.
fn literals(sql: &str) -> Vec<String> {
    if sql.contains('~') {
        return Vec::new();
    }
    let (mut found, mut rest) = (Vec::new(), sql);
    while let Some((_, from)) = rest.split_once('\'')
        && found.len() < TRIED_MAX
    {
        let mut text = String::new();
        let mut symbols = from.char_indices().peekable();
        let mut end = from.len();
        while let Some((at, symbol)) = symbols.next() {
            if symbol == '\'' && symbols.next_if(|(_, next)| *next == '\'').is_none() {
                end = at + 1;
                break;
            }
            text.push(symbol);
        }
        found.push(text);
        rest = &from[end..];
    }
    found
}

/// A value of a type that no mask takes, by its name.
fn named(type_name: &str) -> Option<String> {
    let (name, length) = type_name.split_once('(').unwrap_or((type_name, "1)"));
    let length = || length.trim_end_matches(')').parse().unwrap_or(1_usize);
    Some(match name {
        "bit" => "0".repeat(length()),
        "bit varying" | "interval" | "money" | "oid" | "xid" | "tsquery" => "0".to_owned(),
        name if name.starts_with("interval") => "0".to_owned(),
        "tsvector" => String::new(),
        "pg_lsn" => "0/0".to_owned(),
        _ => return None,
    })
}

fn of_shape(shape: &Shape) -> Vec<String> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let first = |inner: &Shape| of_shape(inner).into_iter().next().unwrap_or_default();
    match shape {
        Shape::Int2 | Shape::Int4 | Shape::Int8 | Shape::Numeric { .. } | Shape::Float4 | Shape::Float8 => {
            texts(&["0", "1"])
        }
        Shape::Bool => texts(&["false", "true"]),
        Shape::Text { .. } => texts(&["x"]),
        Shape::Enum(labels) => labels.iter().take(TRIED_MAX).cloned().collect(),
        Shape::Bytea => texts(&["\\x", "\\x00"]),
        Shape::Uuid => texts(&["00000000-0000-0000-0000-000000000000"]),
        Shape::Mac => texts(&["00:00:00:00:00:00"]),
        Shape::Mac8 => texts(&["00:00:00:00:00:00:00:00"]),
        Shape::Point => texts(&["(0,0)", "(1,1)"]),
        Shape::Date | Shape::Timestamp => texts(&DAYS),
        Shape::Time | Shape::TimeTz => texts(&["00:00", "12:00"]),
        Shape::Inet => texts(&["192.0.2.1"]),
        Shape::Cidr => texts(&["192.0.2.0/24"]),
        Shape::Json | Shape::Jsonb => texts(&["{}", "[]", "0", "\"x\"", "false", "[0]", "null"]),
        Shape::Xml => texts(&["<x/>"]),
        Shape::Array(inner) => {
            let one = quoted(&first(inner));
            vec!["{}".to_owned(), format!("{{{one}}}"), format!("{{{one},{one}}}")]
        }
        Shape::Range(inner) => vec!["empty".to_owned(), range(inner), "(,)".to_owned()],
        Shape::Multirange(inner) => vec!["{}".to_owned(), format!("{{{}}}", range(inner))],
        Shape::Composite(attributes) => {
            let fields: Vec<String> = attributes.iter().map(|attribute| quoted(&first(&attribute.shape))).collect();
            vec![format!("({})", fields.join(","))]
        }
        Shape::Hstore => texts(&["", "x=>x"]),
        Shape::Opaque => texts(&["0"]),
    }
}

/// A range of one value.
fn range(inner: &Shape) -> String {
    let one = quoted(&of_shape(inner).into_iter().next().unwrap_or_default());
    format!("[{one},{one}]")
}

/// A value inside an array, a range or a row: all read double quotes with backslashes alike.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The whole numbers that a condition names, and their neighbors: one of a list, or one past a limit.
fn numbers(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let starts = sql.char_indices().filter(|(at, symbol)| {
        let before = sql[..*at].chars().next_back();
        symbol.is_ascii_digit() && !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.')
    });
    for (at, _) in starts.take(TRIED_MAX) {
        let text: String = sql[at..].chars().take_while(char::is_ascii_digit).collect();
        let Ok(number) = text.parse::<i64>() else { continue };
        let number = if sql[..at].ends_with('-') { -number } else { number };
        found.extend([number, number.saturating_add(1), number.saturating_sub(1)].map(|number| number.to_string()));
    }
    found
}

/// The days that a condition names.
fn days(sql: &str) -> Vec<String> {
    let form = |text: &str| {
        text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    };
    let found = (0..sql.len()).filter_map(|at| sql.get(at..at + 10)).filter(|text| form(text));
    found.take(TRIED_MAX).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_days_of_conditions_are_tried() {
        assert_eq!(numbers("(c = ANY (ARRAY[7, 9]))"), ["7", "8", "6", "9", "10", "8"]);
        assert_eq!(numbers("(c1 > '-5'::integer)"), ["-5", "-4", "-6"]);
        assert_eq!(numbers("(c2 > c3)"), [""; 0]);
        assert_eq!(days("(d >= '2012-03-04'::date)"), ["2012-03-04"]);
        assert_eq!(days("(ü <> '2012-03-4'::text)"), [""; 0]);
    }

    #[test]
    fn texts_of_conditions_are_tried_but_no_patterns() {
        let listed = "((t)::text = ANY ((ARRAY['new'::character varying, 'it''s'::character varying])::text[]))";
        assert_eq!(literals(listed), ["new", "it's"]);
        assert_eq!(literals("(t <> ''::text)"), [""]);
        assert_eq!(literals("(t ~~ '$2%'::text)"), [""; 0]);
        assert_eq!(literals("(t = 'open"), ["open"]);
    }

    #[test]
    fn examples_are_in_the_notation_of_the_column() {
        use crate::mask::MaskSpec;
        use std::sync::Arc;
        let probe = |kind: &str, shape: Shape, expression: &str| {
            let spec = MaskSpec { kind: kind.into(), label: String::new(), params: mask::Params::new(), subject: None };
            examples(&CheckProbe {
                table: "public.t".into(),
                column: "c".into(),
                constraint: "c_check".into(),
                expression: expression.into(),
                sees: "c".into(),
                type_name: "x".into(),
                value: ProbeValue::Mask { spec, shape, tier: 0 },
                place: None,
            })
        };
        let prices = probe("num.noise/1", Shape::Float8, "(c > 5)");
        assert_eq!(
            (prices.own.as_slice(), prices.formed),
            (["1250.00", "-3", "0"].map(str::to_owned).as_slice(), false)
        );
        assert_eq!(prices.others, ["0", "1", "10", "12", "8", "5", "6", "4"]);
        let ranges = probe("num.scale/1", Shape::Range(Arc::new(Shape::Int4)), "(NOT isempty(c))");
        assert_eq!(ranges.own[1], "[\"-3\",\"-3\"]");
        let mails = probe("email/1", Shape::Array(Arc::new(Shape::TEXT)), "(cardinality(c) > 0)");
        assert_eq!((mails.own[0].as_str(), mails.formed, mails.texts), ("{\"bob@example.com\"}", true, false));
        assert_eq!(years_around("2150-02-03"), ["2160-02-03", "2140-02-03"]);
    }

    #[test]
    fn null_counts_only_in_forms_that_ask_for_it() {
        for counts in ["((a IS NULL) <> (b IS NULL))", "(COALESCE(a, 0) < b)", "(num_nonnulls(a, b) = 1)"] {
            assert!(counts_null(counts), "{counts}");
        }
        for passes in ["(a < b)", "((a < b) OR (b > 5))", "(is_a < b)", "(a <> 'IS'::text)"] {
            assert!(!counts_null(passes), "{passes}");
        }
    }

    #[test]
    fn candidates_are_in_the_notation_of_their_type() {
        use std::sync::Arc;
        let dates = Shape::Range(Arc::new(Shape::Date));
        assert_eq!(of_shape(&dates)[..2], ["empty", "[\"2000-01-01\",\"2000-01-01\"]"]);
        assert_eq!(of_shape(&Shape::Array(Arc::new(Shape::Int4)))[..2], ["{}", "{\"0\"}"]);
        assert_eq!(named("bit(3)").as_deref(), Some("000"));
        assert_eq!(named("interval day to second(3)").as_deref(), Some("0"));
        assert_eq!(toml(Some(&Shape::Int4), "7"), "7");
        assert_eq!(toml(Some(&Shape::Bytea), "\\x"), "\"\\\\x\"");
        assert_eq!(toml(None, "0"), "\"0\"");
    }
}
