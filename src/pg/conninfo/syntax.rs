//! The two spellings of a connection string, cut into parameters the way libpq cuts them.
//!
//! Source: `conninfo_parse` and `conninfo_uri_parse_options` in PostgreSQL's `fe-connect.c`. Errors name positions and
//! known keys, never the text itself: what stands at a mistake is often a piece of a password.

use super::ConninfoError;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Every parameter libpq knows, with the environment variable that sets its default.
///
/// Source: `PQconninfoOptions` of PostgreSQL 18.
pub(super) const KEYS: &[(&str, Option<&str>)] = &[
    ("service", Some("PGSERVICE")),
    ("servicefile", Some("PGSERVICEFILE")),
    ("user", Some("PGUSER")),
    ("password", Some("PGPASSWORD")),
    ("passfile", Some("PGPASSFILE")),
    ("channel_binding", Some("PGCHANNELBINDING")),
    ("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    ("dbname", Some("PGDATABASE")),
    ("host", Some("PGHOST")),
    ("hostaddr", Some("PGHOSTADDR")),
    ("port", Some("PGPORT")),
    ("client_encoding", Some("PGCLIENTENCODING")),
    ("options", Some("PGOPTIONS")),
    ("application_name", Some("PGAPPNAME")),
    ("fallback_application_name", None),
    ("keepalives", None),
    ("keepalives_idle", None),
    ("keepalives_interval", None),
    ("keepalives_count", None),
    ("tcp_user_timeout", None),
    ("sslmode", Some("PGSSLMODE")),
    ("sslnegotiation", Some("PGSSLNEGOTIATION")),
    ("sslcompression", Some("PGSSLCOMPRESSION")),
    ("sslcert", Some("PGSSLCERT")),
    ("sslkey", Some("PGSSLKEY")),
    ("sslcertmode", Some("PGSSLCERTMODE")),
    ("sslpassword", None),
    ("sslrootcert", Some("PGSSLROOTCERT")),
    ("sslcrl", Some("PGSSLCRL")),
    ("sslcrldir", Some("PGSSLCRLDIR")),
    ("sslsni", Some("PGSSLSNI")),
    ("sslkeylogfile", None),
    ("requirepeer", Some("PGREQUIREPEER")),
    ("require_auth", Some("PGREQUIREAUTH")),
    ("min_protocol_version", Some("PGMINPROTOCOLVERSION")),
    ("max_protocol_version", Some("PGMAXPROTOCOLVERSION")),
    ("ssl_min_protocol_version", Some("PGSSLMINPROTOCOLVERSION")),
    ("ssl_max_protocol_version", Some("PGSSLMAXPROTOCOLVERSION")),
    ("gssencmode", Some("PGGSSENCMODE")),
    ("krbsrvname", Some("PGKRBSRVNAME")),
    ("gsslib", Some("PGGSSLIB")),
    ("gssdelegation", Some("PGGSSDELEGATION")),
    ("replication", None),
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    ("load_balance_hosts", Some("PGLOADBALANCEHOSTS")),
    ("scram_client_key", None),
    ("scram_server_key", None),
    ("oauth_issuer", None),
    ("oauth_client_id", None),
    ("oauth_client_secret", None),
    ("oauth_scope", None),
];

/// Parameters by libpq's name; an empty value is a value, as in libpq: it hides the environment.
///
/// No `Debug`: a value may be a password.
#[derive(Default)]
pub(super) struct Parameters(BTreeMap<&'static str, Zeroizing<String>>);

impl Parameters {
    /// Returns a value that is present and not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.as_str()).filter(|value| !value.is_empty())
    }

    pub fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Stores a value; the last one of a key wins.
    pub fn set(&mut self, key: &'static str, value: String) {
        self.0.insert(key, Zeroizing::new(value));
    }

    /// Stores a value unless the key has one.
    pub fn set_default(&mut self, key: &'static str, value: String) {
        self.0.entry(key).or_insert_with(|| Zeroizing::new(value));
    }
}

/// Finds the table's own spelling of a key.
pub(super) fn known_key(name: &str) -> Option<&'static str> {
    KEYS.iter().map(|(key, _)| *key).find(|key| *key == name)
}

