//! Comments that want to be more than they are: each with what it is answered. None of them changes anything.

use wooo::forge::Comments as _;

use super::world::{World, user};

const NOTHING: &str = "nothing";
const DISGUISED: &str = "confused | The line holds characters that are not shown as what they are, so it is not obeyed \
                         (`comment.disguised`). / - type it anew, in plain letters / Nothing of this comment was done.";
const NO_APP: &str = "eyes down | There is no app `blog` here that you may see (`app.not_found`).";

/// What it is, what is written, and what comes of it.
const COMMENTS: [(&str, &str, &str); 51] = [
    ("a code block", "```\n/wooo restart env=staging\n```", NOTHING),
    ("a code block of tildes", "~~~\n/wooo restart env=staging\n~~~", NOTHING),
    ("an open code block", "```sh\n/wooo restart env=staging", NOTHING),
    ("an indented code block", "text\n\n    /wooo restart env=staging", NOTHING),
    ("a code span", "`/wooo restart env=staging`", NOTHING),
    ("a code span over lines", "see `this\n/wooo restart env=staging\n`", NOTHING),
    ("a quotation", "> /wooo restart env=staging", NOTHING),
    ("a lazy quotation", "> as you said\n/wooo restart env=staging", NOTHING),
    ("a quotation in a quotation", "> > /wooo restart env=staging", NOTHING),
    ("a reply by e-mail", "I agree.\n\nOn Monday, Alice wrote:\n> /wooo restart env=staging\n> -- \n> Alice", NOTHING),
    ("an alert box", "> [!NOTE]\n> /wooo restart env=staging", NOTHING),
    ("an HTML comment", "<!--\n/wooo restart env=staging\n-->", NOTHING),
    ("an HTML comment in a line", "text <!--\n/wooo restart env=staging\n--> text", NOTHING),
    ("an open HTML comment", "<!--\n\n/wooo restart env=staging", NOTHING),
    ("an HTML block", "<div>\n/wooo restart env=staging\n</div>", NOTHING),
    ("folded away", "<details>\n\n/wooo restart env=staging\n\n</details>", NOTHING),
    ("behind a tag", "see <blockquote>\n\n/wooo restart env=staging", NOTHING),
    ("a script", "<script>\n/wooo restart env=staging\n</script>", NOTHING),
    ("a list", "- /wooo restart env=staging", NOTHING),
    ("a nested list", "1. first\n   - /wooo restart env=staging", NOTHING),
    ("a paragraph in a list", "- first\n\n  /wooo restart env=staging", NOTHING),
    ("a task list", "- [ ] /wooo restart env=staging", NOTHING),
    ("a table", "| a |\n|---|\n| /wooo restart env=staging |", NOTHING),
    ("a heading", "# /wooo restart env=staging", NOTHING),
    ("a setext heading", "/wooo restart env=staging\n===", NOTHING),
    ("a link", "[/wooo restart env=staging](https://example.com)", NOTHING),
    ("a link over lines", "[text\n/wooo restart env=staging\n](https://example.com)", NOTHING),
    ("the title of a link", "[text](https://example.com \"\n/wooo restart env=staging\n\")", NOTHING),
    ("an image", "![/wooo restart env=staging](https://example.com/x.png)", NOTHING),
    ("a reference", "[x]: https://example.com '\n/wooo restart env=staging\n'", NOTHING),
    ("a footnote", "text[^1]\n\n[^1]: /wooo restart env=staging", NOTHING),
    ("emphasis over lines", "*so\n/wooo restart env=staging\nthere*", NOTHING),
    ("in the middle of a line", "please /wooo restart env=staging", NOTHING),
    ("an entity", "&#47;wooo restart env=staging", NOTHING),
    ("an escape", "\\/wooo restart env=staging", NOTHING),
    ("a longer word", "/wooowner restart env=staging", NOTHING),
    ("a mention", "@wooo restart env=staging", NOTHING),
    ("a full-width slash", "\u{ff0f}wooo restart env=staging", DISGUISED),
    ("a full-width space", "/wooo\u{3000}restart env=staging", DISGUISED),
    ("a zero-width joiner", "/wo\u{200d}oo restart env=staging", DISGUISED),
    ("a zero-width space in a value", "/wooo restart env=stag\u{200b}ing", DISGUISED),
    ("an order of characters", "/wooo restart env=\u{202e}gnigats", DISGUISED),
    ("a bell", "/wooo restart\u{7} env=staging", DISGUISED),
    ("an image of HTML", "/wooo restart <img src=x onerror=x> env=staging", DISGUISED),
    ("hidden words", "/wooo restart <!-- blog --> env=staging", DISGUISED),
    (
        "a command of a shell",
        "/wooo rollback to=$(touch${IFS}x) env=staging",
        "confused | `to` cannot be `$(touch${IFS}x)`: it is a tag or a commit out of the app's history \
         (`comment.argument`). / Nothing of this comment was done.",
    ),
    (
        "an option",
        "/wooo rollback --to ../../x",
        "confused | `--to` is not an argument (`comment.argument`). / - arguments are written `env=staging`; a reason \
         stands behind ` -- ` / Nothing of this comment was done.",
    ),
    (
        "an argument of another command",
        "/wooo restart image=x/y:1",
        "confused | `restart` has no argument `image` (`comment.argument`). / - it is written `/wooo restart [app] \
         [env=ENV] [-- reason]` / Nothing of this comment was done.",
    ),
    (
        "somebody else's name",
        "/wooo rollbak @all env=staging",
        "confused | There is no command `rollbak` (`comment.unknown_command`). / - did you mean `/wooo rollback`? / \
         Nothing of this comment was done.",
    ),
    ("another tenant's app", "/wooo restart blog env=staging", NO_APP),
    ("another tenant's app, looked at", "/wooo status app=blog", NO_APP),
];

