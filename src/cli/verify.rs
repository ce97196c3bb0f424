//! `verify`: the gates alone, against the staging that is live.

use super::Context;
use super::args::VerifyArgs;
use super::engine::admin;
use crate::error::Failure;
use crate::manifest::Opened;
use crate::outcome::VerifyOutcome;
use crate::pg::TargetSession;
use crate::refresh::{GateSettings, Surroundings};
use crate::release::State;
use crate::verify::{content, living, privacy, soften};
use std::path::Path;
use std::time::Instant;

pub(super) async fn verify(context: &Context, args: VerifyArgs) -> Result<VerifyOutcome, Failure> {
    let started = Instant::now();
    // A file that cannot be read needs no server.
    let opened = args.manifest.as_deref().map(Opened::read).transpose()?;
    let (config, admin, info) = admin(context).await?;
    let live = admin.releases().await?.into_iter().find(|release| release.kind == State::Live);
    let release = live.and_then(|live| live.release).map(|release| release.to_string());
    let session = TargetSession::connect(&info, "restage").await?;
    let mut gates = living(&session).await?;
    let verify = config.verify;
    let folder = config.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let surroundings = Surroundings { folder, run: release.as_deref(), database: &info };
    let own = GateSettings {
        sql: verify.sql,
        commands: verify.commands,
        warn: verify.warn,
        rollback_within: verify.rollback_within,
    };
    for asked in own.asked() {
        gates.push(asked.judge(&session, &surroundings).await);
    }
    // Which columns are kept is not asked of the source here, so only declared sets are measured.
    let (anonymity, privacy) = privacy::measure(&session, &verify.anonymity, &verify.candidates, &[]).await;
    gates.extend(anonymity);
    soften(&own.warn, &mut gates);
    // Whoever asks for a proof gets it: these are not softened.
    if let Some(opened) = opened {
        gates.extend(content::against(&session, &opened, args.public_key.as_deref()).await?);
    }
    let ms = started.elapsed().as_millis() as u64;
    Ok(VerifyOutcome { database: info.database.clone(), release, gates, privacy, ms })
}
