//! What commands print: whole texts to stdout, notes to stderr, and columns that line up.

use std::io::{ErrorKind, Write};

use crate::failure::{Failure, one_line};

/// Prints a command's result. A reader that has gone away (`| head`) ends the program quietly.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::silent(Failure::FAILED)),
        Err(error) => Err(Failure::failed(format!("can't write the output: {error}"))),
    }
}

/// Says something that is worth knowing and stops nothing.
pub(crate) fn note(text: &str) {
    // A stderr that can't be written to is no reason to stop either.
    let _ = writeln!(std::io::stderr(), "strongroom: note: {}", one_line(text));
}

/// Rows of cells as lines, indented, with each column but the last as wide as its widest cell.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for row in rows {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        text.push_str("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A file's size, as `123.6 KB`.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => format!("{bytes} bytes"),
        1000..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// `1 hit`, `2 hits`, `2 misses`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_do_not_end_in_spaces() {
        let row = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect();
        let text = columns(&[row(&["stack", "granted"]), row(&["x", ""]), row(&["service", "no", "why"])]);
        assert_eq!(text, "  stack    granted\n  x\n  service  no       why\n");
        assert_eq!(columns(&[]), "");
    }

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!([size(12), size(123_600), size(18_400_000)], ["12 bytes", "123.6 KB", "18.4 MB"]);
    }
}
