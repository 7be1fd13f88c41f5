//! The rows of read models by both rules.

use super::{Difference, Each, Plan, ProjectionChange, ProjectionDiffers, ProjectionPlan, RowDiffers, Step};
use crate::domain::{Domains, Projection};
use crate::event::Position;
use crate::store::{Store, Table};
use crate::workbench::Error;
use crate::workbench::project::diff::{Pair, compare, row_changes, row_value};
use crate::workbench::project::{Manner, Progress, fill_aside};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// A read model by one of the rules, computed aside.
struct Computed {
    table: Table,
    number: u64,
}

impl Plan<'_> {
    /// Compares the rows of read models, computed in the stores `aside`.
    pub(super) fn rows(
        &mut self,
        head: Position,
        (first, second): (&mut dyn Store, &mut dyn Store),
        each: Each<'_>,
        progress: &mut dyn FnMut(Step<'_>),
    ) -> Result<Vec<ProjectionPlan>, Error> {
        let (old, new) = (self.old, self.new);
        let names: BTreeSet<&str> = old.projections().chain(new.projections()).map(|of| &*of.name).collect();
        let mut plans = Vec::new();
        for name in names {
            let (before, after) = (old.projection(name), new.projection(name));
            let same = before.zip(after).is_some_and(|(before, after)| before.digest == after.digest);
            let mut plan = ProjectionPlan { name: name.into(), reached: !same, rows: 0, differ: 0, uncompared: None };
            let mut tell = |what| each(Difference::Projection(ProjectionDiffers { projection: name.into(), what }));
            let mut tick = |done: Progress| progress(Step::Rows(name, done));
            match (before, after) {
                _ if same => {}
                (_, None) => drop(tell(ProjectionChange::Gone)),
                (None, Some(after)) => match self.computed(new, after, head, second, &mut tick)? {
                    Ok(computed) => drop(tell(ProjectionChange::New(second.count(computed.number)?))),
                    Err(problem) => drop(tell(ProjectionChange::Stops(problem))),
                },
                (Some(before), Some(after)) => {
                    let one = self.computed(old, before, head, first, &mut tick)?;
                    let two = self.computed(new, after, head, second, &mut tick)?;
                    match (one, two) {
                        (Ok(one), Ok(two)) => differ(&mut plan, (first, &one), (second, &two), each)?,
                        (Ok(_), Err(problem)) => drop(tell(ProjectionChange::Stops(problem))),
                        (Err(problem), _) => plan.uncompared = Some(problem.message.clone()),
                    }
                }
            }
            first.abandon(name)?;
            second.abandon(name)?;
            plans.push(plan);
        }
        Ok(plans)
    }

    /// Fills a read model aside; the inner error is why it stops at an event.
    fn computed(
        &mut self,
        domains: &Domains,
        projection: &Projection,
        head: Position,
        aside: &mut dyn Store,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Result<Computed, Box<crate::diagnostic::Diagnostic>>, Error> {
        let manner = Manner { jobs: self.jobs, park: false };
        match fill_aside(domains, projection, head, (&mut *self.store, aside), manner, progress) {
            Ok((table, number)) => Ok(Ok(Computed { table, number })),
            Err(error @ Error::Script(_)) => Ok(Err(Box::new(error.into_diagnostic("plan")))),
            Err(error) => Err(error),
        }
    }
}

fn differ(
    plan: &mut ProjectionPlan,
    (first, one): (&mut dyn Store, &Computed),
    (second, two): (&mut dyn Store, &Computed),
    each: Each<'_>,
) -> Result<(), Error> {
    let kind = |table: &Table| table.columns.first().map(|column| column.kind);
    if kind(&one.table) != kind(&two.table) {
        let what = ProjectionChange::Key(first.count(one.number)?, second.count(two.number)?);
        let _ = each(Difference::Projection(ProjectionDiffers { projection: plan.name.clone(), what }));
        return Ok(());
    }
    let fillings = ((&one.table, one.number), (&two.table, two.number));
    compare((first, second), fillings, &mut |pair| {
        plan.rows += 1;
        let (before, after) = match pair {
            Pair::Both(before, after) => (Some(before), Some(after)),
            Pair::First(before) => (Some(before), None),
            Pair::Second(after) => (None, Some(after)),
        };
        let key = before.iter().chain(&after).find_map(|row| row.first()).cloned().unwrap_or_default();
        let before = before.map(|row| row_value(&one.table, row));
        let after = after.map(|row| row_value(&two.table, row));
        let both = before.is_some() && after.is_some();
        let changes = if both { row_changes(before.as_ref(), after.as_ref()) } else { Vec::new() };
        if both && changes.is_empty() {
            return ControlFlow::Continue(());
        }
        plan.differ += 1;
        let projection = plan.name.clone();
        each(Difference::Row(RowDiffers { projection, key, before, after, changes }))
    })?;
    Ok(())
}
