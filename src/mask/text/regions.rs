//! National telephone numbers as people at home write them: without country code, and without the prefix that others dial.
//!
//! Only looked for where the policy names a region, because digits in such groups are amounts and part numbers elsewhere.
//! Source: ITU-T E.129 national numbering plans, by lengths and leading digits only.

/// How numbers of a region are written at home.
pub(super) struct Plan {
    region: &'static str,
    /// Digits, and what they begin with.
    forms: &'static [(usize, &'static [&'static str])],
    /// As `forms`, for mobile numbers that are told without separators too.
    bare: &'static [(usize, &'static [&'static str])],
}

const ANY: &[&str] = &["1", "2", "3", "4", "5", "6", "7", "8", "9"];
const TWO_UP: &[&str] = &["2", "3", "4", "5", "6", "7", "8", "9"];

type Forms = &'static [(usize, &'static [&'static str])];

const fn plan(region: &'static str, forms: Forms, bare: Forms) -> Plan {
    Plan { region, forms, bare }
}

/// Regions without a row write all numbers with their prefix 0, which is found everywhere.
const PLANS: &[Plan] = &[
    plan("AE", &[(8, &["2", "3", "4", "6", "7", "9"]), (9, &["5"])], &[]),
    plan("AR", &[(10, &["1", "2", "3"]), (11, &["9"])], &[]),
    plan("AU", &[(9, &["4"])], &[]),
    plan("BE", &[(9, &["4"])], &[]),
    plan("BG", &[(9, &["8", "9"])], &[]),
    plan("BR", &[(8, &["2", "3", "4", "5"]), (9, &["9"]), (10, ANY), (11, ANY)], &[(9, &["9"])]),
    plan("CA", &[(7, TWO_UP), (10, TWO_UP)], &[]),
    plan("CH", &[(9, &["7"])], &[]),
    plan("CL", &[(9, TWO_UP)], &[(9, &["9"])]),
    plan("CN", &[(11, &["13", "14", "15", "16", "17", "18", "19"])], &[]),
    plan("CO", &[(10, &["3", "6"])], &[]),
    plan("CZ", &[(9, TWO_UP)], &[(9, &["6", "7"])]),
    plan("DK", &[(8, ANY)], &[(8, &["2", "30", "31", "4", "5", "6", "71", "81", "9"])]),
    plan("EE", &[(7, &["3", "4", "5", "6", "7"]), (8, &["5", "8"])], &[(7, &["5"]), (8, &["5"])]),
    plan("EG", &[(10, &["1"])], &[]),
    plan("ES", &[(9, &["5", "6", "7", "8", "9"])], &[(9, &["6", "7"])]),
    plan("FI", &[(8, &["4", "50"]), (9, &["4", "50"])], &[]),
    plan("FR", &[(9, &["6", "7"])], &[]),
    plan("GB", &[(10, &["7"])], &[]),
    plan("GR", &[(10, &["2", "6"])], &[]),
    plan("HK", &[(8, TWO_UP)], &[(8, &["5", "6", "9"])]),
    plan("HR", &[(8, &["9"]), (9, &["9"])], &[]),
    plan("HU", &[(8, ANY), (9, &["20", "30", "31", "50", "70"])], &[(9, &["20", "30", "31", "50", "70"])]),
    plan("ID", &[(9, &["8"]), (10, &["8"]), (11, &["8"]), (12, &["8"])], &[]),
    plan("IE", &[(9, &["8"])], &[]),
    plan("IL", &[(9, &["5"])], &[]),
    plan("IN", &[(10, &["6", "7", "8", "9"])], &[]),
    plan("IS", &[(7, &["4", "5", "6", "7", "8"])], &[(7, &["6", "7", "8"])]),
    plan("IT", &[(9, &["3"]), (10, &["3"])], &[(9, &["3"])]),
    plan("JP", &[(10, &["70", "80", "90"])], &[]),
    plan("KE", &[(9, &["1", "7"])], &[]),
    plan("KR", &[(10, &["10"])], &[(10, &["10"])]),
    plan("LT", &[(8, &["3", "4", "5", "6", "7"]), (9, &["8"])], &[(8, &["6"]), (9, &["86"])]),
    plan("LU", &[(8, TWO_UP), (9, &["6"])], &[(9, &["6"])]),
    plan("LV", &[(8, &["2", "6", "7"])], &[(8, &["2"])]),
    plan("MX", &[(10, TWO_UP)], &[]),
    plan("MY", &[(9, &["1"]), (10, &["1"])], &[]),
    plan("NG", &[(10, &["7", "8", "9"])], &[]),
    plan("NL", &[(9, &["6"])], &[]),
    plan("NO", &[(8, TWO_UP)], &[(8, &["4", "9"])]),
    plan("NZ", &[(8, &["2"]), (9, &["2"]), (10, &["2"])], &[]),
    plan("PE", &[(9, &["9"])], &[(9, &["9"])]),
    plan("PH", &[(10, &["9"])], &[]),
    plan("PL", &[(9, ANY)], &[(9, &["45", "5", "6", "7", "88"])]),
    plan("PT", &[(9, &["2", "3", "9"])], &[(9, &["9"])]),
    plan("RO", &[(9, &["7"])], &[]),
    plan("RS", &[(8, &["6"]), (9, &["6"])], &[]),
    plan("RU", &[(7, ANY), (10, &["3", "4", "8", "9"]), (11, &["83", "84", "88", "89"])], &[]),
    plan("SA", &[(9, &["5"])], &[]),
    plan("SE", &[(9, &["7"])], &[]),
    plan("SG", &[(8, &["3", "6", "8", "9"])], &[(8, &["8", "9"])]),
    plan("SI", &[(8, &["3", "4", "5", "6", "7"])], &[]),
    plan("SK", &[(9, &["9"])], &[]),
    plan("TH", &[(9, &["6", "8", "9"])], &[]),
    plan("TR", &[(10, &["2", "3", "4", "5"])], &[]),
    plan("TW", &[(9, &["9"])], &[]),
    plan("UA", &[(9, &["3", "4", "5", "6", "7", "9"])], &[]),
    plan("US", &[(7, TWO_UP), (10, TWO_UP)], &[]),
    plan("VN", &[(9, &["3", "5", "7", "8", "9"])], &[]),
    plan("ZA", &[(9, &["6", "7", "8"])], &[]),
];

/// The plan of a region; none if its numbers need none.
pub(super) fn of(region: &str) -> Option<&'static Plan> {
    PLANS.iter().find(|plan| plan.region.eq_ignore_ascii_case(region))
}

impl Plan {
    /// Digits written in groups of these lengths are a number.
    pub(super) fn grouped(&self, digits: &[u8], lens: &[usize]) -> bool {
        // Groups of one digit are a prefix or the ninth digit of Brazil, in numbers that leave no doubt.
        let small = lens.contains(&1) && digits.len() < 10;
        let shaped = match lens {
            // A day, or two years.
            [4, 2, 2] | [2, 2, 4] => false,
            [4, 4] => !(is_year(&digits[..4]) && is_year(&digits[4..])),
            _ if digits.len() == 7 => matches!(lens, [3, 4] | [3, 2, 2]),
            _ => true,
        };
        shaped && !small && holds(self.forms, digits)
    }

    /// Digits without separators are a mobile number, and no day.
    pub(super) fn bare(&self, digits: &[u8]) -> bool {
        holds(self.bare, digits) && !is_day(digits)
    }
}

fn holds(forms: Forms, digits: &[u8]) -> bool {
    let begins = |leads: &[&str]| leads.iter().any(|lead| digits.starts_with(lead.as_bytes()));
    forms.iter().any(|(len, leads)| *len == digits.len() && begins(leads))
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

fn is_year(digits: &[u8]) -> bool {
    (1800..=2199).contains(&number(digits))
}

/// `20240131` and `31012024`.
fn is_day(digits: &[u8]) -> bool {
    let day = |month: &[u8], day: &[u8]| (1..=12).contains(&number(month)) && (1..=31).contains(&number(day));
    digits.len() == 8
        && (is_year(&digits[..4]) && day(&digits[4..6], &digits[6..])
            || is_year(&digits[4..]) && (day(&digits[2..4], &digits[..2]) || day(&digits[..2], &digits[2..4])))
}
