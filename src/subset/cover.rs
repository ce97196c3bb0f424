//! Few rows that show a lot: every label, NULLs, limits of values, combinations.
//!
//! Each table is read once for what its rows show, as bits, never for what they hold; rows that show the same are one
//! class, for which the ones with the smallest keys stand. Tables that refer to others come first: the rows they bring in
//! show something too. So a pool of rows is found in which everything is shown several times, with what each row brings
//! in; [`choose`] takes few of it.

mod choose;

use super::closure::{Closure, Wave};
use super::error::SubsetError;
use super::result::Direction;
use super::{link, wire};
use crate::catalog::Oid;
use crate::config::Parent;
use crate::extract::ExtractError;
use crate::plan::{NodeCover, SubsetNode};
use crate::rowset::RowId;
use choose::{Feature, Key, Pool, Row};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// Conditions that one number of the answer holds.
const BITS: usize = 62;
/// Rows that stand for what is shown: with a choice among them, some are referred to by others that are needed anyway.
const STAND: usize = 12;
/// Classes of one table above which one row stands for each: tables of many combinations fill the memory else.
const CLASSES_MAX: usize = 20_000;

/// What the rows of a subset show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// In the words of the schema: `public.orders.status: label "paid"`.
    pub shown: Vec<String>,
    /// What no row of the source shows.
    pub absent: Vec<String>,
}

/// What a row shows: conditions as bits, and a hash of each combination.
type Shown = (Vec<u64>, Vec<u64>);

/// What was read of one table.
#[derive(Default)]
struct Read {
    /// The rows with the smallest keys of each class.
    classes: HashMap<Shown, Vec<(Key, Row)>>,
    /// Rows of the pool, and what they show.
    pool: Vec<(Key, Row, Shown)>,
    /// What rows of the closed set show.
    there: BTreeSet<Shown>,
}

/// Adds rows to a closed set until it shows everything that is asked for, and closes it again.
pub(super) async fn add(closure: &mut Closure<'_>) -> Result<Coverage, SubsetError> {
    let mut coverage = Coverage::default();
    let mut pool = Pool::default();
    for number in order(closure) {
        let cover = &closure.plan.cover[number];
        let read = read(closure, &closure.plan.nodes[cover.node], cover, &pool).await?;
        tell(cover, &read, &mut coverage);
        for shown in &read.there {
            pool.there(features(number, shown));
        }
        let mut standing = stand(&read.classes);
        standing.extend(read.pool);
        let mut rows = Vec::new();
        for (key, row, shown) in standing {
            pool.shows(row, (number, key), features(number, &shown));
            rows.push(row);
        }
        ascend(closure, rows, &mut pool).await?;
    }
    let mut wave = Wave::new(closure.leaves.len());
    for (leaf, row) in pool.choose() {
        closure.covering += u64::from(!closure.all[leaf].contains(row));
        wave.entered[leaf].insert(row);
    }
    closure.advance(wave).await?;
    coverage.shown.sort();
    coverage.absent.sort();
    Ok(coverage)
}

/// Which conditions some row of the table meets, and how many combinations there are.
fn tell(cover: &NodeCover, read: &Read, coverage: &mut Coverage) {
    let mut any: Vec<u64> = vec![0; cover.features.len().div_ceil(BITS)];
    read.classes.keys().for_each(|(bits, _)| any.iter_mut().zip(bits).for_each(|(any, bits)| *any |= bits));
    for (place, (name, _)) in cover.features.iter().enumerate() {
        let list =
            if any[place / BITS] >> (place % BITS) & 1 == 1 { &mut coverage.shown } else { &mut coverage.absent };
        list.push(name.clone());
    }
    for (place, (name, _)) in cover.combinations.iter().enumerate() {
        let count = read.classes.keys().map(|(_, hashes)| hashes[place]).collect::<BTreeSet<u64>>().len();
        coverage.shown.push(format!("{name}: {count} combinations"));
    }
}

/// The names of what is shown: the table, and a bit or a combination.
fn features(table: usize, (bits, hashes): &Shown) -> Vec<Feature> {
    let set = |(number, bits): (usize, &u64)| {
        let bits = *bits;
        (0..BITS).filter(move |place| bits >> place & 1 == 1).map(move |place| (table, number * BITS + place, None))
    };
    let combined = hashes.iter().enumerate().map(|(place, hash)| (table, place, Some(*hash)));
    bits.iter().enumerate().flat_map(set).chain(combined).collect()
}

/// For each thing that is shown, the rows with the smallest keys that show it.
fn stand(classes: &HashMap<Shown, Vec<(Key, Row)>>) -> Vec<(Key, Row, Shown)> {
    let mut rows: Vec<(&Key, Row, &Shown)> =
        classes.iter().flat_map(|(shown, rows)| rows.iter().map(move |(key, row)| (key, *row, shown))).collect();
    // Rows that show more come first: they stand for several things.
    let count = |shown: &Shown| shown.0.iter().map(|bits| bits.count_ones()).sum::<u32>();
    rows.sort_by(|a, b| count(b.2).cmp(&count(a.2)).then_with(|| a.0.cmp(b.0)));
    let mut standing: HashMap<Feature, usize> = HashMap::new();
    let mut chosen = Vec::new();
    for by_key in [false, true] {
        if by_key {
            rows.sort_by(|a, b| a.0.cmp(b.0));
            standing.clear();
        }
        for (key, row, shown) in &rows {
            let shows = features(0, shown);
            if shows.iter().any(|feature| standing.get(feature).is_none_or(|count| *count < STAND)) {
                shows.into_iter().for_each(|feature| *standing.entry(feature).or_default() += 1);
                chosen.push(((*key).clone(), *row, (*shown).clone()));
            }
        }
    }
    chosen
}

