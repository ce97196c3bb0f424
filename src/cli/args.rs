//! The command line: every command, option, help text and example. Completions, man pages and help come from here.

use crate::config::{FixtureFormat, RowsEach};
use clap::builder::styling::{AnsiColor, Effects};
use clap::builder::{OsStringValueParser, Styles, TypedValueParser as _};
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

/// Commands by what a person wants to do, in the order of the help. A test holds that every command is in one group.
const GROUPS: &[(&str, &[&str])] = &[
    ("Try it", &["demo"]),
    ("Refresh staging", &["plan", "refresh", "verify", "releases", "rollback"]),
    ("Rows as files", &["snapshot", "load", "fixture"]),
    ("Set up and look", &["init", "discover", "init-target", "doctor", "explain"]),
    ("Masks and keys", &["kinds", "mask", "test", "key"]),
    ("Shell", &["completions", "man", "help"]),
];

/// The configuration where nobody names one.
pub(super) const CONFIG: &str = "restage.toml";

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    internal error: please report it
  2    usage or configuration
  3    the plan was refused
  4    source
  5    target
  6    verification failed: nothing was published, or the release before was brought back
  7    another run holds the lock
  8    published, but a step after publishing failed
  129  hung up (SIGHUP); 130 interrupted (SIGINT); 143 terminated (SIGTERM)";

const EXAMPLES: &str = "\
Examples:
  restage demo                     Two throw-away servers, sample data, a full refresh
  restage plan                     See what will happen and what it costs
  restage refresh                  Read, mask, load aside, verify, publish
  restage rollback                 The previous staging back, in seconds
  restage refresh --cron           For crontab: silent when fine, the whole story when not";

/// Staging gets last night's production, without the people in it.
///
/// restage reads one consistent snapshot of a production PostgreSQL, masks it on the way, loads it into a new
/// database beside staging, verifies it, and then publishes it with a rename. Until the rename, nothing that is live
/// changes; after it, the previous staging is kept for `restage rollback`.
#[derive(Debug, Parser)]
#[command(name = "restage", version, styles = STYLES, max_term_width = 100, arg_required_else_help = true)]
#[command(disable_help_subcommand = false, subcommand_required = true, propagate_version = false)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Configuration file
    #[arg(short, long, global = true, value_name = "FILE", env = "RESTAGE_CONFIG", default_value = CONFIG)]
    #[arg(value_hint = ValueHint::FilePath, value_parser = OsStringValueParser::new().map(config_path))]
    pub config: PathBuf,

    /// Print one JSON document on stdout, for results and errors alike
    #[arg(long, global = true)]
    pub json: bool,

    /// Color: auto respects NO_COLOR and pipes
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = false)]
    pub color: Color,

    /// No progress, no notes: only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Tell more: tables, notes; twice: every gate and every warning
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Form of progress lines and logs on stderr
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Memory for rows in flight, at least 16MiB; reading waits when it is used up
    #[arg(long, global = true, value_name = "SIZE", default_value = "128MiB", value_parser = parse_memory)]
    pub memory: u64,

    /// Where reports are written; without it, ./restage-report/RUN/
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub report_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    Demo(DemoArgs),
    Plan(PlanArgs),
    Refresh(RefreshArgs),
    Snapshot(SnapshotArgs),
    Load(LoadArgs),
    Fixture(FixtureArgs),
    Verify(VerifyArgs),
    Releases(ReleasesArgs),
    Rollback(RollbackArgs),
    Init(InitArgs),
    Discover(DiscoverArgs),
    InitTarget(InitTargetArgs),
    Doctor(DoctorArgs),
    Explain(ExplainArgs),
    Kinds(KindsArgs),
    Mask(MaskArgs),
    Test(TestArgs),
    Key(KeyArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Show a full refresh on two throw-away PostgreSQL servers
///
/// Starts two clusters from the PostgreSQL binaries of this machine in a temporary directory, fills one with made-up
/// production data, refreshes the other from it and shows what came out. Needs no configuration. Stops the servers and
/// removes the directory at the end, unless --keep is given.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  restage demo\n  restage demo --rows 1000000 --keep ./demo")]
pub struct DemoArgs {
    /// Rows of the largest sample table
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(10..=100_000_000))]
    pub rows: u64,
    /// Keep clusters, configuration and report in this directory, which must be empty or new
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub keep: Option<PathBuf>,
}

