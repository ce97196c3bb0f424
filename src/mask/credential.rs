//! Secrets: `secret.password/1`, `secret.token/1`.
//!
//! # `secret.password/1`
//!
//! Every stored password becomes the hash of one password, **`restage`**, in the scheme that its prefix names, so people
//! can log in to staging as anybody and nobody's hash is there to be cracked. Salts and costs are those of [`SCHEMES`]:
//! moderate, so that a login takes milliseconds. Recognized are the prefixes of [`SCHEMES`], the base64 of ASP.NET Core
//! Identity, `md5` and 32 hex digits (PostgreSQL, for the user name `restage`), and unsalted digests in hex, whose case is
//! kept. What is no hash, or a hash longer than the column takes, goes to `on_invalid`: it may be a password in the
//! clear. The table is frozen; a new scheme needs a new version of the kind.
//!
//! # `secret.token/1`
//!
//! The same as `pattern/1`, with the same key: a token has the same mask in a column, in a text and under either name.

use super::kind::Param;
use super::leaf::{At, ON_INVALID, TEXT, TextKind, TextMask};
use super::pattern::Pattern;
use super::{Injective, KeyedOn, Kind, Shape, chars};

pub(super) static PASSWORD: Kind = Kind {
    name: "secret.password",
    summary: "Replaces password hashes by the hash of the password `restage` in the same scheme",
    params: &[ON_INVALID],
    keyed_on: KeyedOn::Nothing,
    injective: Injective::No,
    samples: &["$2a$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW", "5f4dcc3b5aa765d61d8327deb882cf99"],
    compile: |compile| {
        let Shape::Text { chars_max, .. } = compile.shape else { return Err(compile.wrong_shape()) };
        TextMask::boxed(compile, Password { chars_max })
    },
    ..TEXT
};

pub(super) static TOKEN: Kind = Kind {
    name: "secret.token",
    remains: |_| super::Remains::Rare { bits: 19 },
    summary: "Replaces tokens and API keys like `pattern`: each letter and digit by one of its class",
    params: &[] as &[Param],
    samples: &["sk_live_4eC39HqLyjWDarjtT1zdp7dc"],
    compile: |compile| TextMask::boxed(compile, Pattern::new(compile.realm, &compile.spec.label)),
    ..TEXT
};

/// The password of every hash here.
#[cfg(test)]
const WORD: &str = "restage";

