//! Instances of processes: as they are listed, and one of them with what it has to do and its history.

use super::listing::{Column, Render};
use super::processes::{HaltLine, halted, halted_at, key};
use super::{Output, text, wire};
use esctl::store::{Deadline, Outgoing, StepKind};
use esctl::workbench::process::{InstanceShown, Standing, StepShown};
use serde::Serialize;
use std::io;

/// Columns of [`InstanceShown`].
pub const INSTANCES: &[Column] = &[
    Column::text("key"),
    Column::text("status"),
    Column::number("began"),
    Column::text("time"),
    Column::number("steps"),
    Column::number("ignored"),
    Column::text("state"),
    Column::text("problem"),
];

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Running => "running",
        Standing::Ended => "ended",
        Standing::Stopped => "stopped",
    }
}

/// Whether an instance has nothing to come.
pub fn has_ended(instance: &InstanceShown) -> bool {
    instance.standing == Standing::Ended
}

#[derive(Debug, Serialize)]
struct InstanceLine<'a> {
    process: &'a str,
    key: wire::Exact<'a>,
    status: &'static str,
    state: wire::Exact<'a>,
    began: u64,
    time: String,
    steps: u64,
    ignored: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<HaltLine<'a>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    more: Option<More<'a>>,
}

/// What is told of one instance alone.
#[derive(Debug, Serialize)]
struct More<'a> {
    to_send: Vec<OutgoingLine<'a>>,
    waiting: Vec<u64>,
    deadlines: Vec<DeadlineLine<'a>>,
    history: Vec<StepLine<'a>>,
}

#[derive(Debug, Serialize)]
struct OutgoingLine<'a> {
    stream: &'a str,
    command: &'a str,
    id: &'a str,
    data: wire::Exact<'a>,
}

impl<'a> From<&'a Outgoing> for OutgoingLine<'a> {
    fn from(outgoing: &'a Outgoing) -> Self {
        let Outgoing { stream, name, id, data, .. } = outgoing;
        Self { stream: stream.as_str(), command: name, id, data: (&**data).into() }
    }
}

#[derive(Debug, Serialize)]
struct DeadlineLine<'a> {
    name: &'a str,
    due: String,
}

impl<'a> From<&'a Deadline> for DeadlineLine<'a> {
    fn from(deadline: &'a Deadline) -> Self {
        Self { name: &deadline.name, due: wire::time(deadline.due) }
    }
}

#[derive(Debug, Serialize)]
struct StepLine<'a> {
    number: u64,
    kind: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<wire::Exact<'a>>,
}

impl<'a> From<&'a StepShown> for StepLine<'a> {
    fn from(shown: &'a StepShown) -> Self {
        let step = &shown.step;
        Self {
            number: step.number,
            kind: step.kind.name(),
            time: wire::time(step.time),
            position: step.position.map(|position| position.0),
            name: step.name.as_deref(),
            id: step.command.as_deref(),
            causation: step.causation.as_deref(),
            data: shown.data.as_ref().map(wire::Exact::from),
        }
    }
}

fn line<'a>(instance: &'a InstanceShown, more: Option<More<'a>>) -> InstanceLine<'a> {
    InstanceLine {
        process: &instance.process,
        key: (&instance.key).into(),
        status: standing(instance.standing),
        state: (&instance.state).into(),
        began: instance.began.0,
        time: wire::time(instance.time),
        steps: instance.steps,
        ignored: instance.ignored,
        problem: instance.stopped.as_ref().map(HaltLine::from),
        more,
    }
}

impl Render for InstanceShown {
    fn cells(&self) -> Vec<String> {
        vec![
            key(&self.key),
            standing(self.standing).to_owned(),
            self.began.to_string(),
            wire::time(self.time),
            self.steps.to_string(),
            self.ignored.to_string(),
            text::value(&self.state),
            self.stopped.as_ref().map(|halt| text::harmless(&halted(halt)).into_owned()).unwrap_or_default(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&line(self, None))
    }
}

/// Columns of [`StepShown`].
pub const STEPS: &[Column] = &[
    Column::number("number"),
    Column::text("kind"),
    Column::text("time"),
    Column::number("position"),
    Column::text("name"),
    Column::text("id"),
    Column::text("causation"),
    Column::text("data"),
];

impl Render for StepShown {
    fn cells(&self) -> Vec<String> {
        let step = &self.step;
        let or_empty = |text: &Option<Box<str>>| text.as_deref().map(text::harmless).unwrap_or_default().into_owned();
        vec![
            step.number.to_string(),
            step.kind.name().to_owned(),
            wire::time(step.time),
            step.position.map(|position| position.to_string()).unwrap_or_default(),
            or_empty(&step.name),
            or_empty(&step.command),
            or_empty(&step.causation),
            self.data.as_ref().map(text::value).unwrap_or_default(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&StepLine::from(self))
    }
}

/// One instance, with what it has to do and its history.
pub fn instance(instance: &InstanceShown, steps: &[StepShown], out: &mut Output) -> io::Result<()> {
    if out.format.is_json() {
        let more = More {
            to_send: instance.outgoing.iter().map(OutgoingLine::from).collect(),
            waiting: instance.waiting.iter().map(|position| position.0).collect(),
            deadlines: instance.deadlines.iter().map(DeadlineLine::from).collect(),
            history: steps.iter().map(StepLine::from).collect(),
        };
        return out.line(&wire::line(&line(instance, Some(more)))?);
    }
    let (process, of) = (&instance.process, key(&instance.key));
    out.line(&format!("{process}  {of}  {}", standing(instance.standing)))?;
    if let Some(halt) = &instance.stopped {
        out.line(&format!("  stopped {}", text::harmless(&halted(halt))))?;
    }
    out.line(&format!("  state {}", text::value(&instance.state)))?;
    for Outgoing { stream, name, data, .. } in &instance.outgoing {
        out.line(&format!("  to send {} {name} {}", text::harmless(stream.as_str()), text::harmless(data)))?;
    }
    for position in &instance.waiting {
        out.line(&format!("  waiting {}", wire::at(*position)))?;
    }
    for Deadline { name, due, .. } in &instance.deadlines {
        out.line(&format!("  deadline {} due {due}", text::harmless(name)))?;
    }
    if instance.ignored > 0 {
        out.line(&format!("  ignored {} after its end", text::count(instance.ignored, "event")))?;
    }
    out.line("history")?;
    for StepShown { step, data, halt } in steps {
        let mut line = format!("  {}  {}  {}", step.number, step.time, step.kind.name());
        for part in [step.name.as_deref().map(ToOwned::to_owned), step.position.map(wire::at)].into_iter().flatten() {
            line.push_str("  ");
            line.push_str(&text::harmless(&part));
        }
        match (halt, data) {
            (Some(halt), _) if step.kind == StepKind::Stopped => {
                line.push_str("  ");
                line.push_str(&text::harmless(&halted(halt)));
            }
            (Some(halt), _) => {
                line.push_str("  ");
                line.push_str(&text::harmless(&halted_at(halt)));
            }
            (None, Some(data)) => {
                line.push_str("  ");
                line.push_str(&text::value(data));
            }
            (None, None) => {}
        }
        out.line(&line)?;
    }
    Ok(())
}
