//! The keyed primitives: tags, streams and permutations. Everything here is BLAKE3 and integer arithmetic.
//!
//! Source: MASKING.md section 3. A short keyed hash costs about 80 ns and bounds every kind, so inputs are gathered on
//! the stack and hashed in one call.

use super::key::DomainKey;
use super::lanes::Queue;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// What a hash under a domain key is for; the first byte of its input.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    Tag = 1,
    Stream = 2,
    Permutation = 3,
    Table = 5,
    Wide = 6,
}

/// Largest table of a small permutation.
const TABLE_MAX: u128 = 65_536;
/// Entries of precomputed rounds at most, a megabyte: domains up to 2^31. Ten dependent loads from a table beyond the near
/// cache take as long as ten hashes in the lanes of [`Queue`], but those of several values side by side do not.
const ROUNDS_MAX: u64 = 1 << 19;
/// Values that go through precomputed rounds side by side.
const SIDE_BY_SIDE: usize = 16;
pub(super) const ROUNDS: u8 = 10;
/// Inputs up to this length are gathered on the stack.
const SHORT: usize = 192;

/// Joins parts so that no two lists of parts give the same bytes: each is preceded by its length.
pub fn frame(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// Hashes the concatenation of `parts` under a raw key, without allocating for short inputs.
fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    if len > SHORT {
        let mut hasher = blake3::Hasher::new_keyed(key);
        for part in parts {
            hasher.update(part);
        }
        return *hasher.finalize().as_bytes();
    }
    let mut buffer = [0u8; SHORT];
    let mut at = 0;
    for part in parts {
        buffer[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    *blake3::keyed_hash(key, &buffer[..at]).as_bytes()
}

impl DomainKey {
    /// Returns the first 32 bytes of `xof(K_dom, purpose, value)`.
    pub fn hash(&self, purpose: Purpose, value: &[u8]) -> [u8; 32] {
        keyed(&self.0, &[&[purpose as u8], value])
    }

    /// Returns the first 32 bytes of the attribute stream `xof(K_dom, 2, frame(subject, attribute))`.
    pub fn attribute(&self, subject: &[u8], attribute: &str) -> [u8; 32] {
        let (first, second) = ((subject.len() as u64).to_le_bytes(), (attribute.len() as u64).to_le_bytes());
        keyed(&self.0, &[&[Purpose::Stream as u8], &first, subject, &second, attribute.as_bytes()])
    }

    /// Returns the unbounded output `xof(K_dom, purpose, value)`.
    pub fn xof(&self, purpose: Purpose, value: &[u8]) -> blake3::OutputReader {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&[purpose as u8]).update(value);
        hasher.finalize_xof()
    }
}

/// Returns draw number `index` (0 to 3) of a stream as a `u64`.
pub fn word(stream: &[u8; 32], index: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&stream[index * 8..index * 8 + 8]);
    u64::from_le_bytes(bytes)
}

/// The draws of a keyed stream, one after the other.
pub struct Stream {
    reader: blake3::OutputReader,
    buffer: [u8; 64],
    at: usize,
}

impl Stream {
    /// Starts at the beginning of an unbounded output.
    pub fn new(reader: blake3::OutputReader) -> Self {
        Self { reader, buffer: [0; 64], at: 64 }
    }

    /// Draws from `0..n`, `1 ≤ n ≤ 2^32`; takes 8 bytes.
    pub fn below(&mut self, n: u64) -> u64 {
        if self.at == self.buffer.len() {
            self.reader.fill(&mut self.buffer);
            self.at = 0;
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.buffer[self.at..self.at + 8]);
        self.at += 8;
        below(u64::from_le_bytes(bytes), n)
    }
}

/// Maps a random `u64` to `0..n`, `1 ≤ n ≤ 2^32`.
pub fn below(x: u64, n: u64) -> u64 {
    debug_assert!((1..=1 << 32).contains(&n));
    ((u128::from(x) * u128::from(n)) >> 64) as u64
}

