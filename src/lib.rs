//! Staging gets last night's production, without the people in it.

pub mod buffers;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod demo;
pub mod error;
pub mod event;
pub mod extract;
pub mod guard;
pub mod load;
pub mod mask;
pub mod outcome;
pub mod pg;
pub mod pipeline;
pub mod plan;
pub mod publish;
pub mod refresh;
pub mod release;
pub mod secret;
pub mod verify;
