//! Masks that keep nearly all of a value: to a pack they are `keep`.
//!
//! The bounds follow what a column looks like. A value of four characters tells a name and hides a number, so names keep
//! their initial at most and numbers their last digits; where nothing narrower is known, nothing stays.

use crate::detect::{self, Class};
use crate::mask::Params;
use regex_syntax::hir::{Hir, HirKind};
use serde_json::Value;

/// Degrees, 100 m of latitude: a smaller cell is a building.
const CELL_MIN: f64 = 0.001;
/// The same in meters, for noise.
const DISTANCE_MIN_M: i64 = 100;
/// Less than one percent of an amount is rounding.
const RATIO_MIN_PPM: i64 = 10_000;
/// Days: a shift of less leaves the month of birth.
const SHIFT_MIN_DAYS: i64 = 30;
/// Distance of two pays that are one bucket.
const PAY_WIDTH_MIN: f64 = 100.0;
const AGE_WIDTH_MIN: f64 = 5.0;
/// Three of four rows with their own value, in parts of 2^32.
const TRUTH_MAX: i64 = 3 << 30;
/// The same for two members: ln 3.
const EPSILON_MAX: f64 = 1.1;
/// Leading digits of a national telephone number: an area, and no subscriber.
const PHONE_KEEP_MAX: i64 = 4;
/// Characters of a postal code: the region.
const ZIP_KEEP_MAX: i64 = 3;

/// What a mask keeps that nearly is the value; none if it hides enough of a column that looks like `category`.
pub(super) fn kept(kind: &str, params: &Params, category: Option<&str>) -> Option<String> {
    let integer = |name: &str| params.get(name).and_then(Value::as_i64);
    let word = |name: &str| params.get(name).and_then(Value::as_str);
    let told = |what: String| Some(format!("{kind} {what}: it stands there"));
    let class = category.and_then(|name| Some(detect::categories().iter().find(|known| known.name == name)?.class));
    match kind {
        "partial" => partial(params, category).and_then(told),
        "card" => {
            let most = integer("keep") > Some(6) && params.get("keep_last4").and_then(Value::as_bool) == Some(true);
            most.then(|| "keeps the first eight and the last four digits".to_owned()).and_then(told)
        }
        "phone" => {
            integer("keep").filter(|keep| *keep > PHONE_KEEP_MAX).and_then(|keep| told(format!("keeps {keep} digits")))
        }
        "zip" => integer("keep")
            .filter(|keep| *keep > ZIP_KEEP_MAX)
            .and_then(|keep| told(format!("keeps {keep} characters"))),
        "url" => url(params).and_then(told),
        "regex" => outside_of_groups(word("match")?)
            .then(|| "keeps what its `match` has outside of groups".to_owned())
            .and_then(told),
        "replace" | "lookup" => rest(params, category).and_then(told),
        "json" | "xml" | "hstore" | "composite" => {
            let masked = |value: &Value| value.as_str() != Some("keep");
            let named = ["paths", "fields"].iter().filter_map(|name| params.get(*name)?.as_object());
            let none = !named.flat_map(|table| table.values()).any(masked);
            (none && word("rest") == Some("keep")).then(|| "keeps all of it".to_owned()).and_then(told)
        }
        "text.spans" => spans(params, category, class).and_then(told),
        "date.trunc" => {
            let unit = word("unit").filter(|unit| matches!(*unit, "minute" | "hour" | "day" | "week"))?;
            told(format!("keeps the {unit}"))
        }
        "date.shift" => integer("days_max")
            .filter(|days| *days < SHIFT_MIN_DAYS)
            .and_then(|days| told(format!("moves by {days} days at most"))),
        "age.cap" if category == Some("birth_date") && word("of") != Some("year") => {
            told("keeps the dates of all who are younger".to_owned())
        }
        "num.cap" if category != Some("age") => told("keeps all that is within its limits".to_owned()),
        "num.bucket" => bucket(params, category, class).and_then(told),
        "num.noise" | "num.scale" => {
            let ratio = integer("ratio_ppm").filter(|ratio| *ratio < RATIO_MIN_PPM)?;
            told(format!("changes at most {ratio} millionths"))
        }
        "enum.rr" => {
            let most = integer("threshold") > Some(TRUTH_MAX);
            let open = params.get("epsilon").and_then(Value::as_f64).is_some_and(|epsilon| epsilon > EPSILON_MAX);
            (most || open).then(|| "keeps the value in more than three of four rows".to_owned()).and_then(told)
        }
        "geo.grid" => number(params.get("cell")?)
            .filter(|cell| *cell < CELL_MIN)
            .and_then(|_| told(format!("has cells below {CELL_MIN} degrees"))),
        "geo.laplace" => integer("distance_m")
            .filter(|meters| *meters < DISTANCE_MIN_M)
            .and_then(|meters| told(format!("moves by {meters} m"))),
        _ => None,
    }
}

