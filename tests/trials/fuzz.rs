//! Fuzzing: texts that are nearly right, made by changing right ones, read in this process. Nothing panics, and what must
//! hold of whatever was taken holds.
//!
//! Each target has a budget of time. What it tries follows from the seed alone, so a run that fails names the seed, how
//! many inputs came before, and the input, which is written to a file as well. `ESCTL_SEED` replays it.
//!
//! Random sequences of operations against the store in memory are tried by `tests/store/model.rs`.

mod lines;
mod rules;
mod wal;

use crate::support::sources;
use crate::support::trial::{Dice, scaled};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// How many inputs that were taken are kept to be changed further.
const MAX_KEPT: usize = 500;

/// What is changed, and how far it may grow.
struct Fuzzer {
    name: &'static str,
    dice: Dice,
    inputs: Vec<Vec<u8>>,
    /// The first of them are kept for good.
    seeds: usize,
    words: &'static [&'static str],
    longest: usize,
}

impl Fuzzer {
    fn new(name: &'static str, inputs: Vec<Vec<u8>>, words: &'static [&'static str], longest: usize) -> Self {
        let seeds = inputs.len();
        assert!(seeds > 0, "{name}: there is nothing to begin with");
        Self { name, dice: Dice::new(), inputs, seeds, words, longest }
    }

    /// Tries what the budget has time for. `attempt` says whether the input was taken: then it is worth changing further.
    fn run(mut self, mut attempt: impl FnMut(&mut Dice, &[u8]) -> bool) {
        let seconds = scaled(60, 2 * 3_600);
        let end = Instant::now() + Duration::from_secs(seconds as u64);
        let start = Instant::now();
        let (mut tried, mut taken, mut slowest) = (0_u64, 0_u64, Duration::ZERO);
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}.input", self.name));
        while Instant::now() < end {
            let input = self.input();
            // What hangs, or ends the process, leaves it behind: scripts may. The others are too quick to write each.
            if matches!(self.name, "domain" | "script") {
                fs::write(&file, &input).unwrap();
            }
            let mut dice = self.dice.nth(usize::try_from(tried).unwrap());
            let began = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| attempt(&mut dice, &input)));
            slowest = slowest.max(began.elapsed());
            match outcome {
                Ok(false) => {}
                Ok(true) => {
                    taken += 1;
                    self.keep(input);
                }
                Err(panic) => {
                    fs::write(&file, &input).unwrap();
                    let text = String::from_utf8_lossy(&input);
                    let shown: String = text.chars().take(4000).flat_map(char::escape_default).collect();
                    let name = self.name;
                    eprintln!("{name}: {:?} after {tried} inputs: {}\n{shown}", self.dice, file.display());
                    std::panic::resume_unwind(panic);
                }
            }
            tried += 1;
        }
        #[expect(clippy::cast_precision_loss)]
        let rate = tried as f64 / start.elapsed().as_secs_f64();
        eprintln!(
            "{}: {tried} inputs, {taken} of them taken, {rate:.0} in a second, the slowest took {slowest:?}",
            self.name
        );
    }

    fn keep(&mut self, input: Vec<u8>) {
        if self.inputs.len() < self.seeds + MAX_KEPT {
            self.inputs.push(input);
        } else {
            let at = self.seeds + self.dice.below(MAX_KEPT);
            self.inputs[at] = input;
        }
    }

    /// One of the inputs, changed in some places.
    fn input(&mut self) -> Vec<u8> {
        let at = self.dice.below(self.inputs.len());
        let mut input = self.inputs[at].clone();
        for _ in 0..=self.dice.below(4) {
            self.change(&mut input);
        }
        input.truncate(self.longest);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let dice = &mut self.dice;
        let at = dice.below(input.len() + 1);
        let to = (at + 1 + dice.below(16)).min(input.len());
        match dice.below(12) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 if at < input.len() => input[at] = u8::try_from(dice.below(256)).unwrap(),
            2 => drop(input.drain(at..to)),
            3 => {
                let piece = input[at..to].to_vec();
                input.splice(at..at, piece);
            }
            4 => drop(input.drain(line(input, at))),
            5 => {
                let piece = input[line(input, at)].to_vec();
                let place = dice.below(input.len() + 1);
                let place = line(input, place).start;
                input.splice(place..place, piece);
            }
            6 => {
                let other = &self.inputs[dice.below(self.inputs.len())];
                let from = dice.below(other.len() + 1);
                let until = (from + dice.below(200)).min(other.len());
                input.splice(at..to, other[from..until].iter().copied());
            }
            7 | 8 => {
                let word = self.words[dice.below(self.words.len())];
                input.splice(at..at, word.bytes());
            }
            9 => {
                let word = self.words[dice.below(self.words.len())];
                input.splice(word_at(input, at), word.bytes());
            }
            _ => {
                const NUMBERS: [&str; 12] = [
                    "0",
                    "-0",
                    "-1",
                    "1",
                    "0.1",
                    "1e3",
                    "128",
                    "4294967296",
                    "9223372036854775807",
                    "9223372036854775808",
                    "79228162514264337593543950335",
                    "0.0000000000000000000000000001",
                ];
                let number = NUMBERS[dice.below(NUMBERS.len())];
                input.splice(number_at(input, at), number.bytes());
            }
        }
    }
}

/// The line that holds a byte, with its end.
fn line(input: &[u8], at: usize) -> std::ops::Range<usize> {
    let start = input[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let end = input[at..].iter().position(|byte| *byte == b'\n').map_or(input.len(), |end| at + end + 1);
    start..end
}

fn stretch(input: &[u8], at: usize, of: impl Fn(&u8) -> bool) -> std::ops::Range<usize> {
    let start = input[..at].iter().rposition(|byte| !of(byte)).map_or(0, |end| end + 1);
    let end = input[at..].iter().position(|byte| !of(byte)).map_or(input.len(), |end| at + end);
    start..end
}

/// The word at a byte.
fn word_at(input: &[u8], at: usize) -> std::ops::Range<usize> {
    stretch(input, at, |byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The next number.
fn number_at(input: &[u8], at: usize) -> std::ops::Range<usize> {
    let at = input[at..].iter().position(u8::is_ascii_digit).map_or(at, |next| at + next);
    stretch(input, at, |byte| byte.is_ascii_digit() || *byte == b'.')
}

/// The files of a folder that end so.
fn files(folder: &str, end: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(sources().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let named = |path: &&std::path::PathBuf| path.to_string_lossy().ends_with(end);
    paths.iter().filter(named).map(|path| fs::read(path).unwrap()).collect()
}
