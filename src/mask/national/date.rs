//! Days of a year, counted from 0 on 1 January.

/// Days before each month of a common year.
const BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

pub(super) fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

pub(super) fn days_of(year: u32) -> u64 {
    365 + u64::from(is_leap(year))
}

fn before(year: u32, month: u32) -> u32 {
    BEFORE[month as usize - 1] + u32::from(month > 2 && is_leap(year))
}

/// The day of a year, if the date exists.
pub(super) fn day_of_year(year: u32, month: u64, day: u64) -> Option<u64> {
    let month = u32::try_from(month).ok().filter(|month| (1..=12).contains(month))?;
    let next = if month == 12 { days_of(year) as u32 } else { before(year, month + 1) };
    let length = next - before(year, month);
    (1..=u64::from(length)).contains(&day).then(|| u64::from(before(year, month)) + day - 1)
}

/// Month and day of a day of a year.
pub(super) fn month_and_day(year: u32, day_of_year: u64) -> (u64, u64) {
    let day_of_year = day_of_year as u32;
    let month = (1..=12).rev().find(|month| before(year, *month) <= day_of_year).unwrap_or(1);
    (month.into(), u64::from(day_of_year - before(year, month)) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_a_year_has_one_date() {
        for (year, days) in [(1900, 365), (1999, 365), (2000, 366), (2024, 366)] {
            assert_eq!(days_of(year), days);
            let mut seen = 0;
            for month in 0..=13 {
                for day in 0..=32 {
                    if let Some(found) = day_of_year(year, month, day) {
                        assert_eq!((found, month_and_day(year, found)), (seen, (month, day)));
                        seen += 1;
                    }
                }
            }
            assert_eq!(seen, days);
        }
        assert_eq!(day_of_year(1985, 7, 30), Some(210));
    }
}
