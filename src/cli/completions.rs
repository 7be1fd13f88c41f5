//! `completions`: what a shell needs to complete the words of esctl.

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::render::Format;
use clap::ValueEnum;
use clap::builder::PossibleValue;

const EXAMPLES: &str = "\
examples:
  esctl completions bash > esctl.bash
  esctl completions zsh > _esctl
  esctl completions fish > esctl.fish";

/// print what makes a shell complete verbs, flags, files, and the names in the domain and the store
///
/// Streams, commands of the stream, their fields and the values these can have, event types, projections with their columns
/// and processes are those that are there when the key is pressed. A domain that is not sound completes nothing of its own.
///
/// For bash, a file that `~/.bashrc` reads; for zsh, one named `_esctl` in a folder of `$fpath`; for fish, one in
/// `~/.config/fish/completions`. `docs/editors.md` shows each.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// the shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl ValueEnum for Shell {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Bash, Self::Zsh, Self::Fish]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }))
    }
}

/// Runs the verb.
pub fn run(args: &CompletionsArgs, context: &mut Context) -> Result<Exit, Failure> {
    if context.out.format != Format::Table {
        return Err(
            Failure::usage("`completions` prints a script for a shell, which has one form").hint("leave out `-o`")
        );
    }
    let script = match args.shell {
        Shell::Bash => include_str!("completions/esctl.bash"),
        Shell::Zsh => include_str!("completions/_esctl"),
        Shell::Fish => include_str!("completions/esctl.fish"),
    };
    context.out.text(script).map_err(Failure::output)?;
    Ok(Exit::Done)
}
