//! Takes few rows of a pool that show everything the pool shows, what they refer to counted. Pure.
//!
//! A smallest set is too hard to find (it is set cover); this is the greedy one, by what is shown anew per row that comes in
//! anew, from which every choice is taken back that the others make needless.

use crate::rowset::RowId;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

/// Rows of the pool that are looked at anew whenever one is taken; of larger pools, each only now and then.
const LOOKS: usize = 5_000;

/// Choices that are reconsidered in a pool of [`LOOKS`] rows; of larger pools, all stand.
const BETTER: usize = 400;

/// Leaf and place.
pub(super) type Row = (usize, RowId);
/// Texts of a key, compared by length first.
pub(super) type Key = Vec<(usize, Vec<u8>)>;
/// Table, number of what it can show, and which of the combinations.
pub(super) type Feature = (usize, usize, Option<u64>);

/// Rows, what they show and what they refer to; rows of the closed set are not in it.
#[derive(Debug, Default)]
pub(super) struct Pool {
    number: HashMap<Row, usize>,
    rows: Vec<Member>,
    features: HashMap<Feature, usize>,
    there: HashSet<usize>,
}

#[derive(Debug)]
struct Member {
    row: Row,
    /// Place in the order that ties are broken by; none: it was never read, and is only what others refer to.
    key: Option<(usize, Key)>,
    shows: Vec<usize>,
    parents: Vec<usize>,
    /// What it refers to was asked for.
    entered: bool,
}

impl Pool {
    fn feature(&mut self, feature: Feature) -> usize {
        let next = self.features.len();
        *self.features.entry(feature).or_insert(next)
    }

    fn member(&mut self, row: Row) -> usize {
        *self.number.entry(row).or_insert_with(|| {
            self.rows.push(Member { row, key: None, shows: Vec::new(), parents: Vec::new(), entered: false });
            self.rows.len() - 1
        })
    }

    pub fn holds(&self, row: Row) -> bool {
        self.number.contains_key(&row)
    }

    /// Rows of the closed set show these already.
    pub fn there(&mut self, features: Vec<Feature>) {
        for feature in features {
            let feature = self.feature(feature);
            self.there.insert(feature);
        }
    }

    /// A row of a table, which has a place among the tables, with its key.
    pub fn shows(&mut self, row: Row, key: (usize, Key), features: Vec<Feature>) {
        let shows: Vec<usize> = features.into_iter().map(|feature| self.feature(feature)).collect();
        let number = self.member(row);
        let member = &mut self.rows[number];
        (member.key, member.shows) = (Some(key), shows);
    }

    /// Takes a row in; tells whether what it refers to is still to be asked for.
    pub fn enter(&mut self, row: Row) -> bool {
        let number = self.member(row);
        !std::mem::replace(&mut self.rows[number].entered, true)
    }

    pub fn refers(&mut self, child: Row, parent: Row) {
        let (child, parent) = (self.member(child), self.member(parent));
        if child != parent && !self.rows[child].parents.contains(&parent) {
            self.rows[child].parents.push(parent);
        }
    }

    /// Chooses rows; with what they refer to they show everything that the pool shows and the closed set does not.
    pub fn choose(&self) -> Vec<Row> {
        let mut order: Vec<usize> = (0..self.rows.len()).filter(|number| self.rows[*number].key.is_some()).collect();
        order.sort_by(|a, b| self.rows[*a].key.cmp(&self.rows[*b].key));
        let alone = self.only(&order);
        let chosen = self.needed(self.greedy(&order, alone.clone()));
        let chosen = self.better(&order, &alone, chosen);
        chosen.into_iter().map(|number| self.rows[number].row).collect()
    }

    /// Adds what shows most for what it brings in, until everything is shown.
    fn greedy(&self, order: &[usize], mut chosen: Vec<usize>) -> Vec<usize> {
        let mut taken = Taken::of(self, &chosen);
        let again = (order.len() / LOOKS).max(1);
        let mut best = self.ranked(order, &taken);
        let mut since = 0;
        // What one row is worth changes with every row that is taken.
        while let Some((_, Reverse(place))) = best.pop() {
            let Some(now) = taken.worth(order[place]) else { continue };
            if best.peek().is_some_and(|next| *next > (now, Reverse(place))) {
                best.push((now, Reverse(place)));
                continue;
            }
            taken.take(order[place]);
            chosen.push(order[place]);
            since += 1;
            if since == again {
                since = 0;
                best = self.ranked(order, &taken);
            }
        }
        chosen
    }

