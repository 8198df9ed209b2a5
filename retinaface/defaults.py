"""What a detector does where nobody asks for something else; without imports, so that --help answers at once."""

CONF = 0.5  # score from which a face is reported
IMGSZ = 640  # pixels on the longer side of a frame, to which it is reduced for the search
CANDIDATES = 1000  # anchors a frame that may become faces, best first
