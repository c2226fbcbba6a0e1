//! What the action does with a service, from a first onboarding to a release that fails.

use std::fmt::Write as _;

use super::identity::{Forge, REQUEST_TOKEN, Service};
use super::runner::{Ended, Job};
use crate::service::process::git;

/// A job of GitHub Actions that may ask who it is.
fn job(forge: &Forge, service: &Service, mode: &str) -> Job {
    anonymous(service, mode)
        .variable("ACTIONS_ID_TOKEN_REQUEST_URL", &forge.asking)
        .variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN)
}

fn anonymous(service: &Service, mode: &str) -> Job {
    let job = Job::new().with("server", &service.served.url).with("mode", mode).with("name", "shop");
    job.with("environment", "staging")
}

/// A token is nowhere that a person sees. Both kinds are JWTs, which begin alike.
#[track_caller]
fn assert_discreet(ended: &Ended) {
    let mut all = format!("{}\n{}\n{}", ended.log, ended.summary, ended.commands.join("\n"));
    for (name, value) in &ended.outputs {
        let _ = write!(all, "\n{name}={value}");
    }
    assert!(!all.contains("eyJ") && !all.contains(REQUEST_TOKEN), "{all}");
}

#[test]
fn a_push_deploys_without_a_secret_and_knows_what_came_of_it() {
    let forge = Forge::start();
    let service = forge.service("github");
    let onboard = job(&forge, &service, "onboard")
        .with("image", "registry.example/shop:1.0.0")
        .with("framework", "flask")
        .with("replicas", "2")
        .with("env", "{TZ: Asia/Taipei, PRICE: \"$(touch pwned); `touch pwned`\"}")
        .run()
        .expect(0, "healthy");
    assert_discreet(&onboard);
    assert_eq!(
        forge.audiences(),
        std::slice::from_ref(&service.served.url),
        "one token is enough, and it is for this service"
    );
    let id = &onboard.outputs["change-id"];
    let change = service.served.get(&format!("/api/changes/{id}"));
    assert_eq!(change["actor"], "ci:github:acme/shop", "{change}");
    assert_eq!(change["reason"], "acme/shop at 4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    assert!(onboard.summary.contains("| Deployment shop | added |"), "{}", onboard.summary);
    assert!(onboard.summary.contains("settled, **healthy**"), "{}", onboard.summary);
    let spec = git(&service.served.repository(), &["show", "main:apps/shop/app.yaml"]);
    assert!(spec.contains("$(touch pwned); `touch pwned`"), "{spec}");

    let deploy = || job(&forge, &service, "deploy");
    let good = deploy().with("image", "registry.example/shop:1.1.0").run().expect(0, "healthy");
    assert!(good.summary.contains("registry.example/shop"), "{}", good.summary);
    assert_discreet(&good);
    // The same image again, as when a job is started once more.
    let again = deploy().with("image", "registry.example/shop:1.1.0").run().expect(0, "healthy");
    assert_eq!(again.outputs["change-id"], good.outputs["change-id"]);
    let status = job(&forge, &service, "status").run().expect(0, "healthy");
    assert!(status.summary.contains("| shop | staging | registry.example/shop:1.1.0 |"), "{}", status.summary);

    let bad = deploy().with("image", "registry.example/shop:1.2.0-crash").run().expect(1, "degraded");
    assert!(bad.summary.contains("settled, **degraded**"), "{}", bad.summary);
    assert!(bad.commands.iter().any(|line| line.starts_with("::error title=wooo::deploy: degraded")), "{bad:?}");
    assert_discreet(&bad);
    deploy().with("image", "registry.example/shop:1.1.0").run().expect(0, "healthy");

    // Production waits for a person: the job ends with the merge request, unless it is told to wait for the person.
    let promote = || job(&forge, &service, "promote").with("environment", "production");
    let proposed = promote().run().expect(0, "proposed");
    let url = &proposed.outputs["merge-request-url"];
    assert!(url.starts_with("http") && proposed.summary.contains(url), "{url}\n{}", proposed.summary);
    let late = promote().with("wait", "true").with("timeout", "2s").run().expect(3, "waiting");
    assert_eq!(late.outputs["change-id"], proposed.outputs["change-id"]);
    assert!(late.summary.contains("client.timeout"), "{}", late.summary);
    promote().with("wait", "false").run().expect(0, "proposed");
}

#[test]
fn a_job_that_is_not_trusted_is_told_why() {
    let forge = Forge::start();
    let service = forge.service("github");
    let deploy = |job: Job| job.with("image", "registry.example/shop:1.0.0");
    let nobody = deploy(anonymous(&service, "deploy")).run().expect(1, "refused");
    assert!(nobody.log.contains("auth.required") && nobody.log.contains("id-token: write"), "{}", nobody.log);
    let elsewhere = deploy(job(&forge, &service, "deploy")).with("audience", "https://other.example").run();
    let elsewhere = elsewhere.expect(1, "refused");
    assert!(elsewhere.log.contains("auth.token_invalid") && elsewhere.log.contains("audience"), "{}", elsewhere.log);
    let wrong = deploy(job(&forge, &service, "deploy")).variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another");
    let wrong = { wrong }.run().expect(1, "refused");
    assert!(wrong.log.contains("client.identity") && wrong.summary.contains("client.identity"), "{}", wrong.log);
    forge.serve_repository(4712);
    let stranger = deploy(job(&forge, &service, "deploy")).run().expect(1, "refused");
    assert!(stranger.log.contains("auth.exchange_denied"), "{}", stranger.log);
    assert!(stranger.summary.contains("auth.exchange_denied"), "{}", stranger.summary);
    for ended in [&nobody, &elsewhere, &wrong, &stranger] {
        assert_discreet(ended);
    }
    // A forge that is busy for a moment is asked again.
    forge.serve_repository(4711);
    forge.be_busy(2);
    let unknown = deploy(job(&forge, &service, "deploy")).run().expect(1, "refused");
    assert!(unknown.log.contains("app.not_found"), "{}", unknown.log);
    // Somebody else's app is like one that is not there.
    let other = job(&forge, &service, "deploy").with("name", "blog").with("image", "registry.example/blog:1.0.0");
    let other = { other }.run().expect(1, "refused");
    assert!(other.log.contains("app.not_found"), "{}", other.log);
    assert!(service.served.changes().is_empty());
}

#[test]
fn a_token_goes_before_the_identity_and_is_masked() {
    let forge = Forge::start();
    let service = forge.service("github");
    let token = service.admin_token();
    let job = || job(&forge, &service, "onboard").with("token", &token);
    let spec = "name: shop\nframework: flask\nimage: registry.example/shop:1.0.0\n";
    let onboard =
        job().with("name", "").with("spec", "deploy/app.yaml").with("reason", &format!("x\n::error::{token}"));
    std::fs::create_dir(onboard.work().join("deploy")).unwrap();
    std::fs::write(onboard.work().join("deploy/app.yaml"), spec).unwrap();
    let mut onboard = onboard.with("wait", "merged");
    let ended = onboard.run();
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(forge.audiences().is_empty(), "the forge was not asked");
    assert!(!ended.log.contains(&token), "{}", ended.log);
    assert!(ended.commands.iter().all(|line| !line.contains("::error::")), "{:?}", ended.commands);
    assert!(!ended.summary.contains("::error"), "{}", ended.summary);
}
