//! `ip/1`: prefix-preserving masks of addresses, after Crypto-PAn (Xu, Fan, Ammar, Moon 2002).

use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::leaf::{At, ON_INVALID, TEXT, TextKind, TextMask};
use super::{Keeps, Kind, Raw, Shape, Takes};
use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

pub(super) static IP: Kind = Kind {
    name: "ip",
    // Special blocks are permuted within themselves, and the smallest hold few addresses or one.
    remains: |_| super::Remains::Near,
    keeps: Keeps {
        words: "without `cryptopan` the addresses of 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3, ::/8 and ff00::/8, but those that hold another IPv4 address",
        holds: |raw, params| {
            params.get("mode").and_then(|mode| mode.as_str()) != Some("cryptopan")
                && match raw {
                    Raw::Bytes(wire) => address_of(wire).is_some_and(is_fixed),
                    Raw::Text(text) => {
                        text.trim().split('/').next().and_then(|text| text.parse::<IpAddr>().ok()).is_some_and(is_fixed)
                    }
                    _ => false,
                }
        },
    },
    summary: "Permutes IP addresses; common prefixes of two addresses stay common, private ranges stay private",
    params: &[
        Param {
            name: "mode",
            summary: "\"safe\" keeps special blocks special; \"cryptopan\" is the published algorithm to the bit",
            domain: Domain::OneOf(&["safe", "cryptopan"]),
            default: "safe",
        },
        ON_INVALID,
    ],
    accepts: &[Takes::Inet, Takes::Text],
    folds: true,
    lowercase: true,
    samples: &["8.8.8.8", "192.168.1.20", "2001:db8::1"],
    // 15 characters hold every IPv4 address; IPv6 in a narrower column than 39 goes to `on_invalid`.
    least: |_| vec![39, 15],
    compile,
    ..TEXT
};

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let key = compile.realm.domain("ip/1", &compile.spec.label);
    let heads = compile.realm.shared("ip/1", &compile.spec.label, Heads::default);
    let pan = Pan::new(&key, compile.word("mode") != Some("cryptopan"), heads);
    match compile.shape {
        Shape::Inet | Shape::Cidr => Ok(Box::new(InetMask { pan, cidr: compile.shape == Shape::Cidr })),
        Shape::Text { chars_max, .. } => {
            // The narrowest column of the label decides for all, so that they keep joining.
            let room = if compile.tier() == 0 { chars_max.unwrap_or(u32::MAX) } else { 15 };
            TextMask::boxed(compile, IpText { pan, room })
        }
        _ => Err(compile.wrong_shape()),
    }
}

/// A block of addresses that must not change its meaning: leading bits, left-aligned, and their number.
type Block = (u128, u32);

const fn v4(address: u32, bits: u32) -> Block {
    ((address as u128) << 96, bits)
}

const fn v6(first: u16, bits: u32) -> Block {
    ((first as u128) << 112, bits)
}

/// Blocks of IPv4 whose prefix stays.
const SPECIAL_V4: &[Block] = &[
    v4(0, 8),
    v4(0x0a00_0000, 8),
    v4(0x6440_0000, 10),
    v4(0x7f00_0000, 8),
    v4(0xa9fe_0000, 16),
    v4(0xac10_0000, 12),
    v4(0xc0a8_0000, 16),
    v4(0xe000_0000, 3),
];
/// Blocks of IPv4 whose addresses stay: they name no host of anybody.
const FIXED_V4: &[Block] = &[v4(0, 8), v4(0x7f00_0000, 8), v4(0xa9fe_0000, 16), v4(0xe000_0000, 3)];
const SPECIAL_V6: &[Block] = &[v6(0, 8), v6(0x2000, 3), v6(0xfc00, 8), v6(0xfd00, 8), v6(0xfe80, 10), v6(0xff00, 8)];
const FIXED_V6: &[Block] = &[v6(0, 8), v6(0xff00, 8)];

/// What stands before an IPv4 address in one of IPv6: `::ffff:1.2.3.4`, `::1.2.3.4` (RFC 4291; `::` and `::1` are of 0/8,
/// which stays), `::ffff:0:1.2.3.4` (RFC 2765) and `64:ff9b::1.2.3.4` of translators (RFC 6052).
const HEADS: [u128; 4] = [0xffff, 0, 0xffff_0000, 0x64_ff9b << 64];
/// Translators of one network (RFC 8215), who choose where the IPv4 address stands.
const LOCAL: Block = (0x0064_ff9b_0001 << 80, 48);

