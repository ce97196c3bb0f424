//! The socket under a session: TCP with the options of the connection string, or a Unix socket.

use super::super::conninfo::Keepalives;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// How long a TCP connection is idle before it is probed, where the connection string does not say: as the driver has it.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(2 * 60 * 60);

/// One place a server may listen at; cancel requests go to the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Tcp(IpAddr, u16),
    Unix(PathBuf),
}

/// Bytes the kernel may hold of one direction of a connection within this machine (Linux doubles it). What waits there
/// longer has left the near caches before the other side reads it; between machines the kernel has to find the size.
const LOCAL_BUFFER_BYTES: usize = 128 * 1024;

pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// # Errors
    /// What the operating system says.
    pub(super) async fn connect(address: &Address, keepalives: &Keepalives) -> io::Result<Self> {
        match address {
            Address::Tcp(address, port) => {
                let stream = TcpStream::connect((*address, *port)).await?;
                stream.set_nodelay(true)?;
                let socket = SockRef::from(&stream);
                if address.is_loopback() {
                    socket.set_send_buffer_size(LOCAL_BUFFER_BYTES)?;
                    socket.set_recv_buffer_size(LOCAL_BUFFER_BYTES)?;
                }
                #[cfg(target_os = "linux")]
                if let Some(timeout) = keepalives.user_timeout {
                    socket.set_tcp_user_timeout(Some(timeout))?;
                }
                if keepalives.on {
                    let mut probes = TcpKeepalive::new().with_time(keepalives.idle.unwrap_or(KEEPALIVE_IDLE));
                    if let Some(interval) = keepalives.interval {
                        probes = probes.with_interval(interval);
                    }
                    if let Some(count) = keepalives.count {
                        probes = probes.with_retries(count);
                    }
                    socket.set_tcp_keepalive(&probes)?;
                }
                Ok(Self::Tcp(stream))
            }
            Address::Unix(path) => UnixStream::connect(path).await.map(Self::Unix),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
