//! The packs as they stand in `rules/packs/*.toml`, read once and checked by the tests.

use super::weak;
use crate::config::{Action, MaskRule, Place, Terms, When, matches};
use crate::mask::Params;
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::LazyLock;

const FILES: &[&str] = &[
    include_str!("../../../rules/packs/pii.toml"),
    include_str!("../../../rules/packs/secrets.toml"),
    include_str!("../../../rules/packs/pci.toml"),
    include_str!("../../../rules/packs/hipaa.toml"),
    include_str!("../../../rules/packs/gdpr.toml"),
    include_str!("../../../rules/packs/dora.toml"),
    include_str!("../../../rules/packs/neutralize.toml"),
    include_str!("../../../rules/packs/django.toml"),
    include_str!("../../../rules/packs/rails.toml"),
    include_str!("../../../rules/packs/odoo.toml"),
    include_str!("../../../rules/packs/keycloak.toml"),
    include_str!("../../../rules/packs/wordpress.toml"),
];

pub(super) static PACKS: LazyLock<Vec<Pack>> = LazyLock::new(|| {
    let read = |text: &&str| {
        let mut pack: Pack = toml::from_str(text).expect("the packs are part of the program and tested");
        for rule in &mut pack.rule {
            rule.place = Place { file: PathBuf::from(format!("pack {}", pack.name)), ..Place::default() };
            rule.actions = rule.decide.iter().map(|text| action(text)).collect();
        }
        pack
    };
    FILES.iter().map(read).collect()
});

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pack {
    pub name: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "said in the file; a test reads it"))]
    pub summary: String,
    #[serde(default)]
    pub hold: Hold,
    /// Tables that are all there where the framework is; none: any table or column of a rule says so.
    #[serde(default)]
    pub found_by: Vec<String>,
    pub rule: Vec<Rule>,
}

/// Where a pack holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Hold {
    #[default]
    Listed,
    /// Where it is not listed, what it would refuse is a warning.
    Told,
    /// Listed or not.
    Always,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub id: String,
    pub why: String,
    /// What the column looks like; or the names of tables and columns.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Globs on names of tables, without schema.
    #[serde(default)]
    pub tables: Vec<String>,
    #[serde(default)]
    pub columns: Vec<String>,
    #[serde(default)]
    pub keep: Keep,
    #[serde(default)]
    pub only: Vec<String>,
    #[serde(default)]
    pub demand: Vec<Demand>,
    /// Decisions in TOML; the first that fits decides a column nobody else does.
    #[serde(default)]
    pub decide: Vec<String>,
    /// What `decide` keeps is looked at by the detectors after each load, as if it had no reason.
    #[serde(default)]
    pub looked_at: bool,
    /// The rows of the tables stay behind, unless the policy says which to take.
    #[serde(default)]
    pub empty: bool,
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "the test of a rule stands beside it"))]
    pub refused: Vec<Example>,
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "the test of a rule stands beside it"))]
    pub accepted: Vec<Example>,
    /// Columns, and what the rule makes of them where the policy is silent.
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "the test of a rule stands beside it"))]
    pub decides: Vec<Example>,
    #[serde(skip)]
    pub place: Place,
    #[serde(skip)]
    pub actions: Vec<(Action, Terms)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Keep {
    /// The rule is about masks.
    #[default]
    Any,
    Reason,
    Dated,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Demand {
    pub kind: String,
    pub param: String,
    pub at_most: Option<i64>,
    pub is: Option<String>,
    #[serde(default)]
    pub one_of: Vec<String>,
    pub unless: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(test), expect(dead_code, reason = "read by the test of the rules"))]
pub(super) struct Example {
    pub column: String,
    pub decision: String,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Decided<'a> {
    Keep,
    Mask { kind: &'a str, params: &'a Params, looks: Option<&'a str> },
}

impl Pack {
    /// Whether tables of these names are those of the pack's framework.
    pub fn framework(&self, tables: &[&str]) -> bool {
        let there = |name: &String| tables.iter().any(|table| matches(name, table));
        !self.found_by.is_empty() && self.found_by.iter().all(there)
    }
}

impl Rule {
    /// Whether the rule is about a column: what it looks like, or its name and that of its table.
    pub fn about(&self, table: &str, column: &str, category: Option<&str>) -> bool {
        category.is_some_and(|category| self.categories.iter().any(|known| known == category))
            || !self.columns.is_empty() && self.about_table(table) && any(&self.columns, column)
    }

    pub fn about_table(&self, table: &str) -> bool {
        any(&self.tables, table)
    }

