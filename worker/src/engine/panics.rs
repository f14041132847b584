//! Where component code panicked, and by which calls it came there; and what an error says of its causes.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Mutex, Once, OnceLock};
use std::time::{Duration, Instant};

use squall_core::Error;

use crate::sync::lock;

/// The calls are looked up at the first panic of each place, and after that for a component's panics at most so often: it takes
/// milliseconds, the first time a tenth of a second.
pub(super) const EVERY: Duration = Duration::from_secs(10);
/// So many places are told apart.
const MOST_PLACES: usize = 256;
/// What is kept of the innermost calls.
const MOST_CALLS: usize = 48;
/// Causes of an error beyond this are left out.
const MOST_CAUSES: usize = 16;

/// No component's code runs on this thread.
const NEVER: u64 = u64::MAX;

thread_local! {
    /// From when on the calls of a panic on this thread are wanted, by [`now_ns`].
    static WANTED_NS: Cell<u64> = const { Cell::new(NEVER) };
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// A panic in a component's code.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Panic {
    /// `file:line:column`.
    pub(super) place: String,
    /// The calls that led there, the innermost first; empty where they were not looked up or have no names.
    pub(super) calls: Vec<String>,
}

impl Panic {
    /// As it is told: the place, then a line for each call.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("panicked at {}", self.place);
        self.calls.iter().for_each(|call| text.extend(["\n  at ", call]));
        text
    }
}

/// What a component's panic is to those who asked for its result.
pub(crate) fn error(payload: &(dyn Any + Send)) -> Error {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    Error::internal(format!("panicked: {}", text.unwrap_or("no message")))
}

/// Nanoseconds since some moment of this process.
pub(super) fn now_ns() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// From here on panics on this thread are a component's, and their calls are wanted from that time on; until [`leave`].
#[inline]
pub(super) fn enter(wanted_ns: u64) {
    WANTED_NS.set(wanted_ns);
}

#[inline]
pub(super) fn leave() {
    WANTED_NS.set(NEVER);
}

/// The panic that this thread has just caught.
pub(crate) fn take() -> Option<Panic> {
    LAST.take()
}

/// Has panics of components looked at; those of other code go where they went before.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let wanted_ns = WANTED_NS.get();
            if wanted_ns == NEVER {
                return before(info);
            }
            let place = info.location().map_or_else(String::new, ToString::to_string);
            let now_ns = now_ns();
            let calls = if is_new(&place) || now_ns >= wanted_ns {
                before(info);
                // The component may panic again before its time is noted for all its tasks.
                enter(now_ns + EVERY.as_nanos() as u64);
                calls(&Backtrace::force_capture().to_string())
            } else {
                Vec::new()
            };
            LAST.set(Some(Panic { place, calls }));
        }));
    });
}

fn is_new(place: &str) -> bool {
    static PLACES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut places = lock(&PLACES);
    places.len() < MOST_PLACES && places.insert(place.to_owned())
}

/// The component's calls in a backtrace as std prints it, without those of panicking before and those of the engine after.
fn calls(backtrace: &str) -> Vec<String> {
    let mut frames: Vec<(&str, Option<&str>)> = Vec::new();
    for line in backtrace.lines() {
        if let Some(place) = line.trim_start().strip_prefix("at ") {
            if let Some(frame) = frames.last_mut() {
                frame.1 = Some(place);
            }
        } else if let Some((number, name)) = line.trim_start().split_once(": ")
            && number.bytes().all(|b| b.is_ascii_digit())
        {
            frames.push((name, None));
        }
    }
    let began = frames.iter().position(|f| f.0.contains("rust_begin_unwind")).map_or(0, |i| i + 1);
    let own = &frames[began..];
    // What std does for a panic: `unwrap`, an index …; the message says it.
    let own = &own[own.iter().take_while(|f| f.1.is_some_and(|at| at.starts_with("/rustc/"))).count()..];
    let caught = |f: &(&str, Option<&str>)| CATCHING.iter().any(|of| f.0.contains(of));
    let own = &own[..own.iter().position(caught).unwrap_or(own.len())];
    let of_engine = own.iter().rev().take_while(|f| is_runtime(f.0)).count();
    // Where nothing is left, the engine itself is to blame.
    let own = if of_engine < own.len() { &own[..own.len() - of_engine] } else { own };
    let told = own.iter().filter(|f| f.0 != "<unknown>").take(MOST_CALLS);
    told.map(|(name, place)| place.map_or_else(|| (*name).to_owned(), |at| format!("{name} ({at})"))).collect()
}