/// Finds what the rows refer to, and what that refers to, as far as it is in neither the closed set nor the pool.
async fn ascend(closure: &Closure<'_>, rows: Vec<Row>, pool: &mut Pool) -> Result<(), SubsetError> {
    let mut wave: BTreeSet<Row> =
        rows.into_iter().filter(|row| !closure.all[row.0].contains(row.1) && pool.enter(*row)).collect();
    while !wave.is_empty() {
        let mut next = BTreeSet::new();
        for (child, parent) in parents(closure, &wave).await? {
            if closure.all[parent.0].contains(parent.1) {
                continue;
            }
            pool.refers(child, parent);
            if pool.enter(parent) {
                next.insert(parent);
            }
        }
        wave = next;
    }
    Ok(())
}

/// The rows that these refer to, through every reference that is followed.
async fn parents(closure: &Closure<'_>, rows: &BTreeSet<Row>) -> Result<Vec<(Row, Row)>, SubsetError> {
    let mut by_leaf: HashMap<usize, Vec<RowId>> = HashMap::new();
    rows.iter().for_each(|(leaf, row)| by_leaf.entry(*leaf).or_default().push(*row));
    let mut pairs = Vec::new();
    for (number, edge) in closure.plan.edges.iter().enumerate() {
        let up = edge.up == Parent::Follow && !edge.nulled && closure.followed(edge);
        if !up || closure.without.contains(&(number, Direction::Up)) {
            continue;
        }
        for (number, (node, leaf)) in closure.leaves.iter().enumerate().filter(|(_, (node, _))| *node == edge.child) {
            let rows = by_leaf.get(&number).map_or(&[][..], |rows| rows.as_slice());
            for batch in rows.chunks(closure.request.batch_rows.max(1)) {
                let sql = link::up(closure.plan, edge, leaf, Some(batch), false);
                let what = format!("following {} of {}", edge.name, closure.plan.nodes[*node].name);
                let asked = closure.sessions.run(async |session| {
                    let mut found: Vec<(RowId, Oid, RowId)> = Vec::new();
                    wire::rows(session, &what, &sql, |fields| {
                        let child = fields.row();
                        found.extend(child.zip(fields.oid()).zip(fields.row()).map(|((c, o), p)| (c, o, p)));
                    })
                    .await?;
                    Ok::<_, ExtractError>(found)
                });
                let known = |(child, leaf, parent)| Some(((number, child), (*closure.number.get(&leaf)?, parent)));
                pairs.extend(asked.await?.into_iter().filter_map(known));
            }
        }
    }
    Ok(pairs)
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

/// Reads what the rows of a table show.
async fn read(closure: &Closure<'_>, node: &SubsetNode, cover: &NodeCover, pool: &Pool) -> Result<Read, SubsetError> {
    let sql = query(node, cover);
    let what = format!("looking for rows of {} that show something new", node.name);
    let (numbers, hashes) = (cover.features.len().div_ceil(BITS), cover.combinations.len());
    let read = async |session: &crate::pg::SourceSession| {
        let mut read = Read::default();
        let mut take = |fields: &mut wire::Fields<'_>| -> Option<()> {
            let (leaf, row) = (fields.oid()?, fields.row()?);
            let row = (*closure.number.get(&leaf)?, row);
            let mut number = || Some(u64::from_be_bytes(fields.bytes()?.try_into().ok()?));
            let bits = (0..numbers).map(|_| number()).collect::<Option<Vec<u64>>>()?;
            let combined = (0..hashes).map(|_| number()).collect::<Option<Vec<u64>>>()?;
            let mut key = Key::new();
            while let Some(part) = fields.bytes() {
                key.push((part.len(), part.to_vec()));
            }
            let shown = (bits, combined);
            if closure.all[row.0].contains(row.1) {
                read.there.insert(shown.clone());
            }
            if pool.holds(row) {
                read.pool.push((key.clone(), row, shown.clone()));
            }
            let most = if read.classes.len() > CLASSES_MAX { 1 } else { STAND };
            let rows = read.classes.entry(shown).or_default();
            let place = rows.partition_point(|(known, _)| *known <= key);
            if place < most {
                rows.insert(place, (key, row));
                rows.truncate(most);
            }
            Some(())
        };
        wire::rows(session, &what, &sql, |fields| {
            take(fields);
        })
        .await?;
        Ok::<_, ExtractError>(read)
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
    let place = ["t.tableoid".to_owned(), "t.ctid".to_owned()];
    let fields: Vec<String> = place.into_iter().chain(numbers).chain(hashes).chain(node.told_by()).collect();
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
