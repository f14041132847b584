"""Compares how fast Squall and other programs score the same rows, in one run.

    pip install scikit-learn xgboost lightgbm onnxruntime skl2onnx onnxmltools treelite tl2cgen   # what is missing is left out
    cargo build --release && python bench/models.py --squall target/release/squall > models.md

Small models of each kind are trained on made-up rows. Then, round after round, each program in turn scores batches of 1, 64 and
1,024 rows for some time on one thread; shown are the medians of the rounds in microseconds a call, and how many times
as long as Squall the fastest other one takes. Squall is measured inside its own process (`squall bench model`), the others from Python, as
they are used there: a call costs them a microsecond or two more than from C. treelite scores trees by itself ("treelite") and as C
code that tl2cgen makes of them and gcc compiles ("treelite, compiled"); that only of files up to 4 MB, as gcc takes many minutes for larger ones.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

os.environ.update({name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")})
warnings.simplefilter("ignore")

import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

BATCHES = (1, 64, 1024)


def attempt(module):
    try:
        return __import__(module)
    except ImportError:
        print("left out: no %s" % module, file=sys.stderr)
        return None


NAMES = ("onnxruntime", "skl2onnx", "xgboost", "lightgbm", "treelite", "tl2cgen")
onnxruntime, skl2onnx, xgboost, lightgbm, treelite, tl2cgen = map(attempt, NAMES)


def trained(x, y, folder):
    """(name, file for Squall, {program: function of 64-bit rows})"""
    import pickle

    for name, model in [
        ("logistic regression", LogisticRegression(max_iter=1000)),
        ("forest, 100 trees", RandomForestClassifier(100, random_state=1)),
        ("gradient boosting, 100 rounds", GradientBoostingClassifier(random_state=1)),
        ("histogram boosting, 100 rounds", HistGradientBoostingClassifier(random_state=1)),
        ("SVC, radial kernel", SVC()),
        ("MLP, 100 and 50 units", MLPClassifier((100, 50), max_iter=60, random_state=1)),
    ]:
        model.fit(x, y)
        file = os.path.join(folder, name.split()[0].strip(",") + ".pkl")
        with open(file, "wb") as f:
            pickle.dump(model, f)
        method = getattr(model, "predict_proba", None) or model.decision_function
        peers = {"scikit-learn": method}
        run = onnx(model, x)
        if run:
            peers["ONNX Runtime"] = run
        if treelite and ("forest" in name or "boosting" in name):
            peers.update(by_treelite(lambda m=model: treelite.sklearn.import_model(m), method(x[:64]), x, file))
        yield name, file, peers
    if xgboost:
        model = xgboost.XGBClassifier(n_estimators=100, max_depth=6, n_jobs=1).fit(x, y)
        file = os.path.join(folder, "xgboost.ubj")
        model.save_model(file)
        booster = model.get_booster()
        booster.set_param("nthread", 1)
        peers = {"XGBoost": booster.inplace_predict}
        if treelite:
            peers.update(by_treelite(lambda: treelite.frontend.from_xgboost(booster), model.predict_proba(x[:64]), x, file))
        yield "XGBoost, 100 rounds", file, peers
    if lightgbm:
        model = lightgbm.LGBMClassifier(n_estimators=100, verbose=-1, n_jobs=1).fit(x, y)
        file = os.path.join(folder, "lightgbm.txt")
        model.booster_.save_model(file)
        peers = {"LightGBM": lambda rows, b=model.booster_: b.predict(rows, num_threads=1)}
        if treelite:
            peers.update(by_treelite(lambda: treelite.frontend.from_lightgbm(model.booster_), model.predict_proba(x[:64]), x, file))
        yield "LightGBM, 100 rounds", file, peers


def by_treelite(load, expected, x, file):
    """{program: function}, of those whose answers are the model's."""
    peers = {}
    try:
        model = load()
        kind = model.input_type
        peers["treelite"] = lambda rows: treelite.gtil.predict(model, rows.astype(kind, copy=False), nthread=1)
        if tl2cgen and os.path.getsize(file) <= 4 << 20:
            # In parts, so that gcc has no function of megabytes.
            with contextlib.redirect_stdout(sys.stderr):
                tl2cgen.export_lib(model, toolchain="gcc", libpath=file + ".so", params={"parallel_comp": 16}, verbose=False)
            compiled = tl2cgen.Predictor(file + ".so", nthread=1)
            peers["treelite, compiled"] = lambda rows: compiled.predict(tl2cgen.DMatrix(rows.astype(kind, copy=False)))
    except Exception as e:
        print("treelite does not take %s: %s" % (os.path.basename(file), str(e).splitlines()[0]), file=sys.stderr)
    for name, call in list(peers.items()):
        if not np.allclose(np.squeeze(call(x[:64])), expected, atol=1e-5):
            print("%s scores %s otherwise, left out" % (name, os.path.basename(file)), file=sys.stderr)
            del peers[name]
    return peers