/// Prefix of a scheme, and a hash of `restage` in it. The first prefix that fits decides. The last part of a line names
/// who writes it that way.
#[rustfmt::skip]
const SCHEMES: &[(&str, &str)] = &[
    ("$2a$", "$2a$10$restagerestagerestageubWa9VXHNNS7UcTJGeQtWCRi9JXotEym"), // bcrypt
    ("$2b$", "$2b$10$restagerestagerestageubWa9VXHNNS7UcTJGeQtWCRi9JXotEym"), // bcrypt
    ("$2y$", "$2y$10$restagerestagerestageubWa9VXHNNS7UcTJGeQtWCRi9JXotEym"), // bcrypt of PHP
    ("$argon2id$", "$argon2id$v=19$m=65536,t=3,p=4$cmVzdGFnZS1zYWx0LTAwMQ$db0tdUWjQbqN3qgxNzLV3L79oI4J1YwCt9DR4tb+4Pc"), // Argon2id
    ("$argon2i$", "$argon2i$v=19$m=65536,t=3,p=4$cmVzdGFnZS1zYWx0LTAwMQ$vmrKICB87p0xAjosNI0ryWqcy0dc76LaTSYkV9kfLus"), // Argon2i
    ("$argon2d$", "$argon2d$v=19$m=65536,t=3,p=4$cmVzdGFnZS1zYWx0LTAwMQ$/322HFZhAB0/JBqlpn46kPAPpaAo56KNTCt6YL4bFHY"), // Argon2d
    ("$scrypt$", "$scrypt$ln=14,r=8,p=1$cmVzdGFnZS1zYWx0LTAwMQ$cBLTCpL5DXviPF0bQHvxtYYu5VY00OHuISybOBU+hVM"), // scrypt of passlib
    ("$pbkdf2-sha256$", "$pbkdf2-sha256$29000$cmVzdGFnZS1zYWx0LTAwMQ$iSetHFGnkY.LP3sCDMbOQWPSPGTjDwGq8TP.ac1nkXk"), // PBKDF2 of passlib
    ("$pbkdf2-sha512$", "$pbkdf2-sha512$25000$cmVzdGFnZS1zYWx0LTAwMQ$VqHLr0JyjABoH2SQKQff9PEbJ4tTvFY48kkeBzVsCSeBuIvxLpMhz2exga.Nl3hvz/lZsojtpKiFHnV7UdybbA"), // PBKDF2 of passlib
    ("$pbkdf2$", "$pbkdf2$29000$cmVzdGFnZS1zYWx0LTAwMQ$oNjuZblaKMLP/.c45AXKqeMK3Go"), // PBKDF2 of passlib
    ("SCRAM-SHA-256$", "SCRAM-SHA-256$4096:cmVzdGFnZS1zYWx0LTAwMQ==$/+hVjYuq3TqTO+izUKzDXG8ylLBf+F3nM4I6V04IcZ0=:23hRjaaddWwGd9cN/1DZZ8x5dlYpuPFacttXleLB9dg="), // SCRAM of PostgreSQL (RFC 5803)
    ("$1$", "$1$restage1$leVjTmQvgZO1B6gNgydND0"), // MD5 crypt
    ("$apr1$", "$apr1$restage1$44.nzIdMZeGSLy/Y5TGrm."), // MD5 crypt of Apache
    ("$5$", "$5$restagesalt00001$1giwDnQr14uTzO9UK1X5uaeHbzpsG2LF/zh.MW5l0L4"), // SHA-256 crypt
    ("$6$", "$6$restagesalt00001$gBTN4P4645.pyoDFJa6tad8P99symzGfYLgZE61hBBSb1P0z/XLT1v1cF3ONjzXsJ7LXDhX99wcoPYeU2HCCa1"), // SHA-512 crypt
    ("$P$", "$P$9restage1CAmvNZkJTmBZrh10w0v6e/"), // phpass of WordPress
    ("$H$", "$H$9restage1CAmvNZkJTmBZrh10w0v6e/"), // phpass of phpBB
    ("pbkdf2_sha256$", "pbkdf2_sha256$260000$restagesalt0000000001x$geaTrNt3nz5PketPPEmcTZDGhGGqgYMiLgjmf0k93jY="), // Django
    ("pbkdf2_sha1$", "pbkdf2_sha1$260000$restagesalt0000000001x$tD/TnkL7xtDOgcljDsRinKw9JZ8="), // Django
    ("argon2$argon2id$", "argon2$argon2id$v=19$m=65536,t=3,p=4$cmVzdGFnZS1zYWx0LTAwMQ$db0tdUWjQbqN3qgxNzLV3L79oI4J1YwCt9DR4tb+4Pc"), // Django
    ("bcrypt_sha256$", "bcrypt_sha256$$2b$10$restagerestagerestageu9piNAcDfa0sXCdfz3QLbeqOmlDzVZpK"), // Django
    ("bcrypt$", "bcrypt$$2b$10$restagerestagerestageubWa9VXHNNS7UcTJGeQtWCRi9JXotEym"), // Django
    ("scrypt$", "scrypt$16384$restagesalt0000000001x$8$1$MXdTgZCmPMypa9t1/Y0u7a/1HYB6YytGLIKHOTOPvA/JnVgKLDNd5Tzyva2TQUx7S+A5XfoiXTkQSRU6npzPrg=="), // Django
    ("md5$", "md5$restagesalt0000000001x$536f94b564ac4ee6be1675abb1cebfc0"), // Django
    ("pbkdf2:sha256:", "pbkdf2:sha256:260000$restagesalt00001$d583507cd1df63c0c22d6a41fd4550660fa5f6e88dbbc242ef76531cfbccd1cf"), // Werkzeug
    ("scrypt:", "scrypt:32768:8:1$restagesalt00001$8ce28b7fa0f67030ac089383ac1aacf144051683f044632148038a7681da6151d6f8ecee7786ed2a9170ccdbc3a15e29211e0e21faacd60162c2e3231e5364bc"), // Werkzeug
    ("{SSHA}", "{SSHA}Hp1xLaUHvx/wmhI+5gH3ctnLdsxyZXN0YWdlMQ=="), // LDAP
    ("{SSHA256}", "{SSHA256}05l3rJSDyZ6kUo2KrZnknN3DClPzwPq0SqsmvKx8MiNyZXN0YWdlMQ=="), // LDAP
    ("{SSHA512}", "{SSHA512}CPCXWEmHnTnDjwJwPwATudj1kyscc9CQFrZjOcHQP5cL/EKJjSfkpzZcev94/TXNRZHoaZCmbrg7OcSB/oMokHJlc3RhZ2Ux"), // LDAP
    ("{SMD5}", "{SMD5}p6+lv8F4nDxIHwiKUTjF+XJlc3RhZ2Ux"), // LDAP
    ("{SHA}", "{SHA}3Abak1ippZOgvbGv4wumEqu9ogI="), // LDAP
    ("{MD5}", "{MD5}1unJn41tFD2Dw8tZedrlcw=="), // LDAP
];

