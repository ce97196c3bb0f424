//! What chance allows a masked column to have in common with its source, and whether it has more.
//!
//! Masks are functions of a secret key, so whether one value becomes itself is a draw. Per *different* value, because equal
//! values share a mask:
//!
//! - [`Remains::Rare`]: a telling value stays with probability 2^-bits at most, and is the mask of another one of n values
//!   with n times that.
//! - [`Remains::Subscriber`]: the same, with a probability that depends on how many digits there are.
//! - [`Remains::Chance`] and [`Remains::Names`]: the mask of a value is drawn as often as masks of the column are, whatever
//!   the value: what it is worth in staging is what it stays by chance. That needs no knowledge of lists or ranges, and is
//!   exact for small ones.
//! - [`Remains::Foreign`]: what tells who is meant neither stays nor is the mask of another one; nobody knows what masks there
//!   are, so the rest is judged as a draw.
//! - [`Remains::Near`]: at most half of many different values.
//! - [`Remains::Part`]: not all of many different values.
//! - [`Remains::Open`]: nothing can be said here; texts are searched instead.
//!
//! What a kind keeps by design ([`crate::mask::Keeps`]) is left out on both sides.
//!
//! Counts of a sample are compared with the expectation of the same sample, by the tail of a Poisson distribution.

use super::form::Form;
use super::{Counts, Seen, Watched};
use crate::mask::Remains;

/// How unlikely it has to be that chance did it.
const UNLIKELY: f64 = 1e-6;
/// The same for the one value of a column without any by chance: nothing else can be said of it.
const UNLIKELY_ONE: f64 = 1e-3;
/// Different values below which a share of them says nothing.
const DISTINCT_MIN: u64 = 8;
/// So many names that all stay are no draw from a list of thousands: each does with one in a hundred.
const ALL_MIN: u64 = 2;
/// So many short values that all stay: one digit does with one in ten.
const SHORT_MIN: u64 = 6;
/// How rarely a program gives somebody's address or number by chance; a guess on the safe side.
const FOREIGN_BITS: i32 = 20;

/// What a column is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// No more of the source than chance allows.
    Holds,
    /// Too few different values, or a kind that keeps something of its values on purpose.
    Open,
    /// Values stay in their rows.
    Stays,
    /// Values of the source are in other rows of the column.
    Elsewhere,
}

/// One masked column, judged. Counts are of different values of the sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// `schema.table.column`.
    pub name: String,
    pub judgement: Judgement,
    /// Values that are in staging all the same.
    pub found: u64,
    /// Of so many.
    pub of: u64,
    /// How many chance would leave.
    pub expected: f64,
}

pub(super) fn judge(column: &Watched, seen: &Seen) -> Judged {
    let look = Look { column, seen };
    match column.remains {
        Remains::Open => look.judged(Judgement::Open, 0, 0, 0.0),
        Remains::Rare { bits } => look.rare(&|_| power(bits as i32), |form| form != Form::Plain),
        Remains::Subscriber => look.rare(&subscriber, |form| form != Form::Plain),
        // Names are words, and a program may have names of its own.
        Remains::Foreign => {
            let telling = |form| matches!(form, Form::Mixed | Form::Digits(_));
            let rare = look.rare(&|_| power(FOREIGN_BITS), telling);
            if rare.judgement == Judgement::Holds { look.drawn() } else { rare }
        }
        Remains::Chance | Remains::Names => look.drawn(),
        Remains::Near | Remains::Part => look.moved(),
    }
}

fn power(bits: i32) -> f64 {
    0.5_f64.powi(bits)
}

/// [`Remains::Subscriber`].
fn subscriber(form: Form) -> f64 {
    match form {
        Form::Digits(..=9) => 1e-4,
        Form::Digits(10) => 1e-5,
        _ => power(20),
    }
}

struct Look<'a> {
    column: &'a Watched,
    seen: &'a Seen,
}

