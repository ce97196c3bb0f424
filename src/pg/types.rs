//! PostgreSQL types: which are binary-safe, which shape a mask sees, and how a row is cut.

use crate::catalog::{Catalog, Oid, Type};
use crate::mask::{Attribute, Shape};
use std::sync::Arc;

/// How rows travel in COPY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Binary,
    Text,
}

/// What happens to one field of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Passes as opaque bytes.
    Keep,
    /// Passes as opaque bytes and is decoded too, because it names the subject of the row.
    Read(Shape),
    /// Is decoded and replaced.
    Mask(Shape),
}

/// The fields of a row in wire order. The decoded arrays are in the order of the `Read` and `Mask` fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    pub fields: Vec<Field>,
    /// The first `written` fields go to the target; the rest are anchors that the query appended (always `Read`).
    pub written: usize,
}

impl Layout {
    /// Every field passes: the wire bytes can be forwarded without looking at them.
    pub fn opaque(&self) -> bool {
        self.fields.len() == self.written && self.fields.iter().all(|field| *field == Field::Keep)
    }

    /// Number of fields that are replaced.
    pub fn masked(&self) -> usize {
        self.fields.iter().filter(|field| matches!(field, Field::Mask(_))).count()
    }
}

/// OIDs of the core types that masks can see; fixed in `pg_type.dat` since long before PostgreSQL 12.
mod oid {
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const NAME: u32 = 19;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const JSON: u32 = 114;
    pub const XML: u32 = 142;
    pub const POINT: u32 = 600;
    pub const CIDR: u32 = 650;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const MACADDR8: u32 = 774;
    pub const MACADDR: u32 = 829;
    pub const INET: u32 = 869;
    pub const ACLITEM: u32 = 1033;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIME: u32 = 1083;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const TIMETZ: u32 = 1266;
    pub const NUMERIC: u32 = 1700;
    pub const UUID: u32 = 2950;
    pub const JSONB: u32 = 3802;
    /// regproc, regprocedure, regoper, regoperator, regclass, regtype, regconfig, regdictionary, regnamespace, regrole,
    /// regcollation and regdatabase (18).
    pub const REG: [u32; 12] = [24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191, 8326];
    /// int2vector and oidvector: an empty one is sent as an array without dimensions, which their own receive functions
    /// refuse.
    pub const VECTOR: [u32; 2] = [22, 30];
    /// pg_node_tree, pg_ndistinct, pg_dependencies, pg_mcv_list: their input functions refuse every value.
    pub const NO_INPUT: [u32; 4] = [194, 3361, 3402, 5017];
    /// OIDs from here on are given out by each server on its own.
    pub const FIRST_USER: u32 = 16_384;
}

/// Types whose nesting is deeper than this are taken for unknown; real ones have two or three levels.
const DEPTH_MAX: u32 = 16;

/// How a value of a type can travel from the source to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// In COPY BINARY.
    Binary,
    /// In COPY TEXT only: no binary functions, or the binary form means something else on another server.
    Text,
    /// Not at all: the type has no input.
    Never,
}

/// Returns the shape masks see for a column type, looking through domains; none if no mask can handle the type.
///
/// `typmod` is that of the column; a domain brings its own. Arrays, ranges and composites have the shapes of their parts
/// inside; a composite may hold attributes that no mask can handle.
pub fn shape(catalog: &Catalog, type_oid: Oid, typmod: i32) -> Option<Shape> {
    shape_within(catalog, type_oid, typmod, DEPTH_MAX)
}

