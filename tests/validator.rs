//! What a library that shares no code with this one says about masked identifiers: python-stdnum.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// How `scripts/validate.py` says that python-stdnum is not there.
const NOT_INSTALLED: i32 = 3;

#[test]
fn masked_identifiers_are_valid_to_python_stdnum() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pythons = [root.join("target/venv/bin/python"), "python3".into()];
    for python in pythons {
        let mut command = Command::new(&python);
        command.arg(root.join("scripts/validate.py")).args(["--restage", env!("CARGO_BIN_EXE_restage")]);
        let Ok(output) = command.output() else { continue };
        if output.status.code() == Some(NOT_INSTALLED) {
            continue;
        }
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        assert!(told.lines().count() > 25, "every kind was judged: {told}");
        return;
    }
    writeln!(std::io::stderr(), "left out: no python3 with python-stdnum; scripts/test installs it").expect("told");
}
