//! Addresses of the web: `url/1`.
//!
//! # Construction
//!
//! `scheme://user:password@host:port/path?query#fragment`; without a scheme only `//host…` and a host name with a dot and
//! an alphabetic last label are read. Everything not named here stays, so length and layout mostly do.
//!
//! - Host: a name gets the pseudonym that e-mail domains have (`emaildomain/1`, no label), a leading `www.` stays; an
//!   address is masked by `ip/1`; `localhost` and the names in `keep_hosts`, with those below them, stay. Case and a
//!   trailing dot do not matter.
//! - *Parts* are user, password, each path segment, each query value (pieces end at `&` and `;`, a piece without `=` is
//!   a value) and the fragment. A part is percent-decoded, masked by pattern/1 under `K_dom("pattern/1", label)`, and
//!   the characters that were encoded are encoded again. A part that is no UTF-8 becomes the tag of pattern/1.
//! - Kept: scheme, port, the keys of the query, and the extension of the last segment if it is in [`EXTENSIONS`].
//! - What `keep` names stays: `"path"`, `"query"`, `"fragment"`. User and password never do.
//! - A mask that no longer fits `varchar(n)` loses its tail, never in the middle of an escape.

use super::canon::{canonical, is_domain, is_telling, is_white_space};
use super::column::{ColumnMask, Compile, CompileError, MaskError};
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::leaf::{At, ON_INVALID, TEXT};
use super::pattern::{Pattern, PatternMemo};
use super::person::push_email_domain;
use super::row::{Otherwise, RowKind, RowMask, cut};
use super::{Injective, Kind, Params, Shape};
use std::net::{Ipv4Addr, Ipv6Addr};

pub(super) static URL: Kind = Kind {
    name: "url",
    remains: |_| super::Remains::Open,
    summary: "Masks the parts of URLs; scheme, layout and query keys stay, hosts move under `.example`",
    params: &[
        Param {
            name: "keep",
            summary: "parts that stay: \"path\", \"query\", \"fragment\"",
            domain: Domain::Texts,
            default: "[]",
        },
        Param {
            name: "keep_hosts",
            summary: "hosts that stay, with all names below them, e.g. [\"cdn.example.com\"]",
            domain: Domain::Texts,
            default: "[]",
        },
        ON_INVALID,
    ],
    injective: Injective::No,
    samples: &["https://www.acme.com/users/bob?token=4eC39Hq#top", "http://10.1.2.3:8080/a.png"],
    // Scheme, `www.` and the longest pseudonym of a host; paths may be cut.
    least: |_| vec![40],
    compile,
    ..TEXT
};

/// Endings of file names that say what a file is and nothing about anybody. Pinned, sorted.
const EXTENSIONS: &[&str] = &[
    "avif", "css", "csv", "doc", "docx", "gif", "htm", "html", "ico", "jpeg", "jpg", "js", "json", "mov", "mp3", "mp4",
    "pdf", "php", "png", "svg", "txt", "webm", "webp", "xls", "xlsx", "xml", "zip",
];

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let Shape::Text { chars_max, .. } = compile.shape else { return Err(compile.wrong_shape()) };
    let list = |name: &str| {
        let items = compile.spec.params.get(name).and_then(|value| value.as_array());
        items.into_iter().flatten().filter_map(|item| item.as_str()).map(str::to_owned).collect::<Vec<_>>()
    };
    let keep = list("keep");
    if !keep.iter().all(|part| ["path", "query", "fragment"].contains(&part.as_str())) {
        return Err(compile.bad_param("keep", "an array of \"path\", \"query\" and \"fragment\""));
    }
    let keep_hosts: Vec<String> =
        list("keep_hosts").iter().map(|host| canonical(host.trim_matches('.'), true)).collect();
    if !keep_hosts.iter().all(|host| is_domain(host)) {
        return Err(compile.bad_param("keep_hosts", "an array of host names"));
    }
    let kept = |part: &str| keep.iter().any(|known| known == part);
    let url = UrlMask {
        domains: compile.realm.domain("emaildomain/1", ""),
        pattern: Pattern::new(compile.realm, &compile.spec.label),
        ip: compile.nested("ip", &compile.spec.label, Params::new(), super::json::LEAF)?,
        keep_path: kept("path"),
        keep_query: kept("query"),
        keep_fragment: kept("fragment"),
        keep_hosts,
        chars_max,
        otherwise: Otherwise::on_invalid(compile)?,
    };
    Ok(RowMask::boxed(compile, url))
}

