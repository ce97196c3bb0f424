//! E-mail addresses, URLs and IPv6 addresses.

use super::spans::{Detector, Found};
use std::net::{IpAddr, Ipv6Addr};

/// Longest quoted local part that is looked for.
const QUOTED_MAX: usize = 66;
/// Longest local part that is looked for where another one may stand before it, and longest encoded word.
const LOCAL_MAX: usize = 256;

/// Path parts that are followed by a user name.
const USER_PARTS: &[&str] =
    &["u", "user", "users", "in", "profile", "profiles", "people", "member", "members", "author"];
/// Hosts whose first path part is a user name.
const USER_HOSTS: &[&str] = &[
    "github.com",
    "gitlab.com",
    "bitbucket.org",
    "twitter.com",
    "x.com",
    "facebook.com",
    "instagram.com",
    "t.me",
    "medium.com",
    "tiktok.com",
    "threads.net",
    "pinterest.com",
];
/// Path parts behind those that are pages, not users.
const USER_PAGES: &[&str] = &[
    "settings", "login", "logout", "signin", "signup", "register", "me", "new", "edit", "search", "password", "list",
    "all",
];
/// First path parts on those hosts that are no user.
const NOT_USERS: &[&str] = &[
    "in",
    "company",
    "groups",
    "p",
    "share",
    "search",
    "profile.php",
    "login",
    "about",
    "help",
    "orgs",
    "user",
    "users",
];
const USER_FIELDS: &[&str] = &["user", "username", "login", "screen_name", "account", "name"];
/// Fields that hold user names, or numbers of records, which stay.
const USER_OR_NUMBER_FIELDS: &[&str] = &["u", "uid", "uname", "user_id", "userid", "nick", "handle", "member"];
const SECRET_FIELDS: &[&str] = &[
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "api_key",
    "apikey",
    "key",
    "password",
    "passwd",
    "pwd",
    "secret",
    "sig",
    "signature",
    "code",
    "session",
    "sid",
];

/// A character of an unquoted local part as people write them. RFC 5321 allows more; those that also join fields in
/// URLs and prose (`=`, `/`, `&`, `?`, `!`, `#`, `*`, `|`, `{`, `}`, `^`, `` ` ``, `$`) end it here.
fn is_local(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-' | '\'' | '~') || is_invisible(c)
}

/// Zero-width characters and the soft hyphen, which copied text carries along.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-') || is_invisible(c)
}

/// Returns where the run of characters that ends at `at` begins.
fn run_before(text: &str, at: usize, belongs: impl Fn(char) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut start = at;
    while start > 0 {
        let byte = bytes[start - 1];
        if byte.is_ascii() {
            if !belongs(char::from(byte)) {
                break;
            }
            start -= 1;
        } else {
            match text[..start].chars().next_back() {
                Some(c) if belongs(c) => start -= c.len_utf8(),
                _ => break,
            }
        }
    }
    start
}

/// Returns where the run of characters that begins at `at` ends.
fn run_after(text: &str, at: usize, belongs: impl Fn(char) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut end = at;
    while let Some(&byte) = bytes.get(end) {
        if byte.is_ascii() {
            if !belongs(char::from(byte)) {
                break;
            }
            end += 1;
        } else {
            match text[end..].chars().next() {
                Some(c) if belongs(c) => end += c.len_utf8(),
                _ => break,
            }
        }
    }
    end
}

/// Looks for an address around the `@` at `at`.
pub(super) fn email(text: &str, at: usize, found: &mut Found) {
    if text[..at].ends_with('\\') {
        return encoded_email(text, at - 1, ESCAPED_AT, found);
    }
    if let Some((start, end)) = address(text, at, at + 1) {
        found.push(start, end, Detector::Email, false);
    }
}

/// The other forms of `@`: small and full-width.
pub(super) const WIDE_ATS: [&str; 2] = ["\u{fe6b}", "\u{ff20}"];

/// Looks for an address around a small or full-width `@` at `at`.
pub(super) fn wide_email(text: &str, at: usize, found: &mut Found) {
    if let Some((start, end)) = address(text, at, at + WIDE_ATS[0].len()) {
        found.push(start, end, Detector::Email, false);
    }
}

/// What stands for `@` in URLs, in a URL inside of another one, and in quoted-printable.
pub(super) const ENCODED_ATS: [&str; 3] = ["%40", "%2540", "=40"];

/// As markup and shells escape it.
pub(super) const ESCAPED_AT: &str = "\\@";

