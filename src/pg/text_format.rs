//! COPY text rows, both ways: for tables with a column whose binary form is unknown or names objects by OID.
//!
//! ```text
//!  row:   id ⇥ email ⇥ plan ⇥ since ⇥ notes ⏎
//!         gap 0        '-- gap 1 --'        gap 2 (no field)
//! ```
//!
//! A gap is the raw, escaped bytes of the kept fields between two masked ones, with the tabs between those kept fields
//! but not the ones at its ends. How many fields a gap holds is known from the layout, so a gap of one empty field and a
//! gap without fields look alike and still mean different things: [`GapFields`]. The encoder writes the tabs around gaps
//! and the newline. Raw tabs and newlines never occur inside a field: the server escapes them.
//!
//! Values are read as the server writes them under the settings of every session: `DateStyle = ISO`, `TimeZone = UTC`.
//! Anything else is an error, never a guess.
//!
//! Source: PostgreSQL documentation, COPY, "Text Format"; `EncodeDateOnly`, `EncodeDateTime`, `network_out`.

use super::decode::{self, Column, DecodeError, DecodeErrorKind, EPOCH_DAYS, Fixed, Span, Step, UNESCAPED, Values};
use super::types::{Field, Layout};
use crate::mask::batch::RawBatch;
use crate::mask::decimal;
use bytes::Bytes;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

const NULL: &[u8] = b"\\N";
pub(super) const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Decodes whole rows, each ending in a newline; see [`decode::decode`].
pub(super) fn decode(layout: &Layout, wire: Bytes) -> Result<RawBatch, DecodeError> {
    let mut walk = Walk { wire: &wire, at: 0, row: 0, field: 0, fields: layout.fields.len() };
    let first_row_bytes = wire.iter().position(|byte| *byte == b'\n').unwrap_or(wire.len());
    let rows = decode::rows_guess(wire.len(), first_row_bytes);
    let (steps, mut columns) = decode::compile(layout, &wire, rows);
    let mut gaps = Vec::with_capacity(rows * (layout.masked() + 1));
    while walk.at < walk.wire.len() {
        walk.field = 0;
        let mut gap_start = walk.at;
        // A gap ends before the delimiter that the walk has already stepped over, if it holds a field at all.
        let gap = |start: usize, at: usize| decode::gap(start, at.saturating_sub(1).max(start));
        for step in &steps {
            match *step {
                Step::Keep(count) => {
                    for _ in 0..count {
                        walk.next()?;
                    }
                }
                Step::Read(column) => walk.decode(&mut columns[column])?,
                Step::Mask(column) => {
                    gaps.push(gap(gap_start, walk.at));
                    walk.decode(&mut columns[column])?;
                    gap_start = walk.at;
                }
                Step::Close => gaps.push(gap(gap_start, walk.at)),
            }
        }
        walk.end_empty_row()?;
        walk.row += 1;
    }
    let rows = walk.row;
    Ok(decode::finish(columns, rows, wire, gaps))
}

/// A position in text rows.
struct Walk<'a> {
    wire: &'a [u8],
    at: usize,
    row: usize,
    field: usize,
    /// Fields of every row.
    fields: usize,
}

impl<'a> Walk<'a> {
    #[cold]
    fn fail(&self, offset: usize, kind: DecodeErrorKind) -> DecodeError {
        let field = match kind {
            DecodeErrorKind::FieldCount { .. } => None,
            _ => Some(self.field),
        };
        DecodeError { row: self.row, field, offset: Some(offset), kind }
    }

    /// Steps over a field and its delimiter; returns where the field lies.
    #[inline]
    fn next(&mut self) -> Result<(usize, usize), DecodeError> {
        let start = self.at;
        let Some(end) = find_delimiter(self.wire, start) else {
            return Err(self.fail(self.wire.len(), DecodeErrorKind::Truncated));
        };
        let last = self.field + 1 == self.fields;
        if last != (self.wire[end] == b'\n') {
            return Err(self.count_error(start));
        }
        self.field += 1;
        self.at = end + 1;
        Ok((start, end))
    }