/// Show what a refresh would do and cost, and every reason to refuse it
///
/// Connects to source and target, but reads no row of data and writes nothing; where a subset is configured, its rows are
/// counted at the source, for a minute at most. Shows tables, rows, bytes, the decision
/// for every column (with -v), the estimated time and the guards. When the plan is refused, all reasons are printed at
/// once, each with the line to paste, and the exit code is 3.
#[derive(Debug, Clone, Default, Args)]
#[command(
    after_help = "Examples:\n  restage plan\n  restage plan -v                  Every column, and why\n  restage plan --diff              What changed since restage.lock was written\n  restage plan --write-lock        Accept it\n  restage plan --json | jq '.totals'"
)]
pub struct PlanArgs {
    /// Show everything that differs from the lock file. Looks at a sample of the documents in JSON columns, for new keys
    #[arg(long)]
    pub diff: bool,
    /// Write the plan into the lock file beside the configuration: from then on a refresh stops when its plan differs.
    /// Looks at a sample of the documents in JSON columns, for their keys
    #[arg(long)]
    pub write_lock: bool,
    #[command(flatten)]
    pub scenario: ScenarioChoice,
}

/// Which subset: that of the configuration, or one of its scenarios.
#[derive(Debug, Clone, Default, Args)]
pub struct ScenarioChoice {
    /// Take the seeds of [scenario.NAME] instead of those of `subset`
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,
    /// Value of a parameter of the scenario; may be repeated
    #[arg(long, value_name = "PARAM=VALUE", value_parser = parse_set)]
    pub set: Vec<(String, String)>,
}

/// Refresh staging: read, mask, load aside, verify, publish
///
/// Reads one snapshot of the source, masks it on the way, loads it into a new database on the target, verifies it, and
/// publishes it by renaming. If anything fails before that, the staging that is live keeps serving. Gates with
/// `at = "after-publish"` judge what is live then; the first that fails brings the release before back, if it is found
/// within `rollback_within`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage refresh                  Asks for the name of the live database, unless `confirm` is set\n  restage refresh --yes            Does not ask\n  restage refresh --dry-run        Everything but publishing\n  30 2 * * *  restage refresh --cron -c /etc/restage.toml"
)]
pub struct RefreshArgs {
    /// Read, mask, load and verify, but do not publish
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
    /// For cron: print nothing when all is well, what was left out if something was, and the whole story of a failure
    #[arg(long, conflicts_with = "verbose")]
    pub cron: bool,
    /// Do nothing if the source has not changed since the release that is live
    #[arg(long)]
    pub if_newer: bool,
    #[command(flatten)]
    pub scenario: ScenarioChoice,
}

/// Write a masked snapshot as files: Parquet, definitions, manifest
///
/// Reads and masks as `refresh` does, but needs no target. The folder is made beside its place and renamed when it is
/// whole; it never changes afterwards. `restage load` makes the database of it that a refresh would have made.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage snapshot --out /srv/snapshots/2026-11-20\n  duckdb -c \"select count(*) from '/srv/snapshots/2026-11-20/tables/public.orders.parquet'\""
)]
pub struct SnapshotArgs {
    /// Folder to make; one that is there is never written over
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
    #[command(flatten)]
    pub scenario: ScenarioChoice,
}

/// Load a masked snapshot into staging: verify its files, load aside, verify, publish
///
/// Does what `refresh` does, with rows from `restage snapshot` instead of the source, which is not asked. Every file is
/// compared with the manifest first; a folder that was changed, lacks a file, has one more, or was made for another realm
/// or database is refused. So is one that shows what the configuration, or restage.lock beside it, hides today, and one
/// that was made with another key than the configuration names. Needs no key: where there is no policy or no key to compare
/// with, it says so and goes on.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage load /srv/snapshots/2026-11-20\n  restage load /srv/snapshots/2026-11-20 --dry-run"
)]
pub struct LoadArgs {
    /// Folder that `restage snapshot` has made
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// Load it although the policy of today hides more, or another key made it; each difference is told
    #[arg(long)]
    pub accept_policy: bool,
    /// Verify and load, but do not publish
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
}

