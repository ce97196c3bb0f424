//! A word that stands before or behind the names of nearly all columns of a table: `cp_name`, `cp_email`, `cp_project`. It is
//! called so for the table, and says nothing of any of them.

use super::rules::RULES;
use super::token::{self, Words};
use super::{Facts, Finding, by_name};
use crate::mask::kind::Takes;
use std::collections::{HashMap, HashSet};

/// Fewest columns that have it, and how many of five.
const COLUMNS_MIN: usize = 4;
const OF_FIVE: usize = 4;
/// A word that says something alone is none if so many categories are found without it: `phone_home` is a phone.
const CATEGORIES_MIN: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affix {
    word: String,
    first: bool,
}

impl Affix {
    /// The word that the columns of a table share, if there is one and they lose nothing without it.
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
        let shared = |count: usize| count >= COLUMNS_MIN && count * 5 >= names.len() * OF_FIVE;
        let (word, _) = counts.into_iter().find(|(_, count)| shared(*count))?;
        Some(Self { word: word.to_owned(), first })
    }

    /// Whether the word is none of the rules, or names the table, which has `cp_id` then. Words for persons and things say
    /// whose a column is, and questions (`has_`) that it is none.
    fn says_nothing(&self, names: &[Words]) -> bool {
        let (context, word) = (&RULES.context, &self.word);
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
        let logs = ["id_log", "date_log", "ip_log", "action_log"];
        assert_eq!(found("t", &logs, "ip_log").as_deref(), Some("ip"));
        assert_eq!(found("t", &[], "ip_log"), None);
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
