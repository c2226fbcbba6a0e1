//! One snapshot for each framework, provider, delivery and entry.

use super::fixtures::{app, listing, production, renderer, settings, watching};

const SPEC: &str = "\
name: shop
display_name: 商店 Shop
domain: shop.example.com
plan: standard
image: registry.example/shop:1.4.2
env: {TZ: Asia/Taipei, FEATURE: 'no'}
secrets: [DATABASE_URL]
metrics_path: /metrics
egress: [{host: api.stripe.com, port: 443}]
";

#[test]
fn every_framework_provider_delivery_and_entry() {
    insta::with_settings!({snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/render"), prepend_module_to_snapshot => false, omit_expression => true}, {
        for framework in ["flask", "django", "fastapi", "nodejs", "nextjs", "static", "go"] {
            for provider in ["k3s", "eks", "gke", "aks"] {
                for delivery in ["argocd", "flux"] {
                    for entry in ["ingress", "gateway"] {
                        // Scaling and workers vary with the provider, so that each is seen with each framework.
                        let scaling = match provider {
                            "k3s" => "",
                            "eks" => "replicas: 3\n",
                            "gke" => "autoscale: {min: 2, max: 6, cpu_percent: 70}\n",
                            _ => "workers: [{name: mail, command: [run, mail], replicas: 2}]\nplan: professional\n",
                        };
                        let spec = format!("{}framework: {framework}\n{scaling}", SPEC.replace("plan: standard\n", if provider == "aks" { "" } else { "plan: standard\n" }));
                        let rendered = renderer(settings(provider, delivery, entry), &[])
                            .and_then(|renderer| renderer.render(&app(&spec), &production(), None))
                            .unwrap_or_else(|problems| panic!("{framework} {provider} {delivery} {entry}: {problems}"));
                        insta::assert_snapshot!(format!("{framework}-{provider}-{delivery}-{entry}"), listing(&rendered));
                    }
                }
            }
        }
    });
}

#[test]
fn what_watches_every_framework_in_every_language() {
    insta::with_settings!({snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/watching"), prepend_module_to_snapshot => false, omit_expression => true}, {
        let cases = [
            ("flask", "zh-TW", "k3s"),
            ("django", "en", "eks"),
            ("fastapi", "zh-TW", "gke"),
            ("nodejs", "en", "aks"),
            ("nextjs", "zh-TW", "k3s"),
            ("static", "en", "eks"),
            ("go", "en", "k3s"),
        ];
        for (framework, language, provider) in cases {
            let metrics = if framework == "static" { SPEC.replace("metrics_path: /metrics\n", "") } else { SPEC.to_owned() };
            let spec = format!("{metrics}framework: {framework}\nlanguage: {language}\nnotification_channels: [telegram]\n");
            let rendered = renderer(settings(provider, "flux", "ingress"), &[])
                .and_then(|renderer| renderer.render(&app(&spec), &production(), None))
                .unwrap_or_else(|problems| panic!("{framework}: {problems}"));
            insta::assert_snapshot!(format!("{framework}-{language}-{provider}"), watching(&rendered));
        }
    });
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    let once = || {
        let rendered = renderer(settings("eks", "argocd", "gateway"), &[])
            .and_then(|renderer| renderer.render(&app(&format!("{SPEC}framework: django\n")), &production(), None))
            .unwrap();
        (listing(&rendered), rendered.digest)
    };
    assert_eq!(once(), once());
}
