//! From a TOML file to a checked plan and the files it needs: models imported, components checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use squall_core::Plan;
use squall_core::topology::{Case, Diagnostic, ModelLocation, PreparedModel, Severity, Sources, Spec, check, parse};
use squall_model::Options;

use crate::exit::{Failure, Outcome};
use crate::models::{self, file_name};
use crate::show::Show;
use crate::{catalog, client::Client};

/// What a topology is read from; the arguments of every verb that takes a file.
#[derive(Debug, clap::Args)]
pub(crate) struct Given {
    /// The topology, a TOML file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Gives the variable ${NAME} of the file a value; may be given several times. The environment gives the others, and
    /// ${TOPOLOGY_DIR} is always the folder of the file.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) set: Vec<(String, String)>,
    /// The worker binary that has the topology's own component types; without it, Squall's.
    #[arg(long, value_name = "PATH")]
    pub(crate) worker: Option<PathBuf>,
}

/// A topology that was checked, well or not.
pub(crate) struct Checked {
    /// The plan with warnings, or all that is wrong.
    pub(crate) result: Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>>,
    /// The files it needs, by SHA-256.
    pub(crate) files: BTreeMap<String, Needed>,
    /// The tests it carries.
    pub(crate) tests: Vec<Case>,
}

/// A topology that is fit to be submitted.
pub(crate) struct Ready {
    pub(crate) plan: Plan,
    files: BTreeMap<String, Needed>,
}

/// A file's content as text, or where it stops to be text.
fn text(bytes: Vec<u8>) -> std::io::Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        let fine = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = fine.iter().filter(|b| **b == b'\n').count() + 1;
        std::io::Error::other(format!("it is not a text file: line {line} has bytes that are not UTF-8"))
    })
}

/// Checks a topology. What is wrong with it is in the result; an error is what kept it from being checked.
pub(crate) fn checked(given: &Given, show: &Show) -> Outcome<Checked> {
    // A file that is not there is told like every other wrong argument.
    let file = given.file.canonicalize().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Failure::NotFound(format!("no such file: `{}`", given.file.display())),
        _ => Failure::Outside(format!("cannot read `{}`: {e}", given.file.display())),
    })?;
    let dir = file.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    let var = |name: &str| match name {
        "TOPOLOGY_DIR" => Some(dir.clone()),
        _ => {
            let set = given.set.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.clone());
            set.or_else(|| std::env::var(name).ok())
        }
    };
    let mut sources = Sources { read: &mut |path: &Path| std::fs::read(path).and_then(text), var: &var };
    // As the user named it, so that messages do.
    let spec = parse(&given.file, &mut sources);
    let (models, mut files) = import_models(&spec, show)?;
    let mut catalog = catalog::open(given.worker.as_deref())?;
    let mut result = check(&spec, catalog.as_mut(), &models);
    if let (Ok((plan, _)), Some(worker)) = (&mut result, &given.worker) {
        let sum = models::checksum(worker)?;
        files.insert(sum.clone(), Needed { path: worker.clone(), name: file_name(worker) });
        plan.worker = Some(sum);
    }
    Ok(Checked { result, files, tests: spec.tests().to_vec() })
}

/// A file that a topology needs.
#[derive(Debug, Clone)]
pub(crate) struct Needed {
    pub(crate) path: PathBuf,
    /// As the user knows it: a model's path is that of its artefact.
    name: String,
}

type Models = BTreeMap<String, Result<PreparedModel, String>>;

/// Imports the models that a topology names, once each; what fails is reported at its place in the file.
fn import_models(spec: &Spec, show: &Show) -> Outcome<(Models, BTreeMap<String, Needed>)> {
    let (mut models, mut files) = (BTreeMap::new(), BTreeMap::new());
    for model in spec.models() {
        let prepared = match &model.location {
            ModelLocation::File(path) => {
                // The topology's reader let only names through that there are.
                let mut options = Options::default();
                options.onnx_weights = model.onnx_weights.as_ref().and_then(|held| held.parse().ok());
                options.labels.clone_from(&model.labels);
                models::artefact(path, options, show).map(|a| (a, file_name(path)))
            }
            ModelLocation::Url(url) => {
                Err(Failure::Usage(format!("cannot fetch `{url}` yet: download the file and name its path")))
            }
        };
        let prepared = match prepared {
            Ok((artefact, file)) => {
                for warning in &artefact.warnings {
                    show.note(&format!("warning: model `{}`: {warning}", model.name));
                }
                files.insert(artefact.artefact.clone(), Needed { path: artefact.path.clone(), name: file.clone() });
                let models::Artefact { path, artefact: sha256, source, bytes, .. } = artefact;
                Ok(PreparedModel { artefact: path, sha256, source, bytes, file })
            }
            Err(failure) => Err(failure.to_string()),
        };
        models.insert(model.name.clone(), prepared);
    }
    Ok((models, files))
}

