//! `send`: one command, decided and stored. Many of them: [`super::batch`].

use super::atomic;
use super::batch::{self, Ends};
use super::context::{Context, Purpose};
use super::failure::{Exit, Failure, Kind};
use super::payload;
use super::react::{ReactArgs, after_sending};
use super::replay::{moment, named};
use crate::render::{Format, Talk, receipt, wire};
use esctl::event::{Expect, Time, Version};
use esctl::workbench::Workbench;
use esctl::workbench::project::preview::Outcome;
use esctl::workbench::send::{Request, Sent};
use std::io::Write;

const EXAMPLES: &str = "\
examples:
  esctl send account/ada Deposit amount=10.50 ref=salary --actor ada
  esctl send account/ada Withdraw amount=3 --dry-run
  esctl send account/ada Deposit amount=3 --dry-run --at 2
  echo '{\"stream\":\"account/ada\",\"command\":\"Deposit\",\"data\":{\"amount\":1}}' | esctl send --batch -";

/// send a command to a stream: the domain decides, and its events are stored
///
/// Prints a receipt once the events are safely stored, or the rejection, which stores nothing and exits 1. A value is
/// read by its field's declared type. A rejection leaves its `id` free: sent again, the command is decided anew.
///
/// With `--dry-run` the events are shown that the command would give, with what they would change in the state of its stream
/// and in the rows of read models; the exit code is that of the decision. Rows are computed aside, where not more than
/// 10,000 positions are to be caught up with before. With `--at` the command meets every stream as it was then, and has the
/// time of the last event then, unless `--time` names another.
///
/// With `--batch`, commands are read as one JSON object a line, with the keys `stream`, `command`, `data`, `id`,
/// `expect`, `time`, `actor`, `meta`, `correlation` and `causation`, of which only the first two are required. Lines
/// with nothing in them are skipped; the last line needs no line break. Each command has one line of answer, in the same
/// order, with the number of its line. Commands are stored in groups, and answered when their group is stored: after
/// 256 of them, after 1 MiB, or when nothing is there to be read. A rejection does not end a batch; a line that is not
/// understood or cannot be carried out does, and what precedes it is stored.
///
/// With `--atomic`, all lines are read and checked first; then they are decided and stored in one turn, while other
/// writers wait. The first rejection or error undoes all of it and is the only answer.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is given or not")]
pub struct SendArgs {
    /// the stream, as `aggregate/id`
    #[arg(value_name = "STREAM", required_unless_present = "batch", conflicts_with = "batch")]
    stream: Option<String>,
    /// the command, as the aggregate declares it
    #[arg(value_name = "COMMAND", required_unless_present = "batch")]
    command: Option<String>,
    /// `FIELD=VALUE`; `FIELD:=JSON` for JSON; `FIELD=@FILE` or `FIELD:=@FILE` for what is in a file
    #[arg(value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// the whole payload: JSON, `@FILE`, or `-` for stdin; fields given besides are put over it
    #[arg(long, value_name = "JSON", conflicts_with = "batch")]
    data: Option<String>,
    /// names this command once and for all: sent again, it is not stored again
    #[arg(long, value_name = "KEY", conflicts_with = "batch")]
    id: Option<String>,
    /// what the stream must be at: a version, `none` or `exists`
    #[arg(long, value_name = "VERSION", conflicts_with = "batch")]
    expect: Option<String>,
    /// who sends it
    #[arg(long, value_name = "NAME", conflicts_with = "batch")]
    actor: Option<String>,
    /// the conversation it belongs to
    #[arg(long, value_name = "ID", conflicts_with = "batch")]
    correlation: Option<String>,
    /// what it follows from: an id or a position
    #[arg(long, value_name = "ID", conflicts_with = "batch")]
    causation: Option<String>,
    /// something to keep with it: `KEY=TEXT` or `KEY:=JSON`; may be given several times
    #[arg(long, value_name = "KEY=TEXT", conflicts_with = "batch")]
    meta: Vec<String>,
    /// when it was sent, if not now
    #[arg(long, value_name = "TIME", conflicts_with = "batch")]
    time: Option<String>,
    /// show what would happen, and store nothing
    #[arg(long, conflicts_with = "batch")]
    dry_run: bool,
    /// with `--dry-run`: as if it had been sent then, at a version of its stream (`7`), a position (`@120`) or a time
    #[arg(long, value_name = "MOMENT", conflicts_with = "batch")]
    at: Option<String>,
    /// read commands from a file, or from stdin with `-`
    #[arg(long, value_name = "FILE")]
    batch: Option<String>,
    // What follows is about batches. clap lets `requires = "batch"` pass where a stream rules a batch out.
    /// how many commands of a batch are stored together at most
    #[arg(long, value_name = "N", default_value_t = batch::MAX_GROUP, value_parser = clap::value_parser!(u64).range(1..=batch::MAX_GROUP), conflicts_with = "stream")]
    group: u64,
    /// go on after a line of a batch that cannot be carried out
    #[arg(long, conflicts_with = "stream")]
    keep_going: bool,
    /// end a batch at its first rejection too; what precedes it is stored
    #[arg(long, conflicts_with_all = ["stream", "keep_going"])]
    stop_on_reject: bool,
    /// store the whole batch together, or nothing of it
    #[arg(long, conflicts_with_all = ["stream", "group", "keep_going"])]
    atomic: bool,
    /// say the id of a command on stderr before it is sent; in a batch, each id that is made
    #[arg(long, conflicts_with = "dry_run")]
    print_id: bool,
    #[command(flatten)]
    react: ReactArgs,
}

