"""Search for a network that reads digits, look at what was found, and use it. Takes about a quarter of a minute.

Digits come with scikit-learn; a folder of class folders, `nw.search("photos/", minutes=10)`, works the same way.
"""

from sklearn.datasets import load_digits

import netwright as nw

run = nw.search("digits", trials=8, epochs=6)

print(run.verdict)
print(run.trials[["id", "origin", "status", "epochs", "parameters", "accuracy", "seconds"]].to_string(index=False))
for network in run.front:
    print(network)

data = nw.load_data("digits")
pixels, truth = load_digits(return_X_y=True)
test = data.indices("test")[:10]
right = run.predict(pixels[test].reshape(-1, 8, 8)) == truth[test].astype(str)
print(f"{right.sum()} of 10 digits it never saw were read rightly; the network is in {run.export}")
