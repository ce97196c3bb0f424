//! What a worker masked a moment ago.
//!
//! The same value often stands several times in one row or batch, and a mask costs several keyed hashes. A worker keeps
//! the last few thousand results in a table of fixed size; the output is the same with or without it.

use super::key::DomainKey;
use super::person::Names;
use super::token::Purpose;
use std::cell::RefCell;
use std::hash::BuildHasher;

/// Slots per worker; with addresses of usual length about half a megabyte.
const SLOTS: usize = 4096;
/// Longer values are rare and not kept.
const LENGTH_MAX: usize = 96;

/// Tells the results of one mask from those of others: a tag of its key and of what else decides the output.
pub(super) struct Memory(u64);

#[derive(Default)]
struct Slot {
    owner: u64,
    value: String,
    masked: String,
}

#[derive(Default)]
struct NamesSlot {
    owner: u64,
    subject: String,
    names: Names,
}

thread_local! {
    static RECENT: RefCell<Vec<Slot>> = const { RefCell::new(Vec::new()) };
    static NAMES: RefCell<Vec<NamesSlot>> = const { RefCell::new(Vec::new()) };
}

impl Memory {
    /// `form`: whatever besides the key changes the output.
    pub fn new(key: &DomainKey, form: &[u8]) -> Self {
        let tag = key.hash(Purpose::Tag, &[b"recent".as_slice(), form].concat());
        Self(super::token::word(&tag, 0))
    }

    fn slot(&self, value: &str) -> usize {
        // Any fixed hash will do: it decides only what is forgotten.
        let hash = foldhash::fast::FixedState::with_seed(self.0).hash_one(value);
        hash as usize % SLOTS
    }
}

/// Appends the mask of `value` if it is remembered.
pub(super) fn recall(memory: &Memory, value: &str, out: &mut String) -> bool {
    RECENT.with_borrow(|slots| {
        let Some(slot) = slots.get(memory.slot(value)) else { return false };
        let known = slot.owner == memory.0 && slot.value == value && !slot.masked.is_empty();
        if known {
            out.push_str(&slot.masked);
        }
        known
    })
}

/// Remembers the mask of `value`.
pub(super) fn remember(memory: &Memory, value: &str, masked: &str) {
    if value.len() > LENGTH_MAX {
        return;
    }
    RECENT.with_borrow_mut(|slots| {
        if slots.is_empty() {
            slots.resize_with(SLOTS, Slot::default);
        }
        let slot = &mut slots[memory.slot(value)];
        slot.owner = memory.0;
        slot.value.clear();
        slot.value.push_str(value);
        slot.masked.clear();
        slot.masked.push_str(masked);
    });
}

/// The names of a subject's persona, if they are remembered.
pub(super) fn recall_names(memory: &Memory, subject: &str) -> Option<Names> {
    NAMES.with_borrow(|slots| {
        let slot = slots.get(memory.slot(subject))?;
        (slot.owner == memory.0 && slot.subject == subject).then_some(slot.names)
    })
}

/// Remembers the names of a subject's persona.
pub(super) fn remember_names(memory: &Memory, subject: &str, names: Names) {
    if subject.len() > LENGTH_MAX {
        return;
    }
    NAMES.with_borrow_mut(|slots| {
        if slots.is_empty() {
            slots.resize_with(SLOTS, NamesSlot::default);
        }
        let slot = &mut slots[memory.slot(subject)];
        slot.owner = memory.0;
        slot.subject.clear();
        slot.subject.push_str(subject);
        slot.names = names;
    });
}
