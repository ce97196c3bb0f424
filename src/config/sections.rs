//! Every table of the configuration: from keys to the types of [`super`].

mod fixture;
mod verify;

use super::load::{self, Loaded};
use super::options::{ConfigOption, Kind, Need};
use super::read::{Context, Section, Wrong, nearest, resolved, show_key, show_text};
use super::tree::{Entries, Key, Node, Position, Value};
use super::{
    Action, Children, Config, Cover, Dangling, Decision, EdgeRule, HookAction, HookConfig, HookPoint, KeyConfig,
    KeySource, MaskRule, MissingRoles, NewPartitions, NotifyConfig, NotifyEvent, OnBlockedDdl, Parent, PolicyConfig,
    PublishConfig, PublishMode, ReferenceRule, Rows, ScenarioConfig, ScheduleConfig, SeedRule, SignConfig,
    SourceConfig, SubsetConfig, TableRule, TargetConfig, Terms, Undecided, When, hash, pending, policy_test,
};
use crate::error::Report;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Json, json};
use std::path::Path;

/// Most backends used by default; more only help servers that somebody should have configured for it.
const JOBS_MAX: usize = 8;

/// Reads the merged tree.
///
/// # Errors
/// Every problem, those found while loading included.
pub(super) fn read(path: &Path, loaded: Loaded) -> Result<Config, Vec<Report>> {
    let context = Context::new(&loaded.files, loaded.problems);
    let config = read_root(path, &context, loaded.root);
    let (problems, canonical) = context.into_parts();
    match config {
        Some(config) if problems.is_empty() => Ok(Config { hash: hash::hash(&canonical), ..config }),
        _ => {
            debug_assert!(!problems.is_empty(), "a part is missing only where a problem was reported");
            Err(load::finish(&loaded.files, problems))
        }
    }
}

/// None only where a problem was reported.
pub(super) fn read_root(path: &Path, context: &Context<'_>, entries: Entries) -> Option<Config> {
    let pending = pending::find(context.files, &entries);
    let mut root = Section::root(context, entries);
    let _ = root.integer::<i64>("version");
    // Already followed; asked for its type.
    let _ = root.texts("include");
    let source_at = root.place_of("source");
    let source = root.table("source", source);
    let target = root.table("target", target);
    let key = root.table("key", key);
    let policy = root.table("policy", policy);
    let tables = root.table("tables", tables);
    let references = root.tables("references", reference);
    let subset = root.table("subset", subset);
    let scenarios = root.table("scenario", scenarios);
    let fixture = root.table("fixture", fixture::fixture);
    let verify = root.table("verify", verify::verify);
    let publish = root.table("publish", publish);
    let report = root.table("report", report);
    let hooks = root.tables("hook", hook);
    let schedule = root.table("schedule", schedule);
    let notify = root.tables("notify", notify);
    let tests = root.tables("test", policy_test::test);
    root.finish();
    let (source, target) = (source.flatten(), target.map(|target| target.ok_or(())));
    if let (Some(source), Some(Ok(target))) = (&source, &target) {
        check_distinct(context, source_at, &source.url, &target.url);
    }
    Some(Config {
        file: path.to_owned(),
        source: source?,
        target: target.transpose().ok()?,
        key: key.map(|key| key.ok_or(())).transpose().ok()?,
        policy: policy.flatten()?,
        tables: tables?,
        references: references.into_iter().collect::<Option<_>>()?,
        subset: subset.map(|subset| subset.ok_or(())).transpose().ok()?,
        scenarios: scenarios?.into_iter().collect::<Option<_>>()?,
        fixture: fixture.flatten()?,
        verify: verify.flatten()?,
        publish: publish.flatten()?,
        sign: report.flatten()?,
        hooks: hooks.into_iter().collect::<Option<_>>()?,
        schedule: schedule.map(|schedule| schedule.ok_or(())).transpose().ok()?,
        notify: notify.into_iter().collect::<Option<_>>()?,
        tests: tests.into_iter().collect::<Option<_>>()?,
        pending,
        hash: String::new(),
    })
}

/// The plan proves that the servers differ; equal texts need no server to be wrong.
fn check_distinct(context: &Context<'_>, at: Position, source: &SecretString, target: &SecretString) {
    if hash::without_secrets(source.expose_secret()) == hash::without_secrets(target.expose_secret()) {
        let report = Report::new("config::conflict", "[source] and [target] name the same database");
        let report = report.detail("The target is replaced by a masked copy; that must never be production.");
        context.report(at, report.hint("Write the URL of the staging database into [target]."));
    }
}

