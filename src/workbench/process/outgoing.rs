//! What an instance has to send: sent, and what came of it noted.

use super::halt::{Halt, HaltAt};
use super::instance::{Cause, key_of, step};
use super::queue::{Follows, Root};
use super::{News, Run, actor, label, process_of};
use crate::domain::process::Process;
use crate::event::{StreamName, Time};
use crate::json::{self, Object, Value};
use crate::script::Rejection;
use crate::script::fold::Payload;
use crate::script::react::Occasion;
use crate::store::{Instance, Outgoing, ProcessChange, Step, StepKind, StoreError};
use crate::workbench::send::{Now, Receipt, Refusal, Request, Sent};
use crate::workbench::{Error, Workbench};

impl Workbench {
    /// Sends what an instance has to send, or stops it. Says whether there may be more to do.
    pub(super) fn send_outgoing(&mut self, run: &mut Run<'_>, outgoing: &Outgoing) -> Result<bool, Error> {
        let domains = self.domains.clone();
        let process = process_of(&domains, &outgoing.process)?;
        let follows = Follows::Command(outgoing.id.clone());
        let root = run.queue.root(&follows);
        if let Some(bound) = run.queue.count(root, &process.name, run.manner.max_steps) {
            run.reacted.bound = Some(bound);
            return Ok(false);
        }
        run.queue.done_with(&follows);
        let Some(mut instance) = self.store.instance(&outgoing.process, &outgoing.key)? else {
            return Err(StoreError::Damaged(format!("the command `{}` belongs to no instance", outgoing.id)).into());
        };
        let sent = self.accept(request(outgoing, run.now), &Now { time: run.now, id: String::new() });
        let sent = sent.and_then(|accepted| self.send_in_turn(accepted, &mut run.kept));
        match sent {
            Ok(Sent::Accepted(receipt)) => {
                run.reacted.sent += 1;
                run.bytes += receipt.events.iter().map(|event| event.data.len()).sum::<usize>();
                for event in &receipt.events {
                    run.queue.follows(Follows::Event(event.position), root);
                }
                self.store.keep(&ProcessChange::Sent(outgoing.number))?;
                self.step(run, &mut instance, sent_step(outgoing, &receipt))?;
                self.store.keep(&ProcessChange::Instance(instance))?;
                run.tell(outgoing, Sent::Accepted(receipt));
            }
            Ok(Sent::Rejected(refusal)) => {
                run.reacted.rejected += 1;
                run.tell(outgoing, Sent::Rejected(refusal.clone()));
                self.refused(run, process, instance, outgoing, &refusal, root)?;
            }
            Err(Error::Store(error)) => return Err(error.into()),
            Err(error) => {
                let failed = matches!(error, Error::Script(_));
                let problem = Box::new(error.into_diagnostic("process"));
                let halt = Halt::of(HaltAt::Command(outgoing.id.clone()), &problem);
                self.halt(run, instance, halt, failed.then_some(problem))?;
            }
        }
        Ok(true)
    }

    /// A command was rejected: the process answers that, or stops with the command still to be sent.
    fn refused(
        &mut self,
        run: &mut Run<'_>,
        process: &Process,
        mut instance: Instance,
        outgoing: &Outgoing,
        refusal: &Refusal,
        root: Root,
    ) -> Result<(), Error> {
        self.step(run, &mut instance, rejected_step(outgoing, &refusal.rejection))?;
        self.store.keep(&ProcessChange::Instance(instance.clone()))?;
        let name = (Box::from(outgoing.stream.aggregate()), outgoing.name.clone());
        let Some(script) = process.rejected.get(&name) else {
            let Rejection { code, message, .. } = &refusal.rejection;
            let why = if message.is_empty() { code } else { message };
            let halt = Halt {
                at: HaltAt::Command(outgoing.id.clone()),
                message: format!("`{}` of `{}` was rejected: {why}", outgoing.name, outgoing.stream),
                place: None,
                code: Some(code.clone()),
            };
            return self.halt(run, instance, halt, None);
        };
        let domains = self.domains.clone();
        let data = domains.aggregate(outgoing.stream.aggregate()).and_then(|known| known.commands.get(&outgoing.name));
        let data = Payload::new(data_of(outgoing), data.map_or(&json::Shape::Plain, |command| &command.shape));
        let occasion = Occasion::Rejected {
            rejection: &refusal.rejection,
            stream: &outgoing.stream,
            command: &outgoing.name,
            data,
        };
        let cause = Cause {
            at: HaltAt::Command(outgoing.id.clone()),
            label: label::of_rejection(&outgoing.label),
            causation: outgoing.id.clone(),
            correlation: outgoing.correlation.clone(),
            root,
            time: run.now,
            step: None,
            spent: None,
        };
        if self.happen(run, process, instance, script, occasion, cause)? {
            self.store.keep(&ProcessChange::Sent(outgoing.number))?;
        }
        Ok(())
    }
}

impl Run<'_> {
    fn tell(&mut self, outgoing: &Outgoing, sent: Sent) {
        let (process, key) = (outgoing.process.clone(), key_of(&outgoing.key));
        self.news.push(News::Sent { process, key, data: outgoing.data.clone(), sent: Box::new(sent) });
    }
}

/// The command as `send` takes it.
fn request(outgoing: &Outgoing, now: Time) -> Request {
    Request {
        stream: outgoing.stream.clone(),
        command: outgoing.name.to_string(),
        data: data_of(outgoing),
        id: Some(outgoing.id.to_string()),
        expect: None,
        actor: Some(actor(&outgoing.process)),
        correlation: outgoing.correlation.as_deref().map(str::to_owned),
        causation: outgoing.causation.as_deref().map(str::to_owned),
        meta: Object::new(),
        time: Some(now),
    }
}

fn data_of(outgoing: &Outgoing) -> Object {
    match json::parse(&outgoing.data) {
        Ok(Value::Object(data)) => data,
        _ => Object::new(),
    }
}

fn title(stream: &StreamName, command: &str) -> Box<str> {
    format!("{stream} {command}").into()
}

fn sent_step(outgoing: &Outgoing, receipt: &Receipt) -> Step {
    Step {
        position: receipt.events.first().map(|event| event.position),
        name: Some(title(&outgoing.stream, &outgoing.name)),
        command: Some(outgoing.id.clone()),
        causation: outgoing.causation.clone(),
        // What gave no events is stored nowhere else.
        data: receipt.events.is_empty().then(|| outgoing.data.clone()),
        ..step(StepKind::Sent)
    }
}

fn rejected_step(outgoing: &Outgoing, rejection: &Rejection) -> Step {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut told = Object::from_iter([
        ("code".to_owned(), text(&rejection.code)),
        ("message".to_owned(), text(&rejection.message)),
    ]);
    told.extend(rejection.details.clone().map(|details| ("details".to_owned(), details)));
    told.insert("data".to_owned(), Value::Object(data_of(outgoing)));
    Step {
        name: Some(title(&outgoing.stream, &outgoing.name)),
        command: Some(outgoing.id.clone()),
        causation: outgoing.causation.clone(),
        data: Some(Value::Object(told).to_string().into()),
        ..step(StepKind::Rejected)
    }
}
