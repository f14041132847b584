// A new version of a model from a file of this computer: sent, imported by nimbus, tried by all workers, then in use.

import { ask } from '../dialog.js';
import { bytes, many, percent } from '../format.js';
import { BrokenOff, call, path, ready, Unreachable, upload } from '../net.js';

/** So many of a model's labels are shown. */
const SHOWN = 12;

/** Asks for a file and brings it into use; answers whether it is. `labels` are those of the version in use, if it was given some. */
export const deploy = (topology, model, labels) => ask({
  title: `Deploy a version of ${model}`,
  text: `Every worker of ${topology} loads it beside the present one and tries it. When all can use it, all change over without losing a tuple; if one cannot, the present one stays.`,
  fields: [
    { name: 'file', label: 'Model file', type: 'file', required: true, note: 'A pickle or joblib file of scikit-learn, a model of XGBoost or LightGBM, ONNX, or what squall model import made.' },
    { name: 'labels', label: 'Labels of the classes 0, 1, 2 …', wide: true, placeholder: labels ? named(labels) : 'no, yes', note: `For a classifier of XGBoost or LightGBM only, whose file keeps none; with commas between them, or as a JSON list. Left empty: ${labels ? 'those of the version in use' : 'the numbers themselves'}.` },
  ],
  verb: 'Deploy',
  async run({ file, labels: text }, tell, signal) {
    const given = text ? listOf(text) : undefined;
    const query = new URLSearchParams({ topology, model, ...(given && { labels: JSON.stringify(given) }) });
    const imported = await upload(`/v1/models/import?${query}`, file, (share) => {
      if (share < 1) tell(`Sending ${file.name}, ${bytes(file.size)}: ${percent(share)}`, share);
      else tell(`Importing ${file.name}`);
    }, signal).catch((error) => {
      if (error instanceof BrokenOff) throw brokenOff(file, error);
      // Nimbus does not know the file's name.
      error.message = `${file.name}: ${error.message}`;
      throw error;
    });
    const { artefact, source, bytes: size } = imported;
    const base = path`/v1/topologies/${topology}/models`;
    const deployment = await call(base + path`/${model}/deploy`, { method: 'POST', body: { artefact, source, bytes: size, file: file.name, labels: given }, signal });
    await settled(base, model, deployment, tell, signal);
  },
});

/** What became of a file that was not taken in, and what is to be done. */
function brokenOff(file, { sent, there }) {
  const how = sent < file.size ? `the upload broke off after ${bytes(sent)} of ${bytes(file.size)}` : 'the connection was lost while nimbus imported it';
  return new Error(`${file.name}: ${how}. Nothing of it was kept, and the version in use stays: ${there ? 'try it again' : 'try it again when nimbus is back'}.`);
}

const named = (labels) => labels.slice(0, SHOWN).join(', ') + (labels.length > SHOWN ? `, … ${labels.length} in all` : '');

/** Labels with commas between them, or a JSON list of texts, for such as have commas themselves. */
function listOf(text) {
  if (!text.startsWith('[')) return text.split(',').map((label) => label.trim());
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`the labels are no JSON list of texts: ${error.message}`);
  }
}

/** Waits until a deployment is in use; throws with the reason if that fails. */
async function settled(base, model, deployment, tell, signal) {
  const look = async (query = '') => {
    for (;;) {
      try {
        return await call(base + query, { signal });
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        tell(`Version ${deployment.version} is prepared; nimbus cannot be reached. This goes on when it is back`);
        await ready();
      }
    }
  };
  for (let seen = await look(); ; seen = (await look(`?after=${seen.revision}&wait_ms=20000`)) ?? seen) {
    const status = seen.models.find((m) => m.name === model);
    const now = status?.history.find((d) => d.serial === deployment.serial);
    if (!now) throw new Error(`${model} is gone`);
    if (now.state === 'failed') throw new Error(`version ${now.version} is not in use: ${now.reason}`);
    if (now.state !== 'preparing') return;
    const ready = status.workers.filter((w) => w.ready === deployment.serial).length;
    tell(`${ready} of ${many(status.workers.length, 'worker')} have version ${now.version} ready`, ready / Math.max(1, status.workers.length));
  }
}