type In<'s, 'c, 'a> = &'s mut Section<'c, 'a>;

fn connection(section: In<'_, '_, '_>) -> Option<SecretString> {
    section.secret("url", |text| hash::check_connection(text).map(|()| hash::without_secrets(text)))
}

fn source(section: In<'_, '_, '_>) -> Option<SourceConfig> {
    // Every key is read before any `?`, so that all problems are found.
    let url = connection(section);
    let workers = section.integer("workers");
    let lock_timeout = section.duration("lock_timeout");
    let lock_wait_max = section.duration("lock_wait_max");
    let snapshot_max = section.duration("snapshot_max");
    let rate_max = section.bytes("rate_max");
    let chunk_bytes = section.bytes("chunk_bytes");
    let on_blocked_ddl =
        section.choice("on_blocked_ddl", &[OnBlockedDdl::Yield, OnBlockedDdl::Hold, OnBlockedDdl::Warn]);
    let ddl_grace = section.duration("ddl_grace");
    let pause_replay = section.boolean("pause_replay");
    let allow_schema_drift = section.boolean("allow_schema_drift");
    let allow_write_role = section.boolean("allow_write_role");
    let assume_encoding = section.text("assume_encoding");
    Some(SourceConfig {
        url: url?,
        workers: workers?,
        lock_timeout: lock_timeout?,
        lock_wait_max: lock_wait_max?,
        snapshot_max,
        rate_max,
        chunk_bytes: chunk_bytes?,
        on_blocked_ddl,
        ddl_grace: ddl_grace?,
        pause_replay: pause_replay?,
        allow_schema_drift: allow_schema_drift?,
        allow_write_role: allow_write_role?,
        assume_encoding,
    })
}

fn target(section: In<'_, '_, '_>) -> Option<TargetConfig> {
    let url = connection(section);
    let confirm = section.text("confirm");
    let keep = section.integer("keep");
    let maintenance_db = section.text("maintenance_db");
    let allow_same_cluster = section.boolean("allow_same_cluster");
    let allow_prod_name = section.boolean("allow_prod_name");
    let owner = section.text("owner");
    let roles = section.map("roles");
    let missing_roles =
        section.choice("missing_roles", &[MissingRoles::Skip, MissingRoles::Refuse, MissingRoles::Create]);
    let skip_extensions = section.texts("skip_extensions");
    let unlogged = section.choice("durability", &[false, true]);
    let jobs = section.integer::<i64>("jobs").and_then(|jobs| usize::try_from(jobs).ok());
    let bin_dir = section.path("bin_dir");
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(JOBS_MAX);
    Some(TargetConfig {
        url: url?,
        confirm,
        keep: keep?,
        maintenance_db: maintenance_db?,
        allow_same_cluster: allow_same_cluster?,
        allow_prod_name: allow_prod_name?,
        owner,
        roles: roles?,
        missing_roles: missing_roles?,
        skip_extensions: skip_extensions?,
        unlogged: unlogged?,
        jobs: jobs.unwrap_or_else(cores),
        bin_dir,
    })
}

fn key(section: In<'_, '_, '_>) -> Option<KeyConfig> {
    let named: Vec<&str> = ["file", "env", "command", "fd"].into_iter().filter(|key| section.has(key)).collect();
    let file = section.path("file").map(KeySource::File);
    let env = section.text("env").map(KeySource::Env);
    let command = section.command("command").map(KeySource::Command);
    let fd = section.integer("fd").map(KeySource::Fd);
    let ephemeral = section.boolean("ephemeral");
    let realm = section.text("realm");
    // `ephemeral = false` beside another source is fine.
    let written: Vec<&str> = named.into_iter().chain((ephemeral != Some(false)).then_some("ephemeral")).collect();
    if written.len() > 1 {
        let names = written.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let report = Report::new("config::conflict", format!("[key] has {} sources", written.len()));
        let hint = "Exactly one of `file`, `env`, `command`, `fd` and `ephemeral` says where the key is.";
        section.context.report(section.at, report.detail(format!("Written: {names}.")).hint(hint));
        return None;
    }
    if written.is_empty() {
        let report = Report::new("config::missing", "[key] does not say where the key is");
        let hint = "Add to [key]:\nfile = \"/run/secrets/restage.key\"\nMake a key with `restage key new`.";
        section.context.report(section.at, report.hint(hint));
    }
    let ephemeral = (ephemeral == Some(true)).then_some(KeySource::Ephemeral);
    let source = [file, env, command, fd, ephemeral].into_iter().flatten().next();
    Some(KeyConfig { source: source?, realm: realm? })
}

