//! The command line: arguments in, an exit code out. One file a verb.

mod asking;
mod atomic;
mod backup;
mod batch;
mod bisect;
mod blame;
mod check;
mod complete;
mod completions;
mod context;
mod describe;
mod diff;
mod events;
mod export;
mod failure;
mod follow;
mod fork;
mod import;
mod init;
mod lines;
mod man;
mod newfile;
mod payload;
mod plan;
mod process;
mod project;
mod react;
mod replay;
mod rules;
mod schema;
mod send;
mod signals;
mod snapshot;
mod sources;
mod sql;
mod step;
mod streams;
mod test;
mod topics;
mod trace;
mod verify;

use clap::parser::ValueSource;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};
use context::{Context, Globals};
use failure::{Exit, Failure};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

/// Exit codes and surroundings, below the list of verbs.
const MORE: &str = "\
exit codes:
  0  done
  1  the answer is no: a command was rejected, a scenario failed, `check` found problems
  2  not understood: the usage, the domain, a name, a version, a payload
  3  conflict: the stream is not at the expected version, or the id was used before
  4  a script failed or ran past its limits
  5  the store cannot be used now
  6  the store is damaged
  7  outcome unknown: sending again with the same `--id`, or importing again, settles it

environment:
  ESCTL_DOMAIN, ESCTL_STORE, ESCTL_TIMEOUT
               what `--domain`, `--store` and `--timeout` are where they are not given
  NO_COLOR     no colour, unless `--color always` asks for it
  ESCTL_CLOCK  an instant taken for now, for tests and reproducible runs: ids then
               repeat from run to run, so only one process at a time may send

`esctl VERB --help` tells more about a verb, with examples.";

/// The verbs by what they are for. What is in here is what the help shows.
const GROUPS: &[(&str, &[&str])] = &[
    ("domain", &["init", "check", "test", "describe", "schema"]),
    ("streams", &["send", "replay", "events", "streams"]),
    ("history", &["diff", "blame", "bisect", "trace", "plan"]),
    ("read models", &["project", "sql"]),
    ("processes", &["process"]),
    ("store", &["rules", "verify", "backup", "fork", "export", "import", "snapshot"]),
    ("shell", &["completions", "man"]),
];

/// The template of a verb's help: no capitals, the usage after the sentence.
const VERB_HELP: &str = "{about-with-newline}\nusage: {usage}\n\n{all-args}{after-help}";

/// the workbench for event-sourced domains: rules as text, streams in one file
#[derive(Debug, Parser)]
#[command(name = "esctl", version, disable_help_flag = true, disable_version_flag = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    /// show this help
    #[arg(short, long, action = ArgAction::HelpShort, global = true, help_heading = context::HEADING)]
    help: Option<bool>,
    /// show the version of esctl
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = context::HEADING)]
    version: Option<bool>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::InitArgs),
    Check(check::CheckArgs),
    Test(test::TestArgs),
    Describe(describe::DescribeArgs),
    Schema(schema::SchemaArgs),
    Send(Box<send::SendArgs>),
    Replay(replay::ReplayArgs),
    Events(events::EventsArgs),
    Streams(streams::StreamsArgs),
    Diff(diff::DiffArgs),
    Blame(blame::BlameArgs),
    Bisect(bisect::BisectArgs),
    Trace(trace::TraceArgs),
    Plan(plan::PlanArgs),
    Project(project::ProjectArgs),
    Process(process::ProcessArgs),
    Sql(sql::SqlArgs),
    Rules(rules::RulesArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Backup(backup::BackupArgs),
    Fork(fork::ForkArgs),
    Verify(verify::VerifyArgs),
    Snapshot(snapshot::SnapshotArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match arguments.get(1).and_then(|word| word.to_str()) {
        Some(complete::WORD) => return complete::run(&arguments[2..]),
        Some("help") => {
            if let Some(word) = arguments.get(2).and_then(|word| word.to_str()).filter(|word| !is_verb_or_flag(word)) {
                return topics::answer(word, &arguments, &verbs().collect::<Vec<_>>()).into();
            }
        }
        _ => {}
    }
    let arguments = with_help_last(arguments);
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error, &arguments).into(),
    };
    let talk = cli.globals.talk();
    let outcome = Context::new(cli.globals).and_then(|mut context| carry_out(cli.verb, &mut context));
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(talk).into(),
    }
}

