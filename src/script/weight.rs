//! What values weigh: functions that go through large values are charged for it, and none makes more than there is room for.
//!
//! To the engine a call is one operation, whether it looks at a letter or at a megabyte. The functions here are those of
//! Rhai's packages, run by an engine of their own after their arguments were weighed. What takes memory needs no such
//! care: the allocator sees it. Texts share their memory, so a list can hold one of a megabyte a thousand times and weigh
//! little; it is weighed here as it would be written out.

use super::fault::Stop;
use super::functions::{MAX_GROWTH, too_large};
use super::host::Limits;
use super::memory;
use crate::json;
use rhai::plugin::{RhaiFunc, TypeId};
use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FuncRegistration, ImmutableString, Map, Module, NativeCallContext, Shared,
};
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// What an item of a list or a map weighs beside its text, in bytes.
const ITEM: usize = 16;
/// So many bytes are gone through in the time in which one is copied to new memory.
const QUICKER: usize = 8;
/// Comparing items takes so much longer than copying them.
const SLOWER: usize = 16;

/// How a function is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charge {
    /// For its texts and lists, without what is in these.
    Length,
    /// For all that its arguments hold.
    Whole,
    /// For the length of its list and all of what it takes out of it.
    Taken,
}
use Charge::{Length, Taken, Whole};

/// Functions that go through what they are given: their names, the types of their arguments, whether they change the
/// first, and what they are charged for. `s` is a text, `c` a character, `i` an integer, `a` a list, `m` a map, `d`
/// anything, `r` and `R` a range without and with its end.
#[rustfmt::skip]
const WEIGHED: &[(&str, &[&str], bool, Charge)] = &[
    ("len", &["s"], false, Length),
    ("get$len", &["s"], false, Length),
    ("contains", &["ss", "sc"], false, Length),
    ("contains", &["ad"], false, Whole),
    ("starts_with", &["ss"], false, Length),
    ("ends_with", &["ss"], false, Length),
    ("index_of", &["ss", "sc", "ssi", "sci"], false, Whole),
    ("index_of", &["ad", "adi"], false, Whole),
    ("get", &["si"], false, Whole),
    ("sub_string", &["si", "sii", "sr", "sR"], false, Length),
    ("min", &["ss"], false, Length),
    ("max", &["ss"], false, Length),
    ("==", &["aa", "mm"], false, Whole),
    ("!=", &["aa", "mm"], false, Whole),
    ("keys", &["m"], false, Whole),
    ("values", &["m"], false, Whole),
    ("+", &["mm"], false, Whole),
    ("+=", &["mm"], true, Whole),
    ("mixin", &["mm"], true, Whole),
    ("fill_with", &["mm"], true, Whole),
    ("remove", &["ss", "sc"], true, Length),
    ("truncate", &["si", "ai"], true, Length),
    ("crop", &["si", "sii", "sr", "sR"], true, Length),
    ("set", &["sic"], true, Whole),
    ("trim", &["s"], true, Whole),
    ("to_upper", &["s"], false, Whole),
    ("to_lower", &["s"], false, Whole),
    ("make_upper", &["s"], true, Whole),
    ("make_lower", &["s"], true, Whole),
    ("insert", &["aid"], true, Length),
    ("reverse", &["a"], true, Length),
    ("chop", &["ai"], true, Length),
    ("splice", &["aiia", "ara", "aRa"], true, Length),
    ("sort", &["a"], true, Whole),
    ("sort_desc", &["a"], true, Whole),
    ("order", &["a"], true, Whole),
    ("order_desc", &["a"], true, Whole),
    ("dedup", &["a"], true, Whole),
    ("pop", &["s", "si", "a"], true, Taken),
    ("shift", &["a"], true, Taken),
    ("remove", &["ai", "ms"], true, Taken),
    ("drain", &["aii", "ar", "aR"], true, Taken),
    ("retain", &["aii", "ar", "aR"], true, Taken),
];

