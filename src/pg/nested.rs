//! Arrays, ranges, multiranges, composites and hstores on the wire, both ways and in both formats.
//!
//! A value is cut into its leaves, which are columns of their own, and a skeleton, which is everything else:
//! [`crate::mask::nested`] tells what each container keeps in it. Leaves are views into the wire like whole columns.
//!
//! Source: `array_recv`, `range_recv`, `multirange_recv`, `record_recv`, `hstore_recv` and the `*_out` functions of the
//! same types.

use super::decode::{Column, DecodeErrorKind};
use super::encode::Cursor;
use super::text_format;
use crate::mask::Shape;
use crate::mask::nested::{Parts, range_bounds};
use arrow_array::{Array, ArrayRef, BinaryArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer};

/// `MAXDIM`.
const DIMENSIONS_MAX: usize = 6;
/// Dimensions, has-null flag and element type in front of the sizes.
const ARRAY_HEADER: usize = 12;
/// Every flag that `range_send` writes.
const RANGE_FLAGS: u8 = 0x1f;
const LOWER_INCLUSIVE: u8 = 0x02;
const UPPER_INCLUSIVE: u8 = 0x04;
const EMPTY: u8 = 0x01;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;

type Decoded<T> = Result<T, DecodeErrorKind>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Array,
    Range,
    Multirange,
    Composite,
    Hstore,
}

impl Form {
    /// The form of a shape and the shapes of its leaves; none for shapes that are no containers.
    fn of(shape: &Shape) -> Option<(Self, Vec<&Shape>)> {
        Some(match shape {
            Shape::Array(inner) => (Self::Array, vec![inner]),
            Shape::Range(inner) => (Self::Range, vec![inner]),
            Shape::Multirange(inner) => (Self::Multirange, vec![inner]),
            Shape::Composite(attributes) => {
                (Self::Composite, attributes.iter().map(|attribute| &attribute.shape).collect())
            }
            Shape::Hstore => (Self::Hstore, vec![&Shape::TEXT, &Shape::TEXT]),
            _ => return None,
        })
    }
}

/// A container column under construction.
pub(super) struct Nested {
    form: Form,
    skeleton: Vec<u8>,
    ends: Vec<i32>,
    lists: Vec<List>,
}

struct List {
    leaves: Column,
    len: usize,
    ends: Vec<i32>,
}

impl List {
    fn null(&mut self) {
        self.leaves.push_null(self.len);
        self.len += 1;
    }

    fn binary(&mut self, wire: &[u8], place: Option<(usize, usize)>) -> Decoded<()> {
        match place {
            Some((start, len)) => {
                self.leaves.push_binary(wire, start, len)?;
                self.len += 1;
            }
            None => self.null(),
        }
        Ok(())
    }

    fn text(&mut self, value: Option<&[u8]>) -> Decoded<()> {
        match value {
            Some(value) => {
                text_format::push_plain(&mut self.leaves, value)?;
                self.len += 1;
            }
            None => self.null(),
        }
        Ok(())
    }
}

/// An offset of Arrow, which counts to 2 GiB.
fn offset(value: usize) -> Decoded<i32> {
    i32::try_from(value).map_err(|_| DecodeErrorKind::Value)
}

impl Nested {
    pub(super) fn new(field: usize, shape: &Shape, wire: &Buffer) -> Option<Self> {
        let (form, leaves) = Form::of(shape)?;
        let list = |shape: &Shape| List { leaves: Column::new(field, shape, wire, 0), len: 0, ends: vec![0] };
        Some(Self { form, skeleton: Vec::new(), ends: vec![0], lists: leaves.into_iter().map(list).collect() })
    }

    pub(super) fn push_null(&mut self) {
        let repeat = |ends: &mut Vec<i32>| ends.push(ends.last().copied().unwrap_or(0));
        repeat(&mut self.ends);
        self.lists.iter_mut().for_each(|list| repeat(&mut list.ends));
    }

    /// Ends a value.
    fn close(&mut self) -> Decoded<()> {
        self.ends.push(offset(self.skeleton.len())?);
        for list in &mut self.lists {
            list.ends.push(offset(list.len)?);
        }
        Ok(())
    }

    pub(super) fn finish(self, wire: &Buffer, nulls: Option<NullBuffer>) -> ArrayRef {
        let offsets = |ends: Vec<i32>| OffsetBuffer::new(ends.into());
        let list = |list: List| (offsets(list.ends), list.leaves.finish(wire, list.len));
        let parts = Parts {
            skeleton: BinaryArray::new(offsets(self.ends), self.skeleton.into(), None),
            lists: self.lists.into_iter().map(list).collect(),
            nulls,
        };
        parts.join().expect("every value ended its skeleton and each of its lists")
    }

