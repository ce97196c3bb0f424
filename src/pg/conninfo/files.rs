//! The two files libpq looks into: passwords (`~/.pgpass`) and services (`pg_service.conf`).

use super::syntax::{Parameters, known_key, unknown_key};
use super::{ConninfoError, Environment};
use secrecy::SecretString;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The lines of a password file.
///
/// Source: `passwordFromFile` in `fe-connect.c`. Lines are `host:port:database:user:password`; `\` escapes the next
/// character, `*` alone matches everything, the first line that matches counts, `#` starts a comment line.
#[derive(Default)]
pub(super) struct PassFile {
    entries: Vec<PassEntry>,
}

struct PassEntry {
    /// Host, port, database, user; `None` is `*`.
    fields: [Option<String>; 4],
    password: SecretString,
}

impl PassFile {
    /// Reads the file; one that is missing is empty, one that others may read is ignored with a warning.
    ///
    /// `asked` says that the user named the file, so that its absence deserves a warning.
    pub fn read(path: &Path, asked: bool, warnings: &mut Vec<String>) -> Self {
        let shown = path.display();
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound && !asked => return Self::default(),
            Err(error) => {
                warnings.push(format!("password file {shown} is ignored: {}", error.kind()));
                return Self::default();
            }
        };
        if !metadata.is_file() {
            // /dev/null is the usual way to say "no password file".
            if path != Path::new("/dev/null") {
                warnings.push(format!("password file {shown} is ignored: it is not a plain file"));
            }
            return Self::default();
        }
        if metadata.mode() & 0o077 != 0 {
            warnings.push(format!(
                "password file {shown} is ignored: its mode {:04o} lets others read it; run `chmod 600 {shown}`",
                metadata.mode() & 0o7777
            ));
            return Self::default();
        }
        match std::fs::read(path).map(Zeroizing::new) {
            Ok(bytes) => Self::parse(&String::from_utf8_lossy(&bytes)),
            Err(error) => {
                warnings.push(format!("password file {shown} is ignored: {}", error.kind()));
                Self::default()
            }
        }
    }

    fn parse(text: &str) -> Self {
        Self { entries: text.lines().filter_map(PassEntry::parse).collect() }
    }

    /// Finds the password for one place.
    pub fn find(&self, host: &str, port: u16, database: &str, user: &str) -> Option<SecretString> {
        let port = port.to_string();
        let wanted = [host, &port, database, user];
        let matches = |entry: &&PassEntry| {
            entry.fields.iter().zip(wanted).all(|(field, wanted)| field.as_deref().is_none_or(|field| field == wanted))
        };
        self.entries.iter().find(matches).map(|entry| entry.password.clone())
    }
}

impl PassEntry {
    /// Reads one line; comments and lines with too few fields give nothing.
    fn parse(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let mut rest = line;
        let mut next = || {
            let (field, tail) = cut_field(rest)?;
            rest = tail;
            Some((field != "*").then(|| unescape(field)))
        };
        let fields = [next()?, next()?, next()?, next()?];
        let password = Zeroizing::new(unescape(rest));
        Some(Self { fields, password: SecretString::from(password.as_str()) })
    }
}

/// Cuts at the first colon that is not escaped.
fn cut_field(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (offset, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => return Some((&text[..offset], &text[offset + 1..])),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.extend(chars.next()),
            c => plain.push(c),
        }
    }
    plain
}

/// Fills in what the service says and the connection string does not.
///
/// Source: `parseServiceInfo` in `fe-connect.c`: `PGSERVICEFILE` or `~/.pg_service.conf`, then the system's file.
///
/// # Errors
/// When the service is in none of the files, or the file cannot be read as one.
pub(super) fn apply_service(
    service: &str,
    parameters: &mut Parameters,
    env: &Environment,
) -> Result<(), ConninfoError> {
    let named = parameters.get("servicefile").or_else(|| env.get("PGSERVICEFILE")).map(PathBuf::from);
    let mut searched = Vec::new();
    match named {
        Some(path) if !path.is_file() => return Err(ConninfoError::ServiceFileMissing { path }),
        Some(path) => searched.push(path),
        None => searched.extend(env.home.iter().map(|home| home.join(".pg_service.conf"))),
    }
    match env.get("PGSYSCONFDIR") {
        Some(directory) => searched.push(Path::new(directory).join("pg_service.conf")),
        None => searched.extend(env.system_directories.iter().map(|directory| directory.join("pg_service.conf"))),
    }
    searched.retain(|path| path.is_file());
    for path in &searched {
        if read_service(path, service, parameters)? {
            return Ok(());
        }
    }
    Err(ConninfoError::ServiceMissing { service: service.to_owned(), searched })
}

/// Reads one file and says whether it has the service.
fn read_service(path: &Path, service: &str, parameters: &mut Parameters) -> Result<bool, ConninfoError> {
    let syntax = |line: usize| ConninfoError::ServiceSyntax { path: path.to_owned(), line: line + 1 };
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|source| ConninfoError::ServiceUnreadable { path: path.to_owned(), source })?;
    let mut found = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            if found {
                break;
            }
            found = header.split_once(']').is_some_and(|(name, _)| name == service);
            continue;
        }
        if !found {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| syntax(number))?;
        // A service may not name another one, and LDAP lookups are not a part of this tool.
        if key == "service" || key == "servicefile" || line.starts_with("ldap") {
            return Err(syntax(number));
        }
        let key = known_key(key).ok_or_else(|| match unknown_key(key, number + 1) {
            ConninfoError::UnknownKey { name, nearest, .. } => {
                ConninfoError::ServiceKey { path: path.to_owned(), line: number + 1, name, nearest }
            }
            _ => syntax(number),
        })?;
        parameters.set_default(key, value.to_owned());
    }
    Ok(found)
}