def onnx(model, x):
    """A function over 32-bit rows, where the converter knows the model."""
    if not (onnxruntime and skl2onnx):
        return None
    try:
        made = skl2onnx.to_onnx(model, x[:1].astype(np.float32), options={id(model): {"zipmap": False}}, target_opset=18)
    except Exception as e:
        print("no ONNX of %s: %s" % (type(model).__name__, str(e).splitlines()[0][:200]), file=sys.stderr)
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    scores = session.get_outputs()[-1].name
    return lambda rows: session.run([scores], {"X": rows})


def measure(call, rows, batch, seconds):
    """Microseconds a call."""
    parts = [rows[i : i + batch] for i in range(0, len(rows) - batch + 1, batch)]
    call(parts[0])
    done, begun = 0, time.thread_time()
    while True:
        for part in parts:
            call(part)
            done += 1
            if time.thread_time() - begun > seconds:
                return (time.thread_time() - begun) / done * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--squall", default="target/release/squall", help="the program to measure")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--ms", type=int, default=200, help="milliseconds for each figure of each round")
    parser.add_argument("--features", type=int, default=32)
    parser.add_argument("--only", default="", help="models whose name contains this")
    args = parser.parse_args()
    x, y = make_classification(6144, args.features, n_informative=args.features // 2, n_classes=4, random_state=1)
    # What 32-bit programs see is what all see.
    x = x.astype(np.float32).astype(np.float64)
    rows, narrow = x[2048:], x[2048:].astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        csv = os.path.join(folder, "rows.csv")
        np.savetxt(csv, rows, delimiter=",", fmt="%.17g")
        print("| model | rows a call | Squall, µs a call | others, µs a call | fastest other / Squall |")
        print("|---|---|---|---|---|")
        for name, file, peers in trained(x[:2048], y[:2048], folder):
            if args.only not in name:
                continue
            times = {}
            for _ in range(args.rounds):
                batches = ",".join(map(str, BATCHES))
                command = [args.squall, "bench", "model", file, "--rows", csv, "--rounds", "1", "--ms", str(args.ms)]
                told = json.loads(subprocess.check_output(command + ["--batch", batches, "--json"]))
                for timing in told["timings"]:
                    times.setdefault(("Squall", timing["batch"]), []).append(timing["call_us"]["median"])
                for program, call in peers.items():
                    for batch in BATCHES:
                        given = narrow if program == "ONNX Runtime" else rows
                        times.setdefault((program, batch), []).append(measure(call, given, batch, args.ms / 1000))
            for batch in BATCHES:
                median = {program: statistics.median(t) for (program, b), t in times.items() if b == batch}
                ours = median.pop("Squall")
                others = ", ".join("%s %.1f" % (program, t) for program, t in sorted(median.items(), key=lambda p: p[1]))
                fastest = min(median.values())
                print("| %s | %d | %.1f | %s | %.2f |" % (name, batch, ours, others, fastest / ours), flush=True)


if __name__ == "__main__":
    main()
