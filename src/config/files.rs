//! Files that masks read: the text takes the place of the path, because masks do no input and output. And programs that
//! masks run, whose path is relative to the configuration.

use super::read::Context;
use super::tree::{Entries, Value};
use crate::error::Report;
use std::io::Read as _;
use std::path::Path;

/// Largest file of a mask. Its text is part of the plan, once for each column that draws from it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The kind of mask that takes a file, and the parameter that names it.
fn takes_file(kind: &str) -> bool {
    kind.split('/').next() == Some("lookup")
}

/// Reads the file of a mask.
///
/// # Errors
/// A report that names the file and why it cannot be used.
pub fn read_lookup(path: &Path) -> Result<String, Box<Report>> {
    let shown = path.strip_prefix("./").unwrap_or(path).display().to_string();
    let fail = |what: String, hint: String| Box::new(Report::new("config::mask-file", what).hint(hint));
    let unreadable = |error: std::io::Error| {
        let report = fail(format!("the file {shown} of a mask cannot be read"), format!("ls -l {shown}"));
        Box::new(report.detail(format!("{error}.")))
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let what = format!("the file {shown} of a mask is larger than {}", super::units::show_size(FILE_BYTES_MAX));
        return Err(fail(what, "Keep the columns and rows that the mask needs.".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| {
        let hint = format!("Convert it: `iconv -f LATIN1 -t UTF-8 {shown}`.");
        fail(format!("the file {shown} of a mask is not UTF-8"), hint)
    })
}

/// Puts the text of a file where a mask, or one inside its parameters, names its path.
pub(super) fn load(context: &Context<'_>, kind: Option<&str>, entries: &mut Entries) {
    let takes_file = kind.is_some_and(takes_file);
    let runs = kind.is_some_and(|kind| kind.split('/').next() == Some("command"));
    for (key, node) in entries {
        match &mut node.value {
            // A program is found beside the configuration, wherever the run begins.
            Value::Array(words) if runs && key.name == "command" => {
                let folder = context.files.folder(node.at.file);
                if let Some(Value::Text(program)) = words.first_mut().map(|word| &mut word.value)
                    && let Some(name) = program.resolved.as_ref().filter(|name| name.contains('/'))
                {
                    let path = folder.join(name);
                    // A path without a folder is no path to the mask.
                    let path = if path.components().count() == 1 { Path::new(".").join(path) } else { path };
                    program.resolved = path.to_str().map(str::to_owned);
                }
            }
            Value::Text(text) if takes_file && key.name == "file" => {
                // An unresolved variable was reported before.
                let Some(name) = &text.resolved else { continue };
                let path = context.files.folder(node.at.file).join(name);
                match read_lookup(&path) {
                    Ok(content) => text.resolved = Some(content),
                    Err(report) => {
                        text.resolved = None;
                        context.report(node.at, *report);
                    }
                }
            }
            Value::Table(inner) => {
                let kind = inner.iter().find(|(key, _)| key.name == "mask").and_then(|(_, node)| match &node.value {
                    Value::Text(text) => text.resolved.clone(),
                    _ => None,
                });
                load(context, kind.as_deref(), inner);
            }
            _ => {}
        }
    }
}
