use super::*;
use std::os::unix::fs::PermissionsExt;

fn env() -> Environment {
    Environment { user: Some("me".to_owned()), ..Environment::empty() }
}

/// Tells a result in one line: `user:password@host(address):port/database` and what is not the default.
fn tell(text: &str) -> String {
    match Conninfo::parse(text, &env()) {
        Err(error) => format!("error: {error}"),
        Ok(info) => {
            let password = info.password(0).map_or(String::new(), |p| format!(":{}", p.expose_secret()));
            let hosts: Vec<String> = info
                .hosts
                .iter()
                .map(|h| match h.address {
                    Some(address) if h.host.to_string() != address.to_string() => format!("{h}({address})"),
                    _ => h.to_string(),
                })
                .collect();
            let mut line = format!("{}{password}@{}/{}", info.user, hosts.join(","), info.database);
            if info.tls.mode != SslMode::Prefer {
                line += &format!(" {}", info.tls.mode.name());
            }
            if let Some(name) = &info.application_name {
                line += &format!(" app={name}");
            }
            if let Some(options) = &info.options {
                line += &format!(" options={options}");
            }
            line
        }
    }
}

/// The URI behaviors are those of PostgreSQL's `src/interfaces/libpq/t/001_uri.pl`.
#[test]
fn strings_are_read_as_libpq_reads_them() {
    let cases: &[(&str, &str)] = &[
        ("postgresql://ann:secret@host:7000/db", "ann:secret@host:7000/db"),
        ("postgresql://ann@host:7000/db", "ann@host:7000/db"),
        ("postgresql://ann@host/db", "ann@host:5432/db"),
        ("postgresql://host:7000/db", "me@host:7000/db"),
        ("postgresql://host/db", "me@host:5432/db"),
        ("postgresql://ann@host:7000/", "ann@host:7000/ann"),
        ("postgresql://ann@host/", "ann@host:5432/ann"),
        ("postgresql://ann@", "ann@/var/run/postgresql:5432/ann"),
        ("postgresql://host:7000/", "me@host:7000/me"),
        ("postgresql://host:7000", "me@host:7000/me"),
        ("postgresql://host/", "me@host:5432/me"),
        ("postgresql://host", "me@host:5432/me"),
        ("postgresql://", "me@/var/run/postgresql:5432/me"),
        ("postgresql://?hostaddr=127.0.0.1", "me@127.0.0.1:5432/me"),
        ("postgresql://example.com?hostaddr=63.1.2.4", "me@example.com:5432(63.1.2.4)/me"),
        ("postgresql://%68ost/", "me@host:5432/me"),
        ("postgresql://host/db?user=ann", "ann@host:5432/db"),
        ("postgresql://host/db?user=ann&port=7000", "ann@host:7000/db"),
        ("postgresql://host/db?u%73er=bob&port=7000", "bob@host:7000/db"),
        ("postgresql://host:7000?user=ann", "ann@host:7000/ann"),
        ("postgresql://host?", "me@host:5432/me"),
        ("postgresql://[::1]:7000/db", "me@[::1]:7000/db"),
        ("postgresql://[::1]/db", "me@[::1]:5432/db"),
        ("postgresql://[2001:db8::1234]/", "me@[2001:db8::1234]:5432/me"),
        ("postgresql://[200z:db8::1234]/", "me@[200z:db8::1234]:5432/me"),
        ("postgres://%2fvar%2flib%2fpg/db", "me@/var/lib/pg:5432/db"),
        ("postgres://host1:1,host2:2,[::1]:3/db", "me@host1:1,host2:2,[::1]:3/db"),
        ("postgres://host1,host2:2/db", "me@host1:5432,host2:2/db"),
        ("postgres:///db?host=/path/to/socket/dir", "me@/path/to/socket/dir:5432/db"),
        ("postgres://user%40corp:p%40%2F%3A@h/db", "user@corp:p@/:@h:5432/db"),
        ("postgres://u:p?q@h/db", "u:p?q@h:5432/db"),
        ("postgres://u:@h/db", "u@h:5432/db"),
        ("postgres://:pw@h/db", "me:pw@h:5432/db"),
        ("postgres://h/db?ssl=true", "me@h:5432/db require"),
        ("postgres://h/db?sslmode=verify-full&application_name=a%20b", "me@h:5432/db verify-full app=a b"),
        ("postgres://h/db?options=-c%20geqo%3Doff", "me@h:5432/db options=-c geqo=off"),
        ("postgres://h/db?sslrootcert=system", "me@h:5432/db verify-full"),
        ("postgres://h/%E2%98%83", "me@h:5432/☃"),
        ("postgres://@h", "me@h:5432/me"),
        ("postgres://h:/d", "me@h:5432/d"),
        ("postgres://:7/d", "me@/var/run/postgresql:7/d"),
        ("postgres://u@:7?host=/s", "u@/s:7/u"),
        ("postgres://u@/?host=/s", "u@/s:5432/u"),
        ("postgres:///d", "me@/var/run/postgresql:5432/d"),
        ("host=h dbname=d user=u password=p port=7", "u:p@h:7/d"),
        ("  host = h   dbname  =  'my db'  ", "me@h:5432/my db"),
        ("password='it\\'s \\\\ ok' host=h", "me:it's \\ ok@h:5432/me"),
        ("password=a\\ b host=h", "me:a b@h:5432/me"),
        ("host=h password=''", "me@h:5432/me"),
        ("host=h user='a'dbname=d", "a@h:5432/d"),
        ("host=h dbname=one dbname=two", "me@h:5432/two"),
        ("host=a,b port=1,2", "me@a:1,b:2/me"),
        ("host=a,b port=9", "me@a:9,b:9/me"),
        ("host=a, port=1,", "me@a:1,/var/run/postgresql:5432/me"),
        ("hostaddr=127.0.0.1 host=localhost", "me@localhost:5432(127.0.0.1)/me"),
        ("hostaddr=::1,127.0.0.1", "me@[::1]:5432,127.0.0.1:5432/me"),
        ("host=/tmp hostaddr=127.0.0.1", "me@127.0.0.1:5432/me"),
        ("host=h fallback_application_name=f", "me@h:5432/me app=f"),
        ("host=h client_encoding=LATIN1 krbsrvname=x gssencmode=prefer", "me@h:5432/me"),
    ];
    for (text, expected) in cases {
        assert_eq!(tell(text), *expected, "{text}");
    }
}

