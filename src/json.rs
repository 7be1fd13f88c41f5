//! Exact JSON: text ⇄ values without a float in between.
//!
//! A number is an integer of 64 bits or a decimal with the digits it was written with. One that would have to
//! be rounded is refused, like duplicate keys, lone surrogates and nesting beyond [`MAX_DEPTH`]: what does not
//! survive the trip is not taken. [`parse`] and [`write`](fn@write) move whole values; [`Reader`] is for those who build values
//! of their own.

use indexmap::IndexMap;
use indexmap::map::Entry;
use jiter::{Jiter, JiterError, JiterErrorType, JsonErrorType, JsonType, Peek};
use rust_decimal::Decimal;
use std::fmt;

/// The deepest nesting of lists and objects.
pub const MAX_DEPTH: usize = 128;

/// The most digits a decimal has after its point.
const MAX_SCALE: u32 = 28;
/// The largest number, without its point, that a decimal holds: 96 bits.
const MAX_MANTISSA: u128 = (1 << 96) - 1;
/// The most characters of the user's text that a message quotes.
const MAX_QUOTE: usize = 40;

/// The members of an object, in the order in which they were written.
pub type Object = IndexMap<String, Value>;

/// A JSON value whose numbers are exact: a number without fraction and exponent that fits 64 bits is an
/// [`Value::Integer`], any other a [`Value::Decimal`], kept with the digits it was written with (`25.10`).
///
/// `==` compares decimals numerically, but tells an integer from a decimal; [`Value::same`] does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction, or a whole one that was made by decimal arithmetic. Equality is numeric.
    Decimal(Decimal),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object.
    Object(Object),
}

/// A number, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// Written without fraction and exponent, and within 64 bits.
    Integer(i64),
    /// Any other that 96 bits and 28 digits after the point hold, with its digits.
    Decimal(Decimal),
}

/// What kind of value comes next, or is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool,
    /// An integer or a decimal.
    Number,
    /// A string.
    Text,
    /// A list.
    List,
    /// An object.
    Object,
}

/// Which numbers of a payload are decimals even where they are written without a fraction.
///
/// JSON has one kind of number: an amount of `10` is read as an integer, though its field is a decimal. Who reads
/// a stored payload says by its shape where `10` means `10` the decimal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Shape {
    /// Numbers are what they are written as, at any depth.
    #[default]
    Plain,
    /// A number here is a decimal.
    Decimal,
    /// A list whose items have this shape.
    List(Box<Shape>),
    /// An object; members that are not named are plain. The second list names members that may be absent: a script
    /// reads them as nothing then.
    Object(Vec<(Box<str>, Shape)>, Vec<Box<str>>),
}

/// Why a text is not JSON that can be taken exactly. The words are for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at line {line}, column {column}")]
pub struct JsonError {
    /// What is wrong, without the place.
    pub message: String,
    /// 1-based line in the text.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
}

/// Reads one JSON document; nothing may follow it but white space.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    parse_as(text, &Shape::Plain)
}

/// Reads one JSON document whose decimals are where `shape` says. Members, items and kinds that the shape does not
/// foresee are read as they are written: whether a payload is right was decided when it was stored.
pub fn parse_as(text: &str, shape: &Shape) -> Result<Value, JsonError> {
    let mut reader = Reader::new(text);
    let value = reader.value_as(shape)?;
    reader.finish()?;
    Ok(value)
}

/// Reads a number's text as JSON writes it (and as YAML and Rhai write decimals).
///
/// The error is in words for the user and quotes the text.
pub fn number(text: &str) -> Result<Value, String> {
    if is_number(text.as_bytes()) {
        exact(text).map(Value::from).ok_or_else(|| misfit(text))
    } else {
        Err(format!("`{}` is not a number as JSON writes it, as in `10`, `-2.50` or `1e3`", quote(text)))
    }
}

/// Writes a value on one line, without spaces. A decimal is written with its digits and never with an exponent.
pub fn write(value: &Value, out: &mut String) {
    write_value(value, Whole::Plain, out);
}

/// Writes a value like [`write`](fn@write), but so that reading it gives the same kinds of numbers again: a decimal without
/// fraction is written as `10e0`. This is for what is read back without a [`Shape`], such as a cached state.
pub fn write_typed(value: &Value, out: &mut String) {
    write_value(value, Whole::Marked, out);
}

