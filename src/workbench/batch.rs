//! A batch: commands decided one after the other, committed in groups.

use super::kept::Kept;
use super::process::{Manner, Reacted, Seen, Watch};
use super::send::{Now, Refusal, Request, Sent};
use super::{Error, Misfit, Workbench};
use crate::event::{Expect, StreamName, Time, Version};
use crate::json::{self, Object, Value};

/// A group commits when it has so many commands.
pub const MAX_GROUP: usize = 256;
/// A group commits when its payloads have so many bytes.
pub const MAX_GROUP_BYTES: usize = 1024 * 1024;

/// Groups of commands over a workbench. What [`Batch::add`] returns holds only after [`Batch::commit`].
#[derive(Debug)]
pub struct Batch<'w> {
    workbench: &'w mut Workbench,
    kept: Kept,
    /// When the batch began.
    now: Time,
    /// Commands decided in the open turn.
    pending: usize,
    bytes: usize,
    open: bool,
    /// Whether the open turn appended anything.
    dirty: bool,
    /// The latest time that a command had.
    latest: Time,
    /// What processes need not look at again.
    seen: Seen,
}

impl<'w> Batch<'w> {
    /// An empty group.
    pub fn new(workbench: &'w mut Workbench, now: Time) -> Self {
        Self {
            workbench,
            kept: Kept::default(),
            now,
            pending: 0,
            bytes: 0,
            open: false,
            dirty: false,
            latest: Time::MIN,
            seen: Seen::default(),
        }
    }

    /// Takes the turn, unless the group has it already.
    pub fn begin(&mut self) -> Result<(), Error> {
        if !self.open {
            self.kept.inline = self.workbench.begin_sending(self.now)?;
            self.open = true;
        }
        Ok(())
    }

    /// Decides a command within the open group. After an error of the domain or of the request the group is as it
    /// was before; after one of the store the group is lost and nothing of it is stored.
    pub fn add(&mut self, request: Request, now: &Now) -> Result<Sent, Error> {
        self.latest = self.latest.max(request.time.unwrap_or(now.time));
        let accepted = self.workbench.accept(request, now)?;
        self.begin()?;
        match self.workbench.send_in_turn(accepted, &mut self.kept) {
            Ok(sent) => {
                self.pending += 1;
                if let Sent::Accepted(receipt) = &sent {
                    self.dirty |= !receipt.duplicate && !receipt.events.is_empty();
                    self.bytes += receipt.events.iter().map(|event| event.data.len()).sum::<usize>();
                }
                Ok(sent)
            }
            Err(error) => {
                if matches!(error, Error::Store(_)) {
                    self.abandon();
                } else if self.pending == 0 {
                    // The turn was begun for this command alone, and others may be waiting for it.
                    self.commit()?;
                }
                Err(error)
            }
        }
    }

    /// See [`Workbench::rules_are_new`].
    pub fn rules_are_new(&mut self, stream: &StreamName) -> Result<bool, Error> {
        self.workbench.rules_are_new(stream)
    }

    /// How many commands wait for the commit.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// How many bytes of payload wait for the commit.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Stores the group: afterwards its receipts hold.
    pub fn commit(&mut self) -> Result<(), Error> {
        let dirty = std::mem::take(&mut self.dirty);
        self.pending = 0;
        self.bytes = 0;
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        if dirty {
            self.workbench.store.commit().inspect_err(|_| self.kept.clear())?;
        } else {
            self.workbench.store.rollback();
        }
        Ok(())
    }

    /// Lets processes react to what was committed, at the time of its latest command.
    pub fn react(&mut self, max_steps: u64, watch: &mut Watch<'_>) -> Result<Reacted, Error> {
        self.workbench.react_on(&Manner::new(self.latest, max_steps), &mut self.seen, watch)
    }

    /// Forgets the group on account of a refusal in it, which from then on names the end of the store without the group:
    /// positions and hashes of what is not stored must not get out.
    pub fn refuse(&mut self, refusal: &mut Refusal) -> Result<(), Error> {
        self.abandon();
        let head = self.workbench.store.head()?;
        (refusal.position, refusal.head) = (head.position, head.hash);
        Ok(())
    }

    /// Forgets the group: nothing of it is stored.
    pub fn abandon(&mut self) {
        self.pending = 0;
        self.bytes = 0;
        self.dirty = false;
        self.kept.clear();
        if std::mem::take(&mut self.open) {
            self.workbench.store.rollback();
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// The keys of a line, in the order of the documentation.
const KEYS: [&str; 10] =
    ["stream", "command", "data", "id", "expect", "time", "actor", "meta", "correlation", "causation"];

/// Reads one line of a batch: a JSON object with `stream` and `command`, and whatever `send` takes as flags.
pub fn request_from_line(line: &str) -> Result<Request, Misfit> {
    let value = json::parse(line).map_err(|problem| Misfit::new(format!("this line is not JSON: {problem}")))?;
    let Value::Object(mut members) = value else {
        return Err(Misfit::new(format!("a line is an object, not {}", value.kind_name()))
            .hint(r#"write it as {"stream":"account/ada","command":"Deposit","data":{"amount":10}}"#));
    };
    if let Some(unknown) = members.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let misfit = Misfit::new(format!("`{unknown}` is no key of a command"));
        return Err(match crate::diagnostic::suggest(unknown, KEYS.iter().copied()) {
            Some(near) => misfit.hint(format!("did you mean `{near}`?")),
            None => misfit.hint(format!("it has {}", KEYS.map(|key| format!("`{key}`")).join(", "))),
        });
    }
    let Some(stream) = text(&mut members, "stream")? else {
        return Err(Misfit::new("the line has no `stream`"));
    };
    let Some(command) = text(&mut members, "command")? else {
        return Err(Misfit::new("the line has no `command`"));
    };
    let time = text(&mut members, "time")?.map(|text| Time::parse(&text)).transpose();
    Ok(Request {
        stream: StreamName::new(&stream).map_err(|problem| Misfit::new(format!("`{stream}`: {problem}")))?,
        command,
        data: object(&mut members, "data")?,
        id: text(&mut members, "id")?,
        expect: expect(members.swap_remove("expect"))?,
        actor: text(&mut members, "actor")?,
        correlation: text(&mut members, "correlation")?,
        causation: text(&mut members, "causation")?,
        meta: object(&mut members, "meta")?,
        time: time.map_err(|problem| Misfit::new(problem.to_string()))?,
    })
}

fn text(members: &mut Object, key: &str) -> Result<Option<String>, Misfit> {
    match members.swap_remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(other) => Err(Misfit::new(format!("`{key}` is a string, not {}", other.kind_name()))),
    }
}

fn object(members: &mut Object, key: &str) -> Result<Object, Misfit> {
    match members.swap_remove(key) {
        None | Some(Value::Null) => Ok(Object::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(other) => Err(Misfit::new(format!("`{key}` is an object, not {}", other.kind_name()))),
    }
}

fn expect(value: Option<Value>) -> Result<Option<Expect>, Misfit> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Integer(n)) if n >= 0 => Ok(Some(Expect::Version(Version(n.unsigned_abs())))),
        Some(Value::Text(text)) if text == "none" => Ok(Some(Expect::None)),
        Some(Value::Text(text)) if text == "exists" => Ok(Some(Expect::Exists)),
        Some(other) => Err(Misfit::new(format!("`expect` is a version, `none` or `exists`, not {other}"))),
    }
}