/// Runs the verb.
pub fn run(args: SendArgs, context: &mut Context) -> Result<Exit, Failure> {
    if context.out.format == Format::Csv {
        return Err(Failure::usage("`send` prints receipts, which have no rows: use `-o json`"));
    }
    if args.at.is_some() && !args.dry_run {
        return Err(Failure::usage("nothing can be stored in the past: `--at` goes with `--dry-run`")
            .hint("`esctl fork NEW --at MOMENT` makes a store that ends then, for sending to it"));
    }
    match &args.batch {
        Some(file) if args.atomic => atomic::run(file, args.print_id, args.react, context),
        Some(file) => {
            let ends = match (args.keep_going, args.stop_on_reject) {
                (true, _) => Ends::Never,
                (false, true) => Ends::OnRejection,
                (false, false) => Ends::OnError,
            };
            batch::run(
                file,
                batch::Settings { group: args.group, ends, print_id: args.print_id, react: args.react },
                context,
            )
        }
        None if args.dry_run => rehearse(args, context),
        None => send(args, context),
    }
}

/// How far the time must have been behind that of the store to be worth a word, in microseconds.
const WORTH_SAYING: i64 = 1_000_000;

/// What is said before other rules than so far decide.
pub const NEW_RULES: &str = "the domain has changed: nothing in this store was decided by these rules yet";

/// Says an id before anything is sent under it. It is what settles an unknown outcome: unsaid, nothing is sent.
pub fn say_id(words: &str, talk: Talk) -> Result<(), Failure> {
    talk.demand(words).map_err(|error| Failure::new(Kind::Output, format!("the id could not be printed: {error}")))
}

fn send(args: SendArgs, context: &mut Context) -> Result<Exit, Failure> {
    let (print_id, react) = (args.print_id, args.react);
    let (mut workbench, request) = understood(args, context)?;
    workbench.store = context.store(Purpose::Send)?;
    let now = context.ids(&mut workbench)?.now(context.now);
    let id = request.id.clone().unwrap_or_else(|| now.id.clone());
    let asked = request.time.unwrap_or(now.time);
    if workbench.rules_are_new(&request.stream)? {
        context.talk.note(NEW_RULES);
    }
    if print_id {
        say_id(&format!("id: {id}"), context.talk)?;
    }
    let sent = workbench.send(request, &now);
    context.say_notes(&workbench.domains);
    let sent = sent.map_err(|error| with_id(error.into(), &id))?;
    let exit = deliver(&sent, asked, context)?;
    after_sending(&mut workbench, react.manner(asked), context);
    Ok(exit)
}

/// What is not understood makes no store: the request is read and checked before one is opened.
fn understood(args: SendArgs, context: &Context) -> Result<(Workbench, Request), Failure> {
    let mut workbench = context.workbench(Purpose::Nothing)?;
    let request = request(args, &workbench)?;
    let now = context.ids(&mut workbench)?.now(context.now);
    workbench.understands(&request, &now)?;
    Ok((workbench, request))
}

