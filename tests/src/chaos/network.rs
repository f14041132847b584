//! Cuts between machines, where the network namespace is one's own. Machines are addresses of loopback; rules of the
//! kernel's routing say who reaches whom.

use std::net::Ipv4Addr;
use std::process::Command;

use super::run_tool;

/// Puts own rules before the table of local addresses, which comes first otherwise.
pub(super) fn take_over() {
    ip(&["rule", "add", "pref", "100", "lookup", "local"]);
    ip(&["rule", "del", "pref", "0"]);
}

/// Nothing goes from one to the other any more, in either direction.
pub(super) fn cut(a: Ipv4Addr, b: Ipv4Addr) {
    both_ways("add", a, b);
}

/// All is as it was.
pub(super) fn mend(a: Ipv4Addr, b: Ipv4Addr) {
    both_ways("del", a, b);
}

fn both_ways(what: &str, a: Ipv4Addr, b: Ipv4Addr) {
    for (from, to) in [(a, b), (b, a)] {
        ip(&["rule", what, "pref", "10", "from", &from.to_string(), "to", &to.to_string(), "unreachable"]);
    }
}

/// Nothing reaches anybody any more, or everything again.
pub(super) fn all(up: bool) {
    ip(&["link", "set", "lo", if up { "up" } else { "down" }]);
}

/// Closes all connections to an endpoint such as `tcp://127.0.0.1:7000`, on both sides; how many there were.
pub(super) fn close_connections_to(endpoint: &str) -> usize {
    let port = endpoint.rsplit(':').next().unwrap_or_default();
    let ran = crate::run(Command::new("ss").args(["-K", "-H", "-t", "-n", "state", "established", &format!("dport = {port}")]));
    ran.ok().lines().len()
}

fn ip(args: &[&str]) {
    run_tool("ip", args);
}