fn policy(section: In<'_, '_, '_>) -> Option<PolicyConfig> {
    let places = section.places_in("packs").into_iter().map(|at| section.context.files.place(at));
    let pack_places = places.collect();
    let packs = section.texts("packs");
    let rego = section.files("rego");
    let undecided = section.choice("undecided", &[Undecided::Refuse, Undecided::Null]);
    let accept_literals = section.choice("ddl_literals", &[false, true]);
    let literals_allow = section.texts("ddl_literals_allow");
    let new_partitions = section.choice("new_partitions", &[NewPartitions::Refuse, NewPartitions::Inherit]);
    Some(PolicyConfig {
        packs: packs?,
        pack_places,
        rego: rego?,
        undecided: undecided?,
        accept_literals: accept_literals?,
        literals_allow: literals_allow?,
        new_partitions: new_partitions?,
    })
}

fn tables(section: In<'_, '_, '_>) -> Vec<TableRule> {
    let (_, mut entries) = section.take_names("tables.*");
    // Headers of sub-tables may come first and included files last; this is the order people see.
    entries.sort_by_key(|(key, _)| key.at);
    entries.into_iter().filter_map(|(key, node)| table_rule(section, &key, node)).collect()
}

fn table_rule(section: In<'_, '_, '_>, key: &Key, node: Node) -> Option<TableRule> {
    let title = format!("[tables.{}]", show_name(&key.name));
    let Value::Table(entries) = node.value else {
        let message = format!("{title} must be a table, not {}", node.describe());
        let report = Report::new("config::wrong-type", message);
        section
            .context
            .report(node.at, report.hint(format!("Write {title} on a line of its own, `rows` and `columns` below.")));
        return None;
    };
    // A place that is a whole header is nicer to read than one inside it.
    let at = node.at;
    if !check_pattern(section, key, &entries) {
        return None;
    }
    let name = section.full_name(&key.name);
    let mut table = section.inside("tables.*", name, title.clone(), at, entries);
    let rows = rows(&mut table);
    let default = match table.take("default") {
        (option, Some((name, node))) => decision(&table, option, &name, "default", node),
        _ => None,
    };
    let columns = table.table("columns", |columns| {
        columns.title = format!("[tables.{}.columns]", show_name(&key.name));
        columns.name = table_columns_name(&key.name);
        let (option, entries) = columns.take_names("tables.*.columns.*");
        let mut decisions = Vec::with_capacity(entries.len());
        for (name, node) in entries {
            if let Some(decision) = decision(columns, option, &name, &name.name, node) {
                decisions.push((name.name, decision));
            }
        }
        (decisions, columns.context.files.place(columns.at))
    });
    report_misplaced_columns(&mut table, &key.name);
    table.finish();
    let place = section.context.files.place(at);
    let (columns, columns_at) = columns.unzip();
    let columns = columns.unwrap_or_default();
    Some(TableRule { pattern: key.name.clone(), place, rows, default, columns, columns_at })
}

/// A decision directly in the table entry: the columns table was forgotten.
fn report_misplaced_columns(table: In<'_, '_, '_>, name: &str) {
    for (key, _) in table.take_strange(|node| matches!(node.value, Value::Text(_) | Value::Table(_))) {
        let report = Report::new("config::unknown-key", format!("{} is not known", table.called(&key.name)));
        let column = show_key(&key.name);
        let hint = format!("Columns stand in their own table:\n[tables.{}.columns]\n{column} = …", show_name(name));
        table.context.report(key.at, report.hint(hint));
    }
}

fn table_columns_name(table: &str) -> Vec<String> {
    ["tables", table, "columns"].map(str::to_owned).to_vec()
}

/// Quotes a name as a header needs it.
fn show_name(name: &str) -> String {
    let shown = show_key(name);
    if shown.starts_with('"') { shown } else { format!("\"{shown}\"") }
}

