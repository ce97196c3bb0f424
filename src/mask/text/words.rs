//! Words that are no names though a name has them, and what some languages write on to a name.

/// Words of two and three letters that begin sentences, and titles: as a part of a name they name nobody alone. Sorted.
const COMMON: &[&str] = &[
    "ab", "aby", "ale", "all", "als", "am", "an", "and", "any", "ao", "are", "as", "ask", "at", "au", "auf", "aus",
    "av", "bad", "be", "bei", "big", "bij", "bis", "but", "by", "can", "car", "ce", "ces", "che", "chi", "ci", "co",
    "com", "con", "cpa", "czy", "dag", "dan", "das", "dat", "day", "dds", "des", "det", "did", "die", "dit", "due",
    "een", "ein", "ele", "em", "en", "er", "es", "eso", "esq", "est", "et", "eu", "eux", "few", "foi", "for", "fra",
    "fue", "ga", "get", "gib", "gli", "go", "got", "had", "has", "hat", "hay", "he", "hem", "hen", "her", "het", "hij",
    "him", "his", "hoe", "how", "ich", "if", "ihr", "ik", "il", "im", "in", "ins", "io", "is", "ist", "it", "its",
    "iv", "ja", "jag", "je", "jeg", "jij", "kan", "let", "lhe", "lot", "low", "lui", "man", "mas", "may", "mba", "md",
    "me", "med", "men", "mes", "met", "meu", "mij", "mis", "mit", "moi", "muy", "my", "na", "ne", "nee", "nei", "nej",
    "nem", "new", "ni", "nie", "no", "noi", "non", "nor", "nos", "not", "now", "nu", "nur", "ob", "och", "od", "of",
    "off", "og", "oh", "ok", "old", "om", "on", "one", "op", "or", "os", "ou", "oui", "our", "out", "own", "par",
    "pas", "per", "phd", "poi", "por", "put", "que", "qui", "run", "sa", "say", "se", "see", "sei", "sem", "ser",
    "ses", "set", "seu", "she", "si", "sie", "sin", "so", "sou", "sta", "sua", "sur", "sus", "ta", "tag", "tak", "te",
    "tem", "tes", "the", "ti", "til", "to", "toe", "toi", "ton", "too", "top", "tot", "tra", "try", "tu", "two", "uit",
    "um", "uma", "un", "una", "und", "une", "uno", "uns", "up", "us", "use", "va", "vai", "var", "vez", "via", "voi",
    "vom", "vor", "vos", "vu", "war", "was", "wat", "way", "we", "wer", "who", "why", "wie", "wij", "wir", "wo", "ya",
    "yes", "yet", "you", "za", "ze", "zij", "zo", "zum",
];

pub(super) fn is_common(folded: &str) -> bool {
    COMMON.binary_search(&folded).is_ok()
}

/// How somebody is addressed before a name, folded.
const TITLES: &[&str] = &[
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "prof",
    "professor",
    "doctor",
    "doktor",
    "sir",
    "madam",
    "lady",
    "mme",
    "mlle",
    "monsieur",
    "madame",
    "herr",
    "herrn",
    "frau",
    "fru",
    "dhr",
    "meneer",
    "mevrouw",
    "mevr",
    "señor",
    "señora",
    "senor",
    "senora",
    "srta",
    "signor",
    "signora",
    "dott",
];
/// The same, with a dot only: without it, they are names and words.
const DOTTED_TITLES: &[&str] =
    &["sr", "sra", "med", "rer", "nat", "phil", "jur", "habil", "dipl", "ing", "mag", "hr", "fr"];
/// Behind a name: generations and degrees. In no login. Those of two letters are names too.
const SUFFIXES: &[&str] = &[
    "jr", "sr", "ii", "iii", "iv", "md", "phd", "esq", "mba", "msc", "bsc", "mph", "llm", "llb", "mphil", "dphil",
    "edd", "dds", "dvm", "cpa", "beng", "meng", "dipling",
];
/// Degrees as they are written, which no name is.
const DEGREES: &[&str] = &["PhD", "MSc", "BSc", "MPhil", "DPhil", "EdD", "BEng", "MEng", "Dipl-Ing"];
/// Family names as well, even in capitals.
const LIKE_NAMES: &[&str] = &["MA", "BA", "JD", "RN", "PE"];
/// Forms of companies as they are written on to the name of an owner.
const FORMS: &[&str] = &[
    "GmbH", "AG", "KG", "OHG", "UG", "SE", "Ltd", "LLC", "LLP", "Inc", "Corp", "PLC", "SA", "SAS", "SARL", "SRL",
    "SpA", "BV", "NV", "AB", "ApS", "Oy", "Kft",
];
/// Letters of the longest title.
const TITLE_MAX: usize = 9;