/// What component code runs under.
const CATCHING: [&str; 4] = ["catch_unwind", "__rust_try", "do_call<", "__rust_begin_short_backtrace"];

/// Whether a call between that and the component is the engine's or of what it is built from.
fn is_runtime(name: &str) -> bool {
    const OF_RUNTIME: [&str; 5] =
        ["squall_worker::engine::", "squall_core::", "F as squall_core::", "core::ops::function::", "core::panic::"];
    let name = name.trim_start_matches(['<', '&']);
    OF_RUNTIME.iter().any(|of| name.starts_with(of))
}

/// The causes of an error, a line each; empty if it has none.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    for _ in 0..MOST_CAUSES {
        let Some(this) = cause else { break };
        cause = this.source();
        let whole = this.to_string();
        // Many say their cause's text after their own; it has its own line.
        let own = cause.and_then(|next| whole.strip_suffix(&next.to_string())).and_then(|own| own.strip_suffix(": "));
        let _ = writeln!(text, "caused by: {}", own.unwrap_or(&whole));
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const BACKTRACE: &str =
        "   0: <squall_worker::engine::panics::watch::{closure#0}::{closure#0} as core::ops::function::FnOnce<()>>::call_once
             at ./worker/src/engine/panics.rs:80:9
   1: std::panicking::panic_with_hook
             at /rustc/abc/library/std/src/panicking.rs:833:13
   2: __rustc::rust_begin_unwind
             at /rustc/abc/library/std/src/panicking.rs:689:5
   3: core::panicking::panic_fmt
             at /rustc/abc/library/core/src/panicking.rs:80:14
   4: core::result::Result<T,E>::unwrap
             at /rustc/abc/library/core/src/result.rs:1233:23
   5: mine::parse
             at ./src/lib.rs:4:194
   6: core::iter::Iterator::map
             at /rustc/abc/library/core/src/iter.rs:1:2
   7: <mine::Upper as squall_core::bolt::Bolt>::execute
   8: squall_core::bolt::Bolt::execute_batch
   9: squall_worker::engine::bolt::BoltRole::execute::{{closure}}
  10: <core::panic::unwind_safe::AssertUnwindSafe<F> as core::ops::function::FnOnce<()>>::call_once
  11: std::panicking::catch_unwind::do_call
  12: squall_worker::engine::bolt::BoltRole::execute
";

    #[test]
    fn of_a_backtrace_the_components_own_calls_are_told() {
        let own = [
            "mine::parse (./src/lib.rs:4:194)",
            "core::iter::Iterator::map (/rustc/abc/library/core/src/iter.rs:1:2)",
            "<mine::Upper as squall_core::bolt::Bolt>::execute",
        ];
        assert_eq!(calls(BACKTRACE), own);
        // Optimised, and without the information that shows what was inlined.
        let lean: String =
            BACKTRACE.lines().filter(|l| !l.contains("core::panic::") && !l.contains("catch")).collect::<Vec<_>>().join("\n");
        assert_eq!(calls(&lean), own);
        assert_eq!(calls("   0: <unknown>\n   1: <unknown>\n"), [""; 0]);
        assert_eq!(calls("something else: 1\n"), [""; 0]);
    }

    #[test]
    fn calls_are_looked_up_once_for_a_place_and_then_when_they_are_wanted() {
        #[inline(never)]
        fn fall(number: u32) {
            panic!("number {number}");
        }
        let caught = |wanted_ns| {
            enter(wanted_ns);
            assert!(catch_unwind(AssertUnwindSafe(|| fall(7))).is_err());
            leave();
            take().unwrap()
        };
        watch();
        let in_an_hour = now_ns() + 3_600_000_000_000;
        let (first, second, third) = (caught(in_an_hour), caught(in_an_hour), caught(0));
        assert!(first.place.contains("panics.rs:"), "{first:?}");
        assert!(first.calls[0].contains("fall") && first.calls.iter().all(|c| !c.contains("catch_unwind")), "{first:?}");
        assert!(first.text().starts_with("panicked at ") && first.text().lines().count() > 1);
        assert_eq!((second.place.as_str(), second.calls.len()), (first.place.as_str(), 0));
        assert!(!third.calls.is_empty());
        assert_eq!(take(), None);
    }

    #[test]
    fn each_cause_of_an_error_is_a_line() {
        let disk = Error::external("cannot read words.txt").because(std::io::Error::other("disk on fire"));
        assert_eq!(
            causes(&Error::user("no more words").because(disk)),
            "caused by: cannot read words.txt\ncaused by: disk on fire"
        );
        assert_eq!(causes(&Error::user("alone")), "");
    }
}
