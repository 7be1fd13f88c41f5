//! What each argument takes. Those with a list of words are not in here: clap knows it.

/// What can stand as the value of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// What nobody but the user knows.
    Nothing,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A file after `@`.
    AtFile,
    /// A stream.
    Stream,
    /// An aggregate.
    Aggregate,
    /// A command of the stream that is given.
    Command,
    /// `FIELD=VALUE` of the command that is given.
    Field,
    /// The type of an event.
    Event,
    /// A part of the state of the stream that is given.
    State,
    /// A projection.
    Projection,
    /// Columns of the projection that is given, with commas between.
    Columns,
    /// A process.
    Process,
    /// Whatever `describe` can describe.
    Thing,
    /// A command or an event, as the argument before it says.
    Payload,
}

use Takes as T;

/// Verb, argument, what it takes. Those of every verb have none.
#[rustfmt::skip]
const TAKES: &[(&str, &str, Takes)] = &[
    ("", "domain", T::File), ("", "store", T::File), ("", "timeout", T::Nothing),
    ("init", "folder", T::Folder),
    ("test", "filter", T::Nothing), ("test", "junit", T::File), ("test", "min", T::Nothing),
    ("test", "generate", T::Nothing), ("test", "seed", T::Nothing), ("test", "record", T::Stream),
    ("describe", "name", T::Thing),
    ("schema", "name", T::Payload),
    ("send", "stream", T::Stream), ("send", "command", T::Command), ("send", "fields", T::Field),
    ("send", "data", T::AtFile), ("send", "id", T::Nothing), ("send", "expect", T::Words(&["none", "exists"])),
    ("send", "actor", T::Nothing), ("send", "correlation", T::Nothing), ("send", "causation", T::Nothing),
    ("send", "meta", T::Nothing), ("send", "time", T::Nothing), ("send", "at", T::Nothing),
    ("send", "batch", T::File), ("send", "group", T::Nothing), ("send", "max_steps", T::Nothing),
    ("replay", "stream", T::Stream), ("replay", "at", T::Nothing), ("replay", "scripts", T::File),
    ("replay", "rules", T::Nothing), ("replay", "from", T::Nothing), ("replay", "only", T::State),
    ("events", "stream", T::Stream), ("events", "aggregate", T::Aggregate), ("events", "kind", T::Event),
    ("events", "after", T::Nothing), ("events", "until", T::Nothing), ("events", "limit", T::Nothing),
    ("streams", "pattern", T::Stream), ("streams", "at", T::Nothing),
    ("diff", "what", T::Stream), ("diff", "projection", T::Projection), ("diff", "with", T::File),
    ("blame", "stream", T::Stream), ("blame", "path", T::State), ("blame", "at", T::Nothing),
    ("bisect", "stream", T::Stream), ("bisect", "condition", T::Nothing), ("bisect", "projection", T::Projection),
    ("bisect", "key", T::Nothing),
    ("trace", "what", T::Nothing),
    ("plan", "with", T::File), ("plan", "jobs", T::Nothing),
    ("project rebuild", "names", T::Projection), ("project rebuild", "key", T::Nothing),
    ("project rebuild", "jobs", T::Nothing),
    ("project parked", "names", T::Projection), ("project retry", "names", T::Projection),
    ("project show", "name", T::Projection), ("project show", "key", T::Nothing),
    ("project show", "condition", T::Nothing), ("project show", "order", T::Columns),
    ("project show", "columns", T::Columns), ("project show", "limit", T::Nothing), ("project show", "at", T::Nothing),
    ("project show", "max_seconds", T::Nothing),
    ("project verify", "names", T::Projection),
    ("process status", "name", T::Process), ("process show", "name", T::Process), ("process show", "key", T::Nothing),
    ("process show", "limit", T::Nothing), ("process run", "time", T::Nothing), ("process run", "max_steps", T::Nothing),
    ("process retry", "name", T::Process), ("process retry", "key", T::Nothing),
    ("process retry", "max_steps", T::Nothing), ("process skip", "name", T::Process),
    ("process skip", "key", T::Nothing), ("process skip", "max_steps", T::Nothing),
    ("sql", "statement", T::Nothing), ("sql", "parameters", T::Nothing), ("sql", "max_seconds", T::Nothing),
    ("rules", "digest", T::Nothing),
    ("verify", "expect", T::File), ("verify", "since_head", T::File),
    ("backup", "file", T::File),
    ("fork", "file", T::File), ("fork", "at", T::Nothing),
    ("export", "file", T::File), ("export", "after", T::Nothing),
    ("import", "file", T::File),
    ("snapshot list", "streams", T::Stream), ("snapshot rebuild", "streams", T::Stream),
    ("man", "folder", T::Folder),
];

/// What an argument of a verb takes; `None` where nobody has thought of it.
pub(super) fn of(verb: &str, argument: &str) -> Option<Takes> {
    let known = |verb: &str| TAKES.iter().find(|(of, id, _)| *of == verb && *id == argument);
    known(verb).or_else(|| known("")).map(|(.., takes)| *takes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Command;
    use std::collections::BTreeSet;

    fn collect(command: &Command, path: &str, found: &mut BTreeSet<(String, String)>) {
        for arg in command.get_arguments() {
            if arg.get_action().takes_values() && arg.get_possible_values().is_empty() {
                let verb = if arg.is_global_set() { "" } else { path };
                found.insert((verb.to_owned(), arg.get_id().to_string()));
            }
        }
        for verb in command.get_subcommands() {
            collect(verb, format!("{path} {}", verb.get_name()).trim_start(), found);
        }
    }

    #[test]
    fn every_argument_has_been_thought_of_and_no_other() {
        let mut command = crate::cli::command();
        command.build();
        let mut found = BTreeSet::new();
        collect(&command, "", &mut found);
        let written = TAKES.iter().map(|(verb, id, _)| ((*verb).to_owned(), (*id).to_owned())).collect();
        assert_eq!(found, written);
    }
}
