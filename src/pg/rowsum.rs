//! A hash of a table that does not depend on the order of its rows.
//!
//! Each row of a COPY stream is hashed by BLAKE3 under a key made of the table's name, its columns and the format; the
//! hashes, 512 bits each, are added up. So chunks may be loaded in any order, by any number of workers, and their sums be
//! added; and a table that is read again has the same sum if it has the same rows.
//!
//! Rows are short, so they are hashed side by side ([`crate::rounds`]): a quarter of the time of one after the other.
//!
//! It finds every change that was not built to deceive it: the key is no secret, and who may choose very many rows freely
//! could, at great cost, find some with an equal sum.

use super::types::Format;
use crate::rounds::{self, BLOCK, CHUNK, IV, LANES_MAX, words};
use pulp::{Arch, Simd, WithSimd};

/// Lanes of 64 bits of a sum.
const LANES: usize = 8;

/// Hashes added up, modulo 2^512.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowSum([u64; LANES]);

impl RowSum {
    /// Adds the rows of another part of the table.
    pub fn add(&mut self, other: &RowSum) {
        let mut carry = false;
        for (lane, more) in self.0.iter_mut().zip(other.0) {
            let (sum, over) = lane.overflowing_add(more);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            (*lane, carry) = (sum, over || again);
        }
    }

    pub fn to_bytes(self) -> [u8; LANES * 8] {
        let mut bytes = [0; LANES * 8];
        for (to, lane) in bytes.chunks_exact_mut(8).zip(self.0) {
            to.copy_from_slice(&lane.to_le_bytes());
        }
        bytes
    }

    /// None if these are not the bytes of a sum.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (lanes, rest) = bytes.as_chunks::<8>();
        let lanes: [[u8; 8]; LANES] = lanes.try_into().ok()?;
        rest.is_empty().then(|| Self(lanes.map(u64::from_le_bytes)))
    }

    /// The hash of the table: BLAKE3 over the number of rows and the sum, hex.
    pub fn finish(self, rows: u64) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&rows.to_le_bytes()).update(&self.to_bytes());
        hasher.finalize().to_hex().to_string()
    }
}

/// Hashes the rows of one table. One per thread or batch; cheap to make.
pub struct RowHasher {
    key: [u8; 32],
    hasher: blake3::Hasher,
    format: Format,
    arch: Arch,
}

impl RowHasher {
    pub fn new<'a>(
        schema: &'a str,
        table: &'a str,
        columns: impl IntoIterator<Item = &'a str>,
        format: Format,
    ) -> Self {
        let mut key = blake3::Hasher::new_derive_key("restage 2026-11 rows of a table");
        let format_name = if format == Format::Binary { "binary" } else { "text" };
        for word in [format_name, schema, table].into_iter().chain(columns) {
            key.update(&(word.len() as u64).to_le_bytes()).update(word.as_bytes());
        }
        let key = *key.finalize().as_bytes();
        Self { key, hasher: blake3::Hasher::new_keyed(&key), format, arch: Arch::new() }
    }

    /// Adds one row, as it stands in the stream.
    pub fn row(&mut self, row: &[u8], sum: &mut RowSum) {
        let mut bytes = [0; LANES * 8];
        self.hasher.reset().update(row).finalize_xof().fill(&mut bytes);
        let (lanes, _) = bytes.as_chunks::<8>();
        sum.add(&RowSum(std::array::from_fn(|lane| u64::from_le_bytes(lanes[lane]))));
    }

    /// Adds all rows of a piece of a stream, without header and trailer; none if they are no whole rows.
    pub fn rows(&mut self, piece: &[u8]) -> Option<RowSum> {
        let mut sum = RowSum::default();
        let mut rows: Vec<&[u8]> = Vec::with_capacity(piece.len() / BLOCK);
        let mut rest = piece;
        while !rest.is_empty() {
            let end = match self.format {
                Format::Binary => binary_row(rest)?,
                Format::Text => rest.iter().position(|byte| *byte == b'\n')? + 1,
            };
            let (row, after) = rest.split_at_checked(end)?;
            match row.len() <= CHUNK {
                true => rows.push(row),
                false => self.row(row, &mut sum),
            }
            rest = after;
        }
        self.arch.dispatch(Short { key: words(&self.key), rows: &rows, sum: &mut sum });
        Some(sum)
    }
}

