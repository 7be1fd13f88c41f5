//! Whole domains by chance: types, functions, aggregates, projections, processes and scenarios whose scripts fit together, but for
//! the mistakes that are planted in some.

use super::types::Type::{self, Boolean, Choice, Date, Decimal, Integer, List, Open, Text};
use super::types::{Field, Seen, WORDS, declared, seen, value, write_script, written, zero};
use crate::support::trial::Dice;
use esctl::json::{Object, Value};
use std::fmt::Write;

/// What can be sent to a domain.
pub struct Command {
    pub aggregate: String,
    pub name: String,
    fields: Vec<Field>,
}

/// A domain, how many mistakes were planted, and what can be done with it.
pub struct Domain {
    pub text: String,
    pub planted: usize,
    pub commands: Vec<Command>,
    pub projections: Vec<String>,
}

struct Aggregate {
    name: String,
    state: Vec<Field>,
    events: Vec<(String, Vec<Field>)>,
    commands: Vec<(String, Vec<Field>)>,
}

struct Function {
    name: String,
    parameters: Vec<Type>,
    gives: Type,
}

/// Makes a domain.
pub struct Maker<'d> {
    dice: &'d mut Dice,
    /// One in so many places has a mistake; 0: none.
    mistakes: usize,
    planted: usize,
    functions: Vec<Function>,
    names: usize,
}

