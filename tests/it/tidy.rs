//! The shape of the source: who may import whom, how long files and functions may be, and what no file may contain.
//!
//! Each rule is a test of its own, reports every breach at once, and says what to do about it.

#![expect(clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Which module may import which, lowest layer first: a module may only name modules above its own line, so the table
/// cannot describe a cycle. `files` (a read-only tree of files) and `yaml` (the one YAML dialect) are leaves: they import
/// nothing, and there is one of each so that no two modules read the same file differently.
const IMPORTS: [(&str, &[&str]); 18] = [
    ("files", &[]),
    ("yaml", &[]),
    ("domain", &["yaml"]),
    ("overlay", &["files", "yaml"]),
    ("detect", &["files", "yaml", "domain"]),
    ("secrets", &["domain"]),
    ("render", &["files", "yaml", "domain", "overlay", "secrets"]),
    ("git", &["files", "domain"]),
    ("forge", &["domain", "git"]),
    ("cluster", &["domain"]),
    ("metrics", &["domain"]),
    ("store", &["domain"]),
    ("sandbox", &["files", "yaml", "domain", "overlay", "git", "cluster"]),
    (
        "operations",
        &[
            "files", "yaml", "domain", "overlay", "detect", "render", "git", "secrets", "forge", "cluster", "metrics",
            "store",
        ],
    ),
    ("chatops", &["domain", "git", "forge", "store", "operations"]),
    ("jobs", &["domain", "forge", "store", "operations", "chatops"]),
    (
        "web",
        &[
            "files",
            "yaml",
            "domain",
            "detect",
            "render",
            "git",
            "forge",
            "store",
            "metrics",
            "operations",
            "chatops",
            "jobs",
        ],
    ),
    (
        "cli",
        &[
            "files",
            "yaml",
            "domain",
            "overlay",
            "detect",
            "render",
            "git",
            "secrets",
            "forge",
            "cluster",
            "metrics",
            "store",
            "sandbox",
            "operations",
            "jobs",
            "web",
        ],
    ),
];

/// Production lines of one file: the most, and what nine of ten files and the middle one stay within.
const FILE_MAX: usize = 800;
const FILE_P90: usize = 500;
const FILE_MEDIAN: std::ops::RangeInclusive<usize> = 80..=250;
/// Lines of one function.
const FUNCTION_MAX: usize = 100;
const FUNCTION_P90: usize = 50;

/// Functions that may be longer than [`FUNCTION_MAX`]: `(file, function, reason)`. An entry that is no longer needed
/// fails, so that this list only ever names what is there.
const LONG_FUNCTIONS: [(&str, &str, &str); 0] = [];

/// Names that say nothing about what a module owns.
const EMPTY_NAMES: [&str; 7] = ["utils", "util", "helpers", "helper", "common", "misc", "shared"];

/// Crates that must not be in the tree, and why.
const BANNED_CRATES: [(&str, &str); 5] = [
    ("ring", "there is one crypto provider: aws-lc-rs"),
    ("openssl-sys", "there is one TLS stack: rustls"),
    ("native-tls", "there is one TLS stack: rustls"),
    ("serde_yaml", "it is archived; `serde_yaml` in this package is serde-saphyr under that name"),
    ("serde_yml", "it is unsound and unmaintained; use crate::yaml"),
];

/// Crates of which two versions would mean two TLS stacks or two sets of global state.
const SINGLE_CRATES: [&str; 6] = ["rustls", "aws-lc-rs", "aws-lc-sys", "libgit2-sys", "git2", "reqwest"];