    /// Ends the row of a table without columns, which is an empty line.
    fn end_empty_row(&mut self) -> Result<(), DecodeError> {
        if self.fields > 0 {
            return Ok(());
        }
        if self.wire[self.at] != b'\n' {
            return Err(self.count_error(self.at));
        }
        self.at += 1;
        Ok(())
    }

    #[cold]
    fn count_error(&self, start: usize) -> DecodeError {
        let rest = &self.wire[start..];
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or(rest);
        let found = self.field + 1 + line.iter().filter(|byte| **byte == b'\t').count();
        self.fail(start, DecodeErrorKind::FieldCount { expected: self.fields, found })
    }

    #[inline]
    fn decode(&mut self, column: &mut Column) -> Result<(), DecodeError> {
        let (start, end) = self.next()?;
        if &self.wire[start..end] == NULL {
            column.push_null(self.row);
            return Ok(());
        }
        push(column, self.wire, start, end).map_err(|kind| DecodeError {
            row: self.row,
            field: Some(column.field),
            offset: Some(start),
            kind,
        })
    }
}

/// Finds the next tab or newline, eight bytes at a time.
#[inline]
fn find_delimiter(wire: &[u8], from: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The lowest set bit marks the first zero byte exactly; only bits above it can be false.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = from;
    while let Some(chunk) = wire[at..].first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let found = zero(word ^ (ONES * u64::from(b'\t'))) | zero(word ^ (ONES * u64::from(b'\n')));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += chunk.len();
    }
    wire[at..].iter().position(|byte| matches!(byte, b'\t' | b'\n')).map(|found| at + found)
}

/// Adds the value that the raw field `wire[start..end]` stands for.
fn push(column: &mut Column, wire: &[u8], start: usize, end: usize) -> Result<(), DecodeErrorKind> {
    let raw = &wire[start..end];
    match &mut column.values {
        Values::Text(texts) | Values::Jsonb(texts) => {
            if !raw.contains(&b'\\') {
                return decode::push_view(texts, start, end - start);
            }
            column.unescaped.clear();
            unescape(raw, &mut column.unescaped)?;
            texts.append_value(std::str::from_utf8(&column.unescaped).map_err(|_| DecodeErrorKind::Encoding)?);
            Ok(())
        }
        Values::Nested(_) | Values::Bytes { .. } if raw.contains(&b'\\') => {
            let mut plain = Vec::with_capacity(raw.len());
            unescape(raw, &mut plain)?;
            push_plain(column, &plain)
        }
        _ => push_plain(column, raw),
    }
}

/// Adds the value that a text without escapes stands for: a field, or a leaf of a container.
pub(super) fn push_plain(column: &mut Column, raw: &[u8]) -> Result<(), DecodeErrorKind> {
    match &mut column.values {
        Values::Int2(values) => values.push(number(raw)?),
        Values::Int4(values) => values.push(number(raw)?),
        Values::Int8(values) => values.push(number(raw)?),
        Values::Float4(values) => values.push(number(raw)?),
        Values::Float8(values) => values.push(number(raw)?),
        Values::Bool(values) => values.push(match raw {
            b"t" => true,
            b"f" => false,
            _ => return Err(DecodeErrorKind::Value),
        }),
        Values::Fixed(bytes, form) => {
            let found = match form {
                Fixed::Uuid => uuid(raw).map(|uuid| bytes.extend_from_slice(&uuid)),
                Fixed::Mac | Fixed::Mac8 => mac(raw, form.bytes(), bytes),
                Fixed::Point => point(raw, bytes),
                Fixed::Time => clock(raw).map(|micros| bytes.extend_from_slice(&micros.to_be_bytes())),
                Fixed::TimeTz => zoned_clock(raw, bytes),
            };
            found.ok_or(DecodeErrorKind::Value)?;
        }
        Values::Date(values) => values.push(date(raw).ok_or(DecodeErrorKind::Value)?),
        Values::Timestamp(values) => values.push(timestamp(raw).ok_or(DecodeErrorKind::Value)?),
        Values::Bytes { views, form } => {
            let at = column.unescaped.len();
            span(raw, *form, &mut column.unescaped).ok_or(DecodeErrorKind::Value)?;
            // Views count to 4 GiB.
            if u32::try_from(column.unescaped.len()).is_err() {
                return Err(DecodeErrorKind::Value);
            }
            views.push(decode::view(&column.unescaped, at, column.unescaped.len() - at, UNESCAPED));
        }
        Values::Text(texts) | Values::Jsonb(texts) => {
            texts.append_value(std::str::from_utf8(raw).map_err(|_| DecodeErrorKind::Encoding)?);
        }
        Values::Nested(nested) => nested.push_text(raw)?,
    }
    Ok(())
}

