//! What a run leaves for people and programs: `report.json` after success, refusal and failure; `report.html` in a real
//! browser.

use crate::leak::{BIRD_POLICY, BIRDS, found_in};
use crate::support::browser::Browser;
use crate::support::{Lab, run};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

const SHOP: &str = "CREATE TABLE people (id int PRIMARY KEY, email text, born date, plan text);
     INSERT INTO people SELECT i, 'p' || i || '@post.test', '1990-01-01', 'basic' FROM generate_series(1, 200) i;
     CREATE INDEX people_email ON people (email);
     CREATE TABLE visits (id int PRIMARY KEY, who int REFERENCES people, at date);
     INSERT INTO visits SELECT i, i, '2026-01-01' FROM generate_series(1, 100) i;";

const SHOP_POLICY: &str = "[tables.\"public.people\".columns]\nid = \"keep\"\nemail = \"email\"\n\
     born = \"null\"\nplan = { keep = \"product data, no person\" }\n[tables.\"public.visits\"]\ndefault = \"keep\"\n";

/// Folders of reports, oldest first.
pub fn folders(lab: &Lab<'_>) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = match std::fs::read_dir(lab.path("restage-report")) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => Vec::new(),
    };
    // Runs of one second are ordered by when they wrote.
    found.sort_by_key(|folder| std::fs::metadata(folder.join("report.json")).and_then(|file| file.modified()).ok());
    found
}

#[track_caller]
fn report_in(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("report.json")).expect("a report");
    serde_json::from_str(&text).expect("a document")
}

#[track_caller]
pub fn last(lab: &Lab<'_>) -> Value {
    report_in(folders(lab).last().expect("a report was written"))
}

fn column<'a>(report: &'a Value, table: &str, column: &str) -> &'a Value {
    let named = |list: &'a Value, name: &str| {
        let mut found = list.as_array().expect("a list").iter();
        found.find(|entry| entry["name"] == name).expect("it is there")
    };
    named(&named(&report["coverage"]["tables"], table)["columns"], column)
}