/// `Dr.`, `Frau`
pub(super) fn is_title(word: &str) -> bool {
    let bare = word.trim_end_matches('.');
    let known = |words: &[&str]| bare.chars().count() <= TITLE_MAX && words.contains(&bare.to_lowercase().as_str());
    known(TITLES) || bare.len() < word.len() && known(DOTTED_TITLES) || known_compound(word)
}

/// `Dipl.-Ing.`
fn known_compound(word: &str) -> bool {
    word.contains(".-") && word.split('-').all(is_title)
}

/// How sure it is that a word behind a name is a degree or a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Degree {
    /// `PhD`, `M.D.`, `Jr.`
    Sure,
    /// `MD`, `III`: in capitals behind names that are not.
    Likely,
    /// `MA`: a family name as well.
    Maybe,
}

/// `Jr.`, `PhD`; `Md`, `Ii` and `Esq` are names.
pub(super) fn degree(word: &str) -> Option<Degree> {
    let bare: String = word.chars().filter(|c| !matches!(c, '.' | '-')).collect();
    let like_name = LIKE_NAMES.iter().any(|known| bare.eq_ignore_ascii_case(known));
    if !like_name && !is_suffix(&bare.to_lowercase()) {
        return None;
    }
    if word.contains('.') || DEGREES.contains(&word) {
        return Some(Degree::Sure);
    }
    let capitals = bare.chars().all(char::is_uppercase);
    capitals.then_some(if like_name { Degree::Maybe } else { Degree::Likely })
}

/// A degree or a generation, folded.
pub(super) fn is_suffix(folded: &str) -> bool {
    SUFFIXES.contains(&folded.trim_end_matches(['.', ',']))
}

/// A title stands before a name: `Frau `, `mr_`, or written on to it.
pub(super) fn is_titled(before: &str) -> bool {
    let word = before.trim_end_matches([' ', '.', '_', '-']);
    let letters = word.chars().rev().take_while(|c| c.is_alphabetic()).take(TITLE_MAX + 1);
    is_title(&word[word.len() - letters.map(char::len_utf8).sum::<usize>()..])
}

/// The form of a company is written on to a name.
pub(super) fn is_form(rest: &str) -> bool {
    let upper = rest.starts_with(|c: char| c.is_ascii_uppercase());
    upper
        && FORMS.iter().any(|form| rest.strip_prefix(form).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric)))
}

/// Digits that stand high or low: of a footnote, and no part of a word.
fn is_note(c: char) -> bool {
    matches!(c, '²' | '³' | '¹' | '\u{2070}' | '\u{2074}'..='\u{2079}' | '\u{2080}'..='\u{2089}')
}

/// A letter or digit that a name goes on with.
pub(super) fn in_name(c: char) -> bool {
    c.is_alphanumeric() && !is_note(c)
}

