//! Whom a row belongs to, and whose values a column of it holds.
//!
//! One rule. A text speaks of the person that foreign keys lead to, whatever else stands in the row: names of the row itself
//! are masked in it all the same. A name or an address that is a copy of that person's (`orders.ship_name`) takes the
//! person's mask; the name of somebody else (`author`, `emergency_contact_name`) is masked by its value; and a row without
//! names of its own belongs to the person of its foreign key. What is left is of the row itself.

use super::anchor::is_unique;
use super::graph::{Edge, Graph, Node};
use super::propose::findings;
use crate::catalog::Catalog;
use crate::detect::{self, Finding};
use crate::mask::Shape;
use std::collections::{BTreeMap, HashSet};

/// What is known of a column's values beside those of the persons that its rows lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compared<'w> {
    /// Nobody has compared them.
    #[default]
    Not,
    /// They are those of the person at the end of this way, as a subject is written.
    Same(&'w str),
    /// They are those of others.
    Others,
}

/// Whose values a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// The row's own.
    Row,
    /// Those of the person at the end of a way, as a subject is written.
    Person(String),
    /// Those of somebody who has no key in the row.
    Other,
}

/// Categories of names, and of what a person's address consists of.
pub const NAMES: &[&str] = &["first_name", "last_name", "full_name"];
pub const PLACES: &[&str] = &["address", "street", "city", "zip", "region"];

/// Words for somebody who stands in the row of another person.
const OTHERS: &[&str] = &[
    "emergency",
    "mother",
    "mothers",
    "father",
    "fathers",
    "spouse",
    "partner",
    "parent",
    "guardian",
    "kin",
    "nok",
    "child",
    "husband",
    "wife",
    "manager",
    "supervisor",
    "doctor",
    "physician",
    "gp",
    "referrer",
    "referred",
    "witness",
    "guarantor",
    "beneficiary",
    "approver",
    "recipient",
    "sender",
    "contact",
    "agent",
    "assignee",
    "teacher",
    "landlord",
    "employer",
    "friend",
    "relative",
    "mutter",
    "vater",
    "ehepartner",
    "notfall",
    "arzt",
    "mere",
    "pere",
    "madre",
    "padre",
    "mae",
    "pai",
    "conjuge",
];

/// Words for the person that a row is for: `ship_name`, `customer_name`.
const FOR: &[&str] = &[
    "ship",
    "shipping",
    "shipto",
    "bill",
    "billing",
    "billto",
    "invoice",
    "delivery",
    "deliver",
    "customer",
    "client",
    "buyer",
    "patient",
    "guest",
    "member",
    "subscriber",
    "payer",
    "holder",
    "rechnung",
    "rechnungs",
    "liefer",
    "lieferung",
    "kunde",
    "kunden",
    "besteller",
    "livraison",
    "facturation",
    "cliente",
];

/// Foreign keys followed to find whose names a text may hold.
const HOPS_MAX: usize = 3;

/// Whose values a column holds, for a mask of this kind.
pub(super) fn column(graph: &Graph<'_>, node: Node, word: &str, compared: Compared<'_>) -> Whose {
    let group = graph.nodes[node].group;
    let name = &graph.nodes[node].column.name;
    let person = |way: Option<String>| way.map_or(Whose::Row, Whose::Person);
    if word == "text.spans" {
        return person(text(graph, group));
    }
    let other = is_somebody_else(&graph.groups[group].root.name, name);
    let (named, placed) = (word.starts_with("name."), word == "address");
    match compared {
        Compared::Same(way) if named || placed => Whose::Person(way.to_owned()),
        _ if other || named && detect::of_actor(name) => Whose::Other,
        Compared::Not if (named || placed) && is_for(graph, node) => person(first_person(graph, group)),
        // Another one than the customer is on the parcel: nobody's key says who.
        Compared::Others if named && is_for(graph, node) => Whose::Other,
        _ if word.starts_with("date.") || word.starts_with("time.") => person(anchor_person(graph, group)),
        _ => Whose::Row,
    }
}

/// The row's own anchor: the one column of the primary key, else the first column of a foreign key.
pub(super) fn row(graph: &Graph<'_>, group: usize, but: Node) -> Option<String> {
    let reference = || graph.edges_from[group].first().map(|edge| graph.edges[*edge].pairs[0].0);
    let node = key(graph, group)
        .or_else(reference)
        .filter(|node| *node != but && graph.nodes[*node].shape.as_ref().is_some_and(Shape::names_subjects))?;
    Some(graph.nodes[node].column.name.clone())
}

/// The one column of the primary key.
fn key(graph: &Graph<'_>, group: usize) -> Option<Node> {
    let uniques = &graph.groups[group].uniques;
    let primary = uniques.iter().find(|index| index.primary && index.columns.len() == 1 && index.columns[0] != 0)?;
    graph.node_at(primary.table, primary.columns[0])
}

/// The anchor of the person whose a whole row is.
pub(super) fn anchor(graph: &Graph<'_>, group: usize) -> Option<String> {
    anchor_person(graph, group).or_else(|| row(graph, group, graph.nodes.len()))
}

/// The person of a row without names of its own.
fn anchor_person(graph: &Graph<'_>, group: usize) -> Option<String> {
    if names(graph, group).own { None } else { first_person(graph, group) }
}

/// A person that a foreign key of one column leads to.
pub(super) struct Person {
    /// As a subject is written: the masks of the person's own columns have the same one.
    pub way: String,
    pub from: Node,
    /// The column of the person's table that the foreign key means.
    pub to: Node,
}

