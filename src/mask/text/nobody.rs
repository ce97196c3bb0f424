//! Values that look personal and are nobody's: what standards, banks and manuals print so that everybody can copy it.
//!
//! A value is let off only if all of it is listed, as far as it was recognized: one digit more or less, and it may be
//! somebody's. Ranges are listed where a regulator gives no number of them to anybody.

use regex::Regex;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Samples by detector of `text.spans`, in capitals without signs; tokens as they are.
///
/// Sources: the registry of IBAN (SWIFT) and the pages of banks and payment services; test numbers of card brands; the
/// numbers that the Social Security Administration withdrew because advertising printed them; manuals of tax offices.
pub const SAMPLES: &[(&str, &str)] = &[
    (
        "iban",
        "DE89370400440532013000 DE91100000000123456789 DE75512108001245126199 DE27100777770209299700 GB82WEST12345698765432
         GB29NWBK60161331926819 GB33BUKB20201555555555 GB98MIDL07009312345678 GB94BARC10201530093459 GB60BARC20000055779911
         FR1420041010050500013M02606 FR7630006000011234567890189 FR7630001007941234567890185 NL91ABNA0417164300
         NL02ABNA0123456789 NL39RABO0300065264 ES9121000418450200051332 ES7921000813610123456789 IT60X0542811101000000123456
         BE68539007547034 BE71096123456769 BE62510007547061 AT611904300234573201 AT483200000012345864 CH9300762011623852957
         CH5604835012345678009 PL61109010140000071219812874 PL27114020040000300201355387 PL10105000997603123456789123
         PT50000201231234567890154 PT50002700000001234567833 SE4550000000058398257466 SE3550000000054910000003
         SE7280000810340009783242 DK5000400440116243 DK9520000123456789 NO9386011117947 NO8330001234567 FI2112345600000785
         FI1410093000123458 IE29AIBK93115212345678 IE64IRCE92050112345678 LU280019400644750000 LU120010001234567891
         CZ6508000000192000145399 CZ5508000000001234567899 SK3112000000198742637541 SK8975000000000012345671
         HU42117730161111101800000000 RO49AAAA1B31007593840000 RO09BCYP0000001234567890 BG80BNBG96611020345678
         BG18RZBB91550123456789 HR1210010051863000160 HR1723600001101234565 SI56263300012039086 SI56191000000123438
         SI56192001234567892 EE382200221020145685 EE471000001020145685 LV80BANK0000435195001 LV97HABA0012345678910
         LT121000011101001000 LT601010012345678901 GR1601101250000000012300695 GR9608100010000001234567890
         CY17002001280000001200527600 CY21002001950000357001234567 MT84MALT011000012345MTLCAST001S
         MT31MALT01100000000000000000123 IS140159260076545510730339 IS030001121234561234567890 LI21088100002324013AA
         LI7408806123456789012 MC5811222000010123456789030 SM86U0322509800000000270100 TR330006100519786457841326
         TR320010009999901234567890 SA0380000000608010167519 SA4420000001234567891234 AE070331234567890123456
         AE460090000000123456789 IL620108000000099999999 IL170108000000012612345 AD1200012030200359100100",
    ),
    (
        "card",
        "4242424242424242 4111111111111111 4012888888881881 4000056655665556 4000000000000002 5555555555554444
         5105105105105100 5200828282828210 5454545454545454 2223003122003222 378282246310005 371449635398431
         6011111111111117 6011000990139424 3530111333300000 30569309025904 38520000023237",
    ),
    ("us.ssn", "078051120 219099999 123456789"),
    ("br.cpf", "11144477735 12345678909"),
    ("br.cnpj", "11222333000181 11444777000161 12345678000195"),
    ("es.dni", "12345678Z"),
    ("pl.pesel", "44051401359"),
    ("nl.bsn", "111222333 123456782"),
    ("gb.nhs", "9434765919 9434765870"),
    ("au.tfn", "123456782"),
    ("za.id", "8001015009087"),
    (
        "secret",
        "AKIAIOSFODNN7EXAMPLE ASIAIOSFODNN7EXAMPLE AKIAI44QH8DHBEXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
         eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    ),
];

/// Persons whom forms and courts made up, first name first. Names that people bear are none of them.
const PERSONS: &[(&str, &str)] = &[
    ("john", "doe"),
    ("jane", "doe"),
    ("johnny", "doe"),
    ("janie", "doe"),
    ("john", "roe"),
    ("jane", "roe"),
    ("richard", "roe"),
    ("max", "mustermann"),
    ("erika", "mustermann"),
    ("maxi", "mustermann"),
    ("erika", "musterfrau"),
    ("maria", "musterfrau"),
    ("sabine", "mustermann"),
    ("joe", "bloggs"),
    ("fred", "bloggs"),
    ("ola", "nordmann"),
    ("kari", "nordmann"),
];

