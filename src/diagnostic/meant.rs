//! What was meant by a word that is not known.

/// Words longer than this are no slips of the hand, and would be slow to compare.
const MAX_SUGGESTION: usize = 64;
/// The most words that a hint lists.
const MAX_LISTED: usize = 20;

/// What to say of a word that is not among the known ones: ``did you mean `x`?``, or, where none of them is near,
/// all of them after the words `all`. `None` where nothing is known.
pub fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>, all: &str) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    match suggest(word, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!("{all} {}", list(&known[..known.len().min(MAX_LISTED)]))),
    }
}

/// `` `a`, `b` and `c` ``; `nothing` where there is none.
pub fn list(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => "nothing".to_owned(),
        Some((one, [])) => one.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// The candidate that a mistyped word was probably meant to be. One that differs only in case wins, then the
/// nearest, then the first; about a third of the letters may be wrong.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > MAX_SUGGESTION {
        return None;
    }
    let lower = word.to_lowercase();
    let mut best: Option<((usize, usize), &'a str)> = None;
    for candidate in candidates {
        let candidate_length = candidate.chars().count();
        if candidate_length > MAX_SUGGESTION || candidate == word {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        if distance * 3 > length.max(candidate_length) {
            continue;
        }
        let rank = (distance, strsim::damerau_levenshtein(word, candidate));
        if best.is_none_or(|(known, _)| rank < known) {
            best = Some((rank, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised() {
        let fields = ["amount", "ref", "owner", "id", "Amounts"];
        assert_eq!(suggest("ammount", fields), Some("amount"));
        assert_eq!(suggest("AMOUNT", fields), Some("amount"));
        assert_eq!(suggest("Amounts", fields), Some("amount"));
        assert_eq!(suggest("amounts", fields), Some("Amounts"));
        assert_eq!(suggest("onwer", fields), Some("owner"));
        assert_eq!(suggest("reff", fields), Some("ref"));
        assert_eq!(suggest("if", fields), None);
        assert_eq!(suggest("currency", fields), None);
        assert_eq!(suggest("", fields), None);
        assert_eq!(suggest(&"a".repeat(100_000), fields), None);
    }

    #[test]
    fn a_hint_names_what_is_near_or_all_there_is() {
        let meant = |word, known: &[&'static str]| meant(word, known.iter().copied(), "`Deposited` has");
        assert_eq!(meant("ammount", &["amount", "ref"]).unwrap(), "did you mean `amount`?");
        assert_eq!(meant("currency", &["amount", "ref", "by"]).unwrap(), "`Deposited` has `amount`, `ref` and `by`");
        assert_eq!(meant("currency", &["amount"]).unwrap(), "`Deposited` has `amount`");
        assert_eq!(meant("currency", &[]), None);
        assert_eq!(list(&[]), "nothing");
    }
}