/// Maps 128 random bits, low half first, to `0..m`: the high half of the 256-bit product.
#[inline(always)]
fn scale([low, high]: [u64; 2], m: u64) -> u64 {
    let m = u128::from(m);
    let carry = (u128::from(low) * m) >> 64;
    ((u128::from(high) * m + carry) >> 64) as u64
}

/// Appends base-32 digits, most significant bit first; `bytes` holds a multiple of 5 bytes.
pub fn push_b32(bytes: &[u8], out: &mut String) {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    for group in bytes.chunks_exact(5) {
        let mut padded = [0u8; 8];
        padded[3..].copy_from_slice(group);
        let bits = u64::from_be_bytes(padded);
        for shift in (0..8).rev() {
            out.push(char::from(ALPHABET[(bits >> (shift * 5)) as usize & 31]));
        }
    }
}

/// A bijection of `0..n`, `1 ≤ n ≤ 2^127`.
///
/// Up to 65 536 it is a shuffled table. Above it is a ten-round network on `(x div b, x mod b)`; once it was used often
/// enough to pay for it, the rounds are precomputed, which changes the speed and nothing else.
pub struct Perm {
    key: DomainKey,
    n: u128,
    a: u64,
    b: u64,
    small: Vec<u16>,
    rounds: OnceLock<Vec<u16>>,
    uses: AtomicU32,
    /// Uses after which precomputing has cost no more than going on without; 0: never precompute.
    uses_worth: u32,
    budget: Option<Arc<AtomicUsize>>,
}

impl Perm {
    /// Derives the permutation of `0..n` for a tweak.
    ///
    /// # Panics
    /// If `n` is 0 or above 2^127: callers compute it from constants and lengths.
    pub fn new(key: &DomainKey, n: u128, tweak: &[u8]) -> Self {
        assert!((1..=1 << 127).contains(&n), "the size of a permutation is between 1 and 2^127");
        let key = DomainKey(keyed(&key.0, &[&[Purpose::Permutation as u8], &n.to_le_bytes(), tweak]));
        let small = if n <= TABLE_MAX { shuffled(&key, n as usize) } else { Vec::new() };
        let root = n.isqrt();
        let a = if root * root == n { root } else { root + 1 };
        let b = n.div_ceil(a);
        let (a, b) = (a as u64, b as u64);
        let entries = (u128::from(a) + u128::from(b)) * 5;
        // Below 2^32 a half has at most 2^16 values.
        let worth = n > TABLE_MAX && n <= 1 << 32 && entries <= u128::from(ROUNDS_MAX);
        let uses_worth = if worth { (entries as u32 / u32::from(ROUNDS)).max(1) } else { 0 };
        Self { key, n, a, b, small, rounds: OnceLock::new(), uses: AtomicU32::new(0), uses_worth, budget: None }
    }

    /// Takes the memory of precomputed rounds from a budget in bytes, or does without them.
    #[must_use]
    pub(super) fn within(mut self, budget: &Arc<AtomicUsize>) -> Self {
        self.budget = Some(Arc::clone(budget));
        self
    }

    /// Maps `x`, which is below `n`.
    pub fn apply(&self, x: u128) -> u128 {
        self.apply_known(x).unwrap_or_else(|| self.apply_plain(x))
    }

    /// Maps `x` if a table knows the answer; counts the use that may be worth a table.
    pub(super) fn apply_known(&self, x: u128) -> Option<u128> {
        debug_assert!(x < self.n);
        if !self.small.is_empty() {
            return Some(u128::from(self.small[x as usize]));
        }
        if let Some(rounds) = self.rounds.get() {
            return Some(self.apply_precomputed(rounds, x as u64));
        }
        if self.uses_worth != 0 && self.uses.fetch_add(1, Ordering::Relaxed) == self.uses_worth {
            self.precompute();
        }
        None
    }