    /// What the rule wants of a column; empty if it refuses nothing.
    pub fn wants(&self) -> String {
        let mut wants = Vec::new();
        wants.extend((!self.only.is_empty()).then(|| format!("null, const or {}", self.only.join(", "))));
        wants.extend(self.demand.iter().map(|Demand { kind, param, at_most, is, one_of, unless }| {
            let limit = at_most.map(|most| format!("at most {most}")).or_else(|| is.clone());
            let limit = limit.unwrap_or_else(|| one_of.join(" or "));
            let lifted = unless.as_ref().map(|name| format!(", unless {name}")).unwrap_or_default();
            format!("{kind} with {param} {limit}{lifted}")
        }));
        match self.keep {
            Keep::Any if wants.is_empty() => {}
            Keep::Any => wants.push("or a reason".to_owned()),
            Keep::Reason => wants.push("kept for a reason only".to_owned()),
            Keep::Dated => wants.push("kept for a reason that ends only".to_owned()),
        }
        wants.join("; ")
    }

    /// What is wrong with a decision for a column the rule is about; none if nothing is.
    pub fn judge(&self, decided: Decided<'_>, terms: &Terms) -> Option<String> {
        let weak = match decided {
            Decided::Keep if self.keep == Keep::Any => return None,
            Decided::Keep => "it is kept".to_owned(),
            Decided::Mask { kind, params, looks } => self.weak(kind, params, looks)?,
        };
        if terms.reason.is_none() {
            return Some(format!("{weak} without a reason"));
        }
        let open = self.keep == Keep::Dated && terms.until.is_none();
        open.then(|| format!("{weak} for a reason that never ends"))
    }

    /// Why a mask does too little.
    fn weak(&self, kind: &str, params: &Params, looks: Option<&str>) -> Option<String> {
        if !self.only.is_empty() && !self.only.iter().any(|allowed| allowed == kind) {
            return Some(format!("{kind} is none of {}, which do: it stands there", self.only.join(", ")));
        }
        let mut demands = self.demand.iter().filter(|demand| demand.kind == kind);
        let broken = demands.find_map(|demand| demand.broken(params));
        // What is as good as kept needs what keeping needs.
        broken.or_else(|| weak::kept(kind, params, looks).filter(|_| self.keep != Keep::Any))
    }
}

fn any(patterns: &[String], name: &str) -> bool {
    let name = name.to_lowercase();
    patterns.iter().any(|pattern| matches(pattern, &name))
}

impl Demand {
    fn broken(&self, params: &Params) -> Option<String> {
        let lifted = self.unless.as_ref().and_then(|name| params.get(name)).and_then(Value::as_bool) == Some(true);
        if lifted {
            return None;
        }
        let Self { kind, param, .. } = self;
        let found = params.get(param);
        if let Some(most) = self.at_most
            && found.and_then(Value::as_i64).is_some_and(|number| number > most)
        {
            return Some(format!("{kind} has `{param}` above {most}"));
        }
        let word = found.and_then(Value::as_str);
        if !self.one_of.is_empty() && !word.is_some_and(|word| self.one_of.iter().any(|one| one == word)) {
            return Some(format!("{kind} stands there without `{param}` {},", self.one_of.join(" or ")));
        }
        let is = self.is.as_ref()?;
        (word != Some(is)).then(|| format!("{kind} stands there without `{param} = {is:?}`,"))
    }
}

/// Reads a decision as a policy writes it.
fn action(text: &str) -> (Action, Terms) {
    let document: toml::Table = format!("d = {text}").parse().expect("decisions of packs are TOML");
    let mut fields = match &document["d"] {
        toml::Value::String(word) if word == "null" => return (Action::Null, Terms::default()),
        toml::Value::String(word) => toml::Table::from_iter([("mask".to_owned(), word.as_str().into())]),
        toml::Value::Table(fields) => fields.clone(),
        other => panic!("{other} is no decision"),
    };
    let otherwise = fields.remove("otherwise");
    let otherwise = otherwise.and_then(|value| Some(value.get("keep")?.as_str()?.to_owned()));
    let mut text = |name: &str| fields.remove(name).and_then(|value| Some(value.as_str()?.to_owned()));
    let (kind, subject, label) = (text("mask"), text("subject"), text("label"));
    if let Some(reason) = kind.is_none().then(|| text("keep")).flatten() {
        let terms = Terms { reason: Some(reason.clone()), until: None };
        return (Action::Keep { reason: Some(reason) }, terms);
    }
    let when = text("when").map(|condition| When { condition, path: None, keep: otherwise, until: None });
    let Ok(Value::Object(params)) = serde_json::to_value(fields) else { panic!("parameters are values of JSON") };
    let kind = kind.expect("a decision names a mask");
    (Action::Mask(MaskRule { kind, label, subject, when, params }), Terms::default())
}
