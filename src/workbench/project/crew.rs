//! Several threads that fill a read model: each has rows of its own, and all see every event in order, so each row sees
//! its events in order.
//!
//! An engine belongs to one thread, so each loads the domain's files again. Keys that depend on more than the stream
//! are computed once: each thread does so for a part of a page, and waits for the parts of the others. What a thread
//! allocates comes back to it to be freed, since memory is counted by thread.

use super::fill::{Changes, Hands};
use super::routes::{Key, Routes, Stop};
use super::rows::{Fetch, Rows, Share, part_of};
use crate::diagnostic::Source;
use crate::domain::Domains;
use crate::event::Recorded;
use crate::json::Value;
use crate::script::memory;
use crate::store::{Failure, Row, RowChange, StoreError};
use crate::workbench::Error;
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Builder, Scope};

/// Pages that are on their way at a time: while one is worked on, the next is read.
const AHEAD: usize = 2;
/// How many changes a thread hands over at a time, and how often it does before somebody has taken them.
const CHUNK: usize = 256;
const CHUNKS: usize = 2;
/// Scripts go down into functions and expressions; on a stack of this size their limits are reached first.
const STACK: usize = 16 * 1024 * 1024;

/// Threads at work.
pub(super) struct Crew {
    workers: Vec<Worker>,
    answers: Receiver<(usize, Answer)>,
    /// Pages that were handed out, and how many threads have not finished each of them.
    under_way: VecDeque<(Arc<Page>, usize)>,
    /// Which page the front of these is, counted from the first.
    first: usize,
}

struct Worker {
    orders: Sender<Order>,
    /// Rows that were asked for, and the keys again. They do not wait behind pages.
    rows: Sender<Looked>,
    /// How many pages it has finished.
    done: usize,
    /// How many rows it has changed, and whether it holds as much as it may, as of the last of these.
    changed: usize,
    full: bool,
    /// What it has changed, by key, once it was told to hand that over; nothing after the last of it.
    changes: Receiver<Changes>,
    /// What of it was taken in and not yet taken out, the next at the end; nothing after the last of it.
    at_hand: Changes,
    /// What of it was written.
    written: Sender<Changes>,
}

/// Events that all look at.
struct Page {
    events: Vec<Recorded>,
    /// Keys of the events whose place modulo the number of threads is that of the part: `None` within where the key is
    /// the stream's, and as a whole where one could not be computed.
    keys: Vec<OnceLock<Option<Keys>>>,
}

/// The keys of every so-manieth event.
type Keys = Vec<Option<Vec<Key>>>;

/// Nobody waits forever for a part of a thread that has ended.
struct Owed<'p>(&'p OnceLock<Option<Keys>>);

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        let _ = self.0.set(None);
    }
}

/// Keys, and the rows they have.
type Looked = (Vec<Value>, Vec<Option<Row>>);

enum Order {
    /// Apply these events.
    Apply(Arc<Page>),
    /// Hand over what has changed.
    Finish,
    /// All of it was written.
    Written,
}

enum Answer {
    /// A page is done; how many rows have changed, and whether the thread holds as much as it may.
    Applied(usize, bool),
    /// These rows are needed to go on.
    Wanted(Vec<Value>),
    /// These rows were looked at.
    Used(Vec<Option<Row>>),
    /// An event could not be applied; or something else went wrong.
    Failed(Box<Stop>),
}

