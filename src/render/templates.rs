//! The template engine: Jinja templates that print YAML, closed so that no value can become structure.
//!
//! Three things hold whoever wrote a template. A printed value never becomes part of the text that is read as YAML: the
//! text gets a placeholder, and the value takes its place in the object that was read (the module `skeleton`).
//! A template sees the values it is given and the filters listed here, and nothing of the process, the file system, the
//! clock or the network. Work and output are bounded.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use minijinja::tests::{is_defined, is_none};
use minijinja::value::Value as Context;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, filters, functions};
use serde_json::Value;

use super::skeleton::{self, Skeletons};

use crate::domain::addons::AddonKind;
use crate::domain::{Framework, Location, Problem};
use crate::files::{self, FileTree, Kind};

/// The most work that one template may cause, in the engine's units: a step, or 64 bytes of data. The longest built-in
/// template takes under 2,000.
const FUEL: u64 = 100_000;
/// The most bytes that one template may print.
const MAX_OUTPUT: usize = 4 << 20;
/// The most bytes of a template's source.
const MAX_SOURCE: u64 = 256 * 1024;
/// How deep folders of templates may nest.
const MAX_DEPTH: usize = 8;

const EXTENSION: &str = ".yaml.j2";

/// Every template of a fleet, compiled.
pub struct Templates {
    environment: Environment<'static>,
    names: BTreeSet<String>,
    skeletons: Skeletons,
}

impl Templates {
    /// Compiles every template below `templates/`.
    ///
    /// # Errors
    /// `template.syntax` with file and line, or `files.unreadable`.
    pub fn load(tree: &dyn FileTree) -> Result<Self, Problem> {
        let mut environment = closed_environment();
        let mut names = BTreeSet::new();
        let mut folders = vec![("templates".to_owned(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in tree.list(&folder).map_err(unreadable)? {
                let path = format!("{folder}/{}", entry.name);
                match entry.kind {
                    Kind::Directory if depth < MAX_DEPTH => folders.push((path, depth + 1)),
                    Kind::File if entry.name.ends_with(EXTENSION) => {
                        let source = tree.read_text(&path, MAX_SOURCE).map_err(unreadable)?;
                        let name = path["templates/".len()..].to_owned();
                        environment
                            .add_template_owned(name.clone(), source.clone())
                            .map_err(|error| template_problem(&error, &name, Some(&source)))?;
                        names.insert(name);
                    }
                    _ => {}
                }
            }
        }
        Ok(Self { environment, names, skeletons: Skeletons::default() })
    }

    /// The template that prints `object` for apps of `framework`: the framework's own, or the base.
    #[must_use]
    pub fn resolve(&self, framework: Framework, object: &str) -> String {
        let own = format!("frameworks/{framework}/{object}{EXTENSION}");
        if self.names.contains(&own) { own } else { format!("base/{object}{EXTENSION}") }
    }

    /// The template that prints `object` for an add-on: the kind's own, or the one that all share.
    #[must_use]
    pub fn resolve_addon(&self, kind: AddonKind, object: &str) -> String {
        let own = format!("addons/{kind}/{object}{EXTENSION}");
        if self.names.contains(&own) { own } else { format!("addons/{object}{EXTENSION}") }
    }

    /// Prints the template and reads the result as one object.
    ///
    /// # Errors
    /// `template.undefined`, `template.budget`, `template.output_too_large`, `template.not_found`, `template.failed`,
    /// or `render.invalid` if what was printed is not one YAML object.
    pub fn render(&self, name: &str, context: &Context) -> Result<Value, Problem> {
        let source = || self.environment.get_template(name).ok().map(|template| template.source().to_owned());
        let fail = |error: &Error| template_problem(error, name, source().as_deref());
        let template = self.environment.get_template(name).map_err(|error| fail(&error))?;
        let mut printed = Capped { bytes: Vec::with_capacity(4096), overflowed: false };
        PRINTED.take();
        let outcome = template.render_captured_to(context.clone(), &mut printed);
        let values = PRINTED.take();
        printed.overflowed |= values.bytes > MAX_OUTPUT;
        match outcome {
            Ok(_) => {}
            Err(_) if printed.overflowed => {
                let detail = format!("template `{name}` prints more than {} MiB", MAX_OUTPUT >> 20);
                return Err(Problem::new("template.output_too_large", detail));
            }
            Err(error) => return Err(fail(&error)),
        }
        let invalid = |reason: String| Problem::new("render.invalid", format!("template `{name}` prints {reason}"));
        let text = String::from_utf8(printed.bytes).map_err(|_| invalid("text that is not UTF-8".to_owned()))?;
        self.skeletons.fill(text, &values.values).map_err(|fault| match fault {
            skeleton::Fault::Yaml { reason, line } => {
                invalid(format!("what is not YAML: {reason}")).hint(format!("the line is `{line}`"))
            }
            skeleton::Fault::Shape(reason) => invalid(reason),
        })
    }
}

/// The values that a template has printed, in order, and how large they are.
#[derive(Default)]
struct Printed {
    values: Vec<Value>,
    bytes: usize,
}

/// How large a value is, roughly: what its text and its structure take in memory.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => 32 + text.len(),
        Value::Array(items) => 32 + items.iter().map(size).sum::<usize>(),
        Value::Object(map) => 32 + map.iter().map(|(key, value)| 32 + key.len() + size(value)).sum::<usize>(),
        _ => 32,
    }
}

