//! What is stored, under the rules as they are now.

use super::listing::{Column, Listing, Render};
use super::trouble::Problem;
use super::wire::{self, Exact};
use super::{Format, Output, text};
use esctl::workbench::stored::{Now, Sample, Stored, StoredForm};
use serde::Serialize;
use std::fmt::Write;
use std::io;

/// Columns of [`StoredForm`].
const FORMS: &[Column] = &[
    Column::text("stored"),
    Column::number("version"),
    Column::number("events"),
    Column::text("now"),
    Column::number("failures"),
];

impl Render for StoredForm {
    fn cells(&self) -> Vec<String> {
        vec![
            format!("{}.{}", self.aggregate, self.name),
            self.version.to_string(),
            self.events.to_string(),
            now(self),
            self.failures.to_string(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&FormLine {
            aggregate: &self.aggregate,
            kind: &self.name,
            version: self.version,
            events: self.events,
            now: match &self.now {
                Now::Event(kind, version) => Some(NowLine { kind, version: *version }),
                Now::Retired | Now::Unknown => None,
            },
            retired: self.now == Now::Retired,
            failures: self.failures,
            failure: self
                .failure
                .as_ref()
                .map(|(position, problem)| FailureLine { position: position.0, problem: Problem::from(problem) }),
            sample: self.sample.as_ref().map(SampleLine::from),
        })
    }
}

/// A form as JSON.
#[derive(Serialize)]
struct FormLine<'a> {
    aggregate: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    version: u32,
    events: u64,
    /// What they are now; null where they are retired or not known.
    now: Option<NowLine<'a>>,
    retired: bool,
    failures: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<SampleLine<'a>>,
}

#[derive(Serialize)]
struct NowLine<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    version: u32,
}

#[derive(Serialize)]
struct FailureLine<'a> {
    position: u64,
    #[serde(flatten)]
    problem: Problem<'a>,
}

#[derive(Serialize)]
struct SampleLine<'a> {
    stream: &'a str,
    position: u64,
    before: Exact<'a>,
    after: Exact<'a>,
}

impl<'a> From<&'a Sample> for SampleLine<'a> {
    fn from(sample: &'a Sample) -> Self {
        Self {
            stream: sample.stream.as_str(),
            position: sample.position.0,
            before: (&sample.before).into(),
            after: (&sample.after).into(),
        }
    }
}

/// What events of a form are now, where that is not what they are stored as.
fn now(form: &StoredForm) -> String {
    match &form.now {
        Now::Event(name, version) if *name == form.name && *version == form.version => String::new(),
        Now::Event(name, version) if *name == form.name => format!("version {version}"),
        Now::Event(name, version) => format!("{name}, version {version}"),
        Now::Retired => "retired".to_owned(),
        Now::Unknown => "unknown".to_owned(),
    }
}

/// All of it; for people with a sample of each form that is brought up.
pub fn forms(stored: &Stored, out: &mut Output) -> io::Result<()> {
    let people = out.format == Format::Table;
    let mut listing = Listing::new(FORMS, out);
    let _ = stored.forms.iter().try_for_each(|form| listing.push(form));
    listing.finish()?;
    if people {
        for (form, sample) in stored.forms.iter().filter_map(|form| Some((form, form.sample.as_ref()?))) {
            let (name, version) = (&form.name, form.version);
            out.line("")?;
            out.line(&text::harmless(&format!(
                "{name}, version {version} (@{} of {}):",
                sample.position, sample.stream
            )))?;
            out.line(&format!("  before  {}", text::compact(&sample.before)))?;
            out.line(&format!("  after   {}", text::compact(&sample.after)))?;
        }
    }
    Ok(())
}

/// `5 events of 2 streams read: 1 cannot be folded, 3 after it were not`
pub fn summary(stored: &Stored) -> String {
    let failures: u64 = stored.forms.iter().map(|form| form.failures).sum();
    let mut words =
        format!("{} of {} read and folded", text::count(stored.events, "event"), text::count(stored.streams, "stream"));
    if failures > 0 {
        let _ = write!(words, ": {} failed", text::thousands(failures));
    }
    if stored.unfolded > 0 {
        let _ = write!(words, ", {} after that in their streams were only read", text::thousands(stored.unfolded));
    }
    words
}
