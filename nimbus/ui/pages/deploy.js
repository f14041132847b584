// A new version of a model from a file of this computer: sent, imported by nimbus, tried by all workers, then in use.

import { ask } from '../dialog.js';
import { bytes, many, percent } from '../format.js';
import { call, path, upload } from '../net.js';

/** Asks for a file and brings it into use; answers whether it is. */
export const deploy = (topology, model) => ask({
  title: `Deploy a version of ${model}`,
  text: `Every worker of ${topology} loads it beside the present one and tries it. When all can use it, all change over without losing a tuple; if one cannot, the present one stays.`,
  fields: [{ name: 'file', label: 'Model file', type: 'file', required: true, note: 'A pickle or joblib file of scikit-learn, a model of XGBoost or LightGBM, ONNX, or what squall model import made.' }],
  verb: 'Deploy',
  async run({ file }, tell, signal) {
    const imported = await upload('/v1/models/import', file, (share) => {
      if (share < 1) tell(`Sending ${file.name}, ${bytes(file.size)}: ${percent(share)}`, share);
      else tell(`Importing ${file.name}`);
    }, signal).catch((error) => {
      // Nimbus does not know the file's name.
      error.message = `${file.name}: ${error.message}`;
      throw error;
    });
    const { artefact, source, bytes: size } = imported;
    const base = path`/v1/topologies/${topology}/models`;
    const deployment = await call(base + path`/${model}/deploy`, { method: 'POST', body: { artefact, source, bytes: size, file: file.name }, signal });
    await settled(base, model, deployment, tell, signal);
  },
});

/** Waits until a deployment is in use; throws with the reason if that fails. */
async function settled(base, model, deployment, tell, signal) {
  for (let seen = await call(base, { signal }); ; seen = (await call(`${base}?after=${seen.revision}&wait_ms=20000`, { signal })) ?? seen) {
    const status = seen.models.find((m) => m.name === model);
    const now = status?.history.find((d) => d.serial === deployment.serial);
    if (!now) throw new Error(`${model} is gone`);
    if (now.state === 'failed') throw new Error(`version ${now.version} is not in use: ${now.reason}`);
    if (now.state !== 'preparing') return;
    const ready = status.workers.filter((w) => w.ready === deployment.serial).length;
    tell(`${ready} of ${many(status.workers.length, 'worker')} have version ${now.version} ready`, ready / Math.max(1, status.workers.length));
  }
}
