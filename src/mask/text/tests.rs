//! Free text as a whole: addresses, URLs, escapes, and what holds for every text. Numbers and names have files of their own.

use super::names::Role;
use super::*;
use arrow_array::StringArray;
use proptest::prelude::*;

/// Writes its word in place of every value.
struct Word(&'static str);

impl ColumnMask for Word {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        map_texts(column, |value, row, out| self.text(value, row, rows, out))
    }
    fn text(&self, _: &str, _: usize, _: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        out.push_str(self.0);
        Ok(())
    }
}

const WORDS: [&str; 7] = ["<email>", "<card>", "<ssn>", "<phone>", "<ip>", "<user>", "<secret>"];

pub(super) fn mask(names: &[(Role, &str, &str)], chars_max: Option<u32>, text: &str) -> String {
    mask_at(None, names, chars_max, text)
}

pub(super) fn mask_at(
    region: Option<&str>,
    names: &[(Role, &str, &str)],
    chars_max: Option<u32>,
    text: &str,
) -> String {
    let spans = Spans {
        masks: std::array::from_fn(|slot| {
            let word = WORDS.get(slot).copied().unwrap_or("<id>");
            Some(Box::new(Word(word)) as Box<dyn ColumnMask>)
        }),
        sources: sources::in_order(
            names
                .iter()
                .enumerate()
                .map(|(index, (role, ..))| Source { index, role: *role, told: false, masked: true, array: false })
                .collect(),
        ),
        inside: Vec::new(),
        spare: Box::new(Word("<name>")),
        plan: region.and_then(regions::of),
        columns: ids::Kinds::default(),
        chars_max,
    };
    let raw: Vec<ArrayRef> =
        names.iter().map(|(_, raw, _)| Arc::new(StringViewArray::from(vec![*raw])) as ArrayRef).collect();
    let masked: Vec<Option<ArrayRef>> =
        names.iter().map(|(.., masked)| Some(Arc::new(StringArray::from(vec![*masked])) as ArrayRef)).collect();
    let rows = Rows { len: 1, subjects: &[], raw: &raw, masked: &masked, origin: None };
    let column: ArrayRef = Arc::new(StringViewArray::from(vec![text]));
    let done = spans.apply(&column, &rows).unwrap();
    done.as_any().downcast_ref::<StringArray>().unwrap().value(0).to_owned()
}

pub(super) fn plain(text: &str) -> String {
    mask(&[], None, text)
}

/// A value of a column under this kind.
pub(super) fn masked(kind: &str, value: &str) -> String {
    let realm = crate::mask::MasterKey::test().realm("default");
    crate::mask::mask_value(&realm, kind, "", Params::new(), None, value).expect("a mask").expect("text")
}

const PERSON: &[(Role, &str, &str)] = &[(Role::First, "John", "Carlos"), (Role::Last, "Smith", "Ruiz")];

pub(super) fn john(text: &str) -> String {
    mask(PERSON, None, text)
}