fn git(lab: &Lab<'_>, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(lab.path(""))
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(args)
        .output()
        .expect("git");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn report_tells_who_did_what_when_and_why_each_column_is_as_it_is() {
    let lab = Lab::new("report");
    lab.seed(SHOP);
    lab.config(SHOP_POLICY);
    git(&lab, &["init", "--quiet"]);
    git(&lab, &["add", "restage.toml"]);
    git(&lab, &["commit", "--quiet", "-m", "policy"]);
    let commit = git(&lab, &["rev-parse", "HEAD"]);
    assert_eq!(lab.restage(&["plan", "--write-lock"]).code, 0);
    lab.refresh();

    let report = last(&lab);
    assert_eq!((&report["document"], &report["schema"], &report["exit"]), (&"report".into(), &1.into(), &0.into()));
    assert_eq!(report["verdict"], "published");
    assert_eq!(report["published"], lab.name.as_str());
    let by = &report["by"];
    assert_eq!((&by["os_user"], &by["policy"]["commit"]), (&"t3ster".into(), &commit.as_str().into()));
    assert_eq!(by["policy"]["changed"], false);
    let lock = std::fs::read(lab.path("restage.lock")).expect("lock");
    assert_eq!(by["lock_hash"], blake3::hash(&lock).to_hex().as_str());
    for fact in ["host", "config_hash", "key_id", "tool_version"] {
        assert!(by[fact].as_str().is_some_and(|text| !text.is_empty()), "{fact}: {by}");
    }
    assert!(report["snapshot_lsn"].is_string() && report["snapshot_time"].is_string());
    assert_eq!(
        lab.staging("SELECT policy_commit, policy_changed, lock_hash FROM restage.run"),
        format!("{commit}|f|{}", blake3::hash(&lock).to_hex())
    );

    let email = column(&report, "public.people", "email");
    assert_eq!((&email["decision"], &email["type"]), (&"mask".into(), &"text".into()));
    assert!(email["kind"].as_str().is_some_and(|kind| kind.starts_with("email/")), "{email}");
    assert!(email["because"].as_str().is_some_and(|why| why.contains("restage.toml:")), "{email}");
    assert_eq!(column(&report, "public.people", "plan")["reason"], "product data, no person");
    assert_eq!(report["coverage"]["totals"]["columns"], 7);

    // The timeline lies within the run, and every table and index is on it.
    let spans = report["timeline"].as_array().expect("spans");
    let end = report["totals"]["ms"].as_u64().expect("ms") + 1000;
    assert!(
        spans
            .iter()
            .all(|span| span["from_ms"].as_u64() <= span["to_ms"].as_u64() && span["to_ms"].as_u64() <= Some(end))
    );
    let has = |labor: &str, name: &str| {
        spans.iter().any(|span| span["labor"] == labor && span["name"].as_str().is_some_and(|own| own.contains(name)))
    };
    assert!(has("phase", "verify") && has("load", "public.people") && has("load", "public.visits"), "{spans:#?}");
    assert!(has("build", "people_email") && has("build", "visits_who_fkey") && has("analyze", "people"), "{spans:#?}");

    // A file that git knows was edited; git is not needed, either.
    lab.config(&format!("{SHOP_POLICY}\n# edited\n"));
    lab.refresh();
    assert_eq!(last(&lab)["by"]["policy"]["changed"], true);
    run(Command::new("rm").arg("-rf").arg(lab.path(".git")));
    lab.refresh();
    assert_eq!(last(&lab)["by"]["policy"], Value::Null);
}

#[test]
fn report_tells_what_changed_since_the_last_published_run() {
    let lab = Lab::new("report_drift");
    lab.seed(SHOP);
    lab.config(SHOP_POLICY);
    lab.refresh();
    assert_eq!(last(&lab)["drift"], Value::Null, "there is nothing to compare with");
    let first = last(&lab)["run"].clone();
    lab.seed("INSERT INTO people SELECT i, 'q' || i || '@post.test', '1990-01-01', 'basic' FROM generate_series(201, 300) i; \
         ALTER TABLE visits ADD note text; CREATE TABLE extra (id int PRIMARY KEY); INSERT INTO extra VALUES (1)");
    lab.config(&SHOP_POLICY.replace("email = \"email\"", "email = \"null\"").replace(
        "[tables.\"public.visits\"]",
        "[tables.\"public.extra\"]\ndefault = \"keep\"\n[tables.\"public.visits\"]",
    ));
    // A run that was refused in between is no run to compare with.
    let refused = lab.restage(&["refresh", "-c", "missing.toml"]);
    assert_eq!(refused.code, 2);
    lab.refresh();
    let drift = &last(&lab)["drift"];
    assert_eq!(drift["run"], first);
    assert_eq!((&drift["before"]["rows"], &drift["now"]["rows"]), (&300.into(), &401.into()));
    assert_eq!(drift["tables"][0]["name"], "public.people");
    assert_eq!((&drift["tables"][0]["before"]["rows"], &drift["tables"][0]["now"]["rows"]), (&200.into(), &300.into()));
    assert_eq!((&drift["tables"][1]["name"], &drift["tables"][1]["before"]), (&"public.extra".into(), &Value::Null));
    let columns: Vec<String> = drift["columns"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|change| format!("{} {} {}", change["name"], change["before"], change["now"]).replace('"', ""))
        .collect();
    assert_eq!(
        columns,
        [
            "public.extra.id null integer, keep",
            "public.people.email text, email/1 text, null",
            "public.visits.note null text, keep"
        ]
    );
    assert_eq!((&drift["other_key"], &drift["other_config"]), (&false.into(), &true.into()));
}

#[test]
fn refused_and_failed_runs_leave_a_report_too() {
    let lab = Lab::new("report_failed");
    lab.seed(SHOP);
    lab.config("[tables.\"public.people\".columns]\nid = \"keep\"\n");
    assert_eq!(lab.restage(&["refresh"]).code, 3);
    let report = last(&lab);
    assert_eq!(
        (&report["verdict"], &report["exit"], &report["published"]),
        (&"refused".into(), &3.into(), &Value::Null)
    );
    let codes: Vec<&Value> = report["error"].as_array().expect("reasons").iter().map(|error| &error["code"]).collect();
    assert_eq!(codes, ["plan::undecided-column", "plan::undecided-column"], "one for each table");
    let hint = report["error"][0]["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("email = "), "the lines to paste are there: {hint}");
    assert!(report["state"].as_str().is_some_and(|state| state.starts_with("Nothing was read")), "{}", report["state"]);

    lab.config(&format!("{SHOP_POLICY}[[verify.sql]]\nname = \"impossible\"\nquery = \"SELECT 1\"\nequals = 2\n"));
    assert_eq!(lab.restage(&["refresh"]).code, 6);
    let report = last(&lab);
    assert_eq!((&report["verdict"], &report["exit"]), (&"not-published".into(), &6.into()));
    let gates = report["gates"].as_array().expect("gates");
    assert!(gates.iter().any(|gate| gate["name"] == "impossible" && gate["ok"] == false), "{gates:?}");
    assert!(gates.iter().any(|gate| gate["name"] == "row counts" && gate["ok"] == true), "{gates:?}");
    assert_eq!(report["totals"]["rows"], 300);
    assert!(report["state"].as_str().is_some_and(|state| state.contains("serves as before")), "{}", report["state"]);

    // A hook that fails after everything is loaded.
    lab.config(&format!("{SHOP_POLICY}[[hook]]\nat = \"after-load\"\ncommand = [\"false\"]\n"));
    assert_eq!(lab.restage(&["refresh"]).code, 5);
    let report = last(&lab);
    assert_eq!(report["verdict"], "failed");
    assert_eq!(report["tables"].as_array().map(Vec::len), Some(2));
    assert!(report["coverage"]["tables"].as_array().is_some_and(|tables| tables.len() == 2));

    let reports = folders(&lab).len();
    lab.config(SHOP_POLICY);
    assert_eq!(lab.restage(&["refresh", "--dry-run"]).code, 0);
    assert_eq!(last(&lab)["verdict"], "dry-run");
    assert_eq!(folders(&lab).len(), reports + 1);
    let leftover = |folder: &PathBuf| {
        std::fs::read_dir(folder)
            .expect("folder")
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with('.'))
    };
    assert!(!folders(&lab).iter().any(leftover), "no temporary file is left");
}

/// That the leak tests search reports is worth something only if the search finds what stands in one.
#[test]
fn reports_hold_no_canary_and_the_search_would_find_one() {
    let lab = Lab::new("report_canary");
    lab.seed(BIRDS);
    lab.config(BIRD_POLICY);
    assert_eq!(lab.restage(&["refresh"]).code, 0);
    let all = |lab: &Lab<'_>| {
        let folder = folders(lab).pop().expect("a report");
        let files = std::fs::read_dir(folder).expect("folder").flatten().map(|entry| entry.path());
        files.map(|path| (path.clone(), std::fs::read_to_string(path).expect("text"))).collect::<Vec<_>>()
    };
    for (path, text) in all(&lab) {
        assert!(found_in(&text).is_empty(), "{} holds {:?}", path.display(), found_in(&text));
    }
    lab.config(&BIRD_POLICY.replace("at = \"keep\"", "at = { keep = \"qzkanari said so\" }"));
    assert_eq!(lab.restage(&["refresh"]).code, 0);
    for (path, text) in all(&lab) {
        assert!(path.ends_with("manifest.json") || found_in(&text) == ["qzkanari"], "{}", path.display());
    }
}

