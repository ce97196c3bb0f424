//! Texts of the schema that are copied as they are and stand behind a decision: checks and defaults; and the settings that
//! make a whole policy stricter or looser.

use super::diff::{Changes, Sign, TEXTS, both, hidden};
use super::{Lock, Seal, Switches, holds_text, locked_name};
use crate::catalog::{Catalog, Constraint, ConstraintKind, Oid, Table, Type};
use crate::detect;
use crate::plan::{self, TablePlan};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

const NEW: &str = "new: a definition is copied as it is, so look whether it names a person";
const ANOTHER: &str = "another text: a definition is copied as it is, so look whether it names a person";
/// Hex digits of the hash of a literal: a body has a few hundred at most, and a line of the lock holds all of them.
const LITERAL_DIGITS: usize = 8;

/// Hashes of texts, by owner and label.
type Texts = BTreeMap<String, BTreeMap<String, String>>;

/// The checks with literals of each table: `CHECK (status IN ('open', 'paid'))`.
pub(super) fn checks(catalog: &Catalog) -> HashMap<Oid, Vec<&Constraint>> {
    let mut checks: HashMap<Oid, Vec<&Constraint>> = HashMap::new();
    let of_literals = |check: &&Constraint| {
        check.kind == ConstraintKind::Check && check.expression.as_deref().is_some_and(holds_text)
    };
    for check in catalog.constraints.iter().filter(of_literals) {
        checks.entry(check.table).or_default().push(check);
    }
    checks
}

/// Whether an expression has a literal with a letter or digit in it: an empty default names nobody.
pub(super) fn says_something(expression: &str) -> bool {
    expression.split('\'').skip(1).step_by(2).any(|literal| literal.contains(char::is_alphanumeric))
}

impl Lock {
    /// Writes down the checks with literals, those on kept columns apart; those of a partition are those of its root.
    pub(super) fn pin_checks(
        &mut self,
        catalog: &Catalog,
        planned: &TablePlan,
        checks: &HashMap<Oid, Vec<&Constraint>>,
        seal: &Seal<'_>,
    ) {
        let Some(source) = catalog.table(planned.oid) else { return };
        let owner = source.partition_root.and_then(|root| catalog.table(root)).unwrap_or(source);
        let name = locked_name(catalog, planned);
        for check in checks.get(&owner.oid).into_iter().flatten() {
            let columns = check.columns.iter().filter_map(|attnum| owner.column(*attnum));
            let label = format!("check {}", check.name);
            let mut on_kept = false;
            if let Some(decided) = self.tables.get_mut(&name) {
                let kept = |column: &&str| decided.columns.get(*column).is_some_and(|known| known.decision == "keep");
                let columns = columns.map(|column| column.name.as_str()).filter(kept);
                let columns: Vec<String> = columns.map(str::to_owned).collect();
                on_kept = !columns.is_empty();
                decided.checked.insert(label.clone(), columns);
            }
            let text = check.expression.as_deref().unwrap_or_default();
            let texts = if on_kept { &mut self.texts } else { &mut self.checks };
            pin_text(texts, &name, label, text, seal);
        }
    }

