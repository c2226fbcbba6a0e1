//! Collecting answers: the first claim on an answer wins, so claims are made in the order of their strength.

use super::answer::{Answer, EntryKind, EntryPoint, Evidence, Note, NoteKind, PackageManager};
use super::notes::Notes;
use super::place::{Place, shown};

/// Answers as they come in.
#[derive(Default)]
pub(super) struct Claims {
    /// The TCP port.
    pub(super) port: Option<u16>,
    /// The health path.
    pub(super) health_path: Option<String>,
    /// The metrics path.
    pub(super) metrics_path: Option<String>,
    /// The entry point.
    pub(super) entry_point: Option<EntryPoint>,
    /// The package manager.
    pub(super) package_manager: Option<PackageManager>,
    /// The runtime's version.
    pub(super) runtime_version: Option<String>,
    /// The command line.
    pub(super) command: Option<Vec<String>>,
    evidence: Vec<Evidence>,
    notes: Notes,
}

impl Claims {
    /// Claims a port. Another port than the one that already won is noted as a disagreement if `is_firm`: if it stands
    /// in a file that speaks of the container rather than of one way to run the program.
    pub(super) fn port(&mut self, port: u16, place: Option<&Place>, why: &str, is_firm: bool) {
        match self.port {
            None => {
                self.port = Some(port);
                self.prove(Answer::Port, &port.to_string(), place, why);
            }
            Some(won) if won != port && is_firm => {
                let text = format!("{port} is {why}, but {won} is the stronger answer");
                self.notes.push(Note {
                    kind: NoteKind::Disagreement,
                    file: place.map(|place| place.file.clone()),
                    text,
                });
            }
            Some(_) => {}
        }
    }

    /// Claims the health path.
    pub(super) fn health_path(&mut self, path: &str, place: Option<&Place>, why: &str) {
        if self.health_path.is_none() {
            self.health_path = Some(path.to_owned());
            self.prove(Answer::HealthPath, path, place, why);
        }
    }

    /// Claims the metrics path.
    pub(super) fn metrics_path(&mut self, path: &str, place: Option<&Place>, why: &str) {
        if self.metrics_path.is_none() {
            self.metrics_path = Some(path.to_owned());
            self.prove(Answer::MetricsPath, path, place, why);
        }
    }

    /// Claims the entry point.
    pub(super) fn entry_point(&mut self, kind: EntryKind, target: &str, place: Option<&Place>, why: &str) {
        // No file or module that a server could be told to run has such a name.
        if self.entry_point.is_none() && !target.contains(char::is_control) {
            self.entry_point = Some(EntryPoint { kind, target: target.to_owned() });
            self.prove(Answer::EntryPoint, &format!("{kind} {target}"), place, why);
        }
    }

    /// Claims the package manager.
    pub(super) fn package_manager(&mut self, manager: PackageManager, place: Option<&Place>, why: &str) {
        if self.package_manager.is_none() {
            self.package_manager = Some(manager);
            self.prove(Answer::PackageManager, &manager.to_string(), place, why);
        }
    }

    /// Claims the runtime's version.
    pub(super) fn runtime_version(&mut self, version: &str, place: Option<&Place>, why: &str) {
        let version = version.trim();
        if self.runtime_version.is_none() && !version.is_empty() && version.len() <= 64 {
            self.runtime_version = Some(version.to_owned());
            self.prove(Answer::RuntimeVersion, version, place, why);
        }
    }

    /// Claims the command line.
    pub(super) fn command(&mut self, words: &[String], place: Option<&Place>, why: &str) {
        if self.command.is_none() && !words.is_empty() {
            self.command = Some(words.to_vec());
            self.prove(Answer::Command, &words.join(" "), place, why);
        }
    }

    /// Adds a reason for an answer.
    pub(super) fn prove(&mut self, answer: Answer, value: &str, place: Option<&Place>, why: &str) {
        self.evidence.push(evidence(answer, value, place, why));
    }

    /// Adds a note about a file.
    pub(super) fn note(&mut self, kind: NoteKind, place: Option<&Place>, text: String) {
        self.notes.push(Note { kind, file: place.map(|place| place.file.clone()), text });
    }

    /// The evidence in the order of the answers, and the notes.
    pub(super) fn finish(mut self) -> (Vec<Evidence>, Vec<Note>) {
        self.evidence.sort_by_key(|evidence| evidence.answer);
        (self.evidence, self.notes.into_vec())
    }
}

/// One reason for one answer.
pub(super) fn evidence(answer: Answer, value: &str, place: Option<&Place>, why: &str) -> Evidence {
    Evidence {
        answer,
        value: shown(value),
        file: place.map(|place| place.file.clone()),
        line: place.and_then(|place| place.line),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_claim_wins_and_a_firm_other_is_noted() {
        let mut claims = Claims::default();
        claims.port(8000, Some(&Place::new("Procfile", 1)), "the port of the command", true);
        claims.port(5000, Some(&Place::new("Dockerfile", 4)), "exposed", true);
        claims.port(3000, None, "a default", false);
        assert_eq!(claims.port, Some(8000));
        let (evidence, notes) = claims.finish();
        assert_eq!(evidence.len(), 1);
        assert_eq!(notes[0].text, "5000 is exposed, but 8000 is the stronger answer");
    }
}
