//! What is a command in a comment and what is not, without a service.

use proptest::prelude::*;
use wooo::chatops::{Heard, MAX_COMMANDS, Verb, parse};

fn verbs(body: &str) -> Vec<Verb> {
    match parse(body) {
        Heard::Commands(commands) => commands.into_iter().map(|command| command.verb).collect(),
        Heard::Nothing => Vec::new(),
        other => panic!("{body:?}: {other:?}"),
    }
}

#[test]
fn a_command_is_a_line_of_a_paragraph() {
    for body in [
        "/wooo status",
        "  /wooo status",
        "Please:\n/wooo status",
        "/wooo status\r\n",
        "/wooo\tstatus",
        "text\n\n/wooo status\n\nmore",
        "<!-- a note -->\n\n/wooo status",
        "> a quotation\n\n/wooo status",
        "```\ncode\n```\n/wooo status",
        "- a list\n\n/wooo status",
        "/wooo status -- see `code` and *this* and [that](https://example.com)",
    ] {
        assert_eq!(verbs(body), [Verb::Status], "{body:?}");
    }
    assert_eq!(verbs("/wooo status\nand\n/wooo diff\n\n/wooo"), [Verb::Status, Verb::Diff, Verb::Help]);
}

#[test]
fn values_may_be_quoted_and_reasons_are_free() {
    let Heard::Commands(commands) = parse(r#"/wooo deploy shop "image=x/y:1" env="staging" -- a -- b "c"#) else {
        panic!("it is a command")
    };
    let command = &commands[0];
    assert_eq!(command.arguments.image.as_ref().unwrap().to_string(), "x/y:1");
    assert_eq!(command.arguments.env.as_ref().unwrap().as_str(), "staging");
    assert_eq!(command.reason.as_deref(), Some("a -- b \"c"));
}

#[test]
fn forty_commands_are_one_answer() {
    assert_eq!(parse(&"/wooo restart\n".repeat(40)), Heard::TooMany(40));
    assert_eq!(verbs(&"/wooo restart\n".repeat(MAX_COMMANDS)).len(), MAX_COMMANDS);
}

#[test]
fn what_is_not_seen_is_not_obeyed() {
    for body in ["/wooo restart\0", "/wooo\0 restart", "/wooo restart shop\u{feff}", "\u{200b}/wooo restart"] {
        assert!(matches!(parse(body), Heard::Faults(_)), "{body:?}");
    }
    assert_eq!(parse("\0"), Heard::Nothing);
}

fn piece() -> impl Strategy<Value = String> {
    let fixed = [
        "/wooo",
        "/wooo deploy",
        " shop",
        " image=x/y:1",
        " env=staging",
        " -- why",
        "\n",
        "\n\n",
        "\r\n",
        "\t",
        "> ",
        "```\n",
        "`",
        "<!--",
        "-->",
        "<b>",
        "- ",
        "# ",
        "|",
        "\\",
        "\"",
        "=",
        "===\n",
        "\u{202e}",
        "\u{200b}",
        "\u{ff0f}",
        "\0",
        "[",
        "](x)",
        "*",
        "網",
        "    ",
        "<details>\n",
        "&#47;wooo",
    ];
    prop_oneof![proptest::sample::select(fixed.to_vec()).prop_map(str::to_owned), ".{0,6}"]
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_within_bounds(pieces in proptest::collection::vec(piece(), 0..40)) {
        let body = pieces.concat();
        match parse(&body) {
            Heard::Commands(commands) => {
                prop_assert!(!commands.is_empty() && commands.len() <= MAX_COMMANDS);
                for command in commands {
                    prop_assert!(body.contains(&command.line) && command.line.starts_with("/wooo"));
                    prop_assert_eq!(parse(&command.line), Heard::Commands(vec![command]));
                }
            }
            Heard::Faults(faults) => prop_assert!(faults.iter().all(|fault| body.contains(&fault.line))),
            Heard::TooMany(count) => prop_assert!(count > MAX_COMMANDS),
            Heard::Nothing => {}
        }
    }
}