/// Write masked rows as fixtures: the same files on every machine and in every run
///
/// Rows are in canonical order, and nothing in the files tells of time, place or machine, so they can be committed: where
/// one row changes, its lines change. SQL is one file for `psql -f` into an empty database, definitions and keys included.
/// With --check nothing is written: it says whether the files still match schema and policy, and exits with 6 if not. It
/// compares no rows, so the source may be an empty database that migrations have made.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage fixture --out tests/fixtures\n  restage fixture --out tests/fixtures --format csv\n  restage fixture --out tests/fixtures --rows 20\n  restage fixture --out tests/fixtures --scenario tenant --set id=9\n  restage fixture --out tests/fixtures --check    In CI\n  psql -X -f tests/fixtures/fixture.sql test_db"
)]
pub struct FixtureArgs {
    /// Folder of the fixtures; fixtures that are there are replaced
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
    /// Form of the files: sql, parquet or csv; without it, that of the configuration
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    pub format: Option<FixtureFormat>,
    /// Rows of each table, the first by its key, or `all`; what they refer to comes too. Without it, `rows` of `[fixture]`
    /// counts; without that, 50 where neither a subset nor a scenario nor `cover` chooses rows
    #[arg(long, value_name = "N", value_parser = parse_rows_each)]
    pub rows: Option<RowsEach>,
    /// Write nothing: say whether the fixtures still match schema and policy, and --format where it is given; if not, print
    /// the command that makes them anew
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub scenario: ScenarioChoice,
    #[command(flatten)]
    pub key: KeyChoice,
}

/// Run the gates alone, against the staging that is live
///
/// Compares staging with what its run has published, and asks every query and program under `[verify]`, those for after
/// publishing too. Nothing is changed; it exits with 6 if a gate fails. Gates that `warn` is about only warn.
///
/// With --manifest, every table is read again and compared with the hashes that the run wrote down, which takes as long as
/// reading all of staging; the files beside the manifest are compared too, and with --public-key its signature.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage verify\n  restage verify --json | jq '.gates[] | select(.ok | not)'\n  restage verify --manifest restage-report/RUN/manifest.json --public-key sign.pub.pem"
)]
pub struct VerifyArgs {
    /// Prove that staging is the release this manifest.json describes
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub manifest: Option<PathBuf>,
    /// Ed25519 key in PEM that the manifest must be signed with
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "manifest")]
    pub public_key: Option<PathBuf>,
}

/// List the releases on the target: the live one and those kept for rollback
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  restage releases\n  restage releases --json | jq -r '.releases[].name'")]
pub struct ReleasesArgs {}

/// Make an earlier release live again
///
/// Exchanges the names of two databases in one transaction. The release that was live is kept, so a rollback can be
/// rolled back.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage rollback                 The release before the live one\n  restage rollback --to RELEASE    A name from restage releases"
)]
pub struct RollbackArgs {
    /// Release to go back to; without it, the previous one
    #[arg(long, value_name = "RELEASE")]
    pub to: Option<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
}

/// Write a first configuration: a decision proposed for every column of production
///
/// Reads the catalog and a sample of every table in one read-only snapshot, and writes a commented file: masks for what
/// looks personal, `keep` with its reason where neither name nor values show a person, and a comment for what only you can
/// decide. Values are judged as they arrive; none is printed or written. Asks for what is not given, on a terminal.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage init --source postgres://restage_ro@prod-replica/shop --target postgres://restage@staging/shop\n  restage init                     Asks\n  restage init --schema > restage.schema.json    For editors"
)]
pub struct InitArgs {
    /// Production: libpq URI or key=value string. One with a password is written as a variable
    #[arg(long, value_name = "URL")]
    pub source: Option<String>,
    /// Staging: the database applications use
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// File to write; without it, the configuration file. An existing one is never replaced
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// Key file to name
    #[arg(long, value_name = "FILE", default_value = "restage.key", value_hint = ValueHint::FilePath)]
    pub key_file: PathBuf,
    /// Rows to look at, per table
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rows: u32,
    /// Print the JSON Schema of restage.toml instead
    #[arg(long)]
    pub schema: bool,
}

