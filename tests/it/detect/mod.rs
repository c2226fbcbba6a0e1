//! Detection over whole trees: the sample apps, the cases that are easy to get wrong, and hostile trees.

mod ambiguous;
mod answers;
mod apps;
mod bounds;
mod hostile;
mod property;

use wooo::detect::{Detection, Error, detect};
use wooo::domain::Problem;
use wooo::files::{FileTree, MemoryTree};

/// A tree of the given files.
fn tree(files: &[(&str, &str)]) -> MemoryTree {
    files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

/// The answer for the root of a tree of the given files.
#[track_caller]
#[expect(clippy::panic, reason = "a test without its answer has failed")]
fn detection(files: &[(&str, &str)]) -> Detection {
    detect(&tree(files), "").unwrap_or_else(|error| panic!("{}", shown_error(error)))
}

/// The answer for the root of a tree of the given files, as text.
fn answer(files: &[(&str, &str)]) -> String {
    shown(&tree(files), "")
}

/// The answer for a folder of a tree, as text: an answer or a note a line, or the problem with its hints.
fn shown(tree: &dyn FileTree, subfolder: &str) -> String {
    match detect(tree, subfolder) {
        Ok(detection) => shown_detection(&detection),
        Err(error) => shown_error(error),
    }
}

fn shown_detection(detection: &Detection) -> String {
    let mut lines = Vec::new();
    for evidence in &detection.evidence {
        let place = match (&evidence.file, evidence.line) {
            (Some(file), Some(line)) => format!("{file}:{line}: "),
            (Some(file), None) => format!("{file}: "),
            _ => String::new(),
        };
        lines.push(format!("{} = {} ({place}{})", evidence.answer, evidence.value, evidence.why));
    }
    for note in &detection.notes {
        let file = note.file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default();
        lines.push(format!("note {}: {file}{}", note.kind, note.text));
    }
    lines.join("\n")
}

fn shown_error(error: Error) -> String {
    let candidates = match &error {
        Error::Ambiguous { candidates, .. } => candidates.clone(),
        _ => Vec::new(),
    };
    let problem = Problem::from(error);
    let mut lines = vec![problem.to_string()];
    for candidate in candidates {
        for evidence in candidate.evidence {
            let file = evidence.file.unwrap_or_default();
            let line = evidence.line.map(|line| format!(":{line}")).unwrap_or_default();
            lines.push(format!("for {}: {file}{line} {}", candidate.framework, evidence.why));
        }
    }
    lines.extend(problem.hints.iter().map(|hint| format!("hint: {hint}")));
    lines.join("\n")
}
