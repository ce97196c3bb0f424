//! Short BLAKE3 keyed hashes side by side, and the permutations made of them.
//!
//! One hash of a short input is a chain of dependent operations that leaves most of a core idle: about 100 ns. A
//! [`Queue`] gathers the hashes that several values need and computes one in each lane of a vector register, eight with
//! AVX2 and sixteen with AVX-512, at 12 to 25 ns each. `pulp` chooses the instructions when the program runs, without
//! `unsafe` here; a processor without vectors gets the same answers from a single lane.
//!
//! Source: BLAKE3 specification, sections 2.1 to 2.3. The oracle is the `blake3` crate, in the tests.

use super::dict::{Dictionary, Draw};
use super::key::DomainKey;
use super::token::{Perm, ROUNDS, below, word};
use crate::rounds::{self, BLOCK, IV, LANES_MAX, words};
use pulp::{Arch, Simd, WithSimd};
use zeroize::Zeroize;

/// The input is one block of one chunk; longer ones are hashed by the crate, one by one.
const FLAGS: u32 = rounds::KEYED_HASH | rounds::CHUNK_START | rounds::CHUNK_END | rounds::ROOT;

/// Bytes that the round function of a permutation hashes: the number of the round and half of the value.
const ROUND_INPUT: u32 = 9;

/// A hash to compute.
#[derive(Clone, Copy)]
struct Input {
    key: [u32; 8],
    block: [u8; BLOCK],
    len: u32,
}

impl Input {
    const BLANK: Self = Self { key: [0; 8], block: [0; BLOCK], len: 0 };

    /// Appends bytes that fit in. Parts of an input are a few bytes each, for which a copy of any length costs more than
    /// the bytes.
    #[inline(always)]
    fn push(&mut self, part: &[u8]) {
        let at = self.len as usize;
        self.len += part.len() as u32;
        if at + part.len().next_multiple_of(8) <= BLOCK && part.len() <= 16 {
            // What stands beyond the part is zero, and so is what is written there.
            if let (Some(first), Some(last)) = (part.first_chunk::<8>(), part.last_chunk::<8>()) {
                self.block[at..at + 8].copy_from_slice(first);
                self.block[at + part.len() - 8..at + part.len()].copy_from_slice(last);
            } else if !part.is_empty() {
                self.block[at..at + 8].copy_from_slice(&rounds::short(part).to_le_bytes());
            }
        } else {
            self.block[at..at + part.len()].copy_from_slice(part);
        }
    }
}

/// Computes all hashes of `inputs`.
struct Keyed<'a> {
    inputs: &'a [Input],
    outputs: &'a mut [[u8; 32]],
}

impl WithSimd for Keyed<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::U32_LANES.min(LANES_MAX);
        for (inputs, outputs) in self.inputs.chunks(lanes).zip(self.outputs.chunks_mut(lanes)) {
            // Word by word: length, message as far as one is written, key. Lanes without an input compute zeros.
            let mut columns = [[0u32; LANES_MAX]; 25];
            let longest = inputs.iter().map(|input| input.len).max().unwrap_or(0);
            let words_used = longest.div_ceil(4) as usize;
            let (first, message_used) = (inputs[0].key, 1..1 + words_used);
            let one_key = inputs.iter().all(|input| input.key == first);
            for (lane, input) in inputs.iter().enumerate() {
                columns[0][lane] = input.len;
                let message: [u32; 16] = words(&input.block);
                for (column, word) in columns[message_used.clone()].iter_mut().zip(message) {
                    column[lane] = word;
                }
                if !one_key {
                    for (column, word) in columns[17..].iter_mut().zip(input.key) {
                        column[lane] = word;
                    }
                }
            }
            let load = |column: usize| S::as_simd_u32s(&columns[column][..lanes]).0[0];
            let message: [S::u32s; 16] = std::array::from_fn(|word| load(1 + word));
            let mut v: [S::u32s; 16] = std::array::from_fn(|index| match index {
                0..8 if one_key => simd.splat_u32s(first[index]),
                0..8 => load(17 + index),
                8..12 => simd.splat_u32s(IV[index - 8]),
                14 => load(0),
                15 => simd.splat_u32s(FLAGS),
                _ => simd.splat_u32s(0),
            });
            rounds::all(simd, &mut v, &message);
            let mut columns = [[0u32; LANES_MAX]; 8];
            for index in 0..8 {
                let hash = simd.xor_u32s(v[index], v[index + 8]);
                S::as_mut_simd_u32s(&mut columns[index][..lanes]).0[0] = hash;
            }
            for (lane, output) in outputs.iter_mut().enumerate() {
                let (chunks, _) = output.as_chunks_mut::<4>();
                for (bytes, column) in chunks.iter_mut().zip(&columns) {
                    *bytes = column[lane].to_le_bytes();
                }
            }
        }
    }
}

