//! Files in columns: `blob/1`.

use super::column::{ColumnMask, MaskError, Rows};
use super::key::DomainKey;
use super::leaf::TEXT;
use super::token::Purpose;
use super::{Injective, Kind, Takes};
use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use std::sync::Arc;

pub(super) static BLOB: Kind = Kind {
    name: "blob",
    summary: "Replaces a file by an empty one of its format, other bytes by as many secret ones",
    accepts: &[Takes::Bytes],
    injective: Injective::No,
    samples: &["%PDF-1.7"],
    compile: |compile| {
        let key = compile.realm.domain(&compile.spec.kind, &compile.spec.label);
        Ok(Box::new(Blob(key)))
    },
    ..TEXT
};

/// First bytes of a format, and the whole file that stands for all of the format. Pinned: a change is a new version.
const FORMATS: &[(&[u8], &[u8])] = &[
    (b"%PDF-", PDF),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF8", GIF),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"\x1f\x8b", GZIP),
    (b"<?xml", b"<?xml version=\"1.0\"?><empty/>"),
    (b"<svg", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
];

/// One blank page.
const PDF: &[u8] = b"%PDF-1.4\n\
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n\
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj\n\
xref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \n\
trailer<</Size 4/Root 1 0 R>>\nstartxref\n162\n%%EOF\n";

/// One gray pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\
\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00\x3a\x7e\x9b\x55\
\x00\x00\x00\x0d\x49\x44\x41\x54\x78\x01\x01\x02\x00\xfd\xff\x00\xff\x01\x01\x01\x00\x60\x87\x12\xb5\
\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";

/// One gray pixel: quantization all ones, both Huffman tables with one code, and one block of two of them.
const JPEG: &[u8] = b"\xff\xd8\xff\xdb\0\x43\0\
\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\
\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\
\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0\
\xff\xc4\0\x14\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
\xff\xc4\0\x14\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
\xff\xda\0\x08\x01\x01\0\0\x3f\0\x3f\xff\xd9";

/// One white pixel.
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";

/// An archive without members.
const ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// No bytes, compressed.
const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0";

/// `blob/1`.
struct Blob(DomainKey);

impl ColumnMask for Blob {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
        let values = column.as_binary_view_opt().ok_or_else(wrong)?;
        let bytes: usize = values.lengths().map(|len| len as usize).sum();
        if i32::try_from(bytes).is_err() {
            return Err(MaskError::at(0, "the masked column exceeds 2 GiB in one batch"));
        }
        let mut masked = BinaryBuilder::with_capacity(values.len(), bytes);
        let mut stream = Vec::new();
        for value in values.iter() {
            let Some(value) = value else {
                masked.append_null();
                continue;
            };
            match FORMATS.iter().find(|(magic, _)| value.starts_with(magic)) {
                Some((_, empty)) => masked.append_value(empty),
                None => {
                    stream.resize(value.len(), 0);
                    self.0.xof(Purpose::Stream, value).fill(&mut stream);
                    masked.append_value(&stream);
                }
            }
        }
        Ok(Arc::new(masked.finish()))
    }

    fn text(&self, _value: &str, row: usize, _rows: &Rows<'_>, _out: &mut String) -> Result<(), MaskError> {
        Err(MaskError::at(row, "a text is no file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MasterKey;
    use arrow_array::BinaryViewArray;

    fn masks(values: Vec<Option<&[u8]>>) -> Vec<Option<Vec<u8>>> {
        let column: ArrayRef = Arc::new(BinaryViewArray::from(values));
        let blob = Blob(MasterKey::test().realm("default").domain("blob/1", ""));
        let rows = Rows { len: column.len(), subjects: &[], raw: &[], masked: &[], origin: None };
        let masked = blob.apply(&column, &rows).unwrap();
        masked.as_binary::<i32>().iter().map(|value| value.map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn files_become_empty_ones_of_their_format() {
        for (magic, empty) in FORMATS {
            let file = [magic, &b" and what a person wrote"[..]].concat();
            assert_eq!(masks(vec![Some(&file)]), [Some(empty.to_vec())]);
            assert!(empty.starts_with(&magic[..2]));
        }
        let offset = |needle: &str| PDF.windows(needle.len()).position(|part| part == needle.as_bytes()).unwrap();
        for (object, place) in [("1 0 obj", "0000000009"), ("2 0 obj", "0000000052"), ("3 0 obj", "0000000101")] {
            assert_eq!(offset(object), place.parse::<usize>().unwrap());
            offset(&format!("{place} 00000 n"));
        }
        assert_eq!(offset("xref"), 162);
    }

    #[test]
    fn other_bytes_keep_their_length() {
        let masked = masks(vec![Some(b"\x00\x01\x02"), None, Some(b""), Some(b"\x00\x01\x02"), Some(&[7; 1000])]);
        assert_eq!(masked[0], Some(vec![2, 157, 37]), "golden");
        assert_eq!((&masked[1], &masked[2], &masked[3]), (&None, &Some(Vec::new()), &masked[0]));
        let long = masked[4].as_ref().unwrap();
        assert!(long.len() == 1000 && long.iter().filter(|byte| **byte == 7).count() < 30);
    }
}
