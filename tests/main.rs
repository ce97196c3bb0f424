//! Every test that needs the program or a server; one binary, because linking is what takes time.

mod policy;
mod support;

mod broken;
mod catalog;
mod cli;
mod conditions;
mod conn;
#[expect(clippy::print_stdout, reason = "its tables are for people")]
mod corpus;
#[expect(clippy::print_stdout, reason = "what was measured is for people")]
mod discover;
mod faults;
mod files;
mod fixture;
mod foresight;
mod gates;
mod guards;
mod identity;
mod leak;
mod lock;
mod manifest;
mod measures;
mod mentions;
mod migrations;
mod packs;
mod past;
mod pinned;
mod programs;
mod proof;
mod refresh;
mod report;
mod roundtrip;
mod shop;
mod source;
mod staging;
mod subset;
mod texts;
mod tidy;
mod types;
mod validator;
mod whose;
