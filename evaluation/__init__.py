"""Is it right, and how fast?"""

import support  # noqa: F401 - first: it keeps libraries from writing home and from looking hosts up
