//! Which process a cancel key belongs to: a pooler gives itself away by keys of its own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio_postgres::CancelToken;
use tokio_postgres::tls::TlsConnect;

/// Reads the process id out of a cancel key by sending the cancel request into a pipe instead of to the server.
///
/// The driver does not publish the id. The request's last sixteen bytes are length, code, process id and secret;
/// source: "CancelRequest" in PostgreSQL's message formats. `None` if the request looks otherwise.
pub(super) async fn process_id(token: &CancelToken) -> Option<i32> {
    let (near, mut far) = tokio::io::duplex(256);
    // Where TLS is asked for first, the answer is yes.
    far.write_all(b"S").await.ok()?;
    token.cancel_query_raw(near, Pipe).await.ok()?;
    let mut sent = Vec::new();
    far.read_to_end(&mut sent).await.ok()?;
    let request = sent.last_chunk::<16>()?;
    let code = i32::from_be_bytes(*request[4..].first_chunk()?);
    (code == 80_877_102).then_some(i32::from_be_bytes(*request[8..].first_chunk()?))
}

/// "TLS" for [`process_id`]: the pipe itself.
struct Pipe;

struct PipeStream(DuplexStream);

impl TlsConnect<DuplexStream> for Pipe {
    type Stream = PipeStream;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<PipeStream, Self::Error>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        std::future::ready(Ok(PipeStream(stream)))
    }
}

impl tokio_postgres::tls::TlsStream for PipeStream {
    fn channel_binding(&self) -> tokio_postgres::tls::ChannelBinding {
        tokio_postgres::tls::ChannelBinding::none()
    }
}

impl AsyncRead for PipeStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for PipeStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
