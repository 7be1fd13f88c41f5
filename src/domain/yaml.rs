//! YAML text → a tree whose every node knows its place and whose scalars keep their own text.
//!
//! The only file that knows the YAML crates. `granit-parser` reads: it gives spans, styles and the text of a
//! scalar before anything decided what it is, so that a number never passes through a float and a duplicate key
//! cannot disappear. `serde_yaml` is the second opinion: it explains syntax errors (it knows where the list
//! began that is not closed), and [`second_opinion`] tells where other tools would read the file differently.

use crate::diagnostic::{Diagnostic, Place, Source};
use crate::json::{self, Object, Value};
use granit_parser::{Event, Options, Parser, ScalarStyle};
use std::collections::HashMap;
use std::sync::Arc;

/// The largest domain file, in bytes.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;
/// The deepest nesting of a domain file.
const MAX_NESTING: usize = 64;
/// The most pieces of a domain file: values, keys, lists and maps. A file that is as large as it may be and written for
/// people has fewer.
const MAX_NODES: usize = 50_000;
/// The most directives (`%…`) before a document; the reader takes long over many.
const MAX_DIRECTIVES: usize = 100;
/// The reading ends after so many problems.
const MAX_PROBLEMS: usize = 1_000;
/// How far the end of a line is looked for: more of it is not shown.
const LINE: usize = 256;

/// A piece of a document.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands. A list or map: its first character, to the end of the line.
    pub place: Place,
    /// What it is.
    pub content: Content,
    /// Where its `!tag` stands, if it has one.
    pub tag: Option<Place>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Content {
    /// Text, and whether it was written without quotes: only then can it be a number, `true` or nothing.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map: keys in the order of the file, none twice.
    Map(Vec<(Key, Node)>),
}

/// A scalar as it was written.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// Its text, escapes undone.
    pub text: String,
    /// How it was written.
    pub style: Style,
    /// A comment follows on the same line: `x # y`. In a script this is seldom what was meant.
    pub comment: Option<Place>,
}

/// The notation of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'…'` or `"…"`.
    Quoted,
    /// A block: `|` or `>`.
    Block,
}

/// The key of a map's entry.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

impl Node {
    /// The scalar, where it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.content {
            Content::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Nothing was written: `key:`, `~` or `null`.
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(|s| s.style == Style::Plain && matches!(s.text.as_str(), "" | "~" | "null"))
    }

    /// What it is, for messages.
    pub fn kind_name(&self) -> &'static str {
        match &self.content {
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
            Content::Scalar(_) if self.is_null() => "nothing",
            Content::Scalar(_) => "text",
        }
    }

    /// The node as data. Numbers are exact and come from the scalar's own text.
    pub fn value(&self, problems: &mut Vec<Diagnostic>) -> Value {
        match &self.content {
            Content::List(items) => Value::List(items.iter().map(|n| n.value(problems)).collect()),
            Content::Map(entries) => {
                Value::Object(entries.iter().map(|(k, n)| (k.text.clone(), n.value(problems))).collect::<Object>())
            }
            Content::Scalar(scalar) => scalar.value().unwrap_or_else(|message| {
                problems.push(
                    Diagnostic::error("number", message)
                        .at(self.place.clone())
                        .hint("write it as JSON does (`0.5`, `1000`), or in quotes where it is text"),
                );
                Value::Null
            }),
        }
    }
}

impl Scalar {
    /// The scalar as data: what is not in quotes may be nothing, a truth value or a number.
    pub fn value(&self) -> Result<Value, String> {
        if self.style != Style::Plain {
            return Ok(Value::Text(self.text.clone()));
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Ok(Value::Null),
            "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
            "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
            text if looks_like_a_number(text) => json::number(text),
            text => Ok(Value::Text(text.to_owned())),
        }
    }
}

/// Whether YAML's readers would take it for a number, whether it is a legal one or not.
fn looks_like_a_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0o")) {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e.strip_prefix(['-', '+']).unwrap_or(e))),
        None => (unsigned, None),
    };
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}