/// A value on its way through a permutation.
struct Walk {
    key: [u32; 8],
    n: u128,
    a: u64,
    b: u64,
    l: u64,
    r: u64,
    /// Place of the answer.
    place: usize,
}

/// Takes each of `walks` through the ten rounds of its permutation.
///
/// All rounds of a group stay in the registers' lanes: keys are laid side by side once, a round changes three words of the
/// message and reads four of the hash.
struct Networks<'a> {
    walks: &'a mut [Walk],
}

impl WithSimd for Networks<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::U32_LANES.min(LANES_MAX);
        for walks in self.walks.chunks_mut(lanes) {
            let mut keys = [[0u32; LANES_MAX]; 8];
            // Halves and the sizes of their ranges: a round adds to one half what the other one gives.
            let (mut changed, mut fixed) = ([0u64; LANES_MAX], [0u64; LANES_MAX]);
            let (mut size, mut other) = ([1u64; LANES_MAX], [1u64; LANES_MAX]);
            for (lane, walk) in walks.iter().enumerate() {
                for (column, word) in keys.iter_mut().zip(&walk.key) {
                    column[lane] = *word;
                }
                (changed[lane], fixed[lane]) = (walk.l, walk.r);
                (size[lane], other[lane]) = (walk.a, walk.b);
            }
            let load = |column: &[u32; LANES_MAX]| S::as_simd_u32s(&column[..lanes]).0[0];
            let key: [S::u32s; 8] = std::array::from_fn(|word| load(&keys[word]));
            for round in 0..ROUNDS {
                let mut input = [[0u32; LANES_MAX]; 3];
                for (lane, half) in fixed.iter().enumerate() {
                    input[0][lane] = u32::from(round) | (*half as u32) << 8;
                    input[1][lane] = (*half >> 24) as u32;
                    input[2][lane] = (*half >> 56) as u32;
                }
                let mut message = [simd.splat_u32s(0); 16];
                for (word, column) in message.iter_mut().zip(&input) {
                    *word = load(column);
                }
                let mut v: [S::u32s; 16] = std::array::from_fn(|index| match index {
                    0..8 => key[index],
                    8..12 => simd.splat_u32s(IV[index - 8]),
                    14 => simd.splat_u32s(ROUND_INPUT),
                    15 => simd.splat_u32s(FLAGS),
                    _ => simd.splat_u32s(0),
                });
                rounds::all(simd, &mut v, &message);
                let mut hash = [[0u32; LANES_MAX]; 4];
                for (word, column) in hash.iter_mut().enumerate() {
                    S::as_mut_simd_u32s(&mut column[..lanes]).0[0] = simd.xor_u32s(v[word], v[word + 8]);
                }
                for lane in 0..lanes {
                    let two = |word: usize| u64::from(hash[word][lane]) | u64::from(hash[word + 1][lane]) << 32;
                    changed[lane] = Perm::add_round(changed[lane], [two(0), two(2)], size[lane]);
                }
                std::mem::swap(&mut changed, &mut fixed);
                std::mem::swap(&mut size, &mut other);
            }
            // An even number of rounds: the halves are where they were.
            for (lane, walk) in walks.iter_mut().enumerate() {
                (walk.l, walk.r) = (changed[lane], fixed[lane]);
            }
        }
    }
}

/// Hashes and permutations asked for by several values, computed together, answered in the order of asking.
///
/// Ask for all of them, [`Queue::run`], then take the answers. Holds key bytes only until they are hashed, and wipes
/// them.
#[derive(Default)]
pub(super) struct Queue {
    inputs: Vec<Input>,
    hashes: Vec<[u8; 32]>,
    /// Hashes of inputs longer than a block, with their place.
    long: Vec<(usize, [u8; 32])>,
    /// Places of the hashes that are answers themselves.
    plain: Vec<usize>,
    draws: Vec<Pick>,
    walks: Vec<Walk>,
    /// Answers of permutations.
    permuted: Vec<u128>,
    plain_taken: usize,
    draws_taken: usize,
    permuted_taken: usize,
    /// Keeps the loads that warm the cache from being optimized away.
    warmed: u8,
    arch: Arch,
}

