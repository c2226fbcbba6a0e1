//! `wooo hold` and `wooo unhold`: a person's word wins.

use super::{Fleet, assert_message};

fn held(until: &str) -> Fleet {
    let fleet = Fleet::with_apps();
    fleet.ok("deploy shop registry.example/shop:1.1.0 --env production --merge");
    fleet.ok(&format!("hold shop --env production --reason 'sale until Sunday' --actor github:alice {until} --merge"));
    fleet
}

const BLOCKED: [&str; 11] = [
    "deploy shop registry.example/shop:1.2.0 --env production",
    "configure shop --env production --set env.DEBUG=1",
    "configure shop --set env.DEBUG=1",
    "restart shop --env production",
    "scale shop 5 --env production",
    "resize shop --env production --plan advanced",
    "resize shop --env production --memory 2Gi",
    "promote shop --env production",
    "offboard shop --env production",
    "offboard shop",
    "hold shop --env production --reason 'mine'",
];

#[test]
fn a_hold_blocks_everything_but_unhold_and_rollback() {
    let fleet = held("");
    let tip = fleet.tip();
    for words in BLOCKED {
        for options in ["", " --merge", " --dry-run"] {
            let told = fleet.refused(&format!("{words}{options}"));
            assert!(told.contains("hold.active"), "{words}: {told}");
        }
    }
    assert_eq!((fleet.tip(), fleet.branches().len()), (tip, 0));
    assert_message!(fleet.lab, fleet.refused(BLOCKED[0]), @"
    error[hold.active]: `shop` is held in `production` by github:alice: sale until Sunday (until someone lifts it)
     |
     = help: `wooo unhold shop --env production` lifts the hold
    ");
    // Elsewhere, and for others, nothing is held.
    fleet.ok("scale shop 5 --env staging --merge");
    fleet.ok("scale blog 5 --env staging --merge");
    fleet.ok("rollback shop --env production --merge");
    fleet.ok("unhold shop --env production --merge");
    fleet.ok(&format!("{} --merge", BLOCKED[0]));
    fleet.assert_sound();
}

#[test]
fn a_hold_with_an_end_says_so_and_ends() {
    let fleet = held("--until 2025-06-16T00:00:00Z");
    assert_message!(fleet.lab, fleet.refused(BLOCKED[3]), @"
    error[hold.active]: `shop` is held in `production` by github:alice: sale until Sunday (until 2025-06-16T00:00:00Z)
     |
     = help: `wooo unhold shop --env production` lifts the hold
    ");
    assert_message!(fleet.lab, fleet.file("apps/shop/production.yaml"), @r#"
    image: registry.example/shop:1.1.0
    hold:
      reason: sale until Sunday
      actor: github:alice
      since: "2025-06-15T15:06:40Z"
      until: "2025-06-16T00:00:00Z"
    "#);
    // One second before the end it counts; from the end on it does not.
    let end = 1_750_032_000 - super::NOW;
    fleet.run_later(end - 1, BLOCKED[3]).refused();
    fleet.run_later(end, &format!("{} --merge", BLOCKED[3])).ok();
    fleet.run_later(end, &format!("{} --merge", BLOCKED[10])).ok();
    fleet.assert_sound();
}

#[test]
fn a_hold_needs_a_reason_and_an_end_in_the_future() {
    let fleet = Fleet::with_apps();
    assert_message!(fleet.lab, fleet.refused("hold shop --env staging"), @"
    error[hold.reason]: a hold needs a reason of at most 500 characters
     |
     = help: whoever meets the hold will read it
    ");
    assert_message!(fleet.lab, fleet.refused("hold shop --env staging --reason x --until 2020-01-01T00:00:00Z"), @"error[hold.until]: the hold would end before it begins");
    let told = fleet.run("hold shop --env staging --reason x --until tomorrow");
    assert_eq!(told.code, Some(2));
    assert_message!(fleet.lab, told.stderr, @"
    error: invalid value 'tomorrow' for '--until <TIME>': failed to parse four digit integer as year: invalid digit, expected 0-9 but got t

    For more information, try '--help'.
    ");
}

#[test]
fn a_hold_shows_in_the_status_and_changes_nothing_that_runs() {
    let fleet = Fleet::with_apps();
    let rendered = fleet.git("rev-parse main:rendered");
    assert_message!(fleet.lab, fleet.ok("hold shop --env production --reason 'sale' --merge"), @"
    Hold shop in production
    production:
      nothing that runs differs
    merged into main as [commit]
    ");
    assert_eq!(fleet.git("rev-parse main:rendered"), rendered);
    assert_message!(fleet.lab, fleet.ok("status"), @"
    APP   ENV         IMAGE                        PODS  PLAN      HOST                      HOLD
    blog  staging     registry.example/blog:7.0.0  1     standard  blog.staging.example.com  -
    shop  staging     registry.example/shop:1.0.0  2     standard  shop.staging.example.com  -
    shop  production  registry.example/shop:1.0.0  2     standard  shop.example.com          held by local:tester: sale
    ");
}
