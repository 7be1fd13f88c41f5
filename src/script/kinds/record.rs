//! What is in scope under a name, field by field.

use super::Kind;
use crate::json::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Says what is wrong with a value that is known before anything runs.
pub type Accepts = Rc<dyn Fn(Value) -> Result<(), String>>;

/// One field.
#[derive(Clone)]
pub struct Member {
    /// Its name.
    pub name: Box<str>,
    /// What it holds.
    pub kind: Kind,
    /// Whether it was declared with a type, which it keeps; other fields hold what scripts put there.
    pub declared: bool,
    /// What it may be, more precisely than the kind.
    pub accepts: Option<Accepts>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A state, an event, a command, a row, `meta`.
#[derive(Debug)]
pub struct Record {
    /// What it is called in scripts: `event`.
    pub root: &'static str,
    /// Whose it is, for hints: "`Deposited`".
    pub owner: String,
    /// Whether there may be other fields.
    pub open: bool,
    members: RefCell<Vec<Member>>,
    /// What the fields hold at first.
    first: Vec<Kind>,
    /// Of which sorts what scripts put into a field is, a bit each.
    sorts: RefCell<Vec<u16>>,
    /// Whether something new was learnt of a field.
    learnt: Cell<bool>,
}

impl Record {
    /// One with these fields.
    pub fn new(root: &'static str, owner: String, members: Vec<Member>, open: bool) -> Rc<Self> {
        let first: Vec<Kind> = members.iter().map(|member| member.kind.clone()).collect();
        let sorts = RefCell::new(vec![0; first.len()]);
        Rc::new(Self { root, owner, open, members: RefCell::new(members), first, sorts, learnt: Cell::new(false) })
    }

    /// What a field holds before anything is put there.
    pub(super) fn first(&self, name: &str) -> Option<&Kind> {
        let at = self.members.borrow().iter().position(|member| &*member.name == name)?;
        self.first.get(at)
    }

    /// Takes note of the sort of what is put into a field. Gives whether things of other sorts are.
    pub(super) fn sorted(&self, name: &str, new: &Kind) -> bool {
        let place = self.members.borrow().iter().position(|member| &*member.name == name);
        let (Some(place), Some(sort)) = (place, new.known_sort()) else { return false };
        let mut sorts = self.sorts.borrow_mut();
        sorts[place] |= 1 << sort;
        sorts[place] != 1 << sort
    }

    /// One of its fields.
    pub fn member(&self, name: &str) -> Option<Member> {
        self.members.borrow().iter().find(|member| &*member.name == name).cloned()
    }

    /// The names of its fields.
    pub fn names(&self) -> Vec<String> {
        self.members.borrow().iter().map(|member| member.name.to_string()).collect()
    }

    /// All of them, with what they hold.
    pub(super) fn members(&self) -> BTreeMap<String, Kind> {
        self.members.borrow().iter().map(|member| (member.name.to_string(), member.kind.clone())).collect()
    }

    /// Takes note that a field, or something within it, is given a value of this kind.
    pub(super) fn learn(&self, name: &str, change: impl FnOnce(&Kind) -> Kind) {
        let mut members = self.members.borrow_mut();
        let Some(member) = members.iter_mut().find(|member| &*member.name == name && !member.declared) else { return };
        let kind = change(&member.kind);
        if kind != member.kind {
            member.kind = kind;
            self.learnt.set(true);
        }
    }

    /// Whether something was learnt since this was asked last.
    pub fn take_learnt(&self) -> bool {
        self.learnt.replace(false)
    }

    /// Gives up on what scripts put into fields that have no type.
    pub fn give_up(&self) {
        for member in self.members.borrow_mut().iter_mut().filter(|member| !member.declared) {
            member.kind = Kind::Any;
        }
    }
}