/// Looks for an address around the encoded sign at `at`.
pub(super) fn encoded_email(text: &str, at: usize, sign: &str, found: &mut Found) {
    if let Some((start, end)) = address(text, at, at + sign.len())
        && (sign.starts_with('%') || is_host(&text[at + sign.len()..end]))
    {
        found.push(start, end, Detector::EncodedEmail, false);
    }
}

/// What stands at `at` is in an encoded word, `=?utf-8?Q?ann=40web.de?=`; elsewhere, `=40` is a value more often.
pub(super) fn is_in_encoded_word(text: &str, at: usize) -> bool {
    let from = text.floor_char_boundary(at.saturating_sub(LOCAL_MAX));
    let word = text[from..at].rsplit(char::is_whitespace).next().and_then(|word| word.rsplit_once("=?"));
    let mut parts = word.map_or("", |(_, word)| word).split('?');
    parts.next().is_some_and(|charset| !charset.is_empty())
        && parts.next().is_some_and(|encoding| encoding.eq_ignore_ascii_case("q"))
        && parts.next().is_some()
}

/// A name with a dot and letters behind it.
fn is_host(text: &str) -> bool {
    text.rsplit_once('.')
        .is_some_and(|(name, top)| !name.is_empty() && top.chars().count() >= 2 && top.chars().all(char::is_alphabetic))
}

/// Where `{ann.miller}@…` begins; `{name}@…` is a template, and so is what follows a word.
fn braced(text: &str, at: usize) -> Option<usize> {
    let from = text.floor_char_boundary(at.saturating_sub(LOCAL_MAX));
    let inner = text[from..at].strip_suffix('}')?;
    let open = inner.rfind('{')?;
    let (before, inner) = (&text[..from + open], &inner[open + 1..]);
    let counts = inner.chars().all(is_local)
        && inner.contains(|c: char| c == '.' || c.is_ascii_digit())
        && !before.ends_with(|c: char| c == '$' || c.is_alphanumeric());
    counts.then_some(from + open)
}

/// Ends of names of files, and of columns.
const FILES: &[&str] = &[
    "avif", "bak", "bmp", "cfg", "conf", "cs", "css", "csv", "dat", "db", "dll", "doc", "docx", "eps", "exe", "gif",
    "go", "gz", "heic", "htm", "html", "ico", "id", "ini", "java", "jpeg", "jpg", "js", "json", "jsx", "log", "md",
    "mov", "odt", "pdf", "php", "png", "ppt", "pptx", "ps", "psd", "py", "rar", "rb", "rs", "rtf", "sh", "so", "sql",
    "svg", "tar", "tgz", "tif", "tiff", "ts", "tsx", "txt", "wav", "webm", "webp", "xls", "xlsx", "xml", "xz", "yaml",
    "yml", "zip",
];
/// Ends of hosts that are no countries.
const TOPS: &[&str] = &[
    "app", "biz", "cloud", "com", "dev", "edu", "email", "gov", "info", "int", "internal", "lan", "local", "mil",
    "name", "net", "online", "org", "pro", "shop", "xyz",
];

/// How far a host with `_` in its first label goes; none if it is rather a file, a column, or what follows an address.
fn underscored(text: &str) -> Option<usize> {
    let label = run_after(text, 0, |c| c == '_' || c != '.' && is_domain(c));
    if !text.starts_with(char::is_alphabetic) || !text[..label].contains('_') {
        return None;
    }
    let end = text[..run_after(text, label, is_domain)].trim_end_matches(['.', '-']).len();
    let top = text.get(label..end)?.rsplit_once('.')?.1.to_ascii_lowercase();
    let country = top.len() == 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
    ((country || TOPS.contains(&top.as_str())) && !FILES.contains(&top.as_str())).then_some(end)
}

