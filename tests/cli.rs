//! The program as a shell sees it: output, exit codes, colors, pipes. Needs no server.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::Read as _;
use std::process::{Command, Output, Stdio};

/// The program in an empty directory, with nothing of this shell that changes its output.
fn restage(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restage"));
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RESTAGE_CONFIG", "RESTAGE_KEY"] {
        command.env_remove(variable);
    }
    command.args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> (i32, String, String) {
    told(&restage(args).output().expect("the program starts"))
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
    (output.status.code().expect("the program exits"), text(&output.stdout), text(&output.stderr))
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: not one JSON document: {text}"))
}

#[test]
fn help_names_every_command_and_exit_code() {
    let (code, out, err) = run(&["--help"]);
    assert_eq!((code, err.as_str()), (0, ""));
    for word in ["refresh", "rollback", "init-target", "Refresh staging:", "Global options:", "129", "143"] {
        assert!(out.contains(word), "{word} is missing in {out}");
    }
    for later in ["schedule", "history"] {
        assert!(!out.contains(later), "{later} does nothing yet");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
}

#[test]
fn every_command_has_help_with_an_example() {
    let commands = [
        "demo",
        "plan",
        "refresh",
        "verify",
        "releases",
        "rollback",
        "init-target",
        "doctor",
        "init",
        "discover",
        "snapshot",
        "load",
        "fixture",
        "explain",
        "kinds",
        "mask",
        "test",
        "completions",
        "man",
    ];
    for name in commands {
        let (code, out, _) = run(&[name, "--help"]);
        assert_eq!(code, 0, "{name}");
        assert!(out.contains("Examples:") && out.contains(&format!("restage {name}")), "{name}: {out}");
    }
}

#[test]
fn the_version_is_one_line_on_stdout() {
    let (code, out, err) = run(&["--version"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, format!("restage {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn no_command_shows_help_and_is_a_usage_error() {
    let (code, out, err) = run(&[]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("restage refresh"), "{err}");
}

#[test]
fn an_unknown_command_is_answered_with_the_nearest_one() {
    let (code, out, err) = run(&["refesh"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("'refresh'"), "{err}");
}

#[test]
fn usage_errors_are_documents_too() {
    let (code, out, err) = run(&["--json", "plan", "--wrong"]);
    let json = document(&out);
    assert_eq!((code, &json["exit"]), (2, &Value::from(2)));
    assert_eq!(json["error"][0]["code"], "usage::arguments");
    assert!(json["error"][0]["message"].as_str().is_some_and(|text| text.contains("--wrong")), "{json}");
    assert!(err.contains("--wrong"), "{err}");
}

#[test]
fn errors_are_one_document_on_stdout_and_words_on_stderr() {
    let (code, out, err) = run(&["kinds", "no-such-kind", "--json"]);
    let json = document(&out);
    assert_eq!((code, &json["exit"]), (2, &Value::from(2)));
    assert_eq!(json["error"][0]["code"], "usage::unknown-kind");
    assert!(err.starts_with("error[usage::unknown-kind]: "), "{err}");
    let (_, again, silent) = run(&["kinds", "no-such-kind", "--json", "-q"]);
    assert_eq!((again, silent.as_str()), (out, ""));
}

#[test]
fn without_json_an_error_leaves_stdout_empty() {
    let (code, out, err) = run(&["kinds", "no-such-kind"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("\n  hint:   "), "{err}");
}

#[test]
fn pipes_get_no_color_unless_it_is_asked_for() {
    let colored = |command: &mut Command| told(&command.output().expect("the program starts")).2.contains('\u{1b}');
    assert!(!colored(&mut restage(&["kinds", "nothing"])));
    assert!(colored(&mut restage(&["kinds", "nothing", "--color", "always"])));
    assert!(!colored(restage(&["kinds", "nothing", "--color=never"]).env("CLICOLOR_FORCE", "1")));
    assert!(!colored(restage(&["kinds", "nothing"]).env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1")));
    assert!(colored(&mut restage(&["--color", "always", "no-such-command"])));
}

#[test]
fn completions_exist_for_every_shell_and_bash_accepts_its_own() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, err) = run(&["completions", shell]);
        assert_eq!((code, err.as_str()), (0, ""), "{shell}");
        assert!(out.contains("init-target"), "{shell}");
    }
    let (_, script, _) = run(&["completions", "bash"]);
    let checked = Command::new("bash").args(["-n", "-c", &script]).output().expect("bash starts");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let out = dir.path().join("man1");
    let (code, listed, _) = run(&["man", "--out", out.to_str().expect("a UTF-8 path")]);
    assert_eq!(code, 0);
    assert!(listed.lines().all(|file| std::path::Path::new(file).exists()), "{listed}");
    assert!(out.join("restage-key-new.1").exists());
    let (code, page, _) = run(&["man"]);
    assert_eq!(code, 0);
    assert!(page.contains(".TH RESTAGE 1"), "{page}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut command = restage(&["completions", "bash"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    drop(child.stdout.take());
    let status = child.wait().expect("the program ends");
    let mut err = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("UTF-8");
    assert_eq!((status.code(), err.as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is_an_error() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
    let output = restage(&["completions", "bash"]).stdout(full).output().expect("the program starts");
    let (code, _, err) = told(&output);
    assert_eq!(code, 1);
    assert!(err.contains("error[internal::output]"), "{err}");
}

#[test]
fn memory_and_color_are_checked_before_anything_runs() {
    for args in [["--memory", "12 parsecs"], ["--memory", "1MiB"], ["--color", "blue"], ["--log-format", "xml"]] {
        let (code, _, err) = run(&[args[0], args[1], "kinds"]);
        assert_eq!(code, 2, "{args:?}: {err}");
    }
    assert_eq!(run(&["-q", "-v", "kinds"]).0, 2);
}

#[test]
fn a_new_key_goes_to_a_private_file_and_its_id_to_stdout() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("restage.key");
    let path = file.to_str().expect("a UTF-8 path");
    let (code, out, err) = run(&["key", "new", "--out", path, "--json"]);
    assert_eq!(code, 0, "{err}");
    let key = std::fs::read_to_string(&file).expect("the key file");
    assert!(key.starts_with("mk1-") && !out.contains(key.trim_end()) && !err.contains(key.trim_end()));
    assert_eq!(document(&out)["id"].as_str().map(str::len), Some(16));
    let (code, _, err) = run(&["key", "new", "--out", path]);
    assert_eq!(code, 2);
    assert!(err.contains("exists already"), "{err}");
    assert_eq!(std::fs::read_to_string(&file).expect("the key file"), key);
}

#[test]
fn key_id_and_check_read_the_key_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("restage.key");
    let path = file.to_str().expect("a UTF-8 path");
    let (_, made, _) = run(&["key", "new", "--out", path, "--json"]);
    let id = document(&made)["id"].as_str().expect("an id").to_owned();
    assert_eq!(run(&["key", "id", "--key-file", path]), (0, format!("{id}\n"), String::new()));
    let (code, out, _) = run(&["key", "check", "--key-file", path]);
    assert_eq!(code, 0);
    assert!(out.contains("The key is whole") && out.contains(&id), "{out}");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("chmod");
    let (code, _, err) = run(&["key", "check", "--key-file", path]);
    assert_eq!(code, 2);
    assert!(err.contains("error[key::permissions]") && err.contains("chmod 600"), "{err}");
}

#[test]
fn a_new_key_on_stdout_is_nothing_but_the_key() {
    let (code, out, err) = run(&["key", "new"]);
    assert_eq!(code, 0);
    assert_eq!((out.len(), out.lines().count(), &out[..4]), (78, 1, "mk1-"));
    assert!(err.contains("Keep it like a password") && !err.contains("mk1-"), "{err}");
}

#[test]
fn a_missing_configuration_is_a_usage_error_that_names_the_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (code, out, err) = told(&restage(&["key", "id"]).current_dir(&dir).output().expect("the program starts"));
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("restage.toml"), "{err}");
    let output = restage(&["key", "id"]).current_dir(&dir).env("RESTAGE_CONFIG", "other.toml").output();
    assert!(told(&output.expect("the program starts")).2.contains("other.toml"));
}

/// Waits until the process handles SIGINT and SIGTERM itself.
fn wait_for_handlers(pid: u32) {
    for _ in 0..500 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        if caught & (1 << 1) != 0 && caught & (1 << 14) != 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the process never handled its signals");
}

#[test]
fn signals_end_a_command_with_their_exit_codes() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    // A key command that takes its time, as one that asks a vault.
    let config = "version = 1\n[source]\nurl = \"postgres://host/db\"\n[key]\ncommand = [\"sleep\", \"3\"]\n";
    std::fs::write(dir.path().join("restage.toml"), config).expect("a file");
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut command = restage(&["key", "id"]);
        let command = command.current_dir(&dir).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().expect("the program starts");
        wait_for_handlers(child.id());
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id")).expect("not 0");
        kill_process(pid, signal).expect("our own process");
        let (ended, out, _) = told(&child.wait_with_output().expect("the program ends"));
        assert_eq!((ended, out.as_str()), (code, ""));
    }
}

#[test]
fn a_failed_cron_run_tells_its_story_on_stderr() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let output = restage(&["refresh", "--cron"]).current_dir(&dir).output().expect("the program starts");
    let (code, out, err) = told(&output);
    assert!(code != 0 && out.is_empty() && err.contains("error["), "{code} {out} {err}");
}

/// A file with the published test key, whose masks the documentation gives.
fn test_key(dir: &tempfile::TempDir) -> String {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = dir.path().join("test.key");
    let digits: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path).expect("a new file");
    file.write_all(format!("mk1-{digits}-4a78b3a6\n").as_bytes()).expect("written");
    path.to_str().expect("a UTF-8 path").to_owned()
}

