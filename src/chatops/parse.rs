//! From the Markdown of a comment to commands. Pure, and never wrong by a panic: the text is anybody's.
//!
//! A command is a line of its own that begins with `/wooo` in a paragraph of the comment itself. What stands in code, in a
//! quotation, in a list, a table, a heading, a link or in HTML is somebody talking about commands. Lines are taken as they
//! were written, not as they are shown: an entity or an escape makes no command.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag};
use strum::IntoEnumIterator as _;

use super::command::{Arguments, Command, Key, Verb, shown};
use super::registry::entry;
use crate::domain::Problem;
use crate::domain::problem::did_you_mean;
use crate::domain::text::hides;

/// How many commands one comment may hold.
pub const MAX_COMMANDS: usize = 10;
/// The longest comment that is read, in bytes. Forges take 65,536 characters at most, GitLab a million.
const MAX_BYTES: usize = 256 << 10;
/// The longest line that is a command, in bytes.
const MAX_LINE: usize = 2_000;
/// The longest reason, in characters.
const MAX_REASON: usize = 500;
/// What a command begins with.
const NAME: &str = "/wooo";

/// What a comment says to wooo.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Heard {
    /// Nothing.
    Nothing,
    /// These commands, in their order; at least one.
    Commands(Vec<Command>),
    /// Something that is not understood; then nothing of the comment is done. At least one.
    Faults(Vec<Fault>),
    /// More commands than a comment may hold: that many.
    TooMany(usize),
}

/// A line that was not understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The line as it was written.
    pub line: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Reads a comment.
#[must_use]
pub fn parse(body: &str) -> Heard {
    if body.len() > MAX_BYTES || !mentions(body) {
        return Heard::Nothing;
    }
    let lines = lines(body);
    match lines.len() {
        0 => return Heard::Nothing,
        many if many > MAX_COMMANDS => return Heard::TooMany(many),
        _ => {}
    }
    let (mut commands, mut faults) = (Vec::new(), Vec::new());
    for line in lines {
        match understood(&line) {
            Ok(command) => commands.push(command),
            Err(problem) => faults.push(Fault { line: line.text.to_owned(), problem }),
        }
    }
    if faults.is_empty() { Heard::Commands(commands) } else { Heard::Faults(faults) }
}

/// Whether it is worth while to read a text as Markdown: most comments say nothing to wooo.
fn mentions(body: &str) -> bool {
    body.contains(NAME) || body.chars().any(|c| hides(c) || plain_form(c) != c)
}

/// A line that is, or plainly was meant to be, a command.
struct Line<'a> {
    text: &'a str,
    /// Whether something in it is not shown as it is written.
    is_disguised: bool,
}

fn understood(line: &Line<'_>) -> Result<Command, Problem> {
    if line.is_disguised {
        let detail = "the line holds characters that are not shown as what they are, so it is not obeyed";
        return Err(Problem::new("comment.disguised", detail).hint("type it anew, in plain letters"));
    }
    if line.text.len() > MAX_LINE {
        return Err(Problem::new("comment.argument", format!("a command has at most {MAX_LINE} bytes")));
    }
    let rest = line.text.trim_start_matches(' ').strip_prefix(NAME).unwrap_or_default();
    let (words, reason) = words(rest)?;
    let mut words = words.into_iter();
    let verb = match words.next() {
        None => Verb::Help,
        Some(word) => verb(&word)?,
    };
    let mut arguments = Arguments::default();
    for word in words {
        argument(verb, &word, &mut arguments)?;
    }
    for group in entry(verb).needs {
        if !group.iter().any(|key| arguments.has(*key)) {
            let names: Vec<String> = group.iter().map(|key| format!("`{key}=`")).collect();
            let detail = format!("`{verb}` needs {}", names.join(" or "));
            return Err(Problem::new("comment.argument", detail).hint(format!("for example `{}`", entry(verb).example)));
        }
    }
    let reason = reason.map(checked_reason).transpose()?.flatten();
    Ok(Command { verb, arguments, reason, line: line.text.trim().to_owned() })
}

