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

/// A repository with what makes histories hard: branches and merges, also of what both sides changed, paths that come back, a
/// file that becomes a folder and a folder that becomes a file, a link, a changed mode, renames, a commit that changes nothing,
/// dates that go backwards, and names with spaces and other scripts.
const REPOSITORY: &str = r#"set -e
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org
at() { export GIT_AUTHOR_DATE="$1" GIT_COMMITTER_DATE="$1"; }
commit() { at "$1"; git add --all; git commit --quiet --allow-empty --message "$1"; }
merge() { at "$1"; git merge --quiet --no-ff --message "$1" "$2" || { printf 'both\n' > README.md; git add --all; git commit --quiet --message "$1"; }; }
git init --quiet --initial-branch=main repo; cd repo
printf 'one\n' > README.md; mkdir -p src docs; printf 'a\n' > 'src/a b.rs'; printf 'ä\n' > 'src/ä 日本.rs'; printf 'x\n' > thing
commit 2026-01-01T09:00:00Z
printf 'two\n' > README.md; chmod +x thing
commit 2026-01-02T09:00:00Z
git checkout --quiet -b side
printf 'side\n' > README.md; printf 'only here\n' > docs/side.md; git rm --quiet 'src/a b.rs'
commit 2026-01-03T09:00:00Z
printf 'more\n' >> docs/side.md; printf 'gone soon\n' > docs/brief.md
commit 2026-01-03T10:00:00Z
git rm --quiet docs/brief.md
commit 2026-01-03T11:00:00Z
git checkout --quiet main
printf 'main\n' > README.md
commit 2026-01-04T09:00:00+02:00
merge 2026-01-05T09:00:00Z side
rm thing; mkdir thing; printf 'y\n' > thing/inner; printf 'y\n' > thing/outer
commit 2026-01-06T09:00:00Z
rm -r thing; printf 'x\n' > thing; printf 'a\n' > 'src/a b.rs'
commit 2026-01-05T08:00:00Z
commit 2026-01-07T09:00:00Z
git mv 'src/a b.rs' 'src/c [d] $e.rs'; rm README.md; ln -s docs/side.md README.md
commit 2026-01-08T09:00:00Z
git checkout --quiet -b late HEAD~2; printf 'late\n' > late; commit 2026-01-09T09:00:00Z
git checkout --quiet main; merge 2026-01-09T10:00:00Z late
git rm --quiet late; printf 'z\n' >> 'src/ä 日本.rs'
commit 2026-01-10T09:00:00Z
"#;

#[test]
fn git_is_the_judge_of_every_commit_and_every_path() {
    let folder = Folder::empty();
    folder.bash(REPOSITORY).done();
    let git = "git -C repo -c safe.directory='*' -c core.quotePath=false";
    let log = format!(
        "{git} log --reverse --no-renames --first-parent -m --name-status --format='commit %H %cI' > log.txt || exit 9\nexec < log.txt\n"
    );
    let living = folder.bash(&script(&log)).done();
    let listed = |what: &str| folder.bash(&format!("{git} {what} | LC_ALL=C sort")).done();
    assert_eq!(living, listed("ls-tree -r --name-only HEAD"));
    assert_eq!(std::fs::read_to_string(folder.file("left-out.txt")).unwrap(), "", "nothing is left out");

    // The read model as it was after the last event of each commit.
    let esctl = format!("esctl --domain '{}/domains/git.yaml'", sources().display());
    let positions = folder.bash(&format!(
        "{esctl} events -o ndjson | jq -r '[.position, if .type == \"Recorded\" then .stream[7:] else .data.commit end] | @tsv'"
    ));
    let mut last = std::collections::BTreeMap::new();
    for line in positions.done().lines() {
        let (position, commit) = line.split_once('\t').unwrap();
        last.insert(commit.to_owned(), position.to_owned());
    }
    let commits = folder.bash(&format!("{git} log --reverse --first-parent --format=%H")).done();
    assert_eq!((commits.lines().count(), last.len()), (10, 10), "{commits}");
    for commit in commits.lines() {
        let position = &last[commit];
        let shown = format!("{esctl} project show paths --at @{position} -o ndjson | jq -r .path | LC_ALL=C sort");
        let tree = listed(&format!("ls-tree -r --name-only {commit}"));
        assert_eq!(folder.bash(&shown).done(), tree, "at {commit}, @{position}");
    }

    // The event behind the state of each path that there ever was, living or gone.
    let paths =
        folder.bash(&format!("{esctl} streams -o ndjson | jq -r '.stream | select(startswith(\"path/\"))[5:]'"));
    let paths = paths.done();
    let ever = listed("log --first-parent -m --no-renames --name-only --format= | LC_ALL=C sort -u | sed '/^$/d'");
    assert_eq!(paths, ever);
    assert_eq!(paths.lines().count(), 9, "{paths}");
    for path in paths.lines() {
        let (stream, path) = (format!("'path/{path}'"), format!("':(literal){path}'"));
        let blamed = folder.bash(&format!(
            "{esctl} blame {stream} commit -o ndjson | jq -r '.value, .event.data.commit, .event.command.id[:40]'"
        ));
        let judged = folder.bash(&format!("{git} log -1 --first-parent -m --format=%H -- {path}")).done();
        assert_eq!(blamed.done(), judged.repeat(3), "{path}");
    }
}
