//! The master key's way into the process, and what keeps it there.
//!
//! Only transport: the mask core parses the text. Nothing here has a `Debug` or an error that holds a byte of a key.
//! Call [`harden_process`] before [`load`]. Source: MASKING section on keys.

use crate::config::KeySource;
use crate::error::{Diagnose, Exit, Report};
use rustix::fs::{Mode, OFlags};
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Longest key text; real ones are under 100 bytes.
const KEY_BYTES_MAX: usize = 4096;

/// How long a key command may take; a vault with a login is slow, a hanging one must not hold a night's run.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a key command is asked whether it has ended after it closed its output.
const COMMAND_POLL: Duration = Duration::from_millis(10);

/// A key as it came, for the mask core to parse.
pub enum KeyMaterial {
    /// The text of a key file, without surrounding white space.
    Text(Zeroizing<String>),
    /// A fresh key for this run alone; never written or printed.
    Ephemeral(Zeroizing<[u8; 32]>),
}

/// A key and what the user should know about where it came from.
pub struct LoadedKey {
    pub material: KeyMaterial,
    pub warning: Option<String>,
}

/// Why there is no key. Never holds its content.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("key file {} cannot be opened", path.display())]
    Open { path: PathBuf, source: std::io::Error },
    #[error("key file {} is a symbolic link", path.display())]
    Symlink { path: PathBuf },
    #[error("key file {} is not a regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("key file {} belongs to another user (uid {uid})", path.display())]
    Owner { path: PathBuf, uid: u32 },
    #[error("key file {} can be read by others (mode {mode:04o})", path.display())]
    Permissions { path: PathBuf, mode: u32 },
    #[error("key file {} exists already", path.display())]
    Exists { path: PathBuf },
    #[error("key file {} cannot be written", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("file descriptor {fd} cannot be read as a key")]
    Descriptor { fd: i32, source: std::io::Error },
    #[error("environment variable {name} is not set")]
    Variable { name: String },
    #[error("key command is empty")]
    NoCommand,
    #[error("key command `{program}` cannot be started")]
    Start { program: String, source: std::io::Error },
    #[error("key command `{program}` ended with {status}")]
    Command { program: String, status: String },
    #[error("key command `{program}` gave no key within {seconds} s")]
    CommandTimeout { program: String, seconds: u64 },
    #[error("{origin} cannot be read")]
    Read { origin: String, source: std::io::Error },
    #[error("{origin} holds more than {KEY_BYTES_MAX} bytes, which is no key")]
    TooLong { origin: String },
    #[error("{origin} is empty")]
    Empty { origin: String },
    #[error("{origin} is not text")]
    NotText { origin: String },
    #[error("the operating system gives no random bytes")]
    Random { reason: String },
    #[error("the process cannot be protected against core dumps and debuggers")]
    Harden { source: std::io::Error },
}

impl KeyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Open { .. } | Self::Read { .. } => "key::unreadable",
            Self::Symlink { .. } | Self::NotAFile { .. } => "key::not-a-file",
            Self::Owner { .. } | Self::Permissions { .. } => "key::permissions",
            Self::Exists { .. } => "key::exists",
            Self::Write { .. } => "key::write",
            Self::Descriptor { .. } => "key::descriptor",
            Self::Variable { .. } => "key::variable",
            Self::NoCommand | Self::Start { .. } | Self::Command { .. } => "key::command",
            Self::CommandTimeout { .. } => "key::command-timeout",
            Self::TooLong { .. } | Self::Empty { .. } | Self::NotText { .. } => "key::malformed",
            Self::Random { .. } => "key::random",
            Self::Harden { .. } => "key::harden",
        }
    }

    fn hint(&self) -> Option<String> {
        let quoted = |path: &Path| path.display().to_string();
        Some(match self {
            Self::Open { path, source } if source.kind() == std::io::ErrorKind::NotFound => {
                format!("Make one: restage key new --out {}", quoted(path))
            }
            Self::Open { path, .. } => format!("ls -l {}", quoted(path)),
            Self::Symlink { path } => format!("Name the file itself: readlink -f {}", quoted(path)),
            Self::NotAFile { .. } => "Use `fd = N` or `command = […]` in [key] for keys that are not files.".to_owned(),
            Self::Owner { path, .. } => format!("chown \"$(id -un)\" {}", quoted(path)),
            Self::Permissions { path, .. } => format!("chmod 600 {}", quoted(path)),
            Self::Exists { path } => {
                format!("A new key makes all pseudonyms new. To really replace it, move {} away first.", quoted(path))
            }
            Self::Write { path, .. } => format!("ls -ld {}", quoted(path.parent().unwrap_or(Path::new(".")))),
            Self::Descriptor { fd, .. } => format!("Open it in the shell: restage refresh {fd}< restage.key"),
            Self::Variable { name } => {
                format!("export {name}=\"$(cat restage.key)\"     # or name the `file` itself in [key]")
            }
            Self::NoCommand => "Write it like `command = [\"vault\", \"read\", \"-field=key\", \"…\"]`.".to_owned(),
            Self::Start { .. } => "It runs without a shell, with PATH and HOME only; name it in full.".to_owned(),
            Self::Command { .. } | Self::CommandTimeout { .. } => {
                "Run it by hand with `env -i PATH=\"$PATH\" HOME=\"$HOME\" …`; nothing else is passed on.".to_owned()
            }
            Self::Empty { .. } | Self::TooLong { .. } | Self::NotText { .. } => {
                "It must be the text that `restage key new` writes.".to_owned()
            }
            Self::Read { .. } | Self::Random { .. } | Self::Harden { .. } => return None,
        })
    }
}

