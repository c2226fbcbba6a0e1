//! The `restricted` profile of the Pod Security Standards, checked before anything reaches a cluster.
//!
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>. The namespace enforces the same
//! profile; checking here turns a rollout that never starts into a message on the change.

use serde_json::Value;

use super::object::{at, containers, items_at, text_at};

/// The volume types that the profile allows.
const VOLUMES: [&str; 8] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

/// The sysctls that the profile allows.
const SYSCTLS: [&str; 10] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
];

/// What of the pod template `pod` the profile does not allow, one sentence each.
#[must_use]
pub(super) fn violations(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for setting in ["hostNetwork", "hostPID", "hostIPC"] {
        if at(pod, &["spec", setting]) == Some(&Value::Bool(true)) {
            found.push(format!("`{setting}` shares the node with the pod"));
        }
    }
    for volume in items_at(pod, &["spec", "volumes"]) {
        let name = text_at(volume, &["name"]).unwrap_or_default();
        let kinds = volume.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).filter(|key| *key != "name");
        for kind in kinds.filter(|kind| !VOLUMES.contains(kind)) {
            found.push(format!("volume `{name}` is a `{kind}`"));
        }
    }
    for sysctl in items_at(pod, &["spec", "securityContext", "sysctls"]).filter_map(|sysctl| text_at(sysctl, &["name"]))
    {
        if !SYSCTLS.contains(&sysctl) {
            found.push(format!("the sysctl `{sysctl}` is not a safe one"));
        }
    }
    let pod_context = at(pod, &["spec", "securityContext"]).unwrap_or(&Value::Null);
    context_violations(pod_context, "the pod", &mut found);
    for container in containers(pod) {
        let name = format!("container `{}`", text_at(container, &["name"]).unwrap_or_default());
        container_violations(container, pod_context, &name, &mut found);
    }
    found
}

/// What neither a pod's nor a container's security context may say.
fn context_violations(context: &Value, whose: &str, found: &mut Vec<String>) {
    if at(context, &["windowsOptions", "hostProcess"]) == Some(&Value::Bool(true)) {
        found.push(format!("{whose} is a host process"));
    }
    if context.get("runAsUser").and_then(Value::as_i64) == Some(0) {
        found.push(format!("{whose} runs as root"));
    }
    if context.get("runAsNonRoot") == Some(&Value::Bool(false)) {
        found.push(format!("{whose} may run as root"));
    }
    if let Some(kind) = text_at(context, &["seccompProfile", "type"])
        && !matches!(kind, "RuntimeDefault" | "Localhost")
    {
        found.push(format!("{whose} has the seccomp profile `{kind}`"));
    }
    if let Some(kind) = text_at(context, &["appArmorProfile", "type"])
        && !matches!(kind, "RuntimeDefault" | "Localhost")
    {
        found.push(format!("{whose} has the AppArmor profile `{kind}`"));
    }
    let selinux = context.get("seLinuxOptions").unwrap_or(&Value::Null);
    if selinux.get("user").is_some() || selinux.get("role").is_some() {
        found.push(format!("{whose} sets an SELinux user or role"));
    }
    if let Some(kind) = text_at(selinux, &["type"])
        && !matches!(kind, "" | "container_t" | "container_init_t" | "container_kvm_t" | "container_engine_t")
    {
        found.push(format!("{whose} has the SELinux type `{kind}`"));
    }
}

fn container_violations(container: &Value, pod_context: &Value, name: &str, found: &mut Vec<String>) {
    let context = container.get("securityContext").unwrap_or(&Value::Null);
    context_violations(context, name, found);
    if context.get("privileged") == Some(&Value::Bool(true)) {
        found.push(format!("{name} is privileged"));
    }
    if context.get("allowPrivilegeEscalation") != Some(&Value::Bool(false)) {
        found.push(format!("{name} does not set `allowPrivilegeEscalation: false`"));
    }
    let drops_all = items_at(context, &["capabilities", "drop"]).any(|capability| capability == "ALL");
    if !drops_all {
        found.push(format!("{name} does not drop all capabilities"));
    }
    for added in items_at(context, &["capabilities", "add"]).filter(|capability| *capability != "NET_BIND_SERVICE") {
        found.push(format!("{name} adds the capability {added}"));
    }
    if let Some(mount) = text_at(context, &["procMount"])
        && mount != "Default"
    {
        found.push(format!("{name} has the proc mount `{mount}`"));
    }
    let inherits = |key: &str| context.get(key).or_else(|| pod_context.get(key));
    if inherits("runAsNonRoot") != Some(&Value::Bool(true)) {
        found.push(format!("{name} does not set `runAsNonRoot: true`, nor does its pod"));
    }
    if inherits("seccompProfile").and_then(|profile| text_at(profile, &["type"])).is_none() {
        found.push(format!("{name} has no seccomp profile, nor has its pod"));
    }
    for port in items_at(container, &["ports"]) {
        if port.get("hostPort").and_then(Value::as_i64).is_some_and(|port| port != 0) {
            found.push(format!("{name} opens a port on the node"));
        }
    }
    for handler in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = container.get(handler).unwrap_or(&Value::Null);
        if text_at(probe, &["httpGet", "host"]).or_else(|| text_at(probe, &["tcpSocket", "host"])).is_some() {
            found.push(format!("{name} probes another host"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({"spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "containers": [{"name": "a", "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}})
    }

    #[test]
    fn a_restricted_pod_passes() {
        assert_eq!(violations(&good()), [""; 0]);
    }

    #[test]
    fn each_way_out_is_named() {
        for (path, value, expected) in [
            ("/spec/hostNetwork", json!(true), "`hostNetwork` shares the node with the pod"),
            ("/spec/volumes/0/hostPath", json!({"path": "/"}), "volume `tmp` is a `hostPath`"),
            ("/spec/securityContext/runAsUser", json!(0), "the pod runs as root"),
            ("/spec/securityContext/runAsNonRoot", json!(false), "the pod may run as root"),
            (
                "/spec/securityContext/seccompProfile",
                json!({"type": "Unconfined"}),
                "the pod has the seccomp profile `Unconfined`",
            ),
            ("/spec/containers/0/securityContext/privileged", json!(true), "container `a` is privileged"),
            (
                "/spec/containers/0/securityContext/allowPrivilegeEscalation",
                json!(true),
                "container `a` does not set `allowPrivilegeEscalation: false`",
            ),
            (
                "/spec/containers/0/securityContext/capabilities/add",
                json!(["SYS_ADMIN"]),
                "container `a` adds the capability \"SYS_ADMIN\"",
            ),
            (
                "/spec/containers/0/securityContext/capabilities/drop",
                json!([]),
                "container `a` does not drop all capabilities",
            ),
            ("/spec/containers/0/ports", json!([{"hostPort": 80}]), "container `a` opens a port on the node"),
            (
                "/spec/securityContext/sysctls",
                json!([{"name": "kernel.msgmax", "value": "1"}]),
                "the sysctl `kernel.msgmax` is not a safe one",
            ),
        ] {
            let mut pod = good();
            let (parent, key) = path.rsplit_once('/').unwrap();
            pod.pointer_mut(parent).unwrap()[key] = value;
            assert!(violations(&pod).iter().any(|violation| violation == expected), "{path}: {:?}", violations(&pod));
        }
    }
}
