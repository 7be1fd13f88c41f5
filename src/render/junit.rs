//! How scenarios went, as JUnit XML, which CI systems read: a suite a domain, a case a scenario.

use super::report;
use super::table::Wide;
use esctl::diagnostic;
use esctl::event::is_control;
use esctl::workbench::test::{ScenarioOutcome, ScenarioResult};
use std::fmt::Write as _;
use std::io::{self, Write};

/// Writes the whole document. No time stands in it: the same results are the same text.
pub fn write(results: &[ScenarioResult], out: &mut impl Write) -> io::Result<()> {
    let all: Vec<_> = results.iter().collect();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"esctl test\" {}>", counts(&all))?;
    let mut domains: Vec<&str> = Vec::new();
    for result in results {
        if !domains.contains(&result.domain.as_str()) {
            domains.push(&result.domain);
        }
    }
    for domain in domains {
        let of_domain: Vec<_> = results.iter().filter(|result| result.domain == domain).collect();
        writeln!(out, "  <testsuite name=\"{}\" {}>", attribute(domain), counts(&of_domain))?;
        of_domain.into_iter().try_for_each(|result| case(result, out))?;
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn counts(results: &[&ScenarioResult]) -> String {
    let number = |outcome: &str| results.iter().filter(|result| report::word(&result.outcome) == outcome).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" time=\"0\"",
        results.len(),
        number("failed"),
        number("error")
    )
}

fn case(result: &ScenarioResult, out: &mut impl Write) -> io::Result<()> {
    write!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"0\"",
        attribute(&result.domain),
        attribute(&result.name),
        attribute(&result.place.source.name),
        result.place.line()
    )?;
    let (element, message, words) = match &result.outcome {
        ScenarioOutcome::Passed => return writeln!(out, "/>"),
        ScenarioOutcome::Failed(differences) => {
            let mut words = Vec::new();
            for found in differences {
                report::difference(found, &mut words, Wide::Text)?;
            }
            let what: Vec<_> = differences.iter().map(|found| found.what.as_str()).collect();
            let message = format!("not as expected: {}", what.join(", "));
            ("failure", message, String::from_utf8_lossy(&words).into_owned())
        }
        ScenarioOutcome::Broken(problem) => {
            let words = diagnostic::render(std::slice::from_ref(problem), false);
            ("error", problem.message.clone(), words)
        }
    };
    let place = report::place(&result.place);
    let (message, words) = (attribute(&message), escaped(words.trim_end(), false));
    writeln!(out, ">\n      <{element} message=\"{message}\" type=\"{}\">", report::word(&result.outcome))?;
    writeln!(out, "{}\n{words}\n      </{element}>\n    </testcase>", escaped(&place, false))
}

fn attribute(text: &str) -> String {
    escaped(text, true)
}

/// A text as XML has it. What XML cannot hold, or a terminal would obey, is written as JSON escapes it.
fn escaped(text: &str, attribute: bool) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' if !attribute => out.push(c),
            // A reader would make spaces of them.
            '\n' | '\t' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if is_control(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_name_holds_is_xml() {
        assert_eq!(attribute("a<b>&\"c'\n\t\r"), "a&lt;b&gt;&amp;&quot;c'&#10;&#9;&#13;");
        assert_eq!(escaped("]]>\n\t\u{0}\u{1b}\u{fffe}\u{202e}é", false), "]]&gt;\n\t\\u0000\\u001b\\ufffe\\u202eé");
    }
}