/// Scripts written without blanks between words: Han, kana, Thai, Lao, Myanmar, Khmer.
pub(super) fn is_wordless(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

pub(super) fn is_hangul(c: char) -> bool {
    matches!(c, '\u{ac00}'..='\u{d7a3}')
}

/// What Korean writes on to a name: how somebody is addressed, and what the name does in its sentence. Longer ones first.
const HONORIFICS: &[&str] = &[
    "선생님",
    "고객님",
    "부장님",
    "팀장님",
    "과장님",
    "대리님",
    "부장",
    "팀장",
    "과장",
    "대리",
    "씨",
    "님",
    "군",
    "양",
];
const PARTICLES: &[&str] = &[
    "은",
    "는",
    "이",
    "가",
    "을",
    "를",
    "의",
    "에게",
    "에게서",
    "께",
    "께서",
    "께서는",
    "한테",
    "와",
    "과",
    "랑",
    "도",
    "만",
    "로",
    "으로",
    "로부터",
    "으로부터",
    "까지",
    "라고",
    "이라고",
    "야",
    "네",
    "입니다",
    "이에요",
    "예요",
];
/// All that stands on a name, in syllables at most.
const SYLLABLES_MAX: usize = 7;
/// Syllables that are family and given name: whatever follows them, they name somebody.
const WHOLE: usize = 3;
/// The most frequent family names.
const FAMILIES: &str =
    "김이박최정강조윤장임한오서신권황안송전홍유고문양손배백허남심노하곽성차주우구민류나진지엄채원천방공현함";

/// What Korean writes on to a name is how `rest` begins; else the word goes on as another word. A name of one syllable is
/// known by how somebody is addressed: with a particle it is a word more often.
pub(super) fn is_korean_ending(name: &str, rest: &str) -> bool {
    if name.chars().all(is_hangul) && name.chars().count() >= WHOLE {
        return true;
    }
    let len = rest.chars().take_while(|c| is_hangul(*c)).take(SYLLABLES_MAX + 1).map(char::len_utf8).sum();
    let ending = &rest[..len];
    let addressed = HONORIFICS.iter().find_map(|honorific| ending.strip_prefix(honorific));
    let known = |particle: &str| particle.is_empty() || PARTICLES.contains(&particle);
    let alone = || name.chars().nth(1).is_some() && known(ending);
    addressed.is_some_and(known) || alone()
}

/// How somebody is addressed behind a name in Chinese and Japanese.
const ADDRESSES: &[&str] = &[
    "先生",
    "女士",
    "小姐",
    "太太",
    "老师",
    "老師",
    "经理",
    "經理",
    "医生",
    "醫生",
    "教授",
    "同学",
    "同學",
    "总",
    "總",
    "さん",
    "さま",
    "様",
    "君",
    "くん",
    "ちゃん",
    "氏",
];

/// Behind a name it says how somebody is addressed: even a family name of one character is one then.
pub(super) fn is_addressed(rest: &str) -> bool {
    HONORIFICS.iter().chain(ADDRESSES).any(|address| rest.starts_with(address))
}

/// Family and given name of a whole one: of one syllable and of two.
pub(super) fn korean_parts(whole: &str) -> Option<(&str, &str)> {
    let family = whole.chars().next().filter(|c| FAMILIES.contains(*c))?;
    let given = &whole[family.len_utf8()..];
    (given.chars().count() == 2 && given.chars().all(is_hangul)).then_some((&whole[..family.len_utf8()], given))
}

/// And, so, in, as, to before a name, and the article behind those.
const ARABIC: &[&str] =
    &["و", "ف", "ب", "ك", "ل", "ول", "وب", "وك", "فل", "فب", "وال", "فال", "بال", "كال", "لل", "وبال", "ولل"];
/// And, in, to, from, that, the, as: one or two of them.
const HEBREW: &str = "ובלמשהכ";
/// The longest of those.
const PREFIX_MAX: usize = 4;
/// Shorter names are parts of other words more often.
const PREFIXED_MIN: usize = 3;

/// Whether what stands before a name in its word is a title, or what Arabic or Hebrew writes on to it.
pub(super) fn is_prefixed(before: &str, name: &str) -> bool {
    let hebrew = match name.chars().next() {
        Some(c) if c.is_uppercase() => return is_titled(before),
        Some('\u{590}'..='\u{5ff}') => true,
        Some('\u{600}'..='\u{6ff}') => false,
        _ => return false,
    };
    if name.chars().filter(|c| c.is_alphanumeric()).count() < PREFIXED_MIN {
        return false;
    }
    let letters = before.chars().rev().take_while(|c| c.is_alphanumeric()).take(PREFIX_MAX + 1);
    let prefix = &before[before.len() - letters.map(char::len_utf8).sum::<usize>()..];
    match hebrew {
        true => prefix.chars().count() <= 2 && prefix.chars().all(|c| HEBREW.contains(c)),
        false => ARABIC.contains(&prefix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_words_are_sorted_and_short() {
        assert!(COMMON.is_sorted_by(|a, b| a < b));
        assert!(COMMON.iter().all(|word| (2..=3).contains(&word.len())), "longer parts of names count as they are");
        assert!(is_common("an") && !is_common("ann"));
    }
}