/// A pattern without a dot can only match a table if it has a star.
fn check_pattern(section: In<'_, '_, '_>, key: &Key, entries: &Entries) -> bool {
    if key.name.contains(['.', '*']) {
        return true;
    }
    let known = ["rows", "default", "columns"];
    let inner = entries
        .iter()
        .find(|(inner, node)| matches!(node.value, Value::Table(_)) && !known.contains(&inner.name.as_str()));
    let report = Report::new("config::bad-value", format!("{} is not the name of a table", show_name(&key.name)));
    let report = match inner {
        Some((inner, _)) => {
            let full = show_name(&format!("{}.{}", key.name, inner.name));
            report.hint(format!("Quote the name: `[tables.{full}]`."))
        }
        None => {
            let full = show_name(&format!("public.{}", key.name));
            report.hint(format!("Write schema and table: `[tables.{full}]`; `[tables.\"*\"]` for all."))
        }
    };
    section.context.report(key.at, report);
    false
}

fn rows(table: In<'_, '_, '_>) -> Option<Rows> {
    let (option, entry) = table.take("rows");
    let (_, node) = entry?;
    let hint = "Write `rows = \"all\"`, `rows = \"none\"` or `rows = { where = \"…\", limit = 1000 }`.";
    let wrong = |text: &str| Wrong::Hint(text.to_owned(), hint.to_owned());
    let wrong = match &node.value {
        Value::Table(entries) if entries.is_empty() => wrong("is a table without `where` and `limit`"),
        Value::Table(entries) => {
            let title = format!("`rows` of {}", table.title);
            let mut inside = table.inside(option.path, table.full_name("rows"), title, node.at, entries.clone());
            let condition = inside.text("where");
            let limit = inside.integer("limit").map(i64::unsigned_abs);
            inside.finish();
            // With neither, something else in the table was reported.
            return (condition.is_some() || limit.is_some()).then_some(Rows::Where { condition, limit });
        }
        _ => match resolved(&node) {
            Ok("all") => return Some(Rows::All),
            Ok("none") => {
                table.context.record(&table.full_name("rows"), Json::from("none"));
                return Some(Rows::None);
            }
            Ok(_) => wrong("is neither \"all\" nor \"none\""),
            Err(wrong) => wrong,
        },
    };
    table.report_wrong(option, &node, wrong);
    None
}

/// Reads the decision of a column, or of `default`. `called` is its name in messages.
fn decision(section: &Section<'_, '_>, option: &ConfigOption, key: &Key, called: &str, node: Node) -> Option<Decision> {
    debug_assert_eq!(option.kind, Kind::Decision);
    let name = section.full_name(&key.name);
    let title = format!("`{}` of {}", show_key(called), section.title);
    let at = node.at;
    let mut terms = Terms::default();
    let action = match node.value {
        Value::Table(entries) => {
            let mut inside = section.inside("decision", name.clone(), title, at, entries);
            terms = self::terms(&mut inside);
            let action = decision_table(&mut inside);
            inside.finish();
            let action = action?;
            if let Action::Keep { reason } = &action {
                terms.reason.clone_from(reason);
            }
            action
        }
        Value::Text(_) => {
            let text = match resolved(&node) {
                Ok(text) => text.to_owned(),
                Err(_) => return None,
            };
            decision_text(section, &title, at, &text, &node)?
        }
        _ => {
            let message = format!("{title} must be a string or a table, not {}", node.describe());
            let hint = "Write \"keep\", \"null\", a mask such as \"email\", or { mask = \"email\", … }.";
            section.context.report(at, Report::new("config::wrong-type", message).hint(hint));
            return None;
        }
    };
    if terms.reason.as_ref().is_some_and(|reason| !reason.contains(char::is_alphanumeric)) {
        let message = format!("the reason in `{}` of {} says nothing", show_key(called), section.title);
        let hint = "Write why nobody is in it, in words: keep = \"product data, no person\".";
        section.context.report(at, Report::new("config::bad-value", message).hint(hint));
        return None;
    }
    section.context.record(&name, action_json(&action));
    Some(Decision { place: section.context.files.place(key.at), action, terms })
}

