//! What discovery needs of the plan: every column, who decides it already, and a decision for those nobody does.

use super::graph::{Graph, Node};
use super::whose::{self, Compared};
use super::{Policy, Suggested, packs, policy, propose};
use crate::catalog::Catalog;
use crate::config::{Action, Place, Rows};
use crate::detect::{Affix, Class, Documents, Facts, Finding, Signal};
use crate::mask::Shape;
use crate::mask::kind::Takes;
use std::collections::BTreeSet;

pub use super::whose::{NAMES, PLACES};

/// One value in so many that is of another sort is no slip.
const MIXED_SHARE: u32 = 10;
/// A text column with so few different values, each this many times, is a list of words and no person's.
const WORDS_MAX: u32 = 20;
const TIMES_MIN: u64 = 5;

/// Categories that the mask of prose recognizes wherever they stand.
const IN_PROSE: &[&str] = &["email", "phone", "credit_card", "iban", "ip"];

/// A table, or a partition tree.
#[derive(Debug, Clone)]
pub struct DraftTable {
    pub schema: String,
    pub name: String,
    /// The tables that hold the rows, largest first.
    pub leaves: Vec<DraftLeaf>,
    pub columns: Vec<DraftColumn>,
    /// The policy leaves its rows out.
    pub empty: bool,
    /// Where this table's own rule stands, if there is one.
    pub place: Option<Place>,
    /// Anchor of the persons it holds.
    pub anchor: Option<String>,
    /// The persons that its foreign keys lead to.
    pub persons: Vec<DraftPerson>,
    /// What nearly all of its columns are called by.
    pub affix: Option<Affix>,
}

/// A person that a foreign key leads to, with the columns that a row may hold copies of.
#[derive(Debug, Clone)]
pub struct DraftPerson {
    /// As a subject is written.
    pub way: String,
    /// The referencing column of the row.
    pub from: String,
    pub schema: String,
    pub table: String,
    /// The column that it means.
    pub to: String,
    /// Category and name of each column with a name or a part of an address.
    pub columns: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub struct DraftLeaf {
    pub schema: String,
    pub name: String,
    pub rows: u64,
    pub blocks: u32,
}

#[derive(Debug, Clone)]
pub struct DraftColumn {
    pub name: String,
    pub type_name: String,
    pub takes: Takes,
    /// Its values hold others: arrays, composites, hstore.
    pub nested: bool,
    /// Name of the domain or composite type, without schema.
    pub domain: Option<String>,
    pub standing: Standing,
}

/// Who decides a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Open,
    /// The server computes it.
    Generated,
    /// A foreign key: it follows the column it points to.
    Follows,
    /// The policy, and what it says; `keeps` without a `reason` of a person's looks away.
    Decided {
        because: String,
        place: Place,
        keeps: bool,
        reason: bool,
    },
}

/// What sampled rows hold of the person that a foreign key leads to, by count of rows that have both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside {
    /// Place in [`DraftTable::persons`].
    pub person: usize,
    pub rows: i64,
    /// Rows whose value is such a name of the person ([`NAMES`]), or such a place of their address ([`PLACES`]), whatever its
    /// case and signs.
    pub names: [i64; NAMES.len()],
    pub places: [i64; PLACES.len()],
    /// Rows whose value has one of the names among its words.
    pub holds: i64,
}

/// A column is a copy of the person's if so many of ten rows are.
const SAME_OF_TEN: i64 = 6;
/// Fewer rows say nothing.
const ROWS_MIN: i64 = 3;
/// Where a name of the row's person is in so many of 100 rows, the names in the others are that person's as well.
const ALL_OF_HUNDRED: i64 = 98;
/// Where it is in one of so many rows, it is no chance.
const SOME_SHARE: i64 = 10;

impl Beside {
    fn most(&self, rows: i64) -> bool {
        rows >= ROWS_MIN && rows * 10 >= self.rows * SAME_OF_TEN
    }

    /// How many rows say that the column is of this person.
    pub fn fit(&self) -> i64 {
        self.names.iter().chain(&self.places).copied().max().unwrap_or(0).max(self.holds)
    }

