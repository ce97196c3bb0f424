//! Keys: the master key, the root of a realm, and the key of a domain (kind and label).
//!
//! Every type here wipes its bytes when dropped, prints nothing in `Debug`, and cannot be cloned or serialized.
//! Source: MASKING.md section 2.

use super::token::frame;
use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const CTX_ROOT: &str = "mask-core 2026-11-20 v1 root";
const CTX_ID: &str = "mask-core 2026-11-20 v1 key id";
const CTX_CHECK: &str = "mask-core 2026-11-20 v1 key check";

/// Length of the text form: `mk1-`, 64 hex digits, `-`, 8 hex digits.
pub const TEXT_LEN: usize = 77;

/// The secret every pseudonym depends on: 32 bytes from the generator of the operating system.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

/// Why a key text was refused. Says nothing about the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("this is not a key: keys are written mk1-<64 lowercase hex digits>-<8 hex digits>, 77 characters in all")]
    Form,
    #[error("the check digits at the end of the key do not match: it was cut or mistyped")]
    Check,
    #[error("the key is one repeated byte")]
    Weak,
    #[error("this is the published test key; it protects nothing")]
    TestKey,
}

impl MasterKey {
    /// Takes 32 bytes from a random generator. The caller wipes its own copy.
    ///
    /// # Errors
    /// [`KeyError::Weak`] for one repeated byte, [`KeyError::TestKey`] for the published key 00..1f.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(KeyError::Weak);
        }
        if is_test_key(bytes) {
            return Err(KeyError::TestKey);
        }
        Ok(Self(*bytes))
    }

    /// Returns the published test key, for golden vectors and `--allow-test-key`.
    pub fn test() -> Self {
        Self(std::array::from_fn(|index| index as u8))
    }

    /// Reads the text form. `allow_test_key` lets the published key pass.
    ///
    /// # Errors
    /// [`KeyError`] for every other form, for wrong check digits and for weak keys.
    pub fn parse(text: &str, allow_test_key: bool) -> Result<Self, KeyError> {
        let text = text.as_bytes();
        if text.len() != TEXT_LEN || &text[..4] != b"mk1-" || text[68] != b'-' {
            return Err(KeyError::Form);
        }
        let mut bytes = Zeroizing::new([0u8; 32]);
        let mut check = [0u8; 4];
        unhex(&text[4..68], bytes.as_mut_slice()).ok_or(KeyError::Form)?;
        unhex(&text[69..], &mut check).ok_or(KeyError::Form)?;
        if check != check_of(&bytes) {
            return Err(KeyError::Check);
        }
        match Self::from_bytes(&bytes) {
            Err(KeyError::TestKey) if allow_test_key => Ok(Self::test()),
            other => other,
        }
    }

    /// Returns the text form, in a buffer that is wiped when dropped. The only way to write a key down.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(TEXT_LEN));
        text.push_str("mk1-");
        push_hex(&self.0, &mut text);
        text.push('-');
        push_hex(&check_of(&self.0), &mut text);
        text
    }

    /// Returns the public name of the key: 16 hex digits. The only part that is logged, reported or stored.
    pub fn id(&self) -> String {
        let mut id = String::with_capacity(16);
        let mut derived = blake3::derive_key(CTX_ID, &self.0);
        push_hex(&derived[..8], &mut id);
        derived.zeroize();
        id
    }

    /// Returns the root key of a realm. Two realms of one key are unlinkable.
    pub fn realm(&self, realm: &str) -> RealmKey {
        let mut base = blake3::derive_key(CTX_ROOT, &self.0);
        let root = *blake3::keyed_hash(&base, &frame(&[b"realm", realm.as_bytes()])).as_bytes();
        base.zeroize();
        RealmKey { root, shared: Mutex::default() }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// The root of one realm: what masks are compiled with.
///
/// It also holds what all columns of a domain share (tables of permutations), so that a foreign key column does not
/// build them again. These are functions of the key alone and never change an output.
pub struct RealmKey {
    root: [u8; 32],
    shared: Mutex<HashMap<(String, String), Arc<dyn Any + Send + Sync>>>,
}

impl RealmKey {
    /// Returns the key of a domain. `kind` is the full name with version, `email/1`.
    pub fn domain(&self, kind: &str, label: &str) -> DomainKey {
        let framed = frame(&[b"domain", kind.as_bytes(), label.as_bytes()]);
        DomainKey(*blake3::keyed_hash(&self.root, &framed).as_bytes())
    }

    /// Returns what all columns of a domain share, made on first use.
    pub(super) fn shared<T: Any + Send + Sync>(&self, kind: &str, label: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = shared.entry((kind.to_owned(), label.to_owned())).or_insert_with(|| Arc::new(make()));
        Arc::clone(slot).downcast().expect("a kind shares one type")
    }
}

impl fmt::Debug for RealmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RealmKey(…)")
    }
}