#[test]
fn mistakes_are_told_by_position_and_never_quoted() {
    let cases: &[(&str, &str)] = &[
        ("", "is empty"),
        ("mysql://h/db", "another scheme"),
        ("postgres://h/db?sslmod=require", "unknown parameter `sslmod` at character 17"),
        ("postgres://h/db?uzzer=hunter2", "unknown parameter at character 17"),
        ("postgres://h/db?uzzer", "lacks a `=`"),
        ("postgres://h/db?user=a=b", "two `=`"),
        ("postgres://u:hunter2%zz@h/db", "`%`"),
        ("postgres://h/db%00", "`%`"),
        ("postgres://h/db%2", "`%`"),
        ("postgre://", "another scheme"),
        ("postgres://%", "`%`"),
        ("postgres://h?hunter2&x=1", "lacks a `=`"),
        ("postgres://[::1/db", "IPv6"),
        ("postgres://[]/db", "IPv6"),
        ("postgres://[::1]z/db", "IPv6"),
        ("postgres://u:hunter2/x@h/db", "port that is not a number"),
        ("postgres://u:4711/hunter2@h/db", "`@`"),
        ("postgres://u:p@hunter2@h/db", "`@`"),
        ("host=h password=my hunter2", "lacks a `=`"),
        ("host=h password=my hunter2=1", "unknown parameter at"),
        ("host=h password='hunter2", "never closed"),
        ("hunter2", "lacks a `=`"),
        ("=hunter2", "unknown parameter at"),
        ("host=h port=70000", "`port`"),
        ("host=h port=0", "`port`"),
        ("host=h port=x", "`port`"),
        ("host=a,b port=1,2,3", "2 hosts and 3 values of `port`"),
        ("host=a,b hostaddr=127.0.0.1", "2 hosts and 1 values of `hostaddr`"),
        ("hostaddr=hunter2", "`hostaddr`"),
        ("host=h sslmode=verify", "`sslmode`"),
        ("host=h sslmode=require sslrootcert=system", "does not go with sslmode=require"),
        ("host=h sslnegotiation=direct", "does not go with sslmode=prefer"),
        ("host=h gssencmode=require", "`gssencmode` is not supported"),
        ("host=h require_auth=scram-sha-256", "`require_auth` is not supported"),
        ("host=h connect_timeout=soon", "`connect_timeout`"),
        ("host=h target_session_attrs=master", "`target_session_attrs`"),
        ("host=@abstract", "`host` is not supported"),
    ];
    for (text, expected) in cases {
        let told = tell(text);
        assert!(told.starts_with("error: ") && told.contains(expected), "{text}: {told}");
        let error = Conninfo::parse(text, &env()).expect_err("is a mistake");
        let all = format!("{error:?} {}", error.reports()[0]);
        assert!(!all.contains("hunter2"), "{all}");
    }
}

