//! Masks by a program of the user's (`command`), through real servers.

use crate::support::Lab;
use std::os::unix::fs::PermissionsExt as _;

/// Answers with the seed; tells everything on standard error, and dies once in the middle of its work.
const PROGRAM: &str = r#"#!/bin/sh
n=0
while IFS= read -r line; do
    printf 'heard %s\n' "$line" >&2
    n=$((n + 1))
    if [ $n = 50 ] && [ ! -e "$1" ]; then : >"$1"; exit 1; fi
    case $line in
        '') echo ;;
        *) s=${line%\"*}; s=${s##*\"}; echo "\"badge-$s\"" ;;
    esac
done
"#;

fn lab(name: &str, stderr: &str, body: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(
        "CREATE TABLE staff (id int PRIMARY KEY, badge varchar(40)); \
         INSERT INTO staff SELECT g, CASE WHEN g % 10 > 0 THEN 'canary-badge-' || g % 100 END FROM generate_series(1, 3000) g;",
    );
    let program = lab.path("mask.sh");
    std::fs::write(&program, body).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let marker = lab.path("died");
    lab.config(&format!(
        "[tables.\"public.staff\".columns]\nid = \"keep\"\n\
         badge = {{ mask = \"command\", command = [\"./mask.sh\", \"{}\"], stderr = \"{stderr}\" }}\n",
        marker.display()
    ));
    lab
}

#[test]
fn a_program_masks_a_column_and_is_not_heard() {
    let lab = lab("program", "discard", PROGRAM);
    let ran = lab.refresh();
    assert!(lab.path("died").exists(), "it died once and was started again");
    assert!(!ran.stderr.contains("canary") && !ran.stdout.contains("canary"), "{}", ran.stderr);
    let counts = "SELECT count(*), count(badge), count(DISTINCT badge) FROM staff";
    assert_eq!(lab.staging(counts), lab.production(counts));
    assert_eq!(lab.staging("SELECT count(*) FROM staff WHERE badge !~ '^badge-[0-9a-f]{32}$'"), "0");
}

#[test]
fn what_a_program_prints_is_shown_if_the_policy_says_so() {
    let lab = lab("program_shown", "show", PROGRAM);
    assert!(lab.refresh().stderr.contains("canary-badge-7"));
}

#[test]
fn a_program_that_answers_wrongly_stops_the_run_and_nothing_it_heard_is_told() {
    let lab = lab("program_wrong", "discard", "#!/bin/sh\nexec cat\n");
    let ran = lab.restage(&["refresh", "--yes"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("public.staff.badge") && ran.stderr.contains("no JSON string"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
}
