//! `esctl project show`: which rows, which columns, in which order, and rows as they are.

use crate::support::Folder;
use insta::assert_snapshot;

const SHOP: &str = r"
domain: shop
aggregates:
  item:
    state: {}
    events:
      Listed: { fields: { name: string, price: decimal, sold: boolean, tags: [string], note?: any } }
    commands:
      List:
        fields: { name: string, price: decimal, sold: boolean, tags: [string], note?: any }
        decide: emit('Listed', command)
projections:
  items:
    columns: { item: string, name: string, price: decimal, sold: boolean, tags: [string], note?: any }
    key: meta.id
    on:
      item.Listed: |
        row.name = event.name; row.price = event.price; row.sold = event.sold;
        row.tags = event.tags; row.note = event.note;
";

/// Five items, one for each kind of decimal that SQL keeps in a way of its own.
fn shop() -> Folder {
    let folder = Folder::empty();
    folder.write("domains/shop.yaml", SHOP.replace('\'', "\""));
    let items = r#"
{"stream":"item/a","command":"List","data":{"name":"Apple","price":0.5,"sold":true,"tags":["red","round"],"note":{"by":"Ann"}}}
{"stream":"item/b","command":"List","data":{"name":"Bolt","price":-12345678901234567.891,"sold":false,"tags":[],"note":"7"}}
{"stream":"item/c","command":"List","data":{"name":"Comet","price":12345678901234567890.12,"sold":false,"tags":["round"],"note":7}}
{"stream":"item/d","command":"List","data":{"name":"Crane","price":12345678901234567890.11,"sold":true,"tags":["tall"],"note":null}}
{"stream":"item/e","command":"List","data":{"name":"Egg","price":12,"sold":false,"tags":["round","white"],"note":[1,2.50]}}
"#;
    folder.esctl_with("send --batch -", items.trim_start()).done();
    folder
}

