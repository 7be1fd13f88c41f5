//! Scripts of plain forms, done without the engine: reading and setting members, computing, comparing, choosing.
//!
//! Most folds and handlers are of this kind, and the engine spends more on finding out what to do than on doing it. What is
//! done here comes out as the engine would have it, or is not done at all: whatever is out of the ordinary (a sum that does
//! not fit, a member that is missing, texts that are added, lists) leaves everything as it was, and the script goes to the
//! engine, which also finds the words for what is wrong. A law holds the two together: see the tests.

mod forms;
mod run;
#[cfg(test)]
mod tests;
mod value;

pub(super) use run::{Done, Own, Sight};
pub(super) use value::{Event, Value};

pub use value::{Members, Names};

use crate::json::Shape;
use rhai::Identifier;
use std::cell::{Cell, RefCell};

/// What a script does, step by step.
#[derive(Debug)]
pub(super) struct Direct {
    steps: Vec<Step>,
    /// What it says in the end, where that can be told.
    answer: Option<Form>,
    /// How many local values it keeps.
    locals: usize,
    /// The members of `event` that it reads.
    reads: Names,
    /// Room for them.
    members: RefCell<Members>,
    /// Whether it reads something of `meta`.
    reads_meta: bool,
    /// How many operations it counts as, at most.
    operations: u64,
    /// How often the engine had to do it in the end, without a success in between.
    misses: Cell<u32>,
}

/// After so many misses it is not tried any more: it would only be done twice.
const MISSES: u32 = 100;

/// Something that is done.
#[derive(Debug)]
enum Step {
    /// A member of the state, or of the row, gets a value; with an operator, that of what it had and this.
    Set(Identifier, Option<Operator>, Form),
    /// A local value.
    Keep(usize, Form),
    /// One or the other.
    Choose(Form, Vec<Step>, Vec<Step>),
    /// The row goes.
    Delete,
}

/// Something that has a value.
#[derive(Debug)]
enum Form {
    Constant(Value),
    Member(Thing, Identifier),
    Version,
    Key,
    Exists,
    Local(usize),
    /// The same, once it has this value.
    With(usize, Box<(Form, Form)>),
    Computed(Operator, Box<(Form, Form)>),
    Negative(Box<Form>),
    Not(Box<Form>),
    All(Vec<Form>),
    Any(Vec<Form>),
}

/// What has members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    /// What the script is about and may change: the state or the row.
    Own,
    Event,
    Meta,
}

/// What is done with two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Direct {
    /// The members of `event` that it reads.
    pub(super) fn reads(&self) -> &Names {
        &self.reads
    }

    /// Does something with those members of a stored payload; `None` where they cannot be read.
    pub(super) fn with_members<T>(
        &self,
        text: &str,
        shape: &Shape,
        act: impl FnOnce(&Members) -> Option<T>,
    ) -> Option<T> {
        let mut members = self.members.try_borrow_mut().ok()?;
        members.read_again(text, shape)?;
        act(&members)
    }

    /// Whether it reads something of `meta`.
    pub(super) fn reads_meta(&self) -> bool {
        self.reads_meta
    }

    /// Whether it is worth trying.
    pub(super) fn is_worth_it(&self) -> bool {
        self.misses.get() < MISSES
    }

    /// Notes whether it could be done.
    fn learn<T>(&self, done: Option<T>) -> Option<T> {
        self.misses.set(if done.is_some() { 0 } else { self.misses.get().saturating_add(1) });
        done
    }

    /// How many operations it counts as.
    pub(super) fn operations(&self) -> u64 {
        self.operations
    }
}