fn shape_within(catalog: &Catalog, type_oid: Oid, typmod: i32, depth: u32) -> Option<Shape> {
    // `varchar(n)` and `char(n)` store n + 4, the length word of the heap tuple included.
    let chars = |typmod: i32| u32::try_from(typmod - 4).ok();
    let shape = match type_oid {
        oid::INT2 => Shape::Int2,
        oid::INT4 => Shape::Int4,
        oid::INT8 => Shape::Int8,
        oid::NUMERIC => Shape::Numeric { limit: numeric_limit(typmod) },
        oid::FLOAT4 => Shape::Float4,
        oid::FLOAT8 => Shape::Float8,
        oid::BOOL => Shape::Bool,
        oid::TEXT => Shape::TEXT,
        oid::VARCHAR => Shape::Text { chars_max: chars(typmod), padded: false },
        // `bpchar` without length is not padded on the wire, yet its trailing blanks do not count.
        oid::BPCHAR => Shape::Text { chars_max: chars(typmod), padded: true },
        // NAMEDATALEN is 64 with the terminator.
        oid::NAME => Shape::Text { chars_max: Some(63), padded: false },
        oid::BYTEA => Shape::Bytea,
        oid::UUID => Shape::Uuid,
        oid::MACADDR => Shape::Mac,
        oid::MACADDR8 => Shape::Mac8,
        oid::POINT => Shape::Point,
        oid::DATE => Shape::Date,
        oid::TIMESTAMP | oid::TIMESTAMPTZ => Shape::Timestamp,
        oid::TIME => Shape::Time,
        oid::TIMETZ => Shape::TimeTz,
        oid::INET => Shape::Inet,
        oid::CIDR => Shape::Cidr,
        oid::JSON => Shape::Json,
        oid::JSONB => Shape::Jsonb,
        oid::XML => Shape::Xml,
        _ if depth == 0 || oid::VECTOR.contains(&type_oid) => return None,
        _ => return made_shape(catalog, type_oid, typmod, depth - 1),
    };
    Some(shape)
}

/// Precision and scale, which share a word: the scale is signed and has the low 11 bits.
fn numeric_limit(typmod: i32) -> Option<(u16, i16)> {
    let bits = u32::try_from(typmod - 4).ok()?;
    let scale = (bits & 0x7ff) as i16;
    Some(((bits >> 16) as u16, if scale > 0x3ff { scale - 0x800 } else { scale }))
}

