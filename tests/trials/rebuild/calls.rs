//! A rebuild that is killed at a call to the system that writes.

use super::*;
use crate::support::skipped;
use crate::trials::faults::cannot;
use std::process::Command as Process;

/// Runs a rebuild under strace; what it traced.
fn traced(folder: &Folder, what: &str) -> String {
    let mut command = Process::new("strace");
    command.args(["-f", "-qq", "-o", "trace", "-e", "trace=pwrite64", "-e", what]);
    command.arg(env!("CARGO_BIN_EXE_esctl")).args(["project", "rebuild", "several", "--jobs", "2"]);
    folder.surround(&mut command);
    let output = command.output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
    fs::read_to_string(folder.file("trace")).unwrap()
}

#[test]
fn a_rebuild_that_is_killed_at_a_write_goes_on() {
    if let Some(why) = cannot() {
        return skipped(&format!("no write of a rebuild is where it is killed: {why}"));
    }
    let tries = scaled(40, 2_000);
    let mut dice = Dice::new();
    // Three keys each, so that there are several parts.
    let source = source(2_000);
    let folder = copy(&source, &[]);
    let writes = traced(&folder, "inject=pwrite64:error=EIO:when=65535").matches("pwrite64(").count();
    let expected = rows(&folder, "several");
    let (mut killed, mut within) = (0, 0);
    for _ in 0..tries {
        let folder = copy(&source, &[]);
        let when = 1 + dice.below(writes);
        traced(&folder, &format!("inject=pwrite64:signal=KILL:when={when}"));
        {
            let connection = reading(&folder.file("esctl.db"));
            let state = progress(&connection, "several");
            let swapped = "SELECT count(*) FROM es_generations WHERE state = 'served' AND number > 3";
            let served: i64 = connection.query_row(swapped, [], |row| row.get(0)).unwrap();
            within += usize::from(state.is_some_and(|(_, ahead)| ahead.is_some()));
            killed += usize::from(served == 0);
        }
        folder.esctl("project rebuild several --jobs 3").done();
        same(&rows(&folder, "several"), &expected);
        folder.esctl("project verify several").done();
        folder.esctl("verify").done();
    }
    eprintln!("{tries} kills at one of {writes} writes: {killed} before it was served, {within} between two parts");
    assert!(within > 0, "no kill fell between two parts of a stride");
}