    /// Maps values below `n` all at once if tables know the answers; counts uses that may be worth them.
    pub(super) fn apply_all_known(&self, values: &mut [u64]) -> bool {
        if !self.small.is_empty() {
            values.iter_mut().for_each(|x| *x = u64::from(self.small[*x as usize]));
            return true;
        }
        if let Some(rounds) = self.rounds.get() {
            values.chunks_mut(SIDE_BY_SIDE).for_each(|values| self.apply_side_by_side(rounds, values));
            return true;
        }
        let uses = values.len() as u32;
        let before = if self.uses_worth == 0 { 0 } else { self.uses.fetch_add(uses, Ordering::Relaxed) };
        if (before..before.saturating_add(uses)).contains(&self.uses_worth) && self.uses_worth != 0 {
            self.precompute();
        }
        false
    }

    /// Key, `n`, `a` and `b` of the ten-round network.
    pub(super) fn network(&self) -> (&DomainKey, u128, u64, u64) {
        (&self.key, self.n, self.a, self.b)
    }

    /// Splits a value into the halves of the network.
    pub(super) fn split(&self, x: u128) -> (u64, u64) {
        match u64::try_from(x) {
            Ok(x) => (x / self.b, x % self.b),
            Err(_) => ((x / u128::from(self.b)) as u64, (x % u128::from(self.b)) as u64),
        }
    }

    /// Adds the round function, the first words of whose hash are given, to one half.
    #[inline(always)]
    pub(super) fn add_round(half: u64, hash: [u64; 2], m: u64) -> u64 {
        add_mod(half, scale(hash, m), m)
    }

    /// Maps `x` again and again until `holds` accepts the result. Still a bijection on the accepted values.
    pub fn walk(&self, x: u128, mut holds: impl FnMut(u128) -> bool) -> u128 {
        let mut y = self.apply(x);
        while !holds(y) {
            y = self.apply(y);
        }
        y
    }

    /// Builds the round tables now, if they are small enough; for domains known to be used a lot, and tests.
    pub fn precompute(&self) {
        let bytes = self.rounds_bytes();
        if self.uses_worth == 0 || self.rounds.get().is_some() {
            return;
        }
        if let Some(budget) = &self.budget {
            let taken = budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
            if taken.is_err() {
                return;
            }
        }
        if self.rounds.set(self.round_tables()).is_err() {
            self.give_back(bytes);
        }
    }

    fn rounds_bytes(&self) -> usize {
        (self.a + self.b) as usize * 5 * size_of::<u16>()
    }

