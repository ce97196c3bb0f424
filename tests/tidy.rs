//! What a reviewer would look for, held by a test: layers, sizes, unfinished marks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each module may import; whatever is not listed here may not be imported.
const LAYERS: &[(&str, &[&str])] = &[
    ("artefact", &["catalog", "error", "pg"]),
    ("buffers", &[]),
    ("error", &[]),
    ("event", &[]),
    ("release", &[]),
    ("config", &["error"]),
    ("manifest", &["error"]),
    ("outcome", &["artefact", "config", "detect", "error", "event", "lock", "manifest", "plan"]),
    ("rego", &["error"]),
    ("mask", &["error", "rounds"]),
    ("detect", &["mask"]),
    ("measure", &[]),
    ("proof", &["mask", "measure", "rounds"]),
    ("pg", &["buffers", "catalog", "error", "mask", "rounds"]),
    ("catalog", &["error", "plan"]),
    ("plan", &["catalog", "config", "detect", "error", "mask", "pg", "rowset"]),
    ("rounds", &[]),
    ("rowset", &[]),
    ("lock", &["catalog", "config", "detect", "error", "mask", "plan"]),
    ("secret", &["config", "error"]),
    ("discover", &["catalog", "detect", "error", "mask", "pg", "plan"]),
    ("extract", &["artefact", "buffers", "config", "error", "event", "pg", "plan", "rowset"]),
    ("load", &["artefact", "catalog", "config", "error", "event", "pg", "plan", "release"]),
    ("subset", &["catalog", "config", "error", "extract", "mask", "pg", "plan", "rowset"]),
    ("publish", &["error", "load", "pg", "release"]),
    ("guard", &["catalog", "error", "load", "pg", "publish", "release"]),
    ("verify", &["config", "detect", "error", "load", "manifest", "mask", "measure", "outcome", "pg", "plan", "proof"]),
    ("pipeline", &["buffers", "error", "event", "extract", "load", "mask", "pg", "plan", "proof"]),
    ("trial", &["catalog", "config", "error", "mask", "outcome", "plan"]),
    ("demo", &["error"]),
    ("report", &["error", "event", "lock", "manifest", "outcome", "release"]),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).expect("a folder of the project").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file is text");
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 50, "the sources were found");
    found
}

/// The top-level module a file belongs to.
fn module(path: &Path) -> String {
    let relative = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("below src");
    let first = relative.components().next().expect("a file").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Code without its tests: they may look anywhere.
fn production(path: &Path, text: &str) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    if name == "tests.rs" || name.ends_with("_tests.rs") {
        return None;
    }
    Some(text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text).to_owned())
}

#[test]
fn imports_go_down_only() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let from = module(&path);
        let (Some(allowed), Some(text)) = (layers.get(from.as_str()), production(&path, &text)) else { continue };
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for piece in line.split("crate::").skip(1) {
                let to: String = piece.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                let known = layers.contains_key(to.as_str()) || to == "cli" || to == "refresh";
                if known && to != from && !allowed.contains(&to.as_str()) {
                    wrong.push(format!("{}: {from} imports {to}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_have_a_size_one_can_read() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter_map(|(path, text)| {
            let lines = production(&path, &text)?.lines().count();
            (lines > 800).then(|| format!("{} has {lines} lines: look for a seam", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("FIX", "ME"), concat!("TO", "DO")];
    let found: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| marks.iter().any(|mark| text.contains(mark)))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_the_command_line_prints() {
    let found: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| module(path) != "cli")
        .filter(|(path, text)| {
            production(path, text).is_some_and(|text| text.contains("println!(") || text.contains("print!("))
        })
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// Kinds and forms of decision in the second column of the tables, between backquotes, that are none of parameters.
fn kinds_named(text: &str) -> Vec<String> {
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("|--"));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").split_once(" | ").map(|(_, cell)| cell));
    let mut named = Vec::new();
    for cell in cells {
        for word in cell.split('`').skip(1).step_by(2) {
            let kind = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '_';
            if word.chars().all(kind) {
                named.push(word.to_owned());
            }
        }
    }
    named
}

#[test]
fn every_kind_that_newcomers_are_pointed_to_exists() {
    /// Parameters, filters and functions of other tools that stand between backquotes without being kinds.
    const NO_KINDS: &[&str] = &[
        "when",
        "otherwise",
        "timeout",
        "restarts",
        "else",
        "fake_city_in_country",
        "fake_region_in_country",
        "find",
        "generate",
        "hipaa3",
        "keep_first",
        "keep_last",
        "length",
        "lower",
        "map",
        "match",
        "paths",
        "part",
        "rest",
        "slug",
        "subject",
        "upper",
        "values",
        "days_max",
        "locale",
        "locale_from",
        "rows",
        "fill",
        "label",
    ];
    /// Containers whose parts are masked; a column of their type takes its decision under these words.
    const CONTAINERS: &[&str] = &["range", "hstore", "composite"];
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/coming-from.md");
    let text = std::fs::read_to_string(path).expect("the page is there");
    let named = kinds_named(&text);
    assert!(named.len() > 200, "{}", named.len());
    let unknown: Vec<&String> = named
        .iter()
        .filter(|word| !NO_KINDS.contains(&word.as_str()) && !CONTAINERS.contains(&word.as_str()))
        .filter(|word| restage::mask::kind(word).is_none())
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    for heading in ["## Greenmask", "## PostgreSQL Anonymizer", "## Neosync", "## Tonic Structural"] {
        assert!(text.contains(heading), "{heading}");
    }
}

/// Crates that only tests use turn more of it on, so a test cannot see what a build without them lacks.
#[test]
fn expressions_of_ours_compile_in_a_build_without_the_crates_of_tests() {
    let manifest = std::fs::read_to_string("Cargo.toml").expect("Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with("regex = ")).expect("regex is used");
    let used = |mark: &str| sources().iter().any(|(_, text)| text.contains(mark));
    for (mark, feature) in [(r"\p{L}", "unicode-gencat"), ("(?i)", "unicode-case"), (r"\w", "unicode-perl")] {
        assert!(!used(mark) || line.contains(feature), "{mark} needs the feature {feature} of regex");
    }
    let other = [r"\p{Greek", r"\p{Latin", r"\p{Han", r"\p{Alphabetic", r"\p{Upper"];
    assert!(!other.iter().any(|mark| used(mark)), "scripts and properties need more features of regex");
}

/// The table of `src/mask/tests.rs` is what finds the tests of MASKING.md, section 10.
#[test]
fn obligations_of_the_masking_core_are_met_by_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| std::fs::read_to_string(path).expect("a source file is text");
    let mut texts: Vec<String> = sources().into_iter().map(|(_, text)| text).collect();
    for entry in std::fs::read_dir(root.join("tests")).expect("the tests").flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "rs") {
            texts.push(read(&entry.path()));
        }
    }
    let table = read(&root.join("src/mask/tests.rs"));
    let lines: Vec<&str> = table.lines().filter(|line| line.starts_with("//! | T")).collect();
    for number in 1..=12 {
        let named = lines.iter().any(|line| line.starts_with(&format!("//! | T{number} ")));
        assert!(named, "T{number} is in the table");
    }
    for name in lines.iter().flat_map(|line| line.split('`').skip(1).step_by(2)) {
        let exists = match name.contains('/') {
            true => root.join(name).exists(),
            false => texts.iter().any(|text| text.contains(&format!("fn {name}("))),
        };
        assert!(exists, "{name} is in the table of src/mask/tests.rs and nowhere else");
    }
}
