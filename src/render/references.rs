//! Names that one object uses for another: each must lead somewhere within the app.

use std::collections::HashSet;

use serde_json::Value;

use super::object::{ObjectId, at, containers, items_at, pod_template, text_at};

/// A name that leads nowhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Dangling {
    /// The object that uses the name.
    pub(super) from: ObjectId,
    /// What is missing, as a sentence.
    pub(super) reason: String,
}

/// Every name that leads nowhere among `objects`. `secrets` are the Secrets that exist without being rendered.
#[must_use]
pub(super) fn dangling(objects: &[Value], secrets: &HashSet<String>) -> Vec<Dangling> {
    let index = Index::new(objects, secrets);
    let mut found = Vec::new();
    for object in objects {
        let Some(from) = ObjectId::of(object) else { continue };
        let mut report = |reason: String| found.push(Dangling { from: from.clone(), reason });
        match from.kind.as_str() {
            "Service" => index.service(object, &mut report),
            "Ingress" => index.ingress(object, &mut report),
            "HTTPRoute" => index.http_route(object, &mut report),
            "HorizontalPodAutoscaler" => {
                let kind = text_at(object, &["spec", "scaleTargetRef", "kind"]).unwrap_or_default();
                let name = text_at(object, &["spec", "scaleTargetRef", "name"]).unwrap_or_default();
                index.expect(kind, name, &mut report);
            }
            "PodDisruptionBudget" => {
                let labels = at(object, &["spec", "selector", "matchLabels"]);
                if index.pods_with(labels).next().is_none() {
                    report("its selector matches no pod".to_owned());
                }
            }
            _ => {}
        }
        if let Some(template) = pod_template(object) {
            index.pod(object, template, &mut report);
        }
    }
    found
}

struct Index<'a> {
    objects: &'a [Value],
    names: HashSet<(&'a str, &'a str)>,
    secrets: HashSet<&'a str>,
}

impl<'a> Index<'a> {
    fn new(objects: &'a [Value], secrets: &'a HashSet<String>) -> Self {
        let names = objects
            .iter()
            .filter_map(|object| Some((text_at(object, &["kind"])?, text_at(object, &["metadata", "name"])?)))
            .collect();
        let issued = objects
            .iter()
            .filter(|object| text_at(object, &["kind"]) == Some("Certificate"))
            .filter_map(|certificate| text_at(certificate, &["spec", "secretName"]));
        Self { objects, names, secrets: secrets.iter().map(String::as_str).chain(issued).collect() }
    }

    fn expect(&self, kind: &str, name: &str, report: &mut impl FnMut(String)) {
        if !self.names.contains(&(kind, name)) {
            report(format!("it refers to {kind} `{name}`, which is not part of the app"));
        }
    }

    fn expect_secret(&self, name: &str, report: &mut impl FnMut(String)) {
        if !self.secrets.contains(name) {
            report(format!("it refers to Secret `{name}`, which nothing provides"));
        }
    }

