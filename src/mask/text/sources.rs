//! Where the names that a text may mention come from: other columns of its row, and of the rows its subject leads to.
//!
//! A column counts by its kind, which makes names, or by its own name, which says that it holds names of persons, whatever
//! masks it ([`super::super::TableSpec::named`]). What stands for a name in the text is then the mask in the column, where
//! that reads as a name could; a hash does, asterisks do not. For all else, NULL and constants of several words included, it
//! is the `pattern` of the name. The elements of arrays count one by one.

use super::super::column::{ColumnMask, Compile, MaskError, Rows};
use super::super::{Params, Shape, kind};
use super::names::{Names, Role};
use super::spans::{Detector, Found};
use arrow_array::{Array, ArrayRef, ListArray, StringArray, StringViewArray, StructArray};
use serde_json::Value;

/// A column that holds names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// In [`super::super::TableSpec::columns`].
    pub index: usize,
    pub role: Role,
    /// Its name says so, its kind does not.
    pub told: bool,
    /// Its mask is of use: it does not wait for the text itself.
    pub masked: bool,
}

/// What a kind that makes names says about a person.
pub(super) fn role(kind: &str, params: &Params) -> Option<Role> {
    let kind = kind.split('/').next().unwrap_or(kind);
    let part = params.get("part").and_then(Value::as_str);
    match (kind, part) {
        ("name.first", _) | ("name.value", Some("first")) => Some(Role::First),
        ("name.last", _) | ("name.value", Some("last")) => Some(Role::Last),
        ("name.full" | "name.value", _) => Some(Role::Full),
        ("username", _) => Some(Role::Username),
        ("company", _) | ("address", None | Some("street")) => Some(Role::Whole),
        // Names are composed and drawn from lists of the user too; a `lookup` that finds codes holds no names.
        ("template", _) => Some(Role::Username),
        ("lookup", _) if !params.contains_key("find") => Some(Role::Username),
        _ => None,
    }
}

/// Returns the columns that hold names: of the row, and of the rows its subjects lead to. Columns with another subject
/// count too: a note about an order names the seller as well as the buyer. Arrays come last: many names of others must not
/// crowd out those of the person.
pub(super) fn of(compile: &Compile<'_>) -> Vec<Source> {
    let columns = compile.table.columns.iter().enumerate().filter(|(index, _)| *index != compile.column);
    let named = columns.filter_map(|(index, column)| {
        let mask = column.mask.as_ref().filter(|_| is_text(&column.shape))?;
        if let Some(role) = role(&mask.kind, &mask.params) {
            return Some(Source { index, role, told: false, masked: true });
        }
        let role = role(compile.table.named.get(&index)?, &Params::new())?;
        let kind = kind(&mask.kind)?;
        // A text is no name, and two of them would wait for each other.
        let text = kind.finds_names(&mask.params);
        let masked = kind.columns_read(&mask.params).is_empty();
        (!text).then_some(Source { index, role, told: true, masked })
    });
    let mut sources: Vec<Source> = named.collect();
    sources.sort_by_key(|source| matches!(compile.table.columns[source.index].shape, Shape::Array(_)));
    sources
}

/// Texts, or arrays of texts.
fn is_text(shape: &Shape) -> bool {
    match shape {
        Shape::Array(inner) => matches!(**inner, Shape::Text { .. }),
        other => matches!(other, Shape::Text { .. }),
    }
}

/// Texts of a column and, for an array, where those of each row begin and end.
struct Texts<'a, T> {
    values: &'a T,
    offsets: Option<&'a [i32]>,
}

impl<'a, T: Array + 'static> Texts<'a, T> {
    fn of(column: &'a ArrayRef) -> Option<Self> {
        if let Some(values) = column.as_any().downcast_ref() {
            return Some(Self { values, offsets: None });
        }
        let list = column.as_any().downcast_ref::<StructArray>()?.columns().get(1)?;
        let list = list.as_any().downcast_ref::<ListArray>()?;
        Some(Self { values: list.values().as_any().downcast_ref()?, offsets: Some(list.value_offsets()) })
    }

    /// The places of the values of a row.
    fn row(&self, row: usize) -> std::ops::Range<usize> {
        match self.offsets {
            None => row..row + 1,
            Some(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
        }
    }
}

/// The name columns of a batch.
pub(super) struct Sources<'a> {
    columns: Vec<Column<'a>>,
    /// Masks names whose column has no mask that could stand in a text.
    spare: &'a dyn ColumnMask,
}

struct Column<'a> {
    source: Source,
    raw: Texts<'a, StringViewArray>,
    masked: Option<Texts<'a, StringArray>>,
}

