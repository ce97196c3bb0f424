//! Joins columns that reference each other into domains, and gives each domain one decision.

use super::graph::{Edge, Graph, Node, Sets};
use super::policy::{Decisions, Own};
use super::written::{mask_line, under};
use super::{Policy, place, propose};
use crate::config::{Action, MaskRule, Place, Rows, TableRule, Terms, Undecided, When};
use crate::error::Report;
use crate::mask::{self, KeyedOn, Kind, Params};
use std::collections::{BTreeMap, BTreeSet};

/// What decided a column that nobody decided.
pub(super) const UNDECIDED_NULL: &str = "undecided = \"null\"";

/// What happens to a column, with everything a mask needs.
#[derive(Clone, PartialEq)]
pub(super) enum Choice {
    Keep {
        reason: Option<String>,
    },
    Null,
    /// The constant as text.
    Const(String),
    Mask(Mask),
}

#[derive(Clone)]
pub(super) struct Mask {
    pub kind: &'static Kind,
    pub label: String,
    pub params: Params,
    pub subject: Option<String>,
    /// The rows it is for.
    pub when: Option<When>,
    /// The label was written, not derived.
    pub labelled: bool,
}

impl Mask {
    /// What the mask promises with its parameters.
    pub fn promise(&self) -> mask::Promise {
        self.kind.promise(&self.params)
    }

    /// As a configuration writes it.
    pub fn rule(&self) -> MaskRule {
        MaskRule {
            kind: self.kind.name.to_owned(),
            label: self.labelled.then(|| self.label.clone()),
            subject: self.subject.clone(),
            when: self.when.clone(),
            params: self.params.clone(),
        }
    }

    /// Rows that it is not for become NULL.
    pub fn nulls_rows(&self) -> bool {
        self.when.as_ref().is_some_and(|when| when.keep.is_none())
    }

    /// Rows that it is not for keep their values.
    pub fn keeps_rows(&self) -> bool {
        self.when.as_ref().is_some_and(|when| when.keep.is_some())
    }
}

impl PartialEq for Mask {
    fn eq(&self, other: &Self) -> bool {
        self.kind.full_name() == other.kind.full_name()
            && self.label == other.label
            && self.params == other.params
            && self.subject == other.subject
            && self.when == other.when
    }
}

#[derive(Clone)]
pub(super) struct Resolved {
    pub choice: Choice,
    pub because: String,
    pub place: Option<Place>,
    /// Listed in the policy by name or glob.
    pub listed: bool,
    /// By a rule that names its table and the column itself.
    pub named: bool,
    /// The decision of a column it references.
    pub inherited: bool,
    pub terms: Terms,
}

/// The decision of every column, and which references still hold after columns became NULL.
pub(super) struct Domains {
    /// By node; none if undecided or broken, which was reported.
    pub resolved: Vec<Option<Resolved>>,
    /// By edge: a referencing column is NULL, or the referencing table is empty, so nothing is joined.
    pub cut: Vec<bool>,
    /// What is written for columns of tables without rows, as far as it can be read: texts of others may mention names in them.
    pub behind: BTreeMap<Node, Choice>,
    /// Columns that their tables inherit, with the keys they do not follow, because something else is written for them.
    apart: Vec<(Node, Node)>,
}

/// Resolves all columns: own decisions, then foreign keys, then `undecided`.
pub(super) fn resolve(
    graph: &Graph<'_>,
    policy: &Policy<'_>,
    decisions: &mut Decisions<'_>,
    reports: &mut Vec<Report>,
) -> Domains {
    let mut resolved: Vec<Option<Resolved>> = Vec::with_capacity(graph.nodes.len());
    let mut behind = BTreeMap::new();
    for node in 0..graph.nodes.len() {
        let own = decisions.own[node].clone();
        if decisions.rows[graph.nodes[node].group] == Rows::None {
            behind.extend(own.and_then(|own| Some((node, own_choice(graph, node, &own).ok()?))));
            resolved.push(None);
            continue;
        }
        resolved.push(own.and_then(|own| match own_choice(graph, node, &own) {
            Ok(choice) => Some(Resolved {
                choice,
                because: own.because,
                place: Some(own.place.clone()),
                listed: own.listed,
                named: own.named,
                inherited: false,
                terms: own.terms.clone(),
            }),
            Err(report) => {
                decisions.broken.insert(node);
                reports.push(*report);
                None
            }
        }));
    }
    let cut = cut_edges(graph, decisions, &mut resolved, reports);
    let mut domains = Domains { resolved, cut, behind, apart: Vec::new() };
    domains.follow_references(graph, policy.rules, decisions, reports);
    domains.default_labels(graph);
    domains.finish_undecided(graph, policy, decisions, reports);
    domains
}

