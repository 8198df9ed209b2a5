"""Which expression a face shows: networks, classifiers, ensembles."""

import support  # noqa: F401 - first: it keeps libraries from writing home and from looking hosts up