/// Find personal data by name, type and content
///
/// Reads the catalog and a sample of every table in one read-only snapshot (a standby will do) and says what each column
/// seems to hold, with the evidence as counts: no value is printed. Proposes a decision for every column that has none, and
/// references that the database does not declare. `--write` adds them to the configuration and changes nothing that stands
/// there.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage discover\n  restage discover --write         Adds proposals to restage.toml, keeps comments and decisions\n  restage discover --format github In a workflow: what looks personal and is undecided\n  restage discover --json | jq '.tables[].columns[] | select(.findings != [])'"
)]
pub struct DiscoverArgs {
    /// Add the proposals to the configuration
    #[arg(long)]
    pub write: bool,
    /// text; sarif (2.1.0) or github (annotations): personal columns that are undecided or kept without a reason
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: DiscoverFormat,
    /// Rows to look at, per table
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rows: u32,
    /// Seconds for all tables; those that are left are judged by their names
    #[arg(long = "time", value_name = "SECONDS", default_value = "300", value_parser = parse_seconds)]
    pub time: std::time::Duration,
    /// Which blocks of large tables are read
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiscoverFormat {
    Text,
    Sarif,
    Github,
}

/// Mark a database server as a refresh target
///
/// restage writes only to servers that carry this mark, so a wrong URL cannot overwrite anything. Asks for the name of
/// the database before it marks the server.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  restage init-target\n  restage init-target --yes")]
pub struct InitTargetArgs {
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
    /// Mark it although the source cannot say that it is another server
    #[arg(long)]
    pub trust_target: bool,
}

/// Check connections, rights, versions and key, and say how to fix what is wrong
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage doctor\n  restage doctor --json | jq '.checks[] | select(.status == \"fail\")'"
)]
pub struct DoctorArgs {}

/// Say why a table or column is treated as it is
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage explain public.customers\n  restage explain public.customers.email\n  restage explain customers.email  Where only one schema has it\n  restage explain --row 'public.orders 42'\n  restage explain --row '\"my schema\".\"my table\" 42'    Quoted as in SQL"
)]
pub struct ExplainArgs {
    /// Table or column: [SCHEMA.]TABLE[.COLUMN]
    #[arg(value_name = "TABLE[.COLUMN]", required_unless_present = "row")]
    pub name: Option<String>,
    /// Say how this row got into the subset, without its values: the table, and its key, several columns with blanks; names
    /// and values with blanks or quotes in them are quoted as in SQL
    #[arg(long, value_name = "TABLE KEY", conflicts_with = "name")]
    pub row: Option<String>,
    /// Judge its columns by a sample of the rows too, as `restage discover` does; no value is shown
    #[arg(long, conflicts_with = "row")]
    pub sample: bool,
    #[command(flatten)]
    pub scenario: ScenarioChoice,
}

/// List the mask kinds, or describe one
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage kinds\n  restage kinds email\n  restage kinds --json | jq -r '.kinds[].name'"
)]
pub struct KindsArgs {
    /// Kind to describe: email, card, date.shift, …
    #[arg(value_name = "KIND")]
    pub kind: Option<String>,

    /// Print the reference of all kinds and their parameters as Markdown
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
}

/// Show what a value becomes under a mask
///
/// Prints one masked value per line, in the order of the values given as arguments, or of the lines of standard input
/// when there are none. Uses the key and realm of the configuration, so the result is what staging will hold.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage mask email ann@example.org\n  restage mask int 1 2 3 --label public.users.id\n  restage mask date.shift 1990-07-15 --subject 42 --param days_max=30\n  psql -Atc 'select email from customers' | restage mask email"
)]
pub struct MaskArgs {
    /// Mask kind, with or without version: email, email/1
    #[arg(value_name = "KIND")]
    pub kind: String,
    /// Values; without any, the lines of standard input
    #[arg(value_name = "VALUE", allow_negative_numbers = true)]
    pub values: Vec<String>,
    /// Label: columns with the same kind and label get equal masks for equal values
    #[arg(long, value_name = "LABEL", default_value = "")]
    pub label: String,
    /// Subject: the person the values belong to, for kinds that need one
    #[arg(long, value_name = "VALUE")]
    pub subject: Option<String>,
    /// Parameter of the kind; may be repeated. VALUE is read as JSON, else as text
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parse_param)]
    pub params: Vec<(String, serde_json::Value)>,
    #[command(flatten)]
    pub key: KeyChoice,
}

