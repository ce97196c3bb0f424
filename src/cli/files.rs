//! `snapshot`, `load` and `fixture`: masked rows as files.

use super::after::AfterRun;
use super::args::{CONFIG, FixtureArgs, LoadArgs, SnapshotArgs};
use super::context::Consent;
use super::engine::{Wish, conninfo, job, load as config_of, load_scenario as scenario_of, stop_on_cancel, target_of};
use super::render::shell_word;
use super::{Context, Outcome, key};
use crate::artefact::Form;
use crate::config::{Config, FixtureFormat, KeySource, RowsEach, fixture_subset};
use crate::error::{Failure, Report};
use crate::lock;
use crate::outcome::RefreshOutcome;
use crate::refresh::{self, Today};
use std::path::Path;

const NOTHING: &str = "Nothing was read from the source, and no file was written.";

pub(super) async fn snapshot(context: &Context, args: SnapshotArgs) -> Result<Outcome, Failure> {
    let config = scenario_of(context, &args.scenario).map_err(|failure| failure.with_state(NOTHING))?;
    let wish = Wish { files: true, yes: true, ..Wish::default() };
    let (job, warnings) = job(context, config, wish).await.map_err(|failure| failure.with_state(NOTHING))?;
    let stop = stop_on_cancel(context);
    let wish = refresh::Wish::Snapshot { out: args.out };
    let mut done = refresh::export(job, &wish, &context.events, &stop).await?;
    done.warnings.splice(0..0, warnings);
    Ok(Outcome::Export(Box::new(done)))
}

pub(super) async fn fixture(context: &Context, args: FixtureArgs) -> Result<Outcome, Failure> {
    let mut config = scenario_of(context, &args.scenario).map_err(|failure| failure.with_state(NOTHING))?;
    config.subset = fixture_subset(&config, args.rows);
    let form = match args.format.unwrap_or(config.fixture.format) {
        FixtureFormat::Sql => Form::Sql,
        FixtureFormat::Parquet => Form::Parquet,
        FixtureFormat::Csv => Form::Csv,
    };
    let key = chosen_key(context, &config, &args).await.map_err(|failure| failure.with_state(NOTHING))?;
    let wish = Wish { files: true, yes: true, key, ..Wish::default() };
    let (job, warnings) = job(context, config, wish).await.map_err(|failure| failure.with_state(NOTHING))?;
    let stop = stop_on_cancel(context);
    if args.check {
        // Without a form on the command line, any that the fixtures have is right, and the one they keep.
        let asked = args.format.map(|_| form);
        let checked = refresh::check(job, &args.out, asked, &context.events, &stop).await;
        let mut checked = checked.map_err(|failure| with_command(failure, &again(context, &args, asked)))?;
        let kept = asked.or(checked.form.filter(|found| *found != form));
        checked.next = again(context, &args, kept);
        return Ok(Outcome::FixtureCheck(checked));
    }
    let wish = refresh::Wish::Fixture { out: args.out, form };
    let mut done = refresh::export(job, &wish, &context.events, &stop).await?;
    done.warnings.splice(0..0, warnings);
    Ok(Outcome::Export(Box::new(done)))
}

/// The command that makes the fixtures which are checked, for a shell: everything that decides what is in them.
fn again(context: &Context, args: &FixtureArgs, form: Option<Form>) -> String {
    let mut words = vec!["restage".to_owned()];
    if context.config != Path::new(CONFIG) {
        words.extend(["-c".to_owned(), shell_word(&context.config.display().to_string())]);
    }
    words.push("fixture".to_owned());
    let mut add = |option: &str, value: String| words.extend([option.to_owned(), shell_word(&value)]);
    add("--out", args.out.display().to_string());
    if let Some(form) = form {
        add("--format", form.name().to_owned());
    }
    match args.rows {
        Some(RowsEach::All) => add("--rows", "all".to_owned()),
        Some(RowsEach::Max(rows)) => add("--rows", rows.to_string()),
        None => {}
    }
    if let Some(scenario) = &args.scenario.scenario {
        add("--scenario", scenario.clone());
    }
    for (param, value) in &args.scenario.set {
        add("--set", format!("{param}={value}"));
    }
    if let Some(file) = &args.key.key_file {
        add("--key-file", file.display().to_string());
    }
    if let Some(realm) = &args.key.realm {
        add("--realm", realm.clone());
    }
    if args.key.test.allow_test_key {
        words.push("--allow-test-key".to_owned());
    }
    words.join(" ")
}

