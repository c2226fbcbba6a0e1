//! From a resolved app to the files that a controller syncs.
//!
//! Pure and synchronous: the same inputs give the same bytes, on any machine. A [`Renderer`] holds what all apps of a
//! fleet share (templates, overlays, settings), is made once, and renders any number of apps from any thread.
//!
//! The stages: templates print objects with holes, which are filled with values; the overlay stack (plan, provider, environment, the team's own) patches them;
//! every object is checked against its type, its references, the pod-security profile and the app's scope; what is left
//! is written as one file per object. Nothing here reads Git, a clock or a network.

mod addons;
pub mod alertmanager;
pub mod builtin;
mod context;
mod credentials;
pub mod diff;
mod digest;
mod models;
pub mod object;
mod output;
mod pod_security;
mod references;
mod scope;
mod secrets;
mod skeleton;
mod stack;
pub mod templates;
mod typed;
mod watch;

use std::collections::HashSet;

use minijinja::value::{Serde, Value as Context};
use serde_json::Value;

use self::addons::AddonView;
use self::context::Subject;
use self::scope::Fence;
use self::stack::Stack;
use self::templates::Templates;
use crate::domain::fleet::{Delivery, SecretBackend};
use crate::domain::secrets::addon_secret;
use crate::domain::{App, EnvironmentName, FleetSettings, Problem, Problems};
use crate::files::FileTree;
use crate::overlay::Overlay;
use crate::yaml::Node;

pub use self::output::{KUSTOMIZATION_FILE, RECORD_FILE, Record, RenderedFile};

/// What all apps of a fleet share when they are rendered.
pub struct Renderer {
    settings: FleetSettings,
    templates: Templates,
    stack: Stack,
}

/// An app in an environment, rendered.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The objects, in reading order: the namespace first.
    pub objects: Vec<Value>,
    /// The files of `rendered/<env>/<app>/`.
    pub files: Vec<RenderedFile>,
    /// A digest of the manifests: equal digests mean equal bytes.
    pub digest: String,
    /// The object of `delivery/<env>/<app>.yaml`.
    pub delivery: Value,
    /// The content of `delivery/<env>/<app>.yaml`.
    pub delivery_file: String,
    /// The host name that the app is served under.
    pub domain: Option<String>,
}

/// A team's overlay with its folder's name, for messages.
#[derive(Clone, Copy)]
pub struct OwnOverlay<'a> {
    /// The folder in the fleet.
    pub folder: &'a str,
    /// The overlay.
    pub overlay: &'a Overlay,
}

