//! `key new`, `key id`, `key check`: makes and inspects keys; and the way every command gets its key.

use super::args::KeyCommand;
use super::{Context, Outcome};
use crate::config::{Config, KeyConfig, KeySource};
use crate::error::{Exit, Failure, Report};
use crate::mask::MasterKey;
use crate::mask::key::KeyError;
use crate::outcome::KeyInfo;
use crate::secret::{self, KeyMaterial};
use std::path::Path;
use zeroize::Zeroizing;

pub(super) async fn key(context: &Context, command: KeyCommand) -> Result<Outcome, Failure> {
    let (file, checked) = match command {
        KeyCommand::New { out } => return new(context, out.as_deref()),
        KeyCommand::Id(file) => (file, false),
        KeyCommand::Check(file) => (file, true),
    };
    let chosen = choose(context, file.key_file.as_deref())?;
    let loaded = load(&chosen.source, file.test.allow_test_key).await?;
    // Without --key-file the realm belongs to the answer; a bare file has none.
    let realm = file.key_file.is_none().then_some(chosen.realm);
    let (id, source) = (loaded.key.id(), describe(&chosen.source));
    Ok(Outcome::Key(KeyInfo { id, source, realm, warnings: loaded.warnings, checked, made: false }))
}

/// A key that was read, and what to tell about where it came from.
pub(super) struct Loaded {
    pub key: MasterKey,
    pub warnings: Vec<String>,
}

/// Reads a key from where the configuration says.
///
/// # Errors
/// [`Exit::Usage`] if there is none, if it is kept unsafely, or if it is not whole.
pub(super) async fn load(source: &KeySource, allow_test_key: bool) -> Result<Loaded, Failure> {
    secret::harden_process()?;
    let task = tokio::task::spawn_blocking({
        let source = source.clone();
        // A key command may take seconds.
        move || secret::load(&source, &|name| std::env::var(name).ok())
    });
    let loaded = task.await.map_err(|_| Failure::new(Exit::Internal, super::log::panic_report()))??;
    let key = match &loaded.material {
        KeyMaterial::Text(text) => MasterKey::parse(text, allow_test_key),
        KeyMaterial::Ephemeral(bytes) => MasterKey::from_bytes(bytes),
    };
    let key = key.map_err(|error| refused(error, source))?;
    Ok(Loaded { key, warnings: loaded.warning.into_iter().collect() })
}

/// The key file of the command line, else `[key]` of the configuration.
///
/// # Errors
/// [`Exit::Usage`] if the configuration has no key, or one that exists only during a refresh.
pub(super) fn choose(context: &Context, file: Option<&Path>) -> Result<KeyConfig, Failure> {
    if let Some(file) = file {
        return Ok(KeyConfig { source: KeySource::File(file.to_owned()), realm: "default".to_owned() });
    }
    let config = Config::load(&context.config, &|name| std::env::var(name).ok())?;
    let Some(key) = config.key else {
        let report = Report::new("key::none", format!("{} has no [key]", context.config.display()));
        let hint = "Make one and name it:\nrestage key new --out restage.key\n[key]\nfile = \"restage.key\"";
        return Err(Failure::new(Exit::Usage, report.hint(hint)));
    };
    if matches!(key.source, KeySource::Ephemeral) {
        let report =
            Report::new("key::ephemeral", "the key of this configuration is ephemeral: each refresh makes its own");
        return Err(Failure::new(Exit::Usage, report.hint("Name a key with --key-file FILE.")));
    }
    Ok(key)
}

/// Where a key comes from, for people; never what it is.
fn describe(source: &KeySource) -> String {
    match source {
        KeySource::File(file) => format!("file {}", file.display()),
        KeySource::Env(name) => format!("environment variable {name}"),
        KeySource::Command(argv) => format!("command {}", argv.first().map_or("", String::as_str)),
        KeySource::Fd(number) => format!("file descriptor {number}"),
        KeySource::Ephemeral => "this run alone".to_owned(),
    }
}

fn refused(error: KeyError, source: &KeySource) -> Failure {
    let code = match error {
        KeyError::Form => "key::form",
        KeyError::Check => "key::check",
        KeyError::Weak => "key::weak",
        KeyError::TestKey => "key::test-key",
    };
    let report = Report::new(code, error.to_string()).detail(format!("Read from {}.", describe(source)));
    let hint = match error {
        KeyError::Form | KeyError::Check => {
            "Restore it from where it is kept. Another key (`restage key new --out FILE`) makes all pseudonyms new."
        }
        KeyError::Weak | KeyError::TestKey => "Make one that nobody knows: restage key new --out restage.key",
    };
    Failure::new(Exit::Usage, report.hint(hint))
}

fn new(context: &Context, out: Option<&Path>) -> Result<Outcome, Failure> {
    secret::harden_process()?;
    let key = generate()?;
    let text = key.to_text();
    let mut info = KeyInfo { id: key.id(), made: true, ..KeyInfo::default() };
    match out {
        Some(file) => {
            let line = Zeroizing::new(format!("{}\n", text.as_str()));
            secret::write_new(file, &line)?;
            info.source = format!("file {}", file.display());
            Ok(Outcome::Key(info))
        }
        None => {
            info.source = "standard output".to_owned();
            context.tell(&format!("New key, id {}. Keep it like a password.", info.id));
            Ok(Outcome::NewKey { info, key: text })
        }
    }
}

/// Makes a key from the generator of the operating system.
pub(super) fn generate() -> Result<MasterKey, Failure> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    let failed = |message: &str, detail: String| {
        Failure::new(Exit::Internal, Report::new("key::random", message.to_owned()).detail(detail))
    };
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| failed("the operating system gives no random bytes", error.to_string()))?;
    // One repeated byte, or the test key: a generator that gives these is broken.
    MasterKey::from_bytes(&bytes).map_err(|error| failed("the random bytes are no key", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_new_keys_differ_and_can_be_read_back() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one.id(), two.id());
        assert_eq!(MasterKey::parse(&one.to_text(), false).unwrap().id(), one.id());
    }

    #[tokio::test]
    async fn a_key_that_is_not_whole_is_refused_without_its_text() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("restage.key");
        let text = generate().unwrap().to_text().replace("mk1-", "mk1-0");
        secret::write_new(&file, &text).unwrap();
        let source = KeySource::File(file);
        let failure = load(&source, false).await.map(|_| ()).unwrap_err();
        assert_eq!((failure.exit, failure.reports[0].code), (Exit::Usage, "key::form"));
        assert!(!failure.reports[0].to_string().contains(&text[10..30]));
    }

    #[tokio::test]
    async fn the_published_test_key_needs_to_be_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("test.key");
        secret::write_new(&file, &MasterKey::test().to_text()).unwrap();
        let source = KeySource::File(file);
        assert_eq!(load(&source, true).await.map(|loaded| loaded.key.id()).ok().as_deref(), Some("da7ed64a2bd1b44b"));
        let failure = load(&source, false).await.map(|_| ()).unwrap_err();
        assert_eq!(failure.reports[0].code, "key::test-key");
    }
}
