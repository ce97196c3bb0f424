//! Takes the rows of a COPY out of the byte stream before the driver sees them.
//!
//! ```text
//!  socket ─(TLS)─► Tap ──everything but rows──► driver (login, answers, errors, end of the COPY)
//!                   └───rows, in large pieces──► CopyOut::next
//! ```
//!
//! The driver makes an object with a reference count of every row, which costs more than masking a narrow one. The tap
//! knows no more of the protocol than the frame of a message (one byte of type, four of length; source: "Message Formats"
//! in PostgreSQL's documentation). Between [`TapHandle::open`] and the end of the COPY it copies the bodies of `CopyData`
//! messages into pieces; whatever else arrives passes unchanged and in order.

use super::super::decode;
use super::super::types::Format;
use crate::buffers::Buffers;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// Bytes asked of the socket at once: while rows arrive, and otherwise.
const READ_BYTES: usize = 128 * 1024;
const READ_BYTES_IDLE: usize = 8 * 1024;
/// Pieces that wait for their taker; then the socket is left unread, which is what slows the server down.
const PIECES_WAITING: usize = 2;
/// A row may end this far behind the wanted size of a piece without the buffer growing.
const SLACK_BYTES: usize = 32 * 1024;
const HEAD_BYTES: usize = 5;
const COPY_DATA: u8 = b'd';

/// Whole rows as the server sent them, without file header and trailer.
#[derive(Debug, PartialEq, Eq)]
pub struct Wire {
    pub rows: u64,
    pub bytes: Bytes,
}

/// The end of a COPY that a tap has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// Header or trailer of the binary format is missing.
    Broken,
}

/// The other end of a [`Tap`]. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct TapHandle(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    rows: Option<Collector>,
    /// The task that reads the socket, while it waits for room.
    reader: Option<Waker>,
    taker: Option<Waker>,
}

/// Rows on their way into pieces.
struct Collector {
    format: Format,
    piece_bytes: usize,
    buffers: Buffers,
    piece: Vec<u8>,
    /// Rows in `piece`.
    count: u64,
    /// Where the row that is arriving starts in `piece`.
    row_start: usize,
    full: VecDeque<Wire>,
    header_seen: bool,
    trailer_seen: bool,
    broken: bool,
}

impl TapHandle {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on rows go into pieces of about `piece_bytes`. To be called before the COPY is sent.
    pub(super) fn open(&self, format: Format, piece_bytes: usize, buffers: &Buffers) {
        self.state().rows = Some(Collector {
            format,
            piece_bytes,
            buffers: buffers.clone(),
            piece: Vec::new(),
            count: 0,
            row_start: 0,
            full: VecDeque::new(),
            header_seen: false,
            trailer_seen: false,
            broken: false,
        });
    }

    /// Ends the collecting; rows that still arrive are the driver's again.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.rows = None;
        state.wake_reader();
    }

    /// A full piece, if there is one; else `context` is woken when there is.
    pub(super) fn poll_piece(&self, context: &Context<'_>) -> Option<Wire> {
        let mut state = self.state();
        let wire = state.rows.as_mut().and_then(|rows| rows.full.pop_front());
        match wire {
            Some(_) => state.wake_reader(),
            None => state.taker = Some(context.waker().clone()),
        }
        wire
    }

    /// What is left after the server said that the COPY is done.
    pub(super) fn rest(&self) -> (Option<Wire>, End) {
        let mut state = self.state();
        let Some(rows) = &mut state.rows else { return (None, End::Broken) };
        if rows.full.is_empty() {
            rows.flush();
        }
        let whole = rows.format == Format::Text || (rows.trailer_seen && !rows.broken);
        (rows.full.pop_front(), if whole { End::Whole } else { End::Broken })
    }
}

impl State {
    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn wake_taker(&mut self) {
        if let Some(taker) = self.taker.take() {
            taker.wake();
        }
    }
}

impl Collector {
    fn is_full(&self) -> bool {
        self.full.len() >= PIECES_WAITING
    }

