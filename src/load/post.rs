//! Decides what runs next on the target: loads, indexes, keys, foreign keys, statistics.
//!
//! The work is a graph. Indexes of a table may start when its rows are in, a foreign key when both sides stand. At most
//! `jobs` heavy backends work at any time. Tasks that would wait for each other's table locks are never started together:
//! a waiting backend is a lost core. So the work on one table is as much a chain as a path of needs is, and among the
//! ready tasks the one goes first that has the most of either behind it: no long chain is left for the end.

use std::collections::BTreeMap;

/// What a task does to a table's lock while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Goes together with other shared holders: CREATE INDEX, the referenced side of a validation.
    Shared,
    Exclusive,
}

/// One piece of work.
#[derive(Debug, Clone)]
pub struct Task<W> {
    pub work: W,
    /// Estimated core time, any unit; only the order matters.
    pub cost: u64,
    /// Indexes of tasks that must be done before.
    pub needs: Vec<usize>,
    /// Table (any id) and how it is held.
    pub holds: Vec<(u32, Hold)>,
}

/// Hands out tasks; owns no clock and no thread.
#[derive(Debug)]
pub struct Queue<W> {
    tasks: Vec<Task<W>>,
    /// Open needs per task.
    open: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    /// Work on the longest path from the start of the task to the end of everything.
    path: Vec<u64>,
    /// By table: work that holds it and has not started. None of it can run beside an exclusive holder.
    waiting: Vec<u64>,
    ready: Vec<usize>,
    /// By table: how many hold it, and whether one does so alone.
    held: Vec<(u32, bool)>,
    left: usize,
}

impl<W> Queue<W> {
    /// Builds the queue.
    ///
    /// # Panics
    /// If the needs form a cycle: pg_dump sorts its entries, so an order exists.
    pub fn new(mut tasks: Vec<Task<W>>) -> Self {
        let count = tasks.len();
        let tables = number_tables(&mut tasks);
        let mut dependents = vec![Vec::new(); count];
        let mut open = vec![0; count];
        for (index, task) in tasks.iter().enumerate() {
            open[index] = task.needs.len();
            for need in &task.needs {
                dependents[*need].push(index);
            }
        }
        let order = order(&open, &dependents);
        assert_eq!(order.len(), count, "needs must not form a cycle");
        // What needs nothing (a load) may run beside other work on its table, and is not part of the chain.
        let mut waiting = vec![0_u64; tables];
        for task in tasks.iter().filter(|task| !task.needs.is_empty()) {
            for (table, _) in &task.holds {
                waiting[*table as usize] += task.cost;
            }
        }
        let mut path = vec![0; count];
        for index in order.into_iter().rev() {
            let behind = dependents[index].iter().map(|next| path[*next].max(chain(&tasks[*next], &waiting)));
            path[index] = tasks[index].cost.saturating_add(behind.max().unwrap_or(0));
        }
        let ready = (0..count).filter(|index| open[*index] == 0).collect();
        Self { tasks, open, dependents, path, waiting, ready, held: vec![(0, false); tables], left: count }
    }

    /// Takes the most urgent task that can run beside those already running.
    pub fn start_next(&mut self) -> Option<usize> {
        let at = self
            .ready
            .iter()
            .enumerate()
            .filter(|(_, task)| self.free(&self.tasks[**task].holds))
            .max_by_key(|(_, task)| (self.urgency(**task), self.path[**task], std::cmp::Reverse(**task)))
            .map(|(at, _)| at)?;
        let index = self.ready.swap_remove(at);
        let task = &self.tasks[index];
        for (table, hold) in &task.holds {
            if !task.needs.is_empty() {
                let waiting = &mut self.waiting[*table as usize];
                *waiting = waiting.saturating_sub(task.cost);
            }
            let entry = &mut self.held[*table as usize];
            entry.0 += 1;
            entry.1 |= *hold == Hold::Exclusive;
        }
        Some(index)
    }

    /// Marks a task done and makes its dependents ready.
    pub fn done(&mut self, index: usize) {
        for (table, hold) in &self.tasks[index].holds {
            let entry = &mut self.held[*table as usize];
            entry.0 -= 1;
            if *hold == Hold::Exclusive {
                entry.1 = false;
            }
        }
        for next in std::mem::take(&mut self.dependents[index]) {
            self.open[next] -= 1;
            if self.open[next] == 0 {
                self.ready.push(next);
            }
        }
        self.left -= 1;
    }

