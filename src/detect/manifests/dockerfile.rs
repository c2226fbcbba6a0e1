//! `Dockerfile`: what the last stage runs, and on which ports.
//!
//! Owns the syntax: continuations, here-documents, stages that build on stages, `ARG` and `ENV`, the exec and the shell
//! form. At most [`MAX_INSTRUCTIONS`] instructions are read.

use std::collections::BTreeMap;

use crate::detect::pattern::Pattern;
use crate::detect::shell::{commands, substitute};

/// How many instructions are read.
const MAX_INSTRUCTIONS: usize = 2000;

/// What a container of the last stage is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Dockerfile {
    /// The file, relative to the tree's root.
    pub(crate) file: String,
    /// The image that the stage builds on in the end, with its line.
    pub(crate) image: Option<(String, usize)>,
    /// TCP ports of `EXPOSE`, with their lines.
    pub(crate) exposed: Vec<(u16, usize)>,
    /// `ENV`, with lines.
    pub(crate) environment: BTreeMap<String, (String, usize)>,
    /// `ENTRYPOINT`.
    pub(crate) entrypoint: Option<Run>,
    /// `CMD`.
    pub(crate) command: Option<Run>,
    /// What `COPY` and `ADD` take from the repository, as written.
    pub(crate) sources: Vec<String>,
    /// `WORKDIR`.
    pub(crate) folder: Option<String>,
    /// The path that `HEALTHCHECK` asks for, with its line.
    pub(crate) health: Option<(String, usize)>,
    /// What `go build` builds in any stage, with lines.
    pub(crate) go_builds: Vec<(String, usize)>,
}

/// `CMD` or `ENTRYPOINT`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Run {
    /// The command line.
    pub(crate) line: CommandLine,
    /// Its line in the file, counted from 1.
    pub(crate) at: usize,
}

/// A command line in one of the two forms.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum CommandLine {
    /// `["gunicorn", "app:app"]`: run as it is.
    Exec(Vec<String>),
    /// `gunicorn app:app -b :$PORT`: run by a shell.
    Shell(String),
}

impl Dockerfile {
    /// The value of an environment variable of the container.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).map(|(value, _)| value.clone())
    }
}

#[derive(Default)]
struct Parser {
    global: BTreeMap<String, String>,
    stages: Vec<(String, Dockerfile)>,
    arguments: BTreeMap<String, String>,
    go_builds: Vec<(String, usize)>,
}

/// Reads the file. Instructions that are not understood are passed over.
pub(crate) fn read(file: &str, text: &str) -> Dockerfile {
    let mut parser = Parser::default();
    for (at, instruction) in instructions(text).into_iter().take(MAX_INSTRUCTIONS) {
        let (name, rest) = instruction.split_once(char::is_whitespace).unwrap_or((&instruction, ""));
        parser.instruction(&name.to_ascii_uppercase(), rest.trim(), at);
    }
    let mut last = parser.stages.pop().map(|(_, stage)| stage).unwrap_or_default();
    last.file = file.to_owned();
    last.go_builds = parser.go_builds;
    last
}

/// Instructions with their first lines; continued lines are joined, comments and bodies of here-documents left out.
fn instructions(text: &str) -> Vec<(usize, String)> {
    static HEREDOC: Pattern = Pattern::new(r#"<<-?\s*["']?([A-Za-z_]\w*)["']?"#);
    let escape = if text.lines().next().is_some_and(|line| line.replace(' ', "").eq_ignore_ascii_case("#escape=`")) {
        '`'
    } else {
        '\\'
    };
    let mut instructions = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let mut logical = line.trim().to_owned();
        if logical.is_empty() || logical.starts_with('#') {
            continue;
        }
        while logical.ends_with(escape) {
            logical.pop();
            let Some((_, next)) = lines.by_ref().find(|(_, next)| !next.trim_start().starts_with('#')) else { break };
            logical.push_str(next.trim_end());
        }
        if let Some(end) = HEREDOC.first(&logical) {
            lines.by_ref().find(|(_, line)| line.trim() == end);
        }
        instructions.push((at + 1, logical));
    }
    instructions
}