/// Things, places and figures that are called like a person, and that everybody means who writes both words; `Paul Smith`
/// is none of them. A title may be the first word: `dr oetker`.
static THINGS: LazyLock<HashSet<(&str, &str)>> = LazyLock::new(|| {
    include_str!("../../../rules/detect/things.txt").lines().filter_map(|line| line.split_once(' ')).collect()
});

/// Servers that answer everybody, and the address that manuals count up to.
const RESOLVERS: &[&str] = &[
    "1.2.3.4",
    "8.8.8.8",
    "8.8.4.4",
    "1.1.1.1",
    "1.0.0.1",
    "9.9.9.9",
    "2001:4860:4860::8888",
    "2001:4860:4860::8844",
    "2606:4700:4700::1111",
    "2606:4700:4700::1001",
];

/// Country code and beginning of numbers that are kept for films and manuals, and the digits of the whole. Only with its
/// country code does a number belong to one country: `07700 900123` is a number of India, too.
///
/// Sources: Ofcom, ARCEP, ACMA.
const FILMS: &[(&str, usize)] = &[
    ("447700900", 12),
    ("441632960", 12),
    ("442079460", 12),
    ("448081570", 12),
    ("331990", 11),
    ("332619", 11),
    ("333530", 11),
    ("334657", 11),
    ("335364", 11),
    ("3363998", 11),
    ("61491570", 11),
    ("61255500", 11),
    ("61370100", 11),
];

/// What is written before the sign in addresses that no person has.
const ROLES: &[&str] = &[
    "abuse",
    "accounting",
    "admin",
    "administrator",
    "billing",
    "bounce",
    "bounces",
    "contact",
    "daemon",
    "donotreply",
    "feedback",
    "git",
    "hello",
    "help",
    "helpdesk",
    "hostmaster",
    "hr",
    "info",
    "jobs",
    "kontakt",
    "mail",
    "mailer",
    "mailer-daemon",
    "marketing",
    "news",
    "newsletter",
    "no-reply",
    "no_reply",
    "noreply",
    "notification",
    "notifications",
    "office",
    "orders",
    "postmaster",
    "press",
    "privacy",
    "root",
    "sales",
    "security",
    "service",
    "support",
    "system",
    "team",
    "webmaster",
];

/// Ends of hosts that are in a network of their own: `celery@worker-1.internal`.
const INSIDE: &[&str] = &[".internal", ".local", ".localdomain", ".lan", ".svc"];

/// Those that people have on a domain of their own.
const ROLES_OF_ONE: &[&str] = &["contact", "hello", "kontakt", "mail", "office"];

/// Accounts of programs and roles: what a URL names before its host without naming anybody.
const LOGINS: &[&str] = &[
    "user",
    "username",
    "login",
    "admin",
    "root",
    "postgres",
    "git",
    "app",
    "guest",
    "anonymous",
    "nobody",
    "oauth2",
    "x-access-token",
];

/// Words of what stands in place of a password or token: `YOUR_API_KEY`, `user`, `changeme`.
const FILLER: &[&str] = &[
    "a",
    "access",
    "an",
    "api",
    "auth",
    "bearer",
    "change",
    "changeme",
    "client",
    "enter",
    "example",
    "guest",
    "here",
    "id",
    "insert",
    "key",
    "login",
    "me",
    "my",
    "oauth",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "personal",
    "placeholder",
    "pwd",
    "replace",
    "secret",
    "session",
    "some",
    "the",
    "this",
    "to",
    "token",
    "user",
    "username",
    "value",
    "with",
    "your",
];

/// Whether all of a value is a sample of what its detector finds.
pub fn is_sample(detector: &str, value: &str) -> bool {
    // A form that nobody filled in: `000-00-0000`.
    if is_zero(value) {
        return true;
    }
    let Some((_, samples)) = SAMPLES.iter().find(|(known, _)| *known == detector) else { return false };
    let plain = |value: &str| -> String {
        value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
    };
    // The case of a token is a part of it.
    let value = if detector == "secret" { value.to_owned() } else { plain(value) };
    // What follows a dot in a token begins like one, and is looked at too.
    let part =
        |sample: &str| detector == "secret" && sample.strip_suffix(&value).is_some_and(|head| head.ends_with('.'));
    samples.split_whitespace().any(|sample| sample == value || part(sample))
}