impl Diagnose for KeyError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn reports(&self) -> Vec<Report> {
        let mut report = Report::new(self.code(), self.to_string());
        report.detail = match self {
            Self::Random { reason } => Some(reason.clone()),
            _ => std::error::Error::source(self).map(ToString::to_string),
        };
        report.hint = self.hint();
        vec![report]
    }
}

/// Forbids core dumps and debuggers, so that the key cannot be read from outside.
///
/// # Errors
/// [`KeyError::Harden`] if the system refuses.
pub fn harden_process() -> Result<(), KeyError> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let refused = |errno: rustix::io::Errno| KeyError::Harden { source: errno.into() };
    rustix::process::setrlimit(Resource::Core, none).map_err(refused)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused)
}

/// Reads the key text from where the configuration says. Blocks: up to 30 s for a command.
///
/// `variable` looks up an environment variable.
///
/// # Errors
/// [`KeyError`] if the source is missing, unsafe, empty, too long or not text.
pub fn load(source: &KeySource, variable: &dyn Fn(&str) -> Option<String>) -> Result<LoadedKey, KeyError> {
    let mut warning = None;
    let text = match source {
        KeySource::File(path) => from_file(path)?,
        KeySource::Fd(fd) => from_descriptor(*fd)?,
        KeySource::Command(argv) => from_command(argv, variable, COMMAND_TIMEOUT)?,
        KeySource::Env(name) => {
            let value = variable(name).map(Zeroizing::new);
            let value = value.ok_or_else(|| KeyError::Variable { name: name.clone() })?;
            warning = Some(format!(
                "the key is in the environment variable {name}, where other processes of this user can read it; \
                 `file`, `fd` and `command` in [key] are safer"
            ));
            trimmed(Zeroizing::new(value.as_bytes().to_vec()), &format!("environment variable {name}"))?
        }
        KeySource::Ephemeral => {
            let mut key = Zeroizing::new([0; 32]);
            getrandom::fill(key.as_mut()).map_err(|error| KeyError::Random { reason: error.to_string() })?;
            return Ok(LoadedKey { material: KeyMaterial::Ephemeral(key), warning: None });
        }
    };
    Ok(LoadedKey { material: KeyMaterial::Text(text), warning })
}

