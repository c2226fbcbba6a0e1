//! JavaScript and TypeScript: ports and routes of servers.

use super::PortFound;
use super::routes::{Route, route};
use crate::detect::pattern::Pattern;
use crate::detect::place::Place;

/// What the JavaScript files of an app say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct JavascriptSource {
    /// Ports.
    pub(crate) ports: Vec<PortFound>,
    /// Health and metrics routes.
    pub(crate) routes: Vec<Route>,
    /// Where a server starts to listen, one place a file.
    pub(crate) listens: Vec<Place>,
}

static LISTEN: Pattern = Pattern::new(r"\b\w+\.listen\(|\b(?:Bun|Deno)\.serve\(|^\s*serve\(");
static LISTEN_PORT: Pattern = Pattern::new(r#"\.listen\(\s*["']?(\d{2,5})\b"#);
static OPTION_PORT: Pattern = Pattern::new(r"(?:listen|serve)\(.*?\bport\s*:\s*(\d{2,5})\b");
static ENV_PORT: Pattern = Pattern::new(
    r#"env(?:\.PORT|\[["']PORT["']\])\s*(?:,\s*10\s*)?\)?\s*(?:\|\||\?\?)\s*["']?(\d{2,5})\b|\.get(?:<\w+>)?\(\s*["']PORT["']\s*,\s*["']?(\d{2,5})\b"#,
);
static CONSTANT: Pattern =
    Pattern::new(r#"^\s*(?:export\s+)?(?:const|let|var)\s+port\s*(?::\s*\w+\s*)?=\s*["']?(\d{2,5})\b"#);
static CONSTANT_UPPER: Pattern =
    Pattern::new(r#"^\s*(?:export\s+)?(?:const|let|var)\s+PORT\s*(?::\s*\w+\s*)?=\s*["']?(\d{2,5})\b"#);
static ROUTE: Pattern = Pattern::new(r#"\b\w+\.(?:get|all|use|route|head)\(\s*["'`]([^"'`]+)["'`]"#);
static ROUTE_OBJECT: Pattern = Pattern::new(r#"\b(?:url|path)\s*:\s*["'](/[^"']+)["']"#);
static URL_TEST: Pattern = Pattern::new(r#"\b(?:url|pathname|path)\s*===?\s*["'](/[^"']+)["']"#);
static CONTROLLER: Pattern = Pattern::new(r#"^\s*@Controller\(\s*["']([^"']*)["']"#);
static NEST_GET: Pattern = Pattern::new(r#"^\s*@Get\(\s*(?:["']([^"']*)["'])?\s*\)"#);

impl JavascriptSource {
    /// Adds what the file says.
    pub(crate) fn scan(&mut self, file: &str, text: &str) {
        let mut controller = None;
        let mut in_comment = false;
        for (at, line) in text.lines().enumerate() {
            // A longer line is not written by a person.
            if line.len() > 2000 || !is_code(line, &mut in_comment) {
                continue;
            }
            let place = Place::new(file, at + 1);
            if LISTEN.matches(line) && self.listens.last().is_none_or(|last| last.file != file) {
                self.listens.push(place.clone());
            }
            self.port(line, &place);
            if let Some(prefix) = CONTROLLER.first(line) {
                controller = Some(prefix);
            }
            let path = [&ROUTE, &ROUTE_OBJECT, &URL_TEST].into_iter().find_map(|pattern| pattern.first(line));
            self.routes.extend(path.and_then(|path| route("", path, place.clone())));
            if let (Some(prefix), Some(found)) = (controller, NEST_GET.captures(line)) {
                let path = found.get(1).map_or("", |group| group.as_str());
                self.routes.extend(route("", format!("{prefix}/{path}").trim_matches('/'), place));
            }
        }
    }

    fn port(&mut self, line: &str, place: &Place) {
        let mut push = |digits: Option<&str>, why| {
            let port = digits.and_then(|digits| digits.parse().ok()).filter(|port| *port > 0);
            self.ports.extend(port.map(|port| PortFound { port, place: place.clone(), why }));
            port.is_some()
        };
        if let Some(found) = ENV_PORT.captures(line) {
            let digits = found.get(1).or_else(|| found.get(2)).map(|group| group.as_str());
            if push(digits, "the port if `PORT` is not set") {
                return;
            }
        }
        for pattern in [&LISTEN_PORT, &OPTION_PORT, &CONSTANT, &CONSTANT_UPPER] {
            if push(pattern.first(line), "the port that the program itself listens on") {
                return;
            }
        }
    }
}

fn is_code(line: &str, in_comment: &mut bool) -> bool {
    let trimmed = line.trim_start();
    if *in_comment {
        *in_comment = !line.contains("*/");
        return false;
    }
    if trimmed.starts_with("/*") {
        *in_comment = !trimmed.contains("*/");
        return false;
    }
    !trimmed.is_empty() && !trimmed.starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> JavascriptSource {
        let mut source = JavascriptSource::default();
        source.scan("server.js", text);
        source
    }

    #[test]
    fn ports_in_many_forms() {
        for text in [
            "app.listen(4000, () => {})",
            "const port = process.env.PORT || 4000",
            "const PORT = Number(process.env.PORT ?? '4000')",
            "const port = parseInt(process.env.PORT, 10) || 4000;",
            "const port = parseInt(process.env['PORT'] || \"4000\", 10)",
            "await app.listen({ port: 4000, host: '0.0.0.0' })",
            "await app.listen(config.get<number>('PORT', 4000))",
            "Bun.serve({ port: 4000 })",
            "const port = 4000",
        ] {
            assert_eq!(scan(text).ports.first().map(|found| found.port), Some(4000), "{text}");
        }
        assert!(scan("// app.listen(1)\n/*\napp.listen(2)\n*/\n").ports.is_empty());
        assert_eq!(scan("\n  server.listen(port)").listens, [Place::new("server.js", 2)]);
    }

    #[test]
    fn routes_in_many_forms() {
        for text in [
            "app.get('/healthz', (req, res) => res.send('ok'))",
            "fastify.route({ method: 'GET', url: '/healthz' })",
            "if (req.url === '/healthz') {",
            "@Controller('healthz')\nclass X {\n  @Get()\n",
        ] {
            assert_eq!(scan(text).routes.first().map(|route| route.path.as_str()), Some("/healthz"), "{text}");
        }
    }
}
