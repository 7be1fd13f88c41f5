//! Hostile conditions of `project show --where` are refused or stopped: they stay within their parentheses, read nothing
//! but the rows they are about, and write nothing.

use crate::support::Folder;

/// What would leave the condition, reach beyond the rows, write, or take more than there is.
const HOSTILE: &[&str] = &[
    // Out of the parentheses.
    "1) UNION SELECT * FROM balances WHERE (1",
    "1) UNION SELECT 1, 2, 3, 4 WHERE (1",
    "1) UNION ALL SELECT sql, 2, 3, 4 FROM sqlite_schema WHERE (1",
    "1) OR (1",
    "1)",
    "(1",
    "1)--",
    "1) ORDER BY (1",
    "1) LIMIT (1",
    "1)) AS x(",
    "1 /*",
    "1) /* (",
    "1) LIMIT 1 /* (",
    "1) LIMIT 1 -- (",
    "1)\n--(\n",
    "'",
    "1 OR '",
    "\"",
    "[",
    "`",
    "x'",
    // More than one expression.
    "1, 1",
    "1 1",
    "1 AS x",
    "SELECT 1",
    "VALUES (1)",
    "WITH t AS (SELECT 1) SELECT 1",
    "1 UNION SELECT 1",
    "1 EXCEPT SELECT 1",
    "1 GROUP BY 1",
    "1 HAVING 1",
    "1 ORDER BY 1",
    "1 LIMIT 1",
    "1 WINDOW w AS ()",
    "1;",
    ";1",
    "1; SELECT 1",
    "1; DELETE FROM es_events",
    "1); DELETE FROM es_events; --",
    "1); DELETE FROM es_events WHERE (1",
    "",
    " \t\n",
    "--",
    "/**/",
    "-- 1",
    // Beyond the rows.
    "(SELECT count(*) FROM events)",
    "(SELECT count(*) FROM es_events)",
    "(SELECT count(*) FROM main.es_store)",
    "(SELECT data FROM events LIMIT 1) IS NOT NULL",
    "EXISTS (SELECT 1 FROM es_commands)",
    "EXISTS (SELECT * FROM commands)",
    "account IN events",
    "account IN (TABLE events)",
    "(SELECT count(*) FROM sqlite_schema)",
    "(SELECT sql FROM sqlite_master LIMIT 1) IS NULL",
    "(SELECT count(*) FROM sqlite_temp_schema)",
    "(SELECT count(*) FROM pragma_database_list)",
    "(SELECT name FROM pragma_table_info('es_events') LIMIT 1) <> ''",
    "(SELECT count(*) FROM dbstat)",
    "(SELECT count(*) FROM sqlite_dbpage)",
    "(SELECT count(*) FROM other.balances)",
    // What only computes, and what does not.
    "load_extension('x')",
    "randomblob(1000000000)",
    "zeroblob(1000000000)",
    "writefile('x', 'y')",
    "readfile('x')",
    "fts3_tokenizer('x')",
    "sqlite_version() <> ''",
    "count(*) > 0",
    "row_number() OVER () = 1",
    "raise(ABORT, 'x')",
    "balance MATCH 'x'",
    "owner REGEXP 'x'",
    "balance > ?",
    "balance > ?1",
    "balance > :a",
    "balance > @a",
    "balance > $a",
    "(1, 2)",
    "balances",
    "balances.*",
    "*",
    "rowid = 1",
    "balances__1.balance > 0",
    "#",
    "owner = 'x' COLLATE nope",
    // Time and memory.
    "(WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t) > 0",
    "(WITH RECURSIVE t(x) AS (SELECT 'x' UNION ALL SELECT x || x FROM t) SELECT max(length(x)) FROM t) > 0",
    "length(replace(printf('%.*c', 9000000, 'x'), 'x', 'xxxx')) > 0",
];

/// The same in a read model of the store, in one that is computed aside, and in one that is shown as it is.
#[test]
fn no_condition_does_harm() {
    let folder = Folder::opened();
    folder.esctl("project rebuild balances").done();
    let before = folder.bash("sha256sum esctl.db").done();
    let mut through = Vec::new();
    for condition in HOSTILE {
        folder.write("condition", condition);
        for ways in ["", "--at @3", "--stale"] {
            let ask = "esctl project show balances --max-seconds 1 -o csv --where \"$(cat condition)\"";
            let outcome = folder.bash(&format!("{ask} {ways}"));
            // Nothing of the statement around it is said.
            if outcome.exit != 2 || !outcome.stdout.is_empty() || outcome.stderr.contains("\"account\"") {
                through.push(format!("{condition} {ways}\n{outcome}"));
            }
        }
    }
    assert!(through.is_empty(), "{}", through.join("\n"));
    assert_eq!(folder.listing(), ["condition", "domains", "esctl.db", "esctl.db-turn"]);
    assert_eq!(folder.bash("sha256sum esctl.db").done(), before);
}
