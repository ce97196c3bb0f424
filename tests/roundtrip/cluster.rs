//! A private PostgreSQL cluster for one test, on a socket of its own, and a table with every supported shape.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A table `shapes` with a column of every decoded shape, kept columns between them, extreme values, and rows whose
/// dates, timestamps and addresses are spread over the whole legal range.
pub const SHAPES_SQL: &str = r#"
CREATE TABLE shapes (
    id int8 NOT NULL, i2 int2, kept numeric, i4 int4, i8 int8, t text, vc varchar(20), ch char(10), kept_too int[],
    u uuid, d date, ts timestamp, tz timestamptz, ip inet, net cidr, j json, jb jsonb, kept_last text
);
INSERT INTO shapes (id) VALUES (0);
INSERT INTO shapes VALUES
    (1, -32768, 'NaN', -2147483648, -9223372036854775808, '', '', '', '{}', '00000000-0000-0000-0000-000000000000',
     '4714-11-24 BC', '4714-11-24 00:00:00 BC', '4714-11-24 00:00:00+00 BC', '0.0.0.0/0', '0.0.0.0/0', '{}', '{}', ''),
    (2, 32767, 1e300, 2147483647, 9223372036854775807, E'\b\f\n\r\t\v\\ \\N \\. é 漢 🐘 ', E'a\\b\tc', 'é', '{{1,NULL}}',
     'ffffffff-ffff-ffff-ffff-ffffffffffff', '5874897-12-31', '294276-12-31 23:59:59.999999',
     '294276-12-31 23:59:59.999999+00', '255.255.255.255', '255.255.255.255/32', E'{"a": "x\\ny\\u00e9"}',
     E'{"a": ["x\\ny\\\\z\\u00e9", 1e300, null]}', E'\\N'),
    (3, 0, 0, 0, 0, 'exactly 12 b', 'exactly 13 by', '0123456789', '[0:1]={5,6}', gen_random_uuid(),
     'infinity', 'infinity', 'infinity', '::/0', '::/0', ' [ ] ', '[]', E'\t'),
    (4, 1, -1, 1, 1, repeat('long ', 20000), '13 bytes long', ' lead', NULL, gen_random_uuid(),
     '-infinity', '-infinity', '-infinity', '2001:db8::1/64', '2001:db8::/32', '"s"', '"s"', 'x'),
    (5, 1, -1, 1, 1, E'\\', E'\n', E'\\', NULL, gen_random_uuid(),
     '0001-01-01', '0001-01-01 00:00:00', '0001-12-31 23:59:59.1+00 BC', '::ffff:1.2.3.4', '::ffff:0:0/96', '1', '1', ''),
    (6, 1, -1, 1, 1, 'x', 'y', 'z', NULL, gen_random_uuid(),
     '2000-02-29', '1999-12-31 23:59:59.999999', '1969-12-31 23:59:59.000001+00', '::1', '10.0.0.0/8', 'null', 'null', '');
INSERT INTO shapes
SELECT 6 + g, g, g / 7.0, g * 214748, g * 922337203685477, repeat('é', (g % 30)::int), repeat('a', (g % 20)::int),
    g::text, ARRAY[g], gen_random_uuid(),
    date '2000-01-01' + (-2451545 + g * 2147483)::int,
    timestamp '2000-01-01' + make_interval(days => (-2451545 + g * 109000)::int, secs => g * 0.123457),
    timestamptz '2000-01-01 00:00:00+00' + make_interval(days => (-2451545 + g * 109000)::int, secs => g * 0.1),
    set_masklen(inet '0.0.0.0' + g * 4294967, (g % 33)::int),
    network(set_masklen(inet '2001:db8::' + g * 922337203685477, (g % 129)::int)),
    to_json(g), to_jsonb(md5(g::text)), NULL
FROM generate_series(1::int8, 999) g;
"#;

pub struct Cluster {
    dir: TempDir,
    bin: PathBuf,
}

impl Cluster {
    /// Initializes and starts a server without TCP. The server refuses to run as root, so root becomes `postgres`.
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("restage-").tempdir().expect("a temporary directory");
        let cluster = Self { dir, bin: installation() };
        fs::set_permissions(cluster.dir(), Permissions::from_mode(0o755)).expect("own directory");
        if rustix::process::geteuid().is_root() {
            done(Command::new("chown").arg("postgres").arg(cluster.dir()));
        }
        let data = cluster.dir().join("data");
        let server = |tool: &str| {
            let mut command = cluster.as_owner(tool);
            command.arg("-D").arg(&data).stdin(Stdio::null());
            command
        };
        done(server("initdb").args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]));
        let options = format!("-c listen_addresses= -c fsync=off -k {}", cluster.dir().display());
        let log = cluster.dir().join("log");
        done(server("pg_ctl").args(["-w", "-o", &options, "-l"]).arg(log).arg("start").stdout(Stdio::null()));
        cluster
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn as_owner(&self, tool: &str) -> Command {
        let tool = self.bin.join(tool);
        if !rustix::process::geteuid().is_root() {
            return Command::new(tool);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(tool).current_dir("/");
        command
    }

    /// Runs statements, feeds `input` to a `COPY FROM STDIN` among them, returns what a `COPY TO STDOUT` printed.
    pub fn psql(&self, sql: &str, input: &[u8]) -> Vec<u8> {
        let mut child = Command::new(self.bin.join("psql"))
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-c", sql, "-h"])
            .arg(self.dir())
            .env("PGCLIENTENCODING", "UTF8")
            .env("PGOPTIONS", "-c TimeZone=UTC -c DateStyle=ISO,YMD -c extra_float_digits=3")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("psql runs");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let input = input.to_vec();
        let feeder = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().expect("psql ends");
        assert!(output.status.success(), "psql failed; its message is above");
        let _ = feeder.join().expect("the feeder does not panic");
        output.stdout
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.dir().join("data");
        let _ = self.as_owner("pg_ctl").arg("-D").arg(data).args(["-m", "immediate", "-w", "stop"]).output();
    }
}

/// `RESTAGE_PG_BIN`, or the newest installation under `/usr/lib/postgresql`.
fn installation() -> PathBuf {
    if let Some(bin) = std::env::var_os("RESTAGE_PG_BIN") {
        return bin.into();
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let major = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).filter(|path| major(path).is_some()).max_by_key(major);
    newest.expect("PostgreSQL is installed: set RESTAGE_PG_BIN to the directory of initdb").join("bin")
}

fn done(command: &mut Command) -> Output {
    let output = command.output().expect("the command runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
