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
    assert_eq!(watch.seen(|seen| seen[0].tally.values), 0, "nothing counts before it is kept");
    unit.keep();
    watch
}

#[test]
fn rows_nulls_and_blank_values_are_counted_once_however_batches_are_cut() {
    let mut values: Vec<Option<String>> = (0..500).map(|n| Some(format!("person{}@acme.test", n % 100))).collect();
    values.extend([None, Some(String::new()), None, Some("  ".to_owned())]);
    let all = |batch| {
        seen(&values, batch).seen(|seen| {
            let Seen { tally, sample } = &seen[0];
            let mut entries: Vec<_> =
                sample.iter().map(|(value, counts)| (value, counts.before, counts.after)).collect();
            entries.sort_unstable();
            (*tally, entries)
        })
    };
    let (counts, entries) = all(504);
    assert_eq!(counts, Tally { values: 504, nulls_in: 2, nulls_out: 2, blank: 2, ..Tally::default() });
    assert_eq!(entries.len(), 200, "a hundred values before, a hundred others after");
    assert!(entries.iter().all(|entry| entry.1 + entry.2 == 5));
    assert_eq!((counts, entries), all(7));
}

#[test]
fn samples_hold_the_same_values_whatever_the_order_and_never_more_than_they_may() {
    let salt = Salt::new([1; 16]);
    let fill = |numbers: &mut dyn Iterator<Item = u64>| {
        let mut sample = Sample::below(1000, u64::MAX);
        numbers.for_each(|number| sample.see((Some(salt.number(number)), None, Form::Plain)));
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

#[test]
fn a_hundred_million_fingerprints_take_no_more_than_their_share() {
    let salt = Salt::new([1; 16]);
    let mut sample = Sample::below(ENTRIES_MAX, u64::MAX);
    for number in 0..100_000_000 {
        let print = salt.number(number);
        // As batches do: what is beyond the limit is never handed over.
        if print < sample.limit() {
            sample.see((Some(print), None, Form::Plain));
        }
    }
    assert!(sample.len() <= ENTRIES_MAX && sample.len() > ENTRIES_MAX / 3, "{}", sample.len());
    assert!((sample.len() as f64 / sample.share() / 1e8 - 1.0).abs() < 0.03, "{} of {}", sample.len(), sample.share());
}

/// What a column of this kind is judged to be if these are its values before and after.
fn judged(kind: &str, pairs: impl Iterator<Item = (String, String)>) -> Judged {
    let spec = table(kind);
    let pairs: Vec<(String, String)> = pairs.collect();
    let proof = Proof::new(Salt::new([7; 16]), [(&spec, pairs.len() as u64)]);
    let unit = proof.tables()[0].unit();
    for pairs in pairs.chunks(1000) {
        let raw: ArrayRef = Arc::new(pairs.iter().map(|pair| Some(&pair.0)).collect::<StringViewArray>());
        let masked: ArrayRef = Arc::new(pairs.iter().map(|pair| Some(&pair.1)).collect::<arrow_array::StringArray>());
        unit.see(pairs.len(), &[raw], &[masked]);
    }
    unit.keep();
    proof.tables()[0].judge().remove(0)
}

#[test]
fn a_mask_that_returns_its_input_is_told_from_one_that_draws_it_by_chance() {
    let address = |n: usize| format!("person{n}@acme.test");
    let mask = |n: usize| format!("masked{n}@x.example");
    let all = |leaks: fn(usize) -> bool| {
        judged("email/1", (0..50_000).map(move |n| (address(n), if leaks(n) { address(n) } else { mask(n) })))
    };
    assert_eq!(all(|_| false).judgement, Judgement::Holds);
    assert_eq!(all(|_| true).judgement, Judgement::Stays);
    // One of fifty thousand, whether it is in the sample or not.
    for leaking in 0..20 {
        let one = judged("email/1", (0..50_000).map(|n| (address(n), if n == leaking { address(n) } else { mask(n) })));
        assert_eq!(one.judgement, Judgement::Stays, "{one:?}");
    }
    // Every value is there, in another row.
    let moved = judged("email/1", (0..50_000).map(|n| (address(n), address((n + 1) % 50_000))));
    assert_eq!(moved.judgement, Judgement::Elsewhere, "{moved:?}");

    // Names are drawn from a list, so some stay; a mask that does nothing keeps all.
    let name = |n: usize| format!("Name{}", n * n % 100);
    let drawn = judged("name.value/1", (0..5_000).map(|n| (name(n), format!("Name{}", (n * 7 + n / 100) % 100))));
    assert_eq!(drawn.judgement, Judgement::Holds, "{drawn:?}");
    let kept = judged("name.value/1", (0..5_000).map(|n| (name(n), name(n))));
    assert_eq!(kept.judgement, Judgement::Stays, "{kept:?}");
    // Of two names, of five letters and of a program's two answers none changed.
    let same =
        |kind: &str, values: &[&str]| judged(kind, values.iter().map(|value| (value.to_string(), value.to_string())));
    for (kind, values) in [
        ("name.first/1", ["Ann", "Bob"].as_slice()),
        ("username/1", &["ann", "bob", "cy", "dee", "eve", "fay"]),
        ("command/1", &["high", "low"]),
    ] {
        assert_eq!(same(kind, values).judgement, Judgement::Stays, "{kind}");
    }
    assert_eq!(same("name.first/1", &["Ann"]).judgement, Judgement::Open);
    // A program may say what it likes, but no address and no number of the source.
    let others = judged("command/1", (0..500).map(|n| (address(n), address((n + 1) % 500))));
    assert_eq!(others.judgement, Judgement::Elsewhere, "{others:?}");
    let others = judged("command/1", (0..500).map(|n| (name(n), name(n + 1))));
    assert_eq!(others.judgement, Judgement::Holds, "{others:?}");
    // Two labels: nothing can be said.
    let few = judged("choice/1", (0..5_000).map(|n| ((n % 2).to_string(), (n % 2).to_string())));
    assert_eq!(few.judgement, Judgement::Open, "{few:?}");
}

#[test]
fn every_kind_changes_more_of_its_samples_than_chance_keeps() {
    let realm = MasterKey::test().realm("default");
    let mut judged_kinds = 0;
    for kind in crate::mask::KINDS.iter().filter(|kind| kind.takes(&Shape::TEXT) && !kind.samples.is_empty()) {
        let spec = table(&kind.full_name());
        let Ok(masker) = Masker::compile(&realm, &spec) else { continue };
        let proof = Proof::new(Salt::new([7; 16]), [(&spec, 1)]);
        let unit = proof.tables()[0].unit();
        let column: ArrayRef = Arc::new(kind.samples.iter().map(|sample| Some(*sample)).collect::<StringViewArray>());
        let raw = vec![column];
        let batch =
            RawBatch { rows: kind.samples.len(), wire: bytes::Bytes::new(), gaps: Vec::new(), columns: raw.clone() };
        let masked = masker.apply(batch).expect("masked");
        unit.see(kind.samples.len(), &raw, masked.columns());
        unit.keep();
        let judged = proof.tables()[0].judge().remove(0);
        assert!(matches!(judged.judgement, Judgement::Holds | Judgement::Open), "{}: {judged:?}", kind.name);
        judged_kinds += u32::from(judged.judgement == Judgement::Holds);
    }
    assert!(judged_kinds > 25, "{judged_kinds} kinds were judged");
}

/// Masks the values with this kind and these parameters, and judges the column.
fn masked(kind: &str, params: serde_json::Value, values: &[String]) -> Judged {
    let mut spec = table(kind);
    let mask = spec.columns[0].mask.as_mut().expect("a mask");
    mask.params = params.as_object().expect("parameters").clone();
    mask.subject = crate::mask::kind(kind).expect("known").needs_subject.then_some(0);
    let masker = Masker::compile(&MasterKey::test().realm("default"), &spec).expect("compiles");
    let proof = Proof::new(Salt::new([7; 16]), [(&spec, values.len() as u64)]);
    let unit = proof.tables()[0].unit();
    let raw: ArrayRef = Arc::new(values.iter().map(Some).collect::<StringViewArray>());
    let batch =
        RawBatch { rows: values.len(), wire: bytes::Bytes::new(), gaps: Vec::new(), columns: vec![raw.clone()] };
    let out = masker.apply(batch).expect("masked");
    unit.see(values.len(), &[raw], out.columns());
    unit.keep();
    proof.tables()[0].judge().remove(0)
}

#[test]
fn what_kinds_and_parameters_keep_is_no_leak() {
    let list = |value: &dyn Fn(usize) -> String| (0..3_000).map(value).collect::<Vec<_>>();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    for (kind, params, values) in [
        ("zip/1", r#"{"keep": 3}"#, list(&|n| format!("{:05}", n * 31 % 100_000))),
        ("zip/1", r#"{"mode": "hipaa3"}"#, list(&|n| format!("{:03}00", n % 1000))),
        ("card/1", r#"{"keep": 8, "keep_last4": true}"#, list(&|n| format!("41111111{:08}", n * 7919))),
        ("phone/1", r#"{"keep": 6}"#, list(&|n| format!("+49 301234{n:04}"))),
        // A block for documentation: its 256 addresses stay among themselves.
        ("ip/1", "{}", list(&|n| format!("203.0.113.{}", n % 256))),
        ("partial/1", r#"{"keep_first": 30}"#, list(&|n| format!("product {n}"))),
        ("url/1", "{}", list(&|n| format!("https://example.com/{n}"))),
    ] {
        let judged = masked(kind, json(params), &values);
        assert!(matches!(judged.judgement, Judgement::Holds | Judgement::Open), "{kind}: {judged:?}");
    }
    // Parameters that take nothing away.
    for (kind, params, values) in [
        ("regex/1", r#"{"match": "(zzz)?.*"}"#, list(&|n| format!("product {n}"))),
        (
            "enum.rr/1",
            r#"{"values": ["a", "b", "c", "d", "e", "f", "g", "h", "i"], "threshold": 4294967296}"#,
            list(&|n| char::from(b'a' + (n % 9) as u8).to_string()),
        ),
    ] {
        let judged = masked(kind, json(params), &values);
        assert_eq!(judged.judgement, Judgement::Stays, "{kind}: {judged:?}");
    }
    let remains = |kind: &str, params: &str| {
        let params = json(params).as_object().expect("parameters").clone();
        (crate::mask::kind(kind).expect("known").remains)(&params)
    };
    assert_eq!(remains("address", r#"{"part": "country"}"#), Remains::Open);
    assert_eq!(remains("address", r#"{"part": "city"}"#), Remains::Chance);
    assert_eq!(remains("address", r#"{"part": "street"}"#), Remains::Names);
    assert_eq!(remains("zip", "{}"), Remains::Chance);
    assert_eq!(remains("regex", r#"{"generate": "[a-z]{9}"}"#), Remains::Chance);
    assert_eq!(remains("template", r#"{"text": "{id}"}"#), Remains::Names);
    assert_eq!(remains("phone", "{}"), Remains::Subscriber);
    // Of nine digits four are permuted: of three thousand numbers hundreds are masks of others, and one may stay.
    let number = |n: usize| format!("+352 27 {:04}", n % 10_000);
    let short = |stays: usize| {
        judged(
            "phone/1",
            (0..3_000).map(|n| (number(n * 3), if n < stays { number(n * 3) } else { number(n * 3 + 1 + n % 3) })),
        )
    };
    assert_eq!(short(1).judgement, Judgement::Holds, "{:?}", short(1));
    assert_eq!(short(60).judgement, Judgement::Stays, "{:?}", short(60));
    let long = |n: usize| format!("+1 202 {:07}", 1_000_000 + n * 317);
    let moved = judged("phone/1", (0..3_000).map(|n| (long(n), if n < 300 { long(n + 1) } else { long(n + 9_000) })));
    assert_eq!(moved.judgement, Judgement::Elsewhere, "{moved:?}");
}

/// As [`judged`], for bytes of a fixed number.
fn judged_bytes<const N: usize>(kind: &str, shape: Shape, pairs: &[([u8; N], [u8; N])]) -> (Judged, Tally) {
    let mut spec = table(kind);
    spec.columns[0].shape = shape;
    let proof = Proof::new(Salt::new([7; 16]), [(&spec, pairs.len() as u64)]);
    let unit = proof.tables()[0].unit();
    let side = |values: Vec<[u8; N]>| -> ArrayRef {
        Arc::new(arrow_array::FixedSizeBinaryArray::try_from_iter(values.into_iter()).expect("bytes of one length"))
    };
    let raw = side(pairs.iter().map(|pair| pair.0).collect());
    let masked = side(pairs.iter().map(|pair| pair.1).collect());
    unit.see(pairs.len(), &[raw], &[masked]);
    unit.keep();
    let watch = &proof.tables()[0];
    (watch.judge().remove(0), watch.seen(|seen| seen[0].tally))
}

#[test]
fn what_a_kind_keeps_by_design_is_left_out_on_both_sides() {
    let uuid = |n: u128| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes();
    let (nil, max) = ([0; 16], [255; 16]);
    let moved: Vec<_> = (1..100).map(|n| (uuid(n), uuid(n + 1_000))).collect();
    let with = |more: &[([u8; 16], [u8; 16])]| [&moved[..], more].concat();
    let kept = [(nil, nil), (nil, nil), (max, max)];
    for pairs in [with(&kept), kept.to_vec()] {
        let (found, tally) = judged_bytes("uuid/1", Shape::Uuid, &pairs);
        assert_eq!((found.judgement, found.found), (Judgement::Holds, 0), "{found:?}");
        assert_eq!((tally.kept, tally.unchanged, tally.telling), (3, 0, 0));
    }
    // The twins: a kind that keeps nothing, and another UUID beside those that may stay.
    let (found, tally) = judged_bytes("pattern/1", Shape::Uuid, &with(&kept));
    assert_eq!((found.judgement, tally.kept), (Judgement::Stays, 0), "{found:?}");
    let (found, tally) = judged_bytes("uuid/1", Shape::Uuid, &with(&[(nil, nil), (uuid(7_000), uuid(7_000))]));
    assert_eq!((found.judgement, found.found, tally.kept), (Judgement::Stays, 1, 1), "{found:?}");

    let zero = [0; 6];
    let (found, _) = judged_bytes("mac/1", Shape::Mac, &[(zero, zero), ([255; 6], [255; 6])]);
    assert_eq!(found.judgement, Judgement::Holds, "{found:?}");
    let own = [8, 0, 0x2b, 1, 2, 3];
    let (found, _) = judged_bytes("mac/1", Shape::Mac, &[(zero, zero), (own, own)]);
    assert_eq!(found.judgement, Judgement::Stays, "{found:?}");

    // Of addresses that stay there may be many.
    let local = |n: usize| (format!("127.0.0.{n}"), format!("127.0.0.{n}"));
    let public = |n: usize| (format!("81.2.69.{n}"), format!("81.2.69.{n}"));
    assert_ne!(judged("ip/1", (1..200).map(local)).judgement, Judgement::Stays);
    assert_eq!(judged("ip/1", (1..200).map(public)).judgement, Judgement::Stays);
}