/// Reads a value into the form of the binary wire.
fn span(raw: &[u8], form: Span, out: &mut Vec<u8>) -> Option<()> {
    match form {
        Span::Inet | Span::Cidr => network(raw, form == Span::Cidr, out),
        Span::Numeric => decimal::push_text_wire(std::str::from_utf8(raw).ok()?, out),
        Span::Bytea => {
            let digits = raw.strip_prefix(b"\\x").filter(|digits| digits.len().is_multiple_of(2))?;
            for pair in digits.chunks_exact(2) {
                out.push(hex(pair[0])? << 4 | hex(pair[1])?);
            }
            Some(())
        }
        Span::Opaque => {
            out.extend_from_slice(raw);
            Some(())
        }
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// Reads `08:00:2b:01:02:03`.
fn mac(raw: &[u8], bytes: usize, out: &mut Vec<u8>) -> Option<()> {
    if raw.len() != bytes * 3 - 1 {
        return None;
    }
    for (place, part) in raw.chunks(3).enumerate() {
        let colon = part.get(2).is_none_or(|byte| *byte == b':') && (part.len() == 3) == (place + 1 < bytes);
        out.push(colon.then_some(hex(part[0])? << 4 | hex(part[1])?)?);
    }
    Some(())
}

/// Reads `(x,y)`.
fn point(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let text = std::str::from_utf8(raw).ok()?.strip_prefix('(')?.strip_suffix(')')?;
    let (x, y) = text.split_once(',')?;
    for coordinate in [x, y] {
        out.extend_from_slice(&number::<f64>(coordinate.as_bytes()).ok()?.to_be_bytes());
    }
    Some(())
}

/// Undoes the escapes that a server writes; octal and hexadecimal ones are input only and refused.
///
/// # Errors
/// [`DecodeErrorKind::Escape`].
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeErrorKind> {
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'b') => 0x08,
                Some(b'f') => 0x0c,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 0x0b,
                Some(b'\\') => b'\\',
                _ => return Err(DecodeErrorKind::Escape),
            },
            byte => *byte,
        });
    }
    Ok(())
}

