//! What a command line starts: which server, which entry point, which port.
//!
//! Owns the options of the servers that people run. Knows nothing of files.

use super::answer::EntryKind;
use super::manifests::dockerfile::CommandLine;
use super::pattern::Pattern;
use super::place::Place;
use super::shell::{commands, needs_shell, substitute};
use crate::domain::Framework;

/// The language that a command line belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    /// A Python server or script.
    Python,
    /// Node.js or a tool of its world.
    Node,
    /// A web server that serves files.
    Files,
    /// A program of its own.
    Program,
}

/// What a command line starts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Launch {
    /// The command line, as a container would be given it.
    pub(super) words: Vec<String>,
    /// Where it stands.
    pub(super) place: Place,
    /// What kind of line it is: ``the `web` process of the Procfile``.
    pub(super) origin: &'static str,
    /// What it starts.
    pub(super) start: Start,
}

/// What a command starts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Start {
    /// The language.
    pub(super) family: Family,
    /// The program: `gunicorn`.
    pub(super) program: String,
    /// The words after the program.
    pub(super) arguments: Vec<String>,
    /// The framework, if only one has such a program.
    pub(super) framework: Option<Framework>,
    /// How the entry point is run, if the program says so.
    pub(super) kind: Option<EntryKind>,
    /// The entry point.
    pub(super) target: Option<String>,
    /// The port of its options.
    pub(super) port: Option<u16>,
    /// The port that the program takes if it is told none.
    pub(super) default_port: Option<u16>,
    /// The folder of `cd`, `--chdir` or `--app-dir`.
    pub(super) folder: Option<String>,
}

impl Start {
    fn new(family: Family, program: &str) -> Self {
        Self {
            family,
            program: program.to_owned(),
            arguments: Vec::new(),
            framework: None,
            kind: None,
            target: None,
            port: None,
            default_port: None,
            folder: None,
        }
    }
}

/// Reads a command line in which the environment has the values of `variable`.
pub(super) fn read(
    line: &CommandLine,
    place: Place,
    origin: &'static str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Option<Launch> {
    let (words, found) = match line {
        CommandLine::Exec(words) => (words.clone(), vec![words.clone()]),
        CommandLine::Shell(text) => {
            let found = commands(&substitute(text, variable));
            let words = match found.as_slice() {
                [only] if !needs_shell(text) => only.clone(),
                _ => vec!["sh".to_owned(), "-c".to_owned(), text.clone()],
            };
            (words, found)
        }
    };
    let mut folder = None;
    let mut best: Option<Start> = None;
    for command in &found {
        if let [cd, target] = command.as_slice()
            && cd == "cd"
        {
            folder = Some(target.clone());
            continue;
        }
        let Some(mut start) = start(command, variable, 0) else { continue };
        start.folder = start.folder.or_else(|| folder.clone());
        if start.family != Family::Program || best.is_none() {
            best = Some(start);
        }
    }
    Some(Launch { words, place, origin, start: best? })
}

/// Programs that run what follows them.
const WRAPPERS: [&str; 21] = [
    "exec",
    "env",
    "time",
    "nohup",
    "tini",
    "dumb-init",
    "catatonit",
    "--",
    "-g",
    "ddtrace-run",
    "opentelemetry-instrument",
    "newrelic-admin",
    "run-program",
    "run",
    "npx",
    "bunx",
    "dotenv",
    "doppler",
    "poetry",
    "pipenv",
    "uv",
];

fn start(words: &[String], variable: &dyn Fn(&str) -> Option<String>, depth: usize) -> Option<Start> {
    static ASSIGNMENT: Pattern = Pattern::new(r"^[A-Za-z_]\w*=");
    let mut words = words;
    loop {
        let first = words.first()?;
        let name = first.rsplit('/').next().unwrap_or_default();
        let runs_the_rest = WRAPPERS.contains(&name) || ASSIGNMENT.matches(first) || name.ends_with(".sh");
        let option_of_wrapper = first.starts_with('-');
        if !((runs_the_rest && words.len() > 1) || option_of_wrapper) {
            break;
        }
        words = &words[1..];
    }
    let program = words[0].rsplit('/').next().unwrap_or_default();
    let rest = &words[1..];
    match program {
        "sh" | "bash" | "ash" => {
            let text = rest.iter().skip_while(|word| *word != "-c" && *word != "-lc").nth(1);
            let Some(text) = text.filter(|_| depth < 3) else { return Some(Start::new(Family::Program, program)) };
            let inner = CommandLine::Shell(text.clone());
            // Only the outermost line has a place; the inner ones are part of it.
            nested(&inner, variable, depth)
        }
        _ => Some(Start { arguments: rest.to_vec(), ..program_start(program, rest) }),
    }
}

fn nested(line: &CommandLine, variable: &dyn Fn(&str) -> Option<String>, depth: usize) -> Option<Start> {
    let CommandLine::Shell(text) = line else { return None };
    commands(&substitute(text, variable)).iter().filter_map(|words| start(words, variable, depth + 1)).last()
}

