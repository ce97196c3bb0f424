//! Why a row is in a subset: the references that lead to it from a seed.

use super::closure::{Closure, Wave};
use super::error::SubsetError;
use super::result::Direction;
use super::sessions::Sessions;
use super::{Request, link, wire};
use crate::catalog::Oid;
use crate::config::Children;
use crate::extract::ExtractError;
use crate::plan::{SubsetEdge, SubsetPlan};
use crate::rowset::RowId;
use serde::Serialize;

/// One row of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `schema.table`.
    pub table: String,
    /// Its `ctid`: where the row stands, not what it holds.
    pub row: String,
    /// What brought it in.
    pub because: String,
}

/// Tells how a row got into the subset, from the seed to the row.
///
/// `table` is `schema.table`, a partition's too, or a name that only one schema has; `key` is its key, one text per column. None: the row
/// exists and is not in the subset.
///
/// # Errors
/// [`SubsetError::NoRow`] if there is no such table or row; else as [`super::select`].
pub async fn path(
    sessions: &Sessions<'_>,
    request: &Request<'_>,
    table: &str,
    key: &[String],
) -> Result<Option<Vec<Step>>, SubsetError> {
    let (leaf, row) = locate(sessions, request.plan, table, key).await?;
    let mut closure = Closure::begin(sessions, request).await?;
    closure.waves = Some(Vec::new());
    closure.run().await?;
    let waves = closure.waves.take().unwrap_or_default();
    let Some(&leaf) = closure.number.get(&leaf) else { return Ok(None) };
    let tracer = Tracer { closure: &closure, waves: &waves };
    let Some(mut at) = tracer.entered(leaf, row) else { return Ok(None) };
    let mut steps = Vec::new();
    loop {
        let (because, before) = tracer.before(&at).await?;
        let (_, about) = closure.leaves[at.leaf];
        steps.push(Step { table: about.name.clone(), row: at.row.to_string(), because });
        match before {
            Some(before) => at = before,
            None => break,
        }
    }
    steps.reverse();
    Ok(Some(steps))
}

/// A row, and the wave in which it entered the set or was selected.
struct At {
    leaf: usize,
    row: RowId,
    selected: bool,
    wave: usize,
}

struct Tracer<'a> {
    closure: &'a Closure<'a>,
    waves: &'a [Wave],
}

impl Tracer<'_> {
    fn entered(&self, leaf: usize, row: RowId) -> Option<At> {
        let wave = self.waves.iter().position(|wave| wave.entered[leaf].contains(row))?;
        Some(At { leaf, row, selected: false, wave })
    }

    fn selected(&self, leaf: usize, row: RowId) -> Option<At> {
        let wave = self.waves.iter().position(|wave| wave.selected[leaf].contains(row))?;
        Some(At { leaf, row, selected: true, wave })
    }

    /// What brought a row in, and the row before it; none for a row of the beginning.
    async fn before(&self, at: &At) -> Result<(String, Option<At>), SubsetError> {
        let plan = self.closure.plan;
        let node = self.closure.leaves[at.leaf].0;
        if at.wave == 0 {
            return Ok((self.beginning(at, node), None));
        }
        for edge in &plan.edges {
            if !at.selected
                && edge.parent == node
                && let Some(before) = self.referring(edge, at).await?
            {
                return Ok((format!("\"{}\" refers to it: {}", plan.nodes[edge.child].name, edge.name), Some(before)));
            }
            if edge.child == node
                && edge.children != Children::None
                && let Some(before) = self.parent(edge, at).await?
            {
                return Ok((
                    format!("it belongs to \"{}\": {}", plan.nodes[edge.parent].name, edge.name),
                    Some(before),
                ));
            }
        }
        Ok(("it shows what no other row does: `cover`".to_owned(), None))
    }

    fn beginning(&self, at: &At, node: usize) -> String {
        let plan = self.closure.plan;
        if self.waves[0].selected[at.leaf].contains(at.row) {
            let seeds = plan.seeds.iter().filter(|seed| seed.node == node && seed.children);
            let names: Vec<String> = seeds.map(|seed| format!("seed {} ({})", seed.number, seed.place)).collect();
            return names.join(" or ");
        }
        match (plan.whole.contains(&node), plan.seeds.iter().any(|seed| seed.node == node && !seed.children)) {
            (true, _) => "every row of the table: `whole`".to_owned(),
            (_, true) => "`rows` of [fixture]".to_owned(),
            _ => "`cover`".to_owned(),
        }
    }

    /// A row of the wave before that refers to this one.
    async fn referring(&self, edge: &SubsetEdge, at: &At) -> Result<Option<At>, SubsetError> {
        let all = SubsetEdge { children: Children::All, ..edge.clone() };
        let found = self.ask(&all, at, Direction::Down).await?;
        let before = found.into_iter().filter_map(|(leaf, row)| self.entered(leaf, row));
        Ok(before.filter(|before| before.wave + 1 == at.wave).min_by_key(|before| (before.leaf, before.row)))
    }

    /// A selected row of the wave before whose child this one is.
    async fn parent(&self, edge: &SubsetEdge, at: &At) -> Result<Option<At>, SubsetError> {
        let found = self.ask(edge, at, Direction::Up).await?;
        let before = found.into_iter().filter_map(|(leaf, row)| self.selected(leaf, row));
        let mut before: Vec<At> = before.filter(|before| before.wave + 1 == at.wave).collect();
        before.sort_by_key(|before| (before.leaf, before.row));
        for parent in before {
            // Of a parent with a limit only the first children count.
            if self.ask(edge, &parent, Direction::Down).await?.contains(&(at.leaf, at.row)) {
                return Ok(Some(parent));
            }
        }
        Ok(None)
    }

    async fn ask(&self, edge: &SubsetEdge, at: &At, direction: Direction) -> Result<Vec<(usize, RowId)>, SubsetError> {
        let (plan, (_, leaf)) = (self.closure.plan, self.closure.leaves[at.leaf]);
        let rows = [at.row];
        let sql = match direction {
            Direction::Up => link::up(plan, edge, leaf, Some(&rows), false),
            Direction::Down => link::down(plan, edge, leaf, Some(&rows)),
        };
        let what = format!("following {} of {}", edge.name, plan.nodes[edge.child].name);
        let asked = self.closure.sessions.run(async |session| {
            let mut found = Vec::new();
            wire::rows(session, &what, &sql, |fields| {
                let _ = fields.row();
                found.extend(fields.oid().zip(fields.row()));
            })
            .await?;
            Ok::<_, ExtractError>(found)
        });
        let known = |(leaf, row): (Oid, RowId)| Some((*self.closure.number.get(&leaf)?, row));
        Ok(asked.await?.into_iter().filter_map(known).collect())
    }
}

