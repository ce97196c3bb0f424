//! Whole numbers: `int/1`, `int.range/1`.

use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::key::{DomainKey, RealmKey};
use super::kind::{Domain, Param};
use super::lanes::Queue;
use super::leaf::{At, CHUNK, ON_INVALID, TEXT, TextKind, TextMask};
use super::token::Perm;
use super::{Keeps, Kind, Raw, Shape, Takes};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use serde_json::Value;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

pub(super) static INT: Kind = Kind {
    name: "int",
    keeps: Keeps {
        words: "0",
        holds: |raw, _| match raw {
            Raw::Number(number) => number == 0,
            Raw::Text(text) => canonical_integer(text) == Some(0),
            _ => false,
        },
    },
    summary: "Permutes whole numbers inside their power-of-two block: keys stay unique, joinable and of the same size",
    accepts: &[Takes::Integer, Takes::Text],
    // A short number of a text column can become a longer one: 20 characters hold every int8.
    least: |_| vec![20],
    samples: &["1", "42", "1000000"],
    compile,
    ..TEXT
};

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let blocks = IntBlocks::shared(compile.realm, &compile.spec.label);
    Ok(match compile.shape {
        Shape::Int2 | Shape::Int4 | Shape::Int8 => Box::new(IntMask { blocks, shape: compile.shape.clone() }),
        // A text that holds a number (a polymorphic id, a JSON string) joins with the number.
        Shape::Text { .. } => TextMask::boxed(compile, IntText(blocks))?,
        _ => return Err(compile.wrong_shape()),
    })
}

/// Numbers below 2^15 share the first block, so that every int2 stays an int2.
const FIRST_BITS: u32 = 15;
/// Memory for precomputed rounds of all labels: a label with numbers of every size takes 2 MiB.
const ROUNDS_BYTES: usize = 16 << 20;

/// The permutations of one label, built when a value of their block is met.
pub(super) struct IntBlocks {
    key: DomainKey,
    positive: [OnceLock<Perm>; 64],
    negative: [OnceLock<Perm>; 64],
    budget: Arc<AtomicUsize>,
}

impl IntBlocks {
    /// Returns the blocks of a label; all columns of the realm share them.
    pub fn shared(realm: &RealmKey, label: &str) -> Arc<Self> {
        let budget = realm.shared("int/1 rounds", "", || AtomicUsize::new(ROUNDS_BYTES));
        realm.shared("int/1", label, || Self {
            key: realm.domain("int/1", label),
            positive: std::array::from_fn(|_| OnceLock::new()),
            negative: std::array::from_fn(|_| OnceLock::new()),
            budget,
        })
    }

    /// Masks one number. Closed in int2, int4 and int8 alike.
    pub fn mask(&self, value: i64) -> i64 {
        if value == 0 {
            return 0;
        }
        let block = Block::of(value);
        block.masked(self.perm(block).apply(u128::from(block.offset(value))) as u64)
    }

    fn perm(&self, block: Block) -> &Perm {
        let blocks = if block.positive { &self.positive } else { &self.negative };
        blocks[block.k as usize].get_or_init(|| {
            let sign = if block.positive { b'p' } else { b'n' };
            let perm = Perm::new(&self.key, u128::from(block.n), &[b'b', b'l', b'k', sign, block.k as u8]);
            perm.within(&self.budget)
        })
    }
}

/// The numbers that stay among themselves: of one sign, from one power of two to the next.
#[derive(Clone, Copy)]
struct Block {
    positive: bool,
    k: u32,
    /// The first magnitude: of a number, or of its complement if it is below 0.
    base: u64,
    /// How many there are.
    n: u64,
}

impl Block {
    /// The block of a number other than 0.
    fn of(value: i64) -> Self {
        let positive = value > 0;
        let (u, low) = if positive { (value as u64, 1) } else { (!value as u64, 0) };
        if u < 1 << FIRST_BITS {
            return Self { positive, k: 0, base: low, n: (1 << FIRST_BITS) - low };
        }
        let k = u.ilog2();
        Self { positive, k, base: 1 << k, n: 1 << k }
    }

    /// How far a number of the block is from its first magnitude.
    fn offset(self, value: i64) -> u64 {
        let u = if self.positive { value as u64 } else { !value as u64 };
        u - self.base
    }

