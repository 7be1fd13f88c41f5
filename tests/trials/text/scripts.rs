//! Hostile scripts: whatever a rule does, it is stopped with its place in the file, within its memory, and nothing is stored.
//!
//! Each stands in every kind of script: before a release in all of them, else in one after the other.

use super::Trial;
use crate::support::dump;
use crate::support::trial::scaled;

/// What a script may have beyond what a run without one needs, in KiB.
const MEMORY: usize = (16 + 64) * 1024;

/// What is said of what never comes to its end.
const ENDLESS: &str = "the script ran past its limit of 10000000 operations";
/// What is said of what needs too much memory.
const LARGE: &str = "the script needs more than 64 MiB of memory";
/// What is said of a text that would be too long.
const LONG: &str = "would make more than 4194304 bytes or items";
/// What is said of what is nested too deep.
const DEEP: &str = "is nested more than 128 deep";

/// A text of four million characters, a list of a million numbers, and a list that holds the text a thousand times.
const TEXT: &str = "let s = \"\"; s.pad(4000000, \"x\"); ";
const LIST: &str = "let l = []; l.pad(1000000, 3); ";
const SHARED: &str = "let s = \"\"; s.pad(4000000, \"x\"); let l = []; l.pad(1000, s); ";
const MAP: &str = "let m = #{}; for i in 0..50000 { m[i.to_string()] = i; } ";

