//! TLS to a server, with the promises of libpq's `sslmode`.
//!
//! | mode | what the server's certificate must prove |
//! |---|---|
//! | `allow`, `prefer` | nothing; a failed handshake falls back to no TLS, see `session` |
//! | `require` | nothing, or as `verify-ca` if a root certificate is known |
//! | `verify-ca` | its chain ends in `sslrootcert` |
//! | `verify-full` | the chain, and the host name stands in it |
//!
//! A certificate that itself stands in `sslrootcert` needs no chain: it is the one the user meant. rustls knows neither
//! X.509 version 1 nor names in the common name; both are told plainly, because `openssl x509 -req` makes such
//! certificates when it is not asked for extensions.

use super::conninfo::{RootCert, SslMode, TlsSettings};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

/// The protocol's name in the handshake. PostgreSQL 17 demands it for `sslnegotiation=direct`.
const ALPN: &[u8] = b"postgresql";

/// Why TLS cannot be set up; nothing was sent yet.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("sslmode={mode} needs a root certificate and none is given")]
    NoRoot { mode: &'static str },
    #[error("{what} {path} cannot be read: {reason}", path = path.display())]
    Unreadable { what: &'static str, path: PathBuf, reason: String },
    #[error("root certificate file {path} holds no certificate", path = path.display())]
    NoCertificate { path: PathBuf },
    #[error("the operating system's trust store holds no certificate: {reason}")]
    NoSystemRoots { reason: String },
    #[error("client key file {path} may be read by others (mode {mode:04o})", path = path.display())]
    KeyMode { path: PathBuf, mode: u32 },
    #[error("client key file {path} is encrypted", path = path.display())]
    KeyEncrypted { path: PathBuf },
    #[error("client key file {path} holds no PEM key", path = path.display())]
    NoKey { path: PathBuf },
    #[error("client certificate {certificate} and key {key} cannot be used: {reason}",
        certificate = certificate.display(), key = key.display())]
    Client { certificate: PathBuf, key: PathBuf, reason: String },
    #[error("TLS cannot be set up: {reason}")]
    Setup { reason: String },
}

impl TlsError {
    /// Returns what to do about it, ready to paste.
    pub fn hint(&self) -> String {
        match self {
            Self::NoRoot { .. } => {
                "Add `sslrootcert=/path/to/root.crt`, or `sslrootcert=system` for a public certificate.".to_owned()
            }
            Self::Unreadable { path, .. } => format!("ls -l {}", path.display()),
            Self::NoCertificate { path } | Self::NoKey { path } => {
                format!("The file must be PEM: `head -1 {}` shows `-----BEGIN …-----`.", path.display())
            }
            Self::NoSystemRoots { .. } => "Install the ca-certificates package, or name a file.".to_owned(),
            Self::KeyMode { path, .. } => format!("chmod 600 {}", path.display()),
            Self::KeyEncrypted { path } => {
                let path = path.display();
                format!("openssl pkey -in {path} -out {path}.plain && chmod 600 {path}.plain")
            }
            Self::Client { .. } => "Check that the key belongs to the certificate.".to_owned(),
            Self::Setup { .. } => "Check the ssl… parameters of the connection string.".to_owned(),
        }
    }
}

/// Makes the TLS half of connections. Reads the certificate files.
///
/// # Errors
/// [`TlsError`] if a file the mode needs is missing, unreadable or too widely readable.
pub fn connector(settings: &TlsSettings) -> Result<MakeRustlsConnect, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(settings, provider.signature_verification_algorithms)?;
    let versions: &[&rustls::SupportedProtocolVersion] = match (settings.tls12_only, settings.tls13_only) {
        (true, _) => &[&rustls::version::TLS12],
        (_, true) => &[&rustls::version::TLS13],
        _ => &[&rustls::version::TLS12, &rustls::version::TLS13],
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Setup { reason: error.to_string() })?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &settings.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates("client certificate", certificate)?;
            let secret = client_key(key)?;
            builder.with_client_auth_cert(chain, secret).map_err(|error| TlsError::Client {
                certificate: certificate.clone(),
                key: key.clone(),
                reason: error.to_string(),
            })?
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = settings.sni;
    Ok(MakeRustlsConnect::new(config))
}

fn unreadable(what: &'static str, path: &Path, reason: impl ToString) -> TlsError {
    TlsError::Unreadable { what, path: path.to_owned(), reason: reason.to_string() }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = std::fs::read(path).map_err(|error| unreadable(what, path, error))?;
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| unreadable(what, path, "it is not valid PEM"))?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(found)
}

