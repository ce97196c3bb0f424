//! Kinds, masked values and keys.

use super::{Look, facts, hang, table};
use crate::outcome::{KeyInfo, KindView, Kinds, MaskResult, TestOutcome};
use std::fmt::Write as _;

/// Renders one line per test, and under a failed one what was expected and what came.
pub(super) fn tested(done: &TestOutcome, look: &Look) -> String {
    let mut text = String::new();
    for test in &done.tests {
        let _ = writeln!(text, "{} {}  {}", look.tick(test.ok), test.name, look.dim(&test.place));
        for difference in &test.differences {
            let got = difference.got.as_ref().map_or_else(|| "NULL".to_owned(), |text| format!("{text:?}"));
            let _ = writeln!(text, "    {}", look.name(&difference.column));
            let _ = writeln!(text, "      {} {}", look.good("expected"), difference.expected);
            let _ = writeln!(text, "      {}      {got}", look.bad("got"));
        }
    }
    let count = format!("{} passed, {} failed", done.passed, done.failed);
    text.push_str(&if done.failed == 0 { look.good(&count) } else { look.bad(&count) });
    text
}

/// Renders the list of kinds, or one kind in full when it is the only one.
pub(super) fn kinds(list: &Kinds, look: &Look) -> String {
    if list.markdown {
        return markdown(list);
    }
    if let ([kind], true) = (list.kinds.as_slice(), list.one) {
        return one_kind(kind, look);
    }
    let mut out = table::new(&["kind", "what it does", "for"], look);
    for kind in &list.kinds {
        out.add_row(vec![
            table::name(&kind.name),
            comfy_table::Cell::new(&kind.summary),
            table::dim(kind.accepts.join(", ")),
        ]);
    }
    format!("{}\n\n{}", table::text(&out), look.dim("restage kinds KIND describes one of them."))
}

