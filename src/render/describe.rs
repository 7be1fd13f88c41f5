//! What a domain is, for people.

use super::table::aligned;
use super::things::{listed, names};
use super::{Output, text};
use esctl::domain::describe::{
    AggregateFacts, CommandFacts, Description, Emitted, EventFacts, FieldFact, Member, ProcessFacts, ProjectionFacts,
    StateFact, Thing,
};
use std::io;

/// Everything, for people: a section for each aggregate, each read model and each process.
pub fn everything(all: &Description, out: &mut Output) -> io::Result<()> {
    for (at, domain) in all.domains.iter().enumerate() {
        if at > 0 {
            out.line("")?;
        }
        title("domain", &domain.name, &domain.description, out)?;
        let aggregates = all.aggregates.iter().filter(|known| known.domain == domain.name);
        let projections = all.projections.iter().filter(|known| known.domain == domain.name);
        let mut any = false;
        for known in aggregates {
            any = true;
            out.line("")?;
            aggregate(all, known, out)?;
        }
        for known in projections {
            any = true;
            out.line("")?;
            projection(known, out)?;
        }
        for known in all.processes.iter().filter(|known| known.domain == domain.name) {
            any = true;
            out.line("")?;
            process(known, out)?;
        }
        if !any {
            out.line("  nothing is declared")?;
        }
    }
    Ok(())
}

/// One thing, for people.
pub fn thing(all: &Description, thing: Thing<'_>, out: &mut Output) -> io::Result<()> {
    match thing {
        Thing::Domain(domain) => title("domain", &domain.name, &domain.description, out),
        Thing::Aggregate(known) => aggregate(all, known, out),
        Thing::Command(known) => command(known, out),
        Thing::Event(known) => event(known, out),
        Thing::Projection(known) => projection(known, out),
        Thing::Process(known) => process(known, out),
    }
}

fn aggregate(all: &Description, aggregate: &AggregateFacts, out: &mut Output) -> io::Result<()> {
    title("aggregate", &aggregate.name, &aggregate.description, out)?;
    state(&aggregate.state, out)?;
    let commands = all.commands.iter().filter(|known| known.name.aggregate == aggregate.name).map(|command| {
        let emits = command.emits.iter().map(|emitted| emitted_words(emitted, &aggregate.name));
        vec![
            signature(&command.name, &command.fields),
            listed(emits),
            listed(&command.loads),
            listed(&command.rejects),
            listed(&command.sent_by),
        ]
    });
    table(&["command", "emits", "loads", "rejects with", "sent by"], &rows(commands), out)?;
    let events = all.events.iter().filter(|known| known.name.aggregate == aggregate.name).map(|event| {
        vec![
            signature(&event.name, &event.fields),
            listed(event.emitted_by.iter().map(|known| near(known, &aggregate.name))),
            event.folded_by.clone().unwrap_or_default(),
            listed(&event.projected_by),
            listed(&event.handled_by),
        ]
    });
    table(&["event", "emitted by", "folded by", "projected by", "handled by"], &rows(events), out)?;
    let retired = aggregate.retired.iter().map(|name| vec![name.clone()]);
    table(&["retired"], &rows(retired), out)?;
    let invariants = aggregate.invariants.iter().map(|known| vec![known.name.clone(), in_short(&known.condition)]);
    table(&["invariant"], &rows(invariants), out)
}

fn command(command: &CommandFacts, out: &mut Output) -> io::Result<()> {
    title("command", &command.name.to_string(), &command.description, out)?;
    let own = &command.name.aggregate;
    let mut more = Vec::new();
    one_each(&mut more, "emits", command.emits.iter().map(|emitted| emitted_words(emitted, own)));
    one_each(&mut more, "rejects with", command.rejects.iter().cloned());
    one_each(&mut more, "or breaks", command.invariants.iter().map(|known| near(known, own)));
    one_each(&mut more, "loads", command.loads.iter().map(ToString::to_string));
    one_each(&mut more, "sent by", command.sent_by.iter().cloned());
    described(&command.fields, "field", &more, out)
}

fn event(event: &EventFacts, out: &mut Output) -> io::Result<()> {
    title("event", &event.name.to_string(), &event.description, out)?;
    let mut more = Vec::new();
    let own = &event.name.aggregate;
    if event.version > 1 {
        more.push(vec!["version".to_owned(), event.version.to_string()]);
    }
    one_each(&mut more, "was", event.was.iter().cloned());
    one_each(&mut more, "emitted by", event.emitted_by.iter().map(|known| near(known, own)));
    one_each(&mut more, "folded by", event.folded_by.iter().cloned());
    one_each(&mut more, "projected by", event.projected_by.iter().cloned());
    one_each(&mut more, "handled by", event.handled_by.iter().cloned());
    described(&event.fields, "field", &more, out)
}

