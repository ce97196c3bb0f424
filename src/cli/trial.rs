//! `test`: the policy unit tests of the configuration, or of a file.

use super::args::TestArgs;
use super::{Context, key};
use crate::config::Config;
use crate::error::{Exit, Failure, Report};
use crate::outcome::TestOutcome;
use crate::trial;

pub(super) async fn test(context: &Context, args: TestArgs) -> Result<TestOutcome, Failure> {
    let env = |name: &str| std::env::var(name).ok();
    let config = Config::load(&context.config, &env)?;
    let mut chosen = key::choose(context, args.key.key_file.as_deref())?;
    if let Some(realm) = &args.key.realm {
        chosen.realm.clone_from(realm);
    }
    let tests = match &args.file {
        Some(file) => Config::load_tests(file, &env)?,
        None => config.tests.clone(),
    };
    if tests.is_empty() {
        let file = args.file.as_deref().unwrap_or(&context.config);
        let report = Report::new("usage::no-tests", format!("{} has no [[test]]", file.display()));
        let hint = "Add one:\n[[test]]\ntable = \"public.users\"\ngiven = { id = 7, email = \"Bob@X.com\" }\nexpect = { email = { valid = \"email\", differs = true } }";
        return Err(Failure::new(Exit::Usage, report.hint(hint)));
    }
    let loaded = key::load(&chosen.source, args.key.test.allow_test_key).await?;
    let outcome = trial::run(&config, &tests, &loaded.key.realm(&chosen.realm))?;
    Ok(TestOutcome { key_id: loaded.key.id(), realm: chosen.realm, ..outcome })
}
