//! Coordinates: `geo.grid/1`, `geo.laplace/1`, on points and on columns of latitude and longitude.
//!
//! Coordinates are counted in whole millionths of a degree, about 11 cm. NaN and the infinities stay; a finite number beyond
//! a full turn is no coordinate, and its mask is a place anywhere: word 0 and 1 of the stream `anywhere` of its bits. The functions of `libm` are the same code on
//! every platform; its version is pinned.
//!
//! ```toml
//! spot = { mask = "geo.laplace", subject = "customer_id", distance_m = 300 }
//! lat  = { mask = "geo.laplace", subject = "customer_id", axis = "latitude", with = "lon" }
//! lon  = { mask = "geo.laplace", subject = "customer_id", axis = "longitude", with = "lat" }
//! ```

use super::amount::read_param;
use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::decimal::Decimal;
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::leaf::TEXT;
use super::token::{Purpose, below, frame, word};
use super::{Injective, KeyedOn, Kind, Shape, Takes};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, FixedSizeBinaryArray, Float32Array, Float64Array};
use std::sync::Arc;

const MICRO: f64 = 1e6;
/// Meters per degree on the equator: 6 378 137·π/180.
const DEGREE_M: f64 = 111_319.490_793_273_57;
/// Near the poles a degree of longitude is taken to be no shorter than this share of one on the equator.
const COSINE_MIN: f64 = 0.01;
/// Points closer than this share their noise, so that asking twice tells nothing new: 0.0001 degrees.
const NOISE_CELL: i64 = 100;

const AXIS: Param = Param {
    name: "axis",
    summary: "which coordinate a column of numbers holds",
    domain: Domain::OneOf(&["latitude", "longitude"]),
    default: "required unless the column is a point",
};

const PLACE: Kind = Kind {
    accepts: &[Takes::Point, Takes::Float, Takes::Numeric],
    keyed_on: KeyedOn::Subject,
    injective: Injective::No,
    needs_subject: true,
    samples: &["(13.404954,52.520008)"],
    compile,
    ..TEXT
};

pub(super) static GRID: Kind = Kind {
    name: "geo.grid",
    remains: |_| super::Remains::Near,
    summary: "Moves a point to a secret place in its cell of a grid",
    params: &[
        Param {
            name: "cell",
            summary: "side of a cell in degrees, with at most six decimal places",
            domain: Domain::Any,
            default: "0.01",
        },
        AXIS,
    ],
    ..PLACE
};

pub(super) static LAPLACE: Kind = Kind {
    name: "geo.laplace",
    remains: |_| super::Remains::Near,
    summary: "Moves a point by planar Laplace noise (geo-indistinguishability)",
    params: &[
        Param {
            name: "distance_m",
            summary: "mean distance; ε = 2 / distance_m per meter",
            domain: Domain::Integer { min: 1, max: 1_000_000, unit: "meters" },
            default: "500",
        },
        AXIS,
        Param {
            name: "with",
            summary: "the column of the other coordinate, masked by the same kind and label",
            domain: Domain::Text,
            default: "required unless the column is a point",
        },
    ],
    ..PLACE
};

#[derive(Clone, Copy, PartialEq)]
enum Axis {
    Latitude,
    Longitude,
}

enum Op {
    /// Side of a cell in millionths of a degree.
    Grid {
        cell: i64,
    },
    Laplace {
        distance_m: f64,
    },
}

struct Place {
    op: Op,
    key: DomainKey,
    slot: Option<usize>,
    shape: Shape,
    axis: Option<Axis>,
    /// Index and shape of the column of the other coordinate.
    other: Option<(usize, Shape)>,
}

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let axis = match (&compile.shape, compile.word("axis")) {
        (Shape::Point, None) => None,
        (Shape::Point, Some(_)) => return Err(compile.bad_param("axis", "left out: a point has both")),
        (_, Some("latitude")) => Some(Axis::Latitude),
        (_, Some(_)) => Some(Axis::Longitude),
        (_, None) => return Err(compile.bad_param("axis", "given: \"latitude\" or \"longitude\"")),
    };
    let grid = compile.spec.kind.starts_with("geo.grid/");
    let other = match axis {
        Some(_) if !grid => Some(other_column(compile)?),
        _ => None,
    };
    let op = if grid {
        let cell = compile.spec.params.get("cell").map_or(Some(10_000), |value| {
            let mut cell = read_param(value)?;
            cell.multiply(1_000_000);
            cell.integer().filter(|cell| (1..=90_000_000).contains(cell))
        });
        Op::Grid { cell: cell.ok_or_else(|| compile.bad_param("cell", "degrees from 0.000001 to 90"))? }
    } else {
        Op::Laplace { distance_m: compile.number("distance_m").unwrap_or(500) as f64 }
    };
    let key = compile.realm.domain(&compile.spec.kind, &compile.spec.label);
    Ok(Box::new(Place { op, key, slot: compile.subject, shape: compile.shape.clone(), axis, other }))
}