impl Parser {
    fn instruction(&mut self, name: &str, rest: &str, at: usize) {
        match name {
            "FROM" => self.from(rest, at),
            "ARG" => self.argument(rest),
            "RUN" => self.run(rest, at),
            _ => self.in_stage(name, rest, at),
        }
    }

    fn from(&mut self, rest: &str, at: usize) {
        let rest = substitute(rest, &|name| self.global.get(name).cloned());
        let words: Vec<&str> = rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
        let image = words.first().copied().unwrap_or_default();
        let name = match words.as_slice() {
            [_, keyword, name, ..] if keyword.eq_ignore_ascii_case("as") => name.to_ascii_lowercase(),
            _ => String::new(),
        };
        let parent = self.stages.iter().rev().find(|(name, _)| !name.is_empty() && name.eq_ignore_ascii_case(image));
        let stage = match parent {
            Some((_, stage)) => stage.clone(),
            None => Dockerfile { image: Some((image.to_owned(), at)), ..Dockerfile::default() },
        };
        self.arguments.clear();
        self.stages.push((name, stage));
    }

    fn argument(&mut self, rest: &str) {
        for assignment in commands(rest).into_iter().flatten() {
            let (name, default) = assignment.split_once('=').map_or((assignment.as_str(), None), |(n, v)| (n, Some(v)));
            let value = default.map(|text| self.expand(text)).or_else(|| self.global.get(name).cloned());
            let Some(value) = value else { continue };
            let scope = if self.stages.is_empty() { &mut self.global } else { &mut self.arguments };
            scope.insert(name.to_owned(), value);
        }
    }

    fn run(&mut self, rest: &str, at: usize) {
        for command in commands(rest) {
            let build = command.windows(2).any(|pair| pair[0] == "go" && (pair[1] == "build" || pair[1] == "install"));
            let target = command.last().filter(|last| build && (last.starts_with('.') || last.ends_with(".go")));
            self.go_builds.extend(target.map(|target| (target.clone(), at)));
        }
    }

    fn in_stage(&mut self, name: &str, rest: &str, at: usize) {
        let expanded = self.expand(rest);
        let Some((_, stage)) = self.stages.last_mut() else { return };
        match name {
            "ENV" => environment(&expanded, at, stage),
            "EXPOSE" => stage.exposed.extend(expanded.split_whitespace().filter_map(tcp_port).map(|port| (port, at))),
            "CMD" => stage.command = Some(Run { line: command_line(rest), at }),
            "ENTRYPOINT" => {
                stage.entrypoint = Some(Run { line: command_line(rest), at });
            }
            "WORKDIR" => stage.folder = Some(expanded),
            "COPY" | "ADD" => stage.sources.extend(copied(&expanded)),
            "HEALTHCHECK" => stage.health = health_path(&expanded).map(|path| (path, at)),
            _ => {}
        }
    }

    /// `ENV` wins over `ARG` of the same name.
    fn expand(&self, text: &str) -> String {
        let stage = self.stages.last().map(|(_, stage)| stage);
        substitute(text, &|name| {
            let argument = || self.arguments.get(name).cloned();
            match stage {
                Some(stage) => stage.variable(name).or_else(argument),
                None => self.global.get(name).cloned(),
            }
        })
    }
}