impl Drop for RealmKey {
    fn drop(&mut self) {
        self.root.zeroize();
    }
}

/// The key of one domain (`K_dom`), or one derived from it for a permutation.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DomainKey(pub(super) [u8; 32]);

impl DomainKey {
    /// Returns 16 hex digits that stand for a text: equal for equal texts, and not to be guessed without the key.
    pub fn name_of(&self, text: &str) -> String {
        let mut name = String::with_capacity(16);
        push_hex(&blake3::keyed_hash(&self.0, text.as_bytes()).as_bytes()[..8], &mut name);
        name
    }

    /// Places a key of a table on a scale from 0 to `u64::MAX`, evenly: what lies below a share of it is a sample that
    /// every larger share contains, on every run.
    pub fn place(&self, parts: &[&[u8]]) -> u64 {
        let hash = blake3::keyed_hash(&self.0, &frame(parts));
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Debug for DomainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DomainKey(…)")
    }
}

fn is_test_key(bytes: &[u8; 32]) -> bool {
    bytes.iter().enumerate().all(|(index, byte)| usize::from(*byte) == index)
}

fn check_of(bytes: &[u8; 32]) -> [u8; 4] {
    let derived = Zeroizing::new(blake3::derive_key(CTX_CHECK, bytes));
    [derived[0], derived[1], derived[2], derived[3]]
}

fn push_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// Reads lowercase hex into `out`; none if a character is not lowercase hex or the length differs.
fn unhex(text: &[u8], out: &mut [u8]) -> Option<()> {
    fn digit(byte: u8) -> Option<u8> {
        match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        }
    }
    if text.len() != out.len() * 2 {
        return None;
    }
    for (slot, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *slot = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        let mut out = String::new();
        push_hex(bytes, &mut out);
        out
    }

    #[test]
    fn key_id_check_root_and_domains_match_the_golden_vectors() {
        let key = MasterKey::test();
        assert_eq!(key.id(), "da7ed64a2bd1b44b");
        assert_eq!(hex(&check_of(&key.0)), "4a78b3a6");
        let realm = key.realm("default");
        assert_eq!(hex(&realm.root), "2474bd07aa0e05684105913ad10a4a4a7892b709ac57bae29de03a9fbf28911e");
        let email = realm.domain("email/1", "");
        assert_eq!(hex(&email.0), "7bf60d9d388b8a34e0b6e7a357529e23481308c3b70f5985ac67e6d15fe09390");
        let id = realm.domain("int/1", "public.users.id");
        assert_eq!(hex(&id.0), "4a680f6068cf8c947c64c25d2d6cb1ab8397323d195c64a7c01bca9ee703296d");
    }

    #[test]
    fn text_form_survives_a_round_trip() {
        let bytes: [u8; 32] = std::array::from_fn(|index| (index * 7 + 3) as u8);
        let key = MasterKey::from_bytes(&bytes).unwrap();
        let text = key.to_text();
        assert_eq!(text.len(), TEXT_LEN);
        assert_eq!(MasterKey::parse(&text, false).unwrap().id(), key.id());
    }

    #[test]
    fn wrong_texts_are_refused() {
        let good = MasterKey::from_bytes(&std::array::from_fn(|index| (index * 7 + 3) as u8)).unwrap().to_text();
        let refused = |text: &str| MasterKey::parse(text, false).unwrap_err();
        assert_eq!(refused(""), KeyError::Form);
        assert_eq!(refused(&good[..76]), KeyError::Form);
        assert_eq!(refused(&format!("{}0", *good)), KeyError::Form);
        assert_eq!(refused(&good.to_uppercase()), KeyError::Form);
        assert_eq!(refused(&good.replace("mk1", "mk2")), KeyError::Form);
        let mut wrong = good.to_string();
        let last = if wrong.pop() == Some('0') { '1' } else { '0' };
        wrong.push(last);
        assert_eq!(refused(&wrong), KeyError::Check);
    }

    #[test]
    fn weak_keys_and_the_test_key_are_refused() {
        assert_eq!(MasterKey::from_bytes(&[0; 32]).unwrap_err(), KeyError::Weak);
        assert_eq!(MasterKey::from_bytes(&[0xab; 32]).unwrap_err(), KeyError::Weak);
        let text = MasterKey::test().to_text();
        assert_eq!(MasterKey::parse(&text, false).unwrap_err(), KeyError::TestKey);
        assert!(MasterKey::parse(&text, true).is_ok());
    }

    #[test]
    fn debug_shows_no_key_byte() {
        let key = MasterKey::test();
        let realm = key.realm("default");
        assert_eq!(format!("{key:?} {realm:?} {:?}", realm.domain("a/1", "")), "MasterKey(…) RealmKey(…) DomainKey(…)");
    }
}