/// Rows of one chunk at most, each in a lane of its own.
struct Short<'a> {
    key: [u32; 8],
    rows: &'a [&'a [u8]],
    sum: &'a mut RowSum,
}

impl WithSimd for Short<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::U32_LANES.min(LANES_MAX);
        for rows in self.rows.chunks(lanes) {
            let blocks = rows.iter().map(|row| row.len().div_ceil(BLOCK)).max().unwrap_or(0);
            let mut chain: [S::u32s; 8] = std::array::from_fn(|index| simd.splat_u32s(self.key[index]));
            for block in 0..blocks {
                // Word by word: message, length, flags. Lanes whose row has ended compute what nobody reads.
                let mut columns = [[0_u32; LANES_MAX]; 18];
                let mut ended = false;
                for (lane, row) in rows.iter().enumerate() {
                    let Some(rest) = row.get(block * BLOCK..).filter(|rest| !rest.is_empty()) else { continue };
                    let length = rest.len().min(BLOCK);
                    let message: [u32; 16] = match rest.first_chunk::<BLOCK>() {
                        Some(whole) => words(whole),
                        None => {
                            let mut last = [0; BLOCK];
                            last[..length].copy_from_slice(rest);
                            words(&last)
                        }
                    };
                    for (column, word) in columns.iter_mut().zip(message) {
                        column[lane] = word;
                    }
                    let first = if block == 0 { rounds::CHUNK_START } else { 0 };
                    let last = if rest.len() <= BLOCK { rounds::CHUNK_END | rounds::ROOT } else { 0 };
                    ended |= last != 0;
                    columns[16][lane] = length as u32;
                    columns[17][lane] = rounds::KEYED_HASH | first | last;
                }
                let load = |column: usize| S::as_simd_u32s(&columns[column][..lanes]).0[0];
                let message: [S::u32s; 16] = std::array::from_fn(load);
                let mut v: [S::u32s; 16] = std::array::from_fn(|index| match index {
                    0..8 => chain[index],
                    8..12 => simd.splat_u32s(IV[index - 8]),
                    12 | 13 => simd.splat_u32s(0),
                    _ => load(index + 2),
                });
                rounds::all(simd, &mut v, &message);
                let high: [S::u32s; 8] = std::array::from_fn(|index| simd.xor_u32s(v[index + 8], chain[index]));
                chain = std::array::from_fn(|index| simd.xor_u32s(v[index], v[index + 8]));
                if !ended {
                    continue;
                }
                for (index, word) in chain.iter().chain(&high).enumerate() {
                    S::as_mut_simd_u32s(&mut columns[index][..lanes]).0[0] = *word;
                }
                for (lane, row) in rows.iter().enumerate() {
                    if row.len().div_ceil(BLOCK) == block + 1 {
                        let word = |index: usize| u64::from(columns[index][lane]);
                        self.sum.add(&RowSum(std::array::from_fn(|lane| word(2 * lane) | word(2 * lane + 1) << 32)));
                    }
                }
            }
        }
    }
}

