//! Where one is, what is chosen, and what keys do.

use std::cmp::Ordering;

use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::page::{Cell, Page, Row, View};

/// What the loop is to do after a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    /// Fetch what is looked at now.
    Look,
    End,
}

/// A view with what was chosen in it.
#[derive(Debug, Clone)]
struct Level {
    view: View,
    /// The key of the chosen row: rows move.
    chosen: Option<String>,
    /// The column that rows are sorted by; none: as they come.
    sorted: Option<usize>,
    reversed: bool,
}

pub(super) struct State {
    levels: Vec<Level>,
    page: Page,
    held: bool,
    trouble: Option<String>,
}

impl State {
    pub(super) fn new(view: View) -> Self {
        let level = |view| Level { view, chosen: None, sorted: None, reversed: false };
        let mut levels = vec![level(View::Cluster)];
        if view != View::Cluster {
            levels.push(level(view));
        }
        State { levels, page: Page::default(), held: false, trouble: None }
    }

    fn level(&self) -> &Level {
        // There is always one: the last is never taken away.
        &self.levels[self.levels.len() - 1]
    }

    fn level_mut(&mut self) -> &mut Level {
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    pub(super) fn view(&self) -> &View {
        &self.level().view
    }

    pub(super) fn page(&self) -> &Page {
        &self.page
    }

    /// The column that rows are sorted by, and whether downwards.
    pub(super) fn sorted(&self) -> Option<(usize, bool)> {
        self.level().sorted.map(|column| (column, self.level().reversed))
    }

    /// Below the table.
    pub(super) fn foot(&self) -> String {
        match &self.trouble {
            Some(trouble) => trouble.clone(),
            None if self.held => "held; space goes on".to_owned(),
            None => "q end  ↑↓ choose  Enter into  Esc back  ←→ sort  r reverse  space hold".to_owned(),
        }
    }

    pub(super) fn in_trouble(&self) -> bool {
        self.trouble.is_some()
    }

    /// Takes new numbers, unless the picture is held.
    pub(super) fn take(&mut self, page: Page) {
        self.trouble = None;
        if !self.held {
            self.page = page;
            self.sort();
        }
    }

    pub(super) fn trouble(&mut self, text: String) {
        self.trouble = Some(text);
    }

    /// The place of the chosen row.
    pub(super) fn chosen(&self) -> Option<usize> {
        let place = |key: &String| self.page.rows.iter().position(|r| r.key == *key);
        self.level().chosen.as_ref().and_then(place).or((!self.page.rows.is_empty()).then_some(0))
    }

    /// One level up; false at the top.
    pub(super) fn back(&mut self) -> bool {
        if self.levels.len() == 1 {
            return false;
        }
        self.levels.pop();
        (self.page, self.held) = (Page::default(), false);
        true
    }

    pub(super) fn key(&mut self, key: KeyCode, modifiers: KeyModifiers) -> Act {
        match key {
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => return Act::End,
            KeyCode::Char('q') => return Act::End,
            KeyCode::Up | KeyCode::Char('k') => self.choose(-1),
            KeyCode::Down | KeyCode::Char('j') => self.choose(1),
            KeyCode::PageUp => self.choose(-20),
            KeyCode::PageDown => self.choose(20),
            KeyCode::Home => self.choose(isize::MIN / 2),
            KeyCode::End => self.choose(isize::MAX / 2),
            KeyCode::Left => self.sort_by(-1),
            KeyCode::Right => self.sort_by(1),
            KeyCode::Char('r') => {
                self.level_mut().reversed ^= true;
                self.sort();
            }
            KeyCode::Char(' ') => self.held ^= true,
            KeyCode::Enter => {
                let into = self.chosen().and_then(|i| self.page.rows[i].into.clone());
                if let Some(view) = into {
                    self.levels.push(Level { view, chosen: None, sorted: None, reversed: false });
                    (self.page, self.held) = (Page::default(), false);
                    return Act::Look;
                }
            }
            KeyCode::Esc | KeyCode::Backspace if self.back() => return Act::Look,
            _ => {}
        }
        Act::Nothing
    }

    fn choose(&mut self, by: isize) {
        let Some(now) = self.chosen() else { return };
        let last = self.page.rows.len() - 1;
        let next = now.saturating_add_signed(by).min(last);
        let key = self.page.rows[next].key.clone();
        self.level_mut().chosen = Some(key);
    }

    fn sort_by(&mut self, by: isize) {
        let columns = self.page.columns.len();
        let level = self.level_mut();
        level.sorted = match (level.sorted, by) {
            (None, 1) => Some(0),
            (None, _) => columns.checked_sub(1),
            (Some(0), -1) => None,
            (Some(c), by) => Some(c.saturating_add_signed(by)).filter(|c| *c < columns),
        };
        self.sort();
    }

    /// Numbers from the largest, texts from A.
    fn sort(&mut self) {
        let Some((column, reversed)) = self.sorted() else { return };
        let by = |a: &Row, b: &Row| {
            let order = match (a.cells.get(column), b.cells.get(column)) {
                (Some(Cell { number: Some(a), .. }), Some(Cell { number: Some(b), .. })) => b.total_cmp(a),
                (Some(a), Some(b)) => a.text.cmp(&b.text),
                _ => Ordering::Equal,
            };
            if reversed { order.reverse() } else { order }
        };
        self.page.rows.sort_by(by);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn page() -> Page {
        let row = |key: &str, n: f64| Row {
            key: key.to_owned(),
            cells: vec![Cell { text: key.to_owned(), number: None }, Cell { text: n.to_string(), number: Some(n) }],
            into: Some(View::Topology(key.to_owned())),
            alarming: n > 5.0,
        };
        Page { head: "two topologies".into(), columns: vec!["topology", "rate"], rows: vec![row("a", 2.0), row("b", 9.0)] }
    }

    fn press(state: &mut State, key: KeyCode) -> Act {
        state.key(key, KeyModifiers::NONE)
    }

    #[test]
    fn a_chosen_row_stays_chosen_wherever_it_moves() {
        let mut state = State::new(View::Cluster);
        assert_eq!((state.chosen(), press(&mut state, KeyCode::Down)), (None, Act::Nothing));
        state.take(page());
        press(&mut state, KeyCode::Down);
        assert_eq!(state.chosen(), Some(1));
        press(&mut state, KeyCode::Left);
        assert_eq!((state.sorted(), state.chosen()), (Some((1, false)), Some(0)), "b has the larger number");
        press(&mut state, KeyCode::Char('r'));
        assert_eq!(state.chosen(), Some(1));
        state.take(page());
        assert_eq!(state.page().rows[1].key, "b", "what comes later is sorted too");
    }

    #[test]
    fn enter_leads_in_and_escape_back_to_where_one_was() {
        let mut state = State::new(View::Cluster);
        state.take(page());
        press(&mut state, KeyCode::End);
        assert_eq!(press(&mut state, KeyCode::Enter), Act::Look);
        assert_eq!(*state.view(), View::Topology("b".into()));
        assert_eq!(press(&mut state, KeyCode::Esc), Act::Look);
        state.take(page());
        assert_eq!((state.view(), state.chosen()), (&View::Cluster, Some(1)));
        assert_eq!(press(&mut state, KeyCode::Esc), Act::Nothing);
        assert_eq!(state.key(KeyCode::Char('c'), KeyModifiers::CONTROL), Act::End);
        assert_eq!(State::new(View::Topology("x".into())).levels.len(), 2, "there is a way back");
    }

    #[test]
    fn a_held_picture_does_not_change() {
        let mut state = State::new(View::Cluster);
        state.take(page());
        press(&mut state, KeyCode::Char(' '));
        state.take(Page::default());
        assert_eq!(state.page().rows.len(), 2);
        press(&mut state, KeyCode::Char(' '));
        state.take(Page::default());
        assert!(state.page().rows.is_empty() && state.chosen().is_none());
    }
}
