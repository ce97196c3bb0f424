//! Arithmetic of distributions: how far two of them are apart, and how much one tells. Pure: asks no server, and no value
//! leaves it.

mod classes;
pub mod compared;
mod distance;
pub mod rows;

#[cfg(test)]
mod tests;

pub use classes::{Class, Ranks};
pub use distance::{ks, psi, spearman, total_variation};