    /// Adds the value at `wire[start..start + len]`.
    pub(super) fn push_binary(&mut self, wire: &[u8], start: usize, len: usize) -> Decoded<()> {
        let mut walk = Walk { wire, at: start, end: start + len };
        match self.form {
            Form::Array => self.binary_array(&mut walk)?,
            Form::Range => self.binary_range(&mut walk)?,
            Form::Multirange => {
                for _ in 0..walk.count()? {
                    let (start, len) = walk.value()?.ok_or(DecodeErrorKind::Value)?;
                    let mut range = Walk { wire, at: start, end: start + len };
                    self.binary_range(&mut range)?;
                    range.finish()?;
                }
            }
            Form::Composite => {
                if walk.count()? != self.lists.len() {
                    return Err(DecodeErrorKind::Value);
                }
                for list in &mut self.lists {
                    self.skeleton.extend_from_slice(walk.take(4)?);
                    list.binary(wire, walk.value()?)?;
                }
            }
            Form::Hstore => {
                for _ in 0..walk.count()? {
                    let key = walk.value()?.ok_or(DecodeErrorKind::Value)?;
                    self.lists[0].binary(wire, Some(key))?;
                    self.lists[1].binary(wire, walk.value()?)?;
                }
            }
        }
        walk.finish()?;
        self.close()
    }

    fn binary_array(&mut self, walk: &mut Walk<'_>) -> Decoded<()> {
        let header = walk.at;
        let dimensions = walk.count()?;
        let has_null = walk.count()?;
        walk.take(4)?;
        if dimensions > DIMENSIONS_MAX || has_null > 1 {
            return Err(DecodeErrorKind::Value);
        }
        let mut elements = usize::from(dimensions > 0);
        for _ in 0..dimensions {
            elements = elements.checked_mul(walk.count()?).ok_or(DecodeErrorKind::Value)?;
            walk.take(4)?;
        }
        self.skeleton.extend_from_slice(&walk.wire[header..walk.at]);
        for _ in 0..elements {
            let value = walk.value()?;
            if value.is_none() && has_null == 0 {
                return Err(DecodeErrorKind::Value);
            }
            self.lists[0].binary(walk.wire, value)?;
        }
        Ok(())
    }

    fn binary_range(&mut self, walk: &mut Walk<'_>) -> Decoded<()> {
        let flags = walk.take(1)?[0];
        if flags & !RANGE_FLAGS != 0 {
            return Err(DecodeErrorKind::Value);
        }
        self.skeleton.push(flags);
        let (lower, upper) = range_bounds(flags);
        for _ in 0..usize::from(lower) + usize::from(upper) {
            let bound = walk.value()?.ok_or(DecodeErrorKind::Value)?;
            self.lists[0].binary(walk.wire, Some(bound))?;
        }
        Ok(())
    }

    /// Adds a value as the server writes it in text, without the escapes of COPY.
    pub(super) fn push_text(&mut self, value: &[u8]) -> Decoded<()> {
        let mut scan = Scan { text: value, at: 0, value: Vec::new() };
        match self.form {
            Form::Array => self.text_array(&mut scan)?,
            Form::Range => self.text_range(&mut scan)?,
            Form::Multirange => {
                scan.expect(b'{')?;
                while !scan.eat(b'}') {
                    self.text_range(&mut scan)?;
                    scan.eat(b',');
                }
            }
            Form::Composite => {
                scan.expect(b'(')?;
                for (number, list) in self.lists.iter_mut().enumerate() {
                    if number > 0 {
                        scan.expect(b',')?;
                    }
                    self.skeleton.extend_from_slice(&[0; 4]);
                    let present = scan.doubled(b")")?;
                    list.text(present.then_some(&scan.value))?;
                }
                scan.expect(b')')?;
            }
            Form::Hstore => {
                while scan.at < value.len() {
                    scan.quoted()?;
                    self.lists[0].text(Some(&scan.value))?;
                    scan.expect_all(b"=>")?;
                    let present = !scan.eat_all(b"NULL");
                    if present {
                        scan.quoted()?;
                    }
                    self.lists[1].text(present.then_some(&scan.value))?;
                    if scan.at < value.len() {
                        scan.expect_all(b", ")?;
                    }
                }
            }
        }
        if scan.at != value.len() {
            return Err(DecodeErrorKind::Value);
        }
        self.close()
    }

