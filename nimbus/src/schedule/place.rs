//! Workers to slots.

use std::collections::{BTreeMap, BTreeSet};

use super::{Decision, Demand, Host, Seat};

/// So many digits of a supervisor's id are shown.
const SHORT: usize = 12;

/// Where all workers are to be, in the order of `demands`. `hosts` are the supervisors whose lease runs. A worker whose
/// supervisor is silent moves if there is a slot for it, else it stays where it may still be running. At most one demand may
/// ask to be spread anew: two could each give up a place that the other turns out to need.
pub(crate) fn schedule(hosts: &[Host], demands: &[Demand]) -> Vec<Decision> {
    let mut room = Room::new(hosts);
    let (calm, anew): (Vec<usize>, Vec<usize>) = (0..demands.len()).partition(|d| !demands[*d].spread_anew);
    // What stays is seated before anything new is; what spreads anew looks at the room that is left by all others.
    let mut kept: BTreeMap<usize, Vec<Option<Seat>>> = BTreeMap::new();
    calm.iter().chain(&anew).for_each(|d| drop(kept.insert(*d, room.keep(&demands[*d]))));
    let mut decided: Vec<(usize, Decision)> = Vec::new();
    for d in anew.iter().chain(&calm) {
        decided.push((*d, room.fill(&demands[*d], kept.remove(d).unwrap_or_default())));
    }
    decided.sort_by_key(|(d, _)| *d);
    decided.into_iter().map(|(_, decision)| decision).collect()
}

struct Room<'a> {
    hosts: BTreeMap<&'a str, &'a Host>,
    taken: BTreeSet<Seat>,
}

impl<'a> Room<'a> {
    fn new(hosts: &'a [Host]) -> Self {
        Room { hosts: hosts.iter().map(|h| (h.supervisor.as_str(), h)).collect(), taken: BTreeSet::new() }
    }

    /// The seats of a topology's workers that stay, by index.
    fn keep(&mut self, demand: &Demand) -> Vec<Option<Seat>> {
        let wanted = demand.tasks.len();
        let mut quota = demand.spread_anew.then(|| self.quota(demand));
        let mut kept = vec![None; wanted];
        for (place, seat) in kept.iter_mut().zip(&demand.current) {
            let stands = self.hosts.get(seat.supervisor.as_str()).is_some_and(|h| seat.slot < h.slots);
            let within = match &mut quota {
                None => true,
                Some(quota) => match quota.get_mut(&seat.supervisor) {
                    Some(left) if *left > 0 => {
                        *left -= 1;
                        true
                    }
                    _ => false,
                },
            };
            if stands && within && self.taken.insert(seat.clone()) {
                *place = Some(seat.clone());
            }
        }
        kept
    }

    /// How many workers each supervisor would have if the topology were placed anew now; where it does not matter, those it has.
    fn quota(&self, demand: &Demand) -> BTreeMap<String, usize> {
        let mut trial = Room { hosts: self.hosts.clone(), taken: self.taken.clone() };
        let mut mine: Vec<Seat> = Vec::new();
        for _ in 0..demand.tasks.len() {
            let Some(seat) = trial.best(&mine, &demand.current) else { break };
            trial.taken.insert(seat.clone());
            mine.push(seat);
        }
        mine.iter().fold(BTreeMap::new(), |mut quota, seat| {
            *quota.entry(seat.supervisor.clone()).or_default() += 1;
            quota
        })
    }

    /// Seats for those that have none.
    fn fill(&mut self, demand: &Demand, mut kept: Vec<Option<Seat>>) -> Decision {
        let topology = demand.topology.clone();
        // New workers are all seated or none is: tasks without a worker would be worse than waiting.
        let (lost, fresh): (Vec<usize>, Vec<usize>) =
            (0..kept.len()).filter(|i| kept[*i].is_none()).partition(|i| *i < demand.current.len());
        let free = self.free();
        if fresh.len() > free {
            self.taken.extend(demand.current.iter().cloned());
            let more = if demand.current.is_empty() { "" } else { "more " };
            let waiting =
                Some(format!("needs {} {more}slots, {free} {} free", fresh.len(), if free == 1 { "is" } else { "are" }));
            return Decision { topology, seats: None, waiting };
        }
        let mut unseated: Vec<&Seat> = Vec::new();
        for i in fresh.into_iter().chain(lost) {
            let mine: Vec<Seat> = kept.iter().flatten().cloned().collect();
            let before = demand.current.get(i);
            kept[i] = match (self.best(&mine, &[]), before) {
                // Another slot of the same supervisor would be a move for nothing.
                (Some(seat), Some(before)) if seat.supervisor == before.supervisor && self.is_free(before) => {
                    Some(before.clone())
                }
                (Some(seat), _) => Some(seat),
                (None, before) => {
                    unseated.extend(before);
                    before.cloned()
                }
            };
            self.taken.extend(kept[i].clone());
        }
        let waiting = (!unseated.is_empty()).then(|| {
            let silent: BTreeSet<&str> = unseated.iter().map(|s| s.supervisor.as_str()).collect();
            let silent: Vec<&str> = silent.into_iter().map(|s| s.get(..SHORT).unwrap_or(s)).collect();
            format!(
                "{} of its workers {} another slot and none is free: {} silent",
                unseated.len(),
                if unseated.len() == 1 { "needs" } else { "need" },
                match silent.as_slice() {
                    [one] => format!("supervisor {one} is"),
                    several => format!("supervisors {} are", several.join(", ")),
                }
            )
        });
        Decision { topology, seats: Some(kept.into_iter().flatten().collect()), waiting }
    }

    fn is_free(&self, seat: &Seat) -> bool {
        self.hosts.get(seat.supervisor.as_str()).is_some_and(|h| seat.slot < h.slots) && !self.taken.contains(seat)
    }

    fn free(&self) -> usize {
        self.hosts.values().filter(|h| h.takes_more).map(|h| (0..h.slots).filter(|s| !self.is_taken(h, *s)).count()).sum()
    }

    fn is_taken(&self, host: &Host, slot: u32) -> bool {
        self.taken.contains(&Seat { supervisor: host.supervisor.clone(), slot })
    }

    /// The best free seat for one more worker of a topology that has `mine`: on the machine, then the supervisor, that has the
    /// fewest of it; then one where it is already (`liked`, as often as it is there); then the emptiest.
    fn best(&self, mine: &[Seat], liked: &[Seat]) -> Option<Seat> {
        let on_machine = |seats: &mut dyn Iterator<Item = &Seat>, machine: &str| {
            seats.filter(|s| self.hosts.get(s.supervisor.as_str()).is_some_and(|h| h.machine == machine)).count()
        };
        let on = |seats: &[Seat], supervisor: &str| seats.iter().filter(|s| s.supervisor == supervisor).count();
        let candidates = self.hosts.values().filter_map(|host| {
            let id = host.supervisor.as_str();
            let is_here = liked.iter().filter(|s| s.supervisor == id && s.slot < host.slots).count() > on(mine, id);
            let slot = (0..host.slots).find(|s| !self.is_taken(host, *s)).filter(|_| host.takes_more || is_here)?;
            let used = self.taken.iter().filter(|s| s.supervisor == id).count();
            let rank = (
                on_machine(&mut mine.iter(), &host.machine),
                on(mine, id),
                !is_here,
                on_machine(&mut self.taken.iter(), &host.machine),
                used,
                id,
            );
            Some((rank, slot))
        });
        let ((.., id), slot) = candidates.min()?;
        Some(Seat { supervisor: id.to_owned(), slot })
    }
}
