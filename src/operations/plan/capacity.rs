//! How much of an app runs: restart, scale, resize.

use super::{Plan, Request, Target, data};
use crate::domain::app_spec::Replicas;
use crate::domain::intent::Size;
use crate::domain::release::{ResourceAmounts, Resources};
use crate::domain::{Cpu, Memory, Problem, Problems};

pub(super) fn restart(target: &Target<'_>, request: &Request) -> Result<Plan, Problems> {
    let (environment, _) = target.here()?;
    let subject = format!("Restart {} in {environment}", target.name);
    // Whole seconds, as `kubectl rollout restart` writes them.
    let now = jiff::Timestamp::from_second(request.now.as_second()).unwrap_or(request.now);
    target.set(&[(&["restarted_at"], Some(data(now)))], subject)
}

pub(super) fn scale(target: &Target<'_>, replicas: Replicas) -> Result<Plan, Problems> {
    let (environment, release) = target.here()?;
    let app = target.app(&release.value);
    if let Some(scale) = app.spec.autoscale {
        let detail = format!(
            "the number of pods of `{}` follows the load, between {} and {}",
            target.name, scale.min, scale.max
        );
        let hint =
            format!("`wooo configure {} --env {environment} --set autoscale.max=N` moves the bounds", target.name);
        return Err(Problem::new("scale.autoscaled", detail).hint(hint).into());
    }
    if app.spec.max_replicas() == replicas.get() {
        return Ok(Plan { subject: format!("Scale {} in {environment}", target.name), ..Plan::default() });
    }
    let subject = format!("Scale {} to {replicas} in {environment}", target.name);
    target.set(&[(&["replicas"], Some(data(replicas)))], subject)
}

pub(super) fn resize(target: &Target<'_>, size: &Size) -> Result<Plan, Problems> {
    let (environment, release) = target.here()?;
    let app = target.app(&release.value);
    let subject = |what: String| format!("Resize {} to {what} in {environment}", target.name);
    if let Some(plan) = &size.plan {
        if target.fleet.settings.plan(plan).is_none() {
            let known: Vec<_> = target.fleet.settings.plan_names().collect();
            let problem = Problem::new("spec.plan", format!("there is no plan `{plan}`"));
            return Err(problem.hint(format!("the plans are {}", known.join(", "))).into());
        }
        if size.memory.is_some() || size.cpu.is_some() {
            let detail = "a plan says memory and processor time itself: give either a plan or amounts";
            return Err(Problem::new("resize.both", detail).into());
        }
        // Amounts of one's own would go on hiding the plan's.
        return target.set(&[(&["plan"], Some(data(plan))), (&["resources"], None)], subject(format!("plan {plan}")));
    }
    if size.memory.is_none() && size.cpu.is_none() {
        let problem = Problem::new("resize.nothing", "this says no size");
        return Err(problem.hint("give `--plan`, `--memory` or `--cpu`").into());
    }
    let planned = target.fleet.settings.plan(&app.spec.plan).map(|plan| plan.resources());
    let Some(current) = app.resources.or(planned) else {
        return Err(Problem::new("spec.plan", format!("there is no plan `{}`", app.spec.plan)).into());
    };
    let memory = size.memory.unwrap_or(current.limits.memory);
    let cpu = size.cpu.unwrap_or(current.limits.cpu);
    let resources = Resources {
        requests: ResourceAmounts {
            memory: Memory::from_bytes(share(
                memory.bytes(),
                current.requests.memory.bytes(),
                current.limits.memory.bytes(),
                1 << 20,
            )),
            cpu: Cpu::from_millicores(share(
                cpu.millicores(),
                current.requests.cpu.millicores(),
                current.limits.cpu.millicores(),
                1,
            )),
        },
        limits: ResourceAmounts { memory, cpu },
    };
    if resources == current {
        return Ok(Plan { subject: subject("its own size".to_owned()), ..Plan::default() });
    }
    target.set(&[(&["resources"], Some(data(resources)))], subject(format!("memory {memory}, cpu {cpu}")))
}

/// The request that keeps its proportion to a new limit, in whole units of `step` where that leaves anything.
fn share(limit: u64, old_request: u64, old_limit: u64, step: u64) -> u64 {
    let exact = u128::from(limit) * u128::from(old_request) / u128::from(old_limit.max(1));
    let exact = u64::try_from(exact).unwrap_or(limit).min(limit);
    let rounded = exact - exact % step;
    if rounded == 0 { exact.max(1) } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_its_proportion() {
        assert_eq!(share(768 << 20, 512 << 20, 1024 << 20, 1 << 20), 384 << 20);
        assert_eq!(share(100, 1, 1000, 1), 1);
        assert_eq!(share(u64::MAX, u64::MAX, 1, 1), u64::MAX);
    }
}