impl Crew {
    /// Begins so many threads.
    pub(super) fn hire<'scope>(
        scope: &'scope Scope<'scope, '_>,
        sources: &[Arc<Source>],
        projection: &str,
        jobs: usize,
        share: &Share,
        complete: bool,
    ) -> Result<Self, Error> {
        let (answer, answers) = channel();
        let mut workers = Vec::with_capacity(jobs);
        for number in 0..jobs {
            let (orders, order) = channel();
            let (rows, looked) = channel();
            let (change, changes) = sync_channel(CHUNKS);
            let (written, back) = channel();
            let share = Share { part: Some((number as u64, jobs as u64)), ..share.clone() };
            let (sources, projection, answer) = (sources.to_vec(), projection.to_owned(), answer.clone());
            let work = move || {
                let says = |what| {
                    let _ = answer.send((number, what));
                };
                let (Some(domains), _) = Domains::load(&sources) else {
                    return says(Answer::Failed(Box::new(Stop::from(gone()))));
                };
                let Some(projection) = domains.projection(&projection) else {
                    return says(Answer::Failed(Box::new(Stop::from(gone()))));
                };
                let routes = Routes::new(&domains, projection);
                let change = Cell::new(Some(change));
                Work { number, jobs, order, looked, change, back, says: &says }
                    .go(Rows::new(routes, share, complete, false));
            };
            let begun = Builder::new().name(format!("rows-{number}")).stack_size(STACK).spawn_scoped(scope, work);
            begun.map_err(|error| StoreError::Unavailable(format!("a thread cannot be begun: {error}")))?;
            let at_hand = Vec::new();
            workers.push(Worker { orders, rows, done: 0, changed: 0, full: false, changes, at_hand, written });
        }
        Ok(Self { workers, answers, under_way: VecDeque::new(), first: 0 })
    }

    fn tell(&self, number: usize, order: Order) {
        // A thread that has ended has said why.
        let _ = self.workers[number].orders.send(order);
    }

    /// Takes answers until there are at most so many pages under way.
    fn wait(&mut self, pages: usize, fetch: &mut Fetch<'_>) -> Result<(), Stop> {
        while self.under_way.len() > pages {
            self.answer(fetch)?;
        }
        Ok(())
    }

    /// Takes one answer.
    fn answer(&mut self, fetch: &mut Fetch<'_>) -> Result<(), Stop> {
        let (number, answer) = self.answers.recv().map_err(|_| gone())?;
        match answer {
            Answer::Applied(changed, full) => {
                let worker = &mut self.workers[number];
                (worker.changed, worker.full) = (changed, full);
                let place = worker.done - self.first;
                worker.done += 1;
                if let Some((_, left)) = self.under_way.get_mut(place) {
                    *left -= 1;
                }
                while self.under_way.front().is_some_and(|(_, left)| *left == 0) {
                    self.under_way.pop_front();
                    self.first += 1;
                }
                Ok(())
            }
            Answer::Wanted(keys) => {
                let mut rows = vec![None; keys.len()];
                fetch(keys.clone(), &mut |place, row| rows[place] = row.cloned())?;
                let _ = self.workers[number].rows.send((keys, rows));
                Ok(())
            }
            Answer::Used(rows) => {
                drop(rows);
                Ok(())
            }
            Answer::Failed(stop) => Err(*stop),
        }
    }
}

impl Hands for Crew {
    fn apply(&mut self, events: Vec<Recorded>, fetch: &mut Fetch<'_>) -> Result<(), Stop> {
        let jobs = self.workers.len();
        let page = Arc::new(Page { events, keys: (0..jobs).map(|_| OnceLock::new()).collect() });
        for number in 0..jobs {
            self.tell(number, Order::Apply(Arc::clone(&page)));
        }
        self.under_way.push_back((page, jobs));
        self.wait(AHEAD - 1, fetch)
    }

    fn changed(&self) -> usize {
        self.workers.iter().map(|worker| worker.changed).sum()
    }

    fn is_full(&self) -> bool {
        self.workers.iter().any(|worker| worker.full)
    }

    fn finish(&mut self, fetch: &mut Fetch<'_>) -> Result<Vec<Failure>, Stop> {
        self.wait(0, fetch)?;
        for number in 0..self.workers.len() {
            self.tell(number, Order::Finish);
        }
        self.workers.iter_mut().try_for_each(Worker::take_in)?;
        Ok(Vec::new())
    }

    fn take(&mut self, most: usize) -> Result<Changes, Stop> {
        let mut changes = Vec::with_capacity(most.min(self.changed()));
        while changes.len() < most {
            let heads =
                self.workers.iter().enumerate().filter_map(|(at, worker)| Some((&worker.at_hand.last()?.0, at)));
            let Some((_, first)) = heads.min() else { break };
            changes.extend(self.workers[first].next()?);
        }
        Ok(changes)
    }

    fn give_back(&mut self, changes: Changes) {
        let jobs = self.workers.len() as u64;
        let mut parts: Vec<Vec<_>> = self.workers.iter().map(|_| Vec::new()).collect();
        for (key, change) in changes {
            if let Some(part) = usize::try_from(part_of(&key, jobs)).ok().and_then(|part| parts.get_mut(part)) {
                part.push((key, change));
            }
        }
        for (worker, part) in self.workers.iter().zip(parts) {
            let _ = worker.written.send(part);
        }
    }

    fn written(&mut self) {
        for number in 0..self.workers.len() {
            (self.workers[number].changed, self.workers[number].full) = (0, false);
            self.tell(number, Order::Written);
        }
    }
}

