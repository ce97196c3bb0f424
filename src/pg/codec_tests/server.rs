//! What a real server sends and takes.

use super::*;

#[path = "../../../tests/roundtrip/cluster.rs"]
mod cluster;

/// The columns of `shapes` in table order; names that start with `kept` are kept.
fn shapes_layout() -> Layout {
    let padded = Shape::Text { chars_max: Some(10), padded: true };
    let masked = |shapes: &[Shape]| shapes.iter().map(|shape| Field::Mask(shape.clone())).collect::<Vec<_>>();
    let mut fields = vec![Field::Read(Shape::Int8), Field::Mask(Shape::Int2), Field::Keep];
    fields.extend(masked(&[Shape::Int4, Shape::Int8, TEXT, TEXT, padded]));
    fields.push(Field::Keep);
    fields.extend(masked(&[Shape::Uuid, Shape::Date, Shape::Timestamp, Shape::Timestamp, Shape::Inet, Shape::Cidr]));
    fields.extend(masked(&[Shape::Json, Shape::Jsonb]));
    fields.push(Field::Keep);
    Layout { written: fields.len(), fields }
}

/// What the server sends for the table, without header and trailer.
fn copy_out(cluster: &cluster::Cluster, table: &str, format: Format) -> Vec<u8> {
    let option = if format == Format::Binary { "(FORMAT binary)" } else { "" };
    let stream = cluster.psql(&format!("COPY (SELECT * FROM {table} ORDER BY id) TO STDOUT {option}"), b"");
    match format {
        Format::Text => stream,
        Format::Binary => stream[strip_header(&stream).unwrap()..stream.len() - TRAILER.len()].to_vec(),
    }
}

#[test]
fn encoded_rows_load_as_the_values_they_came_from() {
    let cluster = cluster::Cluster::start();
    cluster.psql(cluster::SHAPES_SQL, b"");
    let layout = shapes_layout();
    let source = copy_out(&cluster, "shapes", Format::Binary);

    let binary = roundtrip(Format::Binary, &layout, source.clone());
    assert!(binary == source, "binary rows differ from what the server sent");
    cluster.psql("CREATE TABLE from_binary (LIKE shapes)", b"");
    cluster.psql("COPY from_binary FROM STDIN (FORMAT binary)", &[&HEADER[..], &binary, &TRAILER].concat());
    assert!(copy_out(&cluster, "from_binary", Format::Binary) == source);

    let text = roundtrip(Format::Text, &layout, copy_out(&cluster, "shapes", Format::Text));
    cluster.psql("CREATE TABLE from_text (LIKE shapes)", b"");
    // A session of another time zone must not shift what was written.
    cluster.psql("SET TimeZone = 'Asia/Kathmandu'; COPY from_text FROM STDIN", &text);
    assert!(copy_out(&cluster, "from_text", Format::Binary) == source);
}

/// A table `parts` with a column of every other decoded shape: numbers, bytes, labels, and containers with quotes,
/// backslashes, NULLs, empty ones, lower bounds and nesting.
const PARTS_SQL: &str = r#"
CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('sad', 'so "so", ok');
CREATE TYPE pair AS (n int4, t text, m mood, a text[], o money);
CREATE TABLE parts (
    id int8 NOT NULL, n numeric, f4 float4, f8 float8, b bool, by bytea, m mood, m6 macaddr, m8 macaddr8, p point,
    tm time, tz timetz,
    ai int4[], at text[], an numeric[], am mood[], ats timestamptz[], ab bytea[], aj jsonb[],
    dr daterange, tr tstzrange, nr numrange, mr int4multirange, adr daterange[], c pair, ac pair[], h hstore
);
INSERT INTO parts (id) VALUES (0);
INSERT INTO parts VALUES
    (1, 'NaN', 'NaN', '-Infinity', true, '', 'sad', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff:ff:ff', '(0,-0)', '24:00', '24:00-15:59:59',
     '{}', '{}', '{}', '{}', '{}', '{}', '{}', 'empty', 'empty', 'empty', '{}', '{}', '(,,,,)', '{}', ''),
    (2, '-Infinity', 'Infinity', '1e308', false, '\x005c5c22270a09ff', 'so "so", ok', '08:00:2b:01:02:03',
     '08:00:2b:01:02:03:04:05', '(1e300,-2.5)', '00:00:00.000001', '23:59:59.999999+05:30', '[2:3][-1:0]={{1,NULL},{3,4}}', array[E'a"b\\c,{}', '', NULL, 'NULL', E'\t\n'],
     '{1.50,NULL,NaN,-Infinity}', '{sad,"so \"so\", ok"}', '{infinity,"2000-01-01 12:00:00.5+00"}', '{"\\x5c22",NULL}',
     array['{"a": "x\\\"y"}', 'null', NULL]::jsonb[], '[2000-01-01,2001-01-01)', '(,infinity)', '[1.50,1e40]',
     '{[1,5),[7,8),[10,)}', array['[2000-01-01,)', 'empty', NULL]::daterange[], row(1, E'q"u\\o,(te)', 'so "so", ok', array['x y', '"', NULL], 12.34),
     array[row(NULL, '', NULL, '{}', NULL), row(7, 'é 漢', 'sad', '{a,b}', -1), NULL]::pair[],
     hstore(array['k"1', 'k\2', 'nothing', ''], array['v, "x"=>1', E'\\', NULL, ''])),
    (3, 0.000100, 1e-30, 0.1, NULL, decode(repeat('ab', 5000), 'hex'), 'sad', NULL, NULL, '(Infinity,NaN)', NULL, '12:00+00',
     '{{{1}}}', array[repeat('long', 9000)], array[1e130, -1e-130], NULL, NULL, NULL, NULL, '(,)', '[,]', '(0,0.1]', '{(,)}', NULL,
     row(NULL, NULL, NULL, NULL, NULL), NULL, 'a=>1');