    fn text_array(&mut self, scan: &mut Scan<'_>) -> Decoded<()> {
        let mut lower_bounds = Vec::new();
        while scan.eat(b'[') {
            lower_bounds.push(scan.number(b':')?);
            scan.number(b']')?;
        }
        if !lower_bounds.is_empty() {
            scan.expect(b'=')?;
        }
        let mut levels = Levels::default();
        self.text_level(scan, 0, &mut levels)?;
        let Levels { sizes, has_null, .. } = levels;
        let sizes: Vec<i32> = sizes.into_iter().flatten().filter(|size| *size > 0).collect();
        if !lower_bounds.is_empty() && lower_bounds.len() != sizes.len() {
            return Err(DecodeErrorKind::Value);
        }
        self.skeleton.extend_from_slice(&(sizes.len() as i32).to_be_bytes());
        self.skeleton.extend_from_slice(&i32::from(has_null).to_be_bytes());
        self.skeleton.extend_from_slice(&[0; 4]);
        for (dimension, size) in sizes.iter().enumerate() {
            self.skeleton.extend_from_slice(&size.to_be_bytes());
            self.skeleton.extend_from_slice(&lower_bounds.get(dimension).copied().unwrap_or(1).to_be_bytes());
        }
        Ok(())
    }

    /// Reads one pair of braces. All of one level hold equally many elements.
    fn text_level(&mut self, scan: &mut Scan<'_>, level: usize, levels: &mut Levels) -> Decoded<()> {
        scan.expect(b'{')?;
        if level == DIMENSIONS_MAX {
            return Err(DecodeErrorKind::Value);
        }
        if level == levels.sizes.len() {
            levels.sizes.push(None);
        }
        let mut count = 0;
        while !scan.eat(b'}') {
            if count > 0 {
                scan.expect(b',')?;
            }
            let inner = scan.peek() == Some(b'{');
            // Elements stand on one level, and braces on all above it.
            if !inner && *levels.deepest.get_or_insert(level) != level
                || inner && levels.deepest.is_some_and(|deepest| deepest <= level)
            {
                return Err(DecodeErrorKind::Value);
            }
            if inner {
                self.text_level(scan, level + 1, levels)?;
            } else {
                let present = scan.element()?;
                levels.has_null |= !present;
                self.lists[0].text(present.then_some(&scan.value))?;
            }
            count += 1;
        }
        let empty_inside = count == 0 && level > 0;
        if empty_inside || levels.sizes[level].is_some_and(|size| size != count) {
            return Err(DecodeErrorKind::Value);
        }
        levels.sizes[level] = Some(count);
        Ok(())
    }

    fn text_range(&mut self, scan: &mut Scan<'_>) -> Decoded<()> {
        if scan.eat_all(b"empty") {
            self.skeleton.push(EMPTY);
            return Ok(());
        }
        let mut flags = 0;
        if scan.eat(b'[') {
            flags |= LOWER_INCLUSIVE;
        } else {
            scan.expect(b'(')?;
        }
        if scan.doubled(b",")? {
            self.lists[0].text(Some(&scan.value))?;
        } else {
            flags |= LOWER_INFINITE;
        }
        scan.expect(b',')?;
        if scan.doubled(b")]")? {
            self.lists[0].text(Some(&scan.value))?;
        } else {
            flags |= UPPER_INFINITE;
        }
        if scan.eat(b']') {
            flags |= UPPER_INCLUSIVE;
        } else {
            scan.expect(b')')?;
        }
        self.skeleton.push(flags);
        Ok(())
    }
}

/// What the braces of an array text say so far.
#[derive(Default)]
struct Levels {
    sizes: Vec<Option<i32>>,
    /// The level of the elements.
    deepest: Option<usize>,
    has_null: bool,
}