    fn give_back(&self, bytes: usize) {
        if let Some(budget) = &self.budget {
            budget.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    fn round(&self, i: u8, v: u64, m: u64) -> u64 {
        let mut input = [0u8; 9];
        input[0] = i;
        input[1..].copy_from_slice(&v.to_le_bytes());
        let hash = blake3::keyed_hash(&self.key.0, &input);
        scale([word(hash.as_bytes(), 0), word(hash.as_bytes(), 1)], m)
    }

    fn apply_plain(&self, mut x: u128) -> u128 {
        loop {
            let (mut l, mut r) = self.split(x);
            for i in 0..ROUNDS {
                if i % 2 == 0 {
                    l = add_mod(l, self.round(i, r, self.a), self.a);
                } else {
                    r = add_mod(r, self.round(i, l, self.b), self.b);
                }
            }
            x = u128::from(l) * u128::from(self.b) + u128::from(r);
            if x < self.n {
                return x;
            }
        }
    }

    /// Five tables indexed by `r` and five indexed by `l`, one pair after the other.
    fn round_tables(&self) -> Vec<u16> {
        let mut tables = Vec::with_capacity((self.a + self.b) as usize * 5);
        let mut queue = Queue::default();
        for i in 0..ROUNDS {
            let (inputs, m) = if i % 2 == 0 { (self.b, self.a) } else { (self.a, self.b) };
            queue.round_table(self, i, inputs, m, &mut tables);
        }
        tables
    }

    /// At most [`SIDE_BY_SIDE`] values: their loads do not wait for each other.
    fn apply_side_by_side(&self, tables: &[u16], values: &mut [u64]) {
        let (a, b) = (self.a as u32, self.b as u32);
        let (mut l, mut r) = ([0_u32; SIDE_BY_SIDE], [0_u32; SIDE_BY_SIDE]);
        for ((l, r), x) in l.iter_mut().zip(&mut r).zip(values.iter()) {
            (*l, *r) = ((x / self.b) as u32, (x % self.b) as u32);
        }
        for pair in tables.chunks_exact((a + b) as usize) {
            let (even, odd) = pair.split_at(b as usize);
            for (l, r) in l.iter_mut().zip(&r) {
                *l += u32::from(even[*r as usize]);
                *l -= if *l >= a { a } else { 0 };
            }
            for (r, l) in r.iter_mut().zip(&l) {
                *r += u32::from(odd[*l as usize]);
                *r -= if *r >= b { b } else { 0 };
            }
        }
        for (x, (l, r)) in values.iter_mut().zip(l.iter().zip(&r)) {
            *x = u64::from(*l) * self.b + u64::from(*r);
            if u128::from(*x) >= self.n {
                *x = self.apply_precomputed(tables, *x) as u64;
            }
        }
    }

    fn apply_precomputed(&self, tables: &[u16], x: u64) -> u128 {
        let (a, b, n) = (self.a as usize, self.b as usize, self.n as u64);
        let mut x = x;
        loop {
            let (mut l, mut r) = ((x / self.b) as usize, (x % self.b) as usize);
            for pair in tables.chunks_exact(a + b) {
                let (even, odd) = pair.split_at(b);
                l += even[r] as usize;
                l -= if l >= a { a } else { 0 };
                r += odd[l] as usize;
                r -= if r >= b { b } else { 0 };
            }
            x = l as u64 * self.b + r as u64;
            if x < n {
                return u128::from(x);
            }
        }
    }
}

impl Drop for Perm {
    fn drop(&mut self) {
        if self.rounds.get().is_some() {
            self.give_back(self.rounds_bytes());
        }
    }
}

/// Adds modulo `m` without overflow; both terms are below `m`.
#[inline(always)]
fn add_mod(x: u64, y: u64, m: u64) -> u64 {
    let (sum, over) = x.overflowing_add(y);
    if over || sum >= m { sum.wrapping_sub(m) } else { sum }
}

/// Shuffles `0..n` with the stream of the permutation's own key.
fn shuffled(key: &DomainKey, n: usize) -> Vec<u16> {
    let mut table: Vec<u16> = (0..n).map(|index| index as u16).collect();
    let mut reader = key.xof(Purpose::Table, &[]);
    let mut buffer = [0u8; 4096];
    let mut at = buffer.len();
    for i in (1..n).rev() {
        if at == buffer.len() {
            reader.fill(&mut buffer);
            at = 0;
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&buffer[at..at + 8]);
        at += 8;
        table.swap(i, below(u64::from_le_bytes(bytes), i as u64 + 1) as usize);
    }
    table
}

/// Permutes strings of symbols whose domain exceeds 2^127: `digits[i]` is below `radixes[i]`.
pub fn wide(key: &DomainKey, tweak: &[u8], digits: &mut [u32], radixes: &[u32]) {
    let key = DomainKey(keyed(&key.0, &[&[Purpose::Wide as u8], tweak]));
    let half = digits.len() / 2;
    let mut input = Vec::with_capacity(digits.len() * 4 + 1);
    for i in 0..ROUNDS {
        let (left, right) = digits.split_at_mut(half);
        let (changed, fixed, radixes) =
            if i % 2 == 0 { (left, right, &radixes[..half]) } else { (right, left, &radixes[half..]) };
        input.clear();
        input.push(i);
        input.extend(fixed.iter().flat_map(|digit| digit.to_le_bytes()));
        let mut reader = blake3::Hasher::new_keyed(&key.0).update(&input).finalize_xof();
        for (digit, radix) in changed.iter_mut().zip(radixes) {
            let mut halves = [[0; 8]; 2];
            reader.fill(halves.as_flattened_mut());
            let scaled = scale(halves.map(u64::from_le_bytes), u64::from(*radix));
            *digit = add_mod(u64::from(*digit), scaled, u64::from(*radix)) as u32;
        }
    }
}

/// The permutations of one domain by size and tweak, shared by all columns and workers.
///
/// Memory: at most [`PermCache::BYTES`] of tables, [`PermCache::ROUNDS_BYTES`] of rounds and [`PermCache::ENTRIES`] permutations; a full cache starts anew.
/// Tweaks that come once cost one hash more than a permutation without a cache.
pub struct PermCache {
    known: RwLock<Known>,
    budget: Arc<AtomicUsize>,
}

type ByTweak = HashMap<Box<[u8]>, Arc<Perm>, foldhash::fast::RandomState>;

#[derive(Default)]
struct Known {
    /// Columns of one domain may give a tweak several sizes: a parameter of theirs tells how many digits are permuted.
    perms: HashMap<u128, ByTweak, foldhash::fast::RandomState>,
    entries: usize,
    small_bytes: usize,
}

impl Default for PermCache {
    fn default() -> Self {
        Self { known: RwLock::default(), budget: Arc::new(AtomicUsize::new(Self::ROUNDS_BYTES)) }
    }
}

impl PermCache {
    /// Of shuffled tables, which a permutation cannot do without.
    const BYTES: usize = 8 << 20;
    /// Of precomputed rounds, which only pay in the near cache.
    const ROUNDS_BYTES: usize = 512 << 10;
    const ENTRIES: usize = 16_384;

    /// Returns the permutation of `0..n` for a tweak.
    fn get(&self, key: &DomainKey, n: u128, tweak: &[u8]) -> Arc<Perm> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(perm) = known.perms.get(&n).and_then(|perms| perms.get(tweak)) {
            return Arc::clone(perm);
        }
        drop(known);
        let perm = Arc::new(Perm::new(key, n, tweak).within(&self.budget));
        let bytes = perm.small.len() * size_of::<u16>();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.entries >= Self::ENTRIES || known.small_bytes + bytes > Self::BYTES {
            *known = Known::default();
        }
        known.entries += 1;
        known.small_bytes += bytes;
        known.perms.entry(n).or_default().insert(tweak.into(), Arc::clone(&perm));
        perm
    }
}

/// The permutation of the previous value, because neighbors often share a tweak. One per batch; also holds the buffer
/// in which the tweak is built.
#[derive(Default)]
pub struct PermMemo {
    /// The tweak of the next lookup.
    pub tweak: Vec<u8>,
    last: Option<(Vec<u8>, Arc<Perm>)>,
}

impl PermMemo {
    /// Returns the permutation of `0..n` for the tweak in [`PermMemo::tweak`].
    pub fn perm(&mut self, cache: &PermCache, key: &DomainKey, n: u128) -> &Arc<Perm> {
        let hit = self.last.as_ref().is_some_and(|(tweak, perm)| perm.n == n && *tweak == self.tweak);
        if !hit {
            let perm = cache.get(key, n, &self.tweak);
            let mut tweak = self.last.take().map_or_else(Vec::new, |(tweak, _)| tweak);
            tweak.clone_from(&self.tweak);
            self.last = Some((tweak, perm));
        }
        &self.last.as_ref().expect("the permutation was just stored").1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::key::MasterKey;

    fn key(kind: &str, label: &str) -> DomainKey {
        MasterKey::test().realm("default").domain(kind, label)
    }

    fn users() -> DomainKey {
        key("int/1", "public.users.id")
    }

    #[test]
    fn tag_and_stream_match_the_golden_vectors() {
        let key = key("email/1", "");
        let tag = key.hash(Purpose::Tag, b"bob@example.com");
        let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "6026f38266542583f78dd8bf67b7f7110b2f9cb2c300f84ec42dd4ae26d725a7");
        let mut suffix = String::new();
        push_b32(&tag[..10], &mut suffix);
        assert_eq!(suffix, "c0kf70k6agjr7xwd");
        let stream = key.hash(Purpose::Stream, b"bob@example.com");
        let mut reader = key.xof(Purpose::Stream, b"bob@example.com");
        let mut bytes = [0; 32];
        reader.fill(&mut bytes);
        assert_eq!(bytes, stream);
        let hex =
            |index: usize| -> String { stream[index * 8..index * 8 + 8].iter().map(|b| format!("{b:02x}")).collect() };
        let shown = [word(&stream, 0), word(&stream, 1)];
        assert!(shown == [0x4897_2e95_e9f0_8016, 0x0c60_70bb_6756_86a4], "{shown:x?} {} {}", hex(0), hex(1));
        assert_eq!(below(word(&stream, 2), 3007), 1507);
    }

