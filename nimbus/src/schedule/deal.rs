//! Tasks to workers, in turn: each worker gets its share of every component.

use squall_core::Plan;

/// The tasks of each worker of a plan. There are never more workers than tasks, since an idle process helps nobody.
pub(crate) fn deal(plan: &Plan) -> Vec<Vec<u32>> {
    let tasks = plan.task_count();
    let workers = plan.settings.workers.clamp(1, tasks.max(1));
    let mut dealt = vec![Vec::new(); workers as usize];
    // Task ids run on from component to component, so dealing by id goes on where the component before stopped.
    (1..=tasks).for_each(|task| dealt[((task - 1) % workers) as usize].push(task));
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(workers: u32, parallelism: &[u32]) -> Plan {
        let component = |(i, n): (usize, &u32)| serde_json::json!({"id": format!("c{i}"), "kind": "bolt", "type": "t", "config": {}, "parallelism": n});
        let components: Vec<_> = parallelism.iter().enumerate().map(component).collect();
        serde_json::from_value(serde_json::json!({"name": "p", "settings": {"workers": workers}, "components": components}))
            .unwrap()
    }

    #[test]
    fn each_worker_gets_a_share_of_each_component() {
        let plan = plan(3, &[2, 7, 3, 1]);
        let dealt = deal(&plan);
        let sizes: Vec<usize> = dealt.iter().map(Vec::len).collect();
        assert_eq!(sizes, [5, 4, 4]);
        for (c, n) in [2u32, 7, 3, 1].iter().enumerate() {
            for tasks in &dealt {
                let share = tasks.iter().filter(|t| plan.tasks(c).contains(t)).count() as u32;
                assert!((n / 3..=n.div_ceil(3)).contains(&share), "component {c}: {dealt:?}");
            }
        }
    }

    #[test]
    fn no_worker_is_without_a_task() {
        assert_eq!(deal(&plan(8, &[1, 2])), [vec![1], vec![2], vec![3]]);
    }
}