/// Makes the error for a key nobody knows.
///
/// The key itself is told only if it resembles a known one: in `password=my secret=1` the key is half of a password.
pub(super) fn unknown_key(name: &str, position: usize) -> ConninfoError {
    let nearest = KEYS
        .iter()
        .map(|(key, _)| (strsim::damerau_levenshtein(&name.to_ascii_lowercase(), key), *key))
        .filter(|(distance, key)| *distance <= key.len() / 3)
        .min();
    match nearest {
        Some((_, nearest)) => ConninfoError::UnknownKey { name: name.to_owned(), nearest, position },
        None => ConninfoError::StrangeKey { position },
    }
}

/// Cuts a connection string of either spelling.
///
/// # Errors
/// [`ConninfoError`] with the 1-based position (in characters) of what cannot be read.
pub(super) fn parse(text: &str) -> Result<Parameters, ConninfoError> {
    for scheme in ["postgresql://", "postgres://"] {
        if let Some(rest) = text.strip_prefix(scheme) {
            return parse_uri(text, rest);
        }
    }
    if text.contains("://") && !text.contains('=') {
        return Err(ConninfoError::Scheme);
    }
    parse_keywords(text)
}

/// Returns the 1-based character position of `rest`, a tail of `text`.
fn position(text: &str, rest: &str) -> usize {
    text[..text.len() - rest.len()].chars().count() + 1
}

fn is_space(c: char) -> bool {
    // C's isspace in the C locale, which has the vertical tab too.
    c.is_ascii_whitespace() || c == '\x0b'
}

fn parse_keywords(text: &str) -> Result<Parameters, ConninfoError> {
    let mut parameters = Parameters::default();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let at = position(text, rest);
        let end = rest.find(|c: char| c == '=' || is_space(c)).unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        let Some(tail) = tail.trim_start_matches(is_space).strip_prefix('=') else {
            return Err(ConninfoError::MissingEquals { position: at });
        };
        let (value, tail) = keyword_value(text, tail.trim_start_matches(is_space))?;
        let Some(key) = known_key(name) else { return Err(unknown_key(name, at)) };
        parameters.set(key, value);
        rest = tail.trim_start_matches(is_space);
    }
    Ok(parameters)
}

/// Reads one value, quoted or bare, and returns what follows it.
fn keyword_value<'a>(text: &str, start: &'a str) -> Result<(String, &'a str), ConninfoError> {
    let (quoted, body) = match start.strip_prefix('\'') {
        Some(body) => (true, body),
        None => (false, start),
    };
    let mut value = String::new();
    let mut chars = body.char_indices();
    while let Some((offset, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &body[offset + 1..])),
            c if !quoted && is_space(c) => return Ok((value, &body[offset..])),
            c => value.push(c),
        }
    }
    if quoted {
        return Err(ConninfoError::UnterminatedQuote { position: position(text, start) });
    }
    Ok((value, ""))
}

fn parse_uri(text: &str, rest: &str) -> Result<Parameters, ConninfoError> {
    let mut parameters = Parameters::default();
    // The userinfo ends at the first `@` in front of any `/`; a `?` may be part of a password.
    let before_slash = &rest[..rest.find('/').unwrap_or(rest.len())];
    let hosts = match before_slash.find('@') {
        Some(at) => {
            parse_userinfo(text, &rest[..at], rest, &mut parameters)?;
            &rest[at + 1..]
        }
        None => rest,
    };
    let rest = parse_hosts(text, hosts, &mut parameters)?;
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    if let Some(database) = path.strip_prefix('/') {
        if database.contains('@') {
            // `u:a/b@host` puts half of the password here; connecting would tell it to the server and to the log.
            return Err(ConninfoError::StrayAt { position: position(text, rest) });
        }
        if !database.is_empty() {
            parameters.set("dbname", decode(text, database)?);
        }
    }
    if let Some(query) = query {
        parse_query(text, query, &mut parameters)?;
    }
    Ok(parameters)
}

