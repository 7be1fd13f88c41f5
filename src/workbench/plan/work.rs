//! Work in pieces, done by several threads and handed on in the order of the pieces.

use crate::workbench::{Error, Misfit};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many pieces a thread may be ahead of what was handed on.
const AHEAD: usize = 4;

/// Has `jobs` threads do pieces of work. `next` gives the pieces, to one thread at a time; `hand` makes what a thread works
/// with, in that thread; `done` gets the results in the order of the pieces and breaks to end it all.
pub(super) fn in_order<P: Send, H, R: Send>(
    jobs: usize,
    next: impl FnMut() -> Result<Option<P>, Error> + Send,
    hand: impl Fn() -> Result<H, Error> + Sync,
    work: impl Fn(&mut H, P) -> Result<R, Error> + Sync,
    done: &mut dyn FnMut(R) -> ControlFlow<()>,
) -> Result<(), Error> {
    let pieces = Mutex::new((0_usize, next));
    let take = || -> Result<Option<(usize, P)>, Error> {
        let mut pieces = pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(piece) = (pieces.1)()? else { return Ok(None) };
        pieces.0 += 1;
        Ok(Some((pieces.0 - 1, piece)))
    };
    thread::scope(|scope| {
        let (send, receive) = sync_channel::<Result<(usize, R), Error>>(jobs * AHEAD);
        for _ in 0..jobs {
            let (send, take, hand, work) = (send.clone(), &take, &hand, &work);
            scope.spawn(move || {
                let all = || -> Result<(), Error> {
                    let mut hand = hand()?;
                    while let Some((index, piece)) = take()? {
                        // Nobody listens any more: it was ended.
                        if send.send(Ok((index, work(&mut hand, piece)?))).is_err() {
                            break;
                        }
                    }
                    Ok(())
                };
                if let Err(error) = all() {
                    let _ = send.send(Err(error));
                }
            });
        }
        drop(send);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for result in receive {
            let (index, result) = result?;
            waiting.insert(index, result);
            while let Some(result) = waiting.remove(&due) {
                due += 1;
                if done(result).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    })
}

/// A thread could not load what was loaded before.
pub(super) fn unsound() -> Error {
    Misfit::new("the domain files could not be loaded again").into()
}