/// Whether a first and a last name, in small letters, are those of a person who was made up, or of a thing.
pub fn is_made_up(first: &str, last: &str) -> bool {
    PERSONS.contains(&(first, last)) || THINGS.contains(&(first, last))
}

/// Whether a title in small letters and the word behind it are a thing: `dr oetker`.
pub fn is_titled_thing(title: &str, name: &str) -> bool {
    THINGS.contains(&(title, name))
}

/// An address of a role or of a program.
pub fn is_role(address: &str) -> bool {
    let address = address.rsplit('<').next().unwrap_or(address).trim_end_matches('>').to_ascii_lowercase();
    ROLES.contains(&local_part(&address)) || INSIDE.iter().any(|end| address.ends_with(end))
}

/// The same, where one address is a leak: not those that one person has on a domain of their own, as `mail@`.
pub fn is_role_of_many(address: &str) -> bool {
    is_role(address) && !ROLES_OF_ONE.contains(&local_part(&address.to_ascii_lowercase()))
}

fn local_part(address: &str) -> &str {
    address.split(['@', '+']).next().unwrap_or_default()
}

/// Domains that belong to nobody (RFC 2606).
pub fn is_reserved(address: &str) -> bool {
    let host = address.rsplit(['@', '\u{ff20}', '\u{fe6b}']).next().unwrap_or_default();
    let host = host.rsplit("%40").next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let mut parts = host.rsplit('.');
    matches!(
        (parts.next(), parts.next()),
        (Some("test" | "example" | "invalid" | "localhost"), _) | (Some("com" | "net" | "org"), Some("example"))
    )
}

/// Whether an IP address is that of a server that answers everybody, or one that only manuals have.
pub fn is_resolver(address: &str) -> bool {
    RESOLVERS.contains(&address)
}

pub(super) fn digits(value: &str) -> String {
    value.chars().filter(char::is_ascii_digit).collect()
}

/// Whether a value has digits, and all of them are zero.
fn is_zero(value: &str) -> bool {
    let zero = |c: char| c == '0' || !c.is_alphanumeric();
    value.contains('0') && value.chars().all(zero)
}

/// How numbers begin that the called party pays for, which companies have: `0800 1234567`, `1-800-…`, `+49 800 …`. In other
/// groups, 800 begins numbers of persons.
static FREE: LazyLock<Regex> = LazyLock::new(|| {
    let text = r"^(?:0800[ /-]|(?:\+|00)(?:49|44|33|34|39|31|43|41|32)[ -]?\(?0?\)?800[ /-]|(?:\+?1[ .-])?\(?8(?:00|88|77|66|55|44|33)\)?[ .-]\d{3}[ .-]\d{4}$)";
    Regex::new(text).expect("the pattern of this file compiles")
});

/// Numbers that nobody has: zeros, those that companies pay for, 555-01xx and the area code 555 in North America, and those that other regulators keep for films.
pub fn is_fictional(phone: &str) -> bool {
    if is_zero(phone) || FREE.is_match(phone) {
        return true;
    }
    let digits = digits(phone);
    let international = phone.starts_with('+') || digits.starts_with("00");
    let american = !international || digits.starts_with('1');
    let national = digits.strip_prefix('1').unwrap_or(&digits);
    if american && matches!(national.len(), 7 | 10) && national[national.len() - 7..].starts_with("55501") {
        return true;
    }
    if american && national.len() == 10 && national.starts_with("555") && has_area_code(phone, national) {
        return true;
    }
    let digits = digits.strip_prefix("00").unwrap_or(&digits);
    international && FILMS.iter().any(|(start, length)| digits.len() == *length && digits.starts_with(start))
}

/// Whether a number is written in the groups of North America, `(555) 123-4567`. In others, 55 is Mexico City.
fn has_area_code(phone: &str, national: &str) -> bool {
    let groups: Vec<&str> = phone.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let groups = match groups[..] {
        ["1", ref rest @ ..] => rest,
        ref all => all,
    };
    groups == [&national[..3], &national[3..6], &national[6..]] && phone.contains(['-', '(', '+'])
}

/// Whether what a URL names before its host is the account of a program or a role, or a place for one.
pub fn is_login(user: &str) -> bool {
    LOGINS.contains(&user.to_ascii_lowercase().as_str()) || is_placeholder(user)
}

