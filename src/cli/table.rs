//! Aligned columns. A cell with several lines makes a row of several lines, as `brctl show` lists interfaces.

use super::output;

/// Which edge of its column a cell touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// For text.
    Left,
    /// For numbers.
    Right,
}

/// Columns and rows.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(columns: [(&'static str, Align); N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// The table with its head, lines ended, without blanks at their ends.
    pub(super) fn render(&self, colour: bool) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().flat_map(|row| row[column].lines());
            cells.chain([self.columns[column].0]).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: [usize; N] = std::array::from_fn(width);
        let head = self.line(&widths, |column| self.columns[column].0);
        let mut text = output::bold(&head, colour) + "\n";
        for row in &self.rows {
            let height = row.iter().map(|cell| cell.lines().count()).max().unwrap_or(0).max(1);
            for index in 0..height {
                text.push_str(&self.line(&widths, |column| row[column].lines().nth(index).unwrap_or("")));
                text.push('\n');
            }
        }
        text
    }

    fn line<'a>(&self, widths: &[usize; N], cell: impl Fn(usize) -> &'a str) -> String {
        let mut line = String::new();
        for (column, width) in widths.iter().enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            line.push_str(gap);
            line.push_str(&match self.columns[column].1 {
                Align::Left => format!("{:<width$}", cell(column)),
                Align::Right => format!("{:>width$}", cell(column)),
            });
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new([("name", Align::Left), ("count", Align::Right), ("rest", Align::Left)]);
        table.row(["zürich".into(), "7".into(), "a\nb".into()]);
        table.row(["x".into(), "123456".into(), String::new()]);
        let expected = "\
name     count  rest
zürich       7  a
                b
x       123456
";
        assert_eq!(table.render(false), expected, "numbers right, characters counted and not bytes");
        assert!(table.render(true).starts_with("\x1b[1mname     count  rest\x1b[0m\n"));
    }
}
