"""A search inside scikit-learn: in a pipeline, scored by cross-validation. Every fit is a search of its own."""

from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from netwright import NetworkClassifier

features, labels = load_wine(return_X_y=True)
# Bounded by trials, on one thread of this process and with a seed, the result is the same every time.
classifier = NetworkClassifier(trials=4, epochs=20, executor="inline", precision="fp32", random_state=0)
model = make_pipeline(StandardScaler(), classifier)

scores = cross_val_score(model, features, labels, cv=3)
print(f"accuracy {scores.mean():.3f}, from {scores.min():.3f} to {scores.max():.3f}")

model.fit(features, labels)
print(classifier.best_)
print(classifier.verdict_)