/// Writes a decimal as [`write`](fn@write) does.
pub fn write_decimal(decimal: Decimal, out: &mut String) {
    use fmt::Write;
    // Arithmetic can leave a minus before zero, which no reader would give back.
    let decimal = if decimal.is_zero() { decimal.abs() } else { decimal };
    // Writing to a string cannot fail.
    let _ = write!(out, "{decimal}");
}

/// Writes an integer.
pub fn write_integer(integer: i64, out: &mut String) {
    use fmt::Write;
    let _ = write!(out, "{integer}");
}

/// Writes a decimal as [`write_typed`] does.
pub fn write_decimal_typed(decimal: Decimal, out: &mut String) {
    write_decimal(decimal, out);
    if decimal.scale() == 0 {
        out.push_str("e0");
    }
}

/// Writes a text as a JSON string, with quotes.
pub fn write_text(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len() + 2);
    out.push('"');
    let mut clean = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[clean..at]);
        clean = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            _ => {
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 0xf)]));
            }
        }
    }
    out.push_str(&text[clean..]);
    out.push('"');
}

/// Writes a value over several lines, indented by two spaces, without a line break at its end.
pub fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write_pretty(value, 0, &mut out);
    out
}

/// Adds one key or index to a JSON pointer (RFC 6901).
pub fn pointer_push(pointer: &mut String, key: &str) {
    pointer.push('/');
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            _ => pointer.push(c),
        }
    }
}

/// The user's text for a message, to be put between backticks: shortened where it is long, control characters made
/// visible.
pub fn quote(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MAX_QUOTE {
            out.push('…');
            break;
        }
        if crate::event::is_control(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

impl Value {
    /// What kind of value this is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Bool,
            Self::Integer(_) | Self::Decimal(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::List(_) => Kind::List,
            Self::Object(_) => Kind::Object,
        }
    }

    /// The kind in words, with an article: `a string`.
    pub fn kind_name(&self) -> &'static str {
        self.kind().name()
    }

    /// Whether two values are the same where it does not matter how a number is written: `10`, `10.0` and `10.00`
    /// are, at any depth. The order of members does not matter.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(integer), Self::Decimal(decimal)) | (Self::Decimal(decimal), Self::Integer(integer)) => {
                Decimal::from(*integer) == *decimal
            }
            (Self::List(ours), Self::List(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| a.same(b))
            }
            (Self::Object(ours), Self::Object(theirs)) => {
                ours.len() == theirs.len() && ours.iter().all(|(key, a)| theirs.get(key).is_some_and(|b| a.same(b)))
            }
            _ => self == other,
        }
    }

    /// The text, if this is a string.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The truth, if this is `true` or `false`.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// The integer, if this is one.
    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(integer) = self { Some(*integer) } else { None }
    }

    /// The number as a decimal, if this is a number.
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Integer(integer) => Some(Decimal::from(*integer)),
            Self::Decimal(decimal) => Some(*decimal),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// The members, if this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The member of that name, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_object()?.get(key)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write(self, &mut text);
        f.write_str(&text)
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Integer(integer) => Self::Integer(integer),
            Number::Decimal(decimal) => Self::Decimal(decimal),
        }
    }
}

impl Number {
    /// The number as a decimal; every integer of 64 bits is one.
    pub fn to_decimal(self) -> Decimal {
        match self {
            Self::Integer(integer) => Decimal::from(integer),
            Self::Decimal(decimal) => decimal,
        }
    }
}

impl Kind {
    /// The kind in words, with an article: `a string`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }

    fn of(peek: Peek) -> Option<Self> {
        match peek {
            Peek::Null => Some(Self::Null),
            Peek::True | Peek::False => Some(Self::Bool),
            Peek::String => Some(Self::Text),
            Peek::Array => Some(Self::List),
            Peek::Object => Some(Self::Object),
            Peek::Infinity | Peek::NaN => None,
            _ => peek.is_num().then_some(Self::Number),
        }
    }
}

impl Shape {
    /// Whether nothing inside is a decimal that may be written without a fraction.
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// The shape of a list's items.
    #[must_use]
    pub fn item(&self) -> &Self {
        if let Self::List(item) = self { item } else { &Self::Plain }
    }

