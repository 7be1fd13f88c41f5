//! Instructions, which are the same in every run where times are not: an event's, or a command's, and a whole cold `send`'s.

use crate::report::{Report, thousands};
use crate::stores::{Place, Rules, Stores};
use crate::work::{Until, write};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};

/// The sizes of the two stores: what comes to the larger one's is what so many events cost. What it costs to begin is in both.
const FEW: u64 = 1_000;
const MANY: u64 = 6_000;
/// Events of one stream.
const EACH: u64 = 100;

/// The figure.
pub fn counts(place: &Place, report: &mut Report) -> Result<()> {
    report.title("counts", "instructions, counted by `valgrind --tool=callgrind`, which has no SHA instructions");
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        report.skip("instructions", "valgrind is not installed");
        return Ok(());
    }
    let long = [place.make("counted-long-few", 1, FEW)?, place.make("counted-long-many", 1, MANY)?];
    let wide = [place.make("counted-few", FEW / EACH, FEW)?, place.make("counted-many", MANY / EACH, MANY)?];
    each(report, "replay, an event", &long, |stores, ours| {
        let mut command = if ours {
            let mut command = place.esctl_by(Rules::Unkept, &stores.ours);
            command.arg("replay");
            command
        } else {
            place.baseline("replay", &stores.baseline)
        };
        command.arg("account/0");
        command
    })?;
    each(report, "project rebuild --jobs 1, an event", &wide, |stores, ours| {
        if !ours {
            return place.baseline("rebuild", &stores.baseline);
        }
        let mut command = place.esctl(&stores.ours);
        command.args(["project", "rebuild", "balances", "--jobs", "1"]);
        command
    })?;
    each(report, "verify --log-only, an event", &wide, |stores, ours| {
        if !ours {
            return place.baseline("hash", &stores.ours);
        }
        let mut command = place.esctl(&stores.ours);
        command.args(["verify", "--log-only"]);
        command
    })?;
    batch(place, report)?;
    cold(place, report, &wide[1])
}

/// What each event adds, of ours and of the baseline: the difference of two stores.
fn each(
    report: &mut Report,
    label: &str,
    [few, many]: &[Stores; 2],
    mut command: impl FnMut(&Stores, bool) -> Command,
) -> Result<()> {
    let mut difference = |ours: bool| -> Result<u64> {
        let (few, many) = (count(&command(few, ours), &[0])?, count(&command(many, ours), &[0])?);
        Ok(many.saturating_sub(few) / (MANY - FEW))
    };
    let (ours, baseline) = (difference(true)?, difference(false)?);
    know(report, label, ours, baseline);
    Ok(())
}

/// What each command of a batch adds.
fn batch(place: &Place, report: &mut Report) -> Result<()> {
    let mut counted = [[0; 2]; 2];
    let mut sent = [0; 2];
    for (at, events) in [FEW, MANY].into_iter().enumerate() {
        let file = place.file("counted.ndjson");
        sent[at] = write(&file, events / EACH, Until::Events(events))?.commands;
        let (ours, baseline) = (place.file("counted.db"), place.file("counted-baseline.db"));
        Place::remove(&ours);
        Place::remove(&baseline);
        // 1 is what it ends with when something was rejected.
        counted[at] = [
            count(place.esctl(&ours).args(["send", "--batch"]).arg(&file), &[0, 1])?,
            count(place.baseline("batch", &baseline).arg(&file).arg("1000"), &[0])?,
        ];
    }
    let [ours, baseline] = [0, 1].map(|of| counted[1][of].saturating_sub(counted[0][of]) / (sent[1] - sent[0]));
    know(report, "send --batch, a command", ours, baseline);
    Ok(())
}

/// All of one cold `send`.
fn cold(place: &Place, report: &mut Report, stores: &Stores) -> Result<()> {
    let (number, _) = stores.work.account_of_about(EACH)?;
    let stream = format!("account/{number}");
    let mut send = place.esctl(&stores.ours);
    send.args(["send", &stream, "Deposit", "amount=1.5", "ref=cold", "channel=transfer"]);
    let fields = r#""amount":1.5,"ref":"cold","channel":"transfer""#;
    let text = format!(r#"{{"stream":"{stream}","command":"Deposit","data":{{{fields}}}}}"#);
    let ours = count(&send, &[0])?;
    let baseline = count(place.baseline("cold", &stores.baseline).arg(text), &[0])?;
    know(report, "one send from a cold start, all of it", ours, baseline);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "no count has 2^53 instructions")]
fn know(report: &mut Report, label: &str, ours: u64, baseline: u64) {
    let times = ours as f64 / baseline.max(1) as f64;
    report.know(label, &format!("{}, baseline {}: {times:.1} x", thousands(ours), thousands(baseline)));
}

/// The instructions of a command, which may end with these exit codes.
fn count(command: &Command, fine: &[i32]) -> Result<u64> {
    let mut counted = Command::new("valgrind");
    counted.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    counted.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => counted.env(name, value),
            None => counted.env_remove(name),
        };
    }
    counted.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    let output = counted.stdin(Stdio::null()).output().with_context(|| format!("{counted:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let ended = output.status.code().is_some_and(|code| fine.contains(&code));
    ensure!(ended, "{counted:?} ended with {}: {said}", output.status);
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    collected.with_context(|| format!("no count in {said}"))
}
