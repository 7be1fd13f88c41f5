//! Real input: a git history becomes streams, and git is the judge of the read model (see `domains/git.yaml`).

use crate::support::{Folder, skipped, sources};
use std::path::{Path, PathBuf};

/// Sends a history, on stdin of the script, and prints the living paths, sorted by bytes.
const SEND: &str = r#"set -o pipefail
bash "$SOURCES/domains/git-commands.sh" 2> left-out.txt | esctl --domain "$SOURCES/domains/git.yaml" send --batch - > receipts.ndjson
esctl --domain "$SOURCES/domains/git.yaml" project show paths -o ndjson | jq -r .path | LC_ALL=C sort
"#;

fn script(before: &str) -> String {
    format!("export SOURCES='{}'\n{before}{SEND}", sources().display())
}

/// A history that came with its answers, where there is one beside the project.
fn ready_made() -> Option<PathBuf> {
    let data = sources().join("../shared/data");
    data.join("history.txt").is_file().then_some(data)
}

/// The first commits of a history, as it is written.
fn first_commits(history: &str, count: usize) -> String {
    let mut commits = 0;
    let kept = history.lines().take_while(|line| {
        commits += usize::from(line.starts_with("commit "));
        commits <= count
    });
    kept.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn the_projects_own_history_gives_its_own_tree() {
    if !sources().join(".git").exists() {
        skipped("there is no git history here, so git cannot be the judge");
        return;
    }
    let folder = Folder::empty();
    let log = "git -C \"$SOURCES\" -c safe.directory='*' -c core.quotePath=false log --reverse --no-renames --first-parent -m \
               --name-status --format='commit %H %cI' > log.txt || exit 9\nexec < log.txt\n";
    let living = folder.bash(&script(log)).done();
    let tree = "git -C \"$SOURCES\" -c safe.directory='*' -c core.quotePath=false ls-tree -r --name-only HEAD";
    let tree = folder.bash(&format!("export SOURCES='{}'\n{tree} | LC_ALL=C sort", sources().display())).done();
    let left_out = std::fs::read_to_string(folder.file("left-out.txt")).unwrap();
    let expected: String = tree.lines().filter(|path| !left_out.contains(path)).flat_map(|path| [path, "\n"]).collect();
    assert!(living.lines().count() > 20, "{living}");
    assert_eq!(living, expected, "left out on both sides:\n{left_out}");
}

#[test]
fn a_ready_made_history_gives_its_answers() {
    let Some(data) = ready_made() else {
        skipped("there is no ready-made history; the project's own serves");
        return;
    };
    let history = std::fs::read_to_string(data.join("history.txt")).unwrap();
    let all = history.lines().filter(|line| line.starts_with("commit ")).count();
    for (commits, answer) in
        [(100, "tree-100.txt"), (700, "tree-700.txt"), (1500, "tree-1500.txt"), (all, "tree-head.txt")]
    {
        let folder = Folder::empty();
        folder.write("history.txt", first_commits(&history, commits));
        let living = folder.bash(&script("exec < history.txt\n")).done();
        let tree = std::fs::read_to_string(Path::new(&data).join(answer)).unwrap();
        assert_eq!(living, tree, "after {commits} commits");
    }
}

#[test]
fn a_history_sent_again_is_stored_once() {
    let folder = Folder::empty();
    let sha = |digit: char| digit.to_string().repeat(40);
    let (first, second) = (sha('a'), sha('b'));
    let begun =
        format!("commit {first} 2026-01-01T00:00:00Z\nA\tREADME.md\nA\tsrc/a b.rs\nA\tsrc/ä.rs\nA\t\"q\\tuoted\"\n");
    let grown = format!("{begun}commit {second} 2026-01-02T00:00:00Z\nD\tREADME.md\nM\tsrc/a b.rs\nT\tsrc/ä.rs\n");
    folder.write("history.txt", &begun);
    assert_eq!(folder.bash(&script("exec < history.txt\n")).done(), "README.md\nsrc/a b.rs\nsrc/ä.rs\n");
    folder.write("history.txt", &grown);
    assert_eq!(folder.bash(&script("exec < history.txt\n")).done(), "src/a b.rs\nsrc/ä.rs\n");
    assert_eq!(std::fs::read_to_string(folder.file("left-out.txt")).unwrap(), "left out: \"q\\tuoted\"\n");
    let again =
        "grep -c '\"duplicate\":true' receipts.ndjson; esctl events -o ndjson --domain \"$SOURCES/domains\" | wc -l";
    assert_eq!(folder.bash(&format!("export SOURCES='{}'\n{again}", sources().display())).done(), "4\n8\n");
}