#[test]
fn mask_gives_the_documented_values_from_arguments_and_from_stdin() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = test_key(&dir);
    let args = ["mask", "int", "--label", "public.users.id", "--key-file", &key, "--allow-test-key"];
    let mut with_values = args.to_vec();
    with_values.extend(["1", "2", "42", "-1"]);
    assert_eq!(run(&with_values), (0, "27671\n922\n3974\n-25185\n".to_owned(), String::new()));

    let mut child = restage(&args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), b"1\n2\n").expect("written");
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(told(&output).1, "27671\n922\n");

    let shift =
        ["mask", "date.shift", "2020-01-31", "--subject", "42", "--key-file", &key, "--allow-test-key", "--json"];
    let json = document(&run(&shift).1);
    assert_eq!((&json["kind"], &json["values"][0]), (&Value::from("date.shift/1"), &Value::from("2020-02-08")));
    assert_eq!(json["key_id"], "da7ed64a2bd1b44b");
}

#[test]
fn mask_refuses_without_repeating_the_value() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = test_key(&dir);
    let common = ["--key-file", key.as_str(), "--allow-test-key"];
    let cases: [(&[&str], &str); 4] = [
        (&["mask", "int", "7", "canary-4711"], "value 2 cannot be masked"),
        (&["mask", "date.shift", "1990-01-01"], "--subject 42"),
        (&["mask", "email", "canary-4711", "--param", "no_such=1"], "restage kinds email/1"),
        (&["mask", "emial", "canary-4711"], "Did you mean email?"),
    ];
    for (args, expected) in cases {
        let (code, out, err) = run(&[args, &common].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(expected) && !err.contains("canary"), "{err}");
    }
    let (code, _, err) = run(&["mask", "email", "x", "--key-file", &key]);
    assert_eq!(code, 2);
    assert!(err.contains("error[key::test-key]"), "{err}");
}