/// Finds a row by its key.
async fn locate(
    sessions: &Sessions<'_>,
    plan: &SubsetPlan,
    table: &str,
    key: &[String],
) -> Result<(Oid, RowId), SubsetError> {
    let no = |detail: String| SubsetError::NoRow { detail };
    let named = |name: &str| name == table || name.split_once('.').is_some_and(|(_, short)| short == table);
    // A partition is named as paths name it; its rows have the key of the whole table.
    let found: Vec<_> = plan.nodes.iter().filter(|node| named(&node.name)).map(|node| (node, &node.relation)).collect();
    let parts = plan.nodes.iter().flat_map(|node| node.leaves.iter().map(move |leaf| (node, leaf)));
    let parts = parts.filter(|(node, leaf)| leaf.name != node.name && named(&leaf.name));
    let found: Vec<_> = found.into_iter().chain(parts.map(|(node, leaf)| (node, &leaf.relation))).collect();
    let (node, relation) = match found.as_slice() {
        [one] => *one,
        [] => return Err(no(format!("No table is called \"{table}\"."))),
        several => return Err(no(format!("{} tables are called \"{table}\": name its schema.", several.len()))),
    };
    if node.key.is_empty() || node.key.len() != key.len() {
        let message = match node.key.len() {
            0 => format!("\"{}\" has no key that would name a row.", node.name),
            count => format!("The key of \"{}\" is {count} columns: {}.", node.name, node.key.join(", ")),
        };
        return Err(no(message));
    }
    let equal = node.key.iter().zip(&node.key_types).enumerate();
    let equal =
        equal.map(|(number, (column, r#type))| format!("t.{column} = (${}::pg_catalog.text)::{}", number + 1, r#type));
    let equal: Vec<String> = equal.collect();
    let sql = format!("SELECT t.tableoid, t.ctid::pg_catalog.text FROM {relation} AS t WHERE {}", equal.join(" AND "));
    let read = async |session: &crate::pg::SourceSession| {
        let values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
            key.iter().map(|part| part as &(dyn tokio_postgres::types::ToSql + Sync)).collect();
        let failed =
            |error: tokio_postgres::Error| ExtractError::sql(format!("looking for a row of {}", node.name), &error);
        session.client().query_opt(&sql, &values).await.map_err(failed)
    };
    let row = match sessions.run(read).await {
        // Class 22: a value that is none of its type; 23514: none of its domain. The server's words would quote it.
        Err(ExtractError::Sql { problem, .. }) if problem.sqlstate.starts_with("22") || problem.sqlstate == "23514" => {
            let columns = node.key.iter().zip(&node.key_types);
            let types = columns.map(|(column, of_type)| format!("{column} {of_type}")).collect::<Vec<_>>().join(", ");
            return Err(SubsetError::BadKey { table: node.name.clone(), types, sqlstate: problem.sqlstate });
        }
        found => found?,
    };
    let row = row.and_then(|row| Some((row.get(0), RowId::from_text(row.get(1))?)));
    row.ok_or_else(|| no(format!("\"{}\" has no row with this key.", node.name)))
}