/// Every person that a foreign key of a row leads to, first whom every row has: an order always has a customer, and may have
/// somebody who packs it.
pub(super) fn persons(graph: &Graph<'_>, group: usize) -> Vec<Person> {
    let mut found: Vec<Person> = Vec::new();
    for (from, to) in keys(graph, group).filter(|(_, to)| graph.nodes[*to].group != group) {
        let target = graph.nodes[to].group;
        if !holds_persons(graph, target) {
            continue;
        }
        let mut way = graph.nodes[from].column.name.clone();
        // The person's own masks have the key of their table as subject, whatever column the foreign key means.
        if let Some(key) = key(graph, target).filter(|key| *key != to) {
            way = format!("{way} -> {}", graph.name(key));
        }
        found.push(Person { way, from, to });
    }
    found.sort_by_key(|person| !graph.nodes[person.from].not_null);
    found
}

fn first_person(graph: &Graph<'_>, group: usize) -> Option<String> {
    persons(graph, group).into_iter().next().map(|person| person.way)
}

/// Foreign keys of one column that a subject can follow.
fn keys<'k>(graph: &'k Graph<'_>, group: usize) -> impl Iterator<Item = (Node, Node)> + 'k {
    let edges = graph.edges_from[group].iter().map(|edge| &graph.edges[*edge]);
    edges.filter_map(|edge: &Edge| {
        let [(from, to)] = edge.pairs[..] else { return None };
        // Without a unique index a row could have two subjects.
        let one = !edge.declared || is_unique(graph, graph.nodes[to].group, &[to]);
        let names = graph.nodes[from].shape.as_ref().is_some_and(Shape::names_subjects);
        (one && names).then_some((from, to))
    })
}

/// The way from a row to the person its texts speak of: the fewest foreign keys of one column each that lead to a table of
/// persons, as a subject is written. Of equally short ways the one that every row has. Tables on the way are read for
/// names, too, so a table of orders that has a name for the parcel does not end it.
pub(super) fn text(graph: &Graph<'_>, group: usize) -> Option<String> {
    let persons = way(graph, group, &|group| holds_persons(graph, group));
    persons.or_else(|| way(graph, group, &|group| names(graph, group).any))
}

/// The subject of texts of each table whose foreign keys lead to a person, by `schema.table`.
pub fn text_subjects(catalog: &Catalog) -> BTreeMap<String, String> {
    let graph = Graph::new(catalog, &[], &mut Vec::new());
    let groups = 0..graph.groups.len();
    groups.filter_map(|group| Some((graph.groups[group].root.full_name(), text(&graph, group)?))).collect()
}

fn way(graph: &Graph<'_>, group: usize, ends: &dyn Fn(usize) -> bool) -> Option<String> {
    let mut ways: Vec<(usize, String)> = vec![(group, String::new())];
    let mut seen = HashSet::new();
    for _ in 0..HOPS_MAX {
        let mut longer: Vec<(usize, String)> = Vec::new();
        for (group, way) in &ways {
            let mut keys: Vec<(Node, Node)> = keys(graph, *group).collect();
            keys.sort_by_key(|(from, _)| !graph.nodes[*from].not_null);
            for (from, to) in keys {
                let (from, to) = (&graph.nodes[from], &graph.nodes[to]);
                let way = match way.is_empty() {
                    true => from.column.name.clone(),
                    false => format!("{way} -> {}.{}", graph.groups[*group].root.full_name(), from.column.name),
                };
                if !seen.insert(to.group) {
                    continue;
                }
                if ends(to.group) {
                    return Some(way);
                }
                longer.push((to.group, way));
            }
        }
        ways = longer;
    }
    None
}

/// Whose names the columns of a table hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// Those of its rows, and of nobody who stands beside them.
    own: bool,
    /// Anybody's.
    any: bool,
}

fn names(graph: &Graph<'_>, group: usize) -> Names {
    let table = graph.groups[group].root.name.as_str();
    let read = || {
        let named = findings_of(graph, group).filter(|(_, finding)| is_name(finding));
        let named: Vec<Node> = named.map(|(node, _)| node).collect();
        let own = |node: &Node| {
            let column = &graph.nodes[*node].column.name;
            !is_somebody_else(table, column) && !detect::of_actor(column) && !is_for(graph, *node)
        };
        Names { own: named.iter().any(own), any: !named.is_empty() }
    };
    *graph.groups[group].names.get_or_init(read)
}

/// Whether the rows of a table are persons: they have names that are nobody else's, or the table is called after persons
/// and has names.
fn holds_persons(graph: &Graph<'_>, group: usize) -> bool {
    let names = names(graph, group);
    names.own || names.any && detect::of_persons(&graph.groups[group].root.name)
}

/// The best finding of each column of a table, by its name.
pub(super) fn findings_of<'k>(graph: &'k Graph<'_>, group: usize) -> impl Iterator<Item = (Node, Finding)> + 'k {
    graph
        .nodes_of(group)
        .filter_map(move |node| findings(graph, node).into_iter().find(Finding::found).map(|finding| (node, finding)))
}

fn is_name(finding: &Finding) -> bool {
    NAMES.contains(&finding.category.name.as_str())
}

/// Whether a column tells of another person than the rows of its table: `patients.emergency_contact_name`.
fn is_somebody_else(table: &str, column: &str) -> bool {
    is_called(table, column, OTHERS)
}

/// Whether a column tells of the person that a row is for: `orders.ship_name`.
fn is_for(graph: &Graph<'_>, node: Node) -> bool {
    is_called(&graph.groups[graph.nodes[node].group].root.name, &graph.nodes[node].column.name, FOR)
}

/// Whether a column, and not its table, is called by one of the words.
fn is_called(table: &str, column: &str, words: &[&str]) -> bool {
    let table = table.to_lowercase();
    let all = detect::name_words(column);
    all.iter().any(|word| words.contains(&word.as_str()) && !table.contains(word.trim_end_matches('s')))
}