INSERT INTO parts (id, n, f4, f8, p, an)
SELECT 3 + g, (random() * 1e6)::numeric(30, 10) * power(10::numeric, (g % 40 - 20)::int), random() * power(10, g % 60 - 30),
    random() * power(10::float8, g % 500 - 250), point(random(), random() * 1e6), array[g, g / 7.0, -g * 1e12]
FROM generate_series(1, 1000) g;
"#;

/// The columns of `parts` in table order.
fn parts_layout() -> Layout {
    let array = |shape| Shape::Array(Arc::new(shape));
    let numeric = || Shape::Numeric { limit: None };
    let attribute = |name: &str, shape| Attribute { name: name.to_owned(), shape };
    let mood = || Shape::Enum(["sad".to_owned(), "so \"so\", ok".to_owned()].into());
    let pair = || {
        let attributes = [
            attribute("n", Shape::Int4),
            attribute("t", TEXT),
            attribute("m", mood()),
            attribute("a", array(TEXT)),
            attribute("o", Shape::Opaque),
        ];
        Shape::Composite(attributes.into())
    };
    let shapes = [
        numeric(),
        Shape::Float4,
        Shape::Float8,
        Shape::Bool,
        Shape::Bytea,
        mood(),
        Shape::Mac,
        Shape::Mac8,
        Shape::Point,
        Shape::Time,
        Shape::TimeTz,
        array(Shape::Int4),
        array(TEXT),
        array(numeric()),
        array(mood()),
        array(Shape::Timestamp),
        array(Shape::Bytea),
        array(Shape::Jsonb),
        Shape::Range(Arc::new(Shape::Date)),
        Shape::Range(Arc::new(Shape::Timestamp)),
        Shape::Range(Arc::new(numeric())),
        Shape::Multirange(Arc::new(Shape::Int4)),
        array(Shape::Range(Arc::new(Shape::Date))),
        pair(),
        array(pair()),
        Shape::Hstore,
    ];
    let fields: Vec<Field> = std::iter::once(Field::Keep).chain(shapes.into_iter().map(Field::Mask)).collect();
    Layout { written: fields.len(), fields }
}

#[test]
fn scalars_and_containers_load_as_the_values_they_came_from() {
    let cluster = cluster::Cluster::start();
    cluster.psql(PARTS_SQL, b"");
    let layout = parts_layout();
    let source = copy_out(&cluster, "parts", Format::Binary);

    let binary = roundtrip(Format::Binary, &layout, source.clone());
    assert!(binary == source, "binary rows differ from what the server sent");
    let text = roundtrip(Format::Text, &layout, copy_out(&cluster, "parts", Format::Text));
    cluster.psql("CREATE TABLE parts_from_text (LIKE parts)", b"");
    cluster.psql("COPY parts_from_text FROM STDIN", &text);
    assert!(copy_out(&cluster, "parts_from_text", Format::Binary) == source);
}

#[test]
fn dates_and_times_are_written_as_the_server_writes_them() {
    let cluster = cluster::Cluster::start();
    cluster.psql(cluster::SHAPES_SQL, b"");
    let rows =
        cluster.psql("COPY (SELECT id, d, tz, net, u FROM shapes WHERE family(net) = 4 OR id > 6) TO STDOUT", b"");
    let masked = [Shape::Int8, Shape::Date, Shape::Timestamp, Shape::Cidr, Shape::Uuid].map(Field::Mask);
    assert_eq!(
        String::from_utf8(roundtrip(Format::Text, &layout(&masked, 5), rows.clone())).unwrap(),
        String::from_utf8(rows).unwrap(),
    );
}
