//! What decides: the root bundle in force and the bundles of projects beside it, put together into one.
//!
//! A project's bundle is part of it only as long as its proof is about exactly these texts: its own, and those of the root
//! bundle that a proof rests on.

use std::collections::BTreeSet;
use std::sync::Arc;

use modelward_decision::bundle::Kind;
use modelward_decision::vocabulary::ProjectId;
use modelward_decision::{Bundle, Candidate};
use modelward_governance::policy::{OfProject, PolicyState};
use modelward_policy::parts::Header;
use modelward_policy::project::{self, Project};
use modelward_policy::{BundleFile, Finding};
use modelward_seal::Digest;
use modelward_store::Moment;

use crate::policies::{Kept, Policies};
use crate::problem::Problem;
use crate::wire::ErrorCode;

/// The project a bundle is for; nothing for a root bundle.
pub(crate) fn project_of(file: &BundleFile) -> Result<Option<ProjectId>, Problem> {
    let header = Header::read(file.files()).map_err(|finding| refused(&[finding]))?;
    Ok(match header.kind {
        Kind::Root => None,
        Kind::Project => header.scope,
    })
}

/// What a proof about this project under this root bundle would be about.
pub(crate) fn subject(root: &Bundle, file: &BundleFile) -> Result<Digest, Problem> {
    project::subject(root, file.files()).map_err(|findings| refused(&findings))
}

fn refused(findings: &[Finding]) -> Problem {
    let first = findings.first().map_or("", |finding| finding.message.as_str());
    Problem::new(ErrorCode::Refused, format!("the bundles do not fit together: {first}"))
}

impl Policies {
    /// The bundles that a state of policy brings into force.
    pub(crate) async fn of(&self, state: &PolicyState) -> Result<(Arc<Bundle>, Option<Candidate>), Problem> {
        let root = self.bundle(state.active).await?;
        let active = self.whole(root, state.of_projects().map(|(_, of)| of.bundle).collect()).await?;
        let candidate = match state.on_trial {
            Some(trial) => {
                let file = self.file(trial.bundle).await?;
                Some(Candidate { bundle: self.with(state, file).await?, reach: trial.reach })
            }
            None => None,
        };
        Ok((active, candidate))
    }

    /// A bundle as it is looked at: a root bundle by itself, the bundle of a project together with the root bundle.
    pub(crate) async fn shown(&self, root: &Arc<Bundle>, kept: &Kept) -> Result<Arc<Bundle>, Problem> {
        let file = kept.file().await?;
        if project_of(file)?.is_none() {
            return self.bundle(file.digest()).await;
        }
        self.put_together(Arc::clone(root), vec![file.clone()]).await
    }

    /// What would decide with this bundle in place of the root bundle, or of the one its project has.
    pub(crate) async fn with(&self, state: &PolicyState, file: BundleFile) -> Result<Arc<Bundle>, Problem> {
        let own = file.digest();
        let Some(project) = project_of(&file)? else {
            let root = match self.in_memory(own) {
                Some(root) => root,
                None => self.keep(Arc::new(read(file).await?)),
            };
            let fallen = self.fallen(state, &root).await?;
            let stay = state.of_projects().filter(|(project, _)| !fallen.contains(project));
            let stay = stay.map(|(_, of)| of.bundle).collect();
            return self.whole(root, stay).await;
        };
        let root = self.bundle(state.active).await?;
        let mut files = vec![file];
        for (_, of) in state.of_projects().filter(|(other, _)| *other != project) {
            files.push(self.file(of.bundle).await?);
        }
        self.put_together(root, files).await
    }

    /// The projects whose bundles would go out of force under this root bundle, since their proofs are not about it.
    pub(crate) async fn fallen(
        &self,
        state: &PolicyState,
        root: &Bundle,
    ) -> Result<BTreeSet<ProjectId>, Problem> {
        let mut fallen = BTreeSet::new();
        for (project, OfProject { bundle, proved, .. }) in state.of_projects() {
            let file = self.file(bundle).await?;
            // What does not even fit together has no proof.
            if subject(root, &file).ok() != Some(proved) {
                fallen.insert(project);
            }
        }
        Ok(fallen)
    }

    /// The bundle that a decision of this revision names.
    pub(crate) async fn recorded(&self, digest: Digest, revision: u64) -> Result<Arc<Bundle>, Problem> {
        if let Some(bundle) = self.in_memory(digest) {
            return Ok(bundle);
        }
        if let Some(state) = self.store().policy(Moment::Revision(revision)).await? {
            let (active, candidate) = self.of(&state).await?;
            let both = [Some(active), candidate.map(|candidate| candidate.bundle)];
            if let Some(found) = both.into_iter().flatten().find(|bundle| bundle.digest() == digest) {
                return Ok(found);
            }
        }
        self.bundle(digest).await
    }

    async fn whole(&self, root: Arc<Bundle>, projects: Vec<Digest>) -> Result<Arc<Bundle>, Problem> {
        let mut files = Vec::new();
        for digest in projects {
            files.push(self.file(digest).await?);
        }
        self.put_together(root, files).await
    }

    /// Puts a whole together where it may take its time, unless that was done before.
    async fn put_together(&self, root: Arc<Bundle>, files: Vec<BundleFile>) -> Result<Arc<Bundle>, Problem> {
        if files.is_empty() {
            return Ok(root);
        }
        let mut parts: Vec<Digest> = files.iter().map(BundleFile::digest).collect();
        parts.sort_unstable();
        let known = self.known_whole(root.digest(), &parts);
        if let Some(whole) = known {
            return Ok(whole);
        }
        let work = move || {
            let projects: Vec<Project<'_>> =
                files.iter().map(|file| Project { digest: file.digest(), files: file.files() }).collect();
            project::compose_all(&root, &projects)
        };
        let whole = tokio::task::spawn_blocking(work).await;
        let whole = whole.map_err(|error| Problem::internal("putting bundles together", &error))?;
        Ok(self.keep(Arc::new(whole.map_err(|findings| refused(&findings))?)))
    }
}

async fn read(file: BundleFile) -> Result<Bundle, Problem> {
    let read = tokio::task::spawn_blocking(move || file.bundle()).await;
    read.map_err(|error| Problem::internal("reading a bundle", &error))?
        .map_err(|error| Problem::new(ErrorCode::Refused, crate::problem::chain(&error)))
}