    /// Starts a row of `bytes` bytes.
    fn begin(&mut self, bytes: usize) {
        let fits = self.piece.capacity() - self.piece.len() >= bytes;
        if !fits {
            self.flush();
            // A row that is larger than a piece gets a buffer of its size: growing would copy it again and again.
            self.piece = self.buffers.take((self.piece_bytes + SLACK_BYTES).max(bytes));
        }
        self.row_start = self.piece.len();
    }

    fn end(&mut self) {
        if self.format == Format::Binary {
            if !self.header_seen {
                self.header_seen = true;
                match decode::strip_header(&self.piece[self.row_start..]) {
                    Ok(header) => drop(self.piece.drain(self.row_start..self.row_start + header)),
                    Err(_) => self.broken = true,
                }
                if self.piece.len() == self.row_start {
                    return;
                }
            }
            // Of an empty table header and trailer are one message.
            if decode::is_trailer(&self.piece[self.row_start..]) {
                self.trailer_seen = true;
                self.piece.truncate(self.row_start);
                return;
            }
        }
        self.count += 1;
        if self.piece.len() >= self.piece_bytes {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.count > 0 {
            let piece = std::mem::take(&mut self.piece);
            self.full.push_back(Wire { rows: std::mem::take(&mut self.count), bytes: self.buffers.share(piece) });
        }
    }
}

/// The message whose bytes come next.
enum Message {
    /// For the driver; so many bytes are left of it, head included.
    Pass(usize),
    /// The body of a row.
    Row(usize),
}

/// A stream whose rows are taken out; see the module.
pub(super) struct Tap<S> {
    stream: S,
    handle: TapHandle,
    /// The answer to a request for TLS is one byte without a frame, and what follows it may be TLS.
    unframed: bool,
    input: Vec<u8>,
    start: usize,
    end: usize,
    message: Message,
}

impl<S> Tap<S> {
    /// `asks_for_tls`: the first byte from the server is its answer.
    pub(super) fn new(stream: S, handle: TapHandle, asks_for_tls: bool) -> Self {
        let message = Message::Pass(0);
        Self { stream, handle, unframed: asks_for_tls, input: Vec::new(), start: 0, end: 0, message }
    }

    /// The stream below; nothing was read ahead before the first framed message.
    fn into_inner(self) -> S {
        self.stream
    }

    /// Moves what was read to where it belongs, as far as there is room.
    fn sort(&mut self, rows: &mut Option<Collector>, out: &mut ReadBuf<'_>) {
        while self.start < self.end {
            let unread = &self.input[self.start..self.end];
            match &mut self.message {
                Message::Pass(0) | Message::Row(0) => {
                    let Some(head) = unread.first_chunk::<HEAD_BYTES>() else { return };
                    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
                    match rows {
                        Some(rows) if head[0] == COPY_DATA => {
                            if rows.is_full() {
                                return;
                            }
                            // The length counts itself.
                            let bytes = length.saturating_sub(4);
                            self.start += HEAD_BYTES;
                            rows.begin(bytes);
                            self.message = Message::Row(bytes);
                            if bytes == 0 {
                                rows.end();
                            }
                        }
                        _ => self.message = Message::Pass(length + 1),
                    }
                }
                Message::Pass(left) => {
                    let bytes = unread.len().min(*left).min(out.remaining());
                    if bytes == 0 {
                        return;
                    }
                    out.put_slice(&unread[..bytes]);
                    self.start += bytes;
                    *left -= bytes;
                }
                Message::Row(left) => {
                    let bytes = unread.len().min(*left);
                    self.start += bytes;
                    *left -= bytes;
                    // Without a collector nobody wants the rest of the row.
                    if let Some(rows) = rows {
                        rows.piece.extend_from_slice(&unread[..bytes]);
                        if *left == 0 {
                            rows.end();
                        }
                    }
                }
            }
        }
    }

