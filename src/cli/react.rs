//! What processes do after a verb that sends: told on stderr, and no part of its outcome.

use super::context::Context;
use super::failure::Failure;
use crate::render::{Talk, processes, text, trouble, wire};
use esctl::diagnostic::{self, Diagnostic, Severity};
use esctl::event::Time;
use esctl::workbench::Workbench;
use esctl::workbench::process::{Bound, Happened, MAX_STEPS, Manner, Reacted, Stopped};

/// The most commands of processes that are told one by one.
const MAX_TOLD: u64 = 20;

/// Whether processes react to what is sent, and how far.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct ReactArgs {
    /// leave it to `esctl process run` to let processes react to the events
    #[arg(long)]
    pub no_react: bool,
    /// how many commands of processes may follow from one event before it is taken for a loop
    #[arg(long, value_name = "N", default_value_t = MAX_STEPS, value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "no_react")]
    pub max_steps: u64,
}

impl ReactArgs {
    /// How processes are run at a time; `None`: not at all.
    pub fn manner(self, now: Time) -> Option<Manner> {
        (!self.no_react).then(|| Manner::new(now, self.max_steps))
    }
}

/// Says what processes do, each thing as it happens.
pub fn told(happened: &Happened<'_>, count: &mut u64, talk: Talk) {
    match happened {
        Happened::Sent { process, key, sent, .. } => {
            *count += 1;
            if *count <= MAX_TOLD {
                talk.note(&processes::sent_line(process, key, sent));
            }
        }
        Happened::Stopped(stopped) => say_stopped(stopped, talk),
    }
}

/// Lets processes react to what was sent, and says what they do. Whatever comes of it, what was sent is stored.
pub fn after_sending(workbench: &mut Workbench, manner: Option<Manner>, context: &Context) {
    let Some(manner) = manner else { return };
    let mut count = 0;
    let reacted = workbench.react(&manner, &mut |happened| told(happened, &mut count, context.talk));
    context.say_notes(&workbench.domains);
    if count > MAX_TOLD {
        context.talk.note(&format!("… and {} more", text::count(count - MAX_TOLD, "command")));
    }
    settle(reacted, context.talk);
}

/// Says why processes could not do everything.
pub fn settle(reacted: Result<Reacted, esctl::workbench::Error>, talk: Talk) {
    match reacted {
        Ok(Reacted { bound: Some(bound), .. }) => say_bound(&bound, talk),
        Ok(_) => {}
        Err(error) => {
            let failure =
                Failure::from(error).hint("what was sent is stored; `esctl process run` lets processes go on");
            failure.report_within(Some("while processes reacted"), talk);
        }
    }
}

/// Says that an instance stopped, with the place in the rules.
pub fn say_stopped(stopped: &Stopped, talk: Talk) {
    let name = &stopped.process;
    let key = stopped.key.as_ref().map(processes::key);
    let (who, which) = match &key {
        Some(key) => (format!("the instance `{key}` of `{name}` stopped"), format!("{name} {}", text::shell_word(key))),
        None => (format!("the process `{name}` stopped"), name.to_string()),
    };
    let mut found = match &stopped.problem {
        Some(problem) => (**problem).clone(),
        None => Diagnostic::warning("process", stopped.halt.message.clone()),
    };
    found.severity = Severity::Warning;
    found.situation = Some(found.situation.map_or(who.clone(), |inner| format!("{inner}\n{who}")));
    let hint = format!("`esctl process retry {which}` tries it again, `esctl process skip {which}` goes on past it");
    say(found.hint(hint), talk);
}

/// Says that there was no end to it.
pub fn say_bound(bound: &Bound, talk: Talk) {
    let names: Vec<String> = bound.processes.iter().map(|name| format!("`{name}`")).collect();
    let words = match names.as_slice() {
        [one] => format!("the process {one} keeps answering itself"),
        several => format!("the processes {} keep answering each other", several.join(" and ")),
    };
    let steps = text::count(bound.max_steps, "step");
    let found =
        Diagnostic::warning("loop", format!("{words}: {steps} followed from one event, and there is more to do"));
    say(found.hint("the rest is left: `esctl process run` goes on with it, `--max-steps` says how far"), talk);
}

/// Says a warning; as JSON where errors are.
fn say(found: Diagnostic, talk: Talk) {
    if talk.json {
        if let Ok(line) = wire::line(&trouble::Warned { warning: (&found).into() }) {
            talk.line(&line);
        }
    } else {
        talk.text(&diagnostic::render(&[found], talk.color));
    }
}
