//! `restage.lock`: what a reviewed plan does to every column, kept in git. A refresh whose plan does something else stops.
//!
//! The file stands beside the configuration. Only `restage plan --write-lock` writes it. It is sorted, one line per column,
//! so that a change of the policy or of the schema is a change of a few lines.
//!
//! It holds names, types, decisions and hashes. What could be a value of a row is not in it: see [`Seal`].

mod diff;
mod file;
mod numbers;
mod texts;
mod types;
mod weaker;

#[cfg(test)]
mod tests;

pub use diff::{Change, REFUSAL, Sign, diff, refusal, warnings};
pub use file::{LockError, path_beside, read, render, write};
pub use types::Part;
pub use weaker::weaker;

use crate::catalog::{Catalog, Oid};
use crate::config::{MaskRule, Rows, Terms};
use crate::detect;
use crate::mask::{self, MaskSpec, RealmKey};
use crate::plan::{self, ColumnPlan, Decided, Plan, TablePlan};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The only form of the file that this build reads.
const VERSION: u32 = 1;

/// A reviewed plan.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    pub version: u32,
    /// Version of the masking core.
    pub mask_spec: u32,
    /// Version of the Unicode tables masks use.
    pub unicode: String,
    /// The key pseudonyms are made with; `ephemeral` for one per run.
    pub key_id: String,
    pub realm: String,
    /// Hash over everything else here: differs from it where somebody edited or merged the file.
    pub policy: String,
    #[serde(default)]
    pub dictionaries: BTreeMap<String, String>,
    /// Labels of the enum types whose values are masked or kept: a reason was written for the labels there were.
    #[serde(default)]
    pub enums: BTreeMap<String, Vec<String>>,
    /// What the domains and ranges of such columns are made of. A type that is not here was locked before this was written
    /// down, or came with its column, and is not compared.
    #[serde(default)]
    pub types: BTreeMap<String, String>,
    /// Attributes of the composite types of such columns, and their types.
    #[serde(default)]
    pub composites: BTreeMap<String, BTreeMap<String, String>>,
    /// The same attributes in their order, with an empty text for each that was dropped: names can change places, values
    /// stay where they are. Holes are there where `oids` is.
    #[serde(default)]
    pub orders: BTreeMap<String, Vec<String>>,
    /// Defaults and checks of such domains, and checks with literals on columns that are kept, by their domain or table:
    /// hashes. None: the lock was written before they were watched.
    #[serde(default)]
    pub texts: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// Checks with literals on columns that are not kept: they are copied all the same. None: written before that.
    #[serde(default)]
    pub checks: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// Expressions with literals that stand with no column and no table as a whole: of generated columns, and defaults and
    /// checks of partitions that are not their root's; by table or partition. None: written before that.
    #[serde(default)]
    pub expressions: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// Settings that make a policy stricter or looser, as far as the lock knows them.
    #[serde(default)]
    pub switches: BTreeMap<String, String>,
    /// Definitions that look personal and are accepted one by one, by label: hashes of what they were. None: the lock was
    /// written before that was known, or all are accepted.
    #[serde(default)]
    pub definitions: Option<BTreeMap<String, String>>,
    /// What bodies of views and functions, comments and types say, by label: short hashes of the literals in them. None:
    /// written before that was known, or all definitions are accepted.
    #[serde(default)]
    pub literals: Option<BTreeMap<String, String>>,
    /// The database whose numbers these are: system identifier of the cluster and oid.
    #[serde(default)]
    pub database: Option<String>,
    /// `pg_class.oid` of tables, of every table of a partition tree that is planned or its root. None: written before.
    #[serde(default)]
    pub oids: Option<BTreeMap<String, Oid>>,
    #[serde(default)]
    pub tables: BTreeMap<String, Table>,
}