    /// The number at an offset.
    fn masked(self, offset: u64) -> i64 {
        let y = (self.base + offset) as i64;
        if self.positive { y } else { !y }
    }

    /// The first and the last number.
    fn bounds(self) -> (i64, i64) {
        let (first, last) = (self.masked(0), self.masked(self.n - 1));
        (first.min(last), first.max(last))
    }

    /// Below [`BLOCKS`].
    fn number(self) -> usize {
        self.k as usize * 2 + usize::from(self.positive)
    }
}

/// Blocks of both signs.
const BLOCKS: usize = 128;

/// Numbers of one block that wait to be permuted side by side.
#[derive(Default)]
struct Waiting {
    block: Option<Block>,
    rows: Vec<usize>,
    offsets: Vec<u64>,
}

/// `int/1` on an integer column.
struct IntMask {
    blocks: Arc<IntBlocks>,
    shape: Shape,
}

impl IntMask {
    fn typed<T: ArrowPrimitiveType>(&self, column: &ArrayRef) -> Result<ArrayRef, MaskError>
    where
        T::Native: Into<i64> + TryFrom<i64>,
    {
        let wrong = MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
        let values = column.as_primitive_opt::<T>().ok_or(wrong)?;
        let nulls = values.nulls();
        let native =
            |mask: i64, row| mask.try_into().map_err(|_| MaskError::at(row, "the mask left the type of the column"));
        let mut out: Vec<T::Native> = Vec::with_capacity(values.len());
        // Numbers wait in their block until many of them are permuted side by side.
        let mut blocks: Vec<Waiting> = Vec::new();
        blocks.resize_with(BLOCKS, Waiting::default);
        let mut queue = Queue::default();
        let mut release = |waiting: &mut Waiting, out: &mut Vec<T::Native>| -> Result<(), MaskError> {
            let Some(block) = waiting.block else { return Ok(()) };
            let perm = self.blocks.perm(block);
            if !perm.apply_all_known(&mut waiting.offsets) {
                waiting.offsets.iter().for_each(|offset| queue.permute(perm, u128::from(*offset)));
                queue.run();
                waiting.offsets.iter_mut().for_each(|offset| *offset = queue.next_permuted() as u64);
                queue.clear();
            }
            for (row, offset) in waiting.rows.drain(..).zip(waiting.offsets.drain(..)) {
                out[row] = native(block.masked(offset), row)?;
            }
            Ok(())
        };
        for (row, value) in values.values().iter().enumerate() {
            let value: i64 = (*value).into();
            out.push(native(0, row)?);
            if value == 0 || nulls.is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            let block = Block::of(value);
            let waiting = &mut blocks[block.number()];
            waiting.block = Some(block);
            waiting.rows.push(row);
            waiting.offsets.push(block.offset(value));
            if waiting.rows.len() == CHUNK {
                release(waiting, &mut out)?;
            }
        }
        for waiting in &mut blocks {
            release(waiting, &mut out)?;
        }
        Ok(Arc::new(PrimitiveArray::<T>::new(out.into(), nulls.cloned())))
    }
}

impl ColumnMask for IntMask {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        match self.shape {
            Shape::Int2 => self.typed::<Int16Type>(column),
            Shape::Int4 => self.typed::<Int32Type>(column),
            _ => self.typed::<Int64Type>(column),
        }
    }

    fn text(&self, value: &str, row: usize, _rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let number = canonical_integer(value).ok_or(MaskError::at(row, "the value is not a whole number"))?;
        out.push_str(&self.blocks.mask(number).to_string());
        Ok(())
    }

    fn integer(&self, value: i64, _row: usize, _rows: &Rows<'_>) -> Result<Option<i64>, MaskError> {
        Ok(Some(self.blocks.mask(value)))
    }
}

/// `int/1` on text leaves.
struct IntText(Arc<IntBlocks>);

impl TextKind for IntText {
    type Scratch = ();

    fn mask(&self, value: &str, _at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        let Some(number) = canonical_integer(value) else { return false };
        out.push_str(&self.0.mask(number).to_string());
        true
    }

    fn reads(&self, value: &str, _scratch: &mut ()) -> bool {
        canonical_integer(value).is_some()
    }

    fn integer(&self, value: i64) -> Option<i64> {
        Some(self.0.mask(value))
    }
}

