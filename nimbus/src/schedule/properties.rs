//! What must hold of every assignment, whatever machines do.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Decision, Demand, Host, Seat, schedule};

fn host(id: usize, machine: usize, slots: u32) -> Host {
    Host { supervisor: format!("s{id}"), machine: format!("m{machine}"), slots, takes_more: true }
}

fn demand(id: usize, workers: u32, current: Vec<Seat>) -> Demand {
    Demand { topology: format!("t{id}"), tasks: (0..workers).map(|w| vec![w + 1]).collect(), current, spread_anew: false }
}

fn seat(supervisor: usize, slot: u32) -> Seat {
    Seat { supervisor: format!("s{supervisor}"), slot }
}

#[derive(Debug, Clone)]
enum Step {
    /// A supervisor dies or comes back.
    Toggle(usize),
    /// A topology is submitted with so many workers.
    Submit(usize, u32),
    /// A topology is rebalanced to so many workers.
    Rebalance(usize, u32),
    Remove(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6usize).prop_map(Step::Toggle),
        3 => (0..4usize, 1..5u32).prop_map(|(t, n)| Step::Submit(t, n)),
        2 => (0..4usize, 1..6u32).prop_map(|(t, n)| Step::Rebalance(t, n)),
        1 => (0..4usize).prop_map(Step::Remove),
    ]
}

/// Topologies as nimbus would keep them between two schedules.
#[derive(Default)]
struct Kept {
    wanted: BTreeMap<usize, u32>,
    seats: BTreeMap<usize, Vec<Seat>>,
}

