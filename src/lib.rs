//! Staging gets last night's production, without the people in it.
//!
//! # A refresh is a straight line of values
//!
//! ```text
//! config ──► catalog ──► plan ──► extract ══► mask ══► load ──► verify ──► publish
//! Config     Catalog     Plan     Wire → RawBatch → MaskedBatch → Unit → Receipt   Gates     Published
//!            once, small, pure where it can be │ per batch, hot │ once
//! ```
//!
//! [`refresh`] is that line. It resolves a [`plan::Plan`] from the source's [`catalog::Catalog`] and the user's policy, or
//! every reason not to; takes a snapshot that two keepers hold ([`extract::snapshot`]); makes a new database beside the
//! live one and gives it the source's schema ([`load::objects`], [`load::database`]); copies, masks and loads each table
//! ([`pipeline`]); builds keys, indexes and foreign keys as soon as their rows are in ([`load::post`]); judges the result
//! ([`verify`]); and swaps the names of two databases in one transaction ([`publish`]).
//!
//! [`pipeline`] is the only bridge between tokio, which moves bytes, and rayon, which decodes, masks and encodes one batch
//! per job. What is hot ([`pg::decode`], [`mask`], [`pg::encode`]) does no I/O and is tested without a server.
//!
//! # Layers
//!
//! Imports go down only; `tests/tidy.rs` holds it.
//!
//! | layer | modules |
//! |---|---|
//! | what people type and read | [`cli`], [`demo`], [`report`] |
//! | the line | [`refresh`], [`pipeline`]; [`trial`]: policy and masks alone |
//! | edges, each with its own server or file | [`discover`], [`extract`], [`subset`], [`load`], [`verify`], [`publish`], [`guard`], [`secret`] |
//! | folders of masked rows, and whether they are whole | [`artefact`] |
//! | decisions and bytes, pure but for [`catalog::read`], the file of [`lock`] and sessions | [`plan`], [`lock`], [`catalog`], [`pg`] |
//! | what looks personal, by name, type and content; pure | [`detect`] |
//! | how far distributions are apart; pure | [`measure`] |
//! | what is learned of values on their way; pure | [`proof`] |
//! | masks: knows Arrow and BLAKE3, nothing of PostgreSQL | [`mask`] |
//! | refusals of an organisation, in Rego; pure but for its files | [`rego`] |
//! | BLAKE3 side by side, for masks and for hashes of rows | [`rounds`] |
//! | words everybody shares | [`config`], [`outcome`], [`event`], [`manifest`], [`release`], [`rowset`], [`buffers`], [`error`] |
//!
//! # Invariants, and the test that holds each
//!
//! 1. Only [`mask`] can make a [`mask::batch::MaskedBatch`], and nothing else is encoded for a sink: by type, and
//!    `leak::no_canary_of_any_column_reaches_staging_its_files_logs_or_reports` and
//!    `files::no_canary_is_in_any_file_log_or_answer` for the whole program.
//! 2. No source value in an error, log, event, report or panic: `leak::constraints_that_masks_break_are_told_without_the_row`,
//!    `leak::bytes_that_are_no_text_are_told_by_place`.
//! 3. Every column is decided; an undecided one is refused: `refresh::undecided_column_is_refused_before_a_row_is_read`.
//! 4. Output depends on snapshot, plan, key and [`mask::VERSION`] only: `shop::same_key_gives_the_same_staging_whatever_workers_chunks_and_memory`,
//!    `mask::tests::masks_depend_on_no_batch_and_no_thread`.
//! 5. Equal inputs of a domain get equal pseudonyms, keys stay unique, foreign keys hold:
//!    `shop::every_foreign_key_has_the_orphans_it_had_and_no_others`,
//!    `shop::joins_on_masked_natural_keys_return_as_many_rows_as_before`.
//! 6. Every queue is bounded and batches stay within the budget: [`pipeline::Budget`].
//! 7. Whatever can be refused is refused before a row is read: `plan::tests`, `broken`; what only values can tell, before
//!    the run: `foresight`; what changed since it was reviewed: `lock::each_migration_stops_the_next_run_with_the_lines_to_paste_and_goes_on_once_accepted`,
//!    `migrations`.
//! 8. Nothing live changes before [`publish`]: `faults::kills::killed_restage_leaves_a_whole_release_and_nothing_else`.
//! 9. A chunk may be redone any number of times: `faults::kills::ended_worker_or_keeper_is_replaced_and_two_keepers_are_the_snapshot`.
//! 10. [`pg::decode`] answers malformed bytes with an error: `pg::codec_tests`.
//! 11. A loaded database that holds values of masked columns is not published: `proof`, each test with a twin.
//! 12. What is learned of values is bounded, and no value: `proof::tests`, `measures`.

pub mod cli;
pub mod demo;
pub mod report;

pub mod pipeline;
pub mod refresh;
pub mod trial;

pub mod discover;
pub mod extract;
pub mod guard;
pub mod load;
pub mod publish;
pub mod secret;
pub mod subset;
pub mod verify;

pub mod catalog;
pub mod lock;
pub mod pg;
pub mod plan;

pub mod detect;
pub mod mask;
pub mod measure;
pub mod proof;

pub mod artefact;
pub mod buffers;
pub mod config;
pub mod error;
pub mod event;
pub mod manifest;
pub mod outcome;
pub mod rego;
pub mod release;
pub mod rounds;
pub mod rowset;