impl Renderer {
    /// Reads templates and overlays from `tree`: the fleet's own laid over the built-in ones.
    ///
    /// # Errors
    /// Every template and overlay that cannot be read.
    pub fn new(settings: FleetSettings, tree: &dyn FileTree) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let templates = Templates::load(tree).map_err(|problem| problems.push(problem));
        let stack = Stack::load(&settings, tree).map_err(|found| problems.extend(found));
        Problems::check(problems)?;
        match (templates, stack) {
            (Ok(templates), Ok(stack)) => Ok(Self { settings, templates, stack }),
            _ => Err(Problem::new("render.invalid", "templates and overlays could not be read").into()),
        }
    }

    /// The settings of the fleet.
    #[must_use]
    pub fn settings(&self) -> &FleetSettings {
        &self.settings
    }

    /// Renders `app` for `environment`.
    ///
    /// # Errors
    /// Everything that is wrong at the first stage that fails.
    pub fn render(
        &self,
        app: &App,
        environment: &EnvironmentName,
        own: Option<OwnOverlay<'_>>,
    ) -> Result<Rendered, Problems> {
        let subject = self.subject(app, environment)?;
        let addons = addons::views(&subject);
        let context = subject.context(&addons);
        let printed = self.print(&subject, &context, &addons)?;
        let mut nodes: Vec<Node> = printed.into_iter().map(|(_, object)| Node::from(object)).collect();
        for (folder, overlay) in self.layers(&subject) {
            nodes = stack::apply(overlay, &folder, nodes)?;
        }
        let mut objects = stack::values(nodes)?;
        if let Some(own) = own {
            let fence = Fence::around(&objects, &subject.namespace);
            let nodes = objects.into_iter().map(Node::from).collect();
            objects = stack::values(stack::apply(own.overlay, own.folder, nodes)?)?;
            Problems::check(fence.check(&objects, &format!("overlay `{}`", own.folder)))?;
        }
        objects.extend(secrets::whole(subject.app));
        if let Err(misfits) = check_types(&objects) {
            return Err(self.blame(&subject, &context, &addons, own, misfits));
        }
        Problems::check(scope::namespace_problems(&objects, &subject.namespace))?;
        Problems::check(scope::pod_problems(&objects))?;
        Problems::check(reference_problems(&objects, &subject))?;
        Problems::check(credentials::problems(&objects))?;
        let (files, digest) = output::files(
            &mut objects,
            app.spec.name.as_str(),
            environment.as_str(),
            subject.domain.as_deref(),
            self.spec_digest(&subject)?,
        )?;
        let delivery = self.delivery(subject.cluster.delivery, &context)?;
        let delivery_file = output::write(&delivery)?;
        Ok(Rendered { objects, files, digest, delivery, delivery_file, domain: subject.domain })
    }

    /// The objects that a platform team applies by hand, once per environment: they point the controller at
    /// `delivery/<env>/`.
    ///
    /// # Errors
    /// What is wrong with the templates.
    pub fn environment_pointer(&self, name: &EnvironmentName) -> Result<Vec<Value>, Problems> {
        let (_, cluster) = self.settings.place(name)?;
        let templates: &[&str] = match cluster.delivery {
            Delivery::Argocd => &["argocd-environment"],
            Delivery::Flux => &["flux-source", "flux-environment"],
        };
        let context = context::environment_context(&self.settings, name);
        let mut objects = Vec::new();
        for template in templates {
            objects.push(self.print_delivery(template, &context)?);
        }
        Ok(objects)
    }

    fn subject<'a>(&'a self, app: &'a App, environment: &'a EnvironmentName) -> Result<Subject<'a>, Problems> {
        Subject::new(&self.settings, environment, app).map_err(|problems| {
            Problems::check(problems).err().unwrap_or_else(|| {
                Problem::new("fleet.unknown_cluster", "the environment's cluster is not known").into()
            })
        })
    }

    fn layers<'a>(&'a self, subject: &Subject<'_>) -> Vec<(String, &'a Overlay)> {
        let provider = subject.environment.provider.to_string();
        self.stack.layers(subject.app.spec.plan.as_str(), &provider, subject.environment_name.as_str())
    }

    /// Prints every object that makes sense for the app, with the name of its template.
    fn print(
        &self,
        subject: &Subject<'_>,
        context: &Context,
        addons: &[AddonView],
    ) -> Result<Vec<(String, Value)>, Problems> {
        let mut printed = Vec::new();
        let (mut problems, mut print) = (Vec::new(), |name: String, context: &Context| {
            let mut object = self.templates.render(&name, context)?;
            object::write_out_data(&mut object);
            printed.push((name, object));
            Ok(())
        });
        for object in objects_for(subject) {
            problems.extend(print(self.templates.resolve(subject.framework, object), context).err());
        }
        for worker in &subject.app.spec.workers {
            let context = minijinja::context! { worker => Context::from(Serde(worker)), ..context.clone() };
            problems.extend(print(self.templates.resolve(subject.framework, "worker"), &context).err());
        }
        for addon in addons {
            let backup = Context::from(Serde(&addons::BACKUP));
            let context =
                minijinja::context! { addon => Context::from(Serde(addon)), backup => backup, ..context.clone() };
            for object in addon_objects(addon, subject) {
                problems.extend(print(self.templates.resolve_addon(addon.kind, object), &context).err());
            }
        }
        Problems::check(problems)?;
        Ok(printed)
    }

    fn delivery(&self, delivery: Delivery, context: &Context) -> Result<Value, Problem> {
        self.print_delivery(&delivery.to_string(), context)
    }

    fn print_delivery(&self, template: &str, context: &Context) -> Result<Value, Problem> {
        let name = format!("delivery/{template}.yaml.j2");
        let mut object = self.templates.render(&name, context)?;
        typed::check_delivery(&object)
            .map_err(|misfit| Problem::new("render.invalid", format!("template `{name}`: {misfit}")))?;
        object::order_keys(&mut object);
        Ok(object)
    }

    /// Names the stage that a misfit comes from: the rendering is done once more, checked after each stage.
    fn blame(
        &self,
        subject: &Subject<'_>,
        context: &Context,
        addons: &[AddonView],
        own: Option<OwnOverlay<'_>>,
        misfits: Vec<Problem>,
    ) -> Problems {
        let at_stage = |stage: &str, problems: Vec<Problem>| {
            let staged = problems.into_iter().map(|mut problem| {
                problem.detail = format!("{stage}: {}", problem.detail);
                problem
            });
            Problems::check(staged.collect()).err()
        };
        let Ok(printed) = self.print(subject, context, addons) else {
            return at_stage("rendering", misfits).unwrap_or_else(unknown_misfit);
        };
        for (template, object) in &printed {
            if let Err(problems) = check_types(std::slice::from_ref(object))
                && let Some(blamed) = at_stage(&format!("template `{template}`"), problems)
            {
                return blamed;
            }
        }
        let mut objects: Vec<Value> = printed.into_iter().map(|(_, object)| object).collect();
        let own = own.map(|own| (own.folder.to_owned(), own.overlay));
        for (folder, overlay) in self.layers(subject).into_iter().chain(own) {
            let nodes = objects.into_iter().map(Node::from).collect();
            objects = match stack::apply(overlay, &folder, nodes).and_then(stack::values) {
                Ok(objects) => objects,
                Err(problem) => return problem.into(),
            };
            if let Err(problems) = check_types(&objects)
                && let Some(blamed) = at_stage(&format!("overlay `{folder}`"), problems)
            {
                return blamed;
            }
        }
        at_stage("rendering", misfits).unwrap_or_else(unknown_misfit)
    }

    /// A hold is left out: it says who may change the app, not what runs.
    fn spec_digest(&self, subject: &Subject<'_>) -> Result<String, Problem> {
        let App { spec, resources, restarted_at, own_domain, hold: _, secrets } = subject.app;
        let text = serde_json::to_string(&(spec, resources, restarted_at, own_domain, secrets))
            .map_err(|error| Problem::new("render.invalid", format!("the spec cannot be written: {error}")))?;
        Ok(digest::of([text.as_bytes()]))
    }
}

