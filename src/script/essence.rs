//! What a script means, without how it is written: two scripts with the same essence do the same.
//!
//! Comments, layout and the names of local variables do not count. A name is taken for local where the script declares
//! it, and numbered by its first use; what follows a dot, stands before a colon (a key of a map) or is called is no
//! variable. Where this is in doubt, names count: then a read model is filled anew without need, which is harmless.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// A piece of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A name, a keyword or a number.
    Word(String),
    /// A text or character in its quotes.
    Quoted(String),
    /// A template: literal pieces, and scripts between them.
    Template(Vec<Piece>),
    /// Any other character.
    Sign(char),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Script(Vec<Token>),
}

/// A script cut into its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Essence(Vec<Token>);

/// The functions of a file, each by its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Functions {
    /// Functions of the same name, with other numbers of parameters, go together.
    functions: BTreeMap<String, Vec<Vec<Token>>>,
    /// What is outside of functions.
    rest: Vec<Token>,
}

impl Essence {
    /// Of a script.
    pub fn of(script: &str) -> Self {
        Self(tokens(&mut Reader { rest: script }, false))
    }

    /// The essence as text: equal where the scripts mean the same.
    pub fn text(&self) -> String {
        written(&self.0)
    }
}

impl Functions {
    /// The functions in a text.
    pub fn of(text: &str) -> Self {
        let mut found = Self::default();
        let mut all = tokens(&mut Reader { rest: text }, false).into_iter().peekable();
        while let Some(token) = all.next() {
            let is_function = token == Token::Word("fn".into());
            let Some(Token::Word(name)) = all.peek().filter(|_| is_function).cloned() else {
                found.rest.push(token);
                continue;
            };
            // Up to the brace that closes its body.
            let (mut function, mut depth) = (vec![token], 0_usize);
            for token in all.by_ref() {
                let end = match token {
                    Token::Sign('{') => {
                        depth += 1;
                        false
                    }
                    Token::Sign('}') => {
                        depth = depth.saturating_sub(1);
                        depth == 0
                    }
                    _ => false,
                };
                function.push(token);
                if end {
                    break;
                }
            }
            found.functions.entry(name).or_default().push(function);
        }
        found
    }

    /// The functions that scripts reach, directly or through each other, as text.
    pub fn reached<'e>(&self, from: impl IntoIterator<Item = &'e Essence>) -> String {
        let mut wanted: Vec<String> = from.into_iter().flat_map(|essence| words(&essence.0)).collect();
        wanted.extend(words(&self.rest));
        let mut reached = BTreeSet::new();
        while let Some(name) = wanted.pop() {
            if let Some(functions) = self.functions.get(&name)
                && reached.insert(name)
            {
                wanted.extend(functions.iter().flat_map(|function| words(function)));
            }
        }
        let mut text = written(&self.rest);
        for function in reached.iter().filter_map(|name| self.functions.get(name)).flatten() {
            text.push_str(&written(function));
        }
        text
    }
}

struct Reader<'s> {
    rest: &'s str,
}

impl<'s> Reader<'s> {
    fn take(&mut self, length: usize) -> &'s str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// Skips white space and comments, which may be nested.
    fn skip(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with("//") {
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                let mut depth = 0_usize;
                while !self.rest.is_empty() {
                    let length = if self.rest.starts_with("/*") {
                        depth += 1;
                        2
                    } else if self.rest.starts_with("*/") {
                        depth -= 1;
                        2
                    } else {
                        self.rest.chars().next().map_or(0, char::len_utf8)
                    };
                    self.take(length);
                    if depth == 0 {
                        break;
                    }
                }
            } else {
                return;
            }
        }
    }

    /// What is in quotes, both of them included.
    fn quoted(&mut self, quote: char) -> String {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => return self.take(at + c.len_utf8()).to_owned(),
                _ => {}
            }
        }
        self.take(self.rest.len()).to_owned()
    }

    fn template(&mut self) -> Vec<Piece> {
        self.take(1);
        let mut pieces = Vec::new();
        loop {
            let end = self.rest.find('`').unwrap_or(self.rest.len());
            let Some(script) = self.rest[..end].find("${") else {
                pieces.push(Piece::Literal(self.take(end).to_owned()));
                self.take(self.rest.len().min(1));
                return pieces;
            };
            pieces.push(Piece::Literal(self.take(script).to_owned()));
            self.take(2);
            pieces.push(Piece::Script(tokens(self, true)));
        }
    }
}