/// Addresses that `safe` masks leave as they are.
fn is_fixed(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => inside(u128::from(v4.to_bits()) << 96, FIXED_V4),
        IpAddr::V6(v6) if HEADS.contains(&(v6.to_bits() >> 32)) => {
            inside(u128::from(v6.to_bits() as u32) << 96, FIXED_V4)
        }
        IpAddr::V6(v6) => inside(v6.to_bits(), FIXED_V6) && !inside(v6.to_bits(), &[LOCAL]),
    }
}

/// The first `bits` bits of a left-aligned address.
fn head(address: u128, bits: u32) -> u128 {
    if bits == 0 { 0 } else { address >> (128 - bits) << (128 - bits) }
}

fn inside(address: u128, blocks: &[Block]) -> bool {
    blocks.iter().any(|(block, bits)| head(address, *bits) == *block)
}

/// Bit `i` stays if the bits before it are a proper prefix of a special block: the bits kept, as a mask.
fn kept_bits(address: u128, special: &[Block]) -> u128 {
    let mut kept = 0;
    for (block, bits) in special {
        // Bits up to and including the first that differs follow a common, proper prefix.
        let common = (address ^ block).leading_zeros().min(bits - 1);
        kept |= head(u128::MAX, common + 1);
    }
    kept
}

/// The keyed address permutation.
struct Pan {
    cipher: Aes128,
    pad: u128,
    safe: bool,
    heads: Arc<Heads>,
}

/// Bits of an address that are looked up: of IPv4 half of all, of which each costs an encryption.
const HEAD_BITS: u32 = 16;
/// Addresses after which the table has cost no more than going on without: it takes an encryption for each beginning.
const HEADS_WORTH: u32 = (1 << HEAD_BITS) / HEAD_BITS;

/// The flips of the first bits of every address, once enough were asked for: 128 KiB, shared by the columns of a label.
#[derive(Default)]
struct Heads {
    flips: OnceLock<Box<[u16]>>,
    uses: AtomicU32,
}

impl Pan {
    fn new(key: &DomainKey, safe: bool, heads: Arc<Heads>) -> Self {
        let (first, second) = key.0.split_at(16);
        let mut halves = [[0u8; 16]; 2];
        halves[0].copy_from_slice(first);
        halves[1].copy_from_slice(second);
        let cipher = Aes128::new(&halves[0].into());
        let mut pad = halves[1].into();
        cipher.encrypt_block(&mut pad);
        let pad = u128::from_be_bytes(pad.into());
        zeroize::Zeroize::zeroize(&mut halves);
        Self { cipher, pad, safe, heads }
    }

    /// The block whose first bit flips the bit behind the first `bits` bits.
    fn block(&self, address: u128, bits: u32) -> aes::Block {
        (head(address, bits) | (self.pad & !head(u128::MAX, bits))).to_be_bytes().into()
    }

    /// The table of [`Heads`], if it is there or its time has come.
    fn heads(&self) -> Option<&[u16]> {
        if self.heads.flips.get().is_none() && self.heads.uses.fetch_add(1, Ordering::Relaxed) < HEADS_WORTH {
            return None;
        }
        Some(self.heads.flips.get_or_init(|| self.flips_of_heads()))
    }

    fn flips_of_heads(&self) -> Box<[u16]> {
        let mut flips = vec![0; 1 << HEAD_BITS];
        let mut blocks = [aes::Block::default(); 8];
        for bits in 0..HEAD_BITS {
            // Addresses that begin alike flip the next bit alike.
            let alike = 1 << (HEAD_BITS - bits);
            for (chunk, heads) in flips.chunks_mut(alike * blocks.len()).enumerate() {
                for (place, block) in (chunk * 8..).zip(&mut blocks) {
                    *block = self.block(((place * alike) as u128) << (128 - HEAD_BITS), bits);
                }
                self.cipher.encrypt_blocks(&mut blocks);
                for (heads, block) in heads.chunks_mut(alike).zip(&blocks) {
                    let flip = u16::from(block[0] >> 7) << (HEAD_BITS - 1 - bits);
                    heads.iter_mut().for_each(|head| *head |= flip);
                }
            }
        }
        flips.into()
    }

    /// Flips bits `0..bits` of a left-aligned address.
    fn flip(&self, address: u128, bits: u32) -> u128 {
        let known = if bits < HEAD_BITS { None } else { self.heads() };
        let (mut flips, known) = match known {
            Some(heads) => {
                let head = usize::from((address >> (128 - HEAD_BITS)) as u16);
                (u128::from(heads[head]) << (128 - HEAD_BITS), HEAD_BITS)
            }
            None => (0, 0),
        };
        let mut blocks = [aes::Block::default(); 8];
        for start in (known..bits).step_by(8) {
            for (i, block) in (start..).zip(&mut blocks) {
                *block = self.block(address, i);
            }
            self.cipher.encrypt_blocks(&mut blocks);
            for (i, block) in (start..bits).zip(&blocks) {
                flips |= u128::from(block[0] >> 7) << (127 - i);
            }
        }
        flips
    }

