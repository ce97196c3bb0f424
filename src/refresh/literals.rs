//! Definitions that hold what looks like personal data: nothing masks a default, a comment or a function body.

use super::Job;
use crate::config;
use crate::detect;
use crate::error::Report;
use crate::load::objects::Objects;
use crate::lock::Lock;
use crate::plan;
use std::collections::BTreeMap;

/// What people write texts into that belong to no column; defaults and checks are in the lock by theirs, and so are domains and
/// labels that a column holds.
const BODIES: &[&str] = &[
    "AGGREGATE",
    "COMMENT",
    "DOMAIN",
    "FUNCTION",
    "INDEX",
    "MATERIALIZED VIEW",
    "POLICY",
    "PROCEDURE",
    "RULE",
    "STATISTICS",
    "TRIGGER",
    "TYPE",
    "VIEW",
];

/// Refuses those that nobody accepts; the lock takes in what those are that somebody does.
pub(super) fn judge(job: &Job, objects: &Objects, lock: Option<&mut Lock>) -> Vec<Report> {
    if job.accept_literals {
        return Vec::new();
    }
    let mut accepted: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut bodies: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut refused = Vec::new();
    for entry in objects.pre.iter().chain(&objects.post) {
        let kinds = detect::personal_in_definition(&entry.sql);
        if kinds.is_empty() {
            // An extension brings the comment on itself, another one with each version.
            let own = entry.kind == "COMMENT" && entry.name.starts_with("EXTENSION ");
            if BODIES.contains(&entry.kind.as_str()) && !own {
                bodies.entry(entry.label()).or_default().push(&entry.sql);
            }
            continue;
        }
        let label = entry.label();
        if job.literals_allow.iter().any(|pattern| config::matches(pattern, &label)) {
            accepted.entry(label).or_default().push(&entry.sql);
        } else {
            refused.push((label, kinds));
        }
    }
    if let Some(lock) = lock {
        let seal = job.lock_facts().seal;
        lock.accept(&accepted, &seal);
        lock.pin_bodies(&bodies, &seal);
    }
    reports(job, &refused)
}

/// A report for each, and one line for all of them: a second one of the same key would be no configuration.
fn reports(job: &Job, refused: &[(String, Vec<&'static str>)]) -> Vec<Report> {
    let report = |(label, kinds): &(String, Vec<&str>)| {
        let message = format!("the definition of {label} holds what looks like personal data");
        let detail = format!(
            "Detected: {}. A definition is copied as it is, so it would reach staging unmasked.",
            kinds.join(", ")
        );
        Report::new("plan::personal-literal", message).detail(detail)
    };
    let several = refused.len() > 1;
    let last = refused.len().saturating_sub(1);
    let told = refused.iter().enumerate().map(|(at, one)| {
        let hint = match (several, at == last) {
            (true, false) => "Change the definition on the source. The last of these says how to accept them.".to_owned(),
            (_, _) => format!(
                "Change the definition on the source. Or accept {}:\n{}\nOr accept whatever comes: ddl_literals = \"accept\"",
                if several { "all of these" } else { "it" },
                plan::list_line("ddl_literals_allow", "policy", &job.literals_allow, refused.iter().map(|(label, _)| label))
            ),
        };
        report(one).hint(hint)
    });
    told.collect()
}
