//! Cuts tables into restartable pieces of heap blocks.

use super::{Chunk, Settings};
use crate::catalog::{Server, Table};
use crate::config::Rows;

/// First major whose TID range scans read only the blocks asked for.
const TID_RANGE_SCAN: u32 = 140_000;

/// Decides which tables are split, and where.
pub(super) struct Chunker {
    chunk_bytes: u64,
    /// Tables up to this size stay whole; none if nothing may be split.
    whole_max: Option<u64>,
}

impl Chunker {
    /// `total` is the number of bytes of all tables that are copied.
    pub fn new(server: &Server, settings: &Settings, total: u64) -> Self {
        // A range scan fills shared buffers with the table, a plain sequential scan does not. So a primary splits only
        // what would keep one worker busy long after the others are done.
        let whole_max = if server.version_num < TID_RANGE_SCAN {
            None
        } else if server.standby {
            Some(0)
        } else {
            Some(total / (2 * settings.workers.max(1) as u64))
        };
        Self { chunk_bytes: settings.chunk_bytes.max(1), whole_max }
    }

    /// Cuts one table. The pieces cover it without gaps; the last one is open, because tables grow.
    pub fn cut(&self, table: &Table, rows: &Rows) -> Vec<Chunk> {
        let whole = vec![Chunk { number: 0, start: None, end: None, bytes: table.bytes }];
        let limited = matches!(rows, Rows::Where { limit: Some(_), .. });
        if !table.heap || limited || self.whole_max.is_none_or(|max| table.bytes <= max) {
            return whole;
        }
        let count = table.bytes.div_ceil(self.chunk_bytes).min(u64::from(table.blocks)).min(u64::from(u32::MAX));
        if count < 2 {
            return whole;
        }
        let block = |number: u64| (u64::from(table.blocks) * number / count) as u32;
        let share = |number: u64| (u128::from(table.bytes) * u128::from(number) / u128::from(count)) as u64;
        (0..count)
            .map(|number| Chunk {
                number: number as u32,
                start: Some(block(number)),
                end: (number + 1 < count).then(|| block(number + 1)),
                bytes: share(number + 1) - share(number),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version_num: u32, standby: bool) -> Server {
        Server { version_num, standby, ..Server::default() }
    }

    fn table(bytes: u64, blocks: u32) -> Table {
        Table { bytes, blocks, heap: true, ..Table::default() }
    }

    fn settings() -> Settings {
        Settings { workers: 2, chunk_bytes: 100, ..Settings::default() }
    }

    #[test]
    fn chunks_cover_the_table_without_gaps_and_the_last_is_open() {
        let chunks = Chunker::new(&server(150_000, true), &settings(), 0).cut(&table(1050, 97), &Rows::All);
        assert_eq!(chunks.len(), 11);
        assert_eq!((chunks[0].start, chunks[10].end), (Some(0), None));
        assert!(chunks.windows(2).all(|pair| pair[0].end == pair[1].start && pair[0].start < pair[0].end));
        assert_eq!(chunks.iter().map(|chunk| chunk.bytes).sum::<u64>(), 1050);
    }

    #[test]
    fn a_table_with_fewer_blocks_than_chunks_gets_one_chunk_per_block() {
        let chunks = Chunker::new(&server(150_000, true), &settings(), 0).cut(&table(100_000, 3), &Rows::All);
        assert_eq!(chunks.len(), 3);
    }

    #[test]
    fn a_primary_splits_only_tables_above_their_share() {
        let chunker = Chunker::new(&server(150_000, false), &settings(), 4000);
        assert_eq!(chunker.cut(&table(1000, 100), &Rows::All).len(), 1);
        assert_eq!(chunker.cut(&table(1001, 100), &Rows::All).len(), 11);
    }

    #[test]
    fn old_servers_other_access_methods_and_limits_are_never_split() {
        let cut =
            |version, table: Table, rows| Chunker::new(&server(version, true), &settings(), 0).cut(&table, &rows).len();
        assert_eq!(cut(130_000, table(1000, 100), Rows::All), 1);
        assert_eq!(cut(140_000, Table { heap: false, ..table(1000, 100) }, Rows::All), 1);
        assert_eq!(cut(140_000, table(1000, 100), Rows::Where { condition: None, limit: Some(5) }), 1);
        assert!(cut(140_000, table(1000, 100), Rows::Where { condition: None, limit: None }) > 1);
    }
}
