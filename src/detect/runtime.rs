//! The version of the language runtime, from the files that exist only to say it.

use super::claims::Claims;
use super::command::Family;
use super::error::Error;
use super::facts::Facts;
use super::place::Place;
use super::reader::Reader;

/// Claims the version of the image that runs the app, then that of a version file.
///
/// # Errors
/// [`Error::Files`] if the storage fails.
pub(super) fn describe(
    facts: &Facts<'_>,
    family: Family,
    reader: &mut Reader<'_>,
    claims: &mut Claims,
) -> Result<(), Error> {
    let (image_name, files): (&str, &[&str]) = match family {
        Family::Python => ("python", &[".python-version", "runtime.txt"]),
        Family::Node => ("node", &[".nvmrc", ".node-version"]),
        Family::Files | Family::Program => return Ok(()),
    };
    if let Some(file) = &facts.container.dockerfile
        && let Some((image, line)) = &file.image
        && let Some(version) = image_version(image, image_name)
    {
        claims.runtime_version(version, Some(&Place::new(&file.file, *line)), "the image that runs the app");
    }
    for name in files {
        let path = facts.path(name);
        let Some(text) = reader.source(&path)? else { continue };
        let stated =
            text.lines().map(str::trim).enumerate().find(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        if let Some((at, line)) = stated {
            let version = line.strip_prefix("python-").or_else(|| line.strip_prefix('v')).unwrap_or(line);
            claims.runtime_version(version, Some(&Place::new(&path, at + 1)), "the version file");
        }
    }
    Ok(())
}

/// `3.12` of `docker.io/library/python:3.12-slim`.
fn image_version<'i>(image: &'i str, name: &str) -> Option<&'i str> {
    let (repository, tag) = image.split('@').next()?.rsplit_once(':')?;
    let version = tag.split('-').next().filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))?;
    (repository.rsplit('/').next() == Some(name)).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_images() {
        assert_eq!(image_version("docker.io/library/python:3.12-slim", "python"), Some("3.12"));
        assert_eq!(image_version("node:22@sha256:00", "node"), Some("22"));
        for image in ["python", "python:slim", "localhost:5000/python", "nginx:1", ""] {
            assert_eq!(image_version(image, "python"), None, "{image}");
        }
    }
}
