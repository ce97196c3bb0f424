//! Connections against a real server: passwords, sockets, TLS in all modes, poolers, and what errors say.
//!
//! Starts a cluster of its own; needs the PostgreSQL programs and `openssl`.

use crate::support::{bin, is_root};
use restage::pg::{
    ConnectError, Conninfo, Environment, Session, SessionError, Side, SourceSession, TargetSession, local_settings,
    sql_error,
};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PASSWORD: &str = "pass:word'1";

const HBA: &str = "\
local     all all    scram-sha-256
hostssl   all client 127.0.0.1/32 cert
hostnossl all plain  127.0.0.1/32 scram-sha-256
hostssl   all ro     127.0.0.1/32 scram-sha-256
hostssl   all postgres 127.0.0.1/32 scram-sha-256
";

/// A throw-away cluster; stopped when dropped.
struct Cluster {
    folder: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
}

fn run(command: &mut Command) {
    // Not `output()`: the server inherits the pipes and would keep them open.
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let status = status.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

impl Cluster {
    fn start() -> Self {
        let bin = bin();
        let folder = tempfile::tempdir().expect("temp dir");
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("chmod");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("free port").port();
        let cluster = Self { folder, bin, port };
        std::fs::write(cluster.path("password"), PASSWORD).expect("write");
        cluster.certificates();
        if is_root() {
            run(Command::new("chown").args(["-R", "postgres"]).arg(cluster.folder.path()));
        }
        let data = cluster.path("data");
        let pwfile = format!("--pwfile={}", cluster.path("password").display());
        run(cluster.program("initdb").args(["-U", "postgres", "-A", "scram-sha-256", "-N", &pwfile, "-D"]).arg(&data));
        std::fs::write(data.join("pg_hba.conf"), HBA).expect("write");
        cluster.use_certificate("server");
        let options = format!(
            "-p {port} -k {socket} -c listen_addresses=127.0.0.1 -c ssl=on -c ssl_ca_file={ca} -c fsync=off",
            socket = cluster.folder.path().display(),
            ca = cluster.path("ca.crt").display()
        );
        let log = cluster.path("log");
        run(cluster.program("pg_ctl").args(["start", "-w", "-o", &options, "-l"]).arg(log).arg("-D").arg(&data));
        cluster
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server program as the user that may run it.
    fn program(&self, name: &str) -> Command {
        let program = self.bin.join(name);
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(program);
                command
            }
            false => Command::new(program),
        };
        command.current_dir("/");
        command
    }

    fn openssl(&self, arguments: &str) {
        run(Command::new("openssl").args(arguments.split_whitespace()).current_dir(self.folder.path()));
    }

    fn certificates(&self) {
        let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        self.openssl(&format!("req -x509 {new} -keyout ca.key -out ca.crt -subj /CN=ca"));
        self.openssl(&format!("req -x509 {new} -keyout other.key -out other.crt -subj /CN=other"));
        for (name, extensions) in [
            ("server", "basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,DNS:db.test\n"),
            ("client", "basicConstraints=CA:FALSE\n"),
            ("nameless", "basicConstraints=CA:FALSE\n"),
        ] {
            std::fs::write(self.path(&format!("{name}.ext")), extensions).expect("write");
            self.openssl(&format!("req {new} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
            let sign = "-CA ca.crt -CAkey ca.key -CAcreateserial -days 2";
            self.openssl(&format!("x509 -req -in {name}.csr {sign} -out {name}.crt -extfile {name}.ext"));
        }
        self.openssl(&format!("req {new} -keyout v1.key -out v1.csr -subj /CN=localhost"));
        self.openssl("x509 -req -in v1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out v1.crt");
        // What `openssl req -x509` makes by default: an authority's certificate, used by a server.
        let own = format!("req -x509 {new} -keyout own.key -out own.crt -subj /CN=localhost");
        self.openssl(&format!("{own} -addext subjectAltName=DNS:localhost"));
        self.openssl("pkey -in client.key -out client.sec1 -traditional");
        self.openssl("pkey -in client.key -out client.enc -aes256 -passout pass:x");
        for key in ["client.key", "client.sec1", "client.enc"] {
            std::fs::set_permissions(self.path(key), PermissionsExt::from_mode(0o600)).expect("chmod");
        }
    }

    /// Puts a certificate where the server looks for its own.
    fn use_certificate(&self, name: &str) {
        let data = self.path("data");
        for kind in ["crt", "key"] {
            let path = data.join(format!("server.{kind}"));
            std::fs::copy(self.path(&format!("{name}.{kind}")), &path).expect("copied");
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("chmod");
            if is_root() {
                run(Command::new("chown").arg("postgres").arg(&path));
            }
        }
    }

    async fn reload_with(&self, certificate: &str) {
        self.use_certificate(certificate);
        run(self.program("pg_ctl").args(["reload", "-D"]).arg(self.path("data")));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    /// Connection parameters of a role over TCP, and more.
    fn tcp(&self, user: &str, more: &str) -> Conninfo {
        let password = PASSWORD.replace('\'', r"\'");
        let host = if more.contains("host=") { "" } else { "host=127.0.0.1" };
        info(&format!("{host} port={} user={user} password='{password}' dbname=postgres {more}", self.port))
    }

    fn root(&self, name: &str) -> String {
        format!("sslrootcert={}", self.path(name).display())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        let _ = stop.args(["stop", "-m", "immediate", "-D"]).arg(self.path("data")).stdout(Stdio::null()).status();
    }
}

fn info(text: &str) -> Conninfo {
    info_in(text, &Environment::empty())
}

fn info_in(text: &str, env: &Environment) -> Conninfo {
    Conninfo::parse(text, env).unwrap_or_else(|error| panic!("{text}: {error}"))
}

async fn fails(info: &Conninfo) -> ConnectError {
    match Session::connect(info, "test").await {
        Ok(_) => panic!("{info}: connected"),
        Err(error) => error,
    }
}

async fn opens(info: &Conninfo) -> Session {
    Session::connect(info, "test").await.unwrap_or_else(|error| panic!("{info}: {error:?}"))
}

/// The one line and the hint of an error.
fn told(error: &ConnectError) -> String {
    error.report(Side::Source).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_keep_their_promises() {
    let cluster = Cluster::start();
    let admin = opens(&cluster.tcp("postgres", "")).await;
    assert!(admin.encrypted() && admin.version_num() >= 120_000 && !admin.in_recovery());
    let quoted = PASSWORD.replace('\'', "''");
    for sql in [
        format!("CREATE ROLE ro LOGIN PASSWORD '{quoted}'; CREATE ROLE plain LOGIN PASSWORD '{quoted}'"),
        "CREATE ROLE client LOGIN; CREATE ROLE full_up LOGIN CONNECTION LIMIT 0".to_owned(),
        format!("ALTER ROLE full_up PASSWORD '{quoted}'"),
        "CREATE TABLE public.t (id int PRIMARY KEY, v int); INSERT INTO public.t VALUES (1, 1)".to_owned(),
        "GRANT ALL ON public.t TO ro".to_owned(),
        "CREATE DATABASE \"closed one\"".to_owned(),
        "REVOKE CONNECT ON DATABASE \"closed one\" FROM PUBLIC".to_owned(),
    ] {
        admin.client().batch_execute(&sql).await.expect("prepared");
    }
    admin.close().await;
    logins(&cluster).await;
    tls_modes(&cluster).await;
    sides(&cluster).await;
    several_hosts(&cluster).await;
    poolers(&cluster).await;
    children(&cluster);
    odd_certificates(&cluster).await;
}

async fn logins(cluster: &Cluster) {
    let error = fails(&cluster.tcp("ro", "password=hunter2")).await;
    assert!(matches!(&error, ConnectError::Authentication { sqlstate: Some(code), .. } if code == "28P01"), "{error}");
    assert!(!told(&error).contains("hunter2") && !format!("{error:?}").contains("hunter2"));
    let error = fails(&cluster.tcp("ro", "password=''")).await;
    assert!(told(&error).contains("127.0.0.1:") && told(&error).contains(":postgres:ro:PASSWORD"), "{}", told(&error));
    let error = fails(&cluster.tcp("ro", "dbname=nowhere")).await;
    assert!(matches!(error, ConnectError::DatabaseMissing { .. }), "{error}");
    let error = fails(&cluster.tcp("ro", "sslmode=disable")).await;
    assert!(told(&error).contains("pg_hba.conf and reload: host postgres ro 127.0.0.1/32"), "{}", told(&error));
    let socket = format!("host={} user=full_up", cluster.folder.path().display());
    let error = fails(&cluster.tcp("full_up", &socket)).await;
    assert!(matches!(error, ConnectError::TooManyConnections { .. }), "{error}");
    let error = fails(&cluster.tcp("ro", "options='-c no_such=1'")).await;
    assert!(matches!(&error, ConnectError::Rejected { sqlstate, .. } if sqlstate == "42704"), "{error}");

    let error = fails(&cluster.tcp("ro", "dbname='closed one'")).await;
    assert!(told(&error).contains("GRANT CONNECT ON DATABASE \"closed one\" TO \"ro\";"), "{}", told(&error));

    // A socket, its password from ~/.pgpass, its place from a service.
    let home = cluster.path("home");
    std::fs::create_dir(&home).expect("made");
    let passfile = home.join(".pgpass");
    let directory = cluster.folder.path().display();
    std::fs::write(&passfile, format!("{directory}:{}:*:ro:{}\n", cluster.port, PASSWORD.replace(':', r"\:")))
        .expect("written");
    std::fs::set_permissions(&passfile, PermissionsExt::from_mode(0o600)).expect("chmod");
    let service = format!("[prod]\nhost={directory}\nport={}\nuser=ro\ndbname=postgres\n", cluster.port);
    std::fs::write(home.join(".pg_service.conf"), service).expect("written");
    let env = Environment { home: Some(home), ..Environment::empty() };
    let session = opens(&info_in("service=prod", &env)).await;
    assert!(!session.encrypted());
    session.close().await;
    let uri = format!("postgres://ro@{}:{}/postgres", directory.to_string().replace('/', "%2F"), cluster.port);
    opens(&info_in(&uri, &env)).await.close().await;
    let error = fails(&info_in(&format!("service=prod port={}", 1), &env)).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    assert!(told(&error).contains(".s.PGSQL.1"), "{}", told(&error));
}

async fn tls_modes(cluster: &Cluster) {
    let ca = cluster.root("ca.crt");
    let other = cluster.root("other.crt");
    for (user, more, encrypted) in [
        ("plain", "sslmode=disable".to_owned(), false),
        ("plain", "sslmode=allow".to_owned(), false),
        ("plain", "sslmode=prefer".to_owned(), false),
        ("ro", "sslmode=allow".to_owned(), true),
        ("ro", "sslmode=prefer".to_owned(), true),
        ("ro", "sslmode=require".to_owned(), true),
        ("ro", "sslmode=require channel_binding=require".to_owned(), true),
        ("ro", format!("sslmode=require {ca}"), true),
        ("ro", format!("sslmode=verify-ca {ca}"), true),
        ("ro", format!("sslmode=verify-full host=localhost hostaddr=127.0.0.1 {ca}"), true),
        ("ro", format!("sslmode=verify-full host=db.test hostaddr=127.0.0.1 {ca}"), true),
        ("ro", "sslmode=require ssl_max_protocol_version=TLSv1.2".to_owned(), true),
        ("ro", "sslmode=require ssl_min_protocol_version=TLSv1.3".to_owned(), true),
        ("ro", "sslmode=require host=under_score hostaddr=127.0.0.1 sslsni=0".to_owned(), true),
    ] {
        let session = opens(&cluster.tcp(user, &more)).await;
        assert_eq!(session.encrypted(), encrypted, "{user} {more}");
        session.close().await;
    }
    for (more, words) in [
        (format!("sslmode=require {other}"), "not signed by a certificate in sslrootcert"),
        (format!("sslmode=verify-ca {other}"), "not signed by a certificate in sslrootcert"),
        (format!("sslmode=verify-full {ca}"), "is for localhost, db.test, not for 127.0.0.1"),
        (format!("sslmode=verify-full host=prod hostaddr=127.0.0.1 {ca}"), "host=localhost"),
        ("sslmode=verify-full".to_owned(), "needs a root certificate"),
        ("sslmode=verify-full sslrootcert=/nowhere.crt".to_owned(), "/nowhere.crt cannot be read"),
        ("sslmode=verify-full host=localhost hostaddr=127.0.0.1 sslrootcert=system".to_owned(), "not signed by"),
    ] {
        let error = fails(&cluster.tcp("ro", &more)).await;
        assert!(matches!(error, ConnectError::Tls { .. }), "{more}: {error:?}");
        assert!(told(&error).contains(words), "{more}: {}", told(&error));
    }
    let client = |key: &str| {
        let (certificate, key) = (cluster.path("client.crt"), cluster.path(key));
        format!("sslmode=require sslcert={} sslkey={}", certificate.display(), key.display())
    };
    for key in ["client.key", "client.sec1"] {
        opens(&cluster.tcp("client", &client(key))).await.close().await;
    }
    let error = fails(&cluster.tcp("client", "sslmode=require")).await;
    assert!(told(&error).contains("sslcert=client.crt"), "{}", told(&error));
    let error = fails(&cluster.tcp("client", &client("client.enc"))).await;
    assert!(told(&error).contains("is encrypted"), "{}", told(&error));
    let error = fails(&cluster.tcp("client", &client("ca.key"))).await;
    assert!(told(&error).contains("cannot be used") || told(&error).contains("chmod 600"), "{}", told(&error));
    let open = cluster.path("client.key");
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o644)).expect("chmod");
    let error = fails(&cluster.tcp("client", &client("client.key"))).await;
    assert!(told(&error).contains("chmod 600"), "{}", told(&error));
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o600)).expect("chmod");
    let error = fails(&cluster.tcp("plain", "sslmode=disable channel_binding=require")).await;
    assert!(told(&error).contains("channel_binding"), "{}", told(&error));
}