/// A schema of which every name tries to be markup.
const HOSTILE: &str = r#"CREATE TABLE "<script>alert(1)</script>" (id int PRIMARY KEY, "<img src=x onerror=alert(2)>" text, "it's ""quoted"" & <b>" text);
     INSERT INTO "<script>alert(1)</script>" SELECT i, 'x', 'y' FROM generate_series(1, 20) i;
     CREATE TABLE plain (id int PRIMARY KEY, email text, note text);
     INSERT INTO plain SELECT i, 'p' || i || '@post.test', 'n' FROM generate_series(1, 500) i;
     CREATE INDEX "a</td><script>alert(3)</script>" ON plain (email);"#;

const HOSTILE_POLICY: &str = r#"
[tables."public.<script>*"]
default = { keep = "</script><script>alert(4)</script>" }
[tables."public.plain".columns]
id = "keep"
email = "email"
note = "null"
"#;

/// Folder for pictures that a person may look at.
fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/report-pictures");
    std::fs::create_dir_all(&folder).expect("folder");
    folder
}

/// Lines of the console that are no good, and requests that are not the file itself.
fn complaints(browser: &Browser) -> Vec<String> {
    let wrong = browser.events.iter().filter(|event| {
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Page.javascriptDialogOpening" => true,
            "Log.entryAdded" => params["entry"]["level"] != "verbose",
            "Network.requestWillBeSent" => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                let own = url.starts_with("file://") && url.ends_with("/report.html");
                !(own || url.starts_with("data:"))
            }
            _ => false,
        }
    });
    wrong.map(ToString::to_string).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "a test that is left out says so")]