fn address(text: &str, at: usize, domain: usize) -> Option<(usize, usize)> {
    // Encoded signs are read as letters of the next one's local part: each reads so much again.
    let least =
        if text[at..].starts_with(['%', '=']) { text.floor_char_boundary(at.saturating_sub(LOCAL_MAX)) } else { 0 };
    let local = least + run_before(&text[least..], at - least, is_local);
    let mut start = at - text[local..at].trim_start_matches(['.', '-', '\'', '+', '%', '~']).len();
    if text[..at].ends_with('"') {
        let from = text.floor_char_boundary(at.saturating_sub(QUOTED_MAX));
        // Between two strings of a document stands a comma or a colon, and what follows is no domain: `"x": "@type"`.
        let opens =
            |open: &usize| !text[open + 1..at].starts_with(|c: char| c.is_whitespace() || ",:;}]\"".contains(c));
        start = text[from..at - 1].rfind('"').map(|open| from + open).filter(opens).unwrap_or(start);
    }
    let end = if text[domain..].starts_with('[') {
        text[domain..].find(']').filter(|len| *len < QUOTED_MAX).map_or(domain, |len| domain + len + 1)
    } else {
        // Else it is more often what follows the address: `bob@example.com_old`.
        domain
            + underscored(&text[domain..])
                .unwrap_or_else(|| text[domain..run_after(text, domain, is_domain)].trim_end_matches(['.', '-']).len())
    };
    let host = &text[domain..end];
    if is_release(host) || is_image(host) || is_digest(host, &text[end..]) {
        return None;
    }
    let named = host.chars().next().is_some_and(|c| c.is_alphabetic() || c == '[') || host.contains('.');
    if !named || host.len() < 2 {
        return None;
    }
    if start == at {
        start = braced(text, at).unwrap_or(at);
    }
    (start < at).then_some((start, end))
}

/// `node@18.0.0`: two numbers begin the version of a package, and four are an address of a machine.
fn is_release(host: &str) -> bool {
    let number = |label: &&str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    let labels = host.split('.');
    labels.clone().take(2).filter(number).count() == 2
        && !(labels.clone().count() == 4 && labels.clone().all(|label| number(&label)))
}

/// `icon@2x.png`: the same picture with more points.
fn is_image(host: &str) -> bool {
    let Some((size, kind)) = host.split_once('.') else { return false };
    let size = size.strip_suffix(['x', 'X']).unwrap_or("");
    !size.is_empty()
        && size.bytes().all(|byte| byte.is_ascii_digit())
        && ["png", "jpg", "jpeg", "gif", "webp", "avif", "svg"].iter().any(|known| kind.eq_ignore_ascii_case(known))
}

/// `redis@sha256:4f…`: what a container image is called by.
fn is_digest(host: &str, rest: &str) -> bool {
    let mut rest = rest.bytes();
    matches!(host, "sha256" | "sha512")
        && rest.next() == Some(b':')
        && rest.next().is_some_and(|c| c.is_ascii_hexdigit())
}

/// Tells whether an address belongs to somebody: it is none of a private network, of this machine, or of everybody.
pub(super) fn is_public(address: &str) -> bool {
    match address.parse() {
        Ok(IpAddr::V4(address)) => {
            let [first, second, ..] = address.octets();
            let shared = first == 100 && second & 0xc0 == 64;
            let set_aside = first == 0 || first >= 224 || address.is_documentation();
            !(address.is_private() || address.is_loopback() || address.is_link_local() || shared || set_aside)
        }
        Ok(IpAddr::V6(address)) => {
            address.segments()[0] & 0xe000 == 0x2000 && address.segments()[..2] != [0x2001, 0xdb8]
        }
        Err(_) => false,
    }
}

/// Beginnings of tokens that services hand out, and how many letters or digits follow at least.
const TOKENS: &[(&str, usize)] = &[
    ("ghp_", 30),
    ("gho_", 30),
    ("ghs_", 30),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 35),
    ("eyJ", 40),
];

/// Names of a password in connection strings.
const PASSWORDS: &[&str] = &["password=", "PASSWORD=", "pwd=", "passwd="];

/// The tokens of known forms in a text, and the passwords as connection strings write them; each as a whole.
pub(super) fn credentials(text: &str) -> impl Iterator<Item = &str> {
    let tokens = TOKENS.iter().flat_map(move |&(prefix, least)| {
        text.match_indices(prefix).filter_map(move |(at, _)| {
            let body = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
            let length = text[at + prefix.len()..].bytes().take_while(|byte| body(byte)).count();
            let begins = !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            (begins && length >= least).then(|| &text[at..at + prefix.len() + length])
        })
    });
    let passwords = PASSWORDS.iter().flat_map(move |name| {
        text.match_indices(name).filter_map(move |(at, _)| {
            let value = text[at + name.len()..].trim_start_matches('\'');
            let ends = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ';' | '&' | ')' | ',');
            let value = value.split(ends).next()?;
            // A placeholder (`%s`, `$1`, `{…}`, `<…>`) or a comparison of columns is no password.
            let plain = value.chars().all(|c| !matches!(c, '%' | '$' | '{' | '<' | '(' | '=' | '|' | ':'));
            (value.len() >= 6 && plain).then_some(value)
        })
    });
    tokens.chain(passwords)
}

