//! `esctl describe -o`: JSON, NDJSON, CSV

use super::shop;
use insta::assert_snapshot;

#[test]
fn as_one_document() {
    let folder = shop();
    assert_snapshot!(folder.esctl("describe -o json"), @r#"
    exit: 0
    stdout:
    {"domains":[
    {"kind":"domain","name":"shop","description":"What is ordered\nand what is in stock.","file":"domains/shop.yaml"}
    ],
    "aggregates":[
    {"kind":"aggregate","name":"order","domain":"shop","description":"","state":[{"name":"status","initial":"none"},{"name":"items","initial":{}},{"name":"total","type":"decimal","initial":0}],"invariants":[],"commands":["order.Place","order.Close","order.Look"],"events":["order.Placed","order.Closed"],"retired":[]},
    {"kind":"aggregate","name":"stock","domain":"shop","description":"Copies of one item.","state":[{"name":"left","initial":0}],"invariants":[{"name":"not_below_zero","condition":"// What is not there cannot be taken.\nstate.left >= 0"}],"commands":["stock.Fill","stock.Close","stock.sales"],"events":["stock.Taken","stock.Filled"],"retired":[]}
    ],
    "commands":[
    {"kind":"command","name":"order.Place","domain":"shop","aggregate":"order","description":"Asks for an item.","fields":[{"name":"item","type":"string","optional":false},{"name":"number","type":"integer","optional":false},{"name":"note","type":"string","optional":true}],"emits":[{"event":"order.Placed"},{"event":"stock.Taken","stream":"stock/*"},{"event":"stock.Taken","stream":"stock/reserve"},{"event":"order.Closed"}],"rejects":["too_few"],"loads":["stock/*","stock/reserve"],"invariants":["stock.not_below_zero"],"sent_by":[]},
    {"kind":"command","name":"order.Close","domain":"shop","aggregate":"order","description":"","fields":[],"emits":[{"event":"order.Closed"}],"rejects":["unknown"],"loads":[],"invariants":[],"sent_by":[]},
    {"kind":"command","name":"order.Look","domain":"shop","aggregate":"order","description":"","fields":[],"emits":[],"rejects":["unknown"],"loads":[],"invariants":[],"sent_by":[]},
    {"kind":"command","name":"stock.Fill","domain":"shop","aggregate":"stock","description":"","fields":[{"name":"number","type":"integer","optional":false}],"emits":[{"event":"stock.Filled"}],"rejects":[],"loads":[],"invariants":["stock.not_below_zero"],"sent_by":[]},
    {"kind":"command","name":"stock.Close","domain":"shop","aggregate":"stock","description":"","fields":[],"emits":[],"rejects":["never"],"loads":[],"invariants":[],"sent_by":[]},
    {"kind":"command","name":"stock.sales","domain":"shop","aggregate":"stock","description":"","fields":[],"emits":[],"rejects":["never"],"loads":[],"invariants":[],"sent_by":[]}
    ],
    "events":[
    {"kind":"event","name":"order.Placed","domain":"shop","aggregate":"order","description":"It was ordered.","version":1,"was":[],"fields":[{"name":"item","type":"string","optional":false},{"name":"number","type":"integer","optional":false,"description":"How many."},{"name":"note","type":"string","optional":true}],"emitted_by":["order.Place"],"folded_by":"order","projected_by":["sales"],"handled_by":[]},
    {"kind":"event","name":"order.Closed","domain":"shop","aggregate":"order","description":"","version":1,"was":[],"fields":[],"emitted_by":["order.Place","order.Close"],"folded_by":null,"projected_by":[],"handled_by":[]},
    {"kind":"event","name":"stock.Taken","domain":"shop","aggregate":"stock","description":"","version":1,"was":[],"fields":[{"name":"number","type":"integer","optional":false}],"emitted_by":["order.Place"],"folded_by":"stock","projected_by":["sales"],"handled_by":[]},
    {"kind":"event","name":"stock.Filled","domain":"shop","aggregate":"stock","description":"","version":1,"was":[],"fields":[{"name":"number","type":"integer","optional":false}],"emitted_by":["stock.Fill"],"folded_by":"stock","projected_by":[],"handled_by":[]}
    ],
    "projections":[
    {"kind":"projection","name":"sales","domain":"shop","description":"","columns":[{"name":"item","type":"string","optional":false},{"name":"sold","type":"integer","optional":false},{"name":"last","type":"string","optional":true}],"events":[{"event":"order.Placed","key":"event.item","deletes":false},{"event":"stock.Taken","key":"meta.id","deletes":false}],"indexes":[["sold","item"]],"inline":true}
    ],
    "processes":[]}
    "#);
    assert_snapshot!(folder.esctl("describe Place -o json"), @r#"
    exit: 0
    stdout:
    {"kind":"command","name":"order.Place","domain":"shop","aggregate":"order","description":"Asks for an item.","fields":[{"name":"item","type":"string","optional":false},{"name":"number","type":"integer","optional":false},{"name":"note","type":"string","optional":true}],"emits":[{"event":"order.Placed"},{"event":"stock.Taken","stream":"stock/*"},{"event":"stock.Taken","stream":"stock/reserve"},{"event":"order.Closed"}],"rejects":["too_few"],"loads":["stock/*","stock/reserve"],"invariants":["stock.not_below_zero"],"sent_by":[]}
    "#);
    for line in ["describe -o json", "describe Placed -o json", "describe sales -o ndjson"] {
        serde_json::from_str::<serde_json::Value>(&folder.esctl(line).done()).unwrap();
    }
}

#[test]
fn a_line_a_thing() {
    let folder = shop();
    let lines = folder.esctl("describe -o ndjson").done();
    let document: serde_json::Value = serde_json::from_str(&folder.esctl("describe -o json").done()).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds = ["domains", "aggregates", "commands", "events", "projections", "processes"];
    let all: Vec<_> = kinds.iter().map(|kind| document[*kind].clone()).collect();
    let all: Vec<_> = all.iter().flat_map(|list| list.as_array().unwrap().clone()).collect();
    assert_eq!(lines, all);
    assert_snapshot!(folder.esctl("describe stock -o ndjson"), @r#"
    exit: 0
    stdout:
    {"kind":"aggregate","name":"stock","domain":"shop","description":"Copies of one item.","state":[{"name":"left","initial":0}],"invariants":[{"name":"not_below_zero","condition":"// What is not there cannot be taken.\nstate.left >= 0"}],"commands":["stock.Fill","stock.Close","stock.sales"],"events":["stock.Taken","stock.Filled"],"retired":[]}
    "#);
    assert_snapshot!(folder.esctl("describe -o csv"), @r#"
    exit: 0
    stdout:
    kind,name,domain,fields,emits,rejects,loads,invariants,emitted_by,folded_by,projected_by,events,sent_by,handled_by,sends,description
    domain,shop,shop,,,,,,,,,,,,,"What is ordered
    and what is in stock."
    aggregate,order,shop,"status, items, total",,,,,,,,"order.Placed, order.Closed",,,,
    aggregate,stock,shop,left,,,,not_below_zero,,,,"stock.Taken, stock.Filled",,,,Copies of one item.
    command,order.Place,shop,"item, number, note?","order.Placed, stock.Taken, order.Closed",too_few,"stock/*, stock/reserve",stock.not_below_zero,,,,,,,,Asks for an item.
    command,order.Close,shop,,order.Closed,unknown,,,,,,,,,,
    command,order.Look,shop,,,unknown,,,,,,,,,,
    command,stock.Fill,shop,number,stock.Filled,,,stock.not_below_zero,,,,,,,,
    command,stock.Close,shop,,,never,,,,,,,,,,
    command,stock.sales,shop,,,never,,,,,,,,,,
    event,order.Placed,shop,"item, number, note?",,,,,order.Place,order,sales,,,,,It was ordered.
    event,order.Closed,shop,,,,,,"order.Place, order.Close",,,,,,,
    event,stock.Taken,shop,number,,,,,order.Place,stock,sales,,,,,
    event,stock.Filled,shop,number,,,,,stock.Fill,stock,,,,,,
    projection,sales,shop,"item, sold, last?",,,,,,,,"order.Placed, stock.Taken",,,,
    "#);
}