#[test]
fn a_condition_chooses_rows() {
    let folder = shop();
    assert_snapshot!(folder.esctl("project show items --where 'price > 10'"), @r#"
    exit: 0
    stdout:
    item  name                     price  sold   tags               note
    c     Comet  12345678901234567890.12  false  ["round"]          7
    d     Crane  12345678901234567890.11  true   ["tall"]
    e     Egg                         12  false  ["round","white"]  [1,2.50]
    "#);
    assert_snapshot!(folder.esctl("project show items --where \"name LIKE 'C%' AND NOT sold\" -o json"), @r#"
    exit: 0
    stdout:
    [
    {"item":"c","name":"Comet","price":12345678901234567890.12,"sold":false,"tags":["round"],"note":7}
    ]
    "#);
    assert_snapshot!(folder.esctl("project show items --where 'price < 1' -o csv"), @r#"
    exit: 0
    stdout:
    item,name,price,sold,tags,note
    a,Apple,0.5,true,"[""red"",""round""]","{""by"":""Ann""}"
    b,Bolt,-12345678901234567.891,false,[],7
    "#);
    // What SQL can say of booleans, lists, and the read model as a whole.
    let names = |condition: &str| {
        let shown = folder.esctl(&format!("project show items --columns item -o csv --where \"{condition}\"")).done();
        shown.lines().skip(1).collect::<String>()
    };
    for (condition, expected) in [
        ("sold", "ad"),
        ("sold = false", "bce"),
        ("note IS NULL", "d"),
        ("note ->> 'by' = 'Ann'", "a"),
        ("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = 'round')", "ace"),
        ("items.price = (SELECT min(price) FROM items)", "b"),
        ("price < -12345678901234567", "b"),
        ("-price > 0", "b"),
        ("price BETWEEN 0 AND '12'", "ae"),
        ("-1", "abcde"),
        ("NULL", ""),
        ("name > 'Bolt' -- and so on", "cde"),
        ("name > 'Bolt' /* and so on */", "cde"),
        ("name GLOB '[AE]*' OR\n name = 'Bolt'", "abe"),
    ] {
        assert_eq!(names(condition), expected, "{condition}");
    }
    assert_eq!(folder.esctl("project show items --where 'price > 1e300' -o json").done(), "[]\n");
}

#[test]
fn values_keep_their_types_in_every_form() {
    let folder = shop();
    for form in ["table", "json", "ndjson", "csv"] {
        let all = folder.esctl(&format!("project show items -o {form}")).done();
        for same in ["--where 1", "--order item", "--stale", "--stale --where 1", "--at @5", "--at @5 --order item"] {
            assert_eq!(folder.esctl(&format!("project show items -o {form} {same}")).done(), all, "{same} -o {form}");
        }
    }
    assert_snapshot!(folder.esctl("project show items --order -item -o ndjson"), @r#"
    exit: 0
    stdout:
    {"item":"e","name":"Egg","price":12,"sold":false,"tags":["round","white"],"note":[1,2.50]}
    {"item":"d","name":"Crane","price":12345678901234567890.11,"sold":true,"tags":["tall"],"note":null}
    {"item":"c","name":"Comet","price":12345678901234567890.12,"sold":false,"tags":["round"],"note":7}
    {"item":"b","name":"Bolt","price":-12345678901234567.891,"sold":false,"tags":[],"note":"7"}
    {"item":"a","name":"Apple","price":0.5,"sold":true,"tags":["red","round"],"note":{"by":"Ann"}}
    "#);
}

#[test]
fn rows_are_sorted() {
    let folder = shop();
    assert_snapshot!(folder.esctl("project show items --order price --columns price,item"), @r"
    exit: 0
    stdout:
                      price  item
     -12345678901234567.891  b
                        0.5  a
                         12  e
    12345678901234567890.11  d
    12345678901234567890.12  c
    ");
    assert_snapshot!(folder.esctl("project show items --order -price --columns price,item -o csv --limit 2"), @r"
    exit: 0
    stdout:
    price,item
    12345678901234567890.12,c
    12345678901234567890.11,d
    ");
    let sorted = |order: &str| {
        let shown = folder.esctl(&format!("project show items --columns item -o csv {order}")).done();
        shown.lines().skip(1).collect::<String>()
    };
    // What is the same is sorted by the key, upwards whatever the rest does.
    assert_eq!(sorted("--order sold"), "bcead");
    assert_eq!(sorted("--order -sold"), "adbce");
    assert_eq!(sorted("--order=-sold,-name"), "daecb");
    assert_eq!(sorted("--order -sold --order=-name"), "daecb");
    assert_eq!(sorted("--order sold,item"), "bcead");
    assert_eq!(sorted("--order -item --limit 2"), "ed");
    assert_eq!(sorted("--order -item --limit 0"), "");
    assert_eq!(sorted("--order -item --key c"), "c");
    assert_eq!(sorted("--order -item --at @2"), "ba");
    // NULL is the least.
    assert_eq!(sorted("--order note").chars().next(), Some('d'));
}

#[test]
fn columns_are_picked() {
    let folder = shop();
    assert_snapshot!(folder.esctl("project show items --columns sold,item"), @r"
    exit: 0
    stdout:
    sold   item
    true   a
    false  b
    false  c
    true   d
    false  e
    ");
    folder
        .esctl("project show items --columns tags,price --key a -o csv")
        .exits(0)
        .prints("tags,price\n\"[\"\"red\"\",");
    folder
        .esctl("project show items --columns note --at @1 -o ndjson")
        .exits(0)
        .prints("{\"note\":{\"by\":\"Ann\"}}\n");
    assert_snapshot!(folder.esctl("project show items --columns item,nam,item,,weight --order -pric,sold --order sold"), @r"
    exit: 2
    stderr:
    error: there is no column `nam`
     --> --columns:1:6
      |
    1 | item,nam,item,,weight
      |      ^^^
    hint: did you mean `name`?

    error: the column `item` is named twice
     --> --columns:1:10
      |
    1 | item,nam,item,,weight
      |          ^^^^

    error: the name of a column is missing
     --> --columns:1:15
      |
    1 | item,nam,item,,weight
      |               ^

    error: there is no column `weight`
     --> --columns:1:16
      |
    1 | item,nam,item,,weight
      |                ^^^^^^
    hint: the columns are `item`, `name`, `price`, `sold`, `tags`, `note`

    error: there is no column `pric`
     --> --order:1:2
      |
    1 | -pric,sold
      |  ^^^^
    hint: did you mean `price`?

    error: the column `sold` is named twice
     --> --order:1:1
      |
    1 | sold
      | ^^^^
    ");
    assert_snapshot!(folder.esctl("project show items --columns Item --order=-Name -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"there is no column `Item`","place":{"file":"--columns","line":1,"column":1},"excerpt":"Item","hints":["did you mean `item`?"],"exit":2}}
    {"error":{"kind":"usage","message":"there is no column `Name`","place":{"file":"--order","line":1,"column":2},"excerpt":"-Name","hints":["did you mean `name`?"],"exit":2}}
    "#);
    // What is wrong is said before anything is filled.
    let fresh = shop();
    fresh.esctl("project show items --order weight").exits(2);
    fresh.esctl("project status -o csv").exits(0).prints("items,never,");
}

#[test]
fn everything_at_once() {
    let folder = shop();
    let all = "project show items --where 'price > 0' --order -sold,name --columns name,price,sold,tags --limit 3";
    assert_snapshot!(folder.esctl(&format!("{all} --at @4")), @r#"
    exit: 0
    stdout:
    name                     price  sold   tags
    Apple                      0.5  true   ["red","round"]
    Crane  12345678901234567890.11  true   ["tall"]
    Comet  12345678901234567890.12  false  ["round"]
    "#);
    assert_snapshot!(folder.esctl(&format!("{all} -o ndjson")), @r#"
    exit: 0
    stdout:
    {"name":"Apple","price":0.5,"sold":true,"tags":["red","round"]}
    {"name":"Crane","price":12345678901234567890.11,"sold":true,"tags":["tall"]}
    {"name":"Comet","price":12345678901234567890.12,"sold":false,"tags":["round"]}
    "#);
    assert_snapshot!(folder.esctl(&format!("{all} --stale --key c -o json")), @r#"
    exit: 0
    stdout:
    [
    {"name":"Comet","price":12345678901234567890.12,"sold":false,"tags":["round"]}
    ]
    "#);
}

#[test]
fn mistakes_are_shown_in_the_condition() {
    let folder = shop();
    assert_snapshot!(folder.esctl("project show items --where 'sold AND\n prise > 1'"), @r"
    exit: 2
    stderr:
    error: there is no column `prise`
     --> --where:2:2
      |
    2 |  prise > 1
      |  ^^^^^
    hint: did you mean `price`?
    ");
    assert_snapshot!(folder.esctl("project show items --where 'price >' -o ndjson"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"the condition ends too early","place":{"file":"--where","line":1,"column":8},"excerpt":"price >","hints":[],"exit":2}}
    "#);
    assert_snapshot!(folder.esctl("project show items --where 'name = \"Egg\"'"), @r#"
    exit: 2
    stderr:
    error: there is no column `Egg`
     --> --where:1:8
      |
    1 | name = "Egg"
      |        ^^^^^
    hint: a text stands in single quotes: `'Egg'`
    "#);
    assert_snapshot!(folder.esctl("project show items --where \"lenght(name) > 1 AND price > 'x'\""), @r"
    exit: 2
    stderr:
    error: there is no function `lenght`
     --> --where:1:1
      |
    1 | lenght(name) > 1 AND price > 'x'
      | ^^^^^^
    hint: did you mean `length`?
    ");
    assert_snapshot!(folder.esctl("project show items --where 'price > :least'"), @r"
    exit: 2
    stderr:
    error: a condition has no parameters
     --> --where:1:9
      |
    1 | price > :least
      |         ^
    hint: write the value itself
    ");
    assert_snapshot!(folder.esctl("project show items --where ''"), @r"
    exit: 2
    stderr:
    error: there is no condition
    hint: as in `--where 'balance > 0'`
    ");
    assert_snapshot!(folder.esctl("project show items --where \"name = 'Egg\""), @r"
    exit: 2
    stderr:
    error: a quote that is opened here is not closed
     --> --where:1:8
      |
    1 | name = 'Egg
      |        ^
    ");
    let long = "1 AND ".repeat(20_000) + "1";
    folder.write("long", &long);
    folder
        .bash("esctl project show items --where \"$(cat long)\"")
        .exits(2)
        .says("the condition is longer than 100000");
    let deep = format!("{}1{}", "(".repeat(150), ")".repeat(150));
    folder.esctl(&format!("project show items --where '{deep}'")).exits(0);
    let deep = "NOT ".repeat(150) + "1";
    folder.esctl(&format!("project show items --where '{deep}'")).exits(2).says("Expression tree is too large");
    folder.esctl("project show nope --where 1").exits(2).says("there is no projection `nope`");
    folder.esctl("project show items --stale --at @1").exits(2).says("cannot be used with");
    folder.esctl("project show items --max-seconds 0").exits(2);
}

#[test]
fn rows_as_they_are() {
    let folder = shop();
    assert_snapshot!(folder.esctl("project show items --stale"), @r"
    exit: 2
    stderr:
    error: `items` was never filled: there are no rows to show
    hint: `esctl project rebuild items` fills it
    ");
    folder.esctl("project show itms --stale").exits(2).says("did you mean `items`?");
    folder.esctl("project show items --stale --store none.db").exits(2).says("there is no store at `none.db`");
    folder.esctl("project rebuild").done();
    let late = r#"{"stream":"item/f","command":"List","data":{"name":"Fig","price":1,"sold":false,"tags":[]}}"#;
    folder.esctl_with("send --batch -", late).done();
    let before = folder.bash("sha256sum esctl.db").done();
    assert_eq!(folder.esctl("project show items --stale -o ndjson").done().lines().count(), 5);
    assert_eq!(folder.esctl("project show items --stale --where 'price > 0' -o ndjson").done().lines().count(), 4);
    assert_eq!(folder.bash("sha256sum esctl.db").done(), before, "nothing was written");
    folder.esctl("project status -o csv").exits(0).prints("items,behind,5,6,1,5,");
    assert_eq!(folder.esctl("project show items -o ndjson").done().lines().count(), 6);
}

#[test]
fn rows_that_other_rules_filled() {
    let folder = shop();
    folder.esctl("project rebuild").done();
    let today = SHOP
        .replace('\'', "\"")
        .replace(
            "name: string, price: decimal, sold: boolean, tags: [string], note?: any }\n    key",
            "title: string, cost: decimal, sold: boolean, tags: any }\n    key",
        )
        .replace("row.name = event.name; row.price = event.price;", "row.title = event.name; row.cost = event.price;")
        .replace(" row.note = event.note;", "");
    assert!(today.contains("cost: decimal"));
    folder.write("domains/shop.yaml", &today);
    folder.esctl("project status -o csv").exits(0).prints("items,stale,");
    // Of `note`, which is not there any more, SQL knows that it is text.
    assert_snapshot!(folder.esctl("project show items --stale -o ndjson"), @r#"
    exit: 0
    stdout:
    {"item":"a","name":"Apple","price":0.5,"sold":true,"tags":["red","round"],"note":"{\"by\":\"Ann\"}"}
    {"item":"b","name":"Bolt","price":-12345678901234567.891,"sold":false,"tags":[],"note":"\"7\""}
    {"item":"c","name":"Comet","price":12345678901234567890.12,"sold":false,"tags":["round"],"note":"7"}
    {"item":"d","name":"Crane","price":12345678901234567890.11,"sold":true,"tags":["tall"],"note":null}
    {"item":"e","name":"Egg","price":12,"sold":false,"tags":["round","white"],"note":"[1,2.50]"}
    "#);
    assert_snapshot!(folder.esctl("project show items --stale --where 'price > 1' --order -price --columns price,sold,name"), @r"
    exit: 0
    stdout:
                      price  sold   name
    12345678901234567890.12  false  Comet
    12345678901234567890.11  true   Crane
                         12  false  Egg
    ");
    assert_snapshot!(folder.esctl("project show items --stale --columns cost"), @r"
    exit: 2
    stderr:
    error: there is no column `cost`
     --> --columns:1:1
      |
    1 | cost
      | ^^^^
    hint: the columns are `item`, `name`, `price`, `sold`, `tags`, `note`
    ");
    assert_snapshot!(folder.esctl("project show items --stale --where 'cost > 1'"), @r"
    exit: 2
    stderr:
    error: there is no column `cost`
     --> --where:1:1
      |
    1 | cost > 1
      | ^^^^
    ");
    folder
        .esctl("project show items --stale --key b -o csv")
        .exits(0)
        .prints("\nb,Bolt,-12345678901234567.891,false,[],");
    // A column of the same name that holds what today's type does not.
    folder.write(
        "domains/shop.yaml",
        today.replace("item: string, title: string", "item: string, name: any, title: string"),
    );
    folder.esctl("project show items --stale --key b -o ndjson").exits(0).prints(r#""name":"Bolt""#);
    // A read model that no rules know any more.
    folder.write("domains/shop.yaml", today.replace("  items:\n", "  goods:\n"));
    folder.esctl("project show items").exits(2).says("there is no projection `items`");
    folder
        .esctl("project show items --stale --key a -o ndjson")
        .exits(0)
        .prints(r#""sold":1,"tags":"[\"red\",\"round\"]""#);
    folder.esctl("project show goods --stale").exits(2).says("`goods` was never filled");
    // By the rules of today they are filled anew.
    folder.write("domains/shop.yaml", &today);
    folder
        .esctl("project show items --where 'cost = 12' -o csv")
        .exits(0)
        .prints("item,title,cost,sold,tags\ne,Egg,12,");
}

#[test]
fn keys_are_read_by_their_type() {
    let folder = Folder::empty();
    let domain = r#"
domain: d
aggregates:
  a:
    state: {}
    events: { Done: { fields: { n: integer } } }
    commands: { Do: { fields: { n: integer }, decide: 'emit("Done", command)' } }
projections:
  rows:
    columns: { n: integer, twice-that: integer }
    key: event.n
    on: { a.Done: 'row["twice-that"] = 2 * event.n' }
"#;
    folder.write("domains/d.yaml", domain);
    for n in [1, 2, 10] {
        folder.esctl(&format!("send a/x Do n={n}")).done();
    }
    folder.esctl("project show rows --key 2 --where 1 -o csv").exits(0).prints("\n2,4\n");
    folder.esctl("project show rows --order -n -o csv").exits(0).prints("\n10,20\n2,4\n1,2\n");
    folder.esctl("project show rows --order -twice-that -o csv").exits(0).prints("\n10,20\n2,4\n1,2\n");
    folder.esctl("project show rows --where '\"twice-that\" = 4' -o csv").exits(0).prints("\n2,4\n");
    for ways in ["", "--where 1", "--stale", "--at @1"] {
        let wrong = folder.esctl(&format!("project show rows --key 1.5 {ways}")).exits(2).says("expected an integer");
        assert!(wrong.stdout.is_empty(), "{wrong}");
        folder.esctl(&format!("project show rows --key one {ways}")).exits(2).says("expected an integer, found `one`");
    }
}

#[test]
fn whoever_has_seen_enough_may_go() {
    let folder = Folder::empty();
    let domain = SHOP.replace('\'', "\"").replace("key: meta.id", "key: '[1, 2, 3, 4].map(|n| meta.id + n)'");
    folder.write("domains/shop.yaml", domain);
    let item = |n| {
        format!(
            "{{\"stream\":\"item/{n}\",\"command\":\"List\",\"data\":{{\"name\":\"{}\",\"price\":{n},\"sold\":true,\"tags\":[]}}}}\n",
            "x".repeat(400)
        )
    };
    let items: String = (0..1_000).map(item).collect();
    folder.esctl_with("send --batch -", items).done();
    for form in ["table", "json", "ndjson", "csv"] {
        for ways in ["--columns name", "--where 1", "--order -price", "--stale", "--stale --order price"] {
            let script =
                format!("esctl project show items {ways} -o {form} | head -1 > /dev/null; echo ${{PIPESTATUS[0]}}");
            assert_eq!(folder.bash(&script).exits(0).stdout, "0\n", "{ways} -o {form}");
        }
    }
    // Nothing of the store is held while nobody reads: the log can be cut back to nothing.
    let script = "esctl project show items --order price -o csv | (
        sleep 0.5
        esctl send item/late List name=x price=1 sold:=true tags:='[]' > /dev/null
        sqlite3 esctl.db 'PRAGMA wal_checkpoint(TRUNCATE)'
        tail -n +2 | wc -l)";
    assert_eq!(folder.bash(script).exits(0).stdout.split_whitespace().collect::<Vec<_>>(), ["0|0|0", "4000"]);
}
