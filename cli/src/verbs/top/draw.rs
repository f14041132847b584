//! The picture.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Paragraph, Row, Table, TableState};

use super::state::State;

/// Between two columns.
const SPACING: u16 = 2;

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let [head, table, foot] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(1), Constraint::Length(1)]).areas(frame.area());
    let page = state.page();
    frame.render_widget(Paragraph::new(printable(&page.head)).style(Style::new().add_modifier(Modifier::BOLD)), head);

    let is_number = |column: usize| page.rows.iter().any(|r| r.cells.get(column).is_some_and(|c| c.number.is_some()));
    let align = |column: usize| if is_number(column) { Alignment::Right } else { Alignment::Left };
    let widths: Vec<u16> = page
        .columns
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let cells = page.rows.iter().filter_map(|r| r.cells.get(i)).map(|c| c.text.chars().count());
            let width = cells.chain([name.chars().count() + 1]).max().unwrap_or(0).min(40);
            u16::try_from(width).unwrap_or(u16::MAX)
        })
        .collect();
    let shown = fitting(&widths, state.sorted().map_or(0, |(column, _)| column), table.width);
    let title = |i: usize| {
        let mark = match state.sorted() {
            Some((column, false)) if column == i => "▼",
            Some((column, true)) if column == i => "▲",
            _ => "",
        };
        Cell::from(Text::from(format!("{}{mark}", page.columns[i])).alignment(align(i)))
    };
    let row = |r: &super::page::Row| {
        let cells = shown.iter().filter_map(|i| Some((*i, r.cells.get(*i)?)));
        let style = if r.alarming { Style::new().fg(Color::Yellow) } else { Style::new() };
        Row::new(cells.map(|(i, c)| Cell::from(Text::from(printable(&c.text)).alignment(align(i))))).style(style)
    };
    let header = Row::new(shown.iter().map(|i| title(*i))).style(Style::new().fg(Color::Cyan));
    let body = Table::new(page.rows.iter().map(row), shown.iter().map(|i| Constraint::Length(widths[*i])))
        .header(header)
        .column_spacing(SPACING)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut chosen = TableState::default().with_selected(state.chosen());
    frame.render_stateful_widget(body, table, &mut chosen);

    let hidden = widths.len() - shown.len();
    // First, so that a narrow terminal does not cut off the one thing that it makes needed.
    let line = match hidden {
        0 => state.foot(),
        _ if state.in_trouble() => state.foot(),
        1 => format!("1 more column by ←→  {}", state.foot()),
        _ => format!("{hidden} more columns by ←→  {}", state.foot()),
    };
    let style = if state.in_trouble() { Style::new().fg(Color::Red) } else { Style::new().add_modifier(Modifier::DIM) };
    frame.render_widget(Paragraph::new(Line::from(printable(&line))).style(style), foot);
}

/// The columns that fit whole, as half a number is another number: the first, and of the others those up to the sorted one's or
/// from the left.
fn fitting(widths: &[u16], sorted: usize, room: u16) -> Vec<usize> {
    let Some((first, others)) = widths.split_first() else { return Vec::new() };
    let mut room = room.saturating_sub(*first);
    let wide = |columns: &[u16]| columns.iter().fold(0u16, |sum, w| sum.saturating_add(SPACING).saturating_add(*w));
    let begin = (0..sorted).find(|begin| wide(&others[*begin..sorted]) <= room).unwrap_or(0);
    let mut shown = vec![0];
    for (i, width) in others.iter().enumerate().skip(begin) {
        let width = width.saturating_add(SPACING);
        if width > room {
            break;
        }
        room -= width;
        shown.push(i + 1);
    }
    shown
}

/// Names and messages come from elsewhere: nothing in them is to move the cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyModifiers};

    use super::super::page::View;
    use super::super::state::tests::page;
    use super::*;

    #[test]
    fn only_whole_columns_are_shown_and_the_sorted_one_is() {
        let widths = [8, 5, 6, 7, 4];
        assert_eq!(fitting(&widths, 0, 38), [0, 1, 2, 3, 4]);
        assert_eq!(fitting(&widths, 0, 37), [0, 1, 2, 3]);
        assert_eq!(fitting(&widths, 4, 37), [0, 2, 3, 4]);
        assert_eq!(fitting(&widths, 2, 24), [0, 1, 2]);
        assert_eq!(fitting(&widths, 4, 15), [0, 4]);
        assert_eq!(fitting(&widths, 4, 3), [0]);
        assert_eq!(fitting(&[], 0, 9), [0; 0]);
    }

    #[test]
    fn the_table_stands_in_columns_with_the_sorted_one_marked() {
        let mut state = State::new(View::Cluster);
        state.take(page());
        state.key(KeyCode::Left, KeyModifiers::NONE);
        let mut terminal = Terminal::new(TestBackend::new(40, 7)).unwrap();
        terminal.draw(|frame| draw(frame, &state)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let line = |y: u16| (0..40).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<String>().trim_end().to_owned();
        assert_eq!(line(0), "two topologies");
        assert_eq!(line(2), "topology   rate▼");
        assert_eq!(line(3), "b              9");
        assert_eq!(line(4), "a              2");
        state.trouble("nimbus\u{1b}[2J is away".into());
        terminal.draw(|frame| draw(frame, &state)).unwrap();
        let foot: String = (0..40).map(|x| terminal.backend().buffer()[(x, 6)].symbol().to_owned()).collect();
        assert!(foot.starts_with("nimbus [2J is away"), "{foot}");
    }
}