    #[test]
    fn a_tweak_of_several_sizes_has_several_permutations() {
        let (cache, key) = (PermCache::default(), key("card/1", ""));
        let mut memo = PermMemo::default();
        memo.tweak.extend_from_slice(b"card4");
        for n in [100_000_000_000, 10_000_000, 1_000] {
            for _ in 0..2 {
                let perm = Perm::new(&key, n, b"card4");
                assert_eq!(cache.get(&key, n, b"card4").apply(n - 1), perm.apply(n - 1));
                assert_eq!(memo.perm(&cache, &key, n).apply(n - 1), perm.apply(n - 1));
            }
        }
    }

    #[test]
    fn permutations_match_the_golden_vectors() {
        let rows: [(u128, [u128; 4]); 8] = [
            (10, [1, 0, 4, 7]),
            (1000, [126, 306, 36, 748]),
            (65536, [42383, 39207, 34634, 18851]),
            (65537, [46141, 42245, 39296, 50952]),
            (1_000_000, [900_005, 324_764, 615_603, 670_396]),
            (1 << 31, [1_297_912_289, 1_952_097_863, 2_063_873_184, 298_169_932]),
            (
                (1 << 63) - 1,
                [
                    4_290_391_893_215_332_629,
                    6_535_095_941_851_429_008,
                    2_977_046_883_707_318_912,
                    6_759_101_716_569_234_199,
                ],
            ),
            (
                1 << 122,
                [
                    1_471_481_541_133_809_160_336_201_766_031_090_751,
                    433_381_617_625_162_069_792_382_471_544_267_548,
                    4_031_848_673_885_174_192_070_258_864_830_344_076,
                    4_547_664_941_333_852_595_621_369_369_555_594_255,
                ],
            ),
        ];
        for (n, expected) in rows {
            let perm = Perm::new(&users(), n, b"");
            assert_eq!([0, 1, 2, n - 1].map(|x| perm.apply(x)), expected, "n = {n}");
        }
    }

