//! Staging gets last night's production, without the people in it.

pub mod catalog;
pub mod config;
pub mod error;
pub mod event;
pub mod mask;
pub mod pg;
pub mod plan;