enum Host<'a> {
    Name(&'a str),
    V4(&'a str),
    /// Without brackets.
    V6(&'a str),
    /// `file:///…`
    None,
}

/// A URL taken apart; all pieces together are the value.
struct Parts<'a> {
    /// With `://`, or `//`, or nothing.
    scheme: &'a str,
    user: Option<&'a str>,
    host: Host<'a>,
    /// With its colon.
    port: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn read(value: &'a str) -> Option<Self> {
        if value.chars().any(|c| is_white_space(c) || c.is_control()) {
            return None;
        }
        let (scheme, rest) = match value.find("://") {
            Some(at) if is_scheme(&value[..at]) => value.split_at(at + 3),
            _ if value.starts_with("//") => value.split_at(2),
            _ => ("", value),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (user, server) = match authority.rsplit_once('@') {
            Some((user, server)) => (Some(user), server),
            None => (None, authority),
        };
        let (host, port) = host_and_port(server)?;
        let plausible = match host {
            Host::Name(name) => is_domain(name) && (!scheme.is_empty() || user.is_none() && is_public(name)),
            Host::V4(_) | Host::V6(_) => !scheme.is_empty(),
            Host::None => scheme.len() > 2 && user.is_none() && port.is_empty(),
        };
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (rest, None),
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        plausible.then_some(Self { scheme, user, host, port, path, query, fragment })
    }
}

/// Source: RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// A name that is an address of the web even without a scheme: `acme.com`, not `acme` and not `1.5`.
fn is_public(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, last)| last.len() > 1 && last.chars().all(|c| is_telling(c) && !c.is_ascii_digit()))
}

fn host_and_port(server: &str) -> Option<(Host<'_>, &str)> {
    if let Some(bracketed) = server.strip_prefix('[') {
        let (host, port) = bracketed.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return is_port(port).then_some((Host::V6(host), port));
    }
    let (host, port) = server.split_at(server.rfind(':').unwrap_or(server.len()));
    let found = match host {
        "" => Host::None,
        _ if host.parse::<Ipv4Addr>().is_ok() => Host::V4(host),
        _ => Host::Name(host.strip_suffix('.').unwrap_or(host)),
    };
    is_port(port).then_some((found, port))
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

struct UrlMask {
    domains: DomainKey,
    pattern: Pattern,
    ip: Box<dyn ColumnMask>,
    keep_path: bool,
    keep_query: bool,
    keep_fragment: bool,
    keep_hosts: Vec<String>,
    chars_max: Option<u32>,
    otherwise: Otherwise,
}

impl UrlMask {
    fn host(&self, host: &Host<'_>, at: At<'_>, out: &mut String) -> Result<(), MaskError> {
        match host {
            Host::None => Ok(()),
            Host::V4(address) => self.ip.text(address, at.row, at.rows, out),
            Host::V6(address) => {
                out.push('[');
                self.ip.text(address, at.row, at.rows, out)?;
                out.push(']');
                Ok(())
            }
            Host::Name(name) => {
                let canonical = canonical(name, true);
                let below = |kept: &String| {
                    canonical.strip_suffix(kept.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                };
                if canonical == "localhost" || self.keep_hosts.iter().any(below) {
                    out.push_str(name);
                    return Ok(());
                }
                let bare = canonical.strip_prefix("www.").filter(|rest| rest.contains('.'));
                if bare.is_some() {
                    out.push_str("www.");
                }
                push_email_domain(&self.domains, bare.unwrap_or(&canonical), out);
                Ok(())
            }
        }
    }

    /// Appends the mask of one part.
    fn part(&self, part: &str, memo: &mut PatternMemo, out: &mut String) {
        if !part.contains('%') {
            return self.pattern.push(part, memo, out);
        }
        let mut bytes = Vec::with_capacity(part.len());
        // Whether each byte was written as an escape.
        let mut encoded = Vec::with_capacity(part.len());
        let mut rest = part.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            let hex = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
            let escape = if first == b'%' { hex(0).zip(hex(1)) } else { None };
            bytes.push(escape.map_or(first, |(high, low)| (high * 16 + low) as u8));
            encoded.push(escape.is_some());
            rest = &rest[if escape.is_some() { 3 } else { 1 }..];
        }
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return self.pattern.push_tag(part, out);
        };
        let mut masked = String::with_capacity(text.len());
        self.pattern.push(text, memo, &mut masked);
        // A mask has as many characters as its value, so each stands where one was.
        for ((at, _), c) in text.char_indices().zip(masked.chars()) {
            if encoded[at] {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                    out.push('%');
                    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                    out.push(char::from(DIGITS[usize::from(byte & 15)]));
                }
            } else {
                out.push(c);
            }
        }
    }

    fn path(&self, path: &str, memo: &mut PatternMemo, out: &mut String) {
        let last = path.matches('/').count();
        for (number, segment) in path.split('/').enumerate() {
            if number > 0 {
                out.push('/');
            }
            let named = segment.rsplit_once('.').filter(|(_, ending)| {
                number == last && EXTENSIONS.binary_search(&ending.to_ascii_lowercase().as_str()).is_ok()
            });
            match named {
                Some((stem, ending)) => {
                    self.part(stem, memo, out);
                    out.push('.');
                    out.push_str(ending);
                }
                None => self.part(segment, memo, out),
            }
        }
    }

    fn query(&self, query: &str, memo: &mut PatternMemo, out: &mut String) {
        for piece in query.split_inclusive(['&', ';']) {
            let end = piece.strip_suffix(['&', ';']).unwrap_or(piece);
            match end.split_once('=') {
                Some((key, value)) => {
                    out.push_str(key);
                    out.push('=');
                    self.part(value, memo, out);
                }
                None => self.part(end, memo, out),
            }
            out.push_str(&piece[end.len()..]);
        }
    }
}

