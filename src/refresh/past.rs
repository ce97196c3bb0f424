//! Whether a masked snapshot hides what the policy hides today: it was masked once, and loads as often as somebody likes.
//!
//! A snapshot holds what its policy did to every column, and the catalog that policy was resolved against. Loading it
//! resolves the policy of today against the same catalog, and compares. So a column that was kept then and is masked now
//! does not come to staging by an old file.

use super::Job;
use super::artefact::Opened;
use crate::artefact::{CATALOG, Manifest, POLICY};
use crate::catalog::{Catalog, Server};
use crate::config::{Action, Decision, TableRule, matches};
use crate::error::{Exit, Failure, Report};
use crate::event::Events;
use crate::load::folder::Folder;
use crate::lock::{self, Lock};
use crate::plan::{self, Policy};
use std::path::Path;

/// Lines an error lists.
const SHOWN_MAX: usize = 20;

/// What a loaded snapshot is compared with, beside the policy of the job.
#[derive(Debug, Default)]
pub struct Today {
    /// The reviewed plan, if there is one.
    pub lock: Option<Lock>,
    /// The configuration names a key.
    pub names_key: bool,
    /// The id of that key, where it could be read.
    pub key_id: Option<String>,
    /// A snapshot that hides less is loaded all the same, and told.
    pub accept: bool,
}

/// The policy that a snapshot was made under.
pub(super) struct Past {
    lock: Lock,
    catalog: Catalog,
}

/// Writes down what the policy did, and what it was resolved against. No value of a row is in it.
pub(super) fn write(folder: &Folder, catalog: &Catalog, policy: &Lock) -> Result<(), Failure> {
    // The server stands in `schema.json`, without what is nobody's business.
    let catalog = Catalog { server: Server::default(), ..catalog.clone() };
    let text = serde_json::to_vec(&catalog)
        .map_err(|error| Failure::new(Exit::Internal, Report::new("internal::catalog", error.to_string())))?;
    folder.write(CATALOG, &text)?;
    let head = "# What the policy did to every column of this snapshot, in the form of `restage.lock`.\n";
    Ok(folder.write(POLICY, format!("{head}{}", lock::render(policy)).as_bytes())?)
}

impl Past {
    /// Reads what [`write`] wrote; none where another version wrote it, in another form or not at all.
    pub fn read(folder: &Path, manifest: &Manifest, server: &Server) -> Option<Self> {
        if ![POLICY, CATALOG].iter().all(|name| manifest.files.contains_key(*name)) {
            return None;
        }
        let lock = lock::read(&folder.join(POLICY)).ok()??;
        let catalog: Catalog = serde_json::from_slice(&std::fs::read(folder.join(CATALOG)).ok()?).ok()?;
        Some(Self { lock, catalog: Catalog { server: server.clone(), ..catalog } })
    }
}

impl Today {
    /// Compares a snapshot with the policy and the key of today. Returns the refusal; what is accepted, or cannot be
    /// compared, is a warning.
    pub(super) fn judge(&self, job: &Job, opened: &Opened, events: &Events) -> Option<Report> {
        self.tell_key(opened, events);
        let config = "the configuration";
        if job.rules.is_empty() && job.packs.is_empty() && self.lock.is_none() {
            let kept = opened.manifest.tables.iter().flat_map(|table| &table.columns);
            let kept = kept.filter(|column| column.decision == "keep").count();
            events.warn(format!(
                "{config} has no policy to compare the snapshot with: what it shows, {kept} columns as they are in \
                 production, was decided where it was made"
            ));
            return self.other_key(opened).and_then(|line| self.refuse(opened, vec![line], events));
        }
        let Some(past) = &opened.past else {
            if self.accept {
                events.warn("accepted: the snapshot does not say under which policy it was made");
                return None;
            }
            let report = Report::new("artefact::policy", "the snapshot does not say under which policy it was made")
                .detail(format!(
                    "Version {} of restage made it, and left nothing that this version could compare with {config}.",
                    opened.taken.tool
                ));
            return Some(report.place(opened.folder.display().to_string()).hint(way_out(opened)));
        };
        let mut lines: Vec<String> = self.other_key(opened).into_iter().collect();
        if !job.rules.is_empty() || !job.packs.is_empty() {
            lines.extend(past.against_policy(job));
            lines.extend(past.renamed(&job.rules));
        }
        if let Some(reviewed) = &self.lock {
            let file = job.lock_file.file_name().map(|name| name.to_string_lossy().into_owned());
            lines.extend(lock::weaker(&past.lock, reviewed, &file.unwrap_or_default()));
        }
        if past.lock.mask_spec != crate::mask::VERSION {
            events.warn(format!(
                "the snapshot was masked by version {} of the masking core, and this is {}: its pseudonyms differ from those \
                 of a refresh",
                past.lock.mask_spec,
                crate::mask::VERSION
            ));
        }
        self.refuse(opened, lines, events)
    }

