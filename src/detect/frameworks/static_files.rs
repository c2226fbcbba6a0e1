//! Files to serve: plain ones, or those that a front-end's build makes.

use super::{Match, Tier, nextjs, nodejs};
use crate::detect::answer::NoteKind;
use crate::detect::claims::Claims;
use crate::detect::facts::Facts;
use crate::detect::manifests::next_config::Output;
use crate::detect::place::Place;
use crate::domain::Framework;

/// A tool that builds front-ends.
struct Tool {
    package: &'static str,
    /// Where the build goes, unless the tool's settings say otherwise.
    output: &'static str,
    /// Files of which one must be there, so that a library built with the same tool is not taken for a site.
    proof: &'static [&'static str],
}

const TOOLS: [Tool; 13] = [
    Tool { package: "react-scripts", output: "build", proof: &["public/index.html"] },
    Tool { package: "@angular/core", output: "dist", proof: &["angular.json", "src/index.html"] },
    Tool { package: "@vue/cli-service", output: "dist", proof: &["public/index.html"] },
    Tool { package: "@docusaurus/core", output: "build", proof: &[] },
    Tool { package: "gatsby", output: "public", proof: &[] },
    Tool { package: "astro", output: "dist", proof: &[] },
    Tool { package: "@11ty/eleventy", output: "_site", proof: &[] },
    Tool { package: "vitepress", output: ".vitepress/dist", proof: &[] },
    Tool { package: "vuepress", output: ".vuepress/dist", proof: &[] },
    Tool { package: "@sveltejs/adapter-static", output: "build", proof: &[] },
    Tool { package: "vite", output: "dist", proof: &["index.html", "src/index.html"] },
    Tool { package: "parcel", output: "dist", proof: &["index.html", "src/index.html"] },
    Tool { package: "webpack", output: "dist", proof: &["index.html", "src/index.html", "public/index.html"] },
];

/// What a front-end is built with.
pub(super) struct FrontEnd {
    /// The tool's package.
    package: &'static str,
    /// Where the build goes.
    output: &'static str,
    /// Where the package is named.
    place: Place,
}

/// The front-end in the folder, if its package has a build script.
pub(super) fn front_end(facts: &Facts<'_>) -> Option<FrontEnd> {
    let package = facts.package.as_ref()?;
    package.script("build")?;
    if let Some((Output::Export, place)) = &facts.next_output {
        package.any_dependency("next")?;
        let pages = !package.has_workspaces() || nextjs::has_pages(facts);
        return pages.then(|| FrontEnd { package: "next", output: "out", place: place.clone() });
    }
    let tool = TOOLS.iter().find(|tool| {
        let proven = tool.proof.is_empty() || tool.proof.iter().any(|name| facts.has(name));
        proven && package.any_dependency(tool.package).is_some()
    })?;
    let place = package.any_dependency(tool.package)?;
    Some(FrontEnd { package: tool.package, output: tool.output, place })
}

/// Whether the folder holds files to serve.
pub(super) fn recognise(facts: &Facts<'_>) -> Option<Match> {
    let found = |tier, place, why: String| {
        Some(Match { framework: Framework::Static, tier, is_proven: false, reasons: vec![(place, why)] })
    };
    if let Some(front_end) = front_end(facts) {
        let why = match front_end.package {
            "next" => "`output: export`: the build makes files only".to_owned(),
            package => format!("`{package}` builds files only"),
        };
        return found(Tier::App, front_end.place, why);
    }
    // A broken manifest may have said that there is a server.
    if !facts.faults.is_empty() {
        return None;
    }
    let index = facts.first_file(&["index.html"])?;
    found(Tier::Files, Place::file(&index), "a page to serve, and no server beside it".to_owned())
}

/// Claims what a folder of files says.
pub(super) fn describe(facts: &Facts<'_>, claims: &mut Claims) {
    let Some(front_end) = front_end(facts) else { return };
    let text = format!("the build puts the files into `{}/`: the image serves that folder", front_end.output);
    claims.note(NoteKind::Advice, Some(&front_end.place), text);
    nodejs::describe_project(facts, claims);
    nodejs::note_locks(facts, claims);
}

#[cfg(test)]
mod tests {
    use crate::detect::{Detection, detect};
    use crate::files::MemoryTree;

    fn found(files: &[(&'static str, &'static str)]) -> Option<Detection> {
        let tree: MemoryTree = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        detect(&tree, "").ok()
    }

    #[test]
    fn a_library_built_with_the_same_tool_is_no_site() {
        let package = r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "6"}}"#;
        assert_eq!(found(&[("package.json", package)]), None);
        assert!(found(&[("package.json", package), ("index.html", "")]).is_some());
    }
}