thread_local! {
    /// The values that the template being rendered on this thread has printed so far. The engine's formatter gets no
    /// context of its own, and one rendering never leaves its thread.
    static PRINTED: RefCell<Printed> = const { RefCell::new(Printed { values: Vec::new(), bytes: 0 }) };
}

fn unreadable(error: files::Error) -> Problem {
    Problem::new("files.unreadable", error.to_string())
}

/// Filters, tests and functions are added one by one: what is not named here does not exist for a template.
fn closed_environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true);
    // Nothing is escaped, since no value is printed; but only where escaping is on does the engine mark what a macro
    // returns as printed already.
    environment.set_auto_escape_callback(|_| AutoEscape::Json);
    environment.set_formatter(print_value);
    environment.add_filter("default", filters::default);
    environment.add_filter("first", filters::first);
    environment.add_filter("int", filters::int);
    environment.add_filter("items", filters::items);
    environment.add_filter("join", filters::join);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("merge", merge);
    environment.add_filter("replace", filters::replace);
    environment.add_filter("string", filters::string);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
    environment.add_test("defined", is_defined);
    environment.add_test("none", is_none);
    environment.add_function("range", functions::range);
    environment
}

/// `{{ a | merge(b) }}`: the entries of both by name, those of `b` in place of those of `a`.
fn merge(base: &Context, over: &Context) -> Result<Context, Error> {
    let mut merged = BTreeMap::new();
    for map in [base, over] {
        for key in map.try_iter()? {
            let value = map.get_item(&key)?;
            merged.insert(key.to_string(), value);
        }
    }
    Ok(merged.into())
}

/// Prints a placeholder and keeps the value. Only what a macro of a template has already printed goes out as it is.
fn print_value(output: &mut Output<'_>, _: &mut State<'_, '_>, value: &Context) -> Result<(), Error> {
    if value.is_safe()
        && let Some(text) = value.as_str()
    {
        return output.write_str(text).map_err(Error::from);
    }
    let data =
        serde_json::to_value(value).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    let slot = PRINTED.with_borrow_mut(|printed| {
        printed.bytes += size(&data);
        if printed.bytes > MAX_OUTPUT {
            return None;
        }
        printed.values.push(data);
        Some(printed.values.len() - 1)
    });
    let slot = slot.ok_or_else(|| Error::new(ErrorKind::WriteFailure, "too much output"))?;
    output.write_str(&skeleton::placeholder(slot)).map_err(Error::from)
}