    /// The pod templates that have all of `labels`.
    fn pods_with(&self, labels: Option<&'a Value>) -> impl Iterator<Item = &'a Value> {
        let wanted = labels.and_then(Value::as_object);
        self.objects.iter().filter_map(pod_template).filter(move |template| {
            let has = at(template, &["metadata", "labels"]);
            wanted.is_some_and(|wanted| {
                !wanted.is_empty()
                    && wanted.iter().all(|(key, value)| has.and_then(|labels| labels.get(key)) == Some(value))
            })
        })
    }

    fn service(&self, object: &'a Value, report: &mut impl FnMut(String)) {
        let pods: Vec<&Value> = self.pods_with(at(object, &["spec", "selector"])).collect();
        if pods.is_empty() {
            report("its selector matches no pod".to_owned());
            return;
        }
        for port in items_at(object, &["spec", "ports"]) {
            let Some(name) = port.get("targetPort").and_then(Value::as_str) else { continue };
            let named = |pod: &&&Value| {
                containers(pod)
                    .flat_map(|container| items_at(container, &["ports"]))
                    .any(|port| text_at(port, &["name"]) == Some(name))
            };
            if pods.iter().find(named).is_none() {
                report(format!("its target port `{name}` is not a port of the pods that it selects"));
            }
        }
    }

    fn ingress(&self, object: &'a Value, report: &mut impl FnMut(String)) {
        let paths = items_at(object, &["spec", "rules"]).flat_map(|rule| items_at(rule, &["http", "paths"]));
        let backends = paths
            .filter_map(|path| at(path, &["backend", "service"]))
            .chain(at(object, &["spec", "defaultBackend", "service"]));
        for backend in backends {
            let name = text_at(backend, &["name"]).unwrap_or_default();
            let port = at(backend, &["port", "name"]).or_else(|| at(backend, &["port", "number"]));
            self.backend(name, port, report);
        }
        for secret in items_at(object, &["spec", "tls"]).filter_map(|tls| text_at(tls, &["secretName"])) {
            self.expect_secret(secret, report);
        }
    }

    fn http_route(&self, object: &'a Value, report: &mut impl FnMut(String)) {
        for backend in items_at(object, &["spec", "rules"]).flat_map(|rule| items_at(rule, &["backendRefs"])) {
            let name = text_at(backend, &["name"]).unwrap_or_default();
            self.backend(name, backend.get("port"), report);
        }
    }

    fn backend(&self, name: &str, port: Option<&Value>, report: &mut impl FnMut(String)) {
        let service = self.objects.iter().find(|object| {
            text_at(object, &["kind"]) == Some("Service") && text_at(object, &["metadata", "name"]) == Some(name)
        });
        let Some(service) = service else {
            report(format!("it refers to Service `{name}`, which is not part of the app"));
            return;
        };
        let serves =
            items_at(service, &["spec", "ports"]).any(|known| known.get("name") == port || known.get("port") == port);
        if !serves {
            let port = port.map(ToString::to_string).unwrap_or_default();
            report(format!("Service `{name}` has no port {port}"));
        }
    }

    fn pod(&self, workload: &'a Value, template: &'a Value, report: &mut impl FnMut(String)) {
        if text_at(workload, &["kind"]) != Some("CronJob") && text_at(workload, &["kind"]) != Some("Job") {
            let selector = at(workload, &["spec", "selector", "matchLabels"]).and_then(Value::as_object);
            let labels = at(template, &["metadata", "labels"]);
            let matches = selector.is_none_or(|selector| {
                selector.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
            });
            if !matches {
                report("its selector does not match the labels of its own pods".to_owned());
            }
        }
        if let Some(account) = text_at(template, &["spec", "serviceAccountName"])
            && account != "default"
        {
            self.expect("ServiceAccount", account, report);
        }
        for container in containers(template) {
            for source in items_at(container, &["envFrom"]) {
                self.source(source, ["configMapRef", "secretRef"], "name", report);
            }
            for variable in items_at(container, &["env"]).filter_map(|variable| variable.get("valueFrom")) {
                self.source(variable, ["configMapKeyRef", "secretKeyRef"], "name", report);
            }
        }
        for volume in items_at(template, &["spec", "volumes"]) {
            self.source(volume, ["configMap", ""], "name", report);
            self.source(volume, ["", "secret"], "secretName", report);
            if let Some(claim) = text_at(volume, &["persistentVolumeClaim", "claimName"])
                && !self.is_made_by_a_stateful_set(claim)
            {
                self.expect("PersistentVolumeClaim", claim, report);
            }
        }
    }

    /// Whether a claim is one of those that a StatefulSet makes for its pods: `<template>-<set>-<number>`.
    fn is_made_by_a_stateful_set(&self, claim: &str) -> bool {
        self.objects.iter().filter(|object| text_at(object, &["kind"]) == Some("StatefulSet")).any(|set| {
            let name = text_at(set, &["metadata", "name"]).unwrap_or_default();
            let templates = items_at(set, &["spec", "volumeClaimTemplates"]);
            templates.filter_map(|template| text_at(template, &["metadata", "name"])).any(|template| {
                let number = claim.strip_prefix(template).and_then(|rest| rest.strip_prefix('-')?.strip_prefix(name));
                number.and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| rest.parse::<u32>().is_ok())
            })
        })
    }

