//! Answers of the source as COPY BINARY: rows of object ids, row ids and texts, read as they arrive.

use crate::catalog::Oid;
use crate::extract::ExtractError;
use crate::pg::{SourceSession, decode};
use crate::rowset::RowId;
use bytes::Bytes;
use futures_util::{StreamExt, pin_mut};

/// The fields of one row.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The next field; none is NULL. Outer none: the row ends here.
    fn next(&mut self) -> Option<Option<&'a [u8]>> {
        let (length, rest) = self.rest.split_first_chunk::<4>()?;
        let length = i32::from_be_bytes(*length);
        let Ok(length) = usize::try_from(length) else {
            self.rest = rest;
            return Some(None);
        };
        let field = rest.get(..length)?;
        self.rest = &rest[length..];
        Some(Some(field))
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        self.next().flatten()
    }

    pub fn oid(&mut self) -> Option<Oid> {
        Some(Oid::from_be_bytes(self.bytes()?.try_into().ok()?))
    }

    pub fn row(&mut self) -> Option<RowId> {
        RowId::from_wire(self.bytes()?)
    }
}

/// Runs a query and hands each row of its answer to `take`.
///
/// # Errors
/// The error of the server, told as `what`.
pub(super) async fn rows(
    session: &SourceSession,
    what: &str,
    sql: &str,
    mut take: impl FnMut(&mut Fields<'_>),
) -> Result<(), ExtractError> {
    let failed = |error: tokio_postgres::Error| ExtractError::sql(what, &error);
    let torn = || ExtractError::Truncated { table: what.to_owned() };
    let copy = format!("COPY ({sql}) TO STDOUT (FORMAT binary)");
    let stream = session.client().copy_out(&copy).await.map_err(failed)?;
    pin_mut!(stream);
    let (mut started, mut ended) = (false, false);
    while let Some(message) = stream.next().await {
        let mut message: Bytes = message.map_err(failed)?;
        if !started {
            started = true;
            let header = decode::strip_header(&message).map_err(|_| torn())?;
            message = message.slice(header..);
            if message.is_empty() {
                continue;
            }
        }
        if decode::is_trailer(&message) {
            ended = true;
            continue;
        }
        // Two bytes say how many fields follow; the query says it too.
        take(&mut Fields { rest: message.get(2..).unwrap_or_default() });
    }
    if ended { Ok(()) } else { Err(torn()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_end_where_the_row_ends() {
        let row = [&[0, 0, 0, 4, 0, 0, 0, 7][..], &[0xff; 4], &[0, 0, 0, 6, 0, 0, 0, 1, 0, 2]].concat();
        let mut fields = Fields { rest: &row };
        assert_eq!((fields.oid(), fields.row(), fields.row()), (Some(7), None, Some(RowId::new(1, 2))));
        assert_eq!(fields.bytes(), None);
        assert_eq!(Fields { rest: &[0, 0, 0, 9, 1] }.bytes(), None);
    }
}