impl RowKind for UrlMask {
    fn mask(&self, value: &str, at: At<'_>, out: &mut String) -> Result<bool, MaskError> {
        let Some(parts) = Parts::read(value) else { return self.otherwise.mask(value, at, out) };
        let start = out.len();
        let mut memo = PatternMemo::default();
        out.push_str(parts.scheme);
        if let Some(user) = parts.user {
            for (number, part) in user.splitn(2, ':').enumerate() {
                out.push_str(if number > 0 { ":" } else { "" });
                self.part(part, &mut memo, out);
            }
            out.push('@');
        }
        self.host(&parts.host, at, out)?;
        out.push_str(parts.port);
        if self.keep_path {
            out.push_str(parts.path);
        } else {
            self.path(parts.path, &mut memo, out);
        }
        if let Some(query) = parts.query {
            out.push('?');
            if self.keep_query {
                out.push_str(query);
            } else {
                self.query(query, &mut memo, out);
            }
        }
        if let Some(fragment) = parts.fragment {
            out.push('#');
            if self.keep_fragment {
                out.push_str(fragment);
            } else {
                self.part(fragment, &mut memo, out);
            }
        }
        let whole = out.len();
        cut(out, start, self.chars_max);
        if out.len() < whole
            && let Some(escape) = out[start..].rfind('%').filter(|at| start + at + 3 > out.len())
        {
            out.truncate(start + escape);
        }
        Ok(true)
    }

    fn after(&self) -> Vec<usize> {
        self.otherwise.after()
    }
}

#[cfg(test)]
mod tests {
    use super::EXTENSIONS;
    use crate::mask::batch::RawBatch;
    use crate::mask::{ColumnSpec, MaskSpec, Masker, MasterKey, Params, Shape, TableSpec, mask_value};
    use arrow_array::{StringViewArray, cast::AsArray};

    fn masked(kind: &str, json: &str, value: &str) -> String {
        let realm = MasterKey::test().realm("default");
        mask_value(&realm, kind, "", serde_json::from_str(json).unwrap(), None, value).unwrap().unwrap()
    }

    fn url(value: &str) -> String {
        masked("url", "{}", value)
    }

