//! As much of the shell as command lines in Dockerfiles and Procfiles use.
//!
//! Owns splitting into commands and words, and replacing variables. Nothing is ever run.

/// How many words are taken from one command line.
const MAX_WORDS: usize = 256;
/// How long a text may become by replacing variables, in bytes: a variable may hold itself twice, line after line.
const MAX_REPLACED: usize = 4096;

/// The commands of a line, each as its words: `cd x && gunicorn "a b"` gives `[[cd, x], [gunicorn, a b]]`.
pub(super) fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut words = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if words == MAX_WORDS {
            break;
        }
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '&' | ';' | '|' | '\n') => {
                push(&mut commands, word.take(), &mut words);
                commands.push(Vec::new());
            }
            (None, c) if c.is_whitespace() => push(&mut commands, word.take(), &mut words),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    push(&mut commands, word, &mut words);
    commands.retain(|command| !command.is_empty());
    commands
}

fn push(commands: &mut [Vec<String>], word: Option<String>, words: &mut usize) {
    if let (Some(word), Some(last)) = (word, commands.last_mut()) {
        last.push(word);
        *words += 1;
    }
}

/// Whether only a shell can run this line.
pub(super) fn needs_shell(text: &str) -> bool {
    text.contains(['$', '&', ';', '|', '<', '>', '`', '*', '(', '~'])
}

/// Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}` and `${NAME:+other}`. A variable without a value
/// stays as it is written. The result is cut at [`MAX_REPLACED`].
pub(super) fn substitute(text: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (consumed, replaced) = variable(after, value);
        match replaced {
            Some(replaced) => out.push_str(&replaced),
            None => out.push_str(&rest[at..at + 1 + consumed]),
        }
        rest = &after[consumed..];
        if out.len() > MAX_REPLACED {
            break;
        }
    }
    out.push_str(rest);
    out.truncate(out.floor_char_boundary(MAX_REPLACED));
    out
}

/// How many bytes after the `$` belong to the variable, and what replaces it.
fn variable(after: &str, value: &dyn Fn(&str) -> Option<String>) -> (usize, Option<String>) {
    let name_length = |text: &str| text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let Some(inner) = after.strip_prefix('{') else {
        let length = name_length(after);
        return (length, if length == 0 { None } else { value(&after[..length]) });
    };
    let Some(end) = inner.find('}') else { return (0, None) };
    let inner = &inner[..end];
    let (name, modifier) = inner.split_at(name_length(inner));
    let set = value(name).filter(|value| !value.is_empty());
    let replaced = if let Some(default) = modifier.strip_prefix(":-").or_else(|| modifier.strip_prefix('-')) {
        Some(set.unwrap_or_else(|| default.to_owned()))
    } else if let Some(other) = modifier.strip_prefix(":+").or_else(|| modifier.strip_prefix('+')) {
        Some(if set.is_some() { other.to_owned() } else { String::new() })
    } else {
        set
    };
    (end + 2, replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split_as_a_shell_does() {
        assert_eq!(
            commands(r#"cd /app && exec gunicorn "a b"c 'x"y' z\ w; true"#),
            [vec!["cd", "/app"], vec!["exec", "gunicorn", "a bc", "x\"y", "z w"], vec!["true"]]
        );
        assert_eq!(commands("'' \"open"), [["", "open"]]);
        assert!(commands("  &&  ").is_empty());
    }

    #[test]
    fn variables_are_replaced() {
        let value = |name: &str| (name == "PORT").then(|| "80".to_owned());
        let replaced = |text| substitute(text, &value);
        assert_eq!(replaced(":$PORT/${PORT}/${PORT:-9}/${X:-8000}/${X-7}/${PORT:+y}${X:+n}"), ":80/80/80/8000/7/y");
        assert_eq!(replaced("$X ${X} $ ${open $5é"), "$X ${X} $ ${open $5é");
    }
}