/// `A=1 B="x y"`, or the old form `A x y`.
fn environment(rest: &str, at: usize, stage: &mut Dockerfile) {
    let old_form = rest.split_whitespace().next().is_some_and(|first| !first.contains('='));
    let pairs: Vec<(String, String)> = if old_form {
        rest.split_once(char::is_whitespace)
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .into_iter()
            .collect()
    } else {
        let words = commands(rest).into_iter().flatten();
        words.filter_map(|word| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
    };
    stage.environment.extend(pairs.into_iter().map(|(name, value)| (name, (value, at))));
}

/// `8080`, `8080/tcp` or the first of `8080-8090`.
fn tcp_port(word: &str) -> Option<u16> {
    let (port, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    let first = port.split('-').next()?;
    first.parse().ok().filter(|port| *port > 0 && protocol.eq_ignore_ascii_case("tcp"))
}

fn command_line(rest: &str) -> CommandLine {
    match serde_json::from_str::<Vec<String>>(rest) {
        Ok(words) => CommandLine::Exec(words),
        Err(_) => CommandLine::Shell(rest.to_owned()),
    }
}

/// What is copied out of the repository: nothing if it comes from another stage.
fn copied(rest: &str) -> Vec<String> {
    let words = match serde_json::from_str::<Vec<String>>(rest) {
        Ok(words) => words,
        Err(_) => rest.split_whitespace().map(str::to_owned).collect(),
    };
    if words.iter().any(|word| word.starts_with("--from")) {
        return Vec::new();
    }
    let mut sources: Vec<String> = words.into_iter().filter(|word| !word.starts_with("--")).collect();
    sources.pop();
    sources
}

/// The path of the address in `HEALTHCHECK CMD curl -f http://localhost:8000/health`.
fn health_path(rest: &str) -> Option<String> {
    static ADDRESS: Pattern = Pattern::new(r"https?://[\w.$\{\}:\[\]-]+(/[A-Za-z0-9._~/-]*)");
    ADDRESS.first(rest).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_counts_with_what_it_builds_on() {
        let text = "ARG PY=3.12\r\nFROM python:${PY}-slim AS base\r\nENV PORT=9000 MODE=\"a b\"\r\nEXPOSE 9100\r\n\
                    FROM node:20 AS web\r\nEXPOSE 1\r\nCMD [\"npm\", \"start\"]\r\n\
                    FROM base\r\nARG EXTRA=9001\r\nEXPOSE $PORT/tcp ${EXTRA} 53/udp\r\nCOPY --chown=a backend/ /app/\r\nCOPY --from=web /dist /static\r\n\
                    HEALTHCHECK CMD curl -f http://localhost:${PORT}/healthz || exit 1\r\nCMD gunicorn app:app \\\r\n  # why\r\n  -b :$PORT\r\n";
        let file = read("Dockerfile", text);
        assert_eq!(file.image, Some(("python:3.12-slim".to_owned(), 2)));
        assert_eq!(file.exposed, [(9100, 4), (9000, 10), (9001, 10)]);
        assert_eq!(file.variable("MODE").as_deref(), Some("a b"));
        assert_eq!(file.sources, ["backend/"]);
        assert_eq!(file.health, Some(("/healthz".to_owned(), 13)));
        let command = file.command.unwrap();
        assert_eq!((command.line, command.at), (CommandLine::Shell("gunicorn app:app   -b :$PORT".to_owned()), 14));
    }

    #[test]
    fn here_documents_old_env_and_go_builds() {
        let text = "# escape=`\nFROM golang:1.23 AS build\nRUN <<EOF\nCMD wrong\nEOF\nENV A b c\n\
                    RUN --mount=type=cache CGO_ENABLED=0 go build -o /ledger ./cmd/ledger && true\n\
                    FROM scratch\nENTRYPOINT [\"/ledger\"]\n";
        let file = read("Dockerfile", text);
        assert_eq!(file.go_builds, [("./cmd/ledger".to_owned(), 7)]);
        assert_eq!(file.entrypoint.unwrap().line, CommandLine::Exec(vec!["/ledger".to_owned()]));
        assert_eq!(file.command, None);
    }

    #[test]
    fn hostile_text_stays_cheap() {
        let doubling = format!("FROM x\nENV A=aaaa\n{}EXPOSE $A\n", "ENV A=$A$A\n".repeat(200));
        assert_eq!(read("Dockerfile", &doubling).exposed, []);
        assert_eq!(
            read("Dockerfile", "CMD x\nEXPOSE 1\n\\\n\\"),
            Dockerfile { file: "Dockerfile".to_owned(), ..Dockerfile::default() }
        );
        assert_eq!(read("Dockerfile", "FROM a\nEXPOSE 0 70000 8080-8090 x").exposed, [(8080, 2)]);
    }
}
