//! Chooses a scenario: its seeds, with the values of the command line in place of its parameters.

use super::{Children, Config, Dangling, Place, ROWS_EACH, RowsEach, ScenarioConfig, SubsetConfig};
use crate::error::{Exit, Failure, Report};
use std::collections::BTreeMap;

/// Makes the subset of a scenario the subset of the configuration.
///
/// `:name` in a condition or order, outside of quotes and comments, becomes the value as an SQL string literal, whose type
/// the server takes from what it is compared with: a value cannot end the literal it stands in.
///
/// # Errors
/// [`Exit::Usage`]: no such scenario, a parameter without a value, a value without a parameter, or values without a
/// scenario. No report holds a value.
pub fn choose(config: &mut Config, name: Option<&str>, set: &[(String, String)]) -> Result<(), Failure> {
    let Some(name) = name else {
        return match set.first() {
            None => Ok(()),
            Some((param, _)) => Err(usage(format!("--set {param}=… needs --scenario"), known(config))),
        };
    };
    let Some(scenario) = config.scenarios.iter().find(|scenario| scenario.name == name) else {
        return Err(usage(format!("there is no scenario \"{name}\""), known(config)));
    };
    let values = values(scenario, set)?;
    let mut seed = scenario.seed.clone();
    for rule in &mut seed {
        for text in [&mut rule.condition, &mut rule.order].into_iter().flatten() {
            *text = bind(text, &values);
        }
    }
    let before = config.subset.take();
    let (children, place) = (scenario.children, scenario.place.clone());
    let mut subset = before.unwrap_or_else(|| plain(place));
    subset.seed = seed;
    subset.children = children.unwrap_or(subset.children);
    config.subset = Some(subset);
    Ok(())
}

/// A subset of no row, to which others add.
fn plain(place: Place) -> SubsetConfig {
    SubsetConfig {
        seed: Vec::new(),
        children: Children::All,
        edges: Vec::new(),
        whole: Vec::new(),
        cover: Vec::new(),
        tuples: Vec::new(),
        dangling: Dangling::Keep,
        rows_each: None,
        rows_max: None,
        bytes_max: None,
        place,
    }
}

/// The rows of a fixture: those of `[subset]` or of the chosen scenario, those that show what `[fixture]` asks for, and a
/// number of each table. `rows` is what the command line says.
///
/// None: every row.
pub fn fixture_subset(config: &Config, rows: Option<RowsEach>) -> Option<SubsetConfig> {
    let fixture = &config.fixture;
    let chosen = config.subset.is_some() || !fixture.cover.is_empty() || !fixture.tuples.is_empty();
    let rows_each = match rows.or(fixture.rows) {
        Some(RowsEach::All) if !chosen => return None,
        Some(RowsEach::All) => None,
        Some(RowsEach::Max(rows)) => Some(rows),
        None => (!chosen).then_some(ROWS_EACH),
    };
    let mut subset = config.subset.clone().unwrap_or_else(|| plain(fixture.place.clone()));
    let new: Vec<_> = fixture.cover.iter().filter(|cover| !subset.cover.contains(cover)).copied().collect();
    subset.cover.extend(new);
    subset.tuples.extend(fixture.tuples.iter().cloned());
    subset.rows_each = rows_each;
    Some(subset)
}

fn usage(message: String, hint: String) -> Failure {
    Failure::new(Exit::Usage, Report::new("usage::scenario", message).hint(hint))
}

fn known(config: &Config) -> String {
    let names: Vec<&str> = config.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    match names.is_empty() {
        true => "Write [scenario.NAME] with `params` and `seed` in the configuration.".to_owned(),
        false => format!("Scenarios of the configuration: {}.", names.join(", ")),
    }
}

