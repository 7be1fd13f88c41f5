//! Snapshots: that each is what was kept. Nothing depends on them, so that what is wrong with one is told apart.

use super::{PAGE, Run, named};
use crate::event::Version;
use crate::store::sqlite::fault::Fault;
use crate::store::sqlite::{read, schema, sql, together, unsql};
use crate::store::{MAX_PAGE_BYTES, chain};
use rusqlite::{Connection, Row};

const SNAPSHOTS: &str = "SELECT n.stream, n.fold, n.version, n.hash, n.state, f.digest, e.hash FROM es_snapshots n \
    LEFT JOIN es_folds f ON f.id = n.fold LEFT JOIN es_events e ON e.stream = n.stream AND e.version = n.version \
    WHERE (n.stream, n.fold, n.version) > (?1, ?2, ?3) ORDER BY n.stream, n.fold, n.version LIMIT ?4";

impl Run<'_> {
    pub(super) fn snapshots(&mut self) -> Result<(), Fault> {
        let connection = self.connection;
        let mut last = (i64::MIN, i64::MIN, i64::MIN);
        loop {
            let page = together(connection, |view| {
                if !schema::knows_snapshots(view)? {
                    return Ok(false);
                }
                let mut statement = view.prepare_cached(SNAPSHOTS)?;
                let mut rows = statement.query((last.0, last.1, last.2, sql(PAGE)))?;
                let (mut any, mut bytes) = (false, 0);
                while let Some(row) = rows.next()? {
                    (any, last) = (true, (row.get(0)?, row.get(1)?, row.get(2)?));
                    bytes += self.snapshot(view, row, last)?;
                    if bytes >= MAX_PAGE_BYTES {
                        break;
                    }
                }
                Ok(any)
            });
            match page {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(fault) => {
                    let words = fault.damage()?;
                    self.note(|| format!("the snapshots cannot be read: {words}"));
                    return Ok(());
                }
            }
        }
    }

    /// Gives the length of its state.
    fn snapshot(
        &mut self,
        view: &Connection,
        row: &Row<'_>,
        (stream, _, version): (i64, i64, i64),
    ) -> Result<usize, Fault> {
        let name = self.stream(view, stream)?;
        let digest: Option<Box<str>> = row.get(5).unwrap_or_default();
        let state = row.get_ref(4)?.as_bytes().unwrap_or_default();
        self.verified.snapshots += 1;
        let hash = |event| {
            let (stream, digest) = (name.as_deref()?, digest.as_deref()?);
            Some(chain::snapshot(self.store, digest, stream, Version(unsql(version).ok()?), &event, state))
        };
        let wrong = match read::hash(row, 6) {
            Err(_) => "there is no such event",
            Ok(event) if hash(event) != read::hash(row, 3).ok() => "its hash is not that of what was kept",
            Ok(_) => return Ok(state.len()),
        };
        let words = format!("the snapshot of {} at version {version}: {wrong}", named(name.as_deref()));
        self.verified.note_spoilt(name.as_deref().unwrap_or_default(), words);
        Ok(state.len())
    }
}