async fn sides(cluster: &Cluster) {
    let ro = cluster.tcp("ro", "");
    let source = SourceSession::connect(&ro, "restage/test").await.expect("source");
    let error = source.client().batch_execute("INSERT INTO public.t VALUES (2, 2)").await.expect_err("read only");
    assert_eq!(sql_error(&error).sqlstate, "25006");
    source.client().batch_execute("DO $$ BEGIN RAISE NOTICE 'hunter2'; END $$").await.expect("runs");
    let notices = source.take_notices();
    assert!(notices.len() == 1 && notices[0].message.is_none(), "{notices:?}");
    let settings = local_settings(source.version_num(), 1500);
    source.client().batch_execute(&format!("BEGIN; {settings}")).await.expect("all settings exist");
    let row = source.client().query_one("SHOW lock_timeout", &[]).await.expect("shown");
    assert_eq!(row.get::<_, String>(0), "1500ms");
    source.client().batch_execute("COMMIT").await.expect("ends");
    let row = source.client().query_one("SELECT current_setting('application_name')", &[]).await.expect("shown");
    assert_eq!(row.get::<_, String>(0), "restage/test");

    let canceler = source.canceler();
    let sleeping = source.client().batch_execute("SELECT pg_sleep(60)");
    let waking = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        canceler.cancel().await;
    };
    let (slept, ()) = tokio::join!(sleeping, waking);
    let problem = sql_error(&slept.expect_err("canceled"));
    assert_eq!(problem.to_string(), "SQLSTATE 57014 (query_canceled): canceling statement due to user request");

    let target = TargetSession::connect(&ro, "restage").await.expect("target");
    target.client().batch_execute("DO $$ BEGIN RAISE WARNING 'look'; END $$").await.expect("runs");
    assert_eq!(target.take_notices()[0].message.as_deref(), Some("look"));
    for (sql, expected) in [
        (
            "INSERT INTO public.t VALUES (1, 4711)",
            "23505 (unique_violation), table \"public.t\", constraint \"t_pkey\"",
        ),
        ("SELECT 'hunter2'::int", "22P02 (invalid_text_representation)"),
        ("DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'hunter2', ERRCODE = '42501'; END $$", "42501"),
        ("DO $$ BEGIN RAISE EXCEPTION USING COLUMN = 'hunter2', CONSTRAINT = 'hunter2'; END $$", "P0001"),
        ("SELECT * FROM public.missing", "relation \"public.missing\" does not exist"),
    ] {
        let problem = sql_error(&target.client().batch_execute(sql).await.expect_err("fails")).to_string();
        assert!(problem.contains(expected) && !problem.contains("hunter2") && !problem.contains("4711"), "{problem}");
    }
    source.close().await;

    // The server ends a session: the reason is kept.
    let admin = opens(&cluster.tcp("postgres", "")).await;
    let sql = format!("SELECT pg_terminate_backend({})", target.pid());
    admin.client().batch_execute(&sql).await.expect("terminated");
    for _ in 0..50 {
        if target.is_closed() && target.end().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(target.end().expect("ended").sqlstate, "57P01");
}

