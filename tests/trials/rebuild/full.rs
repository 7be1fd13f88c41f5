//! A disk that becomes full while a read model is rebuilt.

use super::*;
use crate::support::mount::Small;
use crate::support::skipped;

/// What a view shows, read from a copy of the files: reading needs space too.
fn served(store: &Path, projection: &str) -> String {
    let folder = Folder::empty();
    for end in ["", "-wal"] {
        let from = format!("{}{end}", store.display());
        if Path::new(&from).exists() {
            fs::copy(&from, folder.file(&format!("esctl.db{end}"))).unwrap();
        }
    }
    rows(&folder, projection)
}

#[test]
fn a_full_disk_interrupts_a_rebuild_that_goes_on_when_there_is_space() {
    let dice = Dice::new();
    let source = source(EVENTS);
    let size = usize::try_from(fs::metadata(source.file("esctl.db")).unwrap().len()).unwrap() / 1024;
    let expected = expected(&source, &[1]);
    let (mut within, mut full) = (0, 0);
    for round in 0..scaled(12, 500) {
        let mut dice = dice.nth(round);
        let projection = PROJECTIONS[round % 3];
        let space = 64 + dice.below(1_000);
        let small = match Small::new(size + space) {
            Ok(small) => small,
            Err(why) => return skipped(&format!("no disk is filled by a rebuild: {why}")),
        };
        let store = small.path().join("esctl.db");
        fs::copy(source.file("esctl.db"), &store).unwrap();
        let folder = Folder::empty();
        folder.write("domains/trial.yaml", domain(2, &[]));
        let old = rows(&source, projection);
        let rebuild = |dice: &mut Dice| {
            let jobs = 1 + dice.below(3);
            folder.esctl(&format!("project rebuild {projection} --jobs {jobs} --store {}", store.display()))
        };
        eprintln!("round {round}: {projection}, {space} KiB");
        let mut left = 0;
        loop {
            let ended = rebuild(&mut dice);
            if ended.exit == 0 {
                break;
            }
            full += 1;
            let ended = ended.exits(5);
            assert!(!ended.stderr.contains("damaged"), "{ended}");
            same(&served(&store, projection), &old);
            // A little is enough to get further, or not even for that.
            left += 50 + dice.below(1_000);
            assert!(left < 20 * 1024, "it does not go on, whatever space there is: {ended}");
            small.resize(size + space + left);
            let state = progress(&reading(&store), projection);
            within += usize::from(state.is_some_and(|(_, ahead)| ahead.is_some()));
        }
        same(&shown(&reading(&store), projection), &expected[&(projection, false, false)].rows);
        folder.esctl(&format!("project verify {projection} --store {}", store.display())).done();
        folder.esctl(&format!("verify --store {}", store.display())).done();
    }
    eprintln!("{full} times full, {within} times between two parts of a stride");
    assert!(within > 0, "no disk became full between two parts of a stride");
}
