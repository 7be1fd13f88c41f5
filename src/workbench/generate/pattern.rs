//! Texts that a pattern is found in, made by going through its syntax tree.

use super::random::Random;
use regex_syntax::hir::{Class, Hir, HirKind};

/// How many times more than it must something is repeated.
const MORE: u64 = 3;
/// The most characters that are made of one pattern.
const MOST: usize = 10_000;

/// The tree of a pattern as the regular expressions of payload checks have it. `None` where it is none, which cannot be: it
/// was compiled.
pub(super) fn tree(expression: &str) -> Option<Hir> {
    regex_syntax::Parser::new().parse(expression).ok()
}

/// A text by that tree. What it says of its surroundings (`^`, `$`, `\b`) is not looked at: the caller asks the pattern.
/// `longer` repeats more, for those who need a longer text.
pub(super) fn text(tree: &Hir, longer: u64, random: &mut Random) -> String {
    let mut out = String::new();
    write(tree, longer, random, &mut out);
    out
}

fn write(tree: &Hir, longer: u64, random: &mut Random, out: &mut String) {
    if out.len() > MOST {
        return;
    }
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => out.extend(character(class, random)),
        HirKind::Repetition(repeated) => {
            let most = repeated.max.map_or(u64::MAX, u64::from);
            let min = u64::from(repeated.min);
            let more = random.below((most - min).min(MORE) + 1);
            for _ in 0..min.saturating_add(more).saturating_add(longer).min(most) {
                if out.len() > MOST {
                    break;
                }
                write(&repeated.sub, longer, random, out);
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, longer, random, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, longer, random, out)),
        HirKind::Alternation(choices) => {
            if let Some(choice) = random.pick(choices) {
                write(choice, longer, random, out);
            }
        }
    }
}

/// A character of a class: one that people write, where it has some.
fn character(class: &Class, random: &mut Random) -> Option<char> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => {
            class.ranges().iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect()
        }
        Class::Bytes(class) => class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect(),
    };
    let within = |first: u32, last: u32| -> Vec<(u32, u32)> {
        ranges.iter().map(|(start, end)| (*start.max(&first), *end.min(&last))).filter(|(a, b)| a <= b).collect()
    };
    let letters: Vec<_> = [(0x30, 0x39), (0x41, 0x5a), (0x61, 0x7a)].iter().flat_map(|(a, b)| within(*a, *b)).collect();
    let printable = within(0x20, 0x7e);
    let from = [letters, printable, ranges].into_iter().find(|ranges| !ranges.is_empty())?;
    let count: u64 = from.iter().map(|(start, end)| u64::from(end - start) + 1).sum();
    let mut at = random.below(count);
    for (start, end) in from {
        let size = u64::from(end - start) + 1;
        if at < size {
            return char::from_u32(start + u32::try_from(at).ok()?);
        }
        at -= size;
    }
    None
}
