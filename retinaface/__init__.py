"""RetinaFace (Deng et al. 2020, arXiv 1905.00641): frames in, faces with five landmarks out."""

import support  # noqa: F401 - first: it keeps libraries from writing home and from looking hosts up