/// Finds the column of the other coordinate among the decoded ones.
fn other_column(compile: &Compile<'_>) -> Result<(usize, Shape), CompileError> {
    let wrong = || compile.bad_param("with", "the masked column of the same table that holds the other coordinate");
    let name = compile.word("with").ok_or_else(wrong)?;
    let table = compile.column_name().rsplit_once('.').map_or("", |(table, _)| table);
    let full = format!("{table}.{name}");
    let found = compile.table.columns.iter().enumerate().find(|(index, column)| {
        let number = matches!(column.shape, Shape::Float4 | Shape::Float8 | Shape::Numeric { .. });
        column.name == full && number && *index != compile.column
    });
    found.map(|(index, column)| (index, column.shape.clone())).ok_or_else(wrong)
}

/// A number in the place of a coordinate.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Seen {
    /// Millionths of a degree.
    At(i64),
    /// Beyond a full turn, so no coordinate: meters of a projection, say. Its bits.
    Beyond(u64),
}

impl Seen {
    /// None for NaN and the infinities.
    fn of(degrees: f64) -> Option<Self> {
        let turn = degrees.abs() <= 360.0;
        let seen = || if turn { Self::At((degrees * MICRO).round() as i64) } else { Self::Beyond(degrees.to_bits()) };
        degrees.is_finite().then(seen)
    }
}

/// Reads a coordinate of a decoded column.
fn coordinate(column: &ArrayRef, shape: &Shape, row: usize, text: &mut String) -> Option<Seen> {
    if column.is_null(row) {
        return None;
    }
    match shape {
        Shape::Float4 => {
            // The shortest digits are what was stored; widening would add some.
            text.clear();
            text.push_str(&column.as_primitive_opt::<Float32Type>()?.value(row).to_string());
            Seen::of(text.parse().ok()?)
        }
        Shape::Float8 => Seen::of(column.as_primitive_opt::<Float64Type>()?.value(row)),
        _ => {
            text.clear();
            super::decimal::push_wire_text(column.as_binary_view_opt()?.value(row), text)?;
            // A number of more digits than a float has room for is not infinite.
            let finite = text.ends_with(|last: char| last.is_ascii_digit());
            Seen::of(text.parse().ok()?).or(finite.then_some(Seen::Beyond(u64::MAX)))
        }
    }
}