/// A draw from a word list: the place of the hash that chooses among two lists, and of the one that draws.
struct Pick {
    lists: [&'static Dictionary; 2],
    chooser: Option<usize>,
    place: usize,
    draw: Draw,
}

impl Queue {
    /// Asks for `blake3::keyed_hash(key, parts joined)`.
    #[inline]
    pub fn hash(&mut self, key: &DomainKey, parts: &[&[u8]]) {
        let place = self.input(key, parts);
        self.plain.push(place);
    }

    /// Asks for a text of `list`, drawn by the first word of `blake3::keyed_hash(key, parts joined)`.
    #[inline]
    pub fn draw(&mut self, list: &'static Dictionary, key: &DomainKey, parts: &[&[u8]]) {
        let place = self.input(key, parts);
        self.draws.push(Pick { lists: [list; 2], chooser: None, place, draw: Draw::default() });
    }

    /// As [`Queue::draw`], from the list that the first word of another hash chooses: the first for the lower half.
    #[inline]
    pub fn draw_either(
        &mut self,
        lists: [&'static Dictionary; 2],
        key: &DomainKey,
        chooser: &[&[u8]],
        parts: &[&[u8]],
    ) {
        let chooser = Some(self.input(key, chooser));
        let place = self.input(key, parts);
        self.draws.push(Pick { lists, chooser, place, draw: Draw::default() });
    }

    /// Adds an input; returns the place of its hash.
    #[inline]
    fn input(&mut self, key: &DomainKey, parts: &[&[u8]]) -> usize {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if len > BLOCK {
            return self.input_long(key, parts);
        }
        let place = self.inputs.len();
        self.inputs.push(Input { key: words(&key.0), ..Input::BLANK });
        let input = &mut self.inputs[place];
        parts.iter().for_each(|part| input.push(part));
        place
    }

    #[cold]
    fn input_long(&mut self, key: &DomainKey, parts: &[&[u8]]) -> usize {
        let mut hasher = blake3::Hasher::new_keyed(&key.0);
        for part in parts {
            hasher.update(part);
        }
        self.long.push((self.inputs.len(), *hasher.finalize().as_bytes()));
        self.inputs.push(Input::BLANK);
        self.inputs.len() - 1
    }

    /// Asks for `perm.apply(x)`.
    #[inline]
    pub fn permute(&mut self, perm: &Perm, x: u128) {
        let known = perm.apply_known(x);
        if known.is_none() {
            let (key, n, a, b) = perm.network();
            let (l, r) = perm.split(x);
            self.walks.push(Walk { key: words(&key.0), n, a, b, l, r, place: self.permuted.len() });
        }
        self.permuted.push(known.unwrap_or_default());
    }

    /// Computes everything asked for.
    pub fn run(&mut self) {
        self.hash_all();
        for (place, hash) in self.long.drain(..) {
            self.hashes[place] = hash;
        }
        self.pick_all();
        while !self.walks.is_empty() {
            self.step();
        }
    }

    /// Draws from the lists in three passes, one per dependent load: a list is larger than the near caches, and loads
    /// of different draws can wait for memory together.
    fn pick_all(&mut self) {
        let Self { draws, hashes, warmed, .. } = self;
        for pick in draws.iter_mut() {
            let second = pick.chooser.is_some_and(|chooser| below(word(&hashes[chooser], 0), 2) == 1);
            pick.lists[0] = pick.lists[usize::from(second)];
            pick.draw = pick.lists[0].guided(word(&hashes[pick.place], 0));
        }
        for pick in draws.iter_mut() {
            pick.lists[0].find(&mut pick.draw);
        }
        for pick in draws.iter() {
            *warmed ^= pick.lists[0].first_byte(pick.draw);
        }
    }

    /// Takes the answer of the next hash.
    pub fn next_hash(&mut self) -> &[u8; 32] {
        self.plain_taken += 1;
        &self.hashes[self.plain[self.plain_taken - 1]]
    }

    /// Takes the answer of the next draw.
    pub fn next_drawn(&mut self) -> &'static str {
        self.draws_taken += 1;
        let pick = &self.draws[self.draws_taken - 1];
        pick.lists[0].text_of(pick.draw)
    }

