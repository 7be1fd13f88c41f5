//! `man`: the manual, made of the help of the verbs.

use super::context::Context;
use super::failure::{Exit, Failure, Kind};
use super::newfile::NewFile;
use crate::render::Format;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
examples:
  esctl man > esctl.1
  esctl man man1";

/// How a page of ours begins: only such a one is written over.
const MARK: &str = ".\\\" Made by `esctl man`.\n";

/// print the manual page of esctl, or write the pages of all verbs into a folder
///
/// In a folder named `man1` on the manual's path, such as `~/.local/share/man/man1`, `man esctl` and `man esctl-send` find them.
/// The folder is made if need be. Pages that an earlier `esctl man` wrote are replaced; other files are left alone: where one
/// has the name of a page, nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// the folder; without one, esctl(1) is printed
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Runs the verb; `program` is the command line with all its verbs.
pub fn run(args: &ManArgs, program: Command, context: &mut Context) -> Result<Exit, Failure> {
    if context.out.format != Format::Table {
        return Err(Failure::usage("`man` prints a manual page, which has one form").hint("leave out `-o`"));
    }
    let pages = pages(program).map_err(Failure::output)?;
    match &args.folder {
        Some(folder) => {
            write(folder, &pages)?;
            let count = pages.len();
            context.talk.note(&format!("wrote {count} pages into `{}`, from `esctl.1` on", folder.display()));
        }
        None => {
            let page = pages.first().map(|(_, text)| text.as_str()).unwrap_or_default();
            context.out.text(page).map_err(Failure::output)?;
        }
    }
    Ok(Exit::Done)
}

/// All pages, with the names of their files; the first is that of esctl itself.
fn pages(mut program: Command) -> io::Result<Vec<(String, String)>> {
    program.build();
    let mut pages = Vec::new();
    let mut rest = vec![(String::from("esctl"), program)];
    while let Some((name, command)) = rest.pop() {
        let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        let verbs: Vec<_> = verbs.map(|verb| (format!("{name}-{}", verb.get_name()), verb.clone())).collect();
        pages.push((format!("{name}.1"), page(&name, &command, &verbs)?));
        rest.extend(verbs.into_iter().rev());
    }
    Ok(pages)
}

fn page(name: &str, command: &Command, verbs: &[(String, Command)]) -> io::Result<String> {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let (sentence, story) = about.split_once("\n\n").unwrap_or((&about, ""));
    let more = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut page = MARK.as_bytes().to_vec();
    // Its name in the sentence by which `apropos` finds it, its words as they are typed everywhere else.
    let man = Man::new(
        command.clone().about(sentence.to_owned()).display_name(name).after_help("").subcommand_help_heading("verbs"),
    );
    let man = man.title(name).manual("esctl").source(format!("esctl {}", env!("CARGO_PKG_VERSION")));
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    if !story.is_empty() {
        let mut section = Roff::new();
        section.control("SH", ["DESCRIPTION"]);
        for paragraph in story.split("\n\n") {
            section.control("PP", []).text([roman(paragraph.replace('\n', " "))]);
        }
        section.to_writer(&mut page)?;
    }
    man.render_options_section(&mut page)?;
    if !verbs.is_empty() {
        let mut section = Roff::new();
        section.control("SH", ["VERBS"]);
        for (name, verb) in verbs {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            section.control("TP", []).text([bold(format!("{name}(1)"))]);
            section.text([roman(about.lines().next().unwrap_or_default())]);
        }
        section.to_writer(&mut page)?;
    }
    sections(&more).to_writer(&mut page)?;
    let mut also = Roff::new();
    also.control("SH", ["SEE ALSO"]);
    match name.rsplit_once('-') {
        Some((above, _)) => also.text([bold(above), roman("(1)")]),
        None => also.text([bold("esctl help"), roman(" "), italic("TOPIC")]),
    };
    also.to_writer(&mut page)?;
    String::from_utf8(page).map_err(io::Error::other)
}

/// What stands below the arguments: blocks of lines under a heading, which stay as they are.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    for block in text.split("\n\n") {
        let (heading, lines) = block.split_once(":\n").unwrap_or(("", block));
        if heading.is_empty() {
            roff.control("PP", []);
            roff.text([roman(lines.replace('\n', " "))]);
            continue;
        }
        roff.control("SH", [heading.to_uppercase().as_str()]).control("nf", []);
        for line in lines.lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    roff
}

/// Writes all pages, or none where one would take the place of something else.
fn write(folder: &Path, pages: &[(String, String)]) -> Result<(), Failure> {
    for (name, _) in pages {
        let path = folder.join(name);
        if fs::symlink_metadata(&path).is_ok() && !is_ours(&path) {
            let words =
                format!("`{}` is there, and is no page that `esctl man` wrote: nothing was written", path.display());
            return Err(Failure::usage(words).hint("name another folder"));
        }
    }
    let failed = |path: &Path, error: &io::Error| {
        Failure::new(Kind::Unavailable, format!("`{}` cannot be written: {error}", path.display()))
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    for (name, text) in pages {
        let path = folder.join(name);
        let (new, mut file) = NewFile::over(&path)?;
        file.write_all(text.as_bytes()).map_err(|error| failed(&path, &error))?;
        drop(file);
        new.finish()?;
    }
    Ok(())
}

fn is_ours(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MARK.len() as u64).read_to_end(&mut start));
    path.is_file() && read.is_ok() && start == MARK.as_bytes()
}