#[test]
fn modules_import_only_what_the_table_allows() {
    let mut breaches = Breaches::default();
    for (at, (module, allowed)) in IMPORTS.iter().enumerate() {
        for import in *allowed {
            if !IMPORTS[..at].iter().any(|(lower, _)| lower == import) {
                breaches.add(format!("the table lets `{module}` import `{import}`, which is not above it"));
            }
        }
    }
    let declared: BTreeSet<String> = declared_modules();
    let listed: BTreeSet<String> = IMPORTS.iter().map(|(module, _)| (*module).to_owned()).collect();
    for module in declared.symmetric_difference(&listed) {
        breaches.add(format!("`{module}` is in src/lib.rs or in the table, not in both"));
    }
    for source in Source::all("src") {
        let Some((_, allowed)) = IMPORTS.iter().find(|(module, _)| *module == source.module()) else { continue };
        for (imported, line) in source.imports() {
            if imported != source.module() && declared.contains(&imported) && !allowed.contains(&imported.as_str()) {
                breaches.add(format!("{}:{line}: `{}` imports `{imported}`", source.path, source.module()));
            }
        }
    }
    breaches.check(
        "move the code to the module that owns it, or pass in what it needs; change IMPORTS in tests/it/tidy.rs (and \
         ARCHITECTURE.md with it) only if the layers themselves change",
    );
}

#[test]
fn files_are_of_readable_size() {
    let mut sizes: Vec<(usize, String)> =
        Source::all("src").into_iter().map(|source| (source.production_lines(), source.path)).collect();
    sizes.sort();
    let mut breaches = Breaches::default();
    for (lines, path) in sizes.iter().filter(|(lines, _)| *lines > FILE_MAX) {
        breaches.add(format!("{path}: {lines} production lines, more than {FILE_MAX}"));
    }
    let lengths: Vec<usize> = sizes.iter().map(|(lines, _)| *lines).collect();
    let (median, p90) = (percentile(&lengths, 50), percentile(&lengths, 90));
    if p90 > FILE_P90 {
        breaches.add(format!("nine of ten files have up to {p90} production lines; the aim is {FILE_P90}"));
    }
    if !FILE_MEDIAN.contains(&median) {
        let Some((_, example)) = sizes.get(sizes.len() / 2) else { return };
        breaches.add(format!("the middle file ({example}) has {median} production lines; the aim is {FILE_MEDIAN:?}"));
    }
    breaches.check("split a file along what it owns; join files that only make sense together");
}

#[test]
fn functions_are_of_readable_size() {
    let mut functions: Vec<Function> = Source::all("src").iter().flat_map(Source::functions).collect();
    functions.sort_by(|a, b| a.lines.cmp(&b.lines).then_with(|| a.place.cmp(&b.place)));
    let mut breaches = Breaches::default();
    let exception = |function: &Function| {
        LONG_FUNCTIONS.iter().find(|(file, name, _)| *file == function.file && *name == function.name)
    };
    for function in functions.iter().filter(|function| function.lines > FUNCTION_MAX) {
        if exception(function).is_none() {
            breaches.add(format!("{}: `{}` has {} lines", function.place, function.name, function.lines));
        }
    }
    for (file, name, reason) in &LONG_FUNCTIONS {
        let needed = functions
            .iter()
            .any(|function| function.file == *file && function.name == *name && function.lines > FUNCTION_MAX);
        if !needed || reason.is_empty() {
            breaches.add(format!("LONG_FUNCTIONS names {file} `{name}`, which is short enough or gone"));
        }
    }
    let lengths: Vec<usize> = functions.iter().map(|function| function.lines).collect();
    let p90 = percentile(&lengths, 90);
    if p90 > FUNCTION_P90 {
        breaches.add(format!("nine of ten functions have up to {p90} lines; the aim is {FUNCTION_P90}"));
    }
    breaches.check(&format!(
        "give the parts of a function names; one that reads best as it is goes into LONG_FUNCTIONS with its reason \
         (at most {FUNCTION_MAX} lines otherwise)"
    ));
}

#[test]
fn every_file_says_what_it_owns() {
    let mut breaches = Breaches::default();
    for source in Source::everywhere() {
        let first = source.text.lines().next().unwrap_or_default();
        if first.strip_prefix("//! ").is_none_or(|words| words.trim().len() < 5) {
            breaches.add(format!("{}:1: the file does not begin with `//!` and a sentence", source.path));
        }
    }
    breaches.check("begin the file with `//!`: what it owns, and what it does not");
}

#[test]
fn no_lint_is_switched_off_for_good() {
    let mut breaches = Breaches::default();
    for source in Source::everywhere() {
        for (number, line) in source.lines() {
            let line = line.trim_start();
            if line.starts_with("#[allow(") || line.starts_with("#![allow(") {
                breaches.add(format!("{}:{number}: {line}", source.path));
            }
        }
    }
    breaches.check("write `#[expect(lint, reason = \"...\")]`: it goes away when its cause does");
}

