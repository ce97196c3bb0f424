//! Few rows that show a lot: every label, NULLs, limits of values, combinations.
//!
//! Each table is read once for what its rows show, as bits, never for what they hold; rows that show the same are one
//! candidate, the one with the smallest key. Tables that refer to others come first: what they bring in shows something too.
//! Then the candidate that shows most that is still missing is taken, until nothing is missing (greedy set cover).

use super::closure::{Closure, Wave};
use super::error::SubsetError;
use super::wire;
use crate::catalog::Oid;
use crate::extract::ExtractError;
use crate::plan::{NodeCover, SubsetNode};
use crate::rowset::RowId;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// Conditions that one number of the answer holds.
const BITS: usize = 62;

/// What the rows of a subset show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// In the words of the schema: `public.orders.status: label "paid"`.
    pub shown: Vec<String>,
    /// What no row of the source shows.
    pub absent: Vec<String>,
}

/// A row that stands for all that show the same.
struct Candidate {
    /// Texts of the key, compared by length first.
    key: Vec<(usize, Vec<u8>)>,
    leaf: Oid,
    row: RowId,
}

/// What a row shows: conditions as bits, and a hash of each combination.
type Shown = (Vec<u64>, Vec<u64>);

/// Adds rows to a closed set until it shows everything that is asked for, and closes it again.
pub(super) async fn add(closure: &mut Closure<'_>) -> Result<Coverage, SubsetError> {
    let mut coverage = Coverage::default();
    for number in order(closure) {
        let cover = &closure.plan.cover[number];
        let node = &closure.plan.nodes[cover.node];
        let (candidates, there) = read(closure, node, cover).await?;
        let mut wave = Wave::new(closure.leaves.len());
        for (leaf, row) in choose(&candidates, &there) {
            let Some(&leaf) = closure.number.get(&leaf) else { continue };
            wave.entered[leaf].insert(row);
            closure.first.entered[leaf].insert(row);
        }
        closure.advance(wave).await?;
        let mut any: Vec<u64> = vec![0; cover.features.len().div_ceil(BITS)];
        candidates.keys().for_each(|(bits, _)| any.iter_mut().zip(bits).for_each(|(any, bits)| *any |= bits));
        for (place, (name, _)) in cover.features.iter().enumerate() {
            let list =
                if any[place / BITS] >> (place % BITS) & 1 == 1 { &mut coverage.shown } else { &mut coverage.absent };
            list.push(name.clone());
        }
        for (place, (name, _)) in cover.combinations.iter().enumerate() {
            let count = candidates.keys().map(|(_, hashes)| hashes[place]).collect::<BTreeSet<u64>>().len();
            coverage.shown.push(format!("{name}: {count} combinations"));
        }
    }
    coverage.shown.sort();
    coverage.absent.sort();
    Ok(coverage)
}

/// Tables that refer come before those they refer to; a cycle is entered at the first name.
fn order(closure: &Closure<'_>) -> Vec<usize> {
    let plan = closure.plan;
    let mut left: BTreeSet<usize> = (0..plan.nodes.len()).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let referring = |node: usize| {
            let edges = plan.edges.iter().filter(|edge| edge.parent == node && edge.child != node);
            edges.map(|edge| edge.child).filter(|child| left.contains(child)).collect::<BTreeSet<usize>>().len()
        };
        let next = left.iter().copied().min_by_key(|node| (referring(*node), &plan.nodes[*node].name));
        let Some(next) = next else { break };
        left.remove(&next);
        order.extend(plan.cover.iter().position(|cover| cover.node == next));
    }
    order
}

/// Reads what the rows of a table show: candidates, and what the rows that are in the set show already.
async fn read(
    closure: &Closure<'_>,
    node: &SubsetNode,
    cover: &NodeCover,
) -> Result<(HashMap<Shown, Candidate>, Vec<Shown>), SubsetError> {
    let sql = query(node, cover);
    let what = format!("looking for rows of {} that show something new", node.name);
    let (numbers, hashes) = (cover.features.len().div_ceil(BITS), cover.combinations.len());
    let read = async |session: &crate::pg::SourceSession| {
        let mut candidates: HashMap<Shown, Candidate> = HashMap::new();
        let mut there: BTreeSet<Shown> = BTreeSet::new();
        let mut take = |fields: &mut wire::Fields<'_>| -> Option<()> {
            let (leaf, row) = (fields.oid()?, fields.row()?);
            let mut number = || Some(u64::from_be_bytes(fields.bytes()?.try_into().ok()?));
            let bits = (0..numbers).map(|_| number()).collect::<Option<Vec<u64>>>()?;
            let combined = (0..hashes).map(|_| number()).collect::<Option<Vec<u64>>>()?;
            let mut key = Vec::new();
            while let Some(part) = fields.bytes() {
                key.push((part.len(), part.to_vec()));
            }
            let shown = (bits, combined);
            if closure.holds(leaf, row) {
                there.insert(shown.clone());
            }
            let new = Candidate { key, leaf, row };
            match candidates.entry(shown) {
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(new);
                }
                std::collections::hash_map::Entry::Occupied(mut known) if new.key < known.get().key => {
                    known.insert(new);
                }
                std::collections::hash_map::Entry::Occupied(_) => {}
            }
            Some(())
        };
        wire::rows(session, &what, &sql, |fields| {
            take(fields);
        })
        .await?;
        Ok::<_, ExtractError>((candidates, there.into_iter().collect()))
    };
    Ok(closure.sessions.run(read).await?)
}

