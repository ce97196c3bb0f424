//! Facts about whole configurations.

use super::options::{Kind, Need};
use super::*;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use std::fmt::Write as _;

/// The example of the contract, word for word.
const CONTRACT: &str = include_str!("testdata/contract.toml");
const EXAMPLE: &str = include_str!("../../samples/restage.example.toml");
const CANARY: &str = "CANARY-7f3a";

fn env(name: &str) -> Option<String> {
    match name {
        "SLACK_WEBHOOK" => Some(format!("https://hooks.example.com/{CANARY}")),
        "CANARY" => Some(CANARY.to_owned()),
        "THREE" => Some("3".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

/// Reads a text as `restage.toml` in a folder of its own.
fn read(text: &str) -> Result<Config, Vec<Report>> {
    read_files(&[("restage.toml", text)])
}

/// Reads the first of some files; places are told relative to their folder.
fn read_files(files: &[(&str, &str)]) -> Result<Config, Vec<Report>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let prefix = format!("{}/", folder.path().display());
    Config::load(&folder.path().join(files[0].0), &env).map_err(|errors| {
        let strip = |text: String| text.replace(&prefix, "");
        let strip_all = |report: Report| Report {
            message: strip(report.message),
            place: report.place.map(strip),
            detail: report.detail.map(strip),
            hint: report.hint.map(strip),
            ..report
        };
        errors.0.into_iter().map(strip_all).collect()
    })
}

fn read_ok(text: &str) -> Config {
    read(text).unwrap_or_else(|reports| panic!("{}", show(&reports)))
}

fn show(reports: &[Report]) -> String {
    reports.iter().fold(String::new(), |mut text, report| {
        let _ = writeln!(text, "{report}");
        text
    })
}

const MINIMAL: &str = "version = 1\n[source]\nurl = \"postgres://ro@prod/shop\"\n";

fn with(text: &str) -> String {
    format!("{MINIMAL}{text}")
}

#[test]
fn the_example_of_the_contract_is_read() {
    let config = read_ok(CONTRACT);
    assert_eq!(config.source.workers, 2);
    assert_eq!(config.source.lock_timeout, Duration::from_secs(5));
    assert_eq!(config.source.snapshot_max, Some(Duration::from_secs(7200)));
    assert_eq!(config.source.rate_max, Some(200 << 20));
    let target = config.target.unwrap();
    assert_eq!((target.confirm.as_deref(), target.keep), (Some("shop"), 1));
    let key = config.key.unwrap();
    assert!(matches!(key.source, KeySource::File(path) if path == Path::new("/run/secrets/restage.key")));
    assert_eq!(key.realm, "staging");
    let patterns: Vec<&str> = config.tables.iter().map(|table| table.pattern.as_str()).collect();
    assert_eq!(patterns, ["public.customers", "public.sessions", "audit.*"]);
    let columns: Vec<&str> = config.tables[0].columns.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["id", "email", "first_name", "last_name", "ssn", "card", "born_on", "notes", "profile", "plan"];
    assert_eq!(columns, expected);
    let Action::Mask(shift) = &config.tables[0].columns[6].1.action else { panic!("born_on is masked") };
    assert_eq!((shift.kind.as_str(), shift.subject.as_deref(), &shift.label), ("date.shift", Some("id"), &None));
    assert_eq!(shift.params, serde_json::from_str("{\"days_max\": 180}").unwrap());
    let Action::Mask(json) = &config.tables[0].columns[8].1.action else { panic!("profile is masked") };
    assert_eq!(json.params["paths"]["$.contact.email"], "email");
    assert_eq!(
        config.tables[0].columns[9].1.action,
        Action::Keep { reason: Some("product data, no person".to_owned()) }
    );
    assert_eq!(config.tables[1].rows, Some(Rows::None));
    assert_eq!(config.tables[2].default.as_ref().unwrap().action, Action::Keep { reason: None });
    assert_eq!(config.references[0].to, "public.customers.id");
    let subset = config.subset.unwrap();
    assert_eq!((subset.seed[0].percent, subset.seed[0].limit), (Some(5.0), Some(1000)));
    assert_eq!((subset.children, subset.rows_max), (Children::All, Some(1_000_000)));
    assert_eq!(config.fixture.rows, Some(RowsEach::Max(50)));
    assert_eq!(config.fixture.cover, [Cover::Enum, Cover::Null, Cover::Boundary, Cover::Unicode]);
    let fidelity = FidelityConfig { null_fraction: Some(0.0), distinct_ratio: Some(0.02), ..FidelityConfig::default() };
    assert_eq!((config.verify.leak.on, config.verify.fidelity), (true, fidelity));
    assert_eq!(config.verify.sql[0].equals, 0);
    assert_eq!(config.publish.mode, PublishMode::Swap);
    assert_eq!(config.hooks[0].at, HookPoint::AfterLoad);
    assert!(matches!(&config.hooks[0].action, HookAction::Sql(path) if path.is_absolute()));
    assert_eq!(config.schedule.unwrap().time_zone, "Europe/Berlin");
    assert_eq!(config.notify[0].on, [NotifyEvent::Failure, NotifyEvent::Recovered]);
    assert!(config.notify[0].url.expose_secret().ends_with(CANARY));
}

#[test]
fn defaults_are_those_of_the_table() {
    let config = read_ok(&with("[target]\nurl = \"postgres://staging/shop\"\n"));
    let source = &config.source;
    assert_eq!((source.workers, source.chunk_bytes), (2, 256 << 20));
    assert_eq!((source.lock_timeout, source.lock_wait_max), (Duration::from_secs(5), Duration::from_secs(60)));
    assert_eq!((source.snapshot_max, source.rate_max, source.on_blocked_ddl), (None, None, None));
    assert_eq!(source.ddl_grace, Duration::from_secs(10));
    assert!(!source.pause_replay && !source.allow_schema_drift && !source.allow_write_role);
    let target = config.target.unwrap();
    assert_eq!((target.keep, target.maintenance_db.as_str(), target.unlogged), (1, "postgres", false));
    assert_eq!(target.missing_roles, MissingRoles::Skip);
    assert!((1..=8).contains(&target.jobs));
    assert_eq!((config.policy.packs, config.policy.undecided), (Vec::new(), Undecided::Refuse));
    assert!(config.key.is_none() && config.subset.is_none() && config.schedule.is_none() && config.tables.is_empty());
    assert_eq!((config.fixture.rows, config.verify.leak.on), (None, true));
}

#[test]
fn the_sample_is_read_and_names_every_option() {
    let config = read_ok(EXAMPLE);
    assert_eq!(config.tables.len(), 4);
    // Without white space, `first   = 1` and `# first = 1` look alike.
    let lines: Vec<String> = EXAMPLE.lines().map(|line| line.split_whitespace().collect()).collect();
    for option in OPTIONS.iter().filter(|option| option.key() != "*") {
        let (assigned, header) = (format!("{}=", option.key()), format!("[{}", option.path));
        let inner = format!(".{}]", option.key());
        let written = lines.iter().any(|line| [&assigned, &header, &inner].iter().any(|part| line.contains(*part)));
        assert!(written, "{} is not in the sample", option.path);
    }
}

/// The reader asks for every option, and [`read::Section`] lets it ask for nothing else.
#[test]
fn every_option_is_read() {
    let asked = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("restage.toml");
        std::fs::write(&path, text).unwrap();
        let loaded = load::load(&path, &env).unwrap();
        let context = read::Context::new(&loaded.files, loaded.problems);
        assert!(sections::read_root(&path, &context, loaded.root).is_some());
        context.asked.take()
    };
    let mut asked = asked(EXAMPLE);
    for option in OPTIONS {
        assert!(asked.remove(option.path), "{} is documented and never read", option.path);
    }
    assert!(asked.is_empty());
}

#[test]
fn required_and_defaulted_options_are_consistent() {
    for option in OPTIONS {
        if let (Need::Default(text), Kind::OneOf(values)) = (option.need, option.kind) {
            assert!(values.contains(&text.trim_matches('"')), "{}", option.path);
        }
    }
}

/// Text after [`MINIMAL`] (3 lines), code, place, part of the whole report.
const BROKEN: &[(&str, &str, &str, &str)] = &[
    ("worker = 3\n", "config::unknown-key", "4:1", "Did you mean `workers`? Write `workers = 2`."),
    ("snapshot_age_max = \"2h\"\n", "config::unknown-key", "4:1", "Did you mean `snapshot_max`"),
    ("keep = 3\n", "config::unknown-key", "4:1", "belongs into [target]: `keep = 1`"),
    ("zzz = 3\n", "config::unknown-key", "4:1", "Known here: url, workers"),
    ("[traget]\nurl = \"host=a\"\n", "config::unknown-key", "4:2", "Did you mean `target`? Write `[target]`"),
    ("[[hooks]]\n", "config::unknown-key", "4:3", "Did you mean `hook`? Write `[[hook]]`"),
    ("workers = \"2\"\n", "config::wrong-type", "4:11", "Write for example `workers = 2`"),
    ("workers = 2.5\n", "config::wrong-type", "4:11", "must be an integer, not a float"),
    ("workers = 0\n", "config::bad-value", "4:11", "Allowed: 1 to 64"),
    ("workers = 99999999999999999999\n", "config::bad-value", "4:11", "too large"),
    ("lock_timeout = 5\n", "config::wrong-type", "4:16", "lock_timeout = \"5s\""),
    ("lock_timeout = \"0s\"\n", "config::bad-value", "4:16", "Allowed: 1ms to 1h"),
    ("lock_timeout = \"5 sec\"\n", "config::bad-value", "4:16", "ms, s, m (minutes), h and d"),
    ("rate_max = \"200mib/s\"\n", "config::bad-value", "4:12", "upper and lower case count in units: MiB"),
    ("rate_max = 200\n", "config::wrong-type", "4:12", "rate_max = \"200MiB/s\""),
    ("chunk_bytes = 5\n", "config::bad-value", "4:15", "Allowed: 1MiB to 1TiB"),
    (
        "on_blocked_ddl = \"yeild\"\n",
        "config::bad-value",
        "4:18",
        "Did you mean \"yield\"? Allowed: \"yield\", \"hold\", \"warn\"",
    ),
    ("pause_replay = \"yes\"\n", "config::wrong-type", "4:16", "must be true or false, not a string"),
    ("assume_encoding = \" \"\n", "config::bad-value", "4:19", "is empty"),
    ("[source.tls]\n", "config::unknown-key", "4:9", "Known here"),
    ("[target]\nkeep = 1\n", "config::missing", "4:1", "url = \"postgres://restage@staging/shop\""),
    ("[target]\nurl = \"staging/shop\"\n", "config::bad-value", "5:7", "neither a postgres:// URI"),
    ("[target]\nurl = \"postgres://ro:x@prod/shop\"\n", "config::conflict", "2:1", "same database"),
    ("[target]\nurl = \"host=s\"\nroles = { a = 1 }\n", "config::wrong-type", "6:15", "`a` of `roles` in [target]"),
    ("include = []\n", "config::unknown-key", "4:1", "belongs above the first table"),
    ("[source.target]\n", "config::unknown-key", "4:9", "Write `[target]`, not inside [source]"),
    ("[key]\nrealm = \"staging\"\n", "config::missing", "4:1", "file = \"/run/secrets/restage.key\""),
    ("[key]\nfile = \"k\"\nenv = \"K\"\n", "config::conflict", "4:1", "Written: `file`, `env`"),
    ("[key]\nephemeral = false\n", "config::missing", "4:1", "restage key new"),
    ("[key]\ncommand = \"vault get\"\n", "config::wrong-type", "5:11", "list of strings: the program"),
    ("[key]\ncommand = []\n", "config::bad-value", "5:11", "names no program"),
    ("[key]\ncommand = [\"a\", 1]\n", "config::bad-value", "5:11", "element 2 is an integer"),
    ("[key]\nfd = 1\n", "config::bad-value", "5:6", "Allowed: 3 to 1023"),
    ("[policy]\nundecided = \"keep\"\n", "config::bad-value", "5:13", "Allowed: \"refuse\", \"null\""),
    ("[policy]\npacks = [\"pii\", \"pii\"]\n", "config::bad-value", "5:9", "names the same twice (element 2)"),
    ("[subset]\nseed = [{ table = \"a.b\", order = \"id\" }]\n", "config::missing", "5:9", "limit = 1000"),
    ("[tables.public.users]\nrows = \"none\"\n", "config::bad-value", "4:9", "[tables.\"public.users\"]"),
    ("[tables.users]\nrows = \"none\"\n", "config::bad-value", "4:9", "[tables.\"public.users\"]"),
    ("[tables.\"a.b\"]\nrows = \"some\"\n", "config::bad-value", "5:8", "rows = { where ="),
    ("[tables.\"a.b\"]\nrows = {}\n", "config::bad-value", "5:8", "without `where` and `limit`"),
    ("[tables.\"a.b\"]\nrows = { limit = 0 }\n", "config::bad-value", "5:18", "Allowed: 1 or more"),
    ("[tables.\"a.b\"]\nrows = { were = \"x\" }\n", "config::unknown-key", "5:10", "Did you mean `where`"),
    ("[tables.\"a.b\"]\nrows = 5\n", "config::wrong-type", "5:8", "\"all\", \"none\" or a table"),
    ("[tables.\"a.b\"]\nemail = \"email\"\n", "config::unknown-key", "5:1", "[tables.\"a.b\".columns]"),
    ("[tables.\"a.b\"]\nrow = \"none\"\n", "config::unknown-key", "5:1", "Did you mean `rows`"),
    ("[tables]\n\"a.b\" = \"none\"\n", "config::wrong-type", "5:9", "must be a table, not a string"),
    ("[tables.\"a.b\".columns]\nx = \"E-Mail\"\n", "config::bad-value", "5:5", "Write \"e_mail\""),
    ("[tables.\"a.b\".columns]\nx = \"email/0\"\n", "config::bad-value", "5:5", "restage kinds"),
    ("[tables.\"a.b\".columns]\nx = 5\n", "config::wrong-type", "5:5", "must be a string or a table, not an integer"),
    (
        "[tables.\"a.b\".columns]\nx = { keep = \"a\", mask = \"b\" }\n",
        "config::conflict",
        "5:5",
        "both `keep` and `mask`",
    ),
    ("[tables.\"a.b\".columns]\nx = { keep = true }\n", "config::wrong-type", "5:14", "product data, no person"),
    ("[tables.\"a.b\".columns]\nx = { keep = \"\" }\n", "config::bad-value", "5:14", "is empty"),
    ("[tables.\"a.b\".columns]\nx = { keep = \"…\" }\n", "config::bad-value", "5:5", "says nothing"),
    ("[tables.\"a.b\"]\ndefault = { keep = \" - \" }\n", "config::bad-value", "5:11", "says nothing"),
    ("[tables.\"a.b\".columns]\nx = { maks = \"b\" }\n", "config::missing", "5:5", "Did you mean `mask`?"),
    ("[tables.\"a.b\".columns]\nx = { keep = \"a\", min = 1 }\n", "config::unknown-key", "5:19", "min"),
    ("[tables.\"a.b\".columns]\nx = { keep = \"a\", subject = \"id\" }\n", "config::conflict", "5:5", "label"),
    ("[tables.\"a.b\".columns]\nx = { mask = \"keep\" }\n", "config::bad-value", "5:14", "{ keep ="),
    ("[tables.\"a.b\".columns]\nx = { mask = \"null\", a = 1 }\n", "config::bad-value", "5:5", "Write \"null\""),
    ("[tables.\"a.b\".columns]\nx = { mask = \"m\", a = [inf] }\n", "config::bad-value", "5:23", "not finite"),
    ("[tables.\"a.b\".columns]\nx = { mask = \"m\", subject = 1 }\n", "config::wrong-type", "5:29", "subject = \"id\""),
    ("[[references]]\nfrom = \"events.user_id\"\nto = \"a.b.c\"\n", "config::bad-value", "5:8", "schema.table.column"),
    ("[[references]]\nfrom = \"a.b.c\"\n", "config::missing", "4:1", "to = \"public.customers.id\""),
    ("[references]\nfrom = \"a.b.c\"\n", "config::wrong-type", "4:1", "Write `[[references]]` with two brackets"),
    ("[scenario.a]\nseed = []\n", "config::missing", "4:1", "seed = [{ table"),
    ("[scenario]\na = 1\n", "config::wrong-type", "5:5", "[scenario.\"a\"]"),
    ("[subset]\nseed = [{ table = \"a.b\" }]\nwhole = [\"a.b\", \"a.b\"]\n", "config::bad-value", "6:9", "whole"),
    ("[[references]]\nfrom = \"a.b.c\"\nto = \"a.b.d\"\ntype_value = \"x\"\n", "config::missing", "4:1", "type_column"),
    ("[subset]\nseed = [1]\n", "config::wrong-type", "5:9", "must be a table, not an integer"),
    ("[subset]\nseed = [{ table = \"a.b\", percent = 0 }]\n", "config::bad-value", "5:36", "above 0 to 100"),
    ("[subset]\nseed = [{ table = \"a.b\" }]\nchildren = { max = \"x\" }\n", "config::wrong-type", "6:20", "max = 50"),
    ("[subset]\nseed = [{ table = \"a.b\" }]\nchildren = \"some\"\n", "config::bad-value", "6:12", "{ max = 50 }"),
    ("[fixture]\ncover = [\"enum\", \"nulls\"]\n", "config::bad-value", "5:9", "Did you mean \"null\"?"),
    ("[verify]\nfidelity = { null_fraction = 2 }\n", "config::bad-value", "5:30", "Allowed: 0 to 1"),
    ("[verify]\nfidelity = { null_fraction = nan }\n", "config::bad-value", "5:30", "Allowed: 0 to 1"),
    ("[[verify.sql]]\nname = \"a\"\n", "config::missing", "4:1", "query = "),
    (
        "[[verify.sql]]\nname = \"a\"\nquery = \"select 1\"\nat = \"after-load\"\n",
        "config::bad-value",
        "7:6",
        "\"after-publish\"",
    ),
    ("[[verify.command]]\nname = \"a\"\n", "config::missing", "4:1", "command = "),
    ("[[verify.command]]\nname = \"a\"\ncommand = []\n", "config::bad-value", "6:11", "names no program"),
    ("[verify]\nrollback_within = \"2d\"\n", "config::bad-value", "5:19", "Allowed: 0"),
    ("[verify]\nwarn = \"leak\"\n", "config::wrong-type", "5:8", "a list of strings"),
    (
        "[publish]\nclones = [\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]\n",
        "config::bad-value",
        "5:10",
        "63 bytes",
    ),
    ("[[hook]]\nsql = \"a.sql\"\n", "config::missing", "4:1", "at = \"after-load\""),
    ("[[hook]]\nat = \"after-load\"\n", "config::missing", "4:1", "neither `sql` nor `command`"),
    ("[[hook]]\nat = \"after_load\"\nsql = \"a\"\n", "config::bad-value", "5:6", "Did you mean \"after-load\"?"),
    ("[[hook]]\nat = \"after-load\"\nsql = \"a\"\ncommand = [\"b\"]\n", "config::conflict", "4:1", "both"),
    ("[schedule]\ncron = \"30 2 * *\"\n", "config::bad-value", "5:8", "5 fields"),
    ("[schedule]\ntime_zone = \"UTC\"\n", "config::missing", "4:1", "cron = \"30 2 * * *\""),
    ("[[notify]]\non = []\nurl = \"http://a\"\n", "config::bad-value", "5:6", "is empty"),
    ("[[notify]]\non = [\"failure\"]\nurl = \"mailto:a@b\"\n", "config::bad-value", "6:7", "http:// or https://"),
    ("assume_encoding = \"${NONE}\"\n", "config::missing-variable", "4:19", "export NONE="),
    ("assume_encoding = \"${NONE:?ask ops}\"\n", "config::missing-variable", "4:19", "ask ops"),
    ("assume_encoding = \"${NONE-x}\"\n", "config::bad-variable", "4:19", "${VAR:-default}"),
    ("assume_encoding = \"a\\u0000b\"\n", "config::bad-value", "4:19", "U+0000"),
    (
        "workers = \"${CANARY}\"\n",
        "config::bad-value",
        "4:11",
        "`workers` in [source] is \"${CANARY}\", whose value is not an integer",
    ),
    (
        "[[verify.sql]]\nname = \"a\"\nquery = \"SELECT 0\"\n[[verify.query]]\nname = \"a\"\nsql = \"SELECT 1\"\n",
        "config::conflict",
        "7:1",
        "are named \"a\"",
    ),
    ("workers = 1\nworkers = 2\n", "config::duplicate", "5:1", "First defined at restage.toml:4:1"),
    ("[target]\nurl = \"host=s\"\n[target]\n", "config::duplicate", "6:2", "First defined at restage.toml:4:1"),
    ("workers = two\n", "config::syntax", "4:11", "not TOML"),
    ("workers\n", "config::syntax", "4:8", "not TOML"),
    ("a.b.c.d.e.f.g.h.i = 1\n", "config::syntax", "4:16", "more than 8 parts"),
];

#[test]
fn broken_input_is_reported_with_code_place_and_hint() {
    let mut wrong = String::new();
    for (text, code, place, part) in BROKEN {
        let reports = read(&with(text)).expect_err(text);
        let shown = show(&reports);
        let place = format!("restage.toml:{place}");
        let sound = reports.len() == 1
            && reports[0].code == *code
            && reports[0].place.as_deref() == Some(place.as_str())
            && reports[0].hint.is_some()
            && reports[0].state.as_deref() == Some(STATE)
            && shown.contains(part);
        if !sound {
            let _ = writeln!(wrong, "{text}expected {code} at {place} with {part:?}, but got\n{shown}");
        }
        assert!(!shown.contains(CANARY), "{text}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_top_level_is_checked() {
    for (text, code, place, part) in [
        ("[source]\nurl = \"env\"\n", "config::missing", "1:1", "version = 1"),
        ("version = 1\n", "config::missing", "1:1", "[source]\n"),
        ("version = \"1\"\n[source]\nurl = \"env\"\n", "config::wrong-type", "1:11", "version = 1"),
        ("version = 2\nnew_key = 1\n", "config::version", "1:11", "newer restage"),
        ("version = 0\n", "config::version", "1:11", "version = 1"),
        ("version = 1\ninclude = \"a.toml\"\n[source]\nurl = \"env\"\n", "config::wrong-type", "2:11", "include = ["),
        ("version = 1\nsource = \"env\"\n", "config::wrong-type", "2:10", "must be a table"),
        ("version = 1\nworkers = 2\n[source]\nurl = \"env\"\n", "config::unknown-key", "2:1", "belongs into [source]"),
    ] {
        let reports = read(text).expect_err(text);
        let shown = show(&reports).replace("\n          ", "\n");
        assert_eq!(reports.len(), 1, "{shown}");
        assert_eq!((reports[0].code, reports[0].place.as_deref()), (code, Some(&*format!("restage.toml:{place}"))));
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn all_problems_are_reported_at_once_in_file_order() {
    let text = "version = 1\n[source]\nworker = 1\nlock_timeout = 5\nurl = \"${NONE}\"\n[target]\nkeep = \"x\"\n";
    let reports = read(text).unwrap_err();
    let codes: Vec<_> = reports.iter().map(|report| report.code).collect();
    let expected = [
        "config::unknown-key",
        "config::wrong-type",
        "config::missing-variable",
        "config::missing",
        "config::wrong-type",
    ];
    assert_eq!(codes, expected, "{}", show(&reports));
    let errors = ConfigErrors(reports);
    assert_eq!(errors.exit(), Exit::Usage);
    assert_eq!(errors.to_string(), "5 problems in the configuration");
}

#[test]
fn a_flood_of_problems_is_cut() {
    let text = with(&(0..500).map(|n| format!("key_number_{n} = 1\n")).collect::<String>());
    let reports = read(&text).unwrap_err();
    assert_eq!(reports.len(), 101);
    assert_eq!(reports[100].message, "400 more problems are not shown");
}

#[test]
fn passwords_and_variables_never_show() {
    let secret = "hunter2";
    for text in [
        format!("version = 1\n[source]\nurl = \"{secret}\"\nworkers = 0\n"),
        format!("version = 1\n[source]\nurl = \"mysql://u:{secret}@h\"\n"),
        format!("version = 1\n[source]\nurl = \"postgres://u:{secret}@h/db\"\nwhat = 1\n"),
        format!("version = 1\n[source]\nurl = [\"{secret}\"]\n"),
        format!("version = 1\n[source]\nurl = \"postgres://u:{secret}@h/db\n"),
        format!("{MINIMAL}[[notify]]\non = [\"failure\"]\nurl = \"{secret}\"\n"),
        with("[target]\nurl = \"${CANARY}\"\nkeep = \"${CANARY}\"\ndurability = \"${CANARY}\"\nconfirm = 1\n"),
        with("lock_timeout = \"${CANARY}\"\nrate_max = \"${CANARY}\"\npause_replay = \"${CANARY}\"\n"),
        with(
            "[tables.\"a.b\"]\nrows = \"${CANARY}\"\ndefault = \"${CANARY}!\"\n[tables.\"a.b\".columns]\nx={mask=\"${CANARY}\"}\n",
        ),
        with("[schedule]\ncron = \"${CANARY}\"\n[[references]]\nfrom = \"${CANARY}\"\nto = \"${CANARY}\"\n"),
        format!("include = [\"${{CANARY}}/*.toml\", \"${{CANARY}}.toml\"]\n{MINIMAL}"),
    ] {
        let reports = read(&text).expect_err(&text);
        let shown = format!("{} {reports:?}", show(&reports));
        assert!(!shown.contains(secret) && !shown.contains(CANARY), "{shown}");
    }
    let config = read_ok(&with("[target]\nurl = \"postgres://u:${CANARY}@h/db\"\n"));
    assert!(!format!("{config:?}").contains(CANARY));
}

#[test]
fn variables_fill_strings_numbers_and_booleans() {
    let text = "version = 1\n[source]\nurl = \"postgres://${CANARY}@h/db\"\nworkers = \"${THREE}\"\n\
                pause_replay = \"${NONE:-true}\"\nassume_encoding = \"${EMPTY:-LATIN1}\"\n\
                [tables.\"a.b\"]\nrows = { where = \"x ~ '$${n}$'\" }\n";
    let config = read_ok(text);
    assert_eq!(config.source.url.expose_secret(), format!("postgres://{CANARY}@h/db"));
    assert_eq!((config.source.workers, config.source.pause_replay), (3, true));
    assert_eq!(config.source.assume_encoding.as_deref(), Some("LATIN1"));
    let rows = Rows::Where { condition: Some("x ~ '${n}$'".to_owned()), limit: None };
    assert_eq!(config.tables[0].rows, Some(rows));
}

#[test]
fn the_environment_must_be_asked_for() {
    let config = read_ok("version = 1\n[source]\nurl = \"env\"\n");
    assert!(url_means_environment(&config.source.url));
    assert!(!url_means_environment(&read_ok(MINIMAL).source.url));
}

#[test]
fn names_are_taken_as_stored() {
    let config =
        read_ok(&with("[tables.\"public.Order Lines\".columns]\n\"E mail\" = \"email\"\n\"ünïcode\" = \"keep\"\n"));
    let table = &config.tables[0];
    assert_eq!((table.pattern.as_str(), table.columns[0].0.as_str()), ("public.Order Lines", "E mail"));
    let place = &table.columns[1].1.place;
    assert_eq!((place.line, place.column), (6, 1));
    assert!(table.place.to_string().ends_with("restage.toml:4:9"), "{}", table.place);
}

#[test]
fn columns_count_in_characters() {
    let reports = read(&with("\"üüü\".x = 1\n")).unwrap_err();
    assert_eq!(reports[0].place.as_deref(), Some("restage.toml:4:1"));
    let reports = read(&with("[tables.\"a.b\"]\nrows = { where = \"üüü\", limit = 0 }\n")).unwrap_err();
    assert_eq!(reports[0].place.as_deref(), Some("restage.toml:5:33"));
}

#[test]
fn the_most_specific_rule_comes_first() {
    let text = with(
        "[tables.\"*\"]\n[tables.\"public.*\"]\n[tables.\"public.users\"]\n[tables.\"public.u*\"]\n\
         [tables.\"*.users\"]\n[tables.\"*_log\"]\n[tables.\"app_*\"]\n",
    );
    let config = read_ok(&text);
    let patterns = |schema, table| -> Vec<&str> {
        config.rules_for(schema, table).into_iter().map(|rule| rule.pattern.as_str()).collect()
    };
    assert_eq!(patterns("public", "users"), ["public.users", "public.u*", "public.*", "*.users", "*"]);
    assert_eq!(patterns("other", "t"), ["*"]);
    assert!(config.ambiguous_rules("public", "users").is_empty());
    let ambiguous = config.ambiguous_rules("app_a", "b_log");
    assert_eq!((ambiguous[0].0.pattern.as_str(), ambiguous[0].1.pattern.as_str()), ("*_log", "app_*"));
}

#[test]
fn the_most_specific_column_comes_first() {
    let config = read_ok(&with("[tables.\"a.b\".columns]\n\"*\" = \"keep\"\n\"e*\" = \"null\"\nemail = \"email\"\n"));
    let names: Vec<&str> = config.tables[0].decisions_for("email").iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["email", "e*", "*"]);
}

#[test]
fn included_files_are_merged_in_order() {
    let config = read_files(&[
        ("restage.toml", "version = 1\ninclude = [\"policy/*.toml\"]\n[source]\nurl = \"env\"\n[[hook]]\nat = \"after-load\"\nsql = \"a.sql\"\n"),
        ("policy/b.toml", "[tables.\"b.b\"]\nrows = \"none\"\n[source]\nworkers = 5\n"),
        ("policy/a.toml", "version = 1\n[tables.\"a.a\"]\nrows = \"none\"\n[[hook]]\nat = \"before-load\"\nsql = \"b.sql\"\n"),
        ("policy/.hidden.toml", "broken"),
        ("policy/c.txt", "broken"),
    ])
    .unwrap_or_else(|reports| panic!("{}", show(&reports)));
    assert_eq!(config.source.workers, 5);
    let patterns: Vec<&str> = config.tables.iter().map(|table| table.pattern.as_str()).collect();
    assert_eq!(patterns, ["a.a", "b.b"]);
    assert!(config.tables[1].place.to_string().ends_with("policy/b.toml:1:1"));
    let HookAction::Sql(path) = &config.hooks[1].action else { panic!("a file") };
    assert!(path.ends_with("policy/b.sql"), "{}", path.display());
}

#[test]
fn broken_includes_are_reported() {
    let root = |include: &str| format!("version = 1\ninclude = [{include}]\n[source]\nurl = \"env\"\n");
    let table = "[tables.\"a.a\"]\nrows = \"none\"\n";
    let cases: &[(&str, &str, &str, &str, &str)] = &[
        ("\"none.toml\"", "", "config::include", "restage.toml:2:12", "no file matches"),
        ("\"x/*.toml\"", "", "config::include", "restage.toml:2:12", "no file matches"),
        ("\"r*.toml\"", "", "config::include", "restage.toml:2:12", "restage.toml includes itself"),
        (
            "\"a.toml\"",
            "include = [\"restage.toml\"]\n",
            "config::include",
            "a.toml:1:12",
            "restage.toml includes itself",
        ),
        ("\"a.toml\"", "include = [\"a.toml\"]\n", "config::include", "a.toml:1:12", "a.toml includes itself"),
        ("\"a.toml\"", "x = \n", "config::syntax", "a.toml:1:5", "not TOML"),
        ("\"a.toml\"", "\n", "config::include", "restage.toml:2:12", "A.toml is empty"),
        ("\"a.toml\"", "version = 7\n", "config::version", "a.toml:1:11", "version 7"),
        (
            "\"a.toml\"",
            "[source]\nurl = \"host=x\"\n",
            "config::duplicate",
            "a.toml:2:1",
            "First defined at restage.toml:4:1",
        ),
        ("\"a.toml\"", "[source]\nworkers = 0\n", "config::bad-value", "a.toml:2:11", "1 to 64"),
        ("\"a.toml\"", "[sauce]\n", "config::unknown-key", "a.toml:1:2", "source"),
    ];
    for (include, text, code, place, part) in cases {
        let reports = read_files(&[("restage.toml", &root(include)), ("a.toml", text)]).expect_err(include);
        let shown = show(&reports);
        assert_eq!(reports.len(), 1, "{shown}");
        assert_eq!((reports[0].code, reports[0].place.as_deref()), (*code, Some(*place)), "{shown}");
        assert!(shown.to_lowercase().contains(&part.to_lowercase()), "{shown}");
    }
    let twice = read_files(&[("restage.toml", &format!("{}{table}", root("\"a.toml\""))), ("a.toml", table)]);
    let twice = show(&twice.unwrap_err());
    assert!(twice.contains("a.toml:1:9") || twice.contains("a.toml:1:1"), "{twice}");
    assert!(twice.contains("First defined at restage.toml:5:"), "{twice}");
    // A table that stands in both files is refused even if it is a glob with the name of an option.
    let star = table.replace("a.a", "*");
    assert!(read_files(&[("restage.toml", &format!("{}{star}", root("\"a.toml\""))), ("a.toml", &star)]).is_err());
}

#[test]
fn a_file_reached_on_two_ways_is_merged_once() {
    let config = read_files(&[
        ("restage.toml", "version = 1\ninclude = [\"a.toml\", \"b.toml\"]\n[source]\nurl = \"env\"\n"),
        ("a.toml", "include = [\"b.toml\"]\n"),
        ("b.toml", "[tables.\"a.a\"]\nrows = \"none\"\n"),
    ]);
    assert_eq!(config.unwrap().tables.len(), 1);
}

#[test]
fn bad_files_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("restage.toml");
    let code = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let report = Config::load(&path, &env).unwrap_err().0.remove(0);
        assert!(report.hint.is_some() && report.state.as_deref() == Some(STATE), "{report}");
        (report.code, report.place.map(|place| place.rsplit_once(".toml").unwrap().1.to_owned()))
    };
    assert_eq!(code(b""), ("config::empty", None));
    assert_eq!(code(b"\n  \n# nothing\n"), ("config::empty", None));
    assert_eq!(code(b"\xEF\xBB\xBFversion = 1\n"), ("config::bom", Some(":1:1".into())));
    assert_eq!(code(b"\xFF\xFEv\0"), ("config::not-utf8", None));
    assert_eq!(code(b"version = 1\n# \xC3\xA4\xE4\n"), ("config::not-utf8", Some(":2:4".into())));
    assert_eq!(code(&vec![b'#'; (4 << 20) + 1]), ("config::too-large", None));
    assert_eq!(code(b"version = 1\0\n").0, "config::syntax");
    let load = |path: &Path| Config::load(path, &env).unwrap_err().0.remove(0);
    let missing = load(&folder.path().join("none.toml"));
    assert_eq!(missing.code, "config::not-found");
    assert!(missing.hint.unwrap().contains("version = 1"));
    let folder_report = load(folder.path());
    assert_eq!(folder_report.code, "config::unreadable");
    assert!(folder_report.message.contains("folder"));
}

#[test]
fn the_file_is_found() {
    let none = |_: &str| None;
    let named = |name: &str| (name == FILE_VARIABLE).then(|| "/etc/restage.toml".to_owned());
    let empty = |_: &str| Some(String::new());
    assert_eq!(Config::find(None, &none), Path::new("restage.toml"));
    assert_eq!(Config::find(None, &empty), Path::new("restage.toml"));
    assert_eq!(Config::find(None, &named), Path::new("/etc/restage.toml"));
    assert_eq!(Config::find(Some("x.toml".into()), &named), Path::new("x.toml"));
}

#[test]
fn the_hash_knows_meaning_from_form() {
    let hash = |text: &str| read_ok(text).hash;
    let base = "version = 1\n[source]\nurl = \"postgres://u:secret@h/db\"\nsnapshot_max = \"2h\"\n\
                [key]\nfile = \"a.key\"\n[tables.\"a.b\".columns]\nx = { mask = \"m\", p = 1, q = { b = 2, a = 1 } }\ny = \"keep\"\n";
    let same = "# a comment\nversion = 1\n[tables.\"a.b\"]\ncolumns.y = \"keep\"\ncolumns.x.q.a = 1\ncolumns.x.q.b = 2\n\
                columns.x.mask = \"m\"\ncolumns.x.p = 1\n[key]\nenv = \"KEY\"\n[source]\nworkers = 2\nsnapshot_max = \"120m\"\n\
                url = \"postgres://u:other@h/db\"\n";
    assert_eq!(hash(base), hash(same));
    assert_eq!(hash(base).len(), 64);
    for (from, to) in [
        ("\"2h\"", "\"3h\""),
        ("u:secret@h", "v:secret@h"),
        ("@h/db", "@h/other"),
        ("p = 1", "p = 2"),
        ("a = 1", "a = 3"),
        ("mask = \"m\"", "mask = \"n\""),
        ("\"keep\"", "\"null\""),
        ("a.b", "a.c"),
        ("y = ", "z = "),
        ("file = \"a.key\"", "file = \"a.key\"\nrealm = \"other\""),
        ("file = \"a.key\"", "ephemeral = true"),
        ("snapshot_max = \"2h\"", ""),
    ] {
        let other = base.replacen(from, to, 1);
        assert_ne!(other, base);
        assert_ne!(hash(base), hash(&other), "{from} to {to}");
    }
}

#[test]
fn deep_nesting_is_refused_or_read_without_overflow() {
    let dotted = ["a"; 7].join(".");
    for depth in [31, 32, 33, 100_000] {
        let inline = format!("x = {}1{}\n", format!("{{ {dotted} = ").repeat(depth), " }".repeat(depth));
        assert!(read(&with(&inline)).is_err());
        assert!(read(&with(&format!("x = {}{}\n", "[".repeat(depth), "]".repeat(depth)))).is_err());
        assert!(read(&with(&format!("{}a = 1\n", "a.".repeat(depth)))).is_err());
        assert!(read(&with(&format!("[{}a]\n", "a.".repeat(depth)))).is_err());
    }
    // Dots in strings and comments are text.
    let dots = ".".repeat(1000);
    read_ok(&with(&format!(
        "# {dots}\nassume_encoding = \"{dots}\" # {dots}\n[policy]\npacks = ['{dots}', '''\n{dots}x''']\n"
    )));
}

/// A piece of TOML that is often almost right.
fn piece() -> impl Strategy<Value = String> {
    let option = (0..OPTIONS.len()).prop_map(|index| &OPTIONS[index]);
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("-1".to_owned()),
        Just("1.5".to_owned()),
        Just("nan".to_owned()),
        Just("true".to_owned()),
        Just("2024-01-01T00:00:00Z".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("[{}, 1, \"x\"]".to_owned()),
        Just("{ mask = \"email\", keep = 1 }".to_owned()),
        Just("\"${CANARY}\"".to_owned()),
        Just("\"${NONE\"".to_owned()),
        "\\PC{0,12}".prop_map(|text| format!("{text:?}")),
    ];
    let line = (option, value, any::<bool>()).prop_map(|(option, value, example)| {
        let value = if example && !option.example.is_empty() { option.example.to_owned() } else { value };
        format!("{} = {value}\n", option.path.replace('*', "\"a.b\""))
    });
    let header = (0..OPTIONS.len(), any::<bool>()).prop_map(|(index, double)| {
        let path = OPTIONS[index].path.replace('*', "\"a.b\"");
        if double { format!("[[{path}]]\n") } else { format!("[{path}]\n") }
    });
    prop_oneof![4 => line, 1 => header, 1 => "\\PC{0,20}\n"]
}

/// What must hold for every text: an answer, and if it is a refusal, one that says something and no secret.
fn answer_is_sound(text: &str) -> Result<(), TestCaseError> {
    if let Err(reports) = read(text) {
        prop_assert!(!reports.is_empty());
        let shown = show(&reports);
        prop_assert!(!shown.contains(CANARY), "{}", shown);
        for report in &reports {
            prop_assert!(report.state.is_some() && report.hint.is_some(), "{}", shown);
            prop_assert!(report.place.is_some() || report.code == "config::empty", "{}", shown);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gets_an_answer(text in "\\PC{0,200}") {
        answer_is_sound(&text)?;
    }

    #[test]
    fn any_options_get_an_answer(pieces in proptest::collection::vec(piece(), 0..8), minimal in any::<bool>()) {
        let head = if minimal { MINIMAL } else { "" };
        // Dotted keys under [source] would all be unknown; a header of its own keeps them at the top.
        answer_is_sound(&format!("{}{head}", pieces.concat()))?;
    }

    #[test]
    fn a_damaged_example_gets_an_answer(at in 0..EXAMPLE.len(), cut in 0..40_usize, put in "[\\[\\]{}=.,\"'#\n\\\\a-c0-9 ]{0,6}") {
        let mut text = CONTRACT.to_owned();
        let floor = |mut at: usize| { while !text.is_char_boundary(at) { at -= 1; } at };
        let start = floor(at % text.len());
        let end = floor((start + cut).min(text.len()));
        text.replace_range(start.min(end)..end.max(start), &put);
        answer_is_sound(&text)?;
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = load::decode(bytes, "restage.toml");
    }

    #[test]
    fn a_glob_made_of_a_name_matches_it(name in "[a-c.]{0,12}", from in 0..12_usize, length in 0..12_usize) {
        let start = from.min(name.len());
        let end = (start + length).min(name.len());
        let pattern = format!("{}*{}", &name[..start], &name[end..]);
        prop_assert!(matches(&pattern, &name));
    }
}

#[test]
fn the_file_of_a_lookup_takes_the_place_of_its_path() {
    let decisions = r#"
        [tables."public.people".columns]
        team = { mask = "lookup", file = "teams.csv", take = "name" }
        doc = { mask = "json", rest = "keep", paths = { "$.team" = { mask = "lookup/1", file = "../teams.csv" } } }
        other = { mask = "pattern", file = "teams.csv" }
    "#;
    let main = format!("include = [\"policy/people.toml\"]\n{}", with(""));
    let files = [("restage.toml", main.as_str()), ("policy/people.toml", decisions)];
    let with_csv =
        |inner: &'static str| [&files[..], &[("policy/teams.csv", "name\nSales\n"), ("teams.csv", inner)]].concat();
    let config = read_files(&with_csv("name\nLegal\n")).unwrap_or_else(|reports| panic!("{}", show(&reports)));
    let columns = &config.tables.iter().find(|rule| rule.pattern == "public.people").unwrap().columns;
    let params = |column: &str| match &columns.iter().find(|(name, _)| name == column).unwrap().1.action {
        Action::Mask(rule) => rule.params.clone(),
        _ => panic!("{column} is masked"),
    };
    assert_eq!(params("team")["file"], "name\nSales\n");
    assert_eq!(params("doc")["paths"]["$.team"]["file"], "name\nLegal\n");
    assert_eq!(params("other")["file"], "teams.csv", "of other kinds it is a parameter like any other");
    let changed = read_files(&with_csv("name\nHR\n")).unwrap_or_else(|reports| panic!("{}", show(&reports)));
    assert_ne!(changed.hash, config.hash);
    let reports = read_files(&files).unwrap_err();
    let told: Vec<_> = reports.iter().map(|report| (report.code, report.place.clone().unwrap_or_default())).collect();
    assert_eq!(
        told,
        [
            ("config::mask-file", "policy/people.toml:3:42".to_owned()),
            ("config::mask-file", "policy/people.toml:4:96".to_owned())
        ]
    );
}
