//! Hostile JSON, in every place where JSON comes in.

use super::{REFUSAL, Run, TAKEN, Trial};
use std::fs;

/// What is to come of a text where a value stands.
#[derive(Debug, Clone)]
enum Verdict {
    Refused,
    /// It comes out byte for byte.
    Same,
    /// It comes out in another notation.
    As(String),
}
use Verdict::{As, Refused, Same};

fn nested(open: &str, depth: usize, close: &str) -> String {
    format!("{}0{}", open.repeat(depth), close.repeat(depth))
}

fn corpus() -> Vec<(&'static str, String, Verdict)> {
    let other = |text: &str| As(text.to_owned());
    let numbers = [
        ("2^63 - 1", "9223372036854775807", Same),
        ("2^64", "18446744073709551616", Same),
        ("28 digits", "0.1234567890123456789012345678", Same),
        ("the largest", "79228162514264337593543950335", Same),
        ("one more", "79228162514264337593543950336", Refused),
        ("30 digits", "123456789012345678901234567890", Refused),
        ("30 digits behind the point", "0.123456789012345678901234567890", Refused),
        ("a zero behind", "25.10", Same),
        ("1e400", "1e400", Refused),
        ("-1e400", "-1e400", Refused),
        ("1e-400", "1e-400", Refused),
        ("0e400", "0e400", other("0")),
        ("1e2", "1e2", other("100")),
        ("1e-2", "1E-2", other("0.01")),
        ("a long exponent", "1e99999999999999999999", Refused),
        ("-0", "-0", other("0")),
        ("-0.0", "-0.0", other("0.0")),
        ("NaN", "NaN", Refused),
        ("Infinity", "Infinity", Refused),
        ("-Infinity", "-Infinity", Refused),
        ("a plus", "+1", Refused),
        ("a leading zero", "01", Refused),
        ("hex", "0x10", Refused),
        ("a point alone", "1.", Refused),
    ];
    let texts = [
        ("a lone surrogate", r#""\ud800""#, Refused),
        ("surrogates the wrong way", r#""\udc00\ud800""#, Refused),
        ("a pair of surrogates", r#""\ud83d\ude00""#, other("\"\u{1f600}\"")),
        ("NUL escaped", r#""a\u0000b""#, Same),
        ("ESC escaped", r#""\u001b[31m""#, Same),
        ("right to left escaped", r#""\u202e""#, Same),
        ("a raw NUL", "\"a\0b\"", Refused),
        ("a raw ESC", "\"\u{1b}[31m\"", Refused),
        ("right to left", "\"a\u{202e}b\"", other(r#""a\u202eb""#)),
        ("C1", "\"a\u{9b}b\"", other(r#""a\u009bb""#)),
        ("DEL", "\"a\u{7f}b\"", other(r#""a\u007fb""#)),
        ("a raw tab", "\"\t\"", Refused),
        ("a byte order mark inside", "\"\u{feff}\"", Same),
        ("no character", "\"\u{ffff}\"", Same),
        ("a wrong escape", r#""\x41""#, Refused),
        ("half an escape", r#""\u12""#, Refused),
        ("open", "\"abc", Refused),
        ("single quotes", "'a'", Refused),
        ("keys twice", r#"{"a":1,"a":1}"#, Refused),
        ("keys twice, escaped", r#"{"a":1,"\u0061":1}"#, Refused),
        ("keys twice, deep", r#"[{"b":{"a":1,"c":2,"a":3}}]"#, Refused),
        ("an empty key", r#"{"":1}"#, Same),
        ("a key of Python's", r#"{"__proto__":{"x":1},"constructor":1}"#, Same),
        ("a comma too many", "[1,]", Refused),
        ("a comment", "1//x", Refused),
        ("trailing garbage", "1 2", Refused),
        ("nothing", "", Refused),
        ("a byte order mark", "\u{feff}1", Refused),
        ("a space that is none", "\u{a0}1", Refused),
    ];
    let made = [
        ("depth 100", nested("[", 100, "]"), Same),
        ("depth 129", nested("[", 129, "]"), Refused),
        ("depth 1,000,000", "[".repeat(1_000_000), Refused),
        ("depth 1,000,000 of objects", "{\"a\":".repeat(170_000), Refused),
        ("depth 400,000 with its end", nested("[", 400_000, "]"), Refused),
        ("10,000 digits", "1".repeat(10_000), Refused),
        ("10,000 digits behind the point", format!("0.{}", "1".repeat(10_000)), Refused),
        ("10,000 zeros behind the point", format!("1.{}", "0".repeat(10_000)), Refused),
        ("a million digits", "7".repeat(1_000_000), Refused),
        ("an exponent of a million digits", format!("1e{}", "9".repeat(1_000_000)), Refused),
        ("a text of a megabyte", format!("\"{}\"", "x".repeat(1_000_000)), Same),
        ("100,000 keys", format!("{{{}\"x\":0}}", keys(60_000)), Same),
        ("one key 100,000 times", format!("{{{}\"a\":0}}", "\"a\":0,".repeat(100_000)), Refused),
        ("a key of a megabyte", format!("{{\"{}\":0}}", "k".repeat(1_000_000)), Same),
        (
            "a megabyte of escapes",
            format!("\"{}\"", "\\u0041".repeat(170_000)),
            As(format!("\"{}\"", "A".repeat(170_000))),
        ),
        ("a megabyte of spaces", format!("{}1", " ".repeat(1_000_000)), other("1")),
        ("as large as a payload is", format!("\"{}\"", "x".repeat(1024 * 1024 - 8)), Same),
        ("a byte more", format!("\"{}\"", "x".repeat(1024 * 1024 - 7)), Refused),
    ];
    let owned = |(name, text, verdict): (&'static str, &str, Verdict)| (name, text.to_owned(), verdict);
    numbers.map(owned).into_iter().chain(texts.map(owned)).chain(made).collect()
}

fn keys(count: usize) -> String {
    (0..count).map(|n| format!("\"k{n:06}\":0,")).collect::<Vec<_>>().concat()
}

/// Where a value can be put. `meta` has no limit of a payload, and no script sees it.
const PLACES: [(&str, &str, &str); 5] = [
    ("field", "send thing/1 Do n:=@value", ""),
    ("data", "send thing/1 Do --data @object", ""),
    ("stdin", "send thing/1 Do --data -", "object"),
    ("batch", "send --batch line", ""),
    ("meta", "send thing/1 Do n=1 --meta n:=@value", ""),
];

/// The bytes of what a store says of the value.
fn found(trial: &Trial, place: &str) -> String {
    let events = trial.folder.esctl("events -o ndjson").done();
    let start = if place == "meta" { "\"meta\":{\"n\":" } else { "\"data\":{\"n\":" };
    events.split_once(start).map_or_else(|| super::head(&events).to_owned(), |(_, rest)| rest.to_owned())
}

#[test]
fn hostile_json_is_refused_or_comes_out_as_it_went_in() {
    let mut trial = Trial::new();
    for (name, text, verdict) in corpus() {
        trial.folder.write("value", &text).write("object", format!("{{\"n\":{text}}}"));
        trial
            .folder
            .write("line", format!("{{\"stream\":\"thing/1\",\"command\":\"Do\",\"data\":{{\"n\":{text}}}}}\n"));
        for (place, arguments, stdin) in PLACES {
            trial.anew();
            let memory = if matches!(verdict, Refused) { REFUSAL } else { TAKEN };
            let run = trial.esctl(&format!("{name}, as {place}"), memory, stdin, arguments);
            match &verdict {
                // What goes with a command has no limit of its own.
                Refused if name == "a byte more" && place == "meta" => {}
                Refused => nothing_stored(&mut trial, &run),
                Same | As(_) => {
                    let wanted = if let As(other) = &verdict { other } else { &text };
                    if trial.done(&run) {
                        let found = found(&trial, place);
                        let said = format!("{} came out", super::head(&found));
                        trial.insist(found.starts_with(wanted), &run, &said);
                        copied(&mut trial, &run);
                    }
                }
            }
        }
    }
    trial.finish();
}

fn nothing_stored(trial: &mut Trial, run: &Run) {
    trial.refused(run, 2);
    let stored = trial.stored();
    trial.insist(stored.is_empty(), run, "something is stored");
}

/// What is stored goes through `export` and `import` byte for byte.
fn copied(trial: &mut Trial, run: &Run) {
    let before = trial.folder.esctl("export out").done();
    let lines = fs::read(trial.folder.file("out")).unwrap();
    trial.anew();
    let import = trial.esctl(&format!("import of {}", run.what), TAKEN, "", "import out");
    if trial.done(&import) {
        let again = trial.folder.esctl("export out2").done();
        trial.insist(
            before == again && fs::read(trial.folder.file("out2")).unwrap() == lines,
            run,
            "a copy is another",
        );
    }
    let _ = fs::remove_file(trial.folder.file("out"));
    let _ = fs::remove_file(trial.folder.file("out2"));
}

/// Whatever stands in a line of an export: it is not what was exported.
#[test]
fn a_hostile_line_of_an_export_is_refused() {
    let mut trial = Trial::new();
    trial.folder.esctl("send thing/1 Do n=text --meta a=text").done();
    let lines = trial.folder.esctl("export").done();
    let with = |text: &str, at: &str| lines.replace(at, &at.replace("\"text\"", text)).into_bytes();
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, text, _) in corpus() {
        cases.push((format!("{name}, as data"), with(&text, "{\"n\":\"text\"}")));
        cases.push((format!("{name}, as meta"), with(&text, "{\"a\":\"text\"}")));
        cases.push((format!("{name}, as a line"), format!("{}\n{text}", lines.lines().next().unwrap()).into_bytes()));
        cases.push((format!("{name}, at first"), text.into_bytes()));
    }
    cases.push(("100,000 members".into(), format!("{{{}\"x\":0}}", keys(100_000)).into_bytes()));
    cases.push(("1,000,000 members".into(), format!("{{{}\"x\":0}}", keys(1_000_000)).into_bytes()));
    cases.push(("UTF-16".into(), lines.encode_utf16().flat_map(u16::to_le_bytes).collect()));
    cases.push(("a byte order mark".into(), format!("\u{feff}{lines}").into_bytes()));
    for (name, text) in cases {
        trial.anew();
        trial.folder.write("in", text);
        let run = trial.esctl(&format!("import: {name}"), REFUSAL, "", "import in --raw");
        nothing_stored(&mut trial, &run);
    }
    trial.finish();
}

#[test]
fn large_input_is_not_read_to_its_end() {
    let mut trial = Trial::new();
    for byte in [0, b'[', b'7'] {
        trial.large("large", byte);
        for arguments in [
            "send thing/1 Do n:=@large",
            "send thing/1 Do n=@large",
            "send thing/1 Do --data @large",
            "send thing/1 Do --data -",
            "send thing/1 Do n=1 --meta a=@large",
            "send --batch large",
            "send --batch -",
            "send --batch - --atomic",
            "import large --raw",
            "import - --raw",
        ] {
            trial.anew();
            let run = trial.esctl(&format!("{arguments}, 100 MB of {byte}"), REFUSAL, "large", arguments);
            nothing_stored(&mut trial, &run);
        }
    }
    // Lines that are as long as they may be.
    let line = |data: String| format!("{{\"stream\":\"thing/1\",\"command\":\"Do\",\"data\":{{{data}}}}}\n");
    for (name, text) in [
        ("keys", line(format!("{}\"x\":0", keys(130_000)))),
        ("members", format!("{{{}\"x\":0}}\n", keys(130_000))),
        ("wrong fields", line(keys(80_000).trim_end_matches(',').to_owned())),
    ] {
        trial.anew();
        trial.folder.write("line", text);
        let run = trial.esctl(&format!("a batch line of {name}"), REFUSAL, "", "send --batch line");
        nothing_stored(&mut trial, &run);
    }
    // Whether it is too large is known when it is read: a million values take more than the text they came from.
    trial.anew();
    trial.folder.write("line", line(format!("\"n\":[{}0]", "0,".repeat(1_000_000))));
    let run = trial.esctl("a batch line of items", TAKEN, "", "send --batch line");
    nothing_stored(&mut trial, &run);
    trial.finish();
}