/// What begins a script, the script, and what is said of it.
const SCRIPTS: &[(&str, &str, &str)] = &[
    // Without end.
    ("", "loop { }", ENDLESS),
    ("", "while true { let a = 1; { let b = a; } }", ENDLESS),
    ("", "do { } while true;", ENDLESS),
    ("", "let x = 0; loop { x += 1; x -= 1; }", ENDLESS),
    ("", "for i in 0..9223372036854775807 { }", ENDLESS),
    ("", "loop { try { throw \"x\"; } catch { } }", ENDLESS),
    ("", "loop { try { 1 / 0; } catch (error) { continue; } }", ENDLESS),
    ("", "let n = 0; loop { switch n { 0..100 => n += 1, _ => n = 0 } }", ENDLESS),
    ("", "loop { for i in range(0, 100, 7) { if i > 50 { break; } } }", ENDLESS),
    ("", "let f = |x| x + 1; loop { f.call(1); }", ENDLESS),
    ("", "let f = |a| a; for i in 0..60 { let g = f; f = |x| g.call(g.call(x)); } f.call(1);", ""),
    ("", "loop { print(\"x\"); }", ENDLESS),
    // Calls within calls.
    ("", "around(0);", "functions call each other more than 64 deep"),
    ("", "there(0);", "functions call each other more than 64 deep"),
    ("", "let f = |f, n| f.call(f, n + 1); f.call(f, 0);", "functions call each other more than 64 deep"),
    // Numbers.
    ("", "let n = 1; loop { n *= 3; }", "overflow"),
    ("", "let n = 9223372036854775807; n += 1;", "overflow"),
    ("", "let n = -9223372036854775807; n -= 2;", "overflow"),
    ("", "let n = abs(-9223372036854775807 - 1);", "overflow"),
    ("", "let n = 9 ** 9223372036854775807;", "overflow"),
    ("", "let n = 1 / (1 - 1);", "division by zero"),
    ("", "let n = 1 % (1 - 1);", "division by zero"),
    ("", "let n = 1.5 / (1 - 1);", "division by zero"),
    ("", "let n = 1.5 % (1.5 - 1.5);", "division by zero"),
    ("", "let d = 1.1; loop { d = d * 1.1; }", "does not fit 28 digits"),
    ("", "let d = 7.5; loop { d += d; }", "does not fit 28 digits"),
    ("", "to_int(79228162514264337593543950335);", "does not fit a 64-bit integer"),
    ("", "loop { 1.0 ** 1000; }", ENDLESS),
    ("", "loop { 3 ** 39; }", ENDLESS),
    ("", "loop { 7922816251426433759354395.1 / 3.7; }", ENDLESS),
    ("", "loop { round(0.1234567890123456789012345678, 5, \"half_up\"); }", ENDLESS),
    ("", "loop { parse_decimal(\"0.1234567890123456789012345678\"); }", ENDLESS),
    ("", "let d = \"2026-01-01\"; loop { d = add_days(d, 1); }", ""),
    ("", "add_months(\"2026-01-31\", 9223372036854775807);", "outside the years 0000 to 9999"),
    ("", "add_seconds(\"2026-01-31T00:00:00Z\", 9223372036854775807);", "outside the years 0000 to 9999"),
    // Texts that grow.
    ("", "let s = \"0123456789\"; loop { s += s; }", LONG),
    ("", "let s = \"0123456789\"; loop { s = s + s; }", LONG),
    ("", "let s = \"x\"; loop { s = `${s}${s}`; }", LARGE),
    ("", "let s = \"ab\"; loop { s.replace(\"a\", \"aab\"); }", LONG),
    ("", "let s = \"a\"; s.pad(9223372036854775807, \"b\");", LONG),
    ("", "let l = []; l.pad(9223372036854775807, 1);", LONG),
    (TEXT, "s.split(\"\");", LONG),
    (TEXT, "s.to_chars();", LONG),
    (TEXT, "let t = `${s}${s}${s}${s}${s}${s}${s}${s}${s}${s}${s}${s}${s}${s}${s}${s}${s}${s}${s}${s}`;", LARGE),
    (TEXT, "loop { let t = s; t += \"y\"; }", ""),
    // Texts that are gone through.
    (TEXT, "loop { s.len(); }", ENDLESS),
    (TEXT, "loop { s.len; }", ENDLESS),
    (TEXT, "let m = #{ s: s }; loop { m.s.len(); }", ENDLESS),
    (TEXT, "let m = #{ s: [s] }; loop { m.s[0].len(); }", ENDLESS),
    (TEXT, "let t = s + \"y\"; let s = s + \"y\"; loop { s == t; }", ENDLESS),
    (TEXT, "let t = s + \"y\"; let s = s + \"y\"; loop { s != t; }", ENDLESS),
    (TEXT, "let t = s + \"y\"; loop { s < t; }", ENDLESS),
    (TEXT, "loop { s.contains(\"xy\"); }", ENDLESS),
    (TEXT, "loop { \"xy\" in s; }", ENDLESS),
    (TEXT, "loop { s.index_of(\"xy\"); }", ENDLESS),
    (TEXT, "let t = s + \"y\"; loop { t.starts_with(s); }", ENDLESS),
    (TEXT, "let t = s + \"x\"; loop { t.ends_with(s); }", ENDLESS),
    (TEXT, "loop { s.sub_string(3999990); }", ENDLESS),
    (TEXT, "loop { s.get(3999990); }", ENDLESS),
    (TEXT, "loop { let t = s; t.crop(1); }", ENDLESS),
    (TEXT, "loop { s.set(3999990, 'y'); }", ENDLESS),
    (TEXT, "loop { s.remove(\"y\"); }", ENDLESS),
    (TEXT, "loop { s.to_upper(); }", ENDLESS),
    (TEXT, "loop { s.make_upper(); }", ENDLESS),
    (TEXT, "loop { s - \"y\"; }", ENDLESS),
    (TEXT, "loop { for c in s.chars() { break; } }", ENDLESS),
    (TEXT, "loop { try { throw s; } catch (e) { } }", ENDLESS),
    ("let s = \"\"; s.pad(4000000, \" \"); ", "loop { let t = s; t.trim(); }", ENDLESS),
    ("let s = \"\"; s.pad(4000000, \"\\n\"); ", "loop { s.to_debug(); }", ENDLESS),
    ("let s = \"\"; s.pad(200000, \"x \"); ", "loop { s.split(); }", ENDLESS),
    ("let s = \"\"; s.pad(200000, \"x\"); ", "loop { s.to_chars(); }", ENDLESS),
    (TEXT, "parse_int(s);", "is not a whole number of 64 bits"),
    (TEXT, "day(s);", "is neither a date"),
    // Lists that grow.
    ("", "let l = [0]; loop { l += l; }", LARGE),
    ("", "let l = [0]; loop { l = l + l; }", LARGE),
    ("", "let l = [0]; loop { l = [l, l, l, l]; }", LARGE),
    ("", "let l = [1]; loop { l.append(l); }", LARGE),
    ("", "let l = [1]; loop { l.splice(0, 0, l); }", LARGE),
    ("", "let l = []; loop { l.push(1); }", LARGE),
    ("", "let l = []; loop { l.insert(0, 1); }", ""),
    ("", "let l = []; loop { let i = l; l.push(|| i); }", LARGE),
    ("", "let f = |x| x; loop { f = f.curry(f); }", LARGE),
    ("let l = []; l.pad(1000, 0); ", "let f = |x| x; loop { f = f.curry(l); }", ""),
    ("let l = []; l.pad(100000, 3); ", "l.reduce(|a, x| { a += [a]; a }, []);", LARGE),
    (LIST, "loop { l.zip(l, |a, b| [a, b]); }", LARGE),
    ("", "let m = #{}; let i = 0; loop { m[i.to_string()] = i; i += 1; }", LARGE),
    ("", "let m = #{}; let i = 0; loop { m[i.to_string()] = m; i += 1; }", LARGE),
    ("", "let s = \"\"; s.pad(9000, \"x\"); let m = #{}; let i = 0; loop { m[`${i}`] = s + i; i += 1; }", LARGE),
    // Lists and maps that are gone through.
    (LIST, "loop { let b = l; }", ENDLESS),
    ("let l = []; l.pad(100000, 0); ", "loop { let b = l; }", ENDLESS),
    (LIST, "loop { l.insert(0, 1); l.pop(); }", ENDLESS),
    (LIST, "loop { l.push(l.shift()); }", ENDLESS),
    (LIST, "loop { l.reverse(); }", ENDLESS),
    (LIST, "loop { l[5] = 4; l.sort(); }", ENDLESS),
    (LIST, "loop { 4 in l; }", ENDLESS),
    (LIST, "loop { l.index_of(4); }", ENDLESS),
    ("let l = []; l.pad(100000, 3); ", "let m = l; loop { l == m; }", ENDLESS),
    (LIST, "loop { l.extract(5); }", ""),
    (LIST, "loop { l.retain(0..1000000); }", ENDLESS),
    ("let l = []; for i in 0..100000 { l.push((i * 7919) % 100003); } ", "loop { l.order(); }", ENDLESS),
    ("let l = []; for i in 0..100000 { l.push((i * 7919) % 100003); } ", "loop { l.order_by(|a, b| a - b); }", ENDLESS),
    (LIST, "loop { l.map(|x| x); }", ENDLESS),
    (LIST, "loop { l.filter(|x| x > 4); }", ENDLESS),
    (MAP, "loop { m.keys(); }", ENDLESS),
    (MAP, "loop { m.values(); }", ENDLESS),
    (MAP, "loop { let a = #{}; a.mixin(m); }", ENDLESS),
    (MAP, "loop { let a = #{}; a.fill_with(m); }", ENDLESS),
    (MAP, "let n = m; loop { m == n; }", ENDLESS),
    // Texts that are held many times.
    (SHARED, "l.to_string();", ENDLESS),
    (SHARED, "l.to_debug();", ENDLESS),
    (SHARED, "print(l);", ENDLESS),
    (SHARED, "debug(#{ l: l });", ENDLESS),
    (SHARED, "let t = `${l}`;", ENDLESS),
    (SHARED, "let t = \"\" + l;", ENDLESS),
    (SHARED, "s += l;", ENDLESS),
    (SHARED, "l.pad(1000000, s); l.sort();", ENDLESS),
    (SHARED, "l.pad(1000000, s); l.sort_by(|a, b| if a < b { -1 } else { 1 });", ENDLESS),
    (SHARED, "l.contains(s);", ENDLESS),
    (SHARED, "l.dedup();", ENDLESS),
    // Depth.
    ("", "let a = []; loop { a = [a]; }", ENDLESS),
    ("", "let m = #{}; loop { m = #{ a: m }; }", ENDLESS),
    ("", "let a = [[]]; loop { a = [[a.pop()]]; }", DEEP),
    ("", "let a = [[]]; loop { a = [[a.shift()]]; }", DEEP),
    ("", "let a = [[]]; loop { a = [[a.remove(0)]]; }", DEEP),
    ("", "let a = [[]]; loop { a = [[a.drain(0..1)]]; }", DEEP),
    ("", "let a = #{ x: 1 }; loop { a = #{ x: #{ x: a.remove(\"x\") } }; }", DEEP),
    ("let a = []; for i in 0..2000 { a = [a]; } ", "let b = a; b == a;", DEEP),
    ("let a = []; for i in 0..2000 { a = [a]; } ", "`${a}`;", ENDLESS),
    ("let a = []; for i in 0..2000 { a = [a]; } ", "[1].contains(a);", DEEP),
];