/// The shape of a type that is made of others, or of an extension.
fn made_shape(catalog: &Catalog, type_oid: Oid, typmod: i32, depth: u32) -> Option<Shape> {
    let r#type = catalog.type_of(type_oid)?;
    let element = |typmod| shape_within(catalog, r#type.element, typmod, depth).map(Arc::new);
    match r#type.kind {
        'd' => shape_within(catalog, r#type.base, r#type.base_typmod, depth),
        'e' => Some(Shape::Enum(r#type.labels.clone().into())),
        'r' => element(-1).map(Shape::Range),
        'm' => element(-1).map(Shape::Multirange),
        'c' => Some(Shape::Composite(attributes(catalog, r#type, depth))),
        'b' if r#type.element != 0 => element(typmod).map(Shape::Array),
        _ if is_citext(r#type) => Some(Shape::TEXT),
        _ if r#type.name == "hstore" && r#type.extension.as_deref() == Some("hstore") => Some(Shape::Hstore),
        _ => None,
    }
}

fn attributes(catalog: &Catalog, r#type: &Type, depth: u32) -> Arc<[Attribute]> {
    let typmods = r#type.attribute_typmods.iter().copied().chain(std::iter::repeat(-1));
    let attribute = |((part, name), typmod): ((&Oid, &String), i32)| Attribute {
        name: name.clone(),
        shape: shape_within(catalog, *part, typmod, depth).unwrap_or(Shape::Opaque),
    };
    r#type.attributes.iter().zip(&r#type.attribute_names).zip(typmods).map(attribute).collect()
}

/// `citext`: text whose equality ignores case.
pub fn is_citext(r#type: &Type) -> bool {
    r#type.name == "citext" && r#type.extension.as_deref() == Some("citext")
}

/// Returns how a column type travels, looking through arrays, domains, composites, ranges and multiranges.
///
/// A type the catalog does not list counts as text only.
pub fn transport(catalog: &Catalog, type_oid: Oid) -> Transport {
    transport_within(catalog, type_oid, DEPTH_MAX)
}

/// Returns whether every value of the type can travel in COPY BINARY.
pub fn binary_safe(catalog: &Catalog, type_oid: Oid) -> bool {
    transport(catalog, type_oid) == Transport::Binary
}

fn transport_within(catalog: &Catalog, type_oid: Oid, depth: u32) -> Transport {
    if oid::NO_INPUT.contains(&type_oid) {
        return Transport::Never;
    }
    let text = type_oid == oid::ACLITEM || oid::REG.contains(&type_oid) || oid::VECTOR.contains(&type_oid);
    if text || depth == 0 {
        return Transport::Text;
    }
    let Some(r#type) = catalog.type_of(type_oid) else { return Transport::Text };
    let extension = r#type.extension.as_deref();
    let named =
        matches!(extension, Some("isn" | "seg")) || (extension == Some("intarray") && r#type.name == "query_int");
    let own = if r#type.binary && !named { Transport::Binary } else { Transport::Text };
    parts(r#type).map(|part| transport_within(catalog, part, depth - 1)).max().unwrap_or(own).max(own)
}

/// Returns whether the binary form of the type carries the OID of a type that has another OID on another server. Servers
/// from 14 on accept that; older ones refuse the row.
pub fn carries_user_oid(catalog: &Catalog, type_oid: Oid) -> bool {
    carries_within(catalog, type_oid, DEPTH_MAX)
}

fn carries_within(catalog: &Catalog, type_oid: Oid, depth: u32) -> bool {
    let Some(r#type) = catalog.type_of(type_oid) else { return true };
    if depth == 0 {
        return true;
    }
    // Arrays and composites write the OID of what they hold; domains and ranges do not.
    let writes_oid = r#type.kind == 'c' || (r#type.kind == 'b' && r#type.element != 0);
    parts(r#type).any(|part| (writes_oid && part >= oid::FIRST_USER) || carries_within(catalog, part, depth - 1))
}

/// The types a type is directly made of.
fn parts(r#type: &Type) -> impl Iterator<Item = Oid> + '_ {
    [r#type.base, r#type.element].into_iter().filter(|&part| part != 0).chain(r#type.attributes.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(types: Vec<Type>) -> Catalog {
        Catalog { types, ..Catalog::default() }
    }

    fn base(oid: Oid, name: &str) -> Type {
        Type { oid, name: name.into(), kind: 'b', binary: true, ..Type::default() }
    }

    #[test]
    fn varchar_carries_its_length() {
        let catalog = catalog(vec![]);
        assert_eq!(shape(&catalog, 1043, 44), Some(Shape::Text { chars_max: Some(40), padded: false }));
        assert_eq!(shape(&catalog, 1043, -1), Some(Shape::Text { chars_max: None, padded: false }));
        assert_eq!(shape(&catalog, 1042, 7), Some(Shape::Text { chars_max: Some(3), padded: true }));
    }

    #[test]
    fn domain_over_domain_brings_its_own_typmod() {
        let inner = Type { oid: 20_000, kind: 'd', base: 1043, base_typmod: 14, ..Type::default() };
        let outer = Type { oid: 20_001, kind: 'd', base: 20_000, base_typmod: -1, ..Type::default() };
        let catalog = catalog(vec![inner, outer]);
        assert_eq!(shape(&catalog, 20_001, -1), Some(Shape::Text { chars_max: Some(10), padded: false }));
    }

    #[test]
    fn numeric_carries_precision_and_scale() {
        let catalog = catalog(vec![]);
        assert_eq!(shape(&catalog, 1700, -1), Some(Shape::Numeric { limit: None }));
        let typmod = |precision: i32, scale: i32| (precision << 16 | scale & 0x7ff) + 4;
        assert_eq!(shape(&catalog, 1700, typmod(12, 2)), Some(Shape::Numeric { limit: Some((12, 2)) }));
        assert_eq!(shape(&catalog, 1700, typmod(5, -3)), Some(Shape::Numeric { limit: Some((5, -3)) }));
    }

    #[test]
    fn containers_carry_the_shapes_of_their_parts() {
        let names = Type { element: 1043, ..base(1015, "_varchar") };
        let pair = Type {
            kind: 'c',
            attributes: vec![23, 2205],
            attribute_names: vec!["n".into(), "class".into()],
            attribute_typmods: vec![-1, -1],
            ..base(20_000, "pair")
        };
        let pairs = Type { element: 20_000, ..base(20_001, "_pair") };
        let range = Type { kind: 'r', element: 1082, ..base(3912, "daterange") };
        let mood = Type { kind: 'e', labels: vec!["sad".into(), "ok".into()], ..base(20_002, "mood") };
        let hstore = Type { extension: Some("hstore".into()), ..base(20_003, "hstore") };
        let oids = Type { element: 26, ..base(1028, "_oid") };
        let catalog = catalog(vec![names, pair, pairs, range, mood, hstore, oids, base(26, "oid")]);
        let text = Shape::Text { chars_max: Some(40), padded: false };
        assert_eq!(shape(&catalog, 1015, 44), Some(Shape::Array(Arc::new(text))));
        let attribute = |name: &str, shape| Attribute { name: name.into(), shape };
        let pair = Shape::Composite([attribute("n", Shape::Int4), attribute("class", Shape::Opaque)].into());
        assert_eq!(shape(&catalog, 20_001, -1), Some(Shape::Array(Arc::new(pair))));
        assert_eq!(shape(&catalog, 3912, -1), Some(Shape::Range(Arc::new(Shape::Date))));
        assert_eq!(shape(&catalog, 20_002, -1), Some(Shape::Enum(["sad".into(), "ok".into()].into())));
        assert_eq!(shape(&catalog, 20_003, -1), Some(Shape::Hstore));
        assert_eq!(shape(&catalog, 1028, -1), None);
        assert_eq!(shape(&catalog, 142, -1), Some(Shape::Xml));
    }

    #[test]
    fn only_the_extension_makes_citext() {
        let fake = base(20_000, "citext");
        let real = Type { oid: 20_001, extension: Some("citext".into()), ..fake.clone() };
        let catalog = catalog(vec![fake, real]);
        assert_eq!(shape(&catalog, 20_000, -1), None);
        assert_eq!(shape(&catalog, 20_001, -1), Some(Shape::Text { chars_max: None, padded: false }));
    }

    #[test]
    fn regclass_inside_an_array_in_a_composite_forces_text() {
        let array = Type { element: 2205, ..base(2210, "_regclass") };
        let composite = Type { kind: 'c', attributes: vec![23, 2210], ..base(20_000, "pair") };
        let catalog = catalog(vec![base(23, "int4"), base(2205, "regclass"), array, composite]);
        assert_eq!(transport(&catalog, 20_000), Transport::Text);
        assert!(binary_safe(&catalog, 23));
    }

    #[test]
    fn types_without_input_never_travel() {
        let domain = Type { kind: 'd', base: 194, ..base(20_000, "tree") };
        assert_eq!(transport(&catalog(vec![base(194, "pg_node_tree"), domain]), 20_000), Transport::Never);
    }

    #[test]
    fn unknown_type_travels_as_text() {
        assert_eq!(transport(&catalog(vec![]), 20_000), Transport::Text);
    }

    #[test]
    fn array_of_a_user_type_carries_its_oid_and_a_domain_does_not() {
        let mood = Type { kind: 'e', ..base(20_000, "mood") };
        let moods = Type { element: 20_000, ..base(20_001, "_mood") };
        let domain = Type { kind: 'd', base: 20_000, ..base(20_002, "d") };
        let catalog = catalog(vec![mood, moods, domain]);
        assert!(carries_user_oid(&catalog, 20_001));
        assert!(!carries_user_oid(&catalog, 20_002));
    }
}