/// Reads one document. `Err`: all that is wrong with it as YAML; what could be read up to a syntax error is not kept.
pub fn parse(source: &Arc<Source>) -> Result<Node, Vec<Diagnostic>> {
    let point = |start: usize, end: usize| Place { source: source.clone(), start, end };
    if source.text.len() > MAX_FILE_BYTES {
        return Err(vec![
            Diagnostic::error(
                "too-large",
                format!("the file has {} bytes; a domain file has at most {MAX_FILE_BYTES}", source.text.len()),
            )
            .at(point(0, 0))
            .hint("split it: every file in the folder is loaded"),
        ]);
    }
    let mut directives = source.text.lines().filter(|line| line.starts_with('%'));
    if let Some(line) = directives.nth(MAX_DIRECTIVES) {
        let at = line.as_ptr() as usize - source.text.as_ptr() as usize;
        return Err(vec![
            Diagnostic::error("directives", format!("a domain file has at most {MAX_DIRECTIVES} directives (`%`)"))
                .at(point(at, at + 1))
                .hint("it needs none"),
        ]);
    }
    let mut options = Options::default();
    options.set_emit_comments(true);
    options.block_nesting_limit = MAX_NESTING;
    options.flow_nesting_limit = MAX_NESTING;
    let mut reading = Reading { source, problems: Vec::new(), stack: Vec::new(), root: None, documents: 0, nodes: 0 };
    for event in Parser::new_from_str_with_options(&source.text, options) {
        match event {
            Ok((event, span)) => {
                let start = span.start.byte_offset().unwrap_or(0);
                let end = span.end.byte_offset().unwrap_or(start);
                if !reading.take(event, start, end) || reading.problems.len() >= MAX_PROBLEMS {
                    break;
                }
            }
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(source.text.len());
                reading.problems.push(syntax_error(source, at, &error.to_string()));
                break;
            }
        }
    }
    let Reading { problems, root, .. } = reading;
    if !problems.is_empty() {
        return Err(problems);
    }
    root.ok_or_else(|| vec![Diagnostic::error("empty", "there is nothing in this file").at(point(0, 0))])
}

/// A list or map that is being read.
enum Open {
    List(Place, Option<Place>, Vec<Node>),
    Map(Place, Option<Place>, Vec<(Key, Node)>, HashMap<String, Place>, Option<Key>),
}

struct Reading<'a> {
    source: &'a Arc<Source>,
    problems: Vec<Diagnostic>,
    stack: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
}

