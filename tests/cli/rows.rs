//! The rows of read models: what they begin with, what their columns hold, and how SQLite has them.

use crate::support::{Folder, dump};

/// Sales, with columns of every kind.
const SALES: &str = r#"
domain: shop
aggregates:
  till:
    state: { n: 0 }
    events:
      Sold: { fields: { item: string, price: decimal, note?: string, tags: [string] }, fold: state.n += 1 }
      Gone: { fields: { item: string }, fold: state.n += 1 }
    commands:
      Sell: { fields: { item: string, price: decimal, note?: string, tags: [string] }, decide: 'emit("Sold", command)' }
      Drop: { fields: { item: string }, decide: 'emit("Gone", command)' }
projections:
  items:
    columns:
      item: string
      sold: integer
      stars: integer
      income: decimal
      least?: decimal
      note?: string
      day: date
      cheap: boolean
      prices: [decimal]
      halves: { last: decimal, all: [decimal] }
      tags: [string]
      seen: any
      text: string
    initial: { stars: 3, cheap: true, prices: [7], halves: { last: 7, all: [] }, text: first }
    indexes: [[income], [stars, item]]
    key: event.item
    on:
      till.Sold: |
        // What the columns hold shows in what is made of them.
        row.text = `${row.prices[row.prices.len() - 1] / 2} ${row.halves.last / 2} ${row.income / 2}`;
        row.sold += 1;
        row.income += event.price;
        if row.least == () || event.price < row.least { row.least = event.price; }
        row.note = get(event, "note", ());
        row.day = date_of(meta.time);
        row.cheap = event.price < 10;
        row.prices.push(event.price);
        row.halves.last = event.price / 2;
        row.halves.all.push(row.halves.last);
        row.tags += event.tags;
        row.seen = #{ price: event.price, half: event.price / 2, note: row.note, of: [event.price, ()] };
      till.Gone: delete()
  kinds:
    columns: { item: string, n: integer, d: decimal, b: boolean, s: string, l: [string], o: { a?: string }, od?: decimal, oi?: integer, day: date, any: any }
    key: event.item
    on: { till.Sold: 'row.n = if exists { 1 } else { 0 }' }
"#;

fn sales() -> Folder {
    let folder = Folder::empty();
    folder.write("domains/shop.yaml", SALES);
    folder
}

fn sell(folder: &Folder, item: &str, price: &str) {
    folder.esctl(&format!("send till/1 Sell item={item} price={price} tags:='[\"x\",\"{price}\"]'")).done();
}