/// ASP.NET Core Identity: base64 of a version byte, so any text of that beginning and length is taken for one.
const ASPNET: &[(&str, &str)] = &[
    ("AQAAAA", "AQAAAAEAACcQAAAAEHJlc3RhZ2Utc2FsdC0wMDF/0E/3vOywKafSYe9BTpPU+HLzdem8UeH0v3XUI+MIAQ=="),
    ("A", "AHJlc3RhZ2Utc2FsdC0wMDHEVCxp1hZ34NDvZINZlCw6islGJCpLE2M/RPBwDOgrew=="),
];

/// Of the user name `restage`, because PostgreSQL salts with it.
const POSTGRES_MD5: &str = "md5a6732e7e2c61a5138ad4d95beb6c2722";

/// Unsalted digests in lower case, told apart by their length.
#[rustfmt::skip]
const DIGESTS: &[&str] = &[
    "d6e9c99f8d6d143d83c3cb5979dae573", // MD5
    "dc06da9358a9a593a0bdb1afe30ba612abbda202", // SHA-1
    "b159d26ad79a0389b61d6c0df374ddcbf5960bd91b832f72b2544b9f", // SHA-224
    "ac7dcb6dd41b1f7dbca6b64f66be2aa25a04587f5659b7d23f57c1b9e04efd74", // SHA-256
    "746d0dc20618ab55dbebc1d6639ae8cd219367447ff87ff4392072200f0b3f11464293989395ed8055274ecccf83df1e", // SHA-384
    "aaa70dada114799d82ad590377780407af3bba129f9508090d2b689a5eeae89a09fedd58d7a620397b868f6d08569d7e245d0269f91d10d1084f1ef5d413f04d", // SHA-512
];

