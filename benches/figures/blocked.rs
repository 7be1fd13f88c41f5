//! Whether a rebuild keeps others waiting: who sends and who reads meanwhile.

use crate::child::Ran;
use crate::report::{Report, Sample, line, time, waits};
use crate::stores::{Place, Stores};
use anyhow::{Context, Result, anyhow, ensure};
use rusqlite::{Connection, OpenFlags};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The longest that anybody should wait.
const LIMIT: Duration = Duration::from_millis(50);
/// Between two commands, and between two reads: people and programs pause, and the rebuild is to have something of the
/// machine.
const PAUSE: Duration = Duration::from_millis(2);
/// How long SQLite waits for the reader before it says that the store is busy: what is measured is the wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// A rebuild is so long that a few are enough.
const MOST_REBUILDS: usize = 3;

const SUM: &str = "SELECT count(*) + sum(balance) FROM balances";
const HEAD: &str = "SELECT max(position) FROM es_events";

/// How long others waited.
#[derive(Debug, Default)]
struct Waits {
    /// From a line to its receipt.
    send: Sample,
    /// A sum over the view of the read model.
    sum: Sample,
    /// The last position of the log.
    head: Sample,
}

/// The figure.
pub fn blocked(place: &Place, report: &mut Report) -> Result<()> {
    let stores = place.wide()?;
    report.title("blocked", "who sends and who reads while a read model is rebuilt, and while it is not");
    let rebuild = || -> Result<Ran> {
        let mut command = place.esctl(&stores.ours);
        crate::child::run(command.args(["project", "rebuild", "balances"]), &place.file("out"))
    };
    // So that there are rows to read, and to say what the others cost the rebuild.
    let mut alone = Sample::default();
    alone.add(&rebuild()?);
    let (mut meanwhile, mut quiet, mut beside) = (Waits::default(), Waits::default(), Sample::default());
    for _ in 0..place.repeat.min(MOST_REBUILDS) {
        let mut took = Duration::ZERO;
        others(place, stores, &mut meanwhile, || {
            let ran = rebuild()?;
            took = ran.took;
            beside.add(&ran);
            Ok(())
        })?;
        others(place, stores, &mut quiet, || {
            thread::sleep(took);
            Ok(())
        })?;
    }
    line("rebuild alone", &alone, place.events);
    line("rebuild beside them", &beside, place.events);
    for (label, waited) in [("rebuild", &meanwhile), ("no rebuild", &quiet)] {
        waits(&format!("send, {label}"), &waited.send);
        waits(&format!("sum over rows, {label}"), &waited.sum);
        waits(&format!("last position, {label}"), &waited.head);
    }
    for (label, sample) in
        [("who sends beside a rebuild waits", &meanwhile.send), ("who reads beside a rebuild waits", &meanwhile.sum)]
    {
        let worst = sample.worst();
        let is = format!("{} at worst, {} beyond the goal", time(worst), sample.beyond(LIMIT));
        report.say(label, &is, &format!("at most {}", time(LIMIT)), worst <= LIMIT);
    }
    Ok(())
}

/// Sends and reads while something is done.
fn others(place: &Place, stores: &Stores, waited: &mut Waits, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut sender = Sender::new(place, stores)?;
    let reader = Connection::open_with_flags(&stores.ours, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    reader.busy_timeout(PATIENCE)?;
    // Both have started: what that costs is no waiting.
    sender.send()?;
    reader.query_row(HEAD, [], |row| row.get::<_, i64>(0))?;
    let is_over = AtomicBool::new(false);
    let Waits { send, sum, head } = waited;
    thread::scope(|scope| {
        let is_over = &is_over;
        let sending = scope.spawn(move || -> Result<()> {
            while !is_over.load(Ordering::Acquire) {
                send.time(sender.send()?);
                thread::sleep(PAUSE);
            }
            sender.end()
        });
        let reading = scope.spawn(move || -> Result<()> {
            while !is_over.load(Ordering::Acquire) {
                sum.time(ask(&reader, SUM)?);
                head.time(ask(&reader, HEAD)?);
                thread::sleep(PAUSE);
            }
            Ok(())
        });
        let done = work();
        is_over.store(true, Ordering::Release);
        sending.join().map_err(|_| anyhow!("the sender panicked"))?.context("the sender")?;
        reading.join().map_err(|_| anyhow!("the reader panicked"))?.context("the reader")?;
        done
    })
}

/// One read, prepared anew: what the view is made of changes when a rebuild ends.
fn ask(reader: &Connection, sql: &str) -> Result<Duration> {
    let began = Instant::now();
    let number: f64 = reader.prepare(sql)?.query_row([], |row| row.get(0))?;
    ensure!(number > 0.0, "`{sql}` gave {number}");
    Ok(began.elapsed())
}

/// A process that stores one command after the other, and answers when it is stored.
struct Sender {
    child: Child,
    input: ChildStdin,
    answers: BufReader<ChildStdout>,
    answer: String,
    line: String,
}

impl Sender {
    fn new(place: &Place, stores: &Stores) -> Result<Self> {
        let (number, _) = stores.work.account_of_about(100)?;
        let data = r#""amount":1.25,"ref":"meanwhile","channel":"transfer""#;
        let line = format!("{{\"stream\":\"account/{number}\",\"command\":\"Deposit\",\"data\":{{{data}}}}}\n");
        let mut child = place
            .esctl(&stores.ours)
            .args(["send", "--batch", "-", "--group", "1", "--timeout", "30"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (input, output) = (child.stdin.take().context("no input")?, child.stdout.take().context("no output")?);
        Ok(Self { child, input, answers: BufReader::new(output), answer: String::new(), line })
    }

    fn send(&mut self) -> Result<Duration> {
        let began = Instant::now();
        self.input.write_all(self.line.as_bytes())?;
        self.answer.clear();
        self.answers.read_line(&mut self.answer)?;
        let took = began.elapsed();
        ensure!(self.answer.contains(r#""outcome":"accepted""#), "got `{}`", self.answer);
        Ok(took)
    }

    fn end(mut self) -> Result<()> {
        drop(self.input);
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}
