//! Buffers that are used again.
//!
//! Every batch needs two buffers of about half a megabyte: the wire it came in and the rows it leaves in. Memory of that
//! size goes back to the operating system when it is freed and is cleared page by page when it comes again, which costs
//! more than filling it. So a buffer returns to its pool when the last reader of its bytes is done.

use bytes::Bytes;
use std::sync::{Arc, Mutex};

/// Buffers kept at most; more than that are in flight only when a machine has many cores.
const KEPT: usize = 32;
/// A buffer that a huge row made large is not kept.
const BYTES_MAX: usize = 4 << 20;

/// A pool of buffers. Cheap to clone.
#[derive(Clone, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// An empty buffer with room for at least `capacity` bytes.
    pub fn take(&self, capacity: usize) -> Vec<u8> {
        let mut buffer = self.0.lock().expect("no holder panics").pop().unwrap_or_default();
        buffer.reserve(capacity);
        buffer
    }

    /// Shares the content of a buffer; it comes back to the pool when the last of its readers is dropped.
    pub fn share(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, pool: self.clone() })
    }

    fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut kept = self.0.lock().expect("no holder panics");
        if kept.len() < KEPT && buffer.capacity() <= BYTES_MAX {
            kept.push(buffer);
        }
    }
}

struct Lent {
    buffer: Vec<u8>,
    pool: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffer_comes_back_when_its_last_reader_is_done() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take(100);
        buffer.extend_from_slice(b"rows");
        let place = buffer.as_ptr();
        let shared = buffers.share(buffer);
        let slice = shared.slice(1..);
        drop(shared);
        assert_eq!(&slice[..], b"ows");
        drop(slice);
        let again = buffers.take(1);
        assert!(again.is_empty() && again.as_ptr() == place);
    }
}