async fn several_hosts(cluster: &Cluster) {
    let text = format!("host=127.0.0.1,127.0.0.1 port=1,{} dbname=postgres", cluster.port);
    let info = cluster.tcp("ro", &text.replace("dbname=postgres", ""));
    let session = opens(&info).await;
    assert_eq!(session.host_index(), 1);
    assert_eq!(session.endpoint().host.port, cluster.port);
    session.close().await;
    for (wanted, found) in
        [("primary", true), ("read-write", true), ("prefer-standby", true), ("standby", false), ("read-only", false)]
    {
        let info = cluster.tcp("ro", &format!("target_session_attrs={wanted}"));
        match Session::connect(&info, "test").await {
            Ok(session) => {
                assert!(found, "{wanted}");
                session.close().await;
            }
            Err(error) => assert!(!found && matches!(error, ConnectError::WrongRole { .. }), "{wanted}: {error}"),
        }
    }
}

/// A proxy that hands out its own cancel keys, as PgBouncer does, and one that changes nothing.
async fn poolers(cluster: &Cluster) {
    for own_keys in [true, false] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let port = listener.local_addr().expect("bound").port();
        let server = cluster.port;
        let proxy = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = tokio::net::TcpStream::connect(("127.0.0.1", server)).await.expect("connected");
                tokio::spawn(forward(client, server, own_keys));
            }
        });
        let info = cluster.tcp("plain", &format!("sslmode=disable port={port}"));
        let result = SourceSession::connect(&info, "test").await;
        match result {
            Ok(_) => assert!(!own_keys, "the pooler was not noticed"),
            Err(SessionError { error, .. }) => {
                assert!(own_keys && matches!(error, ConnectError::Pooler { .. }), "{error}");
                assert!(told(&error).contains("direct port"), "{}", told(&error));
            }
        }
        proxy.abort();
    }
}