#[test]
fn a_new_row_begins_with_zero_values_or_what_initial_says() {
    let folder = sales();
    sell(&folder, "pen", "5");
    folder.esctl("project show kinds -o ndjson").exits(0).prints(
        r#"{"item":"pen","n":0,"d":0,"b":false,"s":"","l":[],"o":{},"od":null,"oi":null,"day":null,"any":null}"#,
    );
    folder.esctl("project show items -o ndjson").exits(0).prints(
        r#"{"item":"pen","sold":1,"stars":3,"income":5,"least":5,"note":null,"day":"2026-01-31","cheap":true,"prices":[7,5],"#,
    );
    // After `delete()` a row begins anew.
    sell(&folder, "pen", "20");
    folder.esctl("send till/1 Drop item=pen").done();
    sell(&folder, "pen", "6");
    folder.esctl("project show items -o ndjson").exits(0).prints(r#""sold":1,"stars":3,"income":6,"least":6,"#);
    folder.esctl("project show kinds --columns n -o csv").exits(0).prints("n\n1\n");
}

#[test]
fn a_row_that_is_not_there_can_be_deleted() {
    let folder = sales();
    folder.esctl("send till/1 Drop item=pen").done();
    assert_eq!(folder.esctl("project show items -o json").done(), "[]\n");
    folder.esctl("send till/1 Drop item=pen").done();
    sell(&folder, "ink", "1");
    folder.esctl("send till/1 Drop item=pen").done();
    assert_eq!(folder.esctl("project show items --columns item -o csv").done(), "item\nink\n");
    folder.esctl("project verify").exits(0);
}

/// What a handler finds in a row is the same whether it was just made or read from the store.
#[test]
fn event_by_event_gives_what_one_rebuild_gives() {
    let folder = sales();
    // Whole numbers that are decimals, zeros at the end, more digits than a float has.
    for price in ["7", "7.0", "7.50", "3", "-3", "9999999999999999999.10", "0", "0.00", "12345678901234567", "5"] {
        for item in ["pen", "ink"] {
            sell(&folder, item, price);
            folder.esctl("project show items --limit 0").done();
        }
    }
    folder.esctl("send till/1 Drop item=ink").done();
    sell(&folder, "ink", "9");
    folder.esctl("project show items").done();
    let by_event = dump::rows(&folder, "esctl.db", "items");
    folder.esctl("project rebuild items").done();
    assert_eq!(dump::rows(&folder, "esctl.db", "items"), by_event);
    folder.esctl("project rebuild items --jobs 3").done();
    assert_eq!(dump::rows(&folder, "esctl.db", "items"), by_event);
    folder.esctl("project rebuild items --key pen").done();
    assert_eq!(dump::rows(&folder, "esctl.db", "items"), by_event);
    folder
        .esctl("project show items --key pen -o ndjson")
        .exits(0)
        .prints(r#""prices":[7,7,7.0,7.50,3,-3,9999999999999999999.10,0,0.00,12345678901234567,5],"#)
        .prints(r#""text":"6172839450617283.5 3086419725308641.75 "#);
}

#[test]
fn lists_and_objects_are_json_and_what_is_absent_is_null() {
    let folder = sales();
    sell(&folder, "pen", "2.50");
    let one = |sql: &str| dump::ask(&folder, &format!("SELECT {sql} FROM items")).remove(0);
    folder.esctl("project rebuild").done();
    assert_eq!(one("typeof(prices) || prices || json_extract(halves, '$.all[0]')"), "text[7,2.50]1.25");
    assert_eq!(one("typeof(seen) || (seen ->> 'half')"), "text1.25");
    assert_eq!(one("typeof(note) || typeof(least) || typeof(cheap) || typeof(day)"), "nullrealintegertext");
    folder.esctl("send till/1 Sell item=pen price=3 note=fine tags:='[]'").done();
    folder.esctl("sql \"SELECT item FROM items WHERE note = 'fine' AND cheap\" -o csv").exits(0).prints("item\npen\n");
    sell(&folder, "pen", "4");
    folder.esctl("sql 'SELECT item FROM items WHERE note IS NULL' -o csv").exits(0).prints("item\npen\n");
    assert_eq!(one("(SELECT group_concat(value) FROM json_each(tags))"), "x,2.50,x,4");
}

#[test]
fn indexes_that_are_declared_are_used() {
    let folder = sales();
    sell(&folder, "pen", "5");
    folder.esctl("project show items").done();
    let plan = |sql: &str| {
        let connection = rusqlite::Connection::open(folder.file("esctl.db")).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    for (sql, used) in [
        ("SELECT item FROM items WHERE item = 'pen'", "(item=?)"),
        ("SELECT item FROM items WHERE income = 5", "(income=?)"),
        ("SELECT item FROM items WHERE stars = 3 AND item > 'a'", "(stars=? AND item>?)"),
    ] {
        let plan = plan(sql);
        assert!(plan.contains("SEARCH items__1 USING") && plan.contains(used), "{sql}: {plan}");
    }
    let without = plan("SELECT item FROM items WHERE sold = 1");
    assert!(without.contains("SCAN"), "{without}");
    let sorted = plan("SELECT income FROM items ORDER BY income");
    assert!(!sorted.contains("TEMP B-TREE"), "{sorted}");
}

#[test]
fn decimals_sort_and_sum_exactly() {
    let folder = sales();
    for (item, price) in
        [("a", "0.1"), ("b", "0.2"), ("c", "10"), ("d", "9.99"), ("e", "-1"), ("f", "100000000000000.1")]
    {
        sell(&folder, item, price);
    }
    let sorted = "a,0.1\nb,0.2\nd,9.99\nc,10\nf,100000000000000.1\n";
    folder
        .esctl("sql 'SELECT item, income FROM items ORDER BY income' -o csv")
        .exits(0)
        .prints(&format!("e,-1\n{sorted}"));
    folder
        .esctl("project show items --columns item,income --order income -o csv")
        .exits(0)
        .prints(&format!("e,-1\n{sorted}"));
    folder
        .esctl("project show items --columns item,income --where 'income > 0' --order income -o csv")
        .exits(0)
        .prints(sorted);
    folder.esctl("sql 'SELECT sum(income) AS s FROM items' -o csv").exits(0).prints("s\n100000000000019.39\n");
    folder.esctl("sql \"SELECT sum(income) AS s FROM items WHERE item < 'c'\" -o csv").exits(0).prints("s\n0.3\n");
}

/// A plain SQLite shell reads the views while a batch is under way, and the batch is not disturbed.
#[test]
fn others_read_while_it_writes() {
    let folder = sales();
    sell(&folder, "pen", "1");
    folder.esctl("project rebuild items").done();
    // Each line goes in when the one before has its receipt: the batch is open all the while.
    let script = r#"
        mkfifo lines receipts
        esctl send --batch - < lines > receipts &
        exec 3> lines 4< receipts
        for n in 1 2 3 4 5; do
            echo '{"stream":"till/2","command":"Sell","data":{"item":"pen","price":1,"tags":[]}}' >&3
            read -r receipt <&4
            esctl project show items --limit 0 > /dev/null
            sqlite3 -readonly esctl.db "SELECT sold, (SELECT count(*) FROM events) FROM items"
        done
        exec 3>&-
        wait
    "#;
    assert_eq!(folder.bash(script).exits(0).stdout, "2|2\n3|3\n4|4\n5|5\n6|6\n");
    folder.esctl("verify").exits(0);
}

/// Whatever cell of a row is changed by hand, that one is named.
#[test]
fn a_cell_of_any_kind_that_was_changed_by_hand_is_named() {
    let folder = sales();
    sell(&folder, "pen", "2.50");
    folder.esctl("send till/1 Sell item=pen price=3 note=fine tags:='[]'").done();
    sell(&folder, "ink", "7");
    folder.esctl("project rebuild --jobs 2").done();
    for (column, value, stored, computed) in [
        ("sold", "7", "7", "2"),
        ("stars", "0", "0", "3"),
        ("income", "5.51", "5.51", "5.5"),
        ("income", "'5.50000000000000000000000001'", "5.50000000000000000000000001", "5.5"),
        ("least", "NULL", "null", "2.5"),
        ("note", "NULL", "null", "\"fine\""),
        ("note", "''", "\"\"", "\"fine\""),
        ("day", "'2026-02-01'", "\"2026-02-01\"", "\"2026-01-31\""),
        ("cheap", "0", "false", "true"),
        ("prices", "'[7,2.51,3]'", "[7,2.51,3]", "[7,2.50,3]"),
        ("tags", "'[\"x\"]'", "[\"x\"]", "[\"x\",\"2.50\"]"),
        (
            "halves",
            "'{\"last\":1.5,\"all\":[1.25]}'",
            "{\"last\":1.5,\"all\":[1.25]}",
            "{\"all\":[1.25,1.5],\"last\":1.5}",
        ),
        ("text", "'2'", "\"2\"", ""),
    ] {
        dump::change(&folder, &format!("CREATE TABLE kept AS SELECT {column} FROM items__1 WHERE item = 'pen'"));
        dump::change(&folder, &format!("UPDATE items__1 SET {column} = {value} WHERE item = 'pen'"));
        let verdict = folder.esctl("project verify").exits(1);
        let said =
            format!("differs  items       `{column}` of the row \"pen\" is {stored}, the events give {computed}");
        assert!(verdict.stdout.contains(&said), "{said}\n{verdict}");
        assert_eq!(verdict.stdout.lines().count(), 4, "{verdict}");
        let back =
            format!("UPDATE items__1 SET {column} = (SELECT {column} FROM kept) WHERE item = 'pen'; DROP TABLE kept");
        dump::change(&folder, &back);
        folder.esctl("project verify").exits(0);
    }
}
