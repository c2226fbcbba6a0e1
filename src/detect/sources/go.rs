//! Go: main packages, ports and routes.

use super::PortFound;
use super::routes::{Route, route};
use crate::detect::pattern::Pattern;
use crate::detect::place::Place;
use crate::files::parent;

/// What the Go files of a module say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct GoSource {
    /// The `main` functions.
    pub(crate) mains: Vec<Place>,
    /// Ports.
    pub(crate) ports: Vec<PortFound>,
    /// Health and metrics routes.
    pub(crate) routes: Vec<Route>,
    /// Where a server starts to listen, one place a file.
    pub(crate) listens: Vec<Place>,
}

static MAIN: Pattern = Pattern::new(r"^func main\(\)");
static LISTEN: Pattern = Pattern::new(
    r#"\bListenAndServe(?:TLS)?\(|\bhttp\.Serve\(|\bnet\.Listen\(|\b\w+\.(?:Run|Start|Listen)\(\s*(?:\)|["']:?)"#,
);
static ADDRESS: Pattern = Pattern::new(
    r#"(?:ListenAndServe(?:TLS)?|\.Run|\.Start|\.Listen)\(\s*"[^":]*:(\d{2,5})"|\bAddr:\s*"[^":]*:(\d{2,5})"|net\.Listen\(\s*"tcp\d?"\s*,\s*"[^":]*:(\d{2,5})""#,
);
static FLAG: Pattern = Pattern::new(
    r#"flag\.(?:String|Int)\(\s*"(?:addr|listen|http|port|listen-addr)"\s*,\s*"?(?:[^",:]*:)?(\d{2,5})"?\s*,"#,
);
static DEFAULT: Pattern = Pattern::new(
    r#"^\s*(?:port|addr)\s*:?=\s*"(?:[^":]*:)?(\d{2,5})"|Getenv\("PORT"\)\s*,\s*":?(\d{2,5})"|\(\s*"PORT"\s*,\s*"?:?(\d{2,5})"?\s*\)"#,
);
static GIN_DEFAULT: Pattern = Pattern::new(r"\b(?:r|router|engine|g)\.Run\(\s*\)");
static ROUTE: Pattern =
    Pattern::new(r#"\b\w+\.(?:HandleFunc|Handle|GET|Get|Any|Head|HEAD)\(\s*["`](?:(?:GET|HEAD) )?([^"`]+)["`]"#);

impl GoSource {
    /// Adds what the file says.
    pub(crate) fn scan(&mut self, file: &str, text: &str) {
        let mut in_main_package = false;
        let mut in_comment = false;
        for (at, line) in text.lines().enumerate() {
            let trimmed = line.trim_start();
            if in_comment || trimmed.starts_with("/*") {
                in_comment = !line.contains("*/");
                continue;
            }
            if line.len() > 2000 || trimmed.starts_with("//") {
                continue;
            }
            let place = || Place::new(file, at + 1);
            in_main_package |= line.trim_end() == "package main";
            if in_main_package && MAIN.matches(line) {
                self.mains.push(place());
            }
            if LISTEN.matches(line) && self.listens.last().is_none_or(|last| last.file != file) {
                self.listens.push(place());
            }
            self.port(line, &place);
            self.routes.extend(ROUTE.first(line).and_then(|path| route("", path, place())));
        }
    }

    fn port(&mut self, line: &str, place: &dyn Fn() -> Place) {
        let forms: [(&Pattern, &'static str); 3] = [
            (&ADDRESS, "the port that the program itself listens on"),
            (&FLAG, "the port if no flag names another"),
            (&DEFAULT, "the port if `PORT` is not set"),
        ];
        for (pattern, why) in forms {
            let Some(found) = pattern.captures(line) else { continue };
            let digits = found.iter().skip(1).flatten().next().map(|group| group.as_str());
            if let Some(port) = digits.and_then(|digits| digits.parse().ok()).filter(|port| *port > 0) {
                self.ports.push(PortFound { port, place: place(), why });
                return;
            }
        }
        if GIN_DEFAULT.matches(line) {
            self.ports.push(PortFound {
                port: 8080,
                place: place(),
                why: "gin listens on 8080 unless it is told otherwise",
            });
        }
    }

    /// The folders with a `main` function, each once, in order.
    pub(crate) fn main_folders(&self) -> Vec<&str> {
        let mut folders: Vec<&str> = self.mains.iter().map(|place| parent(&place.file)).collect();
        folders.sort_unstable();
        folders.dedup();
        folders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> GoSource {
        let mut source = GoSource::default();
        source.scan("cmd/x/main.go", text);
        source
    }

    #[test]
    fn ports_in_many_forms() {
        for text in [
            "\tlog.Fatal(http.ListenAndServe(\":9090\", mux))",
            "\tsrv := &http.Server{Addr: \":9090\", Handler: mux}",
            "\tr.Run(\"0.0.0.0:9090\")",
            "\te.Logger.Fatal(e.Start(\":9090\"))",
            "\taddr := flag.String(\"addr\", \":9090\", \"where\")",
            "\tport := flag.Int(\"port\", 9090, \"where\")",
            "\t\tport = \"9090\"",
            "\tport := cmp.Or(os.Getenv(\"PORT\"), \"9090\")",
            "\tport := getEnv(\"PORT\", \"9090\")",
            "\tl, err := net.Listen(\"tcp\", \":9090\")",
        ] {
            assert_eq!(scan(text).ports.first().map(|found| found.port), Some(9090), "{text}");
        }
        assert_eq!(scan("\trouter.Run()").ports[0].port, 8080);
        assert!(scan("// http.ListenAndServe(\":1\", nil)\n/*\nAddr: \":2\"\n*/").ports.is_empty());
    }

    #[test]
    fn mains_and_routes() {
        let source = scan(
            "package main\n\nfunc main() {\n\tmux.HandleFunc(\"GET /healthz\", ok)\n\tr.GET(\"/metrics\", x)\n\thttp.ListenAndServe(addr, mux)\n}\n",
        );
        assert_eq!(source.main_folders(), ["cmd/x"]);
        assert_eq!(source.routes.iter().map(|r| r.path.as_str()).collect::<Vec<_>>(), ["/healthz", "/metrics"]);
        assert_eq!(source.listens.len(), 1);
        assert!(scan("package lib\nfunc main() {}").mains.is_empty());
    }
}