fn carry_out(verb: Verb, context: &mut Context) -> Result<Exit, Failure> {
    let exit = match verb {
        Verb::Init(args) => init::run(&args, context),
        Verb::Check(args) => check::run(&args, context),
        Verb::Test(args) => test::run(&args, context),
        Verb::Describe(args) => describe::run(&args, context),
        Verb::Schema(args) => schema::run(&args, context),
        Verb::Send(args) => send::run(*args, context),
        Verb::Replay(args) => replay::run(&args, context),
        Verb::Events(args) => events::run(args, context),
        Verb::Streams(args) => streams::run(&args, context),
        Verb::Diff(args) => diff::run(&args, context),
        Verb::Blame(args) => blame::run(&args, context),
        Verb::Bisect(args) => bisect::run(&args, context),
        Verb::Trace(args) => trace::run(&args, context),
        Verb::Plan(args) => plan::run(&args, context),
        Verb::Project(args) => project::run(args, context),
        Verb::Process(args) => process::run(args, context),
        Verb::Sql(args) => sql::run(&args, context),
        Verb::Rules(args) => rules::run(&args, context),
        Verb::Export(args) => export::run(&args, context),
        Verb::Import(args) => import::run(&args, context),
        Verb::Backup(args) => backup::run(&args, context),
        Verb::Fork(args) => fork::run(&args, context),
        Verb::Verify(args) => verify::run(&args, context),
        Verb::Snapshot(args) => snapshot::run(args, context),
        Verb::Completions(args) => completions::run(&args, context),
        Verb::Man(args) => man::run(&args, command(), context),
    }?;
    context.out.flush().map_err(Failure::output)?;
    Ok(exit)
}

/// The verbs, in the order of the help.
fn verbs() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().flat_map(|(_, verbs)| *verbs).copied()
}

fn is_verb_or_flag(word: &str) -> bool {
    word.starts_with('-') || verbs().any(|verb| verb == word)
}

/// The command line with all its verbs, as the help shows it.
fn command() -> clap::Command {
    with_house_style(Cli::command())
}

/// `esctl help VERB` is what people type: it means `esctl VERB --help`.
fn with_help_last(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if arguments.get(1).is_some_and(|first| first == "help") {
        arguments.remove(1);
        arguments.push("--help".into());
    }
    arguments
}

fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(arguments)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    cli.globals.names_store = matches.value_source("store") == Some(ValueSource::CommandLine);
    // clap lets those after the verb replace those before it; a domain must not go missing quietly.
    if count_domains(arguments) > cli.globals.domain.len() {
        let words = "`--domain` stands before the verb and after it: write all of them in one place";
        return Err(command.error(clap::error::ErrorKind::ArgumentConflict, words));
    }
    Ok(cli)
}

fn count_domains(arguments: &[OsString]) -> usize {
    let text = arguments.iter().map(|argument| argument.to_string_lossy());
    text.take_while(|argument| argument != "--")
        .filter(|argument| argument == "--domain" || argument.starts_with("--domain="))
        .count()
}

/// Lower case throughout, and the verbs in groups.
fn with_house_style(command: clap::Command) -> clap::Command {
    let width = verbs().map(str::len).max().unwrap_or(0);
    let mut list = String::new();
    for (group, verbs) in GROUPS {
        let _ = writeln!(list, "{group}:");
        for verb in *verbs {
            let about = command.find_subcommand(verb).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(list, "  {verb:<width$}  {about}");
        }
        list.push('\n');
    }
    let template = format!("{{about-with-newline}}\nusage: {{usage}}\n\n{list}options:\n{{options}}{{after-help}}");
    lower_case(command).help_template(template).after_help(format!("{}\n{MORE}", topics::list()))
}

fn lower_case(command: clap::Command) -> clap::Command {
    let mut order = 0;
    let headed = |arg: clap::Arg| {
        order += 1;
        match arg.get_help_heading() {
            Some(_) => arg,
            None if arg.is_positional() => arg.help_heading("arguments").display_order(order),
            None => arg.help_heading("options"),
        }
    };
    // The sentence and what follows it are shown together: there is one help, not a short and a long one.
    let about = command.get_long_about().or_else(|| command.get_about()).cloned().unwrap_or_default();
    command
        .about(about)
        .disable_help_subcommand(true)
        .subcommand_help_heading("verbs")
        .subcommand_value_name("VERB")
        .help_template(VERB_HELP)
        .mut_args(headed)
        .mut_subcommands(lower_case)
}