    /// Writes down the expressions of generated columns, and defaults and checks of partitions that are not their root's.
    pub(super) fn pin_expressions(
        &mut self,
        catalog: &Catalog,
        checks: &HashMap<Oid, Vec<&Constraint>>,
        seal: &Seal<'_>,
    ) {
        let tables: HashMap<Oid, &Table> = catalog.tables.iter().map(|table| (table.oid, table)).collect();
        for table in &catalog.tables {
            let name = table.full_name();
            let root = table.partition_root.and_then(|root| tables.get(&root));
            if !self.tables.contains_key(&root.map_or_else(|| name.clone(), |root| root.full_name())) {
                continue;
            }
            for column in &table.columns {
                let above = root.and_then(|root| root.columns.iter().find(|above| above.name == column.name));
                let generation = (&column.generation, above.and_then(|above| above.generation.as_ref()));
                // That of a table as a whole stands with its column.
                let default = (&column.default, above.map_or(column.default.as_ref(), |above| above.default.as_ref()));
                for (what, (own, above)) in [("generated", generation), ("default of", default)] {
                    if let Some(text) = own.as_ref().filter(|text| holds_text(text) && Some(*text) != above) {
                        pin_text(&mut self.expressions, &name, format!("{what} {}", column.name), text, seal);
                    }
                }
            }
            let Some(root) = root else { continue };
            let above = checks.get(&root.oid);
            for check in checks.get(&table.oid).into_iter().flatten() {
                let same = |known: &&Constraint| known.name == check.name && known.expression == check.expression;
                if !above.into_iter().flatten().any(same) {
                    let text = check.expression.as_deref().unwrap_or_default();
                    pin_text(&mut self.expressions, &name, format!("check {}", check.name), text, seal);
                }
            }
        }
    }

    /// Writes down the checks of a domain, and a default of text.
    pub(super) fn pin_domain(&mut self, domain: &Type, seal: &Seal<'_>) {
        if let Some(default) = domain.default.as_deref().filter(|text| holds_text(text)) {
            pin_text(&mut self.texts, &domain.sql_name, "default".to_owned(), default, seal);
        }
        for (name, definition) in &domain.checks {
            pin_text(&mut self.texts, &domain.sql_name, format!("check {name}"), definition, seal);
        }
    }

    /// Texts by owner and label; none if they were not watched. Checks on columns that are not kept are among them where
    /// they can be compared.
    fn texts_with(&self, checks: bool) -> Option<Texts> {
        let mut all = self.texts.clone()?;
        for (owner, texts) in self.checks.iter().flatten().filter(|_| checks) {
            all.entry(owner.clone()).or_default().extend(texts.clone());
        }
        Some(all)
    }

    /// Whether a definition is that of a type that a column holds: what is new in it is told by label and check.
    fn holds_type(&self, label: &str) -> bool {
        let bare = |name: &str| name.replace('"', "");
        let name = label.strip_prefix("TYPE ").or_else(|| label.strip_prefix("DOMAIN ")).map(bare);
        let held = self.types.keys().chain(self.enums.keys());
        name.is_some_and(|name| held.into_iter().any(|held| bare(held) == name))
    }

    /// Whether the lock says anything about a table or type.
    fn knows(&self, owner: &str) -> bool {
        self.tables.contains_key(owner) || self.made_of(owner).is_some()
    }
}

fn pin_text(texts: &mut Option<Texts>, owner: &str, label: String, text: &str, seal: &Seal<'_>) {
    let texts = texts.get_or_insert_default().entry(owner.to_owned()).or_default();
    texts.insert(label, seal.hash("text", text));
}

impl Lock {
    /// Takes in what bodies, comments and types say, by their labels: hashes of the literals in them. Several may have one
    /// label.
    pub fn pin_bodies(&mut self, definitions: &BTreeMap<String, Vec<&str>>, seal: &Seal<'_>) {
        let mut said = BTreeMap::new();
        for (label, texts) in definitions {
            let literals: BTreeSet<String> =
                texts.iter().flat_map(|sql| detect::said(sql)).filter_map(said_in).collect();
            let hash = |text: &String| seal.hash("literal", text).chars().take(LITERAL_DIGITS).collect::<String>();
            let hashes: BTreeSet<String> = literals.iter().map(hash).collect();
            if !hashes.is_empty() {
                said.insert(label.clone(), hashes.into_iter().collect::<Vec<_>>().join(" "));
            }
        }
        self.literals = Some(said);
        self.policy = self.content_hash();
    }
}