/// Reads `reason` and `until`.
fn terms(inside: In<'_, '_, '_>) -> Terms {
    let keep = !inside.has("mask") && inside.has("keep");
    let (has_reason, has_until) = (inside.has("reason"), inside.has("until"));
    let (reason, until) = (inside.text("reason"), inside.date("until"));
    if keep && has_reason {
        let report = Report::new("config::conflict", format!("{} has both `keep` and `reason`", inside.title));
        inside
            .context
            .report(inside.at, report.hint("The text of `keep` is the reason: { keep = \"why nobody is in it\" }."));
    } else if has_until && !keep && !has_reason {
        let report = Report::new("config::missing", format!("{} has `until` and no reason", inside.title));
        inside.context.report(inside.at, report.hint("Write what ends on that day: reason = \"…\"."));
    }
    Terms { reason, until }
}

fn decision_text(section: &Section<'_, '_>, title: &str, at: Position, text: &str, node: &Node) -> Option<Action> {
    match text {
        "keep" => Some(Action::Keep { reason: None }),
        "null" => Some(Action::Null),
        _ if is_kind(text) => Some(Action::Mask(MaskRule {
            kind: text.to_owned(),
            label: None,
            subject: None,
            when: None,
            params: serde_json::Map::new(),
        })),
        _ => {
            report_kind(section, title, at, node);
            None
        }
    }
}

fn report_kind(section: &Section<'_, '_>, title: &str, at: Position, node: &Node) {
    let Value::Text(text) = &node.value else { return };
    let report = Report::new("config::bad-value", format!("{title} names no mask: {}", show_text(&text.raw)));
    let lower = text.raw.trim().to_lowercase().replace([' ', '-'], "_");
    let hint = if is_kind(&lower) { format!("Write {lower:?}. ") } else { String::new() };
    let form = "A kind is written in lower case with dots, with or without a version: \"name.first\", \"email/1\".";
    section.context.report(at, report.hint(format!("{hint}{form} `restage kinds` lists them.")));
}

fn decision_table(inside: In<'_, '_, '_>) -> Option<Action> {
    let mask = inside.has("mask");
    // Beside a mask a number is the parameter of that name: the digits that a card keeps.
    let keep = if mask { inside.has_text("keep") } else { inside.has("keep") };
    let (option, kind_entry) = inside.take("mask");
    let reason = if keep { inside.text("keep") } else { None };
    let label = inside.text("label");
    let subject = inside.text("subject");
    let conditional = ["when", "when_at", "otherwise"].into_iter().find(|key| inside.has(key));
    let when = when(inside);
    let at = inside.at;
    if keep && mask {
        let report = Report::new("config::conflict", format!("{} has both `keep` and `mask`", inside.title));
        inside.context.report(at, report.hint("Write `keep` with a reason, or `mask` with its parameters."));
        inside.take_rest();
        return None;
    }
    if keep {
        if label.is_some() || subject.is_some() {
            let report = Report::new("config::conflict", format!("{} has parameters of a mask", inside.title));
            inside
                .context
                .report(at, report.hint("`label` and `subject` say nothing about a column that is kept; remove them."));
        }
        if let Some(key) = conditional {
            let report = Report::new("config::conflict", format!("{} has both `keep` and `{key}`", inside.title));
            let hint = "Write the mask, and under `otherwise` that other rows are kept:\n{ mask = \"email\", when = \"NOT is_staff\", otherwise = { keep = \"staff accounts\" } }";
            inside.context.report(at, report.hint(hint));
        }
        return reason.map(|reason| Action::Keep { reason: Some(reason) });
    }
    let Some((_, node)) = kind_entry else {
        let rest = inside.take_rest();
        let meant = rest.iter().find_map(|(key, _)| nearest(&key.name, ["mask", "keep"].into_iter()));
        let hint = match meant {
            Some((key, _)) => format!("Did you mean `{key}`?"),
            None => "Write { mask = \"email\" } or { keep = \"why nobody is in it\" }.".to_owned(),
        };
        let report = Report::new("config::missing", format!("{} has neither `mask` nor `keep`", inside.title));
        inside.context.report(at, report.hint(hint));
        return None;
    };
    let rest = inside.take_rest();
    mask_action(inside, option, &node, Written { label, subject, when, rest })
}

/// What stands beside `mask` in a decision.
struct Written {
    label: Option<String>,
    subject: Option<String>,
    when: Option<When>,
    rest: Entries,
}

