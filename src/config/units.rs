//! Texts with units: durations, sizes, rates; and the syntax of a cron line.

use std::time::Duration;

/// Unit, milliseconds; from large to small, the order in which they are written.
const DURATION_UNITS: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1000),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads `5s`, `500ms`, `1h30m`; each unit once, the largest first.
///
/// # Errors
/// Says what a duration looks like; never repeats the text.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("a duration is a number with a unit: 500ms, 5s, 10m, 2h, 1h30m".to_owned());
    }
    let mut total: u64 = 0;
    let mut units = DURATION_UNITS;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        if after.starts_with('.') {
            return Err("a duration has no fractions: 1h30m instead of 1.5h".to_owned());
        }
        if number.is_empty() {
            return Err("a duration is a number with a unit: 500ms, 5s, 10m, 2h, 1h30m".to_owned());
        }
        let after = after.trim_start();
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        let Some(index) = units.iter().position(|(name, _)| *name == unit) else {
            return Err(match unit {
                "" => "the unit is missing: ms, s, m, h or d".to_owned(),
                _ if DURATION_UNITS.iter().any(|(name, _)| *name == unit) => {
                    "each unit stands once, the largest first: 1h30m".to_owned()
                }
                _ => "the units of a duration are ms, s, m (minutes), h and d".to_owned(),
            });
        };
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(units[index].1));
        total = part.and_then(|part| total.checked_add(part)).ok_or("the duration is too long to count")?;
        units = &units[index + 1..];
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// Reads `256MiB`, `1.5 GB` as bytes. kB, MB, GB, TB count in thousands, KiB, MiB, GiB, TiB in 1024s.
///
/// # Errors
/// Says what a size looks like; never repeats the text.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    if number.is_empty() {
        return Err("a size is a number with a unit: 256MiB, 1.5GB".to_owned());
    }
    let Some((_, factor)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else {
        let meant = SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        return Err(match meant {
            _ if unit.is_empty() => "the unit is missing: B, kB, MB, GB, TB, KiB, MiB, GiB or TiB".to_owned(),
            Some((name, _)) => format!("upper and lower case count in units: {name}"),
            None => "the units of a size are B, kB, MB, GB, TB, KiB, MiB, GiB and TiB".to_owned(),
        });
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') || fraction.contains('.') || fraction.len() > 9 {
        return Err("a size is a number with a unit: 256MiB, 1.5GB".to_owned());
    }
    // At most 9 fraction digits, so both factors stay far inside u128.
    let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    let number: u128 = format!("{whole}{fraction}").parse().map_err(|_| "the size is too large to count")?;
    let bytes = number.checked_mul(u128::from(*factor)).ok_or("the size is too large to count")?;
    if bytes % scale != 0 {
        return Err("the size is not a whole number of bytes".to_owned());
    }
    u64::try_from(bytes / scale).map_err(|_| "the size is too large to count".to_owned())
}

/// Reads a size per second: `200MiB/s`, or without `/s`.
///
/// # Errors
/// As [`size`].
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let text = text.trim();
    size(text.strip_suffix("/s").unwrap_or(text))
}

/// Writes a duration as it would be typed.
pub(super) fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, factor) in DURATION_UNITS {
        let count = rest / factor;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
        rest %= factor;
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Writes a size as it would be typed.
pub(super) fn show_size(bytes: u64) -> String {
    let binary = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1_u64 << 10)];
    let decimal = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    let unit = binary.iter().chain(&decimal).find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    unit.map_or(format!("{bytes}B"), |(unit, factor)| format!("{}{unit}", bytes / factor))
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Field, smallest, largest, names that stand for numbers from the smallest on.
const CRON_FIELDS: [(&str, u32, u32, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of the month", 1, 31, &[]),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 7, DAYS),
];

/// Checks a cron line of five fields: `*`, numbers, names of months and days, ranges, lists and steps.
///
/// # Errors
/// Says which field is wrong and what it may hold.
pub(super) fn cron(text: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    if fields.len() != CRON_FIELDS.len() {
        return Err(format!("a cron line has 5 fields (minute hour day month weekday), this one has {}", fields.len()));
    }
    for (field, (name, low, high, names)) in fields.iter().zip(CRON_FIELDS) {
        if !field.split(',').all(|item| cron_item(item, low, high, names)) {
            return Err(format!("the {name} must be *, or numbers from {low} to {high}, as in 1-5 or 1,3 or */2"));
        }
    }
    Ok(())
}

fn cron_item(item: &str, low: u32, high: u32, names: &[&str]) -> bool {
    let number = |text: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|index| u32::try_from(index).ok()).map(|index| index + low);
        let digits = || Some(text).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?.parse().ok();
        named.or_else(digits).filter(|number| (low..=high).contains(number))
    };
    let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
    let step_fits = step
        .is_none_or(|step| step.parse::<u32>().is_ok_and(|step| (1..=high).contains(&step)) && !step.starts_with('+'));
    let range_fits = match range.split_once('-') {
        _ if range == "*" => true,
        Some((from, to)) => matches!((number(from), number(to)), (Some(from), Some(to)) if from <= to),
        None => number(range).is_some(),
    };
    step_fits && range_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, ms) in [
            ("5s", 5000),
            ("500ms", 500),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("1h30m", 5_400_000),
            (" 1h 30m ", 5_400_000),
            ("1d", 86_400_000),
            ("0s", 0),
            ("90 s", 90_000),
        ] {
            let duration = duration(text).unwrap();
            assert_eq!(duration, Duration::from_millis(ms), "{text}");
            assert_eq!(super::duration(&show_duration(duration)), Ok(duration));
        }
        for text in ["", "5", "s", "1.5h", "30m1h", "1h1h", "5 sec", "-5s", "99999999999999999999s", "5s!", "٣s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes) in [
            ("200MiB", 200 << 20),
            ("256 MB", 256_000_000),
            ("1GiB", 1 << 30),
            ("1.5GiB", 3 << 29),
            ("7B", 7),
            ("0B", 0),
            ("2kB", 2000),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
            assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }
        assert_eq!(rate("200MiB/s"), Ok(200 << 20));
        assert_eq!(rate("200 MiB"), Ok(200 << 20));
        for text in ["", "5", "MB", "5mb", "5Mb", "1.5B", "1..5GB", "1.GB", ".5GB", "-1GB", "99999999999TiB", "5G"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert!(size("5mb").unwrap_err().contains("MB"));
    }

    #[test]
    fn cron_lines_are_checked() {
        for line in ["30 2 * * *", "*/15 0-6 1,15 * mon-fri", "0 0 1 JAN 7", "0 22-23/1 * * sun"] {
            assert_eq!(cron(line), Ok(()), "{line}");
        }
        for line in [
            "",
            "* * * *",
            "60 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "*/0 * * * *",
            "+5 * * * *",
            "@daily",
            "1,, * * * *",
        ] {
            assert!(cron(line).is_err(), "{line}");
        }
    }
}