/// What a literal says, for comparison: a name has letters, and a body that is made anew for each month other digits.
fn said_in(literal: &str) -> Option<String> {
    let words = literal.split(|c: char| !c.is_alphabetic());
    if !words.map(|word| word.chars().count()).any(|letters| letters >= 2) {
        return None;
    }
    let mut said = String::new();
    for c in literal.trim().chars() {
        match c.is_ascii_digit() {
            true if said.ends_with('0') => {}
            true => said.push('0'),
            false => said.push(c),
        }
    }
    Some(said)
}

impl Switches<'_> {
    /// As the lock writes them; the first of two words is the strict one.
    pub(super) fn locked(&self) -> BTreeMap<String, String> {
        let choice = |loose: bool, words: [&str; 2]| words[usize::from(loose)].to_owned();
        let list = |entries: &[String]| {
            let mut entries = entries.to_vec();
            entries.sort_unstable();
            entries.dedup();
            entries.join(", ")
        };
        BTreeMap::from([
            ("packs".to_owned(), list(self.packs)),
            ("ddl_literals".to_owned(), choice(self.accept_literals, ["refuse", "accept"])),
            ("undecided".to_owned(), choice(self.undecided_null, ["refuse", "null"])),
            ("new_partitions".to_owned(), choice(self.inherit_partitions, ["refuse", "inherit"])),
            ("leak".to_owned(), choice(!self.leak, ["true", "false"])),
            ("leak_allow".to_owned(), list(self.leak_allow)),
        ])
    }
}

/// Whether a switch lets through what it did not let through before.
fn is_looser(name: &str, was: &str, is: &str) -> bool {
    let lacks = |list: &str, entry: &str| !list.split(", ").any(|known| known == entry);
    match name {
        // A pack that holds no more; a column that may hold what it might not.
        "packs" => was.split(", ").any(|pack| !pack.is_empty() && lacks(is, pack)),
        "leak_allow" => is.split(", ").any(|column| !column.is_empty() && lacks(was, column)),
        _ => matches!(was, "refuse" | "true") && was != is,
    }
}

impl Changes {
    pub(super) fn switches(&mut self, old: &Lock, new: &Lock) {
        for (name, was) in &old.switches {
            let Some(is) = new.switches.get(name).filter(|is| is_looser(name, was, is)) else { continue };
            let shown = |value: &str| if value.is_empty() { "none".to_owned() } else { value.to_owned() };
            let detail = format!("{} → {}; the policy hides less than was reviewed", shown(was), shown(is));
            self.push(Sign::Changed, format!("setting {name}"), detail);
        }
    }

    /// What came, went or changed under owners that both know: the texts of others came and went with them.
    pub(super) fn texts(&mut self, old: &Lock, new: &Lock, comparable: bool) {
        let checks = old.checks.is_some() && new.checks.is_some();
        let (Some(before), Some(after)) = (old.texts_with(checks), new.texts_with(checks)) else { return };
        for (owner, texts) in both(&before, &after).filter(|(owner, _)| old.knows(owner) && new.knows(owner)) {
            let none = BTreeMap::new();
            for (label, found) in both(texts.0.unwrap_or(&none), texts.1.unwrap_or(&none)) {
                let what = format!("{label} of {owner}");
                let (sign, detail) = match found {
                    (None, Some(_)) => (Sign::Added, NEW),
                    (Some(_), None) => {
                        self.push(Sign::Removed, what, "columns were reviewed with it");
                        continue;
                    }
                    (Some(was), Some(is)) if comparable && was != is => (Sign::Changed, ANOTHER),
                    _ => continue,
                };
                self.push(sign, what, detail);
                // What it says may stand in the rows, too.
                let patches = match new.tables.get(owner) {
                    Some(table) => {
                        let named = table.checked.get(label).into_iter().flatten();
                        let kept = named.filter_map(|name| Some((name, table.columns.get(name)?)));
                        kept.filter_map(|(name, column)| Some((owner.clone(), hidden(name, column)?))).collect()
                    }
                    None => new.hiding_lines(owner),
                };
                let statement = plan::without_text(owner, !new.tables.contains_key(owner), label);
                self.told_of(patches, TEXTS, statement);
            }
        }
    }