fn values<'a>(scenario: &ScenarioConfig, set: &'a [(String, String)]) -> Result<BTreeMap<&'a str, &'a str>, Failure> {
    let mut values = BTreeMap::new();
    let hint = || {
        let sets: Vec<String> = scenario.params.iter().map(|param| format!(" --set {param}=VALUE")).collect();
        format!("--scenario {}{}", scenario.name, sets.concat())
    };
    for (param, value) in set {
        if !scenario.params.contains(param) {
            return Err(usage(format!("scenario \"{}\" has no parameter \"{param}\"", scenario.name), hint()));
        }
        if values.insert(param.as_str(), value.as_str()).is_some() {
            return Err(usage(format!("parameter \"{param}\" is set twice"), hint()));
        }
    }
    match scenario.params.iter().find(|param| !values.contains_key(param.as_str())) {
        Some(missing) => {
            Err(usage(format!("parameter \"{missing}\" of scenario \"{}\" is not set", scenario.name), hint()))
        }
        None => Ok(values),
    }
}

/// Replaces parameters; what stands in quotes, dollar quotes, comments or after `::` stays.
fn bind(sql: &str, values: &BTreeMap<&str, &str>) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let skip = opaque(rest, out.chars().next_back());
        if skip > 0 {
            out.push_str(&rest[..skip]);
            rest = &rest[skip..];
            continue;
        }
        if first == ':' && !rest.starts_with("::") && !out.ends_with(':') {
            let end = rest[1..].find(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(rest.len(), |end| end + 1);
            if let Some(value) = values.get(&rest[1..end]) {
                out.push_str(&literal(value));
                rest = &rest[end..];
                continue;
            }
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

/// Length of the quoted text or comment that `sql` begins with; 0 if it begins with neither.
fn opaque(sql: &str, before: Option<char>) -> usize {
    let until = |from: usize, end: &str| sql[from..].find(end).map_or(sql.len(), |at| from + at + end.len());
    match sql.as_bytes()[0] {
        // A doubled quote closes and opens again, which comes to the same. Escape strings may hold `\'`.
        b'\'' if matches!(before, Some('e' | 'E')) => {
            let mut at = 1;
            while at < sql.len() && sql.as_bytes()[at] != b'\'' {
                at += if sql.as_bytes()[at] == b'\\' { 2 } else { 1 };
            }
            (at + 1).min(sql.len())
        }
        b'\'' => until(1, "'"),
        b'"' => until(1, "\""),
        b'-' if sql.starts_with("--") => until(2, "\n"),
        b'/' if sql.starts_with("/*") => until(2, "*/"),
        b'$' => match sql[1..].find('$') {
            Some(end) if sql[1..=end].chars().all(|c| c.is_alphanumeric() || c == '_') => {
                let tag = &sql[..end + 2];
                until(tag.len(), tag)
            }
            _ => 0,
        },
        _ => 0,
    }
}

/// An SQL string that means the same with either setting of `standard_conforming_strings`.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(sql: &str, value: &str) -> String {
        bind(sql, &BTreeMap::from([("id", value)]))
    }

    #[test]
    fn parameters_become_literals_that_a_value_cannot_leave() {
        assert_eq!(bound("tenant = :id AND x > 1", "9"), "tenant = '9' AND x > 1");
        assert_eq!(bound("a = :id", "x' OR '1'='1"), "a = 'x'' OR ''1''=''1'");
        assert_eq!(bound("a = :id", "\\'; DROP TABLE t --"), "a = E'\\\\''; DROP TABLE t --'");
        assert_eq!(bound(":id = a OR b = :id", "ü"), "'ü' = a OR b = 'ü'");
    }

    #[test]
    fn what_is_no_parameter_stays() {
        for same in [
            "a::id = 1",
            "a = ':id'",
            "\":id\" = 1",
            "a = 'it''s :id'",
            "a = E'\\' :id'",
            "a = $$:id$$ AND b = $x$ :id $x$",
            "a = 1 -- :id\n",
            "/* :id */ a = 1",
            "a[1:identity] = 2",
        ] {
            assert_eq!(bound(same, "9"), same, "{same}");
        }
    }
}
