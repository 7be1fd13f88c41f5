//! The one configured engine: what is in the room, and what bounds it.

use super::direct::Direct;
use super::facts::Facts;
use super::fault::{self, Fault};
use super::text::ScriptText;
use super::watch::{Point, Seen};
use super::{desk, functions, kinds, memory, operators, weight};
use crate::diagnostic::Diagnostic;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage, BasicStringPackage,
    LogicPackage, MoreStringPackage, Package,
};
use rhai::{AST, ASTNode, Caches, Dynamic, Engine, GlobalRuntimeState, OptimizationLevel, Scope, Stmt};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

/// A function of a script or of a file: its name, the names of its parameters, and what it does.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) parameters: Vec<String>,
    pub(super) body: Vec<Stmt>,
}

/// What is read off a syntax tree only where somebody asks.
#[derive(Debug, Default)]
struct Tree {
    bodies: OnceCell<Vec<Function>>,
    guarded: OnceCell<Vec<(String, String)>>,
}

impl Tree {
    fn bodies(&self, ast: &AST) -> &[Function] {
        self.bodies.get_or_init(|| {
            let body = |name: &str, count: usize| {
                // `clone_functions_only_filtered` would take all of them along.
                let mut alone = ast.clone_functions_only();
                alone.retain_functions(|_, _, found, parameters| found == name && parameters == count);
                let mut body = Vec::new();
                alone.walk(&mut |path: &[ASTNode<'_>]| {
                    if let [ASTNode::Stmt(statement)] = path {
                        body.push((*statement).clone());
                    }
                    true
                });
                body
            };
            let function = |found: rhai::ScriptFnMetadata<'_>| Function {
                name: found.name.to_owned(),
                parameters: found.params.iter().map(|name| (*name).to_owned()).collect(),
                body: body(found.name, found.params.len()),
            };
            ast.iter_functions().map(function).collect()
        })
    }

    fn guarded(&self, ast: &AST) -> &[(String, String)] {
        self.guarded.get_or_init(|| {
            let mut found = Vec::new();
            ast.walk(&mut |path: &[ASTNode<'_>]| {
                if let Some(ASTNode::Expr(expression)) = path.last() {
                    kinds::guards(expression, &mut found);
                }
                true
            });
            found
        })
    }
}

/// What bounds one call of a script. Every limit is set explicitly: a debug build of Rhai has lower defaults.
pub struct Limits;

impl Limits {
    /// Operations of one call, with all that it calls.
    pub const OPERATIONS: u64 = 10_000_000;
    /// So many bytes that are copied or gone through count as one operation more.
    pub const BYTES_OF_AN_OPERATION: u64 = 128;
    /// So many bytes are all that one call may copy or go through.
    pub const BYTES: u64 = Self::OPERATIONS * Self::BYTES_OF_AN_OPERATION;
    /// Functions within functions.
    pub const CALLS: usize = 64;
    /// Nesting of expressions in a script.
    pub const EXPRESSIONS: usize = 64;
    /// Local variables.
    pub const VARIABLES: usize = 1024;
    /// Notes (`print`, `debug`) kept of one run of the program.
    pub const NOTES: usize = 1000;
}

/// A script of the domain, compiled, with what is known of it.
#[derive(Debug, Clone)]
pub struct Script(Rc<Compiled>);

#[derive(Debug)]
struct Compiled {
    ast: AST,
    text: Rc<ScriptText>,
    facts: Facts,
    library: Rc<Library>,
    tree: Tree,
    /// What it is about and may change: `state`, `row`, or nothing.
    own: Box<str>,
    direct: OnceCell<Option<Direct>>,
    /// Where it notes that it ran, where it is watched; the first is the script itself.
    points: Vec<Point>,
}

impl Script {
    /// Its text and place.
    pub fn text(&self) -> &ScriptText {
        &self.0.text
    }

    /// What it touches and causes.
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// The functions of its file.
    pub fn library(&self) -> &Library {
        &self.0.library
    }

    /// Where it notes that it ran, if it is watched: where it begins, then its branches.
    pub fn points(&self) -> &[Point] {
        &self.0.points
    }

    /// The same script with another tree, which notes these points.
    pub(super) fn with_points(&self, tree: impl FnOnce(rhai::Shared<rhai::Module>) -> AST, points: Vec<Point>) -> Self {
        let Compiled { ast, text, facts, library, own, .. } = &*self.0;
        Self(Rc::new(Compiled {
            ast: tree(ast.shared_lib().clone()),
            text: text.clone(),
            facts: facts.clone(),
            library: library.clone(),
            tree: Tree::default(),
            own: own.clone(),
            direct: OnceCell::new(),
            points,
        }))
    }

    /// What it does, where that can be done without the engine. Not where it is watched.
    pub(super) fn direct(&self) -> Option<&Direct> {
        let direct = || if self.0.points.is_empty() { Direct::of(self, &self.0.own) } else { None };
        self.0.direct.get_or_init(direct).as_ref()
    }