fn rehearse(args: SendArgs, context: &mut Context) -> Result<Exit, Failure> {
    let at = moment(args.at.as_deref())?;
    let (mut workbench, mut request) = understood(args, context)?;
    workbench.store = context.store(Purpose::Suppose)?;
    let mut then = None;
    if let Some(at) = at {
        workbench = workbench.as_of_sending(&request.stream, at)?;
        let head = workbench.store.head()?;
        request.time = request.time.or(head.time);
        then = Some(wire::at(head.position));
    }
    let now = context.ids(&mut workbench)?.now(context.now);
    let rehearsal = workbench.rehearse(request, &now);
    context.say_notes(&workbench.domains);
    let rehearsal = rehearsal?;
    receipt::rehearsal(&rehearsal, &mut context.out).map_err(Failure::output)?;
    context.out.flush().map_err(Failure::output)?;
    for preview in &rehearsal.projections {
        if let Outcome::Behind { .. } = preview.outcome {
            let name = &preview.name;
            context.talk.note(&match &then {
                Some(then) => format!("`esctl project show {name} --at {then}` computes its rows as they were then"),
                None => format!("`esctl project rebuild {name}` brings it up to date"),
            });
        }
    }
    match &then {
        Some(then) => context.talk.note(&format!("a dry run on the store as it was at {then}: nothing was stored")),
        None => context.talk.note("a dry run: nothing was stored"),
    }
    Ok(verdict(&rehearsal.sent))
}

fn verdict(sent: &Sent) -> Exit {
    match sent {
        Sent::Accepted(_) => Exit::Done,
        Sent::Rejected(_) => Exit::No,
    }
}

/// The receipt is part of the deal: who cannot have it must know that something was stored.
fn deliver(sent: &Sent, asked: Time, context: &mut Context) -> Result<Exit, Failure> {
    // Who waited for the turn while others wrote is behind by that much, which is nothing to speak of.
    if let Sent::Accepted(receipt) = sent
        && let Some(raised) = receipt.raised
        && raised.micros().saturating_sub(asked.micros()) >= WORTH_SAYING
    {
        context.talk.note(&format!("the time was raised to {raised}, that of the last event in the store"));
    }
    let delivered = receipt::sent(sent, &mut context.out).and_then(|()| context.out.flush());
    match (delivered, sent) {
        (Ok(()), sent) => Ok(verdict(sent)),
        (Err(error), Sent::Accepted(receipt)) => {
            let what = format!("`{}` is stored, but its receipt", receipt.command);
            Err(with_id(Failure::undelivered(error, what), &receipt.id))
        }
        (Err(error), Sent::Rejected(_)) => {
            Failure::output(error).report(context.talk);
            Ok(Exit::No)
        }
    }
}

/// Where the outcome is unknown, the id is what settles it.
fn with_id(failure: Failure, id: &str) -> Failure {
    match failure.kind {
        Kind::Unknown => {
            Failure { hints: vec![format!("send it again with `--id {id}`: it is stored once at most")], ..failure }
        }
        _ => failure,
    }
}

fn request(args: SendArgs, workbench: &Workbench) -> Result<Request, Failure> {
    let stream = named(&args.stream.unwrap_or_default())?;
    let command = args.command.unwrap_or_default();
    let declared = workbench.command_fields(&stream, &command)?;
    let data = payload::payload(&command, &declared, args.data.as_deref(), &args.fields)?;
    let time = args.time.map(|text| Time::parse(&text)).transpose();
    Ok(Request {
        stream,
        command,
        data,
        id: args.id,
        expect: args.expect.map(|text| expect(&text)).transpose()?,
        actor: args.actor,
        correlation: args.correlation,
        causation: args.causation,
        meta: payload::meta(&args.meta)?,
        time: time.map_err(|error| Failure::usage(format!("`--time`: {error}")))?,
    })
}

fn expect(text: &str) -> Result<Expect, Failure> {
    match text {
        "none" => Ok(Expect::None),
        "exists" => Ok(Expect::Exists),
        digits => digits.parse().map(|version| Expect::Version(Version(version))).map_err(|_| {
            Failure::usage(format!(
                "`--expect {text}` is neither a version, as in `--expect 3`, nor `none`, nor `exists`"
            ))
        }),
    }
}