fn report_is_read_in_a_browser_by_keyboard_on_a_phone_in_the_dark_and_on_paper() {
    let Some(program) = Browser::program() else {
        println!("left out: chromium is not installed (apt-get install chromium)");
        return;
    };
    let lab = Lab::new("report_page");
    lab.seed(HOSTILE);
    lab.config(HOSTILE_POLICY);
    lab.refresh();
    lab.seed("DELETE FROM plain WHERE id > 400");
    lab.refresh();
    let page = folders(&lab).pop().expect("a report").join("report.html");
    let mut browser = Browser::start(program);
    browser.screen(1280, 900, "light", "screen");
    browser.open(&page);
    assert_eq!(complaints(&browser), Vec::<String>::new());
    assert_eq!(browser.eval("document.querySelector('h1').textContent"), "Published");

    // Nothing of a name became markup, and all names are there.
    assert_eq!(
        browser.eval("document.querySelectorAll('script').length + document.querySelectorAll('img, b').length"),
        1
    );
    let text = browser.eval("document.body.innerText");
    for name in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(2)>",
        "it's \"quoted\" & <b>",
        "</script><script>alert(4)</script>",
    ] {
        assert!(text.as_str().is_some_and(|text| text.contains(name)), "{name} is shown: {text}");
    }

    // By keyboard: the first stop leads past the navigation, the next ones to every section.
    browser.press("Tab", 9, None);
    assert_eq!(browser.eval("document.activeElement.className"), "skip");
    let seen = browser.eval(
        "getComputedStyle(document.activeElement).outlineStyle + document.activeElement.getBoundingClientRect().x",
    );
    assert_eq!(seen, "solid8", "what has the focus is seen");
    browser.press("Enter", 13, Some("\r"));
    assert_eq!(browser.eval("document.activeElement.id"), "main");
    browser.open(&page);
    browser.press("Tab", 9, None);
    let sections = browser.eval("[...document.querySelectorAll('main section')].map(section => section.id)");
    let sections: Vec<&str> = sections.as_array().expect("sections").iter().filter_map(Value::as_str).collect();
    for id in ["live", "gates", "coverage", "time", "rows", "drift", "run", "back"] {
        assert!(sections.contains(&id), "{id} in {sections:?}");
    }
    for id in &sections {
        browser.press("Tab", 9, None);
        assert_eq!(browser.eval("document.activeElement.getAttribute('href')"), format!("#{id}"));
        browser.press("Enter", 13, Some("\r"));
        assert_eq!(browser.eval("location.hash"), format!("#{id}"));
        // Back to where the reader was.
        let back = format!("document.querySelector('nav a[href=\"#{id}\"]').focus()");
        browser.eval(&back);
    }

    // For ears: one first heading, a second one in each section, landmarks, a scope for every header but those of columns, which have no cell above, a name for every
    // region that scrolls; the tree of the browser agrees.
    let heard = browser.eval(
        "({ h1: document.querySelectorAll('h1').length, \
           headless: [...document.querySelectorAll('main section')].filter(s => !s.querySelector('h2')).length, \
           landmarks: ['header', 'nav', 'main', 'footer'].filter(name => document.querySelectorAll(name).length !== 1), \
           headers: document.querySelectorAll('th:not([scope]):not(#columns tbody th)').length, \
           unnamed: document.querySelectorAll('[role=region]:not([aria-label]), svg:not([aria-hidden]):not([role=img])').length, \
           lang: document.documentElement.lang })",
    );
    assert_eq!(heard, json!({ "h1": 1, "headless": 0, "landmarks": [], "headers": 0, "unnamed": 0, "lang": "en" }));
    let tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let roles: Vec<&str> =
        tree["nodes"].as_array().expect("nodes").iter().filter_map(|node| node["role"]["value"].as_str()).collect();
    for role in [
        "banner",
        "navigation",
        "main",
        "contentinfo",
        "heading",
        "table",
        "search",
        "searchbox",
        "rowheader",
        "columnheader",
    ] {
        assert!(roles.contains(&role), "{role} in the tree");
    }

    // The filter shows what fits and says how many.
    let visible =
        "[...document.querySelectorAll('#columns tbody tr:not(.t)')].filter(row => row.getClientRects().length).length";
    assert_eq!(browser.eval(visible), 6);
    browser.eval("document.querySelector('[name=find]').focus()");
    browser.call("Input.insertText", json!({ "text": "PLAIN email" }));
    assert_eq!(browser.eval(visible), 1);
    assert_eq!(browser.eval("document.querySelector('#filter output').textContent"), "1 of 6 columns");
    browser.eval(
        "f = document.querySelector('#filter'); f.reset(); f.kind.value = 'z'; f.dispatchEvent(new Event('input'))",
    );
    assert_eq!(browser.eval(visible), 1);
    assert_eq!(complaints(&browser), Vec::<String>::new());

    // Without a script every row is there, and the filter that would not work is not.
    browser.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    browser.open(&page);
    assert_eq!(browser.eval(visible), 6);
    assert_eq!(browser.eval("document.querySelector('#filter').getClientRects().length"), 0);
    browser.call("Emulation.setScriptExecutionDisabled", json!({ "value": false }));

    // No screen makes the page scroll sideways, and every text can be told from its ground.
    for (name, width, scheme, media) in [
        ("light", 1280, "light", "screen"),
        ("dark", 1280, "dark", "screen"),
        ("phone", 390, "light", "screen"),
        ("phone-dark", 320, "dark", "screen"),
        ("print", 800, "light", "print"),
    ] {
        browser.screen(width, 900, scheme, media);
        browser.open(&page);
        assert_eq!(
            browser.eval(&format!("document.documentElement.scrollWidth <= {width}")),
            true,
            "{name} scrolls sideways"
        );
        let poor = browser.eval(CONTRAST);
        assert_eq!(poor, json!([]), "{name}");
        browser.shot(true, &pictures().join(format!("{name}.png")));
    }
    browser.screen(800, 900, "light", "");
    browser.print(&pictures().join("print.pdf"));
    assert_eq!(complaints(&browser), Vec::<String>::new());
}

/// Texts whose contrast to their ground is below 4.5 to 1 (WCAG 2.2, success criterion 1.4.3).
const CONTRAST: &str = r#"(() => {
  const parse = color => (color.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => { for (; element; element = element.parentElement) {
    const color = parse(getComputedStyle(element).backgroundColor);
    if (color.length === 3 || color[3] > 0) return color; } return [255, 255, 255]; };
  const poor = new Set();
  for (const element of document.querySelectorAll("body *")) {
    if (!element.getClientRects().length || ![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
    const pair = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
    if ((pair[0] + .05) / (pair[1] + .05) < 4.5) poor.add(element.tagName + "." + element.className);
  }
  return [...poor];
})()"#;