/// Appends a number in decimal, with leading zeros up to `width` digits; without the detour of a formatter.
pub(super) fn push_number(mut number: u64, width: usize, out: &mut String) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number > 0 || at + width.max(1) > digits.len() {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.push_str(std::str::from_utf8(&digits[at..]).expect("digits are ASCII"));
}

pub(super) static INT_RANGE: Kind = Kind {
    name: "int.range",
    summary: "Permutes the whole numbers from one number to another",
    params: &[
        Param {
            name: "lo",
            summary: "least number",
            domain: Domain::Integer { min: i64::MIN, max: i64::MAX, unit: "units" },
            default: "required",
        },
        Param {
            name: "hi",
            summary: "largest number",
            domain: Domain::Integer { min: i64::MIN, max: i64::MAX, unit: "units" },
            default: "required",
        },
        Param { summary: "what becomes of other numbers; \"pattern\" is `int`, walked out of the range", ..ON_INVALID },
    ],
    accepts: &[Takes::Integer, Takes::Text],
    least: |params| {
        let chars = |name| params.get(name).and_then(Value::as_i64).map(|number| number.to_string().len() as u32);
        chars("lo").max(chars("hi")).into_iter().collect()
    },
    samples: &["18"],
    compile: compile_range,
    ..TEXT
};

fn compile_range(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let given = |param: &str| compile.number(param).ok_or_else(|| compile.bad_param(param, "given"));
    let (lo, hi) = (given("lo")?, given("hi")?);
    if lo > hi {
        return Err(compile.bad_param("hi", "at least `lo`"));
    }
    let key = compile.realm.domain(&compile.spec.kind, &compile.spec.label);
    let n = (i128::from(hi) - i128::from(lo)) as u128 + 1;
    let perm = Perm::new(&key, n, b"range");
    let (min, max) = match compile.shape {
        Shape::Int2 => (i16::MIN.into(), i16::MAX.into()),
        Shape::Int4 => (i32::MIN.into(), i32::MAX.into()),
        Shape::Int8 => (i64::MIN, i64::MAX),
        Shape::Text { .. } => return TextMask::boxed(compile, RangeText(IntRange { lo, hi, perm })),
        _ => return Err(compile.wrong_shape()),
    };
    if lo < min || hi > max {
        return Err(compile.bad_param("hi", "inside the type of the column, as `lo`"));
    }
    let outside = match compile.word("on_invalid") {
        Some("null") => Outside::Null,
        Some("fail") => Outside::Fail,
        _ => Outside::Blocks(IntBlocks::shared(compile.realm, &compile.spec.label)),
    };
    Ok(Box::new(RangeColumn { range: IntRange { lo, hi, perm }, outside, shape: compile.shape.clone() }))
}

/// How often a number outside of a range is permuted on average, at most.
const WALKS_MEAN_MAX: u128 = 1_024;

/// `int.range/1`.
struct IntRange {
    lo: i64,
    hi: i64,
    perm: Perm,
}

impl IntRange {
    fn contains(&self, value: i64) -> bool {
        (self.lo..=self.hi).contains(&value)
    }

    /// Masks a number of the range.
    fn mask(&self, value: i64) -> i64 {
        let place = self.perm.apply((i128::from(value) - i128::from(self.lo)) as u128);
        (i128::from(self.lo) + place as i128) as i64
    }

    /// Masks a number outside of the range like `int`, again and again until it is outside too.
    ///
    /// Frozen: where the range leaves less than one in [`WALKS_MEAN_MAX`] numbers of a block, what it leaves is permuted by
    /// itself, as `Perm(rest, "rest" || LE64(first number of the block))` under the key of the range's own permutation: of
    /// all numbers up to 2^31 but the last, that one would be looked for a thousand million times.
    fn beside(&self, blocks: &IntBlocks, value: i64) -> i64 {
        if value == 0 {
            return 0;
        }
        let count = |from: i64, to: i64| (i128::from(to) - i128::from(from) + 1).max(0) as u128;
        let (first, last) = Block::of(value).bounds();
        let (from, to) = (first.max(self.lo), last.min(self.hi));
        let (all, covered) = (count(first, last), count(from, to));
        let rest = all - covered;
        if all / rest <= WALKS_MEAN_MAX {
            let mut mask = blocks.mask(value);
            while self.contains(mask) {
                mask = blocks.mask(mask);
            }
            return mask;
        }
        let perm = Perm::new(self.perm.network().0, rest, &[b"rest".as_slice(), &first.to_le_bytes()].concat());
        let place = count(first, value) - 1 - if value > to { covered } else { 0 };
        let masked = perm.apply(place);
        let before = count(first, from) - 1;
        let skipped = if masked < before { 0 } else { covered };
        (i128::from(first) + (masked + skipped) as i128) as i64
    }
}