/// A table, or a whole partition tree.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// `all`, `none`, `skipped`, or `part` and a hash of the condition.
    pub rows: String,
    /// Hash of the joins that reach subjects; none where a row has all it needs.
    #[serde(default)]
    pub joins: Option<String>,
    #[serde(default)]
    pub partitions: BTreeSet<String>,
    #[serde(default)]
    pub columns: BTreeMap<String, Column>,
    /// Paths at which values of JSON columns are kept, by `rest` or with the column, and their types; by column. A kept
    /// column that is not in it was locked before its documents were looked at, and nothing of it is compared.
    #[serde(default)]
    pub json: BTreeMap<String, BTreeSet<String>>,
    /// Why the table is not copied; for words only.
    #[serde(skip)]
    pub skipped: Option<String>,
    /// The columns that are kept, by each check on them; for words only.
    #[serde(skip)]
    pub checked: BTreeMap<String, Vec<String>>,
}

/// What happens to one column.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    #[serde(rename = "type")]
    pub type_name: String,
    /// `attnum`, of the root of a partition tree: names can change places, numbers stay. None: locked before it was known.
    #[serde(default)]
    pub at: Option<i16>,
    /// `keep`, `null`, `const`, or the kind with its version.
    pub decision: String,
    #[serde(default)]
    pub label: Option<String>,
    /// The anchor of the person a row belongs to.
    #[serde(default)]
    pub subject: Option<String>,
    /// What becomes of rows that the condition of the mask does not hold for, and a hash of the condition.
    #[serde(default)]
    pub when: Option<String>,
    /// Form chosen by the narrowest column of the label.
    #[serde(default)]
    pub tier: Option<u8>,
    /// Hash of the parameters.
    #[serde(default)]
    pub params: Option<String>,
    /// Hash of a default that holds text: it is copied as it is.
    #[serde(default)]
    pub default: Option<String>,
    /// That default says something: `''` does not.
    #[serde(skip)]
    pub default_speaks: bool,
    /// Who decided; for words only, like all below.
    #[serde(skip)]
    pub because: String,
    /// Nobody decided it: `undecided = "null"` did.
    #[serde(skip)]
    pub undecided: bool,
    /// A decision to paste, for a column that is kept without a reason.
    #[serde(skip)]
    pub proposal: Option<String>,
    /// The decision as the configuration writes it; none for a constant.
    #[serde(skip)]
    pub written: Option<String>,
    /// A decision that hides it, for a column that is kept.
    #[serde(skip)]
    pub hiding: Option<String>,
    /// The composite types, domains and enums in its values.
    #[serde(skip)]
    pub parts: Vec<Part>,
    /// The `composite` mask it has, or could have in place of being kept.
    #[serde(skip)]
    pub parts_mask: Option<MaskRule>,
}

/// Hashes what must be compared but not be readable: texts of the schema that may name a person.
///
/// The hash is keyed, because what stands in a schema is easily guessed. With a key per run nothing can be compared.
pub struct Seal<'a> {
    pub key: &'a RealmKey,
    pub ephemeral: bool,
}

impl Seal<'_> {
    /// 16 hex digits; `ephemeral` where no two runs share a key.
    fn hash(&self, purpose: &str, text: &str) -> String {
        if self.ephemeral {
            return "ephemeral".to_owned();
        }
        self.key.domain("lock/1", purpose).name_of(text)
    }

    /// A label as it is, or its hash if it looks personal.
    fn label(&self, label: &str) -> String {
        // Stricter than where a definition is refused: nothing is lost by a hash.
        let sealed = detect::may_be_personal(label);
        if sealed { format!("#{}", self.hash("label", label)) } else { label.to_owned() }
    }
}

/// What a lock says about the run itself.
pub struct Facts<'a> {
    pub key_id: &'a str,
    pub realm: &'a str,
    pub seal: Seal<'a>,
    pub switches: Switches<'a>,
}

/// What a policy can be made looser by, beside its decisions.
#[derive(Debug, Clone, Copy)]
pub struct Switches<'a> {
    pub packs: &'a [String],
    pub accept_literals: bool,
    pub undecided_null: bool,
    pub inherit_partitions: bool,
    pub leak: bool,
    pub leak_allow: &'a [String],
}

