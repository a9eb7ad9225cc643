//! Any two bundles beside each other: files that differ, and cells of the permission matrix.

use std::sync::Arc;

use modelward_decision::matrix::matrix;
use modelward_decision::vocabulary::{Action, NameError, ResourceRef};
use modelward_decision::{Bundle, Outcome};
use modelward_enforcement::Summary;
use modelward_policy::difference::{CellChange, RowChange, difference};

use super::{History, digest, file_views, line};
use crate::caller::Caller;
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
        let from = from.map_or(Ok(history.state.active), digest)?;
        let (from, to) = (plane.policies.kept(from).await?, plane.policies.kept(digest(to)?).await?);
        let before = plane.policies.bundle(from.head.digest).await?;
        let after = plane.policies.bundle(to.head.digest).await?;
        let files = file_views(&before, to.file().await?);
        let changes = changes(before, after).await?;
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
async fn changes(before: Arc<Bundle>, after: Arc<Bundle>) -> Result<Vec<MatrixChange>, Problem> {
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