/// Looks at the URL whose `://` stands at `at`: credentials, user names and tokens. Addresses and names inside it are
/// found as everywhere else. Returns where it ends.
///
/// `before`: the end of the URLs before it. One that stands inside another shares its end and its fields, which are looked
/// at once, and is looked at up to the next one: texts made of beginnings of URLs take no longer than others.
pub(super) fn url(text: &str, at: usize, before: usize, found: &mut Found) -> usize {
    if !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric()) {
        return before;
    }
    let start = at + 3;
    let inner = start < before;
    let belongs = |c: char| !c.is_whitespace() && !matches!(c, '<' | '>' | '"' | '`' | '|' | '\\' | '^');
    let run = if inner { before } else { run_after(text, start, belongs) };
    let end = match text[start..run].find("://").filter(|_| inner) {
        Some(next) => start + next,
        None => start + text[start..run].trim_end_matches(['.', ',', ';', ')', ']', '}', '\'', '!', '?']).len(),
    };
    let host_end = run_after(&text[..end], start, |c| !matches!(c, '/' | '?' | '#'));
    let mut host = start;
    if let Some(len) = text[start..host_end].rfind('@') {
        host = start + len + 1;
        userinfo(text, start, start + len, found);
    }
    resource(text, &text[host..host_end], host_end, end, inner, found);
    run
}

/// Looks at a URL without scheme whose `//` stands at `at`: `//ann:pw@host/x`; `//foo:bar@v1.2` is the label of a build.
pub(super) fn credentials_of_host(text: &str, at: usize, found: &mut Found) {
    let start = at + 2;
    let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`' | '|' | '\\' | '^' | '/' | '?' | '#');
    let Some((login, host)) = text[start..].split(ends).next().and_then(|whole| whole.rsplit_once('@')) else { return };
    let named = login.split_once(':').is_some_and(|(user, password)| !user.is_empty() && !password.is_empty());
    if named && names_host(host) {
        userinfo(text, start, start + login.len(), found);
    }
}

/// Whether a host begins there.
fn names_host(host: &str) -> bool {
    let host = host.trim_end_matches(|c: char| !c.is_alphanumeric() && c != ']');
    if host.starts_with('[') {
        return true;
    }
    let host = host.split(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '-' | '_')).next().unwrap_or("");
    let is_ip = || host.parse::<std::net::Ipv4Addr>().is_ok();
    let is_domain = || host.rsplit_once('.').is_some_and(|(_, end)| end.starts_with(char::is_alphabetic));
    host.eq_ignore_ascii_case("localhost") || is_ip() || is_domain()
}

/// The user of a URL is who `/users/bob` names; the password is nobody's.
fn userinfo(text: &str, start: usize, end: usize, found: &mut Found) {
    let user = text[start..end].find(':').map_or(end, |len| start + len);
    if holds_address(text, start, user) {
        found.push(start, end, Detector::Secret, true);
        return;
    }
    if user > start {
        found.push(start, user, Detector::Username, true);
    }
    if user + 1 < end {
        found.push(user + 1, end, Detector::Secret, true);
    }
}

/// Looks at a URL without scheme, `www.example.com/users/bob`, whose first `/` or `?` stands at `at`. Returns where it
/// ends; `at` if there is none.
pub(super) fn bare_url(text: &str, at: usize, found: &mut Found) -> usize {
    let port = run_before(text, at, |c| c.is_ascii_digit());
    let host_end = if port < at && text[..port].ends_with(':') { port - 1 } else { at };
    let host = run_before(text, host_end, |c| c.is_alphanumeric() || matches!(c, '.' | '-'));
    if !is_host(&text[host..host_end]) || text[..host].ends_with(['/', '\\', '%']) && !text[..host].ends_with("//") {
        return at;
    }
    let belongs = |c: char| !c.is_whitespace() && !matches!(c, '<' | '>' | '"' | '`' | '|' | '\\' | '^');
    let run = run_after(text, at, belongs);
    let end = at + text[at..run].trim_end_matches(['.', ',', ';', ')', ']', '}', '\'', '!', '?']).len();
    resource(text, &text[host..host_end], at, end, false, found);
    run
}