/// The reference page: every kind with its parameters, from its record.
fn markdown(list: &Kinds) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let mut text = "# Mask kinds\n\nPrinted by `restage kinds --markdown`; a test holds it to the program.\n\n| kind | what it does |\n|---|---|\n".to_owned();
    for kind in &list.kinds {
        let anchor: String = kind.name.chars().filter(|c| c.is_alphanumeric() || *c == '_' || *c == '-').collect();
        let _ = writeln!(text, "| [`{}`](#{anchor}) | {} |", kind.name, cell(&kind.summary));
    }
    for kind in &list.kinds {
        let _ = write!(text, "\n## {}\n\n{}.\n\nFor: {}.\n\n", kind.name, kind.summary, kind.accepts.join(", "));
        for guarantee in &kind.guarantees {
            let _ = writeln!(text, "- {guarantee}");
        }
        let _ = write!(text, "\n```sh\n{}\n```\n", example(kind));
        if !kind.params.is_empty() {
            text.push_str("\n| parameter | says | takes | default |\n|---|---|---|---|\n");
        }
        for param in &kind.params {
            let default = param.default.as_deref().map(|word| format!("`{}`", cell(word))).unwrap_or_default();
            let (summary, takes) = (cell(&param.summary), cell(&param.takes));
            let _ = writeln!(text, "| `{}` | {summary} | {takes} | {default} |", param.name);
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn one_kind(kind: &KindView, look: &Look) -> String {
    let mut text = format!("{}  {}\n", look.strong(&kind.name), hang(&kind.summary, 2));
    text.push_str(&facts(
        &[("for", kind.accepts.join(", ")), ("holds", kind.guarantees.join("\n")), ("try", example(kind))],
        look,
    ));
    if !kind.params.is_empty() {
        let width = kind.params.iter().map(|param| param.name.chars().count()).max().unwrap_or(0);
        let _ = write!(text, "\n  {}", look.dim("parameters"));
        for param in &kind.params {
            let pad = width - param.name.chars().count();
            let default = param.default.as_ref().map(|value| format!(" [default: {value}]")).unwrap_or_default();
            let _ = write!(
                text,
                "\n    {}{:pad$}  {}{default}",
                look.name(&param.name),
                "",
                hang(&param.summary, width + 6)
            );
        }
    }
    text
}

/// A call that shows the kind at work, ready to paste.
fn example(kind: &KindView) -> String {
    let Some(sample) = kind.samples.first() else { return String::new() };
    let name = kind.name.split('/').next().unwrap_or(&kind.name);
    let subject = if kind.needs_subject { " --subject 42" } else { "" };
    // Kinds that cannot guess what is wanted.
    let params = match name {
        "json" => r#" --param rest=keep --param 'paths={"$.contact.email": "email"}'"#,
        "xml" => r#" --param rest=keep --param 'paths={"$.order.email": "email"}'"#,
        "const" => " --param value=none",
        "int.range" => " --param lo=18 --param hi=99",
        "date.trunc" => " --param unit=month",
        "age.cap" => " --param as_of=2026-01-01",
        "num.bucket" => " --param width=1000",
        "num.cap" => " --param max=1000",
        "enum.perm" => r#" --param 'values=["free", "silver", "gold"]'"#,
        "enum.sample" => r#" --param 'weights={"free": 20, "gold": 1}'"#,
        "enum.rr" => r#" --param 'values=["free", "gold"]' --param threshold=3221225472"#,
        "composite" | "hstore" => r#" --param rest=keep --param 'fields={"email": "email"}'"#,
        "text.drop" => " --param 'placeholder=[removed]'",
        "template" => " --param 'text=user-{b32:16}@shop.example'",
        "replace" => r#" --param 'map={"internal": "external"}'"#,
        "regex" => r" --param 'generate=[A-Z]{3}-\d{4}'",
        "choice" => r#" --param 'values={"gold": 1, "silver": 3}'"#,
        "lookup" => " --param file=/dev/stdin",
        "command" => r#" --param 'command=["/bin/sed", "-u", "s/.*,\"seed\":\\(.*\\)}/\\1/"]'"#,
        "partial" => " --param keep_first=4 --param keep_last=2",
        _ => "",
    };
    let input = if name == "lookup" { r"printf 'team\nSales\nLegal\n' | " } else { "" };
    format!("{input}restage mask {name} '{}'{subject}{params}", sample.replace('\'', r"'\''"))
}

/// One masked value per line; SQL NULL as `psql` prints it with `\pset null NULL`.
pub(super) fn masked(result: &MaskResult) -> String {
    result.values.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join("\n")
}

/// The key id alone, so that a script can compare it; with `-v` and after a check the rest.
pub(super) fn key(key: &KeyInfo, look: &Look) -> String {
    if look.verbose == 0 && !key.checked && !key.made {
        return key.id.clone();
    }
    let (head, place) = if key.made { ("New key", "in") } else { ("The key is whole", "from") };
    let mut text = format!("{} {}\n", look.good("✓"), look.strong(head));
    let list = [("id", key.id.clone()), (place, key.source.clone()), ("realm", key.realm.clone().unwrap_or_default())];
    text.push_str(&facts(&list, look));
    for warning in &key.warnings {
        let _ = write!(text, "\n{} {}", look.warn("!"), hang(warning, 2));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::ParamView;

    fn kind(name: &str) -> KindView {
        KindView {
            name: name.into(),
            summary: "Moves each date by a secret number of days".into(),
            accepts: vec!["date".into(), "timestamp".into()],
            guarantees: vec!["intervals of one subject stay".into(), "never zero".into()],
            needs_subject: true,
            samples: vec!["1990-07-15".into()],
            params: vec![ParamView {
                name: "days_max".into(),
                takes: String::new(),
                summary: "Largest move in days".into(),
                default: Some("365".into()),
            }],
        }
    }

    #[test]
    fn kinds_are_a_list_and_one_kind_is_described() {
        let list = Kinds { kinds: vec![kind("date.shift/1"), kind("email/1")], one: false, ..Kinds::default() };
        insta::assert_snapshot!(kinds(&list, &Look::default()), @r#"
          kind          what it does                                for
          date.shift/1  Moves each date by a secret number of days  date, timestamp
          email/1       Moves each date by a secret number of days  date, timestamp

        restage kinds KIND describes one of them.
        "#);
        insta::assert_snapshot!(kinds(&Kinds { kinds: vec![kind("date.shift/1")], one: true, ..Kinds::default() }, &Look::default()), @r#"
        date.shift/1  Moves each date by a secret number of days
          for    date, timestamp
          holds  intervals of one subject stay
                 never zero
          try    restage mask date.shift '1990-07-15' --subject 42
          parameters
            days_max  Largest move in days [default: 365]
        "#);
    }

    #[test]
    fn masked_values_are_one_per_line() {
        let result = MaskResult { values: vec![Some("a".into()), None, Some(String::new())], ..MaskResult::default() };
        assert_eq!(masked(&result), "a\nNULL\n");
    }

    #[test]
    fn a_key_id_is_alone_on_its_line_and_a_check_tells_more() {
        let mut info = KeyInfo {
            id: "da7ed64a2bd1b44b".into(),
            source: "file /run/secrets/restage.key".into(),
            realm: Some("staging".into()),
            warnings: vec!["visible in /proc".into()],
            ..KeyInfo::default()
        };
        assert_eq!(key(&info, &Look::default()), "da7ed64a2bd1b44b");
        info.checked = true;
        insta::assert_snapshot!(key(&info, &Look::default()), @r#"
        ✓ The key is whole
          id     da7ed64a2bd1b44b
          from   file /run/secrets/restage.key
          realm  staging
        ! visible in /proc
        "#);
    }
}
