//! The picture.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Paragraph, Row, Table, TableState};

use super::state::State;

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let [head, table, foot] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(1), Constraint::Length(1)]).areas(frame.area());
    let page = state.page();
    frame.render_widget(Paragraph::new(printable(&page.head)).style(Style::new().add_modifier(Modifier::BOLD)), head);

    let is_number = |column: usize| page.rows.iter().any(|r| r.cells.get(column).is_some_and(|c| c.number.is_some()));
    let align = |column: usize| if is_number(column) { Alignment::Right } else { Alignment::Left };
    let title = |(i, name): (usize, &&str)| {
        let mark = match state.sorted() {
            Some((column, false)) if column == i => "▼",
            Some((column, true)) if column == i => "▲",
            _ => "",
        };
        Cell::from(Text::from(format!("{name}{mark}")).alignment(align(i)))
    };
    let widths: Vec<Constraint> = page
        .columns
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let cells = page.rows.iter().filter_map(|r| r.cells.get(i)).map(|c| c.text.chars().count());
            let width = cells.chain([name.chars().count() + 1]).max().unwrap_or(0).min(40);
            Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX))
        })
        .collect();
    let row = |r: &super::page::Row| {
        let cells = r.cells.iter().enumerate().map(|(i, c)| Cell::from(Text::from(printable(&c.text)).alignment(align(i))));
        let style = if r.alarming { Style::new().fg(Color::Yellow) } else { Style::new() };
        Row::new(cells).style(style)
    };
    let header = Row::new(page.columns.iter().enumerate().map(title)).style(Style::new().fg(Color::Cyan));
    let body = Table::new(page.rows.iter().map(row), widths)
        .header(header)
        .column_spacing(2)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut chosen = TableState::default().with_selected(state.chosen());
    frame.render_stateful_widget(body, table, &mut chosen);

    let style = if state.in_trouble() { Style::new().fg(Color::Red) } else { Style::new().add_modifier(Modifier::DIM) };
    frame.render_widget(Paragraph::new(Line::from(printable(&state.foot()))).style(style), foot);
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