    fn mask_aligned(&self, address: u128, bits: u32, special: &[Block], fixed: &[Block]) -> u128 {
        if self.safe && inside(address, fixed) {
            return address;
        }
        let flips = self.flip(address, bits);
        address ^ if self.safe { flips & !kept_bits(address, special) } else { flips }
    }

    /// Masks the first `bits` bits of an IPv4 address.
    fn v4(&self, address: u32, bits: u32) -> u32 {
        (self.mask_aligned(u128::from(address) << 96, bits, SPECIAL_V4, FIXED_V4) >> 96) as u32
    }

    /// Masks the first `bits` bits of an IPv6 address; one that holds an IPv4 address as that.
    fn v6(&self, address: u128, bits: u32) -> u128 {
        if self.safe && HEADS.contains(&(address >> 32)) {
            return head(address, 96) | u128::from(self.v4(address as u32, bits.saturating_sub(96)));
        }
        if inside(address, &[LOCAL]) {
            return self.mask_aligned(address, bits, &[LOCAL], &[]);
        }
        self.mask_aligned(address, bits, SPECIAL_V6, FIXED_V6)
    }

    fn ip(&self, address: IpAddr, bits: u32) -> IpAddr {
        match address {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(self.v4(v4.to_bits(), bits.min(32))).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(self.v6(v6.to_bits(), bits)).into(),
        }
    }
}

/// `ip/1` on text: an address, or an address and `/` prefix length.
struct IpText {
    pan: Pan,
    /// Characters every mask must fit in.
    room: u32,
}

impl IpText {
    fn read(&self, value: &str) -> Option<(IpAddr, Option<u8>)> {
        let (address, prefix) = match value.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
            None => (value.trim(), None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (bits, longest) = if address.is_ipv4() { (32, 15) } else { (128, 39) };
        let longest = longest + prefix.map_or(0, |_| if bits == 32 { 3 } else { 4 });
        (prefix.is_none_or(|prefix| prefix <= bits) && longest <= self.room).then_some((address, prefix))
    }
}

impl TextKind for IpText {
    type Scratch = ();

    fn mask(&self, value: &str, _at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        let Some((address, prefix)) = self.read(value) else { return false };
        let masked = self.pan.ip(address, 128);
        let _ = match prefix {
            Some(prefix) => write!(out, "{masked}/{prefix}"),
            None => write!(out, "{masked}"),
        };
        true
    }

    fn reads(&self, value: &str, _scratch: &mut ()) -> bool {
        self.read(value).is_some()
    }
}

/// Bytes before the address: family, prefix length, is-cidr, address length.
const HEADER: usize = 4;

/// The address in a wire form.
fn address_of(wire: &[u8]) -> Option<IpAddr> {
    let address = wire.get(HEADER..)?;
    let v4 = <[u8; 4]>::try_from(address).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(address).map(IpAddr::from)).ok()
}

/// `ip/1` on an `inet` or `cidr` column.
struct InetMask {
    pan: Pan,
    cidr: bool,
}

impl InetMask {
    /// Appends the masked wire form; none if the bytes are not an address.
    fn push(&self, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (header, address) = value.split_at_checked(HEADER)?;
        let prefix = u32::from(header[1]);
        out.extend_from_slice(header);
        if let Ok(bytes) = <[u8; 4]>::try_from(address) {
            let bits = if self.cidr { prefix.min(32) } else { 32 };
            out.extend_from_slice(&self.pan.v4(u32::from_be_bytes(bytes), bits).to_be_bytes());
        } else {
            let bytes = <[u8; 16]>::try_from(address).ok()?;
            let bits = if self.cidr { prefix.min(128) } else { 128 };
            out.extend_from_slice(&self.pan.v6(u128::from_be_bytes(bytes), bits).to_be_bytes());
        }
        Some(())
    }
}

