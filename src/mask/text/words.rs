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

/// The given name of a whole one: of one syllable family and two given.
pub(super) fn korean_given(whole: &str) -> Option<&str> {
    let family = whole.chars().next().filter(|c| FAMILIES.contains(*c))?;
    let given = &whole[family.len_utf8()..];
    (given.chars().count() == 2 && given.chars().all(is_hangul)).then_some(given)
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

/// Whether what stands before a name in its word is what Arabic or Hebrew writes on to it.
pub(super) fn is_prefixed(before: &str, name: &str) -> bool {
    let hebrew = match name.chars().next() {
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