/// A number between 0 and 1, both excluded, from 53 bits.
fn unit(draw: u64) -> f64 {
    ((draw >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

impl Place {
    fn draws(&self, subject: &str, what: &str, cell: &[i64]) -> [u8; 32] {
        let cell: Vec<u8> = cell.iter().flat_map(|part| part.to_le_bytes()).collect();
        self.key.hash(Purpose::Stream, &frame(&[subject.as_bytes(), what.as_bytes(), &cell]))
    }

    /// Moves a point, in millionths of a degree.
    fn point(&self, subject: &str, latitude: i64, longitude: i64) -> (i64, i64) {
        let (latitude, longitude) = match self.op {
            Op::Grid { cell } => {
                let corner = (latitude.div_euclid(cell), longitude.div_euclid(cell));
                let draws = self.draws(subject, "point", &[corner.0, corner.1]);
                let inside = |draw| below(word(&draws, draw), cell as u64) as i64;
                (corner.0 * cell + inside(0), corner.1 * cell + inside(1))
            }
            Op::Laplace { distance_m } => {
                let corner = (latitude.div_euclid(NOISE_CELL), longitude.div_euclid(NOISE_CELL));
                let draws = self.draws(subject, "laplace", &[corner.0, corner.1]);
                let [a, b, turn] = [0, 1, 2].map(|draw| unit(word(&draws, draw)));
                // The distance of planar Laplace noise is a gamma variable of shape 2: two exponential ones.
                let distance = -(libm::log(a) + libm::log(b)) * distance_m / 2.0;
                let angle = turn * std::f64::consts::TAU;
                let center = (corner.0 * NOISE_CELL + NOISE_CELL / 2, corner.1 * NOISE_CELL + NOISE_CELL / 2);
                let cosine = libm::cos((center.0 as f64 / MICRO).to_radians()).max(COSINE_MIN);
                let north = distance * libm::sin(angle) / DEGREE_M * MICRO;
                let east = distance * libm::cos(angle) / (DEGREE_M * cosine) * MICRO;
                (center.0 + north.round() as i64, center.1 + east.round() as i64)
            }
        };
        (valid(latitude, Axis::Latitude), valid(longitude, Axis::Longitude))
    }

    /// Moves one coordinate; the other one is known where the noise needs it.
    fn axis(&self, subject: &str, axis: Axis, value: i64, other: i64) -> i64 {
        if let Op::Grid { cell } = self.op {
            let what = if axis == Axis::Latitude { "latitude" } else { "longitude" };
            let corner = value.div_euclid(cell);
            let draws = self.draws(subject, what, &[corner]);
            return valid(corner * cell + below(word(&draws, 0), cell as u64) as i64, axis);
        }
        match axis {
            Axis::Latitude => self.point(subject, value, other).0,
            Axis::Longitude => self.point(subject, other, value).1,
        }
    }

    /// A place anywhere, for numbers that are no coordinates; latitude and longitude.
    fn anywhere(&self, subject: &str, numbers: &[u64]) -> (i64, i64) {
        let numbers: Vec<i64> = numbers.iter().map(|number| *number as i64).collect();
        let draws = self.draws(subject, "anywhere", &numbers);
        let (latitude, longitude) = (below(word(&draws, 0), 180_000_001), below(word(&draws, 1), 360_000_000));
        (latitude as i64 - 90_000_000, longitude as i64 - 180_000_000)
    }

    /// The subject of a row; a row without one is moved by its place alone.
    fn subject<'a>(&self, row: usize, rows: &'a Rows<'_>) -> &'a str {
        self.slot.and_then(|slot| rows.subject(slot, row)).unwrap_or_default()
    }

    /// The masked coordinate of each row; none where it stays: NULL, NaN or infinite.
    fn coordinates(&self, axis: Axis, column: &ArrayRef, rows: &Rows<'_>) -> Vec<Option<i64>> {
        let mut text = String::new();
        let masked = (0..column.len()).map(|row| {
            let value = match coordinate(column, &self.shape, row, &mut text)? {
                Seen::At(value) => value,
                Seen::Beyond(number) => {
                    let (latitude, longitude) = self.anywhere(self.subject(row, rows), &[number]);
                    return Some(if axis == Axis::Latitude { latitude } else { longitude });
                }
            };
            let other = match &self.other {
                // A point without its other coordinate is moved as one on the zero line.
                Some((index, shape)) => {
                    rows.raw.get(*index).and_then(|other| coordinate(other, shape, rows.row(row), &mut text))
                }
                None => None,
            };
            let other = if let Some(Seen::At(other)) = other { other } else { 0 };
            Some(self.axis(self.subject(row, rows), axis, value, other))
        });
        masked.collect()
    }

    fn points(&self, column: &ArrayRef, rows: &Rows<'_>) -> Option<ArrayRef> {
        let points = column.as_fixed_size_binary_opt()?;
        let mut masked = Vec::with_capacity(points.len() * 16);
        for row in 0..points.len() {
            let (x, y) = points.value(row).split_at(8);
            let degrees = |bytes: &[u8]| bytes.try_into().ok().map(f64::from_be_bytes);
            let (x, y) = (degrees(x)?, degrees(y)?);
            let moved = match (Seen::of(x), Seen::of(y)) {
                _ if points.is_null(row) => None,
                (Some(Seen::At(x)), Some(Seen::At(y))) => Some(self.point(self.subject(row, rows), y, x)),
                (None, None) => None,
                // One of both is no coordinate: the other must not stay beside it.
                _ => Some(self.anywhere(self.subject(row, rows), &[x.to_bits(), y.to_bits()])),
            };
            match moved {
                Some((latitude, longitude)) => {
                    for value in [longitude, latitude] {
                        masked.extend_from_slice(&(value as f64 / MICRO).to_be_bytes());
                    }
                }
                None => masked.extend_from_slice(points.value(row)),
            }
        }
        let masked = FixedSizeBinaryArray::try_new(16, masked.into(), points.nulls().cloned());
        masked.ok().map(|points| Arc::new(points) as ArrayRef)
    }
}

/// Keeps latitudes between the poles and turns longitudes around the earth.
fn valid(value: i64, axis: Axis) -> i64 {
    match axis {
        Axis::Latitude => value.clamp(-90_000_000, 90_000_000),
        Axis::Longitude => (value + 180_000_000).rem_euclid(360_000_000) - 180_000_000,
    }
}

/// The wire form of a coordinate in a numeric column, cut to its decimal places; the nearest it can hold.
fn numeric(value: i64, limit: Option<(u16, i16)>) -> Vec<u8> {
    let whole = limit.map_or(9, |(precision, scale)| i32::from(precision) - i32::from(scale));
    let most = 10_i64.pow((6 + whole).clamp(0, 15) as u32) - 1;
    let value = value.clamp(-most, most);
    let mut decimal = Decimal::default();
    decimal.read_text(&format!(
        "{}{}.{:06}",
        if value < 0 { "-" } else { "" },
        value.abs() / 1_000_000,
        value.abs() % 1_000_000
    ));
    if let Some((_, scale)) = limit {
        decimal.truncate(usize::try_from(scale).unwrap_or(0).min(6));
    }
    let mut wire = Vec::new();
    decimal.push_wire(&mut wire);
    wire
}

impl ColumnMask for Place {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
        let Some(axis) = self.axis else { return self.points(column, rows).ok_or_else(wrong) };
        let masked = self.coordinates(axis, column, rows);
        Ok(match &self.shape {
            Shape::Float4 => {
                let values = column.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?;
                let degrees = |(value, masked): (&f32, &Option<i64>)| {
                    masked.map_or(*value, |masked| (masked as f64 / MICRO) as f32)
                };
                let masked: Vec<f32> = values.values().iter().zip(&masked).map(degrees).collect();
                Arc::new(Float32Array::new(masked.into(), values.nulls().cloned()))
            }
            Shape::Float8 => {
                let values = column.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
                let degrees =
                    |(value, masked): (&f64, &Option<i64>)| masked.map_or(*value, |masked| masked as f64 / MICRO);
                let masked: Vec<f64> = values.values().iter().zip(&masked).map(degrees).collect();
                Arc::new(Float64Array::new(masked.into(), values.nulls().cloned()))
            }
            Shape::Numeric { limit } => {
                let values = column.as_binary_view_opt().ok_or_else(wrong)?;
                let cell = |(value, masked): (Option<&[u8]>, &Option<i64>)| {
                    value.map(|value| masked.map_or_else(|| value.to_vec(), |masked| numeric(masked, *limit)))
                };
                Arc::new(values.iter().zip(&masked).map(cell).collect::<BinaryArray>())
            }
            _ => return Err(wrong()),
        })
    }

    fn text(&self, _value: &str, row: usize, _rows: &Rows<'_>, _out: &mut String) -> Result<(), MaskError> {
        Err(MaskError::at(row, "a coordinate is masked in a column of numbers"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MasterKey;

    fn place(op: Op) -> Place {
        let key = MasterKey::test().realm("default").domain("geo.laplace/1", "");
        Place { op, key, slot: None, shape: Shape::Point, axis: None, other: None }
    }

    #[test]
    fn points_match_the_golden_vectors() {
        let (grid, laplace) = (place(Op::Grid { cell: 10_000 }), place(Op::Laplace { distance_m: 500.0 }));
        let berlin = (52_520_008, 13_404_954);
        assert_eq!(grid.point("42", berlin.0, berlin.1), (52_523_072, 13_409_718));
        assert_eq!(laplace.point("42", berlin.0, berlin.1), (52_516_532, 13_408_761));
        assert_eq!(grid.axis("42", Axis::Latitude, berlin.0, 0), 52_523_212);
    }

    #[test]
    fn a_grid_keeps_the_cell() {
        let grid = place(Op::Grid { cell: 10_000 });
        for step in 0..2_000_i64 {
            let (latitude, longitude) = (step * 71_317 - 70_000_000, step * 170_003 - 170_000_000);
            let moved = grid.point("1", latitude, longitude);
            assert_eq!(moved.0.div_euclid(10_000), latitude.div_euclid(10_000));
            assert_eq!(moved.1.div_euclid(10_000), longitude.div_euclid(10_000));
        }
    }

    #[test]
    fn laplace_noise_has_the_mean_distance_it_says() {
        let laplace = place(Op::Laplace { distance_m: 500.0 });
        let (mut sum, mut far) = (0.0, 0);
        for subject in 0..4_000 {
            let (north, east) = laplace.point(&subject.to_string(), 50, 50);
            let (north, east) = ((north - 50) as f64 / MICRO * DEGREE_M, (east - 50) as f64 / MICRO * DEGREE_M);
            let distance = (north * north + east * east).sqrt();
            sum += distance;
            far += u32::from(distance > 500.0);
        }
        let mean = sum / 4_000.0;
        assert!((480.0..520.0).contains(&mean), "{mean}");
        // P(distance > mean) = 3·e^-2.
        assert!((1_520..1_730).contains(&far), "{far}");
    }

    #[test]
    fn numbers_that_are_no_coordinates_do_not_stay() {
        let grid = place(Op::Grid { cell: 10_000 });
        let rows = Rows { len: 5, subjects: &[], raw: &[], masked: &[], origin: None };
        let utm = (391_779.5, 5_820_072.25);
        let of = |(x, y): (f64, f64)| [x.to_be_bytes(), y.to_be_bytes()].concat();
        let pairs = [utm, (13.4, f64::NAN), (f64::INFINITY, 52.5), (f64::NAN, f64::INFINITY), (1e300, 52.5)];
        let points: ArrayRef =
            Arc::new(FixedSizeBinaryArray::try_from_iter(pairs.into_iter().map(of)).expect("of one width"));
        let masked = grid.apply(&points, &rows).expect("masked");
        let masked = masked.as_fixed_size_binary();
        for (row, pair) in pairs.iter().enumerate() {
            let [x, y] = [0, 1].map(|at| f64::from_be_bytes(masked.value(row)[at * 8..][..8].try_into().expect("8")));
            if row == 3 {
                assert!(x.is_nan() && y.is_infinite(), "neither is a place");
            } else {
                assert!(x.abs() <= 180.0 && y.abs() <= 90.0 && x != pair.0 && y != pair.1, "{pair:?} became {x} {y}");
            }
        }
        let axis = |axis, shape, column: ArrayRef| {
            Place { axis: Some(axis), shape, ..place(Op::Grid { cell: 10_000 }) }.apply(&column, &rows).expect("masked")
        };
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![utm.1, 52.5, f64::NAN, -1e300, f64::INFINITY]));
        let masked = axis(Axis::Latitude, Shape::Float8, floats);
        let masked = masked.as_primitive::<Float64Type>().values();
        assert!([0, 1, 3].iter().all(|row| masked[*row].abs() <= 90.0), "{masked:?}");
        assert!(masked[2].is_nan() && masked[4].is_infinite());
    }

    #[test]
    fn numerics_hold_their_masks() {
        let text = |value: i64, limit| {
            let mut text = String::new();
            super::super::decimal::push_wire_text(&numeric(value, limit), &mut text).expect("a number");
            text
        };
        assert_eq!(text(13_404_954, None), "13.404954");
        assert_eq!(text(-100_010_000, Some((9, 6))), "-100.010000");
        // Noise may not carry it over the digits of its column.
        assert_eq!(text(100_010_000, Some((4, 2))), "99.99");
        assert_eq!(text(-100_010_000, Some((8, 6))), "-99.999999");
        assert_eq!(text(13_404_954, Some((3, 3))), "0.999");
    }

    #[test]
    fn moved_points_stay_on_earth() {
        let laplace = place(Op::Laplace { distance_m: 1_000_000.0 });
        for subject in 0..500 {
            for (latitude, longitude) in [(89_999_999, 179_999_999), (-90_000_000, -180_000_000)] {
                let moved = laplace.point(&subject.to_string(), latitude, longitude);
                assert!(moved.0.abs() <= 90_000_000 && (-180_000_000..180_000_000).contains(&moved.1));
            }
        }
    }
}
