//! What was found, for machines that read it: SARIF 2.1.0 and annotations of GitHub workflows.

use super::{ColumnFound, Discovery, TableFound};
use crate::plan::draft::toml_key;
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

/// The file and line to look at: where the column is decided or its table stands, else the file a decision belongs in.
fn at(column: &ColumnFound, config: &str) -> (String, u32) {
    column.place.as_ref().map_or_else(
        || (config.to_owned(), 1),
        |place| (place.file.strip_prefix("./").unwrap_or(&place.file).display().to_string(), place.line),
    )
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
            let (file, line) = at(column, config);
            json!({
                "ruleId": column.findings[0].category,
                "level": "warning",
                "message": {"text": message(table, column)},
                "locations": [{
                    "physicalLocation": {"artifactLocation": {"uri": file}, "region": {"startLine": line}},
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

/// One line per column: `::warning file=restage.toml,line=12,title=…::…`.
pub fn github(found: &Discovery, config: &str) -> String {
    let lines = open(found).map(|(table, column)| {
        let title = format!("{} in {}.{}", column.findings[0].category, table.table, column.name);
        let proposal = column.proposal.as_ref().map(|toml| format!(". Proposed: {} = {toml}", toml_key(&column.name)));
        let text = format!("{}{}", message(table, column), proposal.unwrap_or_default());
        let (file, line) = at(column, config);
        format!("::warning file={},line={line},title={}::{}\n", property(&file), property(&title), data(&text))
    });
    lines.collect()
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::Said;
    use super::*;
    use crate::detect::Class;
    use crate::plan::Place;

    fn column(name: &str, place: Option<Place>) -> ColumnFound {
        let said = Said {
            category: "email".into(),
            class: Class::Direct,
            detector: "email".into(),
            score: 0.9,
            evidence: vec![],
        };
        ColumnFound {
            name: name.into(),
            type_name: "text".into(),
            findings: vec![said],
            paths: Vec::new(),
            standing: "undecided",
            because: None,
            looks_away: false,
            proposal: Some("\"email\"".into()),
            open: false,
            place,
        }
    }

    #[test]
    fn findings_stand_where_they_are_decided_and_lines_are_toml() {
        let place = Place { file: "./tables/people.toml".into(), line: 12, ..Place::default() };
        let columns = vec![column("E-Mail Adresse", Some(place)), column("*", None)];
        let table =
            TableFound { table: "public.people".into(), anchor: None, rows: 1, rows_estimate: 1, columns, file: None };
        let found = Discovery { tables: vec![table], ..Discovery::default() };
        let told = github(&found, "restage.toml");
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines[0].starts_with("::warning file=tables/people.toml,line=12,title="), "{told}");
        assert!(lines[0].ends_with("Proposed: \"E-Mail Adresse\" = \"email\""), "{told}");
        assert!(lines[1].starts_with("::warning file=restage.toml,line=1,title="), "{told}");
        assert!(lines[1].ends_with("Proposed: \"\\\\*\" = \"email\""), "{told}");
        let log = sarif(&found, "restage.toml");
        let location = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"]["uri"], "tables/people.toml");
        assert_eq!(location["region"]["startLine"], 12);
    }
}
