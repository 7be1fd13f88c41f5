//! `esctl describe`

mod data;
mod diagram;
mod processes;

use crate::support::Folder;
use insta::assert_snapshot;

/// Two aggregates that know each other, with names that clash, and read models of both.
const SHOP: &str = r#"
domain: shop
description: |
  What is ordered
  and what is in stock.

functions: |
  fn enough(stock, number) { stock.state.left >= number }

aggregates:
  order:
    state: { status: none, items: {}, total: { type: decimal } }
    events:
      Placed:
        description: It was ordered.
        fields: { item: string, number: { type: integer, minimum: 1, description: How many. }, note?: string }
        fold: state.status = "placed"
      Closed: {}
    commands:
      Place:
        description: Asks for an item.
        fields: { item: string, number: integer, note?: string }
        decide: |
          let stock = load(`stock/${command.item}`);
          if !enough(stock, command.number) { reject("too_few", `there are ${stock.state.left}`); }
          load("stock/reserve");
          emit("Placed", command);
          emit_to(`stock/${command.item}`, "Taken", #{ number: command.number });
          emit_to("stock/reserve", "Taken", #{ number: 1 });
          if version > 9 { emit("Closed"); emit("Closed"); }
      Close:
        decide: |
          require(version > 0, "unknown");
          emit("Closed");
      Look:
        decide: |
          require(version > 0, "unknown");

  stock:
    description: Copies of one item.
    state: { left: 0 }
    events:
      Taken: { fields: { number: integer }, fold: state.left -= event.number }
      Filled: { fields: { number: integer }, fold: state.left += event.number }
    commands:
      Fill: { fields: { number: integer }, decide: 'emit("Filled", command)' }
      Close: { decide: 'reject("never")' }
      sales: { decide: 'reject("never")' }
    invariants:
      not_below_zero: |
        // What is not there cannot be taken.
        state.left >= 0

projections:
  sales:
    inline: true
    columns: { item: string, sold: integer, last?: string }
    key:
      stock.Taken: meta.id
      order.Placed: |
        event.item
    indexes: [[sold, item]]
    on:
      stock.Taken: row.sold += event.number
      order.Placed: row.last = meta.id
"#;

fn shop() -> Folder {
    let folder = Folder::empty();
    // The first line is an empty one, for the reader of this file.
    folder.write("domains/shop.yaml", SHOP.trim_start());
    folder
}

#[test]
fn everything() {
    assert_snapshot!(Folder::bank().esctl("describe"), @r#"
    exit: 0
    stdout:
    domain bank: Accounts that hold money, and transfers between them, at once or step by step.

    aggregate account: One customer's account in one currency.

      state      initial
      status     none
      owner      ""
      currency   ""
      balance    0
      overdraft  0

      command                            emits                           loads      rejects with                                                                 sent by
      Open(owner, currency)              Opened                                     already_open
      Deposit(amount, ref?, transfer?)   Deposited                                  not_open                                                                     transfers
      Withdraw(amount, ref?, transfer?)  Withdrawn                                  not_open, insufficient_funds                                                 transfers
      Transfer(to, amount)               Withdrawn, account/* Deposited  account/*  not_open, same_account, target_not_open, other_currency, insufficient_funds
      Refund(amount, transfer)           Deposited                                  unknown_account                                                              transfers
      SetOverdraft(limit)                OverdraftSet                               not_open, negative_limit
      Close                              Closed                                     not_open, not_empty

      event                               emitted by                 folded by  projected by      handled by
      Opened(owner, currency)             Open                       account    balances
      Deposited(amount, ref?, transfer?)  Deposit, Transfer, Refund  account    balances, ledger  transfers
      Withdrawn(amount, ref?, transfer?)  Withdraw, Transfer         account    balances, ledger  transfers
      OverdraftSet(limit)                 SetOverdraft               account
      Closed                              Close                      account    balances

      invariant
      balance_is_within_the_overdraft  state.balance >= -state.overdraft

    aggregate transfer: Money on its way from one account to another, which may be in another bank and take its time.

      state   initial
      status  none
      amount  0
      reason  ""

      command                    emits      rejects with                     sent by
      Request(from, to, amount)  Requested  already_requested, same_account
      Complete                   Completed  not_under_way                    transfers
      Fail(reason)               Failed     not_under_way                    transfers

      event                        emitted by  folded by  handled by
      Requested(from, to, amount)  Request     transfer   transfers
      Completed                    Complete    transfer
      Failed(reason)               Fail        transfer

    projection balances: One row per account.

      column
      account   string   key
      owner     string
      balance   decimal
      deposits  integer

      event              row
      account.Opened     meta.id
      account.Deposited  meta.id
      account.Withdrawn  meta.id
      account.Closed     meta.id  can delete it

      index
      owner
      balance

    projection ledger: One row per movement, in the order of each account.

      column
      line     string   key
      account  string
      version  integer
      kind     string
      amount   decimal
      ref?     string
      day      date

      event              row
      account.Deposited  `${meta.id}#${meta.version}`
      account.Withdrawn  `${meta.id}#${meta.version}`

      index
      account, version

    process transfers: Takes the money out, pays it in, and gives it back where that is refused.

      state    initial
      from     ""
      to       ""
      amount   0
      refused  ""

      event               instance
      account.Deposited   event.transfer
      account.Withdrawn   event.transfer
      transfer.Requested  meta.id         begins it

      sends              to
      account.Withdraw   account/*   answers its rejection
      account.Deposit    account/*   answers its rejection
      transfer.Complete  transfer/*
      transfer.Fail      transfer/*
      account.Refund     account/*
    "#);
    assert_snapshot!(shop().esctl("describe"), @r"
    exit: 0
    stdout:
    domain shop: What is ordered
      and what is in stock.

    aggregate order

      state   initial
      status  none
      items   {}
      total   0        decimal

      command                     emits                                               loads                   rejects with
      Place(item, number, note?)  Placed, stock/* Taken, stock/reserve Taken, Closed  stock/*, stock/reserve  too_few
      Close                       Closed                                                                      unknown
      Look                                                                                                    unknown

      event                        emitted by    folded by  projected by
      Placed(item, number, note?)  Place         order      sales
      Closed                       Place, Close

    aggregate stock: Copies of one item.

      state  initial
      left   0

      command       emits   rejects with
      Fill(number)  Filled
      Close                 never
      sales                 never

      event           emitted by   folded by  projected by
      Taken(number)   order.Place  stock      sales
      Filled(number)  Fill         stock

      invariant
      not_below_zero  state.left >= 0

    projection sales

      column
      item    string   key
      sold    integer
      last?   string

      event         row
      order.Placed  event.item
      stock.Taken   meta.id

      index
      sold, item

      inline: stored in the same transaction as the events
    ");
}

#[test]
fn one_thing() {
    let folder = shop();
    assert_snapshot!(folder.esctl("describe stock"), @r"
    exit: 0
    stdout:
    aggregate stock: Copies of one item.

      state  initial
      left   0

      command       emits   rejects with
      Fill(number)  Filled
      Close                 never
      sales                 never

      event           emitted by   folded by  projected by
      Taken(number)   order.Place  stock      sales
      Filled(number)  Fill         stock

      invariant
      not_below_zero  state.left >= 0
    ");
    assert_snapshot!(folder.esctl("describe Place"), @r"
    exit: 0
    stdout:
    command order.Place: Asks for an item.

      field
      item    string
      number  integer
      note?   string

      emits         Placed
                    stock/* Taken
                    stock/reserve Taken
                    Closed
      rejects with  too_few
      or breaks     stock.not_below_zero
      loads         stock/*
                    stock/reserve
    ");
    assert_snapshot!(folder.esctl("describe order.Look"), @r"
    exit: 0
    stdout:
    command order.Look

      rejects with  unknown
    ");
    assert_snapshot!(folder.esctl("describe Placed"), @r"
    exit: 0
    stdout:
    event order.Placed: It was ordered.

      field
      item    string
      number  integer  How many.
      note?   string

      emitted by    Place
      folded by     order
      projected by  sales
    ");
    assert_snapshot!(folder.esctl("describe stock.Taken"), @r"
    exit: 0
    stdout:
    event stock.Taken

      field
      number  integer

      emitted by    order.Place
      folded by     stock
      projected by  sales
    ");
    assert_snapshot!(folder.esctl("describe Closed"), @r"
    exit: 0
    stdout:
    event order.Closed

      emitted by  Place
                  Close
    ");
}

#[test]
fn names_that_mean_several_things_or_none() {
    let folder = shop();
    assert_snapshot!(folder.esctl("describe Close"), @r"
    exit: 2
    stderr:
    error: `Close` is the command `order.Close` and the command `stock.Close`
    hint: write its aggregate before it: `order.Close`
    ");
    assert_snapshot!(folder.esctl("describe Plaec"), @r"
    exit: 2
    stderr:
    error: `Plaec` is not an aggregate, a command, an event, a projection or a process of the domain
    hint: did you mean `Place`?
    ");
    assert_snapshot!(folder.esctl("describe ordr.Place"), @r"
    exit: 2
    stderr:
    error: `ordr.Place` is not an aggregate, a command, an event, a projection or a process of the domain
    hint: did you mean `order.Place`?
    ");
    assert_snapshot!(folder.esctl("describe nonsense -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"`nonsense` is not an aggregate, a command, an event, a projection or a process of the domain","hints":["`esctl describe` shows what there is"],"exit":2}}
    "#);
    // A read model has no longer name: it is meant, and the command is mentioned.
    assert_snapshot!(folder.esctl("describe sales -o ndjson"), @r#"
    exit: 0
    stdout:
    {"kind":"projection","name":"sales","domain":"shop","description":"","columns":[{"name":"item","type":"string","optional":false},{"name":"sold","type":"integer","optional":false},{"name":"last","type":"string","optional":true}],"events":[{"event":"order.Placed","key":"event.item","deletes":false},{"event":"stock.Taken","key":"meta.id","deletes":false}],"indexes":[["sold","item"]],"inline":true}
    stderr:
    note: there is the command `stock.sales` as well
    "#);
    assert_snapshot!(folder.esctl("describe stock.sales"), @r"
    exit: 0
    stdout:
    command stock.sales

      rejects with  never
    ");
}

#[test]
fn nothing_to_describe() {
    assert_snapshot!(Folder::empty().esctl("describe"), @r"
    exit: 2
    stderr:
    error: there is no domain at `domains`
    hint: `esctl init` makes one; another place is named with `--domain`
    ");
    let folder = Folder::empty();
    folder.write("domains/only.scenarios.yaml", "scenarios: []\n");
    assert_snapshot!(folder.esctl("describe"), @r"
    exit: 2
    stderr:
    error: there is no domain among these files
    hint: a domain file begins with `domain: NAME`
    ");
    folder.write("domains/bare.yaml", "domain: bare\n");
    assert_snapshot!(folder.esctl("describe"), @r"
    exit: 0
    stdout:
    domain bare
      nothing is declared
    ");
    assert_snapshot!(folder.esctl("describe -o json"), @r#"
    exit: 0
    stdout:
    {"domains":[
    {"kind":"domain","name":"bare","description":"","file":"domains/bare.yaml"}
    ],
    "aggregates":[],
    "commands":[],
    "events":[],
    "projections":[],
    "processes":[]}
    "#);
    assert_snapshot!(folder.esctl("describe --mermaid"), @r"
    exit: 0
    stdout:
    flowchart LR
      classDef command fill:#cfe2ff,stroke:#3b6fb6,color:#000
      classDef event fill:#ffe0b2,stroke:#c77700,color:#000
      classDef projection fill:#d6ecd2,stroke:#4a8b3c,color:#000
    ");
    folder.write("domains/bare.yaml", "domain: bare\naggregats: {}\n");
    folder.esctl("describe").exits(2).says("did you mean `aggregates`?");
}

#[test]
fn several_domains_stand_one_after_the_other() {
    let folder = shop();
    let bare = "domain: bare
projections:
  taken: { columns: { id: string }, key: meta.id, on: { stock.Taken: delete() } }
";
    folder.write("domains/bare.yaml", bare);
    assert_snapshot!(folder.esctl("describe taken"), @r"
    exit: 0
    stdout:
    projection taken

      column
      id      string  key

      event        row
      stock.Taken  meta.id  can delete it
    ");
    let text = folder.esctl("describe").done();
    assert!(text.starts_with("domain bare\n\nprojection taken\n"), "{text}");
    assert!(text.contains("\n\ndomain shop: What is ordered\n  and what is in stock.\n\naggregate order\n"), "{text}");
    folder.esctl("describe stock.Taken").exits(0).prints("  projected by  taken\n                sales\n");
}

#[test]
fn a_closed_pipe_and_colour() {
    let folder = shop();
    assert_snapshot!(folder.bash("esctl describe | head -1"), @r"
    exit: 0
    stdout:
    domain shop: What is ordered
    ");
    assert!(folder.esctl("describe --color always").done().contains("\u{1b}[1maggregate stock\u{1b}[0m: Copies"));
    assert!(!folder.esctl("describe --color always -o json").done().contains('\u{1b}'));
    // No store is made, and none is asked for.
    assert_eq!(folder.listing(), ["domains"]);
}