impl Worker {
    /// Takes in what comes next of what it has changed.
    fn take_in(&mut self) -> Result<(), Stop> {
        self.at_hand = self.changes.recv().map_err(|_| gone())?;
        self.at_hand.reverse();
        Ok(())
    }

    /// Takes the next change out.
    fn next(&mut self) -> Result<Option<(Arc<str>, RowChange)>, Stop> {
        let next = self.at_hand.pop();
        if next.is_some() && self.at_hand.is_empty() {
            self.take_in()?;
        }
        Ok(next)
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable("a thread that fills the read model has ended".to_owned())
}

/// What one thread does.
struct Work<'w> {
    number: usize,
    jobs: usize,
    order: Receiver<Order>,
    looked: Receiver<Looked>,
    /// Gone with the thread's work, however that ends: nobody waits for changes that do not come.
    change: Cell<Option<SyncSender<Changes>>>,
    back: Receiver<Changes>,
    says: &'w dyn Fn(Answer),
}

/// Who ends early still gets pages until that is noticed: nobody is to wait for this thread's part of them.
struct Leaving<'w>(&'w Work<'w>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let Self(work) = self;
        drop(work.change.take());
        if thread::panicking() {
            (work.says)(Answer::Failed(Box::new(Stop::from(gone()))));
        }
        while let Ok(order) = work.order.recv() {
            if let Order::Apply(page) = order {
                drop(Owed(&page.keys[work.number]));
            }
        }
    }
}

impl Work<'_> {
    fn go(self, mut rows: Rows<'_>) {
        let leaving = Leaving(&self);
        self.obey(&mut rows);
        drop(leaving);
    }

    /// Does what it is told, until there is nothing more or something fails.
    fn obey(&self, rows: &mut Rows<'_>) {
        while let Ok(order) = self.order.recv() {
            match order {
                Order::Apply(page) => {
                    match self.apply(&page, rows) {
                        Ok(true) => {}
                        // Another thread tells why.
                        Ok(false) => return,
                        Err(stop) => return (self.says)(Answer::Failed(Box::new(stop))),
                    }
                    drop(page);
                    (self.says)(Answer::Applied(rows.changed(), rows.is_full()));
                }
                Order::Finish => {
                    let Some(change) = self.change.take() else { return };
                    if !self.hand_over(rows, &change) {
                        return;
                    }
                    self.change.set(Some(change));
                }
                Order::Written => {
                    self.forget_written();
                    if rows.is_full() {
                        rows.clear();
                    }
                }
            }
        }
    }

    /// Hands over what has changed, and nothing after the last of it. Whether somebody took it.
    fn hand_over(&self, rows: &mut Rows<'_>, change: &SyncSender<Changes>) -> bool {
        rows.sort_changes();
        loop {
            let changes = rows.take_changes(CHUNK);
            let is_end = changes.is_empty();
            self.forget_written();
            if change.send(changes).is_err() {
                return false;
            }
            if is_end {
                return true;
            }
        }
    }

    /// Lets go of the changes that were written.
    fn forget_written(&self) {
        while let Ok(changes) = self.back.try_recv() {
            drop(changes);
        }
    }

    /// Whether the thread can go on.
    fn apply(&self, page: &Page, rows: &mut Rows<'_>) -> Result<bool, Stop> {
        let mut fetch = |keys: Vec<Value>, each: &mut dyn FnMut(usize, Option<&Row>)| {
            (self.says)(Answer::Wanted(keys));
            let (keys, rows) = self.looked.recv().map_err(|_| gone())?;
            drop(keys);
            rows.iter().enumerate().for_each(|(place, row)| each(place, row.as_ref()));
            (self.says)(Answer::Used(rows));
            Ok(())
        };
        if !rows.routes().read_events_for_keys() {
            return rows.apply(&page.events, None, &mut fetch).map(|()| true);
        }
        let before = memory::held();
        {
            let owed = Owed(&page.keys[self.number]);
            let own = page.events.iter().skip(self.number).step_by(self.jobs);
            let own: Result<Keys, Stop> = own.map(|event| rows.routes().keys_by_event(event)).collect();
            let _ = owed.0.set(Some(own?));
        }
        rows.give_away(memory::held() - before);
        let parts: Option<Vec<&Keys>> = page.keys.iter().map(|part| part.wait().as_ref()).collect();
        let Some(parts) = parts else { return Ok(false) };
        let keys = |place: usize| parts[place % self.jobs].get(place / self.jobs)?.as_deref();
        rows.apply(&page.events, Some(&keys), &mut fetch).map(|()| true)
    }
}
