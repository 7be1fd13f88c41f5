//! Hostile SQL is refused or stopped: nothing is written, no file appears, time and memory stay within their bounds.

use crate::support::Folder;
use std::fs;
use std::time::{Duration, Instant};

/// All the memory a run may take, in KiB: SQLite's 256 MB, what is held of an answer, the program, a stack.
const MEMORY: u64 = 768 * 1024;
/// The longest a run may take that is stopped after one second, where SQLite does not notice, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(8);

/// What is refused at once.
const REFUSED: &[&str] = &[
    // Writing, of every kind.
    "DELETE FROM es_events",
    "DELETE FROM events",
    "DELETE FROM balances",
    "DELETE FROM balances__1",
    "DELETE FROM es_generations RETURNING *",
    "UPDATE balances__1 SET balance = 0",
    "UPDATE es_generations SET checkpoint = 0",
    "UPDATE es_events SET data = '{}' RETURNING data",
    "UPDATE sqlite_schema SET sql = ''",
    "INSERT INTO balances__1 VALUES ('x', 'x', 0, 0) RETURNING *",
    "INSERT INTO es_streams VALUES (9, 'a/b', 'a')",
    "INSERT OR REPLACE INTO es_store VALUES ('id', 'x')",
    "REPLACE INTO es_store VALUES ('id', 'x')",
    "WITH x AS (SELECT 1) DELETE FROM es_events",
    "WITH x AS (SELECT 1) INSERT INTO es_store SELECT 'a', 'b' RETURNING *",
    "CREATE TABLE x (a)",
    "CREATE TABLE x AS SELECT * FROM events",
    "CREATE TEMP TABLE x (a)",
    "CREATE TEMP VIEW x AS SELECT 1",
    "CREATE TEMP TRIGGER x AFTER INSERT ON es_events BEGIN SELECT 1; END",
    "CREATE VIEW x AS SELECT 1",
    "CREATE INDEX x ON es_events (time)",
    "CREATE TRIGGER x AFTER INSERT ON es_events BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE x USING fts5(a)",
    "CREATE VIRTUAL TABLE temp.x USING rtree(a, b, c)",
    "DROP TABLE es_events",
    "DROP VIEW balances",
    "DROP TRIGGER es_events_delete",
    "ALTER TABLE es_events ADD COLUMN x",
    "ALTER TABLE es_events RENAME TO x",
    "REINDEX",
    "ANALYZE",
    "VACUUM",
    "VACUUM INTO 'copy.db'",
    "VACUUM main INTO 'file:copy.db?mode=rwc'",
    // Other files, and settings.
    "ATTACH 'other.db' AS other",
    "ATTACH ':memory:' AS other",
    "ATTACH 'file:other.db?mode=rwc' AS other",
    "DETACH main",
    "PRAGMA query_only = 0",
    "PRAGMA writable_schema = ON",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA journal_mode",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA hard_heap_limit = 0",
    "PRAGMA temp_store_directory = '.'",
    "PRAGMA user_version = 9",
    "PRAGMA incremental_vacuum",
    "PRAGMA optimize",
    "PRAGMA integrity_check",
    "SELECT * FROM pragma_table_info('es_events')",
    "SELECT * FROM pragma_database_list",
    "SELECT count(*) FROM pragma_database_list",
    "SELECT * FROM pragma_wal_checkpoint",
    "SELECT * FROM pragma_function_list, events",
    "SELECT (SELECT count(*) FROM pragma_integrity_check) FROM events",
    "SELECT * FROM dbstat",
    "SELECT count(*) FROM dbstat",
    "SELECT * FROM sqlite_dbpage",
    "SELECT * FROM fts3tokenize",
    "SELECT * FROM temp.sqlite_schema, temp.x",
    // Transactions, a second statement, other things that are no question.
    "BEGIN",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "END",
    "SAVEPOINT x",
    "RELEASE x",
    "EXPLAIN SELECT * FROM events",
    "EXPLAIN QUERY PLAN SELECT * FROM events",
    "EXPLAIN DELETE FROM es_events",
    "SELECT 1; SELECT 2",
    "SELECT 1; DELETE FROM es_events",
    "SELECT 1;;;/* */ -- \n;ATTACH 'x.db' AS x",
    "SELECT 1; nonsense",
    "; DELETE FROM es_events; SELECT 1",
    "SELECT 1 /* ; */; PRAGMA query_only = 0 --",
    "",
    ";;;",
    "-- only a comment",
    "/* never closed",
    // Functions that reach out of the statement, or that only shells have.
    "SELECT load_extension('x.so')",
    "SELECT writefile('x', 'y')",
    "SELECT readfile('/etc/passwd')",
    "SELECT edit('x')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT fts3_tokenizer('simple', x'0000000000000000')",
    "SELECT fts5(x'00')",
    "SELECT sqlite_log(1, 'x')",
    "SELECT sqlite_compileoption_get(1)",
    "SELECT sqlite_source_id()",
    "SELECT randomblob(1000000000)",
    "SELECT randomblob(1)",
    "SELECT zeroblob(1000000000)",
    "SELECT last_insert_rowid()",
    "SELECT rtreecheck('x')",
    "SELECT eval('DELETE FROM es_events')",
    "SELECT shell('true')",
    "SELECT sum(load_extension('x')) OVER () FROM events",
    // More than a text may be.
    "SELECT printf('%.*c', 1000000000, 'x')",
    "SELECT printf('%1000000000d', 1)",
    "SELECT format('%.*c', 2147483647, 'x') || 'y'",
    "SELECT replace(replace(replace(printf('%.*c', 1000000, 'a'), 'a', 'aaaaaaaaaa'), 'a', 'bb'), 'b', 'cc')",
    "SELECT hex(hex(hex(hex(printf('%.*c', 1000000, 'x')))))",
    "WITH RECURSIVE t(x) AS (SELECT 'x' UNION ALL SELECT x || x FROM t) SELECT x FROM t",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT group_concat(printf('%.*c', 100000, 'x')) FROM t",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT json_group_array(printf('%.*c', 100000, 'x')) FROM t",
    "SELECT json_array(printf('%.*c', 9000000, 'x'), printf('%.*c', 9000000, 'x'))",
    "SELECT printf('%.*c', 9000000, 'a'), printf('%.*c', 9000000, 'b')",
    // What cannot be right.
    "SELECT * FROM nowhere",
    "SELECT abs(-9223372036854775808)",
    "SELECT json('[')",
    "SELECT * FROM events NATURAL JOIN",
    "\u{feff}\u{202e}SELECT",
    "SELECT '\u{1b}[31m' FROM \u{1b}[31m",
];

