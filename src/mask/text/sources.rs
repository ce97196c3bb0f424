//! Where the names that a text may mention come from: other columns of its row, and of the rows its subject leads to.
//!
//! A column counts by its kind, which makes names, or by its own name, which says that it holds names of persons, whatever
//! masks it ([`super::super::TableSpec::named`]). What stands for a name in the text is then the mask in the column, where
//! that reads as a name could; a hash does, asterisks do not. For all else, NULL and constants of several words included, it
//! is the `pattern` of the name. The elements of arrays count one by one.

use super::super::column::{ColumnMask, Compile, MaskError, Rows};
use super::super::{Params, Shape, kind};
use super::inside::Inside;
use super::names::{Names, Role};
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
    /// Its values are arrays.
    pub array: bool,
}

impl Source {
    /// It counts after all others: a user name that is also a name of the row is that name, wherever its column stands, and
    /// many names of others in an array must not crowd out those of the person.
    fn is_later(&self) -> bool {
        self.array || self.role == Role::Username
    }
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
/// count too: a note about an order names the seller as well as the buyer.
pub(super) fn of(compile: &Compile<'_>) -> Vec<Source> {
    let columns = compile.table.columns.iter().enumerate().filter(|(index, _)| *index != compile.column);
    let named = columns.filter_map(|(index, column)| {
        let mask = column.mask.as_ref().filter(|_| is_text(&column.shape))?;
        let array = matches!(column.shape, Shape::Array(_));
        if let Some(role) = role(&mask.kind, &mask.params) {
            return Some(Source { index, role, told: false, masked: true, array });
        }
        let role = role(compile.table.named.get(&index)?, &Params::new())?;
        let kind = kind(&mask.kind)?;
        // A text is no name, and two of them would wait for each other.
        let text = kind.finds_names(&mask.params);
        let masked = kind.columns_read(&mask.params).is_empty();
        (!text).then_some(Source { index, role, told: true, masked, array })
    });
    in_order(named.collect())
}

/// Puts sources in the order in which they count.
pub(super) fn in_order(mut sources: Vec<Source>) -> Vec<Source> {
    sources.sort_by_key(|source| (source.is_later(), source.array));
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
pub(super) struct Texts<'a, T> {
    pub values: &'a T,
    offsets: Option<&'a [i32]>,
}

impl<'a, T: Array + 'static> Texts<'a, T> {
    pub fn of(column: &'a ArrayRef) -> Option<Self> {
        if let Some(values) = column.as_any().downcast_ref() {
            return Some(Self { values, offsets: None });
        }
        let list = column.as_any().downcast_ref::<StructArray>()?.columns().get(1)?;
        let list = list.as_any().downcast_ref::<ListArray>()?;
        Some(Self { values: list.values().as_any().downcast_ref()?, offsets: Some(list.value_offsets()) })
    }

    /// The places of the values of a row.
    pub fn row(&self, row: usize) -> std::ops::Range<usize> {
        match self.offsets {
            None => row..row + 1,
            Some(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
        }
    }
}

/// The name columns of a batch.
pub(super) struct Sources<'a> {
    columns: Vec<Column<'a>>,
    inside: &'a [Inside],
    /// Masks names whose column has no mask that could stand in a text.
    spare: &'a dyn ColumnMask,
}

struct Column<'a> {
    source: Source,
    raw: Texts<'a, StringViewArray>,
    masked: Option<Texts<'a, StringArray>>,
}

impl<'a> Sources<'a> {
    pub(super) fn of(
        sources: &[Source],
        inside: &'a [Inside],
        spare: &'a dyn ColumnMask,
        rows: &Rows<'a>,
    ) -> Result<Self, MaskError> {
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
        Ok(Self { columns, inside, spare })
    }

    /// Fills `names` with those of a row of the batch.
    pub(super) fn fill(&self, row: usize, rows: &Rows<'_>, names: &mut Names) -> Result<(), MaskError> {
        names.clear();
        // The row is one of the batch already.
        let rows = &Rows { origin: None, ..*rows };
        let (own, later) = self.columns.split_at(self.columns.partition_point(|column| !column.source.is_later()));
        own.iter().try_for_each(|column| self.fill_from(column, row, rows, names))?;
        self.inside.iter().try_for_each(|inside| inside.add(row, rows, names))?;
        later.iter().try_for_each(|column| self.fill_from(column, row, rows, names))?;
        names.join();
        Ok(())
    }

    fn fill_from(
        &self,
        Column { source, raw, masked }: &Column<'_>,
        row: usize,
        rows: &Rows<'_>,
        names: &mut Names,
    ) -> Result<(), MaskError> {
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
                    let mut spare = String::new();
                    self.spare.text(name, row, rows, &mut spare)?;
                    names.add(source.role, name, &spare);
                }
            }
        }
        Ok(())
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
