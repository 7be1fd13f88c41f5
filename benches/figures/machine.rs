//! On what the figures were taken.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// When, on which machine, with which versions, by which command.
pub fn describe(esctl: &Path, folder: &Path, arguments: &[String]) -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("unknown", |(_, n)| n);
    let cores = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    let memory = kib.map_or_else(String::new, |kib: u64| format!(", {} GB", kib * 1024 / 1_000_000_000));
    let system = version(Path::new("uname"), &["-sr"]).unwrap_or_else(|_| std::env::consts::OS.to_owned());
    let given: Vec<&str> = arguments.iter().map(String::as_str).filter(|given| *given != "--bench").collect();
    let given = if given.is_empty() { String::new() } else { format!(" -- {}", given.join(" ")) };
    Ok([
        jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        format!("{cpu}, {cores} cores{memory}, {system}, stores on {}", file_system(folder)),
        format!(
            "{}, SQLite {}, {}",
            version(esctl, &["--version"])?,
            rusqlite::version(),
            version(Path::new("rustc"), &["--version"])?
        ),
        format!("cargo bench --bench figures{given}"),
    ]
    .join("\n"))
}

fn version(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("{}", program.display()))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// What kind of file system a folder is on: on one in memory, flushing costs nothing.
fn file_system(folder: &Path) -> String {
    let kind = || {
        let mounts = fs::read_to_string("/proc/mounts").ok()?;
        let folder = folder.canonicalize().ok()?;
        let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let over = fields.filter(|fields| fields.len() > 2 && folder.starts_with(fields[1]));
        over.max_by_key(|fields| fields[1].len()).map(|fields| fields[2].to_owned())
    };
    kind().unwrap_or_else(|| "an unknown file system".to_owned())
}