#[test]
fn addresses_are_found_where_people_put_them() {
    for (text, want) in [
        ("write to bob@example.com.", "write to <email>."),
        ("<bob.o'brien+x@mail.example.co.uk>, 'a@b.de'", "<<email>>, '<email>'"),
        ("mailto:bob@x.com?subject=hi", "mailto:<email>?subject=hi"),
        ("email=bob@x.com&b=1", "email=<email>&b=1"),
        ("https://x.com/?email=bob%40example.com&a=1", "https://x.com/?email=<email>&a=1"),
        ("Zoë.müller@exämple.de—ja", "<email>—ja"),
        ("\"john smith\"@example.com", "<email>"),
        ("bob@[10.0.0.1]", "<email>"),
        ("root@dbhost", "<email>"),
        ("meet @ 5 or 10@50, @ , @", "meet @ 5 or 10@50, @ , @"),
        ("mail@2x.png, @types/node@18.0.0, redis@sha256:4f2a", "mail@2x.png, @types/node@18.0.0, redis@sha256:4f2a"),
        ("mail@2x.com, bob@10.0.0.1, redis@sha256", "<email>, <email>, <email>"),
        ("ab@x_y.de, ann_miller@my_company.com.", "<email>, <email>."),
        ("=?utf-8?Q?ann.miller=40web.de?=", "=?utf-8?Q?<email>?="),
        ("ann.miller=40web.de, and a line=\nthat goes on", "<email>, and a line=\nthat goes on"),
        ("{ann.miller}@web.de, ({user1}@web.de)", "<email>, (<email>)"),
        ("Hi!bob@web.de, user#bob@web.de", "Hi!<email>, user#<email>"),
        ("SRS0=aB3d=XY=web.de=ann.miller@fwd.acme.org", "SRS0=aB3d=XY=web.de=<email>"),
        ("a+b=c.de@web.de", "a+b=<email>"),
        // The twins: other things between such signs, and what only stands beside an address.
        ("width=40px; timeout=40ms. a=40.5", "width=40px; timeout=40ms. a=40.5"),
        ("k=40x.de, file=4021.pdf failed, page=4003.html", "k=40x.de, file=4021.pdf failed, page=4003.html"),
        ("see you @ work, or us @ acme.com, 2.5 @ x", "see you @ work, or us @ acme.com, 2.5 @ x"),
        ("self.w1 @ x.data, np.a @ np.bb", "self.w1 @ x.data, np.a @ np.bb"),
        ("icon@2x_dark.png, logo@2x_v2.png, x@y_z", "icon@2x_dark.png, logo@2x_v2.png, x@y_z"),
        ("function{a.b}@web.de, {name}@x.de", "function{a.b}@web.de, {name}@x.de"),
        ("from=ann.miller@web.de, bob@example.com_old", "from=<email>, <email>_old"),
        ("a.b+c=ann@web.de, ssh ${USER}@host", "a.b+c=<email>, ssh ${USER}@host"),
        ("https://x.test/a#bob@x.de", "https://x.test/a#<email>"),
        ("{\"a\":{}}@x.de {}@x.de", "{\"a\":{}}@x.de {}@x.de"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
}

#[test]
fn an_address_in_a_text_has_the_mask_it_has_in_a_column() {
    for address in ["ann.miller@web.de", "ab@x_y.de", "{ab.c}@x.de"] {
        assert_eq!(
            masked("text.spans", &format!("to {address}, please")),
            format!("to {}, please", masked("email", address))
        );
    }
    let plain = masked("email", "ann.miller@web.de");
    assert_eq!(
        masked("text.spans", "=?utf-8?Q?ann.miller=40web.de?="),
        format!("=?utf-8?Q?{}?=", plain.replace('@', "=40"))
    );
}

/// In all that is read as a document or a line of a log: `\n` is no letter of the word behind it.
#[test]
fn escapes_of_json_are_read_as_programs_read_them() {
    for (text, want) in [
        (
            r#"{"body":"Hello,\nJohn Smith:\r\nSmith\tJohn\njo@x.de"}"#,
            r#"{"body":"Hello,\nCarlos Ruiz:\r\nRuiz\tCarlos\n<email>"}"#,
        ),
        (
            r#"{\"body\":\"Hello,\\nJohn\\tjo@x.de\\u003cjo@x.de\\u003e\"}"#,
            r#"{\"body\":\"Hello,\\nCarlos\\t<email>\\u003c<email>\\u003e\"}"#,
        ),
        (r#"msg="\nnat@x.de\t+49 30 901820\n2125550100\n10.1.2.3""#, r#"msg="\n<email>\t<phone>\n<phone>\n<ip>""#),
        (r#"{"tel":"call\n555-0100","ssn":"SSN\n078051120"}"#, r#"{"tel":"call\n<phone>","ssn":"SSN\n<ssn>"}"#),
        (r"https:\/\/bob:pw@x.test\/users\/jo", r"https:\/\/<user>:<secret>@x.test\/users\/<user>"),
        (r"jo\u0040x.de, J\u006fhn, \u004aOHN, \ud83d\ude00John", r"<email>, Carlos, CARLOS, \ud83d\ude00Carlos"),
        (r#"\"jo@x.de\",\"@context\""#, r#"\"<email>\",\"@context\""#),
        (r"Jo\u00adhn\b\fJohn\'s", r"Carlos\b\fCarlos\'s"),
        (r"\ud800jo@x.de\ud83d", r"\ud800<email>\ud83d"),
        ("done\u{1b}[32mSmith\u{1b}[0m \u{1b}[31mjo@x.de", "done\u{1b}[32mRuiz\u{1b}[0m \u{1b}[31m<email>"),
        (
            r"\e[1mJohn \033[0;31mSmith \x1b[32mjo@x.de \u001b[1mSmith",
            r"\e[1mCarlos \033[0;31mRuiz \x1b[32m<email> \u001b[1mRuiz",
        ),
        // No escapes: they stay, and so does what is no name behind them.
        (r"\d+\k \u12 \ud800 \\ C:\Users\John \", r"\d+\k \u12 \ud800 \\ C:\Users\Carlos \"),
    ] {
        assert_eq!(john(text), want, "{text}");
    }
    let german = &[(Role::First, "Jürgen", "Carlos"), (Role::Last, "Müller-Thurgau", "Ruiz")][..];
    assert_eq!(mask(german, None, r#"{"m":"J\u00fcrgen M\u00FCller-Thurgau"}"#), r#"{"m":"Carlos Ruiz"}"#);
    assert_eq!(
        mask(german, None, r"GET /?q=J\xC3\xBCrgen b'M\xc3\xbcller-Thurgau' J\303\274rgen"),
        "GET /?q=Carlos b'Ruiz' Carlos"
    );
    assert_eq!(mask(german, None, r#"{\"m\":\"M\\u00DCLLER-THURGAU\"}"#), r#"{\"m\":\"RUIZ\"}"#);
}

/// The letter stays: it may be an escape, and what is behind it a word.
#[test]
fn a_path_that_reads_as_an_escape_keeps_no_name() {
    let nora = &[(Role::First, "Nora", "Eva"), (Role::Username, "tkoppi", "xuser")][..];
    let masked = mask(nora, None, r"C:\data\nora\tkoppi\tkoppi@x.de");
    assert_eq!(masked, r"C:\data\neva\txuser\t<email>");
    assert_eq!(mask(nora, None, r"C:\data\norad"), r"C:\data\norad");
}

#[test]
fn masks_in_a_document_need_no_escapes() {
    let quoted = &[(Role::Whole, "Ocean Trading", "The \"Big\" \\ Co\u{7}"), (Role::Last, "Smith", "Ruiz")][..];
    let document = r#"{"a":"x\nOcean Trading, \"Smith\"","b":"Smith"}"#;
    let masked = mask(quoted, None, document);
    assert_eq!(masked, r#"{"a":"x\nThe 'Big' / Co , \"Ruiz\"","b":"Ruiz"}"#);
    assert!(serde_json::from_str::<Value>(&masked).is_ok());
    // Where nothing is escaped, a mask stays as it is.
    assert_eq!(mask(quoted, None, "Ocean Trading"), "The \"Big\" \\ Co\u{7}");
}

#[test]
fn the_keys_and_values_of_documents_are_no_quoted_addresses() {
    for text in [
        r#"{"@context":"https://schema.test","@type":"Person"}"#,
        r#"{"a":"","@type":1}, {"b": "@jo"}, ["x", "@jo"], [1,"@jo"]"#,
    ] {
        assert_eq!(plain(text), text);
    }
    assert_eq!(plain(r#"{"a":"x","b":"\"john smith\"@x.de"}"#), r#"{"a":"x","b":"<email>"}"#);
}

#[test]
fn addresses_with_entities_are_found() {
    for text in ["jo.b&#64;x.de", "jo.b&#x40;x.de", "jo.b&commat;x.de", "jo&#46;b@x&period;de", "&#106;o.b@x.de"] {
        assert_eq!(plain(&format!("<p>&lt;{text}&gt;</p>")), "<p>&lt;<email>&gt;</p>", "{text}");
    }
    for text in ["5 &#64; 3, &#64;", "AT&amp;T a&#64;1", "&commat;"] {
        assert_eq!(plain(text), text);
    }
    let address = masked("email", "jo.b@example.com");
    for text in ["jo.b&#64;example.com", r"x\njo.b@example.com", r"jo.b\u0040example.com", r"x\njo.b&#64;example.com"] {
        assert!(masked("text.spans", text).ends_with(&address), "{text}");
    }
}

#[test]
fn a_text_that_is_too_long_loses_no_half_of_an_address() {
    let long = mask(&[], Some(20), "please write to a@b.cd or call");
    assert_eq!(long, "please write to ");
    assert_eq!(mask(&[], Some(8), "<email>bob@example.com"), "<email><");
}

#[test]
fn definitions_are_searched_for_what_is_hardly_anything_else() {
    for text in [
        "DEFAULT '81.2.69.142'",
        "DEFAULT '2a02:8071::1'::inet",
        "DEFAULT '(415) 555-0132'",
        "DEFAULT '\\x626f62406578616d706c652e636f6d'::bytea",
        "DEFAULT 'host=db.prod password=hunter2secret'",
        "DEFAULT 'ghp_0123456789abcdefghijABCDEFGHIJ012345'",
        "DEFAULT 'AKIAIOSFODNN7EXAMPLE'",
    ] {
        assert_ne!(personal_kinds(text), Vec::<&str>::new(), "{text}");
    }
    for text in [
        "DEFAULT '127.0.0.1'",
        "DEFAULT '0.0.0.0/0'::cidr",
        "DEFAULT '10.1.2.3'::inet",
        "DEFAULT '\\x00ff17'::bytea",
        "password text NOT NULL",
        "CHECK (version <> '1.2.3.4.5')",
        "CHECK (length(password) > 12)",
        "COMMENT 'password=%s is set by the application'",
    ] {
        assert_eq!(personal_kinds(text), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn urls_lose_credentials_users_and_tokens() {
    for (text, want) in [
        ("https://bob:pw@db.example.com/x", "https://<user>:<secret>@db.example.com/x"),
        (
            "https://bob@db.example.com, ssh://:pw@db.example.com",
            "https://<user>@db.example.com, ssh://:<secret>@db.example.com",
        ),
        ("https://bob%40y.test:pw@db.example.com", "https://%3Csecret%3E@db.example.com"),
        ("see https://github.com/jsmith/repo.", "see https://github.com/<user>/repo."),
        ("https://example.com/users/jsmith?tab=1", "https://example.com/users/<user>?tab=1"),
        ("https://example.com/users/42", "https://example.com/users/42"),
        ("https://www.linkedin.com/in/john-smith-1/", "https://www.linkedin.com/in/<user>/"),
        ("https://mastodon.example/@jsmith", "https://mastodon.example/@<user>"),
        ("https://x.test/?user=jsmith&token=abc#top", "https://x.test/?user=<user>&token=<secret>#top"),
        ("https://x.test/a/b?c=d", "https://x.test/a/b?c=d"),
        ("http:// and ://x", "http:// and ://x"),
        (
            "https://x.com/login?user=bob%20smith&token=abc%2Fdef12345",
            "https://x.com/login?user=%3Cuser%3E&token=%3Csecret%3E",
        ),
        ("https://example.com/users/bob%20smith", "https://example.com/users/%3Cuser%3E"),
        ("https://x.test/?user=bob%40example.com&token=ab%40", "https://x.test/?user=<email>&token=%3Csecret%3E"),
        (
            "see www.example.com/users/bob, or example.com:80/u/bob.",
            "see www.example.com/users/<user>, or example.com:80/u/<user>.",
        ),
        ("x.test/a?u=bob&uid=42, x.test?user=bob", "x.test/a?u=<user>&uid=42, x.test?user=<user>"),
        ("facebook.com/profile.php?id=100001234567890", "facebook.com/profile.php?id=<user>"),
        (
            "x.test/profile.php?id=17, and/or src/users/bob, 1.5kg/u/day",
            "x.test/profile.php?id=17, and/or src/users/bob, 1.5kg/u/day",
        ),
        (
            "https://x.test/users/settings and https://x.test/users/login",
            "https://x.test/users/settings and https://x.test/users/login",
        ),
        // One inside another has credentials and users of its own, and the fields of both.
        (
            "https://x.test/go/https://bob:pw@y.test/users/jo?token=abc",
            "https://x.test/go/https://<user>:<secret>@y.test/users/<user>?token=<secret>",
        ),
        (
            "https://x.test/?next=https://y.test/~jo/a&user=jsmith",
            "https://x.test/?next=https://y.test/~<user>/a&user=<user>",
        ),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
}

/// Would run for hours if each of them looked at all that follows.
#[test]
fn texts_made_of_beginnings_of_urls_are_read_once() {
    for part in [
        "a://",
        "a://b?",
        "a://b@",
        "a://b/users/",
        "b.cd/",
        "b.cd?u",
        "1/",
        "111222333, ",
        "}@",
        "=40",
        "!a@",
        "a @ ",
        "a%40",
        "a%2540",
        "ab%40",
        "ab%2540",
        "a@b-",
        "a@bc_",
    ] {
        let text = part.repeat(1 << 19);
        assert!(plain(&text).len() > 1 << 19);
    }
}

#[test]
fn null_empty_and_blank_texts_stay() {
    for text in ["", " ", " \n\t", "no data here"] {
        assert_eq!(john(text), text);
    }
}

#[test]
fn a_text_that_outgrows_its_column_loses_its_tail() {
    assert_eq!(mask(&[], Some(10), "é a@b.c éé"), "é <email> ");
    assert_eq!(mask(&[], Some(5), "a@b.c"), "<emai");
    assert_eq!(mask(&[], Some(7), "ééééééé"), "ééééééé");
}

/// Replaces values by words without anything a detector could take, so that a second run must find nothing.
fn spans_of(text: &str, names: &Names) -> Vec<super::spans::Span> {
    let mut found = Found::default();
    found.find(text, names);
    found.spans
}

fn planted() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}(\\.[a-z]{1,5})?@[a-z]{2,8}\\.(com|de|example)",
        "\\+1-[2-9][0-9]{2}-[2-9][0-9]{2}-[0-9]{4}",
        "\\([2-9][0-9]{2}\\) [0-9]{3}-[0-9]{4}",
        "\\+49 1[567][0-9] [0-9]{7}",
        "[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}",
        "4[0-9]{3} [0-9]{4} [0-9]{4} [0-9]{4}",
        "(10|192|8)\\.[1-9][0-9]\\.[1-9]\\.[1-9]",
        Just("John Smith".to_owned()),
        Just("SMITH".to_owned()),
    ]
}

proptest! {
    #[test]
    fn planted_values_never_survive(parts in prop::collection::vec(("[a-z,;!? ]{0,12}", planted()), 1..6)) {
        // The word before a number can make it one of a thing: `v 10.10.1.1`.
        let text: String = parts.iter().map(|(words, value)| format!("{words} is {value} ; ")).collect();
        let masked = john(&text);
        for (_, value) in &parts {
            prop_assert!(!masked.contains(value.as_str()), "{} -> {}", text, masked);
        }
    }

    #[test]
    fn spans_are_disjoint_in_order_and_on_char_boundaries(text in "(\\PC|[@:%./0-9a-f +()\u{a0}-]|John |Smith|https://|%40|@b\\.de|\n){0,60}") {
        let mut names = Names::default();
        for (role, raw, masked) in PERSON {
            names.add(*role, raw, masked);
        }
        names.join();
        let mut end = 0;
        for span in spans_of(&text, &names) {
            prop_assert!(span.start >= end && span.end > span.start);
            prop_assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            end = span.end;
        }
        let again = spans_of(&text, &names);
        prop_assert_eq!(spans_of(&text, &names), again);
    }

    #[test]
    fn text_outside_of_spans_keeps_its_bytes(text in "(\\PC|[@:%./0-9a-f +()-]|John |Smith|https://|@b\\.de){0,60}") {
        let mut names = Names::default();
        for (role, raw, masked) in PERSON {
            names.add(*role, raw, masked);
        }
        names.join();
        let masked = john(&text);
        let mut rest = masked.as_str();
        let mut at = 0;
        for span in spans_of(&text, &names) {
            let gap = &text[at..span.start];
            prop_assert!(rest.starts_with(gap));
            rest = &rest[gap.len()..];
            let mut mask = String::new();
            match (span.detector, slot(span.detector)) {
                (Detector::Name(needle), _) => names.push_mask(needle, &text[span.start..span.end], &mut mask),
                (Detector::Username | Detector::Secret, Some(slot)) if net::is_encoded(&text[span.start..span.end]) => {
                    mask.push_str(&net::encoded(WORDS[slot]));
                }
                (_, Some(slot)) => {
                    let word = WORDS.get(slot).copied().unwrap_or("<id>");
                    let number = matches!(slot, 1..=4 | 7..);
                    let written = written::masked(&text[span.start..span.end], |_| Ok::<_, ()>(word.to_owned()));
                    mask.push_str(written.ok().flatten().filter(|_| number).as_deref().unwrap_or(word));
                }
                _ => {}
            }
            prop_assert!(rest.starts_with(&mask));
            rest = &rest[mask.len()..];
            at = span.end;
        }
        prop_assert_eq!(rest, &text[at..]);
    }

    #[test]
    fn nothing_is_found_twice(text in "(\\PC|[@./0-9 +()-]|John |Smith|@b\\.de){0,60}") {
        let masked = john(&text);
        let mut names = Names::default();
        for (role, raw, masked) in PERSON {
            names.add(*role, raw, masked);
        }
        names.join();
        for span in spans_of(&masked, &names) {
            let value = &masked[span.start..span.end];
            // Only what masking brought together may look like a value: it holds a mask or touches one.
            let around = &masked[masked.floor_char_boundary(span.start.saturating_sub(8))..masked.ceil_char_boundary(span.end + 8)];
            prop_assert!(around.contains(['<', '>']) || around.contains("Carlos") || around.contains("Ruiz"), "{}", value);
        }
    }

    #[test]
    fn any_name_and_any_text_work_together(raw in "\\PC{0,12}", text in "\\PC{0,40}", at in 0_usize..40) {
        let at = text.floor_char_boundary(at.min(text.len()));
        let text = format!("{} {raw} {}", &text[..at], &text[at..]);
        for role in [Role::First, Role::Last, Role::Full, Role::Username, Role::Whole] {
            mask(&[(role, &raw, "Carlos Ruiz")], Some(50), &text);
        }
    }
}

#[test]
fn credentials_behind_two_slashes_and_escaped_addresses_are_found() {
    for (text, want) in [
        ("//ann:pw@host.de/x", "//<user>:<secret>@host.de/x"),
        ("//ann:pw@localhost/x", "//<user>:<secret>@localhost/x"),
        ("//ann:p:w@[::1]:80/x", "//<user>:<secret>@[<ip>]:80/x"),
        ("src=//ann:pw@cdn.host.de/x", "src=//<user>:<secret>@cdn.host.de/x"),
        (r"ann.miller\@web.de", "<email>"),
        // The twins: a comment, a path, a package.
        ("// note: see x", "// note: see x"),
        // What an address without a dot is anyway, and no credentials.
        ("import \"//foo:bar@v1\"", "import \"//foo:<email>\""),
        ("//foo:bar@2.1.0", "//foo:bar@2.1.0"),
        ("a//b:c/d", "a//b:c/d"),
        (r"node_modules\@types", r"node_modules\@types"),
    ] {
        assert_eq!(plain(text), want, "{text}");
    }
}
