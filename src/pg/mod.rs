//! PostgreSQL: connection strings, TLS, sessions, and the COPY formats both ways.

pub mod conninfo;
pub mod decode;
pub mod encode;
mod inlined;
mod nested;
pub mod problem;
pub mod rowsum;
pub mod session;
mod text_format;
pub mod tls;
pub mod types;

#[cfg(test)]
mod codec_tests;

pub use conninfo::{Conninfo, ConninfoError, Environment};
pub use inlined::Inlined;
pub use problem::{SqlProblem, sql_error};
pub use session::{
    Canceler, ConnectError, CopyError, CopyOut, Endpoint, Notice, Session, SessionError, Side, SourceSession,
    TargetSession, Wire, local_settings,
};

/// Values as the server writes them, for files that hold rows.
pub mod text {
    pub use super::text_format::{
        date, escape, put_date, put_float, put_time, put_timestamp, put_uuid, time, timestamp, unescape, uuid,
    };
}

/// Quotes an SQL identifier, always: a quoted name means the same everywhere.
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes `schema.name`.
pub fn quote_qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_ident(schema), quote_ident(name))
}

/// Quotes an SQL string so that it means the same with either setting of `standard_conforming_strings`.
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}
