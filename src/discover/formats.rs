//! What was found, for machines that read it: SARIF 2.1.0 and annotations of GitHub workflows.

use super::{ColumnFound, Discovery, TableFound};
use serde_json::{Value, json};

/// Columns that a reviewer has to look at: personal, and undecided or kept without a reason.
fn open(found: &Discovery) -> impl Iterator<Item = (&TableFound, &ColumnFound)> {
    let columns = found.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    columns.filter(|(_, column)| !column.findings.is_empty() && (column.standing == "undecided" || column.looks_away))
}

fn message(table: &TableFound, column: &ColumnFound) -> String {
    let what = column.findings.first().map_or_else(String::new, super::Said::told);
    let state = if column.looks_away { "is kept without a reason" } else { "has no masking decision" };
    format!("column \"{}.{}\" looks personal ({what}) and {state}", table.table, column.name)
}

/// The log of one run; `config` is the file a decision belongs in.
pub fn sarif(found: &Discovery, config: &str) -> Value {
    let rules: Vec<Value> = crate::detect::categories()
        .iter()
        .map(|category| json!({"id": category.name, "shortDescription": {"text": category.summary}}))
        .collect();
    let results: Vec<Value> = open(found)
        .map(|(table, column)| {
            let name = format!("{}.{}", table.table, column.name);
            json!({
                "ruleId": column.findings[0].category,
                "level": "warning",
                "message": {"text": message(table, column)},
                "locations": [{
                    "physicalLocation": {"artifactLocation": {"uri": config}, "region": {"startLine": 1}},
                    "logicalLocations": [{"fullyQualifiedName": name, "kind": "column"}],
                }],
                "partialFingerprints": {"column/v1": format!("{name}:{}", column.findings[0].category)},
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "restage", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
        }],
    })
}

/// One line per column: `::warning file=restage.toml,title=…::…`.
pub fn github(found: &Discovery, config: &str) -> String {
    let lines = open(found).map(|(table, column)| {
        let title = format!("{} in {}.{}", column.findings[0].category, table.table, column.name);
        let proposal = column.proposal.as_ref().map(|toml| format!(". Proposed: {} = {toml}", column.name));
        let text = format!("{}{}", message(table, column), proposal.unwrap_or_default());
        format!("::warning file={},title={}::{}\n", property(config), property(&title), data(&text))
    });
    lines.collect()
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