/// What a template or a manual has in place of a value: `{token}`, `%s`, `$1`, `<token>`, `YOUR_TOKEN`, `TOKEN`, `xxxx`.
pub fn is_placeholder(value: &str) -> bool {
    let rest = without_templates(value);
    if rest.len() < value.len() && !rest.contains(char::is_alphanumeric) {
        return true;
    }
    let crossed = value.len() >= 3 && value.chars().all(|c| matches!(c, 'x' | 'X' | '*' | '.'));
    let words = value.split(['_', '-', '.', ' ']);
    // One word in small letters may be what somebody took for a password.
    let told = value.contains(['_', '-', ' ']) || !value.contains(|c: char| !c.is_ascii_uppercase());
    crossed || told && words.map(str::to_ascii_lowercase).all(|word| FILLER.contains(&word.as_str()))
}

/// Whether a value is a word for itself: `password`, `secret`. It is nobody's where its host is.
pub fn is_word_for_it(value: &str) -> bool {
    value == "postgres" || FILLER.contains(&value.to_ascii_lowercase().as_str())
}

/// Whether a host is in no other network: it has no domain, or one that belongs to nobody.
pub fn is_hosts_own(host: &str) -> bool {
    host.starts_with("127.") || is_placeholder(host) || is_reserved(host) || !host.contains(['.', ':', '['])
}

/// A value without its `{…}`, `<…>`, `${…}`, `%(…)s`, `%s`, `$1` and `$NAME`.
fn without_templates(value: &str) -> String {
    let mut rest = value;
    let mut out = String::new();
    while let Some(c) = rest.chars().next() {
        let taken = template(rest);
        if taken == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            rest = &rest[taken..];
        }
    }
    out
}

