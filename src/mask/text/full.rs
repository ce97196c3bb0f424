//! A full name taken apart: `Dr. Katharina "Kati" Lindqvist-Öst (geb. Meierbeer), PhD`.

use super::names::is_particle;
use super::words::{Degree, degree, is_title, is_wordless};
use std::borrow::Cow;

/// Words behind which somebody's name of birth stands. Some are names themselves: in brackets and behind a comma.
const BORN: &[&str] = &["nee", "born", "nata", "formerly"];
/// Those that are none, also between two names.
const BORN_ONLY: &[&str] = &["geb", "geboren", "geborene", "née", "né", "rozená", "z domu"];
/// Longest text in quotes or parentheses that is looked at.
const ASIDE_MAX: usize = 64;
/// What stands around a name that somebody goes by, and around what else is said of them.
const QUOTES: &[(char, char)] = &[('"', '"'), ('“', '”'), ('„', '“'), ('«', '»'), ('(', ')')];

/// What of a full name names the person.
pub(super) struct FullName<'a> {
    pub first: &'a str,
    pub last: &'a str,
    /// A degree stood behind it.
    pub degree: bool,
}

impl<'a> FullName<'a> {
    /// Reads `First Middle Last` and `Last, First`, with titles before and degrees behind.
    pub(super) fn of(name: &'a str) -> Self {
        let all = name.trim();
        let name = without_degrees(all);
        let degree = name.len() < all.len();
        if let Some((last, first)) = name.split_once(',') {
            return Self { first: without_titles(first.trim()), last: without_titles(last.trim()), degree };
        }
        let name = without_titles(name);
        // With a title or a degree, one word is how somebody is addressed: by the last name.
        if name.len() < all.len() && !name.contains(char::is_whitespace) {
            return Self { first: "", last: name, degree };
        }
        let mut rest = name;
        while !rest.is_empty() {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (word, after) = (&rest[..end], rest[end..].trim_start());
            if !is_particle(word) {
                return Self { first: word, last: after, degree };
            }
            rest = after;
        }
        Self { first: "", last: name, degree }
    }
}

fn without_titles(mut name: &str) -> &str {
    while let Some((word, rest)) = name.split_once(char::is_whitespace).filter(|(word, _)| is_title(word)) {
        debug_assert!(!word.is_empty(), "titles have letters");
        name = rest.trim_start();
    }
    name
}

/// Many degrees are names as well, which must not stay: where a word may be one, it is one.
fn without_degrees(mut name: &str) -> &str {
    let apart = |c: char| c.is_whitespace() || c == ',';
    while let Some(at) = name.rfind(apart) {
        let (before, word) = (name[..at].trim_end_matches(apart), &name[at..]);
        let word = word.trim_start_matches(apart);
        let comma = name[before.len()..name.len() - word.len()].contains(',');
        let is_name = |word: &&str| !word.is_empty() && !is_particle(word) && degree(word) != Some(Degree::Sure);
        let names = before.split(apart).filter(is_name);
        // `Jack XIAO MA`: in capitals as another name is.
        let small = || names.clone().all(|name| name.contains(char::is_lowercase));
        let counts = match degree(word) {
            Some(Degree::Sure) => names.clone().count() > usize::from(word.contains('.')),
            Some(Degree::Likely) => names.clone().count() > 1 && small(),
            Some(Degree::Maybe) => names.clone().count() > 1 && small() && comma,
            None => false,
        };
        if !counts {
            break;
        }
        name = before;
    }
    name
}

