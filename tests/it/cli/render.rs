//! `wooo render`: the same bytes wherever and by whomever it is run.

use std::fs;
use std::process::Command;

use super::{Fleet, Lab, SHOP, assert_message, copy, snapshot};

#[test]
fn the_same_bytes_in_any_place_time_zone_locale_and_umask() {
    let fleet = Fleet::with_apps();
    fleet.put("templates/base/serviceaccount.yaml.j2", "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {{ app.name }}\n  namespace: {{ app.namespace }}\n  labels: {{ labels }}\n  annotations: {a: {{ app.title | upper }}}\n");
    let elsewhere = Lab::new();
    copy(&fleet.lab.path(""), &elsewhere.path("deep/er/目錄"));
    let mut outputs = Vec::new();
    let mut folders = Vec::new();
    for (index, (lab, folder, umask, environment)) in [
        (&fleet.lab, "", "022", &[("LC_ALL", "C")][..]),
        (&fleet.lab, "shop", "077", &[("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR.UTF-8"), ("TZ", "Asia/Taipei")]),
        (&elsewhere, "deep/er/目錄", "002", &[("LANGUAGE", "zh_TW"), ("TZ", "America/St_Johns"), ("COLUMNS", "20")]),
        (
            &elsewhere,
            "deep/er/目錄/fleet",
            "027",
            &[("SOURCE_DATE_EPOCH", "1"), ("RAYON_NUM_THREADS", "1"), ("NO_COLOR", "1")],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let root = if index < 2 { lab.path("") } else { lab.path("deep/er/目錄") };
        let out = lab.path(format!("out-{index}"));
        let words = format!("--env production --fleet {}", root.join("fleet").display());
        let spec = root.join("shop/wooo.yaml");
        let run = |more: &str| {
            let inner = lab.command(&format!("render {} {words} {more}", spec.display()));
            // The mask is the shell's to set.
            let mut command = Command::new("sh");
            command.args(["-c", "umask \"$0\"; exec \"$@\"", umask]).arg(inner.get_program()).args(inner.get_args());
            command.env_clear().envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
            command.envs(environment.iter().copied()).current_dir(lab.path(folder));
            super::Ended::from(command.output().unwrap()).ok()
        };
        outputs.push(run(""));
        run(&format!("-o {}", out.display()));
        folders.push(snapshot(&out));
    }
    assert!(outputs.iter().all(|output| *output == outputs[0]), "standard output differs");
    assert!(folders.iter().all(|folder| *folder == folders[0]), "files differ");
    assert!(folders[0].len() > 10, "{}", folders[0].len());
}

#[test]
fn what_is_rendered_is_what_is_committed() {
    let fleet = Fleet::with_apps();
    fleet.ok("render shop/wooo.yaml --env production -o out");
    assert_eq!(snapshot(&fleet.lab.path("out")), snapshot(&fleet.dir.join("rendered/production/shop")));
}

#[test]
fn commits_do_not_depend_on_the_place_either() {
    let trees: Vec<String> = (0..2)
        .map(|index| {
            let fleet = Fleet::new();
            for words in ["onboard shop/wooo.yaml --env staging --merge", "scale shop 3 --env staging --merge"] {
                let mut command = fleet.command(words);
                command.envs([("LC_ALL", "tr_TR.UTF-8"), ("TZ", "Asia/Taipei")].into_iter().take(2 * index));
                super::Ended::from(command.output().unwrap()).ok();
            }
            fleet.tree()
        })
        .collect();
    assert_eq!(trees[0], trees[1]);
}

#[test]
fn a_spec_is_enough() {
    let lab = Lab::new();
    lab.write("wooo.yaml", SHOP);
    let objects = lab.run("render wooo.yaml --env staging").ok();
    assert_eq!(objects.matches("\nkind: ").count(), objects.matches("---\n").count());
    assert!(fs::read_dir(lab.path("")).unwrap().count() == 1, "nothing was written");
    assert_message!(lab, lab.run("render nope.yaml --env staging").refused(), @"error[files.unreadable]: nope.yaml: No such file or directory (os error 2)");
    assert_message!(lab, lab.run("render wooo.yaml --env qa").refused(), @"
    error[fleet.unknown_environment]: there is no environment `qa` in fleet.yaml
     |
     = help: the environments are staging, production
    ");
}

#[test]
fn build_is_what_kubectl_builds() {
    let fleet = Fleet::with_apps();
    let ours = fleet.lab.run("build fleet/rendered/production/shop").ok();
    let theirs = super::kubectl::kustomize(&fleet.dir.join("rendered/production/shop"));
    assert_eq!(super::kubectl::objects(&ours), super::kubectl::objects(&theirs));
}