impl Kept {
    fn demands(&self, anew: Option<(usize, u32)>) -> Vec<Demand> {
        let of = |(t, n): (&usize, &u32)| {
            let mut d = demand(*t, *n, self.seats.get(t).cloned().unwrap_or_default());
            if let Some((_, n)) = anew.filter(|(a, _)| a == t) {
                d = Demand { spread_anew: true, ..demand(*t, n, d.current) };
            }
            d
        };
        self.wanted.iter().map(of).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn slots_are_used_once_tasks_are_kept_and_nothing_healthy_moves(
        slots in proptest::collection::vec(1..4u32, 6),
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let hosts: Vec<Host> = slots.iter().enumerate().map(|(i, n)| host(i, i / 2, *n)).collect();
        let mut up = [true; 6];
        let mut kept = Kept::default();
        for step in steps {
            let mut anew = None;
            match step {
                Step::Toggle(s) => up[s] = !up[s],
                Step::Submit(t, n) => drop(kept.wanted.entry(t).or_insert(n)),
                Step::Rebalance(t, n) if kept.seats.contains_key(&t) => anew = Some((t, n)),
                Step::Rebalance(..) => {}
                Step::Remove(t) => { kept.wanted.remove(&t); kept.seats.remove(&t); }
            }
            let alive: Vec<Host> = hosts.iter().zip(up).filter(|(_, up)| *up).map(|(h, _)| h.clone()).collect();
            let demands = kept.demands(anew);
            let decisions = schedule(&alive, &demands);
            prop_assert_eq!(&decisions, &schedule(&alive, &demands), "the same again");
            check(&alive, &demands, &decisions, anew)?;
            for (d, decision) in demands.iter().zip(decisions) {
                let t: usize = d.topology[1..].parse().unwrap();
                if let Some(seats) = decision.seats {
                    kept.wanted.insert(t, d.tasks.len() as u32);
                    kept.seats.insert(t, seats);
                }
            }
            // What was decided is at rest: asking again changes nothing.
            for (d, again) in kept.demands(None).iter().zip(schedule(&alive, &kept.demands(None))) {
                if !d.current.is_empty() {
                    prop_assert_eq!(again.seats.as_ref(), Some(&d.current));
                }
            }
        }
    }
}

fn check(alive: &[Host], demands: &[Demand], decisions: &[Decision], anew: Option<(usize, u32)>) -> Result<(), TestCaseError> {
    let slots_of = |s: &str| alive.iter().find(|h| h.supervisor == s).map(|h| h.slots);
    let stays = |d: &Demand| d.current.clone();
    let mut used = BTreeSet::new();
    for (d, decision) in demands.iter().zip(decisions) {
        let seats = decision.seats.clone().unwrap_or_else(|| stays(d));
        if decision.seats.is_some() {
            prop_assert_eq!(seats.len(), d.tasks.len(), "every worker, so every task, has a seat");
        }
        for seat in &seats {
            prop_assert!(used.insert(seat.clone()), "{:?} is used twice: {:?}", seat, decisions);
            if let Some(slots) = slots_of(&seat.supervisor) {
                prop_assert!(seat.slot < slots);
            } else {
                prop_assert!(d.current.contains(seat), "nothing is sent to a dead supervisor");
                prop_assert!(decision.waiting.is_some());
            }
        }
        let rebalanced = anew.is_some_and(|(t, _)| d.topology == format!("t{t}"));
        for (before, after) in d.current.iter().zip(&seats) {
            let healthy = slots_of(&before.supervisor).is_some();
            prop_assert!(rebalanced || !healthy || before == after, "a healthy worker moved: {before:?} to {after:?}");
        }
    }
    for decision in decisions.iter().filter(|d| d.waiting.is_some()) {
        let d = demands.iter().find(|d| d.topology == decision.topology).unwrap();
        let free: usize = alive
            .iter()
            .map(|h| (0..h.slots).filter(|s| !used.contains(&Seat { supervisor: h.supervisor.clone(), slot: *s })).count())
            .sum();
        let lacking = if d.current.is_empty() { d.tasks.len() } else { 1 };
        prop_assert!(free < lacking || anew.is_some(), "{} waits although {free} slots are free", d.topology);
    }
    Ok(())
}

#[test]
fn workers_are_even_across_machines_then_supervisors() {
    // Two supervisors on machine 0, one on machine 1.
    let hosts = [host(0, 0, 4), host(1, 0, 4), host(2, 1, 4)];
    let decided = schedule(&hosts, &[demand(0, 4, vec![])]);
    let seats = decided[0].seats.clone().unwrap();
    let on = |s: &str| seats.iter().filter(|x| x.supervisor == s).count();
    assert_eq!((on("s0"), on("s1"), on("s2")), (1, 1, 2));
}

#[test]
fn a_topology_waits_for_all_its_slots_and_says_so() {
    let decided = schedule(&[host(0, 0, 2)], &[demand(0, 4, vec![])]);
    assert_eq!(decided[0].seats, None);
    assert_eq!(decided[0].waiting.as_deref(), Some("needs 4 slots, 2 are free"));
}

#[test]
fn only_the_dead_supervisors_worker_moves() {
    let current = vec![seat(0, 0), seat(1, 0), seat(2, 0)];
    let decided = schedule(&[host(0, 0, 2), host(2, 2, 2)], &[demand(0, 3, current)]);
    let seats = decided[0].seats.clone().unwrap();
    assert_eq!((&seats[0], &seats[2]), (&seat(0, 0), &seat(2, 0)));
    assert_eq!(seats[1].slot, 1);
    assert_eq!(decided[0].waiting, None);
}

#[test]
fn without_room_a_dead_supervisors_worker_stays_its() {
    let decided = schedule(&[host(0, 0, 1)], &[demand(0, 2, vec![seat(0, 0), seat(1, 0)])]);
    assert_eq!(decided[0].seats, Some(vec![seat(0, 0), seat(1, 0)]));
    assert_eq!(
        decided[0].waiting.as_deref(),
        Some("1 of its workers needs another slot and none is free: supervisor s1 is silent")
    );
}

#[test]
fn growth_moves_nothing_until_a_rebalance_evens_out() {
    let current = vec![seat(0, 0), seat(0, 1), seat(0, 2), seat(0, 3)];
    let hosts = [host(0, 0, 4), host(1, 1, 4)];
    let calm = demand(0, 4, current.clone());
    assert_eq!(schedule(&hosts, std::slice::from_ref(&calm))[0].seats, Some(current.clone()));
    let decided = schedule(&hosts, &[Demand { spread_anew: true, ..calm }]);
    assert_eq!(decided[0].seats, Some(vec![seat(0, 0), seat(0, 1), seat(1, 0), seat(1, 1)]));
}

#[test]
fn a_rebalance_of_what_is_even_moves_nothing() {
    let current = vec![seat(0, 1), seat(0, 0), seat(1, 2)];
    let hosts = [host(0, 0, 4), host(1, 1, 4)];
    let anew = Demand { spread_anew: true, ..demand(0, 3, current.clone()) };
    assert_eq!(schedule(&hosts, &[anew])[0].seats, Some(current));
}

#[test]
fn a_supervisor_that_leaves_keeps_what_it_has_and_gets_nothing() {
    let leaving = Host { takes_more: false, ..host(0, 0, 4) };
    let decided =
        schedule(&[leaving, host(1, 0, 1)], &[demand(0, 1, vec![seat(0, 0)]), demand(1, 2, vec![]), demand(2, 1, vec![])]);
    assert_eq!(decided[0].seats, Some(vec![seat(0, 0)]));
    assert_eq!(decided[1].waiting.as_deref(), Some("needs 2 slots, 1 is free"));
    assert_eq!(decided[2].seats, Some(vec![seat(1, 0)]));
}