/// Reads `when`, `when_at` and `otherwise`. What is wrong is reported; a condition that cannot be read is then none.
fn when(inside: In<'_, '_, '_>) -> Option<When> {
    let has = inside.has("when");
    let condition = inside.text("when");
    let path = inside.text("when_at");
    let (option, entry) = inside.take("otherwise");
    let written = entry.is_some();
    let kept = entry.and_then(|(key, node)| {
        let at = node.at;
        let other = decision(inside, option, &key, "otherwise", node)?;
        match other.action {
            Action::Null => None,
            Action::Keep { reason: Some(reason) } => Some((reason, other.terms.until)),
            Action::Keep { reason: None } | Action::Mask(_) => {
                let message = format!("`otherwise` of {} is neither \"null\" nor kept with a reason", inside.title);
                let report = Report::new("config::bad-value", message);
                let hint = "Write `otherwise = \"null\"` or `otherwise = { keep = \"why nobody is in it\" }`.";
                inside.context.report(at, report.hint(hint));
                None
            }
        }
    });
    if !has && (written || path.is_some()) {
        let key = if written { "otherwise" } else { "when_at" };
        let report = Report::new("config::missing", format!("{} has `{key}` without `when`", inside.title));
        let hint = "Write the condition: `when = \"NOT is_staff\"`, an SQL expression over the columns of the row.";
        inside.context.report(inside.at, report.hint(hint));
    }
    let (keep, until) = kept.unzip();
    Some(When { condition: condition?, path, keep, until: until.flatten() })
}

fn mask_action(inside: In<'_, '_, '_>, option: &ConfigOption, node: &Node, written: Written) -> Option<Action> {
    let Written { label, subject, when, mut rest } = written;
    let kind = match resolved(node) {
        Ok(kind) => kind,
        Err(wrong) => {
            inside.report_wrong(option, node, wrong);
            return None;
        }
    };
    if kind == "keep" {
        let report = Report::new("config::bad-value", format!("{} masks with \"keep\"", inside.title));
        inside.context.report(node.at, report.hint("Write \"keep\" or { keep = \"why nobody is in it\" }."));
        return None;
    }
    if !is_kind(kind) {
        report_kind(inside, &inside.title, node.at, node);
        return None;
    }
    super::files::load(inside.context, Some(kind), &mut rest);
    let mut params = serde_json::Map::new();
    for (key, value) in rest {
        match value.json() {
            Some(json) => {
                params.insert(key.name, json);
            }
            // Infinite numbers; an unresolved variable was reported before.
            None if value.has_infinite() => {
                let message = format!("{} holds a number that is not finite", inside.called(&key.name));
                inside
                    .context
                    .report(value.at, Report::new("config::bad-value", message).hint("Write a finite number."));
            }
            None => {}
        }
    }
    let plain = params.is_empty() && label.is_none() && subject.is_none();
    if kind == "null" && plain && when.is_none() {
        return Some(Action::Null);
    }
    if kind == "null" && !plain {
        let report = Report::new("config::bad-value", format!("{} gives parameters to \"null\"", inside.title));
        inside.context.report(inside.at, report.hint("Write \"null\"."));
        return None;
    }
    Some(Action::Mask(MaskRule { kind: kind.to_owned(), label, subject, when, params }))
}

/// `name.first`, `email/1`; which kinds exist is known to the plan.
fn is_kind(text: &str) -> bool {
    let (name, version) = text.split_once('/').map_or((text, None), |(name, version)| (name, Some(version)));
    let word = |word: &str| {
        let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        !word.is_empty() && word.bytes().all(rest)
    };
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && name.split('.').all(word)
        && version.is_none_or(|version| {
            !version.starts_with('0') && version.bytes().all(|b| b.is_ascii_digit()) && version.parse::<u16>().is_ok()
        })
}

fn action_json(action: &Action) -> Json {
    match action {
        Action::Keep { reason } => json!({ "keep": reason }),
        Action::Null => Json::from("null"),
        Action::Mask(rule) => {
            let mut json =
                json!({ "mask": rule.kind, "label": rule.label, "subject": rule.subject, "params": rule.params });
            if let Some(When { condition, path, keep, until: _ }) = &rule.when {
                json["when"] = json!([condition, path, keep.is_some()]);
            }
            json
        }
    }
}

