"""The training stage: data set, networks, fitting, export and evaluation of emotion classifiers."""
