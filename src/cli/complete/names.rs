//! The names there are: of the domain, as far as it is sound, and of the streams in the store.

use super::Candidate;
use super::line::Line;
use super::takes::Takes;
use crate::cli::sources;
use esctl::domain::describe::{Description, Found, Thing};
use esctl::domain::fields::{Field, Fields, Type};
use esctl::domain::{Aggregate, Domains, Projection};
use esctl::json::Value;
use esctl::store::sqlite::beginning::Beginning;
use esctl::store::sqlite::{Access, Options, SqliteStore};
use std::time::Duration;

/// So many streams are shown by their names; of more, what they begin with.
const STREAMS: usize = 100;

/// What can stand at the cursor after that much of its word. Nothing, where the domain is not sound or the store cannot be read.
pub(super) fn candidates(takes: Takes, line: &Line, beginning: &str) -> Vec<Candidate> {
    let found = match takes {
        Takes::Nothing => Some(Vec::new()),
        Takes::Words(words) => Some(words.iter().map(|word| plain(word, "")).collect()),
        Takes::File => Some(vec![Candidate::File(String::new())]),
        Takes::Folder => Some(vec![Candidate::Folder(String::new())]),
        Takes::AtFile => Some(match rest(line, beginning).strip_prefix('@') {
            Some(_) => vec![Candidate::File("@".to_owned())],
            None => Vec::new(),
        }),
        Takes::Stream => streams(line, rest(line, beginning)),
        takes => domains(line).and_then(|domains| of_domain(takes, line, beginning, &domains)),
    };
    found.unwrap_or_default().into_iter().map(|candidate| after(beginning, candidate)).collect()
}

/// What is written of the value.
fn rest<'l>(line: &'l Line, beginning: &str) -> &'l str {
    line.word.strip_prefix(beginning).unwrap_or_default()
}

fn plain(word: &str, about: &str) -> Candidate {
    Candidate::Word(word.to_owned(), about.lines().next().unwrap_or_default().trim().to_owned())
}

fn after(beginning: &str, candidate: Candidate) -> Candidate {
    let with = |text: String| format!("{beginning}{text}");
    match candidate {
        Candidate::Word(text, about) => Candidate::Word(with(text), about),
        Candidate::Part(text, about) => Candidate::Part(with(text), about),
        Candidate::File(text) => Candidate::File(with(text)),
        Candidate::Folder(text) => Candidate::Folder(with(text)),
    }
}

fn domains(line: &Line) -> Option<Domains> {
    sources::read(&line.files("domain")).ok()?.sound().ok()
}

/// Streams by their names; where the kind of thing is not written yet, the kinds there are.
fn streams(line: &Line, written: &str) -> Option<Vec<Candidate>> {
    if line.given("projection").is_some() {
        return None;
    }
    if !written.contains('/') {
        let kind =
            |aggregate: &Aggregate| Candidate::Part(format!("{}/", aggregate.name), first(&aggregate.description));
        return Some(domains(line)?.aggregates().map(kind).collect());
    }
    let options = Options { busy: Duration::ZERO, ..Options::new(Access::Read) };
    let mut store = SqliteStore::open(line.files("store").pop()?, options).ok()?;
    let found = store.beginning_with(written, STREAMS).ok()?;
    let shown = found.into_iter().map(|beginning| match beginning {
        Beginning::Whole(name) => Candidate::Word(name, String::new()),
        Beginning::Part(text) => Candidate::Part(text, String::new()),
    });
    Some(shown.collect())
}

fn first(description: &str) -> String {
    description.lines().next().unwrap_or_default().trim().to_owned()
}