    fn assert_bijection(n: u128, precompute: bool) {
        let perm = Perm::new(&users(), n, b"t");
        if precompute {
            perm.precompute();
        }
        let mut seen = vec![false; n as usize];
        for x in 0..n {
            let slot = &mut seen[perm.apply(x) as usize];
            assert!(!*slot, "n = {n}: two inputs give one output");
            *slot = true;
        }
    }

    #[test]
    fn every_small_domain_is_permuted_exactly() {
        for n in (1..=300).chain([1000, 65535, 65536]) {
            assert_bijection(n, false);
        }
    }

    #[test]
    fn larger_domains_are_permuted_exactly() {
        for n in [65537, 100_003, 1 << 20] {
            assert_bijection(n, true);
        }
    }

    #[test]
    fn precomputed_rounds_change_no_output() {
        for n in [65537u128, 100_003, 1 << 20, 88_893_109, 1 << 27, (1 << 31) - 11, 1 << 31] {
            let perm = Perm::new(&users(), n, b"t");
            let inputs: Vec<u128> = (0..200u128).map(|i| i * 0x9e37_79b9_7f4a_7c15 % n).collect();
            let plain: Vec<u128> = inputs.iter().map(|x| perm.apply_plain(*x)).collect();
            perm.precompute();
            assert!(perm.rounds.get().is_some());
            assert_eq!(inputs.iter().map(|x| perm.apply(*x)).collect::<Vec<_>>(), plain);
            let mut all: Vec<u64> = inputs.iter().map(|x| *x as u64).collect();
            assert!(perm.apply_all_known(&mut all));
            assert!(all.iter().map(|x| u128::from(*x)).eq(plain));
        }
    }