    /// Takes the answer of the next permutation.
    pub fn next_permuted(&mut self) -> u128 {
        self.permuted_taken += 1;
        self.permuted[self.permuted_taken - 1]
    }

    /// Forgets all answers.
    pub fn clear(&mut self) {
        self.hashes.clear();
        self.plain.clear();
        self.draws.clear();
        self.permuted.clear();
        (self.plain_taken, self.draws_taken, self.permuted_taken) = (0, 0, 0);
    }

    /// Hashes the inputs to the end of `hashes` and wipes them.
    fn hash_all(&mut self) {
        let from = self.hashes.len();
        self.hashes.resize(from + self.inputs.len(), [0; 32]);
        self.arch.dispatch(Keyed { inputs: &self.inputs, outputs: &mut self.hashes[from..] });
        self.inputs.clear();
    }

    /// Takes all unfinished values through the ten rounds; who comes out of range goes again.
    fn step(&mut self) {
        self.arch.dispatch(Networks { walks: &mut self.walks });
        let permuted = &mut self.permuted;
        self.walks.retain_mut(|walk| {
            let y = u128::from(walk.l) * u128::from(walk.b) + u128::from(walk.r);
            if y < walk.n {
                permuted[walk.place] = y;
                return false;
            }
            // Its halves are those it would be split into.
            true
        });
    }

    /// Computes `F(round, v, m)` of a permutation for `v` in `0..count`, in order.
    pub fn round_table(&mut self, perm: &Perm, round: u8, count: u64, m: u64, table: &mut Vec<u16>) {
        const AT_ONCE: u64 = 256;
        let key = words(&perm.network().0.0);
        let mut from = 0;
        while from < count {
            let to = (from + AT_ONCE).min(count);
            self.inputs.extend((from..to).map(|v| {
                let mut input = Input { key, ..Input::BLANK };
                input.push(&[round]);
                input.push(&v.to_le_bytes());
                input
            }));
            self.hash_all();
            table.extend(self.hashes.iter().map(|hash| Perm::add_round(0, [word(hash, 0), word(hash, 1)], m) as u16));
            self.hashes.clear();
            from = to;
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // Also what `clear` left behind the end of the vectors.
        let (inputs, walks) = (self.inputs.capacity(), self.walks.capacity());
        self.inputs.clear();
        self.inputs.resize(inputs, Input::BLANK);
        self.walks.clear();
        let blank = || Walk { key: [0; 8], n: 0, a: 0, b: 0, l: 0, r: 0, place: 0 };
        self.walks.resize_with(walks, blank);
        self.inputs.iter_mut().for_each(|input| input.key.zeroize());
        self.walks.iter_mut().for_each(|walk| walk.key.zeroize());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::key::MasterKey;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lanes_equal_the_blake3_crate(
            inputs in proptest::collection::vec((any::<[u8; 32]>(), proptest::collection::vec(any::<u8>(), 0..=90)), 0..40),
        ) {
            let mut queue = Queue::default();
            for (key, bytes) in &inputs {
                let (head, tail) = bytes.split_at(bytes.len() / 2);
                queue.hash(&DomainKey(*key), &[head, tail]);
            }
            queue.run();
            for (key, bytes) in &inputs {
                prop_assert_eq!(*queue.next_hash(), *blake3::keyed_hash(key, bytes).as_bytes());
            }
        }

        #[test]
        fn permutations_side_by_side_equal_one_by_one(
            values in proptest::collection::vec((1u128..=1 << 127, any::<u128>(), any::<[u8; 3]>()), 0..40),
        ) {
            let key = MasterKey::test().realm("default").domain("int/1", "");
            let perms: Vec<(Perm, u128)> =
                values.iter().map(|(n, x, tweak)| (Perm::new(&key, *n, tweak), x % n)).collect();
            let mut queue = Queue::default();
            for (perm, x) in &perms {
                queue.permute(perm, *x);
            }
            queue.run();
            for (perm, x) in &perms {
                prop_assert_eq!(queue.next_permuted(), perm.apply(*x));
            }
        }
    }

    #[test]
    fn answers_of_one_round_do_not_reach_the_next() {
        let key = MasterKey::test().realm("default").domain("int/1", "");
        let mut queue = Queue::default();
        for text in ["a", "b", "c"] {
            queue.hash(&key, &[text.as_bytes()]);
            queue.run();
            assert_eq!(queue.next_hash(), blake3::keyed_hash(&key.0, text.as_bytes()).as_bytes());
            queue.clear();
        }
    }
}