/// How many bytes the template takes that a text begins with; 0 if there is none.
fn template(text: &str) -> usize {
    let closed = |close: char| text.find(close).map_or(text.len(), |end| end + 1);
    let run = |from: usize, is: fn(&u8) -> bool| text.as_bytes()[from..].iter().take_while(|byte| is(byte)).count();
    match text.as_bytes() {
        [b'{', ..] | [b'$', b'{', ..] => closed('}'),
        [b'<', ..] => closed('>'),
        [b'%', b's' | b'd' | b'L' | b'I', ..] => 2,
        [b'%', b'(', ..] => {
            let word = 2 + run(2, |byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            if word > 2 && text[word..].starts_with(")s") { word + 2 } else { 0 }
        }
        [b'$', b'0'..=b'9', ..] => 1 + run(1, u8::is_ascii_digit).min(2),
        [b'$', b'A'..=b'Z', ..] => match run(1, |byte| byte.is_ascii_uppercase() || *byte == b'_') {
            0..3 => 0,
            name => 1 + name,
        },
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{known, text};

    /// A word that says what a number is, where one has to.
    const SAID: &[(&str, &str)] = &[
        ("pl.pesel", "PESEL"),
        ("nl.bsn", "BSN"),
        ("gb.nhs", "NHS"),
        ("ca.sin", "SIN"),
        ("au.tfn", "TFN"),
        ("za.id", "identity"),
        ("br.cpf", "CPF"),
        ("br.cnpj", "CNPJ"),
        ("us.ssn", "SSN"),
    ];

    #[test]
    fn every_sample_is_one_only_as_a_whole() {
        for (detector, samples) in SAMPLES {
            let word = SAID.iter().find(|(known, _)| known == detector).map_or("is", |(_, word)| word);
            for sample in samples.split_whitespace() {
                let text = format!("it {word} '{sample}'");
                assert_eq!(text::personal_in_definition(&text), Vec::<&str>::new(), "{detector} {sample}");
                let longer = format!("{sample}7");
                assert!(is_sample(detector, sample) && !is_sample(detector, &longer), "{detector} {sample}");
                assert!(!is_sample(detector, &sample[1..]) && !is_sample("phone", sample), "{detector} {sample}");
                // What would not be found anyway has no place here.
                let valid = *detector == "secret" || known::is_valid(detector, sample);
                assert!(valid, "{detector} {sample} is valid");
            }
        }
    }

    #[test]
    fn the_neighbours_of_samples_are_somebodys() {
        for (text, kind) in [
            ("'DE44500105175407324931'", "bank account number"),
            ("ssn text DEFAULT '536-71-8294'", "social security number"),
            ("cpf text DEFAULT '529.982.247-25'", "national identifier"),
            ("DEFAULT '58273914X'", "national identifier"),
            ("pesel text DEFAULT '85120312343'", "national identifier"),
            ("bsn text DEFAULT '273465193'", "national identifier"),
            ("'4539578763621486'", "card number"),
            ("'AKIAIOSFODNN7EXAMPLF'", "password or token"),
            ("'AKIAIOSFODNN7EXAMPLE2'", "password or token"),
        ] {
            assert_eq!(text::personal_in_definition(text), [kind], "{text}");
        }
    }

    #[test]
    fn persons_are_made_up_by_both_names() {
        for (first, last) in PERSONS.iter().chain(THINGS.iter()) {
            assert!(is_made_up(first, last) && !is_made_up(first, "miller"), "{first} {last}");
            assert!(*first == "robert" || !is_made_up("robert", last), "{first} {last}");
        }
        for line in include_str!("../../../rules/detect/things.txt").lines() {
            assert!(line.split(' ').count() == 2 && line.to_lowercase() == line, "{line}");
        }
        assert!(is_titled_thing("dr", "oetker") && !is_titled_thing("dr", "miller"));
        assert!(!is_made_up("jean", "dupont") && !is_made_up("john", "smith") && !is_made_up("paul", "smith"));
    }

    #[test]
    fn numbers_of_films_are_written_as_theirs() {
        for phone in [
            "(555) 123-4567",
            "+1 555 123 4567",
            "1-555-123-4567",
            "555-123-4567",
            "415-555-0132",
            "555-0132",
            "+1 555 0100",
            "+44 7700 900123",
            "0044 7700 900123",
            "+44 20 7946 0765",
            "+33 6 39 98 12 34",
            "+61 491 570 006",
            "(000) 000-0000",
            "0800 1234567",
            "1-800-223-4567",
            "(888) 223-4567",
            "+49 800 1234567",
        ] {
            assert!(is_fictional(phone), "{phone}");
        }
        for phone in [
            "555 123 4567",
            "55 5123 4567",
            "+52 55 5123 4567",
            "(415) 555-2671",
            "07700 900123",
            "+44 7700 800123",
            "+44 7700 9001234",
            "+49 555 0132",
            "+33 6 39 97 12 34",
            "(000) 000-0001",
            "08001 234567",
            "800 123 456",
            "+36 800 123 456",
            "1-805-223-4567",
        ] {
            assert!(!is_fictional(phone), "{phone}");
        }
    }

    #[test]
    fn templates_and_words_for_a_value_are_none() {
        for value in [
            "{token}",
            "%s",
            "$1",
            "%(token)s",
            "${TOKEN}",
            "$TOKEN",
            "<token>",
            "<your token>",
            "{",
            "YOUR_TOKEN",
            "your-api-key",
            "PASSWORD",
            "change-me",
            "xxxx",
            "***",
            "MY_SECRET",
            "%s-%s",
            "Your_Access_Token_Here",
        ] {
            assert!(is_placeholder(value), "{value}");
        }
        for value in [
            "",
            "abc",
            "hunter2",
            "password",
            "secret",
            "$ecret",
            "{token}x",
            "YOUR_TOKEN_1",
            "password1",
            "xx",
            "$2b$12$abc",
            "token=abc",
            "tokens3cret",
            "%",
            "$",
            "my_hunter",
            "x1xx",
        ] {
            assert!(!is_placeholder(value), "{value}");
        }
        assert!(is_word_for_it("password") && is_word_for_it("postgres") && !is_word_for_it("hunter2"));
        assert!(is_hosts_own("localhost") && is_hosts_own("db.example.com") && !is_hosts_own("db.nordwind.de"));
        assert!(
            is_login("git") && is_login("POSTGRES") && is_login("${USER}") && !is_login("bob") && !is_login("gita")
        );
    }

    #[test]
    fn domains_and_servers_of_everybody_are_nobodys() {
        for address in ["a@example.com", "a@mail.example.org", "a%40shop.example", "a@corp.test", "a@localhost"] {
            assert!(is_reserved(address), "{address}");
        }
        for address in ["a@notexample.com", "a@example.com.nordwind-mail.de", "a@example.de"] {
            assert!(!is_reserved(address), "{address}");
        }
        assert!(is_resolver("8.8.8.8") && is_resolver("1.2.3.4") && !is_resolver("8.8.8.9"));
        for address in
            ["info@nordwind-mail.com", "No-Reply+a@nordwind-mail.com", "git@github.com", "bob@worker-1.internal"]
        {
            assert!(is_role(address) && is_role_of_many(address), "{address}");
        }
        assert!(is_role("mail@nordwind-mail.com") && !is_role_of_many("mail@nordwind-mail.com"));
        assert!(!is_role("information@nordwind-mail.com") && !is_role("ann@info.nordwind-mail.com"));
    }
}