/// Turns what is written into a choice: looks up the kind, takes `null` and `const` apart.
fn own_choice(graph: &Graph<'_>, node: Node, own: &Own<'_>) -> Result<Choice, Box<Report>> {
    let rule = match own.action {
        Action::Keep { reason } => return Ok(Choice::Keep { reason: reason.clone() }),
        Action::Null => return Ok(Choice::Null),
        Action::Mask(rule) => rule,
    };
    match rule.kind.as_str() {
        // With a condition they are masks like others: what becomes of a row is known only with it.
        "null" | "null/1" | "const" | "const/1" if rule.when.is_some() => {}
        "keep" => return Ok(Choice::Keep { reason: None }),
        "null" | "null/1" => return Ok(Choice::Null),
        "const" | "const/1" => return constant(graph, node, own, rule),
        _ => {}
    }
    let name = graph.name(node);
    let Some(kind) = mask::kind(&rule.kind) else {
        let report = Report::new("plan::unknown-kind", format!("\"{}\" is not a mask kind", rule.kind))
            .place(place(own.place))
            .detail(format!("It is written for column \"{name}\"."));
        let near = super::graph::nearest(&rule.kind, mask::KINDS.iter().map(|kind| kind.name));
        return Err(Box::new(match near {
            Some(near) => report.hint(format!("Did you mean \"{near}\"? `restage kinds` lists all.")),
            None => report.hint("`restage kinds` lists all."),
        }));
    };
    Ok(Choice::Mask(Mask {
        kind,
        label: rule.label.clone().unwrap_or_default(),
        params: rule.params.clone(),
        subject: rule.subject.clone(),
        when: rule.when.clone(),
        labelled: rule.label.is_some(),
    }))
}