struct RangeText(IntRange);

impl TextKind for RangeText {
    type Scratch = ();

    fn mask(&self, value: &str, _at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        let Some(number) = canonical_integer(value).filter(|number| self.0.contains(*number)) else { return false };
        out.push_str(&self.0.mask(number).to_string());
        true
    }

    fn reads(&self, value: &str, _scratch: &mut ()) -> bool {
        canonical_integer(value).is_some_and(|number| self.0.contains(number))
    }
}

/// What becomes of numbers outside the range.
enum Outside {
    Blocks(Arc<IntBlocks>),
    Null,
    Fail,
}

struct RangeColumn {
    range: IntRange,
    outside: Outside,
    shape: Shape,
}

impl RangeColumn {
    /// Masks one number; none for NULL.
    fn one(&self, value: i64, row: usize) -> Result<Option<i64>, MaskError> {
        if self.range.contains(value) {
            return Ok(Some(self.range.mask(value)));
        }
        match &self.outside {
            Outside::Null => Ok(None),
            Outside::Fail => Err(MaskError::at(row, "the value does not have the format of its mask")),
            Outside::Blocks(blocks) => Ok(Some(self.range.beside(blocks, value))),
        }
    }

    fn typed<T: ArrowPrimitiveType>(&self, column: &ArrayRef) -> Result<ArrayRef, MaskError>
    where
        T::Native: Into<i64> + TryFrom<i64>,
    {
        let wrong = || MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
        let values = column.as_primitive_opt::<T>().ok_or_else(wrong)?;
        let masked = (0..values.len()).map(|row| {
            let mask = if values.is_valid(row) { self.one(values.value(row).into(), row)? } else { None };
            let left = |_| MaskError::at(row, "the mask left the type of the column");
            mask.map(T::Native::try_from).transpose().map_err(left)
        });
        Ok(Arc::new(masked.collect::<Result<PrimitiveArray<T>, MaskError>>()?))
    }
}

impl ColumnMask for RangeColumn {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        match self.shape {
            Shape::Int2 => self.typed::<Int16Type>(column),
            Shape::Int4 => self.typed::<Int32Type>(column),
            _ => self.typed::<Int64Type>(column),
        }
    }

    fn text(&self, value: &str, row: usize, _rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let number = canonical_integer(value).ok_or(MaskError::at(row, "the value is not a whole number"))?;
        if let Some(mask) = self.one(number, row)? {
            out.push_str(&mask.to_string());
        }
        Ok(())
    }

    fn integer(&self, value: i64, row: usize, _rows: &Rows<'_>) -> Result<Option<i64>, MaskError> {
        self.one(value, row)
    }
}