#[test]
fn names_are_re_exported_one_by_one() {
    let mut breaches = Breaches::default();
    for source in Source::all("src") {
        let mut globs = GlobReExports(Vec::new());
        globs.visit_file(&source.syntax());
        for line in globs.0 {
            breaches.add(format!("{}:{line}: a re-export of everything", source.path));
        }
    }
    breaches.check("name what is re-exported: a reader finds where a name comes from by searching for it");
}

#[test]
fn test_code_stands_at_the_end_of_its_file() {
    let mut breaches = Breaches::default();
    for source in Source::all("src") {
        for line in source.conditional_test_code() {
            breaches.add(format!("{}:{line}: `cfg(test)` before the last module", source.path));
        }
    }
    breaches.check(
        "production code must not know that it is tested: pass in what varies, and keep tests in one `mod tests` at the \
         end of the file or in tests/it",
    );
}

#[test]
fn modules_have_names_that_say_something() {
    let mut breaches = Breaches::default();
    for source in Source::everywhere() {
        for part in source.path.trim_end_matches(".rs").split('/').filter(|part| EMPTY_NAMES.contains(part)) {
            breaches.add(format!("{}: a module named `{part}`", source.path));
        }
    }
    breaches.check("name a module after what it owns");
}

#[test]
fn no_file_names_a_machine_or_a_private_registry() {
    // Put together here, so that this file does not name them either.
    let machine_paths = [["", "work", ""].join("/"), ["", "root", ""].join("/"), ["", "tmp", "wt"].join("/")];
    let user_folders = [["", "home", ""].join("/"), ["", "Users", ""].join("/")];
    let mut breaches = Breaches::default();
    for path in project_files() {
        let name = relative(&path);
        if [".cargo/config", ".cargo/config.toml", ".npmrc", "pip.conf", ".netrc"].contains(&name.as_str()) {
            breaches.add(format!("{name}: settings of one machine"));
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            let found = machine_paths.iter().find(|found| names_path(line, found)).or_else(|| {
                // A home folder inside a container is somebody's choice; one in Rust or in a document is a slip.
                let ours = name.ends_with(".rs") || name.ends_with(".md");
                user_folders.iter().find(|found| ours && names_path(line, found))
            });
            if let Some(found) = found {
                breaches.add(format!("{name}:{number}: the path `{found}` of one machine"));
            }
            if name == "Cargo.lock"
                && line.starts_with("source = ")
                && line != "source = \"registry+https://github.com/rust-lang/crates.io-index\""
            {
                breaches.add(format!("{name}:{number}: {line}"));
            }
        }
    }
    breaches.check("use a path relative to the repository, a temporary folder, or the public registry");
}

#[test]
fn the_tree_of_crates_holds_nothing_that_is_banned() {
    let mut breaches = Breaches::default();
    let crates = crates();
    for (name, version, _) in &crates {
        if let Some((_, why)) = BANNED_CRATES.iter().find(|(banned, _)| banned == name) {
            breaches.add(format!("{name} {version}: {why}"));
        }
    }
    for name in SINGLE_CRATES {
        let versions: Vec<&str> =
            crates.iter().filter(|(known, ..)| known == name).map(|(_, version, _)| version.as_str()).collect();
        if versions.len() != 1 {
            breaches.add(format!("{name} is there in {} versions: {}", versions.len(), versions.join(", ")));
        }
    }
    let banned: Vec<String> = list(&deny_settings(), "bans", "deny")
        .iter()
        .filter_map(|ban| Some(ban.get("crate")?.as_str()?.to_owned()))
        .collect();
    for (name, _) in BANNED_CRATES {
        if !banned.iter().any(|known| known == name) {
            breaches.add(format!("deny.toml does not ban {name}"));
        }
    }
    breaches.check("`cargo tree -i NAME` says who brings a crate in; switch that feature off, or choose another crate");
}