fn constant(graph: &Graph<'_>, node: Node, own: &Own<'_>, rule: &MaskRule) -> Result<Choice, Box<Report>> {
    let text = match rule.params.get("value") {
        Some(serde_json::Value::String(text)) => Some(text.clone()),
        Some(value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => Some(value.to_string()),
        _ => None,
    };
    let wrong = |message: String| {
        Box::new(
            Report::new("plan::bad-constant", message)
                .place(place(own.place))
                .hint("Write `{ mask = \"const\", value = \"…\" }` with a string, number or boolean that fits."),
        )
    };
    let name = graph.name(node);
    let text = text.ok_or_else(|| wrong(format!("the constant for column \"{name}\" has no usable `value`")))?;
    if let Some(mask::Shape::Text { chars_max: Some(chars_max), .. }) = &graph.nodes[node].shape
        && text.chars().count() > *chars_max as usize
    {
        return Err(wrong(format!("the constant for column \"{name}\" is longer than its {chars_max} characters")));
    }
    Ok(Choice::Const(text))
}

/// Finds the references that nothing follows: the referencing column becomes NULL, or one of the tables is empty.
fn cut_edges(
    graph: &Graph<'_>,
    decisions: &Decisions<'_>,
    resolved: &mut [Option<Resolved>],
    reports: &mut Vec<Report>,
) -> Vec<bool> {
    let mut cut = Vec::with_capacity(graph.edges.len());
    for edge in &graph.edges {
        let empty = |node: Node| decisions.rows[graph.nodes[node].group] == Rows::None;
        let (first_from, first_to) = edge.pairs[0];
        if empty(first_from) || empty(first_to) {
            cut.push(true);
            continue;
        }
        let is_null = |node: Node| {
            resolved[node]
                .as_ref()
                .is_some_and(|own| own.choice == Choice::Null && (own.listed || !graph.nodes[node].not_null))
        };
        let nulls = edge.pairs.iter().filter(|(from, _)| is_null(*from)).count();
        if edge.match_full && nulls > 0 && nulls < edge.pairs.len() {
            let column = graph.name(first_from);
            reports.push(
                Report::new(
                    "plan::reference-half-null",
                    format!("{} of \"{column}\" is MATCH FULL and would be NULL in part", edge.name),
                )
                .hint("Decide \"null\" for all of its columns, or for none."),
            );
        }
        cut.push(nulls > 0);
    }
    cut
}

impl Domains {
    /// Gives every domain the decision of the columns that are referenced and reference nothing themselves.
    fn follow_references(
        &mut self,
        graph: &Graph<'_>,
        rules: &[TableRule],
        decisions: &mut Decisions<'_>,
        reports: &mut Vec<Report>,
    ) {
        let mut sets = Sets::new(graph.nodes.len());
        let mut referenced: BTreeSet<Node> = BTreeSet::new();
        // By referencing column: the first reference that names it.
        let mut references: BTreeMap<Node, usize> = BTreeMap::new();
        for (number, edge) in graph.edges.iter().enumerate().filter(|(number, _)| !self.cut[*number]) {
            for &(from, to) in &edge.pairs {
                sets.join(from, to);
                referenced.insert(to);
                if from != to {
                    references.entry(from).or_insert(number);
                }
            }
        }
        // A foreign key is not inherited, but whoever reads a table joins the rows of its children too.
        let copied = |node: Node| decisions.rows[graph.nodes[node].group] != Rows::None;
        let mut pairs: Vec<(Node, Node)> =
            graph.inherited().filter(|(own, above)| copied(*own) && copied(*above)).collect();
        let mut relatives: BTreeSet<Node> = BTreeSet::new();
        loop {
            let known =
                |node: &Node| referenced.contains(node) || references.contains_key(node) || relatives.contains(node);
            let found = pairs.iter().position(|(own, above)| known(own) != known(above));
            let Some((own, above)) = found.map(|found| pairs.swap_remove(found)) else { break };
            sets.join(own, above);
            relatives.insert(if known(&above) { own } else { above });
        }
        let mut domains: BTreeMap<Node, Vec<Node>> = BTreeMap::new();
        for &node in referenced.iter().chain(references.keys()).chain(&relatives).collect::<BTreeSet<_>>() {
            domains.entry(sets.find(node)).or_default().push(node);
        }
        for members in domains.values() {
            let mut roots: Vec<Node> = members
                .iter()
                .copied()
                .filter(|node| referenced.contains(node) && !references.contains_key(node))
                .collect();
            if roots.is_empty() {
                roots = members.iter().copied().filter(|node| referenced.contains(node)).collect();
            }
            // A name, not an index, so that labels and messages do not depend on OIDs.
            roots.sort_by_cached_key(|&node| graph.name(node));
            let (relatives, members): (Vec<Node>, Vec<Node>) =
                members.iter().copied().partition(|node| relatives.contains(node));
            let chosen = self.decide_domain((graph, rules), &members, &roots, &references, decisions, reports);
            if let Some((head, chosen)) = chosen {
                self.decide_relatives(graph, &relatives, (head, &chosen), decisions);
            }
        }
    }

    /// Gives the mask of a key to columns that are joined with it by inheritance alone, unless something else is written for
    /// them. A key that is kept says nothing about values that no foreign key checks.
    fn decide_relatives(
        &mut self,
        graph: &Graph<'_>,
        relatives: &[Node],
        (head, chosen): (Node, &Resolved),
        decisions: &Decisions<'_>,
    ) {
        for &member in relatives.iter().filter(|node| !decisions.broken.contains(node)) {
            match &self.resolved[member] {
                Some(own) if own.listed && !agree(&chosen.choice, &own.choice) => self.apart.push((member, head)),
                _ if !matches!(chosen.choice, Choice::Mask(_)) => {}
                own => {
                    let because = format!("inheritance, as \"{}\"", graph.name(head));
                    let listed = own.as_ref().is_some_and(|own| own.listed);
                    self.resolved[member] = Some(Resolved { because, listed, inherited: true, ..chosen.clone() });
                }
            }
        }
    }

    fn decide_domain(
        &mut self,
        (graph, rules): (&Graph<'_>, &[TableRule]),
        members: &[Node],
        roots: &[Node],
        references: &BTreeMap<Node, usize>,
        decisions: &mut Decisions<'_>,
        reports: &mut Vec<Report>,
    ) -> Option<(Node, Resolved)> {
        let via = |node: Node| references.get(&node).map_or("a shared domain", |edge| graph.edges[*edge].name.as_str());
        let Some((head, mut chosen)) = roots.iter().find_map(|&root| Some((root, self.resolved[root].clone()?))) else {
            // The referenced column is reported; its referencing columns would only repeat that.
            let blamed: Vec<Node> = members.iter().copied().filter(|node| !roots.contains(node)).collect();
            decisions.broken.extend(blamed.into_iter().filter(|&node| self.resolved[node].is_none()));
            return None;
        };
        if let Choice::Mask(mask) = &mut chosen.choice
            && !mask.labelled
            && mask.kind.name == "int"
        {
            mask.label = graph.name(roots[0]);
            mask.labelled = true;
        }
        // Along keys that are checked for every value there are no others than those a reason was given for.
        let checked = |member: Node| {
            let mut node = member;
            for _ in members {
                let edge = references.get(&node).map(|edge| &graph.edges[*edge]);
                let sound = |edge: &&Edge| edge.checked && (edge.pairs.len() == 1 || edge.match_full);
                let Some(edge) = edge.filter(sound).filter(|_| node != head) else { break };
                node = edge.pairs.iter().find(|(from, _)| *from == node).map_or(node, |(_, to)| *to);
            }
            node == head
        };
        for &member in members {
            let own = self.resolved[member].take();
            if decisions.broken.contains(&member) {
                continue;
            }
            let inherited = || Resolved {
                because: format!("{}, as \"{}\"", via(member), graph.name(head)),
                place: chosen.place.clone(),
                listed: false,
                named: chosen.named,
                inherited: true,
                terms: chosen.terms.clone(),
                choice: match &chosen.choice {
                    Choice::Keep { .. } if !checked(member) => Choice::Keep { reason: None },
                    other => other.clone(),
                },
            };
            self.resolved[member] = match own {
                None if roots.contains(&member) && !matches!(chosen.choice, Choice::Mask(_)) => {
                    // Another referenced column is kept; that says nothing about the values of this one.
                    None
                }
                None => Some(inherited()),
                Some(own) if !own.listed && !roots.contains(&member) => Some(inherited()),
                Some(own) if agree(&chosen.choice, &own.choice) => {
                    let choice = if matches!(own.choice, Choice::Mask(_)) { chosen.choice.clone() } else { own.choice };
                    Some(Resolved { choice, ..own })
                }
                Some(own) => {
                    decisions.broken.insert(member);
                    reports.push(conflict(graph, rules, (head, &chosen), (member, &own), via(member)));
                    None
                }
            };
        }
        Some((head, chosen))
    }

    /// A lone `int` column joins nothing, so it gets a permutation of its own.
    fn default_labels(&mut self, graph: &Graph<'_>) {
        for (node, resolved) in self.resolved.iter_mut().enumerate() {
            if let Some(Resolved { choice: Choice::Mask(mask), .. }) = resolved
                && mask.kind.name == "int"
                && !mask.labelled
            {
                mask.label = graph.name(node);
            }
        }
    }

    /// Makes undecided columns NULL if the policy says so and they may be NULL; reports the rest.
    fn finish_undecided(
        &mut self,
        graph: &Graph<'_>,
        policy: &Policy<'_>,
        decisions: &mut Decisions<'_>,
        reports: &mut Vec<Report>,
    ) {
        // One report per table, so that its lines can be pasted under one header.
        let mut undecided: BTreeMap<usize, Vec<Node>> = BTreeMap::new();
        for node in 0..graph.nodes.len() {
            let column = &graph.nodes[node];
            let done = self.resolved[node].is_some() || decisions.broken.contains(&node) || column.column.generated;
            if done || decisions.rows[column.group] == Rows::None {
                continue;
            }
            if policy.undecided == Undecided::Null && !column.not_null {
                self.resolved[node] = Some(Resolved {
                    choice: Choice::Null,
                    because: UNDECIDED_NULL.to_owned(),
                    place: None,
                    listed: false,
                    named: false,
                    inherited: false,
                    terms: Terms::default(),
                });
            } else {
                decisions.broken.insert(node);
                undecided.entry(column.group).or_default().push(node);
            }
        }
        reports.extend(undecided.values().map(|nodes| propose::undecided(graph, policy, nodes)));
    }
}

/// Tells columns that a query of the parent table reads beside masked keys, and that do not join what those join.
pub(super) fn apart(graph: &Graph<'_>, domains: &Domains, warnings: &mut Vec<String>) {
    for &(member, head) in &domains.apart {
        let choice =
            |node: Node| domains.resolved[node].as_ref().map_or("undecided".to_owned(), |own| words(&own.choice));
        warnings.push(format!(
            "\"{}\" ({}) is a column of its table by inheritance and joins nothing as \"{}\" ({}): remove its line, and it follows",
            graph.name(member),
            choice(member),
            graph.name(head),
            choice(head)
        ));
    }
}

/// The first column with each set of parameters.
type Ways<'m> = BTreeMap<String, (Node, &'m Mask)>;

/// Tells columns that share a label, which says that they are to be joined, and not the parameters, without which they are
/// not.
pub(super) fn unequal_labels(graph: &Graph<'_>, domains: &Domains, warnings: &mut Vec<String>) {
    let mut labels: BTreeMap<(String, &str), Ways<'_>> = BTreeMap::new();
    for (node, resolved) in domains.resolved.iter().enumerate() {
        let Some(Resolved { choice: Choice::Mask(mask), .. }) = resolved else { continue };
        // Parts of documents and groups of a match may join all the same.
        let whole = mask.promise().keyed_on == KeyedOn::Value && mask.kind.name != "regex";
        if !mask.labelled || !whole {
            continue;
        }
        let params = super::deciding_params(&mask.kind.full_name(), &mask.params);
        let ways = labels.entry((mask.kind.full_name(), mask.label.as_str())).or_default();
        ways.entry(params).or_insert((node, mask));
    }
    for ((kind, label), ways) in labels.iter().filter(|(_, ways)| ways.len() > 1) {
        let line = |(node, mask): &(Node, &Mask)| {
            let key = propose::column_key(&graph.nodes[*node].column.name);
            format!("\"{}\" ({key} = {})", graph.name(*node), mask_line(&mask.rule(), &Terms::default()))
        };
        warnings.push(format!(
            "columns share label \"{label}\" of {kind} and not its parameters, so equal values get different masks: {}; \
             give them the same parameters to join them, or labels of their own",
            ways.values().map(line).collect::<Vec<_>>().join(" and ")
        ));
    }
}

/// A written decision may be shorter than the referenced column's, but not different.
fn agree(root: &Choice, member: &Choice) -> bool {
    match (root, member) {
        (Choice::Keep { .. }, Choice::Keep { .. }) => true,
        (Choice::Mask(root), Choice::Mask(member)) => {
            root.kind.full_name() == member.kind.full_name()
                && (!member.labelled || root.label == member.label)
                && (member.params.is_empty() || root.params == member.params)
                && (member.subject.is_none() || root.subject == member.subject)
                && (member.when.is_none() || root.when == member.when)
        }
        (root, member) => root == member,
    }
}

fn conflict(
    graph: &Graph<'_>,
    rules: &[TableRule],
    root: (Node, &Resolved),
    member: (Node, &Resolved),
    via: &str,
) -> Report {
    let say = |(node, resolved): (Node, &Resolved)| format!("\"{}\" ({})", graph.name(node), words(&resolved.choice));
    let mut report = Report::new(
        "plan::domain-conflict",
        format!("{} and {} are joined by {via} but decided differently", say(member), say(root)),
    )
    .hint(agreement(graph, rules, root, member));
    if let Some(at) = &member.1.place {
        report = report.place(place(at));
    }
    report.detail(format!("Decided by {} and {}.", member.1.because, root.1.because))
}

/// How two columns come to one decision without showing more than either does now: what follows a column that is kept would
/// be kept too.
fn agreement(graph: &Graph<'_>, rules: &[TableRule], root: (Node, &Resolved), member: (Node, &Resolved)) -> String {
    let (head, follower) = (graph.name(root.0), graph.name(member.0));
    let column = &graph.nodes[root.0];
    let (table, name) = (graph.groups[column.group].root.full_name(), &column.column.name);
    match (&root.1.choice, &member.1.choice) {
        (Choice::Keep { .. }, Choice::Mask(mask)) => {
            // Those name columns of the other table.
            let rule = MaskRule { subject: None, when: None, ..mask.rule() };
            let own = match mask.subject.is_some() || mask.when.is_some() {
                true => format!("     # and as much as there is of `subject` and `when` for \"{follower}\""),
                false => String::new(),
            };
            format!(
                "Mask \"{head}\" too, in place of its line:\n{}\n{} = {}{own}",
                under(rules, &table),
                propose::column_key(name),
                mask_line(&rule, &Terms::default())
            )
        }
        (Choice::Keep { .. }, Choice::Null | Choice::Const(_)) => {
            format!("Mask \"{head}\" too, and remove the line for \"{follower}\": it then follows \"{head}\".")
        }
        _ => format!("Remove the line for \"{follower}\": it then follows \"{head}\"."),
    }
}

/// A choice in the words of the policy.
pub(super) fn words(choice: &Choice) -> String {
    match choice {
        Choice::Keep { .. } => "keep".to_owned(),
        Choice::Null => "null".to_owned(),
        Choice::Const(_) => "const".to_owned(),
        Choice::Mask(mask) => {
            let label = if mask.label.is_empty() { String::new() } else { format!(" with label \"{}\"", mask.label) };
            let when = if mask.when.is_some() { " in some rows" } else { "" };
            format!("{}{label}{when}", mask.kind.full_name())
        }
    }
}