impl Look<'_> {
    fn judged(&self, judgement: Judgement, found: u64, of: u64, expected: f64) -> Judged {
        Judged { name: self.column.name.clone(), judgement, found, of, expected }
    }

    fn counts(&self) -> impl Iterator<Item = Counts> + '_ {
        self.seen.sample.iter().map(|(_, counts)| counts)
    }

    /// Different values of the sample, and those of them that are in staging in every one of their rows.
    fn kept(&self) -> (u64, u64) {
        let all = self.counts().filter(|counts| counts.before > 0);
        all.fold((0, 0), |(of, kept), counts| (of + 1, kept + u64::from(counts.stayed >= counts.before)))
    }

    /// A telling value stays, and is the mask of another, with at most this chance, which depends on its form.
    fn rare(&self, chance: &dyn Fn(Form) -> f64, tells: fn(Form) -> bool) -> Judged {
        let share = self.seen.sample.share();
        let tells = |counts: &Counts| counts.before > 0 && tells(counts.form);
        let of = self.counts().filter(tells).count() as u64;
        let stayed = self.counts().filter(tells).filter(|counts| counts.stayed > 0).count() as u64;
        let chances: f64 = self.counts().filter(tells).map(|counts| chance(counts.form)).sum();
        let expected = chances;
        // One row of a billion is counted, though its value need not be in the sample.
        let missed = stayed == 0 && self.seen.tally.telling > 0;
        let chances_of_all = chances / share;
        if unlikely(stayed, expected) || (missed && unlikely(1, chances_of_all)) {
            return self.judged(Judgement::Stays, stayed.max(1), of.max(1), expected);
        }
        let elsewhere = self.counts().filter(tells).filter(|counts| counts.after > 0).count() as u64;
        let masks = self.counts().filter(|counts| counts.after > 0).count() as f64;
        let expected = masks * chances_of_all;
        if unlikely(elsewhere, expected) {
            return self.judged(Judgement::Elsewhere, elsewhere, of, expected);
        }
        // What tells little by itself: of one letter or digit there are few masks, but not so few.
        let (all, kept) = self.kept();
        match kept == all && all >= SHORT_MIN {
            true => self.judged(Judgement::Stays, kept, all, 0.1 * all as f64),
            false => self.judged(Judgement::Holds, stayed, of, expected),
        }
    }

    /// Masks are drawn from a list or a range, whatever the value.
    fn drawn(&self) -> Judged {
        let (of, kept) = self.kept();
        // By rows of each value: where the mask depends on the person, a common value stays in a few of them.
        let shares = self.counts().filter(|counts| counts.before > 0);
        let stayed = shares.map(|counts| f64::from(counts.stayed) / f64::from(counts.before)).sum::<f64>() as u64;
        let masks = self.counts().filter(|counts| counts.after > 0).count() as f64 / self.seen.sample.share();
        let tally = &self.seen.tally;
        let rows = tally.values.saturating_sub(tally.nulls_out + tally.kept).max(1) as f64;
        let both = self.counts().filter(|counts| counts.before > 0 && counts.after > 0);
        let expected: f64 = both.map(|counts| (f64::from(counts.after) / rows).max(1.0 / masks)).sum();
        if of < DISTINCT_MIN {
            // Lists of names are long, and a program is there to change something; a list of the user's may have two members.
            let long = matches!(self.column.remains, Remains::Names | Remains::Foreign)
                || self.column.kind.name.starts_with("name.");
            return match long && of >= ALL_MIN && kept == of {
                true => self.judged(Judgement::Stays, kept, of, 0.0),
                false => self.judged(Judgement::Open, stayed, of, expected),
            };
        }
        // Twice: how often a mask is drawn is known from the rows, which share masks.
        let stays = tail(stayed, 2.0 * expected) < UNLIKELY;
        self.judged(if stays { Judgement::Stays } else { Judgement::Holds }, stayed, of, expected)
    }

    /// Masks are near their values, or hold a part of them.
    fn moved(&self) -> Judged {
        let (of, stayed) = self.kept();
        let half = of as f64 / 2.0;
        let (expected, most) = match self.column.remains {
            Remains::Near => (half, half + 4.0 * (half / 2.0).sqrt()),
            _ => (0.0, of as f64 - 1.0),
        };
        if of < DISTINCT_MIN {
            return self.judged(Judgement::Open, stayed, of, expected);
        }
        self.judged(if stayed as f64 > most { Judgement::Stays } else { Judgement::Holds }, stayed, of, expected)
    }
}

/// Chance would hardly leave so many.
pub(super) fn unlikely(found: u64, expected: f64) -> bool {
    match found {
        0 => false,
        1 => expected < UNLIKELY_ONE,
        more => tail(more, expected) < UNLIKELY,
    }
}

/// The probability of `least` or more, where `expected` are expected (Poisson).
pub(super) fn tail(least: u64, expected: f64) -> f64 {
    if least == 0 {
        return 1.0;
    }
    if expected <= 0.0 {
        return 0.0;
    }
    let term = |n: u64| libm::exp((1..=n).map(|n| libm::log(expected / n as f64)).sum::<f64>() - expected);
    // From the middle on, terms only fall in either direction.
    if (least as f64) <= expected {
        let (mut n, mut term, mut sum) = (least - 1, term(least - 1), 0.0);
        while term > sum * 1e-12 && term > 0.0 {
            sum += term;
            if n == 0 {
                break;
            }
            term *= n as f64 / expected;
            n -= 1;
        }
        return (1.0 - sum).max(0.0);
    }
    let (mut n, mut term, mut sum) = (least, term(least), 0.0);
    while term > sum * 1e-12 && term > 0.0 {
        sum += term;
        n += 1;
        term *= expected / n as f64;
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_is_that_of_the_poisson_distribution() {
        // By hand: 1 - e^-1, 1 - e^-2 (1 + 2), and 1 - e^-0.5 (1 + 0.5 + 0.125).
        for (least, expected, wanted) in [(1, 1.0, 0.632_120_559), (2, 2.0, 0.593_994_150), (3, 0.5, 0.014_387_678)] {
            let found = tail(least, expected);
            assert!((found - wanted).abs() < 1e-8, "{least} of {expected}: {found}, not {wanted}");
        }
        assert!(tail(20, 2.0) < 1e-12 && tail(20, 2.0) > 0.0);
        assert_eq!(tail(0, 3.0), 1.0);
        assert_eq!(tail(1, 0.0), 0.0);
    }
}