    /// The mask of the name or the place that most rows hold, with its parameters.
    fn copied(&self) -> Option<(&'static str, &'static str)> {
        let most = |counts: &[i64]| {
            (0..counts.len()).max_by_key(|place| counts[*place]).filter(|best| self.most(counts[*best]))
        };
        let named = most(&self.names).map(|name| (["name.first", "name.last", "name.full"][name], ""));
        let parts = ["", "part = \"street\"", "part = \"city\"", "part = \"zip\"", "part = \"region\""];
        named.or_else(|| most(&self.places).map(|place| ("address", parts[place])))
    }
}

/// What was seen of a column's values.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Values that are not NULL.
    pub values: u64,
    /// Different ones among them, as far as they were counted; of arrays their elements.
    pub distinct: u32,
    /// Of these: of many words.
    pub sentences: u32,
    /// Its name, or a value, speaks of a person or a secret, although the values together do not say what they are.
    pub person: bool,
    /// Its name tells of somebody who did something.
    pub actor: bool,
    /// Its table tells of things, and no column of it leads to a person, or its values are numbers of things.
    pub of_thing: bool,
    /// Name and type alone say that a program notes or counts something.
    pub of_program: bool,
    /// Its values are written as names in a program are.
    pub identifiers: bool,
    /// What its texts are written as, if it is more than words.
    pub documents: Option<Documents>,
    /// Its rows beside their person, where that was looked up.
    pub beside: Option<Beside>,
}

/// What the documents of a column hold, by path: `.*` is any key.
#[derive(Debug, Clone, Default)]
pub struct Inside {
    pub paths: Vec<(String, Finding)>,
    /// Objects whose keys may be persons.
    pub persons: BTreeSet<String>,
    /// All keys look like names of fields.
    pub fields: bool,
}

/// A decision for a column that nobody decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// In TOML.
    pub toml: String,
    /// Nobody but a person can decide it; `toml` is what is safe.
    pub open: bool,
}

/// The source's columns under a policy.
pub struct Draft<'a> {
    graph: Graph<'a>,
    pub tables: Vec<DraftTable>,
}

impl<'a> Draft<'a> {
    /// Reads who decides what. Contradictions in the policy are left for the plan to refuse.
    pub fn new(catalog: &'a Catalog, user: &Policy<'_>) -> Self {
        let mut ignored = Vec::new();
        let graph = Graph::new(catalog, user.references, &mut ignored);
        let decisions = policy::decide(&graph, user, &mut ignored);
        let tables = (0..graph.groups.len()).map(|group| table(&graph, group, user, &decisions)).collect();
        Self { graph, tables }
    }

    /// Packs that the source seems to need, and the policy does not list.
    pub fn suggested(&self, user: &Policy<'_>) -> Vec<Suggested> {
        packs::suggested(&self.graph, &user.floor)
    }

    /// What is known of a column without its values.
    pub fn facts<'t>(&self, table: &'t DraftTable, column: &'t DraftColumn) -> Facts<'t> {
        Facts {
            table: &table.name,
            column: &column.name,
            takes: column.takes,
            domain: column.domain.as_deref(),
            affix: table.affix.as_ref(),
        }
    }

    /// Decides a column by what was found, in its values and inside them.
    ///
    /// What looks personal gets a mask that fits the column, its keys and its type; a surrogate key is kept; what shows no
    /// sign of a person in name and values is kept with that as reason, unless it is text of many words or a document, or called
    /// as a secret or somebody may be: that is for a person to decide.
    pub fn propose(&self, table: usize, column: usize, found: &[Finding], inside: &Inside, seen: Seen) -> Proposed {
        let node = self.graph.groups[table].first + column;
        let shape = self.graph.nodes[node].shape.as_ref();
        let json = matches!(shape, Some(Shape::Json | Shape::Jsonb));
        if json && let Some(toml) = self.document(node, inside) {
            return Proposed { toml, open: false };
        }
        // What was found stands at keys that are not shown: the structure may stay if it says nothing of anybody.
        if json && inside.fields && found.iter().any(|finding| finding.found() && in_paths(finding)) {
            return Proposed { toml: "{ mask = \"json\", rest = \"null\" }".to_owned(), open: false };
        }
        if matches!(shape, Some(Shape::Text { .. })) {
            let proposed = self.judged(table, node, found, seen);
            return self.written_as(node, found, inside, seen, &proposed).unwrap_or(proposed);
        }
        self.judged(table, node, found, seen)
    }

