//! `kinds` and `mask`: the catalogue of masks, and what a value becomes.

use super::args::{KindsArgs, MaskArgs};
use super::explain::nearest;
use super::{Context, key, signal};
use crate::error::{Exit, Failure, Report};
use crate::mask::{self, CompileError, Injective, KeyedOn, Kind, MaskError, Params, Refusal, ValueError};
use crate::outcome::{KindView, Kinds, MaskResult, ParamView};
use std::io::{IsTerminal as _, Read as _};

pub(super) fn kinds(args: &KindsArgs) -> Result<Kinds, Failure> {
    let kinds = match &args.kind {
        None => mask::KINDS.iter().map(|kind| view(kind)).collect(),
        Some(name) => vec![view(find(name)?)],
    };
    Ok(Kinds { kinds, one: args.kind.is_some(), markdown: args.markdown })
}

/// Describes a kind by its full name; none for names that are no kind.
pub(super) fn describe(name: &str) -> Option<KindView> {
    mask::kind(name).map(view)
}

/// Finds a kind as typed, with or without version.
fn find(name: &str) -> Result<&'static Kind, Failure> {
    mask::kind(name).ok_or_else(|| {
        let report = Report::new("usage::unknown-kind", format!("there is no mask kind \"{name}\""));
        let bare = name.split('/').next().unwrap_or(name);
        let hint = match nearest(bare, mask::KINDS.iter().map(|kind| kind.name.to_owned())) {
            Some(near) if near == bare => format!("This build has {}.", versions(bare)),
            Some(near) => format!("Did you mean {near}? `restage kinds` lists all."),
            None => "`restage kinds` lists all.".to_owned(),
        };
        Failure::new(Exit::Usage, report.hint(hint))
    })
}

fn versions(name: &str) -> String {
    let known = mask::KINDS.iter().filter(|kind| kind.name == name).map(|kind| kind.full_name());
    known.collect::<Vec<_>>().join(", ")
}

fn view(kind: &Kind) -> KindView {
    let params = kind.params.iter().map(|param| ParamView {
        name: param.name.to_owned(),
        summary: param.summary.to_owned(),
        takes: param.domain.expected(),
        default: Some(param.default.to_owned()).filter(|text| !text.is_empty()),
    });
    KindView {
        name: kind.full_name(),
        summary: kind.summary.to_owned(),
        accepts: kind.accepts.iter().map(|takes| takes.name().to_owned()).collect(),
        guarantees: guarantees(kind),
        needs_subject: kind.needs_subject,
        samples: kind.samples.iter().map(|sample| (*sample).to_owned()).collect(),
        params: params.collect(),
    }
}

/// What masks of a kind still tell, beside which rows hold a value (MASKING, sections 5 and 6). Kinds that are not here tell
/// nothing more than their record says.
#[rustfmt::skip]
const LEAKS: &[(&str, &str)] = &[
    ("int", "the sign, and the size up to a power of two"),
    ("uuid", "version and variant; of version 7 the day"),
    ("pattern", "length, upper and lower case, the script of each letter, and every character that is no letter and no digit"),
    ("secret.token", "length, upper and lower case, and every character that is no letter and no digit"),
    ("email", "which addresses have the same domain, and that of a public provider"),
    ("address", "the country, unless `country` says otherwise"),
    ("phone", "the country, the first digits of the national number, and how the number is written"),
    ("zip", "the digits that are kept"),
    ("card", "the brand, or the digits that `keep` and `keep_last4` keep, and whether the number was valid"),
    ("iban", "the country, the length, and where letters stand"),
    ("be.nn", "year of birth and sex"),
    ("fr.nir", "year of birth and sex"),
    ("it.cf", "year of birth, sex, whether the place of birth is abroad, and where names have consonants and vowels"),
    ("pl.pesel", "year of birth and sex"),
    ("se.pnr", "year of birth and sex"),
    ("gb.nino", "the last letter"),
    ("ca.sin", "the first digit: the province or the kind of status"),
    ("us.ein", "the first two digits: the campus that gave it out"),
    ("br.cnpj", "where letters stand"),
    ("fi.hetu", "year of birth and sex"),
    ("no.fnr", "year of birth and sex"),
    ("dk.cpr", "year of birth and sex, and whether the old check held"),
    ("pt.nif", "the digits that tell the type of taxpayer"),
    ("cn.ric", "area, year of birth and sex"),
    ("za.id", "year of birth, sex and citizenship"),
    ("ip", "about four leading bits, how many leading bits two addresses share, and whether it is a special address"),
    ("mac", "whether it is a group or a local address; with `keep_oui` the maker"),
    ("date.shift", "the day up to `days_max`, and every interval within one person"),
    ("date.shift", "in timestamps the time of day to the microsecond, which finds the row for those who know it"),
    ("date.within_year", "the year"),
    ("date.within_year", "in timestamps the time of day to the microsecond, which finds the row for those who know it"),
    ("date.from_id", "the year"),
    ("date.from_id", "in timestamps the time of day to the microsecond, which finds the row for those who know it"),
    ("date.trunc", "the day or time up to what it is cut to"),
    ("age.cap", "every age up to the limit, and every date of birth that is not before it"),
    ("time.shift", "seconds and their fractions, and every interval within one person"),
    ("time.trunc", "the time up to what it is cut to"),
    ("num.noise", "the number up to its noise; small whole numbers may stay"),
    ("num.scale", "the ratios within one person; small whole numbers may stay"),
    ("num.bucket", "the bucket"),
    ("num.cap", "every amount within the limits"),
    ("enum.rr", "the value, in the share of rows that keep it"),
    ("enum.perm", "how often each label occurs, so which one it is"),
    ("geo.grid", "the cell"),
    ("geo.laplace", "the place up to its noise"),
    ("blob", "the format, or the length of what has no format that is known"),
    ("name.value", "how often each name occurs"),
    (
        "text.spans",
        "every name that no column of the row or its subject holds, names that are inflected, and all other words",
    ),
    ("text.lorem", "the length of each word, upper and lower case, where digits stand, and all punctuation"),
    ("json", "its structure and keys, and what `rest` and `paths` keep"),
    ("composite", "what `rest` and `fields` keep"),
    ("hstore", "its keys, and what `rest` and `fields` keep"),
    ("xml", "its structure and names, and what `rest` and `paths` keep"),
    ("url", "its structure, the keys of its query, and what `keep` and `keep_hosts` keep"),
    ("secret.password", "the scheme of the hash"),
    ("template", "what its columns tell"),
    ("replace", "with `inside` and `else = \"keep\"` everything that `map` does not name"),
    ("regex", "with `match` everything outside of the groups, and the form of what is inside"),
    ("partial", "the first and last characters that are kept, length, case and punctuation"),
    ("command", "what its program lets through"),
];

