use super::*;
use crate::mask::batch::RawBatch;
use crate::mask::{ColumnSpec, MaskSpec, Masker, MasterKey, TableSpec};
use arrow_array::{Int32Array, StringViewArray};
use serde_json::json;
use std::path::Path;

fn masker(shape: Shape, params: Value) -> Masker {
    let Value::Object(params) = params else { panic!("an object") };
    let mask = MaskSpec { kind: "command/1".to_owned(), label: String::new(), params, subject: None };
    let column = ColumnSpec { name: "public.t.c".to_owned(), shape, mask: Some(mask) };
    let table = TableSpec { columns: vec![column], ..TableSpec::default() };
    Masker::compile(&MasterKey::test().realm("default"), &table).expect("the program is there")
}

fn shell(script: &str) -> Value {
    json!({"command": ["/bin/sh", "-c", script], "timeout": 20})
}

fn with(mut params: Value, name: &str, value: impl Into<Value>) -> Value {
    params[name] = value.into();
    params
}

fn column(masker: &Masker, column: ArrayRef) -> Result<ArrayRef, MaskError> {
    let raw = RawBatch { rows: column.len(), wire: bytes::Bytes::new(), gaps: Vec::new(), columns: vec![column] };
    masker.apply(raw).map(|masked| Arc::clone(&masked.columns()[0]))
}