impl<'a> Sources<'a> {
    pub(super) fn of(sources: &[Source], spare: &'a dyn ColumnMask, rows: &Rows<'a>) -> Result<Self, MaskError> {
        let columns = sources.iter().map(|&source| {
            let raw = Texts::of(rows.raw.get(source.index)?)?;
            let masked = match source.masked {
                true => Some(Texts::of(rows.masked.get(source.index)?.as_ref()?)?),
                false => None,
            };
            Some(Column { source, raw, masked })
        });
        let columns = columns.collect::<Option<Vec<_>>>();
        let columns = columns.ok_or_else(|| MaskError::at(0, "the names of its row are not masked yet"))?;
        Ok(Self { columns, spare })
    }

    /// Fills `names` with those of a row of the batch.
    pub(super) fn fill(&self, row: usize, rows: &Rows<'_>, names: &mut Names) -> Result<(), MaskError> {
        names.clear();
        let mut spare = String::new();
        for Column { source, raw, masked } in &self.columns {
            let places = raw.row(row);
            // A column of NULL has no elements where the names were.
            let same = masked.as_ref().map(|masked| (masked, masked.row(row)));
            let same = same.filter(|(_, theirs)| theirs.len() == places.len());
            for (number, place) in places.enumerate().filter(|(_, place)| raw.values.is_valid(*place)) {
                let name = raw.values.value(place);
                let shown = same.as_ref().map(|(masked, theirs)| (masked.values, theirs.start + number));
                let shown = shown.filter(|(values, place)| values.is_valid(*place));
                let shown = shown.map(|(values, place)| values.value(place));
                match shown.filter(|shown| !source.told || stands_for(name, shown)) {
                    Some(shown) => names.add(source.role, name, shown),
                    None if !source.told => names.add(source.role, name, ""),
                    None => {
                        spare.clear();
                        self.spare.text(name, row, rows, &mut spare)?;
                        names.add(source.role, name, &spare);
                    }
                }
            }
        }
        names.join();
        Ok(())
    }
}

/// The names of the person of a row, looked for where nothing can stand for them: in the keys of a document.
pub(in crate::mask) struct OwnNames(Vec<Source>);

impl OwnNames {
    /// Those that a text in this column may mention, if its mask looks for any.
    pub fn of(compile: &Compile<'_>) -> Self {
        let looks = kind(&compile.spec.kind).is_some_and(|kind| kind.finds_names(&compile.spec.params));
        let mut sources = if looks { of(compile) } else { Vec::new() };
        sources.retain(|source| matches!(source.role, Role::First | Role::Last | Role::Full));
        Self(sources)
    }

    /// Whether a key says who the person is: two of the names, or one of several words. One word may be that of a field,
    /// which is called the same for everybody.
    pub fn are_in(&self, key: &str, row: usize, rows: &Rows<'_>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let mut names = Names::default();
        for source in &self.0 {
            let Some(raw) = rows.raw.get(source.index).and_then(Texts::<StringViewArray>::of) else { continue };
            for place in raw.row(rows.row(row)).filter(|place| raw.values.is_valid(*place)) {
                let name = raw.values.value(place);
                names.add(source.role, name, name);
            }
        }
        let mut found = Found::default();
        found.find(key, &names);
        let mut seen = found.spans.iter().filter_map(|span| match span.detector {
            Detector::Name(needle) => Some(needle),
            _ => None,
        });
        let first = seen.next();
        first.is_some_and(|first| names.has_words(first) || seen.any(|other| other != first))
    }
}

/// Longest mask, in bytes, that stands in a text instead of its own `pattern`.
const SHOWN_MAX: usize = 64;

/// A mask of some kind reads as the name it replaces: words and no more of them, none of them left as it was.
fn stands_for(name: &str, shown: &str) -> bool {
    let words = |text: &str| text.split_whitespace().count();
    let letter = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '\'' | '’' | '.' | ',');
    if shown.len() > SHOWN_MAX || !shown.chars().all(letter) || !(1..=words(name)).contains(&words(shown)) {
        return false;
    }
    let shown = shown.to_lowercase();
    name.split_whitespace().all(|word| !shown.contains(&word.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_that_read_as_names_stand_for_them() {
        for (name, shown) in
            [("Zebediah", "5f3c09d2"), ("Zebediah Quirrell", "Rtwqexol Pasdfrey"), ("Zebediah Quirrell", "Person")]
        {
            assert!(stands_for(name, shown), "{shown}");
        }
        for (name, shown) in [
            ("Zebediah", ""),
            ("Zebediah", " "),
            ("Zebediah", "Z*******"),
            ("Zebediah", "zebediah"),
            ("Zebediah", "not known to us"),
            ("Zebediah Quirrell", "Quirrell"),
            ("Zebediah", "5f3c09d2@example.com"),
        ] {
            assert!(!stands_for(name, shown), "{shown}");
        }
    }
}