    fn refuse(&self, opened: &Opened, mut lines: Vec<String>, events: &Events) -> Option<Report> {
        if lines.is_empty() {
            return None;
        }
        if self.accept {
            lines.iter().for_each(|line| events.warn(format!("accepted: {line}")));
            return None;
        }
        let more = lines.len().saturating_sub(SHOWN_MAX);
        lines.truncate(SHOWN_MAX);
        lines.extend((more > 0).then(|| format!("and {more} more")));
        let report = Report::new("artefact::policy", "the snapshot is not what the policy of today would make")
            .place(opened.folder.display().to_string())
            .detail(lines.join("\n"));
        Some(report.hint(way_out(opened)))
    }

    /// Why pseudonyms of the snapshot are not those of a refresh.
    fn other_key(&self, opened: &Opened) -> Option<String> {
        let (then, now) = (&opened.manifest.key_id, self.key_id.as_ref()?);
        (then != now).then(|| {
            format!(
                "key: {then} made the snapshot, and the configuration names {now}: it joins with nothing made with that"
            )
        })
    }

    /// Says what was not compared.
    fn tell_key(&self, opened: &Opened, events: &Events) {
        let (realm, key_id) = (&opened.manifest.realm, &opened.manifest.key_id);
        match (self.names_key, &self.key_id) {
            (true, Some(_)) => {}
            (true, None) => events.warn(format!(
                "the key of the configuration is not known here, and was not compared with key {key_id} of the snapshot"
            )),
            (false, _) => events.warn(format!(
                "the configuration names no [key]: pseudonyms of the snapshot join only with what key {key_id} made in realm \
                 \"{realm}\""
            )),
        }
    }
}

impl Past {
    /// What the configuration hides more, by a plan of today for the tables of then.
    fn against_policy(&self, job: &Job) -> Vec<String> {
        let policy = Policy {
            rules: &job.rules,
            references: &job.references,
            undecided: job.undecided,
            floor: plan::Floor { packs: &job.packs, places: &job.pack_places, today: Some(job.today), open: false },
        };
        // Which rows are enough is no decision about persons, and rights and forms are those of the day it was made.
        let settings = plan::Settings { subset: None, text: true, ..job.plan.clone() };
        match plan::build_past(&self.catalog, &policy, &settings) {
            Ok(plan) => {
                let now = Lock::of(&self.catalog, &plan, &job.lock_facts());
                lock::weaker(&self.lock, &now, "the configuration")
            }
            // What cannot be resolved still says which columns are to be hidden.
            Err(plan::Refusals(reports)) => {
                let wrong = reports.into_iter().map(|report| report.message);
                let hidden = plan::hidden(&self.catalog, &policy).into_iter().filter(|(table, column)| {
                    let then = self.lock.tables.get(table).and_then(|table| table.columns.get(column));
                    then.is_some_and(|then| then.decision == "keep")
                });
                let hidden = hidden.map(|(table, column)| {
                    format!("column {table}.{column}: keep in the snapshot, hidden by the configuration")
                });
                wrong.chain(hidden).collect()
            }
        }
    }

    /// Columns that are hidden today and have no such name in the snapshot, beside columns that it keeps because nobody
    /// listed them: one may be the other under its old name.
    fn renamed(&self, rules: &[TableRule]) -> Vec<String> {
        let hides = |decision: &Decision| !matches!(decision.action, Action::Keep { .. });
        let listed = |table: &str, column: &str| {
            let about = rules.iter().filter(|rule| matches(&rule.pattern, table));
            about.flat_map(|rule| &rule.columns).any(|(pattern, _)| matches(pattern, column))
        };
        let mut found = Vec::new();
        for rule in rules {
            let Some(table) = self.lock.tables.get(&rule.pattern) else { continue };
            let gone = |(name, decision): &&(String, Decision)| {
                hides(decision) && !table.columns.keys().any(|column| matches(name, column))
            };
            let open = table.columns.iter();
            let open: Vec<&str> = open
                .filter(|(name, column)| column.decision == "keep" && !listed(&rule.pattern, name))
                .map(|(name, _)| name.as_str())
                .collect();
            let gone = rule.columns.iter().filter(gone).filter(|_| !open.is_empty());
            found.extend(gone.map(|(name, _)| {
                let (table, open) = (&rule.pattern, open.join(", "));
                format!(
                    "column {table}.{name}: hidden by the configuration and not in the snapshot, which keeps {open}"
                )
            }));
        }
        found
    }
}

fn way_out(opened: &Opened) -> String {
    format!(
        "restage snapshot --out DIR     # makes another one, under the policy of today\nrestage load {} --accept-policy     # \
         publishes what this one shows all the same",
        opened.folder.display()
    )
}
