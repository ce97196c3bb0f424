//! Four short BLAKE3 keyed hashes at once.
//!
//! One hash of a short input is a chain of dependent operations that leaves most of a core idle. Four independent ones
//! side by side, each operation on four words, take little longer than one. The compiler makes vector instructions of
//! the plain loops below on every target; nothing here needs `unsafe` or a certain processor.
//!
//! Source: BLAKE3 specification, sections 2.1 to 2.3. The oracle is the `blake3` crate, in the tests.

const IV: [u32; 4] = [0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A];

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

/// KEYED_HASH, CHUNK_START, CHUNK_END, ROOT: the input is one block of one chunk.
const FLAGS: u32 = 16 | 1 | 2 | 8;

/// Number of inputs hashed together.
pub(super) const LANES: usize = 4;

/// An input of at most one block.
#[derive(Clone, Copy)]
pub(super) struct Block {
    bytes: [u8; 64],
    len: u32,
}

impl Block {
    /// Joins `parts`; none if they are longer than a block.
    #[inline]
    pub fn join(parts: &[&[u8]]) -> Option<Self> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if len > 64 {
            return None;
        }
        let mut bytes = [0; 64];
        let mut at = 0;
        for part in parts {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        Some(Self { bytes, len: len as u32 })
    }
}

type Words = [u32; LANES];

#[inline(always)]
fn add(a: Words, b: Words) -> Words {
    std::array::from_fn(|lane| a[lane].wrapping_add(b[lane]))
}

#[inline(always)]
fn xor_rotate<const RIGHT: u32>(a: Words, b: Words) -> Words {
    std::array::from_fn(|lane| (a[lane] ^ b[lane]).rotate_right(RIGHT))
}

#[inline(always)]
fn mix(v: &mut [Words; 16], [a, b, c, d]: [usize; 4], x: Words, y: Words) {
    v[a] = add(add(v[a], v[b]), x);
    v[d] = xor_rotate::<16>(v[d], v[a]);
    v[c] = add(v[c], v[d]);
    v[b] = xor_rotate::<12>(v[b], v[c]);
    v[a] = add(add(v[a], v[b]), y);
    v[d] = xor_rotate::<8>(v[d], v[a]);
    v[c] = add(v[c], v[d]);
    v[b] = xor_rotate::<7>(v[b], v[c]);
}

#[inline(always)]
fn word(bytes: &[u8], index: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[index * 4..index * 4 + 4]);
    u32::from_le_bytes(word)
}

/// Returns `blake3::keyed_hash(keys[i], blocks[i])` for four inputs.
pub(super) fn keyed(keys: [&[u8; 32]; LANES], blocks: &[Block; LANES]) -> [[u8; 32]; LANES] {
    let message: [Words; 16] =
        std::array::from_fn(|index| std::array::from_fn(|lane| word(&blocks[lane].bytes, index)));
    let mut v: [Words; 16] = std::array::from_fn(|index| match index {
        0..8 => std::array::from_fn(|lane| word(keys[lane], index)),
        8..12 => [IV[index - 8]; LANES],
        14 => std::array::from_fn(|lane| blocks[lane].len),
        15 => [FLAGS; LANES],
        _ => [0; LANES],
    });
    for s in &SCHEDULE {
        mix(&mut v, [0, 4, 8, 12], message[s[0]], message[s[1]]);
        mix(&mut v, [1, 5, 9, 13], message[s[2]], message[s[3]]);
        mix(&mut v, [2, 6, 10, 14], message[s[4]], message[s[5]]);
        mix(&mut v, [3, 7, 11, 15], message[s[6]], message[s[7]]);
        mix(&mut v, [0, 5, 10, 15], message[s[8]], message[s[9]]);
        mix(&mut v, [1, 6, 11, 12], message[s[10]], message[s[11]]);
        mix(&mut v, [2, 7, 8, 13], message[s[12]], message[s[13]]);
        mix(&mut v, [3, 4, 9, 14], message[s[14]], message[s[15]]);
    }
    let mut out = [[0; 32]; LANES];
    for index in 0..8 {
        for lane in 0..LANES {
            let word = v[index][lane] ^ v[index + 8][lane];
            out[lane][index * 4..index * 4 + 4].copy_from_slice(&word.to_le_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lanes_equal_the_blake3_crate(
            keys in proptest::array::uniform4(any::<[u8; 32]>()),
            inputs in proptest::array::uniform4(proptest::collection::vec(any::<u8>(), 0..=64)),
        ) {
            let blocks = [0, 1, 2, 3].map(|lane| {
                let (head, tail) = inputs[lane].split_at(inputs[lane].len() / 2);
                Block::join(&[head, tail]).expect("one block")
            });
            let found = keyed([&keys[0], &keys[1], &keys[2], &keys[3]], &blocks);
            for lane in 0..LANES {
                let expected = *blake3::keyed_hash(&keys[lane], &inputs[lane]).as_bytes();
                prop_assert_eq!(found[lane], expected);
            }
        }
    }

    #[test]
    fn longer_inputs_are_not_one_block() {
        assert!(Block::join(&[&[0; 40], &[0; 25]]).is_none());
    }
}
