//! PostgreSQL: connection strings, TLS, sessions, and the COPY formats both ways.

pub mod types;