fn is_base64(text: &str) -> bool {
    text.trim_end_matches('=').bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the hash that stands for `value`, and whether it is written in upper case.
fn hash_for(value: &str) -> Option<(&'static str, bool)> {
    if let Some((_, hash)) = SCHEMES.iter().find(|(prefix, _)| value.starts_with(prefix)) {
        return Some((hash, false));
    }
    if value.strip_prefix("md5").is_some_and(|rest| rest.len() == 32 && is_hex(rest)) {
        return Some((POSTGRES_MD5, false));
    }
    if is_hex(value) {
        let hash = DIGESTS.iter().find(|digest| digest.len() == value.len())?;
        return Some((hash, value.bytes().any(|byte| byte.is_ascii_uppercase())));
    }
    let aspnet = |(prefix, hash): &&(&str, &str)| value.len() == hash.len() && value.starts_with(prefix);
    ASPNET.iter().find(aspnet).filter(|_| is_base64(value)).map(|(_, hash)| (*hash, false))
}

struct Password {
    chars_max: Option<u32>,
}

impl TextKind for Password {
    type Scratch = ();

    fn mask(&self, value: &str, _at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        let Some((hash, upper)) = hash_for(value) else { return false };
        if self.chars_max.is_some_and(|max| chars(hash) > max) {
            return false;
        }
        if upper {
            out.extend(hash.chars().map(|c| c.to_ascii_uppercase()));
        } else {
            out.push_str(hash);
        }
        true
    }

    fn reads(&self, value: &str, _scratch: &mut ()) -> bool {
        hash_for(value).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{MasterKey, Params, mask_value};

    fn one(kind: &str, value: &str) -> String {
        mask_value(&MasterKey::test().realm("default"), kind, "", Params::new(), None, value).unwrap().unwrap()
    }

    #[test]
    fn every_scheme_becomes_its_own_test_hash() {
        for (prefix, hash) in SCHEMES {
            assert!(hash.starts_with(prefix), "{prefix}");
            assert_eq!(one("secret.password", &format!("{prefix}12$abcdefgh$ijkl")), *hash);
            assert_eq!(one("secret.password", hash), *hash, "a mask is a hash of its scheme");
        }
        for hash in DIGESTS.iter().copied().chain(ASPNET.iter().map(|scheme| scheme.1)).chain([POSTGRES_MD5]) {
            assert_eq!(one("secret.password", hash), hash);
        }
        assert_eq!(one("secret.password", "5F4DCC3B5AA765D61D8327DEB882CF99"), DIGESTS[0].to_uppercase());
        assert_eq!(POSTGRES_MD5, postgres_protocol::password::md5(WORD.as_bytes(), WORD));
    }

    #[test]
    fn what_is_no_hash_is_masked_and_is_no_hash_afterwards() {
        for value in ["hunter2", "p", "$9$strange", "0123456789abcdef", "AQAAAA==", "md5xyz"] {
            let mask = one("secret.password", value);
            assert!(mask != WORD && hash_for(&mask).is_none() && mask.len() == value.len(), "{value}");
        }
    }

    #[test]
    fn a_hash_that_does_not_fit_is_masked_by_pattern() {
        use crate::mask::batch::RawBatch;
        use crate::mask::{ColumnSpec, MaskSpec, Masker, TableSpec};
        use arrow_array::{StringViewArray, cast::AsArray};
        let mask =
            MaskSpec { kind: "secret.password/1".into(), label: String::new(), params: Params::new(), subject: None };
        let shape = Shape::Text { chars_max: Some(40), padded: false };
        let column = ColumnSpec { name: "t.c".into(), shape, mask: Some(mask) };
        let table = TableSpec { columns: vec![column], ..TableSpec::default() };
        let masker = Masker::compile(&MasterKey::test().realm("default"), &table).unwrap();
        let column = std::sync::Arc::new(StringViewArray::from(vec!["$2b$12$abcdefghijklmnopqrst"]));
        let raw = RawBatch { rows: 1, wire: bytes::Bytes::new(), gaps: Vec::new(), columns: vec![column] };
        let masked = masker.apply(raw).unwrap();
        let mask = masked.columns()[0].as_string::<i32>().value(0);
        assert!(mask.len() == 27 && !mask.contains("abcdefgh"));
    }

    #[test]
    fn tokens_are_masked_as_patterns() {
        let token = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
        assert_eq!(one("secret.token", token), one("pattern", token));
    }
}