/// Writes a fresh key file that only its owner can read. An existing file is never touched.
///
/// # Errors
/// [`KeyError::Exists`], or [`KeyError::Write`]; a file that was begun is removed.
pub fn write_new(path: &Path, text: &str) -> Result<(), KeyError> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(|source| {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::AlreadyExists => KeyError::Exists { path },
            _ => KeyError::Write { path, source },
        }
    })?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|source| {
        // Half a key would be refused later; the name must be free for the next try.
        let _ = std::fs::remove_file(path);
        KeyError::Write { path: path.to_owned(), source }
    })
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    // Non-blocking, because opening a FIFO would wait for a writer before it can be refused.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| {
        let path = path.to_owned();
        match errno {
            rustix::io::Errno::LOOP => KeyError::Symlink { path },
            errno => KeyError::Open { path, source: errno.into() },
        }
    })?;
    let file = File::from(file);
    let metadata = file.metadata().map_err(|source| KeyError::Open { path: path.to_owned(), source })?;
    if !metadata.is_file() {
        return Err(KeyError::NotAFile { path: path.to_owned() });
    }
    let uid = metadata.uid();
    if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        return Err(KeyError::Owner { path: path.to_owned(), uid });
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(KeyError::Permissions { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    let origin = format!("key file {}", path.display());
    let bytes = read_key(file).map_err(|source| KeyError::Read { origin: origin.clone(), source })?;
    trimmed(bytes, &origin)
}

/// Reads a descriptor that the caller of the process opened. It is read through `/proc`, because taking over a number
/// as a file is something Rust calls unsafe; the descriptor itself stays open.
fn from_descriptor(fd: i32) -> Result<Zeroizing<String>, KeyError> {
    let failed = |source| KeyError::Descriptor { fd, source };
    if fd < 0 {
        return Err(failed(std::io::ErrorKind::InvalidInput.into()));
    }
    let file = File::open(format!("/proc/self/fd/{fd}")).map_err(failed)?;
    let bytes = read_key(file).map_err(failed)?;
    trimmed(bytes, &format!("file descriptor {fd}"))
}

fn from_command(
    argv: &[String],
    variable: &dyn Fn(&str) -> Option<String>,
    timeout: Duration,
) -> Result<Zeroizing<String>, KeyError> {
    let Some((program, arguments)) = argv.split_first().filter(|(program, _)| !program.is_empty()) else {
        return Err(KeyError::NoCommand);
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    for name in ["PATH", "HOME"] {
        if let Some(value) = variable(name) {
            command.env(name, value);
        }
    }
    // A group of its own, so that a timeout ends its children too.
    let mut child =
        command.process_group(0).spawn().map_err(|source| KeyError::Start { program: program.clone(), source })?;
    let result = wait_for_key(&mut child, program, timeout);
    if result.is_err() {
        end_group(&mut child);
    }
    result
}

fn wait_for_key(child: &mut Child, program: &str, timeout: Duration) -> Result<Zeroizing<String>, KeyError> {
    let late = || KeyError::CommandTimeout { program: program.to_owned(), seconds: timeout.as_secs() };
    let origin = format!("output of key command `{program}`");
    let deadline = Instant::now() + timeout;
    let (send, receive) = mpsc::channel();
    let stdout = child.stdout.take().expect("stdout is piped");
    std::thread::spawn(move || send.send(read_key(stdout)));
    let bytes = receive.recv_timeout(timeout).map_err(|_| late())?;
    let bytes = bytes.map_err(|source| KeyError::Read { origin: origin.clone(), source })?;
    if bytes.len() > KEY_BYTES_MAX {
        return Err(KeyError::TooLong { origin });
    }
    let status = loop {
        match child.try_wait().map_err(|source| KeyError::Read { origin: origin.clone(), source })? {
            Some(status) => break status,
            None if Instant::now() >= deadline => return Err(late()),
            None => std::thread::sleep(COMMAND_POLL),
        }
    };
    if !status.success() {
        return Err(KeyError::Command { program: program.to_owned(), status: status.to_string().replace(": ", " ") });
    }
    trimmed(bytes, &origin)
}

/// Ends a command of ours and everything it started.
fn end_group(child: &mut Child) {
    // An already reaped child has no group of ours any more.
    if let Ok(None) = child.try_wait() {
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
        let _ = child.wait();
    }
}

/// Reads up to one byte more than a key may have, into memory that is wiped and never moved.
fn read_key(from: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; KEY_BYTES_MAX + 1]);
    let mut from = from;
    let mut length = 0;
    while length < bytes.len() {
        match from.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Takes the white space off and checks that text is left.
fn trimmed(bytes: Zeroizing<Vec<u8>>, origin: &str) -> Result<Zeroizing<String>, KeyError> {
    let origin = || origin.to_owned();
    if bytes.len() > KEY_BYTES_MAX {
        return Err(KeyError::TooLong { origin: origin() });
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::NotText { origin: origin() })?.trim();
    if text.is_empty() {
        return Err(KeyError::Empty { origin: origin() });
    }
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn process(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn text(source: &KeySource) -> Result<String, KeyError> {
        load(source, &process).map(|key| match &key.material {
            KeyMaterial::Text(text) => text.to_string(),
            KeyMaterial::Ephemeral(_) => "ephemeral".to_owned(),
        })
    }

    fn command(argv: &[&str]) -> KeySource {
        KeySource::Command(argv.iter().map(|&arg| arg.to_owned()).collect())
    }

    #[test]
    fn a_new_key_file_is_private_and_read_back() {
        let folder = tempfile::tempdir().expect("temp dir");
        let path = folder.path().join("restage.key");
        write_new(&path, "restage-key:1:hunter2\n").expect("written");
        assert_eq!(std::fs::metadata(&path).expect("exists").mode() & 0o777, 0o600);
        assert_eq!(text(&KeySource::File(path.clone())).expect("read"), "restage-key:1:hunter2");
        assert!(matches!(write_new(&path, "other"), Err(KeyError::Exists { .. })));
        assert_eq!(text(&KeySource::File(path)).expect("unchanged"), "restage-key:1:hunter2");
    }

    #[test]
    fn unsafe_key_files_are_refused() {
        let folder = tempfile::tempdir().expect("temp dir");
        let path = folder.path().join("key");
        write_new(&path, "hunter2").expect("written");
        let link = folder.path().join("link");
        symlink(&path, &link).expect("linked");
        assert!(matches!(text(&KeySource::File(link)), Err(KeyError::Symlink { .. })));
        let directory = KeySource::File(folder.path().to_owned());
        assert!(matches!(text(&directory), Err(KeyError::NotAFile { .. })));
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("chmod");
        let error = text(&KeySource::File(path)).expect_err("too open");
        assert!(matches!(error, KeyError::Permissions { mode: 0o640, .. }));
        let report = error.reports()[0].to_string();
        assert!(report.starts_with("error[key::permissions]") && report.contains("chmod 600"), "{report}");
        assert!(!report.contains("hunter2"));
        let missing = text(&KeySource::File(folder.path().join("none"))).expect_err("missing");
        assert!(missing.reports()[0].hint.as_deref().is_some_and(|hint| hint.contains("restage key new")));
    }

    #[test]
    fn malformed_keys_are_refused_without_being_told() {
        let folder = tempfile::tempdir().expect("temp dir");
        for (name, content) in [("empty", " \n".to_owned()), ("long", "x".repeat(5000))] {
            let path = folder.path().join(name);
            write_new(&path, &content).expect("written");
            let error = text(&KeySource::File(path)).expect_err("refused");
            assert_eq!(error.reports()[0].code, "key::malformed");
        }
        let error = text(&command(&["printf", r"\377hunter2"])).expect_err("not text");
        assert!(!format!("{error:?} {}", error.reports()[0]).contains("hunter2\""));
    }

    #[test]
    fn a_descriptor_is_read() {
        let mut file = tempfile::tempfile().expect("temp file");
        file.write_all(b"of-descriptor\n").expect("written");
        assert_eq!(text(&KeySource::Fd(file.as_raw_fd())).expect("read"), "of-descriptor");
        assert!(matches!(text(&KeySource::Fd(9999)), Err(KeyError::Descriptor { fd: 9999, .. })));
    }

    #[test]
    fn a_command_runs_without_shell_and_environment() {
        assert_eq!(text(&command(&["printf", "%s", "a $HOME"])).expect("runs"), "a $HOME");
        let seen = text(&command(&["sh", "-c", "echo k; env | cut -d= -f1 | sort | tr '\\n' ' '"])).expect("runs");
        assert!(!seen.contains("CARGO"), "{seen}");
        assert!(matches!(text(&command(&[])), Err(KeyError::NoCommand)));
        assert!(matches!(text(&command(&["/no/such/program"])), Err(KeyError::Start { .. })));
        assert!(matches!(text(&command(&["false"])), Err(KeyError::Command { .. })));
        assert!(matches!(text(&command(&["yes"])), Err(KeyError::TooLong { .. })));
        assert!(matches!(text(&command(&["true"])), Err(KeyError::Empty { .. })));
    }

    #[test]
    fn a_hanging_command_is_ended() {
        let start = Instant::now();
        let argv: Vec<String> = ["sh", "-c", "sleep 20 & sleep 20"].map(str::to_owned).into();
        let result = from_command(&argv, &process, Duration::from_millis(200));
        assert!(matches!(result, Err(KeyError::CommandTimeout { .. })));
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_variable_warns_and_an_ephemeral_key_is_fresh() {
        let loaded = load(&KeySource::Env("K".to_owned()), &|_| Some(" key \n".to_owned())).expect("set");
        assert!(loaded.warning.is_some_and(|warning| warning.contains("variable K")));
        assert!(matches!(load(&KeySource::Env("K".to_owned()), &nothing), Err(KeyError::Variable { .. })));
        let fresh = || match &load(&KeySource::Ephemeral, &nothing).expect("random").material {
            KeyMaterial::Ephemeral(key) => **key,
            KeyMaterial::Text(_) => [0; 32],
        };
        assert_ne!(fresh(), fresh());
    }

    #[test]
    fn a_hardened_process_leaves_no_core() {
        harden_process().expect("allowed");
        assert_eq!(rustix::process::getrlimit(Resource::Core).current, Some(0));
        assert_eq!(rustix::process::dumpable_behavior().expect("readable"), DumpableBehavior::NotDumpable);
        // The key is read after this; /proc must still show the process its own descriptors.
        let mut file = tempfile::tempfile().expect("temp file");
        file.write_all(b"still").expect("written");
        assert_eq!(text(&KeySource::Fd(file.as_raw_fd())).expect("read"), "still");
    }
}