impl Lock {
    /// Describes a plan. Order and determinism: a function of its arguments; sizes and places in files do not count.
    pub fn of(catalog: &Catalog, plan: &Plan, facts: &Facts<'_>) -> Self {
        let mut lock = Self {
            version: VERSION,
            mask_spec: mask::VERSION,
            unicode: mask::UNICODE.to_owned(),
            key_id: if facts.seal.ephemeral { "ephemeral".to_owned() } else { facts.key_id.to_owned() },
            realm: facts.realm.to_owned(),
            policy: String::new(),
            dictionaries: mask::dictionaries().into_iter().collect(),
            enums: BTreeMap::new(),
            types: BTreeMap::new(),
            composites: BTreeMap::new(),
            orders: BTreeMap::new(),
            texts: Some(BTreeMap::new()),
            checks: Some(BTreeMap::new()),
            expressions: Some(BTreeMap::new()),
            switches: facts.switches.locked(),
            definitions: None,
            literals: None,
            database: None,
            oids: None,
            tables: BTreeMap::new(),
        };
        let checks = texts::checks(catalog);
        for planned in &plan.tables {
            lock.add(catalog, planned, facts);
            lock.pin_checks(catalog, planned, &checks, &facts.seal);
        }
        for (name, reason) in &plan.skipped {
            let table = Table { rows: "skipped".to_owned(), skipped: Some(reason.clone()), ..Table::default() };
            lock.tables.entry(name.clone()).or_insert(table);
        }
        lock.pin_expressions(catalog, &checks, &facts.seal);
        lock.pin_numbers(catalog);
        lock.policy = lock.content_hash();
        lock
    }

    fn add(&mut self, catalog: &Catalog, planned: &TablePlan, facts: &Facts<'_>) {
        let source = catalog.table(planned.oid);
        let root = source.and_then(|table| catalog.table(table.partition_root?));
        let name = locked_name(catalog, planned);
        let part = name != planned.full_name();
        let table = self.tables.entry(name.clone()).or_default();
        if part {
            table.partitions.insert(planned.full_name());
        }
        table.rows = rows(&planned.rows);
        table.joins = joins(planned);
        let mut columns = BTreeMap::new();
        for column in &planned.columns {
            let known = source.and_then(|table| table.column(column.attnum));
            // That of the tree; what a partition has of its own is pinned under its name.
            let declared = root.and_then(|root| root.columns.iter().find(|at| at.name == column.name)).or(known);
            let default = declared.and_then(|known| known.default.as_deref()).filter(|text| holds_text(text));
            let mut locked = locked_column(planned, column);
            locked.at = match root {
                Some(root) => root.columns.iter().find(|at| at.name == column.name).map(|at| at.attnum),
                None => Some(column.attnum),
            };
            locked.default = default.map(|text| facts.seal.hash("default", text));
            locked.default_speaks = default.is_some_and(texts::says_something);
            if let Some(known) = known.filter(|_| depends_on_type(column)) {
                locked.parts = self.pin_type(catalog, known.type_oid, &facts.seal);
            }
            columns.insert(column.name.clone(), locked);
        }
        self.tables.entry(name).or_default().columns.extend(columns);
    }

    /// Takes in the definitions that look personal and are accepted, by their labels. Several may have one label.
    pub fn accept(&mut self, definitions: &BTreeMap<String, Vec<&str>>, seal: &Seal<'_>) {
        let sealed =
            |(label, texts): (&String, &Vec<&str>)| (label.clone(), seal.hash("definition", &texts.join("\n")));
        self.definitions = Some(definitions.iter().map(sealed).collect());
        self.policy = self.content_hash();
    }

    /// Takes in the paths of JSON columns: those that were accepted before stay known, whatever a sample happens to show.
    #[must_use]
    pub fn with_json(mut self, before: Option<&Self>, surveyed: Vec<Surveyed>) -> Self {
        for Surveyed { table, column, mut paths, closed, named, .. } in surveyed {
            let known = before.and_then(|lock| lock.paths(&table, &column));
            let Some(locked) = self.tables.get_mut(&table) else { continue };
            if let (Some(known), true) = (known, closed) {
                // Types for entries of before types were written down, and what a path keeps that was added since.
                paths.retain(|entry| known.contains(mask::json::path_of(entry)) || named.contains(entry));
            }
            let accepted = mask::json::join(known.into_iter().flatten(), paths.iter());
            locked.json.insert(column, accepted);
        }
        self.policy = self.content_hash();
        self
    }