/// Checks a topology and shows all that is wrong with it; nothing is started or sent on an error.
pub(crate) fn ready(given: &Given, show: &Show) -> Outcome<Ready> {
    let Checked { result, files, .. } = checked(given, show)?;
    match result {
        Ok((plan, warnings)) => {
            render(&warnings, show);
            Ok(Ready { plan, files })
        }
        Err(faults) => {
            render(&faults, show);
            show.note(&summary(&given.file, &faults));
            Err(Failure::Shown)
        }
    }
}

impl Ready {
    /// Uploads the files that nimbus has not got.
    pub(crate) fn upload(&self, client: &Client, show: &Show) -> Outcome {
        self.files.iter().try_for_each(|(sum, file)| client.upload(&file.path, (sum, &file.name), show))
    }
}

/// Shows faults and warnings on stderr.
pub(crate) fn render(diagnostics: &[Diagnostic], show: &Show) {
    for diagnostic in diagnostics {
        show.note(&diagnostic.render(show.colour));
    }
}

/// How many errors and warnings there are.
pub(crate) fn summary(file: &Path, diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => format!("{}: valid", file.display()),
        (0, w) => format!("{}: valid, with {}", file.display(), many(w, "warning")),
        (e, 0) => format!("{}: {}", file.display(), many(e, "error")),
        (e, w) => format!("{}: {}, {}", file.display(), many(e, "error"), many(w, "warning")),
    }
}

/// `NAME=VALUE`.
pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err(format!("`{text}`: expected NAME=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str, set: &[(&str, &str)]) -> Checked {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("t.toml");
        std::fs::write(&file, text).unwrap();
        let set = set.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let show = Show { json: false, colour: false, watched: false };
        checked(&Given { file, set, worker: None }, &show).unwrap()
    }

    #[test]
    fn a_missing_model_is_a_fault_at_its_place() {
        let faults = check_text("name = \"a\"\n[models.m]\npath = \"none.pkl\"\n", &[]).result.unwrap_err();
        let model = faults.iter().find(|d| d.message.contains("none.pkl")).expect("a fault of the model");
        assert_eq!(model.place.line, 3, "{model:?}");
    }

    #[test]
    fn set_comes_before_the_environment_and_the_folder_is_always_known() {
        let text = "name = \"a\"\n[spouts.s]\ntype = \"${T}\"\n[models.m]\npath = \"${TOPOLOGY_DIR}/x.pkl\"\n";
        let faults = check_text(text, &[("T", "nothing_like_it"), ("TOPOLOGY_DIR", "/elsewhere")]).result.unwrap_err();
        let all: String = faults.iter().map(Diagnostic::in_a_line).collect();
        assert!(all.contains("nothing_like_it"), "{all}");
        assert!(all.contains("x.pkl") && !all.contains("/elsewhere"), "{all}");
    }

    #[test]
    fn every_fault_of_every_component_shows_at_once() {
        let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../topologies/models/digits-pca.pkl");
        let text = format!(
            r#"name = "all"
[models.pca]
path = "{model}"
[spouts.lines]
type = "file"
config = {{ path = "a.txt", cycle = true, follow = true, checkpoint = true, nothing = 1 }}
[bolts.count]
type = "count"
inputs = [{{ from = "lines", grouping = "fields", fields = ["lin"] }}]
config = {{ fields = ["line", "numbr"] }}
[bolts.project]
type = "project"
inputs = [{{ from = "count", grouping = "shuffle" }}]
config = {{ fields = ["a", "count"], rename = {{ b = "x", c = "y" }} }}
[bolts.classify]
type = "classifier"
inputs = [{{ from = "lines", grouping = "shuffle" }}]
config = {{ model = "none", features = "f", emit = ["lable", "top"], top = 0, pass = ["nix"] }}
[bolts.transform]
type = "transform"
inputs = [{{ from = "lines", grouping = "shuffle" }}]
config = {{ model = "pca", features = ["number", "line", "no"], pass = ["number"], output = "number" }}
"#
        );
        let faults = check_text(&text, &[]).result.unwrap_err();
        let said = |d: &Diagnostic| format!("{}: {}", d.place.line, d.message);
        let all: Vec<String> = faults.iter().map(said).collect();
        let wanted = [
            "6: `a.txt` is relative to no certain directory",
            "6: a file that begins again at its end cannot be followed",
            "6: a file that cycles cannot be checkpointed",
            "6: unknown key `nothing`",
            "9: stream `default` of `lines` has no field `lin`",
            "10: `lines` emits no field `numbr`",
            "14: `count` emits no field `a`",
            "14: `b` is not among `fields`",
            "14: `c` is not among `fields`",
            "18: the topology has no model `none`",
            "18: no class would be listed",
            "18: `lines` emits no field `nix`",
        ];
        for wanted in wanted {
            assert!(all.iter().any(|f| f.starts_with(wanted)), "no `{wanted}` in {all:#?}");
        }
    }

    #[test]
    fn a_setting_is_name_and_value() {
        assert_eq!(setting("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(setting("A").is_err() && setting("=x").is_err());
    }
}