    /// A decision for texts that are documents, in place of one for prose or for a value that stands alone: what the names of
    /// fields say, the mask of a text does not know.
    fn written_as(
        &self,
        node: Node,
        found: &[Finding],
        inside: &Inside,
        seen: Seen,
        proposed: &Proposed,
    ) -> Option<Proposed> {
        let first = found.iter().find(|finding| finding.found());
        let only = first.is_some_and(in_paths);
        if !only && !proposed.toml.contains("\"text.spans\"") {
            return None;
        }
        let written = |word: &str, params: &str| propose::written(&self.graph, node, word, params, Compared::Not);
        let whole = || written("pattern", "");
        // Where nobody writes sentences between the tags, the values there are those of fields.
        let all = |known: fn(&Finding) -> bool| inside.paths.iter().all(|(_, finding)| known(finding));
        let prose = !all(|finding| finding.category.class != Class::Text)
            || all(|finding| IN_PROSE.contains(&finding.category.name.as_str()));
        let toml = match seen.documents {
            Some(Documents::Json) => {
                let document = written("json", "rest = \"pattern\"");
                document.map(|rest| self.document(node, inside).unwrap_or(rest)).or_else(whole)
            }
            Some(Documents::Xml) => written("xml", "rest = \"pattern\"").or_else(whole),
            Some(Documents::Html) if !only => return None,
            Some(Documents::Html) if prose => written("text.spans", "").or_else(whole),
            None if !only => return None,
            Some(Documents::Html | Documents::Fields) | None => whole(),
        };
        let open = || Proposed { toml: propose::suited(&self.graph, node, &[], Compared::Not), open: true };
        Some(toml.map_or_else(open, |toml| Proposed { toml, open: false }))
    }

    /// A decision by what was found and seen, of values that stand alone.
    fn judged(&self, table: usize, node: Node, found: &[Finding], seen: Seen) -> Proposed {
        let shape = self.graph.nodes[node].shape.as_ref();
        let personal = found.iter().any(Finding::found);
        if is_mixed(found)
            && let Some(toml) = propose::written(&self.graph, node, "pattern", "", Compared::Not)
        {
            return Proposed { toml, open: false };
        }
        let way = seen.beside.and_then(|beside| self.tables[table].persons.get(beside.person));
        let way = way.map_or("", |person| person.way.as_str());
        let compared = match seen.beside {
            Some(beside) if beside.copied().is_some() => Compared::Same(way),
            Some(beside) if beside.rows >= ROWS_MIN => Compared::Others,
            _ => Compared::Not,
        };
        let toml = propose::suited(&self.graph, node, found, compared);
        if personal || propose::keeps_key(&toml) {
            let open = toml == propose::ASK;
            return Proposed { toml, open };
        }
        if let Some(proposed) = seen.beside.and_then(|beside| self.beside(node, beside, compared)) {
            return proposed;
        }
        let differ = seen.values == u64::from(seen.distinct);
        if seen.identifiers && !seen.person && !seen.actor && propose::is_setting(&self.graph, node, differ) {
            return Proposed { toml: propose::KEEP_SETTING.to_owned(), open: false };
        }
        let type_name = self.graph.nodes[node].column.type_name.as_str();
        // Who did it is named, whatever few names there are.
        if seen.actor && matches!(shape, Some(Shape::Text { .. })) && seen.values > 0 {
            let line = propose::written(&self.graph, node, "username", "", Compared::Not);
            return line.map_or(Proposed { toml, open: true }, |toml| Proposed { toml, open: false });
        }
        let plain = match shape {
            _ if seen.person => false,
            Some(shape) => plain(shape, seen),
            None => PLAIN_TYPES.iter().any(|known| type_name == *known || type_name.starts_with(&format!("{known}("))),
        };
        if plain && (seen.values > 0 || seen.of_program) {
            return Proposed { toml: propose::keep_unseen(seen.of_thing, seen.values), open: false };
        }
        Proposed { toml, open: true }
    }

