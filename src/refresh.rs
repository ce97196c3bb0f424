//! The main job as a straight line: plan → snapshot → schema → load and index → verify → publish.
//!
//! Up to the swap nothing live changes. Whatever fails before it leaves the old database serving; what was loaded aside is
//! dropped, or kept for a look when it is complete and a check refused it.

mod artefact;
mod at_source;
mod broken;
mod check;
mod content;
mod export;
mod gates;
mod graph;
mod hooks;
mod json_hint;
mod json_keys;
mod leak;
mod literals;
mod locales;
mod measures;
mod order;
mod past;
mod preflight;
mod prepare;
mod privacy;
mod proof;
mod publish;
mod reading;
mod record;
mod run;
mod samples;
mod subset;
pub mod target;
mod work;

pub use check::check;
pub use content::Sealing;
pub use export::{Wish, export};
pub use gates::{Asked, Settings as GateSettings};
pub use hooks::Surroundings;
pub use json_keys::{Purpose, changes as key_changes, survey, unknown as unknown_keys, unread as unread_keys};
pub use past::Today;
pub use preflight::target_lacks;
pub use prepare::{Inspected, Prepared, inspect, prepare};
pub use run::{load, refresh};
pub use subset::{COUNT_MAX, Counted, count as count_subset, trace as trace_row};

use crate::config::{
    AnonymityRule, CandidateConfig, FidelityConfig, HookConfig, LeakConfig, MissingRoles, NewPartitions, Place,
    PublishMode, QueryGate, ReferenceRule, TableRule, Undecided,
};
use crate::error::Report;
use crate::extract;
use crate::guard;
use crate::lock::{self, Lock};
use crate::manifest::sign::Signer;
use crate::mask::key::RealmKey;
use crate::outcome::Ledger;
use crate::pg::Conninfo;
use crate::plan::{Floor, Policy};
use crate::release::RunId;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything a refresh needs to know, resolved by `cli` from the configuration and the command line.
pub struct Job {
    pub source: Conninfo,
    /// None where only files are written.
    pub target: Option<Conninfo>,
    pub maintenance_db: String,
    pub extract: extract::Settings,
    pub plan: crate::plan::Settings,
    pub rules: Vec<TableRule>,
    pub references: Vec<ReferenceRule>,
    pub undecided: Undecided,
    /// The rule packs that hold.
    pub packs: Vec<String>,
    /// Where each of them is written.
    pub pack_places: Vec<Place>,
    /// Files with rules in Rego over the plan.
    pub rego: Vec<PathBuf>,
    /// The day of the run, for reasons that end.
    pub today: jiff::civil::Date,
    /// Accept definitions whose literals look personal.
    pub accept_literals: bool,
    /// Labels of those that are accepted one by one, or globs.
    pub literals_allow: Vec<String>,
    pub allow_schema_drift: bool,
    pub key: RealmKey,
    pub key_id: String,
    pub realm: String,
    /// The key is made for this run and never comes again.
    pub ephemeral: bool,
    /// The reviewed plan, if there is one.
    pub lock: Option<Lock>,
    pub lock_file: PathBuf,
    pub new_partitions: NewPartitions,
    pub guard: guard::Settings,
    /// What the configuration asks for and this build does not do.
    pub refused: Vec<Report>,
    /// Folder of the configuration, where programs of hooks run.
    pub folder: PathBuf,
    pub publish: PublishMode,
    /// Earlier releases kept for rollback.
    pub keep: u32,
    pub hooks: Vec<HookConfig>,
    pub leak: LeakConfig,
    /// What the planner is asked about on both sides.
    pub queries: Vec<QueryGate>,
    /// The user's gates.
    pub gates: GateSettings,
    pub anonymity: Vec<AnonymityRule>,
    pub candidates: CandidateConfig,
    /// Compare masked columns with the source.
    pub measure: bool,
    pub fidelity: FidelityConfig,
    pub bin_dir: Option<PathBuf>,
    /// Role that owns everything in the copy; none: the role of the target connection.
    pub owner: Option<String>,
    pub roles: BTreeMap<String, String>,
    pub missing_roles: MissingRoles,
    /// Extensions of the source that the copy does without.
    pub skip_extensions: Vec<String>,
    pub unlogged: bool,
    /// Heavy backends on the target at any time.
    pub jobs: usize,
    /// Threads that mask.
    pub threads: usize,
    /// Memory for batches in flight.
    pub budget_bytes: u64,
    pub config_hash: String,
    pub run: RunId,
    pub os_user: String,
    pub host: String,
    pub report_dir: Option<PathBuf>,
    /// Load and verify, but publish nothing and drop the result.
    pub dry_run: bool,
    /// Who signs the manifest, if it is signed.
    pub signer: Option<Signer>,
    /// Where the run notes what it knows, for the report.
    pub ledger: Ledger,
}

impl Job {
    /// What the user decided.
    pub fn policy(&self) -> Policy<'_> {
        Policy {
            rules: &self.rules,
            references: &self.references,
            undecided: self.undecided,
            floor: Floor { packs: &self.packs, places: &self.pack_places, today: Some(self.today), open: false },
        }
    }

    /// `application_name` of all our sessions: the watcher tells ours from others by it.
    pub fn application(&self) -> String {
        format!("restage/{}", self.run)
    }

    /// What a lock says about the run itself.
    fn lock_facts(&self) -> lock::Facts<'_> {
        let seal = lock::Seal { key: &self.key, ephemeral: self.ephemeral };
        let switches = lock::Switches {
            packs: &self.packs,
            accept_literals: self.accept_literals,
            undecided_null: self.undecided == Undecided::Null,
            inherit_partitions: self.new_partitions == NewPartitions::Inherit,
            leak: self.leak.on,
            leak_allow: &self.leak.allow,
        };
        lock::Facts { key_id: &self.key_id, realm: &self.realm, seal, switches }
    }

    /// The target of a run that loads.
    ///
    /// # Panics
    /// If the run writes files only.
    pub fn target(&self) -> &Conninfo {
        self.target.as_ref().expect("a run that loads was given a target")
    }
}
