//! Completion scripts and manual pages, generated from the definitions of the command line.

use super::Outcome;
use super::args::{self, CompletionsArgs, ManArgs};
use crate::error::{Exit, Failure, Report};
use std::path::Path;

pub(super) fn completions(args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "restage", &mut script);
    Outcome::Text { document: "completions", text: String::from_utf8_lossy(&script).into_owned() }
}

/// Renders the main page, or writes all pages to a directory and lists them.
pub(super) fn man(args: &ManArgs) -> Result<Outcome, Failure> {
    let text = match &args.out {
        None => page(args::command(), "restage").1,
        Some(dir) => write_pages(dir)?.join("\n"),
    };
    Ok(Outcome::Text { document: "man", text })
}

fn write_pages(dir: &Path) -> Result<Vec<String>, Failure> {
    std::fs::create_dir_all(dir).map_err(|error| unwritable(dir, &error))?;
    let mut written = Vec::new();
    for (name, text) in pages() {
        let file = dir.join(name);
        std::fs::write(&file, text).map_err(|error| unwritable(&file, &error))?;
        written.push(file.display().to_string());
    }
    Ok(written)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let report = Report::new("usage::man", format!("cannot write \"{}\"", path.display())).detail(error.to_string());
    Failure::new(Exit::Usage, report)
}

/// File name and text of every page: `restage.1`, `restage-plan.1`, `restage-key-new.1`, …
fn pages() -> Vec<(String, String)> {
    let mut main = args::command();
    // Hands the global options down to the commands, as parsing does.
    main.build();
    let mut pages = vec![page(args::command(), "restage")];
    add_pages(&main, "restage", &mut pages);
    pages
}

fn add_pages(command: &clap::Command, name: &str, pages: &mut Vec<(String, String)>) {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = format!("{name}-{}", sub.get_name());
        pages.push(page(sub.clone(), &name));
        add_pages(sub, &name, pages);
    }
}

fn page(command: clap::Command, name: &str) -> (String, String) {
    let man = clap_mangen::Man::new(command.name(name.to_owned())).title(name.to_uppercase()).manual("restage");
    let mut text = Vec::new();
    man.render(&mut text).expect("a buffer in memory takes every write");
    (format!("{name}.1"), String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_every_command() {
        let pages = pages();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["restage.1", "restage-plan.1", "restage-init-target.1", "restage-key-new.1"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(!names.contains(&"restage-help.1"));
        let plan = &pages.iter().find(|(name, _)| name == "restage-plan.1").expect("listed above").1;
        assert!(plan.contains("restage plan \\-v") && plan.contains("\\-\\-config"), "{plan}");
    }
}