#[test]
fn every_licence_is_one_that_was_agreed_to() {
    let settings = deny_settings();
    let allowed: Vec<&str> = list(&settings, "licenses", "allow").iter().filter_map(toml::Value::as_str).collect();
    let mut breaches = Breaches::default();
    for (name, version, licence) in crates() {
        let tokens: Vec<String> = licence
            .replace('/', " OR ")
            .replace('(', " ( ")
            .replace(')', " ) ")
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        if !one_of(&allowed, &mut tokens.as_slice()) {
            breaches.add(format!("{name} {version}: {licence}"));
        }
    }
    breaches.check("choose another crate, or agree to the licence in deny.toml");
}

/// Whether the alternatives at the head of `tokens` hold one that `allowed` covers. Consumes them.
fn one_of(allowed: &[&str], tokens: &mut &[String]) -> bool {
    let mut fits = all_of(allowed, tokens);
    while let [word, rest @ ..] = tokens
        && word == "OR"
    {
        *tokens = rest;
        fits |= all_of(allowed, tokens);
    }
    fits
}

/// Whether `allowed` covers everything up to the next `OR` or the end of the parentheses.
fn all_of(allowed: &[&str], tokens: &mut &[String]) -> bool {
    let mut fits = one_licence(allowed, tokens);
    while let [word, rest @ ..] = tokens
        && word == "AND"
    {
        *tokens = rest;
        fits &= one_licence(allowed, tokens);
    }
    fits
}

/// Whether `allowed` has the licence, with its exception, or covers what stands in parentheses.
fn one_licence(allowed: &[&str], tokens: &mut &[String]) -> bool {
    let Some((word, rest)) = tokens.split_first() else { return false };
    *tokens = rest;
    if word == "(" {
        let fits = one_of(allowed, tokens);
        *tokens = tokens.get(1..).unwrap_or_default();
        return fits;
    }
    match tokens.split_first_chunk() {
        Some(([with, exception], rest)) if with == "WITH" => {
            *tokens = rest;
            allowed.contains(&format!("{word} WITH {exception}").as_str())
        }
        _ => allowed.contains(&word.as_str()),
    }
}

#[test]
fn licence_expressions_are_read_as_they_are_meant() {
    let fits = |text: &str| {
        let tokens: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        one_of(&["MIT", "ISC", "A WITH x"], &mut tokens.as_slice())
    };
    assert!(fits("GPL OR MIT") && fits("MIT AND ( GPL OR ISC )") && fits("A WITH x OR GPL"));
    assert!(!fits("GPL") && !fits("MIT AND GPL") && !fits("A") && !fits("( MIT OR ISC ) AND GPL") && !fits(""));
}

/// The crates that are built on this machine, tests included: name, version, licence. Cargo.lock also lists crates
/// that only a feature that is off would bring in.
fn crates() -> Vec<(String, String, String)> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = std::process::Command::new(cargo)
        .args(["tree", "--locked", "--offline", "--edges", "normal,build,dev", "--prefix", "none"])
        .args(["--format", "{p}|{l}"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let found: BTreeSet<(String, String, String)> = text
        .lines()
        .filter_map(|line| {
            let (package, licence) = line.split_once('|')?;
            let mut words = package.split_whitespace();
            let licence = licence.trim_end_matches(" (*)").to_owned();
            Some((words.next()?.to_owned(), words.next()?.to_owned(), licence))
        })
        .collect();
    assert!(found.len() > 100, "the tree of crates was not understood: {} crates", found.len());
    found.into_iter().collect()
}

fn deny_settings() -> toml::Table {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml is part of the repository");
    text.parse().expect("deny.toml is TOML")
}

fn list<'a>(settings: &'a toml::Table, section: &str, key: &str) -> &'a [toml::Value] {
    let found = settings.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
    found.map_or_else(|| panic!("deny.toml has no list `{key}` under [{section}]"), Vec::as_slice)
}

/// What breaks a rule, all of it.
#[derive(Default)]
struct Breaches(Vec<String>);

impl Breaches {
    fn add(&mut self, breach: String) {
        self.0.push(breach);
    }

