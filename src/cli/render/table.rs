//! Tables without borders, in one look.

use super::Look;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};

/// Starts a table; `columns` are the headings, those that start with `>` are for numbers and aligned to the right.
pub(super) fn new(columns: &[&str], look: &Look) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match look.width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.max(40)),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    if look.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table
        .set_header(columns.iter().map(|title| Cell::new(title.trim_start_matches('>')).add_attribute(Attribute::Dim)));
    for (index, title) in columns.iter().enumerate() {
        let column = table.column_mut(index).expect("the header made the columns");
        column.set_padding((2, 0));
        if title.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table as text, without spaces at the ends of lines.
pub(super) fn text(table: &Table) -> String {
    table.trim_fmt()
}

pub(super) fn dim(text: impl ToString) -> Cell {
    Cell::new(text).add_attribute(Attribute::Dim)
}

pub(super) fn strong(text: impl ToString) -> Cell {
    Cell::new(text).add_attribute(Attribute::Bold)
}

pub(super) fn good(text: impl ToString) -> Cell {
    Cell::new(text).fg(Color::Green)
}

pub(super) fn name(text: impl ToString) -> Cell {
    Cell::new(text).fg(Color::Cyan)
}

pub(super) fn warn(text: impl ToString) -> Cell {
    Cell::new(text).fg(Color::Yellow)
}
