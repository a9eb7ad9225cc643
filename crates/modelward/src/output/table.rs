//! Columns that line up.

use std::io;

use unicode_width::UnicodeWidthStr as _;

use super::{Style, Terminal, clean};

/// Rows of cells below a heading. Cells are cleaned when they come in.
#[derive(Debug)]
pub struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug)]
struct Cell {
    text: String,
    style: Option<Style>,
}

const GAP: &str = "  ";

impl Table {
    pub fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self::with_heading(heading.iter().map(|name| (*name).to_owned()).collect())
    }

    pub const fn with_heading(heading: Vec<String>) -> Self {
        Self { heading, rows: Vec::new() }
    }

    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let cells = cells.into_iter().map(|text| Cell::new(text.as_ref(), None)).collect();
        self.rows.push(cells);
    }

    /// A row whose cells carry emphasis.
    pub fn styled<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = (T, Option<Style>)>) {
        let cells = cells.into_iter().map(|(text, style)| Cell::new(text.as_ref(), style)).collect();
        self.rows.push(cells);
    }

    pub fn print(&self, terminal: &Terminal) -> io::Result<()> {
        for line in self.lines(terminal) {
            terminal.line(&line)?;
        }
        Ok(())
    }

    fn lines(&self, terminal: &Terminal) -> Vec<String> {
        let widths: Vec<usize> = self
            .heading
            .iter()
            .enumerate()
            .map(|(column, name)| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.text.width()).fold(name.width(), usize::max)
            })
            .collect();
        let heading: Vec<Cell> =
            self.heading.iter().map(|name| Cell::new(name, Some(Style::Faint))).collect();
        std::iter::once(&heading)
            .chain(&self.rows)
            .map(|row| {
                let cells = row.iter().zip(&widths).map(|(cell, width)| cell.padded(*width, terminal));
                cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
            })
            .collect()
    }
}

impl Cell {
    fn new(text: &str, style: Option<Style>) -> Self {
        Self { text: clean(text).replace('\n', " "), style }
    }

    fn padded(&self, width: usize, terminal: &Terminal) -> String {
        let padding = " ".repeat(width.saturating_sub(self.text.width()));
        match self.style {
            Some(style) => format!("{}{padding}", terminal.paint(style, &self.text)),
            None => format!("{}{padding}", self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::config::Environment;
    use crate::output::Color;

    #[test]
    fn columns_line_up_whatever_the_script() {
        let terminal = Terminal::new(false, Color::Never, &Environment::default());
        let mut table = Table::new(["name", "may"]);
        table.row(["dana", "R I"]);
        table.row(["李雷", "R"]);
        expect![[r#"
            name  may
            dana  R I
            李雷  R"#]]
        .assert_eq(&table.lines(&terminal).join("\n"));
    }
}
