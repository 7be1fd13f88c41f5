//! A domain on a store in memory, with a clock that stands still.

use super::NOW;
use esctl::diagnostic::{self, Source};
use esctl::domain::Domains;
use esctl::event::{StreamName, Time};
use esctl::json::Object;
use esctl::store::memory::MemoryStore;
use esctl::workbench::send::{Now, Request, Sent};
use esctl::workbench::{Error, Workbench};
use std::rc::Rc;

/// A workbench, and how many commands it was sent.
pub struct World {
    /// What does the work.
    pub workbench: Workbench,
    sent: u64,
}

impl World {
    /// Of a domain that is sound.
    pub fn new(text: &str) -> Self {
        let (domains, problems) = Domains::load(&[Source::new("test.yaml", text)]);
        let Some(domains) = domains else { panic!("{}", diagnostic::render(&problems, false)) };
        Self::of(domains)
    }

    /// Of domains.
    pub fn of(domains: Domains) -> Self {
        Self { workbench: Workbench::new(Rc::new(domains), Box::new(MemoryStore::new("test"))), sent: 0 }
    }

    /// Sends a command.
    pub fn command(&mut self, stream: &str, command: &str, data: Object) -> Result<Sent, Error> {
        self.sent += 1;
        let request = Request {
            stream: StreamName::new(stream).unwrap(),
            command: command.into(),
            data,
            id: None,
            expect: None,
            actor: None,
            correlation: None,
            causation: None,
            meta: Object::new(),
            time: None,
        };
        let now = Now { time: Time::parse(NOW).unwrap(), id: format!("id-{}", self.sent) };
        self.workbench.send(request, &now)
    }
}