fn texts(masker: &Masker, values: &[Option<&str>]) -> Result<Vec<Option<String>>, MaskError> {
    let masked = column(masker, Arc::new(StringViewArray::from(values.to_vec())))?;
    Ok(masked.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
}

/// Answers with the value it was asked for, which shows what comes and goes.
const ECHO_JSON: &str = r#"while IFS= read -r line; do v=${line#\{\"value\":}; printf '%s\n' "${v%,\"seed\":*}"; done"#;

const ODD: [Option<&str>; 7] =
    [Some("a \"quoted\", text"), None, Some(""), Some("  "), Some("two\nlines"), Some("Zoë 日本 \\n"), Some("x")];

#[test]
fn json_lines_carry_every_text_and_null_and_blank_are_not_asked_for() {
    let masker = masker(Shape::TEXT, shell(ECHO_JSON));
    for _ in 0..3 {
        let masked = texts(&masker, &ODD).expect("answered");
        assert_eq!(masked, ODD.map(|text| text.map(str::to_owned)));
    }
    let counts = format!(
        "n=0; {}",
        r#"while IFS= read -r line; do case $line in '') echo;; *) n=$((n+1)); echo "\"$n\"";; esac; done"#
    );
    let counted = texts(&self::masker(Shape::TEXT, shell(&counts)), &ODD).expect("answered");
    let counted: Vec<Option<&str>> = counted.iter().map(Option::as_deref).collect();
    assert_eq!(counted, [Some("1"), None, Some(""), Some("  "), Some("2"), Some("3"), Some("4")]);
}

#[test]
fn csv_lines_carry_every_text() {
    // `cat` gives both fields back: one field too many. Without the seed, a field is what it was.
    let cat = with(json!({"command": ["/bin/cat"]}), "format", "csv");
    let error = texts(&masker(Shape::TEXT, cat), &ODD).expect_err("two fields");
    assert_eq!(
        error.to_string(),
        "column \"public.t.c\", row 0 of the batch: its program gave a line that is not one CSV field"
    );
    let cut = with(json!({"command": ["/bin/sed", "-u", r#"s/,"[0-9a-f]\{32\}"$//"#]}), "format", "csv");
    assert_eq!(texts(&masker(Shape::TEXT, cut), &ODD).expect("answered"), ODD.map(|text| text.map(str::to_owned)));
}

#[test]
fn seeds_depend_on_the_value_alone() {
    const SEED: &str = r#"while IFS= read -r line; do s=${line%\"*}; s=${s##*\"}; echo "${line:+\"$s\"}"; done"#;
    let masker = masker(Shape::TEXT, shell(SEED));
    let once = texts(&masker, &[Some("a"), Some("b"), Some("a")]).expect("answered");
    assert_eq!(once[0], once[2]);
    assert_ne!(once[0], once[1]);
    assert!(once.iter().flatten().all(|seed| seed.len() == 32 && seed.bytes().all(|b| b.is_ascii_hexdigit())));
    assert_eq!(texts(&masker, &[Some("b")]).expect("answered"), [once[1].clone()]);
}

#[test]
fn numbers_dates_and_documents_keep_their_type() {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None, Some(-40)]));
    let masked = column(&masker(Shape::Int4, shell(ECHO_JSON)), Arc::clone(&numbers)).expect("answered");
    assert_eq!(&masked, &numbers);
    let dates: ArrayRef = Arc::new(arrow_array::Date32Array::from(vec![Some(0), None, Some(i32::MAX), Some(-719_162)]));
    assert_eq!(&column(&masker(Shape::Date, shell(ECHO_JSON)), Arc::clone(&dates)).expect("answered"), &dates);
    let same = |answer: &str| shell(&format!("while IFS= read -r l; do echo \"${{l:+{answer}}}\"; done"));
    for (shape, answer) in [(Shape::Int2, "40000"), (Shape::Int4, "\\\"x\\\""), (Shape::Date, "\\\"2024-02-30\\\"")] {
        let column: ArrayRef = match shape {
            Shape::Int2 => Arc::new(arrow_array::Int16Array::from(vec![1])),
            Shape::Int4 => Arc::new(Int32Array::from(vec![1])),
            _ => Arc::new(arrow_array::Date32Array::from(vec![1])),
        };
        let error = self::column(&masker(shape, same(answer)), column).expect_err(answer);
        assert!(error.reason.contains("type of the column"), "{error}");
    }
    let document: [Option<&str>; 1] = [Some(r#"{"a": 1}"#)];
    assert_eq!(
        texts(&masker(Shape::Jsonb, shell(ECHO_JSON)), &document).expect("answered"),
        [Some(r#"{"a": 1}"#.to_owned())]
    );
    let error = texts(&masker(Shape::Json, same("\\\"{\\\"")), &document).expect_err("no document");
    assert!(error.reason.contains("no JSON document"), "{error}");
    let nulls = texts(&masker(Shape::TEXT, same("null")), &[Some("a"), None]).expect("answered");
    assert_eq!(nulls, [None, None]);
}

#[test]
fn wrong_answers_are_told_with_row_and_without_value() {
    let line = |answer: &str| format!("while IFS= read -r l; do {answer}; done");
    for (script, row, says) in [
        (line("echo; [ -n \"$l\" ] || exit"), 1, "gave 0 answers to 3 values"),
        (line("[ -n \"$l\" ] && echo '\"x\"'; echo '\"x\"'; [ -n \"$l\" ] || echo"), 4, "more answers"),
        (line("echo secret-person"), 1, "no JSON string"),
        (line("echo '[1]'"), 1, "no JSON string"),
        (line("echo '\"longer than five\"'"), 1, "longer text"),
        (line("echo '\"\\\\u0000\"'"), 1, "U+0000"),
    ] {
        let narrow = Shape::Text { chars_max: Some(5), padded: false };
        let values = [None, Some("secret-person"), Some("b"), None, Some("c")];
        // Answers of the right form need their empty line.
        let script = if script.contains("echo '\"") && !script.contains("&&") {
            script.replace("do echo", "do [ -z \"$l\" ] && echo || echo")
        } else {
            script
        };
        let error = texts(&masker(narrow, shell(&script)), &values).expect_err(says);
        assert!(error.reason.contains(says), "{script}: {error}");
        assert_eq!((error.column.as_str(), error.row), ("public.t.c", row), "{script}");
        let report = crate::error::Diagnose::reports(&error).remove(0);
        assert_eq!(report.code, "mask::program");
        assert!(!format!("{error} {error:?} {report:?}").contains("secret"), "{error}");
    }
}

#[test]
fn a_program_that_ends_is_started_again_a_bounded_number_of_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let marks = folder.path().join("starts");
    let starts = |marks: &Path| std::fs::read_to_string(marks).unwrap_or_default().len();
    // Dies in the middle of its first batch, and in the middle of the second process's second batch.
    let script = format!(
        "printf x >>{0}; n=$(wc -c <{0}); while IFS= read -r l; do [ $n = 1 ] && exit 3; echo \"${{l:+\\\"ok\\\"}}\"; done",
        marks.display()
    );
    let masker = masker(Shape::TEXT, shell(&script));
    let all_ok = [Some("ok".to_owned()), Some("ok".to_owned())];
    assert_eq!(texts(&masker, &[Some("a"), Some("b")]).expect("answered"), all_ok);
    assert_eq!(texts(&masker, &[Some("a"), Some("b")]).expect("answered"), all_ok);
    assert_eq!(starts(&marks), 2, "the process that works is kept");
    std::fs::remove_file(&marks).expect("removed");
    let script = format!("printf x >>{}; exit 1", marks.display());
    let error = texts(&self::masker(Shape::TEXT, with(shell(&script), "restarts", 2)), &[None, Some("a"), Some("b")]);
    let error = error.expect_err("it never answers");
    assert!(error.reason.contains("too often") && error.reason.contains("rows 1 to 2"), "{error}");
    assert_eq!(starts(&marks), 3);
}

#[test]
fn a_program_that_is_late_is_killed_with_what_it_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let pid = folder.path().join("pid");
    let script = format!("sleep 1000 & echo $! >{}; cat >/dev/null; wait", pid.display());
    let masker = masker(Shape::TEXT, with(shell(&script), "timeout", 1));
    let started = Instant::now();
    let error = texts(&masker, &[Some("a")]).expect_err("it never answers");
    assert!(error.reason.contains("within 1 s"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(15));
    let pid = std::fs::read_to_string(&pid).expect("it has started");
    let status = Path::new("/proc").join(pid.trim()).join("status");
    let gone = || std::fs::read_to_string(&status).map_or(true, |text| text.contains("State:\tZ"));
    let until = Instant::now() + Duration::from_secs(5);
    while !gone() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(gone(), "the child of the program is gone too");
}

#[test]
fn programs_get_no_environment_of_ours() {
    let script = r#"while IFS= read -r l; do echo "${l:+\"$(env | grep -v '^_=\|^PWD=\|^OLDPWD=\|^SHLVL=' | sort | tr '\n' ' ')\"}"; done"#;
    let masked = texts(&masker(Shape::TEXT, shell(script)), &[Some("a")]).expect("answered");
    assert_eq!(masked[0].as_deref(), Some("LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin "));
}

#[test]
fn a_program_may_read_a_whole_batch_before_it_answers() {
    // Far more than two pipes hold, in both directions.
    let script = r#"f=$(mktemp); : >"$f"; while IFS= read -r l; do case $l in '') cat "$f"; : >"$f"; echo;;
        *) v=${l#\{\"value\":}; printf '%s\n' "${v%,\"seed\":*}" >>"$f";; esac; done; rm "$f""#;
    let masker = masker(Shape::TEXT, shell(script));
    let values: Vec<String> = (0..1_000).map(|number| format!("{number}").repeat(300)).collect();
    let asked: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
    let masked = texts(&masker, &asked).expect("answered");
    assert!(masked.iter().zip(&values).all(|(masked, value)| masked.as_deref() == Some(value)));
}

#[test]
fn each_thread_has_a_process_of_its_own() {
    let script = r#"while IFS= read -r l; do sleep 0.1; echo "${l:+\"$$\"}"; done"#;
    let masker = masker(Shape::TEXT, shell(script));
    let pids = Mutex::new(std::collections::BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..2 {
                    let masked = texts(&masker, &[Some("a")]).expect("answered");
                    pids.lock().expect("no thread panics").insert(masked[0].clone());
                }
            });
        }
    });
    let processes = pids.into_inner().expect("no thread panics").len();
    assert!((1..=3).contains(&processes), "{processes}");
}

#[test]
fn what_cannot_be_run_is_refused_before_a_row_is_read() {
    for command in
        [json!([]), json!(["mask.py"]), json!(["./no/such/program"]), json!(["/etc/passwd"]), json!(["/tmp"])]
    {
        let params = serde_json::from_value(json!({ "command": command })).expect("an object");
        let spec = MaskSpec { kind: "command/1".to_owned(), label: String::new(), params, subject: None };
        let column = ColumnSpec { name: "t.c".to_owned(), shape: Shape::TEXT, mask: Some(spec) };
        let table = TableSpec { columns: vec![column], ..TableSpec::default() };
        assert!(Masker::compile(&MasterKey::test().realm("default"), &table).is_err(), "{command}");
    }
}