    /// The members of an object that may be absent.
    pub fn optional(&self) -> &[Box<str>] {
        match self {
            Self::Object(_, optional) => optional,
            _ => &[],
        }
    }

    /// The shape of an object's member.
    #[must_use]
    pub fn member(&self, name: &str) -> &Self {
        match self {
            // Few fields need coercion, so a walk over them beats a map.
            Self::Object(members, _) => {
                members.iter().find(|(known, _)| **known == *name).map_or(&Self::Plain, |(_, shape)| shape)
            }
            _ => &Self::Plain,
        }
    }
}

/// Takes one JSON document apart, piece by piece, without building values. Nothing is allocated but a buffer for
/// strings with escapes, once.
///
/// The caller follows the document: at a list, [`Reader::list_first`] and then, after each item,
/// [`Reader::list_next`] until there is none; at an object, [`Reader::object_first`] and [`Reader::object_next`],
/// each giving a key whose value is then taken or skipped. A method asked for what is not there is an error in
/// words. Duplicate keys are for the caller to notice; [`Reader::value`] does.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    jiter: Jiter<'a>,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// At the start of a document.
    pub fn new(text: &'a str) -> Self {
        Self { text, jiter: Jiter::new(text.as_bytes()), depth: 0 }
    }

    /// What comes next. The place of the reader is then its first byte.
    pub fn peek(&mut self) -> Result<Kind, JsonError> {
        let text = self.text;
        let peek = self.jiter.peek().map_err(|error| refusal(text, &error))?;
        self.kind(peek)
    }

    /// Takes a `null`.
    pub fn null(&mut self) -> Result<(), JsonError> {
        let text = self.text;
        self.jiter.next_null().map_err(|error| refusal(text, &error))
    }

    /// Takes `true` or `false`.
    pub fn bool(&mut self) -> Result<bool, JsonError> {
        let text = self.text;
        self.jiter.next_bool().map_err(|error| refusal(text, &error))
    }

    /// Takes a number.
    pub fn number(&mut self) -> Result<Number, JsonError> {
        let written = self.number_text()?;
        exact(written).ok_or_else(|| error_at(self.text, self.offset() - written.len(), misfit(written)))
    }

    /// Takes a number as it is written, whether or not it can be held.
    pub fn number_text(&mut self) -> Result<&'a str, JsonError> {
        let text = self.text;
        let peek = self.jiter.peek().map_err(|error| refusal(text, &error))?;
        let start = self.jiter.current_index();
        self.jiter.known_number_bytes(peek).map_err(|error| refusal(text, &error))?;
        // A number is ASCII, so both ends are character boundaries.
        Ok(text.get(start..self.jiter.current_index()).unwrap_or_default())
    }

    /// Takes a string; it lives until the next call.
    pub fn text(&mut self) -> Result<&str, JsonError> {
        let text = self.text;
        self.jiter.next_str().map_err(|error| refusal(text, &error))
    }

    /// Enters a list: the kind of its first item, or nothing if it is empty and already left.
    pub fn list_first(&mut self) -> Result<Option<Kind>, JsonError> {
        let text = self.text;
        self.check_depth()?;
        let Some(peek) = self.jiter.next_array().map_err(|error| refusal(text, &error))? else {
            return Ok(None);
        };
        self.depth += 1;
        self.kind(peek).map(Some)
    }

    /// After an item: the kind of the next one, or nothing if that was the last and the list is left.
    pub fn list_next(&mut self) -> Result<Option<Kind>, JsonError> {
        let text = self.text;
        match self.jiter.array_step().map_err(|error| refusal(text, &error))? {
            Some(peek) => self.kind(peek).map(Some),
            None => {
                self.depth = self.depth.saturating_sub(1);
                Ok(None)
            }
        }
    }

    /// Enters an object: its first key, or nothing if it is empty and already left. The key lives until the next
    /// call.
    pub fn object_first(&mut self) -> Result<Option<&str>, JsonError> {
        let text = self.text;
        self.check_depth()?;
        let key = self.jiter.next_object().map_err(|error| refusal(text, &error))?;
        if key.is_some() {
            self.depth += 1;
        }
        Ok(key)
    }

    /// After a member: the next key, or nothing if that was the last and the object is left. The key lives until
    /// the next call.
    pub fn object_next(&mut self) -> Result<Option<&str>, JsonError> {
        let text = self.text;
        let key = self.jiter.next_key().map_err(|error| refusal(text, &error))?;
        if key.is_none() {
            self.depth = self.depth.saturating_sub(1);
        }
        Ok(key)
    }

    /// Passes over a value. It is read for its form only: neither duplicate keys nor numbers that do not fit are
    /// noticed.
    pub fn skip(&mut self) -> Result<(), JsonError> {
        let text = self.text;
        self.jiter.next_skip().map_err(|error| refusal(text, &error))
    }

    /// Passes over a value like [`Reader::skip`] and gives its text as written.
    pub fn raw(&mut self) -> Result<&'a str, JsonError> {
        self.peek()?;
        let start = self.offset();
        self.skip()?;
        Ok(self.text.get(start..self.offset()).unwrap_or_default())
    }

    /// Takes a whole value.
    pub fn value(&mut self) -> Result<Value, JsonError> {
        self.value_as(&Shape::Plain)
    }

    /// Takes a whole value whose decimals are where `shape` says.
    pub fn value_as(&mut self, shape: &Shape) -> Result<Value, JsonError> {
        let kind = self.peek()?;
        self.known_value(kind, shape)
    }

    /// Checks that nothing follows but white space.
    pub fn finish(&mut self) -> Result<(), JsonError> {
        let text = self.text;
        self.jiter.finish().map_err(|error| refusal(text, &error))
    }

    /// How many bytes have been taken.
    pub fn offset(&self) -> usize {
        self.jiter.current_index()
    }

    /// A refusal in the caller's words, with the place of the byte at `offset`.
    pub fn error(&self, offset: usize, message: impl Into<String>) -> JsonError {
        error_at(self.text, offset, message.into())
    }

    // The recursion ends at `MAX_DEPTH`.
    fn known_value(&mut self, kind: Kind, shape: &Shape) -> Result<Value, JsonError> {
        match kind {
            Kind::Null => self.null().map(|()| Value::Null),
            Kind::Bool => self.bool().map(Value::Bool),
            Kind::Number => self.number().map(|number| match shape {
                Shape::Decimal => Value::Decimal(number.to_decimal()),
                _ => Value::from(number),
            }),
            Kind::Text => self.text().map(|text| Value::Text(text.to_owned())),
            Kind::List => self.list(shape.item()),
            Kind::Object => self.object(shape),
        }
    }

    fn list(&mut self, shape: &Shape) -> Result<Value, JsonError> {
        let mut items = Vec::new();
        let mut next = self.list_first()?;
        while let Some(kind) = next {
            items.push(self.known_value(kind, shape)?);
            next = self.list_next()?;
        }
        Ok(Value::List(items))
    }

    fn object(&mut self, shape: &Shape) -> Result<Value, JsonError> {
        let mut members = Object::new();
        let mut before = self.offset();
        let mut next = self.object_first()?.map(str::to_owned);
        while let Some(key) = next {
            let member = shape.member(&key);
            match members.entry(key) {
                Entry::Vacant(slot) => {
                    slot.insert(self.value_as(member)?);
                }
                Entry::Occupied(known) => {
                    // Between the last value and this key there is no other quote.
                    let offset = self.text[before..].find('"').map_or(before, |found| before + found);
                    let message = format!("the key `{}` is written twice in one object", quote(known.key()));
                    return Err(error_at(self.text, offset, message));
                }
            }
            before = self.offset();
            next = self.object_next()?.map(str::to_owned);
        }
        Ok(Value::Object(members))
    }

    fn kind(&self, peek: Peek) -> Result<Kind, JsonError> {
        Kind::of(peek).ok_or_else(|| unexpected(self.text, self.offset(), "a value"))
    }

    fn check_depth(&mut self) -> Result<(), JsonError> {
        if self.depth < MAX_DEPTH {
            return Ok(());
        }
        self.peek()?;
        Err(error_at(self.text, self.offset(), too_deep()))
    }
}

