//! `discover` and `init`: what the source holds, and the policy that follows.

use super::args::{DiscoverArgs, DiscoverFormat, InitArgs};
use super::{Context, Outcome, engine};
use crate::config::Undecided;
use crate::discover::{self, Discovery, Settings, edit, formats, starter};
use crate::error::{Exit, Failure, Report};
use crate::outcome::{FoundView, Initialized, TableView};
use crate::pg::{Conninfo, Environment};
use crate::plan::{Floor, Policy};
use std::io::Write as _;
use std::path::Path;

pub(super) async fn discover(context: &Context, args: DiscoverArgs) -> Result<Outcome, Failure> {
    let config = engine::load(context)?;
    let info = engine::conninfo(&config, "source", &config.source.url)?;
    // What is decided below the floor is for the plan to refuse.
    let floor = Floor { packs: &config.policy.packs, open: true, ..Floor::default() };
    let undecided = config.policy.undecided;
    let policy = Policy { rules: &config.tables, references: &config.references, undecided, floor };
    let settings = Settings { rows: args.rows, time: args.time, seed: args.seed, ..Settings::default() };
    let mut found = discover::discover(&info, &policy, &settings).await?;
    if args.write {
        let files = edit::write(&found, &config.file)?;
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        found.written = (!names.is_empty()).then(|| names.join(", "));
    }
    let file = config.file.display().to_string();
    Ok(match args.format {
        DiscoverFormat::Text => Outcome::Discovered(found),
        DiscoverFormat::Sarif => {
            let text = serde_json::to_string_pretty(&formats::sarif(&found, &file)).unwrap_or_default();
            Outcome::Text { document: "discover", text }
        }
        DiscoverFormat::Github => Outcome::Text { document: "discover", text: formats::github(&found, &file) },
    })
}

/// Judges the columns of one table by a sample of its rows.
pub(super) async fn judge(context: &Context, view: &mut TableView) -> Result<(), Failure> {
    let config = engine::load(context)?;
    let info = engine::conninfo(&config, "source", &config.source.url)?;
    let floor = Floor { packs: &config.policy.packs, open: true, ..Floor::default() };
    let undecided = config.policy.undecided;
    let policy = Policy { rules: &config.tables, references: &config.references, undecided, floor };
    let table = view.root.as_ref().unwrap_or(&view.name).clone();
    let found = discover::discover(&info, &policy, &Settings { only: Some(table), ..Settings::default() }).await?;
    for column in found.tables.iter().flat_map(|table| &table.columns) {
        let views = view.columns.iter_mut().filter(|view| view.name == column.name);
        views.for_each(|view| view.found = column.findings.iter().map(said).collect());
    }
    Ok(())
}

/// A finding as the plan shows it.
fn said(said: &discover::Said) -> FoundView {
    let class = serde_json::to_value(said.class).ok();
    FoundView {
        category: said.category.clone(),
        class: class.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned(),
        score: said.score,
        evidence: said.told().split_once(": ").map_or_else(String::new, |(_, rest)| rest.to_owned()),
    }
}

pub(super) async fn init(context: &Context, args: InitArgs) -> Result<Outcome, Failure> {
    if args.schema {
        let text = serde_json::to_string_pretty(&crate::config::schema()).unwrap_or_default();
        return Ok(Outcome::Text { document: "schema", text });
    }
    let out = args.out.clone().unwrap_or_else(|| context.config.clone());
    free(&out)?;
    let source = match args.source {
        Some(url) => url,
        None => context.answer("Production database (postgres://role@host/database): ").await?.ok_or_else(no_source)?,
    };
    let target = match args.target {
        Some(url) => Some(url),
        None => {
            context.answer("Staging database applications use (empty: later): ").await?.filter(|url| !url.is_empty())
        }
    };
    let info = parse(&source, "--source")?;
    let target_info = target.as_deref().map(|url| parse(url, "--target")).transpose()?;
    let packs: Vec<String> = starter::PACKS.iter().map(|name| (*name).to_owned()).collect();
    let floor = Floor { packs: &packs, open: true, ..Floor::default() };
    let policy = Policy { rules: &[], references: &[], undecided: Undecided::Refuse, floor };
    let found =
        discover::discover(&info, &policy, &Settings { rows: args.rows, adopt: true, ..Settings::default() }).await?;
    let head = starter::Head {
        source: shown(&source, &info, "RESTAGE_SOURCE"),
        target: target.as_deref().zip(target_info.as_ref()).map(|(url, info)| shown(url, info, "RESTAGE_TARGET")),
        key_file: args.key_file.display().to_string(),
    };
    write_new(&out, &starter::config(&head, &found))?;
    let schema = out.with_file_name("restage.schema.json");
    if !schema.exists() {
        let text = serde_json::to_string_pretty(&crate::config::schema()).unwrap_or_default();
        write_new(&schema, &format!("{text}\n"))?;
    }
    Ok(Outcome::Initialized(summary(&out, &head, &found)))
}

fn summary(out: &Path, head: &starter::Head, found: &Discovery) -> Initialized {
    let file = out.display().to_string();
    let option = if file == "restage.toml" { String::new() } else { format!(" -c {file}") };
    let mut next = Vec::new();
    for (url, name) in [(Some(&head.source), "RESTAGE_SOURCE"), (head.target.as_ref(), "RESTAGE_TARGET")] {
        if url.is_some_and(|url| url.contains("${")) {
            next.push(format!("export {name}=…     # the URL holds a password, so it is not in the file"));
        }
    }
    if !Path::new(&head.key_file).exists() {
        next.push(format!("restage key new --out {}", head.key_file));
    }
    next.push(format!("restage{option} init-target"));
    next.push(format!("restage{option} plan"));
    next.push(format!("restage{option} refresh"));
    Initialized {
        file,
        tables: found.totals.tables,
        columns: found.totals.columns,
        personal: found.totals.personal,
        open: found.totals.undecided - found.totals.proposed,
        unsampled: found.unsampled.len(),
        next,
        ms: found.ms,
    }
}

fn parse(url: &str, option: &str) -> Result<Conninfo, Failure> {
    Conninfo::parse(url, &Environment::from_process()).map_err(|error| {
        let mut failure = Failure::from(error);
        failure.reports.iter_mut().for_each(|report| {
            report.place.get_or_insert_with(|| option.to_owned());
        });
        failure
    })
}

/// A URL as it may stand in a file that goes into git: a variable if it holds a password.
fn shown(url: &str, info: &Conninfo, variable: &str) -> String {
    if info.password_given() { format!("${{{variable}}}") } else { url.replace("${", "$${") }
}

fn no_source() -> Failure {
    let report = Report::new("usage::no-source", "there is no source to look at, and no terminal to ask on");
    Failure::new(Exit::Usage, report.hint("restage init --source postgres://restage_ro@prod-replica/shop"))
}

/// Refuses before the work begins: nobody's configuration is replaced.
fn free(out: &Path) -> Result<(), Failure> {
    if out.exists() {
        let report = Report::new("init::exists", format!("{} is there already", out.display()));
        let hint = "restage discover --write     # adds what is missing to it\nrestage init --out other.toml";
        return Err(Failure::new(Exit::Usage, report.state("Nothing was changed.").hint(hint)));
    }
    Ok(())
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = std::fs::OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.flush()
    });
    written.map_err(|error| {
        let report = Report::new("init::write", format!("{} cannot be written", path.display()));
        Failure::new(Exit::Usage, report.detail(error.to_string()))
    })
}
