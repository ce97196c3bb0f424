//! The findings of `doctor`, group by group, each with the line that fixes it.

use super::{Look, hang};
use crate::outcome::{Check, DoctorReport, Status};
use std::fmt::Write as _;

pub(super) fn doctor(report: &DoctorReport, look: &Look) -> String {
    let mut text = String::new();
    let mut group = None;
    let width = report.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    for check in &report.checks {
        if group != Some(check.group) {
            if group.is_some() {
                text.push('\n');
            }
            group = Some(check.group);
            let _ = writeln!(text, "{}", look.strong(check.group.name()));
        }
        line(&mut text, check, width, look);
    }
    let count = |status| report.checks.iter().filter(|check| check.status == status).count();
    let (warnings, failures) = (count(Status::Warn), count(Status::Fail));
    let end = match (failures, warnings) {
        (0, 0) => look.good("All is well."),
        (0, _) => look.warn("Nothing keeps a run from starting; look at the lines marked !."),
        _ => look.bad("Fix the lines marked ✗ first."),
    };
    let _ = write!(text, "\n{} ok, {warnings} to look at, {failures} to fix. {end}", count(Status::Ok));
    text
}

fn line(text: &mut String, check: &Check, width: usize, look: &Look) {
    let sign = match check.status {
        Status::Ok => look.good("✓"),
        Status::Warn => look.warn("!"),
        Status::Fail => look.bad("✗"),
    };
    let row = format!("  {sign} {:width$}  {}", check.name, hang(&check.detail, width + 6));
    let _ = writeln!(text, "{}", row.trim_end());
    if let Some(fix) = check.fix.as_ref().filter(|_| check.status != Status::Ok || look.verbose > 0) {
        let _ = writeln!(
            text,
            "    {:width$}  {}",
            look.dim("fix:"),
            look.name(&hang(fix, width + 6)),
            width = pad(width, look)
        );
    }
}

/// Width of a padded label: escape codes count as characters in a format width.
fn pad(width: usize, look: &Look) -> usize {
    width + look.dim("fix:").len() - "fix:".len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Group;

    #[test]
    fn findings_stand_in_groups_with_their_fixes() {
        let check = |group, name: &str, status, detail: &str, fix: Option<&str>| Check {
            group,
            name: name.into(),
            status,
            detail: detail.into(),
            fix: fix.map(Into::into),
        };
        let report = DoctorReport {
            checks: vec![
                check(Group::Key, "key", Status::Ok, "id da7ed64a2bd1b44b, from a file only you can read", None),
                check(Group::Source, "connection", Status::Ok, "PostgreSQL 15.18, TLS 1.3", None),
                check(
                    Group::Source,
                    "rights",
                    Status::Fail,
                    "restage_ro cannot read 2 tables",
                    Some(
                        "GRANT SELECT ON TABLE public.orders TO restage_ro;\nGRANT SELECT ON TABLE public.items TO restage_ro;",
                    ),
                ),
                check(Group::Target, "disk", Status::Warn, "12 GB free, the last release took 11 GB", None),
            ],
        };
        insta::assert_snapshot!(doctor(&report, &Look::default()), @r#"
        key
          ✓ key         id da7ed64a2bd1b44b, from a file only you can read

        source
          ✓ connection  PostgreSQL 15.18, TLS 1.3
          ✗ rights      restage_ro cannot read 2 tables
            fix:        GRANT SELECT ON TABLE public.orders TO restage_ro;
                        GRANT SELECT ON TABLE public.items TO restage_ro;

        target
          ! disk        12 GB free, the last release took 11 GB

        2 ok, 1 to look at, 1 to fix. Fix the lines marked ✗ first.
        "#);
        let colored = doctor(&report, &Look { color: true, ..Look::default() });
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), doctor(&report, &Look::default()));
    }
}