/// Reads a number written the one way PostgreSQL writes it; `007` and `+7` are texts, not numbers.
pub(super) fn canonical_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || digits.starts_with('0') && text != "0" {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MasterKey;

    fn users() -> Arc<IntBlocks> {
        IntBlocks::shared(&MasterKey::test().realm("default"), "public.users.id")
    }

    #[test]
    fn numbers_are_written_as_the_formatter_writes_them() {
        for number in [0, 1, 9, 10, 99_999, 100_000, u64::MAX] {
            for width in [0, 1, 5, 20] {
                let mut out = String::new();
                push_number(number, width, &mut out);
                assert_eq!(out, format!("{number:0width$}"));
            }
        }
    }

    #[test]
    fn masks_match_the_golden_vectors() {
        let blocks = users();
        for (value, mask) in [
            (0, 0),
            (1, 27671),
            (2, 922),
            (42, 3974),
            (32767, 8561),
            (32768, 36661),
            (65536, 72633),
            (1_000_000, 564_795),
            (2_147_483_647, 1_416_365_988),
            (-1, -25185),
            (-32768, -24891),
            (-2_147_483_648, -2_054_951_025),
            (9_007_199_254_740_993, 16_847_408_748_281_773),
        ] {
            assert_eq!(blocks.mask(value), mask, "{value}");
        }
    }

    #[test]
    fn every_int2_gets_its_own_int2() {
        let blocks = users();
        let masks: std::collections::HashSet<i64> =
            (i64::from(i16::MIN)..=i64::from(i16::MAX)).map(|value| blocks.mask(value)).collect();
        assert_eq!(masks.len(), 65_536);
        assert!(masks.iter().all(|mask| i16::try_from(*mask).is_ok()));
    }

    #[test]
    fn extremes_stay_in_their_type_and_keep_their_sign() {
        let blocks = users();
        for value in [i64::MAX, i64::MIN, i64::MIN + 1, i64::from(i32::MAX), i64::from(i32::MIN), 1 << 40] {
            let mask = blocks.mask(value);
            assert_eq!(mask.signum(), value.signum());
            assert_eq!(i32::try_from(mask).is_ok(), i32::try_from(value).is_ok(), "{value}");
        }
    }

    #[test]
    fn many_numbers_do_not_meet() {
        let blocks = users();
        let masks: std::collections::HashSet<i64> = (0..100_000).map(|i| blocks.mask(i * 7 + 60_000)).collect();
        assert_eq!(masks.len(), 100_000);
    }

    #[test]
    fn only_canonical_numbers_are_read() {
        assert_eq!(["0", "-5", "42"].map(canonical_integer), [Some(0), Some(-5), Some(42)]);
        for text in ["", "-", "007", "+7", "-0", "1.0", " 1", "9223372036854775808"] {
            assert_eq!(canonical_integer(text), None, "{text}");
        }
    }

    fn range(lo: i64, hi: i64, outside: Outside) -> RangeColumn {
        let key = MasterKey::test().realm("default").domain("int.range/1", "");
        let perm = Perm::new(&key, (hi - lo) as u128 + 1, b"range");
        RangeColumn { range: IntRange { lo, hi, perm }, outside, shape: Shape::Int2 }
    }

    #[test]
    fn ranges_and_what_is_outside_are_permuted_apart() {
        let blocks = IntBlocks::shared(&MasterKey::test().realm("default"), "");
        let range = range(18, 99, Outside::Blocks(blocks));
        assert_eq!([18, 42, 99].map(|value| range.range.mask(value)), [94, 82, 93], "golden");
        let mut masks = std::collections::HashSet::new();
        for value in i64::from(i16::MIN)..=i64::from(i16::MAX) {
            let mask = range.one(value, 0).unwrap().unwrap();
            assert!(masks.insert(mask) && range.range.contains(mask) == range.range.contains(value));
            assert!(i16::try_from(mask).is_ok());
        }
    }

    #[test]
    fn numbers_that_a_range_nearly_leaves_out_are_found_at_once_and_stay_apart() {
        let blocks = || Outside::Blocks(IntBlocks::shared(&MasterKey::test().realm("default"), ""));
        let most = range(1, i64::from(i32::MAX) - 1, blocks());
        assert_eq!(most.one(i64::from(i32::MAX), 0), Ok(Some(i64::from(i32::MAX))), "it is the only one");
        for (lo, hi, outside) in [
            ((1 << 40) + 2, (1 << 41) - 4, [1 << 40, (1 << 40) + 1, (1 << 41) - 3, (1 << 41) - 2, (1 << 41) - 1]),
            (i64::MIN + 3, -(1 << 62) - 3, [i64::MIN, i64::MIN + 1, i64::MIN + 2, -(1 << 62) - 2, -(1 << 62) - 1]),
        ] {
            let range = range(lo, hi, blocks());
            let mut masks = outside.map(|value| range.one(value, 0).unwrap().unwrap());
            masks.sort_unstable();
            assert_eq!(masks, outside);
        }
    }

    #[test]
    fn numbers_outside_a_range_go_where_the_policy_says() {
        assert_eq!(range(1, 6, Outside::Null).one(7, 0), Ok(None));
        assert!(range(1, 6, Outside::Fail).one(7, 3).is_err_and(|error| error.row == 3));
    }
}