fn query(node: &SubsetNode, cover: &NodeCover) -> String {
    let bit = |(place, (_, condition)): (usize, &(String, String))| {
        format!("CASE WHEN {condition} THEN {}::pg_catalog.int8 ELSE 0 END", 1_u64 << place)
    };
    let numbers = cover
        .features
        .chunks(BITS)
        .map(|features| features.iter().enumerate().map(bit).collect::<Vec<_>>().join(" | "));
    let hashes = cover.combinations.iter().map(|(_, text)| format!("pg_catalog.hashtextextended({text}, 0)"));
    let key: Vec<String> = match node.key.is_empty() {
        true => vec!["t::pg_catalog.text".to_owned()],
        false => node.key.iter().map(|column| format!("t.{column}::pg_catalog.text")).collect(),
    };
    let fields: Vec<String> =
        ["t.tableoid".to_owned(), "t.ctid".to_owned()].into_iter().chain(numbers).chain(hashes).chain(key).collect();
    let aggregates = cover.aggregates.iter().enumerate().map(|(number, sql)| format!("{sql} AS m{number}"));
    let aggregates: Vec<String> = aggregates.collect();
    let condition = node.condition(None);
    let extremes = match aggregates.is_empty() {
        true => String::new(),
        false => {
            format!(" CROSS JOIN (SELECT {} FROM {} AS t{condition}) AS m", aggregates.join(", "), node.relation)
        }
    };
    format!("SELECT {} FROM {} AS t{extremes}{condition}", fields.join(", "), node.relation)
}

/// Takes the candidate that shows most that is missing, ties by key, until nothing is.
fn choose(candidates: &HashMap<Shown, Candidate>, there: &[Shown]) -> Vec<(Oid, RowId)> {
    let mut bits: Vec<u64> = Vec::new();
    let see = |(shown, _): &Shown, bits: &mut Vec<u64>| {
        bits.resize(bits.len().max(shown.len()), 0);
        bits.iter_mut().zip(shown).for_each(|(seen, shown)| *seen |= shown);
    };
    for shown in there {
        see(shown, &mut bits);
    }
    let mut left: Vec<(&Shown, &Candidate)> = candidates.iter().collect();
    left.sort_by(|a, b| (&a.1.key, a.1.leaf, a.1.row).cmp(&(&b.1.key, b.1.leaf, b.1.row)));
    let mut chosen = Vec::new();
    let mut known: BTreeSet<(usize, u64)> =
        there.iter().flat_map(|(_, hashes)| hashes.iter().copied().enumerate()).collect();
    loop {
        let gain = |(shown, hashes): &Shown| {
            let new = shown
                .iter()
                .enumerate()
                .map(|(place, shown)| (shown & !bits.get(place).copied().unwrap_or(0)).count_ones() as usize);
            new.sum::<usize>() + hashes.iter().copied().enumerate().filter(|hash| !known.contains(hash)).count()
        };
        // The first of the best: candidates are in order of their keys.
        let best = left
            .iter()
            .map(|(shown, _)| gain(shown))
            .enumerate()
            .max_by_key(|(place, gain)| (*gain, std::cmp::Reverse(*place)));
        let Some((place, 1..)) = best else { return chosen };
        let (shown, candidate) = left[place];
        see(shown, &mut bits);
        known.extend(shown.1.iter().copied().enumerate());
        chosen.push((candidate.leaf, candidate.row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(number: u16) -> Candidate {
        let key = number.to_string().into_bytes();
        Candidate { key: vec![(key.len(), key)], leaf: 1, row: RowId::new(0, number) }
    }

    #[test]
    fn few_rows_show_everything_and_ties_go_to_the_smallest_key() {
        let shown = [(0b0001, 9), (0b0011, 10), (0b1100, 2), (0b0110, 1), (0b1100 | 1 << 40, 30)];
        let candidates: HashMap<Shown, Candidate> =
            shown.iter().map(|(bits, key)| ((vec![*bits], vec![]), candidate(*key))).collect();
        let rows = |chosen: Vec<(Oid, RowId)>| chosen.iter().map(|(_, row)| row.offset()).collect::<Vec<_>>();
        assert_eq!(rows(choose(&candidates, &[])), [30, 10]);
        assert_eq!(rows(choose(&candidates, &[(vec![0b1100 | 1 << 40], vec![])])), [10]);
        assert_eq!(rows(choose(&candidates, &[(vec![u64::MAX], vec![])])), [0; 0]);
    }

    #[test]
    fn every_combination_is_shown_once() {
        let candidates: HashMap<Shown, Candidate> =
            [(1, 5), (2, 4), (3, 3)].iter().map(|(hash, key)| ((vec![], vec![*hash]), candidate(*key))).collect();
        assert_eq!(choose(&candidates, &[(vec![], vec![2])]).len(), 2);
    }
}