/// What masks of a kind still tell.
pub(super) fn leaks(name: &str) -> Vec<String> {
    let Some(kind) = mask::kind(name) else { return Vec::new() };
    let told = LEAKS.iter().filter(|(known, _)| *known == kind.name).map(|(_, leak)| (*leak).to_owned());
    let kept = Some(kind.keeps.words).filter(|words| !words.is_empty());
    let kept = kept.map(|words| format!("which rows hold one of these, which stay as they are: {words}"));
    let equal = match kind.keyed_on {
        KeyedOn::Value => Some("which rows hold the same value, and how often each occurs"),
        KeyedOn::Either if kind.params.iter().any(|param| param.name == "by") => {
            Some("without `by = \"subject\"` which rows hold the same value, and how often each occurs")
        }
        KeyedOn::Either => {
            Some("where masks follow the value, which rows hold the same one, and how often each occurs")
        }
        KeyedOn::Subject | KeyedOn::Nothing | KeyedOn::Row => None,
    };
    told.chain(kept).chain(equal.map(str::to_owned)).collect()
}

/// What the record of a kind promises, in sentences.
fn guarantees(kind: &Kind) -> Vec<String> {
    let keyed = match kind.keyed_on {
        KeyedOn::Value => "equal values get equal masks in all columns with the same label and parameters",
        KeyedOn::Subject => "depends on the subject, not on the value: values join only through the subject",
        KeyedOn::Either => "depends on the value, or on the subject with by = \"subject\"",
        KeyedOn::Nothing => "every value gets the same mask",
        KeyedOn::Row => "depends on the row: equal values of two rows may get different masks",
    };
    let injective = match kind.injective {
        Injective::ByConstruction => "two values never share a mask: unique columns stay unique",
        Injective::Bits80 => "two of n values share a mask with probability n²/2^81: good for unique columns",
        Injective::No => "two values may share a mask: not for unique columns",
    };
    let mut list = vec![keyed.to_owned(), injective.to_owned()];
    if kind.promises.is_some() {
        list.push("parameters can change both; a plan refuses what does not fit its column".to_owned());
    }
    if kind.folds {
        let unless = if kind.params.iter().any(|param| param.name == "fold") { ", unless fold = false" } else { "" };
        list.push(format!("upper and lower case get the same mask{unless}"));
    }
    if kind.lowercase {
        list.push("masks stay distinct under lower()".to_owned());
    }
    if kind.needs_subject {
        list.push("needs a subject".to_owned());
    }
    if !kind.keeps.words.is_empty() {
        list.push(format!("keeps as they are: {}", kind.keeps.words));
    }
    list
}