    fn check(self, advice: &str) {
        if self.0.is_empty() {
            return;
        }
        let mut text = String::new();
        for breach in &self.0 {
            let _ = writeln!(text, "  {breach}");
        }
        panic!("{} breaches:\n{text}what to do: {advice}", self.0.len());
    }
}

/// One Rust file.
struct Source {
    /// Its path from the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// Every Rust file below `folder`.
    fn all(folder: &str) -> Vec<Self> {
        let mut paths = Vec::new();
        walk(&root().join(folder), &mut paths);
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// Every Rust file of the package.
    fn everywhere() -> Vec<Self> {
        ["src", "tests", "benches", "examples"].into_iter().flat_map(Self::all).collect()
    }

    fn read(path: &Path) -> Self {
        Self { path: relative(path), text: std::fs::read_to_string(path).expect("a source file is UTF-8") }
    }

    fn syntax(&self) -> syn::File {
        syn::parse_file(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The module below the crate that it belongs to; empty for `lib.rs` and `main.rs`.
    fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or_default();
        match inside.split_once('/') {
            Some((module, _)) => module,
            None => inside.strip_suffix(".rs").filter(|name| !matches!(*name, "lib" | "main")).unwrap_or_default(),
        }
    }

    /// How many modules deep it is: 1 for `src/a/mod.rs` and `src/a.rs`, 2 for `src/a/b.rs`.
    fn depth(&self) -> usize {
        let inside = self.path.strip_prefix("src/").unwrap_or_default().trim_end_matches(".rs");
        inside.trim_end_matches("/mod").split('/').filter(|part| !matches!(*part, "lib" | "main")).count()
    }

    /// The lines before the tests at the end.
    fn production_lines(&self) -> usize {
        let tests = self.text.lines().position(|line| line.starts_with("#[cfg(test)]"));
        tests.unwrap_or_else(|| self.text.lines().count())
    }

    /// The modules of this crate that it names, in tests too, with the line of each.
    fn imports(&self) -> Vec<(String, usize)> {
        let mut imports = Imports { depth: self.depth(), found: Vec::new() };
        imports.visit_file(&self.syntax());
        imports.found
    }

    /// The functions before the tests at the end.
    fn functions(&self) -> Vec<Function> {
        let mut functions = Functions { last: self.production_lines(), found: Vec::new() };
        functions.visit_file(&self.syntax());
        let named = |(name, start, lines)| Function {
            file: self.path.clone(),
            place: format!("{}:{start}", self.path),
            name,
            lines,
        };
        functions.found.into_iter().map(named).collect()
    }

    /// The lines on which something other than the last module depends on `cfg(test)`.
    fn conditional_test_code(&self) -> Vec<usize> {
        let mut uses = TestConditions(Vec::new());
        let syntax = self.syntax();
        let (last, before) = match syntax.items.split_last() {
            Some((syn::Item::Mod(module), before)) if module.content.is_some() => (Some(module), before),
            _ => (None, syntax.items.as_slice()),
        };
        syntax.attrs.iter().for_each(|attribute| uses.visit_attribute(attribute));
        before.iter().for_each(|item| uses.visit_item(item));
        if let Some(module) = last {
            let is_tests = module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
            if !is_tests {
                uses.visit_item_mod(module);
            }
        }
        uses.0
    }
}

/// A function with its place and length.
struct Function {
    file: String,
    place: String,
    name: String,
    lines: usize,
}

/// Collects `crate::x` and as many `super` as lead to the crate, in imports, paths and macro calls.
struct Imports {
    depth: usize,
    found: Vec<(String, usize)>,
}

impl Imports {
    fn note(&mut self, segments: &[(String, usize)]) {
        let supers = segments.iter().take_while(|(name, _)| name == "super" || name == "self");
        let climbed = segments.iter().take_while(|(name, _)| name == "super").count();
        let named = match segments.first() {
            Some((name, _)) if name == "crate" => segments.get(1),
            Some((name, _)) if name == "super" && climbed == self.depth => segments.get(supers.count()),
            _ => None,
        };
        self.found.extend(named.cloned());
    }

    fn note_tree(&mut self, before: &[(String, usize)], tree: &syn::UseTree) {
        let with = |ident: &syn::Ident| {
            let mut path = before.to_vec();
            path.push((ident.to_string(), ident.span().start().line));
            path
        };
        match tree {
            syn::UseTree::Path(path) => self.note_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.note(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.note(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.note(before),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_tree(before, tree)),
        }
    }

    /// Macros are not parsed: `crate :: x` is looked for among their tokens.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<(String, usize)> = Vec::new();
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => path.push((ident.to_string(), ident.span().start().line)),
                TokenTree::Punct(punct) if punct.as_char() == ':' => {}
                other => {
                    self.note(&std::mem::take(&mut path));
                    if let TokenTree::Group(group) = other {
                        self.note_tokens(group.stream());
                    }
                }
            }
        }
        self.note(&path);
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.note_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<(String, usize)> = path
            .segments
            .iter()
            .map(|segment| (segment.ident.to_string(), segment.ident.span().start().line))
            .collect();
        self.note(&segments);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.note_tokens(invocation.tokens.clone());
        visit::visit_macro(self, invocation);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let inline = usize::from(module.content.is_some());
        self.depth += inline;
        visit::visit_item_mod(self, module);
        self.depth -= inline;
    }
}

