//! What an attacker who holds staging would try (MASKING.md, T11), and uniqueness of tags (T5).

use super::tests::mask_texts;
use super::*;
use std::collections::{HashMap, HashSet};

const ROWS: usize = 100_000;

fn masks(kind: &str, json: &str, values: impl Iterator<Item = String>) -> Vec<String> {
    let values: Vec<String> = values.collect();
    let asked: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
    let masked = mask_texts(&MasterKey::test().realm("default"), kind, json, &asked, 4096);
    masked.into_iter().map(|mask| mask.expect("a mask")).collect()
}

/// Spearman's rank correlation of masks with the order of their rows; ties in the order of a hash, so that they say nothing.
fn order_correlation(masks: &[String]) -> f64 {
    let mut order: Vec<usize> = (0..masks.len()).collect();
    let tie = |row: usize| blake3::hash(&row.to_le_bytes()).as_bytes()[..8].to_vec();
    order.sort_by_cached_key(|row| (masks[*row].clone(), tie(*row)));
    let n = masks.len() as f64;
    let squares: f64 = order.iter().enumerate().map(|(rank, row)| (rank as f64 - *row as f64).powi(2)).sum();
    1.0 - 6.0 * squares / (n * (n * n - 1.0))
}

#[test]
fn masks_tell_nothing_of_the_order_of_rows() {
    let serial: Vec<(&str, &str, Vec<String>)> = vec![
        ("email", "{}", (0..ROWS).map(|n| format!("user{n:06}@example.com")).collect()),
        ("username", "{}", (0..ROWS).map(|n| format!("user{n:06}")).collect()),
        ("pattern", "{}", (0..ROWS).map(|n| format!("AB-{n:06}")).collect()),
        ("card", "{}", (0..ROWS).map(|n| format!("4111{n:012}")).collect()),
        ("us.ssn", "{}", (0..ROWS).map(|n| format!("{:03}-{:02}-0001", 1 + n / 99 % 600, 1 + n % 99)).collect()),
        ("phone", "{}", (0..ROWS).map(|n| format!("+49 89 {n:08}")).collect()),
        // The rows are the subjects.
        ("name.last", "{}", (0..ROWS).map(|_| "Smith".to_owned()).collect()),
        ("name.first", "{}", (0..ROWS).map(|_| "Bob".to_owned()).collect()),
    ];
    for (kind, json, values) in serial {
        assert!(
            order_correlation(&values) > 0.5 || kind.starts_with("name") || kind == "us.ssn",
            "the source has an order"
        );
        let rho = order_correlation(&masks(kind, json, values.into_iter()));
        assert!(rho.abs() < 0.02, "{kind}: {rho}");
    }
    // Without a mask the order is there to be seen.
    let raw: Vec<String> = (0..ROWS).map(|n| format!("{n:06}")).collect();
    assert!(order_correlation(&raw) > 0.99);
}

/// Share of the most frequent value.
fn top_share(values: &[String]) -> f64 {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    *counts.values().max().expect("values") as f64 / values.len() as f64
}

#[test]
fn frequencies_of_names_do_not_survive_unless_the_kind_says_so() {
    // Every second person is called alike: an attacker who knows that looks for the name that every second one has.
    let names = |n: usize| if n.is_multiple_of(2) { "Zebedee".to_owned() } else { format!("Name{n}") };
    for kind in ["name.first", "name.last", "name.full"] {
        let masked = masks(kind, "{}", (0..20_000).map(names));
        assert!(top_share(&masked) < 0.05, "{kind}: {}", top_share(&masked));
        let of = |parity: usize| masked.iter().skip(parity).step_by(2).cloned().collect::<Vec<_>>();
        let (zebedees, others) = (of(0), of(1));
        assert!((top_share(&zebedees) - top_share(&others)).abs() < 0.02, "{kind} tells who is called alike");
    }
    // The twin: `name.value` keeps joins, and says that it keeps frequencies.
    assert!(top_share(&masks("name.value", "{}", (0..20_000).map(names))) >= 0.5);
}

#[test]
fn values_of_the_source_are_among_the_masks_no_more_often_than_by_chance() {
    let ssn = |n: usize| format!("{:03}-{:02}-{:04}", 1 + n % 600, 1 + n / 600 % 99, 1 + n / 59_400);
    let raw: HashSet<String> = (0..ROWS).map(ssn).collect();
    let masked = masks("us.ssn", "{}", (0..ROWS).map(ssn));
    // 10^5 of 8.9 · 10^8 numbers meet about 11 times.
    let both = masked.iter().filter(|mask| raw.contains(*mask)).count();
    assert!(both < 60, "{both}");
    // No mask stays beside its row, but for the one fixed point that a permutation has on average.
    let fixed = (0..ROWS).filter(|row| masked[*row] == ssn(*row)).count();
    assert!(fixed < 8, "{fixed}");
    let address = |n: usize| format!("user{n:06}@example.com");
    let raw: HashSet<String> = (0..ROWS).map(address).collect();
    assert!(masks("email", "{}", (0..ROWS).map(address)).iter().all(|mask| !raw.contains(mask)));
}

/// T5; ten million in a release build, where they take seconds: `cargo test --release --lib tags_of_many_inputs_differ`.
#[test]
fn tags_of_many_inputs_differ() {
    const INPUTS: usize = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };
    const PART: usize = 100_000;
    for (kind, json) in [("email", "{}"), ("username", "{}"), ("template", r#"{"text":"u-{b32:16}"}"#)] {
        // 64 bits of ten million different masks meet with a chance of 3 in a million.
        let mut seen: Vec<u64> = Vec::with_capacity(INPUTS);
        for from in (0..INPUTS).step_by(PART) {
            let masked = masks(kind, json, (from..from + PART).map(|n| format!("u{n}@example.com")));
            let short = |mask: &String| {
                u64::from_le_bytes(*blake3::hash(mask.as_bytes()).as_bytes().first_chunk().expect("32 bytes"))
            };
            seen.extend(masked.iter().map(short));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), INPUTS, "{kind}");
    }
}
