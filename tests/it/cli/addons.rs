//! Add-ons through the program: what a person edits by hand is met with the same care as a verb.

use super::Fleet;

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

/// Whoever writes an add-on into a spec by hand is told how to come by its password.
#[test]
fn a_password_that_is_missing_can_be_made() {
    let fleet = Fleet::new();
    fleet.fill();
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem();
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