impl Reading<'_> {
    fn place(&self, start: usize, end: usize) -> Place {
        Place { source: self.source.clone(), start, end: end.max(start) }
    }

    /// The rest of the line from `start`, or the beginning of that: the place of a list or map.
    fn line_from(&self, start: usize) -> Place {
        let rest = &self.source.text[start.min(self.source.text.len())..];
        let rest = &rest[..rest.floor_char_boundary(LINE)];
        let length = rest.find('\n').unwrap_or(rest.len());
        self.place(start, start + rest[..length].trim_end().len())
    }

    /// The `!tag` that ends before `start`, on its line.
    fn tag_before(&self, start: usize) -> Place {
        let before = &self.source.text[..start];
        let at = before.rfind('!').unwrap_or(start);
        self.place(at, before.trim_end().len().max(at))
    }

    /// Takes one event; `false` ends the reading.
    fn take(&mut self, event: Event<'_>, start: usize, end: usize) -> bool {
        if matches!(event, Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..)) {
            self.nodes += 1;
        }
        if self.nodes > MAX_NODES {
            let place = self.place(start, start);
            self.problems.push(
                Diagnostic::error("too-large", format!("a domain file has at most {MAX_NODES} keys and values"))
                    .at(place)
                    .hint("split it: every file in the folder is loaded"),
            );
            return false;
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let place = self.place(start, end);
                    self.problems.push(
                        Diagnostic::error("documents", "a domain file is one YAML document; a second one begins here")
                            .at(place)
                            .hint("put it into a file of its own"),
                    );
                    return false;
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let place = self.place(start, end);
                self.problems.push(no_anchors(place));
                return false;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|_| self.tag_before(start));
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                // An absent value: granit writes it as `~` of no length.
                let text = if start == end && style == Style::Plain { String::new() } else { text.into_owned() };
                let place = self.place(start, end);
                if anchor != 0 {
                    self.problems.push(no_anchors(place));
                    return false;
                }
                self.node(Node { place, content: Content::Scalar(Scalar { text, style, comment: None }), tag });
            }
            Event::SequenceStart(_, anchor, tag) | Event::MappingStart(_, anchor, tag) if anchor != 0 => {
                let _ = tag;
                let place = self.line_from(start);
                self.problems.push(no_anchors(place));
                return false;
            }
            Event::SequenceStart(_, _, tag) => {
                let tag = tag.map(|_| self.tag_before(start));
                self.stack.push(Open::List(self.line_from(start), tag, Vec::new()));
            }
            Event::MappingStart(_, _, tag) => {
                let tag = tag.map(|_| self.tag_before(start));
                self.stack.push(Open::Map(self.line_from(start), tag, Vec::new(), HashMap::new(), None));
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Open::List(place, tag, items)) => self.node(Node { place, tag, content: Content::List(items) }),
                Some(Open::Map(place, tag, entries, _, _)) => {
                    self.node(Node { place, tag, content: Content::Map(entries) });
                }
                None => return false,
            },
            Event::Comment(..) => self.comment(start, end),
            _ => {}
        }
        true
    }

    /// A finished node goes into what is open.
    fn node(&mut self, node: Node) {
        let key_place = node.place.clone();
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, _, items)) => items.push(node),
            Some(Open::Map(_, _, entries, seen, pending)) => match pending.take() {
                Some(key) => {
                    if let Some(first) = seen.get(&key.text) {
                        let line = first.line();
                        self.problems.push(
                            Diagnostic::error("duplicate-key", format!("`{}` stands here a second time", key.text))
                                .at(key.place)
                                .hint(format!(
                                    "the first one is on line {line}; YAML readers would silently keep one of them"
                                )),
                        );
                    } else {
                        seen.insert(key.text.clone(), key.place.clone());
                        entries.push((key, node));
                    }
                }
                None => match node.content {
                    Content::Scalar(scalar) => *pending = Some(Key { text: scalar.text, place: node.place }),
                    _ => {
                        self.problems.push(
                            Diagnostic::error("key", format!("a key is text, not {}", node.kind_name())).at(node.place),
                        );
                        *pending = Some(Key { text: String::new(), place: key_place });
                    }
                },
            },
        }
    }

    /// Remembers a comment that follows a plain scalar on its line.
    fn comment(&mut self, start: usize, end: usize) {
        let place = self.place(start, end);
        let node = match self.stack.last_mut() {
            Some(Open::List(_, _, items)) => items.last_mut(),
            Some(Open::Map(_, _, entries, _, None)) => entries.last_mut().map(|(_, node)| node),
            _ => None,
        };
        let Some(node) = node else { return };
        let node_end = node.place.end;
        if let Content::Scalar(scalar) = &mut node.content
            && scalar.style == Style::Plain
            && node_end <= start
            && !self.source.text[node_end..start].contains('\n')
        {
            scalar.comment = Some(place);
        }
    }
}

fn no_anchors(place: Place) -> Diagnostic {
    Diagnostic::error("anchor", "anchors and aliases (`&`, `*`) have no place in a domain file")
        .at(place)
        .hint("give the shared piece a name under `types` or `functions`")
}