/// What a full name says beside the name itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside<'a> {
    /// What the person is called.
    Called(&'a str),
    /// Their name of birth.
    Born(&'a str),
}

/// Cuts what stands in quotes or parentheses, and the name of birth at the end, out of a full name.
pub(super) fn asides(name: &str) -> (Cow<'_, str>, Vec<Aside<'_>>) {
    let mut asides = Vec::new();
    let mut plain = Cow::Borrowed(name);
    for (open, close) in QUOTES {
        let Some(start) = name.find(*open) else { continue };
        let inner = &name[start + open.len_utf8()..];
        let Some(len) = inner.find(*close).filter(|len| *len <= ASIDE_MAX) else { continue };
        let (whole, inner) = (&name[start..start + open.len_utf8() + len + close.len_utf8()], inner[..len].trim());
        if *open != '(' {
            asides.push(Aside::Called(inner));
        } else if let Some(name) = born(inner, true) {
            // Else it may be a place or a state as well as a name.
            asides.push(Aside::Born(name));
        }
        plain = Cow::Owned(plain.replacen(whole, " ", 1));
    }
    let words = name.match_indices(char::is_whitespace).map(|(at, _)| at);
    let at_end = words
        .filter(|_| asides.is_empty())
        .find_map(|at| Some((at, born(name[at..].trim_start(), name[..at].trim_end().ends_with(','))?)));
    if let Some((at, name_of_birth)) = at_end {
        asides.push(Aside::Born(name_of_birth));
        plain = Cow::Owned(name[..at].to_owned());
    }
    (plain, asides)
}

/// The name behind a word for birth, which is in small letters: `Born` and `Nata` are names.
fn born(text: &str, marked: bool) -> Option<&str> {
    let names: &[&str] = if marked { BORN } else { &[] };
    let behind = |word: &&str| {
        let rest = text.strip_prefix(*word)?.trim_start_matches(['.', ':']);
        rest.starts_with(char::is_whitespace).then(|| rest.trim())
    };
    names.iter().chain(BORN_ONLY).find_map(behind).filter(|name| name.starts_with(char::is_uppercase))
}

/// Family names of one character, the most frequent ones of China, in both forms.
const FAMILIES: &str = "王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何高林罗羅郑鄭梁谢謝宋唐许許韩韓冯馮邓鄧曹彭曾肖萧蕭田董袁潘于蒋蔣\
    蔡余杜叶葉程苏蘇魏吕呂丁任沈姚卢盧姜崔钟鐘谭譚陆陸汪范石廖贾賈夏韦韋付方白邹鄒孟熊秦邱江尹薛闫閻段雷侯龙龍史陶黎贺賀顾顧毛郝龚龔邵万萬钱錢\
    严嚴武戴莫孔向汤湯";

/// Family and given name of somebody whose script has no blanks; none if it is no whole name of such a form.
pub(super) fn wordless(name: &str) -> Option<(&str, &str)> {
    if !name.chars().all(is_wordless) {
        return None;
    }
    let single = name.chars().next().is_some_and(|c| FAMILIES.contains(c));
    let family = match name.chars().count() {
        2 | 3 if single => 1,
        3 | 4 => 2,
        _ => return None,
    };
    let at = name.char_indices().nth(family).map_or(name.len(), |(at, _)| at);
    Some(name.split_at(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_and_degrees_are_no_names() {
        for (name, first, last) in [
            ("Katharina Lindqvist", "Katharina", "Lindqvist"),
            ("Lindqvist, Katharina", "Katharina", "Lindqvist"),
            ("Dr. Frauke Ostermoor, PhD", "Frauke", "Ostermoor"),
            ("Prof. Dr. med. Frauke Ostermoor", "Frauke", "Ostermoor"),
            ("Ostermoor, Dr. Frauke", "Frauke", "Ostermoor"),
            ("Frauke Ostermoor M.Sc., MBA", "Frauke", "Ostermoor"),
            ("John Smith Jr.", "John", "Smith"),
            ("Smith, John, MD", "John", "Smith"),
            ("Jan van den Berg", "Jan", "van den Berg"),
            // The twins: names that are written like degrees.
            ("Li, Ma", "Ma", "Li"),
            ("Yo-Yo Ma", "Yo-Yo", "Ma"),
            ("Nat Phil", "Nat", "Phil"),
            ("NGUYEN VAN BA", "NGUYEN", "VAN BA"),
            ("JACK XIAO MA", "JACK", "XIAO MA"),
            ("Jack XIAO MA", "Jack", "XIAO MA"),
            ("Dr. JACK XIAO MA", "JACK", "XIAO MA"),
            ("Xiao Bo MA", "Xiao", "Bo MA"),
            ("LEE SOO PE", "LEE", "SOO PE"),
            ("Yuki Ii", "Yuki", "Ii"),
            ("NAOKO IV", "NAOKO", "IV"),
            ("Abdul Rahman Md", "Abdul", "Rahman Md"),
            ("Rahman, Md", "Md", "Rahman"),
            ("Hossain Khan, Md", "Md", "Hossain Khan"),
            ("Smith, J.R.", "J.R.", "Smith"),
            ("Ann Lee Esq", "Ann", "Lee Esq"),
            // And degrees that are none.
            ("Frauke Ostermoor, MA", "Frauke", "Ostermoor"),
            ("FRAUKE OSTERMOOR, PhD", "FRAUKE", "OSTERMOOR"),
            ("FRAUKE OSTERMOOR M.D.", "FRAUKE", "OSTERMOOR"),
            ("John Smith III", "John", "Smith"),
            ("Ann Lee Esq.", "Ann", "Lee"),
            // One word with a title is a last name.
            ("Doctor Strange", "", "Strange"),
            ("Lady Gaga", "", "Gaga"),
            ("Mag. Huber", "", "Huber"),
            ("Dr. Ostermoor, PhD", "", "Ostermoor"),
            ("Strange", "Strange", ""),
        ] {
            let read = FullName::of(name);
            assert_eq!((read.first, read.last), (first, last), "{name}");
        }
    }

    #[test]
    fn what_stands_beside_a_name_is_cut_out() {
        let name = r#"Dr. Katharina "Kati" Lindqvist-Öst (geb. Meierbeer), PhD"#;
        let (plain, found) = asides(name);
        let read = FullName::of(&plain);
        assert_eq!((read.first, read.last), ("Katharina", "Lindqvist-Öst"));
        assert_eq!(found, [Aside::Called("Kati"), Aside::Born("Meierbeer")]);
        assert_eq!(asides("Ann Lee, born Dupont").1, [Aside::Born("Dupont")]);
        assert_eq!(asides("Anna Nowak z domu Lis").1, [Aside::Born("Lis")]);
        // Names that are such words.
        for name in ["Ann Born Smith", "Maria Nata Smith", "Smith, Nata Maria", "Maria nata Smith"] {
            assert_eq!(asides(name), (Cow::Borrowed(name), vec![]));
        }
        assert_eq!(asides("Ann Lee née Dupont"), (Cow::Borrowed("Ann Lee"), vec![Aside::Born("Dupont")]));
        // The twins: what is no name.
        assert_eq!(asides("Ann Lee (Berlin)").1, []);
        assert_eq!(asides("Nee Lee, geb. 1980"), (Cow::Borrowed("Nee Lee, geb. 1980"), vec![]));
    }

    #[test]
    fn names_without_blanks_have_their_parts() {
        for (name, want) in [
            ("王小明", Some(("王", "小明"))),
            ("欧阳小明", Some(("欧阳", "小明"))),
            ("高橋一郎", Some(("高橋", "一郎"))),
            ("佐藤誠", Some(("佐藤", "誠"))),
            ("王", None),
            ("王 小明", None),
        ] {
            assert_eq!(wordless(name), want, "{name}");
        }
    }
}
