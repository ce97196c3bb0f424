//! Refusals of an organisation: rules in Rego, evaluated over the plan.
//!
//! Each file is a module with rules `deny`; every text in them is a refusal, like those of restage itself. The input is the
//! plan as JSON ([`crate::plan::summary_json`]): names, counts, decisions and what columns look like, no value of a row.
//! Rules see nothing else: no network, no files, no environment, no clock.

use crate::error::Report;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The refusals of the rules in `files`, in the order of files, then of texts.
///
/// A file that cannot be read or evaluated, or that has no rule `deny`, is a refusal too: rules that do not run are not held.
pub fn judge(files: &[PathBuf], plan: &Value) -> Vec<Report> {
    files.iter().flat_map(|file| judge_file(file, plan)).collect()
}

#[cfg(feature = "rego")]
fn judge_file(file: &Path, plan: &Value) -> Vec<Report> {
    match evaluate(file, plan) {
        Ok(refusals) => refusals,
        Err(report) => vec![(*report).place(file.display().to_string())],
    }
}

#[cfg(not(feature = "rego"))]
fn judge_file(file: &Path, _: &Value) -> Vec<Report> {
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