/// Fuel bounds steps, not what one step prints: this bounds that.
struct Capped {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl Write for Capped {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + chunk.len() > MAX_OUTPUT {
            self.overflowed = true;
            return Err(io::Error::other("too much output"));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn template_problem(error: &Error, name: &str, source: Option<&str>) -> Problem {
    let code = match error.kind() {
        ErrorKind::SyntaxError | ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction => {
            "template.syntax"
        }
        ErrorKind::UndefinedError => "template.undefined",
        ErrorKind::OutOfFuel => "template.budget",
        ErrorKind::TemplateNotFound | ErrorKind::BadInclude => "template.not_found",
        _ => "template.failed",
    };
    let mut reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        reason = format!("{reason}: {}", inner.to_string().lines().next().unwrap_or_default());
        cause = inner.source();
    }
    // The recursion limit is a budget too, though the engine has no kind of error for it.
    let code = if reason.contains("recursion limit") { "template.budget" } else { code };
    let file = error.name().unwrap_or(name);
    let problem = Problem::new(code, format!("template `{file}`: {reason}"));
    let Some(line) = error.line() else { return problem };
    let excerpt = source
        .filter(|_| file == name)
        .and_then(|source| source.lines().nth(line.saturating_sub(1)))
        .unwrap_or_default();
    let column = 1 + excerpt.chars().take_while(|c| c.is_whitespace()).count();
    let length = excerpt.trim().chars().count().max(1);
    problem.at(Location { file: format!("templates/{file}"), line, column, excerpt: excerpt.to_owned(), length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryTree;
    use minijinja::context;
    use serde_json::json;

    fn render(source: &'static str, context: &Context) -> Result<Value, Problem> {
        let tree: MemoryTree = [("templates/t.yaml.j2", source.as_bytes())].into_iter().collect();
        Templates::load(&tree)?.render("t.yaml.j2", context)
    }

    fn code(source: &'static str) -> &'static str {
        render(source, &context! { v => "x" }).unwrap_err().code
    }

    #[test]
    fn a_value_stays_one_scalar_wherever_it_is_printed() {
        for text in [
            "no",
            "08",
            "x\n  privileged: true",
            "{{ 7*7 }}",
            "a: b # c",
            "\"",
            "'",
            "\u{85}",
            "\u{2028}",
            "- x",
            "*a",
            "&a",
            "活動",
            "\u{1f600}",
            "\t",
            "</script>",
        ] {
            let template =
                "a: {{ v }}\nb:\n- x-{{ v }}\n{{ v }}: 1\nc: |\n  {{ v }}\n  end\nd: \"{{ v }}\" # {{ v }}\n";
            let object = render(template, &context! { v => text }).unwrap();
            let wanted =
                json!({"a": text, "b": [format!("x-{text}")], text: 1, "c": format!("{text}\nend\n"), "d": text});
            assert_eq!(object, wanted);
        }
    }

    #[test]
    fn maps_and_lists_are_printed_whole() {
        let object =
            render("a: {{ v | merge({'y': 'no'}) }}\n", &context! { v => context! { x => 1, y => 2 } }).unwrap();
        assert_eq!(object, json!({"a": {"x": 1, "y": "no"}}));
    }

    #[test]
    fn there_is_no_way_to_print_raw_text() {
        assert_eq!(code("a: {{ v | safe }}\n"), "template.syntax");
        let quoted = render("{% autoescape false %}a: {{ v }}{% endautoescape %}\n", &context! { v => "no" }).unwrap();
        assert_eq!(quoted, json!({"a": "no"}));
        let through_macro =
            render("{% macro m(x) %}{{ x }}{% endmacro %}a: {{ m(v) }}\n", &context! { v => "x: [y" }).unwrap();
        assert_eq!(through_macro, json!({"a": "x: [y"}));
    }

    #[test]
    fn faults_have_names_and_places() {
        let problem = render("a: 1\nb: {{ nope }}\n", &context! {}).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "templates/t.yaml.j2:2:1: template `t.yaml.j2`: `nope` is undefined [template.undefined]"
        );
        assert_eq!(code("a: {% if %}\n"), "template.syntax");
        assert_eq!(
            code("{% for i in range(9000) %}{% for j in range(9000) %}{% endfor %}{% endfor %}a: 1\n"),
            "template.budget"
        );
        assert_eq!(code("{% include 't.yaml.j2' %}\n"), "template.budget");
        assert_eq!(code("{% include '../../etc/passwd' %}\n"), "template.not_found");
        assert_eq!(code("a: 1\n---\nb: 2\n"), "render.invalid");
        assert_eq!(code("- 1\n"), "render.invalid");
        assert_eq!(code("a: [\n"), "render.invalid");
        assert_eq!(code("# nothing\n"), "render.invalid");
    }

    #[test]
    fn output_is_bounded_where_fuel_is_not() {
        let long = "A".repeat(1_000_000);
        let problem =
            render("a: 1\n{% for i in range(9) %}#{{ v }}\n{% endfor %}", &context! { v => long }).unwrap_err();
        assert_eq!(problem.code, "template.output_too_large");
        let many = vec![1; 50_000];
        let problem =
            render("a: 1\n{% for i in range(9) %}#{{ v }}\n{% endfor %}", &context! { v => many }).unwrap_err();
        assert_eq!(problem.code, "template.output_too_large");
    }
}