/// Appends a text with the escapes of COPY.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    let special = |byte: &u8| matches!(byte, 0x08..=0x0d | b'\\');
    while let Some(at) = rest.iter().position(special) {
        out.extend_from_slice(&rest[..at]);
        let letter = match rest[at] {
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0b => b'v',
            0x0c => b'f',
            b'\r' => b'r',
            byte => byte,
        };
        out.extend_from_slice(&[b'\\', letter]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

pub(super) fn put_null(out: &mut Vec<u8>) {
    out.extend_from_slice(NULL);
}

/// How many kept fields lie in each gap of a row: before masked column `i`, and after the last one.
pub(super) struct GapFields(pub(super) Vec<usize>);

impl GapFields {
    pub(super) fn of(layout: &Layout) -> Self {
        let mut counts = vec![0];
        for field in &layout.fields[..layout.written] {
            match field {
                Field::Mask(_) => counts.push(0),
                Field::Keep | Field::Read(_) => *counts.last_mut().expect("starts with one gap") += 1,
            }
        }
        Self(counts)
    }
}

/// Appends the forms of [`span`]; none if the bytes are not of the form.
pub(super) fn put_span(value: &[u8], form: Span, out: &mut Vec<u8>) -> Option<()> {
    match form {
        Span::Inet | Span::Cidr => return put_network(value, form == Span::Cidr, out),
        Span::Numeric => {
            let mut text = String::new();
            decimal::push_wire_text(value, &mut text)?;
            out.extend_from_slice(text.as_bytes());
        }
        Span::Bytea => {
            out.extend_from_slice(b"\\x");
            value.iter().for_each(|byte| put_hex(*byte, out));
        }
        Span::Opaque => out.extend_from_slice(value),
    }
    Some(())
}

/// Appends a value of fixed width.
pub(super) fn put_fixed(value: &[u8], form: Fixed, out: &mut Vec<u8>) {
    match form {
        Fixed::Uuid => put_uuid(value, out),
        Fixed::Mac | Fixed::Mac8 => {
            for (place, byte) in value.iter().enumerate() {
                out.extend((place > 0).then_some(b':'));
                put_hex(*byte, out);
            }
        }
        Fixed::Point => {
            for (place, coordinate) in value.as_chunks::<8>().0.iter().enumerate() {
                out.push(if place > 0 { b',' } else { b'(' });
                put_float(f64::from_be_bytes(*coordinate), out);
            }
            out.push(b')');
        }
        Fixed::Time | Fixed::TimeTz => {
            let (micros, zone) = value.split_at(size_of::<i64>());
            put_time(i64::from_be_bytes(micros.try_into().expect("a time has eight bytes")), out);
            if let Ok(zone) = zone.try_into() {
                put_zone(i32::from_be_bytes(zone), out);
            }
        }
    }
}

/// Appends the shortest digits that give the number back.
pub fn put_float<T: Into<f64> + Copy + std::fmt::Display + std::fmt::LowerExp>(value: T, out: &mut Vec<u8>) {
    let magnitude: f64 = value.into().abs();
    // Plain digits would be hundreds at the ends of the range.
    let plain = magnitude == 0.0 || !magnitude.is_finite() || (1e-5..1e15).contains(&magnitude);
    let written = if plain { write!(out, "{value}") } else { write!(out, "{value:e}") };
    written.expect("a vector takes every write");
}

fn put_hex(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// Reads a number that Rust reads as PostgreSQL does: whole ones, and floats, which PostgreSQL calls `Infinity` and `NaN`.
fn number<T: std::str::FromStr>(raw: &[u8]) -> Result<T, DecodeErrorKind> {
    let text = std::str::from_utf8(raw).map_err(|_| DecodeErrorKind::Value)?;
    text.parse().map_err(|_| DecodeErrorKind::Value)
}

/// Reads `8-4-4-4-12` hexadecimal digits.
pub fn uuid(raw: &[u8]) -> Option<[u8; 16]> {
    if raw.len() != 36 || [8, 13, 18, 23].iter().any(|at| raw[*at] != b'-') {
        return None;
    }
    let mut digits = raw.iter().enumerate().filter(|(at, _)| !matches!(at, 8 | 13 | 18 | 23));
    let mut value = [0; 16];
    for byte in &mut value {
        let (_, high) = digits.next()?;
        let (_, low) = digits.next()?;
        *byte = hex(*high)? << 4 | hex(*low)?;
    }
    Some(value)
}

pub fn put_uuid(value: &[u8], out: &mut Vec<u8>) {
    for (at, byte) in value.iter().enumerate() {
        out.extend(matches!(at, 4 | 6 | 8 | 10).then_some(b'-'));
        put_hex(*byte, out);
    }
}

/// Reads decimal digits only, at most nine of them.
fn digits(raw: &[u8]) -> Option<i64> {
    if raw.is_empty() || raw.len() > 9 {
        return None;
    }
    raw.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

/// Reads `YYYY-MM-DD` and returns days since 1970-01-01; the year has four digits or more and is `1 - year` BC.
fn day(raw: &[u8], bc: bool) -> Option<i64> {
    let (year, rest) = raw.split_at_checked(raw.len().checked_sub(6)?)?;
    let (b'-', b'-') = (rest[0], rest[3]) else {
        return None;
    };
    let (year, month, day) = (digits(year).filter(|_| year.len() >= 4)?, digits(&rest[1..3])?, digits(&rest[4..6])?);
    let year = match (bc, year) {
        (_, 0) => return None,
        (true, year) => 1 - year,
        (false, year) => year,
    };
    let days = days_from_civil(year, month, day);
    // Normalizing back refuses the 30th of February and month 13.
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

/// Splits the suffix of years before the common era off.
fn era(raw: &[u8]) -> (&[u8], bool) {
    match raw.strip_suffix(b" BC") {
        Some(raw) => (raw, true),
        None => (raw, false),
    }
}

/// Reads an ISO date; days since 1970-01-01 with infinities as in [`crate::mask::Shape::Date`].
pub fn date(raw: &[u8]) -> Option<i32> {
    match raw {
        b"infinity" => return Some(i32::MAX),
        b"-infinity" => return Some(i32::MIN),
        _ => {}
    }
    let (raw, bc) = era(raw);
    let days = i32::try_from(day(raw, bc)?).ok()?;
    decode::date_to_wire(days).map(|_| days)
}

/// Appends a date as the server writes it; the caller has checked the range.
pub fn put_date(days: i32, out: &mut Vec<u8>) {
    if put_infinity(days == i32::MAX, days == i32::MIN, out) {
        return;
    }
    let (year, month, day) = civil_from_days(i64::from(days));
    put_civil(year, month, day, out);
    put_era(year, out);
}

fn put_infinity(positive: bool, negative: bool, out: &mut Vec<u8>) -> bool {
    if negative {
        out.push(b'-');
    }
    if positive || negative {
        out.extend_from_slice(b"infinity");
    }
    positive || negative
}

fn put_civil(year: i64, month: i64, day: i64, out: &mut Vec<u8>) {
    let year = if year > 0 { year } else { 1 - year };
    write!(out, "{year:04}-{month:02}-{day:02}").expect("a vector takes every write");
}

fn put_era(year: i64, out: &mut Vec<u8>) {
    if year <= 0 {
        out.extend_from_slice(b" BC");
    }
}

/// Reads an ISO timestamp, with or without the zone `+00`; microseconds since 2000-01-01 UTC.
pub fn timestamp(raw: &[u8]) -> Option<i64> {
    match raw {
        b"infinity" => return Some(i64::MAX),
        b"-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (raw, bc) = era(raw);
    let raw = raw.strip_suffix(b"+00").unwrap_or(raw);
    let blank = raw.iter().position(|byte| *byte == b' ')?;
    let days = day(&raw[..blank], bc)? - i64::from(EPOCH_DAYS);
    let micros = days.checked_mul(MICROS_PER_DAY)?.checked_add(time(&raw[blank + 1..])?)?;
    (!matches!(micros, i64::MIN | i64::MAX) && decode::timestamp_legal(micros)).then_some(micros)
}

/// Reads `HH:MM:SS` with up to six fraction digits; microseconds of the day.
pub fn time(raw: &[u8]) -> Option<i64> {
    let (clock, fraction) = raw.split_at_checked(8)?;
    let (b':', b':') = (clock[2], clock[5]) else {
        return None;
    };
    let (hours, minutes, seconds) = (digits(&clock[..2])?, digits(&clock[3..5])?, digits(&clock[6..])?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.', fraction @ ..] if fraction.len() <= 6 => digits(fraction)? * 10_i64.pow(6 - fraction.len() as u32),
        _ => return None,
    };
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}

/// Reads a time of day up to `24:00:00`.
fn clock(raw: &[u8]) -> Option<i64> {
    if raw == b"24:00:00" { Some(MICROS_PER_DAY) } else { time(raw) }
}

/// Reads a time of day with its zone, `+HH`, `+HH:MM` or `+HH:MM:SS`, as microseconds and seconds west of UTC.
fn zoned_clock(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let sign = raw.iter().position(|byte| matches!(byte, b'+' | b'-'))?;
    let micros = clock(&raw[..sign])?;
    let parts: Vec<&[u8]> = raw[sign + 1..].split(|byte| *byte == b':').collect();
    if parts.len() > 3 || parts.iter().any(|part| part.len() != 2) {
        return None;
    }
    let mut east = 0;
    for place in 0..3 {
        east = east * 60 + parts.get(place).map_or(Some(0), |part| digits(part))?;
    }
    let west = i32::try_from(if raw[sign] == b'+' { -east } else { east }).ok()?;
    out.extend_from_slice(&micros.to_be_bytes());
    out.extend_from_slice(&west.to_be_bytes());
    Some(())
}

/// Appends a time of the day, microseconds since midnight, as the server writes it.
pub fn put_time(of_day: i64, out: &mut Vec<u8>) {
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
        .expect("a vector takes every write");
    if fraction > 0 {
        write!(out, ".{fraction:06}").expect("a vector takes every write");
        let kept = out.iter().rposition(|byte| *byte != b'0').expect("a fraction has a digit other than 0");
        out.truncate(kept + 1);
    }
}

/// Appends a zone, given in seconds west of UTC, as the server writes it.
fn put_zone(west: i32, out: &mut Vec<u8>) {
    let east = west.unsigned_abs();
    let (hours, minutes, seconds) = (east / 3600, east / 60 % 60, east % 60);
    write!(out, "{}{hours:02}", if west > 0 { '-' } else { '+' }).expect("a vector takes every write");
    for (part, told) in [(minutes, minutes + seconds > 0), (seconds, seconds > 0)] {
        if told {
            write!(out, ":{part:02}").expect("a vector takes every write");
        }
    }
}

/// Appends a timestamp as the server writes `timestamptz` at UTC; the caller has checked the range.
///
/// The zone is written for `timestamp` too: PostgreSQL ignores it there, and without it a `timestamptz` would depend on
/// the time zone of the target's session.
pub fn put_timestamp(micros: i64, out: &mut Vec<u8>) {
    if put_infinity(micros == i64::MAX, micros == i64::MIN, out) {
        return;
    }
    let (year, month, day) = civil_from_days(micros.div_euclid(MICROS_PER_DAY) + i64::from(EPOCH_DAYS));
    put_civil(year, month, day, out);
    out.push(b' ');
    put_time(micros.rem_euclid(MICROS_PER_DAY), out);
    out.extend_from_slice(b"+00");
    put_era(year, out);
}

/// Days since 1970-01-01 of a proleptic Gregorian date; months and days outside their range carry over.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse: year, month, day. Source: as above, `civil_from_days`.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Reads `address[/prefix]` into the form of the binary wire.
fn network(raw: &[u8], cidr: bool, out: &mut Vec<u8>) -> Option<()> {
    let text = std::str::from_utf8(raw).ok()?;
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(u8::try_from(digits(prefix.as_bytes())?).ok()?)),
        None => (text, None),
    };
    if let Ok(address) = address.parse::<Ipv4Addr>() {
        let prefix = prefix.unwrap_or(32);
        out.extend_from_slice(&[2, prefix, u8::from(cidr), 4]);
        out.extend_from_slice(&address.octets());
        return (prefix <= 32).then_some(());
    }
    let prefix = prefix.unwrap_or(128);
    let address = address.parse::<Ipv6Addr>().ok()?;
    out.extend_from_slice(&[3, prefix, u8::from(cidr), 16]);
    out.extend_from_slice(&address.octets());
    (prefix <= 128).then_some(())
}

/// Appends an address in the form of the binary wire as text, with the prefix where it is not the whole address or
/// `always`. None if the bytes are no address.
pub(super) fn put_network(value: &[u8], always: bool, out: &mut Vec<u8>) -> Option<()> {
    let [_, prefix, _, _, address @ ..] = value else {
        return None;
    };
    if !decode::network_legal(value) {
        return None;
    }
    let prefix_max = if let Ok(octets) = <[u8; 4]>::try_from(address) {
        write!(out, "{}", Ipv4Addr::from(octets)).expect("a vector takes every write");
        32
    } else {
        let octets = <[u8; 16]>::try_from(address).ok()?;
        write!(out, "{}", Ipv6Addr::from(octets)).expect("a vector takes every write");
        128
    };
    if always || *prefix != prefix_max {
        write!(out, "/{prefix}").expect("a vector takes every write");
    }
    Some(())
}
