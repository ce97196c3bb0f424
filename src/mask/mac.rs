//! `mac/1`: hardware addresses of network interfaces (IEEE 802, 48 and 64 bits).
//!
//! Frozen: without `keep_oui`, the bits other than the two that tell group from individual and local from universal are one
//! number, most significant first, in `Perm(2^46 or 2^62, "mac" || [octets] || [the two bits])`. With it, the three octets of
//! the maker stay: `Perm(2^24 or 2^40, "mac" || [octets] || maker)` on the rest. All zeros and all ones stay and are walked
//! past: they name no interface.

use super::column::{ColumnMask, Compile, MaskError, Rows};
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::leaf::{At, ON_INVALID, TEXT, TextKind, TextMask};
use super::token::{PermCache, PermMemo};
use super::{Keeps, Kind, Raw, Shape, Takes};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray};
use arrow_buffer::Buffer;
use std::sync::Arc;

pub(super) static MAC: Kind = Kind {
    name: "mac",
    remains: |_| super::Remains::Rare { bits: 20 },
    keeps: Keeps {
        words: "the addresses of zeros only and of ones only",
        holds: |raw, _| match raw {
            Raw::Bytes(bytes) => {
                matches!(bytes.len(), 6 | 8) && [0, u8::MAX].iter().any(|of| bytes.iter().all(|byte| byte == of))
            }
            Raw::Text(text) => MacText::read(text).is_some_and(|(address, octets)| names_none(address, octets * 8)),
            _ => false,
        },
    },
    summary: "Permutes MAC addresses; the group and local bits and separators stay, letters become lowercase",
    params: &[
        Param {
            name: "keep_oui",
            summary: "the first three octets, which tell the maker, stay",
            domain: Domain::Bool,
            default: "false",
        },
        ON_INVALID,
    ],
    accepts: &[Takes::Mac, Takes::Text],
    folds: true,
    lowercase: true,
    samples: &["08:00:2b:01:02:03", "0800.2b01.0203"],
    compile: |compile| match compile.shape {
        Shape::Mac => Ok(Box::new(MacColumn { text: MacText(Mac::new(compile)), octets: 6 })),
        Shape::Mac8 => Ok(Box::new(MacColumn { text: MacText(Mac::new(compile)), octets: 8 })),
        _ => TextMask::boxed(compile, MacText(Mac::new(compile))),
    },
    ..TEXT
};

/// The permutations of one column's addresses.
pub(super) struct Mac {
    key: DomainKey,
    cache: Arc<PermCache>,
    keep_oui: bool,
}

/// The bits of the first octet that stay: locally administered, and group.
const KEPT: u64 = 0b11;

impl Mac {
    pub fn new(compile: &Compile<'_>) -> Self {
        let label = &compile.spec.label;
        Self {
            key: compile.realm.domain("mac/1", label),
            cache: compile.realm.shared("mac/1", label, PermCache::default),
            keep_oui: compile.flag("keep_oui", false),
        }
    }

    /// Masks an address of `octets` octets, 6 or 8, read most significant first.
    pub fn mask(&self, address: u64, octets: u32, memo: &mut PermMemo) -> u64 {
        let bits = octets * 8;
        let all = u64::MAX >> (64 - bits);
        if names_none(address, bits) {
            return address;
        }
        memo.tweak.clear();
        memo.tweak.extend_from_slice(b"mac");
        memo.tweak.push(octets as u8);
        // The two kept bits are the last of the first octet; six stand before them.
        let low = bits - 8;
        let (payload_bits, payload, kept) = if self.keep_oui {
            let maker = address >> (bits - 24);
            memo.tweak.extend_from_slice(&maker.to_be_bytes()[5..]);
            (bits - 24, address & (all >> 24), maker << (bits - 24))
        } else {
            let kept = address >> low & KEPT;
            memo.tweak.push(kept as u8);
            (bits - 2, address >> (bits - 6) << low | address & ((1 << low) - 1), kept << low)
        };
        let whole = |payload: u64| {
            if self.keep_oui {
                kept | payload
            } else {
                payload >> low << (bits - 6) | kept | payload & ((1 << low) - 1)
            }
        };
        let perm = memo.perm(&self.cache, &self.key, 1 << payload_bits);
        let masked = perm.walk(payload.into(), |payload| !names_none(whole(payload as u64), bits));
        whole(masked as u64)
    }
}

/// All zeros and all ones, of so many bits.
fn names_none(address: u64, bits: u32) -> bool {
    address == 0 || address == u64::MAX >> (64 - bits)
}

struct MacText(Mac);