#[tokio::test(flavor = "multi_thread")]
async fn hostile_comments_change_nothing() {
    let world = World::start().await;
    let before = world.count().await;
    let mut wrong = Vec::new();
    for (what, body, expected) in COMMENTS {
        let found = world.say("alice", body).await.line();
        if found != expected {
            wrong.push(format!("{what}:\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(world.count().await, before);
    assert!(!std::path::Path::new("x").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_one_answer_or_none() {
    let world = World::start().await;
    let before = world.count().await;
    let forty = world.say("alice", &"/wooo restart env=staging\n".repeat(40)).await;
    assert_eq!(
        forty.line(),
        "confused | This comment holds 40 commands, and one comment may hold 10. Nothing of it was done."
    );
    // As long as a comment may be, and deep.
    let huge = format!("{}\n\n/wooo rollback to=0.1 env=staging", "> ".repeat(10_000));
    assert!(world.say("alice", &huge).await.line().starts_with("eyes down"), "what is behind a quotation is said");
    let long = format!("/wooo restart env=staging -- {}", "網".repeat(501));
    assert_eq!(
        world.say("alice", &long).await.line(),
        "confused | A reason has at most 500 characters (`comment.argument`). / Nothing of this comment was done."
    );
    assert_eq!(world.count().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn wooo_does_not_answer_itself_nor_other_programs() {
    let world = World::start().await;
    let before = world.count().await;
    for login in ["wooo", "renovate[bot]", "project_1_bot"] {
        assert_eq!(world.say(login, "/wooo restart env=staging").await.line(), "nothing", "{login}");
    }
    // A text of wooo's that somebody sends again, and a reply that somebody makes up so that a comment seems answered.
    assert_eq!(world.say("alice", "<!-- wooo reply 1 done -->\n/wooo restart env=staging").await.line(), "nothing");
    let mallory = world.forge.acting_as(user("mallory"));
    let last = mallory.comment(world.number, &"x".into()).await.unwrap().id.0;
    mallory.comment(world.number, &format!("<!-- wooo reply {} done -->\nx", last + 2).as_str().into()).await.unwrap();
    let real = world.say("alice", "/wooo status env=staging").await;
    assert!(real.line().starts_with("eyes up |"), "{}", real.line());
    assert_eq!(world.count().await, before);
}
