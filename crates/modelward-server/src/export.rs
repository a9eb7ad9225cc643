//! What is shown, as CSV and plain text: exactly the same rows.

use std::fmt::Write as _;

use crate::wire::{DecisionLine, GrantView, MarkState, MatrixMark, MatrixView, ModelLine, Page};

/// One CSV row (RFC 4180). A cell that a spreadsheet would take for a formula gets an apostrophe before it.
fn row<'a>(into: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    for (position, cell) in cells.into_iter().enumerate() {
        if position > 0 {
            into.push(',');
        }
        let guarded = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        if !guarded.is_empty() || cell.contains([',', '"', '\n', '\r']) {
            into.push('"');
            into.push_str(guarded);
            into.push_str(&cell.replace('"', "\"\""));
            into.push('"');
        } else {
            into.push_str(cell);
        }
    }
    into.push_str("\r\n");
}

/// `I`, `(S)` needs something, `[X]` denied.
fn mark(mark: &MatrixMark) -> String {
    match mark.state {
        MarkState::Allow => mark.letter.to_string(),
        MarkState::Needs => format!("({})", mark.letter),
        MarkState::Deny => format!("[{}]", mark.letter),
    }
}

fn marks(marks: Option<&Vec<MatrixMark>>) -> String {
    marks.into_iter().flatten().map(mark).collect::<Vec<_>>().join(" ")
}

pub(crate) fn matrix_csv(matrix: &MatrixView) -> String {
    let mut csv = String::new();
    let head =
        ["principal", "kind"].into_iter().chain(matrix.columns.iter().map(|column| column.name.as_str()));
    row(&mut csv, head);
    for line in &matrix.rows {
        let cells: Vec<String> =
            matrix.columns.iter().map(|column| marks(line.cells.get(&column.name))).collect();
        let lead = [line.principal.name.as_str(), line.principal.kind.as_str()];
        row(&mut csv, lead.into_iter().chain(cells.iter().map(String::as_str)));
    }
    let at = matrix.at.to_string();
    let complete = matrix.complete_to.to_string();
    row(&mut csv, ["# environment", &matrix.environment, "at", &at, "complete to entry", &complete]);
    csv
}

pub(crate) fn matrix_text(matrix: &MatrixView) -> String {
    let mut lines: Vec<Vec<String>> = vec![
        std::iter::once(String::new())
            .chain(matrix.columns.iter().map(|column| column.name.clone()))
            .collect(),
    ];
    for line in &matrix.rows {
        let cells = matrix.columns.iter().map(|column| {
            let cell = marks(line.cells.get(&column.name));
            if cell.is_empty() { "·".to_owned() } else { cell }
        });
        lines.push(std::iter::once(line.principal.name.clone()).chain(cells).collect());
    }
    let columns = matrix.columns.len() + 1;
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let padded: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count()))))
            .collect();
        // Writing to a String cannot fail.
        let _written = writeln!(text, "{}", padded.join("  ").trim_end());
    }
    let _written = writeln!(
        text,
        "\nenvironment {}, at {}, complete to entry {}. R allowed, (R) needs something, [R] a guardrail says no",
        matrix.environment, matrix.at, matrix.complete_to
    );
    text
}

pub(crate) fn decisions_csv(page: &Page<DecisionLine>) -> String {
    let mut csv = String::new();
    row(
        &mut csv,
        [
            "entry",
            "at",
            "decision",
            "answer",
            "outcome",
            "principal",
            "action",
            "privilege",
            "resource",
            "environment",
            "why",
        ],
    );
    for line in &page.items {
        let (index, at, id) = (line.index.to_string(), line.at.to_string(), line.id.to_string());
        let principal = line.principal.as_ref().map_or("", |principal| principal.name.as_str());
        row(
            &mut csv,
            [
                index.as_str(),
                &at,
                &id,
                if line.allowed { "allowed" } else { "denied" },
                &line.outcome,
                principal,
                line.action.as_str(),
                line.privilege.as_str(),
                &line.resource.name,
                &line.environment,
                &line.sentence,
            ],
        );
    }
    row(&mut csv, ["# complete to entry", &page.complete_to.to_string()]);
    csv
}

pub(crate) fn grants_csv(page: &Page<GrantView>) -> String {
    let mut csv = String::new();
    row(
        &mut csv,
        [
            "grant",
            "holder",
            "kind",
            "privilege",
            "on",
            "conditions",
            "from",
            "until",
            "state",
            "origin",
            "by",
        ],
    );
    for grant in &page.items {
        let (id, from, until) =
            (grant.id.to_string(), grant.not_before.to_string(), grant.not_after.to_string());
        row(
            &mut csv,
            [
                id.as_str(),
                &grant.grantee.name,
                &grant.grantee.kind,
                grant.privilege.as_str(),
                &grant.scope.name,
                grant.conditions_text.as_deref().unwrap_or_default(),
                &from,
                &until,
                grant.state.as_str(),
                &grant.origin.kind,
                grant.origin.by.as_ref().map_or("", |by| by.name.as_str()),
            ],
        );
    }
    row(&mut csv, ["# complete to entry", &page.complete_to.to_string()]);
    csv
}

pub(crate) fn models_csv(models: &[ModelLine]) -> String {
    let mut csv = String::new();
    row(&mut csv, ["model", "project", "classification", "versions", "tags", "you may"]);
    for model in models {
        let versions = model.version_count.to_string();
        let (tags, mine) = (model.tags.join(" "), marks(Some(&model.mine)));
        row(&mut csv, [model.name.as_str(), &model.project, &model.classification, &versions, &tags, &mine]);
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_taken_for_a_formula_or_for_two() {
        let mut csv = String::new();
        row(&mut csv, ["=1+1", "a,b", "say \"yes\"", "plain"]);
        assert_eq!(csv, "\"'=1+1\",\"a,b\",\"say \"\"yes\"\"\",plain\r\n");
    }
}
