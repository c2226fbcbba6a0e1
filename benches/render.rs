//! What one app costs: rendering it, and the stages around it.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has no result")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use wooo::domain::{App, AppSpec, Document, EnvironmentName, FleetSettings, Release};
use wooo::files::MemoryTree;
use wooo::render::{Renderer, builtin, diff};

const SETTINGS: &str = "\
repository: {url: https://git.example.com/platform/fleet.git}
environments:
  production: {cluster: main, provider: eks}
clusters:
  main: {delivery: argocd, ingress: {class: nginx}, issuer: letsencrypt-prod, dns: {prefix: alpha}, secrets: external-secrets}
";

const SPEC: &str = "\
name: shop
domain: shop.example.com
framework: django
image: registry.example/shop:1.4.2
replicas: 3
env: {TZ: Asia/Taipei, LOG_LEVEL: info}
secrets: [SECRET_KEY]
addons: {postgresql: {}, redis: {}}
workers: [{name: celery, command: [celery, -A, app, worker]}]
metrics_path: /metrics
egress: [{host: api.stripe.com, port: 443}]
";

fn app(spec: &str) -> App {
    let spec = AppSpec::parse(&Document { file: "app.yaml", text: spec }).expect("the spec is valid");
    App::resolve(&spec, &Release::default())
}

fn benchmarks(criterion: &mut Criterion) {
    let settings =
        FleetSettings::parse(&Document { file: "fleet.yaml", text: SETTINGS }).expect("the settings are valid");
    let environment: EnvironmentName = "production".parse().expect("a name");
    let built_in: MemoryTree = builtin::files();
    let renderer = Renderer::new(settings.clone(), &built_in).expect("the built-in templates are valid");
    let shop = app(SPEC);
    criterion.bench_function("read a spec", |bencher| bencher.iter(|| black_box(app(black_box(SPEC)))));
    criterion.bench_function("load templates and overlays", |bencher| {
        bencher.iter(|| Renderer::new(black_box(settings.clone()), &built_in).expect("valid"));
    });
    criterion.bench_function("render one app", |bencher| {
        bencher.iter(|| renderer.render(black_box(&shop), &environment, None).expect("valid"));
    });
    let before = renderer.render(&shop, &environment, None).expect("valid");
    let after = renderer.render(&app(&SPEC.replace("1.4.2", "1.5.0")), &environment, None).expect("valid");
    criterion.bench_function("compare two renderings", |bencher| {
        bencher.iter(|| diff::compare(black_box(&before.objects), black_box(&after.objects)));
    });
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
