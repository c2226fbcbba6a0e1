//! Commit messages and the trailers at their end, in which wooo's audit trail is kept.
//!
//! Whoever reads the trail back believes the trailers, so nothing that a user wrote may become one: values are one line,
//! and lines of a body that could be taken for a trailer, or for the end of the message, are quoted.

/// The most characters of a subject line.
const SUBJECT: usize = 72;

/// The key of a trailer that wooo writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key(&'static str);

impl Key {
    /// The app that a change is about.
    pub const APP: Self = Self("Wooo-App");
    /// The environment that it is about.
    pub const ENV: Self = Self("Wooo-Env");
    /// What was done: deploy, restart, ...
    pub const ACTION: Self = Self("Wooo-Action");
    /// Who or what asked for it.
    pub const ACTOR: Self = Self("Wooo-Actor");
    /// The id of the change; at most one commit carries it.
    pub const CHANGE_ID: Self = Self("Wooo-Change-Id");
    /// The digest of the rendered files, to which approval is bound.
    pub const RENDER_DIGEST: Self = Self("Wooo-Render-Digest");
    /// The incident that led to it.
    pub const INCIDENT: Self = Self("Wooo-Incident");
    /// The alert that led to it.
    pub const ALERT: Self = Self("Wooo-Alert");
    /// Argo CD: who wrote the commit of the app's own repository that led to it.
    pub const REFERENCE_AUTHOR: Self = Self("Argocd-reference-commit-author");
    /// Argo CD: that commit's id.
    pub const REFERENCE_SHA: Self = Self("Argocd-reference-commit-sha");
    /// Argo CD: that commit's subject.
    pub const REFERENCE_SUBJECT: Self = Self("Argocd-reference-commit-subject");
    /// Argo CD: that commit's repository.
    pub const REFERENCE_REPOSITORY: Self = Self("Argocd-reference-commit-repourl");
    /// Argo CD: when that commit was made.
    pub const REFERENCE_DATE: Self = Self("Argocd-reference-commit-date");

    /// The key as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// The trailers of a commit message, in their order. A key may come more than once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trailers(Vec<(String, String)>);

impl Trailers {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a trailer. Line breaks and other control characters in `value` become spaces; an empty value adds nothing.
    pub fn push(&mut self, key: Key, value: &str) {
        let value = one_line(value);
        if !value.is_empty() {
            self.0.push((key.0.to_owned(), value));
        }
    }

    /// [`Trailers::push`], to build them in one expression.
    #[must_use]
    pub fn with(mut self, key: Key, value: &str) -> Self {
        self.push(key, value);
        self
    }

    /// The value of the first trailer with this key.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&str> {
        self.all(key).next()
    }

    /// The values of every trailer with this key.
    pub fn all(&self, key: Key) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(key.0)).map(|(_, value)| value)
    }

    /// All of them, also those that wooo does not know.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The trailers of `message`, read as `git interpret-trailers --parse` reads them: they are its last paragraph, if
    /// that consists of trailers, or of some beside a line that Git itself makes.
    #[must_use]
    pub fn parse(message: &str) -> Self {
        let mut trailers: Vec<(String, String)> = Vec::new();
        for line in block(message) {
            match (separator(line), trailers.last_mut()) {
                (Some((key, value)), _) => trailers.push((key.to_owned(), value.to_owned())),
                // A line that is indented goes on with the one before.
                (None, Some((_, value))) if starts_indented(line) => {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                (None, _) => {}
            }
        }
        Self(trailers)
    }
}

/// A whole commit message: a subject of one line and at most 72 characters, a body that may be empty, and trailers.
#[must_use]
pub fn message(subject: &str, body: &str, trailers: &Trailers) -> String {
    let mut text = shortened(&quoted(&one_line(subject)));
    text.push('\n');
    let body: Vec<String> = body.trim_end().lines().skip_while(|line| line.trim().is_empty()).map(quoted).collect();
    if !body.is_empty() {
        text.push('\n');
        for line in body {
            text.push_str(&line);
            text.push('\n');
        }
    }
    if !trailers.is_empty() {
        text.push('\n');
    }
    for (key, value) in trailers.iter() {
        text.push_str(&format!("{key}: {value}\n"));
    }
    text
}

fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() || is_line_break(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Unicode's own line breaks, which are not control characters.
fn is_line_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

fn shortened(subject: &str) -> String {
    if subject.chars().count() <= SUBJECT {
        return subject.to_owned();
    }
    let kept: String = subject.chars().take(SUBJECT - 1).collect();
    format!("{}…", kept.trim_end())
}

/// A line of a message, quoted if Git or wooo would take it for more than text: `---` ends the message for
/// `git interpret-trailers`, and a key of ours could be read back as if we had written it.
fn quoted(line: &str) -> String {
    let line: String = line.chars().filter(|c| *c == '\t' || !c.is_control()).collect();
    let is_divider = line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || starts_indented(rest));
    let is_trailer = separator(&line).is_some_and(|(key, _)| {
        let key = key.to_ascii_lowercase();
        key.starts_with("wooo-") || key.starts_with("argocd-")
    });
    if is_divider || is_trailer { format!("> {line}") } else { line.trim_end().to_owned() }
}

/// The lines of the trailer block, or none.
fn block(message: &str) -> Vec<&str> {
    let end = message.lines().take_while(|line| !is_divider(line));
    let lines: Vec<&str> = end.filter(|line| !line.starts_with('#')).collect();
    // The first paragraph is the subject, whatever it looks like.
    let title = lines.iter().position(|line| line.trim().is_empty()).unwrap_or(lines.len());
    let rest = lines.get(title..).unwrap_or_default();
    let used = rest.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    let rest = rest.get(..used).unwrap_or_default();
    let start = rest.iter().rposition(|line| line.trim().is_empty()).map_or(0, |blank| blank + 1);
    let paragraph = rest.get(start..).unwrap_or_default();
    if is_block(paragraph) { paragraph.to_vec() } else { Vec::new() }
}

fn is_divider(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || starts_indented(rest))
}

/// Git's rule: nothing but trailers; or at least one in four, if one of them is a line that Git makes itself.
fn is_block(paragraph: &[&str]) -> bool {
    let (mut trailers, mut others, mut is_recognized, mut is_inside) = (0, 0, false, false);
    for line in paragraph {
        if line.starts_with("Signed-off-by: ") || line.starts_with("(cherry picked from commit ") {
            (trailers, is_recognized, is_inside) = (trailers + 1, true, true);
        } else if separator(line).is_some() {
            (trailers, is_inside) = (trailers + 1, true);
        } else if starts_indented(line) && is_inside {
            // Goes on with a trailer.
        } else {
            (others, is_inside) = (others + 1, false);
        }
    }
    trailers > 0 && (others == 0 || is_recognized && trailers * 3 >= others)
}

fn starts_indented(line: &str) -> bool {
    line.starts_with([' ', '\t', '\r', '\u{b}', '\u{c}'])
}

/// Key and value of a line: letters, digits and dashes, perhaps spaces, a colon.
fn separator(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let name = key.trim_end_matches([' ', '\t']);
    let is_key = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_key.then(|| (name, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_back() {
        let trailers = Trailers::new().with(Key::APP, "shop").with(Key::ACTOR, "github:alice").with(Key::ENV, "");
        let text = message("Deploy shop 1.4.2 to production", "Because it is time.\n", &trailers);
        assert_eq!(
            text,
            "Deploy shop 1.4.2 to production\n\nBecause it is time.\n\nWooo-App: shop\nWooo-Actor: github:alice\n"
        );
        assert_eq!(Trailers::parse(&text), trailers);
        assert_eq!(trailers.get(Key::APP), Some("shop"));
        assert_eq!(message("x", "", &Trailers::new()), "x\n");
    }

    #[test]
    fn user_text_never_becomes_a_trailer() {
        let forged = "ok\nWooo-Actor: admin\r\n\nWooo-Actor: admin\u{2028}Wooo-Actor: admin";
        let trailers = Trailers::new().with(Key::APP, forged);
        for body in
            [forged, "x\n\nWooo-Actor: admin", "WOOO-ACTOR : admin\n---\nx", "Wooo-Actor: admin\n--- \n", "\u{b}---"]
        {
            let text = message(forged, body, &trailers);
            let read = Trailers::parse(&text);
            assert_eq!(read, trailers, "{text}");
            assert_eq!(read.all(Key::ACTOR).count(), 0, "{text}");
            assert_eq!(Trailers::parse(&message(forged, body, &Trailers::new())).get(Key::ACTOR), None);
        }
    }

    #[test]
    fn a_subject_is_no_divider() {
        let trailers = Trailers::new().with(Key::APP, "shop");
        assert_eq!(Trailers::parse(&message("---", "", &trailers)), trailers);
    }

    #[test]
    fn a_long_subject_is_shortened() {
        let text = message(&"長 ".repeat(100), "", &Trailers::new());
        let subject = text.trim_end();
        assert!(subject.chars().count() <= 72 && subject.ends_with('…'), "{subject}");
    }
}