impl ColumnMask for InetMask {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
        let values = column.as_binary_view_opt().ok_or_else(wrong)?;
        let mut bytes = Vec::with_capacity(values.len() * 20);
        let mut offsets = Vec::with_capacity(values.len() + 1);
        offsets.push(0i32);
        for row in 0..values.len() {
            if values.is_valid(row) {
                self.push(values.value(row), &mut bytes)
                    .ok_or(MaskError::at(row, "the value is not an address in wire form"))?;
            }
            offsets.push(i32::try_from(bytes.len()).map_err(|_| wrong())?);
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let nulls: Option<NullBuffer> = values.nulls().cloned();
        let array = BinaryArray::try_new(offsets, Buffer::from_vec(bytes), nulls).map_err(|_| wrong())?;
        Ok(Arc::new(array))
    }

    fn text(&self, value: &str, row: usize, _rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let address: IpAddr = value.parse().map_err(|_| MaskError::at(row, "the value is not an address"))?;
        let _ = write!(out, "{}", self.pan.ip(address, 128));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MasterKey;

    fn published() -> Pan {
        let key = [
            21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131, 121, 121, 101,
            39, 98, 87, 76, 45, 42, 132, 34, 2,
        ];
        Pan::new(&DomainKey(key), false, Arc::default())
    }

    fn masked(pan: &Pan, address: &str) -> String {
        pan.ip(address.parse().unwrap(), 128).to_string()
    }

    #[test]
    fn cryptopan_matches_the_published_samples() {
        for (address, mask) in [
            ("128.11.68.132", "135.242.180.132"),
            ("129.118.74.4", "134.136.186.123"),
            ("192.102.249.13", "252.138.62.131"),
            ("24.0.250.221", "100.15.198.226"),
            ("64.14.118.196", "0.255.183.58"),
            ("4.3.88.225", "124.60.155.63"),
            ("38.15.67.68", "64.3.66.187"),
            ("::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"),
            ("2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"),
        ] {
            assert_eq!(masked(&published(), address), mask, "{address}");
        }
        assert!(masked(&published(), "::ffff").ends_with(":704:f838"));
    }

    fn safe() -> Pan {
        Pan::new(&MasterKey::test().realm("default").domain("ip/1", ""), true, Arc::default())
    }

    #[test]
    fn beginnings_that_are_looked_up_flip_as_those_that_are_encrypted() {
        let (plain, quick) = (published(), published());
        quick.heads.uses.store(HEADS_WORTH, Ordering::Relaxed);
        for step in 0..4_000u128 {
            let address = step.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            for bits in [0, 1, 15, 16, 17, 32, 128] {
                plain.heads.uses.store(0, Ordering::Relaxed);
                assert_eq!(quick.flip(address, bits), plain.flip(address, bits), "{address:x} {bits}");
            }
        }
        assert!(quick.heads.flips.get().is_some() && plain.heads.flips.get().is_none());
    }

    #[test]
    fn safe_masks_match_the_golden_vectors() {
        for (address, mask) in [
            ("8.8.8.8", "8.140.23.236"),
            ("81.2.69.142", "74.243.250.119"),
            ("10.1.2.3", "10.13.31.254"),
            ("192.168.1.20", "192.168.158.228"),
            ("2001:db8::1", "3c81:15c7:f9e4:7fc0:133e:3f0c:e03:a19e"),
        ] {
            assert_eq!(masked(&safe(), address), mask, "{address}");
        }
    }

    #[test]
    fn addresses_that_are_fixed_stay_and_others_of_their_size_move() {
        let pan = safe();
        let parsed = |text: &str| text.parse::<IpAddr>().unwrap();
        for text in
            ["0.0.0.0", "127.9.8.7", "169.254.1.1", "239.1.2.3", "::", "::1", "::7f00:1", "ff02::1", "64:ff9b::7f00:1"]
        {
            assert!(is_fixed(parsed(text)) && pan.ip(parsed(text), 128) == parsed(text), "{text}");
        }
        for text in
            ["8.8.8.8", "::ffff:8.8.8.8", "::808:808", "64:ff9b::808:808", "64:ff9b:1::808:808", "fe80::1", "fd00::1"]
        {
            assert!(!is_fixed(parsed(text)) && pan.ip(parsed(text), 128) != parsed(text), "{text}");
        }
    }

    #[test]
    fn special_blocks_stay_special_and_others_stay_out_of_them() {
        let pan = safe();
        for i in 0..20_000u32 {
            let address = i.wrapping_mul(0x9e37_79b9);
            let mask = pan.v4(address, 32);
            for block in SPECIAL_V4 {
                let at = |address: u32| inside(u128::from(address) << 96, &[*block]);
                assert_eq!(at(address), at(mask));
            }
        }
        for address in ["127.0.0.1", "0.0.0.0", "169.254.1.1", "224.0.0.1", "255.255.255.255", "::1", "ff02::1"] {
            assert_eq!(masked(&pan, address), address);
        }
        assert!(masked(&pan, "::ffff:10.1.2.3").starts_with("::ffff:10."));
        assert_eq!(masked(&pan, "64:ff9b::8.8.8.8"), "64:ff9b::88c:17ec", "8.140.23.236, as of the IPv4 address");
        assert!(masked(&pan, "fd12::1").starts_with("fd") && masked(&pan, "fe80::1").starts_with("fe"));
    }

    #[test]
    fn an_ipv4_address_inside_a_long_one_is_masked_in_every_form() {
        let pan = safe();
        for (head, address) in [
            ("::", "::8.8.8.8"),
            ("::ffff:", "::ffff:8.8.8.8"),
            ("::ffff:0:", "::ffff:0:8.8.8.8"),
            ("64:ff9b::", "64:ff9b::8.8.8.8"),
        ] {
            let want: Ipv6Addr = format!("{head}8.140.23.236").parse().unwrap();
            assert_eq!(masked(&pan, address), want.to_string(), "the mask of 8.8.8.8 in {address}");
        }
        for address in ["64:ff9b:1::8.8.8.8", "64:ff9b:1:808:8:800::"] {
            let mask = masked(&pan, address);
            let groups: Vec<&str> = mask.split(':').collect();
            assert!(groups[..3] == ["64", "ff9b", "1"] && mask != masked(&published(), address));
            assert_ne!(mask, address.parse::<Ipv6Addr>().unwrap().to_string());
        }
        // Neither holds an address of anybody.
        for address in ["::", "::1", "::ffff", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1"] {
            let address: Ipv6Addr = address.parse().unwrap();
            assert_eq!(pan.v6(address.to_bits(), 128), address.to_bits(), "{address}");
        }
        let compatible: std::collections::HashSet<u128> =
            (0..20_000_u128).map(|i| pan.v6((i * 0x0003_4567) & 0xffff_ffff, 128)).collect();
        assert_eq!(
            compatible.len(),
            (0..20_000_u128).map(|i| (i * 0x0003_4567) & 0xffff_ffff).collect::<std::collections::HashSet<_>>().len()
        );
    }

    #[test]
    fn common_prefixes_stay_common() {
        let (pan, other) = (safe(), published());
        for i in 0..2_000u32 {
            let (a, b) = (i.wrapping_mul(0x85eb_ca6b), i.wrapping_mul(0x85eb_ca6b) ^ (i | 1) >> (i % 32));
            for pan in [&pan, &other] {
                let fixed =
                    pan.safe && (inside(u128::from(a) << 96, FIXED_V4) || inside(u128::from(b) << 96, FIXED_V4));
                if !fixed {
                    assert_eq!((a ^ b).leading_zeros(), (pan.v4(a, 32) ^ pan.v4(b, 32)).leading_zeros());
                }
            }
        }
    }

    /// Spread over all addresses, the same in every run.
    fn spread(i: u128) -> u128 {
        (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    }

    #[test]
    fn common_prefixes_of_long_addresses_stay_common() {
        let pan = published();
        for i in 0..1_000_u128 {
            let a = spread(i);
            let b = a ^ (spread(i + 1_000) | 1 << 127) >> (i % 128);
            assert_eq!((a ^ b).leading_zeros(), (pan.v6(a, 128) ^ pan.v6(b, 128)).leading_zeros());
        }
    }

    #[test]
    fn special_blocks_of_long_addresses_stay_special() {
        let pan = safe();
        for (block, bits) in SPECIAL_V6 {
            for i in 0..500 {
                for address in [spread(i), block | spread(i) >> bits] {
                    let mask = pan.v6(address, 128);
                    assert!(SPECIAL_V6.iter().all(|block| inside(address, &[*block]) == inside(mask, &[*block])));
                }
            }
        }
        for bits in [0, 1, 0xffff_ffff] {
            assert_eq!(pan.v6(0xffff << 32 | bits, 128) >> 32, 0xffff, "an IPv4 address stays one");
        }
    }

    #[test]
    fn a_cidr_keeps_its_host_bits_zero() {
        let mask = InetMask { pan: safe(), cidr: true };
        let mut out = Vec::new();
        mask.push(&[2, 16, 1, 4, 81, 2, 0, 0], &mut out).unwrap();
        assert_eq!((out[1], &out[6..]), (16, &[0, 0][..]));
        assert_eq!(out[4..6], [74, 243]);
        assert!(mask.push(&[2, 16, 1, 4, 81], &mut Vec::new()).is_none());
    }
}
