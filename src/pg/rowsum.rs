//! A hash of a table that does not depend on the order of its rows.
//!
//! Each row of a COPY stream is hashed by BLAKE3 under a key made of the table's name, its columns and the format; the
//! hashes, 512 bits each, are added up. So chunks may be loaded in any order, by any number of workers, and their sums be
//! added; and a table that is read again has the same sum if it has the same rows.
//!
//! It finds every change that was not built to deceive it: the key is no secret, and who may choose very many rows freely
//! could, at great cost, find some with an equal sum.

use super::types::Format;

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
    hasher: blake3::Hasher,
    format: Format,
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
        Self { hasher: blake3::Hasher::new_keyed(key.finalize().as_bytes()), format }
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
        let mut rest = piece;
        while !rest.is_empty() {
            let end = match self.format {
                Format::Binary => binary_row(rest)?,
                Format::Text => rest.iter().position(|byte| *byte == b'\n')? + 1,
            };
            let (row, after) = rest.split_at_checked(end)?;
            self.row(row, &mut sum);
            rest = after;
        }
        Some(sum)
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
