//! Dates of a column as a distribution: those of birth lie as no others do.

use super::content;
use std::collections::BTreeMap;

/// The last year in which many grown-ups of today were born, and the newest that a column of grown-ups holds. No clock is
/// asked, so that a sample says the same on every day; later, these years are only older.
const MEDIAN_MAX: i32 = 2008;
const NEWEST_MAX: i32 = 2023;
/// The newest year where there are years only: those of cars and wine go on.
const YEAR_MAX: i32 = 2012;
/// Years between the early and the late ones, at least: invoices of ten years are no births.
const SPAN_MIN: i32 = 20;
/// The newest year of children in a table of persons, and on how many of hundred days of a weekend they were born at least:
/// nobody is hired or enrolled on these.
const CHILDREN_MAX: i32 = 2020;
const WEEKENDS_MIN: u32 = 15;
/// Fewest different values, and days of the month among them: what is done on the first or the last day is no birth.
const VALUES_MIN: u32 = 20;
const DAYS_MIN: u32 = 12;
/// So many of ten values are dates at least.
const OF_TEN: u32 = 9;
/// Placeholders as the year 9999 and the first of January 1900 are few: this share at each end is not looked at.
const ENDS: f64 = 0.03;

/// Different dates by year, and which days of a month they have.
#[derive(Default)]
pub(super) struct Years {
    values: BTreeMap<i32, u32>,
    /// A bit for each day of the month.
    days: u32,
    /// Those with a day, and those on a weekend.
    whole: u32,
    weekends: u32,
}

impl Years {
    /// Takes a value, if it is a date without a time of day, or a year.
    pub(super) fn push(&mut self, value: &str) {
        if let Some(date) = content::date(value) {
            *self.values.entry(date.year).or_default() += 1;
            self.whole += u32::from(date.day.is_some());
            self.weekends += u32::from(date.weekend);
            self.days |= date.day.map_or(0, |day| 1 << day);
        }
    }

    /// Whether `of` different values look like days or years of birth. `persons`: of a table that is called after them, where
    /// children may be born this year, or all are children.
    pub(super) fn are_births(&self, of: u32, persons: bool) -> bool {
        let count: u32 = self.values.values().sum();
        if count < VALUES_MIN || count * 10 < of * OF_TEN {
            return false;
        }
        let whole = self.whole * 10 >= count * OF_TEN;
        let none = self.whole == 0;
        let newest = if none { YEAR_MAX } else { NEWEST_MAX };
        let last = self.at(1.0 - ENDS);
        let grown = self.at(0.5) < MEDIAN_MAX && last - self.at(ENDS) > SPAN_MIN && (persons || last <= newest);
        let children = persons && last <= CHILDREN_MAX && self.weekends * 100 >= count * WEEKENDS_MIN;
        (none || whole && self.days.count_ones() >= DAYS_MIN) && (grown || children)
    }

    /// The year below which this share of the values lies.
    fn at(&self, share: f64) -> i32 {
        let count: u32 = self.values.values().sum();
        let mut left = share * f64::from(count);
        for (year, values) in &self.values {
            left -= f64::from(*values);
            if left <= 0.0 {
                return *year;
            }
        }
        self.values.last_key_value().map_or(0, |(year, _)| *year)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn births(persons: bool, value: impl Fn(u32) -> String) -> bool {
        let mut years = Years::default();
        (0..100).for_each(|n| years.push(&value(n)));
        years.are_births(100, persons)
    }

    fn date(first: u32, span: u32, n: u32) -> (u32, u32, u32) {
        (first + n * 7 % span, 1 + n * 5 % 12, 1 + n * 11 % 28)
    }

    #[test]
    fn dates_that_lie_as_those_of_birth_are_told() {
        let iso = |(year, month, day): (u32, u32, u32)| format!("{year}-{month:02}-{day:02}");
        assert!(births(false, |n| iso(date(1940, 65, n))));
        assert!(births(false, |n| iso(date(1940, 65, n)).replace('-', "")));
        assert!(births(false, |n| format!("{} 00:00:00", iso(date(1940, 65, n)))));
        assert!(births(false, |n| if n == 0 { "9999-12-31".to_owned() } else { iso(date(1940, 65, n)) }));
        assert!(births(false, |n| (1930 + n * 7 % 75).to_string()));
        assert!(births(true, |n| iso(date(1965, 62, n))));
        // Of pupils alone, who are born on weekends, too.
        assert!(births(true, |n| iso(date(2009, 10, n))) && births(true, |n| iso(date(2009, 10, n)).replace('-', "")));
        assert!(!births(false, |n| iso(date(2009, 10, n))));
        assert!(!births(true, |n| iso(date(2015, 10, n))));
        // Days of work: the first of June of 2009 was a Monday.
        assert!(!births(true, |n| iso((2009, 6, 1 + n % 5 + n / 25 * 7))));
        // The twins: up to this year, of ten years, on the first of a month, with a time, and mostly no dates.
        assert!(!births(false, |n| iso(date(1965, 62, n))));
        assert!(!births(false, |n| iso(date(1990, 12, n))));
        assert!(!births(true, |n| iso(date(2000, 26, n))));
        assert!(!births(false, |n| {
            let (year, month, _) = date(1940, 65, n);
            iso((year, month, 1))
        }));
        assert!(!births(false, |n| format!("{} 13:0{}:00", iso(date(1940, 65, n)), n % 10)));
        assert!(!births(false, |n| if n % 2 == 0 { n.to_string() } else { iso(date(1940, 65, n)) }));
        assert!(!births(false, |n| (1960 + n * 7 % 66).to_string()));
    }
}