/// A position in a binary value.
struct Walk<'a> {
    wire: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Walk<'a> {
    fn take(&mut self, bytes: usize) -> Decoded<&'a [u8]> {
        let start = self.at;
        if bytes > self.end - start {
            return Err(DecodeErrorKind::Truncated);
        }
        self.at += bytes;
        Ok(&self.wire[start..self.at])
    }

    fn word(&mut self) -> Decoded<i32> {
        let word = self.take(4)?.first_chunk().copied().ok_or(DecodeErrorKind::Truncated)?;
        Ok(i32::from_be_bytes(word))
    }

    fn count(&mut self) -> Decoded<usize> {
        usize::try_from(self.word()?).map_err(|_| DecodeErrorKind::Value)
    }

    /// Steps over a value with its length; none is NULL.
    fn value(&mut self) -> Decoded<Option<(usize, usize)>> {
        match self.word()? {
            -1 => Ok(None),
            len => {
                let len = usize::try_from(len).map_err(|_| DecodeErrorKind::Length)?;
                let start = self.at;
                self.take(len)?;
                Ok(Some((start, len)))
            }
        }
    }

    fn finish(&self) -> Decoded<()> {
        if self.at == self.end { Ok(()) } else { Err(DecodeErrorKind::Width) }
    }
}

/// A position in a text value.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    /// The last leaf, without its quotes.
    value: Vec<u8>,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn eat_all(&mut self, word: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn expect(&mut self, byte: u8) -> Decoded<()> {
        if self.eat(byte) { Ok(()) } else { Err(DecodeErrorKind::Value) }
    }

    fn expect_all(&mut self, word: &[u8]) -> Decoded<()> {
        if self.eat_all(word) { Ok(()) } else { Err(DecodeErrorKind::Value) }
    }

    fn next(&mut self) -> Decoded<u8> {
        let byte = self.peek().ok_or(DecodeErrorKind::Value)?;
        self.at += 1;
        Ok(byte)
    }

    /// Reads a whole number and the byte that ends it.
    fn number(&mut self, end: u8) -> Decoded<i32> {
        let start = self.at;
        while self.next()? != end {}
        let digits = std::str::from_utf8(&self.text[start..self.at - 1]).map_err(|_| DecodeErrorKind::Value)?;
        digits.parse().map_err(|_| DecodeErrorKind::Value)
    }

    /// Reads `"…"` with backslashes before quotes and backslashes.
    fn quoted(&mut self) -> Decoded<()> {
        self.expect(b'"')?;
        self.value.clear();
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => {
                    let byte = self.next()?;
                    self.value.push(byte);
                }
                byte => self.value.push(byte),
            }
        }
    }

    /// Reads an element of an array; false for NULL.
    fn element(&mut self) -> Decoded<bool> {
        if self.peek() == Some(b'"') {
            return self.quoted().map(|()| true);
        }
        self.value.clear();
        while let Some(byte) = self.peek().filter(|byte| !matches!(byte, b',' | b'}')) {
            if matches!(byte, b'{' | b'"' | b'\\') {
                return Err(DecodeErrorKind::Value);
            }
            self.value.push(byte);
            self.at += 1;
        }
        if self.value.is_empty() {
            return Err(DecodeErrorKind::Value);
        }
        Ok(self.value != b"NULL")
    }

    /// Reads an attribute or a bound up to a comma or one of `ends`; inside quotes, quotes and backslashes are doubled.
    /// False if there is nothing at all.
    fn doubled(&mut self, ends: &[u8]) -> Decoded<bool> {
        self.value.clear();
        let start = self.at;
        let mut quoted = false;
        loop {
            let byte = self.peek().ok_or(DecodeErrorKind::Value)?;
            if !quoted && (byte == b',' || ends.contains(&byte)) {
                return Ok(self.at > start);
            }
            self.at += 1;
            match byte {
                b'"' if quoted && self.eat(b'"') => self.value.push(b'"'),
                b'"' => quoted = !quoted,
                b'\\' => {
                    let byte = self.next()?;
                    self.value.push(byte);
                }
                byte => self.value.push(byte),
            }
        }
    }
}

/// A masked container column, resolved once per batch.
pub(super) struct NestedCursor<'a> {
    form: Form,
    skeleton: BinaryArray,
    lists: Vec<(OffsetBuffer<i32>, Cursor<'a>)>,
    bytes: usize,
}

/// The arrays of a container column, which a cursor borrows from.
pub(super) struct Opened {
    parts: Parts,
    leaves: Vec<Option<Box<Opened>>>,
}

impl Opened {
    /// Takes a container column apart, down to its plain leaves; none if the array does not carry the shape.
    pub(super) fn of(shape: &Shape, array: &ArrayRef) -> Option<Self> {
        let (_, shapes) = Form::of(shape)?;
        let parts = Parts::of(array).filter(|parts| parts.lists.len() == shapes.len())?;
        let open = |(shape, (_, leaves)): (&&Shape, &(_, ArrayRef))| {
            if !shape.nested() {
                return Some(None);
            }
            Opened::of(shape, leaves).map(|opened| Some(Box::new(opened)))
        };
        let leaves = shapes.iter().zip(&parts.lists).map(open).collect::<Option<_>>()?;
        Some(Self { parts, leaves })
    }
}

