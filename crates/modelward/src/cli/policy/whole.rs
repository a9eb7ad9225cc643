//! A bundle as it decides: a root bundle by itself, a project bundle together with its root.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modelward_decision::bundle::Kind;
use modelward_policy::parts::Header;
use modelward_policy::{Bundle, BundleFile, Finding, project};

use super::read_bundle;
use crate::exit::{Exit, Failure};

/// Which root bundle a project bundle belongs to.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Root {
    /// The root bundle that a project bundle belongs to, a folder or a file [default: the one built into the program]
    #[arg(long, value_name = "BUNDLE")]
    root: Option<PathBuf>,
}

/// A bundle that was read.
pub(super) struct Read {
    pub(super) file: BundleFile,
    /// The root of a project bundle.
    pub(super) root: Option<Arc<Bundle>>,
}

impl Root {
    pub(super) fn path(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Reads a bundle, and the root of one that is for a project.
    pub(super) fn read(&self, path: &Path) -> Result<Read, Failure> {
        let file = read_bundle(path)?;
        let kind = Header::read(file.files()).map_or(Kind::Root, |header| header.kind);
        let root = match (kind, &self.root) {
            (Kind::Root, _) => None,
            (Kind::Project, Some(root)) => Some(root_at(root)?),
            (Kind::Project, None) => {
                let bundle = Bundle::default_bundle();
                Some(Arc::new(bundle.map_err(|error| Failure::of(Exit::Failure, &error))?))
            }
        };
        Ok(Read { file, root })
    }

    /// Reads a bundle and what it makes together with its root.
    pub(super) fn whole(&self, path: &Path) -> Result<(Read, Arc<Bundle>), Failure> {
        let read = self.read(path)?;
        let whole = read.whole()?;
        Ok((read, whole))
    }
}

impl Read {
    /// What decides once it is in force.
    pub(super) fn whole(&self) -> Result<Arc<Bundle>, Failure> {
        let whole = match &self.root {
            None => {
                Bundle::from_sources(self.file.files().clone()).map_err(|error| vec![Finding::from(&error)])
            }
            Some(root) => project::compose(root, self.file.files()),
        };
        whole.map(Arc::new).map_err(|findings| self.wrong(&findings))
    }

    fn wrong(&self, findings: &[Finding]) -> Failure {
        let told: Vec<String> = findings.iter().map(|finding| finding.render(self.file.files())).collect();
        Failure::new(Exit::Failure, told.join("\n"))
    }
}

/// A bundle that stands by itself.
pub(super) fn root_at(path: &Path) -> Result<Arc<Bundle>, Failure> {
    let file = read_bundle(path)?;
    let bundle = Bundle::from_sources(file.files().clone())
        .map_err(|error| Failure::new(Exit::Failure, Finding::from(&error).render(file.files())))?;
    Ok(Arc::new(bundle))
}