fn projection(projection: &ProjectionFacts, out: &mut Output) -> io::Result<()> {
    title("projection", &projection.name, &projection.description, out)?;
    let columns = projection.columns.iter().enumerate().map(|(at, column)| {
        let mut row = field_row(column);
        row.insert(2, if at == 0 { "key".to_owned() } else { String::new() });
        row
    });
    table(&["column", "", "", ""], &rows(columns), out)?;
    let events = projection.events.iter().map(|handled| {
        let deletes = if handled.deletes { "can delete it" } else { "" };
        vec![handled.event.to_string(), in_short(&handled.key), deletes.to_owned()]
    });
    table(&["event", "row", ""], &rows(events), out)?;
    let indexes = projection.indexes.iter().map(|index| vec![index.join(", ")]);
    table(&["index"], &rows(indexes), out)?;
    if projection.inline {
        out.line("")?;
        out.line("  inline: stored in the same transaction as the events")?;
    }
    Ok(())
}

fn process(process: &ProcessFacts, out: &mut Output) -> io::Result<()> {
    title("process", &process.name, &process.description, out)?;
    state(&process.state, out)?;
    let events = process.events.iter().map(|answered| {
        let starts = if answered.starts { "begins it" } else { "" };
        vec![answered.event.to_string(), in_short(&answered.key), starts.to_owned()]
    });
    table(&["event", "instance", ""], &rows(events), out)?;
    let sends = process.sends.iter().map(|sent| {
        let rejected = if sent.on_rejected { "answers its rejection" } else { "" };
        vec![sent.command.to_string(), sent.stream.to_string(), rejected.to_owned()]
    });
    table(&["sends", "to", ""], &rows(sends), out)?;
    let deadlines = process.deadlines.iter().map(|name| vec![name.clone()]);
    table(&["deadline"], &rows(deadlines), out)?;
    if process.from_start {
        out.line("")?;
        out.line("  from start: it answers what happened before it was there as well")?;
    }
    Ok(())
}

fn state(fields: &[StateFact], out: &mut Output) -> io::Result<()> {
    let fields = fields
        .iter()
        .map(|field| vec![field.name.clone(), text::value(&field.initial), field.kind.unwrap_or_default().to_owned()]);
    table(&["state", "initial"], &rows(fields), out)
}

/// `aggregate account: One customer's account in one currency.`
fn title(kind: &str, name: &str, description: &str, out: &mut Output) -> io::Result<()> {
    let (open, close) = if out.color { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    let mut lines = description.lines();
    let first = lines.next().map(|line| format!(": {}", text::harmless(line.trim()))).unwrap_or_default();
    out.line(&format!("{open}{kind} {}{close}{first}", text::harmless(name)))?;
    lines.try_for_each(|line| out.line(format!("  {}", text::harmless(line.trim())).trim_end()))
}

/// The fields, and below them what else there is.
fn described(fields: &[FieldFact], what: &str, more: &[Vec<String>], out: &mut Output) -> io::Result<()> {
    table(&[what], &rows(fields.iter().map(field_row)), out)?;
    table(&[], more, out)
}

fn field_row(field: &FieldFact) -> Vec<String> {
    let optional = if field.optional { "?" } else { "" };
    vec![format!("{}{optional}", field.name), field.kind.to_owned(), on_one_line(&field.description)]
}

/// A table below an empty line; nothing where it has no rows.
fn table(heads: &[&str], rows: &[Vec<String>], out: &mut Output) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    out.line("")?;
    aligned(heads, rows, out)
}

fn rows(rows: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    rows.collect()
}

/// The first item beside the word for it, the others below.
fn one_each(rows: &mut Vec<Vec<String>>, word: &str, items: impl Iterator<Item = String>) {
    for (at, item) in items.enumerate() {
        rows.push(vec![if at == 0 { word.to_owned() } else { String::new() }, item]);
    }
}

/// `Transfer(to, amount)`
fn signature(name: &Member, fields: &[FieldFact]) -> String {
    if fields.is_empty() { name.name.clone() } else { format!("{}({})", name.name, names(fields)) }
}

/// An event as scenarios write it: with its stream, where that is not the command's.
fn emitted_words(emitted: &Emitted, own: &str) -> String {
    match &emitted.stream {
        Some(stream) => format!("{stream} {}", emitted.event.name),
        None => near(&emitted.event, own),
    }
}

/// A name as it is said within its aggregate.
fn near(member: &Member, own: &str) -> String {
    if member.aggregate == own { member.name.clone() } else { member.to_string() }
}

/// A text of several lines as one.
fn on_one_line(text: &str) -> String {
    text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The first line of a script that is no comment. To put lines beside each other could make a comment of the rest.
fn in_short(script: &str) -> String {
    let mut lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first} …") } else { first.to_owned() }
}
