//! Arithmetic of distributions: how far two of them are apart, and how much one tells. Pure: no values, no servers.

mod classes;
mod distance;

#[cfg(test)]
mod tests;

pub use classes::{Class, Ranks};
pub use distance::{ks, psi, spearman, total_variation};
