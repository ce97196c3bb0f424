//! Ed25519 signatures of manifests: a key in PEM as `openssl genpkey -algorithm ed25519` writes it, or a program that signs.

use super::ManifestError;
use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;
/// What stands before the 32 bytes of a public key in DER (RFC 8410, section 4).
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// How long a program may take.
const PROGRAM_MAX: Duration = Duration::from_secs(60);

/// Who signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// PKCS #8 in PEM.
    KeyFile(PathBuf),
    /// Reads the manifest on standard input, and writes the signature on standard output: 64 bytes, or their base64 or
    /// hexadecimal form. Runs in the folder of the configuration.
    Command { program: Vec<String>, folder: PathBuf },
}

impl Signer {
    /// Why it could not sign, as far as that shows without signing.
    pub fn refusal(&self) -> Option<crate::error::Report> {
        use crate::error::Diagnose as _;
        match self {
            Signer::KeyFile(_) => self.sign(b"").err()?.reports().into_iter().next(),
            Signer::Command { .. } => None,
        }
    }

    /// Signs these bytes. Blocks; a program for a minute at most.
    ///
    /// # Errors
    /// [`ManifestError::Sign`].
    pub fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, ManifestError> {
        let failed = |detail: String| ManifestError::Sign { detail };
        match self {
            Signer::KeyFile(path) => {
                let pem = std::fs::read(path).map(Zeroizing::new);
                let pem = pem.map_err(|error| failed(format!("{}: {error}.", path.display())))?;
                let no_key = || failed(format!("{} is no private key of Ed25519 in PEM.", path.display()));
                let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| no_key())?;
                // OpenSSL writes the key without its public half.
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).map_err(|_| no_key())?;
                Ok(pair.sign(bytes).as_ref().to_vec())
            }
            Signer::Command { program, folder } => {
                let answer =
                    run(program, folder, bytes).map_err(|why| failed(format!("{}: {why}.", program.join(" "))))?;
                read_signature(&answer)
                    .ok_or_else(|| failed(format!("{}: its answer is no signature of 64 bytes.", program.join(" "))))
            }
        }
    }
}

fn run(program: &[String], folder: &Path, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (name, args) = program.split_first().ok_or("no program is named")?;
    let mut child = Command::new(name)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let (mut stdin, stdout) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let bytes = bytes.to_vec();
    // A program that reads nothing closes its end; its answer tells whether that was right.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let reader = std::thread::spawn(move || {
        let mut answer = Vec::new();
        stdout.take(64 * 1024).read_to_end(&mut answer).map(|_| answer)
    });
    let started = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if started.elapsed() > PROGRAM_MAX => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it took longer than {} s", PROGRAM_MAX.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let _ = writer.join();
    let answer =
        reader.join().map_err(|_| "its answer could not be read".to_owned())?.map_err(|error| error.to_string())?;
    if status.success() { Ok(answer) } else { Err(format!("it ended with {status}")) }
}

/// 64 bytes, as they are, in hexadecimal or in base64.
fn read_signature(answer: &[u8]) -> Option<Vec<u8>> {
    if answer.len() == SIGNATURE_BYTES {
        return Some(answer.to_vec());
    }
    let text: String = std::str::from_utf8(answer).ok()?.split_whitespace().collect();
    let bytes = if text.len() == 2 * SIGNATURE_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
        (0..text.len()).step_by(2).map(digit).collect::<Option<Vec<u8>>>()?
    } else {
        BASE64_STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()?
    };
    (bytes.len() == SIGNATURE_BYTES).then_some(bytes)
}

/// The key that signatures are compared with.
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a public key in PEM.
    ///
    /// # Errors
    /// [`ManifestError::Read`], [`ManifestError::PublicKey`].
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let pem = std::fs::read(path).map_err(|source| ManifestError::Read { path: path.to_owned(), source })?;
        let wrong = || ManifestError::PublicKey(path.to_owned());
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&pem).map_err(|_| wrong())?;
        let bytes = der.as_ref().strip_prefix(&SPKI_HEAD).ok_or_else(wrong)?;
        bytes.try_into().map(Self).map_err(|_| wrong())
    }

    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }

    /// The first 16 hex digits of its BLAKE3: enough to tell keys apart.
    pub fn id(&self) -> String {
        blake3::hash(&self.0).to_hex()[..16].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::read_signature;

    #[test]
    fn signatures_are_read_in_three_forms() {
        let bytes: Vec<u8> = (0..64).collect();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";
        for form in [bytes.as_slice(), hex.as_bytes(), base64.as_bytes(), format!("{base64}\n").as_bytes()] {
            assert_eq!(read_signature(form).as_deref(), Some(bytes.as_slice()));
        }
        assert_eq!(read_signature(b"no"), None);
        assert_eq!(read_signature(&bytes[1..]), None);
    }
}