    /// The same, where it is worth trying as well. Not for what is counted against a limit: that must not depend on what was
    /// tried before.
    pub(super) fn worth_doing(&self) -> Option<&Direct> {
        self.direct().filter(|direct| direct.is_worth_it())
    }

    pub(super) fn statements(&self) -> &[Stmt] {
        self.0.ast.statements()
    }

    /// Its own functions: those without a name.
    pub(super) fn bodies(&self) -> &[Function] {
        self.0.tree.bodies(&self.0.ast)
    }

    /// Fields of which it asks somewhere whether they are there.
    pub(super) fn guarded(&self) -> &[(String, String)] {
        self.0.tree.guarded(&self.0.ast)
    }
}

/// The `functions` of one domain file, shared by its scripts.
pub struct Library {
    ast: AST,
    text: Option<Rc<ScriptText>>,
    /// Names and numbers of parameters.
    functions: Vec<(String, usize)>,
    /// Facts of the functions' bodies.
    facts: Facts,
    /// What the engine has learnt of these scripts (which function a call means), kept from run to run. Two, because
    /// a decision folds what it emits while it runs.
    warm: [RefCell<Option<Warm>>; 2],
    tree: Tree,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").field("functions", &self.functions).finish_non_exhaustive()
    }
}

struct Warm {
    global: GlobalRuntimeState,
    caches: Caches,
}

impl Library {
    /// The text of the functions, where the file has any.
    pub fn text(&self) -> Option<&ScriptText> {
        self.text.as_deref()
    }

    /// The functions' names with the number of their parameters.
    pub fn functions(&self) -> &[(String, usize)] {
        &self.functions
    }

    /// What the functions touch and call.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(super) fn bodies(&self) -> &[Function] {
        self.tree.bodies(&self.ast)
    }

    /// Fields of which they ask somewhere whether they are there.
    pub(super) fn guarded(&self) -> &[(String, String)] {
        self.tree.guarded(&self.ast)
    }
}

/// A note that a script left with `print` or `debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it said.
    pub text: String,
}

/// The engine with everything that scripts can call. One for each thread.
pub struct Host {
    pub(super) engine: Engine,
    pub(super) desk: Rc<desk::Desk>,
    pub(super) notes: Rc<RefCell<Vec<Note>>>,
    /// Where the thread stood when the outermost script began.
    floor: Rc<Cell<Option<Floor>>>,
    /// What was seen, where it watches.
    pub(super) seen: Option<Rc<Seen>>,
}

/// What a thread held and had moved.
#[derive(Debug, Clone, Copy)]
struct Floor {
    held: isize,
    moved: u64,
}

impl Floor {
    fn here() -> Self {
        Self { held: memory::held(), moved: memory::moved() }
    }

