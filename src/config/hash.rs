//! The hash of a configuration, and the form of connection strings that may be part of it.

use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Changes when the canonical form changes, so that old and new hashes never meet by accident.
const CONTEXT: &[u8] = b"restage config 1\n";

/// Parameters of a connection string that are secret.
const SECRET_PARAMETERS: &[&str] =
    &["password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"];

/// BLAKE3 over the canonical form, hex.
pub(super) fn hash(canonical: &BTreeMap<String, Json>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(CONTEXT);
    for (name, value) in canonical {
        for part in [name.as_bytes(), canonical_text(value).as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// JSON with sorted keys, whatever the order of the map.
fn canonical_text(value: &Json) -> String {
    match value {
        Json::Object(map) => {
            let sorted: BTreeMap<&String, String> =
                map.iter().map(|(key, value)| (key, canonical_text(value))).collect();
            let members: Vec<String> =
                sorted.into_iter().map(|(key, value)| format!("{}:{value}", Json::from(key.as_str()))).collect();
            format!("{{{}}}", members.join(","))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(canonical_text).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// Removes every secret from a connection string; what cannot be read for certain is left out whole.
pub(super) fn without_secrets(connection: &str) -> String {
    let connection = connection.trim();
    match connection.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => {
            let (before, parameters) = rest.split_once('?').unwrap_or((rest, ""));
            // A password may hold an `@` or a `/` that should have been escaped, so the last `@` ends it.
            let (user, server) = before.rsplit_once('@').unwrap_or(("", before));
            let user = user.split(':').next().unwrap_or("");
            let open: Vec<&str> = parameters.split('&').filter(|pair| is_open(pair)).collect();
            format!("{scheme}://{user}@{server}?{}", open.join("&"))
        }
        _ => match pairs(connection) {
            Some(pairs) => pairs
                .iter()
                .filter(|(key, _)| !is_secret(key))
                .map(|(key, value)| format!("{key}={value:?}"))
                .collect::<Vec<_>>()
                .join(" "),
            None => String::new(),
        },
    }
}

/// Keeps scheme and host of a web hook: its path is what makes it secret.
pub(super) fn web_hook_host(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.rsplit('@').next().unwrap_or("");
    format!("{scheme}://{host}")
}

/// Checks that a text is something libpq could take, without repeating it.
pub(super) fn check_connection(text: &str) -> Result<(), String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    let sound = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => !rest.contains(char::is_whitespace),
        _ => text == "env" || pairs(text).is_some_and(|pairs| !pairs.is_empty()),
    };
    if sound { Ok(()) } else { Err("is neither a postgres:// URI, nor key=value pairs, nor \"env\"".to_owned()) }
}

fn is_scheme(scheme: &str) -> bool {
    scheme == "postgres" || scheme == "postgresql"
}

/// libpq decodes percent signs in parameter names, so a name with one is not trusted.
fn is_open(pair: &str) -> bool {
    let key = pair.split('=').next().unwrap_or("");
    !key.contains('%') && !is_secret(key)
}

fn is_secret(key: &str) -> bool {
    SECRET_PARAMETERS.iter().any(|secret| key.trim().eq_ignore_ascii_case(secret))
}

/// Splits `host=a password='b c'` as libpq does. Source: libpq, conninfo_parse.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let key = key.trim_end();
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        let (value, after) = pair_value(after.trim_start())?;
        pairs.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    Some(pairs)
}

fn pair_value(text: &str) -> Option<(String, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?.1),
            '\'' if quoted => return Some((value, &text[at + 1..])),
            _ if !quoted && character.is_whitespace() => return Some((value, &text[at..])),
            _ => value.push(character),
        }
    }
    // A quoted value needs its closing quote.
    if quoted { None } else { Some((value, "")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_left() {
        for connection in [
            "postgres://u:SECRET@h/db?sslmode=require",
            "postgresql://u:SECRET@h1:1,h2:2/db",
            "postgres://u:SE/CRET@SECRET@h/db",
            "postgres://h/db?user=u&password=SECRET&sslpassword=SECRET",
            "postgres://h/db?pass%77ord=SECRET",
            "postgres://h/db?PASSWORD=SECRET",
            "host=h password=SECRET dbname=db",
            "host=h password='SECRET with \\' quote' dbname=db",
            "host=h password = SECRET",
            "password=SEC\\ SECRET",
            "host=h password='SECRET",
            "mysql://u:SECRET@h",
            "SECRET",
        ] {
            let open = without_secrets(connection);
            assert!(!open.contains("SECRET"), "{open}");
        }
        assert_eq!(without_secrets("postgres://u:p@h:1/db?sslmode=require"), "postgres://u@h:1/db?sslmode=require");
        assert_eq!(without_secrets("host=h  dbname='my db'"), "host=\"h\" dbname=\"my db\"");
        assert_eq!(web_hook_host("https://u:p@hooks.slack.com/services/SECRET"), "https://hooks.slack.com");
    }

    #[test]
    fn connections_are_recognized() {
        for good in
            ["postgres://h/db", "postgresql:///db?host=/tmp", "host=h", "service=prod", "env", "host = h port=1"]
        {
            assert_eq!(check_connection(good), Ok(()), "{good}");
        }
        for bad in ["", "shop", "localhost/shop", "mysql://h/db", "postgres://h/a b", "host=h nonsense", "host='h"] {
            assert!(check_connection(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_canonical_text_sorts_keys() {
        let value = serde_json::json!({ "b": [1, { "d": null, "c": "x" }], "a": true });
        assert_eq!(canonical_text(&value), r#"{"a":true,"b":[1,{"c":"x","d":null}]}"#);
    }
}