    /// Gives up one choice after the other, where what replaces it brings in fewer rows.
    fn better(&self, order: &[usize], alone: &[usize], mut chosen: Vec<usize>) -> Vec<usize> {
        if order.len() * chosen.len() > LOOKS * BETTER {
            return chosen;
        }
        let rows = |chosen: &[usize]| Taken::of(self, chosen).rows;
        let mut least = rows(&chosen);
        for number in chosen.clone().into_iter().rev().filter(|number| !alone.contains(number)) {
            let without = chosen.iter().copied().filter(|other| *other != number).collect();
            let other = self.needed(self.greedy(order, without));
            if rows(&other) < least {
                least = rows(&other);
                chosen = other;
            }
        }
        chosen
    }

    /// Rows that show what no other row of the pool shows.
    fn only(&self, order: &[usize]) -> Vec<usize> {
        let mut shown: HashMap<usize, (usize, bool)> = HashMap::new();
        for (place, number) in order.iter().enumerate() {
            for feature in self.rows[*number].shows.iter().filter(|feature| !self.there.contains(feature)) {
                shown.entry(*feature).and_modify(|(_, alone)| *alone = false).or_insert((place, true));
            }
        }
        let alone: BTreeSet<usize> = shown.values().filter(|(_, alone)| *alone).map(|(place, _)| *place).collect();
        alone.into_iter().map(|place| order[place]).collect()
    }

    fn ranked(&self, order: &[usize], taken: &Taken<'_>) -> BinaryHeap<(u64, Reverse<usize>)> {
        let ranked = order.iter().enumerate();
        ranked.filter_map(|(place, number)| Some((taken.worth(*number)?, Reverse(place)))).collect()
    }

    /// Leaves out the rows without which the others still show everything, the last first: they were worth least.
    fn needed(&self, mut chosen: Vec<usize>) -> Vec<usize> {
        let wanted = Taken::of(self, &chosen).seen.len();
        for place in (0..chosen.len()).rev() {
            let without = [&chosen[..place], &chosen[place + 1..]].concat();
            if Taken::of(self, &without).seen.len() == wanted {
                chosen = without;
            }
        }
        chosen
    }
}

/// Rows that are taken with what they refer to, and what all of them show.
struct Taken<'a> {
    pool: &'a Pool,
    within: Vec<bool>,
    rows: usize,
    /// What the closed set shows is in it from the beginning.
    seen: HashSet<usize>,
}

impl<'a> Taken<'a> {
    fn new(pool: &'a Pool) -> Self {
        Self { pool, within: vec![false; pool.rows.len()], rows: 0, seen: pool.there.clone() }
    }

    fn of(pool: &'a Pool, chosen: &[usize]) -> Self {
        let mut taken = Self::new(pool);
        chosen.iter().for_each(|number| taken.take(*number));
        taken
    }

    /// The rows that one row brings in, itself included.
    fn brings(&self, number: usize) -> Vec<usize> {
        let mut new = Vec::new();
        let mut known = HashSet::new();
        let mut left = vec![number];
        while let Some(number) = left.pop() {
            if !self.within[number] && known.insert(number) {
                new.push(number);
                left.extend(&self.pool.rows[number].parents);
            }
        }
        new
    }

    /// How much a row would show that is not shown, per row that it would bring in; none: nothing.
    fn worth(&self, number: usize) -> Option<u64> {
        let new = self.brings(number);
        let shows = new.iter().flat_map(|number| &self.pool.rows[*number].shows);
        let shown: HashSet<usize> = shows.filter(|feature| !self.seen.contains(feature)).copied().collect();
        // In whole numbers, so that ties are ties on every machine.
        (!shown.is_empty()).then(|| (shown.len() as u64 * 1_000_000).checked_div(new.len() as u64).unwrap_or(u64::MAX))
    }