/// Puts them into an engine before those of its packages.
pub(super) fn register(engine: &mut Engine, packages: impl IntoIterator<Item = Shared<Module>>) {
    let mut inner = Engine::new_raw();
    for package in packages {
        inner.register_global_module(package);
    }
    let mut weighed = Weighed { module: Module::new(), inner: Rc::new(inner) };
    for (name, signatures, changes, charge) in WEIGHED {
        for signature in *signatures {
            weighed.function(name, signature, *changes, *charge);
        }
    }
    // What `print` and `debug` give is printed by the engine that calls them.
    for (name, inner) in
        [("to_string", "to_string"), ("print", "to_string"), ("to_debug", "to_debug"), ("debug", "to_debug")]
    {
        weighed.written(name, inner, "a");
        weighed.written(name, inner, "m");
    }
    for signature in ["sd", "ds", "cs"] {
        weighed.joined("+", signature, false);
    }
    weighed.joined("+=", "sd", true);
    weighed.joined("append", "sd", true);
    engine.register_global_module(weighed.module.into());
    engine
        .register_fn("==", |a: &str, b: &str| same(a, b))
        .register_fn("!=", |a: &str, b: &str| same(a, b).map(|same| !same))
        .register_fn("+", |a: ImmutableString, b: ImmutableString| -> Outcome<ImmutableString> {
            room_for("+", a.len().saturating_add(b.len()))?;
            Ok(a + b)
        })
        .register_fn("+=", |a: &mut ImmutableString, b: ImmutableString| -> Outcome<()> {
            room_for("+=", a.len().saturating_add(b.len()))?;
            *a += b;
            Ok(())
        });
}

fn same(a: &str, b: &str) -> Outcome<bool> {
    // Texts of other lengths are told apart at once.
    if a.len() == b.len() {
        compared(a, b)?;
    }
    Ok(a == b)
}

/// Charges for comparing two texts.
pub(super) fn compared(a: &str, b: &str) -> Outcome<()> {
    charge(a.len().min(b.len()))
}

fn room_for(what: &str, bytes: usize) -> Outcome<()> {
    if bytes > MAX_GROWTH { too_large(what) } else { Ok(()) }
}

/// Charges for going through so many bytes; an error where that is more than a script may do.
fn charge(bytes: usize) -> Outcome<()> {
    if memory::charge(bytes / QUICKER) { Ok(()) } else { Stop::failed(super::fault::too_many_operations()) }
}

/// What a value weighs, in bytes, each text as often as it is held. Fails where it is nested deeper than data may be, and
/// where it is more than a script may go through.
pub(super) fn weight(value: &Dynamic) -> Outcome<usize> {
    let most = usize::try_from(Limits::BYTES).unwrap_or(usize::MAX);
    let mut left = most;
    match weigh(value, json::MAX_DEPTH, &mut left) {
        Ok(()) => Ok(most - left),
        Err(TooMuch::Deep) => Stop::failed(format!("a value is nested more than {} deep", json::MAX_DEPTH)),
        Err(TooMuch::Large) => Stop::failed(super::fault::too_many_operations()),
    }
}

/// Why a value is not weighed to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TooMuch {
    Deep,
    Large,
}

fn weigh(value: &Dynamic, depth: usize, left: &mut usize) -> Result<(), TooMuch> {
    let mut take = |bytes: usize| {
        *left = left.checked_sub(bytes).ok_or(TooMuch::Large)?;
        Ok(())
    };
    take(ITEM)?;
    let deeper = depth.checked_sub(1).ok_or(TooMuch::Deep);
    if let Ok(text) = value.as_immutable_string_ref() {
        return take(text.len());
    }
    if let Ok(list) = value.as_array_ref() {
        let depth = deeper?;
        return list.iter().try_for_each(|item| weigh(item, depth, left));
    }
    if let Ok(map) = value.as_map_ref() {
        let depth = deeper?;
        return map.iter().try_for_each(|(key, value)| {
            *left = left.checked_sub(key.len()).ok_or(TooMuch::Large)?;
            weigh(value, depth, left)
        });
    }
    Ok(())
}