/// Reads a private key (PKCS #8, PKCS #1 or SEC 1) that nobody else can read.
///
/// Source: `initialize_SSL` in `fe-secure-openssl.c`: mode 0600, or 0640 if root owns the file.
fn client_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    const WHAT: &str = "client key file";
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(WHAT, path, error))?;
    if !metadata.is_file() {
        return Err(unreadable(WHAT, path, "it is not a plain file"));
    }
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        return Err(TlsError::KeyMode { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    let pem = std::fs::read(path).map(Zeroizing::new).map_err(|error| unreadable(WHAT, path, error))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        let encrypted = pem.windows(9).any(|window| window == b"ENCRYPTED");
        let path = path.to_owned();
        if encrypted { TlsError::KeyEncrypted { path } } else { TlsError::NoKey { path } }
    })
}

/// What a server's certificate is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Nothing,
    Chain,
    ChainAndName,
}

#[derive(Debug)]
struct Verifier {
    check: Check,
    roots: RootCertStore,
    /// Everything in `sslrootcert`, for the leaf that stands there itself.
    known: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// What rustls cannot say about a certificate.
#[derive(Debug, thiserror::Error)]
#[error("the server's certificate is X.509 version 1")]
struct VersionOne;

impl Verifier {
    fn new(settings: &TlsSettings, algorithms: WebPkiSupportedAlgorithms) -> Result<Self, TlsError> {
        let check = match (settings.mode, &settings.root) {
            (SslMode::VerifyFull, RootCert::None) | (SslMode::VerifyCa, RootCert::None) => {
                return Err(TlsError::NoRoot { mode: settings.mode.name() });
            }
            (SslMode::VerifyFull, _) => Check::ChainAndName,
            (SslMode::VerifyCa, _) => Check::Chain,
            (SslMode::Require, RootCert::File(_) | RootCert::System) => Check::Chain,
            _ => Check::Nothing,
        };
        let mut verifier = Self { check, roots: RootCertStore::empty(), known: Vec::new(), algorithms };
        match &settings.root {
            _ if check == Check::Nothing => {}
            RootCert::None => {}
            RootCert::File(path) => {
                verifier.known = certificates("root certificate file", path)?;
                // A file may hold a leaf that is no trust anchor; it still counts by identity.
                verifier.roots.add_parsable_certificates(verifier.known.iter().cloned());
            }
            RootCert::System => {
                let found = rustls_native_certs::load_native_certs();
                verifier.roots.add_parsable_certificates(found.certs);
                if verifier.roots.is_empty() {
                    let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
                    return Err(TlsError::NoSystemRoots { reason: reasons.join("; ") });
                }
            }
        }
        Ok(verifier)
    }