/// Looks at what a URL names on its host: users in the path and in the fields of the query, and secrets there. `inner`:
/// the URL it stands in has its fields.
fn resource(text: &str, host: &str, start: usize, end: usize, inner: bool, found: &mut Found) {
    let host = host.split(':').next().unwrap_or(host);
    let host = host.strip_prefix("www.").unwrap_or(host);
    let path_end = run_after(&text[..end], start, |c| !matches!(c, '?' | '#'));
    path(text, host, start, path_end, found);
    let profile = host.ends_with("facebook.com") && text[start..path_end].eq_ignore_ascii_case("/profile.php");
    for (from, field) in parts(text, path_end, if inner { path_end } else { end }, &['?', '&', '#', ';']) {
        let Some((name, value)) = field.split_once('=') else { continue };
        let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        let at = from + name.len() + 1;
        let detector = match () {
            () if value.is_empty() || holds_address(text, at, from + field.len()) => continue,
            () if is(USER_FIELDS) || profile && is(&["id"]) => Detector::Username,
            () if is(USER_OR_NUMBER_FIELDS) && value.contains(char::is_alphabetic) => Detector::Username,
            () if is(SECRET_FIELDS) => Detector::Secret,
            () => continue,
        };
        found.push(at, from + field.len(), detector, true);
    }
}

/// An e-mail address stands in a part of a URL, where it is found as such.
fn holds_address(text: &str, start: usize, end: usize) -> bool {
    let part = &text[start..end];
    let signs = ENCODED_ATS.iter().filter(|sign| sign.starts_with('%'));
    let encoded = || signs.clone().find_map(|sign| part.find(sign).map(|at| (at, sign.len())));
    let sign = part.find('@').map(|at| (at, 1)).or_else(encoded);
    sign.is_some_and(|(at, len)| address(text, start + at, start + at + len).is_some())
}

/// Percent-encoding stands in a part of a URL.
pub(super) fn is_encoded(part: &str) -> bool {
    let digit = |digit: Option<&u8>| digit.is_some_and(u8::is_ascii_hexdigit);
    let bytes = part.as_bytes();
    part.match_indices('%').any(|(at, _)| digit(bytes.get(at + 1)) && digit(bytes.get(at + 2)))
}

/// A part of a URL without percent-encoding; as it is where that is none of UTF-8.
pub(super) fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| part.to_owned())
}

/// A text percent-encoded for a URL.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn path(text: &str, host: &str, start: usize, end: usize, found: &mut Found) {
    let social = USER_HOSTS.iter().any(|known| host.eq_ignore_ascii_case(known));
    let mut previous = None;
    for (from, part) in parts(text, start, end, &['/']) {
        let marked = part.starts_with(['~', '@']);
        let follows =
            previous.is_some_and(|before: &str| USER_PARTS.iter().any(|word| before.eq_ignore_ascii_case(word)));
        let first = previous.is_none() && social && !NOT_USERS.iter().any(|word| part.eq_ignore_ascii_case(word));
        let user = if marked { &part[1..] } else { part };
        // A number is a record id, and an address is found as such.
        let start = from + part.len() - user.len();
        let counts = user.chars().any(char::is_alphabetic) && !holds_address(text, start, from + part.len());
        let page = follows && USER_PAGES.iter().any(|word| user.eq_ignore_ascii_case(word));
        if (marked || follows || first) && counts && !page {
            found.push(start, from + part.len(), Detector::Username, true);
        }
        previous = Some(part);
    }
}

/// Splits `text[start..end]` at separators; yields non-empty parts with their place.
fn parts<'a>(
    text: &'a str,
    start: usize,
    end: usize,
    separators: &'a [char],
) -> impl Iterator<Item = (usize, &'a str)> {
    let mut at = start;
    text[start..end].split(separators).filter_map(move |part| {
        let from = at;
        at += part.len() + 1;
        (!part.is_empty()).then_some((from, part))
    })
}

/// Looks for an IPv6 address around the `:` at `at`; returns where the search goes on.
///
/// Words like `a::b` are valid addresses too: only those with a digit or three groups count.
pub(super) fn ipv6(text: &str, at: usize, found: &mut Found) -> usize {
    let belongs = |c: char| c.is_ascii_hexdigit() || c == ':';
    let start = run_before(text, at, belongs);
    let end = run_after(text, at, |c| c.is_ascii_hexdigit() || c == ':' || c == '.');
    let whole = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    if whole(text[..start].chars().next_back()) || whole(text[end..].chars().next()) {
        return end;
    }
    let mut address = text[start..end].trim_end_matches('.');
    if address.ends_with(':') && !address.ends_with("::") {
        address = &address[..address.len() - 1];
    }
    if address.bytes().filter(|byte| *byte == b':').count() < 2 {
        return end;
    }
    let groups = address.split(':').filter(|group| !group.is_empty()).count();
    let likely = groups >= 3 || (groups >= 1 && address.bytes().any(|byte| byte.is_ascii_digit()));
    if likely && address.parse::<Ipv6Addr>().is_ok() {
        found.push(start, start + address.len(), Detector::Ip, false);
    }
    end
}