impl<'a> NestedCursor<'a> {
    pub(super) fn of(shape: &Shape, opened: &'a Opened) -> Option<Self> {
        let (form, shapes) = Form::of(shape)?;
        let rows = opened.parts.skeleton.len();
        let mut lists = Vec::with_capacity(shapes.len());
        for ((shape, (offsets, leaves)), inner) in shapes.into_iter().zip(&opened.parts.lists).zip(&opened.leaves) {
            let whole = offsets.len() == rows + 1 && offsets.last().is_some_and(|end| *end as usize <= leaves.len());
            lists.push((offsets.clone(), Cursor::of(shape, leaves, inner.as_deref()).filter(|_| whole)?));
        }
        let skeleton = opened.parts.skeleton.clone();
        let leaves: usize = lists
            .iter()
            .map(|(offsets, cursor)| cursor.bytes() + 12 * offsets.last().map_or(0, |end| *end as usize))
            .sum();
        Some(Self { form, bytes: skeleton.value_data().len() + leaves, skeleton, lists })
    }

    /// Bytes of all values, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn leaves(&self, list: usize, row: usize) -> std::ops::Range<usize> {
        let offsets = &self.lists[list].0;
        offsets[row] as usize..offsets[row + 1] as usize
    }

    /// Appends length and value; none if PostgreSQL cannot store the value.
    pub(super) fn put_binary(&self, row: usize, out: &mut Vec<u8>) -> Option<()> {
        let start = open(out);
        let skeleton = self.skeleton.value(row);
        let leaves = self.leaves(0, row);
        match self.form {
            Form::Array => {
                let header = out.len();
                out.extend_from_slice(skeleton);
                let nulls = leaves.clone().any(|leaf| self.lists[0].1.null(leaf));
                if let Some(flag) = out.get_mut(header + 7) {
                    *flag |= u8::from(nulls);
                }
                leaves.into_iter().try_for_each(|leaf| self.lists[0].1.put_binary(leaf, out))?;
            }
            Form::Range => self.put_range(*skeleton.first()?, &mut leaves.clone(), out)?,
            Form::Multirange => {
                out.extend_from_slice(&(skeleton.len() as u32).to_be_bytes());
                let mut bounds = leaves;
                for flags in skeleton {
                    let start = open(out);
                    self.put_range(*flags, &mut bounds, out)?;
                    close(start, out)?;
                }
            }
            Form::Composite => {
                out.extend_from_slice(&(self.lists.len() as u32).to_be_bytes());
                for (number, oid) in skeleton.chunks_exact(4).enumerate() {
                    out.extend_from_slice(oid);
                    let leaf = self.leaves(number, row).next()?;
                    self.lists[number].1.put_binary(leaf, out)?;
                }
            }
            Form::Hstore => {
                out.extend_from_slice(&(leaves.len() as u32).to_be_bytes());
                for leaf in leaves {
                    self.lists[0].1.put_binary(leaf, out)?;
                    self.lists[1].1.put_binary(leaf, out)?;
                }
            }
        }
        close(start, out)
    }

    fn put_range(&self, flags: u8, bounds: &mut std::ops::Range<usize>, out: &mut Vec<u8>) -> Option<()> {
        out.push(flags);
        let (lower, upper) = range_bounds(flags);
        for _ in 0..usize::from(lower) + usize::from(upper) {
            self.lists[0].1.put_binary(bounds.next()?, out)?;
        }
        Some(())
    }

    /// Appends the value as text, without the escapes of COPY; none if PostgreSQL cannot store the value.
    pub(super) fn put_text(&self, row: usize, out: &mut Vec<u8>) -> Option<()> {
        let skeleton = self.skeleton.value(row);
        let mut leaves = self.leaves(0, row);
        match self.form {
            Form::Array => self.put_array_text(skeleton, &mut leaves, out)?,
            Form::Range => self.put_range_text(*skeleton.first()?, &mut leaves, out)?,
            Form::Multirange => {
                out.push(b'{');
                for (number, flags) in skeleton.iter().enumerate() {
                    out.extend((number > 0).then_some(b','));
                    self.put_range_text(*flags, &mut leaves, out)?;
                }
                out.push(b'}');
            }
            Form::Composite => {
                out.push(b'(');
                for number in 0..self.lists.len() {
                    out.extend((number > 0).then_some(b','));
                    let leaf = self.leaves(number, row).next()?;
                    if !self.lists[number].1.null(leaf) {
                        self.put_quoted(number, leaf, Quoting::Doubled, out)?;
                    }
                }
                out.push(b')');
            }
            Form::Hstore => {
                for (number, leaf) in leaves.enumerate() {
                    out.extend_from_slice(if number > 0 { b", " } else { b"" });
                    self.put_quoted(0, leaf, Quoting::Backslash, out)?;
                    out.extend_from_slice(b"=>");
                    if self.lists[1].1.null(leaf) {
                        out.extend_from_slice(b"NULL");
                    } else {
                        self.put_quoted(1, leaf, Quoting::Backslash, out)?;
                    }
                }
            }
        }
        Some(())
    }

    fn put_array_text(&self, skeleton: &[u8], leaves: &mut std::ops::Range<usize>, out: &mut Vec<u8>) -> Option<()> {
        let word = |bytes: &[u8]| bytes.first_chunk().map(|word| i32::from_be_bytes(*word));
        let sizes = skeleton.get(ARRAY_HEADER..)?.chunks_exact(8).map(|pair| Some((word(pair)?, word(&pair[4..])?)));
        let sizes: Vec<(i32, i32)> = sizes.collect::<Option<_>>()?;
        if sizes.iter().any(|(size, _)| *size == 0) || sizes.is_empty() {
            out.extend_from_slice(b"{}");
            return Some(());
        }
        if sizes.iter().any(|(_, lower)| *lower != 1) {
            for (size, lower) in &sizes {
                let upper = i64::from(*lower) + i64::from(*size) - 1;
                out.extend_from_slice(format!("[{lower}:{upper}]").as_bytes());
            }
            out.push(b'=');
        }
        self.put_level(&sizes, leaves, out)
    }

    fn put_level(&self, sizes: &[(i32, i32)], leaves: &mut std::ops::Range<usize>, out: &mut Vec<u8>) -> Option<()> {
        let ((size, _), inner) = sizes.split_first()?;
        out.push(b'{');
        for number in 0..*size {
            out.extend((number > 0).then_some(b','));
            if !inner.is_empty() {
                self.put_level(inner, leaves, out)?;
                continue;
            }
            let leaf = leaves.next()?;
            if self.lists[0].1.null(leaf) {
                out.extend_from_slice(b"NULL");
            } else {
                self.put_quoted(0, leaf, Quoting::Backslash, out)?;
            }
        }
        out.push(b'}');
        Some(())
    }

    fn put_range_text(&self, flags: u8, bounds: &mut std::ops::Range<usize>, out: &mut Vec<u8>) -> Option<()> {
        if flags & EMPTY != 0 {
            out.extend_from_slice(b"empty");
            return Some(());
        }
        let (lower, upper) = range_bounds(flags);
        out.push(if flags & LOWER_INCLUSIVE != 0 { b'[' } else { b'(' });
        if lower {
            self.put_quoted(0, bounds.next()?, Quoting::Doubled, out)?;
        }
        out.push(b',');
        if upper {
            self.put_quoted(0, bounds.next()?, Quoting::Doubled, out)?;
        }
        out.push(if flags & UPPER_INCLUSIVE != 0 { b']' } else { b')' });
        Some(())
    }

    /// Appends a leaf in quotes, which every input function takes for every type.
    fn put_quoted(&self, list: usize, leaf: usize, quoting: Quoting, out: &mut Vec<u8>) -> Option<()> {
        let mut value = Vec::new();
        self.lists[list].1.put_plain(leaf, &mut value)?;
        out.push(b'"');
        for byte in value {
            match (byte, quoting) {
                (b'"' | b'\\', Quoting::Doubled) => out.push(byte),
                (b'"' | b'\\', Quoting::Backslash) => out.push(b'\\'),
                _ => {}
            }
            out.push(byte);
        }
        out.push(b'"');
        Some(())
    }
}

/// How a quote inside quotes is written.
#[derive(Clone, Copy)]
enum Quoting {
    Backslash,
    Doubled,
}

/// Leaves room for a length.
fn open(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; 4]);
    out.len()
}

/// Writes the length of what follows `start`.
fn close(start: usize, out: &mut [u8]) -> Option<()> {
    let len = i32::try_from(out.len() - start).ok()?;
    out[start - 4..start].copy_from_slice(&len.to_be_bytes());
    Some(())
}
