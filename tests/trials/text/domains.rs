//! Hostile domain files: `check` says what is wrong and `send` stores nothing, or what is stored is the text, byte for byte.

use super::{ANYTHING, REFUSAL, TAKEN, Trial};

/// What `check` is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Sound,
    Broken,
}
use Verdict::{Broken, Sound};

/// The most a domain file may have, in bytes.
const MAX: usize = 1024 * 1024;

/// A sound domain with something in its description.
fn described(text: &str) -> Vec<u8> {
    ANYTHING.replacen("domain: test", &format!("domain: test\ndescription: {text}"), 1).into_bytes()
}

/// With something before its first line.
fn after(text: &str) -> Vec<u8> {
    [text.as_bytes(), ANYTHING.as_bytes()].concat()
}

/// With something behind its last line.
fn before(text: &str) -> Vec<u8> {
    [ANYTHING.as_bytes(), text.as_bytes()].concat()
}

/// With something for its fields.
fn fields(text: &str) -> Vec<u8> {
    ANYTHING.replace("{ n: any }", text).into_bytes()
}

/// With another script for its decision.
fn script(text: &str) -> Vec<u8> {
    let indented: String =
        text.lines().chain(["emit(\"Done\", command)"]).flat_map(|line| ["          ", line, "\n"]).collect();
    ANYTHING.replace("decide: emit(\"Done\", command)\n", &format!("decide: |\n{indented}")).into_bytes()
}

/// Something again and again, as long as a file may be.
fn filled(part: &str) -> String {
    part.repeat((MAX - 2000) / part.len())
}

/// The same with a number in it.
fn counted(from: usize, to: usize, part: impl Fn(usize) -> String) -> String {
    (from..to).map(part).collect::<Vec<_>>().concat()
}

/// Each name for twice what the one before it stands for.
fn doubled(first: &str, levels: usize, twice: impl Fn(usize) -> String) -> String {
    format!("{first}{}", counted(1, levels, twice))
}

