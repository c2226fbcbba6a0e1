//! `Procfile`.

/// The command of the `web` process and its line.
pub(crate) fn web(text: &str) -> Option<(String, usize)> {
    text.lines().enumerate().find_map(|(at, line)| {
        let (name, command) = line.split_once(':')?;
        let command = command.trim();
        (name.trim() == "web" && !command.is_empty()).then(|| (command.to_owned(), at + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_process_is_found() {
        let text = "# web: no\r\nworker: celery -A app worker\r\nweb: gunicorn app:app --bind 0.0.0.0:$PORT\r\n";
        assert_eq!(web(text), Some(("gunicorn app:app --bind 0.0.0.0:$PORT".to_owned(), 3)));
        assert_eq!(web("worker: x"), None);
    }
}