    /// The reviewed paths of a JSON column; none if it was locked without.
    pub fn paths(&self, table: &str, column: &str) -> Option<&BTreeSet<String>> {
        self.tables.get(table)?.json.get(column)
    }

    /// Takes over which paths of JSON columns were reviewed, and leaves out the numbers of one database: what a snapshot did
    /// is the same whichever copy it was made of.
    #[must_use]
    pub fn with_reviewed(mut self, reviewed: Option<&Self>) -> Self {
        (self.database, self.oids) = (None, None);
        for (name, table) in &mut self.tables {
            table.json =
                reviewed.and_then(|lock| lock.tables.get(name)).map(|table| table.json.clone()).unwrap_or_default();
        }
        self.policy = self.content_hash();
        self
    }

    /// Makes the JSON masks of a plan keep what is known here, and nothing else.
    pub fn pin(&self, catalog: &Catalog, plan: &mut Plan) {
        for planned in &mut plan.tables {
            let table = self.tables.get(&locked_name(catalog, planned));
            let name = planned.full_name();
            for spec in &mut planned.mask.columns {
                let Some(mask) = spec.mask.as_mut().filter(|mask| pins_paths(mask)) else { continue };
                let column = spec.name.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
                let known = table.and_then(|table| table.json.get(column));
                // A lock of before paths that are kept were pinned has no entry for a mask that keeps nothing else.
                if known.is_none() && !mask::json::keeps_rest(&mask.params) {
                    continue;
                }
                let known: Vec<&String> = known.into_iter().flatten().collect();
                mask.params.insert("known".to_owned(), serde_json::json!(known));
            }
        }
    }

    /// Hash over everything but itself.
    fn content_hash(&self) -> String {
        let content = Self { policy: String::new(), ..self.clone() };
        blake3::hash(file::render(&content).as_bytes()).to_hex()[..32].to_owned()
    }
}

/// The paths found in a JSON column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surveyed {
    /// The table, or the root of its partition tree.
    pub table: String,
    pub column: String,
    pub paths: BTreeSet<String>,
    /// A rule of its mask keeps some of them.
    pub by_rule: bool,
    /// Its mask makes null of what is not known, so that writing a lock lets nothing new through but `named`: what a path
    /// keeps that was added since.
    pub closed: bool,
    pub named: BTreeSet<String>,
}

/// Whether a mask keeps what no rule of it names, or what a rule does, so that its paths must be known.
pub fn pins_paths(mask: &MaskSpec) -> bool {
    mask.kind.starts_with("json/") && mask::json::keeps(&mask.params)
}

/// A column that holds documents and is kept with all that is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Documents {
    One,
    Array,
    /// An hstore, which is read as an object of texts.
    Hstore,
}

/// What documents a kept column holds; none if it is not kept, or holds something else.
pub fn kept_documents(catalog: &Catalog, planned: &TablePlan, column: &ColumnPlan) -> Option<Documents> {
    const JSON: Oid = 114;
    const JSONB: Oid = 3802;
    const ARRAYS: [Oid; 2] = [199, 3807];
    let kept = matches!(column.decision, Decided::Keep { .. }) && planned.rows != Rows::None;
    let mut oid = catalog.table(planned.oid)?.column(column.attnum).filter(|_| kept)?.type_oid;
    let mut found = Documents::One;
    // Types nest a few levels at most; the bound ends a catalog that contradicts itself.
    for _ in 0..16 {
        match oid {
            JSON | JSONB => return Some(found),
            _ if ARRAYS.contains(&oid) => return Some(Documents::Array),
            _ => {}
        }
        let at = catalog.type_of(oid)?;
        oid = match at.kind {
            'd' => at.base,
            'b' if at.name == "hstore" && at.extension.as_deref() == Some("hstore") => {
                return (found == Documents::One).then_some(Documents::Hstore);
            }
            'b' if at.element != 0 => {
                found = Documents::Array;
                at.element
            }
            _ => return None,
        };
    }
    None
}