/// What runs until it is stopped.
const ENDLESS: &[&str] = &[
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n FROM t",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION SELECT n + 1 FROM t) SELECT n FROM t ORDER BY n DESC",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t) SELECT count(DISTINCT n) FROM t",
    "WITH RECURSIVE t(n, x) AS (SELECT 1, printf('%.*c', 9000000, 'x') UNION ALL SELECT n + 1, x FROM t) SELECT n, x FROM t",
    "WITH RECURSIVE t(n, x) AS (SELECT 1, printf('%.*c', 100000, 'x') UNION ALL SELECT n + 1, x || n FROM t) SELECT x FROM t ORDER BY x",
    "SELECT sum(a.position * b.position) FROM events a, events b, events c, events d, events e, events f, events g, events h, \
     events i, events j, events k, events l, events m, events n, events o, events p, events q, events r, events s, events t",
    "SELECT count(*) OVER (ORDER BY a.data || b.data) FROM es_events a, es_events b, es_events c, es_events d, es_events e, \
     es_events f, es_events g, es_events h, es_events i, es_events j, es_events k, es_events l, es_events m, es_events n, es_events o",
    "SELECT (WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT sum(n) FROM t) FROM balances",
];

/// What keeps SQLite busy in one step, so that it does not ask whether to stop.
const DEAF: &str = "SELECT instr(printf('%.*c', 9000000, 'a'), printf('%.*c', 4500000, 'a') || 'b')";

/// A store with something in it, and what it holds.
struct Subject {
    folder: Folder,
    held: String,
    files: Vec<String>,
    slowest: Duration,
}

impl Subject {
    fn new() -> Self {
        let folder = Folder::opened();
        folder.esctl("project rebuild").done();
        folder.write("statement.sql", "");
        let held = held(&folder);
        let files = folder.listing();
        Self { folder, held, files, slowest: Duration::ZERO }
    }

    /// Runs a statement and insists that it is refused or stopped within its bounds, and that all is as it was.
    fn refuses(&mut self, statement: impl AsRef<[u8]>) {
        let statement = statement.as_ref();
        self.folder.write("statement.sql", statement);
        let shown = String::from_utf8_lossy(&statement[..statement.len().min(300)]).into_owned();
        let begun = Instant::now();
        let script = format!("ulimit -v {MEMORY}; esctl sql @statement.sql --max-seconds 1 -o csv");
        let outcome = self.folder.bash(&script);
        let took = begun.elapsed();
        self.slowest = self.slowest.max(took);
        assert!(outcome.exit == 2 && outcome.stdout.is_empty(), "{shown}\n{outcome}");
        assert!(outcome.stderr.starts_with("error: ") && !outcome.stderr.contains('\u{1b}'), "{shown}\n{outcome}");
        assert!(took < PATIENCE, "{shown}\ntook {took:?}");
        // The export closes the store, which clears away what a statement left that SQLite could not stop.
        assert!(held(&self.folder) == self.held, "{shown}\nchanged what is stored");
        assert_eq!(self.folder.listing(), self.files, "{shown}\nleft files");
    }
}