fn unknown_misfit() -> Problems {
    Problem::new("render.invalid", "an object does not fit its kind").into()
}

/// The objects that make sense for an app, in reading order.
fn objects_for(subject: &Subject<'_>) -> impl Iterator<Item = &'static str> {
    let spec = &subject.app.spec;
    let public = subject.domain.is_some();
    let gateway = subject.cluster.gateway.is_some();
    let certificate = subject.has_certificate();
    let operator = subject.cluster.monitoring.operator;
    [
        ("namespace", true),
        ("resourcequota", true),
        ("limitrange", true),
        ("networkpolicy", true),
        ("serviceaccount", true),
        ("sealedsecret", secrets::are_sealed(subject)),
        ("externalsecret", secrets::are_fetched(subject)),
        ("configmap", true),
        ("deployment", true),
        ("service", true),
        ("ingress", public && !gateway),
        ("httproute", public && gateway),
        ("certificate", certificate),
        ("referencegrant", certificate && gateway),
        // With one pod a budget would only stand in the way of draining its node.
        ("poddisruptionbudget", spec.min_replicas() > 1),
        ("horizontalpodautoscaler", spec.autoscale.is_some()),
        ("servicemonitor", operator && spec.metrics_path.is_some()),
        ("probe", operator && watch::is_probed(subject)),
        ("prometheusrule", operator),
        ("alertmanagerconfig", operator && watch::is_routed(subject)),
        ("dashboard", subject.cluster.monitoring.dashboards),
    ]
    .into_iter()
    .filter_map(|(name, wanted)| wanted.then_some(name))
}

/// The objects of an add-on, in reading order.
fn addon_objects(addon: &AddonView, subject: &Subject<'_>) -> impl Iterator<Item = &'static str> {
    let is_fetched = subject.cluster.secrets == SecretBackend::ExternalSecrets;
    let operator = subject.cluster.monitoring.operator;
    [
        ("sealedsecret", subject.cluster.secrets == SecretBackend::SealedSecrets),
        ("password", is_fetched),
        ("externalsecret", is_fetched),
        ("networkpolicy", true),
        ("statefulset", true),
        ("service", true),
        ("backup", addon.backup),
        ("prometheusrule", operator),
    ]
    .into_iter()
    .filter_map(|(name, wanted)| wanted.then_some(name))
}

fn check_types(objects: &[Value]) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for object in objects {
        if let Err(misfit) = typed::check(object) {
            let code = match misfit {
                typed::Misfit::PlainSecret | typed::Misfit::NotSealed { .. } | typed::Misfit::UnknownKind { .. } => {
                    "render.forbidden_kind"
                }
                typed::Misfit::UnknownField { .. } | typed::Misfit::WrongType { .. } => "render.invalid",
            };
            let kind = object::text_at(object, &["kind"]).unwrap_or("an object without a kind");
            let name = object::text_at(object, &["metadata", "name"]).unwrap_or_default();
            let problem = Problem::new(code, format!("{kind} {name}: {misfit}"));
            problems.push(match misfit {
                typed::Misfit::PlainSecret => problem.hint("name the variable under `secrets:` in the spec"),
                _ => problem,
            });
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn reference_problems(objects: &[Value], subject: &Subject<'_>) -> Vec<Problem> {
    let own = secrets::references(subject).into_iter().map(|known| known.secret);
    let spec = &subject.app.spec;
    let secrets: HashSet<String> = own.chain(spec.addons.keys().map(|kind| addon_secret(&spec.name, *kind))).collect();
    references::dangling(objects, &secrets)
        .into_iter()
        .map(|dangling| Problem::new("render.reference", format!("{}: {}", dangling.from, dangling.reason)))
        .collect()
}
