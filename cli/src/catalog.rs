//! Component types of a custom worker binary, asked through its `--describe` and `--check`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use squall_core::{Catalog, Error, Refused, Registry, ResolveRequest, Resolved, Result, TypeInfo};

/// The catalog of a worker binary, or of the components built into this one.
pub(crate) fn open(worker: Option<&Path>) -> Result<Box<dyn Catalog>> {
    match worker {
        Some(path) => Ok(Box::new(WorkerCatalog::new(path)?)),
        None => Ok(Box::new(built_in())),
    }
}

/// What ships with Squall.
pub(crate) fn built_in() -> Registry {
    squall_components::registry()
}

/// A worker binary and, once something is to be checked, its running `--check`.
struct WorkerCatalog {
    path: PathBuf,
    checking: Option<Checking>,
}

struct Checking {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// A line that `--check` answers.
#[derive(Deserialize)]
enum Answer {
    Ok(Resolved),
    Err(Refused),
}

impl WorkerCatalog {
    fn new(path: &Path) -> Result<WorkerCatalog> {
        // Canonical, so that `mine` means ./mine and not something on PATH.
        let path = path
            .canonicalize()
            .map_err(|e| Error::user(format!("cannot find the worker binary `{}`", path.display())).because(e))?;
        Ok(WorkerCatalog { path, checking: None })
    }

    fn failed(&self, what: &str) -> Error {
        let path = self.path.display();
        Error::user(format!("the worker binary `{path}` {what}; its main must be `squall_worker::main(registry)`"))
    }

    fn start(&self) -> Result<Checking> {
        let mut child = Command::new(&self.path)
            .arg("--check")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| self.failed("cannot be started").because(e))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(questions), Some(answers)) => Ok(Checking { child, questions, answers: BufReader::new(answers) }),
            _ => Err(Error::internal("a child process without pipes")),
        }
    }
}

impl Catalog for WorkerCatalog {
    fn types(&mut self) -> Result<Vec<TypeInfo>> {
        let output = Command::new(&self.path)
            .arg("--describe")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| self.failed("cannot be started").because(e))?;
        if !output.status.success() {
            return Err(self.failed(&format!("ended with {} when asked to describe itself", output.status)));
        }
        serde_json::from_slice(&output.stdout).map_err(|e| self.failed("gave no usable description").because(e))
    }

    fn resolve(&mut self, request: &ResolveRequest) -> Result<Result<Resolved, Refused>> {
        let mut checking = match self.checking.take() {
            Some(checking) => checking,
            None => self.start()?,
        };
        let mut question = serde_json::to_string(request)?;
        question.push('\n');
        let mut answer = String::new();
        let asked = checking
            .questions
            .write_all(question.as_bytes())
            .and_then(|()| checking.questions.flush())
            .and_then(|()| checking.answers.read_line(&mut answer));
        match asked {
            Ok(n) if n > 0 => {}
            Ok(_) => return Err(self.failed("ended while it was asked to check a component")),
            Err(e) => return Err(self.failed("does not answer questions").because(e)),
        }
        let answer: Answer =
            serde_json::from_str(&answer).map_err(|e| self.failed("gave an answer that is not understood").because(e))?;
        self.checking = Some(checking);
        Ok(match answer {
            Answer::Ok(resolved) => Ok(resolved),
            Answer::Err(refused) => Err(refused),
        })
    }
}

impl Drop for Checking {
    fn drop(&mut self) {
        // It ends by itself when its stdin does; a stuck one is ended by force, and reaped either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A worker binary made of shell, which answers every question alike.
    fn worker(dir: &Path, script: &str) -> PathBuf {
        let path = dir.join("worker");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn answers_are_read_line_by_line() {
        let dir = tempfile::tempdir().unwrap();
        let script = r#"
case "$1" in
--describe) echo '[{"name":"mine","kind":"bolt","about":"does it","keys":[["k","a key"]]}]' ;;
--check)
  read -r _; echo '{"Ok":{"outputs":[],"blocking":true}}'
  read -r _; echo '{"Err":{"faults":[{"path":"k","message":"wrong"}],"outputs":null}}' ;;
esac"#;
        let mut catalog = WorkerCatalog::new(&worker(dir.path(), script)).unwrap();
        assert_eq!(catalog.types().unwrap()[0].name, "mine");
        let request = ResolveRequest::default();
        assert!(catalog.resolve(&request).unwrap().unwrap().blocking);
        assert_eq!(catalog.resolve(&request).unwrap().unwrap_err().faults[0].path, "k");
        let gone = catalog.resolve(&request).unwrap_err();
        assert!(gone.to_string().contains("squall_worker::main"), "{gone}");
    }

    #[test]
    fn a_missing_binary_is_the_users_fault() {
        let error = WorkerCatalog::new(Path::new("/nonexistent/worker")).err().unwrap();
        assert_eq!(error.fault(), squall_core::Fault::User);
    }
}
