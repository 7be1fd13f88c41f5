//! `esctl sql`

use crate::support::Folder;
use insta::assert_snapshot;

#[test]
fn what_is_asked_is_brought_up_to_date_before() {
    let folder = Folder::opened();
    assert_snapshot!(folder.esctl("sql 'SELECT * FROM balances'"), @r"
    exit: 0
    stdout:
    account  owner  balance  deposits
    ada      Ada        0.3         2
    ");
    folder.esctl("send account/ada Deposit amount=1").done();
    folder.esctl("sql 'SELECT balance FROM balances' --stale -o csv").exits(0).prints("balance\n0.3\n");
    // However it is named: by the view in another case, by way of a table of its own, where no column is read.
    folder.esctl("sql 'SELECT b.Balance FROM BALANCES AS b' -o csv").exits(0).prints("\n1.3\n");
    folder.esctl("send account/bob Open owner=Bob currency=EUR").done();
    folder.esctl("sql 'SELECT count(*) AS n FROM balances' -o csv").exits(0).prints("n\n2\n");
    folder.esctl("send account/eve Open owner=Eve currency=EUR").done();
    folder.esctl("sql 'SELECT count(*) AS n FROM balances__1' -o csv").exits(0).prints("n\n3\n");
    // What it does not read stays as it is.
    folder.esctl("project status -o csv").exits(0).prints("ledger,never,");
    assert_eq!(folder.listing(), ["domains", "esctl.db", "esctl.db-turn"]);
}

#[test]
fn changed_rules_are_followed_before_it_is_run() {
    let folder = Folder::opened();
    folder.esctl("project rebuild").done();
    let domain = std::fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    assert!(domain.contains("deposits"));
    folder.write("domains/bank.yaml", domain.replace("deposits", "paid_in"));
    folder.esctl("sql 'SELECT paid_in FROM balances' -o csv").exits(0).prints("paid_in\n2\n");
    folder.esctl("sql 'SELECT deposits FROM balances'").exits(2).says("there is no column `deposits`");
}

#[test]
fn rows_in_every_form() {
    let folder = Folder::opened();
    let ask = "sql \"SELECT version, type, data ->> 'amount' AS amount, NULL AS absent, x'00ff' AS bytes FROM events\"";
    assert_snapshot!(folder.esctl(ask), @r"
    exit: 0
    stdout:
    version  type       amount  absent  bytes
          1  Opened                     00ff
          2  Deposited     0.1          00ff
          3  Deposited     0.2          00ff
    ");
    assert_snapshot!(folder.esctl(&format!("{ask} -o ndjson")), @r#"
    exit: 0
    stdout:
    {"version":1,"type":"Opened","amount":null,"absent":null,"bytes":"00ff"}
    {"version":2,"type":"Deposited","amount":0.1,"absent":null,"bytes":"00ff"}
    {"version":3,"type":"Deposited","amount":0.2,"absent":null,"bytes":"00ff"}
    "#);
    assert_snapshot!(folder.esctl(&format!("{ask} -o csv")), @r"
    exit: 0
    stdout:
    version,type,amount,absent,bytes
    1,Opened,,,00ff
    2,Deposited,0.1,,00ff
    3,Deposited,0.2,,00ff
    ");
    assert_snapshot!(folder.esctl("sql 'SELECT position FROM events WHERE position > 9' -o json"), @r"
    exit: 0
    stdout:
    []
    ");
    let numbers = "sql 'SELECT 3.0 AS a, 1e300 AS b, 0.1+0.2 AS c, 9e999 AS d, -9223372036854775808 AS e' -o ndjson";
    let exact = r#"{"a":3.0,"b":1e300,"c":0.30000000000000004,"d":9e999,"e":-9223372036854775808}"#;
    folder.esctl(numbers).exits(0).prints(exact);
    folder.esctl("sql \"SELECT CAST(x'ff' AS TEXT) AS a\" -o ndjson").exits(0).prints(r#"{"a":"ff"}"#);
    folder.esctl("sql 'SELECT 1 AS a, 2 AS a' -o csv").exits(0).prints("a,a\n1,2\n");
    assert_snapshot!(folder.esctl("sql 'SELECT 1 AS a, 2 AS a' -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"several columns are called `a`, and JSON can tell only one of them","hints":["give each a name of its own with `AS`"],"exit":2}}
    "#);
}

#[test]
fn decimals_are_exact() {
    let folder = Folder::opened();
    folder.esctl("send account/big Open owner=B currency=EUR").done();
    folder.esctl("send account/big Deposit amount=12345678901234567.89").done();
    assert_snapshot!(folder.esctl("sql 'SELECT account, balance FROM balances'"), @r"
    exit: 0
    stdout:
    account               balance
    ada                       0.3
    big      12345678901234567.89
    ");
    folder
        .esctl("sql 'SELECT balance FROM balances WHERE balance > 1' -o ndjson")
        .prints("{\"balance\":12345678901234567.89}\n");
    folder.esctl("sql 'SELECT sum(balance) AS s FROM balances' -o csv").exits(0).prints("s\n12345678901234568.19\n");
    let window = "sql 'SELECT sum(amount) OVER (ORDER BY line ROWS 1 PRECEDING) AS s FROM ledger' -o csv";
    folder.esctl(window).exits(0).prints("s\n0.1\n0.3\n12345678901234568.09\n");
    folder.esctl("sql 'SELECT sum(position) AS s, typeof(sum(position)) AS t FROM events' -o csv").prints("15,integer");
    folder.esctl("sql 'SELECT sum(position) AS s FROM events WHERE position < 0' -o ndjson").prints("{\"s\":null}");
    folder.esctl("sql 'SELECT sum(type) FROM events'").exits(2).says("a text among its values");
    folder
        .esctl("sql \"SELECT sum(x) FROM (SELECT 1e-20 AS x UNION SELECT '99999999999999')\"")
        .exits(2)
        .says("28 digits");
}

#[test]
fn mistakes_are_shown_in_the_statement() {
    let folder = Folder::opened();
    assert_snapshot!(folder.esctl("sql 'SELECT * FROM blances'"), @r"
    exit: 2
    stderr:
    error: there is no table or view `blances`
     --> SQL:1:15
      |
    1 | SELECT * FROM blances
      |               ^^^^^^^
    hint: did you mean `balances`?
    ");
    assert_snapshot!(folder.esctl("sql 'SELECT ownr FROM balances' -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"there is no column `ownr`","place":{"file":"SQL","line":1,"column":8},"excerpt":"SELECT ownr FROM balances","hints":["did you mean `owner`?"],"exit":2}}
    "#);
    folder.write("q.sql", "SELECT type\nFORM events\n");
    assert_snapshot!(folder.esctl("sql @q.sql"), @r"
    exit: 2
    stderr:
    error: `events` is not understood here
     --> q.sql:2:6
      |
    2 | FORM events
      |      ^^^^^^
    ");
    folder.esctl("sql 'SELECT coutn(*) FROM events'").exits(2).says("did you mean `count`?");
    folder.esctl("sql 'SELECT 1 +'").exits(2).says("the statement ends too early");
    let fresh = Folder::opened();
    fresh
        .esctl("sql 'SELECT * FROM balances' --stale")
        .exits(2)
        .says("hint: `balances` was never built; without `--stale`");
    fresh.esctl("sql 'SELECT 1' --store none.db").exits(2).says("there is no store at `none.db`");
    assert_eq!(fresh.listing(), ["domains", "esctl.db", "esctl.db-turn"]);
}

#[test]
fn one_statement_from_the_arguments_a_file_or_stdin() {
    let folder = Folder::opened();
    folder.write("q.sql", ";; -- how many\nSELECT count(*) AS n FROM events; /* that is all; */ ;\n");
    folder.esctl("sql @q.sql -o csv").exits(0).prints("n\n3\n");
    folder.esctl_with("sql - -o csv", "SELECT 1 AS one").exits(0).prints("one\n1\n");
    assert_snapshot!(folder.esctl("sql \"SELECT ';' AS a; -- and;\nSELECT 2\""), @r"
    exit: 2
    stderr:
    error: there is a second statement, and `sql` takes one
     --> SQL:2:1
      |
    2 | SELECT 2
      | ^^^^^^
    ");
    for nothing in ["", ";", "/* nothing */"] {
        folder.esctl(&format!("sql '{nothing}'")).exits(2).says("there is no statement");
    }
    folder.esctl("sql @nowhere.sql").exits(2).says("`nowhere.sql` cannot be read");
    folder.esctl_with("sql -", [b'S', 0xff]).exits(2).says("not UTF-8");
    folder.esctl_with("sql -", "SELECT 1\0").exits(2).says("NUL");
}

#[test]
fn parameters() {
    let folder = Folder::opened();
    let ask = "sql 'SELECT :a AS a, @b AS b, $c AS c, ?4 AS d, typeof(:a) AS t, :a AS e' -o ndjson";
    folder
        .esctl(&format!("{ask} --param a=1 --param b:=2.50 --param c:=null --param 4:=true"))
        .exits(0)
        .prints(r#"{"a":"1","b":2.5,"c":null,"d":1,"t":"text","e":"1"}"#);
    assert_snapshot!(folder.esctl("sql 'SELECT :a, :b' --param a=1 --param d=2 --param e=3"), @r"
    exit: 2
    stderr:
    error: the parameter `b` is not given; the statement has no parameter `d`; the statement has no parameter `e`
    hint: give it with `--param b=VALUE`, or `--param b:=JSON` for a number
    ");
    folder.esctl("sql 'SELECT ?'").exits(2).says("has no name");
    folder.esctl("sql 'SELECT :a' --param a=1 --param a=2").exits(2).says("`--param a` is given twice");
    folder.esctl("sql 'SELECT :a' --param a:=x").exits(2).says("not JSON");
}

#[test]
fn the_log_can_be_asked_without_a_domain() {
    let folder = Folder::opened();
    folder.esctl("project rebuild balances").done();
    folder.bash("mv domains rules").done();
    folder.esctl("sql 'SELECT count(*) AS n FROM events' -o csv").exits(0).prints("n\n3\n");
    let shown = folder.esctl("sql 'SELECT balance FROM balances' -o csv").exits(0).prints("\n0.3\n");
    assert_eq!(shown.stderr, "note: there is no domain: projections are shown as they are\n");
    folder.esctl("sql 'SELECT * FROM ledger'").exits(2).says("there is no domain");
    folder.esctl("sql 'SELECT 1 FROM balances' --domain nowhere").exits(2).says("there is no domain at `nowhere`");
    // A domain that is not sound is in the way only of what it is needed for.
    folder.write("domains/bad.yaml", "domain: [");
    folder.esctl("sql 'SELECT 1 FROM events'").exits(0);
    folder.esctl("sql 'SELECT 1 FROM balances'").exits(2).says("bad.yaml");
}

#[test]
fn whoever_has_seen_enough_may_go() {
    let folder = Folder::opened();
    let many = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t LIMIT 100000) SELECT n FROM t";
    for form in ["table", "json", "ndjson", "csv"] {
        let script = format!("esctl sql '{many}' -o {form} | head -1 > /dev/null; echo ${{PIPESTATUS[0]}}");
        assert_eq!(folder.bash(&script).exits(0).stdout, "0\n");
    }
    // More than is kept in memory.
    let long = "sql \"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t LIMIT 20) \
                SELECT n, printf('%.*c', 1000000, 'x') AS x FROM t\" -o csv";
    assert_eq!(folder.esctl(long).done().len(), 1_000_000 * 20 + 20 * 2 + 11 + 20 + 4);
}