fn program_start(program: &str, rest: &[String]) -> Start {
    if let Some(module) = program.strip_prefix("python").filter(|version| !version.starts_with('-')) {
        // `python`, `python3`, `python3.12`
        if module.chars().all(|c| c.is_ascii_digit() || c == '.') {
            return python(rest);
        }
    }
    match program {
        "gunicorn" | "uvicorn" | "hypercorn" | "daphne" | "waitress-serve" | "uwsgi" | "granian" => {
            python_server(program, rest)
        }
        "flask" | "fastapi" => framework_command(program, rest),
        "node" | "nodejs" | "bun" | "deno" | "tsx" | "ts-node" | "nodemon" | "pm2-runtime" => {
            let mut start = Start::new(Family::Node, program);
            start.kind = Some(EntryKind::Script);
            start.target = rest.iter().find(|word| is_script(word)).cloned();
            start
        }
        "npm" | "yarn" | "pnpm" | "nest" | "nuxt" | "nuxi" | "remix-serve" | "react-router-serve" | "strapi" => {
            Start::new(Family::Node, program)
        }
        "next" => {
            let mut start = Start::new(Family::Node, program);
            start.framework = Some(Framework::Nextjs);
            start.port = option(rest, &["-p", "--port"]).and_then(port);
            start.default_port = Some(3000);
            start
        }
        "nginx" | "caddy" | "httpd" | "apache2" | "apache2ctl" | "serve" | "http-server" | "static-web-server" => {
            Start::new(Family::Files, program)
        }
        _ => {
            let mut start = Start::new(Family::Program, program);
            let names = ["--port", "-port", "--addr", "-addr", "--listen", "-listen", "--http", "-http"];
            start.port = option(rest, &names).and_then(port);
            start
        }
    }
}

fn is_script(word: &str) -> bool {
    [".js", ".mjs", ".cjs", ".ts", ".mts"].iter().any(|suffix| word.ends_with(suffix)) && !word.starts_with('-')
}

fn python(rest: &[String]) -> Start {
    let mut start = Start::new(Family::Python, "python");
    let rest = &rest[rest.iter().position(|word| !matches!(word.as_str(), "-u" | "-O" | "-B")).unwrap_or(0)..];
    match rest {
        [flag, module, rest @ ..] if flag == "-m" => match module.as_str() {
            "gunicorn" | "uvicorn" | "hypercorn" | "daphne" | "waitress" | "flask" | "fastapi" => {
                return program_start(if module == "waitress" { "waitress-serve" } else { module }, rest);
            }
            "http.server" => return Start::new(Family::Files, "http.server"),
            _ => {
                start.kind = Some(EntryKind::Script);
                start.target = Some(format!("-m {module}"));
            }
        },
        [script, rest @ ..] if script.ends_with("manage.py") => {
            start.framework = Some(Framework::Django);
            start.program = "manage.py".to_owned();
            start.port = rest.iter().rev().find_map(|word| port(word));
            start.default_port = Some(8000);
        }
        [script, rest @ ..] if script.ends_with(".py") => {
            start.kind = Some(EntryKind::Script);
            start.target = Some(script.clone());
            start.port = option(rest, &["--port", "-p"]).and_then(port);
        }
        _ => {}
    }
    start
}

fn framework_command(program: &str, rest: &[String]) -> Start {
    let mut start = Start::new(Family::Python, program);
    start.port = option(rest, &["-p", "--port"]).and_then(port);
    if program == "flask" {
        start.framework = Some(Framework::Flask);
        start.kind = Some(EntryKind::Wsgi);
        start.target = option(rest, &["-A", "--app"]).filter(|target| target.contains(':')).map(str::to_owned);
        start.default_port = Some(5000);
    } else {
        start.framework = Some(Framework::Fastapi);
        start.kind = Some(EntryKind::Asgi);
        start.default_port = Some(8000);
    }
    start
}

fn python_server(program: &str, rest: &[String]) -> Start {
    let mut start = Start::new(Family::Python, program);
    let worker = option(rest, &["-k", "--worker-class"]).unwrap_or_default().to_ascii_lowercase();
    let wsgi = match program {
        "gunicorn" => !worker.contains("uvicorn"),
        "granian" => option(rest, &["--interface"]) == Some("wsgi"),
        program => matches!(program, "waitress-serve" | "uwsgi"),
    };
    start.kind = Some(if wsgi { EntryKind::Wsgi } else { EntryKind::Asgi });
    let addresses: &[&str] = match program {
        "uvicorn" => &["--port"],
        "daphne" => &["-p", "--port"],
        "granian" => &["--port"],
        "uwsgi" => &["--http", "--http-socket"],
        "waitress-serve" => &["--port", "--listen"],
        _ => &["-b", "--bind"],
    };
    start.port = option(rest, addresses).and_then(port);
    start.default_port = Some(if program == "waitress-serve" { 8080 } else { 8000 });
    start.folder = option(rest, &["--chdir", "--app-dir"]).map(str::to_owned);
    start.target = target(program, rest);
    start
}

