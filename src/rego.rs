//! Refusals of an organisation: rules in Rego, evaluated over the plan.
//!
//! Each file is a module with rules `deny`; every text in them is a refusal, like those of restage itself. The input is the
//! plan as JSON ([`crate::plan::summary_json`]): names, counts, decisions and what columns look like, no value of a row.
//! Rules see nothing else: no network, no files, no environment, no clock.

use crate::error::Report;
use serde_json::Value;
use std::path::{Path, PathBuf};
#[cfg(feature = "rego")]
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// The refusals of the rules in `files`, in the order of files, then of texts.
///
/// A file that cannot be read or evaluated, or that has no rule `deny`, is a refusal too: rules that do not run are not held.
/// So are rules that do not end in ten seconds.
pub fn judge(files: &[PathBuf], plan: &Value) -> Vec<Report> {
    files.iter().flat_map(|file| judge_file(file, plan, TIME_MAX)).collect()
}

/// For one file. Rules over a plan take milliseconds; what takes longer never ends.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Evaluates in a thread of its own: the engine cannot be told to stop, so one that does not end is left behind, and ends
/// with the program.
#[cfg(feature = "rego")]
fn judge_file(file: &Path, plan: &Value, time_max: Duration) -> Vec<Report> {
    let (send, found) = std::sync::mpsc::channel();
    let (path, input) = (file.to_owned(), plan.clone());
    let thread = std::thread::Builder::new().name("rego".to_owned()).spawn(move || {
        // Nobody listens any more where it took too long.
        let _ = send.send(evaluate(&path, &input));
    });
    let found = match thread {
        Ok(_) => found.recv_timeout(time_max),
        Err(_) => Err(RecvTimeoutError::Disconnected),
    };
    let failed = match found {
        Ok(Ok(refusals)) => return refusals,
        Ok(Err(report)) => *report,
        Err(RecvTimeoutError::Timeout) => {
            let what = format!("the rules of a file of [policy] rego did not end within {} s", time_max.as_secs_f64());
            Report::new("policy::rego", what)
                .detail("Rules that do not end are not held, so nothing is done without them.")
                .hint("Look for a rule that goes through all pairs of something: every `some … in …` multiplies the work.")
        }
        Err(RecvTimeoutError::Disconnected) => {
            Report::new("policy::rego", "the rules of a file of [policy] rego could not be evaluated")
                .detail("The engine ended without an answer.")
        }
    };
    vec![failed.place(file.display().to_string())]
}

#[cfg(not(feature = "rego"))]
fn judge_file(file: &Path, _: &Value, _: Duration) -> Vec<Report> {
    let report = Report::new("policy::rego", "this build evaluates no Rego, and [policy] asks for it")
        .detail("Rules that do not run are not held, so nothing is done without them.");
    vec![report.place(file.display().to_string()).hint("cargo build --release --features rego")]
}

#[cfg(feature = "rego")]
fn evaluate(file: &Path, plan: &Value) -> Result<Vec<Report>, Box<Report>> {
    let wrong = |what: &str, why: String| Box::new(Report::new("policy::rego", what.to_owned()).detail(why));
    let text = std::fs::read_to_string(file)
        .map_err(|error| wrong("a file of [policy] rego cannot be read", format!("{error}.")))?;
    let mut engine = regorus::Engine::new();
    let name = file.display().to_string();
    let package = engine
        .add_policy(name, text)
        .map_err(|error| wrong("a file of [policy] rego is no Rego", error.to_string().trim().to_owned()))?;
    // Written and read again: the engine has its own type of values.
    let input = regorus::Value::from_json_str(&plan.to_string());
    engine.set_input(input.map_err(|error| wrong("the plan cannot be told to the rules", error.to_string()))?);
    let rule = format!("{package}.deny");
    let found = engine.eval_rule(rule.clone()).and_then(|found| found.to_json_str());
    let found = found.map_err(|error| {
        let why = error.to_string().trim().to_owned();
        let report = *wrong("a rule of [policy] rego cannot be evaluated", why);
        Box::new(report.hint("Each file needs a rule `deny`: deny contains message if { …; message := \"why\" }"))
    })?;
    let found: Value = serde_json::from_str(&found).unwrap_or_default();
    let Value::Array(messages) = found else {
        let why = format!("`{rule}` is no set of texts.");
        let hint = "Write: deny contains message if { …; message := \"why\" }";
        let report = *wrong("a rule of [policy] rego gives no refusals", why);
        return Err(Box::new(report.hint(hint)));
    };
    let refusals = messages.iter().map(|message| {
        // A text, or an object with one and a hint.
        let field = |name: &str| message[name].as_str().map(str::to_owned);
        let text = message.as_str().map(str::to_owned).or_else(|| field("message")).or_else(|| field("msg"));
        let report = Report::new("policy::rego", text.unwrap_or_else(|| message.to_string()));
        let report = report.place(file.display().to_string()).detail(format!("Refused by the rule {rule}."));
        match field("hint") {
            Some(hint) => report.hint(hint),
            None => report,
        }
    });
    Ok(refusals.collect())
}