/// Run the policy unit tests of the configuration
///
/// Masks the row that each `[[test]]` gives and compares it with what the test expects. Needs no server: the columns are
/// those of the tests, their types those of the values. Undecided columns and masks that do not fit are refused as by
/// `restage plan`. Exits with 6 if an expectation does not hold.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage test\n  restage test --file tests/policy.toml\n  restage test --key-file test.key --allow-test-key    Where the real key is not at hand\n\nA test:\n  [[test]]\n  table = \"public.users\"\n  given = { id = 7, email = \"Bob@X.com\" }\n  expect = { id = { differs = true }, email = { matches = \"^[a-z.0-9]+@.*\\\\.example$\", valid = \"email\" } }"
)]
pub struct TestArgs {
    /// File with `[[test]]`; without it, those of the configuration
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub key: KeyChoice,
}

/// Which key and realm, for commands that need no full configuration.
#[derive(Debug, Clone, Args)]
pub struct KeyChoice {
    /// Key file; without it, the key of the configuration
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key_file: Option<PathBuf>,
    /// Realm; without it, that of the configuration, or "default" with --key-file
    #[arg(long, value_name = "REALM")]
    pub realm: Option<String>,
    #[command(flatten)]
    pub test: TestKey,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct TestKey {
    /// Accept the published test key, which protects nothing
    #[arg(long)]
    pub allow_test_key: bool,
}

/// Make and inspect keys
#[derive(Debug, Clone, Args)]
#[command(arg_required_else_help = true)]
pub struct KeyArgs {
    #[command(subcommand)]
    pub command: KeyCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub enum KeyCommand {
    /// Make a new key
    ///
    /// Writes it to a new file that only you can read, or to standard output. Keep it like a password: whoever has the
    /// key and staging can test guesses about production. A new key means other pseudonyms everywhere.
    #[command(
        after_help = "Examples:\n  restage key new --out /run/secrets/restage.key\n  restage key new | vault kv put secret/restage key=-"
    )]
    New {
        /// File to create (mode 0600); an existing file is never replaced
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
    },
    /// Print the id of the key: it may be logged and compared, the key may not
    #[command(after_help = "Examples:\n  restage key id\n  restage key id --key-file /run/secrets/restage.key")]
    Id(KeyFile),
    /// Check that the key can be read, is whole, and is kept safely
    #[command(after_help = "Examples:\n  restage key check\n  restage key check --key-file /run/secrets/restage.key")]
    Check(KeyFile),
}

#[derive(Debug, Clone, Args)]
pub struct KeyFile {
    /// Key file; without it, the key of the configuration
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key_file: Option<PathBuf>,
    #[command(flatten)]
    pub test: TestKey,
}

/// Print the completion script for a shell
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  restage completions bash > ~/.local/share/bash-completion/completions/restage\n  restage completions zsh > ~/.zfunc/_restage\n  restage completions fish > ~/.config/fish/completions/restage.fish"
)]
pub struct CompletionsArgs {
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Print the manual page, or write the pages of all commands
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  restage man | man -l -\n  restage man --out ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Directory for restage.1 and a page per command; without it, the main page goes to stdout
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// The whole command line as clap sees it, with commands grouped in the help.
pub fn command() -> clap::Command {
    let command = Cli::command().after_help(EXAMPLES).after_long_help(format!("{EXAMPLES}\n\n{EXIT_CODES}"));
    let (groups, header) = (groups(&command), STYLES.get_header());
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{header}Global options:{header:#}\n{{options}}{{after-help}}"
    ))
}

/// The commands with their first help lines, under their headings, in the colors clap uses for the rest.
fn groups(command: &clap::Command) -> String {
    let (header, literal) = (STYLES.get_header(), STYLES.get_literal());
    let mut text = String::new();
    for (title, names) in GROUPS {
        text.push_str(&format!("{header}{title}:{header:#}\n"));
        for name in *names {
            let about = match command.find_subcommand(name) {
                Some(found) => found.get_about().map(ToString::to_string).unwrap_or_default(),
                None => "Print this help, or the help of a command".to_owned(),
            };
            text.push_str(&format!(
                "  {literal}{name}{literal:#}{:pad$}  {about}\n",
                "",
                pad = 12 - name.len().min(12)
            ));
        }
        text.push('\n');
    }
    text
}

/// The path of the configuration; an empty `RESTAGE_CONFIG` means none.
fn config_path(text: std::ffi::OsString) -> PathBuf {
    if text.is_empty() { PathBuf::from(CONFIG) } else { PathBuf::from(text) }
}