/// What only decisions can do.
const DECISIONS: &[(&str, &str, &str)] = &[
    (SHARED, "emit(\"Done\", #{ n: l });", "the value is too large: its texts have more than 16 MiB"),
    (SHARED, "reject(\"no\", \"\", #{ n: l });", "the value is too large: its texts have more than 16 MiB"),
    (TEXT, "emit(\"Done\", #{ n: s });", "at most 1048576 are stored"),
    ("let a = []; for i in 0..200 { a = [a]; } ", "emit(\"Done\", #{ n: a });", DEEP),
    ("", "loop { emit(\"Done\", #{ n: 1 }); }", "one command gives at most 10000 events"),
    ("let s = \"\"; s.pad(900000, \"x\"); ", "loop { emit(\"Done\", #{ n: s }); }", LARGE),
    ("", "let x = #{}; let f = || x; x.f = f; emit(\"Done\", x);", "a function cannot be stored"),
    ("", "loop { new_id(); }", ENDLESS),
    ("", "loop { load(\"thing/0\"); }", ENDLESS),
    ("", "loop { let s = state; }", ENDLESS),
];

/// The kinds of scripts.
const KINDS: [&str; 6] = ["decide", "fold", "invariant", "key", "on", "function"];

/// A domain whose command `Do` comes by a script of that kind, and whose command `Calm` does not.
fn domain(kind: &str, script: &str) -> String {
    let here = |of: &str| if of == kind { script } else { "" };
    let (decide, fold, invariant, key, on) = (here("decide"), here("fold"), here("invariant"), here("key"), here("on"));
    let function = here("function");
    format!(
        "\
domain: test
functions: |
  fn around(n) {{ around(n + 1) + 1 }}
  fn there(n) {{ back(n) }}
  fn back(n) {{ there(n + 1) }}
  fn hostile() {{
    {function}
    1
  }}
aggregates:
  thing:
    state: {{ n: ~ }}
    events:
      Calmed: {{ fold: state.n = () }}
      Done:
        fields: {{ n: any }}
        fold: |
          state.n = event.n;
          {fold}
    commands:
      Calm: {{ decide: emit(\"Calmed\") }}
      Do:
        fields: {{ n: any }}
        decide: |
          {decide}
          emit(\"Done\", #{{ n: hostile() }});
    invariants:
      fine: |
        if state.n != () {{
          {invariant}
        }}
        true
projections:
  things:
    inline: true
    columns: {{ thing: string, n: integer }}
    key: |
      {key}
      meta.id
    on:
      thing.Done: |
        {on}
        row.n += 1;
"
    )
}

/// Tries a script in a kind of script, and sees what came of it.
fn stopped(trial: &mut Trial, kind: &str, script: &str, said: &str) {
    trial.anew();
    trial.folder.write("domains/test.yaml", domain(kind, script));
    let calm = trial.esctl(&format!("Calm beside {kind}: {script}"), MEMORY, "", "send thing/0 Calm");
    if !trial.done(&calm) {
        return;
    }
    let before = dump::everything(&trial.folder, "esctl.db");
    let run = trial.esctl(&format!("{kind}: {script}"), MEMORY, "", "send thing/1 Do n=1");
    trial.refused(&run, 4);
    trial.insist(run.stderr.contains(said), &run, &format!("`{said}` is not said"));
    trial.insist(run.stderr.contains("--> domains/test.yaml:"), &run, "the place is not said");
    let after = dump::everything(&trial.folder, "esctl.db");
    trial.insist(before == after, &run, "something is stored");
}

#[test]
fn hostile_scripts_are_stopped() {
    let mut trial = Trial::new();
    let each = scaled(1, KINDS.len()).min(KINDS.len());
    for (number, (begins, script, said)) in SCRIPTS.iter().enumerate() {
        for kind in KINDS.iter().cycle().skip(number).take(each) {
            stopped(&mut trial, kind, &format!("{begins}{script}"), said);
        }
    }
    for (begins, script, said) in DECISIONS {
        stopped(&mut trial, "decide", &format!("{begins}{script}"), said);
    }
    trial.finish();
}
