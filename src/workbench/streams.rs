//! What streams there are.

use super::{Error, PAGE, Workbench};
use crate::store::StreamInfo;
use std::ops::ControlFlow;

impl Workbench {
    /// Hands over the streams by name; `pattern` is matched against the whole name, `*` and `?` as in a shell.
    pub fn streams(
        &mut self,
        pattern: Option<&str>,
        each: &mut dyn FnMut(StreamInfo) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let pattern: Option<Vec<char>> = pattern.map(|pattern| pattern.chars().collect());
        self.each_stream(|_, info| {
            let wanted = pattern.as_ref().is_none_or(|pattern| matches(pattern, info.name.as_str()));
            Ok(if wanted { each(info) } else { ControlFlow::Continue(()) })
        })
    }

    /// Does something with every stream, in the order of their names. What comes meanwhile is seen if its name is still to
    /// come.
    pub(super) fn each_stream(
        &mut self,
        mut each: impl FnMut(&mut Self, StreamInfo) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let mut last = None;
        loop {
            let page = self.store.streams(last.as_ref(), PAGE)?;
            let done = page.len() < PAGE;
            last = page.last().map(|info| info.name.clone());
            for info in page {
                if each(self, info)?.is_break() {
                    return Ok(());
                }
            }
            if done {
                return Ok(());
            }
        }
    }
}

/// Whether a name matches a pattern: `*` is any text, `?` one character. Linear but for the last `*`.
fn matches(pattern: &[char], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_names() {
        let m = |pattern: &str, name: &str| matches(&pattern.chars().collect::<Vec<_>>(), name);
        assert!(m("account/*", "account/ada"));
        assert!(!m("account/*", "order/ada"));
        assert!(!m("account", "account/ada"));
        assert!(m("*/a?a", "account/ada"));
        assert!(m("*a*a", "account/ada"));
        assert!(!m("*x*", "account/ada"));
        assert!(m("*", ""));
        assert!(!m("", "a"));
    }
}
