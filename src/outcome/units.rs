//! Numbers as people read them.

/// `1.2 GB`: decimal units, three significant digits at most.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} B");
    }
    scaled(count, &UNITS)
}

/// `3.4 M` for estimates; exact below 10,000.
pub fn estimate(count: u64) -> String {
    const UNITS: [&str; 6] = ["k", "M", "G", "T", "P", "E"];
    if count < 10_000 {
        return self::count(count);
    }
    scaled(count, &UNITS)
}

/// `3,411,200`.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 table`, `21 tables`, `2 indexes`.
pub fn plural(number: u64, word: &str) -> String {
    let ending = match number {
        1 => "",
        _ if word.ends_with('x') => "es",
        _ => "s",
    };
    format!("{} {word}{ending}", count(number))
}

/// [`plural`] of what stands in memory.
pub fn many(number: usize, word: &str) -> String {
    plural(number as u64, word)
}

/// `3 ms`, `0.2 s`, `42.1 s`, `3 min 20 s`, `1 h 02 min`.
pub fn duration(ms: u64) -> String {
    let seconds = ms.saturating_add(500) / 1000;
    match seconds {
        _ if ms < 100 => format!("{ms} ms"),
        // 59.95 s would be rounded to 60.0.
        _ if ms < 59_950 => format!("{:.1} s", ms as f64 / 1000.0),
        0..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => {
            let minutes = (seconds + 30) / 60;
            format!("{} h {:02} min", minutes / 60, minutes % 60)
        }
    }
}

/// `about 42 s`: a duration that was not measured, without the digits nobody knows.
pub fn about(ms: u64) -> String {
    let seconds = ms.saturating_add(500) / 1000;
    match seconds {
        0 => "less than a second".to_owned(),
        1..60 => format!("about {seconds} s"),
        60..3600 => format!("about {} min", (seconds + 30) / 60),
        _ => format!("about {}", duration(ms)),
    }
}

/// One decimal below ten, none above; moves to the next unit where rounding reaches it.
fn scaled(count: u64, units: &[&str]) -> String {
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1} {}", units[unit]) } else { format!("{value:.0} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_short_and_rounding_moves_to_the_next_unit() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_950, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (1_230_000_000, "1.2 GB"),
            (u64::MAX, "18 EB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn counts_are_exact_and_estimates_are_not() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(3_411_200), "3,411,200");
        assert_eq!(estimate(9_999), "9,999");
        assert_eq!(estimate(3_411_200), "3.4 M");
        assert_eq!(plural(1, "table"), "1 table");
        assert_eq!(plural(1200, "row"), "1,200 rows");
        assert_eq!((many(0, "index"), many(1, "index")), ("0 indexes".into(), "1 index".into()));
    }

    #[test]
    fn durations_never_show_sixty_of_anything() {
        let cases = [
            (0, "0 ms"),
            (99, "99 ms"),
            (100, "0.1 s"),
            (240, "0.2 s"),
            (59_949, "59.9 s"),
            (59_950, "1 min 00 s"),
            (200_000, "3 min 20 s"),
            (3_599_400, "59 min 59 s"),
            (3_599_600, "1 h 00 min"),
            (3_720_000, "1 h 02 min"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text, "{ms} ms");
        }
        let cases =
            [(400, "less than a second"), (42_100, "about 42 s"), (125_000, "about 2 min"), (u64::MAX, "about ")];
        for (ms, text) in cases {
            assert!(about(ms).starts_with(text), "{ms} ms: {}", about(ms));
        }
    }
}
