//! The set-up that works, servers that misbehave, and how what the program says is compared.

use crate::support::{Cluster, Lab};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::OnceLock;

pub(super) const PEOPLE: &str = "
CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL UNIQUE, name text, code varchar(5), born date, profile jsonb);
CREATE TABLE orders (id int PRIMARY KEY, person int NOT NULL REFERENCES people, email text);
INSERT INTO people VALUES (1, 'ann@example.com', 'Ann Example', 'A1', '1990-01-01', '{\"phone\": \"1\"}');
INSERT INTO orders VALUES (1, 1, 'ann@example.com');
";

/// Every column is decided; each test adds or changes what is wrong.
pub(super) const KEEP: &str = "[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n";

/// A lab with two tables and a policy that works.
pub(super) fn lab() -> Lab<'static> {
    let lab = Lab::new("broken");
    lab.seed(PEOPLE);
    lab.config(KEEP);
    lab
}

/// The same with another decision for one column of `people`.
pub(super) fn with_column(line: &str) -> Lab<'static> {
    let lab = lab();
    lab.config(&format!("{KEEP}\n[tables.\"public.people\".columns]\n{line}\n"));
    lab
}

/// Replaces a part of the configuration, which must be there.
#[track_caller]
pub(super) fn edit(lab: &Lab<'_>, from: &str, to: &str) {
    let file = lab.path("restage.toml");
    let text = std::fs::read_to_string(&file).expect("configuration");
    assert!(text.contains(from), "{from:?} is not in:\n{text}");
    std::fs::write(file, text.replacen(from, to, 1)).expect("written");
}

pub(super) fn source_url(lab: &Lab<'_>) -> String {
    lab.source.url("reader", &lab.name)
}

pub(super) fn target_url(lab: &Lab<'_>) -> String {
    lab.target.url("restage", &lab.name)
}

/// Everything a run could change: databases and their comments on both servers, and files beside the configuration. The
/// report of a run that was refused is meant to stay.
pub(super) fn state(lab: &Lab<'_>) -> String {
    let databases = format!(
        "SELECT oid, datname, shobj_description(oid, 'pg_database') FROM pg_database \
         WHERE starts_with(datname, '{}') ORDER BY 1",
        lab.name
    );
    let mut files: Vec<String> = std::fs::read_dir(lab.path("."))
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "restage-report")
        .collect();
    files.sort();
    format!("{}\n{}\n{files:?}", lab.source.sql("postgres", &databases), lab.target.sql("postgres", &databases))
}

/// Replaces what differs from run to run and from machine to machine.
pub(super) fn redact(lab: &Lab<'_>, text: &str) -> String {
    let mut text = text.to_owned();
    let folder = lab.path("");
    for (from, to) in [
        (folder.display().to_string().trim_end_matches('/').to_owned(), "[folder]"),
        (lab.source.folder().display().to_string(), "[source]"),
        (lab.target.folder().display().to_string(), "[target]"),
        (lab.name.clone(), "[db]"),
    ] {
        text = text.replace(&from, to);
    }
    hide_runs(&text)
}

/// Replaces run ids: `20261120t144451_fa60`.
pub(super) fn hide_runs(text: &str) -> String {
    const LENGTH: usize = 20;
    let is_run = |id: &[u8]| {
        id.iter().enumerate().all(|(at, byte)| match at {
            8 => *byte == b't',
            15 => *byte == b'_',
            16.. => byte.is_ascii_hexdigit(),
            _ => byte.is_ascii_digit(),
        })
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.as_bytes().windows(LENGTH).position(is_run) {
        out.push_str(&rest[..at]);
        out.push_str("[run]");
        rest = &rest[at + LENGTH..];
    }
    out + rest
}

/// Holds what is true of every error: form, state, no words of our own language.
#[track_caller]
pub(super) fn well_said(stderr: &str, errors: usize) {
    assert_eq!(stderr.matches("error[").count(), errors, "one error per cause:\n{stderr}");
    assert_eq!(stderr.matches("\n  state:  ").count(), errors, "what is true now is not said:\n{stderr}");
    for debug in ["Some(", "None", "Err(", "Ok(", "panicked", "::Error", "\\\"", "{ ", " {}"] {
        // Braces are TOML in a hint; elsewhere they are a debug form.
        let lines =
            stderr.lines().filter(|line| !line.contains("= {") && !line.contains("`{") && !line.contains("{ mask"));
        assert!(!lines.clone().any(|line| line.contains(debug)), "{debug} in:\n{stderr}");
    }
}

/// Runs the program, which must end with `code`, say `errors` errors, print nothing and change nothing.
#[track_caller]
pub(super) fn told(lab: &Lab<'_>, args: &[&str], code: i32, errors: usize) -> String {
    told_by(lab, lab.command(args), code, errors)
}

#[track_caller]
pub(super) fn told_by(lab: &Lab<'_>, mut command: Command, code: i32, errors: usize) -> String {
    let before = state(lab);
    let output = command.output().expect("restage runs");
    let stderr = redact(lab, &String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "standard output belongs to results");
    assert_eq!(state(lab), before, "something was changed");
    well_said(&stderr, errors);
    stderr
}

/// What `restage refresh` says; the run must be refused without a trace.
#[track_caller]
pub(super) fn refused(lab: &Lab<'_>, code: i32) -> String {
    told(lab, &["-q", "refresh"], code, 1)
}

/// A server with one role that needs a password and one that may not log in.
pub(super) fn strict() -> &'static Cluster {
    static STRICT: OnceLock<Cluster> = OnceLock::new();
    STRICT.get_or_init(|| {
        let cluster = Cluster::start(&[]);
        cluster.sql(
            "postgres",
            "CREATE ROLE app LOGIN; CREATE ROLE reader LOGIN PASSWORD 'right'; CREATE ROLE asleep NOLOGIN",
        );
        let hba = cluster.data().join("pg_hba.conf");
        std::fs::write(hba, "local all reader scram-sha-256\nlocal all all trust\n").expect("written");
        cluster.stop("fast");
        cluster.boot();
        cluster
    })
}

/// Passes bytes between a TCP port and the socket of a cluster, changed on the way to the client; forever.
pub(super) fn proxy(cluster: &Cluster, change: fn(&mut [u8])) -> u16 {
    let socket = cluster.folder().join(".s.PGSQL.5432");
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = UnixStream::connect(&socket) else { return };
            let (mut up, mut down) = (server.try_clone().expect("cloned"), server);
            let (mut from, mut to) = (client.try_clone().expect("cloned"), client);
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut up);
                let _ = up.shutdown(std::net::Shutdown::Write);
            });
            std::thread::spawn(move || {
                let mut buffer = [0; 8192];
                while let Ok(length @ 1..) = down.read(&mut buffer) {
                    change(&mut buffer[..length]);
                    if to.write_all(&buffer[..length]).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    port
}

/// A port of this machine where nobody listens.
pub(super) fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}