    fn chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let known = self.known.iter().any(|known| known.as_ref() == leaf.as_ref());
        if fields(leaf).is_some_and(|fields| fields.version == 1) {
            // webpki cannot look into it, not even for the name.
            if known && self.check == Check::Chain {
                return Ok(());
            }
            return Err(CertificateError::Other(OtherError(Arc::new(VersionOne))).into());
        }
        let parsed = ParsedCertificate::try_from(leaf)?;
        match verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, self.algorithms.all) {
            Ok(()) => Ok(()),
            Err(error) if known && !out_of_date(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn out_of_date(error: &rustls::Error) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(
        error,
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
    )
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.check != Check::Nothing {
            self.chain(end_entity, intermediates, now)?;
        }
        if self.check == Check::ChainAndName {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if fields(cert).is_some_and(|fields| fields.version == 1) {
            return Err(CertificateError::Other(OtherError(Arc::new(VersionOne))).into());
        }
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    /// Checks that the server has the certificate's key, in every mode: channel binding to a certificate means nothing
    /// unless its owner signed the handshake.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match fields(cert) {
            Some(Fields { version: 1, key }) => {
                verify_tls13_signature_with_raw_key(message, &key, dss, &self.algorithms)
            }
            _ => verify_tls13_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The two fields of a certificate that rustls does not give for version 1.
struct Fields<'a> {
    version: u8,
    key: SubjectPublicKeyInfoDer<'a>,
}

/// Reads version and public key. Source: RFC 5280, section 4.1.
fn fields<'a>(certificate: &'a CertificateDer<'_>) -> Option<Fields<'a>> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(certificate.as_ref())?;
    let (tag, mut rest, _) = element(certificate).map(|(tag, body, _)| (tag, body, ()))?;
    if tag != SEQUENCE {
        return None;
    }
    let mut version = 1;
    let (tag, body, after) = element(rest)?;
    if tag == VERSION {
        version = element(body)?.1.first()?.checked_add(1)?;
        rest = after;
    }
    // Serial number, signature algorithm, issuer, validity, subject.
    for _ in 0..5 {
        rest = element(rest)?.2;
    }
    let (tag, _, after) = element(rest)?;
    let key = &rest[..rest.len() - after.len()];
    (tag == SEQUENCE).then(|| Fields { version, key: SubjectPublicKeyInfoDer::from(key) })
}

/// Cuts one DER element into tag, content and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let mut length = usize::from(*first);
    if *first >= 0x80 {
        let (digits, after) = rest.split_at_checked(usize::from(*first & 0x7f)).filter(|(d, _)| d.len() <= 4)?;
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        rest = after;
    }
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

/// Says what is wrong with a handshake, and what to do, in the words of the person who has to do it.
pub(super) fn explain(error: &rustls::Error, host: &str) -> (String, String) {
    match error {
        rustls::Error::InvalidCertificate(certificate) => explain_certificate(certificate, host),
        rustls::Error::AlertReceived(alert) => explain_alert(*alert),
        rustls::Error::PeerIncompatible(_) => (
            format!("server and client have no TLS version or cipher in common ({error})"),
            "The server must allow TLS 1.2 or newer: check its ssl_max_protocol_version and ssl_ciphers.".to_owned(),
        ),
        rustls::Error::InvalidMessage(_) => (
            "what answers does not speak TLS".to_owned(),
            "Check host and port; sslnegotiation=direct needs PostgreSQL 17.".to_owned(),
        ),
        error => (error.to_string(), "Check the server's log.".to_owned()),
    }
}

fn explain_certificate(error: &CertificateError, host: &str) -> (String, String) {
    use CertificateError as E;
    match error {
        E::NotValidForNameContext { presented, .. } if presented.is_empty() => (
            format!("the server's certificate names no host in subjectAltName, so it cannot prove to be {host}"),
            format!("Make a new one with `-addext subjectAltName=DNS:{host}`, or use sslmode=verify-ca."),
        ),
        E::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().map(|name| plain_name(name)).collect();
            let hint = match names.iter().find(|name| !name.contains('*')) {
                Some(name) => {
                    format!("Connect to one of its names, for example `host={name}`, or use sslmode=verify-ca.")
                }
                None => "Connect to a host that it names, or use sslmode=verify-ca.".to_owned(),
            };
            (format!("the server's certificate is for {}, not for {host}", names.join(", ")), hint)
        }
        E::NotValidForName => (
            format!("the server's certificate is not for {host}"),
            "Connect to a host that it names, or use sslmode=verify-ca.".to_owned(),
        ),
        E::UnknownIssuer => (
            "the server's certificate is not signed by a certificate in sslrootcert".to_owned(),
            "Add the certificate of the authority that signed it to the sslrootcert file.".to_owned(),
        ),
        E::Expired | E::ExpiredContext { .. } => {
            ("the server's certificate has expired".to_owned(), "Renew it, or check this machine's clock.".to_owned())
        }
        E::NotValidYet | E::NotValidYetContext { .. } => (
            "the server's certificate is not valid yet".to_owned(),
            "Check the clocks of server and client.".to_owned(),
        ),
        E::Other(OtherError(other)) if other.is::<VersionOne>() => (
            "the server's certificate is X.509 version 1, which cannot be checked".to_owned(),
            format!("Make a version 3 certificate with `-addext subjectAltName=DNS:{host}`."),
        ),
        E::Other(OtherError(other)) if other.to_string().contains("CaUsedAsEndEntity") => (
            "the server uses the certificate of an authority (CA:TRUE) as its own".to_owned(),
            "Put this very certificate into the sslrootcert file, or make one with `basicConstraints=CA:FALSE`."
                .to_owned(),
        ),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => (
            "the server's certificate is not meant for servers (extendedKeyUsage)".to_owned(),
            "Make one with `extendedKeyUsage=serverAuth`, or without that extension.".to_owned(),
        ),
        E::BadSignature => (
            "the signature of the server's certificate is wrong".to_owned(),
            "An authority of the same name but another key is in sslrootcert; replace it.".to_owned(),
        ),
        other => (
            format!("the server's certificate cannot be accepted: {other}"),
            "Check it with `openssl x509 -noout -text -in server.crt`.".to_owned(),
        ),
    }
}

/// Takes the name out of webpki's `DnsName("db")` and `IpAddress(127.0.0.1)`.
fn plain_name(presented: &str) -> &str {
    let inner = presented.split_once('(').map_or(presented, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"')
}

fn explain_alert(alert: AlertDescription) -> (String, String) {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => (
            "the server demands a client certificate".to_owned(),
            "Add `sslcert=client.crt sslkey=client.key`.".to_owned(),
        ),
        A::UnknownCA | A::BadCertificate | A::CertificateUnknown | A::CertificateExpired | A::CertificateRevoked => (
            format!("the server refuses the client certificate ({alert:?})"),
            "It must be valid and signed by an authority in the server's ssl_ca_file.".to_owned(),
        ),
        A::NoApplicationProtocol => (
            "the server does not offer the PostgreSQL protocol on this port".to_owned(),
            "Check host and port.".to_owned(),
        ),
        A::ProtocolVersion => (
            "server and client have no TLS version in common".to_owned(),
            "The server must allow TLS 1.2 or newer: check its ssl_max_protocol_version.".to_owned(),
        ),
        alert => (format!("the server ended the TLS handshake ({alert:?})"), "Check the server's log.".to_owned()),
    }
}
