//! Gates: over what rows tell of people, over what they are still good for, and the user's own.

use super::In;
use crate::config::tree::Position;
use crate::config::{
    AnonymityRule, CandidateConfig, CommandGate, FidelityConfig, GatePoint, LeakConfig, QueryGate, Severity, SqlGate,
    VerifyConfig,
};
use crate::error::Report;
use std::collections::BTreeSet;

const SEVERITY: [Severity; 2] = [Severity::Fail, Severity::Warn];
const POINTS: [GatePoint; 2] = [GatePoint::BeforePublish, GatePoint::AfterPublish];

pub(super) fn verify(section: In<'_, '_, '_>) -> Option<VerifyConfig> {
    let (on, allow, bytes) = (section.boolean("leak"), section.texts("leak_allow"), section.bytes("leak_bytes"));
    let (warn, rollback_within) = (section.texts("warn"), section.duration("rollback_within"));
    let measure = section.boolean("measure");
    let judged = section.has("fidelity");
    let fidelity = section.table("fidelity", fidelity);
    if measure == Some(false) && judged {
        let report = Report::new("config::conflict", "[verify] has `fidelity` with `measure = false`");
        section.context.report(section.at, report.hint("Take one of both away: thresholds judge what is measured."));
    }
    let anonymity = section.tables("anonymity", anonymity);
    let candidates = section.table("candidates", candidates);
    let sql = section.tables("sql", |section| Some((section.at, sql(section)?)));
    let commands = section.tables("command", |section| Some((section.at, command(section)?)));
    let queries = section.tables("query", |section| Some((section.at, query(section)?)));
    let mut names: Vec<(Position, &str)> = sql.iter().flatten().map(|(at, gate)| (*at, gate.name.as_str())).collect();
    names.extend(commands.iter().flatten().map(|(at, gate)| (*at, gate.name.as_str())));
    names.extend(queries.iter().flatten().map(|(at, gate)| (*at, gate.name.as_str())));
    let mut known = BTreeSet::new();
    for (at, name) in names.into_iter().filter(|(_, name)| !known.insert(*name)) {
        let report = Report::new("config::conflict", format!("two gates of [verify] are named \"{name}\""));
        let hint = "Reports and `warn` tell gates apart by their names: name one of them differently.";
        section.context.report(at, report.hint(hint));
    }
    fn gates<T>(found: Vec<Option<(Position, T)>>) -> Option<Vec<T>> {
        found.into_iter().map(|gate| gate.map(|(_, gate)| gate)).collect()
    }
    Some(VerifyConfig {
        leak: LeakConfig { on: on?, allow: allow?, bytes: bytes? },
        warn: warn?,
        rollback_within: rollback_within?,
        measure: measure?,
        fidelity: fidelity.flatten()?,
        anonymity: anonymity.into_iter().collect::<Option<_>>()?,
        candidates: candidates.flatten()?,
        sql: gates(sql)?,
        commands: gates(commands)?,
        queries: gates(queries)?,
    })
}

fn sql(section: In<'_, '_, '_>) -> Option<SqlGate> {
    let (name, query, equals) = (section.text("name"), section.text("query"), section.integer("equals"));
    let (severity, at) = (section.choice("severity", &SEVERITY), section.choice("at", &POINTS));
    let place = section.context.files.place(section.at);
    Some(SqlGate { name: name?, query: query?, equals: equals?, severity: severity?, at: at?, place })
}

fn command(section: In<'_, '_, '_>) -> Option<CommandGate> {
    let (name, command, timeout) = (section.text("name"), section.command("command"), section.duration("timeout"));
    let (severity, at) = (section.choice("severity", &SEVERITY), section.choice("at", &POINTS));
    let place = section.context.files.place(section.at);
    Some(CommandGate { name: name?, command: command?, timeout: timeout?, severity: severity?, at: at?, place })
}

fn query(section: In<'_, '_, '_>) -> Option<QueryGate> {
    let (name, sql) = (section.text("name"), section.text("sql"));
    let (factor, same_plan) = (section.number("factor"), section.boolean("same_plan"));
    let severity = section.choice("severity", &SEVERITY);
    let place = section.context.files.place(section.at);
    Some(QueryGate { name: name?, sql: sql?, factor, same_plan: same_plan?, severity: severity?, place })
}

fn anonymity(section: In<'_, '_, '_>) -> Option<AnonymityRule> {
    let table = section.text("table");
    let columns = section.texts("columns");
    let sensitive = section.texts("sensitive");
    let k = section.integer("k").map(i64::unsigned_abs);
    let asked = ["l", "l_entropy", "t"].into_iter().find(|key| section.has(key));
    let l = section.integer("l").map(i64::unsigned_abs);
    let (l_entropy, t) = (section.number("l_entropy"), section.number("t"));
    let severity = section.choice("severity", &SEVERITY);
    if columns.as_ref().is_some_and(Vec::is_empty) {
        let report = Report::new("config::missing", "[[verify.anonymity]] names no column");
        section.context.report(section.at, report.hint("columns = [\"born_on\", \"zip\", \"sex\"]"));
        return None;
    }
    if let (Some(key), Some(true)) = (asked, sensitive.as_ref().map(Vec::is_empty)) {
        let report = Report::new("config::missing", format!("[[verify.anonymity]] has `{key}` without `sensitive`"));
        let report = report.detail(format!("`{key}` says how much a class may tell of a sensitive column."));
        section.context.report(section.at, report.hint("sensitive = [\"diagnosis\"]"));
    }
    let both = |name: &&String| columns.as_ref().is_some_and(|columns| columns.contains(name));
    if let Some(name) = sensitive.as_ref().and_then(|names| names.iter().find(both)) {
        let message = format!("[[verify.anonymity]] has \"{name}\" in `columns` and in `sensitive`");
        let report = Report::new("config::conflict", message);
        let hint = "In one class it always has one value: keep it in one of both lists.";
        section.context.report(section.at, report.hint(hint));
    }
    let place = section.context.files.place(section.at);
    Some(AnonymityRule {
        table: table?,
        columns: columns?,
        sensitive: sensitive?,
        k: k?,
        l,
        l_entropy,
        t,
        severity: severity?,
        place,
    })
}

fn candidates(section: In<'_, '_, '_>) -> Option<CandidateConfig> {
    let sets = section.integer("sets").map(i64::unsigned_abs);
    let rows = section.integer("rows").map(i64::unsigned_abs);
    let unique_max = section.number("unique_max");
    let severity = section.choice("severity", &SEVERITY);
    Some(CandidateConfig { sets: sets?, rows: rows?, unique_max, severity: severity? })
}

fn fidelity(section: In<'_, '_, '_>) -> Option<FidelityConfig> {
    let (null_fraction, distinct_ratio) = (section.number("null_fraction"), section.number("distinct_ratio"));
    let (ks, psi, correlation) = (section.number("ks"), section.number("psi"), section.number("correlation"));
    let (columns, severity) = (section.texts("columns"), section.choice("severity", &SEVERITY));
    Some(FidelityConfig { null_fraction, distinct_ratio, ks, psi, correlation, columns: columns?, severity: severity? })
}