/// What YAML has for those who mean harm.
fn notation() -> Vec<(&'static str, Vec<u8>, Verdict)> {
    let utf16 = |big: bool| -> Vec<u8> {
        let units = ANYTHING.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() });
        [if big { [0xfe, 0xff] } else { [0xff, 0xfe] }.to_vec(), units.collect()].concat()
    };
    let laughs = doubled("a0: &a0 [lol, lol]\n", 40, |n| format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1));
    let anchored = ANYTHING.replace(": ", ": &x ").replace(":\n", ": &y\n");
    vec![
        ("billion laughs", laughs.clone().into_bytes(), Broken),
        ("billion laughs behind", before(&laughs), Broken),
        ("anchors on everything", anchored.into_bytes(), Broken),
        ("an alias of nothing", described("*nothing"), Broken),
        ("an alias of itself", described("&a [*a]"), Broken),
        ("100,000 anchors", described(&format!("[{}]", counted(0, 60_000, |n| format!("&a{n} x,")))), Broken),
        ("a merge key", before("<<: { domain: other }\n"), Broken),
        ("a merge of an alias", before("x: &x { a: 1 }\n<<: *x\n"), Broken),
        ("100,000 brackets", "[".repeat(100_000).into_bytes(), Broken),
        ("100,000 braces", "{".repeat(100_000).into_bytes(), Broken),
        ("100,000 braces with keys", "{a: ".repeat(100_000).into_bytes(), Broken),
        ("100,000 lists in a line", format!("{}x", "- ".repeat(100_000)).into_bytes(), Broken),
        ("100,000 keys in a line", format!("{}x", "? ".repeat(100_000)).into_bytes(), Broken),
        ("levels of indentation", counted(0, 1_400, |n| format!("{}a:\n", " ".repeat(n))).into_bytes(), Broken),
        ("100,000 spaces", format!("{}a: 1\n", " ".repeat(100_000)).into_bytes(), Broken),
        ("100,000 brackets inside", described(&"[".repeat(100_000)), Broken),
        ("100,000 pairs of brackets", described(&format!("[{}]", "[],".repeat(100_000))), Broken),
        ("a megabyte of pairs", described(&format!("[{}]", filled("[],"))), Broken),
        ("a megabyte of pairs of braces", described(&format!("[{}]", filled("{},"))), Broken),
        ("a megabyte of items", described(&format!("[{}]", filled("a,"))), Broken),
        ("a megabyte of list lines", format!("domain: x\na:\n{}", filled("-\n")).into_bytes(), Broken),
        ("a key twice", before("domain: again\n"), Broken),
        ("a key 100,000 times", before(&filled("x: 1\n")), Broken),
        ("100,000 keys", before(&counted(0, 90_000, |n| format!("k{n}: 1\n"))), Broken),
        ("100,000 keys in a line", format!("{{{}}}", counted(0, 90_000, |n| format!("k{n}: 1,"))).into_bytes(), Broken),
        ("100,000 empty keys", before(&filled(": \n")), Broken),
        ("tabs", ANYTHING.replace("  ", "\t").into_bytes(), Broken),
        ("100,000 tabs", "\t".repeat(100_000).into_bytes(), Broken),
        ("a tab behind a key", ANYTHING.replace("domain: test", "domain:\ttest").into_bytes(), Sound),
        ("a byte order mark", after("\u{feff}"), Sound),
        ("two byte order marks", after("\u{feff}\u{feff}"), Sound),
        ("a byte order mark inside", described("a\u{feff}b"), Sound),
        ("UTF-16, little", utf16(false), Broken),
        ("UTF-16, big", utf16(true), Broken),
        ("NUL", described("a\0b"), Broken),
        ("NUL in quotes", described("\"a\0b\""), Broken),
        ("NUL escaped", described(r#""a\0b""#), Sound),
        ("only NUL", vec![0; 100_000], Broken),
        ("ESC", described("'a\u{1b}[31mb'"), Broken),
        ("ESC escaped", described(r#""a\e[31mb""#), Sound),
        ("ESC in a comment", after("# \u{1b}[31m\n"), Broken),
        ("DEL", described("'a\u{7f}b'"), Broken),
        ("C1", described("'a\u{9b}31mb'"), Broken),
        ("right to left", described("a\u{202e}b"), Sound),
        ("right to left in a name", ANYTHING.replace("thing", "th\u{202e}ing").into_bytes(), Broken),
        ("carriage returns and line feeds", ANYTHING.replace('\n', "\r\n").into_bytes(), Sound),
        ("carriage returns", ANYTHING.replace('\n', "\r").into_bytes(), Sound),
        ("other line ends", described("'a\u{85}b\u{2028}c\u{2029}d'"), Sound),
        ("not UTF-8", [&described("x")[..], b"# \xff\n"].concat(), Broken),
        ("a surrogate", [&described("x")[..], b"# \xed\xa0\x80\n"].concat(), Broken),
        ("a long zero", [&described("x")[..], b"# \xc0\x80\n"].concat(), Broken),
        ("half a character", [&described("x")[..], b"# \xe2\x82"].concat(), Broken),
        ("tags", described("!!str x"), Sound),
        ("a tag of Python's", described("!!python/object/apply:os.system ['true']"), Broken),
        ("a tag with an address", described("!<tag:yaml.org,2002:binary> eA=="), Sound),
        ("100,000 tags", described(&"!a ".repeat(100_000)), Broken),
        ("100,000 tagged items", described(&format!("[{}]", filled("!!str a,"))), Broken),
        ("tagged lists", described(&format!("[{}]", filled("!a [],"))), Broken),
        ("two documents", before("---\ndomain: other\n"), Broken),
        ("a document that begins", after("---\n"), Sound),
        ("a document that ends", before("...\n"), Sound),
        ("100,000 documents", "---\n".repeat(100_000).into_bytes(), Broken),
        ("100,000 ends", "...\n".repeat(100_000).into_bytes(), Broken),
        ("a directive", after("%YAML 1.2\n---\n"), Sound),
        ("a directive of another version", after("%YAML 99.9\n---\n"), Broken),
        ("a directive that nobody knows", after("%FOO bar\n---\n"), Sound),
        ("100,000 directives", after(&format!("{}---\n", filled("%FOO bar\n"))), Broken),
        ("100,000 tag directives", after(&counted(0, 40_000, |n| format!("%TAG !a{n}! tag:x,2000:\n"))), Broken),
        ("nothing", Vec::new(), Broken),
        ("only a comment", b"# nothing\n".to_vec(), Broken),
        ("a megabyte of comment", before(&format!("# {}\n", filled("x"))), Sound),
        ("a megabyte of comments", before(&filled("#\n")), Sound),
        ("a megabyte of spaces", filled(" ").into_bytes(), Broken),
        ("a megabyte of lines", before(&filled("\n")), Sound),
        ("a long line", described(&filled("x")), Sound),
        ("a long line in quotes", described(&format!("\"{}\"", filled("x"))), Sound),
        ("a long line of escapes", described(&format!("\"{}\"", filled("\\u0041"))), Sound),
        ("a long key", before(&format!("{}: 1\n", filled("k"))), Broken),
        ("a long key with a question mark", before(&format!("? {}\n: 1\n", filled("k"))), Broken),
        ("a quote that is open", described(&format!("\"{}", filled("x"))), Broken),
        ("a quote that is open over lines", described(&format!("\"{}", filled("x\n  "))), Broken),
        ("a long block", described(&format!("|\n{}", filled("  x\n"))), Sound),
        ("a long folded block", described(&format!(">\n{}", filled("  x\n"))), Sound),
        ("as large as may be", before(&"#".repeat(MAX - ANYTHING.len())), Sound),
        ("a byte more", before(&"#".repeat(MAX - ANYTHING.len() + 1)), Broken),
    ]
}

/// What our format has for them.
fn format() -> Vec<(&'static str, Vec<u8>, Verdict)> {
    let doubling =
        doubled("types:\n  T0: { a: any, b: any }\n", 40, |n| format!("  T{n}: {{ a: T{0}, b: T{0} }}\n", n - 1));
    let listed = doubled("types:\n  T0: [any]\n", 2_000, |n| format!("  T{n}: [T{}]\n", n - 1));
    let backwards =
        format!("types:\n{}  T0: any\n", counted(1, 2_000, |n| format!("  T{}: [T{}]\n", 2_000 - n, 1_999 - n)));
    let pattern = |text: &str| fields(&format!("{{ n: any, m?: {{ type: string, pattern: '{text}' }} }}"));
    let several = |part: fn(usize) -> String| fields(&format!("{{ n: any, {} }}", counted(0, 10_000, part)));
    vec![
        ("types that double", before(&doubling), Broken),
        ("types of types", before(&listed), Broken),
        ("types of types, backwards", before(&backwards), Broken),
        ("a type of itself", before("types: { T: [T] }\n"), Broken),
        ("types in a circle", before("types: { T: [U], U: { a: T } }\n"), Broken),
        ("a nested type", fields(&format!("{{ n: {}any{} }}", "[".repeat(50), "]".repeat(50))), Broken),
        ("10,000 fields that are not there", several(|n| format!("f{n}: x, ")), Broken),
        ("10,000 optional fields", several(|n| format!("f{n}?: any, ")), Sound),
        ("10,000 fields with patterns", several(|n| format!("f{n}?: {{type: string, pattern: a}}, ")), Broken),
        (
            "one of 20,000",
            fields(&format!("{{ n: {{ one_of: [{}] }} }}", counted(1, 20_000, |n| format!("{n}, ")))),
            Sound,
        ),
        ("a pattern that repeats", pattern("(a{1000}){1000}"), Broken),
        ("a pattern that repeats much", pattern("((a{100}){100}){100}"), Broken),
        ("a pattern of letters", pattern(r"^(\d{50}){0,50}$"), Sound),
        ("patterns of letters", several(|n| format!(r"f{n}?: {{type: string, pattern: '\w{{30}}{n}'}}, ")), Broken),
        ("a nested pattern", pattern(&"(".repeat(100_000)), Broken),
        ("a nested pattern that ends", pattern(&format!("{}{}", "(".repeat(50_000), ")".repeat(50_000))), Broken),
        ("a pattern that looks back", pattern(r"(a)\1"), Broken),
        ("a count beyond all", fields("{ n: { type: string, min_length: 1e30 } }"), Broken),
        ("a limit beyond all", fields("{ n: { type: decimal, minimum: 1e400 } }"), Broken),
        ("a limit not a number", fields("{ n: { type: decimal, minimum: .nan } }"), Broken),
        (
            "a number of 10,000 digits",
            ANYTHING.replace("n: ~", &format!("n: {}", "1".repeat(10_000))).into_bytes(),
            Broken,
        ),
        (
            "a number with 10,000 digits",
            ANYTHING.replace("n: ~", &format!("n: 0.{}", "1".repeat(10_000))).into_bytes(),
            Broken,
        ),
        ("an exponent beyond all", ANYTHING.replace("n: ~", "n: 1e999999999999").into_bytes(), Broken),
        ("20,000 events", before_events(20_000), Sound),
        ("a script of brackets", script(&"(".repeat(100_000)), Broken),
        ("a script of braces", script(&"{".repeat(100_000)), Broken),
        ("a script of lists", script(&"[".repeat(100_000)), Broken),
        ("a script of maps", script(&"#{a:".repeat(100_000)), Broken),
        ("a script of minuses", script(&format!("{}1", "-".repeat(100_000))), Broken),
        ("a script of nots", script(&format!("{}true", "!".repeat(100_000))), Broken),
        ("a script of sums", script(&format!("let x = 1{};", "+1".repeat(100_000))), Broken),
        ("a script of dots", script(&format!("let x = state{};", ".n".repeat(100_000))), Broken),
        ("a script of indexes", script(&format!("let x = state{};", "[0]".repeat(100_000))), Broken),
        ("a script of templates", script(&"`${".repeat(100_000)), Broken),
        ("a script of ifs", script(&"if true {} else ".repeat(20_000)), Broken),
        ("a script of functions", script(&"|x| ".repeat(50_000)), Broken),
        ("a script of assignments", script(&"x = ".repeat(100_000)), Broken),
        ("a script of statements", script(&filled("1;")), Broken),
        ("a script of lines", script(&filled("1;\n").replace("1;\n", "1;")), Broken),
        ("a script of wrong names", script(&counted(0, 20_000, |n| format!("let a{n} = b{n};\n"))), Broken),
        ("a script of wrong calls", script(&counted(0, 20_000, |n| format!("emit(\"E{n}\");\n"))), Broken),
        ("a script of variables", script(&counted(0, 20_000, |n| format!("let a{n} = {n};"))), Broken),
        ("a quote that is open in a script", script(&format!("\"{}", "x".repeat(100_000))), Broken),
        ("a comment that is open in a script", script(&"/*".repeat(100_000)), Broken),
        ("a long name in a script", script(&format!("let {} = 1;", "x".repeat(100_000))), Broken),
        ("a number in a script", script(&format!("let x = {};", "1".repeat(10_000))), Broken),
        ("NUL in a script", script("let x = \"\0\";"), Broken),
        ("right to left in a script", script("let x = \"\u{202e}\";"), Sound),
        (
            "20,000 functions",
            before(&format!("functions: |\n{}", counted(0, 20_000, |n| format!("  fn f{n}() {{ {n} }}\n")))),
            Broken,
        ),
        (
            "20,000 scenarios",
            before(&format!("scenarios:\n{}", counted(0, 12_000, |n| format!("  - {{ name: s{n}, when: x }}\n")))),
            Broken,
        ),
        (
            "one scenario 10,000 times",
            before(&format!(
                "scenarios:\n{}",
                "  - { name: s, when: { thing/1 Do: { n: 1 } }, then: { state: { n: 1 } } }\n".repeat(10_000)
            )),
            Broken,
        ),
    ]
}

/// Events that nothing emits.
fn before_events(count: usize) -> Vec<u8> {
    let more = counted(0, count, |n| format!("      E{n}: {{}}\n"));
    ANYTHING.replace("    events:\n", &format!("    events:\n{more}")).into_bytes()
}

#[test]
fn a_hostile_domain_is_refused_or_kept_as_it_is() {
    let mut trial = Trial::new();
    for (name, text, verdict) in notation().into_iter().chain(format()) {
        trial.anew();
        trial.folder.write("hostile.yaml", &text);
        let memory = if verdict == Broken { REFUSAL } else { TAKEN };
        let checked = trial.esctl(&format!("check: {name}"), memory, "", "check --domain hostile.yaml");
        let sent = trial.esctl(&format!("send: {name}"), memory, "", "send thing/1 Do n=1 --domain hostile.yaml");
        if verdict == Broken {
            trial.refused(&checked, 1);
            trial.refused(&sent, 2);
            trial.insist(!trial.folder.file("esctl.db").exists(), &sent, "a store was made");
        } else if trial.done(&checked) && trial.done(&sent) {
            let stored = trial.stored();
            let line: serde_json::Value = serde_json::from_str(stored.lines().next().unwrap_or("null")).unwrap();
            trial.insist(line["text"].as_str().map(str::as_bytes) == Some(&text), &sent, "another text is stored");
        }
    }
    trial.finish();
}

#[test]
fn a_large_domain_file_is_not_read_to_its_end() {
    let mut trial = Trial::new();
    for byte in [0, b'[', b'a', b'\n'] {
        trial.large("hostile.yaml", byte);
        let checked = trial.esctl("check: 100 MB", REFUSAL, "", "check --domain hostile.yaml");
        trial.refused(&checked, 1);
        let sent = trial.esctl("send: 100 MB", REFUSAL, "", "send thing/1 Do n=1 --domain hostile.yaml");
        trial.refused(&sent, 2);
        trial.insist(!trial.folder.file("esctl.db").exists(), &sent, "a store was made");
    }
    trial.finish();
}