fn checked_reason(text: &str) -> Result<Option<String>, Problem> {
    let text = text.trim();
    if text.chars().count() > MAX_REASON {
        let detail = format!("a reason has at most {MAX_REASON} characters");
        return Err(Problem::new("comment.argument", detail).field("reason"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn verb(word: &str) -> Result<Verb, Problem> {
    word.parse().map_err(|_| {
        let problem = Problem::new("comment.unknown_command", format!("there is no command `{}`", shown(word)));
        match did_you_mean(&word.to_ascii_lowercase(), Verb::iter().map(Into::into)) {
            Some(name) => problem.hint(format!("did you mean `/wooo {name}`?")),
            None => problem.hint("`/wooo help` lists the commands"),
        }
    })
}

fn argument(verb: Verb, word: &str, arguments: &mut Arguments) -> Result<(), Problem> {
    let keys = entry(verb).keys;
    if word.starts_with('-') {
        let problem = Problem::new("comment.argument", format!("`{}` is not an argument", shown(word)));
        return Err(problem.hint("arguments are written `env=staging`; a reason stands behind ` -- `"));
    }
    let Some((name, value)) = word.split_once('=') else {
        if !keys.contains(&Key::App) || arguments.app.is_some() {
            let detail = format!("`{verb}` does not take `{}`", shown(word));
            return Err(Problem::new("comment.argument", detail).hint(format!("it is written `{}`", entry(verb).usage)));
        }
        return arguments.set(Key::App, word);
    };
    match name.parse::<Key>() {
        Ok(key) if keys.contains(&key) => arguments.set(key, value),
        _ => {
            let detail = format!("`{verb}` has no argument `{}`", shown(name));
            let problem = Problem::new("comment.argument", detail);
            Err(match did_you_mean(name, keys.iter().map(|key| <&'static str>::from(*key))) {
                Some(known) => problem.hint(format!("did you mean `{known}=`?")),
                None => problem.hint(format!("it is written `{}`", entry(verb).usage)),
            })
        }
    }
}

/// The words of a line, and what stands behind a `--` that is a word of its own. A value in double quotes may hold
/// spaces; inside, a backslash takes the next character as it is.
fn words(text: &str) -> Result<(Vec<String>, Option<&str>), Problem> {
    let is_space = |c: char| matches!(c, ' ' | '\t');
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        if let Some(reason) = rest.strip_prefix("--")
            && (reason.is_empty() || reason.starts_with(is_space))
        {
            return Ok((words, Some(reason)));
        }
        let mut word = String::new();
        let mut is_quoted = false;
        let mut characters = rest.char_indices();
        let mut end = rest.len();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => is_quoted = !is_quoted,
                '\\' if is_quoted => word.extend(characters.next().map(|(_, c)| c)),
                c if is_space(c) && !is_quoted => {
                    end = at;
                    break;
                }
                c => word.push(c),
            }
        }
        if is_quoted {
            return Err(Problem::new("comment.argument", "a quotation mark is not closed"));
        }
        words.push(word);
        rest = rest.get(end..).unwrap_or_default().trim_start_matches(is_space);
    }
    Ok((words, None))
}

/// The lines of a comment that are commands, or were plainly meant to be.
fn lines(body: &str) -> Vec<Line<'_>> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut paragraph: Option<Paragraph> = None;
    for (event, range) in Parser::new_ext(body, options).into_offset_iter() {
        match event {
            Event::Start(Tag::HtmlBlock) if opens(body.get(range.clone()).unwrap_or_default()) => return found,
            Event::Start(tag) => {
                match (&mut paragraph, tag) {
                    (None, Tag::Paragraph) if depth == 0 => paragraph = Some(Paragraph::new(range)),
                    (Some(paragraph), _) => paragraph.inner.push(range),
                    (None, _) => {}
                }
                depth += 1;
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                if depth == 0
                    && let Some(paragraph) = paragraph.take()
                    && paragraph.read(body, &mut found)
                {
                    return found;
                }
            }
            Event::Text(_) | Event::SoftBreak | Event::HardBreak => {}
            Event::InlineHtml(_) | Event::Html(_) => {
                if let Some(paragraph) = &mut paragraph {
                    paragraph.html.push(range);
                }
            }
            _ => {
                if let Some(paragraph) = &mut paragraph {
                    paragraph.inner.push(range);
                }
            }
        }
    }
    found
}

/// Whether HTML is more than comments. What it opens may fold or hide what follows, so nothing behind it is a command.
fn opens(html: &str) -> bool {
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = rest.get(at..).unwrap_or_default();
        let Some(comment) = rest.strip_prefix("<!--") else { return true };
        match comment.split_once("-->") {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    false
}

/// A paragraph of the comment itself.
struct Paragraph {
    range: Range<usize>,
    /// Emphasis, links, code: what begins in none of these is plain text.
    inner: Vec<Range<usize>>,
    /// Tags and HTML comments.
    html: Vec<Range<usize>>,
}

impl Paragraph {
    fn new(range: Range<usize>) -> Self {
        Self { range, inner: Vec::new(), html: Vec::new() }
    }

    /// Adds its commands to `found`, and says whether nothing behind it is to be read.
    fn read<'a>(&self, body: &'a str, found: &mut Vec<Line<'a>>) -> bool {
        let mut at = self.range.start;
        // The range of a first line begins behind its indentation, which is at most three spaces then.
        let text = body.get(self.range.clone()).unwrap_or_default();
        for line in text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            let html = self.html.iter().filter(|html| html.start < at && html.end > start);
            let html: Vec<&str> = html.filter_map(|html| body.get(html.clone())).collect();
            let line = line.trim_end_matches('\n').trim_end_matches('\r');
            let name = start + line.len() - line.trim_start_matches(' ').len();
            let is_inside = |range: &Range<usize>| range.start <= name && range.end > name;
            if let Some(command) = command_line(line, !html.is_empty())
                && !self.inner.iter().chain(&self.html).any(is_inside)
            {
                found.push(command);
            }
            if html.iter().any(|html| opens(html)) {
                return true;
            }
        }
        false
    }
}

/// The line as a command, if it is one or was plainly meant to be.
fn command_line(line: &str, has_html: bool) -> Option<Line<'_>> {
    let is_hidden = has_html || line.chars().any(hides);
    if begins(line) {
        return Some(Line { text: line, is_disguised: is_hidden });
    }
    let bare: String = line.chars().filter(|c| !hides(*c)).map(plain_form).collect();
    let verb = bare.trim_start_matches(' ').strip_prefix(NAME)?.split_whitespace().next()?.to_owned();
    let was_meant = bare != line && begins(&bare) && verb.parse::<Verb>().is_ok();
    was_meant.then_some(Line { text: line, is_disguised: true })
}

/// Whether a line begins with the name, after at most three spaces, and the name ends there.
fn begins(line: &str) -> bool {
    let indented = line.len() - line.trim_start_matches(' ').len();
    let rest = line.trim_start_matches(' ').strip_prefix(NAME);
    indented <= 3 && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

/// A character that is typed in the place of an ASCII one, as that one: full-width letters and signs, other slashes and
/// spaces.
fn plain_form(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c),
        '\u{2044}' | '\u{2215}' | '\u{29f8}' => '/',
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        c => c,
    }
}