    /// Makes room for the next read, keeping a head that has come in part.
    fn make_room(&mut self, wanted: usize) {
        self.input.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.input.len() < wanted || self.input.len() > READ_BYTES_IDLE.max(wanted) {
            self.input.resize(wanted, 0);
            self.input.shrink_to(wanted);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.unframed {
            let mut answer = [0];
            let mut one = ReadBuf::new(&mut answer);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut one))?;
            out.put_slice(one.filled());
            this.unframed = false;
            return Poll::Ready(Ok(()));
        }
        let handle = this.handle.clone();
        let before = out.filled().len();
        loop {
            let wanted = {
                let mut state = handle.state();
                let waiting = state.rows.as_ref().map_or(0, |rows| rows.full.len());
                this.sort(&mut state.rows, out);
                let rows = state.rows.as_ref();
                let (now, full) = rows.map_or((0, false), |rows| (rows.full.len(), rows.is_full()));
                let wanted = if rows.is_some() { READ_BYTES } else { READ_BYTES_IDLE };
                if now > waiting {
                    state.wake_taker();
                }
                if out.filled().len() > before {
                    return Poll::Ready(Ok(()));
                }
                if full {
                    state.reader = Some(context.waker().clone());
                    return Poll::Pending;
                }
                wanted
            };
            this.make_room(wanted);
            let mut room = ReadBuf::new(&mut this.input[this.end..]);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut room))?;
            let read = room.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(()));
            }
            this.end += read;
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Tap<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

/// Encrypts below the tap instead of above it: rows can be seen only in clear text.
pub(super) struct TapTls<T> {
    tls: T,
    handle: TapHandle,
}

impl<T> TapTls<T> {
    pub(super) fn new(tls: T, handle: TapHandle) -> Self {
        Self { tls, handle }
    }
}

