use super::sample::Sample;
use super::*;
use crate::mask::batch::RawBatch;
use crate::mask::{ColumnSpec, MaskSpec, Masker, MasterKey, Params, Shape, TableSpec};
use arrow_array::StringViewArray;

fn table(kind: &str) -> TableSpec {
    let spec = MaskSpec { kind: kind.to_owned(), label: String::new(), params: Params::new(), subject: None };
    let column = ColumnSpec { name: "public.t.c".to_owned(), shape: Shape::TEXT, mask: Some(spec) };
    TableSpec { columns: vec![column], ..TableSpec::default() }
}

/// Masks the values in batches of `batch` and returns what was seen of them.
fn seen(values: &[Option<String>], batch: usize) -> Arc<Watch> {
    let spec = table("email/1");
    let masker = Masker::compile(&MasterKey::test().realm("default"), &spec).expect("compiles");
    let proof = Proof::new(Salt::new([7; 16]), [(&spec, values.len() as u64)]);
    let watch = Arc::clone(&proof.tables()[0]);
    let unit = watch.unit();
    for values in values.chunks(batch) {
        let column: ArrayRef = Arc::new(values.iter().map(Option::as_deref).collect::<StringViewArray>());
        let raw = vec![column];
        let batch = RawBatch { rows: values.len(), wire: bytes::Bytes::new(), gaps: Vec::new(), columns: raw.clone() };
        let masked = masker.apply(batch).expect("masked");
        unit.see(values.len(), &raw, masked.columns());
    }
    assert_eq!(watch.seen(|seen| seen[0].values), 0, "nothing counts before it is kept");
    unit.keep();
    watch
}

#[test]
fn rows_nulls_and_blank_values_are_counted_once_however_batches_are_cut() {
    let mut values: Vec<Option<String>> = (0..500).map(|n| Some(format!("person{}@acme.test", n % 100))).collect();
    values.extend([None, Some(String::new()), None, Some("  ".to_owned())]);
    let all = |batch| {
        seen(&values, batch).seen(|seen| {
            let Seen { values, nulls_in, nulls_out, filled, blank, unchanged, sample } = &seen[0];
            let mut entries: Vec<_> =
                sample.iter().map(|(value, counts)| (value, counts.before, counts.after)).collect();
            entries.sort_unstable();
            ([*values, *nulls_in, *nulls_out, *filled, *blank, *unchanged], entries)
        })
    };
    let (counts, entries) = all(504);
    assert_eq!(counts, [504, 2, 2, 0, 2, 0]);
    assert_eq!(entries.len(), 200, "a hundred values before, a hundred others after");
    assert!(entries.iter().all(|entry| entry.1 + entry.2 == 5));
    assert_eq!((counts, entries), all(7));
}

#[test]
fn samples_hold_the_same_values_whatever_the_order_and_never_more_than_they_may() {
    let salt = Salt::new([1; 16]);
    let fill = |numbers: &mut dyn Iterator<Item = u64>| {
        let mut sample = Sample::below(1000, u64::MAX);
        numbers.for_each(|number| sample.see(Some(salt.number(number)), None));
        sample
    };
    let (up, down) = (fill(&mut (0..100_000)), fill(&mut (0..100_000).rev()));
    assert!(up.len() <= 1000 && up.len() > 300, "{}", up.len());
    assert!((up.share() * 100_000.0 / up.len() as f64 - 1.0).abs() < 0.15, "{} of {}", up.share(), up.len());
    let mut joined = fill(&mut (0..50_000));
    joined.add(fill(&mut (50_000..100_000)));
    let values = |sample: &Sample| {
        let mut values: Vec<u64> = sample.iter().map(|(value, _)| value).collect();
        values.sort_unstable();
        values
    };
    assert_eq!(values(&up), values(&down));
    assert_eq!(values(&up), values(&joined));
}

#[test]
fn fingerprints_tell_values_apart_and_not_their_case() {
    let salt = Salt::new([3; 16]);
    let other = Salt::new([4; 16]);
    assert_eq!(salt.text("Ann.Miller@Acme.test".as_bytes()), salt.text(b"ann.miller@acme.TEST"));
    assert_ne!(salt.text(b"ann.miller@acme.test"), other.text(b"ann.miller@acme.test"));
    assert_eq!(salt.joined(b"Ann", b"Miller"), salt.text(b"ann miller"));
    let mut all: Vec<u64> = (0..200_000_u32).map(|n| salt.text(format!("value {n}").as_bytes())).collect();
    all.extend((0..40).map(|n| salt.text(&vec![b'x'; n])));
    all.sort_unstable();
    let count = all.len();
    all.dedup();
    assert_eq!(all.len(), count, "no two of them share a fingerprint");
    let low = all.iter().filter(|value| **value < u64::MAX / 16).count() as f64;
    assert!((low / count as f64 * 16.0 - 1.0).abs() < 0.05, "they are spread evenly: {low}");
}

#[test]
fn budget_is_shared_by_need() {
    assert_eq!(share(&[1_000_000_000]), ENTRIES_MAX);
    let small = vec![10; 20_000];
    assert_eq!(share(&small), ENTRIES_MAX, "small tables need little");
    let many = vec![1_000_000; 2_000];
    let entries = share(&many);
    assert!(entries as u64 * 2_000 <= BUDGET_BYTES / 40 && entries > 140, "{entries}");
}