    /// A decision for a column that looks like nobody's, but holds names of the person its row leads to: few different words,
    /// or last names that no list has.
    fn beside(&self, node: Node, beside: Beside, compared: Compared<'_>) -> Option<Proposed> {
        let written = |word: &str, params: &str| propose::written(&self.graph, node, word, params, compared);
        let open = Proposed { toml: propose::suited(&self.graph, node, &[], compared), open: true };
        let closed = |toml: Option<String>| toml.map_or(open, |toml| Proposed { toml, open: false });
        if let Some((word, params)) = beside.copied() {
            return Some(closed(written(word, params).or_else(|| written("pattern", ""))));
        }
        if beside.holds < ROWS_MIN || beside.holds * SOME_SHARE < beside.rows {
            return None;
        }
        // In the other rows there may be names of others, which a mask for texts would not know.
        let all = beside.holds * 100 >= beside.rows * ALL_OF_HUNDRED;
        let text = if all { written("text.spans", "") } else { None };
        Some(closed(text.or_else(|| written("pattern", ""))))
    }

    /// The mask of a document whose leaves hold what was found; the rest goes, because nobody has looked at it.
    fn document(&self, node: Node, inside: &Inside) -> Option<String> {
        let subject = whose::anchor(&self.graph, self.graph.nodes[node].group);
        let subject = subject.filter(|name| *name != self.graph.nodes[node].column.name);
        let mut needs_subject = false;
        let mut value_of = |finding: &Finding| {
            let mask = finding.proposals().iter().find(|proposal| {
                let kind = crate::mask::kind(&proposal.kind);
                kind.is_some_and(|kind| kind.takes(&Shape::TEXT) && (!kind.needs_subject || subject.is_some()))
            });
            let Some(proposal) = mask else { return "\"null\"".to_owned() };
            needs_subject |= crate::mask::kind(&proposal.kind).is_some_and(|kind| kind.needs_subject);
            match proposal.params.as_str() {
                "" => format!("\"{}\"", proposal.kind),
                params => format!("{{ mask = \"{}\", {params} }}", proposal.kind),
            }
        };
        let line = |path: &str, value: &str| format!("\"{}\" = {value}", propose::escape(path));
        let lines: Vec<String> = inside.paths.iter().map(|(path, finding)| line(path, &value_of(finding))).collect();
        if lines.is_empty() {
            return None;
        }
        let keys: Vec<String> = inside.persons.iter().map(|object| line(object, "\"username\"")).collect();
        let keys = if keys.is_empty() { String::new() } else { format!("keys = {{ {} }}, ", keys.join(", ")) };
        let anchor =
            subject.filter(|_| needs_subject).map(|name| format!("subject = \"{}\", ", propose::escape(&name)));
        Some(format!(
            "{{ mask = \"json\", {}paths = {{ {} }}, {keys}rest = \"null\" }}",
            anchor.unwrap_or_default(),
            lines.join(", ")
        ))
    }
}

/// Whether all that speaks for it stands inside of documents.
fn in_paths(finding: &Finding) -> bool {
    finding.evidence.iter().all(|known| known.signal == Signal::Path)
}

/// Phone numbers and e-mail addresses in one column: the mask of either would make little of the other.
fn is_mixed(found: &[Finding]) -> bool {
    let some = |category: &str| {
        let evidence = found.iter().filter(|finding| finding.category.name == category).flat_map(|one| &one.evidence);
        evidence.into_iter().any(|evidence| evidence.of > 0 && evidence.hits * MIXED_SHARE >= evidence.of)
    };
    some("email") && some("phone")
}

/// Types without a mask whose values are numbers, times or names of the schema.
const PLAIN_TYPES: &[&str] = &["interval", "money", "bit", "bit varying", "regclass", "regtype", "xid", "pg_lsn"];

/// Whether a column that shows no sign of a person can be kept without asking one: numbers, times and switches, a short
/// list of words, and what names a thing in few words.
fn plain(shape: &Shape, seen: Seen) -> bool {
    match shape {
        Shape::Text { .. } => {
            let few = seen.distinct <= WORDS_MAX && seen.values >= TIMES_MIN * u64::from(seen.distinct.max(1));
            // What fields hold that cannot be read, nobody has looked at.
            let read = seen.documents != Some(Documents::Fields);
            read && (few || seen.of_thing && seen.distinct > 0 && seen.sentences == 0)
        }
        Shape::Bool
        | Shape::Enum(_)
        | Shape::Int2
        | Shape::Int4
        | Shape::Int8
        | Shape::Numeric { .. }
        | Shape::Float4
        | Shape::Float8
        | Shape::Date
        | Shape::Timestamp
        | Shape::Time
        | Shape::TimeTz => true,
        Shape::Array(inner) | Shape::Range(inner) | Shape::Multirange(inner) => plain(inner, seen),
        Shape::Composite(attributes) => attributes.iter().all(|attribute| plain(&attribute.shape, seen)),
        _ => false,
    }
}