    /// A reference to a ConfigMap or a Secret under one of two keys. An optional one may lead nowhere.
    fn source(&self, holder: &Value, [config_map, secret]: [&str; 2], key: &str, report: &mut impl FnMut(String)) {
        let required = |reference: &&Value| reference.get("optional") != Some(&Value::Bool(true));
        if let Some(name) = holder.get(config_map).filter(required).and_then(|reference| text_at(reference, &[key])) {
            self.expect("ConfigMap", name, report);
        }
        if let Some(name) = holder.get(secret).filter(required).and_then(|reference| text_at(reference, &[key])) {
            self.expect_secret(name, report);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn app() -> Vec<Value> {
        vec![
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {
                "selector": {"matchLabels": {"app": "a"}},
                "template": {"metadata": {"labels": {"app": "a"}}, "spec": {
                    "serviceAccountName": "a",
                    "containers": [{"name": "a", "ports": [{"name": "http", "containerPort": 80}], "envFrom": [{"configMapRef": {"name": "c"}}]}]}}}}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"selector": {"app": "a"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}),
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "a"}, "spec": {
                "tls": [{"secretName": "tls"}],
                "rules": [{"http": {"paths": [{"backend": {"service": {"name": "a", "port": {"name": "http"}}}}]}}]}}),
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "a"}}}),
            json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "a"}, "spec": {"secretName": "tls"}}),
        ]
    }

    fn reasons(objects: &[Value]) -> Vec<String> {
        dangling(objects, &HashSet::new())
            .into_iter()
            .map(|dangling| format!("{}: {}", dangling.from, dangling.reason))
            .collect()
    }

    #[test]
    fn a_whole_app_holds_together() {
        assert_eq!(reasons(&app()), [""; 0]);
    }

    #[test]
    fn each_broken_name_is_reported() {
        let broken = |pointer: &str, value: &str, index: usize| {
            let mut objects = app();
            *objects[index].pointer_mut(pointer).unwrap() = json!(value);
            reasons(&objects)
        };
        assert_eq!(
            broken("/spec/ports/0/targetPort", "web", 3),
            ["Service a: its target port `web` is not a port of the pods that it selects"]
        );
        assert_eq!(broken("/spec/selector/app", "b", 3), ["Service a: its selector matches no pod"]);
        assert_eq!(
            broken("/spec/rules/0/http/paths/0/backend/service/name", "b", 4),
            ["Ingress a: it refers to Service `b`, which is not part of the app"]
        );
        assert_eq!(
            broken("/spec/rules/0/http/paths/0/backend/service/port/name", "x", 4),
            ["Ingress a: Service `a` has no port \"x\""]
        );
        assert_eq!(
            broken("/spec/scaleTargetRef/name", "b", 5),
            ["HorizontalPodAutoscaler a: it refers to Deployment `b`, which is not part of the app"]
        );
        assert_eq!(
            broken("/metadata/name", "d", 2),
            ["Deployment a: it refers to ConfigMap `c`, which is not part of the app"]
        );
        assert_eq!(
            broken("/spec/secretName", "x", 6),
            ["Ingress a: it refers to Secret `tls`, which nothing provides"]
        );
        assert_eq!(
            broken("/spec/template/spec/serviceAccountName", "x", 0),
            ["Deployment a: it refers to ServiceAccount `x`, which is not part of the app"]
        );
    }
}
