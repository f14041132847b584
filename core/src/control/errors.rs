//! What goes wrong in components, and how much of it is told: others wrote the texts.

use serde::{Deserialize, Serialize};

/// Something went wrong in a component.
///
/// ```
/// let e = squall_core::control::ErrorReport { component: "parse".into(), task: 2, message: "bad row".into(), count: 3, panic: false, stack: String::new() };
/// assert_eq!(e.count, 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// The component.
    pub component: String,
    /// The task.
    pub task: u32,
    /// The newest message; of panics the newest whose calls were looked up, if there is one. At most [`LONGEST_ERROR`] bytes.
    pub message: String,
    /// How often since the last report.
    pub count: u64,
    /// Whether it was a panic.
    pub panic: bool,
    /// What stands behind the message: of a panic its place, and the component's calls that led there where they were looked up; of
    /// an error its causes, a line each. At most [`LONGEST_STACK`] bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stack: String,
}

/// Longer messages of errors are cut, in bytes.
pub const LONGEST_ERROR: usize = 4096;

/// Longer stacks are cut, in bytes.
pub const LONGEST_STACK: usize = 8192;

/// What is kept of stacks that are let go: their first line, and of that so many bytes.
const LONGEST_LINE: usize = 256;

/// Cuts what is longer than `most` bytes, between two characters; whether there was anything to cut.
///
/// ```
/// let mut text = "aäb".to_owned();
/// assert!(!squall_core::control::cut(&mut text, 4));
/// assert!(squall_core::control::cut(&mut text, 2));
/// assert_eq!(text, "a");
/// ```
pub fn cut(text: &mut String, most: usize) -> bool {
    if text.len() <= most {
        return false;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    true
}

/// Lets go of older stacks than those that together take `most` bytes, but for the line that says where.
///
/// ```
/// let mut stacks = [8, 2, 8].map(|calls| format!("panicked at a.rs:1:2{}", "\n  at b".repeat(calls)));
/// squall_core::control::let_stacks_go(&mut stacks, 120);
/// assert_eq!(stacks.map(|s| s.lines().count()), [9, 3, 1]);
/// ```
pub fn let_stacks_go<'a>(newest_first: impl IntoIterator<Item = &'a mut String>, most: usize) {
    let mut bytes = 0;
    for stack in newest_first {
        bytes += stack.len();
        if bytes > most {
            stack.truncate(stack.find('\n').unwrap_or(stack.len()));
            cut(stack, LONGEST_LINE);
        }
    }
}
