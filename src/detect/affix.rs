//! A word that stands before or behind the names of nearly all columns of a table: `cp_name`, `cp_email`, `cp_project`. It is
//! called so for the table, and what is left says what each of them holds. What the word itself may say counts all the same
//! (`pin_door`), but for short ones that tables are called by.

use super::rules::RULES;
use super::token::{self, Words};
use super::{Facts, Finding, by_name};
use crate::mask::kind::Takes;
use std::collections::{HashMap, HashSet};

/// Fewest columns that have it, and how many of five.
const COLUMNS_MIN: usize = 4;
const OF_FIVE: usize = 4;
/// The same of a word that no rule has, where other columns are called otherwise.
const UNKNOWN_MIN: usize = 5;
const UNKNOWN_OF_FIVE: usize = 3;
/// A word that says something alone is none if so many categories are found without it: `phone_home` is a phone.
const CATEGORIES_MIN: usize = 2;
/// Behind a name they say what was made of a value: `email_hash` is no address.
const MADE: &[&str] = &["hash", "digest", "crypt", "token", "sha", "hmac", "checksum", "fingerprint"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affix {
    word: String,
    first: bool,
}

impl Affix {
    /// The word that the columns of a table share, if there is one and they say what they hold without it.
    pub fn of<'a>(columns: impl Iterator<Item = &'a str>) -> Option<Self> {
        let names: Vec<Words> = columns.map(|column| token::split(column, true)).collect();
        [true, false]
            .into_iter()
            .find_map(|first| Self::shared(&names, first).filter(|affix| affix.says_nothing(&names)))
    }

    fn shared(names: &[Words], first: bool) -> Option<Self> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for words in names.iter().filter(|words| words.len() > 1) {
            let word = if first { words.first() } else { words.last() };
            *counts.entry(word.expect("two words")).or_default() += 1;
        }
        let of_five = |count: usize, least: usize| count * 5 >= names.len() * least;
        let shared = |word: &str, count: usize| {
            count >= COLUMNS_MIN && of_five(count, OF_FIVE)
                || count >= UNKNOWN_MIN && of_five(count, UNKNOWN_OF_FIVE) && !RULES.apart.contains(word)
        };
        let (word, _) = counts.into_iter().find(|(word, count)| shared(word, *count))?;
        Some(Self { word: word.to_owned(), first })
    }

    /// Whether the word is none of the rules, or names the table, which has `cp_id` then. Words for persons and things say
    /// whose a column is, and questions (`has_`) that it is none.
    fn says_nothing(&self, names: &[Words]) -> bool {
        let (context, word) = (&RULES.context, &self.word);
        // The digits of `sha256`.
        let number = word.bytes().all(|byte| byte.is_ascii_digit());
        if number || !self.first && MADE.contains(&word.as_str()) {
            return false;
        }
        if [&context.person, &context.thing, &context.neutral, &context.ask].iter().any(|set| set.contains(word)) {
            return false;
        }
        if !RULES.known.contains(word) {
            return true;
        }
        let rests = || names.iter().filter_map(|words| self.cut(words));
        let alone = RULES.phrases.iter().any(|phrase| phrase.detector.is_some() && phrase.words == [word.as_str()]);
        rests().any(|rest| rest == ["id"]) && (!alone || categories(rests()) >= CATEGORIES_MIN)
    }

    /// What is left of a name without it; none if it does not have it, or is nothing else.
    pub(super) fn cut<'w>(&self, words: &'w [String]) -> Option<&'w [String]> {
        let (word, rest) = if self.first { words.split_first() } else { words.split_last() }?;
        (*word == self.word && !rest.is_empty()).then_some(rest)
    }

    pub(super) fn is_first(&self) -> bool {
        self.first
    }

    /// Whether it is no more than a short word that tables are called by, whatever it says elsewhere.
    pub(super) fn may_mean_anything(&self) -> bool {
        RULES.context.prefix.contains(&self.word)
    }
}

/// How many categories are found by these names.
fn categories<'w>(names: impl Iterator<Item = &'w [String]>) -> usize {
    let found = names.filter_map(|words| {
        let facts = Facts { table: "", column: &words.join("_"), takes: Takes::Text, domain: None, affix: None };
        by_name(&facts).into_iter().find(Finding::found).map(|finding| finding.category.name.as_str())
    });
    found.collect::<HashSet<&str>>().len()
}

#[cfg(test)]
mod tests {
    use super::super::Class;
    use super::*;

    fn found(table: &str, columns: &[&str], column: &str) -> Option<String> {
        let affix = Affix::of(columns.iter().copied());
        let facts = Facts { table, column, takes: Takes::Text, domain: None, affix: affix.as_ref() };
        by_name(&facts).into_iter().find(Finding::found).map(|finding| finding.category.name.clone())
    }

    fn affix(columns: &[&str]) -> Option<Affix> {
        Affix::of(columns.iter().copied())
    }

