//! The steps of a kustomization: its fields, in the order in which they take effect.
//!
//! Owns that order and the reading of what the fields name. Does not own what a step does.

use std::sync::Arc;

use super::config::Config;
use super::error::{Error, Origin};
use super::fields::{FieldSpec, FieldTable, merge_all, merge_one};
use super::images::SetImage;
use super::labels::{self, SetPairs};
use super::layer::{Layer, Step};
use super::load::{Folder, Loader};
use super::names::{Affix, End};
use super::namespaces::{SetNamespace, Subjects};
use super::patches::Patch;
use super::provenance::Provenance;
use super::replacements::Replacement;
use super::replicas::SetReplicas;
use super::selector::Selector;
use super::settings::{self, Kustomization};

impl Loader<'_> {
    /// The order is kustomize's.
    pub(super) fn add_steps(
        &mut self,
        folder: &Folder,
        settings: &Kustomization,
        config: &Arc<Config>,
        layer: &mut Layer,
    ) -> Result<(), Error> {
        self.add_patches(folder, settings, layer)?;
        self.add_names(folder, settings, config, layer);
        self.add_labels(folder, settings, config, layer)?;
        let at = |field: &str, position: usize| Origin::new(&folder.file, format!("{field}[{position}]"));
        for (position, patch) in settings.patches_json6902.iter().enumerate() {
            let origin = at("patchesJson6902", position);
            if patch.target.as_ref().is_none_or(|target| target.name.is_empty()) {
                return Err(origin.invalid("the patch needs a `target` with a name"));
            }
            match self.patch(folder, patch, &origin)? {
                patch @ Patch::Json(..) => {
                    layer.push(Step::Patch(patch), self.maker(folder, "PatchJson6902Transformer"));
                }
                _ => return Err(origin.invalid("this is not a list of JSON 6902 operations")),
            }
        }
        for (position, replica) in settings.replicas.iter().enumerate() {
            let (origin, name) = (at("replicas", position), replica.name.clone());
            let places = config.replicas.table();
            let step = SetReplicas { origin, name, count: replica.count, places };
            layer.push(Step::Replicas(step), self.maker(folder, "ReplicaCountTransformer"));
        }
        for (position, image) in settings.images.iter().enumerate() {
            let step = SetImage::new(image, config.images.table(), at("images", position))?;
            layer.push(Step::Image(step), self.maker(folder, "ImageTagTransformer"));
        }
        if !settings.replacements.is_empty() {
            let replacements = self.replacements(folder, &settings.replacements, "replacements")?;
            layer.push(Step::Replacements(replacements), self.maker(folder, "ReplacementTransformer"));
        }
        for plugin in self.plugins(folder, &settings.transformers, "transformers")? {
            let mut made_by = self.metadata.is_noting().then(|| plugin.provenance.clone());
            for step in self.transformer(folder, &plugin)? {
                layer.push(step, made_by.take());
            }
        }
        for plugin in self.plugins(folder, &settings.validators, "validators")? {
            let steps = self.transformer(folder, &plugin)?;
            layer.validators.extend(steps.into_iter().map(|step| (plugin.origin.clone(), step)));
        }
        Ok(())
    }

    /// What a step is called where changes are listed, if they are.
    fn maker(&self, folder: &Folder, kind: &str) -> Option<Provenance> {
        self.metadata.is_noting().then(|| self.made_by(folder, kind))
    }

    fn add_patches(&mut self, folder: &Folder, settings: &Kustomization, layer: &mut Layer) -> Result<(), Error> {
        for (position, entry) in settings.patches_strategic_merge.iter().enumerate() {
            let origin = Origin::new(&folder.file, format!("patchesStrategicMerge[{position}]"));
            let made_by = self.maker(folder, "PatchStrategicMergeTransformer").filter(|_| position == 0);
            layer.push(Step::Patch(self.strategic(folder, entry, &origin)?), made_by);
        }
        for (position, patch) in settings.patches.iter().enumerate() {
            let origin = Origin::new(&folder.file, format!("patches[{position}]"));
            let made_by = self.maker(folder, "PatchTransformer");
            layer.push(Step::Patch(self.patch(folder, patch, &origin)?), made_by);
        }
        Ok(())
    }

    fn add_names(&self, folder: &Folder, settings: &Kustomization, config: &Config, layer: &mut Layer) {
        if !settings.namespace.is_empty() {
            let step = SetNamespace {
                origin: Origin::new(&folder.file, "namespace"),
                namespace: settings.namespace.clone(),
                places: config.namespace.table(),
                subjects: Subjects::default(),
                unset_only: false,
            };
            layer.push(Step::Namespace(step), self.maker(folder, "NamespaceTransformer"));
        }
        // Two steps, as a prefix is remembered as a name of its own before the suffix comes.
        let affixes = [
            (End::Prefix, "namePrefix", "PrefixTransformer", &settings.name_prefix, &config.name_prefix),
            (End::Suffix, "nameSuffix", "SuffixTransformer", &settings.name_suffix, &config.name_suffix),
        ];
        for (end, field, maker, text, section) in affixes {
            if !text.is_empty() {
                let origin = Origin::new(&folder.file, field);
                let step = Affix { origin, end, text: text.clone(), places: section.table() };
                layer.push(Step::Affix(step), self.maker(folder, maker));
            }
        }
    }

    fn add_labels(
        &self,
        folder: &Folder,
        settings: &Kustomization,
        config: &Config,
        layer: &mut Layer,
    ) -> Result<(), Error> {
        for (position, label) in settings.labels.iter().enumerate() {
            let origin = Origin::new(&folder.file, format!("labels[{position}]"));
            let places = label_places(label, config).map_err(|reason| origin.invalid(reason))?;
            let step = SetPairs::new(&label.pairs, places, origin);
            layer.push(Step::Pairs(step), self.maker(folder, "LabelTransformer"));
        }
        // Kustomize runs the one for `commonLabels` wherever it runs one for `labels`, which shows in the list of changes.
        if !(settings.labels.is_empty() && settings.common_labels.is_empty()) {
            let origin = Origin::new(&folder.file, "commonLabels");
            let step = SetPairs::new(&settings.common_labels, config.common_labels.table(), origin);
            layer.push(Step::Pairs(step), self.maker(folder, "LabelTransformer"));
        }
        if !settings.common_annotations.is_empty() {
            let origin = Origin::new(&folder.file, "commonAnnotations");
            let step = SetPairs::new(&settings.common_annotations, config.common_annotations.table(), origin);
            layer.push(Step::Pairs(step), self.maker(folder, "AnnotationsTransformer"));
        }
        Ok(())
    }

    /// An entry of `patchesStrategicMerge` is the patch itself if it has several lines or is in braces, and a path otherwise.
    pub(super) fn strategic(&mut self, folder: &Folder, entry: &str, origin: &Origin) -> Result<Patch, Error> {
        let is_inline = entry.contains('\n') || entry.trim_start().starts_with('{');
        let (path, patch) = if is_inline { ("", entry) } else { (entry, "") };
        let patch = settings::Patch { path: path.to_owned(), patch: patch.to_owned(), ..Default::default() };
        match self.patch(folder, &patch, origin)? {
            patch @ Patch::Named(_) => Ok(patch),
            _ => Err(origin.invalid("this is not a strategic-merge patch")),
        }
    }

    pub(super) fn patch(&mut self, folder: &Folder, patch: &settings::Patch, origin: &Origin) -> Result<Patch, Error> {
        let selector = patch.target.as_ref().map(|target| Selector::new(target, origin)).transpose()?;
        match (patch.patch.is_empty(), patch.path.is_empty()) {
            (true, true) => Err(origin.invalid("one of `patch` and `path` must be there")),
            (false, false) => Err(origin.invalid("only one of `patch` and `path` can be there")),
            (false, true) => {
                let source = format!("{}: {}", origin.file, origin.field);
                Patch::new(&patch.patch, &source, selector, &patch.options, self.schema.as_ref(), origin)
            }
            (true, false) => {
                let place = self.resolve(folder, &patch.path, origin)?;
                let text = self.file_text(folder, &place, origin)?;
                let origin = Origin::new(&origin.file, format!("{} ({place})", origin.field));
                Patch::new(&text, &place, selector, &patch.options, self.schema.as_ref(), &origin)
            }
        }
    }

    /// Replacements, each given as it is or as the path of a file with one or several.
    pub(super) fn replacements(
        &mut self,
        folder: &Folder,
        written: &[settings::Replacement],
        field: &str,
    ) -> Result<Vec<Replacement>, Error> {
        let mut replacements = Vec::with_capacity(written.len());
        for (position, replacement) in written.iter().enumerate() {
            let origin = Origin::new(&folder.file, format!("{field}[{position}]"));
            if replacement.path.is_empty() {
                replacements.push(Replacement::new(replacement, &origin)?);
                continue;
            }
            if replacement.source.is_some() || replacement.source_value.is_some() || !replacement.targets.is_empty() {
                return Err(origin.invalid("a `path` stands for a whole replacement; nothing can be next to it"));
            }
            let place = self.resolve(folder, &replacement.path, &origin)?;
            let text = self.file_text(folder, &place, &origin)?;
            for (position, replacement) in settings::read_replacements(&text, &place)?.iter().enumerate() {
                replacements.push(Replacement::new(replacement, &Origin::new(&place, format!("[{position}]")))?);
            }
        }
        Ok(replacements)
    }
}

/// Where the pairs of one entry of `labels` go.
fn label_places(label: &settings::Label, config: &Config) -> Result<Arc<FieldTable>, String> {
    let is_built_in = label.fields.is_empty() && config.labels.specs().is_empty();
    if is_built_in && label.include_selectors {
        return Ok(config.common_labels.table());
    }
    if is_built_in && label.include_templates {
        return Ok(config.template_labels.table());
    }
    let mut specs = Vec::new();
    for field in &label.fields {
        if field.path.is_empty() {
            return Err("a field needs a `path`".to_owned());
        }
        merge_one(&mut specs, FieldSpec::from_setting(field))?;
    }
    if label.include_selectors {
        merge_all(&mut specs, config.common_labels.specs().iter().cloned())?;
    } else if label.include_templates {
        merge_all(&mut specs, config.template_labels.specs().iter().cloned())?;
    } else {
        merge_all(&mut specs, labels::METADATA_ONLY.iter().map(FieldSpec::from_row))?;
    }
    merge_all(&mut specs, config.labels.specs().iter().cloned())?;
    Ok(Arc::new(FieldTable::new(&specs)))
}