    /// Runs the rounds backwards; walks as the forward direction does.
    fn inverse(perm: &Perm, mut y: u128) -> u128 {
        loop {
            let (mut l, mut r) = ((y / u128::from(perm.b)) as u64, (y % u128::from(perm.b)) as u64);
            for i in (0..ROUNDS).rev() {
                if i % 2 == 0 {
                    l = add_mod(l, perm.a - perm.round(i, r, perm.a), perm.a);
                } else {
                    r = add_mod(r, perm.b - perm.round(i, l, perm.b), perm.b);
                }
            }
            y = u128::from(l) * u128::from(perm.b) + u128::from(r);
            if y < perm.n {
                return y;
            }
        }
    }

    #[test]
    fn large_permutations_have_an_inverse() {
        for bits in [17, 31, 32, 40, 63, 64, 65, 80, 100, 122, 126, 127] {
            for n in [(1u128 << bits) - 5, 1 << bits] {
                let perm = Perm::new(&users(), n, b"t");
                for x in [0, 1, n / 3, n / 2, n - 1] {
                    let y = perm.apply_plain(x);
                    assert!(y < n);
                    assert_eq!(inverse(&perm, y), x, "n = {n}");
                }
            }
        }
    }

    #[test]
    fn outputs_are_spread_evenly() {
        let perm = Perm::new(&users(), 1 << 20, b"chi");
        perm.precompute();
        let mut buckets = [0u32; 64];
        for x in 0..32_768 {
            buckets[(perm.apply(x) >> 14) as usize] += 1;
        }
        let chi: f64 = buckets.iter().map(|count| (f64::from(*count) - 512.0).powi(2) / 512.0).sum();
        assert!((30.0..110.0).contains(&chi), "chi-square of 63 degrees of freedom: {chi}");
    }

    #[test]
    fn another_tweak_label_realm_or_key_gives_another_permutation() {
        let n = 1u128 << 40;
        let other = MasterKey::from_bytes(&std::array::from_fn(|i| (i * 5 + 1) as u8)).unwrap();
        let perms = [
            Perm::new(&users(), n, b"a"),
            Perm::new(&users(), n, b"b"),
            Perm::new(&key("int/1", "x"), n, b"a"),
            Perm::new(&MasterKey::test().realm("other").domain("int/1", "public.users.id"), n, b"a"),
            Perm::new(&other.realm("default").domain("int/1", "public.users.id"), n, b"a"),
        ];
        for (i, first) in perms.iter().enumerate() {
            for second in &perms[i + 1..] {
                assert_eq!((0..500).filter(|x| first.apply(*x) == second.apply(*x)).count(), 0);
            }
        }
    }

    #[test]
    fn wide_strings_stay_in_their_radixes_and_do_not_meet() {
        let radixes: Vec<u32> = (0..41).map(|i| [10, 26, 20_992][i % 3]).collect();
        let mut seen = std::collections::HashSet::new();
        for x in 0..2_000u32 {
            let mut digits: Vec<u32> = radixes.iter().enumerate().map(|(i, r)| (x >> (i % 12)) % r).collect();
            wide(&users(), b"w", &mut digits, &radixes);
            assert!(digits.iter().zip(&radixes).all(|(digit, radix)| digit < radix));
            seen.insert(digits);
        }
        let inputs: std::collections::HashSet<Vec<u32>> =
            (0..2_000u32).map(|x| radixes.iter().enumerate().map(|(i, r)| (x >> (i % 12)) % r).collect()).collect();
        assert_eq!(seen.len(), inputs.len());
    }

    #[test]
    fn a_full_cache_starts_anew_and_answers_the_same() {
        let cache = PermCache::default();
        let key = users();
        let mut memo = PermMemo::default();
        let mut run = || -> Vec<u128> {
            (0..300u32)
                .map(|i| {
                    memo.tweak.clear();
                    memo.tweak.extend_from_slice(&i.to_le_bytes());
                    memo.perm(&cache, &key, 60_000).apply(7)
                })
                .collect()
        };
        assert_eq!(run(), run());
        assert!(cache.known.read().unwrap().small_bytes <= PermCache::BYTES);
    }
}