/// Length of the row at the start: a field count, then fields with their lengths; −1 is NULL.
fn binary_row(bytes: &[u8]) -> Option<usize> {
    let count = u16::from_be_bytes(*bytes.first_chunk()?);
    let mut at = 2_usize;
    for _ in 0..count {
        let length = i32::from_be_bytes(*bytes.get(at..)?.first_chunk()?);
        at = at.checked_add(4 + usize::try_from(length.max(0)).ok()?)?;
    }
    (at <= bytes.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[Option<&[u8]>]) -> Vec<u8> {
        let mut bytes = (fields.len() as u16).to_be_bytes().to_vec();
        for field in fields {
            match field {
                Some(value) => {
                    bytes.extend((value.len() as i32).to_be_bytes());
                    bytes.extend_from_slice(value);
                }
                None => bytes.extend((-1_i32).to_be_bytes()),
            }
        }
        bytes
    }

    fn hasher(table: &str) -> RowHasher {
        RowHasher::new("public", table, ["a", "b"], Format::Binary)
    }

    #[test]
    fn sum_depends_on_rows_and_not_on_their_order_or_parts() {
        let (one, two) = (row(&[Some(b"1"), None]), row(&[Some(b""), Some(b"x")]));
        let all = hasher("t").rows(&[one.clone(), two.clone(), two.clone()].concat()).unwrap();
        assert_eq!(hasher("t").rows(&[two.clone(), one.clone(), two.clone()].concat()), Some(all));
        let mut parts = hasher("t").rows(&two).unwrap();
        parts.add(&hasher("t").rows(&[two.clone(), one.clone()].concat()).unwrap());
        assert_eq!(parts, all);
        assert_ne!(
            hasher("t").rows(&[one.clone(), two.clone()].concat()),
            Some(all),
            "a row that is there twice counts twice"
        );
        assert_ne!(hasher("u").rows(&[one.clone(), two.clone(), two.clone()].concat()), Some(all), "another table");
        assert_ne!(RowHasher::new("public", "t", ["ab", ""], Format::Binary).rows(&one), hasher("t").rows(&one));
        assert_ne!(all.finish(3), all.finish(2));
        assert_eq!(RowSum::from_bytes(&all.to_bytes()), Some(all));
    }

    #[test]
    fn rows_side_by_side_have_the_hashes_of_the_blake3_crate() {
        // Every length around the ends of blocks and of the chunk, mixed so that neighbours end in different blocks.
        let rows: Vec<Vec<u8>> = (0..1100_usize)
            .map(|n| {
                let length = n * 577 % 1100;
                row(&[Some(&(0..length).map(|at| (at * 31 + n) as u8).collect::<Vec<_>>()), None])
            })
            .collect();
        for count in [1, 2, 7, 16, 17, rows.len()] {
            let mut expected = RowSum::default();
            rows[..count].iter().for_each(|row| hasher("t").row(row, &mut expected));
            assert_eq!(hasher("t").rows(&rows[..count].concat()), Some(expected), "{count}");
        }
    }

    #[test]
    fn any_changed_byte_of_a_value_changes_the_sum() {
        let original = row(&[Some(b"abc"), Some(b"de")]);
        let sum = hasher("t").rows(&original).unwrap();
        for at in [6, 8, 13, 14] {
            let mut changed = original.clone();
            changed[at] ^= 1;
            assert_ne!(hasher("t").rows(&changed), Some(sum), "byte {at}");
        }
    }

    #[test]
    fn bytes_that_are_no_rows_are_none() {
        let whole = row(&[Some(b"abc")]);
        assert_eq!(hasher("t").rows(&whole[..whole.len() - 1]), None);
        assert_eq!(hasher("t").rows(&[0]), None);
        assert_eq!(RowHasher::new("s", "t", [], Format::Text).rows(b"a\tb"), None);
        assert!(RowHasher::new("s", "t", [], Format::Text).rows(b"a\tb\nc\n").is_some());
        assert_eq!(RowSum::from_bytes(&[0; 63]), None);
    }

    #[test]
    fn addition_carries() {
        let mut sum = RowSum([u64::MAX; LANES]);
        let mut one = [0; LANES];
        one[0] = 1;
        sum.add(&RowSum(one));
        assert_eq!(sum, RowSum::default());
        let mut sum = RowSum([u64::MAX, 0, 0, 0, 0, 0, 0, 0]);
        sum.add(&RowSum([u64::MAX, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(sum.0[..2], [u64::MAX - 1, 1]);
    }
}