#[test]
fn every_kind_is_listed_and_described() {
    let json = document(&run(&["kinds", "--json"]).1);
    let kinds = json["kinds"].as_array().expect("a list");
    assert!(kinds.len() > 10);
    for kind in kinds {
        let name = kind["name"].as_str().expect("a name");
        let (code, out, _) = run(&["kinds", name]);
        assert_eq!(code, 0, "{name}");
        assert!(out.starts_with(name) && out.contains("  holds"), "{out}");
    }
}

#[test]
fn every_kind_is_shown_by_an_example_that_works() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = dir.path().join("restage.key");
    let key = key.to_str().expect("a UTF-8 path");
    assert_eq!(run(&["key", "new", "--out", key]).0, 0);
    let (_, list, _) = run(&["kinds", "--json"]);
    for kind in document(&list)["kinds"].as_array().expect("a list") {
        let name = kind["name"].as_str().expect("a name");
        let (_, text, _) = run(&["kinds", name]);
        let example = text.lines().find_map(|line| line.trim_start().strip_prefix("try")).expect("an example");
        let script = example.trim_start().replacen("restage", env!("CARGO_BIN_EXE_restage"), 1);
        let script = format!("{script} --key-file '{key}'");
        let (code, out, err) = told(&Command::new("sh").args(["-c", &script]).output().expect("sh starts"));
        assert_eq!((code, err.as_str()), (0, ""), "{script}");
        assert!(!out.trim().is_empty(), "{script}");
    }
}

#[test]
fn the_reference_of_kinds_is_what_the_program_prints() {
    let page = include_str!("../samples/kinds.md");
    let (code, out, _) = run(&["kinds", "--markdown"]);
    assert_eq!(code, 0);
    assert!(out == page, "restage kinds --markdown >samples/kinds.md");
}

#[test]
fn mask_stops_at_the_first_signal_while_it_masks_one_long_value() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = dir.path().join("restage.key");
    let key = key.to_str().expect("a UTF-8 path");
    assert_eq!(run(&["key", "new", "--out", key]).0, 0);
    let mut child = Command::new(env!("CARGO_BIN_EXE_restage"))
        .args(["mask", "pattern", "--key-file", key])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("restage starts");
    // One line that takes much longer than a signal.
    let line = vec![b'7'; 32 << 20];
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), &line).expect("written");
    std::thread::sleep(std::time::Duration::from_secs(2));
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
    let ended = loop {
        match child.try_wait().expect("a child of ours") {
            Some(status) => break Some(status),
            None if std::time::Instant::now() > until => break None,
            None => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    };
    if ended.is_none() {
        child.kill().expect("killed");
    }
    let out = child.wait_with_output().expect("ended");
    assert_eq!(ended.and_then(|status| status.code()), Some(143), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stdout.is_empty());
}
