//! The rows a subset starts from: by condition, by share of the keys, by number in an order.

use super::Request;
use super::error::SubsetError;
use super::sessions::Sessions;
use super::wire;
use crate::catalog::Oid;
use crate::extract::ExtractError;
use crate::plan::{SubsetNode, SubsetSeed};
use crate::rowset::RowSet;
use std::collections::BTreeMap;

/// Name of the domain that percentages are drawn in: a sample says nothing about any mask.
const SAMPLE: &str = "subset.sample/1";

/// Finds the rows of one seed, by leaf.
pub(super) async fn find(
    sessions: &Sessions<'_>,
    request: &Request<'_>,
    seed: &SubsetSeed,
) -> Result<BTreeMap<Oid, RowSet>, SubsetError> {
    let node = &request.plan.nodes[seed.node];
    let what = format!("choosing rows of {}", node.name);
    let sql = query(node, seed);
    let below = seed.percent.map(threshold);
    let domain = request.key.domain(SAMPLE, &node.name);
    let found = sessions.run(async |session| {
        let mut found: BTreeMap<Oid, RowSet> = BTreeMap::new();
        let mut left = seed.limit.unwrap_or(u64::MAX);
        let mut take = |fields: &mut wire::Fields<'_>| -> Option<()> {
            let (leaf, row) = (fields.oid()?, fields.row()?);
            let mut parts = Vec::new();
            while let Some(part) = fields.bytes() {
                parts.push(part);
            }
            let sampled = below.is_none_or(|below| domain.place(&parts) < below);
            if sampled && left > 0 {
                left -= 1;
                found.entry(leaf).or_default().insert(row);
            }
            Some(())
        };
        wire::rows(session, &what, &sql, |fields| {
            take(fields);
        })
        .await?;
        Ok::<_, ExtractError>(found)
    });
    Ok(found.await?)
}

/// The place on the scale of [`crate::mask::key::DomainKey::place`] below which a share of all keys lies.
fn threshold(percent: f64) -> u64 {
    // 2^64 itself does not fit; the last key of 100 % is one in 2^64.
    if percent >= 100.0 { u64::MAX } else { (percent / 100.0 * 2f64.powi(64)) as u64 }
}

pub(super) fn query(node: &SubsetNode, seed: &SubsetSeed) -> String {
    let mut sql = "SELECT t.tableoid, t.ctid".to_owned();
    if seed.percent.is_some() {
        sql.push_str(&format!(", {}", node.told_by().join(", ")));
    }
    sql.push_str(&format!(" FROM {} AS t", seed.relation));
    sql.push_str(&node.condition(seed.condition.as_ref()));
    if seed.limit.is_some() {
        let order = seed.order.iter().cloned();
        let key = node.order.iter().map(|term| term.of("t"));
        let place = ["t.tableoid".to_owned(), "t.ctid".to_owned()];
        let order: Vec<String> = order.chain(key).chain(place).collect();
        sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
    }
    if let (Some(limit), None) = (seed.limit, seed.percent) {
        sql.push_str(&format!(" LIMIT {limit}"));
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_nested() {
        assert!(threshold(0.000_001) > 0);
        assert!([1.0, 5.0, 50.0, 99.999, 100.0].map(threshold).is_sorted());
        assert_eq!(threshold(50.0), 1 << 63);
    }
}