/// How a decimal without fraction is written.
#[derive(Clone, Copy)]
enum Whole {
    Plain,
    Marked,
}

fn write_value(value: &Value, whole: Whole, out: &mut String) {
    match value {
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, whole, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write_value(member, whole, out);
            }
            out.push('}');
        }
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Integer(integer) => write_integer(*integer, out),
        Value::Decimal(decimal) => match whole {
            Whole::Plain => write_decimal(*decimal, out),
            Whole::Marked => write_decimal_typed(*decimal, out),
        },
        Value::Text(text) => write_text(text, out),
    }
}

fn write_pretty(value: &Value, level: usize, out: &mut String) {
    let line = |level: usize, out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", level));
    };
    match value {
        Value::List(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                line(level + 1, out);
                write_pretty(item, level + 1, out);
            }
            line(level, out);
            out.push(']');
        }
        Value::Object(members) if !members.is_empty() => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                line(level + 1, out);
                write_text(key, out);
                out.push_str(": ");
                write_pretty(member, level + 1, out);
            }
            line(level, out);
            out.push('}');
        }
        _ => write(value, out),
    }
}

/// Whether a text follows JSON's grammar of numbers.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let [b'.', fraction @ ..] = rest {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = if let [b'+' | b'-', tail @ ..] = exponent { tail } else { exponent };
        let count = digits(exponent);
        if count == 0 {
            return false;
        }
        rest = &exponent[count..];
    }
    rest.is_empty()
}