impl<'d> Maker<'d> {
    pub fn new(dice: &'d mut Dice) -> Self {
        let mistakes = [0, 0, 20, 60][dice.below(4)];
        Self { dice, mistakes, planted: 0, functions: Vec::new(), names: 0 }
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.dice.below(of.len())].clone()
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.dice.below(one_in) == 0
    }

    /// Whether a mistake is to be made here.
    fn slips(&mut self) -> bool {
        let slips = self.mistakes > 0 && self.chance(self.mistakes);
        self.planted += usize::from(slips);
        slips
    }

    fn without_mistakes<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> T {
        let mistakes = std::mem::take(&mut self.mistakes);
        let whole = make(self);
        self.mistakes = mistakes;
        whole
    }

    /// A name that nothing else has.
    fn name(&mut self, stem: &str) -> String {
        self.names += 1;
        format!("{stem}{}", self.names)
    }

    fn scalar(&mut self) -> Type {
        self.one(&[Integer, Integer, Decimal, Decimal, Boolean, Text, Text, Date, Choice])
    }

    fn kind(&mut self) -> Type {
        match self.dice.below(8) {
            0 => List(Box::new(self.scalar())),
            1 => Type::Object(self.fields(1, false)),
            2 => List(Box::new(Type::Object(self.fields(1, false)))),
            _ => self.scalar(),
        }
    }

    fn fields(&mut self, least: usize, optional: bool) -> Vec<Field> {
        (0..least + self.dice.below(3))
            .map(|_| {
                let (name, kind) = (self.name("f"), if optional { self.kind() } else { self.scalar() });
                Field { name, kind, optional: optional && self.chance(4) }
            })
            .collect()
    }

    /// A whole domain.
    pub fn domain(mut self) -> Domain {
        let mut text = String::from("domain: made\ntypes:\n  Choice: { one_of: [red, green] }\n");
        self.write_functions(&mut text);
        let mut aggregates: Vec<Aggregate> = Vec::new();
        for _ in 0..=self.dice.below(2) {
            let aggregate = self.aggregate();
            aggregates.push(aggregate);
        }
        text.push_str("aggregates:\n");
        for aggregate in &aggregates {
            self.write_aggregate(aggregate, &aggregates, &mut text);
        }
        let projections = self.write_projections(&aggregates, &mut text);
        self.write_processes(&aggregates, &mut text);
        let commands: Vec<Command> = aggregates
            .iter()
            .flat_map(|aggregate| {
                let command = |(name, fields): &(String, Vec<Field>)| Command {
                    aggregate: aggregate.name.clone(),
                    name: name.clone(),
                    fields: fields.clone(),
                };
                aggregate.commands.iter().map(command)
            })
            .collect();
        self.write_scenarios(&commands, &mut text);
        Domain { text, planted: self.planted, commands, projections }
    }

    fn aggregate(&mut self) -> Aggregate {
        let name = self.name("thing");
        let mut state = self.fields(2, false);
        for kind in [List(Box::new(self.scalar())), Open(Box::new(self.scalar()))] {
            if self.chance(2) {
                state.push(Field { name: self.name("s"), kind, optional: false });
            }
        }
        let events = (0..=self.dice.below(3)).map(|_| (self.name("Done"), self.fields(0, true))).collect();
        let commands = (0..=self.dice.below(2)).map(|_| (self.name("Do"), self.fields(0, true))).collect();
        Aggregate { name, state, events, commands }
    }

    // What the file says

    fn write_functions(&mut self, text: &mut String) {
        text.push_str("functions: |\n");
        for _ in 0..=self.dice.below(2) {
            let name = self.name("compute");
            let parameters: Vec<Type> = (0..=self.dice.below(2)).map(|_| self.scalar()).collect();
            let gives = self.scalar();
            let seen: Vec<Seen> =
                parameters.iter().enumerate().map(|(n, kind)| (format!("p{n}"), kind.clone())).collect();
            let list: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
            let body = self.expression(&gives, &seen, 2);
            let _ = writeln!(text, "  fn {name}({}) {{ {body} }}", list.join(", "));
            self.functions.push(Function { name, parameters, gives });
        }
    }

    fn write_aggregate(&mut self, aggregate: &Aggregate, all: &[Aggregate], text: &mut String) {
        let _ = writeln!(text, "  {}:", aggregate.name);
        self.write_state(&aggregate.state, text);
        text.push_str("    events:\n");
        let state = seen("state", &aggregate.state);
        for (event, fields) in &aggregate.events {
            let _ = writeln!(text, "      {event}:\n        fields: {}", declared(fields));
            let mut sight = seen("event", fields);
            sight.extend(state.clone());
            sight.push(("version".into(), Integer));
            sight.push(("meta.id".into(), Text));
            let fold = self.changes("state", &aggregate.state, &sight);
            write_script(text, "        fold", &fold);
        }
        text.push_str("    commands:\n");
        for (command, fields) in &aggregate.commands {
            let _ = writeln!(text, "      {command}:\n        fields: {}", declared(fields));
            let mut sight = seen("command", fields);
            sight.extend(state.clone());
            sight.push(("version".into(), Integer));
            sight.push(("date_of(meta.time)".into(), Date));
            let decide = self.decision(aggregate, all, sight);
            write_script(text, "        decide", &decide);
        }
        text.push_str("    invariants:\n");
        let mut sight = state;
        sight.push(("version".into(), Integer));
        let holds = self.expression(&Boolean, &sight, 2);
        // Most of them hold, so that commands are accepted.
        write_script(text, "      holds", &format!("version >= 0 || {holds}"));
    }

    fn write_state(&mut self, fields: &[Field], text: &mut String) {
        text.push_str("    state:\n");
        for Field { name, kind, .. } in fields {
            let initial = match kind {
                Integer if self.chance(2) => "{ type: integer, initial: 1 }".to_owned(),
                Decimal => "{ type: decimal, initial: 0.5 }".to_owned(),
                kind => zero(kind).to_owned(),
            };
            let _ = writeln!(text, "      {name}: {initial}");
        }
    }

    fn decision(&mut self, own: &Aggregate, all: &[Aggregate], mut sight: Vec<Seen>) -> String {
        let mut script = String::new();
        for _ in 0..=self.dice.below(4) {
            match self.dice.below(7) {
                0 => {
                    let condition = self.expression(&Boolean, &sight, 2);
                    let message = self.expression(&Text, &sight, 1);
                    let _ = writeln!(script, "require({condition} || version < 2, \"no\", {message});");
                }
                1 => {
                    let (name, kind) = (self.name("v"), self.scalar());
                    let value = self.expression(&kind, &sight, 2);
                    let _ = writeln!(script, "let {name} = {value};");
                    sight.push((name, kind));
                }
                2 => {
                    let condition = self.expression(&Boolean, &sight, 1);
                    let emit = self.emit(own, None, &sight);
                    let _ = writeln!(script, "if {condition} {{ {emit} }}");
                }
                3 => {
                    let other = &all[self.dice.below(all.len())];
                    let emit = self.emit(other, Some(&other.name), &sight);
                    script.push_str(&emit);
                }
                4 => {
                    let other = &all[self.dice.below(all.len())];
                    let name = self.name("v");
                    let _ = writeln!(script, "let {name} = load(\"{}/2\");", other.name);
                    sight.extend(seen(&format!("{name}.state"), &other.state));
                    sight.push((format!("{name}.version"), Integer));
                }
                _ => {
                    let emit = self.emit(own, None, &sight);
                    script.push_str(&emit);
                }
            }
            script.push('\n');
        }
        let emit = self.emit(own, None, &sight);
        script.push_str(&emit);
        script
    }

    fn emit(&mut self, of: &Aggregate, stream: Option<&str>, sight: &[Seen]) -> String {
        let (event, data) = self.named(&of.events, sight);
        match stream {
            None => format!("emit(\"{event}\", {data});"),
            Some(aggregate) => format!("emit_to(\"{aggregate}/2\", \"{event}\", {data});"),
        }
    }

    /// The name of one of these events or commands, with data for it.
    fn named(&mut self, of: &[(String, Vec<Field>)], sight: &[Seen]) -> (String, String) {
        let (mut name, mut fields) = self.one(of);
        if self.slips() {
            match self.dice.below(3) {
                0 => name.push('x'),
                1 => fields.push(Field { name: "extra".into(), kind: Integer, optional: false }),
                _ => {
                    if let Some(at) = fields.iter().position(|field| !field.optional) {
                        fields.remove(at);
                    }
                }
            }
        }
        let mut members = Vec::new();
        for Field { name, kind, optional } in &fields {
            if !optional || self.chance(2) {
                members.push(format!("{name}: {}", self.expression(kind, sight, 2)));
            }
        }
        (name, format!("#{{ {} }}", members.join(", ")))
    }

    /// Statements that change some fields of a state or a row.
    fn changes(&mut self, root: &str, fields: &[Field], sight: &[Seen]) -> String {
        let mut script = String::new();
        for _ in 0..=self.dice.below(3) {
            let field = self.one(fields);
            let name = if self.slips() { format!("{}x", field.name) } else { field.name.clone() };
            let change = match &field.kind {
                // A list and an open map of the state may hold things of several kinds.
                List(of) if root == "state" => {
                    let value = self.without_mistakes(|maker| maker.fitting(of, sight, 2));
                    format!("{root}.{name}.push({value});")
                }
                Open(of) => {
                    let key = self.expression(&Text, sight, 1);
                    let value = self.without_mistakes(|maker| maker.fitting(of, sight, 2));
                    format!("{root}.{name}[{key}] = {value};")
                }
                kind => {
                    let value = self.expression(kind, sight, 2);
                    let operator = if matches!(kind, Integer | Text) && self.chance(3) { "+=" } else { "=" };
                    format!("{root}.{name} {operator} {value};")
                }
            };
            if self.chance(4) {
                let condition = self.expression(&Boolean, sight, 1);
                let _ = writeln!(script, "if {condition} {{ {change} }}");
            } else {
                let _ = writeln!(script, "{change}");
            }
        }
        script
    }

    fn write_projections(&mut self, aggregates: &[Aggregate], text: &mut String) -> Vec<String> {
        text.push_str("projections:\n");
        (0..=self.dice.below(2))
            .map(|_| {
                let name = self.name("rows");
                let key = self.one(&[Text, Integer]);
                let mut columns: Vec<Field> = self.fields(1, true);
                // A row begins without a date or a choice, and must not stay so: those are written by each handler below.
                columns.retain(|column| !column.optional);
                columns.push(Field { name: self.name("c"), kind: Integer, optional: false });
                let listed: Vec<_> = columns.iter().map(|c| format!("{}: {}", c.name, written(&c.kind))).collect();
                let _ = writeln!(
                    text,
                    "  {name}:\n    columns: {{ k: {}, {} }}\n    key:",
                    written(&key),
                    listed.join(", ")
                );
                let aggregate = &aggregates[self.dice.below(aggregates.len())];
                let mut handlers = String::new();
                for (event, fields) in &aggregate.events {
                    let mut sight = seen("event", fields);
                    sight.push(("meta.id".into(), Text));
                    sight.push(("meta.version".into(), Integer));
                    let of = self.expression(&key, &sight, 1);
                    write_script(text, &format!("      {}.{event}", aggregate.name), &of);
                    sight.push(("exists".into(), Boolean));
                    sight.push(("key".into(), key.clone()));
                    let settled: Vec<_> = columns
                        .iter()
                        .filter(|c| !matches!(c.kind, Date | Choice | Type::Object(_)))
                        .cloned()
                        .collect();
                    sight.extend(seen("row", &settled));
                    let mut change = self.changes("row", &columns, &sight);
                    for column in columns.iter().filter(|c| matches!(c.kind, Date | Choice | Type::Object(_))) {
                        let value = self.expression(&column.kind, &sight, 1);
                        let _ = writeln!(change, "row.{} = {value};", column.name);
                    }
                    let event = if self.slips() { format!("{event}x") } else { event.clone() };
                    write_script(&mut handlers, &format!("      {}.{event}", aggregate.name), &change);
                }
                let _ = write!(text, "    on:\n{handlers}");
                name
            })
            .collect()
    }

    fn write_processes(&mut self, aggregates: &[Aggregate], text: &mut String) {
        text.push_str("processes:\n");
        for _ in 0..self.dice.below(3) {
            let _ = writeln!(text, "  {}:", self.name("process"));
            let fields = self.fields(1, false);
            self.write_state(&fields, text);
            let state = seen("state", &fields);
            let answered = &aggregates[self.dice.below(aggregates.len())];
            let told = &aggregates[self.dice.below(aggregates.len())];
            let key = self.one(&[Text, Integer]);
            let (mut keys, mut handlers) = (String::new(), String::new());
            for (event, given) in &answered.events {
                let mut sight = seen("event", given);
                sight.push(("meta.id".into(), Text));
                sight.push(("meta.position".into(), Integer));
                let of = self.expression(&key, &sight, 1);
                write_script(&mut keys, &format!("      {}.{event}", answered.name), &of);
                sight.extend(state.clone());
                let mut script = self.reaction(&fields, told, &sight);
                let deadline = if self.slips() { "latr" } else { "late" };
                let length = self.one(&["\"1h\"", "\"2d\"", "90", "0"]);
                let _ = writeln!(script, "after({length}, \"{deadline}\");");
                let event = if self.slips() { format!("{event}x") } else { event.clone() };
                write_script(&mut handlers, &format!("      {}.{event}", answered.name), &script);
            }
            let _ = write!(text, "    key:\n{keys}    on:\n{handlers}");
            // Whether it is sent at all is up to the dice: each is sent here.
            let mut late = self.without_mistakes(|maker| {
                let all = told.commands.iter().map(|command| maker.send(told, std::slice::from_ref(command), &state));
                all.collect::<String>()
            });
            text.push_str("    on_rejected:\n");
            for (command, given) in &told.commands {
                let mut sight = seen("command", given);
                sight.extend(state.clone());
                sight.push(("rejection.code".into(), Text));
                let script = self.changes("state", &fields, &sight);
                write_script(text, &format!("      {command}"), &script);
            }
            text.push_str("    on_deadline:\n");
            let mut sight = state.clone();
            sight.push(("deadline.name".into(), Text));
            sight.push(("date_of(deadline.due)".into(), Date));
            late.push_str(&self.reaction(&fields, told, &sight));
            late.push_str("done();");
            write_script(text, "      late", &late);
        }
    }

    /// What a handler of a process does: it changes the state, and sends.
    fn reaction(&mut self, fields: &[Field], told: &Aggregate, sight: &[Seen]) -> String {
        let mut script = self.changes("state", fields, sight);
        for _ in 0..self.dice.below(3) {
            let send = self.send(told, &told.commands, sight);
            if self.chance(3) {
                let condition = self.expression(&Boolean, sight, 1);
                let _ = writeln!(script, "if {condition} {{ {send} }}");
            } else {
                script.push_str(&send);
            }
        }
        script
    }

    fn send(&mut self, to: &Aggregate, commands: &[(String, Vec<Field>)], sight: &[Seen]) -> String {
        let (command, data) = self.named(commands, sight);
        format!("send(\"{}/1\", \"{command}\", {data});\n", to.name)
    }

    fn write_scenarios(&mut self, commands: &[Command], text: &mut String) {
        let command = &commands[self.dice.below(commands.len())];
        let name = if self.slips() { format!("{}x", command.name) } else { command.name.clone() };
        let data = Value::Object(command.payload(self.dice));
        let _ = writeln!(
            text,
            "scenarios:\n  - name: one\n    when:\n      {}/1 {name}: {data}\n    then:\n      state: {{}}",
            command.aggregate
        );
    }

    // Expressions

    /// An expression of a type, or, by mistake, of another one.
    fn expression(&mut self, kind: &Type, sight: &[Seen], depth: usize) -> String {
        if !self.slips() {
            return self.fitting(kind, sight, depth);
        }
        match self.dice.below(4) {
            0 => "nowhere".to_owned(),
            1 => format!("unheard({})", self.fitting(kind, sight, 0)),
            2 => {
                // `meta` may have any field.
                let known: Vec<&Seen> = sight
                    .iter()
                    .filter(|(name, _)| name.contains('.') && !name.contains([' ', '(']) && !name.starts_with("meta"))
                    .collect();
                if known.is_empty() {
                    return "nowhere".to_owned();
                }
                format!("{}x", known[self.dice.below(known.len())].0)
            }
            _ => {
                let other = match kind {
                    Integer | Decimal => self.one(&[Boolean, List(Box::new(Integer))]),
                    Boolean => self.one(&[Integer, Text]),
                    _ => self.one(&[Integer, Boolean]),
                };
                self.fitting(&other, sight, depth)
            }
        }
    }

    fn fitting(&mut self, kind: &Type, sight: &[Seen], depth: usize) -> String {
        let same: Vec<&Seen> = sight.iter().filter(|(_, of)| of == kind).collect();
        if !same.is_empty() && self.chance(2) {
            return same[self.dice.below(same.len())].0.clone();
        }
        if depth == 0 {
            return self.constant(kind);
        }
        let calls: Vec<usize> = (0..self.functions.len()).filter(|n| self.functions[*n].gives == *kind).collect();
        if !calls.is_empty() && self.chance(6) {
            let at = self.one(&calls);
            let mut parameters = self.functions[at].parameters.clone();
            if self.slips() {
                parameters.push(Integer);
            }
            let given: Vec<String> = parameters.iter().map(|of| self.expression(of, sight, depth - 1)).collect();
            return format!("{}({})", self.functions[at].name, given.join(", "));
        }
        if self.chance(8) {
            let condition = self.expression(&Boolean, sight, depth - 1);
            // Of what is one thing or another nothing certain is known.
            let (then, other) = self.without_mistakes(|maker| {
                (maker.fitting(kind, sight, depth - 1), maker.fitting(kind, sight, depth - 1))
            });
            return format!("(if {condition} {{ {then} }} else {{ {other} }})");
        }
        // A closure would keep the dice to itself.
        macro_rules! of {
            ($kind:expr) => {
                self.expression($kind, sight, depth - 1)
            };
        }
        let lists: Vec<&Seen> = sight.iter().filter(|(_, of)| matches!(of, List(_))).collect();
        match kind {
            Integer => match self.dice.below(7) {
                0..3 => {
                    let (a, b) = (of!(&Integer), of!(&Integer));
                    format!("({a} {} {b})", self.one(&["+", "-", "*", "/", "%"]))
                }
                3 => format!("{}.len()", of!(&Text)),
                4 => format!("days_between({}, {})", of!(&Date), of!(&Date)),
                5 => format!("to_int({})", of!(&Decimal)),
                _ if !lists.is_empty() => format!("{}.len()", self.one(&lists).0),
                _ => format!("abs({})", of!(&Integer)),
            },
            Decimal => match self.dice.below(4) {
                0 => format!("round({}, 2)", of!(&Decimal)),
                1 => format!("to_decimal({})", of!(&Integer)),
                _ => {
                    let (a, b) = (of!(&Decimal), if self.chance(2) { of!(&Decimal) } else { of!(&Integer) });
                    format!("({a} {} {b})", self.one(&["+", "-", "*", "/"]))
                }
            },
            Boolean => match self.dice.below(6) {
                0 => format!("({} && {})", of!(&Boolean), of!(&Boolean)),
                1 => format!("!({})", of!(&Boolean)),
                2 => format!("{}.contains({})", of!(&Text), of!(&Text)),
                3 => format!("is_before({}, {})", of!(&Date), of!(&Date)),
                _ => {
                    let sort = self.one(&[Integer, Decimal, Text]);
                    let (a, b) = (self.expression(&sort, sight, depth - 1), self.expression(&sort, sight, depth - 1));
                    format!("({a} {} {b})", self.one(&["<", "<=", ">", ">=", "==", "!="]))
                }
            },
            Text => match self.dice.below(5) {
                0 => format!("({} + {})", of!(&Text), of!(&Text)),
                1 => format!("`${{{}}}-${{{}}}`", of!(&Integer), of!(&Text)),
                2 => format!("{}.to_upper()", of!(&Text)),
                3 => format!("{}.to_string()", of!(&Integer)),
                _ => format!("{}.sub_string(0, 1)", of!(&Text)),
            },
            Date => format!("add_days({}, {})", of!(&Date), of!(&Integer)),
            Choice => self.constant(&Choice),
            List(item) => match self.dice.below(3) {
                // The same holds of a list of different things.
                0 => self.without_mistakes(|maker| {
                    format!("({} + {})", maker.fitting(kind, sight, depth - 1), maker.fitting(kind, sight, depth - 1))
                }),
                1 if **item == Integer => format!("{}.map(|x| x + 1)", of!(kind)),
                2 if **item == Text => format!("{}.filter(|x| x.len() > 1)", of!(kind)),
                _ => format!("[{}]", of!(item)),
            },
            Type::Object(fields) => {
                let members: Vec<_> = fields
                    .iter()
                    .map(|f| format!("{}: {}", f.name, self.expression(&f.kind, sight, depth - 1)))
                    .collect();
                format!("#{{ {} }}", members.join(", "))
            }
            Open(_) => self.constant(kind),
        }
    }

    fn constant(&mut self, kind: &Type) -> String {
        match kind {
            Integer => self.dice.below(20).to_string(),
            Decimal => format!("{}.{}", self.dice.below(20), self.dice.below(100)),
            Boolean => self.one(&["true", "false"]).to_owned(),
            Text => format!("\"{}\"", self.one(&WORDS)),
            Date => format!("\"2026-0{}-1{}\"", 1 + self.dice.below(9), self.dice.below(10)),
            Choice => format!("\"{}\"", self.one(&["red", "green"])),
            List(of) => {
                let items: Vec<String> = (0..=self.dice.below(2)).map(|_| self.constant(of)).collect();
                format!("[{}]", items.join(", "))
            }
            Type::Object(fields) => {
                let members: Vec<_> =
                    fields.iter().map(|f| format!("{}: {}", f.name, self.constant(&f.kind))).collect();
                format!("#{{ {} }}", members.join(", "))
            }
            Open(_) => "#{}".to_owned(),
        }
    }
}

impl Command {
    /// Data that fits.
    pub fn payload(&self, dice: &mut Dice) -> Object {
        let mut data = Object::new();
        for field in &self.fields {
            if !field.optional || dice.below(2) == 0 {
                data.insert(field.name.clone(), value(&field.kind, dice));
            }
        }
        data
    }
}