/// A syntax error in our words, with what the second reader knows of it.
fn syntax_error(source: &Arc<Source>, at: usize, said: &str) -> Diagnostic {
    let at = at.min(source.text.len());
    let words = said.split(" at char ").next().unwrap_or(said).trim();
    let line_start = source.text[..at].rfind('\n').map_or(0, |n| n + 1);
    let indent = &source.text[line_start..];
    let leading = &indent[..indent.len() - indent.trim_start_matches([' ', '\t']).len()];
    if let Some(tab) = leading.find('\t') {
        let start = line_start + tab;
        return Diagnostic::error("tab", "a tab in the indentation: YAML indents with spaces")
            .at(Place { source: source.clone(), start, end: start + 1 })
            .hint("replace each tab by two spaces");
    }
    let end = source.text[at..].chars().next().filter(|c| *c != '\n').map_or(at, |c| at + c.len_utf8());
    let mut diagnostic = Diagnostic::error("yaml", format!("this is not YAML: {}", words.replace("``'", "'`'")))
        .at(Place { source: source.clone(), start: at, end });
    if let Some(script) = script_hint(source, line_start) {
        diagnostic = diagnostic.hint(script);
    }
    if let Some(while_parsing) = second_explanation(source, at) {
        diagnostic = diagnostic.hint(while_parsing);
    }
    diagnostic
}

/// What the second reader was about when it met the error, as `while parsing a flow mapping at line 4 column 12`.
///
/// It sees the text only up to the error, and only lines of a human length: deep nesting costs it seconds.
fn second_explanation(source: &Source, at: usize) -> Option<String> {
    let end = source.text[at..].find('\n').map_or(source.text.len(), |n| at + n);
    let read = &source.text[..end];
    if read.lines().any(|line| line.len() > 1000) {
        return None;
    }
    let error = serde_yaml::from_str::<serde_yaml::Value>(read).err()?.to_string();
    let (_, context) = error.split_once(", while ")?;
    context.contains(" at line ").then(|| format!("while {context}"))
}

/// A line such as ``fold: `…` `` or `decide: "a" + b`: the script wants to be a block.
fn script_hint(source: &Source, line_start: usize) -> Option<String> {
    let line = source.text[line_start..].lines().next()?.trim_start().trim_start_matches("- ");
    let (key, script) = line.split_once(':')?;
    let script = script.trim();
    let key = key.trim();
    let wordy = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | ' '));
    (wordy && line.len() <= 200 && !script.is_empty() && !script.starts_with(['|', '>', '[', '{']))
        .then(|| format!("if this is a script, write it as a block:\n  {key}: |\n    {script}"))
}

/// Whether other YAML tools read this document as we do: where not, says where they differ first.
///
/// What we refuse (duplicate keys, anchors, tabs) they may take; what we take they must read alike, or an editor
/// would show people another domain than the one that runs.
pub fn second_opinion(source: &Arc<Source>, ours: &Node) -> Option<Diagnostic> {
    let at_start = Place { source: source.clone(), start: 0, end: 0 };
    match serde_yaml::from_str::<serde_yaml::Value>(source.text.trim_start_matches('\u{feff}')) {
        Ok(theirs) => differ(ours, &theirs).map(|place| {
            Diagnostic::warning("yaml-readers-differ", "other YAML readers take this for something else")
                .at(place.clone())
                .hint("write it in quotes, or as a block (`|`)")
        }),
        Err(error) => Some(
            Diagnostic::warning("yaml-readers-differ", format!("other YAML readers refuse this file: {error}"))
                .at(at_start),
        ),
    }
}

fn differ<'a>(ours: &'a Node, theirs: &serde_yaml::Value) -> Option<&'a Place> {
    use serde_yaml::Value as Theirs;
    let same = match (&ours.content, theirs) {
        (Content::List(a), Theirs::Sequence(b)) if a.len() == b.len() => {
            return a.iter().zip(b).find_map(|(a, b)| differ(a, b));
        }
        (Content::Map(a), Theirs::Mapping(b)) if a.len() == b.len() => {
            return a.iter().zip(b.values()).find_map(|((_, a), b)| differ(a, b));
        }
        (Content::Scalar(a), theirs) => match (a.value(), theirs) {
            (Ok(Value::Bool(a)), Theirs::Bool(b)) => a == *b,
            // Numbers are compared as kinds only: theirs are floats.
            (Ok(Value::Null), Theirs::Null)
            | (Ok(Value::Integer(_) | Value::Decimal(_)) | Err(_), Theirs::Number(_)) => true,
            (Ok(Value::Text(a)), Theirs::String(b)) => a == *b,
            _ => false,
        },
        _ => false,
    };
    (!same).then_some(&ours.place)
}
