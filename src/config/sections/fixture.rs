//! `[fixture]`.

use super::{COVER, In};
use crate::config::options::Kind;
use crate::config::read::{Wrong, resolved};
use crate::config::tree::Value;
use crate::config::{FixtureConfig, FixtureFormat, RowsEach};
use serde_json::Value as Json;

fn rows_each(section: In<'_, '_, '_>) -> Option<RowsEach> {
    section.value("rows", |option, node| {
        let Kind::RowsEach { max } = option.kind else { return Err(Wrong::Type) };
        let hint = || "rows = 50     # or \"all\"".to_owned();
        match node.value {
            Value::Integer(rows) if (1..=max).contains(&rows) => {
                Ok((RowsEach::Max(rows.unsigned_abs()), Json::from(rows)))
            }
            Value::Integer(_) => Err(Wrong::Hint("is out of range".to_owned(), hint())),
            _ if resolved(node)? == "all" => Ok((RowsEach::All, Json::from("all"))),
            _ => Err(Wrong::Hint("is neither a number nor \"all\"".to_owned(), hint())),
        }
    })
}

pub(super) fn fixture(section: In<'_, '_, '_>) -> Option<FixtureConfig> {
    let format = section.choice("format", &[FixtureFormat::Sql, FixtureFormat::Parquet, FixtureFormat::Csv]);
    let rows = rows_each(section);
    let (cover, tuples) = (section.choices("cover", &COVER), section.texts("tuples"));
    let place = section.context.files.place(section.at);
    Some(FixtureConfig { format: format?, rows, cover: cover?, tuples: tuples?, place })
}
