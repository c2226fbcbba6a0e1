//! Add-ons through the program: what a person edits by hand is met with the same care as a verb.

use std::io::Write as _;
use std::process::Stdio;

use super::Fleet;
use crate::secrets::certificate;

#[test]
fn a_volume_keeps_its_size_whoever_asks() {
    let fleet = Fleet::of("init fleet --secrets external-secrets");
    fleet.fill();
    fleet.ok("configure shop --set 'addons={postgresql: {}}' --merge");
    let refused = fleet.refused("configure shop --set addons.postgresql.storage=40Gi --merge");
    assert!(refused.contains("error[addon.volume]"), "{refused}");
    let spec = fleet.file("apps/shop/app.yaml");
    fleet.put("apps/shop/app.yaml", &spec.replace("postgresql: {}", "postgresql: {storage: 40Gi}"));
    fleet.commit("A larger volume");
    let refused = fleet.refused("rerender --merge");
    assert!(refused.contains("error[addon.volume]"), "{refused}");
}

/// A secret of one environment is nothing to another: there it would be a variable without a value, which keeps pods from
/// starting. Two of them are two proposals.
#[test]
fn a_secret_of_one_environment_leaves_the_others_alone() {
    let fleet = Fleet::new();
    fleet.fill();
    fleet.put("keys/staging.pem", &certificate().0);
    fleet.commit("A certificate");
    fleet.ok("hold shop --env production --reason 'not now' --merge");
    let production = fleet.git("rev-parse main:rendered/production");
    for name in ["STRIPE_KEY", "SECRET_KEY"] {
        set(&fleet, &format!("secret set shop {name} --env staging"));
    }
    assert_eq!(fleet.branches().len(), 2, "{:?}", fleet.branches());
    for name in ["STRIPE_KEY", "SECRET_KEY"] {
        set(&fleet, &format!("secret set shop {name} --env staging --merge"));
    }
    assert_eq!(fleet.git("rev-parse main:rendered/production"), production);
    assert!(!fleet.file("apps/shop/app.yaml").contains("STRIPE_KEY"));
    let sealed = fleet.file("rendered/staging/shop/sealedsecret-shop-secrets.yaml");
    assert!(sealed.contains("STRIPE_KEY: ") && sealed.contains("SECRET_KEY: "), "{sealed}");
    fleet.assert_sound();
}

/// What was encrypted for another namespace is in the way of every change, but not of a new value.
#[test]
fn what_cannot_be_opened_any_more_can_be_set_anew() {
    let fleet = Fleet::new();
    fleet.fill();
    fleet.put("keys/staging.pem", &certificate().0);
    fleet.put("keys/production.pem", &certificate().0);
    fleet.commit("Certificates");
    fleet.ok("configure shop --set 'addons={redis: {}}' --merge");
    for name in ["A_KEY", "B_KEY"] {
        set(&fleet, &format!("secret set shop {name} --env staging --merge"));
    }
    let settings = fleet.file("fleet.yaml");
    let moved = settings.replacen("    cluster: staging\n", "    cluster: staging\n    namespace_suffix: -new\n", 1);
    assert_ne!(moved, settings);
    fleet.put("fleet.yaml", &format!("{moved}\n"));
    fleet.commit("Another namespace");
    let refused = fleet.refused("deploy shop registry.example/shop:2.0.0 --env staging");
    assert!(refused.contains("secret.stale"), "{refused}");
    let said = set(&fleet, "secret set shop A_KEY --env staging --merge");
    assert!(said.contains("B_KEY, which has to be set anew, could not be opened in staging any more"), "{said}");
    assert!(said.contains("the password of redis, which is made anew, could not be opened"), "{said}");
    set(&fleet, "secret set shop B_KEY --env staging --merge");
    fleet.ok("rerender --merge");
    fleet.assert_sound();
}

#[track_caller]
fn set(fleet: &Fleet, words: &str) -> String {
    let mut command = fleet.command(words);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hunter2").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whoever writes an add-on into a spec by hand is told how to come by its password.
#[test]
fn a_password_that_is_missing_can_be_made() {
    let fleet = Fleet::new();
    fleet.fill();
    let (certificate, _) = certificate();
    for cluster in ["staging", "production"] {
        fleet.put(&format!("keys/{cluster}.pem"), &certificate);
    }
    fleet.put("apps/shop/app.yaml", &format!("{}\naddons: {{redis: {{}}}}\n", fleet.file("apps/shop/app.yaml")));
    fleet.commit("A cache");
    let refused = fleet.refused("rerender --merge");
    assert!(refused.contains("error[secret.missing]") && refused.contains("wooo secret generate shop"), "{refused}");
    fleet.ok("secret generate shop --merge");
    assert!(fleet.file("rendered/production/shop/sealedsecret-shop-redis.yaml").contains("password: "));
    let passwords = fleet.file("apps/shop/secrets/production.yaml");
    // It is made once: another one would lock the app out of its data.
    fleet.ok("secret generate shop --merge");
    fleet.ok("configure shop --set addons.redis.memory=1Gi --merge");
    assert_eq!(fleet.file("apps/shop/secrets/production.yaml"), passwords);
    fleet.assert_sound();
}