/// Reads tokens to the end, or up to the brace that closes a script in a template.
fn tokens(reader: &mut Reader<'_>, in_template: bool) -> Vec<Token> {
    let (mut all, mut depth) = (Vec::new(), 0_usize);
    loop {
        reader.skip();
        let Some(first) = reader.rest.chars().next() else { return all };
        all.push(match first {
            '"' | '\'' => Token::Quoted(reader.quoted(first)),
            '`' => Token::Template(reader.template()),
            c if is_word(c) => {
                let end = reader.rest.find(|c| !is_word(c)).unwrap_or(reader.rest.len());
                Token::Word(reader.take(end).to_owned())
            }
            sign => {
                reader.take(sign.len_utf8());
                match sign {
                    '{' => depth += 1,
                    '}' if depth == 0 && in_template => return all,
                    '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                Token::Sign(sign)
            }
        });
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Every word, also those in templates.
fn words(tokens: &[Token]) -> Vec<String> {
    let mut all = Vec::new();
    for token in tokens {
        match token {
            Token::Word(word) => all.push(word.clone()),
            Token::Template(pieces) => {
                for piece in pieces {
                    if let Piece::Script(script) = piece {
                        all.extend(words(script));
                    }
                }
            }
            _ => {}
        }
    }
    all
}

fn written(tokens: &[Token]) -> String {
    let mut locals = BTreeSet::new();
    declared(tokens, &mut locals);
    let mut text = String::new();
    write(tokens, &locals, &mut Vec::new(), &mut text);
    text
}

/// Names that a script declares: with `let`, `const`, `for`, `catch`, as parameters of a function or a closure.
fn declared(tokens: &[Token], locals: &mut BTreeSet<String>) {
    let word = |at: usize| match tokens.get(at) {
        Some(Token::Word(word)) => Some(word.as_str()),
        _ => None,
    };
    let sign = |at: usize, sign: char| tokens.get(at) == Some(&Token::Sign(sign));
    for (at, token) in tokens.iter().enumerate() {
        let list = match token {
            Token::Word(keyword) => match keyword.as_str() {
                "let" | "const" | "for" if word(at + 1).is_some() => at + 1..at + 2,
                "for" | "catch" if sign(at + 1, '(') => at + 2..end(tokens, at + 2, ')'),
                "fn" if sign(at + 2, '(') => at + 3..end(tokens, at + 3, ')'),
                _ => continue,
            },
            // Where a value is expected, `|` begins the parameters of a closure.
            Token::Sign('|') if begins_value(tokens, at) => at + 1..end(tokens, at + 1, '|'),
            Token::Template(pieces) => {
                for piece in pieces {
                    if let Piece::Script(script) = piece {
                        declared(script, locals);
                    }
                }
                continue;
            }
            _ => continue,
        };
        locals.extend(list.filter_map(word).map(str::to_owned));
    }
}

fn end(tokens: &[Token], from: usize, close: char) -> usize {
    let rest = tokens.get(from..).unwrap_or_default();
    from + rest.iter().position(|token| *token == Token::Sign(close)).unwrap_or(rest.len())
}

fn begins_value(tokens: &[Token], at: usize) -> bool {
    match at.checked_sub(1).and_then(|before| tokens.get(before)) {
        None => true,
        Some(Token::Word(word)) => matches!(word.as_str(), "return" | "in" | "if" | "while" | "else" | "switch"),
        Some(Token::Sign(sign)) => !matches!(sign, ')' | ']' | '}' | '|'),
        Some(_) => false,
    }
}

/// Writes each token on a line of its own; local names as the number of their first use.
fn write(tokens: &[Token], locals: &BTreeSet<String>, numbered: &mut Vec<String>, text: &mut String) {
    let sign = |at: Option<usize>, sign: char| at.is_some_and(|at| tokens.get(at) == Some(&Token::Sign(sign)));
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Word(word) => {
                let before = at.checked_sub(1);
                // `a.b` has a field, `a..b` is a range.
                let field = sign(before, '.') && !sign(at.checked_sub(2), '.');
                let is_variable =
                    locals.contains(word) && !field && !sign(Some(at + 1), '(') && !sign(Some(at + 1), ':');
                if is_variable {
                    let known = numbered.iter().position(|name| name == word);
                    let number = known.unwrap_or_else(|| {
                        numbered.push(word.clone());
                        numbered.len() - 1
                    });
                    let _ = writeln!(text, "${number}");
                } else {
                    let _ = writeln!(text, "{word}");
                }
            }
            Token::Quoted(quoted) => _ = writeln!(text, "{quoted}"),
            Token::Sign(sign) => _ = writeln!(text, "{sign}"),
            Token::Template(pieces) => {
                text.push('`');
                for piece in pieces {
                    match piece {
                        Piece::Literal(literal) => _ = writeln!(text, "{}:{literal}", literal.len()),
                        Piece::Script(script) => {
                            text.push_str("${\n");
                            write(script, locals, numbered, text);
                            text.push_str("}\n");
                        }
                    }
                }
                text.push_str("`\n");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn essence(script: &str) -> String {
        Essence::of(script).text()
    }

    #[track_caller]
    fn same(one: &str, other: &str) {
        assert_eq!(essence(one), essence(other));
    }

    #[track_caller]
    fn other(one: &str, other: &str) {
        assert_ne!(essence(one), essence(other));
    }

    #[test]
    fn comments_and_layout_do_not_count() {
        same(
            "if a + b > 1 { // why\n  state.x = /* here /* and */ there */ \"a  // b\";\n}\n",
            "if a+b>1{state.x=\"a  // b\";}",
        );
        same("let  x = 1", "let x=1");
        same("`a ${ x + 1 /* one */ } b`", "`a ${x+1} b`");
    }

    #[test]
    fn names_of_local_variables_do_not_count() {
        same("let sum = 0; sum += event.amount; row.total = sum", "let s = 0; s += event.amount; row.total = s");
        same("for n in 0..3 { row.x += n }", "for i in 0..3 { row.x += i }");
        same("for (a, n) in list { row.x += n * a }", "for (b, c) in list { row.x += c * b }");
        same("row.x = list.map(|v| v * 2)", "row.x = list.map(|one| one * 2)");
        same("try { f() } catch (error) { row.x = error }", "try { f() } catch (e) { row.x = e }");
        same("let x = 1; row.t = `is ${x}`", "let y = 1; row.t = `is ${y}`");
        same("let a = 1; row.x = 0..a", "let b = 1; row.x = 0..b");
        same("const K = 2; row.x = K", "const L = 2; row.x = L");
    }

    #[test]
    fn everything_else_counts() {
        other("state.x = \"a b\"", "state.x = \"a  b\"");
        other("`a ${x}  b`", "`a ${x} b`");
        other("state.x += 1", "state.x += 2");
        other("return x", "returnx");
        // Which variable is meant.
        other("let a = 1; let b = 2; row.x = a", "let a = 1; let b = 2; row.x = b");
        // Fields, keys and functions are no variables, whatever they are called.
        other("let x = 1; row.x = x", "let y = 1; row.y = y");
        other("let x = 1; row.m = #{ x: x }", "let y = 1; row.m = #{ y: y }");
        other("let f = 1; row.x = f(2)", "let g = 1; row.x = g(2)");
        other("row.x = a | b | c", "row.x = a | d | c");
        // A literal is not part of a script, nor the other way round.
        other("`a ${\"b\"}`", "`a b`");
    }

    #[test]
    fn functions_count_where_they_are_reached() {
        let reached = |library: &str, script: &str| Functions::of(library).reached(&[Essence::of(script)]);
        let library = "fn one(x) { two(x) + 1 } fn two(y) { y * 2 } fn three() { 3 }";
        let from_one = reached(library, "row.x = one(1)");
        assert_eq!(from_one, reached("fn one(a) { two(a) + 1 }\n// new\nfn two(b) { b * 2 }", "row.x = one(1)"));
        assert_ne!(from_one, reached(&library.replace("* 2", "* 4"), "row.x = one(1)"));
        assert_eq!(from_one, reached(&library.replace("{ 3 }", "{ 4 }"), "row.x = one(1)"));
        assert_eq!(reached(library, "row.x = 1"), "");
        // Through a template, as a method, by its name alone.
        for script in ["row.x = `${three()}`", "row.x = 1.three()", "row.x = list.map(three)"] {
            assert_ne!(reached(library, script), "", "{script}");
        }
        // Braces in texts end no function.
        let odd = "fn a() { `}${ #{x: 1}.x }` } fn b() { \"}\" }";
        assert_ne!(reached(odd, "a()"), reached(&odd.replace("x: 1", "x: 2"), "a()"));
        assert_eq!(reached(odd, "b()"), reached(&odd.replace("x: 1", "x: 2"), "b()"));
    }
}
