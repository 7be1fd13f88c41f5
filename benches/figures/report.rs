//! Figures as text.

use crate::child::Ran;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;
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

/// The line that a figure begins with: its name, what it measures, and what else the machine does.
pub fn title(name: &str, what: &str) {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    println!("\n{name}: {what}  [load {load}]");
}

/// A line of a figure: `each` events in one run.
pub fn line(label: &str, sample: &Sample, each: u64) {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let speed = (each as f64 / sample.median().as_secs_f64()) as u64;
    let memory = match sample.peak {
        0 => String::new(),
        peak => format!("{:>6} MB", peak / 1_000_000),
    };
    let (median, worst) = (time(sample.median()), time(sample.worst()));
    println!("  {label:<28} median {median:>9}  worst {worst:>9}  {:>10}/s{memory}", thousands(speed));
}

/// How the two compare.
pub fn compare(label: &str, ours: &Sample, baseline: &Sample, goal: Goal) {
    let (ratio, wanted, is_reached) = match goal {
        Goal::Speed(wanted) => {
            let ratio = ratio(baseline, ours);
            (format!("{ratio:.2} x the baseline's speed"), format!("at least {wanted}"), ratio >= wanted)
        }
        Goal::Time(wanted) => {
            let ratio = ratio(ours, baseline);
            (format!("{ratio:.2} x the baseline's time"), format!("at most {wanted}"), ratio <= wanted)
        }
    };
    say(label, &ratio, &wanted, is_reached);
}

/// Something that is to be reached, and whether it is.
pub fn say(label: &str, is: &str, wanted: &str, is_reached: bool) {
    let reached = if is_reached { "reached" } else { "NOT REACHED" };
    println!("  {label:<28} {is}; goal: {wanted}: {reached}");
}

/// Waits: how many, and how long.
pub fn waits(label: &str, sample: &Sample) {
    let (median, most, worst) = (time(sample.median()), time(sample.within(99)), time(sample.worst()));
    println!("  {label:<28} {:>6} x  median {median:>9}  99 % {most:>9}  worst {worst:>9}", sample.count());
}

/// On what this was measured.
pub fn head(esctl: &Path, folder: &Path) -> Result<()> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("unknown", |(_, n)| n);
    let cores = std::thread::available_parallelism()?;
    println!("{}", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"));
    println!("{cpu}, {cores} cores, stores on {}", file_system(folder).as_deref().unwrap_or("an unknown file system"));
    println!("{}, SQLite {}, {}", version(esctl)?, rusqlite::version(), version(Path::new("rustc"))?);
    Ok(())
}

fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("--version").output().with_context(|| format!("{}", program.display()))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// What kind of file system a folder is on: on one in memory, flushing costs nothing.
fn file_system(folder: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let folder = folder.canonicalize().ok()?;
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let over = fields.filter(|fields| fields.len() > 2 && folder.starts_with(fields[1]));
    over.max_by_key(|fields| fields[1].len()).map(|fields| fields[2].to_owned())
}