async fn forward(client: tokio::net::TcpStream, server: tokio::net::TcpStream, own_keys: bool) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
        let bytes = &mut buffer[..length];
        if let Some(at) = bytes.windows(5).position(|window| window == [b'K', 0, 0, 0, 12]).filter(|_| own_keys) {
            bytes[at + 8] ^= 0x55;
        }
        if to_client.write_all(bytes).await.is_err() {
            break;
        }
    }
}

/// `psql` with nothing but our variables reaches the same server.
fn children(cluster: &Cluster) {
    let more = format!("sslmode=verify-full host=dead,localhost port=1,{} hostaddr=127.0.0.1,127.0.0.1", cluster.port);
    let info = cluster.tcp("ro", &format!("{more} {}", cluster.root("ca.crt"))).pin(1);
    let psql = Path::new("/usr/bin/psql");
    let mut command = Command::new(if psql.exists() { psql.to_owned() } else { cluster.bin.join("psql") });
    command.env_clear().envs(info.child_environment()).env("PATH", "/usr/bin:/bin").env("LANG", "C");
    let output = command.args(["-XAtc", "SELECT current_user, current_database()"]).output().expect("psql runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ro|postgres\n", "{output:?}");
}

async fn odd_certificates(cluster: &Cluster) {
    let at = "host=localhost hostaddr=127.0.0.1";
    cluster.reload_with("v1").await;
    opens(&cluster.tcp("ro", &format!("{at} sslmode=require"))).await.close().await;
    opens(&cluster.tcp("ro", &format!("{at} sslmode=verify-ca {}", cluster.root("v1.crt")))).await.close().await;
    let error = fails(&cluster.tcp("ro", &format!("{at} sslmode=verify-ca {}", cluster.root("ca.crt")))).await;
    assert!(told(&error).contains("X.509 version 1"), "{}", told(&error));
    cluster.reload_with("own").await;
    opens(&cluster.tcp("ro", &format!("{at} sslmode=verify-full {}", cluster.root("own.crt")))).await.close().await;
    let error = fails(&cluster.tcp("ro", &format!("{at} sslmode=verify-ca {}", cluster.root("ca.crt")))).await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
    let error = fails(&cluster.tcp("ro", &format!("sslmode=verify-full {}", cluster.root("own.crt")))).await;
    assert!(told(&error).contains("not for 127.0.0.1"), "{}", told(&error));
    cluster.reload_with("nameless").await;
    opens(&cluster.tcp("ro", &format!("{at} sslmode=verify-ca {}", cluster.root("ca.crt")))).await.close().await;
    let error = fails(&cluster.tcp("ro", &format!("{at} sslmode=verify-full {}", cluster.root("ca.crt")))).await;
    assert!(told(&error).contains("subjectAltName=DNS:localhost"), "{}", told(&error));
}
