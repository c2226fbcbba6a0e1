//! `gunicorn.conf.py`, where settings are plain assignments.

use crate::detect::pattern::Pattern;

/// What the file sets.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct GunicornConf {
    /// The port of `bind`, with its line; the default of `$PORT` if it asks for that.
    pub(crate) port: Option<(u16, usize)>,
    /// Where `worker_class` names an ASGI worker.
    pub(crate) asgi: Option<usize>,
    /// `wsgi_app`, with its line.
    pub(crate) target: Option<(String, usize)>,
}

/// Reads the file.
pub(crate) fn read(text: &str) -> GunicornConf {
    static SETTING: Pattern = Pattern::new(r"^(bind|worker_class|wsgi_app)\s*=\s*");
    static ADDRESS: Pattern = Pattern::new(r#"["'\]:](\d{2,5})["']"#);
    static TARGET: Pattern = Pattern::new(r#"["']([\w.]+(?::\w+)?)["']"#);
    let mut conf = GunicornConf::default();
    for (at, line) in text.lines().enumerate() {
        let Some(found) = SETTING.captures(line) else { continue };
        let value = &line[found.get(0).map_or(0, |whole| whole.end())..];
        match found.get(1).map(|name| name.as_str()) {
            Some("bind") => {
                conf.port = ADDRESS.first(value).and_then(|port| port.parse().ok()).map(|port| (port, at + 1));
            }
            Some("worker_class") if value.to_ascii_lowercase().contains("uvicorn") => conf.asgi = Some(at + 1),
            Some("wsgi_app") => conf.target = TARGET.first(value).map(|target| (target.to_owned(), at + 1)),
            _ => {}
        }
    }
    conf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_settings() {
        let conf =
            read("bind = '0.0.0.0:9000'\nworker_class = \"uvicorn.workers.UvicornWorker\"\nwsgi_app = 'shop.wsgi'\n");
        assert_eq!((conf.port, conf.asgi), (Some((9000, 1)), Some(2)));
        assert_eq!(conf.target, Some(("shop.wsgi".to_owned(), 3)));
        assert_eq!(read("bind = f\"0.0.0.0:{os.environ.get('PORT', '8000')}\"").port, Some((8000, 1)));
        assert_eq!(read("bind = ':' + str(port)\nworkers = 4").port, None);
    }
}