    /// What ends a script that has gone beyond its limits since.
    fn exceeded(self, operations: u64) -> Option<fault::Stop> {
        if memory::held() - self.held > memory::MAX_BYTES / 2 {
            let limit = memory::MAX_BYTES / (1024 * 1024);
            return Some(fault::Stop::Failed(format!("the script needs more than {limit} MiB of memory"), None));
        }
        let moved = (memory::moved() - self.moved) / Limits::BYTES_OF_AN_OPERATION;
        (operations.saturating_add(moved) > Limits::OPERATIONS)
            .then(|| fault::Stop::Failed(fault::too_many_operations(), None))
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// Makes the room. Takes some microseconds; one is enough for all files.
    pub fn new() -> Self {
        let mut engine = Engine::new_raw();
        let packages = [
            ArithmeticPackage::new().as_shared_module(),
            LogicPackage::new().as_shared_module(),
            BasicStringPackage::new().as_shared_module(),
            MoreStringPackage::new().as_shared_module(),
            BasicIteratorPackage::new().as_shared_module(),
            BasicArrayPackage::new().as_shared_module(),
            BasicMapPackage::new().as_shared_module(),
            BasicFnPackage::new().as_shared_module(),
        ];
        for package in &packages {
            engine.register_global_module(package.clone());
        }
        engine
            // An optimiser once dropped statements; and positions must stay those of the text.
            .set_optimization_level(OptimizationLevel::None)
            .set_strict_variables(true)
            .set_fail_on_invalid_map_property(true)
            // Our own operators would otherwise not be asked: see `operators`.
            .set_fast_operators(false)
            .set_allow_shadowing(true)
            .set_max_operations(Limits::OPERATIONS)
            .set_max_call_levels(Limits::CALLS)
            .set_max_expr_depths(Limits::EXPRESSIONS, Limits::EXPRESSIONS)
            .set_max_variables(Limits::VARIABLES)
            .set_max_functions(Limits::VARIABLES)
            .disable_symbol("eval")
            .disable_symbol("Fn");
        let floor = Rc::new(Cell::new(None::<Floor>));
        let watched = floor.clone();
        engine.on_progress(move |operations| watched.get()?.exceeded(operations).map(Dynamic::from));
        let notes = Rc::new(RefCell::new(Vec::new()));
        let printed = notes.clone();
        engine.on_print(move |text| note(&printed, text));
        let debugged = notes.clone();
        engine.on_debug(move |text, _, _| note(&debugged, text));
        operators::register(&mut engine);
        functions::register(&mut engine);
        weight::register(&mut engine, packages);
        let desk = Rc::new(desk::Desk::default());
        desk::register(&mut engine, &desk);
        Self { engine, desk, notes, floor, seen: None }
    }

    /// What was seen since [`Host::watch`].
    pub fn seen(&self) -> Option<&Seen> {
        self.seen.as_deref()
    }

    /// Takes the notes that scripts left since the last time.
    pub fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut self.notes.borrow_mut())
    }

    /// Compiles the `functions` of a file; a file without any has an empty library.
    pub fn library(&self, text: Option<ScriptText>) -> Result<Library, Diagnostic> {
        let text = text.map(Rc::new);
        let ast = match &text {
            Some(text) => self.engine.compile(&text.text).map_err(|error| fault::while_compiling(text, &error))?,
            None => AST::empty(),
        };
        let functions = ast
            .iter_functions()
            .filter(|f| !f.name.starts_with("anon$"))
            .map(|f| (f.name.to_owned(), f.params.len()))
            .collect();
        let facts = text.as_ref().map(|text| Facts::of(&ast, text)).unwrap_or_default();
        Ok(Library { ast, text, functions, facts, warm: [const { RefCell::new(None) }; 2], tree: Tree::default() })
    }

    /// Compiles a script that sees these names, in this order, and the functions of its file.
    pub fn compile(&self, text: ScriptText, scope: &[&str], library: &Rc<Library>) -> Result<Script, Diagnostic> {
        let mut names = Scope::new();
        for name in scope {
            names.push_dynamic(*name, Dynamic::UNIT);
        }
        let ast = self
            .engine
            .compile_with_scope(&names, &text.text)
            .map_err(|error| fault::while_compiling(&text, &error))?;
        let facts = Facts::of(&ast, &text);
        Ok(Script(Rc::new(Compiled {
            ast,
            text: Rc::new(text),
            facts,
            library: library.clone(),
            tree: Tree::default(),
            own: scope.first().copied().filter(|first| matches!(*first, "state" | "row")).unwrap_or_default().into(),
            direct: OnceCell::new(),
            points: Vec::new(),
        })))
    }

    /// Runs a script over a scope. What it made and changed is in the scope afterwards.
    pub(super) fn run(&self, script: &Script, scope: &mut Scope<'_>) -> Result<Dynamic, Fault> {
        let outermost = self.floor.get().is_none();
        let mut before = u64::MAX;
        if outermost {
            let floor = Floor::here();
            before = memory::allow(floor.moved.saturating_add(Limits::BYTES));
            self.floor.set(Some(floor));
        }
        let mut result = run(&self.engine, script, scope, 0);
        if outermost {
            // Nobody looked after the last operation.
            if let (Ok((_, operations)), Some(floor)) = (&result, self.floor.take())
                && let Some(stop) = floor.exceeded(*operations)
            {
                result = stop.raise();
            }
            self.floor.set(None);
            memory::allow(before);
        }
        result.map(|(value, _)| value).map_err(|error| fault::while_running(script, *error))
    }
}

/// Runs a script in an engine, with `spent` operations already used. Gives its value and the operations used by then.
pub(super) fn run(
    engine: &Engine,
    script: &Script,
    scope: &mut Scope<'_>,
    spent: u64,
) -> Result<(Dynamic, u64), Box<rhai::EvalAltResult>> {
    let Script(script) = script;
    let library = &*script.library;
    let mut slot = library.warm.iter().find_map(|slot| slot.try_borrow_mut().ok());
    let mut warm = slot.as_mut().and_then(|slot| slot.take()).unwrap_or_else(|| {
        let mut global = engine.new_global_runtime_state();
        global.lib.push(library.ast.shared_lib().clone());
        Warm { global, caches: Caches::new() }
    });
    // Closures are functions of the script itself. What a call means may then differ from script to script.
    let closures = script.ast.has_functions();
    if closures {
        warm.global.lib.push(script.ast.shared_lib().clone());
        warm.caches = Caches::new();
    }
    warm.global.num_operations = spent;
    #[allow(deprecated)]
    let result = engine.eval_statements_raw(&mut warm.global, &mut warm.caches, scope, script.ast.statements());
    let used = warm.global.num_operations;
    if closures {
        warm.global.lib.pop();
        warm.caches = Caches::new();
    }
    // After an error the engine's own state may be anywhere: begin anew.
    if result.is_ok()
        && let Some(slot) = slot.as_mut()
    {
        **slot = Some(warm);
    }
    result.map(|value| (value, used))
}

fn note(notes: &RefCell<Vec<Note>>, text: &str) {
    let mut notes = notes.borrow_mut();
    if notes.len() < Limits::NOTES {
        notes.push(Note { text: text.to_owned() });
    }
}
