//! `modelward matrix`

use modelward_server::wire::{MatrixQuery, MatrixRows, MatrixView};

use super::api::{Server, wait};
use super::time::Moment;
use super::{Context, time, view};
use crate::client::query;
use crate::exit::{Exit, Outcome};
use crate::output::Table;

/// Show who may do what: a row per principal, a column per model, a letter per privilege
///
/// A letter alone is allowed as things are, `?` behind it needs something more, `!` behind it is forbidden by a guardrail.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Whom the rows are about
    #[arg(long, value_enum, default_value = "people", value_name = "KIND")]
    rows: Rows,
    /// Only this model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The network segment requests would come from
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Another moment than now
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Rows {
    People,
    Groups,
    Machines,
}

/// Rows asked for at a time.
const PAGE: u32 = 500;

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let client = args.server.signed_in(context)?;
    let mut filter = MatrixQuery {
        environment: args.environment,
        network: args.network,
        at: args.at.map(|at| at.0),
        rows: Some(match args.rows {
            Rows::People => MatrixRows::People,
            Rows::Groups => MatrixRows::Groups,
            Rows::Machines => MatrixRows::Machines,
        }),
        model: args.model,
        format: None,
        offset: None,
        limit: Some(PAGE),
    };
    let matrix: MatrixView = wait(async {
        let mut matrix: MatrixView = client.read(&format!("/api/v1/matrix{}", query(&filter))).await?;
        // Every page shows the same moment, or the rows would not belong together.
        filter.at = Some(matrix.at);
        while (matrix.rows.len() as u64) < matrix.total_rows {
            filter.offset = u32::try_from(matrix.rows.len()).ok();
            let page: MatrixView = client.read(&format!("/api/v1/matrix{}", query(&filter))).await?;
            if page.rows.is_empty() {
                break;
            }
            matrix.rows.extend(page.rows);
        }
        Ok(matrix)
    })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&matrix)?;
        return Ok(Exit::Ok);
    }
    let mut heading = vec!["who".to_owned()];
    heading.extend(matrix.columns.iter().map(|column| column.name.clone()));
    let mut table = Table::with_heading(heading);
    for row in &matrix.rows {
        let mut cells = vec![view::principal(&row.principal)];
        cells.extend(matrix.columns.iter().map(|column| match row.cells.get(&column.name) {
            Some(marks) if !marks.is_empty() => view::marks(marks),
            _ => "·".to_owned(),
        }));
        table.row(cells);
    }
    table.print(terminal)?;
    terminal.note(&format!(
        "{} at {}, revision {}, bundle {}",
        matrix.environment,
        time::shown(matrix.at),
        matrix.revision,
        matrix.bundle
    ));
    Ok(Exit::Ok)
}