fn reference(section: In<'_, '_, '_>) -> Option<ReferenceRule> {
    let (from, to) = (section.text("from"), section.text("to"));
    let (column, value) = (section.text("type_column"), section.text("type_value"));
    let json = section.texts("json").unwrap_or_default();
    if column.is_some() != value.is_some() {
        let report = Report::new("config::missing", "[[references]] has only one of `type_column` and `type_value`");
        let hint = "type_column = \"subject_type\"\ntype_value = \"Customer\"";
        section.context.report(section.at, report.hint(hint));
    }
    let place = section.context.files.place(section.at);
    Some(ReferenceRule { from: from?, to: to?, r#type: column.zip(value), json, place })
}

fn subset(section: In<'_, '_, '_>) -> Option<SubsetConfig> {
    let seed = section.tables("seed", seed);
    let children = children(section);
    let edges = section.tables("edge", edge);
    let whole = section.texts("whole");
    let (cover, tuples) = (section.choices("cover", &COVER), section.texts("tuples"));
    let dangling = section.choice("dangling", &DANGLING);
    let rows_max = section.integer("rows_max").map(i64::unsigned_abs);
    let bytes_max = section.bytes("bytes_max");
    Some(SubsetConfig {
        seed: seed.into_iter().collect::<Option<_>>()?,
        children: children?.unwrap_or(Children::All),
        edges: edges.into_iter().collect::<Option<_>>()?,
        whole: whole?,
        cover: cover?,
        tuples: tuples?,
        dangling: dangling?,
        rows_each: None,
        rows_max,
        bytes_max,
        place: section.context.files.place(section.at),
    })
}

const COVER: [Cover; 6] = [Cover::Enum, Cover::Null, Cover::Boundary, Cover::Unicode, Cover::Partition, Cover::Type];

const DANGLING: [Dangling; 3] = [Dangling::Keep, Dangling::Null, Dangling::Fail];

fn scenarios(section: In<'_, '_, '_>) -> Vec<Option<ScenarioConfig>> {
    let (_, mut entries) = section.take_names("scenario.*");
    entries.sort_by_key(|(key, _)| key.at);
    entries.into_iter().map(|(key, node)| scenario(section, &key, node)).collect()
}

fn scenario(section: In<'_, '_, '_>, key: &Key, node: Node) -> Option<ScenarioConfig> {
    let title = format!("[scenario.{}]", show_name(&key.name));
    let Value::Table(entries) = node.value else {
        let message = format!("{title} must be a table, not {}", node.describe());
        section.context.report(node.at, Report::new("config::wrong-type", message).hint(format!("Write {title}.")));
        return None;
    };
    let mut inside = section.inside("scenario.*", section.full_name(&key.name), title, node.at, entries);
    let params = inside.texts("params");
    let children = children(&mut inside);
    let seed = inside.tables("seed", seed);
    inside.finish();
    Some(ScenarioConfig {
        name: key.name.clone(),
        params: params?,
        seed: seed.into_iter().collect::<Option<_>>()?,
        children: children?,
        place: section.context.files.place(node.at),
    })
}

fn seed(section: In<'_, '_, '_>) -> Option<SeedRule> {
    let table = section.text("table");
    let condition = section.text("where");
    let percent = section.number("percent");
    let limit = section.integer("limit").map(i64::unsigned_abs);
    let order = section.text("order");
    let place = section.context.files.place(section.at);
    if order.is_some() && limit.is_none() {
        let report = Report::new("config::missing", "a seed has an `order` and no `limit`");
        let report = report.detail("The order says which rows a limit takes first; without one every row is taken.");
        let hint = "limit = 1000     # beside `order`, or remove `order`";
        section.context.report(section.at, report.hint(hint));
    }
    Some(SeedRule { table: table?, condition, percent, limit, order, place })
}

fn edge(section: In<'_, '_, '_>) -> Option<EdgeRule> {
    let (from, to) = (section.text("from"), section.text("to"));
    let children = children(section);
    let (had_parent, had_dangling) = (section.has("parent"), section.has("dangling"));
    let parent = section.choice("parent", &[Parent::Follow, Parent::Null]);
    let dangling = section.choice("dangling", &DANGLING);
    if (had_parent && parent.is_none()) || (had_dangling && dangling.is_none()) {
        return None;
    }
    let place = section.context.files.place(section.at);
    Some(EdgeRule { from: from?, to, children: children?, parent, dangling, place })
}

/// The inner answer is none where the option is absent.
fn children(section: In<'_, '_, '_>) -> Option<Option<Children>> {
    let (option, entry) = section.take("children");
    let Some((_, node)) = entry else { return Some(None) };
    let name = section.full_name("children");
    let record = |text: &str| match option.need {
        // A value equal to its default counts as not written.
        Need::Default(default) if default == format!("\"{text}\"") => {}
        _ => section.context.record(&name, Json::from(text)),
    };
    let wrong = match &node.value {
        Value::Table(entries) => {
            let title = format!("`children` of {}", section.title);
            let mut inside = section.inside(option.path, name, title, node.at, entries.clone());
            let max = inside.integer("max").map(i64::unsigned_abs);
            inside.finish();
            return max.map(|max| Some(Children::Max(max)));
        }
        _ => match resolved(&node) {
            Ok("all") => {
                record("all");
                return Some(Some(Children::All));
            }
            Ok("none") => {
                record("none");
                return Some(Some(Children::None));
            }
            Ok(_) => {
                let hint = "Write `children = \"all\"`, `children = \"none\"` or `children = { max = 50 }`.";
                Wrong::Hint("is neither \"all\" nor \"none\"".to_owned(), hint.to_owned())
            }
            Err(wrong) => wrong,
        },
    };
    section.report_wrong(option, &node, wrong);
    None
}

fn publish(section: In<'_, '_, '_>) -> Option<PublishConfig> {
    let mode = section.choice("mode", &[PublishMode::Swap, PublishMode::None]);
    let clones = section.texts("clones");
    Some(PublishConfig { mode: mode?, clones: clones? })
}

/// None only where a problem was reported; the inner answer is none where nobody signs.
fn report(section: In<'_, '_, '_>) -> Option<Option<SignConfig>> {
    let sign = section.table("sign", |section| {
        let (has_file, has_command) = (section.has("key_file"), section.has("command"));
        let file = section.path("key_file").map(SignConfig::KeyFile);
        let command = section.command("command").map(SignConfig::Command);
        if has_file == has_command {
            let which = if has_file { "both `key_file` and `command`" } else { "neither `key_file` nor `command`" };
            let report = Report::new("config::conflict", format!("`sign` in [report] has {which}"));
            section.context.report(section.at, report.hint("sign = { key_file = \"sign.pem\" }"));
            return None;
        }
        file.or(command)
    });
    match sign {
        Some(None) => None,
        other => Some(other.flatten()),
    }
}

fn hook(section: In<'_, '_, '_>) -> Option<HookConfig> {
    let points = [HookPoint::BeforeLoad, HookPoint::AfterLoad, HookPoint::BeforePublish, HookPoint::AfterPublish];
    let (has_sql, has_command) = (section.has("sql"), section.has("command"));
    let at = section.choice("at", &points);
    let sql = section.path("sql").map(HookAction::Sql);
    let command = section.command("command").map(HookAction::Command);
    let timeout = section.duration("timeout");
    let hint = "Write `sql = \"file.sql\"` or `command = [\"./program\"]`.";
    if has_sql && has_command {
        let report = Report::new("config::conflict", "[[hook]] has both `sql` and `command`");
        section.context.report(section.at, report.hint(hint));
    } else if !has_sql && !has_command {
        let report = Report::new("config::missing", "[[hook]] has neither `sql` nor `command`");
        section.context.report(section.at, report.hint(hint));
    }
    let place = section.context.files.place(section.at);
    Some(HookConfig { at: at?, action: sql.or(command)?, timeout: timeout?, place })
}

fn schedule(section: In<'_, '_, '_>) -> Option<ScheduleConfig> {
    let (cron, time_zone) = (section.text("cron"), section.text("time_zone"));
    Some(ScheduleConfig { cron: cron?, time_zone: time_zone? })
}

fn notify(section: In<'_, '_, '_>) -> Option<NotifyConfig> {
    let on = section.choices("on", &[NotifyEvent::Failure, NotifyEvent::Recovered, NotifyEvent::Success]);
    let url = section.secret("url", |text| {
        let host = hash::web_hook_host(text);
        let sound = ["http://", "https://"].iter().any(|scheme| host.starts_with(scheme) && host.len() > scheme.len());
        if sound { Ok(host) } else { Err("is not a URL that starts with http:// or https://".to_owned()) }
    });
    Some(NotifyConfig { on: on?, url: url?, place: section.context.files.place(section.at) })
}