    pub fn task(&self, index: usize) -> &Task<W> {
        &self.tasks[index]
    }

    /// Tasks not done yet.
    pub fn left(&self) -> usize {
        self.left
    }

    fn urgency(&self, index: usize) -> u64 {
        self.path[index].max(chain(&self.tasks[index], &self.waiting))
    }

    fn free(&self, holds: &[(u32, Hold)]) -> bool {
        holds.iter().all(|(table, hold)| match self.held[*table as usize] {
            (0, _) => true,
            (_, exclusive) => !exclusive && *hold == Hold::Shared,
        })
    }
}

/// The work that has to go one after the other on a table this task holds for itself.
fn chain<W>(task: &Task<W>, waiting: &[u64]) -> u64 {
    let exclusive = task.holds.iter().filter(|(_, hold)| *hold == Hold::Exclusive);
    exclusive.map(|(table, _)| waiting[*table as usize]).max().unwrap_or(0)
}

/// Puts a number from 0 on in the place of each table, and returns how many there are. Every start looks at every task that is
/// ready, which are thousands where there are as many tables, so what it looks up has to be near.
fn number_tables<W>(tasks: &mut [Task<W>]) -> usize {
    let mut numbers: BTreeMap<u32, u32> = BTreeMap::new();
    for (table, _) in tasks.iter_mut().flat_map(|task| &mut task.holds) {
        let next = numbers.len() as u32;
        *table = *numbers.entry(*table).or_insert(next);
    }
    numbers.len()
}

/// A topological order; shorter than the number of tasks if there is a cycle.
fn order(open: &[usize], dependents: &[Vec<usize>]) -> Vec<usize> {
    let mut open = open.to_vec();
    let mut order: Vec<usize> = (0..open.len()).filter(|index| open[*index] == 0).collect();
    let mut at = 0;
    while at < order.len() {
        for next in &dependents[order[at]] {
            open[*next] -= 1;
            if open[*next] == 0 {
                order.push(*next);
            }
        }
        at += 1;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(cost: u64, needs: &[usize], holds: &[(u32, Hold)]) -> Task<()> {
        Task { work: (), cost, needs: needs.to_vec(), holds: holds.to_vec() }
    }

    #[test]
    fn longest_path_goes_first() {
        let mut queue = Queue::new(vec![task(5, &[], &[]), task(1, &[], &[]), task(9, &[1], &[])]);
        assert_eq!(queue.start_next(), Some(1));
        assert_eq!(queue.start_next(), Some(0));
        assert_eq!(queue.start_next(), None);
        queue.done(1);
        assert_eq!(queue.start_next(), Some(2));
    }

    #[test]
    fn table_with_the_most_work_left_goes_first() {
        let one = |cost, table| task(cost, &[0], &[(table, Hold::Exclusive)]);
        let mut queue = Queue::new(vec![task(1, &[], &[]), one(5, 1), one(3, 2), one(3, 2), one(3, 2)]);
        assert_eq!(queue.start_next(), Some(0));
        queue.done(0);
        assert_eq!(queue.start_next(), Some(2), "9 are left on table 2");
        assert_eq!(queue.start_next(), Some(1));
        queue.done(2);
        assert_eq!(queue.start_next(), Some(3));
    }

    #[test]
    fn load_of_the_table_with_the_most_work_goes_first() {
        let load = |table| task(5, &[], &[(table, Hold::Shared)]);
        let key = |need, table| task(4, &[need], &[(table, Hold::Exclusive)]);
        let mut queue = Queue::new(vec![load(1), load(2), key(0, 1), key(1, 2), key(1, 2)]);
        assert_eq!(queue.start_next(), Some(1));
        assert_eq!(queue.start_next(), Some(0));
    }

    #[test]
    fn exclusive_holders_wait_for_shared_ones() {
        let mut queue = Queue::new(vec![
            task(9, &[], &[(1, Hold::Shared)]),
            task(8, &[], &[(1, Hold::Exclusive)]),
            task(7, &[], &[(1, Hold::Shared)]),
        ]);
        assert_eq!(queue.start_next(), Some(0));
        assert_eq!(queue.start_next(), Some(2));
        assert_eq!(queue.start_next(), None);
        queue.done(0);
        queue.done(2);
        assert_eq!(queue.start_next(), Some(1));
        queue.done(1);
        assert_eq!(queue.left(), 0);
    }
}
