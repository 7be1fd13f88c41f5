//! A rebuild that ended between two parts of a stride, wherever that is, made by hand: who goes on brings the other rows
//! there, and then all of them further.

use super::*;

/// How many events the rebuild has seen that goes on.
const SEEN: usize = 3_000;

/// Has the rebuild of a read model end where its rows up to a key have seen all events, and the others the first of them only,
/// as they are in the other store.
fn take_back(store: &Path, earlier: &Path, projection: &str, checkpoint: usize, key: &str) {
    let connection = Connection::open(store).unwrap();
    let served = "SELECT number FROM es_generations WHERE projection = ?1 AND state = 'served'";
    let number: i64 = connection.query_row(served, [projection], |row| row.get(0)).unwrap();
    // No key is written with an escape here, so the texts sort as the keys do.
    connection.execute(&format!("DELETE FROM {projection}__{number} WHERE '\"' || id || '\"' > ?1"), [key]).unwrap();
    connection.execute("ATTACH ?1 AS earlier", [earlier.to_str().unwrap()]).unwrap();
    let copy = format!(
        "INSERT INTO main.{projection}__{number} SELECT * FROM earlier.{projection}__{number} WHERE '\"' || id || '\"' > ?1"
    );
    if checkpoint > 0 {
        connection.execute(&copy, [key]).unwrap();
    }
    connection
        .execute_batch(&format!(
            "UPDATE main.es_generations SET state = 'building', since = NULL, checkpoint = {checkpoint} \
             WHERE number = {number}; \
             INSERT INTO main.es_ahead (generation, position, key) VALUES ({number}, {SEEN}, '{key}'); \
             DROP VIEW main.{projection}"
        ))
        .unwrap();
}

/// A store of so many events, whose read models are filled by the new rules.
fn filled(events: usize) -> Folder {
    let folder = Folder::empty();
    append(&folder.file("esctl.db"), 1..=events);
    folder.write("domains/trial.yaml", domain(2, &[]));
    folder.esctl("project rebuild").done();
    folder
}

#[test]
fn who_goes_on_between_two_parts_brings_all_rows_to_the_end() {
    let tries = scaled(24, 1_000);
    let dice = Dice::new();
    let late = filled(SEEN);
    for round in 0..tries {
        let mut dice = dice.nth(round);
        let projection = PROJECTIONS[round % 3];
        let checkpoint = [0, 1 + dice.below(SEEN - 1)][round / 3 % 2];
        let key = key(projection, 1 + dice.below(SEEN));
        let growth = [0, 1 + dice.below(MORE)][round / 6 % 2];
        let jobs = 1 + dice.below(3);
        eprintln!("round {round}: {projection}, checkpoint: {checkpoint}, key: {key}, growth: {growth}, jobs: {jobs}");
        let folder = copy(&late, &[]);
        let earlier = filled(checkpoint.max(1));
        let store = folder.file("esctl.db");
        take_back(&store, &earlier.file("esctl.db"), projection, checkpoint, &key);
        if growth > 0 {
            append(&store, SEEN + 1..=SEEN + growth);
        }
        folder.esctl(&format!("project rebuild {projection} --jobs {jobs}")).done();
        same(&rows(&folder, projection), &bad::model(projection, 2, SEEN + growth, &[]));
        folder.esctl(&format!("project verify {projection}")).done();
        folder.esctl("verify").done();
    }
}
