//! The commands: the same ones in every run, as lines for `send --batch`.

use crate::bank::{Account, Cents, Line, Status};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// When there are enough.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// So many were written.
    Commands(u64),
    /// So many of them were accepted; each gives one event.
    Events(u64),
}

/// What was written, and what must come of it.
#[derive(Debug)]
pub struct Work {
    /// How many lines.
    pub commands: u64,
    /// How many of them are accepted: as many events.
    pub events: u64,
    /// The accounts, `account/0` first, with their versions.
    pub accounts: Vec<(Account, u64)>,
}

impl Work {
    /// What is on all accounts together.
    pub fn total(&self) -> Cents {
        Cents(self.accounts.iter().map(|(account, _)| account.balance.0).sum())
    }

    /// An open account with about so many events.
    pub fn account_of_about(&self, events: u64) -> Result<(usize, u64)> {
        let open = self.accounts.iter().enumerate().filter(|(_, (account, _))| account.status == Status::Open);
        let nearest = open.min_by_key(|(_, (_, version))| version.abs_diff(events));
        nearest.map(|(number, (_, version))| (number, *version)).context("all accounts are closed")
    }
}

/// Numbers that look random, from a seed: `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

struct Lines {
    out: BufWriter<File>,
    line: String,
    work: Work,
}

impl Lines {
    /// Writes a line and keeps the account as it will be then.
    fn add(&mut self, number: usize, command: &str, data: std::fmt::Arguments<'_>) -> Result<()> {
        self.line.clear();
        writeln!(self.line, r#"{{"stream":"account/{number}","command":"{command}","data":{{{data}}}}}"#)?;
        self.out.write_all(self.line.as_bytes())?;
        self.work.commands += 1;
        let deed = serde_json::from_str::<Line<'_>>(&self.line)?.deed()?;
        let (account, version) = &mut self.work.accounts[number];
        if account.decide(&deed).is_ok() {
            account.apply(&deed);
            *version += 1;
            self.work.events += 1;
        }
        Ok(())
    }

    fn withdraw(&mut self, number: usize, cents: i64, of: u64) -> Result<()> {
        let (whole, part) = (cents / 100, cents % 100);
        self.add(
            number,
            "Withdraw",
            format_args!(r#""amount":{whole}.{part:02},"ref":"card {of}","channel":"atm","device":{}"#, of % 997),
        )
    }

    fn is_done(&self, until: Until) -> bool {
        match until {
            Until::Commands(enough) => self.work.commands >= enough,
            Until::Events(enough) => self.work.events >= enough,
        }
    }
}

/// Writes commands to that file: every account is opened, then any of them is paid into and drawn from. Of twenty
/// commands one is rejected. Where there are many accounts, a few are closed.
pub fn write(file: &Path, streams: u64, until: Until) -> Result<Work> {
    let count = usize::try_from(streams)?;
    let work = Work { commands: 0, events: 0, accounts: vec![(Account::default(), 0); count] };
    let mut lines = Lines { out: BufWriter::new(File::create(file)?), line: String::new(), work };
    let mut dice = Dice(20_261_121);
    for number in 0..count {
        if lines.is_done(until) {
            break;
        }
        lines.add(
            number,
            "Open",
            format_args!(r#""owner":"Owner {number}","currency":"EUR","branch":"Branch {}""#, number % 40),
        )?;
    }
    while !lines.is_done(until) {
        let number = usize::try_from(dice.below(streams))?;
        let what = dice.below(10_000);
        let some = dice.below(100_000);
        let account = &lines.work.accounts[number].0;
        let balance = account.balance.0;
        if account.status == Status::Closed || what < 500 {
            // More than there is.
            lines.withdraw(number, balance + 1 + i64::try_from(some)?, some)?;
        } else if what == 500 && count > 1 {
            if balance > 0 {
                lines.withdraw(number, balance, some)?;
            }
            if !lines.is_done(until) {
                lines.add(number, "Close", format_args!(r#""reason":"moved","by":"Owner {number}","final":true"#))?;
            }
        } else if what < 4_000 && balance >= 100 {
            lines.withdraw(number, 1 + i64::try_from(some)? % (balance / 2), some)?;
        } else {
            let (whole, part) = (1 + some / 100, some % 100);
            lines.add(
                number,
                "Deposit",
                format_args!(r#""amount":{whole}.{part:02},"ref":"invoice {some}","channel":"transfer""#),
            )?;
        }
    }
    lines.out.flush()?;
    Ok(lines.work)
}