impl<S, T> TlsConnect<Tap<S>> for TapTls<T>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: TlsConnect<S>,
    T::Future: Send + 'static,
    T::Stream: Unpin,
{
    type Stream = Tap<T::Stream>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: Tap<S>) -> Self::Future {
        let encrypting = self.tls.connect(stream.into_inner());
        let handle = self.handle;
        Box::pin(async move { Ok(Tap::new(encrypting.await?, handle, false)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    /// A row of one field.
    fn row(text: &[u8]) -> Vec<u8> {
        [&[0, 1], &(text.len() as u32).to_be_bytes()[..], text].concat()
    }

    /// What a server sends for a COPY, each message apart.
    fn copy(rows: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut messages = vec![message(b'H', &[1, 0, 1, 0, 1])];
        let first = [&decode::HEADER[..], rows.first().map_or(&[][..], |row| row)].concat();
        messages.push(message(b'd', &first));
        messages.extend(rows.iter().skip(1).map(|row| message(b'd', row)));
        messages.push(message(b'd', &decode::TRAILER));
        messages.extend([message(b'c', b""), message(b'C', b"COPY 3\0"), message(b'Z', b"T")]);
        messages
    }

    /// Sends `bytes` in pieces of `step` bytes. Returns what the driver gets and what the tap takes out.
    fn run(bytes: &[u8], step: usize, piece_bytes: usize) -> (Vec<u8>, u64, Vec<u8>, End) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (mut server, client) = tokio::io::duplex(step);
            let handle = TapHandle::default();
            let mut tap = Tap::new(client, handle.clone(), false);
            handle.open(Format::Binary, piece_bytes, &Buffers::default());
            let sending = async {
                server.write_all(bytes).await.expect("the pipe takes it");
                drop(server);
            };
            let passing = async {
                let mut passed = Vec::new();
                tap.read_to_end(&mut passed).await.expect("the pipe gives it");
                passed
            };
            let done = tokio::sync::Notify::new();
            let taking = async {
                let (mut count, mut taken) = (0, Vec::new());
                let mut take = |wire: Wire| {
                    count += wire.rows;
                    taken.extend_from_slice(&wire.bytes);
                };
                loop {
                    tokio::select! {
                        wire = poll_fn(|context| handle.poll_piece(context).map_or(Poll::Pending, Poll::Ready)) => take(wire),
                        () = done.notified() => break,
                    }
                }
                let end = loop {
                    match handle.rest() {
                        (Some(wire), _) => take(wire),
                        (None, end) => break end,
                    }
                };
                (count, taken, end)
            };
            let reading = async {
                let ((), passed) = tokio::join!(sending, passing);
                done.notify_one();
                passed
            };
            let (passed, (count, taken, end)) = tokio::join!(reading, taking);
            (passed, count, taken, end)
        })
    }

    #[test]
    fn rows_are_taken_out_and_everything_else_passes_however_bytes_arrive() {
        let rows: Vec<Vec<u8>> =
            [0, 1, 7, 300, 40_000, 3, 0, 90].iter().map(|bytes| row(&vec![b'x'; *bytes])).collect();
        let mut messages = copy(&rows);
        messages.insert(4, message(b'N', b"SNOTICE\0\0"));
        let stream = messages.concat();
        let others: Vec<u8> = messages.iter().filter(|message| message[0] != b'd').flatten().copied().collect();
        for step in [1, 2, 3, 5, 17, 4096, 1 << 20] {
            for piece_bytes in [1, 64, 1 << 20] {
                let (passed, count, taken, end) = run(&stream, step, piece_bytes);
                assert_eq!(passed, others, "step {step}, pieces of {piece_bytes}");
                assert_eq!((count, end), (8, End::Whole), "step {step}, pieces of {piece_bytes}");
                assert!(taken == rows.concat(), "step {step}, pieces of {piece_bytes}");
            }
        }
    }

    #[test]
    fn empty_table_has_a_header_and_a_trailer_in_one_message_or_two() {
        let mut messages = copy(&[]);
        let apart = run(&messages.concat(), 4096, 64);
        messages[1] = message(b'd', &[&decode::HEADER[..], &decode::TRAILER].concat());
        messages.remove(2);
        for (_, count, taken, end) in [apart, run(&messages.concat(), 4096, 64)] {
            assert_eq!((count, taken.len(), end), (0, 0, End::Whole));
        }
    }

    #[test]
    fn copy_without_its_trailer_is_broken() {
        let mut messages = copy(&[row(b"a"), row(b"b")]);
        messages.retain(|message| message[5..] != decode::TRAILER);
        let (_, count, _, end) = run(&messages.concat(), 4096, 64);
        assert_eq!((count, end), (2, End::Broken));
    }

    #[test]
    fn copy_with_another_header_is_broken() {
        let mut messages = copy(&[row(b"a")]);
        messages[1][6] = b'X';
        assert_eq!(run(&messages.concat(), 4096, 64).3, End::Broken);
    }

    #[test]
    fn full_pieces_stop_the_reading() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (mut server, client) = tokio::io::duplex(64);
            let handle = TapHandle::default();
            let mut tap = Tap::new(client, handle.clone(), false);
            handle.open(Format::Text, 1, &Buffers::default());
            let rows: Vec<u8> = (0..100).flat_map(|_| message(b'd', b"a row\n")).collect();
            let sent = std::cell::Cell::new(0);
            let sending = async {
                for byte in &rows {
                    server.write_all(&[*byte]).await.expect("the pipe takes it");
                    sent.set(sent.get() + 1);
                }
            };
            let mut out = Vec::new();
            tokio::select! {
                biased;
                () = sending => unreachable!("nobody takes the rows"),
                _ = tap.read_to_end(&mut out) => unreachable!("nothing passes"),
                () = async { for _ in 0..1000 { tokio::task::yield_now().await; } } => {}
            }
            assert!(sent.get() < 300, "{} bytes went in", sent.get());
            assert_eq!(handle.state().rows.as_ref().map(|rows| rows.full.len()), Some(PIECES_WAITING));
        });
    }
}
