// What can be done to a topology, each asked for first.

import { ask } from '../dialog.js';
import { call, path } from '../net.js';

const of = (name, verb) => path`/v1/topologies/${name}/` + verb;

function wait(text) {
  if (text === '') return {};
  const seconds = Number(text);
  if (!(seconds >= 0)) throw new Error('the wait is a number of seconds');
  return { wait_ms: Math.round(seconds * 1000) };
}

const WAIT = { name: 'wait', label: 'Wait, seconds', type: 'number', min: 0, step: 'any', placeholder: 'its timeout', note: 'How long tuples under way may take, by default the message timeout; less if nothing is left. 0 loses them.' };

export const activate = (name) => call(of(name, 'activate'), { method: 'POST' });

export const deactivate = (name) => ask({
  title: `Deactivate ${name}?`, text: 'Its spouts pause; what is under way is finished. Activate lets them go on.', verb: 'Deactivate',
  run: () => call(of(name, 'deactivate'), { method: 'POST' }),
});

export const restart = (name, worker) => ask({
  title: `Restart worker ${worker} of ${name}?`, text: 'Its process stops and another starts in its place. The rest goes on; trees that it had a part in fail and are replayed.',
  verb: 'Restart',
  run: () => call(of(name, `workers/${worker}/restart`), { method: 'POST' }),
});

export const kill = (name) => ask({
  title: `Kill ${name}?`, text: 'Its spouts pause, tuples under way have this long to finish, then its workers stop and the topology is gone, with its statistics.',
  fields: [WAIT], verb: `Kill ${name}`, danger: true,
  run: (values) => call(of(name, 'kill'), { method: 'POST', body: wait(values.wait) }),
});

/** A form with the number of workers and of each component's tasks, as they are now. */
export const rebalance = (status) => ask({
  title: `Rebalance ${status.name}`, text: 'Its spouts pause, tuples under way have this long to finish, then its tasks are spread anew.',
  fields: [
    { name: 'workers', label: 'Workers', type: 'number', min: 1, value: status.workers.length || '' },
    ...status.components.map((c) => ({ name: `c:${c.id}`, label: `Tasks of ${c.id}`, filtered: true, type: 'number', min: 1, value: c.tasks })),
    WAIT,
  ],
  verb: 'Rebalance',
  run: (values) => {
    const body = wait(values.wait);
    if (values.workers && Number(values.workers) !== status.workers.length) body.workers = Number(values.workers);
    const changed = status.components.filter((c) => values[`c:${c.id}`] && Number(values[`c:${c.id}`]) !== c.tasks);
    if (changed.length) body.parallelism = Object.fromEntries(changed.map((c) => [c.id, Number(values[`c:${c.id}`])]));
    return call(of(status.name, 'rebalance'), { method: 'POST', body });
  },
});

/** Sets what workers log, for a time. */
export const logLevel = (name) => ask({
  title: `Log level of ${name}`, text: 'All its workers log so much for this time, then as before.',
  fields: [
    { name: 'level', label: 'Level', options: ['trace', 'debug', 'info', 'warn', 'error', 'off'], value: 'debug' },
    { name: 'logger', label: 'Logger', placeholder: 'all', note: 'Such as squall_worker::link; what it begins with counts.' },
    { name: 'minutes', label: 'Minutes', type: 'number', min: 1, value: 10 },
  ],
  verb: 'Set',
  run: ({ level, logger, minutes }) => call(of(name, 'log'), { method: 'POST', body: { logger, level, for_ms: Math.round(Number(minutes) * 60000) } }),
});
