use super::super::conninfo::Environment;
use super::*;

fn info(text: &str) -> Conninfo {
    let env = Environment { user: Some("me".to_owned()), ..Environment::empty() };
    Conninfo::parse(text, &env).expect("parses")
}

#[test]
fn settings_depend_on_the_version() {
    let old = local_settings(130_000, 2000);
    assert!(old.starts_with("SET LOCAL search_path = ''; SET LOCAL client_encoding = 'UTF8';"), "{old}");
    assert!(old.ends_with("SET LOCAL lock_timeout = 2000"), "{old}");
    assert!(!old.contains("transaction_timeout") && !old.contains("idle_session_timeout"), "{old}");
    assert!(local_settings(170_000, 0).contains("SET LOCAL transaction_timeout = 0"));
}

#[test]
fn a_missing_password_gives_the_line_for_pgpass() {
    let at = Endpoint::new(&info("host=::1 user=a:b dbname=shop"), 0);
    let message = "the server asks for a password and none is known".to_owned();
    let error = ConnectError::Authentication { at, sqlstate: None, message };
    let report = error.report(Side::Target);
    assert_eq!(report.code, "target::authentication");
    let expected = r"echo '\:\:1:5432:shop:a\:b:PASSWORD' >> ~/.pgpass && chmod 600 ~/.pgpass";
    assert_eq!(report.hint.as_deref(), Some(expected));
    assert_eq!(error.at(Side::Target).side.exit().code(), 5);
}

#[test]
fn a_password_file_that_is_ignored_or_has_another_name_is_told_in_the_hint() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("passwords");
    std::fs::write(&path, "*:*:*:*:secret\n").expect("write");
    let hint = |mode: u32| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod");
        let at = Endpoint::new(&info(&format!("host=db user=ro dbname=shop passfile='{}'", path.display())), 0);
        let error = ConnectError::Authentication { at, sqlstate: Some("28P01".to_owned()), message: String::new() };
        error.report(Side::Source).hint.expect("has a hint")
    };
    let ignored = hint(0o644);
    assert!(ignored.contains("is ignored: its mode 0644") && ignored.contains("chmod 600"), "{ignored}");
    assert!(!ignored.contains("~/.pgpass") && !ignored.contains("secret"), "{ignored}");
    let wrong = hint(0o600);
    assert!(wrong.contains(&format!("Its line in '{}': db:5432:shop:ro:PASSWORD", path.display())), "{wrong}");
}

#[test]
fn a_missing_hba_line_is_ready_to_paste() {
    let at = Endpoint::new(&info("host=db user=ro dbname='my shop' sslmode=require"), 0);
    let message = "no pg_hba.conf entry for host \"10.1.2.3\", user \"ro\", database \"shop\"".to_owned();
    let error = ConnectError::Authentication { at, sqlstate: Some("28000".to_owned()), message };
    let hint = error.report(Side::Source).hint.expect("has a hint");
    assert_eq!(hint, "Add to pg_hba.conf and reload: hostssl \"my shop\" ro 10.1.2.3/32 scram-sha-256");
}

#[tokio::test]
async fn nobody_listening_is_unreachable_on_every_host() {
    // Port 1 of the loopback address answers with a reset at once.
    let error = SourceSession::connect(&info("host=127.0.0.1,127.0.0.1 port=1 user=u"), "test").await.err();
    let error = error.expect("nobody listens");
    assert!(matches!(&error.error, ConnectError::All(errors) if errors.len() == 2), "{error}");
    let report = error.error.report(Side::Source);
    assert_eq!(report.code, "source::unreachable");
    assert!(error.error.is_transient());
}
