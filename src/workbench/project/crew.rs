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
use crate::store::{Failure, Row, StoreError};
use crate::workbench::Error;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Builder, Scope};

/// Pages that are on their way at a time: while one is worked on, the next is read.
const AHEAD: usize = 2;
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
    full: bool,
}

struct Worker {
    orders: Sender<Order>,
    /// Rows that were asked for, and the keys again. They do not wait behind pages.
    rows: Sender<Looked>,
    /// How many pages it has finished.
    done: usize,
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
    /// This was written.
    Written(Changes),
}

enum Answer {
    /// A page is done; whether the thread holds as much as it may.
    Applied(bool),
    /// These rows are needed to go on.
    Wanted(Vec<Value>),
    /// These rows were looked at.
    Used(Vec<Option<Row>>),
    /// What has changed.
    Changes(Changes),
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
                Work { number, jobs, order, looked, says: &says }.go(Rows::new(routes, share, complete, false));
            };
            let begun = Builder::new().name(format!("rows-{number}")).stack_size(STACK).spawn_scoped(scope, work);
            begun.map_err(|error| StoreError::Unavailable(format!("a thread cannot be begun: {error}")))?;
            workers.push(Worker { orders, rows, done: 0 });
        }
        Ok(Self { workers, answers, under_way: VecDeque::new(), first: 0, full: false })
    }

    fn tell(&self, number: usize, order: Order) {
        // A thread that has ended has said why.
        let _ = self.workers[number].orders.send(order);
    }

    /// Takes answers until there are at most so many pages under way.
    fn wait(&mut self, pages: usize, fetch: &mut Fetch<'_>) -> Result<(), Stop> {
        while self.under_way.len() > pages {
            if let Some(changes) = self.answer(fetch)? {
                drop(changes);
            }
        }
        Ok(())
    }

    /// Takes one answer; what has changed, if it is that.
    fn answer(&mut self, fetch: &mut Fetch<'_>) -> Result<Option<Changes>, Stop> {
        let (number, answer) = self.answers.recv().map_err(|_| gone())?;
        match answer {
            Answer::Applied(full) => {
                self.full |= full;
                let place = self.workers[number].done - self.first;
                self.workers[number].done += 1;
                if let Some((_, left)) = self.under_way.get_mut(place) {
                    *left -= 1;
                }
                while self.under_way.front().is_some_and(|(_, left)| *left == 0) {
                    self.under_way.pop_front();
                    self.first += 1;
                }
                Ok(None)
            }
            Answer::Wanted(keys) => {
                let mut rows = vec![None; keys.len()];
                fetch(keys.clone(), &mut |place, row| rows[place] = row.cloned())?;
                let _ = self.workers[number].rows.send((keys, rows));
                Ok(None)
            }
            Answer::Used(rows) => {
                drop(rows);
                Ok(None)
            }
            Answer::Changes(changes) => Ok(Some(changes)),
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

    fn finish(&mut self, fetch: &mut Fetch<'_>) -> Result<(Changes, Vec<Failure>), Stop> {
        self.wait(0, fetch)?;
        for number in 0..self.workers.len() {
            self.tell(number, Order::Finish);
        }
        let mut all = Vec::new();
        let mut left = self.workers.len();
        while left > 0 {
            if let Some(changes) = self.answer(fetch)? {
                all.extend(changes);
                left -= 1;
            }
        }
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok((all, Vec::new()))
    }

    fn is_full(&self) -> bool {
        self.full
    }

    fn written(&mut self, changes: Changes) {
        self.full = false;
        let jobs = self.workers.len() as u64;
        let mut parts: Vec<Vec<_>> = self.workers.iter().map(|_| Vec::new()).collect();
        for (key, change) in changes {
            if let Some(part) = usize::try_from(part_of(&key, jobs)).ok().and_then(|part| parts.get_mut(part)) {
                part.push((key, change));
            }
        }
        for (number, part) in parts.into_iter().enumerate() {
            self.tell(number, Order::Written(part));
        }
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
    says: &'w dyn Fn(Answer),
}

/// Who ends early still gets pages until that is noticed: nobody is to wait for this thread's part of them.
struct Leaving<'w>(&'w Work<'w>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let Self(work) = self;
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
                    (self.says)(Answer::Applied(rows.is_full()));
                }
                Order::Finish => (self.says)(Answer::Changes(rows.take_changes().0)),
                Order::Written(changes) => {
                    drop(changes);
                    if rows.is_full() {
                        rows.clear();
                    }
                }
            }
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