impl MacText {
    /// Address and number of octets: 12 or 16 hex digits with `:`, `-`, `.` or blanks anywhere between them.
    fn read(text: &str) -> Option<(u64, u32)> {
        let (mut address, mut digits) = (0u64, 0);
        for c in text.chars() {
            match c.to_digit(16) {
                Some(_) if digits == 16 => return None,
                Some(digit) => (address, digits) = (address << 4 | u64::from(digit), digits + 1),
                None if ":-. ".contains(c) => {}
                None => return None,
            }
        }
        matches!(digits, 12 | 16).then_some((address, digits / 2))
    }
}

impl TextKind for MacText {
    type Scratch = PermMemo;

    fn mask(&self, value: &str, _at: At<'_>, memo: &mut PermMemo, out: &mut String) -> bool {
        let Some((address, octets)) = Self::read(value) else { return false };
        let masked = self.0.mask(address, octets, memo);
        let mut shift = octets * 8;
        for c in value.chars() {
            if c.is_ascii_hexdigit() {
                shift -= 4;
                let digit = (masked >> shift) as u32 & 15;
                out.push(char::from_digit(digit, 16).expect("four bits are a hex digit"));
            } else {
                out.push(c);
            }
        }
        true
    }

    fn reads(&self, value: &str, _memo: &mut PermMemo) -> bool {
        Self::read(value).is_some()
    }
}

/// `mac/1` on a `macaddr` or `macaddr8` column: an address has the mask it has as text.
struct MacColumn {
    text: MacText,
    octets: usize,
}

impl ColumnMask for MacColumn {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
        let values = column.as_fixed_size_binary_opt().filter(|values| values.value_length() as usize == self.octets);
        let values = values.ok_or_else(wrong)?;
        let (mut masked, mut memo) = (Vec::with_capacity(values.len() * self.octets), PermMemo::default());
        for row in 0..values.len() {
            let mut address = [0; 8];
            if values.is_valid(row) {
                address[8 - self.octets..].copy_from_slice(values.value(row));
            }
            let mask = self.text.0.mask(u64::from_be_bytes(address), self.octets as u32, &mut memo);
            masked.extend_from_slice(&mask.to_be_bytes()[8 - self.octets..]);
        }
        let array =
            FixedSizeBinaryArray::try_new(self.octets as i32, Buffer::from_vec(masked), values.nulls().cloned());
        Ok(Arc::new(array.map_err(|_| wrong())?))
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let read = TextKind::mask(&self.text, value, At { row, rows }, &mut PermMemo::default(), out);
        if read { Ok(()) } else { Err(MaskError::at(row, "the value is not a hardware address")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::tests::{one, value};
    use std::collections::HashSet;

    #[test]
    fn writings_of_one_address_agree_and_keep_their_layout() {
        let mask = one("mac", "08:00:2b:01:02:03");
        assert_eq!(one("mac", "08-00-2B-01-02-03").replace('-', ":"), mask);
        assert_eq!(one("mac", "08002b010203"), mask.replace(':', ""));
        let dotted = one("mac", "0800.2b01.0203");
        assert_eq!((dotted.replace('.', ""), &dotted[4..5]), (mask.replace(':', ""), "."));
        assert_ne!(one("mac", "08:00:2b:01:02:03:04:05")[..17], mask);
    }

    #[test]
    fn group_and_local_bits_and_special_addresses_stay() {
        let first = |text: &str| u32::from_str_radix(&text[..2], 16).expect("an octet") & 3;
        for octet in 0..64 {
            let text = format!("{octet:02x}:00:2b:01:02:{octet:02x}");
            assert_eq!(first(&one("mac", &text)), first(&text), "{text}");
        }
        for text in ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "ff-ff-ff-ff-ff-ff-ff-ff"] {
            assert_eq!(one("mac", text), text);
        }
        let kept = value("mac", r#"{"keep_oui":true}"#, None, "08:00:2b:01:02:03").expect("a mask");
        assert!(kept.starts_with("08:00:2b:") && kept != "08:00:2b:01:02:03", "{kept}");
    }

    #[test]
    fn addresses_of_one_maker_get_their_own_masks() {
        for json in ["{}", r#"{"keep_oui":true}"#] {
            let mask = |i: u32| value("mac", json, None, &format!("08:00:2b:00:{:02x}:{:02x}", i / 256, i % 256));
            assert_eq!((0..5_000).map(mask).collect::<HashSet<_>>().len(), 5_000);
        }
    }

    #[test]
    fn other_texts_are_not_read() {
        for text in
            ["08:00:2b:01:02", "08:00:2b:01:02:0g", "08:00:2b:01:02:03:04", "08002b0102030405aa", "０8002b010203"]
        {
            assert!(MacText::read(text).is_none(), "{text}");
        }
    }
}
