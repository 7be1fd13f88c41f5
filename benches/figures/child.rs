//! A program that is run, with how long it took and how much memory it had at most.

use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often the kernel is asked for the most memory so far. That only grows: what is missed is what came in the last moment.
const ASK: Duration = Duration::from_millis(10);

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    /// From before its start to after its end.
    pub took: Duration,
    /// The most resident memory, in bytes, where it was looked at.
    pub peak: u64,
    /// What it printed, unless that went to a file.
    pub out: String,
}

/// Runs it, with its output in a pipe, and does not look at its memory: for what takes a few milliseconds.
pub fn run_briefly(command: &mut Command) -> Result<Ran> {
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let took = began.elapsed();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    Ok(Ran { took, peak: 0, out: String::from_utf8(output.stdout)? })
}

/// Runs it with its output in that file. `fine` are the exit codes it may end with.
pub fn run_to_file(command: &mut Command, out: &Path, fine: &[i32]) -> Result<Ran> {
    let errors = out.with_extension("stderr");
    command.stdin(Stdio::null()).stdout(File::create(out)?).stderr(File::create(&errors)?);
    let began = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    let id = child.id();
    let ended = AtomicBool::new(false);
    let (status, took, peak) = thread::scope(|scope| {
        let watch = scope.spawn(|| watch(id, &ended));
        let status = child.wait();
        let took = began.elapsed();
        ended.store(true, Ordering::Release);
        watch.thread().unpark();
        (status, took, watch.join().unwrap_or_default())
    });
    let status = status?;
    let said = fs::read_to_string(&errors).unwrap_or_default();
    ensure!(status.code().is_some_and(|code| fine.contains(&code)), "{command:?} ended with {status}: {said}");
    Ok(Ran { took, peak, out: String::new() })
}

/// The same with what it printed.
pub fn run(command: &mut Command, out: &Path) -> Result<Ran> {
    let ran = run_to_file(command, out, &[0])?;
    Ok(Ran { out: fs::read_to_string(out)?, ..ran })
}

fn watch(id: u32, ended: &AtomicBool) -> u64 {
    let mut most = 0;
    while !ended.load(Ordering::Acquire) {
        if let Some(peak) = peak(id) {
            most = most.max(peak);
        }
        thread::park_timeout(ASK);
    }
    most
}

/// `VmHWM`, which Linux has.
fn peak(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