    /// Expressions that came or changed in tables that both know, in new partitions of these too. What is gone shows nothing.
    pub(super) fn expressions(&mut self, old: &Lock, new: &Lock, comparable: bool) {
        let (Some(before), Some(after)) = (&old.expressions, &new.expressions) else { return };
        // A table that is new is told with its columns; partitions between a root and its leaves are in no list.
        let late: BTreeSet<&String> = new
            .tables
            .iter()
            .filter(|(name, _)| !old.tables.contains_key(*name))
            .flat_map(|(name, table)| table.partitions.iter().chain([name]))
            .collect();
        for (owner, texts) in after.iter().filter(|(owner, _)| !late.contains(owner)) {
            for (label, is) in texts {
                let (sign, detail) = match before.get(owner).and_then(|texts| texts.get(label)) {
                    None => (Sign::Added, NEW),
                    Some(was) if comparable && was != is => (Sign::Changed, ANOTHER),
                    Some(_) => continue,
                };
                self.push(sign, format!("{label} of {owner}"), detail);
                self.told_of(Vec::new(), TEXTS, plan::without_text(owner, false, label));
            }
        }
    }

    /// Bodies, comments and types that say what nothing in the schema said when it was reviewed.
    pub(super) fn literals(&mut self, old: &Lock, new: &Lock, comparable: bool) {
        let (Some(before), Some(after), true) = (&old.literals, &new.literals, comparable) else { return };
        // A text that moved to another body, or to a view of another name, was reviewed where it stood.
        let known: HashSet<&str> = before.values().flat_map(|hashes| hashes.split(' ')).collect();
        for (label, hashes) in after.iter().filter(|(label, _)| !new.holds_type(label)) {
            let grown = hashes.split(' ').filter(|hash| !known.contains(hash)).count();
            if grown == 0 {
                continue;
            }
            let sign = if before.contains_key(label) { Sign::Changed } else { Sign::Added };
            let texts = if grown == 1 { "1 text".to_owned() } else { format!("{grown} texts") };
            let detail = format!(
                "{texts} in it that no definition held: it is copied as it is, so look whether it names a person"
            );
            self.push(sign, format!("definition {label}"), detail);
            self.told_of(Vec::new(), TEXTS, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_looser_where_it_lets_more_through() {
        for (name, was, is, looser) in [
            ("packs", "gdpr, pii", "gdpr", true),
            ("packs", "gdpr, pii", "", true),
            ("packs", "pii", "gdpr, pii", false),
            ("packs", "", "", false),
            ("ddl_literals", "refuse", "accept", true),
            ("ddl_literals", "accept", "refuse", false),
            ("undecided", "refuse", "null", true),
            ("new_partitions", "inherit", "refuse", false),
            ("leak", "true", "false", true),
            ("leak", "false", "true", false),
            ("leak_allow", "", "public.t.a", true),
            ("leak_allow", "public.t.a, public.t.b", "public.t.b", false),
        ] {
            assert_eq!(is_looser(name, was, is), looser, "{name}: {was} → {is}");
        }
    }

    #[test]
    fn digits_of_a_literal_do_not_count_and_what_has_no_word_says_nothing() {
        assert_eq!(said_in(" events_2026_11 "), Some("events_0_0".to_owned()));
        assert_eq!(said_in("Quillfeather"), Some("Quillfeather".to_owned()));
        for silent in ["", "2026-11-29", "%s", "a b"] {
            assert_eq!(said_in(silent), None, "{silent}");
        }
    }

    #[test]
    fn a_default_says_something_if_a_literal_does() {
        for expression in ["'Quillfeather'::text", "coalesce('', 'a')", "'0'::numeric"] {
            assert!(says_something(expression), "{expression}");
        }
        for expression in ["''::text", "'{}'::jsonb", "now()", "'-'::text"] {
            assert!(!says_something(expression), "{expression}");
        }
    }
}