/// Reads `128MiB`, `1.5 GB`, `1048576`: decimal and binary units, at least 16 MiB.
fn parse_memory(text: &str) -> Result<u64, String> {
    const BYTES_MIN: u64 = 16 << 20;
    let bytes = parse_bytes(text).ok_or("write a number and a unit: 128MiB, 1GB")?;
    if bytes < BYTES_MIN {
        return Err("less than 16MiB cannot hold one batch per thread".to_owned());
    }
    Ok(bytes)
}

/// Bytes of a size as people write it; `None` if it is not one.
fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().ok()?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" | "k" => 1e3,
        "mb" | "m" => 1e6,
        "gb" | "g" => 1e9,
        "tb" | "t" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = number * factor;
    // Above 2^53 a double no longer counts single bytes, and no machine has that much memory.
    (0.0..=9.0e15).contains(&bytes).then_some(bytes as u64)
}

fn parse_format(text: &str) -> Result<FixtureFormat, String> {
    match text {
        "sql" => Ok(FixtureFormat::Sql),
        "parquet" => Ok(FixtureFormat::Parquet),
        "csv" => Ok(FixtureFormat::Csv),
        _ => Err("write sql, parquet or csv".to_owned()),
    }
}

fn parse_rows_each(text: &str) -> Result<RowsEach, String> {
    match (text, text.parse()) {
        ("all", _) => Ok(RowsEach::All),
        (_, Ok(rows @ 1..)) => Ok(RowsEach::Max(rows)),
        _ => Err("write a number from 1 on, or all".to_owned()),
    }
}

/// Reads `id=9`; what stands behind the sign is the value as it is.
fn parse_set(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write PARAM=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn parse_seconds(text: &str) -> Result<std::time::Duration, String> {
    let seconds: u32 = text.parse().map_err(|_| "write a number of seconds".to_owned())?;
    Ok(std::time::Duration::from_secs(seconds.into()))
}

/// Splits `name=value`; the value is JSON where it parses as JSON, else a string.
fn parse_param(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name before = is empty".to_owned());
    }
    // No parameter takes the null of JSON; `rest=null` means the decision of that name.
    let json = serde_json::from_str(value).ok().filter(|value: &serde_json::Value| !value.is_null());
    let value = json.unwrap_or_else(|| serde_json::Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_is_in_one_group_and_has_help_and_examples() {
        let command = command();
        let listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for sub in command.get_subcommands() {
            let count = listed.iter().filter(|name| **name == sub.get_name()).count();
            assert_eq!(count, 1, "{} must be in one help group", sub.get_name());
            assert!(sub.get_about().is_some(), "{} has no help", sub.get_name());
            assert!(sub.get_name() == "key" || sub.get_after_help().is_some(), "{} has no example", sub.get_name());
        }
        assert_eq!(listed.len(), command.get_subcommands().count() + 1, "help is the only command clap adds");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(parse_bytes("128MiB"), Some(128 << 20));
        assert_eq!(parse_bytes("1.5 GB"), Some(1_500_000_000));
        assert_eq!(parse_bytes("42"), Some(42));
        assert_eq!(parse_bytes("-1"), None);
        assert_eq!(parse_bytes("12 parsecs"), None);
        assert_eq!(parse_bytes("1e400GB"), None);
        assert!(parse_memory("1MiB").is_err());
    }

    #[test]
    fn parameters_are_json_where_they_can_be() {
        assert_eq!(parse_param("days_max=30").unwrap(), ("days_max".to_owned(), 30.into()));
        assert_eq!(parse_param("void=true").unwrap().1, serde_json::json!(true));
        assert_eq!(parse_param("format=a=b").unwrap().1, serde_json::json!("a=b"));
        assert_eq!(parse_param("rest=null").unwrap().1, serde_json::json!("null"));
        assert!(parse_param("days_max").is_err());
        assert!(parse_param("=1").is_err());
    }

    #[test]
    fn negative_numbers_are_values() {
        let cli = Cli::try_parse_from(["restage", "mask", "int", "-1", "5", "--label", "x"]);
        let Ok(Cli { command: Command::Mask(args), .. }) = cli else { panic!("mask must parse") };
        assert_eq!(args.values, ["-1", "5"]);
    }
}
