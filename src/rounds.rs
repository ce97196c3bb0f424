//! The compression of BLAKE3, with one input in each lane of a vector register.
//!
//! Lanes share nothing, so whoever has many inputs fills the registers with them: eight with AVX2, sixteen with AVX-512.
//! `pulp` chooses the instructions when the program runs, without `unsafe` here.
//!
//! Source: BLAKE3 specification, sections 2.1 to 2.3. The oracle is the `blake3` crate, in the tests of those who use this.

use pulp::Simd;

pub const KEYED_HASH: u32 = 16;
pub const CHUNK_START: u32 = 1;
pub const CHUNK_END: u32 = 2;
pub const ROOT: u32 = 8;
/// Bytes of a block.
pub const BLOCK: usize = 64;
/// Bytes of a chunk: longer inputs are trees.
pub const CHUNK: usize = 1024;
/// Lanes of the widest vectors.
pub const LANES_MAX: usize = 16;

pub const IV: [u32; 4] = [0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A];

/// The words of the message that each round takes, in order.
const SCHEDULE: [[usize; 16]; 7] = schedule();

const fn schedule() -> [[usize; 16]; 7] {
    const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
    let mut rounds = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]; 7];
    let mut round = 1;
    while round < 7 {
        let mut word = 0;
        while word < 16 {
            rounds[round][word] = rounds[round - 1][PERMUTATION[word]];
            word += 1;
        }
        round += 1;
    }
    rounds
}

/// Bytes as words. Shorter ones than `N` words are a mistake of the caller.
pub fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let (chunks, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|index| u32::from_le_bytes(chunks[index]))
}

/// Up to eight bytes as a word, the first one lowest. Loads that overlap: bytes that are copied into a word first make its
/// load wait for the copy, which took a quarter of the time of a search for leaks.
#[inline(always)]
pub fn short(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            u64::from(first) | u64::from(last) << (8 * (bytes.len() - 4))
        }
        _ => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

#[inline(always)]
fn rotate<S: Simd>(simd: S, word: S::u32s, right: u32) -> S::u32s {
    let low = simd.wrapping_dyn_shr_u32s(word, simd.splat_u32s(right));
    simd.or_u32s(low, simd.wrapping_dyn_shl_u32s(word, simd.splat_u32s(32 - right)))
}

#[inline(always)]
fn mix<S: Simd>(simd: S, v: &mut [S::u32s; 16], [a, b, c, d]: [usize; 4], x: S::u32s, y: S::u32s) {
    v[a] = simd.add_u32s(simd.add_u32s(v[a], v[b]), x);
    v[d] = rotate(simd, simd.xor_u32s(v[d], v[a]), 16);
    v[c] = simd.add_u32s(v[c], v[d]);
    v[b] = rotate(simd, simd.xor_u32s(v[b], v[c]), 12);
    v[a] = simd.add_u32s(simd.add_u32s(v[a], v[b]), y);
    v[d] = rotate(simd, simd.xor_u32s(v[d], v[a]), 8);
    v[c] = simd.add_u32s(v[c], v[d]);
    v[b] = rotate(simd, simd.xor_u32s(v[b], v[c]), 7);
}

/// All rounds. `v`: chaining value, [`IV`], counter in two words, length, flags.
#[inline(always)]
pub fn all<S: Simd>(simd: S, v: &mut [S::u32s; 16], message: &[S::u32s; 16]) {
    for s in &SCHEDULE {
        mix(simd, v, [0, 4, 8, 12], message[s[0]], message[s[1]]);
        mix(simd, v, [1, 5, 9, 13], message[s[2]], message[s[3]]);
        mix(simd, v, [2, 6, 10, 14], message[s[4]], message[s[5]]);
        mix(simd, v, [3, 7, 11, 15], message[s[6]], message[s[7]]);
        mix(simd, v, [0, 5, 10, 15], message[s[8]], message[s[9]]);
        mix(simd, v, [1, 6, 11, 12], message[s[10]], message[s[11]]);
        mix(simd, v, [2, 7, 8, 13], message[s[12]], message[s[13]]);
        mix(simd, v, [3, 4, 9, 14], message[s[14]], message[s[15]]);
    }
}