fn parse_userinfo(text: &str, userinfo: &str, rest: &str, parameters: &mut Parameters) -> Result<(), ConninfoError> {
    // Positions are counted from tails of the text, so the parts are decoded where they stand in `rest`.
    let (user, password) = match userinfo.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (userinfo, None),
    };
    if !user.is_empty() {
        parameters.set("user", decode_at(user, position(text, rest))?);
    }
    if let Some(password) = password.filter(|password| !password.is_empty()) {
        let tail = &rest[user.len() + 1..];
        parameters.set("password", decode_at(password, position(text, tail))?);
    }
    Ok(())
}

/// Reads `host[:port][,host[:port]…]` and returns what follows: `/…`, `?…` or nothing.
fn parse_hosts<'a>(text: &str, mut rest: &'a str, parameters: &mut Parameters) -> Result<&'a str, ConninfoError> {
    let (mut hosts, mut ports) = (String::new(), String::new());
    loop {
        let host;
        if let Some(tail) = rest.strip_prefix('[') {
            let end = tail.find(']').ok_or(ConninfoError::Ipv6Bracket { position: position(text, rest) })?;
            if end == 0 {
                return Err(ConninfoError::Ipv6Bracket { position: position(text, rest) });
            }
            host = &tail[..end];
            rest = &tail[end + 1..];
            if !rest.is_empty() && !rest.starts_with([':', '/', '?', ',']) {
                return Err(ConninfoError::Ipv6Bracket { position: position(text, rest) });
            }
        } else {
            let end = rest.find([':', '/', '?', ',']).unwrap_or(rest.len());
            host = &rest[..end];
            if host.contains('@') {
                return Err(ConninfoError::StrayAt { position: position(text, rest) });
            }
            rest = &rest[end..];
        }
        hosts.push_str(host);
        if let Some(tail) = rest.strip_prefix(':') {
            let end = tail.find(['/', '?', ',']).unwrap_or(tail.len());
            if tail[..end].contains(|c: char| !c.is_ascii_digit()) {
                return Err(ConninfoError::UriPort { position: position(text, tail) });
            }
            ports.push_str(&tail[..end]);
            rest = &tail[end..];
        }
        match rest.strip_prefix(',') {
            Some(tail) => rest = tail,
            None => break,
        }
        hosts.push(',');
        ports.push(',');
    }
    if !hosts.is_empty() {
        parameters.set("host", decode(text, &hosts)?);
    }
    if !ports.is_empty() {
        parameters.set("port", ports);
    }
    Ok(rest)
}

fn parse_query(text: &str, query: &str, parameters: &mut Parameters) -> Result<(), ConninfoError> {
    let mut rest = query;
    while !rest.is_empty() {
        let (pair, tail) = rest.split_once('&').unwrap_or((rest, ""));
        let at = position(text, rest);
        let Some((name, value)) = pair.split_once('=') else {
            return Err(ConninfoError::MissingEquals { position: at });
        };
        if value.contains('=') {
            return Err(ConninfoError::ExtraEquals { position: at });
        }
        let name = decode_at(name, at)?;
        let value = decode_at(value, at)?;
        if name == "ssl" && value == "true" {
            // JDBC's spelling, which libpq accepts in URIs.
            parameters.set("sslmode", "require".to_owned());
        } else {
            parameters.set(known_key(&name).ok_or_else(|| unknown_key(&name, at))?, value);
        }
        rest = tail;
    }
    Ok(())
}

fn decode(text: &str, part: &str) -> Result<String, ConninfoError> {
    let at = text.find(part).map_or(1, |offset| text[..offset].chars().count() + 1);
    decode_at(part, at)
}

/// Decodes `%xx`; a broken escape and `%00` are refused as libpq does, instead of being taken literally.
fn decode_at(part: &str, position: usize) -> Result<String, ConninfoError> {
    for (offset, _) in part.match_indices('%') {
        let digits = part.as_bytes().get(offset + 1..offset + 3).unwrap_or_default();
        if digits.len() != 2 || !digits.iter().all(u8::is_ascii_hexdigit) || digits == b"00" {
            return Err(ConninfoError::Percent { position });
        }
    }
    match percent_decode_str(part).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(ConninfoError::Percent { position }),
    }
}