/// A number that follows the grammar, if it can be held without rounding.
fn exact(text: &str) -> Option<Number> {
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
        && let Ok(integer) = text.parse()
    {
        return Some(Number::Integer(integer));
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, Some(exponent_of(exponent))),
        None => (unsigned, None),
    };
    let mut mantissa: u128 = 0;
    let mut scale: i64 = 0;
    let mut fraction = false;
    for byte in digits.bytes() {
        if byte == b'.' {
            fraction = true;
            continue;
        }
        mantissa = mantissa * 10 + u128::from(byte - b'0');
        scale += i64::from(fraction);
        if mantissa > MAX_MANTISSA {
            return None;
        }
    }
    if let Some(exponent) = exponent {
        scale -= exponent;
        if mantissa == 0 {
            scale = scale.clamp(0, i64::from(MAX_SCALE));
        }
        while scale < 0 {
            mantissa *= 10;
            scale += 1;
            if mantissa > MAX_MANTISSA {
                return None;
            }
        }
        // An exponent has no digits to keep, only a value: `100e-30` is exact with 28 digits.
        while scale > i64::from(MAX_SCALE) && mantissa.is_multiple_of(10) {
            mantissa /= 10;
            scale -= 1;
        }
    }
    let scale = u32::try_from(scale).ok().filter(|scale| *scale <= MAX_SCALE)?;
    let magnitude = i128::try_from(mantissa).ok()?;
    let signed = if negative { -magnitude } else { magnitude };
    Decimal::try_from_i128_with_scale(signed, scale).ok().map(Number::Decimal)
}

/// The exponent after its `e`; one of more digits than could ever matter is cut down to a billion.
fn exponent_of(text: &str) -> i64 {
    let magnitude = text
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_i64, |sum, byte| (sum * 10 + i64::from(byte - b'0')).min(1_000_000_000));
    if text.starts_with('-') { -magnitude } else { magnitude }
}

fn misfit(text: &str) -> String {
    format!("the number `{}` does not fit: exact numbers have up to 28 digits, before and after the point", quote(text))
}

fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH} levels")
}

