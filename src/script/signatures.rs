//! Every function that scripts can call, with the types of what it takes and gives: what `esctl help scripts` prints.
//!
//! The tests ask the engine for each name with every combination of types: what it takes stands here, and nothing else.

use super::functions::CHANGING;

/// Which scripts may call a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// All of them.
    Everyone,
    /// A `decide`.
    Decisions,
    /// A handler of a projection.
    Projections,
    /// A handler of a process.
    Processes,
}

/// Functions that belong together.
#[derive(Debug)]
pub struct Group {
    /// What they are for.
    pub title: &'static str,
    /// Who may call them.
    pub callers: Callers,
    /// Each with its form and what it does. A form is `name(parameter: type, optional?: type) -> type`, with `|` between types.
    pub functions: &'static [(&'static str, &'static str)],
}

/// The name in a form.
pub fn name(form: &str) -> &str {
    form.split('(').next().unwrap_or_default()
}

/// Whether it changes what it is called on.
pub fn changes(form: &str) -> bool {
    CHANGING.contains(&name(form))
}

/// All of them.
pub const GROUPS: &[Group] = &[
    Group {
        title: "in a decide",
        callers: Callers::Decisions,
        functions: &[
            ("emit(event: text, data?: any)", "gives an event of the command's own stream"),
            ("emit_to(stream: text, event: text, data?: any)", "gives an event of another stream"),
            ("reject(code: text, message?: text, details?: any)", "says no and ends the script"),
            (
                "require(condition: boolean, code: text, message?: text, details?: any)",
                "rejects unless the condition is true",
            ),
            ("load(stream: text) -> map", "`state` and `version` of another stream"),
            ("new_id() -> text", "a UUID; the same command gives the same ones"),
        ],
    },
    Group {
        title: "in the on of a projection",
        callers: Callers::Projections,
        functions: &[("delete()", "takes the row away")],
    },
    Group {
        title: "in a handler of a process: on, on_rejected, on_deadline",
        callers: Callers::Processes,
        functions: &[
            ("send(stream: text, command: text, data?: any)", "sends a command once the handler is done"),
            ("after(duration: text|integer, name: text)", "sets a deadline, as in `\"15m\"`; a number is seconds"),
            ("cancel(name: text)", "takes a deadline back"),
            ("done()", "ends the instance once the handler is done"),
        ],
    },
    Group {
        title: "on numbers",
        callers: Callers::Everyone,
        functions: &[
            ("abs(x: number) -> number", "without its sign"),
            ("sign(x: number) -> integer", "-1, 0 or 1"),
            ("is_zero(x: number) -> boolean", ""),
            ("is_odd(n: integer) -> boolean", ""),
            ("is_even(n: integer) -> boolean", ""),
            ("min(a: number, b: number) -> number", "the smaller one"),
            ("max(a: number, b: number) -> number", "the larger one"),
            (
                "round(x: number, places: integer, mode?: text) -> decimal",
                "half_even, half_up or down; without one half_even",
            ),
            ("floor(x: number) -> number", "the whole number below"),
            ("ceiling(x: number) -> number", "the whole number above"),
            ("to_int(x: number|character) -> integer", "without its fraction; the code of a character"),
            ("to_decimal(x: number) -> decimal", ""),
            ("to_hex(n: integer) -> text", ""),
            ("to_octal(n: integer) -> text", ""),
            ("to_binary(n: integer) -> text", ""),
            ("parse_int(text: text) -> integer", "or an error"),
            ("parse_decimal(text: text) -> decimal", "or an error"),
        ],
    },
    Group {
        title: "on dates and timestamps, which are texts",
        callers: Callers::Everyone,
        functions: &[
            ("days_between(a: text, b: text) -> integer", "negative where `b` is before `a`"),
            ("seconds_between(a: text, b: text) -> integer", "the same"),
            ("add_days(t: text, n: integer) -> text", "a date for a date, a timestamp for a timestamp"),
            ("add_months(t: text, n: integer) -> text", "the 31st becomes the month's last day"),
            ("add_seconds(t: text, n: integer) -> text", "a timestamp"),
            ("is_before(a: text, b: text) -> boolean", ""),
            ("is_after(a: text, b: text) -> boolean", ""),
            ("date_of(t: text) -> text", "the date of a timestamp, in UTC"),
            ("year(t: text) -> integer", ""),
            ("month(t: text) -> integer", ""),
            ("day(t: text) -> integer", ""),
            ("weekday(t: text) -> integer", "1 is Monday"),
        ],
    },
    Group {
        title: "on texts",
        callers: Callers::Everyone,
        functions: &[
            ("len(t: text) -> integer", "how many characters"),
            ("bytes(t: text) -> integer", "how many bytes"),
            ("is_empty(t: text) -> boolean", ""),
            ("contains(t: text, part: text|character) -> boolean", ""),
            ("starts_with(t: text, part: text|character) -> boolean", ""),
            ("ends_with(t: text, part: text|character) -> boolean", ""),
            ("index_of(t: text, part: text|character, start?: integer) -> integer", "-1: nowhere"),
            ("get(t: text, index: integer) -> character", "`()` where there is none"),
            ("sub_string(t: text, start: integer, length?: integer) -> text", ""),
            ("sub_string(t: text, places: range) -> text", ""),
            ("split(t: text) -> list", "at white space"),
            ("split(t: text, delimiter: text|character, most?: integer) -> list", "into so many parts at most"),
            ("split(t: text, index: integer) -> list", "into two texts"),
            ("split_rev(t: text, delimiter: text|character, most?: integer) -> list", "the last part first"),
            ("to_chars(t: text) -> list", ""),
            ("chars(t: text, start?: integer, length?: integer) -> series", ""),
            ("chars(t: text, places: range) -> series", ""),
            ("to_upper(t: text) -> text", ""),
            ("to_upper(c: character) -> character", ""),
            ("to_lower(t: text) -> text", ""),
            ("to_lower(c: character) -> character", ""),
            ("min(a: text, b: text) -> text", "the first in the order of letters"),
            ("min(a: character, b: character) -> character", ""),
            ("max(a: text, b: text) -> text", "the last"),
            ("max(a: character, b: character) -> character", ""),
            ("make_upper(t: text)", ""),
            ("make_upper(c: character)", ""),
            ("make_lower(t: text)", ""),
            ("make_lower(c: character)", ""),
            ("trim(t: text)", ""),
            ("append(t: text, more: any)", ""),
            ("replace(t: text, part: text|character, by: text|character)", "wherever it stands"),
            ("remove(t: text, part: text|character)", "wherever it stands"),
            ("crop(t: text, start: integer, length?: integer)", "leaves only these"),
            ("crop(t: text, places: range)", ""),
            ("truncate(t: text, length: integer)", ""),
            ("pad(t: text, length: integer, with: text|character)", "at its end"),
            ("set(t: text, index: integer, to: character)", ""),
            ("pop(t: text) -> character", "takes the last one"),
            ("pop(t: text, count: integer) -> text", "takes the last ones"),
            ("clear(t: text)", ""),
        ],
    },
    Group {
        title: "on lists",
        callers: Callers::Everyone,
        functions: &[
            ("len(l: list) -> integer", ""),
            ("is_empty(l: list) -> boolean", ""),
            ("contains(l: list, x: any) -> boolean", ""),
            ("index_of(l: list, x: any, start?: integer) -> integer", "`x` may be a test; -1: nowhere"),
            ("get(l: list, index: integer) -> any", "`()` where there is none"),
            ("extract(l: list, start: integer, length?: integer) -> list", ""),
            ("extract(l: list, places: range) -> list", ""),
            ("all(l: list, test: function) -> boolean", "holds of every item"),
            ("some(l: list, test: function) -> boolean", "holds of an item"),
            ("find(l: list, test: function, start?: integer) -> any", "the first of which it holds, or `()`"),
            ("find_map(l: list, f: function, start?: integer) -> any", "the first that is not `()`"),
            ("filter(l: list, test: function) -> list", ""),
            ("map(l: list, f: function) -> list", ""),
            ("reduce(l: list, f: function, start?: any) -> any", "`|sum, item| sum + item`"),
            ("reduce_rev(l: list, f: function, start?: any) -> any", "from the last one on"),
            ("zip(l: list, other: list, f: function) -> list", "`|a, b| a + b`"),
            ("order(l: list, compare?: function) -> list", "sorted"),
            ("order_by(l: list, compare: function) -> list", "`|a, b| a.price - b.price`"),
            ("order_desc(l: list) -> list", "the largest first"),
            ("push(l: list, x: any)", ""),
            ("append(l: list, more: list)", ""),
            ("insert(l: list, index: integer, x: any)", ""),
            ("set(l: list, index: integer, x: any)", ""),
            ("pop(l: list) -> any", "takes the last item"),
            ("shift(l: list) -> any", "takes the first item"),
            ("remove(l: list, index: integer) -> any", "takes that item"),
            ("drain(l: list, which: function|range) -> list", "takes these items"),
            ("drain(l: list, start: integer, length: integer) -> list", ""),
            ("retain(l: list, which: function|range) -> list", "leaves these items, gives the others"),
            ("retain(l: list, start: integer, length: integer) -> list", ""),
            ("splice(l: list, start: integer, length: integer, by: list)", ""),
            ("splice(l: list, places: range, by: list)", ""),
            ("chop(l: list, length: integer)", "leaves the last ones"),
            ("truncate(l: list, length: integer)", "leaves the first ones"),
            ("pad(l: list, length: integer, with: any)", ""),
            ("dedup(l: list, same?: function)", "of equal neighbours one stays"),
            ("reverse(l: list)", ""),
            ("sort(l: list, compare?: function)", ""),
            ("sort_by(l: list, compare: function)", ""),
            ("sort_desc(l: list)", ""),
            ("clear(l: list)", ""),
        ],
    },
    Group {
        title: "on maps",
        callers: Callers::Everyone,
        functions: &[
            ("len(m: map) -> integer", ""),
            ("is_empty(m: map) -> boolean", ""),
            ("contains(m: map, key: text) -> boolean", ""),
            ("get(m: map, key: text) -> any", "`()` where it is missing"),
            ("get(m: map, key: text|integer, default: any) -> any", ""),
            ("keys(m: map) -> list", ""),
            ("values(m: map) -> list", ""),
            ("filter(m: map, test: function) -> map", "`|key, value| value > 1`"),
            ("map(m: map, f: function) -> map", ""),
            ("set(m: map, key: text, x: any)", ""),
            ("remove(m: map, key: text) -> any", "takes that value, or `()`"),
            ("drain(m: map, test: function) -> map", "takes these"),
            ("retain(m: map, test: function) -> map", "leaves these, gives the others"),
            ("mixin(m: map, other: map)", "puts in all of the other"),
            ("fill_with(m: map, other: map)", "puts in what is missing"),
            ("clear(m: map)", ""),
        ],
    },
    Group {
        title: "on ranges",
        callers: Callers::Everyone,
        functions: &[
            ("range(from: integer, to: integer) -> range", "as `from..to`"),
            ("range(from: integer, to: integer, step: integer) -> series", ""),
            ("range(from: decimal, to: decimal, step: decimal) -> series", ""),
            ("range(r: range, step: integer) -> series", ""),
            ("start(r: range) -> integer", ""),
            ("end(r: range) -> integer", ""),
            ("contains(r: range, n: integer) -> boolean", ""),
            ("is_empty(r: range) -> boolean", ""),
            ("is_exclusive(r: range) -> boolean", "without its end: `0..5`"),
            ("is_inclusive(r: range) -> boolean", "with its end: `0..=5`"),
        ],
    },
    Group {
        title: "on functions",
        callers: Callers::Everyone,
        functions: &[
            ("call(f: function, …) -> any", "with these arguments"),
            ("curry(f: function, …) -> function", "with its first arguments given"),
            ("name(f: function) -> text", ""),
            ("is_def_fn(name: text, parameters: integer) -> boolean", "whether there is such a function"),
            ("is_def_fn(type: text, name: text, parameters: integer) -> boolean", "whether it works on that type"),
        ],
    },
    Group {
        title: "on anything",
        callers: Callers::Everyone,
        functions: &[
            ("to_string(x: any) -> text", ""),
            ("to_debug(x: any) -> text", "with quotes"),
            ("print(x?: any)", "a note on stderr"),
            ("debug(x?: any)", "the same, with quotes"),
            ("is_def_var(name: text) -> boolean", "whether there is such a variable"),
            ("is_shared(x: any) -> boolean", "whether a closure holds it as well"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::super::{Host, functions};
    use super::*;
    use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, Map, Scope};
    use rust_decimal::Decimal;
    use std::collections::{BTreeMap, BTreeSet};

    /// The types a value can have, with what is tried of each. A text may be any of several things.
    fn samples() -> Vec<(&'static str, Vec<Dynamic>)> {
        let function = |name| Dynamic::from(FnPtr::new(name).unwrap());
        vec![
            ("integer", vec![1_i64.into(), 0_i64.into()]),
            ("decimal", vec![Decimal::new(15, 1).into()]),
            ("text", vec!["2026-01-31".into(), "1".into(), "down".into()]),
            ("character", vec!['c'.into()]),
            ("boolean", vec![true.into()]),
            ("list", vec![Dynamic::from_array(vec![2_i64.into(), 1_i64.into()])]),
            ("map", vec![Dynamic::from_map(Map::from([("a".into(), 1_i64.into())]))]),
            ("function", vec![function("yes"), function("same")]),
            ("range", vec![Dynamic::from(0_i64..1), Dynamic::from(0_i64..=1)]),
            ("nothing", vec![Dynamic::UNIT]),
        ]
    }

    /// The types that a word in a form stands for.
    fn types(words: &str) -> Vec<&str> {
        let all = |word| match word {
            "number" => vec!["integer", "decimal"],
            "any" => samples().into_iter().map(|(name, _)| name).collect(),
            one => vec![one],
        };
        words.split('|').flat_map(all).collect()
    }

    /// What a form takes, written out: each combination of types, with what it gives.
    fn written_out(form: &str) -> Vec<(Vec<&str>, &str)> {
        let (_, rest) = form.split_once('(').unwrap();
        let (parameters, gives) = rest.split_once(')').unwrap();
        let gives = gives.strip_prefix(" -> ").unwrap_or("nothing");
        let mut found: Vec<(Vec<&str>, &str)> = vec![(Vec::new(), gives)];
        let mut complete = Vec::new();
        for parameter in parameters.split(", ").filter(|parameter| !parameter.is_empty()) {
            let (name, of) = parameter.split_once(": ").unwrap_or_else(|| panic!("{form}"));
            if name.ends_with('?') {
                complete.extend(found.iter().cloned());
            }
            let with = |(taken, gives): (Vec<_>, _)| {
                types(of).into_iter().map(move |kind| ([taken.clone(), vec![kind]].concat(), gives))
            };
            found = found.into_iter().flat_map(with).collect();
        }
        complete.extend(found);
        complete
    }

    fn type_of(value: &Dynamic) -> &'static str {
        let name = value.type_name();
        [
            ("i64", "integer"),
            ("decimal", "decimal"),
            ("string", "text"),
            ("char", "character"),
            ("bool", "boolean"),
            ("array", "list"),
            ("map", "map"),
            ("Fn", "function"),
            ("()", "nothing"),
        ]
        .into_iter()
        .find_map(|(rhai, ours)| (rhai == name).then_some(ours))
        .unwrap_or(if name.contains("::range::") { "range" } else { "series" })
    }

    fn engine() -> Engine {
        let mut engine = Host::new().engine;
        engine.register_fn("yes", |_: Dynamic| true).register_fn("yes", |_: Dynamic, _: Dynamic| true);
        engine.register_fn("same", |_: Dynamic, _: Dynamic| 0_i64);
        engine
    }

    /// What the engine takes under that name: combinations of types, with the types that came of them. Of functions that only
    /// some scripts may call it is enough that they are there; they fail where no such script runs.
    fn taken(engine: &Engine, name: &str, must_run: bool) -> BTreeMap<Vec<&'static str>, BTreeSet<&'static str>> {
        const NAMES: [&str; 4] = ["a", "b", "c", "d"];
        let samples = samples();
        let mut found = BTreeMap::<_, BTreeSet<_>>::new();
        for count in 0..=NAMES.len() {
            let mut scope = Scope::new();
            for name in NAMES {
                scope.push(name, ());
            }
            let Ok(script) = engine.compile_with_scope(&scope, format!("{name}({})", NAMES[..count].join(", "))) else {
                continue;
            };
            let mut combinations: Vec<Vec<usize>> = vec![Vec::new()];
            for at in 0..count {
                // So many arguments are taken on a list or after a condition alone.
                let sound =
                    |kind: &usize| count < 4 || at > 0 || matches!(samples[*kind].0, "list" | "boolean" | "text");
                let kinds: Vec<usize> = (0..samples.len()).filter(sound).collect();
                combinations = combinations
                    .iter()
                    .flat_map(|before| kinds.iter().map(move |kind| [before.as_slice(), &[*kind]].concat()))
                    .collect();
            }
            for combination in combinations {
                let kinds: Vec<_> = combination.iter().map(|kind| samples[*kind].0).collect();
                let mut choices: Vec<Vec<Dynamic>> = vec![Vec::new()];
                for kind in &combination {
                    let with = |before: Vec<Dynamic>| {
                        samples[*kind]
                            .1
                            .iter()
                            .map(move |value| [before.as_slice(), std::slice::from_ref(value)].concat())
                    };
                    choices = choices.into_iter().flat_map(with).collect();
                }
                for choice in choices {
                    let mut scope = Scope::new();
                    let given = choice.into_iter().chain(std::iter::repeat(Dynamic::UNIT));
                    for (name, value) in NAMES.iter().zip(given) {
                        scope.push_dynamic(*name, value);
                    }
                    match engine.eval_ast_with_scope::<Dynamic>(&mut scope, &script).map_err(|error| *error) {
                        Ok(value) => _ = found.entry(kinds.clone()).or_default().insert(type_of(&value)),
                        Err(EvalAltResult::ErrorFunctionNotFound(what, _))
                            if what == name || what.starts_with(&format!("{name} (")) =>
                        {
                            break;
                        }
                        Err(_) if !must_run => _ = found.entry(kinds.clone()).or_default(),
                        Err(_) => {}
                    }
                }
            }
        }
        found
    }

    #[test]
    fn every_form_is_what_the_engine_takes_and_nothing_is_left_out() {
        let engine = engine();
        let mut forms = BTreeMap::<&str, Vec<&str>>::new();
        let mut limited = BTreeSet::new();
        for group in GROUPS {
            for (form, _) in group.functions {
                forms.entry(name(form)).or_default().push(form);
                if group.callers != Callers::Everyone {
                    limited.insert(name(form));
                }
            }
        }
        let mut wrong = Vec::new();
        for (name, forms) in forms {
            if forms.iter().any(|form| form.contains('…')) {
                continue;
            }
            let taken = taken(&engine, name, !limited.contains(name));
            let mut told = BTreeSet::new();
            for form in forms {
                for (takes, gives) in written_out(form) {
                    match taken.get(&takes) {
                        None => wrong.push(format!("{form}: {takes:?} is not taken")),
                        Some(given) => {
                            for given in given.iter().filter(|given| !types(gives).contains(given)) {
                                // What is not there is `()`, and so is a row of nothing.
                                if !(gives == "series" || *given == "nothing" && gives != "nothing") {
                                    wrong.push(format!("{form}: {takes:?} gives {given}"));
                                }
                            }
                        }
                    }
                    told.insert(takes);
                }
            }
            for takes in taken.into_keys().filter(|takes| !told.contains(takes)) {
                // The name of a function stands for it.
                let meant = takes.iter().map(|kind| if *kind == "text" { "function" } else { kind });
                if !told.contains(&meant.collect::<Vec<_>>()) && !told.contains(&by_name(&takes)) {
                    wrong.push(format!("{name}: {takes:?} is taken, and is not told"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// The same with a function in the place of the first name of one.
    fn by_name<'a>(takes: &[&'a str]) -> Vec<&'a str> {
        let at = takes.iter().position(|kind| *kind == "text");
        takes.iter().enumerate().map(|(n, kind)| if Some(n) == at { "function" } else { *kind }).collect()
    }

    #[test]
    fn every_name_that_check_lets_pass_is_told() {
        let told: BTreeSet<&str> = GROUPS
            .iter()
            .filter(|group| group.callers == Callers::Everyone)
            .flat_map(|group| group.functions.iter().map(|(form, _)| name(form)))
            .collect();
        let known: BTreeSet<&str> = functions::PACKAGED.iter().chain(functions::OWN).copied().collect();
        assert_eq!(told, known);
    }

    #[test]
    fn a_form_is_read_as_it_is_written() {
        assert_eq!(name("round(x: number) -> decimal"), "round");
        let takes = |form| written_out(form).into_iter().map(|(takes, _)| takes.join(" ")).collect::<Vec<_>>();
        assert_eq!(
            takes("f(a: number, b?: text|list) -> map"),
            ["integer", "decimal", "integer text", "integer list", "decimal text", "decimal list"]
        );
        assert_eq!(takes("done()"), [""]);
        assert!(changes("pop(t: text) -> character") && !changes("map(l: list, f: function) -> list"));
    }
}