fn of_domain(takes: Takes, line: &Line, beginning: &str, domains: &Domains) -> Option<Vec<Candidate>> {
    Some(match takes {
        Takes::Aggregate => domains.aggregates().map(|found| plain(&found.name, &found.description)).collect(),
        Takes::Command => {
            let commands = &domains.aggregate(aggregate(line)?)?.commands;
            commands.iter().map(|(name, rules)| plain(name, &rules.description)).collect()
        }
        Takes::Field => {
            let commands = &domains.aggregate(aggregate(line)?)?.commands;
            fields(line, rest(line, beginning), &commands.get(line.given("command")?)?.fields)
        }
        Takes::Event => {
            let wanted = line.given("aggregate").or_else(|| aggregate(line));
            let of = |found: &&Aggregate| wanted.is_none_or(|wanted| *found.name == *wanted);
            let mut events: Vec<_> = domains.aggregates().filter(of).flat_map(|found| &found.events).collect();
            events.sort_by_key(|(name, _)| *name);
            events.dedup_by_key(|(name, _)| *name);
            events.into_iter().map(|(name, event)| plain(name, &event.description)).collect()
        }
        Takes::State => {
            let fields = &domains.aggregate(aggregate(line)?)?.rules.state.fields;
            fields.iter().map(|field| plain(&field.name, "")).collect()
        }
        Takes::Projection => domains.projections().map(|found| plain(&found.name, &found.description)).collect(),
        Takes::Columns => columns(rest(line, beginning), domains.projection(line.given("name")?)?),
        Takes::Process => domains.processes().map(|found| plain(&found.name, &found.description)).collect(),
        Takes::Thing => {
            things(domains, &["aggregate", "command", "event", "projection", "process"], rest(line, beginning))
        }
        Takes::Payload => match line.given("kind")? {
            "command" => things(domains, &["command"], rest(line, beginning)),
            "event" => things(domains, &["event"], rest(line, beginning)),
            _ => return None,
        },
        _ => return None,
    })
}

/// The kind of the stream that is given.
fn aggregate(line: &Line) -> Option<&str> {
    line.given("stream")?.split_once('/').map(|(aggregate, _)| aggregate)
}

/// Fields that are not given yet, or, after the `=`, the values that one can have.
fn fields(line: &Line, written: &str, fields: &Fields) -> Vec<Candidate> {
    if let Some((left, value)) = written.split_once('=') {
        let field = left.strip_suffix(':').unwrap_or(left);
        if value.starts_with('@') {
            return vec![Candidate::File(format!("{left}=@"))];
        }
        let word = |value: &str| plain(&format!("{left}={value}"), "");
        return match fields.get(field).map(|field| &field.kind) {
            Some(Type::Boolean) => ["true", "false"].map(word).into(),
            Some(Type::OneOf(values)) if left == field => values
                .iter()
                .map(|value| if let Value::Text(text) = value { word(text) } else { word(&value.to_string()) })
                .collect(),
            _ => Vec::new(),
        };
    }
    let given = |field: &&Field| {
        let names = line.all_given("fields").filter_map(|given| given.split_once('='));
        !names.map(|(left, _)| left.strip_suffix(':').unwrap_or(left)).any(|name| name == field.name)
    };
    let about = |field: &Field| {
        let optional = if field.optional { ", optional" } else { "" };
        let purpose = field.description.as_deref().map(|purpose| format!(": {}", first(purpose)));
        format!("{}{optional}{}", field.kind.word(), purpose.unwrap_or_default())
    };
    fields.iter().filter(given).map(|field| Candidate::Part(format!("{}=", field.name), about(field))).collect()
}

/// Columns after those that are written already.
fn columns(written: &str, projection: &Projection) -> Vec<Candidate> {
    let mut beginning = written.rfind(',').map_or("", |comma| &written[..=comma]).to_owned();
    if written[beginning.len()..].starts_with('-') {
        beginning.push('-');
    }
    let named: Vec<&str> = beginning.split(',').map(|name| name.trim_start_matches('-')).collect();
    let free = projection.columns.iter().filter(|column| !named.contains(&column.name.as_str()));
    free.map(|column| plain(&format!("{beginning}{}", column.name), column.kind.word())).collect()
}

/// Whatever has a name. Commands and events are called without their aggregate where no other one has such a thing, unless
/// an aggregate is written.
fn things(domains: &Domains, kinds: &[&str], written: &str) -> Vec<Candidate> {
    let all = Description::of(domains);
    let fits = |thing: &Thing<'_>| kinds.contains(&thing.kind());
    let named = |thing: &Thing<'_>| {
        let whole = thing.name();
        let short = whole.split_once('.').map(|(_, short)| short).filter(|_| !written.contains('.'));
        let alone = short.filter(|short| matches!(all.find(short, fits), Found::One(_, others) if others.is_empty()));
        alone.map(str::to_owned).unwrap_or(whole)
    };
    all.things().filter(fits).map(|thing| plain(&named(&thing), thing.kind())).collect()
}