    fn take(&mut self, number: usize) {
        for number in self.brings(number) {
            self.within[number] = true;
            self.rows += 1;
            self.seen.extend(&self.pool.rows[number].shows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u16) -> Row {
        (0, RowId::new(0, number))
    }

    /// Rows with their keys, what they show (numbers), and what they refer to.
    fn pool(rows: &[(u16, u16, &[usize], &[u16])]) -> Pool {
        let mut pool = Pool::default();
        for (number, key, shows, parents) in rows {
            let key = key.to_string().into_bytes();
            pool.shows(
                row(*number),
                (0, vec![(key.len(), key)]),
                shows.iter().map(|feature| (0, *feature, None)).collect(),
            );
            pool.enter(row(*number));
            parents.iter().for_each(|parent| pool.refers(row(*number), row(*parent)));
        }
        pool
    }

    fn chosen(pool: &Pool) -> Vec<u16> {
        pool.choose().iter().map(|(_, row)| row.offset()).collect()
    }

    #[test]
    fn few_rows_show_everything_and_ties_go_to_the_smallest_key() {
        let rows: &[(u16, u16, &[usize], &[u16])] = &[
            (1, 9, &[0], &[]),
            (2, 10, &[0, 1], &[]),
            (3, 2, &[2, 3], &[]),
            (4, 1, &[1, 2], &[]),
            (5, 30, &[2, 3, 4], &[]),
        ];
        assert_eq!(chosen(&pool(rows)), [5, 2]);
        let mut shown = pool(rows);
        shown.there(vec![(0, 2, None), (0, 3, None), (0, 4, None)]);
        assert_eq!(chosen(&shown), [2]);
        let equal: &[(u16, u16, &[usize], &[u16])] = &[(1, 10, &[0], &[]), (2, 9, &[0], &[])];
        assert_eq!(chosen(&pool(equal)), [2]);
    }

    #[test]
    fn rows_that_share_what_they_refer_to_are_preferred() {
        // 1 and 2 show the same; 2 refers to what 3 needs anyway.
        let rows: &[(u16, u16, &[usize], &[u16])] =
            &[(1, 1, &[0], &[10]), (2, 2, &[0], &[11]), (3, 3, &[1, 2], &[11]), (10, 4, &[], &[]), (11, 5, &[], &[])];
        assert_eq!(chosen(&pool(rows)), [3, 2]);
    }

    #[test]
    fn what_a_later_choice_shows_too_is_taken_back() {
        // 1 shows two things alone, and both are shown by what the others cannot do without.
        let rows: &[(u16, u16, &[usize], &[u16])] = &[
            (1, 1, &[0, 1, 2], &[]),
            (2, 2, &[0, 1, 3], &[8]),
            (3, 3, &[2, 4], &[9]),
            (8, 8, &[], &[]),
            (9, 9, &[], &[]),
        ];
        let mut rows = chosen(&pool(rows));
        rows.sort_unstable();
        assert_eq!(rows, [2, 3]);
    }

    #[test]
    fn a_choice_is_given_up_for_fewer_rows() {
        // 1 is worth most at first, two things per row, and 3 alone is worth taking for 4. What 1 is then still needed for,
        // 2 shows without bringing in another row.
        let rows: &[(u16, u16, &[usize], &[u16])] = &[
            (1, 1, &[0, 1, 2, 3], &[10]),
            (2, 2, &[2, 3], &[]),
            (3, 3, &[0, 1, 4], &[11]),
            (4, 4, &[4], &[12, 13]),
            (10, 10, &[], &[]),
            (11, 11, &[], &[]),
            (12, 12, &[], &[]),
            (13, 13, &[], &[]),
        ];
        let pool = pool(rows);
        let mut order: Vec<usize> = (0..pool.rows.len()).collect();
        order.sort_by(|a, b| pool.rows[*a].key.cmp(&pool.rows[*b].key));
        let first = pool.needed(pool.greedy(&order, Vec::new()));
        let offsets: Vec<u16> = first.iter().map(|number| pool.rows[*number].row.1.offset()).collect();
        assert_eq!((offsets, Taken::of(&pool, &first).rows), (vec![1, 3], 4));
        assert_eq!(chosen(&pool), [3, 2]);
    }

    #[test]
    fn cycles_end() {
        let rows: &[(u16, u16, &[usize], &[u16])] = &[(1, 1, &[0], &[2]), (2, 2, &[1], &[1])];
        assert_eq!(chosen(&pool(rows)), [1]);
    }
}
