//! Events over time: what was stored under earlier rules is read by the rules as they are now, on every path.

use crate::support::Folder;
use insta::assert_snapshot;

const FIRST: &str = r#"
domain: shop
aggregates:
  customer:
    state: { number: 0, address: "", greeted: 0 }
    events:
      Registered: { fields: { number: integer }, fold: state.number = event.number }
      AddressChanged: { fields: { address: string, since?: date }, fold: state.address = event.address }
      PromoGiven: { fields: { text: string }, fold: state.greeted += 1 }
    commands:
      Register: { fields: { number: integer }, decide: 'emit("Registered", command)' }
      ChangeAddress: { fields: { address: string, since?: date }, decide: 'emit("AddressChanged", command)' }
      GivePromo: { fields: { text: string }, decide: 'emit("PromoGiven", command)' }
"#;

const NOW: &str = r#"
domain: shop
functions: |
  fn named(number) { `CUST${number}` }
aggregates:
  customer:
    state: { number: "", street: "", country: "", by: "", moves: 0 }
    retired: [PromoGiven]
    events:
      Registered:
        version: 2
        fields: { number: string }
        upcast:
          1: event.number = named(event.number)
        fold: state.number = event.number
      Moved:
        version: 3
        was: [AddressChanged]
        fields: { street: string, country: string, by: string, since?: date }
        upcast:
          1: |
            event.street = event.address;
            event.remove("address");
          2: |
            event.country = "USA";
            event.by = `${meta.type} ${meta.actor} ${meta.version}`;
        fold: |
          state.street = event.street; state.country = event.country; state.by = event.by; state.moves += 1;
    commands:
      Register: { fields: { number: string }, decide: 'emit("Registered", command)' }
      Move:
        fields: { street: string, country: string }
        decide: |
          require(state.street != command.street, "lives_there", "since long", #{ number: state.number });
          emit("Moved", #{ street: command.street, country: command.country, by: "hand" });
      Join:
        fields: { to: string }
        decide: |
          let other = load(`customer/${command.to}`).state;
          emit("Moved", #{ street: other.street, country: other.country, by: other.by });
projections:
  addresses:
    columns: { customer: string, street: string, country: string, type: string, since?: date }
    key: meta.id
    on:
      customer.Moved: |
        row.street = event.street; row.country = event.country; row.type = meta.type; row.since = event.since;
  streets:
    columns: { street: string, customers: integer }
    key: event.street
    on:
      customer.Moved: row.customers += 1
"#;

/// A store that the first rules made, and the rules as they are now beside it.
fn shop() -> Folder {
    let folder = Folder::empty();
    folder.write("domains/shop.yaml", FIRST);
    folder.esctl("send customer/1 Register number=4829").done();
    folder.bash("esctl send customer/1 ChangeAddress address='1 Main St' since=2026-01-01 --actor ada").done();
    folder.esctl("send customer/1 GivePromo text=hello").done();
    folder.bash("esctl send customer/2 ChangeAddress address='1 Main St' --actor bob").done();
    folder.write("domains/shop.yaml", NOW);
    folder
}

#[test]
fn replays_see_events_as_they_are_now() {
    let folder = shop();
    assert_snapshot!(folder.esctl("replay customer/1 -o ndjson").done(), @r#"
    {"stream":"customer/1","version":3,"position":3,"time":"2026-01-31T12:00:00.000000Z","state":{"number":"CUST4829","street":"1 Main St","country":"USA","by":"Moved ada 2","moves":1}}
    "#);
    assert_snapshot!(folder.esctl("replay customer/1 --steps").done(), @r#"
    version 1  @1  2026-01-31T12:00:00.000000Z  Registered {"number":4829}
      ~ number: "" → CUST4829
    version 2  @2  2026-01-31T12:00:00.000000Z  +0 s  AddressChanged {"address":"1 Main St","since":"2026-01-01"}
      ~ street: "" → 1 Main St
      ~ country: "" → USA
      ~ by: "" → Moved ada 2
      ~ moves: 0 → 1
    version 3  @3  2026-01-31T12:00:00.000000Z  +0 s  PromoGiven {"text":"hello"}
        (no change)
    "#);
    assert_snapshot!(folder.esctl("replay customer/1 --at 1").done(), @r#"
    customer/1  version 1  @1  2026-01-31T12:00:00.000000Z

    number:  CUST4829
    street:  ""
    country: ""
    by:      ""
    moves:   0
    "#);
}

#[test]
fn decisions_and_what_they_load_see_them_so() {
    let folder = shop();
    let refused = folder.bash("esctl send customer/1 Move street='1 Main St' country=FR -o json");
    assert_snapshot!(refused.exits(1).stdout, @r#"
    {"stream":"customer/1","command":"Move","id":"019c13ec-9e00-7000-8000-000040000000","outcome":"rejected","code":"lives_there","message":"since long","details":{"number":"CUST4829"},"version":3,"position":4,"head":"2b76125fd0339adce322b08b33e09db68b8e266c98b0c144b1d9df840f71f1f1"}
    "#);
    assert_snapshot!(folder.esctl("send customer/3 Join to=2 -o json").done(), @r#"
    {"stream":"customer/3","command":"Join","id":"019c13ec-9e00-7000-8000-000040000000","outcome":"accepted","version":1,"position":5,"events":[{"version":1,"position":5,"type":"Moved","data":{"street":"1 Main St","country":"USA","by":"Moved bob 1"}}],"head":"d41f102c9d2bff9da310a43edf045370421cb0582d3dd6ac102093426bad0104"}
    "#);
    // What is stored now has the version of now.
    assert_snapshot!(folder.bash("esctl events -o ndjson | jq -c '[.position,.type,.schema,.data]'").done(), @r#"
    [1,"Registered",null,{"number":4829}]
    [2,"AddressChanged",null,{"address":"1 Main St","since":"2026-01-01"}]
    [3,"PromoGiven",null,{"text":"hello"}]
    [4,"AddressChanged",null,{"address":"1 Main St"}]
    [5,"Moved",3,{"street":"1 Main St","country":"USA","by":"Moved bob 1"}]
    "#);
}

#[test]
fn read_models_see_them_so_and_their_rows_are_made_anew_when_an_upcast_changes() {
    let folder = shop();
    assert_snapshot!(folder.esctl("project show addresses").done(), @r"
    customer  street     country  type   since
    1         1 Main St  USA      Moved  2026-01-01
    2         1 Main St  USA      Moved
    ");
    assert_snapshot!(folder.esctl("project show streets").done(), @r"
    street     customers
    1 Main St          2
    ");
    assert_snapshot!(folder.esctl("project verify").done(), @r"
    result  projection  detail
    same    addresses   2 rows from 2 events, up to @4
    same    streets     1 row from 2 events, up to @4
    ");
    folder.write("domains/shop.yaml", NOW.replace("event.country = \"USA\"", "event.country = \"US\""));
    assert_snapshot!(folder.esctl("project show addresses --key 2 -o ndjson").done(), @r#"
    {"customer":"2","street":"1 Main St","country":"US","type":"Moved","since":null}
    "#);
    // A comment, or another name for a variable, is no change.
    let status = "esctl project status -o ndjson | jq -c '[.name,.status]'";
    let commented = NOW.replace("event.country = \"USA\"", "event.country = \"US\" /* for now */");
    folder.write("domains/shop.yaml", commented);
    assert_snapshot!(folder.bash(status).done(), @r#"
    ["addresses","current"]
    ["streets","stale"]
    "#);
    let helper = NOW.replace("event.country = \"USA\"", "event.country = \"US\"").replace("CUST$", "C$");
    folder.write("domains/shop.yaml", helper);
    // The helper is reached by the upcast of an event that no read model handles.
    assert_snapshot!(folder.bash(status).done(), @r#"
    ["addresses","current"]
    ["streets","stale"]
    "#);
}

#[test]
fn exports_are_what_is_stored_or_what_it_is_now() {
    let folder = shop();
    let data = "| jq -c '[.type, .position, .data]'";
    assert_snapshot!(folder.bash(&format!("esctl export --as cloudevents {data}")).done(), @r#"
    ["customer.Registered","1",{"number":4829}]
    ["customer.AddressChanged","2",{"address":"1 Main St","since":"2026-01-01"}]
    ["customer.PromoGiven","3",{"text":"hello"}]
    ["customer.AddressChanged","4",{"address":"1 Main St"}]
    "#);
    assert_snapshot!(folder.bash(&format!("esctl export --as cloudevents --current {data}")).done(), @r#"
    ["customer.Registered","1",{"number":"CUST4829"}]
    ["customer.Moved","2",{"street":"1 Main St","country":"USA","by":"Moved ada 2","since":"2026-01-01"}]
    ["customer.Moved","4",{"street":"1 Main St","country":"USA","by":"Moved bob 1"}]
    "#);
    let refused = folder.esctl("export --current");
    assert_snapshot!(refused.exits(2).stderr, @r"
    error: `--current` changes what is stored, and `import` makes the very same store
    hint: `esctl export --current --as cloudevents` writes the events for other programs
    ");
    // Another store takes the old events, since they become what they are now.
    folder.bash("esctl export | esctl import --store copy.db").done();
    let copy = folder.esctl("replay customer/1 --store copy.db").done();
    assert_eq!(copy, folder.esctl("replay customer/1").done());
    folder.write(
        "domains/shop.yaml",
        NOW.replace("event.remove(\"address\");", "").replace("event.address", "event.street"),
    );
    let refused = folder.bash("esctl export | esctl import --store other.db").exits(2);
    assert_snapshot!(refused.stderr, @r"
    error: this `AddressChanged` of version 1 cannot be upcast: `event` has no field `street`
     = in line 6 of the export
    hint: `--raw` takes events as they are, whatever the domain says
    1 event: 1 stored, 0 there before
    ");
}

#[test]
fn what_is_newer_than_the_rules_stops_with_its_position() {
    let folder = shop();
    folder.bash("esctl send customer/1 Move street=Elm country=FR").done();
    let (before, after) = NOW.split_once("          2: |").unwrap();
    let (_, after) = after.split_once("${meta.version}`;\n").unwrap();
    let mut older = format!("{before}{after}").replace("version: 3", "version: 2");
    older = older.replace("event.remove(\"address\");", "event.remove(\"address\"); event.country = \"USA\";");
    for gone in ["by: string, ", " state.by = event.by;", ", by: \"hand\"", ", by: other.by", ", by: \"\""] {
        older = older.replace(gone, "");
    }
    folder.write("domains/shop.yaml", older);
    folder.esctl("check").done();
    for arguments in
        ["replay customer/1", "project show addresses", "export --as cloudevents --current", "check --store esctl.db"]
    {
        let outcome = folder.esctl(arguments);
        assert!(
            outcome.stderr.contains("(@5)") && outcome.stderr.contains("version 3"),
            "{arguments}: {}",
            outcome.stderr
        );
    }
    assert_snapshot!(folder.esctl("replay customer/1").exits(2).stderr, @r"
    error: event 4 of `customer/1` (@5) is a `Moved` of schema version 3, the domain knows version 2
    hint: it was stored under newer rules: use these
    ");
    folder.esctl("replay customer/1 --at 3").done();
}

#[test]
fn what_nobody_knows_stops_with_its_position() {
    let folder = shop();
    folder.write("domains/shop.yaml", NOW.replace("    retired: [PromoGiven]\n", ""));
    assert_snapshot!(folder.esctl("replay customer/1").exits(2).stderr, @r"
    error: event 3 of `customer/1` (@3) is a `PromoGiven`, which `customer` does not know
    hint: a stored event keeps its type forever: declare it again under `events`, name it under `was` of the event that it is now, or under `retired: [PromoGiven]`
    ");
    assert_snapshot!(folder.esctl("export --as cloudevents --current").exits(2).stderr, @r"
    error: event 3 of `customer/1` (@3) is a `PromoGiven`, which `customer` does not know
    hint: a stored event keeps its type forever: declare it again under `events`, name it under `was` of the event that it is now, or under `retired: [PromoGiven]`
    ");
}

#[test]
fn a_step_that_fails_says_where_and_at_which_event() {
    let folder = shop();
    folder.write("domains/shop.yaml", NOW.replace("named(event.number)", "named(event.number / 0)"));
    assert_snapshot!(folder.esctl("replay customer/1").exits(4).stderr, @r"
    error: division by zero: 4829 / 0
      --> domains/shop.yaml:14:48
       |
    14 |           1: event.number = named(event.number / 0)
       |                                                ^
       = while folding event 1 of `customer/1` (@1)
    ");
    // What they come to is looked at as a whole.
    folder.write("domains/shop.yaml", NOW.replace("named(event.number)", "event.number + 1"));
    assert_snapshot!(folder.esctl("replay customer/1").exits(4).stderr, @r"
    error: what is stored of `Registered` does not become what it is now: `number`: expected a string, found the number `4830`
      --> domains/shop.yaml:14:14
       |
    14 |           1: event.number = event.number + 1
       |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = while folding event 1 of `customer/1` (@1)
    ");
    let missing = NOW.replace("            event.country = \"USA\";\n", "");
    folder.write("domains/shop.yaml", missing);
    let stopped = folder.esctl("project show addresses");
    assert_snapshot!(stopped.exits(4).stderr, @r"
    error: what is stored of `Moved` does not become what it is now: `country` is missing, expected a string
      --> domains/shop.yaml:25:13
       |
    25 |             event.by = `${meta.type} ${meta.actor} ${meta.version}`;
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = while projecting `AddressChanged` of `customer/1` (@2) into `addresses`
    hint: `--park` goes on past it, and `esctl project parked` lists it then
    ");
}

#[test]
fn a_domain_is_tried_on_all_that_is_stored() {
    let folder = shop();
    let before = folder.bash("sha256sum esctl.db").done();
    let sound = folder.esctl("check --store esctl.db");
    assert_snapshot!(sound.stderr, @r"
    4 events of 2 streams read and folded
    ");
    assert_snapshot!(sound.exits(0).stdout, @r#"
    shop: 1 aggregate, 3 commands, 2 events, 2 projections, 0 scenarios
    stored                   version  events  now               failures
    customer.AddressChanged        1       2  Moved, version 3         0
    customer.PromoGiven            1       1  retired                  0
    customer.Registered            1       1  version 2                0

    AddressChanged, version 1 (@2 of customer/1):
      before  {"address":"1 Main St","since":"2026-01-01"}
      after   {"street":"1 Main St","country":"USA","by":"Moved ada 2","since":"2026-01-01"}

    Registered, version 1 (@1 of customer/1):
      before  {"number":4829}
      after   {"number":"CUST4829"}
    "#);
    assert_snapshot!(folder.esctl("check --store esctl.db -o ndjson").done(), @r#"
    {"aggregate":"customer","type":"AddressChanged","version":1,"events":2,"now":{"type":"Moved","version":3},"retired":false,"failures":0,"sample":{"stream":"customer/1","position":2,"before":{"address":"1 Main St","since":"2026-01-01"},"after":{"street":"1 Main St","country":"USA","by":"Moved ada 2","since":"2026-01-01"}}}
    {"aggregate":"customer","type":"PromoGiven","version":1,"events":1,"now":null,"retired":true,"failures":0}
    {"aggregate":"customer","type":"Registered","version":1,"events":1,"now":{"type":"Registered","version":2},"retired":false,"failures":0,"sample":{"stream":"customer/1","position":1,"before":{"number":4829},"after":{"number":"CUST4829"}}}
    "#);
    let broken = NOW.replace("named(event.number)", "named(event.number / 0)").replace("[PromoGiven]", "[Other]");
    folder.write("domains/shop.yaml", broken);
    let failing = folder.esctl("check --store esctl.db");
    assert_snapshot!(failing.stderr, @r"
    error: event 3 of `customer/1` (@3) is a `PromoGiven`, which `customer` does not know
    hint: a stored event keeps its type forever: declare it again under `events`, name it under `was` of the event that it is now, or under `retired: [PromoGiven]`

    error: division by zero: 4829 / 0
      --> domains/shop.yaml:14:48
       |
    14 |           1: event.number = named(event.number / 0)
       |                                                ^
       = while upcasting event 1 of `customer/1` (@1)

    4 events of 2 streams read and folded: 2 failed, 1 after that in their streams were only read
    ");
    assert_snapshot!(failing.exits(1).stdout, @r#"
    shop: 1 aggregate, 3 commands, 2 events, 2 projections, 0 scenarios
    stored                   version  events  now               failures
    customer.AddressChanged        1       2  Moved, version 3         0
    customer.PromoGiven            1       1  unknown                  1
    customer.Registered            1       1  version 2                1

    AddressChanged, version 1 (@2 of customer/1):
      before  {"address":"1 Main St","since":"2026-01-01"}
      after   {"street":"1 Main St","country":"USA","by":"Moved ada 2","since":"2026-01-01"}
    "#);
    // Fields that changed while the version did not.
    folder.write("domains/shop.yaml", FIRST.replace("{ text: string }", "{ text: string, by: string }"));
    folder.esctl("check").done();
    let failing = folder.esctl("check --store esctl.db -o ndjson");
    assert_snapshot!(failing.exits(1).stdout, @r#"
    {"aggregate":"customer","type":"AddressChanged","version":1,"events":2,"now":{"type":"AddressChanged","version":1},"retired":false,"failures":0}
    {"aggregate":"customer","type":"PromoGiven","version":1,"events":1,"now":{"type":"PromoGiven","version":1},"retired":false,"failures":1,"failure":{"position":3,"severity":"error","rule":"stored","message":"event 3 of `customer/1` (@3) does not fit `PromoGiven`: `by` is missing, expected a string","place":null,"hints":["where the fields of an event change, its `version` does, and an `upcast` says how"]}}
    {"aggregate":"customer","type":"Registered","version":1,"events":1,"now":{"type":"Registered","version":1},"retired":false,"failures":0}
    "#);
    // Without `--store`, and where it is only in the environment, no store is asked.
    folder.bash("ESCTL_STORE=esctl.db esctl check").done();
    folder.esctl("check --store none.db").exits(2);
    assert_eq!(folder.bash("sha256sum esctl.db").done(), before);
}

#[test]
fn streams_of_other_domains_are_left_alone() {
    let folder = shop();
    folder.write("other/other.yaml", "domain: other\naggregates:\n  thing:\n    state: {}\n");
    let outcome = folder.esctl("check --domain other --store esctl.db");
    assert_snapshot!(outcome.stderr, @r"
    note: 4 events of aggregates that the domain does not have were left alone
    0 events of 0 streams read and folded
    ");
    outcome.exits(0);
}