#[cold]
fn error_at(text: &str, offset: usize, message: String) -> JsonError {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    JsonError {
        message,
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

#[cold]
fn unexpected(text: &str, offset: usize, expected: &str) -> JsonError {
    let rest = &text[text.floor_char_boundary(offset)..];
    let message = match rest.chars().next() {
        None if text.trim().is_empty() => "there is no text, expected a value".to_owned(),
        None => format!("expected {expected}, but the text ends"),
        Some('\u{feff}') if offset == 0 => "the text begins with a byte order mark (U+FEFF), remove it".to_owned(),
        Some(c) if c.is_alphanumeric() => {
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            format!("expected {expected}, found `{}`", quote(&rest[..end]))
        }
        Some(c) if crate::event::is_control(c) || c == '\u{feff}' => {
            format!("expected {expected}, found U+{:04X}", u32::from(c))
        }
        Some(c) => format!("expected {expected}, found `{c}`"),
    };
    error_at(text, offset, message)
}

/// The reader's refusal in the user's words.
#[cold]
fn refusal(text: &str, error: &JiterError) -> JsonError {
    let offset = error.index;
    let message = match &error.error_type {
        JiterErrorType::WrongType { expected, actual } => {
            format!("expected {}, found {}", type_name(expected), type_name(actual))
        }
        JiterErrorType::JsonError(error) => match error {
            JsonErrorType::EofWhileParsingList => "the text ends inside a list".to_owned(),
            JsonErrorType::EofWhileParsingObject => "the text ends inside an object".to_owned(),
            JsonErrorType::EofWhileParsingString => "the text ends inside a string".to_owned(),
            JsonErrorType::ExpectedColon => return unexpected(text, offset, "`:` after the key"),
            JsonErrorType::ExpectedListCommaOrEnd => return unexpected(text, offset, "`,` or `]`"),
            JsonErrorType::ExpectedObjectCommaOrEnd => return unexpected(text, offset, "`,` or `}`"),
            JsonErrorType::ExpectedSomeIdent => {
                // The place is that of the first wrong letter; the word begins before it.
                let start = text[..text.floor_char_boundary(offset)]
                    .rfind(|c: char| !c.is_ascii_alphabetic())
                    .map_or(0, |end| text.ceil_char_boundary(end + 1));
                return unexpected(text, start, "a value");
            }
            JsonErrorType::EofWhileParsingValue | JsonErrorType::ExpectedSomeValue => {
                return unexpected(text, offset, "a value");
            }
            JsonErrorType::InvalidEscape => "this escape is none of JSON's, as `\\n` or `\\u00e9` are".to_owned(),
            JsonErrorType::InvalidNumber => "this is not a number as JSON writes it".to_owned(),
            JsonErrorType::NumberOutOfRange => {
                let before = &text[..text.floor_char_boundary(offset)];
                let start = before.rfind(|c: char| !c.is_ascii_digit() && c != '-').map_or(0, |end| end + 1);
                let start = text.ceil_char_boundary(start);
                return error_at(text, start, misfit(&text[start..]));
            }
            JsonErrorType::ControlCharacterWhileParsingString => {
                let code = text.as_bytes().get(offset).copied().unwrap_or_default();
                format!("a control character in a string, write it as `\\u{code:04x}`")
            }
            JsonErrorType::KeyMustBeAString => return unexpected(text, offset, "a key in double quotes"),
            JsonErrorType::LoneLeadingSurrogateInHexEscape | JsonErrorType::UnexpectedEndOfHexEscape => {
                "half of a surrogate pair, which is no character".to_owned()
            }
            JsonErrorType::TrailingComma => "a comma that nothing follows".to_owned(),
            JsonErrorType::TrailingCharacters => return unexpected(text, offset, "the end of the text"),
            JsonErrorType::RecursionLimitExceeded => too_deep(),
            JsonErrorType::InvalidUnicodeCodePoint
            | JsonErrorType::FloatExpectingInt
            | JsonErrorType::DuplicateKey(_)
            | JsonErrorType::InternalError(_) => error.to_string(),
        },
    };
    error_at(text, offset, message)
}

fn type_name(kind: &JsonType) -> &'static str {
    match kind {
        JsonType::Null => Kind::Null,
        JsonType::Bool => Kind::Bool,
        JsonType::Int | JsonType::Float => Kind::Number,
        JsonType::String => Kind::Text,
        JsonType::Array => Kind::List,
        JsonType::Object => Kind::Object,
    }
    .name()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        parse(text).map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    fn refused(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    #[test]
    fn numbers_keep_their_digits() {
        for same in ["0", "-1", "25.10", "0.10", "1.000", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(written(same), same);
        }
        assert_eq!(written("9223372036854775808"), "9223372036854775808");
        assert_eq!(written("79228162514264337593543950335"), "79228162514264337593543950335");
        assert_eq!(written("0.0000000000000000000000000001"), "0.0000000000000000000000000001");
        assert_eq!(written("12345678901234567.89"), "12345678901234567.89");
        for (text, plain) in [
            ("-0", "0"),
            ("-0.00", "0.00"),
            ("1e2", "100"),
            ("1E+2", "100"),
            ("1.5e1", "15"),
            ("1.50e1", "15.0"),
            ("25e-1", "2.5"),
            ("100e-30", "0.0000000000000000000000000001"),
            ("0e400", "0"),
            ("10e0", "10"),
        ] {
            assert_eq!(written(text), plain, "{text}");
        }
    }

    #[test]
    fn a_decimal_stays_a_decimal_through_its_typed_form() {
        let ten = parse("10e0").unwrap();
        assert_eq!(ten, Value::Decimal(Decimal::from(10)));
        let mut out = String::new();
        write_typed(&ten, &mut out);
        assert_eq!(out, "10e0");
        assert_eq!(parse(&out).unwrap(), ten);
        assert!(ten.same(&Value::Integer(10)));
        assert!(ten.same(&parse("10.00").unwrap()));
        assert_ne!(ten, Value::Integer(10));
    }

    #[test]
    fn a_minus_before_zero_is_not_written() {
        let zero = -Decimal::new(0, 2);
        assert_eq!(Value::Decimal(zero).to_string(), "0.00");
    }

    #[test]
    fn numbers_that_would_be_rounded_are_refused() {
        assert_eq!(
            refused("[1, 1e400]"),
            "the number `1e400` does not fit: exact numbers have up to 28 digits, before and after the point \
             at line 1, column 5"
        );
        for text in [
            "1e-40",
            "-1e400",
            "1e99999999999999999999999",
            "0.123456789012345678901234567890",
            "79228162514264337593543950336",
            "1.00000000000000000000000000000000",
            "0.00000000000000000000000000000",
        ] {
            assert!(refused(text).contains("does not fit"), "{text}");
        }
        let long = "7".repeat(5000);
        assert!(refused(&long).starts_with("the number `7777777777777777777777777777777777777777…` does not fit"));
        assert!(refused(&format!("1.{long}")).contains("does not fit"));
        assert!(refused(&format!("[0, -{long}]")).ends_with("at line 1, column 5"));
    }

    #[test]
    fn a_number_alone_follows_the_grammar() {
        for text in ["0", "-0", "10", "1.5", "1e3", "1E-2", "0.5", "0e0"] {
            assert!(number(text).is_ok(), "{text}");
        }
        for text in [
            "", "-", "+1", "01", "-01", "1.", ".5", "1.e1", "1e", "1e+", "0x10", "1_000", " 1", "1 ", "NaN",
            "Infinity", "1-2", "--1", "１",
        ] {
            assert!(number(text).unwrap_err().contains("is not a number"), "{text}");
        }
        assert!(number("1e400").unwrap_err().contains("does not fit"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, words) in [
            ("", "there is no text, expected a value at line 1, column 1"),
            ("  \n ", "there is no text, expected a value at line 2, column 2"),
            ("\u{feff}{}", "the text begins with a byte order mark (U+FEFF), remove it at line 1, column 1"),
            ("{\"é\": nope}", "expected a value, found `nope` at line 1, column 7"),
            ("{\"a\":1,\n \"a\":2}", "the key `a` is written twice in one object at line 2, column 2"),
            ("{\"a\":1,\"\\u0061\":2}", "the key `a` is written twice in one object at line 1, column 8"),
            ("[1,]", "a comma that nothing follows at line 1, column 4"),
            ("[1 2]", "expected `,` or `]`, found `2` at line 1, column 4"),
            ("{\"a\" 1}", "expected `:` after the key, found `1` at line 1, column 6"),
            ("{a: 1}", "expected a key in double quotes, found `a` at line 1, column 2"),
            ("[1", "the text ends inside a list at line 1, column 3"),
            ("{} x", "expected the end of the text, found `x` at line 1, column 4"),
            ("NaN", "expected a value, found `NaN` at line 1, column 1"),
            ("[Infinity]", "expected a value, found `Infinity` at line 1, column 2"),
            ("[-Infinity]", "this is not a number as JSON writes it at line 1, column 3"),
            ("01", "this is not a number as JSON writes it at line 1, column 2"),
            ("[truth]", "expected a value, found `truth` at line 1, column 2"),
            ("\"\\ud800\"", "half of a surrogate pair, which is no character at line 1, column 8"),
            ("\"a\u{0}\"", "a control character in a string, write it as `\\u0000` at line 1, column 3"),
            ("\u{0}", "expected a value, found U+0000 at line 1, column 1"),
            ("\"\\x\"", "this escape is none of JSON's, as `\\n` or `\\u00e9` are at line 1, column 3"),
        ] {
            assert_eq!(refused(text), words, "{text:?}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(refused(&nested(MAX_DEPTH + 1)), "nested deeper than 128 levels at line 1, column 129");
        assert!(refused(&"[".repeat(1_000_000)).contains("nested deeper"));
        assert!(refused(&"{\"a\":".repeat(1_000_000)).contains("nested deeper"));
        let deep = "[".repeat(1_000_000);
        assert!(Reader::new(&deep).skip().unwrap_err().message.contains("nested deeper"));
    }

    #[test]
    fn text_is_escaped_as_little_as_possible() {
        let mut out = String::new();
        write_text("a\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}é\u{2028}😀", &mut out);
        assert_eq!(out, "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u{7f}é\u{2028}😀\"");
    }

    #[test]
    fn pretty_is_indented_by_two() {
        let value = parse(r#"{"a":[1,{"b":2.50}],"c":[],"d":{},"e":"x"}"#).unwrap();
        let wanted = "{\n  \"a\": [\n    1,\n    {\n      \"b\": 2.50\n    }\n  ],\n  \"c\": [],\n  \"d\": {},\n  \"e\": \"x\"\n}";
        assert_eq!(pretty(&value), wanted);
        assert_eq!(pretty(&Value::Integer(1)), "1");
    }

    #[test]
    fn a_shape_says_which_numbers_are_decimals() {
        let line = Shape::Object(vec![("price".into(), Shape::Decimal)], Vec::new());
        let shape = Shape::Object(
            vec![("amount".into(), Shape::Decimal), ("lines".into(), Shape::List(Box::new(line)))],
            Vec::new(),
        );
        let value = parse_as(r#"{"amount":10,"count":10,"lines":[{"price":1,"n":1}]}"#, &shape).unwrap();
        let mut out = String::new();
        write_typed(&value, &mut out);
        assert_eq!(out, r#"{"amount":10e0,"count":10,"lines":[{"price":1e0,"n":1}]}"#);
    }

    #[test]
    fn the_reader_takes_a_document_apart() {
        let mut reader = Reader::new(r#" {"a\n": [1, "x", null, true], "raw": {"b": [ 1e999 ]}, "n": 2.50} "#);
        assert_eq!(reader.peek().unwrap(), Kind::Object);
        assert_eq!(reader.object_first().unwrap(), Some("a\n"));
        assert_eq!(reader.list_first().unwrap(), Some(Kind::Number));
        assert_eq!(reader.number().unwrap(), Number::Integer(1));
        assert_eq!(reader.list_next().unwrap(), Some(Kind::Text));
        assert_eq!(reader.text().unwrap(), "x");
        assert_eq!(reader.list_next().unwrap(), Some(Kind::Null));
        reader.null().unwrap();
        assert_eq!(reader.list_next().unwrap(), Some(Kind::Bool));
        assert!(reader.bool().unwrap());
        assert_eq!(reader.list_next().unwrap(), None);
        assert_eq!(reader.object_next().unwrap(), Some("raw"));
        assert_eq!(reader.raw().unwrap(), r#"{"b": [ 1e999 ]}"#);
        assert_eq!(reader.object_next().unwrap(), Some("n"));
        assert_eq!(reader.number().unwrap(), Number::Decimal(Decimal::new(250, 2)));
        assert_eq!(reader.object_next().unwrap(), None);
        reader.finish().unwrap();
    }

    #[test]
    fn the_reader_refuses_what_was_not_expected() {
        assert_eq!(Reader::new("[1]").text().unwrap_err().message, "expected a string, found a list");
        assert_eq!(Reader::new("\"x\"").number().unwrap_err().message, "expected a number, found a string");
        assert_eq!(Reader::new("1").object_first().unwrap_err().message, "expected an object, found a number");
        assert_eq!(Reader::new("true").list_first().unwrap_err().message, "expected a list, found true or false");
    }

    #[test]
    fn a_pointer_escapes_its_own_marks() {
        let mut pointer = String::new();
        for key in ["lines", "0", "a/b~c"] {
            pointer_push(&mut pointer, key);
        }
        assert_eq!(pointer, "/lines/0/a~1b~0c");
    }
}