/// What a value weighs by itself, without what is in it.
fn length(value: &Dynamic) -> usize {
    if let Ok(text) = value.as_immutable_string_ref() {
        return text.len();
    }
    value.as_array_ref().map_or(0, |list| list.len() * ITEM)
}

/// What orders a list looks at each item as often as this.
fn rounds(name: &str, list: &Dynamic) -> usize {
    let sorts = name.starts_with("sort") || name.starts_with("order");
    if sorts { list.as_array_ref().map_or(1, |list| list.len().max(2).ilog2() as usize + 1) } else { 1 }
}

/// Calls a function as it is.
type Call<'a> = dyn Fn(&mut [&mut Dynamic]) -> Outcome<Dynamic> + 'a;

struct Weighed {
    module: Module,
    /// Knows the functions as they are.
    inner: Rc<Engine>,
}

impl Weighed {
    /// A function with something done before, or in place of, `inner`, which is one of the packages.
    fn put(
        &mut self,
        name: &'static str,
        inner: &'static str,
        signature: &str,
        changes: bool,
        act: impl Fn(&Call<'_>, &mut [&mut Dynamic]) -> Outcome<Dynamic> + 'static,
    ) {
        let types: Vec<TypeId> = signature.chars().map(type_of).collect();
        let engine = self.inner.clone();
        let call = move |context: Option<NativeCallContext<'_>>, arguments: &mut [&mut Dynamic]| {
            let Some(context) = context else { return Ok(Dynamic::UNIT) };
            let global = context.global_runtime_state();
            let within = NativeCallContext::from((&*engine, inner, None, global, context.call_position()));
            act(&|arguments| within.call_native_fn_raw(inner, true, arguments), arguments)
        };
        let function =
            RhaiFunc::Method { func: Shared::new(call), has_context: true, is_pure: !changes, is_volatile: true };
        FuncRegistration::new(name).in_global_namespace().set_into_module_raw(&mut self.module, types, function);
    }

    fn function(&mut self, name: &'static str, signature: &str, changes: bool, charged: Charge) {
        self.put(name, name, signature, changes, move |call, arguments| {
            let bytes = match charged {
                Length | Taken => arguments.iter().map(|argument| length(argument)).sum::<usize>(),
                Whole => {
                    let rounds = arguments.first().map_or(1, |list| rounds(name, list));
                    let weights = arguments.iter().map(|argument| weight(argument));
                    weights.sum::<Outcome<usize>>()?.saturating_mul(SLOWER * QUICKER).saturating_mul(rounds)
                }
            };
            charge(bytes)?;
            let result = call(arguments)?;
            if charged == Taken {
                // What is taken out can be put into something else without being copied, deeper and deeper.
                charge(weight(&result)?)?;
            }
            Ok(result)
        });
    }

    /// A list or a map becomes a text.
    fn written(&mut self, name: &'static str, inner: &'static str, signature: &str) {
        self.put(name, inner, signature, false, |call, arguments| {
            let fits = arguments.iter().all(|argument| weight(argument).is_ok_and(|bytes| bytes <= MAX_GROWTH));
            if fits {
                return call(arguments);
            }
            // An error would have it written out in another way. The script has come to its end.
            memory::charge(usize::try_from(Limits::BYTES).unwrap_or(usize::MAX));
            Ok(ImmutableString::new().into())
        });
    }

    /// A text and something else become one text.
    fn joined(&mut self, name: &'static str, signature: &str, changes: bool) {
        self.put(name, name, signature, changes, move |call, arguments| {
            let weights = arguments.iter().map(|argument| weight(argument));
            room_for(name, weights.sum::<Outcome<usize>>()?)?;
            call(arguments)
        });
    }
}

fn type_of(letter: char) -> TypeId {
    match letter {
        's' => TypeId::of::<ImmutableString>(),
        'c' => TypeId::of::<char>(),
        'i' => TypeId::of::<i64>(),
        'a' => TypeId::of::<Array>(),
        'm' => TypeId::of::<Map>(),
        'r' => TypeId::of::<Range<i64>>(),
        'R' => TypeId::of::<RangeInclusive<i64>>(),
        _ => TypeId::of::<Dynamic>(),
    }
}