/// Collects functions: name, first line, number of lines from the signature to the closing brace.
struct Functions {
    last: usize,
    found: Vec<(String, usize, usize)>,
}

impl Functions {
    fn note(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let (start, end) = (signature.span().start().line, body.span().end().line);
        if start <= self.last {
            self.found.push((signature.ident.to_string(), start, end - start + 1));
        }
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.note(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.note(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.note(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

/// Collects the lines of `pub use x::*`.
struct GlobReExports(Vec<usize>);

impl<'ast> Visit<'ast> for GlobReExports {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        fn has_glob(tree: &syn::UseTree) -> bool {
            match tree {
                syn::UseTree::Path(path) => has_glob(&path.tree),
                syn::UseTree::Group(group) => group.items.iter().any(has_glob),
                syn::UseTree::Glob(_) => true,
                syn::UseTree::Name(_) | syn::UseTree::Rename(_) => false,
            }
        }
        if !matches!(item.vis, syn::Visibility::Inherited) && has_glob(&item.tree) {
            self.0.push(item.span().start().line);
        }
    }
}

/// Collects the lines of `#[cfg(test)]`, `#[cfg_attr(test, ...)]` and `cfg!(test)`.
struct TestConditions(Vec<usize>);

impl TestConditions {
    fn note(&mut self, path: &syn::Path, tokens: TokenStream) {
        fn names_test(tokens: TokenStream) -> bool {
            tokens.into_iter().any(|token| match token {
                TokenTree::Ident(ident) => ident == "test",
                TokenTree::Group(group) => names_test(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => false,
            })
        }
        if (path.is_ident("cfg") || path.is_ident("cfg_attr")) && names_test(tokens) {
            self.0.push(path.span().start().line);
        }
    }
}

impl<'ast> Visit<'ast> for TestConditions {
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.note(&list.path, list.tokens.clone());
        }
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.note(&invocation.path, invocation.tokens.clone());
    }
}

/// The modules that `src/lib.rs` declares.
fn declared_modules() -> BTreeSet<String> {
    let library = Source::read(&root().join("src/lib.rs"));
    let items = library.syntax().items.into_iter();
    items
        .filter_map(|item| match item {
            syn::Item::Mod(module) => Some(module.ident.to_string()),
            _ => None,
        })
        .collect()
}

/// Whether `line` holds a path that begins with `start`: not `https://a.b/start/`, not `../start/`.
fn names_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '-' | '_' | '/' | '}' | '>' | '*' | '~'))
    })
}

/// The value that `percent` of the sorted `values` do not exceed.
fn percentile(values: &[usize], percent: usize) -> usize {
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or_default()
}

/// The root of the repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `path` from the root, with `/`.
fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// Every file that belongs to the project.
fn project_files() -> Vec<PathBuf> {
    let mut paths = Vec::new();
    walk(&root(), &mut paths);
    paths
}

/// Every file below `folder`, sorted; neither Git's own nor what was built.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default();
        if path.is_symlink() || name == ".git" || name == "target" || name == "node_modules" {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}