/// A number, or a number written as text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// The characters a value of this category may keep: at its beginning, at its end, and together.
fn bounds(category: Option<&str>) -> (i64, i64, i64) {
    match category {
        // PCI DSS 3.4.1.
        Some("credit_card") => (6, 4, 10),
        Some(
            "national_id" | "passport" | "drivers_license" | "iban" | "bank_account" | "phone" | "customer_number"
            | "device_id" | "token",
        ) => (4, 4, 4),
        Some("zip") => (ZIP_KEEP_MAX, 0, ZIP_KEEP_MAX),
        Some("license_plate") => (2, 2, 2),
        // The year.
        Some("birth_date") => (4, 0, 4),
        Some(
            "first_name" | "last_name" | "full_name" | "username" | "email" | "street" | "address" | "company" | "city",
        ) => (1, 0, 1),
        Some(_) => (0, 0, 0),
        // A rule names the column, so nothing is known of its values.
        None => (4, 4, 4),
    }
}

fn partial(params: &Params, category: Option<&str>) -> Option<String> {
    let kept = |name: &str| params.get(name).and_then(Value::as_i64).unwrap_or(0);
    let (first, last) = (kept("keep_first"), kept("keep_last"));
    let (first_max, last_max, most) = bounds(category);
    let within = first <= first_max && last <= last_max && first + last <= most;
    let allowed = match most {
        0 => "none may stay".to_owned(),
        _ if most == first_max + last_max && last_max > 0 => {
            format!("at most the first {first_max} and the last {last_max} may stay")
        }
        _ => format!("at most {most} may stay"),
    };
    (!within).then(|| format!("keeps {} characters, where {allowed}", first + last))
}

fn url(params: &Params) -> Option<String> {
    let texts = |name: &str| params.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let parts: Vec<&str> = texts("keep").collect();
    if !parts.is_empty() {
        return Some(format!("keeps the {}", parts.join(", the ")));
    }
    let all = texts("keep_hosts").any(|host| !host.trim_matches('.').contains('.'));
    all.then(|| "keeps the hosts of a whole top-level domain".to_owned())
}

/// What becomes of values that a map or file does not have.
fn rest(params: &Params, category: Option<&str>) -> Option<String> {
    match params.get("else")? {
        Value::String(word) if word == "keep" => Some("keeps all that its map does not have".to_owned()),
        Value::Object(inner) => {
            let kind = inner.get("mask").and_then(Value::as_str)?;
            let kind = kind.split_once('/').map_or(kind, |(name, _)| name);
            kept(kind, inner, category).map(|_| format!("leaves the rest to {kind}, which keeps too much"))
        }
        _ => None,
    }
}

/// Spans hide what they recognize, which is nothing of a name that stands alone, a street or a diagnosis.
fn spans(params: &Params, category: Option<&str>, class: Option<Class>) -> Option<String> {
    let masks = params.get("masks").and_then(Value::as_object).into_iter().flatten();
    let kept: Vec<&str> =
        masks.filter(|(_, mask)| mask.as_str() == Some("keep")).map(|(name, _)| name.as_str()).collect();
    if !kept.is_empty() {
        return Some(format!("keeps {}", kept.join(", ")));
    }
    let recognized = ["email", "phone", "ip", "url", "iban", "credit_card", "national_id"];
    let known = category.is_none_or(|name| recognized.contains(&name)) || class == Some(Class::Text);
    (!known).then(|| "keeps what it does not recognize in it".to_owned())
}

fn bucket(params: &Params, category: Option<&str>, class: Option<Class>) -> Option<String> {
    let width = params.get("width").and_then(number)?;
    if matches!(class, Some(Class::Direct | Class::Secret)) {
        return Some("keeps the leading digits".to_owned());
    }
    let least = match category {
        Some("income") => PAY_WIDTH_MIN,
        Some("age") => AGE_WIDTH_MIN,
        Some("coordinates") => CELL_MIN,
        _ => 2.0,
    };
    (width < least).then(|| format!("has buckets narrower than {least}"))
}