#[cfg(all(test, feature = "rego"))]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(rules: &str) -> Vec<Report> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("own.rego");
        std::fs::write(&file, rules).expect("written");
        let column =
            |name: &str, decision: &str| json!({ "column": name, "decision": decision, "looks_like": ["email"] });
        let plan = json!({ "tables": [{ "table": "public.users", "columns": [column("mail", "keep"), column("other", "null")] }] });
        judge(&[file], &plan)
    }

    #[test]
    fn each_text_is_a_refusal() {
        let rules = "package shop.rules\nimport rego.v1\n\
            deny contains message if {\n some table in input.tables\n some column in table.columns\n \"email\" in column.looks_like\n \
            column.decision == \"keep\"\n message := sprintf(\"%s.%s keeps addresses\", [table.table, column.column])\n}\n";
        let found = judged(rules);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].code, found[0].message.as_str()), ("policy::rego", "public.users.mail keeps addresses"));
        assert!(found[0].detail.as_ref().is_some_and(|detail| detail.contains("data.shop.rules.deny")), "{found:?}");
        assert_eq!(judged(&rules.replace("\"keep\"", "\"mask\"")), []);
    }

    #[test]
    fn rules_that_do_not_end_are_refused_in_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("own.rego");
        let numbers =
            "some a in numbers.range(1, 4000)\n some b in numbers.range(1, 4000)\n some c in numbers.range(1, 4000)";
        let rules =
            format!("package own\nimport rego.v1\ndeny contains \"x\" if {{\n {numbers}\n a + b + c == 0\n}}\n");
        std::fs::write(&file, &rules).expect("written");
        let found = judge_file(&file, &json!({}), Duration::from_millis(200));
        assert!(found.len() == 1 && found[0].message.contains("did not end within 0.2 s"), "{found:?}");
        assert!(found[0].place.as_ref().is_some_and(|place| place.contains("own.rego")), "{found:?}");
        // The twin: the same rule over a few numbers ends, and refuses nothing.
        std::fs::write(&file, rules.replace("4000", "4")).expect("written");
        assert_eq!(judge_file(&file, &json!({}), TIME_MAX), []);
    }

    #[test]
    fn rules_that_do_not_run_are_refused() {
        for (rules, said) in [
            ("package shop\nimport rego.v1\nallow if true\n", "cannot be evaluated"),
            ("package shop\ndeny contains {", "no Rego"),
            ("package shop\nimport rego.v1\ndeny := true\n", "no refusals"),
            (
                "package shop\nimport rego.v1\ndeny contains x if { x := http.send({\"method\": \"get\", \"url\": \"http://h\"}) }\n",
                "",
            ),
        ] {
            let found = judged(rules);
            assert_eq!(found.len(), 1, "{rules}: {found:?}");
            assert!(found[0].message.contains(said), "{found:?}");
        }
        let found = judge(&[PathBuf::from("/nowhere/own.rego")], &json!({}));
        assert!(found.len() == 1 && found[0].message.contains("cannot be read"), "{found:?}");
    }
}
