//! The examples in `domains/`, used as people use them: what their scenarios cannot say, since it is about exit codes,
//! stores and streams.

use crate::support::Folder;
use insta::assert_snapshot;

/// A cart with two pens in it.
fn with_pens() -> Folder {
    let folder = Folder::example("cart");
    folder.esctl("send cart/1 Add product=pen quantity=2 price=1.20").done();
    folder
}

#[test]
fn an_item_has_its_price_and_its_time() {
    assert_snapshot!(Folder::example("cart").esctl("send cart/1 Add product=pen quantity=2 price=1.20"), @r#"
    exit: 0
    stdout:
    cart/1  Add accepted  version 1  @1
      1  @1  ItemAdded {"product":"pen","quantity":2,"price":1.20,"added":"2026-01-31T12:00:00.000000Z"}
    "#);
}

#[test]
fn a_version_grows_by_the_number_of_events() {
    let folder = with_pens();
    let items = r#"items:='[{"product":"ink","quantity":1,"price":4.95},{"product":"pen","quantity":1,"price":1.10}]'"#;
    assert_snapshot!(folder.esctl(&format!("send cart/1 AddAll {items}")), @r#"
    exit: 0
    stdout:
    cart/1  AddAll accepted  version 3  @3
      2  @2  ItemAdded {"product":"ink","quantity":1,"price":4.95,"added":"2026-01-31T12:00:00.000000Z"}
      3  @3  ItemAdded {"product":"pen","quantity":1,"price":1.10,"added":"2026-01-31T12:00:00.000000Z"}
    "#);
    assert_snapshot!(folder.esctl("send cart/1 Confirm"), @r#"
    exit: 0
    stdout:
    cart/1  Confirm accepted  version 4  @4
      4  @4  Confirmed {"total":8.25}
    "#);
    assert_snapshot!(folder.esctl("project show carts"), @r"
    exit: 0
    stdout:
    cart  status     since                        items  total
    1     confirmed  2026-01-31T12:00:00.000000Z      4   8.25
    ");
    assert_snapshot!(folder.esctl("project show products"), @r"
    exit: 0
    stdout:
    product  added  removed
    ink          1        0
    pen          3        0
    ");
}

#[test]
fn a_discount_of_150_percent_is_no_discount() {
    let folder = Folder::example("cart");
    assert_snapshot!(folder.esctl("send cart/1 ApplyDiscount percent=150"), @r"
    exit: 2
    stderr:
    error: the payload of `ApplyDiscount` does not fit
             /percent: expected at most `100`, found `150`
    ");
    assert_eq!(folder.listing(), ["domains"]);
}

#[test]
fn a_command_without_events_makes_no_stream() {
    let folder = Folder::example("cart");
    assert_snapshot!(folder.esctl("send cart/1 Cancel"), @r"
    exit: 0
    stdout:
    cart/1  Cancel accepted, no events  version 0  @0
    ");
    assert_snapshot!(folder.esctl("streams"), @r"
    exit: 0
    stdout:
    stream  version  first  last  time
    ");
    assert_snapshot!(folder.esctl("replay cart/1"), @r"
    exit: 2
    stderr:
    error: there is no stream `cart/1`
    hint: `esctl streams` lists what there is
    ");
}

#[test]
fn whoever_expects_a_new_cart_is_told_that_it_is_there_before_any_rule_is_asked() {
    let folder = with_pens();
    folder.bash(r#"sed -i 's/^ *decide: |$/&\n          print("deciding");/' domains/cart.yaml"#).done();
    let add = "send cart/1 Add product=ink quantity=1 price=4.95";
    assert_snapshot!(folder.esctl(&format!("{add} --expect none")), @r"
    exit: 3
    stderr:
    note: the domain has changed: nothing in this store was decided by these rules yet
    error: `cart/1` is at version 1, expected no stream
    hint: see what happened with `esctl replay cart/1 --steps`, then expect version 1
    ");
    assert_snapshot!(folder.esctl(&format!("{add} --expect none -o json")), @r#"
    exit: 3
    stderr:
    note: the domain has changed: nothing in this store was decided by these rules yet
    {"error":{"kind":"conflict","message":"`cart/1` is at version 1, expected no stream","expected":"none","actual":1,"hints":["see what happened with `esctl replay cart/1 --steps`, then expect version 1"],"exit":3}}
    "#);
    assert_snapshot!(folder.esctl(add), @r#"
    exit: 0
    stdout:
    cart/1  Add accepted  version 2  @2
      2  @2  ItemAdded {"product":"ink","quantity":1,"price":4.95,"added":"2026-01-31T12:00:00.000000Z"}
    stderr:
    note: the domain has changed: nothing in this store was decided by these rules yet
    note: deciding
    "#);
}

#[test]
fn who_subscribes_is_in_both_streams_by_one_command() {
    let folder = Folder::example("courses");
    folder.esctl(r#"send course/logic Define title=Logic lesson:='{"weekday":1,"hour":10}' capacity=1"#).done();
    folder.esctl("send student/ada Register name=Ada").done();
    folder.esctl("send student/bob Register name=Bob").done();
    assert_snapshot!(folder.esctl("send student/ada Subscribe course=logic --id ada-1"), @r#"
    exit: 0
    stdout:
    student/ada  Subscribe accepted  version 2  @5
      2  @4  Subscribed {"course":"logic","title":"Logic","lesson":{"weekday":1,"hour":10}}
      course/logic  2  @5  SeatTaken {"student":"ada"}
    "#);
    assert_snapshot!(folder.esctl("send student/bob Subscribe course=logic"), @r"
    exit: 1
    stdout:
    rejected: course_full: no seat is left
      capacity: 1
    ");
    let both =
        r#"esctl events -o ndjson | jq -c 'select(.command.id == "ada-1") | [.position, .stream, .version, .type]'"#;
    assert_snapshot!(folder.bash(both), @r#"
    exit: 0
    stdout:
    [4,"student/ada",2,"Subscribed"]
    [5,"course/logic",2,"SeatTaken"]
    "#);
    assert_snapshot!(folder.esctl("project show seats"), @r"
    exit: 0
    stdout:
    course  title  capacity  free
    logic   Logic         1     0
    ");
    assert_snapshot!(folder.esctl("project show timetable"), @r"
    exit: 0
    stdout:
    entry      student  weekday  hour  course  title
    ada/logic  ada            1    10  logic   Logic
    ");
}

/// An order of four pens; there are a hundred.
const PLACE: &str = "send order/1 Place customer=ada email=ada@example.org address='1 High Street' product=pen units=4";

fn with_pens_on_offer() -> Folder {
    let folder = Folder::example("orders");
    folder.esctl("send product/pen Offer price=2.50 units=100").done();
    folder
}

#[test]
fn a_blank_address_is_no_address() {
    let folder = Folder::example("orders");
    assert_snapshot!(folder.esctl(&PLACE.replace("1 High Street", "   ")), @r"
    exit: 2
    stderr:
    error: the payload of `Place` does not fit
             /address: expected a match of `\S`, found `   `
    ");
    assert_eq!(folder.listing(), ["domains"]);
}

#[test]
fn an_order_that_is_sent_twice_is_placed_once() {
    let folder = with_pens_on_offer();
    assert_snapshot!(folder.esctl(PLACE), @r#"
    exit: 0
    stdout:
    order/1  Place accepted  version 1  @5
      1  @2  Placed {"customer":"ada","email":"ada@example.org","address":"1 High Street","product":"pen","units":4,"total":10.00}
      customer/ada  1  @3  OrderOpened {"order":"1","total":10.00}
      email/ada@example.org  1  @4  Claimed {"order":"1"}
      product/pen  2  @5  Sold {"order":"1","units":4}
    "#);
    assert_snapshot!(folder.esctl(PLACE), @r"
    exit: 0
    stdout:
    order/1  Place accepted, no events  version 1  @5
    ");
    assert_snapshot!(folder.esctl("streams"), @r"
    exit: 0
    stdout:
    stream                 version  first  last  time
    customer/ada                 1      3     3  2026-01-31T12:00:00.000000Z
    email/ada@example.org        1      4     4  2026-01-31T12:00:00.000000Z
    order/1                      1      2     2  2026-01-31T12:00:00.000000Z
    product/pen                  2      1     5  2026-01-31T12:00:00.000000Z
    ");
    let sold = "sql 'SELECT product, sum(units) AS units, sum(total) AS total FROM orders GROUP BY product'";
    assert_snapshot!(folder.esctl(sold), @r"
    exit: 0
    stdout:
    product  units  total
    pen          4     10
    ");
}

#[test]
fn an_order_that_was_purged_stays_away_when_its_parcel_arrives() {
    let folder = with_pens_on_offer();
    folder.esctl(PLACE).done();
    assert_snapshot!(folder.esctl("project show orders"), @r"
    exit: 0
    stdout:
    id  customer  product  units  total  shipped
    1   ada       pen          4     10  false
    ");
    folder.esctl("send order/1 Purge").done();
    let gone = folder.esctl("project show orders");
    assert_snapshot!(gone, @r"
    exit: 0
    stdout:
    id  customer  product  units  total  shipped
    ");
    assert_snapshot!(folder.esctl("send order/1 Ship"), @r"
    exit: 0
    stdout:
    order/1  Ship accepted  version 3  @9
      3  @9  Shipped {}
    ");
    // Brought up to date with that event alone, and filled from the first.
    assert_eq!(folder.esctl("project show orders"), gone);
    folder.esctl("project verify").done();
    folder.esctl("project rebuild orders").done();
    assert_eq!(folder.esctl("project show orders"), gone);
}