    #[test]
    fn what_all_columns_of_a_table_begin_or_end_with_is_no_word_of_their_names() {
        let contacts =
            ["cp_id", "cp_gender", "cp_email", "cp_phone1", "cp_satphone", "cp_project", "cp_abteilung", "cp_zipcode"];
        assert_eq!(affix(&contacts), Some(Affix { word: "cp".into(), first: true }));
        for (column, category) in
            [("cp_project", None), ("cp_abteilung", None), ("cp_email", Some("email")), ("cp_zipcode", Some("zip"))]
        {
            assert_eq!(found("contacts", &contacts, column).as_deref(), category, "{column}");
        }
        // Alone among others it means what it says.
        assert_eq!(found("t", &["id", "nom", "cp", "ville"], "cp").as_deref(), Some("zip"));
        let members = ["id_adh", "nom_adh", "prenom_adh", "ddn_adh", "ville_adh", "login_adh"];
        assert_eq!(found("t", &members, "prenom_adh").as_deref(), Some("first_name"));
        // Some columns are called otherwise: a word that no rule has still stands for the table.
        let mixed = ["id_adh", "nom_adh", "prof_adh", "tel_adh", "fingerprint", "date_echeance", "ville_adh"];
        assert_eq!(found("adherents", &mixed, "nom_adh").as_deref(), Some("last_name"));
        assert_eq!(found("adherents", &mixed, "prof_adh").as_deref(), Some("job_title"));
        assert_eq!(affix(&["door_id", "pin_door", "email_door", "phone_door", "note", "text", "sort"]), None);
        // A word that is a rule's stands for itself, however many have it.
        assert_eq!(affix(&["pin_id", "pin_door", "pin_gate", "pin_email", "pin_phone", "note", "text"]), None);
        let logs = ["id_log", "date_log", "ip_log", "action_log"];
        assert_eq!(found("t", &logs, "ip_log").as_deref(), Some("ip"));
        assert_eq!(found("t", &[], "ip_log"), None);
    }

    #[test]
    fn what_a_shared_word_says_is_not_lost_without_it() {
        let income: &[&str] = &["gehalt_id", "gehalt_basis", "gehalt_alt", "gehalt_email", "gehalt_telefon"];
        let columns: &[(&[&str], &str, &str)] = &[
            (&["token_id", "token_app", "token_web", "token_email", "token_phone"], "token_app", "token"),
            (&["pin_id", "pin_door", "pin_gate", "pin_email", "pin_phone"], "pin_door", "password"),
            (&["phone_id", "phone_home", "phone_email", "phone_street", "phone_other"], "phone_other", "phone"),
            (&["login_id", "login_main", "login_email", "login_phone"], "login_main", "username"),
            (&["gender_id", "gender_old", "gender_email", "gender_phone"], "gender_old", "gender"),
            (&["fax_id", "fax_a", "fax_b", "fax_email", "fax_street"], "fax_a", "phone"),
            (&["plz_id", "plz_von", "plz_alt", "plz_email", "plz_telefon"], "plz_alt", "zip"),
            (&["iban_id", "iban_privat", "iban_email", "iban_phone"], "iban_privat", "iban"),
            (&["ssn_id", "ssn_old", "ssn_email", "ssn_phone"], "ssn_old", "national_id"),
            (&["tel_id", "tel_privat", "tel_work", "tel_email", "tel_street"], "tel_privat", "phone"),
            (&["email_id", "email_from", "email_phone", "email_street"], "email_from", "email"),
            (income, "gehalt_basis", "income"),
        ];
        for (columns, column, category) in columns {
            assert_eq!(found("t", columns, column).as_deref(), Some(*category), "{column}");
        }
        // The twins: what the rest says is found as well, and of a short word that tables are called by nothing is left.
        assert_eq!(found("t", income, "gehalt_telefon").as_deref(), Some("phone"));
        let contacts = ["cp_id", "cp_email", "cp_phone", "cp_city", "cp_project"];
        assert_eq!(found("t", &contacts, "cp_project"), None);
        for word in &RULES.context.prefix {
            let says = RULES.phrases.iter().filter(|phrase| phrase.words == [word.as_str()]);
            let class = |detector: usize| RULES.categories[RULES.detectors[detector].category].class;
            assert!(word.len() <= 3 && says.filter_map(|phrase| phrase.detector).all(|it| class(it) == Class::Quasi));
        }
    }

    #[test]
    fn what_is_made_of_values_is_none_of_them() {
        for made in ["hash", "digest", "crypt", "token", "enc", "encrypted", "sha256", "md5"] {
            let columns = ["id", "email", "ssn", "phone"].map(|name| format!("{name}_{made}"));
            let columns = columns.each_ref().map(String::as_str);
            assert_eq!(affix(&columns), None, "{made}");
        }
        let hashes = ["id_hash", "email_hash", "ssn_hash", "phone_hash"];
        assert_eq!(found("t", &hashes, "email_hash"), None);
        // The twin: a word that says nothing of how a value was made.
        let logs = ["id_log", "email_log", "ssn_log", "phone_log"];
        assert_eq!(found("t", &logs, "email_log").as_deref(), Some("email"));
    }

    #[test]
    fn a_word_that_says_what_the_columns_are_stays() {
        for columns in [
            &["phone_home", "phone_work", "phone_fax", "phone_other"][..],
            &["phone_id", "phone_number", "phone_kind", "phone_ext"],
            &["customer_id", "customer_name", "customer_street", "customer_email"],
            &["has_email", "has_phone", "has_street", "has_iban"],
            &["user_id", "email_id", "phone_id", "street_id"],
            &["a_x", "b_x", "c_x"],
            &["abc_one", "abc_two", "abc_three", "abc_four", "other", "last"],
        ] {
            assert_eq!(affix(columns), None, "{columns:?}");
        }
        // A phrase that it is part of is read with it.
        let cards = ["cc_id", "cc_number", "cc_email", "cc_phone", "cc_city"];
        assert_eq!(found("t", &cards, "cc_number").as_deref(), Some("credit_card"));
    }
}