fn table(graph: &Graph<'_>, group: usize, user: &Policy<'_>, decisions: &policy::Decisions<'_>) -> DraftTable {
    let found = &graph.groups[group];
    let mut leaves: Vec<DraftLeaf> = found
        .leaves
        .iter()
        .filter(|leaf| leaf.readable)
        .map(|leaf| DraftLeaf {
            schema: leaf.schema.clone(),
            name: leaf.name.clone(),
            rows: leaf.rows,
            blocks: leaf.blocks,
        })
        .collect();
    leaves.sort_by(|a, b| b.blocks.cmp(&a.blocks).then_with(|| a.name.cmp(&b.name)));
    let full_name = found.root.full_name();
    let pattern = crate::config::literal(&full_name);
    let rule = user.rules.iter().find(|rule| rule.pattern == pattern);
    DraftTable {
        schema: found.root.schema.clone(),
        name: found.root.name.clone(),
        leaves,
        columns: graph.nodes_of(group).map(|node| column(graph, node, decisions)).collect(),
        empty: decisions.rows[group] == Rows::None,
        place: rule.map(|rule| rule.place.clone()),
        anchor: whose::anchor(graph, group),
        persons: whose::persons(graph, group).into_iter().map(|found| person(graph, found)).collect(),
        affix: propose::affix(graph, group).cloned(),
    }
}

fn person(graph: &Graph<'_>, found: whose::Person) -> DraftPerson {
    let group = graph.nodes[found.to].group;
    let told = |node: &Node| matches!(graph.nodes[*node].shape, Some(Shape::Text { .. }));
    let columns = whose::findings_of(graph, group).filter(|(node, _)| told(node)).filter_map(|(node, finding)| {
        let category = finding.category.name.as_str();
        let known = whose::NAMES.contains(&category) || whose::PLACES.contains(&category);
        known.then(|| (category.to_owned(), graph.nodes[node].column.name.clone()))
    });
    let name = |node: Node| graph.nodes[node].column.name.clone();
    let table = graph.groups[group].root;
    DraftPerson {
        columns: columns.collect(),
        from: name(found.from),
        schema: table.schema.clone(),
        table: table.name.clone(),
        to: name(found.to),
        way: found.way,
    }
}

fn column(graph: &Graph<'_>, node: Node, decisions: &policy::Decisions<'_>) -> DraftColumn {
    let known = &graph.nodes[node];
    let follows = || {
        let edges = graph.edges_from[known.group].iter().flat_map(|edge| &graph.edges[*edge].pairs);
        edges.into_iter().any(|(from, to)| *from == node && *to != node)
    };
    let standing = match &decisions.own[node] {
        _ if known.column.generated => Standing::Generated,
        Some(own) => Standing::Decided {
            because: own.because.clone(),
            place: own.place.clone(),
            keeps: matches!(own.action, Action::Keep { .. }),
            reason: matches!(&own.action, Action::Keep { reason: Some(reason) } if !propose::is_own_reason(reason)),
        },
        None if follows() => Standing::Follows,
        None => Standing::Open,
    };
    DraftColumn {
        name: known.column.name.clone(),
        type_name: known.column.type_name.clone(),
        takes: known.shape.as_ref().map_or(Takes::Opaque, Takes::from),
        nested: known.shape.as_ref().is_some_and(Shape::nested),
        domain: propose::type_name(graph, node).map(str::to_owned),
        standing,
    }
}

/// Whether a proposal is a question and no decision.
pub fn is_question(toml: &str) -> bool {
    toml == propose::ASK
}

/// A table or column as `[tables]` names it: names may hold what means something in a glob.
pub fn name_pattern(name: &str) -> String {
    crate::config::literal(name)
}

/// A column name as TOML key, which is a pattern, too.
pub fn toml_key(name: &str) -> String {
    propose::column_key(name)
}

/// Text between the quotes of a TOML string.
pub fn toml_escape(text: &str) -> String {
    propose::escape(text)
}