/// What a store holds: its log, its tables, the rows of its read models.
fn held(folder: &Folder) -> String {
    let schema = "sql 'SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name' --stale -o csv";
    let rows = "sql 'SELECT * FROM balances' --stale -o csv";
    let state = "sql 'SELECT * FROM projections' --stale -o csv";
    ["export", schema, rows, state].map(|what| folder.esctl(what).done()).concat()
}

#[test]
fn what_would_do_anything_but_read_is_refused() {
    let mut subject = Subject::new();
    for statement in REFUSED {
        subject.refuses(statement);
    }
    eprintln!("{} statements refused, the slowest after {:?}", REFUSED.len(), subject.slowest);
}

#[test]
fn what_does_not_end_is_stopped() {
    let mut subject = Subject::new();
    for statement in ENDLESS {
        subject.refuses(statement);
    }
    subject.refuses(DEAF);
    eprintln!("{} statements stopped, the slowest after {:?}", ENDLESS.len() + 1, subject.slowest);
}

#[test]
fn what_is_too_large_or_no_text_is_refused() {
    let mut subject = Subject::new();
    let deep = |open: &str, middle: &str, close: &str, times: usize| {
        format!("SELECT {}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let many = |times: usize, what: &dyn Fn(usize) -> String| (0..times).map(what).collect::<Vec<_>>().join(", ");
    for statement in [
        deep("(", "1", ")", 1_000),
        deep("(", "1", ")", 40_000),
        deep("-+", "1", "", 40_000),
        deep("NOT ", "1", "", 20_000),
        deep("1 + ", "1", "", 20_000),
        deep("abs(", "1", ")", 10_000),
        deep("CASE WHEN ", "1", " THEN 1 END", 5_000),
        deep("(SELECT ", "1", ")", 10_000),
        deep("* FROM (SELECT ", "1", ")", 6_000),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(5_000)),
        format!("SELECT 1{}", " UNION SELECT 2".repeat(60)),
        format!("SELECT {}", many(3_000, &|_| "1".to_owned())),
        format!("SELECT {}", many(150, &|_| "printf('%.*c', 9000000, 'a')".to_owned())),
        format!("SELECT * FROM {}", many(65, &|n| format!("events AS e{n}"))),
        format!("SELECT * FROM {}", many(2_000, &|n| format!("events AS e{n}"))),
        format!("SELECT {}", many(2_000, &|n| format!(":p{n}"))),
        "SELECT ?999999999".to_owned(),
        format!("WITH {} SELECT * FROM t60", {
            let pair = |n: usize| format!("t{}(x) AS (SELECT a.x FROM t{n} a, t{n} b)", n + 1);
            format!("t0(x) AS (SELECT 1), {}", many(60, &pair))
        }),
        format!("SELECT '{}' LIKE '{}'", "a".repeat(40_000), "%a".repeat(20_000)),
        format!("SELECT '{}'", "x".repeat(1_000_000)),
        format!("SELECT 1 -- {}", "x".repeat(1_000_000)),
        format!("SELECT 1{}", ";".repeat(1_000_000)),
        "SELECT 1\0; DELETE FROM es_events".to_owned(),
        "\0".to_owned(),
    ] {
        subject.refuses(statement);
    }
    for bytes in [&b"SELECT '\xff'"[..], b"\xff\xfe", b"SELECT 1 -- \xc3"] {
        subject.refuses(bytes);
    }
    // As an argument it is refused before esctl looks at it.
    subject.folder.bash("esctl sql \"$(printf 'SELECT \\xff')\"").exits(2);
    eprintln!("the slowest after {:?}", subject.slowest);
}

/// What a statement gives is not kept in the folder, nor in memory, however much it is.
#[test]
fn a_large_answer_takes_bounded_memory() {
    let subject = Subject::new();
    let row = "printf('%.*c', 1000000, 'x') AS x FROM t";
    let sql = format!("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t LIMIT 300) SELECT n, {row}");
    fs::write(subject.folder.file("statement.sql"), sql).unwrap();
    for form in ["csv", "ndjson", "json", "table"] {
        // Less than the 300 MB that there are to print.
        let script = format!("ulimit -v {}; esctl sql @statement.sql --max-seconds 60 -o {form} | wc -c", 256 * 1024);
        let printed: u64 = subject.folder.bash(&script).done().trim().parse().unwrap();
        assert!(printed > 300_000_000, "{form}: {printed}");
        assert_eq!(subject.folder.listing(), subject.files);
    }
}