#[test]
fn a_typing_error_gets_the_nearest_name() {
    let error = Conninfo::parse("hots=h", &env()).expect_err("unknown");
    assert_eq!(error.reports()[0].hint.as_deref(), Some("Did you mean `host`?"));
}

#[test]
fn variables_fill_in_what_the_string_leaves_out() {
    let env = env()
        .with("PGHOST", "envhost")
        .with("PGPORT", "6000")
        .with("PGUSER", "envuser")
        .with("PGPASSWORD", "envpass")
        .with("PGDATABASE", "envdb")
        .with("PGSSLMODE", "require")
        .with("PGCONNECT_TIMEOUT", "7")
        .with("PGTARGETSESSIONATTRS", "standby")
        .with("PGCHANNELBINDING", "require");
    let info = Conninfo::parse("env", &env).expect("all from the environment");
    assert_eq!(info.describe(), "envuser@envhost:6000/envdb");
    assert_eq!(info.password(0).expect("set").expose_secret(), "envpass");
    assert_eq!(info.connect_timeout, Some(Duration::from_secs(7)));
    assert_eq!(info.target_session_attrs, TargetSessionAttrs::Standby);
    assert_eq!(info.channel_binding, ChannelBinding::Require);
    let info = Conninfo::parse("postgres://me@here/db?port=1", &env).expect("mixed");
    assert_eq!(info.describe(), "me@here:1/db");
    assert_eq!(info.tls.mode, SslMode::Require);
    let info = Conninfo::parse("host='' user=u", &env).expect("an empty value hides the variable");
    assert_eq!(info.describe(), "u@/var/run/postgresql:6000/envdb");
}

#[test]
fn pgpass_takes_the_first_line_that_fits() {
    let home = tempfile::tempdir().expect("temp dir");
    let path = home.path().join(".pgpass");
    let text = "# comment\nshort:line\nh\\:x:1:d:u:colon\\:and\\\\back\nh:5432:d:u:one\nh:*:*:u:two\n\
                localhost:*:*:*:local\n*:*:*:*:any\n";
    std::fs::write(&path, text).expect("write");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    let env = Environment { home: Some(home.path().to_owned()), ..env() };
    let password = |text: &str| {
        let info = Conninfo::parse(text, &env).expect("parses");
        assert!(info.warnings().is_empty(), "{:?}", info.warnings());
        info.password(0).map(|password| password.expose_secret().to_owned()).unwrap_or_default()
    };
    assert_eq!(password("host=h user=u dbname=d"), "one");
    assert_eq!(password("host=h user=u dbname=other"), "two");
    assert_eq!(password("host=h user=v dbname=d"), "any");
    assert_eq!(password("user=v"), "local");
    assert_eq!(password("host=/elsewhere"), "any");
    assert_eq!(password("host=h user=u dbname=d password=own"), "own");
    assert_eq!(password("host='h:x' port=1 dbname=d user=u"), "colon:and\\back");
    let info = Conninfo::parse("host=h user=u dbname=d", &env).expect("parses");
    assert_eq!(info.with_database("e").password(0).expect("found").expose_secret(), "two");
}

