"""Makes the models and data of the ready-to-run topologies. Everything it writes is in the repository;
run it again only to change them:

    python -m venv /tmp/squall-train
    /tmp/squall-train/bin/pip install scikit-learn==1.9.1 pandas==3.1.1 joblib
    /tmp/squall-train/bin/python topologies/models/train.py

Seeds are fixed: the same versions write the same files. `expected/` holds what scikit-learn itself
answers for every row, as the tests of squall-model and of the topologies compare with.
"""

import csv
import pathlib
import pickle
import random
import warnings

import numpy
import pandas
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

assert sklearn.__version__ == "1.9.1", "the models in the repository are made with scikit-learn 1.9.1"

MODELS = pathlib.Path(__file__).resolve().parent
DATA = MODELS.parent / "data"
EXPECTED = MODELS / "expected"
SEED = 7


def write_rows(path, header, rows):
    with open(path, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def dump(name, model):
    with open(MODELS / name, "wb") as file:
        pickle.dump(model, file, protocol=5)


def expect(name, model, x):
    """The predicted label, then the probability of each class (or the features of a transformer)."""
    if hasattr(model, "predict_proba"):
        labels, numbers = model.predict(x), model.predict_proba(x)
        header = ["label"] + [f"p_{c}" for c in model.classes_]
        rows = ([label] + ["%.17g" % p for p in row] for label, row in zip(labels, numbers))
    else:
        numbers = model.transform(x)
        header = [f"f{i}" for i in range(numbers.shape[1])]
        rows = (["%.17g" % v for v in row] for row in numbers)
    write_rows(EXPECTED / name, header, rows)


def digits():
    x, y = load_digits(return_X_y=True)
    write_rows(
        DATA / "digits.csv",
        [f"p{i}" for i in range(x.shape[1])] + ["label"],
        ([int(v) for v in row] + [int(label)] for row, label in zip(x, y)),
    )
    pca = PCA(n_components=30, svd_solver="full")
    logistic = LogisticRegression(max_iter=2000, C=0.05)
    pipeline = Pipeline([("pca", pca), ("logistic", logistic)]).fit(x, y)
    # The same two steps apart, for topologies that keep them in bolts of their own.
    dump("digits-pca.pkl", pipeline["pca"])
    dump("digits-logistic.pkl", pipeline["logistic"])
    dump("digits.pkl", pipeline)
    expect("digits.csv", pipeline, x)
    # 1,797 rows of 30 features would be a megabyte: every tenth will do.
    expect("digits-pca.csv", pipeline["pca"], x[::10])


def iris():
    data = load_iris()
    names = data.target_names[data.target]
    header = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    write_rows(DATA / "iris.csv", header + ["species"], ([*row, name] for row, name in zip(data.data.tolist(), names)))
    with warnings.catch_warnings():
        # `probability` goes away in scikit-learn 1.11; models that have it stay.
        warnings.simplefilter("ignore", FutureWarning)
        svc = SVC(kernel="rbf", probability=True, random_state=SEED)
        search = GridSearchCV(svc, {"C": [1.0, 10.0], "gamma": ["scale", 0.1]}, cv=3)
        search.fit(data.data, names)
        # How long the fits took is the one thing that differs from run to run.
        search.refit_time_ = 0.0
        search.cv_results_ = {k: v for k, v in search.cv_results_.items() if not k.endswith("_time")}
        dump("iris.pkl", search)
        expect("iris.csv", search, data.data)


def irises():
    """Three models that vote on irises, and one that tells flowers that are none."""
    data = load_iris()
    names = data.target_names[data.target]
    forest = RandomForestClassifier(10, max_depth=4, random_state=SEED)
    boosting = GradientBoostingClassifier(n_estimators=5, max_depth=2, random_state=SEED)
    neighbours = KNeighborsClassifier(7)
    three = {"iris-forest": forest, "iris-boosting": boosting, "iris-neighbours": neighbours}
    for name, model in three.items():
        dump(name + ".pkl", model.fit(data.data, names))
    vote = VotingClassifier([*three.items()], voting="hard").fit(data.data, names)
    said = [vote.predict(data.data), *(model.predict(data.data) for model in three.values())]
    write_rows(EXPECTED / "iris-vote.csv", ["label", *three], zip(*said))
    isolation = IsolationForest(n_estimators=10, max_samples=32, random_state=SEED).fit(data.data)
    dump("iris-isolation.pkl", isolation)
    decisions = zip(isolation.decision_function(data.data), isolation.predict(data.data))
    write_rows(EXPECTED / "iris-isolation.csv", ["decision", "value"], (["%.17g" % d, v] for d, v in decisions))


def churn():
    """Made-up customers, some of whose towns and sums are missing; a pipeline as most are: gaps filled, texts encoded, numbers scaled."""
    chance = numpy.random.RandomState(SEED)
    n = 200
    rows = pandas.DataFrame({
        "id": numpy.arange(1, n + 1), "age": chance.randint(18, 85, n), "town": chance.choice(["Basel", "Bern", "Gen\u00e8ve", "Lugano"], n),
        "plan": chance.choice(["free", "pro"], n), "spent": chance.lognormal(3, 1, n).round(2),
    })
    rows.loc[::11, "town"] = None
    rows.loc[5::7, "spent"] = numpy.nan
    leans = 0.06 * (rows["age"] - 50) + numpy.where(rows["plan"] == "pro", -1.5, 1.0) + 0.4 * (rows["town"] == "Lugano")
    left = numpy.where(leans + 0.7 * chance.randn(n) > 0, "leaves", "stays")
    prepared = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["age", "spent"]),
        ("texts", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), ["town", "plan"]),
    ])
    model = make_pipeline(prepared, LogisticRegression()).fit(rows, left)
    dump("churn.pkl", model)
    rows.to_csv(DATA / "customers.csv", index=False, lineterminator="\n")
    expect("churn.csv", model, rows)


WORDS = """
wind rain storm cloud thunder lightning gust squall breeze calm tide wave harbour sail anchor mast rope
deck crew captain island shore sand rock cliff river lake field forest meadow hill valley road bridge town
market house window door lamp fire stone iron copper silver gold bread water salt apple barley horse dog cat
bird fish heron gull swallow morning evening night winter summer autumn spring day hour year old young quick
slow bright dark cold warm quiet loud deep high low near far and the a of to in on under over with without
before after while then now never always often sees hears finds keeps loses carries brings leaves returns
""".split()


def words():
    """Lines for word counts. Some words are common and most are rare, as in any text."""
    chance = random.Random(SEED)
    weights = [1.0 / (rank + 1) for rank in range(len(WORDS))]
    order = WORDS[:]
    chance.shuffle(order)
    with open(DATA / "words.txt", "w") as file:
        for _ in range(2000):
            line = chance.choices(order, weights, k=chance.randint(5, 13))
            file.write(" ".join(line).capitalize() + ".\n")


if __name__ == "__main__":
    EXPECTED.mkdir(exist_ok=True)
    DATA.mkdir(exist_ok=True)
    digits()
    iris()
    irises()
    churn()
    words()
    print("made with scikit-learn", sklearn.__version__, "and numpy", numpy.__version__)