    fn pattern(value: &str) -> String {
        masked("pattern", "{}", value)
    }

    #[test]
    fn each_part_is_masked_for_itself_and_the_layout_stays() {
        let domain = masked("email", "{}", "x@acme.com").split_once('@').unwrap().1.to_owned();
        let want = format!(
            "https://{}:{}@www.{domain}:8443/{}//{}.PNG?q={}&{}&a=;b={}#{}",
            pattern("bob"),
            pattern("s3cret"),
            pattern("users"),
            pattern("me"),
            pattern("Bob"),
            pattern("flag"),
            pattern("1"),
            pattern("/x/Bob"),
        );
        assert_eq!(url("https://bob:s3cret@WWW.Acme.com:8443/users//me.PNG?q=Bob&flag&a=;b=1#/x/Bob"), want);
        assert_eq!(url("www.acme.com./"), format!("www.{domain}/"));
        assert_eq!(url("//acme.com"), format!("//{domain}"));
        assert_eq!(url("http://8.8.8.8:80/"), format!("http://{}:80/", masked("ip", "{}", "8.8.8.8")));
        assert_eq!(url("http://[2001:db8::1]/"), format!("http://[{}]/", masked("ip", "{}", "2001:db8::1")));
        assert_eq!(url("http://localhost:3000/"), "http://localhost:3000/");
        assert_eq!(url("file:///home/bob"), format!("file:///{}/{}", pattern("home"), pattern("bob")));
        assert!(EXTENSIONS.is_sorted());
    }

    #[test]
    fn escapes_stay_escapes_and_keep_their_place() {
        let mask = url("https://acme.com/M%C3%BCller%20A?n=a%26b%3Dc&bad=%zz%FF");
        let path = mask.split_once(".example/").unwrap().1;
        let (segment, query) = path.split_once('?').unwrap();
        assert!(segment.len() == "M%C3%BCller%20A".len() && segment.as_bytes()[1] == b'%' && segment.contains("%20"));
        assert!(query.starts_with("n=") && query.contains("%26") && query.contains("%3D") && query.contains("&bad="));
        assert!(!mask.contains("ller") && !mask.contains("a%26b"));
    }

    #[test]
    fn parts_and_hosts_are_kept_on_request() {
        let keep = r#"{"keep":["path","query","fragment"],"keep_hosts":["acme.com"]}"#;
        let value = "https://bob@cdn.acme.com/a/b?c=d#e";
        assert_eq!(masked("url", keep, value), format!("https://{}@cdn.acme.com/a/b?c=d#e", pattern("bob")));
        assert!(!masked("url", keep, "https://notacme.com/").contains("acme"));
    }

    #[test]
    fn what_is_no_url_is_masked_as_a_whole() {
        for value in
            ["bob@acme.com", "Bob Smith", "1.5/2", "mailto:bob@acme.com", "http://a b.com/", "http://h:x/", "acme"]
        {
            assert_eq!(url(value), pattern(value));
        }
    }

    #[test]
    fn a_mask_that_is_too_long_loses_its_tail_but_no_half_escape() {
        let spec = MaskSpec { kind: "url/1".into(), label: String::new(), params: Params::new(), subject: None };
        for chars_max in 40..60 {
            let shape = Shape::Text { chars_max: Some(chars_max), padded: false };
            let column = ColumnSpec { name: "t.c".into(), shape, mask: Some(spec.clone()) };
            let table = TableSpec { columns: vec![column], ..TableSpec::default() };
            let masker = Masker::compile(&MasterKey::test().realm("default"), &table).unwrap();
            let value = "https://t.co/%20%20%20%20%20%20%20%20%20";
            let column = std::sync::Arc::new(StringViewArray::from(vec![value]));
            let raw = RawBatch { rows: 1, wire: bytes::Bytes::new(), gaps: Vec::new(), columns: vec![column] };
            let batch = masker.apply(raw).unwrap();
            let mask = batch.columns()[0].as_string::<i32>().value(0);
            assert!(mask.len() <= chars_max as usize && mask.len() + 3 > (chars_max as usize).min(57), "{mask}");
            assert!(!mask.ends_with('%') && !mask.ends_with("%2"), "{mask}");
        }
    }
}