/// The name under which a table stands in the lock: its own, or that of the root of its partition tree.
pub fn locked_name(catalog: &Catalog, planned: &TablePlan) -> String {
    let root = catalog.table(planned.oid).and_then(|table| catalog.table(table.partition_root?));
    root.map_or_else(|| planned.full_name(), |root| root.full_name())
}

fn short(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_owned()
}

fn rows(rows: &Rows) -> String {
    match rows {
        Rows::All => "all".to_owned(),
        Rows::None => "none".to_owned(),
        Rows::Where { condition, limit } => {
            let text = format!("{}\n{}", condition.as_deref().unwrap_or_default(), limit.unwrap_or_default());
            format!("part {}", short(text.as_bytes()))
        }
    }
}

/// Hash of what a query reads beside its own columns: the anchors of subjects.
fn joins(planned: &TablePlan) -> Option<String> {
    let appended = planned.select.get(planned.columns.len()..).unwrap_or_default();
    // The FROM clause of a partition begins with its own name.
    let joined = planned.from.split_once(" AS t").map_or("", |(_, joined)| joined);
    let text = format!("{}\n{joined}", appended.join("\n"));
    (!appended.is_empty() || !joined.is_empty()).then(|| short(text.as_bytes()))
}

fn locked_column(planned: &TablePlan, column: &ColumnPlan) -> Column {
    let mut locked = Column {
        type_name: column.type_name.clone(),
        because: column.because.clone(),
        undecided: column.undecided,
        proposal: column.proposal.clone(),
        hiding: column.hiding.clone(),
        ..Column::default()
    };
    match &column.decision {
        Decided::Keep { reason } => {
            "keep".clone_into(&mut locked.decision);
            locked.written = Some(plan::keep_line(reason.as_deref(), None));
            locked.parts_mask = Some(types::composite_mask());
        }
        Decided::Null => {
            "null".clone_into(&mut locked.decision);
            locked.written = Some("\"null\"".to_owned());
        }
        Decided::Const => {
            "const".clone_into(&mut locked.decision);
            let place = planned.columns.iter().position(|other| other.attnum == column.attnum);
            let expression = place.and_then(|place| planned.select.get(place));
            locked.params = expression.map(|text| short(text.as_bytes()));
        }
        Decided::Mask { kind, label, subject, when } => {
            locked.decision.clone_from(kind);
            locked.label = (!label.is_empty()).then(|| label.clone());
            locked.subject.clone_from(subject);
            locked.when = when.as_ref().map(|when| {
                let text = format!("{}\n{}", when.condition, when.path.as_deref().unwrap_or_default());
                format!("{} {}", if when.keep.is_some() { "keep" } else { "null" }, short(text.as_bytes()))
            });
            let set = (kind.clone(), label.clone());
            locked.tier = planned.mask.tiers.get(&set).copied().filter(|tier| *tier > 0);
            let full_name = format!("{}.{}", planned.full_name(), column.name);
            let spec = planned.mask.columns.iter().find(|spec| spec.name == full_name);
            let params = spec.and_then(|spec| spec.mask.as_ref()).map(|mask| &mask.params);
            let kind = kind.split('/').next().unwrap_or_default().to_owned();
            let label = locked.label.clone();
            let rule = MaskRule {
                kind,
                label,
                subject: subject.clone(),
                when: when.clone(),
                params: params.cloned().unwrap_or_default(),
            };
            locked.written = Some(plan::mask_line(&rule, &Terms::default()));
            locked.parts_mask = Some(rule).filter(|rule| rule.kind == "composite");
            let params = params.filter(|params| !params.is_empty());
            locked.params = params.map(|params| short(plan::canonical_params(params).as_bytes()));
        }
    }
    locked
}

/// A default that somebody wrote as text; the name of a sequence is none.
fn holds_text(expression: &str) -> bool {
    expression.contains('\'') && !expression.starts_with("nextval(")
}

/// New labels and attributes of the type would reach staging, or change what a mask draws from. A reason to keep a column
/// was written for those there were.
fn depends_on_type(column: &ColumnPlan) -> bool {
    match column.decision {
        Decided::Mask { .. } | Decided::Keep { .. } => true,
        Decided::Null | Decided::Const => false,
    }
}
