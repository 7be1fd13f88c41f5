//! Figures as text: lines while they are taken, and one table of all of them at the end.

use crate::child::Ran;
use std::fs;
use std::time::Duration;

/// Times of the same thing, again and again.
#[derive(Debug, Default)]
pub struct Sample {
    times: Vec<Duration>,
    peak: u64,
}

impl Sample {
    /// One more.
    pub fn add(&mut self, ran: &Ran) {
        self.peak = self.peak.max(ran.peak);
        self.time(ran.took);
    }

    /// One more, of which only the time is known.
    pub fn time(&mut self, took: Duration) {
        let at = self.times.partition_point(|time| *time <= took);
        self.times.insert(at, took);
    }

    /// So many of a hundred took no longer.
    pub fn within(&self, hundredths: usize) -> Duration {
        let at = (self.times.len() * hundredths / 100).min(self.times.len().saturating_sub(1));
        self.times.get(at).copied().unwrap_or_default()
    }

    /// The middle one.
    pub fn median(&self) -> Duration {
        self.within(50)
    }

    /// The longest.
    pub fn worst(&self) -> Duration {
        self.within(100)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.times.len()
    }

    /// How many took longer than that.
    pub fn beyond(&self, limit: Duration) -> usize {
        self.times.len() - self.times.partition_point(|time| *time <= limit)
    }

    /// The most resident memory of any of them, in bytes; 0 where it was not looked at.
    pub fn peak(&self) -> u64 {
        self.peak
    }

    /// What each of so many things took, in microseconds, in the middle run.
    #[expect(clippy::cast_precision_loss, reason = "no run has 2^53 events")]
    pub fn each(&self, number: u64) -> f64 {
        self.median().as_secs_f64() * 1e6 / number as f64
    }
}

/// `a` in terms of `b`.
pub fn ratio(a: &Sample, b: &Sample) -> f64 {
    a.median().as_secs_f64() / b.median().as_secs_f64()
}

/// What is to be reached.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// At least so many times as fast as the baseline.
    Speed(f64),
    /// At most so many times as long as the baseline.
    Time(f64),
}

/// A row of the table: what was measured, what it came to, and whether that is what is wanted.
#[derive(Debug)]
struct Row {
    what: String,
    goal: String,
    figure: String,
    /// Nothing where nothing is wanted: the row is there to be known.
    is_reached: Option<bool>,
}

/// All that was measured.
#[derive(Debug, Default)]
pub struct Report {
    /// The figure that is being taken: its name.
    name: String,
    rows: Vec<Row>,
}

impl Report {
    /// The line that a figure begins with: its name, what it measures, and what else the machine does.
    pub fn title(&mut self, name: &str, what: &str) {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
        name.clone_into(&mut self.name);
        println!("\n{name}: {what}  [load {load}]");
    }

    /// How the two compare: `label` names it in the table, where each run did so many things.
    pub fn compare(&mut self, label: &str, (ours, baseline): (&Sample, &Sample), number: u64, goal: Goal) {
        let (is, wanted, is_reached) = match goal {
            Goal::Speed(wanted) => {
                let ratio = ratio(baseline, ours);
                (format!("{ratio:.2} x its speed"), format!("at least {wanted} x"), ratio >= wanted)
            }
            Goal::Time(wanted) => {
                let ratio = ratio(ours, baseline);
                (format!("{ratio:.2} x its time"), format!("at most {wanted} x"), ratio <= wanted)
            }
        };
        let (ours, baseline) = match number {
            1 => (time(ours.median()), time(baseline.median())),
            _ => (format!("{}/s", thousands(speed(ours, number))), format!("{}/s", thousands(speed(baseline, number)))),
        };
        self.say(label, &format!("{is}: {ours}, baseline {baseline}"), &wanted, is_reached);
    }

    /// The most memory that something had.
    pub fn memory(&mut self, label: &str, peak: u64, limit: u64) {
        // Where the kernel does not tell, nothing was reached.
        let is = if peak == 0 { "not known here".to_owned() } else { megabytes(peak) };
        self.say(label, &is, &format!("at most {}", megabytes(limit)), peak > 0 && peak <= limit);
    }

    /// Something that is to be reached, and whether it is.
    pub fn say(&mut self, label: &str, is: &str, wanted: &str, is_reached: bool) {
        println!("  {label:<42} {is}; goal: {wanted}: {}", reached(is_reached));
        self.row(label, is, wanted, Some(is_reached));
    }

    /// Something that is good to know, and has no goal.
    pub fn know(&mut self, label: &str, is: &str) {
        println!("  {label:<42} {is}");
        self.row(label, is, "", None);
    }

    /// Something that could not be measured here. That is said loudly: a figure that is missing is not one that is fine.
    pub fn skip(&mut self, label: &str, why: &str) {
        println!("  {label:<42} SKIPPED: {why}");
        self.row(label, &format!("SKIPPED: {why}"), "", None);
    }

    fn row(&mut self, what: &str, figure: &str, goal: &str, is_reached: Option<bool>) {
        let what = format!("{}: {what}", self.name);
        self.rows.push(Row { what, goal: goal.to_owned(), figure: figure.to_owned(), is_reached });
    }

    /// The table, in Markdown, and how many goals were reached.
    pub fn print(&self) {
        let heads = ["what", "figure", "goal", "reached"].map(str::to_owned);
        let rows = self.rows.iter().map(|row| {
            let is_reached = row.is_reached.map_or("", |is_reached| if is_reached { "yes" } else { "**NO**" });
            [row.what.clone(), row.figure.clone(), row.goal.clone(), is_reached.to_owned()]
        });
        let rows: Vec<[String; 4]> = std::iter::once(heads).chain(rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        println!();
        for (at, row) in rows.iter().enumerate() {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
            if at == 0 {
                println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
            }
        }
        let wanted = self.rows.iter().filter(|row| row.is_reached.is_some()).count();
        let got = self.rows.iter().filter(|row| row.is_reached == Some(true)).count();
        println!("\n{got} of {wanted} goals reached");
    }
}

fn reached(is_reached: bool) -> &'static str {
    if is_reached { "reached" } else { "NOT REACHED" }
}

/// `12.3 ms`
pub fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 0.1 => format!("{:.2} ms", seconds * 1e3),
        seconds => format!("{seconds:.3} s"),
    }
}

/// `1,234,567`
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `64 MB`, of a million bytes each, rounded up: what is a byte too much is not shown as fitting.
pub fn megabytes(bytes: u64) -> String {
    format!("{} MB", thousands(bytes.div_ceil(1_000_000)))
}

fn speed(sample: &Sample, number: u64) -> u64 {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let speed = (number as f64 / sample.median().as_secs_f64()) as u64;
    speed
}

/// A line of a figure: `each` events in one run.
pub fn line(label: &str, sample: &Sample, each: u64) {
    let memory = match sample.peak {
        0 => String::new(),
        peak => format!("  {:>6}", megabytes(peak)),
    };
    let (median, worst) = (time(sample.median()), time(sample.worst()));
    println!("  {label:<42} median {median:>9}  worst {worst:>9}  {:>10}/s{memory}", thousands(speed(sample, each)));
}

/// Waits: how many, and how long.
pub fn waits(label: &str, sample: &Sample) {
    let (median, most, worst) = (time(sample.median()), time(sample.within(99)), time(sample.worst()));
    println!("  {label:<42} {:>6} x  median {median:>9}  99 % {most:>9}  worst {worst:>9}", sample.count());
}
