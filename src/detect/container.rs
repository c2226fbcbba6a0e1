//! How a container of the app is made and started: `Dockerfile` and `Procfile`.
//!
//! Owns which of them speak for a folder: its own, or those of a folder above that name it.

use super::command::{self, Family, Launch};
use super::error::Error;
use super::manifests::dockerfile::{self, CommandLine, Dockerfile};
use super::manifests::procfile;
use super::place::Place;
use super::reader::Reader;
use super::survey::below;
use crate::files::parent;

/// What starts the app, if files say it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Container {
    /// The Dockerfile.
    pub(super) dockerfile: Option<Dockerfile>,
    /// What is started: by the Procfile, else by the Dockerfile.
    pub(super) launch: Option<Launch>,
    /// Whether the files lie in a folder above and name this one.
    pub(super) is_inherited: bool,
}

impl Container {
    /// The language of what is started; of the image, if that alone says it.
    pub(super) fn family(&self) -> Option<Family> {
        if let Some(launch) = &self.launch {
            return Some(launch.start.family);
        }
        let (image, _) = self.dockerfile.as_ref()?.image.as_ref()?;
        image_port(image).map(|_| Family::Files)
    }

    /// Whether this names the folder at `relative` below the folder of its files.
    fn names(&self, relative: &str) -> bool {
        let inside = |path: &str| {
            let path = path.trim_start_matches("./").trim_matches('/');
            path == relative || path.strip_prefix(relative).is_some_and(|rest| rest.starts_with('/'))
        };
        let ends = |path: &str| {
            let path = path.trim_end_matches('/');
            path.strip_suffix(relative).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        };
        let start = self.launch.as_ref().map(|launch| &launch.start);
        let target = start.and_then(|start| start.target.as_deref()).unwrap_or_default();
        let module = format!("{}.", relative.replace('/', "."));
        self.dockerfile.iter().any(|file| file.sources.iter().any(|source| inside(source)))
            || self.dockerfile.iter().filter_map(|file| file.folder.as_deref()).any(ends)
            || start.and_then(|start| start.folder.as_deref()).is_some_and(ends)
            || target.starts_with(&module)
            || inside(target)
    }
}

/// The port of an image that serves files.
pub(super) fn image_port(image: &str) -> Option<u16> {
    let name = image.rsplit('/').next()?.split([':', '@']).next()?;
    match name {
        "nginx" | "caddy" | "httpd" => Some(80),
        "nginx-unprivileged" => Some(8080),
        _ => None,
    }
}

/// What speaks for `folder`.
///
/// # Errors
/// [`Error::FileTooLarge`], and [`Error::Files`] if the storage fails.
pub(super) fn gather(folder: &str, reader: &mut Reader<'_>) -> Result<Container, Error> {
    let own = read(folder, reader)?;
    if own != Container::default() {
        return Ok(own);
    }
    let mut above = folder;
    while !above.is_empty() {
        above = parent(above);
        let mut container = read(above, reader)?;
        let relative = folder.strip_prefix(above).unwrap_or(folder).trim_start_matches('/');
        if container.names(relative) {
            container.is_inherited = true;
            return Ok(container);
        }
    }
    Ok(Container::default())
}

/// What the files in `folder` itself say.
///
/// # Errors
/// As [`gather`].
pub(super) fn read(folder: &str, reader: &mut Reader<'_>) -> Result<Container, Error> {
    let mut container = Container::default();
    for name in ["Dockerfile", "Containerfile"] {
        let path = below(folder, name);
        if let Some(text) = reader.manifest(&path)? {
            let file = dockerfile::read(&path, &text);
            container.launch = docker_launch(&file);
            container.dockerfile = Some(file);
            break;
        }
    }
    let path = below(folder, "Procfile");
    if let Some((line, at)) = reader.manifest(&path)?.as_deref().and_then(procfile::web) {
        let line = CommandLine::Shell(line);
        let launch = command::read(&line, Place::new(&path, at), "the `web` process of the Procfile", &|_| None);
        container.launch = launch.or(container.launch);
    }
    Ok(container)
}

/// `ENTRYPOINT` and `CMD` together, as the container runtime joins them.
fn docker_launch(file: &Dockerfile) -> Option<Launch> {
    let (line, at) = match (&file.entrypoint, &file.command) {
        (Some(entrypoint), command) => match (&entrypoint.line, command) {
            (CommandLine::Exec(first), Some(command)) => {
                let rest = match &command.line {
                    CommandLine::Exec(words) => words.clone(),
                    CommandLine::Shell(text) => vec!["sh".to_owned(), "-c".to_owned(), text.clone()],
                };
                (CommandLine::Exec([first.clone(), rest].concat()), command.at)
            }
            (line, _) => (line.clone(), entrypoint.at),
        },
        (None, Some(command)) => (command.line.clone(), command.at),
        (None, None) => return None,
    };
    command::read(&line, Place::new(&file.file, at), "the command of the Dockerfile", &|name| file.variable(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::notes::Notes;
    use crate::files::MemoryTree;

    fn container(folder: &str, files: &[(&'static str, &'static str)]) -> Container {
        let tree: MemoryTree = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        gather(folder, &mut Reader::new(&tree, Notes::default())).unwrap()
    }

    #[test]
    fn a_dockerfile_above_speaks_for_the_folder_that_it_names() {
        for text in [
            "FROM python:3\nCOPY ./backend /app\nCMD uvicorn main:app",
            "FROM python:3\nCOPY . /src\nWORKDIR /src/backend\nCMD uvicorn main:app",
            "FROM python:3\nCOPY . .\nCMD uvicorn backend.main:app",
            "FROM python:3\nCOPY . .\nCMD cd backend && uvicorn main:app",
        ] {
            assert!(container("backend", &[("Dockerfile", text)]).is_inherited, "{text}");
            assert!(!container("frontend", &[("Dockerfile", text)]).is_inherited, "{text}");
        }
    }

    #[test]
    fn the_procfile_wins_and_entrypoint_joins_command() {
        let both = [
            ("Dockerfile", "FROM x\nENTRYPOINT [\"./entrypoint.sh\"]\nCMD [\"flask\", \"run\"]"),
            ("Procfile", "web: gunicorn app:app"),
        ];
        assert_eq!(container("", &both).launch.unwrap().start.program, "gunicorn");
        let launch = container("", &both[..1]).launch.unwrap();
        assert_eq!(
            (launch.words.join(" "), launch.start.program),
            ("./entrypoint.sh flask run".to_owned(), "flask".to_owned())
        );
        assert_eq!(
            container("", &[("Dockerfile", "FROM nginxinc/nginx-unprivileged:1")]).family(),
            Some(Family::Files)
        );
    }
}