/// Whether an expression matches anything but fixed text outside of its groups. One that cannot be read is told elsewhere.
fn outside_of_groups(pattern: &str) -> bool {
    fn open(hir: &Hir) -> bool {
        match hir.kind() {
            HirKind::Empty | HirKind::Literal(_) | HirKind::Look(_) | HirKind::Capture(_) => false,
            HirKind::Class(_) => true,
            HirKind::Repetition(repeated) => open(&repeated.sub),
            HirKind::Concat(parts) => parts.iter().any(open),
            // Which branch it is tells the value apart, unless groups hide it.
            HirKind::Alternation(branches) => {
                branches.iter().any(|branch| branch.properties().explicit_captures_len() == 0 || open(branch))
            }
        }
    }
    regex_syntax::parse(pattern).is_ok_and(|hir| hir.properties().explicit_captures_len() == 0 || open(&hir))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weak(category: &str, decision: &str) -> bool {
        let document: toml::Table = format!("d = {decision}").parse().expect(decision);
        let Ok(Value::Object(mut params)) = serde_json::to_value(&document["d"]) else { panic!("{decision}") };
        let kind = params.remove("mask").expect("a kind");
        let known = crate::mask::kind(kind.as_str().expect("a name")).expect("a kind there is");
        for name in params.keys() {
            assert!(known.params.iter().any(|param| param.name == name), "{name} of {decision}");
        }
        assert!(detect::categories().iter().any(|known| known.name == category), "{category}");
        kept(known.name, &params, Some(category)).is_some()
    }

    #[test]
    fn masks_that_keep_nearly_all_are_told_from_those_that_hide() {
        for (category, keeps, hides) in [
            ("national_id", r#"{ mask = "partial", keep_first = 10 }"#, r#"{ mask = "partial", keep_last = 4 }"#),
            ("national_id", r#"{ mask = "partial", keep_first = 3, keep_last = 2 }"#, r#"{ mask = "partial" }"#),
            (
                "credit_card",
                r#"{ mask = "partial", keep_last = 6 }"#,
                r#"{ mask = "partial", keep_first = 6, keep_last = 4 }"#,
            ),
            (
                "credit_card",
                r#"{ mask = "card", keep = 8, keep_last4 = true }"#,
                r#"{ mask = "card", keep = 6, keep_last4 = true }"#,
            ),
            ("last_name", r#"{ mask = "partial", keep_first = 3 }"#, r#"{ mask = "partial", keep_first = 1 }"#),
            ("health", r#"{ mask = "partial", keep_first = 1 }"#, r#"{ mask = "pattern" }"#),
            ("phone", r#"{ mask = "phone", keep = 6 }"#, r#"{ mask = "phone", keep = 3 }"#),
            ("zip", r#"{ mask = "zip", keep = 5 }"#, r#"{ mask = "zip", keep = 3 }"#),
            ("url", r#"{ mask = "url", keep = ["path"] }"#, r#"{ mask = "url", keep_hosts = ["cdn.example.com"] }"#),
            ("url", r#"{ mask = "url", keep_hosts = ["com"] }"#, r#"{ mask = "url" }"#),
            ("email", r#"{ mask = "regex", match = ".*" }"#, r#"{ mask = "regex", match = "(.*)@(.*)" }"#),
            ("email", r#"{ mask = "regex", match = "(.).*" }"#, r#"{ mask = "regex", generate = "[a-z]{8}" }"#),
            (
                "gender",
                r#"{ mask = "regex", match = "(?:(f)emale|male)" }"#,
                r#"{ mask = "regex", match = "(?:(f)|(m))" }"#,
            ),
            (
                "health",
                r#"{ mask = "replace", map = {}, inside = true, else = "keep" }"#,
                r#"{ mask = "replace", map = {} }"#,
            ),
            (
                "health",
                r#"{ mask = "replace", map = {}, else = { mask = "partial", keep_last = 9 } }"#,
                r#"{ mask = "replace", map = {}, else = { mask = "hash" } }"#,
            ),
            ("health", r#"{ mask = "json", rest = "keep" }"#, r#"{ mask = "json", rest = "null" }"#),
            (
                "health",
                r#"{ mask = "json", rest = "keep", paths = { "$.a" = "keep" } }"#,
                r#"{ mask = "json", rest = "keep", paths = { "$.a" = "hash" } }"#,
            ),
            ("full_name", r#"{ mask = "text.spans" }"#, r#"{ mask = "name.value" }"#),
            ("free_text", r#"{ mask = "text.spans", masks = { phone = "keep" } }"#, r#"{ mask = "text.spans" }"#),
            ("birth_date", r#"{ mask = "date.trunc", unit = "day" }"#, r#"{ mask = "date.trunc", unit = "month" }"#),
            ("birth_date", r#"{ mask = "date.shift", days_max = 1 }"#, r#"{ mask = "date.shift" }"#),
            ("birth_date", r#"{ mask = "age.cap", as_of = "2026-01-01" }"#, r#"{ mask = "age.cap", of = "year" }"#),
            ("income", r#"{ mask = "num.bucket", width = 1 }"#, r#"{ mask = "num.bucket", width = "1000" }"#),
            ("income", r#"{ mask = "num.cap", max = 1000000 }"#, r#"{ mask = "num.noise" }"#),
            ("income", r#"{ mask = "num.noise", ratio_ppm = 1 }"#, r#"{ mask = "num.noise", ratio_ppm = 50000 }"#),
            ("national_id", r#"{ mask = "num.bucket", width = 1000 }"#, r#"{ mask = "int" }"#),
            ("age", r#"{ mask = "num.bucket", width = 1 }"#, r#"{ mask = "num.cap", max = 90 }"#),
            (
                "gender",
                r#"{ mask = "enum.rr", threshold = 4294967296 }"#,
                r#"{ mask = "enum.rr", threshold = 2147483648 }"#,
            ),
            ("gender", r#"{ mask = "enum.rr", epsilon = 8 }"#, r#"{ mask = "enum.rr", epsilon = 1 }"#),
            ("coordinates", r#"{ mask = "geo.grid", cell = "0.000001" }"#, r#"{ mask = "geo.grid" }"#),
            ("coordinates", r#"{ mask = "geo.laplace", distance_m = 1 }"#, r#"{ mask = "geo.laplace" }"#),
        ] {
            assert!(weak(category, keeps), "{category}: {keeps}");
            assert!(!weak(category, hides), "{category}: {hides}");
        }
    }
}