/// Masks the values of the command line, or the lines of standard input.
pub(super) async fn mask(context: &Context, args: MaskArgs) -> Result<MaskResult, Failure> {
    let kind = find(&args.kind)?;
    let mut chosen = key::choose(context, args.key.key_file.as_deref())?;
    if let Some(realm) = &args.key.realm {
        chosen.realm.clone_from(realm);
    }
    let loaded = key::load(&chosen.source, args.key.test.allow_test_key).await?;
    let values = if args.values.is_empty() { lines(context).await? } else { args.values };
    let realm = loaded.key.realm(&chosen.realm);
    let mut params: Params = args.params.into_iter().collect();
    if kind.name == "lookup"
        && let Some(path) = params.get("file").and_then(serde_json::Value::as_str)
    {
        let text = crate::config::read_lookup(std::path::Path::new(path));
        params.insert("file".to_owned(), text.map_err(|report| input(*report))?.into());
    }
    let (cancel, label) = (context.cancel.clone(), args.label.clone());
    let work = move || {
        let mut masked = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            if cancel.is_cancelled() {
                return Err(signal::interrupted());
            }
            let one = mask::mask_value(&realm, &args.kind, &args.label, params.clone(), args.subject.as_deref(), value);
            masked.push(one.map_err(|error| refused(error, index + 1))?);
        }
        Ok(masked)
    };
    // A long value takes its time, in which a signal has to be heard: the thread is left to itself then.
    let values = match tokio::task::spawn_blocking(work).await {
        Ok(masked) => masked?,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    };
    Ok(MaskResult { kind: kind.full_name(), label, realm: chosen.realm, key_id: loaded.key.id(), values })
}

/// Says what is wrong with the call, or with the n-th value; never the value.
fn refused(error: ValueError, number: usize) -> Failure {
    let report = match error {
        ValueError::Compile(CompileError { refusal, .. }) => {
            let hint = match &refusal {
                Refusal::NeedsSubject { .. } => "Name the person the values belong to: --subject 42.".to_owned(),
                Refusal::UnknownParam { kind, .. } | Refusal::BadParam { kind, .. } => format!("restage kinds {kind}"),
                _ => String::new(),
            };
            let report = Report::new("usage::mask", refusal.to_string());
            if hint.is_empty() { report } else { report.hint(hint) }
        }
        ValueError::Mask(MaskError { reason, .. }) => {
            Report::new("usage::value", format!("value {number} cannot be masked")).detail(format!("{reason}."))
        }
        error @ ValueError::NotANumber { .. } => {
            Report::new("usage::value", format!("value {number} cannot be masked")).detail(format!("{error}."))
        }
    };
    Failure::new(Exit::Usage, report)
}

/// What `mask` reads from standard input at most; whole tables are what `refresh` is for.
const INPUT_BYTES_MAX: u64 = 64 << 20;

/// Reads standard input as lines.
async fn lines(context: &Context) -> Result<Vec<String>, Failure> {
    if std::io::stdin().is_terminal() {
        context.tell("Type one value per line; Ctrl-D ends.");
    }
    let read = tokio::task::spawn_blocking(|| {
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    let bytes = read.await.map_err(std::io::Error::other).and_then(|bytes| bytes);
    let bytes = bytes
        .map_err(|error| input(Report::new("usage::input", "cannot read standard input").detail(error.to_string())))?;
    split_lines(bytes)
}

fn split_lines(bytes: Vec<u8>) -> Result<Vec<String>, Failure> {
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        let report =
            Report::new("usage::input", format!("standard input holds more than {} MiB", INPUT_BYTES_MAX >> 20));
        return Err(input(report.hint("Give it in parts: `split -l 100000` and one call per part.")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        input(Report::new("usage::input", format!("line {line} of standard input is not UTF-8")))
    })?;
    Ok(text.lines().map(ToOwned::to_owned).collect())
}

fn input(report: Report) -> Failure {
    Failure::new(Exit::Usage, report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kind_tells_is_said_of_every_kind_that_keeps_something() {
        for (known, _) in LEAKS {
            assert!(mask::kind(known).is_some(), "{known} is no kind");
        }
        use mask::Remains::{Near, Open, Part, Subscriber};
        for kind in mask::KINDS {
            let keeps = matches!((kind.remains)(&Params::new()), Near | Open | Part | Subscriber);
            let born = kind.summary.contains("year of birth");
            let silent = ["null", "const", "text.drop"].contains(&kind.name);
            if (keeps || born) && !silent {
                assert!(LEAKS.iter().any(|(known, _)| *known == kind.name), "nothing is said of {}", kind.name);
            }
        }
        assert!(leaks("email").iter().any(|leak| leak.contains("which rows hold the same value")));
        assert!(leaks("date.shift").iter().any(|leak| leak.contains("microsecond")));
        assert!(leaks("null").is_empty() && leaks("name.full").is_empty());
    }

    #[test]
    fn input_is_one_value_per_line_and_empty_lines_are_values() {
        assert_eq!(split_lines(b"a\n\nb\r\n".to_vec()).unwrap(), ["a", "", "b"]);
        assert_eq!(split_lines(Vec::new()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn input_that_is_not_text_is_refused_by_its_line() {
        let failure = split_lines(b"a\nb\n\xff\n".to_vec()).unwrap_err();
        assert_eq!(failure.reports[0].message, "line 3 of standard input is not UTF-8");
    }
}