/// Where there are no fixtures to check, the hint is how they are made.
fn with_command(mut failure: Failure, command: &str) -> Failure {
    let missing = |report: &&mut Report| matches!(report.code, "artefact::none" | "artefact::unfinished");
    for report in failure.reports.iter_mut().filter(missing) {
        report.hint = Some(command.to_owned());
    }
    failure
}

/// The key of the command line; none if it says nothing about it.
async fn chosen_key(
    context: &Context,
    config: &Config,
    args: &FixtureArgs,
) -> Result<Option<super::engine::ChosenKey>, Failure> {
    let choice = &args.key;
    if choice.key_file.is_none() && choice.realm.is_none() && !choice.test.allow_test_key {
        return Ok(None);
    }
    let mut chosen = key::choose(context, choice.key_file.as_deref())?;
    if let Some(realm) = choice.realm.clone().or_else(|| config.key.as_ref().map(|key| key.realm.clone())) {
        chosen.realm = realm;
    }
    let loaded = key::load(&chosen.source, choice.test.allow_test_key).await?;
    Ok(Some((loaded.key.realm(&chosen.realm), loaded.key.id(), chosen.realm)))
}

pub(super) async fn load(context: &Context, args: LoadArgs) -> Result<RefreshOutcome, Failure> {
    const NOTHING: &str = "Nothing was written to the target.";
    let config = config_of(context)?;
    let consent = Consent::of(args.yes || args.dry_run, target_of(&config)?.confirm.as_deref());
    let target = conninfo(&config, "target", &target_of(&config)?.url)?;
    let question = format!("This replaces database \"{}\" on {}.", target.database, target.describe());
    context.confirm(&question, &target.database, consent).await.map_err(|failure| failure.with_state(NOTHING))?;
    let today = today(&config, args.accept_policy).await.map_err(|failure| failure.with_state(NOTHING))?;
    // The rows are masked: no key is needed to load them, and whoever loads them may have none.
    let realm = config.key.as_ref().map_or_else(|| "default".to_owned(), |key| key.realm.clone());
    let unused = (key::generate()?.realm(&realm), String::new(), realm);
    let wish = Wish { dry_run: args.dry_run, yes: args.yes, confirmed: true, key: Some(unused), ..Wish::default() };
    let (job, warnings) = job(context, config, wish).await.map_err(|failure| failure.with_state(NOTHING))?;
    let stop = stop_on_cancel(context);
    let after = AfterRun::of(&job, warnings);
    let result = refresh::load(job, &args.dir, &today, &context.events, &stop).await;
    after.report(context, result).await
}

/// What a snapshot is compared with. The reviewed plan names its key, which saves asking for the key itself.
async fn today(config: &Config, accept: bool) -> Result<Today, Failure> {
    let lock = lock::read(&lock::path_beside(&config.file))?;
    let reviewed = lock.as_ref().map(|lock| lock.key_id.clone());
    let key_id = match config.key.as_ref().map(|key| &key.source) {
        // No two runs share it, so nothing is expected of it.
        None | Some(KeySource::Ephemeral) => None,
        Some(_) if reviewed.is_some() => reviewed,
        // Whoever loads may have no key.
        Some(source) => key::load(source, false).await.ok().map(|loaded| loaded.key.id()),
    };
    Ok(Today { lock, names_key: config.key.is_some(), key_id, accept })
}
