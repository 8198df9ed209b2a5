"""The list of formats: each is recognised by its own layout and no other, and loads what it says."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from helpers.tiny_formats import (
    make_affectnet,
    make_affectnet_lists,
    make_ck48,
    make_ckplus,
    make_csv_list,
    make_expw,
    make_ferg,
    make_jaffe,
    make_raf_kaggle,
)
from helpers.tiny_sets import (
    make_fer2013,
    make_ferplus,
    make_ferplus_csv,
    make_image_folder,
    make_raf_official,
    make_raf_reference,
    write_grey,
    write_lines,
)

from data.datasets import all_formats, find_format, load_faces, load_for_training, read_class_map
from data.faults import FaultyData
from support import UserError
from support.emotions import EMOTIONS

LAYOUTS = {
    "raf_db official": make_raf_official,
    "raf_db reference": make_raf_reference,
    "raf_db kaggle": make_raf_kaggle,
    "ckplus release": make_ckplus,
    "ckplus ck48": make_ck48,
    "jaffe": make_jaffe,
    "ferg": make_ferg,
    "expw": make_expw,
    "affectnet cropped": make_affectnet,
    "affectnet lists": make_affectnet_lists,
    "csv_list": make_csv_list,
    "ferplus folders": make_ferplus,
    "ferplus csv": make_ferplus_csv,
    "fer2013": make_fer2013,
    "image_folder": lambda root: make_image_folder(root, {"happy": 20, "sad": 20}),
}


@pytest.fixture(params=LAYOUTS)
def layout(request, tmp_path):
    """(name of the format, folder)."""
    LAYOUTS[request.param](tmp_path)
    return request.param.split()[0], tmp_path


def test_each_format_has_a_layout_here():
    assert {name.split()[0] for name in LAYOUTS} == set(all_formats())
    assert list(all_formats())[-1] == "image_folder"


def test_the_layout_tells_the_format(layout):
    name, folder = layout
    assert find_format(folder) is all_formats()[name]
    assert find_format(str(folder), name=name) is all_formats()[name]


def test_every_split_is_what_a_face_set_promises(layout):
    _, folder = layout
    for split in ("train", "validation", "test"):
        faces = load_faces(folder, split)
        n, k = len(faces), len(faces.class_names)
        assert n > 0
        assert len(faces.images) == len(faces.labels) == n
        assert all(image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 for image in faces.images)
        assert faces.votes.shape == (n, k)
        assert faces.votes.dtype == np.float32
        np.testing.assert_allclose(faces.votes.sum(axis=1), 1, rtol=1e-6)
        assert faces.labels.dtype == np.int32
        assert 0 <= faces.labels.min() <= faces.labels.max() < k
        assert [name for name in faces.class_names if name in EMOTIONS] == [
            n for n in EMOTIONS if n in faces.class_names
        ]


def test_a_validation_of_one_label_is_said(tmp_path, capsys):
    for number in range(4):
        write_grey(tmp_path / f"{number}.png", number)
    write_lines(
        tmp_path / "faces.csv",
        ["path,label,split", "0.png,sad,train", "1.png,happy,train", "2.png,sad,validation", "3.png,happy,test"],
    )
    load_for_training(tmp_path)
    assert "every validation face is labelled sadness: scores there tell little" in capsys.readouterr().err


@pytest.mark.parametrize("labels_only", [False, True])
def test_training_sees_no_picture_of_the_other_splits(tmp_path, labels_only):
    folder = make_raf_reference(tmp_path)
    train, validation = load_for_training(folder, labels_only=labels_only)
    whole, others = load_faces(folder, "train"), [load_faces(folder, split) for split in ("validation", "test")]
    assert validation.names == others[0].names
    levels = {image[0, 0, 0] for other in others for image in other.images}
    expected = [name for name, image in zip(whole.names, whole.images, strict=True) if image[0, 0, 0] not in levels]
    assert list(train.names) == expected
    assert len(expected) < len(whole)
    assert train.has_votes != labels_only
    assert (train.votes.max(axis=1) == 1).all() == labels_only
    assert validation.has_votes


def test_what_cannot_be_found_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"nowhere is no folder, \.zip or \.csv"):
        load_faces(tmp_path / "nowhere", "train")
    with pytest.raises(
        UserError,
        match=r"is not laid out like affectnet or .* or fer2013 or .* or image_folder; see data/raw",
    ):
        load_faces(tmp_path, "train")
    with pytest.raises(UserError, match="is not laid out like raf_db; see"):
        load_faces(make_fer2013(tmp_path), "train", name="raf_db")
    with pytest.raises(UserError, match=r"--dataset takes affectnet, .*, ferplus, .*, image_folder, not 'cifar'"):
        load_faces(tmp_path, "train", name="cifar")
    with pytest.raises(UserError, match="split must be one of train, validation, test or all, not 'val'"):
        load_faces(tmp_path, "val")


def test_skip_bad_leaves_rows_out_with_a_warning(tmp_path, caplog):
    folder = make_ferplus(tmp_path)
    (folder / "FER2013Test/fer0000020.png").unlink()
    with pytest.raises(FaultyData, match="1 fault in the data set; repair them or give --skip-bad"):
        load_faces(folder, "test")
    with caplog.at_level(logging.WARNING):
        assert load_faces(folder, "test", skip_bad=True).names == ("fer0000023.png",)
    assert "1 fault in the data set: these rows are left out" in caplog.text


def test_all_is_every_split(layout):
    _, folder = layout
    parts = [load_faces(folder, split) for split in ("train", "validation", "test")]
    whole = load_faces(folder, "all")
    assert len(whole) == sum(map(len, parts))
    assert list(whole.names) == [name for part in parts for name in part.names]
    np.testing.assert_array_equal(whole.labels, np.concatenate([part.labels for part in parts]))
    np.testing.assert_array_equal(whole.images[-1], parts[-1].images[-1])


def test_training_says_how_many_faces_it_leaves_out(tmp_path, capsys):
    folder = make_raf_reference(tmp_path)
    train, _ = load_for_training(folder)
    left_out = len(load_faces(folder, "train")) - len(train)
    assert left_out > 0
    assert f"{left_out} of 35 training faces are left out" in capsys.readouterr().err


def test_training_refuses_a_set_in_doubt_unless_the_doubt_is_named(tmp_path):
    make_image_folder(tmp_path, {"aligned": 20, "original": 20})
    with pytest.raises(UserError, match="--accept class-names"):
        load_for_training(tmp_path)
    assert load_for_training(tmp_path, accept=["class-names"])[0].class_names == ("aligned", "original")


@pytest.mark.parametrize("bad", ["b" * 101, "a\u202eb"])
def test_a_class_that_no_checkpoint_could_name_is_refused_before_any_training_and_can_be_mapped(tmp_path, bad):
    make_image_folder(tmp_path / "set", {bad: 20, "بی\u200cطرف": 20})
    with pytest.raises(
        UserError, match=r"a class is named by 1 to 100 printable characters, not .*; rename it, or map"
    ):
        load_for_training(tmp_path / "set")
    (tmp_path / "names.csv").write_text(f"{bad},anger\n", "utf-8")
    faces, _ = load_for_training(tmp_path / "set", classes=str(tmp_path / "names.csv"))
    assert faces.class_names == ("anger", "بی\u200cطرف")


def test_a_map_of_classes_is_read_with_or_without_a_header(tmp_path):
    path = write_lines(tmp_path / "map.csv", ["name;class", "Glee;happy", "7;-"])
    assert read_class_map(path) == {"glee": "happiness", "7": ""}
    with pytest.raises(UserError, match="in line 1 of"):
        read_class_map(write_lines(tmp_path / "map.txt", ["a b c"]))
    with pytest.raises(UserError, match=r"map\.csv:2 must be a name and a class, or - for none, not 'fear,'"):
        read_class_map(write_lines(tmp_path / "map.csv", ["name,class", "fear,"]))
    with pytest.raises(UserError, match=r"map\.csv:2 gives happiness a second class, -; joy is read as happiness"):
        read_class_map(write_lines(tmp_path / "map.csv", ["happy,glee", "joy,-"]))