/// `module:variable`, or a bare module where nothing else can be one.
fn target(program: &str, rest: &[String]) -> Option<String> {
    static CALLABLE: Pattern = Pattern::new(r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(.*\))?$");
    static MODULE: Pattern = Pattern::new(r"^[A-Za-z_][\w.]*$");
    if program == "uwsgi" {
        return option(rest, &["--module", "-w", "--wsgi"]).map(str::to_owned);
    }
    if let Some(callable) = rest.iter().find(|word| CALLABLE.matches(word)) {
        return Some(callable.clone());
    }
    let is_value = |at: usize| at > 0 && rest[at - 1].starts_with('-') && !rest[at - 1].contains('=');
    let module = rest.iter().enumerate().find(|(at, word)| MODULE.matches(word) && !is_value(*at));
    // gunicorn looks for `application` where only a module is named.
    module.filter(|_| program == "gunicorn").map(|(_, module)| format!("{module}:application"))
}

/// The value of the first of `names` among the options: `--bind=x`, `--bind x`, `-b x`, `-bx`.
fn option<'a>(words: &'a [String], names: &[&str]) -> Option<&'a str> {
    words.iter().enumerate().find_map(|(at, word)| {
        names.iter().find_map(|name| {
            let rest = word.strip_prefix(name)?;
            let short = name.len() == 2;
            match rest {
                "" => words.get(at + 1).map(String::as_str),
                rest => rest.strip_prefix('=').or(short.then_some(rest)),
            }
        })
    })
}

/// The port of `8000`, `:8000`, `0.0.0.0:8000`, `[::]:8000`.
pub(super) fn port(address: &str) -> Option<u16> {
    let digits = address.rsplit(':').next()?;
    digits.parse().ok().filter(|port| *port > 0 && digits.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(text: &str) -> Start {
        let variable = |name: &str| (name == "PORT").then(|| "8081".to_owned());
        read(&CommandLine::Shell(text.to_owned()), Place::file("Procfile"), "test", &variable).unwrap().start
    }

    #[test]
    fn servers_entry_points_and_ports() {
        let case = |text: &str| {
            let start = shell(text);
            (start.kind.map(|kind| kind.to_string()), start.target, start.port)
        };
        let is = |kind: &str, target: &str, port: u16| {
            (Some(kind.to_owned()), Some(target.to_owned()), Some(port).filter(|port| *port > 0))
        };
        assert_eq!(case("gunicorn -w 4 -b 0.0.0.0:9000 shop.wsgi"), is("wsgi", "shop.wsgi:application", 9000));
        assert_eq!(case("exec gunicorn --bind=:$PORT 'app:create_app()'"), is("wsgi", "app:create_app()", 8081));
        assert_eq!(case("gunicorn main:app -k uvicorn.workers.UvicornWorker"), is("asgi", "main:app", 0));
        assert_eq!(
            case("poetry run uvicorn orders.main:app --host 0.0.0.0 --port 80"),
            is("asgi", "orders.main:app", 80)
        );
        assert_eq!(case("uv run --no-dev uvicorn main:app --port ${WEB:-7000}"), is("asgi", "main:app", 7000));
        assert_eq!(case("python3.12 -m uvicorn main:app"), is("asgi", "main:app", 0));
        assert_eq!(
            case("sh -c 'cd backend && daphne -p 8001 site.asgi:application'"),
            is("asgi", "site.asgi:application", 8001)
        );
        assert_eq!(case("NODE_ENV=production node --enable-source-maps dist/main.js"), is("script", "dist/main.js", 0));
        assert_eq!(case("./entrypoint.sh python -u app.py --port 5001"), is("script", "app.py", 5001));
        assert_eq!(case("hypercorn -b[::]:8443 main:app"), is("asgi", "main:app", 8443));
    }

    #[test]
    fn programs_name_frameworks() {
        assert_eq!(shell("flask --app shop run -p 5001").framework, Some(Framework::Flask));
        assert_eq!(shell("fastapi run main.py").framework, Some(Framework::Fastapi));
        let django = shell("python manage.py migrate && python manage.py runserver 0.0.0.0:8002");
        assert_eq!((django.framework, django.port), (Some(Framework::Django), Some(8002)));
        assert_eq!(shell("npx next start -p 4000").port, Some(4000));
        assert_eq!(shell("nginx -g 'daemon off;'").family, Family::Files);
        assert_eq!(shell("cd web && npm start").folder.as_deref(), Some("web"));
        assert_eq!(shell("/usr/bin/ledger --addr :9090").port, Some(9090));
    }

    #[test]
    fn odd_lines_give_nothing_or_a_program() {
        let none = |_: &str| None;
        for text in ["", "&&", "-", "--", "exec", "A=1", "sh -c", "python", "python -m"] {
            let _ = read(&CommandLine::Shell(text.to_owned()), Place::file("x"), "test", &none);
        }
        let deep = read(&CommandLine::Exec(Vec::new()), Place::file("x"), "test", &none);
        assert_eq!(deep, None);
    }
}
