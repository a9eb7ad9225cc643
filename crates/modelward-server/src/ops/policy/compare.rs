//! Any two bundles beside each other: files that differ, and cells of the permission matrix.

use std::collections::BTreeMap;
use std::sync::Arc;

use modelward_decision::matrix::{matrix, matrix_within};
use modelward_decision::vocabulary::{Action, NameError, ProjectId, ResourceRef};
use modelward_decision::{Bundle, Outcome};
use modelward_enforcement::Summary;
use modelward_policy::difference::{CellChange, RowChange, difference};

use super::{History, digest, file_views, line};
use crate::caller::Caller;
use crate::composed::project_of;
use crate::control::{Allowed, ControlPlane};
use crate::problem::Problem;
use crate::wire::{BundleDifference, DifferenceQuery, Leaning, MatrixChange};

/// What changes from one bundle to another.
pub(crate) async fn compare(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    to: &str,
    query: DifferenceQuery,
) -> Result<Allowed<BundleDifference>, Problem> {
    let from = query.from.as_deref();
    let summary = Summary::default().with("bundle", to).with("from", from.unwrap_or("in force"));
    let ((), pass) =
        plane.permit(caller, Action::ReadConfiguration, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let history = History::read(plane).await?;
        let to = plane.policies.kept(digest(to)?).await?;
        let project = project_of(to.file().await?)?;
        // A project's bundle takes the place of the one the project has.
        let present = project.and_then(|project| history.state.projects.get(&project));
        let present = present.map_or(history.state.active, |of| of.bundle);
        let from = plane.policies.kept(from.map_or(Ok(present), digest)?).await?;
        let before = plane.policies.shown(&history.active, &from).await?;
        let after = plane.policies.shown(&history.active, &to).await?;
        // The files of a project are no change of those of a root bundle.
        let files = match (project, project_of(from.file().await?)?) {
            (Some(_), None) => file_views(&BTreeMap::new(), to.file().await?),
            _ => file_views(from.file().await?.files(), to.file().await?),
        };
        let changes = changes(before, after, project).await?;
        let count = |leaning| {
            let count = changes.iter().filter(|change| change.leaning == leaning).count();
            u64::try_from(count).unwrap_or(u64::MAX)
        };
        Ok(BundleDifference {
            from: line(plane, &history, &from).await?,
            to: line(plane, &history, &to).await?,
            files,
            looser: count(Leaning::Looser),
            stricter: count(Leaning::Stricter),
            other: count(Leaning::Other),
            cells: changes.into_iter().take(BundleDifference::CELLS_MAX).collect(),
        })
    })
    .await
}

/// Two matrices take their time.
async fn changes(
    before: Arc<Bundle>,
    after: Arc<Bundle>,
    project: Option<ProjectId>,
) -> Result<Vec<MatrixChange>, Problem> {
    let matrix = move |bundle: &Arc<Bundle>| match project {
        Some(project) => matrix_within(bundle, project),
        None => matrix(bundle),
    };
    let work = move || Ok::<_, NameError>(difference(&matrix(&before)?, &matrix(&after)?));
    let rows = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Problem::internal("comparing bundles", &error))?
        .map_err(|error| Problem::internal("comparing bundles", &error))?;
    Ok(rows.iter().flat_map(|row| row.cells.iter().map(|cell| change(row, cell))).collect())
}

fn change(row: &RowChange, cell: &CellChange) -> MatrixChange {
    let outcome = |outcome: Option<Outcome>| outcome.map(|outcome| outcome.as_str().to_owned());
    MatrixChange {
        leaning: match (cell.is_looser(), cell.is_stricter()) {
            (true, _) => Leaning::Looser,
            (false, true) => Leaning::Stricter,
            (false, false) => Leaning::Other,
        },
        action: row.action.to_string(),
        privilege: row.action.privilege(),
        resource: row.resource.as_str().to_owned(),
        holder: row.holder.as_str().to_owned(),
        condition: cell.condition.as_str().to_owned(),
        before: outcome(cell.before),
        after: outcome(cell.after),
    }
}