#[test]
fn pgpass_that_others_may_read_is_ignored_with_a_warning() {
    let home = tempfile::tempdir().expect("temp dir");
    let path = home.path().join(".pgpass");
    std::fs::write(&path, "*:*:*:*:hunter2\n").expect("write");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
    let env = Environment { home: Some(home.path().to_owned()), ..env() };
    let info = Conninfo::parse("host=h", &env).expect("parses");
    assert!(info.password(0).is_none());
    assert!(info.warnings()[0].contains("chmod 600"), "{:?}", info.warnings());
}

#[test]
fn a_service_gives_what_the_string_does_not_and_beats_variables() {
    let home = tempfile::tempdir().expect("temp dir");
    let file = home.path().join(".pg_service.conf");
    let text =
        "# services\n[other]\nhost=wrong\n\n[shop]\n  host=prod  \nport=6432\nuser=svc\nhost=second\n[last]\nuser=z\n";
    std::fs::write(&file, text).expect("write");
    let env = Environment { home: Some(home.path().to_owned()), ..env() }.with("PGUSER", "envuser");
    let info = Conninfo::parse("service=shop dbname=d", &env).expect("parses");
    assert_eq!(info.describe(), "svc@prod:6432/d");
    let info = Conninfo::parse("postgres://u@/?service=shop", &env).expect("parses");
    assert_eq!(info.describe(), "u@prod:6432/u");
    let info = Conninfo::parse("dbname=d", &env.clone().with("PGSERVICE", "last")).expect("parses");
    assert_eq!(info.user, "z");
    let error = Conninfo::parse("service=none", &env).expect_err("no such service");
    assert!(matches!(error, ConninfoError::ServiceMissing { .. }));
    std::fs::write(&file, "[shop]\nhots=x\n").expect("write");
    let error = Conninfo::parse("service=shop", &env).expect_err("unknown key");
    assert!(matches!(error, ConninfoError::ServiceKey { line: 2, nearest: "host", .. }), "{error:?}");
    let error = Conninfo::parse("service=shop", &env.with("PGSERVICEFILE", "/nowhere")).expect_err("missing");
    assert!(matches!(error, ConninfoError::ServiceFileMissing { .. }));
}

#[test]
fn the_system_service_file_is_second() {
    let system = tempfile::tempdir().expect("temp dir");
    std::fs::write(system.path().join("pg_service.conf"), "[shop]\nhost=sys\n").expect("write");
    let env = env().with("PGSYSCONFDIR", system.path().to_str().expect("utf-8"));
    assert_eq!(Conninfo::parse("service=shop", &env).expect("parses").describe(), "me@sys:5432/me");
}

#[test]
fn nothing_printable_holds_the_password() {
    let info = Conninfo::parse("postgres://u:hunter2@h/d", &env()).expect("parses");
    assert_eq!(info.describe(), "u@h:5432/d");
    assert!(!format!("{info:?} {info} {:?}", info.hosts).contains("hunter2"));
}

#[test]
fn children_get_the_host_in_use_and_no_options() {
    let text = "postgres://u:pw@h1:1,h2:2/d?sslmode=verify-ca&sslrootcert=/r.pem&options=-cgeqo%3Doff";
    let info = Conninfo::parse(text, &env()).expect("parses");
    let find = |info: &Conninfo, name: &str| {
        let variables = info.child_environment();
        variables.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_string().expect("utf-8"))
    };
    assert_eq!(find(&info, "PGHOST").as_deref(), Some("h1,h2"));
    assert_eq!(find(&info, "PGPORT").as_deref(), Some("1,2"));
    let pinned = info.pin(1).with_database("e");
    assert_eq!(find(&pinned, "PGHOST").as_deref(), Some("h2"));
    assert_eq!(find(&pinned, "PGPORT").as_deref(), Some("2"));
    assert_eq!(find(&pinned, "PGDATABASE").as_deref(), Some("e"));
    assert_eq!(find(&pinned, "PGPASSWORD").as_deref(), Some("pw"));
    assert_eq!(find(&pinned, "PGSSLMODE").as_deref(), Some("verify-ca"));
    assert_eq!(find(&pinned, "PGSSLROOTCERT").as_deref(), Some("/r.pem"));
    assert_eq!(find(&pinned, "PGOPTIONS"), None);
}
